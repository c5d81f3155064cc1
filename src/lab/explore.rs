//! Power cuts: a run is recorded once, then the real server is started on what a power cut may have left, for each
//! moment of the run and each legal way of losing what was not synced.

use std::collections::HashMap;
use std::io;
use std::process::ExitStatus;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use fastrand::Rng;

use super::arena::{Arena, Looked};
use super::drive::{Clock, Load, wall_ms};
use super::history::Call;
use super::judge::{Finding, Judged, MayLose};
use super::server::{Program, in_words};
use super::volume::{Armed, Budget, Calls, Faults, Keep, Kept, Moment, Names, Timeline, Trace, Tree, keeps};

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
    /// Of them, those that differ: a server was started on each.
    pub distinct: usize,
    /// Of those, the ones that a second power cut leaves, within the recovery from a first one.
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
    pub judged: Judged,
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
    /// How it came about.
    lead: Lead,
}

/// A power cut.
#[derive(Clone, Debug)]
struct Lead {
    /// When.
    at: Moment,
    /// What became of what was pending then.
    keep: Keep,
}

/// A state that waits for a server.
struct Job {
    digest: u128,
    tree: Tree,
}

/// Servers that are started on one state after the other.
struct Pool {
    jobs: Option<SyncSender<Job>>,
    looked: Receiver<(u128, io::Result<Looked>)>,
    threads: Vec<JoinHandle<()>>,
}

impl Pool {
    fn new(workers: usize, program: &Program, clock: &Clock) -> io::Result<Self> {
        let (jobs, waiting) = mpsc::sync_channel::<Job>(workers * 2);
        let (done, looked) = mpsc::channel();
        let waiting = Arc::new(Mutex::new(waiting));
        let mut threads = Vec::new();
        for _ in 0..workers {
            let arena = Arena::mounted(clock.ticks.clone())?;
            let (program, waiting, done) = (program.clone(), waiting.clone(), done.clone());
            threads.push(thread::spawn(move || {
                let next = || waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
                while let Ok(job) = next() {
                    if done.send((job.digest, look(&arena, &program, &job.tree))).is_err() {
                        break;
                    }
                }
            }));
        }
        Ok(Self { jobs: Some(jobs), looked, threads })
    }

    fn give(&self, job: Job) -> io::Result<()> {
        self.jobs.as_ref().ok_or_else(died)?.send(job).map_err(|_| died())
    }

    /// Waits for what was found in so many states.
    fn take(&self, count: usize) -> io::Result<HashMap<u128, Looked>> {
        let next = |_| {
            let (digest, looked) = self.looked.recv().map_err(|_| died())?;
            Ok((digest, looked?))
        };
        (0..count).map(next).collect()
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.jobs = None;
        self.threads.drain(..).for_each(|thread| drop(thread.join()));
    }
}

fn died() -> io::Error {
    io::Error::other("a worker of the exploration died")
}

fn look(arena: &Arena, program: &Program, tree: &Tree) -> io::Result<Looked> {
    if let Some(volume) = arena.volume() {
        volume.load(tree);
    }
    arena.look(program)
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

/// A distinct state: the moments at which the power can have gone so that it is left, and what became then of what was
/// pending.
struct Distinct {
    moments: Vec<Moment>,
    keep: Keep,
}

impl Distinct {
    /// The files are those of any of the moments; what became of what was pending is known of the last.
    fn lead(&self) -> Lead {
        Lead { at: self.moments.last().copied().unwrap_or_default(), keep: self.keep.clone() }
    }
}

/// Who looks for distinct states and starts servers on them.
struct Explorer<'a> {
    plan: &'a Plan,
    pool: Pool,
    rng: Rng,
    stop: &'a AtomicBool,
    tell: &'a mut dyn FnMut(usize, usize),
    built: usize,
    given: usize,
}

type States = HashMap<u128, Distinct>;

impl Explorer<'_> {
    /// Gives out at most `most` distinct states of a record that are not `known`, evenly spread over the moments.
    fn enumerate(
        &mut self,
        recorded: &Recorded,
        moments: &[Moment],
        most: usize,
        known: impl Fn(u128) -> bool,
    ) -> io::Result<States> {
        let mut distinct = States::new();
        let mut timeline = recorded.timeline();
        for (number, moment) in moments.iter().copied().enumerate() {
            if self.stop.load(Ordering::Relaxed) {
                break;
            }
            timeline.advance(moment);
            // What is left of the budget is shared by the moments that are left, and by all kinds of states.
            let share = most.saturating_sub(distinct.len()).div_ceil(moments.len() - number).max(1);
            let mut fresh = 0;
            let mut keeps = keeps(&timeline.pending(), self.plan.budget, &mut self.rng);
            self.rng.shuffle(&mut keeps);
            for keep in keeps {
                let keep = timeline.settle(keep);
                let tree = timeline.image(&keep);
                self.built += 1;
                let digest = tree.digest();
                if let Some(state) = distinct.get_mut(&digest) {
                    if state.moments.last() != Some(&moment) {
                        state.moments.push(moment);
                        state.keep = keep;
                    }
                    continue;
                }
                if fresh >= share || distinct.len() >= most || known(digest) {
                    continue;
                }
                fresh += 1;
                distinct.insert(digest, Distinct { moments: vec![moment], keep });
                self.pool.give(Job { digest, tree })?;
                self.given += 1;
                (self.tell)(self.given, self.plan.states);
            }
        }
        Ok(distinct)
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
    let Run { trace, calls, struck, output, misbehaved, disk_path } = record(program, plan, &clock)?;
    let acked = calls.iter().filter(|call| call.returned.is_some()).count() as u64;
    if acked == 0 {
        return Err(io::Error::other(format!("the server answered nothing while it was recorded: {output}")));
    }
    let (judged, mut findings) = Judged::new(Default::default(), calls, wall_ms(), 0);
    findings.extend(misbehaved.map(Finding::Misbehaved));
    let middle = trace.events.get(trace.events.len() / 2).map_or(Moment::MAX, |event| event.begun);
    let lies_from = if plan.disk == Disk::Lying { middle } else { Moment::MAX };
    let recorded = Recorded { trace, names: plan.names, lies_from };
    let pool = Pool::new(plan.workers, program, &clock)?;
    let rng = Rng::with_seed(plan.load.seed);
    let mut explorer = Explorer { plan, pool, rng, stop, tell, built: 0, given: 0 };

    let of_recoveries = plan.states / SECOND_CUTS;
    let first_cuts = plan.states - of_recoveries;
    let moments = evenly(moments(&recorded.trace, judged.returns()), first_cuts);
    let states = explorer.enumerate(&recorded, &moments, first_cuts, |_| false)?;
    let mut failures = Vec::new();
    let mut survived = Vec::new();
    for (digest, found) in explorer.pool.take(states.len())? {
        let Some(state) = states.get(&digest) else { continue };
        let lead = state.lead();
        match verdict(&judged, found, &state.moments, plan.may_lose) {
            None => survived.push((digest, lead)),
            Some((at, findings)) => {
                let tree = recorded.until(lead.at).image(&lead.keep);
                failures.push(Failure { at, tree, findings, damage: Vec::new(), lead });
            }
        }
    }
    failures.sort_by_key(|failure| failure.at);
    shrink(program, plan, &clock, &judged, &recorded, &mut failures)?;

    survived.sort_by_key(|(digest, lead)| (lead.at, *digest));
    let recoveries = evenly(survived, (plan.states / STATES_A_RECOVERY).clamp(2, RECOVERIES));
    let arena = Arena::mounted(clock.ticks.clone())?;
    for (number, (digest, lead)) in recoveries.iter().enumerate() {
        let Some(state) = states.get(digest).filter(|_| !stop.load(Ordering::Relaxed)) else { continue };
        let timeline = recorded.until(lead.at);
        let Some(trace) = record_recovery(program, &arena, &timeline.image(&lead.keep))? else { continue };
        let left = plan.states.saturating_sub(explorer.given).min(of_recoveries);
        let most = left.div_ceil(recoveries.len() - number);
        let recovery = Recorded { trace, names: plan.names, lies_from: Moment::MAX };
        let moments = evenly(self::moments(&recovery.trace, std::iter::empty()), most);
        let again = explorer.enumerate(&recovery, &moments, most, |digest| states.contains_key(&digest))?;
        for (digest, found) in explorer.pool.take(again.len())? {
            let Some(second) = again.get(&digest).map(Distinct::lead) else { continue };
            // What was there before the first power cut must still be there after the second.
            let Some((at, findings)) = verdict(&judged, found, &state.moments, plan.may_lose) else { continue };
            let within = recovery.until(second.at);
            let mut damage = timeline.damage(&lead.keep);
            damage.push("then, within the recovery from that, the power went again:".into());
            damage.extend(within.damage(&second.keep));
            failures.push(Failure { at, tree: within.image(&second.keep), findings, damage, lead: second });
        }
    }
    let Explorer { built, given, .. } = explorer;
    let of_recoveries = given - states.len();
    let distinct = given;
    Ok(Explored { acked, states: built, distinct, of_recoveries, struck, disk_path, failures, findings, judged })
}

/// The first moment at which what was found must not be, and why.
fn verdict(judged: &Judged, found: Looked, moments: &[Moment], may_lose: MayLose) -> Option<(Moment, Vec<Finding>)> {
    let found = match found {
        Ok(found) => found,
        Err(finding) => return Some((*moments.first()?, vec![finding])),
    };
    let judge = |moment: &Moment| {
        let findings = judged.judge(&found, *moment, may_lose);
        (!findings.is_empty()).then_some((*moment, findings))
    };
    moments.iter().find_map(judge)
}

/// So many failures are made smaller.
const SHRUNK: usize = 3;

/// With so many starts of the server, at most.
const STARTS: usize = 200;

/// Makes the damage of the first failures smaller: whatever need not be lost is kept.
fn shrink(
    program: &Program,
    plan: &Plan,
    clock: &Clock,
    judged: &Judged,
    recorded: &Recorded,
    failures: &mut [Failure],
) -> io::Result<()> {
    if failures.is_empty() {
        return Ok(());
    }
    let arena = Arena::mounted(clock.ticks.clone())?;
    let mut tried = 0;
    for failure in failures.iter_mut().take(SHRUNK) {
        let moment = failure.lead.at;
        let timeline = recorded.until(moment);
        for place in 0..failure.lead.keep.len() {
            if failure.lead.keep[place] == Kept::Whole || tried == STARTS {
                continue;
            }
            tried += 1;
            let mut keep = failure.lead.keep.clone();
            keep[place] = Kept::Whole;
            let keep = timeline.settle(keep);
            let tree = timeline.image(&keep);
            let found = look(&arena, program, &tree)?;
            if let Some((at, findings)) = verdict(judged, found, &[moment], plan.may_lose) {
                *failure = Failure { at, tree, findings, damage: Vec::new(), lead: Lead { at: moment, keep } };
            }
        }
        failure.damage = timeline.damage(&failure.lead.keep);
    }
    Ok(())
}

/// How long a sync takes while a run is recorded: as on a disk, other calls are under way meanwhile.
const LATENCY: (Duration, Duration) = (Duration::from_micros(50), Duration::from_micros(500));

/// How long a run may take.
const RUN_TIMEOUT: Duration = Duration::from_secs(60);

/// A recorded run.
struct Run {
    trace: Trace,
    calls: Vec<Call>,
    struck: u64,
    output: String,
    misbehaved: Option<String>,
    disk_path: Option<String>,
}

/// Runs a server from its first start until it is killed, and records it.
fn record(program: &Program, plan: &Plan, clock: &Clock) -> io::Result<Run> {
    let arena = Arena::mounted(clock.ticks.clone())?;
    let Some(volume) = arena.volume() else { return Err(io::Error::other("an arena without its volume")) };
    let slow = Faults { delay: Some(LATENCY), ..Faults::default() };
    volume.arm(slow.clone());
    volume.record();
    let mut server = arena.start(program).map_err(io::Error::other)?;
    let disk_path = server.info("log_disk_path");
    let driven = plan.load.start(server.port(), clock, 0);
    driven.wait_for(plan.operations / 2, RUN_TIMEOUT);
    if plan.disk == Disk::Failing {
        let after = Rng::with_seed(plan.load.seed).u64(..FAILS_WITHIN);
        let failure = Armed { after, error: libc::EIO, times: 1, calls: Calls::Vouching };
        volume.arm(Faults { failure: Some(failure), ..slow });
    }
    // A snapshot or rewrite in the middle: files come and go while clients write.
    // Where it is refused, none come and go.
    let _ = server.client().and_then(|mut client| client.call(&["BGREWRITEAOF"]));
    driven.wait_for(plan.operations / 2, RUN_TIMEOUT);
    let output = server.output();
    let ended = if driven.all_ended() { server.wait(Duration::from_secs(1))? } else { server.ended() };
    // One that cannot write may well end; nobody can go on then.
    let may_end = |status: &ExitStatus| plan.disk == Disk::Failing && status.code().is_some();
    let misbehaved = ended
        .filter(|status| !may_end(status))
        .map(|status| format!("it ended by itself while it was recorded: {}; {output}", in_words(status)));
    server.kill()?;
    let (calls, errors) = driven.finish();
    let misbehaved = misbehaved.or_else(|| errors.into_iter().next());
    let struck = if plan.disk == Disk::Failing { volume.failed() } else { 0 };
    Ok(Run { trace: volume.take_trace(), calls, struck, output, misbehaved, disk_path })
}

/// A sync fails within so many calls that vouch for something.
const FAILS_WITHIN: u64 = 40;

/// What a server does to its files while it recovers from a crash and answers all that is asked; nothing where it
/// does not.
fn record_recovery(program: &Program, arena: &Arena, tree: &Tree) -> io::Result<Option<Trace>> {
    let Some(volume) = arena.volume() else { return Err(io::Error::other("an arena without its volume")) };
    volume.load(tree);
    volume.arm(Faults { delay: Some(LATENCY), ..Faults::default() });
    volume.record();
    let found = arena.look(program)?;
    let trace = volume.take_trace();
    Ok(found.is_ok().then_some(trace))
}

/// Each moment at which something can be lost otherwise than before: within and after each event, and after each ack.
fn moments(trace: &Trace, acks: impl Iterator<Item = Moment>) -> Vec<Moment> {
    let ends = trace.events.iter().flat_map(|event| [event.begun + 1, event.ended.saturating_add(1)]);
    let mut moments: Vec<Moment> = ends.chain(acks.map(|tick| tick + 1)).collect();
    moments.sort_unstable();
    moments.dedup();
    moments.retain(|moment| *moment < Moment::MAX);
    moments
}

/// At most so many of them, from the first to the last.
fn evenly<T: Clone>(all: Vec<T>, most: usize) -> Vec<T> {
    let count = all.len();
    if count <= most || most < 2 {
        return all;
    }
    (0..most).map(|place| all[place * (count - 1) / (most - 1)].clone()).collect()
}
