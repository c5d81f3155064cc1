//! Layer 2: the wire protocol, RESP2 and RESP3, as servers speak it.
//!
//! [`Parser`] finds requests (multibulk and inline) in a buffer that grows as bytes arrive, without copying them;
//! [`Reply`] writes replies in the version that the connection speaks; [`Replies`] reads them, as a client does. None
//! knows a socket or a command.
//!
//! ```
//! use ackd::resp::{Limits, Parser, Reply, Step};
//!
//! let bytes = b"*2\r\n$3\r\nGET\r\n$3\r\nkey\r\n";
//! let mut parser = Parser::default();
//! let Ok(Step::Request { len }) = parser.step(bytes, &Limits::default()) else { panic!() };
//! assert_eq!(parser.arguments(bytes).as_slice(), [&b"GET"[..], &b"key"[..]]);
//! assert_eq!(len, bytes.len());
//!
//! let mut reply = Reply::resp2();
//! reply.null();
//! assert_eq!(reply.as_bytes(), b"$-1\r\n");
//! ```

use crate::base::sink::Sink;

mod commands;
mod parser;
mod reply;
mod value;

pub use commands::{Command, Commands, NoCommand, commands};
pub use parser::{Arguments, Limits, Parser, ProtocolError, Span, Step};
pub use reply::{Deferred, Reply};
pub use value::{Incomplete, REPLY_DEPTH, Replies, Value, parse_reply};

/// Appends one command as a multibulk request: the form of requests on the wire and of effects in the log.
pub fn write_command(to: &mut impl Sink, arguments: &[&[u8]]) {
    let payload: usize = arguments.iter().map(|argument| argument.len() + 16).sum();
    to.reserve(payload + 16);
    write_length(to, b'*', arguments.len());
    for argument in arguments {
        write_length(to, b'$', argument.len());
        to.extend_from_slice(argument);
        to.extend_from_slice(b"\r\n");
    }
}

fn write_length(to: &mut impl Sink, kind: u8, length: usize) {
    // Most are small, and pieces whose length is known are copied by an instruction.
    if length < 10 {
        return to.extend_from_slice(&[kind, b'0' + length as u8, b'\r', b'\n']);
    }
    to.extend_from_slice(&[kind]);
    to.extend_from_slice(itoa::Buffer::new().format(length).as_bytes());
    to.extend_from_slice(b"\r\n");
}
