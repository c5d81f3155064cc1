//! XREAD and XREADGROUP.
//!
//! Both look at all streams first, which tells errors, and then take what is there. If there is nothing and BLOCK is given,
//! they wait; a waiting command is run again when one of its streams has changed.

use smallvec::SmallVec;

use super::delivery::{self, Position};
use super::{ids, no_group, write_entries, write_entry, write_id};
use crate::command::failure::{self, Failure};
use crate::command::key_waits::{Wait, wait_for_keys};
use crate::command::{Ctx, parse};
use crate::keyspace::{Group, IdText, Kind, Pending, Stream, StreamEntries, StreamId};
use crate::resp::{Deferred, Reply};

/// Behind which entry one stream is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum From {
    /// Behind this one: of a group, what is pending for the consumer.
    Behind(StreamId),
    /// Behind what the group has read.
    New,
}

/// The words of either command.
struct Request<'a> {
    group: Option<[&'a [u8]; 2]>,
    count: Option<usize>,
    no_ack: bool,
    timeout_ms: Option<u64>,
    keys: &'a [&'a [u8]],
    ids: &'a [&'a [u8]],
}

impl<'a> Request<'a> {
    fn read(arguments: &'a [&'a [u8]], for_group: bool, now_ms: u64) -> Result<Self, Failure> {
        let mut request = Self { group: None, count: None, no_ack: false, timeout_ms: None, keys: &[], ids: &[] };
        let name = if for_group { "xreadgroup" } else { "xread" };
        let mut at = 1;
        while at < arguments.len() {
            let word = arguments[at];
            let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
            let more = arguments.len() - 1 - at;
            if is("BLOCK") && more > 0 {
                at += 1;
                request.timeout_ms = Some(parse::timeout_ms(arguments[at], now_ms)?);
            } else if is("COUNT") && more > 0 {
                at += 1;
                let count = usize::try_from(parse::integer(arguments[at])?).unwrap_or(0);
                request.count = (count > 0).then_some(count);
            } else if is("STREAMS") && more > 0 {
                let words = &arguments[at + 1..];
                if !words.len().is_multiple_of(2) {
                    let symbol = if for_group { '>' } else { '$' };
                    return Err(Failure::new(format!(
                        "ERR Unbalanced '{name}' list of streams: for each stream key an ID or '{symbol}' must be specified."
                    )));
                }
                (request.keys, request.ids) = words.split_at(words.len() / 2);
                break;
            } else if is("GROUP") && more >= 2 {
                if !for_group {
                    return Err(only_for_groups("GROUP"));
                }
                request.group = Some([arguments[at + 1], arguments[at + 2]]);
                at += 2;
            } else if is("NOACK") {
                if !for_group {
                    return Err(only_for_groups("NOACK"));
                }
                request.no_ack = true;
            } else {
                return Err(failure::SYNTAX);
            }
            at += 1;
        }
        if request.keys.is_empty() {
            return Err(failure::SYNTAX);
        }
        if for_group && request.group.is_none() {
            return Err("ERR Missing GROUP option for XREADGROUP".into());
        }
        Ok(request)
    }

    /// Where reading one stream begins.
    fn from(&self, text: &[u8], stream: Option<&Stream>) -> Result<From, Failure> {
        let for_group = self.group.is_some();
        match text {
            b"$" | b"+" if for_group => {
                let sign = char::from(text[0]);
                Err(Failure::new(format!(
                    "ERR The {sign} ID is meaningless in the context of XREADGROUP: you want to read the history of this \
                     consumer by specifying a proper ID, or use the > ID to get new messages. The {sign} ID would just \
                     return an empty result set."
                )))
            }
            b"$" => Ok(From::Behind(stream.map_or(StreamId::MIN, |stream| stream.entries().last_id()))),
            b"+" => {
                let entries = stream.map(Stream::entries);
                let last = entries.and_then(StreamEntries::last_entry_id).and_then(StreamId::previous);
                Ok(From::Behind(last.or_else(|| Some(entries?.last_id())).unwrap_or_default()))
            }
            b">" if for_group => Ok(From::New),
            b">" => {
                Err("ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> \
                         option."
                    .into())
            }
            _ => match ids::id(text, 0)? {
                // The largest id has always meant the same as `>`.
                StreamId::MAX if for_group => Ok(From::New),
                id => Ok(From::Behind(id)),
            },
        }
    }
}

fn only_for_groups(option: &str) -> Failure {
    Failure::new(format!("ERR The {option} option is only supported by XREADGROUP. You called XREAD instead."))
}

/// XREAD [COUNT count] [BLOCK milliseconds] STREAMS key [key …] id [id …]
pub fn xread(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let request = Request::read(arguments, false, ctx.now_ms())?;
    let mut behind: SmallVec<[StreamId; 4]> = SmallVec::new();
    for (key, text) in request.keys.iter().zip(request.ids) {
        let (stream, _) = ctx.read_as::<Stream>(key)?;
        let From::Behind(id) = request.from(text, stream)? else { return Err(failure::SYNTAX) };
        behind.push(id);
    }
    let start = ctx.reply.deferred();
    let mut served = 0;
    for (key, id) in request.keys.iter().zip(behind.iter().copied()) {
        let (stream, reply) = ctx.read_as::<Stream>(key)?;
        let entries = stream.map(Stream::entries).filter(|entries| entries.last_entry_id() > Some(id));
        let (Some(entries), Some(first)) = (entries, id.next()) else { continue };
        begin_stream(reply, key);
        write_entries(reply, entries.range(first, StreamId::MAX), request.count, |_| {});
        served += 1;
    }
    if let Some(timeout_ms) = request.timeout_ms.filter(|_| served == 0 && ctx.may_block()) {
        // `$` means what it means now; `+` the last entry that is there then.
        let ids: SmallVec<[IdText; 4]> = behind.iter().map(|id| id.text()).collect();
        let mut command = arguments.to_vec();
        let first = command.len() - ids.len();
        let words = command[first..].iter_mut().zip(&ids);
        words.filter(|(word, _)| **word == b"$").for_each(|(word, id)| *word = id);
        let wait = Wait { keys: request.keys, kind: Kind::Stream, ends_when_gone: false, timeout_ms };
        wait_for_keys(ctx, &wait, &command);
    } else {
        finish(ctx, start, served);
    }
    Ok(())
}

/// What comes before the entries of a stream.
fn begin_stream(reply: &mut Reply, key: &[u8]) {
    if !reply.is_resp3() {
        reply.array(2);
    }
    reply.bulk(key);
}

fn finish(ctx: &mut Ctx<'_>, start: Deferred, served: usize) {
    if served == 0 {
        ctx.reply.null_array();
    } else if ctx.reply.is_resp3() {
        ctx.reply.finish_map(start, served);
    } else {
        ctx.reply.finish_array(start, served);
    }
}

/// XREADGROUP GROUP group consumer [COUNT count] [BLOCK milliseconds] [NOACK] STREAMS key [key …] id [id …]
pub fn xreadgroup(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let request = Request::read(arguments, true, ctx.now_ms())?;
    let [group, _] = request.group.unwrap_or_default();
    let mut from: SmallVec<[From; 4]> = SmallVec::new();
    for (key, text) in request.keys.iter().zip(request.ids) {
        let (stream, _) = ctx.read_as::<Stream>(key)?;
        let stream = stream.filter(|stream| stream.groups().contains_key(group));
        let stream = stream.ok_or_else(|| no_group(key, group, " in XREADGROUP with GROUP option"))?;
        from.push(request.from(text, Some(stream))?);
    }
    let start = ctx.reply.deferred();
    let mut served = 0;
    for (key, from) in request.keys.iter().zip(from) {
        ctx.read_as::<Stream>(key)?;
        served += usize::from(read_for(ctx, key, &request, from));
    }
    if let Some(timeout_ms) = request.timeout_ms.filter(|_| served == 0 && ctx.may_block()) {
        let wait = Wait { keys: request.keys, kind: Kind::Stream, ends_when_gone: true, timeout_ms };
        wait_for_keys(ctx, &wait, arguments);
    } else {
        finish(ctx, start, served);
    }
    Ok(())
}

/// Reads one stream for a consumer; answers whether there was anything to say.
fn read_for(ctx: &mut Ctx<'_>, key: &[u8], request: &Request<'_>, from: From) -> bool {
    let [group_name, consumer_name] = request.group.unwrap_or_default();
    let now_ms = ctx.now_ms() as i64;
    let Some((stream, reply)) = ctx.stream_found(key) else { return false };
    let (entries, groups) = stream.split_mut();
    let Some(group) = groups.get_mut(group_name) else { return false };
    let known = group.find_consumer(consumer_name);
    let owner = known.unwrap_or_else(|| group.add_consumer(consumer_name, now_ms));
    group.consumer_mut(owner).seen_ms = now_ms;
    let is_new = from == From::New;
    let serves = !is_new || entries.last_entry_id() > Some(group.last_id);
    let mut claims: Vec<(StreamId, i64)> = Vec::new();
    if serves {
        begin_stream(reply, key);
        match from {
            From::New => write_entries(
                reply,
                entries.range(group.last_id.next().unwrap_or(StreamId::MAX), StreamId::MAX),
                request.count,
                |id| claims.push((id, 1)),
            ),
            From::Behind(id) => write_history(reply, entries, group, request, id, &mut claims),
        }
    }
    // What it need not acknowledge is no activity of a consumer, in Redis.
    if !(claims.is_empty() || request.no_ack && is_new) {
        group.consumer_mut(owner).active_ms = Some(now_ms);
    }
    if is_new {
        entries.note_read(group, claims.iter().map(|(id, _)| *id));
    }
    for (id, count) in &claims {
        if !request.no_ack || !is_new {
            group.deliver(*id, Pending { time_ms: now_ms, count: *count, owner });
        }
    }
    let position = Position::of(group);
    if known.is_none() {
        delivery::consumer_made(ctx, key, group_name, consumer_name);
    }
    if !claims.is_empty() {
        ctx.modified_unwatched(key);
        if !request.no_ack || !is_new {
            delivery::log_claims(ctx, key, [group_name, consumer_name], now_ms, &mut claims);
        }
        if is_new {
            position.log(ctx, key, group_name);
        }
    }
    serves
}

/// Writes what is pending for the consumer behind an id, and notes who is delivered how often then. Of a deleted entry only
/// the id is left.
fn write_history(
    reply: &mut Reply,
    entries: &StreamEntries,
    group: &Group,
    request: &Request<'_>,
    behind: StreamId,
    claims: &mut Vec<(StreamId, i64)>,
) {
    let [_, name] = request.group.unwrap_or_default();
    let start = reply.deferred();
    let mut len = 0;
    let consumer = group.find_consumer(name).map(|id| group.consumer(id));
    let pending = consumer
        .into_iter()
        .flat_map(|consumer| consumer.pending().range((std::ops::Bound::Excluded(behind), std::ops::Bound::Unbounded)));
    for id in pending.take(request.count.unwrap_or(usize::MAX)) {
        match entries.get(*id) {
            Some(entry) => {
                write_entry(reply, &entry);
                claims.push((*id, group.pending()[id].count.saturating_add(1)));
            }
            None => {
                reply.array(2);
                write_id(reply, *id);
                reply.null_array();
            }
        }
        len += 1;
    }
    reply.finish_array(start, len);
}
