//! A server from its start to its end: listen, recover, serve, stop.

use std::future::{Future, poll_fn};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::ExitCode;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::task::{JoinError, JoinHandle, LocalSet, spawn_local};

use super::listener::{ListenError, Listeners};
use super::logging::Logging;
use super::prompt::Prompt;
use super::{Node, process, settings, timed, timers};
use crate::base::clock::{Clock, SystemClock};
use crate::disk::{Disk, PortableDisk, UringDisk};
use crate::durability::commit::{self, Committer};
use crate::durability::foreign::{self, ForeignData};
use crate::durability::recovery::{self, RecoveryFailure};
use crate::durability::snapshot;
use crate::engine::config::{AppendFsync, Config, Shutdown};
use crate::engine::snapshots::Purpose;
use crate::engine::{Engine, Pause, Request};
use crate::log::{Directory, LogError};

/// The directory below `dir` that holds ackd's data.
pub const DATA_DIRECTORY: &str = "ackd-data";

/// At shutdown, how long clients get to take the replies that wait for them.
const LAST_REPLIES: Duration = Duration::from_millis(200);

/// How long a start waits for data that another holds, and for a port: a server that was killed a moment ago may still
/// be there.
const HOLDER_MAY_END: Duration = Duration::from_millis(250);

/// How long it waits for a holder of which the system says that it is ending: giving much memory back takes seconds.
const HOLDER_ENDS: Duration = Duration::from_secs(60);

/// A pause of writes that lasts until it is ended: a year, in microseconds.
const FOR_EVER_US: u64 = 365 * 86_400_000_000;

/// How often it tries meanwhile.
const TRY_AGAIN: Duration = Duration::from_millis(5);

/// How the server is to run.
pub struct Options {
    /// Settings from file and command line.
    pub config: Config,
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
    fn panicked(error: JoinError) -> Self {
        Self::Log(format!("the task that writes it ended by itself ({error})"))
    }

    /// 3 when the data do not verify and were left as they are, else 1.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Recovery(failure) if failure.is_refusal() => 3,
            _ => 1,
        }
    }
}

/// Runs a server in this process until it is told to stop.
pub fn run(mut options: Options) -> ExitCode {
    if let Ok(started_in) = std::env::current_dir() {
        options.config.resolve_dir(&started_in);
    }
    // As in Redis, `unixsocket`, `pidfile` and `logfile` are relative to `dir`.
    if let Err(error) = std::env::set_current_dir(options.config.dir()) {
        eprintln!("Can't chdir to '{}': {error}", options.config.dir());
        return ExitCode::from(1);
    }
    if options.config.daemonize()
        && let Err(error) = process::daemonize()
    {
        eprintln!("cannot go into the background: {error}");
        return ExitCode::from(1);
    }
    let logging = match Logging::start(options.config.logfile(), options.config.loglevel()) {
        Ok(logging) => logging,
        Err(error) => {
            eprintln!("Can't open the log file {:?}: {error}", options.config.logfile());
            return ExitCode::from(1);
        }
    };
    process::abort_on_panic();
    if options.config.disable_thp() {
        process::disable_huge_pages();
    }
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!("cannot start the runtime: {error}");
            return ExitCode::from(1);
        }
    };
    let result = LocalSet::new().block_on(&runtime, serve(options, logging));
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

async fn serve(options: Options, logging: Logging) -> Result<(), ServeError> {
    let clock = Rc::new(SystemClock::new());
    tracing::info!("ackd {} is starting, pid {}", env!("CARGO_PKG_VERSION"), std::process::id());
    for warning in &options.warnings {
        tracing::warn!("{warning}");
    }
    let directory = data_directory(&options.config);
    if !options.start_empty {
        foreign::refuse(&options.config, &directory)?;
    }
    let mut config = options.config;
    process::fit_descriptors(&mut config);
    let mut engine = Engine::new(clock.clone(), fastrand::Rng::new(), config);
    engine.process.config_file = engine.config.file().map(|path| path.display().to_string()).unwrap_or_default();
    engine.process.executable = std::env::current_exe().map(|path| path.display().to_string()).unwrap_or_default();
    engine.process.run_id = std::iter::repeat_with(|| engine.rng.digit(16)).take(40).collect();
    engine.process.started_us = engine.monotonic_us();
    // Before the sockets and the pid file: whoever does not get the data must not touch those of the server that has them.
    let data = take_possession(best_disk(), &directory, &*clock).await?;
    let node = Node::new(engine);
    let listeners = listen(&node, &*clock).await?;
    let _pid_file = process::PidFile::write(&node.engine.borrow().config);
    node.engine.borrow_mut().process.tcp_port = listeners.port();
    settings::follow(&node, &listeners, logging);
    let mut stops = stop_signals()?;

    let starting = Running::start(&node, data.clone());
    let Some(running) = unless_stopped(starting, &node, &mut stops).await else {
        tracing::warn!("stopped while loading; all that was acknowledged is where it was");
        return Ok(());
    };
    let mut running = running?;
    let place = std::path::absolute(&directory).unwrap_or_else(|_| directory.clone());
    tracing::info!("The data are in {}", place.display());
    log_ready(&node);
    if let Some(warning) = process::copy_on_write_warning(&directory) {
        tracing::warn!("{warning}");
    }
    process::notify_ready(&node.engine.borrow().config);
    loop {
        let next = next_event(&node, &mut stops).await;
        match next {
            Event::Signal(signal) => {
                tracing::warn!("Received {}, shutting down", signal.name());
                let how = signal.how(&node.engine.borrow().config);
                if save_last(how, &node, &running, &mut stops).await {
                    break;
                }
            }
            Event::Request(Request::Shutdown(how)) => {
                tracing::warn!("User requested shutdown");
                if save_last(how, &node, &running, &mut stops).await {
                    break;
                }
                node.engine.borrow_mut().shutdown_refused();
            }
            Event::Request(Request::LogFailed(reason)) => return Err(ServeError::Log(reason)),
            Event::Request(Request::ApplySettings(names)) => {
                tracing::debug!("settings changed: {}", names.join(", "));
                node.engine.borrow_mut().process.tcp_port = listeners.port();
                running.committer.wake_writer();
            }
            Event::Request(Request::NewHistory) => running.committer.begin_history().await,
            Event::Request(Request::Reload { save }) => {
                node.engine.borrow_mut().loading = Some(Default::default());
                if save {
                    match snapshot_now(&node, &mut stops).await {
                        Asked::Taken => {}
                        Asked::Failed(reason) => {
                            node.engine.borrow_mut().reload_refused(reason);
                            continue;
                        }
                        Asked::Signalled => {
                            tracing::warn!("Received a signal, shutting down");
                            break;
                        }
                    }
                }
                running.stop(&node).await?;
                node.engine.borrow_mut().forget_data();
                running = Running::start(&node, data.clone()).await?;
                node.engine.borrow_mut().reloaded();
            }
        }
    }
    listeners.stop();
    node.engine.borrow_mut().stopping = true;
    running.stop(&node).await?;
    let clock = node.engine.borrow().clock.clone();
    clock.sleep(last_replies(&node)).await;
    tracing::warn!("ackd is now ready to exit, bye bye...");
    Ok(())
}

/// Takes the data directory for as long as the answer, or a clone of it, exists; creates it if there is none. Waits for a
/// holder that is ending: a start right behind a `kill -9` finds the dead server's lock for as long as the system takes
/// it apart.
async fn take_possession(
    disk: Rc<dyn Disk>,
    directory: &Path,
    clock: &dyn Clock,
) -> Result<Directory, RecoveryFailure> {
    let begun_us = clock.monotonic_us();
    loop {
        let holder = match Directory::open(disk.clone(), directory).await {
            Err(LogError::Locked { pid, .. }) => pid,
            result => return Ok(result?),
        };
        let is_ending = holder.is_some_and(process::is_ending);
        let patience = if is_ending { HOLDER_ENDS } else { HOLDER_MAY_END };
        if Duration::from_micros(clock.monotonic_us() - begun_us) >= patience {
            return Ok(Directory::open(disk, directory).await?);
        }
        clock.sleep(TRY_AGAIN).await;
    }
}

/// Listens. A killed server's sockets end with it, and so may be there a moment longer than its lock.
async fn listen(node: &Rc<Node>, clock: &dyn Clock) -> Result<Rc<Listeners>, ListenError> {
    let begun_us = clock.monotonic_us();
    loop {
        match Listeners::start(node) {
            Err(error) if error.is_in_use() => {
                if Duration::from_micros(clock.monotonic_us() - begun_us) >= HOLDER_MAY_END {
                    return Err(error);
                }
            }
            result => return result,
        }
        clock.sleep(TRY_AGAIN).await;
    }
}

/// Takes the snapshot of a shutdown, if it was asked for by name: all is in the log without it, and each thins the history
/// that can be gone back to. Answers whether the server may end.
async fn save_last(how: Shutdown, node: &Node, running: &Running, stops: &mut Stops) -> bool {
    if how.save != Some(true) {
        return true;
    }
    tracing::info!("Saving the final RDB snapshot before exiting; a signal, or SHUTDOWN NOSAVE, gives it up");
    running.committer.handover().give_up(&node.engine);
    // What were acknowledged from now on would not be in it.
    let paused = {
        let mut engine = node.engine.borrow_mut();
        let until_us = engine.tick() + FOR_EVER_US;
        let writes_only = engine.pause_now().is_none_or(|pause| pause.writes_only);
        engine.pause.replace(Pause { until_us, writes_only })
    };
    let asked = snapshot_now(node, stops).await;
    match asked {
        Asked::Taken => return true,
        Asked::Signalled => tracing::warn!("the last snapshot was given up; all is in the log"),
        Asked::Failed(reason) if how.force => tracing::warn!("the last snapshot failed: {reason}; all is in the log"),
        Asked::Failed(reason) => {
            tracing::warn!("the snapshot failed, so the server goes on; SHUTDOWN NOSAVE, or FORCE, ends it: {reason}");
            let mut engine = node.engine.borrow_mut();
            engine.unpause();
            engine.pause = paused;
            return false;
        }
    }
    true
}

/// What became of a snapshot that was asked for.
enum Asked {
    Taken,
    /// For this reason; all is in the log.
    Failed(String),
    /// A signal, or SHUTDOWN NOSAVE, came first: whoever stops the server gives the snapshot up.
    Signalled,
}

/// Takes a snapshot, and waits for its end.
async fn snapshot_now(node: &Node, stops: &mut Stops) -> Asked {
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
        let mut pause = clock.sleep(TRY_AGAIN);
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

fn log_ready(node: &Node) {
    let engine = node.engine.borrow();
    let level = engine.default_level().name();
    tracing::info!("An acknowledgement means level '{level}'; the log is written by {}", engine.log.disk_path);
    if let Some(warning) = durability_warning(&engine.config) {
        tracing::warn!("{warning}");
    }
    tracing::info!("Ready to accept connections on port {}", engine.process.tcp_port);
}

/// The log and the tasks beside the connections. The simulation runs its servers with it too.
pub struct Running {
    /// The committer, with the log.
    pub committer: Rc<Committer>,
    writer: JoinHandle<()>,
    helpers: [JoinHandle<()>; 3],
    timers: JoinHandle<()>,
}

impl Running {
    /// Recovers the data in `directory` into the node's engine, opens the log behind them, and starts the tasks.
    pub async fn start(node: &Rc<Node>, directory: Directory) -> Result<Self, RecoveryFailure> {
        let log = recovery::recover(&node.engine, directory).await?;
        let committer = Committer::new(node.engine.clone(), log, node.fork.clone());
        let writing = timed::for_the_log(node.engine.clone(), commit::write_batches(committer.clone()));
        let prompt = Prompt::new(writing);
        node.writer.replace(Some((committer.log().clone(), prompt.clone())));
        let writer = spawn_local(prompt.run());
        let helpers = [
            spawn_local(timed::for_the_log(node.engine.clone(), commit::sync_in_background(committer.clone()))),
            spawn_local(commit::prepare_segments(committer.clone())),
            spawn_local(snapshot::take_snapshots(committer.clone())),
        ];
        let timers = spawn_local(timers::run(node.clone()));
        Ok(Self { committer, writer, helpers, timers })
    }

    /// Finishes the commit in flight and closes the log, so that the next start knows that all is there. No command is
    /// executed meanwhile: the server is stopping, or loading.
    pub async fn stop(self, node: &Node) -> Result<(), ServeError> {
        self.timers.abort();
        let _ = self.timers.await;
        self.committer.end_helpers();
        for task in self.helpers {
            task.await.map_err(ServeError::panicked)?;
        }
        self.committer.stop();
        self.writer.await.map_err(ServeError::panicked)?;
        self.committer.handover().clear(&node.engine, self.committer.log()).await;
        node.writer.replace(None);
        match node.engine.borrow().log.failed.clone() {
            Some(reason) => Err(ServeError::Log(reason)),
            None => Ok(()),
        }
    }
}

/// Where the settings put the data.
pub fn data_directory(config: &Config) -> PathBuf {
    Path::new(config.dir()).join(DATA_DIRECTORY)
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
    /// The end of a terminal does not end a server; that somebody listens is what keeps it alive.
    _hang_up: tokio::signal::unix::Signal,
}

fn stop_signals() -> Result<Stops, ServeError> {
    let listen = |kind, what| signal(kind).map_err(|source| ServeError::System { what, source });
    Ok(Stops {
        terminate: listen(SignalKind::terminate(), "cannot listen for SIGTERM")?,
        interrupt: listen(SignalKind::interrupt(), "cannot listen for SIGINT")?,
        _hang_up: listen(SignalKind::hangup(), "cannot listen for SIGHUP")?,
    })
}

#[derive(Clone, Copy)]
enum Signal {
    Terminate,
    Interrupt,
}

impl Signal {
    fn name(self) -> &'static str {
        match self {
            Self::Terminate => "SIGTERM",
            Self::Interrupt => "SIGINT",
        }
    }

    /// What the settings say of it.
    fn how(self, config: &Config) -> Shutdown {
        match self {
            Self::Terminate => config.shutdown_on_sigterm(),
            Self::Interrupt => config.shutdown_on_sigint(),
        }
    }
}

enum Event {
    Signal(Signal),
    Request(Request),
}

/// The result of `work`, or `None` if a signal or SHUTDOWN comes first.
async fn unless_stopped<T>(work: impl Future<Output = T>, node: &Node, stops: &mut Stops) -> Option<T> {
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

impl Stops {
    /// A signal that has come.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Signal> {
        if self.terminate.poll_recv(cx).is_ready() {
            return Poll::Ready(Signal::Terminate);
        }
        self.interrupt.poll_recv(cx).map(|_| Signal::Interrupt)
    }
}

/// Waits for a signal, or for something that a command asks for.
async fn next_event(node: &Node, stops: &mut Stops) -> Event {
    poll_fn(|cx| {
        if let Poll::Ready(signal) = stops.poll(cx) {
            return Poll::Ready(Event::Signal(signal));
        }
        let mut engine = node.engine.borrow_mut();
        if engine.requests.is_empty() {
            engine.server_waker = Some(cx.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(Event::Request(engine.requests.remove(0)))
    })
    .await
}

/// No longer than needed: with nothing to send there is nobody to wait for.
fn last_replies(node: &Node) -> Duration {
    let engine = node.engine.borrow();
    if engine.clients.iter().any(|client| client.output.backlog() > 0) { LAST_REPLIES } else { Duration::ZERO }
}

/// What an operator should know of a level below the default.
fn durability_warning(config: &Config) -> Option<&'static str> {
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
