//! Scripts and functions: EVAL, FCALL, SCRIPT and FUNCTION.
//!
//! A script runs in a [sandbox](crate::lua::sandbox), inside the unit of the command that called it: what its commands do is
//! one frame of the log, and its reply waits for all that they revealed. `host` is what a sandbox calls.

mod api;
pub mod cache;
pub mod eval;
pub mod functions;
mod host;
pub mod long;
mod register;
mod registry;
mod reply;
mod run;
mod shebang;
#[cfg(test)]
mod tests;

use super::table::Row;
use crate::engine::Engine;
use crate::engine::scripts::Facts;

/// Whether a command runs a script that says of itself that it only reads.
pub fn only_reads(engine: &Engine, row: &Row, arguments: &[&[u8]]) -> bool {
    matches!(row.spec.name, "eval" | "evalsha" | "fcall")
        && facts(engine, row, arguments).is_some_and(|facts| facts.no_writes)
}

/// Whether a command runs a script that lives by the rules of Redis 7, and may write without saying that it may do so when
/// memory is full.
pub fn needs_memory(engine: &Engine, row: &Row, arguments: &[&[u8]]) -> bool {
    facts(engine, row, arguments).is_some_and(|facts| facts.declared && !facts.no_writes && !facts.allow_oom)
}

/// What the script says of itself that a command runs, if that is known.
fn facts(engine: &Engine, row: &Row, arguments: &[&[u8]]) -> Option<Facts> {
    match row.spec.name {
        "eval" | "eval_ro" => shebang::of_script(arguments[1]).ok().map(|(facts, _)| facts),
        "evalsha" | "evalsha_ro" => eval::digest_in_hex(arguments[1])
            .and_then(|digest| engine.scripts.cache.get(&digest))
            .map(|script| script.facts),
        "fcall" | "fcall_ro" => std::str::from_utf8(arguments[1])
            .ok()
            .and_then(|name| engine.scripts.registry.functions.get(name))
            .map(|function| function.facts),
        _ => None,
    }
}

fn is_flush_mode(word: &[u8]) -> bool {
    word.eq_ignore_ascii_case(b"sync") || word.eq_ignore_ascii_case(b"async")
}
