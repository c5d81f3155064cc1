//! A blocking RESP client for tests: it pipelines, and hands out each reply both parsed and as the exact bytes that
//! came over the wire.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use super::reply::{Extent, Incomplete, Value, parse};

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
    buffer: Vec<u8>,
    parsed: usize,
    /// Of the reply that begins at `parsed`.
    extent: Extent,
}

impl Client {
    pub fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, Duration::from_secs(5))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(REPLY_TIMEOUT))?;
        stream.set_write_timeout(Some(REPLY_TIMEOUT))?;
        Ok(Self { stream, buffer: Vec::new(), parsed: 0, extent: Extent::default() })
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
            if !self.extent.is_reached(&self.buffer[self.parsed..]) {
                self.fill()?;
                continue;
            }
            self.extent = Extent::default();
            match parse(&self.buffer[self.parsed..]) {
                Ok((value, length)) => {
                    let raw = self.buffer[self.parsed..self.parsed + length].to_vec();
                    self.parsed += length;
                    if self.parsed == self.buffer.len() {
                        self.buffer.clear();
                        self.parsed = 0;
                    }
                    return Ok(Reply { raw, value });
                }
                Err(Incomplete::NeedMore) => self.fill()?,
                Err(Incomplete::Malformed(why)) => {
                    let near = self.buffer[self.parsed..].iter().take(80).copied().collect::<Vec<_>>();
                    return Err(io::Error::new(
                        io::ErrorKind::InvalidData,
                        format!("{why} in {}", near.escape_ascii()),
                    ));
                }
            }
        }
    }

    fn fill(&mut self) -> io::Result<()> {
        if self.parsed > 0 {
            self.buffer.drain(..self.parsed);
            self.parsed = 0;
        }
        let mut chunk = [0; 65536];
        loop {
            match self.stream.read(&mut chunk) {
                // A machine that was stopped for a moment interrupts a read with a timeout.
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => {
                    self.buffer.extend_from_slice(&chunk[..count]);
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
                    return (std::mem::take(&mut self.buffer), closed);
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
