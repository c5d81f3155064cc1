//! A whole directory checked: the verdict of a start, and what is wrong where a start does not look.
//!
//! A start begins at the newest snapshot that can be used. What it reads from there on decides; everything before it is read
//! as well, but what is wrong there is a warning: older states can then not be brought back, and the next start that has
//! to fall back to them may fail.

use std::path::{Path, PathBuf};

use crate::disk::Mapped;

use super::super::error::{Cause, LogError};
use super::super::frame::{FrameKind, StartMark};
use super::super::history::HistoryId;
use super::super::manifest::{Manifest, Place, SnapshotEntry};
use super::super::reader::{FrameAt, LogReader};
use super::super::recovery::Progress;
use super::super::segment::Segment;
use super::super::walk::Outcome;
use super::{
    ATTEMPTS, Damage, Holder, Inspection, Kept, Moment, PAUSE, check_length, holder, read_manifest, read_text, refuse,
};

/// Bytes between two reports of progress.
const PROGRESS_STEP: u64 = 4 << 20;

/// What a segment is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It holds frames of the chain.
    Live,
    /// Prepared, not yet used.
    Spare,
    /// Not reached, for the chain ends before it.
    NotReached,
}

/// A segment, checked.
#[derive(Clone, Copy, Debug)]
pub struct CheckedSegment {
    /// As listed.
    pub segment: Segment,
    /// What it is for.
    pub role: Role,
    /// Frames of the chain in it.
    pub frames: u64,
    /// Where the last of them ends, in bytes from the start of the file.
    pub end: u64,
    /// Stream offsets of what it holds: from, to.
    pub offsets: (u64, u64),
    /// Written under `appendfsync always`, as far as its frames tell.
    pub always: bool,
    /// The history that its start frame names.
    pub history: Option<HistoryId>,
}

/// A snapshot, checked.
#[derive(Clone, Debug)]
pub struct SnapshotCheck {
    /// As listed.
    pub snapshot: SnapshotEntry,
    /// Why it cannot be used.
    pub fault: Option<String>,
}

/// What [`check`] found.
pub struct Report {
    /// The data directory.
    pub directory: PathBuf,
    /// Who uses it.
    pub in_use: Option<Holder>,
    /// What MANIFEST says, if it can be read; `None` with no damage for a directory in which nothing was begun.
    pub manifest: Option<Manifest>,
    /// Segments, as listed.
    pub segments: Vec<CheckedSegment>,
    /// Snapshots, as listed.
    pub snapshots: Vec<SnapshotCheck>,
    /// The states that can be brought back, up to the newest.
    pub kept: Option<Kept>,
    /// Older ones, each range up to damage that separates it from what is behind.
    pub kept_before_damage: Vec<Kept>,
    /// How much was read.
    pub progress: Progress,
    /// The end of the chain.
    pub outcome: Option<Outcome>,
    /// What would stop a start.
    pub damage: Option<Damage>,
    /// What is wrong where a start does not need it.
    pub warnings: Vec<String>,
}

/// Reads the content of a snapshot, whose checksum was found right, and tells how far it is. The error is why a start
/// could not load it.
pub type ReadContent<'a> = dyn FnMut(&SnapshotEntry, &[u8], &mut dyn FnMut(u64)) -> Result<(), String> + 'a;

impl Report {
    /// Whether everything that was checked is as it was written; a torn tail, which nobody was promised, aside.
    pub fn is_sound(&self) -> bool {
        self.damage.is_none() && self.warnings.is_empty()
    }

    /// The snapshot at which a start begins.
    pub fn used(&self) -> Option<&SnapshotEntry> {
        self.snapshots.iter().rev().find(|checked| checked.fault.is_none()).map(|checked| &checked.snapshot)
    }
}

/// Checks a whole directory, snapshots only by their checksums. An error is one of looking at it; what is wrong with the
/// data is in the report.
pub fn check(directory: &Path, progress: &mut dyn FnMut(Progress)) -> Result<Report, LogError> {
    check_with(directory, &mut |_, _, _| Ok(()), progress)
}

/// The same, and the content of snapshots as well.
pub fn check_with(
    directory: &Path,
    content: &mut ReadContent<'_>,
    progress: &mut dyn FnMut(Progress),
) -> Result<Report, LogError> {
    let mut attempt = 1;
    loop {
        let before = (read_text(directory)?, holder(directory)?);
        let report = check_once(directory, content, progress)?;
        // What changes meanwhile is looked at anew: a server may have started, stopped, or replaced files.
        let changed = || Ok::<_, LogError>(before != (read_text(directory)?, holder(directory)?));
        if report.is_sound() || attempt == ATTEMPTS || !changed()? {
            return Ok(report);
        }
        attempt += 1;
        std::thread::sleep(PAUSE);
    }
}

fn check_once(
    directory: &Path,
    content: &mut ReadContent<'_>,
    progress: &mut dyn FnMut(Progress),
) -> Result<Report, LogError> {
    let mut report = Report {
        directory: directory.to_owned(),
        in_use: None,
        manifest: None,
        segments: Vec::new(),
        snapshots: Vec::new(),
        kept: None,
        kept_before_damage: Vec::new(),
        progress: Progress::default(),
        outcome: None,
        damage: None,
        warnings: Vec::new(),
    };
    let inspection = match Inspection::open(directory, 0) {
        Ok(inspection) => inspection,
        Err(LogError::Refused(refusal)) => {
            report.in_use = holder(directory)?;
            report.manifest = read_manifest(directory).ok().flatten();
            report.damage = Some(Damage::Refused(refusal));
            return Ok(report);
        }
        Err(error) => return Err(error),
    };
    report.in_use = inspection.in_use;
    report.manifest = inspection.manifest.clone();
    report.segments = inspection.segments.iter().map(|segment| CheckedSegment::untouched(*segment)).collect();
    let listed = inspection.manifest.as_ref().map(|m| m.snapshots.clone()).unwrap_or_default();
    report.progress.total = inspection.segments.iter().map(|s| s.size).chain(listed.iter().map(|s| s.size)).sum();
    for snapshot in listed {
        report.snapshot(&inspection, snapshot, content, progress);
    }
    report.log(&inspection, progress)?;
    Ok(report)
}

impl Report {
    fn snapshot(
        &mut self,
        inspection: &Inspection,
        snapshot: SnapshotEntry,
        content: &mut ReadContent<'_>,
        progress: &mut dyn FnMut(Progress),
    ) {
        let path = inspection.directory.join("snapshots").join(&snapshot.file);
        let base = self.progress;
        let mut read = |bytes: u64| progress(Progress { bytes: base.bytes + bytes, ..base });
        let fault = snapshot_fault(&path, &snapshot, content, &mut read).err();
        if let Some(fault) = &fault {
            self.warnings.push(format!("{}: {fault}", path.display()));
        }
        self.progress.bytes += snapshot.size;
        self.snapshots.push(SnapshotCheck { snapshot, fault });
    }

    /// First what a start reads, so that what is wrong there is not confused with what is wrong before it.
    fn log(&mut self, inspection: &Inspection, progress: &mut dyn FnMut(Progress)) -> Result<(), LogError> {
        let begin = self.used().map(|snapshot| snapshot.place);
        let mut shown = self.progress.bytes;
        let (outcome, damage) = inspection.read_behind(begin, |frame| {
            self.take(frame, &mut shown, progress);
            Ok::<_, LogError>(())
        })?;
        self.warnings.extend(outcome.warnings.iter().cloned());
        self.damage = damage;
        let is_whole = inspection.begins_at_zero();
        if let (None, Some(newest)) = (begin, self.snapshots.last()) {
            let path = self.directory.join("snapshots").join(&newest.snapshot.file);
            // What is kept may be sound, and does not reach back.
            let of_the_log = match &self.damage {
                Some(Damage::Refused(refusal)) => Some(refusal.clone()),
                None if !is_whole => {
                    let found = self.snapshots.first().map_or(0, |oldest| oldest.snapshot.place.offset);
                    Some(refuse(&inspection.log_dir(), Cause::MissingBeginning { found }))
                }
                _ => None,
            };
            if let Some(refusal) = of_the_log {
                let fault = newest.fault.clone().unwrap_or_default();
                self.damage = Some(Damage::Refused(refusal.without_snapshot(&path, fault)));
            }
        }
        let mut oldest = match is_whole {
            true => inspection.oldest(),
            false => self.usable(0).map(Moment::from),
        };
        if let Some(place) = begin {
            oldest = self.before(inspection, place, oldest, &mut shown, progress);
        }
        let last = self.segments.iter().rposition(|s| s.role == Role::Live);
        for checked in self.segments.iter_mut().skip(last.map_or(0, |last| last + 1)) {
            checked.role = if self.damage.is_some() { Role::NotReached } else { Role::Spare };
        }
        let newest = Moment { offset: outcome.end.offset, wall_ms: outcome.end.wall_ms };
        self.kept = oldest.map(|oldest| Kept { oldest, newest });
        self.outcome = Some(outcome);
        Ok(())
    }

    /// The place of the oldest usable snapshot from this stream offset on.
    fn usable(&self, from: u64) -> Option<Place> {
        let usable = self.snapshots.iter().filter(|checked| checked.fault.is_none());
        usable.map(|checked| checked.snapshot.place).find(|place| place.offset >= from)
    }

    /// Reads what stands before the place at which a start begins; behind damage, from the next usable snapshot on. Answers
    /// the oldest state from which everything up to that place can be brought back.
    fn before(
        &mut self,
        inspection: &Inspection,
        place: Place,
        mut oldest: Option<Moment>,
        shown: &mut u64,
        progress: &mut dyn FnMut(Progress),
    ) -> Option<Moment> {
        let mut warnings = Vec::new();
        let mut from = None;
        while place.sequence > 0 && from != Some(place) {
            let mut reader = inspection.reader(false, None);
            if let Some(from) = from {
                reader = reader.behind(from);
            }
            let was_readable = inspection.fault().is_none();
            let Some(found) = self.read_up_to(place, &mut reader, inspection, shown, progress) else { break };
            let (file, position, cause) = found;
            let medium = inspection.fault().filter(|_| was_readable);
            let reached = reader.outcome().end;
            let newest = Moment { offset: reached.offset, wall_ms: reached.wall_ms };
            // The verdict on the same place is enough; and before the oldest state nothing needs what is there.
            let is_told =
                matches!(&self.damage, Some(Damage::Refused(told)) if (&told.file, told.position) == (&file, position));
            let is_needed = oldest.is_some_and(|oldest| oldest.offset <= newest.offset);
            let older = "a start begins behind it; older states need it";
            match medium {
                Some(fault) => warnings.push(format!("{fault}; {older}")),
                None if is_told || !is_needed => {}
                None => {
                    self.warnings.retain(|warning| !warning.starts_with(&file.display().to_string()));
                    warnings.push(format!("{} at byte {position}: {cause}; {older}", file.display()));
                }
            }
            let tried = from.map_or(0, |from| from.offset);
            let Some(next) = self.usable(newest.offset.max(tried) + 1) else { break };
            if let Some(oldest) = oldest.filter(|_| is_needed) {
                self.kept_before_damage.push(Kept { oldest, newest });
            }
            (from, oldest) = (Some(next), Some(next.into()));
        }
        self.warnings.append(&mut warnings);
        oldest
    }

    /// Reads frames up to a place, and tells what is wrong before it: file, position and cause.
    fn read_up_to(
        &mut self,
        place: Place,
        reader: &mut LogReader<'_>,
        inspection: &Inspection,
        shown: &mut u64,
        progress: &mut dyn FnMut(Progress),
    ) -> Option<(PathBuf, u64, String)> {
        let is_there = |sequence, position| (sequence, position) >= (place.sequence, place.position);
        loop {
            match reader.next() {
                Some(Ok(frame)) if is_there(frame.sequence, frame.position) => return None,
                Some(Ok(frame)) => self.take(&frame, shown, progress),
                Some(Err(refusal)) => return Some((refusal.file, refusal.position, refusal.cause.to_string())),
                None => {
                    let (sequence, position) =
                        LogReader::position(reader).map_or((1, 0), |(s, point)| (s, point.position));
                    if is_there(sequence, position) {
                        return None;
                    }
                    let file = inspection.log_dir().join(Segment::name_of(sequence));
                    return Some((file, position, "the log ends here, before the place of the snapshot".to_owned()));
                }
            }
        }
    }

    fn take(&mut self, frame: &FrameAt<'_>, shown: &mut u64, progress: &mut dyn FnMut(Progress)) {
        if let Some(checked) = self.segments.iter_mut().rev().find(|s| s.segment.sequence == frame.sequence) {
            checked.take(frame);
        }
        self.progress.frames += 1;
        self.progress.bytes += frame.header.frame_len();
        self.progress.offset = self.progress.offset.max(frame.header.end_offset());
        if self.progress.bytes - *shown >= PROGRESS_STEP {
            *shown = self.progress.bytes;
            progress(self.progress);
        }
    }
}

/// Why a snapshot cannot be used: length, checksum, content.
fn snapshot_fault(
    path: &Path,
    snapshot: &SnapshotEntry,
    content: &mut ReadContent<'_>,
    read: &mut dyn FnMut(u64),
) -> Result<(), String> {
    check_length(path, snapshot.size).map_err(|error| match error {
        LogError::Refused(refusal) => refusal.cause.to_string(),
        other => other.to_string(),
    })?;
    let map = Mapped::open(path, snapshot.size).map_err(|error| format!("it cannot be read: {error}"))?;
    let is_intact = crc32fast::hash(map.bytes()) == snapshot.crc;
    let loaded = if is_intact { content(snapshot, map.bytes(), read) } else { Ok(()) };
    match map.fault() {
        Some(fault) => Err(format!("it {fault}")),
        None if !is_intact => Err("the snapshot does not match its checksum".to_owned()),
        None => loaded.map_err(|why| format!("the snapshot matches its checksum and cannot be loaded: {why}")),
    }
}

impl CheckedSegment {
    fn untouched(segment: Segment) -> Self {
        let role = Role::NotReached;
        Self { segment, role, frames: 0, end: 0, offsets: (0, 0), always: false, history: None }
    }

    fn take(&mut self, frame: &FrameAt<'_>) {
        let header = &frame.header;
        if self.frames == 0 || header.offset < self.offsets.0 {
            self.offsets.0 = header.offset;
        }
        self.role = Role::Live;
        self.frames += 1;
        self.end = self.end.max(frame.position + header.frame_len());
        self.offsets.1 = self.offsets.1.max(header.end_offset());
        self.always |= header.always;
        if header.kind == FrameKind::Start {
            self.history = StartMark::decode(frame.payload).ok().map(|mark| mark.history);
        }
    }
}
