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
use super::manifest::{Manifest, SnapshotEntry};
use super::recovery::{Plan, Recovered, SegmentReader, yield_now};
use super::segment::{MIN_UNIT, Segment, size_for};
use super::spare::Spare;
use super::walk::{Point, Step, Walk};
use super::writer::{Active, Log, State, Stats};

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
        if is_new {
            directory.lay_out(&manifest).await?;
        } else if manifest.segments.is_empty() {
            // A power cut may have kept the first MANIFEST and not the folders beside it.
            directory.make_folders().await?;
        }
        let vouched = directory.planted().trust_cache || reads_back(&directory, plan).await?;
        let end = plan.outcome.as_ref().map_or(Point::ORIGIN, |o| if vouched { o.end } else { o.durable_at });
        let mut manifest = next_manifest(manifest, recovered, vouched, &mut rng);
        let mut discarded = plan.leftovers.snapshots.clone();
        discarded.extend(drop_unreachable(&mut manifest, plan, end));
        let segments = plan.manifest.as_ref().map_or(&[][..], |m| &m.segments);
        let tail = end.segment.and_then(|s| segments.get(s)).map(|s| (s.sequence, s.salt, end.position));
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
            watermark: 0,
            rewriting: !vouched,
            unusable: plan.unusable.clone(),
            discarded,
            begins_at_zero: plan.walk.as_ref().is_none_or(Walk::begins_at_zero),
            recyclable: Vec::new(),
            manifest,
            next_sequence: plan.highest_sequence + 1,
            next_size: settings.first_segment_size,
            rng,
            stats: Stats::default(),
        };
        let log = Self::with_state(directory, clock, settings, state);
        if !vouched {
            log.rewrite_tail(plan).await?;
        } else if let Err(e) = log.begin_run(end).await {
            tracing::warn!("starting without room for writes: {e}");
        }
        match log.failure() {
            Some(first) => Err(LogError::Failed(first)),
            None => Ok(log),
        }
    }

    /// The first segment of the run. If there is no space, that of segments no longer needed is freed first.
    async fn begin_run(&self, end: Point) -> Result<(), LogError> {
        let _preparing = self.preparing.lock().await;
        let planted = self.directory.planted();
        if (planted.append_behind_cut || planted.read_without_lock) && end.segment.is_some() {
            return self.write_on_behind(end).await;
        }
        if self.make_spare(0).await.is_err() {
            let manifest = self.state.borrow().manifest.clone();
            self.directory.write_manifest(&manifest).await.map_err(|e| e.cause)?;
            self.remove_dropped().await?;
            self.make_spare(0).await?;
        }
        self.begin_first().await?;
        self.remove_dropped().await
    }

    /// Writes the first start frame of this run, if none is written yet. There is a spare.
    pub(super) async fn begin_first(&self) -> Result<(), LogError> {
        let _writing = self.writing.lock().await;
        self.usable()?;
        if self.state.borrow().active.is_some() {
            return Ok(());
        }
        self.roll().await
    }

    /// The planted bugs: the last segment is written on, behind what was read.
    async fn write_on_behind(&self, end: Point) -> Result<(), LogError> {
        let manifest = self.state.borrow().manifest.clone();
        self.directory.write_manifest(&manifest).await.map_err(|e| e.cause)?;
        let Some(&segment) = manifest.segments.last() else { return Ok(()) };
        let same_unit = self.directory.planted().append_behind_cut;
        let always = self.policy().is_always();
        let Spare { file, path, direct, .. } = Spare::open(&self.directory, segment, always && !same_unit).await?;
        let position = end.position;
        let barrier = if same_unit { position } else { segment.next_unit(position) };
        self.state.borrow_mut().active =
            Some(Active { segment, file, path, direct, always, position, barrier, synced: position, tail: Vec::new() });
        Ok(())
    }

    /// Begins a new history where the log stands, and forgets all before it. Durable when this answers; on an error the
    /// new one may be in force nevertheless, and is what the next MANIFEST says.
    pub async fn begin_history(&self) -> Result<(), LogError> {
        let _preparing = self.preparing.lock().await;
        self.usable()?;
        let manifest = {
            let mut state = self.state.borrow_mut();
            let present = History { id: HistoryId::draw(&mut state.rng), first_offset: state.offset };
            Manifest { histories: vec![present], durable: state.durable, ..state.manifest.clone() }
        };
        let written = self.directory.write_manifest(&manifest).await;
        if written.as_ref().err().is_none_or(|failed| failed.renamed) {
            self.state.borrow_mut().manifest = manifest;
        }
        written.map_err(|failed| failed.cause)
    }

    /// Shuts down cleanly: everything is synced and sealed, and MANIFEST says so. Nothing can be written afterwards.
    pub async fn close(&self) -> Result<(), LogError> {
        let _preparing = self.preparing.lock().await;
        self.seal_keeping(1).await?;
        let _writing = self.writing.lock().await;
        self.usable()?;
        let manifest = {
            let mut state = self.state.borrow_mut();
            state.closed = true;
            Manifest { durable: state.durable, clean: true, ..state.manifest.clone() }
        };
        match self.directory.write_manifest(&manifest).await {
            Ok(()) => self.state.borrow_mut().manifest = manifest,
            // All is durable and sealed; without the note the next start begins a new history.
            Err(e) => tracing::warn!("cannot note the clean shutdown in MANIFEST: {}", e.cause),
        }
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

/// The MANIFEST of this run: a new history unless the last run ended cleanly; and only the segments that are live,
/// unless those above the durable offset are still to be rewritten.
fn next_manifest(mut manifest: Manifest, recovered: &Recovered, vouched: bool, rng: &mut fastrand::Rng) -> Manifest {
    let plan = &recovered.plan;
    if let Some(outcome) = &plan.outcome
        && vouched
    {
        drop_dead(&mut manifest, |index| outcome.live.contains(&index));
    }
    manifest.dropped.extend(plan.leftovers.segments.iter().filter_map(|name| Segment::sequence_of(name)));
    manifest.dropped.sort_unstable();
    manifest.dropped.dedup();
    // A start that was cut short may have listed one that begins behind what is left of what it read. It served nothing.
    manifest.histories.retain(|history| history.first_offset <= recovered.end_offset);
    if !recovered.clean {
        manifest.histories.push(History { id: HistoryId::draw(rng), first_offset: recovered.end_offset });
        let surplus = manifest.histories.len().saturating_sub(HISTORIES_KEPT);
        manifest.histories.drain(..surplus);
    }
    manifest.clean = false;
    manifest.durable = plan.outcome.as_ref().map_or(0, |o| if vouched { o.end.offset } else { o.durable });
    manifest
}

/// Takes snapshots off the list whose place is no longer in the log that goes on behind `end`: it may lie behind a mark (a
/// start frame, a seal) that takes no room in the stream, and so was not written anew. Only such can be meant as this start
/// did not use. Answers their files.
fn drop_unreachable(manifest: &mut Manifest, plan: &Plan, end: Point) -> Vec<String> {
    let segments = plan.manifest.as_ref().map_or(&[][..], |m| &m.segments);
    let last = end.segment.and_then(|index| segments.get(index)).map_or((0, 0), |s| (s.sequence, end.position));
    let listed: Vec<u64> = manifest.segments.iter().map(|s| s.sequence).collect();
    let is_there = |s: &SnapshotEntry| {
        s.place.sequence == 0 || (listed.contains(&s.place.sequence) && (s.place.sequence, s.place.position) <= last)
    };
    let (kept, gone) = std::mem::take(&mut manifest.snapshots).into_iter().partition::<Vec<_>, _>(is_there);
    manifest.snapshots = kept;
    assert!(gone.iter().all(|s| plan.unusable.contains(&s.file)), "the snapshot in use is part of the log");
    gone.into_iter().map(|s| s.file).collect()
}

/// Takes segments off the list; their files may be removed once the list is in force.
pub(super) fn drop_dead(manifest: &mut Manifest, live: impl Fn(usize) -> bool) {
    let (kept, gone): (Vec<_>, Vec<_>) = manifest.segments.iter().copied().enumerate().partition(|(i, _)| live(*i));
    manifest.segments = kept.into_iter().map(|(_, s)| s).collect();
    manifest.dropped.extend(gone.into_iter().map(|(_, s)| s.sequence));
}

/// Whether everything recovered is on the medium: syncs what is above the durable offset, and reads it back past the
/// cache. `false` if it is not there, or cannot be read so.
async fn reads_back(directory: &Directory, plan: &Plan) -> Result<bool, LogError> {
    let (Some(manifest), Some(walk), Some(outcome)) = (&plan.manifest, &plan.walk, &plan.outcome) else {
        return Ok(true);
    };
    if outcome.end == outcome.durable_at {
        return Ok(true);
    }
    for &index in outcome.live.iter().filter(|&&i| Some(i) >= outcome.durable_at.segment) {
        let path = directory.log_dir().join(manifest.segments[index].file_name());
        let file = directory.disk.open(&path, Open::Buffered).await.map_err(LogError::io("open", &path))?;
        file.sync().await.map_err(LogError::io("sync", &path))?;
    }
    let mut again = walk.again(outcome.durable_at);
    let mut reader = SegmentReader::new(directory, &manifest.segments, Open::Direct);
    loop {
        match again.step(reader.window()) {
            Ok(Step::Need { segment, offset, len }) => {
                if let Err(e) = reader.fill(segment, offset, len).await {
                    tracing::debug!("cannot read the end of the log back past the cache: {e}");
                    return Ok(false);
                }
                yield_now().await;
            }
            Ok(Step::Frame { .. }) => {}
            Ok(Step::End) if again.point() == outcome.end => return Ok(true),
            Ok(Step::End) => return Ok(false),
            Err(refusal) => {
                tracing::warn!("the disk does not hold what the cache shows; writing it anew: {refusal}");
                return Ok(false);
            }
        }
    }
}
