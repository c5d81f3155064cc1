//! ZSCAN.

use super::super::failure::Failure;
use super::super::scan::{self, Options, Walk};
use super::super::strings::write_text;
use super::super::{Ctx, parse};
use crate::base::{glob, number};
use crate::keyspace::{Form, Text, Zset};

/// ZSCAN key cursor [MATCH pattern] [COUNT count]
pub fn zscan(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let cursor = parse::cursor(arguments[2])?;
    let (zset, reply) = ctx.read_as::<Zset>(arguments[1])?;
    let Some(zset) = zset else {
        scan::reply_page(reply, 0, 0);
        return Ok(());
    };
    let options = Options::read(&arguments[3..], Walk::Elements)?;
    let mut buffer = itoa::Buffer::new();
    let mut is_wanted =
        |member: &Text<'_>| options.pattern.is_none_or(|pattern| glob::matches(pattern, member.as_bytes(&mut buffer)));
    // A small one is one page.
    let (mut next, mut found) = (0, Vec::new());
    if let Form::Large(ranked) = zset.form() {
        next = scan::walk(cursor, options.count, |cursor, visited| {
            ranked.table().scan(cursor, |scored| {
                *visited += 1;
                let member = Text::Bytes(scored.member());
                if is_wanted(&member) {
                    // Of a hash table Redis writes all digits, be they needed or not.
                    found.push((member, number::format_17_digits(scored.score())));
                }
            })
        });
    } else {
        for (member, score) in zset.iter().filter(|(member, _)| is_wanted(member)) {
            let mut text = Vec::new();
            number::format_f64(score, &mut text);
            found.push((member, text));
        }
    }
    scan::reply_page(reply, next, 2 * found.len());
    for (member, score) in found {
        write_text(reply, Some(member));
        reply.bulk(&score);
    }
    Ok(())
}
