//! The commands that simulated clients give, and what a reply to each reveals.

use ackd::engine::config::AppendFsync;

use super::model::{KEYS, SLOTS, key};
use super::server::{DATABASES, policy_name};

/// What a command looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Touch {
    Nothing,
    Slots(Vec<usize>),
    Everything,
}

impl Touch {
    pub fn slots(&self) -> Vec<usize> {
        match self {
            Self::Nothing => Vec::new(),
            Self::Slots(slots) => slots.clone(),
            Self::Everything => (0..SLOTS).collect(),
        }
    }

    fn join(&mut self, other: Self) {
        *self = match (std::mem::replace(self, Self::Nothing), other) {
            (Self::Everything, _) | (_, Self::Everything) => Self::Everything,
            (Self::Nothing, one) | (one, Self::Nothing) => one,
            (Self::Slots(mut slots), Self::Slots(more)) => {
                slots.extend(more);
                Self::Slots(slots)
            }
        };
    }
}

/// Commands whose replies tell more than the state of keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Meaning {
    Plain,
    /// GET of a slot.
    Get(usize),
    /// GET of a slot by a client that caches the reply.
    Cache(usize),
    /// EXEC, with the slots that were watched.
    Exec(Vec<usize>),
    /// CONFIG SET appendfsync.
    Policy(AppendFsync),
    /// WAITAOF 1 0.
    WaitAof,
}

#[derive(Clone, Debug)]
pub struct Request {
    pub words: Vec<Vec<u8>>,
    pub touch: Touch,
    pub meaning: Meaning,
    /// The numbers that it publishes.
    pub publishes: Vec<u64>,
}

/// The channel of all messages.
pub const CHANNEL: &[u8] = b"n";

/// What a client knows of its connection's state.
#[derive(Clone, Debug, Default)]
pub struct Session {
    db: usize,
    /// What the commands queued since MULTI touch.
    queued: Option<Touch>,
    /// The numbers that they publish.
    publishes: Vec<u64>,
    watched: Vec<usize>,
}

impl Session {
    /// Whether it is between MULTI and EXEC.
    pub fn is_queueing(&self) -> bool {
        self.queued.is_some()
    }
}

/// Makes commands; values never repeat.
pub struct Generator {
    values: u64,
    /// One value in so many is large.
    pub large_one_in: u32,
}

pub(super) fn words(list: &[&[u8]]) -> Vec<Vec<u8>> {
    list.iter().map(|word| word.to_vec()).collect()
}

impl Generator {
    pub fn new(large_one_in: u32) -> Self {
        Self { values: 0, large_one_in }
    }

    /// CONFIG SET appendfsync.
    pub fn policy(&self, to: AppendFsync) -> Request {
        let words = words(&[b"CONFIG", b"SET", b"appendfsync", policy_name(to).as_bytes()]);
        Request { meaning: Meaning::Policy(to), ..plain(words, Touch::Nothing) }
    }

    /// SUBSCRIBE.
    pub fn subscribe(&self) -> Request {
        plain(words(&[b"SUBSCRIBE", CHANNEL]), Touch::Nothing)
    }

    fn publish(&mut self) -> Request {
        self.values += 1;
        let words = words(&[b"PUBLISH", CHANNEL, self.values.to_string().as_bytes()]);
        Request { publishes: vec![self.values], ..plain(words, Touch::Nothing) }
    }

    /// The next command of a session.
    pub fn next(&mut self, rng: &mut fastrand::Rng, session: &mut Session, now_ms: u64) -> Request {
        if let Some(queued) = &mut session.queued {
            return match rng.u8(..10) {
                0 => {
                    session.queued = None;
                    session.publishes.clear();
                    session.watched.clear();
                    plain(words(&[b"DISCARD"]), Touch::Nothing)
                }
                1..=4 => {
                    let touch = std::mem::replace(queued, Touch::Nothing);
                    session.queued = None;
                    let watched = std::mem::take(&mut session.watched);
                    let publishes = std::mem::take(&mut session.publishes);
                    Request { words: words(&[b"EXEC"]), touch, meaning: Meaning::Exec(watched), publishes }
                }
                5 => {
                    let mut request = self.publish();
                    session.publishes.append(&mut request.publishes);
                    request
                }
                _ => {
                    let db = session.db;
                    let request = self.on_keys(rng, db, now_ms);
                    if let Some(queued) = &mut session.queued {
                        queued.join(request.touch);
                    }
                    plain(request.words, Touch::Nothing)
                }
            };
        }
        match rng.u8(..100) {
            0..=5 => {
                session.queued = Some(Touch::Nothing);
                plain(words(&[b"MULTI"]), Touch::Nothing)
            }
            6..=8 => {
                let slot = slot(rng, session.db);
                session.watched.push(slot);
                plain(words(&[b"WATCH", &key(slot)]), Touch::Nothing)
            }
            9..=10 => {
                session.db = rng.usize(..DATABASES);
                plain(words(&[b"SELECT", session.db.to_string().as_bytes()]), Touch::Nothing)
            }
            11..=12 => {
                let level: &[u8] = [&b"memory"[..], b"os", b"disk", b"disk"][rng.usize(..4)];
                plain(words(&[b"CLIENT", b"DURABILITY", level]), Touch::Nothing)
            }
            13..=14 => {
                let timeout = rng.u32(1..100).to_string();
                let words = words(&[b"WAITAOF", b"1", b"0", timeout.as_bytes()]);
                Request { meaning: Meaning::WaitAof, ..plain(words, Touch::Nothing) }
            }
            15 => plain(words(&[b"PING"]), Touch::Nothing),
            16..=22 => {
                let command: &[&[u8]] = match rng.u8(..6) {
                    0..=2 => &[b"BGSAVE"],
                    3 => &[b"BGSAVE", b"SCHEDULE"],
                    4 => &[b"BGREWRITEAOF"],
                    _ => &[b"SAVE"],
                };
                plain(words(command), Touch::Nothing)
            }
            23..=26 => self.publish(),
            27..=29 => self.script(rng, session.db, now_ms),
            _ => self.on_keys(rng, session.db, now_ms),
        }
    }

    /// A script that runs some commands, each of which may fail, unless the disk is full.
    fn script(&mut self, rng: &mut fastrand::Rng, db: usize, now_ms: u64) -> Request {
        const SCRIPT: &[u8] = b"local at, replies = 1, {} while at <= #ARGV do local count = tonumber(ARGV[at]) local reply = \
            redis.pcall(unpack(ARGV, at + 1, at + count)) if type(reply) == 'table' and reply.err and \
            reply.err:find('^MISCONF') then return reply end replies[#replies + 1] = reply at = at + count + 1 end return \
            replies";
        let mut list = words(&[b"EVAL", SCRIPT, b"0"]);
        let mut touch = Touch::Nothing;
        for _ in 0..rng.u8(1..4) {
            let request = self.on_keys(rng, db, now_ms);
            list.push(request.words.len().to_string().into_bytes());
            list.extend(request.words);
            touch.join(request.touch);
        }
        plain(list, touch)
    }

    pub(super) fn value(&mut self, rng: &mut fastrand::Rng) -> Vec<u8> {
        self.values += 1;
        let mut value = format!("v{}-", self.values).into_bytes();
        let len = match rng.u32(..self.large_one_in) {
            0 => rng.usize(10_000..60_000),
            1 => rng.usize(500..6_000),
            _ => rng.usize(..40),
        };
        value.resize(value.len() + len, b'a' + (self.values % 26) as u8);
        value
    }

    fn on_keys(&mut self, rng: &mut fastrand::Rng, db: usize, now_ms: u64) -> Request {
        let one = slot(rng, db);
        let two = slot(rng, db);
        let (a, b) = (key(one), key(two));
        let slots = |slots: &[usize]| Touch::Slots(slots.to_vec());
        let number = |number: u64| number.to_string().into_bytes();
        let ttl = number(rng.u64(1..4_000));
        match rng.u8(..120) {
            0..=15 => {
                let value = self.value(rng);
                let mut list = words(&[b"SET", &a, &value]);
                match rng.u8(..16) {
                    0 => list.push(b"NX".to_vec()),
                    1 => list.push(b"XX".to_vec()),
                    2 => list.push(b"GET".to_vec()),
                    3..=5 => list.extend(words(&[b"PX", &ttl])),
                    6 => list.push(b"KEEPTTL".to_vec()),
                    7 => list.extend(words(&[b"PXAT", &number((now_ms + rng.u64(..3_000)).max(1))])),
                    _ => {}
                }
                plain(list, slots(&[one]))
            }
            16..=29 => Request { meaning: Meaning::Get(one), ..plain(words(&[b"GET", &a]), slots(&[one])) },
            30..=31 => plain(words(&[b"DEL", &a, &b]), slots(&[one, two])),
            32..=34 => plain(words(&[b"INCRBY", &a, &number(rng.u64(1..9))]), slots(&[one])),
            35..=36 => {
                let value = self.value(rng);
                plain(words(&[b"APPEND", &a, &value[..value.len().min(200)]]), slots(&[one]))
            }
            37 => plain(words(&[b"SETRANGE", &a, &number(rng.u64(..30)), b"xyz"]), slots(&[one])),
            38..=40 => {
                let (first, second) = (self.value(rng), self.value(rng));
                plain(words(&[b"MSET", &a, &first, &b, &second]), slots(&[one, two]))
            }
            41..=43 => plain(words(&[b"MGET", &a, &b]), slots(&[one, two])),
            44 => plain(words(&[b"EXISTS", &a, &b]), slots(&[one, two])),
            45..=46 => plain(words(&[b"PEXPIRE", &a, &ttl]), slots(&[one])),
            47 => plain(words(&[b"PERSIST", &a]), slots(&[one])),
            48 => plain(words(&[b"PTTL", &a]), slots(&[one])),
            49 => plain(words(&[b"GETDEL", &a]), slots(&[one])),
            50 => plain(words(&[b"GETEX", &a, b"PX", &ttl]), slots(&[one])),
            // Without a source, these three do not look at the destination; with one, they have effects.
            51 => plain(words(&[b"RENAME", &a, &b]), slots(&[one])),
            // To itself it is refused before it looks.
            52 if a == b => plain(words(&[b"COPY", &a, &b, b"REPLACE"]), Touch::Nothing),
            52 => plain(words(&[b"COPY", &a, &b, b"REPLACE"]), slots(&[one])),
            53 => {
                let other = (db + 1) % DATABASES;
                plain(words(&[b"MOVE", &a, &number(other as u64)]), slots(&[one]))
            }
            54 => plain(words(&[b"DBSIZE"]), all_of(db)),
            55 => plain(words(&[b"KEYS", b"*"]), all_of(db)),
            56 => plain(words(&[b"SCAN", b"0", b"COUNT", b"100"]), all_of(db)),
            57 => plain(words(&[b"SETNX", &a, &self.value(rng)]), slots(&[one])),
            58 => plain(words(&[b"STRLEN", &a]), slots(&[one])),
            59 => plain(words(&[b"TYPE", &a]), slots(&[one])),
            60 => plain(words(&[b"GETSET", &a, &self.value(rng)]), slots(&[one])),
            61 => plain(words(&[b"INCRBYFLOAT", &a, b"0.5"]), slots(&[one])),
            62 => match rng.u8(..8) {
                0 => plain(words(&[b"FLUSHALL"]), Touch::Everything),
                1..=2 => plain(words(&[b"FLUSHDB"]), all_of(db)),
                3..=4 => plain(words(&[b"SWAPDB", b"0", b"1"]), Touch::Everything),
                _ => plain(words(&[b"RANDOMKEY"]), all_of(db)),
            },
            63 => plain(words(&[b"UNLINK", &a]), slots(&[one])),
            64 => plain(words(&[b"SETBIT", &a, &number(rng.u64(..200)), b"1"]), slots(&[one])),
            65 => plain(words(&[b"BITFIELD", &a, b"INCRBY", b"u5", b"#2", b"9"]), slots(&[one])),
            66 => {
                let operation: &[u8] = [&b"XOR"[..], b"DIFF1"][rng.usize(..2)];
                plain(words(&[b"BITOP", operation, &a, &b, &a]), slots(&[one, two]))
            }
            67..=69 => plain(words(&[b"PFADD", &a, &number(rng.u64(..50))]), slots(&[one])),
            // What is no sketch ends the others early.
            70 => plain(words(&[b"PFMERGE", &a, &b]), slots(&[one])),
            71 => plain(words(&[b"PFCOUNT", &a]), slots(&[one])),
            _ => self.on_collections(rng, (one, &a), &b),
        }
    }
}

pub(super) fn plain(words: Vec<Vec<u8>>, touch: Touch) -> Request {
    Request { words, touch, meaning: Meaning::Plain, publishes: Vec::new() }
}

fn slot(rng: &mut fastrand::Rng, db: usize) -> usize {
    db * KEYS + rng.usize(..KEYS)
}

fn all_of(db: usize) -> Touch {
    Touch::Slots((db * KEYS..(db + 1) * KEYS).collect())
}
