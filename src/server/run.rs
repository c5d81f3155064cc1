//! A server from its start to its end: listen, recover, serve, stop.

use std::future::poll_fn;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use tokio::task::{JoinError, JoinHandle, LocalSet, spawn_local};

use super::listener::{ListenError, Listeners};
use super::logging::Logging;
use super::prompt::Prompt;
use super::shutdown::{Asked, Signal, Stops, last_replies, save_last, snapshot_now, unless_stopped};
use super::{Node, process, settings, timed, timers};
use crate::base::clock::{Clock, SystemClock};
use crate::command::scripting::long;
use crate::command::{acl, renaming};
use crate::disk::{Disk, PortableDisk, UringDisk};
use crate::durability::commit::{self, Committer};
use crate::durability::foreign::{self, ForeignData};
use crate::durability::recovery::{self, RecoveryFailure};
use crate::durability::snapshot;
use crate::engine::config::{AppendFsync, Config};
use crate::engine::{Engine, Request};
use crate::log::{Directory, LogError};

/// The directory below `dir` that holds ackd's data.
pub const DATA_DIRECTORY: &str = "ackd-data";

/// How long a start waits for data that another holds, and for a port: a server that was killed a moment ago may still
/// be there.
const HOLDER_MAY_END: Duration = Duration::from_millis(250);

/// How long it waits for a holder of which the system says that it is ending: giving much memory back takes seconds.
const HOLDER_ENDS: Duration = Duration::from_secs(60);

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
    /// Other data are there and ackd's are not.
    #[error(transparent)]
    Foreign(#[from] ForeignData),
    /// The data cannot be used.
    #[error(transparent)]
    Recovery(#[from] RecoveryFailure),
    /// The log cannot be written any more.
    #[error("the log failed, and nothing more is acknowledged: {0}")]
    Log(String),
    /// Settings that make no sense together, or name a file that makes none.
    #[error("{0}")]
    Settings(String),
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
    renaming::at_start(&mut engine).map_err(ServeError::Settings)?;
    acl::file::load_at_start(&mut engine).map_err(ServeError::Settings)?;
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
    let listened = Stops::listen();
    let mut stops = listened.map_err(|source| ServeError::System { what: "cannot listen for signals", source })?;

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
                if save_last(how, &node, running.committer.handover(), &mut stops).await {
                    break;
                }
            }
            Event::Request(Request::Shutdown(how)) => {
                tracing::warn!("User requested shutdown");
                if save_last(how, &node, running.committer.handover(), &mut stops).await {
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
    long::abandon(&mut node.engine.borrow_mut());
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
    timers: [JoinHandle<()>; 2],
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
        let timers = [spawn_local(timers::run(node.clone())), spawn_local(timers::evict(node.clone()))];
        Ok(Self { committer, writer, helpers, timers })
    }

    /// Finishes the commit in flight and closes the log, so that the next start knows that all is there. No command is
    /// executed meanwhile: the server is stopping, or loading.
    pub async fn stop(self, node: &Node) -> Result<(), ServeError> {
        for timer in self.timers {
            timer.abort();
            let _ = timer.await;
        }
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

enum Event {
    Signal(Signal),
    Request(Request),
}

/// Waits for a signal, or for something that a command asks for.
async fn next_event(node: &Node, stops: &mut Stops) -> Event {
    poll_fn(|cx| {
        if let Poll::Ready(signal) = stops.poll(cx) {
            return Poll::Ready(Event::Signal(signal));
        }
        let mut engine = node.engine.borrow_mut();
        match engine.next_request() {
            Some(request) => Poll::Ready(Event::Request(request)),
            None => {
                engine.server_waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    })
    .await
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
