//! Lists beside a plain vector that is given the same changes.

use std::ops::ControlFlow;

use super::*;
use crate::keyspace::{Entry, Value};

/// A list and what it should be.
struct Pair {
    list: List,
    model: Vec<Vec<u8>>,
    limits: ListLimits,
}

impl Pair {
    fn new(listpack_size: i32, plain_from: usize) -> Self {
        Self { list: List::new(), model: Vec::new(), limits: ListLimits { listpack_size, plain_from } }
    }

    fn push(&mut self, end: End, element: &[u8]) {
        self.list.expect(element.len(), 1, &self.limits);
        self.list.push(end, element, &self.limits);
        let at = if end == End::Left { 0 } else { self.model.len() };
        self.model.insert(at, element.to_vec());
    }

    fn remove(&mut self, from: usize, count: usize) {
        self.list.remove_range(from, count);
        let from = from.min(self.model.len());
        self.model.drain(from..from.saturating_add(count).min(self.model.len()));
        self.list.shrink(&self.limits);
    }

    fn elements(&self, from: usize, towards: End) -> Vec<Vec<u8>> {
        let mut elements = Vec::new();
        self.list.show(from, usize::MAX, towards, |element| elements.push(element.to_vec()));
        elements
    }

    /// Everything that can be asked equals the model.
    fn check(&self, rng: &mut fastrand::Rng) {
        let len = self.model.len();
        assert_eq!(self.list.len(), len);
        assert_eq!(self.elements(0, End::Right), self.model);
        if let Form::Large(quicklist) = self.list.0.form() {
            assert!(quicklist.nodes().iter().all(|node| node.len() > 0), "no node is empty");
            let counted = quicklist.nodes().iter().map(|node| match node {
                Node::Packed(packed, _) => packed.len(),
                Node::Plain(_) => 1,
            });
            assert_eq!(counted.sum::<usize>(), len, "nodes know their lengths");
        }
        if len == 0 {
            return;
        }
        let at = rng.usize(0..len);
        assert_eq!(self.list.get(at as i64).unwrap().to_vec(), self.model[at]);
        assert_eq!(self.list.get(at as i64 - len as i64).unwrap().to_vec(), self.model[at]);
        assert_eq!(self.elements(at, End::Right), self.model[at..]);
        let back: Vec<Vec<u8>> = self.model[..=at].iter().rev().cloned().collect();
        assert_eq!(self.elements(at, End::Left), back);
        assert!(self.list.get(len as i64).is_none() && self.list.get(-(len as i64) - 1).is_none());
    }

    fn change(&mut self, element: &[u8], rng: &mut fastrand::Rng) {
        let len = self.model.len();
        let end = if rng.bool() { End::Left } else { End::Right };
        match rng.u32(0..16) {
            0..=6 => self.push(end, element),
            7 => {
                let most = if rng.bool() { usize::MAX } else { rng.usize(1..3) };
                let mut left = most;
                let mut keep = |other: &Vec<u8>| {
                    let goes = left > 0 && other == element;
                    left -= usize::from(goes);
                    !goes
                };
                if end == End::Left {
                    self.model.retain(&mut keep);
                } else {
                    self.model = self.model.iter().rev().filter(|other| keep(other)).cloned().collect();
                    self.model.reverse();
                }
                assert_eq!(self.list.remove_equal(element, most, end), len - self.model.len());
                self.list.shrink(&self.limits);
            }
            8..=9 if len > 0 => {
                let at = rng.usize(0..len);
                self.list.expect(element.len(), 1, &self.limits);
                assert!(self.list.replace(at as i64 - if rng.bool() { 0 } else { len as i64 }, element, &self.limits));
                self.list.shrink(&self.limits);
                self.model[at] = element.to_vec();
            }
            10..=12 if len > 0 => {
                let pivot = self.model[rng.usize(0..len)].clone();
                let at = self.model.iter().position(|other| *other == pivot).unwrap();
                let behind = rng.bool();
                self.list.expect(element.len(), 1, &self.limits);
                assert!(self.list.insert(&pivot, behind, element, &self.limits));
                self.model.insert(at + usize::from(behind), element.to_vec());
            }
            13 => {
                let count = rng.usize(0..4);
                let at_end = count.min(len);
                self.list.remove_at_end(end, count);
                self.list.shrink(&self.limits);
                let from = if end == End::Left { 0 } else { len - at_end };
                self.model.drain(from..from + at_end);
            }
            14 => self.remove(rng.usize(0..=len), rng.usize(0..12)),
            _ => assert!(!self.list.insert(b"not there", true, element, &self.limits)),
        }
    }
}

#[test]
fn a_list_is_what_was_done_to_it_whatever_its_nodes_are() {
    for (seed, (size, plain_from)) in
        [(-1, 0), (-2, 0), (-5, 20), (1, 0), (3, 0), (4, 20), (0, 1), (i32::MAX, 0), (i32::MIN, 0), (-1, 500)]
            .into_iter()
            .enumerate()
    {
        let mut rng = fastrand::Rng::with_seed(seed as u64);
        let mut pair = Pair::new(size, plain_from);
        for step in 0..2500 {
            let number = rng.i64(-3..10);
            let element = match rng.u32(0..20) {
                0..=9 => number.to_string().into_bytes(),
                10..=14 => format!("element {number}").into_bytes(),
                15 => vec![],
                16 => vec![b'x'; rng.usize(15..25)],
                17 => vec![b'y'; rng.usize(0..3000)],
                18 => vec![b'z'; rng.usize(4000..4200)],
                _ => (number << 40).to_string().into_bytes(),
            };
            pair.change(&element, &mut rng);
            if pair.model.len() > 400 {
                pair.remove(rng.usize(0..200), 300);
            }
            if step % 10 == 0 {
                pair.check(&mut rng);
            }
        }
        while !pair.model.is_empty() {
            pair.remove(rng.usize(0..pair.model.len()), rng.usize(1..20));
            pair.check(&mut rng);
        }
    }
}

#[test]
fn the_representation_follows_the_limits_with_a_gap_in_between() {
    let mut pair = Pair::new(4, 0);
    let encoding = |pair: &Pair| pair.list.encoding();
    for _ in 0..4 {
        pair.push(End::Right, b"a");
    }
    assert_eq!(encoding(&pair), Encoding::Listpack);
    pair.push(End::Right, b"a");
    assert_eq!((encoding(&pair), pair.list.nodes().unwrap().0), (Encoding::Quicklist, 2));
    pair.remove(4, 1);
    assert_eq!(encoding(&pair), Encoding::Quicklist, "one node, but more than half full");
    pair.remove(0, 2);
    assert_eq!(encoding(&pair), Encoding::Listpack);
    // By bytes: the frame of seven counts, the two around an element do not before it is there.
    let mut pair = Pair::new(-1, 0);
    pair.push(End::Left, &[b'a'; 4089]);
    assert_eq!(encoding(&pair), Encoding::Listpack);
    let mut pair = Pair::new(-1, 0);
    pair.push(End::Left, &[b'a'; 4090]);
    assert_eq!(encoding(&pair), Encoding::Quicklist);
    let mut pair = Pair::new(-1, 0);
    pair.push(End::Left, &[b'a'; 4097]);
    pair.push(End::Left, b"b");
    pair.remove(0, 1);
    assert_eq!(encoding(&pair), Encoding::Quicklist, "a large element stays in a node of its own");
}

#[test]
fn digests_tell_the_order_and_not_the_representation() {
    let list = |size, elements: &[&[u8]]| {
        let mut pair = Pair::new(size, 0);
        elements.iter().for_each(|element| pair.push(End::Right, element));
        Entry::of(b"k", pair.list, None)
    };
    let packed = list(-2, &[b"1", b"two", b"", b"3"]);
    let large = list(1, &[b"1", b"two", b"", b"3"]);
    assert_ne!(packed.encoding(), large.encoding());
    assert_eq!(packed.digest(), large.digest());
    assert_ne!(packed.digest(), list(-2, &[b"two", b"1", b"", b"3"]).digest());
    assert_ne!(packed.digest(), list(-2, &[b"1", b"two", b"3"]).digest());
    let copy = large.duplicate(b"k", None);
    assert_eq!(copy.digest(), large.digest());
    assert!(matches!(copy.value(), Value::List(list) if list.nodes().is_some()));
}

#[test]
fn walking_ends_when_told_to() {
    let mut pair = Pair::new(2, 0);
    (0..10).for_each(|number| pair.push(End::Right, number.to_string().as_bytes()));
    for towards in [End::Left, End::Right] {
        let mut seen = 0;
        pair.list.walk(5, towards, |_| {
            seen += 1;
            if seen == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        assert_eq!(seen, 3);
    }
    pair.list.walk(10, End::Right, |_| panic!("there is nothing"));
}

#[test]
fn elements_take_little_more_memory_than_their_bytes() {
    let mut pair = Pair::new(-2, 0);
    for number in 0..100_000 {
        pair.list.expect(10, 1, &pair.limits);
        pair.list.push(End::Right, format!("elem{number:06}").as_bytes(), &pair.limits);
    }
    let each = pair.list.heap_bytes(0) as f64 / 100_000.0;
    assert!((12.0..13.0).contains(&each), "{each} bytes for each of ten, and a head and a length");
    pair.list.remove_range(10, 99_990);
    assert!(pair.list.heap_bytes(0) < 2500, "{}", pair.list.heap_bytes(0));
}
