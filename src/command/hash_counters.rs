//! Fields of hashes as numbers: HINCRBY, HINCRBYFLOAT.

use rustc_apfloat::Float;

use super::failure::{self, Failure};
use super::hashes::{edit_or_create, limits};
use super::{Ctx, parse};
use crate::base::{longdouble, number};
use crate::keyspace::{Hash, NewExpiry};

/// HINCRBY key field increment
pub fn hincrby(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let (key, field) = (arguments[1], arguments[2]);
    let increment = parse::integer(arguments[3])?;
    let limits = limits(&ctx.engine.config);
    let add = |hash: &mut Hash| -> Result<i64, Failure> {
        let before = match hash.get(field, i64::MIN) {
            Some(value) => value.to_int().ok_or(Failure::from("ERR hash value is not an integer"))?,
            None => 0,
        };
        let after = before.checked_add(increment).ok_or(failure::OVERFLOW)?;
        hash.set(field, itoa::Buffer::new().format(after).as_bytes(), NewExpiry::Keep, &limits);
        Ok(after)
    };
    let after = edit_or_create(ctx, key, [field], add)??;
    ctx.modified(key);
    ctx.event("hincrby", key);
    ctx.reply.integer(after);
    Ok(())
}

/// HINCRBYFLOAT key field increment. Logged is the sum, because it depends on the precision of this machine's arithmetic.
pub fn hincrbyfloat(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let (key, field) = (arguments[1], arguments[2]);
    let increment = number::parse_long_double(arguments[3]).ok_or(failure::NOT_A_FLOAT)?;
    if !increment.is_finite() {
        return Err("ERR value is NaN or Infinity".into());
    }
    let limits = limits(&ctx.engine.config);
    let add = |hash: &mut Hash| -> Result<(Vec<u8>, bool), Failure> {
        let mut buffer = itoa::Buffer::new();
        let before = hash.get(field, i64::MIN).map_or(&b"0"[..], |value| value.as_bytes(&mut buffer));
        let before = number::parse_long_double(before).ok_or(Failure::from("ERR hash value is not a float"))?;
        let after = (before + increment).value;
        if !after.is_finite() {
            return Err("ERR increment would produce NaN or Infinity".into());
        }
        let after = longdouble::format(after);
        let expires = hash.expiry(field, i64::MIN).flatten().is_some();
        hash.set(field, &after, NewExpiry::Keep, &limits);
        Ok((after, expires))
    };
    let (after, expires) = edit_or_create(ctx, key, [field], add)??;
    ctx.modified(key);
    ctx.event("hincrbyfloat", key);
    if expires {
        ctx.effect(&[b"HSETEX", key, b"KEEPTTL", b"FIELDS", b"1", field, &after]);
    } else {
        ctx.effect(&[b"HSET", key, field, &after]);
    }
    ctx.reply.bulk(&after);
    Ok(())
}
