//! SUBSCRIBE, PUBLISH and their relatives.
//!
//! A connection that speaks RESP2 and listens to something may do little else (`dispatch.rs`), for its replies could not
//! be told from messages. What always holds: a message waits for all effects of the unit that it was published in, and
//! for all earlier writes of the connection that published it.

use super::{Ctx, Failure};
use crate::base::glob;
use crate::engine::pubsub::Kind;

/// SUBSCRIBE channel [channel …]
pub fn subscribe(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    listen(ctx, Kind::Channel, arguments)
}

/// PSUBSCRIBE pattern [pattern …]
pub fn psubscribe(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    listen(ctx, Kind::Pattern, arguments)
}

/// SSUBSCRIBE shardchannel [shardchannel …]
pub fn ssubscribe(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    if ctx.in_transaction() {
        return Err("ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client".into());
    }
    listen(ctx, Kind::Shard, arguments)
}

/// UNSUBSCRIBE [channel [channel …]]
pub fn unsubscribe(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    listen_no_more(ctx, Kind::Channel, arguments)
}

/// PUNSUBSCRIBE [pattern [pattern …]]
pub fn punsubscribe(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    listen_no_more(ctx, Kind::Pattern, arguments)
}

/// SUNSUBSCRIBE [shardchannel [shardchannel …]]
pub fn sunsubscribe(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    listen_no_more(ctx, Kind::Shard, arguments)
}

fn listen(ctx: &mut Ctx<'_>, kind: Kind, arguments: &[&[u8]]) -> Result<(), Failure> {
    for name in &arguments[1..] {
        ctx.engine.pubsub.subscribe(ctx.client, kind, name);
        confirm(ctx, kind, true, Some(name));
    }
    Ok(())
}

fn listen_no_more(ctx: &mut Ctx<'_>, kind: Kind, arguments: &[&[u8]]) -> Result<(), Failure> {
    for name in &arguments[1..] {
        ctx.engine.pubsub.unsubscribe(ctx.client, kind, name);
        confirm(ctx, kind, false, Some(name));
    }
    if arguments.len() > 1 {
        return Ok(());
    }
    if ctx.client.subscriptions.count(kind) == 0 {
        confirm(ctx, kind, false, None);
    }
    // The count of each reply is that of the moment at which the name goes.
    while let Some(name) = ctx.client.subscriptions.first(kind) {
        ctx.engine.pubsub.unsubscribe(ctx.client, kind, &name);
        confirm(ctx, kind, false, Some(&name));
    }
    Ok(())
}

/// Tells that a connection listens to a name, or no more. It is no reply to RESP3, so CLIENT REPLY does not silence it.
fn confirm(ctx: &mut Ctx<'_>, kind: Kind, listens: bool, name: Option<&[u8]>) {
    let event: &[u8] = match (kind, listens) {
        (Kind::Channel, true) => b"subscribe",
        (Kind::Pattern, true) => b"psubscribe",
        (Kind::Shard, true) => b"ssubscribe",
        (Kind::Channel, false) => b"unsubscribe",
        (Kind::Pattern, false) => b"punsubscribe",
        (Kind::Shard, false) => b"sunsubscribe",
    };
    ctx.reply.push(3);
    ctx.reply.bulk(event);
    match name {
        Some(name) => ctx.reply.bulk(name),
        None => ctx.reply.null(),
    }
    ctx.reply.count(ctx.client.subscriptions.told(kind));
    ctx.answers_by_push = true;
}

/// PUBLISH channel message
pub fn publish(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    send(ctx, Kind::Channel, arguments)
}

/// SPUBLISH shardchannel message
pub fn spublish(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    send(ctx, Kind::Shard, arguments)
}

fn send(ctx: &mut Ctx<'_>, kind: Kind, arguments: &[&[u8]]) -> Result<(), Failure> {
    let pushes = ctx.engine.pubsub.message(kind, arguments[1], arguments[2]);
    ctx.reply.count(pushes.iter().map(|push| push.receivers()).sum());
    ctx.pushes.extend(pushes);
    Ok(())
}

/// PUBSUB CHANNELS [pattern]
pub fn channels(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    list(ctx, Kind::Channel, arguments)
}

/// PUBSUB SHARDCHANNELS [pattern]
pub fn shardchannels(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    list(ctx, Kind::Shard, arguments)
}

fn list(ctx: &mut Ctx<'_>, kind: Kind, arguments: &[&[u8]]) -> Result<(), Failure> {
    let pattern = match &arguments[2..] {
        [] => None,
        [pattern] => Some(*pattern),
        _ => return Err(super::help::bad_subcommand(arguments)),
    };
    let wanted = |name: &&[u8]| pattern.is_none_or(|pattern| glob::matches(pattern, name));
    let names: Vec<&[u8]> = ctx.engine.pubsub.names(kind).filter(wanted).collect();
    ctx.reply.array(names.len());
    names.iter().for_each(|name| ctx.reply.bulk(name));
    Ok(())
}

/// PUBSUB NUMSUB [channel …]
pub fn numsub(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    count(ctx, Kind::Channel, arguments)
}

/// PUBSUB SHARDNUMSUB [shardchannel …]
pub fn shardnumsub(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    count(ctx, Kind::Shard, arguments)
}

fn count(ctx: &mut Ctx<'_>, kind: Kind, arguments: &[&[u8]]) -> Result<(), Failure> {
    ctx.reply.array((arguments.len() - 2) * 2);
    for name in &arguments[2..] {
        ctx.reply.bulk(name);
        ctx.reply.count(ctx.engine.pubsub.count(kind, name));
    }
    Ok(())
}

/// PUBSUB NUMPAT
pub fn numpat(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Result<(), Failure> {
    ctx.reply.count(ctx.engine.pubsub.len(Kind::Pattern));
    Ok(())
}
