//! Requests are the same however their bytes arrive, at once or in pieces; and what is read from a file of commands is
//! what a client would have asked for.
#![no_main]

use ackd::resp::{Limits, Parser, Step, commands};
use ackd_fuzz::memory;
use libfuzzer_sys::fuzz_target;

/// The requests in `bytes`, of which more comes each time none is whole, in pieces of `piece` bytes; and the error at
/// the end, if there is one.
fn requests(bytes: &[u8], piece: usize) -> (Vec<Vec<Vec<u8>>>, Option<String>) {
    let (mut parser, limits) = (Parser::default(), Limits::default());
    let (mut start, mut end) = (0, piece.min(bytes.len()));
    let mut found = Vec::new();
    loop {
        match parser.step(&bytes[start..end], &limits) {
            Ok(Step::Request { len }) => {
                found.push(parser.arguments(&bytes[start..end]).iter().map(|argument| argument.to_vec()).collect());
                start += len;
            }
            Ok(Step::Empty { len }) => start += len,
            Ok(Step::Incomplete { at_least }) => {
                assert!(at_least > end - start, "what is there is not enough");
                if end == bytes.len() {
                    return (found, None);
                }
                end = (end + piece).min(bytes.len());
            }
            Err(error) => return (found, Some(error.to_string())),
        }
    }
}

fuzz_target!(|bytes: &[u8]| {
    // The first look is the one that is measured: those behind it keep what it found.
    let at_once = memory::for_input(bytes, || requests(bytes, usize::MAX));
    for piece in [1, 2, 7, 64] {
        assert_eq!(requests(bytes, piece), at_once, "in pieces of {piece}");
    }
    let kept = memory::for_input(bytes, || commands(bytes).map_while(Result::ok).collect::<Vec<_>>());
    for (command, request) in kept.iter().zip(&at_once.0) {
        assert_eq!(command.arguments, *request);
    }
    assert!(kept.len() <= at_once.0.len());
});
