//! What the integration tests share: server processes that never outlive their test, a small RESP client that keeps
//! the exact bytes of every reply, and the search for the oracles (other servers to compare with).
//!
//! Each test crate uses a part of it, hence the one `allow`.
#![allow(dead_code, clippy::unwrap_used)]

pub mod client;
pub mod oracle;
pub mod process;
pub mod reply;
