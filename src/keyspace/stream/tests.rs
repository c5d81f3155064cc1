use super::*;

const LIMITS: StreamLimits = StreamLimits { node_bytes: 4096, node_entries: 4 };

fn id(ms: u64) -> StreamId {
    StreamId::new(ms, 1)
}

fn stream(ids: impl IntoIterator<Item = u64>) -> StreamEntries {
    let mut entries = StreamEntries::default();
    for ms in ids {
        entries.append(id(ms), &[b"field", ms.to_string().as_bytes()], &LIMITS).unwrap();
    }
    entries
}

fn ids<'a>(entries: impl Iterator<Item = StreamEntry<'a>>) -> Vec<u64> {
    entries.map(|entry| entry.id.ms).collect()
}

#[test]
fn ranges_give_live_entries_in_both_directions_across_nodes() {
    let mut entries = stream(1..=20);
    for ms in [1, 4, 5, 6, 7, 8, 13, 20] {
        assert!(entries.delete(id(ms)), "{ms}");
        assert!(!entries.delete(id(ms)), "{ms}");
    }
    let live = [2, 3, 9, 10, 11, 12, 14, 15, 16, 17, 18, 19];
    assert_eq!(entries.len(), live.len());
    for start in 0..22 {
        for end in 0..22 {
            let expected: Vec<u64> = live.into_iter().filter(|ms| (start..=end).contains(ms)).collect();
            assert_eq!(ids(entries.range(id(start), id(end))), expected, "{start} {end}");
            let expected: Vec<u64> = expected.into_iter().rev().collect();
            assert_eq!(ids(entries.range_back(id(start), id(end))), expected, "{start} {end}");
        }
    }
    assert_eq!((entries.first_id(), entries.last_entry_id()), (id(2), Some(id(19))));
}

#[test]
fn an_entry_keeps_its_fields_whether_or_not_they_are_those_of_its_node() {
    let mut entries = StreamEntries::default();
    let all: [&[&[u8]]; 5] = [
        &[b"a", b"1", b"b", b"x"],
        &[b"a", b"-5", b"b", b""],
        &[b"b", b"1", b"a", b"x"],
        &[b"a", b"70000", b"a", b"99999999999999999999"],
        &[b"12", b"34"],
    ];
    for (ms, pairs) in all.iter().enumerate() {
        entries.append(id(ms as u64), pairs, &StreamLimits { node_bytes: 0, node_entries: 0 }).unwrap();
    }
    for (entry, pairs) in entries.range(StreamId::MIN, StreamId::MAX).zip(all) {
        let fields: Vec<Vec<u8>> = entry.fields().flatten().map(|text| text.to_vec()).collect();
        assert_eq!(fields, pairs);
        assert_eq!(entry.len(), pairs.len() / 2);
    }
    assert_eq!(entries.radix()[0], 1);
}

#[test]
fn ids_only_rise() {
    let mut entries = stream([5]);
    assert_eq!(entries.append(id(5), &[b"f", b"v"], &LIMITS), Err(Refused::NotAbove));
    assert_eq!(entries.append(id(4), &[b"f", b"v"], &LIMITS), Err(Refused::NotAbove));
    assert!(entries.delete(id(5)));
    assert_eq!(entries.append(id(5), &[b"f", b"v"], &LIMITS), Err(Refused::NotAbove));
    assert_eq!((entries.len(), entries.added(), entries.radix()), (0, 1, [0, 1]));
}

#[test]
fn approximate_trimming_removes_whole_nodes_and_exact_trimming_the_rest() {
    let trim = |bound, approximate, limit| Trim { bound, approximate, limit };
    for (how, first) in [
        (trim(Bound::MaxLen(10), true, 0), 9),
        (trim(Bound::MaxLen(10), false, 0), 11),
        (trim(Bound::MaxLen(0), true, 7), 5),
        (trim(Bound::MinId(id(12)), true, 0), 9),
        (trim(Bound::MinId(id(13)), true, 0), 13),
        (trim(Bound::MinId(id(12)), false, 0), 12),
        (trim(Bound::MaxLen(0), false, 0), 21),
    ] {
        let mut entries = stream(1..=20);
        let removed = entries.trim(&how, None);
        let left: Vec<u64> = (first..=20).collect();
        assert_eq!(ids(entries.range(StreamId::MIN, StreamId::MAX)), left, "{how:?}");
        assert_eq!((removed as usize, entries.len()), (20 - left.len(), left.len()), "{how:?}");
    }
}

#[test]
fn trimming_that_spares_entries_goes_on_behind_them() {
    let mut entries = stream(1..=20);
    let trim = Trim { bound: Bound::MinId(id(15)), approximate: false, limit: 0 };
    assert_eq!(entries.trim(&trim, Some(&mut |id: StreamId| id.ms.is_multiple_of(2))), 7);
    assert_eq!(ids(entries.range(StreamId::MIN, StreamId::MAX)), [2, 4, 6, 8, 10, 12, 14, 15, 16, 17, 18, 19, 20]);
}

#[test]
fn trimming_that_spares_the_last_of_all_ids_ends() {
    let mut entries = StreamEntries::default();
    let limits = StreamLimits { node_bytes: 0, node_entries: 0 };
    entries.append(StreamId::MAX, &[b"f", b"v"], &limits).unwrap();
    let trim = Trim { bound: Bound::MaxLen(0), approximate: false, limit: 0 };
    assert_eq!(entries.trim(&trim, Some(&mut |_| true)), 0);
    assert_eq!(entries.len(), 1);
}

#[test]
fn the_place_of_a_consumer_that_is_gone_is_used_again() {
    let mut group = Group::new(StreamId::MIN, None);
    for name in [b"a", b"b", b"c"] {
        group.add_consumer(name, 1);
    }
    group.remove_consumer(b"b");
    let again = group.add_consumer(b"d", 2);
    assert_eq!(group.consumer(again).name(), b"d");
    let names: Vec<&[u8]> = group.consumers().map(|consumer| consumer.name()).collect();
    assert_eq!(names, [&b"a"[..], b"c", b"d"]);
    assert_ne!(group.add_consumer(b"e", 3), again);
}

/// Nodes of a radix tree over sixteen bytes, by its definition.
fn radix_nodes(keys: &[[u8; 16]], depth: usize) -> usize {
    let Some(first) = keys.first() else { return 1 };
    let shared = (depth..16).find(|at| keys.iter().any(|key| key[*at] != first[*at])).unwrap_or(16);
    let path = usize::from(shared > depth);
    if shared == 16 {
        return path + 1;
    }
    let below: usize =
        keys.chunk_by(|one, other| one[shared] == other[shared]).map(|keys| radix_nodes(keys, shared + 1)).sum();
    path + 1 + below
}

#[test]
fn the_radix_tree_is_counted_as_if_it_were_there() {
    let mut random = fastrand::Rng::with_seed(7);
    for round in 0..200 {
        let limits = StreamLimits { node_entries: 1, ..LIMITS };
        let mut entries = StreamEntries::default();
        let mut id = StreamId::MIN;
        for step in 0..60 {
            let distance = 1u64 << random.u32(0..if round % 2 == 0 { 60 } else { 12 });
            id = if random.bool() {
                StreamId::new(id.ms.saturating_add(distance), random.u64(0..3))
            } else {
                StreamId { seq: id.seq.saturating_add(distance), ..id }
            };
            let _ = entries.append(id, &[b"f", b"v"], &limits);
            if step % 3 == 2 {
                let at = random.usize(0..entries.nodes.len().max(1));
                let victim = entries.nodes.keys().nth(at).copied().unwrap_or_default();
                entries.delete(victim);
            }
            let key = |id: &StreamId| -> [u8; 16] {
                std::array::from_fn(|at| ((u128::from(id.ms) << 64 | u128::from(id.seq)) >> (120 - 8 * at)) as u8)
            };
            let keys: Vec<[u8; 16]> = entries.nodes.keys().map(key).collect();
            assert_eq!(entries.radix(), [keys.len(), radix_nodes(&keys, 0)], "round {round} step {step}");
        }
    }
}

#[test]
fn a_pending_entry_has_one_owner() {
    let mut group = Group::new(StreamId::MIN, None);
    let [one, two] = ["one", "two"].map(|name| group.add_consumer(name.as_bytes(), 0));
    let pending = |owner| Pending { time_ms: 1, count: 1, owner };
    group.deliver(id(1), pending(one));
    group.deliver(id(2), pending(one));
    group.deliver(id(1), pending(two));
    assert_eq!(group.consumer(one).pending().iter().collect::<Vec<_>>(), [&id(2)]);
    assert_eq!(group.consumer(two).pending().iter().collect::<Vec<_>>(), [&id(1)]);
    assert_eq!(group.remove_consumer(b"two"), Some(1));
    assert_eq!(group.pending().len(), 1);
    assert!(group.acknowledge(id(2)) && !group.acknowledge(id(2)) && !group.acknowledge(id(1)));
    assert_eq!(group.add_consumer(b"three", 0), two, "gaps are filled");
}
