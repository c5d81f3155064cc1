//! The committer: takes batches of effects to the log, and tells the gate how far they are.
//!
//! Three tasks beside the connections. [`write_batches`] has one frame in flight while the next batch fills, so batches
//! grow under load by themselves and a lone client waits for nobody. [`sync_in_background`] serves `everysec`, and
//! connections that ask for more than the server's level. [`prepare_segments`] makes room before it is needed. A failed
//! write or sync is final: the tasks end, nothing is acknowledged any more, and the server is asked to stop.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Duration;

use crate::base::clock::Sleep;
use crate::engine::config::AppendFsync;
use crate::engine::stream::Batch;
use crate::engine::{Engine, Request};
use crate::log::{FrameBuf, Log, LogError, Stats, SyncPolicy};

/// Idleness after which the log is sealed, so that the last frame can be told from a torn one.
const IDLE_BEFORE_SEAL: Duration = Duration::from_millis(50);

/// How often `everysec` syncs.
const SYNC_INTERVAL: Duration = Duration::from_secs(1);

/// Under `everysec`, acks are held once the oldest acked byte that is not durable is this old.
const MAX_UNSYNCED_US: u64 = 2_000_000;

/// After a segment could not be made, how long until the next try.
const RETRY_SEGMENT: Duration = Duration::from_millis(500);

/// Room that a frame may take besides its payload: header, padding to a fresh write unit, and a seal.
const FRAME_OVERHEAD: u64 = 16 * 1024;

/// What the tasks share.
pub struct Committer {
    engine: Rc<RefCell<Engine>>,
    log: Rc<Log>,
    /// When the oldest byte was written that no sync under way covers.
    unsynced_since_us: Cell<Option<u64>>,
    /// When the oldest byte was written that the sync under way covers.
    syncing_since_us: Cell<Option<u64>>,
    preparer: RefCell<Option<Waker>>,
    stopping: Cell<bool>,
    writer: RefCell<Option<Waker>>,
    /// What is durable stands in a seal on disk.
    sealed: Cell<bool>,
    /// Room in the log that the frame being written may use up.
    in_flight: Cell<u64>,
}

impl Committer {
    /// A committer for an engine that stands where the log ends.
    pub fn new(engine: Rc<RefCell<Engine>>, log: Rc<Log>) -> Rc<Self> {
        let committer = Rc::new(Self {
            engine,
            log,
            unsynced_since_us: Cell::new(None),
            syncing_since_us: Cell::new(None),
            preparer: RefCell::new(None),
            stopping: Cell::new(false),
            writer: RefCell::new(None),
            sealed: Cell::new(true),
            in_flight: Cell::new(0),
        });
        committer.report_histories();
        committer.report();
        committer
    }

    /// Tells the engine which histories the offsets belong to; they change only when the log is opened.
    fn report_histories(&self) {
        let mut engine = self.engine.borrow_mut();
        // The log counts frames from when it was opened, and what they hold must be counted from there too.
        engine.log.units = 0;
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

    /// Lets [`write_batches`] write what there is, close the log and end.
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
    fn report(&self) {
        let mut engine = self.engine.borrow_mut();
        engine.admission.set_room(self.log.room().saturating_sub(self.in_flight.get()));
        report_figures(&mut engine, &self.log.stats());
        if self.log.needs_spare().is_some()
            && let Some(waker) = self.preparer.borrow_mut().take()
        {
            waker.wake();
        }
    }

    /// Notes that something was written that is not durable, and holds acks if the sync is too far behind.
    fn note_unsynced(&self, engine: &mut Engine, now_us: u64) {
        if self.unsynced_since_us.get().is_none() {
            self.unsynced_since_us.set(Some(now_us));
        }
        let oldest = self.syncing_since_us.get().or(self.unsynced_since_us.get());
        let is_late = oldest.is_some_and(|since| now_us.saturating_sub(since) >= MAX_UNSYNCED_US);
        if is_late && self.log.policy() == SyncPolicy::EverySec && !engine.gate.holds_os() {
            tracing::warn!("the disk is too slow for appendfsync everysec: acknowledgements wait for the sync");
            engine.gate.hold_os(true);
        }
    }

    /// Records that the log has failed and asks the server to stop. Nothing is acknowledged from here on.
    fn fail(&self, error: &LogError) {
        let mut engine = self.engine.borrow_mut();
        if engine.log.failed.is_none() {
            engine.log.failed = Some(error.to_string());
            engine.request(Request::LogFailed(error.to_string()));
        }
    }
}

/// Writes batch after batch, until the log fails or [`Committer::stop`] was called and all is written.
pub async fn write_batches(committer: Rc<Committer>) {
    // Kept, because its memory is.
    let mut frame = FrameBuf::new();
    loop {
        let step = next_step(&committer).await;
        let is_last = matches!(step, Step::Close);
        let result = match step {
            Step::Write(batch) => write(&committer, batch, &mut frame).await,
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
        if policy_of(wanted) != committer.log.policy() {
            return Poll::Ready(Step::Policy(wanted));
        }
        if let Some(batch) = engine.stream.take(cx.waker()) {
            committer.in_flight.set(batch.bytes.len() as u64 + FRAME_OVERHEAD);
            engine.admission.set_room(committer.log.room().saturating_sub(committer.in_flight.get()));
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

async fn write(committer: &Committer, batch: Batch, frame: &mut FrameBuf) -> Result<(), LogError> {
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
    frame.extend_from_slice(&batch.bytes);
    let position = loop {
        match committer.log.append(frame, wall_ms).await {
            Err(LogError::NoRoom { needed, .. }) => make_room(committer, needed).await,
            result => break result?,
        }
    };
    committer.in_flight.set(0);
    assert_eq!(position.end, end, "the log and the stream count the same bytes");
    committer.sealed.set(false);
    let durable = committer.log.durable();
    let mut engine = committer.engine.borrow_mut();
    let now_us = engine.tick();
    engine.saw_frame_time(wall_ms);
    engine.log.units += batch.units;
    if durable < end {
        committer.note_unsynced(&mut engine, now_us);
    } else {
        engine.log.syncs.record(now_us - started_us);
    }
    engine.gate.advance_written(end);
    engine.gate.advance_durable(durable);
    engine.stream.recycle(batch.bytes);
    Ok(())
}

/// Effects that outgrew their estimate wait, and with them everybody who would see them, until a segment is made.
async fn make_room(committer: &Committer, needed: u64) {
    let clock = committer.engine.borrow().clock.clone();
    while let Err(error) = committer.log.prepare(needed).await {
        tracing::warn!(%error, bytes = needed, "executed writes wait for a log segment");
        clock.sleep(RETRY_SEGMENT).await;
    }
}

async fn seal(committer: &Committer) -> Result<(), LogError> {
    committer.log.seal().await?;
    committer.sealed.set(true);
    Ok(())
}

async fn change_policy(committer: &Committer, setting: AppendFsync) -> Result<(), LogError> {
    match committer.log.set_policy(policy_of(setting)).await {
        // There is no space for the segment that the change needs; the log goes on as before.
        Err(error @ (LogError::Spare(_) | LogError::NoRoom { .. })) => {
            committer.engine.borrow_mut().policy_refused(error.to_string());
            return Ok(());
        }
        result => result?,
    }
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
    let end = engine.stream.offset();
    engine.gate.advance_durable(end);
    Ok(())
}

/// Syncs each second under `everysec`, and at once when somebody waits for the disk.
pub async fn sync_in_background(committer: Rc<Committer>) {
    loop {
        let is_wanted = somebody_waits_or_a_second_passed(&committer).await;
        if !is_wanted && committer.log.policy() != SyncPolicy::EverySec {
            continue;
        }
        committer.syncing_since_us.set(committer.unsynced_since_us.take());
        if committer.syncing_since_us.get().is_none() {
            continue;
        }
        let started_us = committer.engine.borrow_mut().tick();
        let result = committer.log.sync().await;
        committer.syncing_since_us.set(None);
        match result {
            Err(error) => return committer.fail(&error),
            Ok(durable) => {
                let mut engine = committer.engine.borrow_mut();
                let now_us = engine.tick();
                engine.log.syncs.record(now_us - started_us);
                engine.gate.advance_durable(durable);
                engine.gate.hold_os(false);
            }
        }
        committer.wake_writer();
        committer.report();
    }
}

/// Whether it returned because somebody waits for the disk.
async fn somebody_waits_or_a_second_passed(committer: &Committer) -> bool {
    let clock = committer.engine.borrow().clock.clone();
    let mut second = clock.sleep(SYNC_INTERVAL);
    poll_fn(|cx| {
        if committer.engine.borrow_mut().gate.disk_is_wanted(cx.waker()) {
            return Poll::Ready(true);
        }
        second.as_mut().poll(cx).map(|()| false)
    })
    .await
}

/// Makes segments ahead of need and on demand; when there is no space, says so and tries again.
pub async fn prepare_segments(committer: Rc<Committer>) {
    let clock = committer.engine.borrow().clock.clone();
    let mut is_failing = false;
    loop {
        let asked = room_is_needed(&committer, !is_failing).await;
        let result = committer.log.prepare(asked.unwrap_or(0)).await;
        committer.report();
        if let Err(error) = &result {
            if !is_failing {
                tracing::warn!("{error}; writes that need it are refused until there is space");
            }
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

/// Waits until commands ask for room, and answers how much; or, answering `None`, until a spare is due.
async fn room_is_needed(committer: &Committer, spare_can_wait: bool) -> Option<u64> {
    poll_fn(|cx| {
        *committer.preparer.borrow_mut() = Some(cx.waker().clone());
        let asked = committer.engine.borrow_mut().admission.wanted(cx.waker());
        match asked {
            Some(_) => Poll::Ready(asked),
            None if !spare_can_wait || committer.log.needs_spare().is_some() => Poll::Ready(None),
            None => Poll::Pending,
        }
    })
    .await
}

/// Waits until `pause` is over, or until a command asks for less room than could not be made.
async fn asked_or_passed(committer: &Committer, mut pause: Sleep) {
    poll_fn(|cx| {
        let mut engine = committer.engine.borrow_mut();
        if engine.admission.wanted(cx.waker()).is_some() {
            return Poll::Ready(());
        }
        pause.as_mut().poll(cx).map(|()| engine.admission.forget_refusal())
    })
    .await
}
