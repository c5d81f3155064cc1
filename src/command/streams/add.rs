//! XADD and XTRIM.

use smallvec::SmallVec;

use super::ids::{self, NewId};
use super::references::{self, References};
use super::write_id;
use crate::command::failure::{self, Failure};
use crate::command::{Ctx, parse};
use crate::engine::config::Config;
use crate::keyspace::{Bound, Refused, Stream, StreamEntries, StreamId, StreamLimits, Trim};

/// How full nodes get at the moment.
fn limits(config: &Config) -> StreamLimits {
    StreamLimits { node_bytes: config.stream_node_max_bytes(), node_entries: config.stream_node_max_entries() }
}

const NOT_ABOVE: Failure =
    Failure::fixed("ERR The ID specified in XADD is equal or smaller than the target stream top item");
const EXHAUSTED: Failure =
    Failure::fixed("ERR The stream has exhausted the last possible ID, unable to add more items");
const NO_STRATEGY: Failure =
    Failure::fixed("ERR syntax error, LIMIT cannot be used without specifying a trimming strategy");

/// The options of both commands.
#[derive(Default)]
struct Options {
    trim: Option<Trim>,
    references: Option<References>,
    no_create: bool,
    id: Option<NewId>,
    /// Where the options end: the place of XADD's id.
    end: usize,
}

impl Options {
    fn read(arguments: &[&[u8]], for_xadd: bool, config: &Config) -> Result<Self, Failure> {
        let mut options = Self::default();
        let mut limit = None;
        let mut at = 2;
        while at < arguments.len() {
            let word = arguments[at];
            let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
            let more = arguments.len() - 1 - at;
            if for_xadd && word == b"*" {
                options.id = Some(NewId::Auto);
                break;
            } else if more > 0 && (is("MAXLEN") || is("MINID")) {
                if options.trim.is_some() {
                    return Err("ERR syntax error, MAXLEN and MINID options at the same time are not compatible".into());
                }
                let operator = more >= 2 && matches!(arguments[at + 1], b"~" | b"=");
                let approximate = operator && arguments[at + 1] == b"~";
                at += 1 + usize::from(operator);
                let bound =
                    if is("MAXLEN") { max_len(arguments[at])? } else { Bound::MinId(ids::id(arguments[at], 0)?) };
                options.trim = Some(Trim { bound, approximate, limit: 0 });
            } else if more > 0 && is("LIMIT") {
                at += 1;
                let number = parse::integer(arguments[at])?;
                limit = Some(u64::try_from(number).map_err(|_| Failure::from("ERR The LIMIT argument must be >= 0."))?);
            } else if for_xadd && is("NOMKSTREAM") {
                options.no_create = true;
            } else if options.references.is_none()
                && let Some(references) = References::named(word)
            {
                options.references = Some(references);
            } else if for_xadd {
                options.id = Some(ids::new_id(word)?);
                break;
            } else {
                return Err(failure::SYNTAX);
            }
            at += 1;
        }
        options.end = at;
        let Some(trim) = &mut options.trim else {
            return match limit {
                Some(1..) => Err(NO_STRATEGY),
                _ if !for_xadd => Err("ERR syntax error, XTRIM must be called with a trimming strategy".into()),
                Some(0) => Err(WITHOUT_TILDE),
                None => Ok(options),
            };
        };
        trim.limit = match limit {
            Some(_) if !trim.approximate => return Err(WITHOUT_TILDE),
            Some(limit) => limit,
            None if trim.approximate => default_limit(config),
            None => 0,
        };
        Ok(options)
    }
}

const WITHOUT_TILDE: Failure = Failure::fixed("ERR syntax error, LIMIT cannot be used without the special ~ option");

fn max_len(text: &[u8]) -> Result<Bound, Failure> {
    let max = u64::try_from(parse::integer(text)?);
    max.map(Bound::MaxLen).map_err(|_| "ERR The MAXLEN argument must be >= 0.".into())
}

/// How many entries one call removes approximately, unless it says so itself: those of a hundred nodes.
fn default_limit(config: &Config) -> u64 {
    match config.stream_node_max_entries().saturating_mul(100) {
        0 => 10_000,
        limit => limit.min(1_000_000),
    }
}

/// The id that an entry gets.
fn resolve(id: NewId, last: StreamId, now_ms: u64) -> Result<StreamId, Failure> {
    match id {
        NewId::Given(id) => Ok(id),
        NewId::AutoSeq(ms) if ms == last.ms => {
            let seq = last.seq.checked_add(1).ok_or(NOT_ABOVE)?;
            Ok(StreamId::new(ms, seq))
        }
        NewId::AutoSeq(ms) => Ok(StreamId::new(ms, 0)),
        NewId::Auto if now_ms > last.ms => Ok(StreamId::new(now_ms, 0)),
        NewId::Auto => last.next().ok_or(EXHAUSTED),
    }
}

/// Adds an entry.
fn append(
    entries: &mut StreamEntries,
    id: NewId,
    pairs: &[&[u8]],
    now_ms: u64,
    limits: &StreamLimits,
) -> Result<StreamId, Failure> {
    if entries.last_id() == StreamId::MAX {
        return Err(EXHAUSTED);
    }
    let id = resolve(id, entries.last_id(), now_ms)?;
    match entries.append(id, pairs, limits) {
        Ok(()) => Ok(id),
        Err(Refused::NotAbove) => Err(NOT_ABOVE),
        Err(Refused::TooLarge) => Err("ERR Elements are too large to be stored".into()),
    }
}

/// XADD key [NOMKSTREAM] [KEEPREF | DELREF | ACKED] [MAXLEN | MINID [= | ~] threshold [LIMIT count]] * | id field value [field value …]
pub fn xadd(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let options = Options::read(arguments, true, &ctx.engine.config)?;
    let key = arguments[1];
    let pairs = arguments.get(options.end + 1..).unwrap_or_default();
    let Some(id) = options.id.filter(|_| !pairs.is_empty() && pairs.len().is_multiple_of(2)) else {
        return Err("ERR wrong number of arguments for 'xadd' command".into());
    };
    if id == NewId::Given(StreamId::MIN) {
        return Err("ERR The ID specified in XADD must be greater than 0-0".into());
    }
    let (limits, now_ms) = (limits(&ctx.engine.config), ctx.now_ms());
    let mut trimmed = references::Removed::default();
    let (id, left) = match ctx.edit::<Stream>(key)? {
        Some(stream) => {
            let id = append(stream.entries_mut(), id, pairs, now_ms, &limits)?;
            if let Some(trim) = &options.trim {
                trimmed = references::trim(stream, trim, options.references.unwrap_or_default());
            }
            (id, stream.entries().len())
        }
        None if options.no_create => {
            ctx.reply.null();
            return Ok(());
        }
        None => {
            let mut stream = Stream::new();
            let id = append(stream.entries_mut(), id, pairs, now_ms, &limits)?;
            if let Some(trim) = &options.trim {
                trimmed = references::trim(&mut stream, trim, options.references.unwrap_or_default());
            }
            let left = stream.entries().len();
            ctx.create(key, stream);
            (id, left)
        }
    };
    ctx.modified(key);
    ctx.event("xadd", key);
    if trimmed.count > 0 {
        ctx.event("xtrim", key);
    }
    write_id(&mut ctx.reply, id);
    if !ctx.is_applying() {
        let text = id.text();
        let mut buffer = itoa::Buffer::new();
        let mut words: SmallVec<[&[u8]; 12]> = SmallVec::from_slice(&[b"XADD", key]);
        if trimmed.is_first_ones() {
            words.extend([&b"MAXLEN"[..], b"=", buffer.format(left).as_bytes()]);
        }
        words.push(&text);
        words.extend_from_slice(pairs);
        ctx.effect(&words);
        trimmed.log_rest(ctx, key);
    }
    Ok(())
}

/// XTRIM key MAXLEN | MINID [= | ~] threshold [LIMIT count] [KEEPREF | DELREF | ACKED]
pub fn xtrim(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let options = Options::read(arguments, false, &ctx.engine.config)?;
    let key = arguments[1];
    let trim = options.trim.ok_or(failure::SYNTAX)?;
    let Some(stream) = ctx.edit::<Stream>(key)? else {
        ctx.reply.integer(0);
        return Ok(());
    };
    let removed = references::trim(stream, &trim, options.references.unwrap_or_default());
    let left = stream.entries().len();
    if removed.count > 0 {
        ctx.modified(key);
        ctx.event("xtrim", key);
        if removed.is_first_ones() {
            ctx.effect(&[b"XTRIM", key, b"MAXLEN", b"=", itoa::Buffer::new().format(left).as_bytes()]);
        }
        let count = removed.count;
        removed.log_rest(ctx, key);
        ctx.counts_as(count);
        ctx.reply.integer(count as i64);
    } else {
        ctx.reply.integer(0);
    }
    Ok(())
}
