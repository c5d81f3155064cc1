//! The committer: takes batches of effects to the log, and tells the gate how far they are.
//!
//! Three tasks beside the connections. [`write_batches`] has one frame in flight while the next batch fills, so batches
//! grow under load by themselves and a lone client waits for nobody. [`sync_in_background`] serves `everysec`, and
//! connections that ask for more than the server's level; under `no` it makes durable what nobody waits for.
//! [`prepare_segments`] makes room before it is needed. A failed write or sync is final: the tasks end, nothing is
//! acknowledged any more, and the server is asked to stop.
//!
//! The tasks are never aborted: an operation that is dropped while it is under way may still fail, and nobody would hear
//! of it. [`Committer::end_helpers`] and then [`Committer::stop`] let them end by themselves.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Duration;

use super::fork::Fork;
use super::snapshot::{self, Handover};
use crate::base::clock::Sleep;
use crate::engine::config::AppendFsync;
use crate::engine::latency::Event;
use crate::engine::stream::Batch;
use crate::engine::{Engine, Request};
use crate::log::{Log, LogError, SpareError, Stats, SyncPolicy};

/// Idleness after which the log is sealed, so that the last frame can be told from a torn one.
const IDLE_BEFORE_SEAL: Duration = Duration::from_millis(50);

/// From the start of one sync under `everysec` to that of the next. Under `no`, idleness after which there is one.
const SYNC_INTERVAL_US: u64 = 1_000_000;

/// Under `everysec`, acks are held once the oldest acked byte that is not durable is this old.
const MAX_UNSYNCED_US: u64 = 2_000_000;

/// After a segment could not be made, how long until the next try.
const RETRY_SEGMENT: Duration = Duration::from_millis(500);

/// Write units that a frame may take besides its payload: header and padding to a fresh unit, a seal and its padding.
const FRAME_OVERHEAD_UNITS: u64 = 4;

/// What the tasks share.
pub struct Committer {
    engine: Rc<RefCell<Engine>>,
    log: Rc<Log>,
    /// When the oldest byte was written that no sync under way covers.
    unsynced_since_us: Cell<Option<u64>>,
    /// When the oldest byte was written that the sync under way covers.
    syncing_since_us: Cell<Option<u64>>,
    /// When something was written last.
    written_us: Cell<u64>,
    preparer: RefCell<Option<Waker>>,
    syncer: RefCell<Option<Waker>>,
    /// The tasks beside the writer are to end.
    helpers_end: Cell<bool>,
    stopping: Cell<bool>,
    writer: RefCell<Option<Waker>>,
    /// What is durable stands in a seal on disk.
    sealed: Cell<bool>,
    /// Room in the log that the frame being written may use up.
    in_flight: Cell<u64>,
    /// Where snapshots are begun and looked after.
    handover: Handover,
}

impl Committer {
    /// A committer for an engine that stands where the log ends.
    pub fn new(engine: Rc<RefCell<Engine>>, log: Rc<Log>, fork: Rc<dyn Fork>) -> Rc<Self> {
        let committer = Rc::new(Self {
            engine,
            log,
            handover: Handover::new(fork),
            unsynced_since_us: Cell::new(None),
            syncing_since_us: Cell::new(None),
            written_us: Cell::new(0),
            preparer: RefCell::new(None),
            syncer: RefCell::new(None),
            helpers_end: Cell::new(false),
            stopping: Cell::new(false),
            writer: RefCell::new(None),
            sealed: Cell::new(true),
            in_flight: Cell::new(0),
        });
        // The log counts frames from when it was opened, and what they hold must be counted from there too.
        committer.engine.borrow_mut().log.units = 0;
        committer.report_histories();
        committer.report();
        committer
    }

    /// Begins a new history, and tells who waits for it.
    pub async fn begin_history(&self) {
        let result = self.log.begin_history().await;
        self.report_histories();
        if let Err(error) = &result {
            tracing::warn!("a new replication id could not be noted in MANIFEST: {error}");
        }
        self.engine.borrow_mut().history_begun(result.err().map(|error| error.to_string()));
    }

    /// Tells the engine which histories the offsets belong to.
    fn report_histories(&self) {
        let mut engine = self.engine.borrow_mut();
        engine.log.previous_history = None;
        let histories = self.log.histories();
        let mut newest = histories.iter().rev();
        if let Some(present) = newest.next() {
            engine.log.history_id = present.id.to_string();
            engine.log.previous_history = newest.next().map(|before| (before.id.to_string(), present.first_offset));
        }
    }

    /// The log.
    pub fn log(&self) -> &Rc<Log> {
        &self.log
    }

    /// The engine.
    pub fn engine(&self) -> &Rc<RefCell<Engine>> {
        &self.engine
    }

    /// Where snapshots are begun and looked after.
    pub fn handover(&self) -> &Handover {
        &self.handover
    }

    /// Lets [`sync_in_background`] and [`prepare_segments`] finish what is under way, and end; a snapshot is given up.
    pub fn end_helpers(&self) {
        self.helpers_end.set(true);
        self.handover.end();
        for task in [&self.syncer, &self.preparer] {
            if let Some(waker) = task.borrow_mut().take() {
                waker.wake();
            }
        }
    }

    /// Lets [`write_batches`] write what there is, close the log and end. The helpers have ended.
    pub fn stop(&self) {
        self.stopping.set(true);
        self.wake_writer();
    }

    /// Lets [`write_batches`] look at the settings again.
    pub fn wake_writer(&self) {
        if let Some(waker) = self.writer.borrow_mut().take() {
            waker.wake();
        }
    }

    /// Updates what the engine knows of the log: its room and the figures for INFO.
    pub(super) fn report(&self) {
        let mut engine = self.engine.borrow_mut();
        engine.admission.set_room(self.log.room().saturating_sub(self.in_flight.get()));
        report_figures(&mut engine, &self.log.stats());
        if self.log.needs_spare().is_some()
            && let Some(waker) = self.preparer.borrow_mut().take()
        {
            waker.wake();
        }
    }

    /// Notes that something was written that is not durable.
    fn note_unsynced(&self, engine: &mut Engine, now_us: u64) {
        if self.unsynced_since_us.get().is_none() {
            self.unsynced_since_us.set(Some(now_us));
        }
        self.hold_if_late(engine, now_us);
    }

    /// Holds acks while the oldest byte that is written and not durable is too old, and lets them go again.
    fn hold_if_late(&self, engine: &mut Engine, now_us: u64) {
        let is_late = self.is_late(now_us);
        if is_late && !engine.gate.holds_os() {
            tracing::warn!("the disk is too slow for appendfsync everysec: acknowledgements wait for the sync");
        }
        if is_late != engine.gate.holds_os() {
            engine.gate.hold_os(is_late);
        }
    }

    fn is_late(&self, now_us: u64) -> bool {
        let oldest = self.syncing_since_us.get().or(self.unsynced_since_us.get());
        let is_old = oldest.is_some_and(|since| now_us.saturating_sub(since) >= MAX_UNSYNCED_US);
        is_old && self.log.policy() == SyncPolicy::EverySec
    }

    /// Takes back a change of the policy that waits for a segment which cannot be made.
    fn refuse_pending_policy(&self, error: &SpareError) {
        let mut engine = self.engine.borrow_mut();
        let policy = policy_of(engine.config.appendfsync());
        if policy != self.log.policy() && !self.log.can_take(policy, 0) {
            engine.policy_refused(error.to_string());
        }
    }

    /// Records that the log has failed and asks the server to stop. Nothing is acknowledged from here on.
    pub(super) fn fail(&self, error: &LogError) {
        let mut engine = self.engine.borrow_mut();
        if engine.log.failed.is_none() {
            engine.log.failed = Some(error.to_string());
            engine.request(Request::LogFailed(error.to_string()));
        }
    }
}

/// Writes batch after batch, until the log fails or [`Committer::stop`] was called and all is written.
pub async fn write_batches(committer: Rc<Committer>) {
    loop {
        let step = next_step(&committer).await;
        let is_last = matches!(step, Step::Close);
        let result = match step {
            Step::Write(batch) => write(&committer, batch).await,
            Step::Snapshot(batch) => begin_snapshot(&committer, batch).await,
            Step::Seal => seal(&committer).await,
            Step::Policy(setting) => change_policy(&committer, setting).await,
            Step::Close => close(&committer).await,
        };
        if let Err(error) = result {
            return committer.fail(&error);
        }
        if is_last {
            return;
        }
        committer.report();
    }
}

/// What INFO shows of the log.
fn report_figures(engine: &mut Engine, stats: &Stats) {
    let report = &mut engine.log;
    if report.disk_path != stats.disk_path {
        report.disk_path.clone_from(&stats.disk_path);
    }
    report.frames = stats.frames;
    report.commits = stats.syncs;
    report.size_bytes = stats.segment_bytes;
    report.spares = stats.spares;
    report.segments = stats.segments - stats.spares;
}

enum Step {
    Write(Batch),
    /// Behind this batch, if there is one.
    Snapshot(Option<Batch>),
    Seal,
    Policy(AppendFsync),
    Close,
}

async fn next_step(committer: &Committer) -> Step {
    let clock = committer.engine.borrow().clock.clone();
    let mut idle = None;
    poll_fn(|cx| {
        *committer.writer.borrow_mut() = Some(cx.waker().clone());
        let mut engine = committer.engine.borrow_mut();
        let wanted = engine.config.appendfsync();
        let policy = policy_of(wanted);
        // Without a spare that takes what was admitted, writing goes on until there is one, or the change is refused.
        let pending = engine.stream.pending() as u64;
        if policy != committer.log.policy() && committer.log.can_take(policy, pending) {
            return Poll::Ready(Step::Policy(wanted));
        }
        let batch = engine.stream.take(cx.waker());
        if let Some(batch) = &batch {
            committer.in_flight.set(batch.frame.len() as u64 + FRAME_OVERHEAD_UNITS * committer.log.unit());
            engine.admission.set_room(committer.log.room().saturating_sub(committer.in_flight.get()));
        }
        let is_whole = engine.scripts.busy.is_none();
        if is_whole && !committer.helpers_end.get() && engine.snapshots.is_due(cx.waker()) {
            return Poll::Ready(Step::Snapshot(batch));
        }
        if let Some(batch) = batch {
            return Poll::Ready(Step::Write(batch));
        }
        if committer.stopping.get() {
            return Poll::Ready(Step::Close);
        }
        if committer.sealed.get() || committer.log.durable() < committer.log.written() {
            return Poll::Pending;
        }
        let idle = idle.get_or_insert_with(|| clock.sleep(IDLE_BEFORE_SEAL));
        idle.as_mut().poll(cx).map(|()| Step::Seal)
    })
    .await
}

/// The log's policy for that setting.
pub fn policy_of(setting: AppendFsync) -> SyncPolicy {
    match setting {
        AppendFsync::Always => SyncPolicy::Always,
        AppendFsync::EverySec => SyncPolicy::EverySec,
        AppendFsync::No => SyncPolicy::No,
    }
}

async fn write(committer: &Committer, mut batch: Batch) -> Result<(), LogError> {
    let (wall_ms, delay_us) = {
        let engine = committer.engine.borrow();
        (engine.now_ms(), engine.flush_delay_us)
    };
    if delay_us > 0 {
        let clock = committer.engine.borrow().clock.clone();
        clock.sleep(Duration::from_micros(delay_us)).await;
    }
    let started_us = committer.engine.borrow_mut().tick();
    let end = batch.end();
    if committer.engine.borrow().trial.planted.ack_before_sync {
        committer.engine.borrow_mut().gate.advance_durable(end);
    }
    let position = loop {
        match committer.log.append(&mut batch.frame, wall_ms).await {
            Err(LogError::NoRoom { needed, .. }) => make_room(committer, needed).await?,
            result => break result?,
        }
    };
    committer.in_flight.set(0);
    committer.written_us.set(committer.engine.borrow().monotonic_us());
    assert_eq!(position.end, end, "the log and the stream count the same bytes");
    committer.sealed.set(false);
    let durable = committer.log.durable();
    let mut engine = committer.engine.borrow_mut();
    let now_us = engine.tick();
    engine.saw_frame_time(wall_ms);
    engine.log.units += batch.units;
    if durable < end {
        engine.note_latency(Event::AofWrite, now_us - started_us);
        committer.note_unsynced(&mut engine, now_us);
    } else {
        engine.note_latency(Event::AofFsyncAlways, now_us - started_us);
        engine.log.syncs.record(now_us - started_us);
    }
    engine.gate.advance_written(end);
    engine.gate.advance_durable(durable);
    engine.stream.recycle(batch.frame);
    Ok(())
}

/// Effects that outgrew their estimate wait, and with them everybody who would see them, until a segment is made. An
/// error when the log has failed, or when the server is to stop and there still is no space: then they are lost, and
/// nobody was told of them.
async fn make_room(committer: &Committer, needed: u64) -> Result<(), LogError> {
    let clock = committer.engine.borrow().clock.clone();
    while let Err(error) = committer.log.prepare(needed).await {
        if let Some(first) = committer.log.failure() {
            return Err(LogError::Failed(first));
        }
        if committer.stopping.get() {
            return Err(error.into());
        }
        tracing::warn!(%error, bytes = needed, "executed writes wait for a log segment");
        let mut pause = clock.sleep(RETRY_SEGMENT);
        poll_fn(|cx| {
            *committer.writer.borrow_mut() = Some(cx.waker().clone());
            if committer.stopping.get() { Poll::Ready(()) } else { pause.as_mut().poll(cx) }
        })
        .await;
    }
    Ok(())
}

/// Copies the process now that the batch is closed, and writes the batch.
async fn begin_snapshot(committer: &Committer, batch: Option<Batch>) -> Result<(), LogError> {
    let begun = snapshot::begin(&committer.handover, &committer.engine, &committer.log);
    if let Some(batch) = batch {
        write(committer, batch).await?;
    }
    if let Some(begun) = begun {
        committer.handover.hand_over(begun, committer.log.place());
    }
    Ok(())
}

async fn seal(committer: &Committer) -> Result<(), LogError> {
    committer.log.seal().await?;
    committer.sealed.set(true);
    Ok(())
}

async fn change_policy(committer: &Committer, setting: AppendFsync) -> Result<(), LogError> {
    committer.log.set_policy(policy_of(setting)).await?;
    let durable = committer.log.durable();
    committer.unsynced_since_us.set(None);
    let mut engine = committer.engine.borrow_mut();
    engine.gate.advance_durable(durable);
    engine.gate.hold_os(false);
    engine.policy_applied(setting);
    Ok(())
}

async fn close(committer: &Committer) -> Result<(), LogError> {
    committer.log.close().await?;
    let mut engine = committer.engine.borrow_mut();
    let durable = committer.log.durable();
    assert_eq!(durable, engine.stream.offset(), "nothing is executed once the log is being closed");
    engine.gate.advance_durable(durable);
    Ok(())
}

/// Syncs each second under `everysec`, at once when somebody waits for the disk, and under `no` when it costs nobody
/// anything: so that damage is told from a torn tail there too, and segments rolled away from are let go.
pub async fn sync_in_background(committer: Rc<Committer>) {
    let mut due_us = committer.engine.borrow().monotonic_us() + SYNC_INTERVAL_US;
    while let Some(reason) = sync_is_due(&committer, due_us).await {
        let started_us = committer.engine.borrow_mut().tick();
        due_us = started_us + SYNC_INTERVAL_US;
        let is_idle = started_us.saturating_sub(committer.written_us.get()) >= SYNC_INTERVAL_US;
        let is_needed = match committer.log.policy() {
            SyncPolicy::EverySec => true,
            SyncPolicy::Always => reason == Due::Wanted,
            SyncPolicy::No => reason == Due::Wanted || is_idle || committer.log.has_rolled_away(),
        };
        if !is_needed || committer.unsynced_since_us.get().is_none() {
            continue;
        }
        committer.syncing_since_us.set(committer.unsynced_since_us.take());
        let result = committer.log.sync().await;
        committer.syncing_since_us.set(None);
        let mut engine = committer.engine.borrow_mut();
        let now_us = engine.tick();
        match result {
            Err(error) => {
                drop(engine);
                return committer.fail(&error);
            }
            Ok(durable) => {
                engine.log.syncs.record(now_us - started_us);
                engine.gate.advance_durable(durable);
                committer.hold_if_late(&mut engine, now_us);
            }
        }
        drop(engine);
        if committer.is_late(now_us) {
            due_us = now_us;
        }
        committer.wake_writer();
        committer.report();
    }
}

/// Why there is to be a sync.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Due {
    /// Somebody waits for the disk.
    Wanted,
    /// It is time.
    Time,
}

/// Waits until somebody waits for the disk, or until it is time. `None` when the task is to end.
async fn sync_is_due(committer: &Committer, due_us: u64) -> Option<Due> {
    let (clock, now_us) = {
        let engine = committer.engine.borrow();
        (engine.clock.clone(), engine.clock.monotonic_us())
    };
    let mut pause = clock.sleep(Duration::from_micros(due_us.saturating_sub(now_us)));
    poll_fn(|cx| {
        if committer.helpers_end.get() {
            return Poll::Ready(None);
        }
        *committer.syncer.borrow_mut() = Some(cx.waker().clone());
        if committer.engine.borrow_mut().gate.disk_is_wanted(cx.waker()) {
            return Poll::Ready(Some(Due::Wanted));
        }
        pause.as_mut().poll(cx).map(|()| Some(Due::Time))
    })
    .await
}

/// Makes segments ahead of need and on demand; when there is no space, says so and tries again.
pub async fn prepare_segments(committer: Rc<Committer>) {
    let clock = committer.engine.borrow().clock.clone();
    let mut is_failing = false;
    while let Some(asked) = room_is_needed(&committer, !is_failing).await {
        // The frame in flight may use up what there seems to be.
        let wanted = asked.map_or(0, |bytes| bytes + committer.in_flight.get());
        let result = committer.log.prepare(wanted).await;
        committer.report();
        committer.wake_writer();
        if let Some(first) = committer.log.failure() {
            return committer.fail(&LogError::Failed(first));
        }
        if let Err(error) = &result {
            if !is_failing {
                tracing::warn!("{error}; writes that need it are refused until there is space");
            }
            committer.refuse_pending_policy(error);
            if let Some(bytes) = asked {
                committer.engine.borrow_mut().admission.refuse(bytes, error.to_string());
            }
            asked_or_passed(&committer, clock.sleep(RETRY_SEGMENT)).await;
        } else if is_failing {
            tracing::info!("there is space for log segments again");
        }
        is_failing = result.is_err();
    }
}

/// Waits until commands ask for room, and answers how much; or, answering `Some(None)`, until a spare is due. `None`
/// when the task is to end.
async fn room_is_needed(committer: &Committer, spare_can_wait: bool) -> Option<Option<u64>> {
    poll_fn(|cx| {
        if committer.helpers_end.get() {
            return Poll::Ready(None);
        }
        *committer.preparer.borrow_mut() = Some(cx.waker().clone());
        let asked = committer.engine.borrow_mut().admission.wanted(cx.waker());
        match asked {
            Some(_) => Poll::Ready(Some(asked)),
            None if !spare_can_wait || committer.log.needs_spare().is_some() => Poll::Ready(Some(None)),
            None => Poll::Pending,
        }
    })
    .await
}

/// Waits until `pause` is over, or until a command asks for less room than could not be made.
async fn asked_or_passed(committer: &Committer, mut pause: Sleep) {
    poll_fn(|cx| {
        *committer.preparer.borrow_mut() = Some(cx.waker().clone());
        let mut engine = committer.engine.borrow_mut();
        if committer.helpers_end.get() || engine.admission.wanted(cx.waker()).is_some() {
            return Poll::Ready(());
        }
        pause.as_mut().poll(cx).map(|()| engine.admission.forget_refusal())
    })
    .await
}
