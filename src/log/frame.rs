//! Frames: the unit in which the log is written, checked and replicated. Pure: bytes in, header or fault out.
//!
//! The writer encodes frames; recovery, the offline readers and later replication decode them with [`parse`]. What
//! must always hold: a frame that [`parse`] accepts is, byte for byte, one that a writer of *this* use of the segment
//! (its salt) wrote as a whole. Whether it follows the frame before it is judged by [`Walk`](super::walk::Walk).
//!
//! The layout is drawn in `docs/log-format.md`.

use std::ops::Range;

use super::bytes::{u16_at, u32_at, u64_at};

/// First bytes of every frame.
pub const FRAME_MAGIC: [u8; 4] = *b"akfr";
/// Length of a frame header; the payload follows it at once.
pub const FRAME_HEADER: usize = 80;
/// Frames start at multiples of this many bytes.
pub const FRAME_ALIGN: u64 = 64;
/// Length of the payload of a start frame.
pub const START_PAYLOAD: usize = 80;
/// Highest feature level that this version of ackd understands.
pub const FEATURE_LEVEL: u16 = 1;

/// Flag: written under `always`, that is, only when everything before it was durable.
const FLAG_ALWAYS: u8 = 1;

/// What a frame carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameKind {
    /// Bytes of the effect stream.
    Effects,
    /// The first frame of a segment; says where the segment before it ends.
    Start,
    /// Nothing; raises the durable watermark on disk.
    Seal,
    /// An entry without effects.
    NoOp,
}

impl FrameKind {
    fn code(self) -> u8 {
        match self {
            Self::Effects => 1,
            Self::Start => 2,
            Self::Seal => 3,
            Self::NoOp => 4,
        }
    }

    fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Effects),
            2 => Some(Self::Start),
            3 => Some(Self::Seal),
            4 => Some(Self::NoOp),
            _ => None,
        }
    }

    /// Whether frames of this kind are entries, which raise the index. Start frames and seals are marks of the local
    /// log: another node places them elsewhere, so they repeat the index of the entry before them.
    pub fn is_entry(self) -> bool {
        matches!(self, Self::Effects | Self::NoOp)
    }
}

/// The fields of a frame header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    /// What the frame carries.
    pub kind: FrameKind,
    /// Written under `always`: everything before this frame was durable when it was submitted.
    pub always: bool,
    /// Lowest feature level that a reader must understand.
    pub feature_level: u16,
    /// Length of the payload in bytes.
    pub payload_len: u64,
    /// Number of the entry, counted from 1; marks repeat that of the entry before them.
    pub index: u64,
    /// Term of the leader that made the entry; 1 until there is replication.
    pub term: u64,
    /// Stream offset of the first byte of the payload.
    pub offset: u64,
    /// Wall-clock milliseconds, never below those of the frame before.
    pub wall_ms: u64,
    /// Stream offset below which everything was durable when this header was written.
    pub durable: u64,
    /// Stream offset below which everything was committed when this header was written.
    pub committed: u64,
    /// Header CRC of the frame before this one, across segments; 0 for the first of all.
    pub previous_crc: u32,
    /// CRC32 of the payload, unsalted: it can travel to other nodes.
    pub payload_crc: u32,
}

impl FrameHeader {
    /// Stream offset behind the payload. Only effects take room in the stream.
    pub fn end_offset(&self) -> u64 {
        match self.kind {
            FrameKind::Effects => self.offset.saturating_add(self.payload_len),
            _ => self.offset,
        }
    }

    /// Bytes that the frame takes in its segment, up to where the next may start.
    pub fn frame_len(&self) -> u64 {
        frame_len(self.payload_len)
    }

    /// The header as it stands on disk, and its CRC.
    pub fn encode(&self, salt: u64) -> ([u8; FRAME_HEADER], u32) {
        let mut out = [0; FRAME_HEADER];
        let mut at = 0;
        let mut put = |field: &[u8]| {
            out[at..at + field.len()].copy_from_slice(field);
            at += field.len();
        };
        put(&FRAME_MAGIC);
        put(&[self.kind.code(), if self.always { FLAG_ALWAYS } else { 0 }]);
        put(&self.feature_level.to_le_bytes());
        put(&self.payload_len.to_le_bytes());
        put(&self.index.to_le_bytes());
        put(&self.term.to_le_bytes());
        put(&self.offset.to_le_bytes());
        put(&self.wall_ms.to_le_bytes());
        put(&self.durable.to_le_bytes());
        put(&self.committed.to_le_bytes());
        put(&self.previous_crc.to_le_bytes());
        put(&self.payload_crc.to_le_bytes());
        put(&[0; 4]);
        let crc = header_crc(&out, salt);
        out[76..].copy_from_slice(&crc.to_le_bytes());
        (out, crc)
    }
}

/// Bytes that a frame with such a payload takes in its segment.
pub fn frame_len(payload_len: u64) -> u64 {
    payload_len.saturating_add(FRAME_HEADER as u64).saturating_add(FRAME_ALIGN - 1) / FRAME_ALIGN * FRAME_ALIGN
}

/// CRC32 over the salt and all of the header but the CRC itself.
fn header_crc(header: &[u8; FRAME_HEADER], salt: u64) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&salt.to_le_bytes());
    hasher.update(&header[..76]);
    hasher.finalize()
}

/// Why bytes are not a frame of this segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameFault {
    /// The place does not begin with the magic of a frame.
    #[error("no frame begins here")]
    NoMagic,
    /// The header CRC, which is seeded with the salt of the segment, does not match.
    #[error("the frame header does not match its checksum")]
    HeaderCrc,
    /// The header is intact and yet says what no writer writes.
    #[error("the frame header contradicts itself ({0})")]
    Contradiction(&'static str),
    /// The payload would reach past the end of the segment.
    #[error("the frame reaches past the end of its segment")]
    TooLong,
    /// The payload CRC does not match; the header does.
    #[error("the payload does not match its checksum")]
    PayloadCrc,
    /// The header is intact and asks for what this version does not know.
    #[error("the frame needs a newer version of ackd (kind {kind}, feature level {feature_level})")]
    Unsupported {
        /// The code of the kind.
        kind: u8,
        /// The feature level asked for.
        feature_level: u16,
    },
}

/// A frame header that matches its checksum, with that checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// The fields.
    pub header: FrameHeader,
    /// The header CRC, which the next frame repeats.
    pub crc: u32,
}

/// Decodes the header at the start of `bytes` (at least [`FRAME_HEADER`] long).
pub fn parse_header(bytes: &[u8], salt: u64) -> Result<Sealed, FrameFault> {
    let Some(raw) = bytes.first_chunk::<FRAME_HEADER>() else { return Err(FrameFault::TooLong) };
    if raw[..4] != FRAME_MAGIC {
        return Err(FrameFault::NoMagic);
    }
    let crc = u32_at(raw, 76);
    if header_crc(raw, salt) != crc {
        return Err(FrameFault::HeaderCrc);
    }
    let feature_level = u16_at(raw, 6);
    let kind = match FrameKind::from_code(raw[4]) {
        Some(kind) if feature_level <= FEATURE_LEVEL && raw[5] & !FLAG_ALWAYS == 0 => kind,
        _ => return Err(FrameFault::Unsupported { kind: raw[4], feature_level }),
    };
    let header = FrameHeader {
        kind,
        always: raw[5] & FLAG_ALWAYS != 0,
        feature_level,
        payload_len: u64_at(raw, 8),
        index: u64_at(raw, 16),
        term: u64_at(raw, 24),
        offset: u64_at(raw, 32),
        wall_ms: u64_at(raw, 40),
        durable: u64_at(raw, 48),
        committed: u64_at(raw, 56),
        previous_crc: u32_at(raw, 64),
        payload_crc: u32_at(raw, 68),
    };
    if header.durable > header.offset || header.committed > header.durable {
        return Err(FrameFault::Contradiction("a watermark lies ahead of the frame"));
    }
    if header.offset.checked_add(header.payload_len).is_none() {
        return Err(FrameFault::Contradiction("the stream would pass its highest offset"));
    }
    Ok(Sealed { header, crc })
}

/// What [`parse`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parsed {
    /// A whole frame; the range is that of the payload within the bytes given.
    Frame(Sealed, Range<usize>),
    /// The header is fine; so many bytes from the start of the frame are needed to see the payload.
    NeedMore(usize),
}

/// Decodes the frame at the start of `bytes`, of which `room` bytes remain in the segment.
pub fn parse(bytes: &[u8], room: u64, salt: u64) -> Result<Parsed, FrameFault> {
    if room < FRAME_HEADER as u64 {
        return Err(FrameFault::NoMagic);
    }
    if bytes.len() < FRAME_HEADER {
        return Ok(Parsed::NeedMore(FRAME_HEADER));
    }
    let sealed = parse_header(bytes, salt)?;
    let whole = sealed.header.payload_len.saturating_add(FRAME_HEADER as u64);
    if whole > room {
        return Err(FrameFault::TooLong);
    }
    let whole = usize::try_from(whole).map_err(|_| FrameFault::TooLong)?;
    let Some(payload) = bytes.get(FRAME_HEADER..whole) else { return Ok(Parsed::NeedMore(whole)) };
    if crc32fast::hash(payload) != sealed.header.payload_crc {
        return Err(FrameFault::PayloadCrc);
    }
    Ok(Parsed::Frame(sealed, FRAME_HEADER..whole))
}

/// The payload of a start frame: where the chain of segments goes on from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartMark {
    /// Sequence number of the segment before; 0 if there is none.
    pub previous_sequence: u64,
    /// Salt of the segment before; 0 if there is none.
    pub previous_salt: u64,
    /// Where the live frames of the segment before end, in bytes from its start. What lies behind is dead.
    pub live_end: u64,
    /// Header CRC of the last live frame.
    pub last_crc: u32,
    /// Stream offset at which this segment begins.
    pub base_offset: u64,
    /// History that the bytes of this segment belong to.
    pub history: super::HistoryId,
}

impl StartMark {
    /// The payload as it stands on disk.
    pub fn encode(&self) -> [u8; START_PAYLOAD] {
        let mut out = [0; START_PAYLOAD];
        out[..8].copy_from_slice(&self.previous_sequence.to_le_bytes());
        out[8..16].copy_from_slice(&self.previous_salt.to_le_bytes());
        out[16..24].copy_from_slice(&self.live_end.to_le_bytes());
        out[24..28].copy_from_slice(&self.last_crc.to_le_bytes());
        out[32..40].copy_from_slice(&self.base_offset.to_le_bytes());
        out[40..].copy_from_slice(self.history.as_bytes());
        out
    }

    /// Decodes the payload of a start frame whose checksum was found right.
    pub fn decode(payload: &[u8]) -> Result<Self, FrameFault> {
        let bad = FrameFault::Contradiction("the start frame is malformed");
        let raw: &[u8; START_PAYLOAD] = payload.try_into().map_err(|_| bad)?;
        let history = super::HistoryId::from_bytes(&raw[40..]).ok_or(bad)?;
        Ok(Self {
            previous_sequence: u64_at(raw, 0),
            previous_salt: u64_at(raw, 8),
            live_end: u64_at(raw, 16),
            last_crc: u32_at(raw, 24),
            base_offset: u64_at(raw, 32),
            history,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::frame_buf::FrameBuf;
    use super::*;

    fn kinds() -> impl Strategy<Value = FrameKind> {
        prop_oneof![Just(FrameKind::Effects), Just(FrameKind::Start), Just(FrameKind::Seal), Just(FrameKind::NoOp)]
    }

    prop_compose! {
        fn headers()(
            kind in kinds(), always: bool, index: u64, term: u64, wall_ms: u64,
            offset in 0..u64::MAX / 2, durable in 0..=100u64, committed in 0..=100u64, previous_crc: u32,
        ) -> FrameHeader {
            let durable = offset / 100 * durable;
            FrameHeader {
                kind, always, feature_level: FEATURE_LEVEL, payload_len: 0, index, term, offset, wall_ms,
                durable, committed: durable / 100 * committed, previous_crc, payload_crc: 0,
            }
        }
    }

    fn frame(mut header: FrameHeader, payload: &[u8], salt: u64) -> Vec<u8> {
        header.payload_len = payload.len() as u64;
        header.payload_crc = crc32fast::hash(payload);
        let mut buf = FrameBuf::new();
        buf.extend_from_slice(payload);
        buf.finish(&header, salt).0.to_vec()
    }

    proptest! {
        #[test]
        fn a_frame_reads_back_as_it_was_written(header in headers(), payload: Vec<u8>, salt: u64) {
            let bytes = frame(header, &payload, salt);
            let Ok(Parsed::Frame(sealed, range)) = parse(&bytes, bytes.len() as u64, salt) else { panic!() };
            prop_assert_eq!(&bytes[range], &payload[..]);
            prop_assert_eq!(sealed.header.offset, header.offset);
            prop_assert_eq!(sealed.header.kind, header.kind);
            prop_assert_eq!(sealed.header.encode(salt).1, sealed.crc);
        }

        #[test]
        fn a_frame_with_one_byte_changed_is_no_frame(
            header in headers(), payload: Vec<u8>, salt: u64, at: prop::sample::Index, flip in 1..=255u8,
        ) {
            let mut bytes = frame(header, &payload, salt);
            let at = at.index(bytes.len());
            bytes[at] ^= flip;
            prop_assert!(!matches!(parse(&bytes, bytes.len() as u64, salt), Ok(Parsed::Frame(..))));
        }

        #[test]
        fn a_frame_of_another_salt_is_no_frame(header in headers(), payload: Vec<u8>, salt: u64) {
            let bytes = frame(header, &payload, salt);
            prop_assert_eq!(parse(&bytes, bytes.len() as u64, salt ^ 1), Err(FrameFault::HeaderCrc));
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes: Vec<u8>, room: u64, salt: u64) {
            let _ = parse(&bytes, room, salt);
        }
    }

    #[test]
    fn a_cut_frame_asks_for_its_missing_bytes() {
        let header = FrameHeader {
            kind: FrameKind::Effects,
            always: true,
            feature_level: 1,
            payload_len: 0,
            index: 1,
            term: 1,
            offset: 0,
            wall_ms: 5,
            durable: 0,
            committed: 0,
            previous_crc: 0,
            payload_crc: 0,
        };
        let bytes = frame(header, &[7; 1000], 9);
        assert_eq!(parse(&bytes[..40], 5000, 9), Ok(Parsed::NeedMore(80)));
        assert_eq!(parse(&bytes[..500], 5000, 9), Ok(Parsed::NeedMore(1080)));
        assert_eq!(parse(&bytes[..500], 1000, 9), Err(FrameFault::TooLong));
    }
}
