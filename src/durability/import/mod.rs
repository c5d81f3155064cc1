//! From the files of Redis and Valkey to a data directory: an RDB file, an append-only directory, or an append-only file of
//! old.
//!
//! An RDB file is loaded as at a start, and commands are executed as a client's would be, by an engine without a log; then a
//! snapshot is written into a directory beside the one that is wanted, which gets its name when all is durable. So a target
//! exists whole or not at all. Damage ends the import, or with [`Options::salvage`] the reading: then what stands before it is
//! kept, and the [`Summary`] says what was dropped.

mod aof;
mod source;
mod target;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

pub use source::{Part, Source};

use super::snapshot::{LoadError, Loader, Policy};
use super::tally::Tally;
use crate::base::quoting::quoted;
use crate::rdb::{self, Reader};
use target::Target;

/// Keys of an RDB file between two reports.
const KEYS_A_REPORT: u64 = 4096;

/// How to import.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Keep what stands before damage.
    pub salvage: bool,
    /// Leave data of modules out.
    pub skip_modules: bool,
    /// Leave libraries of functions out.
    pub skip_functions: bool,
    /// The process ends soon, so that memory need not be freed: that of many keys takes a while.
    pub process_ends: bool,
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
    /// What of the source was not used.
    pub extent: Extent,
}

/// What lies behind damage.
#[derive(Clone, Copy, Debug)]
pub struct Extent {
    /// Bytes that are there.
    pub bytes: u64,
    /// Something is missing besides, and nobody knows how much.
    pub is_short: bool,
}

impl fmt::Display for Extent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self { bytes, is_short: false } => write!(f, "{bytes} bytes"),
            Self { bytes: 0, .. } => f.write_str("what is missing, of unknown length"),
            Self { bytes, .. } => write!(f, "{bytes} bytes, and what is missing, of unknown length"),
        }
    }
}

/// Why nothing was imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The source cannot be read, or is none.
    #[error("{0}")]
    Source(String),
    /// The source is damaged.
    #[error("{damage}\nbefore it: {kept}; --salvage keeps that, and drops what follows: {dropped}")]
    Damaged {
        /// What is wrong, and where.
        damage: Damage,
        /// What stands before it.
        kept: String,
        /// What would be dropped.
        dropped: Extent,
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
    /// The file, or its end, is not there.
    pub is_short: bool,
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
    let result = importer.parts();
    let summary = importer.summary;
    match result {
        Ok(()) => target.finish(summary, options.process_ends).await,
        Err(error) => {
            target.abandon();
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
    fn parts(&mut self) -> Result<(), ImportError> {
        let total = self.source.bytes();
        let mut before = 0;
        let is_base = self.source.parts().len() > 1;
        for part in self.source.parts() {
            let stop = match part {
                Part::Missing(path) => {
                    let what = "the manifest names it, and it is not there".into();
                    Err(Stop::Damaged(Damage { file: path.clone(), offset: 0, what, is_short: true }))
                }
                Part::Rdb(path, _) => self.rdb(path, before, is_base, false).map(drop),
                Part::Aof(path, _) => self.aof_with_preamble(path, before),
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
        let bytes = behind.saturating_sub(damage.offset);
        // Damage behind the last byte is that there is no more.
        let dropped = Extent { bytes, is_short: damage.is_short || bytes == 0 };
        self.summary.bytes = self.source.bytes() - bytes;
        if self.options.salvage && self.target.keys() == 0 && self.target.engine.libraries.is_empty() {
            return Err(ImportError::Source(format!("{damage}\nbefore it there is nothing that could be kept")));
        }
        if self.options.salvage {
            self.summary.dropped = Some(Dropped { damage: damage.to_string(), extent: dropped });
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
    fn aof_with_preamble(&mut self, path: &Path, before: u64) -> Result<(), Stop> {
        let start = match source::begins_with(path, source::RDB).map_err(|error| unreadable(path, &error))? {
            true => self.rdb(path, before, true, true)?,
            false => 0,
        };
        self.aof(path, start, before)
    }

    /// Reads an RDB file, and answers where it ends. Keys whose time is over are kept for the commands that follow, if some
    /// may: as Redis does, for those were executed when the key was there.
    fn rdb(&mut self, path: &Path, before: u64, keep_expired: bool, something_follows: bool) -> Result<u64, Stop> {
        let file = std::fs::File::open(path).map_err(|error| unreadable(path, &error))?;
        let size = file.metadata().map_err(|error| unreadable(path, &error))?.len();
        let broken = |offset, what, is_short| Stop::Damaged(Damage { file: path.to_owned(), offset, what, is_short });
        let damaged = |error: rdb::Error| match error.fault {
            rdb::Fault::Module(_) => {
                let path = path.display();
                Stop::Failed(ImportError::Unsupported(format!("{path}: {error}; --skip-modules leaves it out")))
            }
            rdb::Fault::Io(error) => Stop::Failed(unreadable(path, &error)),
            fault @ (rdb::Fault::Version(_) | rdb::Fault::Type(_)) => {
                let what = format!("{fault}: the file is damaged, or newer than this version of ackd");
                broken(error.offset, what, false)
            }
            fault @ rdb::Fault::Checksum { .. } => {
                let what = format!(
                    "{fault}: what is damaged stands somewhere before, and values read from there may be wrong"
                );
                broken(error.offset, what, false)
            }
            fault => broken(error.offset, fault.to_string(), matches!(fault, rdb::Fault::Truncated)),
        };
        let mut reader = Reader::new(file).map_err(damaged)?;
        if something_follows {
            reader = reader.allow_tail();
        }
        if self.options.skip_modules {
            reader = reader.skip_modules();
        }
        let engine = &mut self.target.engine;
        let now_ms = engine.now_ms() as i64;
        let policy = Policy {
            drop_expired_ms: (!keep_expired).then_some(now_ms),
            drop_empty: true,
            drop_functions: self.options.skip_functions,
        };
        let mut loader = Loader::new(reader, size, engine, policy);
        let result = loop {
            match loader.advance(engine, KEYS_A_REPORT) {
                Ok(true) => (self.progress)(Progress { bytes: before + loader.bytes(), total: self.source.bytes() }),
                Ok(false) => break Ok(loader.bytes()),
                Err(error) => break Err(error),
            }
        };
        let Summary { expired, empty, skipped_modules, skipped_functions, .. } = &mut self.summary;
        *expired += loader.expired;
        *empty += loader.empty;
        *skipped_modules += loader.skipped_modules;
        *skipped_functions += loader.skipped_functions;
        result.map_err(|error| match error {
            LoadError::File(error) => damaged(error),
            LoadError::Value { offset, key, what } => {
                broken(offset, format!("the value of the key {}: {what}", quoted(&key)), false)
            }
            LoadError::Twice { offset, key } => {
                broken(offset, format!("the key {} is there twice", quoted(&key)), false)
            }
            LoadError::Database { number, .. } => {
                Stop::Failed(ImportError::Unsupported(format!("the source has a database {number}, which is too high")))
            }
        })
    }
}

fn unreadable(path: &Path, error: &io::Error) -> ImportError {
    ImportError::Source(format!("cannot read {}: {error}", path.display()))
}
