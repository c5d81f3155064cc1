//! From disk to engine: reads the log, applies it, and opens the log behind it.
//!
//! Connections are served meanwhile: they get `-LOADING`, and INFO shows how far things are.

use std::cell::RefCell;
use std::rc::Rc;

use super::snapshot::Unusable;
use super::{commit, snapshot};
use crate::command::apply::{Applier, ApplyError};
use crate::command::shadow;
use crate::engine::{Engine, Loading};
use crate::log::{Directory, FrameHeader, FrameKind, Log, LogError, Progress, Recovered, Settings, Sink, SinkError};

/// How often progress is logged, in microseconds.
const PROGRESS_INTERVAL_US: u64 = 1_000_000;

/// A replay of fewer bytes tells nothing of how fast replays are.
const TELLING_REPLAY: u64 = 4 << 20;

/// The data could not be made ready.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct RecoveryFailure(#[from] pub LogError);

impl RecoveryFailure {
    /// Whether the data did not verify and were left as they are.
    pub fn is_refusal(&self) -> bool {
        matches!(self.0, LogError::Refused(_) | LogError::Apply { .. } | LogError::Setting { .. })
    }
}

/// Fills an empty engine from `directory`, and opens the log for writing.
pub async fn recover(engine: &Rc<RefCell<Engine>>, directory: Directory) -> Result<Rc<Log>, RecoveryFailure> {
    let recovered = load(engine, &directory).await?;
    let (settings, clock, rng) = {
        let mut engine = engine.borrow_mut();
        (settings(&engine), engine.clock.clone(), engine.rng.fork())
    };
    let log = Log::start(directory, &recovered, settings, clock, rng).await?;
    finish(&mut engine.borrow_mut(), &log);
    Ok(log)
}

/// The first half of [`recover`]: loads the newest snapshot that can be used, reads, checks and applies the log behind it,
/// and changes nothing on disk.
pub async fn load(engine: &Rc<RefCell<Engine>>, directory: &Directory) -> Result<Recovered, RecoveryFailure> {
    let started_us = begin(&mut engine.borrow_mut());
    let mut contents = directory.look().await?;
    let mut behind = None;
    let mut fault = None;
    for snapshot in contents.snapshots() {
        let path = directory.snapshot_dir().join(&snapshot.file);
        match snapshot::load(engine, directory, &snapshot).await {
            Ok(keys) => {
                let mut engine = engine.borrow_mut();
                let seconds = (engine.tick() - started_us) as f64 / 1e6;
                let offset = snapshot.place.offset;
                tracing::info!("DB loaded from snapshot: {keys} keys, offset {offset}, in {seconds:.3} seconds");
                engine.saw_frame_time(snapshot.place.wall_ms);
                engine.snapshots.loaded_keys = keys;
                behind = Some(snapshot);
                break;
            }
            // What is older may lack what this one holds.
            Err(Unusable::Setting(reason)) => return Err(LogError::Setting { file: path, reason }.into()),
            Err(reason) => {
                tracing::warn!("THE SNAPSHOT {} CANNOT BE USED: {reason}; trying what is older", path.display());
                engine.borrow_mut().forget_data();
                contents.cannot_use(&snapshot);
                if !matches!(fault, Some((_, Unusable::Io(_)))) {
                    fault = Some((path, reason));
                }
            }
        }
    }
    let replay_us = engine.borrow_mut().tick();
    let mut loader =
        Loader { engine: engine.clone(), applier: Applier::default(), reported_us: started_us, commands: 0, bytes: 0 };
    let replayed = directory.replay(contents, behind.as_ref(), &mut loader).await;
    let recovered = match (replayed, fault) {
        (Err(LogError::Refused(refusal)), Some((file, reason))) if behind.is_none() => {
            return Err(match reason {
                // Perhaps it can be read next time: nothing is known to be wrong with it.
                Unusable::Io(error) => error,
                damaged => LogError::Refused(refusal.without_snapshot(&file, damaged.to_string())),
            }
            .into());
        }
        (replayed, _) => replayed?,
    };
    note_replay_rate(&mut engine.borrow_mut(), loader.bytes, replay_us);
    report(&engine.borrow(), &recovered, &loader, started_us);
    engine.borrow_mut().saw_frame_time(recovered.wall_ms);
    Ok(recovered)
}

/// What a start replays in a second: how long the next one will take is reckoned by it.
fn note_replay_rate(engine: &mut Engine, bytes: u64, begun_us: u64) {
    let took_us = engine.tick() - begun_us;
    if bytes >= TELLING_REPLAY && took_us > 0 {
        engine.log.replay_rate = Some((u128::from(bytes) * 1_000_000 / u128::from(took_us)) as u64);
    }
}

fn begin(engine: &mut Engine) -> u64 {
    engine.read_clock();
    engine.loading = Some(Loading { started_s: engine.wall_us() / 1_000_000, total_bytes: 0, loaded_bytes: 0 });
    engine.monotonic_us()
}

fn finish(engine: &mut Engine, log: &Log) {
    engine.continue_at(log.written());
    engine.admission.set_room(log.room());
    // Who changed it meanwhile is told.
    engine.policy_applied(engine.config.appendfsync());
    engine.loading = None;
    if engine.config.self_check() {
        shadow::attach(engine);
    }
}

fn settings(engine: &Engine) -> Settings {
    let policy = commit::policy_of(engine.config.appendfsync());
    let settings = Settings { segment_size: engine.config.log_segment_size(), policy, ..Settings::default() };
    match engine.trial.segment_sizes {
        Some((first_segment_size, segment_size)) => Settings { first_segment_size, segment_size, ..settings },
        None => settings,
    }
}

fn report(engine: &Engine, recovered: &Recovered, loader: &Loader, started_us: u64) {
    for warning in &recovered.warnings {
        tracing::warn!("{warning}");
    }
    if let Some(torn) = &recovered.torn {
        tracing::warn!(
            "torn tail cut: {} at byte {}, stream offset {}: {}; {} bytes behind it were not known to be durable",
            torn.file.display(),
            torn.position,
            torn.offset,
            torn.cause,
            torn.bytes,
        );
    }
    let seconds = (engine.clock.monotonic_us() - started_us) as f64 / 1e6;
    let keys: usize = engine.dbs.iter().map(|db| db.len()).sum();
    tracing::info!(
        "DB loaded from the log: {} commands, {} frames, {} bytes, offset {}; {keys} keys in all, in {seconds:.3} seconds",
        loader.commands,
        recovered.frames,
        loader.bytes,
        recovered.end_offset,
    );
}

struct Loader {
    engine: Rc<RefCell<Engine>>,
    applier: Applier,
    reported_us: u64,
    commands: u64,
    /// Of frames.
    bytes: u64,
}

impl Sink for Loader {
    fn frame(&mut self, header: &FrameHeader, payload: &[u8]) -> Result<(), SinkError> {
        let mut engine = self.engine.borrow_mut();
        engine.saw_frame_time(header.wall_ms);
        self.bytes += header.frame_len();
        if header.kind != FrameKind::Effects {
            return Ok(());
        }
        self.commands += self.applier.apply(&mut engine, payload).map_err(|error| match error {
            ApplyError::Database { number, .. } => SinkError::Setting(snapshot::needs_database(&error, number)),
            other => SinkError::Failed(other.to_string()),
        })?;
        Ok(())
    }

    fn progress(&mut self, progress: Progress) {
        let mut engine = self.engine.borrow_mut();
        let now_us = engine.tick();
        if let Some(loading) = &mut engine.loading {
            loading.total_bytes = progress.total;
            loading.loaded_bytes = progress.bytes;
        }
        if now_us - self.reported_us >= PROGRESS_INTERVAL_US {
            self.reported_us = now_us;
            let percent = progress.bytes as f64 * 100.0 / progress.total.max(1) as f64;
            tracing::info!("Loading: {percent:.0} %, {} of {} bytes", progress.bytes, progress.total);
        }
    }
}
