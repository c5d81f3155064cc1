//! Dense registers: six bits each, the least significant ones first, so that four of them fill three bytes.
//!
//! Four are moved at a time between three bytes and four by shifts of one word.

use super::{REGISTERS, Registers};

const BITS: usize = 6;
const MASK: u32 = (1 << BITS) - 1;
/// Registers in a group, and the bytes that it takes.
const IN_GROUP: usize = 4;
const GROUP: usize = IN_GROUP * BITS / 8;

/// Length in bytes.
pub(super) const LEN: usize = REGISTERS * BITS / 8;

fn word(group: [u8; GROUP]) -> u32 {
    u32::from_le_bytes([group[0], group[1], group[2], 0])
}

/// The ranks of all registers.
pub(super) fn unpack(bytes: &[u8]) -> Registers {
    let mut registers = [0; REGISTERS];
    let (groups, _) = bytes.as_chunks();
    let (unpacked, _) = registers.as_chunks_mut::<IN_GROUP>();
    for (group, unpacked) in groups.iter().zip(unpacked) {
        let word = word(*group);
        let spread = word & MASK | word << 2 & MASK << 8 | word << 4 & MASK << 16 | word << 6 & MASK << 24;
        *unpacked = spread.to_le_bytes();
    }
    registers
}

/// Appends registers.
pub(super) fn pack(registers: &Registers, bytes: &mut Vec<u8>) {
    let (groups, _) = registers.as_chunks::<IN_GROUP>();
    bytes.extend(groups.iter().flat_map(|group| {
        let spread = u32::from_le_bytes(*group);
        let word = spread & MASK | (spread >> 8 & MASK) << 6 | (spread >> 16 & MASK) << 12 | (spread >> 24) << 18;
        let [first, second, third, _] = word.to_le_bytes();
        [first, second, third]
    }));
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
