//! Which snapshots are kept, and from where on the log is. Pure.
//!
//! The newest ones of different states, as many as are asked for: until there are so many, nothing of the log goes. Beyond
//! them a window of history can be asked for, in time or in bytes of the stream; every point in it can be gone back to, so
//! the newest snapshot before its beginning is kept, and some in between, which are the next to be that one.

use super::manifest::{Place, SnapshotEntry};

/// Snapshots between the beginning of the window and the newest ones: kept apart by at least its length over this.
const STEPS: u64 = 8;

/// What is to be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// The newest snapshots; at least 1.
    pub snapshots: usize,
    /// The history of so many milliseconds; 0 for none.
    pub history_ms: u64,
    /// The history of so many bytes of the stream; 0 for none.
    pub history_bytes: u64,
}

impl Default for Retention {
    fn default() -> Self {
        Self { snapshots: 2, history_ms: 0, history_bytes: 0 }
    }
}

impl Retention {
    /// Takes the snapshots that need not be kept off the list, which is oldest first.
    pub(super) fn thin(&self, snapshots: &mut Vec<SnapshotEntry>) {
        // Of the same state, the newest: what was asked for twice takes no other state's place.
        snapshots.reverse();
        snapshots.dedup_by_key(|snapshot| snapshot.place.offset);
        snapshots.reverse();
        let newest = snapshots.len().saturating_sub(self.snapshots.max(1));
        let Some(last) = snapshots.last().map(|s| s.place) else { return };
        let by_time = self.old(snapshots, newest, self.history_ms, |place| last.wall_ms.saturating_sub(place.wall_ms));
        let by_size = self.old(snapshots, newest, self.history_bytes, |place| last.offset - place.offset);
        let mut index = 0;
        snapshots.retain(|_| {
            index += 1;
            index > newest || by_time[index - 1] || by_size[index - 1]
        });
    }

    /// Which of the older snapshots a window of this length asks for.
    fn old(&self, snapshots: &[SnapshotEntry], newest: usize, window: u64, age: impl Fn(&Place) -> u64) -> Vec<bool> {
        let mut wanted = vec![false; snapshots.len()];
        if window == 0 {
            return wanted;
        }
        // Without one from before the window, the oldest stays: history may reach back to the beginning.
        let first = snapshots.iter().rposition(|s| age(&s.place) >= window).unwrap_or(0);
        let mut before: Option<u64> = None;
        for index in first..newest {
            let present = age(&snapshots[index].place);
            if before.is_none_or(|before| before.saturating_sub(present) >= window.div_ceil(STEPS)) {
                wanted[index] = true;
                before = Some(present);
            }
        }
        wanted
    }

    /// The sequence number of the first segment that is needed when these snapshots are kept; 0 for all.
    pub(super) fn first_segment(&self, snapshots: &[SnapshotEntry]) -> u64 {
        let (Some(first), Some(last)) = (snapshots.first(), snapshots.last()) else { return 0 };
        let (first, last) = (first.place, last.place);
        // Until a snapshot is as old as the window, history reaches back to the beginning.
        let covers_windows = last.wall_ms.saturating_sub(first.wall_ms) >= self.history_ms
            && last.offset - first.offset >= self.history_bytes;
        if snapshots.len() < self.snapshots.max(1) || !covers_windows { 0 } else { first.sequence }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshots(times: &[u64]) -> Vec<SnapshotEntry> {
        let place = |at: u64| Place {
            offset: at * 10,
            index: at,
            term: 1,
            wall_ms: at,
            sequence: 1 + at / 10,
            position: 4096,
            crc: 0,
        };
        times.iter().map(|at| SnapshotEntry { file: format!("{at}.rdb"), size: 1, crc: 0, place: place(*at) }).collect()
    }

    fn times(snapshots: &[SnapshotEntry]) -> Vec<u64> {
        snapshots.iter().map(|s| s.place.wall_ms).collect()
    }

    #[test]
    fn only_the_newest_are_kept_and_the_log_behind_the_oldest_of_them() {
        let retention = Retention::default();
        let mut kept = snapshots(&[100]);
        retention.thin(&mut kept);
        assert_eq!((times(&kept), retention.first_segment(&kept)), (vec![100], 0), "one is not enough");
        kept = snapshots(&[100, 200, 300]);
        retention.thin(&mut kept);
        assert_eq!((times(&kept), retention.first_segment(&kept)), (vec![200, 300], 21));
    }

    #[test]
    fn snapshots_of_one_state_take_one_place() {
        let mut kept = snapshots(&[100, 200, 200, 200]);
        kept[3].file = "newest.rdb".into();
        Retention::default().thin(&mut kept);
        assert_eq!((times(&kept), &*kept[1].file), (vec![100, 200], "newest.rdb"));
    }

    #[test]
    fn a_window_of_time_or_bytes_always_begins_at_a_snapshot() {
        for retention in [
            Retention { history_ms: 800, ..Retention::default() },
            Retention { history_bytes: 8000, ..Retention::default() },
        ] {
            let mut kept = Vec::new();
            for at in (10..10_000).step_by(10) {
                kept.append(&mut snapshots(&[at]));
                retention.thin(&mut kept);
                let times = times(&kept);
                let is_whole = retention.first_segment(&kept) == 0;
                assert!(is_whole || times[0] + 800 <= at, "{times:?} at {at}: the window is cut");
                assert!(!is_whole || at < 1000, "{times:?} at {at}: nothing is ever cut");
                assert!(at < 900 || times[0] + 800 <= at, "{times:?} at {at}");
                assert!(times[0] + 1000 >= at, "{times:?} at {at}: more than the window and a step");
                assert!(times.len() <= 14, "{times:?}");
            }
        }
    }
}
