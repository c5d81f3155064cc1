//! Where what is kept can begin: at a snapshot, or where there were no data.

use std::convert::Infallible;
use std::fs;
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
    let read = fs::read(&path).map_err(|error| error.to_string());
    let whole = read.and_then(|bytes| match is_whole(&bytes) {
        Ok(()) => Ok((bytes.len() as u64, crc32fast::hash(&bytes))),
        Err(error) => Err(error),
    });
    match whole {
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

fn is_whole(bytes: &[u8]) -> Result<(), String> {
    let mut reader = Reader::new(bytes).map_err(|error| error.to_string())?;
    loop {
        match reader.next().map_err(|error| error.to_string())? {
            Event::End { checked: true } => return Ok(()),
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
