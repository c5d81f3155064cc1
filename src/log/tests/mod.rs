//! Tests of the log as a whole: on a real disk in a temporary directory, and on the simulated one.

mod crash;
mod damage;
mod faults;
mod inspect;
mod reading;
mod round_trip;
mod snapshots;
mod starts;

use std::path::Path;
use std::rc::Rc;

use crate::base::clock::SystemClock;
use crate::disk::sim::World;
use crate::disk::{Disk, PortableDisk};

use super::planted::Planted;
use super::{
    Directory, FrameBuf, FrameHeader, FrameKind, Log, LogError, Manifest, Recovered, Settings, Sink, SinkError,
    SyncPolicy,
};

/// Keeps the payloads of effects frames.
#[derive(Default)]
struct Collect(Vec<Vec<u8>>);

impl Sink for Collect {
    fn frame(&mut self, header: &FrameHeader, payload: &[u8]) -> Result<(), SinkError> {
        if header.kind == FrameKind::Effects {
            self.0.push(payload.to_vec());
        }
        Ok(())
    }
}

fn run<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn disk() -> Rc<dyn Disk> {
    Rc::new(PortableDisk::new())
}

/// A simulated machine with a place for the data directory.
fn world(seed: u64) -> World {
    let world = World::new(seed);
    world.make_dir(Path::new("/d"));
    world
}

/// The data directory of a simulated machine.
fn data() -> &'static Path {
    Path::new("/d/data")
}

fn boot(world: &World) -> Rc<dyn Disk> {
    Rc::new(world.boot())
}

fn settings(policy: SyncPolicy) -> Settings {
    Settings { segment_size: 128 << 10, first_segment_size: 32 << 10, policy, slice: 64 << 10 }
}

type Found = (Directory, Recovered, Vec<Vec<u8>>);

async fn recover_planted(disk: &Rc<dyn Disk>, path: &Path, planted: Planted) -> Result<Found, LogError> {
    let directory = Directory::open_planted(Rc::clone(disk), path, planted).await?;
    let mut sink = Collect::default();
    let recovered = directory.recover(&mut sink).await?;
    Ok((directory, recovered, sink.0))
}

async fn recover(disk: &Rc<dyn Disk>, path: &Path) -> Result<Found, LogError> {
    recover_planted(disk, path, Planted::default()).await
}

async fn try_start(
    disk: &Rc<dyn Disk>,
    path: &Path,
    policy: SyncPolicy,
    planted: Planted,
) -> Result<(Rc<Log>, Recovered, Vec<Vec<u8>>), LogError> {
    let (directory, recovered, payloads) = recover_planted(disk, path, planted).await?;
    let rng = fastrand::Rng::with_seed(recovered.end_offset + 1);
    let log = Log::start(directory, &recovered, settings(policy), Rc::new(SystemClock::new()), rng).await?;
    Ok((log, recovered, payloads))
}

async fn start(disk: &Rc<dyn Disk>, path: &Path, policy: SyncPolicy) -> (Rc<Log>, Recovered, Vec<Vec<u8>>) {
    try_start(disk, path, policy, Planted::default()).await.unwrap()
}

/// Appends, making room as the server does.
async fn try_append(log: &Log, payload: &[u8]) -> Result<(), LogError> {
    if log.room() < payload.len() as u64 || log.needs_spare().is_some() {
        log.prepare(payload.len() as u64).await?;
    }
    let mut frame = FrameBuf::new();
    // Half of the large ones share what they write.
    match payload.len() {
        len if len > 3000 && len % 2 == 0 => {
            let (first, rest) = payload.split_at(len / 3);
            frame.extend_from_slice(first);
            frame.extend_shared(rest.to_vec().into());
        }
        _ => frame.extend_from_slice(payload),
    }
    log.append(&mut frame, 1).await?;
    assert!(frame.is_empty());
    Ok(())
}

async fn append(log: &Log, payload: &[u8]) {
    try_append(log, payload).await.unwrap();
}
