//! `ackd check DIR`: says whether a data directory is sound, and where it is not. The checking is
//! `durability::check`'s.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{ArgMatches, Command};
use serde_json::{Value, json};

use super::{Tool, bar, data, flag, report};
use crate::base::calendar::utc;
use crate::durability::check;
use crate::log::inspect::{Damage, Report, Role, SnapshotCheck};

/// Its row.
pub const TOOL: Tool = Tool { command, run };

fn command() -> Command {
    Command::new("check")
        .about("Verifies a data directory and reports what is in it; changes nothing")
        .long_about(
            "Verifies every checksum of a data directory and builds every value of its snapshots, read-only, and reaches the \
             verdict that a start would reach. What is wrong where a start does not look is a warning. \
             Safe beside a running server: what it is just writing is not called damage.",
        )
        .after_help(
            "Exit code 0: the directory is sound; a torn tail, which nobody was promised, is reported and cut by the \
             next start.\nExit code 1: it is damaged, also if only where a start does not look, or could not be checked.",
        )
        .arg(data::argument())
        .arg(flag("json", "Prints the report as one JSON object"))
}

fn run(matches: &ArgMatches) -> ExitCode {
    let started = Instant::now();
    let bar = bar::of_bytes();
    let checked = data::directory(matches).and_then(|directory| {
        let mut show = |progress: crate::log::Progress| bar::show(&bar, progress.bytes, progress.total);
        check::check(&directory, &mut show).map_err(|error| error.to_string())
    });
    bar.finish_and_clear();
    let time = started.elapsed();
    let as_json = |checked: &Report| as_json(checked, time);
    let as_text = |checked: &Report| as_text(checked, time);
    report::print("check", matches, checked, as_json, as_text, |checked| {
        if checked.is_sound() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    })
}

fn role(role: Role) -> &'static str {
    match role {
        Role::Live => "live",
        Role::Spare => "spare",
        Role::NotReached => "not reached",
    }
}

fn as_text(report: &Report, time: Duration) -> String {
    let mut lines = Vec::new();
    let verdict = match (&report.damage, report.is_sound(), &report.manifest) {
        (Some(_), ..) => "DAMAGED",
        (None, false, _) => "a start would succeed, but there is DAMAGE that it does without",
        (None, true, Some(_)) => "sound",
        (None, true, None) => "sound and empty: no server has written here",
    };
    lines.push(format!("{}: {verdict}", report.directory.display()));
    if let Some(damage) = &report.damage {
        lines.push(format!("  damage     {damage}"));
    }
    lines.extend(report.warnings.iter().map(|warning| format!("  damage     {warning}")));
    if let Some(holder) = report.in_use {
        let pid = holder.pid.map(|pid| format!(" by process {pid}")).unwrap_or_default();
        lines.push(format!("  in use{pid}: checked up to what was written a moment ago"));
    }
    if let Some(manifest) = &report.manifest {
        for history in &manifest.histories {
            lines.push(format!("  history    {} from offset {}", history.id, history.first_offset));
        }
    }
    for checked in &report.segments {
        let file = checked.segment.file_name();
        let mut line = format!("  segment    {file}  {} bytes, {}", checked.segment.size, role(checked.role));
        if checked.role == Role::Live {
            let (from, to) = checked.offsets;
            let policy = if checked.always { "written under always" } else { "written buffered" };
            let (frames, end) = (checked.frames, checked.end);
            line.push_str(&format!(", {frames} frames to byte {end}, offsets {from} to {to}, {policy}"));
        }
        lines.push(line);
    }
    for checked in &report.snapshots {
        let snapshot = &checked.snapshot;
        let use_of_it = match &checked.fault {
            Some(_) => ", CANNOT BE USED",
            None if report.used() == Some(snapshot) => ", a start begins here",
            None => "",
        };
        let (file, size) = (&snapshot.file, snapshot.size);
        let (offset, time) = (snapshot.place.offset, utc(snapshot.place.wall_ms));
        lines.push(format!("  snapshot   {file}  {size} bytes, offset {offset}, {time}{use_of_it}"));
    }
    if let Some(kept) = &report.kept {
        lines.push(format!("  kept       {kept}: what `ackd restore` can go back to"));
    }
    for kept in &report.kept_before_damage {
        lines.push(format!("             {kept}, before damage"));
    }
    if let Some(outcome) = &report.outcome {
        let frames = report.progress.frames;
        lines.push(format!("  log        {frames} frames, offsets up to {}", outcome.end.offset));
        lines.push(format!("  durable    offsets up to {}, as recorded", outcome.durable));
        if let Some(torn) = &outcome.torn {
            lines.push(format!(
                "  torn tail  {} at byte {}, offset {}: {} ({} bytes, last frame before it {}); the next start cuts it",
                torn.file.display(),
                torn.position,
                torn.offset,
                torn.cause,
                torn.bytes,
                utc(torn.at_ms),
            ));
        }
    }
    lines.push(format!("  checked    {}", super::report::speed(report.progress.bytes, time)));
    lines.join("\n") + "\n"
}

fn as_json(report: &Report, time: Duration) -> Value {
    let manifest = report.manifest.as_ref();
    let outcome = report.outcome.as_ref();
    let segments = report.segments.iter().map(|checked| {
        json!({
            "file": checked.segment.file_name(),
            "sequence": checked.segment.sequence,
            "size": checked.segment.size,
            "role": role(checked.role),
            "frames": checked.frames,
            "end": checked.end,
            "first_offset": checked.offsets.0,
            "end_offset": checked.offsets.1,
            "always": checked.always,
            "history": checked.history.map(|id| id.to_string()),
        })
    });
    let histories = manifest.iter().flat_map(|m| &m.histories);
    json!({
        "directory": report.directory.display().to_string(),
        "sound": report.is_sound(),
        "in_use": report.in_use.map(|holder| json!({ "pid": holder.pid })),
        "node": manifest.map(|m| m.node.to_string()),
        "clean": manifest.map(|m| m.clean),
        "histories": histories
            .map(|h| json!({ "id": h.id.to_string(), "first_offset": h.first_offset }))
            .collect::<Vec<_>>(),
        "segments": segments.collect::<Vec<_>>(),
        "snapshots": report.snapshots.iter().map(|checked| snapshot_as_json(report, checked)).collect::<Vec<_>>(),
        "kept": report.kept.as_ref().map(data::kept_as_json),
        "kept_before_damage": report.kept_before_damage.iter().map(data::kept_as_json).collect::<Vec<_>>(),
        "frames": report.progress.frames,
        "end_offset": outcome.map(|o| o.end.offset),
        "durable_offset": outcome.map(|o| o.durable),
        "torn_tail": outcome.and_then(|o| o.torn.as_ref()).map(|torn| json!({
            "file": torn.file.display().to_string(),
            "position": torn.position,
            "offset": torn.offset,
            "bytes": torn.bytes,
            "time": utc(torn.at_ms),
            "cause": torn.cause,
        })),
        "damage": report.damage.as_ref().map(damage_as_json),
        "warnings": report.warnings,
        "bytes": report.progress.bytes,
        "seconds": time.as_secs_f64(),
        "megabytes_per_second": super::report::megabytes_a_second(report.progress.bytes, time),
    })
}

fn snapshot_as_json(report: &Report, checked: &SnapshotCheck) -> Value {
    let snapshot = &checked.snapshot;
    json!({
        "file": snapshot.file,
        "offset": snapshot.place.offset,
        "time": utc(snapshot.place.wall_ms),
        "size": snapshot.size,
        "fault": checked.fault,
        "used_by_a_start": report.used() == Some(snapshot),
    })
}

fn damage_as_json(damage: &Damage) -> Value {
    match damage {
        Damage::Refused(refusal) => json!({
            "kind": "refused",
            "file": refusal.file.display().to_string(),
            "position": refusal.position,
            "cause": refusal.cause.to_string(),
            "repair_keeps_offset": refusal.consequence.map(|c| c.kept),
            "repair_loses_at_least": refusal.consequence.map(|c| c.known.saturating_sub(c.kept)),
        }),
        Damage::Medium { file, position, cause } => json!({
            "kind": "medium",
            "file": file.display().to_string(),
            "position": position,
            "cause": cause,
        }),
    }
}
