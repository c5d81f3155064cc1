//! Commands on streams.
//!
//! What is logged is what a command did: explicit ids, trimming down to the exact number of entries, deliveries as `XCLAIM …
//! TIME … RETRYCOUNT … FORCE JUSTID`, and how far a group has read as `XGROUP SETID … ENTRIESREAD`, so that every counter
//! survives a replay. A Redis 7 replica understands all of it.

mod add;
mod claim;
mod delete;
mod delivery;
mod groups;
mod ids;
mod info;
mod pending;
mod range;
mod read;
mod references;
#[cfg(test)]
mod tests;

pub use add::{xadd, xtrim};
pub use claim::{xautoclaim, xclaim};
pub use delete::{xdel, xsetid};
pub use groups::{xgroup_create, xgroup_createconsumer, xgroup_delconsumer, xgroup_destroy, xgroup_setid};
pub use info::{xinfo_consumers, xinfo_groups, xinfo_stream};
pub use pending::{xack, xpending};
pub use range::{xlen, xrange, xrevrange};
pub use read::{xread, xreadgroup};
pub use references::{xackdel, xdelex};

use super::strings::write_text;
use super::{Ctx, Failure, Origin};
use crate::keyspace::{self, Family, Stream, StreamEntry, StreamId};
use crate::resp::Reply;

impl Ctx<'_> {
    /// [`Ctx::modified`] where Redis does not count it as a change for WATCH: groups, consumers, counters.
    fn modified_unwatched(&mut self, key: &[u8]) {
        self.dirty += 1;
        if self.origin == Origin::Client {
            self.mark(self.client.db, keyspace::hash(key), key, true);
        }
    }

    /// The stream of a key that was looked up before, for changing it, and the reply.
    fn stream_found(&mut self, key: &[u8]) -> Option<(&mut Stream, &mut Reply)> {
        let place = self.engine.dbs[self.client.db].find_mut(keyspace::hash(key), key)?;
        let stream = place.into_value().and_then(Stream::of_mut)?;
        Some((stream, &mut self.reply))
    }
}

fn write_id(reply: &mut Reply, id: StreamId) {
    reply.bulk(&id.text());
}

/// An entry: its id, and its fields with their values.
fn write_entry(reply: &mut Reply, entry: &StreamEntry<'_>) {
    reply.array(2);
    write_id(reply, entry.id);
    reply.array(entry.len() * 2);
    entry.fields().flatten().for_each(|text| write_text(reply, Some(text)));
}

/// An array of up to `count` entries (all for `None`); `each` is told their ids.
fn write_entries<'a>(
    reply: &mut Reply,
    entries: impl Iterator<Item = StreamEntry<'a>>,
    count: Option<usize>,
    mut each: impl FnMut(StreamId),
) {
    let start = reply.deferred();
    let mut len = 0;
    for entry in entries.take(count.unwrap_or(usize::MAX)) {
        write_entry(reply, &entry);
        each(entry.id);
        len += 1;
    }
    reply.finish_array(start, len);
}

/// What an error repeats of a client's word: Redis' C strings end at a zero byte.
fn shown(word: &[u8]) -> &[u8] {
    word.split(|byte| *byte == 0).next().unwrap_or_default()
}

/// There is no such group, or no such key.
fn no_group(key: &[u8], group: &[u8], where_from: &str) -> Failure {
    let text: [&[u8]; 6] =
        [b"NOGROUP No such key '", shown(key), b"' or consumer group '", shown(group), b"'", where_from.as_bytes()];
    Failure::new(text.concat())
}
