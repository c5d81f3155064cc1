//! What clients did to a server, and whether there is an order that explains it.

mod explain;
mod model;
mod observe;
mod operation;
#[cfg(test)]
mod tests;

pub use explain::{Explained, LIMIT, Reachable, Search, Span, Unexplained};
pub use model::{CLOCK_SLACK_MS, Content, Entry, State, Window};
pub use observe::Observation;
pub use operation::{End, Kind, Operation, Word, in_words};

use serde::{Deserialize, Serialize};

use super::volume::Moment;
use crate::resp::Value;

/// A group of keys that operations touch together; each is explained by itself.
pub type Cell = u32;

/// A moment on both clocks: the one that orders, and the wall clock, by which keys expire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// The order.
    pub tick: Moment,
    /// Milliseconds since 1970.
    pub wall_ms: u64,
}

/// An operation that a client called.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Call {
    /// By which client.
    pub client: u32,
    /// On which keys.
    pub cell: Cell,
    /// What.
    pub operation: Operation,
    /// Right before it was sent.
    pub invoked: Stamp,
    /// Right after the reply was read, and the reply; nothing when none came.
    pub returned: Option<(Stamp, Value)>,
}

/// The calls of a cell, and what was there before.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct History {
    /// The keys concerned.
    pub cell: Cell,
    /// The state before the first call.
    pub initial: State,
    /// What was called, by when it was invoked.
    pub calls: Vec<Call>,
}

impl History {
    /// The same without the calls before a moment of rest (nothing under way, one possible state), as late as can be
    /// before the moment `at` and so that `still` holds.
    #[must_use]
    pub fn cut(&self, at: Moment, skew_ms: u64, still: impl Fn(&Self) -> bool) -> Self {
        /// So many places are tried.
        const TRIED: usize = 12;
        let calls = &self.calls;
        let ended = |count: usize| {
            let ends =
                calls[..count].iter().map(|call| call.returned.as_ref().map_or(Moment::MAX, |(stamp, _)| stamp.tick));
            ends.max().unwrap_or(0)
        };
        let rests = (1..calls.len())
            .rev()
            .filter(|count| calls[*count].invoked.tick < at && ended(*count) < calls[*count].invoked.tick);
        for count in rests.take(TRIED) {
            let Ok(reachable) = Search::new(&calls[..count], u64::MAX, skew_ms).explore(&self.initial) else {
                continue;
            };
            let Some(initial) = reachable.only_end() else { continue };
            let cut = Self { cell: self.cell, initial, calls: calls[count..].to_vec() };
            if still(&cut) {
                return cut;
            }
        }
        self.clone()
    }
}

impl Call {
    /// True when the reply says that nothing was done: the server refuses writes, or is not there yet.
    pub fn was_refused(&self) -> bool {
        const REFUSALS: &[&[u8]] = &[b"MISCONF", b"LOADING", b"EXECABORT", b"OOM", b"BUSY", b"READONLY", b"MASTERDOWN"];
        let Some((_, Value::Error(text))) = &self.returned else { return false };
        let code = text.split(|byte| *byte == b' ').next().unwrap_or_default();
        REFUSALS.contains(&code)
    }
}
