//! ZPOPMIN, ZPOPMAX and ZMPOP. Commands that wait for a member can call [`pop`] and [`MultiPop::read`], too.
//!
//! ZMPOP is logged as what it did to the key that it found: ZPOPMIN or ZPOPMAX with a count.

use std::mem;

use super::super::failure::{self, Failure};
use super::super::{Ctx, parse};
use super::options::counted_keys;
use crate::command::strings::write_text;
use crate::keyspace::Zset;

/// From which end members are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The lowest scores.
    Min,
    /// The highest scores.
    Max,
}

impl End {
    /// The end that a word names.
    fn named(word: &[u8]) -> Option<Self> {
        match word.to_ascii_uppercase().as_slice() {
            b"MIN" => Some(Self::Min),
            b"MAX" => Some(Self::Max),
            _ => None,
        }
    }

    fn command(self) -> &'static str {
        match self {
            Self::Min => "zpopmin",
            Self::Max => "zpopmax",
        }
    }
}

/// How the reply tells of what was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Members and scores one behind the other (ZPOPMIN; ZPOPMIN with a count in RESP2).
    Flat,
    /// Pairs (ZPOPMIN with a count in RESP3).
    Pairs,
    /// The key before a member and its score (BZPOPMIN).
    WithKey,
    /// The key, and then pairs (ZMPOP, BZMPOP).
    KeyAndPairs,
}

/// Takes up to `count` members out of a key and writes the reply; answers how many, or `None`, with nothing written, if the
/// key is missing.
pub fn pop(ctx: &mut Ctx<'_>, key: &[u8], end: End, count: usize, shape: Shape) -> Result<Option<usize>, Failure> {
    let mut reply = mem::take(&mut ctx.reply);
    let outcome = ctx.edit::<Zset>(key).map(|zset| {
        let zset = zset?;
        let (len, count) = (zset.len(), count.min(zset.len()));
        let (start, behind) = if end == End::Min { (0, count) } else { (len - count, len) };
        match shape {
            Shape::Flat => reply.array(2 * count),
            Shape::Pairs => reply.array(count),
            Shape::WithKey => {
                reply.array(2 * count + 1);
                reply.bulk(key);
            }
            Shape::KeyAndPairs => {
                reply.array(2);
                reply.bulk(key);
                reply.array(count);
            }
        }
        for (member, score) in zset.range(start, behind, end == End::Max) {
            if matches!(shape, Shape::Pairs | Shape::KeyAndPairs) {
                reply.array(2);
            }
            write_text(&mut reply, Some(member));
            reply.double(score);
        }
        zset.remove_ranks(start, behind);
        Some((count, zset.is_empty()))
    });
    ctx.reply = reply;
    let Some((count, is_empty)) = outcome? else { return Ok(None) };
    if count > 0 {
        ctx.event(end.command(), key);
        if is_empty {
            ctx.remove_emptied(key);
        }
        ctx.modified(key);
        ctx.counts_as(count as u64);
    }
    Ok(Some(count))
}

fn pop_one(ctx: &mut Ctx<'_>, arguments: &[&[u8]], end: End) -> Result<(), Failure> {
    let (count, shape) = match &arguments[2..] {
        [] => (1, Shape::Flat),
        [count] => {
            let count = parse::integer_in(count, 0, i64::MAX);
            let count = count.map_err(|_| Failure::from("ERR value is out of range, must be positive"))?;
            (count as usize, if ctx.reply.is_resp3() { Shape::Pairs } else { Shape::Flat })
        }
        _ => return Err(failure::SYNTAX),
    };
    if pop(ctx, arguments[1], end, count, shape)?.is_none() {
        ctx.reply.array(0);
    }
    Ok(())
}

/// ZPOPMIN key [count]
pub fn zpopmin(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    pop_one(ctx, arguments, End::Min)
}

/// ZPOPMAX key [count]
pub fn zpopmax(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    pop_one(ctx, arguments, End::Max)
}

/// The arguments of ZMPOP and BZMPOP from the number of keys on.
pub struct MultiPop<'a, 'b> {
    /// The keys, of which the first one that is there counts.
    pub keys: &'a [&'b [u8]],
    /// From which end.
    pub end: End,
    /// How many members at most.
    pub count: usize,
}

impl<'a, 'b> MultiPop<'a, 'b> {
    /// Reads them; the number of keys stands at `at`.
    pub fn read(arguments: &'a [&'b [u8]], at: usize) -> Result<Self, Failure> {
        let (keys, at) = counted_keys(arguments, at, || "ERR numkeys should be greater than 0".into())?;
        let end = arguments.get(at).and_then(|word| End::named(word)).ok_or(failure::SYNTAX)?;
        let count = match &arguments[at + 1..] {
            [] => 1,
            [word, count, rest @ ..] if word.eq_ignore_ascii_case(b"COUNT") => {
                let count = parse::integer_in(count, 1, i64::MAX).ok();
                let count = count.ok_or(Failure::from("ERR count should be greater than 0"))?;
                if !rest.is_empty() {
                    return Err(failure::SYNTAX);
                }
                count as usize
            }
            _ => return Err(failure::SYNTAX),
        };
        Ok(Self { keys, end, count })
    }

    /// Pops from the first key that is there and says so in the log; answers whether there was one. Nothing is written if
    /// there was none.
    pub fn run(&self, ctx: &mut Ctx<'_>) -> Result<bool, Failure> {
        for key in self.keys {
            if let Some(count) = pop(ctx, key, self.end, self.count, Shape::KeyAndPairs)? {
                let name = if self.end == End::Min { &b"ZPOPMIN"[..] } else { b"ZPOPMAX" };
                ctx.effect(&[name, key, itoa::Buffer::new().format(count).as_bytes()]);
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// ZMPOP numkeys key [key …] <MIN | MAX> [COUNT count]
pub fn zmpop(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    if !MultiPop::read(arguments, 1)?.run(ctx)? {
        ctx.reply.null_array();
    }
    Ok(())
}
