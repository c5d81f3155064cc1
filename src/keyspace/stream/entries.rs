//! The entries of a stream: nodes in order of their first id, and what is counted about them.
//!
//! What always holds: ids rise from node to node and within each; `length` is the number of live entries. A node may be
//! left without live ones by trimming, as in Redis.

use std::collections::BTreeMap;

use super::node::{self, Reader};
use super::range::{Backward, Forward};
use super::trim::{Bound, Trim};
use super::{StreamEntry, StreamId, radix};
use crate::base::listpack;
use crate::keyspace::packed::Packed;

/// The settings that decide when a node is full.
#[derive(Clone, Copy, Debug)]
pub struct StreamLimits {
    /// `stream-node-max-bytes`; 0 for no limit.
    pub node_bytes: usize,
    /// `stream-node-max-entries`; 0 for no limit.
    pub node_entries: u64,
}

/// Why an entry cannot be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Its id is not above that of the last one.
    NotAbove,
    /// It is larger than a node may ever be, whatever the settings say.
    TooLarge,
}

/// See the module.
#[derive(Clone, Default)]
pub struct StreamEntries {
    pub(super) nodes: BTreeMap<StreamId, Packed>,
    /// Nodes of Redis' radix tree, less that of an empty one.
    pub(super) radix_nodes: i64,
    pub(super) length: u64,
    pub(super) last_id: StreamId,
    pub(super) added: i64,
    pub(super) max_deleted: StreamId,
}

impl StreamEntries {
    /// Number of entries.
    pub fn len(&self) -> usize {
        self.length as usize
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// The id that was given last, whether or not its entry is still there.
    pub fn last_id(&self) -> StreamId {
        self.last_id
    }

    /// Entries that were ever added.
    pub fn added(&self) -> i64 {
        self.added
    }

    /// The highest id that was deleted by itself, not by trimming.
    pub fn max_deleted(&self) -> StreamId {
        self.max_deleted
    }

    /// The id of the first entry; zero without entries.
    pub fn first_id(&self) -> StreamId {
        self.range(StreamId::MIN, StreamId::MAX).next().map_or(StreamId::MIN, |entry| entry.id)
    }

    /// The id of the last entry that is there.
    pub fn last_entry_id(&self) -> Option<StreamId> {
        self.range_back(StreamId::MIN, StreamId::MAX).next().map(|entry| entry.id)
    }

    /// Number of nodes, and of nodes of the radix tree in which Redis would keep them.
    pub fn radix(&self) -> [usize; 2] {
        [self.nodes.len(), (self.radix_nodes + radix::EMPTY) as usize]
    }

    /// The entries from `start` to `end`, both included.
    pub fn range(&self, start: StreamId, end: StreamId) -> Forward<'_> {
        Forward::new(self, start, end)
    }

    /// The same from the last one on.
    pub fn range_back(&self, start: StreamId, end: StreamId) -> Backward<'_> {
        Backward::new(self, start, end)
    }

    /// The entry with this id.
    pub fn get(&self, id: StreamId) -> Option<StreamEntry<'_>> {
        self.range(id, id).next()
    }

    /// Adds an entry, whose fields and values are `pairs`, under an id above all before.
    pub fn append(&mut self, id: StreamId, pairs: &[&[u8]], limits: &StreamLimits) -> Result<(), Refused> {
        if id <= self.last_id {
            return Err(Refused::NotAbove);
        }
        let size: usize = pairs.iter().map(|text| text.len()).sum();
        let elements = pairs.len() + node::OWN_ELEMENTS;
        if !Packed::may_hold(elements, size) {
            return Err(Refused::TooLarge);
        }
        match self.nodes.last_entry().filter(|last| has_room(last.get(), elements, size, limits)) {
            Some(mut last) => {
                let first = *last.key();
                node::push(last.get_mut(), first, id, pairs);
            }
            None => {
                let mut node = node::for_fields(pairs);
                node::push(&mut node, id, id, pairs);
                self.radix_nodes += radix::change(&self.nodes, id);
                self.nodes.insert(id, node);
            }
        }
        self.length += 1;
        self.added = self.added.saturating_add(1);
        self.last_id = id;
        Ok(())
    }

    /// Deletes an entry; `false` if there is none. The note about the highest deleted id is [`Self::note_deleted`].
    pub fn delete(&mut self, id: StreamId) -> bool {
        let Some((&first, node)) = self.nodes.range_mut(..=id).next_back() else { return false };
        let deleted = node::delete(node, first, |other| (other <= id).then_some(other == id)) > 0;
        if deleted {
            self.length -= 1;
            if node::counts(node)[0] == 0 {
                self.remove_node(first);
            }
        }
        deleted
    }

    /// Notes that an id was deleted by itself.
    pub fn note_deleted(&mut self, id: StreamId) {
        self.max_deleted = self.max_deleted.max(id);
    }

    /// Sets what is counted, as XSETID does.
    pub fn set_counters(&mut self, last_id: StreamId, added: Option<i64>, max_deleted: Option<StreamId>) {
        self.last_id = last_id;
        self.added = added.unwrap_or(self.added);
        self.max_deleted = max_deleted.unwrap_or(self.max_deleted);
    }

    fn remove_node(&mut self, first: StreamId) {
        self.nodes.remove(&first);
        self.radix_nodes -= radix::change(&self.nodes, first);
    }

    /// Removes the first entries, as many as the bound says: whole nodes only if it is approximate. Answers how many went.
    /// Those for which `spares` holds stay, though they count for where trimming ends.
    pub fn trim(&mut self, trim: &Trim, mut spares: Option<&mut dyn FnMut(StreamId) -> bool>) -> u64 {
        let mut removed = 0;
        let mut from = StreamId::MIN;
        while let Some((&first, node)) = self.nodes.range_mut(from..).next() {
            let live = node::counts(node)[0];
            let over = match trim.bound {
                Bound::MaxLen(max) => self.length > max,
                Bound::MinId(_) => true,
            };
            if !over || trim.limit > 0 && removed + live > trim.limit {
                break;
            }
            let goes_whole = match trim.bound {
                Bound::MaxLen(max) => self.length - live >= max,
                Bound::MinId(min) => Reader::new(first, node).last_id() < min,
            };
            if goes_whole && spares.is_none() {
                self.remove_node(first);
                self.length -= live;
                removed += live;
                continue;
            }
            if trim.approximate && !goes_whole {
                break;
            }
            let (mut left, mut ended) = (self.length, false);
            let within = node::delete(node, first, |id| {
                let ends = match trim.bound {
                    Bound::MaxLen(max) => left <= max,
                    Bound::MinId(min) => id >= min,
                };
                if ends {
                    ended = true;
                    return None;
                }
                let goes = spares.as_mut().is_none_or(|spares| !spares(id));
                left -= u64::from(goes);
                Some(goes)
            });
            self.length -= within;
            removed += within;
            if spares.is_some() && goes_whole && node::counts(node)[0] == 0 {
                self.remove_node(first);
            }
            if ended || spares.is_none() {
                break;
            }
            let Some(next) = first.next() else { break };
            from = next;
        }
        removed
    }
}

/// Whether an entry of `elements`, which have `size` bytes without what they take besides, goes into this node. The
/// settings count as in Redis, for it shows where nodes end.
fn has_room(node: &Packed, elements: usize, size: usize, limits: &StreamLimits) -> bool {
    let [live, deleted] = node::counts(node);
    node.has_room(elements, size)
        && (limits.node_bytes == 0 || node.bytes().len() + listpack::FRAME + size < limits.node_bytes)
        && (limits.node_entries == 0 || live + deleted < limits.node_entries)
}
