//! One fault after the other, and what came of each.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::case::{Case, Files};
use super::drive::Load;
use super::explore::{self, Disk};
use super::fault::Fault;
use super::flips;
use super::history::{History, Search};
use super::judge::{Finding, Judged, MayLose};
use super::rounds::{self, Rounds};
use super::server::Program;
use super::volume::{Budget, Moment, Names};

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Options {
    /// The server.
    pub program: Program,
    /// What is done to it, one after the other.
    pub faults: Vec<Fault>,
    /// Rounds of each fault that strikes a living server; runs that are recorded of each that is explored.
    pub rounds: Option<u64>,
    /// Or until each fault has taken so long.
    pub duration: Option<Duration>,
    /// Who drives it.
    pub load: Load,
    /// Replies that a round waits for, at most.
    pub operations: u64,
    /// Distinct crash states of each recorded run, or flips, at most.
    pub states: usize,
    /// By which rules names are lost.
    pub names: Names,
    /// `kill`, `eio` and `full` strike at each call of a run, one after the other.
    pub sweep: bool,
    /// What was acked longer ago than this before a crash must be there.
    pub may_lose: MayLose,
    /// Where failures are written to; nowhere when nothing is there.
    pub cases: Option<PathBuf>,
}

/// Rounds of a fault when nothing else is asked for.
const ROUNDS: u64 = 10;

/// A sweep is over when so many runs had no call left to strike at: not all have equally many.
const SWEPT: u64 = 8;

/// So many failures of a fault are written; all are counted.
const CASES: usize = 3;

/// Servers that explore at the same time.
const WORKERS: usize = 2;

/// A recorded run takes so many times the time whose acks may be lost.
const RUN_OF_LOSSES: f64 = 3.0;

/// What came of one fault.
#[derive(Clone, Debug, Default)]
pub struct Part {
    /// Its name.
    pub fault: String,
    /// Rounds or recorded runs.
    pub rounds: u64,
    /// Operations whose reply was read.
    pub acked: u64,
    /// Operations that the server refused.
    pub refused_operations: u64,
    /// Crash states that were built.
    pub states: usize,
    /// Those that differ within their run.
    pub distinct: usize,
    /// Of those that were tried, the ones left by a second power cut within the recovery from a first.
    pub of_recoveries: usize,
    /// Starts of a server that were judged: one a round, distinct state or flip.
    pub judged: usize,
    /// How often the fault struck.
    pub struck: u64,
    /// Starts by what they led to: `sound`, and the names of findings.
    pub outcomes: BTreeMap<String, usize>,
    /// Refusals that do not name the file that was damaged.
    pub unnamed: usize,
    /// Rounds in which the fault did not strike.
    pub missed: u64,
    /// The longest time between an ack that was lost and the crash.
    pub oldest_lost_ms: Option<u64>,
    /// Failures that were written, with what is wrong.
    pub cases: Vec<(PathBuf, Vec<String>)>,
    /// The first failure's findings, wherever it was written.
    pub first: Vec<String>,
    /// What else is worth telling.
    pub remarks: Vec<String>,
    /// Why the fault could not be tried.
    pub skipped: Option<String>,
    /// Why it was tried and could not have shown all that was asked for.
    pub untested: Option<String>,
    /// How long it took.
    pub seconds: f64,
    /// Starts with an outcome that breaks the promise.
    pub broken: usize,
}

impl Part {
    /// True when it does not show all that was asked for.
    pub fn is_incomplete(&self) -> bool {
        self.skipped.is_some() || self.untested.is_some() || self.judged == 0 || self.acked == 0
    }
}

/// How far a fault is.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// The fault.
    pub fault: Fault,
    /// Starts that were judged, states that were given out.
    pub done: u64,
    /// Of so many, where that is known.
    pub of: Option<u64>,
    /// Operations whose reply was read.
    pub acked: u64,
    /// Broken promises.
    pub broken: usize,
}

/// The campaign of one fault.
struct Campaign<'a> {
    options: &'a Options,
    fault: Fault,
    part: Part,
    began: Instant,
    stop: &'a AtomicBool,
    tell: &'a mut dyn FnMut(Progress),
}

/// Runs all faults; `stop` ends the campaign after what is under way.
pub fn run(options: &Options, stop: &AtomicBool, tell: &mut dyn FnMut(Progress)) -> Vec<Part> {
    let mut parts = Vec::new();
    for fault in &options.faults {
        let part = Part { fault: fault.name().into(), ..Part::default() };
        if stop.load(Ordering::Relaxed) {
            parts.push(Part { skipped: Some("the campaign was ended before".into()), ..part });
            continue;
        }
        let mut campaign = Campaign { options, fault: *fault, part, began: Instant::now(), stop, tell };
        let done = match fault {
            fault if fault.is_explored() => campaign.explore(),
            Fault::Flip => campaign.flip(),
            _ => campaign.strike(),
        };
        let mut part = campaign.part;
        if let Err(error) = done {
            part.skipped = Some(error.to_string());
        }
        if part.rounds > 0 && part.rounds == part.missed {
            part.untested = Some("the fault never struck".into());
        }
        part.seconds = campaign.began.elapsed().as_secs_f64();
        parts.push(part);
    }
    parts
}

impl Campaign<'_> {
    /// Whether another round is due.
    fn goes_on(&self) -> bool {
        if self.stop.load(Ordering::Relaxed) {
            return false;
        }
        if self.sweeps() && self.options.duration.is_none() && self.options.rounds.is_none() {
            return true;
        }
        match (self.options.rounds, self.options.duration) {
            (Some(rounds), _) if self.part.rounds >= rounds => false,
            (_, Some(duration)) => self.began.elapsed() < duration,
            (Some(_), None) => true,
            (None, None) => {
                self.part.rounds < if self.fault.is_explored() || self.fault == Fault::Flip { 1 } else { ROUNDS }
            }
        }
    }

    /// Whether it strikes at each call, one after the other.
    fn sweeps(&self) -> bool {
        self.options.sweep && matches!(self.fault, Fault::Kill | Fault::Eio | Fault::Full)
    }

    fn tell(&mut self, done: u64, of: Option<u64>) {
        let (acked, broken) = (self.part.acked, self.part.broken);
        (self.tell)(Progress { fault: self.fault, done, of, acked, broken });
    }

    /// What tells how far a run is: done, of so many.
    fn progress(&mut self) -> impl FnMut(usize, usize) {
        let before = self.part.judged as u64;
        move |done, of| self.tell(before + done as u64, Some(before + of as u64))
    }

    fn load(&self) -> Load {
        let Options { load, operations, may_lose, .. } = *self.options;
        let seed = load.seed.wrapping_add(self.part.rounds.wrapping_mul(0x9e37_79b9));
        // Where what is young may be lost, most of a run must be old.
        let pause = may_lose.mul_f64(RUN_OF_LOSSES * f64::from(load.clients) / operations.max(1) as f64);
        Load { seed, pause, ..load }
    }

    fn strike(&mut self) -> io::Result<()> {
        let Options { operations, may_lose, .. } = *self.options;
        let sweep = self.sweeps();
        let plan = |campaign: &Self| rounds::Plan {
            fault: campaign.fault,
            load: campaign.load(),
            operations,
            may_lose,
            strikes_at: sweep.then_some(campaign.part.rounds),
        };
        let mut rounds = Rounds::new(&self.options.program, plan(self))?;
        let mut unstruck = 0;
        while self.goes_on() {
            let round = rounds.run()?;
            let seed = rounds.seed();
            self.part.rounds += 1;
            self.part.acked += round.acked;
            self.part.refused_operations += round.refused;
            self.part.struck += round.struck;
            self.part.missed += u64::from(round.struck == 0);
            let files = Some(Files::Directory(&round.files));
            self.note(
                seed,
                &round.judged,
                &round.findings,
                round.at,
                vec![format!("the server ended: {}", round.end)],
                files,
            )?;
            self.tell(self.part.rounds, self.options.rounds);
            if sweep {
                unstruck = if round.struck == 0 { unstruck + 1 } else { 0 };
                if unstruck == SWEPT {
                    let calls = self.part.rounds - self.part.missed;
                    self.part.missed -= SWEPT;
                    self.part.remarks.push(format!("struck at {calls} calls, until {SWEPT} runs had no later one"));
                    return Ok(());
                }
            }
            let refused =
                round.findings.iter().any(|finding| matches!(finding, Finding::Refused(_) | Finding::Crashed(_)));
            if sweep || refused {
                rounds = Rounds::new(&self.options.program, plan(self))?;
            }
        }
        if sweep {
            self.part.untested = Some("the sweep ended before a run had no later call".into());
        }
        Ok(())
    }

    fn explore(&mut self) -> io::Result<()> {
        while self.goes_on() {
            let plan = explore::Plan {
                load: self.load(),
                operations: self.options.operations,
                states: self.options.states,
                budget: Budget { only_torn: self.fault == Fault::Torn, ..Budget::thorough() },
                workers: WORKERS,
                disk: match self.fault {
                    Fault::FsyncLie => Disk::Lying,
                    Fault::FsyncFail => Disk::Failing,
                    _ => Disk::Honest,
                },
                names: self.options.names,
                may_lose: self.options.may_lose,
            };
            let (seed, program, stop) = (plan.load.seed, &self.options.program, self.stop);
            let explored = explore::explore(program, &plan, &mut self.progress(), stop)?;
            self.part.rounds += 1;
            self.part.acked += explored.acked;
            self.part.states += explored.states;
            self.part.of_recoveries += explored.of_recoveries;
            self.part.struck += explored.struck;
            let path = explored.disk_path.map(|path| format!("the log was written by {path}"));
            self.part.remarks.extend(path.filter(|path| !self.part.remarks.contains(path)));
            self.part.missed += u64::from(self.fault == Fault::FsyncFail && explored.struck == 0);
            if !explored.judged.is_longer_than(self.options.may_lose) {
                self.part.untested = Some("a run was over before any ack was old enough to be missed".into());
            }
            self.part.distinct += explored.distinct;
            let sound = explored.started - explored.failures.len();
            self.part.judged += sound;
            *self.part.outcomes.entry("sound".into()).or_default() += sound;
            if !explored.findings.is_empty() {
                self.note(seed, &explored.judged, &explored.findings, 0, Vec::new(), None)?;
            }
            for failure in &explored.failures {
                let files = Some(Files::Tree(&failure.tree));
                self.note(seed, &failure.judged, &failure.findings, failure.at, failure.damage.clone(), files)?;
            }
        }
        Ok(())
    }

    fn flip(&mut self) -> io::Result<()> {
        while self.goes_on() {
            let plan =
                flips::Plan { load: self.load(), operations: self.options.operations, flips: self.options.states };
            let (seed, program, stop) = (plan.load.seed, &self.options.program, self.stop);
            let flipped = flips::run(program, &plan, &mut self.progress(), stop)?;
            self.part.rounds += 1;
            self.part.acked += flipped.acked;
            if !flipped.findings.is_empty() {
                self.note(seed, &flipped.judged, &flipped.findings, flipped.at, Vec::new(), None)?;
            }
            for flip in &flipped.flips {
                self.part.struck += 1;
                self.part.unnamed += usize::from(flip.is_refused_without_a_name());
                let findings = &flip.findings;
                let damage =
                    vec![format!("bit {} of byte {} of {} is flipped", flip.bit, flip.at, flip.file.display())];
                let saved = if findings.is_empty() || self.is_allowed(findings) || self.part.cases.len() >= CASES {
                    None
                } else {
                    flipped.arena.fill_from(&flipped.whole)?;
                    flips::flip(&flipped.arena.data().join(&flip.file), flip.at, flip.bit)?;
                    Some(Files::Directory(flipped.arena.data()))
                };
                self.note(seed, &flipped.judged, findings, flipped.at, damage, saved)?;
            }
        }
        Ok(())
    }

    fn is_allowed(&self, findings: &[Finding]) -> bool {
        findings.iter().all(|finding| finding.is_allowed_by(self.fault))
    }

    /// Counts what a start led to, and writes it down where the promise is broken.
    fn note(
        &mut self,
        seed: u64,
        judged: &Judged,
        findings: &[Finding],
        at: Moment,
        damage: Vec<String>,
        files: Option<Files<'_>>,
    ) -> io::Result<()> {
        self.part.judged += 1;
        let worst = findings.iter().max_by_key(|finding| finding.gravity());
        let name = worst.map_or("sound", Finding::name);
        *self.part.outcomes.entry(name.into()).or_default() += 1;
        for finding in findings {
            if let Finding::Lost { oldest_ms, .. } = finding {
                self.part.oldest_lost_ms = self.part.oldest_lost_ms.max(Some(*oldest_ms));
            }
        }
        if findings.is_empty() || self.is_allowed(findings) {
            return Ok(());
        }
        self.part.broken += 1;
        let lines: Vec<String> = findings.iter().map(Finding::to_string).chain(damage.iter().cloned()).collect();
        if self.part.first.is_empty() {
            self.part.first.clone_from(&lines);
        }
        let Some(cases) = self.options.cases.as_ref().filter(|_| self.part.cases.len() < CASES) else { return Ok(()) };
        let mut case = Case::new(&self.options.program, self.fault, seed, judged, findings, at);
        case.may_lose_ms = self.options.may_lose.as_millis() as u64;
        case.damage = damage;
        if self.fault != Fault::Flip && !findings.iter().any(|finding| matches!(finding, Finding::Reordered)) {
            case.histories =
                case.histories.iter().map(|history| shorter(history, findings, at, self.fault.skew_ms())).collect();
        }
        let directory = free_place(cases, self.fault)?;
        let file = case.save(&directory, files)?;
        self.part.cases.push((file, lines));
        Ok(())
    }
}

/// A history without what is not needed to see that it has no explanation.
fn shorter(history: &History, findings: &[Finding], at: Moment, skew_ms: u64) -> History {
    let replies_are_wrong =
        findings.iter().any(|finding| matches!(finding, Finding::Replies { cell, .. } if *cell == history.cell));
    // What is lost must be seen to be acked.
    let lost = findings.iter().filter_map(|finding| match finding {
        Finding::Lost { cell, from, .. } if *cell == history.cell => Some(*from),
        _ => None,
    });
    history.cut(lost.min().unwrap_or(at), skew_ms, |cut| {
        // Where the state is wrong the replies are right, before and after the cut.
        replies_are_wrong == Search::new(&cut.calls, u64::MAX, skew_ms).explore(&cut.initial).is_err()
    })
}

/// A directory that is not there yet.
fn free_place(cases: &Path, fault: Fault) -> io::Result<PathBuf> {
    (1..)
        .map(|number| cases.join(format!("{fault}-{number}")))
        .find(|place| !place.exists())
        .ok_or_else(|| io::ErrorKind::AlreadyExists.into())
}
