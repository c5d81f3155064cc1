//! KEYS and SCAN, both of which reveal the keyspace as a whole; and what SCAN has in common with its relatives that walk
//! over the elements of one value.

use super::failure::{self, Failure};
use super::{Ctx, parse};
use crate::base::glob;
use crate::keyspace::Kind;
use crate::resp::Reply;

/// KEYS pattern
pub fn keys(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    ctx.reveal_everything();
    let pattern = arguments[1];
    let now_ms = ctx.now_ms() as i64;
    let start = ctx.reply.deferred();
    let mut count = 0;
    for entry in ctx.engine.dbs[ctx.client.db].iter() {
        if !entry.has_expired(now_ms) && (pattern == b"*" || glob::matches(pattern, entry.key())) {
            ctx.reply.bulk(entry.key());
            count += 1;
        }
    }
    ctx.reply.finish_array(start, count);
    Ok(())
}

/// Over what SCAN or one of its relatives walks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Walk {
    /// The keys of a database: there can be a type.
    Keys,
    /// Elements of a value.
    Elements,
    /// Fields of a hash: their values can be left out.
    Fields,
}

/// The options of SCAN and its relatives.
pub(super) struct Options<'a> {
    /// What is given matches this.
    pub(super) pattern: Option<&'a [u8]>,
    kind: Option<Option<Kind>>,
    /// How many elements are visited.
    pub(super) count: usize,
    /// Fields are given with their values.
    pub(super) values: bool,
}

impl<'a> Options<'a> {
    /// Reads them.
    pub(super) fn read(arguments: &[&'a [u8]], walk: Walk) -> Result<Self, Failure> {
        /// Keys that a call visits unless it says otherwise.
        const COUNT: usize = 10;
        let mut options = Self { pattern: None, kind: None, count: COUNT, values: true };
        let mut words = arguments.iter();
        while let Some(word) = words.next() {
            if walk == Walk::Fields && word.eq_ignore_ascii_case(b"NOVALUES") {
                options.values = false;
                continue;
            }
            let value = words.next();
            match (word.to_ascii_uppercase().as_slice(), value) {
                (b"COUNT", Some(count)) => {
                    let count = usize::try_from(parse::integer(count)?).unwrap_or(0);
                    options.count = Some(count).filter(|count| *count > 0).ok_or(failure::SYNTAX)?;
                }
                (b"MATCH", Some(pattern)) => options.pattern = Some(*pattern).filter(|pattern| *pattern != b"*"),
                // No key is of a type that does not exist; that is no error before Redis 8.
                (b"TYPE", Some(name)) if walk == Walk::Keys => options.kind = Some(Kind::named(name)),
                _ => return Err(failure::SYNTAX),
            }
        }
        Ok(options)
    }
}

/// Buckets that a call visits at most for each element that it was asked for: in a sparse table most are empty.
const BUCKETS_PER_ELEMENT: usize = 10;

/// Visits about `count` elements from a cursor on, bucket by bucket; answers the cursor to go on with. `visit` visits a
/// bucket, adds the number of its elements to the sum that it is given, and answers the next cursor.
pub(super) fn walk(mut cursor: u64, count: usize, mut visit: impl FnMut(u64, &mut usize) -> u64) -> u64 {
    let mut visited = 0;
    for _ in 0..count.saturating_mul(BUCKETS_PER_ELEMENT) {
        cursor = visit(cursor, &mut visited);
        if cursor == 0 || visited >= count {
            break;
        }
    }
    cursor
}

/// Begins the reply of a call: the cursor to go on with, and a list of so many strings, which follow.
pub(super) fn reply_page(reply: &mut Reply, cursor: u64, strings: usize) {
    reply.array(2);
    reply.bulk(itoa::Buffer::new().format(cursor).as_bytes());
    reply.array(strings);
}

/// SCAN cursor [MATCH pattern] [COUNT count] [TYPE type]
pub fn scan(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let cursor = parse::cursor(arguments[1])?;
    let options = Options::read(&arguments[2..], Walk::Keys)?;
    ctx.reveal_everything();
    let now_ms = ctx.now_ms() as i64;
    let db = &ctx.engine.dbs[ctx.client.db];
    let mut expired: Vec<Vec<u8>> = Vec::new();
    let mut found: Vec<Vec<u8>> = Vec::new();
    let next = walk(cursor, options.count, |cursor, visited| {
        db.scan(cursor, |entry| {
            *visited += 1;
            let key = entry.key();
            if options.pattern.is_some_and(|pattern| !glob::matches(pattern, key))
                || options.kind.is_some_and(|kind| kind != Some(entry.kind()))
            {
                return;
            }
            let list = if entry.has_expired(now_ms) { &mut expired } else { &mut found };
            list.push(key.to_vec());
        })
    });
    // Looking an expired key up removes it.
    expired.iter().for_each(|key| _ = ctx.is_gone(key));
    reply_page(&mut ctx.reply, next, found.len());
    found.iter().for_each(|key| ctx.reply.bulk(key));
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::command::harness::Harness;

    #[test]
    fn keys_are_found_by_pattern_type_and_in_parts() {
        let mut server = Harness::new();
        for number in 0..100 {
            server.run(&format!("SET key:{number} v"));
        }
        assert_eq!(server.run("KEYS key:7"), "*1 $5 key:7");
        assert!(server.run("KEYS key:1?").starts_with("*10 "));
        let mut cursor = "0".to_owned();
        let mut found = 0;
        let mut calls = 0;
        loop {
            let reply = server.run(&format!("SCAN {cursor} COUNT 7 MATCH key:* TYPE String"));
            let words: Vec<&str> = reply.split(' ').collect();
            cursor = words[2].to_owned();
            found += words[3][1..].parse::<usize>().unwrap();
            calls += 1;
            if cursor == "0" {
                break;
            }
        }
        assert_eq!(found, 100);
        assert!((7..=15).contains(&calls), "{calls}");
    }

    #[test]
    fn bad_options_are_refused() {
        let mut server = Harness::new();
        for (line, reply) in [
            ("SCAN x COUNT 0", "-ERR invalid cursor"),
            ("SCAN 0 COUNT 0", "-ERR syntax error"),
            ("SCAN 0 COUNT x", "-ERR value is not an integer or out of range"),
            ("SCAN 0 MATCH", "-ERR syntax error"),
            ("SCAN 0 FOO x", "-ERR syntax error"),
            ("SCAN 0 TYPE foo", "*2 $1 0 *0"),
            ("SCAN 0 TYPE list", "*2 $1 0 *0"),
        ] {
            assert_eq!(server.run(line), reply, "{line}");
        }
    }
}
