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

fuzz_target!(|text: &[u8]| {
    let settings = |config: &Config| config.get(&[b"*"]);
    let first = memory::for_input(text, || read(text));
    assert_eq!(first.as_ref().map(settings), read(text).as_ref().map(settings));
    let Ok(config) = first else { return };
    for rewritten in [config.rewritten(text), config.rewritten_in_full(text)] {
        let again = read(&rewritten).unwrap_or_else(|error| panic!("{}: {error}", rewritten.escape_ascii()));
        assert_eq!(settings(&again), settings(&config), "{}", rewritten.escape_ascii());
    }
});
