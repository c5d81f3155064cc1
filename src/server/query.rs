//! The query buffer of one connection: bytes that were received and not yet executed.
//!
//! Requests are parsed a few ahead of execution, so that memory which they will need can be fetched together.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::resp::{Arguments, Limits, Parser, ProtocolError, Span, Step};

/// How much is read at once, in bytes (Redis' `PROTO_IOBUF_LEN`).
pub const READ_SIZE: usize = 16 * 1024;

/// Received bytes behind a request that waits; more stay with the sender. Each second that the request waits, as many
/// more are taken, so that the end of the connection is found behind them.
pub const READ_AHEAD: usize = 64 * 1024;

/// A buffer of more than this gives back what it does not need, when it holds little of it.
const LARGE: usize = 4 * READ_SIZE;

/// If at least so much is missing of an argument, there is room for all of it at once.
const RESERVED_MIN: usize = 256 * 1024;

/// Spans that a connection keeps memory for; those of a request with more arguments are given back behind it.
const SPANS_KEPT: usize = 1024;

/// Requests parsed ahead: about as many memory accesses as a processor has under way at a time.
const PARSE_AHEAD: usize = 16;

/// A request that was found and not yet executed.
struct Request {
    /// Its length with everything before it that is skipped, in bytes.
    len: usize,
    /// Where its own bytes start, relative to the end of the request before.
    skipped: usize,
    /// Number of its spans; `None` for an inline request, which the parser holds and which is always the last.
    spans: Option<usize>,
}

/// See the module. The memory is given back whenever the buffer is empty, so that idle connections hold none.
#[derive(Default)]
pub struct QueryBuffer {
    data: Vec<u8>,
    start: usize,
    parser: Parser,
    requests: VecDeque<Request>,
    /// The arguments of `requests`, one after the other.
    spans: VecDeque<Span>,
    /// Bytes of `requests`.
    parsed: usize,
    /// Empty requests behind `parsed`.
    skipped: usize,
    /// Bytes behind those without which parsing again is useless.
    needed: usize,
    /// The first of `requests`, if it was taken out of `data` to be shared.
    shared: Option<Bytes>,
}

impl QueryBuffer {
    /// Looks for requests, unless some were found before. An error is reported once everything before it is done.
    pub fn parse(&mut self, limits: &Limits) -> Result<(), ProtocolError> {
        if !self.requests.is_empty() {
            return Ok(());
        }
        // What a client may send changes with AUTH, so before it nothing is parsed ahead.
        let ahead = if limits.authenticated { PARSE_AHEAD } else { 1 };
        while self.requests.len() < ahead {
            let rest = &self.data[self.start + self.parsed + self.skipped..];
            if rest.len() < self.needed {
                break;
            }
            self.needed = 0;
            match self.parser.step(rest, limits) {
                Ok(Step::Incomplete { at_least }) => {
                    self.needed = at_least;
                    break;
                }
                Ok(Step::Empty { len }) => self.skipped += len,
                Ok(Step::Request { len }) => {
                    let spans = self.parser.spans();
                    self.spans.extend(spans.unwrap_or_default());
                    let (skipped, spans) = (std::mem::take(&mut self.skipped), spans.map(<[Span]>::len));
                    self.requests.push_back(Request { len: skipped + len, skipped, spans });
                    self.parsed += skipped + len;
                    if spans.is_none() {
                        break;
                    }
                }
                Err(error) if self.requests.is_empty() => return Err(error),
                Err(_) => break,
            }
        }
        if self.requests.is_empty() {
            let skipped = std::mem::take(&mut self.skipped);
            self.drop_front(skipped);
        }
        Ok(())
    }

    /// Puts the arguments of the next request behind those in `arguments`; answers whether [`QueryBuffer::parse`] found
    /// one. Not returned by value, for they would be copied, once a request.
    pub fn front<'a>(&'a self, arguments: &mut Arguments<'a>) -> bool {
        let Some(request) = self.requests.front() else { return false };
        let bytes = self.shared.as_deref().unwrap_or_else(|| &self.data[self.start + request.skipped..]);
        match request.spans {
            None => arguments.extend(self.parser.arguments(bytes)),
            Some(count) => {
                let spans = self.spans.iter().take(count);
                arguments.extend(spans.map(|span| &bytes[span.start..span.start + span.len]));
            }
        }
        true
    }

    /// The memory of the next request, if it has an argument of `min` bytes or more: nobody changes it any more, so it can
    /// be shared. The buffer goes on with what follows, in other memory.
    pub fn share_front(&mut self, min: usize) -> Option<&Bytes> {
        let request = self.requests.front_mut()?;
        if request.len >= min {
            let (start, end) = (self.start + request.skipped, self.start + request.len);
            let spans = self.spans.iter().take(request.spans.unwrap_or(0));
            let is_large = spans.fold(0, |largest, span| span.len.max(largest)) >= min;
            // What is kept must not keep much more alive: other requests, or room for them.
            if is_large && (end - start) >= self.data.capacity() / 8 * 7 {
                let rest = self.data[end..].to_vec();
                let memory = Bytes::from(std::mem::replace(&mut self.data, rest));
                self.start = 0;
                self.parsed -= request.len;
                (request.len, request.skipped) = (0, 0);
                self.shared = Some(memory.slice(start..end));
            }
        }
        self.shared.as_ref()
    }

    /// Drops the next request.
    pub fn pop(&mut self) {
        self.shared = None;
        if let Some(request) = self.requests.pop_front() {
            self.spans.drain(..request.spans.unwrap_or(0));
            self.parsed -= request.len;
            self.drop_front(request.len);
            if self.requests.is_empty() && self.spans.capacity() > SPANS_KEPT {
                self.spans = VecDeque::new();
                self.parser.tidy();
            }
        }
    }

    /// The first argument behind the name of each request found: its key, if it has one.
    pub fn keys(&self) -> impl Iterator<Item = &[u8]> + Clone {
        let (mut at, mut first_span) = (self.start, 0);
        self.requests.iter().filter_map(move |request| {
            let start = at + request.skipped;
            at += request.len;
            let count = request.spans?;
            let span = self.spans.get(first_span + 1).filter(|_| count > 1);
            first_span += count;
            span.map(|span| &self.data[start + span.start..start + span.start + span.len])
        })
    }

    /// How many requests were found and not yet dropped.
    pub fn found(&self) -> usize {
        self.requests.len()
    }

    fn drop_front(&mut self, len: usize) {
        self.start += len;
        if self.start == self.data.len() {
            self.data.clear();
            self.start = 0;
        } else if self.data.capacity() > LARGE && self.len() < self.data.capacity() / 4 {
            self.data.drain(..self.start);
            self.start = 0;
            self.data.shrink_to(self.len() + READ_SIZE);
        }
    }

    /// Bytes that were not dropped.
    pub fn len(&self) -> usize {
        self.data.len() - self.start
    }

    /// Room behind them.
    pub fn free(&self) -> usize {
        self.data.capacity() - self.data.len()
    }

    /// The memory to read into, with room behind its bytes.
    pub fn room(&mut self) -> &mut Vec<u8> {
        if self.start > 0 && self.start >= self.data.len() / 2 {
            self.data.drain(..self.start);
            self.start = 0;
        }
        let missing = (self.parsed + self.skipped + self.needed).saturating_sub(self.len());
        // The rest of a large argument at once: memory costs nothing until something is written there, and copying what has
        // come so far, again and again, would.
        let has_room = missing > self.free() && missing >= RESERVED_MIN && self.data.try_reserve_exact(missing).is_ok();
        if !has_room && self.free() < READ_SIZE / 2 {
            let more = if missing > READ_SIZE { missing.min(self.data.len().max(READ_SIZE)) } else { READ_SIZE };
            self.data.reserve_exact(more);
        }
        &mut self.data
    }

    /// Uses `memory` while the buffer is empty.
    pub fn borrow_memory(&mut self, memory: Vec<u8>) {
        debug_assert!(memory.is_empty());
        if self.data.capacity() == 0 {
            self.data = memory;
        }
    }

    /// Gives the memory away if the buffer is empty.
    pub fn return_memory(&mut self) -> Vec<u8> {
        if self.data.is_empty() { std::mem::take(&mut self.data) } else { Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn run(bytes: &[u8], chunk: usize) -> (Vec<Vec<Vec<u8>>>, Option<ProtocolError>) {
        let mut query = QueryBuffer::default();
        let mut requests = Vec::new();
        for piece in bytes.chunks(chunk) {
            query.room().extend_from_slice(piece);
            loop {
                if let Err(error) = query.parse(&Limits::default()) {
                    return (requests, Some(error));
                }
                let keys: Vec<Vec<u8>> = query.keys().map(<[u8]>::to_vec).collect();
                let mut arguments = Arguments::new();
                if !query.front(&mut arguments) {
                    break;
                }
                assert!(arguments.len() < 2 || query.parser.spans().is_none() || keys[0] == arguments[1]);
                requests.push(arguments.iter().map(|argument| argument.to_vec()).collect());
                drop(arguments);
                query.pop();
            }
        }
        (requests, None)
    }

    proptest! {
        #[test]
        fn requests_come_in_order_however_their_bytes_arrive(
            words in proptest::collection::vec(proptest::collection::vec("[a-z]{1,9}", 1..5), 1..60),
            forms in proptest::collection::vec(0u8..4, 60),
            chunk in 1usize..300,
        ) {
            let mut bytes = Vec::new();
            for (request, form) in words.iter().zip(&forms) {
                match form {
                    0 => bytes.extend_from_slice(format!("{}\r\n", request.join(" ")).as_bytes()),
                    _ => {
                        if *form == 1 {
                            bytes.extend_from_slice(b"\r\n*0\r\n");
                        }
                        let arguments: Vec<&[u8]> = request.iter().map(String::as_bytes).collect();
                        crate::resp::write_command(&mut bytes, &arguments);
                    }
                }
            }
            let (requests, error) = run(&bytes, chunk);
            prop_assert_eq!(error, None);
            let expected: Vec<Vec<Vec<u8>>> =
                words.iter().map(|request| request.iter().map(|word| word.clone().into_bytes()).collect()).collect();
            prop_assert_eq!(requests, expected);
        }
    }

    #[test]
    fn what_follows_a_large_request_does_not_keep_its_memory() {
        let mut query = QueryBuffer::default();
        let large = vec![b'v'; 1 << 20];
        let words: Vec<&[u8]> = std::iter::once(&large[..]).chain(std::iter::repeat_n(&b"w"[..], 100_000)).collect();
        let mut bytes = Vec::new();
        crate::resp::write_command(&mut bytes, &words);
        bytes.extend_from_slice(b"*2\r\n$4\r\nECHO\r\n$1\r");
        for piece in bytes.chunks(READ_SIZE) {
            query.room().extend_from_slice(piece);
            query.parse(&Limits::default()).unwrap();
        }
        query.pop();
        assert_eq!(query.len(), 17);
        assert!(query.data.capacity() <= LARGE && query.spans.capacity() <= SPANS_KEPT);
        query.parse(&Limits::default()).unwrap();
        query.room().extend_from_slice(b"\nx\r\n");
        query.parse(&Limits::default()).unwrap();
        let mut arguments = Arguments::new();
        assert!(query.front(&mut arguments));
        assert_eq!(arguments[..], [&b"ECHO"[..], b"x"]);
    }

    #[test]
    fn a_large_request_leaves_the_buffer_with_its_memory_and_the_next_ones_stay() {
        const MIN: usize = 1000;
        let large = vec![b'v'; 400_000];
        let mut bytes = Vec::new();
        for words in [[&b"ECHO"[..], b"w"], [b"ECHO", &large], [b"ECHO", b"x"]] {
            crate::resp::write_command(&mut bytes, &words);
        }
        let mut query = QueryBuffer::default();
        for (word, is_shared) in [(&b"w"[..], false), (&large, true), (b"x", false)] {
            loop {
                query.parse(&Limits::default()).unwrap();
                if query.found() > 0 {
                    break;
                }
                let room = query.room();
                let count = bytes.len().min(room.capacity() - room.len());
                room.extend(bytes.drain(..count));
            }
            let memory = query.share_front(MIN).cloned();
            let mut arguments = Arguments::new();
            assert!(query.front(&mut arguments));
            assert_eq!(arguments[..], [&b"ECHO"[..], word]);
            let within = memory.map(|memory| memory.as_ptr_range().contains(&arguments[1].as_ptr()));
            assert_eq!(within, is_shared.then_some(true));
            drop(arguments);
            query.pop();
        }
        assert_eq!((query.len(), bytes.len()), (0, 0));
    }

    #[test]
    fn memory_that_mostly_holds_something_else_is_not_shared() {
        let large = vec![b'v'; 4000];
        let mut query = QueryBuffer::default();
        for _ in 0..2 {
            crate::resp::write_command(query.room(), &[b"ECHO", &large]);
        }
        query.parse(&Limits::default()).unwrap();
        assert_eq!((query.found(), query.share_front(1000)), (2, None));
    }

    #[test]
    fn what_stands_before_an_error_is_executed() {
        let (requests, error) = run(b"PING\r\n*1\r\n$4\r\nPING\r\n*1\r\n$4\r\nPING\r\n*x\r\n", 1000);
        assert_eq!(requests.len(), 3);
        assert_eq!(error, Some(ProtocolError::InvalidCount));
    }
}
