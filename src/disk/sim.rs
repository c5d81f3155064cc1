//! The simulated disk: deterministic by a seed, it loses, tears, reorders and delays what a real disk may.
//!
//! A [`World`] is the machine: cache and medium of its disk, the operations under way, and a [`SimClock`]. A
//! [`SimDisk`], from [`World::boot`], is that disk in the hands of one process. Every operation becomes pending when it
//! is called; either it ends by itself when it is polled ([`World::set_auto`], the default), or when the harness says so
//! ([`World::set_manual`], [`World::complete`], [`World::step`]).
//!
//! At any moment [`World::image`] answers what a crash would leave: a new world, for each choice another of the states
//! that the promises of the operating system allow. Content is shared between images, so one moment can be branched
//! into thousands. [`World::set_hook`] is called before each operation: the place to crash "between any two".
//!
//! What is modelled, and what is not, stands in `docs/simulated-disk.md`.
//!
//! ```
//! use std::path::Path;
//! use ackd::disk::sim::{Crash, World};
//! use ackd::disk::{AlignedBuf, Disk, Open};
//!
//! let world = World::new(42);
//! world.make_dir(Path::new("/data"));
//! let disk = world.boot();
//! world.run(async {
//!     let file = disk.open(Path::new("/data/file"), Open::CreateNew).await.unwrap();
//!     let mut data = AlignedBuf::with_capacity(5);
//!     data.extend_from_slice(b"hello");
//!     file.write_at(0, data).await.unwrap();
//!     file.sync().await.unwrap();
//!     // Forgotten: disk.sync_dir(Path::new("/data")).
//! });
//! let survivors = (0..100).filter(|choice| !world.image(Crash::Power, *choice).files().is_empty()).count();
//! assert!(survivors > 0 && survivors < 100, "a file without a synced directory may vanish");
//! ```

mod block;
mod clock;
mod crash;
mod fault;
mod handle;
mod inode;
#[cfg(test)]
mod model_test;
mod names;
mod state;
mod survival;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

pub use clock::SimClock;
pub use crash::Crash;
pub use fault::{Fault, Faults};
pub use handle::SimDisk;

use self::inode::Inode;
use self::names::Node;
use self::state::{Answer, State, Storage, What};
use crate::base::clock::Clock;
use crate::disk::Open;

/// In an automatic world, the chance (one in so many) that a poll lets a write of a dead process, or one whose future
/// was dropped, happen first.
const LATE_ONE_IN: u32 = 8;

/// A simulated machine. Copies are handles to the same one.
#[derive(Clone)]
pub struct World(Rc<Inner>);

/// What [`World::set_hook`] takes.
pub type Hook = Box<dyn FnMut(&World, &Operation)>;

struct Inner {
    state: RefCell<State>,
    hook: RefCell<Option<Hook>>,
}

/// What kind of operation is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// [`Disk::create_dir`](crate::disk::Disk::create_dir).
    CreateDir,
    /// [`Disk::open`](crate::disk::Disk::open) of a new file.
    Create,
    /// [`Disk::open`](crate::disk::Disk::open) of an existing file.
    Open,
    /// [`Disk::rename`](crate::disk::Disk::rename).
    Rename,
    /// [`Disk::remove`](crate::disk::Disk::remove).
    Remove,
    /// [`Disk::sync_dir`](crate::disk::Disk::sync_dir).
    SyncDir,
    /// [`Disk::list`](crate::disk::Disk::list).
    List,
    /// [`Disk::metadata`](crate::disk::Disk::metadata).
    Metadata,
    /// [`File::read_at`](crate::disk::File::read_at).
    Read,
    /// [`File::write_at`](crate::disk::File::write_at) through the cache.
    Write,
    /// [`File::write_at`](crate::disk::File::write_at) past the cache.
    DirectWrite,
    /// [`File::sync`](crate::disk::File::sync).
    Sync,
    /// [`File::lock`](crate::disk::File::lock).
    Lock,
}

/// An operation under way.
#[derive(Clone, Debug)]
pub struct Operation {
    /// Its number, unique in the world and its images, in the order of the calls.
    pub number: u64,
    /// The process that called it, see [`SimDisk::process`].
    pub process: u64,
    /// What it does.
    pub kind: Kind,
    /// The file or directory (of a rename, the new name).
    pub path: PathBuf,
    /// Whether it can end now: it is not slow, and waits for no lock.
    pub runnable: bool,
    /// Whether its process is dead: a direct write that lands late.
    pub late: bool,
}

/// What a crash at this moment may take back or tear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AtRisk {
    /// Operations under way that change something.
    pub in_flight: usize,
    /// Pages and lengths of files that are not synced.
    pub content: usize,
    /// Changes of names that are not synced.
    pub names: usize,
}

impl World {
    /// An empty machine. Every draw, of faults and of orders, comes from `seed`.
    pub fn new(seed: u64) -> Self {
        Self::from_state(State::new(seed, Storage::default(), SimClock::new(), 0))
    }

    fn from_state(state: State) -> Self {
        Self(Rc::new(Inner { state: RefCell::new(state), hook: RefCell::new(None) }))
    }

    /// Starts a process: its disk. Several may live at once.
    pub fn boot(&self) -> SimDisk {
        let process = {
            let mut state = self.0.state.borrow_mut();
            let process = state.number();
            state.alive.insert(process);
            process
        };
        SimDisk::new(self.clone(), process)
    }

    /// Starts a copy of a process, as `fork` does: until it says otherwise ([`SimDisk::close_inherited`]), it holds all
    /// files that its parent has open, and their locks.
    pub fn fork(&self, parent: u64) -> SimDisk {
        let copy = self.boot();
        let mut state = self.0.state.borrow_mut();
        for handle in state.handles.values_mut().filter(|handle| handle.process == parent && handle.open) {
            handle.heirs.insert(copy.process());
        }
        drop(state);
        copy
    }

    /// The machine's clock.
    pub fn clock(&self) -> SimClock {
        self.0.state.borrow().clock.clone()
    }

    // How operations end.

    /// Operations end by themselves, each at one of its first `max_polls` polls, drawn. A new world does so with 1.
    pub fn set_auto(&self, max_polls: u32) {
        self.0.state.borrow_mut().max_polls = Some(max_polls);
    }

    /// Operations end only by [`World::complete`] and [`World::step`].
    pub fn set_manual(&self) {
        self.0.state.borrow_mut().max_polls = None;
    }

    /// How many steps of operations were done. A short write takes two.
    pub fn operations(&self) -> u64 {
        self.0.state.borrow().operations
    }

    /// From when [`World::operations`] reaches `operations`, nothing ends any more: the moment before a crash.
    pub fn freeze_at(&self, operations: u64) {
        self.0.state.borrow_mut().freeze_at = operations;
    }

    /// Whether nothing ends any more.
    pub fn is_frozen(&self) -> bool {
        self.0.state.borrow().frozen()
    }

    /// Calls `hook` before each step of an operation, with the world as it is while the operation is in flight. It may
    /// take images and freeze the world; it cannot remove itself.
    pub fn set_hook(&self, hook: Option<Hook>) {
        *self.0.hook.borrow_mut() = hook;
    }

    /// The operations under way, in the order of their calls.
    pub fn pending(&self) -> Vec<Operation> {
        let state = self.0.state.borrow();
        state.under_way.keys().filter_map(|number| describe(&state, *number)).collect()
    }

    /// Does a step of the operation of that number, usually its only one. Answers whether it could.
    pub fn complete(&self, number: u64) -> bool {
        let hook = self.0.hook.borrow_mut().take();
        let operation = {
            let state = self.0.state.borrow();
            if state.frozen() || !state.runnable(number) {
                *self.0.hook.borrow_mut() = hook;
                return false;
            }
            hook.is_some().then(|| describe(&state, number)).flatten()
        };
        if let (Some(mut hook), Some(operation)) = (hook, operation) {
            hook(self, &operation);
            self.0.hook.borrow_mut().get_or_insert(hook);
            if self.is_frozen() {
                return false;
            }
        }
        let woken = self.0.state.borrow_mut().perform(number);
        woken.into_iter().for_each(Waker::wake);
        true
    }

    /// Completes one of the operations that can, drawn; writes of dead processes included. Answers its number.
    pub fn step(&self) -> Option<u64> {
        let chosen = {
            let mut state = self.0.state.borrow_mut();
            let runnable: Vec<u64> = state.under_way.keys().copied().filter(|number| state.runnable(*number)).collect();
            if runnable.is_empty() { None } else { Some(runnable[state.rng.usize(..runnable.len())]) }
        };
        chosen.filter(|number| self.complete(*number))
    }

    /// The monotonic time at which a slow operation, or a sleeper on the clock, is due.
    pub fn next_due_us(&self) -> Option<u64> {
        let state = self.0.state.borrow();
        let now = state.clock.monotonic_us();
        let slow = state.under_way.values().map(|op| op.not_before_us).filter(|due| *due > now).min();
        slow.into_iter().chain(state.clock.next_due_us()).min()
    }

    /// Drives one future to its end, completing operations and letting time pass as it needs. `None` when it waits for
    /// something that never comes: the world is frozen, its process dead, a lock held.
    pub fn run<T>(&self, future: impl Future<Output = T>) -> Option<T> {
        let mut future = std::pin::pin!(future);
        let woken = Arc::new(Woken(AtomicBool::new(false)));
        let waker = Waker::from(Arc::clone(&woken));
        loop {
            if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
                return Some(value);
            }
            while !woken.0.swap(false, Ordering::Relaxed) {
                if self.is_frozen() {
                    return None;
                }
                if self.step().is_none() {
                    let now = self.clock().monotonic_us();
                    let due = self.next_due_us()?;
                    self.clock().advance(Duration::from_micros(due.saturating_sub(now)));
                }
            }
        }
    }

    // Crashes.

    /// What a crash of the whole machine, or of all its processes, at this moment may leave. `choice` chooses among the
    /// possible outcomes: 0 is the least (nothing unsynced survives), 1 the most, any other a mixture drawn by that
    /// seed. This world is left as it is. The new one has no faults, ends operations automatically, and has a clock of
    /// its own that shows the same time.
    pub fn image(&self, crash: Crash, choice: u64) -> World {
        Self::from_state(self.0.state.borrow().image(crash, choice))
    }

    /// A number that tells apart images of one moment by what survived: two images with equal fingerprints have equal
    /// content and equal late writes.
    pub fn fingerprint(&self) -> u64 {
        self.0.state.borrow().fingerprint
    }

    /// Crashes this world itself, with a drawn choice. Its processes are dead: their operations never end. Faults,
    /// clock, hook and the way operations end stay.
    pub fn crash(&self, crash: Crash) {
        let mut state = self.0.state.borrow_mut();
        let choice = state.rng.u64(..);
        let after = state.image(crash, choice);
        state.storage = after.storage;
        state.handles = after.handles;
        state.locks = after.locks;
        state.fingerprint = after.fingerprint;
        state.next_number = state.next_number.max(after.next_number);
        state.alive.clear();
        let forgotten = (std::mem::replace(&mut state.under_way, after.under_way), std::mem::take(&mut state.finished));
        drop(state);
        drop(forgotten);
    }

    /// Kills one process, as [`Crash::Kill`] does; the others live on.
    pub fn kill(&self, process: u64) {
        let (died, woken) = {
            let mut state = self.0.state.borrow_mut();
            let choice = state.rng.u64(..);
            state.kill(process, choice)
        };
        drop(died);
        woken.into_iter().for_each(Waker::wake);
    }

    /// Lands all writes of dead processes that are still to land; answers how many. A waiting lock is granted then.
    pub fn land_later(&self) -> usize {
        let late: Vec<u64> = self.pending().iter().filter(|op| op.late).map(|op| op.number).collect();
        for number in &late {
            let woken = self.0.state.borrow_mut().perform(*number);
            woken.into_iter().for_each(Waker::wake);
        }
        late.len()
    }

    /// What a crash at this moment would put at stake.
    pub fn at_risk(&self) -> AtRisk {
        let state = self.0.state.borrow();
        let passive = |what: &What| {
            matches!(what, What::Read { .. } | What::Lock { .. } | What::List(_) | What::Metadata(_))
                || matches!(what, What::Open(_, how) if *how != Open::CreateNew)
        };
        AtRisk {
            in_flight: state.under_way.values().filter(|op| !passive(&op.what)).count(),
            content: state.storage.inodes.values().map(|inode| inode.at_risk()).sum(),
            names: state.storage.names.at_risk(),
        }
    }

    // Faults.

    /// Sets how often which fault strikes.
    pub fn set_faults(&self, faults: Faults) {
        self.0.state.borrow_mut().faults = faults;
    }

    /// Plants one fault: it strikes the step that makes [`World::operations`] go from `operation` to the next, if that
    /// kind of operation can have it.
    pub fn plant(&self, operation: u64, fault: Fault) {
        self.0.state.borrow_mut().planted.insert(operation, fault);
    }

    /// Limits the storage, in bytes; writes beyond it fail with ENOSPC.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.0.state.borrow_mut().storage.capacity = bytes;
    }

    /// Whether files can be opened for direct I/O; a new world allows it.
    pub fn set_direct(&self, available: bool) {
        self.0.state.borrow_mut().storage.no_direct = !available;
    }

    /// Inverts one bit of a file on the medium. A page that the cache holds as well is not affected.
    pub fn flip_bit(&self, path: &Path, offset: u64, bit: u8) -> io::Result<()> {
        let mut state = self.0.state.borrow_mut();
        let inode = state.storage.names.file(path)?;
        if let Some(inode) = state.storage.inodes.get_mut(&inode) {
            Rc::make_mut(inode).flip(offset, bit);
        }
        Ok(())
    }

    /// Drops the clean pages of the cache, as memory pressure does. Answers how many showed what the medium does not
    /// have: what a failed sync left unwritten is now gone.
    pub fn drop_caches(&self) -> usize {
        let mut state = self.0.state.borrow_mut();
        let inodes = state.storage.inodes.values_mut().filter(|inode| inode.has_cached_pages());
        inodes.map(|inode| Rc::make_mut(inode).drop_clean_pages()).sum()
    }

    /// Puts a file with this content in the place of what has the name, durable at once: what somebody may do to the files
    /// of a server that is not running.
    pub fn put(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        let mut file = Inode::default();
        file.write_direct(0, content, inode::whole);
        if self.read(path).is_some() {
            self.remove(path)?;
        }
        let mut state = self.0.state.borrow_mut();
        let (change, number) = (state.number(), state.storage.next_inode);
        state.storage.names.create(change, path, Node::File(number))?;
        state.storage.next_inode += 1;
        state.storage.inodes.insert(number, Rc::new(file));
        state.storage.names.sync_all();
        Ok(())
    }

    /// Takes a file away, durable at once.
    pub fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.0.state.borrow_mut();
        let change = state.number();
        state.storage.names.remove(change, path)?;
        state.storage.names.sync_all();
        Ok(())
    }

    // Looking in from outside. None of this is an operation.

    /// Creates a directory, durably, with those it lies in.
    pub fn make_dir(&self, path: &Path) {
        let mut state = self.0.state.borrow_mut();
        let mut ancestors: Vec<&Path> = path.ancestors().collect();
        ancestors.reverse();
        for dir in ancestors {
            let number = state.number();
            // One that exists is what was asked for.
            state.storage.names.create(number, dir, Node::Dir).ok();
        }
        state.storage.names.sync_all();
    }

    /// The names of all files, sorted.
    pub fn files(&self) -> Vec<PathBuf> {
        self.0.state.borrow().storage.names.files().map(|(path, _)| path.to_path_buf()).collect()
    }

    /// The content of a file, as a process would read it through the cache.
    pub fn read(&self, path: &Path) -> Option<Vec<u8>> {
        let state = self.0.state.borrow();
        let inode = state.named(path, false)?;
        Some(inode.read(0, usize::try_from(inode.len()).ok()?, false).to_vec())
    }

    /// The content of a file that the medium has under that name.
    pub fn read_medium(&self, path: &Path) -> Option<Vec<u8>> {
        Some(self.0.state.borrow().named(path, true)?.read_medium())
    }

    // What the handles call.

    fn begin(&self, process: u64, what: What) -> u64 {
        self.0.state.borrow_mut().begin(process, what)
    }

    /// Does an operation at once, while nothing else happens. That of a dead process fails.
    fn do_now(&self, process: u64, what: What) -> io::Result<Answer> {
        let mut state = self.0.state.borrow_mut();
        if !state.alive.contains(&process) || state.frozen() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        let number = state.number();
        let fault = state.draw_fault(&what);
        state.apply(number, process, what, fault)
    }

    fn close_inherited(&self, process: u64) {
        let woken = self.0.state.borrow_mut().close_inherited(process);
        woken.into_iter().for_each(Waker::wake);
    }

    fn free_space(&self) -> Option<u64> {
        self.0.state.borrow_mut().room()
    }

    fn poll(&self, number: u64, cx: &mut Context<'_>) -> Poll<io::Result<Answer>> {
        self.let_happen(number, cx);
        let mut state = self.0.state.borrow_mut();
        if let Some(answer) = state.finished.remove(&number) {
            return Poll::Ready(answer);
        }
        let earlier = state.under_way.get_mut(&number).and_then(|op| op.waker.replace(cx.waker().clone()));
        drop(state);
        drop(earlier);
        Poll::Pending
    }

    /// In an automatic world, a poll is what makes operations end.
    fn let_happen(&self, number: u64, cx: &mut Context<'_>) {
        let (in_passing, mine) = {
            let mut guard = self.0.state.borrow_mut();
            let state = &mut *guard;
            if state.max_polls.is_none() || state.frozen() || !state.under_way.contains_key(&number) {
                return;
            }
            let runnable = state.runnable(number);
            let blocked = !runnable && state.under_way[&number].not_before_us <= state.clock.monotonic_us();
            let (left, later): (Vec<u64>, Vec<u64>) = state
                .under_way
                .iter()
                .filter(|(_, op)| op.abandoned)
                .map(|(n, _)| *n)
                .partition(|n| state.runnable(*n));
            let next_left = later.iter().map(|n| state.under_way[n].not_before_us).min();
            let in_passing = (!left.is_empty() && (blocked || state.rng.u32(..LATE_ONE_IN) == 0))
                .then(|| left[state.rng.usize(..left.len())]);
            let now = state.clock.monotonic_us();
            let Some(op) = state.under_way.get_mut(&number) else { return };
            op.polls_left = op.polls_left.saturating_sub(1);
            if op.not_before_us > now {
                state.clock.wake_at(op.not_before_us, cx.waker().clone());
            } else if runnable || in_passing.is_some() {
                cx.waker().wake_by_ref();
            } else if let Some(due) = next_left {
                state.clock.wake_at(due, cx.waker().clone());
            }
            (in_passing, runnable && op.polls_left == 0)
        };
        if let Some(other) = in_passing {
            self.complete(other);
        }
        if mine {
            self.complete(number);
        }
    }

    fn abandon(&self, number: u64) {
        let mut state = self.0.state.borrow_mut();
        if let Some(Ok(Answer::Handle(handle))) = state.finished.remove(&number) {
            let woken = state.close(handle);
            drop(state);
            return woken.into_iter().for_each(Waker::wake);
        }
        let waits =
            matches!(state.under_way.get(&number), Some(op) if matches!(op.what, What::Lock { wait: true, .. }));
        let forgotten = if waits {
            state.under_way.remove(&number).and_then(|op| op.waker)
        } else {
            state.under_way.get_mut(&number).and_then(|op| {
                op.abandoned = true;
                op.waker.take()
            })
        };
        let woken = state.release_closed();
        drop(state);
        drop(forgotten);
        woken.into_iter().for_each(Waker::wake);
    }

    fn close(&self, handle: u64) {
        let woken = self.0.state.borrow_mut().close(handle);
        woken.into_iter().for_each(Waker::wake);
    }
}

fn describe(state: &State, number: u64) -> Option<Operation> {
    let op = state.under_way.get(&number)?;
    let handle = op.what.handle().and_then(|handle| state.handles.get(&handle));
    let (kind, path) = match &op.what {
        What::CreateDir(path) => (Kind::CreateDir, path.as_path()),
        What::Open(path, Open::CreateNew) => (Kind::Create, path.as_path()),
        What::Open(path, _) => (Kind::Open, path.as_path()),
        What::Rename(_, to) => (Kind::Rename, to.as_path()),
        What::Remove(path) => (Kind::Remove, path.as_path()),
        What::SyncDir(path) => (Kind::SyncDir, path.as_path()),
        What::List(path) => (Kind::List, path.as_path()),
        What::Metadata(path) => (Kind::Metadata, path.as_path()),
        What::Read { .. } => (Kind::Read, &*handle?.path),
        What::Write { .. } if handle?.how == Open::Direct => (Kind::DirectWrite, &*handle?.path),
        What::Write { .. } => (Kind::Write, &*handle?.path),
        What::Sync { .. } => (Kind::Sync, &*handle?.path),
        What::Lock { .. } => (Kind::Lock, &*handle?.path),
    };
    let runnable = state.runnable(number);
    let late = !state.alive.contains(&op.process);
    Some(Operation { number, process: op.process, kind, path: path.to_owned(), runnable, late })
}

/// Remembers that the one future of [`World::run`] was woken.
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}
