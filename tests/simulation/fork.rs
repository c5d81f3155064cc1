//! A forked copy as another simulated process: it has its parent's memory as it was, and its open files until it closes
//! them; it writes on while the parent goes on, and may outlive it for a moment.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use ackd::disk::sim::{SimDisk, World};
use ackd::disk::{AlignedBuf, Disk, Open};
use ackd::durability::fork::{Child, Fork, Output, Progress, Work, Written};

/// Written at a time.
const PIECE: usize = 8192;

/// What the copies of one server share with the driver, which lets them go on.
pub type Copies = Rc<RefCell<Vec<Copy>>>;

/// A copy at work.
pub struct Copy {
    pub process: u64,
    life: Pin<Box<dyn Future<Output = ()>>>,
    told: Rc<Told>,
}

#[derive(Default)]
struct Told {
    result: RefCell<Option<Result<Written, String>>>,
    waiting: RefCell<Option<Waker>>,
    reports: Cell<u64>,
}

impl Told {
    fn end(&self, result: Result<Written, String>) {
        self.result.borrow_mut().get_or_insert(result);
        if let Some(waker) = self.waiting.borrow_mut().take() {
            waker.wake();
        }
    }
}

impl Copy {
    /// Lets it go on; `true` once it has ended.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> bool {
        self.told.result.borrow().is_some() || self.life.as_mut().poll(cx).is_ready()
    }

    /// Ends it.
    pub fn kill(&self, world: &World) {
        world.kill(self.process);
        self.told.end(Err("it was killed".into()));
    }
}

/// See the module.
pub struct SimFork {
    world: World,
    parent: u64,
    copies: Copies,
    /// The bug: it keeps what it inherited.
    keeps_files: bool,
    rng: RefCell<fastrand::Rng>,
}

impl SimFork {
    pub fn new(world: &World, parent: u64, copies: Copies, keeps_files: bool, seed: u64) -> Self {
        let rng = RefCell::new(fastrand::Rng::with_seed(seed));
        Self { world: world.clone(), parent, copies, keeps_files, rng }
    }
}

#[derive(Default)]
struct Rendered {
    bytes: Vec<u8>,
    keys: u64,
}

impl Write for Rendered {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Output for Rendered {
    fn done(&mut self, keys: u64) {
        self.keys = keys;
    }
}

impl Fork for SimFork {
    fn fork(&self, path: &Path, work: Work<'_>) -> io::Result<Box<dyn Child>> {
        let mut rng = self.rng.borrow_mut();
        if rng.u8(..20) == 0 {
            return Err(io::Error::from_raw_os_error(libc::ENOMEM));
        }
        let mut rendered = Rendered::default();
        work(&mut rendered).map_err(io::Error::other)?;
        let disk = self.world.fork(self.parent);
        let process = disk.process();
        let told = Rc::new(Told::default());
        // Now and then it is killed on its way, by the system for want of memory.
        let dies_after = (rng.u8(..8) == 0).then(|| rng.usize(..4));
        let (keeps_files, its) = (self.keeps_files, told.clone());
        let life = Box::pin(live(disk, path.to_owned(), rendered.bytes, keeps_files, dies_after, its));
        self.copies.borrow_mut().push(Copy { process, life, told: told.clone() });
        Ok(Box::new(SimChild { world: self.world.clone(), process, told, keys: rendered.keys }))
    }
}

async fn live(
    disk: SimDisk,
    path: PathBuf,
    bytes: Vec<u8>,
    keeps_files: bool,
    dies_after: Option<usize>,
    told: Rc<Told>,
) {
    if !keeps_files {
        disk.close_inherited();
    }
    let write = async {
        let file = disk.open(&path, Open::CreateNew).await?;
        for (number, piece) in bytes.chunks(PIECE).enumerate() {
            if dies_after == Some(number) {
                return Err(io::Error::other("killed"));
            }
            let mut buf = AlignedBuf::with_capacity(piece.len());
            buf.extend_from_slice(piece);
            file.write_at((number * PIECE) as u64, buf).await?;
            told.reports.set(told.reports.get() + 1);
        }
        file.sync().await
    };
    let result = write.await.map_err(|error: io::Error| error.to_string());
    let crc = crc32fast::hash(&bytes);
    told.end(result.map(|()| Written { size: bytes.len() as u64, crc, copied: 0 }));
}

struct SimChild {
    world: World,
    process: u64,
    told: Rc<Told>,
    keys: u64,
}

impl Child for SimChild {
    fn wait(&mut self) -> Pin<Box<dyn Future<Output = Result<Written, String>> + '_>> {
        Box::pin(poll_fn(|cx| {
            if let Some(result) = &*self.told.result.borrow() {
                return Poll::Ready(result.clone());
            }
            *self.told.waiting.borrow_mut() = Some(cx.waker().clone());
            Poll::Pending
        }))
    }

    fn progress(&self) -> Progress {
        Progress { reports: self.told.reports.get(), keys: self.keys, ..Progress::default() }
    }

    fn kill(&self) {
        self.world.kill(self.process);
        self.told.end(Err("it was killed".into()));
    }
}
