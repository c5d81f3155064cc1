//! Members of a sorted set at random, each with the same chance: ZRANDMEMBER.

use fastrand::Rng;

use super::selection::{Selection, distinct, is_sparse};
use super::zset::Zset;
use crate::base::text::Text;

impl Zset {
    /// A member drawn at random, with its score.
    pub fn random(&self, random: &mut Rng) -> Option<(Text<'_>, f64)> {
        if self.is_empty() { None } else { self.at(random.usize(..self.len())) }
    }

    /// Calls `each` for so many different members; for all, in order, if there are no more.
    pub fn sample<'a>(&'a self, count: usize, random: &mut Rng, each: impl FnMut((Text<'a>, f64))) {
        let len = self.len();
        if is_sparse(count, len) {
            let ranks = distinct(count, || {
                let rank = random.usize(..len);
                (rank, rank)
            });
            return ranks.filter_map(|rank| self.at(rank)).for_each(each);
        }
        let mut selection = Selection::new(count, len);
        self.iter().filter(|_| selection.takes(random)).for_each(each);
    }

    fn at(&self, rank: usize) -> Option<(Text<'_>, f64)> {
        self.range(rank, rank + 1, false).next()
    }
}
