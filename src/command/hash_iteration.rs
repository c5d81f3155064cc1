//! Hashes in parts: HSCAN and HRANDFIELD.

use super::failure::{self, Failure};
use super::strings::write_text;
use super::{Ctx, parse};
use crate::base::{glob, number};
use crate::keyspace::{Hash, Text};
use crate::resp::Reply;

/// The most fields that HRANDFIELD draws with repetition: more would be a reply of some gigabytes.
const DRAWS_MAX: u64 = 1 << 27;

const OUT_OF_RANGE: Failure = Failure::fixed("ERR value is out of range");

/// HRANDFIELD key [count [WITHVALUES]]
pub fn hrandfield(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let now_ms = ctx.fields_now_ms();
    let mut random = ctx.engine.rng.fork();
    let key = arguments[1];
    let Some(count) = arguments.get(2) else {
        let (hash, reply) = ctx.read_as::<Hash>(key)?;
        write_text(reply, hash.and_then(|hash| hash.sample(&mut random, now_ms)).map(|(field, _)| field));
        return Ok(());
    };
    let count = parse::integer_in(count, -i64::MAX, i64::MAX)?;
    let with_values = match &arguments[3..] {
        [] => false,
        [word] if word.eq_ignore_ascii_case(b"WITHVALUES") => true,
        _ => return Err(failure::SYNTAX),
    };
    if with_values && count.unsigned_abs() > i64::MAX as u64 / 2 {
        return Err(OUT_OF_RANGE);
    }
    let (hash, reply) = ctx.read_as::<Hash>(key)?;
    let Some(hash) = hash.filter(|_| count != 0) else {
        reply.array(0);
        return Ok(());
    };
    let distinct = (count.unsigned_abs() as usize).min(hash.live_len(now_ms));
    let drawn = if count > 0 { distinct } else { count.unsigned_abs() as usize };
    if drawn as u64 > DRAWS_MAX && count < 0 {
        return Err(OUT_OF_RANGE);
    }
    reply.array(if with_values && !reply.is_resp3() { 2 * drawn } else { drawn });
    let mut each = |field: Text<'_>, value: Text<'_>| write_drawn(reply, field, with_values.then_some(value));
    if count > 0 {
        hash.sample_distinct(drawn, &mut random, now_ms, &mut each);
    } else {
        hash.sample_repeatedly(drawn, &mut random, now_ms, &mut each);
    }
    Ok(())
}

fn write_drawn(reply: &mut Reply, field: Text<'_>, value: Option<Text<'_>>) {
    if value.is_some() && reply.is_resp3() {
        reply.array(2);
    }
    write_text(reply, Some(field));
    if let Some(value) = value {
        write_text(reply, Some(value));
    }
}

struct Options<'a> {
    pattern: Option<&'a [u8]>,
    count: usize,
    values: bool,
}

impl<'a> Options<'a> {
    fn read(arguments: &[&'a [u8]]) -> Result<Self, Failure> {
        /// Fields that a call visits unless it says otherwise.
        const COUNT: usize = 10;
        let mut options = Self { pattern: None, count: COUNT, values: true };
        let mut words = arguments.iter();
        while let Some(word) = words.next() {
            if word.eq_ignore_ascii_case(b"NOVALUES") {
                options.values = false;
                continue;
            }
            match (word.to_ascii_uppercase().as_slice(), words.next()) {
                (b"COUNT", Some(count)) => {
                    let count = usize::try_from(parse::integer(count)?).unwrap_or(0);
                    options.count = Some(count).filter(|count| *count > 0).ok_or(failure::SYNTAX)?;
                }
                (b"MATCH", Some(pattern)) => options.pattern = Some(*pattern).filter(|pattern| *pattern != b"*"),
                _ => return Err(failure::SYNTAX),
            }
        }
        Ok(options)
    }
}

/// Buckets that a call visits at most for each field that it was asked for: in a sparse table most are empty.
const BUCKETS_PER_FIELD: usize = 10;

/// HSCAN key cursor [MATCH pattern] [COUNT count] [NOVALUES]
pub fn hscan(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let mut cursor = number::parse_cursor(arguments[2]).ok_or(Failure::from("ERR invalid cursor"))?;
    let now_ms = ctx.fields_now_ms();
    let (hash, reply) = ctx.read_as::<Hash>(arguments[1])?;
    let Some(hash) = hash else {
        // Redis does not look at the options then.
        return write_page(reply, 0, &[], true);
    };
    let options = Options::read(&arguments[3..])?;
    let mut buffer = itoa::Buffer::new();
    let (mut visited, mut found) = (0, Vec::new());
    for _ in 0..options.count.saturating_mul(BUCKETS_PER_FIELD) {
        cursor = hash.scan(cursor, now_ms, |field, value| {
            visited += 1;
            if options.pattern.is_none_or(|pattern| glob::matches(pattern, field.as_bytes(&mut buffer))) {
                found.push((field, value));
            }
        });
        if cursor == 0 || visited >= options.count {
            break;
        }
    }
    write_page(reply, cursor, &found, options.values)
}

fn write_page(reply: &mut Reply, cursor: u64, found: &[(Text<'_>, Text<'_>)], values: bool) -> Result<(), Failure> {
    reply.array(2);
    reply.bulk(itoa::Buffer::new().format(cursor).as_bytes());
    reply.array(found.len() * if values { 2 } else { 1 });
    for (field, value) in found {
        write_text(reply, Some(*field));
        if values {
            write_text(reply, Some(*value));
        }
    }
    Ok(())
}
