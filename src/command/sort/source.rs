//! Where SORT gets its elements from: what each type that can be sorted has to answer.

use std::ops::Range;

use crate::base::texts::Texts;
use crate::keyspace::{Set, Value};

/// A value that can be sorted.
pub(super) enum Source<'a> {
    Set(&'a Set),
}

impl<'a> Source<'a> {
    /// The value, if it is of a type that can be sorted.
    pub(super) fn of(value: Value<'a>) -> Option<Self> {
        match value {
            Value::Set(set) => Some(Self::Set(set)),
            Value::String(_) => None,
        }
    }

    /// Number of elements.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Set(set) => set.len(),
        }
    }

    /// Whether the elements have an order of their own, which BY without a pattern keeps.
    pub(super) fn has_order(&self) -> bool {
        match self {
            Self::Set(_) => false,
        }
    }

    /// Adds all elements to `elements`.
    pub(super) fn gather(&self, elements: &mut Texts) {
        let mut buffer = itoa::Buffer::new();
        match self {
            Self::Set(set) => set.iter().for_each(|member| _ = elements.push(member.as_bytes(&mut buffer))),
        }
    }

    /// Adds the elements of a range of their own order, or of its reverse, which must not cost more than they and finding
    /// the first one.
    pub(super) fn gather_part(&self, range: Range<usize>, is_reversed: bool, elements: &mut Texts) {
        match self {
            Self::Set(_) => {
                unreachable!("{range:?} of a set, which has no order to reverse ({is_reversed}): {}", elements.len())
            }
        }
    }
}
