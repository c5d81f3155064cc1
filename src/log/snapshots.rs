//! Snapshots as files of the directory: verified, installed, and the log cut short behind them.
//!
//! Their content is the caller's: here they are a name, a length and a checksum. What must always hold: MANIFEST lists a
//! snapshot only when its file is on the medium as it was meant, and all that it holds is durable; a file goes only when the
//! MANIFEST in force no longer lists it.

use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::disk::{File, Open};

use super::directory::Directory;
use super::error::LogError;
use super::history::{History, HistoryId};
use super::manifest::{Manifest, Place, SnapshotEntry};
use super::recovery::yield_now;
use super::retention::Retention;
use super::segment::Segment;
use super::writer::Log;

/// The most that is worth reading at a time.
pub const LARGEST_READ: u64 = 2 << 20;

/// By this near its beginning an RDB file says that ackd wrote it.
const OWN_AUX: &[u8] = b"ackd-ver";
const OWN_BEGINNING: usize = 1024;

/// What is wrong with a snapshot.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SnapshotFault {
    /// It cannot be read.
    #[error(transparent)]
    Io(#[from] LogError),
    /// It has another length.
    #[error("it is {found} bytes long, and was written with {listed}")]
    Length {
        /// Length found.
        found: u64,
        /// Length it should have.
        listed: u64,
    },
    /// Its bytes are not those that were written.
    #[error("it does not match its checksum")]
    Checksum,
}

/// A snapshot's file that is read to its end, to see whether it is what it should be.
pub struct Verification {
    path: PathBuf,
    file: Rc<dyn File>,
    at: u64,
    size: u64,
    crc: u32,
    hasher: crc32fast::Hasher,
}

impl Verification {
    /// Reads at most so many bytes on, and gives how many; 0 once the whole file was read and found right.
    pub async fn read(&mut self, at_most: u64) -> Result<u64, SnapshotFault> {
        let len = at_most.min(self.size - self.at);
        if len == 0 {
            let is_right = self.hasher.clone().finalize() == self.crc;
            return if is_right { Ok(0) } else { Err(SnapshotFault::Checksum) };
        }
        let read = self.file.read_at(self.at, usize::try_from(len).unwrap_or(usize::MAX)).await;
        let bytes = read.map_err(LogError::io_at("read", &self.path, self.at))?;
        if (bytes.len() as u64) < len {
            return Err(SnapshotFault::Length { found: self.at + bytes.len() as u64, listed: self.size });
        }
        self.hasher.update(&bytes);
        self.at += len;
        Ok(len)
    }
}

impl Directory {
    /// Whether a snapshot's file is what it should be. `progress` is told how many more bytes were read.
    pub async fn verify_snapshot(
        &self,
        file: &str,
        size: u64,
        crc: u32,
        progress: &mut dyn FnMut(u64),
    ) -> Result<(), SnapshotFault> {
        let mut verification = self.begin_to_verify(file, size, crc, false).await?;
        loop {
            match verification.read(LARGEST_READ).await? {
                0 => return Ok(()),
                len => progress(len),
            }
            yield_now().await;
        }
    }

    /// The same, to be carried on by [`Verification::read`]. `past_cache` asks the medium, where that is possible.
    pub async fn begin_to_verify(
        &self,
        file: &str,
        size: u64,
        crc: u32,
        past_cache: bool,
    ) -> Result<Verification, SnapshotFault> {
        let path = self.snapshot_dir().join(file);
        let found = self.disk.metadata(&path).await.map_err(LogError::io("examine", &path))?.len;
        if found != size {
            return Err(SnapshotFault::Length { found, listed: size });
        }
        let direct = if past_cache { self.disk.open(&path, Open::Direct).await.ok() } else { None };
        let file = match direct {
            Some(file) => file,
            None => self.disk.open(&path, Open::Read).await.map_err(LogError::io("open", &path))?,
        };
        Ok(Verification { path, file, at: 0, size, crc, hasher: crc32fast::Hasher::new() })
    }

    /// Opens a snapshot to read it.
    pub async fn open_snapshot(&self, file: &str) -> Result<Rc<dyn File>, LogError> {
        let path = self.snapshot_dir().join(file);
        self.disk.open(&path, Open::Read).await.map_err(LogError::io("open", &path))
    }

    /// Makes a directory without MANIFEST one that begins with a snapshot, whose file is synced, and no log. Durable on
    /// return.
    pub async fn begin_with(&self, snapshot: SnapshotEntry, rng: &mut fastrand::Rng) -> Result<(), LogError> {
        let folder = self.snapshot_dir();
        self.disk.sync_dir(&folder).await.map_err(LogError::io("sync", &folder))?;
        let first_offset = snapshot.place.offset;
        let manifest = Manifest {
            node: HistoryId::draw(rng),
            histories: vec![History { id: HistoryId::draw(rng), first_offset }],
            durable: first_offset,
            clean: true,
            snapshots: vec![snapshot],
            segments: Vec::new(),
            dropped: Vec::new(),
        };
        self.lay_out(&manifest).await
    }

    /// Copies a snapshot out of the directory: to `under_way` first, which then replaces `target`.
    pub async fn copy_snapshot(&self, file: &str, under_way: &Path, target: &Path) -> Result<(), LogError> {
        let path = self.snapshot_dir().join(file);
        // What a server that died left under this name.
        let _ = self.disk.remove(under_way).await;
        if let Err(error) = self.disk.copy(&path, under_way).await {
            // What there is of it may hold the last free space.
            let _ = self.disk.remove(under_way).await;
            return Err(LogError::io("copy", &path)(error));
        }
        if let Err(error) = self.replace(under_way, target).await {
            let _ = self.disk.remove(under_way).await;
            return Err(error);
        }
        let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        self.disk.sync_dir(folder).await.map_err(LogError::io("sync", folder))
    }

    /// Renames. What stands there already is set aside, unless it says that ackd wrote it: it may be the only copy of
    /// somebody's data.
    async fn replace(&self, from: &Path, to: &Path) -> Result<(), LogError> {
        match self.disk.open(to, Open::Read).await {
            Ok(found) => {
                let beginning = found.read_at(0, OWN_BEGINNING).await.map_err(LogError::io_at("read", to, 0))?;
                if !beginning.windows(OWN_AUX.len()).any(|bytes| bytes == OWN_AUX) {
                    let aside = self.free_name(to).await?;
                    self.disk.rename(to, &aside).await.map_err(LogError::io("rename", to))?;
                    tracing::warn!("{} was not written by ackd, and is now {}", to.display(), aside.display());
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(LogError::io("open", to)(error)),
        }
        self.disk.rename(from, to).await.map_err(LogError::io("rename", from))
    }

    /// A name like this one under which there is nothing.
    async fn free_name(&self, path: &Path) -> Result<PathBuf, LogError> {
        let mut number = 1;
        loop {
            let mut name = path.as_os_str().to_owned();
            name.push(format!(".before-ackd-{number}"));
            let name = PathBuf::from(name);
            match self.disk.metadata(&name).await {
                Ok(_) => number += 1,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(name),
                Err(error) => return Err(LogError::io("examine", &name)(error)),
            }
        }
    }

    /// Bytes that can still be stored where `path` is, if that is known.
    pub async fn free_space(&self, path: &Path) -> Option<u64> {
        self.disk.free_space(path).await.ok().flatten()
    }

    /// Removes a file of `snapshots/` that is in no list. If that fails, the next start removes it.
    pub async fn discard_snapshot(&self, file: &str) {
        let path = self.snapshot_dir().join(file);
        if let Err(e) = self.disk.remove(&path).await
            && e.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!("cannot remove the snapshot {}: {e}", path.display());
        }
    }
}

impl Log {
    /// The place at which the log stands.
    pub fn place(&self) -> Place {
        let state = self.state.borrow();
        let (sequence, _, position) = state.tail.unwrap_or_default();
        Place {
            offset: state.offset,
            index: state.index,
            term: state.term,
            wall_ms: state.wall_ms,
            sequence,
            position,
            crc: state.crc,
        }
    }

    /// The directory of this log.
    pub fn directory(&self) -> &Directory {
        &self.directory
    }

    /// The snapshots kept, oldest first.
    pub fn snapshots(&self) -> Vec<SnapshotEntry> {
        self.state.borrow().manifest.snapshots.clone()
    }

    /// File space of the log behind the newest snapshot, in bytes, or of all of it.
    pub fn space_behind_snapshot(&self) -> u64 {
        let state = self.state.borrow();
        let Some(active) = &state.active else { return 0 };
        let (sequence, position) =
            state.manifest.snapshots.last().map_or((0, 0), |s| (s.place.sequence, s.place.position));
        let last = active.segment.sequence;
        let segments = state.manifest.segments.iter().filter(|s| (sequence..=last).contains(&s.sequence));
        let upto = |s: &Segment| if s.sequence == last { active.position } else { s.size };
        segments.map(|s| if s.sequence == sequence { upto(s).saturating_sub(position) } else { upto(s) }).sum()
    }

    /// Bytes that the installation of a snapshot of this size, taken now, would free.
    pub fn would_free(&self, size: u64, retention: &Retention) -> u64 {
        let place = self.place();
        let state = self.state.borrow();
        let mut kept = state.manifest.snapshots.clone();
        let before: u64 = kept.iter().map(|s| s.size).sum();
        kept.push(SnapshotEntry { file: String::new(), size, crc: 0, place });
        retention.thin(&mut kept);
        let after: u64 = kept.iter().map(|s| s.size).sum();
        let first = retention.first_segment(&kept);
        let segments: u64 = state.manifest.segments.iter().filter(|s| s.sequence < first).map(|s| s.size).sum();
        segments + (before + size).saturating_sub(after)
    }

    /// From where on every state can be gone back to: the oldest snapshot, or `None` for the beginning of all.
    pub fn beginning(&self) -> Option<Place> {
        let state = self.state.borrow();
        let is_whole = state.begins_at_zero;
        state.manifest.snapshots.first().filter(|_| !is_whole).map(|oldest| oldest.place)
    }

    /// Lists a snapshot whose file was synced and verified, once all that it holds is durable; takes off the list what
    /// need not be kept any more, and removes or reuses those files. On an error the file is the caller's to discard
    /// unless it is listed nevertheless, which [`Log::snapshots`] tells.
    pub async fn install_snapshot(&self, snapshot: SnapshotEntry, retention: Retention) -> Result<(), LogError> {
        let preparing = self.preparing.lock().await;
        self.usable()?;
        let planted = self.directory.planted();
        if !planted.install_undurable {
            // Also when no byte of the stream is unsynced: the place may be the end of a start frame, which takes no room
            // in it, and a start trusts that what stands before the place is on the medium.
            self.sync().await?;
        }
        let folder = self.directory.snapshot_dir();
        if !planted.skip_directory_sync {
            self.directory.disk.sync_dir(&folder).await.map_err(LogError::io("sync", &folder))?;
        }
        let present = self.state.borrow().manifest.clone();
        let mut manifest = Manifest { durable: self.durable(), ..present.clone() };
        if planted.install_undurable {
            manifest.durable = manifest.durable.max(snapshot.place.offset);
        }
        {
            let unusable = &self.state.borrow().unusable;
            manifest.snapshots.retain(|s| !unusable.contains(&s.file));
        }
        manifest.snapshots.push(snapshot);
        retention.thin(&mut manifest.snapshots);
        let first = retention.first_segment(&manifest.snapshots);
        let (dead, live): (Vec<_>, Vec<_>) = manifest.segments.iter().partition(|s| s.sequence < first);
        manifest.segments = live;
        let is_cut = !dead.is_empty();
        manifest.dropped.extend(dead.iter().map(|s| s.sequence));
        let unlisted = |s: &&SnapshotEntry| !manifest.snapshots.contains(s);
        let gone: Vec<String> = present.snapshots.iter().filter(unlisted).map(|s| s.file.clone()).collect();
        if planted.recycle_listed {
            for segment in &dead {
                let renewed = Segment { salt: segment.salt ^ 2, ..*segment };
                self.renew(*segment, renewed).await?;
            }
        }
        let written = self.directory.write_manifest(&manifest).await;
        if written.as_ref().err().is_none_or(|failed| failed.renamed) {
            let mut state = self.state.borrow_mut();
            state.manifest = manifest;
            state.discarded.extend(gone);
        }
        // A MANIFEST that may or may not be in force: nothing is removed until one is for certain.
        written.map_err(|failed| failed.cause)?;
        {
            let mut state = self.state.borrow_mut();
            state.unusable.clear();
            state.begins_at_zero &= !is_cut;
            state.recyclable.extend(dead);
        }
        // The files are out of the list, and may be many: who waits for a segment does not wait for them too.
        drop(preparing);
        if let Err(e) = self.remove_dropped().await {
            tracing::warn!("cannot remove segments that are no longer needed: {e}");
        }
        Ok(())
    }
}

/// The name of a snapshot of this offset; `draw` tells it from one that was begun there and not installed.
pub fn snapshot_name(offset: u64, draw: u32) -> String {
    format!("{offset:020}-{draw:08x}.rdb")
}
