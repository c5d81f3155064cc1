//! The state of one connection, apart from its socket, and the registry of all of them.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::task::Waker;

use bytes::Bytes;

use super::acl::User;
use super::config::{BufferLimit, Config};
use super::gate::Level;
use super::migration::Migration;
use super::output::Output;
use super::pubsub::Subscriptions;
use super::tracking::Tracker;
use super::watch::Watched;

/// Identifies a connection for as long as the process lives; never used twice.
pub type ClientId = u64;

/// Which replies are left out (`CLIENT REPLY`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReplyMode {
    /// All of them.
    pub off: bool,
    /// That of the command that runs.
    pub skip: bool,
    /// That of the command behind it.
    pub skip_next: bool,
}

impl ReplyMode {
    /// Whether what is written now is left out.
    pub fn is_silent(self) -> bool {
        self.off || self.skip
    }

    /// The command that ran is over.
    pub fn end_command(&mut self) {
        self.skip = std::mem::take(&mut self.skip_next);
    }
}

/// A command kept for later: in a transaction's queue, or while its connection waits.
pub type OwnedCommand = Vec<Bytes>;

/// The queue between MULTI and EXEC.
#[derive(Debug, Default)]
pub struct Transaction {
    /// Commands in order.
    pub queue: Vec<OwnedCommand>,
    /// A command was refused while queueing, so EXEC aborts.
    pub aborted: bool,
    /// Whether any queued command may write.
    pub writes: bool,
    /// A queued command is refused while data are loaded.
    pub needs_data: bool,
    /// A queued command may need more memory.
    pub needs_memory: bool,
    /// A queued command runs a script.
    pub runs_scripts: bool,
    /// Number of all arguments.
    pub arguments: usize,
    /// Bytes of all arguments.
    pub bytes: usize,
}

impl Transaction {
    /// Memory that the queue holds, in bytes.
    pub fn held_bytes(&self) -> usize {
        self.bytes + self.arguments * size_of::<Bytes>() + self.queue.len() * size_of::<OwnedCommand>()
    }

    /// What the queue takes as Redis counts it: the arguments, and a pointer to each.
    pub fn memory(&self) -> usize {
        self.bytes + self.arguments * size_of::<usize>()
    }
}

/// What a connection that gave a blocking command waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockedOn {
    /// WAIT: that many replicas have acknowledged the offset.
    Replicas {
        /// Offset of the connection's last write.
        offset: u64,
        /// How many are asked for.
        replicas: i64,
    },
    /// WAITAOF: the offset is durable here and on that many replicas.
    Durable {
        /// Offset of the connection's last write.
        offset: u64,
        /// Whether it must be durable here.
        local: bool,
        /// On how many replicas.
        replicas: i64,
    },
    /// CONFIG SET appendfsync: the log is written as the setting says.
    SyncPolicy,
    /// DEBUG RELOAD and LOADAOF: the data were loaded from the log anew.
    Reload {
        /// How often they had been loaded before.
        before: u64,
        /// EXEC has said OK already; only what comes behind it waits.
        answered: bool,
    },
    /// DEBUG CHANGE-REPL-ID: a new history was begun, or could not be.
    History {
        /// How often that had been so before.
        before: u64,
    },
    /// SAVE: the end of the snapshot of this number.
    Snapshot {
        /// See [`Snapshots::ask`](super::snapshots::Snapshots::ask).
        number: u64,
    },
    /// MIGRATE: the other server ([`Client::migration`]).
    Migration,
    /// SHUTDOWN: the end of the process, which is the answer, unless it is refused.
    Shutdown {
        /// How many had been refused before.
        before: u64,
    },
    /// EVAL and its like: its own script, which runs for long.
    Script,
    /// BLPOP and its like: a key that has what is asked for (`blocked_keys.rs` knows which).
    Keys,
}

/// How CLIENT UNBLOCK ends a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unblock {
    /// As if the time was up.
    Timeout,
    /// With an error.
    Error,
}

/// A blocking command under way.
#[derive(Clone, Copy, Debug)]
pub struct Blocked {
    /// For what.
    pub on: BlockedOn,
    /// Until when, on the monotonic clock in microseconds.
    pub deadline_us: Option<u64>,
}

/// Where a connection comes from.
#[derive(Clone, Debug, Default)]
pub struct Peer {
    /// `ip:port`, or the socket's path and `:0`.
    pub address: String,
    /// The local end.
    pub local_address: String,
    /// Loopback or unix socket.
    pub is_local: bool,
    /// Unix socket.
    pub is_unix: bool,
    /// The descriptor's number, for CLIENT LIST.
    pub descriptor: i32,
}

/// What a watched key takes, in bytes, besides its name.
const WATCHED_BYTES: usize = 2 * size_of::<(usize, Box<[u8]>)>() + size_of::<ClientId>();

/// The state of one connection.
pub struct Client {
    /// Its number.
    pub id: ClientId,
    /// Where it comes from.
    pub peer: Peer,
    /// CLIENT SETNAME.
    pub name: Vec<u8>,
    /// CLIENT SETINFO lib-name.
    pub lib_name: Vec<u8>,
    /// CLIENT SETINFO lib-ver.
    pub lib_version: Vec<u8>,
    /// The selected database.
    pub db: usize,
    /// Speaks RESP3.
    pub resp3: bool,
    /// Who it is; none for the server itself, which may do everything.
    pub user: Option<Rc<User>>,
    /// Has given the password, or came when none was needed.
    pub authenticated: bool,
    /// CLIENT REPLY.
    pub reply_mode: ReplyMode,
    /// CLIENT NO-EVICT.
    pub no_evict: bool,
    /// CLIENT NO-TOUCH.
    pub no_touch: bool,
    /// CLIENT DURABILITY; the server's level if none.
    pub level: Option<Level>,
    /// Between MULTI and EXEC.
    pub transaction: Option<Transaction>,
    /// While EXEC runs: the number of its commands, and what they take ([`Transaction::memory`]).
    pub executing: Option<(usize, usize)>,
    /// Keys of WATCH.
    pub watched: Watched,
    /// What it listens to.
    pub subscriptions: Subscriptions,
    /// How it tracks keys, if it does.
    pub tracking: Option<Box<Tracker>>,
    /// It monitors; [`Monitors`](super::monitors::Monitors) knows who does.
    pub monitors: bool,
    /// A watched key was changed.
    pub watch_broken: bool,
    /// The blocking command under way.
    pub blocked: Option<Blocked>,
    /// How long a command has run, in microseconds, that waits and will be run anew.
    pub ran_us: u64,
    /// MIGRATE under way.
    pub migration: Option<Box<Migration>>,
    /// Replies that were not sent yet.
    pub output: Output,
    /// Wakes the connection's task.
    pub waker: Option<Waker>,
    /// Ends the connection at once.
    pub killed: bool,
    /// Ends the connection when its replies are sent.
    pub close_after_reply: bool,
    /// Offset behind this connection's last write.
    pub last_write: u64,
    /// When the connection opened, on the monotonic clock in microseconds.
    pub created_us: u64,
    /// When it last sent or took something.
    pub active_us: u64,
    /// A request waits (for a blocking command's end, a pause, or room in the log), so the connection is not idle.
    pub waiting: bool,
    /// How many bytes may be read behind such a request.
    pub read_ahead: usize,
    /// Since when the other end has hung up while a reply waits for the disk.
    pub hung_up_since_us: Option<u64>,
    /// When its output first exceeded the soft limit, if it still does.
    pub over_soft_limit_since_us: Option<u64>,
    /// The last command, for CLIENT LIST.
    pub last_command: &'static str,
    /// Commands executed.
    pub commands: u64,
    /// Bytes received.
    pub bytes_in: u64,
    /// Bytes sent.
    pub bytes_out: u64,
    /// Bytes in the query buffer, and room behind them.
    pub query_buffer: (usize, usize),
    /// What it counts in [`Clients::memory`].
    counted: usize,
}

impl Client {
    /// A connection that was just accepted.
    pub fn new(id: ClientId, peer: Peer, now_us: u64) -> Self {
        Self {
            id,
            peer,
            name: Vec::new(),
            lib_name: Vec::new(),
            lib_version: Vec::new(),
            db: 0,
            resp3: false,
            user: None,
            authenticated: false,
            reply_mode: ReplyMode::default(),
            no_evict: false,
            no_touch: false,
            level: None,
            transaction: None,
            executing: None,
            watched: Watched::new(),
            subscriptions: Subscriptions::default(),
            tracking: None,
            monitors: false,
            watch_broken: false,
            blocked: None,
            ran_us: 0,
            migration: None,
            output: Output::default(),
            waker: None,
            killed: false,
            close_after_reply: false,
            last_write: 0,
            created_us: now_us,
            active_us: now_us,
            waiting: false,
            read_ahead: 0,
            hung_up_since_us: None,
            over_soft_limit_since_us: None,
            last_command: "NULL",
            commands: 0,
            bytes_in: 0,
            bytes_out: 0,
            query_buffer: (0, 0),
            counted: 0,
        }
    }

    /// How much of replies may wait to be sent.
    pub fn output_limit(&self, config: &Config) -> BufferLimit {
        let [normal, _replica, pubsub] = config.output_buffer_limits();
        if self.subscriptions.is_empty() { normal } else { pubsub }
    }

    /// Whether replies that were not sent exceed the hard limit, or for too long the soft one.
    pub fn output_exceeds(&mut self, config: &Config, now_us: u64) -> bool {
        let (limit, waiting) = (self.output_limit(config), self.output.backlog() as u64);
        if limit.soft == 0 || waiting <= limit.soft {
            self.over_soft_limit_since_us = None;
        } else {
            self.over_soft_limit_since_us.get_or_insert(now_us);
        }
        let seconds_over = self.over_soft_limit_since_us.map(|since| now_us.saturating_sub(since) / 1_000_000);
        limit.hard != 0 && waiting >= limit.hard || seconds_over.is_some_and(|seconds| seconds > limit.soft_seconds)
    }

    /// Memory that it takes apart from replies and the request that runs, in bytes.
    pub fn memory_besides(&self) -> usize {
        let (query, query_free) = self.query_buffer;
        let queued = self.transaction.as_ref().map_or(0, Transaction::held_bytes);
        size_of::<Self>()
            + query
            + query_free
            + queued
            + self.name.len()
            + self.subscriptions.memory()
            + self.watched.len() * WATCHED_BYTES
            + self.tracking.as_ref().map_or(0, |tracker| tracker.memory())
    }

    /// Memory that it takes, in bytes.
    pub fn memory(&self) -> usize {
        self.memory_besides() + self.output.memory()
    }

    /// Brings its part of `total` up to date. One that ends counts no more.
    fn count_in(&mut self, total: &mut usize) {
        let now = if self.killed { 0 } else { self.memory() };
        *total = *total - std::mem::replace(&mut self.counted, now) + now;
    }

    /// Whether it is that user.
    pub fn is_user(&self, name: &[u8]) -> bool {
        self.user.as_ref().is_some_and(|user| user.name == name)
    }

    /// Ends the connection at once.
    pub fn kill(&mut self) {
        self.killed = true;
        self.wake();
    }

    /// Wakes the connection's task.
    pub fn wake(&self) {
        if let Some(waker) = &self.waker {
            waker.wake_by_ref();
        }
    }
}

/// All connections. One that is executing a command is *out*: its state is with the command.
#[derive(Default)]
pub struct Clients {
    last_id: ClientId,
    slots: BTreeMap<ClientId, Option<Box<Client>>>,
    /// What they take together, in bytes, as they were last counted.
    memory: usize,
}

impl Clients {
    /// Registers a connection.
    pub fn add(&mut self, peer: Peer, now_us: u64) -> ClientId {
        self.last_id += 1;
        self.slots.insert(self.last_id, Some(Box::new(Client::new(self.last_id, peer, now_us))));
        self.last_id
    }

    /// Takes a connection's state out, to be given back by [`Clients::put`].
    pub fn take(&mut self, id: ClientId) -> Box<Client> {
        let client = self.slots.get_mut(&id).and_then(Option::take);
        client.expect("a connection is registered, and executes one command at a time")
    }

    /// Gives back what [`Clients::take`] took.
    pub fn put(&mut self, client: Box<Client>) {
        let slot = self.slots.get_mut(&client.id).expect("a connection is registered until its task ends");
        *slot = Some(client);
    }

    /// Forgets a connection.
    pub fn remove(&mut self, id: ClientId) -> Option<Box<Client>> {
        let client = self.slots.remove(&id).flatten()?;
        self.memory -= client.counted;
        Some(client)
    }

    /// Counts the memory of a connection that is out.
    pub fn count(&mut self, client: &mut Client) {
        client.count_in(&mut self.memory);
    }

    /// Counts the memory of all that are not out.
    pub fn count_all(&mut self) {
        self.slots.values_mut().flatten().for_each(|client| client.count_in(&mut self.memory));
    }

    /// Ends the largest connections until the others take no more than `limit` bytes, as they were last counted; `current` is
    /// the one that is out. Answers how many.
    pub fn evict(&mut self, limit: usize, current: &mut Client) -> u64 {
        if self.memory <= limit {
            return 0;
        }
        let others = self.slots.values_mut().flatten().map(|client| &mut **client);
        let may_go = |client: &&mut Client| !client.no_evict && !client.killed;
        let mut by_size: Vec<&mut Client> = others.chain(std::iter::once(current)).filter(may_go).collect();
        by_size.sort_by_key(|client| std::cmp::Reverse(client.counted));
        let mut ended = 0;
        for client in by_size {
            if self.memory <= limit {
                break;
            }
            tracing::info!(
                client = client.id,
                bytes = client.counted,
                "Evicting client: all take more than maxmemory-clients"
            );
            self.memory -= std::mem::take(&mut client.counted);
            client.kill();
            ended += 1;
        }
        ended
    }

    /// A connection that is not out.
    pub fn get(&self, id: ClientId) -> Option<&Client> {
        self.slots.get(&id).and_then(Option::as_deref)
    }

    /// A connection that is not out.
    pub fn get_mut(&mut self, id: ClientId) -> Option<&mut Client> {
        self.slots.get_mut(&id).and_then(Option::as_deref_mut)
    }

    /// Those that are not out, by number.
    pub fn iter(&self) -> impl Iterator<Item = &Client> {
        self.slots.values().filter_map(Option::as_deref)
    }

    /// Those that are not out, by number.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Client> {
        self.slots.values_mut().filter_map(Option::as_deref_mut)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }
}
