//! Tests of the commands that set, ask for and remove the expiry times of fields, and of those that do so in passing. The
//! clock of the harness begins at 1700000000 seconds.

use crate::command::harness::Harness;

const NO_FIELDS: &str = "-ERR Mandatory argument FIELDS is missing or not at the right position";
const NOT_SO_MANY: &str = "-ERR The `numfields` parameter must match the number of arguments";

fn check(server: &mut Harness, lines: &[(&str, &str)]) {
    for (line, reply) in lines {
        assert_eq!(server.run(line), *reply, "{line}");
    }
}

#[test]
fn expiry_times_are_logged_absolute_and_past_ones_as_deletion() {
    let mut server = Harness::new();
    server.run("HSET h a 1 b 2 c 3 d 4");
    server.effects();
    check(
        &mut server,
        &[
            ("HEXPIRE h 100 FIELDS 2 a none", "*2 :1 :-2"),
            ("HPEXPIRE h 1500 FIELDS 2 a b", "*2 :1 :1"),
            ("HEXPIREAT h 1700000002 fields 1 c", "*1 :1"),
            ("OBJECT ENCODING h", "$10 listpackex"),
            ("HPEXPIREAT h 1699999999999 FIELDS 2 d d", "*2 :2 :-2"),
            ("HPERSIST h FIELDS 3 a d none", "*3 :1 :-2 :-2"),
            ("HPERSIST h FIELDS 1 a", "*1 :-1"),
            ("HEXPIRE none 100 FIELDS 2 a b", "*2 :-2 :-2"),
            ("HPERSIST none FIELDS 1 a", "*1 :-2"),
            ("HEXPIRE h 0 FIELDS 3 a b c", "*3 :2 :2 :2"),
            ("EXISTS h", ":0"),
        ],
    );
    assert_eq!(
        server.effects(),
        "SELECT 0 | HPEXPIREAT h 1700000100000 FIELDS 1 a | HPEXPIREAT h 1700000001500 FIELDS 2 a b \
         | HPEXPIREAT h 1700000002000 FIELDS 1 c | HDEL h d | HPERSIST h FIELDS 3 a d none | HDEL h a b c"
    );
    assert_eq!(server.engine.dbs[0].next_field_expiry(), None);
}

#[test]
fn conditions_compare_with_the_present_expiry() {
    let mut server = Harness::new();
    server.run("HSET h a 1 b 2");
    check(
        &mut server,
        &[
            ("HEXPIRE h 100 XX FIELDS 2 a b", "*2 :0 :0"),
            ("HEXPIRE h 100 GT FIELDS 1 a", "*1 :0"),
            ("HEXPIRE h 100 LT FIELDS 1 a", "*1 :1"),
            ("HEXPIRE h 200 NX FIELDS 2 a b", "*2 :0 :1"),
            ("HEXPIRE h 150 GT FIELDS 2 a b", "*2 :1 :0"),
            ("HEXPIRE h 0 GT FIELDS 2 a b", "*2 :0 :0"),
            ("HTTL h FIELDS 3 a b none", "*3 :150 :200 :-2"),
        ],
    );
}

#[test]
fn times_are_told_and_seconds_rounded_up() {
    let mut server = Harness::new();
    server.run("HSET h a 1 b 2");
    server.run("HPEXPIRE h 1001 FIELDS 1 a");
    check(
        &mut server,
        &[
            ("HTTL h FIELDS 3 a b none", "*3 :2 :-1 :-2"),
            ("HPTTL h FIELDS 1 a", "*1 :1001"),
            ("HEXPIRETIME h FIELDS 1 a", "*1 :1700000002"),
            ("HPEXPIRETIME h FIELDS 1 a", "*1 :1700000001001"),
            ("HTTL none FIELDS 2 a b", "*2 :-2 :-2"),
        ],
    );
}

#[test]
fn setting_a_field_ends_its_expiry_and_counting_with_it_does_not() {
    let mut server = Harness::new();
    server.run("HSET h a 1 b 2");
    server.run("HEXPIRE h 100 FIELDS 2 a b");
    server.effects();
    check(
        &mut server,
        &[
            ("HINCRBY h a 1", ":2"),
            ("HINCRBYFLOAT h a 0.5", "$3 2.5"),
            ("HSETNX h a 1", ":0"),
            ("HSET h b 3", ":0"),
            ("HTTL h FIELDS 2 a b", "*2 :100 :-1"),
            ("COPY h copy", ":1"),
            ("RENAME h moved", "+OK"),
            ("HTTL moved FIELDS 2 a b", "*2 :100 :-1"),
            ("HTTL copy FIELDS 2 a b", "*2 :100 :-1"),
        ],
    );
    assert!(server.effects().starts_with("SELECT 0 | HINCRBY h a 1 | HSETEX h KEEPTTL FIELDS 1 a 2.5 | HSET h b 3 |"));
}

#[test]
fn hgetex_reads_and_sets_or_removes_times() {
    let mut server = Harness::new();
    server.run("HSET h a 1 b 2");
    server.effects();
    check(
        &mut server,
        &[
            ("HGETEX h FIELDS 2 a none", "*2 $1 1 $-1"),
            ("HGETEX none FIELDS 2 a none", "*2 $-1 $-1"),
            ("HGETEX h EX 10 FIELDS 2 a none", "*2 $1 1 $-1"),
            ("HGETEX h PERSIST FIELDS 2 a b", "*2 $1 1 $1 2"),
            ("HGETEX h PERSIST FIELDS 2 a b", "*2 $1 1 $1 2"),
            ("HGETEX h PXAT 1 FIELDS 2 a a", "*2 $1 1 $-1"),
            ("HGETEX h EX FIELDS 1 a", "-ERR value is not an integer or out of range"),
            ("HGETEX h EX 10 PX 10 FIELDS 1 a", NO_FIELDS),
            ("HGETEX h EX 10 FIELDS", "-ERR wrong number of arguments for 'hgetex' command"),
            ("HGETEX h EX 10 KEEPTTL", "-ERR wrong number of arguments for 'hgetex' command"),
            ("HGETEX h PX 70368744177663 FIELDS 1 a", "-ERR invalid expire time in 'hgetex' command"),
            ("HGETEX h FIELDS 1 a b", NOT_SO_MANY),
        ],
    );
    assert_eq!(server.effects(), "SELECT 0 | HPEXPIREAT h 1700000010000 FIELDS 1 a | HPERSIST h FIELDS 1 a | HDEL h a");
}

#[test]
fn hsetex_sets_fields_with_their_time_under_a_condition() {
    let mut server = Harness::new();
    let one_condition = "-ERR Only one of FXX or FNX arguments can be specified";
    let one_expiration = "-ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified";
    let arity = "-ERR wrong number of arguments for 'hsetex' command";
    check(
        &mut server,
        &[
            ("HSETEX h FXX FIELDS 1 a 1", ":0"),
            ("HSETEX h EX 10 FNX FIELDS 2 a 1 b 2", ":1"),
            ("HSETEX h FNX FIELDS 2 c 1 b 2", ":0"),
            ("HSETEX h KEEPTTL FXX FIELDS 1 a 3", ":1"),
            ("HSETEX h FIELDS 1 b 3", ":1"),
            ("HTTL h FIELDS 2 a b", "*2 :10 :-1"),
            ("HMGET h a b", "*2 $1 3 $1 3"),
            ("HSETEX h PXAT 1 FIELDS 2 a 1 c 2", ":1"),
            ("HSETEX new PXAT 1 FIELDS 1 a 1", ":1"),
            ("EXISTS new", ":0"),
            ("HSETEX h PXAT 1 FIELDS 1 b 1", ":1"),
            ("EXISTS h", ":0"),
            ("HSETEX h FXX FNX FIELDS 1 a 1", one_condition),
            ("HSETEX h EX 1 KEEPTTL FIELDS 1 a 1", one_expiration),
            ("HSETEX h FIELDS 2 a 1", arity),
            ("HSETEX h FIELDS 1 a 1 FNX", arity),
            ("HSETEX h FIELDS 0 a 1", "-ERR invalid number of fields"),
            (r#"HSETEX h EX 10 "wrong\x00x" FIELDS 1 a 1"#, "-ERR unknown argument: wrong"),
            ("HSETEX h PERSIST FIELDS 1 a 1", "-ERR unknown argument: PERSIST"),
            ("HSETEX h EX -1 FIELDS 1 a 1", "-ERR invalid expire time, must be >= 0"),
        ],
    );
    assert_eq!(
        server.effects(),
        "SELECT 0 | HSETEX h PXAT 1700000010000 FIELDS 2 a 1 b 2 | HSETEX h KEEPTTL FIELDS 1 a 3 | HSET h b 3 | HDEL h a \
         | HDEL h b"
    );
}

#[test]
fn hgetdel_reads_and_deletes() {
    let mut server = Harness::new();
    server.run("HSET h a 1 b 2");
    server.effects();
    check(
        &mut server,
        &[
            ("HGETDEL h FIELDS 3 a a none", "*3 $1 1 $-1 $-1"),
            ("HGETDEL none FIELDS 1 a", "*1 $-1"),
            ("HGETDEL h FIELDS 1 none", "*1 $-1"),
            ("HGETDEL h FIELDS 0 a", "-ERR Number of fields must be a positive integer"),
            ("HGETDEL h FIELDS 1 b", "*1 $1 2"),
            ("EXISTS h", ":0"),
        ],
    );
    assert_eq!(server.effects(), "SELECT 0 | HDEL h a | HDEL h b");
}

#[test]
fn what_is_wrong_is_told_with_the_texts_of_redis() {
    let mut server = Harness::new();
    server.run("HSET h a 1 b 2");
    check(
        &mut server,
        &[
            ("HEXPIRE h 10 FIELDS 2 a", NOT_SO_MANY),
            ("HEXPIRE h 10 NX FIELDS 1", NOT_SO_MANY),
            ("HEXPIRE h 10 FIELDS 0 a", "-ERR Parameter `numFields` should be greater than 0"),
            ("HEXPIRE h 10 FOO FIELDS 1 a", NO_FIELDS),
            ("HEXPIRE h 10 NX XX FIELDS 1 a", NO_FIELDS),
            ("HEXPIRE h x FIELDS 1 a", "-ERR value is not an integer or out of range"),
            ("HEXPIRE h -1 FOO 1 a", "-ERR invalid expire time, must be >= 0"),
            ("HEXPIRE h 9223372036854775807 FIELDS 1 a", "-ERR invalid expire time in 'hexpire' command"),
            ("HPEXPIREAT h 70368744177664 FIELDS 1 a", "-ERR invalid expire time in 'hpexpireat' command"),
            ("HPEXPIREAT h 70368744177663 FIELDS 1 a", "*1 :1"),
            ("HTTL h FIELDS 0 a", "-ERR Number of fields must be a positive integer"),
            ("HTTL h FIELDS 1 a b", NOT_SO_MANY),
            ("HTTL none FIELD 1 a", NO_FIELDS),
            ("HPERSIST h FIELDS x a", "-ERR Number of fields must be a positive integer"),
        ],
    );
}
