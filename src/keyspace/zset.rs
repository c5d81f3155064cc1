//! Sorted sets: a listpack of members and scores in order while the members are few and short, a hash table with an ordered
//! index (`ranked.rs`) otherwise.
//!
//! The thresholds and conversions are those of Redis 7.2, for OBJECT ENCODING shows them. A sorted set never turns back by
//! itself. The commands on sorted sets call it, with scores that are never NaN.

use std::cmp::Ordering;

use smallvec::SmallVec;

use super::collection::Collection;
use super::compact::{Compact, Form, FormMut};
use super::digest;
use super::distinct::{self, Repeated};
use super::kind::Encoding;
use super::packed::{At, Packed};
use super::ranked::{Ranked, Ranking};
use super::redis_digest::RedisDigest;
use super::serialized;
use crate::base::text::Text;
use crate::base::{listpack, number};

/// The settings that decide how a sorted set is represented.
#[derive(Clone, Copy, Debug)]
pub struct ZsetLimits {
    /// `zset-max-listpack-entries`.
    pub entries: usize,
    /// `zset-max-listpack-value`.
    pub value: usize,
}

/// A sorted set.
#[derive(Clone)]
pub struct Zset(Compact<Ranked>);

impl Zset {
    /// An empty sorted set for about `count` members, the longest of which has so many bytes.
    pub fn for_members(count: usize, longest: usize, limits: &ZsetLimits) -> Self {
        Self(if count <= limits.entries && longest <= limits.value {
            Packed::new().into()
        } else {
            Compact::large(Ranked::new())
        })
    }

    /// A sorted set of so many elements as [`Packed::bytes`] shows them, members and scores in turn; `None` if they are no
    /// listpack in memory, or a score is none. What is not in order, or not written as scores may be, is put right.
    pub fn adopt(elements: &[u8], count: usize, limits: &ZsetLimits) -> Result<Option<Self>, Repeated> {
        if count / 2 > limits.entries || !Packed::may_hold(count, elements.len() + count / 2 * SCORE_MAX) {
            return Ok(None);
        }
        let mut pairs: SmallVec<[(f64, Text<'_>); 64]> = SmallVec::new();
        let mut is_right = true;
        let mut texts = distinct::texts(elements);
        while let (Some(member), Some(text)) = (texts.next(), texts.next()) {
            let Some(score) = read_score(text).filter(|_| member.len() <= limits.value) else { return Ok(None) };
            is_right &= is_well_written(text, score)
                && pairs.last().is_none_or(|last| by_score(last, &(score, member)) == Ordering::Less);
            pairs.push((score, member));
        }
        if !distinct::are_distinct(elements, count / 2, 1) {
            return Err(Repeated);
        }
        if is_right {
            return Ok(Some(Self(Packed::of_bytes(elements, count).into())));
        }
        pairs.sort_unstable_by(by_score);
        let mut packed = Packed::new();
        pairs.iter().for_each(|(score, member)| packed.push_back([*member, ScoreText::of(*score).text()]));
        Ok(Some(Self(packed.into())))
    }

    /// Prepares for up to `count` members, the longest of which has so many bytes. Like Redis also if none is added then.
    pub fn expect(&mut self, count: usize, longest: usize, limits: &ZsetLimits) {
        if count > limits.entries || longest > limits.value {
            self.enlarge();
        }
    }

    /// Number of members.
    pub fn len(&self) -> usize {
        match self.0.form() {
            Form::Packed(packed) => packed.len() / 2,
            Form::Large(ranked) => ranked.len(),
            Form::Intset(_) => unreachable!("{NO_INTSET}"),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The score of a member.
    pub fn score(&self, member: &[u8]) -> Option<f64> {
        match self.0.form() {
            Form::Packed(packed) => {
                let at = packed.find(packed.first(), member, 1)?;
                Some(score_behind(packed, at))
            }
            Form::Large(ranked) => ranked.score(member),
            Form::Intset(_) => unreachable!("{NO_INTSET}"),
        }
    }

    /// Adds a member that is not there.
    pub fn insert(&mut self, member: &[u8], score: f64, limits: &ZsetLimits) {
        debug_assert!(!score.is_nan() && self.score(member).is_none(), "a new member with a score");
        match self.0.form_mut() {
            FormMut::Packed(packed)
                if packed.len() / 2 < limits.entries
                    && member.len() <= limits.value
                    && packed.has_room(2, member.len() + SCORE_MAX) =>
            {
                insert_packed(packed, member, score);
            }
            _ => self.enlarge().insert(member, score),
        }
    }

    /// Gives a member, which is there with the score `before`, another one.
    pub fn update(&mut self, member: &[u8], before: f64, score: f64) {
        match self.0.form_mut() {
            FormMut::Packed(packed) => {
                if let Some(at) = packed.find(packed.first(), member, 1) {
                    packed.remove(at, 2);
                    insert_packed(packed, member, score);
                }
            }
            FormMut::Large(ranked) => ranked.update(member, before, score),
            FormMut::Intset(_) => unreachable!("{NO_INTSET}"),
        }
    }

    /// Takes a member out; answers its score.
    pub fn remove(&mut self, member: &[u8]) -> Option<f64> {
        match self.0.form_mut() {
            FormMut::Packed(packed) => {
                let at = packed.find(packed.first(), member, 1)?;
                let score = score_behind(packed, at);
                packed.remove(at, 2);
                Some(score)
            }
            FormMut::Large(ranked) => ranked.remove(member),
            FormMut::Intset(_) => unreachable!("{NO_INTSET}"),
        }
    }

    /// Takes the members with the ranks from `start` to before `end` out.
    pub fn remove_ranks(&mut self, start: usize, end: usize) {
        if start >= end {
            return;
        }
        match self.0.form_mut() {
            FormMut::Packed(packed) => {
                if let Some(at) = packed.nth(2 * start as i64) {
                    packed.remove(at, 2 * (end - start));
                }
            }
            FormMut::Large(ranked) => ranked.cut(start, end),
            FormMut::Intset(_) => unreachable!("{NO_INTSET}"),
        }
    }

    /// Number of members before this one, and its score.
    pub fn rank(&self, member: &[u8]) -> Option<(usize, f64)> {
        match self.0.form() {
            Form::Packed(packed) => {
                let found = packed.find(packed.first(), member, 1)?;
                let mut rank = 0;
                let mut at = packed.first();
                while let Some(place) = at.filter(|place| *place != found) {
                    rank += 1;
                    at = packed.next(place).and_then(|score| packed.next(score));
                }
                Some((rank, score_behind(packed, found)))
            }
            Form::Large(ranked) => ranked.rank(member),
            Form::Intset(_) => unreachable!("{NO_INTSET}"),
        }
    }

    /// Number of members for which `is_before` holds; it must hold for the first ones and not for those behind them.
    pub fn rank_where(&self, is_before: impl Fn(f64, &[u8]) -> bool) -> usize {
        match self.0.form() {
            Form::Packed(_) => {
                let mut buffer = itoa::Buffer::new();
                let mut members = self.range(0, self.len(), false);
                let first = members.position(|(member, score)| !is_before(score, member.as_bytes(&mut buffer)));
                first.unwrap_or(self.len())
            }
            Form::Large(ranked) => ranked.rank_where(is_before),
            Form::Intset(_) => unreachable!("{NO_INTSET}"),
        }
    }

    /// The members with the ranks from `start` to before `end`, from the first to the last or the other way round.
    pub fn range(&self, start: usize, end: usize, reverse: bool) -> impl Iterator<Item = (Text<'_>, f64)> {
        match self.0.form() {
            Form::Packed(packed) => {
                let start_at = packed.nth(2 * if reverse { end as i64 - 1 } else { start as i64 });
                let at = start_at.filter(|_| start < end);
                Members::Packed(Pairs { packed, at, left: end.saturating_sub(start), reverse })
            }
            Form::Large(ranked) => {
                let members = ranked.range(start, end, reverse);
                Members::Large(members.map(|(member, score)| (Text::Bytes(member), score)))
            }
            Form::Intset(_) => unreachable!("{NO_INTSET}"),
        }
    }

    /// Whether all members have the same score, as ranges of members assume.
    pub fn has_one_score(&self) -> bool {
        let score = |rank: usize| self.range(rank, rank + 1, false).next().map(|(_, score)| score);
        score(0) == score(self.len().saturating_sub(1))
    }

    /// All members in order.
    pub fn iter(&self) -> impl Iterator<Item = (Text<'_>, f64)> {
        self.range(0, self.len(), false)
    }

    /// The representation, for commands that treat each in its own way.
    pub fn form(&self) -> Form<'_, Ranked> {
        self.0.form()
    }

    /// Makes it a table with an index.
    pub fn enlarge(&mut self) -> &mut Ranked {
        if !matches!(self.0.form(), Form::Large(_)) {
            let mut ranked = Ranked::new();
            let mut buffer = itoa::Buffer::new();
            self.iter().for_each(|(member, score)| ranked.insert(member.as_bytes(&mut buffer), score));
            self.0 = Compact::large(ranked);
        }
        match self.0.form_mut() {
            FormMut::Large(ranked) => ranked,
            _ => unreachable!("it was just made large"),
        }
    }
}

impl From<Ranking> for Zset {
    fn from(members: Ranking) -> Self {
        Self(Compact::large(members.finish()))
    }
}

const NO_INTSET: &str = "a sorted set is no intset";

/// The most bytes that the text of a score has.
const SCORE_MAX: usize = 32;

/// A score, as a listpack contains it: like any element of a listpack an integer, if it is one.
enum ScoreText {
    Int(i64),
    Text(Vec<u8>),
}

impl ScoreText {
    /// The integer as which a score is kept, if it is.
    fn integer(score: f64) -> Option<i64> {
        /// Redis takes no larger integers for integers.
        const INT_MAX: f64 = (i64::MAX / 2) as f64;
        ((-INT_MAX..=INT_MAX).contains(&score) && score.trunc() == score).then_some(score as i64)
    }

    fn of(score: f64) -> Self {
        if let Some(integer) = Self::integer(score) {
            return Self::Int(integer);
        }
        let mut text = Vec::with_capacity(SCORE_MAX);
        number::format_f64(score, &mut text);
        Self::Text(text)
    }

    fn text(&self) -> Text<'_> {
        match self {
            Self::Int(value) => Text::Int(*value),
            Self::Text(text) => Text::of(text),
        }
    }
}

/// A score from outside, if it is one.
fn read_score(text: Text<'_>) -> Option<f64> {
    match text {
        Text::Int(value) => Some(value as f64),
        Text::Bytes(bytes) => number::parse_f64(bytes),
    }
}

/// Whether a score from outside may stay as it is written: an integer as one, and others plainly. Then its digits need not
/// be those that [`ScoreText`] would choose, for they are only ever read: to compare them would take longer than all else.
fn is_well_written(text: Text<'_>, score: f64) -> bool {
    match (text, ScoreText::integer(score)) {
        (Text::Int(value), Some(integer)) => value == integer,
        (Text::Bytes(bytes), None) => number::is_plain(bytes) || matches!(bytes, b"inf" | b"-inf"),
        _ => false,
    }
}

/// The order of members, by score and then by bytes.
fn by_score((score, member): &(f64, Text<'_>), other: &(f64, Text<'_>)) -> Ordering {
    score.partial_cmp(&other.0).expect("no score is NaN").then_with(|| {
        let mut buffers = [itoa::Buffer::new(), itoa::Buffer::new()];
        let [first, second] = &mut buffers;
        member.as_bytes(first).cmp(other.1.as_bytes(second))
    })
}

fn to_score(text: Text<'_>) -> f64 {
    match text {
        Text::Int(value) => value as f64,
        Text::Bytes(bytes) => {
            let text = std::str::from_utf8(bytes).ok();
            text.and_then(|text| text.parse().ok()).expect("a listpack of a sorted set has scores")
        }
    }
}

fn score_behind(packed: &Packed, at: At) -> f64 {
    to_score(packed.get(packed.next(at).expect("behind each member is its score")))
}

fn push_packed(packed: &mut Packed, member: &[u8], score: f64) {
    packed.push_back([Text::of(member), ScoreText::of(score).text()]);
}

fn insert_packed(packed: &mut Packed, member: &[u8], score: f64) {
    let mut buffer = itoa::Buffer::new();
    let mut next = packed.first();
    while let Some(at) = next {
        let score_at = packed.next(at).expect("behind each member is its score");
        let is_behind = match to_score(packed.get(score_at)).partial_cmp(&score) {
            Some(Ordering::Equal) => packed.get(at).as_bytes(&mut buffer) > member,
            order => order == Some(Ordering::Greater),
        };
        if is_behind {
            packed.insert_before(at, [Text::of(member), ScoreText::of(score).text()]);
            return;
        }
        next = packed.next(score_at);
    }
    push_packed(packed, member, score);
}

/// Members with scores in a listpack.
struct Pairs<'a> {
    packed: &'a Packed,
    at: Option<At>,
    left: usize,
    reverse: bool,
}

impl<'a> Iterator for Pairs<'a> {
    type Item = (Text<'a>, f64);

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let member = self.at?;
        let score = self.packed.next(member)?;
        self.at = if self.reverse {
            self.packed.previous(member).and_then(|score| self.packed.previous(score))
        } else {
            self.packed.next(score)
        };
        Some((self.packed.get(member), to_score(self.packed.get(score))))
    }
}

/// The members of each representation.
enum Members<P, L> {
    Packed(P),
    Large(L),
}

impl<'a, P, L> Iterator for Members<P, L>
where
    P: Iterator<Item = (Text<'a>, f64)>,
    L: Iterator<Item = (Text<'a>, f64)>,
{
    type Item = (Text<'a>, f64);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Packed(members) => members.next(),
            Self::Large(members) => members.next(),
        }
    }
}

impl Collection for Zset {
    fn encoding(&self) -> Encoding {
        match self.0.form() {
            Form::Packed(_) => Encoding::Listpack,
            _ => Encoding::Skiplist,
        }
    }

    fn heap_bytes(&self, samples: usize) -> usize {
        match self.0.form() {
            Form::Packed(packed) => packed.heap_bytes(),
            Form::Large(ranked) => ranked.heap_bytes(samples),
            Form::Intset(_) => unreachable!("{NO_INTSET}"),
        }
    }

    fn free_effort(&self) -> usize {
        match self.0.form() {
            Form::Large(ranked) => ranked.len(),
            _ => 1,
        }
    }

    fn digest(&self) -> u128 {
        let mut buffer = itoa::Buffer::new();
        self.iter().fold(0, |sum, (member, score)| {
            // The sign of a zero depends on the representation, as in Redis: a listpack has none.
            let score = (score + 0.0).to_bits().to_le_bytes();
            sum.wrapping_add(digest::of_parts(&[member.as_bytes(&mut buffer), &score]))
        })
    }

    fn redis_digest(&self, digest: &mut RedisDigest) {
        let mut buffer = itoa::Buffer::new();
        let mut text = Vec::with_capacity(SCORE_MAX);
        for (member, score) in self.iter() {
            text.clear();
            number::format_digits(score, &mut text);
            let mut one = RedisDigest::default();
            one.mix(member.as_bytes(&mut buffer));
            one.mix(&text);
            digest.xor(one.bytes());
        }
    }

    fn table_sizes(&self) -> Option<(usize, usize)> {
        match self.0.form() {
            Form::Large(ranked) => Some((ranked.table().buckets(), ranked.len())),
            _ => None,
        }
    }

    fn serialized_len(&self) -> usize {
        match self.0.form() {
            Form::Packed(packed) => serialized::blob(packed.bytes().len() + listpack::FRAME),
            _ => {
                let members = self.iter().map(|(member, _)| serialized::string(member) + size_of::<f64>());
                serialized::length(self.len()) + members.sum::<usize>()
            }
        }
    }
}

#[cfg(test)]
#[path = "zset_tests.rs"]
mod tests;
