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

/// All of them.
pub const NOT_ASKED: &[NotAsked] = &[
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
                && (any_word(argv, &["foo", "", "NOVALUES"])
                    || argv.get(1).is_some_and(|cursor| !cursor.first().is_some_and(u8::is_ascii_alphanumeric)))
        },
    },
    NotAsked {
        against: Against::Valkey,
        what: "CONFIG with `dynamic-hz`",
        reason: "Valkey 8.1 has dropped this parameter of Redis 7.2.",
        is: |argv, _| word(argv, 0, &["CONFIG"]) && any_word(argv, &["dynamic-hz"]),
    },
    NotAsked {
        against: Against::All,
        what: "OBJECT REFCOUNT inside MULTI",
        reason: "Redis counts the references that queued commands hold to their arguments.",
        is: |argv, in_transaction| in_transaction && word(argv, 0, &["OBJECT"]) && any_word(argv, &["REFCOUNT"]),
    },
    NotAsked {
        against: Against::Redis7,
        what: "SET IFEQ, CLIENT SETINFO, CLIENT NO-TOUCH, CLIENT KILL MAXAGE, WAITAOF, `set-max-listpack-*`",
        reason: "They are newer than 7.0.",
        is: |argv, _| {
            (word(argv, 0, &["SET"]) && any_word(argv, &["IFEQ"]))
                || word(argv, 0, &["WAITAOF"])
                || (word(argv, 0, &["CLIENT"]) && any_word(argv, &["SETINFO", "NO-TOUCH", "MAXAGE"]))
                || (word(argv, 0, &["CONFIG"]) && any_word(argv, &["set-max-listpack-entries"]))
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
    NotAsked {
        against: Against::Redis7,
        what: "CLIENT LIST, CLIENT INFO",
        reason: "7.2 has the fields `lib-name` and `lib-ver` beside those of 7.0.",
        is: |argv, _| word(argv, 0, &["CLIENT"]) && any_word(argv, &["LIST", "INFO"]),
    },
];
