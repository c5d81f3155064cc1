//! Tests of LZF.

use proptest::prelude::*;

use super::*;

fn compressed(input: &[u8]) -> Option<Vec<u8>> {
    let mut out = b"before".to_vec();
    let compressed = Compressor::new().compress(input, &mut out);
    assert!(out.starts_with(b"before") && (compressed || out.len() == 6));
    compressed.then(|| out.split_off(6))
}

fn hex(digits: &str) -> Vec<u8> {
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
}

/// What DUMP of Redis 7.0.15 contains, and what was dumped.
fn samples() -> [(Vec<u8>, Vec<u8>); 4] {
    [
        (hex("016161e05700016161"), b"a".repeat(100)),
        (
            hex(concat!(
                "1f7b226964223a312c226e616d65223a22616c706861222c2274616773223a5b220078200b0579225d7d2c7b60280032e0",
                "002802626574e00727007ae001270033e000270367616d6de00328007920502028007d",
            )),
            concat!(
                r#"{"id":1,"name":"alpha","tags":["x","y"]},{"id":2,"name":"beta","tags":["x","z"]},"#,
                r#"{"id":3,"name":"gamma","tags":["y","z"]}"#,
            )
            .into(),
        ),
        (hex("0361626361e0ff02e1ff07e1ff07e1ff07e18107016263"), b"abc".repeat(400)),
        (
            hex("0d746f206265206f72206e6f742074400c082c207468617420697320070a65207175657374696f6e3b801ce00229016265"),
            b"to be or not to be, that is the question; to be or not to be".to_vec(),
        ),
    ]
}

#[test]
fn what_redis_compressed_is_read() {
    for (compressed, plain) in samples() {
        assert_eq!(decompress(&compressed, plain.len()).as_deref(), Some(&plain[..]));
        let mut out = b"before".to_vec();
        assert!(decompress_into(&compressed, plain.len(), &mut out));
        assert_eq!(out, [b"before", &plain[..]].concat());
    }
}

#[test]
fn every_form_of_the_format_is_read() {
    for (compressed, plain) in [
        (&b""[..], &b""[..]),
        (b"\x00a", b"a"),
        (b"\x02abc", b"abc"),
        (b"\x02abc\x20\x02", b"abcabc"),
        (b"\x02abc\xc0\x01", b"abcbcbcbcbc"),
        (b"\x00a\xe0\x00\x00", b"aaaaaaaaaa"),
        (b"\x02abc\x20\x00\x20\x02\x00d", b"abcccccccd"),
    ] {
        assert_eq!(decompress(compressed, plain.len()).as_deref(), Some(plain), "{compressed:x?}");
        for wrong in (0..30).filter(|wrong| *wrong != plain.len()) {
            assert_eq!(decompress(compressed, wrong), None, "{compressed:x?} as {wrong}");
        }
    }
    let far: Vec<u8> = (0..8192u32).map(|at| (at * 7 + at / 251) as u8).collect();
    let mut compressed: Vec<u8> = far.chunks(32).flat_map(|run| [&[31], run].concat()).collect();
    compressed.extend(b"\xff\xff\xff");
    assert_eq!(decompress(&compressed, 8192 + 264), Some([&far[..], &far[..264]].concat()));
}

#[test]
fn a_length_that_cannot_come_out_is_refused_before_there_is_memory_for_it() {
    for input in [&b""[..], b"\x00a\xe0\xff\x00"] {
        assert_eq!(decompress(input, usize::MAX), None);
        assert!(!decompress_into(input, usize::MAX, &mut vec![1]));
    }
    assert!(possible(b"\x00a\xe0\xff\x00", 265));
}

#[test]
fn only_what_gets_four_bytes_shorter_is_compressed() {
    assert_eq!(compressed(&b"a".repeat(20)), None);
    assert_eq!(compressed(&b"a".repeat(21)).unwrap(), b"\x00a\xe0\x0b\x00");
    assert_eq!(compressed(b"abcdefghijklmnopqrstuvwxyz0123456789"), None);
    let unequal: Vec<u8> = (0..32).collect();
    for repeated in 5..20 {
        let input = [&unequal[..], &unequal[..repeated], b"!"].concat();
        let best = 33 + if repeated < 9 { 2 } else { 3 } + 2;
        assert_eq!(compressed(&input).map(|out| out.len()), Some(best).filter(|len| len + 4 <= input.len()));
    }
}

#[test]
fn a_damaged_block_is_refused_or_yields_the_expected_length() {
    for (compressed, plain) in samples() {
        for len in 0..compressed.len() {
            assert_eq!(decompress(&compressed[..len], plain.len()), None);
        }
        for at in 0..compressed.len() {
            for value in 0..=255 {
                let mut damaged = compressed.clone();
                damaged[at] = value;
                let out = decompress(&damaged, plain.len());
                assert!(out.is_none_or(|out| out.len() == plain.len()));
            }
        }
    }
}

fn input() -> impl Strategy<Value = Vec<u8>> {
    let words = prop_oneof![Just("true"), Just(r#"{"name":"#), Just("alpha"), Just(","), Just("0.125"), Just("x")];
    prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..300),
        proptest::collection::vec(0..4u8, 0..2000),
        proptest::collection::vec(words, 0..400).prop_map(|words| words.concat().into_bytes()),
        (proptest::collection::vec(any::<u8>(), 1..40), 1..40usize).prop_map(|(bytes, times)| bytes.repeat(times)),
        // Repetitions about as far as a reference reaches, and longer than positions are wide.
        (8100..8300usize, 1..12usize, any::<u64>()).prop_map(|(period, times, seed)| {
            let mut random = fastrand::Rng::with_seed(seed);
            (0..period).map(|_| random.u8(..)).collect::<Vec<_>>().repeat(times)
        }),
    ]
}

proptest! {
    #[test]
    fn what_is_compressed_is_read_back_whatever_was_compressed_before(
        inputs in proptest::collection::vec(input(), 1..10),
    ) {
        let mut compressor = Compressor::new();
        for input in inputs {
            let mut out = Vec::new();
            let worth = compressor.compress(&input, &mut out);
            prop_assert_eq!(compressed(&input), worth.then(|| out.clone()));
            if worth {
                prop_assert!(out.len() + 4 <= input.len());
                prop_assert_eq!(decompress(&out, input.len()), Some(input));
            }
        }
    }

    #[test]
    fn random_blocks_are_refused_or_yield_the_expected_length(
        input in proptest::collection::vec(prop_oneof![any::<u8>(), 0..4u8], 0..60),
        expected in 0..400usize,
    ) {
        let out = decompress(&input, expected);
        prop_assert!(out.is_none_or(|out| out.len() == expected));
    }
}
