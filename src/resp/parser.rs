//! Finds requests in a buffer that grows as bytes arrive.
//!
//! The parser keeps only positions relative to the start of the request under way; the bytes stay where they were
//! read. The caller drops a request's bytes after it is done with it, and may move the buffer in between.
//!
//! Acceptance and error texts are those of Redis 7.2 (`networking.c`: `processMultibulkBuffer`,
//! `processInlineBuffer`), including what it does not check: the two bytes behind an argument.

use smallvec::SmallVec;

use crate::base::quoting;

/// The longest line (inline request, or a length) that a client may send: Redis' `PROTO_INLINE_MAX_SIZE`.
const MAX_LINE: usize = 64 * 1024;

/// Requests of a client that has not authenticated: at most this many arguments …
const MAX_ARGUMENTS_BEFORE_AUTH: i64 = 10;

/// … of at most this many bytes.
const MAX_BULK_BEFORE_AUTH: i64 = 16 * 1024;

/// The arguments of one request, borrowed from the buffer.
pub type Arguments<'a> = SmallVec<[&'a [u8]; 8]>;

/// What a request may demand of memory.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The longest argument, in bytes (`proto-max-bulk-len`).
    pub max_bulk: u64,
    /// Whether the client has authenticated; before, only small requests are taken.
    pub authenticated: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_bulk: 512 * 1024 * 1024, authenticated: true }
    }
}

/// A request that breaks the protocol. The connection is closed after the error is sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum ProtocolError {
    #[error("Protocol error: too big mbulk count string")]
    TooBigCount,
    #[error("Protocol error: invalid multibulk length")]
    InvalidCount,
    #[error("Protocol error: unauthenticated multibulk length")]
    UnauthenticatedCount,
    #[error("Protocol error: too big bulk count string")]
    TooBigBulkCount,
    #[error("Protocol error: expected '$', got '{}'", shown(*.0))]
    ExpectedBulk(u8),
    #[error("Protocol error: invalid bulk length")]
    InvalidBulk,
    #[error("Protocol error: unauthenticated bulk length")]
    UnauthenticatedBulk,
    #[error("Protocol error: too big inline request")]
    TooBigInline,
    #[error("Protocol error: unbalanced quotes in request")]
    UnbalancedQuotes,
}

/// A byte inside an error, which is one line.
fn shown(byte: u8) -> char {
    if matches!(byte, b'\r' | b'\n') { ' ' } else { char::from(byte) }
}

/// What [`Parser::step`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// More bytes are needed: the request is known to be at least `at_least` bytes long.
    Incomplete {
        /// Bytes from the start of the request that must be there before it is worth looking again.
        at_least: usize,
    },
    /// A whole request of `len` bytes; its arguments are at [`Parser::arguments`].
    Request {
        /// Bytes to drop from the buffer when done.
        len: usize,
    },
    /// An empty request of `len` bytes (a blank line, `*0`), which is skipped without a reply.
    Empty {
        /// Bytes to drop from the buffer.
        len: usize,
    },
}

/// Where an argument lies, relative to the start of its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Position of its first byte.
    pub start: usize,
    /// Number of bytes.
    pub len: usize,
}

/// The state of one connection's request.
#[derive(Debug, Default)]
pub struct Parser {
    position: usize,
    arguments_left: usize,
    in_multibulk: bool,
    bulk: Option<usize>,
    spans: SmallVec<[Span; 8]>,
    inline: Vec<Vec<u8>>,
    is_inline: bool,
}

impl Parser {
    /// Looks for the end of the request that starts at `buffer[0]`. After `Request` or `Empty` the next call expects
    /// a buffer that starts at the next request.
    pub fn step(&mut self, buffer: &[u8], limits: &Limits) -> Result<Step, ProtocolError> {
        if !self.in_multibulk {
            self.reset();
            match buffer.first() {
                None => return Ok(Step::Incomplete { at_least: 1 }),
                Some(b'*') => {}
                Some(_) => return self.inline(buffer),
            }
            let Some((count, next)) = line(&buffer[1..], ProtocolError::TooBigCount)? else {
                if buffer.len() > MAX_LINE {
                    return Err(ProtocolError::TooBigCount);
                }
                return Ok(Step::Incomplete { at_least: buffer.len() + 1 });
            };
            let count = integer(count).filter(|&n| n <= i64::from(i32::MAX)).ok_or(ProtocolError::InvalidCount)?;
            if !limits.authenticated && count > MAX_ARGUMENTS_BEFORE_AUTH {
                return Err(ProtocolError::UnauthenticatedCount);
            }
            let Ok(count @ 1..) = usize::try_from(count) else {
                return Ok(Step::Empty { len: next + 1 });
            };
            self.position = next + 1;
            self.arguments_left = count;
            self.in_multibulk = true;
        }
        while self.arguments_left > 0 {
            if let Some(incomplete) = self.bulk(buffer, limits)? {
                return Ok(incomplete);
            }
        }
        self.in_multibulk = false;
        Ok(Step::Request { len: self.position })
    }

    /// The arguments of the request that [`Parser::step`] found in `buffer`.
    pub fn arguments<'a>(&'a self, buffer: &'a [u8]) -> Arguments<'a> {
        if self.is_inline {
            self.inline.iter().map(Vec::as_slice).collect()
        } else {
            self.spans.iter().map(|span| &buffer[span.start..span.start + span.len]).collect()
        }
    }

    /// Where the arguments of the request lie that [`Parser::step`] found; `None` for an inline request, whose quotes
    /// may hide what an argument is.
    pub fn spans(&self) -> Option<&[Span]> {
        (!self.is_inline).then_some(&self.spans)
    }

    /// Gives back the memory of a request with many arguments, if the caller is done with it.
    pub fn tidy(&mut self) {
        if !self.in_multibulk {
            self.reset();
        }
    }

    fn reset(&mut self) {
        self.position = 0;
        self.bulk = None;
        self.is_inline = false;
        self.spans.clear();
        if self.spans.capacity() > 1024 {
            self.spans.shrink_to_fit();
        }
        self.inline.clear();
    }

    /// Takes one argument; answers `Some` when bytes are missing.
    fn bulk(&mut self, buffer: &[u8], limits: &Limits) -> Result<Option<Step>, ProtocolError> {
        let len = match self.bulk {
            Some(len) => len,
            None => {
                let rest = &buffer[self.position.min(buffer.len())..];
                let Some((length, next)) = line(rest, ProtocolError::TooBigBulkCount)? else {
                    return Ok(Some(Step::Incomplete { at_least: buffer.len() + 1 }));
                };
                let len = bulk_length(length, limits)?;
                self.position += next;
                self.bulk = Some(len);
                len
            }
        };
        let end = self.position + len + 2;
        if buffer.len() < end {
            return Ok(Some(Step::Incomplete { at_least: end }));
        }
        self.spans.push(Span { start: self.position, len });
        self.position = end;
        self.bulk = None;
        self.arguments_left -= 1;
        Ok(None)
    }

    fn inline(&mut self, buffer: &[u8]) -> Result<Step, ProtocolError> {
        let Some(newline) = buffer.iter().take(MAX_LINE + 1).position(|byte| *byte == b'\n') else {
            if buffer.len() > MAX_LINE {
                return Err(ProtocolError::TooBigInline);
            }
            return Ok(Step::Incomplete { at_least: buffer.len() + 1 });
        };
        let text = buffer[..newline].strip_suffix(b"\r").unwrap_or(&buffer[..newline]);
        self.inline = quoting::split(text).ok_or(ProtocolError::UnbalancedQuotes)?;
        self.is_inline = true;
        let len = newline + 1;
        Ok(if self.inline.is_empty() { Step::Empty { len } } else { Step::Request { len } })
    }
}

fn bulk_length(length: &[u8], limits: &Limits) -> Result<usize, ProtocolError> {
    let Some((b'$', digits)) = length.split_first() else {
        return Err(ProtocolError::ExpectedBulk(length.first().copied().unwrap_or(b'\r')));
    };
    let len = integer(digits).ok_or(ProtocolError::InvalidBulk)?;
    let unsigned = u64::try_from(len).map_err(|_| ProtocolError::InvalidBulk)?;
    if unsigned > limits.max_bulk {
        return Err(ProtocolError::InvalidBulk);
    }
    if !limits.authenticated && len > MAX_BULK_BEFORE_AUTH {
        return Err(ProtocolError::UnauthenticatedBulk);
    }
    usize::try_from(unsigned).map_err(|_| ProtocolError::InvalidBulk)
}

/// The line at the start of `rest` and the position behind its `\r` and the byte after it.
fn line(rest: &[u8], too_long: ProtocolError) -> Result<Option<(&[u8], usize)>, ProtocolError> {
    match rest.iter().take(MAX_LINE + 1).position(|byte| *byte == b'\r') {
        Some(end) if rest.len() > end + 1 => Ok(Some((&rest[..end], end + 2))),
        Some(_) => Ok(None),
        None if rest.len() > MAX_LINE => Err(too_long),
        None => Ok(None),
    }
}

/// A decimal integer as Redis takes it: no blanks, no plus, no leading zeros.
fn integer(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    match digits {
        [] => return None,
        [b'0'] => return (!negative).then_some(0),
        [b'0', ..] => return None,
        _ => {}
    }
    let mut value: i64 = 0;
    for digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        let digit = i64::from(digit - b'0');
        value = value.checked_mul(10)?;
        value = if negative { value.checked_sub(digit)? } else { value.checked_add(digit)? };
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse_all(bytes: &[u8], chunk: usize) -> Result<Vec<Vec<Vec<u8>>>, ProtocolError> {
        let mut parser = Parser::default();
        let mut buffer = Vec::new();
        let mut requests = Vec::new();
        for piece in bytes.chunks(chunk) {
            buffer.extend_from_slice(piece);
            loop {
                match parser.step(&buffer, &Limits::default())? {
                    Step::Incomplete { at_least } => {
                        assert!(at_least > buffer.len());
                        break;
                    }
                    Step::Empty { len } => drop(buffer.drain(..len)),
                    Step::Request { len } => {
                        requests.push(parser.arguments(&buffer).iter().map(|a| a.to_vec()).collect());
                        buffer.drain(..len);
                    }
                }
            }
        }
        Ok(requests)
    }

    proptest! {
        #[test]
        fn requests_are_found_however_their_bytes_arrive(
            requests in proptest::collection::vec(
                proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 1..12), 0..8),
            chunk in 1usize..50,
        ) {
            let mut bytes = Vec::new();
            for request in &requests {
                let arguments: Vec<&[u8]> = request.iter().map(Vec::as_slice).collect();
                crate::resp::write_command(&mut bytes, &arguments);
                bytes.extend_from_slice(b"\r\n");
            }
            prop_assert_eq!(parse_all(&bytes, chunk), Ok(requests));
        }

        #[test]
        fn hostile_bytes_never_panic(bytes in proptest::collection::vec(
            prop_oneof![Just(b'*'), Just(b'$'), Just(b'\r'), Just(b'\n'), b'0'..=b'9', any::<u8>()], 0..200),
            chunk in 1usize..50,
        ) {
            let _ = parse_all(&bytes, chunk);
        }
    }

    #[test]
    fn protocol_errors_have_redis_texts() {
        let text = |bytes: &[u8]| parse_all(bytes, 1 << 20).map_err(|e| e.to_string());
        assert_eq!(text(b"*x\r\n"), Err("Protocol error: invalid multibulk length".into()));
        assert_eq!(text(b"*1\r\n#3\r\n"), Err("Protocol error: expected '$', got '#'".into()));
        assert_eq!(text(b"*1\r\n\r\n"), Err("Protocol error: expected '$', got ' '".into()));
        assert_eq!(
            text(&[b"*".as_slice(), &[b'1'; MAX_LINE]].concat()),
            Err("Protocol error: too big mbulk count string".into())
        );
        assert_eq!(text(b"*1\r\n$-1\r\n"), Err("Protocol error: invalid bulk length".into()));
        assert_eq!(text(b"*1\r\n$600000000\r\n"), Err("Protocol error: invalid bulk length".into()));
        assert_eq!(text(b"GET \"x\r\n"), Err("Protocol error: unbalanced quotes in request".into()));
        assert_eq!(text(&[b'x'; MAX_LINE + 1]), Err("Protocol error: too big inline request".into()));
        assert_eq!(text(b"*-1\r\n*0\r\n\r\nPING\r\n"), Ok(vec![vec![b"PING".to_vec()]]));
    }
}
