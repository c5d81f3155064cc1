//! Replies are the same however their bytes arrive, at once or in pieces; and what was read, written again and read
//! again, is the same.
#![no_main]

use ackd::resp::{Incomplete, REPLY_DEPTH, Replies, Value, parse_reply};
use ackd_fuzz::memory;
use libfuzzer_sys::fuzz_target;

/// The replies in `bytes`, which come in pieces of `piece` bytes, each with its bytes; and the error at the end, if there is
/// one.
fn replies(bytes: &[u8], piece: usize) -> (Vec<(Value, Vec<u8>)>, Option<Incomplete>) {
    let mut reader = Replies::default();
    let mut found = Vec::new();
    for piece in bytes.chunks(piece) {
        reader.feed(piece);
        loop {
            match reader.next() {
                Ok(Some((value, raw))) => found.push((value, raw.to_vec())),
                Ok(None) => break,
                Err(error) => return (found, Some(error)),
            }
        }
    }
    (found, None)
}

fn write(value: &Value, to: &mut Vec<u8>) {
    let line = |to: &mut Vec<u8>, kind: u8, text: &[u8]| {
        to.push(kind);
        to.extend_from_slice(text);
        to.extend_from_slice(b"\r\n");
    };
    let number = |to: &mut Vec<u8>, kind: u8, number: usize| line(to, kind, number.to_string().as_bytes());
    let text = |to: &mut Vec<u8>, kind: u8, bytes: &[u8]| {
        number(to, kind, bytes.len());
        to.extend_from_slice(bytes);
        to.extend_from_slice(b"\r\n");
    };
    let items = |to: &mut Vec<u8>, kind: u8, items: &[Value]| {
        number(to, kind, items.len());
        items.iter().for_each(|item| write(item, to));
    };
    let pairs = |to: &mut Vec<u8>, kind: u8, pairs: &[(Value, Value)]| {
        number(to, kind, pairs.len());
        for (key, value) in pairs {
            write(key, to);
            write(value, to);
        }
    };
    match value {
        Value::Simple(bytes) => line(to, b'+', bytes),
        Value::Error(bytes) => line(to, b'-', bytes),
        Value::Integer(number) => line(to, b':', number.to_string().as_bytes()),
        Value::Double(bytes) => line(to, b',', bytes),
        Value::BigNumber(bytes) => line(to, b'(', bytes),
        Value::Boolean(true) => line(to, b'#', b"t"),
        Value::Boolean(false) => line(to, b'#', b"f"),
        Value::Null => line(to, b'_', b""),
        Value::NullBulk => line(to, b'$', b"-1"),
        Value::NullArray => line(to, b'*', b"-1"),
        Value::Bulk(bytes) => text(to, b'$', bytes),
        Value::BulkError(bytes) => text(to, b'!', bytes),
        Value::Verbatim(bytes) => text(to, b'=', bytes),
        Value::Array(inner) => items(to, b'*', inner),
        Value::Set(inner) => items(to, b'~', inner),
        Value::Push(inner) => items(to, b'>', inner),
        Value::Map(inner) => pairs(to, b'%', inner),
        Value::Attribute(attributes, value) => {
            pairs(to, b'|', attributes);
            write(value, to);
        }
    }
}

fn depth(value: &Value) -> usize {
    let deepest = |inner: &mut dyn Iterator<Item = &Value>| 1 + inner.map(depth).max().unwrap_or(0);
    match value {
        Value::Array(items) | Value::Set(items) | Value::Push(items) => deepest(&mut items.iter()),
        Value::Map(pairs) => deepest(&mut pairs.iter().flat_map(|(key, value)| [key, value])),
        Value::Attribute(pairs, value) => {
            deepest(&mut pairs.iter().flat_map(|(key, value)| [key, value]).chain([&**value]))
        }
        _ => 0,
    }
}

fuzz_target!(|bytes: &[u8]| {
    let at_once = memory::for_input(bytes, || replies(bytes, usize::MAX));
    for piece in [1, 2, 7, 64] {
        assert_eq!(replies(bytes, piece), at_once, "in pieces of {piece}");
    }
    for (value, raw) in &at_once.0 {
        assert!(depth(value) <= REPLY_DEPTH);
        assert_eq!(parse_reply(raw), Ok((value.clone(), raw.len())));
        let mut again = Vec::new();
        write(value, &mut again);
        assert_eq!(parse_reply(&again), Ok((value.clone(), again.len())));
        assert!(!value.to_string().is_empty());
    }
});
