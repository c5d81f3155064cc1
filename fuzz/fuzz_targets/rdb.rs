//! Any bytes, read as an RDB file or as a payload of DUMP, end in an error or in sound values: those are written again in
//! the form of every version that has one, and read to the same value.
#![no_main]

use ackd::base::crc64::crc64;
use ackd::command::dump;
use ackd::disk::sim::World;
use ackd::engine::Engine;
use ackd::engine::config::Config;
use ackd::engine::serial::{self, Limits, Loading};
use ackd::keyspace::Entry;
use ackd::rdb::{Event, Reader, Version, Writer};
use libfuzzer_sys::fuzz_target;
use std::rc::Rc;

fn limits() -> Limits {
    thread_local! {
        static LIMITS: Limits = {
            let clock = Rc::new(World::new(1).clock());
            dump::limits(&Engine::new(clock, fastrand::Rng::with_seed(1), Config::new()))
        };
    }
    LIMITS.with(|limits| *limits)
}

/// The values of a file, as far as it can be read.
fn values(file: &[u8]) -> Vec<Entry> {
    let mut values = Vec::new();
    let Ok(mut reader) = Reader::new(file) else { return values };
    let mut loading = None;
    let mut name = Vec::new();
    loop {
        match reader.next() {
            Err(_) | Ok(Event::End { .. }) => return values,
            Ok(Event::Key(key)) => {
                name = key.name.to_vec();
                loading = Some((Loading::new(&key, limits()), key.expires_ms));
            }
            Ok(Event::Part(part)) => {
                if let Some((value, _)) = &mut loading
                    && value.part(&part).is_err()
                {
                    loading = None;
                }
            }
            Ok(Event::KeyEnd) => {
                let finished = loading.take().map(|(value, expires_ms)| value.finish(&name, expires_ms));
                values.extend(finished.and_then(Result::ok));
            }
            Ok(_) => {}
        }
    }
}

/// The value of a payload.
fn value(payload: &[u8]) -> Option<Entry> {
    let mut reader = Reader::of_dump(payload)?;
    let Ok(Event::Key(key)) = reader.next() else { return None };
    let mut loading = Loading::new(&key, limits());
    loop {
        match reader.next().ok()? {
            Event::Part(part) => loading.part(&part).ok()?,
            Event::KeyEnd => return loading.finish(b"key", None).ok(),
            _ => return None,
        }
    }
}

fn dumped(entry: &Entry, version: Version) -> Option<Vec<u8>> {
    let mut writer = Writer::of_dump(version, true);
    serial::events(entry, |event| writer.write(event)).ok()?;
    Some(writer.into_dump())
}

fuzz_target!(|bytes: &[u8]| {
    ackd::keyspace::fix_hash_seed(1);
    let Some((mode, rest)) = bytes.split_first() else { return };
    let entries = match mode % 3 {
        0 => values(rest),
        1 => values(&[b"REDIS0012", rest].concat()),
        _ => {
            let mut payload = rest.to_vec();
            payload.extend_from_slice(&crc64(0, rest).to_le_bytes());
            value(&payload).into_iter().collect()
        }
    };
    for entry in entries {
        let needed = serial::needed_version(entry.value());
        for version in [Version::V9, Version::V10, Version::V11, Version::V12] {
            let Some(payload) = dumped(&entry, version) else {
                assert!(version < needed, "a version that is enough");
                continue;
            };
            let again = value(&payload).expect("what was written can be read");
            if version >= needed {
                assert_eq!(again.duplicate(b"", None).digest(), entry.duplicate(b"", None).digest(), "version {version}");
            }
        }
    }
});
