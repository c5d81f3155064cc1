//! Fields of hashes whose time is up: not seen any more, and removed by whoever meets them or by the background work.
//!
//! `Ctx::look` calls `Ctx::expire_fields` for every key that a command looks up, so a hash without a living field is no
//! key to any command. Commands on hashes give the time ([`Ctx::fields_now_ms`]) with every question, because some expired
//! fields may still be there: while nothing may be removed, or when there are too many for one lookup. One that changes a
//! hash does so in [`Ctx::edit_hash`], and names the fields that it is about: those are removed first, if they have expired.
//!
//! What always holds: the effect that removes fields stands before those of the command that met them, and nothing expires
//! while effects are applied.

use super::failure::{self, Failure};
use super::{Ctx, Origin, call};
use crate::engine::Engine;
use crate::engine::client::Client;
use crate::keyspace::{self, Entry, Hash, Value};
use crate::resp::Reply;

/// Expired fields that one lookup removes at most; the others wait for the background work.
const FIELDS_A_LOOKUP: usize = 64;
/// Lookups of the background work between two looks at the clock.
const LOOKUPS_A_LOOK: u64 = 16;

impl Ctx<'_> {
    /// The time at which fields are seen: while effects are applied, before all others.
    pub fn fields_now_ms(&self) -> i64 {
        if self.expiry_is_off() { i64::MIN } else { self.now_ms() as i64 }
    }

    /// Removes expired fields of a key, if it is a hash and that may be now. Answers whether the key counts as absent,
    /// because all of them have expired.
    pub(super) fn expire_fields(&mut self, db: usize, hash: u64, key: &[u8], writes: bool) -> bool {
        let now_ms = self.fields_now_ms();
        let fields = match self.engine.dbs[db].find(hash, key).map(Entry::value) {
            Some(Value::Hash(fields)) if fields.has_expired(now_ms) => fields,
            _ => return false,
        };
        let (gone, count) = (!fields.has_live(now_ms), fields.len());
        if writes || self.engine.may_expire() {
            if gone {
                self.remove_expired_hash(db, hash, key, count as u64);
            } else {
                let place = self.engine.dbs[db].find_mut(hash, key).expect("the key was just found");
                let removed = place.edit_hash(|fields| fields.remove_expired(now_ms, FIELDS_A_LOOKUP));
                self.fields_expired(db, hash, key, &removed.unwrap_or_default());
            }
        }
        gone
    }

    fn remove_expired_hash(&mut self, db: usize, hash: u64, key: &[u8], fields: u64) {
        let lazy = self.engine.config.lazyfree_lazy_expire();
        if let Some(entry) = self.engine.dbs[db].remove(hash, key) {
            self.discard(entry, lazy);
        }
        self.engine.stats.expired_fields += fields;
        self.engine.stream.effect(db, &[if lazy { b"UNLINK" } else { b"DEL" }, key]);
        self.event("hexpired", key);
        self.event("del", key);
        self.mark(db, hash, key, false);
        self.engine.watches.key_expired(db, key, &mut self.engine.clients, Some(self.client));
    }

    /// Logs that these fields were removed because their time was up.
    fn fields_expired<F: AsRef<[u8]>>(&mut self, db: usize, hash: u64, key: &[u8], fields: &[F]) {
        self.engine.stats.expired_fields += fields.len() as u64;
        let effect: Vec<&[u8]> = [b"HDEL", key].into_iter().chain(fields.iter().map(AsRef::as_ref)).collect();
        self.engine.stream.effect(db, &effect);
        self.event("hexpired", key);
        self.mark(db, hash, key, false);
        self.engine.watches.key_changed(db, key, &mut self.engine.clients, Some(self.client));
    }

    /// [`Ctx::write`] of a key that is a hash, if it is there, for changing it in place; `fields` are those that the
    /// change is about, and are not there any more if they have expired.
    pub fn edit_hash<'f, R>(
        &mut self,
        key: &[u8],
        fields: impl IntoIterator<Item = &'f [u8]>,
        change: impl FnOnce(&mut Hash) -> R,
    ) -> Result<Option<R>, Failure> {
        let (db, hash) = (self.client.db, keyspace::hash(key));
        if self.look(db, hash, key, true) {
            return Ok(None);
        }
        let now_ms = self.fields_now_ms();
        let Engine { dbs, access, rng, .. } = &mut *self.engine;
        let Some(place) = dbs[db].find_mut(hash, key) else { return Ok(None) };
        if !self.client.no_touch {
            access.touch(place.entry(), rng);
        }
        let mut expired: Vec<&[u8]> = Vec::new();
        let result = place.edit_hash(|hash| {
            if hash.has_expired(now_ms) {
                let mut is_expired = |field: &&[u8]| hash.get(field, now_ms).is_none() && hash.remove(field);
                expired.extend(fields.into_iter().filter(|field| is_expired(field)));
            }
            change(hash)
        });
        if !expired.is_empty() {
            self.fields_expired(db, hash, key, &expired);
        }
        result.map(Some).ok_or(failure::WRONG_TYPE)
    }
}

/// Removes expired fields that nobody asks for, for at most so long. Each lookup that removes some is a unit of its own.
pub fn active_cycle(engine: &mut Engine, client: &mut Client, limit_us: u64) {
    let start_us = engine.tick();
    let now_ms = engine.now_ms() as i64;
    let mut lookups = 0;
    let databases = engine.dbs.len();
    // It begins where the last cycle ran out of time, so that no database starves.
    let first = engine.next_field_expiry_db;
    for turn in 0..databases {
        let db = (first + turn) % databases;
        engine.next_field_expiry_db = (db + 1) % databases;
        client.db = db;
        while engine.dbs[db].next_field_expiry().is_some_and(|at_ms| at_ms <= now_ms) && engine.may_expire() {
            let Some(key) = engine.dbs[db].next_to_expire().map(|entry| entry.key().to_vec()) else { break };
            engine.stream.begin_unit();
            let mut ctx = Ctx::new(engine, client, Reply::resp2(), Origin::Client);
            ctx.is_gone(&key);
            call::finish(ctx, 0);
            lookups += 1;
            if lookups % LOOKUPS_A_LOOK == 0 && engine.tick() - start_us > limit_us {
                engine.stats.expire_time_cap_reached += 1;
                return;
            }
        }
    }
}

#[cfg(test)]
#[path = "field_expiry_tests.rs"]
mod tests;
