//! Every single-byte flip over a data directory: after each, the real recovery must end in the same content or in a
//! refusal that names file and offset, never in different content.
//!
//! `directory.rs` makes small directories with real commands, engine and log on the simulated disk, as a stopped server
//! and as a killed one leave them; `campaign.rs` flips, recovers and judges.
#![allow(dead_code, clippy::unwrap_used)]

pub mod campaign;
pub mod directory;
