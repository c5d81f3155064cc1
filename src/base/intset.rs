//! Redis' intset: sorted integers of one width, little-endian, without repetitions.
//!
//! `keyspace/intset.rs` keeps sets of integers so, and RDB files and DUMP contain them, behind a header:
//! `width (4 bytes, little-endian: 2, 4 or 8) | number of integers (4) | integers`. The width is that of the widest integer
//! that was ever in the set. Functions over byte slices, which are given valid contents.

/// Bytes before the integers of a whole intset.
pub const HEADER: usize = 8;

/// Bytes of each integer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Width {
    /// 16 bits.
    Two = 2,
    /// 32 bits.
    Four = 4,
    /// 64 bits.
    Eight = 8,
}

impl Width {
    /// The least width that holds a value.
    pub fn of(value: i64) -> Self {
        match value {
            -0x8000..=0x7fff => Self::Two,
            -0x8000_0000..=0x7fff_ffff => Self::Four,
            _ => Self::Eight,
        }
    }

    /// The width of this many bytes.
    pub fn of_bytes(bytes: u32) -> Option<Self> {
        [Self::Two, Self::Four, Self::Eight].into_iter().find(|width| *width as u32 == bytes)
    }

    /// Number of bytes.
    pub fn bytes(self) -> usize {
        self as usize
    }
}

fn chunk<const N: usize>(contents: &[u8], index: usize) -> [u8; N] {
    *contents[index * N..].first_chunk().expect("the index is below the count")
}

/// The integer at an index.
#[inline]
pub fn get(contents: &[u8], width: Width, index: usize) -> i64 {
    match width {
        Width::Two => i16::from_le_bytes(chunk(contents, index)).into(),
        Width::Four => i32::from_le_bytes(chunk(contents, index)).into(),
        Width::Eight => i64::from_le_bytes(chunk(contents, index)),
    }
}

/// Writes an integer, which fits the width, to an index.
pub fn put(contents: &mut [u8], width: Width, index: usize, value: i64) {
    let bytes = width.bytes();
    contents[index * bytes..][..bytes].copy_from_slice(&value.to_le_bytes()[..bytes]);
}

/// Where a value is, or where it would have to be inserted.
pub fn search(contents: &[u8], width: Width, value: i64) -> Result<usize, usize> {
    let count = contents.len() / width.bytes();
    if Width::of(value) > width {
        return Err(if value < 0 { 0 } else { count });
    }
    // New values are often the largest so far.
    if count == 0 || value > get(contents, width, count - 1) {
        return Err(count);
    }
    let (mut low, mut high) = (0, count);
    while low < high {
        let middle = low + (high - low) / 2;
        if get(contents, width, middle) < value {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if get(contents, width, low) == value { Ok(low) } else { Err(low) }
}

/// Widens the first `count` integers, in memory that has the room, and leaves the first index free if `shift` says so:
/// a value that needs a greater width is smaller or greater than all others.
pub fn widen(contents: &mut [u8], count: usize, from: Width, to: Width, shift: bool) {
    for index in (0..count).rev() {
        let value = get(contents, from, index);
        put(contents, to, index + usize::from(shift), value);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn values_are_found_where_they_are_and_widened_in_order(
            values in proptest::collection::btree_set(any::<i16>(), 1..50),
            wanted: i32,
            to in prop_oneof![Just(Width::Four), Just(Width::Eight)],
            shift: bool,
        ) {
            let values: Vec<i64> = values.into_iter().map(i64::from).collect();
            let mut contents = vec![0; (values.len() + 1) * to.bytes()];
            values.iter().enumerate().for_each(|(index, value)| put(&mut contents, Width::Two, index, *value));
            let narrow = contents[..values.len() * 2].to_vec();
            for wanted in values.iter().copied().chain([wanted.into(), i64::MAX, i64::MIN]) {
                prop_assert_eq!(search(&narrow, Width::Two, wanted), values.binary_search(&wanted));
            }
            widen(&mut contents, values.len(), Width::Two, to, shift);
            for (index, value) in values.iter().enumerate() {
                prop_assert_eq!(get(&contents, to, index + usize::from(shift)), *value);
            }
        }
    }
}
