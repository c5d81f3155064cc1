//! The end of a server: what asks for it, and what is done before.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

use super::Node;
use crate::durability::snapshot::Handover;
use crate::engine::Request;
use crate::engine::config::{Config, Shutdown};
use crate::engine::snapshots::Purpose;

/// At shutdown, how long clients get to take the replies that wait for them.
const LAST_REPLIES: Duration = Duration::from_millis(200);

/// How often the end of a snapshot is looked for.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// Which signal it was.
#[derive(Clone, Copy)]
pub(super) enum Signal {
    Terminate,
    Interrupt,
}

impl Signal {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Terminate => "SIGTERM",
            Self::Interrupt => "SIGINT",
        }
    }

    /// What the settings say of it.
    pub(super) fn how(self, config: &Config) -> Shutdown {
        match self {
            Self::Terminate => config.shutdown_on_sigterm(),
            Self::Interrupt => config.shutdown_on_sigint(),
        }
    }
}

/// The signals that end a server.
pub(super) struct Stops {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
    /// The end of a terminal does not end a server; that somebody listens is what keeps it alive.
    _hang_up: tokio::signal::unix::Signal,
}

impl Stops {
    /// Signals are caught from here on.
    pub(super) fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            _hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// A signal that has come.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Signal> {
        if self.terminate.poll_recv(cx).is_ready() {
            return Poll::Ready(Signal::Terminate);
        }
        self.interrupt.poll_recv(cx).map(|_| Signal::Interrupt)
    }
}

/// The result of `work`, or `None` if a signal or SHUTDOWN comes first.
pub(super) async fn unless_stopped<T>(work: impl Future<Output = T>, node: &Node, stops: &mut Stops) -> Option<T> {
    let mut work = pin!(work);
    poll_fn(|cx| {
        let signalled = stops.poll(cx).is_ready();
        let mut engine = node.engine.borrow_mut();
        engine.server_waker = Some(cx.waker().clone());
        if signalled || engine.requests.iter().any(|request| matches!(request, Request::Shutdown(_))) {
            return Poll::Ready(None);
        }
        drop(engine);
        work.as_mut().poll(cx).map(Some)
    })
    .await
}

/// Takes the snapshot of a shutdown, if it was asked for by name: all is in the log without it, and each thins the history
/// that can be gone back to. Answers whether the server may end.
pub(super) async fn save_last(how: Shutdown, node: &Node, handover: &Handover, stops: &mut Stops) -> bool {
    if how.save != Some(true) {
        return true;
    }
    tracing::info!("Saving the final RDB snapshot before exiting; a signal, or SHUTDOWN NOSAVE, gives it up");
    handover.give_up(&node.engine);
    node.engine.borrow_mut().hold_writes(true);
    match snapshot_now(node, stops).await {
        Asked::Taken => {}
        Asked::Signalled => tracing::warn!("the last snapshot was given up; all is in the log"),
        Asked::Failed(reason) if how.force => tracing::warn!("the last snapshot failed: {reason}; all is in the log"),
        Asked::Failed(reason) => {
            tracing::warn!("the snapshot failed, so the server goes on; SHUTDOWN NOSAVE, or FORCE, ends it: {reason}");
            node.engine.borrow_mut().hold_writes(false);
            return false;
        }
    }
    true
}

/// What became of a snapshot that was asked for.
pub(super) enum Asked {
    Taken,
    /// For this reason; all is in the log.
    Failed(String),
    /// A signal, or SHUTDOWN NOSAVE, came first: whoever stops the server gives the snapshot up.
    Signalled,
}

/// Takes a snapshot, and waits for its end.
pub(super) async fn snapshot_now(node: &Node, stops: &mut Stops) -> Asked {
    let clock = node.engine.borrow().clock.clone();
    let number = node.engine.borrow_mut().snapshots.ask(Purpose { save: true, rewrite: false });
    loop {
        let (result, log_failure) = {
            let engine = node.engine.borrow();
            (engine.snapshots.result(number), engine.log.failed.clone())
        };
        match (result, log_failure) {
            (Some(Ok(())), _) => return Asked::Taken,
            (Some(Err(reason)), _) | (None, Some(reason)) => return Asked::Failed(reason),
            (None, None) => {}
        }
        let mut pause = clock.sleep(LOOK_AGAIN);
        let signalled = poll_fn(|cx| match stops.poll(cx) {
            Poll::Ready(_) => Poll::Ready(true),
            Poll::Pending => pause.as_mut().poll(cx).map(|()| false),
        });
        let is_end = |request: &Request| matches!(request, Request::Shutdown(how) if how.save == Some(false));
        if signalled.await || node.engine.borrow().requests.iter().any(is_end) {
            return Asked::Signalled;
        }
    }
}

/// No longer than needed: with nothing to send there is nobody to wait for.
pub(super) fn last_replies(node: &Node) -> Duration {
    let engine = node.engine.borrow();
    if engine.clients.iter().any(|client| client.output.backlog() > 0) { LAST_REPLIES } else { Duration::ZERO }
}
