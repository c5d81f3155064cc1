//! `maxmemory` and `maxmemory-clients` on a real server, whose memory the allocator counts.

#![allow(clippy::unwrap_used)]

mod support;

use std::time::{Duration, Instant};

use support::client::{Client, encode};
use support::process::{Program, Server};
use support::tools::info;

/// More than what was found to be in use may be in use for a moment: a buffer that grows, a turn's replies.
const SLACK: u64 = 64 * 1024;

fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(Instant::now() < deadline, "in vain: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn server() -> Server {
    // What the shadow takes would count.
    Program::ackd().with("ackd-self-check", "no").with("appendfsync", "no").start()
}

/// Writes keys until `bytes` more are in use.
fn fill(client: &mut Client, prefix: &str, bytes: u64) -> u64 {
    let before = info(client, "used_memory");
    let mut written = 0;
    while info(client, "used_memory") < before + bytes {
        let value = "v".repeat(100);
        let batch: Vec<Vec<String>> = (written..written + 500)
            .map(|number| {
                let key = format!("{prefix}{number}");
                match number % 4 {
                    0 => vec!["SET".into(), key, value.clone()],
                    1 => vec!["SET".into(), key, value.clone(), "EX".into(), (1000 + number).to_string()],
                    2 => vec!["SADD".into(), key, number.to_string(), "member".into()],
                    _ => vec!["HSET".into(), key, "field".into(), value.clone()],
                }
            })
            .collect();
        client.pipeline(&batch).unwrap();
        written += 500;
    }
    written
}

#[test]
fn memory_stays_within_the_limit_under_every_policy_that_evicts() {
    for policy in ["allkeys-lru", "allkeys-lfu", "allkeys-random", "volatile-lru", "volatile-ttl"] {
        let server = server();
        let mut client = server.client();
        fill(&mut client, "first:", 1 << 20);
        let limit = info(&mut client, "used_memory") + (1 << 20);
        client.command(&format!("CONFIG SET maxmemory {limit} maxmemory-policy {policy}"));
        for number in 0..30_000 {
            let key = format!("key:{number}");
            let reply = client.call(&["SET", &key, &"x".repeat(200), "EX", "10000"]).unwrap().value;
            assert_eq!(reply.text().unwrap(), "OK", "{policy}");
            if number % 1000 == 0 {
                let used = info(&mut client, "used_memory");
                assert!(used <= limit + SLACK, "{policy}: {used} of {limit}");
            }
        }
        let (used, evicted) = (info(&mut client, "used_memory"), info(&mut client, "evicted_keys"));
        assert!(used > limit - limit / 10, "{policy}: no more is evicted than has to be: {used} of {limit}");
        assert!(evicted > 15_000, "{policy}: {evicted}");
    }
}

#[test]
fn what_was_evicted_stays_away_after_a_kill() {
    let mut server = server();
    let mut client = server.client();
    let written = fill(&mut client, "key:", 4 << 20);
    let limit = info(&mut client, "used_memory") - (2 << 20);
    client.command(&format!("CONFIG SET maxmemory {limit} maxmemory-policy allkeys-lru"));
    // No command is needed for it.
    wait_until("eviction goes on by itself", || info(&mut server.client(), "used_memory") <= limit + SLACK);
    client.command("CONFIG SET maxmemory 0");
    let evicted = info(&mut client, "evicted_keys");
    let digest = client.command("DEBUG DIGEST");
    assert!(evicted > 1000 && client.command("DBSIZE").integer().unwrap() as u64 == written - evicted);
    server.kill();
    server.start();
    assert_eq!(server.client().command("DEBUG DIGEST"), digest);
}

#[test]
fn the_count_between_two_surveys_is_that_of_the_allocator() {
    let server = server();
    let mut client = server.client();
    // With a limit the count goes on from command to command; INFO asks the allocator anew.
    client.command("CONFIG SET maxmemory 100gb lazyfree-lazy-user-del yes");
    fill(&mut client, "some:", 8 << 20);
    let before = info(&mut client, "used_memory");
    let members: Vec<String> = (0..100_000).map(|number| format!("member:{number}")).collect();
    for part in members.chunks(1000) {
        let command: Vec<&str> = ["SADD", "large"].into_iter().chain(part.iter().map(String::as_str)).collect();
        client.call(&command).unwrap();
    }
    let full = info(&mut client, "used_memory");
    assert!(full > before + (3 << 20), "{before} {full}");
    // Freed by another thread: the writes that were refused before are let in when it has done so.
    client.command(&format!("CONFIG SET maxmemory {}", before + (2 << 20)));
    assert!(client.command("SET k v").text().unwrap().starts_with("OOM"));
    client.command("DEL large");
    assert_eq!(client.command("SET k v").text().unwrap(), "OK", "there will be room soon");
    wait_until("it is freed", || info(&mut client, "lazyfree_pending_objects") == 0);
    let after = info(&mut client, "used_memory");
    assert!(after.abs_diff(before) < (2 << 20), "{before} {after}");
    assert_eq!(client.command("SET k v").text().unwrap(), "OK");
}

#[test]
fn the_largest_connections_end_when_all_take_too_much() {
    let server = server();
    let mut operator = server.client();
    operator.command("CLIENT NO-EVICT ON");
    let mut small = server.client();
    small.command("CLIENT SETNAME small");
    // A megabyte of an argument whose end does not come, and much that waits in a transaction.
    let half_sent = |server: &Server, bytes: usize| {
        let mut client = server.client();
        let request = encode(&["SET", "k", &"x".repeat(bytes)]);
        client.send(&request[..request.len() - 100]).unwrap();
        client
    };
    let mut large = half_sent(&server, 4 << 20);
    let mut queued = server.client();
    queued.command("MULTI");
    queued.call(&["SET", "k", &"x".repeat(2 << 20)]).unwrap();
    wait_until("all was received", || info(&mut operator, "mem_clients_normal") > 6 << 20);
    assert_eq!(info(&mut operator, "evicted_clients"), 0);
    operator.command("CONFIG SET maxmemory-clients 3mb");
    wait_until("the largest has gone", || info(&mut operator, "mem_clients_normal") < 3 << 20);
    assert_eq!(info(&mut operator, "evicted_clients"), 1, "one was enough");
    assert!(large.receive().is_err());
    assert_eq!(small.command("PING").text().unwrap(), "PONG");
    // The next that grows is not the largest, as long as the other is larger.
    let _more = half_sent(&server, 3 << 19);
    wait_until("the larger one has gone", || info(&mut operator, "evicted_clients") == 2);
    assert!(queued.receive().is_err());
    assert_eq!(small.command("PING").text().unwrap(), "PONG");
    // Who must not be evicted is not, whatever it takes.
    operator.command("CONFIG SET maxmemory 100mb maxmemory-clients 1%");
    wait_until("the third has gone", || info(&mut operator, "evicted_clients") == 3);
    let answer = operator.call(&["ECHO", &"x".repeat(2 << 20)]).unwrap();
    assert_eq!(answer.value.text().unwrap().len(), 2 << 20);
}
