//! Faults that strike a living server: it is driven, something happens to it, it is started again, and what it holds is
//! judged. One round follows the other on the same directory.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use fastrand::Rng;

use super::arena::{Arena, look};
use super::clock::Skew;
use super::drive::{Clock, Driven, Load, wall_ms};
use super::fault::Fault;
use super::history::{Call, Cell, State};
use super::judge::{Finding, Judged, MayLose};
use super::server::{Program, Server, StartError, copy, ended_in_order, in_words};
use super::volume::{Armed, Calls, Doomed, Faults, Moment};

/// Longest time of a round before its fault has struck.
const STRIKE_TIMEOUT: Duration = Duration::from_secs(20);

/// A server that refuses writes, or whose disk is slow, is given so long.
const SHORT: Duration = Duration::from_millis(600);

/// How rounds are run.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// What strikes.
    pub fault: Fault,
    /// Who drives the server.
    pub load: Load,
    /// At most so many replies are awaited before the fault strikes.
    pub operations: u64,
    /// Promised.
    pub may_lose: MayLose,
    /// The fault strikes at this call of the server, counted from its start on an empty directory; otherwise at one that is
    /// drawn.
    pub strikes_at: Option<u64>,
}

impl Plan {
    /// Whether the server may end so by itself: in order where its disk fails, and where the fault itself kills it.
    fn may_end(&self, status: ExitStatus, output: &str) -> bool {
        match self.fault {
            Fault::Eio => ended_in_order(status, output),
            Fault::Kill => self.strikes_at.is_some() && status.signal() == Some(libc::SIGKILL),
            _ => false,
        }
    }
}

/// The servers of some rounds, one after the other, with what is known of their content.
pub struct Rounds<'a> {
    program: &'a Program,
    plan: Plan,
    arena: Arena,
    clock: Clock,
    skew: Option<Skew>,
    rng: Rng,
    round: u64,
    known: BTreeMap<Cell, State>,
}

/// What came of a round.
#[derive(Debug)]
pub struct Round {
    /// Operations whose reply was read.
    pub acked: u64,
    /// Operations that the server refused.
    pub refused: u64,
    /// How the server ended.
    pub end: String,
    /// How often the fault struck.
    pub struck: u64,
    /// What must not be.
    pub findings: Vec<Finding>,
    /// When something was found: what the clients did.
    pub judged: Judged,
    /// The moment of the end.
    pub at: Moment,
    /// The files as the server left them, until the next round.
    pub files: PathBuf,
}

impl<'a> Rounds<'a> {
    /// On an empty directory.
    pub fn new(program: &'a Program, plan: Plan) -> io::Result<Self> {
        let clock = Clock::default();
        // Where the call is chosen at which it strikes, calls are counted.
        let needs_mount = plan.fault.needs_mount() || plan.strikes_at.is_some();
        let arena = if needs_mount { Arena::mounted(clock.ticks.clone())? } else { Arena::on_disk()? };
        let skew = if plan.fault == Fault::Clock { Some(Skew::new(arena.beside())?) } else { None };
        let rng = Rng::with_seed(plan.load.seed);
        Ok(Self { program, plan, arena, clock, skew, rng, round: 0, known: BTreeMap::new() })
    }

    fn start(&self) -> Result<Server, StartError> {
        let program = match &self.skew {
            Some(skew) => &skew.around(self.program),
            None => self.program,
        };
        self.arena.start(program)
    }

    /// What the next round draws from.
    pub fn seed(&self) -> u64 {
        self.plan.load.seed
    }

    /// One round.
    pub fn run(&mut self) -> io::Result<Round> {
        let struck_before = self.arena.volume().map_or(0, |volume| volume.struck());
        if let (Some(call), Some(volume)) = (self.plan.strikes_at, self.arena.volume()) {
            volume.arm(self.failure(call));
        }
        let mut server = match self.start() {
            Ok(server) => server,
            Err(error) if error.is_of_the_lab() => return Err(io::Error::other(error)),
            Err(error) if self.plan.strikes_at.is_some() => return self.without_a_start(&error),
            Err(error) if self.round > 0 => return self.refuses(&error),
            Err(error) => return Err(io::Error::other(error)),
        };
        let driven = self.plan.load.start(server.port(), &self.clock, self.round);
        self.round += 1;
        let mut findings = Vec::new();
        driven.wait_for(self.rng.u64(1..=self.plan.operations), STRIKE_TIMEOUT);
        self.disturb(&server);
        self.strike(&server, &driven);
        let end = match self.plan.fault {
            Fault::Stop => {
                // The clients go on until they are cut off.
                match server.stop()? {
                    Some(status) => {
                        if !ended_in_order(status, "") {
                            findings
                                .push(Finding::Misbehaved(format!("on SIGTERM it ended with {}", in_words(status))));
                        }
                        in_words(status)
                    }
                    None => {
                        findings.push(Finding::Misbehaved("SIGTERM did not end it".into()));
                        "killed after SIGTERM".into()
                    }
                }
            }
            // Where no client can go on, its end may be a moment behind theirs.
            _ => match if driven.all_ended() { server.wait(Duration::from_secs(1))? } else { server.ended() } {
                Some(status) => {
                    if !self.plan.may_end(status, &server.output()) {
                        findings.push(Finding::Misbehaved(format!("it ended by itself: {}", in_words(status))));
                    }
                    in_words(status)
                }
                None => in_words(server.kill()?),
            },
        };
        let (calls, errors) = driven.finish();
        findings.extend(errors.into_iter().map(Finding::Misbehaved));
        let at = self.clock.ticks.now();
        let struck = self.arena.volume().map_or(1, |volume| {
            volume.arm(Faults::default());
            volume.struck() - struck_before
        });
        self.judge(calls, end, struck, findings, at)
    }

    /// A round in which the server met the fault before it served.
    fn without_a_start(&mut self, error: &StartError) -> io::Result<Round> {
        let struck = self.arena.volume().map_or(0, |volume| {
            volume.arm(Faults::default());
            volume.struck()
        });
        if struck == 0 {
            return Err(io::Error::other(error.to_string()));
        }
        let at = self.clock.ticks.now();
        let mut findings = Vec::new();
        if self.plan.fault != Fault::Kill && !error.is_orderly() {
            findings.push(Finding::Misbehaved(error.to_string()));
        }
        self.judge(Vec::new(), format!("did not start: {error}"), struck, findings, at)
    }

    /// A server that held everything a moment ago, was killed, and does not start.
    fn refuses(&mut self, error: &StartError) -> io::Result<Round> {
        let at = self.clock.ticks.now();
        self.judge(Vec::new(), "did not start".into(), 0, vec![Finding::of_start(error)], at)
    }

    /// What goes wrong at a call. Every second one goes on failing.
    fn failure(&self, call: u64) -> Faults {
        if self.plan.fault == Fault::Kill {
            let kill = Some(Doomed { after: call, pid: self.arena.pid() });
            return Faults { kill, ..Faults::default() };
        }
        let is_full = self.plan.fault == Fault::Full;
        let failure = Armed {
            after: call,
            error: if is_full { libc::ENOSPC } else { libc::EIO },
            times: if is_full || call % 2 == 1 { u64::MAX } else { 1 },
            calls: if is_full { Calls::Growing } else { Calls::All },
        };
        Faults { failure: Some(failure), ..Faults::default() }
    }

    fn judge(
        &mut self,
        calls: Vec<Call>,
        end: String,
        struck: u64,
        mut findings: Vec<Finding>,
        at: Moment,
    ) -> io::Result<Round> {
        let refused = calls.iter().filter(|call| call.was_refused()).count() as u64;
        let acked = calls.iter().filter(|call| call.returned.is_some()).count() as u64 - refused;
        let files = self.arena.beside().join("files");
        if files.exists() {
            std::fs::remove_dir_all(&files)?;
        }
        copy(self.arena.data(), &files)?;
        let (judged, unexplained) =
            Judged::new(std::mem::take(&mut self.known), calls, wall_ms(), self.plan.fault.skew_ms());
        findings.extend(unexplained);
        match look(self.start())? {
            Ok(found) => {
                findings.extend(judged.judge(&found, at, self.plan.may_lose));
                self.known = found.cells;
            }
            Err(finding) => findings.push(finding),
        }
        Ok(Round { acked, refused, end, struck, findings, judged, at, files })
    }

    /// Files come and go while clients write.
    fn disturb(&mut self, server: &Server) {
        let command: &[&str] = match self.rng.u8(..4) {
            0 => &["BGSAVE"],
            1 => &["BGREWRITEAOF"],
            _ => return,
        };
        // Where it is refused (another one is under way) nothing is disturbed.
        let _ = server.client().and_then(|mut client| client.call(command));
        std::thread::sleep(Duration::from_millis(self.rng.u64(..30)));
    }

    fn strike(&mut self, server: &Server, driven: &Driven) {
        if self.plan.strikes_at.is_some() {
            // It is armed already.
            driven.wait_for(self.plan.operations, SHORT);
            return;
        }
        let more = self.rng.u64(1..=self.plan.operations.max(2) / 2);
        // Clients that wait together share a call.
        let drawn = self.rng.u64(..=more / u64::from(self.plan.load.clients));
        let Some(volume) = self.arena.volume() else {
            if let Some(skew) = &self.skew {
                skew.jump(&mut self.rng);
                driven.wait_for(more, STRIKE_TIMEOUT);
            }
            return;
        };
        let mut faults = Faults::default();
        match self.plan.fault {
            Fault::Full => {
                faults.capacity = Some(volume.look(super::volume::Tree::size) + self.rng.u64(..64 << 10));
            }
            Fault::Eio => {
                faults = self.failure(drawn);
            }
            Fault::Slow => faults.delay = Some((Duration::from_millis(1), Duration::from_millis(60))),
            _ => {}
        }
        volume.arm(faults);
        if self.plan.fault == Fault::Full && self.rng.bool() {
            // It needs room; where that is refused nothing happens.
            let _ = server.client().and_then(|mut client| client.call(&["BGREWRITEAOF"]));
        }
        let deadline = Instant::now() + STRIKE_TIMEOUT;
        let before = volume.struck();
        while driven.wait_for(more, SHORT) && volume.struck() == before && Instant::now() < deadline {}
        if self.plan.fault == Fault::Full && self.rng.bool() {
            // Room again: writes resume by themselves.
            volume.arm(Faults::default());
            driven.wait_for(more, Duration::from_secs(2));
        }
    }
}
