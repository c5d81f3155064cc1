//! Whole zipmaps, as old files have them: taken if and only if they are sound, and to the pairs that are in them.
//!
//! Input: a zipmap, from its count to its end mark. It is tried as it is, and as one of unknown count.
#![no_main]

use ackd_fuzz::{dumps, memory};
use libfuzzer_sys::fuzz_target;

const HASH_ZIPMAP: u8 = 9;

/// Fields and values, by the description of the format.
fn plain(blob: &[u8]) -> Option<Vec<Vec<u8>>> {
    let byte = |at: usize| blob.get(at).copied();
    let length = |at: &mut usize| match byte(*at)? {
        255 => None,
        254 => {
            let len = u32::from_le_bytes(*blob.get(*at + 1..)?.first_chunk()?);
            *at += 5;
            Some(len as usize)
        }
        len => {
            *at += 1;
            Some(usize::from(len))
        }
    };
    let (mut at, mut found) = (1, Vec::new());
    let last = blob.len().checked_sub(1).filter(|last| *last > 0 && blob[*last] == 255)?;
    while at < last {
        let len = length(&mut at)?;
        found.push(blob.get(at..at + len)?.to_vec());
        at += len;
        let len = length(&mut at)?;
        let free = usize::from(byte(at)?);
        at += 1;
        found.push(blob.get(at..at + len)?.to_vec());
        at += len + free;
    }
    let count = byte(0)?;
    (at == last && (count >= 254 || usize::from(count) * 2 == found.len())).then_some(found)
}

fn look_at(blob: &[u8]) {
    let payload = dumps::packed(HASH_ZIPMAP, blob);
    let found = memory::for_input(blob, || dumps::elements(&payload));
    assert_eq!(found, plain(blob));
    if let Some(entry) = memory::for_input(blob, || dumps::value(&payload)) {
        dumps::survives(&entry);
    }
}

fuzz_target!(|blob: &[u8]| {
    look_at(blob);
    if let [_, pairs @ ..] = blob {
        look_at(&[&[254], pairs, &[255]].concat());
    }
});
