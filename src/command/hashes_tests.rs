//! Tests of the commands on hashes that have nothing to do with expiry.

use crate::command::harness::Harness;

const WRONG_TYPE: &str = "-WRONGTYPE Operation against a key holding the wrong kind of value";

fn check(server: &mut Harness, lines: &[(&str, &str)]) {
    for (line, reply) in lines {
        let found = server.run(line);
        assert!(reply.is_empty() || found == *reply, "{line}: {found}");
    }
}

#[test]
fn fields_are_set_asked_for_and_deleted() {
    let mut server = Harness::new();
    check(
        &mut server,
        &[
            ("HSET h a 1 b two a 3", ":2"),
            ("HSET h a 3", ":0"),
            ("HGET h a", "$1 3"),
            ("HGET h none", "$-1"),
            ("HGET none a", "$-1"),
            ("HMGET h b none a", "*3 $3 two $-1 $1 3"),
            ("HMGET none a b", "*2 $-1 $-1"),
            ("HSETNX h a 4", ":0"),
            ("HSETNX h c ''", ":1"),
            ("HLEN h", ":3"),
            ("HLEN none", ":0"),
            ("HSTRLEN h b", ":3"),
            ("HSTRLEN h a", ":1"),
            ("HSTRLEN h none", ":0"),
            ("HEXISTS h c", ":1"),
            ("HEXISTS h none", ":0"),
            ("HKEYS h", "*3 $1 a $1 b $1 c"),
            ("HVALS h", "*3 $1 3 $3 two $0"),
            ("HGETALL h", "*6 $1 a $1 3 $1 b $3 two $1 c $0"),
            ("HGETALL none", "*0"),
            ("HMSET m a 1 b 2", "+OK"),
            ("HDEL h none", ":0"),
            ("HDEL h a b a", ":2"),
            ("HDEL none a", ":0"),
            ("HDEL h c", ":1"),
            ("EXISTS h", ":0"),
            ("HELLO 3", ""),
            ("HGETALL m", "%2 $1 a $1 1 $1 b $1 2"),
            ("HGETALL none", "%0"),
            ("HKEYS none", "*0"),
        ],
    );
    assert_eq!(
        server.effects(),
        "SELECT 0 | HSET h a 1 b two a 3 | HSET h a 3 | HSETNX h c | HMSET m a 1 b 2 | HDEL h a b a | HDEL h c"
    );
    assert_eq!(server.engine.stats.changes, 3 + 1 + 1 + 2 + 2 + 1);
}

#[test]
fn what_is_wrong_is_told_with_the_texts_of_redis() {
    let mut server = Harness::new();
    server.run("SET k v");
    server.run("HSET h a 1 w word");
    for (line, reply) in [
        ("HSET h a", "-ERR wrong number of arguments for 'hset' command"),
        ("HSET h a 1 b", "-ERR wrong number of arguments for 'hset' command"),
        ("HMSET h a 1 b", "-ERR wrong number of arguments for 'hmset' command"),
        ("HINCRBY h w 1", "-ERR hash value is not an integer"),
        ("HINCRBY h a x", "-ERR value is not an integer or out of range"),
        ("HINCRBY h a 9223372036854775807", "-ERR increment or decrement would overflow"),
        ("HINCRBYFLOAT h w 1", "-ERR hash value is not a float"),
        ("HINCRBYFLOAT h a x", "-ERR value is not a valid float"),
        ("HINCRBYFLOAT h a inf", "-ERR value is NaN or Infinity"),
        ("HRANDFIELD h x", "-ERR value is not an integer or out of range"),
        (
            "HRANDFIELD h -9223372036854775808",
            "-ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807",
        ),
        ("HRANDFIELD h 4611686018427387904 WITHVALUES", "-ERR value is out of range"),
        ("HRANDFIELD h 1 VALUES", "-ERR syntax error"),
        ("HRANDFIELD h 1 WITHVALUES x", "-ERR syntax error"),
        ("HSCAN h x", "-ERR invalid cursor"),
        ("HSCAN h 0 COUNT 0", "-ERR syntax error"),
        ("HSCAN h 0 COUNT x", "-ERR value is not an integer or out of range"),
        ("HSCAN h 0 TYPE hash", "-ERR syntax error"),
        ("HSCAN none 0 FOO", "*2 $1 0 *0"),
    ] {
        assert_eq!(server.run(line), reply, "{line}");
    }
    for line in [
        "HSET k a 1",
        "HMSET k a 1",
        "HSETNX k a 1",
        "HGET k a",
        "HMGET k a",
        "HGETALL k",
        "HDEL k a",
        "HEXISTS k a",
        "HKEYS k",
        "HVALS k",
        "HLEN k",
        "HSTRLEN k a",
        "HINCRBY k a 1",
        "HINCRBYFLOAT k a 1",
        "HRANDFIELD k",
        "HRANDFIELD k 1",
        "HSCAN k 0",
        "GET h",
        "SADD h a",
        "HEXPIRE k x FIELDS 1 a",
        "HPERSIST k x 1 a",
        "HTTL k x 1 a",
        "HGETEX k x 1 a",
        "HGETDEL k x 1 a",
        "HSETEX k FIELDS 1 a 1",
    ] {
        assert_eq!(server.run(line), WRONG_TYPE, "{line}");
    }
}

#[test]
fn fields_are_counted_as_integers_and_floats() {
    let mut server = Harness::new();
    check(
        &mut server,
        &[
            ("HINCRBY h n 5", ":5"),
            ("HINCRBY h n -7", ":-2"),
            ("HINCRBYFLOAT h n 0.5", "$4 -1.5"),
            ("HINCRBYFLOAT h f 3.0e3", "$4 3000"),
            ("HINCRBY h n 1", "-ERR hash value is not an integer"),
            ("HINCRBY none n x", "-ERR value is not an integer or out of range"),
            ("EXISTS none", ":0"),
        ],
    );
    assert_eq!(server.effects(), "SELECT 0 | HINCRBY h n 5 | HINCRBY h n -7 | HSET h n -1.5 | HSET h f 3000");
}

#[test]
fn settings_decide_about_the_representation() {
    let mut server = Harness::new();
    let mut encoding = |lines: &[&str]| {
        server.run("DEL h");
        lines.iter().for_each(|line| assert!(server.run(line).starts_with([':', '+', '$']), "{line}"));
        server.run("OBJECT ENCODING h").split(' ').nth(1).unwrap().to_owned()
    };
    assert_eq!(encoding(&["HSET h a 1"]), "listpack");
    let long = "x".repeat(65);
    assert_eq!(encoding(&[&format!("HSET h a {long}")]), "hashtable");
    assert_eq!(encoding(&[&format!("HSET h {long} a")]), "hashtable");
    assert_eq!(encoding(&["CONFIG SET hash-max-ziplist-entries 2", "HSET h a 1 b 2"]), "listpack");
    assert_eq!(encoding(&["HSET h a 1 b 2", "HSET h c 3"]), "hashtable");
    assert_eq!(encoding(&["HSET h a 1 a 2 a 3"]), "hashtable", "Redis counts what it is given");
    assert_eq!(encoding(&["CONFIG SET hash-max-listpack-value 2", "HSET h a 99", "HINCRBY h a 1"]), "hashtable");
}

/// The elements of a reply, behind its length.
fn elements(reply: &str) -> Vec<String> {
    reply.split(' ').skip(1).filter(|word| !word.starts_with(['$', '*'])).map(str::to_owned).collect()
}

#[test]
fn fields_are_drawn_in_all_forms() {
    let mut server = Harness::new();
    for key in ["small", "large"] {
        if key == "large" {
            server.run("CONFIG SET hash-max-listpack-entries 0");
        }
        server.run(&format!("HSET {key} a a b b c c d d e e f f g g h h"));
        assert_eq!(elements(&server.run(&format!("HRANDFIELD {key} 2"))).len(), 2);
        for (count, expected) in [(3, 3), (100, 8), (-3, 3), (-20, 20), (0, 0)] {
            let drawn = elements(&server.run(&format!("HRANDFIELD {key} {count}")));
            assert_eq!(drawn.len(), expected, "{count}");
            let mut different = drawn.clone();
            different.sort();
            different.dedup();
            assert!(count < 0 || different.len() == expected, "{drawn:?}");
            let drawn = elements(&server.run(&format!("HRANDFIELD {key} {count} WITHVALUES")));
            assert_eq!(drawn.len(), 2 * expected);
            assert!(drawn.chunks(2).all(|pair| pair[0] == pair[1]), "{drawn:?}");
        }
    }
    server.run("HELLO 3");
    server.run("HSET one f v");
    assert_eq!(server.run("HRANDFIELD one"), "$1 f");
    assert_eq!(server.run("HRANDFIELD one -2 WITHVALUES"), "*2 *2 $1 f $1 v *2 $1 f $1 v");
    assert_eq!(server.run("HRANDFIELD one 5"), "*1 $1 f");
    assert_eq!(server.run("HRANDFIELD none"), "_");
    assert_eq!(server.run("HRANDFIELD none 5"), "*0");
}

#[test]
fn a_scan_gives_every_field_and_of_a_small_hash_all_at_once() {
    let mut server = Harness::new();
    server.run("HSET h a 1 b 2");
    assert_eq!(server.run("HSCAN h 0 COUNT 1"), "*2 $1 0 *4 $1 a $1 1 $1 b $1 2");
    assert_eq!(server.run("HSCAN h 0 NOVALUES MATCH b"), "*2 $1 0 *1 $1 b");
    assert_eq!(server.run("HSCAN none 0"), "*2 $1 0 *0");
    for number in 0..1000 {
        server.run(&format!("HSET h f{number} v"));
    }
    let (mut cursor, mut found, mut calls) = ("0".to_owned(), std::collections::BTreeSet::new(), 0);
    loop {
        let reply = server.run(&format!("HSCAN h {cursor} COUNT 50 MATCH f*"));
        let words: Vec<&str> = reply.split(' ').collect();
        cursor = words[2].to_owned();
        found.extend(words[4..].chunks(4).map(|pair| pair[1].to_owned()));
        calls += 1;
        if cursor == "0" {
            break;
        }
    }
    assert_eq!(found.len(), 1000);
    assert!((15..=25).contains(&calls), "{calls}");
}
