//! The disk for every Unix: `pread`, `pwrite`, `fdatasync`.
//!
//! A small write through the cache is a memory copy and is done at once, on the calling thread: its future is ready at
//! the first poll. Whatever may wait for the medium runs on tokio's blocking pool, so that one slow disk operation never
//! stops the thread that serves clients. Every running operation holds the descriptor: dropping the file or the
//! future closes nothing, and releases no lock, before the operation has ended.

use std::future::ready;
use std::io;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::posix::{self, OpenFile};
use super::sequential;
use super::{AlignedBuf, Disk, File, Lock, Metadata, Op, Open};

/// Up to this size a buffered write is done on the calling thread: a copy of 256 KiB takes some 50 microseconds, the
/// way over the pool and back about 20. Larger ones are the zero-filling of new segments, which may wait for writeback.
pub(super) const INLINE_WRITE: usize = 256 * 1024;

/// How often a waiting lock asks again. Asking instead of sleeping in the kernel lets a dropped future end its wait.
const LOCK_POLL: Duration = Duration::from_millis(1);

/// The portable disk. Its operations need a tokio runtime.
#[derive(Debug, Default)]
pub struct PortableDisk(());

impl PortableDisk {
    /// The disk; it holds no state.
    pub fn new() -> Self {
        Self(())
    }
}

impl Disk for PortableDisk {
    fn name(&self) -> &'static str {
        "portable"
    }

    fn create_dir<'a>(&'a self, path: &'a Path) -> Op<'a, ()> {
        let path = path.to_owned();
        blocking(move || posix::create_dir(&path))
    }

    fn open<'a>(&'a self, path: &'a Path, how: Open) -> Op<'a, Rc<dyn File>> {
        let opening = open(path, how);
        Box::pin(async move { Ok(Rc::new(PortableFile(opening.await?)) as Rc<dyn File>) })
    }

    fn rename<'a>(&'a self, from: &'a Path, to: &'a Path) -> Op<'a, ()> {
        let (from, to) = (from.to_owned(), to.to_owned());
        blocking(move || std::fs::rename(from, to))
    }

    fn remove<'a>(&'a self, path: &'a Path) -> Op<'a, ()> {
        let path = path.to_owned();
        blocking(move || std::fs::remove_file(path))
    }

    fn copy<'a>(&'a self, from: &'a Path, to: &'a Path) -> Op<'a, ()> {
        let (from, to) = (from.to_owned(), to.to_owned());
        blocking(move || sequential::copy(&from, &to))
    }

    fn sync_dir<'a>(&'a self, path: &'a Path) -> Op<'a, ()> {
        let path = path.to_owned();
        blocking(move || posix::sync_dir(&path))
    }

    fn free_space<'a>(&'a self, path: &'a Path) -> Op<'a, Option<u64>> {
        let path = path.to_owned();
        blocking(move || posix::free_space(&path).map(Some))
    }

    fn list<'a>(&'a self, path: &'a Path) -> Op<'a, Vec<String>> {
        let path = path.to_owned();
        blocking(move || posix::list(&path))
    }

    fn metadata<'a>(&'a self, path: &'a Path) -> Op<'a, Metadata> {
        let path = path.to_owned();
        blocking(move || posix::metadata(&path))
    }
}

/// An open file whose slow operations run on the pool.
pub(super) struct PortableFile(pub(super) Arc<OpenFile>);

impl File for PortableFile {
    fn read_at(&self, offset: u64, len: usize) -> Op<'_, AlignedBuf> {
        let file = Arc::clone(&self.0);
        blocking(move || file.read_at(offset, len))
    }

    fn read_now(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        self.0.read_into(offset, into)
    }

    fn write_at(&self, offset: u64, data: AlignedBuf) -> Op<'_, AlignedBuf> {
        if !self.0.is_direct() && data.len() <= INLINE_WRITE {
            let done = self.0.write_at(offset, &data).map(|()| data);
            return Box::pin(ready(done));
        }
        let file = Arc::clone(&self.0);
        blocking(move || file.write_at(offset, &data).map(|()| data))
    }

    fn sync(&self) -> Op<'_, ()> {
        let file = Arc::clone(&self.0);
        blocking(move || file.sync())
    }

    fn lock(&self, byte: u64, kind: Lock, wait: bool) -> Op<'_, bool> {
        match self.0.try_lock(byte, kind) {
            Ok(false) if wait => {}
            answered => return Box::pin(ready(answered)),
        }
        let file = Arc::clone(&self.0);
        let wanted = Wanted(Arc::new(AtomicBool::new(true)));
        let still_wanted = Arc::clone(&wanted.0);
        let waiting = blocking(move || {
            while still_wanted.load(Ordering::Relaxed) {
                if file.try_lock(byte, kind)? {
                    return Ok(true);
                }
                std::thread::sleep(LOCK_POLL);
            }
            Ok(false)
        });
        Box::pin(async move {
            let _ends_the_wait_when_dropped = wanted;
            waiting.await
        })
    }

    fn write_unit(&self) -> usize {
        self.0.write_unit()
    }
}

/// Tells the pool, by being dropped, that nobody waits any more.
struct Wanted(Arc<AtomicBool>);

impl Drop for Wanted {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

/// Opens a file on the pool.
pub(super) fn open(path: &Path, how: Open) -> Op<'static, Arc<OpenFile>> {
    let path = path.to_owned();
    blocking(move || OpenFile::open(&path, how).map(Arc::new))
}

/// Starts `work` on the pool at once. It runs to its end even if nobody waits for it.
fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> Op<'static, T> {
    let running = tokio::task::spawn_blocking(work);
    Box::pin(async move { running.await.unwrap_or_else(|e| Err(io::Error::other(e))) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::conformance::conforms;

    fn on_one_thread<T>(work: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work)
    }

    #[test]
    fn the_portable_disk_conforms() {
        let dir = tempfile::tempdir().unwrap();
        if !on_one_thread(conforms(&PortableDisk::new(), dir.path())) {
            println!("skipped: {} has no direct I/O", dir.path().display());
        }
    }

    #[test]
    fn a_small_buffered_write_is_ready_at_the_first_poll() {
        let dir = tempfile::tempdir().unwrap();
        on_one_thread(async {
            let disk = PortableDisk::new();
            let file = disk.open(&dir.path().join("f"), Open::CreateNew).await.unwrap();
            let mut data = AlignedBuf::with_capacity(8);
            data.extend_from_slice(b"now");
            let mut write = file.write_at(0, data);
            let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
            assert!(write.as_mut().poll(&mut cx).is_ready());
        });
    }

    #[test]
    fn a_wait_for_a_lock_that_is_given_up_ends() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        // The runtime's end waits for the pool: it would hang if the pool still waited for the lock.
        on_one_thread(async {
            let disk = PortableDisk::new();
            let holder = disk.open(&path, Open::CreateNew).await.unwrap();
            assert!(holder.lock(0, Lock::Exclusive, false).await.unwrap());
            let other = disk.open(&path, Open::Buffered).await.unwrap();
            drop(other.lock(0, Lock::Exclusive, true));
            std::mem::forget(holder);
        });
    }
}
