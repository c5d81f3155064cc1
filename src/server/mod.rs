//! Layer 6: listeners, connections, timers, signals, shutdown. No command semantics.

mod accept;
pub mod connection;
mod limits;
mod listener;
mod logging;
mod migrate;
mod process;
mod prompt;
mod query;
pub mod run;
mod settings;
mod shutdown;
mod timed;
pub mod timers;

use std::cell::RefCell;
use std::rc::Rc;

use crate::durability::fork::{Fork, ProcessFork};
use crate::engine::Engine;
use crate::log::Log;
use prompt::Prompt;

/// What all tasks of a server share.
pub struct Node {
    /// The engine: borrowed for synchronous stretches, never across an `.await`.
    pub engine: Rc<RefCell<Engine>>,
    /// Memory to read into, lent to the connection that has its turn.
    pub read_buffer: RefCell<Vec<u8>>,
    /// How the process is copied for snapshots.
    pub fork: Rc<dyn Fork>,
    /// The log, while it is open, and the task that writes it.
    writer: RefCell<Option<(Rc<Log>, Rc<Prompt>)>>,
}

impl Node {
    /// A node around an engine.
    pub fn new(engine: Engine) -> Rc<Self> {
        Self::with_fork(engine, Rc::new(ProcessFork))
    }

    /// A node whose snapshots are written by copies of another kind.
    pub fn with_fork(engine: Engine, fork: Rc<dyn Fork>) -> Rc<Self> {
        let (engine, read_buffer) = (Rc::new(RefCell::new(engine)), RefCell::new(Vec::new()));
        Rc::new(Self { engine, read_buffer, fork, writer: RefCell::new(None) })
    }

    /// Lets the writer go on if the disk has completed something. The engine is not borrowed.
    fn look_at_the_disk(&self) {
        if let Some((log, writer)) = &*self.writer.borrow()
            && log.has_completed()
        {
            writer.push();
        }
    }
}
