//! An owner of bytes that change, itself as small as a pointer: what [`Packed`](super::Packed) and
//! [`Intset`](super::Intset) are made of.
//!
//! ```text
//!  0             4                8
//!  | length: u32 | word: u32      | bytes … | up to the size class |
//! ```
//!
//! The word means what the owner wants. The address is kept with `TAG` added, which is below [`ALIGN`](super::block::ALIGN):
//! so `compact.rs` can tell owners apart that lie in the same eight bytes. What always holds: the first `length` bytes are
//! initialised, and the block was made for header and length.

use std::ptr::NonNull;

use super::block;

const HEADER: usize = 8;

/// See the module.
#[repr(transparent)]
pub(super) struct Thin<const TAG: usize>(NonNull<u8>);

// SAFETY: it owns its block, in which there are only bytes.
unsafe impl<const TAG: usize> Send for Thin<TAG> {}
// SAFETY: a shared reference only reads.
unsafe impl<const TAG: usize> Sync for Thin<TAG> {}

impl<const TAG: usize> Thin<TAG> {
    /// No bytes, and this word.
    pub(super) fn new(word: u32) -> Self {
        const { assert!(TAG < block::ALIGN, "a tag fits into the lowest bits of an address") };
        Self::own(block::allocate(HEADER), 0, word)
    }

    /// These bytes and this word.
    pub(super) fn of(bytes: &[u8], word: u32) -> Self {
        assert!(u32::try_from(bytes.len()).is_ok(), "owners keep their contents below 4 GiB");
        let block = block::allocate(HEADER + bytes.len());
        // SAFETY: the block has room for so many bytes behind the header; it is new, so they are not part of it.
        unsafe { block.add(HEADER).as_ptr().copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
        Self::own(block, bytes.len(), word)
    }

    /// The owner of a new block, whose header it writes.
    fn own(block: NonNull<u8>, len: usize, word: u32) -> Self {
        // SAFETY: the block begins with room for a header and is aligned for it; the tag stays inside of the block.
        unsafe {
            block.cast::<[u32; 2]>().write([len as u32, word]);
            Self(block.add(TAG))
        }
    }

    fn block(&self) -> NonNull<u8> {
        // SAFETY: `own` added the tag.
        unsafe { self.0.sub(TAG) }
    }

    fn header(&self) -> [u32; 2] {
        // SAFETY: `own` wrote the header, and the block lives as long as `self`.
        unsafe { self.block().cast().read() }
    }

    fn set_header(&mut self, header: [u32; 2]) {
        // SAFETY: as in `header`; the borrow is exclusive.
        unsafe { self.block().cast().write(header) }
    }

    /// Number of bytes.
    pub(super) fn len(&self) -> usize {
        self.header()[0] as usize
    }

    pub(super) fn word(&self) -> u32 {
        self.header()[1]
    }

    pub(super) fn set_word(&mut self, word: u32) {
        self.set_header([self.header()[0], word]);
    }

    /// The bytes.
    pub(super) fn bytes(&self) -> &[u8] {
        // SAFETY: so many initialised bytes follow the header, and they change only through `&mut self`.
        unsafe { std::slice::from_raw_parts(self.block().add(HEADER).as_ptr(), self.len()) }
    }

    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `bytes`; the borrow is exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.block().add(HEADER).as_ptr(), self.len()) }
    }

    /// Bytes of the allocation.
    pub(super) fn heap_bytes(&self) -> usize {
        block::taken(HEADER + self.len())
    }

    /// Puts `inserted` zeros in place of `removed` bytes at `at`, and answers the zeros, to be filled.
    pub(super) fn splice(&mut self, at: usize, removed: usize, inserted: usize) -> &mut [u8] {
        let [len, word] = self.header();
        let len = len as usize;
        assert!(at <= len && removed <= len - at, "what is replaced is there");
        let (tail, new_len) = (len - at - removed, len - removed + inserted);
        assert!(u32::try_from(new_len).is_ok(), "owners keep their contents below 4 GiB");
        let mut block = self.block();
        // SAFETY: at each step the block has room for both what it holds and what it will hold: it grows before the tail
        // moves up, and shrinks after the tail moved down. All offsets were checked to be within the lengths. The old
        // address is used no more once `self` owns the new one; `forget` keeps the old owner from freeing it.
        unsafe {
            if inserted > removed {
                block = block::resize(block, HEADER + len, HEADER + new_len);
            }
            let gap = block.add(HEADER + at);
            std::ptr::copy(gap.add(removed).as_ptr(), gap.add(inserted).as_ptr(), tail);
            gap.write_bytes(0, inserted);
            if inserted < removed {
                block = block::resize(block, HEADER + len, HEADER + new_len);
            }
        }
        std::mem::forget(std::mem::replace(self, Self::own(block, new_len, word)));
        &mut self.bytes_mut()[at..at + inserted]
    }
}

impl<const TAG: usize> Clone for Thin<TAG> {
    fn clone(&self) -> Self {
        let size = HEADER + self.len();
        let block = block::allocate(size);
        // SAFETY: both blocks have room for so many bytes, which are initialised in the first; the second one is new.
        unsafe { block.copy_from_nonoverlapping(self.block(), size) };
        Self::own(block, self.len(), self.word())
    }
}

impl<const TAG: usize> Drop for Thin<TAG> {
    fn drop(&mut self) {
        // SAFETY: `self` owns the block, which was made for this size, and nothing uses it afterwards.
        unsafe { block::free(self.block(), HEADER + self.len()) }
    }
}
