//! LATENCY: what held the server up, and how long commands took.
//!
//! What is said in words, and drawn, is in `latency_report`.

use super::latency_report as report;
use super::table::{self, Row};
use super::{Ctx, Failure};
use crate::engine::latency::Event;

/// LATENCY LATEST
pub fn latest(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Result<(), Failure> {
    let (reply, events) = (&mut ctx.reply, ctx.engine.latency.iter());
    reply.array(events.len());
    for (event, series) in events {
        let latest = series.latest();
        reply.array(4);
        reply.bulk(event.name().as_bytes());
        reply.integer(latest.at_s as i64);
        reply.integer(latest.ms as i64);
        reply.integer(series.worst_ms() as i64);
    }
    Ok(())
}

/// LATENCY HISTORY event
pub fn history(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let series = Event::named(arguments[2]).and_then(|event| ctx.engine.latency.get(event));
    let Some(series) = series else {
        ctx.reply.array(0);
        return Ok(());
    };
    ctx.reply.array(series.samples().len());
    for sample in series.samples() {
        ctx.reply.array(2);
        ctx.reply.integer(sample.at_s as i64);
        ctx.reply.integer(sample.ms as i64);
    }
    Ok(())
}

/// LATENCY RESET \[event …\]
pub fn reset(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let events = &mut ctx.engine.latency;
    let forgotten = match &arguments[2..] {
        [] => events.clear(),
        names => names.iter().filter(|name| Event::named(name).is_some_and(|event| events.forget(event))).count(),
    };
    ctx.reply.count(forgotten);
    Ok(())
}

/// LATENCY GRAPH event
pub fn graph(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let event = Event::named(arguments[2]);
    let known = event.and_then(|event| Some((event, ctx.engine.latency.get(event)?)));
    let Some((event, series)) = known else {
        return Err(Failure::new([b"ERR No samples available for event '", arguments[2], b"'"].concat()));
    };
    let drawing = report::graph(event, series, ctx.engine.wall_us() / 1_000_000);
    ctx.reply.verbatim("txt", drawing.as_bytes());
    Ok(())
}

/// LATENCY DOCTOR
pub fn doctor(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Result<(), Failure> {
    let text = report::doctor(ctx.engine);
    ctx.reply.verbatim("txt", text.as_bytes());
    Ok(())
}

/// LATENCY HISTOGRAM \[command …\]
pub fn histogram(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let rows: Vec<&Row> = match &arguments[2..] {
        [] => table::rows().iter().collect(),
        names => names.iter().filter_map(|name| table::by_full_name(name)).flat_map(with_subcommands).collect(),
    };
    let known = &ctx.engine.stats.latencies;
    let called = |row: &&Row| Some((row.spec.name, known.get(row.id)?.as_deref()?));
    let called: Vec<_> = rows.iter().filter_map(called).collect();
    let reply = &mut ctx.reply;
    reply.map(called.len());
    for (name, latencies) in called {
        let counts = latencies.by_powers_of_two();
        reply.bulk(name.as_bytes());
        reply.map(2);
        reply.bulk(b"calls");
        reply.integer(latencies.count() as i64);
        reply.bulk(b"histogram_usec");
        reply.map(counts.len());
        for (usec, count) in counts {
            reply.integer(usec as i64);
            reply.integer(count as i64);
        }
    }
    Ok(())
}

fn with_subcommands(row: &'static Row) -> impl Iterator<Item = &'static Row> {
    std::iter::once(row).chain(row.subcommands())
}

#[cfg(test)]
mod tests {
    use crate::command::harness::Harness;
    use crate::engine::latency::Event;

    fn held_up() -> Harness {
        let mut server = Harness::new();
        server.run("CONFIG SET latency-monitor-threshold 10");
        server.engine.note_latency(Event::Fork, 9_999);
        server.engine.note_latency(Event::Fork, 25_000);
        server.clock.advance(std::time::Duration::from_secs(90));
        server.engine.read_clock();
        server.engine.note_latency(Event::Fork, 10_000);
        server.engine.note_latency(Event::Command, 50_000);
        server
    }

    #[test]
    fn events_are_told_by_name() {
        let mut server = held_up();
        let (command, fork) = ("*4 $7 command :1700000090 :50 :50", "*4 $4 fork :1700000090 :10 :25");
        assert_eq!(server.run("LATENCY LATEST"), format!("*2 {command} {fork}"));
        assert_eq!(server.run("LATENCY HISTORY fork"), "*2 *2 :1700000000 :25 *2 :1700000090 :10");
        assert_eq!(server.run("LATENCY HISTORY FORK"), "*0");
        assert_eq!(server.run("LATENCY GRAPH FORK"), "-ERR No samples available for event 'FORK'");
        assert_eq!(server.run("LATENCY RESET nosuch fork fork"), ":1");
        assert_eq!(server.run("LATENCY RESET"), ":1");
        assert_eq!(server.run("LATENCY RESET"), ":0");
    }

    #[test]
    fn nothing_is_recorded_unless_it_is_asked_for() {
        let mut server = Harness::new();
        server.engine.note_latency(Event::Fork, 1 << 40);
        assert_eq!(server.run("LATENCY LATEST"), "*0");
        assert!(server.run("LATENCY DOCTOR").contains("CONFIG SET latency-monitor-threshold"));
    }

    #[test]
    fn drawings_and_words_name_what_happened() {
        let mut server = held_up();
        let graph = server.run("LATENCY GRAPH fork");
        assert!(graph.contains("fork - high 25 ms, low 10 ms (all time high 25 ms)"), "{graph}");
        assert!(graph.contains("1m 30s ago      25 ms ########"), "{graph}");
        let text = server.run("LATENCY DOCTOR");
        assert!(
            text.contains("fork: 2 seconds with a spike, 17 ms on average, 25 ms at worst, the last 0s ago"),
            "{text}"
        );
        assert!(text.contains("SLOWLOG") && text.contains("snapshot"), "{text}");
    }

    #[test]
    fn histograms_are_those_of_the_commands_that_were_called() {
        let mut server = Harness::new();
        for line in ["SET k v", "SET k w", "CONFIG GET hz", "GET k"] {
            server.run(line);
        }
        let set = "$3 set *4 $5 calls :2 $14 histogram_usec *2 :1 :2";
        let config = "$10 config|get *4 $5 calls :1 $14 histogram_usec *2 :1 :1";
        assert_eq!(server.run("LATENCY HISTOGRAM SET nosuch config"), format!("*4 {set} {config}"));
        assert!(server.run("LATENCY HISTOGRAM").starts_with("*8 $3 get "));
        assert_eq!(server.run("LATENCY HISTOGRAM del"), "*0");
    }
}
