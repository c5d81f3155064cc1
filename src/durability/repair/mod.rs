//! What can be kept of a directory that a start refuses, and putting it in its place.
//!
//! The data are loaded from the usable snapshot, or the beginning, from which the log can be followed the farthest, and
//! written beside as a directory that begins with a snapshot. The original is only renamed, never changed. What must
//! always hold: at any moment there is the original or the repaired directory under the name, and the other one beside.

mod candidates;
mod swap;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::check;
use super::create::{CreateError, create};
use super::offline;
use super::offline::{Offline, OfflineError, Until};
use super::restore::tally;
use super::tally::Tally;
use crate::disk::{Disk, PortableDisk};
use crate::log::inspect::{Damage, Moment, Report, Salvage};
use crate::log::{Cause, Directory, FrameKind, LogError, SnapshotEntry};
use crate::resp;

use candidates::Candidate;

/// What a directory is called while it is written; the time follows, so that nothing of an earlier repair is in the way.
const ENDING: &str = "repairing";

/// What the original is called afterwards; the time follows.
pub(super) const ASIDE: &str = "damaged";

/// What would be kept and lost.
pub struct Plan {
    /// Why a start is refused.
    pub damage: String,
    /// What is missing or cannot be used.
    pub notes: Vec<String>,
    /// The snapshot with which what is kept begins.
    pub snapshot: Option<SnapshotEntry>,
    /// The end of what is kept.
    pub end: Moment,
    /// The keys there.
    pub keys: Tally,
    /// What is lost.
    pub lost: Lost,
    /// Bytes read.
    pub bytes: u64,
    offline: Offline,
}

impl Plan {
    /// Bytes of the log that were written and are not kept, as far as is known.
    pub fn missing(&self) -> u64 {
        self.lost.known.saturating_sub(self.end.offset)
    }

    /// Whether something is lost, or there is nothing that could be kept.
    pub fn is_lossy(&self) -> bool {
        self.end.offset == 0 || self.missing() > 0
    }
}

/// What stands behind the end of what is kept.
#[derive(Clone, Debug, Default)]
pub struct Lost {
    /// Frames that can still be read.
    pub frames: u64,
    /// Commands in them.
    pub commands: u64,
    /// The first and the last of these frames.
    pub range: Option<(Moment, Moment)>,
    /// The highest stream offset known to have been written.
    pub known: u64,
}

/// What was found.
pub enum Found {
    /// A start succeeds.
    Sound(Box<Report>),
    /// It does not.
    Plan(Box<Plan>),
}

/// Why there is no plan, or it was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum RepairError {
    /// The directory cannot be read.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The data cannot be loaded.
    #[error(transparent)]
    Load(#[from] OfflineError),
    /// A server is at it.
    #[error("{} is in use by a server: stop it first", .0.display())]
    InUse(PathBuf),
    /// A newer version wrote it.
    #[error("{0}. That is no damage")]
    Newer(String),
    /// The repaired data cannot be written.
    #[error(transparent)]
    Create(#[from] CreateError),
    /// What was written does not verify.
    #[error("what was written to {} does not verify: {reason}. The original is as it was", path.display())]
    Unsound {
        /// Where it is.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A file operation failed.
    #[error("cannot {what} {}: {reason}", path.display())]
    Files {
        /// What was tried, as a verb.
        what: &'static str,
        /// With what.
        path: PathBuf,
        /// Why not.
        reason: std::io::Error,
    },
}

/// Says what can be kept; only reads.
pub fn plan(directory: &Path, progress: &mut dyn FnMut(u64, u64)) -> Result<Found, RepairError> {
    let report = check::check(directory, &mut |done| progress(done.bytes, done.total))?;
    if report.in_use.is_some_and(|holder| holder.pid != Some(std::process::id())) {
        return Err(RepairError::InUse(directory.to_owned()));
    }
    let damage = match &report.damage {
        Some(Damage::Refused(refusal)) if matches!(refusal.cause, Cause::Unsupported(_)) => {
            return Err(RepairError::Newer(Damage::Refused(refusal.clone()).to_string()));
        }
        Some(Damage::Refused(refusal)) => Damage::Refused(refusal.clone().without_consequence()).to_string(),
        Some(damage) => damage.to_string(),
        // Frames that are intact and cannot be applied are only found by applying them.
        None => match offline::load(directory, Until::End, progress) {
            Err(error @ OfflineError::Apply { .. }) => error.to_string(),
            other => {
                other?;
                return Ok(Found::Sound(Box::new(report)));
            }
        },
    };
    let salvage = Salvage::open(directory)?;
    let mut notes = salvage.notes.clone();
    let (candidate, offline) = load(directory, &salvage, &mut notes, progress)?;
    let end = Moment::from(offline.place);
    let (keys, bytes) = (tally(&offline.engine), offline.bytes);
    let lost = lost(&salvage, end.offset);
    Ok(Found::Plan(Box::new(Plan { damage, notes, snapshot: candidate.snapshot, end, keys, lost, bytes, offline })))
}

/// The data from the best candidate that can be loaded.
fn load(
    directory: &Path,
    salvage: &Salvage,
    notes: &mut Vec<String>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<(Candidate, Offline), RepairError> {
    for candidate in candidates::candidates(directory, salvage, notes) {
        match try_candidate(directory, salvage, &candidate, Until::End, progress) {
            Ok(offline) => return Ok((candidate, offline)),
            Err(Unloaded::Apply { offset, why }) => {
                notes.push(why);
                // A part of that frame may have been applied: anew, up to before it.
                let until = Until::Offset(offset);
                if let Ok(offline) = try_candidate(directory, salvage, &candidate, until, progress) {
                    return Ok((candidate, offline));
                }
            }
            Err(Unloaded::Snapshot(why)) => notes.push(why),
            Err(Unloaded::Other(error)) => return Err(error.into()),
        }
    }
    Ok((Candidate::NOTHING, Offline::empty()?))
}

/// Why a candidate is of no use.
enum Unloaded {
    Snapshot(String),
    Apply { offset: u64, why: String },
    Other(OfflineError),
}

fn try_candidate(
    directory: &Path,
    salvage: &Salvage,
    candidate: &Candidate,
    until: Until,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Offline, Unloaded> {
    let mut offline = Offline::empty().map_err(Unloaded::Other)?;
    if let Some(snapshot) = &candidate.snapshot {
        let loaded = offline.snapshot(directory, snapshot, progress);
        loaded.map_err(|why| Unloaded::Snapshot(format!("the snapshot {}: {why}", snapshot.file)))?;
    }
    let Some(chain) = salvage.chain(candidate.place) else { return Ok(offline) };
    match offline.frames(&chain, candidate.place, until, progress) {
        Ok(()) => Ok(offline),
        Err(OfflineError::Apply { offset, cause }) => {
            let why = OfflineError::Apply { offset, cause }.to_string();
            Err(Unloaded::Apply { offset, why })
        }
        Err(other) => Err(Unloaded::Other(other)),
    }
}

fn lost(salvage: &Salvage, end: u64) -> Lost {
    let mut lost = Lost { known: salvage.manifest().map_or(0, |m| m.durable).max(end), ..Lost::default() };
    let mut frames = BTreeMap::new();
    for (frame, _) in salvage.intact() {
        let header = frame.header;
        lost.known = lost.known.max(header.durable).max(header.end_offset());
        if header.kind == FrameKind::Effects && header.end_offset() > end {
            let commands = resp::commands(frame.payload).map_while(Result::ok);
            let is_one = |words: &[&[u8]]| !matches!(words.first(), Some(&(b"SELECT" | b"MULTI" | b"EXEC")));
            let count = commands.filter(|command| is_one(&command.arguments)).count() as u64;
            let moment = |offset| Moment { offset, wall_ms: header.wall_ms };
            // A position in the stream may have been written twice, when an earlier start cut it off.
            frames.insert(header.offset, (count, moment(header.offset), moment(header.end_offset())));
        }
    }
    lost.frames = frames.len() as u64;
    lost.commands = frames.values().map(|(commands, ..)| commands).sum();
    let first = frames.first_key_value().map(|(_, (_, first, _))| *first);
    let last = frames.last_key_value().map(|(_, (.., last))| *last);
    lost.range = first.zip(last);
    lost
}

/// A repair that was carried out.
pub struct Repaired {
    /// What was kept and lost.
    pub plan: Plan,
    /// Where the original is.
    pub aside: PathBuf,
}

/// Plans, and carries it out; keeps every server out meanwhile.
pub async fn repair(
    directory: &Path,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Result<Repaired, Box<Report>>, RepairError> {
    let directory = &directory.canonicalize().map_err(|reason| files("find", directory, reason))?;
    let disk: Rc<dyn Disk> = Rc::new(PortableDisk::new());
    let original = Directory::open(disk.clone(), directory).await?;
    let mut plan = match plan(directory, progress)? {
        Found::Sound(report) => return Ok(Err(report)),
        Found::Plan(plan) => *plan,
    };
    let names = swap::Names::new(directory);
    let written = async {
        if plan.end.offset == 0 {
            // Without anything in it, so that something can be imported there.
            std::fs::create_dir(&names.under_way).map_err(|reason| files("create", &names.under_way, reason))?;
            return Ok(None);
        }
        let repaired = Directory::open(disk, &names.under_way).await?;
        create(&repaired, &mut plan.offline.engine, plan.offline.place, &mut |_| {}).await?;
        verify(&names.under_way, plan.end.offset)?;
        Ok(Some(repaired))
    };
    let repaired = match written.await {
        Ok(repaired) => repaired,
        Err(error) => {
            let _ = std::fs::remove_dir_all(&names.under_way);
            return Err(error);
        }
    };
    names.swap()?;
    // Until here no server may have either.
    drop((original, repaired));
    Ok(Ok(Repaired { plan, aside: names.aside }))
}

fn verify(path: &Path, end: u64) -> Result<(), RepairError> {
    let report = check::check(path, &mut |_| {})?;
    let unsound = |reason: String| RepairError::Unsound { path: path.to_owned(), reason };
    if let Some(damage) = report.damage {
        return Err(unsound(damage.to_string()));
    }
    if let Some(warning) = report.warnings.first() {
        return Err(unsound(warning.clone()));
    }
    let found = report.kept.map_or(0, |kept| kept.newest.offset);
    if found == end { Ok(()) } else { Err(unsound(format!("it ends at offset {found} and not at {end}"))) }
}

fn files(what: &'static str, path: &Path, reason: std::io::Error) -> RepairError {
    RepairError::Files { what, path: path.to_owned(), reason }
}
