//! For the unit tests of commands: an engine with its shadow, without sockets or disk.

use std::cell::Cell;
use std::rc::Rc;
use std::task::Waker;
use std::time::Duration;

use super::blocking;
use super::dispatch::{self, Outcome};
use super::shadow;
use crate::base::clock::{Clock, Sleep};
use crate::base::quoting;
use crate::engine::Engine;
use crate::engine::client::{ClientId, Peer};
use crate::engine::config::Config;

/// A clock that stands still until it is moved.
pub struct ManualClock(Cell<u64>);

impl ManualClock {
    /// Moves on.
    pub fn advance(&self, by: Duration) {
        self.0.set(self.0.get() + by.as_micros() as u64);
    }
}

impl Clock for ManualClock {
    fn wall_us(&self) -> u64 {
        self.0.get()
    }

    fn monotonic_us(&self) -> u64 {
        self.0.get()
    }

    fn sleep(&self, _: Duration) -> Sleep {
        Box::pin(std::future::pending())
    }
}

/// An engine and its first client.
pub struct Harness {
    /// The engine; its log never runs out of room, and what becomes durable is said by
    /// [`Harness::sync`].
    pub engine: Engine,
    /// Its time.
    pub clock: Rc<ManualClock>,
    /// The client that [`Harness::run`] uses.
    pub client: ClientId,
}

impl Harness {
    #[allow(clippy::new_without_default, reason = "a test starts a server; it does not ask for a default one")]
    /// An empty server at 2023-11-14 22:13:20 UTC.
    pub fn new() -> Self {
        let clock = Rc::new(ManualClock(Cell::new(1_700_000_000_000_000)));
        let mut engine = Engine::new(clock.clone(), fastrand::Rng::with_seed(1), Config::default());
        engine.admission.set_room(u64::MAX >> 1);
        shadow::attach(&mut engine);
        let mut harness = Self { engine, clock, client: 0 };
        harness.client = harness.connect();
        harness
    }

    /// Another client.
    pub fn connect(&mut self) -> ClientId {
        let id = self.engine.clients.add(Peer { is_local: true, ..Peer::default() }, 0);
        let user = self.engine.acl.default_user().clone();
        let client = self.engine.clients.get_mut(id).unwrap();
        (client.user, client.authenticated) = (Some(user), true);
        id
    }

    /// Runs a command line by the first client; answers the reply with blanks for line breaks.
    pub fn run(&mut self, line: &str) -> String {
        self.run_as(self.client, line)
    }

    /// [`Harness::run`] by that client.
    pub fn run_as(&mut self, id: ClientId, line: &str) -> String {
        let words = quoting::split(line.as_bytes()).unwrap();
        let arguments: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
        String::from_utf8_lossy(&self.run_words(id, &arguments)).trim_end().replace("\r\n", " ")
    }

    /// Runs a command of any bytes; answers the reply's bytes.
    pub fn run_words(&mut self, id: ClientId, arguments: &[&[u8]]) -> Vec<u8> {
        self.execute(id, arguments);
        self.sync();
        self.receive(id)
    }

    /// Runs a command line while the disk is slow; answers what leaves at once.
    pub fn run_unsynced(&mut self, id: ClientId, line: &str) -> String {
        let words = quoting::split(line.as_bytes()).unwrap();
        let arguments: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
        self.execute(id, &arguments);
        String::from_utf8_lossy(&self.receive(id)).trim_end().replace("\r\n", " ")
    }

    /// Runs a command of any bytes while the disk is slow; its reply is not fetched.
    pub fn execute(&mut self, id: ClientId, arguments: &[&[u8]]) {
        self.engine.read_clock();
        let mut client = self.engine.clients.take(id);
        assert_eq!(dispatch::request(&mut self.engine, &mut client, arguments), Outcome::Done);
        self.engine.clients.put(client);
    }

    /// Lets a connection look after its blocking command, as its task does when the time is up; whether it is over.
    pub fn check(&mut self, id: ClientId) -> bool {
        self.engine.read_clock();
        let mut client = self.engine.clients.take(id);
        blocking::check(&mut self.engine, &mut client, Waker::noop());
        let is_over = client.blocked.is_none();
        self.engine.clients.put(client);
        is_over
    }

    /// Everything executed becomes durable.
    pub fn sync(&mut self) {
        let end = self.engine.stream.offset();
        self.engine.gate.advance_durable(end);
    }

    /// What may leave for that client.
    pub fn receive(&mut self, id: ClientId) -> Vec<u8> {
        let Engine { clients, gate, .. } = &mut self.engine;
        let output = &mut clients.get_mut(id).unwrap().output;
        let reply = output.sendable(gate).to_vec();
        output.consume(reply.len());
        reply
    }

    /// The effects since the last call, with blanks for line breaks and without RESP's lengths.
    pub fn effects(&mut self) -> String {
        let Some(batch) = self.engine.stream.take(std::task::Waker::noop()) else { return String::new() };
        let text = String::from_utf8_lossy(&batch.frame.payload()).into_owned();
        let words = text.split("\r\n").filter(|word| !word.is_empty() && !word.starts_with('$'));
        let mut line = String::new();
        for word in words {
            let separator = if word.starts_with('*') { " | " } else { " " };
            if !word.starts_with('*') || !line.is_empty() {
                line.push_str(separator);
            }
            line.push_str(word.trim_start_matches(|c: char| c == '*' || (word.starts_with('*') && c.is_ascii_digit())));
        }
        line.replace("|  ", "| ").trim().to_owned()
    }
}
