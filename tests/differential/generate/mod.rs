//! Makes sessions from seeds. The generator knows the grammar of the commands and keeps a faint picture of the
//! session (which connection is inside a transaction), nothing else; it never sees a reply.

mod bitmaps;
mod carry;
mod episodes;
mod geo;
mod hashes;
mod hyperloglog;
mod keys;
pub mod lists;
mod newer;
mod parameters;
mod protocol;
pub mod scripts;
mod server;
mod sets;
mod sort;
mod streams;
mod strings;
mod values;
mod zsets;

pub use parameters::PARAMETERS;

use super::accepted::Against;
use super::not_asked::NOT_ASKED;
use super::step::{Arg, Step};

/// Connections of a session.
pub const CONNECTIONS: usize = 4;
/// The password that sessions set and take back.
pub const PASSWORD: &str = "sesame";

/// Makes one session.
pub struct Generator {
    against: Against,
    rng: fastrand::Rng,
    steps: Vec<Step>,
    /// The connection that speaks now: runs of commands on one connection can be pipelined.
    current: usize,
    in_transaction: [bool; CONNECTIONS],
    /// Ids given to entries of streams.
    entries: u64,
    /// Families that most commands are of: with all of them at once, few would find what they need.
    focus: [u32; 2],
    /// Whether this session is mostly about what succeeds: see [`is_deep`].
    deep: bool,
    /// Whether members of sets are integers, and nothing else.
    integers: bool,
}

/// Of how many numbers each leads to a family of commands on values.
const FAMILIES: u32 = 15;
/// Two more for deep sessions: commands on keys, and SORT.
const KEYS: u32 = 15;
const SORT: u32 = 16;
/// What deep sessions are about: those of many options more often.
const DEEP_FAMILIES: &[u32] = &[
    0, 0, 0, 3, 3, 3, 4, 4, 4, 4, 4, 6, 6, 6, 7, 7, 7, 8, 8, 8, 10, 10, 12, 12, 12, 12, 12, 14, 14, KEYS, KEYS, KEYS,
    KEYS, KEYS, KEYS, SORT, SORT, SORT, SORT,
];

/// Whether the session of a seed goes deep: it stays with the commands of one family, makes few mistakes, and sets the
/// thresholds between encodings so that each of them is met. The others go wide.
pub fn is_deep(seed: u64) -> bool {
    !seed.is_multiple_of(4)
}

/// Settings of deep sessions: the usual ones, and such that small values have each encoding. Sets of integers may grow
/// no smaller than others: else the encoding of a union would depend on which members come first, which is chance.
const THRESHOLDS: &[&[&str]] = &[
    &["hash-max-listpack-entries 128", "hash-max-listpack-entries 128", "hash-max-listpack-entries 0"],
    &["list-max-listpack-size -2", "list-max-listpack-size -2", "list-max-listpack-size 1"],
    &[
        "set-max-intset-entries 512 set-max-listpack-entries 128",
        "set-max-intset-entries 6 set-max-listpack-entries 6",
        "set-max-intset-entries 4 set-max-listpack-entries 0",
        "set-max-intset-entries 0 set-max-listpack-entries 0",
    ],
    &["zset-max-listpack-entries 128", "zset-max-listpack-entries 128", "zset-max-listpack-entries 0"],
    &["stream-node-max-entries 100", "stream-node-max-entries 2", "stream-node-max-entries 4"],
    &["hll-sparse-max-bytes 3000", "hll-sparse-max-bytes 0", "hll-sparse-max-bytes 100"],
];

/// The session of a seed, with about `length` steps.
pub fn session(against: Against, seed: u64, length: usize) -> Vec<Step> {
    let mut generator = Generator {
        against,
        rng: fastrand::Rng::with_seed(seed),
        steps: Vec::with_capacity(length + 64),
        current: 0,
        in_transaction: [false; CONNECTIONS],
        entries: 0,
        focus: [0; 2],
        deep: is_deep(seed) && against != Against::Redis8,
        integers: false,
    };
    generator.focus = [generator.rng.u32(0..FAMILIES), generator.rng.u32(0..FAMILIES)];
    if generator.deep {
        let family = generator.pick(DEEP_FAMILIES);
        generator.focus = [family, family];
        generator.integers = generator.percent(40);
        for choices in THRESHOLDS {
            let words = format!("CONFIG SET {}", generator.pick(choices));
            generator.push(0, words.split(' ').map(|word| word.as_bytes().to_vec()).collect());
        }
    }
    for connection in 0..CONNECTIONS {
        if generator.rng.bool() {
            generator.push(connection, vec![b"HELLO".to_vec(), b"3".to_vec()]);
        }
    }
    generator.load_scripts();
    generator.fill();
    while generator.steps.len() < length {
        generator.step();
    }
    generator.steps.push(Step::Dump);
    generator.steps
}

/// The key of a SET whose absolute expiry lies in the past. Such a key stays, unseen, until something meets it, so
/// something must: else DBSIZE depends on when the background expiry comes by.
fn born_expired(argv: &[Arg]) -> Option<Vec<u8>> {
    let bytes = |n: usize| match argv.get(n) {
        Some(Arg::Bytes(bytes)) => Some(bytes),
        _ => None,
    };
    bytes(0).filter(|name| name.eq_ignore_ascii_case(b"SET"))?;
    let absolute = (3..argv.len()).any(|n| {
        bytes(n).is_some_and(|word| word.eq_ignore_ascii_case(b"EXAT") || word.eq_ignore_ascii_case(b"PXAT"))
            && bytes(n + 1).is_some_and(|time| time.len() < 12)
    });
    bytes(1).filter(|_| absolute).cloned()
}

impl Generator {
    /// Most sessions begin with something there.
    fn fill(&mut self) {
        if self.percent(10) {
            return;
        }
        if self.against == Against::Redis8 {
            return self.fill_newer();
        }
        for database in 0..3 {
            self.push(0, vec![b"SELECT".to_vec(), vec![b'2' - database]]);
            for usage in [values::Use::Any, values::Use::Number, values::Use::Text] {
                let line = self.some_keys(usage);
                self.push(0, line);
            }
            for _ in 0..3 {
                let key = self.key(values::Use::Set);
                let line = self.sadd(key);
                self.push(0, line);
                let key = self.key(values::Use::Zset);
                let line = self.zadd(key);
                self.push(0, line);
                let key = self.key(values::Use::List);
                let line = self.push_elements(key);
                self.push(0, line);
                let key = self.key(values::Use::Hash);
                let line = self.hset(key);
                self.push(0, line);
                let key = self.key(values::Use::Stream);
                self.groups_that_read(&key);
            }
            let line = vec![b"SET".to_vec(), self.key(values::Use::Bits), self.bits()];
            self.push(0, line);
            let key = self.key(values::Use::Sketch);
            let line = self.pfadd(key);
            self.push(0, line);
        }
    }

    /// An MSET of several keys.
    fn some_keys(&mut self, usage: values::Use) -> Vec<Vec<u8>> {
        let mut line = vec![b"MSET".to_vec()];
        for _ in 0..10 {
            line.push(self.key(usage));
            line.push(self.value(usage));
        }
        line
    }

    fn step(&mut self) {
        if self.percent(8) {
            self.current = self.rng.usize(0..CONNECTIONS);
        }
        if self.against == Against::Redis8 {
            return self.newer_step();
        }
        let connection = self.current;
        if self.percent(4) {
            return self.carry();
        }
        if self.deep && self.percent(85) {
            let line = if self.percent(88) { self.value_command() } else { self.key_command() };
            return self.push_called(connection, line);
        }
        match self.rng.u32(0..1000) {
            0..=439 => {
                let line = self.value_command();
                self.push_mutated(connection, line);
            }
            440..=719 => {
                let line = self.key_command();
                self.push_mutated(connection, line);
            }
            720..=869 => self.server_command(connection),
            870..=929 => self.transaction(),
            930..=959 => self.conditional_pair(),
            960..=965 => self.expiring_episode(),
            966..=969 => self.waiting_episode(),
            970..=978 => {
                let options = self.scan_options();
                self.push_scan(connection, options);
            }
            979..=982 => self.protocol(),
            983..=991 => self.kill(),
            992 => self.steps.push(Step::Dump),
            993 => self.password_episode(),
            994 => self.memory_episode(),
            _ if self.in_transaction[connection] => self.finish(connection),
            _ => {
                let line = self.line("SELECT", vec![]);
                let database = self.database();
                self.push(connection, line.into_iter().chain([database]).collect());
            }
        }
    }

    /// A command of one of the types of values, mostly of those that this session is about.
    fn value_command(&mut self) -> Vec<Vec<u8>> {
        let family = if self.usually(85) { self.pick(&self.focus.clone()) } else { self.rng.u32(0..FAMILIES) };
        match family {
            0..=2 => self.string_command(),
            3 => self.set_command(),
            4..=5 => self.zset_command(),
            6 => self.geo_command(),
            7 => self.bitmap_command(),
            8..=9 => self.list_command(),
            10..=11 => self.hash_command(),
            12..=13 => self.stream_command(),
            KEYS => self.key_command(),
            SORT => self.sort_command(),
            _ => self.hyperloglog_command(),
        }
    }

    fn connection(&self) -> usize {
        self.current
    }

    /// A command line, its name in random case.
    fn line(&mut self, name: &str, arguments: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
        let mut line = vec![self.case(name)];
        line.extend(arguments);
        line
    }

    fn push(&mut self, connection: usize, line: Vec<Vec<u8>>) {
        self.push_args(connection, line.into_iter().map(Arg::Bytes).collect());
    }

    fn push_args(&mut self, connection: usize, argv: Vec<Arg>) {
        let line: Vec<Vec<u8>> =
            argv.iter().map(|arg| if let Arg::Bytes(b) = arg { b.clone() } else { vec![] }).collect();
        if self.is_not_asked(connection, &line) {
            return;
        }
        let expired = born_expired(&argv);
        self.steps.push(Step::Command { connection, argv });
        if let Some(key) = expired {
            self.push(connection, vec![b"EXISTS".to_vec(), key]);
        }
    }

    fn push_scan(&mut self, connection: usize, options: Vec<Vec<u8>>) {
        let line: Vec<Vec<u8>> = [b"SCAN".to_vec(), b"0".to_vec()].into_iter().chain(options.iter().cloned()).collect();
        if !self.is_not_asked(connection, &line) {
            self.steps.push(Step::Scan { connection, options });
        }
    }

    fn is_not_asked(&self, connection: usize, line: &[Vec<u8>]) -> bool {
        let inside = self.in_transaction[connection];
        NOT_ASKED.iter().any(|row| row.against.covers(self.against) && (row.is)(line, inside))
    }

    /// Pushes a command of strings or keys, at times with an argument too many, too few or out of place. Commands of
    /// the server are not damaged: SHUTDOWN with an argument less would really shut down.
    fn push_mutated(&mut self, connection: usize, mut line: Vec<Vec<u8>>) {
        // Damaged, a wait could last for ever.
        if self.percent(3) && !lists::is_blocking(&line) {
            let at = self.rng.usize(1..=line.len());
            match self.rng.u32(0..3) {
                0 if line.len() > 1 => {
                    line.remove(at.min(line.len() - 1));
                }
                1 => {
                    let extra = self.value(values::Use::Any);
                    line.insert(at, extra);
                }
                _ => line.truncate(at),
            }
        }
        self.push_called(connection, line);
    }

    /// Ends the transaction of a connection.
    fn finish(&mut self, connection: usize) {
        let name = if self.percent(85) { "EXEC" } else { "DISCARD" };
        let line = self.line(name, vec![]);
        self.push(connection, line);
        self.in_transaction[connection] = false;
    }
}
