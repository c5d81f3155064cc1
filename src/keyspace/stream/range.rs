//! Walks over the live entries of a stream, in both directions.

use std::collections::btree_map;

use super::entries::StreamEntries;
use super::node::Reader;
use super::{StreamEntry, StreamId};
use crate::keyspace::packed::Packed;

type Nodes<'a> = btree_map::Range<'a, StreamId, Packed>;

/// From an id on, upwards.
pub struct Forward<'a> {
    nodes: Nodes<'a>,
    node: Option<(Reader<'a>, usize)>,
    start: StreamId,
    end: StreamId,
}

/// From an id on, downwards.
pub struct Backward<'a> {
    nodes: Nodes<'a>,
    node: Option<(Reader<'a>, usize)>,
    start: StreamId,
    end: StreamId,
}

impl<'a> Forward<'a> {
    pub(super) fn new(entries: &'a StreamEntries, start: StreamId, end: StreamId) -> Self {
        // The node that may contain the start begins at or before it.
        let first = entries.nodes.range(..=start).next_back().map_or(start, |(first, _)| *first);
        Self { nodes: entries.nodes.range(first..), node: None, start, end }
    }
}

impl<'a> Iterator for Forward<'a> {
    type Item = StreamEntry<'a>;

    fn next(&mut self) -> Option<StreamEntry<'a>> {
        loop {
            let (reader, at) = match self.node {
                Some((reader, at)) if at < reader.end() => (reader, at),
                _ => {
                    let (first, node) = self.nodes.next()?;
                    let reader = Reader::new(*first, node);
                    (reader, reader.start)
                }
            };
            if at >= reader.end() {
                continue;
            }
            let found = reader.entry_at(at);
            self.node = Some((reader, found.end));
            if found.entry.id > self.end {
                return None;
            }
            if found.is_live && found.entry.id >= self.start {
                return Some(found.entry);
            }
        }
    }
}

impl<'a> Backward<'a> {
    pub(super) fn new(entries: &'a StreamEntries, start: StreamId, end: StreamId) -> Self {
        Self { nodes: entries.nodes.range(..=end), node: None, start, end }
    }
}

impl<'a> Iterator for Backward<'a> {
    type Item = StreamEntry<'a>;

    fn next(&mut self) -> Option<StreamEntry<'a>> {
        loop {
            let before = self.node.and_then(|(reader, end)| Some((reader, reader.entry_before(end)?)));
            let Some((reader, found)) = before else {
                let (first, node) = self.nodes.next_back()?;
                let reader = Reader::new(*first, node);
                self.node = Some((reader, reader.end()));
                continue;
            };
            self.node = Some((reader, found.at));
            if found.entry.id < self.start {
                return None;
            }
            if found.is_live && found.entry.id <= self.end {
                return Some(found.entry);
            }
        }
    }
}
