//! The server as a process among others: background, pid file, and the word to a supervisor.

use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

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

/// From here on a panic, of whatever task or thread, ends the process at once: a server of which a part has stopped
/// would go on answering. What was acknowledged is in the log.
pub fn abort_on_panic() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        report(info);
        tracing::error!("ackd has met a bug and stops: {info}");
        std::process::abort();
    }));
}

/// Turns transparent huge pages off for this process: a write to one, while a copy of the process writes a snapshot, would
/// copy two megabytes.
pub fn disable_huge_pages() {
    // SAFETY: a system call that only sets an attribute of this process.
    if unsafe { libc::prctl(libc::PR_SET_THP_DISABLE, 1_u64, 0_u64, 0_u64, 0_u64) } != 0 {
        tracing::warn!(
            "transparent huge pages cannot be turned off ({}): snapshots under load may take much memory; \
             'echo madvise > /sys/kernel/mm/transparent_hugepage/enabled' helps",
            std::io::Error::last_os_error()
        );
    }
}

/// Whether the process of this id has been told to end for good, and the system is taking it apart.
pub fn is_ending(pid: u32) -> bool {
    const PF_EXITING: u32 = 4;
    let Ok(text) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else { return false };
    // The name, in brackets, may hold anything; the flags are the seventh word behind it.
    let words = text.rsplit(')').next().unwrap_or_default();
    let flags = words.split_whitespace().nth(6).and_then(|word| word.parse::<u32>().ok());
    flags.is_some_and(|flags| flags & PF_EXITING != 0)
}

/// What to know of storage that writes elsewhere than it was told, if `directory` lies on such: then overwriting a
/// preallocated segment needs space too, so a full disk is noticed later than promised.
pub fn copy_on_write_warning(directory: &Path) -> Option<String> {
    const KINDS: [(u64, &str); 3] = [(0x9123_683e, "btrfs"), (0x2fc1_2fc1, "ZFS"), (0xca45_1a4e, "bcachefs")];
    let kind = rustix::fs::statfs(directory).ok()?.f_type as u64;
    let (_, name) = KINDS.into_iter().find(|(number, _)| *number == kind)?;
    Some(format!(
        "{} lies on {name}, which writes copies: overwriting a preallocated segment needs space too, and a write can \
         meet a full disk after it was admitted; the log stops the server then, and nothing acknowledged is lost",
        directory.display()
    ))
}

/// Descriptors that the server needs besides one a client: log, sockets, ring, standard streams.
const RESERVED_DESCRIPTORS: u64 = 64;

/// Raises the limit of open files to what `maxclients` needs; where that is not allowed, lowers `maxclients`.
pub fn fit_descriptors(config: &mut Config) {
    if let Err(clients) = raise_descriptors(config.maxclients()) {
        tracing::warn!("the limit of open files allows maxclients {clients}; raise 'ulimit -n' for more");
        if let Err(error) = config.set(&[(b"maxclients", clients.to_string().as_bytes())], true) {
            tracing::warn!("{error}");
        }
    }
}

/// Raises the limit of open files, if need be, to what so many clients need. Where that is not allowed, answers how
/// many are possible.
pub fn raise_descriptors(clients: usize) -> Result<(), u64> {
    let wanted = clients as u64 + RESERVED_DESCRIPTORS;
    let present = getrlimit(Resource::Nofile);
    if present.current.is_none_or(|current| current >= wanted) {
        return Ok(());
    }
    let possible = present.maximum.map_or(wanted, |maximum| maximum.min(wanted));
    let raised = [
        Rlimit { current: Some(wanted), maximum: present.maximum.map(|maximum| maximum.max(wanted)) },
        Rlimit { current: Some(possible), ..present },
    ]
    .into_iter()
    .find(|limit| setrlimit(Resource::Nofile, *limit).is_ok());
    let current = raised.unwrap_or(present).current.unwrap_or(wanted);
    if current < wanted { Err(current.saturating_sub(RESERVED_DESCRIPTORS).max(1)) } else { Ok(()) }
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
        match std::fs::write(path, format!("{}\n", own_pid())) {
            Ok(()) => Self(Some(path.into())),
            Err(error) => {
                tracing::warn!("Failed to write PID file {path}: {error}");
                Self(None)
            }
        }
    }
}

fn own_pid() -> String {
    std::process::id().to_string()
}

impl Drop for PidFile {
    fn drop(&mut self) {
        let is_ours = |path: &Path| std::fs::read_to_string(path).is_ok_and(|text| text.trim() == own_pid());
        if let Some(path) = self.0.as_deref().filter(|path| is_ours(path)) {
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
