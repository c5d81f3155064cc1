//! Writing the end of the log anew, when the medium cannot be shown to hold what the cache does.
//!
//! Needed where there is no direct I/O to read past the cache, or after a failed writeback. The frames above the
//! durable offset are written into a new segment; only when they are durable is the start frame put in front of them,
//! in one write, and from then on the new segment replaces the old end. A crash before that leaves the old end in
//! force, a crash after it the new one. What must always hold: frames that stand behind a missing start frame prove
//! nothing, so they carry the old durable offset and no `always` flag.

use std::path::PathBuf;
use std::rc::Rc;

use crate::disk::Open;

use super::error::{LogError, SpareError};
use super::frame::{FrameHeader, FrameKind};
use super::frame_buf::FrameBuf;
use super::manifest::Manifest;
use super::recovery::{Plan, SegmentReader, yield_now};
use super::segment::{MAX_UNIT, Segment};
use super::start::drop_dead;
use super::walk::{Point, Step};
use super::writer::Log;

impl Log {
    /// Rewrites everything above the durable offset, where this log stands, and begins the run behind it.
    pub(super) async fn rewrite_tail(&self, plan: &Plan) -> Result<(), LogError> {
        let _preparing = self.preparing.lock().await;
        let _writing = self.writing.lock().await;
        let mut frames = Tail::new(self, plan)?;
        // The same device, so the same write unit; each frame may be padded to it.
        let unit = plan.manifest.as_ref().and_then(|m| m.segments.last()).map_or(MAX_UNIT, |s| s.unit);
        let mut bytes = unit;
        while let Some((header, _)) = frames.next().await? {
            bytes += header.frame_len().next_multiple_of(unit);
        }
        // Its reader holds the lock that the next one asks for.
        drop(frames);
        match self.make_spare(bytes).await {
            // One that is perhaps listed already must stay.
            Err(full @ SpareError::OutOfSpace { .. }) if self.state.borrow().limbo.is_empty() => {
                tracing::warn!("{full}; removing unused segments to make room for the end of the log");
                self.drop_unused(plan).await?;
                self.state.borrow_mut().next_size = 0;
                let made = self.make_spare(bytes).await;
                self.state.borrow_mut().next_size = self.settings.first_segment_size;
                made?;
            }
            made => made?,
        }
        let mut start = self.enter_spare().await?;
        let header = self.next_header(FrameKind::Start, start.len() as u64, start.payload_crc().await, 0);
        let (segment, file, path) = {
            let mut state = self.state.borrow_mut();
            let state = &mut *state;
            let active = state.active.as_mut().expect("a spare was just entered");
            active.position = active.segment.unit + header.frame_len();
            active.barrier = active.segment.next_unit(active.position);
            // As if it were written already: whatever comes next follows it.
            state.tail = Some((active.segment.sequence, active.segment.salt, active.position));
            (active.segment, Rc::clone(&active.file), Rc::clone(&active.path))
        };
        let unit = segment.unit;
        let (mut start, crc) = start.finish(&header, segment.salt);
        self.state.borrow_mut().crc = crc;
        let mut frames = Tail::new(self, plan)?;
        while let Some((header, payload)) = frames.next().await? {
            let mut frame = FrameBuf::new();
            frame.extend_from_slice(payload);
            self.state.borrow_mut().term = header.term;
            self.write(header.kind, &mut frame, header.wall_ms).await?;
        }
        self.sync_file(&*file, &path).await?;
        start.resize(usize::try_from(unit).unwrap_or(start.len()));
        let written = file.write_at(unit, start).await.map_err(LogError::io_at("write", &path, unit));
        written.map_err(|e| self.fail(e))?;
        self.sync_file(&*file, &path).await?;
        self.take_over(plan).await
    }

    /// Takes the segments without frames off the list, and removes them.
    async fn drop_unused(&self, plan: &Plan) -> Result<(), LogError> {
        let mut manifest = self.state.borrow().manifest.clone();
        if let Some(outcome) = &plan.outcome {
            drop_dead(&mut manifest, |index| Some(index) <= outcome.end.segment);
        }
        self.directory.write_manifest(&manifest).await.map_err(|e| e.cause)?;
        self.state.borrow_mut().manifest = manifest;
        self.remove_dropped().await
    }

    /// The start frame is durable: the new segment counts, and what it replaces does not.
    async fn take_over(&self, plan: &Plan) -> Result<(), LogError> {
        let manifest = {
            let mut state = self.state.borrow_mut();
            let state = &mut *state;
            state.rewriting = false;
            state.durable = state.offset;
            if let Some(active) = &mut state.active {
                active.synced = active.position;
                active.barrier = active.segment.next_unit(active.position);
            }
            let new = state.active.as_ref().map(|a| a.segment.sequence);
            let mut manifest = Manifest { durable: state.durable, ..state.manifest.clone() };
            let sequences: Vec<u64> = manifest.segments.iter().map(|s| s.sequence).collect();
            assert!(new.is_some_and(|new| sequences.contains(&new)), "only a listed segment is written to");
            if let Some(outcome) = &plan.outcome {
                let kept = |i: &usize| Some(*i) <= outcome.durable_at.segment;
                let live: Vec<usize> = outcome.live.iter().copied().filter(kept).collect();
                drop_dead(&mut manifest, |i| live.contains(&i) || sequences.get(i).copied() == new);
            }
            manifest
        };
        self.directory.write_manifest(&manifest).await.map_err(|e| e.cause)?;
        self.state.borrow_mut().manifest = manifest;
        self.remove_dropped().await
    }
}

/// The entries above the durable offset, read through the cache.
struct Tail<'a> {
    walk: super::walk::Walk,
    reader: SegmentReader<'a>,
    payload: Vec<u8>,
    /// Where the frames ended that were applied: those rewritten must end there too.
    end: Point,
    directory: PathBuf,
}

impl<'a> Tail<'a> {
    fn new(log: &'a Log, plan: &'a Plan) -> Result<Self, LogError> {
        let (Some(manifest), Some(walk), Some(outcome)) = (&plan.manifest, &plan.walk, &plan.outcome) else {
            return Err(LogError::Closed);
        };
        let segments: &[Segment] = &manifest.segments;
        Ok(Self {
            walk: walk.again(outcome.durable_at),
            reader: SegmentReader::new(&log.directory, segments, Open::Buffered),
            payload: Vec::new(),
            end: outcome.end,
            directory: log.directory.log_dir(),
        })
    }

    async fn next(&mut self) -> Result<Option<(FrameHeader, &[u8])>, LogError> {
        loop {
            match self.walk.step(self.reader.window())? {
                Step::Need { segment, offset, len } => {
                    self.reader.fill(segment, offset, len).await?;
                    yield_now().await;
                }
                Step::Frame { header, payload, .. } if header.kind.is_entry() => {
                    self.payload.clear();
                    self.payload.extend_from_slice(payload);
                    return Ok(Some((header, &self.payload)));
                }
                Step::Frame { .. } => {}
                Step::End if self.walk.point() == self.end => return Ok(None),
                Step::End => {
                    let (read, found) = (self.end.offset, self.walk.point().offset);
                    return Err(LogError::Vanished { directory: self.directory.clone(), read, found });
                }
            }
        }
    }
}
