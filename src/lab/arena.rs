//! Where a server lives during a test: a directory, perhaps on a [volume](super::volume), and what it printed.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use tempfile::TempDir;

use super::drive::wall_ms;
use super::history::Observation;
use super::judge::Finding;
use super::mount::Mount;
use super::server::{Program, Server, StartError, copy};
use super::volume::{Ticks, Volume};

/// A place for one server at a time.
#[derive(Debug)]
pub struct Arena {
    // Unmounted before the directory is removed: fields are dropped in this order.
    mount: Option<(Arc<Volume>, Mount)>,
    data: PathBuf,
    log: PathBuf,
    /// Of the server that was started last.
    pid: Arc<AtomicU32>,
    directory: TempDir,
}

impl Arena {
    /// A directory on the disk.
    pub fn on_disk() -> io::Result<Self> {
        let directory = tempfile::Builder::new().prefix("ackd-lab-").tempdir()?;
        let data = directory.path().join("data");
        std::fs::create_dir(&data)?;
        Ok(Self { mount: None, data, log: directory.path().join("server.log"), pid: Arc::default(), directory })
    }

    /// A directory on a volume.
    pub fn mounted(ticks: Arc<Ticks>) -> io::Result<Self> {
        let mut arena = Self::on_disk()?;
        let volume = Arc::new(Volume::new(ticks));
        let mount = Mount::new(volume.clone(), &arena.data).map_err(|error| {
            let why = format!("cannot mount a FUSE file system on {}: {error}", arena.data.display());
            io::Error::new(error.kind(), why)
        })?;
        arena.mount = Some((volume, mount));
        Ok(arena)
    }

    /// The volume, where there is one.
    pub fn volume(&self) -> Option<&Arc<Volume>> {
        self.mount.as_ref().map(|(volume, _)| volume)
    }

    /// The data directory.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// A place for files that the server does not see.
    pub fn beside(&self) -> &Path {
        self.directory.path()
    }

    /// Puts copies of files in the place of all that is there.
    pub fn fill_from(&self, files: &Path) -> io::Result<()> {
        for entry in std::fs::read_dir(&self.data)? {
            let path = entry?.path();
            if path.is_dir() { std::fs::remove_dir_all(path)? } else { std::fs::remove_file(path)? }
        }
        copy(files, &self.data)
    }

    /// Starts a server here.
    pub fn start(&self, program: &Program) -> Result<Server, StartError> {
        program.start(&self.data, &self.log, &self.pid)
    }

    /// The process of the server that was started last.
    pub fn pid(&self) -> Arc<AtomicU32> {
        self.pid.clone()
    }

    /// Starts a server here, reads all that it holds, and kills it.
    pub fn look(&self, program: &Program) -> io::Result<Looked> {
        look(self.start(program))
    }
}

/// What a server holds, or why it does not serve.
pub type Looked = Result<Observation, Finding>;

/// Reads all that a server holds that was just started, and kills it. An error is one of the lab.
pub fn look(started: Result<Server, StartError>) -> io::Result<Looked> {
    let server = match started {
        Err(error) if error.is_of_the_lab() => return Err(io::Error::other(error)),
        Err(error) => return Ok(Err(Finding::of_start(&error))),
        Ok(server) => server,
    };
    let found = observe(&server);
    // It may have ended by itself; what it answered counts.
    let _ = server.kill();
    Ok(found)
}

/// Reads all that a server holds.
pub fn observe(server: &Server) -> Looked {
    let read = || Observation::read(&mut server.client()?, wall_ms);
    read().map_err(|error| {
        Finding::Crashed(format!("its content cannot be read: {error}; it printed: {}", server.output()))
    })
}
