//! Tests of SORT over sets, with strings as weights and as what is looked up.

use std::time::Duration;

use crate::command::harness::Harness;
use crate::command::key_positions::keys_of;
use crate::command::table;

const WRONG_TYPE: &str = "-WRONGTYPE Operation against a key holding the wrong kind of value";

/// The strings of a reply; `nil` for those that are absent.
fn strings(reply: &str) -> String {
    let words = reply.split(' ').filter(|word| *word == "$-1" || !word.starts_with(['$', '*']));
    words.map(|word| if word == "$-1" { "nil" } else { word }).collect::<Vec<_>>().join(" ")
}

#[test]
fn elements_are_sorted_as_numbers_or_as_texts() {
    for setting in ["set-max-intset-entries 512", "set-max-intset-entries 0", "set-max-listpack-entries 0"] {
        let mut server = Harness::new();
        server.run(&format!("CONFIG SET {setting}"));
        server.run("SADD n 10 9 -3 1e1 0x10 2.5");
        server.run("SADD w b a c ab");
        for (line, sorted) in [
            ("SORT n", "-3 2.5 9 10 1e1 0x10"),
            ("sort n desc", "0x10 1e1 10 9 2.5 -3"),
            ("SORT n ALPHA", "-3 0x10 10 1e1 2.5 9"),
            ("SORT_RO w ALPHA", "a ab b c"),
            ("SORT w ALPHA DESC", "c b ab a"),
            ("SORT w ALPHA DESC ASC", "a ab b c"),
            ("SORT n LIMIT 0 2", "-3 2.5"),
            ("SORT n LIMIT 2 3", "9 10 1e1"),
            ("SORT n LIMIT 4 -1", "1e1 0x10"),
            ("SORT n LIMIT -2 1", "-3"),
            ("SORT n LIMIT 6 1", ""),
            ("SORT n LIMIT 0 0", ""),
            ("SORT n LIMIT 9223372036854775807 9223372036854775807", ""),
            ("SORT n LIMIT 0 1 LIMIT 1 2 DESC", "1e1 10"),
            ("SORT none", ""),
        ] {
            assert_eq!(strings(&server.run(line)), sorted, "{line}, {setting}");
        }
        assert_eq!(server.run("SORT w"), "-ERR One or more scores can't be converted into double");
    }
}

#[test]
fn other_keys_give_weights_and_what_is_answered() {
    let mut server = Harness::new();
    server.run("SADD s 1 2 3 4");
    server.run("MSET w1 30 w2 20 w3 10 n1 one n3 three bad1 x");
    server.run("SADD w4 x");
    for (line, sorted) in [
        ("SORT s BY w*", "4 3 2 1"),
        ("SORT s BY w* DESC LIMIT 1 2", "2 3"),
        ("SORT s BY w* GET n*", "nil three nil one"),
        ("SORT s BY w* GET # GET n* GET nothing", "4 nil nil 3 three nil 2 nil nil 1 one nil"),
        ("SORT s BY n* ALPHA", "2 4 1 3"),
        ("SORT s BY n* ALPHA DESC", "3 1 2 4"),
        ("SORT s BY none*", "1 2 3 4"),
        ("SORT s BY w*->field", "1 2 3 4"),
        ("SORT s BY nosort GET #", "1 2 3 4"),
        ("SORT s BY nosort BY w*", "1 2 3 4"),
        ("SORT s BY nosort LIMIT 1 2 DESC", "2 3"),
    ] {
        assert_eq!(strings(&server.run(line)), sorted, "{line}");
    }
    assert_eq!(server.run("SORT s BY bad* GET n*"), "-ERR One or more scores can't be converted into double");
    assert_eq!(server.run("HELLO 3").split(' ').next(), Some("%8"));
    assert_eq!(server.run("SORT s BY w* GET n* LIMIT 0 2"), "*2 _ $5 three");
}

#[test]
fn bad_options_and_types_are_refused() {
    let mut server = Harness::new();
    server.run("SADD s 1");
    server.run("SET k v");
    for (line, reply) in [
        ("SORT k", WRONG_TYPE),
        ("SORT k FOO", "-ERR syntax error"),
        ("SORT s LIMIT 1", "-ERR syntax error"),
        ("SORT s BY", "-ERR syntax error"),
        ("SORT s GET", "-ERR syntax error"),
        ("SORT s STORE", "-ERR syntax error"),
        ("SORT_RO s STORE d", "-ERR syntax error"),
        ("SORT s LIMIT x 1 FOO", "-ERR value is not an integer or out of range"),
    ] {
        assert_eq!(server.run(line), reply, "{line}");
    }
}

#[test]
fn an_empty_result_that_is_stored_removes_what_was_there() {
    let mut server = Harness::new();
    server.run("SET d v");
    server.effects();
    assert_eq!(server.run("SORT none STORE d"), ":0");
    assert_eq!(server.run("EXISTS d"), ":0");
    assert_eq!(server.run("SORT none STORE d"), ":0");
    assert_eq!(server.effects(), "SELECT 0 | DEL d");
}

#[test]
fn lists_and_sorted_sets_keep_their_order_where_nothing_else_is_asked_for() {
    let mut server = Harness::new();
    server.run("CONFIG SET list-max-listpack-size 2 zset-max-listpack-entries 2");
    server.run("RPUSH l 3 1 2 1");
    server.run("ZADD z 1 c 2 b 3 a");
    server.run("HSET h1 w 9 n one");
    server.run("HSET h2 w 1 n two");
    for (line, sorted) in [
        ("SORT l", "1 1 2 3"),
        ("SORT l BY nosort", "3 1 2 1"),
        ("SORT l BY nosort DESC", "1 2 1 3"),
        ("SORT l BY nosort LIMIT 1 2", "1 2"),
        ("SORT l BY nosort LIMIT 1 2 DESC", "2 1"),
        ("SORT z BY nosort", "c b a"),
        ("SORT z BY nosort DESC LIMIT 0 2", "a b"),
        ("SORT z ALPHA", "a b c"),
        ("SORT l BY h*->w GET h*->n GET h*->none", "nil nil two nil one nil one nil"),
        ("SORT l BY nosort LIMIT 9 1", ""),
    ] {
        assert_eq!(strings(&server.run(line)), sorted, "{line}");
    }
}

#[test]
fn what_is_stored_is_logged_as_it_is() {
    let mut server = Harness::new();
    server.run("SADD s c a b");
    server.run("SET d x");
    server.effects();
    assert_eq!(server.run("SORT s ALPHA STORE d"), ":3");
    assert_eq!(server.run("SORT s BY nosort GET # GET none* STORE e"), ":6");
    assert_eq!(server.effects(), "SELECT 0 | MULTI | DEL d | RPUSH d a b c | EXEC | RPUSH e a b c");
    assert_eq!(strings(&server.run("LRANGE d 0 -1")), "a b c");
}

#[test]
fn keys_that_are_looked_up_count_and_expire_and_their_changes_are_waited_for() {
    let mut server = Harness::new();
    server.run("SADD s 1 2");
    server.run("SET w1 5");
    server.run("SET w2 1 PX 10");
    server.effects();
    server.clock.advance(Duration::from_millis(10));
    let before = (server.engine.stats.keyspace_hits, server.engine.stats.keyspace_misses);
    assert_eq!(strings(&server.run("SORT s BY w*")), "2 1");
    let after = (server.engine.stats.keyspace_hits, server.engine.stats.keyspace_misses);
    assert_eq!((after.0 - before.0, after.1 - before.1), (2, 1));
    assert_eq!(server.effects(), "SELECT 0 | DEL w2");
    let other = server.connect();
    for (key, line) in [("w1", "SORT s BY w*"), ("n2", "SORT s GET n*"), ("n1", "SORT s BY nosort GET n*")] {
        server.run_unsynced(server.client, &format!("SET {key} 7"));
        assert_eq!(server.run_unsynced(other, line), "", "{line} tells of {key}");
        server.sync();
        assert!(String::from_utf8(server.receive(other)).unwrap().starts_with("*2\r\n"));
        server.receive(server.client);
    }
}

#[test]
fn the_keys_are_the_sorted_one_and_the_last_that_is_stored_in() {
    let of = |line: &str| {
        let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        let row = table::admit(&words).unwrap();
        keys_of(row.spec, &words).unwrap().iter().map(|key| key.at).collect::<Vec<_>>()
    };
    assert_eq!(of("sort a by store get store"), [1]);
    assert_eq!(of("sort a limit 0 1 store b desc store c"), [1, 9]);
    assert_eq!(of("sort a store"), [1]);
    assert_eq!(of("sort_ro a by b*"), [1]);
}
