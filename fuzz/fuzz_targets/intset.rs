//! Whole intsets, as files and payloads have them: taken if and only if they are sound, and to the set that they are.
//!
//! Input: an intset, header and all. It is tried as it is, and with a header that is right; then in order, and then each once.
#![no_main]

use ackd::keyspace::Value;
use ackd_fuzz::{dumps, memory};
use libfuzzer_sys::fuzz_target;

const SET_INTSET: u8 = 11;

/// The integers, by the description of the format; none if they are not in order, or not as many as stated.
fn plain(blob: &[u8]) -> Option<Vec<i64>> {
    let (header, integers) = blob.split_first_chunk::<8>()?;
    let width = *header.first_chunk::<4>()?;
    let count = u32::from_le_bytes(*header.last_chunk()?);
    let integers: Vec<i64> = match u32::from_le_bytes(width) {
        2 => integers.as_chunks().0.iter().map(|bytes| i16::from_le_bytes(*bytes).into()).collect(),
        4 => integers.as_chunks().0.iter().map(|bytes| i32::from_le_bytes(*bytes).into()).collect(),
        8 => integers.as_chunks().0.iter().map(|bytes| i64::from_le_bytes(*bytes)).collect(),
        _ => return None,
    };
    let bytes = integers.len() as u64 * u64::from(u32::from_le_bytes(width));
    let is_whole = bytes + 8 == blob.len() as u64 && integers.len() as u64 == u64::from(count);
    (is_whole && integers.is_sorted_by(|one, next| one < next)).then_some(integers)
}

fn look_at(blob: &[u8]) {
    let payload = dumps::packed(SET_INTSET, blob);
    let found = memory::for_input(blob, || dumps::elements(&payload));
    let expected = plain(blob);
    let texts = expected.as_ref().map(|integers| integers.iter().map(|n| n.to_string().into_bytes()).collect());
    assert_eq!(found, texts);
    let entry = memory::for_input(blob, || dumps::value(&payload));
    assert_eq!(entry.is_some(), expected.as_ref().is_some_and(|integers| !integers.is_empty()));
    let (Some(entry), Some(integers)) = (entry, expected) else { return };
    let Value::Set(set) = entry.value() else { panic!("an intset is a set") };
    assert_eq!(set.len(), integers.len());
    for integer in integers {
        assert!(set.contains(integer.to_string().as_bytes()), "{integer}");
    }
    dumps::survives(&entry);
}

fuzz_target!(|blob: &[u8]| {
    look_at(blob);
    if blob.len() < 8 {
        return;
    }
    let width = [2, 4, 8][usize::from(blob[0]) % 3];
    let integers: Vec<i64> = blob[8..]
        .chunks_exact(width)
        .map(|chunk| {
            let mut bytes = [0; 8];
            bytes[8 - width..].copy_from_slice(chunk);
            i64::from_le_bytes(bytes) >> (64 - 8 * width)
        })
        .collect();
    let mut sorted = integers.clone();
    sorted.sort_unstable();
    let mut once = sorted.clone();
    once.dedup();
    for integers in [integers, sorted, once] {
        let mut mended = (width as u32).to_le_bytes().to_vec();
        mended.extend((integers.len() as u32).to_le_bytes());
        mended.extend(integers.iter().flat_map(|integer| integer.to_le_bytes().into_iter().take(width)));
        look_at(&mended);
    }
});
