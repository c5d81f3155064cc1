//! Clients that drive a server and record what they did.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::client::Client;
use super::history::{Call, Stamp};
use super::volume::Ticks;
use super::workload::{Mix, Workload};

/// The clocks of a run.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    /// What orders.
    pub ticks: Arc<Ticks>,
}

impl Clock {
    /// Now.
    pub fn stamp(&self) -> Stamp {
        Stamp { tick: self.ticks.now(), wall_ms: wall_ms() }
    }
}

/// Milliseconds since 1970.
pub fn wall_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

/// Who drives, and what they do.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Connections, each of which waits for a reply before it goes on.
    pub clients: u32,
    /// Groups of keys that the clients share.
    pub cells: u32,
    /// The mix.
    pub mix: Mix,
    /// What is drawn from it.
    pub seed: u64,
    /// A client waits so long after a reply, on average.
    pub pause: Duration,
}

/// Clients at work.
#[derive(Debug)]
pub struct Driven {
    threads: Vec<JoinHandle<Vec<Call>>>,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    stop: AtomicBool,
    acked: AtomicU64,
    errors: Mutex<Vec<String>>,
}

impl Load {
    /// Starts the clients. `round` makes each run's values its own.
    pub fn start(&self, port: u16, clock: &Clock, round: u64) -> Driven {
        let shared = Arc::new(Shared::default());
        let threads = (0..self.clients).map(|number| {
            // Values and stream IDs hold the client's number, so it is another one in each round.
            let client = round as u32 * self.clients + number;
            let workload = Workload::new(self.mix, self.seed.wrapping_add(round), client, self.cells, round);
            let (clock, shared, pause) = (clock.clone(), shared.clone(), self.pause);
            thread::spawn(move || drive(port, client, workload, &clock, &shared, pause))
        });
        Driven { threads: threads.collect(), shared: shared.clone() }
    }
}

impl Driven {
    /// Operations whose reply was read.
    pub fn acked(&self) -> u64 {
        self.shared.acked.load(Ordering::Relaxed)
    }

    /// True when no client can go on.
    pub fn all_ended(&self) -> bool {
        self.threads.iter().all(JoinHandle::is_finished)
    }

    /// Waits for so many more replies, at most so long; false when they did not come.
    pub fn wait_for(&self, more: u64, timeout: Duration) -> bool {
        let (wanted, deadline) = (self.acked() + more, std::time::Instant::now() + timeout);
        while self.acked() < wanted {
            if std::time::Instant::now() > deadline || self.all_ended() {
                return false;
            }
            thread::sleep(Duration::from_micros(500));
        }
        true
    }

    /// Lets each client end after its operation (or at once where the server is gone): what they did, in no order, and
    /// errors that are none of a vanished server.
    pub fn finish(self) -> (Vec<Call>, Vec<String>) {
        self.shared.stop.store(true, Ordering::Relaxed);
        let calls = self.threads.into_iter().flat_map(|thread| thread.join().unwrap_or_default()).collect();
        let errors = std::mem::take(&mut *self.shared.errors.lock().unwrap_or_else(PoisonError::into_inner));
        (calls, errors)
    }
}

/// How long a client waits after a refusal before it asks again.
const PAUSE_AFTER_REFUSAL: Duration = Duration::from_millis(2);

fn drive(port: u16, client: u32, mut workload: Workload, clock: &Clock, shared: &Shared, pause: Duration) -> Vec<Call> {
    let mut calls = Vec::new();
    let Ok(mut connection) = Client::connect(port).map_err(|error| note(shared, client, &error)) else { return calls };
    while !shared.stop.load(Ordering::Relaxed) {
        let (cell, operation) = workload.next(wall_ms());
        let commands = operation.commands(cell);
        let invoked = clock.stamp();
        let replies = connection.pipeline(&commands);
        let returned = clock.stamp();
        let mut call = Call { client, cell, operation, invoked, returned: None };
        let Ok(mut replies) = replies.map_err(|error| note(shared, client, &error)) else {
            calls.push(call);
            break;
        };
        call.returned = replies.pop().map(|reply| (returned, reply));
        let refused = call.was_refused();
        calls.push(call);
        if refused {
            thread::sleep(PAUSE_AFTER_REFUSAL);
        } else {
            shared.acked.fetch_add(1, Ordering::Relaxed);
            thread::sleep(pause.mul_f64(2.0 * fastrand::f64()));
        }
    }
    calls
}

/// A server that goes away closes its connections; anything else is worth telling.
fn note(shared: &Shared, client: u32, error: &std::io::Error) {
    use std::io::ErrorKind;
    let vanished =
        [ErrorKind::UnexpectedEof, ErrorKind::ConnectionReset, ErrorKind::BrokenPipe, ErrorKind::ConnectionRefused];
    if !vanished.contains(&error.kind()) {
        let mut errors = shared.errors.lock().unwrap_or_else(PoisonError::into_inner);
        errors.push(format!("client {client}: {error}"));
    }
}
