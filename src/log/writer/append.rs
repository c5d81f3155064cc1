//! Appending frames to the active segment, and rolling to the next one.

use std::ops::Range;
use std::path::Path;

use crate::disk::{AlignedBuf, File};

use super::super::error::LogError;
use super::super::frame::{FEATURE_LEVEL, FRAME_ALIGN, FrameHeader, FrameKind, StartMark};
use super::super::frame_buf::FrameBuf;
use super::super::segment::Segment;
use super::super::spare::Spare;
use super::{Active, Log, Position, Unsynced};

impl Log {
    /// Writes the payload of `frame` as one frame, and empties it.
    ///
    /// Under `always` it is durable on return; otherwise it is in the system's cache and survives the death of the
    /// process. [`LogError::NoRoom`] leaves `frame` and log as they were; every other error is final. So is dropping
    /// the future before it is done.
    pub async fn append(&self, frame: &mut FrameBuf, wall_ms: u64) -> Result<Position, LogError> {
        let _writing = self.writing.lock().await;
        self.usable()?;
        self.make_room(frame.len() as u64).await?;
        let start = self.state.borrow().offset;
        self.write(FrameKind::Effects, frame, wall_ms).await?;
        let state = self.state.borrow();
        Ok(Position { start, end: state.offset, index: state.index })
    }

    /// Rolls until a frame with so large a payload fits. Nothing happens unless it will fit.
    async fn make_room(&self, payload: u64) -> Result<(), LogError> {
        let fits = {
            let state = self.state.borrow();
            state.active.as_ref().is_some_and(|a| payload <= a.segment.room_behind(a.position))
        };
        if fits {
            return Ok(());
        }
        let ahead = self.state.borrow().spares.iter().position(|s| payload <= s.segment.room_when_fresh());
        let Some(ahead) = ahead else { return Err(LogError::NoRoom { needed: payload, room: self.room() }) };
        for _ in 0..=ahead {
            self.roll().await?;
        }
        Ok(())
    }

    /// Begins the next spare, which must exist: from here on it is written to. The caller holds `writing`.
    pub(in crate::log) async fn roll(&self) -> Result<(), LogError> {
        let mut frame = self.enter_spare().await?;
        self.write(FrameKind::Start, &mut frame, self.clock.wall_ms()).await
    }

    /// Makes the next spare the active segment; gives its start frame, which is not written yet.
    pub(in crate::log) async fn enter_spare(&self) -> Result<FrameBuf, LogError> {
        let spare = self.state.borrow_mut().spares.pop_front().expect("callers roll only when there is a spare");
        let always = self.policy().is_always();
        let Spare { segment, path, file, direct, .. } =
            spare.opened_for(&self.directory, always).await.map_err(|e| self.fail(e))?;
        let mut state = self.state.borrow_mut();
        if let Some(old) = state.active.take()
            && old.synced < old.position
        {
            state.unsynced.push(Unsynced { sequence: old.segment.sequence, file: old.file, path: old.path });
        }
        let unit = segment.unit;
        let (position, barrier, synced, tail) = (unit, unit, unit, Vec::new());
        state.active = Some(Active { segment, file, path, direct, always, position, barrier, synced, tail });
        state.stats.rolls += 1;
        let (previous_sequence, previous_salt, live_end) = state.tail.unwrap_or_default();
        let mark = StartMark {
            previous_sequence,
            previous_salt,
            live_end,
            last_crc: state.crc,
            base_offset: state.offset,
            history: state.manifest.history(),
        };
        let mut frame = FrameBuf::new();
        frame.extend_from_slice(&mark.encode());
        Ok(frame)
    }

    /// The header of the next frame.
    pub(in crate::log) fn next_header(
        &self,
        kind: FrameKind,
        payload_len: u64,
        payload_crc: u32,
        wall_ms: u64,
    ) -> FrameHeader {
        let state = self.state.borrow();
        let all_durable = state.unsynced.is_empty() && state.durable == state.offset && !state.rewriting;
        FrameHeader {
            kind,
            always: all_durable && state.active.as_ref().is_some_and(|a| a.always),
            feature_level: FEATURE_LEVEL,
            payload_len,
            index: state.index + u64::from(kind.is_entry()),
            term: state.term,
            offset: state.offset,
            wall_ms: wall_ms.max(state.wall_ms),
            durable: state.durable,
            committed: state.durable,
            previous_crc: state.crc,
            payload_crc,
        }
    }

    /// Writes one frame to the active segment, which has room for it. The caller holds `writing`.
    pub(in crate::log) async fn write(
        &self,
        kind: FrameKind,
        frame: &mut FrameBuf,
        wall_ms: u64,
    ) -> Result<(), LogError> {
        let payload_crc = frame.payload_crc().await;
        let header = self.next_header(kind, frame.len() as u64, payload_crc, wall_ms);
        let planted = self.directory.planted().rewrite_acked;
        let (file, path, segment, direct, always, position, barrier) = {
            let state = self.state.borrow();
            let active = state.active.as_ref().expect("callers write only when there is a segment");
            let after = active.position.next_multiple_of(FRAME_ALIGN);
            let position = if planted { after } else { after.max(active.barrier) };
            let file = std::rc::Rc::clone(&active.file);
            (
                file,
                std::rc::Rc::clone(&active.path),
                active.segment,
                active.direct,
                active.always,
                position,
                active.barrier,
            )
        };
        let end = position + header.frame_len();
        let padded = if direct { segment.next_unit(end) } else { end };
        assert!(padded <= segment.size, "a frame must end within its segment");
        assert!(planted || position >= barrier, "a byte that was reported durable must not be written again");
        let abandoned = Abandoned { log: self, what: "write", path: &path, position: Some(position) };
        let crc = if frame.is_shared() {
            let written = self.write_slices(&*file, &path, position..padded, &header, segment, frame).await;
            written.map_err(|e| self.fail(e))?
        } else {
            let (mut bytes, crc) = frame.finish(&header, segment.salt);
            bytes.resize(usize::try_from(padded - position).expect("a frame in memory has a length that fits"));
            let mut at = position;
            if planted {
                (at, bytes) = self.with_tail(position, &bytes);
            }
            let written = file.write_at(at, bytes).await.map_err(LogError::io_at("write", &path, at));
            let bytes = written.map_err(|e| self.fail(e))?;
            if planted {
                self.keep_tail(at, end, &bytes);
            }
            frame.give_back(bytes);
            crc
        };
        // A rewrite syncs once, before it puts the start frame in front.
        if always && !direct && !self.state.borrow().rewriting {
            self.sync_file(&*file, &path).await?;
        }
        std::mem::forget(abandoned);
        self.wrote(&header, crc, end, always || direct, padded - position);
        Ok(())
    }

    /// Writes a frame of which pieces are shared, and empties it. What is shared is copied only here, a little at a time.
    /// Gives the header CRC.
    async fn write_slices(
        &self,
        file: &dyn File,
        path: &Path,
        place: Range<u64>,
        header: &FrameHeader,
        segment: Segment,
        frame: &mut FrameBuf,
    ) -> Result<u32, LogError> {
        let slice = self.settings.slice.max(segment.unit).next_multiple_of(segment.unit);
        let slice = usize::try_from(slice).unwrap_or(usize::MAX);
        let (raw, crc) = header.encode(segment.salt);
        let mut at = place.start;
        let mut buf = AlignedBuf::with_capacity(slice);
        buf.extend_from_slice(&raw);
        for mut piece in frame.pieces() {
            while !piece.is_empty() {
                let (now, later) = piece.split_at(piece.len().min(slice - buf.len()));
                buf.extend_from_slice(now);
                piece = later;
                if buf.len() == slice {
                    buf = file.write_at(at, buf).await.map_err(LogError::io_at("write", path, at))?;
                    at += slice as u64;
                    buf.clear();
                }
            }
        }
        buf.resize(usize::try_from(place.end - at).expect("the end is within a slice"));
        file.write_at(at, buf).await.map_err(LogError::io_at("write", path, at))?;
        frame.clear();
        Ok(crc)
    }

    /// Takes note of a completed write.
    fn wrote(&self, header: &FrameHeader, crc: u32, end: u64, synced: bool, bytes: u64) {
        let mut state = self.state.borrow_mut();
        let state = &mut *state;
        let Some(active) = &mut state.active else { return };
        let all_before_synced = state.unsynced.is_empty() && active.synced == active.position && !state.rewriting;
        active.position = end;
        if synced {
            active.barrier = active.segment.next_unit(end);
            active.synced = end;
            state.stats.syncs += 1;
        }
        state.tail = Some((active.segment.sequence, active.segment.salt, end));
        state.crc = crc;
        state.offset = header.end_offset();
        state.index = header.index;
        state.wall_ms = header.wall_ms;
        state.watermark = header.durable;
        if synced && all_before_synced {
            state.durable = state.offset;
            state.recorded = header.durable;
        }
        state.stats.bytes += bytes;
        if header.kind == FrameKind::Effects {
            state.stats.frames += 1;
            state.stats.payload_bytes += header.payload_len;
        }
    }

    // The planted bug that rewrites acked bytes: every write begins with the write unit that the last frame ended in.

    fn with_tail(&self, position: u64, bytes: &[u8]) -> (u64, AlignedBuf) {
        let state = self.state.borrow();
        let mut all = AlignedBuf::with_capacity(bytes.len());
        let Some(active) = &state.active else { return (position, all) };
        let unit = active.segment.unit;
        let start = position / unit * unit;
        let before = usize::try_from(position - start).unwrap_or(0);
        all.extend_from_slice(&active.tail);
        all.resize(before);
        all.extend_from_slice(bytes);
        all.resize(all.len().next_multiple_of(usize::try_from(unit).unwrap_or(1)));
        (start, all)
    }

    fn keep_tail(&self, at: u64, end: u64, bytes: &[u8]) {
        if let Some(active) = &mut self.state.borrow_mut().active {
            let start = end / active.segment.unit * active.segment.unit;
            let range = usize::try_from(start - at).unwrap_or(0)..usize::try_from(end - at).unwrap_or(0);
            active.tail = bytes.get(range).unwrap_or_default().to_vec();
        }
    }
}

/// Ends the log when a write or a sync is dropped before it completed: what the file holds is then unknown.
pub(super) struct Abandoned<'a> {
    pub log: &'a Log,
    pub what: &'static str,
    pub path: &'a Path,
    pub position: Option<u64>,
}

impl Drop for Abandoned<'_> {
    fn drop(&mut self) {
        let (what, file, offset) = (self.what, self.path.to_owned(), self.position);
        self.log.fail(LogError::Abandoned { what, file, offset });
    }
}
