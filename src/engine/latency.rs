//! Latency events: what held the server up for `latency-monitor-threshold` milliseconds or longer, by kind and second.
//!
//! Kinds have Redis' names. As in Redis, a kind keeps its newest 160 seconds, and of each the worst figure.

use std::collections::{BTreeMap, VecDeque};

use super::Engine;

/// Seconds kept of each kind.
const MAX_SAMPLES: usize = 160;

/// What can hold the server up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Event {
    /// The log took a frame, and replies waited until it was durable.
    AofFsyncAlways,
    /// The log took a frame, and replies waited until the system had it.
    AofWrite,
    /// A command ran.
    Command,
    /// Keys were evicted.
    EvictionCycle,
    /// A key was evicted.
    EvictionDel,
    /// A timer looked for expired keys.
    ExpireCycle,
    /// An expired key was removed.
    ExpireDel,
    /// A command ran that is said to be fast.
    FastCommand,
    /// The process was copied, for a snapshot.
    Fork,
}

impl Event {
    /// All of them, by name.
    pub const ALL: [Event; 9] = [
        Self::AofFsyncAlways,
        Self::AofWrite,
        Self::Command,
        Self::EvictionCycle,
        Self::EvictionDel,
        Self::ExpireCycle,
        Self::ExpireDel,
        Self::FastCommand,
        Self::Fork,
    ];

    /// The name that Redis has for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::AofFsyncAlways => "aof-fsync-always",
            Self::AofWrite => "aof-write",
            Self::Command => "command",
            Self::EvictionCycle => "eviction-cycle",
            Self::EvictionDel => "eviction-del",
            Self::ExpireCycle => "expire-cycle",
            Self::ExpireDel => "expire-del",
            Self::FastCommand => "fast-command",
            Self::Fork => "fork",
        }
    }

    /// The one of that name.
    pub fn named(name: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|event| event.name().as_bytes() == name)
    }
}

/// The worst figure of one second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Which, since the Unix epoch.
    pub at_s: u64,
    /// The figure, in milliseconds.
    pub ms: u64,
}

/// What is known of one kind.
#[derive(Clone, Debug, Default)]
pub struct Series {
    samples: VecDeque<Sample>,
    worst_ms: u64,
}

impl Series {
    /// The seconds kept, the oldest first; there is one at least.
    pub fn samples(&self) -> impl DoubleEndedIterator<Item = Sample> + ExactSizeIterator + '_ {
        self.samples.iter().copied()
    }

    /// The newest.
    pub fn latest(&self) -> Sample {
        *self.samples.back().expect("a series begins with its first sample")
    }

    /// The worst figure that there ever was, in milliseconds.
    pub fn worst_ms(&self) -> u64 {
        self.worst_ms
    }

    fn add(&mut self, sample: Sample) {
        self.worst_ms = self.worst_ms.max(sample.ms);
        match self.samples.back_mut() {
            Some(last) if last.at_s == sample.at_s => last.ms = last.ms.max(sample.ms),
            _ => {
                if self.samples.len() == MAX_SAMPLES {
                    self.samples.pop_front();
                }
                self.samples.push_back(sample);
            }
        }
    }
}

/// See the module.
#[derive(Debug, Default)]
pub struct LatencyEvents(BTreeMap<Event, Series>);

impl LatencyEvents {
    /// Notes one.
    pub fn add(&mut self, event: Event, sample: Sample) {
        self.0.entry(event).or_default().add(sample);
    }

    /// Those that there were.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (Event, &Series)> {
        self.0.iter().map(|(event, series)| (*event, series))
    }

    /// What is known of one kind, if there was any.
    pub fn get(&self, event: Event) -> Option<&Series> {
        self.0.get(&event)
    }

    /// Forgets one kind; whether there was something to forget.
    pub fn forget(&mut self, event: Event) -> bool {
        self.0.remove(&event).is_some()
    }

    /// Forgets everything; answers how many kinds there were.
    pub fn clear(&mut self) -> usize {
        std::mem::take(&mut self.0).len()
    }
}

impl Engine {
    /// Notes how long something took, if the settings call that long.
    #[inline]
    pub fn note_latency(&mut self, event: Event, usec: u64) {
        let (threshold, ms) = (self.config.latency_monitor_threshold(), usec / 1000);
        if threshold > 0 && ms >= threshold {
            let at_s = self.wall_us() / 1_000_000;
            self.latency.add(event, Sample { at_s, ms });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_has_one_sample_the_worst_and_the_oldest_seconds_go() {
        let mut events = LatencyEvents::default();
        for at_s in 0..200 {
            for ms in [5, 900 - at_s, 7] {
                events.add(Event::Command, Sample { at_s, ms });
            }
        }
        let series = events.get(Event::Command).unwrap();
        assert_eq!(series.samples().len(), 160);
        assert_eq!(series.samples().next(), Some(Sample { at_s: 40, ms: 860 }));
        assert_eq!(series.latest(), Sample { at_s: 199, ms: 701 });
        assert_eq!(series.worst_ms(), 900);
        assert!(!events.forget(Event::Fork));
        assert_eq!(events.clear(), 1);
    }

    #[test]
    fn events_stand_in_the_order_of_their_names() {
        let names = Event::ALL.map(Event::name);
        assert!(names.is_sorted());
        assert!(Event::ALL.is_sorted());
        assert!(Event::ALL.iter().all(|event| Event::named(event.name().as_bytes()) == Some(*event)));
    }
}
