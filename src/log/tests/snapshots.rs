//! Snapshots on the log's side: installed, fallen back from, and the log cut short behind them. What a snapshot "holds" here
//! is the number of payloads before it.

use super::*;
use crate::disk::sim::{Crash, Fault};
use crate::disk::{AlignedBuf, Open};
use crate::log::{Cause, Refusal, Retention, Segment, SnapshotEntry, snapshot_name};

/// What a start found: the log behind it, how many payloads its snapshot holds, and those behind it.
struct Found {
    log: Rc<Log>,
    recovered: Recovered,
    held: usize,
    payloads: Vec<Vec<u8>>,
    unusable: usize,
}

async fn try_start(disk: &Rc<dyn Disk>, path: &Path, policy: SyncPolicy, planted: Planted) -> Result<Found, LogError> {
    let directory = Directory::open_planted(Rc::clone(disk), path, planted).await?;
    let mut contents = directory.look().await?;
    let (mut held, mut behind, mut unusable) = (0, None, 0);
    for snapshot in contents.snapshots() {
        match directory.verify_snapshot(&snapshot.file, snapshot.size, snapshot.crc, &mut |_| {}).await {
            Ok(()) => {
                let file = directory.open_snapshot(&snapshot.file).await?;
                let mut text = [0; 20];
                file.read_now(0, &mut text).map_err(LogError::io("read", path))?;
                held = std::str::from_utf8(&text).unwrap().trim().parse().unwrap();
                behind = Some(snapshot);
                break;
            }
            Err(_) => {
                unusable += 1;
                contents.cannot_use(&snapshot);
            }
        }
    }
    let mut sink = Collect::default();
    let recovered = directory.replay(contents, behind.as_ref(), &mut sink).await?;
    let rng = fastrand::Rng::with_seed(recovered.end_offset + 1);
    let log = Log::start(directory, &recovered, settings(policy), Rc::new(SystemClock::new()), rng).await?;
    Ok(Found { log, recovered, held, payloads: sink.0, unusable })
}

async fn start(disk: &Rc<dyn Disk>, path: &Path, policy: SyncPolicy) -> Found {
    try_start(disk, path, policy, Planted::default()).await.unwrap()
}

/// Writes a snapshot of so many payloads and installs it.
async fn try_snapshot(disk: &Rc<dyn Disk>, log: &Log, held: usize, draw: u32) -> Result<(), LogError> {
    let place = log.place();
    let file = snapshot_name(place.offset, draw);
    let path = log.directory().snapshot_dir().join(&file);
    let mut text = AlignedBuf::with_capacity(20);
    text.extend_from_slice(format!("{held:>20}").as_bytes());
    let crc = crc32fast::hash(&text);
    let opened = disk.open(&path, Open::CreateNew).await.map_err(LogError::io("create", &path))?;
    opened.write_at(0, text).await.map_err(LogError::io("write", &path))?;
    opened.sync().await.map_err(LogError::io("sync", &path))?;
    let snapshot = SnapshotEntry { file, size: 20, crc, place };
    log.install_snapshot(snapshot, Retention::default()).await
}

async fn snapshot(disk: &Rc<dyn Disk>, log: &Log, held: usize) {
    try_snapshot(disk, log, held, 0).await.unwrap();
}

fn payload(number: usize, len: usize) -> Vec<u8> {
    let mut rng = fastrand::Rng::with_seed(number as u64);
    std::iter::repeat_with(|| rng.u8(..)).take(len).collect()
}

/// A directory with a snapshot after each of `rounds`, of twenty payloads each.
async fn written(disk: &Rc<dyn Disk>, path: &Path, policy: SyncPolicy, rounds: usize) -> Vec<Vec<u8>> {
    let log = start(disk, path, policy).await.log;
    let mut expected = Vec::new();
    for _ in 0..rounds {
        for _ in 0..20 {
            let payload = payload(expected.len(), 10_000);
            append(&log, &payload).await;
            expected.push(payload);
        }
        snapshot(disk, &log, expected.len()).await;
    }
    for _ in 0..3 {
        let payload = payload(expected.len(), 100);
        append(&log, &payload).await;
        expected.push(payload);
    }
    expected
}

fn snapshot_files(path: &Path) -> Vec<std::path::PathBuf> {
    let mut files: Vec<_> =
        std::fs::read_dir(path.join("snapshots")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn the_log_behind_two_snapshots_is_all_that_is_kept_and_files_are_used_again() {
    for policy in [SyncPolicy::Always, SyncPolicy::EverySec, SyncPolicy::No] {
        run(async {
            let dir = tempfile::tempdir().unwrap();
            let (path, disk) = (dir.path().join("data"), disk());
            let mut expected: Vec<Vec<u8>> = Vec::new();
            let mut recycled = 0;
            for _ in 0..6 {
                let Found { log, recovered, held, payloads, .. } = start(&disk, &path, policy).await;
                assert_eq!(recovered.torn, None);
                assert!(payloads == expected[held..], "{policy:?}");
                assert!(expected.len() - held <= 23 && (expected.is_empty() || held > 0));
                for round in 0..5 {
                    for _ in 0..20 {
                        let payload = payload(expected.len(), 10_000);
                        append(&log, &payload).await;
                        expected.push(payload);
                    }
                    snapshot(&disk, &log, expected.len()).await;
                    // What is left of 20 payloads in two rounds, those in the making, and those that wait to be used again.
                    let files = std::fs::read_dir(path.join("log")).unwrap().count();
                    assert!(round == 0 || files <= 12, "{files} segments");
                    assert!(snapshot_files(&path).len() <= 2);
                }
                recycled += log.state.borrow().manifest.segments.iter().filter(|s| s.is_recycled()).count();
                append(&log, b"one more").await;
                expected.push(b"one more".to_vec());
            }
            assert!(recycled > 0, "{policy:?}");
        });
    }
}

#[test]
fn a_start_falls_back_to_the_older_snapshot_and_the_next_one_replaces_what_was_bad() {
    run(async {
        for damage in ["flipped", "missing", "cut"] {
            let dir = tempfile::tempdir().unwrap();
            let (path, disk) = (dir.path().join("data"), disk());
            let expected = written(&disk, &path, SyncPolicy::Always, 4).await;
            let newest = snapshot_files(&path).pop().unwrap();
            match damage {
                "flipped" => std::fs::write(&newest, format!("{:>20}", 81)).unwrap(),
                "missing" => std::fs::remove_file(&newest).unwrap(),
                _ => std::fs::write(&newest, "80").unwrap(),
            }
            let Found { log, held, payloads, unusable, .. } = start(&disk, &path, SyncPolicy::Always).await;
            assert_eq!((held, unusable), (60, 1), "{damage}");
            assert!(payloads == expected[60..]);
            snapshot(&disk, &log, expected.len()).await;
            assert!(!newest.exists());
            drop(log);
            let Found { held, payloads, unusable, .. } = start(&disk, &path, SyncPolicy::Always).await;
            assert_eq!((held, payloads.len(), unusable), (expected.len(), 0, 0));
        }
    });
}

#[test]
fn without_any_snapshot_the_whole_log_is_read_if_it_is_there_and_else_the_start_is_refused() {
    run(async {
        for (rounds, is_whole) in [(1, true), (4, false)] {
            let dir = tempfile::tempdir().unwrap();
            let (path, disk) = (dir.path().join("data"), disk());
            let expected = written(&disk, &path, SyncPolicy::EverySec, rounds).await;
            for file in snapshot_files(&path) {
                std::fs::write(file, "spoilt").unwrap();
            }
            match try_start(&disk, &path, SyncPolicy::EverySec, Planted::default()).await {
                Ok(found) => assert!(is_whole && found.held == 0 && found.payloads == expected),
                Err(LogError::Refused(Refusal { cause: Cause::MissingBeginning { .. }, .. })) => assert!(!is_whole),
                Err(other) => panic!("{other}"),
            }
        }
    });
}

#[test]
fn damage_before_the_newest_snapshot_is_a_warning_and_one_behind_it_is_not() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let (path, disk) = (dir.path().join("data"), disk());
        let expected = written(&disk, &path, SyncPolicy::Always, 4).await;
        let manifest = Manifest::parse(&std::fs::read(path.join("MANIFEST")).unwrap()).unwrap();
        let place = manifest.snapshots.last().unwrap().place;
        let flip = |segment: &Segment, at: u64| {
            let file = path.join("log").join(segment.file_name());
            let mut bytes = std::fs::read(&file).unwrap();
            bytes[at as usize] ^= 0x10;
            std::fs::write(&file, bytes).unwrap();
        };
        let before = manifest.segments.iter().find(|s| s.sequence < place.sequence).unwrap();
        for at in [20, before.unit + 70, before.unit + 9000] {
            flip(before, at);
        }
        let Found { recovered, held, payloads, log, .. } = start(&disk, &path, SyncPolicy::Always).await;
        assert!(held == 80 && payloads == expected[80..]);
        assert!(recovered.warnings.iter().any(|warning| warning.contains("only older snapshots")));
        drop(log);
        let present = manifest.segments.iter().find(|s| s.sequence == place.sequence).unwrap();
        flip(present, place.position.next_multiple_of(present.unit) + 30);
        let refused = try_start(&disk, &path, SyncPolicy::Always, Planted::default()).await;
        assert!(matches!(refused.map(drop), Err(LogError::Refused(_))));
    });
}

#[test]
fn a_crash_at_any_operation_of_an_installation_loses_nothing() {
    for policy in [SyncPolicy::Always, SyncPolicy::EverySec] {
        let mut at = 0;
        loop {
            let world = world(at);
            let disk = boot(&world);
            let expected = world.run(written(&disk, data(), policy, 2)).unwrap();
            drop(disk);
            let disk = boot(&world);
            let (log, mut expected) = world
                .run(async {
                    let log = start(&disk, data(), policy).await.log;
                    (log, expected)
                })
                .unwrap();
            world.freeze_at(world.operations() + at);
            let finished = world
                .run(async {
                    for _ in 0..25 {
                        let payload = payload(expected.len(), 10_000);
                        expected.push(payload.clone());
                        append(&log, &payload).await;
                    }
                    log.sync().await.unwrap();
                    snapshot(&disk, &log, expected.len()).await;
                    log.prepare(60_000).await.unwrap();
                })
                .is_some();
            for (crash, choice) in [(Crash::Kill, 0), (Crash::Power, 0), (Crash::Power, 1), (Crash::Power, at + 2)] {
                let image = world.image(crash, choice);
                let disk = boot(&image);
                let found = image.run(start(&disk, data(), policy)).unwrap();
                let end = found.held + found.payloads.len();
                assert!(found.payloads == expected[found.held..end], "{policy:?} {at} {crash:?} {choice}");
                assert!(!finished || end == expected.len());
                let listed: Vec<String> = found.log.snapshots().into_iter().map(|s| s.file).collect();
                let files = image.files();
                let there = files.iter().filter_map(|file| file.strip_prefix(data().join("snapshots")).ok());
                let there: Vec<String> = there.map(|name| name.display().to_string()).collect();
                assert_eq!(there, listed, "{policy:?} {at} {crash:?} {choice}: a file is left over");
                let segments = found.log.state.borrow().manifest.segments.len();
                let there = files.iter().filter(|file| file.starts_with(data().join("log"))).count();
                assert_eq!(there, segments, "{policy:?} {at} {crash:?} {choice}: a segment is left over");
            }
            if finished {
                assert!(at > 40);
                break;
            }
            at += 1;
        }
    }
}

#[test]
fn a_snapshot_that_cannot_be_installed_leaves_all_as_it_was() {
    for fault in [Fault::Error, Fault::NoSpace] {
        let mut failures = 0;
        for at in 0..60 {
            let world = world(at);
            let disk = boot(&world);
            let expected = world.run(written(&disk, data(), SyncPolicy::Always, 2)).unwrap();
            drop(disk);
            let disk = boot(&world);
            let log = world.run(start(&disk, data(), SyncPolicy::Always)).unwrap().log;
            let operation = world.operations() + at;
            world.plant(operation, fault);
            let result = world.run(try_snapshot(&disk, &log, expected.len(), 1)).unwrap();
            if world.operations() <= operation {
                break;
            }
            failures += u32::from(result.is_err());
            world
                .run(async {
                    // A failure of the log itself would be final; that of a snapshot is not.
                    append(&log, b"goes on").await;
                    try_snapshot(&disk, &log, expected.len() + 1, 2).await.unwrap();
                })
                .unwrap();
            drop((disk, log));
            let image = world.image(Crash::Power, 0);
            let disk = boot(&image);
            let found = image.run(start(&disk, data(), SyncPolicy::Always)).unwrap();
            assert_eq!((found.held, found.payloads.len()), (expected.len() + 1, 0));
        }
        assert!(failures > 2, "{fault:?}");
    }
}
