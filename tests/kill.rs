//! `kill -9` under load, against the real binary: no acked write is lost, transactions are whole, nothing is there that
//! nobody wrote. `ACKD_KILL_ROUNDS` (default 2 a policy) makes it a campaign.

#![allow(clippy::unwrap_used)]

mod support;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use support::client::{Client, encode};
use support::process::{Program, Server};
use support::reply::Value;

const WRITERS: usize = 8;
const PIPELINE: u64 = 16;

/// What one writer knows: the highest number that was sent, and the highest whose write was acked.
#[derive(Clone, Copy, Debug, Default)]
struct Progress {
    sent: u64,
    acked: u64,
}

/// Each writer counts up: `SET count:W n` and a transaction that sets two keys to the same number.
fn write_until_killed(
    mut client: Client,
    writer: usize,
    progress: &Mutex<HashMap<usize, Progress>>,
    stop: &AtomicBool,
) {
    let mut n = progress.lock().unwrap().get(&writer).copied().unwrap_or_default().sent;
    while !stop.load(Ordering::Relaxed) {
        let mut bytes = Vec::new();
        for next in n + 1..=n + PIPELINE {
            let value = format!("{next}:{}", "x".repeat((next % 200) as usize));
            bytes.extend(encode(&["SET", &format!("count:{writer}"), &value]));
            for words in [
                &["MULTI"][..],
                &["SET", &format!("left:{writer}"), &value],
                &["SET", &format!("right:{writer}"), &value],
                &["EXEC"],
            ] {
                bytes.extend(encode(words));
            }
        }
        progress.lock().unwrap().entry(writer).or_default().sent = n + PIPELINE;
        if client.send(&bytes).is_err() {
            return;
        }
        for _ in 0..PIPELINE {
            for reply in 0..5 {
                match client.receive() {
                    Ok(reply) => assert!(!reply.value.is_error(), "{:?}", reply.value),
                    Err(_) => return,
                }
                if reply == 4 {
                    n += 1;
                    progress.lock().unwrap().entry(writer).or_default().acked = n;
                }
            }
        }
    }
}

fn number(client: &mut Client, key: &str) -> u64 {
    match client.command(&format!("GET {key}")) {
        value if value.is_null() => 0,
        value => {
            let text = value.text().unwrap();
            let (number, filler) = text.split_once(':').unwrap();
            let number: u64 = number.parse().unwrap();
            assert_eq!(filler.len() as u64, number % 200, "{key} holds a value that nobody wrote");
            number
        }
    }
}

fn check(server: &Server, progress: &Mutex<HashMap<usize, Progress>>) {
    let mut client = server.client();
    for (writer, known) in progress.lock().unwrap().iter_mut() {
        let count = number(&mut client, &format!("count:{writer}"));
        let left = number(&mut client, &format!("left:{writer}"));
        let right = number(&mut client, &format!("right:{writer}"));
        assert!(count >= known.acked, "writer {writer}: {} was acked, {count} is there", known.acked);
        assert!(left >= known.acked, "writer {writer}: transaction {} was acked, {left} is there", known.acked);
        assert_eq!(left, right, "writer {writer}: half a transaction");
        assert!(count <= known.sent && left <= count, "writer {writer}: {known:?}, count {count}, left {left}");
        known.sent = known.sent.max(count);
    }
}

fn kill_under_load(policy: &str) {
    let rounds = std::env::var("ACKD_KILL_ROUNDS").map_or(2, |rounds| rounds.parse().unwrap());
    let mut server = Program::ackd().with("appendfsync", policy).start();
    let progress = Arc::new(Mutex::new(HashMap::new()));
    let mut random = fastrand::Rng::with_seed(7);
    for _ in 0..rounds {
        let stop = Arc::new(AtomicBool::new(false));
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let (client, progress, stop) = (server.client(), progress.clone(), stop.clone());
                thread::spawn(move || write_until_killed(client, writer, &progress, &stop))
            })
            .collect();
        let before = acked(&progress);
        let deadline = Instant::now() + Duration::from_secs(20);
        let wanted = before + random.u64(50..2_000);
        while acked(&progress) < wanted && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(1));
        }
        server.kill();
        stop.store(true, Ordering::Relaxed);
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        assert!(acked(&progress) > before, "nothing was acked in this round, so it proves nothing");
        server.start();
        check(&server, &progress);
    }
    println!("appendfsync {policy}: {rounds} rounds, {} acked transactions", acked(&progress));
}

/// Keys that nobody changes, so that a snapshot takes a while.
const FILLER: u64 = 100_000;

/// Asks for one snapshot after the other, of either kind.
fn take_snapshots_until_killed(mut client: Client, stop: &AtomicBool) {
    let mut turn = 0_u64;
    while !stop.load(Ordering::Relaxed) {
        turn += 1;
        let command = if turn.is_multiple_of(3) { "BGREWRITEAOF" } else { "BGSAVE SCHEDULE" };
        if client.send(&encode(&command.split(' ').collect::<Vec<_>>())).is_err() || client.receive().is_err() {
            return;
        }
        thread::sleep(Duration::from_millis(turn % 40));
    }
}

/// `kill -9` at random moments of snapshots and compaction; now and then the newest snapshot is spoilt besides.
fn kill_while_snapshots_are_taken(policy: &str) {
    let rounds = std::env::var("ACKD_KILL_ROUNDS").map_or(3, |rounds| rounds.parse().unwrap());
    let program = Program::ackd()
        .with("appendfsync", policy)
        .with("log-segment-size", "1mb")
        .with("auto-aof-rewrite-min-size", "2mb");
    let mut server = program.start();
    assert!(!server.client().command(&format!("DEBUG POPULATE {FILLER} filler 20")).is_error());
    let progress = Arc::new(Mutex::new(HashMap::new()));
    let mut random = fastrand::Rng::new();
    let (mut taken, mut under_way, mut spoilt) = (0, 0, 0);
    for round in 0..rounds {
        let stop = Arc::new(AtomicBool::new(false));
        let mut tasks: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let (client, progress, stop) = (server.client(), progress.clone(), stop.clone());
                thread::spawn(move || write_until_killed(client, writer, &progress, &stop))
            })
            .collect();
        let (client, its_stop) = (server.client(), stop.clone());
        tasks.push(thread::spawn(move || take_snapshots_until_killed(client, &its_stop)));
        let before = acked(&progress);
        let until = Instant::now() + Duration::from_millis(random.u64(100..900));
        while acked(&progress) == before || Instant::now() < until {
            thread::sleep(Duration::from_millis(1));
        }
        let mut client = server.client();
        let field = |client: &mut Client, name: &str| {
            let text = client.command("INFO persistence").text().unwrap();
            let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name}:"))).map(str::to_owned);
            line.unwrap().parse::<u64>().unwrap()
        };
        let mut taken_now = || field(&mut client, "rdb_saves") + field(&mut client, "aof_rewrites");
        // Short rounds may all have been over before a snapshot was.
        let deadline = Instant::now() + Duration::from_secs(60);
        while round + 1 == rounds && taken == 0 && taken_now() == 0 && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(1));
        }
        taken += taken_now();
        under_way += u64::from(field(&mut client, "current_save_keys_total") > 0);
        drop(client);
        server.kill();
        stop.store(true, Ordering::Relaxed);
        tasks.into_iter().for_each(|task| task.join().unwrap());
        let manifest = std::fs::read(server.dir().join("ackd-data/MANIFEST")).unwrap();
        let kept = ackd::log::Manifest::parse(&manifest).unwrap().snapshots;
        if round % 4 == 3 && kept.len() > 1 {
            let newest = server.dir().join("ackd-data/snapshots").join(&kept.last().unwrap().file);
            let mut bytes = std::fs::read(&newest).unwrap();
            let at = random.usize(..bytes.len());
            bytes[at] ^= 1 << random.u8(..8);
            std::fs::write(&newest, bytes).unwrap();
            spoilt += 1;
        }
        server.start();
        check(&server, &progress);
        let keys = server.client().command("DBSIZE");
        assert_eq!(keys, Value::Integer((FILLER + 3 * WRITERS as u64) as i64));
        let files = |folder: &str| std::fs::read_dir(server.dir().join("ackd-data").join(folder)).unwrap().count();
        assert!(files("snapshots") <= 3, "{} files in snapshots/", files("snapshots"));
    }
    println!(
        "appendfsync {policy}: {rounds} rounds, {under_way} of them killed during a snapshot, {taken} snapshots, {spoilt} \
         spoilt, {} acked transactions",
        acked(&progress)
    );
    assert!(taken > 0 && under_way > 0, "no snapshot was taken, so it proves nothing");
}

#[test]
fn kill_nine_while_snapshots_are_taken_loses_no_acked_write_with_always() {
    kill_while_snapshots_are_taken("always");
}

#[test]
fn kill_nine_while_snapshots_are_taken_loses_no_acked_write_with_everysec() {
    kill_while_snapshots_are_taken("everysec");
}

fn acked(progress: &Mutex<HashMap<usize, Progress>>) -> u64 {
    progress.lock().unwrap().values().map(|progress| progress.acked).sum()
}

#[test]
fn kill_nine_under_load_loses_no_acked_write_with_always() {
    kill_under_load("always");
}

#[test]
fn kill_nine_under_load_loses_no_acked_write_with_everysec() {
    kill_under_load("everysec");
}

#[test]
fn kill_nine_under_load_loses_no_acked_write_with_no() {
    kill_under_load("no");
}

#[test]
fn a_clean_shutdown_keeps_everything_and_ends_with_zero() {
    let mut server = Program::ackd().start();
    let mut client = server.client();
    for n in 0..100 {
        assert_eq!(client.command(&format!("SET key:{n} {n} PX 100000000")), Value::Simple(b"OK".to_vec()));
    }
    let before = client.command("DEBUG DIGEST");
    server.signal(15);
    assert!(server.wait_for_exit(Duration::from_secs(10)).success(), "{}", server.output());
    server.start();
    assert_eq!(server.client().command("DEBUG DIGEST"), before);
}
