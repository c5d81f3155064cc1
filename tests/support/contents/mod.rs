//! Everything that a server holds, as plain data: read from a running server, or from the text beside a fixture, and
//! compared with a report of what differs.

mod differences;
mod json;
mod read;

use std::collections::{BTreeMap, BTreeSet};

pub use differences::{assert_same, differences};
pub use json::changed_by;
pub use read::{knows_field_expiry, read};

/// A byte string.
pub type Bytes = Vec<u8>;
/// The keys of a database.
pub type Keys = BTreeMap<Bytes, Item>;

/// All that a server holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Contents {
    /// By number; those without keys are left out.
    pub databases: BTreeMap<u64, Keys>,
    /// The code of each library of functions. A server that knows no functions has none.
    pub functions: BTreeSet<Bytes>,
}

/// What a key holds, and until when.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// In milliseconds of Unix time.
    pub expires_at: Option<i64>,
    pub data: Data,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Data {
    String(Bytes),
    List(Vec<Bytes>),
    Set(BTreeSet<Bytes>),
    Hash(BTreeMap<Bytes, Field>),
    /// Scores by member, compared as numbers. That a server has them in the right order is asserted when they are read.
    Zset(BTreeMap<Bytes, f64>),
    Stream(Stream),
    /// The type's name, for types that only modules know.
    Other(Bytes),
}

/// What a field of a hash holds, and until when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    pub value: Bytes,
    /// In milliseconds of Unix time. `None` also if the server knows no expiry of fields.
    pub expires_at: Option<i64>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stream {
    /// Fields and values in turn, by id.
    pub entries: BTreeMap<Id, Vec<Bytes>>,
    pub last_id: Id,
    pub entries_added: i64,
    pub max_deleted_id: Id,
    pub groups: BTreeMap<Bytes, Group>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group {
    pub last_delivered_id: Id,
    pub entries_read: Option<i64>,
    /// The ids that each consumer has pending.
    pub consumers: BTreeMap<Bytes, BTreeSet<Id>>,
    pub pending: BTreeMap<Id, Pending>,
}

/// An entry that was delivered and not acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    pub consumer: Bytes,
    pub deliveries: i64,
    /// In milliseconds of Unix time; `None` in the texts of fixtures: see [`Contents::without_delivery_times`].
    pub delivered_at: Option<i64>,
}

/// The id of a stream's entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Id {
    pub ms: u64,
    pub seq: u64,
}

impl Id {
    /// An id as replies have it: `ms-seq`.
    pub fn parse(text: &[u8]) -> Self {
        let parts = str::from_utf8(text).ok().and_then(|text| text.split_once('-'));
        let id = parts.and_then(|(ms, seq)| Some(Self { ms: ms.parse().ok()?, seq: seq.parse().ok()? }));
        id.unwrap_or_else(|| panic!("{} is no id", text.escape_ascii()))
    }
}

impl std::fmt::Display for Id {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.ms, self.seq)
    }
}

impl Contents {
    /// The number of keys.
    pub fn len(&self) -> usize {
        self.databases.values().map(Keys::len).sum()
    }

    /// All keys with their databases.
    pub fn items(&self) -> impl Iterator<Item = (u64, &Bytes, &Item)> {
        self.databases.iter().flat_map(|(number, keys)| keys.iter().map(move |(key, item)| (*number, key, item)))
    }

    /// The same without the times of delivery of pending entries, to be compared where they are not known.
    pub fn without_delivery_times(mut self) -> Self {
        for item in self.databases.values_mut().flat_map(BTreeMap::values_mut) {
            let Data::Stream(stream) = &mut item.data else { continue };
            for pending in stream.groups.values_mut().flat_map(|group| group.pending.values_mut()) {
                pending.delivered_at = None;
            }
        }
        self
    }
}
