//! WATCH: which connections want to know that a key was changed.

use std::collections::HashMap;

use super::client::{Client, ClientId, Clients};

/// A key that a connection watches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watched {
    /// Its database.
    pub db: usize,
    /// The key.
    pub key: Box<[u8]>,
    /// It had expired, but was not yet removed, when WATCH was called; its removal then is no change.
    pub was_expired: bool,
}

/// By database and key, who watches.
#[derive(Default)]
pub struct Watches {
    by_key: HashMap<(usize, Box<[u8]>), Vec<ClientId>>,
}

impl Watches {
    /// Lets `client` watch a key.
    pub fn watch(&mut self, client: &mut Client, db: usize, key: &[u8], was_expired: bool) {
        if client.watched.iter().any(|watched| watched.db == db && *watched.key == *key) {
            return;
        }
        client.watched.push(Watched { db, key: key.into(), was_expired });
        self.by_key.entry((db, key.into())).or_default().push(client.id);
    }

    /// Lets `client` watch nothing any more.
    pub fn unwatch_all(&mut self, client: &mut Client) {
        client.watch_broken = false;
        for watched in client.watched.drain(..) {
            let entry = (watched.db, watched.key);
            if let Some(watchers) = self.by_key.get_mut(&entry) {
                watchers.retain(|id| *id != client.id);
                if watchers.is_empty() {
                    self.by_key.remove(&entry);
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
        for id in self.by_key.get(&(db, Box::from(key))).into_iter().flatten() {
            let client = match &mut current {
                Some(client) if client.id == *id => Some(&mut **client),
                _ => clients.get_mut(*id),
            };
            let Some(client) = client else { continue };
            match client.watched.iter_mut().find(|watched| watched.db == db && *watched.key == *key) {
                Some(watched) if watched.was_expired => watched.was_expired = false,
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
