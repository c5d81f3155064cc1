//! Publish and subscribe beside the oracles: random sessions of several connections, of which each must get the same
//! bytes from both servers.

#![allow(clippy::unwrap_used)]

mod support;

use fastrand::Rng;
use support::client::{Client, encode};
use support::oracle::Oracle;
use support::process::{Program, Server};
use support::reply::Value;

const CONNECTIONS: usize = 5;
const STEPS: usize = 2500;

struct Side {
    _server: Server,
    connections: Vec<Client>,
}

impl Side {
    fn new(program: &Program) -> Self {
        let server = program.start();
        let connections = (0..CONNECTIONS).map(|_| server.client()).collect();
        Self { _server: server, connections }
    }

    /// Sends commands by one connection, and answers what each has got when the server is done with them.
    fn step(&mut self, by: usize, commands: &[Vec<String>], marker: &str) -> Vec<Vec<Vec<u8>>> {
        let bytes: Vec<u8> = commands.iter().flat_map(|words| encode(words)).collect();
        self.connections[by].send(&bytes).unwrap();
        // Pings overtake no message: the one by the sender shows that its command is over, the others come behind.
        let mut got = vec![Vec::new(); CONNECTIONS];
        for connection in std::iter::once(by).chain((0..CONNECTIONS).filter(|other| *other != by)) {
            got[connection] = until_marker(&mut self.connections[connection], marker);
        }
        got
    }
}

fn until_marker(connection: &mut Client, marker: &str) -> Vec<Vec<u8>> {
    connection.send(&encode(&["PING", marker])).unwrap();
    let mut got = Vec::new();
    loop {
        let reply = connection.receive().unwrap();
        let end = reply.raw.windows(marker.len()).any(|part| part == marker.as_bytes());
        got.push(reply.raw);
        if end {
            return got;
        }
    }
}

struct Generator(Rng);

impl Generator {
    fn pick(&mut self, from: &[&str]) -> String {
        from[self.0.usize(..from.len())].to_owned()
    }

    fn some(&mut self, command: &str, least: usize, from: &[&str]) -> Vec<String> {
        let count = self.0.usize(least..4);
        let names: Vec<String> = (0..count).map(|_| self.pick(from)).collect();
        std::iter::once(command.to_owned()).chain(names).collect()
    }

    /// A command, or a transaction of some.
    fn commands(&mut self) -> Vec<Vec<String>> {
        if self.0.u8(..12) > 0 {
            return vec![self.words()];
        }
        let mut commands = vec![vec!["MULTI".to_owned()]];
        // What changes the protocol within one is another matter.
        let is_plain = |words: &Vec<String>| !["HELLO", "RESET"].contains(&words[0].as_str());
        let inner: Vec<_> = std::iter::repeat_with(|| self.words()).filter(is_plain).take(2).collect();
        commands.extend(inner);
        commands.push(vec!["EXEC".to_owned()]);
        commands
    }

    fn words(&mut self) -> Vec<String> {
        const CHANNELS: &[&str] = &["a", "b", "ch:1", "ch:2", "", "A"];
        const PATTERNS: &[&str] = &["*", "a*", "ch:?", "[ab]", "ch:1", "", "\\a"];
        let line = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
        match self.0.u8(..30) {
            0..4 => self.some("SUBSCRIBE", 0, CHANNELS),
            4..6 => self.some("PSUBSCRIBE", 0, PATTERNS),
            6..8 => self.some("SSUBSCRIBE", 0, CHANNELS),
            8 => self.some("UNSUBSCRIBE", 0, CHANNELS),
            9 => self.some("PUNSUBSCRIBE", 0, PATTERNS),
            10 => self.some("SUNSUBSCRIBE", 0, CHANNELS),
            11..17 => vec!["PUBLISH".into(), self.pick(CHANNELS), format!("m{}", self.0.u16(..))],
            17..19 => vec!["SPUBLISH".into(), self.pick(CHANNELS), format!("m{}", self.0.u16(..))],
            19 => self.some("PUBSUB NUMSUB", 0, CHANNELS).iter().flat_map(|words| line(words)).collect(),
            20 => self.some("PUBSUB SHARDNUMSUB", 0, CHANNELS).iter().flat_map(|words| line(words)).collect(),
            21 => self.some("PUBSUB CHANNELS", 0, PATTERNS).iter().flat_map(|words| line(words)).collect(),
            22 => self.some("pubsub shardchannels", 0, PATTERNS).iter().flat_map(|words| line(words)).collect(),
            23 => line(&self.pick(&["PUBSUB NUMPAT", "PUBSUB NUMPAT x", "PUBSUB", "PUBSUB foo", "PUBLISH a"])),
            24 => line(&self.pick(&["GET k", "SET k v", "CLIENT ID", "NOSUCH x", "ECHO hello"])),
            25..28 => line("HELLO 3"),
            28 => line("HELLO 2"),
            _ => line("RESET"),
        }
    }
}

/// What may differ between two servers that are both right: the order in which names come, where there is none.
fn normal(commands: &[Vec<String>], mut got: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    let has = |word: &str| commands.iter().any(|words| words.join(" ").to_ascii_uppercase().contains(word));
    if has("HELLO") || has("CLIENT") {
        // What a server says of itself.
        got.iter_mut().for_each(|frame| frame.truncate(1));
    }
    if has("CHANNELS") || has("UNSUBSCRIBE") || has("PUBLISH") {
        // All lines, in an order of their own.
        let frames = std::mem::take(&mut got);
        got = frames.concat().split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
        got.sort();
    }
    got
}

fn compare(oracle: Oracle, seed: u64) {
    let Some(program) = oracle.program() else { return };
    let (mut ours, mut theirs) = (Side::new(&Program::ackd()), Side::new(&program));
    let mut generator = Generator(Rng::with_seed(seed));
    let mut messages = 0;
    for step in 0..STEPS {
        let by = generator.0.usize(..CONNECTIONS);
        let commands = generator.commands();
        // Not a word of the words.
        let marker = format!("marker-{step}-of-{seed}");
        let (mine, other) = (ours.step(by, &commands, &marker), theirs.step(by, &commands, &marker));
        for (connection, (mine, other)) in mine.into_iter().zip(other).enumerate() {
            messages += usize::from(connection != by && mine.len() > 1);
            let (mine, other) = (normal(&commands, mine), normal(&commands, other));
            let shown = |frames: &[Vec<u8>]| frames.concat().escape_ascii().to_string();
            assert_eq!(
                shown(&mine),
                shown(&other),
                "seed {seed}, step {step}: connection {by} sent {commands:?}; connection {connection} got ours, theirs"
            );
        }
    }
    assert!(messages > 100, "{messages} messages prove nothing");
}

#[test]
fn sessions_of_several_connections_get_the_same_bytes() {
    let seed = std::env::var("ACKD_PUBSUB_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    for seed in seed..seed + 2 {
        compare(Oracle::Valkey, seed);
        compare(Oracle::Redis8, seed + 1000);
    }
}

#[test]
fn a_listener_that_is_gone_is_not_counted() {
    let server = Program::ackd().start();
    let mut listener = server.client();
    listener.send(&encode(&["SUBSCRIBE", "c"])).unwrap();
    listener.receive().unwrap();
    let mut publisher = server.client();
    assert_eq!(publisher.command("PUBLISH c x"), Value::Integer(1));
    drop(listener);
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while publisher.command("PUBLISH c x") != Value::Integer(0) {
        assert!(std::time::Instant::now() < deadline);
    }
    assert!(publisher.command("PUBSUB CHANNELS").elements().unwrap().is_empty());
}

#[test]
fn who_listens_is_never_idle() {
    let server = Program::ackd().with("timeout", "1").start();
    let (mut listener, mut idle) = (server.client(), server.client());
    listener.send(&encode(&["SUBSCRIBE", "c"])).unwrap();
    listener.receive().unwrap();
    assert!(idle.receive().is_err(), "who only waits is closed");
    assert_eq!(server.client().command("PUBLISH c x"), Value::Integer(1));
    listener.receive().unwrap();
}
