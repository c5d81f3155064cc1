//! What commands on collections use of [`Ctx`]: looking a value up by its type, changing it in place, making and removing
//! keys.
//!
//! A handler that reads calls [`Ctx::read_as`]; one that changes calls [`Ctx::edit`], makes the key with [`Ctx::create`] if
//! there is none, and after the last element went, [`Ctx::remove_emptied`]. It says itself what was modified.

use smallvec::SmallVec;

use super::Ctx;
use super::failure::{self, Failure};
use crate::engine::Engine;
use crate::keyspace::{self, Entry, Family};
use crate::resp::Reply;

/// The values of several keys, as far as they are there.
pub type Values<'a, T> = SmallVec<[Option<&'a T>; 8]>;

impl Ctx<'_> {
    /// [`Ctx::read_reply`] of a key that has a value of this type, if it is there.
    pub fn read_as<T: Family>(&mut self, key: &[u8]) -> Result<(Option<&T>, &mut Reply), Failure> {
        let (entry, reply) = self.read_reply(key);
        let value = entry.map(|entry| T::of(entry.value()).ok_or(failure::WRONG_TYPE)).transpose()?;
        Ok((value, reply))
    }

    /// [`Ctx::read_as`] of several keys together.
    pub fn read_all<T: Family>(&mut self, keys: &[&[u8]]) -> Result<(Values<'_, T>, &mut Reply), Failure> {
        let mut found: SmallVec<[bool; 8]> = SmallVec::new();
        for key in keys {
            found.push(self.read_as::<T>(key)?.0.is_some());
        }
        let Self { engine, client, reply, .. } = self;
        let db = &engine.dbs[client.db];
        let value = |(key, found): (&&[u8], bool)| {
            // What was not found may be there all the same, expired.
            let entry = if found { db.find(keyspace::hash(key), key) } else { None };
            entry.and_then(|entry| T::of(entry.value()))
        };
        Ok((keys.iter().zip(found).map(value).collect(), reply))
    }

    /// [`Ctx::write`] of a key that has a value of this type, if it is there, for changing it in place.
    pub fn edit<T: Family>(&mut self, key: &[u8]) -> Result<Option<&mut T>, Failure> {
        Ok(self.edit_reply(key)?.0)
    }

    /// [`Ctx::edit`], with the reply to write what is taken out.
    pub fn edit_reply<T: Family>(&mut self, key: &[u8]) -> Result<(Option<&mut T>, &mut Reply), Failure> {
        let (db, hash) = (self.client.db, keyspace::hash(key));
        if self.look(db, hash, key, true) {
            return Ok((None, &mut self.reply));
        }
        let Engine { dbs, access, rng, .. } = &mut *self.engine;
        let Some(place) = dbs[db].find_mut(hash, key) else { return Ok((None, &mut self.reply)) };
        if !self.client.no_touch {
            access.touch(place.entry(), rng);
        }
        let value = place.into_value().and_then(T::of_mut).ok_or(failure::WRONG_TYPE)?;
        Ok((Some(value), &mut self.reply))
    }

    /// Makes a key, which is not there, with this value.
    pub fn create<T: Family>(&mut self, key: &[u8], value: T) {
        let displaced = self.db().insert(keyspace::hash(key), Entry::of(key, value, None));
        debug_assert!(displaced.is_none(), "the key was looked for");
    }

    /// Sets a key to this value, whatever was there, which is freed as `lazyfree-lazy-server-del` says.
    pub fn put<T: Family>(&mut self, key: &[u8], value: T) {
        // An expired key is removed first, as SET does.
        self.write(key);
        if let Some(displaced) = self.db().insert(keyspace::hash(key), Entry::of(key, value, None)) {
            self.discard_displaced(displaced);
        }
    }

    /// Removes a key, if it is there, in whose place nothing is stored because a result is empty.
    pub fn remove_replaced(&mut self, key: &[u8]) {
        if self.write(key).is_some()
            && let Some(displaced) = self.db().remove(keyspace::hash(key), key)
        {
            self.discard_displaced(displaced);
            self.modified(key);
            self.event("del", key);
        }
    }

    /// Removes a key whose collection has lost its last element.
    pub fn remove_emptied(&mut self, key: &[u8]) {
        drop(self.db().remove(keyspace::hash(key), key));
        self.event("del", key);
    }

    /// Sets a key of the selected database to a string; what it had is freed as `lazyfree-lazy-server-del` says.
    pub fn put_string(&mut self, key: &[u8], value: &[u8], expiry: Option<i64>) {
        let hash = keyspace::hash(key);
        let displaced = match self.engine.stream.lent(value) {
            Some(shared) => self.db().insert(hash, Entry::shared(key, shared, expiry)),
            None => self.db().set(hash, key, value, expiry),
        };
        if let Some(displaced) = displaced {
            self.discard_displaced(displaced);
        }
    }

    /// Frees a value that another one has taken the place of.
    pub fn discard_displaced(&mut self, entry: Entry) {
        let lazy = self.engine.config.lazyfree_lazy_server_del();
        self.discard(entry, lazy);
    }

    /// Frees a value that was taken out: on the helper thread, if it may be there and takes long.
    pub fn discard(&mut self, entry: Entry, lazy: bool) {
        if lazy {
            self.engine.stats.lazyfreed_objects += self.engine.lazyfree.entry(entry);
        }
    }
}
