//! The data of a directory without a server: for export, restore and repair, also beside a running server.
//!
//! The way is that of a start: the newest snapshot that can be used, and the log behind it, with the same verdict at its end.
//! But it can stop at any point before, and damage is told instead of being the end. Nothing on disk is changed.

use std::path::Path;
use std::rc::Rc;

use super::snapshot::{Loader, Policy};
use crate::base::clock::SystemClock;
use crate::command::apply::Applier;
use crate::disk::Mapped;
use crate::engine::Engine;
use crate::engine::config::{Config, Reader};
use crate::log::inspect::{Damage, Inspection};
use crate::log::reader::FrameAt;
use crate::log::{FrameKind, LogError, Place, SnapshotEntry};
use crate::rdb;
use crate::resp;

/// How often the loading from a directory that changes meanwhile is tried.
const ATTEMPTS: u32 = 5;

/// Frames, or lots of keys, between two reports.
const REPORT_EVERY: u64 = 64;

/// Keys of a snapshot loaded between two reports.
const KEYS_A_REPORT: u64 = 4096;

/// Up to where the data are wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Until {
    /// The end of the log.
    #[default]
    End,
    /// The last command, or transaction, that ends at or before this stream offset.
    Offset(u64),
    /// The last frame written before this time, in milliseconds since the Unix epoch.
    TimeMs(u64),
}

impl Until {
    /// Whether a state that ends at this place may be gone on from.
    fn reaches(self, place: &Place) -> bool {
        match self {
            Self::End => true,
            Self::Offset(offset) => place.offset <= offset,
            Self::TimeMs(ms) => place.wall_ms < ms,
        }
    }
}

/// The data could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum OfflineError {
    /// The directory cannot be read.
    #[error("{0}")]
    Directory(String),
    /// The point that was asked for lies before what is kept.
    #[error("what is kept begins at stream offset {0}, behind what was asked for")]
    NotKept(u64),
    /// A frame is intact and its effects cannot be applied.
    #[error("the frame at stream offset {offset} cannot be applied: {cause}")]
    Apply {
        /// Its stream offset.
        offset: u64,
        /// Why.
        cause: String,
    },
}

/// See the module.
pub struct Offline {
    /// The data.
    pub engine: Engine,
    /// The place in the stream where they stand: offset, index, term and time are right.
    pub place: Place,
    /// What is wrong behind that place, or was met on the way to it: then there is no more.
    pub damage: Option<Damage>,
    /// Snapshots that could not be used, and why.
    pub unusable: Vec<(SnapshotEntry, String)>,
    /// Bytes read.
    pub bytes: u64,
    /// Everything was read that can be: a later point is not there.
    pub is_end: bool,
    /// Between that place and the offset asked for nothing changes the data.
    pub is_exact: bool,
}

/// How the reading of frames ended before their end.
enum Stop {
    /// At the point that was asked for.
    There,
    Failed(OfflineError),
}

impl From<LogError> for OfflineError {
    fn from(error: LogError) -> Self {
        Self::Directory(match error {
            LogError::Refused(refusal) => Damage::Refused(refusal).to_string(),
            other => other.to_string(),
        })
    }
}

/// Loads the data as they were; `progress` is told how many bytes of how many were read. A server may remove a snapshot
/// just before it is opened: then it has installed another, and the loading begins anew.
pub fn load(directory: &Path, until: Until, progress: &mut dyn FnMut(u64, u64)) -> Result<Offline, OfflineError> {
    let mut attempt = 1;
    loop {
        let inspection = Inspection::open(directory, 0)?;
        let loaded = load_once(directory, &inspection, until, progress);
        let is_whole = loaded.as_ref().is_ok_and(|offline| offline.unusable.is_empty());
        if is_whole || attempt == ATTEMPTS || !inspection.is_outdated()? {
            return loaded;
        }
        attempt += 1;
    }
}

fn load_once(
    directory: &Path,
    inspection: &Inspection,
    until: Until,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Offline, OfflineError> {
    let snapshots = inspection.manifest().map(|m| m.snapshots.clone()).unwrap_or_default();
    let mut offline = Offline::empty()?;
    let mut behind = None;
    for snapshot in snapshots.iter().rev().filter(|snapshot| until.reaches(&snapshot.place)) {
        match offline.snapshot(directory, snapshot, progress) {
            Ok(()) => {
                behind = Some(snapshot.place);
                break;
            }
            Err(why) => {
                offline.engine.forget_data();
                offline.unusable.push((snapshot.clone(), why));
            }
        }
    }
    if behind.is_none() && !inspection.begins_at_zero() {
        let oldest = snapshots.first().map_or(0, |snapshot| snapshot.place.offset);
        return Err(match offline.unusable.into_iter().next() {
            Some((snapshot, why)) => {
                let path = directory.join("snapshots").join(snapshot.file);
                let what = "no snapshot can be used, and the log does not reach back to its beginning";
                OfflineError::Directory(format!("{}: {why}; {what}", path.display()))
            }
            None => OfflineError::NotKept(oldest),
        });
    }
    offline.frames(inspection, behind, until, progress)?;
    Ok(offline)
}

/// An engine with room for the databases of any server.
pub(super) fn engine() -> Result<Engine, String> {
    let mut config = Config::new();
    let words = [b"databases".to_vec(), b"16384".to_vec()];
    Reader::new(&mut config).command_line(&words).map_err(|error| error.to_string())?;
    Ok(Engine::new(Rc::new(SystemClock::new()), fastrand::Rng::new(), config))
}

impl Offline {
    /// Before anything was loaded.
    pub(super) fn empty() -> Result<Self, OfflineError> {
        Ok(Self {
            engine: engine().map_err(OfflineError::Directory)?,
            place: Place { offset: 0, index: 0, term: 1, wall_ms: 0, sequence: 0, position: 0, crc: 0 },
            damage: None,
            unusable: Vec::new(),
            bytes: 0,
            is_end: false,
            is_exact: false,
        })
    }

    /// Loads a snapshot into an engine without data. After an error it holds a part of it.
    pub(super) fn snapshot(
        &mut self,
        directory: &Path,
        snapshot: &SnapshotEntry,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<(), String> {
        let path = directory.join("snapshots").join(&snapshot.file);
        let map = Mapped::open(&path, snapshot.size).map_err(|error| error.to_string())?;
        if map.bytes().len() as u64 != snapshot.size || crc32fast::hash(map.bytes()) != snapshot.crc {
            return Err("it does not match its checksum".into());
        }
        let reader = rdb::Reader::new(map.bytes()).map_err(|error| error.to_string())?.skip_checksum();
        let mut loader = Loader::new(reader, snapshot.size, &self.engine, Policy::default());
        while loader.advance(&mut self.engine, KEYS_A_REPORT).map_err(|error| error.to_string())? {
            progress(loader.bytes(), snapshot.size);
        }
        if let Some(fault) = map.fault() {
            return Err(format!("it cannot be read at byte {}: {}", fault.offset, fault.cause));
        }
        self.engine.saw_frame_time(snapshot.place.wall_ms);
        self.place = snapshot.place;
        self.bytes += snapshot.size;
        Ok(())
    }

    /// Applies the frames behind a place, up to a point.
    pub(super) fn frames(
        &mut self,
        inspection: &Inspection,
        behind: Option<Place>,
        until: Until,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<(), OfflineError> {
        let first = behind.map_or(0, |place| place.sequence);
        let listed = inspection.segments().iter().filter(|segment| segment.sequence >= first);
        let total = listed.map(|segment| segment.size).sum();
        let mut applier = Applier::default();
        let (mut frames, mut bytes) = (0_u64, 0);
        let read = inspection.read_behind(behind, |frame| {
            frames += 1;
            bytes += frame.header.frame_len();
            if frames.is_multiple_of(REPORT_EVERY) {
                progress(bytes, total);
            }
            self.take(&mut applier, frame, until)
        });
        self.bytes += bytes;
        match read {
            Ok((_, damage)) => {
                self.damage = damage;
                self.is_end = true;
            }
            Err(Stop::There) => {}
            Err(Stop::Failed(error)) => return Err(error),
        }
        Ok(())
    }

    fn take(&mut self, applier: &mut Applier, frame: &FrameAt<'_>, until: Until) -> Result<(), Stop> {
        let header = &frame.header;
        if matches!(until, Until::TimeMs(ms) if header.wall_ms >= ms) {
            return Err(Stop::There);
        }
        let wanted = match until {
            Until::Offset(offset) if offset < header.end_offset() => {
                let most = offset.saturating_sub(header.offset);
                let (end, quiet) = whole_units(frame.payload, most);
                self.is_exact = quiet as u64 == most;
                end
            }
            _ => frame.payload.len(),
        };
        if header.kind == FrameKind::Effects && wanted == 0 && !frame.payload.is_empty() {
            return Err(Stop::There);
        }
        self.engine.saw_frame_time(header.wall_ms);
        if header.kind == FrameKind::Effects {
            let applied = applier.apply(&mut self.engine, &frame.payload[..wanted]);
            applied.map_err(|cause| {
                Stop::Failed(OfflineError::Apply { offset: header.offset, cause: cause.to_string() })
            })?;
        }
        self.place = Place {
            // Only effects take room in the stream.
            offset: if header.kind == FrameKind::Effects { header.offset + wanted as u64 } else { header.offset },
            index: header.index,
            term: header.term,
            wall_ms: header.wall_ms,
            ..self.place
        };
        if header.kind == FrameKind::Effects && wanted < frame.payload.len() { Err(Stop::There) } else { Ok(()) }
    }
}

/// The length of the whole commands and transactions among the first so many bytes of a frame's payload; and the same with
/// what behind them only selects a database.
fn whole_units(payload: &[u8], most: u64) -> (usize, usize) {
    let (mut end, mut quiet) = (0, 0);
    let mut is_open = false;
    let mut commands = resp::commands(payload).map_while(Result::ok).peekable();
    while let Some(command) = commands.next() {
        let name = command.arguments.first().copied().unwrap_or_default();
        match name {
            b"MULTI" => is_open = true,
            b"EXEC" => is_open = false,
            _ => {}
        }
        let behind = commands.peek().map_or(payload.len(), |next| next.at);
        if behind as u64 > most {
            break;
        }
        if !is_open {
            quiet = behind;
            end = if name == b"SELECT" { end } else { behind };
        }
    }
    (end, quiet)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_cut_between_commands_and_transactions() {
        let mut payload = Vec::new();
        let mut ends = Vec::new();
        for words in [
            &["SELECT", "0"][..],
            &["SET", "a", "1"],
            &["MULTI"],
            &["DEL", "a"],
            &["SELECT", "1"],
            &["EXEC"],
            &["DEL", "b"],
        ] {
            let words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
            resp::write_command(&mut payload, &words);
            ends.push(payload.len());
        }
        for most in 0..=payload.len() {
            let expected = [ends[1], ends[5], ends[6]].into_iter().rfind(|end| *end <= most).unwrap_or(0);
            let quiet = if (ends[0]..ends[1]).contains(&most) { ends[0] } else { expected };
            assert_eq!(whole_units(&payload, most as u64), (expected, quiet), "{most}");
        }
    }
}
