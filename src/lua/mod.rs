//! The libraries that Redis gives to the scripts of EVAL, written over mlua: `cjson`, `cmsgpack`, `struct` and `bit`.
//!
//! Whoever builds the sandbox opens them, and gives scripts the tables under these names. What always holds: a script
//! gets the same bytes and the same error texts as from Redis, and whatever it passes, nothing here panics, recurses
//! deeper than a constant, or allocates more than its input and its results call for.

pub mod bit;
mod call;
pub mod cjson;
pub mod cmsgpack;
mod decimal;
mod stack;
pub mod structs;
