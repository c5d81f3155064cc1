//! The gate: the one place that decides which bytes may leave for a client.
//!
//! Every reply carries a [`Ticket`]: the highest offset of any effect that it reveals, and the durability level of the
//! connection that receives it. The bytes leave when the stream has reached that offset at that level. Nothing else
//! in the server compares offsets to decide what may leave, so that replication can later revoke what it must.
//!
//! The bookkeeping of "when was this key last changed" is a fixed table by hash of (database, key): a collision only
//! makes a read wait a little longer, never shorter.

use std::task::Waker;

use crate::keyspace;

/// How many keys the table of last offsets tells apart.
const SLOTS: usize = 65_536;

/// What an acknowledgement waits for, and so what it survives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// The command was executed. Survives nothing; opt-in, per connection.
    Memory,
    /// A write call for the effects has completed. Survives the death of the process (`kill -9`).
    Os,
    /// The effects are durable on local media. Survives power loss.
    Disk,
}

impl Level {
    /// The name that `CLIENT DURABILITY` takes and shows.
    pub fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Os => "os",
            Self::Disk => "disk",
        }
    }

    /// The level of that name, in any case.
    pub fn from_name(name: &[u8]) -> Option<Self> {
        [Self::Memory, Self::Os, Self::Disk]
            .into_iter()
            .find(|level| level.name().as_bytes().eq_ignore_ascii_case(name))
    }
}

/// What must be reached before some bytes may leave. Only [`Gate`] can look inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    offset: u64,
    level: Level,
}

impl Ticket {
    /// Whether one wait covers both, because they leave together anyway: `other` lies in the batch that starts at
    /// `batch`, and so does this.
    pub(super) fn joins(self, other: Ticket, batch: u64) -> bool {
        self == other || (self.level == other.level && self.offset > batch && other.offset > batch)
    }

    pub(super) fn later(self, other: Ticket) -> Ticket {
        if self.offset >= other.offset { self } else { other }
    }
}

/// Offsets reached so far, by level; each only ever grows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Watermarks {
    /// The end of the last executed effect.
    pub executed: u64,
    /// The end of the last effect whose write call has completed.
    pub written: u64,
    /// The end of the last effect that is durable on local media.
    pub durable: u64,
    /// The end of the last effect that nothing can take back. Without replication, what is durable.
    pub committed: u64,
}

/// How often and how long replies waited.
#[derive(Clone, Copy, Debug, Default)]
pub struct Waits {
    /// Waits for [`Level::Os`].
    pub os: u64,
    /// Waits for [`Level::Disk`].
    pub disk: u64,
    /// Waits that began with a reply that reveals somebody's change but makes none itself.
    pub reads: u64,
}

/// See the module.
pub struct Gate {
    reached: Watermarks,
    /// Up to where `os` replies are let out; only what is durable while acks are held (see [`Gate::hold_os`]).
    os_open: u64,
    held: bool,
    slots: Box<[u64]>,
    floors: Vec<u64>,
    waiting: Vec<(Ticket, Waker)>,
    disk_wanted: u64,
    disk_waker: Option<Waker>,
    /// Statistics for INFO.
    pub waits: Waits,
}

impl Gate {
    /// A gate for `databases` databases whose whole state, up to offset `at`, is durable.
    pub fn new(at: u64, databases: usize) -> Self {
        Self {
            reached: Watermarks { executed: at, written: at, durable: at, committed: at },
            os_open: at,
            held: false,
            slots: vec![0; SLOTS].into_boxed_slice(),
            floors: vec![0; databases],
            waiting: Vec::new(),
            disk_wanted: 0,
            disk_waker: None,
            waits: Waits::default(),
        }
    }

    /// Notes that the key with this hash was changed by effects that end at `offset`.
    pub fn mark_key(&mut self, db: usize, hash: u64, offset: u64) {
        self.slots[slot(db, hash)] = offset;
    }

    /// Notes that a whole database was changed by effects that end at `offset`.
    pub fn mark_database(&mut self, db: usize, offset: u64) {
        self.floors[db] = offset;
    }

    /// The last offset at which the key, or its whole database, was changed.
    pub fn last_change(&self, db: usize, hash: u64) -> u64 {
        self.slots[slot(db, hash)].max(self.floors[db])
    }

    /// Asks the processor to fetch the slot of a key.
    pub fn prefetch(&self, db: usize, hash: u64) {
        keyspace::prefetch(&raw const self.slots[slot(db, hash)]);
    }

    /// The end of everything executed: what a keyspace-wide read reveals.
    pub fn tail(&self) -> u64 {
        self.reached.executed
    }

    /// The ticket of bytes that reveal effects up to `offset`, for a connection of that level.
    pub fn ticket(offset: u64, level: Level) -> Ticket {
        Ticket { offset, level }
    }

    /// Whether bytes with this ticket may leave.
    pub fn is_open(&self, ticket: Ticket) -> bool {
        match ticket.level {
            Level::Memory => true,
            Level::Os => ticket.offset <= self.os_open,
            Level::Disk => ticket.offset <= self.reached.durable,
        }
    }

    /// Wakes `waker` once, when the ticket has opened.
    pub fn wait(&mut self, ticket: Ticket, waker: &Waker) {
        match ticket.level {
            Level::Memory => return waker.wake_by_ref(),
            Level::Os => self.waits.os += 1,
            Level::Disk => {
                self.waits.disk += 1;
                self.disk_wanted = self.disk_wanted.max(ticket.offset);
                self.wake_sync();
            }
        }
        self.waiting.push((ticket, waker.clone()));
    }

    /// Whether somebody waits for the disk, and a sync would help; if not, `waker` is woken when that may have changed.
    pub fn disk_is_wanted(&mut self, waker: &Waker) -> bool {
        let wanted = self.disk_wanted > self.reached.durable && self.reached.written > self.reached.durable;
        if !wanted {
            self.disk_waker = Some(waker.clone());
        }
        wanted
    }

    fn wake_sync(&mut self) {
        if self.disk_wanted > self.reached.durable
            && let Some(waker) = self.disk_waker.take()
        {
            waker.wake();
        }
    }

    /// Offsets reached so far.
    pub fn watermarks(&self) -> Watermarks {
        self.reached
    }

    /// Effects up to `offset` were executed.
    pub fn advance_executed(&mut self, offset: u64) {
        debug_assert!(offset >= self.reached.executed);
        self.reached.executed = offset;
    }

    /// A write call for everything up to `offset` has completed.
    pub fn advance_written(&mut self, offset: u64) {
        assert!(offset <= self.reached.executed, "what was never executed cannot have been written");
        self.reached.written = self.reached.written.max(offset);
        if !self.held {
            self.os_open = self.reached.written;
        }
        self.wake_opened();
        self.wake_sync();
    }

    /// Everything up to `offset` is durable on local media.
    pub fn advance_durable(&mut self, offset: u64) {
        assert!(offset <= self.reached.executed, "what was never executed cannot be durable");
        self.reached.written = self.reached.written.max(offset);
        self.reached.durable = self.reached.durable.max(offset);
        self.reached.committed = self.reached.durable;
        self.os_open = if self.held { self.os_open.max(offset) } else { self.reached.written };
        self.wake_opened();
    }

    /// Holds, or lets go again, the acks of [`Level::Os`]: the sync is so far behind that acknowledging more would
    /// break the bound of `everysec`.
    pub fn hold_os(&mut self, hold: bool) {
        self.held = hold;
        // A reply that was let out and could not go, behind one that waits for the disk, would be a late ack as well.
        self.os_open = if hold { self.reached.durable } else { self.reached.written };
        self.wake_opened();
    }

    /// Whether acks of [`Level::Os`] are being held.
    pub fn holds_os(&self) -> bool {
        self.held
    }

    fn wake_opened(&mut self) {
        let mut index = 0;
        while index < self.waiting.len() {
            if self.is_open(self.waiting[index].0) {
                self.waiting.swap_remove(index).1.wake();
            } else {
                index += 1;
            }
        }
    }
}

fn slot(db: usize, hash: u64) -> usize {
    let mixed = (hash ^ (db as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)) >> 16;
    (mixed as usize) & (SLOTS - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_level_opens_at_its_own_watermark() {
        let mut gate = Gate::new(100, 1);
        gate.advance_executed(200);
        let at = |level| Gate::ticket(150, level);
        assert!(gate.is_open(at(Level::Memory)));
        assert!(!gate.is_open(at(Level::Os)));
        gate.advance_written(150);
        assert!(gate.is_open(at(Level::Os)));
        assert!(!gate.is_open(at(Level::Disk)));
        gate.advance_durable(150);
        assert!(gate.is_open(at(Level::Disk)));
        assert!(!gate.is_open(Gate::ticket(151, Level::Os)));
    }

    #[test]
    fn held_acks_wait_for_durability_and_go_on_afterwards() {
        let mut gate = Gate::new(0, 1);
        gate.advance_executed(30);
        gate.advance_written(10);
        gate.hold_os(true);
        gate.advance_written(30);
        assert!(!gate.is_open(Gate::ticket(10, Level::Os)), "what has not gone waits too");
        assert!(!gate.is_open(Gate::ticket(20, Level::Os)));
        gate.advance_durable(20);
        assert!(gate.is_open(Gate::ticket(10, Level::Os)));
        assert!(gate.is_open(Gate::ticket(20, Level::Os)));
        assert!(!gate.is_open(Gate::ticket(30, Level::Os)));
        gate.hold_os(false);
        assert!(gate.is_open(Gate::ticket(30, Level::Os)));
    }

    #[test]
    fn a_key_is_as_young_as_its_database() {
        let mut gate = Gate::new(0, 2);
        gate.mark_key(0, 7, 50);
        assert_eq!((gate.last_change(0, 7), gate.last_change(1, 7)), (50, 0));
        gate.mark_database(0, 90);
        assert_eq!(gate.last_change(0, 12345), 90);
    }
}
