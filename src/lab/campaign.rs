//! One fault after the other, and what came of each.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::case::{Case, Files};
use super::drive::Load;
use super::explore;
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

/// So many failures of a fault are written; all are counted.
const CASES: usize = 3;

/// Servers that explore at the same time.
const WORKERS: usize = 2;

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
    /// Starts of a server that were judged: one a round, distinct state or flip.
    pub judged: usize,
    /// How often the fault struck.
    pub struck: u64,
    /// Starts by what they led to: `sound`, and the names of findings.
    pub outcomes: BTreeMap<String, usize>,
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
    /// How long it took.
    pub seconds: f64,
    /// Starts with an outcome that breaks the promise.
    pub broken: usize,
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
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let part = Part { fault: fault.name().into(), ..Part::default() };
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
        match (self.options.rounds, self.options.duration) {
            (Some(rounds), _) if self.part.rounds >= rounds => false,
            (_, Some(duration)) => self.began.elapsed() < duration,
            (Some(_), None) => true,
            (None, None) => {
                self.part.rounds < if self.fault.is_explored() || self.fault == Fault::Flip { 1 } else { ROUNDS }
            }
        }
    }

    fn tell(&mut self, done: u64, of: Option<u64>) {
        let (acked, broken) = (self.part.acked, self.part.broken);
        (self.tell)(Progress { fault: self.fault, done, of, acked, broken });
    }

    fn load(&self) -> Load {
        let seed = self.options.load.seed.wrapping_add(self.part.rounds.wrapping_mul(0x9e37_79b9));
        Load { seed, ..self.options.load }
    }

    fn strike(&mut self) -> io::Result<()> {
        let Options { operations, may_lose, .. } = *self.options;
        let sweep = self.options.sweep && matches!(self.fault, Fault::Kill | Fault::Eio | Fault::Full);
        let plan = |campaign: &Self| rounds::Plan {
            fault: campaign.fault,
            load: campaign.load(),
            operations,
            may_lose,
            strikes_at: sweep.then_some(campaign.part.rounds),
        };
        let mut rounds = Rounds::new(&self.options.program, plan(self))?;
        while self.goes_on() {
            let round = rounds.run()?;
            self.part.rounds += 1;
            self.part.acked += round.acked;
            self.part.refused_operations += round.refused;
            self.part.struck += round.struck;
            let files = Some(Files::Directory(&round.files));
            self.note(
                &round.judged,
                &round.findings,
                round.at,
                vec![format!("the server ended: {}", round.end)],
                files,
            )?;
            self.tell(self.part.rounds, self.options.rounds);
            if sweep && round.struck == 0 {
                self.part
                    .remarks
                    .push(format!("struck at {} calls, until a run had no later one", self.part.rounds - 1));
                break;
            }
            let refused = round.findings.iter().any(|finding| matches!(finding, Finding::Refused(_)));
            if sweep || refused {
                rounds = Rounds::new(&self.options.program, plan(self))?;
            }
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
                lies: self.fault == Fault::FsyncLie,
                names: self.options.names,
                may_lose: self.options.may_lose,
            };
            let (fault, tell) = (self.fault, &mut self.tell);
            let (before, acked, broken) = (self.part.judged as u64, self.part.acked, self.part.broken);
            let mut told = |done: usize, of: usize| {
                tell(Progress { fault, done: before + done as u64, of: Some(before + of as u64), acked, broken });
            };
            let explored = explore::explore(&self.options.program, &plan, &mut told, self.stop)?;
            self.part.rounds += 1;
            self.part.acked += explored.acked;
            self.part.states += explored.states;
            let sound = explored.distinct - explored.failures.len();
            self.part.judged += sound;
            *self.part.outcomes.entry("sound".into()).or_default() += sound;
            if !explored.findings.is_empty() {
                self.note(&explored.judged, &explored.findings, 0, Vec::new(), None)?;
            }
            for failure in &explored.failures {
                let files = Some(Files::Tree(&failure.tree));
                self.note(&explored.judged, &failure.findings, failure.at, failure.damage.clone(), files)?;
            }
        }
        Ok(())
    }

    fn flip(&mut self) -> io::Result<()> {
        while self.goes_on() {
            let plan =
                flips::Plan { load: self.load(), operations: self.options.operations, flips: self.options.states };
            let (fault, tell) = (self.fault, &mut self.tell);
            let (before, acked, broken) = (self.part.judged as u64, self.part.acked, self.part.broken);
            let mut told = |done: usize, of: usize| {
                tell(Progress { fault, done: before + done as u64, of: Some(before + of as u64), acked, broken });
            };
            let flipped = flips::run(&self.options.program, &plan, &mut told, self.stop)?;
            self.part.rounds += 1;
            self.part.acked += flipped.acked;
            if !flipped.findings.is_empty() {
                self.note(&flipped.judged, &flipped.findings, flipped.at, Vec::new(), None)?;
            }
            for flip in &flipped.flips {
                self.part.struck += 1;
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
                self.note(&flipped.judged, findings, flipped.at, damage, saved)?;
            }
        }
        Ok(())
    }

    fn is_allowed(&self, findings: &[Finding]) -> bool {
        findings.iter().all(|finding| match finding {
            Finding::Refused(_) => self.fault.allows_refusal(),
            Finding::Lost { .. } => self.fault.allows_loss(),
            _ => false,
        })
    }

    /// Counts what a start led to, and writes it down where the promise is broken.
    fn note(
        &mut self,
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
        let mut case = Case::new(&self.options.program, self.fault, self.options.load.seed, judged, findings, at);
        case.may_lose_ms = self.options.may_lose.as_millis() as u64;
        case.damage = damage;
        if self.fault != Fault::Flip {
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
    history.cut(at, skew_ms, |cut| {
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
