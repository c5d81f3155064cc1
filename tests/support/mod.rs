//! What the integration tests share: server processes that never outlive their test, a small RESP client that keeps
//! the exact bytes of every reply, the search for the oracles (other servers to compare with), the whole content of a server
//! to compare, random content, and files that other servers wrote.
//!
//! Each test crate uses a part of it, hence the one `allow`.
#![allow(dead_code, unused_imports, clippy::unwrap_used)]

pub mod client;
pub mod contents;
pub mod fixtures;
pub mod oracle;
pub mod population;
pub mod process;
pub mod reply;
pub mod tools;
