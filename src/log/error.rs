//! What can go wrong in the log, as data: the file, the place in it, the cause, and what to do next.
//!
//! Errors are cheap to clone: the first failure of a log is handed to every later caller.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::manifest::ManifestFault;

/// An error of the log.
#[derive(Clone, Debug, thiserror::Error)]
pub enum LogError {
    /// An operation on a file failed.
    #[error("cannot {what} {}{}: {source}", file.display(), at(*offset))]
    Io {
        /// What was tried, as a verb.
        what: &'static str,
        /// The file or directory.
        file: PathBuf,
        /// The place in the file, where there is one.
        offset: Option<u64>,
        /// What the system said.
        source: Arc<io::Error>,
    },
    /// Another server uses the directory.
    #[error("{} is in use by another server{}: stop it first, or choose another directory", directory.display(), holder(*pid))]
    Locked {
        /// The data directory.
        directory: PathBuf,
        /// Process id of the holder, if it could be read.
        pid: Option<u32>,
    },
    /// The data on disk do not verify; nothing was changed.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The data are sound, and the settings do not allow them; nothing was changed.
    #[error("refusing to start: {}: {reason}. Nothing was changed", file.display())]
    Setting {
        /// The file.
        file: PathBuf,
        /// What to set.
        reason: String,
    },
    /// The receiver of the recovered frames could not apply one.
    #[error(
        "refusing to start: the frame at byte {position} of {} (stream offset {offset}) is intact but cannot be applied: \
         {cause}. `ackd repair` says what can be kept. Nothing was changed",
        file.display()
    )]
    Apply {
        /// The segment.
        file: PathBuf,
        /// Where the frame begins in the file.
        position: u64,
        /// Stream offset of its payload.
        offset: u64,
        /// What the receiver said.
        cause: String,
    },
    /// The segments at hand do not take a frame of this size: prepare one first. Nothing was written.
    #[error("the log has room for a frame of {room} bytes, and {needed} are needed")]
    NoRoom {
        /// Payload bytes asked for.
        needed: u64,
        /// Payload bytes that one frame can have at most.
        room: u64,
    },
    /// The log has failed before, and nothing that it says later can be trusted.
    #[error("the log has failed and takes no more writes: {0}")]
    Failed(Arc<LogError>),
    /// What a start had read was no longer there when it was to be made durable: the cache had shown it, and the medium
    /// does not have it. The next start sees what there is.
    #[error("{} holds less than at first reading: the cache showed stream bytes up to {read}, and now only {found} are there; start again", directory.display())]
    Vanished {
        /// The folder of the log.
        directory: PathBuf,
        /// Stream offset up to which the log was read and applied.
        read: u64,
        /// Stream offset up to which it is there now.
        found: u64,
    },
    /// A write or a sync was abandoned half-way, so what the file holds is unknown.
    #[error("the {what} of {}{} was abandoned half-way", file.display(), at(*offset))]
    Abandoned {
        /// What was abandoned.
        what: &'static str,
        /// The segment.
        file: PathBuf,
        /// Where the frame was to begin.
        offset: Option<u64>,
    },
    /// The log was shut down.
    #[error("the log is closed")]
    Closed,
    /// A segment, or MANIFEST, could not be made.
    #[error(transparent)]
    Spare(#[from] SpareError),
}

/// A segment or a MANIFEST could not be made. Not final: what was begun is discarded, and it can be tried again.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SpareError {
    /// The file system is full, or a quota is used up. Goes away when there is space again.
    #[error("no space for a new log segment of {size} bytes: {cause}")]
    OutOfSpace {
        /// Length of the segment.
        size: u64,
        /// What failed.
        cause: Arc<LogError>,
    },
    /// Something else is wrong.
    #[error("cannot make a new log segment of {size} bytes: {cause}")]
    Other {
        /// Length of the segment.
        size: u64,
        /// What failed.
        cause: Arc<LogError>,
    },
}

impl SpareError {
    pub(super) fn new(size: u64, cause: LogError) -> Self {
        let out_of_space = match &cause {
            LogError::Io { source, .. } => matches!(
                source.kind(),
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
            ),
            _ => false,
        };
        let cause = Arc::new(cause);
        if out_of_space { Self::OutOfSpace { size, cause } } else { Self::Other { size, cause } }
    }
}

/// A start that is refused because the data do not verify.
#[derive(Clone, Debug, thiserror::Error)]
#[error(
    "refusing to start: {} at byte {position}: {cause}{}. Nothing was changed",
    file.display(), advice(cause, *consequence)
)]
pub struct Refusal {
    /// The file that does not verify.
    pub file: PathBuf,
    /// Where in it.
    pub position: u64,
    /// What is wrong there.
    pub cause: Cause,
    /// What a repair would keep and lose, where the log was read far enough to know.
    pub consequence: Option<Consequence>,
}

impl Refusal {
    /// Without what a repair would do, for who is about to say that.
    pub fn without_consequence(self) -> Self {
        Self { consequence: None, ..self }
    }

    /// The refusal of a start for which no snapshot could be used, the newest for this reason, and then not the log.
    pub fn without_snapshot(self, newest: &Path, fault: String) -> Self {
        let log = format!("{} at byte {}: {}", self.file.display(), self.position, self.cause);
        Self { file: newest.to_owned(), position: 0, cause: Cause::Snapshot { fault, log }, ..self }
    }
}

/// What is wrong at the place that a [`Refusal`] names.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Cause {
    /// Bytes below the durable offset are not what was written.
    #[error("damaged below the durable offset ({0})")]
    Damaged(String),
    /// Intact frames stand behind damage that they prove to have been durable.
    #[error("damaged ({0}), and intact frames behind it prove that it was on disk")]
    Covered(String),
    /// A frame was intact when it was read first, and then was not: the cache had shown what the disk does not hold.
    #[error("the start frame was intact when it was read first, and is not any more ({0}): start again")]
    Vanished(String),
    /// A frame is intact and does not follow the one before it.
    #[error("the chain of frames is broken: {0}")]
    BrokenChain(String),
    /// A frame or segment asks for a newer version of ackd.
    #[error("{0}: use the version of ackd that wrote it, or a newer one")]
    Unsupported(String),
    /// A file that MANIFEST lists is not there.
    #[error("the file is listed in MANIFEST and missing")]
    Missing,
    /// A file has another length than MANIFEST says.
    #[error("the file is {found} bytes long, and MANIFEST says {listed}")]
    Length {
        /// Length found.
        found: u64,
        /// Length listed.
        listed: u64,
    },
    /// The file is a segment, but not the one that MANIFEST lists under this name.
    #[error("the file is another segment than the one that MANIFEST lists: it was swapped or replaced")]
    Swapped,
    /// A segment that holds frames is not in MANIFEST.
    #[error(
        "the segment holds frames and is not listed in MANIFEST: MANIFEST is older than the log, or the file is foreign"
    )]
    Unlisted,
    /// There are data and no MANIFEST.
    #[error("there are data here and no MANIFEST")]
    NoManifest,
    /// MANIFEST does not verify.
    #[error("{0}")]
    Manifest(#[from] ManifestFault),
    /// No snapshot can be used, and without one the log cannot be used either.
    #[error("the snapshot cannot be used ({fault}), none older can, and without one the log cannot: {log}")]
    Snapshot {
        /// What is wrong with the newest.
        fault: String,
        /// What is wrong with the log.
        log: String,
    },
    /// The log does not begin where it must.
    #[error("the log begins at stream offset {found}, and its beginning is missing")]
    MissingBeginning {
        /// Stream offset of the first frame.
        found: u64,
    },
}

/// What a repair at the place of a [`Refusal`] would keep and lose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Consequence {
    /// Stream bytes before the damage.
    pub kept: u64,
    /// Stream offset up to which data are known to have been durable or to be there still; not below `kept`.
    pub known: u64,
}

impl std::fmt::Display for Consequence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "`ackd repair` would keep what was written up to stream offset {}", self.kept)?;
        match self.known.saturating_sub(self.kept) {
            0 => Ok(()),
            lost => write!(f, " and lose at least {lost} bytes"),
        }
    }
}

impl LogError {
    /// Whether a file was not there.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }

    /// For [`Result::map_err`] behind an operation on a file.
    pub(super) fn io<'a>(what: &'static str, file: &'a Path) -> impl FnOnce(io::Error) -> Self + 'a {
        move |source| Self::Io { what, file: file.to_owned(), offset: None, source: Arc::new(source) }
    }

    /// The same, with the place in the file.
    pub(super) fn io_at<'a>(what: &'static str, file: &'a Path, at: u64) -> impl FnOnce(io::Error) -> Self + 'a {
        move |source| Self::Io { what, file: file.to_owned(), offset: Some(at), source: Arc::new(source) }
    }
}

fn at(offset: Option<u64>) -> String {
    offset.map(|offset| format!(" at byte {offset}")).unwrap_or_default()
}

/// What to do about a refusal, as a further sentence.
fn advice(cause: &Cause, consequence: Option<Consequence>) -> String {
    match (cause, consequence) {
        // Says it itself.
        (Cause::Unsupported(_), _) => String::new(),
        (_, Some(_)) => told(consequence),
        (_, None) => ". `ackd repair` says what can be kept".to_owned(),
    }
}

/// The consequence as a further sentence.
pub(super) fn told(consequence: Option<Consequence>) -> String {
    consequence.map(|consequence| format!(". {consequence}")).unwrap_or_default()
}

fn holder(pid: Option<u32>) -> String {
    pid.map(|pid| format!(" (process {pid})")).unwrap_or_default()
}
