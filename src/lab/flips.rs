//! Bits that flip while a server is down.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use fastrand::Rng;

use super::arena::Arena;
use super::drive::{Clock, Load, wall_ms};
use super::history::CLOCK_SLACK_MS;
use super::judge::{Finding, Judged};
use super::server::{Program, copy, ended_in_order};
use super::volume::Moment;
use super::workload::SOON_MS;

/// How many bits flip, and who wrote the data before.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Who drives the server.
    pub load: Load,
    /// So many replies are awaited.
    pub operations: u64,
    /// So many bits are flipped, one at a time.
    pub flips: usize,
}

/// A bit that was flipped.
#[derive(Clone, Debug)]
pub struct Flip {
    /// In this file, below the data directory.
    pub file: PathBuf,
    /// In this byte.
    pub at: u64,
    /// This one.
    pub bit: u8,
    /// What it led to; nothing when the same is served.
    pub findings: Vec<Finding>,
}

impl Flip {
    /// True when it led to a refusal that does not say which file is damaged.
    pub fn is_refused_without_a_name(&self) -> bool {
        let name = self.file.file_name().unwrap_or_default().to_string_lossy();
        self.findings.iter().any(|finding| matches!(finding, Finding::Refused(why) if !why.contains(&*name)))
    }
}

/// What came of it.
#[derive(Debug)]
pub struct Flipped {
    /// Operations whose reply was read.
    pub acked: u64,
    /// What was found wrong before any flip.
    pub findings: Vec<Finding>,
    /// The flips.
    pub flips: Vec<Flip>,
    /// What is known of the data before any flip.
    pub judged: Judged,
    /// The moment of the stop.
    pub at: Moment,
    /// The data before any flip.
    pub whole: PathBuf,
    /// Where they are tried.
    pub arena: Arena,
}

/// Lets a server write, stops it, and flips one bit after the other.
pub fn run(
    program: &Program,
    plan: &Plan,
    tell: &mut dyn FnMut(usize, usize),
    stop: &AtomicBool,
) -> io::Result<Flipped> {
    let arena = Arena::on_disk()?;
    let clock = Clock::default();
    let server = arena.start(program).map_err(io::Error::other)?;
    let driven = plan.load.start(server.port(), &clock, 0);
    driven.wait_for(plan.operations, Duration::from_secs(60));
    let (calls, errors) = driven.finish();
    // What expires soon would be there for one start and not for the next, whatever the flip.
    thread::sleep(Duration::from_millis(SOON_MS + CLOCK_SLACK_MS));
    let acked = calls.iter().filter(|call| call.returned.is_some() && !call.was_refused()).count() as u64;
    let status = server.stop()?;
    let whole = arena.beside().join("whole");
    copy(arena.data(), &whole)?;
    let (judged, mut findings) = Judged::new(Default::default(), calls, wall_ms(), 0);
    findings.extend(errors.into_iter().map(Finding::Misbehaved));
    if !status.is_some_and(|status| ended_in_order(status, "")) {
        findings.push(Finding::Misbehaved("SIGTERM did not end it in order".into()));
    }
    let at = clock.ticks.now();
    let expected = match arena.look(program)? {
        Ok(found) => found,
        Err(finding) => {
            findings.push(finding);
            return Ok(Flipped { acked, findings, flips: Vec::new(), judged, at, whole, arena });
        }
    };
    findings.extend(judged.judge(&expected, at, Default::default()));
    // What was found then is what must be found again.
    let judged = Judged::at_rest(expected.cells);
    let mut rng = Rng::with_seed(plan.load.seed);
    let bytes = written_bytes(&whole)?;
    let mut flips = Vec::new();
    for number in 0..plan.flips {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let (file, byte) = &bytes[rng.usize(..bytes.len())];
        let bit = rng.u8(..8);
        arena.fill_from(&whole)?;
        flip(&arena.data().join(file), *byte, bit)?;
        let findings = match arena.look(program)? {
            Err(finding) => vec![finding],
            Ok(found) => judged.judge(&found, at, Default::default()),
        };
        flips.push(Flip { file: file.clone(), at: *byte, bit, findings });
        tell(number + 1, plan.flips);
    }
    Ok(Flipped { acked, findings, flips, judged, at, whole, arena })
}

/// Flips a bit of a file.
pub fn flip(path: &Path, at: u64, bit: u8) -> io::Result<()> {
    use std::os::unix::fs::FileExt;
    let file = std::fs::OpenOptions::new().read(true).write(true).open(path)?;
    let mut byte = [0];
    file.read_exact_at(&mut byte, at)?;
    byte[0] ^= 1 << bit;
    file.write_all_at(&byte, at)
}

/// Every byte that is not zero: what was made ahead of need is nobody's data.
fn written_bytes(directory: &Path) -> io::Result<Vec<(PathBuf, u64)>> {
    let mut found = Vec::new();
    let mut waiting = vec![PathBuf::new()];
    while let Some(below) = waiting.pop() {
        for entry in std::fs::read_dir(directory.join(&below))? {
            let entry = entry?;
            let path = below.join(entry.file_name());
            if entry.file_type()?.is_dir() {
                waiting.push(path);
            } else if entry.file_type()?.is_file() {
                let content = std::fs::read(entry.path())?;
                let written = (0..content.len()).filter(|at| content[*at] != 0);
                found.extend(written.map(|at| (path.clone(), at as u64)));
            }
        }
    }
    if found.is_empty() {
        return Err(io::Error::other("the server wrote no file"));
    }
    found.sort();
    Ok(found)
}
