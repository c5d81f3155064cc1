//! The repaired directory gets the name, and the original another one.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

use super::{ASIDE, ENDING, RepairError, files};
use crate::base::calendar::utc;
use crate::base::clock::{Clock, SystemClock};
use crate::durability::beside::parent;

/// The names that a repair uses. Each has the time in it: nothing is ever written over, nor removed.
pub struct Names {
    data: PathBuf,
    /// Of the repaired one, until it has its place.
    pub under_way: PathBuf,
    /// Of the original, afterwards.
    pub aside: PathBuf,
}

impl Names {
    /// For a directory that is repaired now.
    pub fn new(data: &Path) -> Self {
        let time = utc(SystemClock::new().wall_ms()).replace(':', "");
        let named = |word: &str| {
            let mut name = data.file_name().unwrap_or_default().to_owned();
            name.push(format!(".{word}-{time}"));
            data.with_file_name(name)
        };
        Self { data: data.to_owned(), under_way: named(ENDING), aside: named(ASIDE) }
    }

    /// Exchanges both in one step, so that at no moment there is nothing under the name; only then the original gets the name
    /// that tells what it is.
    pub fn swap(&self) -> Result<(), RepairError> {
        let Self { data, under_way, aside } = self;
        let sync = |path: &Path| File::open(path).and_then(|folder| folder.sync_all());
        let folder = parent(data);
        sync(under_way).map_err(|reason| files("sync", under_way, reason))?;
        match renameat_with(CWD, under_way, CWD, data, RenameFlags::EXCHANGE) {
            Ok(()) => {
                sync(folder).map_err(|reason| files("sync", folder, reason))?;
                fs::rename(under_way, aside).map_err(|reason| files("rename", under_way, reason))?;
            }
            // The file system cannot do that in one step: for a moment there is nothing under the name.
            Err(Errno::INVAL | Errno::NOSYS) => {
                fs::rename(data, aside).map_err(|reason| files("rename", data, reason))?;
                fs::rename(under_way, data).map_err(|reason| files("rename", under_way, reason))?;
            }
            Err(error) => return Err(files("rename", data, io::Error::from(error))),
        }
        sync(folder).map_err(|reason| files("sync", folder, reason))
    }
}
