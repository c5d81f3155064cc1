//! Power cuts: a run is recorded once, then the real server is started on what a power cut may have left, for each
//! moment of the run and each legal way of losing what was not synced.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use fastrand::Rng;

use super::arena::Arena;
use super::drive::{Clock, Load, wall_ms};
use super::history::Observation;
use super::judge::{Finding, Judged, MayLose};
use super::server::{Program, in_words};
use super::volume::{Budget, Faults, Keep, Kept, Moment, Names, Timeline, Trace, Tree, digest_of, keeps};

/// How a run is recorded and explored.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Who drives the server.
    pub load: Load,
    /// So many replies are awaited.
    pub operations: u64,
    /// Distinct crash states that are tried, at most.
    pub states: usize,
    /// What is tried at one moment.
    pub budget: Budget,
    /// Servers that are started at the same time.
    pub workers: usize,
    /// From the middle of the run on the disk lies about syncs.
    pub lies: bool,
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
    /// A moment of a crash that leaves the same files …
    pub pending_at: Moment,
    /// … when this becomes of what is pending then.
    pub keep: Keep,
    /// The files then.
    pub tree: Tree,
    /// What is wrong.
    pub findings: Vec<Finding>,
    /// What is not as it was written, in words.
    pub damage: Vec<String>,
}

/// A state that waits for a server.
struct Job {
    digest: u128,
    tree: Tree,
}

type Looked = (u128, Result<Observation, String>);

/// Servers that are started on one state after the other.
struct Pool {
    jobs: Option<SyncSender<Job>>,
    looked: Receiver<Looked>,
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
        let gone = || io::Error::other("a worker of the exploration died");
        self.jobs.as_ref().ok_or_else(gone)?.send(job).map_err(|_| gone())
    }

    /// Waits for all that was given.
    fn finish(mut self) -> Vec<Looked> {
        self.jobs = None;
        let looked = self.looked.iter().collect();
        self.threads.into_iter().for_each(|thread| drop(thread.join()));
        looked
    }
}

fn look(arena: &Arena, program: &Program, tree: &Tree) -> Result<Observation, String> {
    if let Some(volume) = arena.volume() {
        volume.load(tree);
    }
    arena.look(program)
}

/// A distinct state: the moments at which the power can have gone so that it is left, and what became then of what was
/// pending.
struct Distinct {
    moments: Vec<Moment>,
    keep: Keep,
}

/// Records a run and tries what may be left of it.
pub fn explore(
    program: &Program,
    plan: &Plan,
    tell: &mut dyn FnMut(usize, usize),
    stop: &AtomicBool,
) -> io::Result<Explored> {
    let clock = Clock::default();
    let (trace, calls, server_output) = record(program, plan, &clock)?;
    let acked = calls.iter().filter(|call| call.returned.is_some()).count() as u64;
    let (judged, findings) = Judged::new(Default::default(), calls, wall_ms(), 0);
    let mut explored = Explored { acked, findings, states: 0, distinct: 0, failures: Vec::new(), judged };
    if acked == 0 {
        return Err(io::Error::other(format!("the server answered nothing while it was recorded: {server_output}")));
    }
    let lies_from = if plan.lies { trace.events.get(trace.events.len() / 2).map(|event| event.begun) } else { None };
    let lies_from = lies_from.unwrap_or(Moment::MAX);
    let begin = || Timeline::new(&trace).lying_from(lies_from).with_names(plan.names);
    let moments = evenly(moments(&trace, &explored.judged), plan.states);
    let pool = Pool::new(plan.workers, program, &clock)?;
    let mut rng = Rng::with_seed(plan.load.seed);
    let mut distinct: HashMap<u128, Distinct> = HashMap::new();
    let mut contents = Contents::default();
    let mut timeline = begin();
    for (number, moment) in moments.iter().copied().enumerate() {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        timeline.advance(moment);
        // What is left of the budget is shared by the moments that are left.
        let share = plan.states.saturating_sub(distinct.len()).div_ceil(moments.len() - number);
        let mut fresh = 0;
        for keep in keeps(&timeline.pending(), plan.budget, &mut rng) {
            let keep = timeline.settle(keep);
            let tree = timeline.image(&keep);
            explored.states += 1;
            let digest = tree.digest(|content| contents.digest(content));
            if let Some(known) = distinct.get_mut(&digest) {
                if known.moments.last() != Some(&moment) {
                    known.moments.push(moment);
                    known.keep = keep;
                }
                continue;
            }
            if fresh >= share.max(1) || distinct.len() >= plan.states {
                continue;
            }
            fresh += 1;
            distinct.insert(digest, Distinct { moments: vec![moment], keep });
            pool.give(Job { digest, tree })?;
            tell(distinct.len(), plan.states);
        }
        contents.forget();
    }
    explored.distinct = distinct.len();
    let looked = pool.finish();
    if looked.len() < distinct.len() {
        return Err(io::Error::other("a worker of the exploration died"));
    }
    for (digest, found) in looked {
        let Some(state) = distinct.get(&digest) else { continue };
        let findings = verdict(&explored.judged, found, &state.moments, plan.may_lose);
        let Some((at, findings)) = findings else { continue };
        let mut timeline = begin();
        // The files are those of any of the moments; what became of what was pending is known of the last.
        timeline.advance(state.moments.last().copied().unwrap_or(at));
        let tree = timeline.image(&state.keep);
        explored.failures.push(Failure {
            at,
            pending_at: timeline.at(),
            keep: state.keep.clone(),
            tree,
            findings,
            damage: Vec::new(),
        });
    }
    explored.failures.sort_by_key(|failure| failure.at);
    let Explored { judged, failures, .. } = &mut explored;
    shrink(program, plan, &clock, judged, &begin, failures)?;
    Ok(explored)
}

/// The first moment at which what was found must not be, and why.
fn verdict(
    judged: &Judged,
    found: Result<Observation, String>,
    moments: &[Moment],
    may_lose: MayLose,
) -> Option<(Moment, Vec<Finding>)> {
    let found = match found {
        Ok(found) => found,
        Err(why) => return Some((*moments.first()?, vec![Finding::Refused(why)])),
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
fn shrink<'a>(
    program: &Program,
    plan: &Plan,
    clock: &Clock,
    judged: &Judged,
    begin: &dyn Fn() -> Timeline<'a>,
    failures: &mut [Failure],
) -> io::Result<()> {
    if failures.is_empty() {
        return Ok(());
    }
    let arena = Arena::mounted(clock.ticks.clone())?;
    let mut tried = 0;
    for failure in failures.iter_mut().take(SHRUNK) {
        let at = failure.pending_at;
        let mut timeline = begin();
        timeline.advance(at);
        for place in 0..failure.keep.len() {
            if failure.keep[place] == Kept::Whole || tried == STARTS {
                continue;
            }
            tried += 1;
            let mut keep = failure.keep.clone();
            keep[place] = Kept::Whole;
            let keep = timeline.settle(keep);
            let tree = timeline.image(&keep);
            let found = look(&arena, program, &tree);
            if let Some((at, findings)) = verdict(judged, found, &[at], plan.may_lose) {
                *failure = Failure { at, pending_at: at, keep, tree, findings, damage: Vec::new() };
            }
        }
        failure.damage = timeline.damage(&failure.keep);
    }
    Ok(())
}

/// How long a sync takes while a run is recorded: as on a disk, other calls are under way meanwhile.
const LATENCY: (Duration, Duration) = (Duration::from_micros(50), Duration::from_micros(500));

/// How long a run may take.
const RUN_TIMEOUT: Duration = Duration::from_secs(60);

type Recorded = (Trace, Vec<super::history::Call>, String);

/// Runs a server from its first start until it is killed, and records it.
fn record(program: &Program, plan: &Plan, clock: &Clock) -> io::Result<Recorded> {
    let arena = Arena::mounted(clock.ticks.clone())?;
    let Some(volume) = arena.volume() else { return Err(io::Error::other("an arena without its volume")) };
    volume.arm(Faults { delay: Some(LATENCY), ..Faults::default() });
    volume.record();
    let mut server = arena.start(program).map_err(io::Error::other)?;
    let driven = plan.load.start(server.port(), clock, 0);
    driven.wait_for(plan.operations / 2, RUN_TIMEOUT);
    // A snapshot or rewrite in the middle: files come and go while clients write.
    // Where it is refused, none come and go.
    let _ = server.client().and_then(|mut client| client.call(&["BGREWRITEAOF"]));
    driven.wait_for(plan.operations / 2, RUN_TIMEOUT);
    let output = server.output();
    if let Some(status) = server.ended() {
        let how = in_words(status);
        return Err(io::Error::other(format!("the server ended by itself while it was recorded: {how}; {output}")));
    }
    server.kill()?;
    let (calls, _) = driven.finish();
    Ok((volume.take_trace(), calls, output))
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
fn evenly(moments: Vec<Moment>, most: usize) -> Vec<Moment> {
    let count = moments.len();
    if count <= most || most < 2 {
        return moments;
    }
    (0..most).map(|place| moments[place * (count - 1) / (most - 1)]).collect()
}

/// Digests of contents, by where they are in memory: most files are the same from one state to the next.
#[derive(Default)]
struct Contents {
    known: HashMap<usize, (Arc<Vec<u8>>, u128)>,
}

impl Contents {
    fn digest(&mut self, content: &Arc<Vec<u8>>) -> u128 {
        let place = Arc::as_ptr(content) as usize;
        // The content is held, so that its place stays its own.
        self.known.entry(place).or_insert_with(|| (content.clone(), digest_of(content))).1
    }

    /// Lets go of what nobody else holds.
    fn forget(&mut self) {
        self.known.retain(|_, (content, _)| Arc::strong_count(content) > 1);
    }
}
