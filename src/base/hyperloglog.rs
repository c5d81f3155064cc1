//! HyperLogLog: about how many different elements were added, in Redis' representation, byte for byte.
//!
//! The PF commands call it. A sketch is a string that clients can read and overwrite:
//!
//! ```text
//!  0       4          5          8             16
//! +-------+----------+----------+-------------+-----------+
//! | HYLL  | encoding | any      | cardinality | registers |
//! | bytes | u8       | bytes    | u64         |           |
//! +-------+----------+----------+-------------+-----------+
//! ```
//!
//! An element's hash chooses one of 16,384 registers and has a rank; a register keeps the highest rank it has seen. They
//! are packed to six bits each (dense, encoding 0) or written as runs (sparse, encoding 1). The cardinality is what the
//! registers say, kept until they change: then its highest bit is set.
//!
//! What always holds: [`Sketch`] and [`SketchMut`] have a whole header, and dense registers are complete. Sparse ones may
//! be anything, so whoever walks over them may find them [`Corrupted`].

mod dense;
mod estimate;
mod self_test;
mod sparse;

use super::murmur::murmur64a;
pub use self_test::self_test;
pub use sparse::{Run, Runs};

const INDEX_BITS: u32 = 14;
/// Number of registers.
pub const REGISTERS: usize = 1 << INDEX_BITS;
/// The highest rank of an element.
const HIGHEST_RANK: usize = (u64::BITS - INDEX_BITS) as usize + 1;
/// Number of values of a register. Those above [`HIGHEST_RANK`] come from nowhere but foreign hands.
const RANKS: usize = 64;
/// Registers that are counted at a time.
const LANES: usize = 4;

const SEED: u64 = 0xadc8_3b19;
const MAGIC: &[u8; 4] = b"HYLL";
const ENCODING: usize = 4;
const DENSE: u8 = 0;
const SPARSE: u8 = 1;
const CARDINALITY: std::ops::Range<usize> = 8..16;
const HEADER: usize = CARDINALITY.end;
/// In the last byte of the cardinality: it is out of date.
const STALE: u8 = 0x80;

/// All registers, unpacked.
pub type Registers = [u8; REGISTERS];

/// The registers of a sketch are not what they can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the registers of a HyperLogLog are damaged")]
pub struct Corrupted;

/// A sketch.
#[derive(Clone, Copy, Debug)]
pub struct Sketch<'a>(&'a [u8]);

/// A sketch to be changed.
#[derive(Debug)]
pub struct SketchMut<'a>(&'a mut Vec<u8>);

/// A sketch of nothing.
pub fn empty() -> Vec<u8> {
    let mut bytes = vec![0; HEADER];
    bytes[..MAGIC.len()].copy_from_slice(MAGIC);
    bytes[ENCODING] = SPARSE;
    sparse::write_zeros(REGISTERS, &mut bytes);
    bytes
}

/// The cardinality that registers tell.
pub fn estimate(registers: &Registers) -> u64 {
    // Several counters a rank, for neighbours are often equal, and an addition would wait for the one before.
    let mut lanes = [[0; RANKS]; LANES];
    for registers in registers.as_chunks::<LANES>().0 {
        for (lane, rank) in lanes.iter_mut().zip(registers) {
            lane[usize::from(*rank) % RANKS] += 1;
        }
    }
    estimate::cardinality(&std::array::from_fn(|rank| lanes.iter().map(|lane| lane[rank]).sum()))
}

/// The register of an element, and its rank: the place of the lowest set bit of the rest of its hash.
fn place(element: &[u8]) -> (usize, u8) {
    let hash = murmur64a(element, SEED);
    let rest = hash >> INDEX_BITS | 1 << (u64::BITS - INDEX_BITS);
    (hash as usize % REGISTERS, rest.trailing_zeros() as u8 + 1)
}

impl<'a> Sketch<'a> {
    /// The sketch that a string is, if it is one as far as its header tells.
    pub fn of(bytes: &'a [u8]) -> Option<Self> {
        let header = bytes.get(..HEADER)?;
        let is_whole = match header[ENCODING] {
            DENSE => bytes.len() == HEADER + dense::LEN,
            encoding => encoding == SPARSE,
        };
        (header.starts_with(MAGIC) && is_whole).then_some(Self(bytes))
    }

    /// Whether its registers are dense.
    pub fn is_dense(self) -> bool {
        self.0[ENCODING] == DENSE
    }

    /// The cardinality that was kept, if it is not out of date.
    pub fn kept_cardinality(self) -> Option<u64> {
        let bytes = self.0[CARDINALITY].as_array().expect("a header is whole");
        let is_stale = bytes[7] & STALE != 0;
        (!is_stale).then(|| u64::from_le_bytes(*bytes))
    }

    /// The cardinality that the registers tell.
    pub fn count(self) -> Result<u64, Corrupted> {
        if self.is_dense() {
            return Ok(estimate(&dense::unpack(self.registers())));
        }
        let mut counts = [0; RANKS];
        sparse::for_each_run(self.registers(), |run, _| counts[usize::from(run.rank)] += run.len as u32)?;
        Ok(estimate::cardinality(&counts))
    }

    /// Raises `registers` to those of this sketch where they are lower.
    pub fn merge_into(self, registers: &mut Registers) -> Result<(), Corrupted> {
        if self.is_dense() {
            let own = dense::unpack(self.registers());
            registers.iter_mut().zip(own).for_each(|(register, rank)| *register = rank.max(*register));
            return Ok(());
        }
        sparse::for_each_run(self.registers(), |run, first| {
            registers[first..first + run.len].iter_mut().for_each(|register| *register = run.rank.max(*register));
        })
    }

    /// The runs of sparse registers.
    pub fn runs(self) -> Option<Runs<'a>> {
        (!self.is_dense()).then(|| Runs::of(self.registers()))
    }

    fn registers(self) -> &'a [u8] {
        &self.0[HEADER..]
    }
}

impl<'a> SketchMut<'a> {
    /// [`Sketch::of`] a string that can be changed.
    pub fn of(bytes: &'a mut Vec<u8>) -> Option<Self> {
        Sketch::of(bytes)?;
        Some(Self(bytes))
    }

    /// What it is now.
    pub fn get(&self) -> Sketch<'_> {
        Sketch(self.0)
    }

    /// Adds an element; answers whether that changed a register. Sparse registers become dense rather than exceed
    /// `most_sparse` bytes with their header.
    pub fn add(&mut self, element: &[u8], most_sparse: usize) -> Result<bool, Corrupted> {
        let (index, rank) = place(element);
        self.raise(index, rank, most_sparse)
    }

    /// Raises registers to those given where they are lower; as [`SketchMut::add`] does.
    pub fn merge(&mut self, registers: &Registers, most_sparse: usize) -> Result<(), Corrupted> {
        for (index, rank) in registers.iter().enumerate().filter(|(_, rank)| **rank > 0) {
            self.raise(index, *rank, most_sparse)?;
        }
        Ok(())
    }

    fn raise(&mut self, index: usize, rank: u8, most_sparse: usize) -> Result<bool, Corrupted> {
        if !self.get().is_dense() {
            match sparse::raise(self.0, index, rank, most_sparse)? {
                sparse::Raised::Yes => {
                    self.forget_cardinality();
                    return Ok(true);
                }
                sparse::Raised::No => return Ok(false),
                sparse::Raised::TooLarge => self.make_dense()?,
            };
        }
        let raised = dense::raise(&mut self.0[HEADER..], index, rank);
        if raised {
            self.forget_cardinality();
        }
        Ok(raised)
    }

    /// Makes sparse registers dense; answers whether they were sparse.
    pub fn make_dense(&mut self) -> Result<bool, Corrupted> {
        if self.get().is_dense() {
            return Ok(false);
        }
        let mut registers = [0; REGISTERS];
        self.get().merge_into(&mut registers)?;
        self.set_dense(&registers);
        Ok(true)
    }

    /// Puts dense registers in place of those that are there.
    pub fn set_dense(&mut self, registers: &Registers) {
        self.0.truncate(HEADER);
        self.0.reserve_exact(dense::LEN);
        dense::pack(registers, self.0);
        self.0[ENCODING] = DENSE;
    }

    /// Keeps the cardinality that the registers tell.
    pub fn keep_cardinality(&mut self, cardinality: u64) {
        self.0[CARDINALITY].copy_from_slice(&cardinality.to_le_bytes());
    }

    /// Says that the cardinality kept is out of date.
    pub fn forget_cardinality(&mut self) {
        self.0[CARDINALITY.end - 1] |= STALE;
    }
}

#[cfg(test)]
mod tests;
