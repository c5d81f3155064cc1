//! Whole listpacks, as files and payloads have them: taken if and only if they are sound, to the elements that are in them,
//! readable from both ends; whether those are a list, a set, a sorted set or a hash, with expiry times or without.
//!
//! Input: a listpack, from its length to its end mark. It is tried as it is, and with its length, its count and the length
//! behind each element made right.
#![no_main]

use ackd::base::listpack;
use ackd::base::text::Text;
use ackd::rdb::{Event, Part, Reader};
use ackd_fuzz::{dumps, memory};
use libfuzzer_sys::fuzz_target;

const HASH: u8 = 16;
const ZSET: u8 = 17;
const QUICKLIST: u8 = 18;
const SET: u8 = 20;
const HASH_TIMES: u8 = 25;

/// Head and body of the element that begins here, by the description of the format, and its text.
fn element(bytes: &[u8]) -> Option<(&[u8], Vec<u8>)> {
    let integer = |width: usize| {
        let mut value = [0; 8];
        value[8 - width..].copy_from_slice(bytes.get(1..=width)?);
        Some((1 + width, (i64::from_le_bytes(value) >> (64 - 8 * width)).to_string().into_bytes()))
    };
    let string = |head: usize, len: usize| Some((head + len, bytes.get(head..head.checked_add(len)?)?.to_vec()));
    let (len, text) = match *bytes {
        [value @ 0..=127, ..] => Some((1, value.to_string().into_bytes())),
        [head @ 0x80..=0xbf, ..] => string(1, usize::from(head - 0x80)),
        [head @ 0xc0..=0xdf, low, ..] => {
            let value = i64::from(head - 0xc0) * 256 + i64::from(low);
            Some((2, if value < 4096 { value } else { value - 8192 }.to_string().into_bytes()))
        }
        [head @ 0xe0..=0xef, low, ..] => string(2, usize::from(head - 0xe0) * 256 + usize::from(low)),
        [0xf0, a, b, c, d, ..] => string(5, u32::from_le_bytes([a, b, c, d]) as usize),
        [0xf1, ..] => integer(2),
        [0xf2, ..] => integer(3),
        [0xf3, ..] => integer(4),
        [0xf4, ..] => integer(8),
        _ => None,
    }?;
    Some((&bytes[..len], text))
}

/// The length behind an element, as it is written.
fn backlen(len: usize) -> Vec<u8> {
    let groups = 1 + [127, 16382, 2_097_150, 268_435_454].iter().filter(|most| len > **most).count();
    let group = |at: usize| (len >> (7 * at) & 127) as u8;
    (0..groups).rev().map(|at| if at + 1 == groups { group(at) } else { group(at) | 128 }).collect()
}

/// All elements, if the whole is sound.
fn plain(blob: &[u8]) -> Option<Vec<Vec<u8>>> {
    let (header, rest) = blob.split_first_chunk::<6>()?;
    let (end, mut rest) = rest.split_last()?;
    let mut texts = Vec::new();
    while !rest.is_empty() {
        let (body, text) = element(rest)?;
        rest = rest[body.len()..].strip_prefix(&backlen(body.len())[..])?;
        texts.push(text);
    }
    let [a, b, c, d, low, high] = *header;
    let stated = u16::from_le_bytes([low, high]);
    let is_sound = *end == 255
        && u32::from_le_bytes([a, b, c, d]) as usize == blob.len()
        && (stated == u16::MAX || usize::from(stated) == texts.len());
    is_sound.then_some(texts)
}

/// The elements that begin behind the header, with everything around them made right.
fn mended(blob: &[u8]) -> Vec<u8> {
    let mut out = vec![0; 6];
    let (mut rest, mut count) = (blob.get(6..).unwrap_or_default(), 0_u16);
    while let Some((body, _)) = element(rest) {
        out.extend(body);
        out.extend(backlen(body.len()));
        // One byte behind it may have been the length.
        rest = rest.get(body.len() + 1..).unwrap_or_default();
        count = count.saturating_add(1);
    }
    out.push(255);
    let len = out.len() as u32;
    out[..4].copy_from_slice(&len.to_le_bytes());
    out[4..6].copy_from_slice(&count.to_le_bytes());
    out
}

/// What is in memory is read from both ends, and each element is found.
fn is_sound(elements: &[u8], expected: &[Vec<u8>]) {
    let checked = listpack::check(elements).expect("the reader hands out elements");
    assert!(checked.canonical && checked.count == expected.len());
    let (mut at, mut end) = (0, elements.len());
    for (text, last) in expected.iter().zip(expected.iter().rev()) {
        assert_eq!(listpack::decode(elements, at).to_vec(), *text);
        let found = listpack::find(elements, 0, &listpack::encode(Text::of(text)), 0).expect("it is there");
        assert!(found <= at && listpack::decode(elements, found).to_vec() == *text);
        at = listpack::next(elements, at);
        end = listpack::previous(elements, end);
        assert_eq!(listpack::decode(elements, end).to_vec(), *last);
    }
    assert_eq!((at, end), (elements.len(), 0));
}

fn look_at(blob: &[u8]) {
    let expected = plain(blob);
    let mut node = vec![QUICKLIST, 1, 2];
    dumps::string(blob, &mut node);
    let list = dumps::payload(&node, 10);
    assert_eq!(memory::for_input(blob, || dumps::elements(&list)), expected);
    if let Some(expected) = &expected {
        let mut reader = Reader::of_dump(&list).expect("the checksum is right");
        while let Ok(event) = reader.next() {
            match event {
                Event::Part(Part::Packed(packed)) => is_sound(packed.elements().expect("a listpack"), expected),
                Event::KeyEnd => break,
                _ => {}
            }
        }
    }
    let mut timed = [&[HASH_TIMES][..], &1_767_225_600_000_u64.to_le_bytes()].concat();
    dumps::string(blob, &mut timed);
    let others = [SET, ZSET, HASH].map(|code| dumps::packed(code, blob));
    for payload in others.into_iter().chain([list, dumps::payload(&timed, 12)]) {
        let entry = memory::for_input(blob, || dumps::value(&payload));
        assert!(entry.is_none() || expected.is_some());
        entry.iter().for_each(dumps::survives);
    }
}

fuzz_target!(|blob: &[u8]| {
    look_at(blob);
    look_at(&mended(blob));
});
