//! When a snapshot is taken that nobody asked for.

use crate::engine::Engine;
use crate::engine::snapshots::Purpose;
use crate::log::Log;

/// How fast a log is replayed when no start has told, in bytes a second: what a slow machine does.
const REPLAY_RATE: u64 = 100 << 20;

/// Free space below so many segments, or below twice the newest snapshot, is little.
const FREE_SEGMENTS: u64 = 4;

/// What there is to decide by.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Facts {
    /// File space of the log behind the newest snapshot, in bytes.
    pub behind: u64,
    /// Size of the newest snapshot, 0 without any.
    pub snapshot: u64,
    /// Changes since the last save.
    pub changes: u64,
    /// Seconds since then.
    pub since_save_s: u64,
    /// Free space on the disk, where it is known.
    pub free: Option<u64>,
    /// Bytes that an installation now would free.
    pub would_free: u64,
    /// Bytes of log that a start replays in a second.
    pub replay_rate: Option<u64>,
}

/// The settings that count.
#[derive(Clone, Debug, Default)]
pub(super) struct Rules {
    /// `save` points: seconds and changes.
    pub points: Vec<(u64, u64)>,
    /// `auto-aof-rewrite-percentage`.
    pub growth_percent: u64,
    /// `auto-aof-rewrite-min-size`.
    pub min_size: u64,
    /// `max-replay-time`, in seconds.
    pub max_replay_s: u64,
    /// `log-segment-size`.
    pub segment: u64,
}

/// Why one is due, and for what; `None` if none is.
pub(super) fn due(facts: &Facts, rules: &Rules) -> Option<(Purpose, String)> {
    let save = Purpose { save: true, rewrite: false };
    let rewrite = Purpose { save: false, rewrite: true };
    let point = rules
        .points
        .iter()
        .find(|(seconds, changes)| facts.changes >= (*changes).max(1) && facts.since_save_s > *seconds);
    if let Some((seconds, changes)) = point {
        return Some((save, format!("{changes} changes in {seconds} seconds. Saving...")));
    }
    let Facts { behind, snapshot, .. } = *facts;
    let grown = rules.growth_percent > 0
        && behind + snapshot > rules.min_size
        && u128::from(behind) * 100 >= u128::from(snapshot.max(1)) * u128::from(rules.growth_percent);
    if grown {
        return Some((rewrite, format!("the log has grown by {behind} bytes behind a snapshot of {snapshot}")));
    }
    let replay_s = behind / facts.replay_rate.unwrap_or(REPLAY_RATE).max(1);
    if rules.max_replay_s > 0 && replay_s >= rules.max_replay_s {
        return Some((rewrite, format!("a start would replay the log for {replay_s} seconds")));
    }
    let little = (FREE_SEGMENTS * rules.segment).max(2 * snapshot);
    // There must be room to write it, and it must free more than it takes: at once, or, as the log behind the newest goes with
    // the next one after it, in the end.
    let helps = facts.would_free + behind > 2 * snapshot + 2 * rules.segment;
    let fits = |free: u64| free > snapshot + rules.segment;
    if let Some(free) = facts.free.filter(|free| *free < little && helps && fits(*free)) {
        return Some((rewrite, format!("{free} bytes are free on the disk, and the log holds {behind}")));
    }
    None
}

pub(super) fn facts(engine: &Engine, log: &Log, free: Option<u64>) -> Facts {
    Facts {
        behind: log.space_behind_snapshot(),
        snapshot: log.snapshots().last().map_or(0, |newest| newest.size),
        changes: engine.stats.changes,
        since_save_s: (engine.wall_us() / 1_000_000).saturating_sub(engine.snapshots.saved_s),
        free,
        would_free: log.would_free(log.snapshots().last().map_or(0, |newest| newest.size), &super::retention(engine)),
        replay_rate: engine.log.replay_rate,
    }
}

pub(super) fn rules(engine: &Engine) -> Rules {
    let config = &engine.config;
    Rules {
        points: config.save_points(),
        growth_percent: config.auto_aof_rewrite_percentage(),
        min_size: config.auto_aof_rewrite_min_size(),
        max_replay_s: config.max_replay_time(),
        segment: config.log_segment_size(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: Rules =
        Rules { points: Vec::new(), growth_percent: 100, min_size: 64 << 20, max_replay_s: 60, segment: 64 << 20 };

    #[test]
    fn the_log_is_cut_when_it_has_outgrown_its_snapshot() {
        let facts =
            |behind: u64, snapshot: u64| Facts { behind: behind << 20, snapshot: snapshot << 20, ..Facts::default() };
        assert_eq!(due(&facts(64, 0), &RULES), None, "too small to bother");
        assert!(due(&facts(65, 0), &RULES).is_some());
        assert_eq!(due(&facts(499, 500), &RULES), None);
        assert!(due(&facts(500, 500), &RULES).unwrap().0.rewrite);
        assert_eq!(due(&facts(500, 500), &Rules { growth_percent: 0, ..RULES }), None);
    }

    #[test]
    fn save_points_ask_for_changes_and_time() {
        let rules = Rules { points: vec![(60, 100), (300, 1)], ..RULES };
        let facts = |changes, since_save_s| Facts { changes, since_save_s, ..Facts::default() };
        assert_eq!(due(&facts(100, 60), &rules), None);
        assert!(due(&facts(100, 61), &rules).unwrap().0.save);
        assert_eq!(due(&facts(99, 300), &rules), None);
        assert!(due(&facts(1, 301), &rules).is_some());
        assert_eq!(due(&facts(0, 1 << 20), &rules), None);
    }

    #[test]
    fn a_start_that_would_take_too_long_and_a_full_disk_ask_for_one_too() {
        let large = Facts { snapshot: 100 << 30, behind: 10 << 30, ..Facts::default() };
        assert!(due(&large, &RULES).is_some());
        assert_eq!(due(&Facts { replay_rate: Some(1 << 30), ..large }, &RULES), None);
        let small = Facts { snapshot: 600 << 20, behind: 590 << 20, ..Facts::default() };
        assert_eq!(due(&Facts { free: Some(1 << 30), ..small }, &RULES), None, "it would need more than it frees");
        let patient = Rules { growth_percent: 1000, ..RULES };
        let small = Facts { snapshot: 100 << 20, behind: 400 << 20, ..Facts::default() };
        assert_eq!(due(&Facts { free: Some(1 << 20), ..small }, &patient), None, "there is no room to write it");
        assert!(due(&Facts { free: Some(200 << 20), ..small }, &patient).is_some());
        assert_eq!(due(&Facts { free: Some(1 << 30), ..small }, &patient), None, "there is enough");
        let small = Facts { behind: 0, would_free: 400 << 20, ..small };
        assert!(due(&Facts { free: Some(200 << 20), ..small }, &patient).is_some());
    }
}
