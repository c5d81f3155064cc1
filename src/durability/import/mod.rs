//! From the files of Redis and Valkey to a data directory: an RDB file, an append-only directory, or an append-only file of
//! old.
//!
//! What the source holds is executed as a client would, by an engine with a log of its own, in a directory beside the one that
//! is wanted; that gets its name when all is durable. So a target exists whole or not at all. Damage ends the import, or
//! with [`Options::salvage`] the reading: then what stands before it is kept, and the [`Summary`] says what was dropped.

mod aof;
mod source;
mod target;

use std::io;
use std::path::{Path, PathBuf};

pub use source::{Part, Source};

use super::tally::Tally;
use crate::base::quoting::quoted;
use crate::engine::serial;
use crate::rdb::{self, Event, Reader, Version, Writer};
use target::Target;

/// How to import.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Keep what stands before damage.
    pub salvage: bool,
    /// Leave data of modules out.
    pub skip_modules: bool,
    /// Leave libraries of functions out.
    pub skip_functions: bool,
}

/// How far it is.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Bytes of the source that were read.
    pub bytes: u64,
    /// Bytes of the source.
    pub total: u64,
}

/// What was imported.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// The keys.
    pub keys: Tally,
    /// The highest database with keys.
    pub last_database: u64,
    /// Keys whose time was over.
    pub expired: u64,
    /// Keys without elements, as some older servers wrote them. Redis leaves them out too.
    pub empty: u64,
    /// Commands of append-only files.
    pub commands: u64,
    /// Keys with data of modules, and such data without keys, that were left out.
    pub skipped_modules: u64,
    /// Libraries of functions that were left out.
    pub skipped_functions: u64,
    /// Bytes read.
    pub bytes: u64,
    /// What was salvaged: the damage, and how much lies behind it.
    pub dropped: Option<Dropped>,
}

/// Damage that ended a salvage.
#[derive(Clone, Debug)]
pub struct Dropped {
    /// What is wrong, and where.
    pub damage: String,
    /// Bytes of the source behind it, which were not used.
    pub bytes: u64,
}

/// Why nothing was imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The source cannot be read, or is none.
    #[error("{0}")]
    Source(String),
    /// The source is damaged.
    #[error("{damage}\nbefore it: {kept}; --salvage keeps that, and drops the {dropped} bytes from there on")]
    Damaged {
        /// What is wrong, and where.
        damage: Damage,
        /// What stands before it.
        kept: String,
        /// Bytes that would be dropped.
        dropped: u64,
    },
    /// It holds what this version cannot keep.
    #[error("{0}")]
    Unsupported(String),
    /// The target holds something already.
    #[error("{} holds data; nothing is ever imported over them", .0.display())]
    Occupied(PathBuf),
    /// The target cannot be written.
    #[error("cannot write {}: {reason}", path.display())]
    Target {
        /// What was to be written.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
}

/// Something wrong in a file of the source.
#[derive(Debug, thiserror::Error)]
#[error("{}: at byte {offset}: {what}", file.display())]
pub struct Damage {
    /// The file.
    pub file: PathBuf,
    /// Where in it.
    pub offset: u64,
    /// What is wrong.
    pub what: String,
}

/// What ends the reading of a part.
enum Stop {
    Damaged(Damage),
    Failed(ImportError),
}

impl From<ImportError> for Stop {
    fn from(error: ImportError) -> Self {
        Self::Failed(error)
    }
}

/// Imports `source` into the data directory `data`, which must not exist or be empty. Needs a local task set.
pub async fn import(
    source: &Source,
    data: &Path,
    options: Options,
    progress: &mut dyn FnMut(Progress),
) -> Result<Summary, ImportError> {
    let mut target = Target::create(data).await?;
    let mut importer =
        Importer { target: &mut target, options, summary: Summary::default(), progress, source, reports: 0 };
    let result = importer.parts().await;
    let summary = importer.summary;
    match result {
        Ok(()) => target.finish(summary).await,
        Err(error) => {
            target.abandon().await;
            Err(error)
        }
    }
}

struct Importer<'a> {
    target: &'a mut Target,
    options: Options,
    summary: Summary,
    progress: &'a mut dyn FnMut(Progress),
    source: &'a Source,
    /// Commands and transactions, for the rhythm of reports.
    reports: u64,
}

impl Importer<'_> {
    async fn parts(&mut self) -> Result<(), ImportError> {
        let total = self.source.bytes();
        let mut before = 0;
        let is_base = self.source.parts().len() > 1;
        for part in self.source.parts() {
            let stop = match part {
                Part::Missing(path) => {
                    let what = "the manifest names it, and it is not there".into();
                    Err(Stop::Damaged(Damage { file: path.clone(), offset: 0, what }))
                }
                Part::Rdb(path, _) => self.rdb(path, before, is_base, false).await.map(drop),
                Part::Aof(path, _) => self.aof_with_preamble(path, before).await,
            };
            match stop {
                Ok(()) => before += part.bytes(),
                Err(Stop::Failed(error)) => return Err(error),
                Err(Stop::Damaged(damage)) => return self.damaged(damage, total.saturating_sub(before)),
            }
        }
        self.summary.bytes = total;
        Ok(())
    }

    /// Ends with what stands before the damage, if that is wanted.
    fn damaged(&mut self, damage: Damage, behind: u64) -> Result<(), ImportError> {
        let dropped = behind.saturating_sub(damage.offset);
        self.summary.bytes = self.source.bytes() - dropped;
        if self.options.salvage {
            self.summary.dropped = Some(Dropped { damage: damage.to_string(), bytes: dropped });
            return Ok(());
        }
        let (keys, commands) = (self.target.keys(), self.summary.commands);
        let kept = match commands {
            0 => format!("{keys} keys"),
            _ => format!("{keys} keys, {commands} commands of append-only files among what made them"),
        };
        Err(ImportError::Damaged { damage, kept, dropped })
    }

    fn report(&mut self, bytes: u64) {
        (self.progress)(Progress { bytes, total: self.source.bytes() });
    }

    /// An append-only file, which in old ones may begin with an RDB file.
    async fn aof_with_preamble(&mut self, path: &Path, before: u64) -> Result<(), Stop> {
        let start = match source::begins_with(path, source::RDB).map_err(|error| unreadable(path, &error))? {
            true => self.rdb(path, before, true, true).await?,
            false => 0,
        };
        self.aof(path, start, before).await
    }

    /// Reads an RDB file, and answers where it ends. Keys whose time is over are kept for the commands that follow, if some
    /// may: as Redis does, for those were executed when the key was there.
    async fn rdb(
        &mut self,
        path: &Path,
        before: u64,
        keep_expired: bool,
        something_follows: bool,
    ) -> Result<u64, Stop> {
        let file = std::fs::File::open(path).map_err(|error| unreadable(path, &error))?;
        let salvage = self.options.salvage;
        let damaged = |error: rdb::Error| match error.fault {
            rdb::Fault::Module(_) => {
                let path = path.display();
                Stop::Failed(ImportError::Unsupported(format!("{path}: {error}; --skip-modules leaves it out")))
            }
            rdb::Fault::Io(error) => Stop::Failed(unreadable(path, &error)),
            fault @ (rdb::Fault::Version(_) | rdb::Fault::Type(_)) if !salvage => {
                let (path, offset) = (path.display(), error.offset);
                let why = "it is damaged, or newer than this version of ackd; --salvage keeps what stands before";
                Stop::Failed(ImportError::Unsupported(format!("{path}: at byte {offset}: {fault}: {why}")))
            }
            fault => Stop::Damaged(Damage { file: path.to_owned(), offset: error.offset, what: fault.to_string() }),
        };
        let mut reader = Reader::new(file).map_err(damaged)?;
        if something_follows {
            reader = reader.allow_tail();
        }
        if self.options.skip_modules {
            reader = reader.skip_modules();
        }
        let mut value: Option<Value> = None;
        let mut offset = 0;
        loop {
            if value.is_none() {
                offset = reader.offset();
            }
            let event = reader.next().map_err(damaged)?;
            let broken = |what: String| Stop::Damaged(Damage { file: path.to_owned(), offset, what });
            match event {
                Event::Database(number) => self.target.select(number).await?,
                Event::Function(_) => self.function(path)?,
                Event::SkippedModule { .. } => self.summary.skipped_modules += 1,
                Event::Key(key) => value = Some(Value::new(&key).map_err(|error| broken(error.to_string()))?),
                Event::Part(_) | Event::KeyEnd => {
                    let Some(coming) = &mut value else { continue };
                    coming.writer.write(&event).map_err(|error| broken(error.to_string()))?;
                    if event == Event::KeyEnd
                        && let Some(value) = value.take()
                    {
                        self.restore(value, keep_expired).await?.map_err(broken)?;
                        self.report(before + reader.offset());
                    }
                }
                Event::End { .. } => return Ok(reader.offset()),
                Event::Aux { .. } | Event::Sizes { .. } => {}
            }
        }
    }

    fn function(&mut self, path: &Path) -> Result<(), ImportError> {
        if !self.options.skip_functions {
            return Err(ImportError::Unsupported(format!(
                "{}: it holds a library of functions, which this version of ackd cannot keep; --skip-functions leaves it out",
                path.display()
            )));
        }
        self.summary.skipped_functions += 1;
        Ok(())
    }

    /// Makes a key; an inner error says what is wrong with its value.
    async fn restore(&mut self, value: Value, keep_expired: bool) -> Result<Result<(), String>, ImportError> {
        if !keep_expired && value.expires_ms.is_some_and(|at| at <= self.target.now_ms()) {
            self.summary.expired += 1;
            return Ok(Ok(()));
        }
        let Value { name, expires_ms, used, writer } = value;
        if self.target.has(&name) {
            return Ok(Err(format!("the key {} is there twice", quoted(&name))));
        }
        // What had no time to live left at the beginning of all time is written so.
        let (payload, ttl) = (writer.into_dump(), expires_ms.map_or(0, |at| at.max(1)).to_string());
        let mut words: Vec<&[u8]> = vec![b"RESTORE", &name, ttl.as_bytes(), &payload, b"REPLACE", b"ABSTTL"];
        if let Some((option, number)) = &used {
            words.extend([option.as_bytes(), number.as_bytes()]);
        }
        let Err(error) = self.target.unit(&[&words]).await? else { return Ok(Ok(())) };
        let why = self.target.why_refused(&payload).unwrap_or(error);
        if why == serial::EMPTY {
            self.summary.empty += 1;
            return Ok(Ok(()));
        }
        Ok(Err(format!("the value of the key {}: {why}", quoted(&name))))
    }
}

/// A key whose value is coming in.
struct Value {
    name: Vec<u8>,
    expires_ms: Option<i64>,
    /// RESTORE's option about the last use.
    used: Option<(&'static str, String)>,
    writer: Writer<Vec<u8>>,
}

impl Value {
    fn new(key: &rdb::Key<'_>) -> Result<Self, rdb::WriteError> {
        let mut writer = Writer::of_dump(Version::V12, false);
        writer.write(&Event::Key(*key))?;
        let used = match (key.idle_s, key.frequency) {
            (Some(seconds), _) => Some(("IDLETIME", seconds.min(i64::MAX as u64).to_string())),
            (None, Some(frequency)) => Some(("FREQ", frequency.to_string())),
            (None, None) => None,
        };
        Ok(Self { name: key.name.to_vec(), expires_ms: key.expires_ms, used, writer })
    }
}

fn unreadable(path: &Path, error: &io::Error) -> ImportError {
    ImportError::Source(format!("cannot read {}: {error}", path.display()))
}
