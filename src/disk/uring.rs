//! The disk of Linux with io_uring: direct writes and syncs go through one small ring.
//!
//! An operation is submitted by the call itself, with one `io_uring_enter`; its completion signals an eventfd that the
//! runtime watches. What happens off the path of an acknowledgement (opening, renaming, reading, zero-filling, locks)
//! and what is a mere copy (buffered writes) is the portable code's.

mod ring;

use std::io;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use io_uring::{opcode, types};

use self::ring::Ring;
use super::portable::{self, PortableDisk, PortableFile};
use super::posix::{OpenFile, Progress};
use super::{AlignedBuf, Disk, File, Lock, Metadata, Op, Open, pace};

/// The disk on io_uring. Create and use it on one thread, inside a tokio runtime with its I/O driver enabled.
pub struct UringDisk {
    portable: PortableDisk,
    ring: Rc<Ring>,
}

impl UringDisk {
    /// Sets the ring up and tries it; an error where the kernel has no io_uring or forbids it, as many containers do.
    /// The caller then takes [`PortableDisk`], which gives the same guarantees.
    pub fn new() -> io::Result<Self> {
        Ok(Self { portable: PortableDisk::new(), ring: Rc::new(Ring::new()?) })
    }
}

impl Disk for UringDisk {
    fn name(&self) -> &'static str {
        "io_uring"
    }

    fn has_completed(&self) -> bool {
        self.ring.has_completed()
    }

    fn create_dir<'a>(&'a self, path: &'a Path) -> Op<'a, ()> {
        self.portable.create_dir(path)
    }

    fn open<'a>(&'a self, path: &'a Path, how: Open) -> Op<'a, Rc<dyn File>> {
        let opening = portable::open(path, how);
        Box::pin(async move {
            let portable = PortableFile(opening.await?);
            Ok(Rc::new(UringFile { portable, ring: Rc::clone(&self.ring) }) as Rc<dyn File>)
        })
    }

    fn rename<'a>(&'a self, from: &'a Path, to: &'a Path) -> Op<'a, ()> {
        self.portable.rename(from, to)
    }

    fn remove<'a>(&'a self, path: &'a Path) -> Op<'a, ()> {
        self.portable.remove(path)
    }

    fn copy<'a>(&'a self, from: &'a Path, to: &'a Path) -> Op<'a, ()> {
        self.portable.copy(from, to)
    }

    fn sync_dir<'a>(&'a self, path: &'a Path) -> Op<'a, ()> {
        self.portable.sync_dir(path)
    }

    fn free_space<'a>(&'a self, path: &'a Path) -> Op<'a, Option<u64>> {
        self.portable.free_space(path)
    }

    fn list<'a>(&'a self, path: &'a Path) -> Op<'a, Vec<String>> {
        self.portable.list(path)
    }

    fn metadata<'a>(&'a self, path: &'a Path) -> Op<'a, Metadata> {
        self.portable.metadata(path)
    }
}

struct UringFile {
    portable: PortableFile,
    ring: Rc<Ring>,
}

impl UringFile {
    fn file(&self) -> &Arc<OpenFile> {
        &self.portable.0
    }
}

impl File for UringFile {
    fn read_at(&self, offset: u64, len: usize) -> Op<'_, AlignedBuf> {
        self.portable.read_at(offset, len)
    }

    fn read_now(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        self.portable.read_now(offset, into)
    }

    fn write_at(&self, offset: u64, data: AlignedBuf) -> Op<'_, AlignedBuf> {
        if !self.file().is_direct() || data.is_empty() {
            return self.portable.write_at(offset, data);
        }
        if let Err(refused) = self.file().check_placement(offset, data.len()) {
            return Box::pin(std::future::ready(Err(refused)));
        }
        pace::somebody_waits(data.len());
        let mut progress = Progress::new(self.file(), data.len());
        let mut running = match self.ring.write(self.file(), offset, data, 0) {
            Ok(running) => running,
            Err(full) => return self.portable.write_at(offset, full.data),
        };
        Box::pin(async move {
            loop {
                let (data, outcome) = running.wait().await?;
                match outcome {
                    Ok(written) => progress.advance(written)?,
                    Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                    Err(e) => return Err(e),
                }
                if progress.done == data.len() {
                    return Ok(data);
                }
                running = match self.ring.write(self.file(), offset, data, progress.done) {
                    Ok(running) => running,
                    Err(full) => return self.portable.write_at(offset, full.data).await,
                };
            }
        })
    }

    fn sync(&self) -> Op<'_, ()> {
        pace::somebody_waits(0);
        let fsync = opcode::Fsync::new(types::Fd(self.file().raw_fd())).flags(types::FsyncFlags::DATASYNC).build();
        match self.ring.start(fsync, self.file(), AlignedBuf::default()) {
            Ok(running) => Box::pin(async move {
                let (_, outcome) = running.wait().await?;
                outcome.map(|_| ())
            }),
            Err(_) => self.portable.sync(),
        }
    }

    fn lock(&self, byte: u64, kind: Lock, wait: bool) -> Op<'_, bool> {
        self.portable.lock(byte, kind, wait)
    }

    fn write_unit(&self) -> usize {
        self.portable.write_unit()
    }
}

#[cfg(test)]
mod tests;
