//! The settings that the server reads while it works, as plain fields.
//!
//! They are derived from the values after each change, so that a hot path loads a field and never looks up a name.

use super::composite::{BufferLimit, KeyEvents, buffer_limits};
use super::setting::Value;
use super::table;

/// `appendfsync`: what an acknowledged write survives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AppendFsync {
    /// The loss of power.
    Always,
    /// The death of the process, and all but the last one to two seconds before a loss of power.
    EverySec,
    /// The death of the process.
    No,
}

impl AppendFsync {
    /// The name that the setting takes.
    pub fn name(self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::EverySec => "everysec",
            Self::No => "no",
        }
    }
}

/// Who may use something.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Allowed {
    /// Nobody.
    No,
    /// Everybody.
    Yes,
    /// Connections from the loopback interface and the unix socket.
    Local,
}

impl Allowed {
    /// Whether a connection may, being local or not.
    pub fn admits(self, local: bool) -> bool {
        self == Allowed::Yes || (self == Allowed::Local && local)
    }
}

/// `loglevel`: what is reported.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LogLevel {
    /// Everything.
    Debug,
    /// Much.
    Verbose,
    /// What an operator wants to know.
    Notice,
    /// What an operator has to know.
    Warning,
    /// Nothing.
    Nothing,
}

/// `supervised`: whom to tell that the server is ready.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Supervised {
    /// Nobody.
    No,
    /// Upstart, by stopping the process.
    Upstart,
    /// systemd, by its notification socket.
    Systemd,
    /// Whichever of the two the environment names.
    Auto,
}

/// How the server is to end: the options of SHUTDOWN, and of `shutdown-on-sigterm` and `shutdown-on-sigint`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shutdown {
    /// Go on although something failed.
    pub force: bool,
    /// Do not wait for replicas.
    pub now: bool,
    /// Whether to take a snapshot first; none, if it is not said.
    pub save: Option<bool>,
}

/// `acl-pubsub-default`: which channels a new user may use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum ChannelsOfNewUsers {
    None,
    All,
}

/// `maxmemory-policy`: which keys are evicted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum MaxmemoryPolicy {
    NoEviction,
    VolatileLru,
    VolatileLfu,
    VolatileRandom,
    VolatileTtl,
    AllkeysLru,
    AllkeysLfu,
    AllkeysRandom,
}

impl MaxmemoryPolicy {
    /// Whether access frequency is kept (and OBJECT FREQ answers) instead of idle time.
    pub fn is_lfu(self) -> bool {
        matches!(self, MaxmemoryPolicy::VolatileLfu | MaxmemoryPolicy::AllkeysLfu)
    }

    /// Whether only keys with an expiry time may be evicted.
    pub fn is_volatile(self) -> bool {
        use MaxmemoryPolicy::{VolatileLfu, VolatileLru, VolatileRandom, VolatileTtl};
        matches!(self, VolatileLru | VolatileLfu | VolatileRandom | VolatileTtl)
    }
}

impl LogLevel {
    /// The name in the settings.
    pub fn name(self) -> &'static str {
        match self {
            LogLevel::Debug => "debug",
            LogLevel::Verbose => "verbose",
            LogLevel::Notice => "notice",
            LogLevel::Warning => "warning",
            LogLevel::Nothing => "nothing",
        }
    }
}

fn addresses(normal_form: &[u8]) -> Vec<String> {
    String::from_utf8_lossy(normal_form).split_ascii_whitespace().map(String::from).collect()
}

/// From how many microseconds on a command concerns the slow log or the latency monitor.
fn slow_from_us(slower_than_us: i64, threshold_ms: i64) -> u64 {
    let slow = u64::try_from(slower_than_us).unwrap_or(u64::MAX);
    let late = u64::try_from(threshold_ms).ok().filter(|ms| *ms > 0).map_or(u64::MAX, |ms| ms.saturating_mul(1000));
    slow.min(late)
}

/// How a field is made from a value.
trait FromValue {
    fn from_value(value: &Value) -> Self;
}

impl FromValue for bool {
    fn from_value(value: &Value) -> Self {
        value.toggle()
    }
}

impl FromValue for Shutdown {
    fn from_value(value: &Value) -> Self {
        let [save, nosave, now, force] = [1, 2, 4, 8].map(|flag| value.choice() & flag != 0);
        Self { force, now, save: (save || nosave).then_some(save) }
    }
}

macro_rules! from_number {
    ($($kind:ty),*) => {
        $(impl FromValue for $kind {
            fn from_value(value: &Value) -> Self {
                <$kind>::try_from(value.number().max(0)).unwrap_or(<$kind>::MAX)
            }
        })*
    };
}
from_number!(u16, u32, u64, usize);

impl FromValue for i32 {
    fn from_value(value: &Value) -> Self {
        i32::try_from(value.number()).unwrap_or(i32::MAX)
    }
}

impl FromValue for i64 {
    fn from_value(value: &Value) -> Self {
        value.number()
    }
}

macro_rules! from_choice {
    ($($kind:ty { $($number:literal => $variant:ident),* ; $first:ident })*) => {
        $(impl FromValue for $kind {
            fn from_value(value: &Value) -> Self {
                match value.choice() {
                    $($number => <$kind>::$variant,)*
                    _ => <$kind>::$first,
                }
            }
        })*
    };
}
from_choice! {
    AppendFsync { 1 => EverySec, 2 => No; Always }
    ChannelsOfNewUsers { 1 => All; None }
    Allowed { 1 => Yes, 2 => Local; No }
    LogLevel { 0 => Debug, 1 => Verbose, 3 => Warning, 4 => Nothing; Notice }
    Supervised { 1 => Upstart, 2 => Systemd, 3 => Auto; No }
    MaxmemoryPolicy {
        1 => VolatileLru, 2 => VolatileLfu, 3 => VolatileRandom, 4 => VolatileTtl, 5 => AllkeysLru, 6 => AllkeysLfu,
        7 => AllkeysRandom; NoEviction
    }
}

macro_rules! live {
    ($($field:ident: $kind:ty = $name:literal;)* --- $($path:ident = $text:literal;)*) => {
        /// See the module.
        #[derive(Clone, Debug)]
        pub(super) struct Live {
            $(pub(super) $field: $kind,)*
            $(pub(super) $path: String,)*
            pub(super) bind: Vec<String>,
            pub(super) requirepass: Vec<u8>,
            pub(super) output_buffer_limits: [BufferLimit; 3],
            pub(super) key_events: KeyEvents,
            pub(super) slow_from_us: u64,
        }

        impl Live {
            /// Derives all fields.
            pub(super) fn read(values: &[Value]) -> Live {
                let value = |name: &'static str| {
                    let index = table::index_of(name.as_bytes()).expect("live settings stand in the table");
                    &values[index]
                };
                Live {
                    $($field: FromValue::from_value(value($name)),)*
                    $($path: String::from_utf8_lossy(value($text).text()).into_owned(),)*
                    bind: addresses(value("bind").text()),
                    requirepass: value("requirepass").text().to_vec(),
                    output_buffer_limits: buffer_limits(value("client-output-buffer-limit").text()),
                    key_events: KeyEvents::of(value("notify-keyspace-events").text()),
                    slow_from_us: slow_from_us(
                        value("slowlog-log-slower-than").number(),
                        value("latency-monitor-threshold").number(),
                    ),
                }
            }
        }

        impl super::Config {
            $(
                #[doc = concat!("`", $name, "`.")]
                #[inline]
                pub fn $field(&self) -> $kind {
                    self.live.$field
                }
            )*
            $(
                #[doc = concat!("`", $text, "`.")]
                #[inline]
                pub fn $path(&self) -> &str {
                    &self.live.$path
                }
            )*
        }
    };
}

live! {
    appendonly: bool = "appendonly";
    protected_mode: bool = "protected-mode";
    daemonize: bool = "daemonize";
    self_check: bool = "ackd-self-check";
    lazyfree_lazy_expire: bool = "lazyfree-lazy-expire";
    latency_tracking: bool = "latency-tracking";
    lazyfree_lazy_user_flush: bool = "lazyfree-lazy-user-flush";
    lazyfree_lazy_user_del: bool = "lazyfree-lazy-user-del";
    rdbcompression: bool = "rdbcompression";
    lazyfree_lazy_server_del: bool = "lazyfree-lazy-server-del";
    port: u16 = "port";
    unixsocketperm: u32 = "unixsocketperm";
    tcp_backlog: i32 = "tcp-backlog";
    tcp_keepalive: u64 = "tcp-keepalive";
    timeout: u64 = "timeout";
    maxclients: usize = "maxclients";
    hll_sparse_max_bytes: usize = "hll-sparse-max-bytes";
    proto_max_bulk_len: u64 = "proto-max-bulk-len";
    client_query_buffer_limit: u64 = "client-query-buffer-limit";
    maxmemory: u64 = "maxmemory";
    acl_pubsub_default: ChannelsOfNewUsers = "acl-pubsub-default";
    acllog_max_len: usize = "acllog-max-len";
    maxmemory_clients_setting: i64 = "maxmemory-clients";
    tracking_table_max_keys: usize = "tracking-table-max-keys";
    maxmemory_samples: usize = "maxmemory-samples";
    maxmemory_eviction_tenacity: u32 = "maxmemory-eviction-tenacity";
    lazyfree_lazy_eviction: bool = "lazyfree-lazy-eviction";
    lfu_log_factor: u64 = "lfu-log-factor";
    lfu_decay_time: u64 = "lfu-decay-time";
    databases: usize = "databases";
    active_expire_effort: u64 = "active-expire-effort";
    hz: u64 = "hz";
    lua_max_memory: u64 = "lua-max-memory";
    slowlog_max_len: usize = "slowlog-max-len";
    slowlog_log_slower_than: i64 = "slowlog-log-slower-than";
    latency_monitor_threshold: u64 = "latency-monitor-threshold";
    busy_reply_threshold: u64 = "busy-reply-threshold";
    min_replicas_to_write: u64 = "min-replicas-to-write";
    min_replicas_max_lag: u64 = "min-replicas-max-lag";
    hash_max_listpack_entries: usize = "hash-max-listpack-entries";
    hash_max_listpack_value: usize = "hash-max-listpack-value";
    list_max_listpack_size: i32 = "list-max-listpack-size";
    set_max_intset_entries: usize = "set-max-intset-entries";
    set_max_listpack_entries: usize = "set-max-listpack-entries";
    set_max_listpack_value: usize = "set-max-listpack-value";
    zset_max_listpack_entries: usize = "zset-max-listpack-entries";
    zset_max_listpack_value: usize = "zset-max-listpack-value";
    stream_node_max_bytes: usize = "stream-node-max-bytes";
    stream_node_max_entries: u64 = "stream-node-max-entries";
    log_segment_size: u64 = "log-segment-size";
    log_keep_time: u64 = "log-keep-time";
    log_keep_size: u64 = "log-keep-size";
    snapshots_kept: usize = "snapshots-kept";
    snapshot_copy: bool = "snapshot-copy";
    max_replay_time: u64 = "max-replay-time";
    auto_aof_rewrite_percentage: u64 = "auto-aof-rewrite-percentage";
    auto_aof_rewrite_min_size: u64 = "auto-aof-rewrite-min-size";
    rdbchecksum: bool = "rdbchecksum";
    stop_writes_on_bgsave_error: bool = "stop-writes-on-bgsave-error";
    rdb_key_save_delay: i64 = "rdb-key-save-delay";
    shutdown_on_sigint: Shutdown = "shutdown-on-sigint";
    shutdown_on_sigterm: Shutdown = "shutdown-on-sigterm";
    disable_thp: bool = "disable-thp";
    appendfsync: AppendFsync = "appendfsync";
    enable_debug_command: Allowed = "enable-debug-command";
    enable_protected_configs: Allowed = "enable-protected-configs";
    loglevel: LogLevel = "loglevel";
    supervised: Supervised = "supervised";
    maxmemory_policy: MaxmemoryPolicy = "maxmemory-policy";
    ---
    unixsocket = "unixsocket";
    port_file = "ackd-port-file";
    dir = "dir";
    aclfile = "aclfile";
    dbfilename = "dbfilename";
    appendfilename = "appendfilename";
    appenddirname = "appenddirname";
    pidfile = "pidfile";
    logfile = "logfile";
}
