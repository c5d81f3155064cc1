//! Table rows: the string commands.

use super::super::spec::{
    ACCESS, DELETE, DENYOOM, FAST, Group, INSERT, KeySpec, OW, READONLY, RM, RO, RW, Spec, UPDATE, VARIABLE_FLAGS,
    WRITE, acl, block, double, integer, key, one_of, string, unix_time, word,
};
use crate::command::{counters, key_positions, lcs, set, strings};

/// Rows, by name.
pub static STRINGS: &[Spec] = &[
    Spec::new("append", 3, Group::String, "2.0.0")
        .about("Adds bytes to the end of a string, which begins empty if the key is missing.", "O(1), amortized")
        .flags(&[WRITE, DENYOOM, FAST])
        .acl(&[acl::STRING])
        .keys(&[KeySpec::one(1, &[RW, INSERT])])
        .args(&[key("key", 0), string("value")])
        .handler(strings::append),
    Spec::new("decr", 2, Group::String, "1.0.0")
        .about("Subtracts one from an integer; a missing key counts as 0.", "O(1)")
        .flags(&[WRITE, DENYOOM, FAST])
        .acl(&[acl::STRING])
        .keys(&[KeySpec::one(1, &[RW, ACCESS, UPDATE])])
        .args(&[key("key", 0)])
        .handler(counters::decr),
    Spec::new("decrby", 3, Group::String, "1.0.0")
        .about("Subtracts a number from an integer; a missing key counts as 0.", "O(1)")
        .flags(&[WRITE, DENYOOM, FAST])
        .acl(&[acl::STRING])
        .keys(&[KeySpec::one(1, &[RW, ACCESS, UPDATE])])
        .args(&[key("key", 0), integer("decrement")])
        .handler(counters::decrby),
    Spec::new("delifeq", 3, Group::String, "9.0.0")
        .about("Deletes a key if its string equals the given one, as the release of a lock needs it.", "O(1)")
        .flags(&[WRITE])
        .acl(&[acl::STRING])
        .keys(&[KeySpec::one(1, &[RM, ACCESS, DELETE])])
        .args(&[key("key", 0), string("value")])
        .handler(strings::delifeq),
    Spec::new("get", 2, Group::String, "1.0.0")
        .about("Gives the string at a key.", "O(1)")
        .flags(&[READONLY, FAST])
        .acl(&[acl::STRING])
        .keys(&[KeySpec::one(1, &[RO, ACCESS])])
        .args(&[key("key", 0)])
        .handler(strings::get),
    Spec::new("getdel", 2, Group::String, "6.2.0")
        .about("Gives the string at a key and deletes the key.", "O(1)")
        .flags(&[WRITE, FAST])
        .acl(&[acl::STRING])
        .keys(&[KeySpec::one(1, &[RW, ACCESS, DELETE])])
        .args(&[key("key", 0)])
        .handler(strings::getdel),
    Spec::new("getex", -2, Group::String, "6.2.0")
        .about("Gives the string at a key and sets or removes its expiry.", "O(1)")
        .flags(&[WRITE, FAST])
        .acl(&[acl::STRING])
        .keys(&[KeySpec::one(1, &[RW, ACCESS, UPDATE]).notes("RW and UPDATE because it changes the TTL")])
        .args(&[
            key("key", 0),
            one_of(
                "expiration",
                &[
                    integer("seconds").token("EX"),
                    integer("milliseconds").token("PX"),
                    unix_time("unix-time-seconds").token("EXAT"),
                    unix_time("unix-time-milliseconds").token("PXAT"),
                    word("persist", "PERSIST"),
                ],
            )
            .optional(),
        ])
        .handler(set::getex),
    Spec::new("getrange", 4, Group::String, "2.4.0")
        .about("Gives a part of a string by its first and last offset.", "O(N) in the number of bytes returned")
        .flags(&[READONLY])
        .acl(&[acl::STRING])
        .keys(&[KeySpec::one(1, &[RO, ACCESS])])
        .args(&[key("key", 0), integer("start"), integer("end")])
        .handler(strings::getrange),
    Spec::new("getset", 3, Group::String, "1.0.0")
        .about("Stores a string and gives the one that was there before.", "O(1)")
        .flags(&[WRITE, DENYOOM, FAST])
        .acl(&[acl::STRING])
        .keys(&[KeySpec::one(1, &[RW, ACCESS, UPDATE])])
        .args(&[key("key", 0), string("value")])
        .deprecated("6.2.0", "`SET` with the `!GET` argument")
        .handler(set::getset),
    Spec::new("incr", 2, Group::String, "1.0.0")
        .about("Adds one to an integer; a missing key counts as 0.", "O(1)")
        .flags(&[WRITE, DENYOOM, FAST])
        .acl(&[acl::STRING])
        .keys(&[KeySpec::one(1, &[RW, ACCESS, UPDATE])])
        .args(&[key("key", 0)])
        .handler(counters::incr),
    Spec::new("incrby", 3, Group::String, "1.0.0")
        .about("Adds a number to an integer; a missing key counts as 0.", "O(1)")
        .flags(&[WRITE, DENYOOM, FAST])
        .acl(&[acl::STRING])
        .keys(&[KeySpec::one(1, &[RW, ACCESS, UPDATE])])
        .args(&[key("key", 0), integer("increment")])
        .handler(counters::incrby),
    Spec::new("incrbyfloat", 3, Group::String, "2.6.0")
        .about("Adds a floating-point number to a number; a missing key counts as 0.", "O(1)")
        .flags(&[WRITE, DENYOOM, FAST])
        .acl(&[acl::STRING])
        .keys(&[KeySpec::one(1, &[RW, ACCESS, UPDATE])])
        .args(&[key("key", 0), double("increment")])
        .handler(counters::incrbyfloat),
    Spec::new("lcs", -3, Group::String, "7.0.0")
        .about("Finds the longest common subsequence of two strings.", "O(N*M) in the lengths of the two strings")
        .flags(&[READONLY])
        .acl(&[acl::STRING])
        .keys(&[KeySpec::range(1, 1, 1, &[RO, ACCESS])])
        .args(&[
            key("key1", 0),
            key("key2", 0),
            word("len", "LEN").optional(),
            word("idx", "IDX").optional(),
            integer("min-match-len").token("MINMATCHLEN").optional(),
            word("withmatchlen", "WITHMATCHLEN").optional(),
        ])
        .handler(lcs::lcs),
    Spec::new("mget", -2, Group::String, "1.0.0")
        .about("Gives the strings at several keys, all of the same moment.", "O(N) in the number of keys")
        .flags(&[READONLY, FAST])
        .acl(&[acl::STRING])
        .keys(&[KeySpec::range(1, -1, 1, &[RO, ACCESS])])
        .args(&[key("key", 0).multiple()])
        .tips(&["request_policy:multi_shard"])
        .handler(strings::mget),
    Spec::new("mset", -3, Group::String, "1.0.1")
        .about("Stores several strings at once.", "O(N) in the number of keys")
        .flags(&[WRITE, DENYOOM])
        .acl(&[acl::STRING])
        .keys(&[KeySpec::range(1, -1, 2, &[OW, UPDATE])])
        .args(&[block("data", &[key("key", 0), string("value")]).multiple()])
        .tips(&["request_policy:multi_shard", "response_policy:all_succeeded"])
        .handler(strings::mset),
    Spec::new("msetnx", -3, Group::String, "1.0.1")
        .about("Stores several strings at once if none of the keys exists.", "O(N) in the number of keys")
        .flags(&[WRITE, DENYOOM])
        .acl(&[acl::STRING])
        .keys(&[KeySpec::range(1, -1, 2, &[OW, INSERT])])
        .args(&[block("data", &[key("key", 0), string("value")]).multiple()])
        .handler(strings::msetnx),
    Spec::new("psetex", 4, Group::String, "2.6.0")
        .about("Stores a string that expires after some milliseconds.", "O(1)")
        .flags(&[WRITE, DENYOOM])
        .acl(&[acl::STRING])
        .keys(&[KeySpec::one(1, &[OW, UPDATE])])
        .args(&[key("key", 0), integer("milliseconds"), string("value")])
        .deprecated("2.6.12", "`SET` with the `PX` argument")
        .handler(set::psetex),
    Spec::new("set", -3, Group::String, "1.0.0")
        .about("Stores a string, whatever was there, with conditions and an expiry if wanted.", "O(1)")
        .flags(&[WRITE, DENYOOM])
        .acl(&[acl::STRING])
        .keys(&[KeySpec::one(1, &[RW, ACCESS, UPDATE, VARIABLE_FLAGS])
            .notes("RW and ACCESS due to the optional `GET` argument")])
        .finds_keys_by(key_positions::set)
        .args(&[
            key("key", 0),
            string("value"),
            one_of(
                "condition",
                &[
                    word("nx", "NX").since("2.6.12"),
                    word("xx", "XX").since("2.6.12"),
                    string("comparison-value")
                        .token("IFEQ")
                        .since("8.1.0")
                        .summary("The string that the key must hold."),
                ],
            )
            .optional(),
            word("get", "GET").optional().since("6.2.0"),
            one_of(
                "expiration",
                &[
                    integer("seconds").token("EX").since("2.6.12"),
                    integer("milliseconds").token("PX").since("2.6.12"),
                    unix_time("unix-time-seconds").token("EXAT").since("6.2.0"),
                    unix_time("unix-time-milliseconds").token("PXAT").since("6.2.0"),
                    word("keepttl", "KEEPTTL").since("6.0.0"),
                ],
            )
            .optional(),
        ])
        .history(&[
            ("2.6.12", "EX, PX, NX and XX"),
            ("6.0.0", "KEEPTTL"),
            ("6.2.0", "GET, EXAT and PXAT"),
            ("7.0.0", "NX together with GET"),
            ("8.1.0", "IFEQ"),
        ])
        .handler(set::set),
    Spec::new("setex", 4, Group::String, "2.0.0")
        .about("Stores a string that expires after some seconds.", "O(1)")
        .flags(&[WRITE, DENYOOM])
        .acl(&[acl::STRING])
        .keys(&[KeySpec::one(1, &[OW, UPDATE])])
        .args(&[key("key", 0), integer("seconds"), string("value")])
        .deprecated("2.6.12", "`SET` with the `EX` argument")
        .handler(set::setex),
    Spec::new("setnx", 3, Group::String, "1.0.0")
        .about("Stores a string if the key does not exist.", "O(1)")
        .flags(&[WRITE, DENYOOM, FAST])
        .acl(&[acl::STRING])
        .keys(&[KeySpec::one(1, &[OW, INSERT])])
        .args(&[key("key", 0), string("value")])
        .deprecated("2.6.12", "`SET` with the `NX` argument")
        .handler(set::setnx),
    Spec::new("setrange", 4, Group::String, "2.2.0")
        .about(
            "Writes bytes into a string at an offset, filling any gap with zeros.",
            "O(N) in the number of bytes written",
        )
        .flags(&[WRITE, DENYOOM])
        .acl(&[acl::STRING])
        .keys(&[KeySpec::one(1, &[RW, UPDATE])])
        .args(&[key("key", 0), integer("offset"), string("value")])
        .handler(strings::setrange),
    Spec::new("strlen", 2, Group::String, "2.2.0")
        .about("Gives the length of a string in bytes.", "O(1)")
        .flags(&[READONLY, FAST])
        .acl(&[acl::STRING])
        .keys(&[KeySpec::one(1, &[RO])])
        .args(&[key("key", 0)])
        .handler(strings::strlen),
    Spec::new("substr", 4, Group::String, "1.0.0")
        .about("Gives a part of a string by its first and last offset.", "O(N) in the number of bytes returned")
        .flags(&[READONLY])
        .acl(&[acl::STRING])
        .keys(&[KeySpec::one(1, &[RO, ACCESS])])
        .args(&[key("key", 0), integer("start"), integer("end")])
        .deprecated("2.0.0", "`GETRANGE`")
        .handler(strings::getrange),
];
