//! A differential campaign: millions of random commands on ackd and an oracle.
//!
//! ```text
//! cargo run --release --example differential -- [--commands N] [--seed N] [--oracle valkey|redis7|redis8]
//!     [--tested ackd|valkey|redis7|redis8] [--jobs N] [--coverage FILE] [--minimum N]
//!     [--replay SEED]
//! ```
//!
//! Prints every kind of difference, shrunk, with its seed; `--coverage` writes the coverage table as markdown, and
//! with `--minimum` commands and options with fewer fruitful replies are listed. Exit code 1 when replies differ.

#[path = "../tests/differential/mod.rs"]
mod differential;
#[path = "../tests/support/mod.rs"]
mod support;

use std::process::ExitCode;

use differential::campaign::{Campaign, replay};
use support::oracle::Oracle;
use support::process::Program;

fn program(name: &str) -> Option<Program> {
    match name {
        "ackd" => Some(Program::ackd()),
        "valkey" => Oracle::Valkey.program(),
        "redis7" => Oracle::Redis7.program(),
        "redis8" => Oracle::Redis8.program(),
        other => panic!("unknown server {other}: ackd, valkey, redis7 or redis8"),
    }
}

fn main() -> ExitCode {
    let (mut commands, mut seed, mut minimum, mut jobs) = (5_000_000, 1, 1_000, 1);
    let (mut oracle, mut tested) = ("valkey".to_string(), "ackd".to_string());
    let (mut coverage, mut replayed) = (None, None);
    let mut arguments = std::env::args().skip(1);
    while let Some(option) = arguments.next() {
        let value = arguments.next().unwrap_or_else(|| panic!("{option} needs a value"));
        let number = || value.parse::<u64>().unwrap_or_else(|_| panic!("{option} {value}: not a number"));
        match option.as_str() {
            "--commands" => commands = number(),
            "--seed" => seed = number(),
            "--jobs" => jobs = number().max(1),
            "--minimum" => minimum = number(),
            "--replay" => replayed = Some(number()),
            "--oracle" => oracle = value,
            "--tested" => tested = value,
            "--coverage" => coverage = Some(value),
            other => panic!("unknown option {other}"),
        }
    }
    let (Some(oracle), Some(tested)) = (program(&oracle), program(&tested)) else { return ExitCode::from(2) };
    if let Some(seed) = replayed {
        let Some(finding) = replay(&oracle.start(), &tested.start(), seed) else {
            println!("seed {seed}: no difference");
            return ExitCode::SUCCESS;
        };
        println!("{finding}");
        return ExitCode::FAILURE;
    }
    let outcome = Campaign { oracle, tested, seed, commands, verbose: true }.run_in_parts(jobs);
    let rate = outcome.coverage.commands as f64 / outcome.seconds;
    println!(
        "{} commands in {} sessions from seed {seed}, {:.0} s ({rate:.0}/s), {} kinds of differences",
        outcome.coverage.commands,
        outcome.sessions,
        outcome.seconds,
        outcome.findings.len()
    );
    println!("{}", outcome.report());
    for label in outcome.coverage.below(minimum) {
        println!("below {minimum} fruitful replies: {label}");
    }
    if let Some(path) = coverage {
        std::fs::write(&path, outcome.coverage.markdown()).unwrap_or_else(|e| panic!("{path}: {e}"));
    }
    if outcome.findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
