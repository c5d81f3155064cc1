//! Real software, unchanged, against the real binary: redis-py, node-redis, redis-cli and redis-benchmark, each also
//! across `kill -9` of the server. What is not installed is skipped with a line that says so; `.ci/install-oracles`
//! installs it. The checks themselves are the scripts in `tests/clients/`.

#![allow(clippy::unwrap_used)]

mod support;

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use support::process::{Program, Server};
use support::reply::Value;

/// Long enough for a busy machine; a script that hangs is a failure, not a wait.
const PATIENCE: Duration = Duration::from_secs(120);
const SOCKET: &str = "server.sock";

fn server() -> Server {
    Program::ackd().with("unixsocket", SOCKET).start()
}

fn socket(server: &Server) -> PathBuf {
    server.dir().join(SOCKET)
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(name)
}

fn installed(relative: &str) -> PathBuf {
    let folder = std::env::var_os("ACKD_ORACLES")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target/oracles"), PathBuf::from);
    folder.join(relative)
}

/// True when the command runs and ends with success.
fn works(command: &mut Command) -> bool {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|s| s.success())
}

fn skipped(what: &str) {
    eprintln!("SKIPPED: {what} not found, run .ci/install-oracles");
}

/// A Python that has redis-py: named by `ACKD_PYTHON`, installed by `.ci/install-oracles`, or the machine's own.
fn python_with_redis() -> Option<PathBuf> {
    let named = std::env::var_os("ACKD_PYTHON").map(PathBuf::from);
    let found = named.into_iter().chain([installed("venv/bin/python"), "python3".into()]).find(|python| {
        let check = "import redis, redis.asyncio; assert int(redis.__version__.split('.')[0]) >= 5";
        works(Command::new(python).args(["-c", check]))
    });
    if found.is_none() {
        skipped("redis-py");
    }
    found
}

/// The folder whose `node_modules` holds node-redis: named by `ACKD_NODE`, or installed by `.ci/install-oracles`.
fn node_redis() -> Option<PathBuf> {
    let folder = std::env::var_os("ACKD_NODE").map_or_else(|| installed("node"), PathBuf::from);
    if folder.join("node_modules/redis").is_dir() && works(Command::new("node").arg("--version")) {
        return Some(folder);
    }
    skipped("node-redis");
    None
}

fn redis_tool(name: &str) -> bool {
    let found = works(Command::new(name).arg("--version"));
    if !found {
        skipped(name);
    }
    found
}

/// A running script. It is killed when dropped; its errors go to the test's own output.
struct Script {
    name: String,
    child: Child,
    lines: Receiver<String>,
}

impl Script {
    fn start(command: &mut Command) -> Self {
        let name = format!("{command:?}");
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|e| panic!("start {name}: {e}"));
        let output = BufReader::new(child.stdout.take().unwrap());
        let (send, lines) = channel();
        thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|line| send.send(line)));
        Self { name, child, lines }
    }

    /// Its next line, or `None` at the end of its output.
    fn line(&self) -> Option<String> {
        match self.lines.recv_timeout(PATIENCE) {
            Ok(line) => Some(line),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("{} says nothing for {PATIENCE:?}", self.name),
        }
    }

    fn expect(&self, wanted: &str) {
        match self.line() {
            Some(line) => assert_eq!(line, wanted, "from {}", self.name),
            None => panic!("{} ended before it said {wanted:?}", self.name),
        }
    }

    fn say(&mut self, text: &str) {
        writeln!(self.child.stdin.as_mut().unwrap(), "{text}").unwrap();
    }

    /// Its last words, after which it must end with success.
    fn succeed(mut self) {
        while let Some(line) = self.line() {
            println!("{line}");
        }
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{} ended with {status}", self.name);
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The server dies while the script writes, and comes back at the same socket.
fn kill_and_restart(server: &mut Server, script: &mut Script) {
    script.expect("waiting");
    thread::sleep(Duration::from_millis(200));
    server.kill();
    script.expect("lost");
    server.start();
    script.say("back");
}

#[test]
fn redis_py_works_unchanged_in_resp2_and_resp3_sync_and_asyncio() {
    let Some(python) = python_with_redis() else { return };
    let server = server();
    let mut command = Command::new(python);
    command.args(["-W", "ignore::DeprecationWarning"]).arg(script("redis_py.py")).arg(server.port().to_string());
    Script::start(&mut command).succeed();
    assert_eq!(server.client().command("DBSIZE"), Value::Integer(0));
}

#[test]
fn redis_py_caches_what_it_reads_and_is_told_what_changes() {
    let Some(python) = python_with_redis() else { return };
    if !works(Command::new(&python).args(["-c", "from redis.connection import CacheProxyConnection"])) {
        return skipped("a redis-py with a client-side cache");
    }
    let server = server();
    Script::start(Command::new(python).arg(script("redis_py_cache.py")).arg(server.port().to_string())).succeed();
    let mut client = server.client();
    assert_eq!(client.command("DBSIZE"), Value::Integer(0));
    while support::tools::info(&mut client, "tracking_clients") > 0 {
        thread::yield_now();
    }
}

#[test]
fn redis_py_finds_every_acked_write_after_kill_nine() {
    let Some(python) = python_with_redis() else { return };
    for policy in ["always", "everysec"] {
        let mut server = Program::ackd().with("unixsocket", SOCKET).with("appendfsync", policy).start();
        let mut writer = Script::start(Command::new(&python).arg(script("redis_py_kill.py")).arg(socket(&server)));
        kill_and_restart(&mut server, &mut writer);
        writer.succeed();
    }
}

#[test]
fn node_redis_works_unchanged_and_finds_every_acked_write_after_kill_nine() {
    let Some(modules) = node_redis() else { return };
    let mut server = server();
    let mut client =
        Script::start(Command::new("node").arg(script("node_redis.mjs")).arg(modules).arg(socket(&server)));
    kill_and_restart(&mut server, &mut client);
    client.succeed();
}

#[test]
fn redis_cli_works_unchanged_with_hints_scans_statistics_and_across_kill_nine() {
    if !redis_tool("redis-cli") {
        return;
    }
    if !works(Command::new("python3").args(["-c", "import pty"])) {
        skipped("python3 (it drives redis-cli's terminal)");
        return;
    }
    let mut server = server();
    let mut driver = Script::start(
        Command::new("python3").arg(script("redis_cli.py")).arg(socket(&server)).arg(server.port().to_string()),
    );
    driver.expect("kill me");
    server.kill();
    server.start();
    driver.say("back");
    driver.succeed();
}

fn benchmark(server: &Server, arguments: &[&str]) -> Command {
    let mut command = Command::new("redis-benchmark");
    command.args(["-p", &server.port().to_string()]).args(arguments);
    command
}

#[test]
fn redis_benchmark_works_unchanged_with_and_without_pipelining() {
    if !redis_tool("redis-benchmark") {
        return;
    }
    let server = server();
    let tests = ["-t", "set,get,incr,mset,ping_inline,ping_mbulk", "--csv"];
    for (turn, options) in
        [&["-n", "4000", "-P", "16"][..], &["-n", "1000"], &["-n", "2000", "--threads", "2", "-P", "4", "-3"]]
            .iter()
            .enumerate()
    {
        let out = benchmark(&server, &[&tests[..], options].concat()).output().unwrap();
        let (text, errors) = (String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
        assert!(out.status.success() && errors.is_empty(), "{options:?}: {errors}{text}");
        for name in ["PING_INLINE", "PING_MBULK", "SET", "GET", "INCR", "MSET (10 keys)"] {
            let row = text.lines().find(|line| line.starts_with(&format!("\"{name}\",")));
            let rate = row.and_then(|row| row.split('"').nth(3)?.parse::<f64>().ok());
            assert!(rate.is_some_and(|rate| rate > 0.0), "{options:?}: no rate of {name} in {text}");
        }
        // Each request of INCR was executed once. (With threads redis-benchmark sends a few more than it was told.)
        let count = server.client().command("GET counter:__rand_int__").text().unwrap().parse::<u64>().unwrap();
        assert!(count >= [4_000, 5_000, 7_000][turn], "{options:?}: {count}");
    }
}

#[test]
fn what_was_seen_while_redis_benchmark_ran_survives_kill_nine() {
    if !redis_tool("redis-benchmark") {
        return;
    }
    let mut server = server();
    let load = ["-n", "100000000", "-P", "16", "-q", "incr", "count"];
    let mut benchmark = benchmark(&server, &load).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let count = |server: &Server| match server.client().command("GET count") {
        value if value.is_null() => 0,
        value => value.text().unwrap().parse::<u64>().unwrap(),
    };
    let deadline = Instant::now() + PATIENCE;
    let mut seen = 0;
    while seen < 10_000 {
        assert!(Instant::now() < deadline, "only {seen} increments in {PATIENCE:?}");
        seen = count(&server);
    }
    server.kill();
    // It ends by itself: its connections are refused.
    assert!(!benchmark.wait().unwrap().success());
    server.start();
    let found = count(&server);
    assert!(found >= seen, "{seen} was seen before the kill, {found} is there");
}
