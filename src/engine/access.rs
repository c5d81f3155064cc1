//! When and how often keys are used: the 24 bits that each entry keeps for eviction and OBJECT.
//!
//! Under an LFU policy they are 16 bits of minutes and a logarithmic counter of 8 bits, else 24 bits of seconds.

use super::config::Config;
use crate::keyspace::Entry;

/// The counter of a new key: above zero, so that it is not the first to go.
const NEW_FREQUENCY: u32 = 5;
const SECONDS: u32 = 0x00ff_ffff;
const MINUTES: u32 = 0xffff;

/// How uses are noted at the moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Access {
    lfu: bool,
    log_factor: u64,
    decay_minutes: u64,
    /// Seconds, or under an LFU policy minutes.
    clock: u32,
}

impl Access {
    /// As the settings say, at this time.
    pub fn at(config: &Config, wall_ms: u64) -> Self {
        let lfu = config.maxmemory_policy().is_lfu();
        let seconds = wall_ms / 1000;
        let clock = if lfu { (seconds / 60) as u32 & MINUTES } else { seconds as u32 & SECONDS };
        Self { lfu, log_factor: config.lfu_log_factor(), decay_minutes: config.lfu_decay_time(), clock }
    }

    /// Whether frequencies are kept, and not times.
    pub fn is_lfu(&self) -> bool {
        self.lfu
    }

    /// The bits of a new key.
    pub fn fresh(&self) -> u32 {
        if self.lfu { self.clock << 8 | NEW_FREQUENCY } else { self.clock }
    }

    /// The bits of a key that was used so many seconds ago; under an LFU policy times are not kept.
    pub fn used_before(&self, seconds: i64) -> Option<u32> {
        let ago = u32::try_from(seconds).unwrap_or(u32::MAX).min(SECONDS);
        (!self.lfu).then(|| self.clock.wrapping_sub(ago) & SECONDS)
    }

    /// The bits of a key with this counter; without an LFU policy counters are not kept.
    pub fn used_as_often(&self, counter: u8) -> Option<u32> {
        self.lfu.then(|| self.clock << 8 | u32::from(counter))
    }

    /// Notes that a key is used.
    pub fn touch(&self, entry: &Entry, random: &mut fastrand::Rng) {
        let used = entry.used();
        let after = if self.lfu { self.clock << 8 | self.raised(self.frequency(used), random) } else { self.clock };
        // Most uses within a second change nothing, and then the memory stays clean.
        if used != after {
            entry.set_used(after);
        }
    }

    /// Seconds since the last use.
    pub fn idle_seconds(&self, used: u32) -> u32 {
        self.clock.wrapping_sub(used) & SECONDS
    }

    /// The frequency counter, less what it lost since the last use.
    pub fn frequency(&self, used: u32) -> u32 {
        let minutes = u64::from(self.clock.wrapping_sub(used >> 8) & MINUTES);
        let lost = minutes.checked_div(self.decay_minutes).unwrap_or(0);
        (used & 0xff).saturating_sub(u32::try_from(lost).unwrap_or(u32::MAX))
    }

    /// The higher the counter, the less likely it grows.
    fn raised(&self, frequency: u32, random: &mut fastrand::Rng) -> u32 {
        let above = f64::from(frequency.saturating_sub(NEW_FREQUENCY));
        let chance = 1.0 / (above * self.log_factor as f64 + 1.0);
        if frequency < 0xff && random.f64() < chance { frequency + 1 } else { frequency }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lfu(clock: u32) -> Access {
        Access { lfu: true, log_factor: 10, decay_minutes: 1, clock }
    }

    #[test]
    fn idle_time_is_counted_across_the_end_of_the_clock() {
        let access = Access { clock: 3, ..Access::default() };
        assert_eq!(access.idle_seconds(SECONDS), 4);
    }

    #[test]
    fn frequency_grows_slower_the_higher_it_is_and_decays_with_time() {
        let mut random = fastrand::Rng::with_seed(1);
        let entry = Entry::string(b"k", b"v", None);
        entry.set_used(lfu(0).fresh());
        let mut after = |uses: usize| {
            (0..uses).for_each(|_| lfu(0).touch(&entry, &mut random));
            lfu(0).frequency(entry.used())
        };
        let (few, many) = (after(100), after(10_000));
        assert!(few > 6 && many > few && many < 100, "{few} {many}");
        assert_eq!(lfu(7).frequency(entry.used()), many - 7);
        assert_eq!(lfu(1000).frequency(entry.used()), 0);
    }
}
