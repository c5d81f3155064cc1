//! The writing end: appends frames, makes them durable, rolls from segment to segment, and fails for good.
//!
//! One frame is written at a time; syncs of buffered segments run beside later appends. What must always hold:
//! - no byte that was reported durable is written again: after a sync, and after every durable write, the next frame
//!   starts in a fresh write unit (asserted before every write);
//! - nothing counts as durable before everything earlier does;
//! - after the first failed write or sync nothing is written or reported any more.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::Mutex;

use crate::base::clock::Clock;
use crate::disk::File;

use super::directory::Directory;
use super::error::LogError;
use super::frame::{FEATURE_LEVEL, FRAME_ALIGN, FrameBuf, FrameHeader, FrameKind, StartMark, frame_len};
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
    pub path: PathBuf,
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
    pub path: PathBuf,
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

    /// Writes the payload of `frame` as one frame, and empties it.
    ///
    /// Under `always` it is durable on return; otherwise it is in the system's cache and survives the death of the
    /// process. [`LogError::NoRoom`] leaves `frame` and log as they were; every other error is final. So is dropping
    /// the future before it is done.
    pub async fn append(&self, frame: &mut FrameBuf, wall_ms: u64) -> Result<Position, LogError> {
        let _writing = self.writing.lock().await;
        self.usable()?;
        self.make_room(frame.len() as u64).await?;
        let start = self.state.borrow().offset;
        self.write(FrameKind::Effects, frame, wall_ms).await?;
        let state = self.state.borrow();
        Ok(Position { start, end: state.offset, index: state.index })
    }

    /// Makes everything written so far durable; gives the durable offset. Later appends may run meanwhile.
    pub async fn sync(&self) -> Result<u64, LogError> {
        let _syncing = self.syncing.lock().await;
        let flush = {
            let _writing = self.writing.lock().await;
            self.usable()?;
            self.begin_flush()
        };
        self.flush(flush).await
    }

    /// Writes a seal: a frame that records on disk how far everything is durable, so that later damage below it is
    /// never mistaken for a torn tail. Syncs first. For moments of idleness: takes up to two write units of the room.
    pub async fn seal(&self) -> Result<(), LogError> {
        self.seal_keeping(2).await
    }

    /// The same, if `units` write units are left.
    pub(super) async fn seal_keeping(&self, units: u64) -> Result<(), LogError> {
        self.sync().await?;
        {
            let _writing = self.writing.lock().await;
            self.usable()?;
            let state = self.state.borrow();
            let Some(active) = &state.active else { return Ok(()) };
            let full = active.segment.next_unit(active.position) + units * active.segment.unit > active.segment.size;
            if full || state.durable == state.recorded {
                return Ok(());
            }
            drop(state);
            self.write(FrameKind::Seal, &mut FrameBuf::new(), self.clock.wall_ms()).await?;
            self.state.borrow_mut().stats.seals += 1;
        }
        let recorded = self.state.borrow().durable;
        self.sync().await?;
        let mut state = self.state.borrow_mut();
        state.recorded = state.recorded.max(recorded);
        Ok(())
    }

    /// Changes what [`Log::append`] waits for, from the next frame on. Rolls when the way of writing differs, with
    /// everything before synced; makes a segment for it if none is at hand.
    pub async fn set_policy(&self, policy: SyncPolicy) -> Result<(), LogError> {
        let rolls = policy.is_always() != self.state.borrow().policy.is_always();
        if rolls && self.state.borrow().spares.is_empty() {
            self.prepare(0).await?;
        }
        let _syncing = self.syncing.lock().await;
        let _writing = self.writing.lock().await;
        self.usable()?;
        let flush = self.begin_flush();
        self.flush(flush).await?;
        if !rolls || self.state.borrow().active.is_none() {
            self.state.borrow_mut().policy = policy;
            return Ok(());
        }
        if self.state.borrow().spares.is_empty() {
            return Err(LogError::NoRoom { needed: 0, room: 0 });
        }
        self.state.borrow_mut().policy = policy;
        self.roll().await
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

    /// Rolls until a frame with so large a payload fits. Nothing happens unless it will fit.
    async fn make_room(&self, payload: u64) -> Result<(), LogError> {
        let fits = {
            let state = self.state.borrow();
            state.active.as_ref().is_some_and(|a| payload <= a.segment.room_behind(a.position))
        };
        if fits {
            return Ok(());
        }
        let ahead = self.state.borrow().spares.iter().position(|s| payload <= s.segment.room_when_fresh());
        let Some(ahead) = ahead else { return Err(LogError::NoRoom { needed: payload, room: self.room() }) };
        for _ in 0..=ahead {
            self.roll().await?;
        }
        Ok(())
    }

    /// Begins the next spare, which must exist: from here on it is written to.
    pub(super) async fn roll(&self) -> Result<(), LogError> {
        let spare = self.state.borrow_mut().spares.pop_front().expect("callers roll only when there is a spare");
        let always = self.policy().is_always();
        let spare = spare.opened_for(&self.directory, always).await.map_err(|e| self.fail(e))?;
        let mark = {
            let mut state = self.state.borrow_mut();
            if let Some(old) = state.active.take()
                && old.synced < old.position
            {
                state.unsynced.push(Unsynced { sequence: old.segment.sequence, file: old.file, path: old.path });
            }
            let (previous_sequence, previous_salt, live_end) = state.tail.unwrap_or_default();
            state.stats.rolls += 1;
            let unit = spare.segment.unit;
            state.active = Some(Active {
                segment: spare.segment,
                file: spare.file,
                path: spare.path,
                direct: spare.direct,
                always,
                position: unit,
                barrier: unit,
                synced: unit,
                tail: Vec::new(),
            });
            StartMark {
                previous_sequence,
                previous_salt,
                live_end,
                last_crc: state.crc,
                base_offset: state.offset,
                history: state.manifest.history(),
            }
        };
        let mut frame = FrameBuf::new();
        frame.extend_from_slice(&mark.encode());
        self.write(FrameKind::Start, &mut frame, self.clock.wall_ms()).await
    }

    /// Writes one frame to the active segment, which has room for it. The caller holds `writing`.
    async fn write(&self, kind: FrameKind, frame: &mut FrameBuf, wall_ms: u64) -> Result<(), LogError> {
        let rewrite = self.directory.planted().rewrite_acked;
        let (file, path, header, position, segment, durable_write) = {
            let state = self.state.borrow();
            let active = state.active.as_ref().expect("callers write only when there is a segment");
            let after = active.position.next_multiple_of(FRAME_ALIGN);
            let position = if rewrite { after } else { after.max(active.barrier) };
            let always = active.always && state.unsynced.is_empty() && state.durable == state.offset;
            let header = FrameHeader {
                kind,
                always,
                feature_level: FEATURE_LEVEL,
                payload_len: frame.len() as u64,
                index: state.index + u64::from(kind.is_entry()),
                term: state.term,
                offset: state.offset,
                wall_ms: wall_ms.max(state.wall_ms),
                durable: state.durable,
                committed: state.durable,
                previous_crc: state.crc,
                payload_crc: crc32fast::hash(frame.payload()),
            };
            (Rc::clone(&active.file), active.path.clone(), header, position, active.segment, active.direct)
        };
        let end = position + header.frame_len();
        let (mut bytes, crc) = frame.finish(&header, segment.salt);
        let padded = if durable_write { segment.next_unit(end) } else { end };
        bytes.resize(usize::try_from(padded - position).expect("a frame in memory has a length that fits"));
        assert!(padded <= segment.size, "a frame must end within its segment");
        let mut at = position;
        if rewrite {
            (at, bytes) = self.with_tail(position, bytes);
        } else {
            let state = self.state.borrow();
            let barrier = state.active.as_ref().map_or(0, |a| a.barrier);
            assert!(at >= barrier, "a byte that was reported durable must not be written again");
        }
        let abandoned = Abandoned { log: self, path: &path, position };
        let bytes =
            file.write_at(at, bytes).await.map_err(LogError::io_at("write", &path, at)).map_err(|e| self.fail(e))?;
        let synced = durable_write || header.always_needs_sync(self.policy());
        if synced && !durable_write {
            self.sync_file(&*file, &path).await?;
        }
        std::mem::forget(abandoned);
        self.wrote(&header, crc, end, synced, &bytes[usize::try_from(position - at).unwrap_or(0)..]);
        frame.give_back(bytes);
        Ok(())
    }

    /// Takes note of a completed write.
    fn wrote(&self, header: &FrameHeader, crc: u32, end: u64, synced: bool, bytes: &[u8]) {
        let rewrite = self.directory.planted().rewrite_acked;
        let mut state = self.state.borrow_mut();
        let state = &mut *state;
        let all_earlier_durable = state.unsynced.is_empty();
        state.crc = crc;
        state.offset = header.end_offset();
        state.index = header.index;
        state.wall_ms = header.wall_ms;
        state.stats.bytes += bytes.len() as u64;
        if header.kind == FrameKind::Effects {
            state.stats.frames += 1;
            state.stats.payload_bytes += header.payload_len;
        }
        let Some(active) = &mut state.active else { return };
        if rewrite {
            let unit = active.segment.unit;
            let keep = usize::try_from(end % unit).unwrap_or(0);
            let frame = usize::try_from(frame_len(header.payload_len)).unwrap_or(bytes.len()).min(bytes.len());
            active.tail.extend_from_slice(&bytes[..frame]);
            let cut = active.tail.len().saturating_sub(keep);
            active.tail.drain(..cut);
        }
        let before_synced = active.synced >= active.barrier.min(active.position);
        active.position = end;
        state.tail = Some((active.segment.sequence, active.segment.salt, end));
        if synced {
            active.barrier = active.segment.next_unit(end);
            active.synced = end;
            state.stats.syncs += 1;
            if all_earlier_durable && before_synced {
                state.durable = state.offset;
                state.recorded = state.recorded.max(header.durable);
            }
        }
    }

    /// The planted bug: the bytes to write with the write unit that they begin in, as it was written before.
    fn with_tail(&self, position: u64, bytes: crate::disk::AlignedBuf) -> (u64, crate::disk::AlignedBuf) {
        let state = self.state.borrow();
        let Some(active) = &state.active else { return (position, bytes) };
        let start = position / active.segment.unit * active.segment.unit;
        let mut all = crate::disk::AlignedBuf::with_capacity(bytes.len() + active.tail.len());
        all.extend_from_slice(&active.tail);
        all.resize(usize::try_from(position - start).unwrap_or(0));
        let frame = usize::try_from(active.segment.next_unit(position + bytes.len() as u64) - start).unwrap_or(0);
        all.extend_from_slice(&bytes);
        all.resize(frame);
        (start, all)
    }

    /// Decides what has to be synced, and lets later frames start in a fresh write unit. The caller holds `writing`.
    fn begin_flush(&self) -> Flush {
        let mut state = self.state.borrow_mut();
        let state = &mut *state;
        let mut files: Vec<_> =
            state.unsynced.iter().map(|u| (u.sequence, Rc::clone(&u.file), u.path.clone())).collect();
        let mut end = (0, 0);
        if let Some(active) = &mut state.active {
            active.barrier = active.barrier.max(active.segment.next_unit(active.position));
            if active.synced < active.position {
                files.push((active.segment.sequence, Rc::clone(&active.file), active.path.clone()));
            }
            end = (active.segment.sequence, active.position);
        }
        Flush { files, offset: state.offset, end }
    }

    /// Syncs oldest first. The caller holds `syncing`, so that nothing else removes from `unsynced`.
    async fn flush(&self, flush: Flush) -> Result<u64, LogError> {
        for (_, file, path) in &flush.files {
            self.sync_file(&**file, path).await?;
        }
        let mut state = self.state.borrow_mut();
        let state = &mut *state;
        if let Some(first) = &state.failed {
            return Err(LogError::Failed(Arc::clone(first)));
        }
        let (sequence, position) = flush.end;
        // A segment rolled away from while it was synced stays in the list: later frames of it were not synced.
        state.unsynced.retain(|u| u.sequence >= sequence);
        if let Some(active) = state.active.as_mut().filter(|a| a.segment.sequence == sequence) {
            active.synced = active.synced.max(position);
        }
        state.stats.syncs += flush.files.len() as u64;
        state.durable = state.durable.max(flush.offset);
        Ok(state.durable)
    }

    async fn sync_file(&self, file: &dyn File, path: &std::path::Path) -> Result<(), LogError> {
        match file.sync().await {
            Err(e) if !self.directory.planted().ignore_failed_sync => Err(self.fail(LogError::io("sync", path)(e))),
            _ => Ok(()),
        }
    }
}

impl FrameHeader {
    /// Whether a frame of a segment that is written through the cache has to be synced before it counts as appended.
    fn always_needs_sync(&self, policy: SyncPolicy) -> bool {
        policy.is_always()
    }
}

/// What a sync covers.
struct Flush {
    files: Vec<(u64, Rc<dyn File>, PathBuf)>,
    /// Stream offset that is durable afterwards.
    offset: u64,
    /// Sequence of the active segment and the end of its last frame.
    end: (u64, u64),
}

/// Ends the log when a write is dropped before it completed: what the file holds is then unknown.
struct Abandoned<'a> {
    log: &'a Log,
    path: &'a PathBuf,
    position: u64,
}

impl Drop for Abandoned<'_> {
    fn drop(&mut self) {
        self.log.fail(LogError::Abandoned { file: self.path.clone(), position: self.position });
    }
}
