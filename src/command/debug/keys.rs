//! DEBUG on keys: how values are represented, digests, sizes of tables. They look at keys as they are, expired or not.

use crate::base::number;
use crate::command::failure::{NO_SUCH_KEY, NOT_AN_INTEGER};
use crate::command::{Ctx, Failure};
use crate::keyspace::{self, Encoding, Entry, RedisDigest, Text, Value};

/// Integers from 0 up to this are shared values in Redis.
const SHARED_INTEGERS: i64 = 10_000;

/// The reference count of a shared value in Redis.
const SHARED: i64 = i32::MAX as i64;

/// The entry of a key; the reply waits for its last change.
fn find<'a>(ctx: &'a mut Ctx<'_>, key: &[u8]) -> Option<&'a Entry> {
    let (db, hash) = (ctx.client.db, keyspace::hash(key));
    ctx.reveal(ctx.engine.gate.last_change(db, hash));
    ctx.engine.dbs[db].find(hash, key)
}

/// DEBUG OBJECT key [fast]
pub(super) fn object(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Result<(), Failure> {
    let access = ctx.engine.access;
    let is_fast = words.get(1).is_some_and(|word| word.eq_ignore_ascii_case(b"fast"));
    let entry = find(ctx, words[0]).ok_or(NO_SUCH_KEY)?;
    let references = match entry.text() {
        Some(Text::Int(0..SHARED_INTEGERS)) => SHARED,
        _ => 1,
    };
    let length = if is_fast { String::new() } else { format!(" serializedlength:{}", entry.serialized_len()) };
    let (used, idle_s) = (entry.used(), access.idle_seconds(entry.used()));
    let line = format!(
        "Value at:{:p} refcount:{references} encoding:{}{length} lru:{used} lru_seconds_idle:{idle_s}{}",
        std::ptr::from_ref(entry),
        entry.encoding().name(),
        nodes(entry, is_fast),
    );
    ctx.reply.simple(&line);
    Ok(())
}

/// What DEBUG OBJECT says of the nodes of a large list.
fn nodes(entry: &Entry, is_fast: bool) -> String {
    let Value::List(list) = entry.value() else { return String::new() };
    let Some((nodes, setting, size)) = list.nodes() else { return String::new() };
    let average = list.len() as f64 / nodes as f64;
    let size = if is_fast { String::new() } else { format!(" ql_uncompressed_size:{size}") };
    format!(" ql_nodes:{nodes} ql_avg_node:{average:.2} ql_listpack_max:{setting} ql_compressed:0{size}")
}

/// DEBUG DIGEST-VALUE [key …]
pub(super) fn digest_values(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Result<(), Failure> {
    ctx.reply.array(words.len());
    for key in words {
        let digest = RedisDigest::of_value(find(ctx, key)).to_hex();
        ctx.reply.simple(&digest);
    }
    Ok(())
}

/// DEBUG HTSTATS dbid [full]
pub(super) fn table_sizes(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Result<(), Failure> {
    let number = number::parse_i64(words[0]).ok_or(NOT_AN_INTEGER)?;
    let db = usize::try_from(number).ok().and_then(|number| ctx.engine.dbs.get(number));
    let [main, expires] = db.ok_or_else(|| Failure::from("ERR Out of range database"))?.table_sizes();
    let text = format!("[Dictionary HT]\n{}[Expires HT]\n{}", describe(main), describe(expires));
    ctx.reveal_everything();
    ctx.reply.verbatim("txt", text.as_bytes());
    Ok(())
}

fn describe((size, elements): (usize, usize)) -> String {
    let heading = "Hash table 0 stats (main hash table):\n";
    if elements == 0 {
        return format!("{heading}No stats available for empty dictionaries\n");
    }
    format!("{heading} table size: {size}\n number of elements: {elements}\n")
}

/// DEBUG HTSTATS-KEY key [full]
pub(super) fn value_table_sizes(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Result<(), Failure> {
    let entry = find(ctx, words[0]).ok_or(NO_SUCH_KEY)?;
    let sizes = entry.value().collection().and_then(|collection| collection.table_sizes());
    let text =
        describe(sizes.ok_or("ERR The value stored at the specified key is not represented using an hash table")?);
    ctx.reply.verbatim("txt", text.as_bytes());
    Ok(())
}

/// DEBUG LISTPACK key
pub(super) fn listpack(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Result<(), Failure> {
    let entry = find(ctx, words[0]).ok_or(NO_SUCH_KEY)?;
    if entry.encoding() != Encoding::Listpack {
        return Err("ERR Not a listpack encoded object.".into());
    }
    tracing::info!("a listpack of {} bytes, {} in an RDB file", entry.heap_bytes(0), entry.serialized_len());
    ctx.reply.simple("Listpack structure printed on stdout");
    Ok(())
}
