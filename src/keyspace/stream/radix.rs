//! How many nodes Redis' radix tree over the ids of a stream's nodes would have: XINFO shows it.
//!
//! In that tree every key of sixteen bytes has a leaf; where keys differ first is a branch, which holds one byte for each
//! child; and whatever bytes are left between two of them, or before the first, are one node more. The number follows from
//! the keys alone, so it is kept without the tree: whoever adds or removes a key asks [`change`] how much it changes.

use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Unbounded};

use super::StreamId;

const KEY_BYTES: u32 = 16;

/// Nodes of a tree without keys.
pub(super) const EMPTY: i64 = 1;

/// Nodes between a branch at a depth (the root if `None`) and what comes below it at another.
fn between(above: Option<u32>, below: u32) -> i64 {
    i64::from(below > above.map_or(0, |depth| depth + 1))
}

/// How many nodes more the tree has with `key` than without it; the map holds the other keys, and perhaps this one.
pub(super) fn change<V>(keys: &BTreeMap<StreamId, V>, key: StreamId) -> i64 {
    let before = |id: StreamId| keys.range(..id).next_back().map(|(id, _)| *id);
    let behind = |id: StreamId| keys.range((Excluded(id), Unbounded)).next().map(|(id, _)| *id);
    let depth = |other: Option<StreamId>, id: StreamId| other.map(|other| other.common_bytes(id));
    // Where the key leaves the path that it shares with others.
    let Some(fork) = depth(before(key), key).max(depth(behind(key), key)) else {
        // The first key: what was an empty root is its leaf.
        return between(None, KEY_BYTES) + 1 - EMPTY;
    };
    // The others below the fork: those that share so many bytes.
    let bits = 128 - fork * 8;
    let number = u128::from(key.ms) << 64 | u128::from(key.seq);
    let low = if bits == 128 { 0 } else { number >> bits << bits };
    let high = if bits == 128 { u128::MAX } else { low | ((1 << bits) - 1) };
    let id = |number: u128| StreamId::new((number >> 64) as u64, number as u64);
    let mut others = keys.range(id(low)..=id(high)).map(|(id, _)| *id).filter(|id| *id != key);
    let first = others.next().expect("a neighbour shares these bytes");
    let last = others.next_back().unwrap_or(first);
    let leaf = 1 + between(Some(fork), KEY_BYTES);
    let below = if first == last { KEY_BYTES } else { first.common_bytes(last) };
    if below == fork {
        return leaf;
    }
    // They had no branch there: the key splits what leads to them.
    let above = depth(before(first.min(key)), first).max(depth(behind(last.max(key)), last));
    leaf + 1 + between(above, fork) + between(Some(fork), below) - between(above, below)
}
