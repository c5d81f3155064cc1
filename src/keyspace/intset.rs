//! A set of integers in one allocation: Redis' intset (see `base/intset.rs`).

use super::thin::Thin;
use crate::base::intset::{self, Width};

/// Integers in order.
#[derive(Clone)]
#[repr(transparent)]
pub struct Intset(Thin<{ Self::TAG }>);

impl Default for Intset {
    fn default() -> Self {
        Self::new()
    }
}

impl Intset {
    pub(super) const TAG: usize = 1;

    /// No integers.
    pub fn new() -> Self {
        Self(Thin::new(Width::Two as u32))
    }

    /// Integers as [`Intset::contents`] shows them, in order.
    pub(super) fn of_contents(width: Width, contents: &[u8]) -> Self {
        Self(Thin::of(contents, width as u32))
    }

    /// The width of each.
    pub fn width(&self) -> Width {
        Width::of_bytes(self.0.word()).expect("the word is a width")
    }

    /// The integers, as an intset contains them behind its header.
    pub fn contents(&self) -> &[u8] {
        self.0.bytes()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len() / self.0.word() as usize
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.len() == 0
    }

    /// Bytes that they take in memory.
    pub fn heap_bytes(&self) -> usize {
        self.0.heap_bytes()
    }

    /// The integer at an index, which must be below the length.
    pub fn get(&self, index: usize) -> i64 {
        intset::get(self.contents(), self.width(), index)
    }

    /// Whether an integer is there.
    pub fn contains(&self, value: i64) -> bool {
        intset::search(self.contents(), self.width(), value).is_ok()
    }

    /// Adds an integer; whether it was not there.
    pub fn insert(&mut self, value: i64) -> bool {
        let (width, needed) = (self.width(), Width::of(value));
        let Err(index) = intset::search(self.contents(), width, value) else { return false };
        let (count, end) = (self.len(), self.0.len());
        if needed > width {
            self.0.splice(end, 0, (count + 1) * needed.bytes() - end);
            self.0.set_word(needed as u32);
            intset::widen(self.0.bytes_mut(), count, width, needed, value < 0);
        } else {
            self.0.splice(index * width.bytes(), 0, width.bytes());
        }
        intset::put(self.0.bytes_mut(), needed.max(width), index, value);
        true
    }

    /// Takes an integer out; whether it was there.
    pub fn remove(&mut self, value: i64) -> bool {
        let width = self.width();
        let Ok(index) = intset::search(self.contents(), width, value) else { return false };
        self.0.splice(index * width.bytes(), width.bytes(), 0);
        true
    }

    /// Keeps the integers for which `keep` holds.
    pub fn retain(&mut self, mut keep: impl FnMut(i64) -> bool) {
        let (width, count) = (self.width(), self.len());
        let mut kept = 0;
        for index in 0..count {
            let value = self.get(index);
            if keep(value) {
                intset::put(self.0.bytes_mut(), width, kept, value);
                kept += 1;
            }
        }
        self.0.splice(kept * width.bytes(), (count - kept) * width.bytes(), 0);
    }

    /// The index of the first integer that is not below a value, looked for from `from` on: integers asked for in
    /// order are each found in logarithmic time of the distance to the one before.
    pub fn seek(&self, from: usize, value: i64) -> usize {
        let count = self.len();
        let (mut low, mut step) = (from, 1);
        while low + step <= count && self.get(low + step - 1) < value {
            low += step;
            step *= 2;
        }
        let mut high = count.min(low + step - 1);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.get(middle) < value {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    /// All integers, in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = i64> + Clone + '_ {
        let (contents, width) = (self.contents(), self.width());
        (0..self.len()).map(move |index| intset::get(contents, width, index))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn value() -> impl Strategy<Value = i64> {
        prop_oneof![
            5 => -20..20i64,
            2 => any::<i16>().prop_map(i64::from),
            1 => any::<i32>().prop_map(i64::from),
            1 => any::<i64>(),
            1 => proptest::sample::select(vec![-32769, -32768, 32767, 32768, i64::MIN, i64::MAX, 1 << 31, -1 << 31]),
        ]
    }

    proptest! {
        #[test]
        fn it_behaves_like_a_sorted_set(steps in proptest::collection::vec((any::<bool>(), value()), 0..80)) {
            let (mut set, mut model) = (Intset::new(), BTreeSet::new());
            let mut width = Width::Two;
            for (insert, value) in steps {
                prop_assert_eq!(set.contains(value), model.contains(&value));
                if insert {
                    width = width.max(Width::of(value));
                    prop_assert_eq!(set.insert(value), model.insert(value));
                } else {
                    prop_assert_eq!(set.remove(value), model.remove(&value));
                }
                prop_assert!(set.iter().eq(model.iter().copied()));
                prop_assert_eq!((set.len(), set.width()), (model.len(), width));
            }
        }

        #[test]
        fn seeking_and_retaining_do_what_a_walk_does(
            values in proptest::collection::btree_set(value(), 0..80),
            from in 0..80usize,
            wanted in value(),
        ) {
            let mut set = Intset::new();
            values.iter().for_each(|value| _ = set.insert(*value));
            let from = from.min(values.len());
            let expected = values.iter().skip(from).position(|value| *value >= wanted);
            prop_assert_eq!(set.seek(from, wanted), expected.map_or(values.len(), |steps| from + steps));
            let width = set.width();
            set.retain(|value| value % 3 == 0);
            prop_assert!(set.iter().eq(values.into_iter().filter(|value| value % 3 == 0)));
            prop_assert_eq!(set.width(), width);
        }
    }
}
