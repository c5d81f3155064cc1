//! An engine without sockets or disk, and its one client.

use std::rc::Rc;
use std::task::Waker;
use std::time::Duration;

use ackd::command::{blocking, dispatch, shadow};
use ackd::disk::sim::{SimClock, World};
use ackd::engine::Engine;
use ackd::engine::client::{Client, Peer};
use ackd::engine::config::{Config, Reader};

/// `proto-max-bulk-len`, so that a command may not ask for much.
pub const LONGEST: usize = 1 << 20;

/// What one command may take with a shadow beside: the values that it reads and writes are up to [`LONGEST`], a reply
/// repeats one for each of a dozen arguments, and effect, shadow and stream have copies of what is written.
pub const COMMAND_MEMORY: usize = 64 * LONGEST;

/// See the module.
pub struct Session {
    pub engine: Engine,
    client: Box<Client>,
    clock: Rc<SimClock>,
    /// The effects of all commands so far, if they are kept.
    pub effects: Option<Vec<u8>>,
}

fn config() -> Config {
    thread_local! {
        static CONFIG: Config = {
            let mut config = Config::new();
            for words in [
                ["databases", "2"],
                ["ackd-self-check", "yes"],
                ["enable-debug-command", "yes"],
                ["proto-max-bulk-len", "1mb"],
                ["hll-sparse-max-bytes", "40"],
                // So that few elements make all encodings.
                ["list-max-listpack-size", "8"],
                ["set-max-intset-entries", "6"],
                ["set-max-listpack-entries", "8"],
                ["hash-max-listpack-entries", "8"],
                ["zset-max-listpack-entries", "8"],
                ["stream-node-max-entries", "4"],
            ] {
                let words = words.map(|word| word.as_bytes().to_vec());
                Reader::new(&mut config).command_line(&words).expect("the settings are right");
            }
            config
        };
    }
    CONFIG.with(Clone::clone)
}

impl Session {
    /// An empty engine. All of the same clock are at the same time.
    pub fn at(clock: Rc<SimClock>) -> Self {
        ackd::keyspace::fix_hash_seed(1);
        let mut engine = Engine::new(clock.clone(), fastrand::Rng::with_seed(1), config());
        engine.admission.set_room(u64::MAX >> 1);
        let id = engine.clients.add(Peer { is_local: true, ..Peer::default() }, 0);
        let mut client = engine.clients.take(id);
        client.authenticated = true;
        Self { engine, client, clock, effects: None }
    }

    /// An empty engine with a shadow, which applies the effects of every command and must be equal after it.
    pub fn with_shadow() -> Self {
        let mut session = Self::at(clock());
        shadow::attach(&mut session.engine);
        session
    }

    /// Runs a command; gives its reply. What would wait does not.
    pub fn run(&mut self, arguments: &[&[u8]]) -> Vec<u8> {
        let Self { engine, client, effects, .. } = self;
        engine.read_clock();
        dispatch::request(engine, client, arguments);
        if let Some(blocked) = &mut client.blocked {
            // The time is up at once.
            blocked.deadline_us = Some(0);
            blocking::check(engine, client, Waker::noop());
        }
        let end = engine.stream.offset();
        engine.gate.advance_durable(end);
        let mut reply = Vec::new();
        loop {
            let sent = client.output.sendable(&engine.gate);
            if sent.is_empty() {
                break;
            }
            reply.extend_from_slice(sent);
            let len = sent.len();
            client.output.consume(len);
        }
        if let Some(mut batch) = engine.stream.take(Waker::noop()) {
            if let Some(effects) = effects {
                effects.extend_from_slice(&batch.frame.payload());
            }
            batch.frame.clear();
            engine.stream.recycle(batch.frame);
        }
        reply
    }

    /// Lets time pass.
    pub fn wait(&self, by: Duration) {
        self.clock.advance(by);
    }

    /// A sum over all that is kept.
    pub fn digests(&self) -> Vec<u128> {
        self.engine.dbs.iter().map(|db| db.digest()).collect()
    }
}

/// A clock that stands still until it is moved.
pub fn clock() -> Rc<SimClock> {
    Rc::new(World::new(1).clock())
}
