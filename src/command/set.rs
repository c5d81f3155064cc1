//! SET with all its options, the commands that are shorter forms of it, and GETEX.
//!
//! What is logged says when a key expires in absolute time, and no longer which conditions were met.

use super::failure::{self, Failure};
use super::strings::{is_equal, text, write_text};
use super::{Ctx, expire, parse};
use crate::keyspace;

/// Under which condition a value is stored.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Condition<'a> {
    #[default]
    Always,
    Absent,
    Present,
    Equal(&'a [u8]),
}

/// Unit and reference point of an expiry.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scale {
    Seconds,
    Milliseconds,
    UnixSeconds,
    UnixMilliseconds,
}

/// What happens to the expiry of a key.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Lifetime<'a> {
    /// Not said: SET removes it, GETEX leaves it.
    #[default]
    Unsaid,
    Keep,
    Persist,
    Until(Scale, &'a [u8]),
}

/// Whose options are read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Command {
    Set,
    Getex,
}

#[derive(Default)]
struct Options<'a> {
    condition: Condition<'a>,
    lifetime: Lifetime<'a>,
    get: bool,
}

impl<'a> Options<'a> {
    fn read(arguments: &[&'a [u8]], command: Command) -> Result<Self, Failure> {
        let mut options = Self::default();
        let mut words = arguments.iter();
        while let Some(word) = words.next() {
            let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
            let for_set = command == Command::Set;
            if for_set && is("NX") && matches!(options.condition, Condition::Always | Condition::Absent) {
                options.condition = Condition::Absent;
            } else if for_set && is("XX") && matches!(options.condition, Condition::Always | Condition::Present) {
                options.condition = Condition::Present;
            } else if for_set && is("IFEQ") && options.condition == Condition::Always {
                options.condition = Condition::Equal(words.next().ok_or(failure::SYNTAX)?);
            } else if for_set && is("GET") {
                options.get = true;
            } else if for_set && is("KEEPTTL") && matches!(options.lifetime, Lifetime::Unsaid | Lifetime::Keep) {
                options.lifetime = Lifetime::Keep;
            } else if !for_set && is("PERSIST") && matches!(options.lifetime, Lifetime::Unsaid | Lifetime::Persist) {
                options.lifetime = Lifetime::Persist;
            } else {
                let scale = Scale::named(word).ok_or(failure::SYNTAX)?;
                match options.lifetime {
                    Lifetime::Unsaid => {}
                    Lifetime::Until(before, _) if before == scale => {}
                    _ => return Err(failure::SYNTAX),
                }
                options.lifetime = Lifetime::Until(scale, words.next().ok_or(failure::SYNTAX)?);
            }
        }
        Ok(options)
    }
}

impl Scale {
    fn named(word: &[u8]) -> Option<Self> {
        let scales = [
            ("EX", Self::Seconds),
            ("PX", Self::Milliseconds),
            ("EXAT", Self::UnixSeconds),
            ("PXAT", Self::UnixMilliseconds),
        ];
        scales.into_iter().find(|(name, _)| word.eq_ignore_ascii_case(name.as_bytes())).map(|(_, scale)| scale)
    }

    /// The point in time, in milliseconds since the epoch.
    fn resolve(self, text: &[u8], now_ms: i64, command: &str) -> Result<i64, Failure> {
        let amount = parse::integer(text)?;
        let factor = if matches!(self, Self::Seconds | Self::UnixSeconds) { 1000 } else { 1 };
        let base = if matches!(self, Self::Seconds | Self::Milliseconds) { now_ms } else { 0 };
        let at_ms = amount.checked_mul(factor).and_then(|span| span.checked_add(base));
        at_ms.filter(|_| amount > 0).ok_or_else(|| expire::invalid_time(command))
    }
}

/// SET key value [NX | XX | IFEQ value] [GET] [EX s | PX ms | EXAT s | PXAT ms | KEEPTTL]
pub fn set(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let options = Options::read(&arguments[3..], Command::Set)?;
    let stored = store(ctx, arguments[1], arguments[2], &options, "set")?;
    if !options.get {
        if stored { ctx.reply.ok() } else { ctx.reply.null() }
    }
    Ok(())
}

/// SETNX key value
pub fn setnx(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let options = Options { condition: Condition::Absent, ..Options::default() };
    let stored = store(ctx, arguments[1], arguments[2], &options, "setnx")?;
    ctx.reply.integer(stored.into());
    Ok(())
}

/// SETEX key seconds value
pub fn setex(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    store_for(ctx, arguments, Scale::Seconds, "setex")
}

/// PSETEX key milliseconds value
pub fn psetex(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    store_for(ctx, arguments, Scale::Milliseconds, "psetex")
}

fn store_for(ctx: &mut Ctx<'_>, arguments: &[&[u8]], scale: Scale, command: &str) -> Result<(), Failure> {
    let options = Options { lifetime: Lifetime::Until(scale, arguments[2]), ..Options::default() };
    store(ctx, arguments[1], arguments[3], &options, command)?;
    ctx.reply.ok();
    Ok(())
}

/// GETSET key value
pub fn getset(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let options = Options { get: true, ..Options::default() };
    store(ctx, arguments[1], arguments[2], &options, "getset")?;
    Ok(())
}

/// Stores a value if its condition holds, and answers whether it did. With GET, writes what was there as the reply.
fn store(ctx: &mut Ctx<'_>, key: &[u8], value: &[u8], options: &Options<'_>, command: &str) -> Result<bool, Failure> {
    let now_ms = ctx.now_ms() as i64;
    let mut expiry = match options.lifetime {
        Lifetime::Until(scale, text) => Some(scale.resolve(text, now_ms, command)?),
        _ => None,
    };
    if options.get {
        let (entry, reply) = ctx.read_reply(key);
        write_text(reply, text(entry)?);
    }
    let found = ctx.write(key);
    let holds = match options.condition {
        Condition::Always => true,
        Condition::Absent => found.is_none(),
        Condition::Present => found.is_some(),
        Condition::Equal(wanted) => text(found)?.is_some_and(|text| is_equal(text, wanted)),
    };
    if !holds {
        return Ok(false);
    }
    let exists = found.is_some();
    if options.lifetime == Lifetime::Keep {
        expiry = found.and_then(keyspace::Entry::expiry);
    } else if expiry.is_some_and(|at_ms| at_ms <= now_ms) && !ctx.expiry_is_off() {
        // It has expired already, so it is not stored, and what was there is gone.
        if exists {
            expire::delete_expired(ctx, key);
        }
        return Ok(true);
    }
    ctx.put_string(key, value, expiry);
    ctx.modified(key);
    ctx.event("set", key);
    match (options.lifetime, expiry) {
        (Lifetime::Keep, _) => ctx.effect(&[b"SET", key, value, b"KEEPTTL"]),
        (_, Some(at_ms)) => {
            ctx.event("expire", key);
            ctx.effect(&[b"SET", key, value, b"PXAT", itoa::Buffer::new().format(at_ms).as_bytes()]);
        }
        _ => ctx.effect(&[b"SET", key, value]),
    }
    Ok(true)
}

/// GETEX key [EX s | PX ms | EXAT s | PXAT ms | PERSIST]
pub fn getex(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let options = Options::read(&arguments[2..], Command::Getex)?;
    let key = arguments[1];
    let now_ms = ctx.now_ms() as i64;
    let (entry, reply) = ctx.read_reply(key);
    let Some(found) = text(entry)? else {
        reply.null();
        return Ok(());
    };
    let expires = entry.is_some_and(|entry| entry.expiry().is_some());
    match options.lifetime {
        Lifetime::Until(scale, text) => {
            let at_ms = scale.resolve(text, now_ms, "getex")?;
            write_text(reply, Some(found));
            expire::set_expiry(ctx, key, at_ms);
        }
        Lifetime::Persist => {
            write_text(reply, Some(found));
            if expires {
                expire::remove_expiry(ctx, key);
            }
        }
        Lifetime::Unsaid | Lifetime::Keep => write_text(reply, Some(found)),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::command::harness::Harness;

    #[test]
    fn conditions_decide_whether_a_value_is_stored() {
        let mut server = Harness::new();
        for (line, reply) in [
            ("SET k 1 XX", "$-1"),
            ("SET k 1 NX", "+OK"),
            ("SET k 2 NX", "$-1"),
            ("SET k 2 xx get", "$1 1"),
            ("SET k 3 NX GET", "$1 2"),
            ("SET k 3 IFEQ 1", "$-1"),
            ("SET k 3 IFEQ 2", "+OK"),
            ("SET k 4 IFEQ 3 GET", "$1 3"),
            ("SET none 4 IFEQ 3 GET", "$-1"),
            ("SETNX k 5", ":0"),
            ("SETNX new 5", ":1"),
            ("GETSET k 6", "$1 4"),
            ("GET k", "$1 6"),
        ] {
            assert_eq!(server.run(line), reply, "{line}");
        }
        let effects = "SELECT 0 | SET k 1 | SET k 2 | SET k 3 | SET k 4 | SET new 5 | SET k 6";
        assert_eq!(server.effects(), effects);
    }

    #[test]
    fn options_that_do_not_fit_together_are_refused() {
        let mut server = Harness::new();
        for options in [
            "NX XX",
            "NX IFEQ 1",
            "IFEQ",
            "EX",
            "EX 1 PX 1",
            "EX 1 KEEPTTL",
            "KEEPTTL PXAT 1",
            "PERSIST",
            "FOO",
            "GETX",
        ] {
            assert_eq!(server.run(&format!("SET k v {options}")), "-ERR syntax error", "{options}");
        }
        for (line, command) in [
            ("SET k v EX 0", "set"),
            ("SET k v PX -1", "set"),
            ("SET k v EX 9223372036854775", "set"),
            ("SET k v PX 9223372036854775807", "set"),
            ("SETEX k 0 v", "setex"),
            ("PSETEX k -1 v", "psetex"),
        ] {
            assert_eq!(server.run(line), format!("-ERR invalid expire time in '{command}' command"), "{line}");
        }
        assert_eq!(server.run("SET k v EX x"), "-ERR value is not an integer or out of range");
        assert_eq!(server.run("SET k v EX 5 EX 6"), "+OK");
        assert_eq!(server.run("TTL k"), ":6");
        assert_eq!(server.run("GETEX k KEEPTTL"), "-ERR syntax error");
    }

    #[test]
    fn an_expiry_is_logged_as_absolute_time() {
        let mut server = Harness::new();
        server.run("SET a v EX 10");
        server.run("PSETEX b 1500 v");
        server.run("SET a w KEEPTTL");
        server.run("GETEX b PERSIST");
        server.run("GETEX b PERSIST");
        server.run("GETEX b PX 5");
        server.run("SET a v");
        assert_eq!(server.run("TTL a"), ":-1");
        assert_eq!(
            server.effects(),
            "SELECT 0 | SET a v PXAT 1700000010000 | SET b v PXAT 1700000001500 | SET a w KEEPTTL | PERSIST b \
             | PEXPIREAT b 1700000000005 | SET a v"
        );
    }

    #[test]
    fn a_value_that_has_expired_already_is_not_stored() {
        let mut server = Harness::new();
        server.run("SET a 1");
        server.effects();
        assert_eq!(server.run("SET none v PXAT 1"), "+OK");
        assert_eq!(server.effects(), "");
        assert_eq!(server.run("SET a v EXAT 1"), "+OK");
        assert_eq!(server.effects(), "SELECT 0 | DEL a");
        server.run("SET a 1");
        assert_eq!(server.run("GETEX a PXAT 1700000000000"), "$1 1");
        assert_eq!(server.run("GET a"), "$-1");
        assert_eq!(server.effects(), "SELECT 0 | SET a 1 | DEL a");
    }

    #[test]
    fn an_expired_key_is_removed_before_it_is_set_again() {
        let mut server = Harness::new();
        server.run("SET a 1 PX 10");
        server.clock.advance(Duration::from_millis(10));
        assert_eq!(server.run("SET a 2 KEEPTTL"), "+OK");
        assert_eq!(server.run("PTTL a"), ":-1");
        let effects = "SELECT 0 | SET a 1 PXAT 1700000000010 | MULTI | DEL a | SET a 2 KEEPTTL | EXEC";
        assert_eq!(server.effects(), effects);
    }
}
