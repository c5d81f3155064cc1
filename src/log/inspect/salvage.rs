//! What is left of a directory that a start refuses: every segment and snapshot that can still be used for something.
//!
//! MANIFEST is believed where it can be read, and done without where not: header blocks say which segment a file is, start
//! frames say which one follows which. What must always hold: frames are handed out by the same walk as at a start, so
//! that none comes whose predecessor did not.

use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::disk::Mapped;

use super::super::error::{Cause, LogError};
use super::super::frame::{FrameHeader, FrameKind, StartMark};
use super::super::manifest::{Manifest, Place};
use super::super::reader::{FrameAt, intact_frames};
use super::super::segment::{FORMAT_VERSION, MIN_UNIT, Segment, SegmentFault};
use super::{Inspection, names, read_manifest, refuse};

/// See the module.
pub struct Salvage {
    directory: PathBuf,
    manifest: Option<Manifest>,
    /// By ascending sequence.
    segments: Vec<Left>,
    /// What is missing or cannot be used.
    pub notes: Vec<String>,
}

/// A segment file.
struct Left {
    segment: Segment,
    map: Rc<Mapped>,
    start: Option<StartMark>,
}

impl Salvage {
    /// Looks at a directory. An error if it cannot be read at all, or was written by a newer version.
    pub fn open(directory: &Path) -> Result<Self, LogError> {
        let mut notes = Vec::new();
        let manifest = read_manifest(directory).or_else(|error| match error {
            LogError::Refused(refusal) => {
                notes.push(format!("{}: {}", refusal.file.display(), refusal.cause));
                Ok(None)
            }
            other => Err(other),
        })?;
        let mut found = Self { directory: directory.to_owned(), manifest, segments: Vec::new(), notes };
        let log_dir = directory.join("log");
        for name in names(&log_dir)? {
            let Some(sequence) = Segment::sequence_of(&name) else { continue };
            if found.manifest.as_ref().is_some_and(|m| m.dropped.contains(&sequence)) {
                continue;
            }
            found.take(&log_dir.join(&name), sequence)?;
        }
        found.segments.sort_by_key(|left| left.segment.sequence);
        let listed = found.manifest.iter().flat_map(|m| &m.segments);
        let is_there = |segment: &Segment| found.segments.iter().any(|left| left.segment == *segment);
        let missing: Vec<_> = listed.filter(|segment| !is_there(segment)).map(Segment::file_name).collect();
        found.notes.extend(missing.into_iter().map(|name| format!("{} is missing", log_dir.join(name).display())));
        Ok(found)
    }

    /// A file is the segment that its header block says, and the one that MANIFEST lists if that is damaged.
    fn take(&mut self, path: &Path, sequence: u64) -> Result<(), LogError> {
        let mut note = |what: &str| self.notes.push(format!("{}: {what}", path.display()));
        let len = fs::metadata(path).map_err(LogError::io("examine", path))?.len();
        if len < 2 * MIN_UNIT {
            note("the file is too short to be a segment");
            return Ok(());
        }
        let map = Mapped::open(path, len).map_err(LogError::io("map", path))?;
        let listed = self.manifest.as_ref().and_then(|m| m.segments.iter().find(|s| s.sequence == sequence));
        let segment = match (Segment::decode(map.bytes()), listed) {
            (Ok((segment, _)), _) => segment,
            (Err(SegmentFault::Version(version)), _) if version > FORMAT_VERSION => {
                let cause = Cause::Unsupported(SegmentFault::Version(version).to_string());
                return Err(refuse(path, cause).into());
            }
            (Err(_), Some(listed)) => *listed,
            (Err(fault), None) => {
                note(&fault.to_string());
                return Ok(());
            }
        };
        if segment.sequence != sequence {
            note(&format!("the file is the segment {}", segment.file_name()));
        }
        if segment.size != len {
            note(&format!("the file is {len} bytes long, and was made with {}", segment.size));
        }
        if self.segments.iter().any(|left| left.segment.sequence == segment.sequence) {
            note("another file is the same segment");
            return Ok(());
        }
        let first = intact_frames(&segment, map.bytes()).next().filter(|frame| frame.position == segment.unit);
        let first = first.filter(|frame| frame.header.kind == FrameKind::Start);
        let start = first.and_then(|frame| StartMark::decode(frame.payload).ok());
        self.segments.push(Left { segment, map: Rc::new(map), start });
        Ok(())
    }

    /// MANIFEST, if it can be read.
    pub fn manifest(&self) -> Option<&Manifest> {
        self.manifest.as_ref()
    }

    /// Every frame that verifies by itself, with its header CRC.
    pub fn intact(&self) -> impl Iterator<Item = (FrameAt<'_>, u32)> {
        self.segments.iter().flat_map(|left| {
            let frames = intact_frames(&left.segment, left.map.bytes());
            frames.map(|frame| (frame, frame.header.encode(left.segment.salt).1))
        })
    }

    /// The places of this stream offset: where a frame ends there, or one begins whose predecessor may be damaged.
    pub fn places(&self, offset: u64) -> Vec<Place> {
        let mut places: Vec<Place> = Vec::new();
        for (FrameAt { sequence, position, header, .. }, crc) in self.intact() {
            let FrameHeader { index, term, wall_ms, .. } = header;
            if header.end_offset() == offset {
                let position = position + header.frame_len();
                places.push(Place { offset, index, term, wall_ms, sequence, position, crc });
            }
            if header.offset == offset && header.kind.is_entry() {
                let (index, crc) = (index.saturating_sub(1), header.previous_crc);
                // The end of a frame that is intact is the same place.
                if places.iter().any(|known| known.crc == crc) {
                    continue;
                }
                places.push(Place { offset, index, term, wall_ms, sequence, position, crc });
            }
        }
        places
    }

    /// The segments that follow one another from a place on, or from the beginning of all, to be read as those of a
    /// directory; `None` if there is none.
    pub fn chain(&self, from: Option<Place>) -> Option<Inspection> {
        let begins = |left: &&Left, offset| {
            left.start.as_ref().is_some_and(|mark| mark.previous_sequence == 0 && mark.base_offset == offset)
        };
        let first = match from {
            Some(place) if place.sequence > 0 => self.segments.iter().find(|s| s.segment.sequence == place.sequence),
            Some(place) => self.segments.iter().rfind(|left| begins(left, place.offset)),
            None => self.segments.iter().rfind(|left| begins(left, 0)),
        };
        let mut chain = vec![first?];
        while let Some(last) = chain.last() {
            // Of two that name the same one before them, the later decided what was live.
            let follows = |left: &&Left| {
                left.segment.sequence > last.segment.sequence
                    && left.start.as_ref().is_some_and(|mark| {
                        mark.previous_sequence == last.segment.sequence && mark.previous_salt == last.segment.salt
                    })
            };
            match self.segments.iter().rfind(follows) {
                Some(next) => chain.push(next),
                None => break,
            }
        }
        Some(Inspection {
            directory: self.directory.clone(),
            manifest: None,
            segments: chain.iter().map(|left| left.segment).collect(),
            maps: chain.iter().map(|left| left.map.clone()).collect(),
            in_use: None,
        })
    }
}
