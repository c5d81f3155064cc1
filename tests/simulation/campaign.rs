//! Many seeds one after another, until enough crash points are tried or one is wrong.

use std::time::{Duration, Instant};

use ackd::engine::trial::Planted;

use super::run::{self, Violation};

/// How far a campaign goes.
#[derive(Clone, Copy, Debug)]
pub struct Campaign {
    pub first_seed: u64,
    /// Seeds at most.
    pub seeds: u64,
    /// Ends after the seed with which so many crash points are reached.
    pub points: u64,
    pub planted: Planted,
    /// Prints a line every few seconds.
    pub progress: bool,
    /// Goes on after a seed that failed.
    pub keep_going: bool,
    /// Prints all that happens.
    pub verbose: bool,
}

/// What a campaign did.
#[derive(Clone, Debug, Default)]
pub struct Report {
    pub seeds: u64,
    pub points: u64,
    pub recoveries: u64,
    pub operations: u64,
    pub commands: u64,
    pub lives: u64,
    pub seconds: f64,
    pub violations: Vec<Violation>,
}

/// To be called before any engine is made, so that a seed replays. A second call finds it fixed already.
pub fn fix_what_differs_between_processes() {
    ackd::keyspace::fix_hash_seed(1);
}

impl Campaign {
    pub fn run(&self) -> Report {
        fix_what_differs_between_processes();
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime without drivers");
        let _entered = runtime.enter();
        let started = Instant::now();
        let mut last_line = started;
        let mut report = Report::default();
        for seed in self.first_seed..self.first_seed.saturating_add(self.seeds) {
            report.seeds += 1;
            match run::run(seed, self.planted, self.verbose) {
                Ok(figures) => {
                    report.points += figures.points;
                    report.recoveries += figures.recoveries;
                    report.operations += figures.operations;
                    report.commands += figures.commands;
                    report.lives += figures.lives;
                }
                Err(violation) => {
                    report.points += violation.points;
                    report.violations.push(violation);
                    if !self.keep_going {
                        break;
                    }
                }
            }
            if self.progress && last_line.elapsed() > Duration::from_secs(5) {
                last_line = Instant::now();
                report.seconds = started.elapsed().as_secs_f64();
                println!("seed {seed}: {report}");
            }
            if report.points >= self.points {
                break;
            }
        }
        report.seconds = started.elapsed().as_secs_f64();
        report
    }
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { seeds, points, recoveries, operations, commands, lives, seconds, .. } = self;
        write!(
            f,
            "{points} distinct crash points, {recoveries} recoveries, {seeds} seeds, {lives} lives, {operations} disk \
             operations, {commands} commands, {seconds:.1} s ({:.0} points/s)",
            *points as f64 / seconds.max(1e-9)
        )
    }
}

impl std::fmt::Display for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { seed, operation, points, what } = self;
        writeln!(f, "seed {seed}, at disk operation {operation}, after {points} crash points of it: {what}")?;
        write!(f, "replay: ACKD_SIM_SEED={seed} cargo test --test simulation -- --nocapture a_seed_replays_exactly")
    }
}
