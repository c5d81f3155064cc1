//! XINFO.

use super::{write_entries, write_entry, write_id};
use crate::command::failure::{self, Failure};
use crate::command::help::bad_subcommand;
use crate::command::{Ctx, parse};
use crate::keyspace::{Consumer, Group, Stream, StreamId};
use crate::resp::Reply;

fn stream<'c>(ctx: &'c mut Ctx<'_>, key: &[u8]) -> Result<(&'c Stream, &'c mut Reply), Failure> {
    let (stream, reply) = ctx.read_as::<Stream>(key)?;
    Ok((stream.ok_or(failure::NO_SUCH_KEY)?, reply))
}

fn write_number(reply: &mut Reply, number: Option<i64>) {
    match number {
        Some(number) => reply.integer(number),
        None => reply.null(),
    }
}

/// So many elements of each kind does FULL show.
const DEFAULT_COUNT: usize = 10;

/// How many elements of each kind are asked for, if it is FULL; all for zero.
fn full_count(arguments: &[&[u8]]) -> Result<Option<usize>, Failure> {
    match &arguments[3..] {
        [] => Ok(None),
        [full] if full.eq_ignore_ascii_case(b"FULL") => Ok(Some(DEFAULT_COUNT)),
        [full, word, count] if full.eq_ignore_ascii_case(b"FULL") && word.eq_ignore_ascii_case(b"COUNT") => {
            Ok(Some(usize::try_from(parse::integer(count)?).unwrap_or(DEFAULT_COUNT)))
        }
        _ => Err(bad_subcommand(arguments)),
    }
}

/// XINFO STREAM key [FULL [COUNT count]]
pub fn xinfo_stream(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let (stream, reply) = stream(ctx, arguments[2])?;
    let full = full_count(arguments)?;
    let entries = stream.entries();
    reply.map(if full.is_some() { 9 } else { 10 });
    reply.bulk(b"length");
    reply.count(entries.len());
    let [keys, nodes] = entries.radix();
    reply.bulk(b"radix-tree-keys");
    reply.count(keys);
    reply.bulk(b"radix-tree-nodes");
    reply.count(nodes);
    reply.bulk(b"last-generated-id");
    write_id(reply, entries.last_id());
    reply.bulk(b"max-deleted-entry-id");
    write_id(reply, entries.max_deleted());
    reply.bulk(b"entries-added");
    reply.integer(entries.added());
    reply.bulk(b"recorded-first-entry-id");
    write_id(reply, entries.first_id());
    match full {
        Some(count) => write_full(reply, stream, (count > 0).then_some(count)),
        None => {
            reply.bulk(b"groups");
            reply.count(stream.groups().len());
            let ends = [
                (&b"first-entry"[..], entries.range(StreamId::MIN, StreamId::MAX).next()),
                (b"last-entry", entries.range_back(StreamId::MIN, StreamId::MAX).next()),
            ];
            for (name, entry) in ends {
                reply.bulk(name);
                match entry {
                    Some(entry) => write_entry(reply, &entry),
                    None => reply.null(),
                }
            }
        }
    }
    Ok(())
}

fn write_full(reply: &mut Reply, stream: &Stream, count: Option<usize>) {
    let most = |len: usize| count.unwrap_or(len).min(len);
    reply.bulk(b"entries");
    write_entries(reply, stream.entries().range(StreamId::MIN, StreamId::MAX), count, |_| {});
    reply.bulk(b"groups");
    reply.array(stream.groups().len());
    for (name, group) in stream.groups() {
        reply.map(7);
        reply.bulk(b"name");
        reply.bulk(name);
        write_position(reply, stream, group);
        reply.bulk(b"pel-count");
        reply.count(group.pending().len());
        reply.bulk(b"pending");
        let len = most(group.pending().len());
        reply.array(len);
        for (id, pending) in group.pending().iter().take(len) {
            reply.array(4);
            write_id(reply, *id);
            reply.bulk(group.consumer(pending.owner).name());
            reply.integer(pending.time_ms);
            reply.integer(pending.count);
        }
        reply.bulk(b"consumers");
        reply.array(group.consumers().len());
        group.consumers().for_each(|consumer| write_consumer(reply, group, consumer, most(consumer.pending().len())));
    }
}

fn write_position(reply: &mut Reply, stream: &Stream, group: &Group) {
    reply.bulk(b"last-delivered-id");
    write_id(reply, group.last_id);
    reply.bulk(b"entries-read");
    write_number(reply, group.read);
    reply.bulk(b"lag");
    write_number(reply, stream.entries().lag(group));
}

fn write_consumer(reply: &mut Reply, group: &Group, consumer: &Consumer, len: usize) {
    reply.map(5);
    reply.bulk(b"name");
    reply.bulk(consumer.name());
    reply.bulk(b"seen-time");
    reply.integer(consumer.seen_ms);
    reply.bulk(b"active-time");
    reply.integer(consumer.active_ms.unwrap_or(-1));
    reply.bulk(b"pel-count");
    reply.count(consumer.pending().len());
    reply.bulk(b"pending");
    reply.array(len);
    for id in consumer.pending().iter().take(len) {
        let pending = &group.pending()[id];
        reply.array(3);
        write_id(reply, *id);
        reply.integer(pending.time_ms);
        reply.integer(pending.count);
    }
}

/// XINFO GROUPS key
pub fn xinfo_groups(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let (stream, reply) = stream(ctx, arguments[2])?;
    reply.array(stream.groups().len());
    for (name, group) in stream.groups() {
        reply.map(6);
        reply.bulk(b"name");
        reply.bulk(name);
        reply.bulk(b"consumers");
        reply.count(group.consumers().len());
        reply.bulk(b"pending");
        reply.count(group.pending().len());
        write_position(reply, stream, group);
    }
    Ok(())
}

/// XINFO CONSUMERS key group
pub fn xinfo_consumers(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let (key, name) = (arguments[2], arguments[3]);
    let now_ms = ctx.now_ms() as i64;
    let (stream, reply) = stream(ctx, key)?;
    let group = stream.groups().get(name).ok_or_else(|| super::groups::no_group(key, name))?;
    reply.array(group.consumers().len());
    for consumer in group.consumers() {
        let since = |then: i64| now_ms.saturating_sub(then).max(0);
        reply.map(4);
        reply.bulk(b"name");
        reply.bulk(consumer.name());
        reply.bulk(b"pending");
        reply.count(consumer.pending().len());
        reply.bulk(b"idle");
        reply.integer(since(consumer.seen_ms));
        reply.bulk(b"inactive");
        reply.integer(consumer.active_ms.map_or(-1, since));
    }
    Ok(())
}
