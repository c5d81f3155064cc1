//! Table rows: scripts and functions.

use super::super::spec::{
    ACCESS, ALLOW_BUSY, Arg, DENYOOM, Flags, Group, KeySpec, LOADING, MAY_REPLICATE, MOVABLEKEYS, NO_MANDATORY_KEYS,
    NOSCRIPT, READONLY, RO, RW, SKIP_MONITOR, STALE, Spec, UPDATE, WRITE, acl, integer, key, one_of, string, word,
};
use crate::command::help;
use crate::command::scripting::{cache, eval, functions};

const RUNS: Flags = NOSCRIPT.and(STALE).and(SKIP_MONITOR).and(NO_MANDATORY_KEYS).and(MOVABLEKEYS);
const WRITER: KeySpec = KeySpec::counted(2, &[RW, ACCESS, UPDATE]);
const READER: KeySpec = KeySpec::counted(2, &[RO, ACCESS]);
const ALL_WRITTEN: &str = "We cannot tell how the keys will be used so we assume the worst, RW and UPDATE";
const ALL_READ: &str = "We cannot tell how the keys will be used so we assume the worst, RO and ACCESS";

const fn arguments(first: &'static str) -> [Arg; 4] {
    [string(first), integer("numkeys"), key("key", 0).optional().multiple(), string("arg").optional().multiple()]
}

/// Rows, by name.
pub static SCRIPTING: &[Spec] = &[
    Spec::new("eval", -3, Group::Scripting, "2.6.0")
        .about("Runs a script.", "That of the script")
        .flags(&[RUNS, MAY_REPLICATE])
        .acl(&[acl::SCRIPTING])
        .keys(&[WRITER.notes(ALL_WRITTEN)])
        .args(&arguments("script"))
        .handler(eval::eval),
    Spec::new("eval_ro", -3, Group::Scripting, "7.0.0")
        .about("Runs a script that only reads.", "That of the script")
        .flags(&[RUNS, READONLY])
        .acl(&[acl::SCRIPTING])
        .keys(&[READER.notes(ALL_READ)])
        .args(&arguments("script"))
        .handler(eval::eval_ro),
    Spec::new("evalsha", -3, Group::Scripting, "2.6.0")
        .about("Runs a cached script, called by its digest.", "That of the script")
        .flags(&[RUNS, MAY_REPLICATE])
        .acl(&[acl::SCRIPTING])
        .keys(&[WRITER])
        .args(&arguments("sha1"))
        .handler(eval::evalsha),
    Spec::new("evalsha_ro", -3, Group::Scripting, "7.0.0")
        .about("Runs a cached script that only reads, called by its digest.", "That of the script")
        .flags(&[RUNS, READONLY])
        .acl(&[acl::SCRIPTING])
        .keys(&[READER])
        .args(&arguments("sha1"))
        .handler(eval::evalsha_ro),
    Spec::new("fcall", -3, Group::Scripting, "7.0.0")
        .about("Calls a function.", "That of the function")
        .flags(&[RUNS, MAY_REPLICATE])
        .acl(&[acl::SCRIPTING])
        .keys(&[WRITER.notes(ALL_WRITTEN)])
        .args(&arguments("function"))
        .handler(functions::fcall),
    Spec::new("fcall_ro", -3, Group::Scripting, "7.0.0")
        .about("Calls a function that only reads.", "That of the function")
        .flags(&[RUNS, READONLY])
        .acl(&[acl::SCRIPTING])
        .keys(&[READER.notes(ALL_READ)])
        .args(&arguments("function"))
        .handler(functions::fcall_ro),
    Spec::new("function", -2, Group::Scripting, "7.0.0")
        .about("Container for function libraries.", "That of the subcommand")
        .subcommands(FUNCTION),
    Spec::new("script", -2, Group::Scripting, "2.6.0")
        .about("Container for scripts.", "That of the subcommand")
        .subcommands(SCRIPT),
];

const EACH_SHARD: &[&str] = &["request_policy:all_shards", "response_policy:all_succeeded"];
const ONE_SHARD: &[&str] = &["request_policy:all_shards", "response_policy:one_succeeded"];

/// The subcommands of FUNCTION.
const FUNCTION: &[Spec] = &[
    Spec::new("function|delete", 3, Group::Scripting, "7.0.0")
        .about("Deletes a library with its functions.", "O(1)")
        .flags(&[WRITE, NOSCRIPT])
        .acl(&[acl::SCRIPTING])
        .args(&[string("library-name")])
        .tips(EACH_SHARD)
        .handler(functions::delete),
    Spec::new("function|dump", 2, Group::Scripting, "7.0.0")
        .about("Gives all libraries as a payload for FUNCTION RESTORE.", "O(N) in the number of functions")
        .flags(&[NOSCRIPT])
        .acl(&[acl::SCRIPTING])
        .handler(functions::dump),
    Spec::new("function|flush", -2, Group::Scripting, "7.0.0")
        .about("Deletes all function libraries.", "O(N) in the number of functions")
        .flags(&[WRITE, NOSCRIPT])
        .acl(&[acl::SCRIPTING])
        .args(&[one_of("flush-type", &[word("async", "ASYNC"), word("sync", "SYNC")]).optional()])
        .tips(EACH_SHARD)
        .handler(functions::flush),
    Spec::new("function|help", 2, Group::Scripting, "7.0.0")
        .about("Describes the subcommands.", "O(1)")
        .flags(&[LOADING, STALE])
        .acl(&[acl::SCRIPTING])
        .handler(help::help),
    Spec::new("function|kill", 2, Group::Scripting, "7.0.0")
        .about("Ends the function that runs, if it has not written.", "O(1)")
        .flags(&[NOSCRIPT, ALLOW_BUSY])
        .acl(&[acl::SCRIPTING])
        .tips(ONE_SHARD)
        .handler(functions::kill),
    Spec::new("function|list", -2, Group::Scripting, "7.0.0")
        .about("Describes the libraries.", "O(N) in the number of functions")
        .flags(&[NOSCRIPT])
        .acl(&[acl::SCRIPTING])
        .args(&[
            string("library-name-pattern").token("LIBRARYNAME").optional(),
            word("withcode", "WITHCODE").optional(),
        ])
        .tips(&["nondeterministic_output_order"])
        .handler(functions::list),
    Spec::new("function|load", -3, Group::Scripting, "7.0.0")
        .about("Makes a library of this code.", "O(1), with the time that the code takes")
        .flags(&[WRITE, DENYOOM, NOSCRIPT])
        .acl(&[acl::SCRIPTING])
        .args(&[word("replace", "REPLACE").optional(), string("function-code")])
        .tips(EACH_SHARD)
        .handler(functions::load),
    Spec::new("function|restore", -3, Group::Scripting, "7.0.0")
        .about("Makes the libraries of a payload of FUNCTION DUMP.", "O(N) in the number of functions in it")
        .flags(&[WRITE, DENYOOM, NOSCRIPT])
        .acl(&[acl::SCRIPTING])
        .args(&[
            string("serialized-value"),
            one_of("policy", &[word("flush", "FLUSH"), word("append", "APPEND"), word("replace", "REPLACE")])
                .optional(),
        ])
        .tips(EACH_SHARD)
        .handler(functions::restore),
    Spec::new("function|stats", 2, Group::Scripting, "7.0.0")
        .about("Tells which function runs, and what there is.", "O(1)")
        .flags(&[NOSCRIPT, ALLOW_BUSY])
        .acl(&[acl::SCRIPTING])
        .tips(&["nondeterministic_output", "request_policy:all_shards", "response_policy:special"])
        .handler(functions::stats),
];

/// The subcommands of SCRIPT.
const SCRIPT: &[Spec] = &[
    Spec::new("script|debug", 3, Group::Scripting, "3.2.0")
        .about("Sets how the next scripts are debugged.", "O(1)")
        .flags(&[NOSCRIPT])
        .acl(&[acl::SCRIPTING])
        .args(&[one_of("mode", &[word("yes", "YES"), word("sync", "SYNC"), word("no", "NO")])])
        .handler(cache::debug),
    Spec::new("script|exists", -3, Group::Scripting, "2.6.0")
        .about("Tells which scripts are in the cache.", "O(N) in the number of digests")
        .flags(&[NOSCRIPT])
        .acl(&[acl::SCRIPTING])
        .args(&[string("sha1").multiple()])
        .tips(&["request_policy:all_shards", "response_policy:agg_logical_and"])
        .handler(cache::exists),
    Spec::new("script|flush", -2, Group::Scripting, "2.6.0")
        .about("Empties the script cache.", "O(N) in the number of scripts")
        .flags(&[NOSCRIPT])
        .acl(&[acl::SCRIPTING])
        .args(&[one_of("flush-type", &[word("async", "ASYNC"), word("sync", "SYNC")]).optional().since("6.2.0")])
        .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"])
        .history(&[("6.2.0", "ASYNC and SYNC")])
        .handler(cache::flush),
    Spec::new("script|help", 2, Group::Scripting, "5.0.0")
        .about("Describes the subcommands.", "O(1)")
        .flags(&[LOADING, STALE])
        .acl(&[acl::SCRIPTING])
        .handler(help::help),
    Spec::new("script|kill", 2, Group::Scripting, "2.6.0")
        .about("Ends the script that runs, if it has not written.", "O(1)")
        .flags(&[NOSCRIPT, ALLOW_BUSY])
        .acl(&[acl::SCRIPTING])
        .tips(ONE_SHARD)
        .handler(cache::kill),
    Spec::new("script|load", 3, Group::Scripting, "2.6.0")
        .about("Puts a script into the cache and gives its digest.", "O(N) in the length of the script")
        .flags(&[NOSCRIPT, STALE])
        .acl(&[acl::SCRIPTING])
        .args(&[string("script")])
        .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"])
        .handler(cache::load),
    Spec::new("script|show", 3, Group::Scripting, "8.0.0")
        .about("Gives the text of a cached script.", "O(1)")
        .flags(&[NOSCRIPT])
        .acl(&[acl::SCRIPTING])
        .args(&[string("sha1")])
        .handler(cache::show),
];
