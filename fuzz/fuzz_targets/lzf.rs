//! Compressed strings are decompressed as a plain reading of the format says, and whatever is compressed comes back.
//!
//! Input: the length that it claims to have (4 bytes, little-endian), and the compressed bytes.
#![no_main]

use std::cell::RefCell;

use ackd::base::lzf::{Compressor, decompress, decompress_into};
use ackd_fuzz::memory;
use libfuzzer_sys::fuzz_target;

/// The format, byte by byte.
fn plain(mut input: &[u8], expected: usize) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    while let [control, rest @ ..] = input {
        if *control < 32 {
            let (literals, rest) = rest.split_at_checked(usize::from(*control) + 1)?;
            out.extend_from_slice(literals);
            input = rest;
        } else {
            let (long, rest) = if control >> 5 == 7 { rest.split_first().map(|(n, r)| (*n, r))? } else { (0, rest) };
            let (low, rest) = rest.split_first()?;
            let back = (usize::from(control & 31) << 8 | usize::from(*low)) + 1;
            let start = out.len().checked_sub(back)?;
            for at in 0..usize::from(control >> 5) + usize::from(long) + 2 {
                out.push(out[start + at]);
            }
            input = rest;
        }
        if out.len() > expected {
            return None;
        }
    }
    (out.len() == expected).then_some(out)
}

fuzz_target!(|input: &[u8]| {
    thread_local! {
        static COMPRESSOR: RefCell<Compressor> = RefCell::new(Compressor::new());
    }
    let Some((len, data)) = input.split_first_chunk::<4>() else { return };
    let claimed = u32::from_le_bytes(*len) as usize;
    // What it claims, and what it would have to claim.
    let right = plain(data, usize::MAX).map_or(0, |out| out.len());
    for expected in [claimed, right] {
        let found = memory::for_input(input, || decompress(data, expected));
        assert_eq!(found, plain(data, expected));
        let mut behind = b"before".to_vec();
        assert_eq!(decompress_into(data, expected, &mut behind), found.is_some());
        assert_eq!(behind, [b"before", &found.unwrap_or_default()[..]].concat());
    }
    COMPRESSOR.with_borrow_mut(|compressor| {
        for bytes in [data, &plain(data, right).unwrap_or_default()] {
            let mut compressed = Vec::new();
            if compressor.compress(bytes, &mut compressed) {
                assert!(compressed.len() + 4 <= bytes.len());
                assert_eq!(plain(&compressed, bytes.len()).as_deref(), Some(bytes));
            } else {
                assert!(compressed.is_empty());
            }
        }
    });
});
