//! A server from its start to its end: listen, recover, serve, stop.

use std::ffi::OsStr;
use std::future::poll_fn;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::task::{JoinHandle, LocalSet, spawn_local};

use super::listener::{ListenError, Listeners};
use super::logging::Logging;
use super::{Node, settings, timers};
use crate::base::clock::SystemClock;
use crate::disk::{Disk, PortableDisk, UringDisk};
use crate::durability::commit::{self, Committer};
use crate::durability::foreign::{self, ForeignData};
use crate::durability::recovery::{self, RecoveryFailure};
use crate::engine::config::{AppendFsync, Config};
use crate::engine::{Engine, Request};

/// The directory below `dir` that holds ackd's data.
pub const DATA_DIRECTORY: &str = "ackd-data";

/// At shutdown, how long clients get to take the replies that wait for them.
const LAST_REPLIES: Duration = Duration::from_millis(200);

/// How the server is to run.
pub struct Options {
    /// Settings from file and command line.
    pub config: Config,
    /// The settings file, absolute, or empty.
    pub config_file: String,
    /// Start without data although Redis' data are there.
    pub start_empty: bool,
    /// Warnings about the settings, to be logged first.
    pub warnings: Vec<String>,
}

/// Why a server did not start, or stopped by itself.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Cannot listen.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// Redis' data are there and ackd's are not.
    #[error(transparent)]
    Foreign(#[from] ForeignData),
    /// The data cannot be used.
    #[error(transparent)]
    Recovery(#[from] RecoveryFailure),
    /// The log cannot be written any more.
    #[error("the log failed, and nothing more is acknowledged: {0}")]
    Log(String),
    /// Something of the system that a server needs.
    #[error("{what}: {source}")]
    System {
        /// What was tried.
        what: &'static str,
        /// The system's reason.
        source: std::io::Error,
    },
}

impl ServeError {
    /// 3 when the data do not verify and were left as they are, else 1.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Recovery(failure) if failure.is_refusal() => 3,
            _ => 1,
        }
    }
}

/// Runs a server in this process until it is told to stop.
pub fn run(options: Options) -> ExitCode {
    let logging = match Logging::start(options.config.logfile(), options.config.loglevel()) {
        Ok(logging) => logging,
        Err(error) => {
            eprintln!("Can't open the log file {:?}: {error}", OsStr::from_bytes(options.config.logfile()));
            return ExitCode::from(1);
        }
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!("cannot start the runtime: {error}");
            return ExitCode::from(1);
        }
    };
    let result = LocalSet::new().block_on(&runtime, serve(options, &logging));
    // Blocking disk work that nobody waits for any more must not hold up the exit.
    runtime.shutdown_background();
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::from(error.exit_code())
        }
    }
}

async fn serve(options: Options, logging: &Logging) -> Result<(), ServeError> {
    let clock = Rc::new(SystemClock::new());
    tracing::info!("ackd {} is starting, pid {}", env!("CARGO_PKG_VERSION"), std::process::id());
    for warning in &options.warnings {
        tracing::warn!("{warning}");
    }
    let directory = data_directory(&options.config);
    if !options.start_empty {
        foreign::refuse(&options.config, &directory)?;
    }
    let mut engine = Engine::new(clock, fastrand::Rng::new(), options.config);
    engine.process.config_file = options.config_file;
    engine.process.executable = std::env::current_exe().map(|path| path.display().to_string()).unwrap_or_default();
    engine.process.run_id = std::iter::repeat_with(|| engine.rng.digit(16)).take(40).collect();
    engine.process.started_us = engine.monotonic_us();
    let listeners = Listeners::bind(&engine.config)?;
    engine.process.tcp_port = listeners.port();
    let node = Node::new(engine);
    let accepting = spawn_local(listeners.accept(node.clone()));
    let stops = stop_signals()?;

    let committer = start(&node, best_disk(), &directory).await?;
    let tasks = Tasks::spawn(&node, &committer);
    tracing::info!("Ready to accept connections on port {}", node.engine.borrow().process.tcp_port);

    let outcome = until_stopped(&node, logging, stops).await;
    accepting.abort();
    outcome?;
    tasks.finish(&node, &committer).await
}

/// Recovers the data in `directory` into the node's engine and opens the log behind them. The simulation starts its
/// servers here too.
pub async fn start(node: &Rc<Node>, disk: Rc<dyn Disk>, directory: &Path) -> Result<Rc<Committer>, RecoveryFailure> {
    let log = recovery::recover(&node.engine, disk, directory).await?;
    Ok(Committer::new(node.engine.clone(), log))
}

/// The tasks beside the connections.
pub struct Tasks {
    writer: JoinHandle<()>,
    others: [JoinHandle<()>; 3],
}

impl Tasks {
    /// Starts them.
    pub fn spawn(node: &Rc<Node>, committer: &Rc<Committer>) -> Self {
        Self {
            writer: spawn_local(commit::write_batches(committer.clone())),
            others: [
                spawn_local(commit::sync_in_background(committer.clone())),
                spawn_local(commit::prepare_segments(committer.clone())),
                spawn_local(timers::run(node.clone())),
            ],
        }
    }

    /// Finishes the commit in flight, lets its replies out, and closes the log so that the next start knows all is
    /// there.
    pub async fn finish(self, node: &Rc<Node>, committer: &Rc<Committer>) -> Result<(), ServeError> {
        for task in &self.others {
            task.abort();
        }
        node.engine.borrow_mut().stopping = true;
        committer.stop();
        // The task ends by itself; that it was cancelled or has panicked shows in the log's state.
        let _ = self.writer.await;
        if let Some(reason) = node.engine.borrow().log.failed.clone() {
            return Err(ServeError::Log(reason));
        }
        let clock = node.engine.borrow().clock.clone();
        clock.sleep(last_replies(node)).await;
        tracing::warn!("ackd is now ready to exit, bye bye...");
        Ok(())
    }
}

/// Where the settings put the data.
pub fn data_directory(config: &Config) -> PathBuf {
    Path::new(OsStr::from_bytes(config.dir())).join(DATA_DIRECTORY)
}

fn best_disk() -> Rc<dyn Disk> {
    match UringDisk::new() {
        Ok(disk) => Rc::new(disk),
        Err(error) => {
            tracing::info!("io_uring is not available ({error}); using pwrite and fdatasync");
            Rc::new(PortableDisk::new())
        }
    }
}

struct Stops {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

fn stop_signals() -> Result<Stops, ServeError> {
    let listen = |kind, what| signal(kind).map_err(|source| ServeError::System { what, source });
    Ok(Stops {
        terminate: listen(SignalKind::terminate(), "cannot listen for SIGTERM")?,
        interrupt: listen(SignalKind::interrupt(), "cannot listen for SIGINT")?,
    })
}

/// Does what commands ask for, until one of them or a signal ends the server.
async fn until_stopped(node: &Rc<Node>, logging: &Logging, mut stops: Stops) -> Result<(), ServeError> {
    loop {
        let next = poll_fn(|cx| {
            if stops.terminate.poll_recv(cx).is_ready() {
                return Poll::Ready(Next::Signal("SIGTERM"));
            }
            if stops.interrupt.poll_recv(cx).is_ready() {
                return Poll::Ready(Next::Signal("SIGINT"));
            }
            let mut engine = node.engine.borrow_mut();
            if engine.requests.is_empty() {
                engine.server_waker = Some(cx.waker().clone());
                return Poll::Pending;
            }
            Poll::Ready(Next::Request(engine.requests.remove(0)))
        });
        match next.await {
            Next::Signal(name) => {
                tracing::warn!("Received {name}, shutting down");
                return Ok(());
            }
            Next::Request(Request::Shutdown(_)) => {
                tracing::warn!("User requested shutdown");
                return Ok(());
            }
            Next::Request(Request::LogFailed(reason)) => return Err(ServeError::Log(reason)),
            Next::Request(Request::ApplySettings(names)) => settings::apply(node, logging, &names),
        }
    }
}

enum Next {
    Signal(&'static str),
    Request(Request),
}

/// No longer than needed: with nothing to send there is nobody to wait for.
fn last_replies(node: &Node) -> Duration {
    let engine = node.engine.borrow();
    if engine.clients.iter().any(|client| client.output.backlog() > 0) { LAST_REPLIES } else { Duration::ZERO }
}

/// The warnings of the start that concern durability.
pub fn durability_warning(config: &Config) -> Option<&'static str> {
    match config.appendfsync() {
        AppendFsync::Always => None,
        AppendFsync::EverySec => Some(
            "appendfsync everysec: a power cut loses what was acknowledged in the last second (two at most); \
             'appendfsync always' is what makes every acknowledgement durable",
        ),
        AppendFsync::No => Some(
            "appendfsync no: a power cut loses whatever the system had not written back; 'appendfsync always' is what \
             makes every acknowledgement durable",
        ),
    }
}
