//! The ring: what is in flight, who owns its memory, and how its end is noticed.
//!
//! The kernel reads a buffer until the operation completes, whatever becomes of the future that waits. So the buffer
//! belongs to the ring from submission to completion; a dropped future only marks its slot as abandoned, and a
//! dropped ring waits for what is in flight.

use std::cell::RefCell;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::rc::Rc;
use std::sync::Arc;

use io_uring::{IoUring, Probe, opcode, squeue, types};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::disk::AlignedBuf;
use crate::disk::posix::OpenFile;

/// Operations in flight at once. The log has one write and a few syncs under way; what exceeds the ring goes to the
/// pool.
const ENTRIES: u32 = 32;

/// How often a submission that the kernel is too busy to take is repeated before the operation fails.
const SUBMIT_ATTEMPTS: u32 = 1000;

pub(super) struct Ring {
    state: RefCell<State>,
    /// Signalled by the kernel once a completion; the runtime watches it edge-triggered, so it need not be read.
    event: AsyncFd<OwnedFd>,
}

struct State {
    ring: IoUring,
    slots: Vec<Slot>,
    running: usize,
}

/// One operation's place. Its index is the operation's `user_data`.
enum Slot {
    Free,
    /// `unsubmitted` keeps the descriptor open for the kernel to find. Once it has taken the operation it holds the
    /// file itself, so that a lock on it ends with the operation and not with the next look at the ring.
    Running {
        data: AlignedBuf,
        unsubmitted: Option<Arc<OpenFile>>,
        abandoned: bool,
    },
    Done {
        data: AlignedBuf,
        result: i32,
    },
}

/// The ring has no room; here is the buffer back.
pub(super) struct Full {
    pub(super) data: AlignedBuf,
}

impl Ring {
    pub(super) fn new() -> io::Result<Self> {
        if tokio::runtime::Handle::try_current().is_err() {
            return Err(io::Error::other("io_uring needs the runtime that watches its completions"));
        }
        // Completions are only wanted when the thread enters the kernel anyway: no interrupts on its account. Kernels
        // that do not know the flags get a plain ring.
        let ring = IoUring::builder()
            .setup_single_issuer()
            .setup_coop_taskrun()
            .dontfork()
            .build(ENTRIES)
            .or_else(|_| IoUring::builder().dontfork().build(ENTRIES))?;
        let mut probe = Probe::new();
        ring.submitter().register_probe(&mut probe)?;
        if ![opcode::Write::CODE, opcode::Fsync::CODE].into_iter().all(|code| probe.is_supported(code)) {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "this kernel's io_uring cannot write and sync"));
        }
        // SAFETY: the call takes no pointers.
        let event = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
        if event < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: `eventfd` has just returned this descriptor, and nobody else owns it.
        let event = unsafe { OwnedFd::from_raw_fd(event) };
        ring.submitter().register_eventfd(event.as_raw_fd())?;
        // SAFETY: an `OwnedFd` always names the same open descriptor.
        let event = unsafe { AsyncFd::register_with_interest(event, Interest::READABLE)? };
        let slots = (0..ENTRIES).map(|_| Slot::Free).collect();
        let new = Self { state: RefCell::new(State { ring, slots, running: 0 }), event };
        new.try_it()?;
        Ok(new)
    }

    /// Runs one empty operation: some sandboxes let a ring be set up and refuse its use.
    fn try_it(&self) -> io::Result<()> {
        let mut state = self.state.borrow_mut();
        state.submit(opcode::Nop::new().build(), 0, None, AlignedBuf::default())?;
        state.ring.submit_and_wait(1)?;
        state.reap();
        state.slots[0] = Slot::Free;
        Ok(())
    }

    /// Starts writing `data[from..]` to its place in a write of `data` at `offset`.
    pub(super) fn write(
        self: &Rc<Self>,
        file: &Arc<OpenFile>,
        offset: u64,
        data: AlignedBuf,
        from: usize,
    ) -> Result<Running, Full> {
        let rest = &data[from..];
        // The length is cut to what the field holds; the caller continues a short write.
        let len = u32::try_from(rest.len()).unwrap_or(1 << 30);
        let write = opcode::Write::new(types::Fd(file.raw_fd()), rest.as_ptr(), len).offset(offset + from as u64);
        self.start(write.build(), file, data)
    }

    /// Starts an operation that uses no memory but `data`'s and no descriptor but `file`'s.
    pub(super) fn start(
        self: &Rc<Self>,
        entry: squeue::Entry,
        file: &Arc<OpenFile>,
        data: AlignedBuf,
    ) -> Result<Running, Full> {
        let mut state = self.state.borrow_mut();
        let Some(slot) = state.slots.iter().position(|slot| matches!(slot, Slot::Free)) else {
            return Err(Full { data });
        };
        let refused = state.submit(entry, slot, Some(Arc::clone(file)), data).err();
        Ok(Running { ring: Rc::clone(self), slot, refused })
    }

    pub(super) fn has_completed(&self) -> bool {
        !self.state.borrow_mut().ring.completion().is_empty()
    }

    #[cfg(test)]
    pub(super) fn running(&self) -> usize {
        self.state.borrow().running
    }
}

impl State {
    /// Hands an operation to the kernel. After an error it may still be handed over, with a later one, so its memory
    /// stays with the ring.
    fn submit(
        &mut self,
        entry: squeue::Entry,
        slot: usize,
        file: Option<Arc<OpenFile>>,
        data: AlignedBuf,
    ) -> io::Result<()> {
        // Moving the buffer moves no bytes: the pointer in `entry` stays right.
        self.slots[slot] = Slot::Running { data, unsubmitted: file, abandoned: false };
        self.running += 1;
        // SAFETY: the memory and the descriptor that `entry` names are owned by the slot until the kernel has reported
        // its completion (`reap` is the only place that takes a running slot apart).
        let pushed = unsafe { self.ring.submission().push(&entry.user_data(slot as u64)) };
        if pushed.is_err() {
            // The queue is as long as there are slots, and an entry leaves it before its slot is freed.
            self.slots[slot] = Slot::Free;
            self.running -= 1;
            return Err(io::Error::other("the submission queue is full"));
        }
        for _ in 0..SUBMIT_ATTEMPTS {
            match self.ring.submit() {
                Ok(_) => {
                    for slot in &mut self.slots {
                        if let Slot::Running { unsubmitted, .. } = slot {
                            *unsubmitted = None;
                        }
                    }
                    return Ok(());
                }
                Err(e) if matches!(e.raw_os_error(), Some(libc::EINTR | libc::EAGAIN | libc::EBUSY)) => {
                    self.reap();
                    std::thread::yield_now();
                }
                Err(e) => return Err(e),
            }
        }
        Err(io::Error::other("the kernel did not take the operation"))
    }

    /// Takes in what has completed.
    fn reap(&mut self) {
        for completion in self.ring.completion() {
            let Ok(index) = usize::try_from(completion.user_data()) else { continue };
            let Some(slot) = self.slots.get_mut(index) else { continue };
            *slot = match std::mem::replace(slot, Slot::Free) {
                Slot::Running { data, abandoned: false, .. } => Slot::Done { data, result: completion.result() },
                _ => Slot::Free,
            };
            self.running -= 1;
        }
    }

    fn take(&mut self, slot: usize) -> Option<(AlignedBuf, i32)> {
        match std::mem::replace(&mut self.slots[slot], Slot::Free) {
            Slot::Done { data, result } => Some((data, result)),
            other => {
                self.slots[slot] = other;
                None
            }
        }
    }
}

impl Drop for State {
    fn drop(&mut self) {
        let mut failures = 0;
        while self.running > 0 && failures < SUBMIT_ATTEMPTS {
            if self.ring.submit_and_wait(1).is_err() {
                failures += 1;
                std::thread::yield_now();
            }
            self.reap();
        }
        if self.running > 0 {
            // The kernel may still use the memory: losing it is the lesser evil.
            std::mem::forget(std::mem::take(&mut self.slots));
        }
    }
}

/// An operation in flight, on behalf of the one future that waits for it.
pub(super) struct Running {
    ring: Rc<Ring>,
    slot: usize,
    /// Set when the kernel did not take the operation.
    refused: Option<io::Error>,
}

impl Running {
    /// Waits for the end: the buffer, and what the kernel answered.
    pub(super) async fn wait(mut self) -> io::Result<(AlignedBuf, io::Result<usize>)> {
        if let Some(refused) = self.refused.take() {
            return Err(refused);
        }
        loop {
            {
                let mut state = self.ring.state.borrow_mut();
                state.reap();
                if let Some((data, result)) = state.take(self.slot) {
                    let outcome = usize::try_from(result).map_err(|_| io::Error::from_raw_os_error(-result));
                    return Ok((data, outcome));
                }
            }
            // Every waiter is woken by every signal. The one that clears it reaps afterwards, in the next turn of its
            // loop, before anything else runs: no completion is left behind without a waiter to be woken for it.
            self.ring.event.readable().await?.clear_ready();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // After `wait` has taken the result, the slot is free: this runs before anybody can take it anew.
        let mut state = self.ring.state.borrow_mut();
        match &mut state.slots[self.slot] {
            Slot::Running { abandoned, .. } => *abandoned = true,
            other => *other = Slot::Free,
        }
    }
}
