//! Tests of the commands on sets, and of what every type of value has in common, for which they stand.

use std::time::Duration;

use crate::command::harness::Harness;

const WRONG_TYPE: &str = "-WRONGTYPE Operation against a key holding the wrong kind of value";

/// Runs `SADD key` with these integers.
fn add(server: &mut Harness, key: &str, members: std::ops::Range<usize>) {
    let words: Vec<String> = members.map(|member| format!("m{member}")).collect();
    server.run(&format!("SADD {key} {}", words.join(" ")));
}

#[test]
fn members_are_added_asked_for_and_removed() {
    let mut server = Harness::new();
    for (line, reply) in [
        ("SADD s 3 1 2 1", ":3"),
        ("SADD s 1", ":0"),
        ("SMEMBERS s", "*3 $1 1 $1 2 $1 3"),
        ("SADD s a", ":1"),
        ("SCARD s", ":4"),
        ("SCARD none", ":0"),
        ("SISMEMBER s a", ":1"),
        ("SISMEMBER s 01", ":0"),
        ("SISMEMBER none a", ":0"),
        ("SMISMEMBER s a b 3", "*3 :1 :0 :1"),
        ("SMISMEMBER none a b", "*2 :0 :0"),
        ("SMEMBERS none", "*0"),
        ("SREM s b c", ":0"),
        ("SREM s a a 1", ":2"),
        ("SREM none a", ":0"),
        ("SADD s", "-ERR wrong number of arguments for 'sadd' command"),
        ("HELLO 3", ""),
        ("SMEMBERS s", "~2 $1 2 $1 3"),
        ("SMEMBERS none", "~0"),
    ] {
        let found = server.run(line);
        assert!(reply.is_empty() || found == reply, "{line}: {found}");
    }
    assert_eq!(server.effects(), "SELECT 0 | SADD s 3 1 2 1 | SADD s a | SREM s a a 1");
    assert_eq!((server.engine.stats.keyspace_hits, server.engine.stats.keyspace_misses), (6, 5));
    assert_eq!(server.engine.stats.changes, 6);
}

#[test]
fn the_key_goes_with_the_last_member() {
    let mut server = Harness::new();
    server.run("SADD s a b");
    server.run("EXPIRE s 100");
    assert_eq!(server.run("SREM s a b c"), ":2");
    assert_eq!(server.run("EXISTS s"), ":0");
    assert_eq!(server.engine.dbs[0].volatile_len(), 0);
    assert_eq!(server.run("SADD s a"), ":1");
    assert_eq!(server.run("TTL s"), ":-1");
}

#[test]
fn a_member_moves_from_one_set_to_another() {
    let mut server = Harness::new();
    server.run("SADD a 1 2");
    server.run("SADD b 2 x");
    server.run("SET k v");
    server.effects();
    for (line, reply, changes) in [
        ("SMOVE a b 3", ":0", 0),
        ("SMOVE a b 1", ":1", 2),
        ("SMOVE a a 2", ":1", 0),
        ("SMOVE a a 1", ":0", 0),
        ("SMOVE none k 1", ":0", 0),
        ("SMOVE a k 2", WRONG_TYPE, 0),
        ("SMOVE k a 2", WRONG_TYPE, 0),
        ("SMOVE k k 2", WRONG_TYPE, 0),
        ("SMOVE a b 2", ":1", 1),
        ("EXISTS a", ":0", 0),
        ("SMOVE b new x", ":1", 2),
        ("SMEMBERS new", "*1 $1 x", 0),
        ("SCARD b", ":2", 0),
    ] {
        let before = server.engine.stats.changes;
        assert_eq!(server.run(line), reply, "{line}");
        assert_eq!(server.engine.stats.changes - before, changes, "{line}");
    }
    assert_eq!(server.effects(), "SELECT 0 | SMOVE a b 1 | SMOVE a b 2 | SMOVE b new x");
}

#[test]
fn a_set_is_walked_over_in_parts_and_a_small_one_at_once() {
    let mut server = Harness::new();
    server.run("SADD small 1 2 30");
    server.run("SADD words a1 b 12");
    server.run("SET k v");
    add(&mut server, "large", 0..1000);
    for (line, reply) in [
        ("SSCAN small 0", "*2 $1 0 *3 $1 1 $1 2 $2 30"),
        ("SSCAN small 77 COUNT 1", "*2 $1 0 *3 $1 1 $1 2 $2 30"),
        ("SSCAN small 0 MATCH ?", "*2 $1 0 *2 $1 1 $1 2"),
        ("SSCAN words 0 MATCH *1* COUNT 5", "*2 $1 0 *2 $2 a1 $2 12"),
        ("SSCAN none 0 COUNT 0", "*2 $1 0 *0"),
        ("SSCAN none x", "-ERR invalid cursor"),
        ("SSCAN k 0 COUNT 0", WRONG_TYPE),
        ("SSCAN small 0 COUNT 0", "-ERR syntax error"),
        ("SSCAN small 0 COUNT x", "-ERR value is not an integer or out of range"),
        ("SSCAN small 0 MATCH", "-ERR syntax error"),
        ("SSCAN small 0 TYPE set", "-ERR syntax error"),
        ("SSCAN small 0 NOVALUES", "-ERR syntax error"),
    ] {
        assert_eq!(server.run(line), reply, "{line}");
    }
    let (mut cursor, mut calls) = ("0".to_owned(), 0);
    let mut found = std::collections::BTreeSet::new();
    loop {
        let reply = server.run(&format!("SSCAN large {cursor} COUNT 100"));
        let words: Vec<&str> = reply.split(' ').collect();
        cursor = words[2].to_owned();
        found.extend(words[4..].iter().filter(|word| word.starts_with('m')).map(|word| word.to_string()));
        calls += 1;
        // What comes and goes meanwhile keeps nothing from being found.
        add(&mut server, "large", 1000 * calls..1000 * calls + 500);
        server.run(&format!("SREM large m{}", 1000 * calls));
        if cursor == "0" {
            break;
        }
    }
    assert!((0..1000).all(|number| found.contains(&format!("m{number}"))));
    assert!(calls > 5, "{calls}");
}

#[test]
fn settings_decide_about_the_representation() {
    let mut server = Harness::new();
    let mut encoding = |lines: &[&str]| {
        server.run("DEL s");
        lines.iter().for_each(|line| assert!(server.run(line).starts_with([':', '+']), "{line}"));
        server.run("OBJECT ENCODING s").split(' ').nth(1).unwrap().to_owned()
    };
    assert_eq!(encoding(&["SADD s 1 2"]), "intset");
    assert_eq!(encoding(&["SADD s 1 2 a"]), "listpack");
    assert_eq!(encoding(&["SADD s 1", "CONFIG SET set-max-intset-entries 2", "SADD s 2 3 4"]), "hashtable");
    assert_eq!(encoding(&["CONFIG SET set-max-listpack-entries 2", "SADD s a b", "SADD s c"]), "hashtable");
    assert_eq!(encoding(&["CONFIG SET set-max-listpack-value 1", "SADD s a", "SADD s bb"]), "hashtable");
    assert_eq!(encoding(&["SADD s a", "SADD s b"]), "listpack");
}

#[test]
fn commands_on_strings_refuse_sets_and_those_on_sets_refuse_strings() {
    let mut server = Harness::new();
    server.run("SADD s a 1");
    server.run("SET k v");
    for line in [
        "GET s",
        "GETSET s v",
        "SET s v GET",
        "SET s v IFEQ v",
        "GETDEL s",
        "GETEX s",
        "GETEX s PERSIST",
        "DELIFEQ s v",
        "STRLEN s",
        "GETRANGE s 0 1",
        "SUBSTR s 0 1",
        "APPEND s v",
        "SETRANGE s 0 v",
        "SETRANGE s 0 ''",
        "INCR s",
        "DECRBY s 2",
        "INCRBYFLOAT s 2",
        "SADD k a",
        "SREM k a",
        "SISMEMBER k a",
        "SMISMEMBER k a",
        "SMEMBERS k",
        "SCARD k",
        "SPOP k",
        "SRANDMEMBER k",
        "SSCAN k 0",
        "SUNION k",
    ] {
        assert_eq!(server.run(line), WRONG_TYPE, "{line}");
    }
    assert_eq!(server.run("LCS s k"), "-ERR The specified keys must contain string values");
    assert_eq!(server.run("MGET s k"), "*2 $-1 $1 v");
    assert_eq!(server.run("SETNX s v"), ":0");
    assert_eq!(server.run("SMEMBERS s"), "*2 $1 a $1 1");
    assert_eq!(server.run("SET s v EX 100"), "+OK");
    assert_eq!(server.run("TYPE s"), "+string");
}

#[test]
fn sets_are_renamed_copied_moved_and_expire() {
    let mut server = Harness::new();
    add(&mut server, "large", 0..300);
    for (line, reply) in [
        ("SADD a 1 2", ":2"),
        ("EXPIRE a 100", ":1"),
        ("RENAME a b", "+OK"),
        ("TTL b", ":100"),
        ("COPY b c", ":1"),
        ("SADD b 3", ":1"),
        ("SMEMBERS c", "*2 $1 1 $1 2"),
        ("TTL c", ":100"),
        ("PERSIST c", ":1"),
        ("SISMEMBER c 2", ":1"),
        ("COPY large copy", ":1"),
        ("SREM large m0", ":1"),
        ("SCARD copy", ":300"),
        ("COPY c copy REPLACE", ":1"),
        ("SCARD copy", ":2"),
        ("MOVE large 1", ":1"),
        ("SELECT 1", "+OK"),
        ("SCARD large", ":299"),
        ("TYPE large", "+set"),
        ("OBJECT ENCODING large", "$9 hashtable"),
        ("OBJECT REFCOUNT large", ":1"),
        ("SCAN 0 TYPE SET", "*2 $1 0 *1 $5 large"),
        ("SCAN 0 TYPE string", "*2 $1 0 *0"),
        ("SCAN 0 TYPE foo", "*2 $1 0 *0"),
        ("SELECT 0", "+OK"),
    ] {
        assert_eq!(server.run(line), reply, "{line}");
    }
    server.clock.advance(Duration::from_secs(101));
    assert_eq!(server.run("SADD b 9"), ":1");
    assert_eq!(server.run("SMEMBERS b"), "*1 $1 9");
    assert!(server.effects().ends_with("MULTI | DEL b | SADD b 9 | EXEC"));
}

/// Objects that the helper gets when these lines run on two sets, `a` and `b`.
fn freed(server: &mut Harness, lines: &[&str]) -> u64 {
    server.run("FLUSHALL SYNC");
    let before = server.engine.stats.lazyfreed_objects;
    for key in ["a", "b"] {
        add(server, key, 0..200);
    }
    lines.iter().for_each(|line| assert!(!server.run(line).starts_with('-'), "{line}"));
    server.engine.stats.lazyfreed_objects - before
}

#[test]
fn large_sets_are_freed_by_the_helper_where_the_settings_say_so() {
    let mut server = Harness::new();
    let overwriting = ["COPY b c", "RENAME c a", "COPY b a REPLACE", "MSET a v", "SET b v"];
    assert_eq!(freed(&mut server, &["DEL a b"]), 0);
    assert_eq!(freed(&mut server, &["UNLINK a none"]), 1);
    assert_eq!(freed(&mut server, &overwriting), 0);
    assert_eq!(freed(&mut server, &["PEXPIRE a 0"]), 0);
    assert_eq!(freed(&mut server, &["FLUSHALL ASYNC"]), 2);
    for (setting, lines, objects) in [
        ("lazyfree-lazy-server-del", &overwriting[..], 4),
        ("lazyfree-lazy-user-del", &["DEL a"], 1),
        ("lazyfree-lazy-expire", &["PEXPIRE a 0"], 1),
    ] {
        server.run(&format!("CONFIG SET {setting} yes"));
        assert_eq!(freed(&mut server, lines), objects, "{setting}");
    }
}
