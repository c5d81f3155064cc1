//! Making segments ahead of need: zeros really written and synced, in slices, then listed in MANIFEST.
//!
//! Called off the hot path. Failing here is not final: what was begun is removed, and it can be tried again. What must
//! always hold: a segment is listed durably before its first frame is written, and a listed file is never removed.

use std::path::Path;
use std::rc::Rc;

use crate::disk::{AlignedBuf, File, Lock, Open};

use super::directory::Directory;
use super::error::{LogError, SpareError};
use super::manifest::Manifest;
use super::recovery::yield_now;
use super::segment::{MIN_UNIT, Segment, size_for};
use super::writer::Log;

/// A segment without frames, open for writing.
pub(super) struct Spare {
    pub segment: Segment,
    pub path: Rc<Path>,
    pub file: Rc<dyn File>,
    pub direct: bool,
    /// What the file was opened for.
    pub always: bool,
}

impl Spare {
    /// Opens a segment for log writes and takes the lock that recovery waits for.
    pub async fn open(directory: &Directory, segment: Segment, always: bool) -> Result<Self, LogError> {
        let path = directory.log_dir().join(segment.file_name());
        let direct = if always { directory.disk.open(&path, Open::Direct).await.ok() } else { None };
        let (file, direct) = match direct.filter(|file| segment.unit.is_multiple_of(file.write_unit() as u64)) {
            Some(file) => (file, true),
            None => (directory.disk.open(&path, Open::Buffered).await.map_err(LogError::io("open", &path))?, false),
        };
        if !directory.planted().read_without_lock {
            file.lock(0, Lock::Exclusive, true).await.map_err(LogError::io("lock", &path))?;
        }
        Ok(Self { segment, path: path.into(), file, direct, always })
    }

    /// The same segment, open in the way that the policy asks for.
    pub async fn opened_for(self, directory: &Directory, always: bool) -> Result<Self, LogError> {
        if self.always == always {
            return Ok(self);
        }
        let segment = self.segment;
        drop(self);
        Self::open(directory, segment, always).await
    }
}

impl Log {
    /// The size of the segment that should be made now, if one should.
    pub fn needs_spare(&self) -> Option<u64> {
        let state = self.state.borrow();
        let idle = state.failed.is_some() || state.closed;
        (!idle && (state.spares.is_empty() || state.active.is_none())).then_some(state.next_size)
    }

    /// Makes segments until [`Log::room`] covers `payload_bytes` and there is a spare. For a task off the hot path:
    /// reads, and appends to the segments at hand, go on meanwhile. A caller that asks for room and gets it is not told
    /// of a failure to make one spare more, which is tried at the next call; one that asks for none is.
    pub async fn prepare(&self, payload_bytes: u64) -> Result<(), SpareError> {
        let _preparing = self.preparing.lock().await;
        self.usable().map_err(|e| SpareError::new(0, e))?;
        while self.room() < payload_bytes {
            self.make_one(payload_bytes).await?;
        }
        while self.state.borrow().spares.is_empty() {
            match self.make_one(0).await {
                Err(_) if payload_bytes > 0 => break,
                made => made?,
            }
        }
        Ok(())
    }

    async fn make_one(&self, payload: u64) -> Result<(), SpareError> {
        self.make_spare_that_fits(payload).await?;
        self.begin_first().await.map_err(|e| SpareError::new(0, e))?;
        if let Err(e) = self.remove_dropped().await {
            tracing::warn!("cannot remove segments that are no longer needed: {e}");
        }
        Ok(())
    }

    /// Makes one segment; where there is no space for one of the size that is due, a smaller one that still takes the
    /// payload.
    async fn make_spare_that_fits(&self, payload: u64) -> Result<(), SpareError> {
        loop {
            let size = self.state.borrow().next_size;
            match self.make_spare(payload).await {
                Err(SpareError::OutOfSpace { .. })
                    if size > self.settings.first_segment_size && size > size_for(payload, MIN_UNIT) =>
                {
                    self.state.borrow_mut().next_size = (size / 2).max(self.settings.first_segment_size);
                }
                result => return result,
            }
        }
    }

    /// Makes one segment and lists it. The caller holds `preparing`.
    pub(super) async fn make_spare(&self, payload: u64) -> Result<(), SpareError> {
        if !self.state.borrow().limbo.is_empty() {
            return self.list_limbo().await;
        }
        let (size, sequence, salt, always) = {
            let mut state = self.state.borrow_mut();
            let sequence = state.next_sequence;
            state.next_sequence += 1;
            (state.next_size, sequence, state.rng.u64(1..), state.policy.is_always())
        };
        let draft = Segment { sequence, size, unit: MIN_UNIT, salt }.fresh();
        let path = self.directory.log_dir().join(draft.file_name());
        let made = match self.recycle(draft, payload).await {
            Some(segment) => Ok(segment),
            None => self.build(draft, &path, payload, always).await,
        };
        let spare = match made {
            Ok(segment) => Spare::open(&self.directory, segment, always).await,
            Err(e) => Err(e),
        };
        let spare = match spare {
            Ok(spare) => spare,
            Err(cause) => {
                self.discard(&path).await;
                return Err(SpareError::new(size.max(size_for(payload, MIN_UNIT)), cause));
            }
        };
        if self.directory.planted().use_spare_unlisted {
            self.state.borrow_mut().spares.push_back(spare);
            return Ok(());
        }
        self.list(spare).await
    }

    /// The same from the file of a dead segment, if there is one of that size.
    async fn recycle(&self, draft: Segment, payload: u64) -> Option<Segment> {
        let old = self.take_recyclable(draft.size).filter(|old| size_for(payload, old.unit) <= old.size)?;
        let new = Segment { unit: old.unit, ..draft }.recycled();
        match self.renew(old, new).await {
            Ok(true) => {
                // Dropped is what its file was; the MANIFEST that lists the new one no longer names it.
                self.state.borrow_mut().manifest.dropped.retain(|sequence| *sequence != old.sequence);
                Some(new)
            }
            Ok(false) => None,
            Err(e) => {
                tracing::debug!("a log segment is made anew, not from an old one: {e}");
                self.discard(&self.directory.log_dir().join(new.file_name())).await;
                None
            }
        }
    }

    /// Writes a file of zeros with a header block, and syncs file and directory.
    async fn build(&self, draft: Segment, path: &Path, payload: u64, always: bool) -> Result<Segment, LogError> {
        let disk = &self.directory.disk;
        let mut file = disk.open(path, Open::CreateNew).await.map_err(LogError::io("create", path))?;
        // Zeros that go past the cache cost no page of it. A log that is written through the cache wants them there: to
        // overwrite a part of a page that is not, the kernel would read it first.
        if always && let Ok(direct) = disk.open(path, Open::Direct).await {
            file = direct;
        }
        let unit = (file.write_unit() as u64).max(MIN_UNIT);
        let size = draft.size.max(size_for(payload, unit)).next_multiple_of(unit);
        let segment = Segment { unit, size, ..draft };
        let slice = self.settings.slice.max(unit).next_multiple_of(unit);
        let header = segment.encode(&self.state.borrow().manifest.history());
        let mut buf = AlignedBuf::with_capacity(usize::try_from(slice.min(size)).unwrap_or(usize::MAX));
        buf.extend_from_slice(&header);
        let mut at = 0;
        while at < size {
            buf.resize(usize::try_from(slice.min(size - at)).unwrap_or(usize::MAX));
            buf = file.write_at(at, buf).await.map_err(LogError::io_at("write", path, at))?;
            // Slice by slice, so that the device is never behind a long queue of zeros.
            file.sync().await.map_err(LogError::io("sync", path))?;
            if at == 0 {
                buf.clear();
            }
            at += slice;
            yield_now().await;
        }
        if !self.directory.planted().skip_directory_sync {
            let folder = self.directory.log_dir();
            disk.sync_dir(&folder).await.map_err(LogError::io("sync", &folder))?;
        }
        Ok(segment)
    }

    /// Lists a finished segment in MANIFEST; only then may it be written to.
    async fn list(&self, spare: Spare) -> Result<(), SpareError> {
        let segment = spare.segment;
        let manifest = {
            let state = self.state.borrow();
            let mut manifest = state.manifest.clone();
            manifest.segments.push(segment);
            manifest.durable = state.durable;
            manifest
        };
        match self.directory.write_manifest(&manifest).await {
            Ok(()) => {
                let mut state = self.state.borrow_mut();
                state.manifest = manifest;
                state.next_size = state.next_size.saturating_mul(2).min(self.settings.segment_size);
                state.spares.push_back(spare);
                Ok(())
            }
            Err(failed) => {
                if failed.renamed {
                    // Perhaps it is listed: the file must stay, and is used once a MANIFEST is in force for certain.
                    let mut state = self.state.borrow_mut();
                    state.manifest = manifest;
                    state.limbo.push_back(spare);
                } else {
                    let path = Rc::clone(&spare.path);
                    drop(spare);
                    self.discard(&path).await;
                }
                Err(SpareError::new(segment.size, failed.cause))
            }
        }
    }

    async fn list_limbo(&self) -> Result<(), SpareError> {
        let manifest = {
            let state = self.state.borrow();
            Manifest { durable: state.durable, ..state.manifest.clone() }
        };
        let failed = self.directory.write_manifest(&manifest).await;
        failed.map_err(|failed| SpareError::new(0, failed.cause))?;
        let mut state = self.state.borrow_mut();
        let state = &mut *state;
        state.manifest = manifest;
        state.spares.append(&mut state.limbo);
        Ok(())
    }

    /// Removes a file that is in no list. If that fails too, the next start removes it.
    async fn discard(&self, path: &Path) {
        if let Err(e) = self.directory.disk.remove(path).await
            && e.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!("cannot remove the unfinished segment {}: {e}", path.display());
        }
    }
}
