//! The differential test: the same random commands go to two servers, and their replies must be equal byte for byte,
//! but for the rows of one table ([`accepted`]). `tests/differential.rs` runs it short, `examples/differential.rs`
//! runs campaigns.
//!
//! A *session* is a list of [`step::Step`]s made from one seed alone, never from replies: the same seed always gives
//! the same session, so a failure is replayed from its seed and shrunk by leaving steps out.
#![allow(dead_code, clippy::unwrap_used)]

pub mod accepted;
pub mod campaign;
pub mod compare;
pub mod coverage;
pub mod events;
pub mod exceptions;
pub mod generate;
pub mod not_asked;
pub mod run;
pub mod shrink;
pub mod step;
