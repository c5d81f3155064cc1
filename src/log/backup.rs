//! A copy of a directory up to a durable offset, also beside a running server, which is not held up.
//!
//! The newest usable snapshot is linked (nobody ever writes into one again) or copied; segments are always copied, because one
//! that is in use, or used again, changes under a link. Each is copied up to its last live frame, the rest is zeros, and a
//! seal closes the last one. What must always hold: the copy ends at a frame that is on the medium of the source, too, so
//! that it never knows more than its source after a loss of power; and it is a history of its own from its end on.

use std::convert::Infallible;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::disk::SequentialFile;

use super::directory::Directory;
use super::error::LogError;
use super::frame::{FEATURE_LEVEL, FrameHeader, FrameKind};
use super::history::HistoryId;
use super::inspect::{Damage, Inspection, Moment};
use super::manifest::{Manifest, SnapshotEntry};
use super::segment::Segment;
use super::walk::{Outcome, Point};

/// How often a directory that changes meanwhile is copied anew. Each time a server has installed another snapshot.
const ATTEMPTS: u32 = 20;

/// Written at a time.
const PIECE: usize = 1 << 20;

/// What was copied.
#[derive(Clone, Debug)]
pub struct Copied {
    /// The end of the copy.
    pub end: Moment,
    /// The snapshot with which it begins.
    pub snapshot: Option<SnapshotEntry>,
    /// It is a link to the source's file.
    pub is_linked: bool,
    /// Number of segments.
    pub segments: usize,
    /// Length of all files.
    pub bytes: u64,
    /// Newer snapshots that cannot be used, and why.
    pub unusable: Vec<String>,
}

/// Why there is no copy.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// A file operation failed.
    #[error(transparent)]
    Log(#[from] LogError),
    /// There is nothing to copy.
    #[error("{} holds no data yet", .0.display())]
    Empty(PathBuf),
    /// What would be copied is damaged.
    #[error("{0}. Nothing was copied: `ackd check` tells all that is wrong, `ackd repair` what can be kept")]
    Damaged(Damage),
    /// No snapshot can be used, and the log does not reach back.
    #[error("no snapshot can be used ({0}), and the log does not reach back to its beginning")]
    NoBeginning(String),
}

/// How an attempt failed.
enum Failed {
    /// For good, unless the directory has changed meanwhile.
    Perhaps(BackupError),
    For(BackupError),
}

impl From<LogError> for Failed {
    fn from(error: LogError) -> Self {
        Self::Perhaps(error.into())
    }
}

/// Copies `source` into a directory that is empty but for its lock. All is durable on return.
pub async fn copy(
    source: &Path,
    target: &Directory,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Copied, BackupError> {
    let mut attempt = 1;
    loop {
        let before = fs::read(source.join("MANIFEST")).ok();
        match copy_once(source, target, progress).await {
            Ok(copied) => return Ok(copied),
            Err(Failed::For(error)) => return Err(error),
            Err(Failed::Perhaps(error)) => {
                if attempt == ATTEMPTS || before == fs::read(source.join("MANIFEST")).ok() {
                    return Err(error);
                }
            }
        }
        attempt += 1;
    }
}

async fn copy_once(source: &Path, target: &Directory, progress: &mut dyn FnMut(u64, u64)) -> Result<Copied, Failed> {
    let inspection = Inspection::open(source, 0)?;
    let Some(manifest) = inspection.manifest() else {
        return Err(Failed::For(BackupError::Empty(source.to_owned())));
    };
    target.make_folders().await?;
    clear(target)?;
    let (snapshot, is_linked, unusable) = take_snapshot(source, target, manifest, progress).await?;
    if snapshot.is_none() && !inspection.begins_at_zero() {
        let why = unusable.last().cloned().unwrap_or_else(|| "none is listed".to_owned());
        return Err(Failed::Perhaps(BackupError::NoBeginning(why)));
    }
    let live = Live::read(&inspection, snapshot.as_ref())?;
    live.sync(&inspection)?;
    let mut bytes = snapshot.as_ref().map_or(0, |snapshot| snapshot.size);
    let total = bytes + live.segments.iter().map(|(segment, _)| segment.size).sum::<u64>();
    for (number, (segment, end)) in live.segments.iter().enumerate() {
        let path = target.log_dir().join(segment.file_name());
        let seal = (number + 1 == live.segments.len()).then(|| live.seal(segment)).flatten();
        let map = inspection.map(segment.sequence).ok_or_else(|| missing(&path))?;
        let copy = CopyOf { file: SequentialFile::create(&path).map_err(LogError::io("create", &path))?, path: &path };
        let mut show = |more: u64| progress(bytes + more, total);
        copy.segment(segment, &map.bytes()[..usize::try_from(*end).unwrap_or(usize::MAX)], seal, &mut show)?;
        bytes += segment.size;
    }
    if let Some(fault) = inspection.fault() {
        return Err(Failed::Perhaps(BackupError::Damaged(fault)));
    }
    for folder in [target.log_dir(), target.snapshot_dir()] {
        File::open(&folder).and_then(|opened| opened.sync_all()).map_err(LogError::io("sync", &folder))?;
    }
    let end = Moment { offset: live.end.offset, wall_ms: live.end.wall_ms };
    let segments = live.segments.len();
    target.lay_out(&live.manifest(manifest, snapshot.clone())).await?;
    Ok(Copied { end, snapshot, is_linked, segments, bytes, unusable })
}

/// Removes what an earlier attempt has left.
fn clear(target: &Directory) -> Result<(), LogError> {
    for folder in [target.log_dir(), target.snapshot_dir()] {
        for entry in fs::read_dir(&folder).map_err(LogError::io("list", &folder))?.flatten() {
            fs::remove_file(entry.path()).map_err(LogError::io("remove", &entry.path()))?;
        }
    }
    Ok(())
}

/// Puts the newest snapshot that can be used into the target. Answers whether it is a link, and what could not be used.
async fn take_snapshot(
    source: &Path,
    target: &Directory,
    manifest: &Manifest,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<(Option<SnapshotEntry>, bool, Vec<String>), LogError> {
    let mut unusable = Vec::new();
    for snapshot in manifest.snapshots.iter().rev() {
        let from = source.join("snapshots").join(&snapshot.file);
        let to = target.snapshot_dir().join(&snapshot.file);
        let is_linked = match fs::hard_link(&from, &to) {
            Ok(()) => true,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                unusable.push(format!("{}: {error}", from.display()));
                continue;
            }
            // Another file system, or one without links.
            Err(_) => {
                target.disk.copy(&from, &to).await.map_err(LogError::io("copy", &from))?;
                false
            }
        };
        let mut read = 0;
        let mut show = |more: u64| {
            read += more;
            progress(read, snapshot.size);
        };
        match target.verify_snapshot(&snapshot.file, snapshot.size, snapshot.crc, &mut show).await {
            Ok(()) => return Ok((Some(snapshot.clone()), is_linked, unusable)),
            Err(fault) => {
                unusable.push(format!("{}: {fault}", from.display()));
                fs::remove_file(&to).map_err(LogError::io("remove", &to))?;
            }
        }
    }
    Ok((None, false, unusable))
}

/// The live segments from the snapshot's place on, each with the end of its live frames.
struct Live {
    segments: Vec<(Segment, u64)>,
    end: Point,
}

impl Live {
    fn read(inspection: &Inspection, snapshot: Option<&SnapshotEntry>) -> Result<Self, Failed> {
        let place = snapshot.map(|snapshot| snapshot.place);
        let mut ends: Vec<(u64, u64)> = place.map(|place| (place.sequence, place.position)).into_iter().collect();
        let Ok((outcome, damage)) = inspection.read_behind(place, |frame| {
            let end = frame.position + frame.header.frame_len();
            match ends.last_mut().filter(|(sequence, _)| *sequence == frame.sequence) {
                Some((_, last)) => *last = end,
                None => ends.push((frame.sequence, end)),
            }
            Ok::<_, Infallible>(())
        });
        if let Some(damage) = damage {
            return Err(Failed::Perhaps(BackupError::Damaged(damage)));
        }
        let Outcome { end, live, .. } = outcome;
        let listed = live.iter().filter_map(|index| inspection.segments().get(*index));
        let segments = listed.filter_map(|segment| {
            let (_, end) = ends.iter().find(|(sequence, _)| *sequence == segment.sequence)?;
            Some((*segment, *end))
        });
        Ok(Self { segments: segments.collect(), end })
    }

    /// Makes what was read durable where it was read, as the next sync of the server would.
    fn sync(&self, inspection: &Inspection) -> Result<(), LogError> {
        for (segment, _) in &self.segments {
            let path = inspection.log_dir().join(segment.file_name());
            File::open(&path).and_then(|file| file.sync_data()).map_err(LogError::io("sync", &path))?;
        }
        Ok(())
    }

    /// A seal behind the last frame, and where it stands, if there is room.
    fn seal(&self, segment: &Segment) -> Option<(u64, Vec<u8>)> {
        let Point { position, crc, offset, index, term, wall_ms, .. } = self.end;
        let at = segment.next_unit(position);
        if at + segment.unit > segment.size {
            return None;
        }
        let header = FrameHeader {
            kind: FrameKind::Seal,
            always: false,
            feature_level: FEATURE_LEVEL,
            payload_len: 0,
            index,
            term,
            offset,
            wall_ms,
            durable: offset,
            committed: offset,
            previous_crc: crc,
            payload_crc: crc32fast::hash(&[]),
        };
        Some((at, header.encode(segment.salt).0.to_vec()))
    }

    /// Not a clean end: the server that starts on the copy begins a history of its own there, for the source's goes on.
    fn manifest(&self, source: &Manifest, snapshot: Option<SnapshotEntry>) -> Manifest {
        let mut histories = source.histories.clone();
        histories.retain(|history| history.first_offset <= self.end.offset);
        Manifest {
            node: HistoryId::draw(&mut fastrand::Rng::new()),
            histories,
            durable: self.end.offset,
            clean: false,
            snapshots: snapshot.into_iter().collect(),
            segments: self.segments.iter().map(|(segment, _)| *segment).collect(),
            dropped: Vec::new(),
        }
    }
}

fn missing(path: &Path) -> LogError {
    LogError::io("open", path)(io::ErrorKind::NotFound.into())
}

/// A segment under way.
struct CopyOf<'a> {
    file: SequentialFile,
    path: &'a Path,
}

impl CopyOf<'_> {
    fn segment(
        mut self,
        segment: &Segment,
        live: &[u8],
        seal: Option<(u64, Vec<u8>)>,
        progress: &mut dyn FnMut(u64),
    ) -> Result<(), LogError> {
        for piece in live.chunks(PIECE) {
            self.write(piece)?;
            progress(self.file.len());
        }
        if let Some((at, seal)) = seal {
            self.zeros(at)?;
            self.write(&seal)?;
        }
        self.zeros(segment.size)?;
        self.file.finish().map(drop).map_err(LogError::io("write", self.path))
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), LogError> {
        let at = self.file.len();
        self.file.write_all(bytes).map_err(LogError::io_at("write", self.path, at))
    }

    /// Zeros up to this length: they are really written, as in every segment.
    fn zeros(&mut self, len: u64) -> Result<(), LogError> {
        let zeros = [0; 4096];
        while self.file.len() < len {
            let missing = usize::try_from(len - self.file.len()).unwrap_or(usize::MAX);
            self.write(&zeros[..missing.min(zeros.len())])?;
        }
        Ok(())
    }
}
