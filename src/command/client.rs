//! CLIENT: what a connection says about itself, and what an operator does to connections.
//!
//! The description of connections is in [`super::client_list`], their end in [`super::client_kill`]. What always holds:
//! the connection that runs a command is out of the registry, so whoever looks at all of them looks at it separately.

use super::failure::{NOT_AN_INTEGER, SYNTAX};
use super::{Ctx, Failure, parse};
use crate::base::number;
use crate::engine::Pause;
use crate::engine::client::{BlockedOn, Client, ClientId, ReplyMode, Unblock};
use crate::engine::gate::Level;

/// CLIENT ID
pub fn id(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Result<(), Failure> {
    ctx.reply.integer(ctx.client.id as i64);
    Ok(())
}

/// CLIENT GETNAME
pub fn getname(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Result<(), Failure> {
    if ctx.client.name.is_empty() {
        ctx.reply.null();
    } else {
        ctx.reply.bulk(&ctx.client.name);
    }
    Ok(())
}

/// CLIENT SETNAME connection-name
pub fn setname(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    set_name(ctx.client, arguments[2])?;
    ctx.reply.ok();
    Ok(())
}

/// Names a connection; an empty name is none.
pub(super) fn set_name(client: &mut Client, name: &[u8]) -> Result<(), Failure> {
    check_name(name)?;
    client.name = name.to_vec();
    Ok(())
}

/// Whether a connection may be called that: the name must not break the lines of CLIENT LIST.
pub(super) fn check_name(name: &[u8]) -> Result<(), Failure> {
    if is_plain(name) {
        Ok(())
    } else {
        Err("ERR Client names cannot contain spaces, newlines or special characters.".into())
    }
}

fn is_plain(text: &[u8]) -> bool {
    text.iter().all(u8::is_ascii_graphic)
}

/// CLIENT SETINFO LIB-NAME|LIB-VER value
pub fn setinfo(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let (attribute, value) = (arguments[2], arguments[3]);
    let field = if attribute.eq_ignore_ascii_case(b"lib-name") {
        &mut ctx.client.lib_name
    } else if attribute.eq_ignore_ascii_case(b"lib-ver") {
        &mut ctx.client.lib_version
    } else {
        return Err(Failure::new([b"ERR Unrecognized option '", attribute, b"'"].concat()));
    };
    if !is_plain(value) {
        let reason = b" cannot contain spaces, newlines or special characters.";
        return Err(Failure::new([b"ERR ", attribute, &reason[..]].concat()));
    }
    *field = value.to_vec();
    ctx.reply.ok();
    Ok(())
}

/// CLIENT REPLY ON|OFF|SKIP
pub fn reply(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let mode = arguments[2];
    if mode.eq_ignore_ascii_case(b"on") {
        let ReplyMode { skip_next, .. } = ctx.client.reply_mode;
        ctx.client.reply_mode = ReplyMode { skip_next, ..ReplyMode::default() };
        ctx.reply.ok();
    } else if mode.eq_ignore_ascii_case(b"off") {
        ctx.client.reply_mode.off = true;
    } else if mode.eq_ignore_ascii_case(b"skip") {
        ctx.client.reply_mode.skip_next |= !ctx.client.reply_mode.off;
    } else {
        return Err(SYNTAX);
    }
    Ok(())
}

/// CLIENT NO-EVICT ON|OFF
pub fn no_evict(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    ctx.client.no_evict = on_or_off(arguments[2])?;
    ctx.reply.ok();
    Ok(())
}

/// CLIENT NO-TOUCH ON|OFF
pub fn no_touch(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    ctx.client.no_touch = on_or_off(arguments[2])?;
    ctx.reply.ok();
    Ok(())
}

fn on_or_off(word: &[u8]) -> Result<bool, Failure> {
    match word {
        _ if word.eq_ignore_ascii_case(b"on") => Ok(true),
        _ if word.eq_ignore_ascii_case(b"off") => Ok(false),
        _ => Err(SYNTAX),
    }
}

/// CLIENT PAUSE timeout [WRITE|ALL]. A pause under way is never shortened or relaxed by another.
pub fn pause(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let writes_only = match arguments.get(3) {
        None => false,
        Some(mode) if mode.eq_ignore_ascii_case(b"write") => true,
        Some(mode) if mode.eq_ignore_ascii_case(b"all") => false,
        Some(_) => return Err("ERR CLIENT PAUSE mode must be WRITE or ALL".into()),
    };
    if arguments.len() > 4 {
        return Err(super::help::bad_subcommand(arguments));
    }
    let timeout_ms = parse::timeout_ms(arguments[2], ctx.now_ms())?;
    let mut pause =
        Pause { until_us: ctx.engine.monotonic_us().saturating_add(timeout_ms.saturating_mul(1000)), writes_only };
    if let Some(earlier) = ctx.engine.client_pause() {
        pause.until_us = pause.until_us.max(earlier.until_us);
        pause.writes_only &= earlier.writes_only;
    }
    ctx.engine.pause = Some(pause);
    ctx.reply.ok();
    Ok(())
}

/// CLIENT UNPAUSE
pub fn unpause(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Result<(), Failure> {
    ctx.engine.unpause();
    ctx.reply.ok();
    Ok(())
}

/// CLIENT UNBLOCK client-id [TIMEOUT|ERROR]
pub fn unblock(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let how = match arguments.get(3) {
        None => Unblock::Timeout,
        Some(_) if arguments.len() > 4 => return Err(super::help::bad_subcommand(arguments)),
        Some(how) if how.eq_ignore_ascii_case(b"timeout") => Unblock::Timeout,
        Some(how) if how.eq_ignore_ascii_case(b"error") => Unblock::Error,
        Some(_) => return Err("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR".into()),
    };
    let id = number::parse_i64(arguments[2]).ok_or(NOT_AN_INTEGER)?;
    let ended = ClientId::try_from(id).is_ok_and(|id| end_wait(ctx, id, how));
    ctx.reply.integer(ended.into());
    Ok(())
}

/// Ends the wait of a blocking command, with the unit. What waits for the server's own work cannot be ended.
fn end_wait(ctx: &mut Ctx<'_>, id: ClientId, how: Unblock) -> bool {
    let Some(blocked) = ctx.engine.clients.get(id).and_then(|client| client.blocked) else { return false };
    let can_end = matches!(blocked.on, BlockedOn::Replicas { .. } | BlockedOn::Durable { .. } | BlockedOn::Keys)
        && ctx.unblocked.iter().all(|(unblocked, _)| *unblocked != id);
    if can_end {
        ctx.unblocked.push((id, how));
    }
    can_end
}

/// CLIENT DURABILITY [MEMORY|OS|DISK]
pub fn durability(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    match arguments {
        [_, _] => {
            let level = ctx.client.level.unwrap_or_else(|| ctx.engine.default_level());
            ctx.reply.bulk(level.name().as_bytes());
        }
        [_, _, name] => {
            let level = Level::from_name(name);
            ctx.client.level = Some(level.ok_or_else(|| Failure::from("ERR level must be MEMORY, OS or DISK"))?);
            ctx.reply.ok();
        }
        _ => return Err(super::help::bad_subcommand(arguments)),
    }
    Ok(())
}

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;
