//! Reading JSON.

use super::Settings;
use crate::lua::call::Fault;
use crate::lua::decimal;
use crate::lua::stack::Stack;

/// Reads a document, and pushes its value. `scratch` is where strings with escapes are put together.
pub(super) fn decode(stack: &mut Stack, settings: &Settings, text: &[u8], scratch: &mut Vec<u8>) -> Result<(), Fault> {
    if let [first, second, ..] = text
        && (*first == 0 || *second == 0)
    {
        return Err(Fault::text("JSON parser does not support UTF-16 or UTF-32"));
    }
    let mut reader = Reader {
        text,
        at: 0,
        start: 0,
        scratch,
        takes_invalid: settings.decode_invalid.get(),
        deepest: settings.decode_max_depth.get() as usize,
    };
    read_value(stack, &mut reader)?;
    match reader.next() {
        Token::End => Ok(()),
        token => Err(reader.unexpected("the end", token)),
    }
}

/// A table that is being filled, at the top of the stack or with its key above it.
enum Frame {
    /// With the index of the value that is being read.
    Array(i32),
    Object,
}

fn read_value(stack: &mut Stack, reader: &mut Reader<'_>) -> Result<(), Fault> {
    let mut frames = Vec::new();
    let mut token = reader.next();
    loop {
        match token {
            Token::String(text) => stack.push_string(reader.string(text)),
            Token::Number(value) => stack.push_number(value),
            Token::Boolean(value) => stack.push_boolean(value),
            Token::Null => stack.push_null(),
            Token::ObjectBegin => {
                // Its key and a value.
                reader.descend(stack, frames.len(), 3)?;
                stack.push_table();
                token = reader.next();
                if !matches!(token, Token::ObjectEnd) {
                    frames.push(Frame::Object);
                    token = reader.key(stack, token)?;
                    continue;
                }
            }
            Token::ArrayBegin => {
                reader.descend(stack, frames.len(), 2)?;
                stack.push_table();
                token = reader.next();
                if !matches!(token, Token::ArrayEnd) {
                    frames.push(Frame::Array(1));
                    continue;
                }
            }
            token => return Err(reader.unexpected("value", token)),
        }
        // The value at the top is whole.
        loop {
            let Some(frame) = frames.last_mut() else { return Ok(()) };
            match frame {
                Frame::Array(index) => {
                    stack.set_element(*index);
                    *index = index.wrapping_add(1);
                    match reader.next() {
                        Token::Comma => {
                            token = reader.next();
                            break;
                        }
                        Token::ArrayEnd => frames.pop(),
                        token => return Err(reader.unexpected("comma or array end", token)),
                    };
                }
                Frame::Object => {
                    stack.set()?;
                    match reader.next() {
                        Token::Comma => {
                            let key = reader.next();
                            token = reader.key(stack, key)?;
                            break;
                        }
                        Token::ObjectEnd => frames.pop(),
                        token => return Err(reader.unexpected("comma or object end", token)),
                    };
                }
            }
        }
    }
}

/// Where the bytes of a string are.
#[derive(Clone, Copy, Debug)]
enum Text {
    /// In the document, without escapes.
    Plain {
        start: usize,
        end: usize,
    },
    Scratch,
}

#[derive(Clone, Copy, Debug)]
enum Token {
    ObjectBegin,
    ObjectEnd,
    ArrayBegin,
    ArrayEnd,
    String(Text),
    Number(f64),
    Boolean(bool),
    Null,
    Colon,
    Comma,
    End,
    /// No token, for this reason.
    Error(&'static str),
}

impl Token {
    /// What errors call it.
    fn name(self) -> &'static str {
        match self {
            Self::ObjectBegin => "T_OBJ_BEGIN",
            Self::ObjectEnd => "T_OBJ_END",
            Self::ArrayBegin => "T_ARR_BEGIN",
            Self::ArrayEnd => "T_ARR_END",
            Self::String(_) => "T_STRING",
            Self::Number(_) => "T_NUMBER",
            Self::Boolean(_) => "T_BOOLEAN",
            Self::Null => "T_NULL",
            Self::Colon => "T_COLON",
            Self::Comma => "T_COMMA",
            Self::End => "T_END",
            Self::Error(reason) => reason,
        }
    }
}

struct Reader<'a> {
    text: &'a [u8],
    at: usize,
    /// Where the last token starts, or what is wrong with it.
    start: usize,
    scratch: &'a mut Vec<u8>,
    /// Whether numbers are taken that JSON has not.
    takes_invalid: bool,
    deepest: usize,
}

impl Reader<'_> {
    fn unexpected(&self, expected: &str, found: Token) -> Fault {
        Fault::text(format!("Expected {expected} but found {} at character {}", found.name(), self.start + 1))
    }

    /// Checks that one more table may be begun within so many, and makes room for its values.
    fn descend(&self, stack: &mut Stack, depth: usize, room: usize) -> Result<(), Fault> {
        let depth = depth + 1;
        if depth <= self.deepest && stack.make_room(room) {
            return Ok(());
        }
        Err(Fault::text(format!("Found too many nested data structures ({depth}) at character {}", self.at)))
    }

    /// Pushes an object's key, and answers the token behind its colon.
    fn key(&mut self, stack: &mut Stack, token: Token) -> Result<Token, Fault> {
        let Token::String(text) = token else { return Err(self.unexpected("object key string", token)) };
        stack.push_string(self.string(text));
        match self.next() {
            Token::Colon => Ok(self.next()),
            token => Err(self.unexpected("colon", token)),
        }
    }

    fn string(&self, text: Text) -> &[u8] {
        match text {
            Text::Plain { start, end } => &self.text[start..end],
            Text::Scratch => self.scratch,
        }
    }

    /// The byte at the place, zero at the end: a zero byte ends the document.
    fn byte(&self) -> u8 {
        self.text.get(self.at).copied().unwrap_or(0)
    }

    fn next(&mut self) -> Token {
        while matches!(self.byte(), b' ' | b'\t' | b'\n' | b'\r') {
            self.at += 1;
        }
        self.start = self.at;
        let byte = self.byte();
        let token = match byte {
            b'"' => return self.quoted(),
            b'-' | b'0'..=b'9' => {
                if !self.takes_invalid && self.is_invalid() {
                    return Token::Error("invalid number");
                }
                return self.number();
            }
            0 => return Token::End,
            b'{' => Token::ObjectBegin,
            b'}' => Token::ObjectEnd,
            b'[' => Token::ArrayBegin,
            b']' => Token::ArrayEnd,
            b':' => Token::Colon,
            b',' => Token::Comma,
            _ => return self.word(),
        };
        self.at += 1;
        token
    }

    fn word(&mut self) -> Token {
        let words: [(&[u8], Token); 3] =
            [(b"true", Token::Boolean(true)), (b"false", Token::Boolean(false)), (b"null", Token::Null)];
        let rest = &self.text[self.at..];
        for (word, token) in words {
            if rest.starts_with(word) {
                self.at += word.len();
                return token;
            }
        }
        if self.takes_invalid && self.is_invalid() {
            return self.number();
        }
        Token::Error("invalid token")
    }

    /// Whether a number at the place is one that JSON has not.
    fn is_invalid(&self) -> bool {
        let rest = &self.text[self.at..];
        if rest.first() == Some(&b'+') {
            return true;
        }
        let rest = rest.strip_prefix(b"-").unwrap_or(rest);
        match rest {
            [b'0', next, ..] => matches!(next, b'x' | b'X' | b'0'..=b'9'),
            [0..=b'9', ..] | [] => false,
            [first, second, third, ..] => {
                let word = [*first, *second, *third];
                word.eq_ignore_ascii_case(b"inf") || word.eq_ignore_ascii_case(b"nan")
            }
            _ => false,
        }
    }

    fn number(&mut self) -> Token {
        match decimal::read(&self.text[self.at..]) {
            Some((value, length)) => {
                self.at += length;
                Token::Number(value)
            }
            None => Token::Error("invalid number"),
        }
    }

    /// Something is wrong at the place.
    fn wrong(&mut self, reason: &'static str) -> Token {
        self.start = self.at;
        Token::Error(reason)
    }

    fn quoted(&mut self) -> Token {
        self.at += 1;
        let start = self.at;
        let mut is_plain = true;
        loop {
            let run = self.at;
            let rest = &self.text[run..];
            self.at += rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0)).unwrap_or(rest.len());
            if !is_plain {
                self.scratch.extend_from_slice(&self.text[run..self.at]);
            }
            match self.byte() {
                b'"' => {
                    let end = self.at;
                    self.at += 1;
                    return Token::String(if is_plain { Text::Plain { start, end } } else { Text::Scratch });
                }
                b'\\' => {
                    if is_plain {
                        is_plain = false;
                        self.scratch.clear();
                        self.scratch.extend_from_slice(&self.text[start..self.at]);
                    }
                    if let Err(reason) = self.escape() {
                        return self.wrong(reason);
                    }
                }
                _ => return self.wrong("unexpected end of string"),
            }
        }
    }

    /// Reads an escape. The place stays at its start if something is wrong with it.
    fn escape(&mut self) -> Result<(), &'static str> {
        let byte = match self.text.get(self.at + 1) {
            Some(byte @ (b'"' | b'\\' | b'/')) => *byte,
            Some(b'b') => 0x08,
            Some(b'f') => 0x0c,
            Some(b'n') => b'\n',
            Some(b'r') => b'\r',
            Some(b't') => b'\t',
            Some(b'u') => {
                let (code, length) = unicode(&self.text[self.at..]).ok_or("invalid unicode escape code")?;
                let mut buffer = [0; 4];
                self.scratch.extend_from_slice(code.encode_utf8(&mut buffer).as_bytes());
                self.at += length;
                return Ok(());
            }
            _ => return Err("invalid escape code"),
        };
        self.scratch.push(byte);
        self.at += 2;
        Ok(())
    }
}

/// The character of an escape that starts with `\u`, or of two that are a pair of surrogates, and its length.
fn unicode(text: &[u8]) -> Option<(char, usize)> {
    /// `\u` and four digits.
    const LENGTH: usize = 6;
    let unit = |text: &[u8]| {
        let digits = text.strip_prefix(b"\\u")?.get(..4)?;
        digits.iter().try_fold(0, |sum, digit| Some(sum << 4 | char::from(*digit).to_digit(16)?))
    };
    let first = unit(text)?;
    if !(0xd800..0xe000).contains(&first) {
        return Some((char::from_u32(first)?, LENGTH));
    }
    let second = unit(text.get(LENGTH..)?)?;
    if first >= 0xdc00 || !(0xdc00..0xe000).contains(&second) {
        return None;
    }
    let code = 0x1_0000 + ((first & 0x3ff) << 10 | second & 0x3ff);
    Some((char::from_u32(code)?, 2 * LENGTH))
}
