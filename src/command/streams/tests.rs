use std::time::Duration;

use crate::command::harness::Harness;

/// Runs lines with their replies.
fn check(server: &mut Harness, lines: &[(&str, &str)]) {
    for (line, reply) in lines {
        assert_eq!(server.run(line), *reply, "{line}");
    }
}

/// A stream `s` of three entries with a group `g` at its beginning.
fn with_group() -> Harness {
    let mut server = Harness::new();
    for line in ["XADD s 1-1 f a", "XADD s 2-1 f b", "XADD s 3-1 f c", "XGROUP CREATE s g 0"] {
        server.run(line);
    }
    server.effects();
    server
}

#[test]
fn an_entry_is_logged_with_its_id_and_what_was_really_trimmed() {
    let mut server = Harness::new();
    server.run("CONFIG SET stream-node-max-entries 2");
    check(
        &mut server,
        &[
            ("XADD s * f 1", "$15 1700000000000-0"),
            ("XADD s NOMKSTREAM * f 2", "$15 1700000000000-1"),
            ("XADD s MAXLEN ~ 2 1700000000000-* f 3", "$15 1700000000000-2"),
            ("XADD s MAXLEN ~ 2 1700000000001 f 4", "$15 1700000000001-0"),
            ("XADD s MAXLEN 9 1700000000005-* f 5", "$15 1700000000005-0"),
            (
                "XADD s MINID 1700000000001 6-6 f 6",
                "-ERR The ID specified in XADD is equal or smaller than the target stream top item",
            ),
            ("XADD t NOMKSTREAM * f 6", "$-1"),
            ("XTRIM s MINID ~ 1700000000001", ":0"),
            ("XTRIM s MINID 1700000000001", ":1"),
            ("XTRIM s MAXLEN 5", ":0"),
        ],
    );
    assert_eq!(
        server.effects(),
        "SELECT 0 | XADD s 1700000000000-0 f 1 | XADD s 1700000000000-1 f 2 | XADD s 1700000000000-2 f 3 \
         | XADD s MAXLEN = 2 1700000000001-0 f 4 | XADD s 1700000000005-0 f 5 | XTRIM s MAXLEN = 2"
    );
}

#[test]
fn a_delivery_is_logged_with_its_time_and_how_far_the_group_has_read() {
    let mut server = with_group();
    check(
        &mut server,
        &[
            ("XREADGROUP GROUP g c COUNT 2 STREAMS s >", "*1 *2 $1 s *2 *2 $3 1-1 *2 $1 f $1 a *2 $3 2-1 *2 $1 f $1 b"),
            ("XREADGROUP GROUP g d NOACK STREAMS s >", "*1 *2 $1 s *1 *2 $3 3-1 *2 $1 f $1 c"),
            ("XREADGROUP GROUP g c STREAMS s >", "*-1"),
            ("XREADGROUP GROUP g e STREAMS s 0", "*1 *2 $1 s *0"),
        ],
    );
    assert_eq!(
        server.effects(),
        "SELECT 0 | MULTI | XGROUP CREATECONSUMER s g c \
         | XCLAIM s g c 0 1-1 2-1 TIME 1700000000000 RETRYCOUNT 1 FORCE JUSTID | XGROUP SETID s g 2-1 ENTRIESREAD 2 | EXEC \
         | MULTI | XGROUP CREATECONSUMER s g d | XGROUP SETID s g 3-1 ENTRIESREAD 3 | EXEC \
         | XGROUP CREATECONSUMER s g e"
    );
}

#[test]
fn reading_the_history_counts_as_delivery_and_is_logged() {
    let mut server = with_group();
    server.run("XREADGROUP GROUP g c COUNT 2 STREAMS s >");
    server.run("XREADGROUP GROUP g c COUNT 1 STREAMS s 0");
    server.run("XDEL s 2-1");
    server.effects();
    server.clock.advance(Duration::from_millis(7));
    let reply = "*1 *2 $1 s *2 *2 $3 1-1 *2 $1 f $1 a *2 $3 2-1 *-1";
    assert_eq!(server.run("XREADGROUP GROUP g c STREAMS s 0"), reply);
    assert_eq!(server.effects(), "SELECT 0 | XCLAIM s g c 0 1-1 TIME 1700000000007 RETRYCOUNT 3 FORCE JUSTID");
    assert_eq!(server.run("XPENDING s g - + 9"), "*2 *4 $3 1-1 $1 c :0 :3 *4 $3 2-1 $1 c :7 :1");
}

#[test]
fn a_claim_is_logged_as_what_it_did() {
    let mut server = with_group();
    server.run("XREADGROUP GROUP g c STREAMS s >");
    server.run("XCLAIM s g c 0 3-1 RETRYCOUNT 5 JUSTID");
    server.run("XDEL s 2-1");
    server.effects();
    server.clock.advance(Duration::from_millis(100));
    check(
        &mut server,
        &[
            ("XCLAIM s g d 101 1-1", "*0"),
            ("XCLAIM s g d 100 1-1 2-1 3-1 IDLE 50 JUSTID LASTID 2-0", "*2 $3 1-1 $3 3-1"),
            ("XCLAIM s g d 0 9-9 FORCE", "*0"),
            ("XCLAIM s g d 0 9-9 LASTID 5", "*0"),
            ("XAUTOCLAIM s g c 0 0 COUNT 1", "*3 $3 3-1 *1 *2 $3 1-1 *2 $1 f $1 a *0"),
        ],
    );
    assert_eq!(
        server.effects(),
        "SELECT 0 | XGROUP CREATECONSUMER s g d | MULTI | XACK s g 2-1 \
         | XCLAIM s g d 0 1-1 TIME 1700000000050 RETRYCOUNT 1 FORCE JUSTID \
         | XCLAIM s g d 0 3-1 TIME 1700000000050 RETRYCOUNT 5 FORCE JUSTID | EXEC | XGROUP SETID s g 5-0 ENTRIESREAD 3 \
         | XCLAIM s g c 0 1-1 TIME 1700000000100 RETRYCOUNT 2 FORCE JUSTID"
    );
}

#[test]
fn what_changes_nothing_is_not_logged() {
    let mut server = with_group();
    server.run("XREADGROUP GROUP g c COUNT 1 STREAMS s >");
    server.effects();
    for line in [
        "XDEL s 9-9",
        "XDEL none 1-1",
        "XTRIM s MAXLEN 3",
        "XTRIM s MAXLEN ~ 1",
        "XACK s g 2-1",
        "XCLAIM s g c 0 9-9",
        "XAUTOCLAIM s g c 5 0",
        "XREADGROUP GROUP g c STREAMS s 1-1",
        "XGROUP CREATECONSUMER s g c",
        "XGROUP DELCONSUMER s g nobody",
        "XGROUP DESTROY s none",
        "XDELEX s IDS 1 9-9",
        "XDELEX s ACKED IDS 1 1-1",
        "XACKDEL s g IDS 1 2-1",
        "XTRIM s MAXLEN 0 ACKED",
        "XINFO STREAM s FULL",
        "XPENDING s g",
        "XREAD STREAMS s 0",
        "XRANGE s - +",
    ] {
        assert!(!server.run(line).starts_with('-'), "{line}");
        assert_eq!(server.effects(), "", "{line}");
    }
}

#[test]
fn references_are_logged_as_commands_that_redis_7_knows() {
    let mut server = with_group();
    server.run("XGROUP CREATE s h 0");
    server.run("XREADGROUP GROUP g c STREAMS s >");
    server.run("XREADGROUP GROUP h c COUNT 2 STREAMS s >");
    server.effects();
    check(
        &mut server,
        &[
            ("XDELEX s ACKED IDS 2 1-1 3-1", "*2 :2 :2"),
            ("XACKDEL s g ACKED IDS 1 1-1", "*1 :2"),
            ("XACKDEL s h ACKED IDS 2 1-1 3-1", "*2 :1 :-1"),
            ("XADD s MAXLEN 2 DELREF 4-1 f d", "$3 4-1"),
            ("XACK s g 3-1", ":1"),
            ("XREADGROUP GROUP h c STREAMS s >", "*1 *2 $1 s *2 *2 $3 3-1 *2 $1 f $1 c *2 $3 4-1 *2 $1 f $1 d"),
            ("XREADGROUP GROUP g c STREAMS s >", "*1 *2 $1 s *1 *2 $3 4-1 *2 $1 f $1 d"),
            ("XACK s g 4-1", ":1"),
            ("XACK s h 4-1", ":1"),
        ],
    );
    assert!(server.effects().starts_with(
        "SELECT 0 | XACK s g 1-1 | MULTI | XDEL s 1-1 | XACK s h 1-1 | EXEC | MULTI | XADD s MAXLEN = 2 4-1 f d \
         | XACK s g 2-1 | XACK s h 2-1 | EXEC | XACK s g 3-1"
    ));
    assert_eq!(server.run("XTRIM s MAXLEN 0 ACKED"), ":1");
    assert_eq!(server.effects(), "SELECT 0 | XDEL s 4-1");
    assert_eq!(server.run("XRANGE s - +"), "*1 *2 $3 3-1 *2 $1 f $1 c");
}

#[test]
fn the_times_of_a_stream_are_not_bent_to_the_clock_of_who_applies_it() {
    let mut server = with_group();
    server.run("XREADGROUP GROUP g c STREAMS s >");
    // The shadow compares the times, whatever they are.
    for time in ["0", "-5", "1700000000001", "9223372036854775807"] {
        assert_eq!(server.run(&format!("XCLAIM s g c 0 1-1 TIME {time} JUSTID")), "*1 $3 1-1");
    }
    server.run("XCLAIM s g c 0 1-1 IDLE 1000 RETRYCOUNT 9223372036854775807");
    assert_eq!(server.run("XPENDING s g - 1-1 1"), "*1 *4 $3 1-1 $1 c :1000 :9223372036854775807");
}
