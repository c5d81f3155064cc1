//! Segment files: the header block, and how much of a file frames may use. Pure.

use super::HistoryId;
use super::bytes::{u32_at, u64_at};
use super::frame::{FRAME_HEADER, START_PAYLOAD, frame_len};

/// First bytes of every segment.
pub const SEGMENT_MAGIC: [u8; 8] = *b"ackd-log";
/// The version of the format, raised when an older reader could misread a newer file.
pub const FORMAT_VERSION: u32 = 1;
/// Bytes of the header block that carry fields; zeros follow up to the write unit.
pub const SEGMENT_HEADER: usize = 84;
/// Smallest write unit, and so the smallest header block.
pub const MIN_UNIT: u64 = 4096;
/// Largest write unit accepted: a device with a larger physical block does not exist.
pub const MAX_UNIT: u64 = 1 << 20;

/// A segment as MANIFEST lists it. Enough to judge its frames even when its header block is damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Position in the order in which segments are used, counted from 1, never used twice.
    pub sequence: u64,
    /// Length of the file.
    pub size: u64,
    /// The write unit: length of the header block, and what a frame after a sync starts at a multiple of.
    pub unit: u64,
    /// Seeds the header CRC of every frame of this use of the file. Random but for the lowest bit, which tells that the
    /// file held frames of an earlier use: what stands behind the last frame is then not zeros.
    pub salt: u64,
}

impl Segment {
    /// The name of the file within `log/`.
    pub fn file_name(&self) -> String {
        Self::name_of(self.sequence)
    }

    /// The name of the file with this sequence number.
    pub fn name_of(sequence: u64) -> String {
        format!("{sequence:020}.seg")
    }

    /// The sequence number in the name of a segment file; `None` for other names.
    pub fn sequence_of(name: &str) -> Option<u64> {
        let digits = name.strip_suffix(".seg")?;
        (digits.len() == 20 && digits.bytes().all(|b| b.is_ascii_digit())).then(|| digits.parse().ok())?
    }

    /// Whether the file held frames of an earlier use.
    pub fn is_recycled(&self) -> bool {
        self.salt & 1 == 1
    }

    /// The same segment in a file that is used for the first time.
    pub(super) fn fresh(self) -> Self {
        Self { salt: (self.salt & !1).max(2), ..self }
    }

    /// The same segment in a file that is used again.
    pub(super) fn recycled(self) -> Self {
        Self { salt: self.salt | 1, ..self }
    }

    /// Whether the fields can be those of a segment.
    pub fn is_sound(&self) -> bool {
        self.sequence > 0
            && self.salt != 0
            && self.unit.is_power_of_two()
            && (MIN_UNIT..=MAX_UNIT).contains(&self.unit)
            && self.size.is_multiple_of(self.unit)
            && self.size >= size_for(0, self.unit)
    }

    /// `position` moved up to the next write unit.
    pub fn next_unit(&self, position: u64) -> u64 {
        position.next_multiple_of(self.unit)
    }

    /// The payload bytes that one frame can carry in what is left behind `position`, whatever is synced before it.
    pub fn room_behind(&self, position: u64) -> u64 {
        let seal = self.unit;
        self.size.saturating_sub(seal + self.next_unit(position)).saturating_sub(FRAME_HEADER as u64)
    }

    /// The payload bytes that one frame can carry when this segment is still a spare.
    pub fn room_when_fresh(&self) -> u64 {
        self.room_behind(self.unit + frame_len(START_PAYLOAD as u64))
    }

    /// The header block's fields as they stand on disk.
    pub fn encode(&self, history: &HistoryId) -> [u8; SEGMENT_HEADER] {
        let mut out = [0; SEGMENT_HEADER];
        out[..8].copy_from_slice(&SEGMENT_MAGIC);
        out[8..12].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
        let unit = u32::try_from(self.unit).expect("a write unit is at most MAX_UNIT");
        out[12..16].copy_from_slice(&unit.to_le_bytes());
        out[16..24].copy_from_slice(&self.size.to_le_bytes());
        out[24..32].copy_from_slice(&self.sequence.to_le_bytes());
        out[32..40].copy_from_slice(&self.salt.to_le_bytes());
        out[40..80].copy_from_slice(history.as_bytes());
        let crc = crc32fast::hash(&out[..80]);
        out[80..].copy_from_slice(&crc.to_le_bytes());
        out
    }

    /// Decodes a header block.
    pub fn decode(block: &[u8]) -> Result<(Self, HistoryId), SegmentFault> {
        let raw = block.first_chunk::<SEGMENT_HEADER>().ok_or(SegmentFault::Short)?;
        if raw[..8] != SEGMENT_MAGIC {
            return Err(SegmentFault::NoMagic);
        }
        if crc32fast::hash(&raw[..80]) != u32_at(raw, 80) {
            return Err(SegmentFault::Crc);
        }
        let version = u32_at(raw, 8);
        if version != FORMAT_VERSION {
            return Err(SegmentFault::Version(version));
        }
        let segment = Self {
            unit: u64::from(u32_at(raw, 12)),
            size: u64_at(raw, 16),
            sequence: u64_at(raw, 24),
            salt: u64_at(raw, 32),
        };
        let history = HistoryId::from_bytes(&raw[40..80]).ok_or(SegmentFault::Contradiction)?;
        if !segment.is_sound() {
            return Err(SegmentFault::Contradiction);
        }
        Ok((segment, history))
    }
}

/// The size of a segment that takes one frame with so large a payload: header block, start frame, the frame, a seal.
pub fn size_for(payload: u64, unit: u64) -> u64 {
    let frame = frame_len(payload).saturating_add(unit - 1) / unit * unit;
    frame.saturating_add(3 * unit)
}

/// Why a block is not the header of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SegmentFault {
    /// Fewer bytes than a header has.
    #[error("the file is shorter than a segment header")]
    Short,
    /// It does not begin with the magic of a segment.
    #[error("no segment header begins here")]
    NoMagic,
    /// The checksum does not match.
    #[error("the segment header does not match its checksum")]
    Crc,
    /// Written by another version of the format.
    #[error("the segment has format version {0}, this ackd reads version {FORMAT_VERSION}")]
    Version(u32),
    /// The checksum is right and the fields cannot be.
    #[error("the segment header contradicts itself")]
    Contradiction,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_segment_header_reads_back_as_it_was_written(sequence in 1..u64::MAX, units in 4..1u64 << 30, salt in 1..u64::MAX) {
            let segment = Segment { sequence, size: units * 4096, unit: 4096, salt };
            let history = HistoryId::draw(&mut fastrand::Rng::with_seed(salt));
            prop_assert_eq!(Segment::decode(&segment.encode(&history)), Ok((segment, history)));
            prop_assert_eq!(Segment::sequence_of(&segment.file_name()), Some(sequence));
        }

        #[test]
        fn a_segment_header_with_one_byte_changed_is_refused(at in 0..SEGMENT_HEADER, flip in 1..=255u8) {
            let segment = Segment { sequence: 3, size: 1 << 20, unit: 4096, salt: 77 };
            let mut raw = segment.encode(&HistoryId::draw(&mut fastrand::Rng::with_seed(1)));
            raw[at] ^= flip;
            prop_assert!(Segment::decode(&raw).is_err());
        }

        #[test]
        fn a_segment_of_its_own_size_takes_its_frame(payload in 0..1u64 << 40) {
            let segment = Segment { sequence: 1, size: size_for(payload, 4096), unit: 4096, salt: 1 };
            prop_assert!(segment.room_when_fresh() >= payload);
            prop_assert!(segment.room_when_fresh() < payload + 4096 + 64);
        }
    }
}
