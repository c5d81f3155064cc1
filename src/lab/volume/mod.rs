//! A file system in memory that remembers how it became what it is.
//!
//! A server under test keeps its data here (through [`super::mount`]), and everything that it does to its files is
//! recorded: each change and each sync with the moments at which it began and ended, on the same [clock](Ticks) as the
//! operations of the clients. From that record [`Timeline`] builds what a power cut may leave.

mod content;
mod crash;
mod faults;
mod record;
mod states;
#[cfg(test)]
mod tests;
mod tree;

pub use content::Content;
pub use crash::{Keep, Kept, Names, Pending, SECTOR, Timeline};
pub use faults::{Armed, Calls, Doomed, Faults};
pub use record::{Change, Event, Made, Moment, Ticks, Trace, What};
pub use states::{Budget, keeps};
pub use tree::{Ino, Kind, Node, ROOT, Tree};

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use libc::c_int;

/// The file system of one server.
#[derive(Debug)]
pub struct Volume {
    ticks: Arc<Ticks>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// What a reader sees: the cache.
    tree: Tree,
    trace: Trace,
    recording: bool,
    faults: Faults,
    /// How often a fault has struck.
    struck: u64,
    /// Of them, errors that were answered.
    failed: u64,
    /// How often each file is open.
    open: HashMap<Ino, u32>,
}

impl State {
    fn strike(&mut self, needs_room: bool, vouches: bool) -> Result<(), Errno> {
        self.faults.strike(needs_room, vouches).inspect_err(|_| {
            self.struck += 1;
            self.failed += 1;
        })
    }

    fn fits(&mut self, change: &Change) -> Result<(), Errno> {
        self.faults.fits(&self.tree, change).inspect_err(|_| {
            self.struck += 1;
            self.failed += 1;
        })
    }

    fn delay(&mut self) -> Duration {
        let delay = self.faults.delay();
        self.struck += u64::from(!delay.is_zero());
        delay
    }

    /// Frees the place of a file that has neither a name nor somebody who has it open.
    fn forget_if_unused(&mut self, ino: Ino) {
        if !self.open.contains_key(&ino) && self.tree.links(ino) == 0 {
            self.tree.remove(ino);
        }
    }
}

/// What a call on the file system fails with.
pub type Errno = c_int;

impl Volume {
    /// An empty one.
    pub fn new(ticks: Arc<Ticks>) -> Self {
        let tree = Tree::default();
        let state = State {
            trace: Trace::new(tree.clone()),
            tree,
            recording: false,
            faults: Faults::default(),
            struck: 0,
            failed: 0,
            open: HashMap::new(),
        };
        Self { ticks, state: Mutex::new(state) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic under the lock leaves at worst an event without its end, which counts as never synced.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts other files in the place of all that is there, and begins a new record.
    ///
    /// What is still open of the old files is stale from now on: their numbers are never given again.
    pub fn load(&self, tree: &Tree) {
        let mut state = self.state();
        state.tree = tree.renumbered(state.tree.next());
        state.trace = Trace::new(state.tree.clone());
        state.recording = false;
        state.faults = Faults::default();
        state.open.clear();
    }

    /// Begins a record, for which all that is there now counts as durable.
    pub fn record(&self) {
        let mut state = self.state();
        state.trace = Trace::new(state.tree.clone());
        state.recording = true;
    }

    /// What is there now, for one who reads it.
    pub fn tree(&self) -> Tree {
        self.state().tree.clone()
    }

    /// Ends the [record](Self::record) and hands it out.
    pub fn take_trace(&self) -> Trace {
        let mut state = self.state();
        state.recording = false;
        let next = Trace::new(Tree::default());
        std::mem::replace(&mut state.trace, next)
    }

    /// Somebody opens a file.
    pub fn open(&self, ino: Ino) -> Result<(), Errno> {
        let mut state = self.state();
        state.tree.node(ino).ok_or(libc::ESTALE)?;
        *state.open.entry(ino).or_default() += 1;
        Ok(())
    }

    /// Somebody is done with a file.
    pub fn close(&self, ino: Ino) {
        let mut state = self.state();
        if let Some(count) = state.open.get_mut(&ino) {
            *count -= 1;
            if *count == 0 {
                state.open.remove(&ino);
                state.forget_if_unused(ino);
            }
        }
    }

    /// Sets what goes wrong from now on.
    pub fn arm(&self, faults: Faults) {
        self.state().faults = faults;
    }

    /// How many bytes fit, where that is limited.
    pub fn capacity(&self) -> Option<u64> {
        self.state().faults.capacity
    }

    /// Other permissions.
    pub fn set_mode(&self, ino: Ino, mode: u16) {
        self.state().tree.set_mode(ino, mode);
    }

    /// How often an armed fault has struck since the volume was made.
    pub fn struck(&self) -> u64 {
        self.state().struck
    }

    /// How often a call failed that would have succeeded otherwise.
    pub fn failed(&self) -> u64 {
        self.state().failed
    }

    /// Looks at the files, without changing them.
    pub fn look<T>(&self, look: impl FnOnce(&Tree) -> T) -> T {
        look(&self.state().tree)
    }

    /// A change of the files; `synchronous` ones are durable when they end.
    ///
    /// `plan` finds out what is to change, or why not.
    pub fn change<T>(
        &self,
        synchronous: bool,
        plan: impl FnOnce(&mut Tree) -> Result<(T, Change), Errno>,
    ) -> Result<T, Errno> {
        let (answer, event, delay) = {
            let mut state = self.state();
            let (answer, change) = plan(&mut state.tree)?;
            let needs_room = faults::needs_room(&state.tree, &change);
            if let Err(error) = state.strike(needs_room, synchronous) {
                // A write that fails may be on the disk in part, though nobody reads it before.
                if matches!(change, Change::Write { .. }) {
                    self.begin(&mut state, What::Change { change, synchronous });
                }
                return Err(error);
            }
            state.fits(&change)?;
            let delay = if synchronous { state.delay() } else { Duration::ZERO };
            let nameless = state.tree.apply(&change);
            let event = self.begin(&mut state, What::Change { change, synchronous });
            if let Some(ino) = nameless {
                state.forget_if_unused(ino);
            }
            (answer, event, delay)
        };
        self.end(event, delay);
        Ok(answer)
    }

    /// A sync of a file's data or of a directory's entries.
    pub fn sync(&self, ino: Ino) -> Result<(), Errno> {
        let (event, delay) = {
            let mut state = self.state();
            state.tree.node(ino).ok_or(libc::ESTALE)?;
            if let Err(error) = state.strike(false, true) {
                self.begin(&mut state, What::FailedSync { ino });
                return Err(error);
            }
            let delay = state.delay();
            (self.begin(&mut state, What::Sync { ino }), delay)
        };
        self.end(event, delay);
        Ok(())
    }

    fn begin(&self, state: &mut State, what: What) -> Option<(u64, usize)> {
        state.recording.then(|| state.trace.begin(self.ticks.now(), what))
    }

    fn end(&self, event: Option<(u64, usize)>, delay: Duration) {
        if !delay.is_zero() {
            std::thread::sleep(delay);
        }
        let Some((record, event)) = event else { return };
        let mut state = self.state();
        let now = self.ticks.now();
        state.trace.end(record, event, now);
    }
}
