//! Sets: adding, removing, moving and asking for members.
//!
//! Random choice is in `sets_random.rs`, what is made of several sets in `sets_algebra.rs`.

use super::failure::{self, Failure};
use super::scan::{self, Options, Walk};
use super::strings::write_text;
use super::{Ctx, parse};
use crate::base::glob;
use crate::engine::config::Config;
use crate::keyspace::{Form, Kind, Set, SetLimits, Text};
use crate::resp::Reply;

/// How sets are represented at the moment.
pub(super) fn limits(config: &Config) -> SetLimits {
    SetLimits {
        intset_entries: config.set_max_intset_entries(),
        listpack_entries: config.set_max_listpack_entries(),
        listpack_value: config.set_max_listpack_value(),
    }
}

/// SADD key member [member …]
pub fn sadd(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let added = add(ctx, arguments[1], &arguments[2..])?;
    if added > 0 {
        ctx.counts_as(added as u64);
    }
    ctx.reply.count(added);
    Ok(())
}

/// Adds members to the set at a key, which is made if it is missing; answers how many were not there.
fn add(ctx: &mut Ctx<'_>, key: &[u8], members: &[&[u8]]) -> Result<usize, Failure> {
    let limits = limits(&ctx.engine.config);
    let add = |set: &mut Set| members.iter().filter(|member| set.insert(member, &limits)).count();
    let added = match ctx.edit::<Set>(key)? {
        Some(set) => {
            set.expect(members.len(), &limits);
            add(set)
        }
        None => {
            let mut set = Set::for_members(members[0], members.len(), &limits);
            let added = add(&mut set);
            ctx.create(key, set);
            added
        }
    };
    if added > 0 {
        ctx.modified(key);
        ctx.event("sadd", key);
    }
    Ok(added)
}

/// SREM key member [member …]
pub fn srem(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let (key, members) = (arguments[1], &arguments[2..]);
    let (removed, is_empty) = match ctx.edit::<Set>(key)? {
        Some(set) => {
            let removed = members.iter().filter(|member| set.remove(member)).count();
            (removed, set.is_empty())
        }
        None => (0, false),
    };
    if removed > 0 {
        ctx.modified(key);
        ctx.event("srem", key);
        if is_empty {
            ctx.remove_emptied(key);
        }
        ctx.counts_as(removed as u64);
    }
    ctx.reply.count(removed);
    Ok(())
}

/// SISMEMBER key member
pub fn sismember(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let (set, reply) = ctx.read_as::<Set>(arguments[1])?;
    reply.integer(set.is_some_and(|set| set.contains(arguments[2])).into());
    Ok(())
}

/// SMISMEMBER key member [member …]
pub fn smismember(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let (set, reply) = ctx.read_as::<Set>(arguments[1])?;
    reply.array(arguments.len() - 2);
    for member in &arguments[2..] {
        reply.integer(set.is_some_and(|set| set.contains(member)).into());
    }
    Ok(())
}

/// SMEMBERS key
pub fn smembers(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let (set, reply) = ctx.read_as::<Set>(arguments[1])?;
    reply_members(reply, set);
    Ok(())
}

/// Writes all members of a set; those of none, if it is not there.
pub(super) fn reply_members(reply: &mut Reply, set: Option<&Set>) {
    reply.set(set.map_or(0, Set::len));
    set.into_iter().flat_map(Set::iter).for_each(|member| write_text(reply, Some(member)));
}

/// SCARD key
pub fn scard(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let (set, reply) = ctx.read_as::<Set>(arguments[1])?;
    reply.count(set.map_or(0, Set::len));
    Ok(())
}

/// SMOVE source destination member
pub fn smove(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let (from, to, member) = (arguments[1], arguments[2], arguments[3]);
    let is_there = ctx.write(from).is_some();
    let may_be_added = ctx.write(to).is_none_or(|entry| entry.kind() == Kind::Set);
    if !is_there {
        ctx.reply.integer(0);
        return Ok(());
    }
    let set = ctx.edit::<Set>(from)?.filter(|_| may_be_added).ok_or(failure::WRONG_TYPE)?;
    let is_member = if from == to { set.contains(member) } else { set.remove(member) };
    let is_empty = set.is_empty();
    if is_member && from != to {
        ctx.event("srem", from);
        if is_empty {
            ctx.remove_emptied(from);
        }
        ctx.modified(from);
        add(ctx, to, &[member])?;
    }
    ctx.reply.integer(is_member.into());
    Ok(())
}

/// SSCAN key cursor [MATCH pattern] [COUNT count]
pub fn sscan(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let cursor = parse::cursor(arguments[2])?;
    let (set, reply) = ctx.read_as::<Set>(arguments[1])?;
    let Some(set) = set else {
        scan::reply_page(reply, 0, 0);
        return Ok(());
    };
    let options = Options::read(&arguments[3..], Walk::Elements)?;
    let mut buffer = itoa::Buffer::new();
    let is_wanted =
        |member: &Text<'_>| options.pattern.is_none_or(|it| glob::matches(it, member.as_bytes(&mut buffer)));
    // A small one is one page.
    let (mut next, mut members) = (0, Vec::new());
    if let Form::Large(table) = set.form() {
        next = scan::walk(cursor, options.count, |cursor, visited| {
            table.scan(cursor, |member| {
                *visited += 1;
                members.push(Text::Bytes(member.bytes()));
            })
        });
    } else {
        members.extend(set.iter());
    }
    let found: Vec<Text<'_>> = members.into_iter().filter(is_wanted).collect();
    scan::reply_page(reply, next, found.len());
    found.into_iter().for_each(|member| write_text(reply, Some(member)));
    Ok(())
}

#[cfg(test)]
#[path = "sets_tests.rs"]
mod tests;
