//! A snapshot's data into an engine, piece by piece, so that others get their turn.

use std::cell::RefCell;
use std::io::{self, Read};
use std::rc::Rc;

use crate::command::dump;
use crate::disk::File;
use crate::engine::Engine;
use crate::engine::serial::{Limits, Loading};
use crate::keyspace;
use crate::log::{Directory, SnapshotEntry};
use crate::rdb::{Event, Reader};

/// Keys between two looks at the clock.
const KEYS_A_LOOK: u64 = 64;

/// How long the loading goes on before others get their turn, in microseconds.
const TURN_US: u64 = 2000;

/// Reads a file through the disk, on this thread.
pub struct Source {
    file: Rc<dyn File>,
    offset: u64,
}

impl Source {
    /// From the beginning of a file.
    pub fn new(file: Rc<dyn File>) -> Self {
        Self { file, offset: 0 }
    }
}

impl Read for Source {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read_now(self.offset, into)?;
        self.offset += count as u64;
        Ok(count)
    }
}

/// Takes an RDB file into an engine.
pub struct Loader<R> {
    reader: Reader<R>,
    database: usize,
    limits: Limits,
    coming: Option<Coming>,
    /// Keys loaded.
    pub keys: u64,
    is_done: bool,
}

struct Coming {
    name: Vec<u8>,
    expires_ms: Option<i64>,
    value: Loading,
}

impl<R: Read> Loader<R> {
    /// From the beginning of a file.
    pub fn new(source: R, engine: &Engine) -> Result<Self, String> {
        let reader = Reader::new(source).map_err(|error| error.to_string())?;
        Ok(Self { reader, database: 0, limits: dump::limits(engine), coming: None, keys: 0, is_done: false })
    }

    /// Bytes read.
    pub fn bytes(&self) -> u64 {
        self.reader.offset()
    }

    /// Loads so many keys more; `false` at the end of the file.
    pub fn advance(&mut self, engine: &mut Engine, keys: u64) -> Result<bool, String> {
        let end = self.keys + keys;
        while self.keys < end && !self.is_done {
            let offset = self.reader.offset();
            let at = |what: &dyn std::fmt::Display| format!("at byte {offset}: {what}");
            match self.reader.next().map_err(|error| error.to_string())? {
                Event::Database(number) => {
                    let found = usize::try_from(number).ok().filter(|number| *number < engine.dbs.len());
                    let missing = || {
                        at(&format!("it holds database {number}, and the setting `databases` is {}", engine.dbs.len()))
                    };
                    self.database = found.ok_or_else(missing)?;
                }
                Event::Key(key) => {
                    let value = Loading::new(&key, self.limits);
                    self.coming = Some(Coming { name: key.name.to_vec(), expires_ms: key.expires_ms, value });
                }
                Event::Part(part) => {
                    if let Some(coming) = &mut self.coming {
                        coming.value.part(&part).map_err(|what| at(&what))?;
                    }
                }
                Event::KeyEnd => {
                    let Some(Coming { name, expires_ms, value }) = self.coming.take() else { continue };
                    let entry = value.finish(&name, expires_ms).map_err(|what| at(&what))?;
                    if engine.dbs[self.database].insert(keyspace::hash(&name), entry).is_some() {
                        return Err(at(&"a key that is there twice"));
                    }
                    self.keys += 1;
                }
                Event::Function(library) => engine.libraries.push(library.to_vec()),
                Event::End { .. } => self.is_done = true,
                Event::Aux { .. } | Event::Sizes { .. } | Event::SkippedModule { .. } => {}
            }
        }
        Ok(!self.is_done)
    }
}

/// Loads a snapshot into an engine without data. It is verified before anything of it is used. Gives the number of keys.
pub async fn load(
    engine: &Rc<RefCell<Engine>>,
    directory: &Directory,
    snapshot: &SnapshotEntry,
) -> Result<u64, String> {
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
    let sound = directory.verify_snapshot(&snapshot.file, snapshot.size, snapshot.crc, false, &mut note).await;
    sound.map_err(|fault| fault.to_string())?;
    let file = directory.open_snapshot(&snapshot.file).await.map_err(|error| error.to_string())?;
    let mut loader = Loader::new(Source::new(file), &engine.borrow())?;
    loop {
        {
            let mut engine = engine.borrow_mut();
            let begun_us = engine.tick();
            while engine.tick() - begun_us < TURN_US {
                if !loader.advance(&mut engine, KEYS_A_LOOK)? {
                    return Ok(loader.keys);
                }
            }
        }
        read(snapshot.size + loader.bytes());
        tokio::task::yield_now().await;
    }
}
