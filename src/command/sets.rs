//! Sets: adding, removing and asking for members.

use super::Ctx;
use super::failure::Failure;
use super::strings::write_text;
use crate::engine::config::Config;
use crate::keyspace::{Set, SetLimits};

/// How sets are represented at the moment.
fn limits(config: &Config) -> SetLimits {
    SetLimits {
        intset_entries: config.set_max_intset_entries(),
        listpack_entries: config.set_max_listpack_entries(),
        listpack_value: config.set_max_listpack_value(),
    }
}

/// SADD key member [member …]
pub fn sadd(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let (key, members) = (arguments[1], &arguments[2..]);
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
        ctx.counts_as(added as u64);
    }
    ctx.reply.count(added);
    Ok(())
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
    reply.set(set.map_or(0, Set::len));
    set.into_iter().flat_map(Set::iter).for_each(|member| write_text(reply, Some(member)));
    Ok(())
}

/// SCARD key
pub fn scard(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let (set, reply) = ctx.read_as::<Set>(arguments[1])?;
    reply.count(set.map_or(0, Set::len));
    Ok(())
}

#[cfg(test)]
#[path = "sets_tests.rs"]
mod tests;
