//! XCLAIM and XAUTOCLAIM: pending entries change their consumer.

use std::ops::Bound;

use smallvec::SmallVec;

use super::delivery::{self, Position};
use super::{ids, no_group, shown, write_entry, write_id};
use crate::command::failure::{self, Failure};
use crate::command::{Ctx, parse};
use crate::keyspace::{ConsumerId, Group, Pending, Stream, StreamEntries, StreamEntry, StreamId};
use crate::resp::Reply;

/// How claimed entries are counted, and shown.
struct Terms {
    min_idle_ms: i64,
    time_ms: i64,
    retry_count: Option<i64>,
    just_id: bool,
}

/// What a claim has done.
#[derive(Default)]
struct Outcome<'a> {
    /// Claimed entries.
    taken: Vec<StreamEntry<'a>>,
    /// How often they were delivered.
    claimed: Vec<(StreamId, i64)>,
    /// Entries that are no longer there, and so no longer pending.
    gone: Vec<StreamId>,
}

/// Whoever claims, and what he does it to.
struct Claim<'a> {
    entries: &'a StreamEntries,
    group: &'a mut Group,
    owner: ConsumerId,
    now_ms: i64,
    outcome: Outcome<'a>,
}

impl<'a> Claim<'a> {
    /// Whether a pending entry has been left alone for long enough.
    fn may_take(&self, pending: &Pending, terms: &Terms) -> bool {
        terms.min_idle_ms == 0 || self.now_ms.saturating_sub(pending.time_ms) >= terms.min_idle_ms
    }

    fn take(&mut self, entry: StreamEntry<'a>, before: i64, terms: &Terms) {
        let count = terms.retry_count.unwrap_or_else(|| before.saturating_add(i64::from(!terms.just_id)));
        self.group.deliver(entry.id, Pending { time_ms: terms.time_ms, count, owner: self.owner });
        self.group.consumer_mut(self.owner).active_ms = Some(self.now_ms);
        self.outcome.claimed.push((entry.id, count));
        self.outcome.taken.push(entry);
    }

    fn drop_gone(&mut self, id: StreamId) {
        self.group.acknowledge(id);
        self.outcome.gone.push(id);
    }
}

/// Writes the claimed entries.
fn write_taken(reply: &mut Reply, taken: &[StreamEntry<'_>], just_id: bool) {
    reply.array(taken.len());
    for entry in taken {
        if just_id { write_id(reply, entry.id) } else { write_entry(reply, entry) }
    }
}

/// Tells of a claim, and logs it.
fn conclude(
    ctx: &mut Ctx<'_>,
    key: &[u8],
    names: [&[u8]; 2],
    made: bool,
    time_ms: i64,
    (mut claimed, gone): (Vec<(StreamId, i64)>, Vec<StreamId>),
    position: Option<Position>,
) {
    let changes = claimed.len() + gone.len() + usize::from(made);
    if made {
        delivery::consumer_made(ctx, key, names[0], names[1]);
    }
    if changes > 0 || position.is_some() {
        ctx.modified_unwatched(key);
        ctx.counts_as(changes.max(1) as u64);
        delivery::log_acknowledged(ctx, key, names[0], &gone);
        delivery::log_claims(ctx, key, names, time_ms, &mut claimed);
        if let Some(position) = position {
            position.log(ctx, key, names[0]);
        }
    }
}

fn min_idle(text: &[u8], command: &str) -> Result<i64, Failure> {
    let time = parse::integer(text);
    let time = time.map_err(|_| Failure::new(format!("ERR Invalid min-idle-time argument for {command}")))?;
    Ok(time.max(0))
}

/// The options of XCLAIM.
#[derive(Default)]
struct Options {
    time_ms: Option<i64>,
    retry_count: Option<i64>,
    force: bool,
    just_id: bool,
    last_id: StreamId,
}

impl Options {
    fn read(words: &[&[u8]], now_ms: i64) -> Result<Self, Failure> {
        let mut options = Self::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
            let unknown = || Failure::new([b"ERR Unrecognized XCLAIM option '", shown(word), b"'"].concat());
            if is("FORCE") {
                options.force = true;
                continue;
            }
            if is("JUSTID") {
                options.just_id = true;
                continue;
            }
            if !(is("IDLE") || is("TIME") || is("RETRYCOUNT") || is("LASTID")) {
                return Err(unknown());
            }
            let value = words.next().ok_or_else(unknown)?;
            let number = |name: &str| {
                parse::integer(value)
                    .map_err(|_| Failure::new(format!("ERR Invalid {name} option argument for XCLAIM")))
            };
            if is("IDLE") {
                options.time_ms = Some(now_ms.wrapping_sub(number("IDLE")?));
            } else if is("TIME") {
                options.time_ms = Some(number("TIME")?);
            } else if is("RETRYCOUNT") {
                options.retry_count = Some(number("RETRYCOUNT")?);
            } else {
                options.last_id = ids::id(value, 0)?;
            }
        }
        Ok(options)
    }
}

/// XCLAIM key group consumer min-idle-time id [id …] [IDLE ms] [TIME unix-time-milliseconds] [RETRYCOUNT count] [FORCE] [JUSTID] [LASTID lastid]
pub fn xclaim(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let (key, names) = (arguments[1], [arguments[2], arguments[3]]);
    let (stream, _) = ctx.read_as::<Stream>(key)?;
    if stream.is_none_or(|stream| !stream.groups().contains_key(names[0])) {
        return Err(no_group(key, names[0], ""));
    }
    let min_idle_ms = min_idle(arguments[4], "XCLAIM")?;
    let ids: SmallVec<[StreamId; 8]> = arguments[5..].iter().map_while(|text| ids::id(text, 0).ok()).collect();
    let (now_ms, done_ms, applying) = (ctx.now_ms() as i64, ctx.done_ms() as i64, ctx.is_applying());
    let options = Options::read(&arguments[5 + ids.len()..], now_ms)?;
    // A time that cannot be is now; in the stream, times are what they are.
    let time_ms = options.time_ms.filter(|time| applying || (0..=now_ms).contains(time)).unwrap_or(now_ms);
    let retry_count = options.retry_count.filter(|count| *count >= 0);
    let terms = Terms { min_idle_ms, time_ms, retry_count, just_id: options.just_id };

    let Some((stream, reply)) = ctx.stream_found(key) else { return Ok(()) };
    let (entries, groups) = stream.split_mut();
    let Some(group) = groups.get_mut(names[0]) else { return Ok(()) };
    let moves_on = options.last_id > group.last_id;
    if moves_on {
        group.last_id = options.last_id;
    }
    let known = group.find_consumer(names[1]);
    let owner = known.unwrap_or_else(|| group.add_consumer(names[1], done_ms));
    group.consumer_mut(owner).seen_ms = done_ms;
    let mut claim = Claim { entries, group, owner, now_ms: done_ms, outcome: Outcome::default() };
    for id in ids {
        let pending = claim.group.pending().get(&id).copied();
        match (claim.entries.get(id), pending) {
            (None, Some(_)) => claim.drop_gone(id),
            (Some(entry), Some(pending)) if claim.may_take(&pending, &terms) => {
                claim.take(entry, pending.count, &terms);
            }
            // A new one counts as delivered once before.
            (Some(entry), None) if options.force => claim.take(entry, 1, &terms),
            _ => {}
        }
    }
    let position = moves_on.then(|| Position::of(claim.group));
    let Outcome { taken, claimed, gone } = claim.outcome;
    write_taken(reply, &taken, terms.just_id);
    conclude(ctx, key, names, known.is_none(), time_ms, (claimed, gone), position);
    Ok(())
}

/// The most entries that one XAUTOCLAIM looks at, for each that it may claim.
const ATTEMPTS: usize = 10;

/// XAUTOCLAIM key group consumer min-idle-time start [COUNT count] [JUSTID]
pub fn xautoclaim(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let (key, names) = (arguments[1], [arguments[2], arguments[3]]);
    let min_idle_ms = min_idle(arguments[4], "XAUTOCLAIM")?;
    let from = ids::range_start(arguments[5])?;
    let (mut count, mut just_id) = (100, false);
    let mut words = arguments[6..].iter();
    while let Some(word) = words.next() {
        if word.eq_ignore_ascii_case(b"COUNT")
            && let Some(number) = words.next()
        {
            let max = i64::MAX / (size_of::<StreamId>().max(ATTEMPTS) as i64);
            let number = parse::integer_in(number, 1, max).map_err(|_| Failure::from("ERR COUNT must be > 0"))?;
            count = number as usize;
        } else if word.eq_ignore_ascii_case(b"JUSTID") {
            just_id = true;
        } else {
            return Err(failure::SYNTAX);
        }
    }
    let (stream, _) = ctx.read_as::<Stream>(key)?;
    if stream.is_none_or(|stream| !stream.groups().contains_key(names[0])) {
        return Err(no_group(key, names[0], ""));
    }
    let now_ms = ctx.now_ms() as i64;
    let terms = Terms { min_idle_ms, time_ms: now_ms, retry_count: None, just_id };

    let Some((stream, reply)) = ctx.stream_found(key) else { return Ok(()) };
    let (entries, groups) = stream.split_mut();
    let Some(group) = groups.get_mut(names[0]) else { return Ok(()) };
    let known = group.find_consumer(names[1]);
    let owner = known.unwrap_or_else(|| group.add_consumer(names[1], now_ms));
    group.consumer_mut(owner).seen_ms = now_ms;
    let mut claim = Claim { entries, group, owner, now_ms, outcome: Outcome::default() };
    let mut attempts = count * ATTEMPTS;
    let mut at = Bound::Included(from);
    let next = loop {
        let Some((&id, &pending)) = claim.group.pending().range((at, Bound::Unbounded)).next() else {
            break StreamId::MIN;
        };
        if attempts == 0 || count == 0 {
            break id;
        }
        attempts -= 1;
        at = Bound::Excluded(id);
        match claim.entries.get(id) {
            // Cleaning up is work too.
            None => {
                claim.drop_gone(id);
                count -= 1;
            }
            Some(entry) if claim.may_take(&pending, &terms) => {
                claim.take(entry, pending.count, &terms);
                count -= 1;
            }
            Some(_) => {}
        }
    };
    let Outcome { taken, claimed, gone } = claim.outcome;
    reply.array(3);
    write_id(reply, next);
    write_taken(reply, &taken, just_id);
    reply.array(gone.len());
    gone.iter().for_each(|id| write_id(reply, *id));
    conclude(ctx, key, names, known.is_none(), now_ms, (claimed, gone), None);
    Ok(())
}
