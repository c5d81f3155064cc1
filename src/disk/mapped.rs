//! Files as read-only memory, for the offline tools: as fast as the disk reads, and nothing is copied.
//!
//! A mapped page that cannot be read (a fault of the medium, a file that became shorter) raises SIGBUS, which would end
//! the process without a word. Here a handler puts a page of zeros in its place and takes a note, which
//! [`Mapped::fault`] turns into offset and cause. What must always hold: whoever draws a conclusion from the bytes asks
//! for the fault first, for zeros that stand in for a page prove nothing.

use std::fmt;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Once;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

use memmap2::{Advice, Mmap, MmapOptions};

use super::posix::OpenFile;
use super::{Lock, Open};

/// A file as memory.
pub struct Mapped {
    map: Mmap,
    file: OpenFile,
    watched: &'static Watched,
}

/// A part of a mapped file that could not be read.
#[derive(Debug)]
pub struct MapFault {
    /// Offset of the first page that could not be read.
    pub offset: u64,
    /// Why.
    pub cause: io::Error,
}

impl fmt::Display for MapFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot be read at byte {}: {}", self.offset, self.cause)
    }
}

impl Mapped {
    /// Maps the first `len` bytes of a file. What lies behind its end counts as a fault once it is looked at.
    pub fn open(path: &Path, len: u64) -> io::Result<Self> {
        let file = OpenFile::open(path, Open::Read)?;
        let len = usize::try_from(len).map_err(io::Error::other)?;
        // SAFETY: the map is read-only. Another process may write to the file meanwhile: the readers of these bytes
        // (parsers of a checksummed format) check every length against the slice and believe nothing before its
        // checksum; bytes that were once acknowledged do not change any more. A page that cannot be read, also because
        // the file became shorter, is replaced by the handler below.
        let map = unsafe { MmapOptions::new().len(len).map(file.raw_fd())? };
        // Only hints: without them it is slower.
        let _ = map.advise(Advice::Sequential);
        let watched = watch(&map);
        Ok(Self { map, file, watched })
    }

    /// The bytes. See the head of the module: ask for [`Mapped::fault`] before trusting what they say.
    pub fn bytes(&self) -> &[u8] {
        &self.map
    }

    /// Takes a shared lock on one byte; `false` if another holds it exclusively. Held as long as this.
    pub fn share_lock(&self, byte: u64) -> io::Result<bool> {
        self.file.try_lock(byte, Lock::Shared)
    }

    /// The first place that could not be read so far.
    pub fn fault(&self) -> Option<MapFault> {
        let offset = self.watched.fault.load(Ordering::Acquire);
        if offset == NO_FAULT {
            return None;
        }
        let cause = match self.file.read_at(offset as u64, 1) {
            Err(cause) => cause,
            Ok(byte) if byte.is_empty() => {
                io::Error::new(io::ErrorKind::UnexpectedEof, "the file became shorter while it was read")
            }
            Ok(_) => io::Error::other("the medium failed, and answers again"),
        };
        Some(MapFault { offset: offset as u64, cause })
    }
}

impl Drop for Mapped {
    fn drop(&mut self) {
        self.watched.release();
    }
}

/// Whether another process holds an exclusive lock on this byte of a file. Takes none, and so keeps nobody out.
pub fn is_locked(path: &Path, byte: u64) -> io::Result<bool> {
    OpenFile::open(path, Open::Read)?.is_locked(byte)
}

/// Stands for "no fault"; no offset is so high.
const NO_FAULT: usize = usize::MAX;

/// A range of memory in which the handler replaces pages. Never freed, but used again: the handler may look at any time.
struct Watched {
    start: AtomicUsize,
    /// 0 while nobody uses it.
    len: AtomicUsize,
    fault: AtomicUsize,
    next: *mut Watched,
}

static WATCHED: AtomicPtr<Watched> = AtomicPtr::new(std::ptr::null_mut());

impl Watched {
    fn all() -> impl Iterator<Item = &'static Watched> {
        let mut at = WATCHED.load(Ordering::Acquire);
        std::iter::from_fn(move || {
            // SAFETY: null, or a leaked box of which only the atomics change.
            let found: &'static Watched = unsafe { at.as_ref() }?;
            at = found.next;
            Some(found)
        })
    }

    fn covers(&self) -> Range<usize> {
        let start = self.start.load(Ordering::Acquire);
        start..start + self.len.load(Ordering::Acquire)
    }

    fn release(&self) {
        self.len.store(0, Ordering::Release);
        self.start.store(0, Ordering::Release);
    }

    /// Takes an unused one.
    fn claim(&self, start: usize, len: usize) -> bool {
        let free = self.start.compare_exchange(0, start, Ordering::AcqRel, Ordering::Relaxed).is_ok();
        if free {
            self.fault.store(NO_FAULT, Ordering::Release);
            self.len.store(len, Ordering::Release);
        }
        free
    }
}

/// Lets the handler replace the pages of `map`.
fn watch(map: &Mmap) -> &'static Watched {
    static HANDLER: Once = Once::new();
    HANDLER.call_once(install_handler);
    let (start, len) = (map.as_ptr() as usize, map.len());
    if let Some(unused) = Watched::all().find(|watched| watched.claim(start, len)) {
        return unused;
    }
    let new = Box::leak(Box::new(Watched {
        start: AtomicUsize::new(start),
        len: AtomicUsize::new(len),
        fault: AtomicUsize::new(NO_FAULT),
        next: std::ptr::null_mut(),
    }));
    loop {
        let head = WATCHED.load(Ordering::Acquire);
        new.next = head;
        if WATCHED.compare_exchange(head, new, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
            return new;
        }
    }
}

fn install_handler() {
    // SAFETY: `action` is a valid sigaction; the handler only reads atomics and calls mmap, and works on any thread.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = on_bus_error as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO;
        libc::sigaction(libc::SIGBUS, &action, std::ptr::null_mut());
    }
}

/// Replaces the page that could not be read by zeros, if it is one of ours; else the process ends as it would have.
extern "C" fn on_bus_error(_: libc::c_int, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
    // SAFETY: the kernel hands a valid siginfo to a SA_SIGINFO handler, and SIGBUS has an address.
    let address = unsafe { (*info).si_addr() } as usize;
    // SAFETY: sysconf has no preconditions.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as usize;
    let start = address & !(page - 1);
    if let Some(watched) = Watched::all().find(|watched| watched.covers().contains(&address)) {
        let (protection, flags) = (libc::PROT_READ, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED);
        // SAFETY: the page lies within a map that is in use, is read-only, and held no readable bytes.
        let replaced = unsafe { libc::mmap(start as *mut libc::c_void, page, protection, flags, -1, 0) };
        if replaced != libc::MAP_FAILED {
            watched.fault.fetch_min(start - watched.covers().start, Ordering::AcqRel);
            return;
        }
    }
    // SAFETY: the default action is restored; the access is repeated when this returns, and ends the process.
    unsafe {
        libc::signal(libc::SIGBUS, libc::SIG_DFL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_becomes_shorter_is_a_fault_with_offset_and_not_the_end_of_the_process() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        std::fs::write(&path, vec![7; 5 * 65536]).unwrap();
        let mapped = Mapped::open(&path, 5 * 65536).unwrap();
        assert_eq!(mapped.bytes()[4 * 65536], 7);
        assert!(mapped.fault().is_none());
        std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(2 * 65536).unwrap();
        assert_eq!(mapped.bytes()[3 * 65536], 0);
        assert_eq!(mapped.bytes()[2 * 65536 + 1], 0);
        let fault = mapped.fault().unwrap();
        assert_eq!((fault.offset, fault.cause.kind()), (2 * 65536, io::ErrorKind::UnexpectedEof));
    }

    #[test]
    fn a_lock_is_seen_without_taking_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        std::fs::write(&path, "x").unwrap();
        let holder = OpenFile::open(&path, Open::Buffered).unwrap();
        assert!(!is_locked(&path, 0).unwrap());
        assert!(holder.try_lock(0, Lock::Exclusive).unwrap());
        assert!(is_locked(&path, 0).unwrap() && !is_locked(&path, 1).unwrap());
        let reader = Mapped::open(&path, 1).unwrap();
        assert!(reader.share_lock(1).unwrap() && !reader.share_lock(0).unwrap());
    }
}
