//! Whole servers are crashed, recovered and checked, deterministically. See `docs/simulation.md`.

#[path = "simulation/mod.rs"]
mod simulation;

use ackd::engine::trial::Planted;
use simulation::campaign::Campaign;

/// A number from the environment.
fn variable(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")),
        Err(_) => default,
    }
}

/// Distinct crash points in `cargo test`.
const POINTS: u64 = 20_000;

#[test]
fn whatever_crashes_every_promise_is_kept() {
    let points = variable("ACKD_SIM_POINTS", POINTS);
    let first_seed = variable("ACKD_SIM_SEED", 1);
    let seeds = if std::env::var_os("ACKD_SIM_SEED").is_some() { 1 } else { u64::MAX };
    let report = Campaign {
        first_seed,
        seeds,
        points,
        planted: Planted::default(),
        progress: true,
        keep_going: false,
        verbose: false,
    }
    .run();
    println!("{report}");
    if let Some(violation) = report.violations.first() {
        panic!("{violation}");
    }
}
