//! Measures how much of the one thread's time a task takes.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;

use crate::engine::Engine;

/// Does `work` for the log; the time counts that it really runs, and not that it waits for the disk.
pub async fn for_the_log<T>(engine: Rc<RefCell<Engine>>, work: impl Future<Output = T>) -> T {
    let clock = engine.borrow().clock.clone();
    let mut work = pin!(work);
    poll_fn(|cx| {
        let started_us = clock.monotonic_us();
        let result = work.as_mut().poll(cx);
        engine.borrow_mut().stats.log_us += clock.monotonic_us().saturating_sub(started_us);
        result
    })
    .await
}
