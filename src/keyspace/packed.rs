//! A small collection in one allocation: Redis' listpack, of which only the elements are kept (see `base/listpack.rs`).
//!
//! Hashes, sorted sets, sets, lists' nodes and streams' nodes begin so. An element's place is an [`At`], good until the next
//! change; the methods that change something answer the place at which one goes on. What always holds: all elements are
//! canonical, so that finding one is comparing bytes.
//!
//! A family asks [`Packed::has_room`] before it adds, and turns into its large form when there is none.

use super::thin::Thin;
use crate::base::listpack::{self, Encoded};
pub use crate::base::text::Text;

/// The most bytes of elements, as in Redis: beyond, no setting keeps a collection small.
const LIMIT: usize = 1 << 30;

/// The most that an element takes besides its own bytes.
const OVERHEAD: usize = 10;

/// Elements, one behind the other.
#[derive(Clone)]
#[repr(transparent)]
pub struct Packed(Thin<{ Self::TAG }>);

/// The place of an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct At(u32);

impl At {
    /// The place of the element that begins at this offset.
    pub(super) fn new(offset: usize) -> Self {
        Self(offset as u32)
    }

    fn offset(self) -> usize {
        self.0 as usize
    }
}

impl Default for Packed {
    fn default() -> Self {
        Self::new()
    }
}

impl Packed {
    pub(super) const TAG: usize = 0;

    /// No elements.
    pub fn new() -> Self {
        Self(Thin::new(0))
    }

    /// Elements as [`Packed::bytes`] shows them: so many, all canonical.
    pub fn of_bytes(elements: &[u8], count: usize) -> Self {
        Self(Thin::of(elements, count as u32))
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        self.0.word() as usize
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The elements, as a listpack contains them between its header and its end.
    pub fn bytes(&self) -> &[u8] {
        self.0.bytes()
    }

    /// Bytes that they take in memory.
    pub fn heap_bytes(&self) -> usize {
        self.0.heap_bytes()
    }

    /// Whether so many more elements, of so many bytes together, are allowed.
    pub fn has_room(&self, elements: usize, bytes: usize) -> bool {
        elements.saturating_mul(OVERHEAD).saturating_add(bytes) <= LIMIT.saturating_sub(self.0.len())
    }

    /// The same for those of a collection of their own.
    pub fn may_hold(elements: usize, bytes: usize) -> bool {
        elements.saturating_mul(OVERHEAD).saturating_add(bytes) <= LIMIT
    }

    /// Whether elements that take so many bytes are no more than one may hold.
    pub(super) fn may_be(bytes: usize) -> bool {
        bytes <= LIMIT
    }

    /// The element at a place.
    #[inline]
    pub fn get(&self, at: At) -> Text<'_> {
        listpack::decode(self.bytes(), at.offset())
    }

    fn there(&self, offset: usize) -> Option<At> {
        (offset < self.0.len()).then(|| At::new(offset))
    }

    /// The place of the first element.
    pub fn first(&self) -> Option<At> {
        self.there(0)
    }

    /// The place of the last element.
    pub fn last(&self) -> Option<At> {
        (!self.is_empty()).then(|| At::new(listpack::previous(self.bytes(), self.0.len())))
    }

    /// The place behind this one.
    #[inline]
    pub fn next(&self, at: At) -> Option<At> {
        self.there(listpack::next(self.bytes(), at.offset()))
    }

    /// The place before this one.
    pub fn previous(&self, at: At) -> Option<At> {
        (at.0 > 0).then(|| At::new(listpack::previous(self.bytes(), at.offset())))
    }

    /// The place of the element with this number, which counts from the end if negative (-1 is the last).
    pub fn nth(&self, index: i64) -> Option<At> {
        let len = self.len() as i64;
        let index = if index < 0 { index.checked_add(len).filter(|index| *index >= 0)? } else { index };
        if index >= len {
            return None;
        }
        let bytes = self.bytes();
        Some(At::new(if index <= len / 2 {
            (0..index).fold(0, |at, _| listpack::next(bytes, at))
        } else {
            (index..len).fold(bytes.len(), |at, _| listpack::previous(bytes, at))
        }))
    }

    /// The first element from a place on that equals `wanted`, looking at every `1 + skip`th.
    pub fn find<'t>(&self, from: Option<At>, wanted: impl Into<Text<'t>>, skip: usize) -> Option<At> {
        let wanted = listpack::encode(wanted.into());
        listpack::find(self.bytes(), from?.offset(), &wanted, skip).map(At::new)
    }

    /// All elements, in either direction.
    pub fn iter(&self) -> Iter<'_> {
        Iter { bytes: self.bytes(), front: 0, back: self.0.len() }
    }

    /// The elements from a place on.
    pub fn iter_from(&self, at: At) -> Iter<'_> {
        Iter { front: at.offset(), ..self.iter() }
    }

    /// The elements up to a place, the one there included.
    pub fn iter_to(&self, at: At) -> Iter<'_> {
        Iter { back: listpack::next(self.bytes(), at.offset()), ..self.iter() }
    }

    /// Adds elements to the end.
    pub fn push_back<const N: usize>(&mut self, elements: [Text<'_>; N]) {
        self.splice(self.0.len(), 0, 0, elements);
    }

    /// Adds any number of elements to the end.
    pub fn extend<'t>(&mut self, elements: impl Iterator<Item = Text<'t>> + Clone) {
        let sizes = elements.clone().map(|element| listpack::encode(element).size());
        let (count, size) = sizes.fold((0, 0), |(count, sum), size| (count + 1, sum + size));
        let mut rest = self.0.splice(self.0.len(), 0, size);
        for element in elements {
            rest = listpack::encode(element).write(rest);
        }
        self.0.set_word(self.0.word() + count);
    }

    /// Adds elements to the beginning; the first one becomes the first.
    pub fn push_front<const N: usize>(&mut self, elements: [Text<'_>; N]) {
        self.splice(0, 0, 0, elements);
    }

    /// Puts elements before the one at a place; answers the place of the first of them.
    pub fn insert_before<const N: usize>(&mut self, at: At, elements: [Text<'_>; N]) -> At {
        self.splice(at.offset(), 0, 0, elements);
        at
    }

    /// Puts elements behind the one at a place; answers the place of the first of them.
    pub fn insert_after<const N: usize>(&mut self, at: At, elements: [Text<'_>; N]) -> At {
        let behind = listpack::next(self.bytes(), at.offset());
        self.splice(behind, 0, 0, elements);
        At::new(behind)
    }

    /// Puts an element in place of the one at a place, which stays where it is.
    pub fn replace(&mut self, at: At, element: Text<'_>) {
        let encoded = listpack::encode(element);
        let size = listpack::next(self.bytes(), at.offset()) - at.offset();
        if encoded.size() == size {
            encoded.write(&mut self.0.bytes_mut()[at.offset()..]);
        } else {
            encoded.write(self.0.splice(at.offset(), size, encoded.size()));
        }
    }

    /// Removes up to `count` elements from a place on; answers where the one behind them is now.
    pub fn remove(&mut self, at: At, count: usize) -> Option<At> {
        let (bytes, mut end, mut removed) = (self.bytes(), at.offset(), 0);
        while removed < count && end < bytes.len() {
            end = listpack::next(bytes, end);
            removed += 1;
        }
        self.splice(at.offset(), end - at.offset(), removed, []);
        self.there(at.offset())
    }

    /// Takes all elements from a place on away into a collection of their own.
    pub fn split_off(&mut self, at: At) -> Self {
        let mut other = Self::new();
        let tail = &self.bytes()[at.offset()..];
        other.0.splice(0, 0, tail.len()).copy_from_slice(tail);
        let count = other.iter().count();
        other.0.set_word(count as u32);
        self.splice(at.offset(), self.0.len() - at.offset(), count, []);
        other
    }

    /// Adds all elements of another collection to the end.
    pub fn append(&mut self, other: &Self) {
        self.append_bytes(other.bytes(), other.len());
    }

    /// The same for elements as [`Packed::bytes`] shows them.
    pub(super) fn append_bytes(&mut self, elements: &[u8], count: usize) {
        self.0.splice(self.0.len(), 0, elements.len()).copy_from_slice(elements);
        self.0.set_word(self.0.word() + count as u32);
    }

    /// Puts elements in place of `bytes` bytes at an offset, which are `count` elements.
    #[inline]
    fn splice<const N: usize>(&mut self, offset: usize, bytes: usize, count: usize, elements: [Text<'_>; N]) {
        let encoded: [Encoded<'_>; N] = elements.map(listpack::encode);
        let size = encoded.iter().map(Encoded::size).sum();
        let mut rest = self.0.splice(offset, bytes, size);
        for element in &encoded {
            rest = element.write(rest);
        }
        self.0.set_word(self.0.word() - count as u32 + N as u32);
    }
}

/// Elements in both directions.
#[derive(Clone)]
pub struct Iter<'a> {
    bytes: &'a [u8],
    front: usize,
    back: usize,
}

impl<'a> Iterator for Iter<'a> {
    type Item = Text<'a>;

    #[inline]
    fn next(&mut self) -> Option<Text<'a>> {
        if self.front >= self.back {
            return None;
        }
        let element = listpack::decode(self.bytes, self.front);
        self.front = listpack::next(self.bytes, self.front);
        Some(element)
    }
}

impl DoubleEndedIterator for Iter<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        if self.front >= self.back {
            return None;
        }
        self.back = listpack::previous(self.bytes, self.back);
        Some(listpack::decode(self.bytes, self.back))
    }
}

#[cfg(test)]
#[path = "packed_tests.rs"]
mod tests;
