//! Admission: a write is let in only when the log has room for what it may add.
//!
//! The committer says how many bytes of effects the segments at hand can still take. A command asks before it
//! executes; if there is no room, its connection waits while the committer prepares a segment that is large enough, and
//! only when that fails for want of space is the command refused, having changed nothing.

use std::task::Waker;

/// Room kept for what no command asked for: expired keys, and effects that outgrow their estimate.
const RESERVE: u64 = 16 * 1024;

/// The most that a command may add to the log: far above all that memory holds, and far below where sums of sizes
/// overflow on the way to the disk.
const LARGEST: u64 = 1 << 40;

/// The answer to a command that wants to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Go on.
    Admitted,
    /// Wait for a segment, then ask again.
    Wait,
    /// There is no space on the disk; the text says what failed.
    Refused(String),
}

/// See the module.
#[derive(Default)]
pub struct Admission {
    /// Bytes that the log can take besides those handed to it.
    room: u64,
    /// The largest room asked for and not there.
    wanted: u64,
    waiting: Vec<Waker>,
    committer: Option<Waker>,
    failure: Option<Failure>,
}

struct Failure {
    wanted: u64,
    reason: String,
}

impl Admission {
    /// Asks for `bytes` of effects on top of the `pending` ones of the batch under construction.
    pub fn ask(&mut self, bytes: u64, pending: u64) -> Verdict {
        let wanted = pending.saturating_add(bytes).saturating_add(RESERVE);
        if wanted <= self.room {
            return Verdict::Admitted;
        }
        if wanted > LARGEST {
            return Verdict::Refused(format!("one command may add {LARGEST} bytes to the log, and not {bytes}"));
        }
        if let Some(failure) = &self.failure
            && wanted >= failure.wanted
        {
            return Verdict::Refused(failure.reason.clone());
        }
        self.wanted = self.wanted.max(wanted);
        if let Some(committer) = self.committer.take() {
            committer.wake();
        }
        Verdict::Wait
    }

    /// Whether effects that nobody asked for (the `DEL` of an expired key) may be added.
    pub fn has_reserve(&self, pending: u64) -> bool {
        pending.saturating_add(RESERVE / 2) <= self.room
    }

    /// Wakes `waker` when the answer may have changed.
    pub fn wait(&mut self, waker: &Waker) {
        self.waiting.push(waker.clone());
    }

    /// The committer's word on how much the log can take besides what was handed to it.
    pub fn set_room(&mut self, room: u64) {
        let grew = room > self.room;
        self.room = room;
        if grew {
            if self.wanted <= room {
                self.wanted = 0;
            }
            if self.failure.as_ref().is_some_and(|failure| failure.wanted <= room) {
                self.failure = None;
            }
            self.wake_all();
        }
    }

    /// How much room is wanted; if none, `waker` is woken when some is.
    pub fn wanted(&mut self, waker: &Waker) -> Option<u64> {
        if self.wanted == 0 {
            self.committer = Some(waker.clone());
            return None;
        }
        Some(self.wanted)
    }

    /// Room for `wanted` bytes could not be made. Commands that need as much are refused until that changes.
    pub fn refuse(&mut self, wanted: u64, reason: String) {
        self.wanted = 0;
        let wanted = self.failure.as_ref().map_or(wanted, |failure| failure.wanted.min(wanted));
        self.failure = Some(Failure { wanted, reason });
        self.wake_all();
    }

    /// Lets commands ask again for room that could not be made.
    pub fn forget_refusal(&mut self) {
        self.failure = None;
    }

    /// Why room could not be made, if that is the state of things.
    pub fn refusal(&self) -> Option<&str> {
        self.failure.as_ref().map(|failure| failure.reason.as_str())
    }

    fn wake_all(&mut self) {
        for waker in self.waiting.drain(..) {
            waker.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_waits_for_room_and_is_refused_only_when_none_can_be_made() {
        let mut admission = Admission::default();
        admission.set_room(RESERVE + 100);
        assert_eq!(admission.ask(60, 40), Verdict::Admitted);
        assert_eq!(admission.ask(60, 41), Verdict::Wait);
        let wanted = admission.wanted(Waker::noop()).unwrap();
        admission.refuse(wanted, "No space left on device".into());
        assert!(matches!(admission.ask(60, 41), Verdict::Refused(_)));
        assert_eq!(admission.ask(60, 40), Verdict::Admitted);
        admission.set_room(wanted);
        assert_eq!(admission.ask(60, 41), Verdict::Admitted);
        assert_eq!(admission.refusal(), None);
    }

    #[test]
    fn what_no_log_can_take_is_refused_at_once() {
        let mut admission = Admission::default();
        for bytes in [LARGEST, u64::MAX] {
            assert!(matches!(admission.ask(bytes, 40), Verdict::Refused(_)), "{bytes}");
        }
        assert_eq!(admission.wanted(Waker::noop()), None, "the committer is not asked");
        assert_eq!(admission.refusal(), None, "and the log is well");
    }
}
