//! LATENCY GRAPH and LATENCY DOCTOR: what held the server up, for people.

use std::fmt::Write;

use crate::engine::Engine;
use crate::engine::latency::{Event, Series};

/// The newest seconds that a drawing shows.
const DRAWN: usize = 40;

/// The length of the longest bar.
const BAR: u64 = 50;

/// Draws an event: a line a second that had a spike, the newest last, with a bar as long as the spike.
pub fn graph(event: Event, series: &Series, now_s: u64) -> String {
    let high = series.samples().map(|sample| sample.ms).max().unwrap_or(0);
    let low = series.samples().map(|sample| sample.ms).min().unwrap_or(0);
    let mut text = format!(
        "{} - high {high} ms, low {low} ms (all time high {} ms)\n{}\n",
        event.name(),
        series.worst_ms(),
        "-".repeat(80)
    );
    let older = series.samples().len().saturating_sub(DRAWN);
    if older > 0 {
        line(&mut text, format_args!("({older} older ones: LATENCY HISTORY {})", event.name()));
    }
    for sample in series.samples().skip(older) {
        let bar = "#".repeat((sample.ms * BAR / high.max(1)).max(1) as usize);
        let ago = span(now_s.saturating_sub(sample.at_s));
        line(&mut text, format_args!("{:>14} {:>7} ms {bar}", format!("{ago} ago"), sample.ms));
    }
    text
}

/// Says what held the server up, and what may help.
pub fn doctor(engine: &Engine) -> String {
    let threshold = engine.config.latency_monitor_threshold();
    if threshold == 0 {
        return "Nothing is recorded: latency-monitor-threshold is 0. CONFIG SET latency-monitor-threshold 100 lets the \
                server note whatever takes 100 milliseconds or longer; then ask again.\n"
            .into();
    }
    if engine.latency.iter().len() == 0 {
        return format!("Nothing took {threshold} milliseconds or longer since recording began or was reset.\n");
    }
    let now_s = engine.wall_us() / 1_000_000;
    let mut text = format!("What took {threshold} milliseconds or longer:\n\n");
    for (event, series) in engine.latency.iter() {
        let (count, sum) = series.samples().fold((0, 0), |(count, sum), sample| (count + 1, sum + sample.ms));
        line(
            &mut text,
            format_args!(
                "- {}: {count} seconds with a spike, {} ms on average, {} ms at worst, the last {} ago",
                event.name(),
                sum / count,
                series.worst_ms(),
                span(now_s.saturating_sub(series.latest().at_s))
            ),
        );
    }
    text.push_str("\nWhat may help:\n\n");
    for (event, _) in engine.latency.iter() {
        line(&mut text, format_args!("- {}: {}", event.name(), advice(event, engine)));
    }
    text
}

fn advice(event: Event, engine: &Engine) -> String {
    let config = &engine.config;
    match event {
        Event::Command => {
            let threshold_us = config.latency_monitor_threshold().saturating_mul(1000);
            let records = u64::try_from(config.slowlog_log_slower_than()).is_ok_and(|limit| limit <= threshold_us);
            let which = if records && config.slowlog_max_len() > 0 {
                "SLOWLOG GET shows which commands they were.".to_owned()
            } else {
                format!("CONFIG SET slowlog-log-slower-than {threshold_us} lets SLOWLOG GET show which commands they are.")
            };
            format!(
                "{which} Ask for large values in parts (SCAN and its relatives, ranges), and remove them with UNLINK, or set \
                 lazyfree-lazy-user-del to yes."
            )
        }
        Event::FastCommand => "Commands that do little were slow, so the thread did not get the processor, or waited for memory: \
                               look for other load, stolen time of a virtual machine, swapping and transparent huge pages."
            .into(),
        Event::Fork => "A snapshot copies the tables that describe the memory. Less memory, a virtual machine that does this well, \
                        or snapshots less often (save, auto-aof-rewrite-percentage, max-replay-time) make that shorter or rarer."
            .into(),
        Event::AofFsyncAlways => format!(
            "Writes wait for the disk (written by {}). INFO persistence has its figures; a disk that others use less, or one \
             that keeps its cache when the power fails, answers sooner.",
            engine.log.disk_path
        ),
        Event::AofWrite => "The system took long to accept writes to the log: it had too much to write back, or the disk is slow. \
                            Look for other writers on the same disk."
            .into(),
        Event::EvictionCycle => format!(
            "Much had to be evicted in one go. More maxmemory or fewer writes help; maxmemory-eviction-tenacity is {}, and less \
             lets commands go on sooner, with memory above the limit for longer.",
            config.maxmemory_eviction_tenacity()
        ),
        Event::EvictionDel if config.lazyfree_lazy_eviction() => {
            "Large values are evicted. They are freed by another thread already; split them up.".into()
        }
        Event::EvictionDel => "Large values are evicted. With lazyfree-lazy-eviction yes another thread frees them.".into(),
        Event::ExpireCycle => format!(
            "Many keys expire at the same time. Spread their expiry times; active-expire-effort is {}, and 1 takes the least time \
             in one go.",
            config.active_expire_effort()
        ),
        Event::ExpireDel if config.lazyfree_lazy_expire() => {
            "Large values expire. They are freed by another thread already; split them up.".into()
        }
        Event::ExpireDel => "Large values expire. With lazyfree-lazy-expire yes another thread frees them.".into(),
    }
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    writeln!(text, "{line}").expect("writing to a String cannot fail");
}

/// A span of time in the two largest units that it has.
fn span(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m {}s", seconds / 60, seconds % 60),
        3600..86400 => format!("{}h {}m", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{}d {}h", seconds / 86400, seconds % 86400 / 3600),
    }
}
