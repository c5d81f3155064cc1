//! Layer 3: the state of the one thread.

pub mod config;
