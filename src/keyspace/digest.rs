//! Digests over everything a replay must preserve: key, type, value and absolute expiry time.
//!
//! The shadow keyspace compares them after every command. They are ackd's own and say nothing to the outside; how a
//! value is encoded, and when it was last used, is not part of them.

use xxhash_rust::xxh3::{xxh3_128, xxh3_128_with_seed};

use super::db::Db;
use super::entry::{Entry, Kind};

/// Stands for "does not expire"; no expiry time that a command accepts is negative.
const NEVER: i64 = -1;

impl Entry {
    /// The digest of this key and its value.
    pub fn digest(&self) -> u128 {
        let kind = match self.kind() {
            Kind::String => 0,
        };
        let mut buffer = itoa::Buffer::new();
        let value = self.text().map(|text| text.as_bytes(&mut buffer)).unwrap_or_default();
        let expiry = self.expiry().unwrap_or(NEVER);
        let mut parts = [0; 32];
        parts[..16].copy_from_slice(&xxh3_128_with_seed(self.key(), kind).to_le_bytes());
        parts[16..].copy_from_slice(&xxh3_128_with_seed(value, expiry as u64).to_le_bytes());
        xxh3_128(&parts)
    }
}

impl Db {
    /// The digest of all keys: the sum of theirs, so that it can be kept up to date key by key.
    pub fn digest(&self) -> u128 {
        self.iter().fold(0, |sum, entry| sum.wrapping_add(entry.digest()))
    }
}
