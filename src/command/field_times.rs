//! When fields of hashes expire: HEXPIRE and its relatives, HPERSIST, HTTL and its relatives.
//!
//! Logged is only the absolute time (`HPEXPIREAT`), or the deletion of fields whose time has already come.

use super::expire::{Conditions, invalid_time};
use super::failure::Failure;
use super::hashes::note_removed;
use super::{Ctx, parse};
use crate::keyspace::{Hash, LATEST_MS};

const NO_FIELDS: Failure = Failure::fixed("ERR Mandatory argument FIELDS is missing or not at the right position");
const NOT_SO_MANY: Failure = Failure::fixed("ERR The `numfields` parameter must match the number of arguments");
/// The error for a number of fields that is none, of all commands but HEXPIRE and its relatives.
pub(super) const NO_COUNT: Failure = Failure::fixed("ERR Number of fields must be a positive integer");
const NO_COUNT_TO_EXPIRE: Failure = Failure::fixed("ERR Parameter `numFields` should be greater than 0");

/// The answer for a field that is not there.
const ABSENT: i64 = -2;
/// The answer for a field that does not expire.
const NEVER: i64 = -1;

/// `FIELDS numfields field …`, which is all that is left of a command; answers the fields.
pub(super) fn fields_of<'a>(words: &'a [&'a [u8]], no_count: Failure) -> Result<&'a [&'a [u8]], Failure> {
    match words {
        [word, count, fields @ ..] if word.eq_ignore_ascii_case(b"FIELDS") => {
            let count = parse::integer_in(count, 1, i64::MAX).map_err(|_| no_count)?;
            if usize::try_from(count) == Ok(fields.len()) { Ok(fields) } else { Err(NOT_SO_MANY) }
        }
        _ => Err(NO_FIELDS),
    }
}

/// What was asked, unless it is wrong; but Redis complains about the type of the value before anything else.
pub(super) fn type_first<T>(ctx: &mut Ctx<'_>, key: &[u8], asked: Result<T, Failure>) -> Result<T, Failure> {
    if asked.is_err() {
        ctx.edit_hash(key, [], |_| ())?;
    }
    asked
}

/// A time of so many units of `factor` milliseconds from `base_ms` on.
pub(super) fn time(text: &[u8], base_ms: i64, factor: i64, command: &str) -> Result<i64, Failure> {
    let amount = parse::integer(text)?;
    if amount < 0 {
        return Err("ERR invalid expire time, must be >= 0".into());
    }
    let at_ms = amount.checked_mul(factor).and_then(|span| span.checked_add(base_ms));
    at_ms.filter(|at_ms| *at_ms <= LATEST_MS).ok_or_else(|| invalid_time(command))
}

/// HEXPIRE key seconds [NX | XX | GT | LT] FIELDS numfields field [field …]
pub fn hexpire(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let now_ms = ctx.now_ms() as i64;
    expire_at(ctx, arguments, now_ms, 1000, "hexpire")
}

/// HPEXPIRE key milliseconds [NX | XX | GT | LT] FIELDS numfields field [field …]
pub fn hpexpire(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let now_ms = ctx.now_ms() as i64;
    expire_at(ctx, arguments, now_ms, 1, "hpexpire")
}

/// HEXPIREAT key unix-time-seconds [NX | XX | GT | LT] FIELDS numfields field [field …]
pub fn hexpireat(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    expire_at(ctx, arguments, 0, 1000, "hexpireat")
}

/// HPEXPIREAT key unix-time-milliseconds [NX | XX | GT | LT] FIELDS numfields field [field …]
pub fn hpexpireat(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    expire_at(ctx, arguments, 0, 1, "hpexpireat")
}

fn expire_at(ctx: &mut Ctx<'_>, arguments: &[&[u8]], base_ms: i64, factor: i64, command: &str) -> Result<(), Failure> {
    let key = arguments[1];
    let asked = time(arguments[2], base_ms, factor, command).and_then(|at_ms| {
        let (conditions, rest) = match Conditions::read(&arguments[3..4]) {
            Ok(conditions) => (conditions, &arguments[4..]),
            Err(_) => (Conditions::default(), &arguments[3..]),
        };
        Ok((at_ms, conditions, fields_of(rest, NO_COUNT_TO_EXPIRE)?))
    });
    let (at_ms, conditions, fields) = type_first(ctx, key, asked)?;
    let is_past = at_ms <= ctx.fields_now_ms();
    // What is done to a field is written down as it is answered.
    let (mut changed, mut answers) = (Vec::new(), Vec::with_capacity(fields.len()));
    let is_empty = ctx.edit_hash(key, fields.iter().copied(), |hash| {
        for field in fields {
            let answer = match hash.expiry(field, i64::MIN) {
                None => ABSENT,
                Some(before) if !conditions.allow(before, at_ms) => 0,
                Some(_) if is_past => {
                    hash.remove(field);
                    2
                }
                Some(_) => {
                    hash.set_expiry(field, Some(at_ms));
                    1
                }
            };
            if answer > 0 {
                changed.push(*field);
            }
            answers.push(answer);
        }
        hash.is_empty()
    })?;
    if is_empty.is_none() {
        answers.resize(fields.len(), ABSENT);
    }
    note_expiry(ctx, key, &changed, Some(at_ms).filter(|_| !is_past), is_empty.unwrap_or(false));
    ctx.reply.array(answers.len());
    answers.iter().for_each(|answer| ctx.reply.integer(*answer));
    Ok(())
}

/// Tells of fields that were given an expiry time, or were removed because it was past.
pub(super) fn note_expiry(ctx: &mut Ctx<'_>, key: &[u8], changed: &[&[u8]], at_ms: Option<i64>, is_empty: bool) {
    if changed.is_empty() {
        return;
    }
    let count = changed.len().to_string();
    match at_ms {
        Some(at_ms) => {
            ctx.modified(key);
            ctx.event("hexpire", key);
            ctx.counts_as(changed.len() as u64);
            let mut time = itoa::Buffer::new();
            let start = [b"HPEXPIREAT", key, time.format(at_ms).as_bytes(), b"FIELDS", count.as_bytes()];
            ctx.effect(&[&start, changed].concat());
        }
        None => {
            note_removed(ctx, key, changed.len(), is_empty);
            ctx.effect(&[&[b"HDEL", key], changed].concat());
        }
    }
}

/// HPERSIST key FIELDS numfields field [field …]
pub fn hpersist(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let key = arguments[1];
    let fields = type_first(ctx, key, fields_of(&arguments[2..], NO_COUNT))?;
    let mut answers = Vec::with_capacity(fields.len());
    ctx.edit_hash(key, fields.iter().copied(), |hash| {
        for field in fields {
            answers.push(match hash.expiry(field, i64::MIN) {
                None => ABSENT,
                Some(None) => NEVER,
                Some(Some(_)) => hash.set_expiry(field, None).into(),
            });
        }
    })?;
    answers.resize(fields.len(), ABSENT);
    let persisted = answers.iter().filter(|answer| **answer > 0).count();
    if persisted > 0 {
        ctx.modified(key);
        ctx.event("hpersist", key);
        ctx.counts_as(persisted as u64);
    }
    ctx.reply.array(answers.len());
    answers.iter().for_each(|answer| ctx.reply.integer(*answer));
    Ok(())
}

/// HTTL key FIELDS numfields field [field …]
pub fn httl(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let now_ms = ctx.now_ms() as i64;
    answer_times(ctx, arguments, |at_ms| rounded_up(at_ms - now_ms))
}

/// HPTTL key FIELDS numfields field [field …]
pub fn hpttl(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let now_ms = ctx.now_ms() as i64;
    answer_times(ctx, arguments, |at_ms| at_ms - now_ms)
}

/// HEXPIRETIME key FIELDS numfields field [field …]
pub fn hexpiretime(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    answer_times(ctx, arguments, rounded_up)
}

/// HPEXPIRETIME key FIELDS numfields field [field …]
pub fn hpexpiretime(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    answer_times(ctx, arguments, |at_ms| at_ms)
}

fn answer_times(ctx: &mut Ctx<'_>, arguments: &[&[u8]], express: impl Fn(i64) -> i64) -> Result<(), Failure> {
    let now_ms = ctx.fields_now_ms();
    let (hash, reply) = ctx.read_as::<Hash>(arguments[1])?;
    let fields = fields_of(&arguments[2..], NO_COUNT)?;
    reply.array(fields.len());
    for field in fields {
        reply.integer(match hash.and_then(|hash| hash.expiry(field, now_ms)) {
            None => ABSENT,
            Some(None) => NEVER,
            Some(Some(at_ms)) => express(at_ms),
        });
    }
    Ok(())
}

/// In seconds; other than TTL, these commands round up.
fn rounded_up(ms: i64) -> i64 {
    ms.saturating_add(999) / 1000
}

#[cfg(test)]
#[path = "field_times_tests.rs"]
mod tests;
