//! The id of an entry: a time in milliseconds and a number that tells entries of one millisecond apart.

/// An id. Ids are ordered by time, then by number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct StreamId {
    /// Milliseconds since the Unix epoch, as a rule.
    pub ms: u64,
    /// The number within the millisecond.
    pub seq: u64,
}

/// Two numbers of 64 bits and the dash between them.
const TEXT_MAX: usize = 41;

/// The text of an id, on the stack.
pub struct IdText {
    bytes: [u8; TEXT_MAX],
    len: usize,
}

impl std::ops::Deref for IdText {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

impl StreamId {
    /// The smallest id, which no entry has.
    pub const MIN: Self = Self::new(0, 0);
    /// The largest id.
    pub const MAX: Self = Self::new(u64::MAX, u64::MAX);

    /// An id.
    pub const fn new(ms: u64, seq: u64) -> Self {
        Self { ms, seq }
    }

    /// The id behind this one.
    pub fn next(self) -> Option<Self> {
        match self.seq.checked_add(1) {
            Some(seq) => Some(Self { seq, ..self }),
            None => Some(Self::new(self.ms.checked_add(1)?, 0)),
        }
    }

    /// The id before this one.
    pub fn previous(self) -> Option<Self> {
        match self.seq.checked_sub(1) {
            Some(seq) => Some(Self { seq, ..self }),
            None => Some(Self::new(self.ms.checked_sub(1)?, u64::MAX)),
        }
    }

    /// `ms-seq`, as replies show it.
    pub fn text(self) -> IdText {
        let mut text = IdText { bytes: [0; TEXT_MAX], len: 0 };
        let mut buffer = itoa::Buffer::new();
        for part in [buffer.format(self.ms).as_bytes(), b"-", itoa::Buffer::new().format(self.seq).as_bytes()] {
            text.bytes[text.len..text.len + part.len()].copy_from_slice(part);
            text.len += part.len();
        }
        text
    }

    /// How many of the sixteen bytes of two ids are equal, from the highest on.
    pub(super) fn common_bytes(self, other: Self) -> u32 {
        let number = |id: Self| u128::from(id.ms) << 64 | u128::from(id.seq);
        (number(self) ^ number(other)).leading_zeros() / 8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_neighbours_except_at_the_ends() {
        assert_eq!(StreamId::new(1, u64::MAX).next(), Some(StreamId::new(2, 0)));
        assert_eq!(StreamId::new(2, 0).previous(), Some(StreamId::new(1, u64::MAX)));
        assert_eq!((StreamId::MAX.next(), StreamId::MIN.previous()), (None, None));
        assert_eq!(&*StreamId::MAX.text(), b"18446744073709551615-18446744073709551615");
    }
}
