//! SLOWLOG: the commands that took longest of late, and how they get there.

use super::redaction;
use super::spec;
use super::table::Row;
use super::{Ctx, Failure, help, parse};
use crate::engine::Engine;
use crate::engine::client::Client;
use crate::engine::latency::Event;
use crate::engine::slowlog::{self, Entry};

/// Entries that GET shows if it is not said how many.
const SHOWN: usize = 10;

const NOT_A_COUNT: &str = "ERR count should be greater than or equal to -1";

/// Notes how long a command ran: for SLOWLOG and LATENCY, if the settings call it slow.
#[inline]
pub fn note(engine: &mut Engine, client: &Client, row: &Row, words: &[&[u8]], usec: u64) {
    if usec >= engine.config.slow_from_us() {
        note_slow(engine, client, row, words, usec);
    }
}

#[cold]
fn note_slow(engine: &mut Engine, client: &Client, row: &Row, words: &[&[u8]], usec: u64) {
    let flags = row.spec.flags;
    engine.note_latency(if flags.has(spec::FAST) { Event::FastCommand } else { Event::Command }, usec);
    let is_slow = u64::try_from(engine.config.slowlog_log_slower_than()).is_ok_and(|limit| usec >= limit);
    if !is_slow || flags.has(spec::SKIP_SLOWLOG) {
        return;
    }
    let entry = Entry {
        id: 0,
        at_s: engine.wall_us() / 1_000_000,
        usec,
        words: slowlog::shortened(&redaction::shown(row.spec, words)),
        address: client.peer.address.clone(),
        name: client.name.clone(),
    };
    engine.slowlog.push(entry, engine.config.slowlog_max_len());
}

/// SLOWLOG GET \[count\]
pub fn get(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let count = match &arguments[2..] {
        [] => SHOWN,
        // -1 is for all of them.
        [count] => usize::try_from(parse::integer_in_or(count, -1, NOT_A_COUNT)?).unwrap_or(usize::MAX),
        _ => return Err(help::bad_subcommand(arguments)),
    };
    let (reply, entries) = (&mut ctx.reply, ctx.engine.slowlog.entries());
    reply.array(entries.len().min(count));
    for entry in entries.take(count) {
        reply.array(6);
        reply.integer(entry.id as i64);
        reply.integer(entry.at_s as i64);
        reply.integer(entry.usec as i64);
        reply.array(entry.words.len());
        entry.words.iter().for_each(|word| reply.bulk(word));
        reply.bulk(entry.address.as_bytes());
        reply.bulk(&entry.name);
    }
    Ok(())
}

/// SLOWLOG LEN
pub fn len(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Result<(), Failure> {
    ctx.reply.count(ctx.engine.slowlog.entries().len());
    Ok(())
}

/// SLOWLOG RESET
pub fn reset(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Result<(), Failure> {
    ctx.engine.slowlog.clear();
    ctx.reply.ok();
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::command::harness::Harness;

    fn words(server: &mut Harness) -> Vec<String> {
        let entries = server.engine.slowlog.entries();
        entries.map(|entry| String::from_utf8_lossy(&entry.words.join(&b' ')).into_owned()).collect()
    }

    fn recording() -> Harness {
        let mut server = Harness::new();
        server.run("CONFIG SET slowlog-log-slower-than 0");
        server.run("SLOWLOG RESET");
        server
    }

    #[test]
    fn an_entry_says_what_ran_when_and_for_whom() {
        let mut server = recording();
        server.run("CLIENT SETNAME me");
        server.run("SET k v");
        let entry = "*6 :3 :1700000000 :0 *3 $3 SET $1 k $1 v $0  $2 me";
        assert_eq!(server.run("SLOWLOG GET 1"), format!("*1 {entry}"));
        assert_eq!(server.run("SLOWLOG LEN"), ":4");
        assert!(server.run("SLOWLOG GET").starts_with("*5 "));
        for count in ["-2", "x"] {
            assert_eq!(server.run(&format!("SLOWLOG GET {count}")), "-ERR count should be greater than or equal to -1");
        }
        assert!(server.run("SLOWLOG GET 1 1").starts_with("-ERR unknown subcommand or wrong number of arguments for"));
    }

    #[test]
    fn settings_count_at_once() {
        let mut server = recording();
        (0..20).for_each(|_| drop(server.run("PING")));
        assert!(server.run("SLOWLOG GET").starts_with("*10 "));
        assert!(server.run("SLOWLOG GET -1").starts_with("*22 "));
        server.run("CONFIG SET slowlog-log-slower-than -1 slowlog-max-len 2");
        assert_eq!(server.run("SLOWLOG LEN"), ":2");
        server.run("PING");
        assert_eq!(words(&mut server), ["SLOWLOG GET -1", "SLOWLOG GET"]);
        server.run("CONFIG SET slowlog-max-len 0 slowlog-log-slower-than 0");
        assert_eq!(server.run("SLOWLOG LEN"), ":0");
    }

    #[test]
    fn a_transaction_is_recorded_command_by_command() {
        let mut server = recording();
        for line in ["MULTI", "SET k v", "AUTH secret", "EXEC"] {
            server.run(line);
        }
        assert_eq!(words(&mut server), ["AUTH (redacted)", "SET k v", "MULTI", "SLOWLOG RESET"]);
    }

    #[test]
    fn who_waits_is_recorded_once_when_the_wait_is_over() {
        let mut server = recording();
        let other = server.connect();
        server.run("BLPOP l 0");
        assert_eq!(words(&mut server), ["SLOWLOG RESET"]);
        server.run_as(other, "RPUSH l x");
        assert_eq!(words(&mut server), ["BLPOP l 0", "RPUSH l x", "SLOWLOG RESET"]);
        server.run("BLPOP l 1");
        server.clock.advance(std::time::Duration::from_secs(2));
        let client = server.client;
        assert!(server.check(client));
        assert_eq!(words(&mut server)[0], "BLPOP l 1");
    }
}
