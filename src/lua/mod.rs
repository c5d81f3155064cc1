//! Lua 5.1 as Redis' scripts know it: the sandbox that they run in, and the libraries that it has.
//!
//! This folder knows nothing of commands or data. Who runs scripts gives a [`Sandbox`](sandbox::Sandbox) the table `redis`.

pub mod raise;
pub mod random;
pub mod sandbox;
