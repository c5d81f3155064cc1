//! A limit on what a target allocates: an allocator that counts, and ends the process where too much is asked for, so that
//! the stack in the report is that of the request. No target may take more than a small multiple of its input.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static CEILING: AtomicUsize = AtomicUsize::new(usize::MAX);

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Counts bytes that are about to be allocated.
fn take(bytes: usize) {
    let live = LIVE.fetch_add(bytes, Relaxed).saturating_add(bytes);
    let ceiling = CEILING.load(Relaxed);
    if live > ceiling {
        // The report itself needs memory.
        CEILING.store(usize::MAX, Relaxed);
        eprintln!("{bytes} bytes more would be {} above what the input justifies", live - ceiling);
        std::process::abort();
    }
}

// SAFETY: everything is passed on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        take(layout.size());
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        take(layout.size());
        // SAFETY: as the caller promises.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        LIVE.fetch_sub(layout.size(), Relaxed);
        take(size);
        // SAFETY: as the caller promises.
        unsafe { System.realloc(block, layout, size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(block, layout) }
    }
}

/// Does `work`, during which no more than `bytes` may be allocated besides what is allocated now. Limits do not nest.
pub fn within<T>(bytes: usize, work: impl FnOnce() -> T) -> T {
    CEILING.store(LIVE.load(Relaxed).saturating_add(bytes), Relaxed);
    let result = work();
    CEILING.store(usize::MAX, Relaxed);
    result
}

/// Does `work` on an input: it may take 300 bytes for each of the input's, and 4 MiB.
///
/// A compressed string gives up to 88 bytes for one, and three copies of it may be there: compressed, decompressed, and in
/// the value. The 4 MiB are a reader's buffers: 128 KiB, and up to 1 MiB for each of two strings whose length is claimed
/// before their bytes have come, and twice that while a vector grows.
pub fn for_input<T>(input: &[u8], work: impl FnOnce() -> T) -> T {
    within((4 << 20) + 300 * input.len(), work)
}
