//! MANIFEST: the readable, checksummed list of what belongs to a data directory. Pure: text in, lists out.
//!
//! Strict on purpose: a text is accepted only when writing what was read gives the same bytes again, so that no
//! damaged digit passes as a different, equally readable value.

use std::fmt::Write;

use super::history::{History, HistoryId};
use super::segment::Segment;

/// First line of a MANIFEST.
const TITLE: &str = "ackd manifest 1";

/// A place between two frames of the log: what a snapshot holds ends there, and replay begins there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Stream offset.
    pub offset: u64,
    /// Index of the last entry before it.
    pub index: u64,
    /// Term of that entry.
    pub term: u64,
    /// Wall-clock milliseconds of the last frame before it.
    pub wall_ms: u64,
    /// Sequence number of the segment in which that frame stands; 0 if there is none, and the log begins here.
    pub sequence: u64,
    /// Where that frame ends, in bytes from the start of the segment.
    pub position: u64,
    /// Header CRC of that frame.
    pub crc: u32,
}

/// A snapshot that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotEntry {
    /// Name of the file within `snapshots/`.
    pub file: String,
    /// Length of the file.
    pub size: u64,
    /// CRC32 of the whole file.
    pub crc: u32,
    /// The place in the log whose state it holds.
    pub place: Place,
}

/// What a MANIFEST says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// The name of this copy.
    pub node: HistoryId,
    /// Oldest first; the last one is in force.
    pub histories: Vec<History>,
    /// Everything below this stream offset was durable when the file was written.
    pub durable: u64,
    /// Whether the server was shut down cleanly, and everything ends at `durable`.
    pub clean: bool,
    /// Snapshots, oldest first.
    pub snapshots: Vec<SnapshotEntry>,
    /// Segments and spares, by ascending sequence.
    pub segments: Vec<Segment>,
    /// Sequence numbers of segments that no longer count and whose files may still be there.
    pub dropped: Vec<u64>,
}

/// Why a text is not a MANIFEST.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ManifestFault {
    /// The checksum line is missing or does not match.
    #[error("the manifest does not match its checksum")]
    Checksum,
    /// Written by another version of the format.
    #[error("the manifest has a title that this version of ackd does not know")]
    Title,
    /// A line cannot be understood.
    #[error("line {0} of the manifest cannot be understood")]
    Line(usize),
    /// The lines are readable and cannot be true together.
    #[error("the manifest contradicts itself: {0}")]
    Contradiction(&'static str),
}

impl Manifest {
    /// The text of the file.
    pub fn render(&self) -> String {
        let mut text = format!("{TITLE}\nnode {}\n", self.node);
        for History { id, first_offset } in &self.histories {
            let _ = writeln!(text, "history {id} {first_offset}");
        }
        let _ = writeln!(text, "durable {}\nclean {}", self.durable, if self.clean { "yes" } else { "no" });
        for s in &self.snapshots {
            let Place { offset, index, term, wall_ms, sequence, position, crc } = s.place;
            let _ = write!(text, "snapshot {} {} {:08x} {offset} {index} {term} {wall_ms}", s.file, s.size, s.crc);
            let _ = writeln!(text, " {sequence} {position} {crc:08x}");
        }
        for s in &self.segments {
            let _ = writeln!(text, "segment {} {} {} {:016x}", s.sequence, s.size, s.unit, s.salt);
        }
        for sequence in &self.dropped {
            let _ = writeln!(text, "dropped {sequence}");
        }
        let crc = crc32fast::hash(text.as_bytes());
        let _ = writeln!(text, "checksum {crc:08x}");
        text
    }

    /// Reads the text of the file.
    pub fn parse(text: &[u8]) -> Result<Self, ManifestFault> {
        let text = std::str::from_utf8(text).map_err(|_| ManifestFault::Checksum)?;
        let at = text.rfind("checksum ").ok_or(ManifestFault::Checksum)?;
        let (body, checksum) = text.split_at(at);
        if checksum != format!("checksum {:08x}\n", crc32fast::hash(body.as_bytes())) {
            return Err(ManifestFault::Checksum);
        }
        let mut lines = body.lines().enumerate();
        if lines.next().is_none_or(|(_, title)| title != TITLE) {
            return Err(ManifestFault::Title);
        }
        let mut draft = Draft::default();
        for (number, line) in lines {
            draft.take(line).ok_or(ManifestFault::Line(number + 1))?;
        }
        let manifest = draft.finish()?;
        if manifest.render() != text {
            return Err(ManifestFault::Contradiction("the lines are not in the form in which they are written"));
        }
        Ok(manifest)
    }

    /// The history in force.
    pub fn history(&self) -> HistoryId {
        self.histories.last().map_or(self.node, |h| h.id)
    }
}

/// The lines read so far.
#[derive(Default)]
struct Draft {
    node: Option<HistoryId>,
    histories: Vec<History>,
    durable: Option<u64>,
    clean: Option<bool>,
    snapshots: Vec<SnapshotEntry>,
    segments: Vec<Segment>,
    dropped: Vec<u64>,
}

impl Draft {
    fn take(&mut self, line: &str) -> Option<()> {
        let words: Vec<&str> = line.split(' ').collect();
        match words.as_slice() {
            ["node", id] => self.node = Some(HistoryId::from_bytes(id.as_bytes())?),
            ["history", id, first] => self
                .histories
                .push(History { id: HistoryId::from_bytes(id.as_bytes())?, first_offset: first.parse().ok()? }),
            ["durable", offset] => self.durable = Some(offset.parse().ok()?),
            ["clean", "yes"] => self.clean = Some(true),
            ["clean", "no"] => self.clean = Some(false),
            ["snapshot", file, size, crc, offset, index, term, wall_ms, sequence, position, frame_crc] => {
                self.snapshots.push(SnapshotEntry {
                    file: (*file).to_owned(),
                    size: size.parse().ok()?,
                    crc: u32::from_str_radix(crc, 16).ok()?,
                    place: Place {
                        offset: offset.parse().ok()?,
                        index: index.parse().ok()?,
                        term: term.parse().ok()?,
                        wall_ms: wall_ms.parse().ok()?,
                        sequence: sequence.parse().ok()?,
                        position: position.parse().ok()?,
                        crc: u32::from_str_radix(frame_crc, 16).ok()?,
                    },
                });
            }
            ["segment", sequence, size, unit, salt] => self.segments.push(Segment {
                sequence: sequence.parse().ok()?,
                size: size.parse().ok()?,
                unit: unit.parse().ok()?,
                salt: u64::from_str_radix(salt, 16).ok()?,
            }),
            ["dropped", sequence] => self.dropped.push(sequence.parse().ok()?),
            _ => return None,
        }
        Some(())
    }

    fn finish(self) -> Result<Manifest, ManifestFault> {
        let missing = ManifestFault::Contradiction("a line is missing");
        if self.histories.is_empty() {
            return Err(ManifestFault::Contradiction("it names no history"));
        }
        if !self.histories.is_sorted_by(|a, b| a.first_offset <= b.first_offset) {
            return Err(ManifestFault::Contradiction("the histories are not in order"));
        }
        if !self.segments.is_sorted_by(|a, b| a.sequence < b.sequence) {
            return Err(ManifestFault::Contradiction("the segments are not in order"));
        }
        if !self.segments.iter().all(Segment::is_sound) {
            return Err(ManifestFault::Contradiction("a segment cannot have such a size"));
        }
        if self.segments.iter().any(|s| self.dropped.contains(&s.sequence)) {
            return Err(ManifestFault::Contradiction("a segment is both listed and dropped"));
        }
        let plain = |s: &SnapshotEntry| !s.file.is_empty() && !s.file.starts_with('.') && !s.file.contains('/');
        if !self.snapshots.iter().all(plain) {
            return Err(ManifestFault::Contradiction("a snapshot is not a file of the directory"));
        }
        if !self.snapshots.is_sorted_by(|a, b| a.place.offset <= b.place.offset) {
            return Err(ManifestFault::Contradiction("the snapshots are not in order"));
        }
        if self.snapshots.iter().any(|s| Some(s.place.offset) > self.durable) {
            return Err(ManifestFault::Contradiction("a snapshot is ahead of what is durable"));
        }
        let listed = |s: &SnapshotEntry| self.segments.iter().any(|segment| segment.sequence == s.place.sequence);
        if !self.snapshots.iter().all(|s| s.place.sequence == 0 || listed(s)) {
            return Err(ManifestFault::Contradiction("the segment in which a snapshot ends is not listed"));
        }
        Ok(Manifest {
            node: self.node.ok_or(missing)?,
            histories: self.histories,
            durable: self.durable.ok_or(missing)?,
            clean: self.clean.ok_or(missing)?,
            snapshots: self.snapshots,
            segments: self.segments,
            dropped: self.dropped,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Manifest {
        let mut rng = fastrand::Rng::with_seed(7);
        let segment = |sequence| Segment { sequence, size: 1 << 20, unit: 4096, salt: 0xab00 + sequence };
        let place =
            Place { offset: 100, index: 4, term: 1, wall_ms: 1_700, sequence: 3, position: 8200, crc: 0xabcdef };
        Manifest {
            node: HistoryId::draw(&mut rng),
            histories: vec![
                History { id: HistoryId::draw(&mut rng), first_offset: 0 },
                History { id: HistoryId::draw(&mut rng), first_offset: 99 },
            ],
            durable: 123,
            clean: false,
            snapshots: vec![SnapshotEntry { file: "100.rdb".into(), size: 88, crc: 0xf00, place }],
            segments: vec![segment(3), segment(4), segment(9)],
            dropped: vec![1, 2],
        }
    }

    #[test]
    fn a_manifest_reads_back_as_it_was_written() {
        assert_eq!(Manifest::parse(example().render().as_bytes()), Ok(example()));
    }

    #[test]
    fn every_flipped_byte_and_every_truncation_is_refused() {
        let text = example().render().into_bytes();
        for at in 0..text.len() {
            assert!(Manifest::parse(&text[..at]).is_err(), "cut at {at}");
            for flip in 1..=255u8 {
                let mut bad = text.clone();
                bad[at] ^= flip;
                assert!(Manifest::parse(&bad).is_err(), "byte {at} ^ {flip}");
            }
        }
    }

    #[test]
    fn a_snapshot_without_its_segment_or_ahead_of_what_is_durable_is_refused() {
        for change in [(|place| place.sequence = 5) as fn(&mut Place), |place| place.offset = 124] {
            let mut manifest = example();
            change(&mut manifest.snapshots[0].place);
            let parsed = Manifest::parse(manifest.render().as_bytes());
            assert!(matches!(parsed, Err(ManifestFault::Contradiction(_))), "{parsed:?}");
        }
    }

    #[test]
    fn a_segment_listed_twice_is_refused() {
        let mut manifest = example();
        manifest.segments.push(manifest.segments[2]);
        assert!(matches!(Manifest::parse(manifest.render().as_bytes()), Err(ManifestFault::Contradiction(_))));
    }
}
