//! Which crash states of one moment are tried.
//!
//! All subsets of what is pending are legal, and too many. The ones tried first are those in which the literature found
//! its bugs: a prefix of the order of writes, one write missing or one alone (ALICE: atomicity and ordering), states at
//! syncs (CrashMonkey and B3), names without data and data without names, the size of a file without its data, and a
//! write torn at each sector. The rest of the budget is drawn at random.

use std::cmp::Ordering;

use fastrand::Rng;

use super::crash::{Keep, Kept, Pending};

/// How much is tried at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// Each systematic family gives at most so many, evenly spread.
    pub family: usize,
    /// So many are drawn.
    pub random: usize,
    /// Writes may be torn.
    pub torn: bool,
    /// Nothing else is tried.
    pub only_torn: bool,
}

impl Budget {
    /// What is tried of a run of a server.
    pub fn thorough() -> Self {
        Self { family: 8, random: 4, torn: true, only_torn: false }
    }
}

/// Ways in which what is pending may end, without duplicates of the same kind.
pub fn keeps(pending: &[Pending], budget: Budget, rng: &mut Rng) -> Vec<Keep> {
    let count = pending.len();
    let all = |kept: Kept| vec![kept; count];
    if budget.only_torn {
        let mut found = Vec::new();
        torn(pending, budget, &mut found);
        return found;
    }
    let mut found = vec![all(Kept::Lost)];
    if count == 0 {
        return found;
    }
    found.push(all(Kept::Whole));
    for length in spread(1, count, budget.family) {
        found.push((0..count).map(|i| if i < length { Kept::Whole } else { Kept::Lost }).collect());
    }
    if count > 1 {
        for one in spread(0, count, budget.family) {
            found.push((0..count).map(|i| if i == one { Kept::Lost } else { Kept::Whole }).collect());
            found.push((0..count).map(|i| if i == one { Kept::Whole } else { Kept::Lost }).collect());
        }
    }
    if pending.iter().any(|p| p.is_of_names) && pending.iter().any(|p| !p.is_of_names) {
        found.push(pending.iter().map(|p| if p.is_of_names { Kept::Whole } else { Kept::Lost }).collect());
        found.push(pending.iter().map(|p| if p.is_of_names { Kept::Lost } else { Kept::Whole }).collect());
    }
    if pending.iter().any(|p| p.extends) {
        found.push(pending.iter().map(|p| if p.extends { Kept::Size } else { Kept::Whole }).collect());
        let longer: Vec<usize> = (0..count).filter(|i| pending[*i].extends).collect();
        for one in spread(0, longer.len(), budget.family).map(|place| longer[place]) {
            found.push((0..count).map(|i| before(i, one, Kept::Size)).collect());
        }
    }
    if budget.torn {
        torn(pending, budget, &mut found);
    }
    for _ in 0..budget.random {
        found.push(drawn(pending, budget.torn, rng));
    }
    found
}

/// All is there up to `one`, of which this is kept, and nothing behind it.
fn before(place: usize, one: usize, kept: Kept) -> Kept {
    match place.cmp(&one) {
        Ordering::Less => Kept::Whole,
        Ordering::Equal => kept,
        Ordering::Greater => Kept::Lost,
    }
}

/// Tears the last writes: those in flight, or the last one where none is.
fn torn(pending: &[Pending], budget: Budget, found: &mut Vec<Keep>) {
    let last = pending.iter().rposition(|p| p.sectors > 1);
    let in_flight = (0..pending.len()).filter(|i| pending[*i].in_flight && pending[*i].sectors > 1);
    let mut victims: Vec<usize> = in_flight.chain(last).collect();
    victims.dedup();
    for victim in victims.into_iter().take(budget.family) {
        let sectors = pending[victim].sectors;
        let mut tear = |kept: &dyn Fn(usize) -> bool| {
            let kept = Kept::Sectors((0..sectors).map(kept).collect());
            found.push((0..pending.len()).map(|i| before(i, victim, kept.clone())).collect());
        };
        for cut in spread(1, sectors, budget.family) {
            tear(&|sector| sector < cut);
            tear(&|sector| sector >= cut);
            tear(&|sector| sector != cut);
        }
        tear(&|sector| sector % 2 == 0);
        tear(&|sector| sector % 2 == 1);
    }
}

fn drawn(pending: &[Pending], torn: bool, rng: &mut Rng) -> Keep {
    let likely = rng.f64();
    let mut draw = |pending: &Pending| {
        if torn && pending.sectors > 1 && rng.u8(..4) == 0 {
            return Kept::Sectors((0..pending.sectors).map(|_| rng.bool()).collect());
        }
        if rng.f64() < likely { Kept::Whole } else { Kept::Lost }
    };
    pending.iter().map(&mut draw).collect()
}

/// At most `most` numbers from `from` to `to` (not included), evenly, with the first and the last.
fn spread(from: usize, to: usize, most: usize) -> impl Iterator<Item = usize> {
    let count = to.saturating_sub(from);
    let taken = count.min(most);
    (0..taken).map(move |i| if taken < 2 { from } else { from + i * (count - 1) / (taken - 1) })
}
