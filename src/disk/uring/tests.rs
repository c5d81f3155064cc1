use std::path::PathBuf;
use std::time::Duration;

use super::*;
use crate::disk::conformance::conforms;

fn on_one_thread<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

/// Runs `test` with a ring and an open direct file of 64 zeroed units, or says why it cannot.
fn with_direct_file<F: Future<Output = ()>>(test: impl FnOnce(UringDisk, Rc<dyn File>, PathBuf) -> F) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f");
    on_one_thread(async {
        let disk = match UringDisk::new() {
            Ok(disk) => disk,
            Err(e) => return println!("skipped: no io_uring here: {e}"),
        };
        let cached = disk.open(&path, Open::CreateNew).await.unwrap();
        let mut zeros = AlignedBuf::default();
        zeros.resize(64 * cached.write_unit());
        cached.write_at(0, zeros).await.unwrap();
        cached.sync().await.unwrap();
        drop(cached);
        match disk.open(&path, Open::Direct).await {
            Ok(file) => test(disk, file, path.clone()).await,
            Err(e) => println!("skipped: {e}"),
        }
    });
}

fn unit_of(file: &Rc<dyn File>, byte: u8) -> AlignedBuf {
    let mut data = AlignedBuf::default();
    data.extend_from_slice(&vec![byte; file.write_unit()]);
    data
}

#[test]
fn the_uring_disk_conforms() {
    let dir = tempfile::tempdir().unwrap();
    on_one_thread(async {
        match UringDisk::new() {
            Ok(disk) => {
                if !conforms(&disk, dir.path()).await {
                    println!("skipped: {} has no direct I/O", dir.path().display());
                }
            }
            Err(e) => println!("skipped: no io_uring here: {e}"),
        }
    });
}

#[test]
fn a_ring_outside_a_runtime_is_an_error_and_no_panic() {
    assert!(UringDisk::new().is_err());
}

#[test]
fn more_writes_than_the_ring_holds_all_land() {
    with_direct_file(|_disk, file, _| async move {
        let unit = file.write_unit() as u64;
        let writes: Vec<_> = (0..64).map(|i| file.write_at(u64::from(i) * unit, unit_of(&file, i + 1))).collect();
        for write in writes {
            write.await.unwrap();
        }
        for i in 0..64 {
            assert_eq!(file.read_at(u64::from(i) * unit, 1).await.unwrap().to_vec(), [i + 1]);
        }
    });
}

#[test]
fn concurrent_waiters_each_get_their_own_completion() {
    with_direct_file(|_disk, file, _| async move {
        let local = tokio::task::LocalSet::new();
        local
            .run_until(async {
                let tasks: Vec<_> = (0..16u8)
                    .map(|task| {
                        let file = Rc::clone(&file);
                        tokio::task::spawn_local(async move {
                            let unit = file.write_unit() as u64;
                            for round in 0..20u8 {
                                let sent = unit_of(&file, task ^ round);
                                let back = file.write_at(u64::from(task) * unit, sent).await.unwrap();
                                assert_eq!(back[0], task ^ round);
                                if round % 5 == 0 {
                                    file.sync().await.unwrap();
                                }
                            }
                        })
                    })
                    .collect();
                for task in tasks {
                    tokio::time::timeout(Duration::from_secs(20), task).await.expect("nobody is forgotten").unwrap();
                }
            })
            .await;
    });
}

#[test]
fn a_dropped_future_leaves_buffer_and_descriptor_to_the_ring() {
    with_direct_file(|disk, file, path| async move {
        let unit = file.write_unit() as u64;
        for i in 0..20u32 {
            drop(file.write_at(u64::from(i) * unit, unit_of(&file, 7)));
        }
        let ring = Rc::clone(&disk.ring);
        drop(file);
        tokio::time::timeout(Duration::from_secs(20), async {
            // The next operation's completion takes in the abandoned ones too.
            let other = disk.open(&path, Open::Direct).await.unwrap();
            while ring.running() > 0 {
                other.sync().await.unwrap();
            }
            for i in 0..20u64 {
                assert_eq!(other.read_at(i * unit, 1).await.unwrap().to_vec(), [7]);
            }
        })
        .await
        .unwrap();
    });
}

#[test]
fn a_dropped_ring_waits_for_what_is_in_flight() {
    with_direct_file(|disk, file, path| async move {
        let unit = file.write_unit() as u64;
        for i in 0..10u32 {
            drop(file.write_at(u64::from(i) * unit, unit_of(&file, 9)));
        }
        drop((disk, file));
        let landed = std::fs::read(path).unwrap();
        assert!((0..10).all(|i| landed[i * unit as usize] == 9));
    });
}

#[test]
fn a_direct_file_keeps_its_lock_until_its_last_write_has_landed() {
    with_direct_file(|disk, file, path| async move {
        assert!(file.lock(0, Lock::Exclusive, false).await.unwrap());
        drop(file.write_at(0, unit_of(&file, 5)));
        drop(file);
        let next = disk.open(&path, Open::Direct).await.unwrap();
        let granted = tokio::time::timeout(Duration::from_secs(20), next.lock(0, Lock::Exclusive, true)).await;
        assert!(granted.expect("the lock ends with the write").unwrap());
        assert_eq!(next.read_at(0, 1).await.unwrap().to_vec(), [5]);
    });
}
