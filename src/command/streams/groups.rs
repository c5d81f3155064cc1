//! XGROUP.

use super::{ids, shown};
use crate::command::failure::Failure;
use crate::command::help::bad_subcommand;
use crate::command::{Ctx, parse};
use crate::keyspace::{Group, Stream, StreamId};

const NO_KEY: Failure = Failure::fixed(
    "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option to \
     create an empty stream automatically.",
);

/// The options of CREATE and SETID.
fn options(arguments: &[&[u8]], for_create: bool) -> Result<(bool, Option<i64>), Failure> {
    let (mut create, mut read) = (false, None);
    let mut words = arguments[5..].iter();
    while let Some(word) = words.next() {
        if for_create && word.eq_ignore_ascii_case(b"MKSTREAM") {
            create = true;
        } else if word.eq_ignore_ascii_case(b"ENTRIESREAD")
            && let Some(number) = words.next()
        {
            read = match parse::integer(number)? {
                -1 => None,
                number @ 0.. => Some(number),
                _ => return Err("ERR value for ENTRIESREAD must be positive or -1".into()),
            };
        } else {
            return Err(bad_subcommand(arguments));
        }
    }
    Ok((create, read))
}

pub(super) fn no_group(key: &[u8], group: &[u8]) -> Failure {
    let text: [&[u8]; 5] = [b"NOGROUP No such consumer group '", shown(group), b"' for key name '", shown(key), b"'"];
    Failure::new(text.concat())
}

/// The stream of a key that has to be there.
fn stream<'c>(ctx: &'c mut Ctx<'_>, key: &[u8]) -> Result<&'c mut Stream, Failure> {
    ctx.edit::<Stream>(key)?.ok_or(NO_KEY)
}

/// The group that has to be there.
fn group<'c>(ctx: &'c mut Ctx<'_>, key: &[u8], name: &[u8]) -> Result<&'c mut Group, Failure> {
    let (_, groups) = stream(ctx, key)?.split_mut();
    groups.get_mut(name).ok_or_else(|| no_group(key, name))
}

/// XGROUP CREATE key group id | $ [MKSTREAM] [ENTRIESREAD entries-read]
pub fn xgroup_create(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let (create, read) = options(arguments, true)?;
    let (key, name) = (arguments[2], arguments[3]);
    let found = ctx.edit::<Stream>(key)?;
    if found.is_none() && !create {
        return Err(NO_KEY);
    }
    if arguments.len() > 8 {
        return Err(bad_subcommand(arguments));
    }
    let last_id = match arguments[4] {
        b"$" => found.as_ref().map_or(StreamId::MIN, |stream| stream.entries().last_id()),
        text => ids::id(text, 0)?,
    };
    let group = Group::new(last_id, read);
    match found {
        Some(stream) => {
            let (_, groups) = stream.split_mut();
            if groups.contains_key(name) {
                return Err("BUSYGROUP Consumer Group name already exists".into());
            }
            groups.insert(name.into(), group);
            ctx.modified_unwatched(key);
        }
        None => {
            let mut stream = Stream::new();
            stream.split_mut().1.insert(name.into(), group);
            ctx.create(key, stream);
            ctx.modified(key);
        }
    }
    ctx.event("xgroup-create", key);
    ctx.reply.ok();
    Ok(())
}

/// XGROUP SETID key group id | $ [ENTRIESREAD entries-read]
pub fn xgroup_setid(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let (_, read) = options(arguments, false)?;
    let (key, name) = (arguments[2], arguments[3]);
    let stream = stream(ctx, key)?;
    if !stream.groups().contains_key(name) {
        return Err(no_group(key, name));
    }
    if arguments.len() > 7 {
        return Err(bad_subcommand(arguments));
    }
    let last_id = match arguments[4] {
        b"$" => stream.entries().last_id(),
        text => ids::id_or_edge(text, 0)?,
    };
    if let Some(group) = stream.split_mut().1.get_mut(name) {
        (group.last_id, group.read) = (last_id, read);
    }
    ctx.modified_unwatched(key);
    ctx.event("xgroup-setid", key);
    ctx.reply.ok();
    Ok(())
}

/// XGROUP DESTROY key group
pub fn xgroup_destroy(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let key = arguments[2];
    let removed = stream(ctx, key)?.split_mut().1.remove(arguments[3]).is_some();
    if removed {
        ctx.modified_unwatched(key);
        ctx.event("xgroup-destroy", key);
        // Who waits for it is told that it is gone.
        ctx.engine.blocked_keys.signal(&ctx.engine.dbs, ctx.client.db, key);
    }
    ctx.reply.integer(removed.into());
    Ok(())
}

/// XGROUP CREATECONSUMER key group consumer
pub fn xgroup_createconsumer(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let (key, name) = (arguments[2], arguments[4]);
    let done_ms = ctx.done_ms() as i64;
    let group = group(ctx, key, arguments[3])?;
    let is_new = group.find_consumer(name).is_none();
    if is_new {
        group.add_consumer(name, done_ms);
        ctx.modified_unwatched(key);
        ctx.event("xgroup-createconsumer", key);
    }
    ctx.reply.integer(is_new.into());
    Ok(())
}

/// XGROUP DELCONSUMER key group consumer
pub fn xgroup_delconsumer(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let key = arguments[2];
    let removed = group(ctx, key, arguments[3])?.remove_consumer(arguments[4]);
    if removed.is_some() {
        ctx.modified_unwatched(key);
        ctx.event("xgroup-delconsumer", key);
    }
    ctx.reply.count(removed.unwrap_or(0));
    Ok(())
}
