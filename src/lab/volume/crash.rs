//! What a power cut may leave of what was recorded.
//!
//! The rules are those that POSIX and the block layer give, no kinder ones of a certain file system: what was not
//! synced may be there or not, each write by itself and each 512-byte sector of a write by itself; a sync covers what
//! ended before it began, once it has ended; an `O_DSYNC` write covers itself; names of files are made durable by a
//! sync of their directory, and only by that (of a rename between two, by a sync of the one it goes to; kinder rules
//! for names can be [chosen](Names)); a rename is whole or not at all.
//!
//! What a sync that fails should have made durable no later sync does, for the kernel counts it as written from then on
//! (Linux; Rebello et al., "Can applications recover from fsync failures?", ATC 2020): only writing it again helps.
//! A write that fails may be there in part.

use std::collections::{HashMap, HashSet};

use super::content::Content;
use super::record::{Change, Event, Moment, Trace, What};
use super::tree::{Ino, Tree};

/// The unit that a disk writes whole or not at all.
pub const SECTOR: u64 = 512;

/// What a power cut does to names that were given, taken or moved and whose directory was not synced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Names {
    /// Each change may be lost by itself: all that POSIX promises.
    #[default]
    Posix,
    /// They are lost from a moment on, in the order in which they were made; any sync makes all earlier ones durable. So
    /// do journals of file systems behave (ext4, XFS), though none promises it.
    Journal,
}

/// What becomes of a change that was under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kept {
    /// Nothing of it is there.
    Lost,
    /// All of it is there.
    Whole,
    /// Of a write, these sectors.
    Sectors(Vec<bool>),
    /// Of a write that made a file longer, only that: zeros stand where its bytes should be.
    Size,
}

/// What becomes of each [pending](Timeline::pending) change.
pub type Keep = Vec<Kept>;

/// A change that a power cut at this moment may lose.
#[derive(Clone, Copy, Debug)]
pub struct Pending {
    /// Its number in the record.
    pub event: usize,
    /// How many sectors it touches; 0 when it is no write.
    pub sectors: usize,
    /// True when the server was not told yet that it was done.
    pub in_flight: bool,
    /// True for one of a directory.
    pub is_of_names: bool,
    /// True for a write that makes a file longer than what cannot be lost.
    pub extends: bool,
}

/// A run of a server, looked at from one moment after the other.
#[derive(Clone, Debug)]
pub struct Timeline<'a> {
    trace: &'a Trace,
    at: Moment,
    names: Names,
    /// From here on the disk says that it synced and did not.
    lies_from: Moment,
    /// Events that have begun.
    begun: usize,
    /// What is durable and has nothing before it that is not.
    base: Tree,
    /// Changes that are not in `base`.
    window: Vec<usize>,
    syncs_in_flight: Vec<usize>,
    /// The beginning of the last sync that has ended.
    synced: HashMap<Ino, Moment>,
    /// The same, of any file.
    last_sync: Moment,
    /// Changes that a sync which failed should have made durable.
    doomed: HashSet<usize>,
}

impl<'a> Timeline<'a> {
    /// Before everything.
    pub fn new(trace: &'a Trace) -> Self {
        Self {
            trace,
            at: 0,
            names: Names::Posix,
            lies_from: Moment::MAX,
            begun: 0,
            base: trace.initial.clone(),
            window: Vec::new(),
            syncs_in_flight: Vec::new(),
            synced: HashMap::new(),
            last_sync: 0,
            doomed: HashSet::new(),
        }
    }

    /// The same on a disk that from a moment on lies about syncs.
    #[must_use]
    pub fn lying_from(self, lies_from: Moment) -> Self {
        Self { lies_from, ..self }
    }

    /// The same where names are lost by other rules.
    #[must_use]
    pub fn with_names(self, names: Names) -> Self {
        Self { names, ..self }
    }

    /// The moment that is looked at.
    pub fn at(&self) -> Moment {
        self.at
    }

    /// Goes on to a later moment: what began before it has begun, what ended before it has ended.
    pub fn advance(&mut self, at: Moment) {
        assert!(at >= self.at, "a timeline goes forward");
        // What a failed sync dooms depends on what was durable when it began.
        let failed = |event: &&Event| matches!(event.what, What::FailedSync { .. });
        let trace = self.trace;
        for event in trace.events[self.begun..].iter().take_while(|event| event.begun < at).filter(failed) {
            self.step(event.begun);
            if let What::FailedSync { ino } = event.what {
                self.doom(ino);
            }
        }
        self.step(at);
    }

    /// [`Timeline::advance`] without a look at failed syncs.
    fn step(&mut self, at: Moment) {
        self.at = at;
        while let Some(event) = self.trace.events.get(self.begun).filter(|event| event.begun < at) {
            match &event.what {
                What::Sync { .. } => self.syncs_in_flight.push(self.begun),
                What::FailedSync { .. } => {}
                What::Change { change, .. } => {
                    // What has no name harms nobody, and a later name may be kept though the first was lost.
                    if let Change::Link { ino, made: Some(made), .. } = change {
                        self.base.adopt(*ino, *made);
                    }
                    self.window.push(self.begun);
                }
            }
            self.begun += 1;
        }
        let (trace, synced, lies_from) = (self.trace, &mut self.synced, self.lies_from);
        let last_sync = &mut self.last_sync;
        self.syncs_in_flight.retain(|number| {
            let event = &trace.events[*number];
            if event.ended >= at {
                return true;
            }
            if let What::Sync { ino } = event.what
                && event.begun < lies_from
            {
                let last = synced.entry(ino).or_default();
                *last = (*last).max(event.begun);
                *last_sync = (*last_sync).max(event.begun);
            }
            false
        });
        self.fold();
    }

    /// What had ended by now of a file or directory and is not durable yet will not be. A journal writes names whatever
    /// becomes of data.
    fn doom(&mut self, ino: Ino) {
        let is_concerned = |number: &&usize| {
            let change = self.change(**number);
            change.is_some_and(|change| {
                change.synced_by() == ino && !(self.names == Names::Journal && change.is_of_names())
            }) && self.trace.events[**number].ended < self.at
                && !self.is_durable(**number)
        };
        let doomed: Vec<usize> = self.window.iter().filter(is_concerned).copied().collect();
        self.doomed.extend(doomed);
    }

    /// Moves what cannot be lost any more, and has nothing before it on the same object that can, into the base.
    fn fold(&mut self) {
        // Changes of names are kept in one order, whatever their directories: they are few.
        const NAMES: Ino = 0;
        let mut blocked = Vec::new();
        let mut rest = Vec::with_capacity(self.window.len());
        for number in std::mem::take(&mut self.window) {
            let Some(change) = self.change(number) else { continue };
            let object = if change.is_of_names() { NAMES } else { change.synced_by() };
            if blocked.contains(&object) || !self.is_durable(number) {
                if !blocked.contains(&object) {
                    blocked.push(object);
                }
                rest.push(number);
            } else {
                self.base.apply(change);
            }
        }
        self.window = rest;
    }

    fn change(&self, number: usize) -> Option<&'a Change> {
        match &self.trace.events[number].what {
            What::Change { change, .. } => Some(change),
            What::Sync { .. } | What::FailedSync { .. } => None,
        }
    }

    fn is_durable(&self, number: usize) -> bool {
        let event = &self.trace.events[number];
        let What::Change { change, synchronous } = &event.what else { return true };
        if self.doomed.contains(&number) {
            return false;
        }
        if *synchronous && event.ended < self.at && event.begun < self.lies_from {
            return true;
        }
        if self.names == Names::Journal && change.is_of_names() && event.ended < self.last_sync {
            return true;
        }
        self.synced.get(&change.synced_by()).is_some_and(|sync| event.ended < *sync)
    }

    /// What a power cut now may lose, in the order of their beginnings.
    pub fn pending(&self) -> Vec<Pending> {
        let pending = self.window.iter().filter(|number| !self.is_durable(**number));
        pending
            .filter_map(|number| {
                let change = self.change(*number)?;
                let (sectors, extends) = match change {
                    Change::Write { ino, offset, data } => {
                        let length = data.len() as u64;
                        let durable = self.base.content(*ino).map_or(0, Content::len);
                        (sectors(*offset, length), offset + length > durable)
                    }
                    _ => (0, false),
                };
                let in_flight = self.trace.events[*number].ended >= self.at;
                Some(Pending { event: *number, sectors, in_flight, is_of_names: change.is_of_names(), extends })
            })
            .collect()
    }

    /// The nearest way that the rules allow.
    pub fn settle(&self, mut keep: Keep) -> Keep {
        if self.names == Names::Journal {
            let mut lost = false;
            let pending = self.pending();
            let of_names = keep.iter_mut().enumerate().filter(|(place, _)| pending[*place].is_of_names);
            for (_, kept) in of_names {
                lost |= *kept != Kept::Whole;
                if lost {
                    *kept = Kept::Lost;
                }
            }
        }
        keep
    }

    /// What is on the disk after a power cut now, when this becomes of what is pending.
    pub fn image(&self, keep: &[Kept]) -> Tree {
        let mut tree = self.base.clone();
        let mut keep = keep.iter();
        for number in &self.window {
            let Some(change) = self.change(*number) else { continue };
            let kept = if self.is_durable(*number) { Some(&Kept::Whole) } else { keep.next() };
            match (kept, change) {
                (Some(Kept::Whole), _) => {
                    tree.apply(change);
                }
                (Some(Kept::Sectors(kept)), Change::Write { ino, offset, data }) => {
                    write_sectors(&mut tree, *ino, *offset, data, kept);
                }
                (Some(Kept::Size), Change::Write { ino, offset, data }) => {
                    let size = offset + data.len() as u64;
                    if tree.content(*ino).is_some_and(|content| content.len() < size) {
                        tree.apply(&Change::Resize { ino: *ino, size });
                    }
                }
                _ => {}
            }
        }
        tree
    }
}

impl Timeline<'_> {
    /// What is lost by this, in words.
    pub fn damage(&self, keep: &[Kept]) -> Vec<String> {
        let names: HashMap<Ino, String> = self.names();
        let name = |ino: &Ino| names.get(ino).cloned().unwrap_or_else(|| format!("(a file without a name, {ino})"));
        let lost = self.pending().into_iter().zip(keep).filter(|(_, kept)| **kept != Kept::Whole);
        let tell = |(pending, kept): (Pending, &Kept)| {
            let state = if pending.in_flight { "in flight" } else { "not synced" };
            let part = match kept {
                Kept::Sectors(kept) => {
                    format!("only sectors {:?} of", (0..kept.len()).filter(|at| kept[*at]).collect::<Vec<_>>())
                }
                Kept::Size => "only the size, with zeros, of".to_owned(),
                _ => "lost:".to_owned(),
            };
            let what = match self.change(pending.event) {
                Some(Change::Write { ino, offset, data }) => {
                    format!("a write of {} bytes at {offset} of {}", data.len(), name(ino))
                }
                Some(Change::Resize { ino, size }) => format!("the size {size} of {}", name(ino)),
                Some(Change::Link { name, .. }) => format!("the new name {name}"),
                Some(Change::Unlink { name, .. }) => format!("the removal of the name {name}"),
                Some(Change::Rename { name, new_name, .. }) => format!("the renaming of {name} to {new_name}"),
                None => String::new(),
            };
            format!("{part} {what} ({state})")
        };
        lost.map(tell).collect()
    }

    /// The last name that each file was given.
    fn names(&self) -> HashMap<Ino, String> {
        let mut names: HashMap<Ino, String> =
            self.trace.initial.files().into_iter().map(|(path, ino)| (ino, path)).collect();
        for event in &self.trace.events[..self.begun] {
            match &event.what {
                What::Change { change: Change::Link { name, ino, .. }, .. } => names.insert(*ino, name.clone()),
                What::Change { change: Change::Rename { new_name, ino, .. }, .. } => {
                    names.insert(*ino, new_name.clone())
                }
                _ => None,
            };
        }
        names
    }
}

/// How many sectors bytes at a place touch.
fn sectors(offset: u64, length: u64) -> usize {
    if length == 0 { 0 } else { ((offset + length - 1) / SECTOR - offset / SECTOR + 1) as usize }
}

fn write_sectors(tree: &mut Tree, ino: Ino, offset: u64, data: &[u8], kept: &[bool]) {
    let end = offset + data.len() as u64;
    let mut at = offset;
    for kept in kept {
        let next = (at / SECTOR + 1) * SECTOR;
        let to = next.min(end);
        if *kept {
            tree.write(ino, at, &data[(at - offset) as usize..(to - offset) as usize]);
        }
        at = to;
    }
}
