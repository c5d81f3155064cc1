//! ZADD and ZINCRBY.
//!
//! Both are logged as they came: a copy adds the same numbers in the same order, and so gets the same sums.

use smallvec::SmallVec;

use super::super::Ctx;
use super::super::failure::{self, Failure};
use super::{double, limits};
use crate::keyspace::{Zset, ZsetLimits};

/// The options of ZADD.
#[derive(Clone, Copy, Default)]
pub struct Conditions {
    nx: bool,
    xx: bool,
    gt: bool,
    lt: bool,
    ch: bool,
    incr: bool,
}

impl Conditions {
    /// Reads words up to the first that is no option; answers how many there were.
    fn read(&mut self, words: &[&[u8]]) -> usize {
        for (at, word) in words.iter().enumerate() {
            let options = [
                (b"NX".as_slice(), &mut self.nx),
                (b"XX", &mut self.xx),
                (b"GT", &mut self.gt),
                (b"LT", &mut self.lt),
                (b"CH", &mut self.ch),
                (b"INCR", &mut self.incr),
            ];
            let Some((_, option)) = options.into_iter().find(|(name, _)| word.eq_ignore_ascii_case(name)) else {
                return at;
            };
            *option = true;
        }
        words.len()
    }

    fn check(self, pairs: usize) -> Result<(), Failure> {
        if self.nx && self.xx {
            return Err("ERR XX and NX options at the same time are not compatible".into());
        }
        if (self.gt && (self.nx || self.lt)) || (self.lt && self.nx) {
            return Err("ERR GT, LT, and/or NX options at the same time are not compatible".into());
        }
        if self.incr && pairs > 1 {
            return Err("ERR INCR option supports a single increment-element pair".into());
        }
        Ok(())
    }
}

/// What became of a member.
enum Change {
    /// The conditions do not hold.
    Refused,
    /// It has an equal score already.
    None,
    Added,
    Updated,
}

/// Adds one member, or to its score; answers its score.
fn add_one(
    zset: &mut Zset,
    member: &[u8],
    score: f64,
    conditions: Conditions,
    limits: &ZsetLimits,
) -> Result<(Change, f64), Failure> {
    let Some(before) = zset.score(member) else {
        if conditions.xx {
            return Ok((Change::Refused, score));
        }
        zset.insert(member, score, limits);
        return Ok((Change::Added, score));
    };
    if conditions.nx {
        return Ok((Change::Refused, before));
    }
    let score = if conditions.incr { before + score } else { score };
    if score.is_nan() {
        return Err("ERR resulting score is not a number (NaN)".into());
    }
    if (conditions.lt && score >= before) || (conditions.gt && score <= before) {
        return Ok((Change::Refused, before));
    }
    if score == before {
        // What is answered may have another sign of zero than what stays.
        return Ok((Change::None, score));
    }
    zset.update(member, before, score);
    Ok((Change::Updated, score))
}

/// Counts of what became of several members.
#[derive(Default)]
struct Sum {
    added: usize,
    updated: usize,
    /// The score of the last one for which the conditions held.
    score: Option<f64>,
}

fn add_all(
    zset: &mut Zset,
    members: &[&[u8]],
    scores: &[f64],
    conditions: Conditions,
    limits: &ZsetLimits,
) -> Result<Sum, Failure> {
    let mut sum = Sum::default();
    for (pair, score) in members.chunks_exact(2).zip(scores) {
        let (change, score) = add_one(zset, pair[1], *score, conditions, limits)?;
        match change {
            Change::Refused => continue,
            Change::None => {}
            Change::Added => sum.added += 1,
            Change::Updated => sum.updated += 1,
        }
        sum.score = Some(score);
    }
    Ok(sum)
}

fn generic(ctx: &mut Ctx<'_>, arguments: &[&[u8]], mut conditions: Conditions) -> Result<(), Failure> {
    let key = arguments[1];
    let options = conditions.read(&arguments[2..]);
    let pairs = &arguments[2 + options..];
    if pairs.is_empty() || !pairs.len().is_multiple_of(2) {
        return Err(failure::SYNTAX);
    }
    let count = pairs.len() / 2;
    conditions.check(count)?;
    let scores: SmallVec<[f64; 4]> = pairs.iter().step_by(2).map(|text| double(text)).collect::<Result<_, _>>()?;
    let longest = pairs.iter().skip(1).step_by(2).map(|member| member.len()).max().unwrap_or(0);
    let limits = limits(&ctx.engine.config);
    let sum = match ctx.edit::<Zset>(key)? {
        Some(zset) => {
            zset.expect(count, longest, &limits);
            add_all(zset, pairs, &scores, conditions, &limits)?
        }
        None if conditions.xx => Sum::default(),
        None => {
            let mut zset = Zset::for_members(count, longest, &limits);
            let sum = add_all(&mut zset, pairs, &scores, conditions, &limits)?;
            ctx.create(key, zset);
            sum
        }
    };
    let changed = sum.added + sum.updated;
    if changed > 0 {
        ctx.modified(key);
        ctx.event(if conditions.incr { "zincr" } else { "zadd" }, key);
        ctx.counts_as(changed as u64);
    }
    match sum.score {
        Some(score) if conditions.incr => ctx.reply.double(score),
        None if conditions.incr => ctx.reply.null(),
        _ => ctx.reply.count(if conditions.ch { changed } else { sum.added }),
    }
    Ok(())
}

/// ZADD key [NX | XX] [GT | LT] [CH] [INCR] score member [score member …]
pub fn zadd(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    generic(ctx, arguments, Conditions::default())
}

/// ZINCRBY key increment member
pub fn zincrby(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    generic(ctx, arguments, Conditions { incr: true, ..Conditions::default() })
}
