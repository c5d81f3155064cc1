//! `ackd import SOURCE DIR`: brings the data of Redis or Valkey in. The work is `durability::import`'s.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{Arg, ArgMatches, Command};
use serde_json::{Value, json};

use super::{Tool, bar, data, flag, report};
use crate::durability::import::{self, Options, Source, Summary};

/// Its row.
pub const TOOL: Tool = Tool { command, run };

/// The exit code when something was dropped, as `--salvage` allows.
const SALVAGED: u8 = 3;

fn command() -> Command {
    let path = |name: &'static str, help: &'static str| {
        Arg::new(name).required(true).value_parser(clap::value_parser!(PathBuf)).help(help)
    };
    Command::new("import")
        .about("Makes a data directory of the files of Redis or Valkey")
        .long_about(
            "Makes a data directory of an RDB file (versions 1 to 13 of Redis, 80 of Valkey), of an append-only directory \
             (appendonlydir, of Redis 7), or of an append-only file of older servers. The source is only read; the target \
             exists whole at the end, or not at all.",
        )
        .after_help(
            "Keys whose time is over are left out.\nExit code 0: all was imported; 1: nothing was; 3: --salvage dropped \
             something.",
        )
        .arg(path("SOURCE", "dump.rdb, appendonlydir, or appendonly.aof"))
        .arg(path("DIR", "What the server's `dir` will name; the data will be in DIR/ackd-data"))
        .arg(flag("salvage", "Keeps what stands before damage, and says what was dropped"))
        .arg(flag("skip-modules", "Leaves data of modules out, instead of refusing the source"))
        .arg(flag("skip-functions", "Leaves libraries of functions out"))
        .arg(flag("json", "Prints the summary as one JSON object"))
}

fn run(matches: &ArgMatches) -> ExitCode {
    let path = |name: &str| matches.get_one::<PathBuf>(name).map_or(Path::new("."), PathBuf::as_path);
    let (source, directory) = (path("SOURCE"), data::made(path("DIR")));
    let options = Options {
        salvage: matches.get_flag("salvage"),
        skip_modules: matches.get_flag("skip-modules"),
        skip_functions: matches.get_flag("skip-functions"),
        process_ends: true,
    };
    let started = Instant::now();
    let result = work(source, &directory, options);
    let time = started.elapsed();
    let as_json = |summary: &Summary| as_json(summary, &directory, time);
    let as_text = |summary: &Summary| as_text(summary, &directory, time);
    report::print("import", matches, result, as_json, as_text, |summary| {
        if summary.dropped.is_some() { ExitCode::from(SALVAGED) } else { ExitCode::SUCCESS }
    })
}

fn work(source: &Path, target: &Path, options: Options) -> Result<Summary, String> {
    data::outside(target)?;
    let source = Source::open(source).map_err(|error| error.to_string())?;
    if let Some(warning) = &source.warning {
        eprintln!("ackd import: {warning}");
    }
    let bar = bar::of_bytes();
    let mut show = |progress: import::Progress| bar::show(&bar, progress.bytes, progress.total);
    let result = report::block_on(import::import(&source, target, options, &mut show));
    bar.finish_and_clear();
    result?.map_err(|error| error.to_string())
}

fn as_text(summary: &Summary, directory: &Path, seconds: Duration) -> String {
    let mut text = format!("imported {} into {}", data::keys(&summary.keys), directory.display());
    let _ = writeln!(text, "\n{}", report::speed(summary.bytes, seconds));
    let mut note = |count: u64, what: &str| {
        if count > 0 {
            let _ = writeln!(text, "left out: {count} {what}");
        }
    };
    note(summary.expired, "keys whose time was over");
    note(summary.empty, "keys without elements");
    note(summary.skipped_modules, "values of modules");
    note(summary.skipped_functions, "libraries of functions");
    if let Some(dropped) = &summary.dropped {
        let _ = writeln!(text, "DROPPED: {}, from this on: {}", dropped.extent, dropped.damage);
    }
    if summary.last_database >= 16 {
        let databases = summary.last_database + 1;
        let _ = writeln!(
            text,
            "start the server with `databases {databases}` or more: it has a database {}",
            summary.last_database
        );
    }
    text
}

fn as_json(summary: &Summary, directory: &Path, seconds: Duration) -> Value {
    json!({
        "data": directory.display().to_string(),
        "keys": summary.keys.total(),
        "types": data::keys_as_json(&summary.keys),
        "last_database": summary.last_database,
        "commands": summary.commands,
        "bytes": summary.bytes,
        "seconds": seconds.as_secs_f64(),
        "megabytes_per_second": report::megabytes_a_second(summary.bytes, seconds),
        "expired": summary.expired,
        "empty": summary.empty,
        "skipped_modules": summary.skipped_modules,
        "skipped_functions": summary.skipped_functions,
        "dropped": summary.dropped.as_ref().map(|dropped| json!({
            "bytes": dropped.extent.bytes,
            "is_short": dropped.extent.is_short,
            "damage": dropped.damage,
        })),
    })
}
