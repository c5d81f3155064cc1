//! Reading arguments, with Redis' error texts.

use rustc_apfloat::ieee::X87DoubleExtended;
use rustc_apfloat::{Float, Round};

use super::failure::{self, Failure};
use crate::base::number;

/// A 64-bit integer.
pub fn integer(text: &[u8]) -> Result<i64, Failure> {
    number::parse_i64(text).ok_or(failure::NOT_AN_INTEGER)
}

/// A 64-bit integer between `min` and `max`.
pub fn integer_in(text: &[u8], min: i64, max: i64) -> Result<i64, Failure> {
    let value = integer(text)?;
    if (min..=max).contains(&value) { Ok(value) } else { Err(out_of_range(min, max)) }
}

/// A number of elements, of which Redis says that it is out of range whatever else it is.
pub fn count(text: &[u8]) -> Result<u64, Failure> {
    let count = number::parse_i64(text).and_then(|count| u64::try_from(count).ok());
    count.ok_or_else(|| out_of_range(0, i64::MAX))
}

/// A cursor of SCAN and its relatives.
pub fn cursor(text: &[u8]) -> Result<u64, Failure> {
    number::parse_cursor(text).ok_or(Failure::from("ERR invalid cursor"))
}

/// A 64-bit integer of at least `min`; `error` says all that can be wrong with it.
pub fn integer_in_or(text: &[u8], min: i64, error: &'static str) -> Result<i64, Failure> {
    number::parse_i64(text).filter(|value| *value >= min).ok_or_else(|| error.into())
}

fn out_of_range(min: i64, max: i64) -> Failure {
    if min == 0 && max == i64::MAX {
        "ERR value is out of range, must be positive".into()
    } else {
        Failure::new(format!("ERR value is out of range, value must between {min} and {max}"))
    }
}

/// A time to wait, in milliseconds from `now_ms`; its end must be a time that can be written down.
pub fn timeout_ms(text: &[u8], now_ms: u64) -> Result<u64, Failure> {
    let timeout = integer(text).map_err(|_| Failure::from("ERR timeout is not an integer or out of range"))?;
    checked_timeout(timeout, now_ms)
}

/// The same for a time in seconds, which may have a fraction; the part of a millisecond counts as one.
pub fn timeout_seconds(text: &[u8], now_ms: u64) -> Result<u64, Failure> {
    /// More bits than a time has, so that what is too large can be told.
    const WIDTH: usize = 100;
    let seconds = number::parse_long_double(text).ok_or("ERR timeout is not a float or out of range")?;
    let ms = (seconds * X87DoubleExtended::from_u128(1000).value).value;
    let ms = ms.to_i128_r(WIDTH, Round::TowardPositive, &mut false).value;
    if ms > i64::MAX.into() {
        return Err("ERR timeout is out of range".into());
    }
    checked_timeout(i64::try_from(ms).unwrap_or(i64::MIN), now_ms)
}

fn checked_timeout(timeout: i64, now_ms: u64) -> Result<u64, Failure> {
    let timeout = u64::try_from(timeout).map_err(|_| Failure::from("ERR timeout is negative"))?;
    match timeout.checked_add(now_ms) {
        Some(end) if end <= i64::MAX as u64 => Ok(timeout),
        _ => Err("ERR timeout is out of range".into()),
    }
}
