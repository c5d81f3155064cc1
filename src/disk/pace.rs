//! Who writes in bulk gives way to those who wait for the disk.
//!
//! A sync waits for whatever else is on its way to the device, so a snapshot at full speed makes every acknowledgement late.
//! Durable writes are counted in memory that forked copies of this process share; who writes in bulk looks at the count after
//! each piece and, where it has moved, writes less at once and pauses. Not so where the others write as much themselves: else
//! a snapshot would never be done while data come in faster than it is written, and the log would grow for ever.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Pause after a piece that others waited behind, in times of how long the piece took.
const PAUSE: u32 = 3;

/// A device that stands still for long is not made up for.
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// What those who wait have written.
#[derive(Default)]
#[repr(C)]
struct Counts {
    waits: AtomicU64,
    bytes: AtomicU64,
}

fn counts() -> &'static Counts {
    static SHARED: OnceLock<&'static Counts> = OnceLock::new();
    SHARED.get_or_init(|| shared_counts().unwrap_or_else(|| Box::leak(Box::default())))
}

/// Counts that this process' copies will see move.
fn shared_counts() -> Option<&'static Counts> {
    let (len, access) = (size_of::<Counts>(), libc::PROT_READ | libc::PROT_WRITE);
    let flags = libc::MAP_SHARED | libc::MAP_ANONYMOUS;
    // SAFETY: new memory, zeroed, which is a valid `Counts`, aligned to a page, and never unmapped.
    unsafe {
        let page = libc::mmap(std::ptr::null_mut(), len, access, flags, -1, 0);
        (page != libc::MAP_FAILED).then(|| &*page.cast::<Counts>())
    }
}

/// Somebody begins to wait for the disk, with so many bytes that were not written before.
pub fn somebody_waits(bytes: usize) {
    let counts = counts();
    counts.waits.fetch_add(1, Ordering::Relaxed);
    counts.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
}

/// Copies that are forked from here on see who waits in this process.
pub fn share() {
    counts();
}

/// A bulk writer's view of those who wait.
pub struct Pace {
    waits: u64,
    bytes: u64,
}

impl Pace {
    pub fn new() -> Self {
        let counts = counts();
        Self { waits: counts.waits.load(Ordering::Relaxed), bytes: counts.bytes.load(Ordering::Relaxed) }
    }

    /// Whether a piece of so many bytes was in the way of others since the last look.
    pub fn was_in_the_way(&mut self, bytes: usize) -> bool {
        let before = std::mem::replace(self, Self::new());
        is_in_the_way(bytes as u64, self.waits - before.waits, self.bytes - before.bytes)
    }
}

/// Whether a piece is in the way of others who waited so often meanwhile, and wrote so much.
pub fn is_in_the_way(piece: u64, waits: u64, bytes: u64) -> bool {
    waits > 0 && bytes < piece
}

/// How long others go first, after a piece that took so long.
pub fn pause(took: Duration) -> Duration {
    (took * PAUSE).min(LONGEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_writes_more_is_not_waited_for() {
        assert!(!is_in_the_way(65_536, 0, 0), "nobody waits");
        assert!(is_in_the_way(65_536, 1, 0) && is_in_the_way(65_536, 15, 15 * 4096));
        assert!(!is_in_the_way(65_536, 1, 1 << 20) && !is_in_the_way(65_536, 16, 16 * 4096));
    }
}
