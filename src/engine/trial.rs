//! What only the simulation sets: an observer of what is executed, small segments, and planted bugs.
//!
//! A server leaves all of it at its default.

use super::client::ClientId;
use super::gate::Level;
use crate::log;

/// Is told of every event.
pub type Observer = Box<dyn FnMut(Event<'_>)>;

/// See the module.
#[derive(Default)]
pub struct Trial {
    /// Bugs planted on purpose, to show that the simulation finds them.
    pub planted: Planted,
    /// Length of a run's first segment, and what its segments grow to.
    pub segment_sizes: Option<(u64, u64)>,
    /// What each key counts against `maxmemory`, and nothing else does.
    pub bytes_per_key: Option<u64>,
    /// Is told what is executed, in order.
    pub observer: Option<Observer>,
}

impl Trial {
    /// Tells the observer, if there is one.
    pub fn observe(&mut self, event: Event<'_>) {
        if let Some(observer) = &mut self.observer {
            observer(event);
        }
    }
}

/// Planted bugs of committer and gate, and those of the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Planted {
    /// In the log and its recovery.
    pub log: log::planted::Planted,
    /// Effects count as durable before they are written.
    pub ack_before_sync: bool,
    /// A read does not wait for the last change of what it reads.
    pub open_reads_early: bool,
    /// A message does not wait for what it tells of.
    pub tell_early: bool,
    /// Who tracks a key is not told that it is gone.
    pub keep_what_is_gone: bool,
    /// A copy of the process keeps the files that it inherited.
    pub inherit_lock: bool,
}

/// What the observer is told.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// A unit of effects was executed.
    Unit {
        /// Stream offset behind it.
        end: u64,
        /// Its bytes.
        effects: &'a [u8],
    },
    /// A command was executed, after its unit if it has one; its reply, if it does not block, stands behind the gate. One
    /// that waited for keys is told of when the wait is over.
    Executed {
        /// Whose command.
        client: ClientId,
        /// What its reply waits for.
        level: Level,
        /// Whether it had effects.
        wrote: bool,
    },
}
