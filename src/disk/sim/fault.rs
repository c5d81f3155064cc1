//! What can go wrong with an operation, and how often.

/// How often each fault strikes: probabilities an operation, all 0 in a new world.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// A read fails with EIO.
    pub read_error: f64,
    /// A write fails with EIO; any part of it may have been written.
    pub write_error: f64,
    /// A [`File::sync`](crate::disk::File::sync) fails with EIO; the pages that it did not write stay in the cache, for
    /// clean, so that the next sync succeeds without them.
    pub sync_error: f64,
    /// Creating, opening, renaming, removing, listing or syncing names fails with EIO and changes nothing.
    pub name_error: f64,
    /// A write or a creation fails with ENOSPC although there is room (see also
    /// [`World::set_capacity`](super::World::set_capacity)).
    pub no_space: f64,
    /// A write is done in two steps, between which a crash can fall.
    pub short_write: f64,
    /// A sync, of a file or a directory, or the sync in a direct write, reports success and makes nothing durable.
    pub sync_lie: f64,
    /// A write reports success and never reaches the medium.
    pub lost_write: f64,
    /// A write reports success and reaches the medium at another place of its file.
    pub misdirected_write: f64,
    /// A write reports success, and one bit of it is inverted.
    pub flipped_bit: f64,
    /// An operation takes long.
    pub slow: f64,
    /// A [`File::sync`](crate::disk::File::sync) takes long, besides those that `slow` strikes.
    pub slow_sync: f64,
    /// How long a slow operation takes at most, in microseconds of the world's clock.
    pub slow_us: u64,
}

/// One fault, to be planted at one operation with [`World::plant`](super::World::plant).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// EIO.
    Error,
    /// ENOSPC.
    NoSpace,
    /// A write in two steps.
    Short,
    /// Success without durability.
    SyncLie,
    /// A write that never reaches the medium.
    Lost,
    /// A write that lands at another place of its file.
    Misdirected,
    /// A write with an inverted bit.
    FlippedBit,
}

/// What kind of operation asks for its fate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    Read,
    Write,
    Sync,
    Create,
    Name,
    SyncNames,
    Lock,
}

impl Faults {
    /// Whether an operation takes long.
    pub(super) fn is_slow(&self, class: Class, rng: &mut fastrand::Rng) -> bool {
        let probability = self.slow + if class == Class::Sync { self.slow_sync } else { 0.0 };
        probability > 0.0 && rng.f64() < probability
    }

    /// The fault that strikes an operation.
    pub(super) fn draw(&self, class: Class, rng: &mut fastrand::Rng) -> Option<Fault> {
        let candidates: &[(f64, Fault)] = match class {
            Class::Read => &[(self.read_error, Fault::Error)],
            Class::Write => &[
                (self.write_error, Fault::Error),
                (self.no_space, Fault::NoSpace),
                (self.short_write, Fault::Short),
                (self.sync_lie, Fault::SyncLie),
                (self.lost_write, Fault::Lost),
                (self.misdirected_write, Fault::Misdirected),
                (self.flipped_bit, Fault::FlippedBit),
            ],
            Class::Sync => &[(self.sync_error, Fault::Error), (self.sync_lie, Fault::SyncLie)],
            Class::Create => &[(self.name_error, Fault::Error), (self.no_space, Fault::NoSpace)],
            Class::Name => &[(self.name_error, Fault::Error)],
            Class::SyncNames => &[(self.name_error, Fault::Error), (self.sync_lie, Fault::SyncLie)],
            Class::Lock => &[],
        };
        candidates
            .iter()
            .find(|(probability, _)| *probability > 0.0 && rng.f64() < *probability)
            .map(|(_, fault)| *fault)
    }
}
