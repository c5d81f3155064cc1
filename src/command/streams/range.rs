//! XLEN, XRANGE and XREVRANGE.

use super::{ids, write_entries};
use crate::command::failure::{self, Failure};
use crate::command::{Ctx, parse};
use crate::keyspace::Stream;

/// XLEN key
pub fn xlen(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let (stream, reply) = ctx.read_as::<Stream>(arguments[1])?;
    reply.count(stream.map_or(0, |stream| stream.entries().len()));
    Ok(())
}

/// XRANGE key start end [COUNT count]
pub fn xrange(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    range(ctx, arguments, false)
}

/// XREVRANGE key end start [COUNT count]
pub fn xrevrange(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    range(ctx, arguments, true)
}

fn range(ctx: &mut Ctx<'_>, arguments: &[&[u8]], backward: bool) -> Result<(), Failure> {
    let (start, end) = if backward { (3, 2) } else { (2, 3) };
    let (start, end) = (ids::range_start(arguments[start])?, ids::range_end(arguments[end])?);
    let mut count = None;
    let mut words = arguments[4..].iter();
    while let Some(word) = words.next() {
        if !word.eq_ignore_ascii_case(b"COUNT") {
            return Err(failure::SYNTAX);
        }
        let number = parse::integer(words.next().ok_or(failure::SYNTAX)?)?;
        count = Some(usize::try_from(number).unwrap_or(0));
    }
    let (stream, reply) = ctx.read_as::<Stream>(arguments[1])?;
    let Some(stream) = stream else {
        reply.array(0);
        return Ok(());
    };
    if count == Some(0) {
        reply.null_array();
    } else if backward {
        write_entries(reply, stream.entries().range_back(start, end), count, |_| {});
    } else {
        write_entries(reply, stream.entries().range(start, end), count, |_| {});
    }
    Ok(())
}
