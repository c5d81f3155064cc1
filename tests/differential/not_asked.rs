//! What an oracle is not asked, because it would answer otherwise than Redis 7.2 does and its state would then differ.
//! The other oracle is asked instead, so that nothing is left without a judge.

use super::accepted::Against;
use super::generate::{lists, scripts};

/// A kind of command lines that the generator leaves out.
pub struct NotAsked {
    pub against: Against,
    pub what: &'static str,
    pub reason: &'static str,
    /// True for the command line, given whether its connection is inside a transaction.
    pub is: fn(&[Vec<u8>], bool) -> bool,
}

fn word(argv: &[Vec<u8>], n: usize, words: &[&str]) -> bool {
    argv.get(n).is_some_and(|arg| words.iter().any(|word| arg.eq_ignore_ascii_case(word.as_bytes())))
}

fn any_word(argv: &[Vec<u8>], words: &[&str]) -> bool {
    (1..argv.len()).any(|n| word(argv, n, words))
}

fn is_integer(word: &[u8]) -> bool {
    std::str::from_utf8(word).is_ok_and(|text| text.parse::<i64>().is_ok_and(|value| value.to_string() == text))
}

/// Whether these words are a start, an end and a unit, as far as they go.
fn is_bit_range(words: &[Vec<u8>]) -> bool {
    words.len() <= 3 && words.iter().take(2).all(|word| is_integer(word)) && (words.len() < 3 || word(words, 2, UNITS))
}

const UNITS: &[&str] = &["BIT", "BYTE"];
const TYPES: &[&str] = &["string", "list", "set", "zset", "hash", "stream"];

fn has_odd_cursor(argv: &[Vec<u8>], _: bool) -> bool {
    word(argv, 0, &["HSCAN", "ZSCAN"])
        && argv.get(2).is_some_and(|cursor| !cursor.first().is_some_and(u8::is_ascii_alphanumeric))
}

fn is_newer_bitop(argv: &[Vec<u8>], _: bool) -> bool {
    word(argv, 0, &["BITOP"]) && word(argv, 1, &["DIFF", "DIFF1", "ANDOR", "ONE"])
}

const FIELD_EXPIRY: &[&str] = &[
    "HEXPIRE",
    "HPEXPIRE",
    "HEXPIREAT",
    "HPEXPIREAT",
    "HPERSIST",
    "HTTL",
    "HPTTL",
    "HEXPIRETIME",
    "HPEXPIRETIME",
    "HGETEX",
    "HSETEX",
    "HGETDEL",
];

fn waits_in_script(argv: &[Vec<u8>], _: bool) -> bool {
    scripts::called(argv)
        .is_some_and(|called| lists::is_blocking(called) || word(called, 0, &["BZPOPMIN", "BZPOPMAX", "BZMPOP"]))
}

/// All of them.
pub const NOT_ASKED: &[NotAsked] = &[
    NotAsked {
        against: Against::Redis7,
        what: "blocking commands called by scripts",
        reason: "7.2 lets scripts call them; they do not wait there.",
        is: waits_in_script,
    },
    NotAsked {
        against: Against::All,
        what: "CONFIG SET with `appendfsync` inside MULTI",
        reason: "ackd refuses a change there: its reply has to wait until the log is written so, and EXEC cannot wait.",
        is: |argv, in_transaction| {
            in_transaction && word(argv, 0, &["CONFIG"]) && word(argv, 1, &["SET"]) && any_word(argv, &["appendfsync"])
        },
    },
    NotAsked {
        against: Against::Valkey,
        what: "MULTI and WATCH inside MULTI",
        reason: "Valkey 8.1 refuses them as commands and aborts the transaction; Redis answers and goes on.",
        is: |argv, in_transaction| in_transaction && word(argv, 0, &["MULTI", "WATCH"]),
    },
    NotAsked {
        against: Against::Valkey,
        what: "READONLY, READWRITE",
        reason: "Without cluster support Valkey 8.1 answers OK, Redis with an error.",
        is: |argv, _| word(argv, 0, &["READONLY", "READWRITE"]),
    },
    NotAsked {
        against: Against::Valkey,
        what: "SCAN with an unknown TYPE, with NOVALUES, or with a cursor that does not begin with a digit",
        reason: "Valkey 8.1 refuses such types, and reads cursors by other rules.",
        is: |argv, _| {
            word(argv, 0, &["SCAN"])
                && (any_word(argv, &["NOVALUES"])
                    || (1..argv.len()).any(|n| word(argv, n, &["TYPE"]) && !word(argv, n + 1, TYPES))
                    || argv.get(1).is_some_and(|cursor| !cursor.first().is_some_and(u8::is_ascii_alphanumeric)))
        },
    },
    NotAsked {
        against: Against::Valkey,
        what: "SSCAN with NOVALUES, or with a cursor that does not begin with a digit",
        reason: "The error of Valkey 8.1 is another one, and it reads cursors by other rules.",
        is: |argv, _| {
            word(argv, 0, &["SSCAN"])
                && (any_word(argv, &["NOVALUES"])
                    || argv.get(2).is_some_and(|cursor| !cursor.first().is_some_and(u8::is_ascii_alphanumeric)))
        },
    },
    NotAsked {
        against: Against::Valkey,
        what: "CLIENT LIST and CLIENT KILL with something else than an id after ID",
        reason: "Valkey 8.1 takes several ids there, has other errors, and CLIENT LIST all filters of CLIENT KILL.",
        is: |argv, _| {
            word(argv, 0, &["CLIENT"])
                && (word(argv, 1, &["LIST"]) && any_word(argv, &["0", "-1", "x", "99999999", "FOO"])
                    || word(argv, 1, &["KILL"]) && any_word(argv, &["ID"]) && any_word(argv, &["x", "-1", "99999999"]))
        },
    },
    NotAsked {
        against: Against::Redis7,
        what: "CONFIG SET `maxmemory 1`",
        reason: "While memory is full Redis 7.0 refuses every command inside MULTI; later ones refuse those that need memory.",
        is: |argv, _| word(argv, 0, &["CONFIG"]) && word(argv, 2, &["maxmemory"]) && word(argv, 3, &["1"]),
    },
    NotAsked {
        against: Against::Valkey,
        what: "CONFIG with `dynamic-hz` or `maxmemory-samples`",
        reason: "Valkey 8.1 has dropped the first, and takes no more than 64 as the second.",
        is: |argv, _| word(argv, 0, &["CONFIG"]) && any_word(argv, &["dynamic-hz", "maxmemory-samples"]),
    },
    NotAsked {
        against: Against::Valkey,
        what: "BITCOUNT with a start but no end, or with a wrong end and a wrong unit",
        reason: "In Valkey 8.1 the end may be left out, and the unit is looked at before it.",
        is: |argv, _| {
            word(argv, 0, &["BITCOUNT"])
                && (argv.len() == 3 || argv.len() == 5 && !is_integer(&argv[3]) && !word(argv, 4, UNITS))
        },
    },
    NotAsked {
        against: Against::Valkey,
        what: "BITOP with DIFF, DIFF1, ANDOR or ONE",
        reason: "They are of Redis 8.2, which is asked in sessions of its own.",
        is: is_newer_bitop,
    },
    NotAsked {
        against: Against::Redis7,
        what: "BITOP with DIFF, DIFF1, ANDOR or ONE",
        reason: "They are of Redis 8.2, which is asked in sessions of its own.",
        is: is_newer_bitop,
    },
    NotAsked {
        against: Against::Redis8,
        what: "XCLAIM with LASTID",
        reason: "When a group was moved by it, Redis 8.2 may still take entries behind it for needed, and ACKED keeps them.",
        is: |argv, _| word(argv, 0, &["XCLAIM"]) && any_word(argv, &["LASTID"]),
    },
    NotAsked {
        against: Against::All,
        what: "PFDEBUG SIMD with another word than ON or OFF",
        reason: "Valkey 8.1 and Redis 8.2 give two replies.",
        is: |argv, _| word(argv, 0, &["PFDEBUG"]) && word(argv, 1, &["SIMD"]) && !word(argv, 2, &["ON", "OFF"]),
    },
    NotAsked {
        against: Against::Redis7,
        what: "PFDEBUG SIMD, and BITCOUNT and BITPOS with something that is no range",
        reason: "The first is newer than 7.0, where the others look at the key before they look at the range.",
        is: |argv, _| {
            (word(argv, 0, &["PFDEBUG"]) && word(argv, 1, &["SIMD"]))
                || (word(argv, 0, &["BITCOUNT"]) && argv.len() > 2 && (argv.len() == 3 || !is_bit_range(&argv[2..])))
                || (word(argv, 0, &["BITPOS"]) && argv.len() > 3 && !is_bit_range(&argv[3..]))
        },
    },
    NotAsked {
        against: Against::All,
        what: "ZRANDMEMBER for more than 1,000 members that may repeat",
        reason: "A reply takes as much memory as it is asked for.",
        is: |argv, _| {
            let count =
                argv.get(2).and_then(|count| std::str::from_utf8(count).ok()).and_then(|count| count.parse().ok());
            word(argv, 0, &["ZRANDMEMBER"]) && count.is_some_and(|count: i64| count > i64::MIN && count < -1000)
        },
    },
    NotAsked {
        against: Against::Valkey,
        what: "ZSCAN with NOSCORES or NOVALUES",
        reason: "The first is newer than 7.2, and the second has a text of its own there.",
        is: |argv, _| word(argv, 0, &["ZSCAN"]) && any_word(argv, &["NOSCORES", "NOVALUES"]),
    },
    NotAsked {
        against: Against::Valkey,
        what: "ranges of sorted sets with a negative offset after LIMIT",
        reason: "Of a large one Valkey 8.1 answers its last members; Redis 7 answers none, whatever the size.",
        is: |argv, _| {
            argv.first().is_some_and(|name| name.to_ascii_uppercase().starts_with(b"Z"))
                && (1..argv.len()).any(|n| {
                    word(argv, n, &["LIMIT"]) && argv.get(n + 1).is_some_and(|offset| offset.starts_with(b"-"))
                })
        },
    },
    NotAsked {
        against: Against::Redis7,
        what: "ZRANK and ZREVRANK with an option",
        reason: "WITHSCORE is newer than 7.0.",
        is: |argv, _| word(argv, 0, &["ZRANK", "ZREVRANK"]) && argv.len() > 3,
    },
    NotAsked {
        against: Against::All,
        what: "LSET with an index that needs more than 32 bits",
        reason: "Redis cuts it to 32 bits, and so changes an element that was not meant; ackd says that it is out of range.",
        is: |argv, _| {
            let index = argv.get(2).and_then(|index| std::str::from_utf8(index).ok()?.parse::<i64>().ok());
            word(argv, 0, &["LSET"]) && index.is_some_and(|index| i32::try_from(index).is_err())
        },
    },
    NotAsked {
        against: Against::Valkey,
        what: "HSCAN, ZSCAN with a cursor that does not begin with a digit",
        reason: "As with SCAN.",
        is: has_odd_cursor,
    },
    NotAsked {
        against: Against::Redis8,
        what: "HSCAN with a cursor that does not begin with a digit",
        reason: "As with SCAN of Valkey 8.1.",
        is: has_odd_cursor,
    },
    NotAsked {
        against: Against::All,
        what: "XSETID with ENTRIESADDED, XGROUP with ENTRIESREAD, XCLAIM with RETRYCOUNT 9223372036854775807",
        reason: "What comes next makes Redis' counter negative; ackd's stays at the largest number.",
        is: |argv, _| {
            const COUNTERS: &[&str] = &["ENTRIESADDED", "ENTRIESREAD", "RETRYCOUNT"];
            (2..argv.len()).any(|n| word(argv, n - 1, COUNTERS) && argv[n] == b"9223372036854775807")
        },
    },
    NotAsked {
        against: Against::Redis8,
        what: "CONFIG SET with `stream-node-max-entries`",
        reason: "Trimming with ACKED, Redis 8.2 looks no further than the first node from which it takes only a part.",
        is: |argv, _| word(argv, 0, &["CONFIG"]) && any_word(argv, &["stream-node-max-entries"]),
    },
    NotAsked {
        against: Against::Redis8,
        what: "XGROUP with ENTRIESREAD",
        reason: "Redis 8.2 keeps no more than the stream has had; 7.2 keeps what it is given, and Valkey decides.",
        is: |argv, _| word(argv, 0, &["XGROUP"]) && any_word(argv, &["ENTRIESREAD"]),
    },
    NotAsked {
        against: Against::Valkey,
        what: "The expiry of fields",
        reason: "Valkey 8.1 has no such commands. Redis 8.2 is asked, in sessions of its own.",
        is: |argv, _| word(argv, 0, FIELD_EXPIRY),
    },
    NotAsked {
        against: Against::Redis7,
        what: "The expiry of fields, HSCAN with NOVALUES",
        reason: "They are newer than 7.0.",
        is: |argv, _| word(argv, 0, FIELD_EXPIRY) || (word(argv, 0, &["HSCAN"]) && any_word(argv, &["NOVALUES"])),
    },
    NotAsked {
        against: Against::Redis7,
        what: "LPOS with the smallest of all ranks, LREM with the smallest of all counts",
        reason: "Their opposites cannot be written down; Redis 7.0 takes them all the same, later ones refuse them.",
        is: |argv, _| word(argv, 0, &["LPOS", "LREM"]) && any_word(argv, &["-9223372036854775808"]),
    },
    NotAsked {
        against: Against::Redis7,
        what: "Commands that wait without end",
        reason: "Redis 7.0 gives the client the key that became ready first; since 7.2 its command is run anew, and takes the \
                 first of its own keys that has something.",
        is: |argv, _| word(argv, 0, &["BLPOP", "BRPOP", "BLMPOP", "BLMOVE", "BRPOPLPUSH"]) && any_word(argv, &["0"]),
    },
    NotAsked {
        against: Against::Redis7,
        what: "Commands that wait, with a time too long to be written down",
        reason: "Redis 7.0 counts it over and says that it is negative; later ones say that it is out of range.",
        is: |argv, _| {
            word(argv, 0, &["BLPOP", "BRPOP", "BLMPOP", "BLMOVE", "BRPOPLPUSH", "BZPOPMIN", "BZPOPMAX", "BZMPOP"])
                && any_word(argv, &["inf", "1e30", "1e400", "9223372036854775807"])
        },
    },
    NotAsked {
        against: Against::All,
        what: "OBJECT REFCOUNT inside MULTI",
        reason: "Redis counts the references that queued commands hold to their arguments.",
        is: |argv, in_transaction| in_transaction && word(argv, 0, &["OBJECT"]) && any_word(argv, &["REFCOUNT"]),
    },
    NotAsked {
        against: Against::All,
        what: "DEBUG RELOAD, DEBUG LOADAOF",
        reason: "Representations are chosen anew by what is loaded: in Redis a snapshot, in ackd snapshot and log. Tests of their own.",
        is: |argv, _| word(argv, 0, &["DEBUG"]) && any_word(argv, &["RELOAD", "LOADAOF"]),
    },
    NotAsked {
        against: Against::Redis7,
        what: "CLIENT NO-EVICT",
        reason: "In 7.0, RESET leaves it on.",
        is: |argv, _| word(argv, 0, &["CLIENT"]) && word(argv, 1, &["NO-EVICT"]),
    },
    NotAsked {
        against: Against::Redis7,
        what: "SET IFEQ, CLIENT SETINFO, CLIENT NO-TOUCH, CLIENT KILL MAXAGE, WAITAOF, DEBUG DICT-RESIZING, \
               `set-max-listpack-*`, the choices of `loglevel`",
        reason: "They are newer than 7.0.",
        is: |argv, _| {
            (word(argv, 0, &["SET"]) && any_word(argv, &["IFEQ"]))
                || word(argv, 0, &["WAITAOF"])
                || (word(argv, 0, &["DEBUG"]) && any_word(argv, &["DICT-RESIZING"]))
                || (word(argv, 0, &["CLIENT"]) && any_word(argv, &["SETINFO", "NO-TOUCH", "MAXAGE"]))
                || (word(argv, 0, &["CONFIG"])
                    && any_word(argv, &["set-max-listpack-entries", "set-max-listpack-value", "loud"]))
        },
    },
    NotAsked {
        against: Against::Redis7,
        what: "DEBUG LISTPACK, DEBUG HTSTATS-KEY",
        reason: "Small sets are hash tables there.",
        is: |argv, _| word(argv, 0, &["DEBUG"]) && word(argv, 1, &["LISTPACK", "HTSTATS-KEY"]),
    },
    NotAsked {
        against: Against::Redis7,
        what: "XCLAIM, XAUTOCLAIM, XINFO, XGROUP CREATECONSUMER, XSETID, `+` as an id of XREAD and XREADGROUP",
        reason: "7.0 makes a consumer only when it gets something, has no `inactive` and `active-time`, counts the lag in \
                 another way, looks at the last entry first, and does not know `+`.",
        is: |argv, _| {
            word(argv, 0, &["XCLAIM", "XAUTOCLAIM", "XSETID"])
                || word(argv, 0, &["XINFO"])
                || (word(argv, 0, &["XGROUP"]) && word(argv, 1, &["CREATECONSUMER"]))
                || (word(argv, 0, &["XREAD", "XREADGROUP"]) && any_word(argv, &["+"]))
        },
    },
    NotAsked {
        against: Against::Redis7,
        what: "COMMAND INFO, COMMAND DOCS, COMMAND LIST, COMMAND GETKEYS",
        reason: "The table of 7.2 has other arities, flags, tips and texts than that of 7.0.",
        is: |argv, _| {
            word(argv, 0, &["COMMAND"]) && any_word(argv, &["INFO", "DOCS", "LIST", "GETKEYS", "GETKEYSANDFLAGS"])
        },
    },
];
