//! `redis.register_function`: what the code of a library calls while it is loaded.

use std::rc::Rc;

use mlua::{Lua, MultiValue, Table, Value};

use super::host::Host;
use super::shebang;
use crate::engine::scripts::{Facts, Registered};
use crate::lua::invoke::Kept;

/// What is known of a function that has no flags: it lives by the rules of Redis 7.
fn facts() -> Facts {
    Facts { declared: true, ..Facts::default() }
}

/// Registers a function, by a name and a callback or by one table of named arguments. The error is what is wrong with them.
pub fn register(lua: &Lua, host: &Host, arguments: &MultiValue) -> Result<(), String> {
    let registered = match (arguments.len(), arguments.front()) {
        (1, Some(Value::Table(named))) => by_names(lua, named)?,
        (1, _) => {
            return Err("calling redis.register_function with a single argument is only applicable to Lua table \
                        (representing named arguments)."
                .to_owned());
        }
        (2, _) => {
            let name = text(lua, &arguments[0]).ok_or("first argument to redis.register_function must be a string")?;
            let callback =
                function(lua, &arguments[1]).ok_or("second argument to redis.register_function must be a function")?;
            Registered { name, callback, facts: facts(), description: None }
        }
        _ => return Err("wrong number of arguments to redis.register_function".to_owned()),
    };
    if !shebang::is_name(registered.name.as_bytes()) {
        return Err(shebang::NAME_RULE.trim_start_matches("ERR ").to_owned());
    }
    let mut registering = host.registering.borrow_mut();
    let Some(functions) = registering.as_mut() else {
        return Err("redis.register_function can only be called on FUNCTION LOAD command".to_owned());
    };
    if functions.iter().any(|known| known.name == registered.name) {
        return Err("Function already exists in the library".to_owned());
    }
    functions.push(registered);
    Ok(())
}

fn by_names(lua: &Lua, named: &Table) -> Result<Registered, String> {
    let (mut name, mut callback, mut description, mut facts) = (None, None, None, facts());
    for pair in named.pairs::<Value, Value>() {
        let Ok((key, value)) = pair else { continue };
        let Value::String(key) = key else {
            return Err("named argument key given to redis.register_function is not a string".to_owned());
        };
        match &*key.as_bytes() {
            b"function_name" => {
                name = Some(
                    text(lua, &value)
                        .ok_or("function_name argument given to redis.register_function must be a string")?,
                );
            }
            b"description" => {
                description = Some(
                    bytes(lua, &value)
                        .ok_or("description argument given to redis.register_function must be a string")?,
                );
            }
            b"callback" => {
                callback = Some(
                    function(lua, &value)
                        .ok_or("callback argument given to redis.register_function must be a function")?,
                );
            }
            b"flags" => {
                let Value::Table(flags) = value else {
                    return Err(
                        "flags argument to redis.register_function must be a table representing function flags"
                            .to_owned(),
                    );
                };
                for at in 1.. {
                    match flags.raw_get::<Value>(at) {
                        Ok(Value::Nil) | Err(_) => break,
                        Ok(Value::String(flag)) if facts.set(&flag.as_bytes()) => {}
                        Ok(_) => return Err("unknown flag given".to_owned()),
                    }
                }
            }
            _ => return Err("unknown argument given to redis.register_function".to_owned()),
        }
    }
    Ok(Registered {
        name: name.ok_or("redis.register_function must get a function name argument")?,
        callback: callback.ok_or("redis.register_function must get a callback argument")?,
        facts,
        description,
    })
}

fn bytes(lua: &Lua, value: &Value) -> Option<Vec<u8>> {
    let text = lua.coerce_string(value.clone()).ok()??;
    Some(text.as_bytes().to_vec())
}

fn function(lua: &Lua, value: &Value) -> Option<Kept> {
    Kept::new(lua, value.as_function()?).ok()
}

/// The name of a function: the rule for names is one of ASCII, so a text will do.
fn text(lua: &Lua, value: &Value) -> Option<Rc<str>> {
    bytes(lua, value).map(|bytes| String::from_utf8_lossy(&bytes).into())
}
