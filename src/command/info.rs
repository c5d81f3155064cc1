//! INFO: which sections are asked for, and their order. The sections are in the files of `info/`.
//!
//! The names are Redis', because tools read them. A figure that has no counterpart here is shown with the value that a
//! Redis has that never used the feature. What always holds: INFO never waits for the gate, so a stalled disk does not
//! blind the operator.

pub mod memory;
mod persistence;
mod process;
mod statistics;

use std::fmt::{Display, Write};

use super::{Ctx, Failure};
use crate::engine::Engine;
use crate::engine::client::Client;

/// A section: its heading, whether it is shown unasked, and what writes it.
struct Section {
    heading: &'static str,
    is_default: bool,
    write: fn(&View<'_>, &mut Fields),
}

/// In the order in which they are shown.
const SECTIONS: [Section; 13] = [
    section("Server", true, process::server),
    section("Clients", true, process::clients),
    section("Memory", true, memory::memory),
    section("Persistence", true, persistence::persistence),
    section("Stats", true, statistics::stats),
    section("Replication", true, persistence::replication),
    section("CPU", true, process::cpu),
    section("Modules", true, |_, _| {}),
    section("Commandstats", false, statistics::commandstats),
    section("Errorstats", true, statistics::errorstats),
    section("Latencystats", false, statistics::latencystats),
    section("Cluster", true, |_, fields| fields.put("cluster_enabled", 0)),
    section("Keyspace", true, statistics::keyspace),
];

const fn section(heading: &'static str, is_default: bool, write: fn(&View<'_>, &mut Fields)) -> Section {
    Section { heading, is_default, write }
}

/// What the sections look at.
struct View<'a> {
    engine: &'a Engine,
    /// The connection that asks: it is out of the registry.
    client: &'a Client,
}

impl View<'_> {
    /// All connections, the one that asks last.
    fn clients(&self) -> impl Iterator<Item = &Client> {
        self.engine.clients.iter().chain(std::iter::once(self.client))
    }
}

/// The lines of the reply.
#[derive(Default)]
struct Fields(String);

impl Fields {
    fn put(&mut self, name: &str, value: impl Display) {
        self.line(format_args!("{name}:{value}"));
    }

    /// A number of bytes, exact and for people.
    fn put_bytes(&mut self, name: &str, bytes: u64) {
        self.put(name, bytes);
        self.put(&format!("{name}_human"), human(bytes));
    }

    fn line(&mut self, line: impl Display) {
        write!(self.0, "{line}\r\n").expect("writing to a String cannot fail");
    }
}

/// INFO [section …]
pub fn info(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    memory::sample(ctx.engine);
    let wanted = &arguments[1..];
    let named = |name: &str| wanted.iter().any(|word| word.eq_ignore_ascii_case(name.as_bytes()));
    let all = named("all") || named("everything");
    let default = wanted.is_empty() || named("default");
    let view = View { engine: &*ctx.engine, client: &*ctx.client };
    let mut fields = Fields::default();
    for section in &SECTIONS {
        if all || (default && section.is_default) || named(section.heading) {
            if !fields.0.is_empty() {
                fields.line("");
            }
            fields.line(format_args!("# {}", section.heading));
            (section.write)(&view, &mut fields);
        }
    }
    ctx.reply.verbatim("txt", fields.0.as_bytes());
    Ok(())
}

/// A number of bytes as Redis shows it to people.
fn human(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["K", "M", "G", "T", "P"];
    if bytes < 1024 {
        return format!("{bytes}B");
    }
    let mut value = bytes as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.2}{}", UNITS[unit])
}

/// `part` of `whole` in percent.
fn percent(part: u64, whole: u64) -> String {
    format!("{:.2}%", if whole == 0 { 0.0 } else { part as f64 * 100.0 / whole as f64 })
}

/// `a / b`, 0 without a `b`.
fn ratio(a: u64, b: u64) -> String {
    format!("{:.2}", if b == 0 { 0.0 } else { a as f64 / b as f64 })
}

#[cfg(test)]
#[path = "info/tests.rs"]
mod tests;
