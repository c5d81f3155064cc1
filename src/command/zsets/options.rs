//! What ZMPOP, BZMPOP and the set operations have in common: keys behind their number.

use super::super::failure::{self, Failure};
use crate::base::number;

/// The keys behind the number at `at`, and the place behind them; `refusal` if the number is none or not positive.
pub fn counted_keys<'a, 'b>(
    arguments: &'a [&'b [u8]],
    at: usize,
    refusal: impl Fn() -> Failure,
) -> Result<(&'a [&'b [u8]], usize), Failure> {
    let count = number::parse_i64(arguments[at]).filter(|count| *count > 0).ok_or_else(refusal)?;
    let end = usize::try_from(count).ok().and_then(|count| count.checked_add(at + 1));
    let end = end.filter(|end| *end <= arguments.len()).ok_or(failure::SYNTAX)?;
    Ok((&arguments[at + 1..end], end))
}
