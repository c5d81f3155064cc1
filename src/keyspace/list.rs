//! Lists: one listpack while they are small, a [`Quicklist`] otherwise.
//!
//! The thresholds and conversions are those of Redis 7.2, for OBJECT ENCODING shows them: a list becomes large when the
//! listpack would exceed `list-max-listpack-size`, and small again when one node of at most half of that is left. The
//! commands on lists call it.

use std::collections::VecDeque;
use std::ops::ControlFlow;

use super::collection::Collection;
use super::compact::{Compact, Form, FormMut};
use super::digest;
use super::kind::Encoding;
use super::list_node::{Fill, Node, at, framed};
use super::packed::Packed;
use super::quicklist::{self, Quicklist};
use super::redis_digest::RedisDigest;
use super::serialized;
use crate::base::listpack;
use crate::base::text::Text;

/// The settings that decide how a list is represented.
#[derive(Clone, Copy, Debug)]
pub struct ListLimits {
    /// `list-max-listpack-size`.
    pub listpack_size: i32,
    /// DEBUG QUICKLIST-PACKED-THRESHOLD: from which size an element has a node of its own; 0 if the node's limits say so.
    pub plain_from: usize,
}

/// An end of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The first element.
    Left,
    /// The last one.
    Right,
}

/// What lies together in a list.
#[derive(Clone, Copy)]
pub enum Piece<'a> {
    /// Elements in a row.
    Packed(&'a Packed),
    /// One large element.
    Large(&'a [u8]),
}

/// A list.
#[derive(Clone)]
pub struct List(Compact<Quicklist>);

impl Default for List {
    fn default() -> Self {
        Self::new()
    }
}

impl List {
    /// No elements.
    pub fn new() -> Self {
        Self(Packed::new().into())
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        match self.0.form() {
            Form::Large(quicklist) => quicklist.len(),
            Form::Packed(packed) => packed.len(),
            Form::Intset(_) => unreachable!("{NO_INTSET}"),
        }
    }

    /// The nodes in order; a small list is one.
    pub fn pieces(&self) -> impl ExactSizeIterator<Item = Piece<'_>> {
        let (small, large) = match self.0.form() {
            Form::Packed(packed) => (Some(packed), None),
            Form::Large(quicklist) => (None, Some(quicklist.nodes())),
            Form::Intset(_) => unreachable!("{NO_INTSET}"),
        };
        (0..large.map_or(1, VecDeque::len)).map(move |index| match (small, large.map(|nodes| &nodes[index])) {
            (Some(packed), _) | (None, Some(Node::Packed(packed, _))) => Piece::Packed(packed),
            (None, Some(Node::Plain(blob))) => Piece::Large(blob.bytes()),
            (None, None) => unreachable!("it is one or the other"),
        })
    }

    /// Whether it is small.
    pub fn is_small(&self) -> bool {
        matches!(self.0.form(), Form::Packed(_))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Prepares for `count` elements of `bytes` bytes that are about to be added.
    pub fn expect(&mut self, bytes: usize, count: usize, limits: &ListLimits) {
        if let FormMut::Packed(packed) = self.0.form_mut() {
            let fill = Fill::of(limits.listpack_size);
            if fill.is_exceeded(framed(packed).saturating_add(bytes), packed.len().saturating_add(count)) {
                let packed = std::mem::take(packed);
                self.0 = Compact::large(Quicklist::new(packed, limits.listpack_size));
            }
        }
    }

    /// Adds elements as [`Packed::bytes`] shows them to the right end, in one piece; `false`, and nothing is done, if it does
    /// not go in one: then they have to be pushed one by one. Only a large list is made larger, for which
    /// [`List::expect`] is not asked.
    pub fn adopt(&mut self, elements: &[u8], count: usize, limits: &ListLimits) -> bool {
        let fill = Fill::of(limits.listpack_size);
        let bytes = elements.len() + listpack::FRAME;
        if count == 0 || limits.plain_from != 0 || fill.is_exceeded(bytes, count) {
            return false;
        }
        match self.0.form_mut() {
            FormMut::Packed(packed) if packed.is_empty() => self.0 = Packed::of_bytes(elements, count).into(),
            FormMut::Packed(packed) => {
                if fill.is_exceeded(packed.bytes().len() + bytes, packed.len() + count) {
                    return false;
                }
                packed.append_bytes(elements, count);
            }
            FormMut::Large(quicklist) => return quicklist.adopt(elements, count),
            FormMut::Intset(_) => unreachable!("{NO_INTSET}"),
        }
        true
    }

    /// Becomes small again if few elements are left.
    pub fn shrink(&mut self, limits: &ListLimits) {
        if let FormMut::Large(quicklist) = self.0.form_mut()
            && let Some(packed) = quicklist.take_if_small(Fill::of(limits.listpack_size))
        {
            self.0 = packed.into();
        }
    }

    /// Adds an element, for which [`List::expect`] has prepared.
    pub fn push(&mut self, end: End, element: &[u8], limits: &ListLimits) {
        let element = Text::of(element);
        match (self.0.form_mut(), end) {
            (FormMut::Packed(packed), End::Left) => packed.push_front([element]),
            (FormMut::Packed(packed), End::Right) => packed.push_back([element]),
            (FormMut::Large(quicklist), end) => quicklist.push(end, element, limits.plain_from),
            (FormMut::Intset(_), _) => unreachable!("{NO_INTSET}"),
        }
    }

    /// The element with this number, which counts from the end if negative.
    pub fn get(&self, index: i64) -> Option<Text<'_>> {
        let index = self.index(index)?;
        Some(match self.0.form() {
            Form::Large(quicklist) => quicklist.get(index),
            Form::Packed(packed) => packed.get(at(packed, index)),
            Form::Intset(_) => unreachable!("{NO_INTSET}"),
        })
    }

    /// The number of an element that is there, counted from the start.
    fn index(&self, index: i64) -> Option<usize> {
        let len = self.len() as i64;
        let index = if index < 0 { index.checked_add(len)? } else { index };
        (0..len).contains(&index).then_some(index as usize)
    }

    /// The first or the last element.
    pub fn at_end(&self, end: End) -> Option<Text<'_>> {
        self.get(if end == End::Left { 0 } else { -1 })
    }

    /// Shows the elements from one on, towards the given end, until told to stop.
    pub fn walk<'a>(&'a self, from: usize, towards: End, mut show: impl FnMut(Text<'a>) -> ControlFlow<()>) {
        if from >= self.len() {
            return;
        }
        _ = match (self.0.form(), towards) {
            (Form::Packed(packed), End::Right) => packed.iter_from(at(packed, from)).try_for_each(show),
            (Form::Packed(packed), End::Left) => packed.iter_to(at(packed, from)).rev().try_for_each(show),
            (Form::Large(quicklist), End::Right) => quicklist.walk(from, &mut show),
            (Form::Large(quicklist), End::Left) => quicklist.walk_back(from, &mut show),
            (Form::Intset(_), _) => unreachable!("{NO_INTSET}"),
        };
    }

    /// Shows up to `count` elements from one on, towards the given end.
    pub fn show<'a>(&'a self, from: usize, count: usize, towards: End, mut show: impl FnMut(Text<'a>)) {
        let mut left = count;
        if left > 0 {
            self.walk(from, towards, |element| {
                show(element);
                left -= 1;
                if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            });
        }
    }

    /// Takes out elements from one on.
    pub fn remove_range(&mut self, from: usize, count: usize) {
        match self.0.form_mut() {
            FormMut::Large(quicklist) => quicklist.remove_range(from, count),
            FormMut::Packed(packed) => {
                if let Some(at) = packed.nth(from as i64) {
                    packed.remove(at, count);
                }
            }
            FormMut::Intset(_) => unreachable!("{NO_INTSET}"),
        }
    }

    /// Takes out elements at an end.
    pub fn remove_at_end(&mut self, end: End, count: usize) {
        let count = count.min(self.len());
        self.remove_range(if end == End::Left { 0 } else { self.len() - count }, count);
    }

    /// Takes out up to `most` elements that equal this one, from an end on; answers how many.
    pub fn remove_equal(&mut self, element: &[u8], most: usize, from: End) -> usize {
        let element = Text::of(element);
        match self.0.form_mut() {
            FormMut::Large(quicklist) => quicklist.remove_equal(element, most, from),
            FormMut::Packed(packed) => quicklist::remove_equal(packed, element, most, from),
            FormMut::Intset(_) => unreachable!("{NO_INTSET}"),
        }
    }

    /// Puts an element in place of the one with this number; whether there is one.
    pub fn replace(&mut self, index: i64, element: &[u8], limits: &ListLimits) -> bool {
        let Some(index) = self.index(index) else { return false };
        let element = Text::of(element);
        match self.0.form_mut() {
            FormMut::Large(quicklist) => quicklist.replace(index, element, limits.plain_from),
            FormMut::Packed(packed) => packed.replace(at(packed, index), element),
            FormMut::Intset(_) => unreachable!("{NO_INTSET}"),
        }
        true
    }

    /// Puts an element before, or behind, the first one that equals `pivot`; whether there is one.
    pub fn insert(&mut self, pivot: &[u8], behind: bool, element: &[u8], limits: &ListLimits) -> bool {
        let (pivot, element) = (Text::of(pivot), Text::of(element));
        match self.0.form_mut() {
            FormMut::Packed(packed) => {
                let Some(at) = packed.find(packed.first(), pivot, 0) else { return false };
                if behind {
                    packed.insert_after(at, [element]);
                } else {
                    packed.insert_before(at, [element]);
                }
            }
            FormMut::Large(quicklist) => {
                let mut index = 0;
                let searched = quicklist.walk(0, |element| {
                    if element == pivot {
                        return ControlFlow::Break(());
                    }
                    index += 1;
                    ControlFlow::Continue(())
                });
                if searched.is_continue() {
                    return false;
                }
                quicklist.insert(index, element, behind, limits.plain_from);
            }
            FormMut::Intset(_) => unreachable!("{NO_INTSET}"),
        }
        true
    }

    /// The nodes of a large list as DEBUG OBJECT shows them: their number, their setting, and their size.
    pub fn nodes(&self) -> Option<(usize, i16, usize)> {
        match self.0.form() {
            Form::Large(list) => Some((list.nodes().len(), list.setting(), list.nodes().iter().map(Node::size).sum())),
            _ => None,
        }
    }
}

const NO_INTSET: &str = "a list is never an intset";

impl Collection for List {
    fn encoding(&self) -> Encoding {
        match self.0.form() {
            Form::Large(_) => Encoding::Quicklist,
            _ => Encoding::Listpack,
        }
    }

    fn heap_bytes(&self, samples: usize) -> usize {
        match self.0.form() {
            Form::Large(quicklist) => {
                let nodes = quicklist.nodes();
                let looked_at = if samples == 0 { nodes.len() } else { samples.min(nodes.len()) };
                let elements: usize = nodes.iter().take(looked_at).map(Node::heap_bytes).sum();
                let elements = (elements * nodes.len()).checked_div(looked_at).unwrap_or(0);
                size_of::<Quicklist>() + nodes.capacity() * size_of::<Node>() + elements
            }
            Form::Packed(packed) => packed.heap_bytes(),
            Form::Intset(_) => unreachable!("{NO_INTSET}"),
        }
    }

    fn free_effort(&self) -> usize {
        match self.0.form() {
            Form::Large(quicklist) => quicklist.nodes().len(),
            _ => 1,
        }
    }

    fn digest(&self) -> u128 {
        let mut buffer = itoa::Buffer::new();
        let mut digest = 0u128;
        self.show(0, usize::MAX, End::Right, |element| {
            digest = digest::of_parts(&[&digest.to_le_bytes(), element.as_bytes(&mut buffer)]);
        });
        digest
    }

    fn redis_digest(&self, digest: &mut RedisDigest) {
        let mut buffer = itoa::Buffer::new();
        self.show(0, usize::MAX, End::Right, |element| digest.mix(element.as_bytes(&mut buffer)));
    }

    fn serialized_len(&self) -> usize {
        /// Says whether a node is plain.
        const CONTAINER: usize = 1;
        let node = |size| CONTAINER + serialized::blob(size);
        match self.0.form() {
            Form::Large(quicklist) => {
                let nodes = quicklist.nodes();
                serialized::length(nodes.len()) + nodes.iter().map(|each| node(each.size())).sum::<usize>()
            }
            // A small one is written as one node.
            Form::Packed(packed) => serialized::length(1) + node(framed(packed)),
            Form::Intset(_) => unreachable!("{NO_INTSET}"),
        }
    }
}

#[cfg(test)]
#[path = "list_tests.rs"]
mod tests;
