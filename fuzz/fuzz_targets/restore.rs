//! RESTORE of any payload, and then every command on that key: whatever was let in can be read, changed and removed, and
//! after each command the shadow, which applies the effects alone, is equal.
//!
//! Input: a payload of DUMP, whose checksum is made right. The commands' other words are drawn from its bytes.
#![no_main]

use ackd::command::spec;
use ackd_fuzz::bytes::Bytes;
use ackd_fuzz::session::{COMMAND_MEMORY, Session};
use ackd_fuzz::{dumps, memory, requests};
use libfuzzer_sys::fuzz_target;

/// Bytes to decide what a command is called with.
const A_COMMAND: usize = 24;

fuzz_target!(|bytes: &[u8]| {
    let payload = dumps::mended(bytes);
    let Some(entry) = memory::for_input(bytes, || dumps::value(&payload)) else { return };
    dumps::survives(&entry);
    drop(entry);
    let restore = [b"RESTORE".as_slice(), b"a", b"0", &payload, b"REPLACE"];
    let mut session = Session::with_shadow();
    let mut rng = fastrand::Rng::with_seed(crc32fast::hash(bytes).into());
    let mut is_changed = true;
    for row in requests::rows().1 {
        let words: Vec<u8> = std::iter::repeat_with(|| rng.u8(..)).take(A_COMMAND).collect();
        let words = requests::request(&row.spec, &[b"a", b"a", b"b"], &mut Bytes(&words));
        let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
        memory::within(COMMAND_MEMORY + 600 * bytes.len(), || {
            if is_changed {
                assert_eq!(session.run(&restore), b"+OK\r\n");
            }
            session.run(&words);
        });
        is_changed = row.spec.flags.has(spec::WRITE);
    }
});
