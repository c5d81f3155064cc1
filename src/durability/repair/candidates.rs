//! Where what is kept can begin: at a snapshot, or where there were no data.

use std::convert::Infallible;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use crate::log::inspect::Salvage;
use crate::log::{Place, SnapshotEntry};
use crate::rdb::{Event, Reader};

/// A beginning.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The snapshot; `None` for the beginning of all.
    pub snapshot: Option<SnapshotEntry>,
    /// Where the log is gone on with; `None` for its first start frame.
    pub place: Option<Place>,
}

impl Candidate {
    /// Nothing is left.
    pub const NOTHING: Self = Self { snapshot: None, place: None };

    /// The stream offset up to which the log can be followed from here.
    fn end(&self, salvage: &Salvage) -> u64 {
        let begin = self.place.map_or(0, |place| place.offset);
        let Some(chain) = salvage.chain(self.place) else { return begin };
        let Ok((outcome, _)) = chain.read_behind(self.place, |_| Ok::<_, Infallible>(()));
        outcome.end.offset.max(begin)
    }
}

/// All beginnings, the one that leads the farthest first; of equals, the one from which the least has to be read.
pub fn candidates(directory: &Path, salvage: &Salvage, notes: &mut Vec<String>) -> Vec<Candidate> {
    let mut all = vec![Candidate::NOTHING];
    // The first start frame may be damaged, and what follows it whole.
    if Candidate::NOTHING.end(salvage) == 0 {
        let begins = salvage.places(0).into_iter();
        all.extend(begins.map(|place| Candidate { snapshot: None, place: Some(place) }));
    }
    let listed = salvage.manifest().map(|m| m.snapshots.clone()).unwrap_or_default();
    for snapshot in listed.iter().cloned() {
        let place = Some(snapshot.place);
        all.push(Candidate { snapshot: Some(snapshot), place });
    }
    for name in names(&directory.join("snapshots")) {
        if listed.iter().any(|snapshot| snapshot.file == name) {
            continue;
        }
        let Some(snapshot) = unlisted(directory, &name, notes) else { continue };
        let mut places = salvage.places(snapshot.place.offset);
        // Without any frame there is nothing that it could contradict.
        if salvage.intact().next().is_none() {
            places.push(snapshot.place);
        }
        if places.is_empty() {
            notes.push(format!("the snapshot {name} is in no list, and no frame ends at its offset"));
        }
        all.extend(places.into_iter().map(|place| Candidate {
            snapshot: Some(SnapshotEntry { place, ..snapshot.clone() }),
            place: Some(place),
        }));
    }
    let begin = |candidate: &Candidate| candidate.place.map_or(0, |place| place.offset);
    let mut ends: Vec<(u64, Candidate)> = all.into_iter().map(|one| (one.end(salvage), one)).collect();
    ends.sort_by_key(|(end, candidate)| std::cmp::Reverse((*end, begin(candidate))));
    ends.into_iter().map(|(_, candidate)| candidate).collect()
}

/// A file of `snapshots/` that is in no list, if its own checksum says that it is whole.
fn unlisted(directory: &Path, name: &str, notes: &mut Vec<String>) -> Option<SnapshotEntry> {
    let offset = name.strip_suffix(".rdb")?.split('-').next()?.parse().ok()?;
    let path = directory.join("snapshots").join(name);
    match File::open(&path).map_err(|error| error.to_string()).and_then(whole) {
        Ok((size, crc)) => {
            let place = Place { offset, index: 0, term: 1, wall_ms: 0, sequence: 0, position: 0, crc: 0 };
            Some(SnapshotEntry { file: name.to_owned(), size, crc, place })
        }
        Err(why) => {
            notes.push(format!("{}: {why}", path.display()));
            None
        }
    }
}

/// What has been read of a file: how much, and its CRC32.
struct Summed<R> {
    source: R,
    size: u64,
    crc: crc32fast::Hasher,
}

impl<R: Read> Read for Summed<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.source.read(into)?;
        self.size += count as u64;
        self.crc.update(&into[..count]);
        Ok(count)
    }
}

/// The size and the CRC32 of an RDB file, which is read piece by piece, if its own checksum is right.
fn whole(source: impl Read) -> Result<(u64, u32), String> {
    let mut summed = Summed { source, size: 0, crc: crc32fast::Hasher::new() };
    let mut reader = Reader::new(&mut summed).map_err(|error| error.to_string())?;
    loop {
        match reader.next().map_err(|error| error.to_string())? {
            // Nothing follows: all of it was read.
            Event::End { checked: true } => return Ok((summed.size, summed.crc.finalize())),
            Event::End { checked: false } => return Err("the file has no checksum".into()),
            _ => {}
        }
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rdb::{Options, Version, Writer};

    #[test]
    fn what_is_whole_is_known_to_its_last_byte_and_what_is_not_has_no_sum() {
        let mut bytes = Vec::new();
        let options = Options { version: Version::V11, compress: false, checksum: true };
        let mut writer = Writer::new(&mut bytes, options);
        // More than is read at once.
        for _ in 0..3 {
            writer.write(&Event::Function(&[b'x'; 100_000])).unwrap();
        }
        writer.write(&Event::End { checked: true }).unwrap();
        assert_eq!(whole(&bytes[..]), Ok((bytes.len() as u64, crc32fast::hash(&bytes))));
        assert!(whole(&bytes[..bytes.len() - 1]).is_err());
        assert!(whole(&[&bytes[..], b"x"].concat()[..]).is_err());
    }
}
