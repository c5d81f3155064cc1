//! What an oracle is not asked, because it would answer otherwise than Redis 7.2 does and its state would then differ.
//! The other oracle is asked instead, so that nothing is left without a judge.

use super::accepted::Against;

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

const TYPES: &[&str] = &["string", "list", "set", "zset", "hash", "stream"];

/// All of them.
pub const NOT_ASKED: &[NotAsked] = &[
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
        what: "CLIENT LIST and CLIENT KILL with something else than an id after ID",
        reason: "Valkey 8.1 takes several ids there, has other errors, and CLIENT LIST all filters of CLIENT KILL.",
        is: |argv, _| {
            word(argv, 0, &["CLIENT"])
                && (word(argv, 1, &["LIST"]) && any_word(argv, &["0", "-1", "x", "99999999", "FOO"])
                    || word(argv, 1, &["KILL"]) && any_word(argv, &["ID"]) && any_word(argv, &["x", "-1", "99999999"]))
        },
    },
    NotAsked {
        against: Against::Valkey,
        what: "CONFIG with `dynamic-hz` or `maxmemory-samples`",
        reason: "Valkey 8.1 has dropped the first, and takes no more than 64 as the second.",
        is: |argv, _| word(argv, 0, &["CONFIG"]) && any_word(argv, &["dynamic-hz", "maxmemory-samples"]),
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
            word(argv, 0, &["BLPOP", "BRPOP", "BLMPOP", "BLMOVE", "BRPOPLPUSH"]) && any_word(argv, &["inf", "1e30"])
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
        reason: "Redis loads a snapshot, which chooses representations anew; ackd loads its log. Tests of their own.",
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
        what: "COMMAND INFO, COMMAND DOCS, COMMAND LIST, COMMAND GETKEYS",
        reason: "The table of 7.2 has other arities, flags, tips and texts than that of 7.0.",
        is: |argv, _| {
            word(argv, 0, &["COMMAND"]) && any_word(argv, &["INFO", "DOCS", "LIST", "GETKEYS", "GETKEYSANDFLAGS"])
        },
    },
];
