//! `ackd repair`: what can be kept is said exactly, kept only with --yes, and the original is never changed.

#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value as Json;
use support::contents::{Contents, assert_same, read};
use support::population::Population;
use support::process::{Program, Server};
use support::tools::{data, files, flip, info, json, refusal, segment_with, stop, text, tool};

/// All files below, with their content; LOCK aside, in which every visitor writes its name.
fn everything(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut all = Vec::new();
    for path in files(folder) {
        if path.is_dir() {
            all.extend(
                everything(&path)
                    .into_iter()
                    .map(|(p, bytes)| (path.file_name().unwrap().into(), p, bytes))
                    .map(|(folder, p, bytes): (PathBuf, PathBuf, Vec<u8>)| (folder.join(p), bytes)),
            );
        } else if path.file_name().unwrap() != "LOCK" {
            all.push((path.file_name().unwrap().into(), fs::read(&path).unwrap()));
        }
    }
    all
}

/// The exit code of a repair: 3 if something is lost.
fn code_of(done: &Json) -> i32 {
    let is_lossy = done["loses"]["bytes_at_least"] != 0 || done["keeps"]["offset"] == 0;
    if done["repaired"] == true && is_lossy { 3 } else { 0 }
}

/// Repairs a stopped server's directory, which a start must refuse before and take afterwards.
fn repaired(server: &mut Server) -> Json {
    assert!(server.try_start().is_err(), "there is nothing to repair");
    let before = everything(&data(server));
    let (code, plan) = json("repair", &[server.dir()], &[]);
    assert_eq!((code, &plan["to_repair"]), (1, &true.into()), "{plan}");
    let printed = text(&tool("repair", &[server.dir()], &[]).stdout);
    for part in [": a start is refused\n", "would keep", "would lose", "--yes"] {
        assert!(printed.contains(part), "{part} is missing in {printed}");
    }
    assert!(everything(&data(server)) == before, "a plan changes nothing");
    assert_eq!(files(server.dir()).iter().filter(|file| file.is_dir()).count(), 1);
    let (code, done) = json("repair", &[server.dir()], &["--yes"]);
    assert_eq!((code, &done["repaired"]), (code_of(&done), &true.into()), "{done}");
    for same in ["keeps", "loses", "damage"] {
        assert_eq!(plan[same], done[same]);
    }
    let aside = PathBuf::from(done["original"].as_str().unwrap());
    assert!(aside.file_name().unwrap().to_str().unwrap().starts_with("ackd-data.damaged-20"), "{}", aside.display());
    assert!(everything(&aside) == before, "the original is set aside as it was");
    fs::remove_dir_all(aside).unwrap();
    let (code, report) = json("check", &[server.dir()], &[]);
    assert_eq!(code, 0, "{report}");
    let (code, again) = json("repair", &[server.dir()], &["--yes"]);
    assert_eq!((code, &again["to_repair"]), (0, &false.into()), "{again}");
    server.start();
    let mut client = server.client();
    assert!(info(&mut client, "log_executed_offset") >= done["keeps"]["offset"].as_u64().unwrap());
    done
}

/// A stopped server with content in several segments, then `behind`, then `last`; and the content before `behind`.
fn filled(snapshots: usize, kept: &str) -> (Server, Contents) {
    let mut server = Program::ackd().with("snapshots-kept", kept).start();
    let mut client = server.client();
    Population { field_expiries: true, ..Population::new(91, 200) }.fill(&mut client);
    let rounds = if snapshots == 0 { 3 } else { snapshots };
    for round in 0..rounds {
        for n in 0..3 {
            client.call(&[b"SET".to_vec(), format!("large:{round}:{n}").into_bytes(), vec![b'x'; 500_000]]).unwrap();
        }
        if round < snapshots {
            assert_eq!(client.command("SAVE").text().unwrap(), "OK");
        }
    }
    let contents = read(&mut client);
    for name in ["behind", "last"] {
        client.command(&format!("SET {name} 1"));
    }
    stop(&mut server);
    (server, contents)
}

fn segments(server: &Server) -> Vec<PathBuf> {
    files(&data(server).join("log"))
}

#[test]
fn a_flipped_bit_loses_only_what_is_behind_it() {
    for snapshots in [0, 1] {
        let (mut server, contents) = filled(snapshots, "5");
        flip(&segment_with(&server, b"behind"), b"behind");
        let done = repaired(&mut server);
        assert_same(&contents, &read(&mut server.client()), "repaired");
        assert_eq!(done["keeps"]["keys"], contents.len());
        assert_eq!(done["keeps"]["snapshot"].is_null(), snapshots == 0);
        assert_eq!(done["loses"]["readable_commands"], 1, "{done}");
        assert!(done["loses"]["bytes_at_least"].as_u64().unwrap() > 0);
        assert!(done["loses"]["readable_from"]["time"].as_str().unwrap().starts_with("20"));
    }
}

#[test]
fn a_missing_segment_loses_what_follows_unless_a_snapshot_does() {
    let (mut server, _) = filled(0, "5");
    let second = segments(&server)[1].clone();
    fs::remove_file(&second).unwrap();
    let done = repaired(&mut server);
    assert!(done["found"][0].as_str().unwrap().contains("is missing"), "{done}");
    assert!(done["loses"]["readable_frames"].as_u64().unwrap() > 0, "{done}");
    let mut client = server.client();
    assert_eq!(client.command("EXISTS large:0:0 behind last").integer(), Some(1), "{done}");
    let (mut server, _) = filled(2, "5");
    fs::remove_file(&segments(&server)[1]).unwrap();
    let done = repaired(&mut server);
    assert_eq!(server.client().command("EXISTS large:0:0 large:1:2 behind last").integer(), Some(4), "{done}");
    assert_eq!(done["loses"]["bytes_at_least"], 0, "{done}");
}

#[test]
fn without_its_manifest_a_directory_is_put_together_from_its_files() {
    for (snapshots, damaged) in [(0, false), (0, true), (2, true), (2, false)] {
        let (mut server, _) = filled(snapshots, "2");
        let manifest = data(&server).join("MANIFEST");
        match damaged {
            true => drop(flip(&manifest, b"durable")),
            false => fs::remove_file(&manifest).unwrap(),
        }
        let done = repaired(&mut server);
        let mut client = server.client();
        assert_eq!(client.command("EXISTS large:0:0 behind last").integer(), Some(3), "{done}");
        assert_eq!(
            (&done["keeps"]["snapshot"].is_null(), &done["loses"]["bytes_at_least"]),
            (&(snapshots == 0), &0.into())
        );
    }
}

#[test]
fn an_unlisted_snapshot_counts_only_if_it_is_whole() {
    let (mut server, _) = filled(2, "2");
    fs::remove_file(data(&server).join("MANIFEST")).unwrap();
    let [older, newest] = &files(&data(&server).join("snapshots"))[..] else { panic!("two snapshots") };
    flip(newest, b"large:0");
    let done = repaired(&mut server);
    let used = done["keeps"]["snapshot"]["file"].as_str().unwrap();
    assert_eq!(used, older.file_name().unwrap().to_str().unwrap());
    assert_eq!(server.client().command("EXISTS large:1:2 behind last").integer(), Some(3), "{done}");
}

#[test]
fn where_nothing_is_left_that_is_said_and_nothing_kept_only_with_yes() {
    let (mut server, _) = filled(2, "2");
    for file in files(&data(&server).join("snapshots")) {
        flip(&file, b"large:0");
    }
    let printed = text(&tool("repair", &[server.dir()], &[]).stdout);
    assert!(printed.contains("would keep  NOTHING: no data can be read back"), "{printed}");
    assert!(printed.contains("can still be read, behind the damage"), "{printed}");
    let (code, done) = json("repair", &[server.dir()], &["--yes"]);
    assert_eq!((code, &done["keeps"]["offset"], &done["keeps"]["keys"]), (3, &0.into(), &0.into()), "{done}");
    // The copy of the last snapshot that every server leaves for others can be brought in there.
    assert!(server.try_start().unwrap_err().contains("ackd import"));
    let copy = server.dir().join("dump.rdb");
    fs::rename(&copy, server.dir().join("away")).unwrap();
    let why = server.try_start().unwrap_err();
    assert!(why.contains("set aside by a repair") && why.contains("ackd-data.damaged-"), "{why}");
    fs::rename(server.dir().join("away"), &copy).unwrap();
    let imported = tool("import", &[&server.dir().join("dump.rdb"), server.dir()], &[]);
    assert!(imported.status.success(), "{}", text(&imported.stderr));
    server.start();
    assert_eq!(server.client().command("EXISTS large:0:0 large:1:2 behind").integer(), Some(2));
}

#[test]
fn a_damaged_first_frame_costs_nothing_but_its_own_meaning() {
    let (mut server, contents) = filled(0, "5");
    let first = &segments(&server)[0];
    let mut bytes = fs::read(first).unwrap();
    bytes[4096 + 90] ^= 1;
    fs::write(first, bytes).unwrap();
    let done = repaired(&mut server);
    // The next segment's start frame says where this one ends, and what follows is whole.
    assert_eq!(done["keeps"]["keys"], contents.len() + 2, "{done}");
}

#[test]
fn a_sound_directory_and_one_in_use_are_left_alone() {
    let mut server = Program::ackd().start();
    server.client().command("SET key 1");
    for options in [&[][..], &["--yes"]] {
        let said = refusal("repair", &[server.dir()], options);
        assert!(said.contains("in use by ") && said.contains("stop it first"), "{said}");
    }
    stop(&mut server);
    let before = everything(&data(&server));
    for options in [&[][..], &["--yes"]] {
        let output = tool("repair", &[server.dir()], options);
        assert!(output.status.success() && text(&output.stdout).contains("nothing to repair: a start succeeds\n"));
    }
    assert!(everything(&data(&server)) == before);
    assert_eq!(files(server.dir()).iter().filter(|file| file.is_dir()).count(), 1);
}

/// Copies a data directory.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for path in files(from) {
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}

/// Spoils one file in some way; says how.
fn spoil(folder: &Path, rng: &mut fastrand::Rng) -> String {
    let all: Vec<PathBuf> = ["log", "snapshots"].iter().flat_map(|name| files(&folder.join(name))).collect();
    let all = [all, vec![folder.join("MANIFEST")]].concat();
    let file = &all[rng.usize(..all.len())];
    let mut bytes = fs::read(file).unwrap();
    let how = match rng.u8(..8) {
        0 => {
            fs::remove_file(file).unwrap();
            "is removed".to_owned()
        }
        1 => {
            bytes.truncate(rng.usize(..bytes.len()));
            fs::write(file, &bytes).unwrap();
            format!("is cut at {}", bytes.len())
        }
        2 => {
            let other = &all[rng.usize(..all.len())];
            let theirs = fs::read(other).unwrap();
            fs::write(other, &bytes).unwrap();
            fs::write(file, theirs).unwrap();
            format!("is exchanged with {}", other.display())
        }
        _ => {
            let used: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at] != 0).collect();
            let at = used.get(rng.usize(..used.len().max(1))).copied().unwrap_or(0);
            bytes[at] ^= 1 << rng.u8(..8);
            fs::write(file, &bytes).unwrap();
            format!("has a flipped bit in byte {at}")
        }
    };
    format!("{} {how}", file.display())
}

#[test]
fn whatever_is_spoilt_the_verdict_is_that_of_a_start_and_a_repair_leaves_a_beginning_of_the_stream() {
    let mut source = Program::ackd().with("snapshots-kept", "2").start();
    let mut client = source.client();
    for n in 1..=90 {
        let size = if n % 3 == 0 { 60_000 } else { 20 };
        client.call(&[b"SET".to_vec(), format!("n:{n}").into_bytes(), vec![b'v'; size]]).unwrap();
        if n % 30 == 10 {
            assert_eq!(client.command("SAVE").text().unwrap(), "OK");
        }
    }
    stop(&mut source);
    let seed = std::env::var("ACKD_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(7);
    let mut rng = fastrand::Rng::with_seed(seed);
    let rounds = std::env::var("ACKD_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(12);
    for _ in 0..rounds {
        let dir = tempfile::tempdir().unwrap();
        copy(&data(&source), &dir.path().join("ackd-data"));
        let how: Vec<String> = (0..rng.u8(1..3)).map(|_| spoil(&dir.path().join("ackd-data"), &mut rng)).collect();
        let (_, report) = json("check", &[dir.path()], &[]);
        let is_damaged = !report["damage"].is_null();
        assert_eq!(is_damaged, !starts(dir.path()), "{how:?}: {report}");
        let (code, done) = json("repair", &[dir.path()], &["--yes"]);
        assert_eq!((code, &done["repaired"]), (code_of(&done), &is_damaged.into()), "{how:?}: {report} {done}");
        if done["keeps"]["offset"] == 0 {
            continue;
        }
        if is_damaged {
            assert_eq!(json("check", &[dir.path()], &[]).0, 0, "{how:?}: {done}");
        }
        let target = dir.path().join("data.jsonl");
        let exported = tool("export", &[dir.path(), &target], &[]);
        assert!(exported.status.success(), "{how:?}: {}", text(&exported.stderr));
        let exported = fs::read_to_string(target).unwrap();
        let number = |line| serde_json::from_str::<Json>(line).unwrap()["key"].as_str().unwrap()[2..].parse().unwrap();
        let mut numbers: Vec<u64> = exported.lines().map(number).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>(), "{how:?}: {done}");
    }
}

/// Whether a server starts on a copy of the data.
fn starts(dir: &Path) -> bool {
    Program::ackd().try_start_with(|own| copy(&dir.join("ackd-data"), &own.join("ackd-data"))).is_ok()
}
