//! Layer 4: what commands are ([`spec`], [`table`]) and what they do, one file a family.
//!
//! [`dispatch`] takes a request from a connection to its handler; [`call`] runs a handler and does what all commands
//! share: effects, gate, counters. [`apply`] feeds effects to a copy. A handler holds semantics only.

#![allow(
    rustdoc::broken_intra_doc_links,
    reason = "`[WORD]` in the syntax of a command is a word that may be left out"
)]

pub mod acl;
pub mod apply;
pub mod bitfield;
pub mod bitmaps;
pub mod bitop;
pub mod blocking;
pub mod call;
pub mod client;
pub mod client_kill;
pub mod client_list;
pub mod config;
pub mod connection;
pub mod counters;
pub mod debug;
pub mod dispatch;
mod draws;
pub mod dump;
pub mod eviction;
pub mod expire;
pub mod expiry;
pub mod failure;
pub mod field_expiry;
pub mod field_times;
pub mod geo;
#[cfg(test)]
pub mod harness;
pub mod hash_counters;
pub mod hash_iteration;
pub mod hashes;
pub mod help;
pub mod hyperloglog;
pub mod info;
pub mod introspection;
mod key_events;
pub mod key_positions;
pub mod key_waits;
pub mod keys;
pub mod latency;
mod latency_report;
pub mod lcs;
pub mod list_pops;
pub mod lists;
pub mod memory;
pub mod migrate;
pub mod monitor;
pub mod parse;
pub mod pubsub;
#[cfg(test)]
mod pubsub_tests;
mod redaction;
pub mod renaming;
#[cfg(test)]
mod reveal_tests;
pub mod scan;
pub mod scripting;
pub mod server;
pub mod set;
pub mod sets;
pub mod sets_algebra;
pub mod sets_random;
pub mod shadow;
pub mod slowlog;
pub mod snapshots;
pub mod sort;
pub mod spec;
pub mod streams;
pub mod strings;
pub mod table;
pub mod timed_fields;
pub mod tracking;
pub mod transactions;
pub mod values;
pub mod zsets;

use smallvec::SmallVec;

use crate::engine::Engine;
use crate::engine::client::{Client, ClientId, Unblock};
use crate::engine::fiber::Pauser;
use crate::engine::gate::Level;
use crate::engine::latency::Event;
use crate::engine::pubsub::Push;
use crate::engine::tracking::Changed;
use crate::keyspace::{self, Db, Entry};
use crate::resp::Reply;
pub use failure::Failure;

/// Runs a command: `arguments[0]` is its name (of a container, `[1]` the subcommand's); the arity was checked.
pub type Handler = fn(&mut Ctx<'_>, &[&[u8]]) -> Result<(), Failure>;

/// Who asked for a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A connection.
    Client,
    /// The effect stream: what it says is done as it says. Nothing expires, and nothing is logged.
    Stream,
}

/// Why a key goes that nobody asked to remove.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Removal {
    /// Its time is up.
    Expired,
    /// There is too little memory.
    Evicted,
}

/// A key by its place in the gate's table.
type Place = (usize, u64);

/// Where the gate's table has the libraries of functions, which are no key.
const LIBRARIES: Place = (0, 0x6675_6e63_7469_6f6e);

/// What replies to a connection wait for.
fn level(engine: &Engine, client: &Client) -> Level {
    client.level.unwrap_or_else(|| engine.default_level())
}

/// What a handler works with.
pub struct Ctx<'a> {
    /// Everything.
    pub engine: &'a mut Engine,
    /// The connection.
    pub client: &'a mut Client,
    /// Its reply.
    pub reply: Reply,
    origin: Origin,
    /// The highest offset of any effect that the reply reveals, as far as keys looked up say.
    reveals: u64,
    /// Keys changed by this unit; their last offset becomes the unit's end.
    changed: SmallVec<[Place; 4]>,
    /// Databases changed as a whole by this unit.
    changed_databases: SmallVec<[usize; 2]>,
    /// Changed keys by name, for the shadow.
    changed_names: Vec<(usize, Vec<u8>)>,
    /// Changes made by the command that runs, and whether it has said itself what to log.
    dirty: u64,
    has_effects: bool,
    in_transaction: bool,
    /// The level of the connection when the unit began.
    level_before: Level,
    /// The unit was an EXEC that ran its commands.
    ran_transaction: bool,
    /// Whose waits end with this unit.
    unblocked: Vec<(ClientId, Unblock)>,
    /// What is sent to others when the unit is over.
    pushes: Vec<Push>,
    /// What those who track are told at the end of the unit; nothing while nobody does.
    tracked: Option<Box<Changed>>,
    /// Keys that were looked for in order to be changed, and were not there, while anybody is told of new ones.
    missing: SmallVec<[Place; 2]>,
    /// What the command that runs wrote is no reply, so CLIENT REPLY does not silence it.
    answers_by_push: bool,
    /// Lines for all who monitor, sent when the unit is over.
    lines: String,
    /// A script gives the commands.
    in_script: bool,
    /// The command waited, and is run anew.
    runs_anew: bool,
    /// Lets a script that runs for long pause, if the unit may.
    pauser: Option<&'a Pauser<'a>>,
}

impl<'a> Ctx<'a> {
    /// A context for one unit.
    pub fn new(engine: &'a mut Engine, client: &'a mut Client, reply: Reply, origin: Origin) -> Self {
        let level_before = level(engine, client);
        Self {
            engine,
            client,
            reply,
            origin,
            reveals: 0,
            changed: SmallVec::new(),
            changed_databases: SmallVec::new(),
            changed_names: Vec::new(),
            dirty: 0,
            has_effects: false,
            in_transaction: false,
            level_before,
            ran_transaction: false,
            unblocked: Vec::new(),
            pushes: Vec::new(),
            tracked: None,
            missing: SmallVec::new(),
            answers_by_push: false,
            lines: String::new(),
            in_script: false,
            runs_anew: false,
            pauser: None,
        }
    }

    /// What the reply waits for: a unit that lowers the level itself says so at the level from before.
    fn level(&self) -> Level {
        level(self.engine, self.client).max(self.level_before)
    }

    /// The time of this command, in milliseconds since the Unix epoch.
    pub fn now_ms(&self) -> u64 {
        self.engine.now_ms()
    }

    /// When what is done was done, in milliseconds since the Unix epoch: that of this command or, of an effect that is
    /// applied, that of its frame.
    pub fn done_ms(&self) -> u64 {
        self.engine.newest_frame_ms().filter(|_| self.is_applying()).unwrap_or_else(|| self.now_ms())
    }

    /// Whether this is the effect stream being applied, and not a client's command.
    pub fn is_applying(&self) -> bool {
        self.origin == Origin::Stream
    }

    /// Whether nothing expires by the clock: what is applied says itself when something did.
    pub fn expiry_is_off(&self) -> bool {
        self.is_applying() || self.engine.expiry_is_off
    }

    /// The selected database, for changes; what changes must be told by [`Ctx::modified`].
    pub fn db(&mut self) -> &mut Db {
        &mut self.engine.dbs[self.client.db]
    }

    /// Looks a key up for reading: an expired one is removed first, hits and misses are counted, and the reply will
    /// wait for the key's last change.
    pub fn read(&mut self, key: &[u8]) -> Option<&Entry> {
        self.read_reply(key).0
    }

    /// [`Ctx::read`], with the reply to write what was found.
    pub fn read_reply(&mut self, key: &[u8]) -> (Option<&Entry>, &mut Reply) {
        self.look_up(key, !self.client.no_touch)
    }

    /// [`Ctx::read`] by a command that asks about a key, which is no use of it.
    pub fn peek(&mut self, key: &[u8]) -> Option<&Entry> {
        self.peek_reply(key).0
    }

    /// [`Ctx::peek`], with the reply.
    pub fn peek_reply(&mut self, key: &[u8]) -> (Option<&Entry>, &mut Reply) {
        self.look_up(key, false)
    }

    /// [`Ctx::peek_reply`] by a command that asks how a key is kept: nobody is told that it missed.
    pub fn inspect_reply(&mut self, key: &[u8]) -> (Option<&Entry>, &mut Reply) {
        let hash = keyspace::hash(key);
        let gone = self.look(self.client.db, hash, key, false);
        self.find(hash, key, gone, false)
    }

    /// [`Ctx::read`] that counts as a use whatever the connection has asked for; answers whether the key is there.
    pub fn touch(&mut self, key: &[u8]) -> bool {
        self.look_up(key, true).0.is_some()
    }

    fn look_up(&mut self, key: &[u8], touch: bool) -> (Option<&Entry>, &mut Reply) {
        let hash = keyspace::hash(key);
        let gone = self.look(self.client.db, hash, key, false);
        if self.engine.config.key_events().has(b'm')
            && (gone || self.engine.dbs[self.client.db].find(hash, key).is_none())
        {
            self.event("keymiss", key);
        }
        self.find(hash, key, gone, touch)
    }

    fn find(&mut self, hash: u64, key: &[u8], gone: bool, touch: bool) -> (Option<&Entry>, &mut Reply) {
        let entry = if gone { None } else { self.engine.dbs[self.client.db].find(hash, key) };
        match entry {
            Some(entry) => {
                self.engine.stats.keyspace_hits += 1;
                if touch {
                    self.engine.access.touch(entry, &mut self.engine.rng);
                }
            }
            None => self.engine.stats.keyspace_misses += 1,
        }
        (entry, &mut self.reply)
    }

    /// Looks a key up in order to change it: as [`Ctx::read`], without counting a hit or a miss.
    pub fn write(&mut self, key: &[u8]) -> Option<&Entry> {
        self.write_in(self.client.db, key)
    }

    /// [`Ctx::write`] in another database.
    pub fn write_in(&mut self, db: usize, key: &[u8]) -> Option<&Entry> {
        let hash = keyspace::hash(key);
        if self.look(db, hash, key, true) {
            return None;
        }
        let entry = self.engine.dbs[db].find(hash, key)?;
        if !self.client.no_touch {
            self.engine.access.touch(entry, &mut self.engine.rng);
        }
        Some(entry)
    }

    /// [`Ctx::read`] by a command whose effect will read the key again: an expired one is removed always, for a copy that
    /// applies the effect would still find it.
    pub fn read_source(&mut self, key: &[u8]) -> Option<&Entry> {
        self.expire_source(key);
        self.peek(key)
    }

    /// Removes a key, if it has expired, that the effect of the command under way will read.
    pub fn expire_source(&mut self, key: &[u8]) {
        self.look(self.client.db, keyspace::hash(key), key, true);
    }

    /// Whether a key is absent, for a command that came across it without being asked for it; an expired one is removed
    /// if that may be now.
    pub fn is_gone(&mut self, key: &[u8]) -> bool {
        let hash = keyspace::hash(key);
        self.look(self.client.db, hash, key, false) || self.db().find(hash, key).is_none()
    }

    /// The libraries of functions were changed.
    pub fn modified_libraries(&mut self) {
        if self.origin == Origin::Client {
            self.changed.push(LIBRARIES);
        }
    }

    /// Lets the reply wait for the last change of the libraries of functions.
    pub fn reveal_libraries(&mut self) {
        let (db, hash) = LIBRARIES;
        self.reveal(self.engine.gate.last_change(db, hash));
    }

    /// Lets the reply wait for everything executed so far: it reveals the keyspace as a whole.
    pub fn reveal_everything(&mut self) {
        self.reveals = self.reveals.max(self.engine.gate.tail());
    }

    /// Lets the reply wait for `offset`.
    pub fn reveal(&mut self, offset: u64) {
        self.reveals = self.reveals.max(offset);
    }

    /// Notes that the reply tells of a key; answers whether the key counts as absent although it may still be there.
    ///
    /// A command that was admitted as a write removes an expired key always: what it does next would otherwise happen
    /// to the old value.
    fn look(&mut self, db: usize, hash: u64, key: &[u8], writes: bool) -> bool {
        let gone = self.meet(db, hash, key, writes);
        let tells_new = self.engine.config.key_events().has(b'n');
        if writes && tells_new && (gone || self.engine.dbs[db].find(hash, key).is_none()) {
            self.missing.push((db, hash));
        }
        gone
    }

    /// What was there is removed first, so what will be there is a new key, for keyspace notifications.
    fn replaces(&mut self, db: usize, key: &[u8]) {
        self.missing.push((db, keyspace::hash(key)));
    }

    fn meet(&mut self, db: usize, hash: u64, key: &[u8], writes: bool) -> bool {
        if !self.engine.trial.planted.open_reads_early {
            self.reveals = self.reveals.max(self.engine.gate.last_change(db, hash));
        }
        if self.expiry_is_off() {
            return false;
        }
        let (volatile, next_field) = (self.engine.dbs[db].volatile_len() > 0, self.engine.dbs[db].next_field_expiry());
        let expires = if volatile { self.engine.dbs[db].find(hash, key).and_then(Entry::expiry) } else { None };
        if expires.is_none_or(|at| at > self.engine.now_ms() as i64) {
            let is_due = next_field.is_some_and(|at| at <= self.engine.now_ms() as i64);
            return is_due && self.expire_fields(db, hash, key, writes);
        }
        if writes || self.engine.may_expire() {
            self.remove_unasked(db, hash, key, Removal::Expired);
        }
        true
    }

    /// Removes a key that nobody asked to remove, with the effect that says so; before the effects of the command that met
    /// it.
    fn remove_unasked(&mut self, db: usize, hash: u64, key: &[u8], why: Removal) {
        let config = &self.engine.config;
        let (lazy, latency, event) = match why {
            Removal::Expired => (config.lazyfree_lazy_expire(), Event::ExpireDel, "expired"),
            Removal::Evicted => (config.lazyfree_lazy_eviction(), Event::EvictionDel, "evicted"),
        };
        let watches_latency = self.engine.config.latency_monitor_threshold() > 0;
        let started_us = if watches_latency { self.engine.tick() } else { 0 };
        if let Some(entry) = self.engine.dbs[db].remove(hash, key) {
            self.discard(entry, lazy);
        }
        if watches_latency {
            let took_us = self.engine.tick() - started_us;
            self.engine.note_latency(latency, took_us);
        }
        self.engine.stream.effect(db, &[if lazy { b"UNLINK" } else { b"DEL" }, key]);
        self.event_in(db, event, key);
        self.mark(db, hash, key, false);
        let Engine { stats, watches, clients, .. } = &mut *self.engine;
        match why {
            Removal::Expired => {
                stats.expired_keys += 1;
                watches.key_expired(db, key, clients, Some(self.client));
            }
            Removal::Evicted => {
                stats.evicted_keys += 1;
                watches.key_changed(db, key, clients, Some(self.client));
            }
        }
        self.engine.blocked_keys.signal(&self.engine.dbs, db, key);
    }

    /// A key of the selected database was changed, and is now as it stands there.
    pub fn modified(&mut self, key: &[u8]) {
        self.modified_in(self.client.db, key);
    }

    /// A key of `db` was changed, and is now as it stands there.
    pub fn modified_in(&mut self, db: usize, key: &[u8]) {
        self.dirty += 1;
        if self.origin == Origin::Client {
            let hash = keyspace::hash(key);
            if self.missing.contains(&(db, hash)) && self.engine.dbs[db].find(hash, key).is_some() {
                self.missing.retain(|place| *place != (db, hash));
                self.event_in(db, "new", key);
            }
            self.mark(db, hash, key, true);
            self.engine.watches.key_changed(db, key, &mut self.engine.clients, Some(self.client));
            self.engine.blocked_keys.signal(&self.engine.dbs, db, key);
        }
    }

    /// A database was changed as a whole; who watches a key for which `changed` holds is told.
    pub fn modified_database(&mut self, db: usize, changed: impl FnMut(&[u8]) -> bool) {
        self.dirty += 1;
        if self.origin == Origin::Client {
            self.changed_databases.push(db);
            self.engine.watches.database_changed(db, changed, &mut self.engine.clients, Some(self.client));
        }
    }

    /// Notes a change; `asked` tells whether the connection asked for it.
    fn mark(&mut self, db: usize, hash: u64, key: &[u8], asked: bool) {
        self.changed.push((db, hash));
        if self.engine.tracking.is_on()
            && !(self.engine.trial.planted.keep_what_is_gone && self.engine.dbs[db].find(hash, key).is_none())
        {
            self.engine.key_changed_for_trackers(self.client, asked, key, &mut self.pushes, &mut self.tracked);
        }
        if self.engine.shadow.is_some() {
            self.changed_names.push((db, key.to_vec()));
        }
    }

    /// Databases were emptied: whatever anybody holds may be wrong.
    fn emptied(&mut self) {
        if self.origin == Origin::Client {
            let push = self.engine.everything_changed_for_trackers(Some(self.client), &mut self.tracked);
            self.pushes.extend(push);
        }
    }

    /// Something happened to a key of the selected database (`set`, `del`, …): for keyspace notifications.
    pub fn event(&mut self, event: &'static str, key: &[u8]) {
        self.event_in(self.client.db, event, key);
    }

    /// [`Ctx::event`] in another database.
    pub fn event_in(&mut self, db: usize, event: &'static str, key: &[u8]) {
        if self.engine.config.key_events().is_on() && self.origin == Origin::Client {
            key_events::tell(self, db, event, key);
        }
    }

    /// Logs this command instead of the client's words. Several make a transaction.
    pub fn effect(&mut self, command: &[&[u8]]) {
        self.effect_in(self.client.db, command);
    }

    /// [`Ctx::effect`] in another database.
    pub fn effect_in(&mut self, db: usize, command: &[&[u8]]) {
        self.has_effects = true;
        if self.origin == Origin::Client {
            self.engine.stream.effect(db, command);
        }
    }

    /// Lets the command count as so many changes, however many keys it concerned.
    pub fn counts_as(&mut self, changes: u64) {
        self.dirty = changes;
    }

    /// Changes made by the command that runs.
    pub fn dirty(&self) -> u64 {
        self.dirty
    }

    /// Whether EXEC runs this command: it must not block.
    pub fn in_transaction(&self) -> bool {
        self.in_transaction
    }

    /// Brackets the commands of a transaction: each has said what it did, and the bracket itself did nothing.
    fn transaction(&mut self, run: impl FnOnce(&mut Self)) {
        self.in_transaction = true;
        let time = self.engine.hold_time();
        run(self);
        self.engine.release_time(time);
        self.in_transaction = false;
        self.ran_transaction = true;
        (self.dirty, self.has_effects) = (0, false);
    }

    /// Brackets what a script does, whose commands say themselves what they did: they do not wait, time stands still, and the
    /// database that they select is theirs.
    fn script<R>(&mut self, run: impl FnOnce(&mut Self) -> R) -> R {
        let before = (self.in_transaction, self.client.db);
        (self.in_transaction, self.in_script) = (true, true);
        let time = self.engine.hold_time();
        let result = run(self);
        self.engine.release_time(time);
        self.in_script = false;
        (self.in_transaction, self.client.db) = before;
        (self.dirty, self.has_effects) = (0, false);
        result
    }
}
