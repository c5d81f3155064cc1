//! Where SORT gets its elements from: what each type that can be sorted has to answer.

use std::ops::Range;

use crate::base::texts::Texts;
use crate::keyspace::{End, List, Set, Value, Zset};

/// A value that can be sorted.
pub(super) enum Source<'a> {
    List(&'a List),
    Set(&'a Set),
    Zset(&'a Zset),
}

impl<'a> Source<'a> {
    /// The value, if it is of a type that can be sorted.
    pub(super) fn of(value: Value<'a>) -> Option<Self> {
        match value {
            Value::List(list) => Some(Self::List(list)),
            Value::Set(set) => Some(Self::Set(set)),
            Value::Zset(zset) => Some(Self::Zset(zset)),
            _ => None,
        }
    }

    /// Number of elements.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::List(list) => list.len(),
            Self::Set(set) => set.len(),
            Self::Zset(zset) => zset.len(),
        }
    }

    /// Whether the elements have an order of their own, which BY without a pattern keeps.
    pub(super) fn has_order(&self) -> bool {
        !matches!(self, Self::Set(_))
    }

    /// Adds all elements to `elements`.
    pub(super) fn gather(&self, elements: &mut Texts) {
        match self {
            Self::Set(set) => {
                let mut buffer = itoa::Buffer::new();
                set.iter().for_each(|member| _ = elements.push(member.as_bytes(&mut buffer)));
            }
            Self::List(_) | Self::Zset(_) => self.gather_part(0..self.len(), false, elements),
        }
    }

    /// Adds the elements of a range of their own order, or of its reverse, which must not cost more than they and finding
    /// the first one.
    pub(super) fn gather_part(&self, range: Range<usize>, is_reversed: bool, elements: &mut Texts) {
        let mut buffer = itoa::Buffer::new();
        let len = self.len();
        match self {
            Self::List(list) => {
                let (from, towards) = if is_reversed {
                    (len.saturating_sub(1 + range.start), End::Left)
                } else {
                    (range.start, End::Right)
                };
                list.show(from, range.len(), towards, |element| _ = elements.push(element.as_bytes(&mut buffer)));
            }
            Self::Zset(zset) => {
                let ranks = if is_reversed { len - range.end..len - range.start } else { range };
                let members = zset.range(ranks.start, ranks.end, is_reversed);
                members.for_each(|(member, _)| _ = elements.push(member.as_bytes(&mut buffer)));
            }
            Self::Set(_) => unreachable!("a set has no order"),
        }
    }
}
