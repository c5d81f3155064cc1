//! Tests of the ziplist.

use proptest::prelude::*;

use super::*;

/// Integers of every kind, from a file of RDB version 6.
const INTEGERS: &[u8] = b"\x55\0\0\0\x4a\0\0\0\x18\0\
    \0\xf1\x02\xf2\x02\xf3\x02\xf4\x02\xf5\x02\xf6\x02\xf7\x02\xf8\x02\xf9\x02\xfa\x02\xfb\x02\xfc\x02\xfd\
    \x02\xfe\xfe\x03\xfe\x0d\x03\xfe\x19\x03\xfe\xc3\x03\xfe\x3f\x03\xc0\xfc\x3f\x04\xc0\x80\xc1\
    \x04\xf0\xff\xff\x00\x05\xf0\x0d\x00\xff\x05\xf0\x00\x00\x40\x05\xe0\xff\xff\xff\xff\xff\xff\xff\x7f\xff";

/// A hash, from a file of RDB version 4, taken out of LZF.
const HASH: &[u8] = b"\x33\0\0\0\x22\0\0\0\x06\0\
    \0\x01a\x03\x02aa\x04\x02aa\x04\x04aaaa\x06\x05aaaaa\x07\x0eaaaaaaaaaaaaaa\xff";

fn texts(blob: &[u8]) -> Option<Vec<Text<'_>>> {
    let elements = read(blob)?;
    let count = elements.len();
    let texts: Vec<_> = elements.collect();
    assert_eq!(texts.len(), count);
    Some(texts)
}

fn written(elements: &[Text<'_>]) -> Vec<u8> {
    let mut out = b"before".to_vec();
    write(elements.iter().copied(), &mut out);
    assert!(out.starts_with(b"before"));
    out.split_off(6)
}

/// A ziplist with these bytes as elements.
fn framed(elements: &[u8], last: usize, count: u16) -> Vec<u8> {
    let header =
        [&stated(elements.len() + 11).to_le_bytes()[..], &stated(last + 10).to_le_bytes(), &count.to_le_bytes()];
    [&header.concat(), elements, &[END]].concat()
}

#[test]
fn ziplists_of_redis_are_read_and_written() {
    let integers = (0..=12).chain([-2, 13, 25, -61, 63, 16380, -16000, 65535, -65523, 4_194_304, i64::MAX]);
    let integers: Vec<_> = integers.map(Text::Int).collect();
    assert_eq!(texts(INTEGERS), Some(integers.clone()));
    assert_eq!(written(&integers), INTEGERS);
    let hash = ["a", "aa", "aa", "aaaa", "aaaaa", "aaaaaaaaaaaaaa"].map(|text| Text::of(text.as_bytes()));
    assert_eq!(texts(HASH), Some(hash.to_vec()));
    assert_eq!(written(&hash), HASH);
    assert_eq!(written(&[]), b"\x0b\0\0\0\x0a\0\0\0\0\0\xff");
    assert_eq!(texts(&written(&[])), Some(vec![]));
}

#[test]
fn every_form_but_the_shortest_is_read_as_well() {
    for (elements, text) in [
        (&b"\0\xe0\x05\0\0\0\0\0\0\0"[..], Text::Int(5)),
        (b"\0\xd0\xff\xff\xff\xff", Text::Int(-1)),
        (b"\0\x0212", Text::Int(12)),
        (b"\0\x0201", Text::Bytes(b"01")),
        (b"\0\x40\x01a", Text::Bytes(b"a")),
        (b"\0\x80\0\0\0\x01a", Text::Bytes(b"a")),
        (b"\xfe\0\0\0\0\x01a", Text::Bytes(b"a")),
    ] {
        assert_eq!(texts(&framed(elements, 0, 1)), Some(vec![text]), "{elements:x?}");
        assert_eq!(texts(&framed(elements, 0, UNKNOWN)), Some(vec![text]), "{elements:x?}");
    }
}

#[test]
fn what_is_not_consistent_is_refused() {
    assert!(texts(&framed(b"\0\xf1\x02\xf1", 2, 2)).is_some());
    for (elements, last, count) in [
        (&b"\0\xf1\x02\xf1"[..], 0, 2),
        (b"\0\xf1\x02\xf1", 4, 2),
        (b"\0\xf1\x02\xf1", 2, 1),
        (b"\0\xf1\x02\xf1", 2, 3),
        (b"\x01\xf1\x02\xf1", 2, 2),
        (b"\0\xf1\x03\xf1", 2, 2),
        (b"\0\xf1\xfe\x03\0\0\0\xf1", 2, 2),
        (b"\0\xf1\x02", 2, 2),
        (b"\0\xff", 0, 1),
        (b"\xff\xf1", 0, 1),
        (b"\0\x81\0\0\0\x01a", 0, 1),
        (b"\0\x80\xff\xff\xff\xff", 0, 1),
        (b"\0\xc1\0\0", 0, 1),
    ] {
        assert_eq!(texts(&framed(elements, last, count)), None, "{elements:x?}, {last}, {count}");
    }
    let mut longer = HASH.to_vec();
    longer.push(END);
    assert_eq!(texts(&longer), None);
}

#[test]
fn a_damaged_ziplist_is_refused_or_read_without_panic() {
    for blob in [INTEGERS, HASH] {
        for len in 0..blob.len() {
            assert_eq!(texts(&blob[..len]), None);
        }
        for at in 0..blob.len() {
            for byte in 0..=255 {
                let mut damaged = blob.to_vec();
                damaged[at] = byte;
                texts(&damaged);
            }
        }
    }
}

#[test]
fn a_ziplist_of_more_elements_than_it_can_say_is_of_unknown_length() {
    for count in [65_534_usize, 65_535, 65_536] {
        let blob = written(&vec![Text::Int(1); count]);
        let stated = u16::try_from(count).unwrap_or(u16::MAX);
        assert_eq!(blob[8..10], stated.to_le_bytes());
        assert_eq!(read(&blob).unwrap().len(), count);
    }
}

fn element() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        any::<i64>().prop_map(|value| value.to_string().into_bytes()),
        (any::<i64>(), 0..63u32).prop_map(|(value, shift)| (value >> shift).to_string().into_bytes()),
        proptest::collection::vec(any::<u8>(), 0..8),
        proptest::collection::vec(any::<u8>(), 50..70),
        (240..260usize).prop_map(|len| vec![b'x'; len]),
        (16_370..16_400usize).prop_map(|len| vec![b'x'; len]),
    ]
}

proptest! {
    #[test]
    fn what_is_written_is_read(elements in proptest::collection::vec(element(), 0..40)) {
        let elements: Vec<_> = elements.iter().map(|bytes| Text::of(bytes)).collect();
        let blob = written(&elements);
        prop_assert_eq!(texts(&blob), Some(elements));
    }
}
