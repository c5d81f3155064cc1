//! Table rows: what operators look at.

use super::super::spec::{ADMIN, Flags, Group, LOADING, NOSCRIPT, STALE, Spec, integer, string};
use crate::command::{help, latency, monitor, slowlog};

/// Rows, by name.
pub static OBSERVATION: &[Spec] = &[
    Spec::new("latency", -2, Group::Server, "2.8.13")
        .about("Container for what held the server up.", "That of the subcommand")
        .subcommands(LATENCY),
    Spec::new("monitor", 1, Group::Server, "1.0.0")
        .about("Shows every command that the server executes, as it does.", "")
        .flags(&[ADMIN, NOSCRIPT, LOADING, STALE])
        .handler(monitor::monitor),
    Spec::new("slowlog", -2, Group::Server, "2.2.12")
        .about("Container for the slow log.", "That of the subcommand")
        .subcommands(SLOWLOG),
];

const OF_LATENCY: Flags = ADMIN.and(NOSCRIPT).and(LOADING).and(STALE);
const FIGURES: &[&str] = &["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"];

/// The subcommands of LATENCY.
const LATENCY: &[Spec] = &[
    Spec::new("latency|doctor", 2, Group::Server, "2.8.13")
        .about("Says in words what held the server up, and what helps.", "O(1)")
        .flags(&[OF_LATENCY])
        .tips(FIGURES)
        .handler(latency::doctor),
    Spec::new("latency|graph", 3, Group::Server, "2.8.13")
        .about("Draws the seconds in which an event held the server up.", "O(1)")
        .flags(&[OF_LATENCY])
        .args(&[string("event")])
        .tips(FIGURES)
        .handler(latency::graph),
    Spec::new("latency|help", 2, Group::Server, "2.8.13")
        .about("Describes the subcommands.", "O(1)")
        .flags(&[LOADING, STALE])
        .handler(help::help),
    Spec::new("latency|histogram", -2, Group::Server, "7.0.0")
        .about("Tells how many calls of commands took how long.", "O(N) in the number of commands that were called")
        .flags(&[OF_LATENCY])
        .args(&[string("command").optional().multiple()])
        .tips(FIGURES)
        .handler(latency::histogram),
    Spec::new("latency|history", 3, Group::Server, "2.8.13")
        .about("Lists the seconds in which an event held the server up.", "O(1)")
        .flags(&[OF_LATENCY])
        .args(&[string("event")])
        .tips(FIGURES)
        .handler(latency::history),
    Spec::new("latency|latest", 2, Group::Server, "2.8.13")
        .about("Gives the latest and the worst figure of each event.", "O(1)")
        .flags(&[OF_LATENCY])
        .tips(FIGURES)
        .handler(latency::latest),
    Spec::new("latency|reset", -2, Group::Server, "2.8.13")
        .about("Forgets what is known of events, or of all.", "O(1)")
        .flags(&[OF_LATENCY])
        .args(&[string("event").optional().multiple()])
        .tips(&["request_policy:all_nodes", "response_policy:agg_sum"])
        .handler(latency::reset),
];

const OF_SLOWLOG: Flags = ADMIN.and(LOADING).and(STALE);

/// The subcommands of SLOWLOG.
const SLOWLOG: &[Spec] = &[
    Spec::new("slowlog|get", -2, Group::Server, "2.2.12")
        .about("Lists the newest slow commands: -1 for all, 10 if no number is given.", "O(N) in the number of entries")
        .flags(&[OF_SLOWLOG])
        .args(&[integer("count").optional()])
        .tips(&["request_policy:all_nodes", "nondeterministic_output"])
        .history(&[("4.0.0", "address and name of the connection")])
        .handler(slowlog::get),
    Spec::new("slowlog|help", 2, Group::Server, "6.2.0")
        .about("Describes the subcommands.", "O(1)")
        .flags(&[LOADING, STALE])
        .handler(help::help),
    Spec::new("slowlog|len", 2, Group::Server, "2.2.12")
        .about("Counts the entries of the slow log.", "O(1)")
        .flags(&[OF_SLOWLOG])
        .tips(&["request_policy:all_nodes", "response_policy:agg_sum", "nondeterministic_output"])
        .handler(slowlog::len),
    Spec::new("slowlog|reset", 2, Group::Server, "2.2.12")
        .about("Empties the slow log.", "O(N) in the number of entries")
        .flags(&[OF_SLOWLOG])
        .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"])
        .handler(slowlog::reset),
];
