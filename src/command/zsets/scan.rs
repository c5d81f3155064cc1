//! ZSCAN.

use super::super::failure::{self, Failure};
use super::super::{Ctx, parse};
use crate::base::{glob, number};
use crate::keyspace::{Form, Zset};

/// Members that a call visits unless it says otherwise.
const COUNT: usize = 10;
/// Buckets that a call visits at most for each member that it was asked for: in a sparse table most are empty.
const BUCKETS_PER_MEMBER: usize = 10;

fn options<'a>(words: &[&'a [u8]]) -> Result<(Option<&'a [u8]>, usize), Failure> {
    let (mut pattern, mut count) = (None, COUNT);
    for option in words.chunks(2) {
        match (option[0].to_ascii_uppercase().as_slice(), option.get(1)) {
            (b"COUNT", Some(text)) => {
                count = usize::try_from(parse::integer(text)?).unwrap_or(0);
                if count == 0 {
                    return Err(failure::SYNTAX);
                }
            }
            (b"MATCH", Some(text)) => pattern = Some(*text).filter(|pattern| *pattern != b"*"),
            _ => return Err(failure::SYNTAX),
        }
    }
    Ok((pattern, count))
}

/// ZSCAN key cursor [MATCH pattern] [COUNT count]
pub fn zscan(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let mut cursor = number::parse_cursor(arguments[2]).ok_or(Failure::from("ERR invalid cursor"))?;
    let (zset, reply) = ctx.read_as::<Zset>(arguments[1])?;
    let Some(zset) = zset else {
        reply.array(2);
        reply.bulk(b"0");
        reply.array(0);
        return Ok(());
    };
    let (pattern, count) = options(&arguments[3..])?;
    let matches = |member: &[u8]| pattern.is_none_or(|pattern| glob::matches(pattern, member));
    let mut buffer = itoa::Buffer::new();
    let mut found: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    if let Form::Large(ranked) = zset.form() {
        let mut visited = 0;
        for _ in 0..count.saturating_mul(BUCKETS_PER_MEMBER) {
            cursor = ranked.table().scan(cursor, |scored| {
                visited += 1;
                if matches(scored.member()) {
                    // Of a hash table Redis writes all digits, be they needed or not.
                    found.push((scored.member().to_vec(), number::format_17_digits(scored.score())));
                }
            });
            if cursor == 0 || visited >= count {
                break;
            }
        }
    } else {
        cursor = 0;
        for (member, score) in zset.iter().filter(|(member, _)| matches(member.as_bytes(&mut buffer))) {
            let mut text = Vec::new();
            number::format_f64(score, &mut text);
            found.push((member.to_vec(), text));
        }
    }
    reply.array(2);
    reply.bulk(itoa::Buffer::new().format(cursor).as_bytes());
    reply.array(2 * found.len());
    for (member, score) in found {
        reply.bulk(&member);
        reply.bulk(&score);
    }
    Ok(())
}
