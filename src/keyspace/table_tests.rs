use std::collections::{HashMap, HashSet};

use proptest::prelude::*;

use super::*;
use crate::keyspace::hash;

/// A key of eight bytes that owns memory, so that leaks and double frees would show.
struct Word(Box<[u8; 8]>);

impl Keyed for Word {
    fn key(&self) -> &[u8] {
        &self.0[..]
    }
}

fn word(number: u64) -> Word {
    Word(Box::new(number.to_le_bytes()))
}

fn number(word: &Word) -> u64 {
    u64::from_le_bytes(*word.0)
}

fn hash_of(number: u64) -> u64 {
    hash(&number.to_le_bytes())
}

fn add(table: &mut Table<Word>, number: u64) {
    table.insert(hash_of(number), word(number));
}

fn delete(table: &mut Table<Word>, number: u64) -> bool {
    table.remove(hash_of(number), &number.to_le_bytes()).is_some()
}

fn has(table: &Table<Word>, number: u64) -> bool {
    table.find(hash_of(number), &number.to_le_bytes()).is_some()
}

/// Sizes that Miri can do, too.
const MANY: u64 = if cfg!(miri) { 300 } else { 20_000 };

#[test]
fn a_table_holds_what_was_inserted_and_frees_what_was_removed() {
    let mut table = Table::new();
    for number in 0..MANY {
        add(&mut table, number);
    }
    assert_eq!(table.len() as u64, MANY);
    assert!((0..MANY).all(|number| has(&table, number)) && !has(&table, MANY));
    assert_eq!(table.iter().map(number).collect::<HashSet<_>>().len() as u64, MANY);
    for number in 0..MANY {
        assert!(delete(&mut table, number) && !delete(&mut table, number));
    }
    assert!(table.is_empty() && table.bytes() == 0);
}

#[test]
fn room_that_is_made_at_once_is_what_growth_would_have_made() {
    for before in [0, MANY / 3] {
        let (mut grown, mut table) = (Table::new(), Table::new());
        (0..MANY).for_each(|number| add(&mut grown, number));
        (0..before).for_each(|number| add(&mut table, number));
        table.expect(MANY as usize);
        let buckets = table.buckets();
        (before..MANY).for_each(|number| add(&mut table, number));
        assert_eq!((table.buckets(), table.len()), (buckets, grown.len()));
        assert_eq!((table.buckets(), table.chains.clone()), (grown.buckets(), grown.chains.clone()));
        assert!((0..MANY).all(|number| has(&table, number)) && !has(&table, MANY));
    }
}

#[test]
fn memory_follows_the_number_of_entries_up_and_down() {
    let mut table = Table::new();
    for number in 0..MANY {
        add(&mut table, number);
    }
    let buckets = table.buckets() as u64;
    assert!(buckets * 11 >= MANY * 2 && buckets * 11 <= MANY * 2 + 22);
    for number in MANY / 10..MANY {
        delete(&mut table, number);
    }
    assert!(table.buckets() as u64 <= MANY / 30 + 2);
    assert!((0..MANY / 10).all(|number| has(&table, number)));
}

#[test]
fn a_paused_table_keeps_its_buckets_and_catches_up_later() {
    let mut table = Table::new();
    for number in 0..MANY / 2 {
        add(&mut table, number);
    }
    let buckets = table.buckets();
    table.pause_resizing(true);
    for number in MANY / 2..MANY {
        add(&mut table, number);
    }
    assert_eq!(table.buckets(), buckets);
    table.pause_resizing(false);
    for number in MANY..2 * MANY {
        add(&mut table, number);
    }
    assert!((0..2 * MANY).all(|number| has(&table, number)));
    assert!(table.buckets() as u64 * 11 >= MANY * 4);
}

#[test]
fn scanning_visits_everything_that_stays_while_the_table_grows_and_shrinks() {
    let mut random = fastrand::Rng::with_seed(7);
    for round in 0..if cfg!(miri) { 3 } else { 200 } {
        let mut table = Table::new();
        let stay = 1 + random.u64(..MANY / 20);
        for number in 0..stay {
            add(&mut table, number);
        }
        let mut next = stay;
        let mut oldest = stay;
        let mut seen = HashSet::new();
        let mut cursor = 0;
        loop {
            cursor = table.scan(cursor, |word| _ = seen.insert(number(word)));
            if cursor == 0 {
                break;
            }
            // Between two calls the table changes size in either direction.
            let growing = random.bool();
            for _ in 0..random.u64(..stay) {
                if growing && next < 4 * MANY {
                    add(&mut table, next);
                    next += 1;
                } else if oldest < next {
                    delete(&mut table, oldest);
                    oldest += 1;
                }
            }
        }
        assert!((0..stay).all(|number| seen.contains(&number)), "round {round}");
    }
}

#[test]
fn scanning_a_table_that_rests_visits_everything_once() {
    let mut table = Table::new();
    for number in 0..MANY {
        add(&mut table, number);
    }
    let mut seen = Vec::new();
    let mut cursor = 0;
    loop {
        cursor = table.scan(cursor, |word| seen.push(number(word)));
        if cursor == 0 {
            break;
        }
    }
    seen.sort_unstable();
    assert_eq!(seen, (0..MANY).collect::<Vec<_>>());
}

/// Pearson's statistic of `draws` samples, which for a fair draw has mean n - 1 and variance 2 (n - 1).
fn deviations(counts: &HashMap<u64, u64>, entries: u64, draws: u64) -> f64 {
    let expected = draws as f64 / entries as f64;
    let unseen = (entries - counts.len() as u64) as f64 * expected;
    let statistic = counts.values().map(|&count| (count as f64 - expected).powi(2) / expected).sum::<f64>() + unseen;
    let freedom = (entries - 1) as f64;
    (statistic - freedom) / (2.0 * freedom).sqrt()
}

#[test]
#[cfg_attr(miri, ignore = "statistics need many draws")]
fn every_entry_has_the_same_chance_to_be_sampled() {
    const ENTRIES: u64 = 3000;
    const DRAWS: u64 = 300_000;
    let mut table = Table::new();
    (0..ENTRIES).for_each(|number| add(&mut table, number));
    assert!(!table.chains.is_empty(), "the test is about chains, too");
    let mut random = fastrand::Rng::with_seed(1);
    let mut counts = HashMap::new();
    for _ in 0..DRAWS {
        *counts.entry(number(table.sample(&mut random).unwrap())).or_insert(0) += 1;
    }
    let fair = deviations(&counts, ENTRIES, DRAWS);
    assert!(fair.abs() < 5.0, "{fair} standard deviations");

    // What a table would do that draws a bucket and then one of its entries: the test must see the difference.
    let mut counts = HashMap::new();
    for _ in 0..DRAWS {
        let mut entries = Vec::new();
        while entries.is_empty() {
            table.visit(random.usize(..table.buckets), &mut |word: &Word| entries.push(number(word)));
        }
        *counts.entry(entries[random.usize(..entries.len())]).or_insert(0) += 1;
    }
    assert!(deviations(&counts, ENTRIES, DRAWS) > 50.0);
}

#[derive(Clone, Debug)]
enum Step {
    Insert(u64),
    Remove(u64),
    Pause(bool),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..400u64).prop_map(Step::Insert),
        5 => (0..400u64).prop_map(Step::Remove),
        1 => any::<bool>().prop_map(Step::Pause),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 2 } else { 256 }, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn a_table_is_a_map(steps in proptest::collection::vec(step(), 1..if cfg!(miri) { 100 } else { 2000 })) {
        let mut table = Table::new();
        let mut model = HashSet::new();
        for step in steps {
            match step {
                Step::Insert(number) => if model.insert(number) {
                    add(&mut table, number);
                },
                Step::Remove(number) => prop_assert_eq!(delete(&mut table, number), model.remove(&number)),
                Step::Pause(paused) => table.pause_resizing(paused),
            }
            prop_assert_eq!(table.len(), model.len());
            let further: usize = (0..table.buckets).map(|index| table.bucket(index).chain_length()).sum();
            prop_assert_eq!(further, table.chains.iter().sum::<usize>());
        }
        prop_assert_eq!(table.iter().map(number).collect::<HashSet<_>>(), model);
    }
}
