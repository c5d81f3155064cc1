//! Looks for distinct crash states, and starts a server on each.

use std::collections::{HashMap, HashSet};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use fastrand::Rng;

use super::{Lead, Plan, Recorded};
use crate::lab::arena::{Arena, Looked};
use crate::lab::drive::Clock;
use crate::lab::history::State;
use crate::lab::server::Program;
use crate::lab::volume::{Keep, Moment, Tree, keeps};

/// A state that waits for a server.
struct Job {
    digest: u128,
    tree: Tree,
}

/// Servers that are started on one state after the other.
pub(super) struct Pool {
    jobs: Option<SyncSender<Job>>,
    looked: Receiver<(u128, io::Result<Looked>)>,
    threads: Vec<JoinHandle<()>>,
}

impl Pool {
    pub(super) fn new(workers: usize, program: &Program, clock: &Clock) -> io::Result<Self> {
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

pub(super) fn look(arena: &Arena, program: &Program, tree: &Tree) -> io::Result<Looked> {
    if let Some(volume) = arena.volume() {
        volume.load(tree);
    }
    arena.look(program)
}

/// A distinct state: the moments at which the power can have gone so that it is left, and what became then of what was
/// pending.
pub(super) struct Distinct {
    pub(super) moments: Vec<Moment>,
    pub(super) keep: Keep,
}

impl Distinct {
    /// The files are those of any of the moments; what became of what was pending is known of the last.
    pub(super) fn lead(&self) -> Lead {
        Lead { at: self.moments.last().copied().unwrap_or_default(), keep: self.keep.clone() }
    }
}

/// Who looks for distinct states and starts servers on them.
pub(super) struct Explorer<'a> {
    pub(super) plan: &'a Plan,
    pub(super) pool: Pool,
    pub(super) rng: Rng,
    pub(super) stop: &'a AtomicBool,
    pub(super) tell: &'a mut dyn FnMut(usize, usize),
    pub(super) built: usize,
    pub(super) started: usize,
    pub(super) distinct: HashSet<u128>,
    /// Contents that were found: most states lead to one that others lead to as well.
    pub(super) known: HashMap<u128, State>,
}

pub(super) type States = HashMap<u128, Distinct>;

pub(super) type Found = HashMap<u128, Looked>;

impl Explorer<'_> {
    /// Starts servers on at most `most` distinct states of a record, evenly spread over the moments.
    pub(super) fn enumerate(
        &mut self,
        recorded: &Recorded,
        moments: &[Moment],
        most: usize,
    ) -> io::Result<(States, Found)> {
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

/// At most so many of them, from the first to the last.
pub(super) fn evenly<T: Clone>(all: Vec<T>, most: usize) -> Vec<T> {
    let count = all.len();
    if count <= most || most < 2 {
        return all;
    }
    (0..most).map(|place| all[place * (count - 1) / (most - 1)].clone()).collect()
}
