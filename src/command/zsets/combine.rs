//! ZUNION, ZINTER, ZDIFF, ZINTERCARD and the STORE forms. Sets take part as if their members had the score 1.
//!
//! The STORE forms are logged as they came. A copy has sources with the same members and scores, and adds them up in the
//! same order: from the smallest source to the largest, equally large ones as they are named.

use std::cmp::Ordering;
use std::collections::HashMap;

use super::super::failure::{self, Failure};
use super::super::{Ctx, parse};
use super::options::counted_keys;
use super::{double, limits, store, write_members};
use crate::keyspace::{self, Db, Entry, Kind, Set, Text, Value, Zset, ZsetLimits};

/// An operation on sorted sets.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Operation {
    Union,
    Inter,
    Diff,
}

/// What becomes of the scores of a member.
#[derive(Clone, Copy)]
enum Aggregate {
    Sum,
    Min,
    Max,
}

impl Aggregate {
    fn named(word: &[u8]) -> Option<Self> {
        match word.to_ascii_uppercase().as_slice() {
            b"SUM" => Some(Self::Sum),
            b"MIN" => Some(Self::Min),
            b"MAX" => Some(Self::Max),
            _ => None,
        }
    }

    fn of(self, score: f64, other: f64) -> f64 {
        match self {
            Self::Sum => number_or_zero(score + other),
            Self::Min if other < score => other,
            Self::Max if other > score => other,
            Self::Min | Self::Max => score,
        }
    }
}

/// Infinity less infinity, and infinity times zero, are zero.
fn number_or_zero(score: f64) -> f64 {
    if score.is_nan() { 0.0 } else { score }
}

/// A value that takes part.
#[derive(Clone, Copy)]
enum Source<'a> {
    Missing,
    Set(&'a Set),
    Zset(&'a Zset),
}

impl<'a> Source<'a> {
    fn of(value: Value<'a>) -> Self {
        match value {
            Value::Set(set) => Self::Set(set),
            Value::Zset(zset) => Self::Zset(zset),
            _ => Self::Missing,
        }
    }

    fn len(self) -> usize {
        match self {
            Self::Missing => 0,
            Self::Set(set) => set.len(),
            Self::Zset(zset) => zset.len(),
        }
    }

    fn score(self, member: &[u8]) -> Option<f64> {
        match self {
            Self::Missing => None,
            Self::Set(set) => set.contains(member).then_some(1.0),
            Self::Zset(zset) => zset.score(member),
        }
    }

    /// Calls `each` with members and scores, for as long as it answers true.
    fn each(self, mut each: impl FnMut(&[u8], f64) -> bool) {
        let mut buffer = itoa::Buffer::new();
        let mut go_on = |(member, score): (Text<'_>, f64)| each(member.as_bytes(&mut buffer), score);
        match self {
            Self::Missing => {}
            Self::Set(set) => _ = set.iter().all(|member| go_on((member, 1.0))),
            Self::Zset(zset) => _ = zset.iter().all(go_on),
        }
    }
}

/// A request.
struct Query<'a, 'b> {
    operation: Operation,
    keys: &'a [&'b [u8]],
    weights: Vec<f64>,
    aggregate: Aggregate,
    scores: bool,
    limit: usize,
}

/// Which options a command has.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Reply,
    Store,
    Count,
}

impl<'a, 'b> Query<'a, 'b> {
    fn read(
        ctx: &mut Ctx<'_>,
        arguments: &'a [&'b [u8]],
        name: &str,
        operation: Operation,
        form: Form,
    ) -> Result<Self, Failure> {
        let at = if form == Form::Store { 2 } else { 1 };
        parse::integer(arguments[at])?;
        let (keys, at) = counted_keys(arguments, at, || {
            Failure::new(format!("ERR at least 1 input key is needed for '{name}' command"))
        })?;
        for key in keys {
            if form == Form::Store {
                ctx.expire_source(key);
            }
            let kind = ctx.read(key).map(Entry::kind);
            if kind.is_some_and(|kind| !matches!(kind, Kind::Set | Kind::Zset)) {
                return Err(failure::WRONG_TYPE);
            }
        }
        let weights = vec![1.0; keys.len()];
        let mut query = Self { operation, keys, weights, aggregate: Aggregate::Sum, scores: false, limit: 0 };
        query.options(&arguments[at..], form)?;
        Ok(query)
    }

    fn options(&mut self, mut words: &[&[u8]], form: Form) -> Result<(), Failure> {
        let combines = self.operation != Operation::Diff && form != Form::Count;
        while let [word, rest @ ..] = words {
            words = match word.to_ascii_uppercase().as_slice() {
                b"WEIGHTS" if combines && rest.len() >= self.keys.len() => {
                    let (weights, rest) = rest.split_at(self.keys.len());
                    for (weight, text) in self.weights.iter_mut().zip(weights) {
                        *weight = double(text).map_err(|_| Failure::from("ERR weight value is not a float"))?;
                    }
                    rest
                }
                b"AGGREGATE" if combines && !rest.is_empty() => {
                    self.aggregate = Aggregate::named(rest[0]).ok_or(failure::SYNTAX)?;
                    &rest[1..]
                }
                b"WITHSCORES" if form == Form::Reply => {
                    self.scores = true;
                    rest
                }
                b"LIMIT" if form == Form::Count && !rest.is_empty() => {
                    let limit = parse::integer_in(rest[0], 0, i64::MAX);
                    self.limit = limit.map_err(|_| Failure::from("ERR LIMIT can't be negative"))? as usize;
                    &rest[1..]
                }
                _ => return Err(failure::SYNTAX),
            };
        }
        Ok(())
    }

    /// The sources with their weights; all but those of a difference from the smallest to the largest.
    fn sources<'d>(&self, db: &'d Db, is_there: impl Fn(&Entry) -> bool) -> Vec<(Source<'d>, f64)> {
        let find = |key: &[u8]| db.find(keyspace::hash(key), key).filter(|entry| is_there(entry));
        let found = self.keys.iter().map(|key| find(key).map_or(Source::Missing, |entry| Source::of(entry.value())));
        let mut sources: Vec<_> = found.zip(self.weights.iter().copied()).collect();
        if self.operation != Operation::Diff {
            sources.sort_by_key(|(source, _)| source.len());
        }
        sources
    }

    /// The members of the result with their scores, in order.
    fn result(&self, sources: &[(Source<'_>, f64)]) -> Vec<(Vec<u8>, f64)> {
        let mut result = match self.operation {
            Operation::Union => self.union(sources),
            Operation::Inter => {
                let mut members = Vec::new();
                self.inter(sources, |member, score| {
                    members.push((member.to_vec(), score));
                    true
                });
                members
            }
            Operation::Diff => difference(sources),
        };
        result.sort_unstable_by(|(member, score), (other, other_score)| {
            score.partial_cmp(other_score).unwrap_or(Ordering::Equal).then_with(|| member.cmp(other))
        });
        result
    }

    fn union(&self, sources: &[(Source<'_>, f64)]) -> Vec<(Vec<u8>, f64)> {
        let mut members: HashMap<Vec<u8>, f64> = HashMap::with_capacity(sources.last().map_or(0, |last| last.0.len()));
        for (source, weight) in sources {
            source.each(|member, score| {
                let score = number_or_zero(weight * score);
                match members.get_mut(member) {
                    Some(sum) => *sum = self.aggregate.of(*sum, score),
                    None => _ = members.insert(member.to_vec(), score),
                }
                true
            });
        }
        members.into_iter().collect()
    }

    /// Calls `each` with the members that are in all sources, for as long as it answers true.
    fn inter(&self, sources: &[(Source<'_>, f64)], mut each: impl FnMut(&[u8], f64) -> bool) {
        let Some(((smallest, weight), others)) = sources.split_first() else { return };
        smallest.each(|member, score| {
            let first = Some(number_or_zero(weight * score));
            let in_all = others.iter().try_fold(first, |sum, (source, weight)| {
                let score = source.score(member)?;
                Some(sum.map(|sum| self.aggregate.of(sum, weight * score)))
            });
            in_all.flatten().is_none_or(|score| each(member, score))
        });
    }
}

/// Looks each member up in the other sources, or takes the members of those away: whichever looks at fewer of them.
fn difference(sources: &[(Source<'_>, f64)]) -> Vec<(Vec<u8>, f64)> {
    let Some(((first, _), others)) = sources.split_first() else { return Vec::new() };
    let all: usize = sources.iter().map(|(source, _)| source.len()).sum();
    if first.len() * sources.len() / 2 > all {
        let mut members: HashMap<Vec<u8>, f64> = HashMap::with_capacity(first.len());
        first.each(|member, score| {
            members.insert(member.to_vec(), score);
            true
        });
        for (source, _) in others {
            source.each(|member, _| {
                members.remove(member);
                !members.is_empty()
            });
        }
        return members.into_iter().collect();
    }
    let mut members = Vec::new();
    first.each(|member, score| {
        if others.iter().all(|(source, _)| source.score(member).is_none()) {
            members.push((member.to_vec(), score));
        }
        true
    });
    members
}

/// Whether a key counts: one whose time is up may still be there, unseen.
fn is_there(now_ms: i64, expiry_is_off: bool) -> impl Fn(&Entry) -> bool {
    move |entry| expiry_is_off || entry.expiry().is_none_or(|at_ms| at_ms > now_ms)
}

fn run(
    ctx: &mut Ctx<'_>,
    arguments: &[&[u8]],
    name: &'static str,
    operation: Operation,
    form: Form,
) -> Result<(), Failure> {
    let query = Query::read(ctx, arguments, name, operation, form)?;
    let is_there = is_there(ctx.now_ms() as i64, ctx.expiry_is_off());
    let limits = limits(&ctx.engine.config);
    let sources = query.sources(&ctx.engine.dbs[ctx.client.db], is_there);
    match form {
        Form::Reply => {
            let members = query.result(&sources);
            let shown = members.iter().map(|(member, score)| (Text::Bytes(member), *score));
            write_members(&mut ctx.reply, members.len(), query.scores, shown);
        }
        Form::Store => {
            let result = to_zset(query.result(&sources), &limits);
            store(ctx, arguments[1], result, name);
        }
        Form::Count => {
            let mut count = 0;
            query.inter(&sources, |_, _| {
                count += 1;
                count != query.limit
            });
            ctx.reply.count(count);
        }
    }
    Ok(())
}

/// A sorted set of members in order.
fn to_zset(members: Vec<(Vec<u8>, f64)>, limits: &ZsetLimits) -> Zset {
    let longest = members.iter().map(|(member, _)| member.len()).max().unwrap_or(0);
    let mut zset = Zset::for_members(members.len(), longest, limits);
    members.iter().for_each(|(member, score)| zset.insert(member, *score, limits));
    zset
}

/// ZUNION numkeys key [key …] [WEIGHTS weight …] [AGGREGATE <SUM | MIN | MAX>] [WITHSCORES]
pub fn zunion(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    run(ctx, arguments, "zunion", Operation::Union, Form::Reply)
}

/// ZINTER numkeys key [key …] [WEIGHTS weight …] [AGGREGATE <SUM | MIN | MAX>] [WITHSCORES]
pub fn zinter(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    run(ctx, arguments, "zinter", Operation::Inter, Form::Reply)
}

/// ZDIFF numkeys key [key …] [WITHSCORES]
pub fn zdiff(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    run(ctx, arguments, "zdiff", Operation::Diff, Form::Reply)
}

/// ZUNIONSTORE destination numkeys key [key …] [WEIGHTS weight …] [AGGREGATE <SUM | MIN | MAX>]
pub fn zunionstore(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    run(ctx, arguments, "zunionstore", Operation::Union, Form::Store)
}

/// ZINTERSTORE destination numkeys key [key …] [WEIGHTS weight …] [AGGREGATE <SUM | MIN | MAX>]
pub fn zinterstore(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    run(ctx, arguments, "zinterstore", Operation::Inter, Form::Store)
}

/// ZDIFFSTORE destination numkeys key [key …]
pub fn zdiffstore(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    run(ctx, arguments, "zdiffstore", Operation::Diff, Form::Store)
}

/// ZINTERCARD numkeys key [key …] [LIMIT limit]
pub fn zintercard(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    run(ctx, arguments, "zintercard", Operation::Inter, Form::Count)
}
