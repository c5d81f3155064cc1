//! Allocations whose size follows from what is in them: rounded up to a size class, so that a content whose length changes
//! little stays where it is, and no capacity has to be stored.
//!
//! The classes are those that jemalloc has when it is built as `.cargo/config.toml` says. Another allocator rounds up
//! further, or not at all; what one really takes is asked of it ([`taken`]).
//!
//! `layout.rs` (entries), `thin.rs` (contents that change) and `blob.rs` (contents that do not) use it.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error, realloc};
use std::ptr::NonNull;

pub(super) use crate::base::allocator::taken;

/// Every block's address is a multiple of this: room for tags in its lowest bits.
pub(super) const ALIGN: usize = 8;

/// The distance of the allocator's smaller size classes.
const ROUND: usize = 8;
/// Up to here they are that far apart; above, there are four to each doubling.
const ROUND_UP_TO: usize = 64;

/// The size class for `size` bytes.
const fn class(size: usize) -> usize {
    if size <= ROUND_UP_TO {
        let size = if size == 0 { 1 } else { size };
        return size.next_multiple_of(ROUND);
    }
    size.next_multiple_of(size.next_power_of_two() / 8)
}

fn layout(size: usize) -> Layout {
    Layout::from_size_align(class(size), ALIGN).expect("what is in memory is shorter than half of the address space")
}

/// A block for `size` bytes. They are not initialised.
pub(super) fn allocate(size: usize) -> NonNull<u8> {
    let layout = layout(size);
    // SAFETY: a size class is never zero.
    let memory = unsafe { alloc(layout) };
    NonNull::new(memory).unwrap_or_else(|| handle_alloc_error(layout))
}

/// Makes a block of `old` bytes one of `new` bytes; it keeps its content up to the smaller of both.
///
/// # Safety
/// The block is alive, `old` is of the class with which it was made, and its old address is not used afterwards.
pub(super) unsafe fn resize(block: NonNull<u8>, old: usize, new: usize) -> NonNull<u8> {
    if class(old) == class(new) {
        return block;
    }
    let after = layout(new);
    // SAFETY: made with this very layout; a size class is never zero, and `layout` has checked that it does not overflow.
    let memory = unsafe { realloc(block.as_ptr(), layout(old), after.size()) };
    NonNull::new(memory).unwrap_or_else(|| handle_alloc_error(after))
}

/// Frees a block.
///
/// # Safety
/// The block is alive, `size` is of the class with which it was made, and its address is not used afterwards.
pub(super) unsafe fn free(block: NonNull<u8>, size: usize) {
    // SAFETY: made with this very layout.
    unsafe { dealloc(block.as_ptr(), layout(size)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_rounded_to_the_classes_of_the_allocator() {
        for (size, expected) in [
            (0, 8),
            (1, 8),
            (8, 8),
            (9, 16),
            (16, 16),
            (17, 24),
            (63, 64),
            (64, 64),
            (65, 80),
            (80, 80),
            (81, 96),
            (128, 128),
            (129, 160),
            (160, 160),
            (161, 192),
            (256, 256),
            (257, 320),
            (4096, 4096),
            (4097, 5120),
            (1 << 20, 1 << 20),
        ] {
            assert_eq!((class(size), taken(size)), (expected, expected), "{size}");
        }
    }
}
