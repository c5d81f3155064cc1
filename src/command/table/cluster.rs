//! Table rows: the cluster commands, which say that the cluster is off.

use super::super::spec::{
    ADMIN, FAST, Group, LOADING, NO_ASYNC_LOADING, NOSCRIPT, STALE, Spec, acl, block, integer, one_of, string, word,
};
use crate::command::server;

/// Rows, by name.
pub static CLUSTER: &[Spec] = &[
    Spec::new("asking", 1, Group::Cluster, "3.0.0")
        .about("Announces a command that follows an ASK redirection.", "O(1)")
        .flags(&[FAST])
        .acl(&[acl::CONNECTION])
        .handler(server::cluster_disabled),
    Spec::new("cluster", -2, Group::Cluster, "3.0.0")
        .about("Container for the cluster.", "That of the subcommand")
        .subcommands(CLUSTER_SUB),
    Spec::new("readonly", 1, Group::Cluster, "3.0.0")
        .about("Lets this connection read from a cluster replica.", "O(1)")
        .flags(&[LOADING, STALE, FAST])
        .acl(&[acl::CONNECTION])
        .handler(server::cluster_disabled),
    Spec::new("readwrite", 1, Group::Cluster, "3.0.0")
        .about("Ends READONLY.", "O(1)")
        .flags(&[LOADING, STALE, FAST])
        .acl(&[acl::CONNECTION])
        .handler(server::cluster_disabled),
];

/// The subcommands of CLUSTER.
const CLUSTER_SUB: &[Spec] = &[
    Spec::new("cluster|addslots", -3, Group::Cluster, "3.0.0")
        .about("Assigns hash slots to this node.", "O(N) in the number of slots")
        .flags(&[ADMIN, STALE, NO_ASYNC_LOADING])
        .args(&[integer("slot").multiple()])
        .handler(server::cluster_disabled),
    Spec::new("cluster|addslotsrange", -4, Group::Cluster, "7.0.0")
        .about("Assigns ranges of hash slots to this node.", "O(N) in the number of slots")
        .flags(&[ADMIN, STALE, NO_ASYNC_LOADING])
        .args(&[block("range", &[integer("start-slot"), integer("end-slot")]).multiple()])
        .handler(server::cluster_disabled),
    Spec::new("cluster|bumpepoch", 2, Group::Cluster, "3.0.0")
        .about("Raises this node's configuration epoch.", "O(1)")
        .flags(&[ADMIN, STALE, NO_ASYNC_LOADING])
        .tips(&["nondeterministic_output"])
        .handler(server::cluster_disabled),
    Spec::new("cluster|count-failure-reports", 3, Group::Cluster, "3.0.0")
        .about("Counts the nodes that report a node as failing.", "O(N) in the number of reports")
        .flags(&[ADMIN, STALE])
        .args(&[string("node-id")])
        .tips(&["nondeterministic_output"])
        .handler(server::cluster_disabled),
    Spec::new("cluster|countkeysinslot", 3, Group::Cluster, "3.0.0")
        .about("Counts the keys of a hash slot.", "O(1)")
        .flags(&[STALE])
        .args(&[integer("slot")])
        .handler(server::cluster_disabled),
    Spec::new("cluster|delslots", -3, Group::Cluster, "3.0.0")
        .about("Takes hash slots from their nodes.", "O(N) in the number of slots")
        .flags(&[ADMIN, STALE, NO_ASYNC_LOADING])
        .args(&[integer("slot").multiple()])
        .handler(server::cluster_disabled),
    Spec::new("cluster|delslotsrange", -4, Group::Cluster, "7.0.0")
        .about("Takes ranges of hash slots from their nodes.", "O(N) in the number of slots")
        .flags(&[ADMIN, STALE, NO_ASYNC_LOADING])
        .args(&[block("range", &[integer("start-slot"), integer("end-slot")]).multiple()])
        .handler(server::cluster_disabled),
    Spec::new("cluster|failover", -2, Group::Cluster, "3.0.0")
        .about("Lets a replica take over from its primary.", "O(1)")
        .flags(&[ADMIN, STALE, NO_ASYNC_LOADING])
        .args(&[one_of("options", &[word("force", "FORCE"), word("takeover", "TAKEOVER")]).optional()])
        .handler(server::cluster_disabled),
    Spec::new("cluster|flushslots", 2, Group::Cluster, "3.0.0")
        .about("Forgets all slots of this node.", "O(1)")
        .flags(&[ADMIN, STALE, NO_ASYNC_LOADING])
        .handler(server::cluster_disabled),
    Spec::new("cluster|forget", 3, Group::Cluster, "3.0.0")
        .about("Removes a node from the list of known nodes.", "O(1)")
        .flags(&[ADMIN, STALE, NO_ASYNC_LOADING])
        .args(&[string("node-id")])
        .handler(server::cluster_disabled),
    Spec::new("cluster|getkeysinslot", 4, Group::Cluster, "3.0.0")
        .about("Lists keys of a hash slot.", "O(N) in the number of keys asked for")
        .flags(&[STALE])
        .args(&[integer("slot"), integer("count")])
        .tips(&["nondeterministic_output"])
        .handler(server::cluster_disabled),
    Spec::new("cluster|help", 2, Group::Cluster, "5.0.0")
        .about("Describes the subcommands.", "O(1)")
        .flags(&[LOADING, STALE])
        .handler(server::cluster_disabled),
    Spec::new("cluster|info", 2, Group::Cluster, "3.0.0")
        .about("Reports the state of the cluster as this node sees it.", "O(1)")
        .flags(&[STALE])
        .tips(&["nondeterministic_output"])
        .handler(server::cluster_disabled),
    Spec::new("cluster|keyslot", 3, Group::Cluster, "3.0.0")
        .about("Computes the hash slot of a key.", "O(N) in the length of the key")
        .flags(&[STALE])
        .args(&[string("key")])
        .handler(server::cluster_disabled),
    Spec::new("cluster|links", 2, Group::Cluster, "7.0.0")
        .about("Lists the connections with other nodes.", "O(N) in the number of nodes")
        .flags(&[STALE])
        .tips(&["nondeterministic_output"])
        .handler(server::cluster_disabled),
    Spec::new("cluster|meet", -4, Group::Cluster, "3.0.0")
        .about("Introduces another node.", "O(1)")
        .flags(&[ADMIN, STALE, NO_ASYNC_LOADING])
        .args(&[string("ip"), integer("port"), integer("cluster-bus-port").optional().since("4.0.0")])
        .history(&[("4.0.0", "the bus port")])
        .handler(server::cluster_disabled),
    Spec::new("cluster|myid", 2, Group::Cluster, "3.0.0")
        .about("Gives the id of this node.", "O(1)")
        .flags(&[STALE])
        .handler(server::cluster_disabled),
    Spec::new("cluster|myshardid", 2, Group::Cluster, "7.2.0")
        .about("Gives the id of this node's shard.", "O(1)")
        .flags(&[STALE])
        .tips(&["nondeterministic_output"])
        .handler(server::cluster_disabled),
    Spec::new("cluster|nodes", 2, Group::Cluster, "3.0.0")
        .about("Describes all nodes in the form of the nodes file.", "O(N) in the number of nodes")
        .flags(&[STALE])
        .tips(&["nondeterministic_output"])
        .handler(server::cluster_disabled),
    Spec::new("cluster|replicas", 3, Group::Cluster, "5.0.0")
        .about("Lists the replicas of a primary.", "O(N) in the number of replicas")
        .flags(&[ADMIN, STALE])
        .args(&[string("node-id")])
        .tips(&["nondeterministic_output"])
        .handler(server::cluster_disabled),
    Spec::new("cluster|replicate", 3, Group::Cluster, "3.0.0")
        .about("Makes this node a replica of another.", "O(1)")
        .flags(&[ADMIN, STALE, NO_ASYNC_LOADING])
        .args(&[string("node-id")])
        .handler(server::cluster_disabled),
    Spec::new("cluster|reset", -2, Group::Cluster, "3.0.0")
        .about("Makes this node forget its cluster.", "O(N) in the number of nodes")
        .flags(&[ADMIN, NOSCRIPT, STALE])
        .args(&[one_of("reset-type", &[word("hard", "HARD"), word("soft", "SOFT")]).optional()])
        .handler(server::cluster_disabled),
    Spec::new("cluster|saveconfig", 2, Group::Cluster, "3.0.0")
        .about("Writes the nodes file.", "O(1)")
        .flags(&[ADMIN, STALE, NO_ASYNC_LOADING])
        .handler(server::cluster_disabled),
    Spec::new("cluster|set-config-epoch", 3, Group::Cluster, "3.0.0")
        .about("Gives a fresh node its configuration epoch.", "O(1)")
        .flags(&[ADMIN, STALE, NO_ASYNC_LOADING])
        .args(&[integer("config-epoch")])
        .handler(server::cluster_disabled),
    Spec::new("cluster|setslot", -4, Group::Cluster, "3.0.0")
        .about("Changes the owner or the migration state of a hash slot.", "O(1)")
        .flags(&[ADMIN, STALE, NO_ASYNC_LOADING])
        .args(&[
            integer("slot"),
            one_of(
                "subcommand",
                &[
                    string("importing").token("IMPORTING").display("node-id"),
                    string("migrating").token("MIGRATING").display("node-id"),
                    string("node").token("NODE").display("node-id"),
                    word("stable", "STABLE"),
                ],
            ),
        ])
        .handler(server::cluster_disabled),
    Spec::new("cluster|shards", 2, Group::Cluster, "7.0.0")
        .about("Describes the shards and their slots.", "O(N) in the number of nodes")
        .flags(&[LOADING, STALE])
        .tips(&["nondeterministic_output"])
        .handler(server::cluster_disabled),
    Spec::new("cluster|slaves", 3, Group::Cluster, "3.0.0")
        .about("Lists the replicas of a primary.", "O(N) in the number of replicas")
        .flags(&[ADMIN, STALE])
        .args(&[string("node-id")])
        .tips(&["nondeterministic_output"])
        .deprecated("5.0.0", "`CLUSTER REPLICAS`")
        .handler(server::cluster_disabled),
    Spec::new("cluster|slots", 2, Group::Cluster, "3.0.0")
        .about("Tells which nodes serve which slots.", "O(N) in the number of nodes")
        .flags(&[LOADING, STALE])
        .tips(&["nondeterministic_output"])
        .history(&[("4.0.0", "node ids"), ("7.0.0", "a list of further network facts")])
        .deprecated("7.0.0", "`CLUSTER SHARDS`")
        .handler(server::cluster_disabled),
];
