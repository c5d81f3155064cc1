//! Taking elements off lists, and moving them: at once, or by waiting for one.
//!
//! A command that waits is logged as the one that does at once what it did: BLPOP as LPOP, BLMPOP and LMPOP as LPOP with
//! a count, BLMOVE as LMOVE. See [`super::key_waits`] for how it waits.

use super::failure::{Failure, SYNTAX};
use super::key_waits::wait_or_nothing;
use super::lists::limits;
use super::strings::write_text;
use super::{Ctx, parse};
use crate::keyspace::{End, Kind, List, Text};

/// LEFT or RIGHT.
fn end(word: &[u8]) -> Result<End, Failure> {
    match word.to_ascii_lowercase().as_slice() {
        b"left" => Ok(End::Left),
        b"right" => Ok(End::Right),
        _ => Err(SYNTAX),
    }
}

/// The command that takes elements off an end, and its event.
fn pop_name(end: End) -> (&'static [u8], &'static str) {
    match end {
        End::Left => (b"LPOP", "lpop"),
        End::Right => (b"RPOP", "rpop"),
    }
}

/// What all do after `count` elements were taken off.
fn taken(ctx: &mut Ctx<'_>, key: &[u8], from: End, count: usize, is_empty: bool) {
    ctx.event(pop_name(from).1, key);
    if is_empty {
        ctx.remove_emptied(key);
    }
    ctx.modified(key);
    ctx.counts_as(count as u64);
}

/// LPOP key [count]
pub fn lpop(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    pop(ctx, arguments, End::Left)
}

/// RPOP key [count]
pub fn rpop(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    pop(ctx, arguments, End::Right)
}

fn pop(ctx: &mut Ctx<'_>, arguments: &[&[u8]], from: End) -> Result<(), Failure> {
    let key = arguments[1];
    let count = match arguments {
        [_, _] => None,
        [_, _, count] => Some(parse::integer_in_or(count, 0, "ERR value is out of range, must be positive")? as usize),
        _ => {
            let name = pop_name(from).1;
            return Err(Failure::new(format!("ERR wrong number of arguments for '{name}' command")));
        }
    };
    let limits = limits(ctx.engine);
    let (list, reply) = ctx.edit_reply::<List>(key)?;
    let count = match (list.is_some(), count) {
        (true, None) => 1,
        (true, Some(0)) => {
            reply.array(0);
            return Ok(());
        }
        (true, Some(count)) => count,
        (false, None) => {
            reply.null();
            return Ok(());
        }
        (false, Some(_)) => {
            reply.null_array();
            return Ok(());
        }
    };
    let Some(list) = list else { return Ok(()) };
    if arguments.len() == 2 {
        write_text(reply, list.at_end(from));
    } else {
        write_taken(reply, list, from, count);
    }
    let before = list.len();
    list.remove_at_end(from, count);
    list.shrink(&limits);
    let after = list.len();
    taken(ctx, key, from, before - after, after == 0);
    Ok(())
}

/// An array of the elements at an end, the outermost one first.
fn write_taken(reply: &mut crate::resp::Reply, list: &List, from: End, count: usize) {
    let count = count.min(list.len());
    let (first, towards) = if from == End::Left { (0, End::Right) } else { (list.len() - 1, End::Left) };
    reply.array(count);
    list.show(first, count, towards, |element| write_text(reply, Some(element)));
}

/// What LMPOP and BLMPOP are asked for: `numkeys key [key …] LEFT|RIGHT [COUNT count]`.
struct Pops<'a> {
    keys: &'a [&'a [u8]],
    from: End,
    count: usize,
}

impl<'a> Pops<'a> {
    fn read(words: &'a [&'a [u8]]) -> Result<Self, Failure> {
        let numkeys = parse::integer_in_or(words[0], 1, "ERR numkeys should be greater than 0")?;
        let numkeys = usize::try_from(numkeys).ok().filter(|numkeys| *numkeys < words.len() - 1).ok_or(SYNTAX)?;
        let (keys, rest) = words[1..].split_at(numkeys);
        let from = end(rest[0])?;
        let count = match &rest[1..] {
            [] => 1,
            [option, count, rest @ ..] if option.eq_ignore_ascii_case(b"count") => {
                let count = parse::integer_in_or(count, 1, "ERR count should be greater than 0")?;
                if rest.is_empty() { count as usize } else { return Err(SYNTAX) }
            }
            _ => return Err(SYNTAX),
        };
        Ok(Self { keys, from, count })
    }

    /// Takes elements off the first list that is there; whether there is one.
    fn run(&self, ctx: &mut Ctx<'_>) -> Result<bool, Failure> {
        let limits = limits(ctx.engine);
        for key in self.keys {
            let (list, reply) = ctx.edit_reply::<List>(key)?;
            let Some(list) = list else { continue };
            reply.array(2);
            reply.bulk(key);
            write_taken(reply, list, self.from, self.count);
            let before = list.len();
            list.remove_at_end(self.from, self.count);
            list.shrink(&limits);
            let after = list.len();
            let mut digits = itoa::Buffer::new();
            ctx.effect(&[pop_name(self.from).0, key, digits.format(before - after).as_bytes()]);
            taken(ctx, key, self.from, before - after, after == 0);
            return Ok(true);
        }
        Ok(false)
    }
}

/// LMPOP numkeys key [key …] LEFT|RIGHT [COUNT count]
pub fn lmpop(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    if !Pops::read(&arguments[1..])?.run(ctx)? {
        ctx.reply.null_array();
    }
    Ok(())
}

/// BLMPOP timeout numkeys key [key …] LEFT|RIGHT [COUNT count]
pub fn blmpop(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let pops = Pops::read(&arguments[2..])?;
    let timeout_ms = parse::timeout_seconds(arguments[1], ctx.now_ms())?;
    if !pops.run(ctx)? {
        wait_or_nothing(ctx, Kind::List, pops.keys, timeout_ms, arguments);
    }
    Ok(())
}

/// BLPOP key [key …] timeout
pub fn blpop(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    blocking_pop(ctx, arguments, End::Left)
}

/// BRPOP key [key …] timeout
pub fn brpop(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    blocking_pop(ctx, arguments, End::Right)
}

fn blocking_pop(ctx: &mut Ctx<'_>, arguments: &[&[u8]], from: End) -> Result<(), Failure> {
    let (timeout, keys) = (arguments[arguments.len() - 1], &arguments[1..arguments.len() - 1]);
    let timeout_ms = parse::timeout_seconds(timeout, ctx.now_ms())?;
    let limits = limits(ctx.engine);
    for key in keys {
        let (list, reply) = ctx.edit_reply::<List>(key)?;
        let Some(list) = list else { continue };
        reply.array(2);
        reply.bulk(key);
        write_text(reply, list.at_end(from));
        list.remove_at_end(from, 1);
        list.shrink(&limits);
        let is_empty = list.is_empty();
        ctx.effect(&[pop_name(from).0, key]);
        taken(ctx, key, from, 1, is_empty);
        return Ok(());
    }
    wait_or_nothing(ctx, Kind::List, keys, timeout_ms, arguments);
    Ok(())
}

/// Takes an element off one list and adds it to another, which may be the same; whether there was one.
fn move_element(ctx: &mut Ctx<'_>, (source, from): (&[u8], End), (target, to): (&[u8], End)) -> Result<bool, Failure> {
    let limits = limits(ctx.engine);
    if ctx.edit::<List>(source)?.is_none() {
        return Ok(false);
    }
    ctx.edit::<List>(target)?;
    let (list, reply) = ctx.edit_reply::<List>(source)?;
    let list = list.expect("it was found just now");
    let element = list.at_end(from).expect("no list is empty");
    write_text(reply, Some(element));
    // Redis expects a number to need no bytes.
    let bytes = if let Text::Bytes(bytes) = element { bytes.len() } else { 0 };
    let element = element.to_vec();
    list.remove_at_end(from, 1);
    let add = |list: &mut List| {
        list.expect(bytes, 1, &limits);
        list.push(to, &element, &limits);
    };
    match ctx.edit::<List>(target)? {
        Some(list) => add(list),
        None => {
            let mut list = List::new();
            add(&mut list);
            ctx.create(target, list);
        }
    }
    ctx.modified(target);
    ctx.event(if to == End::Left { "lpush" } else { "rpush" }, target);
    let list = ctx.edit::<List>(source)?.expect("it was found just now");
    list.shrink(&limits);
    let is_empty = list.is_empty();
    taken(ctx, source, from, 1, is_empty);
    Ok(true)
}

/// LMOVE source destination LEFT|RIGHT LEFT|RIGHT
pub fn lmove(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let (from, to) = (end(arguments[3])?, end(arguments[4])?);
    if !move_element(ctx, (arguments[1], from), (arguments[2], to))? {
        ctx.reply.null();
    }
    Ok(())
}

/// RPOPLPUSH source destination
pub fn rpoplpush(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    if !move_element(ctx, (arguments[1], End::Right), (arguments[2], End::Left))? {
        ctx.reply.null();
    }
    Ok(())
}

/// BLMOVE source destination LEFT|RIGHT LEFT|RIGHT timeout
pub fn blmove(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let (from, to) = (end(arguments[3])?, end(arguments[4])?);
    let effect = [b"LMOVE", arguments[1], arguments[2], arguments[3], arguments[4]];
    blocking_move(ctx, arguments, (from, to), &effect)
}

/// BRPOPLPUSH source destination timeout
pub fn brpoplpush(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    blocking_move(ctx, arguments, (End::Right, End::Left), &[b"RPOPLPUSH", arguments[1], arguments[2]])
}

fn blocking_move(
    ctx: &mut Ctx<'_>,
    arguments: &[&[u8]],
    (from, to): (End, End),
    effect: &[&[u8]],
) -> Result<(), Failure> {
    let timeout_ms = parse::timeout_seconds(arguments[arguments.len() - 1], ctx.now_ms())?;
    let source = arguments[1];
    if move_element(ctx, (source, from), (arguments[2], to))? {
        ctx.effect(effect);
    } else if ctx.may_block() {
        wait_or_nothing(ctx, Kind::List, &[source], timeout_ms, arguments);
    } else {
        ctx.reply.null();
    }
    Ok(())
}
