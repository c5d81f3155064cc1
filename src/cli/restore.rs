//! `ackd restore DIR TARGET`: a new directory with the data as they were. The work is `durability::restore`'s.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{Arg, ArgGroup, ArgMatches, Command};
use serde_json::{Value, json};

use super::{Tool, bar, data, flag, report};
use crate::base::calendar::{parse_utc, utc};
use crate::durability::restore::{self, Point, Summary};

/// Its row.
pub const TOOL: Tool = Tool { command, run };

fn command() -> Command {
    let point = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).help(help).allow_hyphen_values(true)
    };
    Command::new("restore")
        .about("Makes a new data directory with the data as they were at an earlier point")
        .long_about(
            "Makes a new data directory with the data as they were at an earlier point, from the newest usable snapshot \
             before it and the log behind that. DIR is only read, also beside a running server; `ackd log DIR` shows \
             what happened when, `ackd check DIR` how far back it goes. TARGET exists whole at the end, or not at all.",
        )
        .after_help(
            "A TIME is UTC, as for `ackd log`: 2026-11-24, 2026-11-24T05:09 or 2026-11-24T05:09:33.250Z.\n\
             A PATTERN is a glob over a command as `ackd log --commands` prints it, with or without the quotes; it may \
             end before the last arguments: FLUSHALL, 'DEL user:*'. What belongs to a transaction goes with it.\n\
             Exit code 0: restored; 1: nothing was made.",
        )
        .arg(data::required())
        .arg(
            Arg::new("TARGET")
                .required(true)
                .value_parser(clap::value_parser!(PathBuf))
                .help("What a server's `dir` will name; must be empty or not be there. The data will be in TARGET/ackd-data"),
        )
        .arg(point("to-offset", "N", "As it was at this stream offset").value_parser(clap::value_parser!(u64)))
        .arg(point("to-time", "TIME", "As it was just before this time").value_parser(time))
        .arg(point("before-command", "PATTERN", "As it was just before the last command that matches"))
        .group(ArgGroup::new("point").args(["to-offset", "to-time", "before-command"]).required(true))
        .arg(flag("json", "Prints the summary as one JSON object"))
}

fn time(text: &str) -> Result<u64, String> {
    parse_utc(text).ok_or_else(|| "not a UTC time such as 2026-11-24T05:09:33".to_owned())
}

fn run(matches: &ArgMatches) -> ExitCode {
    let started = Instant::now();
    let result = work(matches);
    let time = started.elapsed();
    let as_json = |(summary, target): &(Summary, PathBuf)| as_json(summary, target, time);
    let as_text = |(summary, target): &(Summary, PathBuf)| as_text(summary, target, time);
    report::print("restore", matches, result, as_json, as_text, |_| ExitCode::SUCCESS)
}

fn work(matches: &ArgMatches) -> Result<(Summary, PathBuf), String> {
    let directory = data::directory(matches)?;
    let named = matches.get_one::<PathBuf>("TARGET").map_or(Path::new(""), PathBuf::as_path);
    let target = data::made_alone(named, restore::ENDING)?;
    let point = match (matches.get_one("to-offset"), matches.get_one("to-time")) {
        (Some(offset), _) => Point::Offset(*offset),
        (_, Some(ms)) => Point::TimeMs(*ms),
        _ => Point::Before(matches.get_one::<String>("before-command").map_or(Vec::new(), |p| p.as_bytes().to_vec())),
    };
    let bar = bar::of_bytes();
    let mut show = |bytes, total| bar::show(&bar, bytes, total);
    let restored = report::block_on(restore::restore(&directory, &target, &point, &mut show));
    bar.finish_and_clear();
    restored?.map(|summary| (summary, target)).map_err(|error| error.to_string())
}

fn as_text(summary: &Summary, target: &Path, seconds: Duration) -> String {
    let mut text = format!("restored {} into {}\n", data::keys(&summary.keys), target.display());
    let _ = writeln!(text, "as at {}", summary.at);
    if let Some(asked) = summary.inside {
        let _ = writeln!(
            text,
            "no command or transaction ends at offset {asked}: the data are those of the last one that ends before it"
        );
    }
    if let Some(found) = &summary.matches {
        let of_many = if found.count > 1 { ", just before the last of them" } else { "" };
        let _ = writeln!(text, "commands that match: {}{of_many}", found.count);
        for one in &found.told {
            let _ = writeln!(text, "  offset {}  {}  {}", one.offset, utc(one.wall_ms), one.command);
        }
        if let Some(damage) = &found.damage {
            let _ = writeln!(text, "DAMAGE behind them, where a later match would not be seen: {damage}");
        }
    }
    for (snapshot, why) in &summary.unusable {
        let _ = writeln!(text, "the snapshot {} was left out: {why}", snapshot.file);
    }
    if let (Some(damage), None) = (&summary.damage, &summary.matches) {
        let _ = writeln!(text, "DAMAGE behind that point: {damage}");
    }
    let _ = writeln!(text, "{}", report::speed(summary.bytes, seconds));
    text
}

fn as_json(summary: &Summary, target: &Path, seconds: Duration) -> Value {
    let found = summary.matches.as_ref();
    let told = found.map(|found| {
        let told = found.told.iter().map(|one| {
            json!({ "offset": one.offset, "unit_offset": one.unit_offset, "time": utc(one.wall_ms), "command": one.command })
        });
        told.collect::<Vec<_>>()
    });
    let damage = summary.damage.as_ref().or(found.and_then(|found| found.damage.as_ref()));
    json!({
        "data": target.display().to_string(),
        "offset": summary.at.offset,
        "time": utc(summary.at.wall_ms),
        "inside_offset": summary.inside,
        "matches": found.map(|found| found.count),
        "last_matches": told,
        "keys": summary.keys.total(),
        "types": data::keys_as_json(&summary.keys),
        "unusable_snapshots": summary.unusable.iter().map(|(snapshot, _)| snapshot.file.as_str()).collect::<Vec<_>>(),
        "damage_behind": damage.map(|damage| damage.to_string()),
        "bytes": summary.bytes,
        "seconds": seconds.as_secs_f64(),
        "megabytes_per_second": report::megabytes_a_second(summary.bytes, seconds),
    })
}
