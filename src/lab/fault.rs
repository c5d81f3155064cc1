//! What is done to a server, each by its name.

use std::fmt;
use std::str::FromStr;

/// A fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// `kill -9`, at any moment: what a completed write call gave to the kernel is there afterwards.
    Kill,
    /// SIGTERM, at any moment.
    Stop,
    /// The power goes: what was not synced may be there or not, each write by itself.
    Power,
    /// The power goes within a write: each 512-byte sector of it may be there or not.
    Torn,
    /// A bit of a file is flipped while the server is down.
    Flip,
    /// The disk is full for a while.
    Full,
    /// A write, sync, rename … answers EIO.
    Eio,
    /// Syncs take long.
    Slow,
    /// The disk says that it synced and did not, then the power goes.
    FsyncLie,
    /// A sync fails once, then the power goes: what it should have made durable no later sync does.
    FsyncFail,
    /// The wall clock jumps.
    Clock,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Kill,
        Self::Stop,
        Self::Power,
        Self::Torn,
        Self::Flip,
        Self::Full,
        Self::Eio,
        Self::Slow,
        Self::FsyncLie,
        Self::FsyncFail,
        Self::Clock,
    ];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Stop => "stop",
            Self::Power => "power",
            Self::Torn => "torn",
            Self::Flip => "flip",
            Self::Full => "full",
            Self::Eio => "eio",
            Self::Slow => "slow",
            Self::FsyncLie => "fsync-lie",
            Self::FsyncFail => "fsync-fail",
            Self::Clock => "clock",
        }
    }

    /// True where crash states are built from a record of what the server did to its files.
    pub fn is_explored(self) -> bool {
        matches!(self, Self::Power | Self::Torn | Self::FsyncLie | Self::FsyncFail)
    }

    /// True where the lab's own file system is needed.
    pub fn needs_mount(self) -> bool {
        self.is_explored() || matches!(self, Self::Full | Self::Eio | Self::Slow)
    }

    /// True where a server that refuses to start has kept its promise: it cannot know what is right.
    pub fn allows_refusal(self) -> bool {
        matches!(self, Self::Flip | Self::FsyncLie)
    }

    /// By how many milliseconds the server's clock may be off.
    pub fn skew_ms(self) -> u64 {
        if self == Self::Clock { super::clock::FARTHEST.unsigned_abs() * 1000 } else { 0 }
    }

    /// True where no server can keep what it acked.
    pub fn allows_loss(self) -> bool {
        matches!(self, Self::FsyncLie)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Fault {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let names = || Self::ALL.map(Self::name).join(", ");
        Self::ALL
            .into_iter()
            .find(|fault| fault.name() == name)
            .ok_or_else(|| format!("no such fault; there are {}", names()))
    }
}
