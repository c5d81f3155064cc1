//! Reading arguments, with Redis' error texts.

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

fn out_of_range(min: i64, max: i64) -> Failure {
    if min == 0 && max == i64::MAX {
        "ERR value is out of range, must be positive".into()
    } else {
        Failure::new(format!("ERR value is out of range, value must between {min} and {max}"))
    }
}
