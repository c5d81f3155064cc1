//! The data directory: its layout, the LOCK that keeps a second server out, and the replacing of MANIFEST.
//!
//! ```text
//! MANIFEST    what belongs to the directory (text, checksummed)
//! LOCK        held by the server that uses it; its content is only the holder's process id
//! log/        segments and spares
//! snapshots/  snapshot files
//! ```

use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::disk::{AlignedBuf, Disk, File, Lock, Open};

use super::error::{Cause, LogError, Refusal};
use super::manifest::Manifest;
use super::planted::Planted;

/// Longest MANIFEST that is read: a million segments.
const MANIFEST_LIMIT: u64 = 64 << 20;
/// Bytes of LOCK: a process id, padded so that a shorter one overwrites a longer one.
const LOCK_LEN: usize = 20;

/// A data directory that no other server uses as long as this, or a clone of it, exists.
#[derive(Clone)]
pub struct Directory {
    pub(super) disk: Rc<dyn Disk>,
    path: PathBuf,
    planted: Planted,
    _lock: Rc<dyn File>,
}

impl Directory {
    /// Takes possession of a directory; creates it when there is none.
    pub async fn open(disk: Rc<dyn Disk>, path: &Path) -> Result<Self, LogError> {
        Self::open_planted(disk, path, Planted::default()).await
    }

    /// The same, with bugs planted for tests of the test harness.
    #[doc(hidden)]
    pub async fn open_planted(disk: Rc<dyn Disk>, path: &Path, planted: Planted) -> Result<Self, LogError> {
        match disk.list(path).await {
            Ok(_) => {}
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                disk.create_dir(path).await.map_err(LogError::io("create", path))?;
            }
            Err(e) => return Err(LogError::io("list", path)(e)),
        }
        let lock = take_lock(&*disk, path).await?;
        Ok(Self { disk, path: path.to_owned(), planted, _lock: lock })
    }

    /// Where the directory is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The folder of the segments.
    pub fn log_dir(&self) -> PathBuf {
        self.path.join("log")
    }

    /// The folder of the snapshots.
    pub fn snapshot_dir(&self) -> PathBuf {
        self.path.join("snapshots")
    }

    /// The path of MANIFEST.
    pub fn manifest_path(&self) -> PathBuf {
        self.path.join("MANIFEST")
    }

    pub(super) fn planted(&self) -> Planted {
        self.planted
    }

    /// Reads MANIFEST; `None` if there is none.
    pub(super) async fn read_manifest(&self) -> Result<Option<Manifest>, LogError> {
        let path = self.manifest_path();
        let file = match self.disk.open(&path, Open::Read).await {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(LogError::io("open", &path)(e)),
        };
        let len = self.disk.metadata(&path).await.map_err(LogError::io("examine", &path))?.len;
        let len = usize::try_from(len.min(MANIFEST_LIMIT)).unwrap_or(usize::MAX);
        let text = file.read_at(0, len).await.map_err(LogError::io_at("read", &path, 0))?;
        match Manifest::parse(&text) {
            Ok(manifest) => Ok(Some(manifest)),
            Err(fault) => Err(self.refuse(&path, fault.into()).into()),
        }
    }

    pub(super) fn refuse(&self, file: &Path, cause: Cause) -> Refusal {
        Refusal { file: file.to_owned(), position: 0, cause, consequence: None }
    }

    /// Replaces MANIFEST atomically and durably. On an error, either the old one or the new one is in force.
    pub(super) async fn write_manifest(&self, manifest: &Manifest) -> Result<(), ManifestNotWritten> {
        let path = self.manifest_path();
        let draft = self.path.join("MANIFEST.new");
        self.write_draft(&draft, manifest).await.map_err(|cause| ManifestNotWritten { renamed: false, cause })?;
        let failed = |cause| ManifestNotWritten { renamed: true, cause };
        self.disk.rename(&draft, &path).await.map_err(LogError::io("rename", &draft)).map_err(failed)?;
        if !self.planted.skip_directory_sync {
            self.disk.sync_dir(&self.path).await.map_err(LogError::io("sync", &self.path)).map_err(failed)?;
        }
        Ok(())
    }

    async fn write_draft(&self, draft: &Path, manifest: &Manifest) -> Result<(), LogError> {
        match self.disk.remove(draft).await {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(LogError::io("remove", draft)(e)),
            _ => {}
        }
        let file = self.disk.open(draft, Open::CreateNew).await.map_err(LogError::io("create", draft))?;
        let text = manifest.render();
        assert!(Manifest::parse(text.as_bytes()).is_ok(), "a MANIFEST that is written can be read");
        let mut buf = AlignedBuf::with_capacity(text.len());
        buf.extend_from_slice(text.as_bytes());
        file.write_at(0, buf).await.map_err(LogError::io_at("write", draft, 0))?;
        file.sync().await.map_err(LogError::io("sync", draft))
    }

    /// Makes the folders and the first MANIFEST of a new directory.
    pub(super) async fn lay_out(&self, manifest: &Manifest) -> Result<(), LogError> {
        self.make_folders().await?;
        // Whoever created the directory may have died before this; only MANIFEST says that it was done.
        let parent = self.path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        self.disk.sync_dir(parent).await.map_err(LogError::io("sync", parent))?;
        self.write_manifest(manifest).await.map_err(|e| e.cause)
    }

    /// Makes the folders if they are not there. Durable on return, also if an earlier start made them and could not sync: a
    /// MANIFEST that names what is in them must not be there without them.
    pub async fn make_folders(&self) -> Result<(), LogError> {
        for folder in [self.log_dir(), self.snapshot_dir()] {
            self.disk.create_dir(&folder).await.map_err(LogError::io("create", &folder))?;
        }
        self.disk.sync_dir(&self.path).await.map_err(LogError::io("sync", &self.path))
    }
}

/// MANIFEST could not be replaced.
pub(super) struct ManifestNotWritten {
    /// The new one may be in force.
    pub renamed: bool,
    /// Why.
    pub cause: LogError,
}

/// Takes LOCK, or names who holds it.
async fn take_lock(disk: &dyn Disk, directory: &Path) -> Result<Rc<dyn File>, LogError> {
    let path = directory.join("LOCK");
    let file = match disk.open(&path, Open::Buffered).await {
        Err(e) if e.kind() == io::ErrorKind::NotFound => match disk.open(&path, Open::CreateNew).await {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => disk.open(&path, Open::Buffered).await,
            other => other,
        },
        other => other,
    }
    .map_err(LogError::io("open", &path))?;
    if !file.lock(0, Lock::Exclusive, false).await.map_err(LogError::io("lock", &path))? {
        let text = file.read_at(0, LOCK_LEN).await.ok();
        let pid = text.and_then(|text| std::str::from_utf8(&text).ok()?.trim().parse().ok());
        return Err(LogError::Locked { directory: directory.to_owned(), pid });
    }
    let mut text = AlignedBuf::with_capacity(LOCK_LEN);
    text.extend_from_slice(format!("{:<width$}\n", std::process::id(), width = LOCK_LEN - 1).as_bytes());
    // Only a courtesy to whoever is refused later: a full disk must not keep the server from starting.
    if let Err(e) = file.write_at(0, text).await {
        tracing::warn!("cannot write the process id into {}: {e}", path.display());
    }
    Ok(file)
}
