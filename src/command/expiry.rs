//! Active expiry: removes expired keys that nobody asks for, with a bounded share of the time.
//!
//! A timer calls [`active_cycle`] a few times a second. It walks through the keys with an expiry time, a few at a time,
//! and goes on with a database for as long as many of those it sees have expired. The effort is `active-expire-effort`.
//! Every key removed is a unit of its own in the effect stream. Fields of hashes come first; see `field_expiry.rs`.

use super::{Ctx, Origin, call, field_expiry};
use crate::engine::Engine;
use crate::engine::client::{Client, Peer};
use crate::resp::Reply;

/// Keys looked at before it is decided whether to go on; more with more effort.
const KEYS_A_STEP: u64 = 20;
/// Share of the time between two calls that a cycle may take, in percent; more with more effort.
const TIME_PERCENT: u64 = 25;
/// A database is left when fewer keys than this share of those seen have expired, in percent; less with more effort.
const STALE_PERCENT: u64 = 10;
/// Which part of that time fields of hashes have for themselves.
const FIELDS_SHARE: u64 = 4;
/// Buckets visited at most for each key wanted: a sparse index must not take all the time.
const BUCKETS_PER_KEY: u64 = 20;
/// Steps between two looks at the clock.
const STEPS_A_LOOK: u64 = 16;

/// What one step saw.
#[derive(Default)]
struct Step {
    seen: u64,
    ttl_sum: i64,
    ttl_count: i64,
    expired: Vec<Vec<u8>>,
}

/// Removes expired keys for at most the time that the settings allow.
pub fn active_cycle(engine: &mut Engine) {
    let effort = engine.config.active_expire_effort().saturating_sub(1);
    let keys_a_step = KEYS_A_STEP + KEYS_A_STEP / 4 * effort;
    let stale_percent = STALE_PERCENT.saturating_sub(effort);
    let limit_us = (TIME_PERCENT + 2 * effort) * 10_000 / engine.config.hz().clamp(1, 500);
    let start_us = engine.tick();
    let mut client = Client::new(0, Peer::default(), start_us);
    field_expiry::active_cycle(engine, &mut client, limit_us / FIELDS_SHARE);
    let start_us = engine.tick();
    let (mut seen, mut removed) = (0, 0);
    let databases = engine.dbs.len();
    // It begins where the last cycle ran out of time, so that no database starves.
    let first = engine.next_expiry_db;
    for turn in 0..databases {
        let db = (first + turn) % databases;
        engine.next_expiry_db = (db + 1) % databases;
        let mut steps = 0;
        loop {
            if engine.dbs[db].volatile_len() == 0 {
                engine.dbs[db].average_ttl_ms = 0;
                break;
            }
            let step = look(engine, db, keys_a_step);
            let expired = step.expired.len() as u64;
            note_average_ttl(engine, db, &step);
            remove(engine, &mut client, db, &step.expired);
            seen += step.seen;
            removed += expired;
            steps += 1;
            if steps % STEPS_A_LOOK == 0 && engine.tick() - start_us > limit_us {
                engine.stats.expire_time_cap_reached += 1;
                return note_stale(engine, seen, removed);
            }
            // An empty stretch says nothing about the rest, but the cursor has come back to the start in the end.
            let percent = (expired * 100).checked_div(step.seen);
            let go_on = percent.map_or(engine.dbs[db].expiry_cursor != 0, |percent| percent > stale_percent);
            if !go_on || !engine.may_expire() {
                break;
            }
        }
    }
    note_stale(engine, seen, removed);
}

/// Looks at the next few keys with an expiry time.
fn look(engine: &mut Engine, db: usize, keys: u64) -> Step {
    let now_ms = engine.now_ms() as i64;
    let db = &mut engine.dbs[db];
    let keys = keys.min(db.volatile_len() as u64);
    let mut step = Step::default();
    for _ in 0..keys * BUCKETS_PER_KEY {
        db.expiry_cursor = db.scan_volatile(db.expiry_cursor, |entry| {
            step.seen += 1;
            let ttl = entry.expiry().map_or(i64::MAX, |at_ms| at_ms.saturating_sub(now_ms));
            if ttl <= 0 {
                step.expired.push(entry.key().to_vec());
            } else {
                step.ttl_sum = step.ttl_sum.saturating_add(ttl);
                step.ttl_count += 1;
            }
        });
        if step.seen >= keys || db.expiry_cursor == 0 {
            break;
        }
    }
    step
}

/// A running mean, in which the newest step counts for a fiftieth.
fn note_average_ttl(engine: &mut Engine, db: usize, step: &Step) {
    let Some(mean) = step.ttl_sum.checked_div(step.ttl_count) else { return };
    let average = &mut engine.dbs[db].average_ttl_ms;
    *average = if *average == 0 { mean } else { *average / 50 * 49 + mean / 50 };
}

/// A running estimate of the share of keys that have expired and are still there.
fn note_stale(engine: &mut Engine, seen: u64, removed: u64) {
    let percent = if seen == 0 { 0.0 } else { removed as f64 * 100.0 / seen as f64 };
    engine.stats.expired_stale_percent = engine.stats.expired_stale_percent * 0.95 + percent * 0.05;
}

fn remove(engine: &mut Engine, client: &mut Client, db: usize, keys: &[Vec<u8>]) {
    client.db = db;
    for key in keys {
        if !engine.may_expire() {
            return;
        }
        engine.stream.begin_unit();
        let mut ctx = Ctx::new(engine, client, Reply::resp2(), Origin::Client);
        ctx.is_gone(key);
        call::finish(ctx, 0);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::command::harness::Harness;

    #[test]
    fn keys_that_nobody_asks_for_are_removed_with_effects() {
        let mut server = Harness::new();
        for number in 0..500 {
            server.run(&format!("SET short{number} v PX 100"));
            server.run(&format!("SET long{number} v PX 1000000"));
        }
        server.run("SELECT 3");
        server.run("SET other v PX 100");
        server.effects();
        server.clock.advance(Duration::from_millis(101));
        server.engine.read_clock();
        for _ in 0..20 {
            active_cycle(&mut server.engine);
        }
        assert_eq!((server.engine.dbs[0].len(), server.engine.dbs[3].len()), (500, 0));
        assert_eq!(server.engine.stats.expired_keys, 501);
        let effects = server.effects();
        assert_eq!(effects.matches("DEL short").count(), 500);
        assert_eq!(effects.matches("DEL other").count(), 1);
        let average = server.engine.dbs[0].average_ttl_ms;
        assert!((990_000..1_000_000).contains(&average), "{average}");
    }

    #[test]
    fn nothing_is_removed_while_it_may_not_be_logged() {
        let mut server = Harness::new();
        server.run("SET k v PX 100");
        server.clock.advance(Duration::from_millis(101));
        server.engine.read_clock();
        server.engine.loading = Some(Default::default());
        active_cycle(&mut server.engine);
        assert_eq!(server.engine.dbs[0].len(), 1);
        assert_eq!(server.engine.stats.expired_keys, 0);
    }
}
