//! How much memory the process has in use, without asking the allocator each time.
//!
//! jemalloc counts for every thread what it allocates and frees. The one thread reads its own two counters, which costs
//! nothing; what all others did is known from the last [`Memory::survey`], for which the allocator adds everything up. The
//! helper that frees large values tells of its work at once, since eviction waits for it. Where the allocator is another one
//! (in tests), no memory is in use.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tikv_jemalloc_ctl::thread::{ThreadLocal, allocatedp, deallocatedp};
use tikv_jemalloc_ctl::{Access, AsName, epoch, stats};

/// Bytes that the allocator holds for threads, and has not given to anybody, in all arenas (`MALLCTL_ARENAS_ALL`).
const IN_CACHES: &[u8] = b"stats.arenas.4096.tcache_bytes\0";

/// What the allocator says, in bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Allocator {
    /// Given out, and what threads keep to give it out again.
    pub allocated: u64,
    /// Given out.
    pub used: u64,
    /// The pages that are needed for what is allocated.
    pub active: u64,
    /// Those in RAM.
    pub resident: u64,
}

/// What one thread has allocated and freed.
struct ThreadCounters {
    allocated: ThreadLocal<u64>,
    freed: ThreadLocal<u64>,
}

impl ThreadCounters {
    /// Those of the calling thread.
    fn of_this_thread() -> Option<Self> {
        Some(Self { allocated: allocatedp::read().ok()?, freed: deallocatedp::read().ok()? })
    }

    /// What it has allocated and not freed; less than nothing if it freed what others allocated. It wraps.
    fn net(&self) -> u64 {
        self.allocated.get().wrapping_sub(self.freed.get())
    }
}

/// What another thread tells of its own use of memory.
#[derive(Clone, Debug, Default)]
pub struct Elsewhere(Arc<AtomicU64>);

impl Elsewhere {
    /// Runs what the calling thread does, of which nothing is told before it is over.
    pub fn work(&self, work: impl FnOnce()) {
        let counters = ThreadCounters::of_this_thread();
        let net = || counters.as_ref().map_or(0, ThreadCounters::net);
        let before = net();
        work();
        self.0.fetch_add(net().wrapping_sub(before), Ordering::Relaxed);
    }
}

/// See the module.
pub struct Memory {
    thread: Option<ThreadCounters>,
    /// What the helper allocated and did not free; it wraps.
    elsewhere: Elsewhere,
    /// What neither this thread nor the helper counts, at the last survey; it wraps.
    others: Cell<u64>,
}

impl Memory {
    /// For the calling thread, which is the one that uses most; `elsewhere` is told by the helper.
    pub fn new(elsewhere: Elsewhere) -> Self {
        let memory = Self { thread: ThreadCounters::of_this_thread(), elsewhere, others: Cell::new(0) };
        memory.survey();
        memory
    }

    fn counted(&self) -> u64 {
        let own = self.thread.as_ref().map_or(0, ThreadCounters::net);
        own.wrapping_add(self.elsewhere.0.load(Ordering::Relaxed))
    }

    /// Bytes in use.
    #[inline]
    pub fn used(&self) -> u64 {
        // Between two looks at other threads the sum may be below zero, if hardly anything is in use.
        u64::try_from(self.others.get().wrapping_add(self.counted()) as i64).unwrap_or(0)
    }

    /// Asks the allocator, which takes some microseconds.
    pub fn survey(&self) -> Allocator {
        // The figures stand still until the epoch moves; if it does not, they are old, which is no harm.
        let _ = epoch::advance();
        let read = |figure: tikv_jemalloc_ctl::Result<usize>| figure.map_or(0, |bytes| bytes as u64);
        let allocated = read(stats::allocated::read());
        let used = allocated.saturating_sub(read(IN_CACHES.name().read()));
        self.others.set(used.wrapping_sub(self.counted()));
        Allocator { allocated, used, active: read(stats::active::read()), resident: read(stats::resident::read()) }
    }
}
