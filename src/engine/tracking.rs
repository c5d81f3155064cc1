//! Client-side caching: which connections may hold which keys, and who is told that they changed.
//!
//! A connection that tracks is told once of each key that it has read ([`Tracking::remember`]), or, if it broadcasts, of every
//! key with one of its prefixes. Keys are known by name, whatever their database, as in Redis. What is told leaves like any
//! push: when its unit is over, behind the gate, at the level of the connection that receives it. So nobody drops a key for
//! a change that a crash could take back, and nobody hears of a change later than of a reply that follows it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use smallvec::SmallVec;

use super::Engine;
use super::client::{Client, ClientId, Clients};
use super::pubsub::Push;
use crate::resp::Reply;

/// The channel on which a connection that speaks RESP2 hears of changes in the place of another.
const CHANNEL: &[u8] = b"__redis__:invalidate";

/// Keys that one command takes out of a table that is too large, at most.
const DROPPED_A_COMMAND: usize = 1000;

/// How a connection tracks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mode {
    /// It is told of every key with one of its prefixes.
    pub broadcasts: bool,
    /// It is told of keys that it reads behind CLIENT CACHING YES only.
    pub opts_in: bool,
    /// It is told of keys that it does not read behind CLIENT CACHING NO.
    pub opts_out: bool,
    /// It is not told of what it changes itself.
    pub no_loop: bool,
    /// The connection that is told instead, if there is one.
    pub redirect: Option<ClientId>,
}

/// What a connection that tracks knows of that.
#[derive(Debug, Default)]
pub struct Tracker {
    /// How.
    pub mode: Mode,
    /// CLIENT CACHING was called, and holds for the next command.
    pub caching: bool,
    /// The connection that was to be told has gone.
    pub is_broken: bool,
    /// Its prefixes, if it broadcasts.
    pub prefixes: BTreeSet<Vec<u8>>,
}

impl Tracker {
    /// Memory that it takes, in bytes.
    pub fn memory(&self) -> usize {
        size_of::<Self>() + self.prefixes.iter().map(|prefix| prefix.len() + 2 * size_of::<Vec<u8>>()).sum::<usize>()
    }

    /// Whether keys that are read now are remembered.
    fn remembers(&self) -> bool {
        let Mode { broadcasts, opts_in, opts_out, .. } = self.mode;
        let opted_out = if self.caching { opts_out } else { opts_in };
        !broadcasts && !opted_out
    }
}

/// In order.
type Ids = SmallVec<[ClientId; 2]>;

/// When a key has as many holders as this, or twice as many, and so on, those that have gone are forgotten.
const MANY_HOLDERS: usize = 32;

/// See the module.
#[derive(Debug, Default)]
pub struct Tracking {
    /// How many connections track.
    clients: usize,
    /// Who may hold a key.
    holders: BTreeMap<Box<[u8]>, Ids>,
    /// How many holders there are of all keys.
    items: usize,
    /// Who broadcasts a prefix.
    prefixes: BTreeMap<Vec<u8>, BTreeSet<ClientId>>,
    /// The last key that was dropped because there were too many: the next one stands behind it.
    dropped: Box<[u8]>,
}

impl Tracking {
    /// Whether anybody tracks.
    #[inline]
    pub fn is_on(&self) -> bool {
        self.clients > 0
    }

    /// How many connections track.
    pub fn clients(&self) -> usize {
        self.clients
    }

    /// Numbers of keys, of their holders, and of prefixes.
    pub fn counts(&self) -> [usize; 3] {
        [self.holders.len(), self.items, self.prefixes.len()]
    }

    /// Lets a connection track, in this mode and with these prefixes besides those that it has.
    pub fn enable(&mut self, client: &mut Client, mode: Mode, mut prefixes: Vec<Vec<u8>>) {
        self.clients += usize::from(client.tracking.is_none());
        let tracker = client.tracking.get_or_insert_default();
        if mode.broadcasts && prefixes.is_empty() {
            prefixes.push(Vec::new());
        }
        for prefix in prefixes {
            self.prefixes.entry(prefix.clone()).or_default().insert(client.id);
            tracker.prefixes.insert(prefix);
        }
        tracker.mode = mode;
        tracker.is_broken = false;
    }

    /// Lets it track no more.
    pub fn disable(&mut self, client: &mut Client) {
        let Some(tracker) = client.tracking.take() else { return };
        self.clients -= 1;
        for prefix in tracker.prefixes {
            if let Some(ids) = self.prefixes.get_mut(&prefix) {
                ids.remove(&client.id);
                if ids.is_empty() {
                    self.prefixes.remove(&prefix);
                }
            }
        }
        if self.clients == 0 {
            *self = Self::default();
        }
    }

    /// A connection has read these keys, `clients` being all others.
    pub fn remember<'a>(&mut self, client: &Client, clients: &Clients, keys: impl Iterator<Item = &'a [u8]>) {
        if !client.tracking.as_ref().is_some_and(|tracker| tracker.remembers()) {
            return;
        }
        let tracks =
            |id: &mut ClientId| *id == client.id || clients.get(*id).is_some_and(|other| other.tracking.is_some());
        for key in keys {
            let ids = match self.holders.get_mut(key) {
                Some(ids) => ids,
                None => self.holders.entry(key.into()).or_default(),
            };
            let Err(place) = ids.binary_search(&client.id) else { continue };
            ids.insert(place, client.id);
            self.items += 1;
            // A key that never changes would keep the number of every connection that ever read it.
            if ids.len() >= MANY_HOLDERS && ids.len().is_power_of_two() {
                let before = ids.len();
                ids.retain(tracks);
                self.items -= before - ids.len();
            }
        }
    }

    /// Who held a key that has changed: they hold it no more.
    fn take(&mut self, key: &[u8]) -> Ids {
        let ids = self.holders.remove(key).unwrap_or_default();
        self.items -= ids.len();
        ids
    }
}

/// What the unit under way changed, for those who track.
#[derive(Debug, Default)]
pub struct Changed {
    /// Keys, and who changed them, for who hears of all with a prefix.
    keys: BTreeMap<Vec<u8>, ClientId>,
    /// What the connection is told that changed them: behind what all others are told.
    own: Vec<Push>,
}

/// What changed.
#[derive(Debug)]
pub enum What {
    /// These keys, as an array.
    Keys(Vec<u8>),
    /// Everything.
    Everything,
}

impl What {
    fn keys<'a>(keys: impl ExactSizeIterator<Item = &'a [u8]>) -> Self {
        let mut reply = Reply::resp3();
        reply.array(keys.len());
        keys.for_each(|key| reply.bulk(key));
        Self::Keys(reply.into_bytes())
    }

    fn write(&self, resp3: bool, buffer: &mut Vec<u8>) {
        match self {
            Self::Keys(array) => buffer.extend_from_slice(array),
            Self::Everything => buffer.extend_from_slice(if resp3 { b"_\r\n" } else { b"$-1\r\n" }),
        }
    }
}

impl Engine {
    /// A key has changed. What is to be told goes to `pushes`, in order; who broadcasts hears of all `changed` keys together.
    pub fn key_changed_for_trackers(
        &mut self,
        by: &Client,
        asked: bool,
        key: &[u8],
        pushes: &mut Vec<Push>,
        changed: &mut Option<Box<Changed>>,
    ) {
        let ids = self.tracking.take(key);
        if !ids.is_empty() {
            // Who has begun to broadcast since it read the key hears of it in that way.
            let reads = |id: &ClientId| {
                let client = if *id == by.id { Some(by) } else { self.clients.get(*id) };
                !client.and_then(|client| client.tracking.as_ref()).is_some_and(|tracker| tracker.mode.broadcasts)
            };
            let (own, others): (Vec<ClientId>, Vec<ClientId>) =
                ids.into_iter().filter(reads).partition(|id| *id == by.id);
            let told = |ids| Push::Changed { ids, by: by.id, what: What::keys(std::iter::once(key)) };
            if !others.is_empty() {
                pushes.push(told(others));
            }
            if !own.is_empty() {
                changed.get_or_insert_default().own.push(told(own));
            }
        }
        if !self.tracking.prefixes.is_empty() {
            // As in Redis, to who broadcasts it is nobody's own what a script changes, or what was removed unasked.
            let by = if self.scripts.running.is_some() || !asked { 0 } else { by.id };
            changed.get_or_insert_default().keys.insert(key.to_vec(), by);
        }
    }

    /// What is told at the end of a unit: to the connection itself, and to those who broadcast.
    pub fn broadcast(&self, by: &Client, changed: Changed, pushes: &mut Vec<Push>) {
        let (by_id, no_loop) = (by.id, by.tracking.as_ref().is_some_and(|tracker| tracker.mode.no_loop));
        pushes.extend(changed.own);
        if changed.keys.is_empty() {
            return;
        }
        for (prefix, ids) in &self.tracking.prefixes {
            let keys: Vec<(&[u8], ClientId)> = changed
                .keys
                .iter()
                .filter(|(key, _)| key.starts_with(prefix))
                .map(|(key, by)| (key.as_slice(), *by))
                .collect();
            if keys.is_empty() {
                continue;
            }
            // Who changed some of them may not want to hear of those.
            let of_all: Vec<&[u8]> = keys.iter().map(|(key, _)| *key).collect();
            let of_others: Vec<&[u8]> = keys.iter().filter(|(_, by)| *by != by_id).map(|(key, _)| *key).collect();
            let (own, others): (Vec<ClientId>, Vec<ClientId>) = ids.iter().partition(|id| **id == by_id && no_loop);
            for (ids, keys) in [(others, of_all), (own, of_others)] {
                if !ids.is_empty() && !keys.is_empty() {
                    pushes.push(Push::Changed { ids, by: 0, what: What::keys(keys.into_iter()) });
                }
            }
        }
    }

    /// Whatever anybody holds may be wrong: what all who track are told. `by` is the connection that is out, if one is.
    pub fn everything_changed_for_trackers(
        &mut self,
        by: Option<&Client>,
        changed: &mut Option<Box<Changed>>,
    ) -> Option<Push> {
        if !self.tracking.is_on() {
            return None;
        }
        (self.tracking.holders, self.tracking.items) = (BTreeMap::new(), 0);
        let told = |client: &&Client| client.tracking.is_some();
        let everything = |ids| Push::Changed { ids, by: 0, what: What::Everything };
        if let Some(client) = by.filter(told) {
            changed.get_or_insert_default().own.push(everything(vec![client.id]));
        }
        Some(everything(self.clients.iter().filter(told).map(|client| client.id).collect()))
    }

    /// Keeps the table of keys within its limit: holders of keys that are dropped are told that they changed.
    pub fn limit_tracking(&mut self) -> Vec<Push> {
        let limit = self.config.tracking_table_max_keys();
        let tracking = &mut self.tracking;
        let mut pushes = Vec::new();
        while limit != 0 && tracking.holders.len() > limit && pushes.len() < DROPPED_A_COMMAND {
            let behind = (Bound::Excluded(&*tracking.dropped), Bound::Unbounded);
            let next = tracking.holders.range::<[u8], _>(behind).next().or_else(|| tracking.holders.iter().next());
            let Some(key) = next.map(|(key, _)| key.clone()) else { break };
            let ids = tracking.take(&key).to_vec();
            pushes.push(Push::Changed { ids, by: 0, what: What::keys(std::iter::once(&*key)) });
            tracking.dropped = key;
        }
        pushes
    }

    /// Tells these connections, or who hears it in their place, of a change `by` a connection.
    pub(super) fn tell_trackers(
        &mut self,
        ids: &[ClientId],
        by: ClientId,
        what: &What,
        offset: u64,
        current: &mut Client,
    ) {
        for id in ids {
            let Some(Mode { no_loop, redirect, .. }) = self.tracker(*id, current).map(|tracker| tracker.mode.clone())
            else {
                continue;
            };
            if no_loop && *id == by {
                continue;
            }
            let Some(other) = redirect else {
                self.send_change(*id, what, None, offset, current);
                continue;
            };
            let resp3 = if current.id == *id {
                current.resp3
            } else {
                self.clients.get(*id).is_some_and(|client| client.resp3)
            };
            if current.id == other || self.clients.get(other).is_some_and(|client| !client.killed) {
                self.send_change(other, what, Some(resp3), offset, current);
                continue;
            }
            if let Some(tracker) = self.tracker(*id, current) {
                tracker.is_broken = true;
            }
            self.send_unasked(*id, offset, Some(&mut *current), |client, buffer| {
                if client.resp3 {
                    let mut reply = Reply::continuing(std::mem::take(buffer), true);
                    reply.push(2);
                    reply.bulk(b"tracking-redir-broken");
                    reply.integer(other as i64);
                    *buffer = reply.into_bytes();
                }
            });
        }
    }

    fn tracker<'a>(&'a mut self, id: ClientId, current: &'a mut Client) -> Option<&'a mut Tracker> {
        let client = if current.id == id { Some(current) } else { self.clients.get_mut(id) };
        client?.tracking.as_deref_mut()
    }

    /// `in_place_of` is, for who hears of it in the place of another, whether that one speaks RESP3.
    fn send_change(&mut self, to: ClientId, what: &What, in_place_of: Option<bool>, offset: u64, current: &mut Client) {
        let redirected = in_place_of.is_some();
        self.send_unasked(to, offset, Some(current), |client, buffer| {
            let listens = !client.subscriptions.is_empty();
            let mut reply = Reply::continuing(std::mem::take(buffer), client.resp3);
            if client.resp3 {
                reply.push(2);
                reply.bulk(b"invalidate");
            } else if redirected && listens {
                reply.array(3);
                reply.bulk(b"message");
                reply.bulk(CHANNEL);
            }
            *buffer = reply.into_bytes();
            // Who speaks RESP2 and does not listen cannot be told anything.
            if client.resp3 || redirected && listens {
                // As Redis does it, both have to speak RESP3 for a null of it; but nobody gets one who does not.
                what.write(client.resp3 && in_place_of.unwrap_or(true), buffer);
            }
        });
    }
}
