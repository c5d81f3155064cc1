//! Replies of RESP2 and RESP3, as clients read them.
//!
//! It shares nothing with [`Reply`](super::Reply), which writes them: tests and the crash lab judge servers by it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How deep replies may be nested. Servers nest a handful of levels; hostile bytes must not end the stack.
pub const REPLY_DEPTH: usize = 128;

/// One reply. Nulls of the two protocols are kept apart, because the bytes on the wire differ.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Value {
    /// `+`: a status.
    Simple(Vec<u8>),
    /// `-`: an error.
    Error(Vec<u8>),
    /// `:`
    Integer(i64),
    /// `$`: a string.
    Bulk(Vec<u8>),
    /// `$-1`: no string (RESP2).
    NullBulk,
    /// `*-1`: no array (RESP2).
    NullArray,
    /// `_`: nothing (RESP3).
    Null,
    /// `#`
    Boolean(bool),
    /// `,`, as it is written.
    Double(Vec<u8>),
    /// `(`
    BigNumber(Vec<u8>),
    /// `!`: a long error.
    BulkError(Vec<u8>),
    /// `=`: a string with its three letters of format and a colon before it.
    Verbatim(Vec<u8>),
    /// `*`
    Array(Vec<Value>),
    /// `~`
    Set(Vec<Value>),
    /// `>`: what nobody asked for.
    Push(Vec<Value>),
    /// `%`
    Map(Vec<(Value, Value)>),
    /// `|`: what is said about the value behind it.
    Attribute(Vec<(Value, Value)>, Box<Value>),
}

/// Why bytes are not a reply.
#[derive(Debug, PartialEq, Eq)]
pub enum Incomplete {
    /// More bytes are needed.
    NeedMore,
    /// No reply begins like this.
    Malformed(String),
}

impl Value {
    /// The elements of an array, set or push.
    pub fn elements(&self) -> Option<&[Value]> {
        match self {
            Self::Array(items) | Self::Set(items) | Self::Push(items) => Some(items),
            _ => None,
        }
    }

    /// Pairs of a RESP3 map, or of the flat array that stands for it in RESP2.
    pub fn pairs(&self) -> Option<Vec<(&Value, &Value)>> {
        match self {
            Self::Map(pairs) => Some(pairs.iter().map(|(k, v)| (k, v)).collect()),
            Self::Array(items) if items.len() % 2 == 0 => Some(items.chunks_exact(2).map(|c| (&c[0], &c[1])).collect()),
            _ => None,
        }
    }

    /// The bytes of a string reply of any kind.
    pub fn bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Simple(b)
            | Self::Error(b)
            | Self::Bulk(b)
            | Self::Double(b)
            | Self::BigNumber(b)
            | Self::BulkError(b) => Some(b),
            Self::Verbatim(b) => b.get(4..),
            _ => None,
        }
    }

    /// The bytes of a string reply, as text.
    pub fn text(&self) -> Option<String> {
        self.bytes().map(|b| String::from_utf8_lossy(b).into_owned())
    }

    /// The number of an integer reply.
    pub fn integer(&self) -> Option<i64> {
        if let Self::Integer(n) = self { Some(*n) } else { None }
    }

    /// True for errors.
    pub fn is_error(&self) -> bool {
        matches!(self, Self::Error(_) | Self::BulkError(_))
    }

    /// True for each of the three nulls.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null | Self::NullBulk | Self::NullArray)
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |f: &mut fmt::Formatter<'_>, open: &str, items: &[Value], close: &str| {
            f.write_str(open)?;
            for (i, item) in items.iter().enumerate() {
                write!(f, "{}{item}", if i == 0 { "" } else { ", " })?;
            }
            f.write_str(close)
        };
        match self {
            Self::Simple(b) => write!(f, "+{}", b.escape_ascii()),
            Self::Error(b) => write!(f, "-{}", b.escape_ascii()),
            Self::BulkError(b) => write!(f, "!{}", b.escape_ascii()),
            Self::Integer(n) => write!(f, ":{n}"),
            Self::Bulk(b) => write!(f, "\"{}\"", b.escape_ascii()),
            Self::NullBulk => f.write_str("$-1"),
            Self::NullArray => f.write_str("*-1"),
            Self::Null => f.write_str("_"),
            Self::Boolean(b) => write!(f, "#{}", if *b { 't' } else { 'f' }),
            Self::Double(b) => write!(f, ",{}", b.escape_ascii()),
            Self::BigNumber(b) => write!(f, "({}", b.escape_ascii()),
            Self::Verbatim(b) => write!(f, "=\"{}\"", b.escape_ascii()),
            Self::Array(items) => list(f, "[", items, "]"),
            Self::Set(items) => list(f, "~{", items, "}"),
            Self::Push(items) => list(f, ">[", items, "]"),
            Self::Map(pairs) => {
                f.write_str("%{")?;
                for (i, (k, v)) in pairs.iter().enumerate() {
                    write!(f, "{}{k}: {v}", if i == 0 { "" } else { ", " })?;
                }
                f.write_str("}")
            }
            Self::Attribute(_, value) => write!(f, "|{value}"),
        }
    }
}

/// Looks for the end of a reply that arrives in pieces, and reads each byte once. (Parsing from the start with each piece
/// would take a time that grows with the square of a collection.)
#[derive(Clone, Debug)]
struct Extent {
    /// How far it has looked.
    at: usize,
    /// Values that are still to come.
    values: usize,
}

impl Default for Extent {
    fn default() -> Self {
        Self { at: 0, values: 1 }
    }
}

impl Extent {
    /// True when `input`, which begins with what was given before, holds the whole reply, or what is none.
    fn is_reached(&mut self, input: &[u8]) -> bool {
        while self.values > 0 {
            let rest = input.get(self.at..).unwrap_or_default();
            let Some(end) = rest.windows(2).position(|w| w == b"\r\n") else { return false };
            let number = || std::str::from_utf8(&rest[1..end]).ok()?.parse::<usize>().ok();
            let mut length = end + 2;
            let more = match rest[0] {
                b'$' | b'!' | b'=' => {
                    length = length.saturating_add(number().map_or(0, |bytes| bytes.saturating_add(2)));
                    0
                }
                b'*' | b'~' | b'>' => number().unwrap_or(0),
                b'%' => number().unwrap_or(0).saturating_mul(2),
                b'|' => number().unwrap_or(0).saturating_mul(2).saturating_add(1),
                _ => 0,
            };
            if rest.len() < length {
                return false;
            }
            self.at += length;
            self.values = (self.values - 1).saturating_add(more);
        }
        true
    }
}

/// Replies that arrive in pieces.
#[derive(Clone, Debug, Default)]
pub struct Replies {
    buffer: Vec<u8>,
    /// Where the next one begins.
    parsed: usize,
    extent: Extent,
}

impl Replies {
    /// Bytes that have arrived.
    pub fn feed(&mut self, bytes: &[u8]) {
        if self.parsed > 0 {
            self.buffer.drain(..self.parsed);
            self.parsed = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// The next reply with its exact bytes, once all of it is there.
    ///
    /// ```
    /// use ackd::resp::{Replies, Value};
    ///
    /// let mut replies = Replies::default();
    /// replies.feed(b"$5\r\nhel");
    /// assert_eq!(replies.next(), Ok(None));
    /// replies.feed(b"lo\r\n:7\r\n");
    /// assert_eq!(replies.next(), Ok(Some((Value::Bulk(b"hello".to_vec()), &b"$5\r\nhello\r\n"[..]))));
    /// assert_eq!(replies.next(), Ok(Some((Value::Integer(7), &b":7\r\n"[..]))));
    /// assert_eq!(replies.next(), Ok(None));
    /// ```
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Result<Option<(Value, &[u8])>, Incomplete> {
        let rest = &self.buffer[self.parsed..];
        if !self.extent.is_reached(rest) {
            return Ok(None);
        }
        match parse_reply(rest) {
            Ok((value, length)) => {
                self.extent = Extent::default();
                self.parsed += length;
                Ok(Some((value, &self.buffer[self.parsed - length..self.parsed])))
            }
            Err(Incomplete::NeedMore) => Ok(None),
            Err(malformed) => Err(malformed),
        }
    }

    /// What has arrived and is no whole reply.
    pub fn rest(&self) -> &[u8] {
        &self.buffer[self.parsed..]
    }
}

/// Parses one reply at the start of `input`; returns it with the number of bytes that it takes.
pub fn parse_reply(input: &[u8]) -> Result<(Value, usize), Incomplete> {
    let mut parser = Parser { input, at: 0, depth: 0 };
    let value = parser.value()?;
    Ok((value, parser.at))
}

struct Parser<'a> {
    input: &'a [u8],
    at: usize,
    depth: usize,
}

impl Parser<'_> {
    fn line(&mut self) -> Result<Vec<u8>, Incomplete> {
        let rest = &self.input[self.at..];
        let end = rest.windows(2).position(|w| w == b"\r\n").ok_or(Incomplete::NeedMore)?;
        self.at += end + 2;
        Ok(rest[..end].to_vec())
    }

    fn number(&mut self) -> Result<i64, Incomplete> {
        let line = self.line()?;
        std::str::from_utf8(&line)
            .ok()
            .and_then(|s| s.parse().ok())
            .ok_or_else(|| Incomplete::Malformed(format!("not a number: {}", line.escape_ascii())))
    }

    fn blob(&mut self, length: i64) -> Result<Vec<u8>, Incomplete> {
        let length = usize::try_from(length).map_err(|_| Incomplete::Malformed(format!("length {length}")))?;
        let rest = &self.input[self.at..];
        if rest.len() < length.saturating_add(2) {
            return Err(Incomplete::NeedMore);
        }
        if &rest[length..length + 2] != b"\r\n" {
            return Err(Incomplete::Malformed("bulk without CRLF at its end".into()));
        }
        self.at += length + 2;
        Ok(rest[..length].to_vec())
    }

    /// What is inside a value.
    fn inside<T>(&mut self, parse: impl FnOnce(&mut Self) -> Result<T, Incomplete>) -> Result<T, Incomplete> {
        if self.depth == REPLY_DEPTH {
            return Err(Incomplete::Malformed(format!("nested deeper than {REPLY_DEPTH} levels")));
        }
        self.depth += 1;
        let parsed = parse(self);
        self.depth -= 1;
        parsed
    }

    fn items(&mut self, count: i64) -> Result<Vec<Value>, Incomplete> {
        self.inside(|parser| (0..count).map(|_| parser.value()).collect())
    }

    fn pairs(&mut self, count: i64) -> Result<Vec<(Value, Value)>, Incomplete> {
        self.inside(|parser| (0..count).map(|_| Ok((parser.value()?, parser.value()?))).collect())
    }

    fn value(&mut self) -> Result<Value, Incomplete> {
        let kind = *self.input.get(self.at).ok_or(Incomplete::NeedMore)?;
        self.at += 1;
        Ok(match kind {
            b'+' => Value::Simple(self.line()?),
            b'-' => Value::Error(self.line()?),
            b':' => Value::Integer(self.number()?),
            b',' => Value::Double(self.line()?),
            b'(' => Value::BigNumber(self.line()?),
            b'_' => match self.line()?.as_slice() {
                b"" => Value::Null,
                other => return Err(Incomplete::Malformed(format!("null {}", other.escape_ascii()))),
            },
            b'#' => match self.line()?.as_slice() {
                b"t" => Value::Boolean(true),
                b"f" => Value::Boolean(false),
                other => return Err(Incomplete::Malformed(format!("boolean {}", other.escape_ascii()))),
            },
            b'$' => match self.number()? {
                -1 => Value::NullBulk,
                n => Value::Bulk(self.blob(n)?),
            },
            b'!' => {
                let n = self.number()?;
                Value::BulkError(self.blob(n)?)
            }
            b'=' => {
                let n = self.number()?;
                Value::Verbatim(self.blob(n)?)
            }
            b'*' => match self.number()? {
                -1 => Value::NullArray,
                n => Value::Array(self.items(n)?),
            },
            b'~' => {
                let n = self.number()?;
                Value::Set(self.items(n)?)
            }
            b'>' => {
                let n = self.number()?;
                Value::Push(self.items(n)?)
            }
            b'%' => {
                let n = self.number()?;
                Value::Map(self.pairs(n)?)
            }
            b'|' => {
                let n = self.number()?;
                let attributes = self.pairs(n)?;
                Value::Attribute(attributes, Box::new(self.inside(Self::value)?))
            }
            other => return Err(Incomplete::Malformed(format!("type byte {:?}", other as char))),
        })
    }
}
