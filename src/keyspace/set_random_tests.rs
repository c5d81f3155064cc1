//! Tests that random choice from sets is fair. Pearson's chi-square statistic of many draws with a fixed seed must lie where
//! it lies for fair draws in all but one of ten thousand cases; that it would tell is tested, too.

use super::super::set::SetLimits;
use super::*;

const LIMITS: SetLimits = SetLimits { intset_entries: 64, listpack_entries: 64, listpack_value: 64 };
const MEMBERS: usize = 20;
const DRAWS: usize = 20_000;

/// Integers, words, and so many words that they are a hash table.
fn sets() -> [Set; 3] {
    let of = |members: Vec<String>| {
        let mut set = Set::for_members(members[0].as_bytes(), members.len(), &LIMITS);
        members.iter().for_each(|member| _ = set.insert(member.as_bytes(), &LIMITS));
        set
    };
    let mut table = of((0..200).map(|number| format!("m{number}")).collect());
    (MEMBERS..200).for_each(|number| _ = table.remove(format!("m{number}").as_bytes()));
    let sets = [of((0..MEMBERS).map(|number| number.to_string()).collect()), of(names().collect()), table];
    assert!(matches!(sets[0].form(), Form::Intset(_)));
    assert!(matches!(sets[1].form(), Form::Packed(_)));
    assert!(matches!(sets[2].form(), Form::Large(_)));
    sets
}

fn names() -> impl Iterator<Item = String> {
    (0..MEMBERS).map(|number| format!("m{number}"))
}

/// The number in a member.
fn number(member: Text<'_>) -> usize {
    String::from_utf8(member.to_vec()).unwrap().trim_start_matches('m').parse().unwrap()
}

/// Whether counts that all should be equal are as unequal as chance makes them. `variance` is that of one draw's count
/// in units of what it is when every draw is free: less than one if a draw takes several different members.
fn is_fair(counts: &[usize], variance: f64) -> bool {
    let expected = counts.iter().sum::<usize>() as f64 / counts.len() as f64;
    let square = |count: &usize| (*count as f64 - expected).powi(2) / expected;
    let statistic: f64 = counts.iter().map(square).sum::<f64>() / variance;
    // Wilson and Hilferty: the cube root of a chi-square is nearly normal. 3.72 is that of one in ten thousand.
    let freedom = counts.len() as f64 - 1.0;
    let normal = ((statistic / freedom).cbrt() - (1.0 - 2.0 / (9.0 * freedom))) / (2.0 / (9.0 * freedom)).sqrt();
    normal.abs() < 3.72
}

#[test]
fn the_test_of_fairness_tells_a_small_bias() {
    let mut random = Rng::with_seed(7);
    let mut count = |biased: bool| {
        let mut counts = [0; MEMBERS];
        for _ in 0..DRAWS {
            // A modulo of a range that the number of members does not divide.
            counts[if biased { random.usize(..26) % MEMBERS } else { random.usize(..MEMBERS) }] += 1;
        }
        counts
    };
    assert!(is_fair(&count(false), 1.0));
    assert!(!is_fair(&count(true), 1.0));
    // What is too even is no chance either.
    assert!(!is_fair(&[DRAWS / MEMBERS; MEMBERS], 1.0));
}

#[test]
fn every_member_is_drawn_with_the_same_chance() {
    for (at, set) in sets().into_iter().enumerate() {
        let mut random = Rng::with_seed(11);
        let mut counts = [0; MEMBERS];
        (0..DRAWS).for_each(|_| counts[number(set.random(&mut random).unwrap())] += 1);
        assert!(is_fair(&counts, 1.0), "random of set {at}: {counts:?}");
        let mut counts = [0; MEMBERS];
        set.draws(&mut random).take(DRAWS).for_each(|member| counts[number(member)] += 1);
        assert!(is_fair(&counts, 1.0), "draw of set {at}: {counts:?}");
    }
}

#[test]
fn every_choice_of_different_members_has_the_same_chance() {
    for (at, set) in sets().into_iter().enumerate() {
        for wanted in [1, 2, 5, 12, 19] {
            let mut random = Rng::with_seed(13);
            let (mut chosen, mut taken) = ([0; MEMBERS], [0; MEMBERS]);
            let mut pairs = [[0; MEMBERS]; MEMBERS];
            for _ in 0..DRAWS / wanted {
                let mut members = Vec::new();
                set.choose(wanted, &mut random, |member| members.push(number(member)));
                members.sort_unstable();
                members.dedup();
                assert_eq!(members.len(), wanted, "they are different");
                members.iter().for_each(|member| chosen[*member] += 1);
                for (place, first) in members.iter().enumerate() {
                    members[place + 1..].iter().for_each(|second| pairs[*first][*second] += 1);
                }
                let mut rest = set.clone();
                rest.take_random(wanted, &mut random, |member| {
                    taken[number(member)] += 1;
                    assert!(set.contains(&member.to_vec()));
                });
                assert_eq!(rest.len(), MEMBERS - wanted);
            }
            let variance = (MEMBERS - wanted) as f64 / (MEMBERS - 1) as f64;
            assert!(is_fair(&chosen, variance), "choose {wanted} of set {at}: {chosen:?}");
            assert!(is_fair(&taken, variance), "take {wanted} of set {at}: {taken:?}");
            if wanted == 2 {
                let pairs: Vec<usize> = (0..MEMBERS).flat_map(|first| pairs[first][first + 1..].to_vec()).collect();
                assert!(is_fair(&pairs, 1.0), "pairs of set {at}: {pairs:?}");
            }
        }
    }
}

#[test]
fn a_choice_of_more_than_there_are_is_all_of_them() {
    for set in sets() {
        for wanted in [MEMBERS, MEMBERS + 1, usize::MAX] {
            let mut count = 0;
            set.choose(wanted, &mut Rng::with_seed(1), |_| count += 1);
            assert_eq!(count, MEMBERS);
        }
        set.choose(0, &mut Rng::with_seed(1), |_| panic!("none was wanted"));
    }
}
