//! Each modelled behaviour: that it can happen, and that what was promised never breaks.

use std::collections::BTreeSet;
use std::pin::pin;

use super::*;
use crate::disk::conformance::conforms;
use crate::disk::{AlignedBuf, Disk, File, Lock};

const CHOICES: u64 = 400;

fn buf(bytes: &[u8]) -> AlignedBuf {
    let mut buf = AlignedBuf::default();
    buf.extend_from_slice(bytes);
    buf
}

fn file_path() -> &'static Path {
    Path::new("/d/f")
}

/// A world with the durable directory `/d`.
fn world() -> World {
    let world = World::new(7);
    world.make_dir(Path::new("/d"));
    world
}

/// A world with the durable file `/d/f` of `pages` pages of `byte`; the file open as `how`.
fn world_with_file(pages: usize, byte: u8, how: Open) -> (World, SimDisk, Rc<dyn File>) {
    let world = world();
    let disk = world.boot();
    let file = world
        .run(async {
            let file = disk.open(file_path(), Open::CreateNew).await.unwrap();
            file.write_at(0, buf(&vec![byte; pages * 4096])).await.unwrap();
            file.sync().await.unwrap();
            disk.sync_dir(Path::new("/d")).await.unwrap();
            disk.open(file_path(), how).await.unwrap()
        })
        .unwrap();
    (world, disk, file)
}

fn images(world: &World, crash: Crash) -> Vec<World> {
    (0..CHOICES).map(|choice| world.image(crash, choice)).collect()
}

fn contents(world: &World, crash: Crash) -> BTreeSet<Vec<u8>> {
    images(world, crash).iter().filter_map(|image| image.read(file_path())).collect()
}

fn start<'a, T>(op: crate::disk::Op<'a, T>) -> crate::disk::Op<'a, T> {
    let mut op = op;
    let mut cx = Context::from_waker(Waker::noop());
    assert!(op.as_mut().poll(&mut cx).is_pending());
    op
}

#[test]
fn the_simulated_disk_conforms_however_its_operations_end() {
    for seed in 0..5 {
        for polls in [None, Some(1), Some(5)] {
            let world = World::new(seed);
            world.make_dir(Path::new("/d"));
            match polls {
                None => world.set_manual(),
                Some(polls) => world.set_auto(polls),
            }
            let disk = world.boot();
            assert_eq!(world.run(conforms(&disk, Path::new("/d"))), Some(true));
            world.set_faults(Faults { short_write: 0.5, slow: 0.3, slow_us: 1000, ..Faults::default() });
            world.make_dir(Path::new("/e"));
            assert_eq!(world.run(conforms(&disk, Path::new("/e"))), Some(true), "shortness and slowness are no errors");
        }
    }
}

#[test]
fn without_direct_io_the_simulated_disk_says_unsupported() {
    let world = World::new(1);
    world.make_dir(Path::new("/d"));
    world.set_direct(false);
    assert_eq!(world.run(conforms(&world.boot(), Path::new("/d"))), Some(false));
}

#[test]
fn an_unsynced_write_survives_a_kill_and_may_vanish_at_a_power_cut() {
    let (world, _disk, file) = world_with_file(1, 1, Open::Buffered);
    world.run(file.write_at(0, buf(&[2; 4096]))).unwrap().unwrap();
    assert_eq!(contents(&world, Crash::Kill), BTreeSet::from([vec![2; 4096]]));
    let after = contents(&world, Crash::Power);
    assert!(after.contains(&vec![1; 4096]) && after.contains(&vec![2; 4096]));
}

#[test]
fn a_synced_write_survives_every_crash() {
    let (world, _disk, file) = world_with_file(3, 1, Open::Buffered);
    world.run(async {
        file.write_at(5000, buf(b"promised")).await.unwrap();
        file.sync().await.unwrap();
    });
    for crash in [Crash::Kill, Crash::Power] {
        assert_eq!(contents(&world, crash).len(), 1);
        assert_eq!(&world.image(crash, 9).read(file_path()).unwrap()[5000..5008], b"promised");
    }
}

#[test]
fn unsynced_writes_may_be_reordered() {
    let (world, _disk, file) = world_with_file(2, 0, Open::Buffered);
    world.run(async {
        file.write_at(0, buf(b"first")).await.unwrap();
        file.write_at(4096, buf(b"second")).await.unwrap();
    });
    let after = contents(&world, Crash::Power);
    assert!(after.iter().any(|content| content[0] == 0 && content[4096] == b's'), "the later one alone");
    assert!(after.iter().any(|content| content[0] == b'f' && content[4096] == 0), "the earlier one alone");
}

#[test]
fn a_power_cut_may_tear_a_page_between_sectors_or_destroy_it_whole() {
    for how in [Open::Buffered, Open::Direct] {
        let (world, _disk, file) = world_with_file(2, 1, how);
        world.set_manual();
        let _write = start(file.write_at(0, buf(&[2; 4096])));
        if how == Open::Buffered {
            world.step();
        }
        let after = contents(&world, Crash::Power);
        let sector_wise = |content: &[u8]| content[..4096].chunks(512).all(|s| s == [1; 512] || s == [2; 512]);
        assert!(after.iter().any(|c| sector_wise(c) && c[..4096].contains(&1) && c[..4096].contains(&2)), "{how:?}");
        assert!(after.iter().any(|c| !sector_wise(c)), "{how:?}: the unit is destroyed, old bytes too");
        assert!(after.iter().all(|c| c[4096..] == [1; 4096]), "{how:?}: the next unit is not touched");
    }
}

#[test]
fn a_destroyed_unit_takes_synced_bytes_with_it_when_its_page_is_written_again() {
    let (world, _disk, file) = world_with_file(1, 0, Open::Buffered);
    world.run(async {
        file.write_at(0, buf(b"synced")).await.unwrap();
        file.sync().await.unwrap();
        file.write_at(2048, buf(b"rewrites the tail block")).await.unwrap();
    });
    assert!(contents(&world, Crash::Power).iter().any(|content| &content[..6] != b"synced"));
}

#[test]
fn a_completed_direct_write_survives_every_crash() {
    let (world, _disk, file) = world_with_file(4, 1, Open::Direct);
    world.run(file.write_at(4096, buf(&[2; 4096]))).unwrap().unwrap();
    for crash in [Crash::Kill, Crash::Power] {
        let after = contents(&world, crash);
        assert_eq!(after.len(), 1);
        assert!(after.iter().all(|content| content[4096..8192] == [2; 4096]));
    }
}

#[test]
fn a_killed_process_direct_write_never_runs_or_lands_or_lands_in_part_or_lands_later() {
    let (world, _disk, file) = world_with_file(4, 1, Open::Direct);
    world.set_manual();
    let _write = start(file.write_at(0, buf(&[2; 8192])));
    let (mut never, mut landed, mut part, mut later) = (0, 0, 0, 0);
    for image in images(&world, Crash::Kill) {
        let content = image.read(file_path()).unwrap();
        if !image.pending().is_empty() {
            later += 1;
            assert!(image.pending()[0].late);
            assert_eq!(content, vec![1; 4 * 4096]);
            assert_eq!(image.land_later(), 1);
            assert_eq!(image.read(file_path()).unwrap()[..8192], [2; 8192]);
            continue;
        }
        match (content[0], content[4096]) {
            (1, 1) => never += 1,
            (2, 2) => landed += 1,
            _ => part += 1,
        }
    }
    assert!(never > 0 && landed > 0 && part > 0 && later > 0, "{never} {landed} {part} {later}");
}

#[test]
fn the_lock_of_a_dead_process_is_held_until_its_last_write_has_landed() {
    let (world, _disk, file) = world_with_file(4, 1, Open::Direct);
    world.set_manual();
    assert!(world.run(file.lock(0, Lock::Exclusive, false)).unwrap().unwrap());
    let _write = start(file.write_at(0, buf(&[2; 4096])));
    let image = images(&world, Crash::Kill).into_iter().find(|image| !image.pending().is_empty()).unwrap();
    image.set_manual();
    let next = image.boot();
    let taken = image.clone();
    let opened = {
        // Completing by hand: `run` would let the late write land first.
        let mut open = start(next.open(file_path(), Open::Buffered));
        let number = image.pending().iter().find(|op| !op.late).unwrap().number;
        assert!(image.complete(number));
        match open.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(opened) => opened.unwrap(),
            Poll::Pending => panic!("completed"),
        }
    };
    let mut waiting = start(opened.lock(0, Lock::Exclusive, true));
    let asked = image.pending().into_iter().find(|op| op.kind == Kind::Lock).unwrap();
    assert!(!asked.runnable && !image.complete(asked.number), "the dead process' write has not landed");
    assert_eq!(taken.land_later(), 1);
    assert!(image.complete(asked.number));
    let granted = waiting.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(granted, Poll::Ready(Ok(true))));
    assert_eq!(image.read(file_path()).unwrap()[0], 2);
}

#[test]
fn in_an_automatic_world_a_waiting_lock_lets_the_late_writes_land() {
    let (world, _disk, file) = world_with_file(4, 1, Open::Direct);
    world.run(file.lock(0, Lock::Exclusive, false)).unwrap().unwrap();
    world.set_manual();
    let _write = start(file.write_at(0, buf(&[2; 4096])));
    for image in images(&world, Crash::Kill) {
        let next = image.boot();
        let late = !image.pending().is_empty();
        image.run(async {
            let file = next.open(file_path(), Open::Buffered).await.unwrap();
            assert!(file.lock(0, Lock::Exclusive, true).await.unwrap());
        });
        assert!(image.pending().is_empty());
        assert!(!late || image.read(file_path()).unwrap()[0] == 2);
    }
}

#[test]
fn a_rename_without_sync_dir_may_vanish_at_a_power_cut() {
    let (world, disk, _file) = world_with_file(1, 1, Open::Read);
    let to = Path::new("/d/g");
    world.run(disk.rename(file_path(), to)).unwrap().unwrap();
    let names =
        |world: &World| -> BTreeSet<Vec<PathBuf>> { images(world, Crash::Power).iter().map(World::files).collect() };
    assert_eq!(names(&world), BTreeSet::from([vec![file_path().to_owned()], vec![to.to_owned()]]), "one or the other");
    world.run(disk.sync_dir(Path::new("/d"))).unwrap().unwrap();
    assert_eq!(names(&world), BTreeSet::from([vec![to.to_owned()]]));
}

#[test]
fn renames_without_sync_dir_may_be_reordered() {
    let world = world();
    let disk = world.boot();
    world.run(async {
        for name in ["/d/a", "/d/b"] {
            disk.open(Path::new(name), Open::CreateNew).await.unwrap().sync().await.unwrap();
        }
    });
    let names: BTreeSet<usize> = images(&world, Crash::Power).iter().map(|image| image.files().len()).collect();
    assert_eq!(names, BTreeSet::from([0, 1, 2]));
    assert!(images(&world, Crash::Power).iter().any(|image| image.files() == [Path::new("/d/b")]));
}

#[test]
fn a_removed_file_may_come_back_at_a_power_cut_until_its_directory_is_synced() {
    let (world, disk, _file) = world_with_file(1, 1, Open::Read);
    world.run(disk.remove(file_path())).unwrap().unwrap();
    assert!(contents(&world, Crash::Power).contains(&vec![1; 4096]));
    assert!(contents(&world, Crash::Kill).is_empty());
    world.run(disk.sync_dir(Path::new("/d"))).unwrap().unwrap();
    assert!(contents(&world, Crash::Power).is_empty());
}

#[test]
fn a_directory_that_vanishes_takes_its_files_with_it() {
    let world = world();
    let disk = world.boot();
    world.run(async {
        disk.create_dir(Path::new("/d/sub")).await.unwrap();
        let file = disk.open(Path::new("/d/sub/f"), Open::CreateNew).await.unwrap();
        file.sync().await.unwrap();
        disk.sync_dir(Path::new("/d/sub")).await.unwrap();
    });
    assert!(world.image(Crash::Power, 0).files().is_empty());
    world.run(disk.sync_dir(Path::new("/d"))).unwrap().unwrap();
    assert_eq!(world.image(Crash::Power, 0).files().len(), 1);
}

#[test]
fn a_length_without_sync_may_vanish_or_come_without_its_content() {
    let (world, _disk, file) = world_with_file(1, 1, Open::Buffered);
    world.run(file.write_at(4096, buf(&[2; 4096]))).unwrap().unwrap();
    let after = contents(&world, Crash::Power);
    assert!(after.contains(&vec![1; 4096]), "the old length");
    assert!(after.contains(&[[1; 4096], [0; 4096]].concat()), "the new length without its content");
    assert!(after.contains(&[[1; 4096], [2; 4096]].concat()));
}

#[test]
fn after_a_failed_sync_the_cache_shows_what_the_medium_does_not_have() {
    let (world, disk, file) = world_with_file(8, 1, Open::Buffered);
    world.run(file.write_at(0, buf(&[2; 8 * 4096]))).unwrap().unwrap();
    world.plant(world.operations(), Fault::Error);
    assert_eq!(world.run(file.sync()).unwrap().unwrap_err().raw_os_error(), Some(libc::EIO));
    world.run(file.sync()).unwrap().expect("the next sync finds clean pages");
    let direct = world.run(disk.open(file_path(), Open::Direct)).unwrap().unwrap();
    let past_cache = world.run(direct.read_at(0, 8 * 4096)).unwrap().unwrap().to_vec();
    assert!(past_cache.contains(&1), "some pages never reached the medium");
    let killed = world.image(Crash::Kill, 3);
    assert_eq!(killed.read(file_path()).unwrap(), vec![2; 8 * 4096], "the cache vouches for them");
    assert_eq!(world.image(Crash::Power, 1).read(file_path()).unwrap(), past_cache, "the power cut tells the truth");
    killed.drop_caches();
    assert_eq!(killed.read(file_path()).unwrap(), past_cache, "as does memory pressure");
}

#[test]
fn a_lying_sync_promises_nothing() {
    let (world, _disk, file) = world_with_file(1, 1, Open::Buffered);
    world.set_faults(Faults { sync_lie: 1.0, ..Faults::default() });
    world.run(async {
        file.write_at(0, buf(&[2; 4096])).await.unwrap();
        file.sync().await.unwrap();
    });
    assert!(contents(&world, Crash::Power).contains(&vec![1; 4096]));
    let (world, _disk, file) = world_with_file(1, 1, Open::Direct);
    world.set_faults(Faults { sync_lie: 1.0, ..Faults::default() });
    world.run(file.write_at(0, buf(&[2; 4096]))).unwrap().unwrap();
    assert!(contents(&world, Crash::Power).contains(&vec![1; 4096]));
}

#[test]
fn flipped_misdirected_and_lost_writes_report_success() {
    for (fault, changed) in [(Fault::FlippedBit, 4096), (Fault::Misdirected, 4096), (Fault::Lost, 0)] {
        for how in [Open::Buffered, Open::Direct] {
            let (world, _disk, file) = world_with_file(8, 0, how);
            world.plant(world.operations(), fault);
            world.run(file.write_at(0, buf(&[0xff; 4096]))).unwrap().unwrap();
            world.run(file.sync()).unwrap().unwrap();
            let after = world.image(Crash::Power, 0).read(file_path()).unwrap();
            assert_eq!(after.iter().filter(|byte| **byte != 0).count(), changed, "{fault:?} {how:?}");
            match fault {
                Fault::FlippedBit => assert_eq!(after.iter().map(|byte| byte.count_ones()).sum::<u32>(), 8 * 4096 - 1),
                _ => assert_eq!(world.image(Crash::Power, 0).read(file_path()).unwrap().len(), after.len()),
            }
        }
    }
}

#[test]
fn a_bit_flipped_on_the_medium_is_read_after_the_cache_is_gone() {
    let (world, _disk, _file) = world_with_file(1, 0, Open::Read);
    world.flip_bit(file_path(), 17, 3).unwrap();
    assert_eq!(world.image(Crash::Power, 0).read(file_path()).unwrap()[17], 8);
}

#[test]
fn errors_strike_reads_writes_syncs_and_names() {
    let (world, disk, file) = world_with_file(1, 1, Open::Buffered);
    let all = Faults { read_error: 1.0, write_error: 1.0, sync_error: 1.0, name_error: 1.0, ..Faults::default() };
    world.set_faults(all);
    let other = Path::new("/d/g");
    let errors = world
        .run(async {
            vec![
                file.read_at(0, 1).await.unwrap_err(),
                file.write_at(0, buf(b"x")).await.unwrap_err(),
                file.sync().await.unwrap_err(),
                disk.rename(file_path(), other).await.unwrap_err(),
                disk.remove(file_path()).await.unwrap_err(),
                disk.sync_dir(Path::new("/d")).await.unwrap_err(),
                disk.create_dir(other).await.unwrap_err(),
                disk.list(Path::new("/d")).await.unwrap_err(),
                disk.open(file_path(), Open::Read).await.err().unwrap(),
                disk.open(other, Open::CreateNew).await.err().unwrap(),
            ]
        })
        .unwrap();
    assert!(errors.iter().all(|error| error.raw_os_error() == Some(libc::EIO)), "{errors:?}");
    assert_eq!(world.files(), [file_path()]);
}

#[test]
fn a_full_disk_refuses_new_blocks_and_takes_overwrites_until_something_is_removed() {
    let (world, disk, file) = world_with_file(4, 1, Open::Buffered);
    world.set_capacity(Some(5 * 4096));
    world.run(async {
        let other = disk.open(Path::new("/d/g"), Open::CreateNew).await.unwrap();
        other.write_at(0, buf(&[1; 4096])).await.unwrap();
        let full = other.write_at(4096, buf(&[1; 4096])).await.unwrap_err();
        assert_eq!(full.raw_os_error(), Some(libc::ENOSPC));
        file.write_at(0, buf(&[3; 4 * 4096])).await.unwrap();
        disk.remove(file_path()).await.unwrap();
        other.write_at(4096, buf(&[1; 4096])).await.expect_err("a handle still holds the blocks");
    });
    drop(file);
    world.run(disk.sync_dir(Path::new("/d"))).unwrap().unwrap();
    world.run(async {
        let other = disk.open(Path::new("/d/g"), Open::Buffered).await.unwrap();
        other.write_at(4096, buf(&[1; 4096])).await.unwrap();
    });
}

#[test]
fn a_crash_can_fall_between_the_parts_of_a_short_write() {
    let (world, _disk, file) = world_with_file(4, 1, Open::Buffered);
    world.set_manual();
    world.plant(world.operations(), Fault::Short);
    let mut write = start(file.write_at(0, buf(&[2; 4 * 4096])));
    world.step().unwrap();
    assert!(write.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    let content = world.image(Crash::Kill, 0).read(file_path()).unwrap();
    assert!(content[0] == 2 && content[4 * 4096 - 1] == 1);
    assert_eq!(world.run(write).unwrap().unwrap().len(), 4 * 4096);
    assert_eq!(world.read(file_path()).unwrap(), vec![2; 4 * 4096]);
}

#[test]
fn a_slow_sync_ends_only_when_time_has_passed() {
    let (world, _disk, file) = world_with_file(1, 1, Open::Buffered);
    for manual in [true, false] {
        if manual {
            world.set_manual();
        } else {
            world.set_auto(1);
        }
        world.set_faults(Faults { slow: 1.0, slow_us: 1_000_000_000, ..Faults::default() });
        let before = world.clock().monotonic_us();
        let mut sync = start(file.sync());
        assert_eq!(world.step(), None);
        world.clock().advance(Duration::from_secs(1000));
        world.step();
        assert!(sync.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready());
        world.run(file.sync()).unwrap().unwrap();
        assert!(world.clock().monotonic_us() > before + 1_000_000_000, "`run` lets time pass");
    }
}

#[test]
fn the_wall_clock_can_step_back_while_monotonic_time_stands() {
    let clock = SimClock::new();
    let (wall, monotonic) = (clock.wall_us(), clock.monotonic_us());
    clock.step_wall(-5_000_000);
    assert_eq!((clock.wall_us(), clock.monotonic_us()), (wall - 5_000_000, monotonic));
    let mut sleep = pin!(clock.sleep(Duration::from_millis(2)));
    let mut cx = Context::from_waker(Waker::noop());
    assert!(sleep.as_mut().poll(&mut cx).is_pending());
    assert_eq!(clock.next_due_us(), Some(monotonic + 2000));
    clock.advance(Duration::from_millis(1));
    assert!(sleep.as_mut().poll(&mut cx).is_pending());
    clock.advance(Duration::from_millis(1));
    assert!(sleep.as_mut().poll(&mut cx).is_ready());
}

#[test]
fn a_child_that_outlives_its_parent_goes_on_and_keeps_its_locks() {
    let (world, parent, file) = world_with_file(1, 1, Open::Buffered);
    let child = world.boot();
    world.run(file.lock(0, Lock::Exclusive, false)).unwrap().unwrap();
    let held = world.run(child.open(file_path(), Open::Buffered)).unwrap().unwrap();
    world.run(held.lock(1, Lock::Exclusive, false)).unwrap().unwrap();
    world.kill(parent.process());
    assert!(world.run(file.sync()).is_none(), "the dead do nothing");
    let next = world.boot();
    world
        .run(async {
            held.write_at(0, buf(b"child")).await.unwrap();
            let file = next.open(file_path(), Open::Buffered).await.unwrap();
            assert!(file.lock(0, Lock::Exclusive, false).await.unwrap(), "the parent's lock died with it");
            assert!(!file.lock(1, Lock::Exclusive, false).await.unwrap(), "the child's lives");
            assert_eq!(file.read_at(0, 5).await.unwrap().to_vec(), b"child");
        })
        .unwrap();
}

#[test]
fn an_operation_whose_future_is_dropped_may_still_happen() {
    let (world, _disk, file) = world_with_file(1, 1, Open::Direct);
    world.set_manual();
    drop(file.write_at(0, buf(&[2; 4096])));
    let after: BTreeSet<u8> = contents(&world, Crash::Kill).iter().map(|content| content[0]).collect();
    assert_eq!(after, BTreeSet::from([1, 2]));
    drop(file);
    world.step().unwrap();
    assert_eq!(world.read(file_path()).unwrap()[0], 2);
}

#[test]
fn a_sync_covers_no_write_that_ends_after_it_began() {
    let (world, _disk, file) = world_with_file(2, 1, Open::Buffered);
    world.set_manual();
    let _write = start(file.write_at(0, buf(&[2; 4096])));
    let _sync = start(file.sync());
    let in_order: Vec<u64> = world.pending().iter().map(|op| op.number).collect();
    assert!(world.complete(in_order[0]) && world.complete(in_order[1]));
    assert!(contents(&world, Crash::Power).contains(&vec![1; 2 * 4096]));
}

#[test]
fn the_hook_sees_each_operation_in_flight_and_a_frozen_world_stands_still() {
    let (world, _disk, file) = world_with_file(2, 1, Open::Buffered);
    let seen = Rc::new(RefCell::new(Vec::new()));
    let inside = Rc::clone(&seen);
    world.set_hook(Some(Box::new(move |world, operation| {
        assert!(world.image(Crash::Power, 5).operations() == 0);
        inside.borrow_mut().push((operation.kind, world.at_risk()));
    })));
    world.freeze_at(world.operations() + 2);
    let ended = world.run(async {
        file.write_at(0, buf(b"one")).await.unwrap();
        file.sync().await.unwrap();
        file.write_at(0, buf(b"two")).await.unwrap();
    });
    assert!(ended.is_none() && world.is_frozen());
    let kinds: Vec<Kind> = seen.borrow().iter().map(|(kind, _)| *kind).collect();
    assert_eq!(kinds, [Kind::Write, Kind::Sync]);
    assert_eq!(seen.borrow()[1].1, AtRisk { in_flight: 1, content: 1, names: 0 });
}

#[test]
fn a_seed_replays_exactly_and_choices_are_told_apart_by_their_fingerprints() {
    let once = || {
        let (world, _disk, file) = world_with_file(8, 1, Open::Buffered);
        world.run(file.write_at(0, buf(&[2; 8 * 4096]))).unwrap().unwrap();
        images(&world, Crash::Power).iter().map(|i| (i.fingerprint(), i.read(file_path()))).collect::<Vec<_>>()
    };
    let (first, second) = (once(), once());
    assert_eq!(first, second);
    let contents: BTreeSet<_> = first.iter().map(|(_, content)| content).collect();
    let prints: BTreeSet<_> = first.iter().map(|(print, _)| print).collect();
    assert_eq!(contents.len(), prints.len());
    assert!(contents.len() > 100);
}

#[test]
fn branching_a_moment_costs_microseconds_whatever_the_file_sizes() {
    let (world, disk, _file) = world_with_file(16 * 1024, 1, Open::Buffered);
    world.run(async {
        let other = disk.open(Path::new("/d/g"), Open::CreateNew).await.unwrap();
        other.write_at(0, buf(&[1; 4096])).await.unwrap();
    });
    let start = std::time::Instant::now();
    for choice in 0..10_000 {
        std::hint::black_box(world.image(Crash::Power, choice));
    }
    let each = start.elapsed() / 10_000;
    println!("{each:?} an image");
    assert!(each < Duration::from_micros(200), "{each:?}");
}
