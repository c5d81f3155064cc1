//! The data directory that an import makes: an engine and its log, without a server.

use std::cell::RefCell;
use std::future::poll_fn;
use std::path::Path;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use tokio::task::{JoinHandle, spawn_local, yield_now};

use super::{ImportError, Summary};
use crate::base::clock::SystemClock;
use crate::command::dispatch::{self, Outcome};
use crate::command::dump::{self, NoValue};
use crate::command::{spec, table};
use crate::durability::beside::{Beside, BesideError};
use crate::durability::{commit, commit::Committer, fork::ProcessFork, recovery};
use crate::engine::Engine;
use crate::engine::client::{Client, Peer};
use crate::engine::config::{Config, Reader};
use crate::engine::gate::Level;
use crate::keyspace::{self, Value};

/// Settings of the engine that imports: the log is synced when it is complete, and there are databases for every source.
const SETTINGS: [[&str; 2]; 2] = [["appendfsync", "no"], ["databases", "16384"]];

/// Bytes of effects that wait before the log gets its turn.
const PENDING_MAX: usize = 1 << 20;

/// How often a wait looks whether the log has failed.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// See the module.
pub(super) struct Target {
    beside: Beside,
    engine: Rc<RefCell<Engine>>,
    committer: Rc<Committer>,
    writer: JoinHandle<()>,
    helpers: [JoinHandle<()>; 2],
    client: Client,
}

impl Target {
    /// Begins. An error if there is something already, or another import is at it.
    pub(super) async fn create(data: &Path) -> Result<Self, ImportError> {
        let beside = Beside::create(data, ".importing").await?;
        let (under_way, directory) = (beside.path().to_owned(), beside.directory.clone());
        let failed =
            |error: &dyn std::fmt::Display| ImportError::Target { path: under_way.clone(), reason: error.to_string() };
        let mut config = Config::new();
        for words in SETTINGS {
            let words = words.map(|word| word.as_bytes().to_vec());
            Reader::new(&mut config).command_line(&words).map_err(|error| failed(&error))?;
        }
        let engine = Rc::new(RefCell::new(Engine::new(Rc::new(SystemClock::new()), fastrand::Rng::new(), config)));
        let log = recovery::recover(&engine, directory).await.map_err(|error| failed(&error))?;
        let committer = Committer::new(engine.clone(), log, Rc::new(ProcessFork));
        let writer = spawn_local(commit::write_batches(committer.clone()));
        let helpers = [
            spawn_local(commit::sync_in_background(committer.clone())),
            spawn_local(commit::prepare_segments(committer.clone())),
        ];
        engine.borrow_mut().expiry_is_off = true;
        let mut client = Client::new(0, Peer::default(), 0);
        client.level = Some(Level::Memory);
        Ok(Self { beside, engine, committer, writer, helpers, client })
    }

    /// The time that expiry goes by.
    pub(super) fn now_ms(&self) -> i64 {
        self.engine.borrow().now_ms() as i64
    }

    /// Number of keys so far.
    pub(super) fn keys(&self) -> u64 {
        self.engine.borrow().dbs.iter().map(|db| db.len() as u64).sum()
    }

    /// Goes on in a database.
    pub(super) async fn select(&mut self, number: u64) -> Result<(), ImportError> {
        let selected = self.execute(&[b"SELECT", number.to_string().as_bytes()]).await?;
        selected.map_err(|error| ImportError::Unsupported(format!("the source has a database {number}: {error}")))
    }

    /// Whether a key is there, in the selected database.
    pub(super) fn has(&self, key: &[u8]) -> bool {
        self.engine.borrow().dbs[self.client.db].find(keyspace::hash(key), key).is_some()
    }

    /// Executes commands that belong together; an inner error says what is wrong with one of them.
    ///
    /// Nothing expires by the clock of today: what follows counts on what was there when it was written.
    pub(super) async fn unit(&mut self, commands: &[&[&[u8]]]) -> Result<Result<(), String>, ImportError> {
        let [command] = commands else {
            let mut result = self.execute(&[b"MULTI"]).await?;
            for command in commands {
                result = result.and(self.admitted(command).await?);
            }
            if result.is_err() {
                return Ok(self.execute(&[b"DISCARD"]).await?.and(result));
            }
            // What the others did cannot be taken back.
            let executed = self.execute(&[b"EXEC"]).await?;
            let why = "a command failed inside a transaction, which no server writes into an append-only file";
            return executed.map(Ok).map_err(|_| ImportError::Unsupported(why.into()));
        };
        self.admitted(command).await
    }

    /// Executes a command, if it is one that has a place in an append-only file.
    async fn admitted(&mut self, command: &[&[u8]]) -> Result<Result<(), String>, ImportError> {
        let result = match has_a_place(command) {
            Ok(()) => self.execute(command).await?,
            Err(error) => Err(error),
        };
        let name = String::from_utf8_lossy(command[0]);
        Ok(result.map_err(|error| format!("the command {name:?} failed: {error}")))
    }

    /// Executes a command; an inner error is its reply.
    async fn execute(&mut self, arguments: &[&[u8]]) -> Result<Result<(), String>, ImportError> {
        let failures = self.engine.borrow().stats.error_replies;
        loop {
            let outcome = {
                let mut engine = self.engine.borrow_mut();
                engine.glance_at_clock();
                dispatch::request(&mut engine, &mut self.client, arguments)
            };
            match outcome {
                Outcome::Done => break,
                Outcome::NoRoom | Outcome::Paused => self.wait_for_room().await?,
            }
        }
        if self.engine.borrow().stream.pending() > PENDING_MAX {
            yield_now().await;
        }
        let engine = self.engine.borrow();
        let has_failed = engine.stats.error_replies > failures;
        let mut error = has_failed.then(|| "an error inside a transaction".to_owned());
        loop {
            let reply = self.client.output.sendable(&engine.gate);
            if reply.is_empty() {
                break;
            }
            if has_failed && let Some(text) = reply.strip_prefix(b"-") {
                error = Some(String::from_utf8_lossy(text).trim_end().to_owned());
            }
            let len = reply.len();
            self.client.output.consume(len);
        }
        match error {
            Some(error) if error.starts_with("MISCONF") => Err(self.failed(&error)),
            Some(error) => Ok(Err(error)),
            None => Ok(Ok(())),
        }
    }

    /// Why RESTORE does not take a payload.
    pub(super) fn why_refused(&self, payload: &[u8]) -> Option<String> {
        match dump::restored(b"", None, payload, dump::limits(&self.engine.borrow())) {
            Err(NoValue::Data(why)) => Some(why),
            _ => None,
        }
    }

    fn failed(&self, reason: &dyn std::fmt::Display) -> ImportError {
        ImportError::Target { path: self.beside.path().to_owned(), reason: reason.to_string() }
    }

    /// Waits until there may be room, or for a moment: a log that fails meanwhile wakes nobody.
    async fn wait_for_room(&self) -> Result<(), ImportError> {
        let mut pause = self.engine.borrow().clock.sleep(LOOK_AGAIN);
        let mut asked = false;
        poll_fn(|cx| {
            let mut engine = self.engine.borrow_mut();
            if std::mem::replace(&mut asked, true) {
                return Poll::Ready(());
            }
            engine.admission.wait(cx.waker());
            pause.as_mut().poll(cx)
        })
        .await;
        match &self.engine.borrow().log.failed {
            Some(reason) => Err(self.failed(reason)),
            None => Ok(()),
        }
    }

    /// Makes all of it durable and gives it its name.
    pub(super) async fn finish(self, mut summary: Summary) -> Result<Summary, ImportError> {
        let (engine, beside) = (self.engine.clone(), self.beside.clone());
        self.stop().await;
        let failure = engine.borrow().log.failed.clone();
        if let Some(reason) = failure {
            let path = beside.path().to_owned();
            beside.abandon();
            return Err(ImportError::Target { path, reason });
        }
        beside.finish()?;
        let engine = engine.borrow();
        let now_ms = engine.now_ms() as i64;
        for (number, db) in engine.dbs.iter().enumerate().filter(|(_, db)| !db.is_empty()) {
            summary.last_database = number as u64;
            for entry in db.iter() {
                let is_over = match entry.value() {
                    Value::Hash(hash) => !hash.has_live(now_ms),
                    _ => false,
                };
                if is_over || entry.has_expired(now_ms) {
                    summary.expired += 1;
                } else {
                    summary.keys.add(entry.kind());
                }
            }
        }
        Ok(summary)
    }

    /// Leaves nothing behind.
    pub(super) async fn abandon(self) {
        let beside = self.beside.clone();
        self.stop().await;
        beside.abandon();
    }

    async fn stop(self) {
        self.committer.end_helpers();
        for task in self.helpers {
            let _ = task.await;
        }
        self.committer.stop();
        let _ = self.writer.await;
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
    let is_written =
        (flags.has(spec::WRITE) && !flags.has(spec::BLOCKING)) || matches!(row.spec.name, "select" | "ping");
    if is_written { Ok(()) } else { Err("it has no place in an append-only file".into()) }
}
