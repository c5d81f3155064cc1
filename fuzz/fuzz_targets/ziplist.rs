//! Whole ziplists, as files before RDB version 10 have them: taken if and only if they are sound, and to the elements that
//! are in them, whether those are a list, a node of one, a sorted set or a hash.
//!
//! Input: a ziplist, from its length to its end mark. It is tried as it is, and with lengths, offsets and backward sizes
//! that are right.
#![no_main]

use ackd_fuzz::{dumps, memory};
use libfuzzer_sys::fuzz_target;

const LIST: u8 = 10;
const ZSET: u8 = 12;
const HASH: u8 = 13;
const QUICKLIST: u8 = 14;

/// An element: its bytes behind the size of the one before, and its text.
struct Element<'a> {
    before: usize,
    body: &'a [u8],
    text: Vec<u8>,
}

/// The element that begins here, by the description of the format, and what follows it.
fn element(bytes: &[u8]) -> Option<(Element<'_>, &[u8])> {
    let (before, bytes) = match bytes {
        [255, ..] | [] => return None,
        [254, a, b, c, d, rest @ ..] => (u32::from_le_bytes([*a, *b, *c, *d]) as usize, rest),
        [254, ..] => return None,
        [size, rest @ ..] => (usize::from(*size), rest),
    };
    let integer = |width: usize| {
        let mut value = [0; 8];
        value[8 - width..].copy_from_slice(bytes.get(1..=width)?);
        Some((1 + width, (i64::from_le_bytes(value) >> (64 - 8 * width)).to_string().into_bytes()))
    };
    let string = |head: usize, len: usize| Some((head + len, bytes.get(head..head.checked_add(len)?)?.to_vec()));
    let (len, text) = match *bytes {
        [head @ 0..0x40, ..] => string(1, head.into()),
        [head @ 0x40..0x80, low, ..] => string(2, usize::from(head - 0x40) * 256 + usize::from(low)),
        [0x80, a, b, c, d, ..] => string(5, u32::from_be_bytes([a, b, c, d]) as usize),
        [0xc0, ..] => integer(2),
        [0xd0, ..] => integer(4),
        [0xe0, ..] => integer(8),
        [0xf0, ..] => integer(3),
        [0xfe, ..] => integer(1),
        [head @ 0xf1..=0xfd, ..] => Some((1, (head - 0xf1).to_string().into_bytes())),
        _ => None,
    }?;
    let (body, rest) = bytes.split_at(len);
    Some((Element { before, body, text }, rest))
}

/// All elements, if the whole is sound.
fn plain(blob: &[u8]) -> Option<Vec<Vec<u8>>> {
    let (header, rest) = blob.split_first_chunk::<10>()?;
    let (end, elements) = rest.split_last()?;
    let (mut rest, mut texts, mut last, mut before) = (elements, Vec::new(), 10, 0);
    while !rest.is_empty() {
        let (element, behind) = element(rest)?;
        if element.before != before {
            return None;
        }
        last = 10 + elements.len() - rest.len();
        before = rest.len() - behind.len();
        texts.push(element.text);
        rest = behind;
    }
    let [a, b, c, d, e, f, g, h, low, high] = *header;
    let stated = u16::from_le_bytes([low, high]);
    let is_sound = *end == 255
        && u32::from_le_bytes([a, b, c, d]) as usize == blob.len()
        && u32::from_le_bytes([e, f, g, h]) as usize == last
        && (stated == u16::MAX || usize::from(stated) == texts.len());
    is_sound.then_some(texts)
}

/// The elements that begin behind the header, with everything around them made right.
fn mended(blob: &[u8]) -> Vec<u8> {
    let mut out = vec![0; 10];
    let (mut rest, mut count, mut last, mut before) = (blob.get(10..).unwrap_or_default(), 0_u16, 10, 0);
    while let Some((element, behind)) = element(rest) {
        last = out.len();
        match u8::try_from(before) {
            Ok(size @ ..254) => out.push(size),
            _ => {
                out.push(254);
                out.extend((before as u32).to_le_bytes());
            }
        }
        out.extend(element.body);
        (before, count, rest) = (out.len() - last, count.saturating_add(1), behind);
    }
    out.push(255);
    let len = out.len() as u32;
    out[..4].copy_from_slice(&len.to_le_bytes());
    out[4..8].copy_from_slice(&(last as u32).to_le_bytes());
    out[8..10].copy_from_slice(&count.to_le_bytes());
    out
}

fn look_at(blob: &[u8]) {
    let expected = plain(blob);
    let payload = dumps::packed(LIST, blob);
    let found = memory::for_input(blob, || dumps::elements(&payload));
    assert_eq!(found, expected);
    let mut node = vec![QUICKLIST, 1];
    dumps::string(blob, &mut node);
    for payload in [payload, dumps::packed(ZSET, blob), dumps::packed(HASH, blob), dumps::payload(&node, 9)] {
        let entry = memory::for_input(blob, || dumps::value(&payload));
        assert!(entry.is_none() || expected.is_some());
        entry.iter().for_each(dumps::survives);
    }
}

fuzz_target!(|blob: &[u8]| {
    look_at(blob);
    look_at(&mended(blob));
});
