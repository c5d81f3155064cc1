//! The checker must see what is wrong, and nothing else.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::sync::Arc;

use super::model::{Entry, Group};
use super::{
    Call, Content, End, Explained, Kind, Operation, Reachable, Search, Span, Stamp, State, Unexplained, Window, Word,
};
use crate::resp::Value;

const NOW: u64 = 1_000_000;

fn stamp(tick: u64) -> Stamp {
    Stamp { tick, wall_ms: NOW + tick }
}

fn call(client: u32, operation: Operation, from: u64, reply: Option<(u64, Value)>) -> Call {
    let returned = reply.map(|(tick, value)| (stamp(tick), value));
    Call { client, cell: 1, operation, invoked: stamp(from), returned }
}

fn set(value: &str) -> Operation {
    Operation::Set(Kind::Text, Word::new(value))
}

fn ok() -> Value {
    Value::Simple(b"OK".to_vec())
}

fn bulk(text: &str) -> Value {
    Value::Bulk(text.into())
}

fn explore(calls: &[Call]) -> Result<Reachable, Unexplained> {
    Search::new(calls, NOW + 1000, 0).explore(&State::default())
}

fn holding(kind: Kind, content: Content, until: Option<u64>) -> State {
    State { keys: BTreeMap::from([(kind, Arc::new(Entry { content, until }))]) }
}

fn text(value: &str) -> State {
    holding(Kind::Text, Content::Text(value.into()), None)
}

fn after_crash(reachable: &Reachable, found: &State, acked: u64, before: u64) -> Explained {
    let late = Window { from_ms: NOW + 500, to_ms: NOW + 600 };
    reachable.explain(found, late, acked, before)
}

#[test]
fn an_acked_write_that_is_gone_is_lost_and_one_in_flight_may_be_there_or_not() {
    let calls =
        [call(1, set("a"), 1, Some((2, ok()))), call(1, set("b"), 3, Some((4, ok()))), call(1, set("c"), 5, None)];
    let reachable = explore(&calls).unwrap();
    assert_eq!(after_crash(&reachable, &text("b"), 4, 9), Explained::Whole);
    assert_eq!(after_crash(&reachable, &text("c"), 4, 9), Explained::Whole);
    assert_eq!(after_crash(&reachable, &text("a"), 4, 9), Explained::Lost { from: 4 });
    assert_eq!(after_crash(&reachable, &State::default(), 4, 9), Explained::Lost { from: 2 });
    // At an earlier crash the same is right, and what had not been sent must not be there.
    assert_eq!(after_crash(&reachable, &text("a"), 2, 3), Explained::Whole);
    assert_eq!(after_crash(&reachable, &text("c"), 4, 5), Explained::Never);
}

#[test]
fn a_value_that_nobody_wrote_is_never_explained() {
    let reachable = explore(&[call(1, set("a"), 1, Some((2, ok())))]).unwrap();
    assert_eq!(after_crash(&reachable, &text("x"), 2, 9), Explained::Never);
}

#[test]
fn half_a_transaction_is_never_explained() {
    let both = Operation::Transaction(vec![set("a"), Operation::Increment(Kind::Counter, 1)]);
    let reachable = explore(&[call(1, both, 1, None)]).unwrap();
    let mut whole = text("a");
    whole.keys.extend(holding(Kind::Counter, Content::Text("1".into()), None).keys);
    assert_eq!(after_crash(&reachable, &State::default(), 0, 9), Explained::Whole);
    assert_eq!(after_crash(&reachable, &whole, 0, 9), Explained::Whole);
    assert_eq!(after_crash(&reachable, &text("a"), 0, 9), Explained::Never);
}

#[test]
fn a_stale_read_has_no_order_and_one_beside_the_write_has_two() {
    let read = |from, to, value| call(2, Operation::Get(Kind::Text), from, Some((to, value)));
    let write = call(1, set("a"), 1, Some((4, ok())));
    assert!(explore(&[write.clone(), read(2, 3, Value::NullBulk)]).is_ok());
    assert!(explore(&[write.clone(), read(2, 3, bulk("a"))]).is_ok());
    assert!(matches!(explore(&[write.clone(), read(5, 6, Value::NullBulk)]), Err(Unexplained::NoOrder { .. })));
    // Two reads that see the write come and go.
    let back = [write, read(2, 3, bulk("a")), call(3, Operation::Get(Kind::Text), 5, Some((6, Value::NullBulk)))];
    assert!(matches!(explore(&back), Err(Unexplained::NoOrder { .. })));
}

#[test]
fn a_counter_never_runs_back() {
    let add = |from, to, sum| call(1, Operation::Increment(Kind::Counter, 1), from, Some((to, Value::Integer(sum))));
    assert!(explore(&[add(1, 2, 1), add(3, 4, 2)]).is_ok());
    assert!(matches!(explore(&[add(1, 2, 1), add(3, 4, 1)]), Err(Unexplained::NoOrder { .. })));
}

#[test]
fn an_element_is_popped_once() {
    let push = call(1, Operation::Push(Kind::List, Word::new("e"), End::Left), 1, Some((2, Value::Integer(1))));
    let pop = |client, from, to, value| call(client, Operation::Pop(Kind::List, End::Right), from, Some((to, value)));
    assert!(explore(&[push.clone(), pop(2, 3, 6, bulk("e")), pop(3, 4, 5, Value::NullBulk)]).is_ok());
    let twice = [push, pop(2, 3, 6, bulk("e")), pop(3, 4, 5, bulk("e"))];
    assert!(matches!(explore(&twice), Err(Unexplained::NoOrder { .. })));
}

#[test]
fn a_random_pop_takes_any_member_and_only_that() {
    let add =
        |from, member| call(1, Operation::Add(Kind::Set, Word::new(member)), from, Some((from + 1, Value::Integer(1))));
    let pop = call(1, Operation::PopAny(Kind::Set), 5, Some((6, bulk("b"))));
    let reachable = explore(&[add(1, "a"), add(3, "b"), pop]).unwrap();
    let set = |members: &[&str]| holding(Kind::Set, Content::Set(members.iter().map(Word::new).collect()), None);
    assert_eq!(after_crash(&reachable, &set(&["a"]), 6, 9), Explained::Whole);
    assert_eq!(after_crash(&reachable, &set(&["b"]), 6, 9), Explained::Never);
    // Without a reply any of them may be gone, or none.
    let open = call(1, Operation::PopAny(Kind::Set), 5, None);
    let reachable = explore(&[add(1, "a"), add(3, "b"), open]).unwrap();
    for found in [&["a"][..], &["b"], &["a", "b"]] {
        assert_eq!(after_crash(&reachable, &set(found), 4, 9), Explained::Whole, "{found:?}");
    }
}

#[test]
fn what_has_expired_is_not_back_from_the_dead() {
    let soon = call(1, Operation::SetUntil(Kind::Timed, Word::new("v"), NOW + 100), 1, Some((2, ok())));
    let late = call(1, Operation::SetUntil(Kind::Timed, Word::new("v"), NOW + 100_000), 1, Some((2, ok())));
    let timed = |until| holding(Kind::Timed, Content::Text("v".into()), Some(until));
    let reachable = explore(std::slice::from_ref(&soon)).unwrap();
    assert_eq!(after_crash(&reachable, &State::default(), 2, 9), Explained::Whole);
    assert_eq!(after_crash(&reachable, &timed(NOW + 100), 2, 9), Explained::Never);
    let reachable = explore(&[late]).unwrap();
    assert_eq!(after_crash(&reachable, &timed(NOW + 100_000), 2, 9), Explained::Whole);
    assert_eq!(after_crash(&reachable, &timed(NOW + 100_001), 2, 9), Explained::Never);
    assert_eq!(after_crash(&reachable, &State::default(), 2, 9), Explained::Lost { from: 2 });
    // Seen as gone, it stays gone.
    let read = |from, value| call(2, Operation::Get(Kind::Timed), from, Some((from + 1, value)));
    assert!(explore(&[soon.clone(), read(90, bulk("v")), read(95, Value::NullBulk)]).is_ok());
    let back = [soon, read(90, Value::NullBulk), read(95, bulk("v"))];
    assert!(matches!(explore(&back), Err(Unexplained::NoOrder { .. })));
}

#[test]
fn refused_operations_did_nothing() {
    let refused = Value::Error(b"MISCONF no room".to_vec());
    let reachable = explore(&[call(1, set("a"), 1, Some((2, refused)))]).unwrap();
    assert_eq!(after_crash(&reachable, &State::default(), 2, 9), Explained::Whole);
    assert_eq!(after_crash(&reachable, &text("a"), 2, 9), Explained::Never);
}

#[test]
fn histories_are_cut_at_a_moment_of_rest() {
    let mut calls: Vec<Call> =
        (0..50).map(|n| call(1, set(&format!("v{n}")), n * 4, Some((n * 4 + 2, ok())))).collect();
    calls.push(call(2, Operation::Get(Kind::Text), 300, Some((301, bulk("wrong")))));
    let history = super::History { cell: 1, initial: State::default(), calls };
    let wrong = |history: &super::History| Search::new(&history.calls, u64::MAX, 0).explore(&history.initial).is_err();
    let cut = history.cut(1000, 0, wrong);
    assert_eq!(cut.calls.len(), 1);
    assert_eq!(cut.initial, text("v49"));
}

#[test]
fn a_key_may_expire_within_a_transaction() {
    let both = |until| {
        Operation::Transaction(vec![
            Operation::SetUntil(Kind::Timed, Word::new("v"), until),
            Operation::Get(Kind::Timed),
        ])
    };
    let reply = |value| Some((2, Value::Array(vec![ok(), value])));
    assert!(explore(&[call(1, both(NOW - 1000), 1, reply(Value::NullBulk))]).is_ok());
    assert!(explore(&[call(1, both(NOW + 1000), 1, reply(bulk("v")))]).is_ok());
    assert!(explore(&[call(1, both(NOW + 1000), 1, reply(Value::NullBulk))]).is_err());
}

#[test]
fn what_is_lost_must_be_younger_than_all_that_is_there() {
    let span = |latest_invoked, first_missing| Span { latest_invoked, first_missing };
    // One cell's state is of 10 to 20, the other's of 15 on.
    assert!(Span::have_one_end(&[vec![span(10, 20)], vec![span(15, u64::MAX)]]));
    // Something invoked at 21 is there, and something that had returned at 20 is not.
    assert!(!Span::have_one_end(&[vec![span(10, 20)], vec![span(21, u64::MAX)]]));
    // One of two ways is enough.
    assert!(Span::have_one_end(&[vec![span(10, 20), span(10, 30)], vec![span(21, u64::MAX)]]));
    assert!(Span::have_one_end(&[]));
}

#[test]
fn an_entry_is_given_to_one_consumer_and_is_pending_until_it_is_acknowledged() {
    let read = |consumer: &str| Operation::ReadGroup(Kind::Stream, Word::new(consumer), 9);
    let given = || {
        let entry = Value::Array(vec![bulk("1-1"), Value::Array(vec![bulk("f"), bulk("v")])]);
        Value::Array(vec![Value::Array(vec![bulk("key"), Value::Array(vec![entry])])])
    };
    let history = |second: Value| {
        [
            call(1, Operation::AddEntry(Kind::Stream, (1, 1), Word::new("v")), 1, Some((2, bulk("1-1")))),
            call(1, Operation::CreateGroup(Kind::Stream), 3, Some((4, ok()))),
            call(1, read("a"), 5, Some((6, given()))),
            call(1, read("b"), 7, Some((8, second))),
        ]
    };
    assert!(matches!(explore(&history(given())), Err(Unexplained::NoOrder { .. })));
    let mut calls = history(Value::NullArray).to_vec();
    let reachable = explore(&calls).unwrap();
    let found = |pending: &[((u64, u64), Word)]| {
        let group = Group { delivered: (1, 1), pending: pending.iter().cloned().collect() };
        let entries = BTreeMap::from([((1, 1), Word::new("v"))]);
        holding(Kind::Stream, Content::Stream { entries, last: (1, 1), group: Some(group) }, None)
    };
    assert_eq!(after_crash(&reachable, &found(&[((1, 1), Word::new("a"))]), 8, 9), Explained::Whole);
    assert_eq!(after_crash(&reachable, &found(&[((1, 1), Word::new("b"))]), 8, 9), Explained::Never);
    assert_eq!(after_crash(&reachable, &found(&[]), 8, 9), Explained::Never);
    calls.push(call(1, Operation::Acknowledge(Kind::Stream, (1, 1)), 9, Some((10, Value::Integer(1)))));
    assert_eq!(after_crash(&explore(&calls).unwrap(), &found(&[]), 10, 11), Explained::Whole);
}

#[test]
fn an_order_that_later_replies_contradict_explains_no_crash() {
    // Of two writes side by side the second one won, as a later read tells.
    let calls = [
        call(1, set("a"), 1, Some((10, ok()))),
        call(2, set("b"), 2, Some((9, ok()))),
        call(1, Operation::Get(Kind::Text), 11, Some((12, bulk("b")))),
    ];
    let reachable = explore(&calls).unwrap();
    assert_eq!(after_crash(&reachable, &text("b"), 12, 13), Explained::Whole);
    assert_eq!(after_crash(&reachable, &text("a"), 12, 13), Explained::Lost { from: 9 });
    // Without the read nobody knows.
    let reachable = explore(&calls[..2]).unwrap();
    assert_eq!(after_crash(&reachable, &text("a"), 10, 11), Explained::Whole);
}
