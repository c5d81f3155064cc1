//! Who writes in bulk gives way to those who wait for the disk.
//!
//! A sync waits for whatever else is on its way to the device, so a snapshot at full speed makes every acknowledgement late.
//! Durable writes are counted in memory that forked copies of this process share; who writes in bulk looks at the count after
//! each piece and, where it has moved, writes less at once and pauses.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Pause after a piece that others waited behind, in times of how long the piece took.
const PAUSE: u32 = 3;

/// A device that stands still for long is not made up for.
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

fn durable_writes() -> &'static AtomicU64 {
    static SHARED: OnceLock<&'static AtomicU64> = OnceLock::new();
    SHARED.get_or_init(|| shared_counter().unwrap_or_else(|| Box::leak(Box::default())))
}

/// A counter that this process' copies will see move.
fn shared_counter() -> Option<&'static AtomicU64> {
    let flags = libc::MAP_SHARED | libc::MAP_ANONYMOUS;
    // SAFETY: new memory, zeroed, aligned to a page, never unmapped; only ever used as this counter.
    unsafe {
        let len = size_of::<AtomicU64>();
        let page = libc::mmap(std::ptr::null_mut(), len, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0);
        (page != libc::MAP_FAILED).then(|| AtomicU64::from_ptr(page.cast()))
    }
}

/// Somebody begins to wait for the disk.
pub fn somebody_waits() {
    durable_writes().fetch_add(1, Ordering::Relaxed);
}

/// Copies that are forked from here on see who waits in this process.
pub fn share() {
    durable_writes();
}

/// A bulk writer's view of those who wait.
pub struct Pace {
    seen: u64,
}

impl Pace {
    pub fn new() -> Self {
        Self { seen: durable_writes().load(Ordering::Relaxed) }
    }

    /// Whether somebody waited since the last look.
    pub fn is_in_the_way(&mut self) -> bool {
        let now = durable_writes().load(Ordering::Relaxed);
        now != std::mem::replace(&mut self.seen, now)
    }
}

/// How long others go first, after a piece that took so long.
pub fn pause(took: Duration) -> Duration {
    (took * PAUSE).min(LONGEST_PAUSE)
}
