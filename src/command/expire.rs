//! When keys expire: EXPIRE and its relatives, TTL and its relatives, PERSIST.
//!
//! Logged is only the absolute time (`PEXPIREAT`), or the deletion of a key whose time has already come.

use super::failure::Failure;
use super::{Ctx, parse};
use crate::base::number;
use crate::keyspace::{self, Entry};

/// The error for a time that no key can expire at.
pub(super) fn invalid_time(command: &str) -> Failure {
    Failure::new(format!("ERR invalid expire time in '{command}' command"))
}

/// Which expiry times a command may replace.
#[derive(Default)]
pub(super) struct Conditions {
    absent: bool,
    present: bool,
    greater: bool,
    less: bool,
}

impl Conditions {
    pub(super) fn read(arguments: &[&[u8]]) -> Result<Self, Failure> {
        let mut conditions = Self::default();
        for word in arguments {
            let flag = match word.to_ascii_uppercase().as_slice() {
                b"NX" => &mut conditions.absent,
                b"XX" => &mut conditions.present,
                b"GT" => &mut conditions.greater,
                b"LT" => &mut conditions.less,
                _ => {
                    // Redis prints it as a C string.
                    let shown = number::c_string(word);
                    return Err(Failure::new([b"ERR Unsupported option ", shown].concat()));
                }
            };
            *flag = true;
        }
        let Self { absent, present, greater, less } = conditions;
        if absent && (present || greater || less) {
            return Err("ERR NX and XX, GT or LT options at the same time are not compatible".into());
        }
        if greater && less {
            return Err("ERR GT and LT options at the same time are not compatible".into());
        }
        Ok(conditions)
    }

    /// A key without an expiry time counts as one that expires after every other.
    pub(super) fn allow(&self, before: Option<i64>, after: i64) -> bool {
        (!self.absent || before.is_none())
            && (!self.present || before.is_some())
            && (!self.greater || before.is_some_and(|before| after > before))
            && (!self.less || before.is_none_or(|before| after < before))
    }
}

/// EXPIRE key seconds [NX | XX | GT | LT]
pub fn expire(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let now_ms = ctx.now_ms() as i64;
    expire_at(ctx, arguments, now_ms, 1000, "expire")
}

/// PEXPIRE key milliseconds [NX | XX | GT | LT]
pub fn pexpire(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let now_ms = ctx.now_ms() as i64;
    expire_at(ctx, arguments, now_ms, 1, "pexpire")
}

/// EXPIREAT key unix-time-seconds [NX | XX | GT | LT]
pub fn expireat(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    expire_at(ctx, arguments, 0, 1000, "expireat")
}

/// PEXPIREAT key unix-time-milliseconds [NX | XX | GT | LT]
pub fn pexpireat(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    expire_at(ctx, arguments, 0, 1, "pexpireat")
}

fn expire_at(ctx: &mut Ctx<'_>, arguments: &[&[u8]], base_ms: i64, factor: i64, command: &str) -> Result<(), Failure> {
    let conditions = Conditions::read(&arguments[3..])?;
    let amount = parse::integer(arguments[2])?;
    let at_ms = amount.checked_mul(factor).and_then(|span| span.checked_add(base_ms));
    let at_ms = at_ms.ok_or_else(|| invalid_time(command))?;
    let key = arguments[1];
    let allowed = ctx.write(key).is_some_and(|entry| conditions.allow(entry.expiry(), at_ms));
    if allowed {
        set_expiry(ctx, key, at_ms);
    }
    ctx.reply.integer(allowed.into());
    Ok(())
}

/// Lets a key that exists expire at a time; if that is past, deletes it.
pub(super) fn set_expiry(ctx: &mut Ctx<'_>, key: &[u8], at_ms: i64) {
    if at_ms <= ctx.now_ms() as i64 && !ctx.expiry_is_off() {
        return delete_expired(ctx, key);
    }
    ctx.db().set_expiry(keyspace::hash(key), key, Some(at_ms));
    ctx.modified(key);
    ctx.event("expire", key);
    ctx.effect(&[b"PEXPIREAT", key, itoa::Buffer::new().format(at_ms).as_bytes()]);
}

/// Deletes a key that a command gave an expiry time in the past.
pub(super) fn delete_expired(ctx: &mut Ctx<'_>, key: &[u8]) {
    let lazy = ctx.engine.config.lazyfree_lazy_expire();
    if let Some(entry) = ctx.db().remove(keyspace::hash(key), key) {
        ctx.discard(entry, lazy);
    }
    ctx.modified(key);
    ctx.event("del", key);
    ctx.effect(&[if lazy { b"UNLINK" } else { b"DEL" }, key]);
}

/// Takes the expiry time from a key that has one.
pub(super) fn remove_expiry(ctx: &mut Ctx<'_>, key: &[u8]) {
    ctx.db().set_expiry(keyspace::hash(key), key, None);
    ctx.modified(key);
    ctx.event("persist", key);
    ctx.effect(&[b"PERSIST", key]);
}

/// PERSIST key
pub fn persist(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let key = arguments[1];
    let expires = ctx.write(key).is_some_and(|entry| entry.expiry().is_some());
    if expires {
        remove_expiry(ctx, key);
    }
    ctx.reply.integer(expires.into());
    Ok(())
}

/// TTL key
pub fn ttl(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let now_ms = ctx.now_ms() as i64;
    answer_time(ctx, arguments[1], |at_ms| rounded_seconds((at_ms - now_ms).max(0)))
}

/// PTTL key
pub fn pttl(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let now_ms = ctx.now_ms() as i64;
    answer_time(ctx, arguments[1], |at_ms| (at_ms - now_ms).max(0))
}

/// EXPIRETIME key
pub fn expiretime(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    answer_time(ctx, arguments[1], rounded_seconds)
}

/// PEXPIRETIME key
pub fn pexpiretime(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    answer_time(ctx, arguments[1], |at_ms| at_ms)
}

fn answer_time(ctx: &mut Ctx<'_>, key: &[u8], express: impl Fn(i64) -> i64) -> Result<(), Failure> {
    let (entry, reply) = ctx.peek_reply(key);
    reply.integer(match entry.map(Entry::expiry) {
        None => -2,
        Some(None) => -1,
        Some(Some(at_ms)) => express(at_ms),
    });
    Ok(())
}

fn rounded_seconds(ms: i64) -> i64 {
    ms.saturating_add(500) / 1000
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::command::harness::Harness;

    #[test]
    fn expiry_times_are_logged_absolute_and_past_ones_as_deletion() {
        let mut server = Harness::new();
        server.run("MSET a 1 b 2 c 3 d 4");
        server.effects();
        for (line, reply) in [
            ("EXPIRE a 100", ":1"),
            ("PEXPIRE b 1500", ":1"),
            ("EXPIREAT c 1700000001", ":1"),
            ("PEXPIREAT d 1699999999999", ":1"),
            ("EXPIRE none 1", ":0"),
            ("PERSIST a", ":1"),
            ("PERSIST a", ":0"),
        ] {
            assert_eq!(server.run(line), reply, "{line}");
        }
        assert_eq!(
            server.effects(),
            "SELECT 0 | PEXPIREAT a 1700000100000 | PEXPIREAT b 1700000001500 | PEXPIREAT c 1700000001000 | DEL d \
             | PERSIST a"
        );
    }

    #[test]
    fn conditions_compare_with_the_present_expiry() {
        let mut server = Harness::new();
        server.run("SET k v");
        for (line, reply) in [
            ("EXPIRE k 100 XX", ":0"),
            ("EXPIRE k 100 GT", ":0"),
            ("EXPIRE k 100 LT", ":1"),
            ("EXPIRE k 200 NX", ":0"),
            ("EXPIRE k 200 LT", ":0"),
            ("EXPIRE k 100 GT", ":0"),
            ("EXPIRE k 200 XX GT", ":1"),
            ("EXPIRE k 10 NX XX", "-ERR NX and XX, GT or LT options at the same time are not compatible"),
            ("EXPIRE k 10 GT LT", "-ERR GT and LT options at the same time are not compatible"),
            ("EXPIRE k x FOO", "-ERR Unsupported option FOO"),
            ("EXPIRE k 9223372036854775807", "-ERR invalid expire time in 'expire' command"),
            ("PEXPIRE k 9223372036854775807", "-ERR invalid expire time in 'pexpire' command"),
            ("TTL k", ":200"),
        ] {
            assert_eq!(server.run(line), reply, "{line}");
        }
    }

    #[test]
    fn remaining_and_absolute_times_are_told() {
        let mut server = Harness::new();
        server.run("SET k v PX 1499");
        for (line, reply) in [
            ("TTL k", ":1"),
            ("PTTL k", ":1499"),
            ("EXPIRETIME k", ":1700000001"),
            ("PEXPIRETIME k", ":1700000001499"),
            ("TTL none", ":-2"),
            ("PEXPIRETIME none", ":-2"),
        ] {
            assert_eq!(server.run(line), reply, "{line}");
        }
        server.run("PERSIST k");
        assert_eq!((server.run("TTL k").as_str(), server.run("EXPIRETIME k").as_str()), (":-1", ":-1"));
    }

    #[test]
    fn a_key_whose_time_is_up_is_gone_for_every_command() {
        let mut server = Harness::new();
        for line in ["GET k", "EXISTS k", "PERSIST k", "TYPE k", "DBSIZE", "KEYS *", "SCAN 0", "RANDOMKEY", "DEL k"] {
            server.run("SET k v PX 10");
            server.effects();
            server.clock.advance(Duration::from_millis(10));
            let reply = server.run(line);
            let effects = server.effects();
            match line {
                // These look at no single key, so they remove none.
                "DBSIZE" => assert_eq!((reply.as_str(), effects.as_str()), (":1", "")),
                "KEYS *" => assert_eq!((reply.as_str(), effects.as_str()), ("*0", "")),
                _ => {
                    assert!([":0", "$-1", "+none", "*2 $1 0 *0"].contains(&reply.as_str()), "{line}: {reply}");
                    assert_eq!(effects, "SELECT 0 | DEL k", "{line}");
                }
            }
            server.run("FLUSHALL");
            server.effects();
        }
    }
}
