//! Failing disks: what is final, what is not, and who is told.

use super::*;
use crate::disk::sim::{Crash, Fault};
use crate::log::SpareError;

#[test]
fn a_failed_sync_ends_the_log_and_every_later_call_names_the_first_cause() {
    let world = world(1);
    world.run(async {
        let disk = boot(&world);
        let (log, ..) = start(&disk, data(), SyncPolicy::EverySec).await;
        append(&log, b"acked at os").await;
        world.plant(world.operations(), Fault::Error);
        assert!(matches!(log.sync().await, Err(LogError::Io { what: "sync", .. })));
        assert_eq!(log.durable(), 0);
        for error in [log.sync().await.unwrap_err(), log.close().await.unwrap_err(), log.seal().await.unwrap_err()] {
            assert!(matches!(error, LogError::Failed(first) if first.to_string().contains("sync")));
        }
        assert_eq!(log.room(), 0);
    });
}

#[test]
fn a_failed_write_ends_the_log() {
    let world = world(1);
    world.run(async {
        let disk = boot(&world);
        let (log, ..) = start(&disk, data(), SyncPolicy::Always).await;
        append(&log, b"before").await;
        world.plant(world.operations(), Fault::Error);
        let mut frame = FrameBuf::new();
        frame.extend_from_slice(b"x");
        assert!(matches!(log.append(&mut frame, 1).await, Err(LogError::Io { what: "write", .. })));
        frame.extend_from_slice(b"y");
        assert!(matches!(log.append(&mut frame, 1).await, Err(LogError::Failed(_))));
        assert_eq!(log.durable(), 6);
    });
}

#[test]
fn an_abandoned_write_ends_the_log() {
    let world = world(1);
    world.run(async {
        let disk = boot(&world);
        let (log, ..) = start(&disk, data(), SyncPolicy::Always).await;
        let mut frame = FrameBuf::new();
        frame.extend_from_slice(b"x");
        world.set_manual();
        let mut write = Box::pin(log.append(&mut frame, 1));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(write.as_mut().poll(&mut context).is_pending());
        drop(write);
        world.set_auto(1);
        assert!(matches!(log.sync().await, Err(LogError::Failed(_))));
    });
}

#[test]
fn a_full_disk_fails_the_spare_and_heals_by_itself() {
    let world = world(1);
    world.run(async {
        let disk = boot(&world);
        let (log, ..) = start(&disk, data(), SyncPolicy::Always).await;
        append(&log, b"before").await;
        let files = world.files();
        world.set_capacity(Some(1));
        assert!(matches!(log.prepare(1 << 20).await, Err(SpareError::OutOfSpace { .. })));
        assert_eq!(world.files(), files, "what was begun is discarded");
        let mut frame = FrameBuf::new();
        frame.extend_from_slice(&vec![7; 1 << 20]);
        assert!(matches!(log.append(&mut frame, 1).await, Err(LogError::NoRoom { .. })));
        assert_eq!(frame.len(), 1 << 20, "a frame without room stays with the caller");
        append(&log, b"still fits").await;
        world.set_capacity(None);
        log.prepare(1 << 20).await.unwrap();
        log.append(&mut frame, 1).await.unwrap();
    });
    let found = world.run(async { recover(&boot(&world), data()).await.unwrap().2 }).unwrap();
    assert_eq!(found.len(), 3);
}

#[test]
fn a_server_starts_on_a_full_disk_and_takes_writes_once_there_is_space() {
    let world = world(1);
    let disk = boot(&world);
    world.run(async {
        let (log, ..) = start(&disk, data(), SyncPolicy::Always).await;
        append(&log, b"before").await;
    });
    let world = world.image(Crash::Power, 5);
    world.set_capacity(Some(1));
    world.run(async {
        let disk = boot(&world);
        let (log, _, found) = start(&disk, data(), SyncPolicy::Always).await;
        assert_eq!(found, [b"before"]);
        assert_eq!((log.room(), log.needs_spare().is_some()), (0, true));
        assert!(matches!(log.prepare(10).await, Err(SpareError::OutOfSpace { .. })));
        world.set_capacity(None);
        append(&log, b"after").await;
    });
    let found = world.run(async { recover(&boot(&world), data()).await.unwrap().2 }).unwrap();
    assert_eq!(found, [&b"before"[..], b"after"]);
}

#[test]
fn whatever_fails_while_a_spare_is_made_the_log_goes_on() {
    for operation in 0.. {
        let world = world(operation);
        let failed = world.run(async {
            let disk = boot(&world);
            let (log, ..) = start(&disk, data(), SyncPolicy::Always).await;
            let before = world.operations();
            world.plant(before + operation, Fault::Error);
            let prepared = log.prepare(100_000).await;
            if world.operations() <= before + operation {
                return None;
            }
            log.prepare(100_000).await.unwrap();
            append(&log, &[1; 100_000]).await;
            Some(prepared.is_err())
        });
        let Some(_) = failed.unwrap() else {
            assert!(operation > 9, "making a segment takes more operations");
            break;
        };
        let image = world.image(Crash::Power, 1);
        let found = image.run(async { recover(&boot(&image), data()).await.map(|(.., found)| found) }).unwrap();
        assert_eq!(found.unwrap(), [[1; 100_000]], "operation {operation}");
    }
}

#[test]
fn what_a_failed_writeback_left_in_the_cache_is_written_anew() {
    for direct in [true, false] {
        let world = world(1);
        world.set_direct(direct);
        world.run(async {
            let disk = boot(&world);
            let (log, ..) = start(&disk, data(), SyncPolicy::EverySec).await;
            append(&log, b"durable").await;
            log.sync().await.unwrap();
            append(&log, b"acked at os").await;
            world.plant(world.operations(), Fault::Error);
            log.sync().await.unwrap_err();
        });
        world.crash(Crash::Kill);
        world.run(async {
            let disk = boot(&world);
            let (log, _, found) = start(&disk, data(), SyncPolicy::Always).await;
            assert_eq!(found, [&b"durable"[..], b"acked at os"]);
            append(&log, b"more").await;
            assert_eq!(log.durable(), log.written());
        });
        for choice in 0..20 {
            let image = world.image(Crash::Power, choice);
            let found = image.run(async { recover(&boot(&image), data()).await.map(|(.., found)| found) }).unwrap();
            assert_eq!(found.unwrap(), [&b"durable"[..], b"acked at os", b"more"], "direct {direct}");
        }
    }
}
