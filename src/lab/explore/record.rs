//! Runs and recoveries of a real server, recorded call by call.

use std::io;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fastrand::Rng;

use super::{Disk, Place, Plan};
use crate::lab::arena::{Arena, Looked, observe};
use crate::lab::drive::{Clock, Load};
use crate::lab::history::Call;
use crate::lab::judge::{Finding, Judged};
use crate::lab::server::{Program, ended_in_order, in_words};
use crate::lab::volume::{Armed, Calls, Faults, Moment, Trace, Tree, Volume};

/// So many replies are awaited from a server that has recovered.
const OPERATIONS_AFTERWARDS: u64 = 40;

/// A recorded recovery.
pub(super) struct Recovery {
    pub(super) trace: Trace,
    /// What was served.
    pub(super) found: Looked,
    /// When all of it had been read.
    pub(super) answered: Moment,
    /// What clients did then.
    pub(super) calls: Vec<Call>,
    pub(super) misbehaved: Option<String>,
}

fn volume_of(arena: &Arena) -> io::Result<&Arc<Volume>> {
    arena.volume().ok_or_else(|| io::Error::other("an arena without its volume"))
}

/// How long a sync takes while a run is recorded: as on a disk, other calls are under way meanwhile.
const LATENCY: (Duration, Duration) = (Duration::from_micros(50), Duration::from_micros(500));

/// How long a run may take.
const RUN_TIMEOUT: Duration = Duration::from_secs(60);

/// A recorded run.
pub(super) struct Run {
    pub(super) trace: Trace,
    pub(super) calls: Vec<Call>,
    pub(super) struck: u64,
    pub(super) output: String,
    pub(super) misbehaved: Option<String>,
    pub(super) disk_path: Option<String>,
}

/// Runs a server from its first start until it is killed, and records it.
pub(super) fn record(program: &Program, plan: &Plan, arena: &Arena, clock: &Clock) -> io::Result<Run> {
    let volume = volume_of(arena)?;
    let slow = Faults { delay: Some(LATENCY), ..Faults::default() };
    volume.arm(slow.clone());
    volume.record();
    let mut server = arena.start(program).map_err(io::Error::other)?;
    let disk_path = server.info("log_disk_path");
    let driven = plan.load.start(server.port(), clock, 0);
    driven.wait_for(plan.operations / 2, RUN_TIMEOUT);
    if plan.disk == Disk::Failing {
        // Clients that wait together share a call.
        let calls = plan.operations / 2 / u64::from(plan.load.clients);
        let after = Rng::with_seed(plan.load.seed).u64(..=calls);
        let failure = Armed { after, error: libc::EIO, times: 1, calls: Calls::Vouching };
        volume.arm(Faults { failure: Some(failure), ..slow });
    }
    // A snapshot or rewrite in the middle: files come and go while clients write.
    // Where it is refused, none come and go.
    let _ = server.client().and_then(|mut client| client.call(&["BGREWRITEAOF"]));
    driven.wait_for(plan.operations / 2, RUN_TIMEOUT);
    let deadline = Instant::now() + RUN_TIMEOUT;
    while plan.disk == Disk::Failing && volume.failed() == 0 && Instant::now() < deadline {
        if !driven.wait_for(plan.load.clients.into(), RUN_TIMEOUT) {
            break;
        }
    }
    let output = server.output();
    let ended = if driven.all_ended() { server.wait(Duration::from_secs(1))? } else { server.ended() };
    // One that cannot write may well end; nobody can go on then.
    let may_end = |status: &ExitStatus| plan.disk == Disk::Failing && ended_in_order(*status, &output);
    let misbehaved = ended
        .filter(|status| !may_end(status))
        .map(|status| format!("it ended by itself while it was recorded: {}; {output}", in_words(status)));
    server.kill()?;
    let (calls, errors) = driven.finish();
    let misbehaved = misbehaved.or_else(|| errors.into_iter().next());
    let struck = if plan.disk == Disk::Failing { volume.failed() } else { 0 };
    Ok(Run { trace: volume.take_trace(), calls, struck, output, misbehaved, disk_path })
}

/// Each moment at which something can be lost otherwise than before: within and after each event, and after each ack.
pub(super) fn moments(trace: &Trace, judged: &Judged) -> Vec<Moment> {
    let ends = trace.events.iter().flat_map(|event| [event.begun + 1, event.ended.saturating_add(1)]);
    let mut moments: Vec<Moment> = ends.chain(judged.returns().map(|tick| tick + 1)).collect();
    moments.sort_unstable();
    moments.dedup();
    moments.retain(|moment| *moment < Moment::MAX);
    moments
}

/// Records what a server does that recovers from a crash, is read, and goes on.
pub(super) fn recover(place: &Place<'_>, tree: &Tree, round: u64) -> io::Result<Recovery> {
    let volume = volume_of(place.arena)?;
    volume.load(tree);
    volume.arm(Faults { delay: Some(LATENCY), ..Faults::default() });
    volume.record();
    let started = place.arena.start(place.program);
    let found = match &started {
        Ok(server) => observe(server),
        Err(error) if error.is_of_the_lab() => return Err(io::Error::other(error.to_string())),
        Err(error) => Err(Finding::of_start(error)),
    };
    let answered = place.clock.ticks.now();
    let (mut calls, mut misbehaved) = (Vec::new(), None);
    if let (Ok(mut server), Ok(_)) = (started, &found) {
        let driven = Load { pause: Duration::ZERO, ..place.plan.load }.start(server.port(), place.clock, round);
        driven.wait_for(OPERATIONS_AFTERWARDS, RUN_TIMEOUT);
        let ended = if driven.all_ended() { server.wait(Duration::from_secs(1))? } else { server.ended() };
        server.kill()?;
        let errors;
        (calls, errors) = driven.finish();
        misbehaved = ended
            .map(|status| format!("it ended by itself after a recovery: {}", in_words(status)))
            .or_else(|| errors.into_iter().next());
    }
    Ok(Recovery { trace: volume.take_trace(), found, answered, calls, misbehaved })
}
