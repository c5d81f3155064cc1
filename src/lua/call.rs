//! Functions that scripts call: their arguments, checked as Lua's own libraries check them, and their errors.
//!
//! An error of a script is a string with the place of the call in front, and scripts compare it. mlua raises its errors as
//! objects of its own instead; so each function here stands behind a small one that raises plain strings.

use mlua::{Function, IntoLuaMulti, Lua, LuaString, MultiValue, Nil, Value, ffi};

/// Why a call fails.
#[derive(Debug)]
pub(super) enum Fault {
    /// An error with the place of the call in front.
    Text(Vec<u8>),
    /// The same for an argument, with its number and the name by which the script called.
    Argument(isize, Vec<u8>),
    /// An error without a place, as Lua itself raises it within a library.
    Bare(&'static str),
    /// A value, raised as it is.
    Value(Value),
    /// An error of mlua: no memory, or no room for values.
    Lua(mlua::Error),
}

impl Fault {
    pub(super) fn text(text: impl Into<Vec<u8>>) -> Self {
        Self::Text(text.into())
    }

    pub(super) fn argument(number: usize, text: impl Into<Vec<u8>>) -> Self {
        Self::Argument(number as isize, text.into())
    }

    /// What is raised: the whole message, or the value.
    fn raised(self, lua: &Lua) -> Result<Value, mlua::Error> {
        let located = |text: &[u8]| [place(lua).into_bytes().as_slice(), text].concat();
        let message = match self {
            Self::Text(text) => located(&text),
            Self::Argument(number, text) => located(&about_argument(lua, number, &text)),
            Self::Bare(text) => text.into(),
            Self::Value(value) => return Ok(value),
            Self::Lua(error) => return Err(error),
        };
        Ok(Value::String(lua.create_string(message)?))
    }
}

impl From<mlua::Error> for Fault {
    fn from(error: mlua::Error) -> Self {
        Self::Lua(error)
    }
}

/// How far the caller of the function is up the stack: above the closure and the function that raises for it.
const CALLER: usize = 2;

/// The place of the call: `name:line: `, or nothing if the caller is no script.
fn place(lua: &Lua) -> String {
    let place = lua.inspect_stack(CALLER, |caller| {
        let line = caller.current_line().filter(|line| *line > 0)?;
        Some(format!("{}:{line}: ", caller.source().short_src.as_deref().unwrap_or("?")))
    });
    place.flatten().unwrap_or_default()
}

fn about_argument(lua: &Lua, number: isize, text: &[u8]) -> Vec<u8> {
    let names = lua.inspect_stack(CALLER - 1, |function| {
        let names = function.names();
        (names.name.as_deref().map(str::to_owned), names.name_what == Some("method"))
    });
    let (name, is_method) = names.unwrap_or_default();
    let name = name.unwrap_or_else(|| "?".into());
    // A method's own object is not counted.
    let number = number - isize::from(is_method);
    let front = match number {
        0 if is_method => format!("calling '{name}' on bad self ("),
        _ => format!("bad argument #{number} to '{name}' ("),
    };
    [front.as_bytes(), text, b")"].concat()
}

/// What a call has got.
pub(super) struct Arguments<'a> {
    lua: &'a Lua,
    pub(super) values: MultiValue,
}

impl Arguments<'_> {
    pub(super) fn len(&self) -> usize {
        self.values.len()
    }

    /// An argument, counted from one.
    pub(super) fn get(&self, number: usize) -> Option<&Value> {
        self.values.get(number - 1)
    }

    /// Whether an argument is missing or nil.
    pub(super) fn is_nil(&self, number: usize) -> bool {
        matches!(self.get(number), None | Some(Nil))
    }

    /// The fault of an argument that is no such thing.
    pub(super) fn wrong_type(&self, number: usize, expected: &str) -> Fault {
        let got = self.get(number).map_or("no value", type_name);
        Fault::argument(number, format!("{expected} expected, got {got}"))
    }

    /// A string, or a number as text.
    pub(super) fn string(&self, number: usize) -> Result<LuaString, Fault> {
        match self.get(number) {
            Some(Value::String(text)) => Ok(text.clone()),
            Some(value @ (Value::Integer(_) | Value::Number(_))) => {
                let text = self.lua.coerce_string(value.clone())?;
                text.ok_or_else(|| self.wrong_type(number, "string"))
            }
            _ => Err(self.wrong_type(number, "string")),
        }
    }

    /// A number, or the number of a text.
    pub(super) fn number(&self, number: usize) -> Result<f64, Fault> {
        match self.get(number) {
            Some(Value::Integer(value)) => Ok(*value as f64),
            Some(Value::Number(value)) => Ok(*value),
            Some(value @ Value::String(_)) => {
                self.lua.coerce_number(value.clone())?.ok_or_else(|| self.wrong_type(number, "number"))
            }
            _ => Err(self.wrong_type(number, "number")),
        }
    }

    /// A number without its fraction.
    pub(super) fn integer(&self, number: usize) -> Result<i64, Fault> {
        self.number(number).map(to_integer)
    }

    /// The same, or another if the argument is missing or nil.
    pub(super) fn integer_or(&self, number: usize, other: i64) -> Result<i64, Fault> {
        if self.is_nil(number) { Ok(other) } else { self.integer(number) }
    }
}

/// The name of a value's type, as scripts know it.
pub(super) fn type_name(value: &Value) -> &'static str {
    match value {
        Nil => "nil",
        Value::Boolean(_) => "boolean",
        Value::Integer(_) | Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Table(_) => "table",
        Value::Function(_) => "function",
        Value::Thread(_) => "thread",
        _ => "userdata",
    }
}

/// Bounds of `i64` as a double: the lower one is in it, the upper one not.
const INTEGER_BOUND: f64 = (1u64 << 63) as f64;

/// A double as C casts it to a 64-bit integer on x86: what does not fit, or is no number, becomes the smallest one.
pub(super) fn to_integer(value: f64) -> i64 {
    if (-INTEGER_BOUND..INTEGER_BOUND).contains(&value) { value as i64 } else { i64::MIN }
}

/// The same for an unsigned integer, which x86 reads in two halves.
pub(super) fn to_unsigned(value: f64) -> u64 {
    if value >= INTEGER_BOUND {
        (to_integer(value - INTEGER_BOUND) as u64) ^ (1 << 63)
    } else {
        to_integer(value) as u64
    }
}

/// A text up to its first zero byte, as C reads it.
pub(super) fn c_string(text: &[u8]) -> &[u8] {
    let end = text.iter().position(|byte| *byte == 0).unwrap_or(text.len());
    &text[..end]
}

/// The most values that a function may return. Lua's stack has room for some more, and Redis uses all of it; but mlua, which
/// hands them over, needs a place of its own for each.
pub(super) const MOST_RESULTS: usize = 7000;

/// Makes a function for scripts.
pub(super) fn function<R, F>(lua: &Lua, body: F) -> mlua::Result<Function>
where
    R: IntoLuaMulti,
    F: Fn(&Lua, Arguments<'_>) -> Result<R, Fault> + 'static,
{
    let inner = lua.create_function(move |lua, values: MultiValue| {
        match body(lua, Arguments { lua, values }) {
            Ok(results) => {
                let mut results = results.into_lua_multi(lua)?;
                // No error.
                results.push_front(Nil);
                Ok(results)
            }
            Err(fault) => Ok(MultiValue::from_iter([fault.raised(lua)?])),
        }
    })?;
    // SAFETY: the closure pushes one function, over the one value that it finds, and uses nothing else of the state.
    unsafe { lua.exec_raw(inner, |state| ffi::lua_pushcclosure(state, raise_or_return, 1)) }
}

/// Calls the function that stands in its first upvalue, and raises the first of its results if that is not nil; else it
/// returns the others.
unsafe extern "C-unwind" fn raise_or_return(state: *mut ffi::lua_State) -> std::ffi::c_int {
    // SAFETY: Lua calls this with a valid state, the arguments as the whole stack, and room for 20 more values. The upvalue
    // is the closure made above, which returns at least one value. When Lua raises an error here, it jumps over this
    // frame, which holds nothing that would have to be dropped.
    unsafe {
        let count = ffi::lua_gettop(state);
        ffi::lua_pushvalue(state, ffi::lua_upvalueindex(1));
        ffi::lua_insert(state, 1);
        ffi::lua_call(state, count, ffi::LUA_MULTRET);
        if ffi::lua_type(state, 1) == ffi::LUA_TNIL {
            return ffi::lua_gettop(state) - 1;
        }
        ffi::lua_settop(state, 1);
        ffi::lua_error(state)
    }
}
