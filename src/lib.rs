//! ackd: a Redis-compatible server whose acknowledgement means that the write is on disk.
//!
//! The server is the binary of this crate; the library holds its parts. Four of them are made to be used on their
//! own by people who write crash-recovery harnesses and fuzz persistence formats: [`disk`] (with a simulated disk
//! that loses, tears and reorders writes), [`log`] (the segmented, checksummed append-only log), [`rdb`] (the files of
//! Redis and Valkey, read and written piece by piece) and [`resp`] (the wire protocol). `docs/fuzzing.md` and
//! `docs/simulated-disk.md` show how. The rest is public only so that the project's own tests can drive the server from the
//! inside.
//!
//! Imports point downwards through the layers: `cli` → `server` → `durability` → `command` → `engine` →
//! `keyspace`, `log`, `lua`, `rdb`, `resp` → `disk` → `base`. `lab`, which tries servers from outside, stands beside them.

#[doc(hidden)]
pub mod base;
#[doc(hidden)]
pub mod cli;
#[doc(hidden)]
pub mod command;
pub mod disk;
#[doc(hidden)]
pub mod durability;
#[doc(hidden)]
pub mod engine;
#[doc(hidden)]
pub mod keyspace;
#[doc(hidden)]
pub mod lab;
pub mod log;
#[doc(hidden)]
pub mod lua;
pub mod rdb;
pub mod resp;
#[doc(hidden)]
pub mod server;

/// The examples in `docs/`, which the tests run.
#[cfg(doctest)]
mod examples {
    #[doc = include_str!("../docs/fuzzing.md")]
    struct Fuzzing;

    #[doc = include_str!("../docs/simulated-disk.md")]
    struct SimulatedDisk;
}
