//! Damage to a data directory, every flip of a bit, zeroed sector, swapped pair of blocks, truncation, and removed,
//! duplicated or exchanged file: after each, the real recovery must end in the same content or in a refusal that names
//! file and offset, never in different content. What is refused can be repaired to a state of the history.
//!
//! `directory.rs` makes small directories with real commands, engine and log on the simulated disk, as a stopped server
//! and as a killed one leave them; `damage.rs` is what is done to the files; `campaign.rs` does it, recovers and judges.
#![allow(dead_code, clippy::unwrap_used)]

pub mod campaign;
pub mod damage;
pub mod directory;
