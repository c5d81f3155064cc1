//! `ackd torture`, in short: ackd keeps its promise under each fault, and the lab sees what is broken. The campaigns
//! are recorded in docs/crash-lab.md.

#![allow(clippy::unwrap_used)]

mod support;

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use support::oracle::Oracle;

fn torture(place: &Path, arguments: &[&str]) -> (i32, Value, String) {
    let Output { status, stdout, stderr } = Command::new(env!("CARGO_BIN_EXE_ackd"))
        .args(["torture", "--json", "--seed", "7", "--cases"])
        .arg(place.join("cases"))
        .args(arguments)
        .current_dir(place)
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&stderr).into_owned();
    let report = serde_json::from_slice(&stdout).unwrap_or_else(|error| panic!("{error}: {errors}"));
    (status.code().unwrap(), report, errors)
}

/// The report of the only fault, or nothing (said aloud) where it cannot be tried on this machine.
fn tried(report: &Value) -> Option<&Value> {
    let part = &report["faults"][0];
    if let Some(why) = part["skipped"].as_str() {
        eprintln!("SKIPPED: {}: {why}", part["fault"]);
        return None;
    }
    Some(part)
}

fn keeps_its_promise(arguments: &[&str]) {
    let place = tempfile::tempdir().unwrap();
    let (code, report, errors) = torture(place.path(), arguments);
    let Some(part) = tried(&report) else { return };
    assert_eq!(code, 0, "{report:#} {errors}");
    assert!(part["acked"].as_u64().unwrap() > 50, "so little was acked that it proves nothing: {part:#}");
    assert!(part["judged"].as_u64().unwrap() > 0, "{part:#}");
    if part["states"].as_u64().unwrap() > 0 {
        assert!(part["of_recoveries"].as_u64().unwrap() > 0, "no recovery was cut off: {part:#}");
        assert!(part["remarks"].to_string().contains("the log was written by"), "{part:#}");
    }
}

#[test]
fn acked_writes_survive_kill_nine_and_sigterm() {
    keeps_its_promise(&["--fault", "kill", "--rounds", "3"]);
    keeps_its_promise(&["--fault", "stop", "--rounds", "2"]);
    keeps_its_promise(&["--fault", "kill", "--rounds", "2", "--appendfsync", "everysec"]);
}

#[test]
fn acked_writes_survive_a_power_cut() {
    keeps_its_promise(&["--fault", "power", "--states", "60", "--operations", "150"]);
    keeps_its_promise(&["--fault", "torn", "--states", "30", "--operations", "100"]);
    // The same when a sync fails before, and for what `everysec` promises.
    keeps_its_promise(&["--fault", "fsync-fail", "--states", "40", "--operations", "100"]);
    let everysec = ["--appendfsync", "everysec", "--may-lose", "1s"];
    keeps_its_promise(&[&["--fault", "power", "--states", "40", "--operations", "150"], &everysec[..]].concat());
}

#[test]
fn acked_writes_survive_a_power_cut_also_without_io_uring() {
    if Command::new("python3").arg("--version").output().is_err() {
        eprintln!("SKIPPED: there is no python3 to take io_uring away");
        return;
    }
    let without = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/no_uring.py");
    let server =
        format!("python3 {without} {} serve --port {{port}} --dir {{dir}} --save ''", env!("CARGO_BIN_EXE_ackd"));
    let place = tempfile::tempdir().unwrap();
    let asked = ["--server", &server, "--fault", "power", "--states", "60", "--operations", "150"];
    let (code, report, errors) = torture(place.path(), &asked);
    let Some(part) = tried(&report) else { return };
    assert_eq!(code, 0, "{report:#} {errors}");
    assert!(part["remarks"].to_string().contains("written by portable"), "{part:#}");
}

#[test]
fn acked_writes_survive_a_full_a_slow_and_a_failing_disk() {
    for fault in ["full", "slow", "eio"] {
        keeps_its_promise(&["--fault", fault, "--rounds", "2", "--operations", "120"]);
    }
}

#[test]
fn a_flipped_bit_is_refused_or_changes_nothing() {
    keeps_its_promise(&["--fault", "flip", "--states", "20", "--operations", "150"]);
}

#[test]
fn a_disk_that_lies_may_lose_but_nothing_wrong_is_served() {
    keeps_its_promise(&["--fault", "fsync-lie", "--states", "40", "--operations", "100"]);
}

#[test]
fn a_broken_promise_is_found_written_down_and_found_again() {
    let place = tempfile::tempdir().unwrap();
    // What `everysec` promises is less than is asked of it here.
    let asked = ["--fault", "power", "--appendfsync", "everysec", "--states", "60", "--operations", "150"];
    let (code, report, errors) = torture(place.path(), &asked);
    let Some(part) = tried(&report) else { return };
    assert_eq!(code, 1, "{report:#} {errors}");
    assert!(part["outcomes"]["lost"].as_u64().unwrap() > 0, "{part:#}");
    assert!(part["outcomes"].get("wrong").is_none(), "what is left is an earlier state: {part:#}");
    let case = Path::new(part["cases"][0]["file"].as_str().unwrap());
    let page = std::fs::read_to_string(case.with_file_name("report.html")).unwrap();
    assert!(page.contains("<svg") && page.contains("lost"));
    let again = Command::new(env!("CARGO_BIN_EXE_ackd")).args(["torture", "--replay"]).arg(case).output().unwrap();
    let text = String::from_utf8_lossy(&again.stdout);
    assert_eq!(again.status.code(), Some(1), "{text}");
    assert!(text.contains("lost"), "{text}");
    // The same run keeps what `everysec` does promise.
    let promised = [&asked[..], &["--may-lose", "2s"]].concat();
    let (code, report, errors) = torture(place.path(), &promised);
    assert_eq!(code, 0, "{report:#} {errors}");
}

#[test]
fn the_known_weaknesses_of_others_are_seen() {
    let Some(program) = Oracle::Redis7.program() else { return };
    let place = tempfile::tempdir().unwrap();
    let line = format!("{} --port {{port}} --dir {{dir}} --save '' --appendonly yes", program.path.display());
    let (code, report, _) =
        torture(place.path(), &["--server", &line, "--fault", "flip", "--states", "60", "--operations", "200"]);
    let part = tried(&report).expect("flips need nothing");
    assert_eq!(code, 1, "a flipped bit in an AOF is loaded without a word: {report:#}");
    assert!(part["outcomes"]["wrong"].as_u64().unwrap() > 0, "{part:#}");
    let case = part["cases"][0]["file"].as_str().unwrap();
    let again = Command::new(env!("CARGO_BIN_EXE_ackd")).args(["torture", "--replay", case]).output().unwrap();
    assert_eq!(again.status.code(), Some(1), "{}", String::from_utf8_lossy(&again.stdout));
    // A second is lost with the power.
    let asked = ["--server", &line, "--fault", "power", "--states", "60", "--names", "journal"];
    let (code, report, _) = torture(place.path(), &asked);
    let Some(part) = tried(&report) else { return };
    assert_eq!(code, 1);
    assert!(part["outcomes"]["lost"].as_u64().unwrap() > 0, "{part:#}");
}

#[test]
fn a_server_that_ends_by_itself_is_broken_also_when_nothing_is_lost() {
    let place = tempfile::tempdir().unwrap();
    let server = format!("timeout -s KILL 2 {} serve --port {{port}} --dir {{dir}}", env!("CARGO_BIN_EXE_ackd"));
    let (code, report, errors) =
        torture(place.path(), &["--server", &server, "--rounds", "1", "--operations", "100000000"]);
    assert_eq!(code, 1, "{report:#} {errors}");
    assert!(report["faults"][0]["first"][0].as_str().unwrap().contains("it ended by itself"), "{report:#}");
}

#[test]
fn what_cannot_be_asked_for_is_an_error_that_says_so() {
    for (arguments, expected) in [
        (&["--fault", "fire"][..], "no such fault; there are kill, stop"),
        (&["--server", "redis-server --dir {dir}"], "no {port}"),
        (&["--duration", "soon"], "'soon' is no time"),
        (&["--workload", "sleep"], "no such workload"),
        (&["--replay", "nothing.json"], "No such file"),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_ackd")).arg("torture").args(arguments).output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert!(text.contains(expected), "{text}");
    }
}
