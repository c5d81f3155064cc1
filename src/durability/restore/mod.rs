//! A new data directory with the data as they were at an earlier point.
//!
//! They are loaded as [`offline`] loads them, also beside a running server, and written as a directory that begins with a
//! snapshot; the source is not changed.

mod search;

use std::path::Path;

use super::beside::{Beside, BesideError};
use super::create::{CreateError, create};
use super::offline::{self, Offline, OfflineError, Until};
use super::tally::Tally;
use crate::base::calendar::utc;
use crate::engine::Engine;
use crate::log::inspect::{Damage, Inspection, Kept, Moment};
use crate::log::{LogError, SnapshotEntry};

pub use search::{MATCHES_TOLD, Match, Matches};

/// What a directory is called while it is written.
pub const ENDING: &str = ".restoring";

/// The point to go back to.
#[derive(Clone, Debug)]
pub enum Point {
    /// This stream offset.
    Offset(u64),
    /// Just before this time, in milliseconds since the Unix epoch.
    TimeMs(u64),
    /// Just before the last command that matches a pattern, and the transaction that it is part of.
    Before(Vec<u8>),
}

/// What was done.
pub struct Summary {
    /// Where the data stand.
    pub at: Moment,
    /// The keys.
    pub keys: Tally,
    /// The offset that was asked for, if it is none at which a command or transaction ends.
    pub inside: Option<u64>,
    /// The commands that the pattern matched.
    pub matches: Option<Matches>,
    /// Snapshots that could not be used, and why.
    pub unusable: Vec<(SnapshotEntry, String)>,
    /// What is wrong behind the point.
    pub damage: Option<Damage>,
    /// Bytes read.
    pub bytes: u64,
}

/// Why nothing was made.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The source cannot be read.
    #[error(transparent)]
    Source(#[from] OfflineError),
    /// The point is not in what is kept.
    #[error("{asked} is {place}: {}", kept_in_words(.kept))]
    NotKept {
        /// What was asked for.
        asked: String,
        /// On which side.
        place: &'static str,
        /// The range, if there is any.
        kept: Option<Kept>,
    },
    /// The log is damaged before the point.
    #[error(
        "{damage}. Nothing behind it can be restored; the last state before it is that of offset {last}: --to-offset {last}"
    )]
    Damaged {
        /// What is wrong.
        damage: Damage,
        /// The last offset before it.
        last: u64,
    },
    /// No command matches.
    #[error("no command in what is kept matches {pattern:?}: {}{}", kept_in_words(.kept), unseen(.damage))]
    NoMatch {
        /// The pattern.
        pattern: String,
        /// The range, if there is any.
        kept: Option<Kept>,
        /// Behind which one would not have been seen.
        damage: Option<Box<Damage>>,
    },
    /// The directory cannot be made.
    #[error(transparent)]
    Beside(#[from] BesideError),
    /// The data cannot be written.
    #[error(transparent)]
    Create(#[from] CreateError),
}

impl From<LogError> for RestoreError {
    fn from(error: LogError) -> Self {
        Self::Source(error.into())
    }
}

fn kept_in_words(kept: &Option<Kept>) -> String {
    match kept {
        Some(kept) => format!("kept is {kept}"),
        None => "nothing is kept".to_owned(),
    }
}

fn unseen(damage: &Option<Box<Damage>>) -> String {
    damage
        .as_ref()
        .map(|damage| format!("; and one behind this damage would not be seen: {damage}"))
        .unwrap_or_default()
}

/// Makes a directory `target` of the data in `directory` at a point; `progress` is told how many bytes of how many were read.
pub async fn restore(
    directory: &Path,
    target: &Path,
    point: &Point,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Summary, RestoreError> {
    let beside = Beside::create(target, ENDING).await?;
    match write(directory, &beside, point, progress).await {
        Ok(summary) => {
            beside.finish()?;
            Ok(summary)
        }
        Err(error) => {
            beside.abandon();
            Err(error)
        }
    }
}

async fn write(
    directory: &Path,
    beside: &Beside,
    point: &Point,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Summary, RestoreError> {
    let mut matches = None;
    let until = match point {
        Point::Offset(offset) => Until::Offset(*offset),
        Point::TimeMs(ms) => {
            let oldest = Inspection::open(directory, 0)?.oldest();
            if oldest.is_none_or(|oldest| *ms <= oldest.wall_ms) {
                return Err(not_kept(directory, point, "before what is kept"));
            }
            Until::TimeMs(*ms)
        }
        Point::Before(pattern) => {
            let found = search::search(directory, pattern)?;
            let Some(last) = found.told.last() else {
                let pattern = String::from_utf8_lossy(pattern).into_owned();
                return Err(RestoreError::NoMatch {
                    pattern,
                    kept: kept(directory),
                    damage: found.damage.map(Box::new),
                });
            };
            let until = Until::Offset(last.unit_offset);
            matches = Some(found);
            until
        }
    };
    let mut offline = match offline::load(directory, until, progress) {
        Err(OfflineError::NotKept(_)) => return Err(not_kept(directory, point, "before what is kept")),
        other => other?,
    };
    let inside = judge(directory, point, until, &mut offline)?;
    let Offline { mut engine, place, damage, unusable, bytes, .. } = offline;
    let damage = damage.map(Damage::without_consequence);
    let keys = tally(&engine);
    if place.offset == 0 {
        // As a new directory: nothing was written yet.
        beside.directory.make_folders().await?;
    } else {
        create(&beside.directory, &mut engine, place, &mut |_| {}).await?;
    }
    Ok(Summary { at: place.into(), keys, inside, matches, unusable, damage, bytes })
}

/// Whether what was loaded is what was asked for; the offset asked for, if it is inside of something.
fn judge(directory: &Path, point: &Point, until: Until, offline: &mut Offline) -> Result<Option<u64>, RestoreError> {
    let reached = offline.place.offset;
    let is_short = match until {
        Until::Offset(offset) => reached < offset,
        Until::TimeMs(_) | Until::End => true,
    };
    if offline.is_end && is_short {
        if let Some(damage) = offline.damage.take() {
            return Err(RestoreError::Damaged { damage: damage.without_consequence(), last: reached });
        }
        if matches!(until, Until::Offset(_)) {
            return Err(not_kept(directory, point, "behind the end of the log"));
        }
    }
    Ok(match point {
        Point::Offset(offset) if reached < *offset && !offline.is_exact => Some(*offset),
        _ => None,
    })
}

fn not_kept(directory: &Path, point: &Point, place: &'static str) -> RestoreError {
    let asked = match point {
        Point::Offset(offset) => format!("stream offset {offset}"),
        Point::TimeMs(ms) => utc(*ms),
        Point::Before(pattern) => format!("{:?}", String::from_utf8_lossy(pattern)),
    };
    RestoreError::NotKept { asked, place, kept: kept(directory) }
}

fn kept(directory: &Path) -> Option<Kept> {
    Inspection::open(directory, 0).ok()?.kept()
}

/// The keys of an engine by type.
pub(super) fn tally(engine: &Engine) -> Tally {
    let mut tally = Tally::default();
    for entry in engine.dbs.iter().flat_map(|db| db.iter()) {
        tally.add(entry.kind());
    }
    tally
}
