//! One database: its keys, an index of those that expire, and one of the hashes with fields that expire.
//!
//! The engine calls it with the key's [`hash`](super::hash), which it needs anyway for the gate. What always holds:
//! the index refers to exactly the entries with an expiry time, at their present addresses; every method that may move
//! an entry renews the reference before it returns. The index of hashes has the time of the next field of each to expire:
//! so a hash is changed only by [`Place::edit_hash`], which looks at that before and afterwards.

use super::ahead::Ahead;
use super::collection::{Value, ValueMut};
use super::deadlines::Deadlines;
use super::entry::{Entry, Shared};
use super::hash::Hash;
use super::kind::Kind;
use super::layout::Address;
use super::table::Table;

/// The keys of a database.
#[derive(Default)]
pub struct Db {
    // Declared before `keys`, so that the references go before what they refer to.
    expires: Table<Shared>,
    keys: Table<Entry>,
    /// When the next field of each hash expires that has expiring ones.
    fields: Deadlines,
    /// Where active expiry goes on; it belongs to the data and follows them in SWAPDB.
    pub expiry_cursor: u64,
    /// The bits about the last use that a new key gets; see [`Entry::used`].
    pub fresh_use: u32,
    /// The mean time to live, in milliseconds, that active expiry found.
    pub average_ttl_ms: i64,
}

/// What a cleared database held. Dropping it frees the memory, which takes time: it can be sent to a helper thread.
pub struct Cleared {
    _expires: Table<Shared>,
    keys: Table<Entry>,
    _fields: Deadlines,
}

/// An entry in a database whose value may be changed in place: the entry itself, which the index of expiring keys refers
/// to, stays where it is.
pub struct Place<'a> {
    entry: &'a mut Entry,
    hash: u64,
    fields: &'a mut Deadlines,
}

impl<'a> Place<'a> {
    /// The entry.
    pub fn entry(&self) -> &Entry {
        self.entry
    }

    /// The value; `None` if it is a string, or a hash, for which there is [`Place::edit_hash`].
    pub fn into_value(self) -> Option<ValueMut<'a>> {
        self.entry.value_mut().filter(|value| !matches!(value, ValueMut::Hash(_)))
    }

    /// Changes the value, if it is a hash.
    pub fn edit_hash<R>(self, change: impl FnOnce(&mut Hash) -> R) -> Option<R> {
        let Some(ValueMut::Hash(hash)) = self.entry.value_mut() else { return None };
        let before = hash.next_expiry();
        let result = change(hash);
        self.fields.change(self.hash, before, hash.next_expiry());
        Some(result)
    }
}

impl Cleared {
    /// Number of keys.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there were no keys.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Whether a key was there.
    pub fn contains(&self, hash: u64, key: &[u8]) -> bool {
        self.keys.find(hash, key).is_some()
    }
}

impl Db {
    /// An empty database.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes room for so many keys, and for so many that expire: their inserts then move nothing. The memory is taken now,
    /// twelve bytes each, so numbers from outside have to be such as are justified.
    pub fn expect(&mut self, keys: usize, expiring: usize) {
        self.keys.expect(keys);
        self.expires.expect(expiring.min(keys));
    }

    /// Number of keys.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there are no keys.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Number of keys with an expiry time.
    pub fn volatile_len(&self) -> usize {
        self.expires.len()
    }

    /// Bytes used by the tables, without the entries.
    pub fn overhead_bytes(&self) -> usize {
        self.keys.bytes() + self.expires.bytes() + self.fields.heap_bytes()
    }

    /// Bytes used by the main table and by that of expiring keys.
    pub fn table_bytes(&self) -> [usize; 2] {
        [self.keys.bytes(), self.expires.bytes()]
    }

    /// Bytes that a key holds in memory, its part of the tables included; of a large collection so many elements are
    /// looked at (all for zero).
    pub fn bytes_of(&self, entry: &Entry, samples: usize) -> usize {
        let expires = if entry.expiry().is_some() { Table::<Shared>::ENTRY_BYTES } else { 0 };
        entry.heap_bytes(samples) + Table::<Entry>::ENTRY_BYTES + expires
    }

    /// The tables, main and expiring: number of buckets and of entries, for DEBUG HTSTATS.
    pub fn table_sizes(&self) -> [(usize, usize); 2] {
        [(self.keys.buckets(), self.keys.len()), (self.expires.buckets(), self.expires.len())]
    }

    /// Stops the tables from growing and shrinking (while a forked child shares the memory), or lets them go on.
    pub fn pause_resizing(&mut self, paused: bool) {
        self.keys.pause_resizing(paused);
        self.expires.pause_resizing(paused);
    }

    /// Asks the processor to fetch what a lookup will need first.
    pub fn prefetch(&self, hash: u64) {
        self.keys.prefetch(hash);
    }

    /// The same for an entry that will be inserted.
    pub(super) fn prefetch_insert(&self, hash: u64, entry: &Entry) {
        self.keys.prefetch(hash);
        if entry.expiry().is_some() {
            self.expires.prefetch(hash);
        }
    }

    /// The same for the entry itself, once the bucket is there.
    pub fn prefetch_entry(&self, hash: u64) {
        self.keys.prefetch_entries(hash);
    }

    /// The entry of a key, expired or not.
    pub fn find(&self, hash: u64, key: &[u8]) -> Option<&Entry> {
        self.keys.find(hash, key)
    }

    /// The entry of a key, for changing its value in place.
    pub fn find_mut(&mut self, hash: u64, key: &[u8]) -> Option<Place<'_>> {
        let entry = self.keys.find_mut(hash, key)?;
        Some(Place { entry, hash, fields: &mut self.fields })
    }

    /// Sets a key to a string, encoded as SET does. Answers what was there if it was no string.
    pub fn set(&mut self, hash: u64, key: &[u8], value: &[u8], expiry: Option<i64>) -> Option<Entry> {
        let Some(entry) = self.keys.find_mut(hash, key) else {
            self.insert_new(hash, Entry::string(key, value, expiry));
            return None;
        };
        let before = indexed(entry);
        let displaced = entry.assign(value, expiry);
        reindex(&mut self.expires, hash, before, entry);
        self.fields.change(hash, displaced.as_ref().and_then(next_field), None);
        displaced
    }

    /// Sets a key to an integer; an expiry time that it has stays.
    pub fn set_int(&mut self, hash: u64, key: &[u8], value: i64) {
        match self.keys.find_mut(hash, key) {
            Some(entry) => {
                let before = indexed(entry);
                self.fields.change(hash, next_field(entry), None);
                entry.assign_int(value);
                reindex(&mut self.expires, hash, before, entry);
            }
            None => self.insert_new(hash, Entry::int(key, value, None)),
        }
    }

    /// The bytes of a string, for changing them in place. `None` if there is no such key or it is no string.
    pub fn buffer_mut(&mut self, hash: u64, key: &[u8]) -> Option<&mut Vec<u8>> {
        let entry = self.keys.find_mut(hash, key)?;
        let before = indexed(entry);
        entry.buffer_mut()?;
        reindex(&mut self.expires, hash, before, entry);
        entry.buffer_mut()
    }

    /// Sets or removes the expiry time of a key; `false` if there is no such key.
    pub fn set_expiry(&mut self, hash: u64, key: &[u8], expiry: Option<i64>) -> bool {
        let Some(entry) = self.keys.find_mut(hash, key) else { return false };
        let before = indexed(entry);
        entry.set_expiry(expiry);
        reindex(&mut self.expires, hash, before, entry);
        true
    }

    /// Puts an entry under its key, in place of one that is there, which it answers.
    pub fn insert(&mut self, hash: u64, mut entry: Entry) -> Option<Entry> {
        let Some(place) = self.keys.find_mut(hash, entry.key()) else {
            self.insert_new(hash, entry);
            return None;
        };
        let before = indexed(place);
        if entry.used() == 0 {
            entry.set_used(place.used());
        }
        std::mem::swap(place, &mut entry);
        reindex(&mut self.expires, hash, before, place);
        self.fields.change(hash, next_field(&entry), next_field(place));
        Some(entry)
    }

    fn insert_new(&mut self, hash: u64, entry: Entry) {
        if entry.used() == 0 {
            entry.set_used(self.fresh_use);
        }
        self.fields.change(hash, None, next_field(&entry));
        let expires = entry.expiry().is_some();
        // SAFETY: the reference goes into the index, and `remove`, `clear` and `reindex` take it out in time.
        let shared = expires.then(|| unsafe { Shared::to(&entry) });
        self.keys.insert(hash, entry);
        if let Some(shared) = shared {
            self.expires.insert(hash, shared);
        }
    }

    /// Takes a key out.
    pub fn remove(&mut self, hash: u64, key: &[u8]) -> Option<Entry> {
        let entry = self.keys.remove(hash, key)?;
        if let Some(address) = indexed(&entry) {
            self.expires.remove_by(hash, |shared| shared.address() == address);
        }
        self.fields.change(hash, next_field(&entry), None);
        Some(entry)
    }

    /// Gives the value of a key, with its expiry time, to another key, in place of what that one had. `false` if there
    /// is nothing to give.
    pub fn rename(&mut self, from: (u64, &[u8]), to: (u64, &[u8])) -> bool {
        let Some(mut entry) = self.remove(from.0, from.1) else { return false };
        entry.rekey(to.1);
        self.insert(to.0, entry);
        true
    }

    /// Empties the database, and hands back what was in it.
    pub fn clear(&mut self) -> Cleared {
        self.expiry_cursor = 0;
        self.average_ttl_ms = 0;
        Cleared {
            _expires: self.expires.take_all(),
            keys: self.keys.take_all(),
            _fields: std::mem::take(&mut self.fields),
        }
    }

    /// When the next field of any hash expires, or should have been removed already.
    pub fn next_field_expiry(&self) -> Option<i64> {
        self.fields.first().map(|(at_ms, _)| at_ms)
    }

    /// The hash whose field that is.
    pub fn next_to_expire(&mut self) -> Option<&Entry> {
        let (at_ms, hash) = self.fields.first()?;
        let is_it = |entry: &Entry| next_field(entry) == Some(at_ms) && super::hash(entry.key()) == hash;
        self.keys.find_mut_by(hash, is_it).map(|entry| &*entry)
    }

    /// Visits the keys at a cursor and answers the next one; see [`Table::scan`].
    pub fn scan(&self, cursor: u64, each: impl FnMut(&Entry)) -> u64 {
        self.keys.scan(cursor, each)
    }

    /// The same among the keys with an expiry time.
    pub fn scan_volatile(&self, cursor: u64, mut each: impl FnMut(&Entry)) -> u64 {
        self.expires.scan(cursor, |shared| each(shared.entry()))
    }

    /// All entries, as [`Db::iter`] gives them, for who looks into each: their memory is asked for ahead.
    pub fn iter_ahead(&self) -> impl Iterator<Item = &Entry> {
        Ahead::new(self.keys.iter())
    }

    /// All entries, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.keys.iter()
    }

    /// A key drawn at random, each with the same chance.
    pub fn sample(&self, random: &mut fastrand::Rng) -> Option<&Entry> {
        self.keys.sample(random)
    }

    /// The same among the keys with an expiry time.
    pub fn sample_volatile(&self, random: &mut fastrand::Rng) -> Option<&Entry> {
        self.expires.sample(random).map(Shared::entry)
    }

    /// A few keys that stand together; see [`Table::sample_run`].
    pub fn sample_run(&self, count: usize, random: &mut fastrand::Rng, each: impl FnMut(&Entry)) {
        self.keys.sample_run(count, random, each);
    }

    /// The same among the keys with an expiry time.
    pub fn sample_volatile_run(&self, count: usize, random: &mut fastrand::Rng, mut each: impl FnMut(&Entry)) {
        self.expires.sample_run(count, random, |shared| each(shared.entry()));
    }
}

/// When the next field of an entry expires.
fn next_field(entry: &Entry) -> Option<i64> {
    match entry.kind() {
        Kind::Hash => match entry.value() {
            Value::Hash(hash) => hash.next_expiry(),
            _ => None,
        },
        _ => None,
    }
}

/// The address at which the index knows an entry, if it knows it.
fn indexed(entry: &Entry) -> Option<Address> {
    entry.expiry().is_some().then(|| entry.address())
}

/// Brings the index up to date with an entry that was at `before`.
fn reindex(expires: &mut Table<Shared>, hash: u64, before: Option<Address>, entry: &Entry) {
    let after = indexed(entry);
    if before == after {
        return;
    }
    // SAFETY: this is where references are renewed; the entry stays where it is until the next call.
    let shared = after.map(|_| unsafe { Shared::to(entry) });
    match (before, shared) {
        (Some(old), Some(shared)) => {
            let place = expires.find_mut_by(hash, |shared| shared.address() == old);
            *place.expect("the index knows every entry with an expiry time") = shared;
        }
        (Some(old), None) => {
            let removed = expires.remove_by(hash, |shared| shared.address() == old);
            assert!(removed.is_some(), "the index knows every entry with an expiry time");
        }
        (None, Some(shared)) => expires.insert(hash, shared),
        (None, None) => {}
    }
}

#[cfg(test)]
#[path = "db_tests.rs"]
mod tests;
