//! Lists: adding, taking, finding and changing elements.
//!
//! Taking elements is in [`super::list_pops`], which those that wait for elements share.

use std::ops::ControlFlow;

use super::failure::{self, Failure, SYNTAX};
use super::strings::write_text;
use super::{Ctx, parse};
use crate::engine::Engine;
use crate::keyspace::{End, List, ListLimits, Text};

/// How lists are represented at the moment.
pub(super) fn limits(engine: &Engine) -> ListLimits {
    ListLimits { listpack_size: engine.config.list_max_listpack_size(), plain_from: engine.list_plain_from }
}

/// LPUSH key element [element …]
pub fn lpush(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    push(ctx, arguments, End::Left, false)
}

/// RPUSH key element [element …]
pub fn rpush(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    push(ctx, arguments, End::Right, false)
}

/// LPUSHX key element [element …]
pub fn lpushx(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    push(ctx, arguments, End::Left, true)
}

/// RPUSHX key element [element …]
pub fn rpushx(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    push(ctx, arguments, End::Right, true)
}

fn push(ctx: &mut Ctx<'_>, arguments: &[&[u8]], end: End, only_existing: bool) -> Result<(), Failure> {
    let (key, elements) = (arguments[1], &arguments[2..]);
    let limits = limits(ctx.engine);
    let add = |list: &mut List| {
        list.expect(elements.iter().map(|element| element.len()).sum(), elements.len(), &limits);
        elements.iter().for_each(|element| list.push(end, element, &limits));
        list.len()
    };
    let len = match ctx.edit::<List>(key)? {
        Some(list) => add(list),
        None if only_existing => {
            ctx.reply.integer(0);
            return Ok(());
        }
        None => {
            let mut list = List::new();
            let len = add(&mut list);
            ctx.create(key, list);
            len
        }
    };
    ctx.reply.count(len);
    ctx.modified(key);
    ctx.event(if end == End::Left { "lpush" } else { "rpush" }, key);
    ctx.counts_as(elements.len() as u64);
    Ok(())
}

/// LLEN key
pub fn llen(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let (list, reply) = ctx.read_as::<List>(arguments[1])?;
    reply.count(list.map_or(0, List::len));
    Ok(())
}

/// LINDEX key index
pub fn lindex(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let (list, reply) = ctx.read_as::<List>(arguments[1])?;
    let Some(list) = list else {
        reply.null();
        return Ok(());
    };
    let index = parse::integer(arguments[2])?;
    write_text(reply, list.get(index));
    Ok(())
}

/// The first element of a range and how many it has; indices count from the end if negative.
fn range(start: i64, end: i64, len: usize) -> (usize, usize) {
    let len = len as i64;
    let start = if start < 0 { (len + start).max(0) } else { start };
    let end = if end < 0 { len + end } else { end.min(len - 1) };
    if start > end || start >= len { (0, 0) } else { (start as usize, (end - start + 1) as usize) }
}

/// LRANGE key start stop
pub fn lrange(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let (start, end) = (parse::integer(arguments[2])?, parse::integer(arguments[3])?);
    let (list, reply) = ctx.read_as::<List>(arguments[1])?;
    let Some(list) = list else {
        reply.array(0);
        return Ok(());
    };
    let (first, count) = range(start, end, list.len());
    reply.array(count);
    list.show(first, count, End::Right, |element| write_text(reply, Some(element)));
    Ok(())
}

/// LINSERT key BEFORE|AFTER pivot element
pub fn linsert(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let (key, pivot, element) = (arguments[1], arguments[3], arguments[4]);
    let behind = match arguments[2].to_ascii_lowercase().as_slice() {
        b"after" => true,
        b"before" => false,
        _ => return Err(SYNTAX),
    };
    let limits = limits(ctx.engine);
    let (list, reply) = ctx.edit_reply::<List>(key)?;
    let Some(list) = list else {
        reply.integer(0);
        return Ok(());
    };
    // Redis prepares before it knows whether the other element is there.
    list.expect(element.len(), 1, &limits);
    if !list.insert(pivot, behind, element, &limits) {
        reply.integer(-1);
        return Ok(());
    }
    reply.count(list.len());
    ctx.modified(key);
    ctx.event("linsert", key);
    Ok(())
}

/// LSET key index element
pub fn lset(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let (key, element) = (arguments[1], arguments[3]);
    let limits = limits(ctx.engine);
    let list = ctx.edit::<List>(key)?.ok_or(failure::NO_SUCH_KEY)?;
    let index = parse::integer(arguments[2])?;
    list.expect(element.len(), 1, &limits);
    if !list.replace(index, element, &limits) {
        return Err(failure::INDEX_OUT_OF_RANGE);
    }
    list.shrink(&limits);
    ctx.reply.ok();
    ctx.modified(key);
    ctx.event("lset", key);
    Ok(())
}

/// LREM key count element
pub fn lrem(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let (key, element) = (arguments[1], arguments[3]);
    let count = parse::integer_in(arguments[2], -i64::MAX, i64::MAX)?;
    let limits = limits(ctx.engine);
    let (list, reply) = ctx.edit_reply::<List>(key)?;
    let Some(list) = list else {
        reply.integer(0);
        return Ok(());
    };
    let most = if count == 0 { usize::MAX } else { count.unsigned_abs() as usize };
    let removed = list.remove_equal(element, most, if count < 0 { End::Right } else { End::Left });
    reply.count(removed);
    if removed > 0 {
        list.shrink(&limits);
        let is_empty = list.is_empty();
        ctx.event("lrem", key);
        if is_empty {
            ctx.remove_emptied(key);
        }
        ctx.modified(key);
        ctx.counts_as(removed as u64);
    }
    Ok(())
}

/// LTRIM key start stop
pub fn ltrim(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let key = arguments[1];
    let (start, end) = (parse::integer(arguments[2])?, parse::integer(arguments[3])?);
    let limits = limits(ctx.engine);
    let (list, reply) = ctx.edit_reply::<List>(key)?;
    reply.ok();
    let Some(list) = list else { return Ok(()) };
    let before = list.len();
    let (first, count) = range(start, end, before);
    list.remove_at_end(End::Right, before - first - count);
    list.remove_at_end(End::Left, first);
    list.shrink(&limits);
    ctx.event("ltrim", key);
    if count == 0 {
        ctx.remove_emptied(key);
    }
    ctx.modified(key);
    ctx.counts_as((before - count) as u64);
    Ok(())
}

/// What LPOS is asked for.
struct Search {
    towards: End,
    /// The number of the match from which on they count, the first being 1.
    rank: u64,
    /// How many are wanted, 0 for all; none if only one was asked for.
    count: Option<u64>,
    /// How many elements are looked at, 0 for all.
    most: u64,
}

impl Search {
    fn read(mut words: &[&[u8]]) -> Result<Self, Failure> {
        let mut search = Self { towards: End::Right, rank: 1, count: None, most: 0 };
        while let [option, value, rest @ ..] = words {
            match option.to_ascii_lowercase().as_slice() {
                b"rank" => {
                    let rank = parse::integer_in(value, -i64::MAX, i64::MAX)?;
                    if rank == 0 {
                        return Err(
                            "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... \
                                    or use negative to start from the end of the list"
                                .into(),
                        );
                    }
                    search.towards = if rank < 0 { End::Left } else { End::Right };
                    search.rank = rank.unsigned_abs();
                }
                b"count" => search.count = Some(parse::integer_in_or(value, 0, "ERR COUNT can't be negative")? as u64),
                b"maxlen" => search.most = parse::integer_in_or(value, 0, "ERR MAXLEN can't be negative")? as u64,
                _ => return Err(SYNTAX),
            }
            words = rest;
        }
        if words.is_empty() { Ok(search) } else { Err(SYNTAX) }
    }

    /// Shows the indices that are wanted.
    fn run(&self, list: &List, element: &[u8], mut show: impl FnMut(usize)) {
        let element = Text::of(element);
        let wanted = self.count.unwrap_or(1);
        let last = list.len() - 1;
        let (mut looked_at, mut matches) = (0, 0);
        list.walk(if self.towards == End::Right { 0 } else { last }, self.towards, |other| {
            if self.most > 0 && looked_at as u64 == self.most {
                return ControlFlow::Break(());
            }
            if other == element {
                matches += 1;
                if matches >= self.rank {
                    show(if self.towards == End::Right { looked_at } else { last - looked_at });
                    if wanted > 0 && matches - self.rank + 1 >= wanted {
                        return ControlFlow::Break(());
                    }
                }
            }
            looked_at += 1;
            ControlFlow::Continue(())
        });
    }
}

/// LPOS key element [RANK rank] [COUNT num-matches] [MAXLEN len]
pub fn lpos(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let search = Search::read(&arguments[3..])?;
    let (list, reply) = ctx.read_as::<List>(arguments[1])?;
    let mut found = Vec::new();
    if let Some(list) = list {
        search.run(list, arguments[2], |index| found.push(index));
    }
    match (search.count, found.first()) {
        (Some(_), _) => {
            reply.array(found.len());
            found.iter().for_each(|index| reply.count(*index));
        }
        (None, Some(index)) => reply.count(*index),
        (None, None) => reply.null(),
    }
    Ok(())
}

#[cfg(test)]
#[path = "lists_tests.rs"]
mod tests;
