//! Flips every bit of every byte of small data directories, zeroes each sector, swaps each pair of neighbouring blocks,
//! truncates at each byte, removes, duplicates and exchanges files, and starts the server's recovery after each. Every
//! N-th refused state (`--repairs N`, default 100) is repaired, and what is kept must be a state of the history.
//!
//! ```text
//! cargo run --release --example flips -- [--jobs N] [--runs N] [--turns N] [--part N --parts N]
//!     [--policy always|everysec] [--repairs N] [--flips 0|1]
//! ```
//!
//! Prints one line for each way in which the server had ended, and everything that ended neither in the same content
//! nor in a refusal with file and offset. Exit code 1 when there was any.

#[path = "../tests/flips/mod.rs"]
mod flips;

use std::process::ExitCode;
use std::time::Instant;

use ackd::log::SyncPolicy;
use flips::campaign::{Bits, Share, Tally, run};
use flips::directory::{End, Plan};

fn main() -> ExitCode {
    let (mut jobs, mut runs, mut turns, mut part, mut parts, mut repairs, mut flips) = (2, 2, 12, 0, 1, 100, true);
    let mut policies = vec![SyncPolicy::Always, SyncPolicy::EverySec];
    let mut arguments = std::env::args().skip(1);
    while let Some(option) = arguments.next() {
        let value = arguments.next();
        if option == "--policy" {
            policies.retain(|policy| (value.as_deref() == Some("always")) == policy.is_always());
            continue;
        }
        let value = value.and_then(|value| value.parse::<u64>().ok());
        let value = value.unwrap_or_else(|| panic!("{option} needs a number"));
        match option.as_str() {
            "--jobs" => jobs = value.max(1),
            "--runs" => runs = value.max(1),
            "--turns" => turns = value.max(1),
            "--repairs" => repairs = value,
            "--flips" => flips = value > 0,
            "--part" => part = value,
            "--parts" => parts = value.max(1),
            _ => panic!("unknown option {option}"),
        }
    }
    let mut failed = false;
    for policy in policies {
        for (end, snapshots) in
            [End::Stopped, End::KilledIdle, End::KilledBusy].map(|end| [(end, false), (end, true)]).concat()
        {
            let plan = Plan { policy, end, runs, turns, snapshots };
            let started = Instant::now();
            let mut tally = Tally::default();
            std::thread::scope(|scope| {
                let share = |job| Share {
                    part: part * jobs + job,
                    parts: parts * jobs,
                    bits: if flips { Bits::All } else { Bits::None },
                    zeros: 1,
                    coarse: 1,
                    repairs,
                };
                let threads: Vec<_> = (0..jobs).map(|job| scope.spawn(move || run(&plan, share(job)))).collect();
                for thread in threads {
                    tally += thread.join().expect("a share does not panic");
                }
            });
            let with = if snapshots { " with snapshots" } else { "" };
            println!("{policy:?} {end:?}{with}: {tally} ({:.0} s)", started.elapsed().as_secs_f64());
            tally.wrong.iter().take(20).for_each(|wrong| println!("  {wrong}"));
            failed |= !tally.wrong.is_empty();
        }
    }
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
