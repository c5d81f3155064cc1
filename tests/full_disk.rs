//! A full disk: clear errors, reads go on, writes resume by themselves, and a server starts and serves what it has.
//!
//! The disk is a small tmpfs in a mount namespace of its own, which needs no root where the system lets users make
//! namespaces. `ACKD_BIG_MB` (default 24) is the size of the largest SET; the transaction is twice as large.

#![allow(clippy::unwrap_used)]

mod support;

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use support::client::{Client, encode};
use support::process::{Program, Server};
use support::reply::Value;

const DISK: &str = "16m";
const FILLER: usize = 8 << 20;

/// ackd with its data on a small tmpfs; `None`, with the reason printed, where such cannot be mounted.
fn on_a_small_disk(scripts: &tempfile::TempDir, size: &str) -> Option<Program> {
    let can_mount = Command::new("unshare").args(["-rm", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]).output();
    if !can_mount.is_ok_and(|output| output.status.success()) {
        println!("SKIPPED: this system does not let users mount a tmpfs in a namespace of their own");
        return None;
    }
    let ackd = Program::ackd();
    let script = scripts.path().join("ackd-on-a-small-disk");
    let text = format!(
        "#!/bin/sh\nmkdir -p data\nexec unshare -rm sh -c 'mount -t tmpfs -o size={size} tmpfs data && \
         head -c {FILLER} /dev/zero > data/filler && exec {} \"$@\"' sh \"$@\"\n",
        ackd.path.display()
    );
    std::fs::write(&script, text).unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    Some(Program { path: script, ..ackd }.with("dir", "data").with("appendfsync", "always"))
}

/// The server's data directory, seen through its mount namespace.
fn inside(server: &Server, name: &str) -> PathBuf {
    let dir = server.dir().canonicalize().unwrap();
    PathBuf::from(format!("/proc/{}/root{}/data/{name}", server.pid(), dir.display()))
}

fn is_misconf(value: &Value) -> bool {
    matches!(value, Value::Error(text) if text.starts_with(b"MISCONF Errors writing to the AOF file: "))
}

fn set(client: &mut Client, key: &str, len: usize) -> Value {
    client.call(&["SET", key, &"v".repeat(len)]).unwrap().value
}

fn ok() -> Value {
    Value::Simple(b"OK".to_vec())
}

/// Writes until the disk is full; answers the keys that were acked.
fn fill(client: &mut Client) -> usize {
    for n in 0.. {
        let reply = set(client, &format!("key:{n}"), 50_000);
        if is_misconf(&reply) {
            return n;
        }
        assert_eq!(reply, ok());
        assert!(n < 10_000, "the disk does not fill up");
    }
    unreachable!("the loop ends by return")
}

#[test]
fn a_full_disk_refuses_writes_keeps_reads_alive_and_recovers_by_itself() {
    let scripts = tempfile::tempdir().unwrap();
    let Some(program) = on_a_small_disk(&scripts, DISK) else { return };
    let server = program.start();
    let mut client = server.client();
    let acked = fill(&mut client);
    assert!(acked > 10, "only {acked} writes fitted");

    let digest = client.command("DEBUG DIGEST");
    let big = std::env::var("ACKD_BIG_MB").map_or(24, |mb| mb.parse::<usize>().unwrap()) << 20;
    client.set_timeout(Duration::from_secs(120)).unwrap();
    assert!(is_misconf(&set(&mut client, "big", big)), "a SET larger than the disk");
    let half = "v".repeat(big);
    let words: [&[&str]; 4] = [&["MULTI"], &["SET", "a", &half], &["SET", "b", &half], &["EXEC"]];
    let replies: Vec<Value> = words
        .iter()
        .map(|words| {
            client.send(&encode(words)).unwrap();
            client.receive().unwrap().value
        })
        .collect();
    assert_eq!(replies[0], ok());
    assert!(
        matches!(&replies[3], Value::Error(text) if text.starts_with(b"EXECABORT") || is_misconf(&replies[3])),
        "{:?}",
        replies[3]
    );
    assert_eq!(client.command("DEBUG DIGEST"), digest, "what was refused changed nothing");
    assert_eq!(client.command("STRLEN key:0"), Value::Integer(50_000));
    assert!(client.command("INFO persistence").text().unwrap().contains("aof_enabled"));

    let refused = client.command("CONFIG SET appendfsync everysec");
    assert!(refused.is_error(), "a policy that needs a segment: {refused:?}");
    assert_eq!(client.command("CONFIG GET appendfsync").elements().unwrap()[1].text().unwrap(), "always");
    assert_eq!(client.command("PING").text().unwrap(), "PONG");

    std::fs::remove_file(inside(&server, "filler")).unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    while set(&mut client, "again", 50_000) != ok() {
        assert!(Instant::now() < deadline, "writes did not resume: {}", server.output());
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_server_starts_on_a_full_disk_and_serves_reads() {
    let scripts = tempfile::tempdir().unwrap();
    let Some(mut program) = on_a_small_disk(&scripts, DISK) else { return };
    // The tmpfs goes with its server, so the data of the first are carried to the second, and the rest is filled.
    let saved = scripts.path().join("saved");
    let (acked, digest) = {
        let mut server = program.start();
        let mut client = server.client();
        let acked = fill(&mut client);
        let digest = client.command("DEBUG DIGEST");
        let source = inside(&server, "ackd-data");
        server.signal(libc::SIGSTOP);
        assert!(Command::new("cp").arg("-r").arg(source).arg(&saved).status().unwrap().success());
        server.kill();
        (acked, digest)
    };
    let text = std::fs::read_to_string(&program.path).unwrap();
    let fill_up = format!("cp -r {} data/ackd-data && (cat /dev/zero > data/filler; true)", saved.display());
    std::fs::write(&program.path, text.replace(&format!("head -c {FILLER} /dev/zero > data/filler"), &fill_up))
        .unwrap();
    program = program.with("appendfsync", "always");
    let server = program.start();
    let mut client = server.client();
    assert_eq!(client.command("DEBUG DIGEST"), digest);
    assert_eq!(client.command("DBSIZE"), Value::Integer(acked as i64));
    assert!(is_misconf(&set(&mut client, "more", 50_000)), "{}", server.output());
    assert_eq!(client.command("STRLEN key:0"), Value::Integer(50_000));
}

#[test]
fn a_snapshot_that_finds_no_room_fails_and_harms_nothing() {
    let scripts = tempfile::tempdir().unwrap();
    let Some(program) = on_a_small_disk(&scripts, "64m") else { return };
    // Values that do not shrink, and a snapshot of every one of them.
    let server = program.with("rdbcompression", "no").with("save", "\"\"").start();
    let mut client = server.client();
    for n in 0..60 {
        assert_eq!(set(&mut client, &format!("key:{n}"), 50_000), ok());
    }
    let field = |client: &mut Client, name: &str| {
        let info = client.command("INFO persistence").text().unwrap().to_owned();
        info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap_or_default().to_owned()
    };
    let saved = |client: &mut Client| {
        let deadline = Instant::now() + Duration::from_secs(30);
        while field(client, "rdb_bgsave_in_progress") != "0" {
            assert!(Instant::now() < deadline, "it does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
        field(client, "rdb_last_bgsave_status")
    };
    let files = || -> Vec<String> {
        let listed = std::fs::read_dir(inside(&server, "ackd-data/snapshots")).unwrap();
        listed.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    };
    // All but two megabytes of the disk, for a snapshot of three.
    let path = inside(&server, "ballast");
    let mut ballast = std::fs::File::create(&path).unwrap();
    let free = || rustix::fs::statvfs(&path).map(|disk| disk.f_bavail * disk.f_frsize).unwrap();
    while free() > 2 << 20 {
        ballast.write_all(&[1; 64 << 10]).unwrap();
    }
    let digest = client.command("DEBUG DIGEST");
    let before = files();
    assert!(!client.command("BGSAVE").is_error());
    assert_eq!(saved(&mut client), "err", "{}", server.output());
    assert!(server.output().contains("No space left on device"), "{}", server.output());
    assert_eq!(files(), before, "what there was of it is gone");
    assert!(client.command("SAVE").is_error());
    assert_eq!(set(&mut client, "small", 10), ok(), "writes go on");
    assert_eq!(client.command("DEL small"), Value::Integer(1));
    assert_eq!(client.command("DEBUG DIGEST"), digest);
    std::fs::remove_file(&path).unwrap();
    drop(ballast);
    assert_eq!(client.command("SAVE"), ok(), "{}", server.output());
    assert_eq!(saved(&mut client), "ok");
    assert_eq!(files().len(), before.len() + 1);
    assert_eq!(client.command("DEBUG RELOAD"), ok());
    assert_eq!(client.command("DEBUG DIGEST"), digest);
}
