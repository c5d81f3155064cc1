//! Table rows: the commands that concern the server.

use super::super::spec::{
    ADMIN, ALLOW_BUSY, FAST, Group, KeySpec, LOADING, NO_ASYNC_LOADING, NO_MULTI, NOSCRIPT, READONLY, RO, STALE, Spec,
    WRITE, acl, block, integer, key, one_of, pattern, string, word,
};
use crate::command::{config, debug, help, info, introspection, keys, memory, server, snapshots};

/// Rows, by name.
pub static SERVER: &[Spec] = &[
    Spec::new("bgrewriteaof", 1, Group::Server, "1.0.0")
        .about("Takes a snapshot and cuts the log short behind it.", "O(1)")
        .flags(&[ADMIN, NOSCRIPT, NO_ASYNC_LOADING])
        .handler(snapshots::bgrewriteaof),
    Spec::new("bgsave", -1, Group::Server, "1.0.0")
        .about("Takes a snapshot while commands go on.", "O(1)")
        .flags(&[ADMIN, NOSCRIPT, NO_ASYNC_LOADING])
        .args(&[word("schedule", "SCHEDULE").optional().since("3.2.2")])
        .history(&[("3.2.2", "SCHEDULE")])
        .handler(snapshots::bgsave),
    Spec::new("command", -1, Group::Server, "2.8.13")
        .about("Describes all commands.", "O(N) in the number of commands")
        .flags(&[LOADING, STALE])
        .acl(&[acl::CONNECTION])
        .tips(&["nondeterministic_output_order"])
        .subcommands(COMMAND)
        .handler(introspection::command),
    Spec::new("config", -2, Group::Server, "2.0.0")
        .about("Container for settings.", "That of the subcommand")
        .subcommands(CONFIG),
    Spec::new("dbsize", 1, Group::Server, "1.0.0")
        .about("Counts the keys of the database.", "O(1)")
        .flags(&[READONLY, FAST])
        .acl(&[acl::KEYSPACE])
        .tips(&["request_policy:all_shards", "response_policy:agg_sum"])
        .handler(keys::dbsize),
    Spec::new("debug", -2, Group::Server, "1.0.0")
        .about("Container for tools that test and examine the server.", "That of the subcommand")
        .flags(&[ADMIN, NOSCRIPT, LOADING, STALE])
        .system()
        .handler(debug::debug),
    Spec::new("flushall", -1, Group::Server, "1.0.0")
        .about("Removes all keys of all databases.", "O(N) in the number of keys of all databases")
        .flags(&[WRITE])
        .acl(&[acl::KEYSPACE, acl::DANGEROUS])
        .args(&[one_of("flush-type", &[word("async", "ASYNC").since("4.0.0"), word("sync", "SYNC").since("6.2.0")])
            .optional()])
        .tips(&["request_policy:all_shards", "response_policy:all_succeeded"])
        .history(&[("4.0.0", "ASYNC"), ("6.2.0", "SYNC")])
        .handler(keys::flushall),
    Spec::new("flushdb", -1, Group::Server, "1.0.0")
        .about("Removes all keys of the database.", "O(N) in the number of keys of the database")
        .flags(&[WRITE])
        .acl(&[acl::KEYSPACE, acl::DANGEROUS])
        .args(&[one_of("flush-type", &[word("async", "ASYNC").since("4.0.0"), word("sync", "SYNC").since("6.2.0")])
            .optional()])
        .tips(&["request_policy:all_shards", "response_policy:all_succeeded"])
        .history(&[("4.0.0", "ASYNC"), ("6.2.0", "SYNC")])
        .handler(keys::flushdb),
    Spec::new("info", -1, Group::Server, "1.0.0")
        .about("Reports the state of the server and its statistics.", "O(1)")
        .flags(&[LOADING, STALE])
        .acl(&[acl::DANGEROUS])
        .args(&[string("section").optional().multiple()])
        .tips(&["nondeterministic_output", "request_policy:all_shards", "response_policy:special"])
        .history(&[("7.0.0", "several sections")])
        .handler(info::info),
    Spec::new("lastsave", 1, Group::Server, "1.0.0")
        .about("Gives the time of the last snapshot, in seconds since 1970.", "O(1)")
        .flags(&[LOADING, STALE, FAST])
        .acl(&[acl::ADMIN, acl::DANGEROUS])
        .tips(&["nondeterministic_output"])
        .handler(snapshots::lastsave),
    Spec::new("lolwut", -1, Group::Server, "5.0.0")
        .about("Draws something and names the version.", "")
        .flags(&[READONLY, FAST])
        .args(&[integer("version").token("VERSION").optional()])
        .handler(server::lolwut),
    Spec::new("memory", -2, Group::Server, "4.0.0")
        .about("Container for what can be learned about the memory in use.", "That of the subcommand")
        .subcommands(MEMORY),
    Spec::new("module", -2, Group::Server, "4.0.0")
        .about("Container for modules, of which ackd has none.", "That of the subcommand")
        .subcommands(MODULE),
    Spec::new("replicaof", 3, Group::Server, "5.0.0")
        .about("Makes this server a replica of another, or a primary again.", "O(1)")
        .flags(&[ADMIN, NOSCRIPT, STALE, NO_ASYNC_LOADING])
        .args(&[one_of(
            "args",
            &[
                block("host-port", &[string("host"), integer("port")]),
                block("no-one", &[word("no", "NO"), word("one", "ONE")]),
            ],
        )])
        .handler(server::replicaof),
    Spec::new("role", 1, Group::Server, "2.8.12")
        .about("Tells which part this server plays in replication.", "O(1)")
        .flags(&[NOSCRIPT, LOADING, STALE, FAST])
        .acl(&[acl::ADMIN, acl::DANGEROUS])
        .handler(server::role),
    Spec::new("save", 1, Group::Server, "1.0.0")
        .about("Takes a snapshot and answers when it is there.", "O(N) in the number of keys")
        .flags(&[ADMIN, NOSCRIPT, NO_ASYNC_LOADING, NO_MULTI])
        .handler(snapshots::save),
    Spec::new("shutdown", -1, Group::Server, "1.0.0")
        .about(
            "Ends the server once everything acknowledged is durable.",
            "O(1) without a snapshot, O(N) in the number of keys with one",
        )
        .flags(&[ADMIN, NOSCRIPT, LOADING, STALE, NO_MULTI, ALLOW_BUSY])
        .args(&[
            one_of("save-selector", &[word("nosave", "NOSAVE"), word("save", "SAVE")]).optional(),
            word("now", "NOW").optional().since("7.0.0"),
            word("force", "FORCE").optional().since("7.0.0"),
            word("abort", "ABORT").optional().since("7.0.0"),
        ])
        .history(&[("7.0.0", "NOW, FORCE and ABORT")])
        .handler(server::shutdown),
    Spec::new("slaveof", 3, Group::Server, "1.0.0")
        .about("Makes this server a replica of another, or a primary again.", "O(1)")
        .flags(&[ADMIN, NOSCRIPT, STALE, NO_ASYNC_LOADING])
        .args(&[one_of(
            "args",
            &[
                block("host-port", &[string("host"), integer("port")]),
                block("no-one", &[word("no", "NO"), word("one", "ONE")]),
            ],
        )])
        .deprecated("5.0.0", "`REPLICAOF`")
        .handler(server::replicaof),
    Spec::new("swapdb", 3, Group::Server, "4.0.0")
        .about("Exchanges two databases.", "O(N) in the number of clients that watch or wait for keys of either")
        .flags(&[WRITE, FAST])
        .acl(&[acl::KEYSPACE, acl::DANGEROUS])
        .args(&[integer("index1"), integer("index2")])
        .handler(keys::swapdb),
    Spec::new("time", 1, Group::Server, "2.6.0")
        .about("Gives the server's clock: seconds and microseconds.", "O(1)")
        .flags(&[LOADING, STALE, FAST])
        .tips(&["nondeterministic_output"])
        .handler(server::time),
];

/// The subcommands of COMMAND.
const COMMAND: &[Spec] = &[
    Spec::new("command|count", 2, Group::Server, "2.8.13")
        .about("Counts the commands.", "O(1)")
        .flags(&[LOADING, STALE])
        .acl(&[acl::CONNECTION])
        .handler(introspection::count),
    Spec::new("command|docs", -2, Group::Server, "7.0.0")
        .about("Gives the documentation of commands.", "O(N) in the number of commands described")
        .flags(&[LOADING, STALE])
        .acl(&[acl::CONNECTION])
        .args(&[string("command-name").optional().multiple()])
        .tips(&["nondeterministic_output_order"])
        .handler(introspection::docs),
    Spec::new("command|getkeys", -3, Group::Server, "2.8.13")
        .about("Tells which arguments of a command are keys.", "O(N) in the number of arguments")
        .flags(&[LOADING, STALE])
        .acl(&[acl::CONNECTION])
        .args(&[string("command"), string("arg").optional().multiple()])
        .handler(introspection::getkeys),
    Spec::new("command|getkeysandflags", -3, Group::Server, "7.0.0")
        .about("Tells which arguments of a command are keys, and how they are used.", "O(N) in the number of arguments")
        .flags(&[LOADING, STALE])
        .acl(&[acl::CONNECTION])
        .args(&[string("command"), string("arg").optional().multiple()])
        .handler(introspection::getkeysandflags),
    Spec::new("command|help", 2, Group::Server, "5.0.0")
        .about("Describes the subcommands.", "O(1)")
        .flags(&[LOADING, STALE])
        .acl(&[acl::CONNECTION])
        .handler(help::help),
    Spec::new("command|info", -2, Group::Server, "2.8.13")
        .about(
            "Describes commands: arity, flags, key positions, categories.",
            "O(N) in the number of commands described",
        )
        .flags(&[LOADING, STALE])
        .acl(&[acl::CONNECTION])
        .args(&[string("command-name").optional().multiple()])
        .tips(&["nondeterministic_output_order"])
        .history(&[("7.0.0", "without names it describes all commands")])
        .handler(introspection::info),
    Spec::new("command|list", -2, Group::Server, "7.0.0")
        .about("Lists the names of commands.", "O(N) in the number of commands")
        .flags(&[LOADING, STALE])
        .acl(&[acl::CONNECTION])
        .args(&[one_of(
            "filterby",
            &[
                string("module-name").token("MODULE"),
                string("category").token("ACLCAT"),
                pattern("pattern").token("PATTERN"),
            ],
        )
        .token("FILTERBY")
        .optional()])
        .tips(&["nondeterministic_output_order"])
        .handler(introspection::list),
];

/// The subcommands of CONFIG.
const CONFIG: &[Spec] = &[
    Spec::new("config|get", -3, Group::Server, "2.0.0")
        .about("Gives the values of settings whose names match globs.", "O(N) in the number of patterns")
        .flags(&[ADMIN, NOSCRIPT, LOADING, STALE])
        .args(&[string("parameter").multiple()])
        .history(&[("7.0.0", "several patterns a call")])
        .handler(config::get),
    Spec::new("config|help", 2, Group::Server, "5.0.0")
        .about("Describes the subcommands.", "O(1)")
        .flags(&[LOADING, STALE])
        .handler(help::help),
    Spec::new("config|resetstat", 2, Group::Server, "2.0.0")
        .about("Sets the counters of INFO back to zero.", "O(1)")
        .flags(&[ADMIN, NOSCRIPT, LOADING, STALE])
        .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"])
        .handler(config::resetstat),
    Spec::new("config|rewrite", 2, Group::Server, "2.8.0")
        .about("Writes the present settings into the configuration file.", "O(1)")
        .flags(&[ADMIN, NOSCRIPT, LOADING, STALE])
        .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"])
        .handler(config::rewrite),
    Spec::new("config|set", -4, Group::Server, "2.0.0")
        .about("Changes settings, all or none of them.", "O(N) in the number of settings")
        .flags(&[ADMIN, NOSCRIPT, LOADING, STALE])
        .args(&[block("data", &[string("parameter"), string("value")]).multiple()])
        .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"])
        .history(&[("7.0.0", "several settings a call")])
        .handler(config::set),
];

/// The subcommands of MEMORY.
const MEMORY: &[Spec] = &[
    Spec::new("memory|doctor", 2, Group::Server, "4.0.0")
        .about("Says what is wrong with the use of memory, if anything is.", "O(1)")
        .tips(&["nondeterministic_output", "request_policy:all_shards", "response_policy:special"])
        .handler(memory::doctor),
    Spec::new("memory|help", 2, Group::Server, "4.0.0")
        .about("Describes the subcommands.", "O(1)")
        .flags(&[LOADING, STALE])
        .handler(help::help),
    Spec::new("memory|malloc-stats", 2, Group::Server, "4.0.0")
        .about("Gives the statistics of the allocator.", "Depends on how much memory is allocated")
        .tips(&["nondeterministic_output", "request_policy:all_shards", "response_policy:special"])
        .handler(memory::malloc_stats),
    Spec::new("memory|purge", 2, Group::Server, "4.0.0")
        .about("Gives memory that is not used back to the system.", "Depends on how much memory is allocated")
        .tips(&["request_policy:all_shards", "response_policy:all_succeeded"])
        .handler(memory::purge),
    Spec::new("memory|stats", 2, Group::Server, "4.0.0")
        .about("Tells where the memory is.", "O(N) in the number of databases and clients")
        .tips(&["nondeterministic_output", "request_policy:all_shards", "response_policy:special"])
        .handler(memory::stats),
    Spec::new("memory|usage", -3, Group::Server, "4.0.0")
        .about("Estimates the bytes that a key and its value take.", "O(N) in the number of elements looked at")
        .flags(&[READONLY])
        .keys(&[KeySpec::one(2, &[RO])])
        .args(&[key("key", 0), integer("count").token("SAMPLES").optional()])
        .handler(memory::usage),
];

/// The subcommands of MODULE.
const MODULE: &[Spec] = &[
    Spec::new("module|help", 2, Group::Server, "5.0.0")
        .about("Describes the subcommands.", "O(1)")
        .flags(&[LOADING, STALE])
        .handler(help::help),
    Spec::new("module|list", 2, Group::Server, "4.0.0")
        .about("Lists the loaded modules.", "O(N) in the number of modules")
        .flags(&[ADMIN, NOSCRIPT])
        .tips(&["nondeterministic_output_order"])
        .handler(server::module_list),
];
