//! Tests of the listpack's elements.

use proptest::prelude::*;

use super::*;

fn packed(elements: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::new();
    for element in elements {
        let encoded = encode(Text::of(element));
        let start = out.len();
        out.resize(start + encoded.size(), 0);
        assert!(encoded.write(&mut out[start..]).is_empty());
    }
    out
}

#[test]
fn elements_have_the_bytes_of_redis() {
    for (element, bytes) in [
        (&b"0"[..], &[0, 1][..]),
        (b"127", &[127, 1]),
        (b"128", &[0xc0, 0x80, 2]),
        (b"-1", &[0xdf, 0xff, 2]),
        (b"4095", &[0xcf, 0xff, 2]),
        (b"-4096", &[0xd0, 0, 2]),
        (b"4096", &[0xf1, 0, 0x10, 3]),
        (b"-32769", &[0xf2, 0xff, 0x7f, 0xff, 4]),
        (b"8388608", &[0xf3, 0, 0, 0x80, 0, 5]),
        (b"-9223372036854775808", &[0xf4, 0, 0, 0, 0, 0, 0, 0, 0x80, 9]),
        (b"", &[0x80, 1]),
        (b"a", &[0x81, b'a', 2]),
        (b"01", &[0x82, b'0', b'1', 3]),
        (b"-0", &[0x82, b'-', b'0', 3]),
    ] {
        assert_eq!(packed(&[element]), bytes, "{element:?}");
    }
    for (len, head, backlen) in [
        (63, &[0xbf][..], &[64][..]),
        (64, &[0xe0, 64], &[66]),
        (125, &[0xe0, 125], &[127]),
        (126, &[0xe0, 126], &[1, 0x80]),
        (4095, &[0xef, 0xff], &[32, 0x81]),
        (4096, &[0xf0, 0, 0x10, 0, 0], &[32, 0x85]),
        (16_377, &[0xf0, 0xf9, 0x3f, 0, 0], &[127, 0xfe]),
        (16_378, &[0xf0, 0xfa, 0x3f, 0, 0], &[0, 0xff, 0xff]),
        (2_097_145, &[0xf0, 0xf9, 0xff, 0x1f, 0], &[127, 0xff, 0xfe]),
        (2_097_146, &[0xf0, 0xfa, 0xff, 0x1f, 0], &[0, 0xff, 0xff, 0xff]),
    ] {
        let bytes = packed(&[&vec![b'x'; len]]);
        assert!(bytes.starts_with(head) && bytes.ends_with(backlen), "{len}");
        assert_eq!(bytes.len(), head.len() + len + backlen.len(), "{len}");
    }
}

#[test]
fn what_redis_would_never_write_is_valid_but_not_canonical() {
    for bytes in [&[0x81, b'5', 2][..], &[0xc0, 5, 2], &[0xf1, 5, 0, 3], &[0xe0, 1, b'a', 3]] {
        assert_eq!(check(bytes), Some(Checked { count: 1, canonical: false }), "{bytes:?}");
    }
    for bytes in
        [&[0xff][..], &[0xf5, 1], &[0x82, b'a', 3], &[0x81, b'a', 1], &[0xf0, 0xff, 0xff, 0xff, 0xff, 5], &[0xe0]]
    {
        assert_eq!(check(bytes), None, "{bytes:?}");
    }
}

fn element() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        any::<i64>().prop_map(|value| value.to_string().into_bytes()),
        (any::<i64>(), 0..63u32).prop_map(|(value, shift)| (value >> shift).to_string().into_bytes()),
        proptest::collection::vec(any::<u8>(), 0..8),
        proptest::collection::vec(any::<u8>(), 50..140),
        (4080..4110usize).prop_map(|len| vec![b'x'; len]),
    ]
}

proptest! {
    #[test]
    fn what_is_encoded_is_read_from_both_ends_and_found(
        elements in proptest::collection::vec(element(), 0..12),
        skip in 0..3usize,
        wanted in element(),
    ) {
        let bytes = packed(&elements.iter().map(Vec::as_slice).collect::<Vec<_>>());
        prop_assert_eq!(check(&bytes), Some(Checked { count: elements.len(), canonical: true }));
        let mut starts = Vec::new();
        let mut at = 0;
        while at < bytes.len() {
            starts.push(at);
            at = next(&bytes, at);
        }
        prop_assert_eq!(at, bytes.len());
        let read: Vec<Vec<u8>> = starts.iter().map(|at| decode(&bytes, *at).to_vec()).collect();
        prop_assert_eq!(&read, &elements);
        let mut end = bytes.len();
        for start in starts.iter().rev() {
            end = previous(&bytes, end);
            prop_assert_eq!(end, *start);
        }
        for wanted in elements.iter().chain([&wanted]) {
            let place = (0..elements.len()).step_by(skip + 1).find(|index| elements[*index] == *wanted);
            prop_assert_eq!(find(&bytes, 0, &encode(Text::of(wanted)), skip), place.map(|index| starts[index]));
        }
    }

    #[test]
    fn whatever_the_bytes_are_checking_them_does_not_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        let _ = check(&bytes);
    }

    #[test]
    fn a_flipped_bit_is_found_or_leaves_valid_elements(
        elements in proptest::collection::vec(element(), 1..6),
        at: proptest::sample::Index,
        bit in 0..8u32,
    ) {
        let mut bytes = packed(&elements.iter().map(Vec::as_slice).collect::<Vec<_>>());
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        if let Some(checked) = check(&bytes) {
            let (mut at, mut count) = (0, 0);
            while at < bytes.len() {
                decode(&bytes, at);
                let end = next(&bytes, at);
                prop_assert_eq!(previous(&bytes, end), at);
                at = end;
                count += 1;
            }
            prop_assert_eq!(count, checked.count);
        }
    }
}
