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

/// When a section is shown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shown {
    /// Unasked.
    Default,
    /// With `all`, `everything` or its name.
    All,
    /// With its name only.
    Named,
}

/// A section: its heading, when it is shown, and what writes it.
struct Section {
    heading: &'static str,
    shown: Shown,
    write: fn(&View<'_>, &mut Fields),
}

/// In the order in which they are shown.
const SECTIONS: [Section; 14] = [
    section("Server", Shown::Default, process::server),
    section("Clients", Shown::Default, process::clients),
    section("Memory", Shown::Default, memory::memory),
    section("Persistence", Shown::Default, persistence::persistence),
    section("Stats", Shown::Default, statistics::stats),
    section("Replication", Shown::Default, persistence::replication),
    section("CPU", Shown::Default, process::cpu),
    section("Modules", Shown::Default, |_, _| {}),
    section("Commandstats", Shown::All, statistics::commandstats),
    section("Errorstats", Shown::Default, statistics::errorstats),
    section("Latencystats", Shown::All, statistics::latencystats),
    section("Cluster", Shown::Default, |_, fields| fields.put("cluster_enabled", 0)),
    section("Keyspace", Shown::Default, statistics::keyspace),
    section("Debug", Shown::Named, statistics::debug),
];

const fn section(heading: &'static str, shown: Shown, write: fn(&View<'_>, &mut Fields)) -> Section {
    Section { heading, shown, write }
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
        let unasked = (all && section.shown != Shown::Named) || (default && section.shown == Shown::Default);
        if unasked || named(section.heading) {
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
