//! The commands of a stretch of the effect stream, for looking at a log without applying it.

use super::{Limits, Parser, Step};

/// Iterates over the commands of a stretch of stream bytes; made by [`commands`].
pub struct Commands<'a> {
    bytes: &'a [u8],
    at: usize,
    parser: Parser,
}

/// A command of the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command<'a> {
    /// Where it begins in the bytes.
    pub at: usize,
    /// Its arguments, the name first.
    pub arguments: Vec<&'a [u8]>,
}

/// Bytes that are no whole multibulk request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("byte {at} of the effects begins no command")]
pub struct NoCommand {
    /// Where the command should begin.
    pub at: usize,
    /// Whether one begins there, and the bytes end inside it.
    pub is_cut: bool,
}

/// The commands in `bytes`, which begin and end between two of them. Ends at the first thing that is none; one without
/// arguments, which a client may send, is none where commands are kept.
pub fn commands(bytes: &[u8]) -> Commands<'_> {
    Commands { bytes, at: 0, parser: Parser::default() }
}

impl<'a> Iterator for Commands<'a> {
    type Item = Result<Command<'a>, NoCommand>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.at == self.bytes.len() {
            return None;
        }
        let limits = Limits { max_bulk: u64::MAX >> 2, authenticated: true };
        let at = self.at;
        let rest = &self.bytes[at..];
        match self.parser.step(rest, &limits) {
            Ok(Step::Request { len }) if self.parser.spans().is_some() => {
                self.at += len;
                let spans = self.parser.spans().unwrap_or_default();
                let arguments = spans.iter().map(|span| &rest[span.start..span.start + span.len]).collect();
                Some(Ok(Command { at, arguments }))
            }
            other => {
                self.at = self.bytes.len();
                let is_cut = rest[0] == b'*' && matches!(other, Ok(Step::Incomplete { .. }));
                Some(Err(NoCommand { at, is_cut }))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::write_command;
    use super::*;

    #[test]
    fn commands_come_with_their_places_until_something_is_none() {
        let mut bytes = Vec::new();
        write_command(&mut bytes, &[b"SELECT", b"1"]);
        let second = bytes.len();
        write_command(&mut bytes, &[b"SET", b"\r\n", b""]);
        let third = bytes.len();
        bytes.extend_from_slice(b"*1\r\n$4\r\nPI");
        let found: Vec<_> = commands(&bytes).collect();
        assert_eq!(
            found,
            [
                Ok(Command { at: 0, arguments: vec![b"SELECT", b"1"] }),
                Ok(Command { at: second, arguments: vec![b"SET", b"\r\n", b""] }),
                Err(NoCommand { at: third, is_cut: true }),
            ]
        );
        for none in [&b"PING\r\n"[..], b"\r\n", b"*0\r\n", b"*-1\r\n", b"*x\r\n"] {
            assert_eq!(commands(none).next(), Some(Err(NoCommand { at: 0, is_cut: false })));
        }
    }
}
