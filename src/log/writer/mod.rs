//! The writing end: appends frames, makes them durable, rolls from segment to segment, and fails for good.
//!
//! One frame is written at a time; syncs of buffered segments run beside later appends. What must always hold:
//! - no byte that was reported durable is written again: after a sync, and after every durable write, the next frame
//!   starts in a fresh write unit (asserted before every write);
//! - nothing counts as durable before everything earlier does;
//! - after the first failed write or sync nothing is written or reported any more.

mod append;
mod sync;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::Mutex;

use crate::base::clock::Clock;
use crate::disk::File;

use super::directory::Directory;
use super::error::LogError;
use super::history::{History, HistoryId};
use super::manifest::Manifest;
use super::segment::Segment;
use super::spare::Spare;
use super::{Settings, SyncPolicy};

/// Where a frame stands in the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// Stream offset of the first byte of its payload.
    pub start: u64,
    /// Stream offset behind its payload.
    pub end: u64,
    /// Its index.
    pub index: u64,
}

/// Figures for `INFO`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// The disk in use, and whether the segment written to is written past the cache.
    pub disk_path: String,
    /// Stream offset of the last completed write.
    pub written: u64,
    /// Stream offset below which everything is durable.
    pub durable: u64,
    /// Stream offset below which everything is committed; without replication the same.
    pub committed: u64,
    /// Index of the last entry.
    pub index: u64,
    /// Frames with effects written by this process.
    pub frames: u64,
    /// Payload bytes written by this process.
    pub payload_bytes: u64,
    /// Bytes written by this process to segments, with headers and padding, without the zeros of new segments.
    pub bytes: u64,
    /// Syncs of segments, including writes past the cache, which are durable when they complete.
    pub syncs: u64,
    /// Segments listed, spares included.
    pub segments: u64,
    /// Spares among them.
    pub spares: u64,
    /// Bytes of all segments listed.
    pub segment_bytes: u64,
    /// Segments begun by this process.
    pub rolls: u64,
    /// Seals written by this process.
    pub seals: u64,
}

/// The segment that is written to.
pub(super) struct Active {
    pub segment: Segment,
    pub file: Rc<dyn File>,
    pub path: Rc<Path>,
    /// Written past the cache: durable when a write completes.
    pub direct: bool,
    /// Every frame is durable before the next one is written.
    pub always: bool,
    /// End of the last frame.
    pub position: u64,
    /// Below this nothing is written any more.
    pub barrier: u64,
    /// Everything below this was synced.
    pub synced: u64,
    /// The bytes of the write unit that `position` lies in; kept only for the planted bug that rewrites them.
    pub tail: Vec<u8>,
}

/// An earlier segment of which something was not synced yet.
pub(super) struct Unsynced {
    pub sequence: u64,
    pub file: Rc<dyn File>,
    pub path: Rc<Path>,
}

pub(super) struct State {
    pub policy: SyncPolicy,
    pub active: Option<Active>,
    pub spares: VecDeque<Spare>,
    /// Made, and perhaps listed: the MANIFEST that lists them could not be synced.
    pub limbo: VecDeque<Spare>,
    pub unsynced: Vec<Unsynced>,
    pub failed: Option<Arc<LogError>>,
    pub closed: bool,
    /// Sequence, salt and live end of the last segment with frames.
    pub tail: Option<(u64, u64, u64)>,
    pub crc: u32,
    pub offset: u64,
    pub index: u64,
    pub term: u64,
    pub wall_ms: u64,
    pub durable: u64,
    /// Highest durable offset that stands in a header on disk, itself durable.
    pub recorded: u64,
    /// Durable offset in the header written last.
    pub watermark: u64,
    /// The frames written now count only when the start frame in front of them is written: see
    /// [`rewrite`](super::rewrite).
    pub rewriting: bool,
    /// Snapshots listed that this start could not use.
    pub unusable: Vec<String>,
    /// Snapshots that are no longer listed once a MANIFEST was written: the one that was read may not be on the medium.
    pub discarded: Vec<String>,
    /// The segments reach back to the beginning of all.
    pub begins_at_zero: bool,
    /// Segments that are dropped for certain, and whose files may be used again.
    pub recyclable: Vec<Segment>,
    pub manifest: Manifest,
    pub next_sequence: u64,
    pub next_size: u64,
    pub rng: fastrand::Rng,
    pub stats: Stats,
}

/// The log of a directory, open for writing. Keeps the directory's LOCK as long as it exists.
pub struct Log {
    pub(super) directory: Directory,
    pub(super) clock: Rc<dyn Clock>,
    pub(super) settings: Settings,
    pub(super) state: RefCell<State>,
    /// Held while a frame is written.
    pub(super) writing: Mutex<()>,
    /// Held while segments are synced; taken before `writing`.
    syncing: Mutex<()>,
    /// Held while segments are made and MANIFEST is replaced; taken before `syncing`.
    pub(super) preparing: Mutex<()>,
}

impl Log {
    pub(super) fn with_state(directory: Directory, clock: Rc<dyn Clock>, settings: Settings, state: State) -> Rc<Self> {
        Rc::new(Self {
            directory,
            clock,
            settings,
            state: RefCell::new(state),
            writing: Mutex::new(()),
            syncing: Mutex::new(()),
            preparing: Mutex::new(()),
        })
    }

    /// Payload bytes that one frame can surely have with the segments at hand; padding, start frames and seals are
    /// accounted for. 0 when there is no segment at all.
    pub fn room(&self) -> u64 {
        let state = self.state.borrow();
        if state.failed.is_some() || state.closed {
            return 0;
        }
        let active = state.active.as_ref().map_or(0, |a| a.segment.room_behind(a.position));
        state.spares.iter().map(|s| s.segment.room_when_fresh()).fold(active, u64::max)
    }

    /// Whether the disk has completed something that nobody has looked at yet; see [`Disk::has_completed`].
    ///
    /// [`Disk::has_completed`]: crate::disk::Disk::has_completed
    pub fn has_completed(&self) -> bool {
        self.directory.disk.has_completed()
    }

    /// The largest write unit of the segments at hand, in bytes; 0 without any.
    pub fn unit(&self) -> u64 {
        let state = self.state.borrow();
        let active = state.active.as_ref().map_or(0, |a| a.segment.unit);
        state.spares.iter().map(|s| s.segment.unit).fold(active, u64::max)
    }

    /// The policy in force.
    pub fn policy(&self) -> SyncPolicy {
        self.state.borrow().policy
    }

    /// Stream offset below which everything is durable.
    pub fn durable(&self) -> u64 {
        self.state.borrow().durable
    }

    /// Stream offset of the last completed write.
    pub fn written(&self) -> u64 {
        self.state.borrow().offset
    }

    /// Wall-clock milliseconds of the newest frame; expiry must not run behind it.
    pub fn wall_ms(&self) -> u64 {
        self.state.borrow().wall_ms
    }

    /// The name of this copy.
    pub fn node(&self) -> HistoryId {
        self.state.borrow().manifest.node
    }

    /// Histories, oldest first; the last one is in force.
    pub fn histories(&self) -> Vec<History> {
        self.state.borrow().manifest.histories.clone()
    }

    /// The failure that ended the log, if there was one.
    pub fn failure(&self) -> Option<Arc<LogError>> {
        self.state.borrow().failed.clone()
    }

    /// Figures.
    pub fn stats(&self) -> Stats {
        let state = self.state.borrow();
        let direct = state.active.as_ref().is_some_and(|a| a.direct);
        Stats {
            disk_path: format!("{} {}", self.directory.disk.name(), if direct { "direct" } else { "buffered" }),
            written: state.offset,
            durable: state.durable,
            committed: state.durable,
            index: state.index,
            segments: state.manifest.segments.len() as u64,
            spares: state.spares.len() as u64,
            segment_bytes: state.manifest.segments.iter().map(|s| s.size).sum(),
            ..state.stats.clone()
        }
    }

    pub(super) fn usable(&self) -> Result<(), LogError> {
        let state = self.state.borrow();
        match &state.failed {
            Some(first) => Err(LogError::Failed(Arc::clone(first))),
            None if state.closed => Err(LogError::Closed),
            None => Ok(()),
        }
    }

    /// Ends the log for good.
    pub(super) fn fail(&self, cause: LogError) -> LogError {
        let mut state = self.state.borrow_mut();
        if state.failed.is_none() {
            state.failed = Some(Arc::new(cause.clone()));
        }
        cause
    }
}
