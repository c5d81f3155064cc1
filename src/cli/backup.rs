//! `ackd backup DIR TARGET`: a verified copy, also of a running server. The work is `durability::backup`'s.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{Arg, ArgMatches, Command};
use serde_json::{Value, json};

use super::{Tool, bar, data, flag, report};
use crate::base::calendar::utc;
use crate::durability::backup::{self, Summary};

/// Its row.
pub const TOOL: Tool = Tool { command, run };

/// The exit code when the copy holds damage where a start does not look.
const DAMAGED: u8 = 3;

fn command() -> Command {
    Command::new("backup")
        .about("Makes a verified copy of a data directory, also of a running server")
        .long_about(
            "Makes a verified copy of a data directory: the newest usable snapshot and the log behind it, up to the last \
             write that is on disk. Writes are not stopped: all that was acknowledged before is in it, and what was \
             written meanwhile up to some moment. TARGET exists whole at the end, or not at all.",
        )
        .after_help(
            "On the same file system the snapshot is a hard link, for nobody writes into it again: bring the copy to \
             another disk.\nExit code 0: copied and verified; 1: nothing was made; 3: copied, with damage where a \
             start does not look.",
        )
        .arg(data::required())
        .arg(
            Arg::new("TARGET")
                .required(true)
                .value_parser(clap::value_parser!(PathBuf))
                .help("What a server's `dir` will name; must be empty or not be there. The data will be in TARGET/ackd-data"),
        )
        .arg(flag("json", "Prints the summary as one JSON object"))
}

fn run(matches: &ArgMatches) -> ExitCode {
    let started = Instant::now();
    let result = work(matches);
    let time = started.elapsed();
    let as_json = |(summary, target): &(Summary, PathBuf)| as_json(summary, target, time);
    let as_text = |(summary, target): &(Summary, PathBuf)| as_text(summary, target, time);
    report::print("backup", matches, result, as_json, as_text, |(summary, _)| {
        if summary.warnings.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(DAMAGED) }
    })
}

fn work(matches: &ArgMatches) -> Result<(Summary, PathBuf), String> {
    let directory = data::directory(matches)?;
    let named = matches.get_one::<PathBuf>("TARGET").map_or(Path::new(""), PathBuf::as_path);
    let target = data::made_alone(named, backup::ENDING)?;
    let bar = bar::of_bytes();
    let mut show = |bytes, total| bar::show(&bar, bytes, total);
    let copied = report::block_on(backup::backup(&directory, &target, &mut show));
    bar.finish_and_clear();
    copied?.map(|summary| (summary, target)).map_err(|error| error.to_string())
}

fn as_text(summary: &Summary, target: &Path, seconds: Duration) -> String {
    let copied = &summary.copied;
    let mut text = format!("copied to {}, and verified\n", target.display());
    let _ = writeln!(text, "up to {}", copied.end);
    if let Some(snapshot) = &copied.snapshot {
        let how = if copied.is_linked { "linked" } else { "copied" };
        let _ = writeln!(text, "snapshot {} of offset {}, {how}", snapshot.file, snapshot.place.offset);
    }
    let _ = writeln!(text, "{} segments of the log", copied.segments);
    for why in &copied.unusable {
        let _ = writeln!(text, "left out: {why}");
    }
    for warning in &summary.warnings {
        let _ = writeln!(text, "DAMAGE in the source, where a start does not look: {warning}");
    }
    let _ = writeln!(text, "{}", report::speed(copied.bytes, seconds));
    text
}

fn as_json(summary: &Summary, target: &Path, seconds: Duration) -> Value {
    let copied = &summary.copied;
    json!({
        "data": target.display().to_string(),
        "offset": copied.end.offset,
        "time": utc(copied.end.wall_ms),
        "snapshot": copied.snapshot.as_ref().map(|snapshot| json!({
            "file": snapshot.file,
            "offset": snapshot.place.offset,
            "linked": copied.is_linked,
        })),
        "segments": copied.segments,
        "unusable_snapshots": copied.unusable,
        "warnings": summary.warnings,
        "bytes": copied.bytes,
        "seconds": seconds.as_secs_f64(),
        "megabytes_per_second": report::megabytes_a_second(copied.bytes, seconds),
    })
}
