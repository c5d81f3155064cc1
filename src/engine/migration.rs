//! MIGRATE under way, as plain data: what the command hands to its connection's task, and what came of it.
//!
//! `command/migrate.rs` fills an [`Errand`], `server/migrate.rs` runs it, and the command ends with its [`Outcome`].

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;

use super::gate::Ticket;
use crate::base::sink::Sink;
use crate::resp::write_command;

/// Arguments of at least so many bytes are sent from where they are; smaller ones are gathered.
const LARGE: usize = 16 * 1024;

/// A MIGRATE under way, kept with its connection.
pub struct Migration {
    /// The command.
    pub words: Vec<Box<[u8]>>,
    /// What was sent, in order; the target answers in the same.
    pub keys: Vec<SentKey>,
    /// They stay here: COPY.
    pub copy: bool,
    /// The database of the target that they go to.
    pub target_db: i64,
    /// How far it is.
    pub stage: Stage,
}

/// A key as it was when it was sent.
pub struct SentKey {
    /// Its name.
    pub name: Box<[u8]>,
    /// When it expires.
    pub expires_ms: Option<i64>,
    /// The digest of name, value and expiry.
    pub digest: u128,
}

/// How far a migration is.
pub enum Stage {
    /// Nobody has begun.
    Asked(Errand),
    /// The connection's task sends and receives.
    UnderWay,
    /// It is over.
    Over(Outcome),
}

/// What is to be sent where.
pub struct Errand {
    /// Name or address of the target, as the client gave it.
    pub host: Vec<u8>,
    /// Its port.
    pub port: u16,
    /// How long it may let any single step wait.
    pub timeout: Duration,
    /// What must be reached before the target may learn what the keys reveal.
    pub ticket: Ticket,
    /// AUTH and SELECT.
    pub opening: Requests,
    /// RESTORE, once a key.
    pub restores: Requests,
}

/// Commands for another server, in pieces that are sent one after the other.
#[derive(Default)]
pub struct Requests {
    parts: VecDeque<Bytes>,
    gathered: Vec<u8>,
    ends: Vec<u64>,
    bytes: u64,
}

impl Requests {
    /// Adds a command. `large` is one of its arguments, which is not copied if it is that.
    pub fn add(&mut self, words: &[&[u8]], large: Option<&Bytes>) {
        let large = large.filter(|bytes| bytes.len() >= LARGE);
        write_command(&mut Gathering { requests: self, large }, words);
        self.ends.push(self.bytes);
    }

    /// The pieces, and where in all of them each command ends.
    pub fn into_parts(mut self) -> (VecDeque<Bytes>, Vec<u64>) {
        self.flush();
        (self.parts, self.ends)
    }

    fn flush(&mut self) {
        if !self.gathered.is_empty() {
            self.parts.push_back(std::mem::take(&mut self.gathered).into());
        }
    }
}

/// Takes a large argument without copying it.
struct Gathering<'a> {
    requests: &'a mut Requests,
    large: Option<&'a Bytes>,
}

impl Sink for Gathering<'_> {
    fn reserve(&mut self, _: usize) {}

    fn extend_from_slice(&mut self, bytes: &[u8]) {
        self.requests.bytes += bytes.len() as u64;
        match self.large.filter(|large| large.as_ptr() == bytes.as_ptr() && large.len() == bytes.len()) {
            Some(large) => {
                self.requests.flush();
                self.requests.parts.push_back(large.clone());
            }
            None => self.requests.gathered.extend_from_slice(bytes),
        }
    }
}

/// What came of an errand.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Of the keys from the first on: whether the target has said that it has them. It may have others too, of which it
    /// said nothing.
    pub taken: Vec<bool>,
    /// What went wrong first.
    pub trouble: Option<Trouble>,
    /// The target was this server.
    pub is_own: bool,
    /// Why the log has no room for the deletion, if it has none.
    pub no_room: Option<String>,
}

/// Why a migration is not what was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The target has answered with this error.
    Refused(Vec<u8>),
    /// Its address leads nowhere, or it did not let us in within the time.
    Connecting,
    /// It did not take what was sent.
    Writing,
    /// It did not answer.
    Reading,
    /// It answered with something that is no answer to what was sent.
    Nonsense(Vec<u8>),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_arguments_are_sent_from_where_they_are() {
        let large = Bytes::from(vec![b'x'; LARGE]);
        let mut requests = Requests::default();
        requests.add(&[b"SELECT", b"1"], None);
        requests.add(&[b"RESTORE", b"k", &large], Some(&large));
        requests.add(&[b"RESTORE", b"l", b"small"], None);
        let (parts, ends) = requests.into_parts();
        assert_eq!(parts.len(), 3);
        assert_eq!(parts[1].as_ptr(), large.as_ptr());
        let mut whole = Vec::new();
        write_command(&mut whole, &[b"SELECT", b"1"]);
        let first = whole.len() as u64;
        write_command(&mut whole, &[b"RESTORE", b"k", &large]);
        let second = whole.len() as u64;
        write_command(&mut whole, &[b"RESTORE", b"l", b"small"]);
        assert_eq!(parts.iter().flatten().copied().collect::<Vec<u8>>(), whole);
        assert_eq!(ends, [first, second, whole.len() as u64]);
    }
}
