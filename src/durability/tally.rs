//! Keys counted by type, for the summaries of import and export.

use crate::keyspace::Kind;

const TYPES: [(Kind, &str); 6] = [
    (Kind::String, "strings"),
    (Kind::List, "lists"),
    (Kind::Set, "sets"),
    (Kind::Zset, "sorted sets"),
    (Kind::Hash, "hashes"),
    (Kind::Stream, "streams"),
];

/// Numbers of keys.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally([u64; TYPES.len()]);

impl Tally {
    /// Counts one.
    pub fn add(&mut self, kind: Kind) {
        if let Some(place) = TYPES.iter().position(|(other, _)| *other == kind) {
            self.0[place] += 1;
        }
    }

    /// All of them.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// By the name of their type, in the plural.
    pub fn by_type(&self) -> impl Iterator<Item = (&'static str, u64)> {
        TYPES.iter().map(|(_, name)| *name).zip(self.0)
    }
}
