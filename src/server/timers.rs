//! What happens by the clock: expiry, idle connections, figures measured now and then.

use std::rc::Rc;
use std::time::Duration;

use super::Node;
use crate::command::{expiry, info};
use crate::engine::Engine;

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
        if engine.cron_paused {
            continue;
        }
        let started_us = engine.monotonic_us();
        if engine.active_expire && engine.may_expire() {
            expiry::active_cycle(&mut engine);
        }
        if engine.pause.is_some() && engine.pause_now().is_none() {
            engine.unpause();
        }
        let now_us = engine.monotonic_us();
        let elapsed_us = now_us - last_second_us;
        if elapsed_us >= SECOND_US {
            engine.stats.measure(elapsed_us);
            last_second_us = now_us;
            info::memory::sample(&mut engine);
            close_idle_connections(&mut engine);
        }
        engine.stats.cron_us += engine.tick() - started_us;
    }
}

/// `timeout`: ends connections that have sent nothing for that long and wait for nothing.
fn close_idle_connections(engine: &mut Engine) {
    let limit_us = engine.config.timeout() * SECOND_US;
    if limit_us == 0 {
        return;
    }
    let now_us = engine.monotonic_us();
    for client in engine.clients.iter_mut() {
        if client.blocked.is_none() && now_us.saturating_sub(client.active_us) > limit_us {
            tracing::debug!(client = client.id, "Closing idle client");
            client.killed = true;
            client.wake();
        }
    }
}
