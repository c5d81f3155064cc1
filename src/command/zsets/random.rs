//! ZRANDMEMBER.

use std::collections::HashSet;

use super::super::failure::{self, Failure};
use super::super::strings::write_text;
use super::super::{Ctx, draws, parse};
use super::{begin_members, write_member, write_members};
use crate::keyspace::{Text, Zset};

/// A sample of more than this part of the members is taken by going through all of them.
const PART: usize = 3;

/// A member drawn at random, each with the same chance.
fn draw<'a>(zset: &'a Zset, random: &mut fastrand::Rng) -> Option<(Text<'a>, f64)> {
    if zset.is_empty() {
        return None;
    }
    let rank = random.usize(..zset.len());
    zset.range(rank, rank + 1, false).next()
}

/// So many different ranks below `len`, each set of them with the same chance: Robert Floyd's algorithm.
fn distinct_ranks(count: usize, len: usize, random: &mut fastrand::Rng) -> HashSet<usize> {
    let mut ranks = HashSet::with_capacity(count);
    for highest in len - count..len {
        let rank = random.usize(..=highest);
        if !ranks.insert(rank) {
            ranks.insert(highest);
        }
    }
    ranks
}

/// ZRANDMEMBER key [count [WITHSCORES]]
pub fn zrandmember(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let mut random = ctx.engine.rng.fork();
    let Some(count) = arguments.get(2) else {
        let (zset, reply) = ctx.read_as::<Zset>(arguments[1])?;
        write_text(reply, zset.and_then(|zset| draw(zset, &mut random)).map(|(member, _)| member));
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
    let (len, amount) = (zset.len(), count.unsigned_abs() as usize);
    if count < 0 {
        let amount = draws::number(count)?;
        let members = std::iter::repeat_with(|| draw(zset, &mut random)).map_while(|member| member).take(amount);
        begin_members(reply, amount, scores);
        draws::write(reply, members, |reply, member| write_member(reply, scores, member))?;
    } else if amount >= len {
        write_members(reply, len, scores, zset.iter());
    } else if amount * PART > len {
        // Each member is taken with the chance that the rest of the sample has among the rest of the members.
        let (mut wanted, mut left) = (amount, len);
        let sample = zset.iter().filter(|_| {
            let take = random.usize(..left) < wanted;
            left -= 1;
            wanted -= usize::from(take);
            take
        });
        write_members(reply, amount, scores, sample);
    } else {
        let ranks = distinct_ranks(amount, len, &mut random);
        write_members(reply, amount, scores, ranks.iter().flat_map(|rank| zset.range(*rank, rank + 1, false)));
    }
    Ok(())
}
