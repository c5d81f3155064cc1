//! What a small collection must be that comes whole from outside: distinct, and short enough to stay small.

use smallvec::{SmallVec, smallvec};

use crate::base::listpack;
use crate::base::text::Text;

/// An element is there twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repeated;

/// Whether no two of the elements are equal, looking at every `1 + skip`th. All must be canonical, so that equal ones have
/// equal bytes; there are at most so many.
///
/// A table of their places on the stack, if they are few: what comes from outside is hashed with our secret, so that nobody
/// can make it slow.
pub(super) fn are_distinct(bytes: &[u8], count: usize, skip: usize) -> bool {
    let room = (2 * count).next_power_of_two();
    // Offsets, plus one so that zero is no place.
    let mut places: SmallVec<[u32; 256]> = smallvec![0; room];
    let mut at = 0;
    while at < bytes.len() {
        let end = listpack::next(bytes, at);
        let element = &bytes[at..end];
        let mut slot = super::hash(element) as usize & (room - 1);
        while places[slot] != 0 {
            if bytes[places[slot] as usize - 1..].starts_with(element) {
                return false;
            }
            slot = (slot + 1) & (room - 1);
        }
        places[slot] = at as u32 + 1;
        at = (0..skip).fold(end, |at, _| if at < bytes.len() { listpack::next(bytes, at) } else { at });
    }
    true
}

/// The elements.
pub(super) fn texts(bytes: &[u8]) -> impl Iterator<Item = Text<'_>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let here = at;
        (here < bytes.len()).then(|| {
            at = listpack::next(bytes, here);
            listpack::decode(bytes, here)
        })
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::keyspace::Packed;

    proptest! {
        #[test]
        fn what_is_there_twice_is_found(
            elements in proptest::collection::vec(proptest::collection::vec(97..100u8, 0..4), 0..40),
            numbers in proptest::collection::vec(0..200i64, 0..10),
        ) {
            let mut packed = Packed::new();
            elements.iter().for_each(|element| packed.push_back([Text::of(element)]));
            numbers.iter().for_each(|number| packed.push_back([Text::Int(*number)]));
            let all: Vec<Vec<u8>> = packed.iter().map(Text::to_vec).collect();
            for skip in [0, 1] {
                let looked_at: Vec<_> = all.iter().step_by(1 + skip).collect();
                let is_distinct = looked_at.iter().collect::<BTreeSet<_>>().len() == looked_at.len();
                prop_assert_eq!(are_distinct(packed.bytes(), looked_at.len(), skip), is_distinct);
            }
        }
    }
}
