//! CRC-64 with the Jones polynomial, as RDB files and DUMP payloads end with.
//!
//! Reflected, initial value 0, no final xor. Eight bytes a step by eight tables ("slicing by eight"); long stretches by
//! carry-less multiplication where the processor has it, which is some ten times as fast.

/// 0xad93d23594c935a9 with its bits reversed.
const POLYNOMIAL: u64 = 0xad93_d235_94c9_35a9_u64.reverse_bits();

static TABLES: [[u64; 256]; 8] = tables();

const fn tables() -> [[u64; 256]; 8] {
    let mut tables = [[0; 256]; 8];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u64;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 0 { crc >> 1 } else { crc >> 1 ^ POLYNOMIAL };
            bit += 1;
        }
        tables[0][byte] = crc;
        byte += 1;
    }
    let mut slice = 1;
    while slice < 8 {
        let mut byte = 0;
        while byte < 256 {
            let before = tables[slice - 1][byte];
            tables[slice][byte] = before >> 8 ^ tables[0][(before & 0xff) as usize];
            byte += 1;
        }
        slice += 1;
    }
    tables
}

/// Continues a checksum over more bytes; start with 0.
pub fn crc64(start: u64, bytes: &[u8]) -> u64 {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    if bytes.len() >= folded::WORTHWHILE && std::arch::is_x86_feature_detected!("pclmulqdq") {
        // SAFETY: the processor has the instruction, which is all that it asks for.
        return unsafe { folded::crc64(start, bytes) };
    }
    by_tables(start, bytes)
}

fn by_tables(start: u64, bytes: &[u8]) -> u64 {
    let mut crc = start;
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        let mixed = crc ^ u64::from_le_bytes(*word);
        crc = (0..8).fold(0, |sum, at| sum ^ TABLES[7 - at][(mixed >> (8 * at)) as usize & 0xff]);
    }
    rest.iter().fold(crc, |crc, &byte| crc >> 8 ^ TABLES[0][(crc as u8 ^ byte) as usize])
}

/// The same by folding (Gopal et al., "Fast CRC computation for generic polynomials using PCLMULQDQ").
///
/// Sixteen bytes are a polynomial of degree 127, the lowest bit of the first byte being the highest coefficient. What stands
/// `n` bits before others contributes `x^n` times itself modulo the polynomial, so it may be multiplied by that, which is
/// known, and added to them. Four lanes go over the bytes at a distance of 64; the sixteen that are left go by the tables.
#[cfg(all(target_arch = "x86_64", not(miri)))]
mod folded {
    use std::arch::x86_64::{
        __m128i, _mm_clmulepi64_si128, _mm_cvtsi128_si64, _mm_set_epi64x, _mm_unpackhi_epi64, _mm_xor_si128,
    };

    use super::{POLYNOMIAL, by_tables};

    const LANES: usize = 4;
    const LANE: usize = 16;

    /// From so many bytes on it is faster than the tables.
    pub(super) const WORTHWHILE: usize = 2 * LANES * LANE;

    /// `x^n` modulo the polynomial, reflected.
    const fn power(n: usize) -> u64 {
        let (mut power, mut left) = (1 << 63, n);
        while left > 0 {
            power = if power & 1 == 0 { power >> 1 } else { power >> 1 ^ POLYNOMIAL };
            left -= 1;
        }
        power
    }

    /// Factors of the first and the last eight of sixteen bytes that are moved on by so many bits. One less each: the product
    /// of two reflected polynomials is already shifted by one.
    const fn factors(bits: usize) -> [u64; 2] {
        [power(bits + 64 - 1), power(bits - 1)]
    }

    #[target_feature(enable = "pclmulqdq")]
    pub(super) fn crc64(start: u64, bytes: &[u8]) -> u64 {
        const FAR: [u64; 2] = factors(8 * LANES * LANE);
        const NEAR: [u64; 2] = factors(8 * LANE);
        let (blocks, rest) = bytes.as_chunks::<{ LANES * LANE }>();
        let Some((first, blocks)) = blocks.split_first() else { return by_tables(start, bytes) };
        let mut lanes = load(first);
        lanes[0] = _mm_xor_si128(lanes[0], _mm_set_epi64x(0, start as i64));
        for block in blocks {
            let next = load(block);
            for (lane, next) in lanes.iter_mut().zip(next) {
                *lane = _mm_xor_si128(fold(*lane, FAR), next);
            }
        }
        let [first, others @ ..] = lanes;
        let mut sum = first;
        for lane in others {
            sum = _mm_xor_si128(fold(sum, NEAR), lane);
        }
        let halves = [_mm_cvtsi128_si64(sum), _mm_cvtsi128_si64(_mm_unpackhi_epi64(sum, sum))];
        let sum = halves.iter().fold(0, |sum, half| by_tables(sum, &half.to_le_bytes()));
        by_tables(sum, rest)
    }

    #[target_feature(enable = "pclmulqdq")]
    fn load(block: &[u8; LANES * LANE]) -> [__m128i; LANES] {
        let (words, _) = block.as_chunks::<8>();
        let word = |at: usize| i64::from_le_bytes(words[at]);
        [0, 2, 4, 6].map(|at| _mm_set_epi64x(word(at + 1), word(at)))
    }

    #[target_feature(enable = "pclmulqdq")]
    fn fold(lane: __m128i, [first, last]: [u64; 2]) -> __m128i {
        let factors = _mm_set_epi64x(last as i64, first as i64);
        _mm_xor_si128(_mm_clmulepi64_si128::<0x00>(lane, factors), _mm_clmulepi64_si128::<0x11>(lane, factors))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn folding_and_the_tables_agree(
            start: u64,
            bytes in proptest::collection::vec(any::<u8>(), 0..1500),
            cut in 0..100usize,
        ) {
            let bytes = &bytes[cut.min(bytes.len())..];
            prop_assert_eq!(crc64(start, bytes), by_tables(start, bytes));
        }
    }

    #[test]
    fn the_check_value_is_met() {
        assert_eq!(crc64(0, b"123456789"), 0xe9c6_d914_c4b8_d9ca);
    }

    #[test]
    fn the_checksum_does_not_depend_on_how_the_bytes_are_divided() {
        let bytes: Vec<u8> = (0..1000u32).map(|at| (at * 7 + at / 13) as u8).collect();
        for cut in 0..100 {
            assert_eq!(crc64(crc64(0, &bytes[..cut]), &bytes[cut..]), crc64(0, &bytes));
        }
    }
}
