//! Strings as rows of bits: counting set bits, finding the first of a kind, combining several strings.
//!
//! The bitmap commands call it. Bit 0 is the most significant bit of the first byte; ranges of bits include both ends
//! and lie within the string.

/// How strings are combined. Shorter ones count as filled up with zeros.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Bits that are set in all strings.
    And,
    /// Bits that are set in any.
    Or,
    /// Bits that are set in an odd number of them.
    Xor,
    /// Bits that are not set in the only one.
    Not,
    /// Bits of the first that are set in none of the others.
    Diff,
    /// Bits that are set in any of the others, but not in the first.
    Diff1,
    /// Bits of the first that are set in any of the others.
    AndOr,
    /// Bits that are set in exactly one.
    One,
}

/// Bytes that are combined at a time: all strings pass through the fastest cache together, so that memory is read once
/// however many they are.
const BLOCK: usize = 4096;

/// Number of set bits.
pub fn count(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks();
    let in_words: u64 = words.iter().map(|word| u64::from(u64::from_le_bytes(*word).count_ones())).sum();
    in_words + rest.iter().map(|byte| u64::from(byte.count_ones())).sum::<u64>()
}

/// Number of set bits from `first` to `last`.
pub fn count_between(bytes: &[u8], first: usize, last: usize) -> u64 {
    let before = bytes[first / 8] & !from(first);
    let behind = bytes[last / 8] & !up_to(last);
    count(&bytes[first / 8..=last / 8]) - u64::from(before.count_ones()) - u64::from(behind.count_ones())
}

/// The first bit from `first` to `last` that is set, or that is not.
pub fn find(bytes: &[u8], set: bool, first: usize, last: usize) -> Option<usize> {
    let dull = if set { 0 } else { 0xff };
    let (start, end) = (first / 8, last / 8);
    let found = |at: usize| {
        let before = if at == start { from(first) } else { 0xff };
        let behind = if at == end { up_to(last) } else { 0xff };
        let sought = (bytes[at] ^ dull) & before & behind;
        (sought != 0).then(|| at * 8 + sought.leading_zeros() as usize)
    };
    let inside = start + 1;
    found(start).or_else(|| {
        let at = bytes.get(inside..end).and_then(|bytes| first_other(bytes, dull)).map_or(end, |at| inside + at);
        found(at)
    })
}

/// The bits of a byte from this one on.
fn from(bit: usize) -> u8 {
    0xff >> (bit % 8)
}

/// The bits of a byte up to this one.
fn up_to(bit: usize) -> u8 {
    0xff << (7 - bit % 8)
}

/// The first byte that is not `byte`.
fn first_other(bytes: &[u8], byte: u8) -> Option<usize> {
    let (chunks, rest) = bytes.as_chunks::<64>();
    let dull = u64::from_le_bytes([byte; 8]);
    let is_dull = |chunk: &[u8; 64]| {
        let (words, _) = chunk.as_chunks();
        words.iter().fold(0, |other, word| other | u64::from_le_bytes(*word) ^ dull) == 0
    };
    let skipped = chunks.iter().take_while(|chunk| is_dull(chunk)).count();
    let tail = chunks.get(skipped).map_or(rest, |chunk| chunk);
    tail.iter().position(|other| *other != byte).map(|at| skipped * 64 + at)
}

/// The combination of strings, as long as the longest. [`Operation::Not`] takes the first alone. The result is put into
/// `memory` if that suits it, for fresh pages cost more than the work on them.
pub fn combine(operation: Operation, strings: &[&[u8]], memory: Vec<u8>) -> Vec<u8> {
    let len = strings.iter().map(|string| string.len()).max().unwrap_or(0);
    let suits = (len..=len * 2).contains(&memory.capacity());
    let mut result = if suits { memory } else { Vec::with_capacity(len) };
    result.clear();
    while result.len() < len {
        let mut block = [0; BLOCK];
        let block = &mut block[..BLOCK.min(len - result.len())];
        combine_block(operation, strings, result.len(), block);
        result.extend_from_slice(block);
    }
    result
}

/// One block, which is all zeros, of [`combine`]. The loops are over bytes, which the compiler turns into loops over
/// the widest words that there are.
fn combine_block(operation: Operation, strings: &[&[u8]], start: usize, block: &mut [u8]) {
    let end = start + block.len();
    let parts = strings.iter().map(|string| &string[start.min(string.len())..end.min(string.len())]);
    let mut others = parts.clone();
    let Some(first) = others.next() else { return };
    match operation {
        Operation::And => {
            block[..first.len()].copy_from_slice(first);
            others.for_each(|other| keep(block, other, |to, from| to & from));
        }
        Operation::Or => parts.for_each(|part| apply(block, part, |to, from| to | from)),
        Operation::Xor => parts.for_each(|part| apply(block, part, |to, from| to ^ from)),
        Operation::Not => apply(block, first, |_, from| !from),
        Operation::Diff | Operation::Diff1 | Operation::AndOr => {
            others.for_each(|other| apply(block, other, |to, from| to | from));
            match operation {
                Operation::Diff => keep(block, first, |to, from| from & !to),
                Operation::Diff1 => apply(block, first, |to, from| to & !from),
                _ => keep(block, first, |to, from| to & from),
            }
        }
        Operation::One => {
            let mut twice = [0; BLOCK];
            for part in parts {
                let bits = block.iter_mut().zip(&mut twice).zip(part);
                bits.for_each(|((once, twice), from)| {
                    *twice |= *once & from;
                    *once |= from;
                });
            }
            apply(block, &twice, |to, from| to & !from);
        }
    }
}

/// Changes the bytes for which `string` has one.
fn apply(block: &mut [u8], string: &[u8], change: impl Fn(u8, u8) -> u8) {
    block.iter_mut().zip(string).for_each(|(to, from)| *to = change(*to, *from));
}

/// The same, and what is behind the end of `string` becomes zero.
fn keep(block: &mut [u8], string: &[u8], change: impl Fn(u8, u8) -> u8) {
    apply(block, string, change);
    block[string.len()..].fill(0);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bit(bytes: &[u8], at: usize) -> bool {
        bytes.get(at / 8).is_some_and(|byte| byte << (at % 8) & 0x80 != 0)
    }

    /// What an operation says of one bit of each string.
    fn expected(operation: Operation, bits: &[bool]) -> bool {
        let set = bits.iter().filter(|bit| **bit).count();
        let others = bits[1..].contains(&true);
        match operation {
            Operation::And => set == bits.len(),
            Operation::Or => set > 0,
            Operation::Xor => set % 2 == 1,
            Operation::Not => !bits[0],
            Operation::Diff => bits[0] && !others,
            Operation::Diff1 => !bits[0] && others,
            Operation::AndOr => bits[0] && others,
            Operation::One => set == 1,
        }
    }

    const OPERATIONS: [Operation; 8] = [
        Operation::And,
        Operation::Or,
        Operation::Xor,
        Operation::Not,
        Operation::Diff,
        Operation::Diff1,
        Operation::AndOr,
        Operation::One,
    ];

    /// Strings with long runs, which are looked through in other steps than short ones.
    fn string() -> impl Strategy<Value = Vec<u8>> {
        let run = (prop_oneof![Just(0), Just(0xff), any::<u8>()], 0..200usize);
        prop::collection::vec(run, 0..4)
            .prop_map(|runs| runs.into_iter().flat_map(|(byte, len)| std::iter::repeat_n(byte, len)).collect())
    }

    proptest! {
        #[test]
        fn bits_between_two_are_counted_and_found(bytes in string(), first: usize, last: usize, set: bool) {
            prop_assume!(!bytes.is_empty());
            let (first, last) = (first % (bytes.len() * 8), last % (bytes.len() * 8));
            let (first, last) = (first.min(last), first.max(last));
            let ones = (first..=last).filter(|at| bit(&bytes, *at)).count() as u64;
            prop_assert_eq!(count_between(&bytes, first, last), ones);
            let found = (first..=last).find(|at| bit(&bytes, *at) == set);
            prop_assert_eq!(find(&bytes, set, first, last), found);
        }

        #[test]
        fn every_bit_of_a_combination_is_that_of_the_strings(strings in prop::collection::vec(string(), 1..5)) {
            let strings: Vec<&[u8]> = strings.iter().map(Vec::as_slice).collect();
            for operation in OPERATIONS {
                let strings = if operation == Operation::Not { &strings[..1] } else { &strings };
                let result = combine(operation, strings, vec![0x55; 100]);
                prop_assert_eq!(result.len(), strings.iter().map(|string| string.len()).max().unwrap());
                for at in 0..result.len() * 8 {
                    let bits: Vec<bool> = strings.iter().map(|string| bit(string, at)).collect();
                    prop_assert_eq!(bit(&result, at), expected(operation, &bits), "{:?} of bit {}", operation, at);
                }
            }
        }
    }

    #[test]
    fn strings_of_several_blocks_are_combined_to_their_ends() {
        let (long, short) = (vec![0b1100; 3 * BLOCK + 5], vec![0b1010; BLOCK + 1]);
        for operation in OPERATIONS {
            let strings: &[&[u8]] = if operation == Operation::Not { &[&long] } else { &[&long, &short] };
            let result = combine(operation, strings, vec![0x55; 100]);
            assert_eq!(result.len(), long.len());
            for at in [0, BLOCK * 8 - 4, BLOCK * 8 + 4, BLOCK * 16, result.len() * 8 - 5] {
                let bits: Vec<bool> = strings.iter().map(|string| bit(string, at)).collect();
                assert_eq!(bit(&result, at), expected(operation, &bits), "{operation:?} of bit {at}");
            }
        }
    }
}
