//! A data directory seen from outside: opened read-only, also beside a running server, and checked to the end.
//!
//! For `ackd check` and `ackd log`. Takes no lock that a server asks for: only the readers' lock on byte 1 of each
//! segment. What must always hold: nothing on disk is changed; the verdict is that of a start, from the same
//! [`Walk`](super::Walk); and what a running server is just writing or replacing is not called damage.

mod check;
mod kept;
mod salvage;

pub use check::{CheckedSegment, Report, Role, SnapshotCheck, check, check_with};
pub use kept::{Kept, Moment};
pub use salvage::Salvage;

use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use crate::disk::{Mapped, is_locked};

use super::error::{Cause, LogError, Refusal, told};
use super::frame::StartMark;
use super::manifest::{Manifest, Place};
use super::reader::{FrameAt, LogReader};
use super::recovery::begins_with_a_frame;
use super::segment::{MAX_UNIT, MIN_UNIT, Segment};
use super::walk::{Outcome, Point, WalkInput};

/// How often a directory that changes while it is looked at is looked at again.
const ATTEMPTS: u32 = 20;
/// Pause between two looks.
const PAUSE: Duration = Duration::from_millis(20);
/// How long the last writes of a dead process may take to land before they count as those of a running one.
const LANDING: Duration = Duration::from_secs(2);

/// A directory, opened.
pub struct Inspection {
    directory: PathBuf,
    manifest: Option<Manifest>,
    segments: Vec<Segment>,
    maps: Vec<Rc<Mapped>>,
    in_use: Option<Holder>,
}

/// Who uses a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Process id, if LOCK tells it.
    pub pid: Option<u32>,
}

/// What is wrong with a directory.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Damage {
    /// A start would be refused.
    #[error("{} at byte {}: {}{}", .0.file.display(), .0.position, .0.cause, told(.0.consequence))]
    Refused(Refusal),
    /// A file could not be read, so nothing is known of what stands there.
    #[error("{} at byte {position}: {cause}. The file cannot be read there: copy the directory while most of it can be, and look at the medium", file.display())]
    Medium {
        /// The file.
        file: PathBuf,
        /// The first place that could not be read.
        position: u64,
        /// What the system says.
        cause: String,
    },
}

impl Damage {
    /// Without what a repair would do, where the reading did not begin as that of a start: snapshots behind the damage may
    /// hold what is lost there.
    pub fn without_consequence(self) -> Self {
        match self {
            Self::Refused(refusal) => Self::Refused(refusal.without_consequence()),
            medium => medium,
        }
    }
}

/// The data directory that `path` means: itself, or its folder `name`, which holds the data of a server whose `dir` is
/// `path`.
pub fn locate(path: &Path, name: &str) -> Option<PathBuf> {
    let holds_data = |path: &Path| ["MANIFEST", "LOCK"].iter().any(|file| path.join(file).is_file());
    let inner = path.join(name);
    let begun = |path: &Path| path.join("log").is_dir() && path.join("snapshots").is_dir();
    [holds_data, begun]
        .into_iter()
        .find_map(|is_data| [path.to_owned(), inner.clone()].into_iter().find(|candidate| is_data(candidate)))
}

impl Inspection {
    /// Opens a directory: MANIFEST, and the segments from this sequence number on.
    pub fn open(directory: &Path, from_sequence: u64) -> Result<Self, LogError> {
        let mut attempt = 1;
        loop {
            match Self::look(directory, from_sequence) {
                // A server replaces MANIFEST and removes files as it goes.
                Err(LogError::Refused(_)) if attempt < ATTEMPTS && holder(directory)?.is_some() => {
                    attempt += 1;
                    std::thread::sleep(PAUSE);
                }
                other => return other,
            }
        }
    }

    fn look(directory: &Path, from_sequence: u64) -> Result<Self, LogError> {
        let mut in_use = holder(directory)?;
        let manifest = read_manifest(directory)?;
        let mut found =
            Self { directory: directory.to_owned(), manifest, segments: Vec::new(), maps: Vec::new(), in_use };
        if from_sequence == 0 {
            found.look_for_unlisted()?;
        }
        let listed = found.manifest.iter().flat_map(|m| &m.segments).filter(|s| s.sequence >= from_sequence);
        found.segments = listed.copied().collect();
        for segment in &found.segments {
            let path = found.log_dir().join(segment.file_name());
            check_length(&path, segment.size)?;
            let map = Mapped::open(&path, segment.size).map_err(LogError::io("map", &path))?;
            if !map.share_lock(1).map_err(LogError::io("lock", &path))? {
                return Err(refuse(&path, Cause::Missing).into());
            }
            if in_use.is_none() && !has_landed(&path)? {
                in_use = Some(Holder { pid: None });
            }
            found.maps.push(Rc::new(map));
        }
        found.in_use = in_use;
        Ok(found)
    }

    /// Whether MANIFEST lists other files than when it was read.
    pub fn is_outdated(&self) -> Result<bool, LogError> {
        let now = read_manifest(&self.directory)?;
        let files = |manifest: Option<&Manifest>| manifest.map(|m| (m.segments.clone(), m.snapshots.clone()));
        Ok(files(now.as_ref()) != files(self.manifest.as_ref()))
    }

    /// Who uses the directory.
    pub fn in_use(&self) -> Option<Holder> {
        self.in_use
    }

    /// MANIFEST; `None` for a directory in which nothing was begun.
    pub fn manifest(&self) -> Option<&Manifest> {
        self.manifest.as_ref()
    }

    /// The segments opened.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// The bytes of an opened segment. To be trusted only while there is no [`Inspection::fault`].
    pub fn map(&self, sequence: u64) -> Option<&Mapped> {
        let index = self.segments.iter().position(|segment| segment.sequence == sequence)?;
        self.maps.get(index).map(|map| &**map)
    }

    /// The folder of the segments.
    pub fn log_dir(&self) -> PathBuf {
        self.directory.join("log")
    }

    /// The frames; behind a point that an earlier reader reached, if there is one. If the log is `live`, what does not
    /// verify in the last segment is taken for a frame under way, and nothing behind it is looked at.
    pub fn reader(&self, live: bool, behind: Option<(u64, Point)>) -> LogReader<'_> {
        let manifest = self.manifest.as_ref();
        let input = WalkInput {
            segments: self.segments.clone(),
            directory: self.log_dir(),
            durable: manifest.map_or(0, |m| m.durable),
            clean: manifest.is_some_and(|m| m.clean),
            base_offset: manifest.and_then(|m| m.snapshots.first()).map_or(0, |s| s.place.offset),
            tail_is_live: live,
        };
        let bytes = self.maps.iter().map(|map| map.bytes()).collect();
        match behind {
            Some((sequence, point)) => LogReader::resuming(input, bytes, sequence, point),
            None => LogReader::new(input, bytes),
        }
    }

    /// Whether the log reaches back to the beginning of all, where there were no data.
    pub fn begins_at_zero(&self) -> bool {
        let first = self.reader(true, None).next();
        match first {
            Some(Ok(frame)) => {
                StartMark::decode(frame.payload).is_ok_and(|mark| mark.previous_sequence == 0 && mark.base_offset == 0)
            }
            // Damage there is for the reading to tell.
            _ => self.manifest().is_none_or(|m| m.snapshots.first().is_none_or(|s| s.place.sequence > 0)),
        }
    }

    /// Reads all frames, and then looks behind them as a start does. Answers the end of the chain, and what is wrong.
    pub fn read<E>(&self, visit: impl FnMut(&FrameAt<'_>) -> Result<(), E>) -> Result<(Outcome, Option<Damage>), E> {
        self.read_behind(None, visit)
    }

    /// The same, behind what a snapshot holds.
    pub fn read_behind<E>(
        &self,
        place: Option<Place>,
        mut visit: impl FnMut(&FrameAt<'_>) -> Result<(), E>,
    ) -> Result<(Outcome, Option<Damage>), E> {
        let mut reader = match place {
            Some(place) => self.reader(false, None).behind(place),
            None => self.reader(false, None),
        };
        let mut damage = None;
        while let Some(frame) = reader.next() {
            match frame {
                Ok(frame) => visit(&frame)?,
                Err(refusal) => {
                    if self.in_use.is_none() || !self.has_moved_on(reader.position()) {
                        damage = Some(Damage::Refused(refusal));
                    }
                }
            }
        }
        let mut outcome = reader.outcome();
        if self.in_use.is_some() {
            // A frame under way.
            outcome.torn = None;
        }
        // Zeros stand in for what could not be read, so whatever the walk made of them says nothing.
        let damage = self.fault().or(damage);
        if damage.is_some() {
            // A start refuses such a log, and cuts nothing from it.
            outcome.torn = None;
        }
        Ok((outcome, damage))
    }

    /// Whether an intact frame stands now where there was none: then what stood behind it was written meanwhile, by a
    /// server that writes one frame after the other.
    fn has_moved_on(&self, behind: Option<(u64, Point)>) -> bool {
        matches!(self.reader(true, behind).next(), Some(Ok(_)))
    }

    /// A fault of the medium met so far. To be asked before a verdict is believed.
    pub fn fault(&self) -> Option<Damage> {
        self.segments.iter().zip(&self.maps).find_map(|(segment, map)| {
            let fault = map.fault()?;
            let file = self.log_dir().join(segment.file_name());
            Some(Damage::Medium { file, position: fault.offset, cause: fault.cause.to_string() })
        })
    }

    /// Segments that no list names must never have been begun, as at a start.
    fn look_for_unlisted(&self) -> Result<(), LogError> {
        let manifest = self.manifest.as_ref();
        let no_manifest = || refuse(&self.directory.join("MANIFEST"), Cause::NoManifest);
        if manifest.is_none() && !names(&self.directory.join("snapshots"))?.is_empty() {
            return Err(no_manifest().into());
        }
        for name in names(&self.log_dir())? {
            let Some(sequence) = Segment::sequence_of(&name) else { continue };
            let known = manifest
                .is_some_and(|m| m.dropped.contains(&sequence) || m.segments.iter().any(|s| s.sequence == sequence));
            let path = self.log_dir().join(&name);
            if !known && head(&path)?.is_some_and(|head| begins_with_a_frame(&head)) {
                return Err(if manifest.is_some() { refuse(&path, Cause::Unlisted) } else { no_manifest() }.into());
            }
        }
        Ok(())
    }
}

/// Who holds LOCK.
fn holder(directory: &Path) -> Result<Option<Holder>, LogError> {
    let path = directory.join("LOCK");
    match is_locked(&path, 0) {
        Ok(true) => {
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            Ok(Some(Holder { pid: text.trim().parse().ok() }))
        }
        Ok(false) => Ok(None),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(LogError::io("open", &path)(e)),
    }
}

/// Whether no write of a process that died is still on its way to this segment; waits a moment for it.
fn has_landed(path: &Path) -> Result<bool, LogError> {
    let deadline = std::time::Instant::now() + LANDING;
    while is_locked(path, 0).map_err(LogError::io("examine", path))? {
        if std::time::Instant::now() > deadline {
            return Ok(false);
        }
        std::thread::sleep(PAUSE);
    }
    Ok(true)
}

fn read_text(directory: &Path) -> Result<Option<Vec<u8>>, LogError> {
    let path = directory.join("MANIFEST");
    match std::fs::read(&path) {
        Ok(text) => Ok(Some(text)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(LogError::io("read", &path)(e)),
    }
}

fn read_manifest(directory: &Path) -> Result<Option<Manifest>, LogError> {
    let Some(text) = read_text(directory)? else { return Ok(None) };
    match Manifest::parse(&text) {
        Ok(manifest) => Ok(Some(manifest)),
        Err(fault) => Err(refuse(&directory.join("MANIFEST"), fault.into()).into()),
    }
}

fn check_length(path: &Path, listed: u64) -> Result<(), LogError> {
    match std::fs::metadata(path) {
        Ok(found) if found.len() == listed => Ok(()),
        Ok(found) => Err(refuse(path, Cause::Length { found: found.len(), listed }).into()),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Err(refuse(path, Cause::Missing).into()),
        Err(e) => Err(LogError::io("examine", path)(e)),
    }
}

fn names(folder: &Path) -> Result<Vec<String>, LogError> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(LogError::io("list", folder)(e)),
    };
    let names = entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
    let mut names = names.collect::<io::Result<Vec<_>>>().map_err(LogError::io("list", folder))?;
    names.sort_unstable();
    Ok(names)
}

/// The bytes of a file in which a first frame would begin; `None` if it was removed meanwhile.
fn head(path: &Path) -> Result<Option<Vec<u8>>, LogError> {
    use std::io::Read;
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(LogError::io("open", path)(e)),
    };
    let mut head = Vec::new();
    file.take(MIN_UNIT + MAX_UNIT).read_to_end(&mut head).map_err(LogError::io("read", path))?;
    Ok(Some(head))
}

fn refuse(file: &Path, cause: Cause) -> Refusal {
    Refusal { file: file.to_owned(), position: 0, cause, consequence: None }
}
