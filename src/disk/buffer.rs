//! A growable byte buffer whose memory starts at a multiple of 4096, as direct I/O demands.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::num::NonZeroUsize;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

/// Alignment of the memory, in bytes.
const ALIGN: usize = 4096;

/// The address of a buffer without memory: aligned, not null, never used.
const DANGLING: NonZeroUsize = NonZeroUsize::new(ALIGN).expect("the alignment is not zero");

/// A growable byte buffer, aligned for direct I/O.
pub struct AlignedBuf {
    ptr: NonNull<u8>,
    len: usize,
    capacity: usize,
}

// SAFETY: the buffer is the only owner of its memory, as a `Vec<u8>` is.
unsafe impl Send for AlignedBuf {}

// SAFETY: a shared reference only allows reading.
unsafe impl Sync for AlignedBuf {}

impl AlignedBuf {
    /// An empty buffer that holds `capacity` bytes, rounded up to a multiple of 4096, without growing.
    pub fn with_capacity(capacity: usize) -> Self {
        let capacity = capacity.max(1).next_multiple_of(ALIGN);
        Self { ptr: allocate(capacity), len: 0, capacity }
    }

    /// Appends `bytes`, growing by doubling.
    #[inline]
    pub fn extend_from_slice(&mut self, bytes: &[u8]) {
        self.reserve(bytes.len());
        // SAFETY: `reserve` made room for `bytes.len()` bytes behind `len`, and the two never overlap.
        unsafe { self.ptr.as_ptr().add(self.len).copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
        self.len += bytes.len();
    }

    /// Shortens, or lengthens with zeros, to `len` bytes.
    pub fn resize(&mut self, len: usize) {
        if len > self.len {
            self.reserve(len - self.len);
            // SAFETY: the capacity covers `len`; bytes from `self.len` to `len` are ours.
            unsafe { self.ptr.as_ptr().add(self.len).write_bytes(0, len - self.len) };
        }
        self.len = len;
    }

    /// Forgets the content, keeps the memory.
    pub fn clear(&mut self) {
        self.len = 0;
    }

    /// How many bytes fit without growing.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Makes room for `more` bytes, growing at least by doubling.
    #[inline]
    pub fn reserve(&mut self, more: usize) {
        if more > self.capacity - self.len {
            self.grow(self.len + more);
        }
    }

    #[cold]
    fn grow(&mut self, needed: usize) {
        let capacity = needed.max(self.capacity * 2).next_multiple_of(ALIGN);
        let ptr = allocate(capacity);
        // SAFETY: both blocks hold at least `len` bytes and are distinct.
        unsafe { ptr.as_ptr().copy_from_nonoverlapping(self.ptr.as_ptr(), self.len) };
        self.free();
        self.ptr = ptr;
        self.capacity = capacity;
    }

    fn free(&mut self) {
        if self.capacity == 0 {
            return;
        }
        // SAFETY: `ptr` came from `allocate(self.capacity)` and is freed once: it is replaced, or `self` is dropped.
        unsafe { dealloc(self.ptr.as_ptr(), layout(self.capacity)) };
    }
}

impl Default for AlignedBuf {
    /// An empty buffer that has no memory yet.
    fn default() -> Self {
        Self { ptr: NonNull::without_provenance(DANGLING), len: 0, capacity: 0 }
    }
}

fn layout(capacity: usize) -> Layout {
    Layout::from_size_align(capacity, ALIGN).expect("a buffer is smaller than half the address space")
}

fn allocate(capacity: usize) -> NonNull<u8> {
    // SAFETY: the size is not zero.
    let ptr = unsafe { alloc(layout(capacity)) };
    NonNull::new(ptr).unwrap_or_else(|| handle_alloc_error(layout(capacity)))
}

impl Drop for AlignedBuf {
    fn drop(&mut self) {
        self.free();
    }
}

impl Deref for AlignedBuf {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: the first `len` bytes are initialised.
        unsafe { std::slice::from_raw_parts(self.ptr.as_ptr(), self.len) }
    }
}

impl DerefMut for AlignedBuf {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: the first `len` bytes are initialised, and `self` is borrowed mutably.
        unsafe { std::slice::from_raw_parts_mut(self.ptr.as_ptr(), self.len) }
    }
}

impl std::fmt::Debug for AlignedBuf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AlignedBuf({} bytes)", self.len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growing_keeps_content_and_alignment() {
        let mut buf = AlignedBuf::with_capacity(1);
        for i in 0..10_000u32 {
            buf.extend_from_slice(&i.to_le_bytes());
        }
        buf.resize(50_000);
        assert_eq!(buf.as_ptr() as usize % ALIGN, 0);
        assert_eq!(&buf[39_996..40_004], [0x0f, 0x27, 0, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn a_buffer_without_memory_can_be_used_like_any_other() {
        let mut buf = AlignedBuf::default();
        assert!(buf.is_empty());
        buf.extend_from_slice(&[]);
        buf.extend_from_slice(b"abc");
        assert_eq!(&buf[..], b"abc");
    }
}
