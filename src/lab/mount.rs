//! A [`Volume`] as a mounted file system, by FUSE: below the system call, so that what a server submits through
//! io_uring is seen like any other write, with its `O_DSYNC`.
//!
//! All files are open for direct I/O: nothing is kept in the kernel's cache, each write is seen when it is made. What a
//! server does not sync is still "in the cache": the volume's, which a power cut takes away.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use fuser::{
    BackgroundSession, BsdFileFlags, Config, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation,
    INodeNo, InitFlags, KernelConfig, LockOwner, MountOption, OpenFlags, RenameFlags, ReplyAttr, ReplyCreate,
    ReplyData, ReplyDirectory, ReplyEmpty, ReplyEntry, ReplyOpen, ReplyStatfs, ReplyWrite, Request, TimeOrNow,
    WriteFlags,
};

use super::volume::{Change, Content, Errno, Ino, Kind, Made, Node, ROOT, Tree, Volume};

/// Threads that serve the file system: as many calls can be under way at once.
const THREADS: usize = 4;

/// Where nothing else says how much room there is.
const CAPACITY: u64 = 1 << 40;

const BLOCK: u64 = 4096;

/// A mounted volume; dropping it unmounts it.
#[derive(Debug)]
pub struct Mount {
    session: Option<BackgroundSession>,
    at: PathBuf,
}

impl Mount {
    /// Mounts a volume on an empty directory. Needs `/dev/fuse`, and root or `fusermount3`.
    pub fn new(volume: Arc<Volume>, at: &Path) -> io::Result<Self> {
        let mut config = Config::default();
        config.mount_options = vec![MountOption::FSName("ackd-lab".into()), MountOption::NoAtime, MountOption::NoDev];
        config.n_threads = Some(THREADS);
        let session = fuser::spawn_mount(Served { volume }, at, &config)?;
        Ok(Self { session: Some(session), at: at.to_owned() })
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let Some(session) = self.session.take() else { return };
        // A server that was killed a moment ago may still hold files: the file system goes when it does. Only root may
        // ask for that; for others fusermount3 unmounts what nobody holds.
        if rustix::mount::unmount(&self.at, rustix::mount::UnmountFlags::DETACH).is_err() {
            let _ = session.umount_and_join();
        }
    }
}

struct Served {
    volume: Arc<Volume>,
}

/// Attributes and names are asked for each time: a volume may be exchanged under the kernel.
const NEVER: Duration = Duration::ZERO;

fn errno(error: Errno) -> fuser::Errno {
    fuser::Errno::from_i32(error)
}

/// A name as the volume keeps it.
fn text(name: &OsStr) -> Result<String, Errno> {
    name.to_str().map(str::to_owned).ok_or(libc::EILSEQ)
}

fn attributes(ino: Ino, node: &Node, links: u32) -> FileAttr {
    let (kind, size) = match &node.kind {
        Kind::File(content) => (FileType::RegularFile, content.len()),
        Kind::Directory(_) => (FileType::Directory, 0),
    };
    FileAttr {
        ino: INodeNo(ino),
        size,
        blocks: size.div_ceil(512),
        atime: UNIX_EPOCH,
        mtime: UNIX_EPOCH,
        ctime: UNIX_EPOCH,
        crtime: UNIX_EPOCH,
        kind,
        perm: node.mode,
        nlink: if kind == FileType::Directory { 2 } else { links },
        uid: rustix::process::getuid().as_raw(),
        gid: rustix::process::getgid().as_raw(),
        rdev: 0,
        blksize: BLOCK as u32,
        flags: 0,
    }
}

impl Served {
    fn attributes(&self, ino: Ino) -> Result<FileAttr, Errno> {
        self.volume.look(|tree| {
            let node = tree.node(ino).ok_or(libc::ESTALE)?;
            Ok(attributes(ino, node, tree.links(ino)))
        })
    }

    fn find(&self, directory: Ino, name: &OsStr) -> Result<FileAttr, Errno> {
        let ino = self.volume.look(|tree| entry(tree, directory, &text(name)?))?;
        self.attributes(ino)
    }

    /// A new file or directory.
    fn make(&self, directory: Ino, name: &OsStr, made: Made) -> Result<FileAttr, Errno> {
        let name = text(name)?;
        let ino = self.volume.change(false, |tree| {
            if entry(tree, directory, &name).is_ok() {
                return Err(libc::EEXIST);
            }
            let ino = tree.next();
            Ok((ino, Change::Link { directory, name, ino, made: Some(made) }))
        })?;
        self.attributes(ino)
    }

    fn unlink(&self, directory: Ino, name: &OsStr, of_directory: bool) -> Result<(), Errno> {
        let name = text(name)?;
        self.volume.change(false, |tree| {
            let ino = entry(tree, directory, &name)?;
            match (tree.entries(ino), of_directory) {
                (Some(_), false) => return Err(libc::EISDIR),
                (None, true) => return Err(libc::ENOTDIR),
                (Some(entries), true) if !entries.is_empty() => return Err(libc::ENOTEMPTY),
                _ => {}
            }
            Ok(((), Change::Unlink { directory, name }))
        })
    }

    fn rename(&self, from: Ino, name: &OsStr, to: Ino, new_name: &OsStr, flags: RenameFlags) -> Result<(), Errno> {
        let (name, new_name) = (text(name)?, text(new_name)?);
        self.volume.change(false, |tree| {
            let ino = entry(tree, from, &name)?;
            if flags.contains(RenameFlags::RENAME_EXCHANGE) {
                return Err(libc::EINVAL);
            }
            if flags.contains(RenameFlags::RENAME_NOREPLACE) && entry(tree, to, &new_name).is_ok() {
                return Err(libc::EEXIST);
            }
            Ok(((), Change::Rename { from, name, to, new_name, ino }))
        })
    }

    fn resize(&self, ino: Ino, size: u64) -> Result<(), Errno> {
        self.volume.change(false, |tree| {
            tree.content(ino).ok_or(libc::ESTALE)?;
            Ok(((), Change::Resize { ino, size }))
        })
    }
}

fn entry(tree: &Tree, directory: Ino, name: &str) -> Result<Ino, Errno> {
    let entries = tree.entries(directory).ok_or(libc::ESTALE)?;
    entries.get(name).copied().ok_or(libc::ENOENT)
}

/// Answers an entry or an error.
fn answer_entry(reply: ReplyEntry, found: Result<FileAttr, Errno>) {
    match found {
        Ok(attributes) => reply.entry(&NEVER, &attributes, Generation(0)),
        Err(error) => reply.error(errno(error)),
    }
}

fn answer(reply: ReplyEmpty, done: Result<(), Errno>) {
    match done {
        Ok(()) => reply.ok(),
        Err(error) => reply.error(errno(error)),
    }
}

/// Permissions of what a server makes.
fn mode(mode: u32, umask: u32) -> u16 {
    (mode & !umask & 0o7777) as u16
}

impl Filesystem for Served {
    fn init(&mut self, _: &Request, config: &mut KernelConfig) -> io::Result<()> {
        // Direct writes by io_uring are under way while the server goes on, as on a disk.
        let _ = config.add_capabilities(InitFlags::FUSE_ASYNC_DIO);
        Ok(())
    }

    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        answer_entry(reply, self.find(parent.0, name));
    }

    fn getattr(&self, _: &Request, ino: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        match self.attributes(ino.0) {
            Ok(attributes) => reply.attr(&NEVER, &attributes),
            Err(error) => reply.error(errno(error)),
        }
    }

    fn setattr(
        &self,
        _: &Request,
        ino: INodeNo,
        mode: Option<u32>,
        _uid: Option<u32>,
        _gid: Option<u32>,
        size: Option<u64>,
        _atime: Option<TimeOrNow>,
        _mtime: Option<TimeOrNow>,
        _ctime: Option<std::time::SystemTime>,
        _fh: Option<FileHandle>,
        _crtime: Option<std::time::SystemTime>,
        _chgtime: Option<std::time::SystemTime>,
        _bkuptime: Option<std::time::SystemTime>,
        _flags: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        if let Some(mode) = mode {
            self.volume.set_mode(ino.0, (mode & 0o7777) as u16);
        }
        let resized = size.map_or(Ok(()), |size| self.resize(ino.0, size));
        match resized.and_then(|()| self.attributes(ino.0)) {
            Ok(attributes) => reply.attr(&NEVER, &attributes),
            Err(error) => reply.error(errno(error)),
        }
    }

    fn mkdir(&self, _: &Request, parent: INodeNo, name: &OsStr, bits: u32, umask: u32, reply: ReplyEntry) {
        let made = Made { directory: true, mode: mode(bits, umask) };
        answer_entry(reply, self.make(parent.0, name, made));
    }

    fn unlink(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        answer(reply, self.unlink(parent.0, name, false));
    }

    fn rmdir(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        answer(reply, self.unlink(parent.0, name, true));
    }

    fn rename(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        new_parent: INodeNo,
        new_name: &OsStr,
        flags: RenameFlags,
        reply: ReplyEmpty,
    ) {
        answer(reply, self.rename(parent.0, name, new_parent.0, new_name, flags));
    }

    fn link(&self, _: &Request, ino: INodeNo, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let linked = text(name).and_then(|name| {
            self.volume.change(false, |tree| {
                if entry(tree, parent.0, &name).is_ok() {
                    return Err(libc::EEXIST);
                }
                Ok(((), Change::Link { directory: parent.0, name, ino: ino.0, made: None }))
            })
        });
        answer_entry(reply, linked.and_then(|()| self.attributes(ino.0)));
    }

    fn create(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        bits: u32,
        umask: u32,
        _flags: i32,
        reply: ReplyCreate,
    ) {
        let made = self.make(parent.0, name, Made { directory: false, mode: mode(bits, umask) });
        let opened = made.and_then(|attributes| self.volume.open(attributes.ino.0).map(|()| attributes));
        match opened {
            Ok(attributes) => {
                reply.created(&NEVER, &attributes, Generation(0), FileHandle(0), FopenFlags::FOPEN_DIRECT_IO);
            }
            Err(error) => reply.error(errno(error)),
        }
    }

    fn open(&self, _: &Request, ino: INodeNo, flags: OpenFlags, reply: ReplyOpen) {
        let opened = self.volume.open(ino.0);
        let opened = opened.and_then(|()| if flags.0 & libc::O_TRUNC != 0 { self.resize(ino.0, 0) } else { Ok(()) });
        match opened {
            Ok(()) => reply.opened(FileHandle(0), FopenFlags::FOPEN_DIRECT_IO),
            Err(error) => reply.error(errno(error)),
        }
    }

    fn release(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        _: OpenFlags,
        _: Option<LockOwner>,
        _: bool,
        reply: ReplyEmpty,
    ) {
        self.volume.close(ino.0);
        reply.ok();
    }

    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        reply.ok();
    }

    fn read(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        match self.volume.look(|tree| tree.content(ino.0).map(|content| content.read(offset, size as usize))) {
            Some(bytes) => reply.data(&bytes),
            None => reply.error(errno(libc::ESTALE)),
        }
    }

    fn write(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        data: &[u8],
        _: WriteFlags,
        flags: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        // O_SYNC holds O_DSYNC's bit. The kernel sets it also for a single write that asks for it (RWF_DSYNC).
        let synchronous = flags.0 & libc::O_DSYNC != 0;
        let written = self.volume.change(synchronous, |tree| {
            tree.content(ino.0).ok_or(libc::ESTALE)?;
            Ok(((), Change::Write { ino: ino.0, offset, data: data.into() }))
        });
        match written {
            Ok(()) => reply.written(data.len() as u32),
            Err(error) => reply.error(errno(error)),
        }
    }

    fn fsync(&self, _: &Request, ino: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        answer(reply, self.volume.sync(ino.0));
    }

    fn fsyncdir(&self, _: &Request, ino: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        answer(reply, self.volume.sync(ino.0));
    }

    fn fallocate(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        length: u64,
        mode: i32,
        reply: ReplyEmpty,
    ) {
        let size = self.volume.look(|tree| tree.content(ino.0).map(Content::len));
        answer(
            reply,
            match size {
                None => Err(libc::ESTALE),
                Some(_) if mode & !libc::FALLOC_FL_KEEP_SIZE != 0 => Err(libc::EOPNOTSUPP),
                Some(size) if mode != 0 || offset + length <= size => Ok(()),
                Some(_) => self.resize(ino.0, offset + length),
            },
        );
    }

    fn readdir(&self, _: &Request, ino: INodeNo, _: FileHandle, offset: u64, mut reply: ReplyDirectory) {
        let entries = self.volume.look(|tree| {
            let of =
                |entry: Ino| if tree.entries(entry).is_some() { FileType::Directory } else { FileType::RegularFile };
            tree.entries(ino.0).map(|entries| {
                entries.iter().map(|(name, entry)| (name.clone(), *entry, of(*entry))).collect::<Vec<_>>()
            })
        });
        let Some(entries) = entries else { return reply.error(errno(libc::ESTALE)) };
        let dots = [".", ".."].map(|name| (name.to_owned(), ROOT, FileType::Directory));
        for (next, (name, ino, kind)) in (1..).zip(dots.into_iter().chain(entries)).skip(offset as usize) {
            if reply.add(INodeNo(ino), next, kind, name) {
                break;
            }
        }
        reply.ok();
    }

    fn statfs(&self, _: &Request, _: INodeNo, reply: ReplyStatfs) {
        let capacity = self.volume.capacity().unwrap_or(CAPACITY);
        let free = capacity.saturating_sub(self.volume.look(Tree::size)) / BLOCK;
        reply.statfs(capacity / BLOCK, free, free, 1 << 20, 1 << 20, BLOCK as u32, 255, BLOCK as u32);
    }
}
