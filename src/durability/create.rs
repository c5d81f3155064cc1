//! A new data directory whose beginning is a snapshot: what an import, a restore and a repair make.

use std::io::{self, Write};
use std::path::Path;

use super::fork::Output;
use super::snapshot;
use crate::disk::SequentialFile;
use crate::engine::Engine;
use crate::log::{Directory, LogError, Place, SnapshotEntry, snapshot_name};

/// The data could not be written.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// The snapshot.
    #[error("cannot write {file}: {reason}")]
    Snapshot {
        /// Its path.
        file: String,
        /// Why not.
        reason: String,
    },
    /// The directory.
    #[error(transparent)]
    Directory(#[from] LogError),
}

/// Writes an engine's data as the beginning of a directory that is empty but for its lock. All is durable on return. The
/// first byte that a server writes there has the place's offset, which is above 0: what came before it is not kept.
pub async fn create(
    directory: &Directory,
    engine: &mut Engine,
    place: Place,
    progress: &mut dyn FnMut(u64),
) -> Result<u64, CreateError> {
    assert!(place.offset > 0, "only an empty directory begins at offset 0");
    let file = snapshot_name(place.offset, engine.rng.u32(..));
    directory.make_folders().await?;
    let path = directory.snapshot_dir().join(&file);
    let (size, crc) = write(engine, place.offset, &path, progress)
        .map_err(|reason| CreateError::Snapshot { file: path.display().to_string(), reason })?;
    let place = Place { sequence: 0, position: 0, crc: 0, ..place };
    directory.begin_with(SnapshotEntry { file, size, crc, place }, &mut engine.rng).await?;
    Ok(size)
}

fn write(engine: &Engine, offset: u64, path: &Path, progress: &mut dyn FnMut(u64)) -> Result<(u64, u32), String> {
    let file = SequentialFile::create(path).map_err(|error| error.to_string())?;
    let mut output = Telling { file, progress };
    snapshot::write(engine, offset, &mut output)?;
    output.file.finish().map_err(|error| error.to_string())
}

/// Keys between two reports.
const KEYS_A_REPORT: u64 = 4096;

struct Telling<'a> {
    file: SequentialFile,
    progress: &'a mut dyn FnMut(u64),
}

impl Write for Telling<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Output for Telling<'_> {
    fn done(&mut self, keys: u64) {
        if keys.is_multiple_of(KEYS_A_REPORT) {
            (self.progress)(keys);
        }
    }
}
