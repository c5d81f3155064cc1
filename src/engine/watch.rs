//! WATCH: which connections want to know that a key was changed.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::client::{Client, ClientId, Clients};

/// A key and its database.
type Place = (usize, Box<[u8]>);

/// The keys that a connection watches. Of each, whether it had expired, but was not yet removed, when WATCH was called:
/// its removal then is no change.
pub type Watched = HashMap<Place, bool>;

/// By database and key, who watches.
#[derive(Default)]
pub struct Watches {
    by_key: HashMap<Place, Vec<ClientId>>,
}

impl Watches {
    /// Lets `client` watch a key.
    pub fn watch(&mut self, client: &mut Client, db: usize, key: &[u8], was_expired: bool) {
        let Entry::Vacant(entry) = client.watched.entry((db, key.into())) else { return };
        self.by_key.entry(entry.key().clone()).or_default().push(client.id);
        entry.insert(was_expired);
    }

    /// Lets `client` watch nothing any more.
    pub fn unwatch_all(&mut self, client: &mut Client) {
        client.watch_broken = false;
        for (place, _) in std::mem::take(&mut client.watched) {
            if let Some(watchers) = self.by_key.get_mut(&place) {
                watchers.retain(|id| *id != client.id);
                if watchers.is_empty() {
                    self.by_key.remove(&place);
                }
            }
        }
    }

    /// Tells everybody who watches a key that it was changed; `current` is the connection that is out, if one is.
    pub fn key_changed(&self, db: usize, key: &[u8], clients: &mut Clients, mut current: Option<&mut Client>) {
        if self.by_key.is_empty() {
            return;
        }
        if let Some(watchers) = self.by_key.get(&(db, Box::from(key))) {
            for id in watchers {
                break_watch(*id, clients, current.as_deref_mut());
            }
        }
    }

    /// Tells everybody who watches a key that it was removed because its time was up. Who began to watch it after that
    /// time has seen no key then and sees none now: to them nothing has changed.
    pub fn key_expired(&self, db: usize, key: &[u8], clients: &mut Clients, mut current: Option<&mut Client>) {
        if self.by_key.is_empty() {
            return;
        }
        let place = (db, Box::from(key));
        for id in self.by_key.get(&place).into_iter().flatten() {
            let client = match &mut current {
                Some(client) if client.id == *id => Some(&mut **client),
                _ => clients.get_mut(*id),
            };
            let Some(client) = client else { continue };
            match client.watched.get_mut(&place) {
                Some(was_expired) if *was_expired => *was_expired = false,
                _ => client.watch_broken = true,
            }
        }
    }

    /// Tells everybody who watches a key of `db` for which `changed` holds.
    pub fn database_changed(
        &self,
        db: usize,
        mut changed: impl FnMut(&[u8]) -> bool,
        clients: &mut Clients,
        mut current: Option<&mut Client>,
    ) {
        for ((watched_db, key), watchers) in &self.by_key {
            if *watched_db == db && changed(key) {
                for id in watchers {
                    break_watch(*id, clients, current.as_deref_mut());
                }
            }
        }
    }

    /// How many keys are watched.
    pub fn len(&self) -> usize {
        self.by_key.len()
    }

    /// Whether no key is watched.
    pub fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }
}

fn break_watch(id: ClientId, clients: &mut Clients, current: Option<&mut Client>) {
    match current {
        Some(client) if client.id == id => client.watch_broken = true,
        _ => {
            if let Some(client) = clients.get_mut(id) {
                client.watch_broken = true;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::client::Peer;

    #[test]
    fn a_key_watched_again_is_watched_once_and_nothing_is_left_behind() {
        let mut watches = Watches::default();
        let (mut one, mut two) = (Client::new(1, Peer::default(), 0), Client::new(2, Peer::default(), 0));
        for key in [b"a", b"b", b"a"] {
            watches.watch(&mut one, 0, key, false);
        }
        watches.watch(&mut two, 0, b"a", false);
        assert_eq!((one.watched.len(), watches.len()), (2, 2));
        watches.unwatch_all(&mut one);
        watches.key_changed(0, b"a", &mut Clients::default(), Some(&mut two));
        assert!(two.watch_broken && !one.watch_broken);
        watches.unwatch_all(&mut two);
        assert!(watches.is_empty());
    }

    /// 200,000 keys compared with one another would take minutes.
    #[test]
    fn the_cost_of_watching_does_not_grow_with_what_is_watched() {
        let mut watches = Watches::default();
        let mut client = Client::new(1, Peer::default(), 0);
        for key in 0..200_000u32 {
            watches.watch(&mut client, 0, &key.to_le_bytes(), false);
        }
        assert_eq!(watches.len(), 200_000);
    }
}
