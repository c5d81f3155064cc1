//! Whole servers are crashed, recovered and checked, deterministically. See `docs/simulation.md`.

#[path = "simulation/mod.rs"]
mod simulation;

use ackd::engine::trial::Planted;
use simulation::campaign::{Campaign, Report};
use simulation::planted::Bug;
use simulation::run;

/// Distinct crash points in `cargo test`; a planted bug must be found within as many.
const POINTS: u64 = 20_000;

/// A number from the environment.
fn variable(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

fn campaign(points: u64, planted: Planted) -> Report {
    let campaign = Campaign {
        first_seed: 1,
        seeds: u64::MAX,
        points,
        planted,
        progress: false,
        keep_going: false,
        verbose: false,
    };
    campaign.run()
}

#[test]
fn whatever_crashes_every_promise_is_kept() {
    let report = campaign(variable("ACKD_SIM_POINTS").unwrap_or(POINTS), Planted::default());
    println!("{report}");
    if let Some(violation) = report.violations.first() {
        panic!("{violation}");
    }
}

/// With `ACKD_SIM_SEED` that seed, and all that happens in it is printed.
#[test]
fn a_seed_replays_exactly() {
    let chosen = variable("ACKD_SIM_SEED");
    for seed in chosen.map_or(1..=3, |seed| seed..=seed) {
        let [first, second] = [chosen.is_some(), false].map(|verbose| {
            simulation::campaign::fix_what_differs_between_processes();
            run::run(seed, Planted::default(), verbose)
        });
        match (first, second) {
            (Ok(first), Ok(second)) => assert_eq!(first, second, "seed {seed}"),
            (Err(violation), Err(again)) => {
                assert_eq!(violation.to_string(), again.to_string());
                panic!("{violation}");
            }
            (first, second) => panic!("seed {seed} does not replay: {first:?}, then {second:?}"),
        }
    }
}

/// The harness is tested too: what it is told to look for, it finds, in the same seeds as ever.
fn is_found(bug: Bug) {
    let report = campaign(POINTS, bug.planted());
    let Some(violation) = report.violations.first() else { panic!("{bug:?} was not found: {report}") };
    println!("{bug:?}, within {} points: {}", report.points, violation.what);
}

macro_rules! planted {
    ($($name:ident: $bug:ident)*) => { $(
        #[test]
        fn $name() {
            is_found(Bug::$bug);
        }
    )* };
}

planted! {
    an_ack_before_the_sync_is_found: AckBeforeSync
    an_ignored_failed_sync_is_found: IgnoreFailedSync
    a_rewritten_acked_block_is_found: RewriteAcked
    a_skipped_sync_of_the_directory_is_found: SkipDirectorySync
    a_spare_used_before_it_is_listed_is_found: UseSpareUnlisted
    an_accepted_stale_frame_is_found: AcceptStale
    an_append_behind_the_cut_is_found: AppendBehindCut
    a_dropped_watermark_is_found: DropWatermark
    a_cache_trusted_after_a_failed_writeback_is_found: TrustCache
    a_gate_opened_too_early_for_reads_is_found: OpenReadsEarly
    a_message_that_waits_for_nothing_is_found: TellEarly
    a_cached_key_that_is_gone_untold_is_found: KeepWhatIsGone
    a_log_read_before_the_dead_process_writes_have_landed_is_found: ReadWithoutLock
    a_snapshot_installed_before_it_is_durable_is_found: InstallUndurable
    a_segment_used_again_before_the_manifest_says_so_is_found: RecycleListed
    a_lock_that_a_copy_of_the_process_inherits_is_found: InheritLock
}
