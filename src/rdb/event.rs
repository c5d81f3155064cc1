//! What a file consists of: the [`Event`]s that [`Reader`](super::Reader) hands out and [`Writer`](super::Writer) takes.

use super::packed::Packed;
use crate::base::text::Text;

/// One piece of a file.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Event<'a> {
    /// Something about the file, such as `redis-ver`.
    Aux {
        /// Its name.
        name: &'a [u8],
        /// Its value.
        value: &'a [u8],
    },
    /// The code of a library of functions.
    Function(&'a [u8]),
    /// The keys that follow are in this database.
    Database(u64),
    /// How many keys follow in this database. A hint.
    Sizes {
        /// Keys.
        keys: u64,
        /// Keys that expire.
        expiring: u64,
    },
    /// A key; [`Event::Part`]s of its value follow, and then [`Event::KeyEnd`].
    Key(Key<'a>),
    /// A part of the value of the last key.
    Part(Part<'a>),
    /// The value is complete.
    KeyEnd,
    /// Data of a module were left out, as was asked for.
    SkippedModule {
        /// The key whose value they were, if of one.
        key: Option<&'a [u8]>,
        /// The module's type, nine characters.
        module: [u8; 9],
    },
    /// The end of the file. Nothing follows.
    End {
        /// Whether there was a checksum, which was right. Files before version 5 have none, and it can be turned off.
        checked: bool,
    },
}

/// A key and what is known of it before its value comes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Key<'a> {
    /// Its name; none in a payload of DUMP.
    pub name: &'a [u8],
    /// What its value is.
    pub kind: Kind,
    /// How the value comes.
    pub shape: Shape,
    /// When it expires, in milliseconds since the Unix epoch.
    pub expires_ms: Option<i64>,
    /// Seconds since it was used.
    pub idle_s: Option<u64>,
    /// The counter of LFU, 0 to 255.
    pub frequency: Option<u8>,
    /// Of a hash with fields that expire: a time before which none does, in milliseconds since the Unix epoch.
    pub fields_expire_from_ms: Option<i64>,
}

impl<'a> Key<'a> {
    /// A key of which no more is known.
    pub fn new(name: &'a [u8], kind: Kind, shape: Shape) -> Self {
        Self { name, kind, shape, expires_ms: None, idle_s: None, frequency: None, fields_expire_from_ms: None }
    }
}

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Kind {
    String,
    List,
    Set,
    Zset,
    Hash,
    Stream,
}

/// How a value comes: of which parts it consists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// One [`Part::String`].
    String,
    /// One [`Part::Packed`]; of a hash with fields that expire, that many [`Part::Field`]s.
    Packed,
    /// So many elements: [`Part::Element`], [`Part::Scored`] or [`Part::Field`].
    Elements(u64),
    /// A list of so many nodes, each a [`Part::Packed`] or a [`Part::Element`].
    Nodes(u64),
    /// So many [`Part::Entries`], then one [`Part::StreamState`], then groups: see [`Part::Group`].
    Stream(u64),
}

/// A part of a value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Part<'a> {
    /// A string.
    String(Text<'a>),
    /// Elements of a list, members of a set; members and scores or fields and values in turn.
    Packed(Packed<'a>),
    /// An element of a list, or a member of a set.
    Element(Text<'a>),
    /// A member of a sorted set.
    Scored {
        /// The member.
        member: Text<'a>,
        /// Its score; never NaN.
        score: f64,
    },
    /// A field of a hash.
    Field {
        /// Its name.
        field: Text<'a>,
        /// Its value.
        value: Text<'a>,
        /// When it expires, in milliseconds since the Unix epoch.
        expires_ms: Option<i64>,
    },
    /// A node of a stream's entries.
    Entries {
        /// The id that all others are relative to.
        first: StreamId,
        /// A master entry and entries, as Redis lays them out; checked to be a listpack, no more.
        node: Packed<'a>,
    },
    /// A stream's ids and counters.
    StreamState(StreamState),
    /// A group of consumers. Its pending entries follow ([`Part::Pending`]), then its consumers ([`Part::Consumers`],
    /// [`Part::Consumer`]), each with the ids of those that are its own ([`Part::Owned`]).
    Group {
        /// Its name.
        name: &'a [u8],
        /// The last entry that it delivered.
        last_id: StreamId,
        /// How many entries were read, if that is known.
        entries_read: Option<i64>,
        /// How many pending entries follow.
        pending: u64,
    },
    /// An entry that was delivered and not acknowledged.
    Pending {
        /// Its id.
        id: StreamId,
        /// When it was delivered last, in milliseconds since the Unix epoch.
        delivered_ms: i64,
        /// How often it was delivered.
        deliveries: u64,
    },
    /// So many consumers follow.
    Consumers(u64),
    /// A consumer of the last group.
    Consumer {
        /// Its name.
        name: &'a [u8],
        /// When it was seen last, in milliseconds since the Unix epoch.
        seen_ms: i64,
        /// When it last got something, in milliseconds since the Unix epoch, if ever.
        active_ms: Option<i64>,
        /// How many ids follow.
        pending: u64,
    },
    /// A pending entry of the last consumer.
    Owned(StreamId),
}

/// The id of an entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct StreamId {
    /// Milliseconds since the Unix epoch.
    pub ms: u64,
    /// Number within the millisecond.
    pub seq: u64,
}

/// What a stream knows besides its entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamState {
    /// Number of entries.
    pub length: u64,
    /// The last id given out.
    pub last_id: StreamId,
    /// The first entry's id, zero if there is none; files before version 10 do not say.
    pub first_id: Option<StreamId>,
    /// The largest id that was deleted.
    pub max_deleted_id: StreamId,
    /// How many entries were ever added.
    pub added: u64,
    /// How many groups follow.
    pub groups: u64,
}
