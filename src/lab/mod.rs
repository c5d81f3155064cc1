//! The crash lab: it runs a server, drives it, breaks its world, and checks what it promised.
//!
//! `ackd torture` is its command. Nothing here knows how ackd works inside: the server under test is a process with a
//! port and a directory, so that every other server can be put in its place.

pub mod arena;
pub mod campaign;
pub mod case;
pub mod client;
pub mod clock;
pub mod drive;
pub mod explore;
pub mod fault;
pub mod flips;
pub mod history;
pub mod judge;
pub mod mount;
mod page;
pub mod report;
pub mod rounds;
pub mod server;
pub mod volume;
pub mod workload;
