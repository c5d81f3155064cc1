//! Runs sessions on a pair of servers and finds the first step whose answers differ.

use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use ackd::command::key_positions::keys_of;
use ackd::command::table;

use super::super::support::client::{Client, REPLY_TIMEOUT, Reply, encode};
use super::super::support::process::Server;
use super::super::support::reply::Value;
use super::accepted::Against;
use super::compare;
use super::coverage::Coverage;
use super::exceptions::is_left_out;
use super::generate::{CONNECTIONS, PARAMETERS, PASSWORD};
use super::step::{Arg, Step, redis_cli};

/// The most commands that are sent before the replies are read.
const PIPELINE: usize = 64;
/// How long raw bytes wait for the server to close the connection.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);
/// Rounds of a SCAN iteration after which it counts as endless.
const SCAN_ROUNDS: usize = 10_000;
/// How often to look whether closed connections are gone.
const GONE_ROUNDS: usize = 1_000;
const DATABASES: usize = 16;
/// How long to look for a reply before it is asked again whether the connection waits.
const WAIT_ROUND: Duration = Duration::from_millis(1);
const WAIT_ROUNDS: usize = 1_000;

/// What came back for one command.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Answer {
    Reply(Reply),
    /// The server closed the connection instead.
    Closed,
    /// No reply in time, or bytes that are no reply.
    Broken(String),
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Reply(reply) => reply.value.fmt(f),
            Self::Closed => f.write_str("(connection closed)"),
            Self::Broken(why) => write!(f, "(broken: {why})"),
        }
    }
}

/// A difference: where it was seen, and what both said.
#[derive(Clone, Debug)]
pub struct Mismatch {
    pub step: usize,
    pub command: String,
    pub name: String,
    pub oracle: String,
    pub tested: String,
}

impl Mismatch {
    /// Equal for differences that probably have one cause: the command, and both answers without their digits.
    pub fn signature(&self) -> String {
        if self.tested.starts_with("-ERR unknown") {
            return format!("{} | unknown", self.name);
        }
        let short = |text: &str| -> String { text.chars().filter(|c| !c.is_ascii_digit()).take(48).collect() };
        format!("{} | {} | {}", self.name, short(&self.oracle), short(&self.tested))
    }
}

/// One server of the pair, and its connections of this session.
struct Side {
    address: SocketAddr,
    control: Option<Client>,
    connections: Vec<Connection>,
}

struct Connection {
    client: Option<Client>,
    id: Vec<u8>,
    address: Vec<u8>,
}

fn is_silence(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

fn answer(result: io::Result<Reply>) -> Answer {
    match result {
        Ok(reply) => Answer::Reply(reply),
        Err(e) if is_silence(&e) => Answer::Broken("no reply in time".into()),
        Err(e) if e.kind() == io::ErrorKind::InvalidData => Answer::Broken(e.to_string()),
        Err(_) => Answer::Closed,
    }
}

/// Pushes that come before a reply are part of what the command caused.
fn receive_with_pushes(client: &mut Client) -> io::Result<Reply> {
    let mut reply = client.receive()?;
    if matches!(reply.value, Value::Push(_)) {
        let next = receive_with_pushes(client)?;
        reply.raw.extend_from_slice(&next.raw);
        reply.value = Value::Array(vec![reply.value, next.value]);
    }
    Ok(reply)
}

impl Side {
    fn new(server: &Server) -> Self {
        Self { address: server.address(), control: None, connections: Vec::new() }
    }

    /// A new connection; the password of an interrupted session is tried.
    fn connect(&self) -> io::Result<Client> {
        let mut client = Client::connect(self.address)?;
        if client.call(&["PING"])?.value.is_error() {
            client.call(&["AUTH", PASSWORD])?;
        }
        Ok(client)
    }

    fn control(&mut self) -> io::Result<&mut Client> {
        let usable = match &mut self.control {
            Some(client) => client.call(&["PING"]).is_ok(),
            None => false,
        };
        if !usable {
            self.control = Some(self.connect()?);
        }
        Ok(self.control.as_mut().expect("connected above"))
    }

    /// Back to an empty server with default settings, and new connections.
    fn reset(&mut self) -> io::Result<()> {
        self.connections.clear();
        let words = |line: &str| line.split(' ').map(|w| w.as_bytes().to_vec()).collect::<Vec<_>>();
        let mut commands = vec![
            words("RESET"),
            words(&format!("AUTH {PASSWORD}")),
            words("CLIENT UNPAUSE"),
            words("DEBUG SET-ACTIVE-EXPIRE 1"),
            words("DEBUG QUICKLIST-PACKED-THRESHOLD 0"),
            words("CONFIG SET maxmemory 0 maxmemory-policy noeviction"),
            words("FLUSHALL"),
            vec![b"CONFIG".to_vec(), b"SET".to_vec(), b"requirepass".to_vec(), Vec::new()],
        ];
        for (name, usual, _) in PARAMETERS {
            commands.push(vec![
                b"CONFIG".to_vec(),
                b"SET".to_vec(),
                name.as_bytes().to_vec(),
                usual.as_bytes().to_vec(),
            ]);
        }
        let control = self.control()?;
        control.pipeline(&commands)?;
        // The connections of the session before must be gone, or CLIENT LIST would show what remains of them.
        for _ in 0..GONE_ROUNDS {
            let clients = control.call(&["CLIENT", "LIST"])?.value;
            if clients.bytes().is_none_or(|list| list.split(|b| *b == b'\n').count() <= 2) {
                break;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        for _ in 0..CONNECTIONS {
            let connection = self.open()?;
            self.connections.push(connection);
        }
        Ok(())
    }

    fn open(&self) -> io::Result<Connection> {
        let mut client = self.connect()?;
        let address = client.local_addr()?.to_string().into_bytes();
        let id = client.call(&["CLIENT", "ID"])?.value.integer().unwrap_or(0).to_string().into_bytes();
        Ok(Connection { client: Some(client), id, address })
    }

    fn resolve(&self, argv: &[Arg]) -> Vec<Vec<u8>> {
        argv.iter()
            .map(|arg| match arg {
                Arg::Bytes(bytes) => bytes.clone(),
                Arg::ClientId(n) => self.connections[*n].id.clone(),
                Arg::ClientAddress(n) => self.connections[*n].address.clone(),
                Arg::ServerAddress => self.address.to_string().into_bytes(),
            })
            .collect()
    }

    /// Sends without reading. A connection that was closed in an earlier step is opened anew.
    fn send(&mut self, connection: usize, bytes: &[u8]) -> io::Result<()> {
        if self.connections[connection].client.is_none() {
            self.connections[connection] = self.open()?;
        }
        let slot = &mut self.connections[connection];
        if let Some(client) = &mut slot.client {
            // A connection that the server has closed shows when the replies are read.
            let _ = client.send(bytes);
        }
        Ok(())
    }

    /// Sends a command that may wait, and sees to it that it does, or has answered.
    fn begin_wait(&mut self, connection: usize, argv: &[Arg]) -> io::Result<Option<Answer>> {
        self.send(connection, &encode(&self.resolve(argv)))?;
        let id = self.connections[connection].id.clone();
        for _ in 0..WAIT_ROUNDS {
            let list = self.control()?.call(&[b"CLIENT", &b"LIST"[..], b"ID", &id])?.value;
            let list = String::from_utf8_lossy(list.bytes().unwrap_or_default()).into_owned();
            let flags = list.split(' ').find_map(|field| field.strip_prefix("flags=")).unwrap_or_default();
            if flags.contains('b') {
                return Ok(None);
            }
            let Some(client) = &mut self.connections[connection].client else { return Ok(Some(Answer::Closed)) };
            client.set_timeout(WAIT_ROUND)?;
            let result = receive_with_pushes(client);
            client.set_timeout(REPLY_TIMEOUT)?;
            if !result.as_ref().is_err_and(is_silence) {
                return Ok(Some(answer(result)));
            }
        }
        Ok(Some(Answer::Broken("neither waits nor answers".into())))
    }

    /// What a key was: type and encoding (`set listpack`); `None` if it was not there.
    fn receive_type(&mut self, connection: usize) -> Option<String> {
        let words = [self.receive(connection), self.receive(connection)].map(|answer| match answer {
            Answer::Reply(reply) if !reply.value.is_error() => {
                reply.value.bytes().map(|word| String::from_utf8_lossy(word).into_owned())
            }
            _ => None,
        });
        let [Some(name), Some(encoding)] = words else { return None };
        Some(format!("{name} {encoding}"))
    }

    fn receive(&mut self, connection: usize) -> Answer {
        let slot = &mut self.connections[connection];
        let Some(client) = &mut slot.client else { return Answer::Closed };
        let answer = answer(receive_with_pushes(client));
        if !matches!(answer, Answer::Reply(_)) {
            slot.client = None;
        }
        answer
    }
}

/// The most keys of a command that are asked about.
const KEYS_ASKED: usize = 3;

/// The first keys of a command.
fn keys_met(argv: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let words: Vec<&[u8]> = argv.iter().map(Vec::as_slice).collect();
    let found = table::resolve(&words).and_then(|row| keys_of(row.spec, &words)).unwrap_or_default();
    found.iter().take(KEYS_ASKED).filter_map(|key| argv.get(key.at).cloned()).collect()
}

fn begins_transaction(argv: &[Arg]) -> bool {
    matches!(argv.first(), Some(Arg::Bytes(name)) if name.eq_ignore_ascii_case(b"MULTI"))
}

/// Two servers that are given the same steps.
pub struct Pair {
    against: Against,
    oracle: Side,
    tested: Side,
    /// Per connection, the commands queued since MULTI.
    queued: Vec<Vec<Vec<Vec<u8>>>>,
    /// Per connection, whether it is inside a transaction.
    in_transaction: [bool; CONNECTIONS],
    /// Whether the tested server is asked before each command for the types and encodings of its keys.
    pub looks: bool,
    pub coverage: Coverage,
}

impl Pair {
    pub fn new(oracle: &Server, tested: &Server) -> Self {
        Self {
            against: Against::oracle(oracle.name()),
            oracle: Side::new(oracle),
            tested: Side::new(tested),
            queued: Vec::new(),
            in_transaction: [false; CONNECTIONS],
            looks: false,
            coverage: Coverage::default(),
        }
    }

    /// Runs a session on both servers; the first difference ends it. An error means that a server cannot be reached.
    pub fn run(&mut self, steps: &[Step]) -> io::Result<Option<Mismatch>> {
        self.oracle.reset()?;
        self.tested.reset()?;
        self.queued = vec![Vec::new(); CONNECTIONS];
        self.in_transaction = [false; CONNECTIONS];
        let mut at = 0;
        while at < steps.len() {
            let end = match &steps[at] {
                Step::Command { connection, .. } => {
                    let same = |step: &Step| matches!(step, Step::Command { connection: c, .. } if c == connection);
                    at + steps[at..].iter().take(PIPELINE).take_while(|step| same(step)).count()
                }
                _ => at + 1,
            };
            let mismatch = match &steps[at] {
                Step::Command { connection, .. } => self.batch(*connection, at, &steps[at..end])?,
                Step::Raw { bytes } => self.raw(at, bytes)?,
                Step::Scan { connection, options } => self.scan(*connection, at, options)?,
                Step::Carry { connection, from, to, ttl, options, own, damage } => {
                    let restore = [&[to.clone(), ttl.clone(), Vec::new()], &options[..]].concat();
                    self.carry(*connection, at, from, &restore, *own, *damage)?
                }
                Step::Waiting { waits, meanwhile } => self.waiting(at, waits, meanwhile)?,
                Step::Sleep { milliseconds } => {
                    std::thread::sleep(Duration::from_millis(*milliseconds));
                    None
                }
                Step::Dump => self.dump(at)?,
            };
            if mismatch.is_some() {
                return Ok(mismatch);
            }
            at = end;
        }
        Ok(None)
    }

    fn batch(&mut self, connection: usize, first: usize, steps: &[Step]) -> io::Result<Option<Mismatch>> {
        let lines =
            steps.iter().filter_map(|step| if let Step::Command { argv, .. } = step { Some(argv) } else { None });
        let lines: Vec<&Vec<Arg>> = lines.collect();
        let looks =
            self.looks && !self.in_transaction[connection] && !lines.iter().any(|argv| begins_transaction(argv));
        let seen: Vec<Vec<Vec<u8>>> =
            lines.iter().map(|argv| if looks { keys_met(&self.tested.resolve(argv)) } else { Vec::new() }).collect();
        let bytes: Vec<u8> = lines.iter().flat_map(|argv| encode(&self.oracle.resolve(argv))).collect();
        self.oracle.send(connection, &bytes)?;
        let mut bytes = Vec::new();
        for (argv, keys) in lines.iter().zip(&seen) {
            for key in keys {
                bytes.extend(encode(&[b"TYPE", &key[..]]));
                bytes.extend(encode(&[&b"OBJECT"[..], b"ENCODING", key]));
            }
            bytes.extend(encode(&self.tested.resolve(argv)));
        }
        self.tested.send(connection, &bytes)?;
        for (i, (line, keys)) in lines.iter().zip(&seen).enumerate() {
            let oracle = self.oracle.receive(connection);
            let met = keys.iter().filter_map(|_| self.tested.receive_type(connection)).collect();
            let tested = self.tested.receive(connection);
            let argv = self.oracle.resolve(line);
            if let Some(mut mismatch) = self.compare(connection, &argv, &oracle, &tested, &met) {
                mismatch.step = first + i;
                mismatch.command = redis_cli(line);
                return Ok(Some(mismatch));
            }
        }
        Ok(None)
    }

    /// Some connections wait, one after the other, until what others do has answered all of them.
    fn waiting(&mut self, at: usize, waits: &[(usize, Vec<Arg>)], meanwhile: &[Step]) -> io::Result<Option<Mismatch>> {
        let mut early = Vec::new();
        for (connection, argv) in waits {
            let oracle = self.oracle.begin_wait(*connection, argv)?;
            let tested = self.tested.begin_wait(*connection, argv)?;
            early.push([oracle, tested]);
        }
        for step in meanwhile {
            if let Step::Command { connection, .. } = step
                && let Some(mismatch) = self.batch(*connection, at, std::slice::from_ref(step))?
            {
                return Ok(Some(mismatch));
            }
        }
        for ((connection, argv), [oracle, tested]) in waits.iter().zip(early) {
            let oracle = oracle.unwrap_or_else(|| self.oracle.receive(*connection));
            let tested = tested.unwrap_or_else(|| self.tested.receive(*connection));
            let words = self.oracle.resolve(argv);
            if let Some(mut mismatch) = self.compare(*connection, &words, &oracle, &tested, &BTreeSet::new()) {
                (mismatch.step, mismatch.command) = (at, redis_cli(argv));
                return Ok(Some(mismatch));
            }
        }
        Ok(None)
    }

    /// Compares the replies to one command; `met` are the types and encodings of its keys, as far as they are known.
    fn compare(
        &mut self,
        connection: usize,
        argv: &[Vec<u8>],
        oracle: &Answer,
        tested: &Answer,
        met: &BTreeSet<String>,
    ) -> Option<Mismatch> {
        let queued = &mut self.queued[connection];
        let inner = inner_mismatch(self.against, queued, argv, oracle, tested);
        if inner.is_some() {
            return inner;
        }
        let equal = match (oracle, tested) {
            (Answer::Reply(l), Answer::Reply(r)) => {
                let equal = l.raw == r.raw || compare::equal(self.against, argv, queued, &l.value, &r.value);
                if equal {
                    if let (Some(items), "exec") = (r.value.elements(), compare::command_name(argv).as_str()) {
                        for (argv, reply) in queued.iter().zip(items) {
                            self.coverage.note(argv, reply, &BTreeSet::new());
                        }
                    }
                    self.coverage.note(argv, &r.value, met);
                }
                if matches!(&l.value, Value::Simple(text) if text == b"QUEUED") {
                    queued.push(argv.to_vec());
                } else if matches!(compare::command_name(argv).as_str(), "exec" | "discard" | "reset" | "multi") {
                    let begins = compare::command_name(argv) == "multi";
                    let nested = l.value.is_error() && begins;
                    if !nested {
                        queued.clear();
                        self.in_transaction[connection] = begins;
                    }
                }
                equal
            }
            (l, r) => {
                queued.clear();
                self.in_transaction[connection] = false;
                l == r && *l == Answer::Closed
            }
        };
        (!equal).then(|| Mismatch {
            step: 0,
            command: String::new(),
            name: compare::command_name(argv),
            oracle: oracle.to_string(),
            tested: tested.to_string(),
        })
    }

    fn raw(&mut self, step: usize, bytes: &[u8]) -> io::Result<Option<Mismatch>> {
        let mut outputs = Vec::new();
        for side in [&mut self.oracle, &mut self.tested] {
            let mut client = Client::connect(side.address)?;
            client.set_timeout(CLOSE_TIMEOUT)?;
            // The server may close while bytes are still being sent; what it said before that counts.
            let _ = client.send(bytes);
            // What the bytes leave unfinished is finished by this; it must not cost the replies before it.
            let _ = client.finish_sending();
            outputs.push(client.read_to_end());
        }
        let [oracle, tested] = &outputs[..] else { unreachable!("two sides") };
        self.coverage.commands += 1;
        if oracle == tested || raw_equal(self.against, oracle, tested) {
            return Ok(None);
        }
        let shown = |(bytes, closed): &(Vec<u8>, bool)| {
            format!("{}{}", bytes.escape_ascii(), if *closed { "" } else { " (not closed)" })
        };
        let shortened = &bytes[..bytes.len().min(300)];
        Ok(Some(Mismatch {
            step,
            command: format!("[raw] \"{}\"", shortened.escape_ascii()),
            name: "[raw]".into(),
            oracle: shown(oracle),
            tested: shown(tested),
        }))
    }

    /// DUMP on both servers, whose payloads need not be equal, and RESTORE of one of them on both; `restore` are its
    /// arguments, the payload still empty.
    fn carry(
        &mut self,
        connection: usize,
        step: usize,
        from: &[u8],
        restore: &[Vec<u8>],
        own: bool,
        damage: Option<usize>,
    ) -> io::Result<Option<Mismatch>> {
        let dump = [b"DUMP".to_vec(), from.to_vec()];
        let mut payloads = Vec::new();
        let mut answers = Vec::new();
        for side in [&mut self.oracle, &mut self.tested] {
            side.send(connection, &encode(&dump))?;
            let answer = side.receive(connection);
            if let Answer::Reply(Reply { value: Value::Bulk(payload), .. }) = &answer {
                payloads.push(payload.clone());
            }
            answers.push(answer);
        }
        let [oracle, tested] = &answers[..] else { unreachable!("two sides") };
        let shown = |argv: &[Vec<u8>]| redis_cli(&argv.iter().cloned().map(Arg::Bytes).collect::<Vec<_>>());
        if payloads.len() < 2 {
            // Nothing there, or an error: on both, and the same.
            let mismatch = self.compare(connection, &dump, oracle, tested, &BTreeSet::new());
            return Ok(mismatch.map(|mismatch| Mismatch { step, command: shown(&dump), ..mismatch }));
        }
        // An oracle cannot be expected to know a version above its own.
        let [version_of_oracle, version_of_tested] = [0, 1].map(|side: usize| version_of(&payloads[side]));
        let is_tested = own && version_of_tested <= version_of_oracle;
        let mut payload = payloads.swap_remove(usize::from(is_tested));
        if let Some(at) = damage.and_then(|damage| payload.len().checked_sub(1 + damage)) {
            payload[at] ^= 0x55;
        }
        let argv = [&[b"RESTORE".to_vec()], restore].concat();
        let mut sent = argv.clone();
        sent[3] = payload;
        let mut answers = Vec::new();
        for side in [&mut self.oracle, &mut self.tested] {
            side.send(connection, &encode(&sent))?;
            answers.push(side.receive(connection));
        }
        let mismatch = self.compare(connection, &argv, &answers[0], &answers[1], &BTreeSet::new());
        Ok(mismatch.map(|mismatch| Mismatch { step, command: format!("DUMP, {}", shown(&argv)), ..mismatch }))
    }

    /// A whole iteration on both servers. The first reply is compared as such: it may be an error, or QUEUED.
    fn scan(&mut self, connection: usize, step: usize, options: &[Vec<u8>]) -> io::Result<Option<Mismatch>> {
        let line = |cursor: &[u8]| {
            let mut argv = vec![b"SCAN".to_vec(), cursor.to_vec()];
            argv.extend(options.iter().cloned());
            argv
        };
        let first = line(b"0");
        let command = || redis_cli(&first.iter().cloned().map(Arg::Bytes).collect::<Vec<_>>());
        let mut replies = Vec::new();
        for side in [&mut self.oracle, &mut self.tested] {
            side.send(connection, &encode(&first))?;
            replies.push(side.receive(connection));
        }
        if let Some(mut mismatch) = self.compare(connection, &first, &replies[0], &replies[1], &BTreeSet::new()) {
            (mismatch.step, mismatch.command) = (step, command());
            return Ok(Some(mismatch));
        }
        let mut all = Vec::new();
        for (side, reply) in [&mut self.oracle, &mut self.tested].into_iter().zip(replies) {
            let mut seen = BTreeSet::new();
            let mut reply = reply;
            for round in 0.. {
                let Answer::Reply(Reply { value, .. }) = &reply else { break };
                let Some([Value::Bulk(cursor), Value::Array(keys)]) = value.elements() else { break };
                seen.extend(keys.iter().filter_map(Value::bytes).map(<[u8]>::to_vec));
                if cursor == b"0" {
                    break;
                }
                if round == SCAN_ROUNDS {
                    seen.insert(b"(the iteration does not end)".to_vec());
                    break;
                }
                let next = line(cursor);
                side.send(connection, &encode(&next))?;
                reply = side.receive(connection);
            }
            all.push(seen);
        }
        if all[0] == all[1] {
            return Ok(None);
        }
        let shown = |keys: &BTreeSet<Vec<u8>>| {
            keys.iter().map(|key| format!("\"{}\"", key.escape_ascii())).collect::<Vec<_>>().join(" ")
        };
        Ok(Some(Mismatch {
            step,
            command: format!("{} (whole iteration)", command()),
            name: "scan (iteration)".into(),
            oracle: shown(&all[0]),
            tested: shown(&all[1]),
        }))
    }

    /// Compares all keys of all databases: value, expiry, encoding; and Redis' own digest of everything.
    fn dump(&mut self, step: usize) -> io::Result<Option<Mismatch>> {
        let states = [state(self.oracle.control()?)?, state(self.tested.control()?)?];
        let [oracle, tested] = &states;
        let differ = |(l, r): &(&Fact, &Fact)| {
            l.what != r.what || (l.value != r.value && !compare::equal(self.against, &l.argv, &[], &l.value, &r.value))
        };
        let mismatch = oracle.iter().zip(tested).find(differ).map(|(l, r)| (l.to_string(), r.to_string()));
        let mismatch = mismatch.or_else(|| {
            (oracle.len() != tested.len())
                .then(|| (format!("{} facts", oracle.len()), format!("{} facts", tested.len())))
        });
        Ok(mismatch.map(|(oracle, tested)| Mismatch {
            step,
            command: "(the whole state)".into(),
            name: "state".into(),
            oracle,
            tested,
        }))
    }
}

/// The RDB version that the footer of a payload names.
fn version_of(payload: &[u8]) -> u16 {
    let footer = payload.last_chunk::<10>().map_or([0; 2], |footer| [footer[0], footer[1]]);
    u16::from_le_bytes(footer)
}

/// The command of a transaction whose reply differs, so that a difference is reported by its name.
fn inner_mismatch(
    against: Against,
    queued: &[Vec<Vec<u8>>],
    argv: &[Vec<u8>],
    oracle: &Answer,
    tested: &Answer,
) -> Option<Mismatch> {
    let (Answer::Reply(l), Answer::Reply(r)) = (oracle, tested) else { return None };
    let (l, r) = (l.value.elements()?, r.value.elements()?);
    if compare::command_name(argv) != "exec" || l.len() != r.len() || l.len() != queued.len() {
        return None;
    }
    let replies = queued.iter().zip(l.iter().zip(r));
    let (argv, (l, r)) = replies.into_iter().find(|(argv, (l, r))| !compare::equal(against, argv, &[], l, r))?;
    let name = format!("{} (in EXEC)", compare::command_name(argv));
    Some(Mismatch { step: 0, command: String::new(), name, oracle: l.to_string(), tested: r.to_string() })
}

/// One observation about the state, and the command that made it.
struct Fact {
    what: String,
    argv: Vec<Vec<u8>>,
    value: Value,
}

impl std::fmt::Display for Fact {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.what, self.value)
    }
}

fn state(control: &mut Client) -> io::Result<Vec<Fact>> {
    let words = |line: &str| -> Vec<Vec<u8>> { line.split(' ').map(|w| w.as_bytes().to_vec()).collect() };
    // SCAN removes what has expired, which the digest would still count; so it goes first.
    let mut lines: Vec<Vec<Vec<u8>>> = Vec::new();
    for database in 0..DATABASES {
        lines.push(words(&format!("SELECT {database}")));
        lines.push(words("SCAN 0 COUNT 1000000"));
        lines.push(words("KEYS *"));
    }
    let replies = control.pipeline(&lines)?;
    let mut questions = Vec::new();
    let mut labels = Vec::new();
    for database in 0..DATABASES {
        let mut keys: Vec<Vec<u8>> = replies[2 + 3 * database]
            .value
            .elements()
            .map(|keys| keys.iter().filter_map(Value::bytes).map(<[u8]>::to_vec).collect())
            .unwrap_or_default();
        keys.sort();
        questions.push(words(&format!("SELECT {database}")));
        labels.push(format!("database {database}"));
        for key in keys {
            for line in ["GET", "PEXPIRETIME", "OBJECT ENCODING", "OBJECT REFCOUNT"] {
                let mut argv = words(line);
                argv.push(key.clone());
                labels.push(format!("database {database}, {line} {}", key.escape_ascii()));
                questions.push(argv);
            }
        }
    }
    // Last, so that a difference is first shown by the key that causes it.
    questions.push(words("DEBUG DIGEST"));
    labels.push("all databases".into());
    let answers = control.pipeline(&questions)?;
    let facts = labels.into_iter().zip(questions).zip(answers);
    Ok(facts.map(|((what, argv), reply)| Fact { what, argv, value: reply.value }).collect())
}

/// HELLO's reply holds the connection's id: with the digits after it left out, the bytes must be equal.
fn raw_equal(against: Against, oracle: &(Vec<u8>, bool), tested: &(Vec<u8>, bool)) -> bool {
    let (left, right) = (without_hello(against, &oracle.0), without_hello(against, &tested.0));
    oracle.1 == tested.1 && left.is_some() && left == right
}

fn without_hello(against: Against, bytes: &[u8]) -> Option<Vec<String>> {
    let mut at = 0;
    let mut out = Vec::new();
    while at < bytes.len() {
        let (value, length) = super::super::support::reply::parse_reply(&bytes[at..]).ok()?;
        out.push(match compare::hello_fields(&value) {
            Some(fields) => fields.iter().map(|(name, value)| format!("{name}={value};")).collect(),
            None => {
                let text = bytes[at..at + length].escape_ascii().to_string();
                let may_differ = is_left_out(against, "hello", "<proto> in an error text");
                if may_differ { text.replace("HELLO <proto> AUTH", "HELLO AUTH") } else { text }
            }
        });
        at += length;
    }
    Some(out)
}
