use proptest::prelude::*;

use super::*;

fn sketch(bytes: &[u8]) -> Sketch<'_> {
    Sketch::of(bytes).expect("a sketch")
}

fn add(bytes: &mut Vec<u8>, element: &[u8], most_sparse: usize) -> Result<bool, Corrupted> {
    SketchMut::of(bytes).expect("a sketch").add(element, most_sparse)
}

fn of_elements(elements: std::ops::Range<u32>, most_sparse: usize) -> Vec<u8> {
    let mut bytes = empty();
    elements.for_each(|n| {
        add(&mut bytes, n.to_string().as_bytes(), most_sparse).unwrap();
    });
    bytes
}

fn registers(bytes: &[u8]) -> Result<Registers, Corrupted> {
    let mut registers = [0; REGISTERS];
    sketch(bytes).merge_into(&mut registers).map(|()| registers)
}

fn runs(bytes: &[u8]) -> String {
    let runs = sketch(bytes).runs().unwrap().map(|run| format!("{}x{}", run.rank, run.len));
    runs.collect::<Vec<_>>().join(" ")
}

/// Runs as bytes, behind a header.
fn of_runs(runs: &[(u8, usize)]) -> Vec<u8> {
    let mut bytes = empty()[..HEADER].to_vec();
    for (rank, len) in runs {
        match rank {
            0 => sparse::write_zeros(*len, &mut bytes),
            rank => bytes.push(STALE | (rank - 1) << 2 | (len - 1) as u8),
        }
    }
    bytes
}

const NO_LIMIT: usize = usize::MAX;

#[test]
fn an_empty_sketch_and_one_element_are_the_bytes_of_redis() {
    let mut bytes = empty();
    assert_eq!(bytes, b"HYLL\x01\0\0\0\0\0\0\0\0\0\0\0\x7f\xff");
    assert_eq!(sketch(&bytes).kept_cardinality(), Some(0));
    assert_eq!(add(&mut bytes, b"a", 3000), Ok(true));
    assert_eq!(add(&mut bytes, b"a", 3000), Ok(false));
    assert_eq!(bytes, b"HYLL\x01\0\0\0\0\0\0\0\0\0\0\x80\x71\xa6\x84\x4e\x57");
    assert_eq!(runs(&bytes), "0x12711 2x1 0x3672");
    assert_eq!(sketch(&bytes).count(), Ok(1));
    assert_eq!(sketch(&bytes).kept_cardinality(), None);
}

#[test]
fn runs_are_split_and_joined() {
    let raise = |bytes: &mut Vec<u8>, index, rank| sparse::raise(bytes, index, rank, NO_LIMIT);
    let mut bytes = of_runs(&[(0, 1), (0, 64), (0, REGISTERS - 65)]);
    assert_eq!(raise(&mut bytes, 0, 3), Ok(sparse::Raised::Yes));
    assert_eq!(runs(&bytes), "3x1 0x64 0x16319");
    assert_eq!(raise(&mut bytes, 1, 3), Ok(sparse::Raised::Yes));
    assert_eq!(runs(&bytes), "3x2 0x63 0x16319");
    assert_eq!(raise(&mut bytes, 1, 4), Ok(sparse::Raised::Yes));
    assert_eq!(runs(&bytes), "3x1 4x1 0x63 0x16319");
    assert_eq!(raise(&mut bytes, 0, 4), Ok(sparse::Raised::Yes));
    assert_eq!(raise(&mut bytes, 4, 4), Ok(sparse::Raised::Yes));
    assert_eq!(raise(&mut bytes, 3, 4), Ok(sparse::Raised::Yes));
    assert_eq!(raise(&mut bytes, 2, 4), Ok(sparse::Raised::Yes));
    assert_eq!(runs(&bytes), "4x3 4x2 0x60 0x16319", "five are too many for one run");
    assert_eq!(raise(&mut bytes, 2, 4), Ok(sparse::Raised::No));
    assert_eq!(raise(&mut bytes, 2, 33), Ok(sparse::Raised::TooLarge));
    assert_eq!(raise(&mut bytes, REGISTERS - 1, 1), Ok(sparse::Raised::Yes));
    assert_eq!(runs(&bytes), "4x3 4x2 0x60 0x16318 1x1");
}

#[test]
fn what_is_too_large_to_be_sparse_becomes_dense() {
    let sparse = of_elements(0..2000, NO_LIMIT);
    let dense = of_elements(0..2000, 3000);
    assert!(!sketch(&sparse).is_dense() && sketch(&dense).is_dense());
    assert_eq!(registers(&sparse), registers(&dense));
    assert_eq!(sketch(&sparse).count(), sketch(&dense).count());
    assert_eq!(dense.len(), HEADER + dense::LEN);
    assert_eq!(dense.capacity(), dense.len());
}

#[test]
fn no_estimate_is_the_number_that_redis_gives() {
    let mut counts = [0; RANKS];
    counts[63] = REGISTERS as u32;
    assert_eq!(estimate::cardinality(&counts), 1 << 63);
    assert_eq!(estimate(&[0; REGISTERS]), 0);
    assert_eq!(estimate(&[32; REGISTERS]), 50_760_319_129_350);
}

#[test]
fn damaged_registers_are_noticed() {
    for damaged in [&[(0, 16_383)][..], &[(0, 16_384), (0, 1)], &[(0, 16_383), (3, 2)], &[]] {
        let mut bytes = of_runs(damaged);
        assert_eq!(registers(&bytes), Err(Corrupted), "{damaged:?}");
        assert_eq!(sketch(&bytes).count(), Err(Corrupted));
        assert_eq!(SketchMut::of(&mut bytes).unwrap().make_dense(), Err(Corrupted));
    }
    // A register that is there can be raised; one behind the end cannot.
    let mut bytes = of_runs(&[(0, 12_712)]);
    assert_eq!(add(&mut bytes, b"a", NO_LIMIT), Ok(true));
    assert_eq!(add(&mut of_runs(&[(0, 12_711)]), b"a", NO_LIMIT), Err(Corrupted));
    // A run that is cut off reads as its first byte says.
    let mut bytes = of_runs(&[(0, 255)]);
    bytes.push(0x7f);
    assert_eq!(sketch(&bytes).count(), Ok(0));
    let before = bytes.clone();
    assert_eq!(add(&mut bytes, b"a", NO_LIMIT), Err(Corrupted));
    assert_eq!(bytes, before);
}

#[test]
fn only_a_whole_header_and_whole_dense_registers_make_a_sketch() {
    let mut dense = of_elements(0..1, 0);
    assert!(Sketch::of(&dense).is_some());
    dense.push(0);
    assert!(Sketch::of(&dense).is_none());
    assert!(Sketch::of(&empty()[..HEADER]).is_some());
    assert!(Sketch::of(&empty()[..HEADER - 1]).is_none());
    assert!(Sketch::of(b"HYLL\x02\0\0\0\0\0\0\0\0\0\0\0\x7f\xff").is_none());
    assert!(Sketch::of(b"HYLX\x01\0\0\0\0\0\0\0\0\0\0\0\x7f\xff").is_none());
}

#[test]
fn the_self_test_finds_nothing() {
    assert_eq!(self_test(&mut fastrand::Rng::with_seed(1)), Ok(()));
}

proptest! {
    #[test]
    fn a_merged_sketch_counts_what_was_added_to_any(a in 0..3000u32, b in 0..3000u32, c in 0..3000u32) {
        let (mut one, two, both) =
            (of_elements(a.min(b)..b.max(a), 3000), of_elements(b.min(c)..b.max(c), 500), of_elements(a.min(b).min(c)..a.max(b).max(c), 0));
        let mut merged = registers(&two).unwrap();
        sketch(&one).merge_into(&mut merged).unwrap();
        SketchMut::of(&mut one).unwrap().merge(&merged, 3000).unwrap();
        prop_assert_eq!(&registers(&one).unwrap(), &merged);
        prop_assert_eq!(&registers(&both).unwrap(), &merged);
        prop_assert_eq!(sketch(&both).count(), Ok(estimate(&merged)));
    }

    #[test]
    fn whatever_the_bytes_are_nothing_panics(
        tail in prop::collection::vec(any::<u8>(), 0..300), elements in prop::collection::vec(any::<[u8; 3]>(), 1..20), limit in 0..400usize
    ) {
        let mut bytes = [&empty()[..HEADER], &tail].concat();
        for element in elements {
            let before = registers(&bytes);
            let added = add(&mut bytes, &element, limit);
            if before.is_ok() && !sketch(&bytes).is_dense() {
                prop_assert!(added.is_ok());
                prop_assert!(bytes.len() <= limit.max(HEADER + tail.len()));
            }
            prop_assert_eq!(registers(&bytes).is_ok(), before.is_ok());
        }
        let _ = (sketch(&bytes).count(), SketchMut::of(&mut bytes).unwrap().make_dense());
    }
}
