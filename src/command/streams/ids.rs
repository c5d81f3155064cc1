//! Ids among the arguments, read as Redis reads them: by C's `strtoull`, which knows blanks, signs and leading zeros.

use crate::base::number;
use crate::command::Failure;
use crate::keyspace::StreamId;

const INVALID: Failure = Failure::fixed("ERR Invalid stream ID specified as stream command argument");
/// The longest text that is looked at.
const TEXT_MAX: usize = 127;

/// The id that XADD is to give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NewId {
    /// `*`: by the clock.
    Auto,
    /// `ms-*`: the next one of this millisecond.
    AutoSeq(u64),
    /// This one.
    Given(StreamId),
}

/// A number without sign. What is written as a negative number in other than canonical form wraps around.
fn unsigned(text: &[u8]) -> Option<u64> {
    if let Some(value) = number::parse_i64(text) {
        return u64::try_from(value).ok();
    }
    let blanks = text.iter().take_while(|byte| matches!(byte, b' ' | b'\t'..=b'\r')).count();
    let (negative, digits) = match &text[blanks..] {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] | digits => (false, digits),
    };
    if digits.is_empty() {
        return None;
    }
    let value = digits.iter().try_fold(0u64, |sum, byte| {
        let digit = byte.checked_sub(b'0').filter(|digit| *digit < 10)?;
        sum.checked_mul(10)?.checked_add(digit.into())
    })?;
    Some(if negative { value.wrapping_neg() } else { value })
}

/// The part of a text that is looked at: C's strings end at a zero byte.
fn content(text: &[u8]) -> Option<&[u8]> {
    let end = text.iter().position(|byte| *byte == 0).unwrap_or(text.len());
    (text.len() <= TEXT_MAX).then_some(&text[..end])
}

/// Milliseconds, and what is behind the dash.
fn halves(text: &[u8]) -> Option<(u64, Option<&[u8]>)> {
    match text.iter().position(|byte| *byte == b'-') {
        Some(dash) => Some((unsigned(&text[..dash])?, Some(&text[dash + 1..]))),
        None => Some((unsigned(text)?, None)),
    }
}

/// An id; one without a number gets `seq`.
pub fn id(text: &[u8], seq: u64) -> Result<StreamId, Failure> {
    let read = || {
        let (ms, rest) = halves(content(text)?)?;
        Some(StreamId::new(ms, rest.map_or(Some(seq), unsigned)?))
    };
    read().ok_or(INVALID)
}

/// An id; `-` and `+` stand for the smallest and the largest one.
pub fn id_or_edge(text: &[u8], seq: u64) -> Result<StreamId, Failure> {
    match text {
        b"-" => Ok(StreamId::MIN),
        b"+" => Ok(StreamId::MAX),
        _ => id(text, seq),
    }
}

/// Several ids, all of them before anything is done with one.
pub fn ids(texts: &[&[u8]]) -> Result<smallvec::SmallVec<[StreamId; 8]>, Failure> {
    texts.iter().map(|text| id(text, 0)).collect()
}

/// An id that XADD may get.
pub fn new_id(text: &[u8]) -> Result<NewId, Failure> {
    if text == b"*" {
        return Ok(NewId::Auto);
    }
    match content(text).and_then(halves) {
        Some((ms, Some(b"*"))) => Ok(NewId::AutoSeq(ms)),
        _ => id(text, 0).map(NewId::Given),
    }
}

/// One end of a range, and whether it is not part of it.
fn end(text: &[u8], seq: u64) -> Result<(StreamId, bool), Failure> {
    match text {
        [b'(', rest @ ..] if !rest.is_empty() => Ok((id(rest, seq)?, true)),
        _ => Ok((id_or_edge(text, seq)?, false)),
    }
}

/// The first id of a range.
pub fn range_start(text: &[u8]) -> Result<StreamId, Failure> {
    let (id, is_outside) = end(text, 0)?;
    if is_outside { id.next().ok_or("ERR invalid start ID for the interval".into()) } else { Ok(id) }
}

/// The last id of a range.
pub fn range_end(text: &[u8]) -> Result<StreamId, Failure> {
    let (id, is_outside) = end(text, u64::MAX)?;
    if is_outside { id.previous().ok_or("ERR invalid end ID for the interval".into()) } else { Ok(id) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_as_c_reads_numbers() {
        for (text, expected) in [
            ("1-2", Some((1, 2))),
            ("7", Some((7, 9))),
            (" 1-\t02", Some((1, 2))),
            ("+1-+2", Some((1, 2))),
            ("1--2", None),
            ("1--02", Some((1, u64::MAX - 1))),
            ("18446744073709551615-18446744073709551615", Some((u64::MAX, u64::MAX))),
            ("18446744073709551616-1", None),
            ("1-", None),
            ("-1", None),
            ("", None),
            ("-", None),
            ("+", None),
            ("1-2\0x", Some((1, 2))),
            ("1-2x", None),
            ("1-*", None),
        ] {
            let expected = expected.map(|(ms, seq)| StreamId::new(ms, seq)).ok_or(INVALID);
            assert_eq!(id(text.as_bytes(), 9), expected, "{text:?}");
        }
        assert_eq!(id(&[b'0'; 128], 0), Err(INVALID));
    }
}
