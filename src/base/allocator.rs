//! The allocator of the binary: jemalloc, whichever distance its smaller size classes have.
//!
//! `.cargo/config.toml` has jemalloc built with size classes 8 bytes apart, where its default is 16: most of what a keyspace
//! holds is small, and 17 bytes then take 24 instead of 32. But `malloc` then promises an alignment of 8 only, while
//! tikv-jemallocator takes 16 for granted. So this asks for every alignment above 8, which is right with either distance: a
//! build that does not see that file differs in nothing but memory.

use std::alloc::{GlobalAlloc, Layout};
use std::ffi::{c_int, c_void};

use tikv_jemalloc_sys as jemalloc;

/// The alignment of whatever is that large, without asking: that of the smallest distance between size classes.
const FREE_ALIGN: usize = 8;

/// See the module.
#[derive(Clone, Copy, Debug, Default)]
pub struct Jemalloc;

/// The flags that ask for an alignment. Those of allocating and freeing must be the same.
const fn flags(align: usize, size: usize) -> c_int {
    if align <= FREE_ALIGN && align <= size { 0 } else { jemalloc::MALLOCX_ALIGN(align) }
}

/// What jemalloc takes for `size` bytes, which are not zero, without a large alignment.
pub fn taken(size: usize) -> usize {
    if cfg!(miri) {
        return size;
    }
    // SAFETY: it only computes, for any size but zero.
    unsafe { jemalloc::nallocx(size.max(1), 0) }
}

// SAFETY: jemalloc keeps the contract of `GlobalAlloc`: blocks have at least the size asked for, and the alignment: every
// size class of 8 bytes or more is a multiple of 8 in an aligned slab, and more is asked for by a flag. It never unwinds.
// `layout.size()` is not zero, as callers promise, and what is freed or resized was made here with this layout.
unsafe impl GlobalAlloc for Jemalloc {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let flags = flags(layout.align(), layout.size());
        // SAFETY: the size is not zero.
        let block = unsafe {
            if flags == 0 { jemalloc::malloc(layout.size()) } else { jemalloc::mallocx(layout.size(), flags) }
        };
        block.cast()
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let flags = flags(layout.align(), layout.size());
        // SAFETY: the size is not zero.
        let block = unsafe {
            if flags == 0 {
                jemalloc::calloc(1, layout.size())
            } else {
                jemalloc::mallocx(layout.size(), flags | jemalloc::MALLOCX_ZERO)
            }
        };
        block.cast()
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: made by this allocator with this very size and these very flags.
        unsafe { jemalloc::sdallocx(block.cast::<c_void>(), layout.size(), flags(layout.align(), layout.size())) }
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        let flags = flags(layout.align(), new_size);
        // SAFETY: made by this allocator; the new size is not zero, and the alignment stays that of the layout.
        let block = unsafe {
            if flags == 0 {
                jemalloc::realloc(block.cast::<c_void>(), new_size)
            } else {
                jemalloc::rallocx(block.cast::<c_void>(), new_size, flags)
            }
        };
        block.cast()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every byte of a block is used, so that one which is too small or overlaps another would be noticed.
    fn fill(block: *mut u8, size: usize, with: u8) {
        // SAFETY: the tests below give blocks of this size.
        unsafe { block.write_bytes(with, size) }
    }

    #[test]
    fn blocks_have_the_alignment_that_was_asked_for_whatever_their_size() {
        let mut blocks = Vec::new();
        for align in [1, 2, 4, 8, 16, 32, 64, 128, 4096] {
            for size in (1..=300).chain([1000, 4095, 4097, 20_000, 1 << 20]) {
                let layout = Layout::from_size_align(size, align).unwrap();
                // SAFETY: no size is zero.
                let [one, two] = unsafe { [Jemalloc.alloc(layout), Jemalloc.alloc_zeroed(layout)] };
                assert!(one.addr() % align == 0 && two.addr() % align == 0, "{layout:?}");
                // SAFETY: so many bytes are there, and they are zeros.
                assert!(unsafe { std::slice::from_raw_parts(two, size) }.iter().all(|byte| *byte == 0), "{layout:?}");
                fill(one, size, 1);
                fill(two, size, 2);
                blocks.push((one, layout, 1));
                blocks.push((two, layout, 2));
            }
        }
        for (block, layout, with) in blocks {
            let size = layout.size() * 3 / 2 + 1;
            // SAFETY: made with this layout, and used by nobody else; the new one has the same alignment.
            unsafe {
                let block = Jemalloc.realloc(block, layout, size);
                assert_eq!(block.addr() % layout.align(), 0, "{layout:?}");
                let kept = std::slice::from_raw_parts(block, layout.size());
                assert!(kept.iter().all(|byte| *byte == with), "{layout:?}");
                fill(block, size, with);
                Jemalloc.dealloc(block, Layout::from_size_align(size, layout.align()).unwrap());
            }
        }
    }

    #[test]
    fn the_size_classes_are_8_bytes_apart_where_this_repository_is_built() {
        let classes: Vec<usize> = [1, 9, 17, 25, 33, 49, 65, 81].into_iter().map(taken).collect();
        assert_eq!(classes, [8, 16, 24, 32, 40, 56, 80, 96], "is JEMALLOC_SYS_WITH_LG_QUANTUM=3 in the environment?");
    }
}
