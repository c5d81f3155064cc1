//! Writing the 80-bit numbers of the x87, in which Redis counts for INCRBYFLOAT.
//!
//! As C's `%.17Lf` writes them, that is exactly and rounded half to even, and then without zeros at the end.

use rustc_apfloat::Float;
use rustc_apfloat::ieee::X87DoubleExtended;

const FRACTION_DIGITS: usize = 17;
const FRACTION: u128 = 100_000_000_000_000_000;
/// What the exponent field of a number with the value of its 64-bit mantissa is: the bias and the mantissa's 63 bits
/// behind the point.
const EXPONENT_OF_ONE: i32 = 16_383 + 63;

/// Writes a finite number.
pub fn format(value: X87DoubleExtended) -> Vec<u8> {
    let bits = value.to_bits();
    let mantissa = bits as u64;
    let field = (bits >> 64) as i32 & 0x7fff;
    // Numbers without the leading one have the exponent of the smallest ones with it.
    let exponent = field.max(1) - EXPONENT_OF_ONE;
    let mut text = if exponent >= 0 { whole(mantissa, exponent as u32) } else { fraction(mantissa, -exponent as u32) };
    if value.is_negative() && text != b"0" {
        text.insert(0, b'-');
    }
    text
}

/// `mantissa` · 2^`exponent`.
fn whole(mantissa: u64, exponent: u32) -> Vec<u8> {
    /// Nine digits are taken off at a time.
    const BASE: u64 = 1_000_000_000;
    let mut limbs = vec![0u32; exponent as usize / 32];
    let shifted = u128::from(mantissa) << (exponent % 32);
    limbs.extend([shifted as u32, (shifted >> 32) as u32, (shifted >> 64) as u32]);
    let mut groups = Vec::new();
    while let Some(&top) = limbs.last() {
        if top == 0 {
            limbs.pop();
            continue;
        }
        let remainder = limbs.iter_mut().rev().fold(0, |carry, limb| {
            let value = carry << 32 | u64::from(*limb);
            *limb = (value / BASE) as u32;
            value % BASE
        });
        groups.push(remainder);
    }
    let mut text = Vec::with_capacity(groups.len() * 9 + 1);
    for (at, group) in groups.iter().rev().enumerate() {
        let digits = if at == 0 { group.to_string() } else { format!("{group:09}") };
        text.extend_from_slice(digits.as_bytes());
    }
    if text.is_empty() { b"0".to_vec() } else { text }
}

/// `mantissa` / 2^`shift`, with 17 digits behind the point, less the zeros at the end.
fn fraction(mantissa: u64, shift: u32) -> Vec<u8> {
    // Less than 2^64 · 2^57, so it fits.
    let scaled = u128::from(mantissa) * FRACTION;
    let (quotient, remainder) = match shift {
        0..128 => (scaled >> shift, scaled & ((1 << shift) - 1)),
        // All of it is far below one half of the last digit.
        _ => (0, 0),
    };
    let half = 1u128 << (shift.min(127) - 1);
    let up = remainder > half || (remainder == half && quotient & 1 == 1);
    let rounded = quotient + u128::from(up);
    let mut text =
        format!("{}.{:0width$}", rounded / FRACTION, rounded % FRACTION, width = FRACTION_DIGITS).into_bytes();
    while text.last() == Some(&b'0') {
        text.pop();
    }
    if text.last() == Some(&b'.') {
        text.pop();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::number::parse_long_double;

    fn sum(a: &str, b: &str) -> String {
        let (a, b) = (parse_long_double(a.as_bytes()).unwrap(), parse_long_double(b.as_bytes()).unwrap());
        String::from_utf8(format((a + b).value)).unwrap()
    }

    #[test]
    fn sums_are_written_as_the_x87_computes_and_c_prints_them() {
        assert_eq!(sum("10.5", "0.1"), "10.6");
        assert_eq!(sum("5.0e3", "2.0e2"), "5200");
        assert_eq!(sum("0", "3.14159265358979323846"), "3.14159265358979324");
        assert_eq!(sum("1", "-1"), "0");
        assert_eq!(sum("0", "-0"), "0");
        assert_eq!(sum("-1e-18", "0"), "0");
        assert_eq!(sum("0x1p-18", "0"), "0.00000381469726562");
        assert_eq!(sum("17179869184", "1e-17"), "17179869184");
    }

    #[test]
    fn large_numbers_are_written_to_the_last_digit() {
        assert_eq!(sum("1e20", "0"), "100000000000000000000");
        assert_eq!(sum("1e30", "0"), "1000000000000000000024696061952");
        assert_eq!(sum("1e4900", "0").len(), 4901);
    }
}
