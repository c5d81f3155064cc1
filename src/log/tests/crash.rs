//! Crashes between any two disk operations: what was acked is there, and nothing but a prefix of what was appended.

use std::cell::{Cell, RefCell};

use super::*;
use crate::disk::sim::Crash;

/// What the log was given and what it promised.
#[derive(Default)]
struct Promises {
    given: RefCell<Vec<Vec<u8>>>,
    /// How many payloads were acked as surviving the death of the process.
    written: Cell<usize>,
    /// How many payloads were acked as surviving the loss of power.
    durable: Cell<usize>,
}

impl Promises {
    /// What is wrong with a recovery, if anything.
    fn broken_by(&self, crash: Crash, found: &[Vec<u8>]) -> Option<String> {
        let given = self.given.borrow();
        if found.len() > given.len() || found != &given[..found.len()] {
            return Some(format!("{} payloads found that are no prefix of those given", found.len()));
        }
        let acked = if crash == Crash::Kill { self.written.get() } else { self.durable.get() };
        (found.len() < acked).then(|| format!("{} of {acked} acked payloads found", found.len()))
    }
}

/// Appends under load; every third time the directory is given to a new start.
async fn work(
    world: &World,
    promises: &Promises,
    policy: SyncPolicy,
    seed: u64,
    planted: Planted,
) -> Result<(), String> {
    let mut rng = fastrand::Rng::with_seed(seed);
    for round in 0..3 {
        let disk = boot(world);
        let (log, _, found) = try_start(&disk, data(), policy, planted).await.map_err(text)?;
        if let Some(broken) = promises.broken_by(Crash::Kill, &found) {
            return Err(broken);
        }
        for _ in 0..rng.usize(1..12) {
            let most = *rng.choice(&[40, 6000, 30_000, 150_000]).unwrap();
            let payload: Vec<u8> = vec![rng.u8(..); rng.usize(1..most)];
            promises.given.borrow_mut().push(payload.clone());
            let total = promises.given.borrow().len();
            try_append(&log, &payload).await.map_err(text)?;
            promises.written.set(total);
            if policy.is_always() {
                promises.durable.set(total);
            } else if rng.u8(..4) == 0 {
                log.sync().await.map_err(text)?;
                promises.durable.set(total);
            }
            if rng.u8(..5) == 0 {
                log.seal().await.map_err(text)?;
                promises.durable.set(total);
            }
        }
        if round == 1 {
            log.close().await.map_err(text)?;
            promises.durable.set(promises.given.borrow().len());
        }
    }
    Ok(())
}

fn text(error: LogError) -> String {
    error.to_string()
}

/// Runs the work and crashes before each operation in `choices` ways; gives the first broken promise.
fn campaign(seed: u64, policy: SyncPolicy, direct: bool, planted: Planted, choices: u64) -> Option<String> {
    let world = world(seed);
    world.set_direct(direct);
    let promises = Rc::new(Promises::default());
    let broken = Rc::new(RefCell::new(None));
    let hook = {
        let (promises, broken) = (Rc::clone(&promises), Rc::clone(&broken));
        move |world: &World, operation: &crate::disk::sim::Operation| {
            if broken.borrow().is_some() {
                return;
            }
            for choice in 0..choices {
                let crash = if choice % 2 == 0 { Crash::Power } else { Crash::Kill };
                let image = world.image(crash, seed << 20 ^ operation.number << 4 ^ choice);
                if let Some(wrong) = survive(&image, crash, &promises, policy, planted) {
                    *broken.borrow_mut() = Some(format!("{crash:?} {choice} before {operation:?}: {wrong}"));
                    return;
                }
            }
        }
    };
    world.set_hook(Some(Box::new(hook)));
    let done = world.run(work(&world, &promises, policy, seed, planted));
    world.set_hook(None);
    let broken = broken.borrow_mut().take();
    broken.or(match done {
        Some(Err(e)) => Some(format!("the work failed: {e}")),
        None => Some("the work got stuck".to_owned()),
        Some(Ok(())) => None,
    })
}

/// Recovers a crashed machine and appends to it; loses the power again before each operation on the way.
fn survive(image: &World, crash: Crash, promises: &Promises, policy: SyncPolicy, planted: Planted) -> Option<String> {
    let broken = Rc::new(RefCell::new(None));
    // What was served once must survive everything from then on.
    let served: Rc<RefCell<Option<Vec<Vec<u8>>>>> = Rc::default();
    let hook = {
        let (broken, served) = (Rc::clone(&broken), Rc::clone(&served));
        move |world: &World, operation: &crate::disk::sim::Operation| {
            let served = served.borrow();
            let Some(served) = &*served else { return };
            let image = world.image(Crash::Power, operation.number);
            let found =
                image.run(async { recover_planted(&boot(&image), data(), planted).await.map(|(.., found)| found) });
            let wrong = match found {
                Some(Ok(found)) if found.starts_with(served) => return,
                Some(Ok(found)) => format!("{} payloads found, {} were served", found.len(), served.len()),
                Some(Err(e)) => e.to_string(),
                None => "recovery got stuck".into(),
            };
            *broken.borrow_mut() = Some(format!("loss of power before {operation:?}, after a recovery: {wrong}"));
        }
    };
    image.set_hook(Some(Box::new(hook)));
    let outcome = image.run(async {
        let disk = boot(image);
        let (log, _, mut found) = try_start(&disk, data(), policy, planted).await.map_err(text)?;
        if let Some(broken) = promises.broken_by(crash, &found) {
            return Err(broken);
        }
        *served.borrow_mut() = Some(found.clone());
        for payload in [&b"after"[..], b"the crash"] {
            try_append(&log, payload).await.map_err(text)?;
            found.push(payload.to_vec());
            if policy.is_always() {
                *served.borrow_mut() = Some(found.clone());
            }
        }
        log.sync().await.map_err(text)?;
        *served.borrow_mut() = Some(found);
        // One more operation, and with it one more loss of power.
        disk.list(data()).await.map_err(|e| e.to_string())?;
        Ok(())
    });
    image.set_hook(None);
    let broken = broken.borrow_mut().take();
    broken.or(match outcome {
        Some(Ok(())) => None,
        Some(Err(e)) => Some(e),
        None => Some("recovery got stuck".into()),
    })
}

fn no_promise_is_broken(policy: SyncPolicy, direct: bool) {
    for seed in 0..3 {
        assert_eq!(campaign(seed, policy, direct, Planted::default(), 2), None, "seed {seed}");
    }
}

#[test]
fn no_crash_breaks_a_promise_under_always() {
    no_promise_is_broken(SyncPolicy::Always, true);
}

#[test]
fn no_crash_breaks_a_promise_under_always_without_direct_io() {
    no_promise_is_broken(SyncPolicy::Always, false);
}

#[test]
fn no_crash_breaks_a_promise_under_everysec() {
    no_promise_is_broken(SyncPolicy::EverySec, true);
}

#[test]
fn no_crash_breaks_a_promise_under_no_without_direct_io() {
    no_promise_is_broken(SyncPolicy::No, false);
}

fn is_found(planted: Planted) {
    let policies = [SyncPolicy::Always, SyncPolicy::EverySec];
    let found = (0..20).any(|seed| policies.iter().any(|policy| campaign(seed, *policy, true, planted, 2).is_some()));
    assert!(found, "{planted:?} was not found");
}

#[test]
fn a_skipped_directory_sync_is_found() {
    is_found(Planted { skip_directory_sync: true, ..Planted::default() });
}

#[test]
fn a_spare_used_before_it_is_listed_is_found() {
    is_found(Planted { use_spare_unlisted: true, ..Planted::default() });
}

#[test]
fn accepted_stale_frames_are_found() {
    is_found(Planted { accept_stale: true, ..Planted::default() });
}

#[test]
fn appending_behind_a_cut_is_found() {
    is_found(Planted { append_behind_cut: true, ..Planted::default() });
}

#[test]
fn rewriting_acked_blocks_is_found() {
    is_found(Planted { rewrite_acked: true, ..Planted::default() });
}

#[test]
fn trusting_the_cache_is_found() {
    is_found(Planted { trust_cache: true, ..Planted::default() });
}

/// Runs to the end without letting a dead process' write land.
fn run_before_late_writes<T>(world: &World, future: impl Future<Output = T>) -> T {
    world.set_manual();
    let mut future = std::pin::pin!(future);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    loop {
        if let std::task::Poll::Ready(done) = future.as_mut().poll(&mut context) {
            world.set_auto(1);
            return done;
        }
        for operation in world.pending().iter().filter(|o| !o.late && o.runnable) {
            world.complete(operation.number);
        }
    }
}

#[test]
fn reading_before_a_dead_process_has_landed_its_writes_is_found() {
    let planted = Planted { read_without_lock: true, ..Planted::default() };
    let world = world(1);
    let log = world.run(async { start(&boot(&world), data(), SyncPolicy::Always).await.0 }).unwrap();
    world.run(append(&log, b"first")).unwrap();
    world.set_manual();
    let mut frame = FrameBuf::new();
    frame.extend_from_slice(b"in flight");
    let mut in_flight = Box::pin(log.append(&mut frame, 1));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(in_flight.as_mut().poll(&mut context).is_pending());
    let is_late = |image: &World| image.pending().iter().any(|o| o.late);
    let image = (0..100).map(|choice| world.image(Crash::Kill, choice)).find(is_late).unwrap();
    let log = run_before_late_writes(&image, async {
        let (log, _, found) = try_start(&boot(&image), data(), SyncPolicy::Always, planted).await.unwrap();
        assert_eq!(found, [b"first"]);
        append(&log, b"second").await;
        log
    });
    assert_eq!(image.land_later(), 1);
    drop(log);
    let found = image.run(async { recover(&boot(&image), data()).await.unwrap().2 }).unwrap();
    assert_ne!(found, [&b"first"[..], b"second"], "the planted bug loses an acked write");
}

#[test]
fn recovery_waits_for_the_writes_of_a_dead_process() {
    let world = world(1);
    let log = world.run(async { start(&boot(&world), data(), SyncPolicy::Always).await.0 }).unwrap();
    world.set_manual();
    let mut frame = FrameBuf::new();
    frame.extend_from_slice(b"in flight");
    let mut in_flight = Box::pin(log.append(&mut frame, 1));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(in_flight.as_mut().poll(&mut context).is_pending());
    let is_late = |image: &World| image.pending().iter().any(|o| o.late);
    let image = (0..100).map(|choice| world.image(Crash::Kill, choice)).find(is_late).unwrap();
    let found = image.run(async { recover(&boot(&image), data()).await.unwrap().2 }).unwrap();
    assert_eq!((found, image.land_later()), (vec![b"in flight".to_vec()], 0));
}

#[test]
fn a_failed_sync_that_is_ignored_loses_what_was_acked() {
    for (ignore_failed_sync, lost) in [(false, false), (true, true)] {
        let planted = Planted { ignore_failed_sync, ..Planted::default() };
        let world = world(1);
        let acked = world.run(async {
            let (log, ..) = try_start(&boot(&world), data(), SyncPolicy::EverySec, planted).await.unwrap();
            append(&log, b"acked at disk").await;
            world.plant(world.operations(), crate::disk::sim::Fault::Error);
            log.sync().await.is_ok()
        });
        let is_empty = |choice| {
            let image = world.image(Crash::Power, choice);
            image.run(async { recover(&boot(&image), data()).await.unwrap().2.is_empty() }).unwrap()
        };
        assert_eq!(acked == Some(true) && (0..100).any(is_empty), lost);
    }
}

#[test]
fn without_watermarks_damage_to_what_was_acked_passes_for_a_torn_tail() {
    for (drop_watermark, lost) in [(false, false), (true, true)] {
        let world = world(1);
        let planted = Planted { drop_watermark, ..Planted::default() };
        world.run(async {
            let (log, ..) = start(&boot(&world), data(), SyncPolicy::Always).await;
            append(&log, b"one").await;
            append(&log, b"two").await;
        });
        let path = world.files().into_iter().find(|f| f.extension().is_some_and(|e| e == "seg")).unwrap();
        world.flip_bit(&path, 2 * 4096 + 81, 0).unwrap();
        world.drop_caches();
        let found = world.run(async { recover_planted(&boot(&world), data(), planted).await.map(|f| f.2) }).unwrap();
        assert_eq!(found.is_ok_and(|found| found.is_empty()), lost);
    }
}
