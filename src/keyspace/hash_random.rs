//! Fields of a hash at random, each with the same chance: HRANDFIELD.

use super::hash::Hash;
use super::selection::{Selection, distinct, is_sparse};
use crate::base::text::Text;

/// A field with its value.
type Pair<'a> = (Text<'a>, Text<'a>);

/// Draws among fields of which some have expired, before the living ones are gathered.
const DRAWS: usize = 64;

impl Hash {
    /// A field drawn at random.
    pub fn sample(&self, random: &mut fastrand::Rng, now_ms: i64) -> Option<Pair<'_>> {
        if !self.has_expired(now_ms) {
            return self.draw(random);
        }
        // Whatever is drawn of all, the living ones among it are drawn with the same chance each.
        let is_live = |(field, _): &Pair<'_>| self.get(field.as_bytes(&mut itoa::Buffer::new()), now_ms).is_some();
        let drawn = (0..DRAWS).filter_map(|_| self.draw(random)).find(is_live);
        drawn.or_else(|| random.choice(self.live(now_ms)))
    }

    /// Fields drawn at random without end, each time from all of them; none if there are none.
    pub fn draws<'a>(&'a self, random: &'a mut fastrand::Rng, now_ms: i64) -> impl Iterator<Item = Pair<'a>> {
        let draws_from_all = self.large().is_some() && !self.has_expired(now_ms);
        let live = if draws_from_all { Vec::new() } else { self.live(now_ms) };
        std::iter::from_fn(move || if draws_from_all { self.draw(random) } else { random.choice(&live).copied() })
    }

    /// Calls `each` for so many different fields drawn at random, or for all if there are no more.
    pub fn sample_distinct<'a>(
        &'a self,
        count: usize,
        random: &mut fastrand::Rng,
        now_ms: i64,
        mut each: impl FnMut(Text<'a>, Text<'a>),
    ) {
        if let Some(table) = self.large().filter(|_| !self.has_expired(now_ms) && is_sparse(count, self.len())) {
            let drawn = distinct(count, || {
                let field = table.fields.sample(random).expect("the hash is not empty");
                (std::ptr::from_ref(field), field.parts())
            });
            return drawn.for_each(|(field, value)| each(Text::Bytes(field), Text::Bytes(value)));
        }
        let mut selection = Selection::new(count, self.live_len(now_ms));
        self.for_each(now_ms, |field, value| {
            if selection.takes(random) {
                each(field, value);
            }
        });
    }

    fn live(&self, now_ms: i64) -> Vec<Pair<'_>> {
        let mut live = Vec::with_capacity(self.live_len(now_ms));
        self.for_each(now_ms, |field, value| live.push((field, value)));
        live
    }
}
