//! Table rows: scripts and functions, as far as they answer for an empty cache.

use super::super::spec::{Group, LOADING, NOSCRIPT, STALE, Spec, WRITE, acl, one_of, string, word};
use crate::command::{help, scripting};

/// Rows, by name.
pub static SCRIPTING: &[Spec] = &[
    Spec::new("function", -2, Group::Scripting, "7.0.0")
        .about("Container for function libraries.", "That of the subcommand")
        .subcommands(FUNCTION),
    Spec::new("script", -2, Group::Scripting, "2.6.0")
        .about("Container for scripts.", "That of the subcommand")
        .subcommands(SCRIPT),
];

/// The subcommands of FUNCTION.
const FUNCTION: &[Spec] = &[
    Spec::new("function|flush", -2, Group::Scripting, "7.0.0")
        .about("Deletes all function libraries.", "O(N) in the number of functions")
        .flags(&[WRITE, NOSCRIPT])
        .acl(&[acl::SCRIPTING])
        .args(&[one_of("flush-type", &[word("async", "ASYNC"), word("sync", "SYNC")]).optional()])
        .tips(&["request_policy:all_shards", "response_policy:all_succeeded"])
        .handler(scripting::function_flush),
    Spec::new("function|help", 2, Group::Scripting, "7.0.0")
        .about("Describes the subcommands.", "O(1)")
        .flags(&[LOADING, STALE])
        .acl(&[acl::SCRIPTING])
        .handler(help::help),
];

/// The subcommands of SCRIPT.
const SCRIPT: &[Spec] = &[
    Spec::new("script|debug", 3, Group::Scripting, "3.2.0")
        .about("Sets how the next scripts are debugged.", "O(1)")
        .flags(&[NOSCRIPT])
        .acl(&[acl::SCRIPTING])
        .args(&[one_of("mode", &[word("yes", "YES"), word("sync", "SYNC"), word("no", "NO")])])
        .handler(scripting::script_debug),
    Spec::new("script|exists", -3, Group::Scripting, "2.6.0")
        .about("Tells which scripts are in the cache.", "O(N) in the number of digests")
        .flags(&[NOSCRIPT])
        .acl(&[acl::SCRIPTING])
        .args(&[string("sha1").multiple()])
        .tips(&["request_policy:all_shards", "response_policy:agg_logical_and"])
        .handler(scripting::script_exists),
    Spec::new("script|flush", -2, Group::Scripting, "2.6.0")
        .about("Empties the script cache.", "O(N) in the number of scripts")
        .flags(&[NOSCRIPT])
        .acl(&[acl::SCRIPTING])
        .args(&[one_of("flush-type", &[word("async", "ASYNC"), word("sync", "SYNC")]).optional().since("6.2.0")])
        .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"])
        .history(&[("6.2.0", "ASYNC and SYNC")])
        .handler(scripting::script_flush),
    Spec::new("script|help", 2, Group::Scripting, "5.0.0")
        .about("Describes the subcommands.", "O(1)")
        .flags(&[LOADING, STALE])
        .acl(&[acl::SCRIPTING])
        .handler(help::help),
];
