//! Strings as bitmaps: SETBIT, GETBIT, BITCOUNT and BITPOS.
//!
//! BITOP is in `bitop.rs`, BITFIELD in `bitfield.rs`; both use what is here about offsets and about strings that grow.

use super::failure::{self, Failure};
use super::strings::text;
use super::{Ctx, parse};
use crate::base::{bitops, number};
use crate::keyspace::{self, Entry};

const BAD_OFFSET: Failure = Failure::fixed("ERR bit offset is not an integer or out of range");
const BAD_BIT: Failure = Failure::fixed("ERR bit is not an integer or out of range");
const NO_BIT: Failure = Failure::fixed("ERR The bit argument must be 1 or 0.");

/// The offset of a bit. What is in the effect stream once was within the limit.
pub(super) fn offset(ctx: &Ctx<'_>, text: &[u8]) -> Result<usize, Failure> {
    check_offset(ctx, number::parse_i64(text).ok_or(BAD_OFFSET)?)
}

/// An offset that may be given as a number of integers of some width, with `#` before it.
pub(super) fn offset_of_field(ctx: &Ctx<'_>, text: &[u8], width: u32) -> Result<usize, Failure> {
    let Some(digits) = text.strip_prefix(b"#") else { return offset(ctx, text) };
    let fields = number::parse_i64(digits).ok_or(BAD_OFFSET)?;
    // Redis does not look whether the product overflows, and clients get what is left of it.
    check_offset(ctx, fields.wrapping_mul(width.into()))
}

fn check_offset(ctx: &Ctx<'_>, offset: i64) -> Result<usize, Failure> {
    let limit = ctx.engine.config.proto_max_bulk_len();
    let fits = |offset: &u64| ctx.is_applying() || offset >> 3 < limit;
    u64::try_from(offset).ok().filter(fits).map(|offset| offset as usize).ok_or(BAD_OFFSET)
}

/// The bytes of a string that reaches at least up to a bit, filled up with zeros, and whether it was shorter before.
pub(super) fn reaching<'a>(ctx: &'a mut Ctx<'_>, key: &[u8], bit: usize) -> Result<(&'a mut Vec<u8>, bool), Failure> {
    let (hash, len) = (keyspace::hash(key), bit / 8 + 1);
    if text(ctx.write(key))?.is_none() {
        // Zeros that nobody has written to cost no time, and no memory until they are looked at.
        ctx.db().insert(hash, Entry::buffer(key, vec![0; len], None));
        return Ok((ctx.db().buffer_mut(hash, key).ok_or(failure::WRONG_TYPE)?, true));
    }
    let bytes = ctx.db().buffer_mut(hash, key).ok_or(failure::WRONG_TYPE)?;
    let grows = bytes.len() < len;
    if grows {
        keyspace::make_room(bytes, len);
        bytes.resize(len, 0);
    }
    Ok((bytes, grows))
}

/// SETBIT key offset value
pub fn setbit(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let key = arguments[1];
    let offset = offset(ctx, arguments[2])?;
    let bit = match arguments[3] {
        b"0" => false,
        b"1" => true,
        _ => return Err(BAD_BIT),
    };
    let (bytes, grew) = reaching(ctx, key, offset)?;
    let (byte, mask) = (&mut bytes[offset / 8], 0x80 >> (offset % 8));
    let before = *byte & mask != 0;
    *byte = if bit { *byte | mask } else { *byte & !mask };
    if grew || before != bit {
        ctx.modified(key);
        ctx.event("setbit", key);
    }
    ctx.reply.integer(before.into());
    Ok(())
}

/// GETBIT key offset
pub fn getbit(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let offset = offset(ctx, arguments[2])?;
    let (entry, reply) = ctx.read_reply(arguments[1]);
    let mut buffer = itoa::Buffer::new();
    let bytes = text(entry)?.map(|text| text.as_bytes(&mut buffer)).unwrap_or_default();
    let byte = bytes.get(offset / 8).copied().unwrap_or(0);
    reply.integer((byte >> (7 - offset % 8) & 1).into());
    Ok(())
}

/// What offsets of a range count.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Unit {
    Byte,
    Bit,
}

impl Unit {
    fn named(word: &[u8]) -> Result<Self, Failure> {
        match word {
            _ if word.eq_ignore_ascii_case(b"BIT") => Ok(Self::Bit),
            _ if word.eq_ignore_ascii_case(b"BYTE") => Ok(Self::Byte),
            _ => Err(failure::SYNTAX),
        }
    }
}

/// The first and the last bit of a range in a string of some bytes; negative offsets count from the end. `None` if the
/// range is empty.
fn bits(len: usize, start: i64, end: i64, unit: Unit) -> Option<(usize, usize)> {
    let bits_in_unit = if unit == Unit::Bit { 1 } else { 8 };
    let units = (len * 8 / bits_in_unit) as i64;
    let from_start = |at: i64| if at < 0 { at.saturating_add(units).max(0) } else { at };
    let (start, end) = (from_start(start), from_start(end).min(units - 1));
    (start <= end).then(|| (start as usize * bits_in_unit, end as usize * bits_in_unit + bits_in_unit - 1))
}

/// BITCOUNT key [start end [BYTE | BIT]]
pub fn bitcount(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let (start, end, unit) = match &arguments[2..] {
        [] => (0, -1, Unit::Byte),
        [start, end] => (parse::integer(start)?, parse::integer(end)?, Unit::Byte),
        [start, end, unit] => (parse::integer(start)?, parse::integer(end)?, Unit::named(unit)?),
        _ => return Err(failure::SYNTAX),
    };
    let (entry, reply) = ctx.read_reply(arguments[1]);
    let mut buffer = itoa::Buffer::new();
    let bytes = text(entry)?.map(|text| text.as_bytes(&mut buffer)).unwrap_or_default();
    let is_reversed = start < 0 && end < 0 && start > end;
    let range = bits(bytes.len(), start, end, unit).filter(|_| !is_reversed);
    reply.integer(range.map_or(0, |(first, last)| bitops::count_between(bytes, first, last)) as i64);
    Ok(())
}

/// BITPOS key bit [start [end [BYTE | BIT]]]
pub fn bitpos(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let sought = match parse::integer(arguments[2])? {
        0 => false,
        1 => true,
        _ => return Err(NO_BIT),
    };
    let (start, end, unit) = match &arguments[3..] {
        [] => (0, None, Unit::Byte),
        [start] => (parse::integer(start)?, None, Unit::Byte),
        [start, end] => (parse::integer(start)?, Some(parse::integer(end)?), Unit::Byte),
        [start, end, unit] => {
            let (start, unit) = (parse::integer(start)?, Unit::named(unit)?);
            (start, Some(parse::integer(end)?), unit)
        }
        _ => return Err(failure::SYNTAX),
    };
    let (entry, reply) = ctx.read_reply(arguments[1]);
    let mut buffer = itoa::Buffer::new();
    let Some(bytes) = text(entry)?.map(|text| text.as_bytes(&mut buffer)) else {
        reply.integer(if sought { -1 } else { 0 });
        return Ok(());
    };
    let found = bits(bytes.len(), start, end.unwrap_or(-1), unit).and_then(|(first, last)| {
        // Behind the end of a string are zeros, unless the range itself has an end.
        let behind = (!sought && end.is_none()).then_some(bytes.len() * 8);
        bitops::find(bytes, sought, first, last).or(behind)
    });
    reply.integer(found.map_or(-1, |bit| bit as i64));
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::command::harness::Harness;

    const BAD_OFFSET: &str = "-ERR bit offset is not an integer or out of range";

    #[test]
    fn a_bit_is_set_in_place_and_logged_if_that_changes_something() {
        let mut server = Harness::new();
        for (line, reply) in [
            ("SETBIT k 7 1", ":0"),
            ("SETBIT k 7 1", ":1"),
            ("SETBIT k 3 0", ":0"),
            ("SETBIT k 16 0", ":0"),
            ("STRLEN k", ":3"),
            ("GETBIT k 7", ":1"),
            ("GETBIT k 8", ":0"),
            ("GETBIT k 4294967295", ":0"),
            ("GETBIT none 0", ":0"),
            ("SET n 12", "+OK"),
            ("SETBIT n 6 1", ":0"),
            ("GET n", "$2 32"),
            ("OBJECT ENCODING n", "$3 raw"),
            ("SETBIT k 4294967296 1", BAD_OFFSET),
            ("GETBIT k -1", BAD_OFFSET),
            ("SETBIT k x 2", BAD_OFFSET),
            ("SETBIT k 0 2", "-ERR bit is not an integer or out of range"),
        ] {
            assert_eq!(server.run(line), reply, "{line}");
        }
        assert_eq!(server.effects(), "SELECT 0 | SETBIT k 7 1 | SETBIT k 16 0 | SET n 12 | SETBIT n 6 1");
    }

    #[test]
    fn bits_are_counted_in_ranges_of_bytes_or_bits() {
        let mut server = Harness::new();
        server.run("SET k foobar");
        server.effects();
        for (line, reply) in [
            ("BITCOUNT k", ":26"),
            ("BITCOUNT k 0 0", ":4"),
            ("BITCOUNT k 1 1 byte", ":6"),
            ("BITCOUNT k 5 30 BIT", ":17"),
            ("BITCOUNT k -2 -1", ":7"),
            ("BITCOUNT k -200 -100", ":4"),
            ("BITCOUNT k -100 -200", ":0"),
            ("BITCOUNT k 3 2", ":0"),
            ("BITCOUNT k 0 -9223372036854775808 BIT", ":0"),
            ("BITCOUNT k -9223372036854775808 9223372036854775807 BIT", ":26"),
            ("BITCOUNT none", ":0"),
            ("BITCOUNT none x 1", "-ERR value is not an integer or out of range"),
            ("BITCOUNT none 0 1 WORD", "-ERR syntax error"),
            ("BITCOUNT none 0", "-ERR syntax error"),
            ("BITCOUNT none 0 1 BIT x", "-ERR syntax error"),
        ] {
            assert_eq!(server.run(line), reply, "{line}");
        }
        assert_eq!(server.effects(), "");
        assert_eq!((server.engine.stats.keyspace_hits, server.engine.stats.keyspace_misses), (10, 1));
    }

    #[test]
    fn zeros_are_found_behind_the_end_unless_the_range_has_one() {
        let mut server = Harness::new();
        let client = server.client;
        server.run_words(client, &[b"SET", b"k", b"\xff\xf0\x00"]);
        server.run_words(client, &[b"SET", b"f", b"\xff\xff"]);
        server.run("SET e ''");
        for (line, reply) in [
            ("BITPOS k 0", ":12"),
            ("BITPOS k 0 2", ":16"),
            ("BITPOS k 1 1", ":8"),
            ("BITPOS k 1 2", ":-1"),
            ("BITPOS k 0 0 0", ":-1"),
            ("BITPOS k 0 -2 -1 BYTE", ":12"),
            ("BITPOS k 0 8 11 BIT", ":-1"),
            ("BITPOS k 0 8 12 bit", ":12"),
            ("BITPOS f 0", ":16"),
            ("BITPOS f 0 1", ":16"),
            ("BITPOS f 0 0 -1", ":-1"),
            ("BITPOS f 0 2", ":-1"),
            ("BITPOS e 0", ":-1"),
            ("BITPOS none 0 5 6", ":0"),
            ("BITPOS none 1", ":-1"),
            ("BITPOS none 2", "-ERR The bit argument must be 1 or 0."),
            ("BITPOS none x", "-ERR value is not an integer or out of range"),
            ("BITPOS none 1 0 x WORD", "-ERR syntax error"),
            ("BITPOS none 1 x x WORD", "-ERR value is not an integer or out of range"),
            ("BITPOS none 1 x 1 BIT 2", "-ERR syntax error"),
        ] {
            assert_eq!(server.run(line), reply, "{line}");
        }
    }
}
