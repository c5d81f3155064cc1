//! Who listens to which channels, and what is sent to them.
//!
//! A message is a *push*: it goes to other connections than the one that caused it, when the unit under way is over and
//! its effects have their offset. It leaves behind the gate like any reply, at the level of the connection that
//! receives it.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::Engine;
use super::client::{Client, ClientId};
use super::gate::Gate;
use super::tracking;
use crate::base::glob;
use crate::resp::Reply;

/// What a name to listen to stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A channel.
    Channel,
    /// All channels that match a pattern.
    Pattern,
    /// A channel of one slot of a cluster.
    Shard,
}

type Names = BTreeSet<Rc<[u8]>>;

/// What a connection listens to.
#[derive(Debug, Default)]
pub struct Subscriptions {
    /// By [`Kind`].
    names: [Names; 3],
    /// Memory of the names.
    bytes: usize,
}

/// What listening to a name takes, in bytes.
fn bytes_of(name: &[u8]) -> usize {
    name.len() + size_of::<Rc<[u8]>>()
}

impl Subscriptions {
    fn of(&self, kind: Kind) -> &Names {
        &self.names[kind as usize]
    }

    /// The names of that kind.
    pub fn names(&self, kind: Kind) -> impl Iterator<Item = &[u8]> {
        self.of(kind).iter().map(|name| &**name)
    }

    /// One of the names of that kind.
    pub fn first(&self, kind: Kind) -> Option<Rc<[u8]>> {
        self.of(kind).first().cloned()
    }

    /// How many names of that kind.
    pub fn count(&self, kind: Kind) -> usize {
        self.of(kind).len()
    }

    /// The count that a reply about a name of that kind tells.
    pub fn told(&self, kind: Kind) -> usize {
        match kind {
            Kind::Channel | Kind::Pattern => self.count(Kind::Channel) + self.count(Kind::Pattern),
            Kind::Shard => self.count(Kind::Shard),
        }
    }

    /// Whether it listens to nothing.
    pub fn is_empty(&self) -> bool {
        self.names.iter().all(BTreeSet::is_empty)
    }

    /// Memory held, in bytes: names count for each who listens to them.
    pub fn memory(&self) -> usize {
        self.bytes
    }
}

type Listeners = BTreeMap<Rc<[u8]>, BTreeSet<ClientId>>;

/// Who listens, by name.
#[derive(Default)]
pub struct PubSub {
    /// By [`Kind`].
    listeners: [Listeners; 3],
}

impl PubSub {
    fn of(&self, kind: Kind) -> &Listeners {
        &self.listeners[kind as usize]
    }

    /// Lets a connection listen to a name.
    pub fn subscribe(&mut self, client: &mut Client, kind: Kind, name: &[u8]) {
        let listeners = &mut self.listeners[kind as usize];
        let name = listeners.get_key_value(name).map_or_else(|| Rc::from(name), |(known, _)| known.clone());
        listeners.entry(name.clone()).or_default().insert(client.id);
        let bytes = bytes_of(&name);
        if client.subscriptions.names[kind as usize].insert(name) {
            client.subscriptions.bytes += bytes;
        }
    }

    /// Lets it listen to a name no more.
    pub fn unsubscribe(&mut self, client: &mut Client, kind: Kind, name: &[u8]) {
        if client.subscriptions.names[kind as usize].remove(name) {
            client.subscriptions.bytes -= bytes_of(name);
        }
        let listeners = &mut self.listeners[kind as usize];
        if let Some(ids) = listeners.get_mut(name) {
            ids.remove(&client.id);
            if ids.is_empty() {
                listeners.remove(name);
            }
        }
    }

    /// Lets it listen to nothing.
    pub fn unsubscribe_all(&mut self, client: &mut Client) {
        for kind in [Kind::Channel, Kind::Pattern, Kind::Shard] {
            while let Some(name) = client.subscriptions.first(kind) {
                self.unsubscribe(client, kind, &name);
            }
        }
    }

    /// How many names of that kind somebody listens to.
    pub fn len(&self, kind: Kind) -> usize {
        self.of(kind).len()
    }

    /// How many listen to this name.
    pub fn count(&self, kind: Kind, name: &[u8]) -> usize {
        self.of(kind).get(name).map_or(0, BTreeSet::len)
    }

    /// The names of that kind that somebody listens to.
    pub fn names(&self, kind: Kind) -> impl Iterator<Item = &[u8]> {
        self.of(kind).keys().map(|name| &**name)
    }

    /// A message on a channel, as it goes to all who listen: first to those that named it, then pattern by pattern.
    pub fn message(&self, kind: Kind, channel: &[u8], message: &[u8]) -> Vec<Push> {
        let mut pushes = Vec::new();
        if let Some(ids) = self.of(kind).get(channel) {
            let event: &[u8] = if kind == Kind::Shard { b"smessage" } else { b"message" };
            pushes.push(Push::new(ids, &[event, channel, message]));
        }
        if kind == Kind::Channel {
            for (pattern, ids) in self.of(Kind::Pattern).iter().filter(|(pattern, _)| glob::matches(pattern, channel)) {
                pushes.push(Push::new(ids, &[b"pmessage", pattern, channel, message]));
            }
        }
        pushes
    }
}

/// Something that is sent to connections which did not ask for it just now.
#[derive(Debug)]
pub enum Push {
    /// A message on a channel.
    Message {
        /// Who listens.
        receivers: Vec<ClientId>,
        /// From its second byte on: the first one tells the protocol.
        body: Vec<u8>,
    },
    /// Something has changed that they may hold.
    Changed {
        /// Who tracks it.
        ids: Vec<ClientId>,
        /// Who changed it.
        by: ClientId,
        /// What.
        what: tracking::What,
    },
}

impl Push {
    fn new(receivers: &BTreeSet<ClientId>, words: &[&[u8]]) -> Self {
        let mut reply = Reply::resp3();
        reply.push(words.len());
        words.iter().for_each(|word| reply.bulk(word));
        Self::Message { receivers: receivers.iter().copied().collect(), body: reply.into_bytes().split_off(1) }
    }

    /// To how many it goes.
    pub fn receivers(&self) -> usize {
        match self {
            Self::Message { receivers, .. } => receivers.len(),
            Self::Changed { ids, .. } => ids.len(),
        }
    }
}

impl Engine {
    /// Sends pushes, which tell of what happened up to `offset`. `current` is the connection that is out.
    pub fn deliver(&mut self, pushes: &[Push], offset: u64, current: &mut Client) {
        for push in pushes {
            match push {
                Push::Message { receivers, body } => {
                    for id in receivers {
                        self.send_unasked(*id, offset, Some(&mut *current), |client, buffer| {
                            buffer.push(if client.resp3 { b'>' } else { b'*' });
                            buffer.extend_from_slice(body);
                        });
                    }
                }
                Push::Changed { ids, by, what } => self.tell_trackers(ids, *by, what, offset, current),
            }
        }
    }

    /// Sends to a connection what it did not ask for just now, and what tells of what happened up to `offset`: behind the gate,
    /// at its own level. `current` is the connection that is out, if it may be sent to.
    pub(super) fn send_unasked(
        &mut self,
        to: ClientId,
        offset: u64,
        current: Option<&mut Client>,
        write: impl FnOnce(&Client, &mut Vec<u8>),
    ) {
        let default = self.default_level();
        let current = current.filter(|client| client.id == to);
        let Some(client) = current.or_else(|| self.clients.get_mut(to)) else { return };
        if client.killed || client.close_after_reply {
            return;
        }
        let mut buffer = client.output.take();
        write(client, &mut buffer);
        let ticket = Gate::ticket(offset, client.level.unwrap_or(default));
        client.output.put(buffer, ticket, &self.gate, self.stream.batch_start());
        // It may have no turn before the next message comes.
        if client.output_exceeds(&self.config, self.monotonic_us) {
            self.stats.output_buffer_disconnections += 1;
            tracing::warn!(client = client.id, "Closing client that reached its output buffer limit");
            client.killed = true;
        }
        client.wake();
    }
}
