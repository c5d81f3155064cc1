//! Integers of any width at any bit of a string.
//!
//! BITFIELD calls it. Bit 0 is the most significant bit of the first byte, and so is an integer's first bit; a string
//! counts as followed by zeros.

/// What happens to a value that does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overflow {
    /// It is taken modulo the number of values of the type.
    Wrap,
    /// It becomes the nearest one that fits.
    Saturate,
    /// Nothing is stored.
    Fail,
}

/// The type of an integer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    signed: bool,
    width: u32,
}

/// The most bytes over which an integer is spread.
const MOST_BYTES: usize = 9;

impl Field {
    /// The type with this sign and number of bits, if there is one: `i1` to `i64`, `u1` to `u63`.
    pub fn new(signed: bool, width: i64) -> Option<Self> {
        let most = if signed { 64 } else { 63 };
        let width = u32::try_from(width).ok().filter(|width| (1..=most).contains(width))?;
        Some(Self { signed, width })
    }

    /// Number of bits.
    pub fn width(self) -> u32 {
        self.width
    }

    /// The integer at a bit.
    pub fn read(self, bytes: &[u8], bit: usize) -> i64 {
        let window = |sum: u128, at: usize| sum << 8 | u128::from(bytes.get(at).copied().unwrap_or(0));
        let start = bit / 8;
        let sum = (start..start + MOST_BYTES).fold(0, window);
        self.low_bits(sum >> self.shift(bit))
    }

    /// Stores an integer at a bit, within the string.
    pub fn write(self, bytes: &mut [u8], bit: usize, value: i64) {
        let mask = u128::from(u64::MAX >> (64 - self.width)) << self.shift(bit);
        let value = u128::from(value as u64) << self.shift(bit) & mask;
        let places = bytes[bit / 8..].iter_mut().zip((0..MOST_BYTES).rev());
        for (byte, place) in places {
            *byte = *byte & !(mask >> (place * 8)) as u8 | (value >> (place * 8)) as u8;
        }
    }

    /// The value to store for one that may not fit; `None` if that is to fail.
    pub fn fit(self, value: i128, overflow: Overflow) -> Option<i64> {
        let (min, max) = if self.signed {
            let half = 1i128 << (self.width - 1);
            (-half, half - 1)
        } else {
            (0, (1i128 << self.width) - 1)
        };
        if (min..=max).contains(&value) {
            return Some(value as i64);
        }
        match overflow {
            Overflow::Wrap => Some(self.low_bits(value as u128)),
            Overflow::Saturate => Some(value.clamp(min, max) as i64),
            Overflow::Fail => None,
        }
    }

    /// A value that a client wants to store, as a number that [`Field::fit`] takes. To an unsigned type, negative ones are
    /// large; to a signed one those are, too, that are so far below that Redis' arithmetic overflows: they saturate at
    /// the wrong end.
    pub fn widen(self, value: i64) -> i128 {
        let max = (1i64 << (self.width - 1)).wrapping_sub(1);
        let is_large = if self.signed { max.checked_sub(value).is_none() && self.width < 64 } else { value < 0 };
        i128::from(value) + if is_large { 1 << 64 } else { 0 }
    }

    /// How far an integer at a bit is from the end of the bytes that may hold it.
    fn shift(self, bit: usize) -> u32 {
        (MOST_BYTES * 8 - bit % 8) as u32 - self.width
    }

    /// The integer that the lowest bits are.
    fn low_bits(self, bits: u128) -> i64 {
        let unused = 64 - self.width;
        let top = (bits as u64) << unused;
        if self.signed { top as i64 >> unused } else { (top >> unused) as i64 }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn field() -> impl Strategy<Value = Field> {
        (any::<bool>(), 1..65i64).prop_filter_map("u64 is no type", |(signed, width)| Field::new(signed, width))
    }

    proptest! {
        #[test]
        fn what_was_written_is_read_and_nothing_else_changed(
            field in field(), bit in 0..200usize, value: i64, mut bytes in prop::collection::vec(any::<u8>(), 40)
        ) {
            let before = bytes.clone();
            let value = field.fit(value.into(), Overflow::Wrap).unwrap();
            field.write(&mut bytes, bit, value);
            prop_assert_eq!(field.read(&bytes, bit), value);
            let one = Field::new(false, 1).unwrap();
            for other in (0..320).filter(|other| !(bit..bit + field.width as usize).contains(other)) {
                prop_assert_eq!(one.read(&bytes, other), one.read(&before, other));
            }
            field.write(&mut bytes, bit, field.read(&before, bit));
            prop_assert_eq!(bytes, before);
        }

        #[test]
        fn a_value_that_does_not_fit_wraps_saturates_or_fails(field in field(), value in -(1i128 << 70)..1i128 << 70) {
            let Field { signed, width } = field;
            let count = 1i128 << width;
            let (min, max) = if signed { (-count / 2, count / 2 - 1) } else { (0, count - 1) };
            let wrapped = (value - min).rem_euclid(count) + min;
            prop_assert_eq!(i128::from(field.fit(value, Overflow::Wrap).unwrap()), wrapped);
            prop_assert_eq!(i128::from(field.fit(value, Overflow::Saturate).unwrap()), value.clamp(min, max));
            let fits = (min..=max).contains(&value);
            prop_assert_eq!(field.fit(value, Overflow::Fail).map(i128::from), fits.then_some(value));
        }
    }

    #[test]
    fn only_63_bits_are_unsigned() {
        for (signed, width) in [(true, 0), (true, 65), (false, 64), (false, 0), (true, -8), (false, i64::MAX)] {
            assert_eq!(Field::new(signed, width), None);
        }
        assert!(Field::new(true, 64).is_some() && Field::new(false, 63).is_some());
    }

    #[test]
    fn what_is_far_below_saturates_at_the_top_as_in_redis() {
        let i8 = Field::new(true, 8).unwrap();
        for (value, stored) in [(-9_223_372_036_854_775_681, 127), (-9_223_372_036_854_775_680, -128), (i64::MAX, 127)]
        {
            assert_eq!(i8.fit(i8.widen(value), Overflow::Saturate), Some(stored));
        }
        assert_eq!(i8.fit(i8.widen(i64::MIN + 1), Overflow::Wrap), Some(1));
        assert_eq!(i8.fit(i8.widen(i64::MIN), Overflow::Fail), None);
        let i64 = Field::new(true, 64).unwrap();
        assert_eq!(i64.fit(i64.widen(i64::MIN), Overflow::Fail), Some(i64::MIN));
        let u8 = Field::new(false, 8).unwrap();
        assert_eq!(u8.fit(u8.widen(-1), Overflow::Saturate), Some(255));
    }

    #[test]
    fn behind_the_end_are_zeros() {
        let field = Field::new(false, 16).unwrap();
        assert_eq!(field.read(b"\xff", 0), 0xff00);
        assert_eq!(field.read(b"\xff", 4), 0xf000);
        assert_eq!(field.read(b"\xff", 8), 0);
        assert_eq!(field.read(b"", usize::MAX / 2), 0);
    }
}
