//! What waits to be sent to one client: bytes in order, each with its ticket.

use std::collections::VecDeque;

use super::gate::{Gate, Ticket};

/// Memory kept for the next reply after a large one was sent.
const KEPT_CAPACITY: usize = 64 * 1024;

/// Memory that a quiet connection may keep.
const QUIET_CAPACITY: usize = 1024;

/// See the module. Positions count bytes since the connection opened.
#[derive(Default)]
pub struct Output {
    buffer: Vec<u8>,
    /// Position of `buffer[0]`.
    start: u64,
    /// Bytes of `buffer` that were sent.
    sent: usize,
    /// Position up to which bytes may leave.
    released: u64,
    /// Ends of the stretches behind `released`, and what each waits for.
    gated: VecDeque<(u64, Ticket)>,
}

impl Output {
    /// Takes the buffer out to append a reply; it must come back by [`Output::put`].
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.buffer)
    }

    /// Puts back the buffer. What was appended to it leaves when `ticket` opens; `batch` is where the batch under
    /// construction starts.
    pub fn put(&mut self, buffer: Vec<u8>, ticket: Ticket, gate: &Gate, batch: u64) {
        self.buffer = buffer;
        let end = self.end();
        let before = self.gated.back().map_or(self.released, |(end, _)| *end);
        if end == before {
            return;
        }
        if self.gated.is_empty() && gate.is_open(ticket) {
            self.released = end;
        } else if let Some((last_end, last)) = self.gated.back_mut()
            && (gate.is_open(ticket) || last.joins(ticket, batch))
        {
            *last_end = end;
            if !gate.is_open(ticket) {
                *last = last.later(ticket);
            }
        } else {
            self.gated.push_back((end, ticket));
        }
    }

    /// Appends bytes that leave when `ticket` opens.
    pub fn append(&mut self, bytes: &[u8], ticket: Ticket, gate: &Gate, batch: u64) {
        let mut buffer = self.take();
        buffer.extend_from_slice(bytes);
        self.put(buffer, ticket, gate, batch);
    }

    /// Bytes that may leave now.
    pub fn sendable(&mut self, gate: &Gate) -> &[u8] {
        while let Some((end, ticket)) = self.gated.front()
            && gate.is_open(*ticket)
        {
            self.released = *end;
            self.gated.pop_front();
        }
        &self.buffer[self.sent..self.index(self.released)]
    }

    /// The ticket that the next bytes wait for.
    pub fn blocked_by(&self) -> Option<Ticket> {
        self.gated.front().map(|(_, ticket)| *ticket)
    }

    /// Notes that `count` sendable bytes were sent.
    pub fn consume(&mut self, count: usize) {
        self.sent += count;
        assert!(self.start + self.sent as u64 <= self.released, "nothing leaves before its gate");
        if self.sent == self.buffer.len() {
            self.start += self.sent as u64;
            self.sent = 0;
            self.buffer.clear();
            if self.buffer.capacity() > KEPT_CAPACITY {
                self.buffer.shrink_to(KEPT_CAPACITY);
            }
        } else if self.sent > KEPT_CAPACITY && self.sent > self.buffer.len() / 2 {
            self.buffer.drain(..self.sent);
            self.start += self.sent as u64;
            self.sent = 0;
        }
    }

    /// Gives back memory that far exceeds what is held; for a connection that has been quiet for a while.
    pub fn tidy(&mut self) {
        if self.buffer.capacity() > QUIET_CAPACITY && self.buffer.len() < self.buffer.capacity() / 4 {
            self.buffer.shrink_to(self.buffer.len());
        }
        if self.gated.capacity() * size_of::<(u64, Ticket)>() > QUIET_CAPACITY
            && self.gated.len() < self.gated.capacity() / 4
        {
            self.gated.shrink_to(self.gated.len());
        }
    }

    /// Bytes that were not sent yet.
    pub fn backlog(&self) -> usize {
        self.buffer.len() - self.sent
    }

    /// [`Output::backlog`] while the buffer is out, of which `taken` bytes are there by now.
    pub fn backlog_of(&self, taken: usize) -> usize {
        taken - self.sent
    }

    /// Memory held, in bytes.
    pub fn memory(&self) -> usize {
        self.buffer.capacity() + self.gated.capacity() * size_of::<(u64, Ticket)>()
    }

    fn end(&self) -> u64 {
        self.start + self.buffer.len() as u64
    }

    fn index(&self, position: u64) -> usize {
        usize::try_from(position - self.start).expect("released bytes are in the buffer")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::gate::Level;

    #[test]
    fn a_quiet_connection_keeps_only_what_it_holds() {
        let mut gate = Gate::new(0, 1);
        gate.advance_executed(1000);
        let mut out = Output::default();
        for offset in 1..1000 {
            out.append(&[b'v'; 100], Gate::ticket(offset, Level::Disk), &gate, 1000);
        }
        let full = out.memory();
        out.tidy();
        assert_eq!(out.memory(), full, "what is held is kept");
        gate.advance_durable(1000);
        let sent = out.sendable(&gate).len();
        out.consume(sent);
        out.tidy();
        assert!(out.memory() <= 2 * QUIET_CAPACITY, "{} bytes", out.memory());
        out.append(b"more", Gate::ticket(0, Level::Disk), &gate, 1000);
        assert_eq!(out.sendable(&gate), b"more");
    }

    #[test]
    fn replies_leave_in_order_and_never_before_their_gate() {
        let mut gate = Gate::new(0, 1);
        gate.advance_executed(20);
        let mut out = Output::default();
        let at = |offset| Gate::ticket(offset, Level::Disk);
        out.append(b"a", at(0), &gate, 0);
        assert_eq!(out.sendable(&gate), b"a");
        out.append(b"b", at(10), &gate, 0);
        out.append(b"c", at(0), &gate, 0);
        out.append(b"d", at(20), &gate, 10);
        assert_eq!(out.sendable(&gate), b"a");
        out.consume(1);
        gate.advance_durable(10);
        assert_eq!(out.sendable(&gate), b"bc");
        out.consume(1);
        gate.advance_durable(20);
        assert_eq!(out.sendable(&gate), b"cd");
        out.consume(2);
        assert_eq!((out.backlog(), out.blocked_by()), (0, None));
    }
}
