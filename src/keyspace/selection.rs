//! Choosing among many at random: what sets, hashes and sorted sets have in common. Every choice of several different
//! ones has the same chance.

use std::collections::HashSet;
use std::hash::Hash;

use fastrand::Rng;

/// Of a collection at least so many times as large as what is wanted of it, elements are drawn one by one, and drawn again
/// if they were drawn before; of any other all are walked over.
const SPARSE: usize = 3;

/// Whether so few of `len` are wanted that they should be [drawn](distinct).
pub(super) fn is_sparse(wanted: usize, len: usize) -> bool {
    wanted <= len / SPARSE
}

/// What `draw` gives, with what tells it apart, until so many different ones were drawn.
pub(super) fn distinct<I: Hash + Eq, T>(count: usize, mut draw: impl FnMut() -> (I, T)) -> impl Iterator<Item = T> {
    let mut drawn = HashSet::with_capacity(count);
    std::iter::from_fn(move || {
        while drawn.len() < count {
            let (identity, item) = draw();
            if drawn.insert(identity) {
                return Some(item);
            }
        }
        None
    })
}

/// Decides, one by one, which of `left` things are among `wanted` that are chosen (Knuth's algorithm S).
pub(super) struct Selection {
    left: usize,
    wanted: usize,
}

impl Selection {
    /// Of so many things, all of which will be asked about.
    pub(super) fn new(wanted: usize, left: usize) -> Self {
        Self { left, wanted: wanted.min(left) }
    }

    pub(super) fn takes(&mut self, random: &mut Rng) -> bool {
        let taken = random.usize(..self.left) < self.wanted;
        self.left -= 1;
        self.wanted -= usize::from(taken);
        taken
    }
}
