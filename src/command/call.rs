//! Runs handlers, and does what all commands share: effects, gate marks, counters, the shadow's check.

use super::scripting::long;
use super::table::Row;
use super::{Ctx, Failure, Origin, blocking, key_positions, monitor, shadow, slowlog, spec};
use crate::engine::Engine;
use crate::engine::client::{BlockedOn, Client};
use crate::engine::gate::Gate;
use crate::engine::trial::Event;
use crate::resp::Reply;

/// Executes one command of a connection as a unit of its own, and queues its reply behind its gate.
pub fn execute(engine: &mut Engine, client: &mut Client, row: &'static Row, arguments: &[&[u8]]) {
    if long::may_run(client, row) {
        return long::execute(engine, client, row, arguments);
    }
    execute_unit(engine, client, row, arguments, false);
}

/// [`execute`] for a command that has waited.
pub fn execute_anew(engine: &mut Engine, client: &mut Client, row: &Row, arguments: &[&[u8]]) {
    execute_unit(engine, client, row, arguments, true);
}

fn execute_unit(engine: &mut Engine, client: &mut Client, row: &Row, arguments: &[&[u8]], runs_anew: bool) {
    let buffer = client.output.take();
    let start = buffer.len();
    let reply = Reply::continuing(buffer, client.resp3);
    engine.stream.begin_unit();
    let mut ctx = Ctx::new(engine, client, reply, Origin::Client);
    ctx.runs_anew = runs_anew;
    run(&mut ctx, row, arguments);
    finish(ctx, start);
}

/// Runs one command inside the unit under way: its effects, its counters, its error.
pub fn run(ctx: &mut Ctx<'_>, row: &Row, arguments: &[&[u8]]) {
    let Some(handler) = row.spec.handler else {
        return refuse(ctx, row, &Failure::new(format!("ERR unknown command '{}'", row.spec.name)));
    };
    let started_us = ctx.engine.monotonic_us();
    let reply_start = ctx.reply.len();
    let db = ctx.client.db;
    (ctx.dirty, ctx.has_effects) = (0, false);
    ctx.missing.clear();
    let databases = ctx.changed_databases.len();
    monitor::begins(ctx, row, arguments);
    let result = handler(ctx, arguments);
    if ctx.origin == Origin::Client {
        for db in &ctx.changed_databases[databases..] {
            ctx.engine.blocked_keys.signal_database(&ctx.engine.dbs, *db);
        }
        if ctx.dirty > 0 && !ctx.has_effects {
            ctx.engine.stream.effect(db, arguments);
        }
        let failed = result.is_err() || ctx.reply.as_bytes().get(reply_start) == Some(&b'-');
        count(ctx, row, arguments, started_us, failed);
        monitor::ended(ctx, row, arguments);
    }
    if ctx.client.tracking.is_some() {
        remember_keys(ctx, row, arguments);
    }
    if let Err(failure) = result {
        ctx.reply.truncate(reply_start);
        fail(ctx, &failure);
    }
}

/// Notes what a connection that tracks has read. Of a script, each command notes its own.
fn remember_keys(ctx: &mut Ctx<'_>, row: &Row, arguments: &[&[u8]]) {
    let flags = row.spec.flags;
    if ctx.origin != Origin::Client || !flags.has(spec::READONLY) || row.spec.group == spec::Group::Scripting {
        return;
    }
    let keys = key_positions::keys_of(row.spec, arguments).unwrap_or_default();
    let Engine { tracking, clients, .. } = &mut *ctx.engine;
    tracking.remember(ctx.client, clients, keys.iter().map(|key| arguments[key.at]));
}

fn count(ctx: &mut Ctx<'_>, row: &Row, arguments: &[&[u8]], started_us: u64, failed: bool) {
    let mut elapsed = ctx.engine.tick() - started_us;
    ctx.engine.stats.changes += ctx.dirty;
    if runs_anew(ctx.client) {
        ctx.client.ran_us += elapsed;
        return;
    }
    if ctx.runs_anew {
        elapsed += std::mem::take(&mut ctx.client.ran_us);
    }
    ctx.engine.stats.total_commands += 1;
    let stats = ctx.engine.stats.command(row.id);
    stats.calls += 1;
    stats.usec += elapsed;
    stats.failed += u64::from(failed);
    if ctx.engine.config.latency_tracking() {
        ctx.engine.stats.latency(row.id, elapsed);
    }
    slowlog::note(ctx.engine, ctx.client, row, arguments, elapsed);
}

/// Whether the command waits, and will be run anew: it counts when it is over.
fn runs_anew(client: &Client) -> bool {
    client.blocked.is_some_and(|blocked| matches!(blocked.on, BlockedOn::Keys | BlockedOn::Migration))
}

/// Counts a command whose wait for keys was in vain.
pub fn count_wait(engine: &mut Engine, client: &mut Client, row: &Row, arguments: &[&[u8]], failed: bool) {
    let elapsed = std::mem::take(&mut client.ran_us);
    let stats = engine.stats.command(row.id);
    stats.calls += 1;
    stats.usec += elapsed;
    stats.failed += u64::from(failed);
    slowlog::note(engine, client, row, arguments, elapsed);
}

/// Answers a command with an error without running it.
pub fn refuse(ctx: &mut Ctx<'_>, row: &Row, failure: &Failure) {
    ctx.engine.stats.command(row.id).rejected += 1;
    fail(ctx, failure);
}

/// Writes an error reply and counts it.
pub fn fail(ctx: &mut Ctx<'_>, failure: &Failure) {
    ctx.engine.stats.error(failure.text());
    ctx.reply.error(failure.text());
}

/// Answers a request by itself, without running anything.
pub fn answer(engine: &mut Engine, client: &mut Client, write: impl FnOnce(&mut Ctx<'_>)) {
    let buffer = client.output.take();
    let start = buffer.len();
    let reply = Reply::continuing(buffer, client.resp3);
    engine.stream.begin_unit();
    let mut ctx = Ctx::new(engine, client, reply, Origin::Client);
    write(&mut ctx);
    finish(ctx, start);
}

/// Ends the unit: gives its effects their offset, marks what they changed, and queues the reply.
pub fn finish(mut ctx: Ctx<'_>, reply_start: usize) {
    let mut reveals = ctx.reveals;
    let end = ctx.engine.stream.end_unit();
    if let Some(end) = end {
        ctx.engine.gate.advance_executed(end);
        for (db, hash) in &ctx.changed {
            ctx.engine.gate.mark_key(*db, *hash, end);
        }
        for db in &ctx.changed_databases {
            ctx.engine.gate.mark_database(*db, end);
        }
        ctx.client.last_write = end;
        ctx.engine.stream.wake_committer();
        reveals = end;
    } else if !ctx.engine.gate.is_open(Gate::ticket(reveals, ctx.level())) {
        ctx.engine.gate.waits.reads += 1;
    }
    shadow::check(ctx.engine, &ctx.changed_names, !ctx.changed_databases.is_empty());
    if let Some(end) = end {
        let Engine { trial, stream, .. } = &mut *ctx.engine;
        if trial.observer.is_some() {
            trial.observe(Event::Unit { end, effects: &stream.last_unit() });
        }
    }
    for (id, how) in std::mem::take(&mut ctx.unblocked) {
        // That somebody ended the wait tells of all that the unit did.
        blocking::end_by_another(ctx.engine, id, how, end.unwrap_or(0));
    }
    queue_reply(&mut ctx, reply_start, reveals);
    if let Some(tracked) = ctx.tracked.take() {
        ctx.engine.broadcast(ctx.client, *tracked, &mut ctx.pushes);
    }
    if let Some(tracker) = &mut ctx.client.tracking
        && ctx.client.transaction.is_none()
        && !ctx.client.last_command.starts_with("client")
    {
        tracker.caching = false;
    }
    if !ctx.pushes.is_empty() || !ctx.lines.is_empty() {
        // What is told may rest on what the connection wrote before, though nobody knows of that yet.
        let offset = if ctx.engine.trial.planted.tell_early { 0 } else { reveals.max(ctx.client.last_write) };
        let (pushes, lines) = (std::mem::take(&mut ctx.pushes), std::mem::take(&mut ctx.lines));
        ctx.engine.deliver(&pushes, offset, ctx.client);
        if !lines.is_empty() {
            ctx.engine.tell_monitors(&lines, offset, Some(ctx.client));
        }
    }
    let (client, level) = (ctx.client.id, ctx.level());
    if !runs_anew(ctx.client) {
        ctx.engine.trial.observe(Event::Executed { client, level, wrote: end.is_some() });
    }
}

/// Takes back what was written since `start`, if CLIENT REPLY says so.
pub fn leave_out(ctx: &mut Ctx<'_>, start: usize) {
    if !std::mem::take(&mut ctx.answers_by_push) && ctx.client.reply_mode.is_silent() {
        ctx.reply.truncate(start);
    }
}

fn queue_reply(ctx: &mut Ctx<'_>, reply_start: usize, reveals: u64) {
    // EXEC leaves out by itself what its commands may not say.
    if !ctx.ran_transaction {
        leave_out(ctx, reply_start);
    }
    // A command that waits is over only when its reply is there.
    if ctx.client.blocked.is_none() {
        ctx.client.reply_mode.end_command();
    }
    let level = ctx.level();
    let buffer = std::mem::take(&mut ctx.reply).into_bytes();
    let batch = ctx.engine.stream.batch_start();
    ctx.client.output.put(buffer, Gate::ticket(reveals, level), &ctx.engine.gate, batch);
}
