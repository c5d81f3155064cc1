//! Tests of [`Packed`] against a vector.

use proptest::prelude::*;

use super::*;

fn element() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        3 => (-5..5i64).prop_map(|value| value.to_string().into_bytes()),
        2 => any::<i64>().prop_map(|value| value.to_string().into_bytes()),
        3 => proptest::collection::vec(b'a'..b'd', 0..3),
        1 => proptest::collection::vec(any::<u8>(), 60..70),
        1 => proptest::collection::vec(any::<u8>(), 120..300),
    ]
}

#[derive(Clone, Debug)]
enum Step {
    PushBack(Vec<u8>),
    PushFront(Vec<u8>, Vec<u8>),
    Before(i64, Vec<u8>),
    After(i64, Vec<u8>),
    Replace(i64, Vec<u8>),
    Remove(i64, usize),
    SplitAndAppend(i64),
    Find(i64, Vec<u8>, usize),
}

fn step() -> impl Strategy<Value = Step> {
    let index = || -12..12i64;
    prop_oneof![
        3 => element().prop_map(Step::PushBack),
        2 => (element(), element()).prop_map(|(a, b)| Step::PushFront(a, b)),
        2 => (index(), element()).prop_map(|(at, a)| Step::Before(at, a)),
        2 => (index(), element()).prop_map(|(at, a)| Step::After(at, a)),
        2 => (index(), element()).prop_map(|(at, a)| Step::Replace(at, a)),
        2 => (index(), 0..4usize).prop_map(|(at, count)| Step::Remove(at, count)),
        1 => index().prop_map(Step::SplitAndAppend),
        2 => (index(), element(), 0..3usize).prop_map(|(at, a, skip)| Step::Find(at, a, skip)),
    ]
}

fn contents(packed: &Packed) -> Vec<Vec<u8>> {
    packed.iter().map(Text::to_vec).collect()
}

/// The index that a number means in a vector.
fn index_of(model: &[Vec<u8>], number: i64) -> Option<usize> {
    let index = if number < 0 { number + model.len() as i64 } else { number };
    usize::try_from(index).ok().filter(|index| *index < model.len())
}

fn run(packed: &mut Packed, model: &mut Vec<Vec<u8>>, step: &Step) {
    let number = match step {
        Step::PushBack(_) | Step::PushFront(..) => 0,
        Step::Before(at, _) | Step::After(at, _) | Step::Replace(at, _) | Step::Find(at, ..) => *at,
        Step::Remove(at, _) | Step::SplitAndAppend(at) => *at,
    };
    let (at, index) = (packed.nth(number), index_of(model, number));
    assert_eq!(at.is_some(), index.is_some());
    match (step, at.zip(index)) {
        (Step::PushBack(a), _) => {
            packed.push_back([Text::of(a)]);
            model.push(a.clone());
        }
        (Step::PushFront(a, b), _) => {
            packed.push_front([Text::of(a), Text::of(b)]);
            model.splice(0..0, [a.clone(), b.clone()]);
        }
        (_, None) => {}
        (Step::Before(_, a), Some((at, index))) => {
            assert_eq!(packed.insert_before(at, [Text::of(a)]), at);
            model.insert(index, a.clone());
        }
        (Step::After(_, a), Some((at, index))) => {
            let new = packed.insert_after(at, [Text::of(a)]);
            model.insert(index + 1, a.clone());
            assert_eq!(packed.get(new), Text::of(a));
        }
        (Step::Replace(_, a), Some((at, index))) => {
            packed.replace(at, Text::of(a));
            model[index] = a.clone();
        }
        (Step::Remove(_, count), Some((at, index))) => {
            let next = packed.remove(at, *count);
            model.drain(index..(index + count).min(model.len()));
            assert_eq!(next.map(|at| packed.get(at).to_vec()), model.get(index).cloned());
        }
        (Step::SplitAndAppend(_), Some((at, index))) => {
            let tail = packed.split_off(at);
            assert_eq!((contents(packed), contents(&tail)), (model[..index].to_vec(), model[index..].to_vec()));
            packed.append(&tail);
        }
        (Step::Find(_, a, skip), Some((at, index))) => {
            let found = packed.find(Some(at), &a[..], *skip);
            let expected = (index..model.len()).step_by(skip + 1).find(|index| model[*index] == *a);
            assert_eq!(found, expected.and_then(|index| packed.nth(index as i64)));
        }
    }
}

proptest! {
    #[test]
    fn it_behaves_like_a_vector(steps in proptest::collection::vec(step(), 0..60)) {
        let (mut packed, mut model) = (Packed::new(), Vec::new());
        for step in &steps {
            run(&mut packed, &mut model, step);
            prop_assert_eq!(packed.len(), model.len());
            prop_assert_eq!(&contents(&packed), &model);
            let backwards: Vec<Vec<u8>> = packed.iter().rev().map(Text::to_vec).collect();
            prop_assert!(backwards.iter().eq(model.iter().rev()));
            let checked = listpack::check(packed.bytes()).unwrap();
            prop_assert!(checked.canonical && checked.count == model.len());
            prop_assert!(packed.heap_bytes() <= (packed.bytes().len() + 8).next_multiple_of(16).max(16) * 5 / 4);
        }
        prop_assert_eq!(&contents(&packed.clone()), &model);
    }
}

#[test]
fn places_lead_from_one_element_to_the_next_and_back() {
    let mut packed = Packed::new();
    assert_eq!((packed.first(), packed.last(), packed.nth(0), packed.nth(-1)), (None, None, None, None));
    packed.push_back([Text::Int(1), Text::Bytes(b"two"), Text::Int(300)]);
    let first = packed.first().unwrap();
    let second = packed.next(first).unwrap();
    let third = packed.next(second).unwrap();
    assert_eq!((packed.next(third), packed.previous(first)), (None, None));
    assert_eq!((packed.previous(third), packed.last()), (Some(second), Some(third)));
    assert_eq!((packed.nth(i64::MIN), packed.nth(i64::MAX), packed.nth(-3)), (None, None, Some(first)));
    assert_eq!(packed.iter_from(second).collect::<Vec<_>>(), [Text::Bytes(b"two"), Text::Int(300)]);
}

#[test]
fn there_is_room_up_to_the_limit_with_what_elements_take_besides_their_bytes() {
    let mut packed = Packed::new();
    assert!(packed.has_room(1, LIMIT - OVERHEAD) && Packed::may_hold(1, LIMIT - OVERHEAD));
    assert!(!packed.has_room(2, LIMIT - OVERHEAD) && !Packed::may_hold(2, LIMIT - OVERHEAD));
    assert!(!packed.has_room(1, usize::MAX) && !Packed::may_hold(usize::MAX, 0));
    packed.push_back([Text::Bytes(b"x")]);
    assert!(!packed.has_room(1, LIMIT - OVERHEAD) && packed.has_room(1, LIMIT - OVERHEAD - 3));
    for text in [Text::Int(i64::MIN), Text::Bytes(&[b'x'; 5000])] {
        assert!(listpack::encode(text).size() <= text.len() + OVERHEAD);
    }
}
