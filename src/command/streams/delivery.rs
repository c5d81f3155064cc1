//! What is logged of deliveries, claims and acknowledgements.

use crate::command::Ctx;
use crate::keyspace::{Group, IdText, StreamId};

/// Ids of one effect: what is delivered at once may be a whole stream.
const IDS: usize = 1000;

/// Logs a command with ids in its middle, several times if there are very many.
fn log_ids(ctx: &mut Ctx<'_>, before: &[&[u8]], ids: &[StreamId], behind: &[&[u8]]) {
    for ids in ids.chunks(IDS) {
        let texts: Vec<IdText> = ids.iter().map(|id| id.text()).collect();
        let mut words = Vec::with_capacity(before.len() + ids.len() + behind.len());
        words.extend_from_slice(before);
        words.extend(texts.iter().map(|text| &text[..]));
        words.extend_from_slice(behind);
        ctx.effect(&words);
    }
}

/// Logs that entries are pending for a consumer since `time_ms`, each with how often it was delivered.
pub fn log_claims(
    ctx: &mut Ctx<'_>,
    key: &[u8],
    [group, consumer]: [&[u8]; 2],
    time_ms: i64,
    claims: &mut [(StreamId, i64)],
) {
    if ctx.is_applying() {
        return;
    }
    // Those that were delivered equally often share a command.
    claims.sort_by_key(|(_, count)| *count);
    let mut time = itoa::Buffer::new();
    let time = time.format(time_ms).as_bytes();
    for claims in claims.chunk_by(|one, other| one.1 == other.1) {
        let ids: Vec<StreamId> = claims.iter().map(|(id, _)| *id).collect();
        let mut count = itoa::Buffer::new();
        let count = count.format(claims[0].1).as_bytes();
        log_ids(
            ctx,
            &[b"XCLAIM", key, group, consumer, b"0"],
            &ids,
            &[b"TIME", time, b"RETRYCOUNT", count, b"FORCE", b"JUSTID"],
        );
    }
}

/// Logs that entries are no longer pending.
pub fn log_acknowledged(ctx: &mut Ctx<'_>, key: &[u8], group: &[u8], ids: &[StreamId]) {
    log_ids(ctx, &[b"XACK", key, group], ids, &[]);
}

/// Logs that entries were deleted.
pub fn log_deleted(ctx: &mut Ctx<'_>, key: &[u8], ids: &[StreamId]) {
    log_ids(ctx, &[b"XDEL", key], ids, &[]);
}

/// How far a group has read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    last_id: StreamId,
    read: Option<i64>,
}

impl Position {
    /// That of a group.
    pub fn of(group: &Group) -> Self {
        Self { last_id: group.last_id, read: group.read }
    }

    /// Logs it.
    pub fn log(self, ctx: &mut Ctx<'_>, key: &[u8], group: &[u8]) {
        let read = self.read.unwrap_or(-1);
        let mut buffer = itoa::Buffer::new();
        let read = buffer.format(read).as_bytes();
        ctx.effect(&[b"XGROUP", b"SETID", key, group, &self.last_id.text(), b"ENTRIESREAD", read]);
    }
}

/// A consumer was made.
pub fn consumer_made(ctx: &mut Ctx<'_>, key: &[u8], group: &[u8], consumer: &[u8]) {
    ctx.modified_unwatched(key);
    ctx.event("xgroup-createconsumer", key);
    ctx.effect(&[b"XGROUP", b"CREATECONSUMER", key, group, consumer]);
}
