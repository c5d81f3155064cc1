//! A MANIFEST that is accepted is, byte for byte, what would be written for what it says.
#![no_main]

use ackd::log::Manifest;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(manifest) = Manifest::parse(bytes) {
        assert_eq!(manifest.render().as_bytes(), bytes);
    }
});
