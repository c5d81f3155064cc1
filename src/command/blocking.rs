//! Commands that wait: WAIT and WAITAOF, and how any wait ends.

use std::task::Waker;

use super::{Ctx, Failure};
use crate::engine::client::{Blocked, BlockedOn, Client, Unblock};
use crate::engine::gate::{Gate, Level};
use crate::engine::{Engine, Request, Shutdown};
use crate::resp::Reply;

/// Looks after a client's blocking command. While it still waits, answers until when (on the monotonic clock, in
/// microseconds; `None` for ever); once it is over, its reply is queued and the answer is `None`.
pub fn check(engine: &mut Engine, client: &mut Client, waker: &Waker) -> Option<Option<u64>> {
    let blocked = client.blocked?;
    let timed_out = blocked.deadline_us.is_some_and(|deadline| engine.monotonic_us() >= deadline);
    let over = timed_out || blocked.unblock.is_some() || is_reached(engine, blocked.on);
    if !over {
        if let BlockedOn::Durable { offset, local: true, .. } = blocked.on {
            engine.gate.wait(Gate::ticket(offset, Level::Disk), waker);
        }
        return Some(blocked.deadline_us);
    }
    client.blocked = None;
    let mut reply = Reply::continuing(client.output.take(), client.resp3);
    let start = reply.len();
    if blocked.unblock == Some(Unblock::Error) {
        reply.error(b"UNBLOCKED client unblocked via CLIENT UNBLOCK");
    } else {
        write_end(engine, &mut reply, blocked.on);
    }
    if client.reply_mode.is_silent() {
        reply.truncate(start);
    }
    client.reply_mode.end_command();
    let batch = engine.stream.batch_start();
    client.output.put(reply.into_bytes(), Gate::ticket(0, Level::Memory), &engine.gate, batch);
    None
}

fn is_durable(engine: &Engine, offset: u64) -> bool {
    engine.gate.is_open(Gate::ticket(offset, Level::Disk))
}

fn is_reached(engine: &Engine, on: BlockedOn) -> bool {
    match on {
        BlockedOn::Replicas { replicas, .. } => replicas <= 0,
        BlockedOn::Durable { offset, local, replicas } => replicas <= 0 && (!local || is_durable(engine, offset)),
        BlockedOn::SyncPolicy => {
            engine.policy_refusal.is_some()
                || engine.log_policy.is_none_or(|policy| policy == engine.config.appendfsync())
        }
        BlockedOn::Reload { before, .. } => engine.reloads > before,
        BlockedOn::Shutdown => false,
    }
}

/// How the wait ends: WAIT and WAITAOF answer how far things are. There are no replicas yet.
fn write_end(engine: &Engine, reply: &mut Reply, on: BlockedOn) {
    match on {
        BlockedOn::Replicas { .. } => reply.integer(0),
        BlockedOn::Durable { offset, .. } => {
            reply.array(2);
            reply.integer(i64::from(is_durable(engine, offset)));
            reply.integer(0);
        }
        BlockedOn::SyncPolicy => match &engine.policy_refusal {
            None => reply.ok(),
            Some(reason) => reply.error(
                format!("ERR CONFIG SET failed (possibly related to argument 'appendfsync') - {reason}").as_bytes(),
            ),
        },
        BlockedOn::Reload { answered: true, .. } => {}
        BlockedOn::Reload { .. } => reply.ok(),
        BlockedOn::Shutdown => {}
    }
}

/// Answers at once if `on` is reached or the command must not block; else blocks the client.
fn block(ctx: &mut Ctx<'_>, on: BlockedOn, timeout_ms: i64) {
    if is_reached(ctx.engine, on) || ctx.in_transaction() {
        return write_end(ctx.engine, &mut ctx.reply, on);
    }
    let now_us = ctx.engine.monotonic_us();
    let deadline_us = u64::try_from(timeout_ms).ok().filter(|ms| *ms > 0).map(|ms| now_us + ms * 1000);
    ctx.client.blocked = Some(Blocked { on, deadline_us, unblock: None });
}

/// Answers CONFIG SET appendfsync once the log is written as it says.
pub fn wait_for_sync_policy(ctx: &mut Ctx<'_>) {
    ctx.engine.policy_refusal = None;
    block(ctx, BlockedOn::SyncPolicy, 0);
}

/// Answers once the data were loaded from the log anew. Inside a transaction that has to wait for its end, for the log
/// gets a transaction whole: the answer comes at once, and the connection goes on when the data are there again.
pub fn wait_for_reload(ctx: &mut Ctx<'_>) {
    let on = BlockedOn::Reload { before: ctx.engine.reloads, answered: ctx.in_transaction() };
    if !ctx.in_transaction() {
        ctx.engine.request(Request::Reload);
        return block(ctx, on, 0);
    }
    ctx.reply.ok();
    if ctx.client.blocked.is_none() {
        ctx.engine.request(Request::Reload);
        ctx.client.blocked = Some(Blocked { on, deadline_us: None, unblock: None });
    }
}

/// Answers no more: the connection ends with the process.
pub fn wait_for_shutdown(ctx: &mut Ctx<'_>, how: Shutdown) {
    ctx.engine.request(Request::Shutdown(how));
    block(ctx, BlockedOn::Shutdown, 0);
}

/// WAIT numreplicas timeout
pub fn wait(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let timeout_ms = timeout(arguments[2])?;
    let replicas = super::parse::integer(arguments[1])?;
    block(ctx, BlockedOn::Replicas { offset: ctx.client.last_write, replicas }, timeout_ms);
    Ok(())
}

/// WAITAOF numlocal numreplicas timeout
pub fn waitaof(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let local = super::parse::integer_in(arguments[1], 0, 1)? == 1;
    let replicas = super::parse::integer(arguments[2]).ok().filter(|replicas| *replicas >= 0);
    let replicas = replicas.ok_or("ERR value is out of range, must be positive")?;
    let timeout_ms = timeout(arguments[3])?;
    block(ctx, BlockedOn::Durable { offset: ctx.client.last_write, local, replicas }, timeout_ms);
    Ok(())
}

fn timeout(text: &[u8]) -> Result<i64, Failure> {
    let ms = super::parse::integer(text).map_err(|_| Failure::from("ERR timeout is not an integer or out of range"))?;
    if ms < 0 { Err("ERR timeout is negative".into()) } else { Ok(ms) }
}
