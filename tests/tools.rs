//! `ackd check` and `ackd log` on directories that real servers left, and beside running ones.

#![allow(clippy::unwrap_used)]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use serde_json::Value;
use support::client::Client;
use support::process::{Program, Server};

fn tool(words: &[&str], dir: &Path) -> Output {
    Command::new(Program::ackd().path).args(words).arg(dir).output().expect("the tool runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("output is text")
}

fn check(dir: &Path) -> (bool, Value) {
    let output = tool(&["check", "--json"], dir);
    assert!(output.stderr.is_empty(), "{}", text(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
    assert_eq!(report["sound"], output.status.success());
    (output.status.success(), report)
}

/// What `ackd log` prints, as lines; panics unless it succeeds.
fn log(words: &[&str], dir: &Path) -> Vec<String> {
    let output = tool(&[&["log"], words].concat(), dir);
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout).lines().map(str::to_owned).collect()
}

fn filled() -> (Server, Client) {
    let server = Program::ackd().start();
    let mut client = server.client();
    for n in 0..20 {
        client.command(&format!("SET key:{n} {n}"));
    }
    client.call(&[b"SET", &b"bin\x00\xff"[..], b"say \"hi\"\n"]).unwrap();
    client.command("SELECT 3");
    client.command("INCR counter");
    (server, client)
}

fn stopped() -> Server {
    let (mut server, _) = filled();
    server.signal(libc::SIGTERM);
    assert!(server.wait_for_exit(Duration::from_secs(20)).success());
    server
}

fn data(server: &Server) -> PathBuf {
    server.dir().join("ackd-data")
}

fn segments(server: &Server) -> Vec<PathBuf> {
    let folder = data(server).join("log");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// The files of the data directory with their content; what a tool must not change.
fn contents(server: &Server) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = segments(server);
    files.extend(["MANIFEST", "LOCK"].map(|name| data(server).join(name)));
    files.into_iter().map(|file| (file.clone(), std::fs::read(&file).unwrap())).collect()
}

/// Inverts a byte of the file in which `needle` is found, within it; answers the file and the place of the needle.
fn damage(server: &Server, needle: &[u8]) -> (PathBuf, u64) {
    for path in segments(server) {
        let content = std::fs::read(&path).unwrap();
        if let Some(at) = content.windows(needle.len()).position(|window| window == needle) {
            let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
            file.write_all_at(&[content[at] ^ 0x20], at as u64).unwrap();
            return (path, at as u64);
        }
    }
    panic!("{} is in no segment", needle.escape_ascii());
}

#[test]
fn a_stopped_servers_directory_is_sound_by_either_of_its_names_and_left_as_it_is() {
    let server = stopped();
    let before = contents(&server);
    let (sound, report) = check(server.dir());
    assert!(sound, "{report}");
    assert_eq!(
        (&report["in_use"], &report["damage"], &report["torn_tail"]),
        (&Value::Null, &Value::Null, &Value::Null)
    );
    assert_eq!(report["clean"], true);
    assert_eq!(report["end_offset"], report["durable_offset"]);
    assert_eq!(report["histories"][0]["first_offset"], 0);
    assert_eq!(report["segments"][0]["role"], "live");
    let (sound, same) = check(&data(&server));
    assert!(sound);
    assert_eq!(same["end_offset"], report["end_offset"]);
    let printed = text(&tool(&["check"], server.dir()).stdout);
    for part in [": sound\n", "history", "durable", "MB/s", ".seg"] {
        assert!(printed.contains(part), "{part} is missing in {printed}");
    }
    // Without a name it is that of the folder in which a server was started.
    for words in [["check"], ["log"]] {
        let output = Command::new(Program::ackd().path).args(words).current_dir(server.dir()).output().unwrap();
        assert!(output.status.success() && text(&output.stdout).contains(".seg"), "{}", text(&output.stderr));
    }
    log(&[], server.dir());
    assert!(contents(&server) == before, "the tools changed the directory");
}

#[test]
fn beside_a_running_server_the_tools_see_all_that_was_acked_and_disturb_nothing() {
    let (server, mut client) = filled();
    for n in 0..30 {
        client.command(&format!("SET more:{n} x"));
        if n % 10 == 0 {
            let (sound, report) = check(server.dir());
            assert!(sound, "{report}");
            assert_eq!(report["in_use"]["pid"], server.pid());
            let lines = log(&["--commands"], server.dir());
            assert!(lines.contains(&format!("\"SET\" \"more:{n}\" \"x\"")), "{lines:?}");
        }
    }
    let printed = text(&tool(&["check"], server.dir()).stdout);
    assert!(printed.contains(&format!("in use by process {}", server.pid())), "{printed}");
}

#[test]
fn effects_are_printed_as_commands_in_the_quotes_of_redis_cli() {
    let server = stopped();
    let lines = log(&[], server.dir());
    assert!(lines[0].starts_with("# segment 00000000000000000001.seg: "), "{}", lines[0]);
    assert!(lines[1].starts_with("# start 0 at byte 4096: offset 0, 80 bytes, "), "{}", lines[1]);
    assert!(lines[2].starts_with("# frame 1 at byte "), "{}", lines[2]);
    assert_eq!(lines[3..5], ["0 \"SELECT\" \"0\"", "23 \"SET\" \"key:0\" \"0\""]);
    assert!(lines.iter().any(|line| line.ends_with(r#""SET" "bin\x00\xff" "say \"hi\"\n""#)), "{lines:#?}");
    assert!(lines.iter().any(|line| line.ends_with("spare")));
    assert!(log(&["--frames"], server.dir()).iter().all(|line| line.starts_with("# ")));
    assert!(log(&["--segments"], server.dir()).iter().all(|line| line.starts_with("# segment ")));
    assert!(log(&["--commands"], server.dir()).iter().all(|line| line.starts_with('"')));
}

#[test]
fn json_has_one_object_a_line_and_keeps_binary_arguments() {
    let server = stopped();
    let objects: Vec<Value> =
        log(&["--json"], server.dir()).iter().map(|line| serde_json::from_str(line).expect("an object")).collect();
    let commands: Vec<&Value> = objects.iter().filter(|object| object["type"] == "command").collect();
    assert!(commands.iter().any(|c| c["argv"][1]["hex"] == "62696e00ff" && c["argv"][2] == "say \"hi\"\n"));
    let counter = commands.iter().find(|c| c["argv"][1] == "counter").unwrap();
    assert_eq!((&counter["argv"][0], &counter["db"]), (&Value::from("INCR"), &Value::from(3)));
    assert!(objects.iter().any(|o| o["type"] == "segment" && o["role"] == "spare"));
    let frames: Vec<&Value> = objects.iter().filter(|o| o["type"] == "frame" && o["kind"] == "frame").collect();
    assert_eq!(frames[1]["offset"], frames[0]["end_offset"]);
}

#[test]
fn from_and_to_take_offsets_and_times() {
    let server = stopped();
    let all = log(&["--commands"], server.dir());
    let objects: Vec<Value> =
        log(&["--json"], server.dir()).iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let set = objects.iter().find(|o| o["argv"][1] == "key:5").unwrap();
    let offset = set["offset"].to_string();
    let from = log(&["--commands", "--from", &offset], server.dir());
    assert_eq!(from[..2], ["\"SELECT\" \"0\"", "\"SET\" \"key:5\" \"5\""]);
    let to = log(&["--commands", "--to", &offset], server.dir());
    assert_eq!(to.last().unwrap(), "\"SELECT\" \"0\"");
    assert_eq!([&to[..to.len() - 1], &from].concat(), all);
    let frame = objects.iter().find(|o| o["kind"] == "frame" && o["end_offset"].as_u64() > set["offset"].as_u64());
    let time = frame.unwrap()["time"].as_str().unwrap().to_owned();
    assert!(log(&["--commands", "--from", &time], server.dir()).contains(&"\"SET\" \"key:5\" \"5\"".to_owned()));
    assert!(!log(&["--commands", "--to", &time], server.dir()).contains(&"\"SET\" \"key:5\" \"5\"".to_owned()));
    assert_eq!(log(&["--commands", "--to", "2001-01-01"], server.dir()), [""; 0]);
    // The line of a segment is about all of it, whatever is shown.
    let lines = log(&["--from", &offset], server.dir());
    assert_eq!(lines[0], log(&[], server.dir())[0]);
    // What there is to follow ends at the bound.
    let followed = log(&["--follow", "--commands", "--to", &offset], server.dir());
    assert_eq!(followed, to);
    let wrong = tool(&["log", "--from", "yesterday"], server.dir());
    assert!(!wrong.status.success() && text(&wrong.stderr).contains("UTC time"));
}

#[test]
fn a_flipped_byte_is_reported_with_file_offset_and_cause_and_what_a_repair_keeps() {
    let server = stopped();
    let (file, at) = damage(&server, b"key:7");
    let (sound, report) = check(server.dir());
    assert!(!sound);
    let found = &report["damage"];
    assert_eq!(found["file"], file.display().to_string());
    let position = found["position"].as_u64().unwrap();
    assert!(position <= at && at < position + 4096, "{report}");
    assert!(found["cause"].as_str().unwrap().contains("checksum"), "{report}");
    let keeps = found["repair_keeps_offset"].as_u64().unwrap();
    assert!(keeps > 0 && found["repair_loses_at_least"].as_u64().unwrap() > 0, "{report}");
    let printed = tool(&["check"], server.dir());
    assert_eq!(printed.status.code(), Some(1));
    let place = format!("{} at byte {position}: ", file.display());
    assert!(text(&printed.stdout).contains(&place), "{}", text(&printed.stdout));
    assert!(text(&printed.stdout).contains("`ackd repair` would keep"));
    // A start refuses it all, and so cuts nothing.
    assert!(!text(&printed.stdout).contains("torn tail") && report["torn_tail"].is_null(), "{report}");
    let shown = tool(&["log", "--commands"], server.dir());
    assert_eq!(shown.status.code(), Some(1));
    assert!(text(&shown.stdout).contains("key:6") && !text(&shown.stdout).contains("key:8"));
    assert!(text(&shown.stderr).contains(&place), "{}", text(&shown.stderr));
}

#[test]
fn damage_is_told_from_the_moving_end_of_a_running_server() {
    let (server, mut client) = filled();
    let follower = Follower::start(server.dir());
    follower.expect("\"INCR\" \"counter\"");
    client.command("SET unlucky 1");
    follower.expect("\"SET\" \"unlucky\" \"1\"");
    client.command("SET behind 1");
    let (file, _) = damage(&server, b"unlucky");
    let (sound, report) = check(server.dir());
    assert!(!sound, "{report}");
    assert_eq!(report["damage"]["file"], file.display().to_string());
    let shown = tool(&["log"], server.dir());
    assert_eq!(shown.status.code(), Some(1));
    assert!(text(&shown.stderr).contains(&file.display().to_string()), "{}", text(&shown.stderr));
    let mut late = Follower::start(server.dir());
    late.expect("\"INCR\" \"counter\"");
    assert_eq!(late.child.wait().unwrap().code(), Some(1), "it must not wait for what is damaged");
}

#[test]
fn a_torn_tail_is_reported_and_no_damage() {
    let (mut server, mut client) = filled();
    // The last frame is torn before anything behind it vouches for it.
    client.command("SET last 1");
    server.kill();
    damage(&server, b"last");
    let (sound, report) = check(server.dir());
    // An idle moment may have sealed the frame on a slow machine: then the damage is below what was durable.
    if sound {
        assert_eq!(report["torn_tail"]["offset"], report["end_offset"], "{report}");
        assert!(report["torn_tail"]["bytes"].as_u64().unwrap() > 0);
        let printed = text(&tool(&["check"], server.dir()).stdout);
        assert!(printed.contains(": sound\n") && printed.contains("torn tail"), "{printed}");
        assert!(log(&[], server.dir()).iter().any(|line| line.starts_with("# torn tail in ")));
    } else {
        assert!(report["damage"]["cause"].as_str().unwrap().contains("damaged"), "{report}");
    }
}

#[test]
fn missing_short_and_foreign_files_are_reported_by_name() {
    let server = stopped();
    let first = segments(&server)[0].clone();
    let content = std::fs::read(&first).unwrap();
    for change in ["missing", "bytes long"] {
        match change {
            "missing" => std::fs::remove_file(&first).unwrap(),
            _ => std::fs::write(&first, &content[..content.len() - 4096]).unwrap(),
        }
        let (sound, report) = check(server.dir());
        assert!(!sound);
        assert_eq!(report["damage"]["file"], first.display().to_string());
        assert!(report["damage"]["cause"].as_str().unwrap().contains(change), "{report}");
    }
    std::fs::write(&first, &content).unwrap();
    assert!(check(server.dir()).0);
    std::fs::remove_file(data(&server).join("MANIFEST")).unwrap();
    let (sound, report) = check(server.dir());
    assert!(!sound && report["damage"]["cause"].as_str().unwrap().contains("no MANIFEST"), "{report}");
}

#[test]
fn a_directory_without_data_is_an_error_of_one_line_that_says_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    for words in [["check"], ["log"]] {
        for path in [dir.path().to_owned(), dir.path().join("nowhere")] {
            let output = tool(&words, &path);
            assert_eq!(output.status.code(), Some(1));
            let error = text(&output.stderr);
            assert_eq!(error.lines().count(), 1, "{error}");
            assert!(error.contains(&path.display().to_string()), "{error}");
        }
    }
}

/// `ackd log --follow` and its lines.
struct Follower {
    child: Child,
    lines: mpsc::Receiver<String>,
}

impl Follower {
    fn start(dir: &Path) -> Self {
        let mut child = Command::new(Program::ackd().path)
            .args(["log", "--follow", "--commands"])
            .arg(dir)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the tool runs");
        let stdout = child.stdout.take().expect("a pipe");
        let (send, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if send.send(line).is_err() {
                    return;
                }
            }
        });
        Self { child, lines }
    }

    fn expect(&self, wanted: &str) {
        loop {
            let line = self.lines.recv_timeout(Duration::from_secs(20)).unwrap_or_else(|_| panic!("no {wanted}"));
            if line == wanted {
                return;
            }
        }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn follow_goes_on_as_the_server_writes_across_segments_and_restarts() {
    let (mut server, mut client) = filled();
    let follower = Follower::start(server.dir());
    follower.expect("\"INCR\" \"counter\"");
    client.command("SET fresh 1");
    follower.expect("\"SET\" \"fresh\" \"1\"");
    // More than the first segment of a run holds.
    for n in 0..3 {
        client.call(&[b"SET".to_vec(), format!("large:{n}").into_bytes(), vec![b'x'; 700_000]]).unwrap();
    }
    client.command("SET rolled 1");
    follower.expect("\"SET\" \"rolled\" \"1\"");
    server.kill();
    server.start();
    server.client().command("SET restarted 1");
    follower.expect("\"SET\" \"restarted\" \"1\"");
    let segments = log(&["--segments"], server.dir());
    assert!(segments.len() > 2, "{segments:?}");
    assert!(check(server.dir()).0);
}

#[test]
fn nothing_is_made_inside_of_a_data_directory() {
    let server = stopped();
    let inside = [data(&server), data(&server).join("log"), data(&server).join("snapshots/new/folders")];
    let before = contents(&server);
    let rdb = server.dir().join("dump.rdb");
    std::fs::write(&rdb, b"REDIS0003\x00\x01k\x01v\xff").unwrap();
    for folder in &inside {
        let target = folder.join("made");
        for (words, paths) in [
            (&["import"][..], [rdb.clone(), target.clone()]),
            (&["backup"], [server.dir().into(), target.clone()]),
            (&["restore", "--to-offset", "0"], [server.dir().into(), target.clone()]),
            (&["export"], [server.dir().into(), folder.join("made.rdb")]),
            (&["export"], [server.dir().into(), target.clone()]),
        ] {
            let output = Command::new(Program::ackd().path).args(words).args(paths).output().unwrap();
            let said = text(&output.stderr);
            assert_eq!(output.status.code(), Some(1), "{words:?}: {said}");
            assert!(said.contains("lies in the data directory") && said.lines().count() == 1, "{words:?}: {said}");
        }
    }
    assert_eq!(contents(&server), before);
    assert!(
        inside[..2].iter().all(|folder| !folder.join("made").exists()) && !data(&server).join("snapshots/new").exists()
    );
    let target = server.dir().join("beside");
    let output = Command::new(Program::ackd().path).arg("backup").args([server.dir(), &target]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
}

/// The rows of a table of docs/tools.md below a heading: the name in the first cell, and the second cell.
fn documented(heading: &str) -> BTreeMap<&'static str, &'static str> {
    let text =
        include_str!("../docs/tools.md").split_once(&format!("\n### {heading} --json\n")).expect("the heading").1;
    let rows =
        text.split("\n#").next().unwrap().lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` | "));
    rows.collect()
}

/// The names in an object and all in it.
fn names(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| names(item, found)),
        Value::Object(fields) => fields.iter().for_each(|(name, value)| {
            found.insert(name.clone());
            names(value, found);
        }),
        _ => {}
    }
}

/// Panics unless each name inside of `value` stands in the row.
fn assert_row_names_all(tool: &str, row: &str, value: &Value) {
    let mut found = BTreeSet::new();
    names(value, &mut found);
    let types = documented("import")["types"];
    let is_named = |name: &String| [row, types].iter().any(|text| text.contains(&format!("`{name}`")));
    let missing: Vec<_> = found.iter().filter(|name| !is_named(name)).collect();
    assert!(missing.is_empty(), "{tool}: {missing:?} are not documented in {row}");
}

#[test]
fn the_fields_of_json_are_those_that_are_documented() {
    let (mut server, mut client) = filled();
    assert_eq!(client.command("SAVE").text().unwrap(), "OK");
    client.command("SET last 1");
    server.signal(libc::SIGTERM);
    assert!(server.wait_for_exit(Duration::from_secs(20)).success());
    let at = |name: &str| server.dir().join(name);
    std::fs::write(at("cut.rdb"), b"REDIS0003\x00\x01k\x01v\x00").unwrap();
    let objects = |words: &[&str], paths: &[PathBuf]| -> Vec<Value> {
        let output = Command::new(Program::ackd().path).args(words).arg("--json").args(paths).output().unwrap();
        let lines: Vec<Value> = text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert!(!lines.is_empty(), "{words:?}: {}", text(&output.stderr));
        lines
    };
    let dir = || server.dir().to_path_buf();
    for object in objects(&["log"], &[dir()]) {
        let kind = object["type"].as_str().unwrap();
        let row = format!("`type` {}", documented("log")[kind]);
        assert_row_names_all("log", &row, &object);
    }
    let mut printed = vec![
        ("check", objects(&["check"], &[dir()])),
        ("restore", objects(&["restore", "--before-command", "SET last *"], &[dir(), at("restored")])),
        ("backup", objects(&["backup"], &[dir(), at("copy")])),
        ("import", objects(&["import", "--salvage"], &[at("cut.rdb"), at("imported")])),
        ("export", objects(&["export"], &[dir(), at("data.jsonl")])),
    ];
    let sound = objects(&["repair"], &[dir()]);
    damage(&server, b"last");
    printed.push(("repair", [sound, objects(&["repair"], &[dir()])].concat()));
    printed.push(("check", objects(&["check"], &[dir()])));
    for (tool, objects) in printed {
        let table = documented(tool);
        let mut found = BTreeSet::new();
        for (name, value) in objects.iter().flat_map(|object| object.as_object().unwrap()) {
            found.insert(name.as_str());
            assert_row_names_all(tool, table.get(name.as_str()).unwrap_or(&""), value);
        }
        assert_eq!(found, table.keys().copied().collect(), "{tool}");
    }
}

#[test]
fn a_reader_that_goes_away_ends_the_tool_quietly() {
    let (_server, mut client) = filled();
    client.call(&[b"SET".to_vec(), b"large".to_vec(), vec![b'x'; 900_000]]).unwrap();
    let mut child = Command::new(Program::ackd().path)
        .arg("log")
        .arg(_server.dir())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the tool runs");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("the tool ends");
    assert!(output.stderr.is_empty(), "{}", text(&output.stderr));
    assert!(output.status.success());
    std::io::stdout().flush().unwrap();
}
