//! ZRANGE and its older relatives, and ZRANGESTORE.

use super::super::failure::{self, Failure};
use super::super::{Ctx, parse};
use super::bounds::{Bounds, By};
use super::{limits, store, store_resolved, write_members};
use crate::keyspace::{Text, Zset};

/// What the name of a command, or its options, say about a range.
struct Query {
    by: Option<By>,
    reverse: Option<bool>,
    scores: bool,
    offset: i64,
    limit: i64,
}

impl Query {
    fn new(by: Option<By>, reverse: Option<bool>) -> Self {
        Self { by, reverse, scores: false, offset: 0, limit: -1 }
    }

    fn read(mut self, words: &[&[u8]], stores: bool) -> Result<Self, Failure> {
        let mut words = words;
        while let [word, rest @ ..] = words {
            words = rest;
            match word.to_ascii_uppercase().as_slice() {
                b"WITHSCORES" if !stores => self.scores = true,
                b"LIMIT" if rest.len() >= 2 => {
                    (self.offset, self.limit) = (parse::integer(rest[0])?, parse::integer(rest[1])?);
                    words = &rest[2..];
                }
                b"REV" if self.reverse.is_none() => self.reverse = Some(true),
                b"BYLEX" if self.by.is_none() => self.by = Some(By::Lex),
                b"BYSCORE" if self.by.is_none() => self.by = Some(By::Score),
                _ => return Err(failure::SYNTAX),
            }
        }
        if self.limit != -1 && self.by() == By::Rank {
            let text = "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX";
            return Err(text.into());
        }
        if self.scores && self.by() == By::Lex {
            return Err("ERR syntax error, WITHSCORES not supported in combination with BYLEX".into());
        }
        Ok(self)
    }

    fn by(&self) -> By {
        self.by.unwrap_or(By::Rank)
    }

    fn is_reverse(&self) -> bool {
        self.reverse == Some(true)
    }

    /// Reads the ends: a reverse range of scores or members names the higher one first.
    fn bounds<'a>(&self, first: &'a [u8], second: &'a [u8]) -> Result<Bounds<'a>, Failure> {
        let swapped = self.is_reverse() && self.by() != By::Rank;
        let (min, max) = if swapped { (second, first) } else { (first, second) };
        Bounds::read(self.by(), min, max)
    }

    /// The first rank of the result, and the first one behind it.
    fn ranks(&self, bounds: &Bounds<'_>, zset: &Zset) -> (usize, usize) {
        let (start, end) = bounds.ranks(zset, self.is_reverse());
        if self.by() == By::Rank {
            return (start, end);
        }
        // A negative offset goes beyond everything, a negative limit is none.
        let skipped = usize::try_from(self.offset).unwrap_or(usize::MAX).min(end - start);
        let taken = usize::try_from(self.limit).unwrap_or(usize::MAX).min(end - start - skipped);
        if self.is_reverse() {
            (end - skipped - taken, end - skipped)
        } else {
            (start + skipped, start + skipped + taken)
        }
    }
}

fn read(ctx: &mut Ctx<'_>, arguments: &[&[u8]], by: Option<By>, reverse: Option<bool>) -> Result<(), Failure> {
    let query = Query::new(by, reverse).read(&arguments[4..], false)?;
    let bounds = query.bounds(arguments[2], arguments[3])?;
    let (zset, reply) = ctx.read_as::<Zset>(arguments[1])?;
    let Some(zset) = zset else {
        reply.array(0);
        return Ok(());
    };
    let (start, end) = query.ranks(&bounds, zset);
    write_members(reply, end - start, query.scores, zset.range(start, end, query.is_reverse()));
    Ok(())
}

/// ZRANGE key start stop [BYSCORE | BYLEX] [REV] [LIMIT offset count] [WITHSCORES]
pub fn zrange(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    read(ctx, arguments, None, None)
}

/// ZREVRANGE key start stop [WITHSCORES]
pub fn zrevrange(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    read(ctx, arguments, Some(By::Rank), Some(true))
}

/// ZRANGEBYSCORE key min max [WITHSCORES] [LIMIT offset count]
pub fn zrangebyscore(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    read(ctx, arguments, Some(By::Score), Some(false))
}

/// ZREVRANGEBYSCORE key max min [WITHSCORES] [LIMIT offset count]
pub fn zrevrangebyscore(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    read(ctx, arguments, Some(By::Score), Some(true))
}

/// ZRANGEBYLEX key min max [LIMIT offset count]
pub fn zrangebylex(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    read(ctx, arguments, Some(By::Lex), Some(false))
}

/// ZREVRANGEBYLEX key max min [LIMIT offset count]
pub fn zrevrangebylex(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    read(ctx, arguments, Some(By::Lex), Some(true))
}

/// ZRANGESTORE destination source min max [BYSCORE | BYLEX] [REV] [LIMIT offset count]
pub fn zrangestore(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let query = Query::new(None, None).read(&arguments[5..], true)?;
    let bounds = query.bounds(arguments[3], arguments[4])?;
    let limits = limits(&ctx.engine.config);
    ctx.expire_source(arguments[2]);
    let (source, _) = ctx.read_as::<Zset>(arguments[2])?;
    let (start, end) = source.map_or((0, 0), |zset| query.ranks(&bounds, zset));
    // What is between two members where scores differ depends on the representation.
    let is_arbitrary = query.by() == By::Lex && source.is_some_and(|zset| !zset.has_one_score());
    // Only of ranks does Redis know beforehand how many members there will be.
    let expected = if query.by() == By::Rank { end - start } else { 0 };
    let mut result = Zset::for_members(expected, 0, &limits);
    let mut buffer = itoa::Buffer::new();
    // In this order, for a zero loses its sign in a listpack and keeps it in what that grows into.
    for (member, score) in source.into_iter().flat_map(|zset| zset.range(start, end, query.is_reverse())) {
        let member: Text<'_> = member;
        result.insert(member.as_bytes(&mut buffer), score, &limits);
    }
    if is_arbitrary {
        store_resolved(ctx, arguments[1], result, "zrangestore");
    } else {
        store(ctx, arguments[1], result, "zrangestore");
    }
    Ok(())
}
