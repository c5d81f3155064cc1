//! A wall clock that jumps, for one server: libfaketime, which stands between it and the system's clock.

use std::io;
use std::path::{Path, PathBuf};

use fastrand::Rng;

use super::server::Program;

/// Where distributions put it.
const PLACES: &[&str] = &[
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1",
    "/usr/lib64/faketime/libfaketime.so.1",
    "/usr/lib/faketime/libfaketime.so.1",
];

/// The most that the clock is off, in seconds.
pub const FARTHEST: i64 = 120;

/// By how much a server's clock is off; it reads that from a file.
#[derive(Debug)]
pub struct Skew {
    library: PathBuf,
    file: PathBuf,
}

impl Skew {
    /// A clock that is right.
    pub fn new(beside: &Path) -> io::Result<Self> {
        let library = PLACES.iter().map(PathBuf::from).find(|place| place.exists()).ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::NotFound,
                "libfaketime is not installed (Debian: apt-get install libfaketime)",
            )
        })?;
        let skew = Self { library, file: beside.join("clock") };
        std::fs::write(&skew.file, "+0\n")?;
        Ok(skew)
    }

    /// The program with this clock.
    pub fn around(&self, program: &Program) -> Program {
        let mut program = program.clone();
        let text = |path: &Path| path.to_string_lossy().into_owned();
        let mut set = |name: &str, value: String| program.environment.push((name.into(), value));
        set("LD_PRELOAD", text(&self.library));
        set("FAKETIME_TIMESTAMP_FILE", text(&self.file));
        set("FAKETIME_NO_CACHE", "1".into());
        // Timers go on: only the wall clock jumps.
        set("DONT_FAKE_MONOTONIC", "1".into());
        program
    }

    /// Jumps, forward or back.
    pub fn jump(&self, rng: &mut Rng) {
        let seconds = rng.i64(-FARTHEST..=FARTHEST);
        // A file that cannot be written leaves the clock as it is, which the next round sees.
        let _ = std::fs::write(&self.file, format!("{seconds:+}\n"));
    }
}
