//! Many strings of bytes in one allocation: what a command gathers before it can go on with the keyspace.

/// The place of a string in [`Texts`].
#[derive(Clone, Copy, Debug)]
pub struct Span {
    start: usize,
    end: usize,
}

/// Strings, one behind the other.
#[derive(Clone, Debug, Default)]
pub struct Texts {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Texts {
    /// No strings, with room for so many.
    pub fn with_capacity(count: usize) -> Self {
        Self { bytes: Vec::new(), ends: Vec::with_capacity(count) }
    }

    /// Adds a string.
    pub fn push(&mut self, text: &[u8]) -> Span {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(text);
        self.ends.push(self.bytes.len());
        Span { start, end: self.bytes.len() }
    }

    /// Number of strings.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The string at a place.
    pub fn get(&self, span: Span) -> &[u8] {
        &self.bytes[span.start..span.end]
    }

    /// The places of all strings.
    pub fn spans(&self) -> impl ExactSizeIterator<Item = Span> {
        let starts = |at: usize| if at == 0 { 0 } else { self.ends[at - 1] };
        self.ends.iter().enumerate().map(move |(at, &end)| Span { start: starts(at), end })
    }

    /// All strings.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.spans().map(|span| self.get(span))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_come_back_as_they_were_added() {
        let words: [&[u8]; 4] = [b"one", b"", b"\0\r\n", b"four"];
        let mut texts = Texts::with_capacity(2);
        let spans: Vec<Span> = words.iter().map(|word| texts.push(word)).collect();
        assert_eq!(texts.len(), words.len());
        assert!(texts.iter().eq(words.iter().copied()));
        assert!(spans.iter().map(|span| texts.get(*span)).eq(words.iter().copied()));
    }
}
