//! XDEL and XSETID.

use super::ids;
use crate::command::failure::{self, Failure};
use crate::command::{Ctx, parse};
use crate::keyspace::{Stream, StreamId};

/// XDEL key id [id …]
pub fn xdel(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let key = arguments[1];
    let Some(stream) = ctx.edit::<Stream>(key)? else {
        ctx.reply.integer(0);
        return Ok(());
    };
    let entries = stream.entries_mut();
    let mut deleted = 0;
    for id in ids::ids(&arguments[2..])? {
        if entries.delete(id) {
            entries.note_deleted(id);
            deleted += 1;
        }
    }
    if deleted > 0 {
        ctx.modified(key);
        ctx.event("xdel", key);
        ctx.counts_as(deleted);
    }
    ctx.reply.integer(deleted as i64);
    Ok(())
}

/// XSETID key last-id [ENTRIESADDED entries-added] [MAXDELETEDID max-deleted-id]
pub fn xsetid(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let key = arguments[1];
    let id = ids::id(arguments[2], 0)?;
    let (mut added, mut max_deleted) = (None, StreamId::MIN);
    let mut words = arguments[3..].iter();
    while let Some(word) = words.next() {
        let value = words.next().ok_or(failure::SYNTAX)?;
        if word.eq_ignore_ascii_case(b"ENTRIESADDED") {
            added = Some(parse::integer(value)?);
            if added < Some(0) {
                return Err("ERR entries_added must be positive".into());
            }
        } else if word.eq_ignore_ascii_case(b"MAXDELETEDID") {
            max_deleted = ids::id(value, 0)?;
            if id < max_deleted {
                return Err("ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id".into());
            }
        } else {
            return Err(failure::SYNTAX);
        }
    }
    let entries = ctx.edit::<Stream>(key)?.ok_or(failure::NO_SUCH_KEY)?.entries_mut();
    if id < entries.max_deleted() {
        return Err("ERR The ID specified in XSETID is smaller than current max_deleted_entry_id".into());
    }
    if let Some(last) = entries.last_entry_id() {
        if id < last {
            return Err("ERR The ID specified in XSETID is smaller than the target stream top item".into());
        }
        if added.is_some_and(|added| (added as u64) < entries.len() as u64) {
            return Err("ERR The entries_added specified in XSETID is smaller than the target stream length".into());
        }
    }
    entries.set_counters(id, added, (max_deleted != StreamId::MIN).then_some(max_deleted));
    ctx.modified_unwatched(key);
    ctx.event("xsetid", key);
    ctx.reply.ok();
    Ok(())
}
