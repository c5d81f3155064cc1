//! Reading a log without owning it: for `ackd log`, `ackd check` and other tools, also beside a running server.
//!
//! Pure: the caller brings MANIFEST and the bytes of the segments (memory maps, say); what comes out has gone through
//! the same [`Walk`] as at a start, and so reaches the same verdict.

use super::error::Refusal;
use super::frame::{FRAME_ALIGN, FRAME_HEADER, FrameHeader, Parsed, parse};
use super::manifest::Place;
use super::segment::Segment;
use super::walk::{Outcome, Point, Step, Walk, WalkInput, Window};

/// A frame where it stands.
#[derive(Clone, Copy, Debug)]
pub struct FrameAt<'a> {
    /// Sequence number of the segment.
    pub sequence: u64,
    /// Where the frame begins in the segment.
    pub position: u64,
    /// Its header.
    pub header: FrameHeader,
    /// Its payload.
    pub payload: &'a [u8],
}

/// The frames of a directory in order, and the verdict at their end.
pub struct LogReader<'a> {
    walk: Walk,
    bytes: Vec<&'a [u8]>,
    at: usize,
    done: bool,
}

impl<'a> LogReader<'a> {
    /// Reads the segments of `input`, whose bytes are given in the same order. A segment whose bytes are fewer than
    /// listed must have been refused by the caller; here it ends the reading.
    pub fn new(input: WalkInput, bytes: Vec<&'a [u8]>) -> Self {
        Self { walk: Walk::new(input), bytes, at: 0, done: false }
    }

    /// The same, from a point that an earlier reader reached in the segment of this sequence number on.
    pub fn resuming(input: WalkInput, bytes: Vec<&'a [u8]>, sequence: u64, point: Point) -> Self {
        Self { walk: Walk::new(input).resuming(sequence, point), bytes, at: 0, done: false }
    }

    /// Only what follows the place at which a snapshot ends.
    pub fn behind(self, place: Place) -> Self {
        Self { walk: self.walk.behind(place), ..self }
    }

    /// The end of the chain and what is known of it; complete once the iteration ended without a refusal.
    pub fn outcome(&self) -> Outcome {
        self.walk.outcome()
    }

    /// Where the reading stands, and the sequence number of the segment: what [`LogReader::resuming`] asks for.
    pub fn position(&self) -> Option<(u64, Point)> {
        let point = self.walk.point();
        Some((self.walk.segments().get(point.segment?)?.sequence, point))
    }
}

impl<'a> Iterator for LogReader<'a> {
    type Item = Result<FrameAt<'a>, Refusal>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.done {
            let bytes = self.bytes.get(self.at).copied().unwrap_or_default();
            match self.walk.step(Window { segment: self.at, offset: 0, bytes }) {
                Ok(Step::Need { segment, offset, len }) => {
                    self.at = segment;
                    let have = self.bytes.get(segment).map_or(0, |b| b.len() as u64);
                    self.done = offset.saturating_add(len as u64) > have;
                }
                Ok(Step::Frame { segment, position, header, payload }) => {
                    let sequence = self.walk.segments()[segment].sequence;
                    return Some(Ok(FrameAt { sequence, position, header, payload }));
                }
                Ok(Step::End) => self.done = true,
                Err(refusal) => {
                    self.done = true;
                    return Some(Err(refusal));
                }
            }
        }
        None
    }
}

/// Every frame in one segment that verifies by itself, live or not, whatever stands between: for looking at damage.
pub fn intact_frames<'a>(segment: &'a Segment, bytes: &'a [u8]) -> impl Iterator<Item = FrameAt<'a>> {
    let mut position = segment.unit;
    std::iter::from_fn(move || {
        while position + FRAME_HEADER as u64 <= segment.size {
            let at = usize::try_from(position).ok()?;
            let found = parse(bytes.get(at..)?, segment.size - position, segment.salt);
            if let Ok(Parsed::Frame(sealed, range)) = found {
                let payload = &bytes[at..][range];
                let frame = FrameAt { sequence: segment.sequence, position, header: sealed.header, payload };
                position += sealed.header.frame_len();
                return Some(frame);
            }
            position += FRAME_ALIGN;
        }
        None
    })
}
