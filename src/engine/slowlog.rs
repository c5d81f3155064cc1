//! The slow log: commands that took long, the newest of them.
//!
//! It is an operator's note in memory. It is not gated, and a restart forgets it.

use std::collections::VecDeque;

/// Words of a command that an entry has; the last of more says how many are left out.
const MAX_WORDS: usize = 32;

/// Bytes of a word that an entry has; behind those of a longer one stands how many are left out.
const MAX_WORD_BYTES: usize = 128;

/// One slow command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its number; they go on when the log is emptied.
    pub id: u64,
    /// When it was over, in seconds since the Unix epoch.
    pub at_s: u64,
    /// How long it ran, in microseconds.
    pub usec: u64,
    /// What was asked for, cut short.
    pub words: Vec<Vec<u8>>,
    /// The address of the connection.
    pub address: String,
    /// Its name.
    pub name: Vec<u8>,
}

/// See the module.
#[derive(Debug, Default)]
pub struct SlowLog {
    next_id: u64,
    /// The newest first.
    entries: VecDeque<Entry>,
}

impl SlowLog {
    /// Notes a command, whose number is given to it here, and forgets the oldest of more than `max`.
    pub fn push(&mut self, entry: Entry, max: usize) {
        self.entries.push_front(Entry { id: self.next_id, ..entry });
        self.next_id += 1;
        self.shorten(max);
    }

    /// Forgets the oldest of more than `max`.
    pub fn shorten(&mut self, max: usize) {
        self.entries.truncate(max);
        if self.entries.capacity() > 4 * self.entries.len().max(MAX_WORDS) {
            self.entries.shrink_to_fit();
        }
    }

    /// The entries, the newest first.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = &Entry> {
        self.entries.iter()
    }

    /// Forgets them all.
    pub fn clear(&mut self) {
        self.entries.clear();
    }
}

/// The words of a command as an entry has them.
pub fn shortened(words: &[&[u8]]) -> Vec<Vec<u8>> {
    let whole = if words.len() > MAX_WORDS { MAX_WORDS - 1 } else { words.len() };
    let mut kept: Vec<Vec<u8>> = words[..whole].iter().map(|word| shortened_word(word)).collect();
    if whole < words.len() {
        kept.push(format!("... ({} more arguments)", words.len() - whole).into_bytes());
    }
    kept
}

fn shortened_word(word: &[u8]) -> Vec<u8> {
    match word.len().checked_sub(MAX_WORD_BYTES) {
        None | Some(0) => word.to_vec(),
        Some(more) => [&word[..MAX_WORD_BYTES], format!("... ({more} more bytes)").as_bytes()].concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_commands_are_cut_short() {
        let words = vec![&b"w"[..]; 33];
        assert_eq!(shortened(&words[..32]), vec![b"w"; 32]);
        let cut = shortened(&words);
        assert_eq!((cut.len(), &cut[31][..]), (32, &b"... (2 more arguments)"[..]));
        let word = [b'x'; 130];
        assert_eq!(shortened(&[&word[..128]]), [&word[..128]]);
        assert_eq!(shortened(&[&word]), [[&word[..128], b"... (2 more bytes)"].concat()]);
    }

    #[test]
    fn the_newest_entries_stay_and_numbers_go_on() {
        let entry = |usec| Entry { id: 0, at_s: 1, usec, words: Vec::new(), address: String::new(), name: Vec::new() };
        let mut log = SlowLog::default();
        (0..5).for_each(|usec| log.push(entry(usec), 3));
        let numbers = |log: &SlowLog| log.entries().map(|entry| (entry.id, entry.usec)).collect::<Vec<_>>();
        assert_eq!(numbers(&log), [(4, 4), (3, 3), (2, 2)]);
        log.shorten(1);
        assert_eq!(numbers(&log), [(4, 4)]);
        log.clear();
        log.push(entry(9), 3);
        assert_eq!(numbers(&log), [(5, 9)]);
        log.push(entry(9), 0);
        assert_eq!(log.entries().len(), 0);
    }
}
