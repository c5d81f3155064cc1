//! Sorted sets: adding, removing and asking for members, by name, rank, score and order.
//!
//! What always holds: no score is NaN, and a result that would be is refused ([`add`]) or zero ([`combine`]), as in Redis.

pub mod add;
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
use crate::keyspace::{self, Entry, Text, Zset, ZsetLimits};
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
    let nested = scores && reply.is_resp3();
    reply.array(if scores && !nested { 2 * len } else { len });
    for (member, score) in members {
        if nested {
            reply.array(2);
        }
        write_text(reply, Some(member));
        if scores {
            reply.double(score);
        }
    }
}

/// Puts a result in place of whatever a key has, or removes the key if there is none; answers the number of members.
pub fn store(ctx: &mut Ctx<'_>, key: &[u8], zset: Zset, event: &'static str) {
    let len = zset.len();
    let exists = ctx.write(key).is_some();
    let hash = keyspace::hash(key);
    let displaced =
        if len > 0 { ctx.db().insert(hash, Entry::of(key, zset, None)) } else { ctx.db().remove(hash, key) };
    if let Some(displaced) = displaced {
        ctx.discard_displaced(displaced);
    }
    if len > 0 || exists {
        ctx.modified(key);
        ctx.event(if len > 0 { event } else { "del" }, key);
    }
    ctx.reply.count(len);
}

#[cfg(test)]
#[path = "../zsets_tests.rs"]
mod tests;
