//! Starts that are cut short, or meet less than they have read. Each was found by the simulation.

use super::*;
use crate::disk::sim::{Crash, Fault};
use crate::log::Cause;

/// A machine without direct I/O, on which a log under `policy` has these payloads, and its last sync has failed.
fn left_in_the_cache(policy: SyncPolicy) -> World {
    let world = world(1);
    world.set_direct(false);
    world.run(async {
        let disk = boot(&world);
        let (log, ..) = start(&disk, data(), policy).await;
        append(&log, b"durable").await;
        log.sync().await.unwrap();
        append(&log, b"only in the cache").await;
    });
    world.crash(Crash::Kill);
    world
}

#[test]
fn a_start_that_is_cut_short_at_any_operation_leaves_one_that_succeeds() {
    let origin = left_in_the_cache(SyncPolicy::EverySec);
    for operation in 0.. {
        let first = origin.image(Crash::Kill, 0);
        first.freeze_at(operation);
        if first.run(start(&boot(&first), data(), SyncPolicy::Always)).is_some() {
            assert!(operation > 20, "a start takes more operations");
            return;
        }
        for choice in 0..6 {
            for crash in [Crash::Power, Crash::Kill] {
                let image = first.image(crash, choice);
                let found = image.run(async {
                    let (log, _, found) =
                        try_start(&boot(&image), data(), SyncPolicy::Always, Planted::default()).await?;
                    append(&log, b"more").await;
                    log.close().await?;
                    Ok::<_, LogError>(found)
                });
                let found =
                    found.unwrap().unwrap_or_else(|e| panic!("operation {operation}, {crash:?}, {choice}: {e}"));
                assert!(found.starts_with(&[b"durable".to_vec()]), "operation {operation}: {found:?}");
            }
        }
    }
}

#[test]
fn a_first_start_that_fails_anywhere_leaves_one_that_no_power_cut_spoils() {
    for fault in 0.. {
        let origin = world(1);
        origin.plant(fault, Fault::Error);
        match origin.run(try_start(&boot(&origin), data(), SyncPolicy::Always, Planted::default())) {
            Some(Ok(_)) if origin.operations() < fault => {
                assert!(fault > 15, "a start takes more operations");
                return;
            }
            _ => origin.crash(Crash::Kill),
        }
        let begun = origin.operations();
        for operation in begun.. {
            let second = origin.image(Crash::Kill, 0);
            second.freeze_at(operation);
            if second.run(try_start(&boot(&second), data(), SyncPolicy::Always, Planted::default())).is_some() {
                break;
            }
            for choice in 0..12 {
                let image = second.image(Crash::Power, choice);
                let found = image.run(try_start(&boot(&image), data(), SyncPolicy::Always, Planted::default()));
                let refused = found.expect("it ends").err();
                assert!(refused.is_none(), "{fault}, {operation}, {choice}: {}", refused.unwrap());
            }
        }
    }
}

#[test]
fn a_log_whose_end_is_written_anew_with_nothing_to_write_goes_on_in_the_next_segment() {
    let world = world(1);
    world.set_direct(false);
    world.run(async {
        // A start frame alone stands behind the durable offset.
        let (log, ..) = start(&boot(&world), data(), SyncPolicy::EverySec).await;
        append(&log, b"durable").await;
        log.sync().await.unwrap();
        append(&log, &[1; 100_000]).await;
        log.sync().await.unwrap();
        drop(log);
        let (log, ..) = start(&boot(&world), data(), SyncPolicy::EverySec).await;
        drop(log);
        let (log, ..) = start(&boot(&world), data(), SyncPolicy::EverySec).await;
        append(&log, &[2; 100_000]).await;
        log.sync().await.unwrap();
        drop(log);
        let (_, _, found) = start(&boot(&world), data(), SyncPolicy::EverySec).await;
        assert_eq!(found, [&b"durable"[..], &[1; 100_000], &[2; 100_000]]);
    });
}

#[test]
fn frames_that_vanish_from_the_cache_during_a_start_end_it_and_are_not_served() {
    let origin = left_in_the_cache(SyncPolicy::EverySec);
    let mut vanished = 0;
    for choice in 0..8 {
        // A sync that fails leaves pages in the cache alone, for clean; which ones is drawn.
        let failed = origin.image(Crash::Kill, choice);
        failed.run(async {
            let (path, disk) = (data().join("log").join(format!("{:020}.seg", 1)), boot(&failed));
            let file = disk.open(&path, crate::disk::Open::Buffered).await.unwrap();
            failed.plant(failed.operations(), Fault::Error);
            file.sync().await.unwrap_err();
        });
        for operation in 0..40u64 {
            let world = failed.image(Crash::Kill, 0);
            let mut left = operation;
            world.set_hook(Some(Box::new(move |world, _| {
                if left == 0 {
                    world.drop_caches();
                }
                left = left.wrapping_sub(1);
            })));
            match world.run(try_start(&boot(&world), data(), SyncPolicy::Always, Planted::default())).unwrap() {
                Ok((log, recovered, found)) => {
                    let bytes: usize = found.iter().map(Vec::len).sum();
                    assert_eq!(log.written(), bytes as u64, "what was applied is in the log");
                    assert_eq!(recovered.end_offset, bytes as u64);
                }
                Err(LogError::Vanished { .. }) => vanished += 1,
                Err(error) => panic!("operation {operation}: {error}"),
            }
        }
    }
    assert!(vanished > 0);
}

#[test]
fn a_start_frame_that_vanishes_between_two_readings_is_no_torn_tail() {
    let world = world(1);
    world.set_direct(false);
    let third = world.run(async {
        let (log, ..) = start(&boot(&world), data(), SyncPolicy::Always).await;
        append(&log, b"durable").await;
        append(&log, b"acked").await;
        drop(log);
        let (log, ..) = start(&boot(&world), data(), SyncPolicy::Always).await;
        log.state.borrow().active.as_ref().unwrap().path.to_path_buf()
    });
    let third = third.unwrap();
    let mut refused = 0;
    for operation in 0..40u64 {
        let image = world.image(Crash::Kill, 1);
        let (mut left, path) = (operation, third.clone());
        image.set_hook(Some(Box::new(move |image, _| {
            if left == 0 {
                // What a dropped page shows: the zeros that the medium has.
                image.flip_bit(&path, 4096, 0).unwrap();
            }
            left = left.wrapping_sub(1);
        })));
        let started = image.run(try_start(&boot(&image), data(), SyncPolicy::Always, Planted::default())).unwrap();
        match started {
            Ok((.., found)) => assert_eq!(found, [&b"durable"[..], b"acked"], "operation {operation}"),
            Err(LogError::Refused(refusal)) => refused += u32::from(matches!(refusal.cause, Cause::Vanished(_))),
            Err(error) => panic!("operation {operation}: {error}"),
        }
    }
    assert!(refused > 0);
}

#[test]
fn a_start_frame_torn_behind_its_header_does_not_vouch_for_a_torn_tail_before_it() {
    let world = world(1);
    let path_and_end = |log: &Log| {
        let state = log.state.borrow();
        let active = state.active.as_ref().unwrap();
        (active.path.to_path_buf(), active.position)
    };
    let (first, end) = world
        .run(async {
            let (log, ..) = start(&boot(&world), data(), SyncPolicy::Always).await;
            append(&log, b"acked").await;
            let behind = path_and_end(&log);
            append(&log, b"torn").await;
            behind
        })
        .unwrap();
    // A power cut tears the frame in flight; the next start cuts it off, and the power fails again while it writes the
    // start frame that says so.
    let payload = crate::log::FRAME_HEADER as u64;
    world.flip_bit(&first, end.next_multiple_of(4096) + payload, 0).unwrap();
    let second = world
        .run(async {
            let (log, _, found) = start(&boot(&world), data(), SyncPolicy::Always).await;
            assert_eq!(found, [b"acked"]);
            path_and_end(&log).0
        })
        .unwrap();
    let image = world.image(Crash::Power, 1);
    image.flip_bit(&second, 4096 + payload, 0).unwrap();
    let (.., found) = image.run(recover(&boot(&image), data())).unwrap().unwrap();
    assert_eq!(found, [b"acked"]);
}
