//! The library `cmsgpack`: values as MessagePack.

use mlua::{Lua, LuaString, MultiValue, Table};

use super::call::{Arguments, Fault, MOST_RESULTS, function, to_integer};
use super::stack::{self, Kind, Stack};

/// Makes the library.
pub fn open(lua: &Lua) -> mlua::Result<Table> {
    let library = lua.create_table()?;
    library.raw_set("pack", function(lua, pack)?)?;
    library.raw_set("unpack", function(lua, |lua, arguments| unpack(lua, &arguments, 0, 0))?)?;
    let one = function(lua, |lua, arguments: Arguments<'_>| {
        let start = arguments.integer_or(2, 0)?;
        unpack(lua, &arguments, 1, start)
    });
    library.raw_set("unpack_one", one?)?;
    let limit = function(lua, |lua, arguments: Arguments<'_>| {
        let (limit, start) = (arguments.integer(2)?, arguments.integer_or(3, 0)?);
        unpack(lua, &arguments, limit, start)
    });
    library.raw_set("unpack_limit", limit?)?;
    library.raw_set("_NAME", "cmsgpack")?;
    library.raw_set("_VERSION", "lua-cmsgpack 0.4.0")?;
    library.raw_set("_COPYRIGHT", "Copyright (C) 2012, Redis Ltd.")?;
    library.raw_set("_DESCRIPTION", "MessagePack C implementation for Lua")?;
    Ok(library)
}

/// Tables within so many others become nil.
const DEEPEST: usize = 16;

fn pack(lua: &Lua, arguments: Arguments<'_>) -> Result<LuaString, Fault> {
    let count = arguments.len();
    if count == 0 {
        return Err(Fault::argument(0, "MessagePack pack needs input."));
    }
    let mut out = Vec::new();
    stack::run::<()>(lua, arguments.values, |stack| {
        if !stack.make_room(count) {
            return Err(Fault::argument(0, "Too many arguments for MessagePack pack."));
        }
        for number in 1..=count {
            stack.push_copy(number);
            encode(stack, 0, &mut out)?;
            stack.pop(1);
        }
        Ok(())
    })?;
    Ok(lua.create_string(out)?)
}

/// Writes the value at the top, which stands in so many tables.
fn encode(stack: &mut Stack, depth: usize, out: &mut Vec<u8>) -> Result<(), Fault> {
    match stack.kind(1) {
        Kind::String => encode_string(stack.string(1), out),
        Kind::Boolean => out.push(if stack.is_true(1) { 0xc3 } else { 0xc2 }),
        Kind::Number => encode_number(stack.number(1), out),
        Kind::Table if depth < DEEPEST => encode_table(stack, depth, out)?,
        _ => out.push(0xc0),
    }
    Ok(())
}

/// A byte, and a number of so many bytes with the highest first.
fn tagged<const N: usize>(tag: u8, mut low_first: [u8; N], out: &mut Vec<u8>) {
    low_first.reverse();
    out.push(tag);
    out.extend_from_slice(&low_first);
}

fn encode_string(text: &[u8], out: &mut Vec<u8>) {
    match text.len() {
        length @ 0..32 => out.push(0xa0 | length as u8),
        length @ 32..0x100 => out.extend_from_slice(&[0xd9, length as u8]),
        length @ 0x100..0x1_0000 => tagged(0xda, (length as u16).to_le_bytes(), out),
        length => tagged(0xdb, (length as u32).to_le_bytes(), out),
    }
    out.extend_from_slice(text);
}

fn encode_number(value: f64, out: &mut Vec<u8>) {
    let integer = to_integer(value);
    if integer as f64 == value && value < i64::MAX as f64 {
        return encode_integer(integer, out);
    }
    // The shorter form, if nothing is lost in it.
    if f64::from(value as f32) == value {
        tagged(0xca, (value as f32).to_le_bytes(), out);
    } else {
        tagged(0xcb, value.to_le_bytes(), out);
    }
}

fn encode_integer(value: i64, out: &mut Vec<u8>) {
    match value {
        0..0x80 => out.push(value as u8),
        0x80..0x100 => out.extend_from_slice(&[0xcc, value as u8]),
        0x100..0x1_0000 => tagged(0xcd, (value as u16).to_le_bytes(), out),
        0x1_0000..0x1_0000_0000 => tagged(0xce, (value as u32).to_le_bytes(), out),
        0x1_0000_0000.. => tagged(0xcf, value.to_le_bytes(), out),
        -32..0 => out.push(value as u8),
        -0x80..-32 => out.extend_from_slice(&[0xd0, value as u8]),
        -0x8000..-0x80 => tagged(0xd1, (value as i16).to_le_bytes(), out),
        -0x8000_0000..-0x8000 => tagged(0xd2, (value as i32).to_le_bytes(), out),
        ..-0x8000_0000 => tagged(0xd3, value.to_le_bytes(), out),
    }
}

fn encode_table(stack: &mut Stack, depth: usize, out: &mut Vec<u8>) -> Result<(), Fault> {
    let no_room = || Fault::text("stack overflow (in function mp_encode_lua_table)");
    // A key, a value, and a copy of the key.
    if !stack.make_room(3) {
        return Err(no_room());
    }
    let (count, is_array) = shape(stack);
    let length = |tags: [u8; 3], out: &mut Vec<u8>| match count {
        0..16 => out.push(tags[0] | count as u8),
        16..0x1_0000 => tagged(tags[1], (count as u16).to_le_bytes(), out),
        _ => tagged(tags[2], (count as u32).to_le_bytes(), out),
    };
    if is_array {
        length([0x90, 0xdc, 0xdd], out);
        for at in 1..=count {
            stack.push_element(at as i32);
            encode(stack, depth + 1, out)?;
            stack.pop(1);
        }
        return Ok(());
    }
    length([0x80, 0xde, 0xdf], out);
    stack.push_nil();
    while stack.next() {
        // The key may be a table, so it is encoded as a value at the top.
        let key = stack.height() - 1;
        stack.push_copy(key);
        encode(stack, depth + 1, out)?;
        stack.pop(1);
        encode(stack, depth + 1, out)?;
        stack.pop(1);
    }
    Ok(())
}

/// The number of pairs in the table at the top, and whether their keys are those of an array without holes.
fn shape(stack: &mut Stack) -> (usize, bool) {
    let (mut count, mut largest, mut is_array) = (0usize, 0.0f64, true);
    stack.push_nil();
    while stack.next() {
        stack.pop(1);
        count += 1;
        let key = if stack.kind(1) == Kind::Number { stack.number(1) } else { 0.0 };
        is_array &= key > 0.0 && key.trunc() == key;
        largest = largest.max(key);
    }
    (count, is_array && largest == count as f64)
}

const TOO_MANY: &str = "stack overflow (too many return values at once; use unpack_one or unpack_limit instead.)";

/// Reads so many values from a place on; all, and without the place behind them, if both numbers are zero.
fn unpack(lua: &Lua, arguments: &Arguments<'_>, limit: i64, start: i64) -> Result<MultiValue, Fault> {
    let text = arguments.string(1)?;
    let data = text.as_bytes();
    // The original shows 32 bits of these numbers, and the length as the limit.
    let (shown, length) = (start as i32, data.len() as i32);
    if limit < 0 || start < 0 {
        let text = format!("Invalid request to unpack with offset of {shown} and limit of {length}.");
        return Err(Fault::text(text));
    }
    if start as u64 > data.len() as u64 {
        return Err(Fault::text(format!("Start offset {shown} greater than input length {length}.")));
    }
    let is_all = limit == 0 && start == 0;
    let limit = if is_all { u64::MAX } else { limit as u64 };
    stack::run(lua, &text, |stack| {
        let mut input = Input { data: &data, at: start as usize };
        let mut frames = Vec::new();
        let mut count = 0;
        while input.at < data.len() && count < limit {
            if count == MOST_RESULTS as u64 {
                return Err(Fault::text(TOO_MANY));
            }
            decode(stack, &mut input, &mut frames)?;
            count += 1;
        }
        if !is_all {
            if !stack.make_room(1) {
                return Err(Fault::text("stack overflow (in function mp_unpack_full)"));
            }
            stack.push_number(if input.at == data.len() { -1.0 } else { input.at as f64 });
            stack.insert(2);
        }
        Ok(())
    })
}

struct Input<'a> {
    data: &'a [u8],
    at: usize,
}

impl<'a> Input<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], Fault> {
        let rest = &self.data[self.at..];
        let part = rest.get(..count).ok_or_else(|| Fault::text("Missing bytes in input."))?;
        self.at += count;
        Ok(part)
    }

    /// A number of up to eight bytes, the highest first.
    fn number(&mut self, bytes: usize) -> Result<u64, Fault> {
        Ok(self.take(bytes)?.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
    }
}

/// A table that is being filled.
enum Frame {
    Array { at: u32, length: u32 },
    Map { left: u32, has_key: bool },
}

/// Reads one value, and pushes it. The frames are empty before and after.
fn decode(stack: &mut Stack, input: &mut Input<'_>, frames: &mut Vec<Frame>) -> Result<(), Fault> {
    loop {
        decode_head(stack, input, frames)?;
        // The value at the top is a table with more to come, or whole.
        loop {
            match frames.last_mut() {
                None => return Ok(()),
                Some(Frame::Array { at, length }) if *at < *length => {
                    // The original has the index on the stack.
                    *at += 1;
                    stack.push_number(f64::from(*at));
                    break;
                }
                Some(Frame::Map { left: 1.., .. }) => break,
                Some(_) => frames.pop(),
            };
            // The table is whole: it is a value of the one around it.
            settle(stack, frames)?;
        }
    }
}

/// Puts a whole value, at the top, into the table that it belongs to.
fn settle(stack: &mut Stack, frames: &mut [Frame]) -> Result<(), Fault> {
    match frames.last_mut() {
        None => Ok(()),
        Some(Frame::Array { .. }) => stack.set(),
        Some(Frame::Map { has_key: has_key @ false, .. }) => {
            *has_key = true;
            Ok(())
        }
        Some(Frame::Map { left, has_key }) => {
            *has_key = false;
            *left -= 1;
            stack.set()
        }
    }
}

/// Reads a value without what is in it: pushes it and settles it, or begins a frame.
fn decode_head(stack: &mut Stack, input: &mut Input<'_>, frames: &mut Vec<Frame>) -> Result<(), Fault> {
    if !stack.make_room(1) {
        return Err(Fault::text(TOO_MANY));
    }
    let tag = input.take(1)?[0];
    // What follows the tag: how many bytes, and of what.
    match tag {
        0x00..=0x7f => stack.push_number(f64::from(tag)),
        0xe0..=0xff => stack.push_number(f64::from(tag as i8)),
        0x80..=0x8f => return begin_map(stack, u32::from(tag & 0xf), frames),
        0x90..=0x9f => return begin_array(stack, u32::from(tag & 0xf), frames),
        0xa0..=0xbf => stack.push_string(input.take(usize::from(tag & 0x1f))?),
        0xc0 => stack.push_nil(),
        0xc2 => stack.push_boolean(false),
        0xc3 => stack.push_boolean(true),
        0xca => {
            let bits = input.number(4)? as u32;
            stack.push_number(f64::from(f32::from_bits(bits)));
        }
        0xcb => {
            let bits = input.number(8)?;
            stack.push_number(f64::from_bits(bits));
        }
        0xcc..=0xce => {
            let value = input.number(1 << (tag - 0xcc))?;
            stack.push_number(value as f64);
        }
        // The original takes the largest numbers for negative ones.
        0xcf | 0xd3 => {
            let value = input.number(8)?;
            stack.push_number(value as i64 as f64);
        }
        0xd0 => {
            let value = input.number(1)?;
            stack.push_number(f64::from(value as i8));
        }
        0xd1 => {
            let value = input.number(2)?;
            stack.push_number(f64::from(value as i16));
        }
        0xd2 => {
            let value = input.number(4)?;
            stack.push_number(f64::from(value as i32));
        }
        0xd9..=0xdb => {
            let length = input.number(1 << (tag - 0xd9))?;
            stack.push_string(input.take(length as usize)?);
        }
        0xdc | 0xdd => {
            let length = input.number(if tag == 0xdc { 2 } else { 4 })?;
            return begin_array(stack, length as u32, frames);
        }
        0xde | 0xdf => {
            let length = input.number(if tag == 0xde { 2 } else { 4 })?;
            return begin_map(stack, length as u32, frames);
        }
        _ => return Err(Fault::text("Bad data format in input.")),
    }
    settle(stack, frames)
}

fn begin_array(stack: &mut Stack, length: u32, frames: &mut Vec<Frame>) -> Result<(), Fault> {
    stack.push_table();
    if !stack.make_room(1) {
        return Err(Fault::text("stack overflow (in function mp_decode_to_lua_array)"));
    }
    frames.push(Frame::Array { at: 0, length });
    Ok(())
}

fn begin_map(stack: &mut Stack, left: u32, frames: &mut Vec<Frame>) -> Result<(), Fault> {
    stack.push_table();
    frames.push(Frame::Map { left, has_key: false });
    Ok(())
}

#[cfg(test)]
mod tests;
