//! A snapshot's data into an engine, piece by piece, so that others get their turn.

use std::cell::RefCell;
use std::io::{self, Read};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use crate::base::quoting::quoted;
use crate::command::dump;
use crate::disk::File;
use crate::engine::Engine;
use crate::engine::serial::{EMPTY, Limits, Loading};
use crate::keyspace::{self, Entry, Intake};
use crate::log::{Directory, LogError, SnapshotEntry, SnapshotFault};
use crate::rdb::{self, Event, Reader};

/// Keys between two looks at the clock.
const KEYS_A_LOOK: u64 = 64;

/// How long the loading goes on before others get their turn, in microseconds.
const TURN_US: u64 = 2000;

/// Reads a file through the disk, on this thread, and knows the CRC32 of what it has read.
struct Source {
    file: Rc<dyn File>,
    offset: u64,
    hasher: Rc<RefCell<crc32fast::Hasher>>,
}

impl Read for Source {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read_now(self.offset, into)?;
        self.offset += count as u64;
        self.hasher.borrow_mut().update(&into[..count]);
        Ok(count)
    }
}

/// What is done with what a server of today would not write.
#[derive(Clone, Copy, Debug, Default)]
pub struct Policy {
    /// Keys that had expired by this time are left out, in milliseconds since the Unix epoch.
    pub drop_expired_ms: Option<i64>,
    /// Values without elements, as older servers wrote them, are left out.
    pub drop_empty: bool,
    /// Libraries of functions are left out.
    pub drop_functions: bool,
}

/// Why a file could not be loaded further.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file itself: it cannot be read, or not be understood.
    #[error(transparent)]
    File(#[from] rdb::Error),
    /// A value that cannot be.
    #[error("at byte {offset}: the value of the key {}: {what}", quoted(key))]
    Value {
        /// Where its key begins.
        offset: u64,
        /// The key.
        key: Vec<u8>,
        /// What is wrong.
        what: &'static str,
    },
    /// A key that is there twice; which of the last ones is known by the loader's `keys` only roughly.
    #[error("at byte {offset}: a key before it is there twice: {}", quoted(key))]
    Twice {
        /// Up to where the file was read.
        offset: u64,
        /// The key.
        key: Vec<u8>,
    },
    /// A database that the settings do not allow.
    #[error("it holds database {number}, and the setting `databases` is {databases}")]
    Database {
        /// Its number.
        number: u64,
        /// The setting.
        databases: usize,
    },
}

/// Takes an RDB file into an engine.
pub struct Loader<R> {
    reader: Reader<R>,
    policy: Policy,
    database: usize,
    limits: Limits,
    /// The most keys that a file of its size can hold.
    keys_at_most: u64,
    intake: Intake,
    name: Vec<u8>,
    /// Keys loaded.
    pub keys: u64,
    /// Keys left out because their time was over.
    pub expired: u64,
    /// Keys left out because their values were empty.
    pub empty: u64,
    /// Data of modules left out.
    pub skipped_modules: u64,
    /// Libraries of functions left out.
    pub skipped_functions: u64,
    is_done: bool,
}

impl<R: Read> Loader<R> {
    /// From what a reader hands out, of a file of so many bytes.
    pub fn new(reader: Reader<R>, size: u64, engine: &Engine, policy: Policy) -> Self {
        Self {
            reader,
            policy,
            database: 0,
            limits: dump::limits(engine),
            keys_at_most: rdb::keys_at_most(size),
            intake: Intake::new(),
            name: Vec::new(),
            keys: 0,
            expired: 0,
            empty: 0,
            skipped_modules: 0,
            skipped_functions: 0,
            is_done: false,
        }
    }

    /// Bytes read.
    pub fn bytes(&self) -> u64 {
        self.reader.offset()
    }

    /// Loads so many keys more; `false` at the end of the file. After an error, what was loaded before it is there.
    pub fn advance(&mut self, engine: &mut Engine, keys: u64) -> Result<bool, LoadError> {
        let loaded = self.load(engine, keys);
        if self.is_done || loaded.is_err() {
            let settled = self.settle(engine);
            loaded.and(settled)?;
        }
        Ok(!self.is_done)
    }

    fn load(&mut self, engine: &mut Engine, keys: u64) -> Result<(), LoadError> {
        let end = self.keys + self.expired + keys;
        while self.keys + self.expired < end && !self.is_done {
            let offset = self.reader.offset();
            // By reference: to copy an event that was just written takes as long as to read it.
            match &self.reader.next()? {
                Event::Key(key) => {
                    let expires_ms = key.expires_ms;
                    let used = match (key.idle_s, key.frequency) {
                        (Some(seconds), _) => engine.access.used_before(i64::try_from(seconds).unwrap_or(i64::MAX)),
                        (None, Some(frequency)) => engine.access.used_as_often(frequency),
                        (None, None) => None,
                    };
                    self.name.clear();
                    self.name.extend_from_slice(key.name);
                    let loading = Loading::new(key, self.limits);
                    self.value(engine, offset, expires_ms, used, loading)?;
                }
                Event::Database(number) => {
                    let (number, databases) = (*number, engine.dbs.len());
                    self.settle(engine)?;
                    let found = usize::try_from(number).ok().filter(|number| *number < databases);
                    self.database = found.ok_or(LoadError::Database { number, databases })?;
                }
                Event::Sizes { keys, expiring } => {
                    let keys = (*keys).min(self.keys_at_most);
                    // What one database claims is not believed of another one again.
                    self.keys_at_most -= keys;
                    let most = |claimed: u64| usize::try_from(claimed.min(keys)).unwrap_or(usize::MAX);
                    engine.dbs[self.database].expect(most(keys), most(*expiring));
                }
                Event::Function(_) if self.policy.drop_functions => self.skipped_functions += 1,
                Event::Function(library) => engine.libraries.put(library.to_vec()),
                Event::SkippedModule { .. } => self.skipped_modules += 1,
                Event::End { .. } => self.is_done = true,
                Event::Aux { .. } | Event::Part(_) | Event::KeyEnd => {}
            }
        }
        Ok(())
    }

    /// The value of the key whose name has come.
    fn value(
        &mut self,
        engine: &mut Engine,
        offset: u64,
        expires_ms: Option<i64>,
        used: Option<u32>,
        mut loading: Loading,
    ) -> Result<(), LoadError> {
        let wrong = |name: &[u8], what| LoadError::Value { offset, key: name.to_vec(), what };
        while let Event::Part(part) = &self.reader.next()? {
            loading.part(part).map_err(|what| wrong(&self.name, what))?;
        }
        let is_over = self.policy.drop_expired_ms.is_some_and(|now| expires_ms.is_some_and(|at| at <= now));
        let entry = match loading.finish(&self.name, expires_ms) {
            _ if is_over => {
                self.expired += 1;
                return Ok(());
            }
            Err(EMPTY) if self.policy.drop_empty => {
                self.empty += 1;
                return Ok(());
            }
            result => result.map_err(|what| wrong(&self.name, what))?,
        };
        if let Some(used) = used {
            entry.set_used(used);
        }
        self.keys += 1;
        let displaced = self.intake.push(&mut engine.dbs[self.database], keyspace::hash(&self.name), entry);
        self.once(displaced)
    }

    /// Puts what is on its way where it belongs.
    fn settle(&mut self, engine: &mut Engine) -> Result<(), LoadError> {
        let displaced = self.intake.finish(&mut engine.dbs[self.database]);
        self.once(displaced)
    }

    fn once(&self, displaced: Option<Entry>) -> Result<(), LoadError> {
        match displaced {
            Some(entry) => Err(LoadError::Twice { offset: self.reader.offset(), key: entry.key().to_vec() }),
            None => Ok(()),
        }
    }
}

/// Why a snapshot cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// It cannot be read; perhaps it can be later.
    #[error(transparent)]
    Io(LogError),
    /// It is not what it should be.
    #[error("{0}")]
    Damaged(String),
    /// It is sound, and the settings do not allow what it holds.
    #[error("{0}")]
    Setting(String),
}

impl From<SnapshotFault> for Unusable {
    fn from(fault: SnapshotFault) -> Self {
        match fault {
            SnapshotFault::Io(error) if !error.is_not_found() => Self::Io(error),
            other => Self::Damaged(other.to_string()),
        }
    }
}

impl Unusable {
    fn because(error: LoadError, file: PathBuf) -> Self {
        match error {
            LoadError::File(rdb::Error { offset, fault: rdb::Fault::Io(source) }) => {
                Self::Io(LogError::Io { what: "read", file, offset: Some(offset), source: Arc::new(source) })
            }
            LoadError::Database { number, .. } => Self::Setting(needs_database(&error, number)),
            other => Self::Damaged(other.to_string()),
        }
    }
}

/// What to do about data of a database that the settings do not allow.
pub fn needs_database(error: &dyn std::error::Error, number: u64) -> String {
    format!("{error}: start with `databases {}`", number + 1)
}

/// Loads a snapshot into an engine without data. It is verified before anything of it is used. Gives the number of keys.
pub async fn load(
    engine: &Rc<RefCell<Engine>>,
    directory: &Directory,
    snapshot: &SnapshotEntry,
) -> Result<u64, Unusable> {
    let total = snapshot.size * 2;
    if let Some(loading) = &mut engine.borrow_mut().loading {
        loading.total_bytes = total;
    }
    let read = |bytes: u64| {
        if let Some(loading) = &mut engine.borrow_mut().loading {
            loading.loaded_bytes = bytes;
        }
    };
    let mut verified = 0;
    let mut note = |more: u64| {
        verified += more;
        read(verified);
    };
    directory.verify_snapshot(&snapshot.file, snapshot.size, snapshot.crc, &mut note).await?;
    let file = directory.open_snapshot(&snapshot.file).await.map_err(Unusable::Io)?;
    let because = |error| Unusable::because(error, directory.snapshot_dir().join(&snapshot.file));
    let hasher = Rc::new(RefCell::new(crc32fast::Hasher::new()));
    let source = Source { file, offset: 0, hasher: hasher.clone() };
    // The checksum of the whole file was verified, and is again: this reading may see other bytes than the first.
    let reader = Reader::new(source).map_err(|error| because(error.into()))?.skip_checksum();
    let mut loader = Loader::new(reader, snapshot.size, &engine.borrow(), Policy::default());
    loop {
        {
            let mut engine = engine.borrow_mut();
            let begun_us = engine.tick();
            while engine.tick() - begun_us < TURN_US {
                if !loader.advance(&mut engine, KEYS_A_LOOK).map_err(because)? {
                    let is_same = loader.bytes() == snapshot.size && hasher.borrow().clone().finalize() == snapshot.crc;
                    let changed = || Unusable::Damaged("it read differently the second time".into());
                    return if is_same { Ok(loader.keys) } else { Err(changed()) };
                }
            }
        }
        read(snapshot.size + loader.bytes());
        tokio::task::yield_now().await;
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;
    use crate::base::clock::SystemClock;
    use crate::engine::config::Config;

    #[test]
    fn what_a_file_claims_takes_no_more_memory_than_one_of_its_size_can_fill() {
        let mut engine = Engine::new(Rc::new(SystemClock::new()), fastrand::Rng::with_seed(1), Config::default());
        let mut bytes = b"REDIS0011".to_vec();
        for database in 0..16 {
            // SELECTDB, and RESIZEDB with as many keys as a length of four bytes can say, all of which expire.
            bytes.extend([0xfe, database, 0xfb, 0x80, 0xff, 0xff, 0xff, 0xff, 0x80, 0xff, 0xff, 0xff, 0xff]);
        }
        bytes.push(0xff);
        bytes.extend([0; 8]);
        let size = 4 << 20;
        let mut loader = Loader::new(Reader::new(&bytes[..]).unwrap(), size, &engine, Policy::default());
        while loader.advance(&mut engine, 100).unwrap() {}
        let taken: usize = engine.dbs.iter().map(|db| db.table_bytes().iter().sum::<usize>()).sum();
        let mut fits = Engine::new(Rc::new(SystemClock::new()), fastrand::Rng::with_seed(1), Config::default());
        let most = usize::try_from(rdb::keys_at_most(size)).unwrap();
        fits.dbs[0].expect(most, most);
        let of_one: usize = fits.dbs[0].table_bytes().iter().sum();
        assert!(
            of_one > 1 << 20 && taken <= of_one + (64 << 10),
            "{taken} bytes, and {of_one} for all that may be in it"
        );
    }
}
