//! From a data directory to files of others: an RDB file, an append-only directory of Redis 7, or lines of JSON.
//!
//! The data are read as [`offline`] reads them, also beside a running server; the directory is not changed.
//! The target is written under another name, synced, and renamed: it exists whole or not at all, and what an export that was
//! killed has left is removed by the next one to the same target.

mod lines;
mod under_way;

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use super::beside::parent;
use super::offline::{self, Until};
use super::tally::Tally;
use crate::base::glob;
use crate::engine::{Engine, serial};
use crate::keyspace::{Entry, Kind, Value};
use crate::rdb::{Event, Options, Version, WriteError, Writer};
use under_way::UnderWay;

/// What to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// An RDB file.
    Rdb,
    /// An append-only directory, whose base is an RDB file.
    Aof,
    /// A JSON object a key and line.
    Json,
}

impl Format {
    /// What the name of a target asks for.
    pub fn of(target: &Path) -> Option<Self> {
        let Some(extension) = target.extension() else { return Some(Self::Aof) };
        match extension.to_str()?.to_ascii_lowercase().as_str() {
            "rdb" => Some(Self::Rdb),
            "jsonl" => Some(Self::Json),
            _ => None,
        }
    }
}

/// Which keys to write, and whether functions go with them. These belong to no database: they are not chosen by keys.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Those of this database.
    pub database: Option<usize>,
    /// Those with such a name.
    pub pattern: Option<Vec<u8>>,
    /// Those of this type.
    pub kind: Option<Kind>,
    /// Leave libraries of functions out.
    pub skip_functions: bool,
}

impl Filter {
    fn takes(&self, database: usize, entry: &Entry) -> bool {
        self.database.is_none_or(|wanted| wanted == database)
            && self.kind.is_none_or(|wanted| wanted == entry.kind())
            && self.pattern.as_ref().is_none_or(|pattern| glob::matches(pattern, entry.key()))
    }
}

/// What was written.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// The keys.
    pub keys: Tally,
    /// The version of the RDB file.
    pub version: Option<Version>,
    /// Bytes written.
    pub bytes: u64,
    /// The stream offset at which the data stood so.
    pub offset: u64,
    /// Streams whose counters, or times of consumers, the version does not store.
    pub lossy_streams: u64,
    /// Libraries of functions that were left out: as was asked for, or because lines of JSON have only keys.
    pub skipped_functions: u64,
}

/// Why nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The data cannot be read, or do not verify.
    #[error("{0}")]
    Data(String),
    /// The version of the RDB file cannot express something.
    #[error("RDB version {version} cannot express the expiry times of fields, which {hashes} of the hashes have")]
    Version {
        /// The version.
        version: Version,
        /// How many hashes.
        hashes: u64,
    },
    /// Likewise.
    #[error(
        "RDB version {version} cannot express libraries of functions, of which there are {libraries}; --skip-functions \
         leaves them out"
    )]
    Functions {
        /// The version.
        version: Version,
        /// How many.
        libraries: usize,
    },
    /// There is something already.
    #[error("{} is there already; nothing is ever exported over it", .0.display())]
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

/// The data of a directory, at the end of its log.
pub struct Data {
    engine: Engine,
    offset: u64,
}

impl Data {
    /// Reads and verifies the log; `progress` is told how many bytes of how many were read.
    pub fn load(directory: &Path, progress: &mut dyn FnMut(u64, u64)) -> Result<Self, ExportError> {
        let offline = offline::load(directory, Until::End, progress).map_err(|e| ExportError::Data(e.to_string()))?;
        match offline.damage {
            Some(damage) => Err(ExportError::Data(damage.to_string())),
            None => Ok(Self { engine: offline.engine, offset: offline.place.offset }),
        }
    }

    fn entries<'a>(&'a self, filter: &'a Filter) -> impl Iterator<Item = (usize, &'a Entry)> {
        let databases = self.engine.dbs.iter().enumerate();
        databases
            .flat_map(|(database, db)| db.iter().map(move |entry| (database, entry)))
            .filter(|(database, entry)| filter.takes(*database, entry))
    }

    fn libraries(&self, filter: &Filter) -> &[Vec<u8>] {
        if filter.skip_functions { &[] } else { self.engine.libraries.codes() }
    }

    /// Writes the keys that the filter takes. `version` is that of RDB files, the lowest of today that loses nothing if
    /// none is named.
    pub fn write(
        &self,
        target: &Path,
        format: Format,
        version: Option<Version>,
        filter: &Filter,
    ) -> Result<Summary, ExportError> {
        if target.symlink_metadata().is_ok() {
            return Err(ExportError::Occupied(target.to_owned()));
        }
        let mut summary = self.plan(format, version, filter)?;
        let failed = |error: io::Error| ExportError::Target { path: target.to_owned(), reason: error.to_string() };
        let under_way = UnderWay::create(target, format == Format::Aof).map_err(failed)?;
        let written = match format {
            Format::Aof => self.aof(&under_way.path, filter, &summary),
            Format::Rdb => self.rdb(&under_way.file, filter, &summary, false),
            Format::Json => self.json(&under_way.file, filter),
        };
        let finished = written.and_then(|bytes| {
            rename_new(&under_way.path, target)?;
            File::open(parent(target))?.sync_all()?;
            Ok(bytes)
        });
        match finished {
            Ok(bytes) => {
                summary.bytes = bytes;
                Ok(summary)
            }
            Err(error) => {
                under_way.abandon();
                Err(failed(error))
            }
        }
    }

    /// What will be written, and whether the version can express it.
    fn plan(&self, format: Format, asked: Option<Version>, filter: &Filter) -> Result<Summary, ExportError> {
        let mut summary = Summary { offset: self.offset, ..Summary::default() };
        let (mut timed, mut streams) = (0, [0, 0]);
        for (_, entry) in self.entries(filter) {
            summary.keys.add(entry.kind());
            match entry.value() {
                Value::Hash(hash) if hash.next_expiry().is_some() => timed += 1,
                value @ Value::Stream(_) => streams[usize::from(serial::needed_version(value) > Version::V10)] += 1,
                _ => {}
            }
        }
        if filter.skip_functions || format == Format::Json {
            summary.skipped_functions = self.engine.libraries.len() as u64;
        }
        if format == Format::Json {
            return Ok(summary);
        }
        let version = asked.unwrap_or(if timed > 0 { Version::V12 } else { Version::V11 });
        if timed > 0 && version < Version::V12 {
            return Err(ExportError::Version { version, hashes: timed });
        }
        let libraries = self.libraries(filter).len();
        if version < Version::V10 && libraries > 0 {
            return Err(ExportError::Functions { version, libraries });
        }
        summary.version = Some(version);
        summary.lossy_streams = match version {
            Version::V9 => streams[0] + streams[1],
            Version::V10 => streams[1],
            _ => 0,
        };
        Ok(summary)
    }

    fn rdb(&self, file: &File, filter: &Filter, summary: &Summary, is_base: bool) -> io::Result<u64> {
        let version = summary.version.unwrap_or(Version::V11);
        let mut writer = Writer::new(file, Options { version, compress: true, checksum: true });
        let mut write = |event: &Event<'_>| writer.write(event).map_err(io_error);
        let created = (self.engine.clock.wall_ms() / 1000).to_string();
        let base = if is_base { "1" } else { "0" };
        for (name, value) in [("redis-ver", "7.2.4"), ("redis-bits", "64"), ("ctime", &created), ("aof-base", base)] {
            write(&Event::Aux { name: name.as_bytes(), value: value.as_bytes() })?;
        }
        for library in self.libraries(filter) {
            write(&Event::Function(library))?;
        }
        let mut selected = None;
        for (database, entry) in self.entries(filter) {
            if selected != Some(database) {
                selected = Some(database);
                write(&Event::Database(database as u64))?;
                let mut sizes = (0, 0);
                for entry in self.engine.dbs[database].iter().filter(|entry| filter.takes(database, entry)) {
                    sizes = (sizes.0 + 1, sizes.1 + u64::from(entry.expiry().is_some()));
                }
                write(&Event::Sizes { keys: sizes.0, expiring: sizes.1 })?;
            }
            serial::events(entry, &mut write)?;
        }
        write(&Event::End { checked: true })?;
        file.sync_all()?;
        Ok(file.metadata()?.len())
    }

    /// As Redis 7 makes it when it rewrites its own.
    fn aof(&self, path: &Path, filter: &Filter, summary: &Summary) -> io::Result<u64> {
        let base = File::create_new(path.join("appendonly.aof.1.base.rdb"))?;
        let bytes = self.rdb(&base, filter, summary, true)?;
        let write = |name: &str, text: &str| {
            let mut file = File::create_new(path.join(name))?;
            file.write_all(text.as_bytes())?;
            file.sync_all()
        };
        write("appendonly.aof.1.incr.aof", "")?;
        let manifest = "file appendonly.aof.1.base.rdb seq 1 type b\nfile appendonly.aof.1.incr.aof seq 1 type i\n";
        write("appendonly.aof.manifest", manifest)?;
        File::open(path)?.sync_all()?;
        Ok(bytes)
    }

    fn json(&self, file: &File, filter: &Filter) -> io::Result<u64> {
        let mut out = BufWriter::new(file);
        for (database, entry) in self.entries(filter) {
            lines::write(&mut out, database, entry)?;
        }
        out.flush()?;
        drop(out);
        file.sync_all()?;
        Ok(file.metadata()?.len())
    }
}

/// Renames, unless there is something of that name by now.
fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    use rustix::io::Errno;
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // The file system cannot do that in one step.
        Err(Errno::INVAL | Errno::NOSYS) => fs::rename(from, to),
        other => Ok(other?),
    }
}

fn io_error(error: WriteError) -> io::Error {
    match error {
        WriteError::Io(error) => error,
        other => io::Error::other(other),
    }
}
