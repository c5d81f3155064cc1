//! DEBUG: tools that test and examine the server, where `enable-debug-command` allows them.
//!
//! [`allowed`] is asked before a request is queued or run, by [`super::dispatch`]. A subcommand that writes says how much
//! by [`log_cost`], for DEBUG as a whole counts as no write.

mod allocator;
mod keys;
mod populate;
mod protocol;

use super::help::{self, bad_subcommand};
use super::{Ctx, Failure, blocking, config};
use crate::base::{glob, number};
use crate::engine::Engine;
use crate::engine::client::Client;
use crate::engine::config::Config;
use crate::keyspace::{self, RedisDigest};

pub use populate::log_cost;

const NOT_ALLOWED: Failure = Failure::fixed(
    "ERR DEBUG command not allowed. If the enable-debug-command option is set to \"local\", you can run it from a local \
     connection, otherwise you need to set this option in the configuration file, and then restart the server.",
);

/// The reply says that the new id is on disk; EXEC cannot wait for that between its commands.
const HISTORY_IN_TRANSACTION: Failure =
    Failure::fixed("ERR DEBUG CHANGE-REPL-ID is not allowed inside MULTI: the reply has to wait for the disk");

/// A subcommand: its name, how many words follow it (at least, at most), its usage and what it does, and its handler.
struct Tool {
    name: &'static str,
    words: (usize, usize),
    usage: &'static str,
    about: &'static str,
    run: fn(&mut Ctx<'_>, &[&[u8]]) -> Result<(), Failure>,
}

const fn tool(
    name: &'static str,
    words: (usize, usize),
    (usage, about): (&'static str, &'static str),
    run: fn(&mut Ctx<'_>, &[&[u8]]) -> Result<(), Failure>,
) -> Tool {
    Tool { name, words, usage, about, run }
}

const MANY: usize = usize::MAX;

const TOOLS: [Tool; 28] = [
    tool("AOF-FLUSH-SLEEP", (1, 1), ("<microsec>", "Waits before each write of the log."), flush_sleep),
    tool("CHANGE-REPL-ID", (0, 0), ("", "Draws a new replication id, and forgets those before it."), change_history),
    tool(
        "CONFIG-REWRITE-FORCE-ALL",
        (0, 0),
        ("", "CONFIG REWRITE that writes every setting, defaults and hidden ones, too."),
        config_rewrite_all,
    ),
    tool("DICT-RESIZING", (1, 1), ("<0|1>", "Whether hash tables grow and shrink."), dict_resizing),
    tool("DIGEST", (0, 0), ("", "A digest of all keys and values, equal on servers with equal data."), digest),
    tool("DIGEST-VALUE", (0, MANY), ("<key> [<key> ...]", "The digests of the values of keys."), keys::digest_values),
    tool("ERROR", (1, 1), ("<text>", "Answers with an error of this text."), |_, words| Err(Failure::new(words[0]))),
    tool("HTSTATS", (1, 2), ("<dbid> [full]", "Sizes of the hash tables of a database."), keys::table_sizes),
    tool("HTSTATS-KEY", (1, 2), ("<key> [full]", "The same for the value of a key."), keys::value_table_sizes),
    tool("LISTPACK", (1, 1), ("<key>", "Shows a listpack."), keys::listpack),
    tool("LOADAOF", (0, 0), ("", "Loads the data from the log anew."), |ctx, _| reload(ctx)),
    tool("LOG", (1, 1), ("<message>", "Writes a line into the server's log."), log),
    tool("MALLCTL", (1, 2), ("<key> [<value>]", "Reads or sets a number of the allocator."), allocator::number),
    tool("MALLCTL-STR", (1, 2), ("<key> [<value>]", "Reads a text of the allocator."), allocator::text),
    tool("OBJECT", (1, 2), ("<key> [fast]", "How the value of a key is represented."), keys::object),
    tool("PAUSE-CRON", (1, 1), ("<0|1>", "Whether what happens by the clock is held."), pause_cron),
    tool(
        "POPULATE",
        (1, 3),
        ("<count> [<prefix>] [<size>]", "Makes string keys that do not exist yet."),
        populate::run,
    ),
    tool("PROTOCOL", (1, 1), ("<type>", "Answers with a value of a protocol type."), protocol::run),
    tool(
        "QUICKLIST-PACKED-THRESHOLD",
        (1, 1),
        ("<size>", "From which size list elements stand alone."),
        packed_threshold,
    ),
    tool("RELOAD", (0, MANY), ("[option ...]", "Loads the data from the log anew."), reload_with_options),
    tool("REPLICATE", (1, MANY), ("<word> [<word> ...]", "Sends a command to all replicas. There are none."), accept),
    tool("REPLYBUFFER", (2, 2), ("PEAK-RESET-TIME <ms>|RESIZING <0|1>", "How reply buffers shrink."), reply_buffer),
    tool("SEGFAULT", (0, 0), ("", "Crashes the server."), segfault),
    tool("SET-ACTIVE-EXPIRE", (1, 1), ("<0|1>", "Whether keys expire that nobody looks at."), set_active_expire),
    tool("SET-DISABLE-DENY-SCRIPTS", (1, 1), ("<0|1>", "Lets scripts call what they must not."), disable_deny),
    tool("SET-SKIP-CHECKSUM-VALIDATION", (1, 1), ("<0|1>", "Skips the checksums of dumped values."), accept),
    tool("SLEEP", (1, 1), ("<seconds>", "Stops the server for a while. Fractions are allowed."), sleep),
    tool("STRINGMATCH-LEN", (2, 2), ("<pattern> <string>", "Whether a glob matches."), string_match),
];

/// Whether a connection may use DEBUG.
pub fn allowed(engine: &Engine, client: &Client) -> Result<(), Failure> {
    if engine.config.enable_debug_command().admits(client.peer.is_local) { Ok(()) } else { Err(NOT_ALLOWED) }
}

/// DEBUG subcommand [word …]
pub fn debug(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let (name, words) = (arguments[1], &arguments[2..]);
    if name.eq_ignore_ascii_case(b"help") && words.is_empty() {
        let usage = |tool: &Tool| format!("{} {}", tool.name, tool.usage).trim_end().to_owned();
        let lines: Vec<(String, &str)> = TOOLS.iter().map(|tool| (usage(tool), tool.about)).collect();
        help::write(ctx, "debug", &lines);
        return Ok(());
    }
    let found = TOOLS.iter().find(|tool| tool.name.as_bytes().eq_ignore_ascii_case(name));
    match found.filter(|tool| (tool.words.0..=tool.words.1).contains(&words.len())) {
        Some(tool) => (tool.run)(ctx, words),
        None => Err(bad_subcommand(arguments)),
    }
}

/// A switch as C's `atoi` reads it: what is no number is off.
fn is_on(word: &[u8]) -> bool {
    let digits = word.iter().skip_while(|byte| byte.is_ascii_whitespace() || matches!(byte, b'-' | b'+'));
    digits.take_while(|byte| byte.is_ascii_digit()).any(|digit| *digit != b'0')
}

fn accept(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Result<(), Failure> {
    ctx.reply.ok();
    Ok(())
}

fn dict_resizing(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Result<(), Failure> {
    for db in &mut ctx.engine.dbs {
        db.pause_resizing(!is_on(words[0]));
    }
    accept(ctx, words)
}

fn digest(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Result<(), Failure> {
    ctx.reveal_everything();
    let databases = ctx.engine.dbs.iter().enumerate().map(|(number, db)| (number as u32, db));
    let digest = RedisDigest::of_databases(databases);
    ctx.reply.simple(&digest.to_hex());
    Ok(())
}

fn log(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Result<(), Failure> {
    tracing::warn!("DEBUG LOG: {}", String::from_utf8_lossy(words[0]));
    accept(ctx, words)
}

/// The log is written late, and so are the replies that wait for it; the server goes on.
fn flush_sleep(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Result<(), Failure> {
    let delay_us = number::parse_i64(words[0]).and_then(|usec| u64::try_from(usec).ok());
    ctx.engine.flush_delay_us = delay_us.unwrap_or(0);
    accept(ctx, words)
}

fn pause_cron(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Result<(), Failure> {
    ctx.engine.cron_paused = is_on(words[0]);
    accept(ctx, words)
}

fn disable_deny(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Result<(), Failure> {
    ctx.engine.scripts.may_call_all = is_on(words[0]);
    accept(ctx, words)
}

fn set_active_expire(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Result<(), Failure> {
    ctx.engine.active_expire = is_on(words[0]);
    accept(ctx, words)
}

/// Stops the one thread, which is the point of it.
fn sleep(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Result<(), Failure> {
    let seconds = std::str::from_utf8(words[0]).ok().and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0);
    if let Ok(time) = std::time::Duration::try_from_secs_f64(seconds) {
        std::thread::sleep(time);
    }
    accept(ctx, words)
}

fn string_match(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Result<(), Failure> {
    ctx.reply.integer(glob::matches(words[0], words[1]).into());
    Ok(())
}

/// Sizes are read as settings are.
fn packed_threshold(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Result<(), Failure> {
    const LARGEST: u64 = (1 << 32) - (1 << 20);
    let digits = words[0].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let unit: Option<u64> = match words[0][digits..].to_ascii_lowercase().as_slice() {
        b"" | b"b" => Some(1),
        b"k" => Some(1000),
        b"kb" => Some(1 << 10),
        b"m" => Some(1_000_000),
        b"mb" => Some(1 << 20),
        b"g" => Some(1_000_000_000),
        b"gb" => Some(1 << 30),
        _ => None,
    };
    let size = std::str::from_utf8(&words[0][..digits]).ok().and_then(|digits| digits.parse::<u64>().ok());
    match size.zip(unit).and_then(|(size, unit)| size.checked_mul(unit)) {
        Some(bytes) if bytes <= LARGEST => {
            ctx.engine.list_plain_from = bytes as usize;
            accept(ctx, words)
        }
        _ => Err("ERR argument must be a memory value bigger than 1 and smaller than 4gb".into()),
    }
}

/// Reply buffers here shrink by themselves, so both switches have nothing to change.
fn reply_buffer(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Result<(), Failure> {
    let (what, value) = (words[0], words[1]);
    if what.eq_ignore_ascii_case(b"peak-reset-time") {
        let is_word = value.eq_ignore_ascii_case(b"never") || value.eq_ignore_ascii_case(b"reset");
        if !is_word && number::parse_i64(value).is_none() {
            return Err(super::failure::NOT_AN_INTEGER);
        }
    } else if !what.eq_ignore_ascii_case(b"resizing") {
        return Err(bad_subcommand(&[b"debug", b"REPLYBUFFER"]));
    }
    accept(ctx, words)
}

/// What is loaded is what is on disk, snapshot and log; without NOSAVE after a snapshot of all there is.
fn reload_with_options(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Result<(), Failure> {
    let options: [&[u8]; 3] = [b"MERGE", b"NOFLUSH", b"NOSAVE"];
    if words.iter().any(|word| !options.iter().any(|option| option.eq_ignore_ascii_case(word))) {
        return Err("ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.".into());
    }
    // Redis keeps the keys that are there then; here they come back all the same.
    if !words.iter().any(|word| word.eq_ignore_ascii_case(b"NOFLUSH")) {
        break_watches(ctx);
    }
    let save = !words.iter().any(|word| word.eq_ignore_ascii_case(b"NOSAVE"));
    blocking::wait_for_reload(ctx, save);
    Ok(())
}

/// Keys that are emptied and loaded anew have changed for who watches them.
fn break_watches(ctx: &mut Ctx<'_>) {
    let Engine { watches, dbs, clients, .. } = &mut *ctx.engine;
    for (number, db) in dbs.iter().enumerate() {
        let is_there = |key: &[u8]| db.find(keyspace::hash(key), key).is_some();
        watches.database_changed(number, is_there, clients, Some(ctx.client));
    }
}

fn reload(ctx: &mut Ctx<'_>) -> Result<(), Failure> {
    break_watches(ctx);
    blocking::wait_for_reload(ctx, false);
    Ok(())
}

fn change_history(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Result<(), Failure> {
    if ctx.in_transaction() {
        return Err(HISTORY_IN_TRANSACTION);
    }
    blocking::wait_for_history(ctx);
    Ok(())
}

fn config_rewrite_all(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Result<(), Failure> {
    config::write_file(ctx.engine, Config::rewritten_in_full).map_err(|error| {
        tracing::warn!("CONFIG-REWRITE-FORCE-ALL failed: {error}");
        Failure::from("ERR CONFIG-REWRITE-FORCE-ALL failed")
    })?;
    accept(ctx, words)
}

fn segfault(_: &mut Ctx<'_>, _: &[&[u8]]) -> Result<(), Failure> {
    // The handler with which Rust tells a stack overflow would take itself out and return, for this is none.
    // SAFETY: the default action is no handler that could break anything; it ends the process.
    let error = match unsafe { libc::signal(libc::SIGSEGV, libc::SIG_DFL) } {
        libc::SIG_ERR => std::io::Error::last_os_error(),
        _ => {
            // SAFETY: this ends the process.
            unsafe { libc::raise(libc::SIGSEGV) };
            std::io::Error::last_os_error()
        }
    };
    Err(Failure::new(format!("ERR the signal could not be sent: {error}")))
}

#[cfg(test)]
#[path = "debug/tests.rs"]
mod tests;
