//! A pattern means what a second reading of the rules, by trying everything, says it means.
//!
//! Input: the length of the pattern, the pattern, the text. Where trying everything would take too long, only the time
//! counts that the real one takes.
#![no_main]

use ackd::base::glob;
use ackd_fuzz::bytes::Bytes;
use libfuzzer_sys::fuzz_target;

/// Of the pattern, its first element without a star: whether it takes that byte, and what follows it.
fn element(pattern: &[u8], byte: u8, fold: fn(u8) -> u8) -> (bool, &[u8]) {
    match pattern {
        [b'?', rest @ ..] => (true, rest),
        [b'\\', escaped, rest @ ..] => (fold(*escaped) == fold(byte), rest),
        [b'[', b'^', class @ ..] => {
            let (found, rest) = class_takes(class, byte, fold);
            (!found, rest)
        }
        [b'[', class @ ..] => class_takes(class, byte, fold),
        [literal, rest @ ..] => (fold(*literal) == fold(byte), rest),
        [] => unreachable!("there is an element"),
    }
}

/// Whether a class takes a byte, and what follows it. One that is not closed goes on to the end.
fn class_takes(class: &[u8], byte: u8, fold: fn(u8) -> u8) -> (bool, &[u8]) {
    match class {
        [] => (false, class),
        [b']', rest @ ..] => (false, rest),
        // An escaped byte is compared as it is, whatever the case.
        [b'\\', escaped, rest @ ..] => {
            let (found, rest) = class_takes(rest, byte, fold);
            (found || *escaped == byte, rest)
        }
        [one, b'-', other, rest @ ..] => {
            let (low, high) = ((*one as i8).min(*other as i8), (*one as i8).max(*other as i8));
            let folded = |byte: i8| fold(byte as u8) as i8;
            let is_between = (folded(low)..=folded(high)).contains(&folded(byte as i8));
            let (found, rest) = class_takes(rest, byte, fold);
            (found || is_between, rest)
        }
        [single, rest @ ..] => {
            let (found, rest) = class_takes(rest, byte, fold);
            (found || fold(*single) == fold(byte), rest)
        }
    }
}

/// Whether the pattern takes all of the text. Stars take nothing only where something was taken before.
fn takes(pattern: &[u8], text: &[u8], is_begun: bool, fold: fn(u8) -> u8) -> bool {
    let stars = pattern.iter().take_while(|byte| **byte == b'*').count();
    if text.is_empty() {
        return if is_begun { stars == pattern.len() } else { pattern.is_empty() };
    }
    if stars > 0 {
        let rest = &pattern[stars..];
        return rest.is_empty() || (0..text.len()).any(|at| takes(rest, &text[at..], is_begun || at > 0, fold));
    }
    let Some((byte, text)) = text.split_first() else { return false };
    if pattern.is_empty() {
        return false;
    }
    let (found, rest) = element(pattern, *byte, fold);
    found && takes(rest, text, true, fold)
}

fuzz_target!(|input: &[u8]| {
    let mut bytes = Bytes(input);
    let len = usize::from(bytes.u16()) % (bytes.0.len() + 1);
    let (pattern, text) = (bytes.take(len), bytes.0);
    let exact = glob::matches(pattern, text);
    let folded = glob::matches_ignoring_case(pattern, text);
    let stars = pattern.iter().filter(|byte| **byte == b'*').count();
    if text.len() <= 24 && stars <= 4 {
        assert_eq!(exact, takes(pattern, text, false, |byte| byte));
        assert_eq!(folded, takes(pattern, text, false, |byte| byte.to_ascii_lowercase()));
    }
});
