//! What clients do: random operations by seed, on few keys that they share.

use std::fmt;
use std::str::FromStr;

use fastrand::Rng;

use super::history::{Cell, End, Kind, Operation, Word};

/// How long collections are allowed to become before something shortens them.
const LONG: usize = 12;

/// Members and fields are drawn from so many.
const NAMES: u32 = 8;

/// A blocking pop waits at most so long.
const BLOCKING_MS: u64 = 40;

/// Keys that expire soon do so within this time; the others not before an hour is over.
pub const SOON_MS: u64 = 300;

/// See [`SOON_MS`].
const LATER_MS: u64 = 3_600_000;

/// A mix of operations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mix {
    /// Everything.
    #[default]
    All,
    /// Strings and counters.
    Strings,
    /// Lists and blocking pops: queues.
    Lists,
    /// Sets, hashes, sorted sets and streams.
    Collections,
    /// Transactions on several keys.
    Transactions,
    /// Keys that expire.
    Expiry,
}

impl Mix {
    /// All mixes.
    pub const ALL: [Self; 6] =
        [Self::All, Self::Strings, Self::Lists, Self::Collections, Self::Transactions, Self::Expiry];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Strings => "strings",
            Self::Lists => "lists",
            Self::Collections => "collections",
            Self::Transactions => "transactions",
            Self::Expiry => "expiry",
        }
    }
}

impl fmt::Display for Mix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Mix {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let names = || Self::ALL.map(Self::name).join(", ");
        Self::ALL
            .into_iter()
            .find(|mix| mix.name() == name)
            .ok_or_else(|| format!("no such workload; there are {}", names()))
    }
}

/// One client's operations.
#[derive(Debug)]
pub struct Workload {
    mix: Mix,
    rng: Rng,
    client: u32,
    cells: u32,
    /// Values that were drawn: each is written once only.
    values: u64,
    /// The last stream ID that this client used.
    id: u64,
}

impl Workload {
    /// Of a client, in a round with this seed. Stream IDs only grow, so those of a round are above those before.
    pub fn new(mix: Mix, seed: u64, client: u32, cells: u32, round: u64) -> Self {
        let rng = Rng::with_seed(seed ^ (u64::from(client) << 32));
        Self { mix, rng, client, cells, values: 0, id: round << 20 }
    }

    /// The next operation. `now_ms` is the wall clock, by which keys expire.
    pub fn next(&mut self, now_ms: u64) -> (Cell, Operation) {
        let cell = self.rng.u32(..self.cells);
        let operation = match self.mix {
            Mix::All => match self.rng.u8(..100) {
                0..35 => self.text(now_ms),
                35..60 => self.list(),
                60..88 => self.collection(),
                _ => self.transaction(now_ms),
            },
            Mix::Strings => self.text(now_ms),
            Mix::Lists => self.list(),
            Mix::Collections => self.collection(),
            Mix::Transactions => self.transaction(now_ms),
            Mix::Expiry => self.timed(now_ms),
        };
        (cell, operation)
    }

    /// A value that nobody else writes; most are short, some span blocks of a disk.
    fn value(&mut self) -> Word {
        self.values += 1;
        let length = match self.rng.u8(..100) {
            0..80 => self.rng.usize(..40),
            80..97 => self.rng.usize(..600),
            _ => self.rng.usize(..12_000),
        };
        let mut value = format!("{}.{}.", self.client, self.values).into_bytes();
        let filler = b'a' + (self.values % 26) as u8;
        value.resize(value.len() + length, filler);
        Word::new(value)
    }

    /// A value that nobody else writes, and short.
    fn short(&mut self) -> Word {
        self.values += 1;
        Word::new(format!("{}.{}", self.client, self.values))
    }

    fn name(&mut self) -> Word {
        Word::new(format!("m{}", self.rng.u32(..NAMES)))
    }

    fn end(&mut self) -> End {
        if self.rng.bool() { End::Left } else { End::Right }
    }

    fn either(&mut self, one: Kind, other: Kind) -> (Kind, Kind) {
        if self.rng.bool() { (one, other) } else { (other, one) }
    }

    fn text(&mut self, now_ms: u64) -> Operation {
        match self.rng.u8(..20) {
            0..4 => Operation::Set(Kind::Text, self.value()),
            4 => Operation::GetSet(Kind::Text, self.value()),
            5 => Operation::Append(Kind::Text, self.short()),
            6..8 => Operation::Get(Kind::Text),
            8..12 => Operation::Increment(Kind::Counter, self.rng.i64(1..100)),
            12 => Operation::Get(Kind::Counter),
            13 => Operation::SetBit(Kind::Bits, self.rng.u32(..256), self.rng.bool()),
            14 => Operation::Get(Kind::Bits),
            15 => Operation::Delete([Kind::Text, Kind::Counter, Kind::Bits][self.rng.usize(..3)]),
            _ => self.timed(now_ms),
        }
    }

    fn timed(&mut self, now_ms: u64) -> Operation {
        // Some expire while clients look. The others are there, with their time, after any crash.
        let until =
            now_ms + if self.rng.bool() { self.rng.u64(20..SOON_MS) } else { self.rng.u64(LATER_MS..2 * LATER_MS) };
        match self.rng.u8(..10) {
            0..4 => Operation::SetUntil(Kind::Timed, self.value(), until),
            4..7 => Operation::Get(Kind::Timed),
            7 => Operation::ExpireAt(Kind::Timed, until),
            8 => Operation::Persist(Kind::Timed),
            _ => Operation::Append(Kind::Timed, self.short()),
        }
    }

    fn list(&mut self) -> Operation {
        let end = self.end();
        let (kind, other) = self.either(Kind::List, Kind::Queue);
        match self.rng.u8(..20) {
            0..8 => Operation::Push(kind, self.value(), end),
            8..11 => Operation::Pop(kind, end),
            11..13 => Operation::BlockingPop(kind, end, BLOCKING_MS),
            13..16 => Operation::Move(kind, other, end, self.end()),
            16 => Operation::Trim(kind, self.rng.usize(1..LONG)),
            17 => Operation::Delete(kind),
            _ => Operation::Elements(kind),
        }
    }

    fn collection(&mut self) -> Operation {
        let (set, other) = self.either(Kind::Set, Kind::Bag);
        match self.rng.u8(..36) {
            0..3 => Operation::Add(set, self.name()),
            3 => Operation::Remove(set, self.name()),
            4 => Operation::MoveMember(set, other, self.name()),
            5 => Operation::PopAny(set),
            6 => Operation::Members(set),
            7..11 => Operation::SetField(Kind::Hash, self.name(), self.value()),
            // Fields that are added to are their own: others hold no numbers.
            11 => Operation::IncrementField(Kind::Hash, Word::new("sum"), self.rng.i64(1..100)),
            12 => Operation::DeleteField(Kind::Hash, self.name()),
            13 => Operation::Fields(Kind::Hash),
            14..17 => Operation::Score(Kind::Zset, self.name(), self.rng.i64(0..1000)),
            17..19 => Operation::AddScore(Kind::Zset, self.name(), self.rng.i64(1..100)),
            19 => Operation::RemoveScored(Kind::Zset, self.name()),
            20 => Operation::PopLeast(Kind::Zset),
            21 => Operation::Scores(Kind::Zset),
            22..26 => {
                self.id += self.rng.u64(1..3);
                Operation::AddEntry(Kind::Stream, (self.id, u64::from(self.client)), self.short())
            }
            26 => Operation::DeleteEntry(Kind::Stream, (self.id, u64::from(self.client))),
            27 => Operation::TrimEntries(Kind::Stream, self.rng.usize(..LONG)),
            28 => Operation::Entries(Kind::Stream),
            29 => Operation::CreateGroup(Kind::Stream),
            30..33 => {
                let consumer = Word::new(format!("c{}", self.rng.u8(..3)));
                Operation::ReadGroup(Kind::Stream, consumer, self.rng.usize(1..4))
            }
            33..35 => {
                let id = self.id.saturating_sub(self.rng.u64(..6));
                Operation::Acknowledge(Kind::Stream, (id, u64::from(self.client)))
            }
            _ => Operation::Delete([Kind::Hash, Kind::Zset, Kind::Stream, set][self.rng.usize(..4)]),
        }
    }

    /// Several operations as one. What may end in several ways, or waits, is not among them.
    fn transaction(&mut self, now_ms: u64) -> Operation {
        let count = self.rng.usize(2..5);
        let mut operations = Vec::with_capacity(count);
        while operations.len() < count {
            let operation = match self.rng.u8(..3) {
                0 => self.text(now_ms),
                1 => self.list(),
                _ => self.collection(),
            };
            if !matches!(operation, Operation::PopAny(_) | Operation::BlockingPop(..)) {
                operations.push(operation);
            }
        }
        Operation::Transaction(operations)
    }
}
