//! A consumer group: how far it has read, its consumers, and the entries that were delivered and not yet acknowledged.
//!
//! What always holds: every pending entry has an owner among the consumers, and is in the owner's list and no other one. The
//! record itself (time, count, owner) is only in the group.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::StreamId;

/// A consumer, as the group refers to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConsumerId(u32);

/// An entry that was delivered and not yet acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pending {
    /// When it was delivered last, in milliseconds since the epoch.
    pub time_ms: i64,
    /// How often it was delivered.
    pub count: i64,
    /// To whom.
    pub owner: ConsumerId,
}

/// A consumer.
#[derive(Clone)]
pub struct Consumer {
    name: Arc<[u8]>,
    /// When it last tried anything, in milliseconds since the epoch.
    pub seen_ms: i64,
    /// When it last got anything.
    pub active_ms: Option<i64>,
    pending: BTreeSet<StreamId>,
}

impl Consumer {
    /// Its name.
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// The ids that are pending for it, in order.
    pub fn pending(&self) -> &BTreeSet<StreamId> {
        &self.pending
    }
}

/// See the module.
#[derive(Clone)]
pub struct Group {
    /// The id that was delivered last.
    pub last_id: StreamId,
    /// How many entries were read, as far as that is known.
    pub read: Option<i64>,
    pending: BTreeMap<StreamId, Pending>,
    names: BTreeMap<Arc<[u8]>, ConsumerId>,
    /// By [`ConsumerId`]; removed ones leave a gap for the next.
    slots: Vec<Option<Consumer>>,
    gaps: Vec<ConsumerId>,
}

impl Group {
    /// A group without consumers that goes on behind `last_id`.
    pub fn new(last_id: StreamId, read: Option<i64>) -> Self {
        Self { last_id, read, pending: BTreeMap::new(), names: BTreeMap::new(), slots: Vec::new(), gaps: Vec::new() }
    }

    /// The pending entries, in order.
    pub fn pending(&self) -> &BTreeMap<StreamId, Pending> {
        &self.pending
    }

    /// The consumers, by name.
    pub fn consumers(&self) -> impl ExactSizeIterator<Item = &Consumer> {
        self.names.values().map(|id| self.consumer(*id))
    }

    /// The consumer of this name.
    pub fn find_consumer(&self, name: &[u8]) -> Option<ConsumerId> {
        self.names.get(name).copied()
    }

    /// A consumer.
    pub fn consumer(&self, id: ConsumerId) -> &Consumer {
        self.slots[id.0 as usize].as_ref().expect("who is named or owns something is there")
    }

    /// A consumer, for noting when it was seen.
    pub fn consumer_mut(&mut self, id: ConsumerId) -> &mut Consumer {
        self.slots[id.0 as usize].as_mut().expect("who is named or owns something is there")
    }

    /// Adds a consumer, of whom there is none of this name.
    pub fn add_consumer(&mut self, name: &[u8], now_ms: i64) -> ConsumerId {
        let id = self.gaps.pop().unwrap_or_else(|| {
            self.slots.push(None);
            ConsumerId(u32::try_from(self.slots.len() - 1).expect("consumers are fewer than their names' bytes"))
        });
        let name: Arc<[u8]> = name.into();
        let consumer = Consumer { name: name.clone(), seen_ms: now_ms, active_ms: None, pending: BTreeSet::new() };
        self.slots[id.0 as usize] = Some(consumer);
        self.names.insert(name, id);
        id
    }

    /// Removes a consumer with all that is pending for it; answers how much that was.
    pub fn remove_consumer(&mut self, name: &[u8]) -> Option<usize> {
        let id = self.names.remove(name)?;
        let consumer = self.slots[id.0 as usize].take()?;
        self.gaps.push(id);
        for entry in &consumer.pending {
            self.pending.remove(entry);
        }
        Some(consumer.pending.len())
    }

    /// Makes an entry pending, or notes its delivery anew; who owned it before loses it.
    pub fn deliver(&mut self, entry: StreamId, pending: Pending) {
        let before = self.pending.insert(entry, pending);
        if before.is_some_and(|before| before.owner == pending.owner) {
            return;
        }
        if let Some(before) = before {
            self.consumer_mut(before.owner).pending.remove(&entry);
        }
        self.consumer_mut(pending.owner).pending.insert(entry);
    }

    /// Takes an entry off the pending ones; `false` if it was not pending.
    pub fn acknowledge(&mut self, entry: StreamId) -> bool {
        let Some(pending) = self.pending.remove(&entry) else { return false };
        self.consumer_mut(pending.owner).pending.remove(&entry);
        true
    }

    /// Bytes that it takes in memory, roughly.
    pub(super) fn heap_bytes(&self) -> usize {
        /// What a B-tree takes for a key and its value. Ids come in order: a node of eleven that is full hands on what is
        /// above its sixth, and stays as it is then.
        const fn slot<T>() -> usize {
            size_of::<T>() * 21 / 10
        }
        let names: usize = self.names.keys().map(|name| name.len() + 2 * size_of::<usize>()).sum();
        self.pending.len() * (slot::<(StreamId, Pending)>() + slot::<StreamId>())
            + self.names.len() * size_of::<(Arc<[u8]>, ConsumerId)>() * 3 / 2
            + self.slots.capacity() * size_of::<Option<Consumer>>()
            + names
    }
}
