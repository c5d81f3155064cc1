//! All keys of a [`Db`](super::Db), each asked for from memory some keys before its turn.
//!
//! A snapshot meets every key once, and nearly each lies where nobody has looked for long: without this the processor waits for
//! one after the other.

use super::entry::Entry;
use super::table::Keyed;

/// So many keys are on their way: about as many cache lines as a processor fetches at a time.
const WAITING: usize = 16;

/// See the module.
pub struct Ahead<'a, I> {
    keys: I,
    waiting: [Option<&'a Entry>; WAITING],
    /// Whose turn it is.
    next: usize,
}

impl<'a, I: Iterator<Item = &'a Entry>> Ahead<'a, I> {
    pub(super) fn new(mut keys: I) -> Self {
        let waiting = std::array::from_fn(|_| keys.next().inspect(|entry| entry.prefetch()));
        Self { keys, waiting, next: 0 }
    }
}

impl<'a, I: Iterator<Item = &'a Entry>> Iterator for Ahead<'a, I> {
    type Item = &'a Entry;

    fn next(&mut self) -> Option<&'a Entry> {
        let place = &mut self.waiting[self.next];
        let entry = place.take()?;
        *place = self.keys.next().inspect(|entry| entry.prefetch());
        self.next = (self.next + 1) % WAITING;
        Some(entry)
    }
}

#[cfg(test)]
mod tests {
    use crate::keyspace::{Db, hash};

    #[test]
    fn every_key_has_its_turn_once_in_the_order_of_the_table() {
        for count in [0, 1, 15, 16, 17, 100] {
            let mut db = Db::new();
            for number in 0..count {
                let key = format!("key:{number}");
                drop(db.set(hash(key.as_bytes()), key.as_bytes(), b"value", None));
            }
            let keys = |entries: &mut dyn Iterator<Item = &crate::keyspace::Entry>| -> Vec<Vec<u8>> {
                entries.map(|entry| entry.key().to_vec()).collect()
            };
            assert_eq!(keys(&mut db.iter_ahead()), keys(&mut db.iter()), "{count}");
        }
    }
}
