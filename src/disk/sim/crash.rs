//! What a crash leaves: a new state from the old one and a choice, the old one untouched.

use std::path::Path;
use std::rc::Rc;
use std::task::Waker;

use xxhash_rust::xxh3::Xxh3;

use super::block::WHOLE;
use super::clock::SimClock;
use super::inode::Inode;
use super::names::Node;
use super::state::{State, UnderWay, What};
use super::survival::{Fate, Survival};
use crate::base::clock::Clock;
use crate::disk::{AlignedBuf, Open};

/// How the process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crash {
    /// The processes die, the system lives on: what is in the cache stays. A direct write in flight may never run, run
    /// in part, have landed, or land later, after the next start.
    Kill,
    /// The power fails: only the medium stays. What was not synced survives as the choice has it: lost, reordered, torn
    /// between sectors, or with its whole 4 KiB unit destroyed.
    Power,
}

/// A write of a dead process lands at most this much later: 21 ms were seen on a real disk.
const LATEST_US: u64 = 21_000;

/// What becomes of a direct write in flight when its process is killed.
#[derive(Clone, Copy)]
enum InFlight {
    Never,
    Landed,
    Part,
    Later,
}

impl State {
    /// The state after all processes have died.
    pub(super) fn image(&self, crash: Crash, choice: u64) -> State {
        let clock = SimClock::at(self.clock.wall_us(), self.clock.monotonic_us());
        let mut image = State::new(choice, self.storage.clone(), clock, self.next_number);
        image.handles.clone_from(&self.handles);
        let mut survival = Survival::new(choice, self.numbers_at_stake());
        let mut print = Xxh3::new();
        print.update(&[crash as u8]);
        image.locks.clone_from(&self.locks);
        match crash {
            Crash::Kill => {
                for (number, op) in &self.under_way {
                    image.die_in(*number, op, &mut survival, &mut print);
                }
            }
            Crash::Power => {
                for (number, op) in &self.under_way {
                    image.cut_in_flight(*number, op, &mut survival, &mut print);
                }
                image.handles.clear();
                image.cut_power(&mut survival, &mut print);
            }
        }
        // An image has no waiting futures.
        drop(image.bury());
        image.fingerprint = print.digest();
        image
    }

    /// One process dies, others live on. Answers what it was doing, to be dropped, and who is to be woken.
    pub(super) fn kill(&mut self, process: u64, choice: u64) -> (Vec<UnderWay>, Vec<Waker>) {
        self.alive.remove(&process);
        let mut survival = Survival::new(choice, self.numbers_at_stake());
        let of_it: Vec<u64> =
            self.under_way.iter().filter(|(_, op)| op.process == process).map(|(number, _)| *number).collect();
        let mut died = Vec::new();
        for number in of_it {
            if let Some(op) = self.under_way.remove(&number) {
                self.die_in(number, &op, &mut survival, &mut Xxh3::new());
                died.push(op);
            }
        }
        (died, self.bury())
    }

    fn numbers_at_stake(&self) -> (u64, u64) {
        let in_files = self.storage.inodes.values().flat_map(|inode| inode.unsynced());
        let numbers = in_files.chain(self.storage.names.unsynced()).chain(self.under_way.keys().copied());
        numbers.fold((u64::MAX, 0), |(low, high), number| (low.min(number), high.max(number)))
    }

    /// The handles of the dead are closed; those with a write still to land keep their locks. Answers those who wait for locks.
    fn bury(&mut self) -> Vec<Waker> {
        for handle in self.handles.values_mut() {
            handle.open &= self.alive.contains(&handle.process);
            handle.heirs.retain(|heir| self.alive.contains(heir));
        }
        let waiting = self.release_closed();
        self.locks.retain(|held| self.handles.contains_key(&held.handle));
        self.collect();
        waiting
    }

    /// The process dies with `op` under way.
    fn die_in(&mut self, number: u64, op: &UnderWay, survival: &mut Survival, print: &mut Xxh3) {
        let lives = survival.survives(number);
        let outcome = match &op.what {
            What::Write { handle, offset, data, from } if self.is_direct(*handle) => {
                let outcome = match (lives, survival.is_mixed()) {
                    (false, false) => InFlight::Never,
                    (true, false) => InFlight::Landed,
                    _ => {
                        [InFlight::Never, InFlight::Landed, InFlight::Part, InFlight::Later][survival.rng().usize(..4)]
                    }
                };
                let (at, rest) = (offset + *from as u64, &data[*from..]);
                match outcome {
                    InFlight::Never => {}
                    InFlight::Landed => self.land(*handle, at, rest, &[]),
                    InFlight::Part => {
                        // A signal stops a write between two requests to the device, not within a page.
                        let sectors: Vec<u8> = (0..Inode::page_count(at, rest.len()))
                            .map(|_| if survival.rng().bool() { WHOLE } else { 0 })
                            .collect();
                        print.update(&sectors);
                        self.land(*handle, at, rest, &sectors);
                    }
                    InFlight::Later => {
                        let late = UnderWay {
                            process: op.process,
                            what: op.what.clone(),
                            polls_left: 0,
                            not_before_us: self.clock.monotonic_us() + survival.rng().u64(..LATEST_US),
                            waker: None,
                            abandoned: true,
                        };
                        self.under_way.insert(number, late);
                    }
                }
                outcome as u8
            }
            What::Write { handle, offset, data, from } => {
                let rest = data.len() - from;
                let written = match (lives, survival.is_mixed()) {
                    (false, _) => 0,
                    (true, false) => rest,
                    (true, true) => survival.rng().usize(..=rest),
                };
                let mut cut = AlignedBuf::with_capacity(written);
                cut.extend_from_slice(&data[*from..from + written]);
                print.update(&(written as u64).to_le_bytes());
                let what = What::Write { handle: *handle, offset: offset + *from as u64, data: Rc::new(cut), from: 0 };
                // The answer has no reader any more.
                drop(self.apply(number, op.process, what, None));
                u8::from(written > 0)
            }
            What::Read { .. } | What::Lock { .. } | What::List(_) | What::Metadata(_) => return,
            What::Open(_, how) if *how != Open::CreateNew => return,
            _ => {
                if lives {
                    drop(self.apply(number, op.process, op.what.clone(), None));
                }
                u8::from(lives)
            }
        };
        print.update(&number.to_le_bytes());
        print.update(&[outcome]);
    }

    /// The power fails with `op` under way.
    fn cut_in_flight(&mut self, number: u64, op: &UnderWay, survival: &mut Survival, print: &mut Xxh3) {
        match &op.what {
            What::Write { handle, offset, data, from } if self.is_direct(*handle) => {
                let (at, rest) = (offset + *from as u64, &data[*from..]);
                let mut sectors = Vec::new();
                let mut destroyed = Vec::new();
                for page in 0..Inode::page_count(at, rest.len()) {
                    sectors.push(match (survival.survives(number), survival.fate()) {
                        (false, _) => 0,
                        (true, Fate::Sectors(set)) => set,
                        (true, Fate::Destroyed) => {
                            destroyed.push(page);
                            WHOLE
                        }
                    });
                }
                print.update(&number.to_le_bytes());
                print.update(&sectors);
                self.land(*handle, at, rest, &sectors);
                let inode = self.handles.get(handle).map(|handle| handle.inode);
                if let Some(inode) = inode.and_then(|inode| self.storage.inodes.get_mut(&inode)) {
                    for page in destroyed {
                        print.update(&[page as u8, 0xdd]);
                        Rc::make_mut(inode).destroy(at + (page * super::block::PAGE) as u64, survival.rng());
                    }
                }
            }
            What::Sync { .. } | What::SyncDir(_) => {}
            _ => self.die_in(number, op, survival, print),
        }
    }

    fn cut_power(&mut self, survival: &mut Survival, print: &mut Xxh3) {
        self.storage.names.cut_power(survival);
        for (path, inode) in self.storage.names.files() {
            print.update(path.as_os_str().as_encoded_bytes());
            print.update(&inode.to_le_bytes());
        }
        self.under_way.clear();
        self.collect();
        for (id, inode) in &mut self.storage.inodes {
            print.update(&id.to_le_bytes());
            if inode.at_risk() == 0 && !inode.has_cached_pages() {
                continue;
            }
            Rc::make_mut(inode).cut_power(survival, |page, content| {
                print.update(&page.to_le_bytes());
                print.update(content);
            });
        }
    }

    fn is_direct(&self, handle: u64) -> bool {
        self.handles.get(&handle).is_some_and(|handle| handle.how == Open::Direct)
    }

    /// Lands a direct write; of each page the sectors given, or all.
    fn land(&mut self, handle: u64, offset: u64, data: &[u8], sectors: &[u8]) {
        let inode = self.handles.get(&handle).map(|handle| handle.inode);
        if let Some(inode) = inode.and_then(|inode| self.storage.inodes.get_mut(&inode)) {
            Rc::make_mut(inode).write_direct(offset, data, |page| sectors.get(page).copied().unwrap_or(WHOLE));
        }
    }

    /// The inode of a file by name, on the medium or as the running system has it.
    pub(super) fn named(&self, path: &Path, medium: bool) -> Option<&Rc<Inode>> {
        let node = if medium { self.storage.names.on_medium(path) } else { self.storage.names.get(path) };
        match node? {
            Node::File(inode) => self.storage.inodes.get(&inode),
            Node::Dir => None,
        }
    }
}
