//! BZPOPMIN, BZPOPMAX and BZMPOP: they take at once what is there, or wait for a sorted set.
//!
//! They are logged as ZPOPMIN or ZPOPMAX, when they take something. See [`super::super::key_waits`] for how they wait.

use super::super::failure::Failure;
use super::super::key_waits::wait_or_nothing;
use super::super::{Ctx, parse};
use super::pop::{End, MultiPop, Shape, pop};
use crate::keyspace::Kind;

fn blocking_pop(ctx: &mut Ctx<'_>, arguments: &[&[u8]], end: End) -> Result<(), Failure> {
    let (timeout, keys) = (arguments[arguments.len() - 1], &arguments[1..arguments.len() - 1]);
    let timeout_ms = parse::timeout_seconds(timeout, ctx.now_ms())?;
    for key in keys {
        if pop(ctx, key, end, 1, Shape::WithKey)?.is_some() {
            ctx.effect(&[end.command().0, key]);
            return Ok(());
        }
    }
    wait_or_nothing(ctx, Kind::Zset, keys, timeout_ms, arguments);
    Ok(())
}

/// BZPOPMIN key [key …] timeout
pub fn bzpopmin(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    blocking_pop(ctx, arguments, End::Min)
}

/// BZPOPMAX key [key …] timeout
pub fn bzpopmax(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    blocking_pop(ctx, arguments, End::Max)
}

/// BZMPOP timeout numkeys key [key …] <MIN | MAX> [COUNT count]
pub fn bzmpop(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let pops = MultiPop::read(arguments, 2)?;
    let timeout_ms = parse::timeout_seconds(arguments[1], ctx.now_ms())?;
    if !pops.run(ctx)? {
        wait_or_nothing(ctx, Kind::Zset, pops.keys, timeout_ms, arguments);
    }
    Ok(())
}
