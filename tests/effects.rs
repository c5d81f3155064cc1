//! What is logged, given to Redis 7 and to ackd after a crash: both have everything that a reply can show.
//!
//! The commands are those of the differential test, of all families; what Redis 7 does not know as a command (XDELEX …) it
//! must still understand as an effect.

#![allow(clippy::unwrap_used)]

#[path = "differential/mod.rs"]
mod differential;
mod support;

use std::process::Command;
use std::time::Instant;

use ackd::base::quoting;
use ackd::command::key_positions::has_keys;
use ackd::command::table;

use differential::accepted::Against;
use differential::generate::{scripts, session};
use differential::step::{Arg, Step};
use support::contents::{Data, assert_same, read};
use support::oracle::Oracle;
use support::process::Program;

/// Commands without keys that belong to it.
const OTHERS: [&str; 7] = ["SELECT", "SWAPDB", "FLUSHALL", "FLUSHDB", "MULTI", "EXEC", "DISCARD"];

/// What a session does to the data.
fn commands(against: Against, seed: u64) -> Vec<Vec<Vec<u8>>> {
    let steps = session(against, seed, 600).into_iter().filter_map(|step| match step {
        Step::Command { argv, .. } => argv
            .into_iter()
            .map(|arg| if let Arg::Bytes(word) = arg { Some(word) } else { None })
            .collect::<Option<Vec<Vec<u8>>>>(),
        _ => None,
    });
    let concerns_data = |line: &Vec<Vec<u8>>| {
        let words: Vec<&[u8]> = line.iter().map(Vec::as_slice).collect();
        let Some(row) = table::resolve(&words) else { return false };
        has_keys(row.spec) && !words[0].eq_ignore_ascii_case(b"DEBUG")
            || OTHERS.iter().any(|name| words[0].eq_ignore_ascii_case(name.as_bytes()))
    };
    // The expiry of fields is none that Redis 7 could understand.
    let is_known = |line: &Vec<Vec<u8>>| {
        let name = &scripts::called(line).unwrap_or(line)[0];
        against != Against::Redis8 || !name.to_ascii_uppercase().starts_with(b"H")
    };
    steps.filter(concerns_data).filter(is_known).collect()
}

#[test]
fn a_restart_and_redis_7_have_everything_that_was_there() {
    let seeds = [(Against::Redis7, 0..8), (Against::Redis8, 0..16)];
    let (mut streams, mut effects) = (0, 0);
    for (against, seed) in seeds.into_iter().flat_map(|(against, seeds)| seeds.map(move |seed| (against, seed))) {
        let mut server = Program::ackd().start();
        let mut client = server.client();
        for line in commands(against, seed) {
            client.call(&line).unwrap();
        }
        client.call(&["DISCARD"]).unwrap();
        let expected = read(&mut client);
        streams += expected.items().filter(|(_, _, item)| matches!(item.data, Data::Stream(_))).count();
        server.kill();
        server.start();
        assert_same(&expected, &read(&mut server.client()), &format!("{against:?}, seed {seed}, after a restart"));
        server.kill();
        let Some(redis) = Oracle::Redis7.program() else { continue };
        let redis = redis.start();
        let shown = Command::new(&Program::ackd().path).args(["log", "--commands"]).arg(server.dir()).output().unwrap();
        assert!(shown.status.success(), "{shown:?}");
        let mut redis = redis.client();
        for effect in shown.stdout.split(|byte| *byte == b'\n').filter(|effect| !effect.is_empty()) {
            let reply = redis.call(&quoting::split(effect).unwrap()).unwrap().value;
            assert!(!reply.is_error(), "{against:?}, seed {seed}: {}: {reply}", effect.escape_ascii());
            effects += 1;
        }
        assert_same(&expected, &read(&mut redis), &format!("{against:?}, seed {seed}, Redis 7"));
    }
    assert!(streams > 20, "only {streams} streams");
    println!("{effects} effects");
}

#[test]
fn a_consumer_that_has_claimed_with_another_time_was_active_when_it_did() {
    let mut server = Program::ackd().start();
    let mut client = server.client();
    for line in [
        "XADD x 1-0 f v",
        "XGROUP CREATE x g 0",
        "XREADGROUP GROUP g c STREAMS x >",
        "XCLAIM x g d 0 1-0 IDLE 5000000",
        "XGROUP CREATECONSUMER x g e",
    ] {
        assert!(!client.command(line).is_error(), "{line}");
    }
    let done = Instant::now();
    server.kill();
    server.start();
    let mut client = server.client();
    let passed = done.elapsed().as_millis() as i64;
    let consumers = client.command("XINFO CONSUMERS x g");
    for consumer in consumers.elements().unwrap() {
        let idle = consumer.elements().unwrap()[5].integer().unwrap();
        assert!((passed..passed + 60_000).contains(&idle), "{passed} ms have passed: {consumer}");
    }
}
