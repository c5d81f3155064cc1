//! A blocking RESP client for tests: it pipelines, and hands out each reply both parsed and as the exact bytes that
//! came over the wire.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use super::reply::{Incomplete, Value};
use ackd::resp::Replies;

/// How long a test waits for a reply before it calls the server stuck.
pub const REPLY_TIMEOUT: Duration = Duration::from_secs(20);

/// A reply and its exact bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    pub raw: Vec<u8>,
    pub value: Value,
}

/// A connection.
pub struct Client {
    stream: TcpStream,
    replies: Replies,
}

impl Client {
    pub fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, Duration::from_secs(5))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(REPLY_TIMEOUT))?;
        stream.set_write_timeout(Some(REPLY_TIMEOUT))?;
        Ok(Self { stream, replies: Replies::default() })
    }

    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.stream.local_addr()
    }

    pub fn set_timeout(&self, timeout: Duration) -> io::Result<()> {
        self.stream.set_read_timeout(Some(timeout))
    }

    /// Sends bytes as they are.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Reads the next reply. A closed connection is an error of kind `UnexpectedEof`, a reply that cannot be parsed
    /// one of kind `InvalidData`.
    pub fn receive(&mut self) -> io::Result<Reply> {
        loop {
            let next = self.replies.next().map(|reply| reply.map(|(value, raw)| Reply { raw: raw.to_vec(), value }));
            match next {
                Ok(Some(reply)) => return Ok(reply),
                Ok(None) | Err(Incomplete::NeedMore) => self.fill()?,
                Err(Incomplete::Malformed(why)) => {
                    let near = &self.replies.rest()[..self.replies.rest().len().min(80)];
                    let text = format!("{why} in {}", near.escape_ascii());
                    return Err(io::Error::new(io::ErrorKind::InvalidData, text));
                }
            }
        }
    }

    fn fill(&mut self) -> io::Result<()> {
        let mut chunk = [0; 65536];
        loop {
            match self.stream.read(&mut chunk) {
                // A machine that was stopped for a moment interrupts a read with a timeout.
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => {
                    self.replies.feed(&chunk[..count]);
                    return Ok(());
                }
            }
        }
    }

    /// Sends one command and waits for its reply.
    pub fn call<A: AsRef<[u8]>>(&mut self, argv: &[A]) -> io::Result<Reply> {
        self.send(&encode(argv))?;
        self.receive()
    }

    /// [`Client::call`] with words separated by blanks, for arguments that hold none; panics when the connection fails.
    pub fn command(&mut self, line: &str) -> Value {
        let argv: Vec<&str> = line.split_whitespace().collect();
        self.call(&argv).unwrap_or_else(|e| panic!("{line}: {e}")).value
    }

    /// Sends all commands at once, then reads all replies.
    pub fn pipeline<A: AsRef<[u8]>>(&mut self, commands: &[Vec<A>]) -> io::Result<Vec<Reply>> {
        let bytes: Vec<u8> = commands.iter().flat_map(|argv| encode(argv)).collect();
        self.send(&bytes)?;
        commands.iter().map(|_| self.receive()).collect()
    }

    /// Reads until the server closes the connection. Bytes that came before a time-out are returned with `false`.
    pub fn read_to_end(&mut self) -> (Vec<u8>, bool) {
        loop {
            match self.fill() {
                Ok(()) => {}
                Err(e) => {
                    let closed = !matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut);
                    let rest = self.replies.rest().to_vec();
                    self.replies = Replies::default();
                    return (rest, closed);
                }
            }
        }
    }

    /// Tells the server that nothing more comes.
    pub fn finish_sending(&self) -> io::Result<()> {
        self.stream.shutdown(Shutdown::Write)
    }
}

/// A command in the form in which clients send it.
pub fn encode<A: AsRef<[u8]>>(argv: &[A]) -> Vec<u8> {
    let mut out = format!("*{}\r\n", argv.len()).into_bytes();
    for arg in argv {
        let arg = arg.as_ref();
        out.extend_from_slice(format!("${}\r\n", arg.len()).as_bytes());
        out.extend_from_slice(arg);
        out.extend_from_slice(b"\r\n");
    }
    out
}
