//! Long campaigns of the simulation: `cargo run --release --example simulation -- --points 1000000`.
//!
//! A campaign can be split by seeds: several processes, each with its own `--first-seed` and `--seeds`.

#[path = "../tests/simulation/mod.rs"]
mod simulation;

use std::process::ExitCode;

use clap::Parser;
use simulation::campaign::Campaign;
use simulation::planted::Bug;

/// Crashes simulated servers, recovers and checks them.
#[derive(Parser)]
struct Arguments {
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    first_seed: u64,
    /// How many seeds at most.
    #[arg(long, default_value_t = u64::MAX)]
    seeds: u64,
    /// Ends with the seed that reaches this number of distinct crash points.
    #[arg(long, default_value_t = u64::MAX)]
    points: u64,
    /// Goes on after a seed that failed.
    #[arg(long)]
    keep_going: bool,
    /// Prints all that happens.
    #[arg(long)]
    verbose: bool,
    /// Plants a bug.
    #[arg(long)]
    plant: Option<Bug>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let planted = arguments.plant.map(Bug::planted).unwrap_or_default();
    let Arguments { first_seed, seeds, points, keep_going, verbose, .. } = arguments;
    let report = Campaign { first_seed, seeds, points, planted, progress: true, keep_going, verbose }.run();
    println!("{report}");
    for violation in &report.violations {
        println!("{violation}");
    }
    if report.violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
