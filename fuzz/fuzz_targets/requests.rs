//! Requests are the same however their bytes arrive: at once, or in pieces.
#![no_main]

use ackd::resp::{Limits, Parser, Step};
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
            Ok(Step::Incomplete { .. }) if end == bytes.len() => return (found, None),
            Ok(Step::Incomplete { .. }) => end = (end + piece).min(bytes.len()),
            Err(error) => return (found, Some(error.to_string())),
        }
    }
}

fuzz_target!(|input: (u8, &[u8])| {
    let (piece, bytes) = input;
    assert_eq!(requests(bytes, usize::from(piece).max(1)), requests(bytes, usize::MAX));
});
