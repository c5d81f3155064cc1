//! Is there an order of the operations that explains what was answered, and what was found afterwards?
//!
//! The search is that of Wing and Gong with Lowe's memory of where it has been: an operation may come next if none that
//! is still to come had ended before it began. It is carried out for each [cell](super::Cell) by itself
//! (linearizability is local) and keeps every state that some order leads to, with what must have happened for it. So
//! one search answers for each moment of a run whether what was found after a crash at that moment can be explained.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use smallvec::SmallVec;
use xxhash_rust::xxh3::Xxh3;

use super::model::{State, Window};
use super::{Call, Stamp};
use crate::lab::volume::Moment;

/// More states than this, of one cell in one run, are not searched. The answer is then [`Unexplained::TooMany`].
pub const LIMIT: usize = 2_000_000;

/// And not so many ways to each of them, on average.
const WAYS: usize = 8;

/// Calls without a reply that one cell may have in one run.
const MOST_OPEN: usize = 64;

/// Why there is no explanation of what was answered.
#[derive(Clone, Debug)]
pub enum Unexplained {
    /// In every order some reply is wrong.
    NoOrder {
        /// Calls of the longest order, by their place among the calls.
        longest: Vec<usize>,
        /// What it leads to.
        state: State,
        /// Calls that could come next, whose replies do not fit.
        next: Vec<usize>,
    },
    /// There are too many orders to try.
    TooMany,
}

/// How a state that was found is explained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Explained {
    /// Everything acked is in it, and nothing that was not asked for.
    Whole,
    /// It is an earlier state: the replies from this moment on are lost.
    Lost {
        /// When the first of them was read.
        from: Moment,
    },
    /// No order of the operations leads to it.
    Never,
}

/// What of a history is in a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The last moment at which an operation in it was invoked.
    pub latest_invoked: Moment,
    /// The first moment at which an operation that is not in it had returned.
    pub first_missing: Moment,
}

impl Span {
    /// Whether there is one moment up to which everything happened, in all cells, and nothing later: each has several
    /// ways to come to what was found in it.
    pub fn have_one_end(cells: &[Vec<Self>]) -> bool {
        let fits = |span: &Self, end: Moment| span.latest_invoked <= end && end <= span.first_missing;
        let mut ends = cells.iter().flatten().map(|span| span.latest_invoked);
        cells.is_empty() || ends.any(|end| cells.iter().all(|spans| spans.iter().any(|span| fits(span, end))))
    }
}

/// A state that some order leads to.
#[derive(Clone, Debug)]
struct Reached {
    state: State,
    /// The last moment at which an operation in it was invoked.
    latest_invoked: Moment,
    /// The first moment at which an operation that is not in it had returned.
    first_missing: Moment,
}

/// All states that orders of the calls of a cell lead to.
#[derive(Clone, Debug)]
pub struct Reachable {
    by_digest: HashMap<u128, Vec<Reached>>,
}

/// Where a search is: which calls are behind it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Done {
    /// All returned calls before this one.
    front: usize,
    /// And these.
    beyond: SmallVec<[u32; 8]>,
    /// Of the calls without a reply, these.
    open: u64,
    latest_invoked: Moment,
}

impl Done {
    fn holds(&self, call: usize) -> bool {
        call < self.front || self.beyond.contains(&(call as u32))
    }

    fn with(&self, call: usize) -> Self {
        let mut done = self.clone();
        if call == done.front {
            done.front += 1;
            while let Some(at) = done.beyond.iter().position(|next| *next as usize == done.front) {
                done.beyond.remove(at);
                done.front += 1;
            }
        } else {
            let at = done.beyond.partition_point(|next| (*next as usize) < call);
            done.beyond.insert(at, call as u32);
        }
        done
    }

    fn count(&self) -> usize {
        self.front + self.beyond.len()
    }
}

/// The calls of a cell in one run, whose orders are searched.
#[derive(Debug)]
pub struct Search<'a> {
    /// Those with a reply, by when they were invoked.
    returned: Vec<(usize, &'a Call, Stamp)>,
    /// Those without.
    open: Vec<(usize, &'a Call)>,
    /// When the run ended.
    end_ms: u64,
    /// By how much the server's clock may be off.
    skew_ms: u64,
}

impl<'a> Search<'a> {
    /// Leaves out what cannot matter: refused calls, and reads that nobody heard the answer of.
    pub fn new(calls: impl IntoIterator<Item = &'a Call>, end_ms: u64, skew_ms: u64) -> Self {
        let (mut returned, mut open) = (Vec::new(), Vec::new());
        for (place, call) in calls.into_iter().enumerate().filter(|(_, call)| !call.was_refused()) {
            match &call.returned {
                Some((stamp, _)) => returned.push((place, call, *stamp)),
                None if !call.operation.is_read() => open.push((place, call)),
                None => {}
            }
        }
        returned.sort_by_key(|(_, call, _)| call.invoked.tick);
        Self { returned, open, end_ms, skew_ms }
    }

    /// Searches all orders from a state on.
    pub fn explore(&self, initial: &State) -> Result<Reachable, Unexplained> {
        if self.open.len() > MOST_OPEN {
            return Err(Unexplained::TooMany);
        }
        let mut nodes = Nodes::default();
        nodes.add(identity(&Done::default(), initial), None);
        let mut stack = vec![(Done::default(), initial.clone(), 0_usize)];
        let mut reached = Vec::new();
        // Of the longest order, its end.
        let mut longest = (Done::default(), initial.clone(), 0_usize);
        while let Some((done, state, node)) = stack.pop() {
            if nodes.count() > LIMIT || nodes.others.len() > WAYS * LIMIT {
                return Err(Unexplained::TooMany);
            }
            let (candidates, first_missing) = self.candidates(&done);
            if done.count() > longest.0.count() {
                longest = (done.clone(), state.clone(), node);
            }
            let mut step = |place: usize, call: &Call, done: &Done, window: Window| {
                let answered = call.returned.as_ref().map(|(_, value)| value);
                let window = window.widened(self.skew_ms);
                for next in state.after(&call.operation, answered, window) {
                    if let Some(new) = nodes.add(identity(done, &next), Some((node, place))) {
                        stack.push((done.clone(), next, new));
                    }
                }
            };
            for number in candidates {
                let (place, call, returned) = self.returned[number];
                let mut next = done.with(number);
                next.latest_invoked = next.latest_invoked.max(call.invoked.tick);
                step(place, call, &next, Window { from_ms: call.invoked.wall_ms, to_ms: returned.wall_ms });
            }
            for (number, (place, call)) in self.open.iter().enumerate() {
                if done.open & (1 << number) == 0 && call.invoked.tick < first_missing {
                    let mut next = done.clone();
                    next.open |= 1 << number;
                    next.latest_invoked = next.latest_invoked.max(call.invoked.tick);
                    step(*place, call, &next, Window { from_ms: call.invoked.wall_ms, to_ms: self.end_ms });
                }
            }
            let is_end = done.count() == self.returned.len();
            reached.push((node, is_end, Reached { state, latest_invoked: done.latest_invoked, first_missing }));
        }
        if longest.0.count() == self.returned.len() {
            // The server was only where it could go on to all that it answered later.
            let ends = reached.iter().filter(|(_, is_end, _)| *is_end).map(|(node, ..)| *node);
            let lead_on = nodes.leading_to(ends);
            let mut reachable = Reachable { by_digest: HashMap::new() };
            for (_, _, reached) in reached.into_iter().filter(|(node, ..)| lead_on[*node]) {
                reachable.add(reached);
            }
            return Ok(reachable);
        }
        let (next, _) = self.candidates(&longest.0);
        let next = next.into_iter().map(|call| self.returned[call].0).collect();
        Err(Unexplained::NoOrder { longest: nodes.way_to(longest.2), state: longest.1, next })
    }

    /// Returned calls that may come next, and when the first of all that are to come had returned.
    fn candidates(&self, done: &Done) -> (SmallVec<[usize; 8]>, Moment) {
        let mut found = SmallVec::new();
        let mut first = Moment::MAX;
        for (number, (_, call, returned)) in self.returned.iter().enumerate().skip(done.front) {
            if done.holds(number) {
                continue;
            }
            if call.invoked.tick > first {
                break;
            }
            first = first.min(returned.tick);
            found.push(number);
        }
        (found, first)
    }
}

/// Where a search was, and the ways by which it came there.
#[derive(Default)]
struct Nodes {
    numbers: HashMap<u128, usize>,
    /// The first way to each: from which other one, by which call.
    first: Vec<Option<(usize, usize)>>,
    /// The others: from, to.
    others: Vec<(usize, usize)>,
}

impl Nodes {
    fn count(&self) -> usize {
        self.first.len()
    }

    /// Notes a way to somewhere, and answers its number when nobody was there before.
    fn add(&mut self, identity: u128, way: Option<(usize, usize)>) -> Option<usize> {
        let new = self.first.len();
        match self.numbers.entry(identity) {
            Entry::Vacant(entry) => {
                entry.insert(new);
                self.first.push(way);
                Some(new)
            }
            Entry::Occupied(entry) => {
                self.others.extend(way.map(|(from, _)| (from, *entry.get())));
                None
            }
        }
    }

    /// The calls of the first way there, in order.
    fn way_to(&self, mut node: usize) -> Vec<usize> {
        let mut calls = Vec::new();
        while let Some((from, call)) = self.first[node] {
            calls.push(call);
            node = from;
        }
        calls.reverse();
        calls
    }

    /// From which ones some way leads to one of these.
    fn leading_to(&self, ends: impl Iterator<Item = usize>) -> Vec<bool> {
        let mut others: HashMap<usize, Vec<usize>> = HashMap::new();
        for (from, to) in &self.others {
            others.entry(*to).or_default().push(*from);
        }
        let mut lead_on = vec![false; self.count()];
        let mut waiting: Vec<usize> = ends.collect();
        while let Some(node) = waiting.pop() {
            if std::mem::replace(&mut lead_on[node], true) {
                continue;
            }
            waiting.extend(self.first[node].map(|(from, _)| from));
            waiting.extend(others.get(&node).into_iter().flatten());
        }
        lead_on
    }
}

fn identity(done: &Done, state: &State) -> u128 {
    let mut hash = Xxh3::new();
    hash.update(&(done.front as u64).to_le_bytes());
    hash.update(&done.open.to_le_bytes());
    for call in &done.beyond {
        hash.update(&call.to_le_bytes());
    }
    hash.update(&state.identity().to_le_bytes());
    hash.digest128()
}

impl Reachable {
    fn add(&mut self, reached: Reached) {
        self.by_digest.entry(reached.state.digest()).or_default().push(reached);
    }

    /// The state behind all calls that have returned, where there is only one.
    pub fn only_end(&self) -> Option<State> {
        let mut ends = self.by_digest.values().flatten().filter(|reached| reached.first_missing == Moment::MAX);
        let end = ends.next()?.state.clone();
        ends.all(|other| other.state == end).then_some(end)
    }

    /// All ways to come to what was found in `window`, before a moment.
    pub fn spans(&self, found: &State, window: Window, before: Moment) -> impl Iterator<Item = Span> {
        let candidates = self.by_digest.get(&found.digest()).into_iter().flatten();
        let fitting = candidates.filter(move |reached| reached.latest_invoked < before && reached.fits(found, window));
        fitting.map(|Reached { latest_invoked, first_missing, .. }| Span {
            latest_invoked: *latest_invoked,
            first_missing: *first_missing,
        })
    }

    /// Explains what was found in `window` after a crash. Replies up to `acked` had been read by then; what was invoked
    /// at `before` or later had not been sent.
    pub fn explain(&self, found: &State, window: Window, acked: Moment, before: Moment) -> Explained {
        match self.spans(found, window, before).map(|span| span.first_missing).max() {
            None => Explained::Never,
            Some(first_missing) if first_missing > acked => Explained::Whole,
            Some(first_missing) => Explained::Lost { from: first_missing },
        }
    }
}

impl Reached {
    /// Whether keys that expire are as they may be; the others are known to be equal.
    fn fits(&self, found: &State, window: Window) -> bool {
        let there = |(kind, entry): (&super::Kind, &Arc<super::model::Entry>)| {
            let until = entry.until.unwrap_or(u64::MAX);
            match found.keys.get(kind) {
                Some(same) => same == entry && !window.is_surely_past(until),
                None => window.is_maybe_past(until),
            }
        };
        self.state.timed().all(there) && found.timed().all(|(kind, _)| self.state.keys.contains_key(kind))
    }
}
