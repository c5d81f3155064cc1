//! What PFSELFTEST runs: the registers and the estimator on a good many random elements.

use super::{HEADER, HIGHEST_RANK, RANKS, REGISTERS, Registers, Sketch, SketchMut, dense, empty};

/// Estimates are compared with the truth at each power of ten up to this.
const MOST_ELEMENTS: u64 = 1_000_000;
/// Rounds of writing all dense registers.
const ROUNDS: usize = 100;
/// No sketch stays sparse beyond this size, so that both representations are met.
const MOST_SPARSE: usize = 3000;

/// Checks that registers keep what is written to them, that sparse and dense ones say the same, and that estimates are as
/// good as they must be. The error says what was wrong.
pub fn self_test(random: &mut fastrand::Rng) -> Result<(), String> {
    test_registers(random)?;
    test_estimates(random)
}

fn test_registers(random: &mut fastrand::Rng) -> Result<(), String> {
    for _ in 0..ROUNDS {
        let mut bytes = vec![0; dense::LEN];
        let mut expected: Registers = [0; REGISTERS];
        for _ in 0..REGISTERS {
            let (index, rank) = (random.usize(..REGISTERS), random.u8(1..RANKS as u8));
            let raised = dense::raise(&mut bytes, index, rank);
            if raised != (rank > expected[index]) {
                return Err(format!("register {index} of rank {} is not raised rightly to {rank}", expected[index]));
            }
            expected[index] = rank.max(expected[index]);
        }
        let found = expected.iter().zip(dense::unpack(&bytes)).position(|(expected, found)| *expected != found);
        if let Some(index) = found {
            return Err(format!("register {index} does not keep its rank"));
        }
    }
    Ok(())
}

fn test_estimates(random: &mut fastrand::Rng) -> Result<(), String> {
    let (mut small, mut large) = (empty(), empty());
    let damaged = |error: super::Corrupted| error.to_string();
    let missing = || "an empty sketch is no sketch".to_owned();
    let (mut checkpoint, seed) = (1, random.u64(..));
    SketchMut::of(&mut large).ok_or_else(missing)?.make_dense().map_err(damaged)?;
    for added in 1..=MOST_ELEMENTS {
        let element = (seed ^ added).to_le_bytes();
        for bytes in [&mut small, &mut large] {
            SketchMut::of(bytes).ok_or_else(missing)?.add(&element, MOST_SPARSE).map_err(damaged)?;
        }
        if added == checkpoint {
            let counted = |bytes: &[u8]| Sketch::of(bytes).ok_or_else(missing)?.count().map_err(damaged);
            let (count, dense_count) = (counted(&small)?, counted(&large)?);
            if count != dense_count {
                return Err(format!("of {added} elements, sparse registers count {count}, dense ones {dense_count}"));
            }
            if count.abs_diff(added) > tolerated(added) {
                return Err(format!("{added} elements are counted as {count}"));
            }
            checkpoint *= 10;
        }
    }
    let mut bytes = small;
    SketchMut::of(&mut bytes).ok_or_else(missing)?.make_dense().map_err(damaged)?;
    if bytes[HEADER..] == large[HEADER..] { Ok(()) } else { Err("sparse registers become other dense ones".into()) }
}

/// Six times the standard error, beyond which an estimate is wrong and not unlucky; one for few elements, of which two
/// may share a register.
fn tolerated(elements: u64) -> u64 {
    let standard_error = 1.04 / (REGISTERS as f64).sqrt();
    let tolerated = (elements as f64 * standard_error * 6.0).ceil() as u64;
    if elements <= HIGHEST_RANK as u64 { tolerated.max(1) } else { tolerated }
}
