//! Starting to write behind what recovery read: what it read is made durable, and a new segment begun.
//!
//! What must always hold: nothing is appended behind what was read, in any segment; before anything is served,
//! everything recovered is on the medium and not only in the cache, which after a failed writeback vouches for what
//! the medium does not have.

use std::collections::VecDeque;
use std::rc::Rc;

use crate::base::clock::Clock;
use crate::disk::Open;

use super::Settings;
use super::directory::Directory;
use super::error::LogError;
use super::history::{History, HistoryId};
use super::manifest::Manifest;
use super::recovery::{Recovered, SegmentReader, yield_now};
use super::segment::{MIN_UNIT, Segment, size_for};
use super::walk::{Outcome, Point, Step, Walk};
use super::writer::{Log, State, Stats};

impl Log {
    /// Makes what was recovered durable, begins a new segment behind it, and is ready to append.
    ///
    /// On a full disk the log starts without a segment: [`Log::room`] is 0 until [`Log::prepare`] succeeds.
    pub async fn start(
        directory: Directory,
        recovered: &Recovered,
        settings: Settings,
        clock: Rc<dyn Clock>,
        mut rng: fastrand::Rng,
    ) -> Result<Rc<Self>, LogError> {
        let settings = sound(settings);
        let plan = &recovered.plan;
        let (manifest, is_new) = match &plan.manifest {
            Some(manifest) => (manifest.clone(), false),
            None => (new_manifest(&mut rng), true),
        };
        let end = plan.end();
        if is_new {
            directory.lay_out(&manifest).await?;
        } else if let (Some(walk), Some(outcome)) = (&plan.walk, &plan.outcome) {
            make_durable(&directory, &manifest, walk, outcome).await?;
        }
        let first_size = settings.first_segment_size;
        let manifest = next_manifest(manifest, recovered, end, &mut rng);
        let tail = end
            .segment
            .and_then(|s| plan.manifest.as_ref()?.segments.get(s))
            .map(|s| (s.sequence, s.salt, end.position));
        let state = State {
            policy: settings.policy,
            active: None,
            spares: VecDeque::new(),
            limbo: VecDeque::new(),
            unsynced: Vec::new(),
            failed: None,
            closed: false,
            tail,
            crc: end.crc,
            offset: end.offset,
            index: end.index,
            term: end.term,
            wall_ms: end.wall_ms,
            durable: end.offset,
            recorded: 0,
            manifest,
            next_sequence: plan.highest_sequence + 1,
            next_size: first_size,
            rng,
            stats: Stats::default(),
        };
        let log = Self::with_state(directory, clock, settings, state);
        if let Err(e) = log.begin_run().await {
            tracing::warn!("starting without room for writes: {e}");
        }
        match log.failure() {
            Some(first) => Err(LogError::Failed(first)),
            None => Ok(log),
        }
    }

    /// The first segment of the run. If there is no space, that of segments no longer needed is freed first.
    async fn begin_run(&self) -> Result<(), LogError> {
        let _preparing = self.preparing.lock().await;
        if self.make_spare(0).await.is_err() {
            self.remove_dropped().await?;
            self.make_spare(0).await?;
        }
        self.begin_first().await?;
        self.remove_dropped().await
    }

    /// Removes the files of segments that no longer count, once MANIFEST says so.
    async fn remove_dropped(&self) -> Result<(), LogError> {
        let manifest = self.state.borrow().manifest.clone();
        if manifest.dropped.is_empty() {
            return Ok(());
        }
        self.directory.write_manifest(&manifest).await.map_err(|e| e.cause)?;
        let folder = self.directory.log_dir();
        for &sequence in &manifest.dropped {
            let path = folder.join(Segment { sequence, size: 0, unit: 0, salt: 0 }.file_name());
            match self.directory.disk.remove(&path).await {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(LogError::io("remove", &path)(e)),
                _ => {}
            }
        }
        self.directory.disk.sync_dir(&folder).await.map_err(LogError::io("sync", &folder))?;
        // Not written at once: the next MANIFEST leaves them out.
        self.state.borrow_mut().manifest.dropped.clear();
        Ok(())
    }
}

fn sound(mut settings: Settings) -> Settings {
    let least = size_for(0, MIN_UNIT) + 4 * MIN_UNIT;
    settings.first_segment_size = settings.first_segment_size.max(least).next_multiple_of(MIN_UNIT);
    settings.segment_size = settings.segment_size.max(settings.first_segment_size).next_multiple_of(MIN_UNIT);
    settings
}

fn new_manifest(rng: &mut fastrand::Rng) -> Manifest {
    Manifest {
        node: HistoryId::draw(rng),
        histories: vec![History { id: HistoryId::draw(rng), first_offset: 0 }],
        durable: 0,
        clean: false,
        snapshots: Vec::new(),
        segments: Vec::new(),
        dropped: Vec::new(),
    }
}

/// Histories kept in MANIFEST; a replica that comes back asks for one of the last ones.
const HISTORIES_KEPT: usize = 128;

/// The MANIFEST of this run: only live segments, a new history unless the last run ended cleanly.
fn next_manifest(mut manifest: Manifest, recovered: &Recovered, end: Point, rng: &mut fastrand::Rng) -> Manifest {
    let plan = &recovered.plan;
    if let Some(outcome) = &plan.outcome {
        let live = |index: usize| outcome.live.contains(&index);
        let (kept, gone): (Vec<_>, Vec<_>) = manifest.segments.iter().copied().enumerate().partition(|(i, _)| live(*i));
        manifest.segments = kept.into_iter().map(|(_, s)| s).collect();
        manifest.dropped.extend(gone.into_iter().map(|(_, s)| s.sequence));
    }
    manifest.dropped.extend(plan.leftovers.iter().filter_map(|name| Segment::sequence_of(name)));
    manifest.dropped.sort_unstable();
    manifest.dropped.dedup();
    if !recovered.clean {
        manifest.histories.push(History { id: HistoryId::draw(rng), first_offset: end.offset });
        let surplus = manifest.histories.len().saturating_sub(HISTORIES_KEPT);
        manifest.histories.drain(..surplus);
    }
    manifest.durable = end.offset;
    manifest.clean = false;
    manifest
}

/// Syncs the segments above the durable offset, and reads them back past the cache.
async fn make_durable(
    directory: &Directory,
    manifest: &Manifest,
    walk: &Walk,
    outcome: &Outcome,
) -> Result<(), LogError> {
    if outcome.end == outcome.durable_at || directory.planted().trust_cache {
        return Ok(());
    }
    for &index in outcome.live.iter().filter(|&&i| Some(i) >= outcome.durable_at.segment) {
        let path = directory.log_dir().join(manifest.segments[index].file_name());
        let file = directory.disk.open(&path, Open::Buffered).await.map_err(LogError::io("open", &path))?;
        file.sync().await.map_err(LogError::io("sync", &path))?;
    }
    let mut again = walk.again(outcome.durable_at);
    let mut reader = SegmentReader::new(directory, &manifest.segments, Open::Direct);
    loop {
        match again.step(reader.window())? {
            Step::Need { segment, offset, len } => {
                reader.fill(segment, offset, len).await?;
                yield_now().await;
            }
            Step::Frame { .. } => {}
            Step::End => return Ok(()),
        }
    }
}
