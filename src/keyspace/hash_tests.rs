//! Tests of [`Hash`] against a map, of its representations, and of fields drawn at random.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

const LIMITS: HashLimits = HashLimits { listpack_entries: 6, listpack_value: 10 };
const NOW: i64 = 1_000;

type Model = BTreeMap<Vec<u8>, (Vec<u8>, Option<i64>)>;

fn word() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => (-6..6i64).prop_map(|value| value.to_string().into_bytes()),
        1 => any::<i64>().prop_map(|value| value.to_string().into_bytes()),
        4 => proptest::collection::vec(b'a'..b'd', 0..3),
        1 => proptest::collection::vec(any::<u8>(), 8..14),
    ]
}

#[derive(Clone, Debug)]
enum Step {
    Set(Vec<u8>, Vec<u8>, Option<Option<i64>>),
    Expire(Vec<u8>, Option<i64>),
    Remove(Vec<u8>),
    RemoveExpired(usize),
}

fn expiry() -> impl Strategy<Value = Option<i64>> {
    proptest::option::of(NOW - 3..NOW + 4)
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (word(), word(), proptest::option::of(expiry())).prop_map(|(field, value, expiry)| Step::Set(field, value, expiry)),
        4 => (word(), expiry()).prop_map(|(field, expiry)| Step::Expire(field, expiry)),
        2 => word().prop_map(Step::Remove),
        1 => (0..4usize).prop_map(Step::RemoveExpired),
    ]
}

fn contents(hash: &Hash) -> Model {
    let mut all = Model::new();
    hash.each(|field, value, expiry| _ = all.insert(field.to_vec(), (value.to_vec(), expiry)));
    all
}

fn check(hash: &Hash, model: &Model) {
    assert_eq!(&contents(hash), model);
    assert_eq!(hash.len(), model.len());
    assert_eq!(hash.next_expiry(), model.values().filter_map(|(_, expiry)| *expiry).min());
    let is_live = |expiry: &Option<i64>| expiry.is_none_or(|at_ms| at_ms > NOW);
    let live = model.values().filter(|(_, expiry)| is_live(expiry)).count();
    assert_eq!((hash.live_len(NOW), hash.has_live(NOW)), (live, live > 0));
    for (field, (value, expiry)) in model {
        let shown = is_live(expiry);
        assert_eq!(hash.get(field, NOW).map(Text::to_vec), shown.then(|| value.clone()));
        assert_eq!(hash.expiry(field, NOW), shown.then_some(*expiry));
        assert_eq!(hash.expiry(field, i64::MIN), Some(*expiry));
    }
}

fn redis_digest(hash: &Hash) -> RedisDigest {
    let mut digest = RedisDigest::default();
    hash.redis_digest(&mut digest);
    digest
}

proptest! {
    #[test]
    fn it_behaves_like_a_map_whatever_its_representation(
        steps in proptest::collection::vec(step(), 1..60),
        scale in 1..4usize,
    ) {
        let limits = HashLimits { listpack_entries: 4 * scale, ..LIMITS };
        let (mut hash, mut model) = (Hash::new(), Model::new());
        for step in steps {
            match step {
                Step::Set(field, value, expiry) => {
                    let how = expiry.map_or(NewExpiry::Keep, NewExpiry::Is);
                    let before = model.get(&field).and_then(|(_, expiry)| *expiry);
                    let is_new = model.insert(field.clone(), (value.clone(), how.over(before))).is_none();
                    prop_assert_eq!(hash.set(&field, &value, how, &limits), is_new);
                }
                Step::Expire(field, expiry) => {
                    let found = model.get_mut(&field).map(|entry| entry.1 = expiry);
                    prop_assert_eq!(hash.set_expiry(&field, expiry), found.is_some());
                }
                Step::Remove(field) => prop_assert_eq!(hash.remove(&field), model.remove(&field).is_some()),
                Step::RemoveExpired(most) => {
                    let expired = model.values().filter(|(_, expiry)| expiry.is_some_and(|at_ms| at_ms <= NOW)).count();
                    let removed = hash.remove_expired(NOW, most);
                    prop_assert_eq!(removed.len(), expired.min(most));
                    for field in removed {
                        let (_, expiry) = model.remove(&field).expect("it was there");
                        prop_assert!(expiry.is_some_and(|at_ms| at_ms <= NOW));
                    }
                }
            }
            check(&hash, &model);
            let mut large = hash.clone();
            large.enlarge();
            check(&large, &model);
            prop_assert_eq!(large.digest(), hash.digest());
            prop_assert_eq!(redis_digest(&large), redis_digest(&hash));
        }
    }
}

fn of(pairs: &[(&str, &str)], limits: &HashLimits) -> Hash {
    let mut hash = Hash::new();
    for (field, value) in pairs {
        hash.set(field.as_bytes(), value.as_bytes(), NewExpiry::Is(None), limits);
    }
    hash
}

#[test]
fn representations_change_as_in_redis() {
    let encoding = |pairs: &[(&str, &str)]| of(pairs, &LIMITS).encoding();
    let six = [("1", "a"), ("2", "a"), ("3", "a"), ("4", "a"), ("5", "a"), ("6", "a")];
    assert_eq!(encoding(&six), Encoding::Listpack);
    assert_eq!(encoding(&[&six[..], &[("7", "a")]].concat()), Encoding::Hashtable);
    assert_eq!(encoding(&[("a", "0123456789")]), Encoding::Listpack);
    assert_eq!(encoding(&[("a", "0123456789x")]), Encoding::Hashtable);
    assert_eq!(encoding(&[("0123456789x", "a")]), Encoding::Hashtable);
    let mut hash = of(&six, &LIMITS);
    hash.set_expiry(b"3", Some(NOW));
    assert_eq!(hash.encoding(), Encoding::Listpackex);
    hash.set_expiry(b"3", None);
    assert_eq!(hash.encoding(), Encoding::Listpackex);
    hash.expect(6, 10, &LIMITS);
    assert_eq!(hash.encoding(), Encoding::Listpackex);
    let mut longer = hash.clone();
    longer.expect(1, 11, &LIMITS);
    assert_eq!(longer.encoding(), Encoding::Hashtable);
    hash.expect(7, 0, &LIMITS);
    assert_eq!(hash.encoding(), Encoding::Hashtable);
}

#[test]
fn the_digest_depends_on_every_field_value_and_time() {
    let hash = of(&[("a", "b"), ("c", "d")], &LIMITS);
    let mut others = vec![of(&[("a", "d"), ("c", "b")], &LIMITS), of(&[("a", "b")], &LIMITS)];
    for expiry in [NOW, NOW + 1] {
        let mut other = hash.clone();
        other.set_expiry(b"a", Some(expiry));
        others.push(other);
    }
    let mut digests: Vec<u128> = others.iter().chain([&hash]).map(Hash::digest).collect();
    digests.sort_unstable();
    digests.dedup();
    assert_eq!(digests.len(), 5);
}

/// Sums of squared deviations from equal shares, in units of their expectation, for eleven fields: beyond 40 in one of
/// some hundred thousand runs, if the shares are equal.
fn chi_square(counts: &BTreeMap<Vec<u8>, usize>, fields: usize) -> f64 {
    assert_eq!(counts.len(), fields);
    let expected = counts.values().sum::<usize>() as f64 / fields as f64;
    counts.values().map(|count| (*count as f64 - expected).powi(2) / expected).sum()
}

#[test]
fn every_field_that_has_not_expired_is_drawn_with_the_same_chance() {
    let small = HashLimits { listpack_entries: 100, listpack_value: 100 };
    for (limits, expiring) in [(small, 0), (small, 3), (LIMITS, 0), (LIMITS, 3)] {
        let mut hash = Hash::new();
        for number in 0..11 + expiring {
            let expiry = if number < 11 { None } else { Some(NOW) };
            hash.set(number.to_string().as_bytes(), b"v", NewExpiry::Is(expiry), &limits);
        }
        let mut random = fastrand::Rng::with_seed(7);
        let (mut one, mut repeated, mut distinct) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        for _ in 0..4_000 {
            *one.entry(hash.sample(&mut random, NOW).unwrap().0.to_vec()).or_default() += 1;
            let drawn = hash.draws(&mut random, NOW).take(3);
            drawn.for_each(|(field, _)| *repeated.entry(field.to_vec()).or_default() += 1);
            for count in [2, 8] {
                let mut fields = Vec::new();
                hash.sample_distinct(count, &mut random, NOW, |field, _| fields.push(field.to_vec()));
                fields.iter().for_each(|field| *distinct.entry(field.clone()).or_default() += 1);
                fields.sort_unstable();
                fields.dedup();
                assert_eq!(fields.len(), count);
            }
        }
        for counts in [one, repeated, distinct] {
            assert!(chi_square(&counts, 11) < 40.0, "{expiring}: {counts:?}");
        }
        let mut all = 0;
        hash.sample_distinct(100, &mut random, NOW, |_, _| all += 1);
        assert_eq!(all, 11);
    }
}

#[test]
fn memory_follows_the_fields() {
    let limits = HashLimits { listpack_entries: 512, listpack_value: 64 };
    let grown = |count: usize, expiry: Option<i64>| {
        let mut hash = Hash::new();
        for number in 0..count {
            let field = format!("field:{number:06}");
            hash.set(field.as_bytes(), b"value", NewExpiry::Is(expiry.map(|at_ms| at_ms + number as i64)), &limits);
        }
        hash.heap_bytes(0) as f64 / count as f64
    };
    // 12 and 5 bytes, two for each of both, and what the class is larger; then the class of 32, and a slot in a bucket
    // that is nearly full.
    for (count, expiry, most) in [(100, None, 26.0), (1000, None, 54.0), (20_000, None, 52.0), (100, Some(NOW), 34.0)] {
        assert!(grown(count, expiry) < most, "{count}: {}", grown(count, expiry));
    }
    assert!(grown(20_000, Some(NOW)) < 80.0, "{}", grown(20_000, Some(NOW)));
}
