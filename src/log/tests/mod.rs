//! Tests of the log as a whole, on a real disk in a temporary directory.

mod round_trip;

use std::path::Path;
use std::rc::Rc;

use crate::base::clock::SystemClock;
use crate::disk::{Disk, PortableDisk};

use super::{Directory, FrameBuf, FrameHeader, FrameKind, Log, LogError, Recovered, Settings, Sink, SyncPolicy};

/// Keeps the payloads of effects frames.
#[derive(Default)]
struct Collect(Vec<Vec<u8>>);

impl Sink for Collect {
    fn frame(&mut self, header: &FrameHeader, payload: &[u8]) -> Result<(), String> {
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

fn settings(policy: SyncPolicy) -> Settings {
    Settings { segment_size: 256 << 10, first_segment_size: 64 << 10, policy, ..Settings::default() }
}

async fn recover(disk: &Rc<dyn Disk>, path: &Path) -> Result<(Directory, Recovered, Vec<Vec<u8>>), LogError> {
    let directory = Directory::open(Rc::clone(disk), path).await?;
    let mut sink = Collect::default();
    let recovered = directory.recover(&mut sink).await?;
    Ok((directory, recovered, sink.0))
}

async fn start(disk: &Rc<dyn Disk>, path: &Path, policy: SyncPolicy) -> (Rc<Log>, Recovered, Vec<Vec<u8>>) {
    let (directory, recovered, payloads) = recover(disk, path).await.unwrap();
    let rng = fastrand::Rng::with_seed(recovered.end_offset + 1);
    let log = Log::start(directory, &recovered, settings(policy), Rc::new(SystemClock::new()), rng).await.unwrap();
    (log, recovered, payloads)
}

/// Appends, making room as the server does.
async fn append(log: &Log, payload: &[u8]) {
    if log.room() < payload.len() as u64 || log.needs_spare().is_some() {
        log.prepare(payload.len() as u64).await.unwrap();
    }
    let mut frame = FrameBuf::new();
    frame.extend_from_slice(payload);
    log.append(&mut frame, 1).await.unwrap();
    assert!(frame.is_empty());
}
