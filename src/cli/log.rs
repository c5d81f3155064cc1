//! `ackd log DIR`: shows the log: segments, frames, and their effects as commands. The reading is `log::reader`'s.

use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Arg, ArgMatches, Command};
use serde_json::{Value, json};

use super::{Tool, data, flag};
use crate::base::calendar::{parse_utc, utc};
use crate::base::quoting::{as_json, quoted};
use crate::log::inspect::{Damage, Inspection};
use crate::log::reader::FrameAt;
use crate::log::{FrameKind, LogError, Point, Segment, StartMark, TornTail};
use crate::resp;

/// Its row.
pub const TOOL: Tool = Tool { command, run };

/// How often `--follow` looks for more.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// `--follow` bears with a directory that a server is just changing for so many looks, and calls so many without
/// anything new a pause.
const PATIENCE: u32 = 40;

fn command() -> Command {
    let bound = |name: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name("OFFSET|TIME").value_parser(Bound::parse).help(help)
    };
    Command::new("log")
        .about("Shows the log of a data directory: segments, frames, and effects as commands; changes nothing")
        .long_about(
            "Shows the log of a data directory: segments, frames, and effects as commands, quoted as redis-cli quotes \
             them. Lines about segments and frames begin with #. Safe beside a running server.",
        )
        .after_help(
            "A TIME is UTC: 2026-11-24, 2026-11-24T05:09 or 2026-11-24T05:09:33.250Z. An OFFSET counts bytes of the \
             effect stream, as INFO persistence and WAITAOF do.\nExit code 0: shown to its end; 1: damaged, or could \
             not be read.",
        )
        .arg(data::argument())
        .arg(bound("from", "Shows what begins at this stream offset or was written at this time, or later"))
        .arg(bound("to", "Shows what begins before this stream offset or was written before this time"))
        .arg(flag("json", "Prints one JSON object a line; arguments that are no UTF-8 as {\"hex\": …}"))
        .arg(flag("follow", "Goes on as the server writes, until interrupted").short('f'))
        .arg(flag("segments", "Shows only segments"))
        .arg(flag("frames", "Shows only segments and frames").conflicts_with("segments"))
        .arg(
            flag("commands", "Shows only commands, without their offsets: what redis-cli takes as input")
                .conflicts_with_all(["segments", "frames"]),
        )
}

/// What `--from` and `--to` take.
#[derive(Clone, Copy, Debug)]
enum Bound {
    Offset(u64),
    TimeMs(u64),
}

impl Bound {
    fn parse(text: &str) -> Result<Self, String> {
        if let Ok(offset) = text.parse() {
            return Ok(Self::Offset(offset));
        }
        let wrong = "neither a stream offset nor a UTC time such as 2026-11-24T05:09:33";
        parse_utc(text).map(Self::TimeMs).ok_or_else(|| wrong.to_owned())
    }

    /// Whether what begins at this offset, at this time, lies before the bound.
    fn is_behind(self, offset: u64, ms: u64) -> bool {
        match self {
            Self::Offset(bound) => offset < bound,
            Self::TimeMs(bound) => ms < bound,
        }
    }
}

/// Why showing ended early.
enum Ended {
    /// Whoever read the output is gone: nothing is wrong.
    Output(io::Error),
    Log(String),
}

impl From<io::Error> for Ended {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

fn run(matches: &ArgMatches) -> ExitCode {
    let shown = data::directory(matches).map_err(Ended::Log).and_then(|directory| {
        let mut view = View::new(matches);
        let result =
            if matches.get_flag("follow") { follow(&directory, &mut view) } else { show(&directory, &mut view) };
        // What was read before the end is shown in any case.
        let flushed = view.out.flush();
        result.and(flushed.map_err(Ended::Output))
    });
    match shown {
        Ok(()) => ExitCode::SUCCESS,
        Err(Ended::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(Ended::Output(error)) => {
            eprintln!("ackd log: cannot write: {error}");
            ExitCode::FAILURE
        }
        Err(Ended::Log(error)) => {
            eprintln!("ackd log: {error}");
            ExitCode::FAILURE
        }
    }
}

fn show(directory: &Path, view: &mut View) -> Result<(), Ended> {
    let inspection = Inspection::open(directory, 0).map_err(failed)?;
    let (outcome, damage) = inspection.read(|frame| view.frame(&inspection, frame))?;
    if let Some(damage) = damage {
        return Err(Ended::Log(damage.without_consequence().to_string()));
    }
    if let Some(torn) = &outcome.torn {
        view.torn(torn)?;
    }
    for (index, segment) in inspection.segments().iter().enumerate() {
        if outcome.live.iter().all(|live| *live < index) {
            view.spare(segment)?;
        }
    }
    Ok(())
}

/// Shows what is there, and then what comes, across segments and restarts of the server. Ends at the bound, or by an error.
fn follow(directory: &Path, view: &mut View) -> Result<(), Ended> {
    let mut reached: Option<(u64, Point)> = None;
    let (mut failures, mut idle) = (0, 0);
    loop {
        let before = reached;
        // A damaged frame looks like one that is not written yet; so, once in a pause, what lies behind is looked at.
        let found = read_on(directory, view, &mut reached, idle != PATIENCE)?;
        idle = if reached == before { idle + 1 } else { 0 };
        match found {
            None => failures = 0,
            Some(error) if failures >= PATIENCE => return Err(Ended::Log(error)),
            Some(_) => {
                failures += 1;
                idle = PATIENCE;
            }
        }
        view.out.flush()?;
        if reached.is_some_and(|(_, point)| view.to.is_some_and(|to| !to.is_behind(point.offset, point.wall_ms))) {
            return Ok(());
        }
        std::thread::sleep(LOOK_AGAIN);
    }
}

/// Shows what there is behind `reached`, and answers what stopped it.
fn read_on(
    directory: &Path,
    view: &mut View,
    reached: &mut Option<(u64, Point)>,
    live: bool,
) -> Result<Option<String>, Ended> {
    let from = reached.map_or(0, |(sequence, _)| sequence);
    let inspection = match Inspection::open(directory, from) {
        Ok(inspection) => inspection,
        Err(error) => return Ok(Some(describe(error))),
    };
    if from > 0 && inspection.segments().first().is_none_or(|first| first.sequence != from) {
        let offset = reached.map_or(0, |(_, point)| point.offset);
        let why = format!("the segment that was followed is gone; go on with --follow --from {offset}");
        return Ok(Some(why));
    }
    let mut reader = inspection.reader(live, *reached);
    while let Some(frame) = reader.next() {
        match frame {
            Ok(frame) => {
                view.frame(&inspection, &frame)?;
                *reached = reader.position();
            }
            Err(refusal) => return Ok(Some(Damage::Refused(refusal.without_consequence()).to_string())),
        }
    }
    Ok(inspection.fault().map(|damage| damage.to_string()))
}

fn failed(error: LogError) -> Ended {
    Ended::Log(describe(error))
}

fn describe(error: LogError) -> String {
    match error {
        LogError::Refused(refusal) => Damage::Refused(refusal).to_string(),
        other => other.to_string(),
    }
}

/// What is shown, and where to.
struct View {
    out: BufWriter<io::Stdout>,
    json: bool,
    segments: bool,
    frames: bool,
    commands: bool,
    from: Option<Bound>,
    to: Option<Bound>,
    /// The segment that was read last.
    sequence: u64,
    /// Its line, until something of it is shown.
    head: Option<Head>,
}

/// A segment that holds frames.
struct Head {
    segment: Segment,
    offset: u64,
    history: Option<String>,
    always: bool,
}

impl Head {
    fn of(segment: &Segment, first: &FrameAt<'_>) -> Self {
        let mark = (first.header.kind == FrameKind::Start).then(|| StartMark::decode(first.payload).ok()).flatten();
        let history = mark.map(|mark| mark.history.to_string());
        Self { segment: *segment, offset: first.header.offset, history, always: first.header.always }
    }
}

impl View {
    fn new(matches: &ArgMatches) -> Self {
        let only = |name: &str| matches.get_flag(name);
        Self {
            out: BufWriter::new(io::stdout()),
            json: only("json"),
            segments: !only("commands"),
            frames: !only("commands") && !only("segments"),
            commands: !only("segments") && !only("frames"),
            from: matches.get_one("from").copied(),
            to: matches.get_one("to").copied(),
            sequence: 0,
            head: None,
        }
    }

    fn covers(&self, offset: u64, ms: u64) -> bool {
        self.from.is_none_or(|from| !from.is_behind(offset, ms)) && self.to.is_none_or(|to| to.is_behind(offset, ms))
    }

    fn frame(&mut self, inspection: &Inspection, frame: &FrameAt<'_>) -> Result<(), Ended> {
        let header = &frame.header;
        if self.sequence != frame.sequence {
            self.sequence = frame.sequence;
            let segment = inspection.segments().iter().find(|s| s.sequence == frame.sequence);
            self.head = segment.map(|segment| Head::of(segment, frame));
        }
        // A command in the middle of a frame may be the first that is asked for.
        let last = header.end_offset().saturating_sub(1).max(header.offset);
        let begins_before = self.to.is_none_or(|to| to.is_behind(header.offset, header.wall_ms));
        let ends_behind = self.from.is_none_or(|from| !from.is_behind(last, header.wall_ms));
        if !begins_before || !ends_behind {
            return Ok(());
        }
        if let Some(head) = self.head.take() {
            self.segment(&head)?;
        }
        if self.frames {
            self.header(frame)?;
        }
        if self.commands && header.kind == FrameKind::Effects {
            self.effects(frame)?;
        }
        Ok(())
    }

    fn line(&mut self, text: impl FnOnce() -> String, object: impl FnOnce() -> Value) -> io::Result<()> {
        if self.json { writeln!(self.out, "{}", object()) } else { writeln!(self.out, "{}", text()) }
    }

    fn segment(&mut self, head: &Head) -> io::Result<()> {
        if !self.segments {
            return Ok(());
        }
        let Head { segment, offset, history, always } = head;
        let (file, size) = (segment.file_name(), segment.size);
        let policy = if *always { "written under always" } else { "written buffered" };
        let of_history = history.as_ref().map(|id| format!(", history {id}")).unwrap_or_default();
        self.line(
            || format!("# segment {file}: {size} bytes, from offset {offset}{of_history}, {policy}"),
            || {
                json!({ "type": "segment", "file": file, "sequence": segment.sequence, "size": size, "role": "live",
                       "offset": offset, "history": history, "always": always })
            },
        )
    }

    fn spare(&mut self, segment: &Segment) -> io::Result<()> {
        if !self.segments || self.from.is_some() || self.to.is_some() {
            return Ok(());
        }
        let (file, size) = (segment.file_name(), segment.size);
        self.line(
            || format!("# segment {file}: {size} bytes, spare"),
            || json!({ "type": "segment", "file": file, "sequence": segment.sequence, "size": size, "role": "spare" }),
        )
    }

    fn header(&mut self, frame: &FrameAt<'_>) -> io::Result<()> {
        let header = &frame.header;
        let (kind, time, len) = (kind(header.kind), utc(header.wall_ms), header.payload_len);
        let (offset, index, durable) = (header.offset, header.index, header.durable);
        let (sequence, position) = (frame.sequence, frame.position);
        self.line(
            || format!("# {kind} {index} at byte {position}: offset {offset}, {len} bytes, {time}, durable {durable}"),
            || {
                json!({ "type": "frame", "kind": kind, "index": index, "term": header.term, "sequence": sequence,
                       "position": position, "offset": offset, "end_offset": header.end_offset(), "bytes": len,
                       "time": time, "time_ms": header.wall_ms, "durable_offset": durable,
                       "committed_offset": header.committed })
            },
        )
    }

    fn effects(&mut self, frame: &FrameAt<'_>) -> Result<(), Ended> {
        let mut db = None;
        let mut unsaid = None;
        for command in resp::commands(frame.payload) {
            let (position, start) = (frame.position, frame.header.offset);
            let command = command.map_err(|error| {
                let file = Segment::name_of(frame.sequence);
                Ended::Log(format!("the frame at byte {position} of {file} (offset {start}) is intact, but {error}"))
            })?;
            let offset = start + command.at as u64;
            let words = &command.arguments;
            if let [name, number] = words.as_slice()
                && name.eq_ignore_ascii_case(b"SELECT")
            {
                db = std::str::from_utf8(number).ok().and_then(|number| number.parse::<u64>().ok());
            }
            if !self.covers(offset, frame.header.wall_ms) {
                unsaid = db;
                continue;
            }
            let bare = !self.segments;
            if let Some(db) = unsaid.take()
                && bare
                && !self.json
            {
                // What is shown may be fed to a server: there it must meet the same database.
                writeln!(self.out, "\"SELECT\" \"{db}\"")?;
            }
            self.line(
                || {
                    let text = words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ");
                    if bare { text } else { format!("{offset} {text}") }
                },
                || {
                    json!({ "type": "command", "offset": offset, "db": db,
                           "argv": words.iter().map(|word| as_json(word)).collect::<Vec<_>>() })
                },
            )?;
        }
        Ok(())
    }

    fn torn(&mut self, torn: &TornTail) -> io::Result<()> {
        let (file, TornTail { position, offset, bytes, cause, .. }) = (torn.file.display().to_string(), torn);
        self.line(
            || format!("# torn tail in {file} at byte {position}: offset {offset}, {bytes} bytes: {cause}"),
            || {
                json!({ "type": "torn_tail", "file": file, "position": position, "offset": offset, "bytes": bytes,
                       "cause": cause })
            },
        )
    }
}

fn kind(kind: FrameKind) -> &'static str {
    match kind {
        FrameKind::Effects => "frame",
        FrameKind::Start => "start",
        FrameKind::Seal => "seal",
        FrameKind::NoOp => "no-op",
    }
}
