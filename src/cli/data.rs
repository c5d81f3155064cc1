//! The DIR of the offline tools, and what they say when they cannot do their work.

use std::path::{Path, PathBuf};

use crate::durability::Tally;
use crate::log::inspect;
use crate::server::run::DATA_DIRECTORY;

/// The argument.
pub fn argument() -> clap::Arg {
    clap::Arg::new("DIR")
        .value_parser(clap::value_parser!(PathBuf))
        .help("What the server's `dir` names, or the data folder in it [default: ./ackd-data]")
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
