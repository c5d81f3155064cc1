//! Small collections are taken whole; what comes of it is what adding one element after the other makes.

use proptest::prelude::*;

use super::*;
use crate::base::intset::{self, Width};
use crate::base::listpack;
use crate::base::text::Text;
use crate::keyspace::{
    End, Entry, Form, Hash, HashLimits, List, ListLimits, NewExpiry, Set, SetLimits, Value, Zset, ZsetLimits,
};
use crate::rdb::{Event, Key, Kind, Part, Reader, Shape, Version, Writer};

fn limits(entries: usize, value: usize) -> Limits {
    Limits {
        list: ListLimits { listpack_size: entries as i32, plain_from: 0 },
        set: SetLimits { intset_entries: entries, listpack_entries: entries, listpack_value: value },
        zset: ZsetLimits { entries, value },
        hash: HashLimits { listpack_entries: entries, listpack_value: value },
    }
}

/// Short words and numbers, some of them equal.
fn element() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => proptest::collection::vec(b'a'..b'e', 0..6),
        3 => any::<i8>().prop_map(|number| number.to_string().into_bytes()),
        1 => any::<i64>().prop_map(|number| number.to_string().into_bytes()),
        1 => proptest::collection::vec(any::<u8>(), 0..100),
    ]
}

fn score() -> impl Strategy<Value = Vec<u8>> {
    let texts = ["-inf", "inf", "-0", "0.1", "3e2", "1e-7", "0x10", "+5", "4.0"];
    prop_oneof![
        3 => any::<i8>().prop_map(|number| number.to_string().into_bytes()),
        2 => proptest::num::f64::NORMAL.prop_map(written),
        2 => (0..1000u32).prop_map(|number| written(f64::from(number) / 8.0)),
        1 => proptest::sample::select(texts.to_vec()).prop_map(|text| text.as_bytes().to_vec()),
    ]
}

/// As scores are written here and by Redis 7.2.
fn written(score: f64) -> Vec<u8> {
    let mut text = Vec::new();
    crate::base::number::format_f64(score, &mut text);
    text
}

#[test]
fn scores_may_have_other_digits_than_they_would_get_here() {
    let elements = |score: &[u8]| vec![b"a".to_vec(), score.to_vec()];
    for (text, score) in [("0.10000000000000001", 0.1), ("1.50", 1.5), ("-793.9179575", -793.9179575)] {
        let entry = of_listpack(Kind::Zset, &elements(text.as_bytes()), limits(8, 64)).expect("it is sound");
        let Value::Zset(zset) = entry.value() else { unreachable!("it is one") };
        assert_eq!(zset.score(b"a"), Some(score));
        let other = of_listpack(Kind::Zset, &elements(&written(score)), limits(8, 64)).expect("it is sound");
        assert_eq!(shown(&entry).3, shown(&other).3);
    }
}

fn packed(elements: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for element in elements {
        let encoded = listpack::encode(Text::of(element));
        let start = bytes.len();
        bytes.resize(start + encoded.size(), 0);
        encoded.write(&mut bytes[start..]);
    }
    bytes
}

/// What comes of parts.
fn loaded(kind: Kind, shape: Shape, parts: &[Part<'_>], limits: Limits) -> Result<Entry, &'static str> {
    let mut loading = Loading::new(&Key::new(b"key", kind, shape), limits);
    parts.iter().try_for_each(|part| loading.part(part))?;
    loading.finish(b"key", None)
}

fn of_listpack(kind: Kind, elements: &[Vec<u8>], limits: Limits) -> Result<Entry, &'static str> {
    let bytes = packed(elements);
    let part = Part::Packed(rdb::Packed::listpack(&bytes, elements.len()));
    loaded(kind, Shape::Packed, &[part], limits)
}

/// All that there is to see of a value: its form, its bytes in memory and in a file, and its digest.
fn shown(entry: &Entry) -> (String, usize, Vec<u8>, u128) {
    let mut writer = Writer::of_dump(Version::V12, false);
    events(entry, |event| writer.write(event)).expect("it can be written");
    let collection = entry.value().collection().expect("it is no string");
    let is_small = match entry.value() {
        Value::Set(set) => !matches!(set.form(), Form::Large(_)),
        Value::Zset(zset) => !matches!(zset.form(), Form::Large(_)),
        Value::Hash(hash) => hash.is_small(),
        _ => true,
    };
    // A table has no order, and what it takes depends on how it grew; and only there zeros have signs.
    let (bytes, payload) = if is_small { (collection.heap_bytes(0), writer.into_dump()) } else { Default::default() };
    (format!("{:?}", entry.encoding()), bytes, payload, collection.digest())
}

/// Checks one way against the other: either both refuse, or both make the same.
fn agree(found: Result<Entry, &'static str>, expected: Option<Entry>) -> Result<(), TestCaseError> {
    prop_assert_eq!(found.as_ref().ok().map(shown), expected.as_ref().map(shown));
    Ok(())
}

proptest! {
    #[test]
    fn a_hash_taken_whole_is_the_one_made_of_its_fields(
        pairs in proptest::collection::vec((element(), element()), 1..20), entries in 0..25usize, value in 0..70usize,
    ) {
        let limits = limits(entries, value);
        let mut hash = Hash::new();
        let mut is_sound = true;
        for (field, value) in &pairs {
            hash.expect(1, field.len().max(value.len()), &limits.hash);
            is_sound &= hash.set(field, value, NewExpiry::Keep, &limits.hash);
        }
        let elements: Vec<_> = pairs.into_iter().flat_map(|(field, value)| [field, value]).collect();
        agree(of_listpack(Kind::Hash, &elements, limits), is_sound.then(|| Entry::of(b"key", hash, None)))?;
    }

    #[test]
    fn a_set_taken_whole_is_the_one_made_of_its_members(
        members in proptest::collection::vec(element(), 1..20), entries in 0..25usize, value in 20..70usize,
    ) {
        let limits = limits(entries, value);
        // Integers come first and in order where members are added one by one.
        let mut members = members;
        members.sort_by_key(|member| match Text::of(member) {
            Text::Int(number) => (false, number),
            Text::Bytes(_) => (true, 0),
        });
        let made = |mut set: Set, limits: &SetLimits| {
            set.expect(members.len(), limits);
            let is_sound = members.iter().all(|member| set.insert(member, limits));
            is_sound.then(|| Entry::of(b"key", set, None))
        };
        let expected = made(Set::for_members(b"0", 0, &limits.set), &limits.set);
        let bytes = packed(&members);
        let texts = rdb::Packed::listpack(&bytes, members.len());
        // As in Redis, a listpack that is short enough stays one, whatever it holds.
        let of_any = SetLimits { intset_entries: 0, listpack_value: usize::MAX, ..limits.set };
        let whole = if members.len() <= entries { made(Set::for_members(b"text", 0, &of_any), &of_any) } else { None };
        let is_whole = whole.is_some();
        agree(of_listpack(Kind::Set, &members, limits), whole.or(expected.as_ref().map(copy)))?;
        prop_assert!(is_whole || members.len() > entries || expected.is_none());
        let parts: Vec<_> = texts.iter().map(Part::Element).collect();
        agree(loaded(Kind::Set, Shape::Elements(parts.len() as u64), &parts, limits), expected)?;
    }

    #[test]
    fn integers_taken_whole_are_those_added_one_by_one(
        numbers in proptest::collection::btree_set(prop_oneof![any::<i8>().prop_map(i64::from), any::<i64>()], 1..20),
        entries in 0..25usize, wider: bool,
    ) {
        let limits = limits(entries, 64);
        let least = numbers.iter().map(|number| Width::of(*number)).max().expect("there is one");
        let width = if wider { Width::Eight } else { least };
        let mut contents = vec![0; numbers.len() * width.bytes()];
        numbers.iter().enumerate().for_each(|(index, number)| intset::put(&mut contents, width, index, *number));
        let mut set = Set::for_members(b"0", 0, &limits.set);
        set.expect(numbers.len(), &limits.set);
        numbers.iter().for_each(|number| _ = set.insert(number.to_string().as_bytes(), &limits.set));
        let part = Part::Packed(rdb::Packed::intset(width, &contents));
        agree(loaded(Kind::Set, Shape::Packed, &[part], limits), Some(Entry::of(b"key", set, None)))?;
    }

    #[test]
    fn a_sorted_set_taken_whole_is_the_one_made_of_its_members(
        pairs in proptest::collection::vec((element(), score()), 1..20),
        entries in 0..25usize, value in 0..70usize, sorted: bool,
    ) {
        let limits = limits(entries, value);
        let mut zset = Zset::for_members(0, 0, &limits.zset);
        let mut is_sound = true;
        for (member, score) in &pairs {
            let score = rdb::score(Text::of(score)).expect("it is one");
            is_sound &= zset.score(member).is_none();
            zset.expect(1, member.len(), &limits.zset);
            if is_sound {
                zset.insert(member, score, &limits.zset);
            }
        }
        let mut pairs = pairs;
        if sorted {
            let score = |text: &[u8]| rdb::score(Text::of(text)).expect("it is one");
            pairs.sort_by(|a, b| (score(&a.1), &a.0).partial_cmp(&(score(&b.1), &b.0)).expect("no score is NaN"));
        }
        let elements: Vec<_> = pairs.iter().flat_map(|(member, score)| [member.clone(), score.clone()]).collect();
        let expected = is_sound.then(|| Entry::of(b"key", zset, None));
        let digest = expected.as_ref().map(|entry| shown(entry).3);
        agree(of_listpack(Kind::Zset, &elements, limits), expected)?;
        // One by one, they are put in order at the end.
        let texts: Vec<_> = pairs.iter().map(|(member, score)| (Text::of(member), rdb::score(Text::of(score)))).collect();
        let parts: Vec<_> = texts
            .iter()
            .map(|(member, score)| Part::Scored { member: *member, score: score.expect("it is one") })
            .collect();
        let found = loaded(Kind::Zset, Shape::Elements(parts.len() as u64), &parts, limits);
        prop_assert_eq!(found.as_ref().ok().map(|entry| shown(entry).3), digest);
    }

    #[test]
    fn a_list_of_nodes_taken_whole_is_the_one_made_of_its_elements(
        nodes in proptest::collection::vec(proptest::collection::vec(element(), 0..8), 1..8),
        size in prop_oneof![1..20i32, -5..0i32],
    ) {
        let mut limits = limits(0, 64);
        limits.list.listpack_size = size;
        let mut list = List::new();
        for element in nodes.iter().flatten() {
            list.expect(element.len(), 1, &limits.list);
            list.push(End::Right, element, &limits.list);
        }
        list.shrink(&limits.list);
        let bytes: Vec<_> = nodes.iter().map(|node| packed(node)).collect();
        let parts: Vec<_> = nodes
            .iter()
            .zip(&bytes)
            .map(|(node, bytes)| Part::Packed(rdb::Packed::listpack(bytes, node.len())))
            .collect();
        let found = loaded(Kind::List, Shape::Nodes(parts.len() as u64), &parts, limits);
        // Where nodes end may differ.
        let shown = |entry: &Entry| (shown(entry).0, shown(entry).3);
        let expected = (!list.is_empty()).then(|| Entry::of(b"key", list, None));
        prop_assert_eq!(found.as_ref().ok().map(shown), expected.as_ref().map(shown));
    }

    #[test]
    fn what_is_damaged_is_refused_or_sound(
        elements in proptest::collection::vec(element(), 1..12),
        scores in proptest::collection::vec(score(), 12),
        kind in 0..4usize,
        flips in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut: Option<prop::sample::Index>,
    ) {
        let kind = [Kind::List, Kind::Set, Kind::Zset, Kind::Hash][kind];
        let elements: Vec<_> = match kind {
            Kind::List | Kind::Set => elements,
            _ => elements.into_iter().zip(scores).flat_map(|(member, score)| [member, score]).collect(),
        };
        let bytes = packed(&elements);
        let mut writer = Writer::of_dump(Version::V12, false);
        let part = Part::Packed(rdb::Packed::listpack(&bytes, elements.len()));
        for event in [Event::Key(Key::new(b"", kind, Shape::Packed)), Event::Part(part), Event::KeyEnd] {
            writer.write(&event).expect("it can be written");
        }
        let mut payload = writer.into_dump();
        let value = payload.len() - 10;
        flips.iter().for_each(|(at, mask)| payload[at.index(value)] ^= mask);
        if let Some(cut) = cut {
            let at = cut.index(value);
            payload.drain(at..value);
        }
        // No checksum.
        let end = payload.len();
        payload[end - 8..].fill(0);
        if let Some(entry) = of_dump(&payload) {
            let again = {
                let mut writer = Writer::of_dump(Version::V12, false);
                events(&entry, |event| writer.write(event)).expect("it can be written");
                of_dump(&writer.into_dump()).expect("what was loaded is sound")
            };
            prop_assert_eq!(entry.value().collection().map(|value| value.digest()),
                again.value().collection().map(|value| value.digest()));
        }
    }
}

/// The value of a payload, if it is sound.
fn of_dump(payload: &[u8]) -> Option<Entry> {
    let mut reader = Reader::of_dump(payload)?;
    let Event::Key(key) = reader.next().ok()? else { return None };
    let mut loading = Loading::new(&key, limits(8, 64));
    loop {
        match reader.next().ok()? {
            Event::Part(part) => loading.part(&part).ok()?,
            Event::KeyEnd => break,
            _ => return None,
        }
    }
    loading.finish(b"key", None).ok()
}

fn copy(entry: &Entry) -> Entry {
    match entry.value() {
        Value::Set(set) => Entry::of(b"key", set.clone(), None),
        _ => unreachable!("only sets are copied here"),
    }
}
