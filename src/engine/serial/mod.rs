//! Values as the pieces of an RDB file, and back: what DUMP, RESTORE, snapshots, import and export share.

#[cfg(test)]
mod adopt_tests;
mod load;
mod save;
#[cfg(test)]
mod tests;

pub use load::{EMPTY, Limits, Loading};
pub use save::{events, needed_version};

use crate::keyspace::StreamId;
use crate::rdb;

impl From<StreamId> for rdb::StreamId {
    fn from(id: StreamId) -> Self {
        Self { ms: id.ms, seq: id.seq }
    }
}

impl From<rdb::StreamId> for StreamId {
    fn from(id: rdb::StreamId) -> Self {
        Self::new(id.ms, id.seq)
    }
}
