//! Writing a value as JSON.

use super::{Invalid, Settings};
use crate::lua::call::Fault;
use crate::lua::decimal;
use crate::lua::stack::{Kind, Stack};

/// A table that is being written; it stands on the stack, an object's last key above it.
enum Frame {
    Array { at: i32, length: i32 },
    Object { is_first: bool },
}

/// Room for a key, a value and one more.
const ROOM: usize = 3;

/// Writes the value at the top of the stack.
pub(super) fn encode(stack: &mut Stack, settings: &Settings, out: &mut Vec<u8>) -> Result<(), Fault> {
    let mut frames = Vec::new();
    write_value(stack, settings, &mut frames, out)?;
    while let Some(frame) = frames.last_mut() {
        // The next value of the innermost table is pushed; a value that was written is still on the stack.
        match frame {
            Frame::Array { at, length } => {
                if *at > 0 {
                    stack.pop(1);
                }
                if at == length {
                    out.push(b']');
                    frames.pop();
                    continue;
                }
                if *at > 0 {
                    out.push(b',');
                }
                *at += 1;
                stack.push_element(*at);
            }
            Frame::Object { is_first } => {
                if *is_first {
                    stack.push_nil();
                } else {
                    stack.pop(1);
                }
                if !stack.next() {
                    out.push(b'}');
                    frames.pop();
                    continue;
                }
                if !*is_first {
                    out.push(b',');
                }
                *is_first = false;
                write_key(stack, settings, out)?;
            }
        }
        write_value(stack, settings, &mut frames, out)?;
    }
    Ok(())
}

/// Writes the value at the top, or begins with it if it is a table.
fn write_value(
    stack: &mut Stack,
    settings: &Settings,
    frames: &mut Vec<Frame>,
    out: &mut Vec<u8>,
) -> Result<(), Fault> {
    match stack.kind(1) {
        Kind::String => write_string(stack.string(1), out),
        Kind::Number => write_number(stack.number(1), settings, out)?,
        Kind::Boolean => out.extend_from_slice(if stack.is_true(1) { b"true" } else { b"false" }),
        Kind::Table => begin_table(stack, settings, frames, out)?,
        Kind::Nil => out.extend_from_slice(b"null"),
        Kind::Pointer if stack.is_null(1) => out.extend_from_slice(b"null"),
        kind => return Err(cannot(kind, "type not supported")),
    }
    Ok(())
}

fn cannot(kind: Kind, reason: &str) -> Fault {
    Fault::text(format!("Cannot serialise {}: {reason}", kind.name()))
}

fn begin_table(
    stack: &mut Stack,
    settings: &Settings,
    frames: &mut Vec<Frame>,
    out: &mut Vec<u8>,
) -> Result<(), Fault> {
    let depth = frames.len() + 1;
    if depth > settings.encode_max_depth.get() as usize || !stack.make_room(ROOM) {
        return Err(Fault::text(format!("Cannot serialise, excessive nesting ({depth})")));
    }
    match array_length(stack, settings)? {
        Some(length @ 1..) => {
            out.push(b'[');
            frames.push(Frame::Array { at: 0, length });
        }
        _ => {
            out.push(b'{');
            frames.push(Frame::Object { is_first: true });
        }
    }
    Ok(())
}

/// The highest index of the table at the top, if all its keys are indexes.
fn array_length(stack: &mut Stack, settings: &Settings) -> Result<Option<i32>, Fault> {
    let (mut highest, mut items) = (0, 0i32);
    stack.push_nil();
    while stack.next() {
        let key = if stack.kind(2) == Kind::Number { stack.number(2) } else { 0.0 };
        if !(key > 0.0 && key <= f64::from(i32::MAX) && key.trunc() == key) {
            stack.pop(2);
            return Ok(None);
        }
        highest = highest.max(key as i32);
        items = items.wrapping_add(1);
        stack.pop(1);
    }
    let ratio = settings.sparse_ratio.get();
    if ratio > 0 && highest > items.wrapping_mul(ratio) && highest > settings.sparse_safe.get() {
        if !settings.sparse_convert.get() {
            return Err(cannot(Kind::Table, "excessively sparse array"));
        }
        return Ok(None);
    }
    Ok(Some(highest))
}

/// Writes the key below the top.
fn write_key(stack: &Stack, settings: &Settings, out: &mut Vec<u8>) -> Result<(), Fault> {
    match stack.kind(2) {
        Kind::String => write_string(stack.string(2), out),
        Kind::Number => {
            out.push(b'"');
            write_number(stack.number(2), settings, out)?;
            out.push(b'"');
        }
        kind => return Err(cannot(kind, "table key must be a number or string")),
    }
    out.push(b':');
    Ok(())
}

fn write_number(value: f64, settings: &Settings, out: &mut Vec<u8>) -> Result<(), Fault> {
    if !value.is_finite() {
        match settings.encode_invalid.get() {
            Invalid::Refused => return Err(cannot(Kind::Number, "must not be NaN or Inf")),
            Invalid::Null => {
                out.extend_from_slice(b"null");
                return Ok(());
            }
            Invalid::Written => {}
        }
    }
    decimal::write(value, settings.precision.get() as usize, out);
    Ok(())
}

/// Which bytes are not written as they are.
const ESCAPED: [bool; 256] = {
    let mut escaped = [false; 256];
    let mut byte = 0;
    while byte < 0x20 {
        escaped[byte] = true;
        byte += 1;
    }
    escaped[b'"' as usize] = true;
    escaped[b'\\' as usize] = true;
    escaped[b'/' as usize] = true;
    escaped[0x7f] = true;
    escaped
};

fn write_string(text: &[u8], out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.reserve(text.len() + 2);
    out.push(b'"');
    let mut rest = text;
    while let Some(at) = rest.iter().position(|byte| ESCAPED[usize::from(*byte)]) {
        out.extend_from_slice(&rest[..at]);
        let byte = rest[at];
        let short = match byte {
            b'"' | b'\\' | b'/' => byte,
            0x08 => b'b',
            b'\t' => b't',
            b'\n' => b'n',
            0x0c => b'f',
            b'\r' => b'r',
            _ => {
                out.extend_from_slice(b"\\u00");
                out.push(HEX[usize::from(byte >> 4)]);
                out.push(HEX[usize::from(byte & 0xf)]);
                rest = &rest[at + 1..];
                continue;
            }
        };
        out.extend_from_slice(&[b'\\', short]);
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}
