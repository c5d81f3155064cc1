//! The one table of how replies are compared other than byte for byte, and of accepted differences. The tests read
//! it, `docs/compatibility.md` shows it, and a test keeps the two equal.

use std::fmt::Write as _;

use super::super::support::reply::Value;
use super::compare;

/// How the replies of a command are compared when they are not equal.
pub enum How {
    /// As sets.
    Unordered,
    /// As numbers (alone, in strings or in arrays) that differ by no more than this.
    Within(i64),
    /// Only by their type: the value is the server's own.
    SameKind,
    /// Exactly these replies (`*` stands for anything).
    Texts { oracle: &'static str, tested: &'static str },
    /// By a property, said in words.
    Property { said: &'static str, holds: fn(&[Vec<u8>], &Value, &Value) -> bool },
}

/// One row.
pub struct Row {
    /// The command, `*` for all commands, `name|*` for all subcommands.
    pub command: &'static str,
    pub how: How,
    pub reason: &'static str,
}

impl Row {
    pub fn concerns(&self, name: &str) -> bool {
        match self.command.split_once('*') {
            Some((start, end)) => name.starts_with(start) && name.ends_with(end),
            None => self.command == name,
        }
    }

    fn comparison(&self) -> String {
        match &self.how {
            How::Unordered => "as sets".into(),
            How::Within(tolerance) => format!("numbers within {tolerance}"),
            How::SameKind => "the type of the reply".into(),
            How::Texts { oracle, tested } => format!("oracle `{oracle}`, ackd `{tested}`"),
            How::Property { said, .. } => (*said).into(),
        }
    }
}

const CLOCK: &str = "The two servers are asked at slightly different times.";
const ORDER: &str = "No order is promised; it depends on the hash table.";
const RANDOM: &str = "The reply is random.";
const OWN: &str = "The value is the server's own.";

/// All rows. The first one that holds counts.
pub const TABLE: &[Row] = &[
    Row { command: "ttl", how: How::Within(3), reason: CLOCK },
    Row { command: "pttl", how: How::Within(3000), reason: CLOCK },
    Row { command: "expiretime", how: How::Within(3), reason: CLOCK },
    Row { command: "pexpiretime", how: How::Within(3000), reason: CLOCK },
    Row { command: "object|idletime", how: How::Within(3), reason: CLOCK },
    Row { command: "time", how: How::Within(1_000_000), reason: CLOCK },
    Row { command: "lastsave", how: How::Within(1_000_000), reason: "It begins with the start of the server." },
    Row { command: "keys", how: How::Unordered, reason: ORDER },
    Row {
        command: "scan",
        how: How::Property { said: "a cursor and a list", holds: compare::scan_call },
        reason: "Cursors belong to the hash table; whole iterations are compared as sets.",
    },
    Row { command: "randomkey", how: How::SameKind, reason: RANDOM },
    Row { command: "client|id", how: How::SameKind, reason: OWN },
    Row {
        command: "client|list",
        how: How::Property { said: "every field of 7.2 in its order, equal where it can be", holds: compare::client_lines },
        reason: "Addresses, ages and memory are the server's own.",
    },
    Row {
        command: "client|info",
        how: How::Property { said: "every field of 7.2 in its order, equal where it can be", holds: compare::client_lines },
        reason: "Addresses, ages and memory are the server's own.",
    },
    Row {
        command: "hello",
        how: How::Property { said: "equal but for `id` and `ackd_version`", holds: compare::hello },
        reason: "Ids are the server's own; ackd names its own version beside Redis'.",
    },
    Row {
        command: "config|get",
        how: How::Property { said: "equal values for the names that both list", holds: compare::config_get },
        reason: "The oracle has parameters that Redis 7.2 has not; directories and ports are the server's own.",
    },
    Row {
        command: "debug|object",
        how: How::Property {
            said: "fields in Redis' order; refcount and serialized length equal",
            holds: compare::debug_object,
        },
        reason: "Addresses and clocks are the server's own; Valkey 8.1 embeds by key and value together.",
    },
    Row { command: "debug|htstats", how: How::SameKind, reason: "It describes the server's own hash table." },
    Row { command: "info", how: How::SameKind, reason: "Values are the server's own; a test of its own checks the field names." },
    Row { command: "lolwut", how: How::SameKind, reason: "Art is the server's own." },
    Row {
        command: "role",
        how: How::Within(i64::MAX),
        reason: "The replication offset counts the server's own stream.",
    },
    Row {
        command: "*|help",
        how: How::Property { said: "the first line, and no unknown subcommand", holds: compare::help },
        reason: "The explanations are ackd's own words.",
    },
    Row {
        command: "command|count",
        how: How::SameKind,
        reason: "The oracle has commands that Redis 7.2 has not.",
    },
    Row {
        command: "command|list",
        how: How::Property { said: "no unknown command", holds: compare::command_list },
        reason: "The oracle has commands that Redis 7.2 has not.",
    },
    Row {
        command: "command|info",
        how: How::Property { said: "flags, categories and tips as sets, the rest equal", holds: compare::command_info },
        reason: "Flags and categories have no order; the oracle has subcommands that Redis 7.2 has not.",
    },
    Row {
        command: "command|docs",
        how: How::Property { said: "equal `since`, `group` and `arguments`", holds: compare::command_docs },
        reason: "Summaries are ackd's own words.",
    },
];

/// The table as `docs/compatibility.md` shows it.
pub fn markdown() -> String {
    let mut out = String::from("| command | compared | reason |\n|---|---|---|\n");
    let cell = |text: &str| text.replace('|', "\\|");
    for row in TABLE {
        let command = match row.command {
            "*" => "all commands".into(),
            name => format!("`{}`", name.to_uppercase().replace('|', " ")),
        };
        let _ = writeln!(out, "| {command} | {} | {} |", cell(&row.comparison()), cell(row.reason));
    }
    out
}
