//! INFO has the sections and fields that tools and test suites read.

mod support;

use support::oracle::Oracle;
use support::process::{Program, Server};

/// Fields by section, as Redis 7.2 has them.
const FIELDS: &[(&str, &[&str])] = &[
    (
        "server",
        &[
            "redis_version",
            "redis_git_sha1",
            "redis_mode",
            "os",
            "arch_bits",
            "process_id",
            "run_id",
            "tcp_port",
            "uptime_in_seconds",
            "config_file",
        ],
    ),
    (
        "clients",
        &[
            "connected_clients",
            "blocked_clients",
            "maxclients",
            "tracking_clients",
            "watching_clients",
            "pubsub_clients",
            "total_watched_keys",
            "total_blocking_keys",
            "total_blocking_keys_on_nokey",
        ],
    ),
    (
        "memory",
        &[
            "used_memory",
            "used_memory_rss",
            "used_memory_peak",
            "used_memory_dataset",
            "used_memory_overhead",
            "used_memory_lua",
            "used_memory_vm_functions",
            "maxmemory",
            "maxmemory_policy",
            "mem_fragmentation_ratio",
            "mem_allocator",
            "mem_clients_normal",
            "mem_clients_slaves",
            "mem_not_counted_for_evict",
            "mem_overhead_db_hashtable_rehashing",
            "active_defrag_running",
            "allocator_allocated",
            "allocator_active",
            "allocator_frag_ratio",
            "allocator_frag_bytes",
            "number_of_cached_scripts",
            "lazyfree_pending_objects",
            "lazyfreed_objects",
        ],
    ),
    (
        "persistence",
        &[
            "loading",
            "async_loading",
            "aof_enabled",
            "rdb_bgsave_in_progress",
            "rdb_changes_since_last_save",
            "rdb_last_load_keys_loaded",
            "rdb_last_load_keys_expired",
            "rdb_last_cow_size",
            "current_cow_size",
            "current_fork_perc",
            "current_save_keys_processed",
            "current_save_keys_total",
            "aof_rewrite_in_progress",
            "aof_rewrite_scheduled",
        ],
    ),
    (
        "stats",
        &[
            "total_commands_processed",
            "instantaneous_ops_per_sec",
            "total_net_input_bytes",
            "total_net_output_bytes",
            "keyspace_hits",
            "keyspace_misses",
            "total_error_replies",
            "rejected_connections",
            "expired_keys",
            "expired_time_cap_reached_count",
            "evicted_keys",
            "evicted_clients",
            "acl_access_denied_auth",
            "acl_access_denied_cmd",
            "acl_access_denied_key",
            "acl_access_denied_channel",
            "client_query_buffer_limit_disconnections",
            "client_output_buffer_limit_disconnections",
            "active_defrag_hits",
            "active_defrag_misses",
            "total_active_defrag_time",
            "tracking_total_keys",
            "migrate_cached_sockets",
            "eventloop_cycles",
            "eventloop_duration_sum",
            "eventloop_duration_cmd_sum",
            "instantaneous_eventloop_cycles_per_sec",
            "instantaneous_eventloop_duration_usec",
            "total_forks",
            "latest_fork_usec",
        ],
    ),
    ("replication", &["role", "connected_slaves", "master_repl_offset", "master_replid"]),
    ("cpu", &["used_cpu_user", "used_cpu_user_children"]),
    ("cluster", &["cluster_enabled"]),
    (
        "debug",
        &[
            "eventloop_duration_aof_sum",
            "eventloop_duration_cron_sum",
            "eventloop_duration_max",
            "eventloop_cmd_per_cycle_max",
        ],
    ),
];

fn names(text: &str) -> Vec<&str> {
    text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| Some(line.split_once(':')?.0)).collect()
}

fn headers(text: &str) -> Vec<String> {
    text.lines().filter_map(|line| line.strip_prefix("# ")).map(str::to_string).collect()
}

fn info(server: &Server, sections: &str) -> String {
    let reply = server.client().command(&format!("INFO {sections}"));
    reply.text().unwrap_or_else(|| panic!("INFO {sections}: {reply}"))
}

#[test]
fn every_field_that_tools_read_is_there() {
    let server = Program::ackd().start();
    let mut missing = Vec::new();
    for (section, fields) in FIELDS {
        let text = info(&server, section);
        let names = names(&text);
        missing.extend(fields.iter().filter(|field| !names.contains(field)).map(|field| format!("{section}: {field}")));
    }
    assert!(missing.is_empty(), "INFO lacks {missing:#?}");
}

#[test]
fn commands_and_errors_are_counted_by_name() {
    let server = Program::ackd().start();
    let mut client = server.client();
    for line in ["SET k v", "GET k", "CONFIG GET port", "INCR k", "NOSUCHCOMMAND"] {
        client.command(line);
    }
    let text = info(&server, "commandstats errorstats latencystats keyspace");
    for start in
        ["cmdstat_set:calls=1,", "cmdstat_config|get:calls=", "errorstat_ERR:count=2", "db0:keys=1,expires=0,avg_ttl="]
    {
        assert!(text.lines().any(|line| line.starts_with(start)), "no {start} in\n{text}");
    }
    assert!(text.lines().any(|line| line.starts_with("latency_percentiles_usec_get:p50=")), "{text}");
}

#[test]
fn latencies_are_kept_only_while_they_are_tracked() {
    let server = Program::ackd().start();
    let mut client = server.client();
    for line in ["CONFIG SET latency-tracking no", "GET k", "CONFIG SET latency-tracking yes", "STRLEN k"] {
        client.command(line);
    }
    let text = info(&server, "latencystats");
    assert!(text.contains("latency_percentiles_usec_strlen:") && !text.contains("usec_get:"), "{text}");
}

#[test]
fn debug_is_the_section_of_the_oracle() {
    let Some(oracle) = Oracle::Valkey.program() else { return };
    let (oracle, ackd) = (oracle.start(), Program::ackd().start());
    assert_eq!(names(&info(&oracle, "debug")), names(&info(&ackd, "debug")));
    assert_eq!(headers(&info(&oracle, "debug server")), headers(&info(&ackd, "debug server")));
}

#[test]
fn sections_are_those_of_the_oracle() {
    let Some(oracle) = Oracle::Redis7.program() else { return };
    let (oracle, ackd) = (oracle.start(), Program::ackd().start());
    for sections in
        ["", "default", "server", "SERVER clients", "cpu memory cpu", "nosuch", "all", "everything", "default stats"]
    {
        assert_eq!(headers(&info(&oracle, sections)), headers(&info(&ackd, sections)), "INFO {sections}");
    }
}
