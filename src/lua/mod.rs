//! Lua 5.1 as Redis' scripts know it: the sandbox that they run in, and the libraries that it has.
//!
//! This folder knows nothing of commands or data. Who runs scripts gives a [`Sandbox`](sandbox::Sandbox) the table `redis`.
//! What always holds: a script gets the same bytes and the same error texts as from Redis, and whatever it does, nothing here
//! panics, recurses deeper than a constant, or allocates more than its input and its results call for.

pub mod bit;
mod call;
pub mod cjson;
pub mod cmsgpack;
mod decimal;
mod guard;
pub mod invoke;
pub mod raise;
pub mod random;
pub mod sandbox;
pub mod stack;
pub mod structs;
