//! Many sessions on a pair of servers, until a number of commands has been compared.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Instant;

use super::super::support::process::{Program, Server};
use super::accepted::Against;
use super::coverage::Coverage;
use super::generate::{is_deep, session};
use super::run::{Mismatch, Pair};
use super::shrink::shrink;
use super::step::{Step, script};

/// Steps of a session: long enough to build up state, short enough to shrink fast.
const SESSION: usize = 600;
/// Kinds of differences after which a campaign stops.
const MAX_KINDS: usize = 60;

/// Seeds between the starts of two parts: more than any part uses.
const PART_SEEDS: u64 = 1_000_000_000;

/// What to run.
pub struct Campaign {
    pub oracle: Program,
    pub tested: Program,
    /// The seed of the first session; the next ones count up from it.
    pub seed: u64,
    /// Commands to compare.
    pub commands: u64,
    /// Progress on stderr.
    pub verbose: bool,
}

impl Campaign {
    /// The campaign in several threads, each with servers of its own. Every thread's seeds count up from its own
    /// start, so that each part can be run again alone.
    pub fn run_in_parts(&self, parts: u64) -> Outcome {
        let part = |n: u64| Self {
            oracle: self.oracle.clone(),
            tested: self.tested.clone(),
            seed: self.seed + n * PART_SEEDS,
            commands: self.commands.div_ceil(parts),
            verbose: self.verbose,
        };
        let outcomes: Vec<Outcome> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..parts).map(|n| scope.spawn(move || part(n).run())).collect();
            threads.into_iter().map(|thread| thread.join().expect("a part of the campaign panicked")).collect()
        });
        let mut all = Outcome { coverage: Coverage::default(), findings: BTreeMap::new(), sessions: 0, seconds: 0.0 };
        for outcome in outcomes {
            all.coverage.merge(&outcome.coverage);
            all.sessions += outcome.sessions;
            all.seconds = all.seconds.max(outcome.seconds);
            for (signature, finding) in outcome.findings {
                match all.findings.get_mut(&signature) {
                    Some(known) => known.seen += finding.seen,
                    None => {
                        all.findings.insert(signature, finding);
                    }
                }
            }
        }
        all
    }
}

/// A kind of difference: its first appearance, shrunk, and how often it was seen.
pub struct Finding {
    pub seed: u64,
    pub mismatch: Mismatch,
    pub steps: Vec<Step>,
    pub seen: usize,
}

/// What came of a campaign.
pub struct Outcome {
    pub coverage: Coverage,
    pub findings: BTreeMap<String, Finding>,
    pub sessions: u64,
    pub seconds: f64,
}

impl Campaign {
    pub fn run(&self) -> Outcome {
        let start = Instant::now();
        let (mut oracle, mut tested) = (self.oracle.start(), self.tested.start());
        let mut pair = Pair::new(&oracle, &tested);
        let mut outcome =
            Outcome { coverage: Coverage::default(), findings: BTreeMap::new(), sessions: 0, seconds: 0.0 };
        let against = Against::oracle(oracle.name());
        let mut reported = 0;
        while pair.coverage.commands < self.commands && outcome.findings.len() < MAX_KINDS {
            let seed = self.seed + outcome.sessions;
            let steps = session(against, seed, SESSION);
            outcome.sessions += 1;
            pair.looks = is_deep(seed);
            match pair.run(&steps) {
                Ok(None) => {}
                Ok(Some(mismatch)) => self.note(&mut pair, &mut outcome, seed, &steps, mismatch),
                Err(error) => {
                    for server in [&mut oracle, &mut tested] {
                        assert!(
                            server.is_running(),
                            "{} died in the session of seed {seed} ({error}):\n{}\n{}",
                            server.name(),
                            server.output(),
                            script(&steps),
                        );
                    }
                    panic!("seed {seed}: {error}");
                }
            }
            if self.verbose && pair.coverage.commands / 250_000 > reported {
                reported = pair.coverage.commands / 250_000;
                let rate = pair.coverage.commands as f64 / start.elapsed().as_secs_f64();
                eprintln!(
                    "{} commands, {} sessions, {rate:.0}/s, {} kinds of differences",
                    pair.coverage.commands,
                    outcome.sessions,
                    outcome.findings.len()
                );
            }
        }
        outcome.coverage = pair.coverage.clone();
        outcome.seconds = start.elapsed().as_secs_f64();
        outcome
    }

    fn note(&self, pair: &mut Pair, outcome: &mut Outcome, seed: u64, steps: &[Step], mismatch: Mismatch) {
        let signature = mismatch.signature();
        if let Some(finding) = outcome.findings.get_mut(&signature) {
            finding.seen += 1;
            return;
        }
        let coverage = pair.coverage.clone();
        let recurs = matches!(pair.run(steps), Ok(Some(again)) if again.name == mismatch.name);
        if !recurs {
            let mut mismatch = mismatch;
            mismatch.command.push_str(" (did not recur when the session was run again)");
            let steps = steps[..=mismatch.step].to_vec();
            let finding = Finding { seed, mismatch, steps, seen: 1 };
            outcome.findings.insert(signature, finding);
            return;
        }
        let (steps, mismatch) = shrink(pair, steps, mismatch);
        pair.coverage = coverage;
        // The shrunk form may show another face of the same difference.
        let shrunk = mismatch.signature();
        if let Some(finding) = outcome.findings.get_mut(&shrunk) {
            finding.seen += 1;
            return;
        }
        let finding = Finding { seed, mismatch, steps, seen: 1 };
        if self.verbose {
            eprintln!("{finding}");
        }
        outcome.findings.insert(signature, finding);
    }
}

/// Runs the session of one seed, and says what it does on the way.
pub fn replay(oracle: &Server, tested: &Server, seed: u64) -> Option<Finding> {
    let steps = session(Against::oracle(oracle.name()), seed, SESSION);
    let mut pair = Pair::new(oracle, tested);
    pair.looks = is_deep(seed);
    let mismatch = pair.run(&steps).unwrap_or_else(|e| panic!("seed {seed}: {e}"))?;
    let (steps, mismatch) = shrink(&mut pair, &steps, mismatch);
    Some(Finding { seed, mismatch, steps, seen: 1 })
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let cut = |text: &str| -> String { text.chars().take(600).collect() };
        writeln!(
            f,
            "seed {}: {}, {} (seen {} times)",
            self.seed, self.mismatch.name, self.mismatch.command, self.seen
        )?;
        writeln!(f, "  oracle: {}", cut(&self.mismatch.oracle))?;
        writeln!(f, "  tested: {}", cut(&self.mismatch.tested))?;
        write!(f, "{}", script(&self.steps))
    }
}

impl Outcome {
    /// All differences, as text; empty when there is none.
    pub fn report(&self) -> String {
        self.findings.values().fold(String::new(), |mut text, finding| {
            let _ = writeln!(text, "{finding}");
            text
        })
    }
}
