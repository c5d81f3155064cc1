//! What large tables hold: the members of sets, and the fields of hashes with their values. One allocation each.

use super::blob::Blob;
use super::table::Keyed;

/// A member of a set.
#[derive(Clone)]
#[repr(transparent)]
pub struct Member(Blob);

impl Member {
    /// A member with these bytes.
    pub fn new(bytes: &[u8]) -> Self {
        Self(Blob::new(&[bytes]))
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        self.0.bytes()
    }

    /// Bytes that it takes in memory.
    pub fn heap_bytes(&self) -> usize {
        self.0.heap_bytes()
    }
}

impl Keyed for Member {
    fn key(&self) -> &[u8] {
        self.0.bytes()
    }

    fn prefetch(&self) {
        self.0.prefetch();
    }
}

/// A field of a hash with its value and, if it has one, the time at which it expires.
///
/// ```text
/// | flags: u8 | expiry: i64, with EXPIRES | length of the field: u8, or u64 with LONG | field | value |
/// ```
#[derive(Clone)]
#[repr(transparent)]
pub struct Field(Blob);

const EXPIRES: u8 = 1;
const LONG: u8 = 2;

impl Field {
    /// A field with a value that expires at a time, in milliseconds since the epoch.
    pub fn new(field: &[u8], value: &[u8], expiry: Option<i64>) -> Self {
        let expiry_bytes = expiry.unwrap_or_default().to_le_bytes();
        let length_bytes = (field.len() as u64).to_le_bytes();
        let is_long = field.len() > usize::from(u8::MAX);
        let flags = if expiry.is_some() { EXPIRES } else { 0 } | if is_long { LONG } else { 0 };
        Self(Blob::new(&[
            &[flags],
            &expiry_bytes[..if expiry.is_some() { 8 } else { 0 }],
            &length_bytes[..if is_long { 8 } else { 1 }],
            field,
            value,
        ]))
    }

    /// Field and value.
    pub fn parts(&self) -> (&[u8], &[u8]) {
        let (start, end) = self.span();
        (&self.0.bytes()[start..end], &self.0.bytes()[end..])
    }

    /// The value.
    pub fn value(&self) -> &[u8] {
        self.parts().1
    }

    /// When the field expires.
    pub fn expiry(&self) -> Option<i64> {
        let bytes = self.0.bytes();
        if bytes[0] & EXPIRES == 0 {
            return None;
        }
        bytes[1..].first_chunk().map(|bytes| i64::from_le_bytes(*bytes))
    }

    /// Puts another value in place of this one; the expiry time stays.
    pub fn set_value(&mut self, value: &[u8]) {
        let end = self.span().1;
        if self.0.bytes().len() - end == value.len() {
            self.0.bytes_mut()[end..].copy_from_slice(value);
        } else {
            *self = Self::new(self.parts().0, value, self.expiry());
        }
    }

    /// Sets or removes the expiry time.
    pub fn set_expiry(&mut self, expiry: Option<i64>) {
        match expiry {
            Some(at_ms) if self.expiry().is_some() => {
                self.0.bytes_mut()[1..9].copy_from_slice(&at_ms.to_le_bytes());
            }
            _ if expiry == self.expiry() => {}
            _ => {
                let (field, value) = self.parts();
                *self = Self::new(field, value, expiry);
            }
        }
    }

    /// Bytes that it takes in memory.
    pub fn heap_bytes(&self) -> usize {
        self.0.heap_bytes()
    }

    /// Where the field begins and ends.
    fn span(&self) -> (usize, usize) {
        let bytes = self.0.bytes();
        let at = if bytes[0] & EXPIRES == 0 { 1 } else { 9 };
        if bytes[0] & LONG == 0 {
            return (at + 1, at + 1 + usize::from(bytes[at]));
        }
        let len = bytes[at..].first_chunk().expect("a long field has a length of eight bytes");
        (at + 8, at + 8 + u64::from_le_bytes(*len) as usize)
    }
}

impl Keyed for Field {
    fn key(&self) -> &[u8] {
        self.parts().0
    }

    fn prefetch(&self) {
        self.0.prefetch();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn short_members_take_the_smallest_classes() {
        for (len, bytes) in
            [(0, 8), (7, 8), (8, 16), (15, 16), (16, 24), (23, 24), (24, 32), (32, 40), (254, 256), (255, 320)]
        {
            assert_eq!(Member::new(&vec![b'x'; len]).heap_bytes(), bytes, "{len}");
        }
        assert_eq!(Field::new(b"field", b"value", None).heap_bytes(), 16);
    }

    proptest! {
        #[test]
        fn a_field_keeps_what_it_is_given(
            field in proptest::collection::vec(any::<u8>(), 0..300),
            values in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 1..5),
            expiries in proptest::collection::vec(any::<Option<i64>>(), 1..5),
        ) {
            let mut entry = Field::new(&field, &values[0], expiries[0]);
            prop_assert_eq!((entry.parts(), entry.expiry()), ((&field[..], &values[0][..]), expiries[0]));
            for expiry in &expiries {
                entry.set_expiry(*expiry);
                for value in &values {
                    entry.set_value(value);
                    let copy = entry.clone();
                    prop_assert_eq!((copy.parts(), copy.expiry()), ((&field[..], &value[..]), *expiry));
                }
            }
        }
    }
}
