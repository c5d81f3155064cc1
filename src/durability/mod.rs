//! Layer 5: the ways state leaves the engine for the disk, and enters it from there.

pub mod commit;
pub mod export;
pub mod foreign;
pub mod import;
pub mod recovery;
mod tally;

pub use tally::Tally;
