//! Layer 3: the state of the one thread.
//!
//! [`Engine`] holds the databases, the effect stream, the gate, the connections' state, the settings and the counters.
//! Commands (layer 4) change it; the server (layer 6) borrows it for synchronous stretches, never across an `.await`.
//! It knows no sockets and no files, and can be dropped and built anew from disk.

pub mod access;
pub mod acl;
pub mod admission;
pub mod blocked_keys;
pub mod client;
pub mod config;
pub mod eviction;
pub mod fiber;
pub mod gate;
pub mod latency;
pub mod lazyfree;
pub mod libraries;
pub mod memory;
pub mod migration;
pub mod monitors;
pub mod output;
pub mod pubsub;
pub mod scripts;
pub mod serial;
pub mod slowlog;
pub mod snapshots;
pub mod stats;
pub mod stream;
pub mod tracking;
pub mod trial;
pub mod watch;

use std::collections::BTreeMap;
use std::rc::Rc;
use std::task::Waker;

use crate::base::clock::Clock;
use crate::keyspace::{self, Db};
use access::Access;
use acl::{Acl, User};
use admission::Admission;
use blocked_keys::BlockedKeys;
use client::{BlockedOn, Client, Clients, Peer};
use config::{AppendFsync, Changes, Config, Shutdown};
use eviction::Eviction;
use gate::{Gate, Level};
use latency::LatencyEvents;
use lazyfree::Lazyfree;
use libraries::Libraries;
use memory::Memory;
use monitors::Monitors;
use pubsub::PubSub;
use scripts::Scripts;
use slowlog::SlowLog;
use snapshots::{Ended, Snapshots};
use stats::{Latencies, Stats};
use stream::Stream;
use tracking::Tracking;
use trial::Trial;
use watch::Watches;

/// How old a reading of the wall clock may be, in microseconds: a step of the clock is seen so late, no more.
const WALL_CLOCK_US: u64 = 1000;

/// Where recovery stands; while there is one, most commands answer `-LOADING`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Loading {
    /// When it began, in seconds since the Unix epoch.
    pub started_s: u64,
    /// Bytes to read.
    pub total_bytes: u64,
    /// Bytes read.
    pub loaded_bytes: u64,
}

/// CLIENT PAUSE under way.
#[derive(Clone, Copy, Debug)]
pub struct Pause {
    /// Until when, on the monotonic clock in microseconds.
    pub until_us: u64,
    /// Only commands that may write are held.
    pub writes_only: bool,
}

/// What a command asked the server to do once its reply is out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Stop the process.
    Shutdown(Shutdown),
    /// Apply settings that were changed, by name.
    ApplySettings(Vec<&'static str>),
    /// Rebuild the engine from disk, perhaps after a snapshot.
    Reload {
        /// Take a snapshot first, so that the data are written and read in every form.
        save: bool,
    },
    /// Begin a new history.
    NewHistory,
    /// The log cannot be written any more: stop, with this reason.
    LogFailed(String),
}

/// Facts about the process, for INFO.
#[derive(Clone, Debug, Default)]
pub struct Process {
    /// 40 hex digits, drawn at each start.
    pub run_id: String,
    /// When the server started, in microseconds on the monotonic clock.
    pub started_us: u64,
    /// The TCP port in use, 0 if none.
    pub tcp_port: u16,
    /// The settings file, absolute, or empty.
    pub config_file: String,
    /// The program.
    pub executable: String,
    /// Bytes allocated when the server was ready, 0 before.
    pub memory_at_start: u64,
    /// The most bytes ever seen allocated.
    pub memory_peak: u64,
}

/// What the log says of itself, for INFO; filled by the committer.
#[derive(Clone, Debug, Default)]
pub struct LogReport {
    /// How data reach the disk: `io_uring direct`, `portable buffered` …
    pub disk_path: String,
    /// The history that the offsets belong to.
    pub history_id: String,
    /// The one before, and up to which offset it is valid.
    pub previous_history: Option<(String, u64)>,
    /// Frames written since the start.
    pub frames: u64,
    /// Commits (writes that made something durable) since the start.
    pub commits: u64,
    /// Commands whose effects those frames hold.
    pub units: u64,
    /// Bytes of all segments.
    pub size_bytes: u64,
    /// Number of segments with data.
    pub segments: u64,
    /// Spares ready.
    pub spares: u64,
    /// How long writes and syncs took that made something durable.
    pub syncs: Latencies,
    /// Bytes of log that the start replayed in a second, if there were enough to tell.
    pub replay_rate: Option<u64>,
    /// Syncs that failed. More than none means that the server is stopping.
    pub failed: Option<String>,
}

/// See the module.
pub struct Engine {
    /// Time.
    pub clock: Rc<dyn Clock>,
    /// Randomness.
    pub rng: fastrand::Rng,
    /// Settings.
    pub config: Config,
    /// Databases, by number.
    pub dbs: Vec<Db>,
    /// Effects.
    pub stream: Stream,
    /// What may leave.
    pub gate: Gate,
    /// Whether the log has room.
    pub admission: Admission,
    /// Connections.
    pub clients: Clients,
    /// Who may do what.
    pub acl: Acl,
    /// `rename-command`: names as clients say them, in lower case, with the command's own name; none if nobody may say it.
    pub renamed: BTreeMap<Vec<u8>, Option<&'static str>>,
    /// How the use of keys is noted.
    pub access: Access,
    /// How much memory is in use.
    pub memory: Memory,
    /// What goes when it is too much.
    pub eviction: Eviction,
    /// The database with which active expiry goes on.
    pub next_expiry_db: usize,
    /// The one with which it goes on for fields of hashes.
    pub next_field_expiry_db: usize,
    /// WATCH.
    pub watches: Watches,
    /// SUBSCRIBE.
    pub pubsub: PubSub,
    /// CLIENT TRACKING.
    pub tracking: Tracking,
    /// MONITOR.
    pub monitors: Monitors,
    /// BLPOP and its like.
    pub blocked_keys: BlockedKeys,
    /// Counters.
    pub stats: Stats,
    /// SLOWLOG.
    pub slowlog: SlowLog,
    /// LATENCY, but for its histograms, which are counters.
    pub latency: LatencyEvents,
    /// Frees what takes long.
    pub lazyfree: Lazyfree,
    /// How the log is written now, if there is one; the setting may already say otherwise.
    pub log_policy: Option<AppendFsync>,
    /// What CONFIG SET changed together with the policy, until the log is written as it says.
    pub policy_changes: Option<Changes>,
    /// Why the last change of it was taken back, if it was.
    pub policy_refusal: Option<String>,
    /// How often the data were loaded anew.
    pub reloads: u64,
    /// Why the last attempt did not get so far, if it did not: the data are what they were.
    pub reload_refusal: Option<String>,
    /// How often SHUTDOWN SAVE was refused because there was no snapshot.
    pub refused_shutdowns: u64,
    /// How often a new history was asked for and begun, or not begun.
    pub new_histories: u64,
    /// Why the last one was not.
    pub history_refusal: Option<String>,
    /// Recovery under way.
    pub loading: Option<Loading>,
    /// The last CLIENT PAUSE; whether it still is under way tells [`Engine::pause_now`].
    pub pause: Option<Pause>,
    /// Writes are held, whatever CLIENT PAUSE and UNPAUSE say; see [`Engine::hold_writes`].
    holds_writes: bool,
    /// Who waits for the end of the pause.
    pub paused: Vec<Waker>,
    /// What commands asked the server to do.
    pub requests: Vec<Request>,
    /// Wakes the server's task when there are requests.
    pub server_waker: Option<Waker>,
    /// Facts about the process.
    pub process: Process,
    /// Facts about the log.
    pub log: LogReport,
    /// The server is stopping: no command is executed any more.
    pub stopping: bool,
    /// DEBUG AOF-FLUSH-SLEEP: before each write of the log, in microseconds.
    pub flush_delay_us: u64,
    /// DEBUG QUICKLIST-PACKED-THRESHOLD: from which size an element of a list stands alone; 0 for the usual rule.
    pub list_plain_from: usize,
    /// DEBUG SET-ACTIVE-EXPIRE.
    pub active_expire: bool,
    /// DEBUG PAUSE-CRON.
    pub cron_paused: bool,
    /// In tests: a copy that only ever applies the effect stream.
    pub shadow: Option<Box<Engine>>,
    /// What only the simulation sets.
    pub trial: Trial,
    /// Snapshots asked for, under way, and taken.
    pub snapshots: Snapshots,
    /// When the last snapshot was taken, in seconds since the Unix epoch (LASTSAVE).
    pub last_save_s: u64,
    /// The code of libraries of functions.
    pub libraries: Libraries,
    /// Scripts and functions, as they run.
    pub scripts: Scripts,
    /// Expiry never runs behind the time of the newest frame, in milliseconds since the Unix epoch.
    newest_frame_ms: u64,
    /// The time stands still: a transaction or a script runs, during which nothing is to expire that was there.
    held_ms: Option<u64>,
    /// The wall clock minus the monotonic clock when it was last read, in microseconds.
    wall_minus_monotonic_us: u64,
    /// When the wall clock was read last, on the monotonic clock.
    wall_read_us: u64,
    /// Nothing expires: commands of long ago are executed, which count on what was there.
    pub expiry_is_off: bool,
    monotonic_us: u64,
}

impl Engine {
    /// An empty engine at offset 0.
    pub fn new(clock: Rc<dyn Clock>, rng: fastrand::Rng, config: Config) -> Self {
        let databases = config.databases();
        let started_s = clock.wall_us() / 1_000_000;
        let lazyfree = Lazyfree::default();
        let mut engine = Self {
            rng,
            dbs: (0..databases).map(|_| Db::new()).collect(),
            stream: Stream::new(0),
            gate: Gate::new(0, databases),
            admission: Admission::default(),
            clients: Clients::default(),
            acl: Acl::default(),
            renamed: BTreeMap::new(),
            access: Access::default(),
            memory: Memory::new(lazyfree.memory.clone()),
            eviction: Eviction::default(),
            next_expiry_db: 0,
            next_field_expiry_db: 0,
            watches: Watches::default(),
            pubsub: PubSub::default(),
            tracking: Tracking::default(),
            monitors: Monitors::default(),
            blocked_keys: BlockedKeys::default(),
            stats: Stats::default(),
            slowlog: SlowLog::default(),
            latency: LatencyEvents::default(),
            lazyfree,
            log_policy: None,
            policy_changes: None,
            policy_refusal: None,
            reloads: 0,
            reload_refusal: None,
            refused_shutdowns: 0,
            new_histories: 0,
            history_refusal: None,
            loading: None,
            pause: None,
            holds_writes: false,
            paused: Vec::new(),
            requests: Vec::new(),
            server_waker: None,
            process: Process::default(),
            log: LogReport::default(),
            stopping: false,
            flush_delay_us: 0,
            list_plain_from: 0,
            active_expire: true,
            cron_paused: false,
            shadow: None,
            trial: Trial::default(),
            snapshots: Snapshots::default(),
            last_save_s: started_s,
            libraries: Libraries::default(),
            scripts: Scripts::default(),
            newest_frame_ms: 0,
            held_ms: None,
            wall_minus_monotonic_us: 0,
            wall_read_us: 0,
            expiry_is_off: false,
            monotonic_us: 0,
            clock,
            config,
        };
        engine.snapshots.saved_s = started_s;
        engine.read_clock();
        engine.follow_requirepass(None);
        engine
    }

    /// Gives the default user the password of `requirepass`, or none; `current` is the connection that is out, if one is.
    pub fn follow_requirepass(&mut self, current: Option<&mut Client>) {
        let mut user = User::clone(self.acl.default_user());
        (user.nopass, user.passwords) = (true, Vec::new());
        let password = self.config.requirepass();
        if !password.is_empty() {
            user.add_password(acl::hash_of(password));
        }
        self.replace_user(&Rc::new(user), current);
    }

    /// Puts a user in the place of the one of that name, also for connections that are that user.
    pub fn replace_user(&mut self, user: &Rc<User>, current: Option<&mut Client>) {
        self.acl.put(user.clone());
        for client in self.clients.iter_mut().chain(current).filter(|client| client.is_user(&user.name)) {
            client.user = Some(user.clone());
        }
    }

    /// Goes on from `offset`, everything before being durable.
    pub fn continue_at(&mut self, offset: u64) {
        self.stream = Stream::new(offset);
        self.gate = Gate::new(offset, self.dbs.len());
    }

    /// Reads both clocks: once a turn.
    pub fn read_clock(&mut self) {
        self.monotonic_us = self.clock.monotonic_us();
        self.wall_minus_monotonic_us = self.clock.wall_us().wrapping_sub(self.monotonic_us);
        self.wall_read_us = self.monotonic_us;
        self.renew_access();
    }

    /// Reads the clocks at the beginning of a turn: the monotonic one, and the wall clock if it was not read in the last
    /// [`WALL_CLOCK_US`]. Each reading costs a command without a pipeline half a percent of its time.
    pub fn glance_at_clock(&mut self) {
        if self.tick().wrapping_sub(self.wall_read_us) >= WALL_CLOCK_US {
            self.read_clock();
        }
    }

    /// Notes how uses of keys are kept from now on: each turn, and when a setting was changed.
    pub fn renew_access(&mut self) {
        let access = Access::at(&self.config, self.wall_us() / 1000);
        if self.access != access {
            self.access = access;
            self.dbs.iter_mut().for_each(|db| db.fresh_use = access.fresh());
        }
    }

    /// Reads only the monotonic clock: once a command.
    pub fn tick(&mut self) -> u64 {
        self.monotonic_us = self.clock.monotonic_us();
        self.monotonic_us
    }

    /// The monotonic clock as last read, in microseconds.
    pub fn monotonic_us(&self) -> u64 {
        self.monotonic_us
    }

    /// The time that expiry goes by, in milliseconds since the Unix epoch: the wall clock as last read, but never
    /// behind the newest frame, so that a clock that steps back brings nothing back from the dead.
    pub fn now_ms(&self) -> u64 {
        self.held_ms.unwrap_or_else(|| (self.wall_us() / 1000).max(self.newest_frame_ms))
    }

    /// Lets [`Engine::now_ms`] stand still, unless it does; answers what to give to [`Engine::release_time`].
    pub fn hold_time(&mut self) -> Option<u64> {
        let now_ms = self.now_ms();
        self.held_ms.replace(now_ms)
    }

    /// Time goes on, if it did before.
    pub fn release_time(&mut self, before: Option<u64>) {
        self.held_ms = before;
    }

    /// The wall clock as last read, in microseconds since the Unix epoch.
    pub fn wall_us(&self) -> u64 {
        self.monotonic_us.wrapping_add(self.wall_minus_monotonic_us)
    }

    /// The time of the newest frame, in milliseconds since the Unix epoch; none has come before the first.
    pub fn newest_frame_ms(&self) -> Option<u64> {
        (self.newest_frame_ms > 0).then_some(self.newest_frame_ms)
    }

    /// Notes the time that a frame carries.
    pub fn saw_frame_time(&mut self, wall_ms: u64) {
        self.newest_frame_ms = self.newest_frame_ms.max(wall_ms);
    }

    /// Whether the connection must give a password first; once the default user needs none, nobody must, whenever they came.
    pub fn needs_password(&self, client: &Client) -> bool {
        !client.authenticated && !self.acl.is_open()
    }

    /// The level that acknowledgements wait for unless their connection asked for another.
    pub fn default_level(&self) -> Level {
        match self.config.appendfsync() {
            AppendFsync::Always => Level::Disk,
            AppendFsync::EverySec | AppendFsync::No => Level::Os,
        }
    }

    /// Whether an expired key may be removed now: not while loading or paused, and not without room in the log.
    pub fn may_expire(&self) -> bool {
        self.loading.is_none() && self.pause_now().is_none() && self.admission.has_reserve(self.stream.pending() as u64)
    }

    /// Asks the server's task for something.
    pub fn request(&mut self, request: Request) {
        self.requests.push(request);
        if let Some(waker) = self.server_waker.take() {
            waker.wake();
        }
    }

    /// The log is written by that policy from now on; tells who waits for it.
    pub fn policy_applied(&mut self, policy: AppendFsync) {
        self.log_policy = Some(policy);
        self.policy_changes = None;
        self.wake_blocked(|on| on == BlockedOn::SyncPolicy);
    }

    /// Empties the databases, which are about to be loaded anew.
    pub fn forget_data(&mut self) {
        for db in &mut self.dbs {
            drop(db.clear());
        }
        if let Some(push) = self.everything_changed_for_trackers(None, &mut None) {
            self.deliver(&[push], 0, &mut Client::new(0, Peer::default(), 0));
        }
        self.libraries.clear();
        self.scripts.forget_functions();
        self.shadow = None;
    }

    /// A script is over that was laid aside; tells who waited for that.
    pub fn script_ended(&mut self) {
        self.stream.wake_committer();
        for waker in [self.server_waker.take(), self.eviction.waker.take()].into_iter().flatten() {
            waker.wake();
        }
        self.wake_blocked(|on| on == BlockedOn::Migration);
    }

    /// What a command asked for and can be done now: while a script is laid aside, the data stay where they are.
    pub fn next_request(&mut self) -> Option<Request> {
        let is_busy = self.scripts.busy.is_some();
        let may_come = |request: &Request| !is_busy || !matches!(request, Request::Reload { .. } | Request::NewHistory);
        let at = self.requests.iter().position(may_come)?;
        Some(self.requests.remove(at))
    }

    /// The snapshot under way, if there is one, is given up; tells who waits for it.
    pub fn snapshot_given_up(&mut self) {
        self.snapshots.give_up();
        self.wake_blocked(|on| matches!(on, BlockedOn::Snapshot { .. }));
    }

    /// Whether writes are refused because a snapshot failed.
    pub fn refuses_for_snapshots(&self) -> bool {
        !self.snapshots.last_save.succeeded
            && self.config.stop_writes_on_bgsave_error()
            && !self.config.save_points().is_empty()
    }

    /// The snapshot under way has ended; tells who waits for it.
    pub fn snapshot_ended(&mut self, ended: Ended) {
        self.read_clock();
        // What Redis calls a rewrite of the append-only file is no save.
        if let Some(present) = self.snapshots.present.filter(|present| present.purpose.save)
            && !matches!(ended, Ended::Failed(_))
        {
            self.stats.changes = self.stats.changes.saturating_sub(present.changes);
            self.snapshots.saved_s = self.wall_us() / 1_000_000;
            if ended == Ended::Well {
                self.last_save_s = self.snapshots.saved_s;
            }
        }
        self.snapshots.end(ended, self.monotonic_us);
        self.wake_blocked(|on| matches!(on, BlockedOn::Snapshot { .. }));
    }

    /// The log cannot be written as the setting says: takes back all that was changed with it, and tells who waits.
    pub fn policy_refused(&mut self, reason: String) {
        if let Some(changes) = self.policy_changes.take() {
            let names = changes.names();
            self.config.roll_back(changes);
            if names.contains(&"requirepass") {
                self.follow_requirepass(None);
            }
            self.renew_access();
            self.request(Request::ApplySettings(names));
        }
        // Two changes may have been under way; what counts in the end is how the log is written.
        if let Some(policy) = self.log_policy
            && let Err(error) = self.config.set(&[(b"appendfsync", policy.name().as_bytes())], true)
        {
            tracing::warn!("{error}");
        }
        self.policy_refusal = Some(reason);
        self.wake_blocked(|on| on == BlockedOn::SyncPolicy);
    }

    /// A new history has begun, or could not, for this reason; tells who waits for it.
    pub fn history_begun(&mut self, refusal: Option<String>) {
        self.new_histories += 1;
        self.history_refusal = refusal;
        self.wake_blocked(|on| matches!(on, BlockedOn::History { .. }));
    }

    /// The data were loaded anew; tells who waits for it.
    pub fn reloaded(&mut self) {
        self.stats.changes = 0;
        self.end_reload(None);
    }

    /// The data were to be loaded anew, and are served as they are, for this reason; tells who waits for it.
    pub fn reload_refused(&mut self, reason: String) {
        self.loading = None;
        self.end_reload(Some(reason));
    }

    fn end_reload(&mut self, refusal: Option<String>) {
        self.reloads += 1;
        self.reload_refusal = refusal;
        self.wake_blocked(|on| matches!(on, BlockedOn::Reload { .. } | BlockedOn::Migration));
    }

    /// The server goes on although it was told to stop; tells who waits for its end.
    pub fn shutdown_refused(&mut self) {
        self.refused_shutdowns += 1;
        self.wake_blocked(|on| matches!(on, BlockedOn::Shutdown { .. }));
    }

    fn wake_blocked(&self, on: impl Fn(BlockedOn) -> bool) {
        for client in self.clients.iter().filter(|client| client.blocked.is_some_and(|blocked| on(blocked.on))) {
            client.wake();
        }
    }

    /// Asks the processor to fetch what executing commands on these keys will read, all at once instead of one after
    /// the other.
    pub fn prefetch<'a>(&self, db: usize, keys: impl Iterator<Item = &'a [u8]> + Clone) {
        let hashes = keys.map(keyspace::hash);
        for hash in hashes.clone() {
            self.dbs[db].prefetch(hash);
            self.gate.prefetch(db, hash);
        }
        hashes.for_each(|hash| self.dbs[db].prefetch_entry(hash));
    }

    /// CLIENT PAUSE under way. It ends when its time is up, whether or not a timer has noticed.
    pub fn client_pause(&self) -> Option<Pause> {
        self.pause.filter(|pause| self.monotonic_us < pause.until_us)
    }

    /// What is held, and until when: by CLIENT PAUSE, or by the server itself.
    pub fn pause_now(&self) -> Option<Pause> {
        let asked = self.client_pause();
        if !self.holds_writes {
            return asked;
        }
        Some(Pause { until_us: u64::MAX, writes_only: asked.is_none_or(|pause| pause.writes_only) })
    }

    /// Ends CLIENT PAUSE.
    pub fn unpause(&mut self) {
        self.pause = None;
        self.wake_paused();
    }

    /// Holds writes, or lets them go again: what were acknowledged while the last snapshot is taken would not be in it.
    pub fn hold_writes(&mut self, holds: bool) {
        self.holds_writes = holds;
        self.wake_paused();
    }

    fn wake_paused(&mut self) {
        for waker in self.paused.drain(..) {
            waker.wake();
        }
    }
}
