//! The RDB file of an engine's data: what a forked copy writes, and what an import leaves.

use std::thread::sleep;
use std::time::Duration;

use super::super::fork::Output;
use crate::engine::{Engine, serial};
use crate::rdb::{Event, Options, Version, Writer};

/// The version of Redis whose files these are.
const REDIS_VERSION: &str = "7.2.4";

/// Writes all databases. `now_s` is the time of the snapshot.
pub fn write(engine: &Engine, offset: u64, out: &mut dyn Output) -> Result<(), String> {
    let (compress, checksum) = (engine.config.rdbcompression(), engine.config.rdbchecksum());
    let delay_us = engine.config.rdb_key_save_delay();
    let has_field_expiry = engine.dbs.iter().any(|db| db.next_field_expiry().is_some());
    let version = if has_field_expiry { Version::V12 } else { Version::V11 };
    let mut writer = Writer::new(&mut *out, Options { version, compress, checksum });
    let history = &engine.log.history_id;
    let aux = [
        ("redis-ver", REDIS_VERSION.to_owned()),
        ("redis-bits", "64".to_owned()),
        ("ctime", (engine.wall_us() / 1_000_000).to_string()),
        ("repl-stream-db", "0".to_owned()),
        ("repl-id", history.clone()),
        ("repl-offset", offset.to_string()),
        ("aof-base", "0".to_owned()),
        ("ackd-ver", env!("CARGO_PKG_VERSION").to_owned()),
    ];
    let failed = |error: crate::rdb::WriteError| error.to_string();
    for (name, value) in &aux {
        writer.write(&Event::Aux { name: name.as_bytes(), value: value.as_bytes() }).map_err(failed)?;
    }
    for library in engine.libraries.codes() {
        writer.write(&Event::Function(library)).map_err(failed)?;
    }
    let mut keys = 0;
    for (number, db) in engine.dbs.iter().enumerate().filter(|(_, db)| !db.is_empty()) {
        writer.write(&Event::Database(number as u64)).map_err(failed)?;
        let sizes = Event::Sizes { keys: db.len() as u64, expiring: db.volatile_len() as u64 };
        writer.write(&sizes).map_err(failed)?;
        for entry in db.iter_ahead() {
            serial::events(entry, |event| writer.write(event)).map_err(failed)?;
            keys += 1;
            writer.get_mut().done(keys);
            if delay_us != 0 {
                pause(delay_us, keys);
                writer.get_mut().paused();
            }
        }
    }
    writer.write(&Event::End { checked: true }).map_err(failed)
}

/// `rdb-key-save-delay`: as in Redis, so many microseconds, or, if negative, one for so many keys.
fn pause(delay_us: i64, keys: u64) {
    match u64::try_from(delay_us) {
        Ok(delay_us) => sleep(Duration::from_micros(delay_us)),
        Err(_) if keys.is_multiple_of(delay_us.unsigned_abs()) => sleep(Duration::from_micros(1)),
        Err(_) => {}
    }
}
