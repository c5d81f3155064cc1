//! The walk along the chain of segments, and the verdict at its end. Pure: it asks for bytes and judges them.
//!
//! Recovery feeds it through the `Disk`, the offline tools from memory maps; so both reach the same verdict. What must
//! always hold: a frame handed out was written by this directory's writers, whole, and directly behind the one handed
//! out before it; and the walk ends without a refusal only if cutting at its end loses nothing that was durable.
//!
//! Three phases. *Survey*: header block and start frame of every segment listed; the start frames decide, from the
//! last one backwards, which segments are live and where each ends. *Frames*: each live segment, frame by frame.
//! *Scan*: from the first place that does not verify to the end of the last segment, for headers that prove that what
//! is damaged was durable.

mod frames;
mod scan;
mod survey;

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use super::error::{Cause, Consequence, Refusal};
use super::frame::{
    FRAME_ALIGN, FRAME_HEADER, FrameFault, FrameHeader, FrameKind, Parsed, START_PAYLOAD, Sealed, StartMark, frame_len,
    parse, parse_header,
};
use super::manifest::Place;
use super::segment::{Segment, SegmentFault};

/// A place between two frames of the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    /// Which of the listed segments; `None` before the first frame of all.
    pub segment: Option<usize>,
    /// End of the frame before, in bytes from the start of the segment.
    pub position: u64,
    /// Header CRC of the frame before.
    pub crc: u32,
    /// Stream offset.
    pub offset: u64,
    /// Index of the last entry.
    pub index: u64,
    /// Term of the last entry.
    pub term: u64,
    /// Wall-clock milliseconds of the frame before.
    pub wall_ms: u64,
}

impl Point {
    /// Before the first frame of a new directory.
    pub const ORIGIN: Self = Self { segment: None, position: 0, crc: 0, offset: 0, index: 0, term: 1, wall_ms: 0 };
}

/// Bytes of a listed segment that the caller has at hand.
#[derive(Clone, Copy, Debug)]
pub struct Window<'a> {
    /// Which of the listed segments.
    pub segment: usize,
    /// Where in it the bytes begin.
    pub offset: u64,
    /// The bytes.
    pub bytes: &'a [u8],
}

impl<'a> Window<'a> {
    /// No bytes at all: the window to begin with.
    pub const EMPTY: Window<'static> = Window { segment: usize::MAX, offset: 0, bytes: &[] };

    /// All bytes from `offset` on, if there are at least `len`.
    fn from(&self, segment: usize, offset: u64, len: usize) -> Option<&'a [u8]> {
        let start = usize::try_from(offset.checked_sub(self.offset)?).ok()?;
        (self.segment == segment).then_some(())?;
        self.bytes.get(start..).filter(|rest| rest.len() >= len)
    }
}

/// What the walk says next.
#[derive(Clone, Copy, Debug)]
pub enum Step<'a> {
    /// Call again with a window that holds at least these bytes; more is better.
    Need {
        /// Which of the listed segments.
        segment: usize,
        /// First byte needed.
        offset: u64,
        /// Number of bytes needed; they lie within the segment.
        len: usize,
    },
    /// The next frame of the chain.
    Frame {
        /// Which of the listed segments.
        segment: usize,
        /// Where the frame begins in it.
        position: u64,
        /// Its header.
        header: FrameHeader,
        /// Its payload.
        payload: &'a [u8],
    },
    /// There is no more; see [`Walk::outcome`].
    End,
}

/// A cut that is needed at the end of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TornTail {
    /// The file in which the cut lies.
    pub file: PathBuf,
    /// Where in the file.
    pub position: u64,
    /// Stream offset of the cut.
    pub offset: u64,
    /// Bytes behind the cut that are not zero, counted from the cut to the last of them, over all files.
    pub bytes: u64,
    /// Wall-clock milliseconds of the last frame before the cut.
    pub at_ms: u64,
    /// What is wrong at the cut.
    pub cause: String,
}

/// The end of the chain, and what is known about it.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Where the live frames end.
    pub end: Point,
    /// The last place up to which everything is known to have been durable.
    pub durable_at: Point,
    /// The highest durable offset found in MANIFEST or in any valid header.
    pub durable: u64,
    /// What has to be cut, if anything.
    pub torn: Option<TornTail>,
    /// Indices of the listed segments that are part of the chain up to `end`, those before the walk's beginning included.
    pub live: Vec<usize>,
    /// What is wrong in parts that this recovery does not need.
    pub warnings: Vec<String>,
}

/// What the survey found of one segment.
#[derive(Clone, Debug)]
struct Surveyed {
    header: Result<(), SegmentFault>,
    start: Option<(FrameHeader, StartMark)>,
}

/// A member of the chain.
#[derive(Clone, Copy, Debug)]
struct Link {
    segment: usize,
    /// End of the live frames and CRC of the last of them, as the next member says.
    live_end: Option<(u64, u32)>,
}

#[derive(Clone, Debug)]
enum Phase {
    Survey,
    Frames { link: usize },
    Scan { segment: usize, position: u64 },
    Done,
}

/// Damage found, while it is not yet judged.
#[derive(Clone, Debug)]
struct Damage {
    segment: usize,
    position: u64,
    /// The start frame that is damaged, when that is what ended the chain.
    start_of: Option<usize>,
    cause: String,
    broken_chain: bool,
    covered: bool,
    known: u64,
    bytes: u64,
}

/// Switches for the tests of the test harness; see [`planted`](super::planted).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct WalkFaults {
    pub accept_stale: bool,
    pub drop_watermark: bool,
}

/// What the walk is told at the beginning.
#[derive(Clone, Debug)]
pub struct WalkInput {
    /// Segments and spares by ascending sequence, as MANIFEST lists them.
    pub segments: Vec<Segment>,
    /// The directory that holds them, for messages.
    pub directory: PathBuf,
    /// The durable offset of MANIFEST.
    pub durable: u64,
    /// MANIFEST was written by a clean shutdown: all ends at `durable`.
    pub clean: bool,
    /// Offset of the oldest snapshot kept: the log must reach back to it. 0 if there is none.
    pub base_offset: u64,
    /// A server may be writing meanwhile: what does not verify at the end of the last segment is taken for frames
    /// under way, unless it is known to have been durable.
    pub tail_is_live: bool,
}

/// The walk; see the head of the module.
#[derive(Clone, Debug)]
pub struct Walk {
    input: WalkInput,
    faults: WalkFaults,
    surveyed: Vec<Surveyed>,
    chain: Vec<Link>,
    phase: Phase,
    point: Point,
    stop_at: Option<Point>,
    resume: Option<(u64, Point)>,
    /// Where replay begins, if not at the beginning.
    from: Option<Place>,
    durable: u64,
    durable_at: Point,
    above: VecDeque<Point>,
    damage: Option<Damage>,
    warnings: Vec<String>,
}

impl Walk {
    /// A walk over these segments.
    pub fn new(input: WalkInput) -> Self {
        let durable = input.durable;
        Self {
            input,
            faults: WalkFaults::default(),
            surveyed: Vec::new(),
            chain: Vec::new(),
            phase: Phase::Survey,
            point: Point::ORIGIN,
            stop_at: None,
            resume: None,
            from: None,
            durable,
            durable_at: Point::ORIGIN,
            above: VecDeque::new(),
            damage: None,
            warnings: Vec::new(),
        }
    }

    pub(super) fn with_faults(mut self, faults: WalkFaults) -> Self {
        self.faults = faults;
        if faults.drop_watermark {
            self.durable = 0;
        }
        self
    }

    /// Begins behind what a snapshot holds; earlier segments are looked at only so far as to warn of damage. Without
    /// that place the walk is refused.
    pub fn behind(mut self, place: Place) -> Self {
        let Place { offset, index, term, wall_ms, position, crc, .. } = place;
        self.point = Point { segment: None, position, crc, offset, index, term, wall_ms };
        self.durable_at = self.point;
        self.from = Some(place);
        self
    }

    /// Hands out only what follows `point`, which an earlier walk reached in the segment of this sequence number. For
    /// following a log that grows.
    pub fn resuming(mut self, sequence: u64, point: Point) -> Self {
        self.resume = Some((sequence, point));
        self
    }

    /// After the end: the same chain again, from `from` to the end found, for reading it back past the cache.
    pub(super) fn again(&self, from: Point) -> Self {
        let link = self.chain.iter().position(|l| Some(l.segment) == from.segment).unwrap_or(0);
        Self {
            phase: Phase::Frames { link },
            point: from,
            stop_at: Some(self.point),
            damage: None,
            above: VecDeque::new(),
            warnings: Vec::new(),
            faults: WalkFaults::default(),
            resume: None,
            ..self.clone()
        }
    }

    /// Where the walk stands.
    pub fn point(&self) -> Point {
        self.point
    }

    /// Goes on as far as the bytes at hand allow.
    pub fn step<'a>(&mut self, window: Window<'a>) -> Result<Step<'a>, Refusal> {
        loop {
            let step = match self.phase {
                Phase::Survey => self.survey(window)?,
                Phase::Frames { link } => self.frames(link, window)?,
                Phase::Scan { segment, position } => self.scan(segment, position, window)?,
                Phase::Done => Some(Step::End),
            };
            if let Some(step) = step {
                return Ok(step);
            }
        }
    }

    /// The segments that are walked, as listed.
    pub fn segments(&self) -> &[Segment] {
        &self.input.segments
    }

    /// The end of the chain; complete once [`Step::End`] was returned.
    pub fn outcome(&self) -> Outcome {
        let walked = self.chain.iter().map(|l| l.segment).filter(|&s| Some(s) <= self.point.segment);
        let live = (0..self.first_walked()).chain(walked).collect();
        let torn = self.damage.as_ref().filter(|d| d.bytes > 0).map(|d| TornTail {
            file: self.path(d.segment),
            position: d.position,
            offset: self.point.offset,
            bytes: d.bytes,
            at_ms: self.point.wall_ms,
            cause: d.cause.clone(),
        });
        let clean = self.input.clean && self.point.offset == self.input.durable;
        Outcome {
            end: self.point,
            durable_at: if clean { self.point } else { self.durable_at },
            durable: self.durable.min(self.point.offset),
            torn,
            live,
            warnings: self.warnings.clone(),
        }
    }

    /// The first of the listed segments that the walk reads. Those before it are part of the chain as well: what is not
    /// was taken off the list before anything was written behind it.
    fn first_walked(&self) -> usize {
        let Some(Place { sequence, .. }) = self.from.filter(|place| place.sequence > 0) else { return 0 };
        self.input.segments.iter().position(|s| s.sequence == sequence).unwrap_or(0)
    }

    /// Whether the segments reach back to the beginning of all, where there were no data.
    pub(super) fn begins_at_zero(&self) -> bool {
        match self.surveyed.first().and_then(|first| first.start.as_ref()) {
            Some((_, mark)) => mark.previous_sequence == 0 && mark.base_offset == 0,
            None => self.from.is_none(),
        }
    }

    fn refuse(&self, segment: usize, position: u64, cause: Cause) -> Refusal {
        // During the survey no frame was read yet.
        if matches!(self.phase, Phase::Survey) {
            return Refusal { file: self.path(segment), position, cause, consequence: None };
        }
        let kept = self.point.offset;
        let known = self.damage.as_ref().map_or(0, |d| d.known).max(self.durable).max(kept);
        Refusal { file: self.path(segment), position, cause, consequence: Some(Consequence { kept, known }) }
    }

    fn path(&self, segment: usize) -> PathBuf {
        let name = self.input.segments.get(segment).map(Segment::file_name).unwrap_or_default();
        Path::new(&self.input.directory).join(name)
    }
}

/// What stands at a place where the next frame may begin.
enum Found<'a> {
    /// The frame, or a call for the bytes to see it.
    Frame(Step<'a>),
    /// No intact frame.
    Nothing(FrameFault),
    /// An intact frame that does not follow.
    Broken(String),
}
