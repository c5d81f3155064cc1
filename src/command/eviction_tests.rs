use std::collections::BTreeSet;
use std::time::Duration;

use super::*;
use crate::command::harness::Harness;

/// A server in which each key takes 100 bytes, with room for so many.
fn server(keys: u64, policy: &str) -> Harness {
    let mut server = Harness::new();
    server.engine.trial.bytes_per_key = Some(100);
    assert_eq!(server.run(&format!("CONFIG SET maxmemory {} maxmemory-policy {policy}", keys * 100)), "+OK");
    server
}

fn keys(server: &mut Harness, db: usize) -> BTreeSet<String> {
    server.engine.dbs[db].iter().map(|entry| String::from_utf8(entry.key().to_vec()).unwrap()).collect()
}

#[test]
fn without_a_policy_writes_that_need_memory_are_refused_and_all_else_goes_on() {
    let mut server = server(2, "noeviction");
    for key in ["a", "b", "c"] {
        assert_eq!(server.run(&format!("SET {key} v")), "+OK");
    }
    let refused = "-OOM command not allowed when used memory > 'maxmemory'.";
    assert_eq!(server.run("SET d v"), refused);
    assert_eq!(server.run("APPEND a v"), refused);
    assert_eq!(server.run("GET a"), "$1 v");
    assert_eq!(server.run("EXPIRE a 100"), ":1");
    assert_eq!(server.run("MULTI"), "+OK");
    assert_eq!(server.run("GET a"), "+QUEUED");
    assert_eq!(server.run("APPEND a v"), refused);
    assert!(server.run("EXEC").starts_with("-EXECABORT"));
    assert_eq!(server.run("DEL a"), ":1");
    assert_eq!(server.run("SET d v"), "+OK");
    assert_eq!(server.engine.stats.evicted_keys, 0);
}

#[test]
fn a_transaction_is_refused_as_a_whole_when_memory_became_full_behind_its_queue() {
    let mut server = server(2, "noeviction");
    server.run("SET a v");
    server.run("MULTI");
    assert_eq!(server.run("SET b v"), "+QUEUED");
    let other = server.connect();
    for key in ["c", "d"] {
        assert_eq!(server.run_as(other, &format!("SET {key} v")), "+OK");
    }
    let refused =
        "-EXECABORT Transaction discarded because of: OOM command not allowed when used memory > 'maxmemory'.";
    assert_eq!(server.run("EXEC"), refused);
    assert_eq!(server.run("EXISTS b"), ":0");
}

#[test]
fn scripts_may_take_memory_only_if_they_say_so_or_have_begun_to_write() {
    let mut server = server(1, "noeviction");
    server.run("SET a 1");
    server.run("SET b 1");
    let refused = "OOM command not allowed when used memory > 'maxmemory'.";
    let reply = server.run("EVAL \"return redis.call('SET','c','v')\" 0");
    assert!(reply.starts_with(&format!("-{refused} script: ")), "{reply}");
    assert_eq!(server.run("EVAL \"redis.call('DEL','b') return redis.call('SET','b','2')\" 0"), "+OK");
    assert_eq!(server.run("EVAL \"return redis.call('GET','b')\" 0"), "$1 2");
    assert_eq!(server.run("EVAL \"#!lua\\nreturn 1\" 0"), format!("-{refused}"));
    assert_eq!(server.run("EVAL \"#!lua flags=no-writes\\nreturn 1\" 0"), ":1");
    assert_eq!(server.run("EVAL \"#!lua flags=allow-oom\\nreturn redis.call('SET','c','v')\" 0"), "+OK");
}

#[test]
fn evicted_keys_leave_as_effects_with_an_event_and_break_watches() {
    let mut server = server(3, "allkeys-random");
    server.run("CONFIG SET notify-keyspace-events Ee");
    let listener = server.connect();
    server.run_as(listener, "SUBSCRIBE __keyevent@0__:evicted");
    for key in ["a", "b", "c"] {
        server.run(&format!("SET {key} v"));
    }
    server.run("WATCH a b c d");
    let other = server.connect();
    server.effects();
    assert_eq!(server.run_as(other, "SET d v"), "+OK");
    assert_eq!(server.run_as(other, "GET nothing"), "$-1");
    assert_eq!(keys(&mut server, 0).len(), 3);
    let effects = server.effects();
    assert_eq!((effects.matches("SET d v").count(), effects.matches("DEL ").count()), (1, 1), "{effects}");
    let told = String::from_utf8(server.receive(listener)).unwrap();
    assert_eq!(told.matches("evicted").count(), 1, "{told}");
    server.run("MULTI");
    assert_eq!(server.run("EXEC"), "*-1");
    server.run("CONFIG SET lazyfree-lazy-eviction yes");
    server.run("SET e v");
    server.run("PING");
    assert!(server.effects().contains("UNLINK "));
    assert_eq!(server.engine.stats.evicted_keys, 2);
}

#[test]
fn who_learns_that_a_key_was_evicted_waits_until_it_cannot_come_back() {
    let mut server = server(1, "allkeys-lru");
    server.run("SET a v");
    server.run("SET b v");
    // The command before which `a` or `b` goes does not touch them, so it need not wait.
    assert_eq!(server.run_unsynced(server.client, "GET c"), "$-1");
    let gone = if keys(&mut server, 0).contains("a") { "b" } else { "a" };
    assert_eq!(server.run_unsynced(server.client, &format!("EXISTS {gone}")), "");
    server.sync();
    assert_eq!(server.receive(server.client), b":0\r\n");
}

#[test]
fn each_policy_takes_the_keys_that_it_names() {
    // Half of 40 keys, those with an even number, have an expiry time; those below 20 are used later and more often.
    for (policy, expected) in [
        ("volatile-lru", "even above"),
        ("volatile-lfu", "even above"),
        ("volatile-random", "even"),
        ("volatile-ttl", "even above"),
        ("allkeys-lru", "above"),
        ("allkeys-lfu", "above"),
        ("allkeys-random", ""),
    ] {
        let mut server = server(40, policy);
        server.run("CONFIG SET maxmemory-samples 64");
        for key in 0..40 {
            server.run(&format!("SET {key} v"));
            if key % 2 == 0 {
                server.run(&format!("EXPIRE {key} {}", 10_000 - key * 100));
            }
        }
        server.clock.advance(Duration::from_secs(10));
        server.engine.read_clock();
        for _ in 0..50 {
            (0..20).for_each(|key| _ = server.run(&format!("GET {key}")));
        }
        server.clock.advance(Duration::from_secs(10));
        server.engine.read_clock();
        // What is new goes to a database of its own, and is as good as any.
        server.run("SELECT 1");
        server.run("CONFIG SET maxmemory 3000");
        server.run("PING");
        let left = keys(&mut server, 0);
        assert_eq!(left.len(), 30, "{policy}");
        let gone = (0..40).filter(|key| !left.contains(&key.to_string()));
        for key in gone {
            assert!(!expected.contains("even") || key % 2 == 0, "{policy} took {key}");
            assert!(!expected.contains("above") || key >= 20, "{policy} took {key}");
        }
    }
}

#[test]
fn when_no_key_may_go_writes_are_refused() {
    let mut server = server(2, "volatile-lru");
    for key in ["a", "b", "c"] {
        server.run(&format!("SET {key} v"));
    }
    assert!(server.run("SET d v").starts_with("-OOM"));
    server.run("EXPIRE a 100");
    assert_eq!(server.run("SET d v"), "+OK");
    assert!(!keys(&mut server, 0).contains("a"));
}

#[test]
fn a_key_used_since_it_was_looked_at_stays() {
    let mut server = server(30, "allkeys-lru");
    server.run("CONFIG SET maxmemory-samples 64");
    (0..31).for_each(|key| _ = server.run(&format!("SET {key} v")));
    server.clock.advance(Duration::from_secs(10));
    server.engine.read_clock();
    server.run("PING");
    // The pool now knows more keys that were as idle as the one that went.
    assert_eq!(server.engine.stats.evicted_keys, 1);
    let left = keys(&mut server, 0);
    for key in left.iter().skip(2) {
        server.run(&format!("GET {key}"));
    }
    server.run("CONFIG SET maxmemory 2800");
    server.run("PING");
    let still: BTreeSet<String> = left.iter().skip(2).cloned().collect();
    assert_eq!(keys(&mut server, 0), still);
}

#[test]
fn nothing_is_evicted_while_it_may_not_be_logged() {
    let mut server = server(2, "allkeys-lru");
    server.run("SET a v");
    server.run("SET b v");
    server.run("CLIENT PAUSE 1000 WRITE");
    server.run("CONFIG SET maxmemory 100");
    assert_eq!(server.run("GET a"), "$1 v");
    assert_eq!(keys(&mut server, 0).len(), 2);
    server.run("CLIENT UNPAUSE");
    server.run("PING");
    assert_eq!(keys(&mut server, 0).len(), 1);
}

#[test]
fn a_command_that_waited_is_refused_when_memory_is_full_by_then() {
    let mut server = server(2, "noeviction");
    let waiting = server.connect();
    assert_eq!(server.run_as(waiting, "BLMOVE a b LEFT LEFT 0"), "");
    for line in ["SET x v", "SET y v", "RPUSH a 1"] {
        server.run(line);
    }
    server.sync();
    let refused = String::from_utf8(server.receive(waiting)).unwrap();
    assert!(refused.starts_with("-OOM command not allowed"), "{refused}");
    assert_eq!(server.run("LRANGE a 0 -1"), "*1 $1 1");
}

#[test]
fn the_time_of_a_round_grows_with_the_tenacity() {
    assert_eq!([0, 1, 10, 11, 100].map(time_limit_us), [0, 50, 500, 575, u64::MAX]);
    assert!((60_000_000..200_000_000).contains(&time_limit_us(99)));
}
