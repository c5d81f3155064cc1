//! A deterministic simulation of whole servers: one seed, one run, repeated exactly.
//!
//! `docs/simulation.md` says what is modelled and how to run, replay and extend it. The tests in `tests/simulation.rs`
//! and the long campaigns of `examples/simulation.rs` share these modules.

pub mod cache;
pub mod campaign;
mod client;
mod collections;
mod command;
mod crash;
mod fork;
mod model;
mod panics;
pub mod planted;
pub mod run;
mod server;
mod weather;
