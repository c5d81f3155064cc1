//! What a power cut may leave, and what not.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use super::{Armed, Calls, Ino};
use super::{Budget, Change, Faults, Kept, Made, Names, ROOT, Ticks, Timeline, Trace, Tree, Volume, keeps};

struct Machine {
    ticks: Arc<Ticks>,
    volume: Volume,
}

impl Machine {
    fn new() -> Self {
        let ticks = Arc::new(Ticks::default());
        let volume = Volume::new(ticks.clone());
        volume.record();
        Self { ticks, volume }
    }

    fn make(&self, directory: Ino, name: &str, is_directory: bool) -> Ino {
        let made = Made { directory: is_directory, mode: 0o644 };
        let plan = |tree: &mut Tree| {
            let ino = tree.next();
            Ok((ino, Change::Link { directory, name: name.into(), ino, made: Some(made) }))
        };
        self.volume.change(false, plan).unwrap()
    }

    fn write(&self, ino: Ino, offset: u64, data: &[u8], synchronous: bool) {
        let change = Change::Write { ino, offset, data: data.into() };
        self.volume.change(synchronous, |_| Ok(((), change))).unwrap();
    }

    fn rename(&self, ino: Ino, name: &str, new_name: &str) {
        let change = Change::Rename { from: ROOT, name: name.into(), to: ROOT, new_name: new_name.into(), ino };
        self.volume.change(false, |_| Ok(((), change))).unwrap();
    }

    fn sync(&self, ino: Ino) {
        self.volume.sync(ino).unwrap();
    }
}

fn content(tree: &Tree, name: &str) -> Option<Vec<u8>> {
    let (_, ino) = tree.files().into_iter().find(|(path, _)| path == name)?;
    tree.content(ino).map(|content| content.to_vec())
}

/// At the end: how many changes are pending, and what is left when all of them are lost.
fn at_the_end(trace: &Trace, ticks: &Ticks, names: Names) -> (usize, Tree) {
    let mut timeline = Timeline::new(trace).with_names(names);
    timeline.advance(ticks.now());
    let pending = timeline.pending();
    let keep = vec![Kept::Lost; pending.len()];
    (pending.len(), timeline.image(&keep))
}

#[test]
fn a_file_is_safe_when_it_and_its_name_are_synced() {
    let machine = Machine::new();
    let file = machine.make(ROOT, "file", false);
    machine.write(file, 0, b"hello", false);
    machine.sync(file);
    machine.sync(ROOT);
    machine.write(file, 0, b"j", false);
    let (pending, left) = at_the_end(&machine.volume.take_trace(), &machine.ticks, Names::Posix);
    assert_eq!(pending, 1);
    assert_eq!(content(&left, "file").unwrap(), b"hello");
}

#[test]
fn a_name_without_a_sync_of_its_directory_is_lost_and_a_journal_keeps_it_with_any_sync() {
    let machine = Machine::new();
    let file = machine.make(ROOT, "file", false);
    machine.write(file, 0, b"hello", false);
    machine.sync(file);
    let trace = machine.volume.take_trace();
    assert_eq!(content(&at_the_end(&trace, &machine.ticks, Names::Posix).1, "file"), None);
    assert_eq!(content(&at_the_end(&trace, &machine.ticks, Names::Journal).1, "file").unwrap(), b"hello");
}

#[test]
fn a_synchronous_write_vouches_for_itself_alone() {
    let machine = Machine::new();
    let file = machine.make(ROOT, "file", false);
    machine.sync(ROOT);
    machine.write(file, 0, b"aaaa", false);
    machine.write(file, 4, b"bbbb", true);
    let (pending, left) = at_the_end(&machine.volume.take_trace(), &machine.ticks, Names::Posix);
    assert_eq!(pending, 1);
    assert_eq!(content(&left, "file").unwrap(), b"\0\0\0\0bbbb");
}

#[test]
fn what_is_in_flight_may_be_lost_and_what_has_ended_may_not() {
    let machine = Machine::new();
    let file = machine.make(ROOT, "file", false);
    machine.sync(ROOT);
    machine.write(file, 0, b"data", true);
    let trace = machine.volume.take_trace();
    let write = trace.events.last().unwrap();
    let mut timeline = Timeline::new(&trace);
    timeline.advance(write.begun + 1);
    assert!(timeline.pending()[0].in_flight);
    timeline.advance(write.ended + 1);
    assert!(timeline.pending().is_empty());
}

#[test]
fn a_rename_is_whole_or_not_at_all() {
    let machine = Machine::new();
    let old = machine.make(ROOT, "file", false);
    machine.write(old, 0, b"old", false);
    machine.sync(old);
    machine.sync(ROOT);
    let new = machine.make(ROOT, "file.new", false);
    machine.write(new, 0, b"new", false);
    machine.sync(new);
    machine.rename(new, "file.new", "file");
    let trace = machine.volume.take_trace();
    let mut timeline = Timeline::new(&trace);
    timeline.advance(machine.ticks.now());
    let keeps = keeps(&timeline.pending(), Budget::thorough(), &mut fastrand::Rng::with_seed(1));
    assert!(keeps.len() >= 4);
    for keep in keeps {
        let text = content(&timeline.image(&keep), "file").unwrap();
        assert!(text == b"old" || text == b"new", "{keep:?}: {}", text.escape_ascii());
    }
}

#[test]
fn a_torn_write_keeps_whole_sectors() {
    let machine = Machine::new();
    let file = machine.make(ROOT, "file", false);
    machine.sync(ROOT);
    machine.write(file, 100, &[7; 1500], false);
    let trace = machine.volume.take_trace();
    let mut timeline = Timeline::new(&trace);
    timeline.advance(machine.ticks.now());
    assert_eq!(timeline.pending()[0].sectors, 4);
    let left = timeline.image(&[Kept::Sectors(vec![true, false, true, false])]);
    let bytes = content(&left, "file").unwrap();
    assert_eq!(bytes.len(), 1536);
    let kept = |at: usize| (100..512).contains(&at) || (1024..1536).contains(&at);
    assert!((0..1536).all(|at| (bytes[at] == 7) == kept(at)));
}

#[test]
fn a_disk_that_lies_loses_what_it_said_it_synced() {
    let machine = Machine::new();
    let file = machine.make(ROOT, "file", false);
    machine.sync(ROOT);
    machine.write(file, 0, b"one", true);
    let from = machine.ticks.now();
    machine.write(file, 0, b"two", true);
    let trace = machine.volume.take_trace();
    let mut timeline = Timeline::new(&trace).lying_from(from);
    timeline.advance(machine.ticks.now());
    let keep = vec![Kept::Lost; timeline.pending().len()];
    assert_eq!(content(&timeline.image(&keep), "file").unwrap(), b"one");
}

#[test]
fn faults_strike_when_they_are_due() {
    let machine = Machine::new();
    let file = machine.make(ROOT, "file", false);
    let write = |data: &[u8]| {
        let change = Change::Write { ino: file, offset: 0, data: data.into() };
        machine.volume.change(false, |_| Ok(((), change)))
    };
    machine.volume.arm(Faults { capacity: Some(10), ..Faults::default() });
    assert_eq!(write(&[1; 10]), Ok(()));
    assert_eq!(write(&[1; 11]), Err(libc::ENOSPC));
    let failure = Some(Armed { after: 1, error: libc::EIO, times: 1, calls: Calls::All });
    machine.volume.arm(Faults { failure, ..Faults::default() });
    assert_eq!(write(b"a"), Ok(()));
    assert_eq!(machine.volume.sync(file), Err(libc::EIO));
    assert_eq!(write(b"b"), Ok(()));
    assert_eq!(machine.volume.struck(), 2);
}

#[test]
fn equal_trees_have_equal_digests_whatever_their_numbers() {
    let machine = Machine::new();
    let directory = machine.make(ROOT, "directory", true);
    let file = machine.make(directory, "file", false);
    machine.write(file, 0, b"x", false);
    let tree = machine.volume.tree();
    let other = tree.renumbered(1000);
    assert_eq!(tree.digest(), other.digest());
    machine.write(file, 0, b"y", false);
    assert_ne!(machine.volume.tree().digest(), other.digest());
}

#[test]
fn what_a_failed_sync_should_have_made_durable_no_later_sync_does() {
    let machine = Machine::new();
    let file = machine.make(ROOT, "file", false);
    machine.sync(ROOT);
    machine.write(file, 0, b"lost", false);
    let failure = Some(Armed { after: 0, error: libc::EIO, times: 1, calls: Calls::Vouching });
    machine.volume.arm(Faults { failure, ..Faults::default() });
    assert_eq!(machine.volume.sync(file), Err(libc::EIO));
    machine.write(file, 4, b"kept", false);
    machine.sync(file);
    let trace = machine.volume.take_trace();
    let (pending, left) = at_the_end(&trace, &machine.ticks, Names::Posix);
    assert_eq!(pending, 1, "what was written behind the failure is durable");
    assert_eq!(content(&left, "file").unwrap(), b"\0\0\0\0kept");
}

#[test]
fn a_write_that_fails_may_be_there_in_part() {
    let machine = Machine::new();
    let file = machine.make(ROOT, "file", false);
    machine.sync(ROOT);
    let failure = Some(Armed { after: 0, error: libc::EIO, times: 1, calls: Calls::Vouching });
    machine.volume.arm(Faults { failure, ..Faults::default() });
    let change = Change::Write { ino: file, offset: 0, data: b"half"[..].into() };
    assert_eq!(machine.volume.change(true, |_| Ok(((), change))), Err(libc::EIO));
    assert!(machine.volume.look(|tree| tree.content(file).unwrap().is_empty()), "nobody reads it before");
    machine.sync(file);
    let trace = machine.volume.take_trace();
    let mut timeline = Timeline::new(&trace);
    timeline.advance(machine.ticks.now());
    assert_eq!(timeline.pending().len(), 1);
    assert_eq!(content(&timeline.image(&[Kept::Whole]), "file").unwrap(), b"half");
    assert_eq!(content(&timeline.image(&[Kept::Size]), "file").unwrap(), b"\0\0\0\0");
}

#[test]
fn what_was_synced_before_another_sync_fails_stays_durable_however_far_one_looks_at_once() {
    let machine = Machine::new();
    let file = machine.make(ROOT, "file", false);
    machine.sync(ROOT);
    machine.write(file, 0, b"kept", false);
    machine.sync(file);
    machine.write(file, 4, b"lost", false);
    let failure = Some(Armed { after: 0, error: libc::EIO, times: 1, calls: Calls::Vouching });
    machine.volume.arm(Faults { failure, ..Faults::default() });
    assert_eq!(machine.volume.sync(file), Err(libc::EIO));
    machine.sync(file);
    let trace = machine.volume.take_trace();
    let end = machine.ticks.now();
    let mut stepwise = Timeline::new(&trace);
    (0..=end).for_each(|at| stepwise.advance(at));
    let mut at_once = Timeline::new(&trace);
    at_once.advance(end);
    for timeline in [stepwise, at_once] {
        assert_eq!(timeline.pending().len(), 1);
        assert_eq!(content(&timeline.image(&[Kept::Lost]), "file").unwrap(), b"kept");
    }
}
