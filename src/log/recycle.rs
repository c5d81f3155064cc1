//! Using the file of a dead segment again: its blocks are written already, so no zeros have to be.
//!
//! The frames of the earlier use stay in the file; they never verify, since a frame's header is checked with the salt of
//! its segment. What must always hold: MANIFEST has dropped the segment before its file is touched; nobody else reads
//! or shares what would be written over.

use std::io;

use crate::disk::{AlignedBuf, Lock, Open};

use super::error::LogError;
use super::segment::Segment;
use super::writer::Log;

/// Files of dead segments that are kept to be used again; more are removed.
const KEPT: usize = 4;

impl Log {
    /// Takes one of the dead segments' files for a segment of this size, if there is one.
    pub(super) fn take_recyclable(&self, size: u64) -> Option<Segment> {
        let mut state = self.state.borrow_mut();
        let at = state.recyclable.iter().position(|s| s.size == size)?;
        Some(state.recyclable.remove(at))
    }

    /// Removes the files of snapshots and segments that no longer count, but for those segments that will be used again.
    /// This run has written a MANIFEST that says so.
    pub(super) async fn remove_dropped(&self) -> Result<(), LogError> {
        let discarded = std::mem::take(&mut self.state.borrow_mut().discarded);
        for file in discarded {
            self.directory.discard_snapshot(&file).await;
        }
        let dropped = {
            let mut state = self.state.borrow_mut();
            let state = &mut *state;
            let size = self.settings.segment_size;
            state.recyclable.retain(|s| s.size == size && state.manifest.dropped.contains(&s.sequence));
            let surplus = state.recyclable.len().saturating_sub(KEPT);
            state.recyclable.drain(..surplus);
            let kept = |sequence: &u64| state.recyclable.iter().any(|s| s.sequence == *sequence);
            state.manifest.dropped.iter().copied().filter(|sequence| !kept(sequence)).collect::<Vec<_>>()
        };
        if dropped.is_empty() {
            return Ok(());
        }
        let folder = self.directory.log_dir();
        for &sequence in &dropped {
            let path = folder.join(Segment::name_of(sequence));
            match self.directory.disk.remove(&path).await {
                Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(LogError::io("remove", &path)(e)),
                _ => {}
            }
        }
        self.directory.disk.sync_dir(&folder).await.map_err(LogError::io("sync", &folder))?;
        // Not written at once: the next MANIFEST leaves them out.
        self.state.borrow_mut().manifest.dropped.retain(|sequence| !dropped.contains(sequence));
        Ok(())
    }

    /// Makes the file of `old`, which MANIFEST has dropped, that of `new`. `false` if it must not be written over: then it
    /// is to be removed like any other.
    pub(super) async fn renew(&self, old: Segment, new: Segment) -> Result<bool, LogError> {
        let disk = &self.directory.disk;
        let path = self.directory.log_dir().join(old.file_name());
        let found = disk.metadata(&path).await.map_err(LogError::io("examine", &path))?;
        if found.len != old.size || found.links > 1 || found.shared || found.allocated < found.len {
            return Ok(false);
        }
        let file = disk.open(&path, Open::Buffered).await.map_err(LogError::io("open", &path))?;
        for byte in [0, 1] {
            // Its last writer, and whoever reads it: a tool, or a copy under way.
            if !file.lock(byte, Lock::Exclusive, false).await.map_err(LogError::io("lock", &path))? {
                return Ok(false);
            }
        }
        let mut block = AlignedBuf::with_capacity(usize::try_from(new.unit).unwrap_or(usize::MAX));
        block.extend_from_slice(&new.encode(&self.state.borrow().manifest.history()));
        block.resize(usize::try_from(new.unit).unwrap_or(usize::MAX));
        file.write_at(0, block).await.map_err(LogError::io_at("write", &path, 0))?;
        file.sync().await.map_err(LogError::io("sync", &path))?;
        let renamed = self.directory.log_dir().join(new.file_name());
        disk.rename(&path, &renamed).await.map_err(LogError::io("rename", &path))?;
        if !self.directory.planted().skip_directory_sync {
            let folder = self.directory.log_dir();
            disk.sync_dir(&folder).await.map_err(LogError::io("sync", &folder))?;
        }
        Ok(true)
    }
}
