//! A full disk: clear errors, reads go on, writes resume by themselves, and a server starts and serves what it has.
//!
//! The disk is a small tmpfs in a mount namespace of its own, which needs no root where the system lets users make
//! namespaces. `ACKD_BIG_MB` (default 24) is the size of the largest SET; the transaction is twice as large.

#![allow(clippy::unwrap_used)]

mod support;

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
fn on_a_small_disk(scripts: &tempfile::TempDir) -> Option<Program> {
    let can_mount = Command::new("unshare").args(["-rm", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]).output();
    if !can_mount.is_ok_and(|output| output.status.success()) {
        println!("SKIPPED: this system does not let users mount a tmpfs in a namespace of their own");
        return None;
    }
    let ackd = Program::ackd();
    let script = scripts.path().join("ackd-on-a-small-disk");
    let text = format!(
        "#!/bin/sh\nmkdir -p data\nexec unshare -rm sh -c 'mount -t tmpfs -o size={DISK} tmpfs data && \
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
    let Some(program) = on_a_small_disk(&scripts) else { return };
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
    let Some(mut program) = on_a_small_disk(&scripts) else { return };
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
