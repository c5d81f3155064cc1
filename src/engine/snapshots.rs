//! What is asked of snapshots, and what is known of them: the side that commands and INFO see.
//!
//! ackd has one kind of snapshot where Redis has two. What clients know as BGSAVE, and as BGREWRITEAOF, is the same file here;
//! each keeps its own words and fields.

use std::collections::VecDeque;
use std::task::Waker;

/// Results that are remembered for those who wait for one.
const RESULTS: usize = 16;

/// After a failure, how long until the next snapshot that nobody asked for, in microseconds; doubled with each more.
const FIRST_PAUSE_US: u64 = 5_000_000;
const LONGEST_PAUSE_US: u64 = 300_000_000;

/// What a snapshot is taken for. One can serve both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Purpose {
    /// SAVE, BGSAVE and the `save` points.
    pub save: bool,
    /// BGREWRITEAOF, and whatever cuts the log short.
    pub rewrite: bool,
}

/// A snapshot under way.
#[derive(Clone, Copy, Debug, Default)]
pub struct Present {
    /// What for.
    pub purpose: Purpose,
    /// When it began, on the monotonic clock in microseconds.
    pub begun_us: u64,
    /// Keys that it will hold.
    pub keys: u64,
    /// Keys written.
    pub keys_done: u64,
    /// Bytes written.
    pub bytes: u64,
    /// Bytes of memory copied so far.
    pub copied: u64,
    /// When that was reckoned, on the monotonic clock in microseconds.
    pub copied_us: u64,
    /// Changes that it holds (Redis' `dirty` at its beginning).
    pub changes: u64,
}

/// How a snapshot ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It is kept, and copied to where Redis has its file if it was to be.
    Well,
    /// It is kept, and could not be copied there, for this reason.
    Uncopied(String),
    /// There is none, for this reason.
    Failed(String),
}

/// How the last one for a purpose went.
#[derive(Clone, Copy, Debug)]
pub struct Last {
    /// How many there were that succeeded.
    pub count: u64,
    /// Whether the last one did.
    pub succeeded: bool,
    /// How long the last one took, in seconds.
    pub seconds: Option<u64>,
    /// Bytes of memory copied during it.
    pub copied: u64,
}

impl Default for Last {
    fn default() -> Self {
        Self { count: 0, succeeded: true, seconds: None, copied: 0 }
    }
}

/// See the module.
#[derive(Default)]
pub struct Snapshots {
    /// Asked for, and not begun.
    pub wanted: Purpose,
    /// Under way.
    pub present: Option<Present>,
    /// The last one for each purpose.
    pub last_save: Last,
    /// Likewise.
    pub last_rewrite: Last,
    /// Failures since the last success.
    pub failures: u32,
    /// Why the last one failed, if it did.
    pub failure: Option<String>,
    /// From when on the seconds of `save` points count, in seconds since the Unix epoch: the last one kept.
    pub saved_s: u64,
    /// Keys that the start took from a snapshot.
    pub loaded_keys: u64,
    /// Copies of the process made, and how long the last one took, in microseconds.
    pub forks: u64,
    /// Likewise.
    pub fork_us: u64,
    /// Snapshots kept.
    pub kept: Kept,
    begun: u64,
    results: VecDeque<(u64, Result<(), String>)>,
    failed_us: u64,
    taker: Option<Waker>,
}

/// What is on disk.
#[derive(Clone, Debug, Default)]
pub struct Kept {
    /// How many.
    pub count: u64,
    /// Bytes of all.
    pub bytes: u64,
    /// Size of the newest.
    pub newest_bytes: u64,
    /// Stream offset of the newest.
    pub newest_offset: u64,
    /// From which stream offset on every state can be gone back to.
    pub oldest_offset: u64,
    /// The time of that state, in milliseconds since the Unix epoch, if there was a frame before it.
    pub oldest_ms: u64,
}

impl Snapshots {
    /// What is under way, or about to begin: who asked may rely on it.
    pub fn under_way(&self) -> Purpose {
        self.present.map_or(self.wanted, |present| present.purpose)
    }

    /// Asks for one. Gives the number of the attempt that will serve, for [`Snapshots::result`].
    pub fn ask(&mut self, purpose: Purpose) -> u64 {
        self.wanted.save |= purpose.save;
        self.wanted.rewrite |= purpose.rewrite;
        if let Some(taker) = self.taker.take() {
            taker.wake();
        }
        self.begun + 1
    }

    /// Whether one is to be begun; if not, `waker` is woken when that changes.
    pub fn is_due(&mut self, waker: &Waker) -> bool {
        let is_due = self.present.is_none() && self.wanted != Purpose::default();
        // Asked at each batch of effects, nearly always by the same.
        if !is_due && !self.taker.as_ref().is_some_and(|taker| taker.will_wake(waker)) {
            self.taker = Some(waker.clone());
        }
        is_due
    }

    /// One has begun, for all that was wanted.
    pub fn begin(&mut self, present: Present) {
        let purpose = std::mem::take(&mut self.wanted);
        self.begun += 1;
        self.present = Some(Present { purpose, ..present });
    }

    /// The one under way has ended.
    pub fn end(&mut self, ended: Ended, now_us: u64) {
        let Some(present) = self.present.take() else { return };
        let is_kept = !matches!(ended, Ended::Failed(_));
        for (serves, succeeded, last) in [
            (present.purpose.save, ended == Ended::Well, &mut self.last_save),
            (present.purpose.rewrite, is_kept, &mut self.last_rewrite),
        ] {
            if serves {
                *last = Last {
                    count: last.count + u64::from(succeeded),
                    succeeded,
                    seconds: Some(now_us.saturating_sub(present.begun_us) / 1_000_000),
                    copied: present.copied,
                };
            }
        }
        if is_kept {
            self.failures = 0;
        } else {
            self.failures += 1;
            self.failed_us = now_us;
        }
        let result = match ended {
            Ended::Well => Ok(()),
            Ended::Uncopied(reason) | Ended::Failed(reason) => Err(reason),
        };
        self.failure = result.as_ref().err().cloned();
        self.over(result);
    }

    /// Remembers how the attempt ended, and lets the next one begin.
    fn over(&mut self, result: Result<(), String>) {
        self.results.push_back((self.begun, result));
        if self.results.len() > RESULTS {
            self.results.pop_front();
        }
        if let Some(taker) = self.taker.take() {
            taker.wake();
        }
    }

    /// The one under way is given up, for the server has to stop or to load its data anew: no failure of it.
    pub fn give_up(&mut self) {
        if self.present.take().is_some() {
            self.over(Err("it was given up, for the server has to stop or to reload".into()));
        }
    }

    /// How the attempt of this number ended, once it has.
    pub fn result(&self, number: u64) -> Option<Result<(), String>> {
        let (newest, _) = self.results.back()?;
        if number > *newest {
            return None;
        }
        let found = self.results.iter().find(|(ended, _)| *ended == number);
        Some(found.map_or_else(|| Err("it is not known any more how that snapshot ended".into()), |(_, r)| r.clone()))
    }

    /// Whether a failure was so short a time ago that nothing is begun that nobody asked for.
    pub fn is_resting(&self, now_us: u64) -> bool {
        let pause = FIRST_PAUSE_US.saturating_mul(1 << self.failures.saturating_sub(1).min(16)).min(LONGEST_PAUSE_US);
        self.failures > 0 && now_us.saturating_sub(self.failed_us) < pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_snapshot_serves_all_who_asked_before_it_began() {
        let mut snapshots = Snapshots::default();
        assert!(!snapshots.is_due(Waker::noop()));
        let save = snapshots.ask(Purpose { save: true, rewrite: false });
        let rewrite = snapshots.ask(Purpose { save: false, rewrite: true });
        assert!(save == rewrite && snapshots.is_due(Waker::noop()));
        snapshots.begin(Present::default());
        let later = snapshots.ask(Purpose { save: true, rewrite: false });
        assert!(!snapshots.is_due(Waker::noop()), "never two at once");
        assert_eq!(snapshots.result(save), None);
        snapshots.end(Ended::Well, 0);
        assert_eq!((snapshots.result(save), snapshots.result(later)), (Some(Ok(())), None));
        assert_eq!((snapshots.last_save.count, snapshots.last_rewrite.count), (1, 1));
        assert!(snapshots.is_due(Waker::noop()));
    }

    #[test]
    fn failures_make_the_pauses_longer_until_one_succeeds() {
        let mut snapshots = Snapshots::default();
        let mut fail = |at: u64| {
            snapshots.ask(Purpose { save: true, rewrite: false });
            snapshots.begin(Present::default());
            snapshots.end(Ended::Failed("no space".into()), at);
            [4_999_999, 5_000_000, 10_000_000].map(|later| snapshots.is_resting(at + later))
        };
        assert_eq!(fail(0), [true, false, false]);
        assert_eq!(fail(6_000_000), [true, true, false]);
        snapshots.begin(Present::default());
        snapshots.end(Ended::Well, 7_000_000);
        assert!(!snapshots.is_resting(7_000_000));
    }

    #[test]
    fn one_that_is_kept_and_not_copied_fails_for_who_wanted_the_copy_and_makes_no_pause() {
        let mut snapshots = Snapshots::default();
        let attempt = snapshots.ask(Purpose { save: true, rewrite: true });
        snapshots.begin(Present::default());
        snapshots.end(Ended::Uncopied("it is a folder".into()), 1);
        assert_eq!(snapshots.result(attempt), Some(Err("it is a folder".into())));
        assert!(!snapshots.last_save.succeeded && snapshots.last_rewrite.succeeded && !snapshots.is_resting(2));
    }
}
