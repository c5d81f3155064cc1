//! After a flip of any single byte of a data directory, a zeroed sector, swapped blocks, a truncation, a removed,
//! duplicated or exchanged file, a start ends in the same content or is refused with file and offset. `flips/` holds the
//! harness; `examples/flips.rs` tries all eight bits of every byte of larger directories, and all truncations.

#[path = "flips/mod.rs"]
mod flips;

use ackd::log::SyncPolicy;
use flips::campaign::{Bits, Share, Tally, run};
use flips::directory::{End, Plan};

fn every_flip(policy: SyncPolicy, end: End) -> Tally {
    every_flip_of(&Plan { policy, end, runs: 1, turns: 4, snapshots: false })
}

fn every_flip_of(plan: &Plan) -> Tally {
    let share = Share { part: 0, parts: 1, bits: Bits::OneDrawn(1), zeros: 61, coarse: 7, repairs: 200 };
    let tally = run(plan, share);
    println!("{plan:?}: {tally}");
    assert!(tally.wrong.is_empty(), "{tally}, the first of them: {}", tally.wrong[0]);
    assert_eq!(tally.equal + tally.refused + tally.untellable, tally.tried);
    assert!(tally.repaired > 0, "{tally}");
    assert!(tally.refused > 0 && tally.equal > 0, "{tally}");
    tally
}

#[test]
fn damage_to_a_stopped_servers_files_never_changes_the_content() {
    assert_eq!(every_flip(SyncPolicy::Always, End::Stopped).untellable, 0);
}

#[test]
fn damage_to_a_stopped_servers_files_under_everysec_never_changes_the_content() {
    assert_eq!(every_flip(SyncPolicy::EverySec, End::Stopped).untellable, 0);
}

#[test]
fn damage_to_an_idle_killed_servers_files_never_changes_the_content() {
    assert_eq!(every_flip(SyncPolicy::Always, End::KilledIdle).untellable, 0);
}

#[test]
fn damage_to_files_with_snapshots_never_changes_the_content() {
    for (policy, end) in [(SyncPolicy::Always, End::KilledIdle), (SyncPolicy::EverySec, End::Stopped)] {
        let plan = Plan { policy, end, runs: 2, turns: 6, snapshots: true };
        assert_eq!(every_flip_of(&plan).untellable, 0);
    }
}

#[test]
fn damage_to_a_busy_killed_servers_files_costs_at_most_what_nothing_vouches_for() {
    assert!(every_flip(SyncPolicy::Always, End::KilledBusy).untellable > 0);
}
