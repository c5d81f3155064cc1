//! Time that stands still until the harness moves it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Duration;

use crate::base::clock::{Clock, Sleep};

/// Where the wall clock of a new world stands: a day in the year 2026.
const START_WALL_US: u64 = 1_767_225_600_000_000;

/// A clock for simulations. Its copies show the same time; it moves when [`SimClock::advance`] moves it, and its wall
/// reading can also be stepped.
#[derive(Clone)]
pub struct SimClock(Rc<RefCell<State>>);

struct State {
    wall_us: u64,
    monotonic_us: u64,
    sleepers: BTreeMap<(u64, u64), Waker>,
    next_sleeper: u64,
}

impl SimClock {
    /// A clock that stands still at the start of the year 2026.
    pub fn new() -> Self {
        Self::at(START_WALL_US, 0)
    }

    pub(super) fn at(wall_us: u64, monotonic_us: u64) -> Self {
        Self(Rc::new(RefCell::new(State { wall_us, monotonic_us, sleepers: BTreeMap::new(), next_sleeper: 0 })))
    }

    /// Lets time pass, on both readings, and wakes whom it is time for.
    pub fn advance(&self, by: Duration) {
        let by = u64::try_from(by.as_micros()).unwrap_or(u64::MAX);
        let due = {
            let mut state = self.0.borrow_mut();
            state.wall_us = state.wall_us.saturating_add(by);
            state.monotonic_us = state.monotonic_us.saturating_add(by);
            let later = (state.monotonic_us.saturating_add(1), 0);
            let later = state.sleepers.split_off(&later);
            std::mem::replace(&mut state.sleepers, later)
        };
        due.into_values().for_each(Waker::wake);
    }

    /// Steps the wall clock, forwards or backwards, as a correction by hand or over the network does.
    pub fn step_wall(&self, by_us: i64) {
        let mut state = self.0.borrow_mut();
        state.wall_us = state.wall_us.saturating_add_signed(by_us);
    }

    /// Wakes `waker` when the monotonic reading has reached `due_us`.
    pub(super) fn wake_at(&self, due_us: u64, waker: Waker) {
        let mut state = self.0.borrow_mut();
        state.next_sleeper += 1;
        let key = (due_us, state.next_sleeper);
        state.sleepers.insert(key, waker);
    }

    /// The monotonic time at which the next sleeper is due.
    pub fn next_due_us(&self) -> Option<u64> {
        self.0.borrow().sleepers.keys().next().map(|(due, _)| *due)
    }
}

impl Default for SimClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SimClock {
    fn wall_us(&self) -> u64 {
        self.0.borrow().wall_us
    }

    fn monotonic_us(&self) -> u64 {
        self.0.borrow().monotonic_us
    }

    fn sleep(&self, for_how_long: Duration) -> Sleep {
        let due = {
            let mut state = self.0.borrow_mut();
            state.next_sleeper += 1;
            let by = u64::try_from(for_how_long.as_micros()).unwrap_or(u64::MAX);
            (state.monotonic_us.saturating_add(by), state.next_sleeper)
        };
        let sleeper = Sleeper { clock: self.clone(), due };
        Box::pin(std::future::poll_fn(move |cx| {
            let mut state = sleeper.clock.0.borrow_mut();
            if state.monotonic_us >= sleeper.due.0 {
                return Poll::Ready(());
            }
            let earlier = state.sleepers.insert(sleeper.due, cx.waker().clone());
            drop(state);
            drop(earlier);
            Poll::Pending
        }))
    }
}

/// Takes its entry out of the clock when it is dropped.
struct Sleeper {
    clock: SimClock,
    due: (u64, u64),
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        let waker = self.clock.0.borrow_mut().sleepers.remove(&self.due);
        drop(waker);
    }
}
