//! The one table of how replies are compared other than byte for byte, and of accepted differences. The tests read
//! it, `docs/compatibility.md` shows it, and a test keeps the two equal.

use std::fmt::Write as _;

use super::super::support::reply::Value;
use super::compare;
use super::exceptions::EXCEPTIONS;
use super::not_asked::NOT_ASKED;

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
    Property { said: &'static str, holds: fn(Against, &[Vec<u8>], &Value, &Value) -> bool },
}

/// The oracles that a row is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Against {
    /// Each of them.
    All,
    /// Valkey 8.1, where it has left Redis 7.2; Redis 7.0 is compared exactly.
    Valkey,
    /// Redis 8.2, in sessions about what no other oracle knows: see `generate/newer.rs`.
    Redis8,
    /// Redis 7.0, where 7.2 has gone on; Valkey is compared exactly.
    Redis7,
}

impl Against {
    /// The rows that count when ackd is compared with the oracle of this name.
    pub fn oracle(name: &str) -> Self {
        match name {
            "redis7" => Self::Redis7,
            "redis8" => Self::Redis8,
            _ => Self::Valkey,
        }
    }

    pub fn covers(self, other: Self) -> bool {
        self == Self::All || self == other
    }

    pub fn shown(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Valkey => "Valkey 8.1",
            Self::Redis7 => "Redis 7.0",
            Self::Redis8 => "Redis 8.2",
        }
    }
}

/// One row.
pub struct Row {
    pub against: Against,
    /// The command, `*` for all commands, `name|*` for all subcommands.
    pub command: &'static str,
    pub how: How,
    pub reason: &'static str,
}

impl Row {
    pub fn concerns(&self, against: Against, name: &str) -> bool {
        if !self.against.covers(against) {
            return false;
        }
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

use Against::{All, Redis7, Redis8, Valkey};

const CLOCK: &str = "The two servers are asked at slightly different times.";
const ORDER: &str = "No order is promised; it depends on the hash table.";
const RANDOM: &str = "The reply is random.";
const OWN: &str = "The value is the server's own.";

/// All rows. The first one that holds counts.
pub const TABLE: &[Row] = &[
    Row { against: All, command: "ttl", how: How::Within(3), reason: CLOCK },
    Row { against: All, command: "pttl", how: How::Within(3000), reason: CLOCK },
    Row { against: All, command: "expiretime", how: How::Within(3), reason: CLOCK },
    Row { against: All, command: "pexpiretime", how: How::Within(3000), reason: CLOCK },
    Row { against: All, command: "object|idletime", how: How::Within(3), reason: CLOCK },
    Row { against: All, command: "time", how: How::Within(1_000_000), reason: CLOCK },
    Row {
        against: All,
        command: "lastsave",
        how: How::Within(1_000_000),
        reason: "It begins with the start of the server.",
    },
    Row { against: All, command: "httl", how: How::Within(3), reason: CLOCK },
    Row { against: All, command: "hpttl", how: How::Within(3000), reason: CLOCK },
    Row { against: All, command: "hexpiretime", how: How::Within(3), reason: CLOCK },
    Row { against: All, command: "hpexpiretime", how: How::Within(3000), reason: CLOCK },
    Row {
        against: All,
        command: "hgetall",
        how: How::Property { said: "pairs as sets", holds: compare::hash_pairs },
        reason: ORDER,
    },
    Row { against: All, command: "hkeys", how: How::Unordered, reason: ORDER },
    Row { against: All, command: "hvals", how: How::Unordered, reason: ORDER },
    Row {
        against: All,
        command: "hrandfield",
        how: How::Property {
            said: "the same form and length; as sets if all fields were asked for",
            holds: compare::drawn_fields,
        },
        reason: RANDOM,
    },
    Row {
        against: All,
        command: "hscan",
        how: How::Property { said: "a cursor and a list; as sets if it is the whole hash", holds: compare::hash_scan },
        reason: "Cursors belong to the hash table.",
    },
    Row { against: All, command: "keys", how: How::Unordered, reason: ORDER },
    Row { against: All, command: "smembers", how: How::Unordered, reason: ORDER },
    Row { against: All, command: "sinter", how: How::Unordered, reason: ORDER },
    Row { against: All, command: "sunion", how: How::Unordered, reason: ORDER },
    Row { against: All, command: "sdiff", how: How::Unordered, reason: ORDER },
    Row {
        against: All,
        command: "spop",
        how: How::Unordered,
        reason: "Sets that are popped as a whole have no order.",
    },
    Row {
        against: All,
        command: "srandmember",
        how: How::Property { said: "as many strings, different ones as sets", holds: compare::random_members },
        reason: "The reply is random; a test of its own checks that it is fair.",
    },
    Row {
        against: All,
        command: "sscan",
        how: How::Property { said: "a cursor and a list, of a small set as sets", holds: compare::element_scan },
        reason: "Cursors and pages belong to the hash table.",
    },
    Row {
        against: All,
        command: "scan",
        how: How::Property { said: "a cursor and a list", holds: compare::scan_call },
        reason: "Cursors belong to the hash table; whole iterations are compared as sets.",
    },
    Row {
        against: All,
        command: "zscan",
        how: How::Property { said: "equal pairs as sets, if both cursors are 0", holds: compare::pair_scan },
        reason: "Cursors and order belong to the hash table.",
    },
    Row {
        against: All,
        command: "zrandmember",
        how: How::Property { said: "the type of the reply, and of an array the length", holds: compare::random_scored },
        reason: RANDOM,
    },
    Row {
        against: Redis7,
        command: "z*",
        how: How::Property { said: "scores as numbers", holds: compare::same_numbers },
        reason: "Redis 7.0 writes them with 17 digits, later ones with as few as are needed.",
    },
    Row {
        against: Redis7,
        command: "bz*",
        how: How::Property { said: "scores as numbers", holds: compare::same_numbers },
        reason: "Redis 7.0 writes them with 17 digits, later ones with as few as are needed.",
    },
    Row {
        against: Redis7,
        command: "debug|digest",
        how: How::SameKind,
        reason: "Redis 7.0 writes scores into it with 17 digits.",
    },
    Row {
        against: Redis7,
        command: "debug|digest-value",
        how: How::SameKind,
        reason: "Redis 7.0 writes scores into it with 17 digits.",
    },
    Row {
        against: Redis7,
        command: "object|encoding",
        how: How::Texts { oracle: "\"listpack\"", tested: "\"skiplist\"" },
        reason: "Redis 7.0 does not look at all members of a ZADD before it adds the first.",
    },
    Row { against: All, command: "randomkey", how: How::SameKind, reason: RANDOM },
    Row { against: All, command: "client|id", how: How::SameKind, reason: OWN },
    Row {
        against: All,
        command: "client|list",
        how: How::Property {
            said: "exactly the fields of 7.2 in its order, equal where it can be",
            holds: compare::client_lines,
        },
        reason: "Addresses, ages and memory are the server's own.",
    },
    Row {
        against: All,
        command: "client|info",
        how: How::Property {
            said: "exactly the fields of 7.2 in its order, equal where it can be",
            holds: compare::client_lines,
        },
        reason: "Addresses, ages and memory are the server's own.",
    },
    Row {
        against: All,
        command: "hello",
        how: How::Property { said: "equal but for `id`, `version` and `ackd_version`", holds: compare::hello },
        reason: "Ids are the server's own; ackd names its own version beside Redis'.",
    },
    Row {
        against: All,
        command: "config|get",
        how: How::Property {
            said: "equal values for the names that both list, but for those named below",
            holds: compare::config_get,
        },
        reason: "The oracle has parameters that Redis 7.2 has not.",
    },
    Row {
        against: All,
        command: "client|unpause",
        how: How::Property { said: "equal; not when the answer comes", holds: |_, _, oracle, tested| oracle == tested },
        reason: "Under CLIENT PAUSE ALL, Redis lets it wait with the others; in ackd it ends the pause at once.",
    },
    Row {
        against: All,
        command: "debug|object",
        how: How::Property {
            said: "fields in Redis' order; serialized length at least as large",
            holds: compare::debug_object,
        },
        reason: "Addresses, references, clocks and compression are the server's own; Valkey 8.1 embeds by key and value together.",
    },
    Row {
        against: All,
        command: "debug|htstats",
        how: How::SameKind,
        reason: "It describes the server's own hash table.",
    },
    Row {
        against: All,
        command: "debug|htstats-key",
        how: How::SameKind,
        reason: "It describes the server's own hash table.",
    },
    Row {
        against: All,
        command: "info",
        how: How::SameKind,
        reason: "Values are the server's own; a test of its own checks the field names.",
    },
    Row {
        against: All,
        command: "sort*",
        how: How::Property { said: "as sets where BY leaves the order free", holds: compare::sorted_elements },
        reason: ORDER,
    },
    Row {
        against: All,
        command: "sort*",
        how: How::Property {
            said: "equal but for the order of what C takes for one string",
            holds: compare::sorted_texts,
        },
        reason: "Redis compares with `strcoll`, which ends at a zero byte, and its sort is not stable.",
    },
    Row {
        against: Redis7,
        command: "sort*",
        how: How::Texts { oracle: "-ERR One or more scores can*t be converted into double", tested: "*" },
        reason: "Redis 7.0 takes an overflow in an earlier command, such as INCRBYFLOAT, for one of its own.",
    },
    Row { against: All, command: "memory|usage", how: How::SameKind, reason: OWN },
    Row { against: All, command: "memory|stats", how: How::SameKind, reason: OWN },
    Row { against: All, command: "memory|doctor", how: How::SameKind, reason: OWN },
    Row { against: All, command: "lolwut", how: How::SameKind, reason: "Art is the server's own." },
    Row {
        against: All,
        command: "role",
        how: How::Within(i64::MAX),
        reason: "The replication offset counts the server's own stream.",
    },
    Row {
        against: All,
        command: "*|help",
        how: How::Property {
            said: "the first line, and no unknown subcommand, but for those named below",
            holds: compare::help,
        },
        reason: "The explanations are ackd's own words.",
    },
    Row {
        against: All,
        command: "command|count",
        how: How::SameKind,
        reason: "The oracle has commands that Redis 7.2 has not.",
    },
    Row {
        against: All,
        command: "command|list",
        how: How::Property { said: "no unknown command, but for those named below", holds: compare::command_list },
        reason: "The oracle has commands that Redis 7.2 has not.",
    },
    Row {
        against: All,
        command: "command|info",
        how: How::Property {
            said: "flags and categories as sets, no tip missing, the rest equal",
            holds: compare::command_info,
        },
        reason: "Flags and categories have no order; the oracle has other tips, and subcommands that Redis 7.2 has not.",
    },
    Row {
        against: All,
        command: "command|docs",
        how: How::Property {
            said: "equal `since`, `group` and `arguments`, but for those named below",
            holds: compare::command_docs,
        },
        reason: "Summaries are ackd's own words.",
    },
    Row {
        against: Valkey,
        command: "object|encoding",
        how: How::Property { said: "`embstr` and `raw` are one", holds: compare::string_encoding },
        reason: "Valkey 8.1 embeds by the length of key and value together, Redis by that of the value alone.",
    },
    Row {
        against: Redis8,
        command: "object|encoding",
        how: How::Property { said: "`embstr` and `raw` are one", holds: compare::string_encoding },
        reason: "Likewise.",
    },
    Row {
        against: Redis8,
        command: "object|encoding",
        how: How::Texts { oracle: "\"listpackex\"", tested: "\"listpack\"" },
        reason: "In Redis it is enough to ask for the expiry of a field, although none is given one.",
    },
    Row {
        against: Redis8,
        command: "object|encoding",
        how: How::Texts { oracle: "\"hashtable\"", tested: "\"listpack*\"" },
        reason: "In Redis a field whose time is up when it is set counts for a moment.",
    },
    Row { against: Redis8, command: "hello", how: How::SameKind, reason: "Redis 8 has modules." },
    Row {
        against: Redis7,
        command: "object|encoding",
        how: How::Texts { oracle: "\"hashtable\"", tested: "\"listpack\"" },
        reason: "Sets have a listpack since 7.2.",
    },
    Row {
        against: Redis7,
        command: "object|encoding",
        how: How::Texts { oracle: "\"quicklist\"", tested: "\"listpack\"" },
        reason: "Lists have a listpack since 7.2.",
    },
    Row {
        against: All,
        command: "object|refcount",
        how: How::Texts { oracle: ":1", tested: ":2147483647" },
        reason: "ackd shares all integers from 0 to 9999; Redis not those that COPY makes, Valkey 8.1 none.",
    },
    Row {
        against: All,
        command: "object|refcount",
        how: How::Texts { oracle: ":2", tested: ":1" },
        reason: "In Redis a value that was set in the same transaction is shared with the words of its command.",
    },
    Row {
        against: All,
        command: "geosearch",
        how: How::Property { said: "equal but for order and choice of members on one spot", holds: compare::places },
        reason: "Their distances are equal, and the sort of Redis is not stable.",
    },
    Row {
        against: All,
        command: "georadius*",
        how: How::Property { said: "equal but for order and choice of members on one spot", holds: compare::places },
        reason: "Likewise.",
    },
    Row {
        against: All,
        command: "z*",
        how: How::Property { said: "equal but for the sign of zero", holds: compare::scores },
        reason: "It is lost in a listpack, in Redis too, but not at the same moments: see above.",
    },
    Row {
        against: All,
        command: "xpending",
        how: How::Property { said: "equal; idle times within 3000", holds: compare::stream_times },
        reason: CLOCK,
    },
    Row {
        against: All,
        command: "xinfo|*",
        how: How::Property { said: "equal; times and idle times within 3000", holds: compare::stream_times },
        reason: CLOCK,
    },
    Row {
        against: Valkey,
        command: "xread",
        how: How::Property { said: "with `+`, no stream missing", holds: compare::last_entries },
        reason: "Behind the last entry that is there Redis 8 gives it, Valkey 8.1 only if no id was given since.",
    },
    Row {
        against: Valkey,
        command: "xread",
        how: How::Texts { oracle: "-ERR the stream last element ID is 0-0", tested: "*" },
        reason: "Valkey 8.1 says so of `+` where an empty stream was given an id; Redis 8 answers that there is nothing.",
    },
    Row {
        against: Redis8,
        command: "xdelex",
        how: How::Property {
            said: "equal; 2 may be -1 for an entry that is not there",
            holds: compare::deleted_entries,
        },
        reason: "With ACKED, Redis 8.2 says at times of an entry that is not there that it is still needed.",
    },
    Row {
        against: Redis8,
        command: "xread*",
        how: How::Texts { oracle: "-ERR Unbalanced*", tested: "-ERR Unbalanced*" },
        reason: "The wording is that of 7.2.",
    },
    Row {
        against: Redis7,
        command: "xread*",
        how: How::Texts { oracle: "-ERR Unbalanced*", tested: "-ERR Unbalanced*" },
        reason: "The wording is that of 7.2.",
    },
    Row { against: All, command: "object|freq", how: How::Within(255), reason: "The counter is raised by chance." },
    Row {
        against: Redis7,
        command: "object|idletime",
        how: How::SameKind,
        reason: "Integers that Redis shares have one idle time together, which begins with the server.",
    },
    Row {
        against: Valkey,
        command: "waitaof",
        how: How::Property { said: "the local part is 0 or 1", holds: compare::waitaof },
        reason: "ackd writes its log whatever `appendonly` says, so the local part can always be waited for.",
    },
];

/// The tables as `docs/compatibility.md` shows them.
pub fn markdown() -> String {
    let mut out = String::from("| command | oracle | compared | reason |\n|---|---|---|---|\n");
    let cell = |text: &str| text.replace('|', "\\|");
    for row in TABLE {
        let command = match row.command {
            "*" => "all commands".into(),
            name => format!("`{}`", name.to_uppercase().replace('|', " ")),
        };
        let (comparison, reason) = (cell(&row.comparison()), cell(row.reason));
        let _ = writeln!(out, "| {command} | {} | {comparison} | {reason} |", row.against.shown());
    }
    out.push_str("\nParts of replies that are left out of such a comparison:\n\n");
    out.push_str("| command | part | oracle | reason |\n|---|---|---|---|\n");
    for row in EXCEPTIONS {
        let command = row.command.to_uppercase().replace('|', " ");
        let (part, against) = (row.part.replace('|', " "), row.against.shown());
        let _ = writeln!(out, "| `{command}` | `{part}` | {against} | {} |", cell(row.reason));
    }
    out.push_str(
        "\nAn oracle is not asked for what it is known to answer otherwise than Redis 7.2; the other one is.\n\n",
    );
    out.push_str("| not asked | oracle | reason |\n|---|---|---|\n");
    for row in NOT_ASKED {
        let _ = writeln!(out, "| {} | {} | {} |", cell(row.what), row.against.shown(), cell(row.reason));
    }
    out
}
