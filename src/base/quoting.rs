//! Splits a line into arguments by the quoting rules of inline commands and configuration files.
//!
//! The rules are Redis' (`sdssplitargs`): blanks separate; `"…"` knows `\n \r \t \b \a \xHH \\ \"`; `'…'` knows only
//! `\'`; a closing quote must be followed by a blank or the end.

/// The arguments of `line`, or `None` when its quotes do not balance.
pub fn split(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut arguments = Vec::new();
    let mut rest = line;
    loop {
        while let [first, tail @ ..] = rest
            && is_blank(*first)
        {
            rest = tail;
        }
        if rest.is_empty() || rest[0] == 0 {
            return Some(arguments);
        }
        let mut argument = Vec::new();
        rest = take_argument(rest, &mut argument)?;
        arguments.push(argument);
    }
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

fn take_argument<'a>(mut rest: &'a [u8], argument: &mut Vec<u8>) -> Option<&'a [u8]> {
    loop {
        match rest {
            [] | [b' ' | b'\n' | b'\r' | b'\t' | 0, ..] => return Some(rest),
            [b'"', tail @ ..] => return closed(take_double_quoted(tail, argument)?),
            [b'\'', tail @ ..] => return closed(take_single_quoted(tail, argument)?),
            [byte, tail @ ..] => {
                argument.push(*byte);
                rest = tail;
            }
        }
    }
}

fn closed(rest: &[u8]) -> Option<&[u8]> {
    rest.first().is_none_or(|byte| is_blank(*byte)).then_some(rest)
}

fn take_double_quoted<'a>(mut rest: &'a [u8], argument: &mut Vec<u8>) -> Option<&'a [u8]> {
    loop {
        rest = match rest {
            [] => return None,
            [b'"', tail @ ..] => return Some(tail),
            [b'\\', b'x', high, low, tail @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                argument.push(hex_value(*high) << 4 | hex_value(*low));
                tail
            }
            [b'\\', escaped, tail @ ..] => {
                argument.push(match escaped {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'b' => 0x08,
                    b'a' => 0x07,
                    other => *other,
                });
                tail
            }
            [byte, tail @ ..] => {
                argument.push(*byte);
                tail
            }
        }
    }
}

fn take_single_quoted<'a>(mut rest: &'a [u8], argument: &mut Vec<u8>) -> Option<&'a [u8]> {
    loop {
        rest = match rest {
            [] => return None,
            [b'\'', tail @ ..] => return Some(tail),
            [b'\\', b'\'', tail @ ..] => {
                argument.push(b'\'');
                tail
            }
            [byte, tail @ ..] => {
                argument.push(*byte);
                tail
            }
        }
    }
}

fn hex_value(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        _ => digit - b'A' + 10,
    }
}

/// `bytes` in double quotes, with everything escaped that [`split`] would read differently.
pub fn quoted(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() + 2);
    quote(&mut text, bytes);
    text
}

/// Appends [`quoted`] bytes.
pub fn quote(text: &mut String, bytes: &[u8]) {
    use std::fmt::Write;
    text.push('"');
    for &byte in bytes {
        match byte {
            b'\\' | b'"' => {
                text.push('\\');
                text.push(char::from(byte));
            }
            b'\n' => text.push_str("\\n"),
            b'\r' => text.push_str("\\r"),
            b'\t' => text.push_str("\\t"),
            0x07 => text.push_str("\\a"),
            0x08 => text.push_str("\\b"),
            0x20..=0x7e => text.push(char::from(byte)),
            _ => write!(text, "\\x{byte:02x}").expect("writing to a String cannot fail"),
        }
    }
    text.push('"');
}

/// Bytes as JSON: a string if they are UTF-8, else `{"hex": …}`.
pub fn as_json(bytes: &[u8]) -> serde_json::Value {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(_) => serde_json::json!({ "hex": bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quoted_argument_splits_back_to_itself() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(split(quoted(&all).as_bytes()), Some(vec![all]));
    }

    #[test]
    fn quotes_join_with_what_stands_before_them_and_must_close() {
        assert_eq!(split(b"a\"b c\" 'd\\'e' \"\""), Some(vec![b"ab c".to_vec(), b"d'e".to_vec(), Vec::new()]));
        assert_eq!(split(b"  \t "), Some(vec![]));
        assert_eq!(split(b"\"open"), None);
        assert_eq!(split(b"\"a\"b"), None);
        assert_eq!(split(b"'a"), None);
    }
}
