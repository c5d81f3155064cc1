//! Scripts and functions: EVAL, FCALL, SCRIPT and FUNCTION.
//!
//! A script runs in a [sandbox](crate::lua::sandbox), inside the unit of the command that called it: what its commands do is
//! one frame of the log, and its reply waits for all that they revealed. [`host`] is what a sandbox calls.

mod api;
pub mod cache;
pub mod eval;
pub mod functions;
mod host;
pub mod long;
mod register;
mod reply;
mod run;
mod shebang;
#[cfg(test)]
mod tests;

fn is_flush_mode(word: &[u8]) -> bool {
    word.eq_ignore_ascii_case(b"sync") || word.eq_ignore_ascii_case(b"async")
}
