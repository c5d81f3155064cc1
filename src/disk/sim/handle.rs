//! The simulated disk as a process sees it: [`Disk`] and [`File`], whose operations become pending in the world.

use std::cell::Cell;
use std::io;
use std::path::Path;
use std::rc::Rc;
use std::task::{Context, Poll};

use super::World;
use super::block::PAGE;
use super::state::{Answer, What};
use crate::disk::{AlignedBuf, Disk, File, Lock, Metadata, Op, Open};

/// The simulated disk, as one process uses it. When the process has been killed, its operations never end.
pub struct SimDisk {
    world: World,
    process: u64,
}

impl SimDisk {
    pub(super) fn new(world: World, process: u64) -> Self {
        Self { world, process }
    }

    /// The process that this disk belongs to, for [`World::kill`].
    pub fn process(&self) -> u64 {
        self.process
    }

    /// Closes what this process, a copy of another, holds of its parent's files.
    pub fn close_inherited(&self) {
        self.world.close_inherited(self.process);
    }

    fn start(&self, what: What) -> Pending {
        Pending::start(&self.world, self.process, what)
    }

    fn do_it(&self, what: What) -> Op<'_, ()> {
        let pending = self.start(what);
        Box::pin(async move { pending.await.map(|_| ()) })
    }
}

impl Disk for SimDisk {
    fn name(&self) -> &'static str {
        "simulated"
    }

    fn create_dir<'a>(&'a self, path: &'a Path) -> Op<'a, ()> {
        self.do_it(What::CreateDir(path.to_owned()))
    }

    fn open<'a>(&'a self, path: &'a Path, how: Open) -> Op<'a, Rc<dyn File>> {
        let pending = self.start(What::Open(path.to_owned(), how));
        Box::pin(async move {
            match pending.await? {
                Answer::Handle(handle) => {
                    let direct = how == Open::Direct;
                    let file = SimFile { world: self.world.clone(), process: self.process, handle, direct };
                    Ok(Rc::new(file) as Rc<dyn File>)
                }
                _ => Err(mismatch()),
            }
        })
    }

    fn rename<'a>(&'a self, from: &'a Path, to: &'a Path) -> Op<'a, ()> {
        self.do_it(What::Rename(from.to_owned(), to.to_owned()))
    }

    fn remove<'a>(&'a self, path: &'a Path) -> Op<'a, ()> {
        self.do_it(What::Remove(path.to_owned()))
    }

    /// Not simulated: what is copied leaves the data directory.
    fn copy<'a>(&'a self, _: &'a Path, _: &'a Path) -> Op<'a, ()> {
        Box::pin(std::future::ready(Err(io::ErrorKind::Unsupported.into())))
    }

    fn free_space<'a>(&'a self, _: &'a Path) -> Op<'a, Option<u64>> {
        Box::pin(std::future::ready(Ok(self.world.free_space())))
    }

    fn sync_dir<'a>(&'a self, path: &'a Path) -> Op<'a, ()> {
        self.do_it(What::SyncDir(path.to_owned()))
    }

    fn list<'a>(&'a self, path: &'a Path) -> Op<'a, Vec<String>> {
        let pending = self.start(What::List(path.to_owned()));
        Box::pin(async move {
            match pending.await? {
                Answer::Names(names) => Ok(names),
                _ => Err(mismatch()),
            }
        })
    }

    fn metadata<'a>(&'a self, path: &'a Path) -> Op<'a, Metadata> {
        let pending = self.start(What::Metadata(path.to_owned()));
        Box::pin(async move {
            match pending.await? {
                Answer::Metadata(metadata) => Ok(metadata),
                _ => Err(mismatch()),
            }
        })
    }
}

struct SimFile {
    world: World,
    process: u64,
    handle: u64,
    direct: bool,
}

impl SimFile {
    fn start(&self, what: What) -> Pending {
        Pending::start(&self.world, self.process, what)
    }

    fn data(&self, what: What) -> Op<'_, AlignedBuf> {
        let pending = self.start(what);
        Box::pin(async move {
            match pending.await? {
                Answer::Data(data) => Ok(data),
                _ => Err(mismatch()),
            }
        })
    }
}

impl File for SimFile {
    fn read_at(&self, offset: u64, len: usize) -> Op<'_, AlignedBuf> {
        self.data(What::Read { handle: self.handle, offset, len })
    }

    fn read_now(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        let data = self.world.do_now(self.process, What::Read { handle: self.handle, offset, len: into.len() })?;
        let Answer::Data(data) = data else { return Err(mismatch()) };
        into[..data.len()].copy_from_slice(&data);
        Ok(data.len())
    }

    fn write_at(&self, offset: u64, data: AlignedBuf) -> Op<'_, AlignedBuf> {
        if self.direct && !(offset.is_multiple_of(PAGE as u64) && data.len().is_multiple_of(PAGE)) {
            let refused = io::Error::new(io::ErrorKind::InvalidInput, "a direct write is made of whole write units");
            return Box::pin(std::future::ready(Err(refused)));
        }
        self.data(What::Write { handle: self.handle, offset, data: Rc::new(data), from: 0 })
    }

    fn sync(&self) -> Op<'_, ()> {
        let pending = self.start(What::Sync { handle: self.handle });
        Box::pin(async move { pending.await.map(|_| ()) })
    }

    fn lock(&self, byte: u64, kind: Lock, wait: bool) -> Op<'_, bool> {
        let pending = self.start(What::Lock { handle: self.handle, byte, kind, wait });
        Box::pin(async move {
            match pending.await? {
                Answer::Granted(granted) => Ok(granted),
                _ => Err(mismatch()),
            }
        })
    }

    fn write_unit(&self) -> usize {
        PAGE
    }
}

impl Drop for SimFile {
    fn drop(&mut self) {
        self.world.close(self.handle);
    }
}

fn mismatch() -> io::Error {
    io::Error::other("the simulated disk answered another question")
}

/// An operation under way, as its caller sees it.
struct Pending {
    world: World,
    number: u64,
    ended: Cell<bool>,
}

impl Pending {
    fn start(world: &World, process: u64, what: What) -> Self {
        let number = world.begin(process, what);
        Self { world: world.clone(), number, ended: Cell::new(false) }
    }
}

impl Future for Pending {
    type Output = io::Result<Answer>;

    fn poll(self: std::pin::Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let polled = self.world.poll(self.number, cx);
        self.ended.set(polled.is_ready());
        polled
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if !self.ended.get() {
            self.world.abandon(self.number);
        }
    }
}
