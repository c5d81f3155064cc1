//! MEMORY: what keys take, where the memory of the server is, and what the allocator says about it.
//!
//! USAGE looks at a key as DEBUG does: that is no use of the key, and an expired one is still there. The other figures are
//! those of INFO, and like them wait for nothing.

use std::fmt::Write as _;

use tikv_jemalloc_ctl::{Access, AsName, stats_print};

use super::failure::{self, Failure};
use super::info::memory::{self as info, Figures};
use super::{Ctx, parse};
use crate::base::number;
use crate::keyspace;

/// Elements of a collection that are looked at unless it is said otherwise.
const SAMPLES: usize = 5;

/// MEMORY USAGE key [SAMPLES count]
pub fn usage(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let mut samples = SAMPLES;
    let (options, rest) = arguments[3..].as_chunks::<2>();
    for [word, count] in options {
        if !word.eq_ignore_ascii_case(b"SAMPLES") {
            return Err(failure::SYNTAX);
        }
        samples = usize::try_from(parse::integer(count)?).map_err(|_| failure::SYNTAX)?;
    }
    if !rest.is_empty() {
        return Err(failure::SYNTAX);
    }
    let (key, db) = (arguments[2], ctx.client.db);
    let hash = keyspace::hash(key);
    ctx.reveal(ctx.engine.gate.last_change(db, hash));
    let db = &ctx.engine.dbs[db];
    match db.find(hash, key) {
        Some(entry) => ctx.reply.count(db.bytes_of(entry, samples)),
        None => ctx.reply.null(),
    }
    Ok(())
}

/// The figures, for the connection that asks and all others.
fn figures(ctx: &mut Ctx<'_>) -> Figures {
    info::sample(ctx.engine);
    Figures::of(ctx.engine, ctx.engine.clients.iter().chain(std::iter::once(&*ctx.client)))
}

/// `a / b`, 0 without a `b`.
fn ratio(a: u64, b: u64) -> f64 {
    if b == 0 { 0.0 } else { a as f64 / b as f64 }
}

/// What a field of MEMORY STATS holds.
enum Fact {
    Bytes(i64),
    Ratio(f64),
}

impl From<u64> for Fact {
    fn from(bytes: u64) -> Self {
        Self::Bytes(bytes as i64)
    }
}

/// MEMORY STATS
pub fn stats(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Result<(), Failure> {
    let found = figures(ctx);
    let tables: Vec<(usize, [usize; 2])> = ctx
        .engine
        .dbs
        .iter()
        .enumerate()
        .filter(|(_, db)| !db.is_empty())
        .map(|(n, db)| (n, db.table_bytes()))
        .collect();
    let keys: u64 = ctx.engine.dbs.iter().map(|db| db.len() as u64).sum();
    let net = found.used.saturating_sub(found.at_start);
    let percent = |part: u64, whole: u64| Fact::Ratio(ratio(part, whole) * 100.0);
    let difference = |a: u64, b: u64| Fact::Bytes(a as i64 - b as i64);
    let before: [(&str, Fact); 10] = [
        ("peak.allocated", found.peak.into()),
        ("total.allocated", found.used.into()),
        ("startup.allocated", found.at_start.into()),
        ("replication.backlog", 0.into()),
        ("clients.slaves", 0.into()),
        ("clients.normal", found.clients.into()),
        ("cluster.links", 0.into()),
        ("aof.buffer", found.log_buffer.into()),
        ("lua.caches", 0.into()),
        ("functions.caches", 0.into()),
    ];
    let after: [(&str, Fact); 17] = [
        ("overhead.total", found.overhead.into()),
        ("keys.count", keys.into()),
        ("keys.bytes-per-key", net.checked_div(keys).unwrap_or(0).into()),
        ("dataset.bytes", found.dataset.into()),
        ("dataset.percentage", percent(found.dataset, net)),
        ("peak.percentage", percent(found.used, found.peak)),
        ("allocator.allocated", found.allocated.into()),
        ("allocator.active", found.active.into()),
        ("allocator.resident", found.allocator_resident.into()),
        ("allocator-fragmentation.ratio", Fact::Ratio(ratio(found.active, found.allocated))),
        ("allocator-fragmentation.bytes", difference(found.active, found.allocated)),
        ("allocator-rss.ratio", Fact::Ratio(ratio(found.allocator_resident, found.active))),
        ("allocator-rss.bytes", difference(found.allocator_resident, found.active)),
        ("rss-overhead.ratio", Fact::Ratio(ratio(found.rss, found.allocator_resident))),
        ("rss-overhead.bytes", difference(found.rss, found.allocator_resident)),
        ("fragmentation", Fact::Ratio(ratio(found.rss, found.used))),
        ("fragmentation.bytes", difference(found.rss, found.used)),
    ];
    ctx.reply.map(before.len() + tables.len() + after.len());
    before.into_iter().for_each(|fact| put(ctx, fact));
    for (db, [main, expires]) in tables {
        ctx.reply.bulk(format!("db.{db}").as_bytes());
        ctx.reply.map(3);
        put(ctx, ("overhead.hashtable.main", (main as u64).into()));
        put(ctx, ("overhead.hashtable.expires", (expires as u64).into()));
        put(ctx, ("overhead.hashtable.slot-to-keys", 0.into()));
    }
    after.into_iter().for_each(|fact| put(ctx, fact));
    Ok(())
}

fn put(ctx: &mut Ctx<'_>, (name, fact): (&str, Fact)) {
    ctx.reply.bulk(name.as_bytes());
    match fact {
        Fact::Bytes(bytes) => ctx.reply.integer(bytes),
        Fact::Ratio(ratio) => {
            let mut text = Vec::new();
            number::format_f64(ratio, &mut text);
            ctx.reply.double_text(&String::from_utf8_lossy(&text));
        }
    }
}

/// MEMORY DOCTOR
pub fn doctor(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Result<(), Failure> {
    let found = figures(ctx);
    let clients = ctx.engine.clients.iter().count() as u64 + 1;
    ctx.reply.verbatim("txt", diagnosis(&found, clients).as_bytes());
    Ok(())
}

/// What is wrong, in words. The thresholds are those of Redis.
fn diagnosis(found: &Figures, clients: u64) -> String {
    const MIB: u64 = 1 << 20;
    if found.used < 5 * MIB {
        return "There is too little data here to say anything about its memory.\n".into();
    }
    let mut report = String::new();
    let mut note = |is_so: bool, text: String| {
        if is_so {
            let _ = writeln!(report, "* {text}");
        }
    };
    note(
        found.peak * 2 > found.used * 3,
        format!(
            "Peak: {} MB were in use once, and {} MB are now. The allocator may keep what was freed; MEMORY PURGE gives \
             it back.",
            found.peak / MIB,
            found.used / MIB
        ),
    );
    let wasted = |whole: u64, part: u64| ratio(whole, part) > 1.1 && whole.saturating_sub(part) > 10 * MIB;
    note(
        ratio(found.rss, found.used) > 1.4 && found.rss.saturating_sub(found.used) > 10 * MIB,
        format!(
            "Fragmentation: the process takes {:.2} times the memory that it uses. What follows says where it is.",
            ratio(found.rss, found.used)
        ),
    );
    note(
        wasted(found.active, found.allocated),
        format!(
            "Allocator, inside: its pages are {:.2} times as large as what lies in them, as after many values changed \
             their sizes. A restart packs them anew.",
            ratio(found.active, found.allocated)
        ),
    );
    note(
        wasted(found.allocator_resident, found.active),
        format!(
            "Allocator, free pages: it holds {:.2} times the pages that it needs. It gives them back after a while, or by \
             MEMORY PURGE.",
            ratio(found.allocator_resident, found.active)
        ),
    );
    note(
        wasted(found.rss, found.allocator_resident),
        format!("Process: it has {:.2} times the memory of its allocator.", ratio(found.rss, found.allocator_resident)),
    );
    note(
        found.clients / clients.max(1) > 200 << 10,
        format!(
            "Clients: a connection takes {} KB on average. Large requests or replies that are not read wait there; CLIENT \
             LIST shows whose.",
            found.clients / clients.max(1) / 1024
        ),
    );
    if report.is_empty() { "Nothing is wrong with the memory.\n".into() } else { format!("This stands out:\n{report}") }
}

/// MEMORY MALLOC-STATS
pub fn malloc_stats(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Result<(), Failure> {
    let mut text = Vec::new();
    stats_print::stats_print(&mut text, stats_print::Options::default())
        .map_err(|error| Failure::new(format!("ERR the allocator does not say: {error}")))?;
    ctx.reply.verbatim("txt", &text);
    Ok(())
}

/// MEMORY PURGE
pub fn purge(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Result<(), Failure> {
    let arenas: tikv_jemalloc_ctl::Result<u32> = b"arenas.narenas\0"[..].name().read();
    for arena in 0..arenas.unwrap_or(0) {
        for pages in ["dirty", "muzzy"] {
            let control = format!("arena.{arena}.{pages}_decay_ms\0");
            let control = control.as_bytes().name();
            // Unused pages that may be kept for no time are given back at once. An arena that was never used has no controls.
            let kept: tikv_jemalloc_ctl::Result<isize> = control.read();
            if let Ok(time_ms) = kept {
                let purged: tikv_jemalloc_ctl::Result<()> = control.write(0_isize);
                let restored: tikv_jemalloc_ctl::Result<()> = control.write(time_ms);
                if purged.and(restored).is_err() {
                    return Err("ERR Error purging dirty pages".into());
                }
            }
        }
    }
    ctx.reply.ok();
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::command::harness::Harness;

    #[test]
    fn usage_counts_the_key_and_all_of_its_value() {
        let mut server = Harness::new();
        let mut usage = |lines: &[&str], options: &str| -> usize {
            server.run("FLUSHALL");
            lines.iter().for_each(|line| _ = server.run(line));
            server.run(&format!("MEMORY USAGE k {options}"))[1..].parse().unwrap()
        };
        let small = usage(&["SET k v"], "");
        assert!((24..=64).contains(&small), "{small}");
        assert!(usage(&["SET k v EX 100"], "") > small, "the time at which it expires takes memory, too");
        let long = "x".repeat(1000);
        let large = usage(&[&format!("SET k {long}")], "");
        assert!((1000..1400).contains(&large), "{large}");
        let members: Vec<String> = (0..1000).map(|number| format!("member:{number:05}")).collect();
        let set = usage(&[&format!("SADD k {}", members.join(" "))], "SAMPLES 0");
        assert!((1000 * 16..1000 * 48).contains(&set), "{set}");
        let odd = format!("SADD k {} {}", members.join(" "), "y".repeat(1 << 20));
        assert!(usage(&[&odd], "SAMPLES 0") > 1 << 20, "all members are looked at");
    }

    #[test]
    fn usage_is_asked_for_without_using_the_key() {
        let mut server = Harness::new();
        server.run("SET k v PX 5");
        server.effects();
        for (line, reply) in [
            ("MEMORY USAGE none", "$-1"),
            ("MEMORY USAGE k SAMPLES -1", "-ERR syntax error"),
            ("MEMORY USAGE k SAMPLES", "-ERR syntax error"),
            ("MEMORY USAGE k FOO 1", "-ERR syntax error"),
            ("MEMORY USAGE k SAMPLES x", "-ERR value is not an integer or out of range"),
            ("MEMORY USAGE", "-ERR wrong number of arguments for 'memory|usage' command"),
            ("MEMORY FOO", "-ERR unknown subcommand 'FOO'. Try MEMORY HELP."),
            ("MEMORY PURGE", "+OK"),
        ] {
            assert_eq!(server.run(line), reply, "{line}");
        }
        server.clock.advance(Duration::from_secs(7));
        assert!(server.run("MEMORY USAGE k").starts_with(':'), "an expired key that was not met is still there");
        assert_eq!((server.engine.stats.keyspace_hits, server.engine.stats.keyspace_misses), (0, 0));
        assert_eq!(server.effects(), "");
    }

    #[test]
    fn the_figures_are_those_of_info_and_agree_with_each_other() {
        let mut server = Harness::new();
        server.run("MSET a 1 b 2");
        let reply = server.run("MEMORY STATS");
        let words: Vec<&str> = reply.split(' ').collect();
        let number = |name: &str| -> i64 {
            let at = words.iter().position(|word| *word == name).unwrap_or_else(|| panic!("{name}"));
            words[at + 1][1..].parse().unwrap()
        };
        assert_eq!(words[0], format!("*{}", 2 * (10 + 1 + 17)));
        assert_eq!(number("keys.count"), 2);
        assert!(number("overhead.hashtable.main") > 0);
        assert_eq!(number("overhead.hashtable.expires"), 0);
        assert!(number("total.allocated") <= number("peak.allocated"));
        assert!(server.run("MEMORY MALLOC-STATS").contains("jemalloc statistics"));
        assert!(server.run("MEMORY DOCTOR").starts_with('$'));
    }

    #[test]
    fn the_doctor_names_what_stands_out_and_nothing_else() {
        let mib = |number: u64| number << 20;
        let healthy = Figures {
            used: mib(100),
            allocated: mib(100),
            active: mib(101),
            allocator_resident: mib(105),
            rss: mib(110),
            peak: mib(100),
            at_start: mib(1),
            clients: 1 << 10,
            log_buffer: 0,
            overhead: mib(2),
            dataset: mib(98),
        };
        assert_eq!(diagnosis(&healthy, 1), "Nothing is wrong with the memory.\n");
        assert!(diagnosis(&Figures { used: mib(1), ..healthy }, 1).starts_with("There is too little data"));
        for (sick, names) in [
            (Figures { peak: mib(151), ..healthy }, &["Peak"][..]),
            (Figures { rss: mib(150), ..healthy }, &["Fragmentation", "Process"]),
            (Figures { active: mib(120), allocator_resident: mib(120), ..healthy }, &["Allocator, inside"]),
            (Figures { allocator_resident: mib(115), ..healthy }, &["Allocator, free pages"]),
            (Figures { clients: mib(1), ..healthy }, &["Clients"]),
        ] {
            let report = diagnosis(&sick, 2);
            let found: Vec<&str> =
                report.lines().filter_map(|line| line.strip_prefix("* ")?.split(':').next()).collect();
            assert_eq!(found, names, "{report}");
        }
    }
}
