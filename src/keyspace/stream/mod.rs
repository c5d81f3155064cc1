//! Streams: entries in order of their ids ([`StreamEntries`]), and groups of consumers that read them ([`Group`]).
//!
//! The commands on streams call it. Entries lie in nodes as in Redis (see `node.rs`), and the nodes in an ordered map by their
//! first ids: an end, a place in the middle and the removal of a node are O(log N). A stream may be without entries: its ids
//! go on from where they were.

mod adopt;
mod entries;
mod group;
mod id;
mod lag;
mod node;
mod radix;
mod range;
#[cfg(test)]
mod tests;
mod trim;

use std::collections::BTreeMap;

pub use entries::{Refused, StreamEntries, StreamLimits};
pub use group::{Consumer, ConsumerId, Group, Pending};
pub use id::{IdText, StreamId};
pub use node::StreamEntry;
pub use trim::{Bound, Trim};

use super::collection::Collection;
use super::digest;
use super::kind::Encoding;
use super::packed::Packed;
use super::redis_digest::RedisDigest;
use super::serialized;
use crate::base::listpack;

/// The groups of a stream, by name.
pub type Groups = BTreeMap<Box<[u8]>, Group>;

/// A stream.
#[derive(Clone, Default)]
pub struct Stream(Box<Parts>);

#[derive(Clone, Default)]
struct Parts {
    entries: StreamEntries,
    groups: Groups,
}

impl Stream {
    /// A stream to which nothing was ever added.
    pub fn new() -> Self {
        Self::default()
    }

    /// Its entries.
    pub fn entries(&self) -> &StreamEntries {
        &self.0.entries
    }

    /// Its entries, for changing them.
    pub fn entries_mut(&mut self) -> &mut StreamEntries {
        &mut self.0.entries
    }

    /// Its groups.
    pub fn groups(&self) -> &Groups {
        &self.0.groups
    }

    /// Its entries and its groups, for changing both.
    pub fn split_mut(&mut self) -> (&mut StreamEntries, &mut Groups) {
        (&mut self.0.entries, &mut self.0.groups)
    }
}

/// Bytes of an id in an RDB file: both halves as they are.
const RAW_ID: usize = 16;
/// Bytes of a time there.
const TIME: usize = 8;

fn id_len(id: StreamId) -> usize {
    serialized::length(id.ms as usize) + serialized::length(id.seq as usize)
}

impl Collection for Stream {
    fn encoding(&self) -> Encoding {
        Encoding::Stream
    }

    fn heap_bytes(&self, samples: usize) -> usize {
        let nodes = &self.entries().nodes;
        let looked_at = if samples == 0 { nodes.len() } else { samples.min(nodes.len()) };
        let bytes: usize = nodes.values().take(looked_at).map(Packed::heap_bytes).sum();
        let all = (bytes * nodes.len()).checked_div(looked_at).unwrap_or(0);
        let groups: usize =
            self.groups().iter().map(|(name, group)| name.len() + size_of::<Group>() + group.heap_bytes()).sum();
        size_of::<Parts>() + all + nodes.len() * size_of::<(StreamId, Packed)>() * 3 / 2 + groups
    }

    fn free_effort(&self) -> usize {
        // As Redis, which takes the first group to be like the others.
        let groups = self.groups();
        let of_groups = groups.values().next().map_or(0, |group| groups.len() * (1 + group.pending().len()));
        self.entries().radix()[1] + of_groups
    }

    fn digest(&self) -> u128 {
        let entries = self.entries();
        let mut sum = 0u128;
        let mut add = |parts: &[&[u8]]| {
            let part = digest::of_parts(parts);
            sum = digest::of_parts(&[&sum.to_le_bytes(), &part.to_le_bytes()]);
        };
        let id = |id: StreamId| (u128::from(id.ms) << 64 | u128::from(id.seq)).to_le_bytes();
        add(&[&id(entries.last_id), &entries.added.to_le_bytes(), &id(entries.max_deleted)]);
        for entry in entries.range(StreamId::MIN, StreamId::MAX) {
            add(&[b"entry", &id(entry.id)]);
            for [field, value] in entry.fields() {
                let (mut one, mut other) = (itoa::Buffer::new(), itoa::Buffer::new());
                add(&[field.as_bytes(&mut one), value.as_bytes(&mut other)]);
            }
        }
        for (name, group) in self.groups() {
            let read = group.read.map_or([0xff; 16], |read| u128::from(read as u64).to_le_bytes());
            add(&[b"group", name, &id(group.last_id), &read]);
            group.consumers().for_each(|consumer| add(&[b"consumer", consumer.name()]));
            for (entry, pending) in group.pending() {
                let owner = group.consumer(pending.owner).name();
                add(&[&id(*entry), &pending.time_ms.to_le_bytes(), &pending.count.to_le_bytes(), owner]);
            }
        }
        sum
    }

    fn redis_digest(&self, digest: &mut RedisDigest) {
        for entry in self.entries().range(StreamId::MIN, StreamId::MAX) {
            digest.mix(format!("{}.{}", entry.id.ms, entry.id.seq).as_bytes());
            for text in entry.fields().flatten() {
                digest.mix(text.as_bytes(&mut itoa::Buffer::new()));
            }
        }
    }

    fn serialized_len(&self) -> usize {
        let entries = self.entries();
        let node = |node: &Packed| serialized::blob(RAW_ID) + serialized::blob(node.bytes().len() + listpack::FRAME);
        let of_nodes: usize = entries.nodes.values().map(node).sum();
        let counters = serialized::length(entries.nodes.len())
            + serialized::length(entries.len())
            + [entries.last_id, entries.first_id(), entries.max_deleted].into_iter().map(id_len).sum::<usize>()
            + serialized::length(entries.added as usize)
            + serialized::length(self.groups().len());
        let group = |name: &[u8], group: &Group| {
            let pending = group.pending().values();
            let pending: usize = pending.map(|one| RAW_ID + TIME + serialized::length(one.count as usize)).sum();
            let consumer = |one: &Consumer| {
                let ids = one.pending().len();
                serialized::blob(one.name().len()) + 2 * TIME + serialized::length(ids) + ids * RAW_ID
            };
            serialized::blob(name.len())
                + id_len(group.last_id)
                + serialized::length(group.read.unwrap_or(-1) as usize)
                + serialized::length(group.pending().len())
                + pending
                + serialized::length(group.consumers().len())
                + group.consumers().map(consumer).sum::<usize>()
        };
        of_nodes + counters + self.groups().iter().map(|(name, one)| group(name, one)).sum::<usize>()
    }
}
