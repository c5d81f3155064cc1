//! A node of a [`Quicklist`](super::quicklist::Quicklist): elements in a row, or one that is too large to stand among
//! others.
//!
//! It knows how many elements it holds without following the pointer, so that a search by index touches only the row of
//! nodes, 16 bytes each. What always holds: a packed node has at least one element.

use super::blob::Blob;
use super::packed::{At, Packed};
use crate::base::listpack;
use crate::base::text::Text;

/// What Redis expects an element to take besides its own bytes.
const OVERHEAD: usize = 8;

/// Nodes that are limited by their number of elements have no more bytes than this.
const SAFE_BYTES: usize = 8192;

/// Limits of a node by size class, for `list-max-listpack-size` -1 to -5.
const CLASSES: [usize; 5] = [4096, 8192, 16_384, 32_768, 65_536];

/// `list-max-listpack-size`: how much a node may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fill {
    /// So many elements, and at most [`SAFE_BYTES`].
    Elements(usize),
    /// So many bytes.
    Bytes(usize),
}

impl Fill {
    /// Of the setting's value.
    pub fn of(setting: i32) -> Self {
        match usize::try_from(setting) {
            Ok(elements) => Self::Elements(elements.max(1)),
            Err(_) => Self::Bytes(CLASSES[(setting.unsigned_abs() as usize - 1).min(CLASSES.len() - 1)]),
        }
    }

    /// Whether a listpack of so many bytes (with its frame) and elements is too large.
    pub fn is_exceeded(self, bytes: usize, elements: usize) -> bool {
        match self {
            Self::Elements(limit) => bytes > SAFE_BYTES || elements > limit,
            Self::Bytes(limit) => bytes > limit,
        }
    }

    /// The same for what has shrunk: half of the limits, so that a list at a limit does not turn back and forth.
    pub fn is_half_exceeded(self, bytes: usize, elements: usize) -> bool {
        match self {
            Self::Elements(limit) => elements > limit / 2,
            Self::Bytes(limit) => bytes > limit / 2,
        }
    }

    /// Whether an element of so many bytes gets a node of its own; `plain_from` overrules it, unless it is zero.
    pub fn is_large(self, bytes: usize, plain_from: usize) -> bool {
        if plain_from != 0 {
            return bytes >= plain_from;
        }
        match self {
            Self::Elements(_) => bytes > SAFE_BYTES,
            Self::Bytes(limit) => bytes > limit,
        }
    }
}

/// Bytes of a listpack with its frame, as Redis counts the size of a node.
pub(super) fn framed(packed: &Packed) -> usize {
    packed.bytes().len() + listpack::FRAME
}

/// See the module.
#[derive(Clone)]
pub(super) enum Node {
    /// Elements in a row, and how many.
    Packed(Packed, u32),
    /// One large element.
    Plain(Blob),
}

impl Node {
    /// A node of one element.
    pub(super) fn of(element: Text<'_>, is_large: bool) -> Self {
        if is_large {
            return Self::Plain(Blob::new(&[element.as_bytes(&mut itoa::Buffer::new())]));
        }
        let mut packed = Packed::new();
        packed.push_back([element]);
        packed.into()
    }

    /// Number of elements.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Packed(_, len) => *len as usize,
            Self::Plain(_) => 1,
        }
    }

    /// Its size as Redis counts it.
    pub(super) fn size(&self) -> usize {
        match self {
            Self::Packed(packed, _) => framed(packed),
            Self::Plain(blob) => blob.bytes().len(),
        }
    }

    /// Bytes that it takes in memory besides its place in the row.
    pub(super) fn heap_bytes(&self) -> usize {
        match self {
            Self::Packed(packed, _) => packed.heap_bytes(),
            Self::Plain(blob) => blob.heap_bytes(),
        }
    }

    /// The only element of a plain node.
    pub(super) fn plain(blob: &Blob) -> Text<'_> {
        Text::of(blob.bytes())
    }

    /// The element with this number.
    pub(super) fn get(&self, index: usize) -> Text<'_> {
        match self {
            Self::Packed(packed, _) => packed.get(at(packed, index)),
            Self::Plain(blob) => Self::plain(blob),
        }
    }

    /// Whether an element of so many bytes may be added.
    pub(super) fn has_room(&self, bytes: usize, fill: Fill, plain_from: usize) -> bool {
        match self {
            Self::Packed(packed, len) => {
                !fill.is_large(bytes, plain_from)
                    && !fill.is_exceeded(framed(packed) + bytes + OVERHEAD, *len as usize + 1)
            }
            Self::Plain(_) => false,
        }
    }

    /// Whether both may become one.
    pub(super) fn may_join(&self, other: &Self, fill: Fill) -> bool {
        match (self, other) {
            (Self::Packed(a, _), Self::Packed(b, _)) => {
                !fill.is_exceeded(framed(a) + framed(b) - listpack::FRAME, a.len() + b.len())
            }
            _ => false,
        }
    }

    /// Changes the elements of a packed node.
    pub(super) fn change<R>(&mut self, change: impl FnOnce(&mut Packed) -> R) -> R {
        match self {
            Self::Packed(packed, len) => {
                let result = change(packed);
                *len = packed.len() as u32;
                result
            }
            Self::Plain(_) => unreachable!("callers have seen that the node is packed"),
        }
    }

    /// Puts an element before the one with this number, or behind all for their number.
    pub(super) fn insert(&mut self, index: usize, element: Text<'_>) {
        self.change(|packed| match packed.nth(index as i64) {
            Some(at) => _ = packed.insert_before(at, [element]),
            None => packed.push_back([element]),
        });
    }

    /// Takes out elements from one on.
    pub(super) fn remove(&mut self, index: usize, count: usize) {
        self.change(|packed| packed.remove(at(packed, index), count));
    }

    /// Takes the elements from one on away, of which there is at least one, as there is before it.
    pub(super) fn split_off(&mut self, index: usize) -> Self {
        self.change(|packed| packed.split_off(at(packed, index))).into()
    }
}

impl From<Packed> for Node {
    fn from(packed: Packed) -> Self {
        let len = packed.len() as u32;
        Self::Packed(packed, len)
    }
}

/// The place of an element that is there.
pub(super) fn at(packed: &Packed, index: usize) -> At {
    packed.nth(index as i64).expect("the index is below the length")
}

const _: () = assert!(size_of::<Node>() == 16);
