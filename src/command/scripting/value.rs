//! From a command's reply to what a script gets for it.

use mlua::{Lua, Table, Value};

/// The value of the reply that begins at `at`, which moves behind it. What the server itself has written is well formed.
pub fn from_reply(lua: &Lua, reply: &[u8], at: &mut usize) -> mlua::Result<Value> {
    let kind = reply[*at];
    let line = line(reply, at);
    Ok(match kind {
        b':' => Value::Number(number(line) as f64),
        b'$' if line == b"-1" => Value::Boolean(false),
        b'*' if line == b"-1" => Value::Boolean(false),
        b'$' => Value::String(lua.create_string(bulk(reply, line, at))?),
        b'+' => Value::Table(field(lua, "ok", lua.create_string(line)?)?),
        b'-' => Value::Table(error(lua, line)?),
        b'*' => Value::Table(elements(lua, reply, line, at)?),
        b'>' => Value::Table(elements(lua, reply, line, at)?),
        b'_' => Value::Nil,
        b'#' => Value::Boolean(line == b"t"),
        b',' => {
            let text = String::from_utf8_lossy(line);
            Value::Table(field(lua, "double", text.parse().unwrap_or(f64::NAN))?)
        }
        b'(' => Value::Table(field(lua, "big_number", lua.create_string(line)?)?),
        b'=' => {
            let bytes = bulk(reply, line, at);
            let verbatim = lua.create_table()?;
            verbatim.raw_set("format", lua.create_string(&bytes[..3])?)?;
            verbatim.raw_set("string", lua.create_string(&bytes[4..])?)?;
            Value::Table(field(lua, "verbatim_string", verbatim)?)
        }
        b'%' => {
            let pairs = lua.create_table()?;
            for _ in 0..number(line) {
                let key = from_reply(lua, reply, at)?;
                pairs.raw_set(key, from_reply(lua, reply, at)?)?;
            }
            Value::Table(field(lua, "map", pairs)?)
        }
        b'~' => {
            let members = lua.create_table()?;
            for _ in 0..number(line) {
                members.raw_set(from_reply(lua, reply, at)?, true)?;
            }
            Value::Table(field(lua, "set", members)?)
        }
        _ => unreachable!("no reply begins with {kind}"),
    })
}

/// The error of a command, as scripts see it: with a code, and noted as one that was counted.
fn error(lua: &Lua, line: &[u8]) -> mlua::Result<Table> {
    let error = super::api::error(lua, &super::api::with_code(line))?;
    error.raw_set("ignore_error_stats_update", true)?;
    Ok(error)
}

fn field(lua: &Lua, name: &str, value: impl mlua::IntoLua) -> mlua::Result<Table> {
    let table = lua.create_table_with_capacity(0, 1)?;
    table.raw_set(name, value)?;
    Ok(table)
}

fn elements(lua: &Lua, reply: &[u8], line: &[u8], at: &mut usize) -> mlua::Result<Table> {
    let count = number(line) as usize;
    let table = lua.create_table_with_capacity(count, 0)?;
    for index in 1..=count {
        table.raw_set(index, from_reply(lua, reply, at)?)?;
    }
    Ok(table)
}

/// What stands behind the kind, up to the end of the line.
fn line<'a>(reply: &'a [u8], at: &mut usize) -> &'a [u8] {
    let start = *at + 1;
    let len = reply[start..].iter().position(|byte| *byte == b'\r').expect("a line ends");
    *at = start + len + 2;
    &reply[start..start + len]
}

fn bulk<'a>(reply: &'a [u8], length: &[u8], at: &mut usize) -> &'a [u8] {
    let start = *at;
    let len = number(length) as usize;
    *at = start + len + 2;
    &reply[start..start + len]
}

fn number(line: &[u8]) -> i64 {
    std::str::from_utf8(line).ok().and_then(|text| text.parse().ok()).expect("a number")
}
