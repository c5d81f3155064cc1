//! Looking at a directory from outside: what the tools cannot be made to show from without.

use super::*;
use crate::log::inspect::{Damage, Inspection, Role, check, locate};

/// A directory on a real disk with a few frames, at rest.
fn at_rest(dir: &Path) {
    run(async {
        let (log, ..) = start(&disk(), dir, SyncPolicy::Always).await;
        for payload in [&b"one"[..], &[2; 20_000], &[3; 20_000]] {
            append(&log, payload).await;
        }
        log.close().await.unwrap();
    });
}

#[test]
fn a_file_that_becomes_shorter_while_it_is_read_is_named_with_its_offset() {
    let dir = tempfile::tempdir().unwrap();
    at_rest(dir.path());
    let inspection = Inspection::open(dir.path(), 0).unwrap();
    let path = inspection.log_dir().join(inspection.segments()[0].file_name());
    std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(8192).unwrap();
    let (_, damage) = inspection.read(|_| Ok::<_, ()>(())).unwrap();
    let Some(Damage::Medium { file, position, cause }) = damage else { panic!("{damage:?}") };
    assert_eq!((file, position), (path, 8192));
    assert!(cause.contains("shorter"), "{cause}");
}

#[test]
fn the_report_names_what_each_segment_is_for() {
    let dir = tempfile::tempdir().unwrap();
    at_rest(dir.path());
    let report = check(dir.path(), &mut |_| {}).unwrap();
    assert!(report.is_sound() && report.in_use.is_none());
    assert_eq!(report.segments.iter().filter(|s| s.role == Role::Live).count(), 2);
    assert_eq!(report.segments.last().unwrap().role, Role::Spare);
    assert_eq!(report.segments[0].offsets.0, 0);
    assert_eq!(report.outcome.unwrap().end.offset, 40_003);
}

#[test]
fn the_lock_of_a_server_is_seen_and_the_tools_hold_none_that_it_wants() {
    let dir = tempfile::tempdir().unwrap();
    at_rest(dir.path());
    let outside = Inspection::open(dir.path(), 0).unwrap();
    run(async {
        let (log, ..) = start(&disk(), dir.path(), SyncPolicy::EverySec).await;
        append(&log, b"more").await;
        let report = check(dir.path(), &mut |_| {}).unwrap();
        assert_eq!(report.in_use.unwrap().pid, Some(std::process::id()));
        assert!(report.is_sound());
        assert_eq!(report.outcome.unwrap().end.offset, 40_007);
    });
    drop(outside);
}

#[test]
fn a_directory_is_found_by_either_of_its_names() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    assert_eq!(locate(dir.path(), "data"), None);
    at_rest(&data);
    assert_eq!(locate(dir.path(), "data"), Some(data.clone()));
    assert_eq!(locate(&data, "data"), Some(data.clone()));
    std::fs::remove_file(data.join("MANIFEST")).unwrap();
    std::fs::remove_file(data.join("LOCK")).unwrap();
    assert_eq!(locate(dir.path(), "data"), Some(data));
}
