//! Power cuts: a run is recorded once, then the real server is started on what a power cut may have left, for each
//! moment of the run and each legal way of losing what was not synced.

mod record;
mod search;

use std::collections::{HashMap, HashSet};
use std::io;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};

use fastrand::Rng;

use super::arena::{Arena, Looked};
use super::drive::{Clock, Load, wall_ms};
use super::judge::{Finding, Judged, MayLose};
use super::server::Program;
use super::volume::{Budget, Keep, Kept, Moment, Names, Timeline, Trace, Tree};
use record::{Run, moments, record, recover};
use search::{Explorer, Pool, evenly, look};

/// What a disk does besides losing what was not synced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Disk {
    /// Nothing.
    #[default]
    Honest,
    /// From the middle of the run on it says that it synced and did not.
    Lying,
    /// A sync in the middle of the run answers EIO, once.
    Failing,
}

/// How a run is recorded and explored.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Who drives the server.
    pub load: Load,
    /// So many replies are awaited.
    pub operations: u64,
    /// Distinct crash states that are tried, at most; some of them within recoveries from others.
    pub states: usize,
    /// What is tried at one moment.
    pub budget: Budget,
    /// Servers that are started at the same time.
    pub workers: usize,
    /// How well the disk behaves.
    pub disk: Disk,
    /// By which rules names are lost.
    pub names: Names,
    /// Promised.
    pub may_lose: MayLose,
}

/// What came of it.
#[derive(Debug)]
pub struct Explored {
    /// Operations whose reply was read.
    pub acked: u64,
    /// States that were built.
    pub states: usize,
    /// Of them, those on which a server was started and that differ.
    pub distinct: usize,
    /// Starts of a server, on those and on what a second power cut left.
    pub started: usize,
    /// Of those, the ones that a second power cut left, within the recovery from a first one or soon after it.
    pub of_recoveries: usize,
    /// How often an armed fault struck while the run was recorded.
    pub struck: u64,
    /// How the server says that it writes its log, if it does: ackd has two ways.
    pub disk_path: Option<String>,
    /// Those that a server does not survive as it should.
    pub failures: Vec<Failure>,
    /// What was found wrong before any crash.
    pub findings: Vec<Finding>,
    /// What the clients did.
    pub judged: Rc<Judged>,
}

/// A crash state that a server does not survive as it should.
#[derive(Debug)]
pub struct Failure {
    /// The moment of the crash.
    pub at: Moment,
    /// The files then.
    pub tree: Tree,
    /// What is wrong.
    pub findings: Vec<Finding>,
    /// What is not as it was written, in words.
    pub damage: Vec<String>,
    /// What was done before.
    pub judged: Rc<Judged>,
}

/// A power cut.
#[derive(Clone, Debug)]
struct Lead {
    /// When.
    at: Moment,
    /// What became of what was pending then.
    keep: Keep,
}

/// A record, and the rules by which power cuts lose what is in it.
struct Recorded {
    trace: Trace,
    names: Names,
    lies_from: Moment,
}

impl Recorded {
    fn timeline(&self) -> Timeline<'_> {
        Timeline::new(&self.trace).lying_from(self.lies_from).with_names(self.names)
    }

    fn until(&self, at: Moment) -> Timeline<'_> {
        let mut timeline = self.timeline();
        timeline.advance(at);
        timeline
    }
}

/// Of the states that are tried, one in so many is left by a second power cut.
const SECOND_CUTS: usize = 5;

/// So many recoveries are recorded, at most …
const RECOVERIES: usize = 24;

/// … and one for so many states.
const STATES_A_RECOVERY: usize = 100;

/// Records a run and tries what may be left of it.
pub fn explore(
    program: &Program,
    plan: &Plan,
    tell: &mut dyn FnMut(usize, usize),
    stop: &AtomicBool,
) -> io::Result<Explored> {
    let clock = Clock::default();
    let arena = Arena::mounted(clock.ticks.clone())?;
    let Run { trace, calls, struck, output, misbehaved, disk_path } = record(program, plan, &arena, &clock)?;
    let acked = calls.iter().filter(|call| call.returned.is_some()).count() as u64;
    if acked == 0 {
        return Err(io::Error::other(format!("the server answered nothing while it was recorded: {output}")));
    }
    let (judged, mut findings) = Judged::new(Default::default(), calls, wall_ms(), 0);
    let judged = Rc::new(judged);
    findings.extend(misbehaved.map(Finding::Misbehaved));
    let middle = trace.events.get(trace.events.len() / 2).map_or(Moment::MAX, |event| event.begun);
    let lies_from = if plan.disk == Disk::Lying { middle } else { Moment::MAX };
    let recorded = Recorded { trace, names: plan.names, lies_from };
    let mut explorer = Explorer {
        plan,
        pool: Pool::new(plan.workers, program, &clock)?,
        rng: Rng::with_seed(plan.load.seed),
        stop,
        tell,
        built: 0,
        started: 0,
        distinct: HashSet::new(),
        known: HashMap::new(),
    };
    let place = Place { program, plan, arena: &arena, clock: &clock };
    let mut failures = Vec::new();

    let second_cuts = plan.states / SECOND_CUTS;
    let first_cuts = plan.states - second_cuts;
    let moments = evenly(moments(&recorded.trace, &judged), first_cuts);
    let (states, found) = explorer.enumerate(&recorded, &moments, first_cuts)?;
    let verdict = |found: &Looked, moments: &[Moment]| verdict(&judged, found, moments, plan.may_lose);
    let (mut survived, mut failed) = (Vec::new(), Vec::new());
    for (digest, found) in found {
        let Some(state) = states.get(&digest) else { continue };
        match verdict(&found, &state.moments) {
            None => survived.push((state.lead(), digest)),
            Some(wrong) => failed.push((wrong, state.lead())),
        }
    }
    // The first ones are shown, so it is they that are made smaller.
    failed.sort_by_key(|(wrong, _)| wrong.at);
    for (wrong, lead) in failed {
        let failure = place.smaller(&recorded, lead, wrong, failures.len(), &|found, at| verdict(found, &[at]))?;
        failures.push(failure);
    }
    survived.sort_by_key(|(lead, digest)| (lead.at, *digest));
    let of_first_cuts = explorer.started;
    let recoveries = evenly(survived, (plan.states / STATES_A_RECOVERY).clamp(2, RECOVERIES));
    for (number, (lead, digest)) in recoveries.iter().enumerate() {
        let Some(state) = states.get(digest).filter(|_| !stop.load(Ordering::Relaxed)) else { continue };
        let first_cut = recorded.until(lead.at);
        let tree = first_cut.image(&lead.keep);
        let recovery = recover(&place, &tree, number as u64 + 1)?;
        explorer.started += 1;
        if let Some(Wrong { at, findings, judged }) = verdict(&recovery.found, &state.moments) {
            let mut damage = first_cut.damage(&lead.keep);
            damage.push("it was seen when the server was started on that once more".into());
            failures.push(Failure { at, tree, findings, damage, judged });
            continue;
        }
        let Ok(served) = recovery.found else { continue };
        let (second, mut wrong) = Judged::new(served.cells, recovery.calls, wall_ms(), 0);
        let second = Rc::new(second);
        wrong.extend(recovery.misbehaved.map(Finding::Misbehaved));
        if !wrong.is_empty() {
            let (at, damage) = (recovery.answered, first_cut.damage(&lead.keep));
            failures.push(Failure { at, tree, findings: wrong, damage, judged: second.clone() });
        }
        // Until the server answered, what was there before the first power cut must be there after the second; from then on
        // what it served, and what it acked.
        let verdict = |found: &Looked, at: Moment| {
            if at < recovery.answered {
                verdict(found, &state.moments)
            } else {
                self::verdict(&second, found, &[at], plan.may_lose)
            }
        };
        let left = second_cuts.saturating_sub(explorer.started - of_first_cuts);
        let most = left.div_ceil(recoveries.len() - number);
        let recorded = Recorded { trace: recovery.trace, names: plan.names, lies_from: Moment::MAX };
        let moments = evenly(record::moments(&recorded.trace, &second), most);
        let (states, found) = explorer.enumerate(&recorded, &moments, most)?;
        for (digest, found) in found {
            let Some(state) = states.get(&digest) else { continue };
            let Some(wrong) = state.moments.iter().find_map(|at| verdict(&found, *at)) else { continue };
            let mut failure = place.smaller(&recorded, state.lead(), wrong, failures.len(), &verdict)?;
            let before = first_cut.damage(&lead.keep).into_iter();
            let then = "then the server was started, and the power went again:".to_owned();
            failure.damage = before.chain([then]).chain(failure.damage).collect();
            failures.push(failure);
        }
    }
    let Explorer { built, started, distinct, .. } = explorer;
    let (of_recoveries, distinct) = (started - of_first_cuts, distinct.len());
    let states = built;
    Ok(Explored { acked, states, distinct, started, of_recoveries, struck, disk_path, failures, findings, judged })
}

/// Why a state is a failure.
struct Wrong {
    at: Moment,
    findings: Vec<Finding>,
    /// What was done before.
    judged: Rc<Judged>,
}

/// The first moment at which what was found must not be, and why.
fn verdict(judged: &Rc<Judged>, found: &Looked, moments: &[Moment], may_lose: MayLose) -> Option<Wrong> {
    let wrong = |at: Moment, findings: Vec<Finding>| Wrong { at, findings, judged: judged.clone() };
    let found = match found {
        Ok(found) => found,
        Err(finding) => return Some(wrong(*moments.first()?, vec![finding.clone()])),
    };
    let judge = |moment: &Moment| {
        let findings = judged.judge(found, *moment, may_lose);
        (!findings.is_empty()).then(|| wrong(*moment, findings))
    };
    moments.iter().find_map(judge)
}

/// So many failures are made smaller.
const SHRUNK: usize = 3;

/// With so many starts of the server, at most.
const STARTS: usize = 200;

/// Where servers run that are looked at one by one.
struct Place<'a> {
    program: &'a Program,
    plan: &'a Plan,
    arena: &'a Arena,
    clock: &'a Clock,
}

impl Place<'_> {
    /// A failure whose damage was made smaller, if it is one of the first: whatever need not be lost is kept.
    fn smaller(
        &self,
        recorded: &Recorded,
        mut lead: Lead,
        mut wrong: Wrong,
        number: usize,
        verdict: &dyn Fn(&Looked, Moment) -> Option<Wrong>,
    ) -> io::Result<Failure> {
        let timeline = recorded.until(lead.at);
        let mut starts = if number < SHRUNK { STARTS } else { 0 };
        for place in 0..lead.keep.len() {
            if lead.keep[place] == Kept::Whole || starts == 0 {
                continue;
            }
            starts -= 1;
            let mut keep = lead.keep.clone();
            keep[place] = Kept::Whole;
            let keep = timeline.settle(keep);
            let found = look(self.arena, self.program, &timeline.image(&keep))?;
            if let Some(still) = verdict(&found, lead.at) {
                (lead.keep, wrong) = (keep, still);
            }
        }
        let Wrong { at, findings, judged } = wrong;
        let (tree, damage) = (timeline.image(&lead.keep), timeline.damage(&lead.keep));
        Ok(Failure { at, tree, findings, damage, judged })
    }
}
