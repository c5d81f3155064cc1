//! The frames of the live segments, one after the other, each checked against the one before it.

use super::*;

impl Walk {
    pub(super) fn frames<'a>(&mut self, at: usize, window: Window<'a>) -> Result<Option<Step<'a>>, Refusal> {
        if self.stop_at == Some(self.point) {
            self.phase = Phase::Done;
            return Ok(None);
        }
        let Link { segment, live_end } = self.chain[at];
        if self.point.segment != Some(segment) {
            return self.start(segment, window);
        }
        if self.faults.accept_stale {
            if let Some(step) = self.accept_stale(at, segment, window)? {
                return Ok(step);
            }
        } else if let Some((end, crc)) = live_end {
            if self.point.position == end && self.point.crc == crc {
                self.phase = Phase::Frames { link: at + 1 };
                return Ok(None);
            }
            if self.point.position >= end {
                let cause = Cause::BrokenChain("the next segment names another frame as the last one".into());
                return Err(self.refuse(segment, self.point.position, cause));
            }
        }
        let listed = self.input.segments[segment];
        let near = self.point.position;
        let fresh = listed.next_unit(near);
        let first = self.frame_at(segment, near, near, window)?;
        if near == fresh || matches!(first, Found::Frame(_)) {
            return Ok(self.damaged(segment, near, first, true));
        }
        // After a sync the next frame stands in a fresh write unit, behind zeros.
        let gap = usize::try_from(fresh - near).unwrap_or(usize::MAX);
        let is_gap = window.from(segment, near, gap).is_some_and(|bytes| bytes[..gap].iter().all(|&b| b == 0));
        Ok(match self.frame_at(segment, near, fresh, window)? {
            second @ Found::Frame(_) => self.damaged(segment, fresh, second, true),
            Found::Nothing(FrameFault::NoMagic) => self.damaged(segment, near, first, true),
            // A header of this use, intact: it was written there, whatever an earlier use of the file has left in the gap.
            second @ Found::Nothing(FrameFault::PayloadCrc | FrameFault::TooLong | FrameFault::Contradiction(_)) => {
                self.damaged(segment, fresh, second, true)
            }
            second if is_gap => self.damaged(segment, fresh, second, true),
            _ => self.damaged(segment, near, first, true),
        })
    }

    /// The first frame of a segment.
    fn start<'a>(&mut self, segment: usize, window: Window<'a>) -> Result<Option<Step<'a>>, Refusal> {
        let listed = self.input.segments[segment];
        let Surveyed { header, start } = &self.surveyed[segment];
        let Some((first, mark)) = start.clone() else {
            let cause = header.err().map_or_else(|| "its start frame is damaged".to_owned(), |fault| fault.to_string());
            let found = Found::Broken(cause);
            return Ok(self.damaged(segment, listed.unit, found, false));
        };
        if let Err(fault) = *header {
            return Err(self.refuse(segment, 0, Cause::Damaged(fault.to_string())));
        }
        if self.point.segment.is_none() {
            let reaches_back = match self.from {
                Some(place) => mark.base_offset == place.offset && mark.previous_sequence == 0,
                None => {
                    let base = self.input.base_offset;
                    mark.base_offset <= base && (base > 0 || mark.previous_sequence == 0)
                }
            };
            if !reaches_back {
                let cause = Cause::MissingBeginning { found: mark.base_offset };
                return Err(self.refuse(segment, listed.unit, cause));
            }
            self.point = Point {
                crc: first.previous_crc,
                offset: first.offset,
                index: first.index,
                term: first.term,
                wall_ms: self.point.wall_ms,
                ..Point::ORIGIN
            };
            self.durable_at = self.point;
        }
        if mark.base_offset != first.offset || mark.last_crc != first.previous_crc {
            let cause = Cause::BrokenChain("the start frame contradicts its header".into());
            return Err(self.refuse(segment, listed.unit, cause));
        }
        let found = self.frame_at(segment, listed.unit, listed.unit, window)?;
        if let Found::Nothing(fault) = found {
            // By this frame the segment before was cut off where it says. Without it, that is not known any more.
            return Err(self.refuse(segment, listed.unit, Cause::Vanished(fault.to_string())));
        }
        Ok(self.damaged(segment, listed.unit, found, true))
    }

    /// Tries to read the next frame of the chain at `position`. Bytes are asked for from `anchor` on, so that one window
    /// serves both places at which a frame may begin.
    fn frame_at<'a>(
        &mut self,
        segment: usize,
        anchor: u64,
        position: u64,
        window: Window<'a>,
    ) -> Result<Found<'a>, Refusal> {
        let listed = self.input.segments[segment];
        let room = listed.size.saturating_sub(position);
        if room < FRAME_HEADER as u64 {
            return Ok(Found::Nothing(FrameFault::NoMagic));
        }
        let ahead = usize::try_from(position - anchor).unwrap_or(usize::MAX);
        let need =
            |len: usize| Ok(Found::Frame(Step::Need { segment, offset: anchor, len: ahead.saturating_add(len) }));
        let Some(bytes) = window.from(segment, position, FRAME_HEADER) else { return need(FRAME_HEADER) };
        match parse(bytes, room, listed.salt) {
            Ok(Parsed::NeedMore(len)) => need(len),
            Ok(Parsed::Frame(sealed, range)) => match self.follows(&sealed) {
                Ok(()) => {
                    self.accept(segment, position, &sealed);
                    Ok(Found::Frame(Step::Frame { segment, position, header: sealed.header, payload: &bytes[range] }))
                }
                Err(cause) => Ok(Found::Broken(cause.to_owned())),
            },
            Err(fault @ FrameFault::Unsupported { .. }) => {
                Err(self.refuse(segment, position, Cause::Unsupported(fault.to_string())))
            }
            Err(fault) => Ok(Found::Nothing(fault)),
        }
    }

    /// Whether an intact frame is the one that comes next.
    fn follows(&self, sealed: &Sealed) -> Result<(), &'static str> {
        let Sealed { header, .. } = sealed;
        let before = &self.point;
        if self.faults.accept_stale {
            return Ok(());
        }
        if header.previous_crc != before.crc {
            return Err("the frame names another predecessor");
        }
        if header.offset != before.offset {
            return Err("the frame begins at another stream offset than the one before it ends");
        }
        if Some(header.index) != before.index.checked_add(header.kind.is_entry().into()) {
            return Err("the frame has the wrong index");
        }
        if header.term < before.term {
            return Err("the frame has a term below that of the one before it");
        }
        if header.wall_ms < before.wall_ms {
            return Err("the frame is older than the one before it");
        }
        Ok(())
    }

    fn accept(&mut self, segment: usize, position: u64, sealed: &Sealed) {
        let Sealed { header, crc } = sealed;
        if header.always && !self.faults.drop_watermark {
            self.durable_at = self.point;
            self.above.clear();
        }
        self.point = Point {
            segment: Some(segment),
            position: position + header.frame_len(),
            crc: *crc,
            offset: header.end_offset(),
            index: header.index,
            term: header.term,
            wall_ms: header.wall_ms,
        };
        if !self.faults.drop_watermark {
            self.durable = self.durable.max(header.durable);
        }
        // A mark takes no room in the stream, so no offset tells whether it was synced: only what follows it does.
        if header.end_offset() > header.offset {
            self.above.push_back(self.point);
        }
        self.raise_durable_at();
    }

    /// Follows what is known to be durable, by a frame of the chain or by a header behind its end.
    pub(super) fn raise_durable_at(&mut self) {
        while let Some(&first) = self.above.front().filter(|p| p.offset <= self.durable) {
            self.durable_at = first;
            self.above.pop_front();
        }
    }

    /// The planted bug: whatever verifies by itself is taken, wherever it stands.
    fn accept_stale<'a>(
        &mut self,
        link: usize,
        segment: usize,
        window: Window<'a>,
    ) -> Result<Option<Option<Step<'a>>>, Refusal> {
        let size = self.input.segments[segment].size;
        while self.point.position + (FRAME_HEADER as u64) < size {
            if let Found::Frame(step) = self.frame_at(segment, self.point.position, self.point.position, window)? {
                return Ok(Some(Some(step)));
            }
            self.point.position += FRAME_ALIGN;
        }
        if link + 1 == self.chain.len() {
            return Ok(None);
        }
        self.phase = Phase::Frames { link: link + 1 };
        Ok(Some(None))
    }
}

#[cfg(test)]
mod tests {
    use crate::log::reader::LogReader;
    use crate::log::{FRAME_HEADER, FrameHeader, FrameKind, HistoryId, SEGMENT_HEADER, Segment, StartMark, WalkInput};

    #[test]
    fn no_frame_follows_one_of_the_highest_index() {
        let segment = Segment { sequence: 1, size: 4 * 4096, unit: 4096, salt: 2 };
        let history = HistoryId::draw(&mut fastrand::Rng::with_seed(1));
        let (previous_sequence, previous_salt, live_end, last_crc, base_offset) = (0, 0, 0, 0, 0);
        let mark = StartMark { previous_sequence, previous_salt, live_end, last_crc, base_offset, history }.encode();
        let mut content = vec![0; 4 * 4096];
        content[..SEGMENT_HEADER].copy_from_slice(&segment.encode(&history));
        let (mut position, mut previous_crc) = (4096, 0);
        for (kind, index, payload) in [(FrameKind::Start, u64::MAX, &mark[..]), (FrameKind::Effects, 0, b"effects")] {
            let header = FrameHeader {
                kind,
                always: false,
                feature_level: 1,
                payload_len: payload.len() as u64,
                index,
                term: 1,
                offset: 0,
                wall_ms: 1,
                durable: 0,
                committed: 0,
                previous_crc,
                payload_crc: crc32fast::hash(payload),
            };
            let (encoded, crc) = header.encode(segment.salt);
            content[position..position + FRAME_HEADER].copy_from_slice(&encoded);
            content[position + FRAME_HEADER..][..payload.len()].copy_from_slice(payload);
            (position, previous_crc) = (position + header.frame_len() as usize, crc);
        }
        let walk = WalkInput {
            segments: vec![segment],
            directory: "log".into(),
            durable: 0,
            clean: false,
            base_offset: 0,
            tail_is_live: false,
        };
        let mut reader = LogReader::new(walk, vec![&content]);
        let kinds: Vec<_> = reader.by_ref().map(|frame| frame.expect("nothing was durable").header.kind).collect();
        assert_eq!(kinds, [FrameKind::Start]);
        assert!(reader.outcome().torn.is_some());
    }
}
