//! Keyspace notifications: what happened to a key, as messages on two channels.
//!
//! `notify-keyspace-events` chooses classes of events (a letter each) and channels: `K` for `__keyspace@<db>__:<key>`, on
//! which the event is told, `E` for `__keyevent@<db>__:<event>`, on which the key is. They leave like all messages, when
//! nothing of what their unit did can be lost any more.

use super::Ctx;
use crate::engine::pubsub::Kind;

/// The class that an event is of. Names are those of Redis, which tells each of them of one class only.
fn class(event: &str) -> u8 {
    match event {
        "set" | "setrange" | "append" | "incrby" | "incrbyfloat" | "setbit" | "pfadd" => b'$',
        "lpush" | "rpush" | "lpop" | "rpop" | "linsert" | "lset" | "lrem" | "ltrim" | "sortstore" => b'l',
        "sadd" | "srem" | "spop" | "sinterstore" | "sunionstore" | "sdiffstore" => b's',
        "hset" | "hdel" | "hincrby" | "hincrbyfloat" | "hexpire" | "hpersist" | "hexpired" => b'h',
        "expired" => b'x',
        "evicted" => b'e',
        "keymiss" => b'm',
        "new" => b'n',
        zset if zset.starts_with('z') || zset.starts_with("geo") => b'z',
        stream if stream.starts_with('x') => b't',
        _ => b'g',
    }
}

/// Tells of an event, if it is of a class that is wanted.
pub fn tell(ctx: &mut Ctx<'_>, db: usize, event: &str, key: &[u8]) {
    let wanted = ctx.engine.config.key_events();
    if !wanted.has(class(event)) {
        return;
    }
    let channel = |space: &str, of: &[u8]| [format!("__{space}@{db}__:").as_bytes(), of].concat();
    let pubsub = &ctx.engine.pubsub;
    if wanted.has(b'K') {
        ctx.pushes.extend(pubsub.message(Kind::Channel, &channel("keyspace", key), event.as_bytes()));
    }
    if wanted.has(b'E') {
        ctx.pushes.extend(pubsub.message(Kind::Channel, &channel("keyevent", event.as_bytes()), key));
    }
}
