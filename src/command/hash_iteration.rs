//! Hashes in parts: HSCAN and HRANDFIELD.

use super::failure::{self, Failure};
use super::scan::{self, Walk};
use super::strings::write_text;
use super::{Ctx, draws, parse};
use crate::base::glob;
use crate::keyspace::{Hash, Text};
use crate::resp::Reply;

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
    let all = hash.live_len(now_ms);
    let drawn =
        if count > 0 { usize::try_from(count).map_or(all, |count| count.min(all)) } else { draws::number(count)? };
    reply.array(if with_values && !reply.is_resp3() { 2 * drawn } else { drawn });
    if count < 0 {
        let fields = hash.draws(&mut random, now_ms).take(drawn);
        return draws::write(reply, fields, |reply, (field, value)| {
            write_drawn(reply, field, with_values.then_some(value));
        });
    }
    hash.sample_distinct(drawn, &mut random, now_ms, |field, value| {
        write_drawn(reply, field, with_values.then_some(value));
    });
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

/// HSCAN key cursor [MATCH pattern] [COUNT count] [NOVALUES]
pub fn hscan(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let cursor = parse::cursor(arguments[2])?;
    let now_ms = ctx.fields_now_ms();
    let (hash, reply) = ctx.read_as::<Hash>(arguments[1])?;
    let Some(hash) = hash else {
        // Redis does not look at the options then.
        scan::reply_page(reply, 0, 0);
        return Ok(());
    };
    let options = scan::Options::read(&arguments[3..], Walk::Fields)?;
    let mut buffer = itoa::Buffer::new();
    let mut found = Vec::new();
    let next = scan::walk(cursor, options.count, |cursor, visited| {
        hash.scan(cursor, now_ms, |field, value| {
            *visited += 1;
            if options.pattern.is_none_or(|pattern| glob::matches(pattern, field.as_bytes(&mut buffer))) {
                found.push((field, value));
            }
        })
    });
    scan::reply_page(reply, next, found.len() * if options.values { 2 } else { 1 });
    for (field, value) in found {
        write_text(reply, Some(field));
        if options.values {
            write_text(reply, Some(value));
        }
    }
    Ok(())
}
