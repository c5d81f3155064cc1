//! How a script or a function is run: what both have in common.

use std::rc::Rc;

use mlua::Lua;

use super::api;
use super::host::Host;
use super::reply::{self, Writer};
use crate::base::number;
use crate::command::{Ctx, Failure, dispatch};
use crate::engine::Engine;
use crate::engine::scripts::{Environment, Facts, Kind, Running};
use crate::lua::invoke::Kept;
use crate::lua::sandbox::Sandbox;
use crate::lua::stack::{self, Stack};

/// Number and place of the keys: behind `arguments[2]`, which tells how many there are.
#[allow(clippy::type_complexity, reason = "two parts of one slice")]
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

/// A new sandbox with its host.
pub fn environment(kind: Kind) -> Result<Rc<Environment>, Failure> {
    let host = Rc::new(Host::default());
    let of_api = host.clone();
    let api = move |lua: &Lua| match kind {
        Kind::Eval => api::for_scripts(lua, &of_api),
        Kind::Function => api::for_functions(lua, &of_api),
    };
    let sandbox = Sandbox::new(api, host.clone()).map_err(|error| failure(&error))?;
    Ok(Rc::new(Environment { sandbox, host }))
}

/// The host of an environment that was made here.
pub fn host(environment: &Environment) -> &Host {
    environment.host.downcast_ref().expect("every environment has its host")
}

/// What Lua cannot do, mostly for want of memory.
pub fn failure(error: &mlua::Error) -> Failure {
    Failure::new(format!("ERR {}", crate::lua::raise::text_of(error)))
}

/// What the settings allow scripts to take.
pub fn most_memory(engine: &Engine) -> usize {
    usize::try_from(engine.config.lua_max_memory()).unwrap_or(usize::MAX)
}

/// What is to be run, and by which rules.
pub struct Run<'a> {
    /// Where.
    pub environment: &'a Environment,
    /// Its kind.
    pub kind: Kind,
    /// Its name.
    pub name: &'a Rc<str>,
    /// What it was compiled to.
    pub function: &'a Kept,
    /// What it says about itself.
    pub facts: Facts,
    /// It was called by a command that only reads.
    pub read_only: bool,
}

impl Run<'_> {
    /// Runs it with its keys and its other arguments, and writes the reply.
    pub fn run(self, ctx: &mut Ctx<'_>, tables: [&[&[u8]]; 2]) -> Result<(), Failure> {
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
            name: self.name.clone(),
            read_only: self.read_only || !writes,
            allow_oom: self.facts.allow_oom,
            wrote: false,
            resp3: false,
            started_us,
            slow: false,
            killed: false,
        });
        let result = ctx.script(|ctx| self.run_in(ctx, tables));
        if ctx.engine.scripts.running.take().is_some_and(|running| running.killed) {
            self.environment.sandbox.rest();
        }
        result
    }

    fn run_in(&self, ctx: &mut Ctx<'_>, tables: [&[&[u8]]; 2]) -> Result<(), Failure> {
        let Environment { sandbox, .. } = self.environment;
        sandbox.limit_memory(most_memory(ctx.engine));
        // The reply is written while the result is on Lua's stack, but when nothing of the script can run any more.
        let host = host(self.environment);
        host.lend(ctx, || {
            let finish = |ended_well: bool, stack: &mut Stack| {
                // SAFETY: the script is over.
                let ctx = unsafe { host.unit() }.expect("it is lent");
                if !ended_well {
                    return failed(ctx, stack, self.name);
                }
                let script_resp3 = ctx.engine.scripts.running.as_ref().is_some_and(|running| running.resp3);
                Writer { reply: &mut ctx.reply, script_resp3, stats: &mut ctx.engine.stats }.write(stack);
                Ok(())
            };
            match self.kind {
                Kind::Eval => sandbox.run(self.function, tables, finish),
                Kind::Function => sandbox.call(self.function, tables, finish),
            }
        })
    }
}

/// Answers the error of a script, with the place that it came from.
fn failed(ctx: &mut Ctx<'_>, stack: &mut Stack, name: &str) -> Result<(), Failure> {
    if stack.kind(1) != stack::Kind::Table {
        let text = if stack.kind(1) == stack::Kind::String { stack.string(1) } else { b"execution failure" };
        let text: String = String::from_utf8_lossy(text).chars().take(100).collect();
        return Err(Failure::new(format!("ERR Error running script {name}, {text}")));
    }
    let mut text = reply::text(stack, "err").unwrap_or_else(|| b"ERR unknown error".to_vec());
    if let (Some(source), Some(line)) = (reply::text(stack, "source"), reply::number(stack, "line")) {
        let line = (line as i64).to_string();
        for part in [b" script: ", name.as_bytes(), b", on ", &source, b":", line.as_bytes(), b"."] {
            text.extend_from_slice(part);
        }
    }
    if reply::is_counted(stack) {
        ctx.reply.error(&text);
        return Ok(());
    }
    Err(Failure::new(text))
}
