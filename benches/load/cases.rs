//! The files: one for each kind of values, in the forms in which Redis 7.0 keeps them, compressed as by default.

use std::fs::File;

use ackd::engine::serial::events;
use ackd::keyspace::{End, Entry, Hash, List, NewExpiry, Set, SetLimits, Stream, StreamId, StreamLimits, Zset};
use ackd::rdb::{Event, Options, Version, Writer};
use fastrand::Rng;

use crate::LIMITS;

pub struct Case {
    pub name: &'static str,
    pub keys: usize,
    /// One in so many expires; zero for none.
    expiring: usize,
    pub version: Version,
    entry: fn(&[u8], &mut Rng) -> Entry,
}

const fn case(name: &'static str, keys: usize, entry: fn(&[u8], &mut Rng) -> Entry) -> Case {
    Case { name, keys, expiring: 0, version: Version::V10, entry }
}

pub const CASES: &[Case] = &[
    Case { expiring: 10, ..case("strings", 5_000_000, string) },
    case("text", 200_000, text),
    Case { expiring: 12, ..case("mixed", 5_000_000, mixed) },
    case("small-hash", 200_000, |key, random| hash(key, random, 5..51)),
    case("small-set", 100_000, |key, random| set(key, random, 5..51)),
    // Which Redis has from 7.2 on.
    Case { version: Version::V11, ..case("packed-set", 200_000, |key, random| set(key, random, 5..51)) },
    case("small-zset", 200_000, |key, random| zset(key, random, 5..51)),
    case("small-list", 200_000, |key, random| list(key, random, 5..51)),
    case("small-stream", 100_000, stream),
    case("intset", 200_000, intset),
    case("large-hash", 100, |key, random| hash(key, random, 9000..11000)),
    case("large-set", 100, |key, random| set(key, random, 9000..11000)),
    case("large-zset", 100, |key, random| zset(key, random, 9000..11000)),
    case("large-list", 100, |key, random| list(key, random, 9000..11000)),
];

impl Case {
    pub fn write(&self, file: File) {
        let mut random = Rng::with_seed(1);
        let options = Options { version: self.version, compress: true, checksum: true };
        let mut writer = Writer::new(file, options);
        let mut write = |event: &Event<'_>| writer.write(event);
        write(&Event::Database(0)).expect("it is written");
        let expiring = self.keys.checked_div(self.expiring).unwrap_or(0) as u64;
        write(&Event::Sizes { keys: self.keys as u64, expiring }).expect("it is written");
        for number in 0..self.keys {
            let key = format!("key:{number:012}").into_bytes();
            events(&(self.entry)(&key, &mut random), &mut write).expect("it is written");
        }
        write(&Event::End { checked: true }).expect("it is written");
    }
}

fn word(random: &mut Rng, len: std::ops::Range<usize>) -> Vec<u8> {
    (0..random.usize(len)).map(|_| random.alphanumeric() as u8).collect()
}

/// One in ten is an integer, and one in ten expires in a time to come.
fn string(key: &[u8], random: &mut Rng) -> Entry {
    let expires_ms = (random.u8(..10) == 0).then(|| 4_000_000_000_000 + random.i64(..1_000_000_000));
    match random.u8(..10) {
        0 => Entry::int(key, random.i64(..1_000_000), expires_ms),
        _ => Entry::string(key, &word(random, 10..31), expires_ms),
    }
}

fn text(key: &[u8], random: &mut Rng) -> Entry {
    let mut text = String::new();
    while text.len() < 1000 {
        let (id, score) = (random.u32(..1_000_000), random.u32(..1000));
        let name = ["alice", "bob", "carol"][random.usize(..3)];
        text += &format!(r#"{{"id":{id},"name":"{name}","email":"{name}{score}@example.com","score":{score}}},"#);
    }
    Entry::string(key, text.as_bytes(), None)
}

fn mixed(key: &[u8], random: &mut Rng) -> Entry {
    match random.u8(..20) {
        0 => hash(key, random, 3..11),
        1 => zset(key, random, 3..11),
        2 => list(key, random, 3..11),
        3 => intset(key, random),
        _ => string(key, random),
    }
}

fn hash(key: &[u8], random: &mut Rng, fields: std::ops::Range<usize>) -> Entry {
    let mut hash = Hash::new();
    for number in 0..random.usize(fields) {
        let (field, value) = (format!("field:{number}"), word(random, 4..20));
        hash.set(field.as_bytes(), &value, NewExpiry::Keep, &LIMITS.hash);
    }
    Entry::of(key, hash, None)
}

fn set(key: &[u8], random: &mut Rng, members: std::ops::Range<usize>) -> Entry {
    let count = random.usize(members);
    let limits: &SetLimits = &LIMITS.set;
    let mut set = Set::for_members(b"word", count, limits);
    (0..count).for_each(|_| _ = set.insert(&word(random, 6..20), limits));
    Entry::of(key, set, None)
}

fn zset(key: &[u8], random: &mut Rng, members: std::ops::Range<usize>) -> Entry {
    let count = random.usize(members);
    let mut zset = Zset::for_members(count, 0, &LIMITS.zset);
    for number in 0..count {
        let member = format!("member:{number}:{}", random.u16(..));
        let score = if random.bool() { random.i32(..1_000_000).into() } else { random.f64() * 1000.0 };
        zset.insert(member.as_bytes(), score, &LIMITS.zset);
    }
    Entry::of(key, zset, None)
}

fn list(key: &[u8], random: &mut Rng, elements: std::ops::Range<usize>) -> Entry {
    let mut list = List::new();
    for _ in 0..random.usize(elements) {
        let element = word(random, 4..30);
        list.expect(element.len(), 1, &LIMITS.list);
        list.push(End::Right, &element, &LIMITS.list);
    }
    Entry::of(key, list, None)
}

fn intset(key: &[u8], random: &mut Rng) -> Entry {
    let mut set = Set::for_members(b"0", 0, &LIMITS.set);
    let mut digits = itoa::Buffer::new();
    (0..random.u8(5..50)).for_each(|_| {
        let number = random.i32(..100_000_000);
        set.insert(digits.format(number).as_bytes(), &LIMITS.set);
    });
    Entry::of(key, set, None)
}

fn stream(key: &[u8], random: &mut Rng) -> Entry {
    let mut stream = Stream::new();
    let limits = StreamLimits { node_bytes: 4096, node_entries: 100 };
    for number in 0..random.u64(5..50) {
        let (user, temperature) = (word(random, 4..20), word(random, 3..6));
        let pairs: [&[u8]; 4] = [b"user", &user, b"temperature", &temperature];
        let id = StreamId { ms: 1_700_000_000_000 + number * 10, seq: 0 };
        stream.entries_mut().append(id, &pairs, &limits).expect("ids rise");
    }
    Entry::of(key, stream, None)
}
