//! Sorted sets beside a plain sorted vector, in both representations.

use proptest::prelude::*;

use super::*;

const SMALL: ZsetLimits = ZsetLimits { entries: 128, value: 64 };
const LARGE: ZsetLimits = ZsetLimits { entries: 0, value: 64 };

/// Adds a member or changes its score.
fn set(zset: &mut Zset, member: &[u8], score: f64, limits: &ZsetLimits) {
    match zset.score(member) {
        Some(before) => zset.update(member, before, score),
        None => zset.insert(member, score, limits),
    }
}

/// What a sorted set should be.
#[derive(Default)]
struct Model(Vec<(f64, Vec<u8>)>);

impl Model {
    fn remove(&mut self, member: &[u8]) -> Option<f64> {
        let at = self.0.iter().position(|(_, other)| other == member)?;
        Some(self.0.remove(at).0)
    }

    fn set(&mut self, member: &[u8], score: f64) {
        self.remove(member);
        self.0.push((score, member.to_vec()));
        self.0.sort_by(|a, b| a.partial_cmp(b).unwrap());
    }
}

fn agree(zset: &Zset, model: &Model) {
    if let Form::Large(ranked) = zset.form() {
        ranked.check();
    }
    let found: Vec<(f64, Vec<u8>)> = zset.iter().map(|(member, score)| (score, member.to_vec())).collect();
    assert_eq!(found, model.0);
    let backwards: Vec<Vec<u8>> = zset.range(0, zset.len(), true).map(|(member, _)| member.to_vec()).collect();
    assert!(backwards.iter().eq(model.0.iter().rev().map(|(_, member)| member)));
    let middle = zset.len() / 2;
    let part: Vec<Vec<u8>> = zset.range(middle / 2, middle, false).map(|(member, _)| member.to_vec()).collect();
    assert!(part.iter().eq(model.0[middle / 2..middle].iter().map(|(_, member)| member)));
    for (rank, (score, member)) in model.0.iter().enumerate().step_by(7) {
        assert_eq!(zset.rank(member), Some((rank, *score)));
        let before = model.0.iter().filter(|(other, _)| other < score).count();
        assert_eq!(zset.rank_where(|other, _| other < *score), before);
    }
}

#[test]
fn an_index_that_is_made_at_once_is_in_order_and_can_be_changed() {
    let counts: &[usize] = if cfg!(miri) { &[1, 65] } else { &[1, 64, 65, 64 * 32, 64 * 32 + 1, 10_000] };
    let mut random = fastrand::Rng::with_seed(1);
    for count in counts {
        // Every score twice, so that the bytes decide too.
        let mut members: Vec<_> =
            (0..*count).map(|number| ((number / 2) as f64, number.to_string().into_bytes())).collect();
        members.sort_by(|a, b| a.partial_cmp(b).expect("no score is NaN"));
        for order in 0..3 {
            let mut came = members.clone();
            match order {
                0 => {}
                1 => came.reverse(),
                _ => random.shuffle(&mut came),
            }
            let mut ranking = Ranking::with_room(count / 2);
            assert!(came.iter().all(|(score, member)| ranking.push(member, *score)));
            assert!(!ranking.push(b"0", 5.0), "it is there");
            let (mut zset, mut model) = (Zset::from(ranking), Model(members.clone()));
            agree(&zset, &model);
            for number in 0..50 {
                let member = random.usize(..2 * count).to_string().into_bytes();
                set(&mut zset, &member, number.into(), &SMALL);
                model.set(&member, number.into());
            }
            agree(&zset, &model);
        }
    }
}

#[derive(Clone, Debug)]
enum Change {
    Set(u16, f64),
    Remove(u16),
    Cut(u16, u16),
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        12 => (0..2000u16, prop_oneof![(-5..5i32).prop_map(f64::from), any::<i16>().prop_map(|n| f64::from(n) / 8.0)])
            .prop_map(|(member, score)| Change::Set(member, score)),
        3 => (0..2000u16).prop_map(Change::Remove),
        1 => (0..2000u16, 0..40u16).prop_map(|(start, count)| Change::Cut(start, count)),
    ]
}

fn apply(zset: &mut Zset, model: &mut Model, change: &Change, limits: &ZsetLimits) {
    match *change {
        Change::Set(number, score) => {
            let member = format!("m{number}").into_bytes();
            set(zset, &member, score, limits);
            model.set(&member, score);
        }
        Change::Remove(number) => {
            let member = format!("m{number}").into_bytes();
            assert_eq!(zset.remove(&member), model.remove(&member));
        }
        Change::Cut(start, count) => {
            let start = usize::from(start).min(zset.len());
            let end = (start + usize::from(count)).min(zset.len());
            zset.remove_ranks(start, end);
            model.0.drain(start..end);
        }
    }
    assert_eq!(zset.len(), model.0.len());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn whatever_is_done_it_is_like_a_sorted_vector(changes in proptest::collection::vec(change(), 0..1500)) {
        for limits in [SMALL, LARGE] {
            let (mut zset, mut model) = (Zset::for_members(1, 1, &limits), Model::default());
            for (number, change) in changes.iter().enumerate() {
                apply(&mut zset, &mut model, change, &limits);
                if number % 100 == 0 {
                    agree(&zset, &model);
                }
            }
            agree(&zset, &model);
            agree(&zset.clone(), &model);
        }
    }

    #[test]
    fn a_listpack_keeps_every_score(score in any::<f64>().prop_filter("a number", |score| !score.is_nan())) {
        let mut zset = Zset::for_members(1, 1, &SMALL);
        zset.insert(b"m", score, &SMALL);
        prop_assert_eq!(zset.score(b"m"), Some(score));
    }
}

#[test]
fn large_sets_stay_in_order_however_they_are_filled_and_emptied() {
    let mut random = fastrand::Rng::with_seed(7);
    for pattern in 0..3 {
        let mut zset = Zset::for_members(1, 1, &LARGE);
        let mut members: Vec<(f64, Vec<u8>)> = (0..20_000u32)
            .map(|number| {
                let score = match pattern {
                    0 => f64::from(number),
                    1 => -f64::from(number),
                    _ => random.f64(),
                };
                (score, format!("member:{number}").into_bytes())
            })
            .collect();
        members.iter().for_each(|(score, member)| zset.insert(member, *score, &LARGE));
        members.sort_by(|a, b| a.partial_cmp(b).unwrap());
        let mut model = Model(members);
        agree(&zset, &model);
        while !zset.is_empty() {
            let start = random.usize(..zset.len());
            let end = random.usize(start..=zset.len().min(start + 3000));
            zset.remove_ranks(start, end);
            model.0.drain(start..end);
            agree(&zset, &model);
        }
    }
}

#[test]
fn thresholds_decide_about_the_representation() {
    let limits = ZsetLimits { entries: 2, value: 3 };
    let mut zset = Zset::for_members(1, 3, &limits);
    set(&mut zset, b"a", 1.0, &limits);
    set(&mut zset, b"b", 2.0, &limits);
    set(&mut zset, b"b", 3.0, &limits);
    assert_eq!(zset.encoding(), Encoding::Listpack);
    let digest = zset.digest();
    let mut wide = zset.clone();
    set(&mut wide, b"long", 1.0, &limits);
    assert_eq!(wide.encoding(), Encoding::Skiplist);
    assert_eq!(wide.remove(b"long"), Some(1.0));
    assert_eq!(wide.digest(), digest);
    set(&mut zset, b"c", 1.0, &limits);
    assert_eq!(zset.encoding(), Encoding::Skiplist);
    assert_eq!(Zset::for_members(3, 1, &limits).encoding(), Encoding::Skiplist);
    assert_eq!(Zset::for_members(1, 4, &limits).encoding(), Encoding::Skiplist);
}

#[test]
fn a_few_samples_tell_about_what_a_large_sorted_set_takes() {
    let (mut zset, mut random) = (Zset::for_members(1000, 10, &LARGE), fastrand::Rng::with_seed(1));
    for number in 0..20_000 {
        zset.insert(format!("member:{number:05}").as_bytes(), random.f64(), &LARGE);
    }
    let (all, some) = (zset.heap_bytes(0), zset.heap_bytes(5));
    assert!(some * 10 > all * 8 && some * 10 < all * 12, "{some} of {all}");
}
