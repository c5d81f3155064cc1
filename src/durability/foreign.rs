//! Finds Redis' data where ackd has none: nobody shall find an empty server where a full one was.

use std::path::{Path, PathBuf};

use crate::engine::config::Config;

/// Redis' data are there, and ackd's are not.
#[derive(Debug, thiserror::Error)]
#[error(
    "{} looks like Redis' data, and ackd has none in {}. Starting would show an empty server. \
     'ackd import {} {}' brings the data in; --start-empty starts without them",
    found.display(), directory.display(), found.display(), directory.display()
)]
pub struct ForeignData {
    found: PathBuf,
    directory: PathBuf,
}

/// Refuses to start beside Redis' files unless `directory` has been started in before.
pub fn refuse(config: &Config, directory: &Path) -> Result<(), ForeignData> {
    // A directory that has lost its MANIFEST holds data all the same, and recovery says what is wrong with them.
    if directory.join("MANIFEST").exists() || ["log", "snapshots"].iter().any(|name| holds_files(&directory.join(name)))
    {
        return Ok(());
    }
    let dir = Path::new(config.dir());
    let names = [config.dbfilename(), config.appenddirname(), config.appendfilename()];
    let files = names.into_iter().filter(|name| !name.is_empty()).map(|name| dir.join(name));
    let mut files = files;
    match files.find(|path| path.exists()) {
        Some(found) => Err(ForeignData { found, directory: directory.to_owned() }),
        None => Ok(()),
    }
}

fn holds_files(folder: &Path) -> bool {
    std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some())
}
