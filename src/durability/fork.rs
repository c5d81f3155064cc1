//! Work in a copy of this process, whose memory stands still: how a snapshot is written while commands go on.
//!
//! [`ProcessFork`] is the real thing. The simulation brings its own [`Fork`], in which the copy is another simulated process.
//!
//! What must always hold in the copy: it ends with its parent; it holds no descriptor but the file and the pipe, so that
//! LOCK, port and clients are free when the parent has died; and it does nothing that another thread's lock, which nobody will
//! ever release there, could stop: no logging, no runtime, no ring.

use std::cell::Cell;
use std::future::Future;
use std::io::{self, Write};
use std::os::fd::{IntoRawFd, OwnedFd, RawFd};
use std::path::Path;
use std::pin::Pin;
use std::time::{Duration, Instant};

use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;

use crate::disk::{SequentialFile, pace};

/// What is written, and how far it is, told from time to time.
pub trait Output: Write {
    /// So many keys are done.
    fn done(&mut self, keys: u64);

    /// There was a pause: a moment to tell how far it is.
    fn paused(&mut self) {}
}

/// What a copy is to do.
pub type Work<'a> = &'a mut dyn FnMut(&mut dyn Output) -> Result<(), String>;

/// Makes copies of this process.
pub trait Fork {
    /// Lets a copy of this process do `work` with a new file at `path`, and sync it.
    fn fork(&self, path: &Path, work: Work<'_>) -> io::Result<Box<dyn Child>>;
}

/// A copy at work. Dropped, it is killed.
pub trait Child {
    /// Waits for its end. The future may be dropped and another one asked for.
    fn wait(&mut self) -> Pin<Box<dyn Future<Output = Result<Written, String>> + '_>>;

    /// What it told last.
    fn progress(&self) -> Progress;

    /// Ends it.
    fn kill(&self);

    /// Its process id; 0 if it is none of the system's.
    fn pid(&self) -> u32 {
        0
    }
}

/// A file that is complete and synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// Its length.
    pub size: u64,
    /// CRC32 of its bytes.
    pub crc: u32,
    /// Bytes of memory that were copied, because one of the two processes changed them.
    pub copied: u64,
}

/// How far a copy is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// How often it told something: when that stands still, it hangs.
    pub reports: u64,
    /// Keys done.
    pub keys: u64,
    /// Bytes written.
    pub bytes: u64,
    /// Bytes of memory copied.
    pub copied: u64,
}

/// How often a copy tells how far it is.
const REPORT_EVERY: Duration = Duration::from_millis(250);

/// How often it reckons what memory was copied, which takes the kernel a while; and not for more than this share of its time.
const RECKON_EVERY: Duration = Duration::from_secs(2);
const RECKON_SHARE: u32 = 50;

/// Keys between two looks at the clock.
const KEYS_A_LOOK: u64 = 256;

/// Exit code of a copy that met a bug.
const BUG: i32 = 70;

/// See the module.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProcessFork;

impl Fork for ProcessFork {
    fn fork(&self, path: &Path, work: Work<'_>) -> io::Result<Box<dyn Child>> {
        let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
        rustix::io::ioctl_fionbio(&read, true)?;
        let from_child = pipe::Receiver::from_owned_fd(read)?;
        let parent = std::process::id();
        pace::share();
        // SAFETY: the copy has only this thread. What it calls from here on allocates (the allocator's own handlers make it
        // usable in a copy), reads memory, and makes system calls; it ends with `_exit` in `in_copy`, which never returns.
        match unsafe { libc::fork() } {
            -1 => Err(io::Error::last_os_error()),
            0 => in_copy(parent, path, write, work),
            pid => Ok(Box::new(ProcessChild {
                pid: pid.cast_unsigned(),
                from_child,
                heard: Vec::new(),
                last: None,
                progress: Cell::default(),
                reaped: Cell::new(false),
            })),
        }
    }
}

/// The life of a copy.
fn in_copy(parent: u32, path: &Path, pipe: OwnedFd, work: Work<'_>) -> ! {
    let pipe = pipe.into_raw_fd();
    end_with(parent);
    reset_signals();
    close_all_but(pipe);
    be_first_to_go();
    give_way();
    // A panic must run nothing of the parent's: neither its hook, which logs, nor the destructors of what is borrowed.
    std::panic::set_hook(Box::new(|_| exit(BUG)));
    let told = match write_file(path, pipe, work) {
        Ok(written) => format!("done {} {} {}\n", written.size, written.crc, written.copied),
        Err(reason) => format!("failed {}\n", reason.replace('\n', " ")),
    };
    tell(pipe, &told);
    exit(0)
}

fn exit(code: i32) -> ! {
    // SAFETY: ends the process without running anything of it.
    unsafe { libc::_exit(code) }
}

/// Lets this copy end with its parent, also if that has died already.
fn end_with(parent: u32) {
    // SAFETY: a system call that only sets an attribute of this process.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as libc::c_ulong) };
    if std::os::unix::process::parent_id() != parent {
        exit(1);
    }
}

/// The parent's handlers would write into its own pipes. A Ctrl-C is the parent's to answer.
fn reset_signals() {
    for signal in 1..=64 {
        let handler = if signal == libc::SIGINT || signal == libc::SIGPIPE { libc::SIG_IGN } else { libc::SIG_DFL };
        // SAFETY: no handler of ours is installed; those that cannot be changed are refused.
        unsafe { libc::signal(signal, handler) };
    }
}

/// Closes every descriptor but this one.
fn close_all_but(kept: RawFd) {
    let kept = kept.cast_unsigned();
    for (first, last) in [(0, kept.wrapping_sub(1)), (kept + 1, u32::MAX)] {
        if first > last || (kept == 0 && first == 0) {
            continue;
        }
        // SAFETY: nothing that this copy goes on to use owns one of these descriptors.
        if unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) } == 0 {
            continue;
        }
        // A kernel before 5.9.
        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current.unwrap_or(1 << 20);
        for descriptor in first..=last.min(u32::try_from(limit).unwrap_or(u32::MAX)) {
            // SAFETY: as above.
            unsafe { libc::close(descriptor.cast_signed()) };
        }
    }
}

/// When memory runs out, the copy is to be killed, and not the server.
fn be_first_to_go() {
    // Not being allowed to is no reason to stop.
    let _ = std::fs::write("/proc/self/oom_score_adj", "900");
}

/// Where processors are few, clients go first: of a busy one the copy gets about a tenth.
const NICENESS: i32 = 10;

fn give_way() {
    let batch = libc::sched_param { sched_priority: 0 };
    // SAFETY: system calls that only set attributes of this process; a refusal is no reason to stop.
    unsafe {
        libc::setpriority(libc::PRIO_PROCESS, 0, NICENESS);
        libc::sched_setscheduler(0, libc::SCHED_BATCH, &raw const batch);
    }
}

fn write_file(path: &Path, pipe: RawFd, work: Work<'_>) -> Result<Written, String> {
    let failed = |error: io::Error| format!("cannot write {}: {error}", path.display());
    let file = SequentialFile::create(path).map_err(failed)?;
    let mut output = CopyOutput { file, pipe, told: Instant::now(), reckoned: Instant::now(), keys: 0, copied: 0 };
    work(&mut output)?;
    let (size, crc) = output.file.finish().map_err(failed)?;
    Ok(Written { size, crc, copied: copied_bytes().max(output.copied) })
}

struct CopyOutput {
    file: SequentialFile,
    pipe: RawFd,
    told: Instant,
    reckoned: Instant,
    keys: u64,
    copied: u64,
}

impl CopyOutput {
    fn look_at_the_clock(&mut self) {
        let now = Instant::now();
        if now - self.told < REPORT_EVERY {
            return;
        }
        if now >= self.reckoned {
            self.copied = copied_bytes();
            let took = now.elapsed();
            self.reckoned = now + (took * RECKON_SHARE).max(RECKON_EVERY);
        }
        self.told = now;
        tell(self.pipe, &format!("progress {} {} {}\n", self.keys, self.file.len(), self.copied));
    }
}

impl Write for CopyOutput {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = self.file.write(bytes)?;
        if taken < bytes.len() {
            // A piece was written out, which takes long when the disk is busy.
            self.look_at_the_clock();
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Output for CopyOutput {
    fn done(&mut self, keys: u64) {
        self.keys = keys;
        if keys.is_multiple_of(KEYS_A_LOOK) {
            self.look_at_the_clock();
        }
    }

    fn paused(&mut self) {
        self.look_at_the_clock();
    }
}

/// Bytes of this process' memory that it does not share with its parent any more.
fn copied_bytes() -> u64 {
    let Ok(text) = std::fs::read_to_string("/proc/self/smaps_rollup") else { return 0 };
    let line = text.lines().find_map(|line| line.strip_prefix("Private_Dirty:"));
    let kilobytes = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}

/// A line to the parent. Short enough that the pipe takes it whole; if nobody reads it, nobody misses it.
fn tell(pipe: RawFd, line: &str) {
    let line = &line.as_bytes()[..line.len().min(libc::PIPE_BUF)];
    // SAFETY: the descriptor is open, and the bytes are there.
    unsafe { libc::write(pipe, line.as_ptr().cast(), line.len()) };
}

struct ProcessChild {
    pid: u32,
    from_child: pipe::Receiver,
    /// The beginning of a line that it tells. What was heard outlives the future that heard it.
    heard: Vec<u8>,
    /// Its last word.
    last: Option<Result<Written, String>>,
    progress: Cell<Progress>,
    reaped: Cell<bool>,
}

/// How long an ended copy may take to be taken apart: that of a large memory takes the kernel a while.
const REAP_EVERY: Duration = Duration::from_millis(2);

impl ProcessChild {
    /// Reads what it tells, to the end of the pipe.
    async fn listen(&mut self) {
        let mut piece = [0; 4096];
        loop {
            let count = self.from_child.read(&mut piece).await.unwrap_or(0);
            if count == 0 {
                return;
            }
            self.heard.extend_from_slice(&piece[..count]);
            while let Some(end) = self.heard.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.heard.drain(..=end).collect();
                if let Some(last) = self.take(String::from_utf8_lossy(&line).trim_end()) {
                    self.last = Some(last);
                }
            }
        }
    }

    fn take(&self, line: &str) -> Option<Result<Written, String>> {
        if let Some(reason) = line.strip_prefix("failed ") {
            return Some(Err(reason.to_owned()));
        }
        let mut words = line.split(' ');
        let kind = words.next()?;
        let numbers: Vec<u64> = words.map_while(|word| word.parse().ok()).collect();
        match (kind, numbers.as_slice()) {
            ("progress", [keys, bytes, copied]) => {
                let reports = self.progress.get().reports + 1;
                self.progress.set(Progress { reports, keys: *keys, bytes: *bytes, copied: *copied });
                None
            }
            ("done", [size, crc, copied]) => {
                Some(Ok(Written { size: *size, crc: u32::try_from(*crc).ok()?, copied: *copied }))
            }
            _ => None,
        }
    }

    /// How it ended, once it has.
    fn reap(&self) -> Option<i32> {
        let mut status = 0;
        // SAFETY: the process is a child of ours that was not waited for yet, and `status` is there to be filled.
        let found = unsafe { libc::waitpid(self.pid.cast_signed(), &raw mut status, libc::WNOHANG) };
        if found == 0 {
            return None;
        }
        self.reaped.set(true);
        Some(if found < 0 { -1 } else { status })
    }
}

impl Child for ProcessChild {
    fn wait(&mut self) -> Pin<Box<dyn Future<Output = Result<Written, String>> + '_>> {
        Box::pin(async move {
            self.listen().await;
            let status = loop {
                match self.reap() {
                    Some(status) => break status,
                    None => tokio::time::sleep(REAP_EVERY).await,
                }
            };
            match self.last.take() {
                _ if libc::WIFSIGNALED(status) => Err(match libc::WTERMSIG(status) {
                    libc::SIGKILL => "it was killed (by signal 9: by somebody, or because memory ran out)".to_owned(),
                    signal => format!("it was ended by signal {signal}"),
                }),
                _ if libc::WEXITSTATUS(status) == BUG => Err("it met a bug and stopped".to_owned()),
                Some(result) => result,
                None => Err(format!("it ended without a word (exit code {})", libc::WEXITSTATUS(status))),
            }
        })
    }

    fn progress(&self) -> Progress {
        self.progress.get()
    }

    fn kill(&self) {
        if !self.reaped.get() {
            // SAFETY: the process is a child of ours that was not waited for yet, so the number is still its own.
            unsafe { libc::kill(self.pid.cast_signed(), libc::SIGKILL) };
        }
    }

    fn pid(&self) -> u32 {
        self.pid
    }
}

impl Drop for ProcessChild {
    fn drop(&mut self) {
        self.kill();
        if !self.reaped.get() {
            self.reap();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
    }

    fn forked(work: Work<'_>) -> (Result<Written, String>, Vec<u8>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let result = run(async { ProcessFork.fork(&path, work).unwrap().wait().await });
        (result, std::fs::read(&path).unwrap_or_default())
    }

    #[test]
    fn a_copy_writes_what_it_sees_and_tells_its_checksum() {
        let text = "seen at the fork".repeat(100_000);
        let (result, found) = forked(&mut |out| out.write_all(text.as_bytes()).map_err(|error| error.to_string()));
        let written = result.unwrap();
        assert_eq!((written.size, written.crc), (text.len() as u64, crc32fast::hash(text.as_bytes())));
        assert!(found == text.as_bytes());
    }

    #[test]
    fn a_copy_that_fails_panics_or_is_killed_is_told_of_and_harms_nothing() {
        let (result, _) = forked(&mut |_| Err("no\nreason".into()));
        assert_eq!(result, Err("no reason".to_owned()));
        let (result, _) = forked(&mut |_| panic!("a bug"));
        assert_eq!(result, Err("it met a bug and stopped".to_owned()));
        let (result, _) = forked(&mut |_| {
            // SAFETY: this copy ends itself.
            unsafe { libc::raise(libc::SIGKILL) };
            Ok(())
        });
        assert!(result.unwrap_err().contains("killed"));
    }

    #[test]
    fn a_copy_holds_no_descriptor_of_its_parent() {
        let _held = std::fs::File::open("/proc/self/status").unwrap();
        let (result, found) = forked(&mut |out| {
            let open = std::fs::read_dir("/proc/self/fd").map_err(|error| error.to_string())?.flatten();
            let names = open.filter_map(|entry| std::fs::read_link(entry.path()).ok());
            let names: Vec<String> = names.map(|name| name.display().to_string()).collect();
            out.write_all(names.join("\n").as_bytes()).map_err(|error| error.to_string())
        });
        result.unwrap();
        let names = String::from_utf8(found).unwrap();
        let foreign: Vec<&str> = names
            .lines()
            .filter(|name| !name.starts_with("pipe:") && !name.ends_with("/file") && !name.contains("/fd"))
            .collect();
        assert!(foreign.is_empty() && names.matches("pipe:").count() == 1, "{names}");
    }

    #[test]
    fn a_copy_sees_when_its_parent_waits_for_the_disk() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let result = run(async {
            let mut child = ProcessFork
                .fork(&path, &mut |_| {
                    let (mut pace, begun) = (pace::Pace::new(), Instant::now());
                    while !pace.was_in_the_way(1) {
                        if begun.elapsed() > Duration::from_secs(20) {
                            return Err("nobody waits".into());
                        }
                        std::thread::sleep(Duration::from_millis(1));
                    }
                    Ok(())
                })
                .unwrap();
            let waiting = async {
                loop {
                    pace::somebody_waits(0);
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            };
            tokio::select! {
                ended = child.wait() => ended,
                () = waiting => unreachable!("it goes on"),
            }
        });
        assert_eq!(result.map(|written| written.size), Ok(0));
    }

    #[test]
    fn a_copy_that_is_let_go_of_ends() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let pid = run(async {
            let child = ProcessFork
                .fork(&path, &mut |_| {
                    std::thread::sleep(Duration::from_secs(100));
                    Ok(())
                })
                .unwrap();
            child.pid()
        });
        let begun = Instant::now();
        let is_there = || {
            let status = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            !(status.is_empty() || status.contains(") Z "))
        };
        while is_there() {
            assert!(begun.elapsed() < Duration::from_secs(20), "it is still there");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}
