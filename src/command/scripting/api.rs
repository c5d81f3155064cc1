//! The table `redis` that scripts and functions see.

use std::rc::Rc;

use mlua::{Function, Lua, MultiValue, Table, Value};
use sha1::{Digest, Sha1};

use super::host::{self, Host};
use super::register;
use crate::command::connection::REDIS_VERSION;
use crate::lua::raise::{self, Raised};
use crate::lua::sandbox::Api;

const LEVELS: [(&str, i64); 4] = [("LOG_DEBUG", 0), ("LOG_VERBOSE", 1), ("LOG_NOTICE", 2), ("LOG_WARNING", 3)];
const REPLICATION: [(&str, i64); 5] =
    [("REPL_NONE", 0), ("REPL_AOF", 1), ("REPL_SLAVE", 2), ("REPL_REPLICA", 2), ("REPL_ALL", 3)];

/// `redis` for scripts of EVAL.
pub fn for_scripts(lua: &Lua, host: &Rc<Host>) -> mlua::Result<Api> {
    let redis = common(lua, host)?;
    // What only a debugger gives a meaning to, and what has always been so since Redis 5.
    redis.raw_set("breakpoint", lua.create_function(|_, ()| Ok(false))?)?;
    redis.raw_set("debug", lua.create_function(|_, _: MultiValue| Ok(()))?)?;
    redis.raw_set("replicate_commands", lua.create_function(|_, ()| Ok(true))?)?;
    Ok(Api { redis, loading: None })
}

/// `redis` for functions, and for their libraries while they are loaded.
pub fn for_functions(lua: &Lua, host: &Rc<Host>) -> mlua::Result<Api> {
    let loading = lua.create_table()?;
    constants(&loading, &LEVELS)?;
    versions(&loading)?;
    loading.raw_set("log", log(lua)?)?;
    let host_of_libraries = host.clone();
    let register = raise::function(lua, move |lua, arguments: MultiValue| {
        register::register(lua, &host_of_libraries, &arguments).map_err(|text| raised(lua, &text))
    })?;
    loading.raw_set("register_function", register)?;
    Ok(Api { redis: common(lua, host)?, loading: Some(loading) })
}

fn common(lua: &Lua, host: &Rc<Host>) -> mlua::Result<Table> {
    let redis = lua.create_table()?;
    constants(&redis, &LEVELS)?;
    constants(&redis, &REPLICATION)?;
    versions(&redis)?;
    redis.raw_set("log", log(lua)?)?;
    redis.raw_set(
        "error_reply",
        reply(lua, |lua, text| error(lua, &with_code(text.strip_prefix(b"-").unwrap_or(text))))?,
    )?;
    redis.raw_set(
        "status_reply",
        reply(lua, |lua, text| {
            let table = lua.create_table()?;
            table.raw_set("ok", lua.create_string(text)?)?;
            Ok(table)
        })?,
    )?;
    redis.raw_set("sha1hex", raise::function(lua, |lua, arguments: MultiValue| sha1hex(lua, &arguments))?)?;
    let setter = host.clone();
    redis.raw_set(
        "setresp",
        raise::function(lua, move |lua, arguments: MultiValue| set_resp(lua, &setter, &arguments))?,
    )?;
    redis.raw_set("set_repl", raise::function(lua, |lua, arguments: MultiValue| set_repl(lua, &arguments))?)?;
    let checker = host.clone();
    redis.raw_set(
        "acl_check_cmd",
        raise::function(lua, move |lua, arguments: MultiValue| acl_check(lua, &checker, &arguments))?,
    )?;
    Ok(redis)
}

fn constants(table: &Table, constants: &[(&str, i64)]) -> mlua::Result<()> {
    constants.iter().try_for_each(|(name, value)| table.raw_set(*name, *value))
}

fn versions(table: &Table) -> mlua::Result<()> {
    let number = REDIS_VERSION.split('.').fold(0, |number, part| number << 8 | part.parse::<i64>().unwrap_or(0));
    table.raw_set("REDIS_VERSION", REDIS_VERSION)?;
    table.raw_set("REDIS_VERSION_NUM", number)
}

/// An error as a script sees it.
pub fn error(lua: &Lua, text: &[u8]) -> mlua::Result<Table> {
    let table = lua.create_table_with_capacity(0, 2)?;
    table.raw_set("err", lua.create_string(text)?)?;
    Ok(table)
}

/// What is raised for a misuse of `redis`.
pub fn raised(lua: &Lua, text: &str) -> Raised {
    match error(lua, format!("ERR {text}").as_bytes()) {
        Ok(table) => Raised::Value(Value::Table(table)),
        Err(error) => error.into(),
    }
}

/// An error text, without the sign before it, with a code: one of a single word has none.
pub fn with_code(text: &[u8]) -> Vec<u8> {
    let end = text.iter().rposition(|byte| !matches!(byte, b'\r' | b'\n')).map_or(0, |last| last + 1);
    let text = &text[..end];
    if text.contains(&b' ') { text.to_vec() } else { [b"ERR ", text].concat() }
}

/// A function of one text that makes a reply of it; a misuse is answered, not raised.
fn reply(lua: &Lua, make: fn(&Lua, &[u8]) -> mlua::Result<Table>) -> mlua::Result<Function> {
    lua.create_function(move |lua, arguments: MultiValue| match (arguments.len(), arguments.front()) {
        (1, Some(Value::String(text))) => make(lua, &text.as_bytes()),
        _ => error(lua, b"ERR wrong number or type of arguments"),
    })
}

fn sha1hex(lua: &Lua, arguments: &MultiValue) -> Result<mlua::LuaString, Raised> {
    if arguments.len() != 1 {
        return Err(raised(lua, "wrong number of arguments"));
    }
    let text = lua.coerce_string(arguments[0].clone())?;
    let digest = Sha1::digest(text.map(|text| text.as_bytes().to_vec()).unwrap_or_default());
    Ok(lua.create_string(digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>())?)
}

fn set_resp(lua: &Lua, host: &Host, arguments: &MultiValue) -> Result<(), Raised> {
    if arguments.len() != 1 {
        return Err(raised(lua, "redis.setresp() requires one argument."));
    }
    match lua.coerce_number(arguments[0].clone())?.map(|number| number as i64) {
        Some(version @ (2 | 3)) => host.set_resp3(version == 3),
        _ => return Err(raised(lua, "RESP version must be 2 or 3.")),
    }
    Ok(())
}

/// Checks the argument, and does nothing: all that a script changes is logged, for else it would be gone after a crash.
fn set_repl(lua: &Lua, arguments: &MultiValue) -> Result<(), Raised> {
    if arguments.len() != 1 {
        return Err(raised(lua, "redis.set_repl() requires one argument."));
    }
    match lua.coerce_number(arguments[0].clone())?.map(|number| number as i64) {
        Some(0..=3) => Ok(()),
        _ => Err(raised(lua, "Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.")),
    }
}

/// Whether the user may run a command.
fn acl_check(lua: &Lua, host: &Host, arguments: &MultiValue) -> Result<bool, Raised> {
    let words = host::words(arguments).map_err(|text| raised(lua, text.trim_start_matches("ERR ")))?;
    let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
    match host.permits(&words) {
        Some(permits) => Ok(permits),
        None => Err(raised(lua, "Invalid command passed to redis.acl_check_cmd()")),
    }
}

/// `redis.log(level, …)`: into the server's log, at its level.
fn log(lua: &Lua) -> mlua::Result<Function> {
    raise::function(lua, |lua, arguments: MultiValue| {
        if arguments.len() < 2 {
            return Err(raised(lua, "redis.log() requires two arguments or more."));
        }
        let level = match &arguments[0] {
            Value::Integer(level) => *level,
            Value::Number(level) => *level as i64,
            _ => return Err(raised(lua, "First argument must be a number (log level).")),
        };
        let mut words = Vec::new();
        for argument in arguments.iter().skip(1) {
            words.extend(lua.coerce_string(argument.clone())?.map(|text| text.to_string_lossy()));
        }
        let text = words.join(" ");
        match level {
            0 => tracing::debug!("{text}"),
            1 => tracing::debug!("{text}"),
            2 => tracing::info!("{text}"),
            3 => tracing::warn!("{text}"),
            _ => return Err(raised(lua, "Invalid log level.")),
        }
        Ok(())
    })
}
