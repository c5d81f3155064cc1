//! Sorted sets: adding, removing and asking for members, by name, rank, score and order.
//!
//! What always holds: no score is NaN, and a result that would be is refused ([`add`]) or zero ([`combine`]), as in Redis.

pub mod add;
pub mod block;
pub mod bounds;
pub mod combine;
pub mod options;
pub mod pop;
pub mod random;
pub mod range;
pub mod read;
pub mod remove;
pub mod scan;

use super::Ctx;
use super::failure::{self, Failure};
use super::strings::write_text;
use crate::base::number;
use crate::engine::config::Config;
use crate::keyspace::{Text, Zset, ZsetLimits};
use crate::resp::Reply;

/// How sorted sets are represented at the moment.
pub fn limits(config: &Config) -> ZsetLimits {
    ZsetLimits { entries: config.zset_max_listpack_entries(), value: config.zset_max_listpack_value() }
}

/// A score, a weight, a coordinate: anything but NaN.
pub fn double(text: &[u8]) -> Result<f64, Failure> {
    // Most are integers, which need no floating point to be read.
    let integer = number::parse_i64(text).map(|value| value as f64);
    integer.or_else(|| number::parse_f64(text)).ok_or(failure::NOT_A_FLOAT)
}

/// Writes members, with their scores if they are asked for: as pairs in RESP3, one behind the other in RESP2.
fn write_members<'a>(reply: &mut Reply, len: usize, scores: bool, members: impl Iterator<Item = (Text<'a>, f64)>) {
    begin_members(reply, len, scores);
    members.for_each(|member| write_member(reply, scores, member));
}

/// What comes before so many members.
fn begin_members(reply: &mut Reply, len: usize, scores: bool) {
    reply.array(if scores && !reply.is_resp3() { 2 * len } else { len });
}

fn write_member(reply: &mut Reply, scores: bool, (member, score): (Text<'_>, f64)) {
    if scores && reply.is_resp3() {
        reply.array(2);
    }
    write_text(reply, Some(member));
    if scores {
        reply.double(score);
    }
}

/// Puts a result in place of whatever a key has, or removes the key if there is none; replies the number of members.
pub fn store(ctx: &mut Ctx<'_>, key: &[u8], zset: Zset, event: &'static str) {
    let len = zset.len();
    if len > 0 {
        ctx.put(key, zset);
        ctx.modified(key);
        ctx.event(event, key);
    } else {
        ctx.remove_replaced(key);
    }
    ctx.reply.count(len);
}

/// [`store`], logged as the members with their scores, for what a copy could not compute the same.
pub fn store_resolved(ctx: &mut Ctx<'_>, key: &[u8], zset: Zset, event: &'static str) {
    let mut words: Vec<Vec<u8>> = vec![b"ZADD".to_vec(), key.to_vec()];
    for (member, score) in zset.iter() {
        let mut text = Vec::new();
        number::format_f64(score, &mut text);
        words.extend([text, member.to_vec()]);
    }
    let (is_empty, existed) = (zset.is_empty(), ctx.write(key).is_some());
    store(ctx, key, zset, event);
    if existed {
        ctx.effect(&[b"DEL", key]);
    }
    if !is_empty {
        let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
        ctx.effect(&words);
    }
}

#[cfg(test)]
#[path = "../zsets_tests.rs"]
mod tests;
