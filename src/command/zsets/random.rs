//! ZRANDMEMBER.

use super::super::failure::{self, Failure};
use super::super::strings::write_text;
use super::super::{Ctx, draws, parse};
use super::{begin_members, write_member};
use crate::keyspace::Zset;

/// ZRANDMEMBER key [count [WITHSCORES]]
pub fn zrandmember(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let mut random = ctx.engine.rng.fork();
    let Some(count) = arguments.get(2) else {
        let (zset, reply) = ctx.read_as::<Zset>(arguments[1])?;
        write_text(reply, zset.and_then(|zset| zset.random(&mut random)).map(|(member, _)| member));
        return Ok(());
    };
    let count = parse::integer_in(count, -i64::MAX, i64::MAX)?;
    let scores = match &arguments[3..] {
        [] => false,
        [word] if word.eq_ignore_ascii_case(b"WITHSCORES") => true,
        _ => return Err(failure::SYNTAX),
    };
    // Members and scores must be countable.
    if scores && !(-(i64::MAX / 2)..=i64::MAX / 2).contains(&count) {
        return Err("ERR value is out of range".into());
    }
    let (zset, reply) = ctx.read_as::<Zset>(arguments[1])?;
    let Some(zset) = zset.filter(|_| count != 0) else {
        reply.array(0);
        return Ok(());
    };
    if count < 0 {
        let amount = draws::number(count)?;
        let members = std::iter::from_fn(|| zset.random(&mut random)).take(amount);
        begin_members(reply, amount, scores);
        return draws::write(reply, members, |reply, member| write_member(reply, scores, member));
    }
    let amount = usize::try_from(count).map_or(zset.len(), |count| count.min(zset.len()));
    begin_members(reply, amount, scores);
    zset.sample(amount, &mut random, |member| write_member(reply, scores, member));
    Ok(())
}
