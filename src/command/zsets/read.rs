//! Asking for scores, ranks and numbers of members.

use super::super::Ctx;
use super::super::failure::{self, Failure};
use super::bounds::{Bounds, By};
use crate::keyspace::Zset;

/// ZCARD key
pub fn zcard(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let (zset, reply) = ctx.read_as::<Zset>(arguments[1])?;
    reply.count(zset.map_or(0, Zset::len));
    Ok(())
}

/// ZSCORE key member
pub fn zscore(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let (zset, reply) = ctx.read_as::<Zset>(arguments[1])?;
    match zset.and_then(|zset| zset.score(arguments[2])) {
        Some(score) => reply.double(score),
        None => reply.null(),
    }
    Ok(())
}

/// ZMSCORE key member [member …]
pub fn zmscore(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let (zset, reply) = ctx.read_as::<Zset>(arguments[1])?;
    reply.array(arguments.len() - 2);
    for member in &arguments[2..] {
        match zset.and_then(|zset| zset.score(member)) {
            Some(score) => reply.double(score),
            None => reply.null(),
        }
    }
    Ok(())
}

fn rank(ctx: &mut Ctx<'_>, arguments: &[&[u8]], reverse: bool) -> Result<(), Failure> {
    let with_score = match &arguments[3..] {
        [] => false,
        [word] if word.eq_ignore_ascii_case(b"WITHSCORE") => true,
        [_] => return Err(failure::SYNTAX),
        _ => {
            let name = if reverse { "zrevrank" } else { "zrank" };
            return Err(Failure::new(format!("ERR wrong number of arguments for '{name}' command")));
        }
    };
    let (zset, reply) = ctx.read_as::<Zset>(arguments[1])?;
    let found = zset.and_then(|zset| {
        let (rank, score) = zset.rank(arguments[2])?;
        Some((if reverse { zset.len() - 1 - rank } else { rank }, score))
    });
    match found {
        Some((rank, score)) if with_score => {
            reply.array(2);
            reply.count(rank);
            reply.double(score);
        }
        Some((rank, _)) => reply.count(rank),
        None if with_score => reply.null_array(),
        None => reply.null(),
    }
    Ok(())
}

/// ZRANK key member [WITHSCORE]
pub fn zrank(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    rank(ctx, arguments, false)
}

/// ZREVRANK key member [WITHSCORE]
pub fn zrevrank(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    rank(ctx, arguments, true)
}

fn count(ctx: &mut Ctx<'_>, arguments: &[&[u8]], by: By) -> Result<(), Failure> {
    let bounds = Bounds::read(by, arguments[2], arguments[3])?;
    let (zset, reply) = ctx.read_as::<Zset>(arguments[1])?;
    let (start, end) = zset.map_or((0, 0), |zset| bounds.ranks(zset, false));
    reply.count(end - start);
    Ok(())
}

/// ZCOUNT key min max
pub fn zcount(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    count(ctx, arguments, By::Score)
}

/// ZLEXCOUNT key min max
pub fn zlexcount(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    count(ctx, arguments, By::Lex)
}
