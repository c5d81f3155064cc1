//! The data directory that an import makes: an engine without a server, and in the end a snapshot of it.

use std::path::Path;
use std::rc::Rc;
use std::task::Waker;

use super::{ImportError, Summary};
use crate::base::clock::SystemClock;
use crate::command::dispatch;
use crate::command::{spec, table};
use crate::durability::beside::{Beside, BesideError};
use crate::durability::create::create;
use crate::engine::Engine;
use crate::engine::client::{Client, Peer};
use crate::engine::config::{Config, Reader};
use crate::engine::gate::Level;
use crate::keyspace::Value;
use crate::log::Place;

/// Settings of the engine that imports: there are databases for every source.
const SETTINGS: [[&str; 2]; 1] = [["databases", "16384"]];

/// The stream offset at which an imported directory begins: what made the data is not kept.
const BEGINNING: u64 = 1;

/// Bytes of effects that nobody will read, before their memory is taken back.
const PENDING_MAX: usize = 1 << 20;

/// See the module.
pub(super) struct Target {
    beside: Beside,
    pub(super) engine: Engine,
    client: Client,
}

impl Target {
    /// Begins. An error if there is something already, or another import is at it.
    pub(super) async fn create(data: &Path) -> Result<Self, ImportError> {
        let beside = Beside::create(data, ".importing").await?;
        let under_way = beside.path().to_owned();
        let failed =
            |error: &dyn std::fmt::Display| ImportError::Target { path: under_way.clone(), reason: error.to_string() };
        let mut config = Config::new();
        for words in SETTINGS {
            let words = words.map(|word| word.as_bytes().to_vec());
            Reader::new(&mut config).command_line(&words).map_err(|error| failed(&error))?;
        }
        let mut engine = Engine::new(Rc::new(SystemClock::new()), fastrand::Rng::new(), config);
        engine.admission.set_room(u64::MAX);
        engine.expiry_is_off = true;
        let mut client = Client::new(0, Peer::default(), 0);
        client.level = Some(Level::Memory);
        Ok(Self { beside, engine, client })
    }

    /// Number of keys so far.
    pub(super) fn keys(&self) -> u64 {
        self.engine.dbs.iter().map(|db| db.len() as u64).sum()
    }

    /// Executes commands that belong together; an error says what is wrong with one of them.
    ///
    /// Nothing expires by the clock of today: what follows counts on what was there when it was written.
    pub(super) fn unit(&mut self, commands: &[&[&[u8]]]) -> Result<Result<(), String>, ImportError> {
        let [command] = commands else {
            let mut result = self.execute(&[b"MULTI"]);
            for command in commands {
                result = result.and(self.admitted(command));
            }
            if result.is_err() {
                return Ok(self.execute(&[b"DISCARD"]).and(result));
            }
            // What the others did cannot be taken back.
            let executed = self.execute(&[b"EXEC"]);
            let why = "a command failed inside a transaction, which no server writes into an append-only file";
            return executed.map(Ok).map_err(|_| ImportError::Unsupported(why.into()));
        };
        Ok(self.admitted(command))
    }

    /// Executes a command, if it is one that has a place in an append-only file.
    fn admitted(&mut self, command: &[&[u8]]) -> Result<(), String> {
        let result = has_a_place(command).and_then(|()| self.execute(command));
        let name = String::from_utf8_lossy(command[0]);
        result.map_err(|error| format!("the command {name:?} failed: {error}"))
    }

    /// Executes a command; an error is its reply.
    fn execute(&mut self, arguments: &[&[u8]]) -> Result<(), String> {
        let Self { engine, client, .. } = self;
        let failures = engine.stats.error_replies;
        engine.glance_at_clock();
        // There is always room, and nobody pauses clients.
        dispatch::request(engine, client, arguments);
        if engine.stream.pending() > PENDING_MAX
            && let Some(mut batch) = engine.stream.take(Waker::noop())
        {
            batch.frame.clear();
            engine.stream.recycle(batch.frame);
        }
        let has_failed = engine.stats.error_replies > failures;
        let mut error = has_failed.then(|| "an error inside a transaction".to_owned());
        loop {
            let reply = client.output.sendable(&engine.gate);
            if reply.is_empty() {
                break;
            }
            if has_failed && let Some(text) = reply.strip_prefix(b"-") {
                error = Some(String::from_utf8_lossy(text).trim_end().to_owned());
            }
            let len = reply.len();
            client.output.consume(len);
        }
        error.map_or(Ok(()), Err)
    }

    /// Makes all of it durable and gives it its name. Does not free the data if the process ends soon.
    pub(super) async fn finish(mut self, mut summary: Summary, process_ends: bool) -> Result<Summary, ImportError> {
        let engine = &mut self.engine;
        engine.read_clock();
        let now_ms = engine.now_ms();
        for (number, db) in engine.dbs.iter().enumerate().filter(|(_, db)| !db.is_empty()) {
            summary.last_database = number as u64;
            for entry in db.iter() {
                let is_over = match entry.value() {
                    Value::Hash(hash) => !hash.has_live(now_ms as i64),
                    _ => false,
                };
                if is_over || entry.has_expired(now_ms as i64) {
                    summary.expired += 1;
                } else {
                    summary.keys.add(entry.kind());
                }
            }
        }
        let place = Place { offset: BEGINNING, index: 0, term: 1, wall_ms: now_ms, sequence: 0, position: 0, crc: 0 };
        if let Err(error) = create(&self.beside.directory, engine, place, &mut |_| {}).await {
            let path = self.beside.path().to_owned();
            self.abandon();
            return Err(ImportError::Target { path, reason: error.to_string() });
        }
        self.beside.finish()?;
        if process_ends {
            std::mem::forget(self.engine);
        }
        Ok(summary)
    }

    /// Leaves nothing behind.
    pub(super) fn abandon(self) {
        self.beside.abandon();
    }
}

impl From<BesideError> for ImportError {
    fn from(error: BesideError) -> Self {
        match error {
            BesideError::Occupied(path) => Self::Occupied(path),
            BesideError::Failed { path, reason } => Self::Target { path, reason },
        }
    }
}

/// An error if a command has no place in an append-only file.
fn has_a_place(command: &[&[u8]]) -> Result<(), String> {
    let row = table::admit(command).map_err(|text| String::from_utf8_lossy(&text).into_owned())?;
    let flags = row.spec.flags;
    // PFCOUNT is written where it has changed what the value remembers. MIGRATE talks to another server, and is written as DEL.
    let is_effect = flags.has(spec::MAY_REPLICATE)
        || (flags.has(spec::WRITE) && !flags.has(spec::BLOCKING) && row.spec.name != "migrate");
    let is_written = is_effect || matches!(row.spec.name, "select" | "ping");
    if is_written { Ok(()) } else { Err("it has no place in an append-only file".into()) }
}
