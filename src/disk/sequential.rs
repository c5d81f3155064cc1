//! Files that are written once, from their beginning to their end, by who can wait: a snapshot's child, a copy.
//!
//! Past the cache where that is possible, so that a large file does not push out what others need and leaves nothing to be
//! written back all at once; else synced and dropped from the cache piece by piece. Slowly while others wait for the disk.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Instant;

use super::AlignedBuf;
use super::pace::{self, Pace};
use super::posix::SMALLEST_WRITE_UNIT;

/// Written at once, when nobody else waits for the disk.
const PIECE: usize = 1 << 20;

/// Written at once, when others wait.
const SMALL_PIECE: usize = 64 << 10;

/// Through the cache, synced at once.
const SYNCED_PIECE: u64 = 8 << 20;

/// See the module.
pub struct SequentialFile {
    file: File,
    direct: bool,
    buffer: AlignedBuf,
    /// How much is written at once at present.
    piece: usize,
    pace: Pace,
    len: u64,
    /// Up to where it was synced and dropped from the cache.
    settled: u64,
    hasher: crc32fast::Hasher,
}

impl SequentialFile {
    /// Creates the file, which must not exist.
    pub fn create(path: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        let file = options.open(path)?;
        let past_cache = OpenOptions::new().write(true).custom_flags(libc::O_DIRECT).open(path);
        let (file, direct) = past_cache.map_or((file, false), |file| (file, true));
        let (buffer, hasher) = (AlignedBuf::with_capacity(PIECE), crc32fast::Hasher::new());
        Ok(Self { file, direct, buffer, piece: SMALL_PIECE, pace: Pace::new(), len: 0, settled: 0, hasher })
    }

    /// Bytes written so far.
    pub fn len(&self) -> u64 {
        self.len + self.buffer.len() as u64
    }

    /// Whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Makes all of it durable, but for its name. Gives its length and the CRC32 of its bytes.
    pub fn finish(mut self) -> io::Result<(u64, u32)> {
        let len = self.len();
        self.hasher.update(&self.buffer);
        if self.direct {
            // Whole blocks, the last one cut back.
            self.buffer.resize(self.buffer.len().next_multiple_of(SMALLEST_WRITE_UNIT));
        }
        if let Err(error) = self.put() {
            if !self.gave_up_direct(&error)? {
                return Err(error);
            }
            self.put()?;
        }
        self.file.set_len(len)?;
        self.file.sync_all()?;
        self.drop_from_cache();
        Ok((len, self.hasher.finalize()))
    }

    /// Writes the buffer out.
    fn put(&mut self) -> io::Result<()> {
        let (begun, piece) = (Instant::now(), self.buffer.len());
        self.file.write_all(&self.buffer)?;
        self.len += piece as u64;
        self.buffer.clear();
        if !self.direct && self.len - self.settled >= SYNCED_PIECE {
            self.file.sync_data()?;
            self.drop_from_cache();
        }
        if self.pace.was_in_the_way(piece) {
            self.piece = SMALL_PIECE;
            std::thread::sleep(pace::pause(begun.elapsed()));
        } else {
            self.piece = PIECE.min(self.piece * 2);
        }
        Ok(())
    }

    fn drop_from_cache(&mut self) {
        if self.direct {
            return;
        }
        let (from, len) = (self.settled as libc::off_t, (self.len - self.settled) as libc::off_t);
        // SAFETY: the descriptor is open; advice changes nothing but the cache.
        unsafe { libc::posix_fadvise(self.file.as_raw_fd(), from, len, libc::POSIX_FADV_DONTNEED) };
        self.settled = self.len;
    }

    /// Some file systems take the flag and refuse the first write.
    fn gave_up_direct(&mut self, error: &io::Error) -> io::Result<bool> {
        if !self.direct || self.len > 0 || error.raw_os_error() != Some(libc::EINVAL) {
            return Ok(false);
        }
        // SAFETY: the descriptor is open; only its way of writing changes.
        if unsafe { libc::fcntl(self.file.as_raw_fd(), libc::F_SETFL, 0) } != 0 {
            return Err(io::Error::last_os_error());
        }
        self.direct = false;
        Ok(true)
    }
}

impl Write for SequentialFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(self.piece - self.buffer.len());
        self.buffer.extend_from_slice(&bytes[..taken]);
        if self.buffer.len() == self.piece {
            self.hasher.update(&self.buffer);
            if let Err(error) = self.put() {
                if !self.gave_up_direct(&error)? {
                    return Err(error);
                }
                self.put()?;
            }
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Copies a file to a new name, sharing its storage where the file system can.
pub(super) fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let mut source = File::open(from)?;
    let shared = {
        let target = OpenOptions::new().write(true).create_new(true).open(to)?;
        rustix::fs::ioctl_ficlone(&target, &source).is_ok() && target.sync_all().is_ok()
    };
    if shared {
        return Ok(());
    }
    std::fs::remove_file(to)?;
    let mut target = SequentialFile::create(to)?;
    let mut piece = vec![0; PIECE];
    loop {
        match source.read(&mut piece)? {
            0 => break,
            len => target.write_all(&piece[..len])?,
        }
    }
    target.finish().map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_there_with_its_length_and_checksum() {
        let folder = tempfile::tempdir().unwrap();
        for len in [0, 1, 4095, 4096, 4097, PIECE, PIECE + 1, 3 * PIECE + 12_345] {
            let bytes: Vec<u8> = (0..len).map(|i| (i * 7 % 251) as u8).collect();
            let path = folder.path().join(len.to_string());
            let mut file = SequentialFile::create(&path).unwrap();
            for piece in bytes.chunks(100_003) {
                file.write_all(piece).unwrap();
            }
            assert_eq!(file.finish().unwrap(), (len as u64, crc32fast::hash(&bytes)));
            assert!(std::fs::read(&path).unwrap() == bytes, "{len}");
            let copied = folder.path().join(format!("{len}-copied"));
            copy(&path, &copied).unwrap();
            assert!(std::fs::read(&copied).unwrap() == bytes, "{len}");
            assert!(SequentialFile::create(&path).is_err(), "it exists");
        }
    }

    #[test]
    fn pieces_are_small_while_others_wait_for_the_disk() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = SequentialFile::create(&folder.path().join("file")).unwrap();
        file.piece = PIECE;
        pace::somebody_waits(0);
        file.write_all(&vec![1; PIECE]).unwrap();
        assert_eq!(file.piece, SMALL_PIECE);
        file.write_all(&[2; 5]).unwrap();
        pace::somebody_waits(0);
        file.write_all(&vec![3; PIECE]).unwrap();
        assert!(file.len() == 2 * PIECE as u64 + 5);
        let (len, crc) = file.finish().unwrap();
        let bytes = [vec![1; PIECE], vec![2; 5], vec![3; PIECE]].concat();
        assert_eq!((len, crc), (bytes.len() as u64, crc32fast::hash(&bytes)));
    }
}
