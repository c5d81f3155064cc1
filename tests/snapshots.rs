//! Snapshots of the real binary: what they hold, what asks for them, and what becomes of the server when one fails.

#![allow(clippy::unwrap_used)]

mod support;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use support::client::Client;
use support::contents::{assert_same, read};
use support::oracle::Oracle;
use support::population::Population;
use support::process::{Program, Server};
use support::reply::Value;

/// A field of INFO.
fn field(client: &mut Client, name: &str) -> String {
    let text = client.command("INFO everything").text().unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name}:")));
    line.unwrap_or_else(|| panic!("INFO has no {name}")).to_owned()
}

fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_secs(60), "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn ok() -> Value {
    Value::Simple(b"OK".to_vec())
}

/// The process that writes a snapshot.
fn copy_of(server: &Server) -> Option<u32> {
    let pid = server.pid();
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    children.split_whitespace().next()?.parse().ok()
}

fn kill(pid: u32, signal: i32) {
    // SAFETY: a system call without memory of ours.
    unsafe { libc::kill(pid.cast_signed(), signal) };
}

fn files(server: &Server, folder: &str) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir(server.dir().join("ackd-data").join(folder))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    found.sort();
    found
}

/// A server whose snapshots take long, as it has keys.
fn slow() -> Server {
    let server = Program::ackd().start();
    let mut client = server.client();
    for key in 0..200 {
        client.command(&format!("SET key:{key} {key}"));
    }
    assert_eq!(client.command("CONFIG SET rdb-key-save-delay 20000"), ok());
    server
}

#[test]
fn other_servers_load_a_snapshot_with_the_same_content() {
    let server = Program::ackd().start();
    let mut client = server.client();
    for seed in 0..3 {
        Population::new(seed, 60).fill(&mut client);
        assert_eq!(client.command("SAVE"), ok());
        let expected = read(&mut client);
        for oracle in [Oracle::Redis8, Oracle::Valkey] {
            let Some(program) = oracle.program() else { continue };
            let other = program.start_with(|dir| {
                std::fs::copy(server.dir().join("dump.rdb"), dir.join("dump.rdb")).unwrap();
            });
            let mut other = other.client();
            assert_same(&expected, &read(&mut other), oracle.name());
        }
        assert_eq!(client.command("FLUSHALL"), ok());
    }
}

#[test]
fn a_restart_from_a_snapshot_and_the_log_behind_it_finds_everything() {
    for policy in ["always", "everysec", "no"] {
        let mut server = Program::ackd().with("appendfsync", policy).start();
        let mut client = server.client();
        Population::new(7, 150).fill(&mut client);
        for round in 0..4 {
            assert_eq!(client.command("SAVE"), ok());
            client.command(&format!("SET behind:{round} {round}"));
        }
        let expected = read(&mut client);
        drop(client);
        server.kill();
        server.start();
        assert_same(&expected, &read(&mut server.client()), policy);
        let mut client = server.client();
        assert_ne!(field(&mut client, "rdb_last_load_keys_loaded"), "0");
        assert_eq!(client.command("DEBUG RELOAD"), ok());
        assert_same(&expected, &read(&mut client), policy);
        assert_eq!(files(&server, "snapshots").len(), 2);
    }
}

#[test]
fn a_copy_that_is_killed_or_fails_is_reported_and_harms_nothing() {
    let mut server = slow();
    let mut client = server.client();
    assert_eq!(client.call(&["CONFIG", "SET", "save", "900 1"]).unwrap().value, ok());
    for signal in [libc::SIGKILL, libc::SIGSEGV] {
        assert_eq!(client.command("BGSAVE"), Value::Simple(b"Background saving started".to_vec()));
        wait_until("there is a copy", || copy_of(&server).is_some());
        assert_eq!(field(&mut client, "rdb_bgsave_in_progress"), "1");
        // Until then it has the signal handlers of the server.
        wait_until("it writes", || field(&mut client, "current_save_keys_processed") != "0");
        kill(copy_of(&server).unwrap(), signal);
        wait_until("it has ended", || field(&mut client, "rdb_bgsave_in_progress") == "0");
        assert_eq!(field(&mut client, "rdb_last_bgsave_status"), "err");
        assert!(field(&mut client, "snapshot_last_error").contains("signal"));
        assert!(files(&server, "snapshots").is_empty(), "what it wrote is removed");
        // Writes go on, unless it is asked that they do not.
        assert_eq!(client.command("SET a 1"), ok());
        assert_eq!(client.command("CONFIG SET stop-writes-on-bgsave-error yes"), ok());
        for refused in ["SET a 2", "PING"] {
            let reply = client.command(refused);
            assert!(
                matches!(&reply, Value::Error(text) if text.starts_with(b"MISCONF Redis is configured to save")),
                "{reply}"
            );
        }
        assert_eq!(client.command("GET a").text().unwrap(), "1");
        assert_eq!(client.command("CONFIG SET stop-writes-on-bgsave-error no"), ok());
    }
    assert_eq!(client.command("CONFIG SET rdb-key-save-delay 0"), ok());
    assert_eq!(client.command("SAVE"), ok());
    assert_eq!(field(&mut client, "rdb_last_bgsave_status"), "ok");
    drop(client);
    server.kill();
    server.start();
    assert_eq!(server.client().command("DBSIZE"), Value::Integer(201));
}

#[test]
fn a_save_whose_file_cannot_be_replaced_is_no_success() {
    let server = Program::ackd().start();
    let mut client = server.client();
    client.command("SET a 1");
    let (copy, before) = (server.dir().join("dump.rdb"), client.command("LASTSAVE"));
    std::fs::create_dir(&copy).unwrap();
    // In the same second LASTSAVE would not tell.
    std::thread::sleep(Duration::from_millis(1001));
    let refused = client.command("SAVE").to_string();
    assert!(refused.contains(&copy.display().to_string()) && refused.contains("cannot be copied"), "{refused}");
    assert_eq!((client.command("LASTSAVE"), field(&mut client, "rdb_last_bgsave_status")), (before, "err".to_owned()));
    assert_eq!(files(&server, "snapshots").len(), 1, "a start uses it all the same");
    std::fs::remove_dir(&copy).unwrap();
    assert_eq!(client.command("SAVE"), ok());
    assert_eq!(field(&mut client, "rdb_last_bgsave_status"), "ok");
    assert_eq!(std::fs::read(&copy).unwrap(), std::fs::read(files(&server, "snapshots").pop().unwrap()).unwrap());
}

#[test]
fn killing_only_the_server_leaves_port_and_directory_free_at_once() {
    let mut server = slow();
    let mut client = server.client();
    client.command("BGSAVE");
    wait_until("there is a copy", || copy_of(&server).is_some());
    let copy = copy_of(&server).unwrap();
    drop(client);
    server.kill();
    server.start();
    assert_eq!(server.client().command("DBSIZE"), Value::Integer(200));
    assert!(files(&server, "snapshots").is_empty(), "the unfinished file is removed");
    let is_alive = || std::fs::read_to_string(format!("/proc/{copy}/stat")).is_ok_and(|stat| !stat.contains(") Z "));
    wait_until("the copy has ended with its parent", || !is_alive());
}

#[test]
fn save_answers_behind_its_snapshot_and_others_are_served_meanwhile() {
    let server = slow();
    let (mut saver, mut other) = (server.client(), server.client());
    saver.send(&support::client::encode(&["SAVE"])).unwrap();
    wait_until("there is a copy", || copy_of(&server).is_some());
    let begun = Instant::now();
    for key in 0..50 {
        assert_eq!(other.command(&format!("SET during:{key} 1")), ok());
    }
    assert!(begun.elapsed() < Duration::from_secs(2), "writes went on");
    assert_eq!(field(&mut other, "rdb_bgsave_in_progress"), "1");
    assert_eq!(other.command("SAVE"), Value::Error(b"ERR Background save already in progress".to_vec()));
    assert_eq!(saver.receive().unwrap().value, ok());
    assert_eq!(field(&mut other, "rdb_bgsave_in_progress"), "0");
    // What came during it is in the log, and not in the snapshot.
    assert_eq!(field(&mut other, "rdb_changes_since_last_save"), "50");
}

#[test]
fn a_shutdown_or_a_reload_during_a_snapshot_waits_for_nobody() {
    let mut server = slow();
    let mut client = server.client();
    client.command("BGSAVE");
    wait_until("there is a copy", || copy_of(&server).is_some());
    assert_eq!(client.command("DEBUG RELOAD NOSAVE"), ok());
    assert_eq!(field(&mut client, "rdb_last_bgsave_status"), "ok", "it was given up, and did not fail");
    assert_eq!(field(&mut client, "rdb_bgsave_in_progress"), "0");
    client.command("BGSAVE");
    wait_until("there is a copy", || copy_of(&server).is_some());
    drop(client);
    server.signal(libc::SIGTERM);
    assert!(server.wait_for_exit(Duration::from_secs(5)).success());
    server.start();
    assert_eq!(server.client().command("DBSIZE"), Value::Integer(200));
}

#[test]
fn without_a_snapshot_shutdown_save_is_refused_and_a_reload_leaves_the_data_as_they_are() {
    let mut server = Program::ackd().start();
    let mut client = server.client();
    client.command("SET a 1");
    let folder = server.dir().join("ackd-data/snapshots");
    let away = server.dir().join("away");
    std::fs::rename(&folder, &away).unwrap();
    for (command, error) in [
        ("SAVE", "ERR the snapshot failed: cannot write"),
        ("DEBUG RELOAD", "ERR the snapshot failed: cannot write"),
        ("SHUTDOWN SAVE", "ERR Errors trying to SHUTDOWN. Check logs."),
    ] {
        let reply = client.command(command);
        assert!(matches!(&reply, Value::Error(text) if text.starts_with(error.as_bytes())), "{command}: {reply}");
        assert_eq!(client.command("GET a").text().unwrap(), "1", "{command}");
        assert!(!client.command("INCR b").is_error(), "{command}");
    }
    std::fs::rename(&away, &folder).unwrap();
    assert_eq!(client.command("DEBUG RELOAD"), ok());
    assert_eq!(client.command("GET b").text().unwrap(), "3");
    std::fs::rename(&folder, &away).unwrap();
    client.send(&support::client::encode(&["SHUTDOWN", "SAVE", "FORCE"])).unwrap();
    assert!(server.wait_for_exit(Duration::from_secs(5)).success());
    std::fs::rename(&away, &folder).unwrap();
    server.start();
    assert_eq!(server.client().command("GET b").text().unwrap(), "3");
}

#[test]
fn a_snapshot_is_taken_at_the_end_only_where_it_is_asked_for_by_name() {
    let mut server = Program::ackd().with("save", "3600 1").start();
    let copy = server.dir().join("dump.rdb");
    let configure = |server: &Server, setting: &str, how: &str| {
        assert_eq!(server.client().call(&["CONFIG", "SET", setting, how]).unwrap().value, ok());
    };
    for (round, (how, settings, is_taken)) in [
        ("SIGTERM", "default", false),
        ("SHUTDOWN", "default", false),
        ("SHUTDOWN NOSAVE", "save", false),
        ("SHUTDOWN SAVE", "nosave", true),
        ("SIGTERM", "nosave", false),
        ("SIGINT", "nosave now", false),
        ("SIGINT", "save", true),
        ("SIGTERM", "save force", true),
    ]
    .into_iter()
    .enumerate()
    {
        configure(&server, "shutdown-on-sigterm", settings);
        configure(&server, "shutdown-on-sigint", settings);
        let mut client = server.client();
        assert_eq!(client.command("INCR rounds").integer(), Some(round as i64 + 1), "{how}");
        let _ = std::fs::remove_file(&copy);
        match how {
            "SIGTERM" => server.signal(libc::SIGTERM),
            "SIGINT" => server.signal(libc::SIGINT),
            _ => client.send(&support::client::encode(&how.split(' ').collect::<Vec<_>>())).unwrap(),
        }
        assert!(server.wait_for_exit(Duration::from_secs(10)).success(), "{how}");
        assert_eq!(copy.exists(), is_taken, "{how} {settings}");
        server.start();
    }
    // One that fails keeps the server from ending.
    configure(&server, "shutdown-on-sigterm", "save");
    let (folder, away) = (server.dir().join("ackd-data/snapshots"), server.dir().join("away"));
    std::fs::rename(&folder, &away).unwrap();
    server.signal(libc::SIGTERM);
    wait_until("it has tried", || field(&mut server.client(), "rdb_last_bgsave_status") == "err");
    wait_until("writes go on", || server.client().command("INCR rounds").integer() == Some(9));
    std::fs::rename(&away, &folder).unwrap();
}

#[test]
fn what_a_shutdown_saves_is_all_that_was_acknowledged_and_waits_for_no_older_snapshot() {
    let mut server = slow();
    let mut client = server.client();
    client.command("BGSAVE");
    wait_until("there is a copy", || copy_of(&server).is_some());
    // A copy that does nothing any more would be waited for for two minutes.
    kill(copy_of(&server).unwrap(), libc::SIGSTOP);
    assert_eq!(client.command("CONFIG SET rdb-key-save-delay 0"), ok());
    let mut writer = server.client();
    let writing = std::thread::spawn(move || {
        let mut acked = 0;
        while let Ok(reply) = writer.call(&["INCR", "counter"]) {
            acked = reply.value.integer().unwrap();
        }
        acked
    });
    // No client lets writes go before the end.
    let mut other = server.client();
    let unpausing = std::thread::spawn(move || while other.call(&["CLIENT", "UNPAUSE"]).is_ok() {});
    wait_until("it writes", || client.command("GET counter").text().is_some());
    client.send(&support::client::encode(&["SHUTDOWN", "SAVE"])).unwrap();
    assert!(server.wait_for_exit(Duration::from_secs(30)).success());
    let acked = writing.join().unwrap();
    unpausing.join().unwrap();
    // The file alone, as somebody fetches it.
    let copy = server.dir().join("dump.rdb");
    let loaded = Program::ackd().start_with(|dir| {
        let imported = std::process::Command::new(env!("CARGO_BIN_EXE_ackd")).arg("import").args([&copy, dir]).output();
        assert!(imported.unwrap().status.success());
    });
    assert_eq!(loaded.client().command("GET counter").text().unwrap(), acked.to_string());
}

#[test]
fn what_a_snapshot_holds_is_saved_without_its_copy_and_states_that_are_the_same_count_once() {
    let server = Program::ackd().start();
    let mut client = server.client();
    for line in ["SET a 1", "SAVE", "SET b 1", "SAVE", "SAVE", "SAVE"] {
        assert!(!client.command(line).is_error(), "{line}");
    }
    let report =
        std::process::Command::new(env!("CARGO_BIN_EXE_ackd")).args(["check", "--json"]).arg(server.dir()).output();
    let report: serde_json::Value = serde_json::from_slice(&report.unwrap().stdout).unwrap();
    let offsets: Vec<_> = report["snapshots"].as_array().unwrap().iter().map(|snapshot| &snapshot["offset"]).collect();
    assert!(offsets.len() == 2 && offsets[0] != offsets[1], "{report}");
    std::fs::remove_file(server.dir().join("dump.rdb")).unwrap();
    std::fs::create_dir_all(server.dir().join("dump.rdb/full")).unwrap();
    assert_eq!(client.call(&["CONFIG", "SET", "save", "1 1"]).unwrap().value, ok());
    client.command("SET c 1");
    wait_until("it has tried", || field(&mut client, "rdb_last_bgsave_status") == "err");
    assert_eq!(field(&mut client, "rdb_changes_since_last_save"), "0", "the snapshot has them");
}

#[test]
fn save_points_and_a_log_that_outgrows_its_snapshot_ask_for_one() {
    let server = Program::ackd()
        .with("appendfsync", "everysec")
        .with("log-segment-size", "1mb")
        .with("auto-aof-rewrite-min-size", "1mb")
        .start();
    let mut client = server.client();
    let value = "v".repeat(100_000);
    let mut rewrites = 0;
    wait_until("the log was cut short three times", || {
        for key in 0..5 {
            client.call(&["SET", &format!("key:{key}"), &value]).unwrap();
        }
        rewrites = field(&mut client, "aof_rewrites").parse().unwrap();
        rewrites >= 3
    });
    wait_until("old segments are gone", || field(&mut client, "log_size_bytes").parse::<u64>().unwrap() < 40 << 20);
    assert_ne!(field(&mut client, "log_oldest_offset"), "0");
    let words = ["CONFIG", "SET", "auto-aof-rewrite-percentage", "0", "save", "1 3"];
    assert_eq!(client.call(&words).unwrap().value, ok());
    let saves = field(&mut client, "rdb_saves");
    for key in 0..5 {
        client.command(&format!("SET few:{key} 1"));
    }
    wait_until("a save point was reached", || field(&mut client, "rdb_saves") != saves);
}

#[test]
fn a_copy_of_the_newest_snapshot_stands_where_redis_has_its_file() {
    let server = Program::ackd().with("dbfilename", "mine.rdb").start();
    let mut client = server.client();
    let place = server.dir().join("mine.rdb");
    client.command("SET a 1");
    assert_eq!(client.command("SAVE"), ok());
    let newest = files(&server, "snapshots").pop().unwrap();
    assert_eq!(std::fs::read(&place).unwrap(), std::fs::read(&newest).unwrap());
    use std::os::unix::fs::MetadataExt;
    assert_ne!(std::fs::metadata(&place).unwrap().ino(), std::fs::metadata(&newest).unwrap().ino());
    // Who writes onto it harms nothing.
    std::fs::write(&place, "overwritten").unwrap();
    assert_eq!(client.command("CONFIG SET snapshot-copy no"), ok());
    assert_eq!(client.command("SAVE"), ok());
    assert_eq!(std::fs::read(&place).unwrap(), b"overwritten");
    client.command("SET b 1");
    assert_eq!(client.command("CONFIG SET snapshot-copy yes"), ok());
    client.command("BGREWRITEAOF");
    wait_until("it is done", || field(&mut client, "aof_rewrites") == "1");
    assert_eq!(std::fs::read(&place).unwrap(), b"overwritten", "BGREWRITEAOF writes no such file in Redis");
}
