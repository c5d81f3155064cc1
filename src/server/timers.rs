//! What happens by the clock: expiry, idle connections, figures measured now and then.

use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use tokio::task::yield_now;

use super::Node;
use super::query::READ_AHEAD;
use crate::command::{eviction, expiry, info, key_waits};
use crate::engine::Engine;
use crate::engine::client::Client;
use crate::engine::latency::Event;

/// Turns of the slower work, in microseconds.
const SECOND_US: u64 = 1_000_000;

/// Runs for as long as the server does.
pub async fn run(node: Rc<Node>) {
    let clock = node.engine.borrow().clock.clone();
    let mut last_second_us = clock.monotonic_us();
    loop {
        let hz = node.engine.borrow().config.hz().clamp(1, 500);
        clock.sleep(Duration::from_micros(SECOND_US / hz)).await;
        let mut engine = node.engine.borrow_mut();
        engine.read_clock();
        if engine.cron_paused || engine.scripts.busy.is_some() {
            continue;
        }
        if engine.config.maxmemory() != 0 {
            engine.memory.survey();
        }
        let started_us = engine.monotonic_us();
        if engine.active_expire && engine.may_expire() {
            expiry::active_cycle(&mut engine);
            let took_us = engine.tick() - started_us;
            engine.note_latency(Event::ExpireCycle, took_us);
        }
        if engine.pause.is_some() && engine.pause_now().is_none() {
            engine.unpause();
        }
        // Keys that have expired, or that waited for the end of the pause.
        key_waits::serve(&mut engine, None);
        let now_us = engine.monotonic_us();
        let elapsed_us = now_us - last_second_us;
        if elapsed_us >= SECOND_US {
            engine.stats.measure(elapsed_us);
            last_second_us = now_us;
            info::memory::sample(&mut engine);
            look_after_clients(&mut engine);
        }
        engine.stats.cron_us += engine.tick() - started_us;
    }
}

/// Goes on with eviction where a command would be held up by it for too long, and when the limit was changed.
pub async fn evict(node: Rc<Node>) {
    loop {
        poll_fn(|cx| {
            let mut engine = node.engine.borrow_mut();
            engine.eviction.waker = Some(cx.waker().clone());
            // Nothing changes beside a script that is laid aside; its end wakes this task.
            if engine.eviction.is_due && engine.scripts.busy.is_none() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        {
            let mut engine = node.engine.borrow_mut();
            engine.read_clock();
            eviction::make_room(&mut engine);
        }
        // Connections get their turn.
        yield_now().await;
    }
}

/// How long a client that has hung up may have unsent replies that wait for the disk, or a request that waits for room
/// in the log. Who sends all requests and then ends its half of the connection still gets its answers; and a disk that
/// hangs does not let dead connections fill up `maxclients`.
const LINGER_US: u64 = 5 * SECOND_US;

/// Ends connections that have hung up, exceed their limits or are idle, and takes back memory that they do not need.
fn look_after_clients(engine: &mut Engine) {
    let now_us = engine.monotonic_us();
    let timeout_us = engine.config.timeout() * SECOND_US;
    if engine.config.maxmemory_clients().is_some() {
        engine.clients.count_all();
    }
    for client in engine.clients.iter_mut() {
        let idle_us = now_us.saturating_sub(client.active_us);
        let end = if client.output_exceeds(&engine.config, now_us) {
            engine.stats.output_buffer_disconnections += 1;
            tracing::warn!(client = client.id, "Closing client that reached its output buffer limit");
            true
        } else if client.hung_up_since_us.is_some_and(|since| now_us.saturating_sub(since) > LINGER_US) {
            tracing::debug!(client = client.id, "Client closed connection");
            true
        } else if timeout_us > 0 && idle_us > timeout_us && !waits_for_the_server(client) {
            tracing::debug!(client = client.id, "Closing idle client");
            true
        } else {
            false
        };
        client.killed |= end;
        // One that no longer reads would not notice that nobody is there any more.
        let must_read = client.waiting && client.query_buffer.0 >= client.read_ahead;
        if must_read {
            client.read_ahead += READ_AHEAD;
        }
        if end || must_read {
            client.wake();
        }
        if idle_us > SECOND_US {
            client.output.tidy();
        }
    }
}

/// Whether it is not the client's fault that nothing is sent or received: it may listen to what comes, too.
fn waits_for_the_server(client: &Client) -> bool {
    client.waiting || client.output.blocked_by().is_some() || !client.subscriptions.is_empty() || client.monitors
}
