//! Eviction: removes keys while more memory is in use than `maxmemory` allows.
//!
//! Dispatch calls [`make_room`] before each command of a connection, and the server goes on with what one command would be
//! held up by for too long. Every key removed is a unit of its own in the effect stream, so a copy never evicts by itself,
//! and who is told of it, or reads the key, waits until it cannot come back.

use super::failure::Failure;
use super::{Ctx, Origin, Removal, call};
use crate::engine::Engine;
use crate::engine::client::{Client, Peer};
use crate::engine::latency::Event;
use crate::keyspace;
use crate::resp::Reply;

/// What a command is told that may need more memory.
pub const OUT_OF_MEMORY: Failure = Failure::fixed("OOM command not allowed when used memory > 'maxmemory'.");

/// Keys removed between two looks at the clock, as in Redis.
const KEYS_A_LOOK: u64 = 16;
/// Up to this tenacity each step is as long, beyond it they grow.
const EVEN_TENACITY: u32 = 10;
/// A step, in microseconds.
const STEP_US: u64 = 50;
/// How much each further step adds.
const GROWTH: f64 = 1.15;

/// How it stands with the memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// There is enough.
    Enough,
    /// There will be, for eviction goes on.
    Soon,
    /// There is too little, and nothing to be done about it.
    None,
}

/// Evicts keys until the memory suffices, the time is up, or nothing more can be evicted.
pub fn make_room(engine: &mut Engine) -> Room {
    engine.eviction.is_due = false;
    let room = if engine.memory_is_full() { evict(engine) } else { Room::Enough };
    note_excess(engine);
    room
}

fn evict(engine: &mut Engine) -> Room {
    if !engine.may_expire() {
        // Nothing is changed now that nobody asked for, and nobody is refused for that.
        return Room::Enough;
    }
    let started_us = engine.tick();
    let limit_us = time_limit_us(engine.config.maxmemory_eviction_tenacity());
    let mut client = Client::new(0, Peer::default(), started_us);
    let mut removed = 0;
    let room = loop {
        let Some((db, key)) = engine.next_victim() else {
            // What was taken out, by whomever, may still be on its way to be freed.
            break if engine.lazyfree.pending() > 0 { Room::Soon } else { Room::None };
        };
        remove(engine, &mut client, db, &key);
        removed += 1;
        if !engine.memory_is_full() || !engine.may_expire() {
            break Room::Enough;
        }
        if removed % KEYS_A_LOOK == 0 && engine.tick() - started_us > limit_us {
            engine.eviction.ask();
            break Room::Soon;
        }
    };
    let took_us = engine.tick() - started_us;
    engine.note_latency(Event::EvictionCycle, took_us);
    room
}

fn remove(engine: &mut Engine, client: &mut Client, db: usize, key: &[u8]) {
    client.db = db;
    engine.stream.begin_unit();
    let mut ctx = Ctx::new(engine, client, Reply::resp2(), Origin::Client);
    ctx.remove_unasked(db, keyspace::hash(key), key, Removal::Evicted);
    call::finish(ctx, 0);
}

/// How long one command may be held up, in microseconds: 500 by default, and about two minutes below the most.
fn time_limit_us(tenacity: u32) -> u64 {
    match tenacity {
        100.. => u64::MAX,
        _ => {
            let even = u64::from(tenacity.min(EVEN_TENACITY)) * STEP_US;
            (even as f64 * GROWTH.powi(tenacity.saturating_sub(EVEN_TENACITY) as i32)) as u64
        }
    }
}

/// Counts the time during which more memory is in use than is allowed.
fn note_excess(engine: &mut Engine) {
    let now_us = engine.monotonic_us();
    if engine.memory_is_full() {
        engine.eviction.exceeded_since_us.get_or_insert(now_us);
    } else if let Some(since) = engine.eviction.exceeded_since_us.take() {
        engine.stats.memory_exceeded_us += now_us.saturating_sub(since);
    }
}

#[cfg(test)]
#[path = "eviction_tests.rs"]
mod tests;
