//! FUNCTION and FCALL: libraries of functions, which are data.

use super::run::{self, Run};
use super::{is_flush_mode, long, registry, shebang};
use crate::base::glob;
use crate::command::dump::WRONG_FOOTER;
use crate::command::help::bad_subcommand;
use crate::command::{Ctx, Failure};
use crate::engine::scripts::{Kind, Registry};
use crate::rdb::{Event, Reader, Version, Writer};

/// FUNCTION LOAD [REPLACE] code
pub fn load(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let (code, options) = arguments[2..].split_last().expect("the arity was checked");
    let mut replace = false;
    for option in options {
        if !option.eq_ignore_ascii_case(b"REPLACE") {
            return Err(with_word("ERR Unknown option given: ", option));
        }
        replace = true;
    }
    let (name, _) = shebang::of_library(code)?;
    if !ctx.is_applying() {
        ctx.reveal_libraries();
        let environment = registry::environment(ctx)?;
        if !replace && ctx.engine.libraries.find(&name).is_some() {
            return Err(already_exists(&name));
        }
        let registered = registry::compile(ctx, &environment, code, true)?;
        registry::check_names(&ctx.engine.scripts.registry, &name, &registered)?;
        ctx.engine.scripts.registry.keep(&name, registered);
    }
    registry::put(ctx, code);
    ctx.counts_as(1);
    ctx.reply.bulk(&name);
    Ok(())
}

fn with_word(text: &str, word: &[u8]) -> Failure {
    Failure::new([text.as_bytes(), word].concat())
}

fn already_exists(name: &[u8]) -> Failure {
    Failure::new([b"ERR Library '", name, b"' already exists"].concat())
}

/// FCALL function numkeys [key …] [arg …]
pub fn fcall(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    call(ctx, arguments, false)
}

/// FCALL_RO
pub fn fcall_ro(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    call(ctx, arguments, true)
}

fn call(ctx: &mut Ctx<'_>, arguments: &[&[u8]], read_only: bool) -> Result<(), Failure> {
    ctx.reveal_libraries();
    let environment = registry::environment(ctx)?;
    let name = std::str::from_utf8(arguments[1]).unwrap_or_default();
    let function = ctx.engine.scripts.registry.functions.get(name).cloned().ok_or("ERR Function not found")?;
    let (keys, rest) = run::split(arguments, "ERR Bad number of keys provided")?;
    let run = Run {
        environment: &environment,
        kind: Kind::Function,
        name: &function.name,
        function: &function.callback,
        facts: function.facts,
        read_only,
    };
    run.run(ctx, [keys, rest])
}

/// FUNCTION DELETE library
pub fn delete(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let name = arguments[2];
    if !ctx.is_applying() {
        ctx.reveal_libraries();
        // Up to date before, so that it is so behind.
        registry::environment(ctx)?;
    }
    if !ctx.engine.libraries.remove(name) {
        return Err("ERR Library not found".into());
    }
    ctx.engine.scripts.registry.forget(name);
    registry::up_to_date(ctx);
    ctx.effect(&[b"FUNCTION", b"DELETE", name]);
    ctx.counts_as(1);
    ctx.reply.ok();
    Ok(())
}

/// FUNCTION FLUSH [ASYNC|SYNC]
pub fn flush(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    match &arguments[2..] {
        [] => {}
        [mode] if is_flush_mode(mode) => {}
        [_] => return Err("ERR FUNCTION FLUSH only supports SYNC|ASYNC option".into()),
        _ => return Err(bad_subcommand(arguments)),
    }
    ctx.reveal_libraries();
    registry::clear(ctx);
    ctx.engine.scripts.forget_functions();
    // To Redis it is a change, whether or not there were any.
    ctx.engine.stats.changes += 1;
    ctx.reply.ok();
    Ok(())
}

/// FUNCTION KILL
pub fn kill(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Result<(), Failure> {
    long::kill(ctx, Kind::Function)
}

/// FUNCTION LIST [LIBRARYNAME pattern] [WITHCODE]
pub fn list(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let (mut pattern, mut with_code) = (None, false);
    let mut words = arguments[2..].iter();
    while let Some(word) = words.next() {
        if !with_code && word.eq_ignore_ascii_case(b"WITHCODE") {
            with_code = true;
        } else if pattern.is_none() && word.eq_ignore_ascii_case(b"LIBRARYNAME") {
            pattern = Some(*words.next().ok_or("ERR library name argument was not given")?);
        } else {
            return Err(with_word("ERR Unknown argument ", word));
        }
    }
    registry::environment(ctx)?;
    ctx.reveal_libraries();
    let (libraries, reply) = (&ctx.engine.scripts.registry.libraries, &mut ctx.reply);
    let is_asked = |name: &[u8]| pattern.is_none_or(|pattern| glob::matches_ignoring_case(pattern, name));
    let asked: Vec<_> = libraries.iter().filter(|(name, _)| is_asked(name)).collect();
    reply.array(asked.len());
    for (name, functions) in asked {
        reply.map(if with_code { 4 } else { 3 });
        reply.bulk(b"library_name");
        reply.bulk(name);
        reply.bulk(b"engine");
        reply.bulk(b"LUA");
        reply.bulk(b"functions");
        reply.array(functions.len());
        for function in functions {
            reply.map(3);
            reply.bulk(b"name");
            reply.bulk(function.name.as_bytes());
            reply.bulk(b"description");
            match &function.description {
                Some(description) => reply.bulk(description),
                None => reply.null(),
            }
            reply.bulk(b"flags");
            let flags = function.facts.names();
            reply.set(flags.len());
            flags.iter().for_each(|flag| reply.simple(flag));
        }
        if with_code {
            reply.bulk(b"library_code");
            reply.bulk(ctx.engine.libraries.find(name).unwrap_or_default());
        }
    }
    Ok(())
}

/// FUNCTION STATS
pub fn stats(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Result<(), Failure> {
    if ctx.engine.scripts.busy.is_none() {
        ctx.reveal_libraries();
        registry::environment(ctx)?;
    }
    let now_us = ctx.engine.monotonic_us();
    let (scripts, reply) = (&ctx.engine.scripts, &mut ctx.reply);
    reply.map(2);
    reply.bulk(b"running_script");
    match (&scripts.running, &scripts.busy) {
        (Some(running), Some(busy)) => {
            reply.map(3);
            reply.bulk(b"name");
            reply.bulk(running.name.as_bytes());
            reply.bulk(b"command");
            reply.array(busy.words.iter().len());
            busy.words.iter().for_each(|word| reply.bulk(word));
            reply.bulk(b"duration_ms");
            reply.count((now_us.saturating_sub(running.started_us) / 1000) as usize);
        }
        _ => reply.null(),
    }
    reply.bulk(b"engines");
    reply.map(1);
    reply.bulk(b"LUA");
    reply.map(2);
    reply.bulk(b"libraries_count");
    reply.count(scripts.registry.libraries.len());
    reply.bulk(b"functions_count");
    reply.count(scripts.registry.functions.len());
    Ok(())
}

/// FUNCTION DUMP
pub fn dump(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Result<(), Failure> {
    let mut writer = Writer::of_dump(Version::V10, ctx.engine.config.rdbcompression());
    ctx.reveal_libraries();
    for code in ctx.engine.libraries.codes() {
        writer.write(&Event::Function(code)).map_err(|error| Failure::new(format!("ERR {error}")))?;
    }
    ctx.reply.bulk(&writer.into_dump());
    Ok(())
}

/// FUNCTION RESTORE payload [FLUSH|APPEND|REPLACE]
pub fn restore(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let policy = match &arguments[3..] {
        [] => Policy::Append,
        [word] => Policy::named(word)?,
        _ => return Err(bad_subcommand(arguments)),
    };
    let codes = libraries_of(arguments[2])?;
    ctx.reveal_libraries();
    let environment = registry::environment(ctx)?;
    let mut loaded = Vec::new();
    for code in &codes {
        let (name, _) = shebang::of_library(code)?;
        if loaded.iter().any(|(known, _)| *known == name) {
            return Err(already_exists(&name));
        }
        loaded.push((name, registry::compile(ctx, &environment, code, true)?));
    }
    // All or nothing: what will be there is made beside what is.
    let mut registry = Registry::default();
    if policy != Policy::Flush {
        for (name, functions) in &ctx.engine.scripts.registry.libraries {
            let is_loaded = loaded.iter().any(|(known, _)| known == name);
            match policy {
                Policy::Append if is_loaded => return Err(already_exists(name)),
                _ if is_loaded => {}
                _ => registry.keep(name, functions.clone()),
            }
        }
    }
    for (name, registered) in loaded {
        registry::check_names(&registry, &name, &registered)?;
        registry.keep(&name, registered);
    }
    if policy == Policy::Flush {
        registry::clear(ctx);
    }
    for code in &codes {
        registry::put(ctx, code);
    }
    registry.version = Some(ctx.engine.libraries.version());
    ctx.engine.scripts.registry = registry;
    ctx.counts_as(1);
    ctx.reply.ok();
    Ok(())
}

/// What FUNCTION RESTORE does about what is there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Policy {
    Flush,
    Append,
    Replace,
}

impl Policy {
    fn named(word: &[u8]) -> Result<Self, Failure> {
        let policies: [(&[u8], Self); 3] =
            [(b"flush", Self::Flush), (b"append", Self::Append), (b"replace", Self::Replace)];
        let found = policies.iter().find(|(name, _)| name.eq_ignore_ascii_case(word)).map(|(_, policy)| *policy);
        found.ok_or("ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.".into())
    }
}

/// The libraries in a payload of FUNCTION DUMP.
pub fn libraries_of(payload: &[u8]) -> Result<Vec<Vec<u8>>, Failure> {
    let mut reader = Reader::of_functions(payload).ok_or(WRONG_FOOTER)?;
    let mut codes = Vec::new();
    let bad = |_| Failure::from("ERR failed loading functions");
    while !reader.is_at_end().map_err(bad)? {
        match reader.next().map_err(bad)? {
            Event::Function(code) => codes.push(code.to_vec()),
            _ => return Err("ERR given type is not a function".into()),
        }
    }
    Ok(codes)
}
