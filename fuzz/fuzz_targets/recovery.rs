//! A data directory with any bytes changed is refused, or recovered to frames that were written, in their order, from
//! the first one on.
#![no_main]

use std::path::Path;
use std::rc::Rc;

use ackd::base::clock::Clock;
use ackd::disk::Disk;
use ackd::disk::sim::{Crash, World};
use ackd::log::{Directory, FrameBuf, FrameHeader, FrameKind, Log, LogError, Settings, Sink, SinkError, SyncPolicy};
use ackd_fuzz::memory;
use libfuzzer_sys::fuzz_target;

const DATA: &str = "/d/data";
const FRAMES: u8 = 12;

/// The simulated disk has copies of a few segments of 64 KiB, and a start makes two new ones.
const MEMORY: usize = 8 << 20;

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

fn payload(number: u8) -> Vec<u8> {
    vec![number; 300 + usize::from(number) * 700]
}

async fn start(world: &World, policy: SyncPolicy) -> Result<(Rc<Log>, Vec<Vec<u8>>), LogError> {
    let disk: Rc<dyn Disk> = Rc::new(world.boot());
    let directory = Directory::open(disk, Path::new(DATA)).await?;
    let mut found = Collect::default();
    let recovered = directory.recover(&mut found).await?;
    let settings = Settings { segment_size: 64 << 10, first_segment_size: 32 << 10, policy, slice: 32 << 10 };
    let clock: Rc<dyn Clock> = Rc::new(world.clock());
    let log = Log::start(directory, &recovered, settings, clock, fastrand::Rng::with_seed(5)).await?;
    Ok((log, found.0))
}

/// A directory at rest, made by two runs.
fn at_rest(policy: SyncPolicy) -> World {
    let world = World::new(3);
    world.make_dir(Path::new("/d"));
    world.run(async {
        for run in 0..2 {
            let (log, _) = start(&world, policy).await.expect("nothing is wrong yet");
            for number in (run * FRAMES / 2)..((run + 1) * FRAMES / 2) {
                let payload = payload(number);
                log.prepare(payload.len() as u64).await.expect("there is space");
                let mut frame = FrameBuf::new();
                frame.extend_from_slice(&payload);
                log.append(&mut frame, 1).await.expect("the disk is well");
            }
        }
    });
    world.image(Crash::Power, 1)
}

fuzz_target!(|input: (bool, Vec<(u8, u32, u8)>)| memory::within(MEMORY, || {
    thread_local! {
        static WORLDS: [World; 2] = [SyncPolicy::Always, SyncPolicy::EverySec].map(at_rest);
    }
    let (buffered, changes) = input;
    let world = WORLDS.with(|worlds| worlds[usize::from(buffered)].image(Crash::Power, 1));
    let files = world.files();
    for (file, at, bits) in changes.into_iter().take(64) {
        let path = &files[usize::from(file) % files.len()];
        let len = world.read(path).map_or(0, |content| content.len() as u64);
        if len > 0 {
            for bit in (0..8).filter(|bit| bits & (1 << bit) != 0) {
                world.flip_bit(path, u64::from(at) % len, bit).expect("the byte is there");
            }
        }
    }
    match world.run(start(&world, SyncPolicy::Always)).expect("a start does not get stuck") {
        Ok((_, found)) => {
            let written: Vec<Vec<u8>> = (0..FRAMES).map(payload).take(found.len()).collect();
            assert!(found == written, "{} frames were recovered that are not the first ones", found.len());
        }
        Err(error) => assert!(matches!(error, LogError::Refused(_)), "{error}"),
    }
}));
