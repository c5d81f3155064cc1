//! Snapshots: the log's state at one offset as an RDB file, written by a forked copy while commands go on.
//!
//! [`begin`] is called by the committer between two frames: what the engine holds then is exactly the stream up to that
//! offset. [`take_snapshots`] looks after the copy, has its file read back, and installs it. What must always hold: a
//! snapshot that fails, hangs or is killed leaves the log, the data and the other snapshots as they were.

mod load;
mod save;
mod triggers;

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Duration;

pub use load::{LoadError, Loader, Policy, Unusable, load, needs_database};
pub use save::write;

use super::beside::parent;
use super::commit::Committer;
use super::fork::{Child, Fork, Written};
use crate::base::clock::Clock;
use crate::disk::pace;
use crate::engine::Engine;
use crate::engine::latency;
use crate::engine::snapshots::{Ended, Kept, Present};
use crate::log::{
    LARGEST_READ, Log, LogError, Place, Retention, SnapshotEntry, SnapshotFault, Verification, snapshot_name,
};

/// How often triggers and a copy's progress are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A copy that has told nothing for so long hangs, and is ended.
const HANGS_AFTER: Duration = Duration::from_secs(120);

/// What the committer hands over.
pub struct Begun {
    child: Box<dyn Child>,
    file: String,
    offset: u64,
}

/// What committer and [`take_snapshots`] share.
pub struct Handover {
    fork: Rc<dyn Fork>,
    begun: RefCell<Option<(Begun, Place)>>,
    waker: RefCell<Option<Waker>>,
    ends: Cell<bool>,
    /// What is under way is to be given up.
    gives_up: Cell<bool>,
}

impl Handover {
    /// With the way in which copies are made.
    pub fn new(fork: Rc<dyn Fork>) -> Self {
        Self {
            fork,
            begun: RefCell::new(None),
            waker: RefCell::new(None),
            ends: Cell::new(false),
            gives_up: Cell::new(false),
        }
    }

    /// Lets [`take_snapshots`] give up what is under way, and end.
    pub fn end(&self) {
        self.ends.set(true);
        self.wake();
    }

    /// Lets [`take_snapshots`] give up what is under way: there will be a newer one.
    pub fn give_up(&self, engine: &RefCell<Engine>) {
        if engine.borrow().snapshots.present.is_some() {
            self.gives_up.set(true);
            self.wake();
        }
    }

    fn is_unwanted(&self) -> bool {
        self.ends.get() || self.gives_up.get()
    }

    fn wake(&self) {
        if let Some(waker) = self.waker.borrow_mut().take() {
            waker.wake();
        }
    }

    /// The result of `work`, or `None` if that is to be given up first.
    async fn unless_ended<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let mut work = pin!(work);
        poll_fn(|cx| {
            *self.waker.borrow_mut() = Some(cx.waker().clone());
            match work.as_mut().poll(cx) {
                Poll::Pending if self.is_unwanted() => Poll::Ready(None),
                other => other.map(Some),
            }
        })
        .await
    }

    /// Ends a copy that nobody looks after any more. To be called when the committer has ended.
    pub async fn clear(&self, engine: &RefCell<Engine>, log: &Log) {
        let left = self.begun.borrow_mut().take();
        if let Some((mut begun, _)) = left {
            begun.child.kill();
            let _ = begun.child.wait().await;
            log.directory().discard_snapshot(&begun.file).await;
        }
        engine.borrow_mut().snapshot_given_up();
    }

    /// The frame in which the state ends is written: here it stands in the log.
    pub fn hand_over(&self, begun: Begun, place: Place) {
        assert_eq!(begun.offset, place.offset, "a snapshot ends where a frame does");
        *self.begun.borrow_mut() = Some((begun, place));
        self.wake();
    }
}

/// Copies the process. The batch of effects is closed: the engine holds what the stream up to its end says.
pub fn begin(handover: &Handover, engine: &RefCell<Engine>, log: &Log) -> Option<Begun> {
    let (file, path, offset) = {
        let mut engine = engine.borrow_mut();
        assert_eq!(engine.stream.pending(), 0, "a snapshot begins between two frames");
        let offset = engine.stream.offset();
        let file = snapshot_name(offset, engine.rng.u32(..));
        let begun_us = engine.tick();
        let keys = engine.dbs.iter().map(|db| db.len() as u64).sum();
        let changes = engine.stats.changes;
        engine.snapshots.begin(Present { begun_us, keys, changes, ..Present::default() });
        let path = log.directory().snapshot_dir().join(&file);
        (file, path, offset)
    };
    let forked = {
        let engine = engine.borrow();
        handover.fork.fork(&path, &mut |out| save::write(&engine, offset, out))
    };
    let mut engine = engine.borrow_mut();
    let now_us = engine.tick();
    let begun_us = engine.snapshots.present.map_or(now_us, |present| present.begun_us);
    engine.snapshots.fork_us = now_us - begun_us;
    engine.note_latency(latency::Event::Fork, now_us - begun_us);
    match forked {
        Ok(child) => {
            engine.snapshots.forks += 1;
            tracing::info!("Background saving started by pid {}", child.pid());
            Some(Begun { child, file, offset })
        }
        Err(error) => {
            tracing::warn!("Can't save in background: fork: {error}");
            engine.snapshot_ended(Ended::Failed(format!("fork: {error}")));
            None
        }
    }
}

/// Looks after snapshots for as long as the log is open.
pub async fn take_snapshots(committer: Rc<Committer>) {
    let (engine, log) = (committer.engine().clone(), committer.log().clone());
    let handover = committer.handover();
    report(&engine, &log);
    while let Some(event) = next(handover, &engine).await {
        match event {
            Event::Begun(begun, place) => {
                let file = begun.file.clone();
                let mut result = attend(handover, &engine, &log, begun, place).await;
                // Installing syncs the log; that it failed is no matter of the snapshot alone, and is told before anything else.
                if let Some(first) = log.failure() {
                    committer.fail(&LogError::Failed(first));
                }
                if result.is_err() && !log.snapshots().iter().any(|kept| kept.file == file) {
                    log.directory().discard_snapshot(&file).await;
                }
                report(&engine, &log);
                committer.report();
                let wants_copy = engine.borrow().snapshots.present.is_some_and(|present| present.purpose.save);
                if result.is_ok() && wants_copy {
                    // Who asked for a save fetches the copy.
                    result = copy_out(handover, &engine, &log, &file).await;
                }
                handover.gives_up.set(false);
                let mut engine = engine.borrow_mut();
                match result {
                    Ok(()) => engine.snapshot_ended(Ended::Well),
                    Err(Fate::GivenUp) => engine.snapshot_given_up(),
                    Err(Fate::Uncopied(reason)) => {
                        tracing::warn!("{reason}");
                        engine.snapshot_ended(Ended::Uncopied(reason));
                    }
                    Err(Fate::Failed(reason)) => {
                        tracing::warn!("Background saving error: {reason}");
                        engine.snapshot_ended(Ended::Failed(reason));
                    }
                }
            }
            Event::Look => look(&engine, &log).await,
        }
    }
}

/// Read at once of a new snapshot, while the log syncs.
const SMALL_READ: u64 = 128 << 10;

/// Why a snapshot is not there, or not where it should be copied to.
enum Fate {
    /// The server has to stop, to load its data anew, or to take a newer one.
    GivenUp,
    /// It is kept, and could not be copied.
    Uncopied(String),
    /// For this reason.
    Failed(String),
}

impl From<String> for Fate {
    fn from(reason: String) -> Self {
        Self::Failed(reason)
    }
}

enum Event {
    Begun(Begun, Place),
    Look,
}

async fn next(handover: &Handover, engine: &RefCell<Engine>) -> Option<Event> {
    let mut pause = engine.borrow().clock.sleep(LOOK_EVERY);
    poll_fn(|cx| {
        if handover.ends.get() {
            return Poll::Ready(None);
        }
        *handover.waker.borrow_mut() = Some(cx.waker().clone());
        if let Some((begun, place)) = handover.begun.borrow_mut().take() {
            return Poll::Ready(Some(Event::Begun(begun, place)));
        }
        pause.as_mut().poll(cx).map(|()| Some(Event::Look))
    })
    .await
}

/// Waits for the copy, reads its file back, and installs it.
async fn attend(
    handover: &Handover,
    engine: &Rc<RefCell<Engine>>,
    log: &Log,
    mut begun: Begun,
    place: Place,
) -> Result<(), Fate> {
    let written = watch(handover, engine, &mut *begun.child).await?;
    let Written { size, crc, copied } = written;
    if let Some(present) = &mut engine.borrow_mut().snapshots.present {
        (present.bytes, present.copied, present.keys_done) = (size, copied.max(present.copied), present.keys);
    }
    let verification = log.directory().begin_to_verify(&begun.file, size, crc, true);
    let clock = engine.borrow().clock.clone();
    let verified = handover.unless_ended(read_back(verification, log, &*clock)).await.ok_or(Fate::GivenUp)?;
    verified.map_err(|fault| format!("the file does not read back as it was written: {fault}"))?;
    let retention = retention(&engine.borrow());
    let snapshot = SnapshotEntry { file: begun.file, size, crc, place };
    log.install_snapshot(snapshot, retention).await.map_err(|error| error.to_string())?;
    let engine = engine.borrow();
    let seconds = engine.snapshots.present.map_or(0, |p| engine.monotonic_us().saturating_sub(p.begun_us)) as f64 / 1e6;
    tracing::info!("Background saving terminated with success: {size} bytes, offset {}, {seconds:.1} s", place.offset);
    Ok(())
}

/// Reads a file to its end; slowly while the log syncs, as the copy wrote it.
async fn read_back(
    verification: impl Future<Output = Result<Verification, SnapshotFault>>,
    log: &Log,
    clock: &dyn Clock,
) -> Result<(), SnapshotFault> {
    let mut verification = verification.await?;
    let mut at_most = SMALL_READ;
    loop {
        let (before, begun_us) = (log.stats(), clock.monotonic_us());
        let read = verification.read(at_most).await?;
        if read == 0 {
            return Ok(());
        }
        let now = log.stats();
        if pace::is_in_the_way(read, now.syncs - before.syncs, now.bytes - before.bytes) {
            at_most = SMALL_READ;
            clock.sleep(pace::pause(Duration::from_micros(clock.monotonic_us() - begun_us))).await;
        } else {
            at_most = LARGEST_READ.min(at_most * 2);
            tokio::task::yield_now().await;
        }
    }
}

/// Waits for the end of a copy, unless it hangs or nobody wants it any more.
async fn watch(handover: &Handover, engine: &Rc<RefCell<Engine>>, child: &mut dyn Child) -> Result<Written, Fate> {
    let clock = engine.borrow().clock.clone();
    // Asked for while `wait` has the child: what it tells is read through the same cells.
    let told = Cell::new((0, clock.monotonic_us()));
    let mut hangs = false;
    loop {
        let waited = {
            let mut pause = clock.sleep(LOOK_EVERY);
            let mut waiting = child.wait();
            poll_fn(|cx| {
                *handover.waker.borrow_mut() = Some(cx.waker().clone());
                if let Poll::Ready(result) = waiting.as_mut().poll(cx) {
                    return Poll::Ready(Some(result));
                }
                if handover.is_unwanted() {
                    return Poll::Ready(None);
                }
                pause.as_mut().poll(cx).map(|()| None)
            })
            .await
        };
        if let Some(result) = waited {
            let why = "it told nothing for two minutes, and was ended";
            return if hangs { Err(Fate::Failed(why.into())) } else { result.map_err(Fate::Failed) };
        }
        if handover.is_unwanted() {
            child.kill();
            let _ = child.wait().await;
            return Err(Fate::GivenUp);
        }
        let progress = child.progress();
        let now_us = clock.monotonic_us();
        if progress.reports != told.get().0 {
            told.set((progress.reports, now_us));
        } else if Duration::from_micros(now_us - told.get().1) >= HANGS_AFTER && !hangs {
            hangs = true;
            child.kill();
        }
        if let Some(present) = &mut engine.borrow_mut().snapshots.present {
            present.keys_done = progress.keys;
            present.bytes = progress.bytes;
            present.copied = progress.copied;
            present.copied_us = now_us;
        }
    }
}

/// Whether one is due that nobody asked for.
async fn look(engine: &Rc<RefCell<Engine>>, log: &Log) {
    let folder = log.directory().path().to_owned();
    let free = log.directory().free_space(&folder).await;
    let mut engine = engine.borrow_mut();
    let engine = &mut *engine;
    engine.read_clock();
    report_kept(engine, log);
    let is_busy = engine.snapshots.present.is_some() || engine.loading.is_some() || engine.stopping;
    if is_busy || engine.snapshots.is_resting(engine.monotonic_us()) || engine.log.failed.is_some() {
        return;
    }
    if let Some((purpose, why)) = triggers::due(&triggers::facts(engine, log, free), &triggers::rules(engine)) {
        tracing::info!("{why}");
        engine.snapshots.ask(purpose);
    }
}

fn retention(engine: &Engine) -> Retention {
    let config = &engine.config;
    Retention {
        snapshots: config.snapshots_kept(),
        history_ms: config.log_keep_time().saturating_mul(1000),
        history_bytes: config.log_keep_size(),
    }
}

fn report(engine: &RefCell<Engine>, log: &Log) {
    report_kept(&mut engine.borrow_mut(), log);
}

/// What INFO shows.
fn report_kept(engine: &mut Engine, log: &Log) {
    let kept = log.snapshots();
    let newest = kept.last();
    let beginning = log.beginning();
    engine.snapshots.kept = Kept {
        count: kept.len() as u64,
        bytes: kept.iter().map(|snapshot| snapshot.size).sum(),
        newest_bytes: newest.map_or(0, |snapshot| snapshot.size),
        newest_offset: newest.map_or(0, |snapshot| snapshot.place.offset),
        oldest_offset: beginning.map_or(0, |place| place.offset),
        oldest_ms: beginning.map_or(0, |place| place.wall_ms),
    };
}

/// Puts a copy of a snapshot where Redis has its file, for the scripts that fetch it there. Never a hard link: who writes
/// onto that name would write into the snapshot.
async fn copy_out(handover: &Handover, engine: &RefCell<Engine>, log: &Log, file: &str) -> Result<(), Fate> {
    let (is_wanted, name) = {
        let engine = engine.borrow();
        (engine.config.snapshot_copy(), engine.config.dbfilename().to_owned())
    };
    if !is_wanted || name.is_empty() {
        return Ok(());
    }
    let folder = parent(log.directory().path());
    // Always the same name, so that one that was cut short is replaced and not left over.
    let (under_way, target) = (folder.join(format!("temp-{name}")), folder.join(&name));
    // Who gives it up does not wait for it.
    let copied = handover.unless_ended(log.directory().copy_snapshot(file, &under_way, &target)).await;
    copied.ok_or(Fate::GivenUp)?.map_err(|error| {
        Fate::Uncopied(format!("the snapshot is kept, but it cannot be copied to {}: {error}", target.display()))
    })
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;

    use super::super::fork::{ProcessFork, Progress};
    use super::*;
    use crate::disk::sim::SimClock;
    use crate::engine::config::Config;

    /// A copy that ends only when it is killed, and tells something as often as the test says.
    #[derive(Default)]
    struct Endless {
        reports: Rc<Cell<u64>>,
        killed: Rc<Cell<bool>>,
    }

    impl Child for Endless {
        fn wait(&mut self) -> Pin<Box<dyn Future<Output = Result<Written, String>> + '_>> {
            Box::pin(poll_fn(|_| if self.killed.get() { Poll::Ready(Err("killed".into())) } else { Poll::Pending }))
        }

        fn progress(&self) -> Progress {
            Progress { reports: self.reports.get(), ..Progress::default() }
        }

        fn kill(&self) {
            self.killed.set(true);
        }
    }

    #[test]
    fn a_copy_that_hangs_is_ended_and_one_that_is_slow_is_not() {
        let clock = SimClock::new();
        let engine = Engine::new(Rc::new(clock.clone()), fastrand::Rng::with_seed(1), Config::default());
        let (engine, handover) = (Rc::new(RefCell::new(engine)), Handover::new(Rc::new(ProcessFork)));
        let mut child = Endless::default();
        let (reports, killed) = (child.reports.clone(), child.killed.clone());
        let mut watching = pin!(watch(&handover, &engine, &mut child));
        let mut seconds_pass = |seconds: u64| {
            for _ in 0..seconds {
                let mut context = std::task::Context::from_waker(Waker::noop());
                if let Poll::Ready(result) = watching.as_mut().poll(&mut context) {
                    return Some(result);
                }
                clock.advance(Duration::from_secs(1));
            }
            None
        };
        for _ in 0..20 {
            assert!(seconds_pass(HANGS_AFTER.as_secs() - 10).is_none() && !killed.get(), "it is slow");
            reports.set(reports.get() + 1);
        }
        assert!(seconds_pass(HANGS_AFTER.as_secs() - 10).is_none() && !killed.get());
        let Some(Err(Fate::Failed(why))) = seconds_pass(20) else { panic!("it hangs, and nothing happens") };
        assert!(killed.get() && why.contains("two minutes"), "{why}");
    }
}
