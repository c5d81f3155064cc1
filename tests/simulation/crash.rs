//! Branches one moment into many crashes, recovers each to the end in a fresh engine, and checks it in full.

use std::cell::RefCell;
use std::collections::HashSet;
use std::path::Path;
use std::rc::Rc;

use ackd::disk::Disk;
use ackd::disk::sim::{Crash, World};
use ackd::durability::recovery;
use ackd::log::parse_header;

use super::model::{Model, Recovered};
use super::server::{self, DIRECTORY, Settings};

/// How a start ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    Recovered(Box<Recovered>),
    Refused(String),
    Failed(String),
    /// It waits for something that never comes (these operations), or the world was frozen under it.
    Stuck(String),
}

/// Starts a server's data in `world`, and looks at what it would serve.
pub fn recover(world: &World, settings: &Settings) -> Start {
    let disk: Rc<dyn Disk> = Rc::new(world.boot());
    let engine = Rc::new(RefCell::new(server::engine(world, settings)));
    let started = async {
        let directory = server::directory(disk, &engine).await?;
        recovery::recover(&engine, directory).await
    };
    match world.run(started) {
        None => Start::Stuck(format!("{:?}", world.pending())),
        Some(Ok(_)) => Start::Recovered(Box::new(Recovered::of(&engine.borrow()))),
        Some(Err(failure)) if failure.is_refusal() => Start::Refused(failure.to_string()),
        Some(Err(failure)) => Start::Failed(failure.to_string()),
    }
}

/// One moment at which crashes are tried.
pub struct Moment<'a> {
    pub world: &'a World,
    pub model: &'a Model,
    pub settings: Settings,
    /// The number of the disk operation that comes next, in the whole run.
    pub operation: u64,
    /// The disk has lied: what it then lost cannot be known, only that nothing wrong may be served.
    pub lied: bool,
    /// The power has failed already, and nothing was served since.
    pub power_failed: bool,
}

/// Crash points that were tried.
#[derive(Default)]
pub struct Tried {
    /// By operation and surviving set.
    seen: HashSet<(u64, u64)>,
    pub recoveries: u64,
}

impl Tried {
    pub fn distinct(&self) -> u64 {
        self.seen.len() as u64
    }
}

impl Moment<'_> {
    /// What a crash leaves, and space for a start: without, one that must write something anew fails.
    fn image(&self, crash: Crash, choice: u64) -> World {
        let image = self.world.image(crash, choice);
        image.set_capacity(None);
        image
    }

    /// Tries one crash, if it was not tried before.
    pub fn crash(&self, crash: Crash, choice: u64, rng: &mut fastrand::Rng, tried: &mut Tried) -> Result<(), String> {
        let image = self.image(crash, choice);
        if !tried.seen.insert((self.operation, image.fingerprint())) {
            return Ok(());
        }
        tried.recoveries += 1;
        let has_late = image.pending().iter().any(|operation| operation.late);
        let first = recover(&image, &self.settings);
        let at = |what: String| format!("{crash:?} with choice {choice}: {what}");
        self.judge(crash, &first).map_err(at)?;
        let Start::Recovered(found) = first else { return Ok(()) };
        if !self.lied {
            nothing_is_left_over(&image).map_err(at)?;
        }
        match rng.u8(..16) {
            0 => self.again(&image, &found).map_err(at),
            1..=2 => self.crash_again((crash, choice), &image, (&found, has_late), rng, tried).map_err(at),
            3 if crash == Crash::Power => self.damage(choice, &found, rng, tried).map_err(at),
            4..=6 if crash == Crash::Power && !self.lied => self.without_newest(choice, &found, tried).map_err(at),
            _ => Ok(()),
        }
    }

    fn judge(&self, crash: Crash, start: &Start) -> Result<(), String> {
        let crash = if self.power_failed { Crash::Power } else { crash };
        match start {
            Start::Recovered(found) if self.lied => self.model.check_prefix_or_before(found),
            Start::Recovered(found) => self.model.check(crash, found),
            Start::Refused(_) if self.lied => Ok(()),
            Start::Refused(reason) => Err(format!("an undamaged history is refused: {reason}")),
            Start::Failed(reason) => Err(format!("the start failed on a healthy disk: {reason}")),
            Start::Stuck(pending) => Err(format!("the start waits for ever: {pending}")),
        }
    }

    /// A second start, after the death of the process, finds the same.
    fn again(&self, recovered: &World, found: &Recovered) -> Result<(), String> {
        self.same(&recover(&recovered.image(Crash::Kill, 1), &self.settings), found)
    }

    fn same(&self, second: &Start, found: &Recovered) -> Result<(), String> {
        match second {
            Start::Recovered(second) if **second == *found => Ok(()),
            Start::Recovered(second) if second.end == found.end => {
                Err(format!("two starts found the same offset {}, and different keys", found.end))
            }
            Start::Recovered(second) => {
                Err(format!("one start found offset {}, and the next one {}", found.end, second.end))
            }
            other => Err(format!("one start succeeded, and the next one did not: {other:?}")),
        }
    }

    /// Crashes in the middle of the recovery; the recovery after that finds the same.
    fn crash_again(
        &self,
        first: (Crash, u64),
        recovered: &World,
        (found, has_late): (&Recovered, bool),
        rng: &mut fastrand::Rng,
        tried: &mut Tried,
    ) -> Result<(), String> {
        let twin = self.image(first.0, first.1);
        let at = rng.u64(..recovered.operations().max(1));
        twin.freeze_at(at);
        if !matches!(recover(&twin, &self.settings), Start::Stuck(_)) {
            return Err("recovery went on in a frozen world".into());
        }
        let second = if rng.bool() { Crash::Power } else { Crash::Kill };
        let choice = rng.u64(..4).min(1) * rng.u64(..) + rng.u64(..2);
        let image = twin.image(second, choice);
        let print = image.fingerprint() ^ self.world.image(first.0, first.1).fingerprint().rotate_left(17);
        if !tried.seen.insert((self.operation, print.wrapping_add(at))) {
            return Ok(());
        }
        tried.recoveries += 2;
        let start = recover(&image, &self.settings);
        let inner =
            |what: String| format!("then {second:?} with choice {choice} at operation {at} of the recovery: {what}");
        let is_same_medium = first.0 == Crash::Power || second == Crash::Kill;
        if is_same_medium && !has_late && !self.lied {
            return self.same(&start, found).map_err(inner);
        }
        let hardest = if second == Crash::Power { Crash::Power } else { first.0 };
        self.judge(hardest, &start).map_err(inner)
    }

    /// The newest snapshot is spoilt: with the one before, or the log from its beginning, a start finds the same.
    fn without_newest(&self, choice: u64, found: &Recovered, tried: &mut Tried) -> Result<(), String> {
        let image = self.image(Crash::Power, choice);
        let manifest = image.read(&Path::new(DIRECTORY).join("MANIFEST")).unwrap_or_default();
        let Ok(manifest) = ackd::log::Manifest::parse(&manifest) else { return Ok(()) };
        let Some(newest) = manifest.snapshots.last() else { return Ok(()) };
        let path = Path::new(DIRECTORY).join("snapshots").join(&newest.file);
        image.flip_bit(&path, 0, 0).map_err(|error| error.to_string())?;
        tried.recoveries += 1;
        let start = recover(&image, &self.settings);
        self.same(&start, found).map_err(|what| format!("without the newest snapshot: {what}"))?;
        tried.recoveries += 1;
        self.again(&image, found).map_err(|what| format!("without the newest snapshot: {what}"))
    }

    /// Flips a bit anywhere: the same content, or a refusal, or a cut that loses nothing known to have been durable.
    fn damage(&self, choice: u64, found: &Recovered, rng: &mut fastrand::Rng, tried: &mut Tried) -> Result<(), String> {
        let image = self.image(Crash::Power, choice);
        let files: Vec<_> =
            image.files().into_iter().filter(|path| image.read(path).is_some_and(|c| !c.is_empty())).collect();
        let Some(path) = rng.choice(&files) else { return Ok(()) };
        let content = image.read(path).unwrap_or_default();
        // Most of a segment is zeros; damage there is tried too, but less often.
        let at = (0..16).map(|_| rng.usize(..content.len())).find(|at| content[*at] != 0);
        let at = at.unwrap_or_else(|| rng.usize(..content.len()));
        let bit = rng.u8(..8);
        let flip = format!("bit {bit} of byte {at} of {} flipped", path.display());
        image.flip_bit(path, at as u64, bit).map_err(|error| error.to_string())?;
        tried.recoveries += 1;
        let known = known_durable(&image);
        match recover(&image, &self.settings) {
            Start::Refused(_) => Ok(()),
            Start::Recovered(other) if other.end == found.end => self.same(&Start::Recovered(other), found),
            Start::Recovered(other) if self.lied => self.model.check_prefix_or_before(&other),
            Start::Recovered(other) if other.end < known => {
                Err(format!("cut at {} although {known} is known to be durable", other.end))
            }
            Start::Recovered(other) if other.end > found.end => Err(format!("damage added bytes up to {}", other.end)),
            Start::Recovered(other) => self.model.check_prefix_or_before(&other),
            other => Err(format!("{other:?}")),
        }
        .map_err(|what| format!("{flip}: {what}"))
    }
}

/// After a start on a healthy disk, every file of the directory is one that MANIFEST lists.
fn nothing_is_left_over(world: &World) -> Result<(), String> {
    let directory = Path::new(DIRECTORY);
    let manifest = world.read(&directory.join("MANIFEST")).unwrap_or_default();
    let Ok(manifest) = ackd::log::Manifest::parse(&manifest) else { return Err("MANIFEST cannot be read".into()) };
    let segments = manifest.segments.iter().map(|segment| directory.join("log").join(segment.file_name()));
    let snapshots = manifest.snapshots.iter().map(|snapshot| directory.join("snapshots").join(&snapshot.file));
    let listed: HashSet<_> = segments.chain(snapshots).collect();
    let is_content = |path: &Path| ["log", "snapshots"].iter().any(|folder| path.starts_with(directory.join(folder)));
    match world.files().into_iter().find(|path| is_content(path) && !listed.contains(path)) {
        Some(path) => Err(format!("{} is left over for ever", path.display())),
        None => Ok(()),
    }
}

/// The highest durable offset that any header on the medium vouches for, and MANIFEST. Found without recovery's help:
/// by looking for headers at every place where one can stand, in every segment that MANIFEST lists.
fn known_durable(world: &World) -> u64 {
    let manifest = world.read(&Path::new(DIRECTORY).join("MANIFEST")).unwrap_or_default();
    let Ok(manifest) = ackd::log::Manifest::parse(&manifest) else { return 0 };
    let segments = manifest.segments.iter().filter_map(|segment| {
        let path = Path::new(DIRECTORY).join("log").join(segment.file_name());
        Some((segment.salt, world.read(&path)?))
    });
    let in_headers = segments.flat_map(|(salt, bytes)| {
        let places = (0..bytes.len()).step_by(64).collect::<Vec<_>>();
        places.into_iter().filter_map(move |at| Some(parse_header(&bytes[at..], salt).ok()?.header.durable))
    });
    in_headers.max().unwrap_or(0).max(manifest.durable)
}
