//! What operators look at, beside the oracles: the same sessions must fill the slow log with the same entries, give the same
//! lines to who monitors, and get replies of LATENCY that are built alike.

#![allow(clippy::unwrap_used)]

mod support;

use std::time::{Duration, Instant};

use support::client::{Client, encode};
use support::oracle::Oracle;
use support::process::{Program, Server};
use support::reply::Value;

const ORACLES: [Oracle; 2] = [Oracle::Valkey, Oracle::Redis7];

type Words = Vec<Vec<u8>>;

fn words(line: &str) -> Words {
    line.split(' ').map(|word| word.as_bytes().to_vec()).collect()
}

/// A server with connections that do what there is to see, and one that looks after them.
struct Side {
    server: Server,
    actors: [Client; 2],
    watcher: Client,
}

impl Side {
    fn new(program: &Program) -> Self {
        let server = program.start();
        let mut side = Self { actors: [server.client(), server.client()], watcher: server.client(), server };
        side.watcher.command("CLIENT SETNAME watcher");
        side.actors[0].command("CLIENT SETNAME actor");
        side
    }

    fn call(&mut self, words: &Words) -> Value {
        self.actors[0].call(words).unwrap().value
    }

    /// One actor waits for a list, and the other serves it in a transaction.
    fn wait_and_serve(&mut self) {
        self.actors[0].send(&encode(&words("BLPOP list 0"))).unwrap();
        let deadline = Instant::now() + Duration::from_secs(20);
        while !self.watcher.command("CLIENT LIST").text().unwrap().contains("flags=b") {
            assert!(Instant::now() < deadline, "nobody waits");
        }
        for line in ["MULTI", "RPUSH list x", "PING", "EXEC"] {
            self.actors[1].command(line);
        }
        self.actors[0].receive().unwrap();
    }
}

/// Commands of all kinds: transactions, errors, passwords, bytes that are quoted, much and long.
fn plain() -> Vec<Words> {
    let lines = "SET a 1|MULTI|SET b 1|INCR b|GET nosuch|EXEC|NOSUCH x|GET|LPUSH s 1|GET s|AUTH x y|AUTH pw|\
        HELLO 2 AUTH default foo SETNAME actor|HELLO 2 AUTH default pw AUTH default pw2|CONFIG SET maxmemory 0|\
        config set masterauth x masteruser y maxmemory 0|CONFIG GET maxmemory|\
        MIGRATE 127.0.0.1 1 nokey 0 10 AUTH pw|MIGRATE 127.0.0.1 1 nokey 0 10 COPY AUTH2 u pw KEYS a|\
        MULTI|AUTH x y|CONFIG SET maxmemory 0|EXEC|SELECT 3|SET a 1|SELECT 0|MULTI|GET|EXEC|MULTI|DISCARD|WATCH a|UNWATCH|\
        WATCH a|SET a 2|MULTI|GET a|EXEC|SUBSCRIBE x|UNSUBSCRIBE x|PUBLISH x y|WAIT 0 1|CLIENT ID|COMMAND COUNT|DEBUG SLEEP 0|\
        INFO server|OBJECT FREQ a|MEMORY USAGE a|CLIENT REPLY ON|SLOWLOG LEN|LATENCY LATEST|SCRIPT EXISTS abc";
    let mut all: Vec<Words> = lines.split('|').map(words).collect();
    all.push((0..41).map(|n| if n == 0 { b"DEL".to_vec() } else { format!("k{n}").into_bytes() }).collect());
    all.push((0..32).map(|n| if n == 0 { b"DEL".to_vec() } else { format!("k{n}").into_bytes() }).collect());
    all.push(vec![b"ECHO".to_vec(), b"a\nb\"\\\x07\x08\x00\xff\t\r'".to_vec()]);
    all.push(vec![b"SET".to_vec(), b"k".to_vec(), vec![b'v'; 200]]);
    all.push(vec![b"SET".to_vec(), b"k".to_vec(), vec![b'v'; 128]]);
    all
}

fn scripts() -> Vec<Words> {
    let eval = |body: &str, keys: &str| -> Words { vec![b"EVAL".to_vec(), body.into(), b"1".to_vec(), keys.into()] };
    vec![
        eval("redis.call('set', KEYS[1], 1) return redis.call('get', KEYS[1])", "k"),
        eval("redis.call('select', 2) redis.call('set', KEYS[1], 1)", "k"),
        eval("return redis.pcall('config', 'set', 'maxmemory', '0')", "k"),
        eval("return redis.pcall('lpush', KEYS[1], '1')", "k"),
        words("MULTI"),
        eval("return redis.call('incr', KEYS[1])", "q"),
        words("EXEC"),
        words("SCRIPT LOAD return"),
    ]
}

/// Words and name of each entry of the slow log, the oldest first.
fn slow_log(program: &Program, session: &[Words], waits: bool) -> Vec<String> {
    let mut side = Side::new(program);
    side.watcher.command("CONFIG SET slowlog-log-slower-than 0 slowlog-max-len 1000000");
    side.watcher.command("SLOWLOG RESET");
    session.iter().for_each(|words| drop(side.call(words)));
    if waits {
        side.wait_and_serve();
        side.call(&words("BLPOP list 0.01"));
    }
    let address = side.actors[0].local_addr().unwrap().to_string();
    let log = side.watcher.command("SLOWLOG GET -1");
    let mut entries = Vec::new();
    let mut last_id = i64::MAX;
    for entry in log.elements().unwrap() {
        let [id, at, took, words, from, name] = entry.elements().unwrap() else { panic!("{entry:?}") };
        assert!(id.integer().unwrap() < last_id && at.integer().unwrap() > 1 << 30 && took.integer().unwrap() >= 0);
        last_id = id.integer().unwrap();
        let words: Vec<_> = words.elements().unwrap().iter().map(|word| word.bytes().unwrap().to_vec()).collect();
        let name = name.text().unwrap();
        assert_eq!(from.text().unwrap() == address, name == "actor", "{from:?}");
        if name != "watcher" {
            entries.push(format!("{name}: {}", words.join(&b' ').escape_ascii()));
        }
    }
    entries.reverse();
    entries
}

#[test]
fn the_slow_log_has_the_entries_of_the_oracle() {
    for oracle in ORACLES {
        let Some(theirs) = oracle.program() else { continue };
        // Redis 7.0 says nothing of who ran a script, or of waits that were in vain.
        let is_valkey = oracle == Oracle::Valkey;
        let session = if is_valkey { [plain(), scripts()].concat() } else { plain() };
        let (mine, theirs) = (slow_log(&Program::ackd(), &session, is_valkey), slow_log(&theirs, &session, is_valkey));
        assert_eq!(mine, theirs, "{oracle:?}");
        assert!(mine.len() > 40, "{} entries prove nothing", mine.len());
    }
}

#[test]
fn the_slow_log_answers_as_the_oracle() {
    for oracle in ORACLES {
        let Some(theirs) = oracle.program() else { continue };
        let (mut ours, mut theirs) = (Side::new(&Program::ackd()), Side::new(&theirs));
        for line in "SLOWLOG RESET|SLOWLOG|SLOWLOG FOO|SLOWLOG GET a|SLOWLOG GET -2|SLOWLOG GET 1 2|SLOWLOG LEN x|SLOWLOG RESET x|\
            CONFIG SET slowlog-log-slower-than 0|PING|PING|PING|SLOWLOG LEN|CONFIG SET slowlog-log-slower-than 10000000|\
            SLOWLOG LEN|CONFIG SET slowlog-max-len 1|SLOWLOG LEN|SLOWLOG RESET|SLOWLOG LEN|SLOWLOG GET|\
            CONFIG SET slowlog-log-slower-than -1|SLOWLOG GET -1|CONFIG SET slowlog-log-slower-than -2|\
            CONFIG SET slowlog-max-len -1"
            .split('|')
        {
            assert_eq!(ours.call(&words(line)), theirs.call(&words(line)), "{oracle:?}: {line}");
        }
    }
}

/// A line without time and port.
fn plain_line(line: &Value) -> String {
    let Value::Simple(line) = line else { return format!("{line:?}") };
    let text = String::from_utf8(line.clone()).unwrap();
    let (time, rest) = text.split_once(' ').unwrap_or_else(|| panic!("{text}"));
    let (seconds, micros) = time.split_once('.').unwrap_or_else(|| panic!("{text}"));
    assert!(seconds.parse::<u64>().unwrap() > 1 << 30 && micros.len() == 6 && micros.parse::<u32>().is_ok(), "{text}");
    let (from, words) = rest.split_once("] ").unwrap_or_else(|| panic!("{text}"));
    let from =
        if from.contains("127.0.0.1:") { format!("{} address", from.split_once(' ').unwrap().0) } else { from.into() };
    format!("{from}] {words}")
}

/// What a monitor is told of a session.
fn monitored(program: &Program, session: &[Words], protocol: u8) -> Vec<String> {
    const END: &str = "this-is-the-end";
    let mut side = Side::new(program);
    let mut monitor = side.server.client();
    monitor.command(&format!("HELLO {protocol}"));
    assert_eq!(monitor.command("MONITOR"), Value::Simple(b"OK".to_vec()));
    session.iter().for_each(|words| drop(side.call(words)));
    side.wait_and_serve();
    side.call(&words("BLPOP list 0.01"));
    for line in ["RESET", &format!("ECHO {END}")] {
        side.call(&words(line));
    }
    let mut lines = Vec::new();
    loop {
        let line = plain_line(&monitor.receive().unwrap().value);
        if line.contains(END) {
            return lines;
        }
        lines.push(line);
    }
}

#[test]
fn who_monitors_gets_the_lines_of_the_oracle() {
    let session = [plain(), scripts()].concat();
    for (oracle, protocol) in [(Oracle::Valkey, 2), (Oracle::Valkey, 3), (Oracle::Redis7, 2)] {
        let Some(theirs) = oracle.program() else { continue };
        let (mine, theirs) = (monitored(&Program::ackd(), &session, protocol), monitored(&theirs, &session, protocol));
        assert_eq!(mine, theirs, "{oracle:?}");
        assert!(mine.iter().any(|line| line.starts_with("[2 lua] \"set\"")), "{mine:?}");
    }
}

/// What a monitoring connection gets for its own commands.
fn as_monitor(program: &Program) -> Vec<String> {
    let server = program.start();
    let (mut monitor, mut other) = (server.client(), server.client());
    let mut got = Vec::new();
    for line in ["MULTI", "MONITOR", "EXEC", "MONITOR"] {
        got.push(format!("{:?}", monitor.command(line)));
    }
    // The second gets no answer, and what is refused no line.
    for line in ["MONITOR", "GET x", "SET x 1", "PUBLISH c x", "PING", "MULTI", "GET x", "EXEC"] {
        monitor.send(&encode(&words(line))).unwrap();
    }
    for at in 0..10 {
        let value = monitor.receive().unwrap().value;
        let is_line = matches!(&value, Value::Simple(text) if text.first() == Some(&b'1'));
        got.push(if is_line { plain_line(&value) } else { format!("{at} {value:?}") });
    }
    let list = other.command("CLIENT LIST").text().unwrap();
    got.extend(list.split_ascii_whitespace().filter(|field| field.starts_with("flags=")).map(str::to_owned));
    for kind in ["normal", "replica", "pubsub"] {
        let list = other.command(&format!("CLIENT LIST TYPE {kind}")).text().unwrap();
        got.push(format!("{} {kind}", list.lines().count()));
    }
    got.push(format!("{:?}", monitor.command("RESET")));
    other.command("PING");
    got.push(format!("{:?}", monitor.command("GET x")));
    got.push(format!("{:?}", monitor.command("MONITOR")));
    monitor.send(&encode(&words("QUIT"))).unwrap();
    let (rest, closed) = monitor.read_to_end();
    got.push(format!("{} {closed}", rest.escape_ascii()));
    got
}

#[test]
fn a_monitoring_connection_is_answered_as_by_the_oracle() {
    for oracle in ORACLES {
        let Some(theirs) = oracle.program() else { continue };
        assert_eq!(as_monitor(&Program::ackd()), as_monitor(&theirs), "{oracle:?}");
    }
}

/// The kind of a reply and of what is in it, with at most so many elements of each list.
fn shape(value: &Value, first: usize) -> String {
    match value {
        Value::Array(items) => {
            format!("[{}]", items.iter().take(first).map(|item| shape(item, first)).collect::<Vec<_>>().join(" "))
        }
        Value::Map(pairs) => {
            let pair = |(key, value): &(Value, Value)| format!("{}={}", shape(key, first), shape(value, first));
            // No order is promised.
            let mut pairs: Vec<String> = pairs.iter().map(pair).collect();
            pairs.sort();
            format!("{{{}}}", pairs.join(" "))
        }
        Value::Integer(_) => "number".into(),
        Value::Verbatim(_) => "text".into(),
        Value::Bulk(text) if text.len() > 40 => "text".into(),
        other => format!("{other:?}"),
    }
}

#[test]
fn latency_answers_are_built_as_those_of_the_oracle() {
    for oracle in ORACLES {
        let Some(theirs) = oracle.program() else { continue };
        let (mut ours, mut theirs) = (Side::new(&Program::ackd()), Side::new(&theirs));
        for line in "LATENCY|LATENCY FOO|LATENCY HISTORY|LATENCY LATEST x|LATENCY DOCTOR x|LATENCY DOCTOR|LATENCY LATEST|\
            LATENCY GRAPH command|CONFIG SET latency-monitor-threshold 20|LATENCY DOCTOR|DEBUG SLEEP 0.005|LATENCY LATEST|\
            DEBUG SLEEP 0.03|LATENCY LATEST|LATENCY HISTORY command|LATENCY HISTORY COMMAND|LATENCY HISTORY nosuch|\
            LATENCY GRAPH nosuch|LATENCY GRAPH command|LATENCY DOCTOR|HELLO 3|LATENCY GRAPH command|LATENCY DOCTOR|HELLO 2|\
            LATENCY RESET nosuch|CONFIG RESETSTAT|LATENCY LATEST|DEBUG SLEEP 0|\
            SET a 1|SET a 2|CONFIG GET maxmemory|LATENCY HISTOGRAM debug|LATENCY HISTOGRAM nosuch|\
            HELLO 3|LATENCY HISTOGRAM debug|LATENCY HISTOGRAM config|HELLO 2|CONFIG SET latency-monitor-threshold 0"
            .split('|')
        {
            // What a bucket is depends on the machine; Valkey 8.1 tells more of an event, and greets with other words.
            let (mine, other) = (ours.call(&words(line)), theirs.call(&words(line)));
            if line.starts_with("HELLO") {
                continue;
            }
            let first = if line == "LATENCY LATEST" { 4 } else { usize::MAX };
            assert_eq!(shape(&mine, first), shape(&other, first), "{oracle:?}: {line}");
        }
        for side in [&mut ours, &mut theirs] {
            let one = side.call(&words("LATENCY RESET command"));
            assert_eq!(one, Value::Integer(1), "{oracle:?}");
        }
    }
}

#[test]
fn histograms_count_every_call_once() {
    let mut side = Side::new(&Program::ackd());
    (0..50).for_each(|_| drop(side.call(&words("ECHO x"))));
    side.call(&words("DEBUG SLEEP 0.01"));
    side.call(&words("HELLO 3"));
    let reply = side.call(&words("LATENCY HISTOGRAM echo debug"));
    for ((name, figures), calls) in reply.pairs().unwrap().into_iter().zip([50, 1]) {
        let figures = figures.pairs().unwrap();
        assert_eq!(figures[0].1.integer(), Some(calls), "{name:?}");
        let counts: Vec<(i64, i64)> = figures[1]
            .1
            .pairs()
            .unwrap()
            .iter()
            .map(|(usec, count)| (usec.integer().unwrap(), count.integer().unwrap()))
            .collect();
        assert!(counts.is_sorted() && counts.last().unwrap().1 == calls, "{counts:?}");
    }
    let slept = reply.pairs().unwrap()[1].1.pairs().unwrap()[1].1.pairs().unwrap()[0].0.integer().unwrap();
    assert!([16_908, 33_816, 67_633].contains(&slept), "{slept}");
}
