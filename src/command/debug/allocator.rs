//! DEBUG MALLCTL and MALLCTL-STR: the controls of jemalloc.

use tikv_jemalloc_ctl::{Access, AsName};

use crate::command::{Ctx, Failure, parse};

/// The controls that may be set. Others take pointers, or stop the allocator from working.
const WRITABLE: [&[u8]; 5] =
    [b"background_thread", b"max_background_threads", b"arenas.dirty_decay_ms", b"arenas.muzzy_decay_ms", b"epoch"];

const UNKNOWN: Failure = Failure::fixed("ERR No such file or directory");
const NOT_WRITABLE: Failure = Failure::fixed("ERR Operation not permitted");

/// The name as the allocator takes it, with a zero behind it.
fn terminated(name: &[u8]) -> Result<Vec<u8>, Failure> {
    if name.is_empty() || name.contains(&0) {
        return Err(UNKNOWN);
    }
    Ok([name, b"\0"].concat())
}

/// DEBUG MALLCTL key [value]: answers the value from before.
pub(super) fn number(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Result<(), Failure> {
    let value = words.get(1).map(|word| parse::integer(word)).transpose()?;
    let name = terminated(words[0])?;
    let before = read(&name)?;
    if let Some(value) = value {
        if !WRITABLE.contains(&words[0]) {
            return Err(NOT_WRITABLE);
        }
        write(&name, value)?;
    }
    ctx.reply.integer(before);
    Ok(())
}

/// The allocator refuses a read of the wrong width, so the right one is found by trying.
fn read(name: &[u8]) -> Result<i64, Failure> {
    let name = name.name();
    let wide: tikv_jemalloc_ctl::Result<u64> = name.read();
    if let Ok(value) = wide {
        return Ok(value as i64);
    }
    let narrow: tikv_jemalloc_ctl::Result<u32> = name.read();
    if let Ok(value) = narrow {
        return Ok(value.into());
    }
    let truth: tikv_jemalloc_ctl::Result<bool> = name.read();
    truth.map(i64::from).map_err(|_| UNKNOWN)
}

fn write(name: &[u8], value: i64) -> Result<(), Failure> {
    let name = name.name();
    let wide: tikv_jemalloc_ctl::Result<()> = name.write(value as u64);
    let done = wide.or_else(|_| name.write(value as u32)).or_else(|_| name.write(value != 0));
    done.map_err(|_| Failure::fixed("ERR Invalid argument"))
}

/// DEBUG MALLCTL-STR key [value]
pub(super) fn text(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Result<(), Failure> {
    let name = terminated(words[0])?;
    let name = name.as_slice().name();
    if !name.value_type_str() {
        return Err(UNKNOWN);
    }
    if words.len() > 1 {
        return Err(NOT_WRITABLE);
    }
    let text: tikv_jemalloc_ctl::Result<&'static str> = name.read();
    ctx.reply.bulk(text.map_err(|_| UNKNOWN)?.trim_end().as_bytes());
    Ok(())
}
