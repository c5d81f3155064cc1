//! Damage, recoveries, and what is made of them.

use std::fmt;
use std::ops::AddAssign;
use std::path::PathBuf;

use ackd::disk::sim::{Crash, World};
use ackd::log::LogError;

use super::damage::{BLOCK, Damage, SECTOR};
use super::directory::{AtRest, Plan, repaired, started};

/// Which damage to try.
#[derive(Clone, Copy, Debug)]
pub struct Share {
    /// This part …
    pub part: u64,
    /// … of so many.
    pub parts: u64,
    /// Flips: all eight bits of a byte, or one drawn by a seed.
    pub bits: Bits,
    /// Behind [`BARE`] zeros only one byte in so many.
    pub zeros: usize,
    /// Of everything else than flips, each so many-th; none by 0.
    pub coarse: u64,
    /// Each so many-th refused state is repaired; none by 0.
    pub repairs: u64,
}

/// Which bits of a byte are flipped.
#[derive(Clone, Copy, Debug)]
pub enum Bits {
    All,
    OneDrawn(u64),
    None,
}

/// Bytes behind so many zeros belong to no header, no frame and no padding between frames: all of them are alike.
const BARE: usize = 256;

/// What the damage ended in.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    pub tried: u64,
    /// Starts with the same content.
    pub equal: u64,
    /// Refused starts that name a file that was damaged, and the place of what does not verify.
    pub refused: u64,
    /// Killed servers only: what is lost cannot be told from a torn tail, for nothing behind it vouches for it.
    pub untellable: u64,
    /// Refused states that were repaired; what is kept is a state of the history.
    pub repaired: u64,
    /// Of them, how many states of the history were lost, at most and in all.
    pub most_lost: u64,
    pub lost: u64,
    /// Repairs that keep nothing: not even the beginning can be read.
    pub kept_nothing: u64,
    /// Repairs that are refused because a newer version seems to have written the files.
    pub newer: u64,
    /// What must not be.
    pub wrong: Vec<String>,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.tried += other.tried;
        self.equal += other.equal;
        self.refused += other.refused;
        self.untellable += other.untellable;
        self.repaired += other.repaired;
        self.most_lost = self.most_lost.max(other.most_lost);
        self.lost += other.lost;
        self.kept_nothing += other.kept_nothing;
        self.newer += other.newer;
        self.wrong.extend(other.wrong);
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} tried: {} equal, {} refused, {} a torn tail that nothing vouches for, {} wrong",
            self.tried,
            self.equal,
            self.refused,
            self.untellable,
            self.wrong.len()
        )?;
        if self.repaired + self.newer > 0 {
            write!(
                f,
                "; {} repaired to a state of the history ({} states lost in all, at most {}; {} keep nothing), {} seem to be of a newer version",
                self.repaired, self.lost, self.most_lost, self.kept_nothing, self.newer
            )?;
        }
        Ok(())
    }
}

enum Verdict {
    Equal,
    /// With the damaged files.
    Refused(World),
    Untellable,
    Wrong(String),
}

/// Tries a share of all damage to what `plan` makes.
pub fn run(plan: &Plan, share: Share) -> Tally {
    let at_rest = plan.make();
    let whole = started(&at_rest.world.image(Crash::Power, 1)).expect("the untouched directory starts");
    let last = at_rest.states.last().expect("there is a state");
    assert_eq!((whole.end_offset, &whole.digest), (last.0, &last.1), "the untouched directory holds everything");
    let mut tally = Tally::default();
    at_rest.flips(&share, &mut |damage, twice| at_rest.attempt(plan, &share, &damage, twice, &mut tally));
    if share.coarse > 0 {
        for (number, damage) in (0_u64..).zip(at_rest.coarse(share.zeros)) {
            if number % (share.parts * share.coarse) == share.part {
                at_rest.attempt(plan, &share, &damage, true, &mut tally);
            }
        }
    }
    tally
}

impl AtRest {
    /// Flips of a share, each with whether it is worth a second start.
    fn flips(&self, share: &Share, attempt: &mut dyn FnMut(Damage, bool)) {
        let mut rng = fastrand::Rng::with_seed(match share.bits {
            Bits::All | Bits::None => 0,
            Bits::OneDrawn(seed) => seed,
        });
        for path in self.world.files() {
            let content = self.world.read(&path).unwrap_or_default();
            let mut zeros = 0;
            for (at, byte) in content.iter().enumerate() {
                zeros = if *byte == 0 { zeros + 1 } else { 0 };
                let bare = zeros > BARE;
                if at as u64 % share.parts != share.part || (bare && !at.is_multiple_of(share.zeros)) {
                    continue;
                }
                let bits = match share.bits {
                    Bits::All => 0..8,
                    Bits::OneDrawn(_) => {
                        let bit = rng.u8(..8);
                        bit..bit + 1
                    }
                    Bits::None => 0..0,
                };
                for bit in bits {
                    attempt(Damage::Flip { file: path.clone(), at: at as u64, bit }, !bare);
                }
            }
        }
    }

    /// Everything but flips.
    fn coarse(&self, zeros: usize) -> Vec<Damage> {
        let mut found = Vec::new();
        let files = self.world.files();
        for file in &files {
            let content = self.world.read(file).unwrap_or_default();
            let length = content.len() as u64;
            let multiples = |of: u64| (0..length.div_ceil(of)).map(move |number| number * of);
            found.extend(multiples(SECTOR).map(|at| Damage::Zero { file: file.clone(), at }));
            let pairs = multiples(BLOCK).filter(|at| at + 2 * BLOCK <= length);
            found.extend(pairs.map(|at| Damage::Swap { file: file.clone(), at }));
            let mut run = 0;
            for (at, byte) in content.iter().enumerate() {
                run = if *byte == 0 { run + 1 } else { 0 };
                if run <= BARE || at.is_multiple_of(zeros) {
                    found.push(Damage::Truncate { file: file.clone(), at: at as u64 });
                }
            }
            found.push(Damage::Remove { file: file.clone() });
            for other in files.iter().filter(|other| *other != file) {
                found.push(Damage::Duplicate { file: file.clone(), over: other.clone() });
                if file < other {
                    found.push(Damage::Exchange { file: file.clone(), with: other.clone() });
                }
            }
        }
        found
    }

    fn attempt(&self, plan: &Plan, share: &Share, damage: &Damage, twice: bool, tally: &mut Tally) {
        let mut wrong = |why: String| tally.wrong.push(format!("{plan:?}: {damage}: {why}"));
        let verdict = match self.judge(damage, twice) {
            Some(verdict) => verdict,
            // Nothing was changed by it.
            None => return,
        };
        tally.tried += 1;
        match verdict {
            Verdict::Equal => tally.equal += 1,
            Verdict::Untellable => tally.untellable += 1,
            Verdict::Wrong(why) => wrong(why),
            Verdict::Refused(world) => {
                tally.refused += 1;
                if share.repairs > 0 && tally.refused.is_multiple_of(share.repairs) {
                    match self.repair(&world) {
                        Ok(Some((0, lost))) => {
                            tally.repaired += 1;
                            tally.kept_nothing += 1;
                            tally.lost += lost;
                        }
                        Ok(Some((_, lost))) => {
                            tally.repaired += 1;
                            tally.lost += lost;
                            tally.most_lost = tally.most_lost.max(lost);
                        }
                        Ok(None) => tally.newer += 1,
                        Err(why) => wrong(why),
                    }
                }
            }
        }
    }

    /// Repairs, and answers where what is kept ends and how many states are lost; nothing where it is refused for a newer
    /// version's.
    fn repair(&self, world: &World) -> Result<Option<(u64, u64)>, String> {
        let Some(kept) = repaired(world)? else { return Ok(None) };
        let place =
            self.states.iter().position(|(offset, digest)| (*offset, digest) == (kept.end_offset, &kept.digest));
        let Some(place) = place else {
            return Err(format!("repaired to what was never there, up to offset {}", kept.end_offset));
        };
        Ok(Some((kept.end_offset, (self.states.len() - 1 - place) as u64)))
    }

    fn judge(&self, damage: &Damage, twice: bool) -> Option<Verdict> {
        let damaged = || {
            let world = self.world.image(Crash::Power, 1);
            damage.apply(&world).expect("the files are there").then_some(world)
        };
        let world = damaged()?;
        let (end, all) = self.states.last().expect("there is a state");
        let found = match started(&world) {
            Ok(found) => found,
            Err(failure) => {
                let before = damaged()?;
                let verdict = refused(&world, &damage.may_be_named(), &contents(&before), &failure.0);
                return Some(verdict.unwrap_or(Verdict::Refused(before)));
            }
        };
        if (found.end_offset, &found.digest) == (*end, all) && !twice {
            return Some(Verdict::Equal);
        }
        // What was repaired at the first start must stay so.
        let again = match started(&world.image(Crash::Power, 1)) {
            Ok(again) => again,
            Err(failure) => return Some(Verdict::Wrong(format!("started once, but not again: {failure}"))),
        };
        if (again.end_offset, &again.digest) != (found.end_offset, &found.digest) {
            return Some(Verdict::Wrong("the second start shows another content than the first".into()));
        }
        if (found.end_offset, &found.digest) == (*end, all) {
            return Some(Verdict::Equal);
        }
        let cut = self.states.iter().find(|(offset, digest)| (*offset, digest) == (found.end_offset, &found.digest));
        Some(match cut {
            // Only what nothing behind it vouches for may be cut.
            Some((offset, _)) if *offset >= self.vouched => Verdict::Untellable,
            _ => Verdict::Wrong(format!("different content, up to offset {} instead of {end}", found.end_offset)),
        })
    }
}

/// What is wrong with a refusal, if anything is.
fn refused(
    world: &World,
    may_be_named: &[PathBuf],
    before: &[(PathBuf, Option<Vec<u8>>)],
    error: &LogError,
) -> Option<Verdict> {
    match error {
        LogError::Refused(refusal) if !may_be_named.contains(&refusal.file) => {
            Some(Verdict::Wrong(format!("refused for another file: {refusal}")))
        }
        LogError::Refused(_) if contents(world) != before => {
            Some(Verdict::Wrong("a refused start changed files".into()))
        }
        LogError::Refused(_) => None,
        other => Some(Verdict::Wrong(format!("not a refusal: {other}"))),
    }
}

/// All files but LOCK, which every start writes its process id into.
fn contents(world: &World) -> Vec<(PathBuf, Option<Vec<u8>>)> {
    let files = world.files().into_iter().filter(|file| !file.ends_with("LOCK"));
    files.map(|file| (file.clone(), world.read_medium(&file))).collect()
}
