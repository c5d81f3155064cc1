//! What libraries of functions are compiled to: when they are loaded, and anew when it is needed and they were changed otherwise.

use std::rc::Rc;

use super::{eval, reply, run, shebang};
use crate::command::{Ctx, Failure};
use crate::engine::scripts::{Environment, Kind, Registered, Registry};
use crate::lua::stack::Stack;

/// Keeps the code, with the effect that says so.
pub fn put(ctx: &mut Ctx<'_>, code: &[u8]) {
    ctx.engine.libraries.put(code.to_vec());
    up_to_date(ctx);
    ctx.effect(&[b"FUNCTION", b"LOAD", b"REPLACE", code]);
}

/// What was compiled is what the libraries are now; a copy that applies effects has compiled nothing.
pub fn up_to_date(ctx: &mut Ctx<'_>) {
    if !ctx.is_applying() {
        ctx.engine.scripts.registry.version = Some(ctx.engine.libraries.version());
    }
    ctx.modified_libraries();
}

/// Takes all libraries away, with the effect that says so, if there are any.
pub fn clear(ctx: &mut Ctx<'_>) {
    if !ctx.engine.libraries.is_empty() {
        ctx.engine.libraries.clear();
        ctx.modified_libraries();
        ctx.effect(&[b"FUNCTION", b"FLUSH"]);
    }
}

/// The functions that a library registers.
pub fn compile(
    ctx: &mut Ctx<'_>,
    environment: &Environment,
    code: &[u8],
    is_new: bool,
) -> Result<Vec<Rc<Registered>>, Failure> {
    let (_, code) = shebang::of_library(code)?;
    let library = eval::compile(&environment.sandbox, code, "@user_function")
        .map_err(|text| Failure::new(format!("ERR Error compiling function: {text}")))?;
    let Environment { sandbox, .. } = environment;
    let library = sandbox.keep(library).map_err(|error| run::failure(&error))?;
    sandbox.limit_memory(run::most_memory(ctx.engine));
    let host = run::host(environment);
    let error = |stack: &mut Stack| reply::text(stack, "err").unwrap_or_else(|| b"ERR not enough memory".to_vec());
    let ended = host.lend_to_library(ctx, is_new, || {
        sandbox.load(&library, |ended_well, stack| if ended_well { Ok(()) } else { Err(error(stack)) })
    });
    let registered = host.registering.take().unwrap_or_default();
    if let Err(text) = ended.map_err(|error| run::failure(&error))? {
        return Err(Failure::new([b"ERR Error registering functions: ", text.as_slice()].concat()));
    }
    if registered.is_empty() {
        return Err("ERR No functions registered".into());
    }
    Ok(registered.into_iter().map(Rc::new).collect())
}

/// Whether no other library has a function of these names.
pub fn check_names(registry: &Registry, library: &[u8], registered: &[Rc<Registered>]) -> Result<(), Failure> {
    let others = registry.libraries.iter().filter(|(name, _)| name != library);
    let mut names = others.flat_map(|(_, functions)| functions).map(|function| &function.name);
    match names.find(|name| registered.iter().any(|function| function.name == **name)) {
        Some(name) => Err(Failure::new(format!("ERR Function {name} already exists"))),
        None => Ok(()),
    }
}

/// Brings what was compiled up to the state of the libraries; answers where it is.
pub fn environment(ctx: &mut Ctx<'_>) -> Result<Rc<Environment>, Failure> {
    let version = ctx.engine.libraries.version();
    if let Some(environment) = &ctx.engine.scripts.functions
        && ctx.engine.scripts.registry.version == Some(version)
    {
        return Ok(environment.clone());
    }
    let environment = run::environment(Kind::Function)?;
    let mut registry = Registry { version: Some(version), ..Registry::default() };
    for code in ctx.engine.libraries.codes().to_vec() {
        // What was loaded once is loaded again, however long it takes now.
        let registered = shebang::of_library(&code).and_then(|(name, _)| {
            let registered = compile(ctx, &environment, &code, false)?;
            check_names(&registry, &name, &registered)?;
            Ok((name, registered))
        });
        match registered {
            Ok((name, registered)) => registry.keep(&name, registered),
            Err(failure) => {
                let first_line = code.split(|byte| *byte == b'\n').next().unwrap_or_default().escape_ascii();
                let why = String::from_utf8_lossy(failure.text());
                tracing::warn!("the functions of the library '{first_line}' cannot be called: {why}");
            }
        }
    }
    ctx.engine.scripts.registry = registry;
    Ok(ctx.engine.scripts.functions.insert(environment).clone())
}
