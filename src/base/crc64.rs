//! CRC-64 with the Jones polynomial, as RDB files and DUMP payloads end with.
//!
//! Reflected, initial value 0, no final xor. Eight bytes a step by eight tables ("slicing by eight").

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
    let mut crc = start;
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        let mixed = crc ^ u64::from_le_bytes(*word);
        crc = (0..8).fold(0, |sum, at| sum ^ TABLES[7 - at][(mixed >> (8 * at)) as usize & 0xff]);
    }
    rest.iter().fold(crc, |crc, &byte| crc >> 8 ^ TABLES[0][(crc as u8 ^ byte) as usize])
}

#[cfg(test)]
mod tests {
    use super::*;

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
