//! The DIR of the offline tools, and what they say when they cannot do their work.

use std::path::{Path, PathBuf};

use crate::base::calendar::utc;
use crate::durability::{Tally, beside};
use crate::log::inspect::{self, Kept};
use crate::server::run::DATA_DIRECTORY;

const HELP: &str = "What the server's `dir` names, or the data folder in it";

/// The argument, where it may be left out.
pub fn argument() -> clap::Arg {
    required().required(false).help(format!("{HELP} [default: ./ackd-data]"))
}

/// The argument, where another follows.
pub fn required() -> clap::Arg {
    clap::Arg::new("DIR").value_parser(clap::value_parser!(PathBuf)).required(true).help(HELP)
}

/// The data directory that was named, or what to print instead.
pub fn directory(matches: &clap::ArgMatches) -> Result<PathBuf, String> {
    let named = matches.get_one::<PathBuf>("DIR").map_or(Path::new("."), PathBuf::as_path);
    if let Err(error) = std::fs::read_dir(named) {
        return Err(format!("cannot read {}: {error}", named.display()));
    }
    inspect::locate(named, DATA_DIRECTORY).ok_or_else(|| {
        format!(
            "{} holds no data of ackd, and neither does {}: name what the server's setting `dir` says (CONFIG GET dir)",
            named.display(),
            named.join(DATA_DIRECTORY).display()
        )
    })
}

/// The data directory that is made when this is named: `ackd-data` in it, or itself if that is its name.
pub fn made(named: &Path) -> PathBuf {
    if named.file_name().is_some_and(|name| name == DATA_DIRECTORY) {
        named.to_owned()
    } else {
        named.join(DATA_DIRECTORY)
    }
}

/// The same, where nothing else may be in what was named but what a tool of this ending has left.
pub fn made_alone(named: &Path, ending: &str) -> Result<PathBuf, String> {
    let data = made(named);
    outside(&data)?;
    let under_way = format!("{DATA_DIRECTORY}{ending}");
    let entries = std::fs::read_dir(named).into_iter().flatten().flatten();
    let foreign = data != named
        && entries.map(|entry| entry.file_name()).any(|name| name != *under_way && name != DATA_DIRECTORY);
    if beside::is_taken(&data) || foreign || (named.symlink_metadata().is_ok() && !named.is_dir()) {
        return Err(format!("{} is not empty: name a folder that is, or one that does not exist", named.display()));
    }
    Ok(data)
}

/// An error if what shall be made lies in a data directory: that is a server's alone.
pub fn outside(target: &Path) -> Result<(), String> {
    let absolute = std::path::absolute(target).unwrap_or_else(|_| target.to_owned());
    let existing = absolute.ancestors().skip(1).find_map(|folder| folder.canonicalize().ok());
    match existing.iter().flat_map(|folder| folder.ancestors()).find(|folder| is_data(folder)) {
        Some(data) => {
            let (target, data) = (target.display(), data.display());
            Err(format!("{target} lies in the data directory {data}: name a place outside of it"))
        }
        None => Ok(()),
    }
}

/// Whether a folder holds data of ackd, of which a part may be lost.
fn is_data(folder: &Path) -> bool {
    let parts = [folder.join("MANIFEST").is_file(), folder.join("log").is_dir(), folder.join("snapshots").is_dir()];
    parts.into_iter().filter(|is_there| *is_there).count() > 1
}

/// The range of states kept.
pub fn kept_as_json(kept: &Kept) -> serde_json::Value {
    serde_json::json!({
        "oldest_offset": kept.oldest.offset,
        "oldest_time": utc(kept.oldest.wall_ms),
        "newest_offset": kept.newest.offset,
        "newest_time": utc(kept.newest.wall_ms),
    })
}

/// Numbers of keys, in words.
pub fn keys(tally: &Tally) -> String {
    let types: Vec<_> =
        tally.by_type().filter(|(_, count)| *count > 0).map(|(name, count)| format!("{count} {name}")).collect();
    let total = tally.total();
    if types.is_empty() { format!("{total} keys") } else { format!("{total} keys ({})", types.join(", ")) }
}

/// Numbers of keys by type.
pub fn keys_as_json(tally: &Tally) -> serde_json::Value {
    tally
        .by_type()
        .map(|(name, count)| (name.replace(' ', "_"), count.into()))
        .collect::<serde_json::Map<_, _>>()
        .into()
}
