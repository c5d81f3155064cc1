//! Keys whatever their values: deleting, renaming, copying, moving, and whole databases.

use super::failure::{self, Failure};
use super::{Ctx, parse};
use crate::keyspace::{self, Entry};

const SAME_OBJECT: Failure = Failure::fixed("ERR source and destination objects are the same");
const NO_SUCH_DB: Failure = Failure::fixed("ERR DB index is out of range");

/// DEL key [key …], and UNLINK
pub fn del(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let lazy = arguments[0].eq_ignore_ascii_case(b"UNLINK") || ctx.engine.config.lazyfree_lazy_user_del();
    let mut deleted = 0;
    for key in &arguments[1..] {
        if ctx.write(key).is_some()
            && let Some(entry) = ctx.db().remove(keyspace::hash(key), key)
        {
            ctx.discard(entry, lazy);
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
    if let Some(displaced) = ctx.db().remove(keyspace::hash(to), to) {
        ctx.discard_displaced(displaced);
        ctx.replaces(ctx.client.db, to);
    }
    ctx.db().rename((keyspace::hash(from), from), (keyspace::hash(to), to));
    ctx.modified(from);
    ctx.modified(to);
    ctx.counts_as(1);
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
    ctx.expire_source(from);
    let free = ctx.read(from).is_some() && (ctx.write_in(target, to).is_none() || replace);
    let found = ctx.engine.dbs[source].find(keyspace::hash(from), from).filter(|_| free);
    if let Some(copy) = found.map(|entry| entry.duplicate(to, entry.expiry())) {
        if let Some(displaced) = ctx.engine.dbs[target].insert(keyspace::hash(to), copy) {
            ctx.discard_displaced(displaced);
            ctx.replaces(target, to);
        }
        ctx.modified_in(target, to);
        ctx.event_in(target, "copy_to", to);
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
        ctx.counts_as(1);
        ctx.event("move_from", key);
        ctx.event_in(target, "move_to", key);
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
        ctx.counts_as(1);
    } else {
        // Redis counts it although nothing is different; there is nothing to log.
        ctx.engine.stats.changes += 1;
    }
    ctx.reply.ok();
    Ok(())
}

/// FLUSHDB [ASYNC | SYNC]
pub fn flushdb(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let lazy = is_lazy(ctx, arguments)?;
    // If there is nothing to flush, that may be so only because of a change that a crash could still take back.
    ctx.reveal_everything();
    let db = ctx.client.db;
    flush(ctx, db, lazy);
    ctx.emptied();
    ctx.reply.ok();
    Ok(())
}

/// FLUSHALL [ASYNC | SYNC]
pub fn flushall(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let lazy = is_lazy(ctx, arguments)?;
    ctx.reveal_everything();
    for db in 0..ctx.engine.dbs.len() {
        flush(ctx, db, lazy);
    }
    ctx.emptied();
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
    let keys = cleared.len() as u64;
    ctx.modified_database(db, |key| cleared.contains(keyspace::hash(key), key));
    // It counts as a change of each key.
    ctx.counts_as(ctx.dirty() - 1 + keys);
    if lazy {
        ctx.engine.stats.lazyfreed_objects += ctx.engine.lazyfree.database(cleared);
    }
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
        if !ctx.is_gone(&key) {
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
    let (entry, reply) = ctx.inspect_reply(arguments[2]);
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
    let (entry, reply) = ctx.inspect_reply(arguments[2]);
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
    let (entry, reply) = ctx.inspect_reply(arguments[2]);
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
    let (entry, reply) = ctx.inspect_reply(arguments[2]);
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::command::harness::Harness;

    #[test]
    fn deleting_counts_keys_that_were_there_and_logs_only_then() {
        let mut server = Harness::new();
        server.run("MSET a 1 b 2 c 3");
        server.effects();
        assert_eq!(server.run("DEL none"), ":0");
        assert_eq!(server.run("DEL a none a"), ":1");
        assert_eq!(server.run("UNLINK b c"), ":2");
        assert_eq!(server.effects(), "SELECT 0 | DEL a none a | UNLINK b c");
    }

    #[test]
    fn questions_about_keys_are_answered() {
        let mut server = Harness::new();
        server.run("MSET a 1 b hello");
        for (line, reply) in [
            ("EXISTS a a none", ":2"),
            ("TOUCH a b none", ":2"),
            ("TYPE a", "+string"),
            ("TYPE none", "+none"),
            ("DBSIZE", ":2"),
            ("OBJECT ENCODING a", "$3 int"),
            ("OBJECT ENCODING b", "$6 embstr"),
            ("OBJECT ENCODING none", "$-1"),
            ("OBJECT REFCOUNT a", ":2147483647"),
            ("OBJECT REFCOUNT b", ":1"),
            ("SELECT 16", "-ERR DB index is out of range"),
            ("SELECT x", "-ERR value is not an integer or out of range"),
        ] {
            assert_eq!(server.run(line), reply, "{line}");
        }
        assert!(server.run("OBJECT FREQ a").starts_with("-ERR An LFU maxmemory policy is not selected, access freq"));
    }

    #[test]
    fn idle_time_counts_from_the_last_use_and_asking_is_no_use() {
        let mut server = Harness::new();
        server.run("SET k v");
        server.clock.advance(Duration::from_secs(7));
        assert_eq!(server.run("OBJECT IDLETIME k"), ":7");
        server.run("TTL k");
        assert_eq!(server.run("OBJECT IDLETIME k"), ":7");
        server.run("GET k");
        assert_eq!(server.run("OBJECT IDLETIME k"), ":0");
    }

    #[test]
    fn values_move_with_their_expiry_between_keys_and_databases() {
        let mut server = Harness::new();
        server.run("SET a 1 PX 5000");
        server.run("SET b 2");
        for (line, reply) in [
            ("RENAME none none", "-ERR no such key"),
            ("RENAME a a", "+OK"),
            ("RENAMENX a a", ":0"),
            ("RENAMENX a b", ":0"),
            ("RENAME a b", "+OK"),
            ("PTTL b", ":5000"),
            ("COPY b b", "-ERR source and destination objects are the same"),
            ("COPY b c", ":1"),
            ("COPY b c", ":0"),
            ("COPY b c REPLACE", ":1"),
            ("COPY b c DB 99", "-ERR DB index is out of range"),
            ("COPY b b DB 3", ":1"),
            ("MOVE b 0", "-ERR source and destination objects are the same"),
            ("MOVE b 3", ":0"),
            ("MOVE c 3", ":1"),
            ("SELECT 3", "+OK"),
            ("PTTL c", ":5000"),
            ("SWAPDB 0 3", "+OK"),
            ("SWAPDB 0 99", "-ERR DB index is out of range"),
            ("SWAPDB x 1", "-ERR invalid first DB index"),
            ("DBSIZE", ":1"),
        ] {
            assert_eq!(server.run(line), reply, "{line}");
        }
    }

    #[test]
    fn flushing_logs_only_when_there_was_something() {
        let mut server = Harness::new();
        assert_eq!(server.run("FLUSHALL"), "+OK");
        assert_eq!(server.run("FLUSHDB ASYNC"), "+OK");
        assert_eq!(server.run("FLUSHDB BOTH"), "-ERR syntax error");
        assert_eq!(server.effects(), "");
        for number in 0..200 {
            server.run(&format!("SET k{number} v EX 10"));
        }
        server.effects();
        assert_eq!(server.run("FLUSHALL ASYNC"), "+OK");
        assert_eq!(server.run("DBSIZE"), ":0");
        assert_eq!(server.effects(), "SELECT 0 | FLUSHALL ASYNC");
    }

    #[test]
    fn changes_are_counted_as_redis_counts_them() {
        let mut server = Harness::new();
        server.run("MSET a 1 b 2 c 3");
        for (line, changes) in [
            ("RENAME a b", 1),
            ("RENAME b b", 0),
            ("RENAMENX b a", 1),
            ("MOVE a 3", 1),
            ("COPY c d", 1),
            ("SWAPDB 0 1", 1),
            ("SWAPDB 1 0", 1),
            ("SWAPDB 0 0", 1),
            ("MSET e 1 f 2", 2),
            ("DEL e none f", 2),
            ("FLUSHDB", 2),
            ("FLUSHDB", 0),
            ("MSET e 1 f 2", 2),
            ("FLUSHALL ASYNC", 3),
            ("FUNCTION FLUSH", 1),
        ] {
            let before = server.engine.stats.changes;
            server.run(line);
            assert_eq!(server.engine.stats.changes - before, changes, "{line}");
        }
    }

    #[test]
    fn keys_freed_lazily_are_counted() {
        let mut server = Harness::new();
        for (line, keys) in [("FLUSHALL SYNC", 0), ("FLUSHALL ASYNC", 2), ("FLUSHDB ASYNC", 2), ("UNLINK a b", 0)] {
            server.run("MSET a 1 b 2");
            let before = server.engine.stats.lazyfreed_objects;
            server.run(line);
            assert_eq!(server.engine.stats.lazyfreed_objects - before, keys, "{line}");
        }
        server.run("CONFIG SET lazyfree-lazy-user-flush yes");
        server.run("SELECT 5");
        server.run("SET a 1");
        server.run("FLUSHDB");
        assert_eq!(server.engine.stats.lazyfreed_objects, 5);
    }

    #[test]
    fn flushing_and_swapping_break_the_watch_of_keys_that_are_concerned() {
        for (line, broken) in [("FLUSHALL", true), ("SWAPDB 0 1", true), ("SWAPDB 1 2", false), ("FLUSHDB", true)] {
            for key in ["here", "nowhere"] {
                let mut server = Harness::new();
                server.run("SET here 1");
                let other = server.connect();
                server.run_as(other, &format!("WATCH {key}"));
                server.run(line);
                server.run_as(other, "MULTI");
                let reply = server.run_as(other, "EXEC");
                assert_eq!(reply == "*-1", broken && key == "here", "{line} {key}");
            }
        }
    }

    #[test]
    fn a_random_key_is_one_that_exists() {
        let mut server = Harness::new();
        assert_eq!(server.run("RANDOMKEY"), "$-1");
        server.run("SET gone v PX 1");
        server.run("SET here v");
        server.clock.advance(Duration::from_millis(1));
        for _ in 0..20 {
            assert_eq!(server.run("RANDOMKEY"), "$4 here");
        }
    }
}
