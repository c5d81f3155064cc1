//! Dense registers: six bits each, the least significant ones first, so that four of them fill three bytes.

use super::{REGISTERS, Registers};

const BITS: usize = 6;
const MASK: u32 = (1 << BITS) - 1;
/// Bytes in which registers are a whole number, and that number.
const GROUP: usize = 3;
const IN_GROUP: usize = GROUP * 8 / BITS;

/// Length in bytes.
pub(super) const LEN: usize = REGISTERS * BITS / 8;

fn word(group: [u8; GROUP]) -> u32 {
    u32::from_le_bytes([group[0], group[1], group[2], 0])
}

/// All ranks, in order.
pub(super) fn ranks(bytes: &[u8]) -> impl Iterator<Item = u8> {
    let (groups, _) = bytes.as_chunks();
    groups.iter().flat_map(|group| {
        let word = word(*group);
        [0, 1, 2, 3].map(|at| (word >> (at * BITS) & MASK) as u8)
    })
}

/// Raises one register; answers whether it was lower.
pub(super) fn raise(bytes: &mut [u8], index: usize, rank: u8) -> bool {
    let (groups, _) = bytes.as_chunks_mut();
    let (group, shift) = (&mut groups[index / IN_GROUP], index % IN_GROUP * BITS);
    let word = word(*group);
    if word >> shift & MASK >= u32::from(rank) {
        return false;
    }
    let word = word & !(MASK << shift) | u32::from(rank) << shift;
    group.copy_from_slice(&word.to_le_bytes()[..GROUP]);
    true
}

/// Appends registers.
pub(super) fn pack(registers: &Registers, bytes: &mut Vec<u8>) {
    let (groups, _) = registers.as_chunks::<IN_GROUP>();
    for group in groups {
        let word = group.iter().rev().fold(0, |word, rank| word << BITS | u32::from(*rank));
        bytes.extend_from_slice(&word.to_le_bytes()[..GROUP]);
    }
}
