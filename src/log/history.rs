//! History ids: 40 hex digits that name a line of stream bytes (Redis' replication id), and node ids of the same form.
//!
//! Drawn through SHA-1, so that an id shown to clients tells nothing of the generator that the salts come from.

use std::fmt;

use sha1::{Digest, Sha1};

/// The name of a history (or of a node): 40 lowercase hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct HistoryId([u8; 40]);

impl HistoryId {
    /// Draws a new id.
    pub fn draw(rng: &mut fastrand::Rng) -> Self {
        let mut hasher = Sha1::new();
        for _ in 0..4 {
            hasher.update(rng.u64(..).to_le_bytes());
        }
        let mut id = [0; 40];
        for (pair, byte) in id.chunks_exact_mut(2).zip(hasher.finalize()) {
            pair[0] = b"0123456789abcdef"[usize::from(byte >> 4)];
            pair[1] = b"0123456789abcdef"[usize::from(byte & 15)];
        }
        Self(id)
    }

    /// Reads an id; `None` unless it is 40 lowercase hex digits.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let id: [u8; 40] = bytes.try_into().ok()?;
        id.iter().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')).then_some(Self(id))
    }

    /// The digits.
    pub fn as_bytes(&self) -> &[u8; 40] {
        &self.0
    }

    /// The digits as text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for HistoryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for HistoryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A history and the offset at which it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct History {
    /// Its name.
    pub id: HistoryId,
    /// Stream offset of its first byte.
    pub first_offset: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_forty_lowercase_hex_digits() {
        let id = HistoryId::draw(&mut fastrand::Rng::with_seed(1));
        assert_eq!(HistoryId::from_bytes(id.as_bytes()), Some(id));
        assert_ne!(id, HistoryId::draw(&mut fastrand::Rng::with_seed(2)));
        assert_eq!(HistoryId::from_bytes(&id.as_bytes()[1..]), None);
        assert_eq!(HistoryId::from_bytes(id.as_str().to_uppercase().as_bytes()), None);
    }
}
