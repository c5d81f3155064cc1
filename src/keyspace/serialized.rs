//! How many bytes values take in an RDB file without compression, for DEBUG OBJECT.

use super::collection::Value;
use super::entry::Entry;
use crate::base::text::Text;

/// Strings up to this length are stored as integers there if they are small ones.
const INTEGER_MAX: usize = 11;

/// A length or a number of elements.
pub(super) fn length(len: usize) -> usize {
    match len {
        0..=63 => 1,
        64..=16_383 => 2,
        _ if len <= u32::MAX as usize => 5,
        _ => 9,
    }
}

/// A string that stands alone; short ones are stored as integers if they are.
pub(super) fn string(text: Text<'_>) -> usize {
    match text {
        Text::Int(value) => integer(value),
        Text::Bytes(bytes) if bytes.len() <= INTEGER_MAX => text.to_int().map_or(blob(bytes.len()), integer),
        Text::Bytes(bytes) => blob(bytes.len()),
    }
}

fn integer(value: i64) -> usize {
    match value {
        -0x80..=0x7f => 2,
        -0x8000..=0x7fff => 3,
        -0x8000_0000..=0x7fff_ffff => 5,
        _ => blob(Text::Int(value).len()),
    }
}

/// Bytes with their length before them, as strings, intsets and listpacks are stored.
pub(super) fn blob(len: usize) -> usize {
    length(len) + len
}

impl Entry {
    /// Bytes that the value takes in an RDB file without compression.
    pub fn serialized_len(&self) -> usize {
        match self.value() {
            Value::String(text) => string(text),
            value => value.collection().map_or(0, |collection| collection.serialized_len()),
        }
    }
}
