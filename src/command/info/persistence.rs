//! INFO persistence and replication: the log, the gate and the offsets.

use super::{Fields, View};

/// What `master_replid` shows when there is no history.
const NO_HISTORY: &str = "0000000000000000000000000000000000000000";

pub(super) fn persistence(view: &View<'_>, fields: &mut Fields) {
    let engine = view.engine;
    let log_is_well = engine.log.failed.is_none() && engine.admission.refusal().is_none();
    fields.put("loading", u8::from(engine.loading.is_some()));
    fields.put("async_loading", 0);
    snapshots(view, fields);
    fields.put("aof_last_write_status", if log_is_well { "ok" } else { "err" });
    fields.put("aof_last_cow_size", engine.snapshots.last_rewrite.copied);
    fields.put("module_fork_in_progress", 0);
    fields.put("module_fork_last_cow_size", 0);
    if engine.config.appendonly() {
        fields.put("aof_current_size", engine.log.size_bytes);
        fields.put("aof_base_size", engine.snapshots.kept.newest_bytes);
        fields.put("aof_pending_rewrite", 0);
        fields.put("aof_buffer_length", engine.stream.pending());
        fields.put("aof_pending_bio_fsync", 0);
        fields.put("aof_delayed_fsync", 0);
    }
    loading(view, fields);
    log(view, fields);
    gate(view, fields);
}

/// Snapshots, in the words of both kinds that Redis has.
fn snapshots(view: &View<'_>, fields: &mut Fields) {
    let (engine, snapshots) = (view.engine, &view.engine.snapshots);
    let (present, under_way) = (snapshots.present.unwrap_or_default(), snapshots.under_way());
    let elapsed_s = engine.monotonic_us().saturating_sub(present.begun_us) / 1_000_000;
    let running = |serves: bool| if serves { elapsed_s as i64 } else { -1 };
    let seconds = |seconds: Option<u64>| seconds.map_or(-1, |seconds| seconds as i64);
    let status = |succeeded: bool| if succeeded { "ok" } else { "err" };
    let (save, rewrite) = (&snapshots.last_save, &snapshots.last_rewrite);
    let age_s = match present.copied_us {
        0 => 0,
        reckoned_us => engine.monotonic_us().saturating_sub(reckoned_us) / 1_000_000,
    };
    let done = present.keys_done as f64 * 100.0 / present.keys.max(1) as f64;
    fields.put("current_cow_peak", present.copied);
    fields.put("current_cow_size", present.copied);
    fields.put("current_cow_size_age", age_s);
    fields.put("current_fork_perc", format_args!("{done:.2}"));
    fields.put("current_save_keys_processed", present.keys_done);
    fields.put("current_save_keys_total", present.keys);
    fields.put("rdb_changes_since_last_save", engine.stats.changes);
    fields.put("rdb_bgsave_in_progress", u8::from(under_way.save));
    fields.put("rdb_last_save_time", engine.last_save_s);
    fields.put("rdb_last_bgsave_status", status(save.succeeded));
    fields.put("rdb_last_bgsave_time_sec", seconds(save.seconds));
    fields.put("rdb_current_bgsave_time_sec", running(present.purpose.save));
    fields.put("rdb_saves", save.count);
    fields.put("rdb_last_cow_size", save.copied);
    fields.put("rdb_last_load_keys_expired", 0);
    fields.put("rdb_last_load_keys_loaded", snapshots.loaded_keys);
    fields.put("aof_enabled", u8::from(engine.config.appendonly()));
    fields.put("aof_rewrite_in_progress", u8::from(under_way.rewrite));
    fields.put("aof_rewrite_scheduled", u8::from(snapshots.wanted.rewrite && !under_way.rewrite));
    fields.put("aof_last_rewrite_time_sec", seconds(rewrite.seconds));
    fields.put("aof_current_rewrite_time_sec", running(present.purpose.rewrite));
    fields.put("aof_last_bgrewrite_status", status(rewrite.succeeded));
    fields.put("aof_rewrites", rewrite.count);
    fields.put("aof_rewrites_consecutive_failures", if rewrite.succeeded { 0 } else { snapshots.failures });
}

fn loading(view: &View<'_>, fields: &mut Fields) {
    let Some(loading) = &view.engine.loading else { return };
    let total = loading.total_bytes.max(1);
    let elapsed_s = (view.engine.wall_us() / 1_000_000).saturating_sub(loading.started_s);
    let eta_s = match loading.loaded_bytes {
        0 => 1,
        loaded => elapsed_s * total.saturating_sub(loaded) / loaded,
    };
    fields.put("loading_start_time", loading.started_s);
    fields.put("loading_total_bytes", loading.total_bytes);
    fields.put("loading_rdb_used_mem", 0);
    fields.put("loading_loaded_bytes", loading.loaded_bytes);
    fields.put("loading_loaded_perc", format_args!("{:.2}", loading.loaded_bytes as f64 * 100.0 / total as f64));
    fields.put("loading_eta_seconds", eta_s);
}

/// The log as ackd sees it.
fn log(view: &View<'_>, fields: &mut Fields) {
    let log = &view.engine.log;
    let reached = view.engine.gate.watermarks();
    let [p50, p99, p999] = [50.0, 99.0, 99.9].map(|percentile| log.syncs.at_percentile(percentile));
    let mean = if log.frames == 0 { 0.0 } else { log.units as f64 / log.frames as f64 };
    fields.put("log_executed_offset", reached.executed);
    fields.put("log_written_offset", reached.written);
    fields.put("log_durable_offset", reached.durable);
    fields.put("log_committed_offset", reached.committed);
    fields.put("log_history_id", if log.history_id.is_empty() { NO_HISTORY } else { &log.history_id });
    fields.put("log_commits", log.commits);
    fields.put("log_frames", log.frames);
    fields.put("log_commands_per_frame", format_args!("{mean:.2}"));
    fields.put("log_sync_usec", format_args!("p50={p50},p99={p99},p99.9={p999}"));
    fields.put("log_disk_path", &log.disk_path);
    fields.put("log_size_bytes", log.size_bytes);
    fields.put("log_segments", log.segments);
    fields.put("log_spare_segments", log.spares);
    let (snapshots, kept) = (&view.engine.snapshots, &view.engine.snapshots.kept);
    fields.put("log_oldest_offset", kept.oldest_offset);
    fields.put("log_oldest_time", kept.oldest_ms / 1000);
    fields.put("log_replay_bytes_per_sec", log.replay_rate.unwrap_or(0));
    fields.put("snapshots", kept.count);
    fields.put("snapshot_bytes", kept.bytes);
    fields.put("snapshot_last_offset", kept.newest_offset);
    fields.put("snapshot_last_error", snapshots.failure.as_deref().unwrap_or("none"));
    fields.put("log_last_error", log.failed.as_deref().or(view.engine.admission.refusal()).unwrap_or("none"));
}

fn gate(view: &View<'_>, fields: &mut Fields) {
    let gate = &view.engine.gate;
    fields.put("durability_default", view.engine.default_level().name());
    fields.put("gate_waits_os", gate.waits.os);
    fields.put("gate_waits_disk", gate.waits.disk);
    fields.put("gate_waits_reads", gate.waits.reads);
    fields.put("gate_holds_acks", u8::from(gate.holds_os()));
}

pub(super) fn replication(view: &View<'_>, fields: &mut Fields) {
    let engine = view.engine;
    let history = |id: &str| if id.is_empty() { NO_HISTORY.to_owned() } else { id.to_owned() };
    let previous = engine.log.previous_history.as_ref();
    fields.put("role", "master");
    fields.put("connected_slaves", 0);
    fields.put("master_failover_state", "no-failover");
    fields.put("master_replid", history(&engine.log.history_id));
    fields.put("master_replid2", previous.map_or(NO_HISTORY.to_owned(), |(id, _)| history(id)));
    fields.put("master_repl_offset", engine.gate.watermarks().executed);
    fields.put("second_repl_offset", previous.map_or(-1, |(_, offset)| *offset as i64));
    fields.put("repl_backlog_active", 0);
    let backlog = engine.config.show("repl-backlog-size").unwrap_or_default();
    fields.put("repl_backlog_size", String::from_utf8_lossy(&backlog));
    fields.put("repl_backlog_first_byte_offset", 0);
    fields.put("repl_backlog_histlen", 0);
}
