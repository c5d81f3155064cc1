//! `ackd backup`: a verified copy, also of a server that is being written to.

#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use support::client::Client;
use support::contents::{assert_same, read};
use support::population::Population;
use support::process::{Program, Server};
use support::tools::{data, files, flip, info, json, refusal, segment_with, stop, text, tool};

/// A server on a backup of `source`, and what the tool says.
fn backup(source: &Path) -> (Server, serde_json::Value) {
    let mut summary = serde_json::Value::Null;
    let server = Program::ackd().start_with(|dir| {
        let (code, said) = json("backup", &[source, dir], &[]);
        assert_eq!(code, 0, "{said}");
        let (code, report) = json("check", &[dir], &[]);
        assert_eq!(code, 0, "{report}");
        assert!(report["torn_tail"].is_null() && report["in_use"].is_null(), "{report}");
        assert_eq!((&report["end_offset"], &report["durable_offset"]), (&said["offset"], &said["offset"]));
        summary = said;
    });
    (server, summary)
}

/// Writes a number after the other until told to stop; answers the last one that was acked.
fn write_on(client: &mut Client, acked: &AtomicU64, is_over: &AtomicBool) {
    for n in 1.. {
        if is_over.load(Ordering::SeqCst) {
            return;
        }
        let size = if n % 16 == 0 { 100_000 } else { 200 };
        let pair = [b"SET".to_vec(), format!("n:{n}").into_bytes(), vec![b'v'; size]];
        assert!(!client.call(&pair).unwrap().value.is_error());
        acked.store(n, Ordering::SeqCst);
    }
}

/// The numbers that are there must be 1 to some last one, which is answered.
fn prefix(client: &mut Client) -> u64 {
    let count = client.command("DBSIZE").integer().unwrap() as u64;
    let all: Vec<String> = std::iter::once("EXISTS".into()).chain((1..=count).map(|n| format!("n:{n}"))).collect();
    let found = if count == 0 { Some(0) } else { client.call(&all).unwrap().value.integer() };
    assert_eq!(found, Some(count as i64), "a number among the first {count} is missing");
    count
}

#[test]
fn beside_a_writer_it_holds_all_that_was_acked_before_and_a_prefix_of_the_rest() {
    for policy in ["always", "everysec"] {
        let server = Program::ackd().with("appendfsync", policy).start();
        let (acked, is_over) = (AtomicU64::new(0), AtomicBool::new(false));
        let mut writer = server.client();
        thread::scope(|scope| {
            scope.spawn(|| write_on(&mut writer, &acked, &is_over));
            let mut control = server.client();
            for round in 0..6 {
                let before = acked.load(Ordering::SeqCst);
                let (copy, summary) = backup(server.dir());
                let found = prefix(&mut copy.client());
                let after = acked.load(Ordering::SeqCst);
                assert!(found >= before && found <= after + 1, "{before} {found} {after}: {summary}");
                assert_eq!(summary["snapshot"].is_null(), round == 0, "{summary}");
                // The next rounds begin at a snapshot, and soon segments go and are used again.
                assert_eq!(control.command("SAVE").text().unwrap(), "OK");
            }
            is_over.store(true, Ordering::SeqCst);
        });
    }
}

#[test]
fn snapshots_come_and_go_while_it_copies() {
    let server = Program::ackd().with("snapshots-kept", "1").start();
    let (acked, is_over) = (AtomicU64::new(0), AtomicBool::new(false));
    let (mut writer, mut saver) = (server.client(), server.client());
    thread::scope(|scope| {
        scope.spawn(|| write_on(&mut writer, &acked, &is_over));
        scope.spawn(|| {
            while !is_over.load(Ordering::SeqCst) {
                saver.command("SAVE");
            }
        });
        for _ in 0..8 {
            let before = acked.load(Ordering::SeqCst);
            let (copy, summary) = backup(server.dir());
            assert!(prefix(&mut copy.client()) >= before, "{summary}");
        }
        is_over.store(true, Ordering::SeqCst);
    });
}

#[test]
fn an_idle_a_killed_and_a_stopped_server_are_copied_whole_and_left_as_they_are() {
    let mut server = Program::ackd().start();
    let mut client = server.client();
    Population::new(81, 300).fill(&mut client);
    assert_eq!(client.command("SAVE").text().unwrap(), "OK");
    client.command("SET behind 1");
    let contents = read(&mut client);
    let end = info(&mut client, "log_executed_offset");
    let check = |server: &Server, how: &str| {
        let (copy, summary) = backup(server.dir());
        assert_same(&contents, &read(&mut copy.client()), how);
        assert_eq!((&summary["offset"], &summary["snapshot"]["linked"]), (&end.into(), &true.into()), "{summary}");
        let [ours] = &files(&data(&copy).join("snapshots"))[..] else { panic!("one snapshot") };
        let theirs = data(server).join("snapshots").join(ours.file_name().unwrap());
        assert_eq!(fs::metadata(ours).unwrap().ino(), fs::metadata(theirs).unwrap().ino());
        for segment in files(&data(&copy).join("log")).into_iter().chain(files(&data(server).join("log"))) {
            assert_eq!(fs::metadata(&segment).unwrap().nlink(), 1, "segments are never linked");
        }
        // It is another copy, and goes its own way.
        let manifest = |server: &Server| fs::read_to_string(data(server).join("MANIFEST")).unwrap();
        let line = |text: &str, word: &str| text.lines().rfind(|l| l.starts_with(word)).unwrap().to_owned();
        assert_ne!(line(&manifest(server), "node"), line(&manifest(&copy), "node"));
        assert_ne!(line(&manifest(server), "history"), line(&manifest(&copy), "history"));
        let first = |server: &Server| manifest(server).lines().find(|l| l.starts_with("history")).unwrap().to_owned();
        assert_eq!(first(server), first(&copy));
    };
    check(&server, "idle");
    server.kill();
    check(&server, "killed");
    server.start();
    stop(&mut server);
    let before: Vec<_> = files(&data(&server).join("log")).into_iter().map(|file| fs::read(file).unwrap()).collect();
    check(&server, "stopped");
    let after: Vec<_> = files(&data(&server).join("log")).into_iter().map(|file| fs::read(file).unwrap()).collect();
    assert!(before == after, "the source was changed");
    let dir = tempfile::tempdir().unwrap();
    let said = text(&tool("backup", &[server.dir(), dir.path()], &[]).stdout);
    for part in ["and verified\n", &format!("up to offset {end} ("), ", linked\n", "MB/s"] {
        assert!(said.contains(part), "{part} is missing in {said}");
    }
    // A backup of a backup, and onto another file system if there is one.
    let again = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    let (code, summary) = json("backup", &[dir.path(), again.path()], &[]);
    assert_eq!((code, &summary["offset"]), (0, &end.into()), "{summary}");
}

#[test]
fn damage_that_is_copied_is_told_by_the_names_of_the_source() {
    let mut server = Program::ackd().start();
    for line in ["SET old 1", "SAVE", "SET new 1"] {
        assert!(!server.client().command(line).is_error(), "{line}");
    }
    stop(&mut server);
    let segment = segment_with(&server, b"old");
    flip(&segment, b"old");
    let dir = tempfile::tempdir().unwrap();
    let (code, summary) = json("backup", &[server.dir(), dir.path()], &[]);
    let warning = summary["warnings"][0].as_str().unwrap();
    assert!(code == 3 && warning.starts_with(&segment.display().to_string()), "{summary}");
}

#[test]
fn damage_is_not_copied_unless_no_start_would_meet_it() {
    let mut server = Program::ackd().with("snapshots-kept", "3").start();
    let mut client = server.client();
    for n in 0..4 {
        client.call(&[b"SET".to_vec(), format!("large:{n}").into_bytes(), vec![b'x'; 500_000]]).unwrap();
    }
    for n in 0..2 {
        client.command(&format!("SET near:{n} 1"));
        assert_eq!(client.command("SAVE").text().unwrap(), "OK");
    }
    client.command("SET behind 1");
    client.command("SET last 1");
    stop(&mut server);
    // In the segment at which a start begins, before that place, where no state that the copy holds needs it.
    let near = segment_with(&server, b"near:1");
    let sound = fs::read(&near).unwrap();
    flip(&near, b"near:1");
    let dir = tempfile::tempdir().unwrap();
    let (code, summary) = json("backup", &[server.dir(), dir.path()], &[]);
    assert!(code == 0 && summary["warnings"].as_array().unwrap().is_empty(), "{summary}");
    fs::write(&near, sound).unwrap();
    flip(&segment_with(&server, b"large:0"), b"large:0");
    let (copy, _) = backup(server.dir());
    assert_eq!(copy.client().command("DBSIZE").integer(), Some(8));
    // With the newest snapshot gone, the one before is used.
    let newest = files(&data(&server).join("snapshots")).pop().unwrap();
    flip(&newest, b"large:0");
    let (copy, summary) = backup(server.dir());
    assert_eq!(copy.client().command("GET behind").text().unwrap(), "1");
    assert_eq!(summary["unusable_snapshots"].as_array().unwrap().len(), 1, "{summary}");
    flip(&segment_with(&server, b"behind"), b"behind");
    let dir = tempfile::tempdir().unwrap();
    let said = refusal("backup", &[server.dir(), dir.path()], &[]);
    assert!(said.contains(".seg at byte ") && said.contains("ackd repair"), "{said}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    let said = refusal("backup", &[server.dir(), server.dir()], &[]);
    assert!(said.contains("is not empty"), "{said}");
}
