//! Times in order, each with the hash of what expires then: so the next thing to expire is found without a search.
//!
//! A hash table with expiring fields keeps one for its fields, and [`Db`](super::Db) one for the keys of hashes with
//! expiring fields. It refers to things by their hash, so nothing in it has to change when they move in memory. What
//! always holds: it has exactly one element for each thing that expires; things with the same hash and time, which are
//! hardly ever met, are numbered.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::ops::Bound::{Excluded, Included};

/// The latest time at which a field may expire, as in Redis; two bits fewer than there is room for.
pub const LATEST_MS: i64 = (1 << 46) - 1;

const NUMBER_BITS: u32 = 16;
const HASH_BITS: u32 = 64;

/// See the module.
#[derive(Clone, Default)]
pub(super) struct Deadlines {
    times: BTreeSet<u128>,
    /// How many are due up to a time: what [`Deadlines::due`] counted last, so that it counts each only once.
    due: Cell<(i64, usize)>,
}

/// The time, the hash, and the number among those that are equal in both.
fn element(at_ms: i64, hash: u64, number: u16) -> u128 {
    let time = at_ms.clamp(0, LATEST_MS) as u128;
    time << (HASH_BITS + NUMBER_BITS) | u128::from(hash) << NUMBER_BITS | u128::from(number)
}

fn time(element: u128) -> i64 {
    (element >> (HASH_BITS + NUMBER_BITS)) as i64
}

impl Deadlines {
    /// Number of things.
    pub(super) fn len(&self) -> usize {
        self.times.len()
    }

    /// Bytes that it takes in memory, about: nodes of eleven elements are two thirds full.
    pub(super) fn heap_bytes(&self) -> usize {
        self.times.len() * size_of::<u128>() * 3 / 2
    }

    /// The earliest time, and the hash of what expires then.
    #[inline]
    pub(super) fn first(&self) -> Option<(i64, u64)> {
        self.times.first().map(|element| (time(*element), (element >> NUMBER_BITS) as u64))
    }

    /// The latest time.
    pub(super) fn last(&self) -> Option<i64> {
        self.times.last().copied().map(time)
    }

    /// Number of things that expire up to a time.
    pub(super) fn due(&self, now_ms: i64) -> usize {
        if now_ms < 0 {
            return 0;
        }
        let end = |at_ms: i64| element(at_ms, u64::MAX, u16::MAX);
        let (counted_ms, counted) = self.due.get();
        if now_ms < counted_ms {
            return self.times.range(..=end(now_ms)).count();
        }
        let count = counted + self.times.range((Excluded(end(counted_ms)), Included(end(now_ms)))).count();
        self.due.set((now_ms, count));
        count
    }

    /// Something that expired at `before` now expires at `after`; `None` stands for never.
    #[inline]
    pub(super) fn change(&mut self, hash: u64, before: Option<i64>, after: Option<i64>) {
        if before == after {
            return;
        }
        assert!(after.is_none_or(|at_ms| (0..=LATEST_MS).contains(&at_ms)), "commands and loaders check times");
        if let Some(at_ms) = before {
            let last = self.equal(at_ms, hash).next_back().copied();
            self.times.remove(&last.expect("everything that expires is in here"));
            self.count(at_ms, |due| due - 1);
        }
        if let Some(at_ms) = after {
            let number = self.equal(at_ms, hash).count();
            self.times.insert(element(at_ms, hash, number as u16));
            self.count(at_ms, |due| due + 1);
        }
    }

    /// Brings the count up to date with a time that came or went.
    fn count(&mut self, at_ms: i64, change: impl FnOnce(usize) -> usize) {
        let (counted_ms, due) = self.due.get_mut();
        if at_ms <= *counted_ms {
            *due = change(*due);
        }
    }

    fn equal(&self, at_ms: i64, hash: u64) -> impl DoubleEndedIterator<Item = &u128> {
        self.times.range(element(at_ms, hash, 0)..=element(at_ms, hash, u16::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn things_are_found_in_the_order_of_their_times() {
        let mut deadlines = Deadlines::default();
        for (hash, at_ms) in [(7, 300), (8, 100), (u64::MAX, 200), (0, 200)] {
            deadlines.change(hash, None, Some(at_ms));
        }
        assert_eq!((deadlines.first(), deadlines.last()), (Some((100, 8)), Some(300)));
        assert_eq!([-1, 99, 100, 200, i64::MAX].map(|now_ms| deadlines.due(now_ms)), [0, 0, 1, 3, 4]);
        deadlines.change(8, Some(100), Some(LATEST_MS));
        assert_eq!((deadlines.first(), deadlines.last()), (Some((200, 0)), Some(LATEST_MS)));
        deadlines.change(0, Some(200), None);
        assert_eq!((deadlines.first(), deadlines.len()), (Some((200, u64::MAX)), 3));
    }

    #[test]
    fn what_is_due_is_counted_right_whatever_comes_and_goes_and_whenever_one_asks() {
        let mut random = fastrand::Rng::with_seed(1);
        let (mut deadlines, mut model) = (Deadlines::default(), Vec::new());
        for _ in 0..5000 {
            let (hash, at_ms) = (random.u64(..3), random.i64(0..40));
            match random.u8(..4) {
                0 if !model.is_empty() => {
                    let (hash, before) = model.swap_remove(random.usize(..model.len()));
                    deadlines.change(hash, Some(before), None);
                }
                1 if !model.is_empty() => {
                    let index = random.usize(..model.len());
                    let (hash, before) = model[index];
                    model[index].1 = at_ms;
                    deadlines.change(hash, Some(before), Some(at_ms));
                }
                2 => {
                    model.push((hash, at_ms));
                    deadlines.change(hash, None, Some(at_ms));
                }
                _ => {}
            }
            let now_ms = random.i64(-1..42);
            assert_eq!(deadlines.due(now_ms), model.iter().filter(|(_, at_ms)| *at_ms <= now_ms).count());
        }
    }

    #[test]
    fn things_with_the_same_hash_and_time_are_told_apart() {
        let mut deadlines = Deadlines::default();
        (0..3).for_each(|_| deadlines.change(1, None, Some(100)));
        assert_eq!(deadlines.len(), 3);
        deadlines.change(1, Some(100), None);
        deadlines.change(1, None, Some(100));
        assert_eq!((deadlines.len(), deadlines.due(100)), (3, 3));
        (0..3).for_each(|_| deadlines.change(1, Some(100), None));
        assert_eq!(deadlines.len(), 0);
    }
}
