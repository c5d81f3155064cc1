//! Ranges of ranks, scores and members, as commands give them.

use super::super::failure::Failure;
use super::super::parse;
use crate::base::number;
use crate::keyspace::Zset;

/// By what a range is given.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// Places, negative ones from the end.
    Rank,
    /// Scores.
    Score,
    /// Members, of which all should have one score.
    Lex,
}

/// A range.
pub enum Bounds<'a> {
    /// From one place to another, both included.
    Rank(i64, i64),
    /// From a score to another; whether each is left out.
    Score((f64, bool), (f64, bool)),
    /// From a member to another.
    Lex(Edge<'a>, Edge<'a>),
}

/// An end of a range of members.
pub enum Edge<'a> {
    /// Before all members.
    Lowest,
    /// Behind all members.
    Highest,
    /// This one is in the range.
    Including(&'a [u8]),
    /// This one is not.
    Excluding(&'a [u8]),
}

impl<'a> Bounds<'a> {
    /// Reads both ends.
    pub fn read(by: By, min: &'a [u8], max: &'a [u8]) -> Result<Self, Failure> {
        match by {
            By::Rank => Ok(Self::Rank(parse::integer(min)?, parse::integer(max)?)),
            By::Score => {
                let ends = score(min).zip(score(max));
                let (min, max) = ends.ok_or(Failure::from("ERR min or max is not a float"))?;
                Ok(Self::Score(min, max))
            }
            By::Lex => {
                let ends = edge(min).zip(edge(max));
                let (min, max) = ends.ok_or(Failure::from("ERR min or max not valid string range item"))?;
                Ok(Self::Lex(min, max))
            }
        }
    }

    /// The first rank in the range, and the first one behind it; of ranks in reverse order, if wanted.
    pub fn ranks(&self, zset: &Zset, reverse: bool) -> (usize, usize) {
        match *self {
            Self::Rank(start, end) => of_ranks(start, end, zset.len(), reverse),
            Self::Score((min, min_open), (max, max_open)) => {
                let start = zset.rank_where(|score, _| score < min || (min_open && score == min));
                let end = zset.rank_where(|score, _| score < max || (!max_open && score == max));
                (start, end.max(start))
            }
            Self::Lex(ref min, ref max) => {
                let start = zset.rank_where(|_, member| !min.is_at_or_before(member));
                let end = zset.rank_where(|_, member| max.is_at_or_behind(member));
                (start, end.max(start))
            }
        }
    }
}

fn of_ranks(start: i64, end: i64, len: usize, reverse: bool) -> (usize, usize) {
    let len = len as i64;
    let from_end = |rank: i64| if rank < 0 { rank.saturating_add(len) } else { rank };
    let (start, end) = (from_end(start).max(0), from_end(end).min(len - 1));
    if start > end {
        return (0, 0);
    }
    let (start, end) = if reverse { (len - 1 - end, len - start) } else { (start, end + 1) };
    (start as usize, end as usize)
}

/// A score, and whether the range leaves it out.
fn score(text: &[u8]) -> Option<(f64, bool)> {
    match text {
        [b'(', text @ ..] => Some((number::parse_c_double(text)?, true)),
        text => Some((number::parse_c_double(text)?, false)),
    }
}

fn edge(text: &[u8]) -> Option<Edge<'_>> {
    match text {
        b"-" => Some(Edge::Lowest),
        b"+" => Some(Edge::Highest),
        [b'[', member @ ..] => Some(Edge::Including(member)),
        [b'(', member @ ..] => Some(Edge::Excluding(member)),
        _ => None,
    }
}

impl Edge<'_> {
    /// Whether a range that begins here has the member.
    fn is_at_or_before(&self, member: &[u8]) -> bool {
        match self {
            Self::Lowest => true,
            Self::Highest => false,
            Self::Including(edge) => member >= *edge,
            Self::Excluding(edge) => member > *edge,
        }
    }

    /// Whether a range that ends here has the member.
    fn is_at_or_behind(&self, member: &[u8]) -> bool {
        match self {
            Self::Lowest => false,
            Self::Highest => true,
            Self::Including(edge) => member <= *edge,
            Self::Excluding(edge) => member < *edge,
        }
    }
}
