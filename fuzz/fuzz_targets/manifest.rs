//! A MANIFEST that is accepted is, byte for byte, what would be written for what it says. The checksum is made right, or
//! nothing else would ever be looked at.
#![no_main]

use ackd::log::Manifest;
use ackd_fuzz::memory;
use libfuzzer_sys::fuzz_target;

fn look_at(text: &[u8]) {
    if let Ok(manifest) = memory::for_input(text, || Manifest::parse(text)) {
        assert_eq!(manifest.render().as_bytes(), text);
    }
}

fuzz_target!(|text: &[u8]| {
    look_at(text);
    let line = text.windows(9).rposition(|window| window == b"checksum ");
    let mut mended = text[..line.unwrap_or(text.len())].to_vec();
    let checksum = crc32fast::hash(&mended);
    mended.extend_from_slice(format!("checksum {checksum:08x}\n").as_bytes());
    look_at(&mended);
});
