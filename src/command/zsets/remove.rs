//! ZREM and ZREMRANGEBY….

use super::super::Ctx;
use super::super::failure::Failure;
use super::bounds::{Bounds, By};
use crate::keyspace::Zset;

/// Says what a removal did: events, changes, reply. The key goes with the last member.
fn removed(ctx: &mut Ctx<'_>, key: &[u8], count: usize, is_empty: bool, event: &'static str) {
    if count > 0 {
        ctx.modified(key);
        ctx.event(event, key);
        if is_empty {
            ctx.remove_emptied(key);
        }
        ctx.counts_as(count as u64);
    }
    ctx.reply.count(count);
}

/// ZREM key member [member …]
pub fn zrem(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let (key, members) = (arguments[1], &arguments[2..]);
    let (count, is_empty) = match ctx.edit::<Zset>(key)? {
        Some(zset) => {
            let count = members.iter().filter(|member| zset.remove(member).is_some()).count();
            (count, zset.is_empty())
        }
        None => (0, false),
    };
    removed(ctx, key, count, is_empty, "zrem");
    Ok(())
}

fn by_range(ctx: &mut Ctx<'_>, arguments: &[&[u8]], by: By, event: &'static str) -> Result<(), Failure> {
    let key = arguments[1];
    let bounds = Bounds::read(by, arguments[2], arguments[3])?;
    let (count, is_empty) = match ctx.edit::<Zset>(key)? {
        Some(zset) => {
            let (start, end) = bounds.ranks(zset, false);
            zset.remove_ranks(start, end);
            (end - start, zset.is_empty())
        }
        None => (0, false),
    };
    removed(ctx, key, count, is_empty, event);
    Ok(())
}

/// ZREMRANGEBYRANK key start stop
pub fn zremrangebyrank(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    by_range(ctx, arguments, By::Rank, "zremrangebyrank")
}

/// ZREMRANGEBYSCORE key min max
pub fn zremrangebyscore(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    by_range(ctx, arguments, By::Score, "zremrangebyscore")
}

/// ZREMRANGEBYLEX key min max
pub fn zremrangebylex(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    by_range(ctx, arguments, By::Lex, "zremrangebylex")
}
