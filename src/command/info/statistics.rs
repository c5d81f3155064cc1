//! INFO stats, commandstats, errorstats, latencystats and keyspace: what was counted.

use super::{Fields, View};
use crate::command::table;
use crate::engine::pubsub::Kind;

pub(super) fn stats(view: &View<'_>, fields: &mut Fields) {
    let stats = &view.engine.stats;
    let rates = &stats.rates;
    let kilobytes = |bytes: u64| format!("{:.2}", bytes as f64 / 1024.0);
    let command_us: u64 = stats.commands.iter().map(|command| command.usec).sum();
    fields.put("total_connections_received", stats.total_connections);
    fields.put("total_commands_processed", stats.total_commands);
    fields.put("instantaneous_ops_per_sec", stats.ops_per_sec);
    fields.put("total_net_input_bytes", stats.bytes_in);
    fields.put("total_net_output_bytes", stats.bytes_out);
    fields.put("total_net_repl_input_bytes", 0);
    fields.put("total_net_repl_output_bytes", 0);
    fields.put("instantaneous_input_kbps", kilobytes(rates.bytes_in));
    fields.put("instantaneous_output_kbps", kilobytes(rates.bytes_out));
    fields.put("instantaneous_input_repl_kbps", "0.00");
    fields.put("instantaneous_output_repl_kbps", "0.00");
    fields.put("rejected_connections", stats.rejected_connections);
    fields.put("sync_full", 0);
    fields.put("sync_partial_ok", 0);
    fields.put("sync_partial_err", 0);
    fields.put("expired_subkeys", stats.expired_fields);
    fields.put("expired_keys", stats.expired_keys);
    fields.put("expired_stale_perc", format_args!("{:.2}", stats.expired_stale_percent));
    fields.put("expired_time_cap_reached_count", stats.expire_time_cap_reached);
    fields.put("expire_cycle_cpu_milliseconds", stats.cron_us / 1000);
    fields.put("evicted_keys", stats.evicted_keys);
    fields.put("evicted_clients", stats.evicted_clients);
    fields.put("evicted_scripts", view.engine.scripts.cache.evicted);
    let exceeded_since = view.engine.eviction.exceeded_since_us;
    let exceeded_us = exceeded_since.map_or(0, |since| view.engine.monotonic_us().saturating_sub(since));
    fields.put("total_eviction_exceeded_time", (stats.memory_exceeded_us + exceeded_us) / 1000);
    fields.put("current_eviction_exceeded_time", exceeded_us / 1000);
    fields.put("keyspace_hits", stats.keyspace_hits);
    fields.put("keyspace_misses", stats.keyspace_misses);
    let pubsub = &view.engine.pubsub;
    fields.put("pubsub_channels", pubsub.len(Kind::Channel));
    fields.put("pubsub_patterns", pubsub.len(Kind::Pattern));
    fields.put("pubsubshard_channels", pubsub.len(Kind::Shard));
    fields.put("latest_fork_usec", view.engine.snapshots.fork_us);
    fields.put("total_forks", view.engine.snapshots.forks);
    fields.put("migrate_cached_sockets", 0);
    fields.put("slave_expires_tracked_keys", 0);
    fields.put("active_defrag_hits", 0);
    fields.put("active_defrag_misses", 0);
    fields.put("active_defrag_key_hits", 0);
    fields.put("active_defrag_key_misses", 0);
    fields.put("total_active_defrag_time", 0);
    fields.put("current_active_defrag_time", 0);
    let [keys, items, prefixes] = view.engine.tracking.counts();
    fields.put("tracking_total_keys", keys);
    fields.put("tracking_total_items", items);
    fields.put("tracking_total_prefixes", prefixes);
    fields.put("unexpected_error_replies", 0);
    fields.put("total_error_replies", stats.error_replies);
    fields.put("dump_payload_sanitizations", 0);
    fields.put("total_reads_processed", stats.reads);
    fields.put("total_writes_processed", stats.writes);
    fields.put("io_threaded_reads_processed", 0);
    fields.put("io_threaded_writes_processed", 0);
    fields.put("client_query_buffer_limit_disconnections", stats.query_buffer_disconnections);
    fields.put("client_output_buffer_limit_disconnections", stats.output_buffer_disconnections);
    fields.put("reply_buffer_shrinks", 0);
    fields.put("reply_buffer_expands", 0);
    fields.put("eventloop_cycles", stats.turns);
    fields.put("eventloop_duration_sum", stats.turn_us + stats.cron_us + stats.log_us);
    fields.put("eventloop_duration_cmd_sum", command_us);
    fields.put("instantaneous_eventloop_cycles_per_sec", rates.turns);
    fields.put("instantaneous_eventloop_duration_usec", rates.turn_us.checked_div(rates.turns).unwrap_or(0));
    fields.put("acl_access_denied_auth", stats.auth_denied);
    fields.put("acl_access_denied_cmd", stats.commands_denied);
    fields.put("acl_access_denied_key", stats.keys_denied);
    fields.put("acl_access_denied_channel", stats.channels_denied);
    fields.put("shutdown_in_milliseconds", 0);
}

pub(super) fn debug(view: &View<'_>, fields: &mut Fields) {
    let stats = &view.engine.stats;
    fields.put("eventloop_duration_aof_sum", stats.log_us);
    fields.put("eventloop_duration_cron_sum", stats.cron_us);
    fields.put("eventloop_duration_max", stats.longest_turn_us);
    fields.put("eventloop_cmd_per_cycle_max", stats.most_commands_a_turn);
}

pub(super) fn commandstats(view: &View<'_>, fields: &mut Fields) {
    for (row, command) in table::rows().iter().zip(&view.engine.stats.commands) {
        if command.calls == 0 && command.failed == 0 && command.rejected == 0 {
            continue;
        }
        let mean = if command.calls == 0 { 0.0 } else { command.usec as f64 / command.calls as f64 };
        fields.line(format_args!(
            "cmdstat_{}:calls={},usec={},usec_per_call={mean:.2},rejected_calls={},failed_calls={}",
            row.spec.name, command.calls, command.usec, command.rejected, command.failed,
        ));
    }
}

pub(super) fn errorstats(view: &View<'_>, fields: &mut Fields) {
    for (code, count) in &view.engine.stats.errors {
        fields.put(&format!("errorstat_{code}"), format_args!("count={count}"));
    }
}

pub(super) fn latencystats(view: &View<'_>, fields: &mut Fields) {
    let config = &view.engine.config;
    if !config.latency_tracking() {
        return;
    }
    let percentiles = config.show("latency-tracking-info-percentiles").unwrap_or_default();
    let percentiles = String::from_utf8_lossy(&percentiles).into_owned();
    for (row, latencies) in table::rows().iter().zip(&view.engine.stats.latencies) {
        let Some(latencies) = latencies else { continue };
        let shown = percentiles.split_ascii_whitespace().filter_map(|percentile| {
            let usec = latencies.at_percentile(percentile.parse().ok()?);
            Some(format!("p{percentile}={usec}.000"))
        });
        let shown: Vec<String> = shown.collect();
        fields.put(&format!("latency_percentiles_usec_{}", row.spec.name), shown.join(","));
    }
}

pub(super) fn keyspace(view: &View<'_>, fields: &mut Fields) {
    for (number, db) in view.engine.dbs.iter().enumerate().filter(|(_, db)| !db.is_empty()) {
        let (keys, expires, ttl) = (db.len(), db.volatile_len(), db.average_ttl_ms);
        fields.put(&format!("db{number}"), format_args!("keys={keys},expires={expires},avg_ttl={ttl}"));
    }
}
