//! MONITOR: connections that are told of every command, in the order of execution.
//!
//! What is told of a command waits for all effects of the unit that it is part of, as a message of PUBLISH does: a line about
//! a SET says that there was one, and nobody may learn that before the SET is what a crash cannot take back. Redis' own
//! exceptions hold: commands for the operator are not shown, scripts are shown before what they call.

use std::fmt::Write;

use super::redaction;
use super::scripting::long;
use super::spec;
use super::table::Row;
use super::{Ctx, Failure, Origin};
use crate::base::quoting;

/// Bytes of lines that a script which has changed nothing yet may gather before they are sent.
const GATHERED: usize = 64 * 1024;

/// MONITOR
pub fn monitor(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Result<(), Failure> {
    if ctx.in_transaction() {
        return Err("ERR MONITOR isn't allowed for DENY BLOCKING client".into());
    }
    // Whoever does already gets no answer, as in Redis.
    if !ctx.client.monitors {
        ctx.engine.monitors.add(ctx.client);
        ctx.reply.ok();
    }
    Ok(())
}

/// Notes for all who monitor that a command is about to run: one that runs a script comes before what the script calls.
#[inline]
pub fn begins(ctx: &mut Ctx<'_>, row: &Row, words: &[&[u8]]) {
    if !ctx.engine.monitors.is_empty() && long::is_script(row) {
        note(ctx, row, words);
    }
}

/// Notes for all who monitor that a command ran.
#[inline]
pub fn ended(ctx: &mut Ctx<'_>, row: &Row, words: &[&[u8]]) {
    let flags = row.spec.flags;
    if !ctx.engine.monitors.is_empty() && !flags.has(spec::ADMIN) && !flags.has(spec::SKIP_MONITOR) {
        note(ctx, row, words);
    }
}

#[cold]
fn note(ctx: &mut Ctx<'_>, row: &Row, words: &[&[u8]]) {
    // What waited was shown when it began to wait.
    if ctx.origin != Origin::Client || ctx.runs_anew {
        return;
    }
    ctx.engine.tick();
    let now_us = ctx.engine.wall_us();
    let (peer, lines) = (&ctx.client.peer, &mut ctx.lines);
    let address = &peer.address;
    let written = match address.strip_suffix(":0") {
        _ if ctx.in_script => write_head(lines, now_us, ctx.client.db, "lua"),
        Some(path) if peer.is_unix => write_head(lines, now_us, ctx.client.db, &format!("unix:{path}")),
        _ => write_head(lines, now_us, ctx.client.db, address),
    };
    written.expect("writing to a String cannot fail");
    for word in redaction::shown(row.spec, words) {
        lines.push(' ');
        quoting::quote(lines, word);
    }
    lines.push_str("\r\n");
    if ctx.in_script && ctx.lines.len() >= GATHERED {
        tell_early(ctx);
    }
}

fn write_head(lines: &mut String, now_us: u64, db: usize, address: &str) -> std::fmt::Result {
    write!(lines, "+{}.{:06} [{db} {address}]", now_us / 1_000_000, now_us % 1_000_000)
}

/// Sends what a script has done so far, if it has changed nothing: what it read is known, and what it will do is not told of.
pub fn tell_early(ctx: &mut Ctx<'_>) {
    if ctx.lines.is_empty() || ctx.engine.stream.unit_effects() > 0 {
        return;
    }
    let lines = std::mem::take(&mut ctx.lines);
    let offset = ctx.reveals.max(ctx.client.last_write);
    ctx.engine.tell_monitors(&lines, offset, None);
}

#[cfg(test)]
#[path = "monitor_tests.rs"]
mod tests;
