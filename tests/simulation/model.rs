//! What must be true: the history of effects with the state after each, and what was promised to clients.
//!
//! The stream is recorded as it is executed. A second engine applies it unit by unit, which gives the digest of every
//! prefix and, for each key, the last unit that changed it. A reply that leaves the server promises what it reveals;
//! after a crash all that was promised, and whole units only, must be there.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use ackd::command::apply::Applier;
use ackd::disk::sim::{Crash, World};
use ackd::engine::Engine;
use ackd::engine::gate::Level;
use ackd::keyspace::{self, Entry};

use super::server::{self, DATABASES, Settings};

/// Keys in each database that clients use.
pub const KEYS: usize = 6;

/// All keys of all databases.
pub const SLOTS: usize = KEYS * DATABASES;

/// With `everysec`, acks of bytes that a power cut may take back span at most this, in microseconds.
const EVERYSEC_WINDOW_US: u64 = 2_000_000;

/// The name of the key in a slot.
pub fn key(slot: usize) -> Vec<u8> {
    format!("k{}", slot % KEYS).into_bytes()
}

/// The database of a slot.
pub fn database(slot: usize) -> usize {
    slot / KEYS
}

/// The digests of all keys.
pub type State = [u128; SLOTS];

/// The state of an engine, and how many keys it holds besides.
pub fn state_of(engine: &Engine) -> (State, usize) {
    let mut state = [0; SLOTS];
    let mut found = 0;
    for (slot, digest) in state.iter_mut().enumerate() {
        if let Some(entry) = find(engine, slot) {
            *digest = entry.digest();
            found += 1;
        }
    }
    let keys: usize = engine.dbs.iter().map(|db| db.len()).sum();
    (state, keys - found)
}

fn find(engine: &Engine, slot: usize) -> Option<&Entry> {
    let key = key(slot);
    engine.dbs[database(slot)].find(keyspace::hash(&key), &key)
}

/// What a crash left, once it is recovered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recovered {
    pub end: u64,
    pub state: State,
    /// Keys that no client ever used.
    pub foreign: usize,
}

impl Recovered {
    pub fn of(engine: &Engine) -> Self {
        let (state, foreign) = state_of(engine);
        Self { end: engine.stream.offset(), state, foreign }
    }
}

pub struct Model {
    reference: Engine,
    applier: Applier,
    state: State,
    /// For each key the offset behind the last unit that changed it.
    last_change: [u64; SLOTS],
    /// The end of each unit and the state then, oldest first; the first entry is what the last start found.
    history: Vec<(u64, State)>,
    /// Offsets promised to survive the death of the process, and the loss of power.
    os: u64,
    disk: u64,
    /// Acks of writes at level `os` under `everysec`: when, and up to which offset.
    everysec: VecDeque<(u64, u64)>,
}

impl Model {
    pub fn new(world: &World, settings: &Settings) -> Self {
        Self {
            reference: server::engine(world, settings),
            applier: Applier::default(),
            state: [0; SLOTS],
            last_change: [0; SLOTS],
            history: vec![(0, [0; SLOTS])],
            os: 0,
            disk: 0,
            everysec: VecDeque::new(),
        }
    }

    /// The end of the last unit.
    pub fn executed(&self) -> u64 {
        self.history.last().map_or(0, |(end, _)| *end)
    }

    /// What was promised to survive the death of the process.
    pub fn acknowledged(&self) -> u64 {
        self.os
    }

    /// What was promised at a level.
    pub fn promised(&self, level: Level) -> u64 {
        match level {
            Level::Memory => self.executed(),
            Level::Os => self.os,
            Level::Disk => self.disk,
        }
    }

    /// Whether anything was executed that could still be lost.
    pub fn has_unpromised(&self) -> bool {
        self.executed() > self.disk
    }

    /// A unit was executed.
    pub fn unit(&mut self, end: u64, effects: &[u8]) -> Result<(), String> {
        self.applier
            .apply(&mut self.reference, effects)
            .map_err(|error| format!("an effect cannot be applied: {error}"))?;
        let (state, foreign) = state_of(&self.reference);
        if foreign > 0 {
            return Err(format!("a unit made keys that no client asked for: {}", effects.escape_ascii()));
        }
        for (change, (new, old)) in self.last_change.iter_mut().zip(state.iter().zip(&self.state)) {
            if new != old {
                *change = end;
            }
        }
        if end <= self.executed() {
            return Err(format!("unit ends at {end}, and the one before it at {}", self.executed()));
        }
        self.state = state;
        self.history.push((end, state));
        Ok(())
    }

    /// The last change of any of these keys.
    pub fn last_change(&self, slots: impl IntoIterator<Item = usize>) -> u64 {
        slots.into_iter().map(|slot| self.last_change[slot]).max().unwrap_or(0)
    }

    /// What GET must answer now; `None` when that depends on the time.
    pub fn get_reply(&self, slot: usize) -> Option<Vec<u8>> {
        let Some(entry) = find(&self.reference, slot) else { return Some(b"$-1\r\n".to_vec()) };
        if entry.expiry().is_some() {
            return None;
        }
        let mut digits = itoa::Buffer::new();
        let value = entry.text()?.as_bytes(&mut digits).to_vec();
        Some([format!("${}\r\n", value.len()).as_bytes(), &value, b"\r\n"].concat())
    }

    /// A reply that reveals the stream up to `offset` has left for a client.
    pub fn promise(&mut self, level: Level, offset: u64) {
        match level {
            Level::Memory => {}
            Level::Os => self.os = self.os.max(offset),
            Level::Disk => {
                self.os = self.os.max(offset);
                self.disk = self.disk.max(offset);
            }
        }
    }

    /// A write was acknowledged at level `os` while the log is synced each second.
    pub fn acknowledged_everysec(&mut self, now_us: u64, offset: u64) {
        self.everysec.push_back((now_us, offset));
    }

    /// The sync policy is about to change.
    pub fn forget_everysec(&mut self) {
        self.everysec.clear();
    }

    /// All that survives the death of the process now survives the loss of power.
    pub fn all_synced(&mut self) {
        self.disk = self.disk.max(self.os);
    }

    /// Everything executed is durable.
    pub fn all_durable(&mut self) {
        self.promise(Level::Disk, self.executed());
    }

    /// Whether a start may leave this state after that crash.
    pub fn check(&self, crash: Crash, found: &Recovered) -> Result<(), String> {
        self.check_prefix(found)?;
        let (promised, level) = match crash {
            Crash::Kill => (self.os, "os"),
            Crash::Power => (self.disk, "disk"),
        };
        if found.end < promised {
            return Err(format!("offset {promised} was promised at level {level}, and only {} is there", found.end));
        }
        if crash == Crash::Power {
            self.check_everysec(found.end)?;
        }
        Ok(())
    }

    /// Whether the state is that of a prefix of the stream.
    pub fn check_prefix(&self, found: &Recovered) -> Result<(), String> {
        let Ok(at) = self.history.binary_search_by_key(&found.end, |(end, _)| *end) else {
            return Err(format!("the recovered stream ends at {}, which is not the end of a unit", found.end));
        };
        if found.foreign > 0 {
            return Err(format!("{} keys were recovered that never existed", found.foreign));
        }
        let wrong: Vec<usize> = (0..SLOTS).filter(|slot| found.state[*slot] != self.history[at].1[*slot]).collect();
        if !wrong.is_empty() {
            return Err(format!(
                "at offset {} the keys in slots {wrong:?} have a state that they never had",
                found.end
            ));
        }
        Ok(())
    }

    /// The same for a state that may be older than the last start.
    pub fn check_prefix_or_before(&self, found: &Recovered) -> Result<(), String> {
        if found.end < self.history[0].0 { Ok(()) } else { self.check_prefix(found) }
    }

    fn check_everysec(&self, end: u64) -> Result<(), String> {
        let oldest_lost = self.everysec.iter().find(|(_, offset)| *offset > end);
        let (Some((lost_us, _)), Some((newest_us, _))) = (oldest_lost, self.everysec.back()) else { return Ok(()) };
        if newest_us - lost_us > EVERYSEC_WINDOW_US {
            return Err(format!("everysec lost acks of {} microseconds", newest_us - lost_us));
        }
        Ok(())
    }

    /// A server has started and serves this state: what is behind it never happened, and what is there stays.
    pub fn restarted(&mut self, world: &World, settings: &Settings, engine: &Rc<RefCell<Engine>>) {
        let engine = engine.borrow();
        let found = Recovered::of(&engine);
        self.reference = server::engine(world, settings);
        self.applier = Applier::default();
        for (copy, original) in self.reference.dbs.iter_mut().zip(&engine.dbs) {
            for entry in original.iter() {
                copy.insert(keyspace::hash(entry.key()), entry.duplicate(entry.key(), entry.expiry()));
            }
        }
        self.state = found.state;
        self.last_change = [0; SLOTS];
        self.history = vec![(found.end, found.state)];
        self.os = found.end;
        self.disk = found.end;
        self.everysec.clear();
    }
}
