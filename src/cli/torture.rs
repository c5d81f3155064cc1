//! `ackd torture`: breaks a server's world and checks what it promised. The lab is `lab/`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::{Arg, ArgMatches, Command, value_parser};
use indicatif::{ProgressBar, ProgressStyle};
use tokio::signal::unix::{SignalKind, signal};

use super::{Tool, flag, usage_error};
use crate::lab::campaign::{self, Options, Progress};
use crate::lab::case::Case;
use crate::lab::drive::Load;
use crate::lab::fault::Fault;
use crate::lab::report::Report;
use crate::lab::server::Program;
use crate::lab::volume::Names;
use crate::lab::workload::Mix;

/// Its row.
pub const TOOL: Tool = Tool { command, run };

/// The exit code when something that was promised was not kept.
const BROKEN: u8 = 1;

/// The exit code when not everything could be tried, and nothing that was is broken.
const INCOMPLETE: u8 = 2;

fn command() -> Command {
    let with_value = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).help(help)
    };
    Command::new("torture")
        .about("Breaks a server's world (kill, power cut, full disk, flipped bits …) and checks what it promised")
        .long_about(
            "Starts a server, drives it with clients that share few keys, lets faults strike, starts it again, and checks that \
             each acked write is there, each transaction whole, nothing there that nobody wrote, nothing back from the dead, \
             and every reply explained by some order of the operations. Without --server it is this ackd that is tried; \
             every server that speaks RESP can be put in its place.",
        )
        .after_help(
            "Exit code 0: nothing was lost. Exit code 1: something that was promised was not kept. Exit code 2: not everything \
             could be tried (power, torn, fsync-lie, fsync-fail, full, eio and slow need FUSE: /dev/fuse, and root or fusermount3; clock needs \
             libfaketime).",
        )
        .arg(with_value("server", "COMMAND", "The server's command line, with {port} and {dir} where they belong"))
        .arg(
            with_value("appendfsync", "POLICY", "always, everysec or no, for this ackd as the server")
                .conflicts_with("server")
                .default_value("always"),
        )
        .arg(with_value("fault", "NAMES", "kill, stop, power, torn, flip, full, eio, slow, fsync-lie, fsync-fail, clock, or all")
            .value_delimiter(',')
            .default_value("kill"))
        .arg(with_value("rounds", "N", "Rounds of each fault (recorded runs, for power, torn, fsync-lie and fsync-fail)").value_parser(value_parser!(u64)))
        .arg(with_value("duration", "TIME", "How long each fault is tried, as 30s, 10m or 2h"))
        .arg(with_value("clients", "N", "Connections").value_parser(value_parser!(u32).range(1..=10_000)).default_value("8"))
        .arg(with_value("cells", "N", "Groups of keys that the clients share").value_parser(value_parser!(u32).range(1..)).default_value("12"))
        .arg(with_value("workload", "MIX", "all, strings, lists, collections, transactions or expiry").default_value("all"))
        .arg(with_value("operations", "N", "Replies that a round waits for, at most, before the fault strikes").value_parser(value_parser!(u64).range(1..)).default_value("400"))
        .arg(with_value("states", "N", "Crash states of each recorded run that a server is started on; flips, for flip").value_parser(value_parser!(usize)).default_value("1000"))
        .arg(with_value("names", "RULES", "What a power cut does to unsynced names of files: posix (each may be lost) or journal (lost in order)").default_value("posix"))
        .arg(with_value("may-lose", "TIME", "What was acked this long before the crash may be lost: the promise of everysec is 2s").default_value("0s"))
        .arg(with_value("seed", "N", "Repeats what was drawn").value_parser(value_parser!(u64)))
        .arg(with_value("cases", "DIR", "Where failures are written to").default_value("ackd-torture").value_parser(value_parser!(PathBuf)))
        .arg(with_value("html", "FILE", "Writes the report as a page, too").value_parser(value_parser!(PathBuf)))
        .arg(flag("sweep", "kill, eio and full strike at each call of a run (with FUSE), one after the other, from the server's first on"))
        .arg(flag("json", "Prints the report as one JSON object"))
        .arg(
            with_value("replay", "FILE", "Sees a failure again: starts the server on the files of a case and judges")
                .value_parser(value_parser!(PathBuf))
                .exclusive(true),
        )
}

fn run(matches: &ArgMatches) -> ExitCode {
    if let Some(file) = matches.get_one::<PathBuf>("replay") {
        return replay(file);
    }
    let options = match options(matches) {
        Ok(options) => options,
        Err(why) => usage_error(&TOOL, &why),
    };
    let stop = stopped_by_a_signal();
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed} {msg}") {
        bar.set_style(style);
    }
    let parts = campaign::run(&options, stop, &mut |progress| bar.set_message(in_words(progress)));
    bar.finish_and_clear();
    let promise = if options.may_lose.is_zero() {
        "each acked write".to_owned()
    } else {
        format!("each write acked {} seconds before the crash", options.may_lose.as_secs_f64())
    };
    let Load { clients, cells, mix, seed, .. } = options.load;
    let load = format!("{clients} clients on {cells} groups of keys, workload {mix}");
    let report = Report { server: options.program.line(), seed, load, promise, parts };
    if let Some(file) = matches.get_one::<PathBuf>("html")
        && let Err(error) = std::fs::write(file, report.as_page())
    {
        eprintln!("ackd torture: cannot write {}: {error}", file.display());
        return ExitCode::from(INCOMPLETE);
    }
    let code = match (report.is_sound(), report.is_incomplete()) {
        (false, _) => ExitCode::from(BROKEN),
        (true, true) => ExitCode::from(INCOMPLETE),
        (true, false) => ExitCode::SUCCESS,
    };
    super::report::print("torture", matches, Ok(report), Report::as_json, Report::as_text, |_| code)
}

fn options(matches: &ArgMatches) -> Result<Options, String> {
    let text = |name: &str| matches.get_one::<String>(name).map(String::as_str);
    let program = match text("server") {
        Some(line) => Program::parse(line).map_err(|error| error.to_string())?,
        None => this_server(text("appendfsync").unwrap_or("always"))?,
    };
    let names = matches.get_many::<String>("fault").into_iter().flatten();
    let mut faults = Vec::new();
    for name in names {
        match name.as_str() {
            "all" => faults.extend(Fault::ALL),
            name => faults.push(name.parse()?),
        }
    }
    let mix: Mix = text("workload").unwrap_or("all").parse()?;
    let number = |name: &str| matches.get_one::<u64>(name).copied();
    let small = |name: &str| matches.get_one::<u32>(name).copied().unwrap_or(1);
    Ok(Options {
        program,
        faults,
        rounds: number("rounds"),
        duration: text("duration").map(time).transpose()?,
        load: Load {
            clients: small("clients"),
            cells: small("cells"),
            mix,
            seed: number("seed").unwrap_or_else(|| fastrand::u64(..1 << 32)),
            pause: Duration::ZERO,
        },
        operations: number("operations").unwrap_or(1),
        states: matches.get_one::<usize>("states").copied().unwrap_or(1),
        names: match text("names") {
            Some("journal") => Names::Journal,
            Some("posix") | None => Names::Posix,
            Some(other) => return Err(format!("no such rules of names: '{other}'; there are posix and journal")),
        },
        sweep: matches.get_flag("sweep"),
        may_lose: text("may-lose").map(time).transpose()?.unwrap_or_default(),
        cases: matches.get_one::<PathBuf>("cases").cloned(),
    })
}

/// This program as the server: small, so that much happens to its files in little time.
fn this_server(appendfsync: &str) -> Result<Program, String> {
    let exe = std::env::current_exe().map_err(|error| format!("where this program is cannot be told: {error}"))?;
    let words = ["serve", "--port", "{port}", "--dir", "{dir}", "--save", "", "--log-segment-size", "1mb"];
    let words = words.into_iter().chain(["--appendfsync", appendfsync]);
    let words = std::iter::once(exe.display().to_string()).chain(words.map(str::to_owned)).collect();
    Program::from_words(words).map_err(|error| error.to_string())
}

/// A time as `90`, `90s`, `10m` or `2h`.
fn time(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let number: f64 = digits.parse().map_err(|_| format!("'{text}' is no time: 90s, 10m, 2h"))?;
    let seconds = match &text[digits.len()..] {
        "" | "s" => 1.0,
        "ms" => 0.001,
        "m" => 60.0,
        "h" => 3600.0,
        unit => return Err(format!("'{unit}' is no unit of time: ms, s, m, h")),
    };
    Duration::try_from_secs_f64(number * seconds).map_err(|error| format!("'{text}': {error}"))
}

fn in_words(progress: Progress) -> String {
    let of = progress.of.map(|of| format!(" of {of}")).unwrap_or_default();
    let broken = if progress.broken > 0 { format!(", BROKEN {} times", progress.broken) } else { String::new() };
    format!("{}: {}{of}, {} operations acked{broken}", progress.fault, progress.done, progress.acked)
}

/// The first Ctrl-C or SIGTERM ends the campaign in order (servers stopped, file systems unmounted, the report printed), the second
/// at once.
fn stopped_by_a_signal() -> &'static AtomicBool {
    static STOP: AtomicBool = AtomicBool::new(false);
    let wait = || {
        let Ok(()) = super::report::block_on(async {
            let Ok(mut terminate) = signal(SignalKind::terminate()) else { return };
            loop {
                tokio::select! {
                    _ = tokio::signal::ctrl_c() => {}
                    _ = terminate.recv() => {}
                }
                if STOP.swap(true, Ordering::Relaxed) {
                    std::process::exit(130);
                }
                eprintln!("ackd torture: ending after what is under way; a second signal ends at once");
            }
        }) else {
            return;
        };
    };
    std::thread::spawn(wait);
    &STOP
}

fn replay(file: &std::path::Path) -> ExitCode {
    let replayed = Case::load(file).and_then(|case| case.replay(file).map(|findings| (case, findings)));
    match replayed {
        Ok((case, findings)) => {
            println!("server   {}\nfault    {}, seed {}", case.server.join(" "), case.fault, case.seed);
            case.damage.iter().for_each(|line| println!("damage   {line}"));
            findings.iter().for_each(|finding| println!("found    {finding}"));
            if findings.is_empty() {
                println!("what was found then is not found now: {}", case.findings.join("; "));
                return ExitCode::SUCCESS;
            }
            ExitCode::from(BROKEN)
        }
        Err(error) => {
            eprintln!("ackd torture: {}: {error}", file.display());
            ExitCode::from(INCOMPLETE)
        }
    }
}
