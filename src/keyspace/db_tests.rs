use std::collections::{BTreeMap, BTreeSet, HashMap};

use proptest::prelude::*;

use super::*;
use crate::keyspace::{Encoding, Family, HashLimits, NewExpiry, RedisDigest, Set, SetLimits, Text, Value, hash};

fn value(entry: &Entry) -> Vec<u8> {
    entry.text().unwrap().as_bytes(&mut itoa::Buffer::new()).to_vec()
}

fn set(db: &mut Db, key: &[u8], value: &[u8], expiry: Option<i64>) {
    db.set(hash(key), key, value, expiry);
}

fn encoding(db: &Db, key: &[u8]) -> Encoding {
    db.find(hash(key), key).unwrap().encoding()
}

/// The index has exactly the keys that expire.
fn check_index(db: &Db) {
    let mut indexed = Vec::new();
    let mut cursor = 0;
    loop {
        cursor = db.scan_volatile(cursor, |entry| indexed.push((entry.key().to_vec(), entry.expiry().unwrap())));
        if cursor == 0 {
            break;
        }
    }
    let mut expected: Vec<_> = db.iter().filter_map(|entry| Some((entry.key().to_vec(), entry.expiry()?))).collect();
    indexed.sort_unstable();
    expected.sort_unstable();
    assert_eq!(indexed, expected);
    assert_eq!(db.volatile_len(), expected.len());
}

/// The index of hashes has exactly the times at which the next of their fields expire.
fn check_fields(db: &mut Db) {
    let mut expected: Vec<_> = db.iter().filter_map(|entry| Some((next_field(entry)?, entry.key().to_vec()))).collect();
    assert_eq!(db.fields.len(), expected.len());
    expected.sort_unstable();
    for (at_ms, _) in expected {
        assert_eq!(db.next_field_expiry(), Some(at_ms));
        let key = db.next_to_expire().expect("it is the hash with that time").key().to_vec();
        db.remove(hash(&key), &key);
    }
    assert_eq!(db.next_field_expiry(), None);
}

#[test]
fn encodings_have_the_names_and_limits_of_redis() {
    let mut db = Db::new();
    for (text, expected) in [
        ("12345".to_owned(), Encoding::Int),
        ("-9223372036854775808".to_owned(), Encoding::Int),
        ("9223372036854775808".to_owned(), Encoding::Embstr),
        ("012".to_owned(), Encoding::Embstr),
        (String::new(), Encoding::Embstr),
        ("x".repeat(44), Encoding::Embstr),
        ("x".repeat(45), Encoding::Raw),
        ("x".repeat(100_000), Encoding::Raw),
    ] {
        set(&mut db, b"k", text.as_bytes(), None);
        assert_eq!(encoding(&db, b"k"), expected);
        assert_eq!(value(db.find(hash(b"k"), b"k").unwrap()), text.as_bytes());
    }
    set(&mut db, b"k", b"12", None);
    db.buffer_mut(hash(b"k"), b"k").unwrap().push(b'3');
    assert_eq!((encoding(&db, b"k"), value(db.find(hash(b"k"), b"k").unwrap())), (Encoding::Raw, b"123".to_vec()));
    db.set_int(hash(b"k"), b"k", 7);
    assert_eq!(encoding(&db, b"k"), Encoding::Int);
}

#[test]
fn a_key_of_any_length_is_found_with_its_value_and_expiry() {
    let mut db = Db::new();
    for length in [0, 1, 255, 256, 70_000] {
        let key = vec![b'k'; length];
        set(&mut db, &key, b"value", Some(length as i64));
        let entry = db.find(hash(&key), &key).unwrap();
        assert_eq!((entry.key(), value(entry), entry.expiry()), (&key[..], b"value".to_vec(), Some(length as i64)));
    }
    check_index(&db);
}

#[test]
fn marking_the_last_use_of_a_key_leaves_everything_else_alone() {
    let mut db = Db::new();
    set(&mut db, b"k", b"value", Some(5));
    let entry = db.find(hash(b"k"), b"k").unwrap();
    entry.set_used(0x00ab_cdef);
    assert_eq!((entry.used(), entry.key(), entry.expiry()), (0x00ab_cdef, &b"k"[..], Some(5)));
    set(&mut db, b"k", b"something longer", None);
    assert_eq!(db.find(hash(b"k"), b"k").unwrap().used(), 0x00ab_cdef);
}

#[test]
fn the_common_string_takes_128_bytes() {
    let entry = Entry::string(&[b'k'; 16], &[b'v'; 100], None);
    assert_eq!(entry.heap_bytes(0), 128);
}

#[test]
fn a_digest_tells_everything_that_a_replay_must_preserve_and_nothing_else() {
    let base = Entry::string(b"k", b"12", None).digest();
    assert_eq!(base, Entry::buffer(b"k", b"12".to_vec(), None).digest());
    assert_ne!(base, Entry::string(b"k", b"13", None).digest());
    assert_ne!(base, Entry::string(b"l", b"12", None).digest());
    assert_ne!(base, Entry::string(b"k", b"12", Some(1)).digest());
    assert_ne!(Entry::string(b"k", b"12", Some(2)).digest(), Entry::string(b"k", b"12", Some(1)).digest());
}

#[test]
fn the_digest_for_comparing_servers_is_that_of_redis() {
    let mut dbs = [Db::new(), Db::new()];
    let digest = |dbs: &[Db; 2]| RedisDigest::of_databases((0..).zip(dbs.iter())).to_hex();
    assert_eq!(digest(&dbs), "0".repeat(40));
    set(&mut dbs[0], b"foo", b"bar", None);
    assert_eq!(digest(&dbs), FOO_BAR);
    set(&mut dbs[0], b"number", b"42", Some(1));
    set(&mut dbs[1], b"foo", b"bar", None);
    assert_eq!(digest(&dbs), THREE_KEYS);
    let found = dbs[0].find(hash(b"number"), b"number");
    assert_eq!(RedisDigest::of_value(found).to_hex(), NUMBER);
}

/// What redis-server answers to the same commands.
const FOO_BAR: &str = "d2ab4820c1be0580ea28efbfe8bfa1dc05bb802a";
const THREE_KEYS: &str = "3e3b1ab4a0cb2f8001f290f3fdadeab3366b9571";
const NUMBER: &str = "b2fffeb5eb322d48ec77f4f949383d7cace23627";

#[derive(Clone, Debug)]
enum Step {
    Set(u8, Vec<u8>, Option<i64>),
    SetInt(u8, i64),
    Append(u8, Vec<u8>),
    Add(u8, Vec<u8>),
    Field(u8, u8, Option<i64>),
    RemoveField(u8, u8),
    Expire(u8, Option<i64>),
    Remove(u8),
    Rename(u8, u8),
    Copy(u8, u8, Option<i64>),
    Clear,
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..60),
        any::<i64>().prop_map(|number| number.to_string().into_bytes()),
        proptest::collection::vec(any::<u8>(), 1000..1100),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let expiry = || proptest::option::of(0..i64::MAX);
    prop_oneof![
        6 => (any::<u8>(), bytes(), expiry()).prop_map(|(key, value, expiry)| Step::Set(key, value, expiry)),
        2 => (any::<u8>(), any::<i64>()).prop_map(|(key, value)| Step::SetInt(key, value)),
        2 => (any::<u8>(), bytes()).prop_map(|(key, value)| Step::Append(key, value)),
        6 => (any::<u8>(), bytes()).prop_map(|(key, member)| Step::Add(key, member)),
        6 => (any::<u8>(), 0..6u8, proptest::option::of(0..9i64)).prop_map(|(key, field, at)| Step::Field(key, field, at)),
        3 => (any::<u8>(), 0..6u8).prop_map(|(key, field)| Step::RemoveField(key, field)),
        3 => (any::<u8>(), expiry()).prop_map(|(key, expiry)| Step::Expire(key, expiry)),
        3 => any::<u8>().prop_map(Step::Remove),
        2 => (any::<u8>(), any::<u8>()).prop_map(|(from, to)| Step::Rename(from, to)),
        2 => (any::<u8>(), any::<u8>(), expiry()).prop_map(|(from, to, expiry)| Step::Copy(from, to, expiry)),
        1 => Just(Step::Clear),
    ]
}

/// A value of any type, and what it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Content {
    Text(Vec<u8>),
    Set(BTreeSet<Vec<u8>>),
    /// Fields, whose values are always the same, with their expiry times.
    Hash(BTreeMap<Vec<u8>, Option<i64>>),
}

fn content(entry: &Entry) -> Content {
    match entry.value() {
        Value::String(text) => Content::Text(text.to_vec()),
        Value::Set(set) => Content::Set(set.iter().map(Text::to_vec).collect()),
        Value::Hash(hash) => {
            let mut fields = BTreeMap::new();
            hash.each(|field, _, expiry| _ = fields.insert(field.to_vec(), expiry));
            Content::Hash(fields)
        }
        _ => unreachable!("these tests make no others"),
    }
}

/// Small, so that all representations occur.
const LIMITS: SetLimits = SetLimits { intset_entries: 3, listpack_entries: 3, listpack_value: 64 };

/// Adds a member to a set, which is made if the key is missing; whether the key has no value of another type.
fn add(db: &mut Db, key: &[u8], member: &[u8], expiry: Option<i64>) -> bool {
    let Some(place) = db.find_mut(hash(key), key) else {
        let mut set = Set::for_members(member, 1, &LIMITS);
        set.insert(member, &LIMITS);
        db.insert(hash(key), Entry::of(key, set, expiry));
        return true;
    };
    let set = place.into_value().and_then(Set::of_mut);
    set.map(|set| set.insert(member, &LIMITS)).is_some()
}

/// Sets a field of a hash, which is made if the key is missing; whether the key has no value of another type.
fn set_field(db: &mut Db, key: &[u8], field: &[u8], at: Option<i64>, expiry: Option<i64>) -> bool {
    let limits = HashLimits { listpack_entries: 3, listpack_value: 64 };
    let change = |hash: &mut Hash| _ = hash.set(field, b"v", NewExpiry::Is(at), &limits);
    let Some(place) = db.find_mut(hash(key), key) else {
        let mut new = Hash::new();
        change(&mut new);
        db.insert(hash(key), Entry::of(key, new, expiry));
        return true;
    };
    place.edit_hash(change).is_some()
}

/// Keys of which some share a long beginning and some need the long form of the header.
fn key(number: u8) -> Vec<u8> {
    [vec![b'k'; if number.is_multiple_of(16) { 300 } else { 3 }], vec![number]].concat()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 2 } else { 128 }, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn a_database_is_a_map_of_values_and_expiries(
        steps in proptest::collection::vec(step(), 1..if cfg!(miri) { 80 } else { 1000 })
    ) {
        let mut db = Db::new();
        let mut model: HashMap<Vec<u8>, (Content, Option<i64>)> = HashMap::new();
        for step in steps {
            match step {
                Step::Set(number, value, expiry) => {
                    set(&mut db, &key(number), &value, expiry);
                    model.insert(key(number), (Content::Text(value), expiry));
                }
                Step::SetInt(number, value) => {
                    db.set_int(hash(&key(number)), &key(number), value);
                    let text = Content::Text(value.to_string().into_bytes());
                    let expiry = model.get(&key(number)).and_then(|(_, expiry)| *expiry);
                    model.insert(key(number), (text, expiry));
                }
                Step::Append(number, value) => {
                    let buffer = db.buffer_mut(hash(&key(number)), &key(number));
                    let expected = match model.get_mut(&key(number)) {
                        Some((Content::Text(text), _)) => Some(text),
                        _ => None,
                    };
                    prop_assert_eq!(buffer.is_some(), expected.is_some());
                    buffer.into_iter().chain(expected).for_each(|text| text.extend_from_slice(&value));
                }
                Step::Add(number, member) => {
                    let added = add(&mut db, &key(number), &member, None);
                    let expected = model.entry(key(number)).or_insert((Content::Set(BTreeSet::new()), None));
                    prop_assert_eq!(added, matches!(&expected.0, Content::Set(_)));
                    if let Content::Set(set) = &mut expected.0 {
                        set.insert(member);
                    }
                }
                Step::Field(number, field, at) => {
                    let set = set_field(&mut db, &key(number), &[field], at, None);
                    let expected = model.entry(key(number)).or_insert((Content::Hash(BTreeMap::new()), None));
                    prop_assert_eq!(set, matches!(&expected.0, Content::Hash(_)));
                    if let Content::Hash(fields) = &mut expected.0 {
                        fields.insert(vec![field], at);
                    }
                }
                Step::RemoveField(number, field) => {
                    let place = db.find_mut(hash(&key(number)), &key(number));
                    let removed = place.and_then(|place| place.edit_hash(|hash| hash.remove(&[field])));
                    if let Some((Content::Hash(fields), _)) = model.get_mut(&key(number)) {
                        prop_assert_eq!(removed, Some(fields.remove(&vec![field]).is_some()));
                    } else {
                        prop_assert_eq!(removed, None);
                    }
                }
                Step::Expire(number, expiry) => {
                    let found = db.set_expiry(hash(&key(number)), &key(number), expiry);
                    prop_assert_eq!(found, model.contains_key(&key(number)));
                    model.entry(key(number)).and_modify(|value| value.1 = expiry);
                }
                Step::Remove(number) => {
                    let removed = db.remove(hash(&key(number)), &key(number)).map(|entry| content(&entry));
                    prop_assert_eq!(removed, model.remove(&key(number)).map(|value| value.0));
                }
                Step::Rename(from, to) => {
                    let (from, to) = (key(from), key(to));
                    let renamed = db.rename((hash(&from), &from), (hash(&to), &to));
                    let taken = model.remove(&from);
                    prop_assert_eq!(renamed, taken.is_some());
                    model.extend(taken.map(|value| (to, value)));
                }
                Step::Copy(from, to, expiry) => {
                    let (from, to) = (key(from), key(to));
                    let copy = db.find(hash(&from), &from).map(|entry| entry.duplicate(&to, expiry));
                    if let Some(copy) = copy {
                        db.insert(hash(&to), copy);
                        model.insert(to, (model[&from].0.clone(), expiry));
                    }
                }
                Step::Clear => {
                    prop_assert_eq!(db.clear().len(), model.len());
                    model.clear();
                }
            }
        }
        check_index(&db);
        let found: HashMap<_, _> =
            db.iter().map(|entry| (entry.key().to_vec(), (content(entry), entry.expiry()))).collect();
        prop_assert_eq!(&found, &model);
        // The digest depends on the content alone.
        let mut again = Db::new();
        for (key, (value, expiry)) in &model {
            match value {
                Content::Text(text) => set(&mut again, key, text, *expiry),
                Content::Hash(fields) if fields.is_empty() => _ = again.insert(hash(key), Entry::of(key, Hash::new(), *expiry)),
                Content::Hash(fields) => {
                    fields.iter().for_each(|(field, at)| _ = set_field(&mut again, key, field, *at, *expiry));
                }
                Content::Set(members) => members.iter().for_each(|member| _ = add(&mut again, key, member, *expiry)),
            }
        }
        prop_assert_eq!(again.digest(), db.digest());
        check_fields(&mut db);
    }
}
