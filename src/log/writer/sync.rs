//! Making durable what was written: syncs, seals, and changes of the policy.

use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use crate::disk::File;

use super::super::SyncPolicy;
use super::super::error::LogError;
use super::super::frame::FrameKind;
use super::super::frame_buf::FrameBuf;
use super::append::Abandoned;
use super::{Active, Log};

impl Log {
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
    pub(in crate::log) async fn seal_keeping(&self, units: u64) -> Result<(), LogError> {
        self.sync().await?;
        {
            let _writing = self.writing.lock().await;
            self.usable()?;
            if !self.seal_is_due(units) {
                return Ok(());
            }
            self.write(FrameKind::Seal, &mut FrameBuf::new(), self.clock.wall_ms()).await?;
            self.state.borrow_mut().stats.seals += 1;
        }
        self.sync().await.map(|_| ())
    }

    fn seal_is_due(&self, units: u64) -> bool {
        let state = self.state.borrow();
        state.active.as_ref().is_some_and(|Active { segment, position, .. }| {
            let fits = segment.next_unit(*position) + units * segment.unit <= segment.size;
            fits && state.durable != state.recorded
        })
    }

    /// Whether [`Log::set_policy`] has the segment that it needs, and a frame with `payload` bytes fits in it.
    pub fn can_take(&self, policy: SyncPolicy, payload: u64) -> bool {
        let state = self.state.borrow();
        let next = state.spares.front().map(|spare| spare.segment.room_when_fresh());
        policy.is_always() == state.policy.is_always() || next.is_some_and(|room| payload <= room)
    }

    /// Whether there are earlier segments of which something was not synced yet.
    pub fn has_rolled_away(&self) -> bool {
        !self.state.borrow().unsynced.is_empty()
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

    /// Decides what has to be synced, and lets later frames start in a fresh write unit. The caller holds `writing`.
    pub(in crate::log) fn begin_flush(&self) -> Flush {
        let mut state = self.state.borrow_mut();
        let state = &mut *state;
        let mut files: Vec<_> =
            state.unsynced.iter().map(|u| (u.sequence, Rc::clone(&u.file), Rc::clone(&u.path))).collect();
        let mut end = (0, 0);
        if let Some(active) = &mut state.active {
            active.barrier = active.barrier.max(active.segment.next_unit(active.position));
            if active.synced < active.position {
                files.push((active.segment.sequence, Rc::clone(&active.file), Rc::clone(&active.path)));
            }
            end = (active.segment.sequence, active.position);
        }
        Flush { files, offset: state.offset, end, watermark: state.watermark }
    }

    /// Syncs oldest first. The caller holds `syncing`, so that nothing else removes from `unsynced`.
    pub(in crate::log) async fn flush(&self, flush: Flush) -> Result<u64, LogError> {
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
        state.recorded = state.recorded.max(flush.watermark);
        Ok(state.durable)
    }

    pub(in crate::log) async fn sync_file(&self, file: &dyn File, path: &Path) -> Result<(), LogError> {
        let abandoned = Abandoned { log: self, what: "sync", path, position: None };
        let synced = file.sync().await;
        std::mem::forget(abandoned);
        match synced {
            Err(e) if !self.directory.planted().ignore_failed_sync => Err(self.fail(LogError::io("sync", path)(e))),
            _ => Ok(()),
        }
    }
}

/// What a sync covers.
pub(in crate::log) struct Flush {
    files: Vec<(u64, Rc<dyn File>, Rc<Path>)>,
    /// Stream offset that is durable afterwards.
    offset: u64,
    /// Sequence of the active segment and the end of its last frame.
    end: (u64, u64),
    /// Durable offset in the last header covered.
    watermark: u64,
}
