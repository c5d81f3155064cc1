//! XACK and XPENDING.

use super::{ids, no_group, write_id};
use crate::command::failure::{self, Failure};
use crate::command::{Ctx, parse};
use crate::keyspace::{Consumer, Group, Pending, Stream, StreamId};
use crate::resp::Reply;

/// XACK key group id [id …]
pub fn xack(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let (key, name) = (arguments[1], arguments[2]);
    let (stream, reply) = ctx.read_as::<Stream>(key)?;
    if stream.is_none_or(|stream| !stream.groups().contains_key(name)) {
        reply.integer(0);
        return Ok(());
    }
    let ids = ids::ids(&arguments[3..])?;
    let group = ctx.stream_found(key).and_then(|(stream, _)| stream.split_mut().1.get_mut(name));
    let acknowledged = group.map_or(0, |group| ids.iter().filter(|id| group.acknowledge(**id)).count());
    if acknowledged > 0 {
        ctx.modified_unwatched(key);
        ctx.counts_as(acknowledged as u64);
    }
    ctx.reply.count(acknowledged);
    Ok(())
}

/// What of the pending entries is shown.
struct Filter<'a> {
    min_idle_ms: i64,
    start: StreamId,
    end: StreamId,
    count: usize,
    consumer: Option<&'a [u8]>,
}

impl<'a> Filter<'a> {
    /// Reads `[IDLE min-idle-time] start end count [consumer]`.
    fn read(words: &[&'a [u8]]) -> Result<Self, Failure> {
        let (min_idle_ms, words) = match words {
            [idle, time, rest @ ..] if idle.eq_ignore_ascii_case(b"IDLE") => {
                let time = parse::integer(time)?;
                (time, rest)
            }
            words => (0, words),
        };
        let [start, end, count, rest @ ..] = words else { return Err(failure::SYNTAX) };
        let count = usize::try_from(parse::integer(count)?).unwrap_or(0);
        let (start, end) = (ids::range_start(start)?, ids::range_end(end)?);
        Ok(Self { min_idle_ms, start, end, count, consumer: rest.first().copied() })
    }
}

/// XPENDING key group [[IDLE min-idle-time] start end count [consumer]]
pub fn xpending(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let filter = match &arguments[3..] {
        [] => None,
        words if (3..=6).contains(&words.len()) => Some(Filter::read(words)?),
        _ => return Err(failure::SYNTAX),
    };
    let now_ms = ctx.now_ms() as i64;
    let (key, name) = (arguments[1], arguments[2]);
    let (stream, reply) = ctx.read_as::<Stream>(key)?;
    let group = stream.and_then(|stream| stream.groups().get(name)).ok_or_else(|| no_group(key, name, ""))?;
    match filter {
        None => write_summary(reply, group),
        Some(filter) => write_pending(reply, group, &filter, now_ms),
    }
    Ok(())
}

fn write_summary(reply: &mut Reply, group: &Group) {
    reply.array(4);
    reply.count(group.pending().len());
    let (Some((first, _)), Some((last, _))) = (group.pending().first_key_value(), group.pending().last_key_value())
    else {
        reply.null();
        reply.null();
        reply.null_array();
        return;
    };
    write_id(reply, *first);
    write_id(reply, *last);
    let owners = || group.consumers().filter(|consumer| !consumer.pending().is_empty());
    reply.array(owners().count());
    for consumer in owners() {
        reply.array(2);
        reply.bulk(consumer.name());
        reply.bulk_integer(consumer.pending().len() as i64);
    }
}

fn write_pending(reply: &mut Reply, group: &Group, filter: &Filter<'_>, now_ms: i64) {
    if filter.start > filter.end {
        return reply.array(0);
    }
    let consumer = filter.consumer.map(|name| group.find_consumer(name).map(|id| group.consumer(id)));
    let range = filter.start..=filter.end;
    let start = reply.deferred();
    let len = match consumer {
        None => write_each(reply, group, filter, now_ms, group.pending().range(range)),
        Some(None) => 0,
        Some(Some(consumer)) => {
            let pending = Consumer::pending(consumer).range(range).map(|id| (id, &group.pending()[id]));
            write_each(reply, group, filter, now_ms, pending)
        }
    };
    reply.finish_array(start, len);
}

fn write_each<'g>(
    reply: &mut Reply,
    group: &Group,
    filter: &Filter<'_>,
    now_ms: i64,
    pending: impl Iterator<Item = (&'g StreamId, &'g Pending)>,
) -> usize {
    let idle = |pending: &Pending| now_ms.saturating_sub(pending.time_ms).max(0);
    let shown = pending.filter(|(_, pending)| filter.min_idle_ms <= 0 || idle(pending) >= filter.min_idle_ms);
    let mut len = 0;
    for (id, pending) in shown.take(filter.count) {
        reply.array(4);
        write_id(reply, *id);
        reply.bulk(group.consumer(pending.owner).name());
        reply.integer(idle(pending));
        reply.integer(pending.count);
        len += 1;
    }
    len
}
