//! What goes wrong on a volume.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};

use super::Errno;
use super::content::Content;
use super::record::Change;
use super::tree::Tree;

/// An error that waits for its call.
#[derive(Clone, Copy, Debug)]
pub struct Armed {
    /// So many calls still succeed.
    pub after: u64,
    /// Then this is what they answer …
    pub error: Errno,
    /// … so many times.
    pub times: u64,
    /// Only these count.
    pub calls: Calls,
}

/// Calls that an error may strike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Calls {
    /// All that change or sync something.
    All,
    /// Those that need room.
    Growing,
    /// Those whose success says that something is durable: syncs and synchronous writes.
    Vouching,
}

/// A process that is killed when its call comes.
#[derive(Clone, Debug)]
pub struct Doomed {
    /// So many calls are still carried out; the next one is not.
    pub after: u64,
    /// Its number, which is that of its group; 0 as long as it has none.
    pub pid: Arc<AtomicU32>,
}

impl Doomed {
    /// Kills it if its time has come.
    fn meet(&mut self) -> Result<(), Errno> {
        if self.after > 0 {
            self.after -= 1;
            return Ok(());
        }
        let pid = i32::try_from(self.pid.load(Ordering::SeqCst)).ok().and_then(Pid::from_raw);
        // Whoever is dead already cannot be killed again.
        let _ = pid.map(|pid| kill_process_group(pid, Signal::KILL));
        Err(libc::EIO)
    }
}

/// All that is armed.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// Calls that change or sync fail.
    pub failure: Option<Armed>,
    /// The server is killed.
    pub kill: Option<Doomed>,
    /// The bytes of all files together cannot be more.
    pub capacity: Option<u64>,
    /// Syncs and synchronous writes take a time drawn from this range.
    pub delay: Option<(Duration, Duration)>,
}

impl Faults {
    /// Fails a call if its time has come.
    pub(super) fn strike(&mut self, needs_room: bool, vouches: bool) -> Result<(), Errno> {
        if let Some(doomed) = &mut self.kill {
            doomed.meet()?;
        }
        let counts = |armed: &&mut Armed| match armed.calls {
            Calls::All => true,
            Calls::Growing => needs_room,
            Calls::Vouching => vouches,
        };
        let Some(armed) = self.failure.as_mut().filter(counts) else { return Ok(()) };
        if armed.after > 0 {
            armed.after -= 1;
            return Ok(());
        }
        if armed.times == 0 {
            return Ok(());
        }
        armed.times -= 1;
        Err(armed.error)
    }

    /// Refuses what has no place.
    pub(super) fn fits(&self, tree: &Tree, change: &Change) -> Result<(), Errno> {
        let Some(capacity) = self.capacity else { return Ok(()) };
        let growth = growth(tree, change);
        if growth == 0 || tree.size() + growth <= capacity { Ok(()) } else { Err(libc::ENOSPC) }
    }

    pub(super) fn delay(&self) -> Duration {
        let Some((least, most)) = self.delay else { return Duration::ZERO };
        Duration::from_micros(fastrand::u64(least.as_micros() as u64..=most.as_micros() as u64))
    }
}

/// By how much a change makes files longer.
fn growth(tree: &Tree, change: &Change) -> u64 {
    let (ino, end) = match change {
        Change::Write { ino, offset, data } => (*ino, offset + data.len() as u64),
        Change::Resize { ino, size } => (*ino, *size),
        _ => return 0,
    };
    end.saturating_sub(tree.content(ino).map_or(0, Content::len))
}

/// Whether a change needs room on the disk: what grows, and new names.
pub(super) fn needs_room(tree: &Tree, change: &Change) -> bool {
    matches!(change, Change::Link { .. }) || growth(tree, change) > 0
}
