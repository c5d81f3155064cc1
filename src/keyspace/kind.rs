//! The names of types and representations, which clients ask for by TYPE, SCAN and OBJECT ENCODING.

/// The type of a value.
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

impl Kind {
    const ALL: [Self; 6] = [Self::String, Self::List, Self::Set, Self::Zset, Self::Hash, Self::Stream];

    /// The type with this name, in any case, if a value can be of it.
    pub fn named(name: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| name.eq_ignore_ascii_case(kind.name().as_bytes()))
    }

    /// The name that TYPE answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::List => "list",
            Self::Set => "set",
            Self::Zset => "zset",
            Self::Hash => "hash",
            Self::Stream => "stream",
        }
    }

    /// Redis' number of the type, which goes into the digest of DEBUG DIGEST.
    pub fn number(self) -> u32 {
        match self {
            Self::String => 0,
            Self::List => 1,
            Self::Set => 2,
            Self::Zset => 3,
            Self::Hash => 4,
            // 5 is that of modules.
            Self::Stream => 6,
        }
    }
}

/// How a value is represented, by the names that OBJECT ENCODING answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// A string that is a 64-bit integer.
    Int,
    /// A string of at most [`EMBEDDED_MAX`](super::EMBEDDED_MAX) bytes that was set as a whole.
    Embstr,
    /// A longer string, or one that was changed in place.
    Raw,
    /// A small list, hash, set or sorted set.
    Listpack,
    /// A small hash with fields that expire.
    Listpackex,
    /// A set of integers.
    Intset,
    /// A large hash or set.
    Hashtable,
    /// A list of several nodes.
    Quicklist,
    /// A large sorted set.
    Skiplist,
    /// A stream.
    Stream,
}

impl Encoding {
    /// The name that OBJECT ENCODING answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Int => "int",
            Self::Embstr => "embstr",
            Self::Raw => "raw",
            Self::Listpack => "listpack",
            Self::Listpackex => "listpackex",
            Self::Intset => "intset",
            Self::Hashtable => "hashtable",
            Self::Quicklist => "quicklist",
            Self::Skiplist => "skiplist",
            Self::Stream => "stream",
        }
    }
}
