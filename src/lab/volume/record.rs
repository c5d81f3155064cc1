//! The record of what was done to the files.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::tree::{Ino, Tree};

/// A moment of a run: the number of its tick.
pub type Moment = u64;

/// The clock that orders what the files and the clients saw. Each reading is a moment of its own, later than all before.
#[derive(Debug, Default)]
pub struct Ticks(AtomicU64);

impl Ticks {
    /// The next moment.
    pub fn now(&self) -> Moment {
        self.0.fetch_add(1, Ordering::SeqCst)
    }
}

/// A new file or directory, which is empty.
#[derive(Clone, Copy, Debug)]
pub struct Made {
    /// Rather than a file.
    pub directory: bool,
    /// Its permissions.
    pub mode: u16,
}

/// A change of one file or directory.
#[derive(Clone, Debug)]
pub enum Change {
    /// Bytes of a file.
    Write {
        /// The file.
        ino: Ino,
        /// Where they begin.
        offset: u64,
        /// The bytes.
        data: Arc<[u8]>,
    },
    /// A file ends elsewhere; what is new is zeros.
    Resize {
        /// The file.
        ino: Ino,
        /// Its new size.
        size: u64,
    },
    /// A name is given to a file or directory (new ones are made so too).
    Link {
        /// Where.
        directory: Ino,
        /// The name.
        name: String,
        /// Whose.
        ino: Ino,
        /// What is made with this name; nothing when the file was there before.
        made: Option<Made>,
    },
    /// A name is taken away.
    Unlink {
        /// Where.
        directory: Ino,
        /// The name.
        name: String,
    },
    /// A name moves, over another one if there is one.
    Rename {
        /// From this directory …
        from: Ino,
        /// … this name …
        name: String,
        /// … to that directory …
        to: Ino,
        /// … as this.
        new_name: String,
        /// What bears it.
        ino: Ino,
    },
}

impl Change {
    /// The file or directory whose sync makes it durable.
    pub fn synced_by(&self) -> Ino {
        match self {
            Self::Write { ino, .. } | Self::Resize { ino, .. } => *ino,
            Self::Link { directory, .. } | Self::Unlink { directory, .. } => *directory,
            Self::Rename { to, .. } => *to,
        }
    }

    /// True for one of a directory.
    pub fn is_of_names(&self) -> bool {
        !matches!(self, Self::Write { .. } | Self::Resize { .. })
    }
}

/// What was done.
#[derive(Clone, Debug)]
pub enum What {
    /// Something changed.
    Change {
        /// What.
        change: Change,
        /// True when its end vouches for it: `O_DSYNC`.
        synchronous: bool,
    },
    /// All earlier changes of a file or directory were made durable.
    Sync {
        /// Of which.
        ino: Ino,
    },
    /// They were not, and the server was told so.
    FailedSync {
        /// Of which.
        ino: Ino,
    },
}

/// Something that was done, from its beginning to its end.
#[derive(Clone, Debug)]
pub struct Event {
    /// When the file system took it up; from then on it may be on the disk.
    pub begun: Moment,
    /// When the server was told of its success; `Moment::MAX` when it was not, or when it was told that it failed.
    pub ended: Moment,
    /// What it was.
    pub what: What,
}

/// All of it, in the order of its beginnings.
#[derive(Clone, Debug)]
pub struct Trace {
    /// What was there, all of it durable, before the first event.
    pub initial: Tree,
    /// What was done.
    pub events: Vec<Event>,
    /// Told apart by this, so that what began before another record was begun does not end in it.
    number: u64,
}

impl Trace {
    pub(super) fn new(initial: Tree) -> Self {
        static NUMBERS: AtomicU64 = AtomicU64::new(0);
        Self { initial, events: Vec::new(), number: NUMBERS.fetch_add(1, Ordering::Relaxed) }
    }

    pub(super) fn begin(&mut self, now: Moment, what: What) -> (u64, usize) {
        self.events.push(Event { begun: now, ended: Moment::MAX, what });
        (self.number, self.events.len() - 1)
    }

    pub(super) fn end(&mut self, number: u64, event: usize, now: Moment) {
        if number == self.number {
            self.events[event].ended = now;
        }
    }
}
