//! Bugs planted on purpose, to show that the simulation finds them. All are off unless a test turns one on.

/// Which bugs are planted. A server never sets any.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Planted {
    /// Neither the directory of a new segment nor that of a new MANIFEST is synced.
    pub skip_directory_sync: bool,
    /// A segment is written to before MANIFEST lists it.
    pub use_spare_unlisted: bool,
    /// Recovery takes intact frames that do not follow the one before them, and frames behind a live end.
    pub accept_stale: bool,
    /// A start writes on directly behind what it read, in the same segment and the same write unit.
    pub append_behind_cut: bool,
    /// Recovery ignores durable watermarks, and what a frame written under `always` proves.
    pub drop_watermark: bool,
    /// What recovery read from the cache is believed to be on disk.
    pub trust_cache: bool,
    /// The next frame after a sync is put behind the last one, into the same write unit.
    pub rewrite_acked: bool,
    /// A failed sync counts as one that succeeded.
    pub ignore_failed_sync: bool,
    /// Recovery does not wait for the writes of a dead process, and the start writes on behind what it read, in a fresh
    /// write unit. (With a new segment for each start, what lands late is dead: the bug alone would be masked.)
    pub read_without_lock: bool,
    /// A snapshot is listed although what it holds is not durable yet.
    pub install_undurable: bool,
    /// The files of segments are used again before MANIFEST has dropped them.
    pub recycle_listed: bool,
}
