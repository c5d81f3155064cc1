//! The query buffer of one connection: bytes that were received and not yet executed.

use crate::resp::{Arguments, Limits, Parser, ProtocolError, Step};

/// How much is read at once, in bytes (Redis' `PROTO_IOBUF_LEN`).
pub const READ_SIZE: usize = 16 * 1024;

/// Received bytes behind a request that waits; more stay with the sender.
const READ_AHEAD: usize = 64 * 1024;

/// See the module. The memory is given back whenever the buffer is empty, so that idle connections hold none.
#[derive(Default)]
pub struct QueryBuffer {
    data: Vec<u8>,
    start: usize,
    parser: Parser,
    /// Bytes from `start` on without which parsing again is useless.
    needed: usize,
}

impl QueryBuffer {
    /// Looks for the next request.
    pub fn step(&mut self, limits: &Limits) -> Result<Step, ProtocolError> {
        let pending = &self.data[self.start..];
        if pending.len() < self.needed {
            return Ok(Step::Incomplete { at_least: self.needed });
        }
        let step = self.parser.step(pending, limits)?;
        self.needed = if let Step::Incomplete { at_least } = step { at_least } else { 0 };
        Ok(step)
    }

    /// The arguments of the request that [`QueryBuffer::step`] found.
    pub fn arguments(&self) -> Arguments<'_> {
        self.parser.arguments(&self.data[self.start..])
    }

    /// Drops the `len` bytes of a request.
    pub fn consume(&mut self, len: usize) {
        self.start += len;
        if self.start == self.data.len() {
            self.data.clear();
            self.start = 0;
        }
    }

    /// Bytes that were not consumed.
    pub fn len(&self) -> usize {
        self.data.len() - self.start
    }

    /// Room behind them.
    pub fn free(&self) -> usize {
        self.data.capacity() - self.data.len()
    }

    /// Whether more may be read although a request waits.
    pub fn may_read_ahead(&self) -> bool {
        self.len() < READ_AHEAD
    }

    /// The memory to read into, with room behind its bytes. Large requests grow by doubling, so that a client gets
    /// memory only for what it sends.
    pub fn room(&mut self) -> &mut Vec<u8> {
        if self.start > 0 && self.start >= self.data.len() / 2 {
            self.data.drain(..self.start);
            self.start = 0;
        }
        if self.free() < READ_SIZE / 2 {
            let missing = self.needed.saturating_sub(self.len());
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
