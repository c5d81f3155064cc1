//! `ackd repair DIR`: what can be kept of a directory that a start refuses, and doing it. The work is `durability::repair`'s.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{ArgMatches, Command};
use serde_json::{Value, json};

use super::{Tool, bar, data, flag, report};
use crate::base::calendar::utc;
use crate::durability::repair::{self, Found, Plan};
use crate::log::inspect::{Moment, Report};

/// Its row.
pub const TOOL: Tool = Tool { command, run };

/// The exit code of a repair that could not keep all.
const LOSSY: u8 = 3;

fn command() -> Command {
    Command::new("repair")
        .about("Says what can be kept of a damaged data directory, and with --yes keeps it")
        .long_about(
            "Says what can be kept of a data directory that a start refuses, and what would be lost. With --yes it is \
             written as a new directory, verified, and put in the place of the original, which is set aside under the \
             name DIR.damaged-TIME and not changed. Without --yes nothing is written.",
        )
        .after_help(
            "Exit code 0: nothing is to be repaired, or it was, and nothing that is known to have been written is lost; 1: \
             something is to be repaired, or it failed; 3: repaired, and something is lost, or nothing could be kept.",
        )
        .arg(data::argument())
        .arg(flag("yes", "Does it"))
        .arg(flag("json", "Prints the report as one JSON object"))
}

/// How it came out.
enum Outcome {
    Sound(Box<Report>),
    Planned(Box<Plan>),
    Done(Box<repair::Repaired>),
}

fn run(matches: &ArgMatches) -> ExitCode {
    let as_json = |(outcome, directory): &(Outcome, PathBuf)| as_json(outcome, directory);
    let as_text = |(outcome, directory): &(Outcome, PathBuf)| as_text(outcome, directory);
    report::print("repair", matches, work(matches), as_json, as_text, |(outcome, _)| match outcome {
        Outcome::Planned(_) => ExitCode::FAILURE,
        Outcome::Done(done) if done.plan.is_lossy() => ExitCode::from(LOSSY),
        Outcome::Done(_) | Outcome::Sound(_) => ExitCode::SUCCESS,
    })
}

fn work(matches: &ArgMatches) -> Result<(Outcome, PathBuf), String> {
    let directory = data::directory(matches)?;
    let bar = bar::of_bytes();
    let mut show = |bytes, total| bar::show(&bar, bytes, total);
    let outcome = if matches.get_flag("yes") {
        let repaired = report::block_on(repair::repair(&directory, &mut show))?;
        repaired.map(|done| done.map_or_else(Outcome::Sound, |done| Outcome::Done(Box::new(done))))
    } else {
        repair::plan(&directory, &mut show).map(|found| match found {
            Found::Sound(report) => Outcome::Sound(report),
            Found::Plan(plan) => Outcome::Planned(plan),
        })
    };
    bar.finish_and_clear();
    outcome.map(|outcome| (outcome, directory)).map_err(|error| error.to_string())
}

fn as_text(outcome: &Outcome, directory: &Path) -> String {
    let name = directory.display();
    let (plan, [keep, lose]) = match outcome {
        Outcome::Sound(report) => {
            let rest = if report.warnings.is_empty() {
                ""
            } else {
                ", though `ackd check` finds damage where it does not look"
            };
            return format!("{name}: nothing to repair: a start succeeds{rest}\n");
        }
        Outcome::Planned(plan) => (&**plan, ["would keep", "would lose"]),
        Outcome::Done(done) => (&done.plan, ["kept", "lost"]),
    };
    let mut text = match outcome {
        Outcome::Done(_) => format!("{name}: repaired\n"),
        _ => format!("{name}: a start is refused\n"),
    };
    let _ = writeln!(text, "  damage      {}", plan.damage);
    for note in &plan.notes {
        let _ = writeln!(text, "  found       {note}");
    }
    let _ = match &plan.snapshot {
        _ if plan.end.offset == 0 => {
            writeln!(text, "  {keep:<11} NOTHING: no data can be read back; look for a backup, or a dump.rdb to import")
        }
        None => writeln!(text, "  {keep:<11} the log from its beginning up to {}", plan.end),
        Some(snapshot) => writeln!(
            text,
            "  {keep:<11} the snapshot {} of offset {} and the log behind it up to {}",
            snapshot.file, snapshot.place.offset, plan.end
        ),
    };
    let _ = writeln!(text, "  {:<11} {}", "", data::keys(&plan.keys));
    let lost = &plan.lost;
    let missing = plan.missing();
    let _ = match missing {
        0 => writeln!(text, "  {lose:<11} nothing that is known to have been written"),
        _ => writeln!(
            text,
            "  {lose:<11} at least {missing} bytes of the log: offsets {} to {}",
            plan.end.offset, lost.known
        ),
    };
    if let Some((from, to)) = &lost.range {
        let _ = writeln!(
            text,
            "  {:<11} {} commands in {} frames of that can still be read, behind the damage: {from} to {to}",
            "", lost.commands, lost.frames
        );
    }
    let _ = match outcome {
        Outcome::Done(done) => {
            writeln!(text, "the original, and with it the states before that, is {}", done.aside.display())
        }
        _ => writeln!(
            text,
            "Nothing was changed. `ackd repair {name} --yes` does it, and sets the original aside, with all states before that"
        ),
    };
    text
}

fn as_json(outcome: &Outcome, directory: &Path) -> Value {
    let (plan, aside) = match outcome {
        Outcome::Sound(report) => {
            return json!({
                "directory": directory.display().to_string(),
                "to_repair": false,
                "repaired": false,
                "warnings": report.warnings,
            });
        }
        Outcome::Planned(plan) => (&**plan, None),
        Outcome::Done(done) => (&done.plan, Some(done.aside.display().to_string())),
    };
    let moment = |moment: &Moment| json!({ "offset": moment.offset, "time": utc(moment.wall_ms) });
    let lost = &plan.lost;
    json!({
        "directory": directory.display().to_string(),
        "to_repair": aside.is_none(),
        "repaired": aside.is_some(),
        "original": aside,
        "damage": plan.damage,
        "found": plan.notes,
        "keeps": {
            "offset": plan.end.offset,
            "time": utc(plan.end.wall_ms),
            "snapshot": plan.snapshot.as_ref().map(|snapshot| json!({
                "file": snapshot.file,
                "offset": snapshot.place.offset,
            })),
            "keys": plan.keys.total(),
            "types": data::keys_as_json(&plan.keys),
        },
        "loses": {
            "bytes_at_least": plan.missing(),
            "to_offset": lost.known,
            "readable_frames": lost.frames,
            "readable_commands": lost.commands,
            "readable_from": lost.range.as_ref().map(|(from, _)| moment(from)),
            "readable_to": lost.range.as_ref().map(|(_, to)| moment(to)),
        },
        "bytes": plan.bytes,
    })
}
