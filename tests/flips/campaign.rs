//! Flips, recoveries, and what is made of them.

use std::fmt;
use std::ops::AddAssign;
use std::path::{Path, PathBuf};

use ackd::disk::sim::{Crash, World};
use ackd::log::LogError;

use super::directory::{AtRest, Plan, started};

/// Which flips of the directory to try.
#[derive(Clone, Copy, Debug)]
pub struct Share {
    /// This part …
    pub part: u64,
    /// … of so many.
    pub parts: u64,
    /// All eight bits of a byte, or one drawn by a seed.
    pub bits: Bits,
    /// Behind [`BARE`] zeros only one byte in so many.
    pub zeros: usize,
}

/// Which bits of a byte are flipped.
#[derive(Clone, Copy, Debug)]
pub enum Bits {
    All,
    OneDrawn(u64),
}

/// Bytes behind so many zeros belong to no header, no frame and no padding between frames: all of them are alike.
const BARE: usize = 256;

/// What the flips ended in.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    pub bytes: u64,
    pub flips: u64,
    /// Starts with the same content.
    pub equal: u64,
    /// Refused starts that name the file that was flipped, and the place of what does not verify.
    pub refused: u64,
    /// Killed servers only: what is lost cannot be told from a torn tail, for nothing behind it vouches for it.
    pub untellable: u64,
    /// What must not be.
    pub wrong: Vec<String>,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.bytes += other.bytes;
        self.flips += other.flips;
        self.equal += other.equal;
        self.refused += other.refused;
        self.untellable += other.untellable;
        self.wrong.extend(other.wrong);
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} bytes, {} flips: {} equal, {} refused, {} a torn tail that nothing vouches for, {} wrong",
            self.bytes,
            self.flips,
            self.equal,
            self.refused,
            self.untellable,
            self.wrong.len()
        )
    }
}

enum Verdict {
    Equal,
    Refused,
    Untellable,
    Wrong(String),
}

/// Tries a share of all flips of what `plan` makes.
pub fn run(plan: &Plan, share: Share) -> Tally {
    let at_rest = plan.make();
    let whole = started(&at_rest.world.image(Crash::Power, 1)).expect("the untouched directory starts");
    let last = at_rest.states.last().expect("there is a state");
    assert_eq!((whole.end_offset, &whole.digest), (last.0, &last.1), "the untouched directory holds everything");
    let mut tally = Tally::default();
    let mut rng = fastrand::Rng::with_seed(match share.bits {
        Bits::All => 0,
        Bits::OneDrawn(seed) => seed,
    });
    for path in at_rest.world.files() {
        let content = at_rest.world.read(&path).unwrap_or_default();
        let mut zeros = 0;
        for (at, byte) in content.iter().enumerate() {
            zeros = if *byte == 0 { zeros + 1 } else { 0 };
            let bare = zeros > BARE;
            if at as u64 % share.parts != share.part || (bare && !at.is_multiple_of(share.zeros)) {
                continue;
            }
            let at = at as u64;
            tally.bytes += 1;
            let bits = match share.bits {
                Bits::All => 0..8,
                Bits::OneDrawn(_) => {
                    let bit = rng.u8(..8);
                    bit..bit + 1
                }
            };
            for bit in bits {
                tally.flips += 1;
                match at_rest.flip(&path, at, bit, !bare) {
                    Verdict::Equal => tally.equal += 1,
                    Verdict::Refused => tally.refused += 1,
                    Verdict::Untellable => tally.untellable += 1,
                    Verdict::Wrong(why) => {
                        tally.wrong.push(format!("{plan:?}: {}, byte {at}, bit {bit}: {why}", path.display()));
                    }
                }
            }
        }
    }
    tally
}

impl AtRest {
    fn flip(&self, path: &Path, at: u64, bit: u8, twice: bool) -> Verdict {
        let world = self.world.image(Crash::Power, 1);
        world.flip_bit(path, at, bit).expect("the file is there");
        let (end, all) = self.states.last().expect("there is a state");
        let found = match started(&world) {
            Ok(found) => found,
            Err(failure) => {
                let before = self.world.image(Crash::Power, 1);
                before.flip_bit(path, at, bit).expect("the file is there");
                return refused(&world, path, &contents(&before), &failure.0);
            }
        };
        if (found.end_offset, &found.digest) == (*end, all) && !twice {
            return Verdict::Equal;
        }
        // What was repaired at the first start must stay so.
        let again = match started(&world.image(Crash::Power, 1)) {
            Ok(again) => again,
            Err(failure) => return Verdict::Wrong(format!("started once, but not again: {failure}")),
        };
        if (again.end_offset, &again.digest) != (found.end_offset, &found.digest) {
            return Verdict::Wrong("the second start shows another content than the first".into());
        }
        if (found.end_offset, &found.digest) == (*end, all) {
            return Verdict::Equal;
        }
        let hit = self.frames.iter().find(|f| f.file == path && (f.position..f.end).contains(&at));
        let cut = self.states.iter().find(|(offset, digest)| (*offset, digest) == (found.end_offset, &found.digest));
        match (hit, cut) {
            (Some(frame), Some((offset, _))) if *offset == frame.offset && frame.end_offset > self.vouched => {
                Verdict::Untellable
            }
            _ => Verdict::Wrong(format!("different content, up to offset {} instead of {end}", found.end_offset)),
        }
    }
}

fn refused(world: &World, path: &Path, before: &[(PathBuf, Option<Vec<u8>>)], error: &LogError) -> Verdict {
    match error {
        LogError::Refused(refusal) if refusal.file != path => {
            Verdict::Wrong(format!("refused for another file: {refusal}"))
        }
        LogError::Refused(_) if contents(world) != before => Verdict::Wrong("a refused start changed files".into()),
        LogError::Refused(_) => Verdict::Refused,
        other => Verdict::Wrong(format!("not a refusal: {other}")),
    }
}

/// All files but LOCK, which every start writes its process id into.
fn contents(world: &World) -> Vec<(PathBuf, Option<Vec<u8>>)> {
    let files = world.files().into_iter().filter(|file| !file.ends_with("LOCK"));
    files.map(|file| (file.clone(), world.read_medium(&file))).collect()
}
