//! Sparse registers: runs of equal ones. A run takes one byte, or two for many zeros:
//!
//! ```text
//! 00llllll           1 to 64 zeros
//! 01llllll llllllll  1 to 16,384 zeros, the high bits of the length first
//! 1rrrrrll           1 to 4 registers of rank 1 to 32
//! ```
//!
//! Which runs there are depends on the order in which registers were raised, and clients can see it: [`raise`] splits and
//! joins exactly as Redis does. Bytes that clients wrote may end inside of a run of two; its length reads as if a zero
//! byte followed, but it is not changed.

use super::{Corrupted, HEADER, REGISTERS};

const LONG: u8 = 0x40;
const RANKED: u8 = 0x80;
const MOST_SHORT_ZEROS: usize = 64;
const MOST_RANKED: usize = 4;
const HIGHEST: u8 = 32;
/// How many runs are looked at for joining after a register was raised.
const JOINED_RUNS: usize = 5;

/// Some equal registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// Their rank.
    pub rank: u8,
    /// How many they are.
    pub len: usize,
    /// The bytes that say so.
    pub bytes: usize,
}

impl Run {
    /// The run at `at`.
    fn read(bytes: &[u8], at: usize) -> Option<Self> {
        let (len, size) = extent(bytes, at)?;
        let first = bytes[at];
        let rank = if first & RANKED != 0 { (first >> 2 & 0x1f) + 1 } else { 0 };
        Some(Self { rank, len, bytes: size })
    }
}

/// Of the run at `at`, how many registers it stands for, and how many bytes it takes.
#[inline]
fn extent(bytes: &[u8], at: usize) -> Option<(usize, usize)> {
    let &first = bytes.get(at)?;
    let low_bits = usize::from(first & !(RANKED | LONG));
    Some(if first & RANKED != 0 {
        (low_bits % MOST_RANKED + 1, 1)
    } else if first & LONG == 0 {
        (low_bits + 1, 1)
    } else {
        let second = bytes.get(at + 1).copied().unwrap_or(0);
        ((low_bits << 8 | usize::from(second)) + 1, 2)
    })
}

/// The runs in some bytes, whatever they add up to.
#[derive(Clone, Debug)]
pub struct Runs<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Runs<'a> {
    pub(super) fn of(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }
}

impl Iterator for Runs<'_> {
    type Item = Run;

    fn next(&mut self) -> Option<Run> {
        let run = Run::read(self.bytes, self.at)?;
        self.at += run.bytes;
        Some(run)
    }
}

/// Visits the runs, each with its first register.
pub(super) fn for_each_run(bytes: &[u8], mut visit: impl FnMut(Run, usize)) -> Result<(), Corrupted> {
    let mut first = 0;
    for run in Runs::of(bytes) {
        if first + run.len > REGISTERS {
            return Err(Corrupted);
        }
        visit(run, first);
        first += run.len;
    }
    if first == REGISTERS { Ok(()) } else { Err(Corrupted) }
}

/// Appends a run of zeros.
pub(super) fn write_zeros(len: usize, bytes: &mut impl Extend<u8>) {
    let len_minus_one = len - 1;
    if len > MOST_SHORT_ZEROS {
        bytes.extend([LONG | (len_minus_one >> 8) as u8, len_minus_one as u8]);
    } else {
        bytes.extend([len_minus_one as u8]);
    }
}

fn ranked(rank: u8, len: usize) -> u8 {
    RANKED | (rank - 1) << 2 | (len - 1) as u8
}

/// What came of raising a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Raised {
    Yes,
    No,
    /// Sparse registers cannot say it, or would become too large; nothing was changed.
    TooLarge,
}

/// Raises one register of a sketch.
pub(super) fn raise(sketch: &mut Vec<u8>, index: usize, rank: u8, most_bytes: usize) -> Result<Raised, Corrupted> {
    if rank > HIGHEST {
        return Ok(Raised::TooLarge);
    }
    let (mut at, mut first, mut before) = (HEADER, 0, HEADER);
    loop {
        let (len, bytes) = extent(sketch, at).ok_or(Corrupted)?;
        if index < first + len {
            break;
        }
        before = at;
        at += bytes;
        first += len;
    }
    let run = Run::read(sketch, at).ok_or(Corrupted)?;
    if run.rank >= rank {
        return Ok(Raised::No);
    }
    if at + run.bytes > sketch.len() {
        return Err(Corrupted);
    }
    let replacement = split(run, index - first, rank);
    let len = sketch.len() - run.bytes + replacement.len();
    if replacement.len() > run.bytes && len > most_bytes {
        return Ok(Raised::TooLarge);
    }
    sketch.splice(at..at + run.bytes, replacement);
    join(sketch, before);
    Ok(Raised::Yes)
}

/// The runs in place of one in which a register gets another rank.
fn split(run: Run, at: usize, rank: u8) -> smallvec::SmallVec<[u8; 8]> {
    let mut bytes = smallvec::SmallVec::new();
    let write_rest = |len: usize, bytes: &mut smallvec::SmallVec<[u8; 8]>| match (len, run.rank) {
        (0, _) => {}
        (_, 0) => write_zeros(len, bytes),
        (_, rank) => bytes.push(ranked(rank, len)),
    };
    write_rest(at, &mut bytes);
    bytes.push(ranked(rank, 1));
    write_rest(run.len - at - 1, &mut bytes);
    bytes
}

/// Joins neighbours of equal rank among the runs from `at` on.
fn join(sketch: &mut Vec<u8>, mut at: usize) {
    for _ in 0..JOINED_RUNS {
        let Some(run) = Run::read(sketch, at) else { return };
        match Run::read(sketch, at + run.bytes) {
            Some(next) if run.rank > 0 && next.rank == run.rank && run.len + next.len <= MOST_RANKED => {
                sketch[at] = ranked(run.rank, run.len + next.len);
                sketch.remove(at + 1);
            }
            _ => at += run.bytes,
        }
    }
}
