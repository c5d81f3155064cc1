//! Freeing what takes long away from the one thread: values that UNLINK and its like took out, and flushed databases.
//!
//! One helper thread, started by the first thing that is worth it, drops what it is sent. Whoever sends something owns it
//! alone, so the thread touches nothing that the engine uses. It ends with the engine.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Sender};

use super::memory::Elsewhere;
use crate::keyspace::{Cleared, Entry};

/// Values that are no more work than this to free are freed at once, as in Redis.
const EFFORT: usize = 64;

/// The helper thread, if it was needed yet.
#[derive(Default)]
pub struct Lazyfree {
    helper: Option<Sender<Garbage>>,
    pending: Arc<AtomicU64>,
    /// What the helper has freed.
    pub memory: Elsewhere,
}

/// What can be freed elsewhere. Nobody reads it again.
#[allow(dead_code, reason = "it is only dropped")]
enum Garbage {
    Entry(Entry),
    Database(Cleared),
}

impl Garbage {
    /// Number of objects, as Redis counts them.
    fn objects(&self) -> u64 {
        match self {
            Self::Entry(_) => 1,
            Self::Database(cleared) => cleared.len() as u64,
        }
    }
}

impl Lazyfree {
    /// Frees a value, at once if that is little work; answers how many objects went to the helper.
    pub fn entry(&mut self, entry: Entry) -> u64 {
        if entry.free_effort() > EFFORT { self.send(Garbage::Entry(entry)) } else { 0 }
    }

    /// Frees what a database held; answers how many objects went to the helper.
    pub fn database(&mut self, cleared: Cleared) -> u64 {
        self.send(Garbage::Database(cleared))
    }

    /// Objects that the helper has not yet freed.
    pub fn pending(&self) -> u64 {
        self.pending.load(Ordering::Relaxed)
    }

    fn send(&mut self, garbage: Garbage) -> u64 {
        let objects = garbage.objects();
        if self.helper.is_none() {
            self.helper = start(self.pending.clone(), self.memory.clone());
        }
        if let Some(helper) = &self.helper {
            self.pending.fetch_add(objects, Ordering::Relaxed);
            helper.send(garbage).expect("the helper ends only when nobody can send");
        }
        objects
    }
}

/// If there can be no thread, what would have been sent to it is freed at once.
fn start(pending: Arc<AtomicU64>, memory: Elsewhere) -> Option<Sender<Garbage>> {
    let (sender, receiver) = mpsc::channel::<Garbage>();
    let work = move || {
        for garbage in receiver {
            let objects = garbage.objects();
            memory.work(|| drop(garbage));
            pending.fetch_sub(objects, Ordering::Relaxed);
        }
    };
    std::thread::Builder::new().name("free".into()).spawn(work).ok().map(|_| sender)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyspace::{Db, Set, SetLimits, hash};

    fn set(members: usize) -> Entry {
        let limits = SetLimits { intset_entries: 0, listpack_entries: 0, listpack_value: 0 };
        let mut set = Set::for_members(b"1", members, &limits);
        (0..members).for_each(|member| _ = set.insert(member.to_string().as_bytes(), &limits));
        Entry::of(b"key", set, None)
    }

    #[test]
    fn only_what_takes_long_goes_to_the_helper_and_is_freed_there() {
        let mut lazyfree = Lazyfree::default();
        assert_eq!(lazyfree.entry(set(EFFORT)), 0);
        assert_eq!(lazyfree.entry(Entry::string(b"key", &[b'x'; 100_000], None)), 0);
        assert!(lazyfree.helper.is_none());
        assert_eq!(lazyfree.entry(set(EFFORT + 1)), 1);
        let mut db = Db::new();
        db.insert(hash(b"key"), set(1000));
        assert_eq!(lazyfree.database(db.clear()), 1);
        while lazyfree.pending() > 0 {
            std::thread::yield_now();
        }
    }
}
