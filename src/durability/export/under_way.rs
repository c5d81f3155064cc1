//! The file or folder that an export writes beside its target, until it is whole and gets the name.
//!
//! What must always hold: what an export that was killed has left is told from what another one is writing by its lock, which
//! the system takes away from the dead. The process id in the name does not tell it: it may be another's by now.

use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::durability::beside::parent;

/// Follows the target's name; a process id follows.
const ENDING: &str = ".exporting-";

/// So often another export may take what is not locked yet for a leftover.
const ATTEMPTS: u32 = 10;

/// See the module.
pub(super) struct UnderWay {
    pub(super) path: PathBuf,
    /// Its lock is held until this is dropped.
    pub(super) file: File,
}

impl UnderWay {
    /// Creates it, and removes what was left for the same target.
    pub(super) fn create(target: &Path, is_folder: bool) -> io::Result<Self> {
        let mut name = target.file_name().unwrap_or_default().to_owned();
        name.push(format!("{ENDING}{}", std::process::id()));
        let path = target.with_file_name(name);
        for _ in 0..ATTEMPTS {
            remove_leftovers(target);
            let file = if is_folder {
                fs::create_dir(&path).and_then(|()| File::open(&path))?
            } else {
                File::create_new(&path)?
            };
            // A file system without locks has none for the others either: they leave it alone.
            let _ = file.lock();
            if is_at(&file, &path)? {
                return Ok(Self { path, file });
            }
        }
        Err(io::Error::other(format!("{} is removed by another export again and again", path.display())))
    }

    /// Leaves nothing.
    pub(super) fn abandon(self) {
        remove(&self.path);
    }
}

/// Removes what exports to this target have left that are dead. What cannot be removed stays.
fn remove_leftovers(target: &Path) {
    let Some(name) = target.file_name().and_then(|name| name.to_str()) else { return };
    for entry in fs::read_dir(parent(target)).into_iter().flatten().flatten() {
        let found = entry.file_name();
        let id = found.to_str().and_then(|found| found.strip_prefix(name)?.strip_prefix(ENDING));
        if id.is_none_or(|id| id.parse::<u32>().is_err()) {
            continue;
        }
        let path = entry.path();
        let is_ours = |found: Metadata| found.is_file() || found.is_dir();
        if path.symlink_metadata().is_ok_and(is_ours)
            && let Ok(file) = File::open(&path)
            && file.try_lock().is_ok()
            && is_at(&file, &path).unwrap_or(false)
        {
            remove(&path);
        }
    }
}

/// Whether an open file is still what has the name.
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let own = file.metadata()?;
    match path.symlink_metadata() {
        Ok(found) => Ok((found.dev(), found.ino()) == (own.dev(), own.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

fn remove(path: &Path) {
    let _ = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
}
