//! The log: a segmented, checksummed, append-only file of frames whose acknowledgement means durable.
//!
//! For people who write crash-recovery harnesses and fuzzers, and for the server above. The log knows only the
//! [`disk`](crate::disk) and the clock: payloads are bytes to it, and it never parses a command. Every byte of the
//! format is drawn in `docs/log-format.md`; what survives which failure stands in `docs/durability.md`.
//!
//! A start takes three steps: [`Directory::open`] takes possession, [`Directory::recover`] reads, checks and hands
//! on what is there and changes nothing, [`Log::start`] begins a new segment behind it. Then [`Log::append`] writes
//! frames and [`Log::sync`] makes them durable, while [`Log::prepare`] makes segments ahead of need.
//!
//! Here on the [simulated disk](crate::disk::sim), with a power cut between:
//!
//! ```
//! use std::{path::Path, rc::Rc};
//! use ackd::disk::sim::{Crash, World};
//! use ackd::log::{Directory, FrameBuf, FrameHeader, FrameKind, Log, LogError, Settings, Sink, SinkError};
//!
//! #[derive(Default)]
//! struct Effects(Vec<Vec<u8>>);
//!
//! impl Sink for Effects {
//!     fn frame(&mut self, header: &FrameHeader, payload: &[u8]) -> Result<(), SinkError> {
//!         if header.kind == FrameKind::Effects {
//!             self.0.push(payload.to_vec());
//!         }
//!         Ok(())
//!     }
//! }
//!
//! async fn start(world: &World) -> Result<(Rc<Log>, Vec<Vec<u8>>), LogError> {
//!     let directory = Directory::open(Rc::new(world.boot()), Path::new("/d/data")).await?;
//!     let mut found = Effects::default();
//!     let recovered = directory.recover(&mut found).await?;
//!     let settings = Settings { segment_size: 64 << 10, first_segment_size: 64 << 10, ..Settings::default() };
//!     let (clock, rng) = (Rc::new(world.clock()), fastrand::Rng::with_seed(1));
//!     Ok((Log::start(directory, &recovered, settings, clock, rng).await?, found.0))
//! }
//!
//! let world = World::new(1);
//! world.make_dir(Path::new("/d"));
//! world.run(async {
//!     let (log, found) = start(&world).await.unwrap();
//!     assert!(found.is_empty());
//!     let mut frame = FrameBuf::new();
//!     frame.extend_from_slice(b"acknowledged");
//!     log.append(&mut frame, 1).await.unwrap();
//! });
//! let after = world.image(Crash::Power, 7);
//! let (_, found) = after.run(start(&after)).unwrap().unwrap();
//! assert_eq!(found, [b"acknowledged"]);
//! ```
//!
//! What must always hold: a byte that was reported durable is never written again; a frame that recovery hands on was
//! written whole and follows the one before it; a recovery that cannot keep what was durable refuses and changes
//! nothing.

pub mod backup;
mod bytes;
mod directory;
mod error;
mod frame;
mod frame_buf;
mod history;
pub mod inspect;
mod manifest;
#[doc(hidden)]
pub mod planted;
pub mod reader;
mod recovery;
mod recycle;
mod retention;
mod rewrite;
mod segment;
mod snapshots;
mod spare;
mod start;
#[cfg(test)]
mod tests;
mod walk;
mod writer;

pub use directory::Directory;
pub use error::{Cause, Consequence, LogError, Refusal, SpareError};
pub use frame::{
    FEATURE_LEVEL, FRAME_ALIGN, FRAME_HEADER, FRAME_MAGIC, FrameFault, FrameHeader, FrameKind, Parsed, START_PAYLOAD,
    Sealed, StartMark, parse, parse_header,
};
pub use frame_buf::FrameBuf;
pub use history::{History, HistoryId};
pub use manifest::{Manifest, ManifestFault, Place, SnapshotEntry};
pub use recovery::{Contents, Progress, Recovered, Sink, SinkError};
pub use retention::Retention;
pub use segment::{FORMAT_VERSION, SEGMENT_HEADER, SEGMENT_MAGIC, Segment, SegmentFault, size_for};
pub use snapshots::{LARGEST_READ, SnapshotFault, Verification, snapshot_name};
pub use walk::{Outcome, Point, Step, TornTail, Walk, WalkInput, Window};
pub use writer::{Log, Position, Stats};

/// When a frame counts as written, and what survives which failure. Fixed for the length of a segment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SyncPolicy {
    /// A frame is on the medium when [`Log::append`] returns: it survives the loss of power.
    #[default]
    Always,
    /// A frame is in the system's cache when [`Log::append`] returns: it survives the death of the process. The caller
    /// calls [`Log::sync`] every second: usually one second, at most two, are lost with the power.
    EverySec,
    /// A frame is in the system's cache when [`Log::append`] returns: it survives the death of the process. The system
    /// decides when it reaches the medium; any amount may be lost with the power.
    No,
}

impl SyncPolicy {
    /// Whether every frame is durable before [`Log::append`] returns.
    pub fn is_always(self) -> bool {
        self == Self::Always
    }
}

/// How the log is written.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Length of a segment, once a run has grown to it.
    pub segment_size: u64,
    /// Length of the first segment of a run; the next ones double up to `segment_size`.
    pub first_segment_size: u64,
    /// What [`Log::append`] waits for.
    pub policy: SyncPolicy,
    /// Bytes of a new segment that are written and synced at a time while it is made, so that nothing else stalls.
    pub slice: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { segment_size: 64 << 20, first_segment_size: 1 << 20, policy: SyncPolicy::Always, slice: 1 << 20 }
    }
}
