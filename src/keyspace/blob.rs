//! An owner of bytes whose number does not change, itself as small as a pointer: members and fields in large tables.
//!
//! `| length: u8 | bytes … |`, or for 255 bytes and more `| 255 | length: u64, little-endian | bytes … |`. So 15 bytes take
//! the allocator's class of 16, and 23 that of 24.

use std::ptr::NonNull;

use super::block;

const LONG: u8 = u8::MAX;
const SHORT_HEADER: usize = 1;
const LONG_HEADER: usize = 9;

/// See the module.
#[repr(transparent)]
pub(super) struct Blob(NonNull<u8>);

// SAFETY: it owns its block, in which there are only bytes.
unsafe impl Send for Blob {}
// SAFETY: a shared reference only reads.
unsafe impl Sync for Blob {}

fn header(len: usize) -> usize {
    if len < usize::from(LONG) { SHORT_HEADER } else { LONG_HEADER }
}

impl Blob {
    /// These bytes, one behind the other.
    pub(super) fn new(parts: &[&[u8]]) -> Self {
        let len = parts.iter().map(|part| part.len()).sum();
        let block = block::allocate(header(len) + len);
        // SAFETY: the block has room for the header and `len` bytes, it is new, so no part overlaps it, and the parts are
        // `len` bytes together.
        unsafe {
            if header(len) == SHORT_HEADER {
                block.write(len as u8);
            } else {
                block.write(LONG);
                block.add(1).cast::<[u8; 8]>().write((len as u64).to_le_bytes());
            }
            let mut place = block.add(header(len));
            for part in parts {
                place.as_ptr().copy_from_nonoverlapping(part.as_ptr(), part.len());
                place = place.add(part.len());
            }
        }
        Self(block)
    }

    fn len(&self) -> usize {
        // SAFETY: `new` wrote the header, and the block lives as long as `self`.
        unsafe {
            match self.0.read() {
                LONG => u64::from_le_bytes(self.0.add(1).cast::<[u8; 8]>().read()) as usize,
                len => usize::from(len),
            }
        }
    }

    /// The bytes.
    #[inline]
    pub(super) fn bytes(&self) -> &[u8] {
        let len = self.len();
        // SAFETY: so many initialised bytes follow the header, and they change only through `&mut self`.
        unsafe { std::slice::from_raw_parts(self.0.add(header(len)).as_ptr(), len) }
    }

    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        let len = self.len();
        // SAFETY: as in `bytes`; the borrow is exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.0.add(header(len)).as_ptr(), len) }
    }

    /// Bytes of the allocation.
    pub(super) fn heap_bytes(&self) -> usize {
        let len = self.len();
        block::taken(header(len) + len)
    }

    /// Asks the processor to fetch the first cache line.
    pub(super) fn prefetch(&self) {
        super::prefetch(self.0.as_ptr());
    }
}

impl Clone for Blob {
    fn clone(&self) -> Self {
        Self::new(&[self.bytes()])
    }
}

impl Drop for Blob {
    fn drop(&mut self) {
        let len = self.len();
        // SAFETY: `self` owns the block, which was made for this size, and nothing uses it afterwards.
        unsafe { block::free(self.0, header(len) + len) }
    }
}
