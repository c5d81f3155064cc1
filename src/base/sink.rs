//! Memory that bytes are appended to: a vector, or a frame of the log under construction.

/// What commands can be written to.
pub trait Sink {
    /// Makes room for `more` bytes, so that what follows does not grow step by step.
    fn reserve(&mut self, more: usize);

    /// Appends `bytes`.
    fn extend_from_slice(&mut self, bytes: &[u8]);
}

impl Sink for Vec<u8> {
    fn reserve(&mut self, more: usize) {
        Vec::reserve(self, more);
    }

    fn extend_from_slice(&mut self, bytes: &[u8]) {
        Vec::extend_from_slice(self, bytes);
    }
}
