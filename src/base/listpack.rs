//! The elements of Redis' listpack: strings and integers one behind the other, readable from both ends.
//!
//! `keyspace/packed.rs` keeps small collections so, and RDB files and DUMP contain them. Functions over byte slices; they
//! own nothing.
//!
//! ```text
//!  element:  | head                      | body                  | backlen |
//!
//!  0xxxxxxx                                0 to 127
//!  10nnnnnn                                string of n bytes (0 to 63)
//!  110xxxxx xxxxxxxx                       13-bit integer, high bits first
//!  1110nnnn nnnnnnnn                       string of n bytes (to 4095), high bits first
//!  11110000 n (4 bytes, little-endian)     string of n bytes
//!  11110001, 0010, 0011, 0100              integer of 2, 3, 4, 8 bytes, little-endian
//! ```
//!
//! All integers but the first are signed. `backlen` is the length of head and body in groups of 7 bits, the highest first;
//! every byte but the first has its top bit set, so it is read from its end. A whole listpack, as a file holds it, is
//! `total bytes (4, little-endian) | number of elements (2, or 65535 for unknown) | elements | 0xff`.
//!
//! An element is *canonical* if it is what [`encode`] makes: integers as integers, and everything in the shortest form.
//! Then equal elements have equal bytes, on which [`find`] relies. Readers of memory may panic on bytes that are no
//! elements; [`check`] never does.

use super::text::Text;

/// Bytes around the elements of a whole listpack.
pub const FRAME: usize = 7;

const SHORT_STRING: u8 = 0x80;
const INT_13: u8 = 0xc0;
const STRING_12: u8 = 0xe0;
const STRING_32: u8 = 0xf0;
const INT_16: u8 = 0xf1;
const INT_24: u8 = 0xf2;
const INT_32: u8 = 0xf3;
const INT_64: u8 = 0xf4;

const HEAD_MAX: usize = 9;

/// An element in the form in which it will be written.
#[derive(Clone, Copy, Debug)]
pub struct Encoded<'a> {
    head: [u8; HEAD_MAX],
    head_len: u8,
    body: &'a [u8],
}

/// The canonical form of an element.
pub fn encode(text: Text<'_>) -> Encoded<'_> {
    let mut head = [0; HEAD_MAX];
    let (head_len, body) = match text {
        Text::Int(value) => (encode_int(value, &mut head), &[][..]),
        Text::Bytes(bytes) => (encode_len(bytes.len(), &mut head), bytes),
    };
    Encoded { head, head_len: head_len as u8, body }
}

fn encode_int(value: i64, head: &mut [u8; HEAD_MAX]) -> usize {
    let (kind, width) = match value {
        0..=127 => {
            head[0] = value as u8;
            return 1;
        }
        -4096..=4095 => {
            head[0] = INT_13 | (value >> 8) as u8 & 0x1f;
            head[1] = value as u8;
            return 2;
        }
        -0x8000..=0x7fff => (INT_16, 2),
        -0x80_0000..=0x7f_ffff => (INT_24, 3),
        -0x8000_0000..=0x7fff_ffff => (INT_32, 4),
        _ => (INT_64, 8),
    };
    head[0] = kind;
    head[1..=width].copy_from_slice(&value.to_le_bytes()[..width]);
    1 + width
}

/// Head and body of an integer in its shortest form.
fn int_len(value: i64) -> usize {
    match value {
        0..=127 => 1,
        -4096..=4095 => 2,
        -0x8000..=0x7fff => 3,
        -0x80_0000..=0x7f_ffff => 4,
        -0x8000_0000..=0x7fff_ffff => 5,
        _ => 9,
    }
}

fn encode_len(len: usize, head: &mut [u8; HEAD_MAX]) -> usize {
    match len {
        0..=63 => {
            head[0] = SHORT_STRING | len as u8;
            1
        }
        64..=4095 => {
            head[0] = STRING_12 | (len >> 8) as u8;
            head[1] = len as u8;
            2
        }
        _ => {
            let len = u32::try_from(len).expect("an element is shorter than 4 GiB");
            head[0] = STRING_32;
            head[1..5].copy_from_slice(&len.to_le_bytes());
            5
        }
    }
}

impl Encoded<'_> {
    /// Bytes that it takes.
    pub fn size(&self) -> usize {
        let len = self.forward();
        len + backlen_size(len)
    }

    /// Bytes of head and body.
    fn forward(&self) -> usize {
        usize::from(self.head_len) + self.body.len()
    }

    fn head(&self) -> &[u8] {
        &self.head[..usize::from(self.head_len)]
    }

    /// Writes it to the start of `out` and answers what is left of that.
    pub fn write<'o>(&self, out: &'o mut [u8]) -> &'o mut [u8] {
        let (head, rest) = out.split_at_mut(usize::from(self.head_len));
        head.copy_from_slice(self.head());
        let (body, rest) = rest.split_at_mut(self.body.len());
        body.copy_from_slice(self.body);
        let len = self.forward();
        let (backlen, rest) = rest.split_at_mut(backlen_size(len));
        write_backlen(len, backlen);
        rest
    }

    /// Whether the element at `at` is this one. Its own bytes say how long it is, so only equal lengths get that far.
    #[inline]
    fn is_at(&self, bytes: &[u8], at: usize) -> bool {
        if bytes[at] != self.head[0] {
            return false;
        }
        let body = at + usize::from(self.head_len);
        bytes.get(at..body) == Some(self.head()) && bytes.get(body..body + self.body.len()) == Some(self.body)
    }
}

/// Bytes of the length behind an element. The limits are Redis', one below those of the bits.
fn backlen_size(len: usize) -> usize {
    match len {
        0..=127 => 1,
        128..16_383 => 2,
        16_383..2_097_151 => 3,
        2_097_151..268_435_455 => 4,
        _ => 5,
    }
}

fn write_backlen(len: usize, out: &mut [u8]) {
    let mut rest = len;
    for byte in out.iter_mut().rev() {
        *byte = (rest & 0x7f) as u8 | 0x80;
        rest >>= 7;
    }
    out[0] &= 0x7f;
}

/// Whole sizes by the first byte, zero where more bytes are needed: the step of nearly every element is one load.
static SIZES: [u8; 256] = {
    let mut sizes = [0; 256];
    let mut first = 0;
    while first < 256 {
        sizes[first] = match first as u8 {
            0x00..=0x7f => 2,
            0x80..=0xbf => 2 + (first as u8 & 0x3f),
            0xc0..=0xdf => 3,
            INT_16 => 4,
            INT_24 => 5,
            INT_32 => 6,
            INT_64 => 10,
            _ => 0,
        };
        first += 1;
    }
    sizes
};

/// Where the element behind that at `at` begins, or would begin.
#[inline]
pub fn next(bytes: &[u8], at: usize) -> usize {
    match SIZES[usize::from(bytes[at])] {
        0 => {
            let len = long_len(bytes, at).expect("memory holds valid elements");
            at + len + backlen_size(len)
        }
        size => at + usize::from(size),
    }
}

/// Head and body of a long string.
fn long_len(bytes: &[u8], at: usize) -> Option<usize> {
    match *bytes.get(at)? {
        first @ 0xe0..=0xef => Some(2 + (usize::from(first & 0x0f) << 8 | usize::from(*bytes.get(at + 1)?))),
        STRING_32 => {
            let len = bytes.get(at + 1..at + 5)?.first_chunk()?;
            Some(5 + u32::from_le_bytes(*len) as usize)
        }
        _ => None,
    }
}

/// Where the element that ends at `end` begins.
#[inline]
pub fn previous(bytes: &[u8], end: usize) -> usize {
    let (mut at, mut len, mut shift) = (end - 1, 0, 0);
    while bytes[at] & 0x80 != 0 {
        len |= usize::from(bytes[at] & 0x7f) << shift;
        shift += 7;
        at -= 1;
    }
    len |= usize::from(bytes[at]) << shift;
    at - len
}

/// The element at `at`.
#[inline]
pub fn decode(bytes: &[u8], at: usize) -> Text<'_> {
    let first = bytes[at];
    let int = |width: usize| {
        let mut value = [0; 8];
        value[8 - width..].copy_from_slice(&bytes[at + 1..=at + width]);
        Text::Int(i64::from_le_bytes(value) >> (64 - 8 * width))
    };
    match first {
        0x00..=0x7f => Text::Int(first.into()),
        0x80..=0xbf => Text::Bytes(&bytes[at + 1..][..usize::from(first & 0x3f)]),
        0xc0..=0xdf => {
            let value = i64::from(first & 0x1f) << 8 | i64::from(bytes[at + 1]);
            Text::Int(value << 51 >> 51)
        }
        0xe0..=0xef => {
            let len = usize::from(first & 0x0f) << 8 | usize::from(bytes[at + 1]);
            Text::Bytes(&bytes[at + 2..][..len])
        }
        INT_16 => int(2),
        INT_24 => int(3),
        INT_32 => int(4),
        INT_64 => int(8),
        STRING_32.. => {
            let len = long_len(bytes, at).expect("memory holds valid elements");
            Text::Bytes(&bytes[at + 5..at + len])
        }
    }
}

/// The first element from `at` on that equals `wanted`, looking at every `1 + skip`th. All must be canonical.
pub fn find(bytes: &[u8], mut at: usize, wanted: &Encoded<'_>, skip: usize) -> Option<usize> {
    while at < bytes.len() {
        if wanted.is_at(bytes, at) {
            return Some(at);
        }
        for _ in 0..=skip {
            if at >= bytes.len() {
                return None;
            }
            at = next(bytes, at);
        }
    }
    None
}

/// What [`check`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checked {
    /// Number of elements.
    pub count: usize,
    /// Whether all of them are canonical.
    pub canonical: bool,
}

/// Reads bytes from outside: whether they are elements and nothing else, every length being right.
pub fn check(bytes: &[u8]) -> Option<Checked> {
    let mut checked = Checked { count: 0, canonical: true };
    let mut at = 0;
    while at < bytes.len() {
        let first = bytes[at];
        // Most elements are one of these two, for which nothing has to be made to compare with.
        if first < INT_13 {
            let len = if first < SHORT_STRING { 1 } else { 1 + usize::from(first & 0x3f) };
            if bytes.get(at + len) != Some(&(len as u8)) {
                return None;
            }
            checked.canonical &= first < SHORT_STRING || !matches!(Text::of(&bytes[at + 1..at + len]), Text::Int(_));
            checked.count += 1;
            at += len + 1;
            continue;
        }
        let size = usize::from(SIZES[usize::from(first)]);
        if size != 0 {
            // Integers, whose form follows from their size.
            if bytes.get(at + size - 1) != Some(&(size as u8 - 1)) {
                return None;
            }
            checked.canonical &= matches!(decode(bytes, at), Text::Int(value) if int_len(value) == size - 1);
            checked.count += 1;
            at += size;
            continue;
        }
        let len = long_len(bytes, at)?;
        let mut backlen = [0; 5];
        let backlen = &mut backlen[..backlen_size(len)];
        write_backlen(len, backlen);
        let end = at.checked_add(len)?;
        if bytes.get(end..end + backlen.len()) != Some(backlen) {
            return None;
        }
        let canonical = match decode(bytes, at) {
            Text::Bytes(bytes) => encode(Text::of(bytes)),
            int => encode(int),
        };
        checked.canonical &= canonical.forward() == len && canonical.is_at(bytes, at);
        checked.count += 1;
        at = end + backlen.len();
    }
    Some(checked)
}

#[cfg(test)]
#[path = "listpack_tests.rs"]
mod tests;
