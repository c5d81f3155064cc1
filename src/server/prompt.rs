//! A task that others may push on: the one that writes the log.
//!
//! A busy thread looks at its sockets, and at what the disk has completed, only after a round of ready connections. Until
//! then the next frame would wait, with the disk idle. So connections look at the end of their turns, which costs
//! nothing, and let the writer go on first.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// See the module.
pub struct Prompt {
    /// `None` once it is done.
    work: RefCell<Option<Pin<Box<dyn Future<Output = ()>>>>>,
    /// Of the task that runs it.
    waker: RefCell<Option<Waker>>,
}

impl Prompt {
    /// Work that is to be run by one task.
    pub fn new(work: impl Future<Output = ()> + 'static) -> Rc<Self> {
        Rc::new(Self { work: RefCell::new(Some(Box::pin(work))), waker: RefCell::new(None) })
    }

    /// The task.
    pub async fn run(self: Rc<Self>) {
        poll_fn(|cx| {
            self.waker.replace(Some(cx.waker().clone()));
            self.poll(cx)
        })
        .await;
    }

    /// Goes on with the work, from within another task.
    pub fn push(&self) {
        let Some(waker) = self.waker.borrow().clone() else { return };
        if self.poll(&mut Context::from_waker(&waker)).is_ready() {
            waker.wake();
        }
    }

    fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut work = self.work.borrow_mut();
        let result = work.as_mut().map_or(Poll::Ready(()), |work| work.as_mut().poll(cx));
        if result.is_ready() {
            *work = None;
        }
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_that_is_pushed_to_its_end_ends_its_task() {
        let mut polls = 0;
        let prompt = Prompt::new(poll_fn(move |_| {
            polls += 1;
            if polls < 3 { Poll::Pending } else { Poll::Ready(()) }
        }));
        let mut task = Box::pin(prompt.clone().run());
        let mut cx = Context::from_waker(Waker::noop());
        assert!(task.as_mut().poll(&mut cx).is_pending());
        prompt.push();
        prompt.push();
        prompt.push();
        assert!(task.as_mut().poll(&mut cx).is_ready());
    }
}
