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

#[test]
fn counters_at_their_bounds_are_replayed_and_never_become_negative() {
    let largest = i64::MAX;
    let mut server = with_group();
    server.run("XREADGROUP GROUP g c STREAMS s >");
    for line in
        ["XCLAIM s g c 0 1-1 RETRYCOUNT 9223372036854775807", "XCLAIM s g c 0 1-1", "XREADGROUP GROUP g c STREAMS s 0"]
    {
        server.run(line);
        let pending = server.run("XPENDING s g - 1-1 1");
        assert!(pending.ends_with(&format!(":{largest}")), "{pending}");
    }
    for first in
        ["XGROUP CREATE s h 1-1 ENTRIESREAD 9223372036854775807", "XSETID s 9-1 ENTRIESADDED 9223372036854775807"]
    {
        let mut server = Harness::new();
        server.run("XADD s 1-1 f a");
        server.run(first);
        server.run("XGROUP CREATE s h 0");
        for line in [
            "XADD s 10-1 f b",
            "XREADGROUP GROUP h c STREAMS s >",
            "XADD s 11-1 f b",
            "XREADGROUP GROUP h c STREAMS s >",
        ] {
            assert!(!server.run(line).starts_with('-'), "{line} after {first}");
        }
        assert!(!server.effects().contains("ENTRIESREAD -9"), "{first}");
    }
}

#[test]
fn the_last_entry_that_a_connection_waits_for_is_the_last_one_then() {
    let mut server = Harness::new();
    let client = waiting(&mut server, "XREAD BLOCK 0 STREAMS s +");
    for line in ["MULTI", "XADD s 6-1 f a", "XADD s 7-1 f b", "EXEC"] {
        server.run(line);
    }
    assert_eq!(received(&mut server, client), "*1 *2 $1 s *1 *2 $3 7-1 *2 $1 f $1 b");
}

/// A connection that waits.
fn waiting(server: &mut Harness, line: &str) -> crate::engine::client::ClientId {
    let client = server.connect();
    assert_eq!(server.run_as(client, line), "", "{line} waits");
    client
}

fn received(server: &mut Harness, client: crate::engine::client::ClientId) -> String {
    server.sync();
    String::from_utf8_lossy(&server.receive(client)).trim_end().replace("\r\n", " ")
}

#[test]
fn who_waits_for_new_entries_gets_those_behind_what_was_last_when_it_asked() {
    let mut server = with_group();
    let one = waiting(&mut server, "XREAD BLOCK 0 STREAMS none s $ $");
    let two = waiting(&mut server, "XREAD COUNT 1 BLOCK 0 STREAMS s 3-1");
    server.run("XDEL s 3-1");
    server.run("XADD s 4-1 f d");
    assert_eq!(received(&mut server, one), "*1 *2 $1 s *1 *2 $3 4-1 *2 $1 f $1 d");
    assert_eq!(received(&mut server, two), "*1 *2 $1 s *1 *2 $3 4-1 *2 $1 f $1 d");
    let three = waiting(&mut server, "XREAD BLOCK 10 STREAMS s $");
    server.clock.advance(Duration::from_millis(10));
    assert!(server.check(three));
    assert_eq!(received(&mut server, three), "*-1");
    check(&mut server, &[("MULTI", "+OK"), ("XREAD BLOCK 0 STREAMS s $", "+QUEUED"), ("EXEC", "*1 *-1")]);
}

#[test]
fn an_entry_goes_to_the_consumer_that_waits_longest_and_is_logged_behind_it() {
    let mut server = with_group();
    server.run("XREADGROUP GROUP g c STREAMS s >");
    let one = waiting(&mut server, "XREADGROUP GROUP g one BLOCK 0 STREAMS s >");
    let two = waiting(&mut server, "XREADGROUP GROUP g two BLOCK 0 STREAMS s >");
    server.effects();
    server.run("XADD s 4-1 f d");
    assert_eq!(received(&mut server, one), "*1 *2 $1 s *1 *2 $3 4-1 *2 $1 f $1 d");
    assert_eq!(received(&mut server, two), "");
    assert_eq!(
        server.effects(),
        "SELECT 0 | XADD s 4-1 f d | MULTI | XCLAIM s g one 0 4-1 TIME 1700000000000 RETRYCOUNT 1 FORCE JUSTID \
         | XGROUP SETID s g 4-1 ENTRIESREAD 4 | EXEC"
    );
    server.run("XGROUP DESTROY s g");
    let gone = "-NOGROUP No such key 's' or consumer group 'g' in XREADGROUP with GROUP option";
    assert_eq!(received(&mut server, two), gone);
    server.run("XGROUP CREATE s g $");
    let three = waiting(&mut server, "XREADGROUP GROUP g three BLOCK 0 STREAMS s >");
    server.run("DEL s");
    assert_eq!(received(&mut server, three), gone);
}
