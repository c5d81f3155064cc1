//! Layer 0: clock, randomness, numbers, globs and checksums. No state, and no knowledge of anything above.

pub mod clock;
pub mod glob;
pub mod quoting;
