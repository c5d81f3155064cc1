//! The server as a process among others: background, pid file, and the word to a supervisor.

use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

use crate::engine::config::{Config, Supervised};

/// Where Redis puts the pid of a server in the background that names no pid file.
const DEFAULT_PID_FILE: &str = "/var/run/redis.pid";

/// Detaches from the terminal (`daemonize yes`). To be called before any thread is started.
pub fn daemonize() -> io::Result<()> {
    // SAFETY: no other thread exists yet, so the child's memory is consistent; the working directory is kept.
    match unsafe { libc::daemon(1, 0) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// A file that holds this process' id for as long as it exists.
pub struct PidFile(Option<PathBuf>);

impl PidFile {
    /// Writes the file that the settings ask for. That it cannot be written is a warning, as in Redis.
    pub fn write(config: &Config) -> Self {
        let path = match (config.pidfile(), config.daemonize()) {
            ("", false) => return Self(None),
            ("", true) => DEFAULT_PID_FILE,
            (path, _) => path,
        };
        match std::fs::write(path, format!("{}\n", std::process::id())) {
            Ok(()) => Self(Some(path.into())),
            Err(error) => {
                tracing::warn!("Failed to write PID file {path}: {error}");
                Self(None)
            }
        }
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        if let Some(path) = &self.0 {
            // Somebody may have removed it already; nothing depends on it.
            let _ = std::fs::remove_file(path);
        }
    }
}

/// Tells systemd that the server is ready, if it is supervised by it.
pub fn notify_ready(config: &Config) {
    if !matches!(config.supervised(), Supervised::Systemd | Supervised::Auto) {
        return;
    }
    let Some(socket) = std::env::var_os("NOTIFY_SOCKET") else { return };
    let sent = UnixDatagram::unbound()
        .and_then(|from| from.send_to(b"READY=1\nSTATUS=Ready to accept connections\n", Path::new(&socket)));
    if let Err(error) = sent {
        tracing::warn!("cannot tell systemd that the server is ready: {error}");
    }
}
