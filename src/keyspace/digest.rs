//! Digests over everything a replay must preserve: key, type, value and absolute expiry time.
//!
//! The shadow keyspace compares them after every command. They are ackd's own and say nothing to the outside; how a
//! value is encoded, and when it was last used, is not part of them.
//!
//! A collection's digest is made of [`of_parts`] of its elements: added up (wrapping) where their order is free, and where
//! it is not each one together with the digest of those before it.

use xxhash_rust::xxh3::{Xxh3, xxh3_128, xxh3_128_with_seed};

use super::collection::Value;
use super::db::Db;
use super::entry::Entry;

/// Stands for "does not expire"; no expiry time that a command accepts is negative.
const NEVER: i64 = -1;

/// The digest of some strings one after the other; where each one ends is part of it.
pub(super) fn of_parts(parts: &[&[u8]]) -> u128 {
    let mut hasher = Xxh3::new();
    for part in parts {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    hasher.digest128()
}

impl Entry {
    /// The digest of this key and its value.
    pub fn digest(&self) -> u128 {
        let expiry = self.expiry().unwrap_or(NEVER) as u64;
        let value = match self.value() {
            Value::String(text) => xxh3_128_with_seed(text.as_bytes(&mut itoa::Buffer::new()), expiry),
            value => {
                let digest = value.collection().map_or(0, |collection| collection.digest());
                xxh3_128_with_seed(&digest.to_le_bytes(), expiry)
            }
        };
        let mut parts = [0; 32];
        parts[..16].copy_from_slice(&xxh3_128_with_seed(self.key(), self.kind().number().into()).to_le_bytes());
        parts[16..].copy_from_slice(&value.to_le_bytes());
        xxh3_128(&parts)
    }
}

impl Db {
    /// The digest of all keys: the sum of theirs, so that it can be kept up to date key by key.
    pub fn digest(&self) -> u128 {
        self.iter().fold(0, |sum, entry| sum.wrapping_add(entry.digest()))
    }
}
