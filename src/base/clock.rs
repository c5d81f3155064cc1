//! Time as a seam: the server asks a [`Clock`], so that the simulation can replace it.
//!
//! Two readings that must not be confused: wall time (may step backwards, is what expiry and frames carry) and
//! monotonic time (only ever grows, is what latencies and timeouts are made of).

use std::future::Future;
use std::pin::Pin;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};

/// A boxed future on the one thread.
pub type Sleep = Pin<Box<dyn Future<Output = ()>>>;

/// Where time comes from.
pub trait Clock {
    /// Microseconds since the Unix epoch, by the wall clock.
    fn wall_us(&self) -> u64;

    /// Microseconds since some fixed point, never decreasing.
    fn monotonic_us(&self) -> u64;

    /// Completes when `for_how_long` has passed on the monotonic clock.
    fn sleep(&self, for_how_long: Duration) -> Sleep;

    /// Milliseconds since the Unix epoch, by the wall clock.
    fn wall_ms(&self) -> u64 {
        self.wall_us() / 1000
    }
}

/// The clock of the machine; `sleep` needs a tokio runtime with its timer enabled.
pub struct SystemClock {
    start_us: u64,
}

impl SystemClock {
    /// A clock whose monotonic reading starts at zero.
    pub fn new() -> Self {
        Self { start_us: monotonic_us() }
    }
}

/// Asked for once a command, so without the checks and conversions of `Instant`.
fn monotonic_us() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000 + now.tv_nsec as u64 / 1000
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn wall_us(&self) -> u64 {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since_epoch.as_micros()).unwrap_or(u64::MAX)
    }

    fn monotonic_us(&self) -> u64 {
        monotonic_us() - self.start_us
    }

    fn sleep(&self, for_how_long: Duration) -> Sleep {
        Box::pin(tokio::time::sleep(for_how_long))
    }
}
