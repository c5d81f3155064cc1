//! No configuration file makes the reader panic, and reading one twice gives the same.
#![no_main]

use ackd::engine::config::{Config, Reader, Source};
use libfuzzer_sys::fuzz_target;

fn read(text: &[u8]) -> Result<Vec<&'static str>, String> {
    thread_local! {
        static DEFAULTS: Config = Config::new();
    }
    let mut config = DEFAULTS.with(Clone::clone);
    let source = Source { name: "fuzzed.conf".into(), text: text.to_vec() };
    let mut reader = Reader::new(&mut config);
    reader.file(&source, &mut |_| Ok(Vec::new())).map_err(|error| error.to_string())?;
    Ok(reader.given().to_vec())
}

fuzz_target!(|text: &[u8]| assert_eq!(read(text), read(text)));
