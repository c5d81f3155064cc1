//! `ackd check` where there are snapshots: what a start needs decides, and what it does not need is a loud warning.

#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::path::PathBuf;

use support::process::{Program, Server};
use support::tools::{data, files, flip, json, segment_with, stop, text, tool};

const LOUD: &str = ": a start would succeed, but there is DAMAGE that it does without\n";

/// A stopped server with a log from the beginning and two snapshots; the last key stands behind both.
fn with_snapshots() -> Server {
    let mut server = Program::ackd().with("snapshots-kept", "3").start();
    let mut client = server.client();
    for round in 0..2 {
        for n in 0..4 {
            client.call(&[b"SET".to_vec(), format!("large:{round}:{n}").into_bytes(), vec![b'x'; 500_000]]).unwrap();
        }
        client.command(&format!("RPUSH list:{round} a b c"));
        assert_eq!(client.command("SAVE").text().unwrap(), "OK");
    }
    client.command("SET behind 1");
    client.command("SET last 1");
    stop(&mut server);
    server
}

fn snapshots(server: &Server) -> Vec<PathBuf> {
    files(&data(server).join("snapshots"))
}

/// The report; whether a start succeeds must be what it says.
fn checked(server: &mut Server, a_start_succeeds: bool) -> serde_json::Value {
    let (code, report) = json("check", &[server.dir()], &[]);
    assert_eq!(report["sound"], code == 0);
    assert_eq!(report["damage"].is_null(), a_start_succeeds, "{report}");
    let printed = text(&tool("check", &[server.dir()], &[]).stdout);
    let verdict = match (code, a_start_succeeds) {
        (0, _) => ": sound\n",
        (_, true) => LOUD,
        (_, false) => ": DAMAGED\n",
    };
    assert!(printed.contains(verdict), "{printed}");
    match server.try_start() {
        Ok(()) => {
            assert!(a_start_succeeds, "{report}");
            assert_eq!(server.client().command("GET behind").text().unwrap(), "1");
            assert_eq!(server.client().command("LRANGE list:0 0 -1").elements().unwrap().len(), 3);
        }
        Err(why) => assert!(!a_start_succeeds, "{report} {why}"),
    }
    report
}

#[test]
fn sound_snapshots_are_named_with_what_is_kept() {
    let mut server = with_snapshots();
    let (code, report) = json("check", &[server.dir()], &[]);
    assert_eq!(code, 0, "{report}");
    let snapshots = report["snapshots"].as_array().unwrap();
    assert_eq!((&snapshots[0]["used_by_a_start"], &snapshots[1]["used_by_a_start"]), (&false.into(), &true.into()));
    assert!(snapshots[1]["fault"].is_null());
    let kept = &report["kept"];
    assert_eq!((&kept["oldest_offset"], &kept["newest_offset"]), (&0.into(), &report["end_offset"]));
    assert!(kept["oldest_time"].as_str().unwrap() < kept["newest_time"].as_str().unwrap());
    let printed = text(&tool("check", &[server.dir()], &[]).stdout);
    for part in [": sound\n", ", a start begins here\n", "  kept       offset 0 (20", "MB/s"] {
        assert!(printed.contains(part), "{part} is missing in {printed}");
    }
    checked(&mut server, true);
    assert_eq!(json("check", &[server.dir()], &[]).0, 0, "also beside the running server");
}

#[test]
fn damage_before_the_snapshot_in_use_is_a_warning_and_behind_it_the_verdict() {
    let mut server = with_snapshots();
    let old = segment_with(&server, b"large:0:1");
    let new = segment_with(&server, b"behind");
    assert_ne!(old, new);
    flip(&old, b"large:0:1");
    let report = checked(&mut server, true);
    let warning = report["warnings"][0].as_str().unwrap();
    assert!(warning.contains(&old.display().to_string()) && warning.contains("at byte "), "{report}");
    assert_eq!(report["warnings"].as_array().unwrap().len(), 1);
    // Two ranges of states: up to the damage, and from the snapshot behind it.
    let first = &report["snapshots"][0]["offset"];
    let before = &report["kept_before_damage"];
    assert_eq!((&report["kept"]["oldest_offset"], before.as_array().unwrap().len()), (first, 1), "{report}");
    let (from, to) = (&before[0]["oldest_offset"], before[0]["newest_offset"].as_u64().unwrap());
    assert!(*from == 0 && to > 500_000 && to < first.as_u64().unwrap(), "{report}");
    stop(&mut server);
    let printed = text(&tool("check", &[server.dir()], &[]).stdout);
    assert!(
        printed.contains(&format!("  kept       offset {first} (")) && printed.contains("before damage\n"),
        "{printed}"
    );
    // What is kept is what can be restored, and to repair loses none of it.
    for (point, is_kept) in [(to, true), (to + 1, false), (first.as_u64().unwrap(), true)] {
        let target = tempfile::tempdir().unwrap();
        let restored = tool("restore", &[server.dir(), target.path()], &["--to-offset", &point.to_string()]);
        assert_eq!(restored.status.success(), is_kept, "{point}: {}", text(&restored.stderr));
        assert!(!text(&restored.stdout).contains("ackd repair") && !text(&restored.stderr).contains("ackd repair"));
    }
    let shown = tool("log", &[server.dir()], &[]);
    assert!(shown.status.code() == Some(1) && !text(&shown.stderr).contains("would keep"), "{}", text(&shown.stderr));
    flip(&new, b"behind");
    let report = checked(&mut server, false);
    assert_eq!(report["damage"]["file"], new.display().to_string(), "{report}");
    assert!(report["damage"]["repair_keeps_offset"].as_u64().unwrap() > 0, "{report}");
}

#[test]
fn a_bad_snapshot_is_a_warning_while_an_older_one_or_the_log_can_be_used() {
    let mut server = with_snapshots();
    let [older, newest] = &snapshots(&server)[..] else { panic!("two snapshots") };
    let (older, newest) = (older.clone(), newest.clone());
    for file in [&older, &newest] {
        let sound = fs::read(file).unwrap();
        flip(file, b"list:0");
        let report = checked(&mut server, true);
        let warning = report["warnings"][0].as_str().unwrap();
        assert!(warning.contains(&file.display().to_string()) && warning.contains("checksum"), "{report}");
        stop(&mut server);
        fs::write(file, &sound[..sound.len() - 1]).unwrap();
        let report = checked(&mut server, true);
        assert!(report["warnings"][0].as_str().unwrap().contains("bytes long"), "{report}");
        stop(&mut server);
        fs::write(file, sound).unwrap();
    }
    flip(&older, b"list:0");
    flip(&newest, b"list:0");
    let report = checked(&mut server, true);
    assert_eq!(report["warnings"].as_array().unwrap().len(), 2);
}

#[test]
fn bad_snapshots_and_a_log_that_was_cut_short_refuse_a_start() {
    let mut server = with_snapshots();
    server.start();
    let mut client = server.client();
    client.call(&[b"SET".to_vec(), b"large".to_vec(), vec![b'x'; 700_000]]).unwrap();
    assert_eq!(client.command("SAVE").text().unwrap(), "OK");
    stop(&mut server);
    let (code, report) = json("check", &[server.dir()], &[]);
    assert_eq!(code, 0, "{report}");
    assert!(report["kept"]["oldest_offset"].as_u64().unwrap() > 0, "{report}");
    for file in snapshots(&server) {
        flip(&file, b"list:0");
    }
    let report = checked(&mut server, false);
    assert!(report["damage"]["cause"].as_str().unwrap().contains("none older can"), "{report}");
    assert!(report["kept"].is_null());
}

#[test]
fn a_snapshot_that_matches_its_checksum_and_cannot_be_loaded_is_found() {
    let mut server = with_snapshots();
    let newest = snapshots(&server).pop().unwrap();
    // Another value of a type byte, and a MANIFEST that vouches for it.
    let mut content = fs::read(&newest).unwrap();
    let old = crc32fast::hash(&content);
    let at = content.windows(6).position(|window| window == b"list:0").unwrap();
    content[at - 2] = 0xee;
    fs::write(&newest, &content).unwrap();
    let path = data(&server).join("MANIFEST");
    let manifest = fs::read_to_string(&path).unwrap();
    let manifest = manifest.replace(&format!("{old:08x}"), &format!("{:08x}", crc32fast::hash(&content)));
    let body = &manifest[..manifest.rfind("checksum ").unwrap()];
    fs::write(&path, format!("{body}checksum {:08x}\n", crc32fast::hash(body.as_bytes()))).unwrap();
    let report = checked(&mut server, true);
    let fault = report["snapshots"][1]["fault"].as_str().unwrap();
    assert!(fault.contains("cannot be loaded") && fault.contains("byte"), "{fault}");
}
