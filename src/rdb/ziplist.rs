//! Redis' ziplist, in which files of RDB version 9 and older have small lists, hashes and sorted sets.
//!
//! ```text
//!  total bytes (4) | offset of the last element (4) | number of elements (2, or 65535 for unknown) | elements | 0xff
//!
//!  element:  | size of the element before | head          | body    |
//!            | 1 byte, or 0xfe | 4 bytes  |
//!
//!  00nnnnnn                                string of n bytes (0 to 63)
//!  01nnnnnn nnnnnnnn                       string of n bytes (to 16383), high bits first
//!  10000000 n (4 bytes, big-endian)        string of n bytes
//!  11000000, 11110000, 11010000, 11100000  integer of 2, 3, 4, 8 bytes
//!  11111110                                integer of 1 byte
//!  1111nnnn                                n - 1 (0 to 12; n is 1 to 13)
//! ```
//!
//! Numbers are little-endian where nothing else is said, integers are signed. An empty ziplist's last element is where its
//! first would be. [`read`] refuses whatever is not consistent and [`write()`] makes the shortest form, which old servers
//! expect.

use crate::base::text::Text;

const HEADER: usize = 10;
const END: u8 = 0xff;
const UNKNOWN: u16 = u16::MAX;

/// First byte of a size of five bytes; smaller sizes take one.
const LONG: u8 = 0xfe;

const STRING_6: u8 = 0x00;
const STRING_14: u8 = 0x40;
const STRING_32: u8 = 0x80;
const INT_16: u8 = 0xc0;
const INT_32: u8 = 0xd0;
const INT_64: u8 = 0xe0;
const INT_24: u8 = 0xf0;
const IMMEDIATE: u8 = 0xf1;
const IMMEDIATE_END: u8 = 0xfd;
const INT_8: u8 = 0xfe;

/// The elements of a ziplist that was checked.
#[derive(Clone, Debug)]
pub struct Elements<'a> {
    /// From the next element on, without the end mark.
    rest: &'a [u8],
    count: usize,
}

impl<'a> Iterator for Elements<'a> {
    type Item = Text<'a>;

    fn next(&mut self) -> Option<Text<'a>> {
        self.count = self.count.checked_sub(1)?;
        let (_, text, rest) = element(self.rest).expect("all elements were read before");
        self.rest = rest;
        Some(text)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.count, Some(self.count))
    }
}

impl ExactSizeIterator for Elements<'_> {}

/// The elements of a whole ziplist, all of which was checked.
pub fn read(blob: &[u8]) -> Option<Elements<'_>> {
    let (header, rest) = blob.split_first_chunk::<HEADER>()?;
    let [total @ .., _, _, _, _, _, _] = *header;
    let [_, _, _, _, tail @ .., _, _] = *header;
    let [.., low, high] = *header;
    let elements = rest.strip_suffix(&[END])?;
    if u32::from_le_bytes(total) as usize != blob.len() {
        return None;
    }
    let (mut rest, mut count, mut last, mut before) = (elements, 0, 0, 0);
    while !rest.is_empty() {
        let at = elements.len() - rest.len();
        let (size, _, behind) = element(rest)?;
        if size != before {
            return None;
        }
        before = rest.len() - behind.len();
        (rest, last, count) = (behind, at, count + 1);
    }
    let stated = u16::from_le_bytes([low, high]);
    let right = u32::from_le_bytes(tail) as usize == HEADER + last;
    (right && (stated == UNKNOWN || usize::from(stated) == count)).then_some(Elements { rest: elements, count })
}

/// The stated size of the element before, the element that is first here, and what follows.
fn element(bytes: &[u8]) -> Option<(usize, Text<'_>, &[u8])> {
    let (before, bytes) = match *bytes {
        [LONG, ref rest @ ..] => {
            let (size, rest) = rest.split_first_chunk()?;
            (u32::from_le_bytes(*size) as usize, rest)
        }
        [END, ..] | [] => return None,
        [size, ref rest @ ..] => (usize::from(size), rest),
    };
    let (&head, bytes) = bytes.split_first()?;
    let (text, rest) = match head {
        STRING_6..STRING_14 => string(bytes, head.into())?,
        STRING_14..STRING_32 => {
            let (&low, bytes) = bytes.split_first()?;
            string(bytes, usize::from(head & 0x3f) << 8 | usize::from(low))?
        }
        STRING_32 => {
            let (len, bytes) = bytes.split_first_chunk()?;
            string(bytes, u32::from_le_bytes(*len).swap_bytes() as usize)?
        }
        INT_8 => int(bytes, 1)?,
        INT_16 => int(bytes, 2)?,
        INT_24 => int(bytes, 3)?,
        INT_32 => int(bytes, 4)?,
        INT_64 => int(bytes, 8)?,
        IMMEDIATE..=IMMEDIATE_END => (Text::Int((head - IMMEDIATE).into()), bytes),
        _ => return None,
    };
    Some((before, text, rest))
}

fn string(bytes: &[u8], len: usize) -> Option<(Text<'_>, &[u8])> {
    let (string, rest) = bytes.split_at_checked(len)?;
    Some((Text::of(string), rest))
}

fn int(bytes: &[u8], width: usize) -> Option<(Text<'_>, &[u8])> {
    let (int, rest) = bytes.split_at_checked(width)?;
    let mut value = [0; 8];
    value[8 - width..].copy_from_slice(int);
    Some((Text::Int(i64::from_le_bytes(value) >> (64 - 8 * width)), rest))
}

/// Appends a whole ziplist, which must be shorter than 4 GiB.
pub fn write<'a>(elements: impl Iterator<Item = Text<'a>>, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend([0; HEADER]);
    let (mut count, mut last, mut before) = (0_usize, HEADER, 0);
    for text in elements {
        let at = out.len();
        write_size(before, out);
        match text {
            Text::Int(value) => write_int(value, out),
            Text::Bytes(bytes) => write_string(bytes, out),
        }
        (count, last, before) = (count + 1, at - start, out.len() - at);
    }
    out.push(END);
    let total = stated(out.len() - start);
    let count = u16::try_from(count).unwrap_or(UNKNOWN);
    let header = &mut out[start..start + HEADER];
    header[..4].copy_from_slice(&total.to_le_bytes());
    header[4..8].copy_from_slice(&stated(last).to_le_bytes());
    header[8..].copy_from_slice(&count.to_le_bytes());
}

fn stated(bytes: usize) -> u32 {
    u32::try_from(bytes).expect("a ziplist is shorter than 4 GiB")
}

fn write_size(size: usize, out: &mut Vec<u8>) {
    if size < LONG.into() {
        out.push(size as u8);
    } else {
        out.push(LONG);
        out.extend(stated(size).to_le_bytes());
    }
}

fn write_int(value: i64, out: &mut Vec<u8>) {
    let (head, width) = match value {
        0..=12 => (IMMEDIATE + value as u8, 0),
        -0x80..=0x7f => (INT_8, 1),
        -0x8000..=0x7fff => (INT_16, 2),
        -0x80_0000..=0x7f_ffff => (INT_24, 3),
        -0x8000_0000..=0x7fff_ffff => (INT_32, 4),
        _ => (INT_64, 8),
    };
    out.push(head);
    out.extend(&value.to_le_bytes()[..width]);
}

fn write_string(bytes: &[u8], out: &mut Vec<u8>) {
    match bytes.len() {
        len @ 0..0x40 => out.push(STRING_6 | len as u8),
        len @ 0x40..0x4000 => out.extend([STRING_14 | (len >> 8) as u8, len as u8]),
        len => {
            out.push(STRING_32);
            out.extend(stated(len).swap_bytes().to_le_bytes());
        }
    }
    out.extend(bytes);
}

#[cfg(test)]
#[path = "ziplist_tests.rs"]
mod tests;
