//! A simulated client: sends commands through a pipe, perhaps in pieces, and knows what each reply tells it.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use ackd::engine::client::ClientId;
use ackd::engine::gate::Level;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};

use super::cache::Cache;
use super::command::{Request, Session};
use super::model::KEYS;

/// A request that was executed, and what its reply reveals.
pub struct Executed {
    pub request: Request,
    pub level: Level,
    pub wrote: bool,
    /// The end of the stream at that moment.
    pub at: u64,
    /// The last change of any key that the command touched, its own included.
    pub reveals: u64,
    /// The oldest of the last changes of those keys: all that is sure of an error about one of them, after which the others
    /// are not looked at.
    pub least: u64,
    /// What the reply may tell instead: a nil reply of EXEC the last change of a watched key (that of another command what
    /// it reveals anyway), WAITAOF the client's last
    /// write, a change of the policy what was acknowledged before it.
    pub told: u64,
    /// What the reply must be, where that is known.
    pub expected: Option<Vec<u8>>,
}

pub struct SimClient {
    pub id: ClientId,
    stream: DuplexStream,
    /// Bytes of requests that are not in the pipe yet.
    unsent: Vec<u8>,
    /// Requests that were not executed yet.
    pub sent: VecDeque<Request>,
    /// Requests whose replies were not received yet.
    pub executed: VecDeque<Executed>,
    received: Vec<u8>,
    pub session: Session,
    /// The end of its last write.
    pub last_write: u64,
    pub closed: bool,
    /// It only listens to messages.
    pub listens: bool,
    /// What it caches, if it only reads in order to cache.
    pub cache: Option<Cache>,
}

/// What comes from a server.
pub enum Received {
    Reply(Executed, Vec<u8>),
    /// The number that was published.
    Message(u64),
    /// The keys that have changed.
    Changed(Vec<usize>),
    /// Everything may have.
    EverythingChanged,
}

impl SimClient {
    pub fn new(id: ClientId, stream: DuplexStream) -> Self {
        Self {
            id,
            stream,
            unsent: Vec::new(),
            sent: VecDeque::new(),
            executed: VecDeque::new(),
            received: Vec::new(),
            session: Session::default(),
            last_write: 0,
            closed: false,
            listens: false,
            cache: None,
        }
    }

    /// Whether it waits for a reply.
    pub fn is_waiting(&self) -> bool {
        !self.sent.is_empty() || !self.executed.is_empty()
    }

    /// Requests whose replies are outstanding.
    pub fn outstanding(&self) -> usize {
        self.sent.len() + self.executed.len()
    }

    /// Queues a request.
    pub fn send(&mut self, request: Request) {
        let words: Vec<&[u8]> = request.words.iter().map(Vec::as_slice).collect();
        ackd::resp::write_command(&mut self.unsent, &words);
        self.sent.push_back(request);
    }

    /// Whether part of a request is still to be sent.
    pub fn has_unsent(&self) -> bool {
        !self.unsent.is_empty()
    }

    /// Puts at most `count` bytes into the pipe.
    pub fn push(&mut self, count: usize) {
        let count = count.min(self.unsent.len());
        let mut cx = Context::from_waker(Waker::noop());
        if let Poll::Ready(Ok(written)) = Pin::new(&mut self.stream).poll_write(&mut cx, &self.unsent[..count]) {
            self.unsent.drain(..written);
        }
    }

    /// Takes whatever has left the server.
    pub fn receive(&mut self) {
        let mut memory = [0; 4096];
        let mut cx = Context::from_waker(Waker::noop());
        while !self.closed {
            let mut buf = ReadBuf::new(&mut memory);
            match Pin::new(&mut self.stream).poll_read(&mut cx, &mut buf) {
                Poll::Pending => return,
                Poll::Ready(Ok(())) if !buf.filled().is_empty() => self.received.extend_from_slice(buf.filled()),
                Poll::Ready(_) => self.closed = true,
            }
        }
    }

    /// The next message, or the next whole reply, with the request that it answers.
    pub fn next(&mut self) -> Option<Result<Received, String>> {
        let len = reply_len(&self.received)?;
        let reply: Vec<u8> = self.received.drain(..len).collect();
        if reply.starts_with(b"*3\r\n$7\r\nmessage\r\n") {
            let number =
                std::str::from_utf8(&reply).ok().and_then(|text| text.trim_end().rsplit('\n').next()?.parse().ok());
            return Some(
                number.map(Received::Message).ok_or_else(|| format!("a message of nobody: {}", reply.escape_ascii())),
            );
        }
        if let Some(changed) = reply.strip_prefix(b">2\r\n$10\r\ninvalidate\r\n") {
            return Some(
                changed_keys(changed).ok_or_else(|| format!("unknown keys changed: {}", reply.escape_ascii())),
            );
        }
        match self.executed.pop_front() {
            Some(executed) => Some(Ok(Received::Reply(executed, reply))),
            None => Some(Err(format!("a reply to nothing: {}", reply.escape_ascii()))),
        }
    }
}

/// What the server says has changed.
fn changed_keys(array: &[u8]) -> Option<Received> {
    if array == b"_\r\n" {
        return Some(Received::EverythingChanged);
    }
    let names = std::str::from_utf8(array).ok()?.lines().skip(1).filter(|line| !line.starts_with('$'));
    let slots = names.map(|name| name.strip_prefix('k')?.parse().ok().filter(|slot| *slot < KEYS));
    slots.collect::<Option<Vec<usize>>>().map(Received::Changed)
}

/// The length of the first reply, if all of it is there.
fn reply_len(bytes: &[u8]) -> Option<usize> {
    let line = bytes.windows(2).position(|pair| pair == b"\r\n")? + 2;
    let number = || std::str::from_utf8(&bytes[1..line - 2]).ok()?.parse::<i64>().ok();
    match bytes[0] {
        b'$' => match usize::try_from(number()?) {
            Ok(len) => (bytes.len() >= line + len + 2).then_some(line + len + 2),
            Err(_) => Some(line),
        },
        b'*' | b'>' | b'%' => {
            let mut at = line;
            let each = if bytes[0] == b'%' { 2 } else { 1 };
            for _ in 0..number()?.max(0) * each {
                at += reply_len(&bytes[at..])?;
            }
            Some(at)
        }
        _ => Some(line),
    }
}
