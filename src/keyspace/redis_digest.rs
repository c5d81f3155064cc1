//! The digest of DEBUG DIGEST and DEBUG DIGEST-VALUE, computed as Redis does, so that two servers can be compared.
//!
//! It is made of two operations on 20 bytes: *xor* with the SHA-1 of some bytes, where order does not matter, and *mix*,
//! which hashes the result of a xor once more, so that order does matter. It omits expiry times (only that there is one
//! counts), so it does not serve to check a replay.

use sha1::{Digest, Sha1};

use super::collection::Value;
use super::db::Db;
use super::entry::Entry;

/// Twenty bytes that are being mixed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RedisDigest([u8; 20]);

impl RedisDigest {
    /// Digest of a data set: the databases with their numbers.
    pub fn of_databases<'a>(databases: impl Iterator<Item = (u32, &'a Db)>) -> Self {
        let mut all = Self::default();
        for (number, db) in databases.filter(|(_, db)| !db.is_empty()) {
            all.mix(&network_order(number));
            for entry in db.iter() {
                let mut one = Self::default();
                one.mix(entry.key());
                one.value(entry);
                all.xor_element(one);
            }
        }
        all
    }

    /// Digest of one value; all zeros stand for no value.
    pub fn of_value(entry: Option<&Entry>) -> Self {
        let mut digest = Self::default();
        if let Some(entry) = entry {
            digest.value(entry);
        }
        digest
    }

    /// The forty hexadecimal digits that the commands answer.
    pub fn to_hex(self) -> String {
        self.0.iter().fold(String::with_capacity(40), |mut hex, byte| {
            for nibble in [byte >> 4, byte & 15] {
                hex.extend(char::from_digit(nibble.into(), 16));
            }
            hex
        })
    }

    /// The bytes, which go into the digest of what this is a part of.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Takes in some bytes whose place among others does not matter.
    pub(super) fn xor(&mut self, bytes: &[u8]) {
        for (own, other) in self.0.iter_mut().zip(Sha1::digest(bytes)) {
            *own ^= other;
        }
    }

    /// Takes in an element that has a digest of its own, and whose place among others does not matter.
    pub(super) fn xor_element(&mut self, element: Self) {
        self.xor(&element.0);
    }

    /// Takes in some bytes behind all before.
    pub(super) fn mix(&mut self, bytes: &[u8]) {
        self.xor(bytes);
        self.0 = Sha1::digest(self.0).into();
    }

    fn value(&mut self, entry: &Entry) {
        self.mix(&network_order(entry.kind().number()));
        match entry.value() {
            Value::String(text) => self.mix(text.as_bytes(&mut itoa::Buffer::new())),
            value => value.collection().into_iter().for_each(|collection| collection.redis_digest(self)),
        }
        if entry.expiry().is_some() {
            self.xor(b"!!expire!!");
        }
    }
}

/// Redis feeds numbers to the digest with the most significant byte first.
fn network_order(number: u32) -> [u8; 4] {
    [(number >> 24) as u8, (number >> 16) as u8, (number >> 8) as u8, number as u8]
}
