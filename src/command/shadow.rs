//! The self-check of tests: a copy that only ever applies the effect stream must always equal the original.
//!
//! After each unit the digests of the keys that it changed are compared; now and then, and always while the keyspace
//! is small, those of all keys, which also finds changes that nobody told of. A difference is a bug in a command's
//! effects, so the process stops.

use super::apply::Applier;
use crate::engine::Engine;
use crate::keyspace::{self, Db, Entry};

/// Up to this many keys are always compared in full.
const SMALL: usize = 32;

/// Otherwise, every so many units.
const EVERY: u64 = 512;

/// Gives `engine` a shadow that starts as a copy of its (empty or just recovered) state.
pub fn attach(engine: &mut Engine) {
    let mut shadow = Engine::new(engine.clock.clone(), fastrand::Rng::with_seed(0), engine.config.clone());
    for (copy, original) in shadow.dbs.iter_mut().zip(&engine.dbs) {
        for entry in original.iter() {
            copy.insert(keyspace::hash(entry.key()), entry.duplicate(entry.key(), entry.expiry()));
        }
    }
    shadow.libraries.clone_from(&engine.libraries);
    engine.shadow = Some(Box::new(shadow));
}

/// Compares after a unit; `changed` are the keys that it changed.
pub fn check(engine: &mut Engine, changed: &[(usize, Vec<u8>)], in_full: bool) {
    let Some(mut shadow) = engine.shadow.take() else { return };
    let unit = engine.stream.last_unit();
    if let Err(error) = Applier::in_database(engine.stream.last_unit_db()).apply(&mut shadow, &unit) {
        panic!("the shadow cannot apply {:?}: {error}", unit.escape_ascii().to_string());
    }
    for (db, key) in changed {
        let hash = keyspace::hash(key);
        let digest = |db: &Db| db.find(hash, key).map(Entry::digest);
        assert_eq!(
            digest(&engine.dbs[*db]),
            digest(&shadow.dbs[*db]),
            "key {:?} of database {db} differs from its shadow after {:?}",
            key.escape_ascii().to_string(),
            unit.escape_ascii().to_string(),
        );
    }
    assert_eq!(engine.libraries, shadow.libraries, "functions differ from their shadow");
    let keys: usize = engine.dbs.iter().map(Db::len).sum();
    if in_full || keys <= SMALL || engine.stats.total_commands.is_multiple_of(EVERY) {
        for (number, (original, copy)) in engine.dbs.iter().zip(&shadow.dbs).enumerate() {
            assert_eq!(
                original.digest(),
                copy.digest(),
                "database {number} differs from its shadow after {:?}",
                unit.escape_ascii().to_string(),
            );
        }
    }
    engine.shadow = Some(shadow);
}
