//! A string of bytes that may be kept as the integer which it spells: what string values and elements of collections are.
//!
//! What always holds when it was made by [`Text::of`]: the canonical decimal form of an `i64` is [`Text::Int`], everything
//! else is [`Text::Bytes`], so two of them are equal exactly if their bytes are.

use super::number;

/// A string, as it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Text<'a> {
    /// The canonical decimal form of this number.
    Int(i64),
    /// These bytes.
    Bytes(&'a [u8]),
}

impl<'a> Text<'a> {
    /// These bytes, as an integer if they are one in canonical form.
    pub fn of(bytes: &'a [u8]) -> Self {
        // An integer begins with a digit or a minus; most other strings are told apart by that.
        match bytes.first() {
            Some(b'0'..=b'9' | b'-') => number::parse_i64(bytes).map_or(Self::Bytes(bytes), Self::Int),
            _ => Self::Bytes(bytes),
        }
    }

    /// The value as bytes; `buffer` is needed for integers.
    pub fn as_bytes<'b>(self, buffer: &'b mut itoa::Buffer) -> &'b [u8]
    where
        'a: 'b,
    {
        match self {
            Self::Int(value) => buffer.format(value).as_bytes(),
            Self::Bytes(bytes) => bytes,
        }
    }

    /// The value as bytes of its own.
    pub fn to_vec(self) -> Vec<u8> {
        self.as_bytes(&mut itoa::Buffer::new()).to_vec()
    }

    /// Length of the value in bytes.
    pub fn len(self) -> usize {
        match self {
            Self::Int(value) => number::decimal_len(value),
            Self::Bytes(bytes) => bytes.len(),
        }
    }

    /// Whether the value has no bytes.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The value as an integer, if it is one in canonical form.
    pub fn to_int(self) -> Option<i64> {
        match self {
            Self::Int(value) => Some(value),
            Self::Bytes(bytes) => number::parse_i64(bytes),
        }
    }
}

impl<'a> From<&'a [u8]> for Text<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self::of(bytes)
    }
}

impl From<i64> for Text<'_> {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}
