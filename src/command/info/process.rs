//! INFO server, clients and cpu: the process and its connections.

use super::{Fields, View};
use crate::command::connection::REDIS_VERSION;

const SECONDS_A_DAY: u64 = 86_400;

pub(super) fn server(view: &View<'_>, fields: &mut Fields) {
    let engine = view.engine;
    let process = &engine.process;
    let uptime_s = engine.monotonic_us().saturating_sub(process.started_us) / 1_000_000;
    let now_us = engine.wall_us();
    fields.put("redis_version", REDIS_VERSION);
    fields.put("ackd_version", env!("CARGO_PKG_VERSION"));
    fields.put("redis_git_sha1", "00000000");
    fields.put("redis_git_dirty", 0);
    fields.put("redis_build_id", "0000000000000000");
    fields.put("redis_mode", "standalone");
    fields.put("os", operating_system());
    fields.put("arch_bits", usize::BITS);
    fields.put("monotonic_clock", "POSIX clock_gettime");
    fields.put("multiplexing_api", "epoll");
    fields.put("process_id", std::process::id());
    fields.put("process_supervised", text(view, "supervised"));
    fields.put("run_id", &process.run_id);
    fields.put("tcp_port", process.tcp_port);
    fields.put("server_time_usec", now_us);
    fields.put("uptime_in_seconds", uptime_s);
    fields.put("uptime_in_days", uptime_s / SECONDS_A_DAY);
    fields.put("hz", engine.config.hz());
    fields.put("configured_hz", engine.config.hz());
    // Seconds in 24 bits, as Redis keeps them for eviction.
    fields.put("lru_clock", (now_us / 1_000_000) & 0xff_ffff);
    fields.put("executable", &process.executable);
    fields.put("config_file", &process.config_file);
    fields.put("io_threads_active", 0);
    if process.tcp_port != 0 {
        let addresses: String = engine.config.bind().map(|address| format!(",bind={address}")).collect();
        fields.put("listener0", format_args!("name=tcp{addresses},port={}", process.tcp_port));
    }
    let socket = engine.config.unixsocket();
    if !socket.is_empty() {
        fields.put(
            if process.tcp_port == 0 { "listener0" } else { "listener1" },
            format_args!("name=unix,bind={socket}"),
        );
    }
}

fn operating_system() -> String {
    let system = rustix::system::uname();
    let name = |part: &std::ffi::CStr| part.to_string_lossy().into_owned();
    format!("{} {} {}", name(system.sysname()), name(system.release()), name(system.machine()))
}

/// A setting as CONFIG GET shows it.
fn text(view: &View<'_>, setting: &str) -> String {
    String::from_utf8_lossy(&view.engine.config.show(setting).unwrap_or_default()).into_owned()
}

pub(super) fn clients(view: &View<'_>, fields: &mut Fields) {
    let engine = view.engine;
    let count =
        |holds: fn(&crate::engine::client::Client) -> bool| view.clients().filter(|client| holds(client)).count();
    let input = view.clients().map(|client| client.query_buffer.0 + client.query_buffer.1).max();
    let output = view.clients().map(|client| client.output.memory()).max();
    fields.put("connected_clients", engine.clients.len());
    fields.put("cluster_connections", 0);
    fields.put("maxclients", engine.config.maxclients());
    fields.put("client_recent_max_input_buffer", input.unwrap_or(0));
    fields.put("client_recent_max_output_buffer", output.unwrap_or(0));
    fields.put("blocked_clients", count(|client| client.blocked.is_some()));
    fields.put("tracking_clients", view.engine.tracking.clients());
    fields.put("pubsub_clients", count(|client| !client.subscriptions.is_empty()));
    fields.put("watching_clients", count(|client| !client.watched.is_empty()));
    let has_deadline =
        |client: &crate::engine::client::Client| client.blocked.is_some_and(|blocked| blocked.deadline_us.is_some());
    fields.put("clients_in_timeout_table", count(has_deadline));
    fields.put("total_watched_keys", engine.watches.len());
    fields.put("total_blocking_keys", engine.blocked_keys.len());
    fields.put("total_blocking_keys_on_nokey", engine.blocked_keys.awaited_gone());
    let (reason, actions, left_us) = match engine.pause {
        None => ("none", "none", 0),
        Some(pause) => {
            let actions = if pause.writes_only { "write" } else { "all" };
            ("client_pause", actions, pause.until_us.saturating_sub(engine.monotonic_us()))
        }
    };
    fields.put("paused_reason", reason);
    fields.put("paused_actions", actions);
    fields.put("paused_timeout_milliseconds", left_us / 1000);
}

/// Processor time by `/proc/self/stat`, in seconds.
pub(super) fn cpu(_: &View<'_>, fields: &mut Fields) {
    let process = CpuTimes::of("/proc/self/stat");
    let thread = CpuTimes::of("/proc/thread-self/stat");
    fields.put("used_cpu_sys", seconds(process.system));
    fields.put("used_cpu_user", seconds(process.user));
    fields.put("used_cpu_sys_children", seconds(process.children_system));
    fields.put("used_cpu_user_children", seconds(process.children_user));
    fields.put("used_cpu_sys_main_thread", seconds(thread.system));
    fields.put("used_cpu_user_main_thread", seconds(thread.user));
}

fn seconds(ticks: u64) -> String {
    format!("{:.6}", ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
}

/// In clock ticks.
#[derive(Default)]
struct CpuTimes {
    user: u64,
    system: u64,
    children_user: u64,
    children_system: u64,
}

impl CpuTimes {
    fn of(file: &str) -> Self {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        // The program's name stands in parentheses and may hold blanks; `state` is the first field behind it.
        let fields = text.rsplit_once(')').map(|(_, rest)| rest).unwrap_or_default();
        let mut times = fields.split_ascii_whitespace().skip(11).map(|ticks| ticks.parse().unwrap_or(0));
        let mut next = || times.next().unwrap_or(0);
        Self { user: next(), system: next(), children_user: next(), children_system: next() }
    }
}
