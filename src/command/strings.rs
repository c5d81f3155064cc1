//! GET and its relatives, several keys at once, and strings that are changed in place.
//!
//! SET and everything with an expiry is in `set.rs`, counting in `counters.rs`, LCS in `lcs.rs`.

use super::failure::{self, Failure};
use super::{Ctx, parse};
use crate::keyspace::{self, Entry, Text};
use crate::resp::Reply;

const OFFSET_OUT_OF_RANGE: Failure = Failure::fixed("ERR offset is out of range");
const TOO_LONG: Failure = Failure::fixed("ERR string exceeds maximum allowed size (proto-max-bulk-len)");

/// The string in an entry, or the error that it holds something else.
pub(super) fn text(entry: Option<&Entry>) -> Result<Option<Text<'_>>, Failure> {
    entry.map(|entry| entry.text().ok_or(failure::WRONG_TYPE)).transpose()
}

/// Writes a string, or that there is none.
pub(super) fn write_text(reply: &mut Reply, text: Option<Text<'_>>) {
    match text {
        Some(Text::Bytes(bytes)) => reply.bulk(bytes),
        Some(Text::Int(value)) => reply.bulk_integer(value),
        None => reply.null(),
    }
}

/// GET key
pub fn get(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let (entry, reply) = ctx.read_reply(arguments[1]);
    write_text(reply, text(entry)?);
    Ok(())
}

/// GETDEL key
pub fn getdel(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let key = arguments[1];
    let (entry, reply) = ctx.read_reply(key);
    let found = text(entry)?;
    write_text(reply, found);
    if found.is_some() {
        drop(ctx.db().remove(keyspace::hash(key), key));
        ctx.modified(key);
        ctx.event("del", key);
        ctx.effect(&[b"DEL", key]);
    }
    Ok(())
}

/// DELIFEQ key value: deletes a key if its string equals `value`.
pub fn delifeq(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let key = arguments[1];
    let equal = text(ctx.write(key))?.is_some_and(|text| is_equal(text, arguments[2]));
    if equal {
        drop(ctx.db().remove(keyspace::hash(key), key));
        ctx.modified(key);
        ctx.event("del", key);
        ctx.effect(&[b"DEL", key]);
    }
    ctx.reply.integer(equal.into());
    Ok(())
}

/// Whether a stored string has exactly these bytes.
pub(super) fn is_equal(text: Text<'_>, bytes: &[u8]) -> bool {
    text.as_bytes(&mut itoa::Buffer::new()) == bytes
}

/// MGET key [key …]
pub fn mget(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    ctx.reply.array(arguments.len() - 1);
    for key in &arguments[1..] {
        let (entry, reply) = ctx.read_reply(key);
        write_text(reply, entry.and_then(Entry::text));
    }
    Ok(())
}

fn pairs<'a>(arguments: &'a [&'a [u8]], command: &str) -> Result<impl Iterator<Item = [&'a [u8]; 2]> + Clone, Failure> {
    let (pairs, rest) = arguments[1..].as_chunks::<2>();
    if rest.is_empty() {
        Ok(pairs.iter().copied())
    } else {
        Err(Failure::new(format!("ERR wrong number of arguments for '{command}' command")))
    }
}

fn store_pairs<'a>(ctx: &mut Ctx<'_>, pairs: impl Iterator<Item = [&'a [u8]; 2]>) {
    for [key, value] in pairs {
        // An expired key is removed first, as SET does.
        ctx.write(key);
        ctx.put_string(key, value, None);
        ctx.modified(key);
        ctx.event("set", key);
    }
}

/// MSET key value [key value …]
pub fn mset(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    store_pairs(ctx, pairs(arguments, "mset")?);
    ctx.reply.ok();
    Ok(())
}

/// MSETNX key value [key value …]
pub fn msetnx(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let mut pairs = pairs(arguments, "msetnx")?;
    let free = pairs.clone().all(|[key, _]| ctx.write(key).is_none());
    if free {
        store_pairs(ctx, &mut pairs);
    }
    ctx.reply.integer(free.into());
    Ok(())
}

/// STRLEN key
pub fn strlen(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let (entry, reply) = ctx.read_reply(arguments[1]);
    reply.count(text(entry)?.map_or(0, Text::len));
    Ok(())
}

/// GETRANGE key start end, and SUBSTR
pub fn getrange(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let start = parse::integer(arguments[2])?;
    let end = parse::integer(arguments[3])?;
    let (entry, reply) = ctx.read_reply(arguments[1]);
    let mut buffer = itoa::Buffer::new();
    let bytes = text(entry)?.map(|text| text.as_bytes(&mut buffer)).unwrap_or_default();
    reply.bulk(slice(bytes, start, end));
    Ok(())
}

/// The bytes from `start` to `end`, both included; negative ones count from the end.
fn slice(bytes: &[u8], start: i64, end: i64) -> &[u8] {
    let len = bytes.len() as i64;
    if start < 0 && end < 0 && start > end {
        return &[];
    }
    let from_start = |at: i64| if at < 0 { at.saturating_add(len).max(0) } else { at };
    let (start, end) = (from_start(start), from_start(end).min(len - 1));
    if start > end { &[] } else { &bytes[start as usize..=end as usize] }
}

/// APPEND key value
pub fn append(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let (key, value) = (arguments[1], arguments[2]);
    let hash = keyspace::hash(key);
    let length = match text(ctx.write(key))? {
        None => {
            ctx.db().set(hash, key, value, None);
            value.len()
        }
        Some(text) => {
            let length = text.len();
            check_length(ctx, length as u64, value.len() as u64)?;
            let buffer = ctx.db().buffer_mut(hash, key).ok_or(failure::WRONG_TYPE)?;
            keyspace::make_room(buffer, length + value.len());
            buffer.extend_from_slice(value);
            length + value.len()
        }
    };
    ctx.modified(key);
    ctx.event("append", key);
    ctx.reply.count(length);
    Ok(())
}

/// SETRANGE key offset value
pub fn setrange(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let (key, value) = (arguments[1], arguments[3]);
    let offset = u64::try_from(parse::integer(arguments[2])?).map_err(|_| OFFSET_OUT_OF_RANGE)?;
    let hash = keyspace::hash(key);
    let length = text(ctx.write(key))?.map(Text::len);
    if value.is_empty() {
        ctx.reply.count(length.unwrap_or(0));
        return Ok(());
    }
    check_length(ctx, offset, value.len() as u64)?;
    if length.is_none() {
        ctx.db().insert(hash, Entry::buffer(key, Vec::new(), None));
    }
    let buffer = ctx.db().buffer_mut(hash, key).ok_or(failure::WRONG_TYPE)?;
    let (start, end) = (offset as usize, offset as usize + value.len());
    if buffer.len() < end {
        keyspace::make_room(buffer, end);
        buffer.resize(end, 0);
    }
    buffer[start..end].copy_from_slice(value);
    let length = buffer.len();
    ctx.modified(key);
    ctx.event("setrange", key);
    ctx.reply.count(length);
    Ok(())
}

/// The limit on a string that grows. What is in the effect stream once was within it.
fn check_length(ctx: &Ctx<'_>, length: u64, more: u64) -> Result<(), Failure> {
    let limit = ctx.engine.config.proto_max_bulk_len();
    let fits = length.checked_add(more).is_some_and(|total| total <= limit);
    if fits || ctx.is_applying() { Ok(()) } else { Err(TOO_LONG) }
}

#[cfg(test)]
mod tests {
    use crate::command::harness::Harness;

    #[test]
    fn a_long_string_that_grows_does_not_take_twice_its_length() {
        for grow in ["APPEND k x", "SETRANGE k 10000002 x", "SETBIT k 80000100 1"] {
            let mut server = Harness::new();
            server.run("SETRANGE k 9999999 x");
            server.run("SETRANGE k 10000000 x");
            server.run(grow);
            let bytes = server.run("MEMORY USAGE k")[1..].parse::<u64>().unwrap();
            assert!((10_000_000..14_000_000).contains(&bytes), "{bytes} after {grow}");
        }
    }

    #[test]
    fn reads_give_the_string_or_say_that_there_is_none() {
        let mut server = Harness::new();
        server.run("MSET a 12 b hello");
        server.effects();
        assert_eq!(server.run("GET a"), "$2 12");
        assert_eq!(server.run("GET none"), "$-1");
        assert_eq!(server.run("MGET a none b"), "*3 $2 12 $-1 $5 hello");
        assert_eq!(server.run("STRLEN a"), ":2");
        assert_eq!(server.run("STRLEN none"), ":0");
        assert_eq!(server.run("GETRANGE b 1 -2"), "$3 ell");
        assert_eq!(server.run("SUBSTR b -100 100"), "$5 hello");
        assert_eq!(server.run("GETRANGE b -1 -2"), "$0");
        assert_eq!(server.run("GETRANGE b 3 1"), "$0");
        assert_eq!(server.run("GETRANGE a -9223372036854775808 9223372036854775807"), "$2 12");
        assert_eq!(server.run("GETRANGE none x 1"), "-ERR value is not an integer or out of range");
        assert_eq!(server.effects(), "");
        assert_eq!((server.engine.stats.keyspace_hits, server.engine.stats.keyspace_misses), (9, 3));
    }

    #[test]
    fn a_string_that_is_read_and_deleted_is_logged_as_deleted() {
        let mut server = Harness::new();
        server.run("MSET a 1 b 2");
        server.effects();
        assert_eq!(server.run("GETDEL a"), "$1 1");
        assert_eq!(server.run("GETDEL a"), "$-1");
        assert_eq!(server.run("DELIFEQ b 3"), ":0");
        assert_eq!(server.run("DELIFEQ b 2"), ":1");
        assert_eq!(server.run("DELIFEQ b 2"), ":0");
        assert_eq!(server.effects(), "SELECT 0 | DEL a | DEL b");
    }

    #[test]
    fn several_strings_are_stored_all_or_none() {
        let mut server = Harness::new();
        assert_eq!(server.run("MSETNX a 1 b 2"), ":1");
        assert_eq!(server.run("MSETNX c 1 b 3"), ":0");
        assert_eq!(server.run("GET c"), "$-1");
        assert_eq!(server.run("MSET a 1 b"), "-ERR wrong number of arguments for 'mset' command");
        assert_eq!(server.run("MSET a 1 a 2"), "+OK");
        assert_eq!(server.run("GET a"), "$1 2");
        assert_eq!(server.effects(), "SELECT 0 | MSETNX a 1 b 2 | MSET a 1 a 2");
    }

    #[test]
    fn a_large_value_shares_the_memory_that_it_came_in_and_is_logged_the_same() {
        let mut server = Harness::new();
        server.engine.stream.shared_min = 2000;
        let request = bytes::Bytes::from([&b"SETk"[..], &[b'v'; 3000]].concat());
        let arguments: [&[u8]; 3] = [&request[..3], &request[3..4], &request[4..]];
        let is_shared = |server: &Harness, key: &[u8]| {
            let entry = server.engine.dbs[0].find(crate::keyspace::hash(key), key).unwrap();
            let Some(crate::keyspace::Text::Bytes(bytes)) = entry.text() else { panic!() };
            request.as_ptr_range().contains(&bytes.as_ptr())
        };
        server.engine.stream.lend(&request);
        server.run_words(server.client, &arguments);
        server.engine.stream.end_loan();
        assert!(is_shared(&server, b"k"));
        server.run("COPY k copy");
        server.run("RENAME k renamed");
        assert!(is_shared(&server, b"copy") && is_shared(&server, b"renamed"));
        assert_eq!(server.run("APPEND copy x"), ":3001");
        assert_eq!(server.run("SETRANGE renamed 1 x"), ":3000");
        assert!(!is_shared(&server, b"copy") && !is_shared(&server, b"renamed"));
        server.run("MULTI");
        server.engine.stream.lend(&request);
        server.run_words(server.client, &arguments);
        server.engine.stream.end_loan();
        server.run("EXEC");
        assert!(is_shared(&server, b"k"));
        let value = "v".repeat(3000);
        assert_eq!(
            server.effects(),
            format!(
                "SELECT 0 | SET k {value} | COPY k copy | RENAME k renamed | APPEND copy x | SETRANGE renamed 1 x | SET k {value}"
            )
        );
        assert_eq!(server.run("GET k"), format!("$3000 {value}"));
    }

    #[test]
    fn a_value_that_came_with_others_does_not_keep_their_memory() {
        let mut server = Harness::new();
        server.engine.stream.shared_min = 2000;
        let request = bytes::Bytes::from([&b"MSETab"[..], &[b'v'; 6000]].concat());
        let arguments: [&[u8]; 5] =
            [&request[..4], &request[4..5], &request[6..3006], &request[5..6], &request[3006..]];
        for line in ["PING", "MULTI"] {
            server.run(line);
            server.engine.stream.lend(&request);
            server.run_words(server.client, &arguments);
            server.engine.stream.end_loan();
        }
        server.run("EXEC");
        server.effects();
        assert!(request.is_unique(), "what is stored is a copy, and the log has been given its bytes");
        assert_eq!(server.run("STRLEN a"), ":3000");
    }

    #[test]
    fn strings_grow_in_place_up_to_the_limit() {
        let mut server = Harness::new();
        assert_eq!(server.run("APPEND k 12"), ":2");
        assert_eq!(server.run("OBJECT ENCODING k"), "$3 int");
        assert_eq!(server.run("APPEND k 34"), ":4");
        assert_eq!(server.run("OBJECT ENCODING k"), "$3 raw");
        assert_eq!(server.run("INCR k"), ":1235");
        assert_eq!(server.run("SETRANGE k 6 x"), ":7");
        assert_eq!(server.run("GET k"), "$7 1235\0\0x");
        assert_eq!(server.run("SETRANGE none 5 ''"), ":0");
        assert_eq!(server.run("EXISTS none"), ":0");
        assert_eq!(server.run("SETRANGE k -1 x"), "-ERR offset is out of range");
        let too_long = "-ERR string exceeds maximum allowed size (proto-max-bulk-len)";
        assert_eq!(server.run("SETRANGE k 536870911 xx"), too_long);
        assert_eq!(server.run("SETRANGE k 9223372036854775807 x"), too_long);
        assert_eq!(server.effects(), "SELECT 0 | APPEND k 12 | APPEND k 34 | INCR k | SETRANGE k 6 x");
    }
}
