//! Finds data where ackd would start with none: nobody shall find an empty server where a full one was.

use std::path::{Path, PathBuf};

use super::beside::parent;
use super::repair::ASIDE;
use crate::engine::config::Config;

/// Data are there that a start would not show.
#[derive(Debug, thiserror::Error)]
pub enum ForeignData {
    /// Redis' are, and ackd's are not.
    #[error(
        "{} {} like Redis' data, and ackd has none in {}. Starting would show an empty server. {}\
         'ackd import {} {}' brings the data in; --start-empty starts without them",
        names(.found), if .found.len() == 1 { "looks" } else { "look" }, .directory.display(), which(.found),
        .found[0].display(), .directory.display()
    )]
    Redis {
        /// What append-only files there are comes first.
        found: Vec<PathBuf>,
        /// Where ackd's data would be.
        directory: PathBuf,
    },
    /// A repair could keep nothing of ackd's own.
    #[error(
        "{} holds no data, and {} beside it was set aside by a repair. Starting would show an empty server. Bring a backup \
         there, or what `ackd import` makes; --start-empty starts without data",
        .directory.display(), .original.display()
    )]
    SetAside {
        /// The newest original.
        original: PathBuf,
        /// Where ackd's data would be.
        directory: PathBuf,
    },
}

fn names(found: &[PathBuf]) -> String {
    let names: Vec<String> = found.iter().map(|path| path.display().to_string()).collect();
    names.join(" and ")
}

fn which(found: &[PathBuf]) -> String {
    match found {
        [first, .., last] => format!(
            "With `appendonly yes` Redis' data were in {}, and {} may be old; with `appendonly no` it is the other way round. ",
            first.display(),
            last.display()
        ),
        _ => String::new(),
    }
}

/// Refuses to start beside Redis' files, or damaged data, unless `directory` has been started in before.
pub fn refuse(config: &Config, directory: &Path) -> Result<(), ForeignData> {
    // A directory that has lost its MANIFEST holds data all the same, and recovery says what is wrong with them.
    if directory.join("MANIFEST").exists() || ["log", "snapshots"].iter().any(|name| holds_files(&directory.join(name)))
    {
        return Ok(());
    }
    let dir = Path::new(config.dir());
    let names = [config.appenddirname(), config.appendfilename(), config.dbfilename()];
    let files = names.into_iter().filter(|name| !name.is_empty()).map(|name| dir.join(name));
    let found: Vec<PathBuf> = files.filter(|path| path.exists()).collect();
    let directory = directory.to_owned();
    match set_aside(&directory) {
        _ if !found.is_empty() => Err(ForeignData::Redis { found, directory }),
        Some(original) => Err(ForeignData::SetAside { original, directory }),
        None => Ok(()),
    }
}

/// What a repair has set aside last.
fn set_aside(directory: &Path) -> Option<PathBuf> {
    let beginning = format!("{}.{ASIDE}-", directory.file_name()?.to_str()?);
    let beside = std::fs::read_dir(parent(directory)).ok()?.flatten().map(|entry| entry.path());
    let is_one = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&beginning));
    beside.filter(is_one).max()
}

fn holds_files(folder: &Path) -> bool {
    std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some())
}
