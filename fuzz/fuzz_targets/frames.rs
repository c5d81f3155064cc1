//! Headers of frames and segments: what is accepted is, byte for byte, what a writer writes for it, a change of one bit is
//! refused, and a frame that is not all there is asked for by its right length.
//!
//! Input: a salt (8 bytes), and bytes at which a frame begins; also read as the header of a segment. They are tried as they
//! are, and with magic, length and checksums made right.
#![no_main]

use ackd::log::{
    FRAME_HEADER, FRAME_MAGIC, FrameFault, FrameKind, Parsed, SEGMENT_HEADER, SEGMENT_MAGIC, Segment, StartMark, parse,
    parse_header,
};
use ackd_fuzz::memory;
use libfuzzer_sys::fuzz_target;

/// Not read, but covered by the checksum.
const RESERVED: std::ops::Range<usize> = 72..76;
const RESERVED_OF_START: std::ops::Range<usize> = 28..32;

fn seal(frame: &mut [u8], salt: u64, payload: usize) {
    frame[..4].copy_from_slice(&FRAME_MAGIC);
    frame[8..16].copy_from_slice(&(payload as u64).to_le_bytes());
    let sum = crc32fast::hash(&frame[FRAME_HEADER..FRAME_HEADER + payload]);
    frame[68..72].copy_from_slice(&sum.to_le_bytes());
    let sum = crc32fast::hash(&[&salt.to_le_bytes(), &frame[..76]].concat());
    frame[76..80].copy_from_slice(&sum.to_le_bytes());
}

fn without(bytes: &[u8], reserved: std::ops::Range<usize>) -> Vec<u8> {
    [&bytes[..reserved.start], &bytes[reserved.end..]].concat()
}

fn look_at(bytes: &[u8], salt: u64) {
    let room = bytes.len() as u64;
    match memory::for_input(bytes, || parse(bytes, room, salt)) {
        Ok(Parsed::Frame(sealed, payload)) => {
            let whole = &bytes[..payload.end];
            assert_eq!(payload.len() as u64, sealed.header.payload_len);
            assert_eq!(parse(whole, room, salt), Ok(Parsed::Frame(sealed, payload.clone())));
            assert_eq!(parse(&whole[..FRAME_HEADER], room, salt).is_ok(), true);
            if !payload.is_empty() {
                let cut = parse(&whole[..whole.len() - 1], room, salt);
                assert_eq!(cut, Ok(Parsed::NeedMore(payload.end)));
                assert_eq!(
                    parse(&whole[..whole.len() - 1], room.min(payload.end as u64 - 1), salt),
                    Err(FrameFault::TooLong)
                );
            }
            if whole.get(RESERVED) == Some(&[0; 4]) {
                let (written, crc) = sealed.header.encode(salt);
                assert_eq!((&written[..], crc), (&whole[..FRAME_HEADER], sealed.crc));
            }
            let mut damaged = whole.to_vec();
            let at = salt as usize % (8 * damaged.len());
            damaged[at / 8] ^= 1 << (at % 8);
            assert!(!matches!(parse(&damaged, room, salt), Ok(Parsed::Frame(..))), "bit {at}");
            assert!(parse_header(whole, salt ^ 1).is_err(), "a header of another use of the file");
            if sealed.header.kind == FrameKind::Start
                && let Ok(mark) = StartMark::decode(&bytes[payload.clone()])
            {
                let stands = without(&bytes[payload], RESERVED_OF_START);
                assert_eq!(without(&mark.encode(), RESERVED_OF_START), stands);
            }
        }
        Ok(Parsed::NeedMore(len)) => assert!(len > bytes.len()),
        Err(_) => {}
    }
    if let Ok((segment, history)) = memory::for_input(bytes, || Segment::decode(bytes)) {
        assert!(segment.is_sound());
        assert_eq!(segment.encode(&history), bytes[..SEGMENT_HEADER]);
        assert_eq!(Segment::sequence_of(&segment.file_name()), Some(segment.sequence));
        assert!(segment.room_when_fresh() < segment.size);
    }
}

fuzz_target!(|input: &[u8]| {
    let Some((salt, bytes)) = input.split_first_chunk() else { return };
    let salt = u64::from_le_bytes(*salt);
    look_at(bytes, salt);
    if bytes.len() >= FRAME_HEADER {
        let mut mended = bytes.to_vec();
        seal(&mut mended, salt, bytes.len() - FRAME_HEADER - usize::from(bytes[8]) % (bytes.len() - FRAME_HEADER + 1));
        look_at(&mended, salt);
    }
    if bytes.len() >= SEGMENT_HEADER {
        let mut mended = bytes.to_vec();
        mended[..8].copy_from_slice(&SEGMENT_MAGIC);
        let sum = crc32fast::hash(&mended[..80]);
        mended[80..84].copy_from_slice(&sum.to_le_bytes());
        look_at(&mended, salt);
    }
});
