use crate::command::dispatch::{self, Outcome};
use crate::command::harness::Harness;
use crate::engine::admission::Verdict;

const CORRUPTED: &str = "-INVALIDOBJ Corrupted HLL object detected";
const NO_SKETCH: &str = "-WRONGTYPE Key is not a valid HyperLogLog string value.";

fn set(server: &mut Harness, key: &str, value: &[u8]) {
    let client = server.client;
    assert_eq!(server.run_words(client, &[b"SET", key.as_bytes(), value]), b"+OK\r\n");
}

fn get(server: &mut Harness, key: &str) -> Vec<u8> {
    let client = server.client;
    server.run_words(client, &[b"GET", key.as_bytes()])
}

/// The words after the command's name, many of them.
fn words(count: usize) -> String {
    (0..count).map(|n| format!(" {n}")).collect()
}

/// A header of a sparse sketch whose cardinality is out of date, and these runs.
fn sparse(runs: &[u8]) -> Vec<u8> {
    [b"HYLL\x01\0\0\0\0\0\0\0\0\0\0\x80", runs].concat()
}

#[test]
fn elements_are_added_counted_and_merged() {
    let mut server = Harness::new();
    for (line, reply) in [
        ("PFADD a", ":1"),
        ("PFADD a", ":0"),
        ("PFADD a x y z x", ":1"),
        ("PFADD a z", ":0"),
        ("PFADD b z w", ":1"),
        ("PFCOUNT a", ":3"),
        ("PFCOUNT a b none", ":4"),
        ("PFCOUNT none", ":0"),
        ("PFMERGE c a b none", "+OK"),
        ("PFCOUNT c", ":4"),
        ("PFDEBUG ENCODING c", "+sparse"),
        ("OBJECT ENCODING c", "$3 raw"),
    ] {
        assert_eq!(server.run(line), reply, "{line}");
    }
    assert_eq!(
        server.effects(),
        "SELECT 0 | PFADD a | PFADD a x y z x | PFADD b z w | PFCOUNT a | PFMERGE c a b none | PFCOUNT c"
    );
}

#[test]
fn changes_are_counted_as_redis_counts_them() {
    let mut server = Harness::new();
    let mut changes = |line: &str| {
        let before = server.engine.stats.changes;
        server.run(line);
        server.engine.stats.changes - before
    };
    assert_eq!(changes("PFADD a x y x"), 3);
    assert_eq!(changes("PFADD a x y z"), 1);
    assert_eq!(changes("PFCOUNT a"), 1);
    assert_eq!(changes("PFCOUNT a"), 0);
    assert_eq!(changes("PFMERGE a"), 1);
    assert_eq!(changes("PFDEBUG GETREG a"), 1);
    assert_eq!(changes("PFDEBUG GETREG a"), 0);
}

#[test]
fn the_cardinality_is_kept_until_a_register_changes() {
    let mut server = Harness::new();
    server.run("PFADD a x");
    server.run("PFCOUNT a");
    server.effects();
    assert_eq!(server.run("PFCOUNT a"), ":1");
    assert_eq!(server.run("PFCOUNT a a"), ":1");
    assert_eq!(server.effects(), "", "what is kept is not kept again");
    server.run("PFADD a y");
    assert_eq!(server.run("PFCOUNT a"), ":2");
    assert_eq!(server.effects(), "SELECT 0 | PFADD a y | PFCOUNT a");
}

#[test]
fn a_copy_with_another_limit_gets_the_same_bytes() {
    // The shadow has the default limit; what it applies must not depend on it.
    for limit in ["0", "100", "16000"] {
        let mut server = Harness::new();
        server.run(&format!("CONFIG SET hll-sparse-max-bytes {limit}"));
        for start in [0, 1, 40, 1000] {
            server.run(&format!("PFADD a{start}{}", words(start)));
            server.run(&format!("PFADD a{start}{}", words(start + 10)));
            server.run(&format!("PFMERGE all a{start}"));
            server.run(&format!("PFMERGE b{start} a1 a{start}"));
            server.run("PFCOUNT all");
        }
    }
}

#[test]
fn becoming_dense_is_logged_on_its_own() {
    let mut server = Harness::new();
    server.run("CONFIG SET hll-sparse-max-bytes 20");
    server.run("PFADD a x");
    server.run("PFADD a y z");
    server.run("PFADD b x y z");
    server.run("CONFIG SET hll-sparse-max-bytes 3000");
    server.run("PFADD c x y z");
    server.run("CONFIG SET hll-sparse-max-bytes 20");
    server.run("PFMERGE d c");
    server.run("PFMERGE c d");
    assert_eq!(
        server.effects(),
        "SELECT 0 | PFADD a x | MULTI | PFDEBUG TODENSE a | PFADD a y z | EXEC | \
         MULTI | PFADD b | PFDEBUG TODENSE b | PFADD b x y z | EXEC | PFADD c x y z | \
         MULTI | PFADD d | PFDEBUG TODENSE d | PFMERGE d c | EXEC | PFMERGE c d"
    );
}

#[test]
fn damaged_sketches_give_errors() {
    let mut server = Harness::new();
    set(&mut server, "short", &sparse(b"")[..15]);
    set(&mut server, "text", b"hello");
    set(&mut server, "number", b"12");
    set(&mut server, "cut", &sparse(b"\x7f\xfe"));
    set(&mut server, "long", &sparse(b"\x7f\xff\x00"));
    server.run("PFADD whole x");
    for key in ["short", "text", "number"] {
        for line in ["PFADD ?", "PFCOUNT ?", "PFCOUNT whole ?", "PFMERGE d ?", "PFMERGE ? whole", "PFDEBUG GETREG ?"] {
            assert_eq!(server.run(&line.replace('?', key)), NO_SKETCH, "{line} {key}");
        }
    }
    server.effects();
    for key in ["cut", "long"] {
        for line in
            ["PFCOUNT ?", "PFCOUNT whole ?", "PFMERGE d ?", "PFMERGE ? whole", "PFDEBUG GETREG ?", "PFDEBUG TODENSE ?"]
        {
            assert_eq!(server.run(&line.replace('?', key)), CORRUPTED, "{line} {key}");
        }
        assert_eq!(server.run(&format!("PFADD {key}")), ":0");
        assert_eq!(server.run(&format!("PFDEBUG ENCODING {key}")), "+sparse");
    }
    assert_eq!(server.run("PFDEBUG DECODE long"), "$11 Z:16384 z:1");
    assert_eq!(server.effects(), "");
}

#[test]
fn elements_before_the_one_that_meets_damage_stay_and_are_logged() {
    let mut server = Harness::new();
    // Register 12711, that of `a`, is the last one that is there.
    set(&mut server, "k", &sparse(b"\x71\xa7"));
    server.effects();
    assert_eq!(server.run("PFADD k a a b c"), CORRUPTED);
    assert!(get(&mut server, "k").ends_with(b"\x84\r\n"), "the register of `a` was raised");
    assert_eq!(server.effects(), "SELECT 0 | PFADD k a a");
    assert_eq!(server.run("PFADD k a b c"), CORRUPTED);
    assert_eq!(server.effects(), "");
}

#[test]
fn a_full_log_lets_a_count_be_read_but_not_kept() {
    let mut server = Harness::new();
    server.run("PFADD a x y");
    server.run("PFADD b z");
    let before = get(&mut server, "a");
    server.effects();
    server.engine.admission.set_room(0);
    assert_eq!(server.engine.admission.ask(1, 0), Verdict::Wait);
    let wanted = server.engine.admission.wanted(std::task::Waker::noop()).unwrap();
    server.engine.admission.refuse(wanted, "No space left on device".into());
    assert_eq!(server.run("PFCOUNT a"), ":2");
    assert_eq!(server.run("PFCOUNT a b"), ":3");
    assert_eq!(server.run("MULTI"), "+OK");
    assert_eq!(server.run("PFCOUNT a"), "+QUEUED");
    assert_eq!(server.run("EXEC"), "*1 :2");
    assert!(server.run("PFADD a z").starts_with("-MISCONF"));
    server.run("MULTI");
    server.run("PFCOUNT a");
    assert_eq!(server.run("PFADD a z"), "+QUEUED");
    assert!(server.run("EXEC").contains("MISCONF"));
    assert_eq!(get(&mut server, "a"), before);
    assert_eq!(server.effects(), "");
}

#[test]
fn a_count_waits_while_writes_are_paused() {
    let mut server = Harness::new();
    server.run("PFADD a x");
    server.run("CLIENT PAUSE 1000 WRITE");
    let mut client = server.engine.clients.take(server.client);
    let arguments: [&[u8]; 2] = [b"PFCOUNT", b"a"];
    assert_eq!(dispatch::request(&mut server.engine, &mut client, &arguments), Outcome::Paused);
    assert_eq!(dispatch::request(&mut server.engine, &mut client, &[b"GET", b"none"]), Outcome::Done);
    server.engine.clients.put(client);
}

#[test]
fn registers_and_runs_are_shown() {
    let mut server = Harness::new();
    server.run("PFADD a a");
    for (line, reply) in [
        ("PFDEBUG DECODE a", "$20 Z:12711 v:2,1 Z:3672"),
        ("PFDEBUG TODENSE a", ":1"),
        ("PFDEBUG TODENSE a", ":0"),
        ("PFDEBUG ENCODING a", "+dense"),
        ("PFDEBUG DECODE a", "-ERR HLL encoding is not sparse"),
        ("PFDEBUG WHAT a", "-ERR Unknown PFDEBUG subcommand 'WHAT'"),
        ("PFDEBUG WHAT none", "-ERR The specified key does not exist"),
        ("PFDEBUG SIMD on", "+enabled"),
        ("PFDEBUG SIMD OFF", "+disabled"),
        ("PFDEBUG SIMD a", "-ERR Argument must be ON or OFF"),
        ("PFSELFTEST", "+OK"),
    ] {
        assert_eq!(server.run(line), reply, "{line}");
    }
    let registers = server.run("PFDEBUG GETREG a");
    assert!(registers.starts_with("*16384 :0"));
    assert_eq!(registers.split(' ').position(|word| word == ":2"), Some(12_711 + 1));
    assert_eq!(server.effects(), "SELECT 0 | PFADD a a | PFDEBUG TODENSE a");
}
