//! Table rows: the commands on keys of any type.

use super::super::spec::{
    ACCESS, ASKING, Access, Arg, BLOCKING, Begin, DELETE, DENYOOM, FAST, Find, Group, INCOMPLETE, INSERT, KeySpec,
    LOADING, MOVABLEKEYS, OW, READONLY, RM, RO, RW, STALE, Spec, UPDATE, WRITE, acl, block, integer, key, one_of,
    pattern, string, unix_time, word,
};

use crate::command::{blocking, dump, expire, help, keys, migrate, scan, sort};

/// The key that SORT sorts, those that its patterns name, and that in which it stores.
const SORTED: KeySpec = KeySpec::one(1, &[RO, ACCESS]);
const FOUND_BY_SORT: KeySpec = KeySpec::unknown(&[RO, ACCESS]).notes(
    "For the optional BY/GET keyword. It is marked 'unknown' because the key names derive from the content of the key \
     we sort",
);
const STORED_BY_SORT: KeySpec = KeySpec::unknown(&[OW, UPDATE]).notes(
    "For the optional STORE keyword. It is marked 'unknown' because the keyword can appear anywhere in the argument \
     array",
);

const SORT_BY: Arg = pattern("by-pattern").display("pattern").of_key(1).token("BY").optional();
const SORT_LIMIT: Arg = block("limit", &[integer("offset"), integer("count")]).token("LIMIT").optional();
const SORT_GET: Arg =
    pattern("get-pattern").display("pattern").of_key(1).token("GET").optional().multiple().multiple_token();
const SORT_ORDER: Arg = one_of("order", &[word("asc", "ASC"), word("desc", "DESC")]).optional();
const SORT_ALPHA: Arg = word("sorting", "ALPHA").optional();

const RESTORE_ARGS: &[Arg] = &[
    key("key", 0),
    integer("ttl"),
    string("serialized-value"),
    word("replace", "REPLACE").optional().since("3.0.0"),
    word("absttl", "ABSTTL").optional().since("5.0.0"),
    integer("seconds").token("IDLETIME").optional().since("5.0.0"),
    integer("frequency").token("FREQ").optional().since("5.0.0"),
];
const RESTORE_HISTORY: &[(&str, &str)] = &[("3.0.0", "REPLACE"), ("5.0.0", "ABSTTL"), ("5.0.0", "IDLETIME and FREQ")];

/// The keys behind KEYS, which may also be a password; [`migrate::find_keys`] knows.
const MIGRATED: KeySpec = KeySpec {
    access: Access::all(&[RW, ACCESS, DELETE, INCOMPLETE]),
    begin: Begin::Keyword("KEYS", -2),
    find: Find::Range { last: -1, step: 1, limit: 0 },
    notes: None,
};
const MIGRATE_AUTH: Arg = one_of(
    "authentication",
    &[
        string("auth").display("password").token("AUTH").since("4.0.7"),
        block("auth2", &[string("username"), string("password")]).token("AUTH2").since("6.0.0"),
    ],
)
.optional();

/// Rows, by name.
pub static KEYS: &[Spec] = &[
    Spec::new("copy", -3, Group::Generic, "6.2.0")
        .about("Copies a value to another key.", "O(N) in the number of elements; O(1) for strings")
        .flags(&[WRITE, DENYOOM])
        .acl(&[acl::KEYSPACE])
        .keys(&[KeySpec::one(1, &[RO, ACCESS]), KeySpec::one(2, &[OW, UPDATE])])
        .args(&[
            key("source", 0),
            key("destination", 1),
            integer("destination-db").token("DB").optional(),
            word("replace", "REPLACE").optional(),
        ])
        .handler(keys::copy),
    Spec::new("del", -2, Group::Generic, "1.0.0")
        .about("Deletes keys.", "O(N) in the number of keys, plus the number of elements of collections")
        .flags(&[WRITE])
        .acl(&[acl::KEYSPACE])
        .keys(&[KeySpec::range(1, -1, 1, &[RM, DELETE])])
        .args(&[key("key", 0).multiple()])
        .tips(&["request_policy:multi_shard", "response_policy:agg_sum"])
        .handler(keys::del),
    Spec::new("dump", 2, Group::Generic, "2.6.0")
        .about(
            "Answers a value as bytes, for RESTORE.",
            "O(N) in the size of the value; O(log N) for members of sorted sets",
        )
        .flags(&[READONLY])
        .acl(&[acl::KEYSPACE])
        .keys(&[KeySpec::one(1, &[RO, ACCESS])])
        .args(&[key("key", 0)])
        .tips(&["nondeterministic_output"])
        .handler(dump::dump),
    Spec::new("exists", -2, Group::Generic, "1.0.0")
        .about("Counts how many of the keys exist; a key named twice counts twice.", "O(N) in the number of keys")
        .flags(&[READONLY, FAST])
        .acl(&[acl::KEYSPACE])
        .keys(&[KeySpec::range(1, -1, 1, &[RO])])
        .args(&[key("key", 0).multiple()])
        .tips(&["request_policy:multi_shard", "response_policy:agg_sum"])
        .history(&[("3.0.3", "several keys")])
        .handler(keys::exists),
    Spec::new("expire", -3, Group::Generic, "1.0.0")
        .about("Lets a key expire after some seconds.", "O(1)")
        .flags(&[WRITE, FAST])
        .acl(&[acl::KEYSPACE])
        .keys(&[KeySpec::one(1, &[RW, UPDATE])])
        .args(&[
            key("key", 0),
            integer("seconds"),
            one_of("condition", &[word("nx", "NX"), word("xx", "XX"), word("gt", "GT"), word("lt", "LT")])
                .optional()
                .since("7.0.0"),
        ])
        .history(&[("7.0.0", "NX, XX, GT and LT")])
        .handler(expire::expire),
    Spec::new("expireat", -3, Group::Generic, "1.2.0")
        .about("Lets a key expire at a moment given in seconds since 1970.", "O(1)")
        .flags(&[WRITE, FAST])
        .acl(&[acl::KEYSPACE])
        .keys(&[KeySpec::one(1, &[RW, UPDATE])])
        .args(&[
            key("key", 0),
            unix_time("unix-time-seconds"),
            one_of("condition", &[word("nx", "NX"), word("xx", "XX"), word("gt", "GT"), word("lt", "LT")])
                .optional()
                .since("7.0.0"),
        ])
        .history(&[("7.0.0", "NX, XX, GT and LT")])
        .handler(expire::expireat),
    Spec::new("expiretime", 2, Group::Generic, "7.0.0")
        .about("Gives the moment at which a key expires, in seconds since 1970.", "O(1)")
        .flags(&[READONLY, FAST])
        .acl(&[acl::KEYSPACE])
        .keys(&[KeySpec::one(1, &[RO, ACCESS])])
        .args(&[key("key", 0)])
        .handler(expire::expiretime),
    Spec::new("keys", 2, Group::Generic, "1.0.0")
        .about("Lists the keys whose names match a glob.", "O(N) in the number of keys of the database")
        .flags(&[READONLY])
        .acl(&[acl::KEYSPACE, acl::DANGEROUS])
        .args(&[pattern("pattern")])
        .tips(&["request_policy:all_shards", "nondeterministic_output_order"])
        .handler(scan::keys),
    Spec::new("migrate", -6, Group::Generic, "2.6.0")
        .about(
            "Moves keys to another server: they are deleted here when it has them.",
            "That of DUMP and DEL here and of RESTORE there, and O(N) in what is sent",
        )
        .flags(&[WRITE, MOVABLEKEYS])
        .acl(&[acl::KEYSPACE, acl::DANGEROUS])
        .keys(&[KeySpec::one(3, &[RW, ACCESS, DELETE]), MIGRATED])
        .finds_keys_by(migrate::find_keys)
        .args(&[
            string("host"),
            integer("port"),
            one_of("key-selector", &[key("key", 0), word("empty-string", "")]),
            integer("destination-db"),
            integer("timeout"),
            word("copy", "COPY").optional().since("3.0.0"),
            word("replace", "REPLACE").optional().since("3.0.0"),
            MIGRATE_AUTH,
            key("keys", 1).display("key").token("KEYS").optional().multiple().since("3.0.6"),
        ])
        .tips(&["nondeterministic_output"])
        .history(&[("3.0.0", "COPY and REPLACE"), ("3.0.6", "KEYS"), ("4.0.7", "AUTH"), ("6.0.0", "AUTH2")])
        .handler(migrate::migrate),
    Spec::new("move", 3, Group::Generic, "1.0.0")
        .about("Moves a key to another database.", "O(1)")
        .flags(&[WRITE, FAST])
        .acl(&[acl::KEYSPACE])
        .keys(&[KeySpec::one(1, &[RW, ACCESS, UPDATE])])
        .args(&[key("key", 0), integer("db")])
        .handler(keys::move_to),
    Spec::new("object", -2, Group::Generic, "2.2.3")
        .about("Container for what can be learned about how a value is stored.", "That of the subcommand")
        .subcommands(OBJECT),
    Spec::new("persist", 2, Group::Generic, "2.2.0")
        .about("Removes the expiry of a key.", "O(1)")
        .flags(&[WRITE, FAST])
        .acl(&[acl::KEYSPACE])
        .keys(&[KeySpec::one(1, &[RW, UPDATE])])
        .args(&[key("key", 0)])
        .handler(expire::persist),
    Spec::new("pexpire", -3, Group::Generic, "2.6.0")
        .about("Lets a key expire after some milliseconds.", "O(1)")
        .flags(&[WRITE, FAST])
        .acl(&[acl::KEYSPACE])
        .keys(&[KeySpec::one(1, &[RW, UPDATE])])
        .args(&[
            key("key", 0),
            integer("milliseconds"),
            one_of("condition", &[word("nx", "NX"), word("xx", "XX"), word("gt", "GT"), word("lt", "LT")])
                .optional()
                .since("7.0.0"),
        ])
        .history(&[("7.0.0", "NX, XX, GT and LT")])
        .handler(expire::pexpire),
    Spec::new("pexpireat", -3, Group::Generic, "2.6.0")
        .about("Lets a key expire at a moment given in milliseconds since 1970.", "O(1)")
        .flags(&[WRITE, FAST])
        .acl(&[acl::KEYSPACE])
        .keys(&[KeySpec::one(1, &[RW, UPDATE])])
        .args(&[
            key("key", 0),
            unix_time("unix-time-milliseconds"),
            one_of("condition", &[word("nx", "NX"), word("xx", "XX"), word("gt", "GT"), word("lt", "LT")])
                .optional()
                .since("7.0.0"),
        ])
        .history(&[("7.0.0", "NX, XX, GT and LT")])
        .handler(expire::pexpireat),
    Spec::new("pexpiretime", 2, Group::Generic, "7.0.0")
        .about("Gives the moment at which a key expires, in milliseconds since 1970.", "O(1)")
        .flags(&[READONLY, FAST])
        .acl(&[acl::KEYSPACE])
        .keys(&[KeySpec::one(1, &[RO, ACCESS])])
        .args(&[key("key", 0)])
        .handler(expire::pexpiretime),
    Spec::new("pttl", 2, Group::Generic, "2.6.0")
        .about("Gives the time that a key has left, in milliseconds.", "O(1)")
        .flags(&[READONLY, FAST])
        .acl(&[acl::KEYSPACE])
        .keys(&[KeySpec::one(1, &[RO, ACCESS])])
        .args(&[key("key", 0)])
        .tips(&["nondeterministic_output"])
        .history(&[("2.8.0", "-2 for a missing key")])
        .handler(expire::pttl),
    Spec::new("randomkey", 1, Group::Generic, "1.0.0")
        .about("Gives the name of a random key.", "O(1)")
        .flags(&[READONLY])
        .acl(&[acl::KEYSPACE])
        .tips(&["request_policy:all_shards", "response_policy:special", "nondeterministic_output"])
        .handler(keys::randomkey),
    Spec::new("rename", 3, Group::Generic, "1.0.0")
        .about("Renames a key, replacing what has the new name.", "O(1)")
        .flags(&[WRITE])
        .acl(&[acl::KEYSPACE])
        .keys(&[KeySpec::one(1, &[RW, ACCESS, DELETE]), KeySpec::one(2, &[OW, UPDATE])])
        .args(&[key("key", 0), key("newkey", 1)])
        .handler(keys::rename),
    Spec::new("renamenx", 3, Group::Generic, "1.0.0")
        .about("Renames a key if nothing has the new name.", "O(1)")
        .flags(&[WRITE, FAST])
        .acl(&[acl::KEYSPACE])
        .keys(&[KeySpec::one(1, &[RW, ACCESS, DELETE]), KeySpec::one(2, &[OW, INSERT])])
        .args(&[key("key", 0), key("newkey", 1)])
        .history(&[("3.2.0", "equal names are no error")])
        .handler(keys::renamenx),
    Spec::new("restore", -4, Group::Generic, "2.6.0")
        .about(
            "Makes a key of a value that DUMP has answered.",
            "O(N) in the size of the value; O(N*log N) for sorted sets",
        )
        .flags(&[WRITE, DENYOOM])
        .acl(&[acl::KEYSPACE, acl::DANGEROUS])
        .keys(&[KeySpec::one(1, &[OW, UPDATE])])
        .args(RESTORE_ARGS)
        .history(RESTORE_HISTORY)
        .handler(dump::restore),
    Spec::new("restore-asking", -4, Group::Server, "3.0.0")
        .about(
            "RESTORE, as MIGRATE sends it to a node of a cluster.",
            "O(N) in the size of the value; O(N*log N) for sorted sets",
        )
        .flags(&[WRITE, DENYOOM, ASKING])
        .system()
        .acl(&[acl::KEYSPACE, acl::DANGEROUS])
        .keys(&[KeySpec::one(1, &[OW, UPDATE])])
        .args(RESTORE_ARGS)
        .history(RESTORE_HISTORY)
        .handler(dump::restore),
    Spec::new("scan", -2, Group::Generic, "2.8.0")
        .about("Walks over the keys of the database, a few a call.", "O(1) a call, O(N) for a whole walk over N keys")
        .flags(&[READONLY])
        .acl(&[acl::KEYSPACE])
        .args(&[
            integer("cursor"),
            pattern("pattern").token("MATCH").optional(),
            integer("count").token("COUNT").optional(),
            string("type").token("TYPE").optional().since("6.0.0"),
        ])
        .tips(&["nondeterministic_output", "request_policy:special", "response_policy:special"])
        .history(&[("6.0.0", "TYPE")])
        .handler(scan::scan),
    Spec::new("sort", -2, Group::Generic, "1.0.0")
        .about(
            "Gives or stores the elements of a list, a set or a sorted set in order, or what is found by them.",
            "O(N + M·log(M)) for the first M of N elements; O(N) if they stay unsorted",
        )
        .flags(&[WRITE, DENYOOM, MOVABLEKEYS])
        .acl(&[acl::SET, acl::SORTEDSET, acl::LIST, acl::DANGEROUS])
        .keys(&[SORTED, FOUND_BY_SORT, STORED_BY_SORT])
        .finds_keys_by(sort::find_keys)
        .args(&[
            key("key", 0),
            SORT_BY,
            SORT_LIMIT,
            SORT_GET,
            SORT_ORDER,
            SORT_ALPHA,
            key("destination", 2).token("STORE").optional(),
        ])
        .handler(sort::sort),
    Spec::new("sort_ro", -2, Group::Generic, "7.0.0")
        .about(
            "Gives the elements of a list, a set or a sorted set in order, or what is found by them.",
            "O(N + M·log(M)) for the first M of N elements; O(N) if they stay unsorted",
        )
        .flags(&[READONLY, MOVABLEKEYS])
        .acl(&[acl::SET, acl::SORTEDSET, acl::LIST, acl::DANGEROUS])
        .keys(&[SORTED, FOUND_BY_SORT])
        .finds_keys_by(sort::find_key)
        .args(&[key("key", 0), SORT_BY, SORT_LIMIT, SORT_GET, SORT_ORDER, SORT_ALPHA])
        .handler(sort::sort_ro),
    Spec::new("touch", -2, Group::Generic, "3.2.1")
        .about("Marks keys as used and counts how many of them exist.", "O(N) in the number of keys")
        .flags(&[READONLY, FAST])
        .acl(&[acl::KEYSPACE])
        .keys(&[KeySpec::range(1, -1, 1, &[RO])])
        .args(&[key("key", 0).multiple()])
        .tips(&["request_policy:multi_shard", "response_policy:agg_sum"])
        .handler(keys::touch),
    Spec::new("ttl", 2, Group::Generic, "1.0.0")
        .about("Gives the time that a key has left, in seconds.", "O(1)")
        .flags(&[READONLY, FAST])
        .acl(&[acl::KEYSPACE])
        .keys(&[KeySpec::one(1, &[RO, ACCESS])])
        .args(&[key("key", 0)])
        .tips(&["nondeterministic_output"])
        .history(&[("2.8.0", "-2 for a missing key")])
        .handler(expire::ttl),
    Spec::new("type", 2, Group::Generic, "1.0.0")
        .about("Names the type of the value at a key.", "O(1)")
        .flags(&[READONLY, FAST])
        .acl(&[acl::KEYSPACE])
        .keys(&[KeySpec::one(1, &[RO])])
        .args(&[key("key", 0)])
        .handler(keys::kind),
    Spec::new("unlink", -2, Group::Generic, "4.0.0")
        .about(
            "Deletes keys and frees large values off the hot path.",
            "O(N) in the number of keys; freeing happens later",
        )
        .flags(&[WRITE, FAST])
        .acl(&[acl::KEYSPACE])
        .keys(&[KeySpec::range(1, -1, 1, &[RM, DELETE])])
        .args(&[key("key", 0).multiple()])
        .tips(&["request_policy:multi_shard", "response_policy:agg_sum"])
        .handler(keys::del),
    Spec::new("wait", 3, Group::Generic, "3.0.0")
        .about("Waits until replicas have acknowledged this connection's writes.", "O(1)")
        .flags(&[BLOCKING])
        .acl(&[acl::CONNECTION])
        .args(&[integer("numreplicas"), integer("timeout")])
        .tips(&["request_policy:all_shards", "response_policy:agg_min"])
        .handler(blocking::wait),
    Spec::new("waitaof", 4, Group::Generic, "7.2.0")
        .about("Waits until this connection's writes are durable here, on replicas, or both.", "O(1)")
        .flags(&[BLOCKING])
        .acl(&[acl::CONNECTION])
        .args(&[integer("numlocal"), integer("numreplicas"), integer("timeout")])
        .tips(&["request_policy:all_shards", "response_policy:agg_min"])
        .handler(blocking::waitaof),
];

/// The subcommands of OBJECT.
const OBJECT: &[Spec] = &[
    Spec::new("object|encoding", 3, Group::Generic, "2.2.3")
        .about("Names the representation in which a value is stored.", "O(1)")
        .flags(&[READONLY])
        .acl(&[acl::KEYSPACE])
        .keys(&[KeySpec::one(2, &[RO])])
        .args(&[key("key", 0)])
        .tips(&["nondeterministic_output"])
        .handler(keys::object_encoding),
    Spec::new("object|freq", 3, Group::Generic, "4.0.0")
        .about("Gives the access frequency counter of a key, kept under an LFU policy.", "O(1)")
        .flags(&[READONLY])
        .acl(&[acl::KEYSPACE])
        .keys(&[KeySpec::one(2, &[RO])])
        .args(&[key("key", 0)])
        .tips(&["nondeterministic_output"])
        .handler(keys::object_freq),
    Spec::new("object|help", 2, Group::Generic, "6.2.0")
        .about("Describes the subcommands.", "O(1)")
        .flags(&[LOADING, STALE])
        .acl(&[acl::KEYSPACE])
        .handler(help::help),
    Spec::new("object|idletime", 3, Group::Generic, "2.2.3")
        .about("Gives the seconds since a key was last used.", "O(1)")
        .flags(&[READONLY])
        .acl(&[acl::KEYSPACE])
        .keys(&[KeySpec::one(2, &[RO])])
        .args(&[key("key", 0)])
        .tips(&["nondeterministic_output"])
        .handler(keys::object_idletime),
    Spec::new("object|refcount", 3, Group::Generic, "2.2.3")
        .about("Gives the number of references to a value.", "O(1)")
        .flags(&[READONLY])
        .acl(&[acl::KEYSPACE])
        .keys(&[KeySpec::one(2, &[RO])])
        .args(&[key("key", 0)])
        .tips(&["nondeterministic_output"])
        .handler(keys::object_refcount),
];
