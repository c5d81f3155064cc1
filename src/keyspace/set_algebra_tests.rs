//! Tests of the algebra against that of sorted sets of strings, in all representations.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::super::collection::Collection;
use super::super::kind::Encoding;
use super::*;

const LIMITS: SetLimits = SetLimits { intset_entries: 8, listpack_entries: 6, listpack_value: 10 };

type Model = BTreeSet<Vec<u8>>;

fn of(members: &Model, limits: &SetLimits) -> Set {
    let mut set = Set::for_members(members.first().map_or(b"1", Vec::as_slice), members.len(), limits);
    members.iter().for_each(|member| _ = set.insert(member, limits));
    set
}

fn member() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => (-4..8i64).prop_map(|value| value.to_string().into_bytes()),
        3 => (0..40u8).prop_map(|number| format!("m{number}").into_bytes()),
    ]
}

fn members() -> impl Strategy<Value = Model> {
    prop_oneof![
        2 => proptest::collection::btree_set(member(), 1..60),
        2 => proptest::collection::btree_set(member(), 1..6),
        2 => proptest::collection::btree_set((-20..20i64).prop_map(|value| value.to_string().into_bytes()), 1..30),
    ]
}

fn expected(algebra: Algebra, models: &[Option<&Model>]) -> Model {
    let empty = Model::new();
    let mut models = models.iter().map(|model| model.unwrap_or(&empty));
    let first = models.next().cloned().unwrap_or_default();
    models.fold(first, |left, right| match algebra {
        Algebra::Intersection => &left & right,
        Algebra::Union => &left | right,
        Algebra::Difference => &left - right,
    })
}

proptest! {
    #[test]
    fn it_is_the_algebra_of_sets_whatever_their_representations(
        models in proptest::collection::vec(members(), 1..6),
        picks in proptest::collection::vec(proptest::option::weighted(0.95, any::<proptest::sample::Index>()), 1..24),
        scale in 1..8usize,
    ) {
        let limits = SetLimits { intset_entries: 4 * scale, listpack_entries: 3 * scale, ..LIMITS };
        let sets: Vec<Set> = models.iter().map(|model| of(model, &limits)).collect();
        let operands: Vec<Option<&Set>> = picks.iter().map(|pick| pick.map(|pick| pick.get(&sets))).collect();
        let picked: Vec<Option<&Model>> = picks.iter().map(|pick| pick.map(|pick| pick.get(&models))).collect();
        for algebra in [Algebra::Intersection, Algebra::Union, Algebra::Difference] {
            let expected = expected(algebra, &picked);
            let mut found = Vec::new();
            algebra.members(&operands, |member| {
                found.push(member.to_vec());
                Continue(())
            });
            prop_assert_eq!(found.len(), expected.len(), "{:?} gives each member once", algebra);
            prop_assert_eq!(&found.into_iter().collect::<Model>(), &expected, "{:?}", algebra);
            let result = algebra.result(&operands, &LIMITS);
            prop_assert_eq!(&result.iter().map(Text::to_vec).collect::<Model>(), &expected, "{:?}", algebra);
            let mut count = 0;
            algebra.members(&operands, |_| {
                count += 1;
                if count == 3 { ControlFlow::Break(()) } else { Continue(()) }
            });
            prop_assert_eq!(count, expected.len().min(3), "{:?} ends when it is told", algebra);
        }
    }
}

#[test]
fn a_difference_takes_away_what_costs_less_than_looking_up() {
    let limits = SetLimits { intset_entries: 0, listpack_entries: 20, listpack_value: 64 };
    let words = |range: std::ops::Range<u32>| of(&range.map(|n| format!("m{n:03}").into_bytes()).collect(), &limits);
    let (large, all_but_one, few) = (words(0..100), words(1..100), words(50..52));
    let encoding = |rest: &[Option<&Set>]| {
        let operands = [&[Some(&large)], rest].concat();
        Algebra::Difference.result(&operands, &limits).encoding()
    };
    assert!(!subtracts(&large, &[Some(&all_but_one)]));
    assert_eq!(encoding(&[Some(&all_but_one)]), Encoding::Listpack, "one member was added");
    assert!(subtracts(&large, &[Some(&few), Some(&few)]));
    let three = [Some(&all_but_one), Some(&few), Some(&few), Some(&few)];
    assert!(subtracts(&large, &three));
    assert_eq!(encoding(&three), Encoding::Hashtable, "all were added, and then but one removed");
}
