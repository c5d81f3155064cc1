//! The library `cjson`: values as JSON, as lua-cjson 2.1.0 has it.

mod decode;
mod encode;
#[cfg(test)]
mod tests;

use std::cell::Cell;
use std::rc::Rc;

use mlua::{LightUserData, Lua, LuaString, MultiValue, Table, Value};

use super::call::{Arguments, Fault, c_string, function};
use super::decimal::MOST_DIGITS;
use super::stack;

/// Makes the library, with settings of its own.
pub fn open(lua: &Lua) -> mlua::Result<Table> {
    let settings = Rc::new(Settings::default());
    let library = lua.create_table()?;
    let held = settings.clone();
    let encode = function(lua, move |lua, arguments: Arguments<'_>| encode_one(lua, arguments, &held));
    library.raw_set("encode", encode?)?;
    let held = settings.clone();
    let decode = function(lua, move |lua, arguments: Arguments<'_>| decode_one(lua, arguments, &held));
    library.raw_set("decode", decode?)?;
    let setters: [(&str, usize, Setter); 7] = [
        ("encode_sparse_array", 3, sparse_array),
        ("encode_max_depth", 1, |_, given, settings| integer(given, 1, 1, &settings.encode_max_depth).map(one)),
        ("decode_max_depth", 1, |_, given, settings| integer(given, 1, 1, &settings.decode_max_depth).map(one)),
        ("encode_number_precision", 1, precision),
        ("encode_keep_buffer", 1, |_, given, settings| boolean(given, 1, &settings.keep_buffer).map(one)),
        ("encode_invalid_numbers", 1, invalid_numbers),
        ("decode_invalid_numbers", 1, |_, given, settings| boolean(given, 1, &settings.decode_invalid).map(one)),
    ];
    for (name, most, setter) in setters {
        let held = settings.clone();
        let set = function(lua, move |lua, arguments: Arguments<'_>| {
            if arguments.len() > most {
                return Err(Fault::argument(most + 1, "found too many arguments"));
            }
            setter(lua, &arguments, &held).map(MultiValue::from_vec)
        });
        library.raw_set(name, set?)?;
    }
    library.raw_set("new", function(lua, |lua, _: Arguments<'_>| Ok(open(lua)?))?)?;
    library.raw_set("null", LightUserData(std::ptr::null_mut()))?;
    library.raw_set("_NAME", "cjson")?;
    library.raw_set("_VERSION", "2.1.0")?;
    Ok(library)
}

/// What is done with numbers that JSON has not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Invalid {
    Refused,
    Written,
    Null,
}

/// How a library encodes and decodes. Scripts change it, and it stays changed.
struct Settings {
    /// Whether arrays that are too sparse become objects.
    sparse_convert: Cell<bool>,
    /// An array is too sparse that has more than so many places for each element, unless zero,
    sparse_ratio: Cell<i32>,
    /// and more places than this.
    sparse_safe: Cell<i32>,
    encode_max_depth: Cell<i32>,
    decode_max_depth: Cell<i32>,
    precision: Cell<i32>,
    /// Without effect here: only scripts can ask for it.
    keep_buffer: Cell<bool>,
    encode_invalid: Cell<Invalid>,
    decode_invalid: Cell<bool>,
}

impl Default for Settings {
    fn default() -> Self {
        const DEPTH: i32 = 1000;
        Self {
            sparse_convert: Cell::new(false),
            sparse_ratio: Cell::new(2),
            sparse_safe: Cell::new(10),
            encode_max_depth: Cell::new(DEPTH),
            decode_max_depth: Cell::new(DEPTH),
            precision: Cell::new(MOST_DIGITS as i32),
            keep_buffer: Cell::new(true),
            encode_invalid: Cell::new(Invalid::Refused),
            decode_invalid: Cell::new(true),
        }
    }
}

type Setter = fn(&Lua, &Arguments<'_>, &Settings) -> Result<Vec<Value>, Fault>;

fn one(value: Value) -> Vec<Value> {
    vec![value]
}

/// Sets an integer, if the argument is given, and answers it.
fn integer(given: &Arguments<'_>, number: usize, least: i32, setting: &Cell<i32>) -> Result<Value, Fault> {
    integer_between(given, number, least, i32::MAX, setting)
}

fn integer_between(
    given: &Arguments<'_>,
    number: usize,
    least: i32,
    most: i32,
    setting: &Cell<i32>,
) -> Result<Value, Fault> {
    if !given.is_nil(number) {
        // Only the lower 32 bits count.
        let value = given.integer(number)? as i32;
        if !(least..=most).contains(&value) {
            // The original speaks of the first argument always.
            return Err(Fault::argument(1, format!("expected integer between {least} and {most}")));
        }
        setting.set(value);
    }
    Ok(Value::Number(f64::from(setting.get())))
}

/// Sets a switch, if the argument is given, and answers it.
fn boolean(given: &Arguments<'_>, number: usize, setting: &Cell<bool>) -> Result<Value, Fault> {
    match given.get(number) {
        _ if given.is_nil(number) => {}
        Some(Value::Boolean(value)) => setting.set(*value),
        _ => setting.set(option(given, number, &[b"off", b"on"])? == 1),
    }
    Ok(Value::Boolean(setting.get()))
}

/// Which of some words an argument is.
fn option(given: &Arguments<'_>, number: usize, words: &[&[u8]]) -> Result<usize, Fault> {
    let text = given.string(number)?;
    let text = text.as_bytes();
    let text = c_string(&text);
    let invalid = || Fault::argument(number, [b"invalid option '", text, b"'"].concat());
    words.iter().position(|word| *word == text).ok_or_else(invalid)
}

fn sparse_array(_: &Lua, given: &Arguments<'_>, settings: &Settings) -> Result<Vec<Value>, Fault> {
    Ok(vec![
        boolean(given, 1, &settings.sparse_convert)?,
        integer(given, 2, 0, &settings.sparse_ratio)?,
        integer(given, 3, 0, &settings.sparse_safe)?,
    ])
}

fn precision(_: &Lua, given: &Arguments<'_>, settings: &Settings) -> Result<Vec<Value>, Fault> {
    integer_between(given, 1, 1, MOST_DIGITS as i32, &settings.precision).map(one)
}

fn invalid_numbers(lua: &Lua, given: &Arguments<'_>, settings: &Settings) -> Result<Vec<Value>, Fault> {
    const CHOICES: [Invalid; 3] = [Invalid::Refused, Invalid::Written, Invalid::Null];
    match given.get(1) {
        _ if given.is_nil(1) => {}
        Some(Value::Boolean(value)) => settings.encode_invalid.set(CHOICES[usize::from(*value)]),
        _ => settings.encode_invalid.set(CHOICES[option(given, 1, &[b"off", b"on", b"null"])?]),
    }
    let answer = match settings.encode_invalid.get() {
        Invalid::Refused => Value::Boolean(false),
        Invalid::Written => Value::Boolean(true),
        Invalid::Null => Value::String(lua.create_string("null")?),
    };
    Ok(one(answer))
}

fn only_one(arguments: &Arguments<'_>) -> Result<(), Fault> {
    if arguments.len() == 1 { Ok(()) } else { Err(Fault::argument(1, "expected 1 argument")) }
}

fn encode_one(lua: &Lua, arguments: Arguments<'_>, settings: &Settings) -> Result<LuaString, Fault> {
    only_one(&arguments)?;
    let mut out = Vec::new();
    stack::run::<()>(lua, arguments.values, |stack| encode::encode(stack, settings, &mut out))?;
    Ok(lua.create_string(out)?)
}

fn decode_one(lua: &Lua, arguments: Arguments<'_>, settings: &Settings) -> Result<Value, Fault> {
    only_one(&arguments)?;
    let text = arguments.string(1)?;
    let bytes = text.as_bytes();
    let mut scratch = Vec::new();
    stack::run(lua, &text, |stack| decode::decode(stack, settings, &bytes, &mut scratch))
}
