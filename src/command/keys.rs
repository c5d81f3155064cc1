//! Keys whatever their values: deleting, renaming, copying, moving, and whole databases.

use super::failure::{self, Failure};
use super::{Ctx, parse};
use crate::keyspace::{self, Cleared, Entry};

const SAME_OBJECT: Failure = Failure::fixed("ERR source and destination objects are the same");
const NO_SUCH_DB: Failure = Failure::fixed("ERR DB index is out of range");

/// DEL key [key …], and UNLINK
pub fn del(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let mut deleted = 0;
    for key in &arguments[1..] {
        if ctx.write(key).is_some() {
            drop(ctx.db().remove(keyspace::hash(key), key));
            ctx.modified(key);
            ctx.event("del", key);
            deleted += 1;
        }
    }
    ctx.reply.integer(deleted);
    Ok(())
}

/// EXISTS key [key …]
pub fn exists(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let found = arguments[1..].iter().filter(|key| ctx.peek(key).is_some()).count();
    ctx.reply.count(found);
    Ok(())
}

/// TOUCH key [key …]
pub fn touch(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let found = arguments[1..].iter().filter(|key| ctx.touch(key)).count();
    ctx.reply.count(found);
    Ok(())
}

/// TYPE key
pub fn kind(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let (entry, reply) = ctx.peek_reply(arguments[1]);
    reply.simple(entry.map_or("none", |entry| entry.kind().name()));
    Ok(())
}

/// RENAME key newkey
pub fn rename(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let (from, to) = (arguments[1], arguments[2]);
    ctx.write(from).ok_or(failure::NO_SUCH_KEY)?;
    if from != to {
        ctx.write(to);
        give(ctx, from, to);
    }
    ctx.reply.ok();
    Ok(())
}

/// RENAMENX key newkey
pub fn renamenx(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let (from, to) = (arguments[1], arguments[2]);
    ctx.write(from).ok_or(failure::NO_SUCH_KEY)?;
    let free = from != to && ctx.write(to).is_none();
    if free {
        give(ctx, from, to);
    }
    ctx.reply.integer(free.into());
    Ok(())
}

fn give(ctx: &mut Ctx<'_>, from: &[u8], to: &[u8]) {
    ctx.db().rename((keyspace::hash(from), from), (keyspace::hash(to), to));
    ctx.modified(from);
    ctx.modified(to);
    ctx.event("rename_from", from);
    ctx.event("rename_to", to);
}

/// COPY source destination [DB n] [REPLACE]
pub fn copy(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let (from, to) = (arguments[1], arguments[2]);
    let source = ctx.client.db;
    let mut target = source;
    let mut replace = false;
    let mut words = arguments[3..].iter();
    while let Some(word) = words.next() {
        if word.eq_ignore_ascii_case(b"REPLACE") {
            replace = true;
        } else if word.eq_ignore_ascii_case(b"DB") {
            target = database(ctx, words.next().ok_or(failure::SYNTAX)?)?;
        } else {
            return Err(failure::SYNTAX);
        }
    }
    if target == source && from == to {
        return Err(SAME_OBJECT);
    }
    let copy = ctx.read(from).map(|entry| entry.duplicate(to, entry.expiry()));
    let free = copy.is_some() && (ctx.write_in(target, to).is_none() || replace);
    if let Some(copy) = copy.filter(|_| free) {
        ctx.engine.dbs[target].insert(keyspace::hash(to), copy);
        ctx.modified_in(target, to);
        ctx.event("copy_to", to);
    }
    ctx.reply.integer(free.into());
    Ok(())
}

/// MOVE key db
pub fn move_to(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let key = arguments[1];
    let source = ctx.client.db;
    let target = database(ctx, arguments[2])?;
    if target == source {
        return Err(SAME_OBJECT);
    }
    let movable = ctx.write(key).is_some() && ctx.write_in(target, key).is_none();
    if movable {
        let hash = keyspace::hash(key);
        let entry = ctx.db().remove(hash, key).expect("the key was just found");
        ctx.engine.dbs[target].insert(hash, entry);
        ctx.modified(key);
        ctx.modified_in(target, key);
        ctx.event("move_from", key);
        ctx.event("move_to", key);
    }
    ctx.reply.integer(movable.into());
    Ok(())
}

/// SELECT db
pub fn select(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    ctx.client.db = database(ctx, arguments[1])?;
    ctx.reply.ok();
    Ok(())
}

/// The number of a database that exists.
fn database(ctx: &Ctx<'_>, text: &[u8]) -> Result<usize, Failure> {
    let number = parse::integer_in(text, i32::MIN.into(), i32::MAX.into())?;
    usize::try_from(number).ok().filter(|number| *number < ctx.engine.dbs.len()).ok_or(NO_SUCH_DB)
}

/// SWAPDB first second
pub fn swapdb(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let number = |text: &[u8], error: &'static str| {
        parse::integer_in(text, i32::MIN.into(), i32::MAX.into()).map_err(|_| Failure::from(error))
    };
    let first = number(arguments[1], "ERR invalid first DB index")?;
    let second = number(arguments[2], "ERR invalid second DB index")?;
    let existing = |number: i64| usize::try_from(number).ok().filter(|number| *number < ctx.engine.dbs.len());
    let (Some(first), Some(second)) = (existing(first), existing(second)) else { return Err(NO_SUCH_DB) };
    if first != second {
        // Taken out while those who watch are told: a key of either has changed if it is in one of them.
        let a = std::mem::take(&mut ctx.engine.dbs[first]);
        let b = std::mem::take(&mut ctx.engine.dbs[second]);
        let concerned = |key: &[u8]| {
            let hash = keyspace::hash(key);
            a.find(hash, key).is_some() || b.find(hash, key).is_some()
        };
        ctx.modified_database(first, concerned);
        ctx.modified_database(second, concerned);
        ctx.engine.dbs[first] = b;
        ctx.engine.dbs[second] = a;
    }
    ctx.reply.ok();
    Ok(())
}

/// FLUSHDB [ASYNC | SYNC]
pub fn flushdb(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let lazy = is_lazy(ctx, arguments)?;
    let db = ctx.client.db;
    flush(ctx, db, lazy);
    ctx.reply.ok();
    Ok(())
}

/// FLUSHALL [ASYNC | SYNC]
pub fn flushall(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let lazy = is_lazy(ctx, arguments)?;
    for db in 0..ctx.engine.dbs.len() {
        flush(ctx, db, lazy);
    }
    ctx.reply.ok();
    Ok(())
}

fn is_lazy(ctx: &Ctx<'_>, arguments: &[&[u8]]) -> Result<bool, Failure> {
    match arguments {
        [_] => Ok(ctx.engine.config.lazyfree_lazy_user_flush()),
        [_, word] if word.eq_ignore_ascii_case(b"ASYNC") => Ok(true),
        [_, word] if word.eq_ignore_ascii_case(b"SYNC") => Ok(false),
        _ => Err(failure::SYNTAX),
    }
}

fn flush(ctx: &mut Ctx<'_>, db: usize, lazy: bool) {
    if ctx.engine.dbs[db].is_empty() {
        return;
    }
    let cleared = ctx.engine.dbs[db].clear();
    ctx.modified_database(db, |key| cleared.contains(keyspace::hash(key), key));
    if lazy { free_later(cleared) } else { drop(cleared) }
}

/// Up to this many keys are freed at once: starting a thread takes longer.
const FREED_AT_ONCE: usize = 64;

/// Frees what a database held on a thread of its own; it holds nothing that the engine uses any more.
fn free_later(cleared: Cleared) {
    if cleared.len() <= FREED_AT_ONCE {
        return drop(cleared);
    }
    // If there can be no thread, the closure, and what is in it, is dropped here.
    drop(std::thread::Builder::new().name("free".into()).spawn(move || drop(cleared)));
}

/// DBSIZE
pub fn dbsize(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Result<(), Failure> {
    ctx.reveal_everything();
    let keys = ctx.db().len();
    ctx.reply.count(keys);
    Ok(())
}

/// Draws of RANDOMKEY that may meet expired keys which cannot be removed now.
const DRAWS: usize = 100;

/// RANDOMKEY
pub fn randomkey(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Result<(), Failure> {
    ctx.reveal_everything();
    let db = ctx.client.db;
    let mut kept = 0;
    while kept < DRAWS {
        let Some(key) = ctx.engine.dbs[db].sample(&mut ctx.engine.rng).map(|entry| entry.key().to_vec()) else { break };
        let before = ctx.db().len();
        if ctx.write(&key).is_some() {
            ctx.reply.bulk(&key);
            return Ok(());
        }
        kept += usize::from(ctx.db().len() == before);
    }
    ctx.reply.null();
    Ok(())
}

/// OBJECT ENCODING key
pub fn object_encoding(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let (entry, reply) = ctx.peek_reply(arguments[2]);
    match entry {
        Some(entry) => reply.bulk(entry.encoding().name().as_bytes()),
        None => reply.null(),
    }
    Ok(())
}

/// Redis keeps one object for each integer below this, so that it seems to be referred to very often.
const SHARED_INTEGERS: i64 = 10_000;

/// OBJECT REFCOUNT key
pub fn object_refcount(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let (entry, reply) = ctx.peek_reply(arguments[2]);
    let shared = |value: i64| (0..SHARED_INTEGERS).contains(&value);
    match entry.map(Entry::text) {
        Some(Some(keyspace::Text::Int(value))) if shared(value) => reply.integer(i32::MAX.into()),
        Some(_) => reply.integer(1),
        None => reply.null(),
    }
    Ok(())
}

/// OBJECT FREQ key
pub fn object_freq(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let access = ctx.engine.access;
    let (entry, reply) = ctx.peek_reply(arguments[2]);
    match entry {
        None => reply.null(),
        Some(entry) if access.is_lfu() => reply.integer(access.frequency(entry.used()).into()),
        Some(_) => {
            return Err("ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that \
                        when switching between policies at runtime LRU and LFU data will take some time to adjust."
                .into());
        }
    }
    Ok(())
}

/// OBJECT IDLETIME key
pub fn object_idletime(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let access = ctx.engine.access;
    let (entry, reply) = ctx.peek_reply(arguments[2]);
    match entry {
        None => reply.null(),
        Some(entry) if !access.is_lfu() => reply.integer(access.idle_seconds(entry.used()).into()),
        Some(_) => {
            return Err("ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when \
                        switching between policies at runtime LRU and LFU data will take some time to adjust."
                .into());
        }
    }
    Ok(())
}
