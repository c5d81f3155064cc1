//! One life of a server: the binary's own recovery, committer, log, engine and connection tasks, over a simulated disk
//! and clock. Its tasks run only when [`Server::run_until_idle`] is called, so nothing happens behind the driver's back.

use std::cell::RefCell;
use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Wake, Waker};

use ackd::disk::Disk;
use ackd::disk::sim::World;
use ackd::engine::client::{ClientId, Peer};
use ackd::engine::config::Reader;
use ackd::engine::config::{AppendFsync, Config};
use ackd::engine::gate::Level;
use ackd::engine::trial::{Event, Planted};
use ackd::engine::{Engine, Request};
use ackd::log::{Directory, LogError};
use ackd::server::run::Running;
use ackd::server::{Node, connection};
use tokio::io::DuplexStream;
use tokio::task::LocalSet;

use super::fork::{Copies, SimFork};

/// Where the data are.
pub const DIRECTORY: &str = "/data/ackd-data";

/// Databases of a simulated server.
pub const DATABASES: usize = 2;

/// From how many bytes on a value is shared and not copied; a server does that with larger ones.
const SHARED_MIN: usize = 2048;

/// Bytes that a connection's pipe takes in each direction.
const PIPE: usize = 256 * 1024;

/// How a server is started.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    pub policy: AppendFsync,
    pub segment_sizes: (u64, u64),
    pub planted: Planted,
    pub seed: u64,
    /// A shadow keyspace checks every unit.
    pub shadow: bool,
    /// How many keys memory has room for, and which go when there are more.
    pub memory: Option<(u64, &'static str)>,
}

/// What a key takes, if there is a limit.
const BYTES_PER_KEY: u64 = 100;

/// An empty engine with these settings.
pub fn engine(world: &World, settings: &Settings) -> Engine {
    let mut config = config(settings.policy, settings.shadow);
    if let Some((keys, policy)) = settings.memory {
        let limit = (keys * BYTES_PER_KEY).to_string();
        let pairs: [(&[u8], &[u8]); 2] = [(b"maxmemory", limit.as_bytes()), (b"maxmemory-policy", policy.as_bytes())];
        assert!(!config.set(&pairs, false).expect("the settings are right").is_empty());
    }
    let mut engine = Engine::new(Rc::new(world.clock()), fastrand::Rng::with_seed(settings.seed), config);
    engine.trial.planted = settings.planted;
    engine.stream.shared_min = SHARED_MIN;
    engine.trial.bytes_per_key = settings.memory.map(|_| BYTES_PER_KEY);
    engine.trial.segment_sizes = Some(settings.segment_sizes);
    engine
}

fn config(policy: AppendFsync, shadow: bool) -> Config {
    thread_local! {
        static MADE: RefCell<Vec<((AppendFsync, bool), Config)>> = const { RefCell::new(Vec::new()) };
    }
    MADE.with_borrow_mut(|made| {
        if let Some((_, config)) = made.iter().find(|(key, _)| *key == (policy, shadow)) {
            return config.clone();
        }
        let databases = DATABASES.to_string();
        let shadow_too = if shadow { "yes" } else { "no" };
        let mut config = Config::new();
        for (name, value) in [
            ("appendfsync", policy_name(policy)),
            ("ackd-self-check", shadow_too),
            ("databases", &databases),
            ("snapshot-copy", "no"),
            ("auto-aof-rewrite-min-size", "150kb"),
        ] {
            let words = [name.as_bytes().to_vec(), value.as_bytes().to_vec()];
            Reader::new(&mut config).command_line(&words).expect("the settings are right");
        }
        made.push(((policy, shadow), config.clone()));
        config
    })
}

/// What `appendfsync` is set to.
pub fn policy_name(policy: AppendFsync) -> &'static str {
    match policy {
        AppendFsync::Always => "always",
        AppendFsync::EverySec => "everysec",
        AppendFsync::No => "no",
    }
}

/// What the server did, in order.
#[derive(Clone, Debug)]
pub enum Happening {
    Unit { end: u64, effects: Vec<u8> },
    Executed { client: ClientId, level: Level, wrote: bool },
}

/// How far a server is.
pub enum Phase {
    Starting,
    Serving(Running),
    /// It did not start, because the data do not verify, or for another reason.
    Failed {
        refused: bool,
        reason: String,
    },
    Stopping,
    Stopped(Result<(), String>),
}

pub struct Server {
    local: LocalSet,
    pub node: Rc<Node>,
    pub phase: Rc<RefCell<Phase>>,
    happenings: Rc<RefCell<Vec<Happening>>>,
    woken: Arc<Woken>,
    /// Its number in the world.
    pub process: u64,
    /// Copies of it that write snapshots; or those of a server that died, which have not noticed yet.
    pub copies: Copies,
}

/// The data directory of a server, with the bugs that are planted in it. Clients have to wait from here on.
pub async fn directory(disk: Rc<dyn Disk>, engine: &RefCell<Engine>) -> Result<Directory, LogError> {
    engine.borrow_mut().loading = Some(Default::default());
    let planted = engine.borrow().trial.planted.log;
    Directory::open_planted(disk, Path::new(DIRECTORY), planted).await
}

impl Server {
    pub fn start(world: &World, settings: &Settings) -> Self {
        let disk = Rc::new(world.boot());
        let copies = Copies::default();
        let keeps_files = settings.planted.inherit_lock;
        let fork = SimFork::new(world, disk.process(), copies.clone(), keeps_files, settings.seed);
        let node = Node::with_fork(engine(world, settings), Rc::new(fork));
        let happenings = Rc::new(RefCell::new(Vec::new()));
        let told = happenings.clone();
        node.engine.borrow_mut().trial.observer = Some(Box::new(move |event| {
            told.borrow_mut().push(match event {
                Event::Unit { end, effects } => Happening::Unit { end, effects: effects.to_vec() },
                Event::Executed { client, level, wrote } => Happening::Executed { client, level, wrote },
            });
        }));
        let phase = Rc::new(RefCell::new(Phase::Starting));
        let local = LocalSet::new();
        let (process, starting, its_node) = (disk.process(), phase.clone(), node.clone());
        local.spawn_local(async move {
            let started = async {
                let directory = directory(disk, &its_node.engine).await?;
                Running::start(&its_node, directory).await
            };
            let next = match started.await {
                Ok(running) => Phase::Serving(running),
                Err(failure) => Phase::Failed { refused: failure.is_refusal(), reason: failure.to_string() },
            };
            *starting.borrow_mut() = next;
        });
        Self { local, node, phase, happenings, woken: Arc::default(), process, copies }
    }

    /// Lets all tasks go on until each waits for the disk, the clock or a client.
    pub fn run_until_idle(&mut self) {
        let waker = Waker::from(self.woken.clone());
        loop {
            self.woken.0.store(false, Ordering::Relaxed);
            // It is never ready for good: connections come and go.
            let _ = Pin::new(&mut self.local).poll(&mut Context::from_waker(&waker));
            let mut at_work = std::mem::take(&mut *self.copies.borrow_mut());
            at_work.retain_mut(|copy| !copy.poll(&mut Context::from_waker(&waker)));
            self.copies.borrow_mut().append(&mut at_work);
            if !self.woken.0.load(Ordering::Relaxed) {
                return;
            }
        }
    }

    /// What was executed since the last call.
    pub fn take_happenings(&self) -> Vec<Happening> {
        std::mem::take(&mut self.happenings.borrow_mut())
    }

    /// A new connection; its task has run once.
    pub fn connect(&mut self) -> (ClientId, DuplexStream) {
        let (ours, theirs) = tokio::io::duplex(PIPE);
        let peer = Peer { address: "127.0.0.1:1".into(), is_local: true, ..Peer::default() };
        self.local.spawn_local(connection::serve(self.node.clone(), theirs, peer));
        self.run_until_idle();
        let id = self.node.engine.borrow().clients.iter().last().map(|client| client.id).unwrap_or_default();
        (id, ours)
    }

    /// Begins a clean shutdown, as SIGTERM does.
    pub fn stop(&mut self) {
        let Phase::Serving(running) = self.phase.replace(Phase::Stopping) else { return };
        self.node.engine.borrow_mut().stopping = true;
        let (node, phase) = (self.node.clone(), self.phase.clone());
        self.local.spawn_local(async move {
            let result = running.stop(&node).await.map_err(|error| error.to_string());
            *phase.borrow_mut() = Phase::Stopped(result);
        });
    }

    /// Does what the server's main task does for its requests. Answers why the process ends, if it does.
    pub fn serve_requests(&mut self) -> Option<String> {
        let requests = std::mem::take(&mut self.node.engine.borrow_mut().requests);
        for request in requests {
            match request {
                Request::ApplySettings(_) => {
                    if let Phase::Serving(running) = &*self.phase.borrow() {
                        running.committer.wake_writer();
                    }
                }
                Request::LogFailed(reason) => return Some(reason),
                Request::Shutdown(_) | Request::Reload { .. } | Request::NewHistory => {}
            }
        }
        None
    }
}

/// Remembers that a task of the set was woken.
#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}
