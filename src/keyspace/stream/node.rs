//! A node of a stream: neighbouring entries in one listpack, laid out as Redis does, so that nodes end where Redis' end and
//! RDB files can take them as they are.
//!
//! ```text
//!  header:  | live | deleted | number of fields | field … | 0 |
//!  entry:   | flags | ms - node's | seq - node's | value …                           | elements before this one |
//!           | flags | ms - node's | seq - node's | number of fields | field value …  | elements before this one |
//! ```
//!
//! The header's fields are those of the node's first entry, by whose id the node is found; entries with the same fields
//! (flag 2) leave them out. A deleted entry stays, with flag 1, until the node has no live one. The last element of an entry
//! says how many come before it in the entry, so that one can walk backwards; the header's last one is 0.

use smallvec::SmallVec;

use super::StreamId;
use crate::base::listpack;
use crate::base::text::Text;
use crate::keyspace::packed::{At, Packed};

pub(super) const DELETED: i64 = 1;
pub(super) const SAME_FIELDS: i64 = 2;
/// Flags and both parts of the id.
pub(super) const HEAD: usize = 3;
/// The most elements of an entry, and of a node made for it, that are no fields and values: the node's four, the head, the
/// number of fields and that of elements.
pub(super) const OWN_ELEMENTS: usize = 4 + HEAD + 2;

/// An entry, as it lies in its node.
#[derive(Clone, Copy)]
pub struct StreamEntry<'a> {
    /// Its id.
    pub id: StreamId,
    bytes: &'a [u8],
    /// Where its fields are, if they are those of the node.
    fields_at: Option<usize>,
    values_at: usize,
    fields: usize,
}

impl<'a> StreamEntry<'a> {
    /// Number of fields.
    pub fn len(&self) -> usize {
        self.fields
    }

    /// Whether there are no fields.
    pub fn is_empty(&self) -> bool {
        self.fields == 0
    }

    /// Fields with their values.
    pub fn fields(&self) -> impl Iterator<Item = [Text<'a>; 2]> + use<'a> {
        let Self { bytes, mut fields_at, mut values_at, fields, .. } = *self;
        (0..fields).map(move |_| {
            let next = |at: &mut usize| {
                let text = listpack::decode(bytes, *at);
                *at = listpack::next(bytes, *at);
                text
            };
            let field = next(fields_at.as_mut().unwrap_or(&mut values_at));
            [field, next(&mut values_at)]
        })
    }
}

/// An entry that was come across, live or not.
pub(super) struct Found<'a> {
    pub entry: StreamEntry<'a>,
    pub is_live: bool,
    /// Where it begins.
    pub at: usize,
    /// Where the next entry begins.
    pub end: usize,
}

/// A node that is being read.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    first: StreamId,
    bytes: &'a [u8],
    fields_at: usize,
    fields: usize,
    /// Where the entries begin.
    pub start: usize,
}

fn int(bytes: &[u8], at: usize) -> i64 {
    match listpack::decode(bytes, at) {
        Text::Int(value) => value,
        Text::Bytes(_) => unreachable!("what a node says of itself are numbers"),
    }
}

fn skip(bytes: &[u8], at: usize, count: usize) -> usize {
    (0..count).fold(at, |at, _| listpack::next(bytes, at))
}

impl<'a> Reader<'a> {
    /// The node whose first entry has (or had) this id.
    pub fn new(first: StreamId, node: &'a Packed) -> Self {
        let bytes = node.bytes();
        let at = skip(bytes, 0, 2);
        let fields = int(bytes, at) as usize;
        let fields_at = listpack::next(bytes, at);
        let start = skip(bytes, fields_at, fields + 1);
        Self { first, bytes, fields_at, fields, start }
    }

    /// Where the last entry ends.
    pub fn end(&self) -> usize {
        self.bytes.len()
    }

    /// The entry at an offset, which is where one begins.
    pub fn entry_at(&self, at: usize) -> Found<'a> {
        let bytes = self.bytes;
        let flags = int(bytes, at);
        let ms_at = listpack::next(bytes, at);
        let seq_at = listpack::next(bytes, ms_at);
        let id = StreamId {
            ms: self.first.ms.wrapping_add(int(bytes, ms_at) as u64),
            seq: self.first.seq.wrapping_add(int(bytes, seq_at) as u64),
        };
        let behind_id = listpack::next(bytes, seq_at);
        let (fields_at, values_at, fields, elements) = if flags & SAME_FIELDS != 0 {
            (Some(self.fields_at), behind_id, self.fields, self.fields)
        } else {
            let fields = int(bytes, behind_id) as usize;
            (None, listpack::next(bytes, behind_id), fields, fields * 2)
        };
        let end = skip(bytes, values_at, elements + 1);
        let entry = StreamEntry { id, bytes, fields_at, values_at, fields };
        Found { entry, is_live: flags & DELETED == 0, at, end }
    }

    /// The entry that ends at an offset; `None` if that is where the first one begins.
    pub fn entry_before(&self, end: usize) -> Option<Found<'a>> {
        if end <= self.start {
            return None;
        }
        let last = listpack::previous(self.bytes, end);
        let count = int(self.bytes, last);
        Some(self.entry_at((0..count).fold(last, |at, _| listpack::previous(self.bytes, at))))
    }

    /// The id of the last entry, live or not.
    pub fn last_id(&self) -> StreamId {
        self.entry_before(self.end()).map_or(self.first, |found| found.entry.id)
    }
}

/// Live and deleted entries of a node.
pub(super) fn counts(node: &Packed) -> [u64; 2] {
    let bytes = node.bytes();
    [int(bytes, 0), int(bytes, listpack::next(bytes, 0))].map(|count| count as u64)
}

fn set_counts(node: &mut Packed, counts: [u64; 2]) {
    let first = node.first().expect("a node has a header");
    node.replace(first, Text::Int(counts[0] as i64));
    let second = node.next(first).expect("a node has a header");
    node.replace(second, Text::Int(counts[1] as i64));
}

/// A node for an entry with these fields, which is still to be added.
pub(super) fn for_fields(pairs: &[&[u8]]) -> Packed {
    let mut node = Packed::new();
    let number = |number: usize| std::iter::once(Text::Int(number as i64));
    let fields = pairs.iter().step_by(2).map(|field| Text::of(field));
    node.extend(number(0).chain(number(0)).chain(number(pairs.len() / 2)).chain(fields).chain(number(0)));
    node
}

/// Adds an entry, whose fields and values are `pairs`, to the end of the node whose first entry has the id `first`.
pub(super) fn push(node: &mut Packed, first: StreamId, id: StreamId, pairs: &[&[u8]]) {
    let reader = Reader::new(first, node);
    let fields = pairs.len() / 2;
    let mut own = pairs.iter().step_by(2).map(|field| Text::of(field));
    let mut at = reader.fields_at;
    let is_same = fields == reader.fields
        && own.all(|field| {
            let same = listpack::decode(reader.bytes, at) == field;
            at = listpack::next(reader.bytes, at);
            same
        });
    let ms = id.ms.wrapping_sub(first.ms) as i64;
    let seq = id.seq.wrapping_sub(first.seq) as i64;
    if is_same {
        let head = [SAME_FIELDS, ms, seq].into_iter().map(Text::Int);
        let values = pairs.iter().skip(1).step_by(2).map(|value| Text::of(value));
        let count = std::iter::once(Text::Int((HEAD + fields) as i64));
        node.extend(head.chain(values).chain(count));
    } else {
        let head = [0, ms, seq, fields as i64].into_iter().map(Text::Int);
        let count = std::iter::once(Text::Int((HEAD + 1 + fields * 2) as i64));
        node.extend(head.chain(pairs.iter().map(|text| Text::of(text))).chain(count));
    }
    let [live, deleted] = counts(node);
    set_counts(node, [live + 1, deleted]);
}

/// Marks live entries as deleted: those for which `goes` holds, up to the first one for which it answers `None`. Answers how
/// many were marked.
pub(super) fn delete(node: &mut Packed, first: StreamId, mut goes: impl FnMut(StreamId) -> Option<bool>) -> u64 {
    let mut marks: SmallVec<[(usize, i64); 8]> = SmallVec::new();
    let reader = Reader::new(first, node);
    let mut at = reader.start;
    while at < reader.end() {
        let found = reader.entry_at(at);
        if found.is_live {
            match goes(found.entry.id) {
                None => break,
                Some(true) => marks.push((at, int(reader.bytes, at) | DELETED)),
                Some(false) => {}
            }
        }
        at = found.end;
    }
    for (at, flags) in &marks {
        node.replace(At::new(*at), Text::Int(*flags));
    }
    let marked = marks.len() as u64;
    if marked > 0 {
        let [live, deleted] = counts(node);
        set_counts(node, [live - marked, deleted + marked]);
    }
    marked
}
