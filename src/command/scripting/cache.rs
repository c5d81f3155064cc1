//! SCRIPT: the cache of scripts, and the script that runs.

use super::eval::{self, NO_SCRIPT};
use super::{is_flush_mode, long};
use crate::command::{Ctx, Failure};
use crate::engine::scripts::Kind;

/// SCRIPT LOAD script
pub fn load(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let script = eval::script(ctx.engine, arguments[2], true)?;
    ctx.reply.bulk(script.name.as_bytes());
    Ok(())
}

/// SCRIPT EXISTS sha1 [sha1 …]
pub fn exists(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    ctx.reply.array(arguments.len() - 2);
    for text in &arguments[2..] {
        let script = eval::digest_in_hex(text).and_then(|digest| ctx.engine.scripts.cache.get(&digest));
        ctx.reply.integer(i64::from(script.is_some()));
    }
    Ok(())
}

/// SCRIPT SHOW sha1
pub fn show(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let digest = eval::digest_in_hex(arguments[2]).ok_or(NO_SCRIPT)?;
    let script = ctx.engine.scripts.cache.get(&digest).ok_or(NO_SCRIPT)?;
    ctx.reply.bulk(&script.body);
    Ok(())
}

/// SCRIPT FLUSH [ASYNC|SYNC]
pub fn flush(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    match &arguments[2..] {
        [] => {}
        [mode] if is_flush_mode(mode) => {}
        _ => return Err("ERR SCRIPT FLUSH only support SYNC|ASYNC option".into()),
    }
    ctx.engine.scripts.flush();
    ctx.reply.ok();
    Ok(())
}

/// SCRIPT KILL
pub fn kill(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Result<(), Failure> {
    long::kill(ctx, Kind::Eval)
}

/// SCRIPT DEBUG YES|SYNC|NO
pub fn debug(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let modes: [&[u8]; 3] = [b"yes", b"sync", b"no"];
    if !modes.iter().any(|mode| mode.eq_ignore_ascii_case(arguments[2])) {
        return Err("ERR Use SCRIPT DEBUG YES/SYNC/NO".into());
    }
    ctx.reply.ok();
    Ok(())
}
