//! Any sequence of requests leaves the engine in the state that its effects make: the shadow keyspace, which only applies
//! them, is compared after every command. None takes more memory than values of 1 MiB justify.
//!
//! Input: a family of commands, then for each command its number, and what decides its words; see `requests`.
#![no_main]

use std::time::Duration;

use ackd_fuzz::bytes::Bytes;
use ackd_fuzz::session::{COMMAND_MEMORY, Session};
use ackd_fuzz::{memory, requests};
use libfuzzer_sys::fuzz_target;

/// So that values cannot grow without end.
const COMMANDS: usize = 128;

fuzz_target!(|input: &[u8]| {
    let mut bytes = Bytes(input);
    let (rows, _) = requests::rows();
    let family = requests::family(&mut bytes);
    let mut session = Session::with_shadow();
    for _ in 0..COMMANDS {
        if bytes.is_empty() {
            return;
        }
        let number = usize::from(bytes.u16());
        if number % 16 == 15 {
            session.wait(Duration::from_millis(1 << (number / 16 % 24)));
        }
        let row = requests::row(&rows, family, number as u16);
        let words = requests::request(&row.spec, &requests::KEYS, &mut bytes);
        let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
        memory::within(COMMAND_MEMORY, || session.run(&words));
    }
});
