//! Power cuts: a run is recorded once, then the real server is started on what a power cut may have left, for each
//! moment of the run and each legal way of losing what was not synced.

use std::collections::{HashMap, HashSet};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitStatus;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use fastrand::Rng;

use super::arena::{Arena, Looked, observe};
use super::drive::{Clock, Load, wall_ms};
use super::history::{Call, State};
use super::judge::{Finding, Judged, MayLose};
use super::server::{Program, ended_in_order, in_words};
use super::volume::{Armed, Budget, Calls, Faults, Keep, Kept, Moment, Names, Timeline, Trace, Tree, Volume, keeps};

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
                    // One who dies must not be waited for.
                    let looked = catch_unwind(AssertUnwindSafe(|| look(&arena, &program, &job.tree)));
                    if done.send((job.digest, looked.unwrap_or_else(|_| Err(died())))).is_err() {
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
    started: usize,
    distinct: HashSet<u128>,
    /// Contents that were found: most states lead to one that others lead to as well.
    known: HashMap<u128, State>,
}

type States = HashMap<u128, Distinct>;

type Found = HashMap<u128, Looked>;

impl Explorer<'_> {
    /// Starts servers on at most `most` distinct states of a record, evenly spread over the moments.
    fn enumerate(&mut self, recorded: &Recorded, moments: &[Moment], most: usize) -> io::Result<(States, Found)> {
        let (mut states, mut found) = (States::new(), Found::new());
        let mut timeline = recorded.timeline();
        for (number, moment) in moments.iter().copied().enumerate() {
            if self.stop.load(Ordering::Relaxed) {
                break;
            }
            timeline.advance(moment);
            // What is left of the budget is shared by the moments that are left, and by all kinds of states.
            let share = most.saturating_sub(states.len()).div_ceil(moments.len() - number).max(1);
            let mut fresh = 0;
            let mut keeps = keeps(&timeline.pending(), self.plan.budget, &mut self.rng);
            self.rng.shuffle(&mut keeps);
            for keep in keeps {
                let keep = timeline.settle(keep);
                let tree = timeline.image(&keep);
                self.built += 1;
                let digest = tree.digest();
                if let Some(state) = states.get_mut(&digest) {
                    if state.moments.last() != Some(&moment) {
                        state.moments.push(moment);
                        state.keep = keep;
                    }
                    continue;
                }
                if fresh >= share || states.len() >= most {
                    continue;
                }
                fresh += 1;
                states.insert(digest, Distinct { moments: vec![moment], keep });
                self.pool.give(Job { digest, tree })?;
                self.started += 1;
                self.distinct.insert(digest);
                (self.tell)(self.started, self.plan.states);
                while let Ok((digest, looked)) = self.pool.looked.try_recv() {
                    found.insert(digest, self.share(looked?));
                }
            }
        }
        while found.len() < states.len() {
            let (digest, looked) = self.pool.looked.recv().map_err(|_| died())?;
            found.insert(digest, self.share(looked?));
        }
        Ok((states, found))
    }

    /// The same, sharing memory with what others have found.
    fn share(&mut self, mut looked: Looked) -> Looked {
        if let Ok(found) = &mut looked {
            for state in found.cells.values_mut() {
                *state = self.known.entry(state.identity()).or_insert_with(|| state.clone()).clone();
            }
        }
        looked
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
    let mut survived = Vec::new();
    for (digest, found) in found {
        let Some(state) = states.get(&digest) else { continue };
        match verdict(&found, &state.moments) {
            None => survived.push((state.lead(), digest)),
            Some(wrong) => {
                failures.push(
                    place
                        .smaller(&recorded, state.lead(), wrong, failures.len(), &|found, at| verdict(found, &[at]))?,
                )
            }
        }
    }
    survived.sort_by_key(|(lead, digest)| (lead.at, *digest));
    let of_first_cuts = explorer.started;
    let recoveries = evenly(survived, (plan.states / STATES_A_RECOVERY).clamp(2, RECOVERIES));
    for (number, (lead, digest)) in recoveries.iter().enumerate() {
        let Some(state) = states.get(digest).filter(|_| !stop.load(Ordering::Relaxed)) else { continue };
        let first_cut = recorded.until(lead.at);
        let tree = first_cut.image(&lead.keep);
        let recovery = place.recover(&tree, number as u64 + 1)?;
        explorer.started += 1;
        if let Some((at, findings)) = verdict(&recovery.found, &state.moments) {
            let mut damage = first_cut.damage(&lead.keep);
            damage.push("it was seen when the server was started on that once more".into());
            failures.push(Failure { at, tree, findings, damage, judged: judged.clone() });
            continue;
        }
        let Ok(served) = recovery.found else { continue };
        let (second, wrong) = Judged::new(served.cells, recovery.calls, wall_ms(), 0);
        let second = Rc::new(second);
        findings.extend(wrong.into_iter().chain(recovery.misbehaved.map(Finding::Misbehaved)));
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
        let moments = evenly(self::moments(&recorded.trace, &second), most);
        let (states, found) = explorer.enumerate(&recorded, &moments, most)?;
        for (digest, found) in found {
            let Some(state) = states.get(&digest) else { continue };
            let wrong = state.moments.iter().find_map(|at| Some((*at, verdict(&found, *at)?)));
            let Some((moment, wrong)) = wrong else { continue };
            let mut failure = place.smaller(&recorded, state.lead(), wrong, failures.len(), &verdict)?;
            let before = first_cut.damage(&lead.keep).into_iter();
            let then = "then the server was started, and the power went again:".to_owned();
            failure.damage = before.chain([then]).chain(failure.damage).collect();
            failure.judged = if moment < recovery.answered { judged.clone() } else { second.clone() };
            failures.push(failure);
        }
    }
    failures.sort_by_key(|failure| failure.at);
    let Explorer { built, started, distinct, .. } = explorer;
    let (of_recoveries, distinct) = (started - of_first_cuts, distinct.len());
    let states = built;
    Ok(Explored { acked, states, distinct, started, of_recoveries, struck, disk_path, failures, findings, judged })
}

type Wrong = (Moment, Vec<Finding>);

/// The first moment at which what was found must not be, and why.
fn verdict(judged: &Judged, found: &Looked, moments: &[Moment], may_lose: MayLose) -> Option<Wrong> {
    let found = match found {
        Ok(found) => found,
        Err(finding) => return Some((*moments.first()?, vec![finding.clone()])),
    };
    let judge = |moment: &Moment| {
        let findings = judged.judge(found, *moment, may_lose);
        (!findings.is_empty()).then_some((*moment, findings))
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
        let (at, findings) = wrong;
        let (tree, damage) = (timeline.image(&lead.keep), timeline.damage(&lead.keep));
        Ok(Failure { at, tree, findings, damage, judged: Rc::new(Judged::at_rest(Default::default())) })
    }

    /// Records what a server does that recovers from a crash, is read, and goes on.
    fn recover(&self, tree: &Tree, round: u64) -> io::Result<Recovery> {
        let volume = volume_of(self.arena)?;
        volume.load(tree);
        volume.arm(Faults { delay: Some(LATENCY), ..Faults::default() });
        volume.record();
        let started = self.arena.start(self.program);
        let found = match &started {
            Ok(server) => observe(server),
            Err(error) if error.is_of_the_lab() => return Err(io::Error::other(error.to_string())),
            Err(error) => Err(Finding::of_start(error)),
        };
        let answered = self.clock.ticks.now();
        let (mut calls, mut misbehaved) = (Vec::new(), None);
        if let (Ok(mut server), Ok(_)) = (started, &found) {
            let driven = Load { pause: Duration::ZERO, ..self.plan.load }.start(server.port(), self.clock, round);
            driven.wait_for(OPERATIONS_AFTERWARDS, RUN_TIMEOUT);
            let ended = if driven.all_ended() { server.wait(Duration::from_secs(1))? } else { server.ended() };
            misbehaved = ended.map(|status| format!("it ended by itself after a recovery: {}", in_words(status)));
            server.kill()?;
            calls = driven.finish().0;
        }
        Ok(Recovery { trace: volume.take_trace(), found, answered, calls, misbehaved })
    }
}

/// So many replies are awaited from a server that has recovered.
const OPERATIONS_AFTERWARDS: u64 = 40;

/// A recorded recovery.
struct Recovery {
    trace: Trace,
    /// What was served.
    found: Looked,
    /// When all of it had been read.
    answered: Moment,
    /// What clients did then.
    calls: Vec<Call>,
    misbehaved: Option<String>,
}

fn volume_of(arena: &Arena) -> io::Result<&Arc<Volume>> {
    arena.volume().ok_or_else(|| io::Error::other("an arena without its volume"))
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
fn record(program: &Program, plan: &Plan, arena: &Arena, clock: &Clock) -> io::Result<Run> {
    let volume = volume_of(arena)?;
    let slow = Faults { delay: Some(LATENCY), ..Faults::default() };
    volume.arm(slow.clone());
    volume.record();
    let mut server = arena.start(program).map_err(io::Error::other)?;
    let disk_path = server.info("log_disk_path");
    let driven = plan.load.start(server.port(), clock, 0);
    driven.wait_for(plan.operations / 2, RUN_TIMEOUT);
    if plan.disk == Disk::Failing {
        // Clients that wait together share a call.
        let calls = plan.operations / 2 / u64::from(plan.load.clients);
        let after = Rng::with_seed(plan.load.seed).u64(..=calls);
        let failure = Armed { after, error: libc::EIO, times: 1, calls: Calls::Vouching };
        volume.arm(Faults { failure: Some(failure), ..slow });
    }
    // A snapshot or rewrite in the middle: files come and go while clients write.
    // Where it is refused, none come and go.
    let _ = server.client().and_then(|mut client| client.call(&["BGREWRITEAOF"]));
    driven.wait_for(plan.operations / 2, RUN_TIMEOUT);
    let deadline = Instant::now() + RUN_TIMEOUT;
    while plan.disk == Disk::Failing && volume.failed() == 0 && Instant::now() < deadline {
        if !driven.wait_for(plan.load.clients.into(), RUN_TIMEOUT) {
            break;
        }
    }
    let output = server.output();
    let ended = if driven.all_ended() { server.wait(Duration::from_secs(1))? } else { server.ended() };
    // One that cannot write may well end; nobody can go on then.
    let may_end = |status: &ExitStatus| plan.disk == Disk::Failing && ended_in_order(*status, &output);
    let misbehaved = ended
        .filter(|status| !may_end(status))
        .map(|status| format!("it ended by itself while it was recorded: {}; {output}", in_words(status)));
    server.kill()?;
    let (calls, errors) = driven.finish();
    let misbehaved = misbehaved.or_else(|| errors.into_iter().next());
    let struck = if plan.disk == Disk::Failing { volume.failed() } else { 0 };
    Ok(Run { trace: volume.take_trace(), calls, struck, output, misbehaved, disk_path })
}

/// Each moment at which something can be lost otherwise than before: within and after each event, and after each ack.
fn moments(trace: &Trace, judged: &Judged) -> Vec<Moment> {
    let ends = trace.events.iter().flat_map(|event| [event.begun + 1, event.ended.saturating_add(1)]);
    let mut moments: Vec<Moment> = ends.chain(judged.returns().map(|tick| tick + 1)).collect();
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
