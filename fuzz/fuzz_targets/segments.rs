//! The walk along segments that a stranger wrote, with every checksum right: it hands out the frames that follow each other,
//! from the first one on, and no other.
//!
//! Input: what is written, frame by frame. Each is right, or differs in one field from what would be, or damaged afterwards;
//! now and then a segment ends and the next one begins.
#![no_main]

use ackd::log::reader::LogReader;
use ackd::log::{FRAME_HEADER, FrameHeader, FrameKind, HistoryId, SEGMENT_HEADER, Segment, StartMark, WalkInput};
use ackd_fuzz::bytes::Bytes;
use ackd_fuzz::memory;
use libfuzzer_sys::fuzz_target;

const UNIT: u64 = 4096;
const SIZE: u64 = 8 * UNIT;
const SEGMENTS: usize = 3;

/// What is written so far.
struct Written {
    segments: Vec<(Segment, Vec<u8>)>,
    history: HistoryId,
    /// The header that would be right next, but for kind, payload and checksums.
    next: FrameHeader,
    position: u64,
    /// Where the last frame ends; the position may lie behind zeros.
    end: u64,
    /// Frames that follow each other from the first one on, as segment and position, each with its end offset.
    sound: Vec<(u64, u64, FrameHeader)>,
    /// Whether nothing yet is wrong.
    is_sound: bool,
    /// Whether all start frames name what is before them, by which the chain is found.
    starts_are_sound: bool,
}

impl Written {
    fn new() -> Self {
        let next = FrameHeader {
            kind: FrameKind::Start,
            always: false,
            feature_level: 1,
            payload_len: 0,
            index: 0,
            term: 1,
            offset: 0,
            wall_ms: 1000,
            durable: 0,
            committed: 0,
            previous_crc: 0,
            payload_crc: 0,
        };
        let history = HistoryId::draw(&mut fastrand::Rng::with_seed(3));
        Self {
            segments: Vec::new(),
            history,
            next,
            position: 0,
            end: 0,
            sound: Vec::new(),
            is_sound: true,
            starts_are_sound: true,
        }
    }

    /// Writes a frame at the position, with a field of it that may be another one.
    fn frame(&mut self, kind: FrameKind, payload: &[u8], bytes: &mut Bytes) {
        let Some((segment, content)) = self.segments.last_mut() else { return };
        let end = self.position as usize + FRAME_HEADER + payload.len();
        if end > content.len() {
            return;
        }
        let Some(index) = self.next.index.checked_add(kind.is_entry().into()) else { return };
        let payload_len = payload.len() as u64;
        let right = FrameHeader { kind, index, payload_len, payload_crc: crc32fast::hash(payload), ..self.next };
        let mut header = right;
        match bytes.byte() {
            0..=199 => {}
            200..=205 => header.index = bytes.u64(),
            206..=211 => header.offset = bytes.u64(),
            212..=217 => header.wall_ms = bytes.u64() >> 16,
            218..=223 => header.previous_crc = bytes.u64() as u32,
            224..=229 => header.payload_crc = bytes.u64() as u32,
            230..=233 => header.payload_len = bytes.u64(),
            234..=237 => header.term = bytes.u64(),
            238..=241 => header.feature_level = bytes.u16(),
            // What a writer may say: nothing of it breaks the chain.
            242..=247 => header.durable = header.offset.min(bytes.u16().into()),
            _ => header.always = true,
        }
        let (encoded, crc) = header.encode(segment.salt);
        let at = self.position as usize;
        content[at..at + FRAME_HEADER].copy_from_slice(&encoded);
        content[at + FRAME_HEADER..end].copy_from_slice(payload);
        let follows = (header.index, header.offset, header.previous_crc, header.payload_crc, header.payload_len)
            == (right.index, right.offset, right.previous_crc, right.payload_crc, right.payload_len)
            && header.term >= right.term
            && header.wall_ms >= right.wall_ms
            && header.feature_level <= 1;
        self.is_sound &= follows;
        if self.is_sound {
            self.sound.push((segment.sequence, self.position, header));
        }
        self.position += right.frame_len();
        self.end = self.position;
        self.next = FrameHeader {
            index: header.index,
            offset: header.end_offset(),
            term: header.term,
            wall_ms: header.wall_ms,
            durable: header.durable.min(header.end_offset()),
            previous_crc: crc,
            ..self.next
        };
    }

    fn segment(&mut self, bytes: &mut Bytes) {
        if self.segments.len() == SEGMENTS {
            return;
        }
        let number = self.segments.len() as u64 + 1;
        let segment =
            Segment { sequence: number, size: SIZE, unit: UNIT, salt: number * 2 + u64::from(bytes.byte() & 1) };
        let before = self.segments.last().map(|(segment, _)| *segment);
        let mut mark = StartMark {
            previous_sequence: before.map_or(0, |segment| segment.sequence),
            previous_salt: before.map_or(0, |segment| segment.salt),
            live_end: self.end,
            last_crc: self.next.previous_crc,
            base_offset: self.next.offset,
            history: self.history,
        };
        let right = mark.clone();
        match bytes.byte() {
            0..=219 => {}
            220..=226 => mark.live_end = bytes.u16().into(),
            227..=233 => mark.last_crc = bytes.u64() as u32,
            234..=240 => mark.previous_sequence = bytes.byte().into(),
            241..=248 => mark.previous_salt = bytes.byte().into(),
            _ => mark.base_offset = bytes.u16().into(),
        }
        let mut content = vec![0; SIZE as usize];
        content[..SEGMENT_HEADER].copy_from_slice(&segment.encode(&self.history));
        self.segments.push((segment, content));
        self.position = UNIT;
        // The chain is decided from its last start frame backwards: after a wrong one, nothing before it is sure either.
        self.starts_are_sound &= mark == right;
        self.is_sound &= mark == right;
        self.frame(FrameKind::Start, &mark.encode(), bytes);
    }
}

fuzz_target!(|input: &[u8]| {
    let mut bytes = Bytes(input);
    let mut written = Written::new();
    let mut is_damaged = false;
    // Where the first of all begins is nowhere else said: near the end of all indices, now and then.
    written.next.index = u64::from(bytes.byte()).checked_sub(250).map_or(0, |before| u64::MAX - before);
    written.segment(&mut Bytes(&[]));
    while !bytes.is_empty() {
        match bytes.byte() {
            0..=119 => {
                let fill = bytes.byte();
                let payload = vec![fill; usize::from(bytes.byte()) << (fill % 4)];
                written.frame(FrameKind::Effects, &payload, &mut bytes);
            }
            120..=149 => written.frame(FrameKind::Seal, &[], &mut bytes),
            150..=169 => written.frame(FrameKind::NoOp, &[], &mut bytes),
            // After a sync, the next frame begins in a fresh unit.
            170..=199 => written.position = written.position.next_multiple_of(UNIT),
            200..=229 => written.segment(&mut bytes),
            _ => {
                let number = bytes.below(SEGMENTS);
                let (at, flip) = (usize::from(bytes.u16()) % SIZE as usize, bytes.byte());
                if let Some((_, content)) = written.segments.get_mut(number) {
                    content[at] ^= flip;
                    is_damaged |= flip != 0;
                }
            }
        }
    }
    let Written { segments, sound, is_sound, starts_are_sound, next, .. } = written;
    let (listed, contents): (Vec<Segment>, Vec<&[u8]>) = segments.iter().map(|(s, content)| (*s, &content[..])).unzip();
    let walk = WalkInput {
        segments: listed.clone(),
        directory: "log".into(),
        durable: 0,
        clean: false,
        base_offset: 0,
        tail_is_live: false,
    };
    let mut reader = LogReader::new(walk, contents.clone());
    let (mut handed_out, mut refusal, mut before) = (0, None, None::<FrameHeader>);
    memory::within(1 << 20, || {
        for frame in reader.by_ref() {
            let frame = match frame {
                Ok(frame) => frame,
                Err(why) => {
                    refusal = Some(why);
                    break;
                }
            };
            // It stands there, intact, and follows the one before.
            let number = listed.iter().position(|s| s.sequence == frame.sequence).expect("it is listed");
            let raw = &contents[number][frame.position as usize..];
            let sealed = ackd::log::parse_header(raw, listed[number].salt).expect("it is intact");
            assert_eq!(sealed.header, frame.header);
            assert_eq!(crc32fast::hash(frame.payload), frame.header.payload_crc);
            if let Some(before) = before {
                assert_eq!(frame.header.offset, before.end_offset());
                assert_eq!(frame.header.index, before.index + u64::from(frame.header.kind.is_entry()));
                assert!(frame.header.wall_ms >= before.wall_ms && frame.header.term >= before.term);
            }
            before = Some(frame.header);
            if !is_damaged && starts_are_sound {
                let due = sound.get(handed_out).copied();
                assert_eq!(due, Some((frame.sequence, frame.position, frame.header)), "frame {handed_out}");
            }
            handed_out += 1;
        }
    });
    if refusal.is_none() {
        let outcome = reader.outcome();
        assert!(outcome.durable <= outcome.end.offset && outcome.durable_at.offset <= outcome.end.offset);
        if is_sound && !is_damaged {
            assert_eq!((handed_out, outcome.end.offset), (sound.len(), next.offset), "all of it is right");
            assert!(outcome.torn.is_none());
        }
    } else {
        assert!(!is_sound || is_damaged, "refused, and all of it is right: {refusal:?}");
    }
});
