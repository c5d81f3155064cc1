//! INFO memory: what the allocator and the kernel say. MEMORY shows the same figures.

use std::sync::OnceLock;

use super::{Fields, View, percent, ratio};
use crate::engine::Engine;
use crate::engine::client::Client;
use crate::engine::memory::Allocator;
use crate::keyspace::Db;

/// Memory of the process that is in RAM, in bytes.
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: u64 = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0);
    pages * rustix::param::page_size() as u64
}

/// Memory of the machine, in bytes.
fn of_machine() -> u64 {
    static TOTAL: OnceLock<u64> = OnceLock::new();
    *TOTAL.get_or_init(|| {
        let info = rustix::system::sysinfo();
        info.totalram.saturating_mul(u64::from(info.mem_unit.max(1)))
    })
}

/// Notes how much memory is in use, so that the peak is known. The server calls it now and then.
pub fn sample(engine: &mut Engine) {
    let used = engine.memory.survey().used;
    if engine.process.memory_at_start == 0 {
        engine.process.memory_at_start = used;
    }
    engine.process.memory_peak = engine.process.memory_peak.max(used);
}

/// Where the memory is, in bytes.
pub struct Figures {
    /// What is in use.
    pub used: u64,
    /// What the allocator has given out or keeps for threads, the pages that it needs for that, and those of it in RAM.
    pub allocated: u64,
    /// See there.
    pub active: u64,
    /// See there.
    pub allocator_resident: u64,
    /// Memory of the process in RAM.
    pub rss: u64,
    /// The most that was given out.
    pub peak: u64,
    /// What was given out before there were data.
    pub at_start: u64,
    /// Memory of the connections.
    pub clients: u64,
    /// Effects that are not written yet.
    pub log_buffer: u64,
    /// What is not data: all that was there at the start, the tables of the databases, the connections, and the log's buffer.
    pub overhead: u64,
    /// The rest.
    pub dataset: u64,
}

impl Figures {
    /// The figures of this moment; `clients` are all connections.
    pub fn of<'a>(engine: &Engine, clients: impl Iterator<Item = &'a Client>) -> Self {
        let Allocator { used, allocated, active, resident: allocator_resident } = engine.memory.survey();
        let at_start = engine.process.memory_at_start;
        let tables: u64 = engine.dbs.iter().map(|db: &Db| db.overhead_bytes() as u64).sum();
        let clients: u64 = clients.map(|client| client.memory() as u64).sum();
        let log_buffer = engine.stream.pending() as u64;
        let overhead = at_start + tables + clients + log_buffer;
        Self {
            used,
            allocated,
            active,
            allocator_resident,
            rss: resident(),
            peak: engine.process.memory_peak.max(used),
            at_start,
            clients,
            log_buffer,
            overhead,
            dataset: used.saturating_sub(overhead),
        }
    }
}

pub(super) fn memory(view: &View<'_>, fields: &mut Fields) {
    let engine = view.engine;
    let Figures {
        used,
        allocated,
        active,
        allocator_resident,
        rss,
        peak,
        at_start,
        clients,
        log_buffer,
        overhead,
        dataset,
    } = Figures::of(engine, view.clients());
    fields.put_bytes("used_memory", used);
    fields.put_bytes("used_memory_rss", rss);
    fields.put_bytes("used_memory_peak", peak);
    fields.put("used_memory_peak_perc", percent(used, peak));
    fields.put("used_memory_overhead", overhead);
    fields.put("used_memory_startup", at_start);
    fields.put("used_memory_dataset", dataset);
    fields.put("used_memory_dataset_perc", percent(dataset, used.saturating_sub(at_start)));
    fields.put("allocator_allocated", allocated);
    fields.put("allocator_active", active);
    fields.put("allocator_resident", allocator_resident);
    fields.put_bytes("total_system_memory", of_machine());
    let (lua, functions) = engine.scripts.memory();
    let scripts_bytes = engine.scripts.cache.bytes() as u64;
    let libraries_bytes = engine.libraries.codes().iter().map(|code| code.len() as u64).sum::<u64>();
    fields.put_bytes("used_memory_lua", lua as u64);
    fields.put("used_memory_vm_eval", lua);
    fields.put("used_memory_scripts_eval", scripts_bytes);
    fields.put("number_of_cached_scripts", engine.scripts.cache.len());
    fields.put("number_of_functions", engine.scripts.registry.functions.len());
    fields.put("number_of_libraries", engine.libraries.len());
    fields.put("used_memory_vm_functions", functions);
    fields.put_bytes("used_memory_vm_total", (lua + functions) as u64);
    fields.put("used_memory_functions", libraries_bytes);
    fields.put_bytes("used_memory_scripts", scripts_bytes + libraries_bytes);
    fields.put_bytes("maxmemory", engine.config.maxmemory());
    let policy = engine.config.show("maxmemory-policy").unwrap_or_default();
    fields.put("maxmemory_policy", String::from_utf8_lossy(&policy));
    fields.put("allocator_frag_ratio", ratio(active, allocated));
    fields.put("allocator_frag_bytes", active.saturating_sub(allocated));
    fields.put("allocator_rss_ratio", ratio(allocator_resident, active));
    fields.put("allocator_rss_bytes", allocator_resident.saturating_sub(active));
    fields.put("rss_overhead_ratio", ratio(rss, allocator_resident));
    fields.put("rss_overhead_bytes", rss as i64 - allocator_resident as i64);
    fields.put("mem_fragmentation_ratio", ratio(rss, used));
    fields.put("mem_fragmentation_bytes", rss as i64 - used as i64);
    fields.put("mem_not_counted_for_evict", log_buffer);
    fields.put("mem_replication_backlog", 0);
    fields.put("mem_total_replication_buffers", 0);
    fields.put("mem_clients_slaves", 0);
    fields.put("mem_clients_normal", clients);
    fields.put("mem_cluster_links", 0);
    fields.put("mem_aof_buffer", log_buffer);
    fields.put("mem_overhead_db_hashtable_rehashing", 0);
    fields.put("mem_allocator", allocator_name());
    fields.put("active_defrag_running", 0);
    fields.put("lazyfree_pending_objects", engine.lazyfree.pending());
    fields.put("lazyfreed_objects", engine.stats.lazyfreed_objects);
}

/// `jemalloc-` and its version, as Redis shows it.
fn allocator_name() -> String {
    let version = tikv_jemalloc_ctl::version::read().unwrap_or_default();
    format!("jemalloc-{}", version.split('-').next().unwrap_or_default())
}
