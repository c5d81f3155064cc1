//! A large sorted set: a hash table that owns the members, for finding scores, and a counted B+ tree over them
//! (`order.rs`), for ranks and ranges.
//!
//! What always holds: both have the same members, and a member's score in its allocation is that beside its handle.
//!
//! Why a tree and not Redis' skip list: its nodes hold many members, so fewer cache lines are read on the way down, and a
//! member takes 16 bytes of a leaf instead of a node of its own. Measured with a million members of 12 bytes, scores in random
//! order, on two cores of a shared, busy virtual machine; servers got pipelined commands and their CPU time was taken:
//!
//! | | ackd | Redis 7.0.15 | Valkey 8.1.8 | Redis 8.2.3 |
//! |---|---:|---:|---:|---:|
//! | resident bytes a member | 66 | 117 | 104 | 100 |
//! | ZADD of a new member, µs | 1.7 | 3.7 | 3.6 | 3.2 |
//! | ZRANK of a random member, µs | 1.4 | 3.5 | 3.1 | 3.3 |
//! | ZINCRBY of a random member, µs | 3.0 | 6.5 | 6.6 | 5.8 |
//! | ZRANGE of ten from a random rank on, µs | 2.4 | 6.5 | 5.9 | 6.1 |
//!
//! Of the 66 bytes the member's own allocation takes 24, the hash table 15, and the leaves the rest. `benches/zsets.rs`
//! measures the structure alone: 62 bytes in random order, 58 of rising scores; 0.8 and 0.5 µs an insert.

use std::cmp::Ordering;

use super::order::{Item, Order};
use super::scored::Scored;
use super::table::Table;

/// See the module.
pub struct Ranked {
    // Dropped first: its handles must not outlive the members.
    order: Order,
    table: Table<Scored>,
}

impl Ranked {
    /// No members.
    pub(super) fn new() -> Self {
        Self { order: Order::new(), table: Table::new() }
    }

    /// Number of members.
    pub(super) fn len(&self) -> usize {
        self.order.len()
    }

    /// The members by hash.
    pub fn table(&self) -> &Table<Scored> {
        &self.table
    }

    /// The score of a member.
    pub(super) fn score(&self, member: &[u8]) -> Option<f64> {
        self.table.find(super::hash(member), member).map(Scored::score)
    }

    /// Adds a member that is not there.
    pub(super) fn insert(&mut self, member: &[u8], score: f64) {
        let scored = Scored::new(member, score);
        // SAFETY: whoever takes the member out of the table takes the handle out of the order before.
        let handle = unsafe { scored.handle() };
        self.order.insert(Item { score, member: handle });
        self.table.insert(super::hash(member), scored);
    }

    /// Gives a member, which is there with the score `before`, another one.
    pub(super) fn update(&mut self, member: &[u8], before: f64, score: f64) {
        let rank = self.order.rank(before, member);
        let mut moved = None;
        self.order.cut(rank, rank + 1, |item| moved = Some(item.member));
        let handle = moved.expect("a member is in the order, too");
        self.order.insert(Item { score, member: handle });
        if let Some(scored) = self.table.find_mut(super::hash(member), member) {
            scored.set_score(score);
        }
    }

    /// Takes a member out; answers its score.
    pub(super) fn remove(&mut self, member: &[u8]) -> Option<f64> {
        let score = self.score(member)?;
        let rank = self.order.rank(score, member);
        self.cut(rank, rank + 1);
        Some(score)
    }

    /// Takes the members with the ranks from `start` to before `end` out.
    pub(super) fn cut(&mut self, start: usize, end: usize) {
        let table = &mut self.table;
        self.order.cut(start, end, |item| {
            let member = item.member.member();
            let removed = table.remove(super::hash(member), member);
            debug_assert!(removed.is_some(), "a member is in the table, too");
        });
    }

    /// The rank of a member.
    pub(super) fn rank(&self, member: &[u8]) -> Option<(usize, f64)> {
        let score = self.score(member)?;
        Some((self.order.rank(score, member), score))
    }

    /// Number of members for which `is_before` holds, which must be the first ones.
    pub(super) fn rank_where(&self, is_before: impl Fn(f64, &[u8]) -> bool) -> usize {
        self.order.rank_where(is_before)
    }

    /// The members with the ranks from `start` to before `end`, in either direction.
    pub(super) fn range(&self, start: usize, end: usize, reverse: bool) -> impl Iterator<Item = (&[u8], f64)> {
        self.order.range(start, end, reverse).map(|item| (item.member.member(), item.score))
    }

    pub(super) fn heap_bytes(&self, samples: usize) -> usize {
        size_of::<Order>() + self.order.heap_bytes(samples) + self.table.heap_bytes(samples, Scored::heap_bytes)
    }

    #[cfg(test)]
    pub(super) fn check(&self) {
        self.order.check();
        assert_eq!(self.order.len(), self.table.len());
        for item in self.order.range(0, self.len(), false) {
            assert_eq!(self.score(item.member.member()), Some(item.score));
        }
    }
}

/// Members on their way into a large sorted set, in any order: the index is made when all are there, instead of looking for
/// the place of each.
pub struct Ranking {
    // Dropped first: its handles must not outlive the members.
    items: Vec<Item>,
    table: Table<Scored>,
}

impl Ranking {
    /// No members, and room for so many; the memory is taken now.
    pub fn with_room(count: usize) -> Self {
        let mut table = Table::new();
        table.expect(count);
        Self { items: Vec::with_capacity(count), table }
    }

    /// Whether there are no members.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Adds a member with a score, which is not NaN; `false`, and nothing is done, if it is there already.
    pub fn push(&mut self, member: &[u8], score: f64) -> bool {
        let hash = super::hash(member);
        if self.table.find(hash, member).is_some() {
            return false;
        }
        let scored = Scored::new(member, score);
        // SAFETY: members are not taken out of this table, and all handles go into the order of the set that gets it, where
        // whoever takes the member out of the table takes the handle out before; or they are dropped before the table.
        let handle = unsafe { scored.handle() };
        self.items.push(Item { score, member: handle });
        self.table.insert(hash, scored);
        true
    }

    /// The set. Members that came in order, or in the reverse one, as servers write them, need no sorting.
    pub(super) fn finish(mut self) -> Ranked {
        if self.items.is_sorted_by(|a, b| a.cmp(b) == Ordering::Greater) {
            self.items.reverse();
        } else if !self.items.is_sorted_by(|a, b| a.cmp(b) == Ordering::Less) {
            self.items.sort_unstable_by(Item::cmp);
        }
        Ranked { order: Order::of_sorted(self.items), table: self.table }
    }
}

impl Clone for Ranked {
    fn clone(&self) -> Self {
        let mut copy = Ranking::with_room(self.len());
        self.range(0, self.len(), false).for_each(|(member, score)| _ = copy.push(member, score));
        copy.finish()
    }
}
