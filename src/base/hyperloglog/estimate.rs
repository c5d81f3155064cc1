//! From registers to the number of elements: the estimator of Otmar Ertl, "New cardinality estimation algorithms for
//! HyperLogLog sketches" (arXiv:1702.01284), algorithm 6, as Redis uses it since version 5.
//!
//! Only additions, multiplications, divisions and square roots of doubles, which are the same on every machine, in the
//! order of the paper: a copy that counts the same registers keeps the same cardinality.

use super::{HIGHEST_RANK, RANKS, REGISTERS};

/// One half divided by the logarithm of two.
const ALPHA: f64 = 0.721_347_520_444_481_7;

/// What Redis answers when no number of 63 bits is the estimate: registers that no elements have made.
const BEYOND: u64 = 1 << 63;

/// The estimate for registers of which `counts[rank]` have each rank.
pub(super) fn cardinality(counts: &[u32; RANKS]) -> u64 {
    let m = REGISTERS as f64;
    let share = |rank: usize| f64::from(counts[rank]) / m;
    let mut z = m * tau((m - f64::from(counts[HIGHEST_RANK])) / m);
    for rank in (1..HIGHEST_RANK).rev() {
        z += f64::from(counts[rank]);
        z *= 0.5;
    }
    z += m * sigma(share(0));
    let estimate = (ALPHA * m * m / z).round();
    if estimate < BEYOND as f64 { estimate as u64 } else { BEYOND }
}

fn tau(mut x: f64) -> f64 {
    if x == 0.0 || x == 1.0 {
        return 0.0;
    }
    let (mut y, mut z) = (1.0, 1.0 - x);
    loop {
        let before = z;
        x = x.sqrt();
        y *= 0.5;
        z -= (1.0 - x) * (1.0 - x) * y;
        if z == before {
            return z / 3.0;
        }
    }
}

fn sigma(mut x: f64) -> f64 {
    if x == 1.0 {
        return f64::INFINITY;
    }
    let (mut y, mut z) = (1.0, x);
    loop {
        let before = z;
        x *= x;
        z += x * y;
        y += y;
        if z == before {
            return z;
        }
    }
}
