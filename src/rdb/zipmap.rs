//! Redis' zipmap, in which files of RDB versions before 4 have small hashes.
//!
//! ```text
//!  number of pairs (1, or 254 and more for unknown) | pairs | 0xff
//!
//!  pair:    | length | field | length | free (1) | value | unused bytes, as many as `free` says |
//!  length:  1 byte (0 to 253), or 254 and 4 bytes, little-endian
//! ```

use crate::base::text::Text;

const UNKNOWN: u8 = 254;
const LONG: u8 = 254;
const END: u8 = 255;

/// Fields and values, alternating, of a zipmap that was checked.
#[derive(Clone, Debug)]
pub struct Elements<'a> {
    /// From the next field or value on, without the end mark.
    rest: &'a [u8],
    /// Number of fields and values that are left.
    count: usize,
}

impl<'a> Iterator for Elements<'a> {
    type Item = Text<'a>;

    fn next(&mut self) -> Option<Text<'a>> {
        let is_value = self.count % 2 == 1;
        self.count = self.count.checked_sub(1)?;
        let read = if is_value { value } else { field };
        let (text, rest) = read(self.rest).expect("all fields and values were read before");
        self.rest = rest;
        Some(Text::of(text))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.count, Some(self.count))
    }
}

impl ExactSizeIterator for Elements<'_> {}

/// The fields and values of a whole zipmap, all of which was checked.
pub fn read(blob: &[u8]) -> Option<Elements<'_>> {
    let (&stated, rest) = blob.split_first()?;
    let pairs = rest.strip_suffix(&[END])?;
    let (mut rest, mut count) = (pairs, 0);
    while !rest.is_empty() {
        rest = value(field(rest)?.1)?.1;
        count += 1;
    }
    (stated >= UNKNOWN || usize::from(stated) == count).then_some(Elements { rest: pairs, count: 2 * count })
}

/// The field that is first here, and what follows.
fn field(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, bytes) = length(bytes)?;
    bytes.split_at_checked(len)
}

/// The value that is first here, and what follows the unused bytes behind it.
fn value(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, bytes) = length(bytes)?;
    let (&free, bytes) = bytes.split_first()?;
    let (value, rest) = bytes.split_at_checked(len)?;
    Some((value, rest.get(free.into()..)?))
}

fn length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    match *bytes {
        [LONG, ref rest @ ..] => {
            let (len, rest) = rest.split_first_chunk()?;
            Some((u32::from_le_bytes(*len) as usize, rest))
        }
        [END, ..] | [] => None,
        [len, ref rest @ ..] => Some((len.into(), rest)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From files of RDB version 3: uncompressed, and taken out of LZF.
    const SAMPLES: [(&[u8], &[&str]); 2] = [
        (b"\x02\x06MKD1G6\x01\x002\x05YNNXK\x04\x00F7TI\xff", &["MKD1G6", "2", "YNNXK", "F7TI"]),
        (
            b"\x03\x01a\x02\x00aa\x02aa\x04\x00aaaa\x05aaaaa\x0e\x00aaaaaaaaaaaaaa\xff",
            &["a", "aa", "aa", "aaaa", "aaaaa", "aaaaaaaaaaaaaa"],
        ),
    ];

    fn texts(blob: &[u8]) -> Option<Vec<Text<'_>>> {
        let elements = read(blob)?;
        let count = elements.len();
        let texts: Vec<_> = elements.collect();
        assert_eq!(texts.len(), count);
        Some(texts)
    }

    #[test]
    fn zipmaps_of_redis_are_read() {
        for (blob, expected) in SAMPLES {
            let expected = expected.iter().map(|text| Text::of(text.as_bytes())).collect();
            assert_eq!(texts(blob), Some(expected));
        }
        assert_eq!(texts(b"\x00\xff"), Some(vec![]));
    }

    #[test]
    fn long_lengths_unused_bytes_and_unknown_counts_are_read() {
        let long = [b'x'; 254];
        let blob = [b"\xfe\x01a\xfe\xfe\x00\x00\x00\x02", &long[..], b"??\x0212\x00\x00\xff"].concat();
        let expected = vec![Text::Bytes(b"a"), Text::Bytes(&long), Text::Int(12), Text::Bytes(b"")];
        assert_eq!(texts(&blob), Some(expected.clone()));
        let stated = [&[2], &blob[1..]].concat();
        assert_eq!(texts(&stated), Some(expected));
    }

    #[test]
    fn what_is_not_consistent_is_refused() {
        for blob in [
            &b""[..],
            b"\x00",
            b"\xff",
            b"\x01\xff",
            b"\x01\x01a\xff",
            b"\x01\x01a\x01\x00\xff",
            b"\x01\x01a\x01\x01b\xff",
            b"\x01\x01a\x01\x00b\xff\xff",
            b"\x02\x01a\x01\x00b\xff",
            b"\x01\x01a\xfe\xff\xff\xff\xff\x00b\xff",
        ] {
            assert_eq!(texts(blob), None, "{blob:x?}");
        }
    }

    #[test]
    fn a_damaged_zipmap_is_refused_or_read_without_panic() {
        for (blob, _) in SAMPLES {
            for len in 0..blob.len() {
                assert_eq!(texts(&blob[..len]), None);
            }
            for at in 0..blob.len() {
                for byte in 0..=255 {
                    let mut damaged = blob.to_vec();
                    damaged[at] = byte;
                    texts(&damaged);
                }
            }
        }
    }
}
