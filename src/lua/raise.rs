//! Functions for scripts that raise errors as Lua's own functions do.
//!
//! What mlua raises for an `Err` is an object of its own, which scripts would see where they expect a text or a table. So
//! a function made here answers its host's `Err` as a value, and a C function around it raises that: like an error of the C
//! library of Lua, with the place of the caller in front of a text, and with only C between the script and it.

use std::ffi::c_int;

use mlua::{FromLuaMulti, Function, IntoLuaMulti, Lua, MultiValue, Value, ffi};

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
    let answering = lua.create_function(move |lua, arguments: MultiValue| {
        let result = A::from_lua_multi(arguments, lua).map_err(Raised::from);
        let mut answer = match result.and_then(|arguments| host(lua, arguments)) {
            Ok(result) => result.into_lua_multi(lua)?,
            Err(Raised::Value(value)) => return (false, value).into_lua_multi(lua),
            Err(Raised::Text(text)) => return (false, lua.create_string(text)?).into_lua_multi(lua),
        };
        answer.push_front(Value::Boolean(true));
        Ok(answer)
    })?;
    // SAFETY: the function, the one argument, is on top of the stack, and becomes the upvalue of what takes its place.
    unsafe { lua.exec_raw(answering, |state| ffi::lua_pushcclosure(state, raise_or_answer, 1)) }
}

/// Calls its upvalue with its arguments: answers what stands behind `true`, or raises what stands behind `false`.
///
/// An error leaves by a jump over this frame, in which nothing has to be dropped.
unsafe extern "C-unwind" fn raise_or_answer(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: called by Lua with its arguments as the stack, all of which is this call's, and an upvalue. `lua_call` and what
    // raises need room for what they push, which a C function has (LUA_MINSTACK), since one place stays free below.
    unsafe {
        let arguments = ffi::lua_gettop(state);
        ffi::luaL_checkstack(state, 4, c"too many arguments".as_ptr());
        ffi::lua_pushvalue(state, ffi::lua_upvalueindex(1));
        ffi::lua_insert(state, 1);
        ffi::lua_call(state, arguments, ffi::LUA_MULTRET);
        if ffi::lua_toboolean(state, 1) != 0 {
            return ffi::lua_gettop(state) - 1;
        }
        ffi::lua_settop(state, 2);
        if ffi::lua_type(state, 2) == ffi::LUA_TSTRING {
            ffi::luaL_where(state, 1);
            ffi::lua_insert(state, 2);
            ffi::lua_concat(state, 2);
        }
        ffi::lua_error(state)
    }
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
