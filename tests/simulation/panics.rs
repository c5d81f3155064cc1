//! Panics of simulated tasks: tokio would swallow them, and the run must fail with their message.

use std::cell::{Cell, RefCell};
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

thread_local! {
    static WATCHING: Cell<bool> = const { Cell::new(false) };
    static LAST: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs `run`; a panic in it, or in a task that it polls, is kept instead of printed.
pub fn caught<T>(run: impl FnOnce() -> T) -> Result<T, String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if WATCHING.get() {
                LAST.with_borrow_mut(|last| {
                    last.get_or_insert_with(|| info.to_string());
                });
            } else {
                before(info);
            }
        }));
    });
    take();
    WATCHING.set(true);
    let result = panic::catch_unwind(AssertUnwindSafe(run));
    WATCHING.set(false);
    result.map_err(|_| take().unwrap_or_else(|| "a panic".into()))
}

/// The first panic since the last call.
pub fn take() -> Option<String> {
    LAST.take()
}
