//! What a run has really exercised: per command and option, how many replies were successful and not empty.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::super::support::reply::Value;
use super::compare::command_name;

/// Options per command; an option counts when its word stands among the arguments.
const OPTIONS: &[(&str, &[&str])] = &[
    ("set", &["NX", "XX", "IFEQ", "GET", "EX", "PX", "EXAT", "PXAT", "KEEPTTL"]),
    ("getex", &["EX", "PX", "EXAT", "PXAT", "PERSIST"]),
    ("lcs", &["LEN", "IDX", "MINMATCHLEN", "WITHMATCHLEN"]),
    ("expire", &["NX", "XX", "GT", "LT"]),
    ("pexpire", &["NX", "XX", "GT", "LT"]),
    ("expireat", &["NX", "XX", "GT", "LT"]),
    ("pexpireat", &["NX", "XX", "GT", "LT"]),
    ("hexpire", &["NX", "XX", "GT", "LT"]),
    ("hpexpire", &["NX", "XX", "GT", "LT"]),
    ("hexpireat", &["NX", "XX", "GT", "LT"]),
    ("hpexpireat", &["NX", "XX", "GT", "LT"]),
    ("hgetex", &["EX", "PX", "EXAT", "PXAT", "PERSIST"]),
    ("hsetex", &["FNX", "FXX", "EX", "PX", "EXAT", "PXAT", "KEEPTTL"]),
    ("hrandfield", &["WITHVALUES"]),
    ("hscan", &["MATCH", "COUNT", "NOVALUES"]),
    ("copy", &["DB", "REPLACE"]),
    ("scan", &["MATCH", "COUNT", "TYPE"]),
    ("sort", &["BY", "GET", "LIMIT", "ASC", "DESC", "ALPHA"]),
    ("sort_ro", &["BY", "GET", "LIMIT", "ASC", "DESC", "ALPHA"]),
    ("memory|usage", &["SAMPLES"]),
    ("sscan", &["MATCH", "COUNT"]),
    ("sintercard", &["LIMIT"]),
    ("zadd", &["NX", "XX", "GT", "LT", "CH", "INCR"]),
    ("zrank", &["WITHSCORE"]),
    ("zrevrank", &["WITHSCORE"]),
    ("zrange", &["BYSCORE", "BYLEX", "REV", "LIMIT", "WITHSCORES"]),
    ("zrevrange", &["WITHSCORES"]),
    ("zrangebyscore", &["LIMIT", "WITHSCORES"]),
    ("zrevrangebyscore", &["LIMIT", "WITHSCORES"]),
    ("zrangebylex", &["LIMIT"]),
    ("zrevrangebylex", &["LIMIT"]),
    ("zrangestore", &["BYSCORE", "BYLEX", "REV", "LIMIT"]),
    ("zmpop", &["MIN", "MAX", "COUNT"]),
    ("bzmpop", &["MIN", "MAX", "COUNT"]),
    ("zunion", &["WEIGHTS", "AGGREGATE", "SUM", "MIN", "MAX", "WITHSCORES"]),
    ("zinter", &["WEIGHTS", "AGGREGATE", "SUM", "MIN", "MAX", "WITHSCORES"]),
    ("zdiff", &["WITHSCORES"]),
    ("zunionstore", &["WEIGHTS", "AGGREGATE", "SUM", "MIN", "MAX"]),
    ("zinterstore", &["WEIGHTS", "AGGREGATE", "SUM", "MIN", "MAX"]),
    ("zintercard", &["LIMIT"]),
    ("zrandmember", &["WITHSCORES"]),
    ("zscan", &["MATCH", "COUNT"]),
    ("geoadd", &["NX", "XX", "CH"]),
    ("geodist", &["M", "KM", "FT", "MI"]),
    (
        "geosearch",
        &[
            "FROMMEMBER",
            "FROMLONLAT",
            "BYRADIUS",
            "BYBOX",
            "WITHDIST",
            "WITHHASH",
            "WITHCOORD",
            "ASC",
            "DESC",
            "COUNT",
            "ANY",
        ],
    ),
    ("geosearchstore", &["FROMMEMBER", "FROMLONLAT", "BYRADIUS", "BYBOX", "STOREDIST", "ASC", "DESC", "COUNT", "ANY"]),
    ("georadius", &["STORE", "STOREDIST", "WITHDIST", "WITHHASH", "WITHCOORD", "ASC", "DESC", "COUNT", "ANY"]),
    ("georadius_ro", &["WITHDIST", "WITHHASH", "WITHCOORD", "ASC", "DESC", "COUNT", "ANY"]),
    ("georadiusbymember", &["STORE", "STOREDIST", "WITHDIST", "WITHHASH", "WITHCOORD", "ASC", "DESC", "COUNT", "ANY"]),
    ("georadiusbymember_ro", &["WITHDIST", "WITHHASH", "WITHCOORD", "ASC", "DESC", "COUNT", "ANY"]),
    ("flushall", &["ASYNC", "SYNC"]),
    ("flushdb", &["ASYNC", "SYNC"]),
    ("xadd", &["NOMKSTREAM", "MAXLEN", "MINID", "=", "~", "LIMIT", "*", "KEEPREF", "DELREF", "ACKED"]),
    ("xtrim", &["MAXLEN", "MINID", "=", "~", "LIMIT", "KEEPREF", "DELREF", "ACKED"]),
    ("xdelex", &["KEEPREF", "DELREF", "ACKED"]),
    ("xackdel", &["KEEPREF", "DELREF", "ACKED"]),
    ("xrange", &["COUNT"]),
    ("xrevrange", &["COUNT"]),
    ("xread", &["COUNT", "$", "+"]),
    ("xreadgroup", &["COUNT", "NOACK", ">"]),
    ("xsetid", &["ENTRIESADDED", "MAXDELETEDID"]),
    ("xpending", &["IDLE"]),
    ("xclaim", &["IDLE", "TIME", "RETRYCOUNT", "FORCE", "JUSTID", "LASTID"]),
    ("xautoclaim", &["COUNT", "JUSTID"]),
    ("xgroup|create", &["MKSTREAM", "ENTRIESREAD"]),
    ("xgroup|setid", &["ENTRIESREAD"]),
    ("xinfo|stream", &["FULL", "COUNT"]),
    ("client|kill", &["ID", "ADDR", "LADDR", "TYPE", "USER", "SKIPME", "MAXAGE"]),
    ("client|list", &["ID", "TYPE"]),
    ("client|pause", &["WRITE", "ALL"]),
    ("client|unblock", &["TIMEOUT", "ERROR"]),
    ("client|no-evict", &["ON", "OFF"]),
    ("client|no-touch", &["ON", "OFF"]),
    ("client|setinfo", &["LIB-NAME", "LIB-VER"]),
    ("lpos", &["RANK", "COUNT", "MAXLEN"]),
    ("linsert", &["BEFORE", "AFTER"]),
    ("lmove", &["LEFT", "RIGHT"]),
    ("blmove", &["LEFT", "RIGHT"]),
    ("lmpop", &["LEFT", "RIGHT", "COUNT"]),
    ("blmpop", &["LEFT", "RIGHT", "COUNT"]),
    ("hello", &["2", "3", "SETNAME", "AUTH"]),
    ("command|list", &["ACLCAT", "PATTERN", "MODULE"]),
    ("lolwut", &["VERSION"]),
    ("bitcount", &["BYTE", "BIT"]),
    ("bitpos", &["BYTE", "BIT"]),
    ("bitop", &["AND", "OR", "XOR", "NOT", "DIFF", "DIFF1", "ANDOR", "ONE"]),
    ("bitfield", &["GET", "SET", "INCRBY", "WRAP", "SAT", "FAIL"]),
    ("pfdebug", &["GETREG", "DECODE", "ENCODING", "TODENSE", "SIMD"]),
];

/// Commands whose success is a zero, an empty list or an empty string, so that no fruitful reply can be asked for.
const ZERO_IS_SUCCESS: &[&str] = &[
    "wait",
    "waitaof",
    "module|list",
    "client|unblock",
    "client|kill",
    "client|getredir",
    "script|exists",
    "debug|replicate",
    "client|getname",
    "object|idletime",
];

/// Types with their encodings.
const ENCODINGS: &[(&str, &[&str])] = &[
    ("string", &["int", "embstr", "raw"]),
    ("list", &["listpack", "quicklist"]),
    ("set", &["intset", "listpack", "hashtable"]),
    ("zset", &["listpack", "skiplist"]),
    ("hash", &["listpack", "hashtable"]),
    ("stream", &["stream"]),
];

/// A command is for a type when one in so many of the keys that it met was of it.
const IS_FOR: u64 = 10;

/// Counts per command, and per command and option.
#[derive(Clone, Debug, Default)]
pub struct Coverage {
    counts: BTreeMap<String, Count>,
    /// Commands sent in all.
    pub commands: u64,
}

/// What came of the calls of one command or option.
#[derive(Clone, Debug, Default)]
pub struct Count {
    pub calls: u64,
    pub fruitful: u64,
    pub errors: u64,
    /// Of the fruitful ones those that met a key of this type and encoding, in sessions that look.
    pub met: BTreeMap<String, u64>,
}

impl Count {
    fn add(&mut self, fruitful: bool, error: bool, met: &BTreeSet<String>) {
        self.calls += 1;
        self.fruitful += u64::from(fruitful);
        self.errors += u64::from(error);
        if fruitful {
            for encoding in met {
                *self.met.entry(encoding.clone()).or_default() += 1;
            }
        }
    }
}

impl Coverage {
    /// Notes one reply, and the types and encodings that the command's keys had (`set listpack`).
    pub fn note(&mut self, argv: &[Vec<u8>], reply: &Value, met: &BTreeSet<String>) {
        self.commands += 1;
        if matches!(reply, Value::Simple(text) if text == b"QUEUED") {
            return;
        }
        let name = command_name(argv);
        if reply.is_error() && String::from_utf8_lossy(reply.bytes().unwrap_or_default()).contains("unknown") {
            return;
        }
        let fruitful = is_fruitful(reply) || (!reply.is_error() && ZERO_IS_SUCCESS.contains(&name.as_str()));
        let error = reply.is_error();
        if let Some((_, options)) = OPTIONS.iter().find(|(command, _)| *command == name) {
            let first = if name.contains('|') { 2 } else { 1 };
            for option in *options {
                if argv.iter().skip(first).any(|arg| arg.eq_ignore_ascii_case(option.as_bytes())) {
                    self.entry(format!("{name} {option}")).add(fruitful, error, met);
                }
            }
        }
        self.entry(name).add(fruitful, error, met);
    }

    fn entry(&mut self, label: String) -> &mut Count {
        self.counts.entry(label).or_default()
    }

    pub fn merge(&mut self, other: &Self) {
        self.commands += other.commands;
        for (label, count) in &other.counts {
            let entry = self.entry(label.clone());
            entry.calls += count.calls;
            entry.fruitful += count.fruitful;
            entry.errors += count.errors;
            for (encoding, met) in &count.met {
                *entry.met.entry(encoding.clone()).or_default() += met;
            }
        }
    }

    /// Labels with fewer fruitful replies than asked for, in all or on an encoding of a type that the command is for.
    pub fn below(&self, minimum: u64) -> Vec<String> {
        let mut found = Vec::new();
        for (label, count) in &self.counts {
            if count.fruitful < minimum {
                found.push(format!("{label}: {} of {} calls", count.fruitful, count.calls));
                continue;
            }
            for (name, encodings) in ENCODINGS {
                let met = |encoding: &&str| count.met.get(&format!("{name} {encoding}")).copied().unwrap_or(0);
                let is_for = encodings.iter().map(met).sum::<u64>() * IS_FOR > count.met.values().sum();
                for encoding in encodings.iter().filter(|encoding| is_for && met(encoding) < minimum) {
                    found.push(format!("{label}, {name} {encoding}: {}", met(encoding)));
                }
            }
        }
        found
    }

    pub fn markdown(&self) -> String {
        let mut out = String::from(
            "| command or option | calls | successful, not empty | errors | of these met |\n|---|---:|---:|---:|---|\n",
        );
        for (label, count) in &self.counts {
            let shown: String = match label.split_once(' ') {
                Some((name, option)) => format!("{} `{option}`", name.to_uppercase().replace('|', " ")),
                None => format!("**{}**", label.to_uppercase().replace('|', " ")),
            };
            let shown: String = shown.chars().map(|c| if c.is_control() { '?' } else { c }).collect();
            let met: Vec<String> = count.met.iter().map(|(encoding, n)| format!("{encoding} {n}")).collect();
            let (calls, fruitful, errors) = (count.calls, count.fruitful, count.errors);
            let _ = writeln!(out, "| {shown} | {calls} | {fruitful} | {errors} | {} |", met.join(", "));
        }
        out
    }
}

/// True for a reply that carries an answer: no error, no nil, no empty string or collection, and no number that says
/// "nothing there" (0, -1, -2). Coverage counts only these.
fn is_fruitful(reply: &Value) -> bool {
    match reply {
        Value::Error(_) | Value::BulkError(_) | Value::NullBulk | Value::NullArray | Value::Null => false,
        Value::Simple(b) => b != b"QUEUED",
        Value::Bulk(b) | Value::Double(b) | Value::BigNumber(b) | Value::Verbatim(b) => !b.is_empty(),
        Value::Integer(n) => !matches!(n, -2..=0),
        Value::Boolean(b) => *b,
        Value::Array(items) | Value::Set(items) | Value::Push(items) => items.iter().any(|item| !item.is_null()),
        Value::Map(pairs) => !pairs.is_empty(),
        Value::Attribute(_, value) => is_fruitful(value),
    }
}
