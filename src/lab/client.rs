//! A connection to the server under test.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use crate::resp::{Incomplete, Replies, Value, write_command};

/// How long it takes until a server counts as stuck.
pub const REPLY_TIMEOUT: Duration = Duration::from_secs(20);

/// A blocking client.
#[derive(Debug)]
pub struct Client {
    stream: TcpStream,
    replies: Replies,
}

impl Client {
    /// Connects to a port of this machine.
    pub fn connect(port: u16) -> io::Result<Self> {
        let stream = TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(REPLY_TIMEOUT))?;
        stream.set_write_timeout(Some(REPLY_TIMEOUT))?;
        Ok(Self { stream, replies: Replies::default() })
    }

    /// Sends one command and waits for its reply.
    pub fn call<A: AsRef<[u8]>>(&mut self, words: &[A]) -> io::Result<Value> {
        let mut bytes = Vec::new();
        encode(&mut bytes, words);
        self.stream.write_all(&bytes)?;
        self.receive()
    }

    /// Sends all commands at once, then reads all replies.
    pub fn pipeline<A: AsRef<[u8]>>(&mut self, commands: &[Vec<A>]) -> io::Result<Vec<Value>> {
        let mut bytes = Vec::new();
        commands.iter().for_each(|words| encode(&mut bytes, words));
        self.stream.write_all(&bytes)?;
        commands.iter().map(|_| self.receive()).collect()
    }

    fn receive(&mut self) -> io::Result<Value> {
        let mut chunk = [0; 16 << 10];
        loop {
            match self.replies.next() {
                Ok(Some((value, _))) => return Ok(value),
                Ok(None) | Err(Incomplete::NeedMore) => {}
                Err(Incomplete::Malformed(why)) => return Err(io::Error::new(io::ErrorKind::InvalidData, why)),
            }
            match self.stream.read(&mut chunk) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => self.replies.feed(&chunk[..count]),
            }
        }
    }
}

fn encode<A: AsRef<[u8]>>(to: &mut Vec<u8>, words: &[A]) {
    let words: Vec<&[u8]> = words.iter().map(AsRef::as_ref).collect();
    write_command(to, &words);
}
