//! Fields of hashes read or written together with their expiry times: HGETEX, HSETEX; and HGETDEL.
//!
//! As everywhere, only absolute times are logged, and what is set with a time that is past is logged as its deletion.

use super::failure::Failure;
use super::field_times::{NO_COUNT, fields_of, note_expiry, time, type_first};
use super::hashes::{edit_or_create, limits, note_removed, wrong_arity};
use super::strings::write_text;
use super::{Ctx, parse};
use crate::base::number;
use crate::keyspace::{Hash, NewExpiry};
use crate::resp::Reply;

/// The unit of an option with a time, in milliseconds, and whether it counts from now on.
fn unit(word: &[u8]) -> Option<(i64, bool)> {
    match word.to_ascii_uppercase().as_slice() {
        b"EX" => Some((1000, true)),
        b"PX" => Some((1, true)),
        b"EXAT" => Some((1000, false)),
        b"PXAT" => Some((1, false)),
        _ => None,
    }
}

/// Reads or changes a hash with the reply at hand; `change` is called only if there is one.
fn with_reply<R>(
    ctx: &mut Ctx<'_>,
    key: &[u8],
    fields: &[&[u8]],
    change: impl FnOnce(&mut Hash, &mut Reply) -> R,
) -> Result<Option<R>, Failure> {
    let mut reply = std::mem::take(&mut ctx.reply);
    reply.array(fields.len());
    let result = ctx.edit_hash(key, fields.iter().copied(), |hash| change(hash, &mut reply));
    if let Ok(None) = result {
        fields.iter().for_each(|_| reply.null());
    }
    ctx.reply = reply;
    result
}

/// What HGETEX does with the expiry times.
#[derive(Clone, Copy)]
enum Expiration {
    Keep,
    Persist,
    At(i64),
}

impl Expiration {
    /// What HGETEX was asked for, and the fields.
    fn read<'a>(words: &'a [&'a [u8]], now_ms: i64) -> Result<(Self, &'a [&'a [u8]]), Failure> {
        let (expiration, rest) = match words[0] {
            word if word.eq_ignore_ascii_case(b"PERSIST") => (Self::Persist, &words[1..]),
            word => match unit(word) {
                Some((factor, relative)) => {
                    let base_ms = if relative { now_ms } else { 0 };
                    (Self::At(time(words[1], base_ms, factor, "hgetex")?), &words[2..])
                }
                None => (Self::Keep, words),
            },
        };
        if rest.len() == 1 {
            return Err(wrong_arity("hgetex"));
        }
        Ok((expiration, fields_of(rest, NO_COUNT)?))
    }
}

/// HGETEX key [EX seconds | PX milliseconds | EXAT time | PXAT time | PERSIST] FIELDS numfields field [field …]
pub fn hgetex(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let key = arguments[1];
    let asked = Expiration::read(&arguments[2..], ctx.now_ms() as i64);
    let (expiration, fields) = type_first(ctx, key, asked)?;
    let is_past = matches!(expiration, Expiration::At(at_ms) if at_ms <= ctx.fields_now_ms());
    let mut changed = Vec::new();
    let is_empty = with_reply(ctx, key, fields, |hash, reply| {
        for field in fields {
            let value = hash.get(field, i64::MIN);
            write_text(reply, value);
            let is_changed = value.is_some()
                && match expiration {
                    Expiration::Keep => false,
                    Expiration::Persist => {
                        hash.expiry(field, i64::MIN).flatten().is_some() && hash.set_expiry(field, None)
                    }
                    Expiration::At(_) if is_past => hash.remove(field),
                    Expiration::At(at_ms) => hash.set_expiry(field, Some(at_ms)),
                };
            if is_changed {
                changed.push(*field);
            }
        }
        hash.is_empty()
    })?;
    match expiration {
        Expiration::At(at_ms) => {
            note_expiry(ctx, key, &changed, Some(at_ms).filter(|_| !is_past), is_empty.unwrap_or(false));
        }
        _ if changed.is_empty() => {}
        _ => {
            ctx.modified(key);
            ctx.event("hpersist", key);
            ctx.counts_as(changed.len() as u64);
            let count = changed.len().to_string();
            ctx.effect(&[&[b"HPERSIST", key, b"FIELDS", count.as_bytes()], &changed[..]].concat());
        }
    }
    Ok(())
}

/// HGETDEL key FIELDS numfields field [field …]
pub fn hgetdel(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let key = arguments[1];
    let fields = type_first(ctx, key, fields_of(&arguments[2..], NO_COUNT))?;
    let mut removed = Vec::new();
    let is_empty = with_reply(ctx, key, fields, |hash, reply| {
        for field in fields {
            write_text(reply, hash.get(field, i64::MIN));
            if hash.remove(field) {
                removed.push(*field);
            }
        }
        hash.is_empty()
    })?;
    if !removed.is_empty() {
        note_removed(ctx, key, removed.len(), is_empty.unwrap_or(false));
        ctx.effect(&[&[b"HDEL", key], &removed[..]].concat());
    }
    Ok(())
}

/// What HSETEX was asked for.
struct Setting<'a> {
    /// Only if all fields are there (true), or none is.
    only_if: Option<bool>,
    expiry: NewExpiry,
    pairs: &'a [[&'a [u8]; 2]],
}

impl<'a> Setting<'a> {
    fn read(words: &'a [&'a [u8]], now_ms: i64) -> Result<Self, Failure> {
        let mut setting = Self { only_if: None, expiry: NewExpiry::Is(None), pairs: &[] };
        let mut has_expiration = false;
        let mut rest = words;
        while let [word, after @ ..] = rest {
            rest = after;
            let upper = word.to_ascii_uppercase();
            match upper.as_slice() {
                b"FIELDS" => {
                    setting.pairs = pairs(rest)?;
                    return Ok(setting);
                }
                b"FNX" | b"FXX" => {
                    if setting.only_if.replace(upper == b"FXX").is_some() {
                        return Err("ERR Only one of FXX or FNX arguments can be specified".into());
                    }
                }
                b"KEEPTTL" | b"EX" | b"PX" | b"EXAT" | b"PXAT" => {
                    if std::mem::replace(&mut has_expiration, true) {
                        return Err("ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified".into());
                    }
                    let Some((factor, relative)) = unit(word) else {
                        setting.expiry = NewExpiry::Keep;
                        continue;
                    };
                    let [amount, after @ ..] = rest else { return Err(wrong_arity("hsetex")) };
                    rest = after;
                    let base_ms = if relative { now_ms } else { 0 };
                    setting.expiry = NewExpiry::Is(Some(time(amount, base_ms, factor, "hsetex")?));
                }
                _ => return Err(Failure::new([b"ERR unknown argument: ", number::c_string(word)].concat())),
            }
        }
        Err(wrong_arity("hsetex"))
    }
}

/// `numfields field value …`, which is all that is left of the command.
fn pairs<'a>(words: &'a [&'a [u8]]) -> Result<&'a [[&'a [u8]; 2]], Failure> {
    let [count, data @ ..] = words else { return Err(wrong_arity("hsetex")) };
    if data.len() < 2 {
        return Err(wrong_arity("hsetex"));
    }
    let count = parse::integer_in(count, 1, i32::MAX.into()).map_err(|_| "ERR invalid number of fields")?;
    match data.as_chunks::<2>() {
        (pairs, []) if usize::try_from(count) == Ok(pairs.len()) => Ok(pairs),
        _ => Err(wrong_arity("hsetex")),
    }
}

/// HSETEX key [FNX | FXX] [EX seconds | PX milliseconds | EXAT time | PXAT time | KEEPTTL] FIELDS numfields field value
/// [field value …]
pub fn hsetex(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let key = arguments[1];
    let Setting { only_if, expiry, pairs } = Setting::read(&arguments[2..], ctx.now_ms() as i64)?;
    let now_ms = ctx.fields_now_ms();
    let is_past = matches!(expiry, NewExpiry::Is(Some(at_ms)) if at_ms <= now_ms);
    let limits = limits(&ctx.engine.config);
    // Answers the fields that were removed, if the condition holds.
    let set = |hash: &mut Hash| -> Option<Vec<&[u8]>> {
        let mut fields = pairs.iter().map(|[field, _]| field);
        if only_if.is_some_and(|wanted| fields.any(|field| hash.contains(field) != wanted)) {
            return None;
        }
        // Redis prepares for fields also if it then does not set them.
        let longest = pairs.as_flattened().iter().map(|word| word.len()).max().unwrap_or(0);
        hash.expect(pairs.len(), longest, &limits);
        if is_past {
            return Some(pairs.iter().map(|[field, _]| *field).filter(|field| hash.remove(field)).collect());
        }
        pairs.iter().for_each(|[field, value]| _ = hash.set(field, value, expiry, &limits));
        Some(Vec::new())
    };
    let fields = pairs.iter().map(|[field, _]| *field);
    let removed = edit_or_create(ctx, key, fields, set)?;
    match &removed {
        None => {}
        Some(removed) if is_past => note_deleted(ctx, key, removed)?,
        Some(_) => {
            ctx.modified(key);
            ctx.event("hset", key);
            ctx.counts_as(pairs.len() as u64);
            log_set(ctx, key, expiry, pairs);
        }
    }
    ctx.reply.integer(removed.is_some().into());
    Ok(())
}

fn note_deleted(ctx: &mut Ctx<'_>, key: &[u8], removed: &[&[u8]]) -> Result<(), Failure> {
    if !removed.is_empty() {
        let is_empty = ctx.edit_hash(key, [], |hash| hash.is_empty())?.unwrap_or(false);
        note_removed(ctx, key, removed.len(), is_empty);
        ctx.effect(&[&[b"HDEL", key], removed].concat());
    }
    Ok(())
}

fn log_set(ctx: &mut Ctx<'_>, key: &[u8], expiry: NewExpiry, pairs: &[[&[u8]; 2]]) {
    let data = pairs.as_flattened();
    let count = pairs.len().to_string();
    let mut time = itoa::Buffer::new();
    match expiry {
        NewExpiry::Is(None) => ctx.effect(&[&[b"HSET", key], data].concat()),
        NewExpiry::Keep => {
            ctx.effect(&[&[b"HSETEX", key, b"KEEPTTL", b"FIELDS", count.as_bytes()], data].concat());
        }
        NewExpiry::Is(Some(at_ms)) => {
            ctx.event("hexpire", key);
            let start = [b"HSETEX", key, b"PXAT", time.format(at_ms).as_bytes(), b"FIELDS", count.as_bytes()];
            ctx.effect(&[&start, data].concat());
        }
    }
}
