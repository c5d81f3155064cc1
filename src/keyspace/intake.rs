//! Many keys on their way into a [`Db`], as from a file: each waits until the cache lines that it needs have come.
//!
//! Where a key belongs is as good as random, so nearly every insert would wait for memory; here sixteen wait together.
//! Loaders use it.

use super::db::Db;
use super::entry::Entry;

/// So many keys are on their way: about as many cache lines as a processor fetches at a time.
const WAITING: usize = 16;

/// See the module.
#[derive(Default)]
pub struct Intake {
    waiting: [Option<(u64, Entry)>; WAITING],
    /// Where the next one comes, in place of the one that has waited longest.
    next: usize,
}

impl Intake {
    /// Nothing on its way.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes an entry, whose key has this hash, and puts an earlier one into the database, which must be that of all that
    /// wait. Answers what was there under that one's key: a file that has a key twice shows it here, or in
    /// [`Intake::finish`].
    #[must_use = "a key that is there twice is seen by what it displaces"]
    pub fn push(&mut self, db: &mut Db, hash: u64, entry: Entry) -> Option<Entry> {
        db.prefetch_insert(hash, &entry);
        let place = &mut self.waiting[self.next];
        self.next = (self.next + 1) % WAITING;
        let (hash, entry) = place.replace((hash, entry))?;
        db.insert(hash, entry)
    }

    /// Puts all that wait into the database, as when another one comes next. Answers something that was there under the key
    /// of one of them, if anything was.
    #[must_use = "a key that is there twice is seen by what it displaces"]
    pub fn finish(&mut self, db: &mut Db) -> Option<Entry> {
        let mut displaced = None;
        let (first, second) = self.waiting.split_at_mut(self.next);
        for (hash, entry) in second.iter_mut().chain(first).filter_map(Option::take) {
            displaced = db.insert(hash, entry).or(displaced);
        }
        displaced
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyspace::hash;

    #[test]
    fn all_that_was_pushed_is_there_and_what_comes_twice_is_seen() {
        for (count, twice) in
            [(0, None), (1, None), (16, None), (100, None), (100, Some(99)), (100, Some(50)), (3, Some(0))]
        {
            let (mut db, mut intake, mut displaced) = (Db::new(), Intake::new(), Vec::new());
            db.expect(count, count / 2);
            for number in (0..count).chain(twice) {
                let key = format!("key:{number}").into_bytes();
                let entry = Entry::int(&key, number as i64, (number % 3 == 0).then_some(number as i64));
                displaced.extend(intake.push(&mut db, hash(&key), entry));
            }
            displaced.extend(intake.finish(&mut db));
            assert!(intake.finish(&mut db).is_none());
            assert_eq!((db.len(), db.volatile_len()), (count, count.div_ceil(3)));
            let expected = twice.map(|number: usize| format!("key:{number}").into_bytes());
            assert_eq!(displaced.first().map(|entry| entry.key().to_vec()), expected);
        }
    }
}
