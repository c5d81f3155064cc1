//! The digits of a double as Redis prints them: by Grisu2 (Florian Loitsch, "Printing Floating-Point Numbers Quickly
//! and Accurately with Integers", 2010).
//!
//! The digits always read back as the same number and are the shortest that do in all but one of a thousand cases. In
//! those a better algorithm would give other digits, and clients would see that, so it has to be this one.

use std::sync::OnceLock;

use rustc_apfloat::Float;
use rustc_apfloat::ieee::X87DoubleExtended;

/// `fraction` · 2^`exponent`.
#[derive(Clone, Copy)]
struct Scaled {
    fraction: u64,
    exponent: i32,
}

const HIDDEN_BIT: u64 = 1 << 52;
/// What the exponent field of a double exceeds the exponent of its fraction, read as an integer, by.
const BIAS: i32 = 1023 + 52;

/// The scaled number's exponent must lie between these, so that its integer part has at most 32 bits.
const LOWEST: i32 = -60;
const HIGHEST: i32 = -32;

const FIRST_POWER: i32 = -348;
const POWER_STEP: i32 = 8;
const POWERS: usize = 87;

impl Scaled {
    fn of(value: f64) -> Self {
        let bits = value.to_bits();
        let fraction = bits & (HIDDEN_BIT - 1);
        match (bits >> 52) as i32 & 0x7ff {
            0 => Self { fraction, exponent: 1 - BIAS },
            field => Self { fraction: fraction | HIDDEN_BIT, exponent: field - BIAS },
        }
    }

    fn normalized(self) -> Self {
        let shift = self.fraction.leading_zeros();
        Self { fraction: self.fraction << shift, exponent: self.exponent - shift as i32 }
    }

    /// The product, rounded to 64 bits.
    fn times(self, other: Self) -> Self {
        let product = u128::from(self.fraction) * u128::from(other.fraction) + (1 << 63);
        Self { fraction: (product >> 64) as u64, exponent: self.exponent + other.exponent + 64 }
    }

    /// The middles between this double and its neighbours, with the same exponent.
    fn boundaries(self) -> (Self, Self) {
        let upper = Self { fraction: (self.fraction << 1) + 1, exponent: self.exponent - 1 }.normalized();
        // Below a power of two the neighbours are twice as close.
        let shift = if self.fraction == HIDDEN_BIT { 2 } else { 1 };
        let fraction = ((self.fraction << shift) - 1) << (self.exponent - shift - upper.exponent);
        (Self { fraction, exponent: upper.exponent }, upper)
    }
}

/// Every eighth power of ten, normalized.
fn powers() -> &'static [Scaled; POWERS] {
    static TABLE: OnceLock<[Scaled; POWERS]> = OnceLock::new();
    TABLE.get_or_init(|| {
        std::array::from_fn(|at| {
            let text = format!("1e{}", FIRST_POWER + at as i32 * POWER_STEP);
            // The numbers of the x87 have just the 64 bits that are wanted, correctly rounded.
            let power: X87DoubleExtended = text.parse().expect("a power of ten is a number");
            let bits = power.to_bits();
            Scaled { fraction: bits as u64, exponent: (bits >> 64) as i32 - 16_383 - 63 }
        })
    })
}

/// The power of ten that brings a number with this exponent into range, and its decimal exponent.
fn power_for(exponent: i32) -> (Scaled, i32) {
    const LOG10_OF_2: f64 = 0.301_029_995_663_981_14;
    let estimate = (-f64::from(exponent + POWERS as i32) * LOG10_OF_2) as i32;
    let mut at = ((estimate - FIRST_POWER) / POWER_STEP) as usize;
    loop {
        let power = powers()[at];
        match exponent + power.exponent + 64 {
            low if low < LOWEST => at += 1,
            high if high > HIGHEST => at -= 1,
            _ => return (power, FIRST_POWER + at as i32 * POWER_STEP),
        }
    }
}

/// The digits of a positive number, and the power of ten of the last one.
pub(super) fn digits(value: f64) -> (Vec<u8>, i32) {
    let number = Scaled::of(value);
    let (lower, upper) = number.boundaries();
    let (power, decimal) = power_for(upper.exponent);
    let number = number.normalized().times(power);
    // One less on both sides, because the products are not exact.
    let upper = Scaled { fraction: upper.times(power).fraction - 1, ..upper.times(power) };
    let lower = lower.times(power).fraction + 1;
    generate(number.fraction, upper, lower, -decimal)
}

/// Writes digits of `upper` until what is left is small enough for the rest to be left out.
fn generate(number: u64, upper: Scaled, lower: u64, mut power: i32) -> (Vec<u8>, i32) {
    let mut digits = Vec::with_capacity(18);
    let distance = upper.fraction - number;
    let mut delta = upper.fraction - lower;
    let shift = -upper.exponent;
    let one = 1u64 << shift;
    let mut whole = upper.fraction >> shift;
    let mut part = upper.fraction & (one - 1);
    let push = |digits: &mut Vec<u8>, digit: u64| {
        if digit != 0 || !digits.is_empty() {
            digits.push(b'0' + digit as u8);
        }
    };
    for position in (0..10).rev() {
        let unit = 10u64.pow(position);
        push(&mut digits, whole / unit);
        whole %= unit;
        let rest = (whole << shift) + part;
        if rest <= delta {
            round(&mut digits, delta, rest, unit << shift, distance);
            return (digits, power + position as i32);
        }
    }
    let mut scale = 1u64;
    loop {
        part *= 10;
        delta *= 10;
        scale = scale.wrapping_mul(10);
        power -= 1;
        push(&mut digits, part >> shift);
        part &= one - 1;
        if part < delta {
            round(&mut digits, delta, part, one, distance.wrapping_mul(scale));
            return (digits, power);
        }
    }
}

/// Lowers the last digit for as long as that brings the digits nearer to the number.
fn round(digits: &mut [u8], delta: u64, mut rest: u64, unit: u64, distance: u64) {
    let Some(last) = digits.last_mut() else { return };
    while rest < distance
        && delta - rest >= unit
        && (rest + unit < distance || distance - rest > rest + unit - distance)
    {
        *last -= 1;
        rest += unit;
    }
}
