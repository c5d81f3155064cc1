//! Values whose parts do not fit together are refused.

use super::*;
use crate::base::text::Text;
use crate::keyspace::{HashLimits, ListLimits, SetLimits, ZsetLimits};
use crate::rdb::{Event, Key, Kind, Part, Shape, StreamState, Version, Writer};

const LIMITS: Limits = Limits {
    list: ListLimits { listpack_size: -2, plain_from: 0 },
    set: SetLimits { intset_entries: 4, listpack_entries: 4, listpack_value: 64 },
    zset: ZsetLimits { entries: 4, value: 64 },
    hash: HashLimits { listpack_entries: 4, listpack_value: 64 },
};

fn loaded(kind: Kind, shape: Shape, parts: &[Part<'_>]) -> Result<crate::keyspace::Entry, &'static str> {
    let mut loading = Loading::new(&Key::new(b"key", kind, shape), LIMITS);
    parts.iter().try_for_each(|part| loading.part(part))?;
    loading.finish(b"key", None)
}

/// A node of entries without fields at these distances (milliseconds) from its id; a negative one is that of a deleted entry.
fn node(entries: &[i64]) -> Vec<u8> {
    let deleted = entries.iter().filter(|ms| **ms < 0).count() as i64;
    let mut elements = vec![entries.len() as i64 - deleted, deleted, 0, 0];
    for ms in entries {
        elements.extend([2 | i64::from(*ms < 0), ms.abs(), 0, 3]);
    }
    let mut bytes = Vec::new();
    for element in elements {
        let encoded = crate::base::listpack::encode(Text::Int(element));
        let start = bytes.len();
        bytes.resize(start + encoded.size(), 0);
        encoded.write(&mut bytes[start..]);
    }
    bytes
}

fn id(ms: u64) -> rdb::StreamId {
    rdb::StreamId { ms, seq: 0 }
}

fn state(length: u64, last: u64) -> Part<'static> {
    let (last_id, zero) = (id(last), id(0));
    let state = StreamState { length, last_id, first_id: Some(zero), max_deleted_id: zero, added: length, groups: 0 };
    Part::StreamState(state)
}

#[test]
fn streams_whose_nodes_or_counters_do_not_fit_are_refused() {
    let (first, second) = (node(&[0, 1, 8]), node(&[0, 1]));
    let part = |first, bytes| Part::Entries { first: id(first), node: rdb::Packed::listpack(bytes, count(bytes)) };
    let stream = |parts: &[Part<'_>]| loaded(Kind::Stream, Shape::Stream(2), parts).map(drop);
    let sound = [part(1, &first), part(10, &second), state(5, 11)];
    assert_eq!(stream(&sound), Ok(()));
    for wrong in [
        [part(1, &first), part(1, &second), state(5, 11)],
        [part(1, &first), part(5, &second), state(5, 11)],
        [part(10, &second), part(1, &first), state(5, 11)],
        [part(1, &first), part(10, &second), state(4, 11)],
        [part(1, &first), part(10, &second), state(5, 10)],
        [part(1, &first), state(3, 11), part(10, &second)],
    ] {
        assert!(stream(&wrong).is_err(), "{wrong:?}");
    }
    // The ids of deleted entries count too; a node may hold nothing else.
    let (deleted, headless) = (node(&[0, -99]), node(&[-1]));
    assert!(stream(&[part(1, &deleted), state(1, 1)]).is_err());
    assert_eq!(stream(&[part(1, &deleted), state(1, 100)]), Ok(()));
    assert!(stream(&[part(1, &headless), state(0, 100)]).is_err(), "its first entry has another id");
    assert!(stream(&[part(1, &first)]).is_err(), "it has no counters");
}

fn count(bytes: &[u8]) -> usize {
    crate::base::listpack::check(bytes).map_or(0, |checked| checked.count)
}

#[test]
fn groups_whose_lists_do_not_fit_are_refused() {
    let group = |name| Part::Group { name, last_id: id(1), entries_read: None, pending: 1 };
    let pending = Part::Pending { id: id(1), delivered_ms: 1, deliveries: 1 };
    let consumer = |name| Part::Consumer { name, seen_ms: 1, active_ms: None, pending: 1 };
    let owned = Part::Owned(id(1));
    let stream = |parts: &[Part<'_>]| {
        let parts = [&[state(0, 1)], parts].concat();
        loaded(Kind::Stream, Shape::Stream(0), &parts).map(drop)
    };
    assert_eq!(stream(&[group(b"g"), pending, consumer(b"c"), owned, consumer(b"d"), group(b"h")]), Ok(()));
    for wrong in [
        &[group(b"g"), pending][..],
        &[group(b"g"), pending, consumer(b"c")],
        &[group(b"g"), pending, pending, consumer(b"c"), owned],
        &[group(b"g"), pending, consumer(b"c"), owned, owned],
        &[group(b"g"), pending, owned],
        &[group(b"g"), consumer(b"c"), consumer(b"c")],
        &[group(b"g"), consumer(b"c"), owned],
        &[group(b"g"), group(b"g")],
        &[pending],
    ] {
        assert!(stream(wrong).is_err(), "{wrong:?}");
    }
}

#[test]
fn what_is_there_twice_or_not_at_all_is_refused() {
    let element = Part::Element(Text::Int(7));
    let scored = Part::Scored { member: Text::Int(7), score: 1.0 };
    let field = |expires_ms| Part::Field { field: Text::Int(7), value: Text::Int(1), expires_ms };
    assert!(loaded(Kind::List, Shape::Elements(2), &[element, element]).is_ok());
    assert!(loaded(Kind::Set, Shape::Elements(2), &[element, element]).is_err());
    assert!(loaded(Kind::Zset, Shape::Elements(2), &[scored, scored]).is_err());
    assert!(loaded(Kind::Hash, Shape::Elements(2), &[field(None), field(None)]).is_err());
    assert!(loaded(Kind::Hash, Shape::Elements(1), &[field(Some(i64::MAX))]).is_err());
    assert!(loaded(Kind::Hash, Shape::Elements(1), &[field(Some(-1))]).is_err());
    assert!(loaded(Kind::Set, Shape::Elements(1), &[scored]).is_err());
    for kind in [Kind::List, Kind::Set, Kind::Zset, Kind::Hash] {
        assert_eq!(loaded(kind, Shape::Elements(0), &[]).map(drop), Err(EMPTY));
    }
}

#[test]
fn a_group_of_an_old_file_has_read_what_can_be_reckoned() {
    let bytes = node(&[0, 1, 2]);
    let old = StreamState {
        first_id: None,
        ..match state(3, 3) {
            Part::StreamState(state) => state,
            _ => unreachable!("it is one"),
        }
    };
    let parts = [
        Part::Entries { first: id(1), node: rdb::Packed::listpack(&bytes, count(&bytes)) },
        Part::StreamState(old),
        Part::Group { name: b"g", last_id: id(3), entries_read: None, pending: 0 },
    ];
    let entry = loaded(Kind::Stream, Shape::Stream(1), &parts).expect("it is sound");
    let mut writer = Writer::of_dump(Version::V11, false);
    let mut read = None;
    events(&entry, |event| {
        if let Event::Part(Part::Group { entries_read, .. }) = event {
            read = *entries_read;
        }
        writer.write(event)
    })
    .expect("it can be written");
    assert_eq!(read, Some(3));
}
