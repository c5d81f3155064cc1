//! Layer 5: the ways state leaves the engine for the disk, and enters it from there.

pub mod backup;
pub mod beside;
pub mod check;
pub mod commit;
pub mod create;
pub mod export;
pub mod foreign;
pub mod fork;
pub mod import;
pub mod offline;
pub mod recovery;
pub mod repair;
pub mod restore;
pub mod snapshot;
mod tally;

pub use tally::Tally;
