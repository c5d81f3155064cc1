//! Which connections wait for which keys: BLPOP and its like.
//!
//! A connection waits for *any* of some keys to hold a value of a type ([`KeyWait`]). Commands say which keys changed
//! ([`BlockedKeys::signal`]); those that somebody may get something out of become *ready*, in that order. When the unit
//! that changed them is over, `command/key_waits.rs` takes the ready keys one after the other, and of each the
//! connections in the order in which they began to wait, and runs their commands anew.
//!
//! What always holds: a connection that is registered here is blocked ([`BlockedOn::Keys`](super::client::BlockedOn)),
//! and one that ends, or whose wait ends otherwise, is taken out at once, so that nothing is ever taken for it.

use std::collections::{BTreeMap, HashMap, VecDeque};

use super::client::{ClientId, OwnedCommand};
use crate::keyspace::{self, Db, Kind};

/// What a connection waits for.
#[derive(Debug)]
pub struct KeyWait {
    /// The database of the keys.
    pub db: usize,
    /// The keys, any of which will do.
    pub keys: Vec<Box<[u8]>>,
    /// The type of value that is waited for.
    pub kind: Kind,
    /// Whether it ends, too, when a key is deleted or gets a value of another type: what is waited for lies in the value.
    pub ends_when_gone: bool,
    /// What is run anew when a key is ready.
    pub command: OwnedCommand,
}

/// A place in the order in which connections began to wait.
pub type Turn = u64;

/// A key and its database.
pub type Place = (usize, Box<[u8]>);

/// Who waits for one key.
#[derive(Default)]
struct Queue {
    waiters: BTreeMap<Turn, ClientId>,
    /// How many of them wait for the end of the key as well.
    until_gone: usize,
    is_ready: bool,
}

/// See the module.
#[derive(Default)]
pub struct BlockedKeys {
    /// By database.
    queues: Vec<HashMap<Box<[u8]>, Queue>>,
    waits: HashMap<ClientId, (Turn, KeyWait)>,
    ready: VecDeque<Place>,
    next_turn: Turn,
}

/// The type of a key's value, if it is there at that time.
pub fn kind_at(dbs: &[Db], now_ms: u64, db: usize, key: &[u8]) -> Option<Kind> {
    let entry = dbs[db].find(keyspace::hash(key), key)?;
    entry.expiry().is_none_or(|at_ms| at_ms > now_ms as i64).then(|| entry.kind())
}

impl BlockedKeys {
    /// Lets a connection wait, behind all that wait already.
    pub fn block(&mut self, client: ClientId, wait: KeyWait) {
        if self.queues.len() <= wait.db {
            self.queues.resize_with(wait.db + 1, HashMap::new);
        }
        let turn = self.next_turn;
        self.next_turn += 1;
        for key in &wait.keys {
            let queue = self.queues[wait.db].entry(key.clone()).or_default();
            // A key may be named twice.
            if queue.waiters.insert(turn, client).is_none() {
                queue.until_gone += usize::from(wait.ends_when_gone);
            }
        }
        let before = self.waits.insert(client, (turn, wait));
        debug_assert!(before.is_none(), "a connection executes one command at a time");
    }

    /// Ends a connection's wait, if there is one; answers what it was.
    pub fn remove(&mut self, client: ClientId) -> Option<KeyWait> {
        let (turn, wait) = self.waits.remove(&client)?;
        for key in &wait.keys {
            let Some(queue) = self.queues[wait.db].get_mut(key) else { continue };
            if queue.waiters.remove(&turn).is_some() {
                queue.until_gone -= usize::from(wait.ends_when_gone);
            }
            if queue.waiters.is_empty() {
                self.queues[wait.db].remove(key);
            }
        }
        Some(wait)
    }

    /// What a connection waits for.
    pub fn get(&self, client: ClientId) -> Option<&KeyWait> {
        self.waits.get(&client).map(|(_, wait)| wait)
    }

    /// A key was changed, and is now as it stands in `dbs`: it becomes ready if somebody may get something out of that.
    #[inline]
    pub fn signal(&mut self, dbs: &[Db], db: usize, key: &[u8]) {
        if !self.waits.is_empty() {
            self.look_at(dbs, db, key);
        }
    }

    fn look_at(&mut self, dbs: &[Db], db: usize, key: &[u8]) {
        let Some(queue) = self.queues.get_mut(db).and_then(|queues| queues.get_mut(key)) else { return };
        // Nobody waits for a string, a set or a hash; and in Redis, too, each of the other types makes a key ready,
        // whichever of them is waited for.
        let kind = dbs[db].find(keyspace::hash(key), key).map(keyspace::Entry::kind);
        let is_awaited = matches!(kind, Some(Kind::List | Kind::Zset | Kind::Stream));
        if (is_awaited || queue.until_gone > 0) && !queue.is_ready {
            queue.is_ready = true;
            self.ready.push_back((db, key.into()));
        }
    }

    /// [`BlockedKeys::signal`] for all keys of a database.
    pub fn signal_database(&mut self, dbs: &[Db], db: usize) {
        let Some(queues) = self.queues.get(db).filter(|queues| !queues.is_empty()) else { return };
        let mut keys: Vec<Box<[u8]>> = queues.keys().cloned().collect();
        keys.sort();
        keys.iter().for_each(|key| self.look_at(dbs, db, key));
    }

    /// Whether a key is ready.
    #[inline]
    pub fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Takes the key that became ready first.
    pub fn next_ready(&mut self) -> Option<Place> {
        let (db, key) = self.ready.pop_front()?;
        if let Some(queue) = self.queues[db].get_mut(&key) {
            queue.is_ready = false;
        }
        Some((db, key))
    }

    /// Puts a key back as the first one that is ready.
    pub fn ready_again(&mut self, (db, key): Place) {
        if let Some(queue) = self.queues[db].get_mut(&key) {
            queue.is_ready = true;
            self.ready.push_front((db, key));
        }
    }

    /// The turn that the next connection to wait will get.
    pub fn next_turn(&self) -> Turn {
        self.next_turn
    }

    /// Who waits for a key, from a turn on.
    pub fn waiter(&self, (db, key): &Place, from: Turn) -> Option<(Turn, ClientId)> {
        let queue = self.queues.get(*db)?.get(key)?;
        queue.waiters.range(from..).next().map(|(turn, client)| (*turn, *client))
    }

    /// Whether somebody waits for the end of a key.
    pub fn is_awaited_gone(&self, (db, key): &Place) -> bool {
        self.queues.get(*db).and_then(|queues| queues.get(key)).is_some_and(|queue| queue.until_gone > 0)
    }

    /// Number of keys that are waited for.
    pub fn len(&self) -> usize {
        self.queues.iter().map(HashMap::len).sum()
    }

    /// Whether nobody waits.
    pub fn is_empty(&self) -> bool {
        self.waits.is_empty()
    }

    /// Number of keys whose end is waited for.
    pub fn awaited_gone(&self) -> usize {
        self.queues.iter().flat_map(HashMap::values).filter(|queue| queue.until_gone > 0).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyspace::{Entry, Set, SetLimits};

    fn wait(keys: &[&[u8]], ends_when_gone: bool) -> KeyWait {
        let keys = keys.iter().map(|key| Box::from(*key)).collect();
        KeyWait { db: 0, keys, kind: Kind::List, ends_when_gone, command: vec![] }
    }

    #[test]
    fn connections_are_named_in_the_order_in_which_they_came_and_leave_nothing_behind() {
        let mut blocked = BlockedKeys::default();
        blocked.block(7, wait(&[b"a", b"b", b"a"], false));
        blocked.block(3, wait(&[b"b"], true));
        assert_eq!((blocked.len(), blocked.awaited_gone()), (2, 1));
        let b: Place = (0, Box::from(&b"b"[..]));
        assert_eq!(blocked.waiter(&b, 0), Some((0, 7)));
        assert_eq!(blocked.waiter(&b, 1), Some((1, 3)));
        assert_eq!(blocked.remove(7).unwrap().keys.len(), 3);
        assert!(blocked.remove(7).is_none());
        assert_eq!(blocked.waiter(&b, 0), Some((1, 3)));
        blocked.remove(3);
        assert!(blocked.is_empty());
        assert_eq!((blocked.len(), blocked.awaited_gone()), (0, 0));
    }

    #[test]
    fn a_key_is_ready_once_and_only_for_a_type_that_is_waited_for() {
        let mut dbs = vec![Db::new()];
        let mut blocked = BlockedKeys::default();
        blocked.block(1, wait(&[b"a"], false));
        blocked.block(2, wait(&[b"b"], true));
        let limits = SetLimits { intset_entries: 0, listpack_entries: 0, listpack_value: 0 };
        dbs[0].insert(keyspace::hash(b"a"), Entry::of(b"a", Set::for_members(b"1", 1, &limits), None));
        for key in [&b"a"[..], b"b", b"b", b"c"] {
            blocked.signal(&dbs, 0, key);
        }
        assert_eq!(blocked.next_ready(), Some((0, Box::from(&b"b"[..]))), "it is gone, and that was waited for");
        assert!(!blocked.has_ready());
        blocked.signal(&dbs, 0, b"b");
        assert!(blocked.has_ready());
    }
}
