//! Commands that wait: WAIT and WAITAOF, and how any wait ends.

use std::task::Waker;

use bytes::Bytes;

use super::{Ctx, Failure, call, key_waits, level, parse, table};
use crate::engine::client::{Blocked, BlockedOn, Client, ClientId, Unblock};
use crate::engine::config::Shutdown;
use crate::engine::gate::{Gate, Level};
use crate::engine::snapshots::Purpose;
use crate::engine::trial::Event;
use crate::engine::{Engine, Request};
use crate::resp::Reply;

const UNBLOCKED: &[u8] = b"UNBLOCKED client unblocked via CLIENT UNBLOCK";

/// Looks after a client's blocking command. While it still waits, answers until when (on the monotonic clock, in
/// microseconds; `None` for ever); once it is over, its reply is queued and the answer is `None`.
pub fn check(engine: &mut Engine, client: &mut Client, waker: &Waker) -> Option<Option<u64>> {
    let blocked = client.blocked?;
    let timed_out = blocked.deadline_us.is_some_and(|deadline| engine.monotonic_us() >= deadline);
    if !timed_out && !is_reached(engine, blocked.on) {
        if let BlockedOn::Durable { offset, local: true, .. } = blocked.on {
            engine.gate.wait(Gate::ticket(offset, Level::Disk), waker);
        }
        return Some(blocked.deadline_us);
    }
    end(engine, client, blocked, Unblock::Timeout, 0);
    None
}

/// Ends the wait of a client that is not out, as another one has asked for, whose unit ended at an offset.
pub fn end_by_another(engine: &mut Engine, id: ClientId, how: Unblock, offset: u64) {
    let mut client = engine.clients.take(id);
    if let Some(blocked) = client.blocked {
        end(engine, &mut client, blocked, how, offset);
        client.wake();
    }
    engine.clients.put(client);
}

/// Ends a client's wait with its answer, which reveals what there is up to `offset` at least.
fn end(engine: &mut Engine, client: &mut Client, blocked: Blocked, how: Unblock, offset: u64) {
    client.blocked = None;
    let mut reply = Reply::continuing(client.output.take(), client.resp3);
    let start = reply.len();
    // That keys had nothing for the client tells of their last changes.
    let waited = key_waits::forget(engine, client);
    let reveals = waited.as_ref().map_or(0, |(_, reveals)| *reveals).max(offset);
    let ticket = Gate::ticket(reveals, if reveals > 0 { level(engine, client) } else { Level::Memory });
    if how == Unblock::Error {
        reply.error(UNBLOCKED);
        engine.stats.error(UNBLOCKED);
    } else {
        write_end(engine, &mut reply, blocked.on);
    }
    if let Some((command, _)) = waited
        && let Some(row) = table::command(&command[0])
    {
        let words: Vec<&[u8]> = command.iter().map(Bytes::as_ref).collect();
        call::count_wait(engine, client, row, &words, how == Unblock::Error);
        let (client, level) = (client.id, level(engine, client));
        engine.trial.observe(Event::Executed { client, level, wrote: false });
    }
    if client.reply_mode.is_silent() {
        reply.truncate(start);
    }
    client.reply_mode.end_command();
    let batch = engine.stream.batch_start();
    client.output.put(reply.into_bytes(), ticket, &engine.gate, batch);
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
        BlockedOn::History { before } => engine.new_histories > before,
        BlockedOn::Snapshot { number } => engine.snapshots.result(number).is_some(),
        BlockedOn::Shutdown { before } => engine.refused_shutdowns > before,
        BlockedOn::Migration | BlockedOn::Keys | BlockedOn::Script => false,
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
        BlockedOn::History { .. } => match &engine.history_refusal {
            None => reply.ok(),
            Some(reason) => reply.error(format!("ERR the new replication id could not be noted: {reason}").as_bytes()),
        },
        BlockedOn::Snapshot { number } => match engine.snapshots.result(number) {
            None | Some(Ok(())) => reply.ok(),
            Some(Err(reason)) => reply.error(format!("ERR the snapshot failed: {reason}").as_bytes()),
        },
        BlockedOn::Reload { answered: true, .. } => {}
        BlockedOn::Reload { .. } => match &engine.reload_refusal {
            None => reply.ok(),
            Some(reason) => reply.error(format!("ERR the snapshot failed: {reason}").as_bytes()),
        },
        // `migrate::finish` answers, and the script's unit.
        BlockedOn::Migration | BlockedOn::Script => {}
        BlockedOn::Shutdown { .. } => reply.error(b"ERR Errors trying to SHUTDOWN. Check logs."),
        BlockedOn::Keys => reply.null_array(),
    }
}

/// Answers at once if `on` is reached or the command must not block; else blocks the client.
fn block(ctx: &mut Ctx<'_>, on: BlockedOn, timeout_ms: u64) {
    if is_reached(ctx.engine, on) || ctx.in_transaction() {
        return write_end(ctx.engine, &mut ctx.reply, on);
    }
    let now_us = ctx.engine.monotonic_us();
    let deadline_us = (timeout_ms > 0).then(|| now_us.saturating_add(timeout_ms.saturating_mul(1000)));
    ctx.client.blocked = Some(Blocked { on, deadline_us });
}

/// Answers CONFIG SET appendfsync once the log is written as it says.
pub fn wait_for_sync_policy(ctx: &mut Ctx<'_>) {
    ctx.engine.policy_refusal = None;
    let policy = ctx.engine.config.appendfsync();
    if ctx.engine.log_policy == Some(policy) {
        // Set back to what the log has: whoever waits for something else would wait for ever.
        ctx.engine.policy_applied(policy);
    }
    block(ctx, BlockedOn::SyncPolicy, 0);
}

/// Answers once the data were loaded from the log anew. Inside a transaction that has to wait for its end, for the log
/// gets a transaction whole: the answer comes at once, and the connection goes on when the data are there again.
pub fn wait_for_reload(ctx: &mut Ctx<'_>, save: bool) {
    let on = BlockedOn::Reload { before: ctx.engine.reloads, answered: ctx.in_transaction() };
    if !ctx.in_transaction() {
        ctx.engine.request(Request::Reload { save });
        return block(ctx, on, 0);
    }
    ctx.reply.ok();
    if ctx.client.blocked.is_none() {
        ctx.engine.request(Request::Reload { save });
        ctx.client.blocked = Some(Blocked { on, deadline_us: None });
    }
}

/// Answers once a snapshot was taken that holds what was executed so far.
pub fn wait_for_snapshot(ctx: &mut Ctx<'_>) {
    let number = ctx.engine.snapshots.ask(Purpose { save: true, rewrite: false });
    block(ctx, BlockedOn::Snapshot { number }, 0);
}

/// Answers once a new history has begun. Not inside a transaction, where no reply can wait.
pub fn wait_for_history(ctx: &mut Ctx<'_>) {
    let before = ctx.engine.new_histories;
    ctx.engine.request(Request::NewHistory);
    block(ctx, BlockedOn::History { before }, 0);
}

/// Answers no more: the connection ends with the process.
pub fn wait_for_shutdown(ctx: &mut Ctx<'_>, how: Shutdown) {
    let before = ctx.engine.refused_shutdowns;
    ctx.engine.request(Request::Shutdown(how));
    block(ctx, BlockedOn::Shutdown { before }, 0);
}

/// WAIT numreplicas timeout
pub fn wait(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let replicas = parse::integer(arguments[1])?;
    let timeout_ms = parse::timeout_ms(arguments[2], ctx.now_ms())?;
    block(ctx, BlockedOn::Replicas { offset: ctx.client.last_write, replicas }, timeout_ms);
    Ok(())
}

/// WAITAOF numlocal numreplicas timeout
pub fn waitaof(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let local = parse::integer_in(arguments[1], 0, 1)? == 1;
    let replicas = parse::integer(arguments[2]).ok().filter(|replicas| *replicas >= 0);
    let replicas = replicas.ok_or("ERR value is out of range, must be positive")?;
    let timeout_ms = parse::timeout_ms(arguments[3], ctx.now_ms())?;
    block(ctx, BlockedOn::Durable { offset: ctx.client.last_write, local, replicas }, timeout_ms);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::task::{Wake, Waker};

    use super::check;
    use crate::command::harness::Harness;
    use crate::engine::config::AppendFsync;

    #[test]
    fn times_that_cannot_be_written_down_are_refused() {
        let mut harness = Harness::new();
        for command in ["WAIT 1", "WAITAOF 1 1"] {
            for (timeout, error) in [
                ("9223372036854775807", "timeout is out of range"),
                ("9223372036854775808", "timeout is not an integer or out of range"),
                ("-1", "timeout is negative"),
            ] {
                assert_eq!(
                    harness.run(&format!("{command} {timeout}")),
                    format!("-ERR {error}"),
                    "{command} {timeout}"
                );
            }
        }
        assert_eq!(harness.run("WAIT x y"), "-ERR value is not an integer or out of range");
        assert_eq!(harness.run("WAITAOF 0 x y"), "-ERR value is out of range, must be positive");
        // A thousand times the longest wait, in microseconds, is more than 64 bits hold.
        assert_eq!(harness.run("WAIT 1 7000000000000000000"), "");
        assert!(harness.engine.clients.get(harness.client).unwrap().blocked.is_some());
    }

    #[test]
    fn the_end_of_a_wait_is_as_silent_as_its_command() {
        for (before, reply) in [("PING", &b":0\r\n"[..]), ("CLIENT REPLY SKIP", b""), ("CLIENT REPLY OFF", b"")] {
            let mut harness = Harness::new();
            harness.run(before);
            assert_eq!(harness.run("WAIT 1 1"), "");
            harness.clock.advance(std::time::Duration::from_millis(1));
            harness.engine.read_clock();
            let mut client = harness.engine.clients.take(harness.client);
            assert_eq!(check(&mut harness.engine, &mut client, Waker::noop()), None);
            harness.engine.clients.put(client);
            assert_eq!(harness.receive(harness.client), reply, "{before}");
        }
    }

    #[test]
    fn who_waits_for_a_log_policy_that_another_takes_back_is_answered() {
        let mut harness = Harness::new();
        harness.engine.policy_applied(AppendFsync::Always);
        assert_eq!(harness.run("CONFIG SET appendfsync everysec"), "", "it waits for the log");
        let woken = Arc::new(Woken::default());
        harness.engine.clients.get_mut(harness.client).unwrap().waker = Some(woken.clone().into());
        let other = harness.connect();
        assert_eq!(harness.run_as(other, "CONFIG SET appendfsync always"), "+OK");
        assert!(woken.0.load(Ordering::Relaxed));
        let mut client = harness.engine.clients.take(harness.client);
        assert_eq!(check(&mut harness.engine, &mut client, Waker::noop()), None);
        harness.engine.clients.put(client);
    }

    #[derive(Default)]
    struct Woken(AtomicBool);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
}
