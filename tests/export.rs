//! `ackd export`: files that other servers load, with all that ackd held.

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use support::contents::{Contents, Data, assert_same, read};
use support::fixtures::{AOF_DIRECTORY, Rdb};
use support::oracle::Oracle;
use support::population::Population;
use support::process::{Program, Server};

fn tool(words: &[&str], paths: &[&Path], options: &[&str]) -> Output {
    let mut command = Command::new(Program::ackd().path);
    command.args(words).args(paths).args(options).output().expect("run ackd")
}

fn export(server: &Server, target: &Path, options: &[&str]) -> Output {
    tool(&["export"], &[server.dir(), target], options)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// An ackd with content, and what it holds.
fn filled(seed: u64, field_expiries: bool) -> (Server, Contents) {
    let server = Program::ackd().start();
    let mut client = server.client();
    Population { field_expiries, ..Population::new(seed, 600) }.fill(&mut client);
    let contents = read(&mut client);
    (server, contents)
}

fn exported(server: &Server, name: &str, options: &[&str]) -> (tempfile::TempDir, std::path::PathBuf) {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let target = dir.path().join(name);
    let output = export(server, &target, options);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    (dir, target)
}

/// The oracle on an RDB file.
fn load(program: &Program, rdb: &Path) -> Server {
    program.clone().with("dbfilename", "dump.rdb").start_with(|dir| {
        fs::copy(rdb, dir.join("dump.rdb")).expect("copy the file");
    })
}

#[test]
fn other_servers_load_an_exported_file_and_hold_the_same() {
    for (oracle, version) in
        [(Oracle::Redis7, "10"), (Oracle::Valkey, "11"), (Oracle::Redis8, "12"), (Oracle::Redis7, "9")]
    {
        let Some(program) = oracle.program() else { continue };
        let (server, mut contents) = filled(41, oracle == Oracle::Redis8);
        if version == "9" {
            // Of a stream without entries and without counters, Redis 7.0 makes one with a first entry.
            let is_empty = |data: &Data| matches!(data, Data::Stream(stream) if stream.entries.is_empty());
            let mut client = server.client();
            for (database, key, _) in contents.items().filter(|(_, _, item)| is_empty(&item.data)) {
                client.command(&format!("SELECT {database}"));
                client.call(&[&b"DEL"[..], key]).expect("a reply");
            }
            contents = read(&mut client);
        }
        let (_dir, file) = exported(&server, "dump.rdb", &["--rdb-version", version]);
        assert!(fs::read(&file).expect("read it").starts_with(format!("REDIS{version:0>4}").as_bytes()));
        let theirs = load(&program, &file);
        // Redis 7.0 writes the scores in it with 17 digits; since 7.2 they are as short as they can be.
        if oracle != Oracle::Redis7 {
            let digests = [&server, &theirs].map(|server| server.client().command("DEBUG DIGEST").text());
            assert!(digests[0].is_some() && digests[0] == digests[1], "{oracle:?} on version {version}: {digests:?}");
        }
        let mut clients = [&server, &theirs].map(Server::client);
        for (database, key, _) in contents.items().filter(|(_, _, item)| !matches!(item.data, Data::Zset(_))) {
            let digests = clients.each_mut().map(|client| {
                client.command(&format!("SELECT {database}"));
                client.call(&[&b"DEBUG"[..], b"DIGEST-VALUE", key]).expect("a reply").value
            });
            assert_eq!(digests[0], digests[1], "{oracle:?} on version {version}: {}", key.escape_ascii());
        }
        let mut found = read(&mut theirs.client());
        if version == "9" {
            // That version has no counters of streams, nor of what a group has read.
            for contents in [&mut contents, &mut found] {
                for data in
                    contents.databases.values_mut().flat_map(|keys| keys.values_mut()).map(|item| &mut item.data)
                {
                    if let Data::Stream(stream) = data {
                        stream.entries_added = Default::default();
                        stream.max_deleted_id = Default::default();
                        stream.groups.values_mut().for_each(|group| group.entries_read = Default::default());
                    }
                }
            }
        }
        assert_same(&contents, &found, &format!("{oracle:?} on version {version}"));
    }
}

#[test]
fn the_checking_tool_of_redis_finds_nothing_wrong() {
    let Some(checker) = ["redis-check-rdb"].into_iter().find(|name| Command::new(name).arg("-v").output().is_ok())
    else {
        eprintln!("SKIPPED: redis-check-rdb not found, install redis-tools");
        return;
    };
    let (server, contents) = filled(42, false);
    let (_dir, file) = exported(&server, "dump.rdb", &["--rdb-version", "10"]);
    let output = Command::new(checker).arg(&file).output().expect("run it");
    let said = text(&output.stdout);
    assert!(output.status.success() && said.contains("RDB looks OK"), "{said}");
    assert!(said.contains(&format!("{} keys read", contents.len())), "{said}");
}

#[test]
fn what_a_version_does_not_store_of_streams_is_counted() {
    let server = Program::ackd().start();
    let mut client = server.client();
    for line in ["XADD plain 1-1 f v", "XADD read 1-1 f v", "XGROUP CREATE read g 0", "XGROUP CREATECONSUMER read g c"]
    {
        let reply = client.command(line);
        assert!(!reply.is_error(), "{reply}");
    }
    for (version, lossy) in [("9", 2), ("10", 1), ("11", 0), ("12", 0)] {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let output = export(&server, &dir.path().join("dump.rdb"), &["--rdb-version", version, "--json"]);
        let summary: Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
        assert_eq!((&summary["lossy_streams"], &summary["keys"]), (&lossy.into(), &2.into()), "{summary}");
    }
}

#[test]
fn an_exported_append_only_directory_is_loaded() {
    let Some(program) = Oracle::Redis7.program() else { return };
    let (server, contents) = filled(43, false);
    let (_dir, directory) = exported(&server, AOF_DIRECTORY, &["--rdb-version", "10"]);
    let program = program.with("appendonly", "yes");
    let theirs = program.start_with(|dir| {
        fs::create_dir(dir.join(AOF_DIRECTORY)).expect("create it");
        for entry in fs::read_dir(&directory).expect("read it") {
            let path = entry.expect("an entry").path();
            fs::copy(&path, dir.join(AOF_DIRECTORY).join(path.file_name().expect("a name"))).expect("copy it");
        }
    });
    assert_same(&contents, &read(&mut theirs.client()), "an append-only directory");
}

#[test]
fn what_is_exported_is_imported_again() {
    let (server, contents) = filled(44, true);
    for name in ["dump.rdb", AOF_DIRECTORY] {
        let (_dir, target) = exported(&server, name, &[]);
        let again = Program::ackd().start_with(|dir| {
            let output = tool(&["import"], &[&target, dir], &[]);
            assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        });
        assert_same(&contents, &read(&mut again.client()), name);
    }
}

#[test]
fn every_fixture_goes_in_and_out_again() {
    let Some(program) = Oracle::Redis8.program() else { return };
    for rdb in Rdb::all().into_iter().filter(|rdb| rdb.expected.is_some()) {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let imported = tool(&["import"], &[&rdb.path, dir.path()], &["--skip-functions"]);
        assert_eq!(imported.status.code(), Some(0), "{}: {}", rdb.name, text(&imported.stderr));
        let file = dir.path().join("again.rdb");
        let output = tool(&["export"], &[dir.path(), &file], &[]);
        assert_eq!(output.status.code(), Some(0), "{}: {}", rdb.name, text(&output.stderr));
        let expected = Contents { functions: Default::default(), ..rdb.expected.clone().expect("it holds something") };
        let found = read(&mut load(&program, &file).client()).without_delivery_times();
        assert_same(&expected, &found, &rdb.name);
    }
}

#[test]
fn lines_of_json_have_every_key_and_filters_choose_among_them() {
    let (server, contents) = filled(45, true);
    let keys = |options: &[&str]| -> Vec<Value> {
        let (_dir, file) = exported(&server, "data.jsonl", options);
        let lines = fs::read_to_string(file).expect("it is text");
        lines.lines().map(|line| serde_json::from_str(line).expect("an object a line")).collect()
    };
    let all = keys(&[]);
    assert_eq!(all.len(), contents.len());
    let types: BTreeSet<_> = all.iter().map(|line| line["type"].as_str().expect("a type").to_owned()).collect();
    assert_eq!(types.len(), 6);
    let expected = contents.items().filter(|(database, _, item)| *database == 1 && matches!(item.data, Data::Hash(_)));
    let chosen = keys(&["--db", "1", "--type", "hash", "--match", "*"]);
    assert_eq!(chosen.len(), expected.count());
    assert!(chosen.iter().all(|line| line["db"] == 1 && line["type"] == "hash"));
    let mut client = server.client();
    client.command("SELECT 0");
    client.call(&[&b"SET"[..], b"\xffbinary", b"plain", b"PXAT", b"4102444800000"]).expect("a reply");
    client.command("ZADD scores inf a 1.5 b");
    let [binary] = &keys(&["--match", "*binary"])[..] else { panic!("one key") };
    assert_eq!(binary["key"], serde_json::json!({ "hex": "ff62696e617279" }));
    assert_eq!((&binary["value"], &binary["expires_ms"]), (&"plain".into(), &4_102_444_800_000_i64.into()));
    let [scores] = &keys(&["--match", "scores"])[..] else { panic!("one key") };
    assert_eq!(scores["value"], serde_json::json!([["b", 1.5], ["a", "inf"]]));
}

/// The most memory that an export took, in bytes.
fn peak(server: &Server, target: &Path) -> u64 {
    let mut command = Command::new(Program::ackd().path);
    #[allow(clippy::zombie_processes)] // wait4 is what waits for it.
    let child = command.arg("export").args([server.dir(), target]).stdout(Stdio::null()).spawn().expect("run ackd");
    // SAFETY: numbers, of which each may be zero.
    let (mut status, mut usage) = (0, unsafe { std::mem::zeroed::<libc::rusage>() });
    // SAFETY: it is a child that nobody else waits for, and both pointers are to what lives here.
    let waited = unsafe { libc::wait4(child.id() as i32, &mut status, 0, &mut usage) };
    assert_eq!((waited, status), (child.id() as i32, 0), "the export succeeds");
    usage.ru_maxrss as u64 * 1024
}

#[test]
fn lines_of_json_take_no_memory_for_the_text_of_a_large_key() {
    let server = Program::ackd().start();
    let mut client = server.client();
    for round in 0..50 {
        let elements = (0..10_000).map(|n| format!("{}", round * 10_000 + n));
        let words: Vec<String> = ["SADD", "set"].into_iter().map(str::to_owned).chain(elements).collect();
        client.call(&words).expect("a reply");
    }
    let dir = tempfile::tempdir().expect("a temporary directory");
    let rdb = peak(&server, &dir.path().join("data.rdb"));
    let json = peak(&server, &dir.path().join("data.jsonl"));
    assert!(json < rdb + (8 << 20), "{json} bytes for lines of JSON, {rdb} for an RDB file");
}

#[test]
fn what_a_killed_export_has_left_is_removed_and_nothing_else() {
    let (server, _) = filled(47, false);
    let dir = tempfile::tempdir().expect("a temporary directory");
    let at = |name: &str| dir.path().join(name);
    // Process 1 lives: the number alone says nothing, for it may be another's by now.
    for left in ["dump.rdb.exporting-1", "dump.rdb.exporting-99999999"] {
        fs::write(at(left), "half").expect("write it");
    }
    fs::create_dir(at("dump.rdb.exporting-2")).expect("create it");
    fs::write(at("dump.rdb.exporting-2/appendonly.aof.1.base.rdb"), "half").expect("write it");
    let kept =
        ["dump.rdb.exporting-3", "dump.rdb.exporting-", "dump.rdb.exporting-x", "other.rdb.exporting-1", "dump.rdb.1"];
    for other in kept {
        fs::write(at(other), "mine").expect("write it");
    }
    let held = fs::File::open(at("dump.rdb.exporting-3")).expect("open it");
    held.lock().expect("lock it, as an export that lives does");
    let output = export(&server, &at("dump.rdb"), &[]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let names = fs::read_dir(dir.path()).expect("read it").map(|entry| entry.expect("an entry").file_name());
    let names: BTreeSet<String> = names.map(|name| name.into_string().expect("text")).collect();
    assert_eq!(names, kept.into_iter().chain(["dump.rdb"]).map(str::to_owned).collect());
}

#[test]
fn endings_are_taken_in_capitals_and_lines_of_json_have_no_version() {
    let (server, contents) = filled(48, false);
    let (_dir, file) = exported(&server, "DUMP.RDB", &["--rdb-version", "10"]);
    assert!(fs::read(&file).expect("read it").starts_with(b"REDIS0010"));
    let (dir, file) = exported(&server, "DATA.JSONL", &[]);
    assert_eq!(fs::read_to_string(&file).expect("it is text").lines().count(), contents.len());
    let output = export(&server, &dir.path().join("more.jsonl"), &["--rdb-version", "11"]);
    assert_eq!(output.status.code(), Some(2));
    let said = text(&output.stderr);
    assert!(said.contains("--rdb-version is of no use") && said.contains("Usage: ackd export"), "{said}");
    assert_eq!(fs::read_dir(dir.path()).expect("read it").count(), 1);
}

#[test]
fn what_cannot_be_exported_is_said_and_nothing_is_written() {
    let (server, _) = filled(46, true);
    let dir = tempfile::tempdir().expect("a temporary directory");
    let taken = dir.path().join("taken.rdb");
    fs::write(&taken, "mine").expect("write it");
    for (target, options, why) in [
        (taken.clone(), &[][..], "nothing is ever exported over it"),
        (
            dir.path().join("old.rdb"),
            &["--rdb-version", "11"],
            "RDB version 11 cannot express the expiry times of fields",
        ),
        (dir.path().join("data.txt"), &[], "ends in .rdb or .jsonl, or has no ending"),
        (dir.path().join("missing/data.rdb"), &[], "cannot write"),
    ] {
        let output = export(&server, &target, options);
        assert_eq!(output.status.code(), Some(1), "{}", target.display());
        assert!(text(&output.stderr).contains(why), "{}", text(&output.stderr));
    }
    assert_eq!(fs::read(&taken).expect("read it"), b"mine");
    assert_eq!(fs::read_dir(dir.path()).expect("read it").count(), 1);
    let output = tool(&["export"], &[dir.path(), &dir.path().join("x.rdb")], &[]);
    assert!(text(&output.stderr).contains("holds no data of ackd"), "{}", text(&output.stderr));
}
