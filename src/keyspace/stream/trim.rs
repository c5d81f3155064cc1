//! Down to which entry a stream is trimmed.

use super::StreamId;

/// What remains of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// The last so many entries.
    MaxLen(u64),
    /// The entries from this id on.
    MinId(StreamId),
}

/// How a stream is trimmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trim {
    /// What remains.
    pub bound: Bound,
    /// Only whole nodes are removed, which is cheap.
    pub approximate: bool,
    /// No more entries than so many are removed; 0 for no limit.
    pub limit: u64,
}
