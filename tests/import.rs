//! `ackd import`: what other servers wrote, sound and damaged.

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use ackd::rdb;
use support::contents::{Contents, assert_same, read};
use support::fixtures::{AOF_DIRECTORY, DAMAGED_AOF, Rdb, SOUND_AOF, assemble_aof, expected_of_aof};
use support::oracle::Oracle;
use support::population::{Population, Thresholds};
use support::process::{Program, Server};
use tempfile::TempDir;

fn import(source: &Path, target: &Path, options: &[&str]) -> Output {
    let mut command = Command::new(Program::ackd().path);
    command.arg("import").args(options).arg(source).arg(target).output().expect("run ackd import")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A server on what was imported.
fn start_on(source: &Path, options: &[&str]) -> Result<Server, String> {
    Program::ackd().try_start_with(|dir| {
        let output = import(source, dir, options);
        assert!(output.status.code() != Some(1), "{}", text(&output.stderr));
    })
}

/// Functions are left out.
fn without_functions(contents: &Contents) -> Contents {
    Contents { functions: Default::default(), ..contents.clone() }
}

fn assembled(name: &str) -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let path = dir.path().join(AOF_DIRECTORY);
    assemble_aof(name, &path);
    (dir, path)
}

#[test]
fn every_rdb_file_is_imported_with_what_it_holds() {
    for rdb in Rdb::all() {
        let Some(expected) = &rdb.expected else { continue };
        let server = start_on(&rdb.path, &["--skip-functions"]).unwrap_or_else(|why| panic!("{}: {why}", rdb.name));
        let found = read(&mut server.client()).without_delivery_times();
        assert_same(&without_functions(expected), &found, &rdb.name);
    }
}

#[test]
fn what_only_modules_understand_is_refused_by_name_or_left_out() {
    for rdb in Rdb::all().into_iter().filter(|rdb| rdb.expected.is_none()) {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let refused = import(&rdb.path, dir.path(), &[]);
        assert_eq!(refused.status.code(), Some(1), "{}", rdb.name);
        assert!(text(&refused.stderr).contains("data of the module"), "{}", text(&refused.stderr));
        assert_eq!(fs::read_dir(dir.path()).expect("read it").count(), 0, "nothing is left of {}", rdb.name);
        let skipped = import(&rdb.path, dir.path(), &["--skip-modules"]);
        assert_eq!(skipped.status.code(), Some(0), "{}: {}", rdb.name, text(&skipped.stderr));
        assert!(text(&skipped.stdout).contains("values of modules"), "{}", text(&skipped.stdout));
    }
}

/// The code of the libraries in an RDB file.
fn libraries(path: &Path) -> Vec<Vec<u8>> {
    let mut reader = ackd::rdb::Reader::new(fs::File::open(path).expect("open it")).expect("an RDB file");
    let mut found = Vec::new();
    loop {
        match reader.next().expect("a sound file") {
            ackd::rdb::Event::Function(code) => found.push(code.to_vec()),
            ackd::rdb::Event::End { .. } => return found,
            _ => {}
        }
    }
}

#[test]
fn functions_are_carried_through_import_snapshot_restart_and_export() {
    let rdb = Rdb::all().into_iter().find(|rdb| rdb.name == "redis-7.0.15-all-types").expect("it is there");
    let expected = libraries(&rdb.path);
    assert!(!expected.is_empty());
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut server = start_on(&rdb.path, &[]).expect("what was imported is sound");
    let mut client = server.client();
    client.command("SET one more");
    assert_eq!(client.command("SAVE").text().as_deref(), Some("OK"));
    drop(client);
    server.kill();
    server.start();
    assert_eq!(libraries(&server.dir().join("dump.rdb")), expected);
    let target = dir.path().join("exported.rdb");
    let exported = Command::new(env!("CARGO_BIN_EXE_ackd")).arg("export").args([server.dir(), &target]).output();
    let exported = exported.expect("ackd runs");
    assert!(exported.status.success(), "{}", text(&exported.stderr));
    assert_eq!(libraries(&target), expected);
    for (version, works) in [("9", false), ("10", true)] {
        let target = dir.path().join(format!("exported-{version}.rdb"));
        let command = Command::new(env!("CARGO_BIN_EXE_ackd"))
            .args(["export", "--rdb-version", version])
            .args([server.dir(), &target])
            .output();
        assert_eq!(command.expect("ackd runs").status.success(), works, "{version}");
        assert_eq!(target.exists(), works);
    }
    for (name, options, skipped, left) in [
        ("9.rdb", &["--rdb-version", "9", "--skip-functions"][..], 1, 0),
        ("11.rdb", &["--skip-functions"], 1, 0),
        ("chosen.rdb", &["--match", "no such key"], 0, 1),
        ("lines.jsonl", &[], 1, 0),
    ] {
        let target = dir.path().join(name);
        let mut export = Command::new(env!("CARGO_BIN_EXE_ackd"));
        let output = export.args(["export", "--json"]).args(options).args([server.dir(), &target]).output();
        let output = output.expect("ackd runs");
        assert!(output.status.success(), "{name}: {}", text(&output.stderr));
        let summary: serde_json::Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
        assert_eq!(summary["skipped_functions"], skipped, "{name}: {summary}");
        if name.ends_with("rdb") {
            assert_eq!(libraries(&target).len(), left, "{name}");
        }
    }
    // Once they are flushed they do not come back.
    assert_eq!(server.client().command("FUNCTION FLUSH").text().as_deref(), Some("OK"));
    server.kill();
    server.start();
    assert_eq!(server.client().command("SAVE").text().as_deref(), Some("OK"));
    assert_eq!(libraries(&server.dir().join("dump.rdb")), Vec::<Vec<u8>>::new());
}

#[test]
fn sound_append_only_directories_are_imported() {
    for name in SOUND_AOF {
        let (_dir, path) = assembled(name);
        let server = start_on(&path, &["--skip-functions"]).expect("a sound append-only directory");
        let expected = expected_of_aof(name).expect("what a sound directory holds");
        assert_same(&without_functions(&expected), &read(&mut server.client()).without_delivery_times(), name);
    }
}

#[test]
fn a_part_of_an_append_only_directory_is_not_taken_for_the_whole() {
    let (dir, path) = assembled("base-and-incr");
    let hint = format!("import {}", path.display());
    for (number, entry) in fs::read_dir(&path).expect("read it").flatten().enumerate() {
        let target = dir.path().join(number.to_string());
        let output = import(&entry.path(), &target, &["--skip-functions"]);
        let is_manifest = entry.path().extension().is_some_and(|extension| extension == "manifest");
        assert_eq!(output.status.code(), Some(i32::from(is_manifest)), "{entry:?}");
        assert!(text(&output.stderr).contains(&hint), "{entry:?}: {}", text(&output.stderr));
    }
    let output = import(&path, &dir.path().join("whole"), &["--skip-functions"]);
    assert!(output.status.success() && output.stderr.is_empty(), "{}", text(&output.stderr));
}

#[test]
fn an_append_only_directory_is_what_its_manifest_says_as_redis_reads_it() {
    let (dir, path) = assembled("base-and-incr");
    let manifest = path.join("appendonly.aof.manifest");
    let sound = fs::read_to_string(&manifest).expect("read it");
    fs::write(path.join("appendonly.aof.7.incr.aof"), "").expect("write it");
    fs::write(path.join("temp-rewriteaof-12.aof"), "").expect("write it");
    let output = import(&path, &dir.path().join("warned"), &["--skip-functions"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let warning = text(&output.stderr);
    assert!(warning.contains("left out of") && warning.contains(": appendonly.aof.7.incr.aof, which"), "{warning}");
    let lines = sound.lines().count();
    for (numbers, bad) in [([7, 7], 2), ([9, 8], 2), ([0, 7], 1)] {
        let more = numbers.map(|number| format!("file appendonly.aof.7.incr.aof seq {number} type i\n")).concat();
        fs::write(&manifest, format!("{sound}{more}")).expect("write it");
        let refused = import(&path, &dir.path().join("refused"), &["--skip-functions"]);
        assert_eq!(refused.status.code(), Some(1));
        let why = format!("appendonly.aof.manifest: line {}: the sequence number", lines + bad);
        assert!(text(&refused.stderr).contains(&why), "{}", text(&refused.stderr));
    }
}

#[test]
fn a_refused_import_leaves_no_folder_that_it_made() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let (cut, target) = (dir.path().join("cut.rdb"), dir.path().join("a/b"));
    fs::write(&cut, b"REDIS0011\xfa\x09redis-ver").expect("write it");
    assert_eq!(import(&cut, &target, &[]).status.code(), Some(1));
    assert!(!dir.path().join("a").exists());
    fs::create_dir(dir.path().join("a")).expect("make it");
    assert_eq!(import(&cut, &target, &[]).status.code(), Some(1));
    assert!(dir.path().join("a").exists() && !target.exists(), "what was there stays");
}

#[test]
fn a_checksum_that_does_not_match_says_that_the_damage_is_among_what_was_kept() {
    // A string, the end, and a checksum that is another's.
    let bytes = b"REDIS0011\x00\x03key\x05value\xff\x01\x02\x03\x04\x05\x06\x07\x08";
    let dir = tempfile::tempdir().expect("a temporary directory");
    let (source, target) = (dir.path().join("dump.rdb"), dir.path().join("target"));
    fs::write(&source, bytes).expect("write it");
    let output = import(&source, &target, &["--skip-functions", "--salvage"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(text(&output.stdout).contains("values read from there may be wrong"), "{}", text(&output.stdout));
}

#[test]
fn scripts_that_older_servers_noted_are_no_damage() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let source = dir.path().join("appendonly.aof");
    let set = "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n";
    fs::write(&source, format!("*3\r\n$6\r\nSCRIPT\r\n$4\r\nLOAD\r\n$8\r\nreturn 1\r\n{set}")).expect("write it");
    let server = start_on(&source, &[]).expect("it starts");
    assert_eq!(server.client().command("GET a").text().expect("a text"), "1");
    fs::write(&source, format!("{set}*3\r\n$4\r\nEVAL\r\n$8\r\nreturn 1\r\n$1\r\n0\r\n")).expect("write it");
    let output = import(&source, &dir.path().join("target"), &["--salvage"]);
    assert_eq!(output.status.code(), Some(1), "what a script made is not dropped as if it were damage");
    assert!(text(&output.stderr).contains("it holds the command EVAL"), "{}", text(&output.stderr));
}

#[test]
fn the_rdb_file_that_was_there_before_is_set_aside_by_the_first_snapshot() {
    let original = b"REDIS0011\x00\x03key\x05value\xff\0\0\0\0\0\0\0\0";
    let server = Program::ackd().try_start_with(|dir| {
        fs::write(dir.join("dump.rdb"), original).expect("write it");
        assert_eq!(import(&dir.join("dump.rdb"), dir, &[]).status.code(), Some(0));
    });
    let server = server.expect("it starts");
    let mut client = server.client();
    for _ in 0..2 {
        assert_eq!(client.command("SAVE").text().expect("a text"), "OK");
    }
    let aside = server.dir().join("dump.rdb.before-ackd-1");
    assert_eq!(fs::read(&aside).expect("it is set aside"), original);
    assert!(!server.dir().join("dump.rdb.before-ackd-2").exists(), "ackd's own are replaced");
    assert!(fs::read(server.dir().join("dump.rdb")).expect("it is there").len() > original.len());
}

#[test]
fn a_database_that_the_settings_do_not_allow_is_told_as_such() {
    // SELECTDB 20, a string, the end, and no checksum.
    let bytes = b"REDIS0011\xfe\x14\x00\x03key\x05value\xff\0\0\0\0\0\0\0\0";
    let dir = tempfile::tempdir().expect("a temporary directory");
    let source = dir.path().join("dump.rdb");
    fs::write(&source, bytes).expect("write it");
    let why = start_on(&source, &[]).map(drop).expect_err("there are 16 databases");
    assert!(why.contains("refusing to start") && why.contains("start with `databases 21`"), "{why}");
    let server = Program::ackd().with("databases", "21").try_start_with(|dir| {
        assert_eq!(import(&source, dir, &[]).status.code(), Some(0));
    });
    let server = server.expect("it starts");
    let mut client = server.client();
    client.command("SELECT 20");
    assert_eq!(client.command("GET key").text().expect("a text"), "value");
}

#[test]
fn damaged_append_only_directories_are_refused_with_place_and_reason_and_salvaged_on_request() {
    let whole = without_functions(&expected_of_aof("base-and-incr").expect("what a sound directory holds"));
    for name in DAMAGED_AOF {
        let (_dir, path) = assembled(name);
        let target = tempfile::tempdir().expect("a temporary directory");
        let refused = import(&path, target.path(), &["--skip-functions"]);
        let why = text(&refused.stderr);
        assert_eq!(refused.status.code(), Some(1), "{name}");
        let place = match name {
            "truncated-tail" => {
                "at byte 3791: a transaction that does not end, for at byte 3873 the file ends inside a command"
            }
            "cut-inside-multi" => {
                "at byte 3791: a transaction that does not end, for at byte 3839 the file ends inside a"
            }
            "corrupt-in-the-middle" => "at byte 1837: the command \"CET\" failed: ERR unknown command",
            _ => "appendonly.aof.2.incr.aof: at byte 0: the manifest names it, and it is not there",
        };
        assert!(why.contains(place) && why.contains("--salvage keeps that"), "{name}: {why}");
        assert_eq!(fs::read_dir(target.path()).expect("read it").count(), 0, "nothing is left of {name}");
        let salvaged = import(&path, target.path(), &["--skip-functions", "--salvage"]);
        assert_eq!(salvaged.status.code(), Some(3), "{name}: {}", text(&salvaged.stderr));
        let said = text(&salvaged.stdout);
        assert!(said.contains("DROPPED") && !said.contains("DROPPED: 0 bytes"), "{said}");
        assert_eq!(
            said.contains("and what is missing") || said.contains("DROPPED: what is missing"),
            place.contains("manifest")
        );
        let server = start_on(&path, &["--skip-functions", "--salvage"]).expect("what was salvaged is sound");
        let found = read(&mut server.client()).without_delivery_times();
        match name {
            "truncated-tail" | "cut-inside-multi" => assert_same(&whole, &found, name),
            _ => assert!(found.len() >= 118 && found.len() < whole.len(), "{name}: {} keys", found.len()),
        }
    }
}

#[test]
fn damage_to_an_rdb_file_is_found_and_what_stands_before_it_can_be_kept() {
    let rdb = Rdb::all().into_iter().find(|rdb| rdb.name == "redis-7.0.15-all-types").expect("it is there");
    let sound = fs::read(&rdb.path).expect("read a fixture");
    let dir = tempfile::tempdir().expect("a temporary directory");
    let file = dir.path().join("damaged.rdb");
    for (at, salvages) in [(sound.len() - 1, 118), (sound.len() / 2, 1)] {
        let mut damaged = sound.clone();
        damaged[at] ^= 0x40;
        fs::write(&file, &damaged).expect("write a file");
        let target = tempfile::tempdir().expect("a temporary directory");
        let refused = import(&file, target.path(), &["--skip-functions"]);
        assert_eq!(refused.status.code(), Some(1), "byte {at}");
        let salvaged = import(&file, target.path(), &["--skip-functions", "--salvage", "--json"]);
        assert_eq!(salvaged.status.code(), Some(3), "byte {at}: {}", text(&salvaged.stderr));
        let summary: serde_json::Value = serde_json::from_slice(&salvaged.stdout).expect("one JSON object");
        assert!(summary["keys"].as_u64().expect("a number") >= salvages, "byte {at}: {summary}");
        assert!(summary["dropped"]["damage"].is_string(), "{summary}");
    }
    // An empty directory would be in the way of a better source.
    fs::write(&file, [&sound[..20], b"?"].concat()).expect("write a file");
    let target = tempfile::tempdir().expect("a temporary directory");
    let refused = import(&file, target.path(), &["--salvage"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stderr).contains("nothing that could be kept"), "{}", text(&refused.stderr));
    assert!(!target.path().join("ackd-data").exists());
}

#[test]
fn an_append_only_directory_beside_the_file_is_told() {
    let (dir, path) = assembled("base-and-incr");
    let rdb = Rdb::all().into_iter().find(|rdb| rdb.name == "dictionary").expect("it is there");
    let file = dir.path().join("dump.rdb");
    fs::copy(&rdb.path, &file).expect("copy a file");
    let output = import(&file, &dir.path().join("target"), &[]);
    let said = text(&output.stderr);
    assert!(output.status.success() && said.contains(&format!("{} stands beside", path.display())), "{said}");
}

#[test]
fn nothing_is_imported_over_data_or_from_what_is_none() {
    let rdb = Rdb::all().into_iter().find(|rdb| rdb.name == "dictionary").expect("it is there");
    let dir = tempfile::tempdir().expect("a temporary directory");
    assert_eq!(import(&rdb.path, dir.path(), &[]).status.code(), Some(0));
    let before = fs::read(dir.path().join("ackd-data/MANIFEST")).expect("a manifest");
    let again = import(&rdb.path, dir.path(), &[]);
    assert_eq!(again.status.code(), Some(1));
    assert!(text(&again.stderr).contains("nothing is ever imported over them"), "{}", text(&again.stderr));
    assert_eq!(fs::read(dir.path().join("ackd-data/MANIFEST")).expect("a manifest"), before);
    for (source, why) in [
        (Path::new("Cargo.toml"), "is neither an RDB file nor an append-only file"),
        (Path::new("src"), "holds no manifest of an append-only directory"),
        (Path::new("missing.rdb"), "cannot read missing.rdb"),
    ] {
        let target = tempfile::tempdir().expect("a temporary directory");
        let refused = import(source, target.path(), &[]);
        assert_eq!(refused.status.code(), Some(1), "{}", source.display());
        assert!(text(&refused.stderr).contains(why), "{}", text(&refused.stderr));
    }
}

/// `ACKD_RDB_FILES` says how many random files to take through ackd.
#[test]
fn what_other_servers_save_goes_in_and_out_again_without_a_difference() {
    let files = std::env::var("ACKD_RDB_FILES").map_or(6, |files| files.parse().expect("a number"));
    let oracles: Vec<_> = [Oracle::Redis7, Oracle::Valkey, Oracle::Redis8]
        .into_iter()
        .filter_map(|oracle| oracle.program().map(|program| (oracle, program)))
        .collect();
    for (seed, (oracle, program)) in (31..31 + files).zip(oracles.iter().cycle()) {
        let (oracle, field_expiries) = (*oracle, *oracle == Oracle::Redis8);
        let thresholds = if seed % 8 < 6 { Thresholds::Small } else { Thresholds::Default };
        let compressed = if seed % 4 < 2 { "yes" } else { "no" };
        let theirs = program.clone().with("rdbcompression", compressed).start();
        let mut client = theirs.client();
        Population { field_expiries, thresholds, ..Population::new(seed, 300) }.fill(&mut client);
        let contents = read(&mut client);
        let reply = client.command("SAVE");
        assert!(!reply.is_error(), "{reply}");
        let ours = start_on(&theirs.dir().join("dump.rdb"), &[]).expect("a sound file");
        assert_same(&contents, &read(&mut ours.client()), &format!("seed {seed}, saved by {oracle:?}"));
        let version = if oracle == Oracle::Redis7 { "10" } else { "11" };
        let version = if field_expiries { "12" } else { version };
        let exported = ours.dir().join("exported.rdb");
        let mut export = Command::new(Program::ackd().path);
        let output = export.arg("export").arg(ours.dir()).arg(&exported).args(["--rdb-version", version]).output();
        assert!(output.expect("run ackd export").status.success());
        let again = program.clone().with("dbfilename", "dump.rdb").start_with(|dir| {
            fs::copy(&exported, dir.join("dump.rdb")).expect("copy a file");
        });
        assert_same(&contents, &read(&mut again.client()), &format!("seed {seed}, exported to {oracle:?}"));
    }
}

#[test]
fn an_append_only_file_of_old_is_imported_with_and_without_a_preamble() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let file = dir.path().join("appendonly.aof");
    let commands = b"*2\r\n$6\r\nSELECT\r\n$1\r\n3\r\n*3\r\n$3\r\nSET\r\n$3\r\nnew\r\n$5\r\nvalue\r\n";
    let preamble = Rdb::all().into_iter().find(|rdb| rdb.name == "rdb_version_5_with_checksum").expect("it is there");
    let base = preamble.expected.expect("what it holds");
    for head in [Vec::new(), fs::read(&preamble.path).expect("read a fixture")] {
        fs::write(&file, [&head[..], commands].concat()).expect("write a file");
        let server = start_on(&file, &[]).expect("a sound file");
        let found = read(&mut server.client());
        assert!(found.databases[&3].contains_key(&b"new"[..]));
        assert_eq!(found.len(), 1 + if head.is_empty() { 0 } else { base.len() });
    }
}

/// Commands as an append-only file has them.
fn appended(commands: &[&[&str]]) -> Vec<u8> {
    commands.iter().flat_map(|words| support::client::encode(words)).collect()
}

#[test]
fn what_has_expired_meanwhile_was_there_when_later_commands_were_written() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let folder = dir.path().join(AOF_DIRECTORY);
    fs::create_dir(&folder).expect("create it");
    let options = rdb::Options { version: rdb::Version::V10, compress: false, checksum: true };
    let mut file = Vec::new();
    let mut base = rdb::Writer::new(&mut file, options);
    let key = |name| rdb::Key { expires_ms: Some(1000), ..rdb::Key::new(name, rdb::Kind::String, rdb::Shape::String) };
    for name in [&b"kept"[..], b"gone"] {
        for event in [
            rdb::Event::Key(key(name)),
            rdb::Event::Part(rdb::Part::String(ackd::base::text::Text::Int(7))),
            rdb::Event::KeyEnd,
        ] {
            base.write(&event).expect("it can be written");
        }
    }
    base.write(&rdb::Event::End { checked: true }).expect("it can be written");
    fs::write(folder.join("base.rdb"), &file).expect("write it");
    let commands = appended(&[
        &["SELECT", "0"],
        &["INCR", "kept"],
        &["PERSIST", "kept"],
        &["SET", "counter", "1", "PXAT", "2000"],
        &["MULTI"],
        &["INCR", "counter"],
        &["PERSIST", "counter"],
        &["EXEC"],
        &["SET", "short", "x", "PXAT", "3000"],
    ]);
    fs::write(folder.join("incr.aof"), commands).expect("write it");
    fs::write(folder.join("x.manifest"), "file base.rdb seq 1 type b\nfile incr.aof seq 1 type i\n").expect("write it");
    let server = start_on(&folder, &[]).expect("a sound directory");
    let mut client = server.client();
    assert_eq!(client.command("MGET kept gone counter short").to_string(), r#"["8", $-1, "2", $-1]"#);
    assert_eq!(client.command("TTL kept").integer(), Some(-1));
    assert_eq!(client.command("TTL counter").integer(), Some(-1));
    // An RDB file by itself holds them in vain.
    let alone = start_on(&folder.join("base.rdb"), &[]).expect("a sound file");
    assert_eq!(alone.client().command("DBSIZE").integer(), Some(0));
}

#[test]
fn commands_that_are_no_effects_have_no_place_in_an_append_only_file() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let file = dir.path().join("appendonly.aof");
    for words in [
        &["SHUTDOWN"][..],
        &["CONFIG", "SET", "appendonly", "no"],
        &["GET", "k"],
        &["BLPOP", "l", "0"],
        &["MIGRATE", "127.0.0.1", "1", "k", "0", "1000"],
    ] {
        fs::write(&file, appended(&[&["SET", "k", "v"], words])).expect("write it");
        let target = tempfile::tempdir().expect("a temporary directory");
        let refused = import(&file, target.path(), &[]);
        assert_eq!(refused.status.code(), Some(1), "{words:?}");
        let why = text(&refused.stderr);
        assert!(why.contains("at byte 27: the command") && why.contains("it has no place"), "{why}");
    }
}

#[test]
fn what_is_no_command_is_refused_as_redis_refuses_it() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let file = dir.path().join("appendonly.aof");
    let malformed = "at byte 27: a command that is malformed, or has no arguments";
    for (none, why) in [
        (&b"*0\r\n"[..], malformed),
        (b"*-1\r\n", malformed),
        (b"*1\r\n$-1\r\n", malformed),
        (b"\r\n", "at byte 27: no command begins here"),
        (b"SET k v\r\n", "at byte 27: no command begins here"),
    ] {
        let set = appended(&[&["SET", "k", "v"]]);
        fs::write(&file, [&set, none, &set].concat()).expect("write it");
        let refused = import(&file, &dir.path().join("target"), &[]);
        assert_eq!(refused.status.code(), Some(1), "{}", none.escape_ascii());
        assert!(text(&refused.stderr).contains(why), "{}", text(&refused.stderr));
    }
}

#[test]
fn a_count_that_changed_what_a_hyperloglog_remembers_is_an_effect() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let file = dir.path().join("appendonly.aof");
    fs::write(&file, appended(&[&["PFADD", "h", "a", "b"], &["PFCOUNT", "h"]])).expect("write it");
    let server = start_on(&file, &[]).expect("a sound file");
    assert_eq!(server.client().command("PFCOUNT h").integer(), Some(2));
}

#[test]
fn a_transaction_in_which_a_command_fails_is_not_half_imported() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let file = dir.path().join("appendonly.aof");
    let commands = [&["SET", "s", "x"][..], &["MULTI"], &["SET", "t", "1"], &["INCR", "s"], &["EXEC"]];
    fs::write(&file, appended(&commands)).expect("write it");
    for options in [&[][..], &["--salvage"]] {
        let target = tempfile::tempdir().expect("a temporary directory");
        let refused = import(&file, target.path(), options);
        assert_eq!(refused.status.code(), Some(1));
        assert!(text(&refused.stderr).contains("failed inside a transaction"), "{}", text(&refused.stderr));
        assert_eq!(fs::read_dir(target.path()).expect("read it").count(), 0);
    }
}

#[test]
fn a_library_in_a_transaction_that_is_dropped_is_dropped_with_it() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let file = dir.path().join("appendonly.aof");
    let load = ["FUNCTION", "LOAD", "#!lua name=lost"];
    let commands = [&["SET", "s", "x"][..], &["MULTI"], &load, &["NONE", "such"], &["EXEC"]];
    fs::write(&file, appended(&commands)).expect("write it");
    let target = dir.path().join("target");
    assert_eq!(import(&file, &target, &["--salvage"]).status.code(), Some(3));
    let snapshots = fs::read_dir(target.join("ackd-data/snapshots")).expect("a snapshot").flatten();
    let kept: Vec<_> = snapshots.map(|snapshot| libraries(&snapshot.path())).collect();
    assert_eq!(kept, [Vec::<Vec<u8>>::new()]);
}

#[test]
fn libraries_that_were_restored_are_those_of_the_payload() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let file = dir.path().join("appendonly.aof");
    let code = b"#!lua name=two\nredis.register_function('f', function() return 7 end)";
    let mut writer = rdb::Writer::of_dump(rdb::Version::V10, false);
    writer.write(&rdb::Event::Function(code)).expect("it has functions");
    let payload = writer.into_dump();
    for (policy, kept) in [("FLUSH", 1), ("REPLACE", 2)] {
        let mut bytes = appended(&[&["FUNCTION", "LOAD", "#!lua name=one\n"]]);
        ackd::resp::write_command(&mut bytes, &[b"FUNCTION", b"RESTORE", &payload, policy.as_bytes()]);
        fs::write(&file, bytes).expect("write it");
        let target = dir.path().join(policy);
        assert_eq!(import(&file, &target, &[]).status.code(), Some(0));
        let snapshots = fs::read_dir(target.join("ackd-data/snapshots")).expect("a snapshot").flatten();
        let found: Vec<Vec<u8>> = snapshots.flat_map(|snapshot| libraries(&snapshot.path())).collect();
        assert_eq!((found.len(), found.last().map(Vec::as_slice)), (kept, Some(&code[..])));
    }
}

#[test]
fn keys_without_elements_are_left_out_and_unknown_types_are_named() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let file = dir.path().join("dump.rdb");
    fs::write(&file, b"REDIS0003\xfe\x00\x01\x05empty\x00\x00\x04full\x01x\xff").expect("write it");
    let imported = import(&file, &dir.path().join("new/folders"), &[]);
    assert_eq!(imported.status.code(), Some(0), "{}", text(&imported.stderr));
    assert!(text(&imported.stdout).contains("left out: 1 keys without elements"), "{}", text(&imported.stdout));
    fs::write(&file, b"REDIS0003\xfe\x00\x1a\x05newer\x00\xff").expect("write it");
    let refused = import(&file, &dir.path().join("other"), &[]);
    assert_eq!(refused.status.code(), Some(1));
    let why = text(&refused.stderr);
    assert!(why.contains("at byte 12: values of type 26 are not known: the file is damaged, or newer"), "{why}");
    assert!(why.contains("before it: 0 keys; --salvage keeps that, and drops what follows: 8 bytes"), "{why}");
    // The same at the beginning, and what a file that ends too early lacks.
    fs::write(&file, b"REDIS0099\xff").expect("write it");
    let why = text(&import(&file, &dir.path().join("other"), &[]).stderr);
    assert!(why.contains("RDB version 99 is not known") && why.contains("drops what follows: 10 bytes"), "{why}");
    fs::write(&file, b"REDIS0003\x00\x01k\x01v").expect("write it");
    let salvaged = import(&file, &dir.path().join("cut"), &["--salvage"]);
    assert_eq!(salvaged.status.code(), Some(3));
    let said = text(&salvaged.stdout);
    assert!(said.contains("DROPPED: what is missing, of unknown length, from this on:"), "{said}");
}

#[test]
fn a_base_without_bytes_is_damage_and_a_preamble_is_known_under_every_name() {
    let (_dir, path) = assembled("base-and-incr");
    fs::write(path.join("appendonly.aof.2.base.rdb"), b"").expect("empty it");
    let target = tempfile::tempdir().expect("a temporary directory");
    let refused = import(&path, target.path(), &["--skip-functions"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stderr).contains("base.rdb: at byte 0: this is no RDB file"), "{}", text(&refused.stderr));
    let file = target.path().join("saved.bak");
    let commands = appended(&[&["SELECT", "0"], &["SET", "k", "v"]]);
    let preamble = b"REDIS0003\xfa\x0caof-preamble\xc0\x01\xff";
    fs::write(&file, [&preamble[..], &commands].concat()).expect("write it");
    let server = start_on(&file, &[]).expect("a sound file");
    assert_eq!(server.client().command("GET k").text().as_deref(), Some("v"));
}

#[test]
fn an_import_under_way_is_left_alone_and_what_a_dead_one_left_is_not() {
    let rdb = Rdb::all().into_iter().find(|rdb| rdb.name == "dictionary").expect("it is there");
    let dir = tempfile::tempdir().expect("a temporary directory");
    let under_way = dir.path().join("ackd-data.importing");
    fs::create_dir_all(under_way.join("log")).expect("create it");
    fs::write(under_way.join("log/00000000000000000001.seg"), "of a dead one").expect("write it");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let disk: std::rc::Rc<dyn ackd::disk::Disk> = std::rc::Rc::new(ackd::disk::PortableDisk::new());
    let lock = runtime.block_on(ackd::log::Directory::open(disk, &under_way)).expect("the lock");
    let refused = import(&rdb.path, dir.path(), &[]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stderr).contains(&std::process::id().to_string()), "{}", text(&refused.stderr));
    assert!(under_way.join("log/00000000000000000001.seg").exists());
    drop(lock);
    let imported = import(&rdb.path, dir.path(), &[]);
    assert_eq!(imported.status.code(), Some(0), "{}", text(&imported.stderr));
    assert!(!under_way.exists());
    let target = dir.path().join("linked");
    fs::create_dir(&target).expect("create it");
    std::os::unix::fs::symlink("/", target.join("ackd-data")).expect("link it");
    assert_eq!(import(&rdb.path, &target, &[]).status.code(), Some(1));
}
