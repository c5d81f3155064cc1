//! Layer 1: every access to the files of log, manifest and snapshot goes through [`Disk`] and [`File`].
//!
//! Three implementations: io_uring, portable (`pread`/`pwrite`/`fdatasync`), and simulated, which loses, tears and
//! reorders what was not synced. The logic above is the same for all three.
//!
//! All operations are futures of the one thread (`!Send`). An operation begins when its method is called, not at the
//! first poll; operations under way at the same time have no order among themselves; one whose future is dropped may
//! still happen.

mod buffer;
#[cfg(test)]
mod conformance;
mod mapped;
pub(crate) mod pace;
mod portable;
mod posix;
mod sequential;
pub mod sim;
mod uring;

use std::future::Future;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::rc::Rc;

pub use buffer::AlignedBuf;
pub use mapped::{MapFault, Mapped, is_locked};
pub use portable::PortableDisk;
pub use sequential::SequentialFile;
pub use uring::UringDisk;

/// A disk operation under way.
pub type Op<'a, T> = Pin<Box<dyn Future<Output = io::Result<T>> + 'a>>;

/// How a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Open {
    /// An existing file, for reading only, through the cache.
    Read,
    /// A new file (an error if it exists), read and write, through the cache.
    CreateNew,
    /// An existing file, read and write, through the cache: a write survives the death of the process, and power loss
    /// only after [`File::sync`].
    Buffered,
    /// An existing file, read and write, past the cache (`O_DIRECT|O_DSYNC`): a completed write survives power loss, a
    /// submitted one may vanish even with the process. `Unsupported` where the file system has no direct I/O.
    Direct,
}

/// What a byte-range lock on a file excludes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lock {
    /// Others may hold it shared too.
    Shared,
    /// Nobody else holds it.
    Exclusive,
}

/// What [`Disk::metadata`] tells of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// Length in bytes.
    pub len: u64,
    /// Number of names (hard links).
    pub links: u64,
    /// Bytes of storage allocated; below `len` when the file has holes.
    pub allocated: u64,
    /// Some of that storage is shared with another file (reflinks), so that writing there needs new storage.
    pub shared: bool,
}

/// A place that holds directories and files.
pub trait Disk {
    /// The name shown to people: `io_uring`, `portable` or `simulated`.
    fn name(&self) -> &'static str;

    /// Whether an operation has completed whose future was not polled since. Costs next to nothing, so that a busy
    /// thread can ask often; `false` where it is not known.
    fn has_completed(&self) -> bool {
        false
    }

    /// Creates a directory; succeeds if it exists already. Durable after [`Disk::sync_dir`] of its parent.
    fn create_dir<'a>(&'a self, path: &'a Path) -> Op<'a, ()>;

    /// Opens a file. A created one is durable after [`File::sync`] and [`Disk::sync_dir`] of its directory.
    fn open<'a>(&'a self, path: &'a Path, how: Open) -> Op<'a, Rc<dyn File>>;

    /// Replaces `to` by `from` atomically. Durable after [`Disk::sync_dir`].
    fn rename<'a>(&'a self, from: &'a Path, to: &'a Path) -> Op<'a, ()>;

    /// Removes a file. Durable after [`Disk::sync_dir`].
    fn remove<'a>(&'a self, path: &'a Path) -> Op<'a, ()>;

    /// Copies a file to a new name, with its storage shared where the file system can do that, and syncs it.
    fn copy<'a>(&'a self, from: &'a Path, to: &'a Path) -> Op<'a, ()>;

    /// Makes the names in a directory durable.
    fn sync_dir<'a>(&'a self, path: &'a Path) -> Op<'a, ()>;

    /// Bytes that can still be stored where `path` is; `None` where that is not known.
    fn free_space<'a>(&'a self, path: &'a Path) -> Op<'a, Option<u64>>;

    /// The names of the files in a directory, sorted; subdirectories are left out.
    fn list<'a>(&'a self, path: &'a Path) -> Op<'a, Vec<String>>;

    /// What is known of a file; `NotFound` if there is none.
    fn metadata<'a>(&'a self, path: &'a Path) -> Op<'a, Metadata>;
}

/// An open file. Dropping it closes it and releases its locks, but not before its last write has landed.
pub trait File {
    /// Reads up to `len` bytes at `offset`; fewer only at the end of the file.
    fn read_at(&self, offset: u64, len: usize) -> Op<'_, AlignedBuf>;

    /// Reads on the calling thread, which waits: for who can do nothing else before the bytes are there. Fewer than asked
    /// for only at the end of the file.
    fn read_now(&self, offset: u64, into: &mut [u8]) -> io::Result<usize>;

    /// Writes all of `data` at `offset` and gives the buffer back. Short writes are continued inside; on an error any
    /// part may have been written. On a [`Open::Direct`] file, `offset` and the length must be multiples of
    /// [`File::write_unit`].
    fn write_at(&self, offset: u64, data: AlignedBuf) -> Op<'_, AlignedBuf>;

    /// Makes all completed writes durable (`fdatasync`). After an error nothing is known, and no later success may be
    /// trusted.
    fn sync(&self) -> Op<'_, ()>;

    /// Takes an open-file-description lock on one byte. Without `wait`, answers `false` when another holds it.
    fn lock(&self, byte: u64, kind: Lock, wait: bool) -> Op<'_, bool>;

    /// The smallest unit that a write may tear: at least 4096, more if the device's physical block is larger.
    fn write_unit(&self) -> usize;
}
