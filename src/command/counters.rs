//! Strings as numbers: INCR and its relatives, INCRBYFLOAT.

use rustc_apfloat::Float;

use super::failure::{self, Failure};
use super::strings::text;
use super::{Ctx, parse};
use crate::base::{longdouble, number};
use crate::keyspace::{self, Entry, Text};

/// INCR key
pub fn incr(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    add(ctx, arguments[1], 1)
}

/// DECR key
pub fn decr(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    add(ctx, arguments[1], -1)
}

/// INCRBY key increment
pub fn incrby(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    add(ctx, arguments[1], parse::integer(arguments[2])?)
}

/// DECRBY key decrement
pub fn decrby(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let decrement = parse::integer(arguments[2])?;
    let increment = decrement.checked_neg().ok_or(Failure::from("ERR decrement would overflow"))?;
    add(ctx, arguments[1], increment)
}

fn add(ctx: &mut Ctx<'_>, key: &[u8], increment: i64) -> Result<(), Failure> {
    let before = match text(ctx.write(key))? {
        Some(text) => text.to_int().ok_or(failure::NOT_AN_INTEGER)?,
        None => 0,
    };
    let after = before.checked_add(increment).ok_or(failure::OVERFLOW)?;
    ctx.db().set_int(keyspace::hash(key), key, after);
    ctx.modified(key);
    ctx.event("incrby", key);
    ctx.reply.integer(after);
    Ok(())
}

/// INCRBYFLOAT key increment. Logged is the sum, because it depends on the precision of this machine's arithmetic.
pub fn incrbyfloat(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let key = arguments[1];
    let found = ctx.write(key);
    let expiry = found.and_then(Entry::expiry);
    let mut buffer = itoa::Buffer::new();
    let before = text(found)?.map_or(&b"0"[..], |text: Text<'_>| text.as_bytes(&mut buffer));
    let before = number::parse_long_double(before).ok_or(failure::NOT_A_FLOAT)?;
    let increment = number::parse_long_double(arguments[2]).ok_or(failure::NOT_A_FLOAT)?;
    let after = (before + increment).value;
    if !after.is_finite() {
        return Err("ERR increment would produce NaN or Infinity".into());
    }
    let after = longdouble::format(after);
    ctx.db().insert(keyspace::hash(key), Entry::plain_string(key, &after, expiry));
    ctx.modified(key);
    ctx.event("incrbyfloat", key);
    ctx.effect(&[b"SET", key, &after, b"KEEPTTL"]);
    ctx.reply.bulk(&after);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::command::harness::Harness;

    #[test]
    fn integers_are_counted_within_their_range() {
        let mut server = Harness::new();
        for (line, reply) in [
            ("INCR k", ":1"),
            ("INCRBY k 41", ":42"),
            ("DECR k", ":41"),
            ("DECRBY k 1", ":40"),
            ("INCRBY k 9223372036854775807", "-ERR increment or decrement would overflow"),
            ("DECRBY k -9223372036854775808", "-ERR decrement would overflow"),
            ("INCRBY k 1.0", "-ERR value is not an integer or out of range"),
            ("SET s ' 1'", "+OK"),
            ("INCR s", "-ERR value is not an integer or out of range"),
            ("OBJECT ENCODING k", "$3 int"),
            ("SET k 40 EX 100", "+OK"),
            ("INCR k", ":41"),
            ("TTL k", ":100"),
        ] {
            assert_eq!(server.run(line), reply, "{line}");
        }
    }

    #[test]
    fn a_sum_of_floats_is_logged_as_the_sum() {
        let mut server = Harness::new();
        for (line, reply) in [
            ("INCRBYFLOAT k 10.5", "$4 10.5"),
            ("INCRBYFLOAT k 0.1", "$4 10.6"),
            ("INCRBYFLOAT k -5.6", "$1 5"),
            ("OBJECT ENCODING k", "$6 embstr"),
            ("INCRBYFLOAT k inf", "-ERR increment would produce NaN or Infinity"),
            ("INCRBYFLOAT k x", "-ERR value is not a valid float"),
            ("INCR k", ":6"),
        ] {
            assert_eq!(server.run(line), reply, "{line}");
        }
        assert_eq!(server.effects(), "SELECT 0 | SET k 10.5 KEEPTTL | SET k 10.6 KEEPTTL | SET k 5 KEEPTTL | INCR k");
    }
}
