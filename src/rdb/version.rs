//! Versions of the format, and what each can express.

use std::fmt;

/// A version of the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(u32);

impl Version {
    /// Of Redis 5 and 6.
    pub const V9: Self = Self(9);
    /// Of Redis 7.0: listpacks, and more counters of streams.
    pub const V10: Self = Self(10);
    /// Of Redis 7.2 and Valkey 7.2 to 8.1: small sets as listpacks, and when consumers were active.
    pub const V11: Self = Self(11);
    /// Of Redis 7.4 to 8.2: hashes whose fields expire.
    pub const V12: Self = Self(12);

    /// The version of that number, if it can be read: 1 to 13 are Redis', and 80 is Valkey's.
    pub fn known(number: u32) -> Option<Self> {
        matches!(number, 1..=13 | 80).then_some(Self(number))
    }

    /// The version of that number, if it can be written.
    pub fn writable(number: u32) -> Option<Self> {
        matches!(number, 9..=12).then_some(Self(number))
    }

    /// Its number.
    pub fn number(self) -> u32 {
        self.0
    }

    /// Whether it is Valkey's own.
    pub fn is_valkey(self) -> bool {
        self.0 >= 80
    }

    /// Whether its files end with a checksum.
    pub(super) fn has_checksum(self) -> bool {
        self.0 >= 5
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
