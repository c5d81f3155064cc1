//! `ackd restore`: a new directory with the data as they were.

#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::path::Path;

use support::client::Client;
use support::contents::{Contents, assert_same, read};
use support::population::Population;
use support::process::{Program, Server};
use support::tools::{data, flip, info, json, refusal, segment_with, stop, text, tool};

/// A server on what the tool makes of `source`, and what it says.
fn restored(source: &Path, options: &[&str]) -> (Server, serde_json::Value) {
    let mut summary = serde_json::Value::Null;
    let server = Program::ackd().start_with(|dir| {
        let (code, said) = json("restore", &[source, dir], options);
        assert_eq!(code, 0);
        summary = said;
    });
    (server, summary)
}

fn offset(client: &mut Client) -> String {
    info(client, "log_executed_offset").to_string()
}

/// Writes that make the log roll on.
fn roll(client: &mut Client, name: &str) {
    for n in 0..5 {
        client.call(&[b"SET".to_vec(), format!("{name}:{n}").into_bytes(), vec![b'x'; 700_000]]).unwrap();
    }
}

/// The keys by name; the large values aside.
fn names(client: &mut Client) -> Vec<String> {
    let found = client.command("KEYS *");
    let mut names: Vec<String> = found.elements().unwrap().iter().map(|name| name.text().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn everything_is_there_again_as_before_a_flushall_also_from_a_running_server() {
    let mut server = Program::ackd().start();
    let mut client = server.client();
    Population { field_expiries: true, ..Population::new(71, 400) }.fill(&mut client);
    let before: Contents = read(&mut client);
    let at = info(&mut client, "log_executed_offset");
    client.command("FLUSHALL ASYNC");
    client.command("SET behind 1");
    let check = |server: &Server| {
        let (again, summary) = restored(server.dir(), &["--before-command", "FLUSHALL"]);
        assert_same(&before, &read(&mut again.client()), "restored");
        assert_eq!((&summary["offset"], &summary["matches"]), (&at.into(), &1.into()), "{summary}");
        assert_eq!(summary["keys"], before.len());
        // It goes on from there.
        let mut client = again.client();
        assert!(info(&mut client, "log_executed_offset") >= at);
        client.command("SET more 1");
        let (code, report) = json("check", &[again.dir()], &[]);
        assert_eq!((code, &report["kept"]["oldest_offset"]), (0, &at.into()), "{report}");
    };
    check(&server);
    stop(&mut server);
    check(&server);
    let dir = tempfile::tempdir().unwrap();
    let said = text(&tool("restore", &[server.dir(), dir.path()], &["--before-command", "flushall"]).stdout);
    for part in ["restored ", " strings", &format!("as at offset {at} ("), "commands that match: 1\n", "MB/s"] {
        assert!(said.contains(part), "{part} is missing in {said}");
    }
}

#[test]
fn an_offset_inside_a_transaction_goes_to_its_beginning_and_that_is_said() {
    let server = Program::ackd().start();
    let mut client = server.client();
    client.command("SET first 1");
    let first = info(&mut client, "log_executed_offset");
    for line in ["MULTI", "SET second 1", "SELECT 1", "SET third 1", "EXEC"] {
        client.command(line);
    }
    let second = info(&mut client, "log_executed_offset");
    for inside in [first + 1, (first + second) / 2, second - 1] {
        let (again, summary) = restored(server.dir(), &["--to-offset", &inside.to_string()]);
        assert_eq!((&summary["offset"], &summary["inside_offset"]), (&first.into(), &inside.into()), "{summary}");
        assert_eq!(names(&mut again.client()), ["first"]);
    }
    let (again, summary) = restored(server.dir(), &["--to-offset", &second.to_string()]);
    assert!(summary["inside_offset"].is_null(), "{summary}");
    let mut client = again.client();
    assert_eq!(names(&mut client), ["first", "second"]);
    client.command("SELECT 1");
    assert_eq!(names(&mut client), ["third"]);
    // What only selects the database of the next command changes nothing: such offsets are named for the matches of a pattern.
    let selects = first + b"*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n".len() as u64;
    let (again, summary) = restored(server.dir(), &["--to-offset", &selects.to_string()]);
    assert_eq!((&summary["offset"], &summary["inside_offset"]), (&first.into(), &serde_json::Value::Null), "{summary}");
    assert_eq!(names(&mut again.client()), ["first"]);
    // A command inside a transaction takes all of it away.
    let (again, summary) = restored(server.dir(), &["--before-command", "SET third*"]);
    assert_eq!(summary["offset"], first);
    assert_eq!(names(&mut again.client()), ["first"]);
    let (again, summary) = restored(server.dir(), &["--to-offset", "0"]);
    assert_eq!((&summary["offset"], &summary["keys"]), (&0.into(), &0.into()));
    assert_eq!(names(&mut again.client()), [""; 0]);
}

#[test]
fn several_matches_are_told_and_the_last_one_counts() {
    let server = Program::ackd().start();
    let mut client = server.client();
    for n in 0..12 {
        client.command(&format!("SET key:{n} 1"));
        client.command("FLUSHDB");
    }
    client.command("SET key:last 1");
    let (again, summary) = restored(server.dir(), &["--before-command", "flushdb"]);
    assert_eq!(names(&mut again.client()), ["key:11"]);
    assert_eq!(summary["matches"], 12);
    let told = summary["last_matches"].as_array().unwrap();
    assert_eq!(told.len(), 10);
    assert!(told.iter().all(|one| one["time"].as_str().unwrap().ends_with('Z') && one["offset"].is_u64()));
    let dir = tempfile::tempdir().unwrap();
    let said = refusal("restore", &[server.dir(), dir.path()], &["--before-command", "FLUSHALL"]);
    assert!(said.contains("no command in what is kept matches \"FLUSHALL\": kept is offset 0 ("), "{said}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn a_time_means_the_state_just_before_it() {
    let server = Program::ackd().start();
    let mut client = server.client();
    client.command("SET early 1");
    std::thread::sleep(std::time::Duration::from_millis(20));
    client.command("SET late 1");
    let log = text(&tool("log", &[server.dir()], &["--json"]).stdout);
    let objects: Vec<serde_json::Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let late = objects.iter().position(|o| o["argv"][1] == "late").unwrap();
    let frame = objects[..late].iter().rfind(|o| o["type"] == "frame").unwrap();
    let (again, _) = restored(server.dir(), &["--to-time", frame["time"].as_str().unwrap()]);
    assert_eq!(names(&mut again.client()), ["early"]);
    let (again, _) = restored(server.dir(), &["--to-time", "2999-01-01"]);
    assert_eq!(names(&mut again.client()), ["early", "late"]);
    let dir = tempfile::tempdir().unwrap();
    let said = refusal("restore", &[server.dir(), dir.path()], &["--to-time", "2001-01-01T00:00"]);
    assert!(said.contains("2001-01-01T00:00:00.000Z is before what is kept: kept is offset 0 (20"), "{said}");
}

#[test]
fn any_point_behind_the_oldest_snapshot_can_be_gone_back_to_and_none_before() {
    let server = Program::ackd().start();
    let mut client = server.client();
    let mut points = Vec::new();
    for round in 0..4 {
        roll(&mut client, &format!("large:{round}"));
        client.command(&format!("SET round {round}"));
        points.push(offset(&mut client));
        assert_eq!(client.command("SAVE").text().unwrap(), "OK");
        client.command(&format!("SET behind {round}"));
        points.push(offset(&mut client));
    }
    let (code, report) = json("check", &[server.dir()], &[]);
    assert_eq!(code, 0, "{report}");
    let oldest = report["kept"]["oldest_offset"].as_u64().unwrap();
    assert_eq!((&oldest.to_string(), report["snapshots"].as_array().unwrap().len()), (&points[4], 2), "{report}");
    for (number, point) in points.iter().enumerate() {
        if number < 4 {
            let dir = tempfile::tempdir().unwrap();
            let said = refusal("restore", &[server.dir(), dir.path()], &["--to-offset", point]);
            assert!(said.contains(&format!("before what is kept: kept is offset {oldest} (")), "{said}");
            continue;
        }
        let (again, summary) = restored(server.dir(), &["--to-offset", point]);
        assert_eq!(summary["offset"].to_string(), *point);
        let mut client = again.client();
        assert_eq!(client.command("GET round").text().unwrap(), (number / 2).to_string());
        let behind = (number / 2 + number % 2).checked_sub(1).map(|n| n.to_string());
        assert_eq!(client.command("GET behind").text(), behind);
    }
    let dir = tempfile::tempdir().unwrap();
    let late = (points[7].parse::<u64>().unwrap() + 1).to_string();
    let said = refusal("restore", &[server.dir(), dir.path()], &["--to-offset", &late]);
    assert!(said.contains("behind the end of the log: kept is offset "), "{said}");
}

#[test]
fn what_is_before_damage_can_be_restored_and_nothing_behind() {
    let mut server = Program::ackd().start();
    let mut client = server.client();
    client.command("SET sound 1");
    let sound = offset(&mut client);
    client.command("SET spoilt 1");
    client.command("SET behind 1");
    let behind = offset(&mut client);
    stop(&mut server);
    flip(&segment_with(&server, b"spoilt"), b"spoilt");
    let dir = tempfile::tempdir().unwrap();
    let said = refusal("restore", &[server.dir(), dir.path()], &["--to-offset", &behind]);
    assert!(said.contains(&format!("--to-offset {sound}")) && said.contains(".seg at byte "), "{said}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    let (again, summary) = restored(server.dir(), &["--to-offset", &sound]);
    assert_eq!(names(&mut again.client()), ["sound"]);
    assert!(summary["damage_behind"].as_str().is_some_and(|damage| damage.contains(".seg at byte ")), "{summary}");
    let said = refusal("restore", &[server.dir(), dir.path()], &["--before-command", "SET behind*"]);
    assert!(said.contains("behind this damage would not be seen: "), "{said}");
}

#[test]
fn a_gap_that_may_hide_a_later_match_is_told_and_one_before_it_is_not() {
    let mut server = Program::ackd().start();
    let mut client = server.client();
    for line in ["SET early 1", "FLUSHALL", "SAVE", "SET spoilt 1", "FLUSHALL", "SET q 1", "SAVE", "SET last 1"] {
        assert!(!client.command(line).is_error(), "{line}");
    }
    stop(&mut server);
    flip(&segment_with(&server, b"spoilt"), b"spoilt");
    let (again, summary) = restored(server.dir(), &["--before-command", "FLUSHALL"]);
    assert_eq!(names(&mut again.client()), ["early"], "the one in the gap is not seen");
    assert!(summary["damage_behind"].as_str().is_some_and(|damage| damage.contains(".seg at byte ")), "{summary}");
    let (again, summary) = restored(server.dir(), &["--before-command", "SET last*"]);
    assert_eq!(names(&mut again.client()), ["q"]);
    assert!(summary["damage_behind"].is_null(), "{summary}");
}

#[test]
fn nothing_is_written_over_and_nothing_is_left_of_what_fails() {
    let server = Program::ackd().start();
    server.client().command("SET key 1");
    let dir = tempfile::tempdir().unwrap();
    let taken = dir.path().join("taken");
    fs::create_dir(&taken).unwrap();
    fs::write(taken.join("mine"), "mine").unwrap();
    for target in [&taken, &taken.join("mine"), &data(&server), &server.dir().to_owned()] {
        let said = refusal("restore", &[server.dir(), target], &["--before-command", "*"]);
        assert!(said.contains("is not empty"), "{said}");
    }
    assert_eq!(fs::read(taken.join("mine")).unwrap(), b"mine");
    // What one that died has left is no hindrance.
    let target = dir.path().join("new");
    fs::create_dir_all(target.join("ackd-data.restoring/log")).unwrap();
    fs::write(target.join("ackd-data.restoring/log/00000000000000000001.seg"), "left").unwrap();
    assert_eq!(json("restore", &[server.dir(), &target], &["--before-command", "*"]).0, 0);
    assert!(target.join("ackd-data").is_dir() && !target.join("ackd-data.restoring").exists());
    let missing = tool("restore", &[server.dir(), &target], &[]);
    assert!(!missing.status.success() && text(&missing.stderr).contains("--to-offset"), "{}", text(&missing.stderr));
}
