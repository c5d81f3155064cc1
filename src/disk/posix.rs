//! System calls on one open file, blocking: what [`super::portable`] and [`super::uring`] share.
//!
//! Everything here may wait for the medium, so the callers decide which thread runs it. A call interrupted by a signal
//! is repeated, a short transfer is continued; any other error is final.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use super::{AlignedBuf, Lock, Metadata, Open, pace};

/// What a disk is assumed to write as a whole when nothing better is known.
pub(super) const SMALLEST_WRITE_UNIT: usize = 4096;

/// A larger physical block than this is taken for a stripe or an erase unit, which is no unit of tearing.
const LARGEST_WRITE_UNIT: usize = 64 * 1024;

/// How often a direct write may come back without a whole block of progress before it counts as failed. The kernel
/// makes progress or names an error; the bound only keeps a broken driver from looping us forever.
const FRUITLESS_WRITES: u32 = 8;

/// An open file and what is known of the device below it.
#[derive(Debug)]
pub(super) struct OpenFile {
    file: File,
    direct: bool,
    write_unit: usize,
}

impl OpenFile {
    /// Opens `path`; `Unsupported` when direct I/O is asked for and the file system has none.
    pub(super) fn open(path: &Path, how: Open) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.read(true);
        match how {
            Open::Read => {}
            Open::CreateNew => {
                options.write(true).create_new(true);
            }
            Open::Buffered => {
                options.write(true);
            }
            Open::Direct => {
                options.write(true).custom_flags(libc::O_DIRECT | libc::O_DSYNC);
            }
        }
        let direct = how == Open::Direct;
        let file = options.open(path).map_err(|e| refused_direct(direct, e))?;
        let write_unit = write_unit_of(&file);
        let opened = Self { file, direct, write_unit };
        if direct {
            // Some file systems accept the flag and refuse the first transfer: ask with one, before data depend on it.
            opened.read_at(0, write_unit).map_err(|e| refused_direct(direct, e))?;
        }
        Ok(opened)
    }

    /// Whether reads and writes go past the cache.
    pub(super) fn is_direct(&self) -> bool {
        self.direct
    }

    /// The smallest unit that a write may tear.
    pub(super) fn write_unit(&self) -> usize {
        self.write_unit
    }

    /// The descriptor, valid as long as `self`.
    pub(super) fn raw_fd(&self) -> i32 {
        self.file.as_raw_fd()
    }

    /// Reads up to `len` bytes at `offset`, fewer only at the end of the file.
    pub(super) fn read_at(&self, offset: u64, len: usize) -> io::Result<AlignedBuf> {
        if !self.direct {
            return self.read_exactly_placed(offset, len);
        }
        // Direct transfers start and end on block boundaries: read the blocks around, hand out the middle.
        let unit = self.write_unit as u64;
        let start = offset - offset % unit;
        let lead = usize::try_from(offset - start).map_err(io::Error::other)?;
        let mut buf = self.read_exactly_placed(start, (lead + len).next_multiple_of(self.write_unit))?;
        let got = buf.len().saturating_sub(lead).min(len);
        if lead > 0 && got > 0 {
            buf.copy_within(lead..lead + got, 0);
        }
        buf.resize(got);
        Ok(buf)
    }

    /// Reads at `offset` until `into` is full or the file ends. Not for direct I/O, which wants aligned memory.
    pub(super) fn read_into(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        if self.direct {
            let buf = self.read_at(offset, into.len())?;
            into[..buf.len()].copy_from_slice(&buf);
            return Ok(buf.len());
        }
        let mut done = 0;
        while done < into.len() {
            match self.file.read_at(&mut into[done..], offset + done as u64) {
                Ok(0) => break,
                Ok(n) => done += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(done)
    }

    fn read_exactly_placed(&self, offset: u64, len: usize) -> io::Result<AlignedBuf> {
        let mut buf = AlignedBuf::with_capacity(len);
        buf.resize(len);
        let mut done = 0;
        while done < len {
            match self.file.read_at(&mut buf[done..], offset + done as u64) {
                Ok(0) => break,
                Ok(n) => done += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
            if self.direct && !done.is_multiple_of(self.write_unit) {
                // A direct read that ends inside a block has met the end of the file.
                break;
            }
        }
        buf.resize(done);
        Ok(buf)
    }

    /// Refuses a direct write that does not consist of whole write units.
    pub(super) fn check_placement(&self, offset: u64, len: usize) -> io::Result<()> {
        if self.direct && !(offset.is_multiple_of(self.write_unit as u64) && len.is_multiple_of(self.write_unit)) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!(
                    "a direct write of {len} bytes at {offset} is not made of whole {} byte units",
                    self.write_unit
                ),
            ));
        }
        Ok(())
    }

    /// Writes all of `data` at `offset`.
    pub(super) fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.check_placement(offset, data.len())?;
        if self.is_direct() {
            pace::somebody_waits(data.len());
        }
        let mut progress = Progress::new(self, data.len());
        while progress.done < data.len() {
            match self.file.write_at(&data[progress.done..], offset + progress.done as u64) {
                Ok(n) => progress.advance(n)?,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    /// `fdatasync`.
    pub(super) fn sync(&self) -> io::Result<()> {
        pace::somebody_waits(0);
        self.file.sync_data()
    }

    /// Takes an open-file-description lock on one byte, or answers `false` when another holds it.
    pub(super) fn try_lock(&self, byte: u64, kind: Lock) -> io::Result<bool> {
        let mut range = lock_range(byte, kind)?;
        match self.lock_call(libc::F_OFD_SETLK, &mut range) {
            Ok(()) => Ok(true),
            Err(e) if matches!(e.raw_os_error(), Some(libc::EAGAIN | libc::EACCES)) => Ok(false),
            Err(e) => Err(e),
        }
    }

    /// Whether another holds an exclusive lock on this byte. Takes none, and so keeps nobody out.
    pub(super) fn is_locked(&self, byte: u64) -> io::Result<bool> {
        let mut range = lock_range(byte, Lock::Shared)?;
        self.lock_call(libc::F_OFD_GETLK, &mut range)?;
        Ok(i32::from(range.l_type) != libc::F_UNLCK)
    }

    fn lock_call(&self, call: libc::c_int, range: &mut libc::flock) -> io::Result<()> {
        loop {
            // SAFETY: the descriptor is open, and `range` is a valid `flock` that outlives the call.
            if unsafe { libc::fcntl(self.raw_fd(), call, std::ptr::from_mut(range)) } == 0 {
                return Ok(());
            }
            let error = io::Error::last_os_error();
            if error.raw_os_error() != Some(libc::EINTR) {
                return Err(error);
            }
        }
    }
}

fn lock_range(byte: u64, kind: Lock) -> io::Result<libc::flock> {
    let l_type = match kind {
        Lock::Shared => libc::F_RDLCK,
        Lock::Exclusive => libc::F_WRLCK,
    };
    Ok(libc::flock {
        l_type: l_type as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: i64::try_from(byte).map_err(io::Error::other)?,
        l_len: 1,
        l_pid: 0,
    })
}

/// How far a write that may come back short has got.
pub(super) struct Progress {
    /// Bytes that need no further write.
    pub(super) done: usize,
    len: usize,
    unit: usize,
    fruitless: u32,
}

impl Progress {
    pub(super) fn new(file: &OpenFile, len: usize) -> Self {
        Self { done: 0, len, unit: if file.direct { file.write_unit } else { 1 }, fruitless: 0 }
    }

    /// Takes in that `n` more bytes were written. A direct write goes on at the last whole unit: the bytes behind it
    /// are written twice, which is allowed because nobody has been promised them yet.
    pub(super) fn advance(&mut self, n: usize) -> io::Result<()> {
        let reached = self.done + n;
        let whole = if reached >= self.len { self.len } else { reached - reached % self.unit };
        if whole == self.done && self.done < self.len {
            self.fruitless += 1;
            if n == 0 || self.fruitless > FRUITLESS_WRITES {
                return Err(io::Error::new(io::ErrorKind::WriteZero, "the disk took no bytes and named no error"));
            }
        } else {
            self.fruitless = 0;
        }
        self.done = whole;
        Ok(())
    }
}

/// Makes the names in a directory durable.
pub(super) fn sync_dir(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Bytes that can still be stored where `path` is.
pub(super) fn free_space(path: &Path) -> io::Result<u64> {
    let found = rustix::fs::statvfs(path)?;
    Ok(found.f_bavail.saturating_mul(found.f_frsize))
}

/// Creates a directory unless there is one.
pub(super) fn create_dir(path: &Path) -> io::Result<()> {
    match std::fs::create_dir(path) {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        other => other,
    }
}

/// The sorted names in a directory, its subdirectories left out. A name that is no UTF-8 is none of ours and left out.
pub(super) fn list(path: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(path)? {
        let entry = entry?;
        if !entry.file_type()?.is_dir()
            && let Ok(name) = entry.file_name().into_string()
        {
            names.push(name);
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// What is known of a file.
pub(super) fn metadata(path: &Path) -> io::Result<Metadata> {
    let found = std::fs::metadata(path)?;
    let shared = found.is_file() && has_shared_extents(&File::open(path)?, found.len());
    Ok(Metadata { len: found.len(), links: found.nlink(), allocated: found.blocks() * 512, shared })
}

/// Extents of a file asked for at a time.
const EXTENTS: usize = 32;

/// Whether another file shares storage with this one; `false` where the file system cannot tell, and so shares none.
fn has_shared_extents(file: &File, len: u64) -> bool {
    let mut start = 0;
    while start < len {
        let mut map = ExtentMap { start, length: len - start, count: EXTENTS as u32, ..ExtentMap::default() };
        // SAFETY: the descriptor is open; the kernel fills in at most `count` extents behind the head, which are there.
        if unsafe { libc::ioctl(file.as_raw_fd(), FS_IOC_FIEMAP, std::ptr::from_mut(&mut map)) } != 0 {
            return false;
        }
        let found = &map.extents[..(map.mapped as usize).min(EXTENTS)];
        if found.iter().any(|extent| extent.flags & FIEMAP_EXTENT_SHARED != 0) {
            return true;
        }
        match found.last() {
            Some(last) if last.flags & FIEMAP_EXTENT_LAST == 0 => start = last.logical + last.length.max(1),
            _ => return false,
        }
    }
    false
}

const FS_IOC_FIEMAP: libc::c_ulong = 0xC020_660B;
const FIEMAP_EXTENT_LAST: u32 = 0x1;
const FIEMAP_EXTENT_SHARED: u32 = 0x2000;

/// `struct fiemap` of linux/fiemap.h.
#[repr(C)]
#[derive(Default)]
struct ExtentMap {
    start: u64,
    length: u64,
    flags: u32,
    mapped: u32,
    count: u32,
    reserved: u32,
    extents: [Extent; EXTENTS],
}

/// `struct fiemap_extent`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Extent {
    logical: u64,
    physical: u64,
    length: u64,
    reserved: [u64; 2],
    flags: u32,
    reserved_too: [u32; 3],
}

fn refused_direct(direct: bool, error: io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(libc::EINVAL | libc::EOPNOTSUPP) if direct => {
            io::Error::new(io::ErrorKind::Unsupported, "the file system has no direct I/O")
        }
        _ => error,
    }
}

/// The physical block of the device below `file`, at least 4096.
fn write_unit_of(file: &File) -> usize {
    let Ok(found) = file.metadata() else { return SMALLEST_WRITE_UNIT };
    let (major, minor) = (libc::major(found.dev()), libc::minor(found.dev()));
    // A partition has no queue of its own; its disk is the folder above.
    ["queue", "../queue"]
        .iter()
        .filter_map(|queue| {
            let told =
                std::fs::read_to_string(format!("/sys/dev/block/{major}:{minor}/{queue}/physical_block_size")).ok()?;
            told.trim().parse::<usize>().ok()
        })
        .find(|size| size.is_power_of_two() && *size <= LARGEST_WRITE_UNIT)
        .map_or(SMALLEST_WRITE_UNIT, |size| size.max(SMALLEST_WRITE_UNIT))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress(len: usize, unit: usize) -> Progress {
        Progress { done: 0, len, unit, fruitless: 0 }
    }

    #[test]
    fn a_short_direct_write_goes_on_at_a_whole_unit() {
        let mut p = progress(8192, 4096);
        p.advance(5000).unwrap();
        assert_eq!(p.done, 4096);
        p.advance(4096).unwrap();
        assert_eq!(p.done, 8192);
    }

    #[test]
    fn a_short_buffered_write_goes_on_at_the_next_byte() {
        let mut p = progress(100, 1);
        p.advance(33).unwrap();
        assert_eq!(p.done, 33);
    }

    #[test]
    fn a_disk_that_never_takes_a_byte_is_an_error_and_no_endless_loop() {
        assert!(progress(100, 1).advance(0).is_err());
        let mut p = progress(8192, 4096);
        assert!((0..100).any(|_| p.advance(512).is_err()));
    }
}
