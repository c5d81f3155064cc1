//! Finds Redis' data where ackd has none: nobody shall find an empty server where a full one was.

use std::path::{Path, PathBuf};

use crate::engine::config::Config;

/// Redis' data are there, and ackd's are not.
#[derive(Debug, thiserror::Error)]
#[error(
    "{} {} like Redis' data, and ackd has none in {}. Starting would show an empty server. {}\
     'ackd import {} {}' brings the data in; --start-empty starts without them",
    names(found), if found.len() == 1 { "looks" } else { "look" }, directory.display(), which(found), found[0].display(),
    directory.display()
)]
pub struct ForeignData {
    /// What append-only files there are comes first.
    found: Vec<PathBuf>,
    directory: PathBuf,
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

/// Refuses to start beside Redis' files unless `directory` has been started in before.
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
    if found.is_empty() { Ok(()) } else { Err(ForeignData { found, directory: directory.to_owned() }) }
}

fn holds_files(folder: &Path) -> bool {
    std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some())
}
