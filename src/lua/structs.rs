//! The library `struct`: numbers and strings as bytes, by a format like that of C's structures.

use mlua::{Lua, LuaString, MultiValue, Table};

use super::call::{Arguments, Fault, MOST_RESULTS, c_string, function, to_integer, to_unsigned};
use super::stack;

/// Makes the library.
pub fn open(lua: &Lua) -> mlua::Result<Table> {
    let library = lua.create_table()?;
    library.raw_set("pack", function(lua, pack)?)?;
    library.raw_set("unpack", function(lua, unpack)?)?;
    library.raw_set("size", function(lua, size)?)?;
    Ok(library)
}

/// The largest integer that a format may ask for.
const LARGEST_INTEGER: usize = 32;
/// What `!` aligns to without a number.
const LARGEST_ALIGNMENT: usize = 8;

/// A format, as far as it is not yet read.
struct Format<'a> {
    rest: &'a [u8],
    is_big: bool,
    alignment: usize,
}

impl<'a> Format<'a> {
    fn new(text: &'a [u8]) -> Self {
        Self { rest: c_string(text), is_big: false, alignment: 1 }
    }

    /// The next option, and the bytes that it takes.
    fn next(&mut self) -> Result<Option<(u8, usize)>, Fault> {
        let Some((&option, rest)) = self.rest.split_first() else { return Ok(None) };
        self.rest = rest;
        let size = match option {
            b'b' | b'B' | b'x' => 1,
            b'h' | b'H' => 2,
            b'f' => 4,
            b'l' | b'L' | b'T' | b'd' => 8,
            b'c' => self.number(1)?,
            b'i' | b'I' => {
                let size = self.number(4)?;
                if size > LARGEST_INTEGER {
                    let text = format!("integral size {size} is larger than limit of {LARGEST_INTEGER}");
                    return Err(Fault::text(text));
                }
                size
            }
            _ => 0,
        };
        Ok(Some((option, size)))
    }

    /// A number in the format, or another if there is none.
    fn number(&mut self, other: usize) -> Result<usize, Fault> {
        const LARGEST: usize = i32::MAX as usize;
        let count = self.rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if count == 0 {
            return Ok(other);
        }
        let (digits, rest) = self.rest.split_at(count);
        self.rest = rest;
        digits.iter().try_fold(0usize, |sum, byte| {
            let sum = sum * 10 + usize::from(byte - b'0');
            if sum > LARGEST { Err(Fault::text("integral size overflow")) } else { Ok(sum) }
        })
    }

    /// How many bytes are left out before an option, at this place.
    fn padding(&self, at: usize, option: u8, size: usize) -> usize {
        if size == 0 || option == b'c' {
            return 0;
        }
        // Sizes that are no power of two are treated as the original does.
        let size = size.min(self.alignment);
        let mask = size - 1;
        size.wrapping_sub(at & mask) & mask
    }

    /// Obeys an option that stands for no value.
    fn control(&mut self, option: u8) -> Result<(), Fault> {
        match option {
            b' ' => {}
            b'>' => self.is_big = true,
            b'<' => self.is_big = false,
            b'!' => {
                let alignment = self.number(LARGEST_ALIGNMENT)?;
                if !alignment.is_power_of_two() {
                    return Err(Fault::text(format!("alignment {alignment} is not a power of 2")));
                }
                self.alignment = alignment;
            }
            _ => return Err(Fault::argument(1, [b"invalid format option '", &[option][..], b"'"].concat())),
        }
        Ok(())
    }

    /// Bytes with the first one lowest, in the order of the format, or back.
    fn ordered<const N: usize>(&self, mut bytes: [u8; N]) -> [u8; N] {
        if self.is_big {
            bytes.reverse();
        }
        bytes
    }
}

fn pack(lua: &Lua, arguments: Arguments<'_>) -> Result<LuaString, Fault> {
    let text = arguments.string(1)?;
    let text = text.as_bytes();
    let mut format = Format::new(&text);
    let mut out = Vec::new();
    let mut number = 2;
    while let Some((option, size)) = format.next()? {
        out.resize(out.len() + format.padding(out.len(), option, size), 0);
        match option {
            b'b' | b'B' | b'h' | b'H' | b'l' | b'L' | b'T' | b'i' | b'I' => {
                let value = number_to_pack(&arguments, number)?;
                number += 1;
                let value = if value < 0.0 { to_integer(value) as u64 } else { to_unsigned(value) };
                let mut bytes = [0; LARGEST_INTEGER];
                bytes[..8].copy_from_slice(&value.to_le_bytes());
                let bytes = &mut bytes[..size];
                if format.is_big {
                    bytes.reverse();
                }
                out.extend_from_slice(bytes);
            }
            b'x' => out.push(0),
            b'f' => {
                let value = number_to_pack(&arguments, number)? as f32;
                number += 1;
                out.extend_from_slice(&format.ordered(value.to_le_bytes()));
            }
            b'd' => {
                let value = number_to_pack(&arguments, number)?;
                number += 1;
                out.extend_from_slice(&format.ordered(value.to_le_bytes()));
            }
            b'c' | b's' => {
                if number > arguments.len() {
                    return Err(missing(number, "string"));
                }
                let value = arguments.string(number)?;
                number += 1;
                let value = value.as_bytes();
                let size = if size == 0 { value.len() } else { size };
                let Some(part) = value.get(..size) else { return Err(Fault::argument(number, "string too short")) };
                out.extend_from_slice(part);
                if option == b's' {
                    out.push(0);
                }
            }
            option => format.control(option)?,
        }
    }
    Ok(lua.create_string(out)?)
}

/// The fault of an argument that is missing: the original has a nil behind the last one.
fn missing(number: usize, expected: &str) -> Fault {
    Fault::argument(number, format!("{expected} expected, got nil"))
}

fn number_to_pack(arguments: &Arguments<'_>, number: usize) -> Result<f64, Fault> {
    if number > arguments.len() { Err(missing(number, "number")) } else { arguments.number(number) }
}

fn unpack(lua: &Lua, arguments: Arguments<'_>) -> Result<MultiValue, Fault> {
    let (text, data) = (arguments.string(1)?, arguments.string(2)?);
    let (text, data) = (text.as_bytes(), data.as_bytes());
    let start = arguments.integer_or(3, 1)?;
    if start == 0 {
        return Err(Fault::argument(3, "offset must be 1 or greater"));
    }
    // A negative place is one beyond all data.
    let start = start.wrapping_sub(1) as usize;
    let format = Format::new(&text);
    let values = arguments.values.clone();
    stack::run(lua, values, |stack| unpack_onto(stack, format, &data, start))
}

fn unpack_onto(stack: &mut stack::Stack, mut format: Format<'_>, data: &[u8], mut at: usize) -> Result<(), Fault> {
    let too_short = || Fault::argument(2, "data string too short");
    // Whether the value at the top is a result.
    let mut results = 0;
    while let Some((option, size)) = format.next()? {
        at = at.wrapping_add(format.padding(at, option, size));
        let part = |size: usize| at.checked_add(size).and_then(|end| data.get(at..end)).ok_or_else(too_short);
        let mut taken = part(size)?;
        if results == MOST_RESULTS || !stack.make_room(2) {
            return Err(Fault::text("stack overflow (too many results)"));
        }
        match option {
            b'b' | b'B' | b'h' | b'H' | b'l' | b'L' | b'T' | b'i' | b'I' => {
                stack.push_number(integer(taken, format.is_big, option.is_ascii_lowercase()));
                results += 1;
            }
            b'x' => {}
            b'f' => {
                let bytes = taken.try_into().map_err(|_| too_short())?;
                stack.push_number(f64::from(f32::from_le_bytes(format.ordered(bytes))));
                results += 1;
            }
            b'd' => {
                let bytes = taken.try_into().map_err(|_| too_short())?;
                stack.push_number(f64::from_le_bytes(format.ordered(bytes)));
                results += 1;
            }
            b'c' => {
                if size == 0 {
                    let size = size_before(stack, results)?;
                    stack.pop(1);
                    results -= 1;
                    taken = part(size)?;
                }
                stack.push_string(taken);
                results += 1;
            }
            b's' => {
                let rest = data.get(at..).unwrap_or_default();
                let end = rest.iter().position(|byte| *byte == 0);
                let end = end.ok_or_else(|| Fault::text("unfinished string in data"))?;
                stack.push_string(&rest[..end]);
                results += 1;
                at += end + 1;
            }
            option => format.control(option)?,
        }
        at += taken.len();
    }
    stack.push_number(at.wrapping_add(1) as i64 as f64);
    Ok(())
}

/// The size that the result before it gives to a string.
fn size_before(stack: &stack::Stack, results: usize) -> Result<usize, Fault> {
    let none = || Fault::text("format 'c0' needs a previous size");
    if results == 0 {
        return Err(none());
    }
    match stack.kind(1) {
        stack::Kind::Number => Ok(to_unsigned(stack.number(1)) as usize),
        stack::Kind::String => Ok(to_unsigned(stack.number_of_string(1).ok_or_else(none)?) as usize),
        _ => Err(none()),
    }
}

/// An integer of up to 32 bytes, of which the lower 64 bits count.
fn integer(bytes: &[u8], is_big: bool, is_signed: bool) -> f64 {
    let push = |sum: u64, byte: &u8| sum << 8 | u64::from(*byte);
    let value = if is_big { bytes.iter().fold(0, push) } else { bytes.iter().rev().fold(0, push) };
    if !is_signed {
        return value as f64;
    }
    // The shift wraps around for sizes that have no such bit, as on x86.
    let mask = u64::MAX.wrapping_shl((bytes.len() as u32 * 8).wrapping_sub(1));
    (if value & mask == 0 { value } else { value | mask }) as i64 as f64
}

fn size(_: &Lua, arguments: Arguments<'_>) -> Result<f64, Fault> {
    let text = arguments.string(1)?;
    let text = text.as_bytes();
    let mut format = Format::new(&text);
    let mut total = 0usize;
    while let Some((option, size)) = format.next()? {
        total = total.wrapping_add(format.padding(total, option, size));
        match option {
            b's' => return Err(Fault::argument(1, "option 's' has no fixed size")),
            b'c' if size == 0 => return Err(Fault::argument(1, "option 'c0' has no fixed size")),
            option if !option.is_ascii_alphanumeric() => format.control(option)?,
            _ => {}
        }
        total = total.wrapping_add(size);
    }
    Ok(total as i64 as f64)
}

#[cfg(test)]
mod tests;
