//! What goes wrong during one life of a server.

use ackd::disk::sim::Faults;

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Weather {
    pub faults: Faults,
    /// The log may fail, and with it the server: a write or a sync can fail.
    pub log_may_fail: bool,
    /// The disk says that it did what it did not do.
    pub lies: bool,
}

impl Weather {
    pub fn draw(rng: &mut fastrand::Rng, may_lie: bool) -> Self {
        let mut faults = Faults { short_write: 0.05, slow: 0.02, slow_us: 200_000, ..Faults::default() };
        if may_lie && rng.bool() {
            match rng.u8(..4) {
                0 => faults.sync_lie = 0.05,
                1 => faults.lost_write = 0.02,
                2 => faults.misdirected_write = 0.02,
                _ => faults.flipped_bit = 0.02,
            }
            return Self { faults, log_may_fail: true, lies: true };
        }
        let mut log_may_fail = true;
        match rng.u8(..12) {
            0..=2 => log_may_fail = false,
            4..=5 => {
                // Longer than `everysec` may fall behind.
                (faults.slow_sync, faults.slow_us) = (0.7, 6_000_000);
                log_may_fail = false;
            }
            3 | 6..=8 => faults.sync_error = 0.5,
            9 => faults.write_error = 0.02,
            10 => (faults.no_space, faults.read_error, faults.name_error) = (0.02, 0.01, 0.03),
            _ => (faults.sync_error, faults.write_error, faults.no_space, faults.slow) = (0.02, 0.01, 0.01, 0.1),
        }
        Self { faults, log_may_fail, lies: false }
    }
}
