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
            let mut shorter = steps[..at].to_vec();
            shorter.extend_from_slice(&steps[(at + piece).min(steps.len())..]);
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
            return (steps, failure);
        }
        piece = (piece / 2).max(1);
    }
}
