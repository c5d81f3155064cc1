//! How many entries a group has read and how many are left for it, as Redis reckons: exactly where it can be known from the
//! counters, else not at all.

use super::StreamId;
use super::entries::StreamEntries;
use super::group::Group;

impl StreamEntries {
    /// Whether an entry from `start` on may have been deleted by itself.
    fn has_gap_from(&self, start: StreamId) -> bool {
        !self.is_empty() && self.max_deleted != StreamId::MIN && start <= self.max_deleted
    }

    /// How many entries were ever added up to this id, if that can be said. What XSETID has made of the counter may be less
    /// than there are entries, and then it cannot.
    pub fn ordinal(&self, id: StreamId) -> Option<i64> {
        self.reckon(id).filter(|ordinal| *ordinal >= 0)
    }

    fn reckon(&self, id: StreamId) -> Option<i64> {
        if self.added == 0 {
            return Some(0);
        }
        if self.is_empty() && id <= self.last_id {
            return Some(self.added);
        }
        if id != StreamId::MIN && id < self.max_deleted {
            return None;
        }
        if id >= self.last_id {
            return (id == self.last_id).then_some(self.added);
        }
        let first = self.first_id();
        if self.max_deleted != StreamId::MIN && self.max_deleted >= first {
            return None;
        }
        let before_first = self.added.wrapping_sub(self.length as i64);
        match id.cmp(&first) {
            std::cmp::Ordering::Less => Some(before_first),
            std::cmp::Ordering::Equal => Some(before_first.wrapping_add(1)),
            std::cmp::Ordering::Greater => None,
        }
    }

    /// How many entries are left for a group, if that can be said.
    pub fn lag(&self, group: &Group) -> Option<i64> {
        if self.added == 0 {
            return Some(0);
        }
        let read = group.read.filter(|_| !self.has_gap_from(group.last_id));
        let read = read.or_else(|| self.ordinal(group.last_id))?;
        Some(self.added.wrapping_sub(read))
    }

    /// Notes that a group has read these entries, the next ones behind what it had read.
    pub fn note_read(&self, group: &mut Group, ids: impl Iterator<Item = StreamId>) {
        let first = self.first_id();
        for id in ids {
            // What was trimmed before the group has read it, or deleted, it has skipped.
            let skipped = group.last_id < first || self.has_gap_from(group.last_id);
            match group.read.filter(|_| !skipped) {
                Some(read) => group.read = read.checked_add(1),
                None if self.added != 0 => group.read = self.ordinal(id),
                None => {}
            }
            group.last_id = id;
        }
    }
}
