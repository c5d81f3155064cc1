//! The state behind a world: files, names, handles, locks, and the operations under way.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::task::Waker;

use super::block::{PAGE, SECTOR};
use super::clock::SimClock;
use super::fault::{Class, Fault, Faults};
use super::inode::{Inode, whole};
use super::names::{Names, Node};
use crate::base::clock::Clock;
use crate::disk::{AlignedBuf, Lock, Metadata, Open};

/// Everything that a crash leaves, in some form, behind.
#[derive(Clone, Default)]
pub(super) struct Storage {
    pub(super) inodes: BTreeMap<u64, Rc<Inode>>,
    pub(super) names: Names,
    pub(super) next_inode: u64,
    pub(super) capacity: Option<u64>,
    pub(super) no_direct: bool,
}

/// An open file of a process, also of a dead one while its writes have not landed.
#[derive(Clone)]
pub(super) struct Handle {
    pub(super) process: u64,
    pub(super) inode: u64,
    pub(super) how: Open,
    pub(super) path: Rc<Path>,
    pub(super) open: bool,
    /// Copies of the process that hold it too.
    pub(super) heirs: BTreeSet<u64>,
}

impl Handle {
    fn is_held(&self) -> bool {
        self.open || !self.heirs.is_empty()
    }
}

#[derive(Clone)]
pub(super) struct Held {
    inode: u64,
    byte: u64,
    kind: Lock,
    pub(super) handle: u64,
}

/// What an operation is to do.
#[derive(Clone)]
pub(super) enum What {
    CreateDir(PathBuf),
    Open(PathBuf, Open),
    Rename(PathBuf, PathBuf),
    Remove(PathBuf),
    SyncDir(PathBuf),
    List(PathBuf),
    Metadata(PathBuf),
    Read { handle: u64, offset: u64, len: usize },
    Write { handle: u64, offset: u64, data: Rc<AlignedBuf>, from: usize },
    Sync { handle: u64 },
    Lock { handle: u64, byte: u64, kind: Lock, wait: bool },
}

impl What {
    pub(super) fn handle(&self) -> Option<u64> {
        match self {
            Self::Read { handle, .. }
            | Self::Write { handle, .. }
            | Self::Sync { handle }
            | Self::Lock { handle, .. } => Some(*handle),
            _ => None,
        }
    }

    pub(super) fn class(&self) -> Class {
        match self {
            Self::Read { .. } => Class::Read,
            Self::Write { .. } => Class::Write,
            Self::Sync { .. } => Class::Sync,
            Self::CreateDir(_) | Self::Open(_, Open::CreateNew) => Class::Create,
            Self::SyncDir(_) => Class::SyncNames,
            Self::Open(..) | Self::Rename(..) | Self::Remove(_) | Self::List(_) | Self::Metadata(_) => Class::Name,
            Self::Lock { .. } => Class::Lock,
        }
    }
}

/// What an operation answered.
pub(super) enum Answer {
    Done,
    Handle(u64),
    Names(Vec<String>),
    Metadata(Metadata),
    Data(AlignedBuf),
    Granted(bool),
}

/// An operation under way.
pub(super) struct UnderWay {
    pub(super) process: u64,
    pub(super) what: What,
    pub(super) polls_left: u32,
    pub(super) not_before_us: u64,
    pub(super) waker: Option<Waker>,
    pub(super) abandoned: bool,
}

pub(super) struct State {
    pub(super) storage: Storage,
    pub(super) rng: fastrand::Rng,
    /// Numbers operations and the changes that they make, in the order of their beginnings and effects.
    pub(super) next_number: u64,
    pub(super) operations: u64,
    pub(super) freeze_at: u64,
    pub(super) max_polls: Option<u32>,
    pub(super) handles: BTreeMap<u64, Handle>,
    pub(super) locks: Vec<Held>,
    pub(super) under_way: BTreeMap<u64, UnderWay>,
    pub(super) finished: BTreeMap<u64, io::Result<Answer>>,
    pub(super) faults: Faults,
    pub(super) planted: BTreeMap<u64, Fault>,
    pub(super) alive: BTreeSet<u64>,
    pub(super) clock: SimClock,
    pub(super) fingerprint: u64,
}

impl State {
    pub(super) fn new(seed: u64, storage: Storage, clock: SimClock, next_number: u64) -> Self {
        Self {
            storage,
            rng: fastrand::Rng::with_seed(seed),
            next_number,
            operations: 0,
            freeze_at: u64::MAX,
            max_polls: Some(1),
            handles: BTreeMap::new(),
            locks: Vec::new(),
            under_way: BTreeMap::new(),
            finished: BTreeMap::new(),
            faults: Faults::default(),
            planted: BTreeMap::new(),
            alive: BTreeSet::new(),
            clock,
            fingerprint: 0,
        }
    }

    pub(super) fn number(&mut self) -> u64 {
        self.next_number += 1;
        self.next_number
    }

    pub(super) fn frozen(&self) -> bool {
        self.operations >= self.freeze_at
    }

    /// Takes an operation in. That of a dead process is never done.
    pub(super) fn begin(&mut self, process: u64, what: What) -> u64 {
        let number = self.number();
        if !self.alive.contains(&process) {
            return number;
        }
        let polls_left = self.max_polls.map_or(0, |max| self.rng.u32(1..=max.max(1)));
        let mut not_before_us = 0;
        if self.faults.is_slow(what.class(), &mut self.rng) {
            not_before_us = self.clock.monotonic_us() + self.rng.u64(..=self.faults.slow_us);
        }
        let under_way = UnderWay { process, what, polls_left, not_before_us, waker: None, abandoned: false };
        self.under_way.insert(number, under_way);
        number
    }

    /// Whether the operation could end now: it is not slow, and the lock it waits for is free.
    pub(super) fn runnable(&self, number: u64) -> bool {
        let Some(op) = self.under_way.get(&number) else { return false };
        let free = match op.what {
            What::Lock { handle, byte, kind, wait: true } => self.grantable(handle, byte, kind),
            _ => true,
        };
        free && op.not_before_us <= self.clock.monotonic_us()
    }

    /// Does one step of an operation, its whole or a part of a short write. Answers who is to be woken.
    pub(super) fn perform(&mut self, number: u64) -> Vec<Waker> {
        let Some(op) = self.under_way.get(&number) else { return Vec::new() };
        let what = op.what.clone();
        let fault = self.draw_fault(&what);
        if fault == Some(Fault::Short)
            && let What::Write { handle, offset, data, from } = &what
            && let Some(to) = self.cut_short(*handle, *from, data.len())
        {
            let done = self.write(*handle, offset + *from as u64, &data[*from..to], None);
            if done.is_ok()
                && let Some(op) = self.under_way.get_mut(&number)
            {
                op.what = What::Write { handle: *handle, offset: *offset, data: Rc::clone(data), from: to };
                return op.waker.take().into_iter().collect();
            }
        }
        let Some(op) = self.under_way.remove(&number) else { return Vec::new() };
        // The caller's buffer goes back as it is if nobody else holds it.
        drop(what);
        let answer = self.apply(number, op.process, op.what, fault);
        let mut woken: Vec<Waker> = op.waker.into_iter().collect();
        if !op.abandoned && self.alive.contains(&op.process) {
            self.finished.insert(number, answer);
        } else if let Ok(Answer::Handle(handle)) = answer {
            self.close(handle);
        }
        woken.extend(self.release_closed());
        woken
    }

    /// What goes wrong with the next operation, which it counts.
    pub(super) fn draw_fault(&mut self, what: &What) -> Option<Fault> {
        let fault = match self.planted.remove(&self.operations) {
            Some(planted) => Some(planted),
            None => self.faults.draw(what.class(), &mut self.rng),
        };
        self.operations += 1;
        fault
    }

    /// Where a short write stops, if it is long enough to stop before its end.
    fn cut_short(&mut self, handle: u64, from: usize, len: usize) -> Option<usize> {
        let direct = self.handles.get(&handle)?.how == Open::Direct;
        let unit = if direct { SECTOR } else { 1 };
        let units = (len - from) / unit;
        (units > 1).then(|| from + unit * self.rng.usize(1..units))
    }

    /// Does an operation.
    pub(super) fn apply(&mut self, number: u64, process: u64, what: What, fault: Option<Fault>) -> io::Result<Answer> {
        match (fault, what.class()) {
            (Some(Fault::NoSpace), Class::Create | Class::Write) => return Err(errno(libc::ENOSPC)),
            (Some(Fault::Error), Class::Read | Class::Create | Class::Name | Class::SyncNames) => {
                return Err(errno(libc::EIO));
            }
            _ => {}
        }
        match what {
            What::CreateDir(path) => {
                let change = self.number();
                match self.storage.names.create(change, &path, Node::Dir) {
                    Err(e)
                        if e.kind() == io::ErrorKind::AlreadyExists
                            && self.storage.names.get(&path) == Some(Node::Dir) =>
                    {
                        Ok(Answer::Done)
                    }
                    other => other.map(|()| Answer::Done),
                }
            }
            What::Open(path, how) => self.open(process, &path, how).map(Answer::Handle),
            What::Rename(from, to) => {
                let change = self.number();
                self.storage.names.rename(change, &from, &to).map(|()| Answer::Done)
            }
            What::Remove(path) => {
                let change = self.number();
                self.storage.names.remove(change, &path).map(|()| Answer::Done)
            }
            What::SyncDir(path) => {
                // Covered is what was done when the sync began.
                let upto = if fault == Some(Fault::SyncLie) { 0 } else { number };
                self.storage.names.sync(&path, upto).map(|()| Answer::Done)
            }
            What::List(path) => self.storage.names.list(&path).map(Answer::Names),
            What::Metadata(path) => {
                let inode = self.inode(self.storage.names.file(&path)?)?;
                Ok(Answer::Metadata(Metadata {
                    len: inode.len(),
                    links: 1,
                    allocated: inode.allocated(),
                    shared: false,
                }))
            }
            What::Read { handle, offset, len } => {
                let handle = self.handle(handle)?;
                Ok(Answer::Data(self.inode(handle.inode)?.read(offset, len, handle.how == Open::Direct)))
            }
            What::Write { handle, offset, data, from } => {
                self.write(handle, offset + from as u64, &data[from..], fault)?;
                Ok(Answer::Data(Rc::try_unwrap(data).unwrap_or_else(|shared| copy(&shared))))
            }
            What::Sync { handle } => {
                let inode = self.handle(handle)?.inode;
                let Some(inode) = self.storage.inodes.get_mut(&inode) else { return Err(errno(libc::EBADF)) };
                match fault {
                    Some(Fault::Error) => {
                        Rc::make_mut(inode).fail_sync(number, &mut self.rng);
                        return Err(errno(libc::EIO));
                    }
                    Some(Fault::SyncLie) => {}
                    _ => Rc::make_mut(inode).sync(number),
                }
                Ok(Answer::Done)
            }
            What::Lock { handle, byte, kind, .. } => {
                let (inode, how) = (self.handle(handle)?.inode, self.handle(handle)?.how);
                if kind == Lock::Exclusive && how == Open::Read {
                    return Err(errno(libc::EBADF));
                }
                let granted = self.grantable(handle, byte, kind);
                if granted {
                    self.locks.retain(|held| (held.handle, held.byte) != (handle, byte));
                    self.locks.push(Held { inode, byte, kind, handle });
                }
                Ok(Answer::Granted(granted))
            }
        }
    }

    fn handle(&self, handle: u64) -> io::Result<&Handle> {
        self.handles.get(&handle).ok_or_else(|| errno(libc::EBADF))
    }

    fn inode(&self, inode: u64) -> io::Result<&Inode> {
        self.storage.inodes.get(&inode).map(|inode| &**inode).ok_or_else(|| errno(libc::EBADF))
    }

    fn open(&mut self, process: u64, path: &Path, how: Open) -> io::Result<u64> {
        let inode = if how == Open::CreateNew {
            let (change, inode) = (self.number(), self.storage.next_inode);
            self.storage.names.create(change, path, Node::File(inode))?;
            self.storage.next_inode += 1;
            self.storage.inodes.insert(inode, Rc::default());
            inode
        } else {
            self.storage.names.file(path)?
        };
        if how == Open::Direct && self.storage.no_direct {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "the simulated file system has no direct I/O"));
        }
        let number = self.number();
        self.handles
            .insert(number, Handle { process, inode, how, path: path.into(), open: true, heirs: BTreeSet::new() });
        Ok(number)
    }

    fn write(&mut self, handle: u64, offset: u64, data: &[u8], fault: Option<Fault>) -> io::Result<()> {
        let (id, how) = (self.handle(handle)?.inode, self.handle(handle)?.how);
        if how == Open::Read {
            return Err(errno(libc::EBADF));
        }
        let number = self.number();
        let room = self.room();
        let Some(inode) = self.storage.inodes.get_mut(&id).map(Rc::make_mut) else { return Err(errno(libc::EBADF)) };
        if data.is_empty() {
            return Ok(());
        }
        if room.is_some_and(|room| inode.holes_in(offset, data.len()) * PAGE as u64 > room) {
            return Err(errno(libc::ENOSPC));
        }
        let rng = &mut self.rng;
        let direct = how == Open::Direct;
        match fault {
            Some(Fault::Error) if direct => {
                inode.write_direct(offset, data, |_| rng.u8(..));
                Err(errno(libc::EIO))
            }
            Some(Fault::Error) => {
                inode.write_cached(number, offset, &data[..rng.usize(..data.len())]);
                Err(errno(libc::EIO))
            }
            Some(Fault::Lost) if direct => Ok(()),
            Some(Fault::Lost) => {
                inode.grow(number, offset + data.len() as u64);
                inode.write_cache_only(offset, data);
                Ok(())
            }
            Some(Fault::Misdirected) => {
                let elsewhere = rng.u64(..=inode.len() / PAGE as u64) * PAGE as u64;
                if !direct {
                    inode.grow(number, offset + data.len() as u64);
                    inode.write_cache_only(offset, data);
                }
                inode.write_direct(elsewhere, data, whole);
                Ok(())
            }
            Some(Fault::FlippedBit) => {
                let mut flipped = copy(data);
                flipped[rng.usize(..data.len())] ^= 1 << rng.u8(..8);
                match direct {
                    true => inode.write_direct(offset, &flipped, whole),
                    false => inode.write_cached(number, offset, &flipped),
                }
                Ok(())
            }
            _ if direct && fault != Some(Fault::SyncLie) => {
                inode.write_direct(offset, data, whole);
                Ok(())
            }
            _ => {
                inode.write_cached(number, offset, data);
                Ok(())
            }
        }
    }

    /// Free storage, if it is limited.
    pub(super) fn room(&mut self) -> Option<u64> {
        let capacity = self.storage.capacity?;
        self.collect();
        let used: u64 = self.storage.inodes.values().map(|inode| inode.allocated()).sum();
        Some(capacity.saturating_sub(used))
    }

    /// Frees files that no name and no handle leads to.
    pub(super) fn collect(&mut self) {
        let (names, handles) = (&self.storage.names, &self.handles);
        self.storage.inodes.retain(|id, _| names.may_name(*id) || handles.values().any(|handle| handle.inode == *id));
    }

    fn grantable(&self, handle: u64, byte: u64, kind: Lock) -> bool {
        let Some(inode) = self.handles.get(&handle).map(|handle| handle.inode) else { return true };
        !self.locks.iter().any(|held| {
            (held.inode, held.byte) == (inode, byte)
                && held.handle != handle
                && (kind == Lock::Exclusive || held.kind == Lock::Exclusive)
        })
    }

    /// Closes a handle. Its locks are released when its last operation has ended.
    pub(super) fn close(&mut self, handle: u64) -> Vec<Waker> {
        if let Some(handle) = self.handles.get_mut(&handle) {
            handle.open = false;
        }
        self.release_closed()
    }

    /// A copy of a process closes what it has from its parent.
    pub(super) fn close_inherited(&mut self, process: u64) -> Vec<Waker> {
        for handle in self.handles.values_mut() {
            handle.heirs.remove(&process);
        }
        self.release_closed()
    }

    /// Releases the locks of closed handles without operations under way. Answers those who wait for locks.
    pub(super) fn release_closed(&mut self) -> Vec<Waker> {
        if self.handles.values().all(Handle::is_held) {
            return Vec::new();
        }
        let busy: BTreeSet<u64> = self.under_way.values().filter_map(|op| op.what.handle()).collect();
        self.handles.retain(|number, handle| handle.is_held() || busy.contains(number));
        let (before, handles) = (self.locks.len(), &self.handles);
        self.locks.retain(|held| handles.contains_key(&held.handle));
        if self.locks.len() == before {
            return Vec::new();
        }
        let waiting = self.under_way.values_mut().filter(|op| matches!(op.what, What::Lock { wait: true, .. }));
        waiting.filter_map(|op| op.waker.take()).collect()
    }
}

fn copy(bytes: &[u8]) -> AlignedBuf {
    let mut buf = AlignedBuf::with_capacity(bytes.len());
    buf.extend_from_slice(bytes);
    buf
}

fn errno(code: i32) -> io::Error {
    io::Error::from_raw_os_error(code)
}
