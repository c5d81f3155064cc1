//! Recovery: reads the log of a directory, checks it, and hands its frames on. Changes nothing on disk.
//!
//! Called once at a start, by the layer that applies the frames. The verdicts are those of [`walk`](super::walk); here
//! are the reading, the lock that waits for a dead process' writes, and the files as MANIFEST lists them.

use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use crate::disk::{AlignedBuf, Disk, File, Lock, Open};

use super::directory::Directory;
use super::error::{Cause, LogError};
use super::frame::{FRAME_MAGIC, FrameHeader, parse_header};
use super::history::History;
use super::manifest::{Manifest, SnapshotEntry};
use super::segment::{MAX_UNIT, MIN_UNIT, Segment};
use super::walk::{Outcome, Step, TornTail, Walk, WalkFaults, WalkInput, Window};

/// How much is read at a time: enough for the disk to stream, little enough that others get their turn.
const CHUNK: u64 = 2 << 20;

/// Takes what recovery reads.
pub trait Sink {
    /// The next frame, intact and in its place. Start frames and seals come too. An error stops the recovery.
    fn frame(&mut self, header: &FrameHeader, payload: &[u8]) -> Result<(), SinkError>;

    /// Called after every piece that was read.
    fn progress(&mut self, _progress: Progress) {}
}

/// Why a frame was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SinkError {
    /// It is not what it should be.
    Failed(String),
    /// It is sound, and the settings do not allow what it holds: what to set.
    Setting(String),
}

/// How far recovery has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Bytes of segments read so far.
    pub bytes: u64,
    /// Bytes of all segments listed; the last ones may not have to be read.
    pub total: u64,
    /// Frames handed on so far.
    pub frames: u64,
    /// Stream offset reached.
    pub offset: u64,
}

/// What recovery found.
pub struct Recovered {
    /// Stream offset at which the recovered data end.
    pub end_offset: u64,
    /// Index of the last entry.
    pub last_index: u64,
    /// Histories, oldest first; the last was in force. Empty for a new directory.
    pub histories: Vec<History>,
    /// Wall-clock milliseconds of the newest frame: expiry must not run behind it.
    pub wall_ms: u64,
    /// Frames handed on.
    pub frames: u64,
    /// Bytes of segments read.
    pub bytes: u64,
    /// What was cut off the end.
    pub torn: Option<TornTail>,
    /// The last server was shut down cleanly; its history goes on.
    pub clean: bool,
    /// What is wrong in parts that this recovery did not need.
    pub warnings: Vec<String>,
    pub(super) plan: Plan,
}

/// What [`Log::start`](super::Log::start) needs to know of the directory.
#[derive(Clone, Debug, Default)]
pub(super) struct Plan {
    /// `None` for a new directory.
    pub manifest: Option<Manifest>,
    /// State of the walk at its end, to read the tail back.
    pub walk: Option<Walk>,
    pub outcome: Option<Outcome>,
    pub leftovers: Leftovers,
    /// Names of listed snapshots that cannot be used.
    pub unusable: Vec<String>,
    /// Highest sequence number seen anywhere.
    pub highest_sequence: u64,
}

/// What a directory holds before anything of it is used.
pub struct Contents {
    /// `None` for a new directory.
    manifest: Option<Manifest>,
    leftovers: Leftovers,
    /// Names of snapshots that turned out not to be usable.
    unusable: Vec<String>,
}

/// Files that are in no list, hold nothing that counts, and can go.
#[derive(Clone, Debug, Default)]
pub(super) struct Leftovers {
    /// In `log/`.
    pub segments: Vec<String>,
    /// In `snapshots/`.
    pub snapshots: Vec<String>,
}

impl Contents {
    /// The snapshots kept, newest first: the order in which to try them.
    pub fn snapshots(&self) -> Vec<SnapshotEntry> {
        self.manifest.iter().flat_map(|m| m.snapshots.iter().rev().cloned()).collect()
    }

    /// Notes that a snapshot cannot be used. It stays where it is until the next one is installed.
    pub fn cannot_use(&mut self, snapshot: &SnapshotEntry) {
        self.unusable.push(snapshot.file.clone());
    }
}

impl Directory {
    /// Looks at the directory: MANIFEST, and whether the files are there. Only reads.
    pub async fn look(&self) -> Result<Contents, LogError> {
        let manifest = self.read_manifest().await?;
        let leftovers = self.unlisted(manifest.as_ref()).await?;
        if let Some(manifest) = &manifest {
            self.check_files(manifest).await?;
        }
        Ok(Contents { manifest, leftovers, unusable: Vec::new() })
    }

    /// Reads and checks a log without snapshots, and hands its frames to `sink` in order.
    pub async fn recover(&self, sink: &mut dyn Sink) -> Result<Recovered, LogError> {
        let contents = self.look().await?;
        self.replay(contents, None, sink).await
    }

    /// Reads and checks the log behind a snapshot, else all of it, and hands its frames to `sink` in order. Only reads;
    /// lets other tasks run in between.
    pub async fn replay(
        &self,
        contents: Contents,
        behind: Option<&SnapshotEntry>,
        sink: &mut dyn Sink,
    ) -> Result<Recovered, LogError> {
        let Contents { manifest, leftovers, unusable } = contents;
        let Some(manifest) = manifest else {
            let highest_sequence = leftovers.segments.iter().filter_map(|n| Segment::sequence_of(n)).max().unwrap_or(0);
            let plan = Plan { leftovers, highest_sequence, ..Plan::default() };
            return Ok(Recovered {
                end_offset: 0,
                last_index: 0,
                histories: Vec::new(),
                wall_ms: 0,
                frames: 0,
                bytes: 0,
                torn: None,
                clean: true,
                warnings: Vec::new(),
                plan,
            });
        };
        let mut walk = self.walk(&manifest, behind);
        let mut reader = SegmentReader::new(self, &manifest.segments, Open::Buffered);
        let first = behind.map_or(0, |snapshot| snapshot.place.sequence);
        let total = manifest.segments.iter().filter(|s| s.sequence >= first).map(|s| s.size).sum();
        let mut frames = 0;
        loop {
            match walk.step(reader.window())? {
                Step::Need { segment, offset, len } => {
                    reader.fill(segment, offset, len).await?;
                    sink.progress(Progress { bytes: reader.bytes, total, frames, offset: walk.point().offset });
                    yield_now().await;
                }
                Step::Frame { segment, position, header, payload } => {
                    frames += 1;
                    sink.frame(&header, payload).map_err(|error| {
                        let file = self.log_dir().join(manifest.segments[segment].file_name());
                        match error {
                            SinkError::Failed(cause) => {
                                LogError::Apply { file, position, offset: header.offset, cause }
                            }
                            SinkError::Setting(reason) => LogError::Setting { file, reason },
                        }
                    })?;
                }
                Step::End => break,
            }
        }
        let outcome = walk.outcome();
        let highest = manifest.segments.iter().map(|s| s.sequence).chain(manifest.dropped.iter().copied());
        let unlisted = leftovers.segments.iter().filter_map(|n| Segment::sequence_of(n));
        let bytes = reader.bytes;
        drop(reader);
        Ok(Recovered {
            end_offset: outcome.end.offset,
            last_index: outcome.end.index,
            histories: manifest.histories.clone(),
            wall_ms: outcome.end.wall_ms,
            frames,
            bytes,
            torn: outcome.torn.clone(),
            clean: manifest.clean && outcome.end.offset == manifest.durable && outcome.torn.is_none(),
            warnings: outcome.warnings.clone(),
            plan: Plan {
                highest_sequence: highest.chain(unlisted).max().unwrap_or(0),
                manifest: Some(manifest),
                walk: Some(walk),
                outcome: Some(outcome),
                leftovers,
                unusable,
            },
        })
    }

    fn walk(&self, manifest: &Manifest, behind: Option<&SnapshotEntry>) -> Walk {
        let input = WalkInput {
            segments: manifest.segments.clone(),
            directory: self.log_dir(),
            durable: manifest.durable,
            clean: manifest.clean,
            base_offset: 0,
            tail_is_live: false,
        };
        let planted = self.planted();
        let faults = WalkFaults { accept_stale: planted.accept_stale, drop_watermark: planted.drop_watermark };
        let walk = Walk::new(input).with_faults(faults);
        match behind {
            Some(snapshot) => walk.behind(snapshot.place),
            None => walk,
        }
    }

    /// Every segment listed must be there, with the length listed. Of snapshots one is enough, as long as the log behind
    /// it is there; they are looked at one after the other.
    async fn check_files(&self, manifest: &Manifest) -> Result<(), LogError> {
        for (path, listed) in manifest.segments.iter().map(|s| (self.log_dir().join(s.file_name()), s.size)) {
            match self.disk.metadata(&path).await {
                Ok(found) if found.len == listed => {}
                Ok(found) => return Err(self.refuse(&path, Cause::Length { found: found.len, listed }).into()),
                Err(e) if e.kind() == io::ErrorKind::NotFound => {
                    return Err(self.refuse(&path, Cause::Missing).into());
                }
                Err(e) => return Err(LogError::io("examine", &path)(e)),
            }
        }
        Ok(())
    }

    /// Files that no list names: leftovers of an interrupted preparation, or a reason to refuse.
    async fn unlisted(&self, manifest: Option<&Manifest>) -> Result<Leftovers, LogError> {
        // Of what is there nothing is known to be wrong.
        let refuse = |path: &Path| match manifest {
            Some(_) => self.refuse(path, Cause::Unlisted),
            None => self.refuse(&self.path().join("MANIFEST"), Cause::NoManifest),
        };
        let mut leftovers = Leftovers::default();
        for name in self.names(&self.snapshot_dir()).await? {
            match manifest {
                None => return Err(refuse(&self.snapshot_dir().join(name)).into()),
                Some(manifest) if manifest.snapshots.iter().any(|s| s.file == name) => {}
                Some(_) => leftovers.snapshots.push(name),
            }
        }
        for name in self.names(&self.log_dir()).await? {
            let Some(sequence) = Segment::sequence_of(&name) else { continue };
            if manifest.is_some_and(|m| m.segments.iter().any(|s| s.sequence == sequence)) {
                continue;
            }
            let dropped = manifest.is_some_and(|m| m.dropped.contains(&sequence));
            let path = self.log_dir().join(&name);
            if !dropped && self.holds_a_frame(&path).await? {
                return Err(refuse(&path).into());
            }
            leftovers.segments.push(name);
        }
        Ok(leftovers)
    }

    async fn names(&self, folder: &Path) -> Result<Vec<String>, LogError> {
        match self.disk.list(folder).await {
            Ok(names) => Ok(names),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(e) => Err(LogError::io("list", folder)(e)),
        }
    }

    /// Whether the first frame of an unlisted segment was ever written.
    async fn holds_a_frame(&self, path: &Path) -> Result<bool, LogError> {
        let file = self.disk.open(path, Open::Buffered).await.map_err(LogError::io("open", path))?;
        if !self.planted().read_without_lock {
            file.lock(0, Lock::Exclusive, true).await.map_err(LogError::io("lock", path))?;
        }
        let head = usize::try_from(MIN_UNIT + MAX_UNIT).unwrap_or(usize::MAX);
        let head = file.read_at(0, head).await.map_err(LogError::io_at("read", path, 0))?;
        Ok(begins_with_a_frame(&head))
    }
}

/// Whether the first frame was ever written behind this header block.
pub(super) fn begins_with_a_frame(head: &[u8]) -> bool {
    let at = |unit: u64| head.get(usize::try_from(unit).unwrap_or(usize::MAX)..).unwrap_or_default();
    match Segment::decode(head) {
        Ok((segment, _)) => parse_header(at(segment.unit), segment.salt).is_ok(),
        Err(_) => (MIN_UNIT.ilog2()..=MAX_UNIT.ilog2()).any(|bits| at(1 << bits).starts_with(&FRAME_MAGIC)),
    }
}

/// Reads segments piece by piece; waits, the first time, until the writes of a dead process have landed.
pub(super) struct SegmentReader<'a> {
    disk: &'a dyn Disk,
    log_dir: PathBuf,
    segments: &'a [Segment],
    how: Open,
    lock: bool,
    open: Option<(usize, Rc<dyn File>)>,
    buf: AlignedBuf,
    at: (usize, u64),
    pub bytes: u64,
}

impl<'a> SegmentReader<'a> {
    pub fn new(directory: &'a Directory, segments: &'a [Segment], how: Open) -> Self {
        Self {
            disk: &*directory.disk,
            log_dir: directory.log_dir(),
            segments,
            how,
            lock: !directory.planted().read_without_lock,
            open: None,
            buf: AlignedBuf::with_capacity(1),
            at: (usize::MAX, 0),
            bytes: 0,
        }
    }

    /// The bytes at hand.
    pub fn window(&self) -> Window<'_> {
        Window { segment: self.at.0, offset: self.at.1, bytes: &self.buf }
    }

    /// Reads at least `len` bytes at `offset`, in whole write units, and ahead of them.
    pub async fn fill(&mut self, segment: usize, offset: u64, len: usize) -> Result<(), LogError> {
        let listed = self.segments[segment];
        let path = self.log_dir.join(listed.file_name());
        let file = self.file(segment, &path).await?;
        let unit = listed.unit.max(file.write_unit() as u64);
        let start = offset / unit * unit;
        let end = (offset + len as u64).max(start + self.ahead(segment)).min(listed.size);
        let end = end.next_multiple_of(unit).min(listed.size);
        let wanted = usize::try_from(end - start).unwrap_or(usize::MAX);
        self.buf = AlignedBuf::with_capacity(1);
        self.at = (usize::MAX, 0);
        let buf = file.read_at(start, wanted).await.map_err(LogError::io_at("read", &path, start))?;
        if (buf.len() as u64) < offset + len as u64 - start {
            let short = io::Error::new(io::ErrorKind::UnexpectedEof, "the file became shorter while it was read");
            return Err(LogError::io_at("read", &path, start + buf.len() as u64)(short));
        }
        self.bytes += buf.len() as u64;
        self.buf = buf;
        self.at = (segment, start);
        Ok(())
    }

    /// The survey looks at every segment in turn and needs little of each; after it, larger pieces pay.
    fn ahead(&self, segment: usize) -> u64 {
        if self.at.0 == segment { CHUNK } else { 2 * MIN_UNIT }
    }

    async fn file(&mut self, segment: usize, path: &Path) -> Result<Rc<dyn File>, LogError> {
        if let Some((at, file)) = &self.open
            && *at == segment
        {
            return Ok(Rc::clone(file));
        }
        self.open = None;
        let file = self.disk.open(path, self.how).await.map_err(LogError::io("open", path))?;
        if self.lock {
            file.lock(0, Lock::Exclusive, true).await.map_err(LogError::io("lock", path))?;
        }
        self.open = Some((segment, Rc::clone(&file)));
        Ok(file)
    }
}

/// Lets the other tasks of the thread run.
pub(super) fn yield_now() -> impl Future<Output = ()> {
    struct Yield(bool);
    impl Future for Yield {
        type Output = ();
        fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
            if self.0 {
                return Poll::Ready(());
            }
            self.0 = true;
            cx.waker().wake_by_ref();
            Poll::Pending
        }
    }
    Yield(false)
}
