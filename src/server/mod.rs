//! Layer 6: listeners, connections, timers, signals, shutdown. No command semantics.

mod accept;
pub mod connection;
mod limits;
mod listener;
mod logging;
mod process;
mod query;
pub mod run;
mod settings;
mod timed;
pub mod timers;

use std::cell::RefCell;
use std::rc::Rc;

use crate::engine::Engine;

/// What all tasks of a server share.
pub struct Node {
    /// The engine: borrowed for synchronous stretches, never across an `.await`.
    pub engine: Rc<RefCell<Engine>>,
    /// Memory to read into, lent to the connection that has its turn.
    pub read_buffer: RefCell<Vec<u8>>,
}

impl Node {
    /// A node around an engine.
    pub fn new(engine: Engine) -> Rc<Self> {
        Rc::new(Self { engine: Rc::new(RefCell::new(engine)), read_buffer: RefCell::new(Vec::new()) })
    }
}
