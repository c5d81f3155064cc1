//! Parts of replies that are not compared although the rest is: named one by one, each with its reason. The comparing
//! functions ask [`is_left_out`], `docs/compatibility.md` shows the table.

use super::accepted::Against::{self, All, Redis7, Redis8, Valkey};

/// A part of the replies of a command.
pub struct Exception {
    pub against: Against,
    pub command: &'static str,
    /// A parameter, a field, a flag with its command, … as the comparing function calls it.
    pub part: &'static str,
    pub reason: &'static str,
}

const fn left_out(against: Against, command: &'static str, part: &'static str, reason: &'static str) -> Exception {
    Exception { against, command, part, reason }
}

const OWN_PLACE: &str = "It is where the server runs.";
const OWN_COMMAND: &str = "It is ackd's own.";
const NEWER: &str = "It is newer than 7.0.";
const OF_REDIS_8: &str = "It is of Redis 7.4 and 8.";
const OF_8_2: &str = "It is of Redis 8.2, which Valkey 8.1 has not followed.";
const AFTER_7_2: &str = "Valkey 8.1 has changed it since 7.2.";

/// All of them.
pub const EXCEPTIONS: &[Exception] = &[
    left_out(All, "config|get", "dir", OWN_PLACE),
    left_out(All, "config|get", "port", OWN_PLACE),
    left_out(Valkey, "config|get", "syslog-ident", "It is the name of the program."),
    left_out(Valkey, "client|list", "multi", "Valkey 8.1 shows 0 after a transaction, and drops what can only fail."),
    left_out(Valkey, "client|list", "multi-mem", "Likewise."),
    left_out(All, "client|list", "argv-mem with ID", "The ids themselves are part of it, and not equally long."),
    left_out(All, "client|list", "argv-mem in EXEC", "Redis counts what it has rewritten of the commands before."),
    left_out(Redis8, "xinfo", "lag", "Redis 8.2 counts differently after a trim; 7.2 and Valkey 8.1 decide."),
    left_out(Redis7, "client|list", "lib-name", NEWER),
    left_out(Redis7, "client|list", "lib-ver", NEWER),
    left_out(Valkey, "command|info", "flag no_multi of multi", AFTER_7_2),
    left_out(Valkey, "command|info", "flag no_multi of watch", AFTER_7_2),
    left_out(Valkey, "command|info", "flag skip_slowlog", "Valkey 8.1 calls it skip_commandlog."),
    left_out(Valkey, "command|docs", "arguments of client|kill", AFTER_7_2),
    left_out(Valkey, "command|docs", "arguments of client|list", AFTER_7_2),
    left_out(Valkey, "command|docs", "arguments of shutdown", AFTER_7_2),
    left_out(Valkey, "command|docs", "arguments of zscan", AFTER_7_2),
    left_out(Valkey, "command|docs", "arguments of bitcount", AFTER_7_2),
    left_out(Valkey, "command|docs", "arguments of bitop", "Redis 8.2 has more operations."),
    left_out(Valkey, "command|docs", "arguments of xadd", OF_8_2),
    left_out(Valkey, "command|docs", "arguments of xtrim", OF_8_2),
    left_out(All, "command|list", "delifeq", OWN_COMMAND),
    left_out(All, "command|list", "xackdel", OF_8_2),
    left_out(All, "command|list", "xdelex", OF_8_2),
    left_out(All, "command|list", "client|durability", OWN_COMMAND),
    left_out(Valkey, "command|list", "hexpire", OF_REDIS_8),
    left_out(Valkey, "command|list", "hpexpire", OF_REDIS_8),
    left_out(Valkey, "command|list", "hexpireat", OF_REDIS_8),
    left_out(Valkey, "command|list", "hpexpireat", OF_REDIS_8),
    left_out(Valkey, "command|list", "hpersist", OF_REDIS_8),
    left_out(Valkey, "command|list", "httl", OF_REDIS_8),
    left_out(Valkey, "command|list", "hpttl", OF_REDIS_8),
    left_out(Valkey, "command|list", "hexpiretime", OF_REDIS_8),
    left_out(Valkey, "command|list", "hpexpiretime", OF_REDIS_8),
    left_out(Valkey, "command|list", "hgetex", OF_REDIS_8),
    left_out(Valkey, "command|list", "hsetex", OF_REDIS_8),
    left_out(Valkey, "command|list", "hgetdel", OF_REDIS_8),
    left_out(All, "client|help", "DURABILITY", OWN_COMMAND),
    left_out(Redis7, "client|help", "NO-TOUCH", NEWER),
    left_out(Redis7, "client|help", "SETINFO", NEWER),
    left_out(Redis7, "script|help", "SHOW", "It is of Valkey 8."),
    left_out(All, "debug|help", "all subcommands", "Each version has others."),
    left_out(Redis7, "hello", "<proto> in an error text", "The wording is that of 7.2."),
];

/// Whether a part of the replies of a command is not compared.
pub fn is_left_out(against: Against, command: &str, part: &str) -> bool {
    let mut rows = EXCEPTIONS.iter();
    rows.any(|row| row.against.covers(against) && row.command == command && row.part == part)
}
