//! `ackd export DIR TARGET`: writes the data as files that others read. The work is `durability::export`'s.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{Arg, ArgMatches, Command};
use serde_json::{Value, json};

use super::{Tool, bar, data, flag, report};
use crate::durability::export::{Data, Filter, Format, Summary};
use crate::keyspace::Kind;
use crate::rdb::Version;

/// Its row.
pub const TOOL: Tool = Tool { command, run };

fn command() -> Command {
    let option = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).help(help)
    };
    Command::new("export")
        .about("Writes a data directory as an RDB file, an append-only directory, or lines of JSON")
        .long_about(
            "Writes a data directory as files that Redis, Valkey and others read: an RDB file if TARGET ends in .rdb, lines \
             of JSON if it ends in .jsonl, and an append-only directory of Redis 7 (its appendonlydir) if it has no \
             ending. Changes nothing in the data. Safe beside a running server: what it has written so far is exported.",
        )
        .after_help(
            "Without --rdb-version the version is 11 (Redis 7.2, Valkey 8), or 12 (Redis 7.4) if fields of hashes \
             expire. Functions go with the keys, whichever are chosen; version 9 and lines of JSON cannot hold \
             them.\nExit code 0: exported; 1: nothing was.",
        )
        .arg(data::required())
        .arg(
            Arg::new("TARGET")
                .required(true)
                .value_parser(clap::value_parser!(PathBuf))
                .help("dump.rdb, data.jsonl, or appendonlydir; must not be there yet"),
        )
        .arg(option("rdb-version", "9|10|11|12", "Of the RDB file: 9 for Redis 5 and 6, 10 for 7.0, 11, 12").value_parser(version))
        .arg(option("db", "NUMBER", "Only keys of this database").value_parser(clap::value_parser!(usize)))
        .arg(option("match", "PATTERN", "Only keys whose names match, as in KEYS"))
        .arg(option("type", "TYPE", "Only keys of this type: string, list, set, zset, hash, stream").value_parser(kind))
        .arg(flag("skip-functions", "Leaves libraries of functions out"))
        .arg(flag("json", "Prints the summary as one JSON object"))
}

fn version(text: &str) -> Result<Version, String> {
    text.parse().ok().and_then(Version::writable).ok_or_else(|| "not 9, 10, 11 or 12".to_owned())
}

fn kind(text: &str) -> Result<Kind, String> {
    Kind::named(text.as_bytes()).ok_or_else(|| "not string, list, set, zset, hash or stream".to_owned())
}

fn run(matches: &ArgMatches) -> ExitCode {
    let started = Instant::now();
    let target = matches.get_one::<PathBuf>("TARGET").map_or(Path::new(""), PathBuf::as_path);
    if Format::of(target) == Some(Format::Json) && matches.contains_id("rdb-version") {
        let why = format!("--rdb-version is of no use for {}, whose lines of JSON have no version", target.display());
        super::usage_error(&TOOL, &why);
    }
    let result = export(matches, target);
    let time = started.elapsed();
    let as_json = |summary: &Summary| as_json(summary, target, time);
    let as_text = |summary: &Summary| as_text(summary, target, time);
    report::print("export", matches, result, as_json, as_text, |_| ExitCode::SUCCESS)
}

fn export(matches: &ArgMatches, target: &Path) -> Result<Summary, String> {
    let format = Format::of(target).ok_or_else(|| {
        format!("{}: the name of the target ends in .rdb or .jsonl, or has no ending", target.display())
    })?;
    data::outside(target)?;
    let directory = data::directory(matches)?;
    let filter = Filter {
        database: matches.get_one("db").copied(),
        pattern: matches.get_one::<String>("match").map(|pattern| pattern.as_bytes().to_vec()),
        kind: matches.get_one("type").copied(),
        skip_functions: matches.get_flag("skip-functions"),
    };
    let bar = bar::of_bytes();
    let loaded = Data::load(&directory, &mut |bytes, total| bar::show(&bar, bytes, total));
    bar.finish_and_clear();
    let data = loaded.map_err(|error| error.to_string())?;
    data.write(target, format, matches.get_one("rdb-version").copied(), &filter).map_err(|error| error.to_string())
}

fn as_text(summary: &Summary, target: &Path, seconds: Duration) -> String {
    let mut text = format!("exported {} to {}", data::keys(&summary.keys), target.display());
    if let Some(version) = summary.version {
        let _ = write!(text, ", RDB version {version}");
    }
    let _ = writeln!(text, "\n{}; stream offset {}", report::speed(summary.bytes, seconds), summary.offset);
    if summary.skipped_functions > 0 {
        let _ = writeln!(text, "left out: {} libraries of functions", summary.skipped_functions);
    }
    if summary.lossy_streams > 0 {
        let streams = summary.lossy_streams;
        let _ =
            writeln!(text, "this version does not store all that is known of {streams} streams and their consumers");
    }
    text
}

fn as_json(summary: &Summary, target: &Path, seconds: Duration) -> Value {
    json!({
        "target": target.display().to_string(),
        "keys": summary.keys.total(),
        "types": data::keys_as_json(&summary.keys),
        "rdb_version": summary.version.map(Version::number),
        "bytes": summary.bytes,
        "offset": summary.offset,
        "lossy_streams": summary.lossy_streams,
        "skipped_functions": summary.skipped_functions,
        "seconds": seconds.as_secs_f64(),
        "megabytes_per_second": report::megabytes_a_second(summary.bytes, seconds),
    })
}
