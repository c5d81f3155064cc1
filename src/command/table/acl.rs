//! Table rows: users and their rights.

use super::super::spec::{ADMIN, Flags, Group, LOADING, NOSCRIPT, STALE, Spec, integer, one_of, string, word};
use crate::command::{acl, help};

/// Rows, by name.
pub static ACL: &[Spec] = &[Spec::new("acl", -2, Group::Server, "6.0.0")
    .about("Container for users and their rights.", "That of the subcommand")
    .subcommands(SUBCOMMANDS)];

const FOR_ALL: &[Flags] = &[NOSCRIPT, LOADING, STALE];
const FOR_OPERATORS: &[Flags] = &[ADMIN, NOSCRIPT, LOADING, STALE];
const ON_ALL_NODES: &[&str] = &["request_policy:all_nodes", "response_policy:all_succeeded"];

const fn row(name: &'static str, arity: i32, since: &'static str) -> Spec {
    Spec::new(name, arity, Group::Server, since)
}

static SUBCOMMANDS: &[Spec] = &[
    row("acl|cat", -2, "6.0.0")
        .about("Lists the categories, or the commands of one.", "O(1)")
        .flags(FOR_ALL)
        .args(&[string("category").optional()])
        .handler(acl::cat),
    row("acl|deluser", -3, "6.0.0")
        .about("Removes users and closes their connections.", "O(N) in the number of connections")
        .flags(FOR_OPERATORS)
        .args(&[string("username").multiple()])
        .tips(ON_ALL_NODES)
        .handler(acl::deluser),
    row("acl|dryrun", -4, "7.0.0")
        .about("Tells whether a user may run a command, without running it.", "O(1)")
        .flags(FOR_OPERATORS)
        .args(&[string("username"), string("command"), string("arg").optional().multiple()])
        .handler(acl::dryrun),
    row("acl|genpass", -2, "6.0.0")
        .about("Makes a password that cannot be guessed.", "O(1)")
        .flags(FOR_ALL)
        .args(&[integer("bits").optional()])
        .handler(acl::genpass),
    row("acl|getuser", 3, "6.0.0")
        .about("Shows the rules of a user.", "O(N) in the number of rules")
        .flags(FOR_OPERATORS)
        .args(&[string("username")])
        .history(&[("6.2.0", "channels"), ("7.0.0", "selectors; keys and channels as rules")])
        .handler(acl::getuser),
    row("acl|help", 2, "6.0.0")
        .about("Describes the subcommands.", "O(1)")
        .flags(&[LOADING, STALE])
        .handler(help::help),
    row("acl|list", 2, "6.0.0")
        .about("Lists all users with their rules, as a file has them.", "O(N) in the number of users")
        .flags(FOR_OPERATORS)
        .handler(acl::list),
    row("acl|load", 2, "6.0.0")
        .about("Reads the users anew from their file: all of them, or none.", "O(N) in the number of users")
        .flags(FOR_OPERATORS)
        .handler(acl::file::load),
    row("acl|log", -2, "6.0.0")
        .about("Shows what was denied, newest first, or forgets it.", "O(N) in the number of entries shown")
        .flags(FOR_OPERATORS)
        .args(&[one_of("operation", &[integer("count"), word("reset", "RESET")]).optional()])
        .history(&[("7.2.0", "number of the entry, time of the first and last denial")])
        .handler(acl::log),
    row("acl|save", 2, "6.0.0")
        .about("Writes the users to their file.", "O(N) in the number of users")
        .flags(FOR_OPERATORS)
        .tips(ON_ALL_NODES)
        .handler(acl::file::save),
    row("acl|setuser", -3, "6.0.0")
        .about("Makes a user or changes its rules.", "O(N) in the number of rules")
        .flags(FOR_OPERATORS)
        .args(&[string("username"), string("rule").optional().multiple()])
        .tips(ON_ALL_NODES)
        .history(&[("6.2.0", "channels"), ("7.0.0", "selectors, and rights on keys by their use")])
        .handler(acl::setuser),
    row("acl|users", 2, "6.0.0")
        .about("Lists the names of all users.", "O(N) in the number of users")
        .flags(FOR_OPERATORS)
        .handler(acl::users),
    row("acl|whoami", 2, "6.0.0")
        .about("Names the user of this connection.", "O(1)")
        .flags(FOR_ALL)
        .handler(acl::whoami),
];
