//! The offline reader: the same frames and the same verdict as a start, from bytes alone.

use super::*;
use crate::log::reader::LogReader;
use crate::log::{Manifest, WalkInput};

fn input(world: &World, tail_is_live: bool) -> (WalkInput, Vec<Vec<u8>>) {
    let manifest = Manifest::parse(&world.read(&data().join("MANIFEST")).unwrap()).unwrap();
    let directory = data().join("log");
    let bytes = manifest.segments.iter().map(|s| world.read(&directory.join(s.file_name())).unwrap()).collect();
    let input = WalkInput {
        segments: manifest.segments,
        directory,
        durable: manifest.durable,
        clean: manifest.clean,
        base_offset: 0,
        tail_is_live,
    };
    (input, bytes)
}

fn effects(reader: &mut LogReader<'_>) -> Vec<Vec<u8>> {
    reader
        .map(|frame| frame.unwrap())
        .filter(|f| f.header.kind == FrameKind::Effects)
        .map(|f| f.payload.to_vec())
        .collect()
}

#[test]
fn a_reader_beside_a_running_server_sees_what_was_written_and_follows_it() {
    for policy in [SyncPolicy::Always, SyncPolicy::No] {
        let world = world(1);
        let (log, expected) = world
            .run(async {
                let disk = boot(&world);
                let (log, ..) = start(&disk, data(), policy).await;
                let mut expected = Vec::new();
                for size in [10, 5000, 40_000, 7, 200_000, 9] {
                    append(&log, &vec![size as u8; size]).await;
                    expected.push(vec![size as u8; size]);
                }
                (log, expected)
            })
            .unwrap();
        let (walk, bytes) = input(&world, true);
        let mut reader = LogReader::new(walk, bytes.iter().map(Vec::as_slice).collect());
        assert_eq!(effects(&mut reader), expected);
        assert_eq!(reader.outcome().end.offset, log.written());
        let (sequence, point) = reader.position().unwrap();
        world.run(append(&log, b"later")).unwrap();
        world.run(append(&log, &[1; 150_000])).unwrap();
        let (walk, bytes) = input(&world, true);
        let mut reader = LogReader::resuming(walk, bytes.iter().map(Vec::as_slice).collect(), sequence, point);
        assert_eq!(effects(&mut reader), [b"later".to_vec(), vec![1; 150_000]]);
    }
}

#[test]
fn a_reader_reports_damage_as_a_start_does() {
    let world = world(1);
    world.run(async {
        let disk = boot(&world);
        let (log, ..) = start(&disk, data(), SyncPolicy::Always).await;
        append(&log, b"one").await;
        append(&log, b"two").await;
    });
    let (walk, mut bytes) = input(&world, true);
    bytes[0][2 * 4096 + 81] ^= 1;
    let mut reader = LogReader::new(walk, bytes.iter().map(Vec::as_slice).collect());
    assert_eq!(reader.by_ref().filter(Result::is_ok).count(), 1, "the start frame");
    let (walk, _) = input(&world, false);
    let reader = LogReader::new(walk, bytes.iter().map(Vec::as_slice).collect());
    let refusal = reader.filter_map(Result::err).next().unwrap();
    assert_eq!(refusal.position, 2 * 4096);
    assert!(refusal.to_string().contains("00000000000000000001.seg at byte 8192"), "{refusal}");
}
