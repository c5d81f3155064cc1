//! How a script or a function is run: what both have in common.

use std::rc::Rc;

use mlua::{Lua, Table, Value};

use super::api;
use super::host::Host;
use super::reply::Writer;
use crate::base::number;
use crate::command::{Ctx, Failure, dispatch};
use crate::engine::scripts::{Facts, Kind, Running};
use crate::lua::sandbox::{Ended, Sandbox};

/// Number and place of the keys: behind `arguments[2]`, which tells how many there are.
pub fn split<'a, 'b>(
    arguments: &'b [&'a [u8]],
    not_a_number: &'static str,
) -> Result<(&'b [&'a [u8]], &'b [&'a [u8]]), Failure> {
    let rest = &arguments[3..];
    let keys = number::parse_i64(arguments[2]).ok_or(not_a_number)?;
    if keys > rest.len() as i64 {
        return Err("ERR Number of keys can't be greater than number of args".into());
    }
    let keys = usize::try_from(keys).map_err(|_| "ERR Number of keys can't be negative")?;
    Ok(rest.split_at(keys))
}

/// A new sandbox.
pub fn sandbox(kind: Kind) -> Result<Rc<Sandbox>, Failure> {
    let host = Rc::new(Host::default());
    let (of_api, of_watch) = (host.clone(), host.clone());
    let api = move |lua: &Lua| match kind {
        Kind::Eval => api::for_scripts(lua, &of_api),
        Kind::Function => api::for_functions(lua, &of_api),
    };
    let sandbox = Sandbox::new(api, move |_| of_watch.watch()).map_err(|error| failure(&error))?;
    sandbox.lua().set_app_data(host);
    Ok(Rc::new(sandbox))
}

/// The host of a sandbox that was made here.
pub fn host(sandbox: &Sandbox) -> Rc<Host> {
    sandbox.lua().app_data_ref::<Rc<Host>>().expect("every sandbox has its host").clone()
}

/// What Lua cannot do, mostly for want of memory.
pub fn failure(error: &mlua::Error) -> Failure {
    Failure::new(format!("ERR {}", crate::lua::raise::text_of(error)))
}

/// A table of texts.
pub fn texts(lua: &Lua, texts: &[&[u8]]) -> mlua::Result<Table> {
    let table = lua.create_table_with_capacity(texts.len(), 0)?;
    for (at, text) in texts.iter().enumerate() {
        table.raw_set(at + 1, lua.create_string(text)?)?;
    }
    Ok(table)
}

/// What is to be run, and by which rules.
pub struct Run<'a> {
    /// Where.
    pub sandbox: &'a Sandbox,
    /// Its kind.
    pub kind: Kind,
    /// Its name.
    pub name: &'a str,
    /// What it says about itself.
    pub facts: Facts,
    /// It was called by a command that only reads.
    pub read_only: bool,
}

impl Run<'_> {
    /// Runs it and writes the reply.
    pub fn run(self, ctx: &mut Ctx<'_>, script: impl FnOnce() -> mlua::Result<Ended>) -> Result<(), Failure> {
        let writes = !self.facts.no_writes;
        if self.facts.declared && writes {
            if self.read_only {
                return Err("ERR Can not execute a script with write flag using *_ro command.".into());
            }
            dispatch::may_write(ctx.engine)?;
        }
        let started_us = ctx.engine.monotonic_us();
        ctx.engine.scripts.running = Some(Running {
            kind: self.kind,
            name: self.name.to_owned(),
            read_only: self.read_only || !writes,
            wrote: false,
            resp3: false,
            started_us,
            slow: false,
            killed: false,
        });
        let host = host(self.sandbox);
        let result = ctx.script(|ctx| host.lend(ctx, script));
        let running = ctx.engine.scripts.running.take();
        if running.as_ref().is_some_and(|running| running.killed) {
            self.sandbox.rest();
        }
        match result {
            Ok(Ok(value)) => {
                let script_resp3 = running.is_some_and(|running| running.resp3);
                let mut writer = Writer { reply: &mut ctx.reply, script_resp3, errors: Vec::new() };
                writer.write(&value);
                let errors = writer.errors;
                errors.iter().for_each(|text| ctx.engine.stats.error(text));
                Ok(())
            }
            Ok(Err(error)) => failed(ctx, &error, self.name),
            Err(error) => Err(failure(&error)),
        }
    }
}

/// Answers the error of a script, with the place that it came from.
fn failed(ctx: &mut Ctx<'_>, error: &Value, name: &str) -> Result<(), Failure> {
    let Value::Table(error) = error else {
        let text = error.to_string().unwrap_or_default();
        let text: String = text.chars().take(100).collect();
        return Err(Failure::new(format!("ERR Error running script {name}, {text}")));
    };
    let get = |name: &str| error.raw_get::<Value>(name).unwrap_or(Value::Nil);
    let bytes = |value: Value| match value {
        Value::String(text) => Some(text.as_bytes().to_vec()),
        Value::Integer(number) => Some(number.to_string().into_bytes()),
        Value::Number(number) => Some(number.to_string().into_bytes()),
        _ => None,
    };
    let mut text = match get("err") {
        Value::String(text) => text.as_bytes().to_vec(),
        _ => b"ERR unknown error".to_vec(),
    };
    if let (Some(source), Some(line)) = (bytes(get("source")), bytes(get("line"))) {
        for part in [b" script: ", name.as_bytes(), b", on ", &source, b":", &line, b"."] {
            text.extend_from_slice(part);
        }
    }
    if matches!(get("ignore_error_stats_update"), Value::Boolean(true)) {
        // It was counted when the command failed.
        ctx.reply.error(&text);
        return Ok(());
    }
    Err(Failure::new(text))
}
