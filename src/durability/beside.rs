//! A data directory that is made beside its name and gets it when it is whole and durable: an import, a restore, a backup.
//!
//! What must always hold: under the name there is nothing, or all of it; and what a tool that died has left is told from
//! what another one is writing by its lock.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::disk::{Disk, PortableDisk};
use crate::log::Directory;

/// See the module.
#[derive(Clone)]
pub struct Beside {
    /// What will have the name at the end, and what has it meanwhile.
    data: PathBuf,
    under_way: PathBuf,
    /// The folders above that were missing, outermost first.
    made: Vec<PathBuf>,
    /// The directory that is written; its lock is held until it has its name.
    pub directory: Directory,
}

/// The directory could not be made.
#[derive(Debug, thiserror::Error)]
pub enum BesideError {
    /// There is something already.
    #[error("{} is there already and not empty; nothing is ever written over it", .0.display())]
    Occupied(PathBuf),
    /// It cannot be written.
    #[error("cannot write {}: {reason}", path.display())]
    Failed {
        /// What was to be written.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
}

impl Beside {
    /// Begins. An error if there is something already, or another tool is at it. `ending` is appended to the name meanwhile.
    pub async fn create(data: &Path, ending: &str) -> Result<Self, BesideError> {
        if is_taken(data) {
            return Err(BesideError::Occupied(data.to_owned()));
        }
        let mut name = data.file_name().unwrap_or_default().to_owned();
        name.push(ending);
        let under_way = data.with_file_name(name);
        let failed =
            |error: &dyn std::fmt::Display| BesideError::Failed { path: under_way.clone(), reason: error.to_string() };
        let mut made = Vec::new();
        let opened = async {
            create_parents(&under_way, &mut made).map_err(|error| failed(&error))?;
            let disk: Rc<dyn Disk> = Rc::new(PortableDisk::new());
            let directory = Directory::open(disk, &under_way).await.map_err(|error| failed(&error))?;
            empty(&directory).map_err(|error| failed(&error))?;
            Ok(directory)
        };
        match opened.await {
            Ok(directory) => Ok(Self { data: data.to_owned(), under_way, made, directory }),
            Err(error) => {
                remove_empty(&made);
                Err(error)
            }
        }
    }

    /// Where it is meanwhile.
    pub fn path(&self) -> &Path {
        &self.under_way
    }

    /// Gives what is complete its name. If that fails, nothing is left.
    pub fn finish(self) -> Result<(), BesideError> {
        let renamed = File::open(&self.under_way)
            .and_then(|folder| folder.sync_all())
            .and_then(|()| rename(&self.under_way, &self.data));
        renamed.map_err(|error| {
            let failed = BesideError::Failed { path: self.data.clone(), reason: error.to_string() };
            self.abandon();
            failed
        })
    }

    /// Leaves nothing behind, and none of the folders above that were made for it.
    pub fn abandon(self) {
        let _ = fs::remove_dir_all(&self.under_way);
        remove_empty(&self.made);
    }
}

/// Whether there is anything but an empty folder.
pub fn is_taken(path: &Path) -> bool {
    match path.symlink_metadata() {
        Ok(found) if found.is_dir() => fs::read_dir(path).map_or(true, |mut entries| entries.next().is_some()),
        Ok(_) => true,
        Err(_) => false,
    }
}

fn rename(from: &Path, to: &Path) -> io::Result<()> {
    match fs::remove_dir(to) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    fs::rename(from, to)?;
    File::open(parent(to))?.sync_all()
}

/// The folder in which a path is.
pub fn parent(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Removes folders, outermost first in the list, in which nothing is.
fn remove_empty(folders: &[PathBuf]) {
    for folder in folders.iter().rev() {
        let _ = fs::remove_dir(folder);
    }
}

/// Creates the folders above `path` that are missing, makes their names durable, and adds them to `made`.
fn create_parents(path: &Path, made: &mut Vec<PathBuf>) -> io::Result<()> {
    let folder = parent(path);
    if folder.is_dir() {
        return Ok(());
    }
    create_parents(folder, made)?;
    fs::create_dir(folder)?;
    made.push(folder.to_owned());
    File::open(parent(folder))?.sync_all()
}

/// Removes what a tool that was killed has left.
fn empty(directory: &Directory) -> io::Result<()> {
    for path in [directory.log_dir(), directory.snapshot_dir(), directory.manifest_path()] {
        let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        match removed {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}
