//! Damage to a directory at rest: equal content or a refusal that names the file, never different content.

use super::*;
use crate::disk::sim::Crash;
use crate::disk::{AlignedBuf, Open};
use std::path::PathBuf;

/// A directory with a few segments, at rest; and its payloads.
fn at_rest(policy: SyncPolicy, close: bool) -> (World, Vec<Vec<u8>>) {
    let world = world(3);
    let mut expected: Vec<Vec<u8>> = Vec::new();
    world.run(async {
        for round in 0..3u8 {
            let disk = boot(&world);
            let (log, ..) = start(&disk, data(), policy).await;
            for size in [10, 700, 5000, 20_000, 3] {
                let payload = vec![round + 1; size];
                append(&log, &payload).await;
                expected.push(payload);
            }
            log.seal().await.unwrap();
            if close {
                log.close().await.unwrap();
            }
        }
    });
    (world, expected)
}

fn changed(world: &World, path: &Path, at: u64, flip: u8) -> World {
    let image = world.image(Crash::Kill, 0);
    image.run(async {
        let file = boot(&image).open(path, Open::Buffered).await.unwrap();
        let mut byte = file.read_at(at, 1).await.unwrap();
        byte[0] ^= flip;
        file.write_at(at, byte).await.unwrap();
        file.sync().await.unwrap();
    });
    image
}

/// Replaces a file's content.
fn replaced(world: &World, path: &Path, content: &[u8]) -> World {
    let image = world.image(Crash::Kill, 0);
    image.run(async {
        let disk = boot(&image);
        disk.remove(path).await.unwrap();
        let file = disk.open(path, Open::CreateNew).await.unwrap();
        let mut buf = AlignedBuf::with_capacity(1);
        buf.extend_from_slice(content);
        file.write_at(0, buf).await.unwrap();
    });
    image
}

fn recovered(world: &World) -> Result<Vec<Vec<u8>>, LogError> {
    world.run(async { recover(&boot(world), data()).await.map(|(.., found)| found) }).unwrap()
}

/// Equal content, or a refusal that names this file or MANIFEST; a refusal changes nothing.
fn holds(world: &World, expected: &[Vec<u8>], path: &Path, what: &str) {
    let before: Vec<_> = contents(world);
    match recovered(world) {
        Ok(found) => assert!(found == expected, "{what} of {} changes the content", path.display()),
        Err(LogError::Refused(refusal)) => {
            let names = refusal.file == path || !path.ends_with("MANIFEST");
            assert!(names, "{what} of {}: refused for {refusal}", path.display());
            assert_eq!(contents(world), before, "a refusal must change nothing");
        }
        Err(e) => panic!("{what} of {}: {e}", path.display()),
    }
}

fn contents(world: &World) -> Vec<(PathBuf, Option<Vec<u8>>)> {
    let files = world.files().into_iter().filter(|f| !f.ends_with("LOCK"));
    files.map(|f| (f.clone(), world.read(&f))).collect()
}

fn every_flip_holds(policy: SyncPolicy, close: bool) {
    let (world, expected) = at_rest(policy, close);
    assert_eq!(recovered(&world.image(Crash::Kill, 0)).unwrap(), expected);
    for path in world.files() {
        let content = world.read(&path).unwrap();
        let mut zeros = 0;
        for (at, &byte) in content.iter().enumerate() {
            zeros = if byte == 0 { zeros + 1 } else { 0 };
            let inside = byte < 4 && content[..at].ends_with(&[byte; 64]);
            if (zeros > 80 || inside) && at % 509 != 0 {
                continue;
            }
            let flip = 1 << (at % 8);
            holds(&changed(&world, &path, at as u64, flip), &expected, &path, &format!("flipping byte {at}"));
        }
    }
}

#[test]
fn every_flipped_byte_of_a_stopped_server_under_always_is_harmless_or_refused() {
    every_flip_holds(SyncPolicy::Always, true);
}

#[test]
fn every_flipped_byte_of_a_killed_and_sealed_server_under_everysec_is_harmless_or_refused() {
    every_flip_holds(SyncPolicy::EverySec, false);
}

#[test]
fn every_truncation_is_harmless_or_refused() {
    let (world, expected) = at_rest(SyncPolicy::Always, true);
    for path in world.files() {
        let content = world.read(&path).unwrap();
        let step = if content.len() > 2000 { 1021 } else { 1 };
        for len in (0..content.len()).step_by(step) {
            holds(&replaced(&world, &path, &content[..len]), &expected, &path, &format!("cutting at {len}"));
        }
    }
}

fn segment_files(world: &World) -> Vec<PathBuf> {
    world.files().into_iter().filter(|f| f.extension().is_some_and(|e| e == "seg")).collect()
}

#[test]
fn a_missing_file_is_refused() {
    let (world, _) = at_rest(SyncPolicy::Always, true);
    for path in segment_files(&world) {
        let image = world.image(Crash::Kill, 0);
        image.run(async { boot(&image).remove(&path).await.unwrap() });
        let Err(LogError::Refused(refusal)) = recovered(&image) else { panic!("{} is missed", path.display()) };
        assert_eq!((&refusal.file, refusal.cause), (&path, crate::log::Cause::Missing));
    }
}

#[test]
fn data_without_manifest_are_refused() {
    let (world, _) = at_rest(SyncPolicy::Always, true);
    world.run(async { boot(&world).remove(&data().join("MANIFEST")).await.unwrap() });
    let Err(LogError::Refused(refusal)) = recovered(&world) else { panic!() };
    assert_eq!((refusal.cause, refusal.file), (crate::log::Cause::NoManifest, data().join("MANIFEST")));
}

#[test]
fn swapped_files_are_refused() {
    let (world, _) = at_rest(SyncPolicy::Always, true);
    let files = segment_files(&world);
    for (one, other) in files.iter().zip(&files[1..]) {
        let (a, b) = (world.read(one).unwrap(), world.read(other).unwrap());
        let image = replaced(&replaced(&world, one, &b), other, &a);
        assert!(matches!(recovered(&image), Err(LogError::Refused(_))));
    }
}

#[test]
fn a_segment_with_frames_that_is_not_listed_is_refused() {
    let (world, _) = at_rest(SyncPolicy::Always, true);
    let manifest = world.read(&data().join("MANIFEST")).unwrap();
    let mut manifest = crate::log::Manifest::parse(&manifest).unwrap();
    let spare = manifest.segments.pop().unwrap();
    let last = manifest.segments.pop().unwrap();
    manifest.dropped.push(spare.sequence);
    let image = replaced(&world, &data().join("MANIFEST"), manifest.render().as_bytes());
    let Err(LogError::Refused(refusal)) = recovered(&image) else { panic!() };
    assert_eq!(refusal.cause, crate::log::Cause::Unlisted);
    assert!(refusal.file.ends_with(last.file_name()));
}

#[test]
fn damage_to_an_acked_frame_behind_which_others_follow_is_never_a_torn_tail() {
    let (world, expected) = at_rest(SyncPolicy::Always, false);
    for path in segment_files(&world) {
        let content = world.read(&path).unwrap();
        let frames: Vec<usize> =
            (4096..content.len() - 64).step_by(64).filter(|&at| content[at..].starts_with(b"akfr")).collect();
        // The last frame of the last segment is the seal: it holds no data.
        for at in frames {
            match recovered(&changed(&world, &path, at as u64 + 20, 1)) {
                Err(LogError::Refused(refusal)) => assert_eq!(refusal.file, path),
                Ok(found) => assert_eq!(found, expected),
                Err(e) => panic!("{e}"),
            }
        }
    }
}

#[test]
fn a_torn_last_frame_is_cut_and_reported() {
    let world = world(3);
    world.run(async {
        let disk = boot(&world);
        let (log, ..) = start(&disk, data(), SyncPolicy::Always).await;
        append(&log, b"one").await;
        append(&log, &[9; 9000]).await;
    });
    let path = segment_files(&world)[0].clone();
    // Header block, start frame, "one": the second frame begins at the fourth unit, and its payload is torn.
    let image = changed(&world, &path, 3 * 4096 + 5000, 0xff);
    image.run(async {
        let disk = boot(&image);
        let (log, recovered, found) = start(&disk, data(), SyncPolicy::Always).await;
        let torn = recovered.torn.unwrap();
        assert_eq!((torn.file, torn.position, torn.offset), (path.clone(), 3 * 4096, 3));
        assert!((9080..9152).contains(&torn.bytes), "{}", torn.bytes);
        assert_eq!(found, [b"one"]);
        append(&log, b"two").await;
    });
    assert_eq!(recovered(&image.image(Crash::Power, 1)).unwrap(), [b"one", b"two"]);
}
