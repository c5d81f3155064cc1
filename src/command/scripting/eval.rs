//! EVAL, EVALSHA and their forms that only read.

use std::rc::Rc;

use mlua::chunk::ChunkMode;
use sha1::Digest as _;

use super::run::{self, Run};
use super::shebang;
use crate::command::{Ctx, Failure};
use crate::engine::Engine;
use crate::engine::scripts::{Digest, Environment, Kind, Script};
use crate::lua::raise;
use crate::lua::sandbox::Sandbox;

/// No script has this digest.
pub const NO_SCRIPT: Failure = Failure::fixed("NOSCRIPT No matching script. Please use EVAL.");

/// EVAL script numkeys [key …] [arg …]
pub fn eval(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    by_body(ctx, arguments, false)
}

/// EVAL_RO
pub fn eval_ro(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    by_body(ctx, arguments, true)
}

/// EVALSHA sha1 numkeys [key …] [arg …]
pub fn evalsha(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    by_digest(ctx, arguments, false)
}

/// EVALSHA_RO
pub fn evalsha_ro(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    by_digest(ctx, arguments, true)
}

fn by_body(ctx: &mut Ctx<'_>, arguments: &[&[u8]], read_only: bool) -> Result<(), Failure> {
    let (keys, rest) = run::split(arguments, NOT_A_NUMBER)?;
    let script = script(ctx.engine, arguments[1], false)?;
    run_script(ctx, &script, keys, rest, read_only)
}

fn by_digest(ctx: &mut Ctx<'_>, arguments: &[&[u8]], read_only: bool) -> Result<(), Failure> {
    // A digest of another length is none, whatever else is wrong.
    let digest = digest_in_hex(arguments[1]).ok_or(NO_SCRIPT)?;
    let (keys, rest) = run::split(arguments, NOT_A_NUMBER)?;
    let script = ctx.engine.scripts.cache.find(&digest).ok_or(NO_SCRIPT)?;
    run_script(ctx, &script, keys, rest, read_only)
}

const NOT_A_NUMBER: &str = "ERR value is not an integer or out of range";

fn run_script(
    ctx: &mut Ctx<'_>,
    script: &Script,
    keys: &[&[u8]],
    arguments: &[&[u8]],
    read_only: bool,
) -> Result<(), Failure> {
    let environment = environment(ctx.engine)?;
    let run = Run {
        environment: &environment,
        kind: Kind::Eval,
        name: &script.name,
        function: &script.function,
        facts: script.facts,
        read_only,
    };
    run.run(ctx, [keys, arguments])
}

/// Where scripts run.
fn environment(engine: &mut Engine) -> Result<Rc<Environment>, Failure> {
    if let Some(environment) = &engine.scripts.eval {
        return Ok(environment.clone());
    }
    Ok(engine.scripts.eval.insert(run::environment(Kind::Eval)?).clone())
}

/// The script with this text, compiled and kept if it was not there. `loaded` is for SCRIPT LOAD.
pub fn script(engine: &mut Engine, body: &[u8], loaded: bool) -> Result<Rc<Script>, Failure> {
    let digest: Digest = sha1::Sha1::digest(body).into();
    if let Some(script) = engine.scripts.cache.find(&digest) {
        if loaded {
            engine.scripts.cache.keep_loaded(&digest);
        }
        return Ok(script);
    }
    let (facts, code) = shebang::of_script(body)?;
    let environment = environment(engine)?;
    let function = compile(&environment.sandbox, code, "@user_script")
        .map_err(|text| Failure::new(format!("ERR Error compiling script (new function): {text}")))?;
    let function = environment.sandbox.keep(function).map_err(|error| run::failure(&error))?;
    let name = digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into();
    let script = Rc::new(Script { name, body: body.to_vec(), facts, function });
    engine.scripts.cache.keep(digest, script.clone(), loaded);
    Ok(script)
}

/// Compiles source text; the error is Lua's.
pub fn compile(sandbox: &Sandbox, code: &[u8], name: &str) -> Result<mlua::Function, String> {
    if code.first() == Some(&27) {
        return Err(format!("{}:1: unexpected symbol near 'char(27)'", name.trim_start_matches('@')));
    }
    let chunk = sandbox.lua().load(code).set_name(name).set_mode(ChunkMode::Text);
    chunk.into_function().map_err(|error| raise::text_of(&error))
}

/// The digest that these 40 digits are, in either case.
pub fn digest_in_hex(text: &[u8]) -> Option<Digest> {
    let mut digest = Digest::default();
    if text.len() != 2 * digest.len() {
        return None;
    }
    let mut wrong = 0;
    for (byte, pair) in digest.iter_mut().zip(text.chunks_exact(2)) {
        let (high, low) = (DIGITS[usize::from(pair[0])], DIGITS[usize::from(pair[1])]);
        wrong |= high | low;
        *byte = high << 4 | low & 0xf;
    }
    (wrong <= 0xf).then_some(digest)
}

/// The value of each hexadecimal digit; of all else, more than any has.
const DIGITS: [u8; 256] = {
    let mut digits = [0xff; 256];
    let mut value = 0;
    while value < 16 {
        digits[b"0123456789abcdef"[value] as usize] = value as u8;
        digits[b"0123456789ABCDEF"[value] as usize] = value as u8;
        value += 1;
    }
    digits
};
