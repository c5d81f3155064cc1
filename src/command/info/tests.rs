//! Tests of INFO.

use super::human;
use crate::command::harness::Harness;

fn headings(text: &str) -> Vec<&str> {
    text.split("# ").skip(1).map(|rest| rest.split(' ').next().unwrap()).collect()
}

const DEFAULT: [&str; 11] = [
    "Server",
    "Clients",
    "Memory",
    "Persistence",
    "Stats",
    "Replication",
    "CPU",
    "Modules",
    "Errorstats",
    "Cluster",
    "Keyspace",
];

#[test]
fn sections_come_in_redis_order_whatever_the_order_asked_for() {
    let mut harness = Harness::new();
    assert_eq!(headings(&harness.run("INFO")), DEFAULT);
    assert_eq!(headings(&harness.run("INFO default server")), DEFAULT);
    assert_eq!(headings(&harness.run("INFO keyspace SERVER keyspace")), ["Server", "Keyspace"]);
    assert_eq!(headings(&harness.run("INFO commandstats cluster")), ["Commandstats", "Cluster"]);
    assert_eq!(headings(&harness.run("INFO all")).len(), 13);
    assert_eq!(headings(&harness.run("INFO everything")).len(), 13);
    assert_eq!(headings(&harness.run("INFO everything debug")).last(), Some(&"Debug"));
    let debug = harness.run("INFO debug");
    let names: Vec<&str> = debug.split(' ').skip(3).filter_map(|field| Some(field.split_once(':')?.0)).collect();
    assert_eq!(
        names.join(" "),
        "eventloop_duration_aof_sum eventloop_duration_cron_sum eventloop_duration_max eventloop_cmd_per_cycle_max"
    );
    assert_eq!(harness.run("INFO foo"), "$0");
    assert_eq!(harness.run("INFO modules"), "$11 # Modules");
    assert_eq!(harness.run("INFO modules cluster"), "$43 # Modules  # Cluster cluster_enabled:0");
}

#[test]
fn every_name_of_the_contract_is_there() {
    let mut harness = Harness::new();
    harness.run("SET a b");
    harness.run("GET");
    let text = harness.run("INFO everything debug");
    let names: Vec<&str> = text.split(' ').filter_map(|field| field.split_once(':').map(|(name, _)| name)).collect();
    let contract = "redis_version redis_git_sha1 redis_mode os arch_bits process_id run_id tcp_port uptime_in_seconds \
        config_file connected_clients blocked_clients watching_clients pubsub_clients tracking_clients maxclients \
        total_watched_keys total_blocking_keys total_blocking_keys_on_nokey used_memory used_memory_rss \
        used_memory_peak used_memory_dataset used_memory_overhead used_memory_lua used_memory_vm_functions maxmemory \
        maxmemory_policy mem_fragmentation_ratio mem_allocator mem_clients_normal mem_clients_slaves \
        mem_not_counted_for_evict mem_overhead_db_hashtable_rehashing allocator_allocated allocator_active \
        allocator_frag_ratio allocator_frag_bytes number_of_cached_scripts evicted_scripts lazyfree_pending_objects \
        lazyfreed_objects loading async_loading aof_enabled rdb_bgsave_in_progress rdb_changes_since_last_save \
        rdb_last_load_keys_loaded rdb_last_load_keys_expired rdb_last_cow_size current_cow_size current_fork_perc \
        current_save_keys_processed current_save_keys_total aof_rewrite_in_progress aof_rewrite_scheduled total_forks \
        latest_fork_usec total_commands_processed instantaneous_ops_per_sec total_net_input_bytes \
        total_net_output_bytes keyspace_hits keyspace_misses total_error_replies expired_keys expired_subkeys \
        expired_time_cap_reached_count evicted_keys evicted_clients acl_access_denied_auth acl_access_denied_cmd \
        acl_access_denied_key acl_access_denied_channel client_query_buffer_limit_disconnections \
        client_output_buffer_limit_disconnections active_defrag_running active_defrag_hits active_defrag_misses \
        total_active_defrag_time tracking_total_keys migrate_cached_sockets eventloop_cycles eventloop_duration_sum \
        eventloop_duration_max eventloop_duration_cmd_sum eventloop_duration_aof_sum eventloop_duration_cron_sum \
        eventloop_cmd_per_cycle_max instantaneous_eventloop_cycles_per_sec instantaneous_eventloop_duration_usec \
        shutdown_in_milliseconds role connected_slaves master_repl_offset master_replid cluster_enabled used_cpu_user \
        used_cpu_user_children cmdstat_set errorstat_ERR latency_percentiles_usec_set db0 ackd_version";
    for name in contract.split_ascii_whitespace() {
        assert_eq!(names.iter().filter(|known| **known == name).count(), 1, "{name}");
    }
    assert!(text.contains("redis_version:7.2.4 "));
    assert!(text.contains("db0:keys=1,expires=0,avg_ttl=0"));
    assert!(text.contains("cmdstat_set:calls=1,usec="));
}

#[test]
fn the_offsets_show_how_far_the_log_is() {
    let mut harness = Harness::new();
    harness.run("SET a b");
    let end = harness.engine.stream.offset();
    let text = harness.run("INFO persistence replication");
    for name in ["log_executed_offset", "log_durable_offset", "log_committed_offset", "master_repl_offset"] {
        assert!(text.contains(&format!("{name}:{end} ")), "{name}");
    }
    assert!(text.contains("snapshot_last_error:none"));
}

#[test]
fn bytes_are_shown_as_redis_shows_them() {
    assert_eq!(human(1023), "1023B");
    assert_eq!(human(1024), "1.00K");
    assert_eq!(human(1_129_136), "1.08M");
    assert_eq!(human(25_276_510_208), "23.54G");
}
