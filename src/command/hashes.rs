//! Hashes: setting, getting and deleting fields.

use super::Ctx;
use super::failure::Failure;
use super::strings::write_text;
use crate::engine::config::Config;
use crate::keyspace::{Hash, HashLimits, NewExpiry, Text};
use crate::resp::Reply;

/// How hashes are represented at the moment.
pub(super) fn limits(config: &Config) -> HashLimits {
    HashLimits {
        listpack_entries: config.hash_max_listpack_entries(),
        listpack_value: config.hash_max_listpack_value(),
    }
}

/// Changes a hash, which is made if the key is missing; see [`Ctx::edit_hash`].
pub(super) fn edit_or_create<'f, R>(
    ctx: &mut Ctx<'_>,
    key: &[u8],
    fields: impl IntoIterator<Item = &'f [u8]>,
    change: impl FnOnce(&mut Hash) -> R + Copy,
) -> Result<R, Failure> {
    if let Some(result) = ctx.edit_hash(key, fields, change)? {
        return Ok(result);
    }
    let mut hash = Hash::new();
    let result = change(&mut hash);
    if !hash.is_empty() {
        ctx.create(key, hash);
    }
    Ok(result)
}

/// Sets fields; answers how many were not there.
fn set_pairs(ctx: &mut Ctx<'_>, arguments: &[&[u8]], command: &str) -> Result<usize, Failure> {
    let (key, (pairs, rest)) = (arguments[1], arguments[2..].as_chunks::<2>());
    if !rest.is_empty() {
        return Err(wrong_arity(command));
    }
    let limits = limits(&ctx.engine.config);
    let set = |hash: &mut Hash| {
        hash.expect(pairs.len(), &limits);
        pairs.iter().filter(|[field, value]| hash.set(field, value, NewExpiry::Is(None), &limits)).count()
    };
    let added = edit_or_create(ctx, key, pairs.iter().map(|[field, _]| *field), set)?;
    ctx.modified(key);
    ctx.event("hset", key);
    ctx.counts_as(pairs.len() as u64);
    Ok(added)
}

/// The error for words that come in pairs, or in a number that was told, and do not.
pub(super) fn wrong_arity(command: &str) -> Failure {
    Failure::new(format!("ERR wrong number of arguments for '{command}' command"))
}

/// HSET key field value [field value …]
pub fn hset(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let added = set_pairs(ctx, arguments, "hset")?;
    ctx.reply.count(added);
    Ok(())
}

/// HMSET key field value [field value …]
pub fn hmset(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    set_pairs(ctx, arguments, "hmset")?;
    ctx.reply.ok();
    Ok(())
}

/// HSETNX key field value
pub fn hsetnx(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let (key, field, value) = (arguments[1], arguments[2], arguments[3]);
    let limits = limits(&ctx.engine.config);
    let set = |hash: &mut Hash| !hash.contains(field) && hash.set(field, value, NewExpiry::Keep, &limits);
    let is_new = edit_or_create(ctx, key, [field], set)?;
    if is_new {
        ctx.modified(key);
        ctx.event("hset", key);
    }
    ctx.reply.integer(is_new.into());
    Ok(())
}

/// HDEL key field [field …]
pub fn hdel(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let (key, fields) = (arguments[1], &arguments[2..]);
    let remove = |hash: &mut Hash| (fields.iter().filter(|field| hash.remove(field)).count(), hash.is_empty());
    let (removed, is_empty) = ctx.edit_hash(key, fields.iter().copied(), remove)?.unwrap_or_default();
    note_removed(ctx, key, removed, is_empty);
    ctx.reply.count(removed);
    Ok(())
}

/// Tells of fields that a command removed.
pub(super) fn note_removed(ctx: &mut Ctx<'_>, key: &[u8], removed: usize, is_empty: bool) {
    if removed > 0 {
        ctx.modified(key);
        ctx.event("hdel", key);
        if is_empty {
            ctx.remove_emptied(key);
        }
        ctx.counts_as(removed as u64);
    }
}

/// HGET key field
pub fn hget(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let (found, reply) = get(ctx, arguments)?;
    write_text(reply, found);
    Ok(())
}

/// HEXISTS key field
pub fn hexists(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let (found, reply) = get(ctx, arguments)?;
    reply.integer(found.is_some().into());
    Ok(())
}

/// HSTRLEN key field
pub fn hstrlen(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let (found, reply) = get(ctx, arguments)?;
    reply.count(found.map_or(0, Text::len));
    Ok(())
}

fn get<'c>(ctx: &'c mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(Option<Text<'c>>, &'c mut Reply), Failure> {
    let now_ms = ctx.fields_now_ms();
    let (hash, reply) = ctx.read_as::<Hash>(arguments[1])?;
    Ok((hash.and_then(|hash| hash.get(arguments[2], now_ms)), reply))
}

/// HMGET key field [field …]
pub fn hmget(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let now_ms = ctx.fields_now_ms();
    let (hash, reply) = ctx.read_as::<Hash>(arguments[1])?;
    reply.array(arguments.len() - 2);
    for field in &arguments[2..] {
        write_text(reply, hash.and_then(|hash| hash.get(field, now_ms)));
    }
    Ok(())
}

/// HLEN key
pub fn hlen(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let now_ms = ctx.fields_now_ms();
    let (hash, reply) = ctx.read_as::<Hash>(arguments[1])?;
    reply.count(hash.map_or(0, |hash| hash.live_len(now_ms)));
    Ok(())
}

/// HGETALL key
pub fn hgetall(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let now_ms = ctx.fields_now_ms();
    let (hash, reply) = ctx.read_as::<Hash>(arguments[1])?;
    let Some(hash) = hash else {
        reply.map(0);
        return Ok(());
    };
    reply.map(hash.live_len(now_ms));
    hash.for_each(now_ms, |field, value| {
        write_text(reply, Some(field));
        write_text(reply, Some(value));
    });
    Ok(())
}

/// HKEYS key
pub fn hkeys(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    list(ctx, arguments[1], |field, _| field)
}

/// HVALS key
pub fn hvals(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    list(ctx, arguments[1], |_, value| value)
}

fn list(ctx: &mut Ctx<'_>, key: &[u8], which: for<'t> fn(Text<'t>, Text<'t>) -> Text<'t>) -> Result<(), Failure> {
    let now_ms = ctx.fields_now_ms();
    let (hash, reply) = ctx.read_as::<Hash>(key)?;
    reply.array(hash.map_or(0, |hash| hash.live_len(now_ms)));
    if let Some(hash) = hash {
        hash.for_each(now_ms, |field, value| write_text(reply, Some(which(field, value))));
    }
    Ok(())
}

#[cfg(test)]
#[path = "hashes_tests.rs"]
mod tests;
