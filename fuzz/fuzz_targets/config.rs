//! No configuration file makes the reader panic, reading one twice gives the same, and what CONFIG REWRITE makes of it says
//! the same again.
#![no_main]

use ackd::engine::config::{Config, Reader, Source};
use ackd_fuzz::memory;
use libfuzzer_sys::fuzz_target;

fn read(text: &[u8]) -> Result<Config, String> {
    thread_local! {
        static DEFAULTS: Config = Config::new();
    }
    let mut config = DEFAULTS.with(Clone::clone);
    let source = Source { name: "fuzzed.conf".into(), text: text.to_vec() };
    Reader::new(&mut config).file(&source, &mut |_| Ok(Vec::new())).map_err(|error| error.to_string())?;
    Ok(config)
}

/// Every setting with its value.
fn settings(config: &Config) -> Vec<u8> {
    config.rewritten_in_full(b"")
}

fuzz_target!(|text: &[u8]| {
    let Ok(config) = memory::for_input(text, || read(text)) else { return };
    let expected = settings(&config);
    let rewritten = config.rewritten(text);
    // To read a line for each setting takes long.
    let in_full = if text.len() % 8 == 0 { config.rewritten_in_full(text) } else { Vec::new() };
    for again in [text, &rewritten, &in_full].into_iter().filter(|again| !again.is_empty()) {
        let config = read(again).unwrap_or_else(|error| panic!("{}: {error}", again.escape_ascii()));
        assert_eq!(settings(&config).escape_ascii().to_string(), expected.escape_ascii().to_string());
    }
});
