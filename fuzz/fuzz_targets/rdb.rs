//! Any bytes, read as an RDB file or as a payload of DUMP, end in an error or in sound values: those are written again in
//! the form of every version that has one, and read to the same value. Whatever is read of a file can be written piece by
//! piece, and gives the same pieces again.
//!
//! Input: a file, if it begins as one, whose checksum is made right; else a payload of DUMP, of which the same holds.
#![no_main]

use ackd::base::crc64::crc64;
use ackd::engine::serial::Loading;
use ackd::keyspace::Entry;
use ackd::rdb::{Error, Event, Options, Part, Reader, Version, Writer};
use ackd_fuzz::{dumps, memory};
use libfuzzer_sys::fuzz_target;

/// The values of a file, as far as it can be read, and whether that is to its end.
fn values(file: &[u8]) -> (Vec<Entry>, bool) {
    let mut values = Vec::new();
    let Ok(reader) = Reader::new(file) else { return (values, false) };
    let mut reader = reader.skip_modules();
    let mut loading = None;
    let mut name = Vec::new();
    loop {
        match reader.next() {
            Err(_) => return (values, false),
            Ok(Event::End { .. }) => return (values, true),
            Ok(Event::Key(key)) => {
                name = key.name.to_vec();
                loading = Some((Loading::new(&key, dumps::limits()), key.expires_ms));
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

/// What a file says, to its end: all pieces, or only what does not depend on the version, element by element.
fn pieces(file: &[u8], in_full: bool) -> Result<Vec<String>, Error> {
    let mut reader = Reader::new(file)?.skip_modules();
    let mut pieces = Vec::new();
    loop {
        match reader.next()? {
            Event::End { .. } => return Ok(pieces),
            // What was left out cannot be written.
            Event::SkippedModule { .. } => {}
            event if in_full => pieces.push(format!("{event:?}")),
            Event::Key(key) => {
                let used = (key.expires_ms, key.idle_s, key.frequency);
                pieces.push(format!("{:?} {:?} {used:?}", key.name, key.kind));
            }
            Event::Part(Part::Packed(packed)) => pieces.extend(packed.iter().map(|text| format!("{text:?}"))),
            Event::Part(Part::Element(text) | Part::String(text)) => pieces.push(format!("{text:?}")),
            // Older versions say less of these.
            Event::Part(Part::StreamState(_) | Part::Group { .. } | Part::Consumer { .. }) => {}
            event => pieces.push(format!("{event:?}")),
        }
    }
}

/// The file written anew piece by piece, unless this version cannot say a piece of it.
fn rewritten(file: &[u8], version: Version) -> Option<Vec<u8>> {
    let mut reader = Reader::new(file).ok()?.skip_modules();
    let mut written = Vec::new();
    let mut writer = Writer::new(&mut written, Options { version, compress: file.len() % 2 == 0, checksum: true });
    loop {
        match reader.next().ok()? {
            Event::SkippedModule { .. } => {}
            event => {
                writer.write(&event).ok()?;
                if matches!(event, Event::End { .. }) {
                    break;
                }
            }
        }
    }
    drop(writer);
    Some(written)
}

fuzz_target!(|bytes: &[u8]| {
    ackd::keyspace::fix_hash_seed(1);
    if !bytes.starts_with(b"REDIS") && !bytes.starts_with(b"VALKEY") {
        let payload = dumps::mended(bytes);
        memory::for_input(bytes, || dumps::value(&payload)).iter().for_each(dumps::survives);
        return;
    }
    let mut file = bytes.to_vec();
    if let Some((content, checksum)) = file.split_last_chunk_mut() {
        *checksum = crc64(0, content).to_le_bytes();
    }
    let (values, is_whole) = memory::for_input(bytes, || values(&file));
    values.iter().for_each(dumps::survives);
    if is_whole {
        // Version 12 has all that any other has.
        let once = rewritten(&file, Version::V12).expect("what was read can be written");
        let twice = rewritten(&once, Version::V12).expect("what was written can be read");
        let said = |file, in_full| pieces(file, in_full).expect("it was read before");
        assert_eq!(said(&once, false), said(&file, false));
        assert_eq!(said(&twice, true), said(&once, true));
    }
});
