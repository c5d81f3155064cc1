//! A directory checked in depth: what `log::inspect` verifies, and every value of every snapshot.

use std::path::Path;

use super::offline;
use super::snapshot::{Loader, Policy};
use crate::log::inspect::{self, Report};
use crate::log::{LogError, Progress};
use crate::rdb::Reader;

/// Values held at a time: they are built as a start builds them, and then forgotten, so that a check beside a server does
/// not take its memory a second time. So a key that is there twice, which the checksum excludes, is not seen.
const KEYS_AT_ONCE: u64 = 16384;

/// Checks a directory; `progress` covers snapshots and log.
pub fn check(directory: &Path, progress: &mut dyn FnMut(Progress)) -> Result<Report, LogError> {
    let mut engine = None;
    inspect::check_with(
        directory,
        &mut |_, bytes, read| {
            let engine = match &mut engine {
                Some(engine) => engine,
                None => engine.insert(offline::engine()?),
            };
            let reader = Reader::new(bytes).map_err(|error| error.to_string())?.skip_checksum();
            // No room is made for keys that are not kept.
            let mut loader = Loader::new(reader, 0, engine, Policy::default());
            loop {
                let more = loader.advance(engine, KEYS_AT_ONCE);
                read(loader.bytes());
                engine.forget_data();
                if !more.map_err(|error| error.to_string())? {
                    return Ok(());
                }
            }
        },
        progress,
    )
}
