//! Makes a failing session short: steps are left out, in ever smaller pieces, as long as it still fails.

use std::time::{Duration, Instant};

use super::run::{Mismatch, Pair};
use super::step::Step;

/// Shrinking stops here; what is left is shown.
const PATIENCE: Duration = Duration::from_secs(30);

/// The shortest failing session found, and its failure.
pub fn shrink(pair: &mut Pair, steps: &[Step], failure: Mismatch) -> (Vec<Step>, Mismatch) {
    let deadline = Instant::now() + PATIENCE;
    let mut failure = failure;
    let mut steps = steps[..=failure.step.min(steps.len() - 1)].to_vec();
    let mut piece = steps.len().div_ceil(2).max(1);
    loop {
        let mut at = 0;
        let mut removed = false;
        while at < steps.len() {
            if Instant::now() > deadline {
                return (steps, failure);
            }
            let end = (at + piece).min(steps.len());
            let mut shorter = steps[..at].to_vec();
            // Waits stay: without them, what is about to expire would expire on one server before the other.
            shorter.extend(steps[at..end].iter().filter(|step| is_wait(step)).cloned());
            shorter.extend_from_slice(&steps[end..]);
            if shorter.len() == steps.len() {
                at = end;
                continue;
            }
            match pair.run(&shorter) {
                Ok(Some(found)) if found.name == failure.name => {
                    shorter.truncate(found.step + 1);
                    (steps, failure) = (shorter, found);
                    removed = true;
                }
                Ok(_) => at += piece,
                // A server that cannot be reached any more: nothing can be learned from it.
                Err(_) => return (steps, failure),
            }
        }
        if piece == 1 && !removed {
            return (without_idle_waits(steps), failure);
        }
        piece = (piece / 2).max(1);
    }
}

fn is_wait(step: &Step) -> bool {
    matches!(step, Step::Sleep { .. })
}

/// Leaves out waits that do not follow a command.
fn without_idle_waits(steps: Vec<Step>) -> Vec<Step> {
    let mut kept: Vec<Step> = Vec::new();
    for step in steps {
        if !is_wait(&step) || matches!(kept.last(), Some(Step::Command { .. })) {
            kept.push(step);
        }
    }
    kept
}
