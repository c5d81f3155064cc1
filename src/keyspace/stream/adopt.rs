//! Nodes that come from outside, as RDB files and payloads of DUMP hold them.

use super::entries::StreamEntries;
use super::{StreamId, node, radix};
use crate::base::listpack;
use crate::base::text::Text;
use crate::keyspace::packed::Packed;

impl StreamEntries {
    /// The nodes in order, each with the id to which those of its entries are relative.
    pub fn nodes(&self) -> impl DoubleEndedIterator<Item = (StreamId, &Packed)> + ExactSizeIterator {
        self.nodes.iter().map(|(first, node)| (*first, node))
    }

    /// The id of the last entry that is in a node, live or not.
    pub fn last_kept_id(&self) -> Option<StreamId> {
        self.nodes.last_key_value().map(|(first, node)| node::Reader::new(*first, node).last_id())
    }

    /// Adds a node behind all others. `false`, and nothing is changed, if it is none or its entries are not above those
    /// that are there.
    pub fn adopt(&mut self, first: StreamId, node: Packed) -> bool {
        let Some(live) = check(self.last_kept_id(), first, Elements { bytes: node.bytes(), at: 0 }) else {
            return false;
        };
        self.radix_nodes += radix::change(&self.nodes, first);
        self.nodes.insert(first, node);
        self.length += live;
        true
    }
}

/// The elements of a node, of which most are only passed over.
struct Elements<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Elements<'_> {
    fn is_at_end(&self) -> bool {
        self.at >= self.bytes.len()
    }

    /// The next element, which has to be a number.
    fn number(&mut self) -> Option<i64> {
        if self.is_at_end() {
            return None;
        }
        let here = self.at;
        self.at = listpack::next(self.bytes, here);
        match listpack::decode(self.bytes, here) {
            Text::Int(value) => Some(value),
            Text::Bytes(_) => None,
        }
    }

    /// Passes over so many elements, if they are there.
    fn skip(&mut self, count: usize) -> Option<()> {
        for _ in 0..count {
            if self.is_at_end() {
                return None;
            }
            self.at = listpack::next(self.bytes, self.at);
        }
        Some(())
    }
}

/// How many live entries the node has, if it is one. What always holds of one: its first entry, live or not, has the id to
/// which all are relative.
fn check(before: Option<StreamId>, first: StreamId, mut elements: Elements<'_>) -> Option<u64> {
    let claimed = [elements.number()?, elements.number()?];
    let fields = usize::try_from(elements.number()?).ok()?;
    elements.skip(fields)?;
    if elements.number()? != 0 {
        return None;
    }
    let (mut counts, mut last) = ([0, 0], before);
    while !elements.is_at_end() {
        let flags = elements.number().filter(|flags| flags & !(node::DELETED | node::SAME_FIELDS) == 0)?;
        let mut part = |of: u64| Some(of.wrapping_add(elements.number()? as u64));
        let id = StreamId { ms: part(first.ms)?, seq: part(first.seq)? };
        let is_first = counts == [0, 0];
        if is_first != (id == first) || last.is_some_and(|last| id <= last) {
            return None;
        }
        last = Some(id);
        let (own, texts) = if flags & node::SAME_FIELDS != 0 {
            (node::HEAD, fields)
        } else {
            let fields = usize::try_from(elements.number()?).ok()?;
            (node::HEAD + 1, fields.checked_mul(2)?)
        };
        elements.skip(texts)?;
        if usize::try_from(elements.number()?).ok()? != own.checked_add(texts)? {
            return None;
        }
        counts[usize::from(flags & node::DELETED != 0)] += 1;
    }
    (counts == claimed && counts != [0, 0]).then_some(counts[0] as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyspace::stream::StreamLimits;

    const LIMITS: StreamLimits = StreamLimits { node_bytes: 4096, node_entries: 10 };

    fn id(ms: u64, seq: u64) -> StreamId {
        StreamId { ms, seq }
    }

    fn filled() -> StreamEntries {
        let mut entries = StreamEntries::default();
        for ms in 1..=25 {
            let other: &[u8] = if ms % 3 == 0 { b"other" } else { b"field" };
            assert!(entries.append(id(ms, ms % 4), &[other, b"1", b"second", b"value"], &LIMITS).is_ok());
        }
        assert!(entries.delete(id(7, 3)) && entries.delete(id(25, 1)));
        entries
    }

    #[test]
    fn nodes_that_are_adopted_are_what_they_were() {
        let entries = filled();
        let mut copy = StreamEntries::default();
        assert!(entries.nodes().len() > 2);
        assert!(entries.nodes().all(|(first, node)| copy.adopt(first, node.clone())));
        let ids = |entries: &StreamEntries| {
            entries.range(StreamId::MIN, StreamId::MAX).map(|entry| (entry.id, entry.len())).collect::<Vec<_>>()
        };
        assert_eq!((ids(&copy), copy.len(), copy.radix()), (ids(&entries), entries.len(), entries.radix()));
        let (first, node) = entries.nodes().next().expect("there are several");
        assert!(!copy.adopt(first, node.clone()), "ids do not go back");
    }

    #[test]
    fn a_node_of_which_all_entries_were_deleted_is_one() {
        let mut entries = StreamEntries::default();
        let limits = StreamLimits { node_bytes: 4096, node_entries: 2 };
        for ms in [1, 5, 7] {
            assert!(entries.append(id(ms, 0), &[b"f", b"v"], &limits).is_ok());
        }
        let (first, node) = entries.nodes().next().expect("there are two");
        let mut node = node.clone();
        assert_eq!(node::delete(&mut node, first, |_| Some(true)), 2);
        let mut copy = StreamEntries::default();
        assert!(copy.adopt(first, node));
        assert_eq!((copy.len(), copy.last_kept_id()), (0, Some(id(5, 0))));
        assert!(copy.adopt(id(7, 0), entries.nodes().next_back().expect("there are two").1.clone()));
    }

    #[test]
    fn a_nodes_id_is_that_of_its_first_entry() {
        let entries = filled();
        let (first, node) = entries.nodes().next().expect("there are several");
        for other in [id(first.ms, first.seq + 1), id(0, 1), id(first.ms - 1, first.seq)] {
            let mut elements: Vec<_> = node.iter().collect();
            assert!(StreamEntries::default().adopt(other, node.clone()), "the ids are relative");
            // The first entry behind that of the node.
            let at = 3 + 2 + 1 + 2;
            elements[at] = Text::Int(1);
            let mut moved = Packed::new();
            moved.extend(elements.into_iter());
            assert!(!StreamEntries::default().adopt(other, moved));
        }
    }

    #[test]
    fn a_node_in_which_anything_is_missing_or_wrong_is_refused() {
        let entries = filled();
        let (first, node) = entries.nodes().next().expect("there are several");
        let elements: Vec<_> = node.iter().collect();
        for wrong in 0..elements.len() {
            let mut short = Packed::new();
            short.extend(elements[..wrong].iter().copied());
            assert!(!StreamEntries::default().adopt(first, short), "cut at {wrong}");
            let mut longer = elements.clone();
            longer.insert(wrong, Text::Int(1 << 40));
            let mut packed = Packed::new();
            packed.extend(longer.into_iter());
            assert!(!StreamEntries::default().adopt(first, packed), "one too many at {wrong}");
        }
    }
}
