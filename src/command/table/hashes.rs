//! Table rows: the commands on hashes.

use super::super::spec::{
    ACCESS, Arg, DELETE, DENYOOM, FAST, Group, INSERT, KeySpec, READONLY, RO, RW, Spec, UPDATE, WRITE, acl, block,
    double, integer, key, one_of, pattern, string, unix_time, word,
};
use crate::command::{field_times, hash_counters, hash_iteration, hashes, timed_fields};

const CONDITION: Arg =
    one_of("condition", &[word("nx", "NX"), word("xx", "XX"), word("gt", "GT"), word("lt", "LT")]).optional();
const DATA: Arg = block("data", &[string("field"), string("value")]).multiple();
const FIELDS: Arg = block("fields", &[integer("numfields"), string("field").multiple()]).token("FIELDS");

const HASH: &[super::super::spec::Categories] = &[acl::HASH];

/// Rows, by name.
pub static HASHES: &[Spec] = &[
    Spec::new("hdel", -3, Group::Hash, "2.0.0")
        .about("Removes fields from a hash, and the key with the last one.", "O(N) in the number of fields given")
        .flags(&[WRITE, FAST])
        .acl(HASH)
        .keys(&[KeySpec::one(1, &[RW, DELETE])])
        .args(&[key("key", 0), string("field").multiple()])
        .history(&[("2.4.0", "several fields at once")])
        .handler(hashes::hdel),
    Spec::new("hexists", 3, Group::Hash, "2.0.0")
        .about("Says whether a hash has a field.", "O(1)")
        .flags(&[READONLY, FAST])
        .acl(HASH)
        .keys(&[KeySpec::one(1, &[RO])])
        .args(&[key("key", 0), string("field")])
        .handler(hashes::hexists),
    Spec::new("hexpire", -6, Group::Hash, "7.4.0")
        .about("Lets fields expire after some seconds.", "O(N) in the number of fields given")
        .flags(&[WRITE, FAST])
        .acl(HASH)
        .keys(&[KeySpec::one(1, &[RW, UPDATE])])
        .args(&[key("key", 0), integer("seconds"), CONDITION, FIELDS])
        .handler(field_times::hexpire),
    Spec::new("hexpireat", -6, Group::Hash, "7.4.0")
        .about("Lets fields expire at a moment given in seconds since 1970.", "O(N) in the number of fields given")
        .flags(&[WRITE, FAST])
        .acl(HASH)
        .keys(&[KeySpec::one(1, &[RW, UPDATE])])
        .args(&[key("key", 0), unix_time("unix-time-seconds"), CONDITION, FIELDS])
        .handler(field_times::hexpireat),
    Spec::new("hexpiretime", -5, Group::Hash, "7.4.0")
        .about("Gives the moments at which fields expire, in seconds since 1970.", "O(N) in the number of fields given")
        .flags(&[READONLY, FAST])
        .acl(HASH)
        .keys(&[KeySpec::one(1, &[RO, ACCESS])])
        .args(&[key("key", 0), FIELDS])
        .handler(field_times::hexpiretime),
    Spec::new("hget", 3, Group::Hash, "2.0.0")
        .about("Gives the value of a field.", "O(1)")
        .flags(&[READONLY, FAST])
        .acl(HASH)
        .keys(&[KeySpec::one(1, &[RO, ACCESS])])
        .args(&[key("key", 0), string("field")])
        .handler(hashes::hget),
    Spec::new("hgetall", 2, Group::Hash, "2.0.0")
        .about("Gives all fields of a hash with their values.", "O(N) in the number of fields")
        .flags(&[READONLY])
        .acl(HASH)
        .keys(&[KeySpec::one(1, &[RO, ACCESS])])
        .args(&[key("key", 0)])
        .tips(&["nondeterministic_output_order"])
        .handler(hashes::hgetall),
    Spec::new("hgetdel", -5, Group::Hash, "8.0.0")
        .about(
            "Gives the values of fields and removes these, and the key with the last one.",
            "O(N) in the number of fields given",
        )
        .flags(&[WRITE, FAST])
        .acl(HASH)
        .keys(&[KeySpec::one(1, &[RW, ACCESS, DELETE])])
        .args(&[key("key", 0), FIELDS])
        .handler(timed_fields::hgetdel),
    Spec::new("hgetex", -5, Group::Hash, "8.0.0")
        .about("Gives the values of fields and sets or removes their expiry.", "O(N) in the number of fields given")
        .flags(&[WRITE, FAST])
        .acl(HASH)
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
            FIELDS,
        ])
        .handler(timed_fields::hgetex),
    Spec::new("hincrby", 4, Group::Hash, "2.0.0")
        .about("Adds a number to an integer in a field; a missing field counts as 0.", "O(1)")
        .flags(&[WRITE, DENYOOM, FAST])
        .acl(HASH)
        .keys(&[KeySpec::one(1, &[RW, ACCESS, UPDATE])])
        .args(&[key("key", 0), string("field"), integer("increment")])
        .handler(hash_counters::hincrby),
    Spec::new("hincrbyfloat", 4, Group::Hash, "2.6.0")
        .about("Adds a floating-point number to one in a field; a missing field counts as 0.", "O(1)")
        .flags(&[WRITE, DENYOOM, FAST])
        .acl(HASH)
        .keys(&[KeySpec::one(1, &[RW, ACCESS, UPDATE])])
        .args(&[key("key", 0), string("field"), double("increment")])
        .handler(hash_counters::hincrbyfloat),
    Spec::new("hkeys", 2, Group::Hash, "2.0.0")
        .about("Gives all fields of a hash.", "O(N) in the number of fields")
        .flags(&[READONLY])
        .acl(HASH)
        .keys(&[KeySpec::one(1, &[RO, ACCESS])])
        .args(&[key("key", 0)])
        .tips(&["nondeterministic_output_order"])
        .handler(hashes::hkeys),
    Spec::new("hlen", 2, Group::Hash, "2.0.0")
        .about("Counts the fields of a hash.", "O(1)")
        .flags(&[READONLY, FAST])
        .acl(HASH)
        .keys(&[KeySpec::one(1, &[RO])])
        .args(&[key("key", 0)])
        .handler(hashes::hlen),
    Spec::new("hmget", -3, Group::Hash, "2.0.0")
        .about("Gives the values of several fields.", "O(N) in the number of fields given")
        .flags(&[READONLY, FAST])
        .acl(HASH)
        .keys(&[KeySpec::one(1, &[RO, ACCESS])])
        .args(&[key("key", 0), string("field").multiple()])
        .handler(hashes::hmget),
    Spec::new("hmset", -4, Group::Hash, "2.0.0")
        .about("Sets several fields of a hash.", "O(N) in the number of fields given")
        .flags(&[WRITE, DENYOOM, FAST])
        .acl(HASH)
        .keys(&[KeySpec::one(1, &[RW, UPDATE])])
        .args(&[key("key", 0), DATA])
        .deprecated("4.0.0", "`HSET` with multiple field-value pairs")
        .handler(hashes::hmset),
    Spec::new("hpersist", -5, Group::Hash, "7.4.0")
        .about("Removes the expiry of fields.", "O(N) in the number of fields given")
        .flags(&[WRITE, FAST])
        .acl(HASH)
        .keys(&[KeySpec::one(1, &[RW, UPDATE])])
        .args(&[key("key", 0), FIELDS])
        .handler(field_times::hpersist),
    Spec::new("hpexpire", -6, Group::Hash, "7.4.0")
        .about("Lets fields expire after some milliseconds.", "O(N) in the number of fields given")
        .flags(&[WRITE, FAST])
        .acl(HASH)
        .keys(&[KeySpec::one(1, &[RW, UPDATE])])
        .args(&[key("key", 0), integer("milliseconds"), CONDITION, FIELDS])
        .handler(field_times::hpexpire),
    Spec::new("hpexpireat", -6, Group::Hash, "7.4.0")
        .about("Lets fields expire at a moment given in milliseconds since 1970.", "O(N) in the number of fields given")
        .flags(&[WRITE, FAST])
        .acl(HASH)
        .keys(&[KeySpec::one(1, &[RW, UPDATE])])
        .args(&[key("key", 0), unix_time("unix-time-milliseconds"), CONDITION, FIELDS])
        .handler(field_times::hpexpireat),
    Spec::new("hpexpiretime", -5, Group::Hash, "7.4.0")
        .about(
            "Gives the moments at which fields expire, in milliseconds since 1970.",
            "O(N) in the number of fields given",
        )
        .flags(&[READONLY, FAST])
        .acl(HASH)
        .keys(&[KeySpec::one(1, &[RO, ACCESS])])
        .args(&[key("key", 0), FIELDS])
        .handler(field_times::hpexpiretime),
    Spec::new("hpttl", -5, Group::Hash, "7.4.0")
        .about("Gives how long fields still live, in milliseconds.", "O(N) in the number of fields given")
        .flags(&[READONLY, FAST])
        .acl(HASH)
        .keys(&[KeySpec::one(1, &[RO, ACCESS])])
        .args(&[key("key", 0), FIELDS])
        .tips(&["nondeterministic_output"])
        .handler(field_times::hpttl),
    Spec::new("hrandfield", -2, Group::Hash, "6.2.0")
        .about("Gives fields of a hash at random.", "O(N) in the number of fields returned")
        .flags(&[READONLY])
        .acl(HASH)
        .keys(&[KeySpec::one(1, &[RO, ACCESS])])
        .args(&[
            key("key", 0),
            block("options", &[integer("count"), word("withvalues", "WITHVALUES").optional()]).optional(),
        ])
        .tips(&["nondeterministic_output"])
        .handler(hash_iteration::hrandfield),
    Spec::new("hscan", -3, Group::Hash, "2.8.0")
        .about("Walks through the fields of a hash, some at a time.", "O(1) a call; O(N) for a whole walk")
        .flags(&[READONLY])
        .acl(HASH)
        .keys(&[KeySpec::one(1, &[RO, ACCESS])])
        .args(&[
            key("key", 0),
            integer("cursor"),
            pattern("pattern").token("MATCH").optional(),
            integer("count").token("COUNT").optional(),
            word("novalues", "NOVALUES").optional(),
        ])
        .tips(&["nondeterministic_output"])
        .handler(hash_iteration::hscan),
    Spec::new("hset", -4, Group::Hash, "2.0.0")
        .about("Sets fields of a hash, which is made if the key is missing.", "O(N) in the number of fields given")
        .flags(&[WRITE, DENYOOM, FAST])
        .acl(HASH)
        .keys(&[KeySpec::one(1, &[RW, UPDATE])])
        .args(&[key("key", 0), DATA])
        .history(&[("4.0.0", "several fields at once")])
        .handler(hashes::hset),
    Spec::new("hsetex", -6, Group::Hash, "8.0.0")
        .about("Sets fields of a hash together with their expiry.", "O(N) in the number of fields given")
        .flags(&[WRITE, DENYOOM, FAST])
        .acl(HASH)
        .keys(&[KeySpec::one(1, &[RW, UPDATE])])
        .args(&[
            key("key", 0),
            one_of("condition", &[word("fnx", "FNX"), word("fxx", "FXX")]).optional(),
            one_of(
                "expiration",
                &[
                    integer("seconds").token("EX"),
                    integer("milliseconds").token("PX"),
                    unix_time("unix-time-seconds").token("EXAT"),
                    unix_time("unix-time-milliseconds").token("PXAT"),
                    word("keepttl", "KEEPTTL"),
                ],
            )
            .optional(),
            block("fields", &[integer("numfields"), DATA]).token("FIELDS"),
        ])
        .handler(timed_fields::hsetex),
    Spec::new("hsetnx", 4, Group::Hash, "2.0.0")
        .about("Sets a field of a hash, if it has none of that name.", "O(1)")
        .flags(&[WRITE, DENYOOM, FAST])
        .acl(HASH)
        .keys(&[KeySpec::one(1, &[RW, INSERT])])
        .args(&[key("key", 0), string("field"), string("value")])
        .handler(hashes::hsetnx),
    Spec::new("hstrlen", 3, Group::Hash, "3.2.0")
        .about("Gives the length of the value of a field.", "O(1)")
        .flags(&[READONLY, FAST])
        .acl(HASH)
        .keys(&[KeySpec::one(1, &[RO])])
        .args(&[key("key", 0), string("field")])
        .handler(hashes::hstrlen),
    Spec::new("httl", -5, Group::Hash, "7.4.0")
        .about("Gives how long fields still live, in seconds.", "O(N) in the number of fields given")
        .flags(&[READONLY, FAST])
        .acl(HASH)
        .keys(&[KeySpec::one(1, &[RO, ACCESS])])
        .args(&[key("key", 0), FIELDS])
        .tips(&["nondeterministic_output"])
        .handler(field_times::httl),
    Spec::new("hvals", 2, Group::Hash, "2.0.0")
        .about("Gives all values of a hash.", "O(N) in the number of fields")
        .flags(&[READONLY])
        .acl(HASH)
        .keys(&[KeySpec::one(1, &[RO, ACCESS])])
        .args(&[key("key", 0)])
        .tips(&["nondeterministic_output_order"])
        .handler(hashes::hvals),
];
