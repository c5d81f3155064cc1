//! Tests of [`Set`] against a set of strings, and of its representations.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

const LIMITS: SetLimits = SetLimits { intset_entries: 8, listpack_entries: 6, listpack_value: 10 };

fn of(members: &[&str], limits: &SetLimits) -> Set {
    let mut set = Set::for_members(members[0].as_bytes(), members.len(), limits);
    members.iter().for_each(|member| _ = set.insert(member.as_bytes(), limits));
    set
}

fn member() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => (-6..6i64).prop_map(|value| value.to_string().into_bytes()),
        1 => any::<i64>().prop_map(|value| value.to_string().into_bytes()),
        4 => proptest::collection::vec(b'a'..b'd', 0..3),
        1 => proptest::collection::vec(any::<u8>(), 8..14),
    ]
}

proptest! {
    #[test]
    fn it_behaves_like_a_set_whatever_its_representation(
        steps in proptest::collection::vec((0..3u8, member()), 1..60),
        scale in 1..4usize,
    ) {
        let limits = SetLimits { intset_entries: 4 * scale, listpack_entries: 3 * scale, ..LIMITS };
        let mut set = Set::for_members(&steps[0].1, 1, &limits);
        let mut model = BTreeSet::new();
        for (step, member) in steps {
            prop_assert_eq!(set.contains(&member), model.contains(&member));
            match step {
                0 => prop_assert_eq!(set.remove(&member), model.remove(&member)),
                _ => prop_assert_eq!(set.insert(&member, &limits), model.insert(member)),
            }
            prop_assert_eq!(set.len(), model.len());
            let found: BTreeSet<Vec<u8>> = set.iter().map(Text::to_vec).collect();
            prop_assert_eq!(&found, &model);
            let mut large = set.clone();
            large.enlarge();
            prop_assert_eq!(large.digest(), set.digest());
            let digest = |set: &Set| {
                let mut digest = RedisDigest::default();
                set.redis_digest(&mut digest);
                digest
            };
            prop_assert_eq!(digest(&large), digest(&set));
        }
    }
}

#[test]
fn representations_change_as_in_redis() {
    let encoding = |members: &[&str]| of(members, &LIMITS).encoding();
    assert_eq!(encoding(&["1", "2", "3"]), Encoding::Intset);
    assert_eq!(encoding(&["1", "2", "a"]), Encoding::Listpack);
    assert_eq!(encoding(&["a", "1", "2"]), Encoding::Listpack);
    assert_eq!(encoding(&["1", "2", "3", "4", "5", "6", "7", "8"]), Encoding::Intset);
    assert_eq!(encoding(&["1", "2", "3", "4", "5", "6", "7", "8", "9"]), Encoding::Hashtable);
    assert_eq!(encoding(&["a", "b", "c", "d", "e", "f"]), Encoding::Listpack);
    assert_eq!(encoding(&["a", "b", "c", "d", "e", "f", "g"]), Encoding::Hashtable);
    assert_eq!(encoding(&["a", "0123456789"]), Encoding::Listpack);
    assert_eq!(encoding(&["a", "0123456789x"]), Encoding::Hashtable);
    assert_eq!(encoding(&["12345678901", "a"]), Encoding::Hashtable, "the integer is too long for a listpack");
    assert_eq!(encoding(&["1", "0123456789x"]), Encoding::Hashtable);
    let mut integers = of(&["1", "2", "3", "4", "5", "6"], &LIMITS);
    assert!(integers.insert(b"a", &LIMITS));
    assert_eq!(integers.encoding(), Encoding::Hashtable, "a listpack has no room for a seventh");
    let mut expecting = of(&["1"], &LIMITS);
    expecting.expect(9, &LIMITS);
    assert_eq!(expecting.encoding(), Encoding::Hashtable);
}

#[test]
fn memory_follows_the_members() {
    let limits = SetLimits { intset_entries: 512, listpack_entries: 128, listpack_value: 64 };
    let grown = |count: usize| {
        let mut set = Set::for_members(b"x", 1, &limits);
        (0..count).for_each(|number| _ = set.insert(format!("member:{number:08}").as_bytes(), &limits));
        assert_eq!(set.heap_bytes(0), set.heap_bytes(10), "all members are of one size");
        set.heap_bytes(0)
    };
    let each = |count: usize| grown(count) as f64 / count as f64;
    // 15 bytes and what a listpack needs; then the class of 16, and a slot in a bucket that is nearly full.
    assert!(each(100) < 21.0, "{}", each(100));
    for count in [200, 1000, 6000, 20_000, 50_000] {
        assert!(each(count) < 36.0, "{count}: {}", each(count));
    }
}
