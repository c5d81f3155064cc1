//! Payloads of DUMP around bytes of any kind, with a checksum that is right: a wrong one would stop whatever is in them.

use std::collections::BTreeSet;
use std::rc::Rc;

use ackd::base::crc64::crc64;
use ackd::base::text::Text;
use ackd::command::dump;
use ackd::disk::sim::World;
use ackd::engine::Engine;
use ackd::engine::config::Config;
use ackd::engine::serial::{self, Limits};
use ackd::keyspace::{Entry, StreamId, Value};
use ackd::rdb::{Event, Part, Reader, Version, Writer};

/// What ends a payload: two bytes of a version, and eight of a checksum.
pub const FOOTER: usize = 10;

/// The versions in which a value can be written.
pub const VERSIONS: [Version; 4] = [Version::V9, Version::V10, Version::V11, Version::V12];

/// A payload of this version with this content: the type of a value, and the value.
pub fn payload(value: &[u8], version: u16) -> Vec<u8> {
    let mut payload = value.to_vec();
    payload.extend(version.to_le_bytes());
    let checksum = crc64(0, &payload);
    payload.extend(checksum.to_le_bytes());
    payload
}

/// The payload with its checksum made right; of version 12 if it had none that is known.
pub fn mended(bytes: &[u8]) -> Vec<u8> {
    let (value, footer) = bytes.split_at(bytes.len().saturating_sub(FOOTER));
    let version = match *footer {
        [low @ 1..=13, 0, ..] => u16::from(low),
        [80, 0, ..] => 80,
        _ => 12,
    };
    payload(value, version)
}

/// Appends a string as an RDB file has it, not compressed.
pub fn string(bytes: &[u8], out: &mut Vec<u8>) {
    out.push(0x80);
    out.extend((bytes.len() as u32).to_be_bytes());
    out.extend(bytes);
}

/// A payload with a collection that stands in one string, as those of this type do.
pub fn packed(code: u8, blob: &[u8]) -> Vec<u8> {
    let mut value = vec![code];
    string(blob, &mut value);
    payload(&value, 12)
}

/// How values are represented when nothing is set.
pub fn limits() -> Limits {
    thread_local! {
        static LIMITS: Limits = {
            let clock = Rc::new(World::new(1).clock());
            dump::limits(&Engine::new(clock, fastrand::Rng::with_seed(1), Config::new()))
        };
    }
    LIMITS.with(|limits| *limits)
}

/// The value in a payload.
pub fn value(payload: &[u8]) -> Option<Entry> {
    dump::restored(b"key", None, payload, limits()).ok()
}

/// The elements that a reader hands out for a payload of one packed string, if it takes it; each in its bytes.
pub fn elements(payload: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut reader = Reader::of_dump(payload).expect("the checksum is right");
    let mut found = Vec::new();
    loop {
        match reader.next().ok()? {
            Event::Part(Part::Packed(packed)) => {
                let before = found.len();
                found.extend(packed.iter().map(Text::to_vec));
                assert_eq!(found.len() - before, packed.len(), "as many elements as are counted");
            }
            Event::KeyEnd => return reader.is_at_end().ok()?.then_some(found),
            _ => {}
        }
    }
}

/// No member, field or id is there twice.
fn is_sound(entry: &Entry) {
    if let Value::Stream(stream) = entry.value() {
        let ids: Vec<_> = stream.entries().range(StreamId::MIN, StreamId::MAX).map(|entry| entry.id).collect();
        assert!(ids.is_sorted_by(|one, next| one < next), "{ids:?}");
        assert_eq!(ids.len(), stream.entries().len());
        return;
    }
    let step = match entry.value() {
        Value::Set(_) => 1,
        Value::Zset(_) | Value::Hash(_) => 2,
        _ => return,
    };
    let mut seen = BTreeSet::new();
    let mut add = |text: Text<'_>| assert!(seen.insert(text.to_vec()), "{text:?} is there twice");
    let each = |event: &Event<'_>| {
        match event {
            Event::Part(Part::Packed(packed)) => packed.iter().step_by(step).for_each(&mut add),
            Event::Part(Part::Element(text) | Part::Scored { member: text, .. } | Part::Field { field: text, .. }) => {
                add(*text);
            }
            _ => {}
        }
        Ok::<(), ()>(())
    };
    serial::events(entry, each).expect("nothing fails");
}

/// A value is sound, and is written in the form of every version that has one, and read to the same value.
pub fn survives(entry: &Entry) {
    is_sound(entry);
    let needed = serial::needed_version(entry.value());
    let digest = |entry: &Entry| entry.duplicate(b"", None).digest();
    for version in VERSIONS {
        for compress in [false, true] {
            let mut writer = Writer::of_dump(version, compress);
            if serial::events(entry, |event| writer.write(event)).is_err() {
                assert!(version < needed, "{version} is enough, and cannot say it");
                continue;
            }
            let again = value(&writer.into_dump()).expect("what was written can be read");
            if version >= needed {
                assert_eq!(digest(&again), digest(entry), "version {version}");
            }
        }
    }
}
