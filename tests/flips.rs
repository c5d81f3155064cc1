//! After a flip of any single byte of a data directory, a start ends in the same content or is refused with file and
//! offset. `flips/` holds the harness; `examples/flips.rs` tries all eight bits of every byte of larger directories.

#[path = "flips/mod.rs"]
mod flips;

use ackd::log::SyncPolicy;
use flips::campaign::{Bits, Share, Tally, run};
use flips::directory::{End, Plan};

fn every_flip(policy: SyncPolicy, end: End) -> Tally {
    every_flip_of(&Plan { policy, end, runs: 1, turns: 4, snapshots: false })
}

fn every_flip_of(plan: &Plan) -> Tally {
    let share = Share { part: 0, parts: 1, bits: Bits::OneDrawn(1), zeros: 61 };
    let tally = run(plan, share);
    println!("{plan:?}: {tally}");
    assert!(tally.wrong.is_empty(), "{tally}, the first of them: {}", tally.wrong[0]);
    assert_eq!(tally.equal + tally.refused + tally.untellable, tally.flips);
    assert!(tally.refused > 0 && tally.equal > 0, "{tally}");
    tally
}

#[test]
fn a_flipped_byte_of_a_stopped_server_never_changes_the_content() {
    assert_eq!(every_flip(SyncPolicy::Always, End::Stopped).untellable, 0);
}

#[test]
fn a_flipped_byte_of_a_stopped_server_under_everysec_never_changes_the_content() {
    assert_eq!(every_flip(SyncPolicy::EverySec, End::Stopped).untellable, 0);
}

#[test]
fn a_flipped_byte_of_an_idle_killed_server_never_changes_the_content() {
    assert_eq!(every_flip(SyncPolicy::Always, End::KilledIdle).untellable, 0);
}

#[test]
fn a_flipped_byte_of_a_directory_with_snapshots_never_changes_the_content() {
    for (policy, end) in [(SyncPolicy::Always, End::KilledIdle), (SyncPolicy::EverySec, End::Stopped)] {
        let plan = Plan { policy, end, runs: 2, turns: 6, snapshots: true };
        assert_eq!(every_flip_of(&plan).untellable, 0);
    }
}

#[test]
fn a_flipped_byte_of_a_busy_killed_server_costs_at_most_the_frame_that_nothing_vouches_for() {
    assert!(every_flip(SyncPolicy::Always, End::KilledBusy).untellable > 0);
}
