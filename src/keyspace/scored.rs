//! A member of a large sorted set: one allocation with score and bytes, owned by the set's hash table, to which the ordered
//! index has handles.

use std::mem::ManuallyDrop;

use super::blob::Blob;
use super::table::Keyed;

const SCORE: usize = size_of::<f64>();

/// A member with its score.
#[repr(transparent)]
pub struct Scored(Blob);

impl Scored {
    /// A member with these bytes.
    pub(super) fn new(member: &[u8], score: f64) -> Self {
        Self(Blob::new(&[&score.to_bits().to_le_bytes(), member]))
    }

    /// The score.
    pub fn score(&self) -> f64 {
        let bits = self.0.bytes().first_chunk().expect("a member begins with its score");
        f64::from_bits(u64::from_le_bytes(*bits))
    }

    pub(super) fn set_score(&mut self, score: f64) {
        self.0.bytes_mut()[..SCORE].copy_from_slice(&score.to_bits().to_le_bytes());
    }

    /// The bytes.
    pub fn member(&self) -> &[u8] {
        &self.0.bytes()[SCORE..]
    }

    /// Bytes that it takes in memory.
    pub(super) fn heap_bytes(&self) -> usize {
        self.0.heap_bytes()
    }

    /// A way to the bytes that does not own them.
    ///
    /// # Safety
    /// The handle and its clones are not asked any more once the member is dropped.
    pub(super) unsafe fn handle(&self) -> Handle {
        // SAFETY: the copy is never dropped, and never asked after the owner is, as the caller promises.
        Handle(ManuallyDrop::new(unsafe { std::ptr::read(&raw const self.0) }))
    }
}

impl Keyed for Scored {
    fn key(&self) -> &[u8] {
        self.member()
    }

    fn prefetch(&self) {
        self.0.prefetch();
    }
}

/// See [`Scored::handle`]. The bytes of a member do not move as long as it lives.
#[repr(transparent)]
pub(super) struct Handle(ManuallyDrop<Blob>);

impl Handle {
    /// The bytes of the member.
    pub(super) fn member(&self) -> &[u8] {
        &self.0.bytes()[SCORE..]
    }
}

impl Clone for Handle {
    fn clone(&self) -> Self {
        // SAFETY: as in `Scored::handle`, whose caller promised it for clones, too.
        Self(unsafe { std::ptr::read(self) }.0)
    }
}
