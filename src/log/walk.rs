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

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use super::error::{Cause, Consequence, Refusal};
use super::frame::{
    FRAME_ALIGN, FRAME_HEADER, FrameFault, FrameHeader, FrameKind, Parsed, START_PAYLOAD, Sealed, StartMark, frame_len,
    parse, parse_header,
};
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
    /// Indices of the listed segments that are part of the chain up to `end`.
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

    /// The end of the chain; complete once [`Step::End`] was returned.
    pub fn outcome(&self) -> Outcome {
        let live = self.chain.iter().map(|l| l.segment).filter(|&s| Some(s) <= self.point.segment).collect();
        let torn = self.damage.as_ref().filter(|d| d.bytes > 0).map(|d| TornTail {
            file: self.path(d.segment),
            position: d.position,
            offset: self.point.offset,
            bytes: d.bytes,
            at_ms: self.point.wall_ms,
            cause: d.cause.clone(),
        });
        Outcome {
            end: self.point,
            durable_at: self.durable_at,
            durable: self.durable.min(self.point.offset),
            torn,
            live,
            warnings: self.warnings.clone(),
        }
    }

    // ---- survey -----------------------------------------------------------------------------------------------------

    fn survey<'a>(&mut self, window: Window<'a>) -> Result<Option<Step<'a>>, Refusal> {
        let index = self.surveyed.len();
        let Some(&listed) = self.input.segments.get(index) else {
            self.link()?;
            return Ok(None);
        };
        let first = usize::try_from(listed.unit + frame_len(START_PAYLOAD as u64)).unwrap_or(usize::MAX);
        let Some(bytes) = window.from(index, 0, first) else {
            return Ok(Some(Step::Need { segment: index, offset: 0, len: first }));
        };
        let header = match Segment::decode(bytes) {
            Ok((found, _)) if found == listed => Ok(()),
            Ok(_) => return Err(self.refuse(index, 0, Cause::Swapped)),
            Err(fault @ SegmentFault::Version(_)) => {
                return Err(self.refuse(index, 8, Cause::Unsupported(fault.to_string())));
            }
            Err(fault) => Err(fault),
        };
        let at = usize::try_from(listed.unit).unwrap_or(usize::MAX);
        let start = match parse(&bytes[at..], listed.size - listed.unit, listed.salt) {
            Ok(Parsed::Frame(sealed, range)) if sealed.header.kind == FrameKind::Start => {
                let mark = StartMark::decode(&bytes[at..][range]).ok();
                mark.map(|mark| (sealed.header, mark))
            }
            Err(fault @ FrameFault::Unsupported { .. }) => {
                return Err(self.refuse(index, listed.unit, Cause::Unsupported(fault.to_string())));
            }
            _ => None,
        };
        self.surveyed.push(Surveyed { header, start });
        Ok(None)
    }

    /// Builds the chain from the last start frame backwards: each names the segment before it.
    fn link(&mut self) -> Result<(), Refusal> {
        let Some(last) = self.surveyed.iter().rposition(|s| s.start.is_some()) else {
            // Nothing was ever begun, or the only start frame is torn: the scan decides.
            self.chain =
                (!self.surveyed.is_empty()).then_some(Link { segment: 0, live_end: None }).into_iter().collect();
            self.phase = if self.chain.is_empty() { Phase::Done } else { Phase::Frames { link: 0 } };
            if self.chain.is_empty() && self.durable > self.input.base_offset {
                let cause = Cause::Damaged("no segment is listed".into());
                return Err(Refusal {
                    file: self.input.directory.clone(),
                    position: 0,
                    cause,
                    consequence: Consequence { kept: 0, known: self.durable },
                });
            }
            return Ok(());
        };
        let mut chain = vec![Link { segment: last, live_end: None }];
        let mut current = last;
        while current > 0 {
            let (before, live_end) = match &self.surveyed[current].start {
                Some((_, mark)) if mark.previous_sequence == 0 => break,
                Some((_, mark)) => {
                    let named = |s: &Segment| s.salt == mark.previous_salt && s.sequence == mark.previous_sequence;
                    let Some(before) = self.input.segments[..current].iter().position(named) else {
                        let cause = format!("the segment before it (number {}) is not listed", mark.previous_sequence);
                        return Err(self.refuse(current, self.input.segments[current].unit, Cause::BrokenChain(cause)));
                    };
                    (before, Some((mark.live_end, mark.last_crc)))
                }
                // Its own start frame is damaged: the walk will stop there, and the scan judge it.
                None => (current - 1, None),
            };
            chain.push(Link { segment: before, live_end });
            current = before;
        }
        chain.reverse();
        self.chain = chain;
        self.phase = Phase::Frames { link: 0 };
        self.warn_of_spares(last);
        Ok(())
    }

    fn warn_of_spares(&mut self, last: usize) {
        for index in last + 1..self.surveyed.len() {
            if let Err(fault) = self.surveyed[index].header {
                self.warnings.push(format!("{}: {fault}; the segment is unused", self.path(index).display()));
            }
        }
    }

    // ---- frames -----------------------------------------------------------------------------------------------------

    fn frames<'a>(&mut self, at: usize, window: Window<'a>) -> Result<Option<Step<'a>>, Refusal> {
        if self.stop_at == Some(self.point) {
            self.phase = Phase::Done;
            return Ok(None);
        }
        let Link { segment, live_end } = self.chain[at];
        if self.point.segment != Some(segment) {
            return self.start(segment, window);
        }
        if let Some((end, crc)) = live_end {
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
        // After a sync the next frame stands in a fresh write unit.
        Ok(match self.frame_at(segment, near, fresh, window)? {
            Found::Nothing(FrameFault::NoMagic) => self.damaged(segment, near, first, true),
            second => self.damaged(segment, fresh, second, true),
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
            if mark.base_offset > self.input.base_offset || (self.input.base_offset == 0 && mark.previous_sequence != 0)
            {
                let cause = Cause::MissingBeginning { found: mark.base_offset };
                return Err(self.refuse(segment, listed.unit, cause));
            }
            self.point = Point {
                crc: first.previous_crc,
                offset: first.offset,
                index: first.index,
                term: first.term,
                ..Point::ORIGIN
            };
            self.durable_at = self.point;
        }
        if mark.base_offset != first.offset || mark.last_crc != first.previous_crc {
            let cause = Cause::BrokenChain("the start frame contradicts its header".into());
            return Err(self.refuse(segment, listed.unit, cause));
        }
        let found = self.frame_at(segment, listed.unit, listed.unit, window)?;
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
        if header.index != before.index + u64::from(header.kind.is_entry()) {
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
        self.point = Point {
            segment: Some(segment),
            position: position + header.frame_len(),
            crc: *crc,
            offset: header.end_offset(),
            index: header.index,
            term: header.term,
            wall_ms: header.wall_ms,
        };
        self.above.push_back(self.point);
        if !self.faults.drop_watermark {
            self.durable = self.durable.max(header.durable);
        }
        while let Some(&first) = self.above.front().filter(|p| p.offset <= self.durable) {
            self.durable_at = first;
            self.above.pop_front();
        }
    }

    // ---- damage -----------------------------------------------------------------------------------------------------

    /// Passes a frame on; anything else found is where the chain ends, and is scanned behind before it is judged.
    fn damaged<'a>(&mut self, segment: usize, position: u64, found: Found<'a>, chained: bool) -> Option<Step<'a>> {
        let (cause, broken_chain) = match found {
            Found::Frame(step) => return Some(step),
            Found::Nothing(fault) => (fault.to_string(), false),
            Found::Broken(cause) => (cause, chained),
        };
        let ends_here = self.input.clean && self.point.offset == self.input.durable && !broken_chain;
        let damage = Damage { segment, position, cause, broken_chain, covered: false, known: 0, bytes: 0 };
        self.damage = Some(damage);
        self.phase = if ends_here { Phase::Done } else { Phase::Scan { segment, position } };
        None
    }

    /// Looks on behind the damage, up to the end of the last segment.
    fn scan<'a>(&mut self, segment: usize, from: u64, window: Window<'a>) -> Result<Option<Step<'a>>, Refusal> {
        let Some(&listed) = self.input.segments.get(segment) else {
            return self.judge().map(|()| None);
        };
        let mut position = from;
        while position < listed.size {
            let block = FRAME_ALIGN as usize;
            let need = |len| Ok(Some(Step::Need { segment, offset: position, len }));
            let Some(bytes) = window.from(segment, position, block) else {
                self.phase = Phase::Scan { segment, position };
                return need(block);
            };
            if bytes[..block].iter().any(|&b| b != 0) {
                if listed.size - position >= FRAME_HEADER as u64 && bytes.len() < FRAME_HEADER {
                    self.phase = Phase::Scan { segment, position };
                    return need(FRAME_HEADER);
                }
                self.look_at(segment, position, bytes)?;
            }
            position += FRAME_ALIGN;
        }
        let unit = self.input.segments.get(segment + 1).map_or(0, |next| next.unit);
        self.phase = Phase::Scan { segment: segment + 1, position: unit };
        Ok(None)
    }

    /// One place behind the damage that is not zero.
    fn look_at(&mut self, segment: usize, position: u64, bytes: &[u8]) -> Result<(), Refusal> {
        let listed = self.input.segments[segment];
        let sealed = parse_header(bytes, listed.salt);
        let Some(damage) = &mut self.damage else { return Ok(()) };
        let before: u64 = if segment == damage.segment { damage.position } else { listed.unit };
        let whole: u64 = position + FRAME_ALIGN - before;
        damage.bytes = if segment == damage.segment { whole } else { damage.bytes.saturating_add(FRAME_ALIGN) };
        match sealed {
            Ok(Sealed { header, .. }) => {
                let at_damage = (segment, position) == (damage.segment, damage.position);
                damage.covered |= header.always && (!at_damage || damage.broken_chain);
                damage.known = damage.known.max(header.end_offset());
                if !self.faults.drop_watermark {
                    self.durable = self.durable.max(header.durable);
                }
                Ok(())
            }
            Err(fault @ FrameFault::Unsupported { .. }) => {
                Err(self.refuse(segment, position, Cause::Unsupported(fault.to_string())))
            }
            Err(_) => Ok(()),
        }
    }

    /// Damage at or above the durable offset is a torn tail; anything else refuses the start.
    fn judge(&mut self) -> Result<(), Refusal> {
        self.phase = Phase::Done;
        let Some(damage) = &self.damage else { return Ok(()) };
        let kept = self.point.offset;
        let cause = if self.durable > kept {
            Some(Cause::Damaged(damage.cause.clone()))
        } else if damage.covered && !self.faults.drop_watermark {
            let cause = damage.cause.clone();
            Some(if damage.broken_chain { Cause::BrokenChain(cause) } else { Cause::Covered(cause) })
        } else {
            None
        };
        match cause {
            None => Ok(()),
            Some(cause) => Err(self.refuse(damage.segment, damage.position, cause)),
        }
    }

    fn refuse(&self, segment: usize, position: u64, cause: Cause) -> Refusal {
        let kept = self.point.offset;
        let known = self.damage.as_ref().map_or(0, |d| d.known).max(self.durable).max(kept);
        Refusal { file: self.path(segment), position, cause, consequence: Consequence { kept, known } }
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
