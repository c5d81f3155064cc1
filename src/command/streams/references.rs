//! What becomes of references to entries that are deleted: KEEPREF, DELREF and ACKED of Redis 8.2, for trimming, XDELEX and
//! XACKDEL. They are logged as XDEL, XTRIM and XACK, which Redis 7 knows.

use std::collections::BTreeMap;

use smallvec::SmallVec;

use super::{delivery, ids};
use crate::base::number;
use crate::command::Ctx;
use crate::command::failure::{self, Failure};
use crate::keyspace::{Groups, Stream, StreamId, Trim};

/// See the module.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum References {
    /// They stay, as before 8.2.
    #[default]
    Keep,
    /// They go too.
    Delete,
    /// Entries that a group has not yet read, or that are pending, are not deleted.
    Acknowledged,
}

impl References {
    /// The one with this name.
    pub fn named(word: &[u8]) -> Option<Self> {
        let all = [("KEEPREF", Self::Keep), ("DELREF", Self::Delete), ("ACKED", Self::Acknowledged)];
        all.into_iter().find(|(name, _)| word.eq_ignore_ascii_case(name.as_bytes())).map(|(_, found)| found)
    }
}

/// Whether a group still has to read or to acknowledge an entry.
fn is_needed(groups: &Groups, id: StreamId) -> bool {
    groups.values().any(|group| id > group.last_id || group.pending().contains_key(&id))
}

/// Ids that are no longer pending, by group.
type Forgotten = BTreeMap<Box<[u8]>, Vec<StreamId>>;

/// Takes an entry off the pending ones of all groups, and notes where it was.
fn forget(groups: &mut Groups, id: StreamId, forgotten: &mut Forgotten) {
    for (name, _) in
        groups.iter_mut().map(|(name, group)| (name, group.acknowledge(id))).filter(|(_, was_there)| *was_there)
    {
        match forgotten.get_mut(name) {
            Some(ids) => ids.push(id),
            None => _ = forgotten.insert(name.clone(), vec![id]),
        }
    }
}

fn log_forgotten(ctx: &mut Ctx<'_>, key: &[u8], forgotten: Forgotten) {
    for (group, ids) in forgotten {
        delivery::log_acknowledged(ctx, key, &group, &ids);
    }
}

/// What trimming has removed.
#[derive(Default)]
pub struct Removed {
    /// How many entries.
    pub count: u64,
    /// Which ones, unless they were the first ones.
    scattered: Vec<StreamId>,
    /// References that went with them.
    forgotten: Forgotten,
}

impl Removed {
    /// Whether it was something, and what is left begins behind it.
    pub fn is_first_ones(&self) -> bool {
        self.count > 0 && self.scattered.is_empty()
    }

    /// Logs what removing the first entries does not say.
    pub fn log_rest(self, ctx: &mut Ctx<'_>, key: &[u8]) {
        if !ctx.is_applying() {
            delivery::log_deleted(ctx, key, &self.scattered);
            log_forgotten(ctx, key, self.forgotten);
        }
    }
}

/// Trims a stream.
pub fn trim(stream: &mut Stream, trim: &Trim, references: References) -> Removed {
    let (entries, groups) = stream.split_mut();
    let mut removed = Removed::default();
    if references != References::Keep && trim.approximate {
        // Redis 8.2 removes whole nodes only where it need not look at what is in them.
        return removed;
    }
    if references == References::Keep || groups.is_empty() {
        removed.count = entries.trim(trim, None);
        return removed;
    }
    let mut gone = Vec::new();
    let mut spares = |id: StreamId| {
        let spares = references == References::Acknowledged && is_needed(groups, id);
        if !spares {
            gone.push(id);
        }
        spares
    };
    removed.count = entries.trim(trim, Some(&mut spares));
    debug_assert_eq!(removed.count as usize, gone.len());
    if references == References::Delete {
        gone.iter().for_each(|id| forget(groups, *id, &mut removed.forgotten));
    } else if let Some(last) = gone.last()
        && *last > entries.first_id()
        && !entries.is_empty()
    {
        // A gap, which Redis 8.2 does not note; its lag is then wrong.
        entries.note_deleted(*last);
        removed.scattered = gone;
    }
    removed
}

/// Reads `[KEEPREF | DELREF | ACKED] IDS numids id [id …]`, in either order.
fn options<'a, 'b>(arguments: &'b [&'a [u8]]) -> Result<(References, &'b [&'a [u8]]), Failure> {
    let (mut references, mut found) = (None, None);
    let mut at = 0;
    while at < arguments.len() {
        let word = arguments[at];
        if let Some(named) = References::named(word).filter(|_| references.is_none()) {
            references = Some(named);
        } else if word.eq_ignore_ascii_case(b"IDS") && found.is_none() && at + 1 < arguments.len() {
            let count = number::parse_i64(arguments[at + 1]).and_then(|count| usize::try_from(count).ok());
            let count = count.filter(|count| *count > 0).ok_or("ERR Number of IDs must be a positive integer")?;
            let ids = arguments.get(at + 2..).and_then(|rest| rest.get(..count));
            found = Some(ids.ok_or("ERR The `numids` parameter must match the number of arguments")?);
            at += 1 + count;
        } else {
            return Err(failure::SYNTAX);
        }
        at += 1;
    }
    Ok((references.unwrap_or_default(), found.ok_or(failure::SYNTAX)?))
}

/// XDELEX key [KEEPREF | DELREF | ACKED] IDS numids id [id …]
pub fn xdelex(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    // A key of another type is an error before anything else.
    ctx.edit::<Stream>(arguments[1])?;
    let (references, texts) = options(&arguments[2..])?;
    remove(ctx, arguments[1], None, references, texts)
}

/// XACKDEL key group [KEEPREF | DELREF | ACKED] IDS numids id [id …]
pub fn xackdel(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    // It counts as reading the key, and another type is an error before anything else.
    ctx.read_as::<Stream>(arguments[1])?;
    let (references, texts) = options(&arguments[3..])?;
    remove(ctx, arguments[1], Some(arguments[2]), references, texts)
}

// What is answered for an entry that is not there, that was deleted, or that somebody still needs.
const ABSENT: i64 = -1;
const DELETED: i64 = 1;
const NEEDED: i64 = 2;

/// Deletes entries; those that are not pending in `of_group` are left alone.
fn remove(
    ctx: &mut Ctx<'_>,
    key: &[u8],
    of_group: Option<&[u8]>,
    references: References,
    texts: &[&[u8]],
) -> Result<(), Failure> {
    let stream = ctx.edit::<Stream>(key)?;
    let stream = stream.filter(|stream| of_group.is_none_or(|group| stream.groups().contains_key(group)));
    let Some(stream) = stream else {
        ctx.reply.array(texts.len());
        texts.iter().for_each(|_| ctx.reply.integer(ABSENT));
        return Ok(());
    };
    let (mut deleted, mut acknowledged, mut forgotten) = (Vec::new(), Vec::new(), Forgotten::new());
    let mut results: SmallVec<[i64; 16]> = SmallVec::new();
    let (entries, groups) = stream.split_mut();
    for id in ids::ids(texts)? {
        if let Some(group) = of_group.and_then(|name| groups.get_mut(name)) {
            if !group.acknowledge(id) {
                results.push(ABSENT);
                continue;
            }
            acknowledged.push(id);
        }
        if references == References::Delete {
            // Also those to an entry that is no longer there.
            forget(groups, id, &mut forgotten);
        }
        results.push(match references {
            References::Acknowledged if is_needed(groups, id) => NEEDED,
            _ if of_group.is_none() && entries.get(id).is_none() => ABSENT,
            _ => DELETED,
        });
        if results.last() != Some(&DELETED) {
            continue;
        }
        if entries.delete(id) {
            entries.note_deleted(id);
            deleted.push(id);
        }
    }
    ctx.reply.array(results.len());
    results.iter().for_each(|result| ctx.reply.integer(*result));
    let changes = deleted.len().max(acknowledged.len()).max(forgotten.values().map(Vec::len).sum());
    if changes > 0 {
        if deleted.is_empty() {
            ctx.modified_unwatched(key);
        } else {
            ctx.modified(key);
            ctx.event("xdel", key);
        }
        ctx.counts_as(changes as u64);
        if !ctx.is_applying() {
            delivery::log_deleted(ctx, key, &deleted);
            of_group.into_iter().for_each(|group| delivery::log_acknowledged(ctx, key, group, &acknowledged));
            log_forgotten(ctx, key, forgotten);
        }
    }
    Ok(())
}
