//! A large sorted set: a hash table that owns the members, for finding scores, and a counted B+ tree over them
//! (`order.rs`), for ranks and ranges.
//!
//! What always holds: both have the same members, and a member's score in its allocation is that beside its handle.
//! MEASUREMENT
use super::order::{Item, Order};
use super::scored::Scored;
use super::table::Table;

/// See the module.
pub struct Ranked {
    // Dropped first: its handles must not outlive the members.
    order: Order,
    table: Table<Scored>,
}

// SAFETY: it owns all members to which there are handles, so both go to the other thread.
unsafe impl Send for Ranked {}

impl Ranked {
    /// No members.
    pub(super) fn new() -> Self {
        Self { order: Order::new(), table: Table::new() }
    }

    /// Number of members.
    pub fn len(&self) -> usize {
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
        size_of::<Order>() + self.order.heap_bytes() + self.table.heap_bytes(samples, Scored::heap_bytes)
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

impl Clone for Ranked {
    fn clone(&self) -> Self {
        let mut copy = Self::new();
        self.range(0, self.len(), false).for_each(|(member, score)| copy.insert(member, score));
        copy
    }
}
