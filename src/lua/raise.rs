//! Functions for scripts, for who makes the table `redis`: they raise errors as Lua's own functions do.

use mlua::{FromLuaMulti, Function, IntoLuaMulti, Lua, Value};

use super::call::{self, Fault};

/// What a function raises.
#[derive(Debug)]
pub enum Raised {
    /// A text; the place of the caller comes before it, where it is known.
    Text(Vec<u8>),
    /// A value, as it is.
    Value(Value),
}

impl From<mlua::Error> for Raised {
    fn from(error: mlua::Error) -> Self {
        Raised::Text(text_of(&error).into_bytes())
    }
}

impl From<&str> for Raised {
    fn from(text: &str) -> Self {
        Raised::Text(text.into())
    }
}

/// The text of an error without what mlua says about its kind.
pub fn text_of(error: &mlua::Error) -> String {
    match error {
        mlua::Error::RuntimeError(text) | mlua::Error::MemoryError(text) => text.clone(),
        mlua::Error::SyntaxError { message, .. } => message.clone(),
        mlua::Error::CallbackError { cause, .. } => text_of(cause),
        other => other.to_string(),
    }
}

/// A function for scripts.
pub fn function<A: FromLuaMulti, R: IntoLuaMulti>(
    lua: &Lua,
    host: impl Fn(&Lua, A) -> Result<R, Raised> + 'static,
) -> mlua::Result<Function> {
    call::function(lua, move |lua, arguments| {
        let arguments = A::from_lua_multi(arguments.values, lua).map_err(Raised::from);
        arguments.and_then(|arguments| host(lua, arguments)).map_err(|raised| match raised {
            Raised::Text(text) => Fault::Text(text),
            Raised::Value(value) => Fault::Value(value),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_values_that_scripts_expect() {
        let lua = Lua::new();
        let fail = function(&lua, |lua, what: Value| -> Result<(), Raised> {
            match what {
                Value::String(text) => Err(Raised::Text(text.as_bytes().to_vec())),
                _ => Err(Raised::Value(Value::Table(lua.create_sequence_from([1, 2])?))),
            }
        });
        lua.globals().set("fail", fail.unwrap()).unwrap();
        lua.globals().set("add", function(&lua, |_, (a, b): (i64, i64)| Ok(a + b)).unwrap()).unwrap();
        let eval = |code: &str| lua.load(code).set_name("@test").eval::<String>().unwrap();
        assert_eq!(eval("local ok, e = pcall(fail, 'boom') return e"), "boom", "pcall itself has no place");
        assert_eq!(eval("local _, e = pcall(function() fail('boom') end) return e"), "test:1: boom");
        assert_eq!(eval("local _, e = pcall(function() return fail('a\\0b') end) return e"), "test:1: a\0b");
        assert_eq!(eval("local _, e = pcall(fail) return type(e)..#e"), "table2");
        assert_eq!(eval("return tostring(add(1, 2))"), "3");
        assert!(eval("local _, e = pcall(add, {}, 2) return e").contains("error converting Lua table"));
    }
}
