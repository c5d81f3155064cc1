//! Settings of replication, cluster and TLS.

use super::super::composite::Composite::{HostName, NodeName, Primary};
use super::super::setting::{Kind, bytes, choice, number, special, text, toggle};
use super::Section;
use super::serving::{INT, NATURAL, PORT, POSITIVE_INT};

pub static REPLICATION: Section = Section {
    title: "Replication",
    settings: &[
        special("replicaof", "", Kind::Composite(Primary), "Host and port of the primary to copy; empty for none.")
            .alias("slaveof")
            .at_start()
            .not_built(),
        number(
            "min-replicas-to-write",
            "0",
            INT,
            "Replicas that must be in reach, or writes are refused; 0 for none. ackd has no replicas yet: above 0, all \
             writes are refused.",
        )
        .alias("min-slaves-to-write"),
        number(
            "min-replicas-max-lag",
            "10",
            INT,
            "Seconds of silence after which a replica counts as out of reach; 0 to count none.",
        )
        .alias("min-slaves-max-lag"),
        text("masterauth", "", "Password for the primary.").secret().remembered(),
        text("masteruser", "", "User for the primary.").secret().remembered(),
        toggle("replica-serve-stale-data", "yes", "Lets a replica answer while its primary is out of reach.")
            .alias("slave-serve-stale-data")
            .remembered(),
        toggle("replica-read-only", "yes", "Refuses writes of clients on a replica.")
            .alias("slave-read-only")
            .remembered(),
        number("replica-priority", "100", INT, "Order in which replicas are promoted; 0 for never.")
            .alias("slave-priority")
            .remembered(),
        text("replica-announce-ip", "", "Address that a replica names.").alias("slave-announce-ip").remembered(),
        number("replica-announce-port", "0", PORT, "Port that a replica names.")
            .alias("slave-announce-port")
            .remembered(),
        toggle("replica-announced", "yes", "Whether Sentinel names this replica.").remembered(),
        toggle("replica-ignore-maxmemory", "yes", "Leaves eviction to the primary.")
            .alias("slave-ignore-maxmemory")
            .remembered(),
        toggle("replica-ignore-disk-write-errors", "no", "Lets a replica go on although its disk fails.").remembered(),
        toggle("replica-lazy-flush", "no", "Frees a replica's old data off the hot path.")
            .alias("slave-lazy-flush")
            .remembered(),
        number("repl-timeout", "60", POSITIVE_INT, "Seconds of silence after which a link is given up.").remembered(),
        number("repl-ping-replica-period", "10", POSITIVE_INT, "Seconds between pings to replicas.")
            .alias("repl-ping-slave-period")
            .remembered(),
        bytes("repl-backlog-size", "1mb", 1, "Memory for the latest part of the stream.")
            .clamped(16 * 1024, i64::MAX)
            .remembered(),
        number("repl-backlog-ttl", "3600", NATURAL, "Seconds after which it is freed without replicas.").remembered(),
        toggle("repl-disable-tcp-nodelay", "no", "Sends to replicas in fewer, larger packets.").remembered(),
        toggle("repl-diskless-sync", "yes", "Sends snapshots to replicas without a file.").remembered(),
        number("repl-diskless-sync-delay", "5", INT, "Seconds to wait for more replicas before that.").remembered(),
        number("repl-diskless-sync-max-replicas", "0", INT, "Replicas that end the wait; 0 for none.").remembered(),
        choice(
            "repl-diskless-load",
            "disabled",
            &[("disabled", 0), ("on-empty-db", 1), ("swapdb", 2)],
            "How a replica loads what it is sent.",
        )
        .remembered(),
        choice(
            "propagation-error-behavior",
            "ignore",
            &[("ignore", 0), ("panic", 1), ("panic-on-replicas", 2)],
            "What happens if a command of the stream fails.",
        )
        .remembered(),
    ],
};

pub static CLUSTER: Section = Section {
    title: "Cluster",
    settings: &[
        toggle("cluster-enabled", "no", "Makes the server a node of a cluster.").at_start().not_built(),
        text("cluster-config-file", "nodes.conf", "File with what the node knows of the cluster.")
            .at_start()
            .remembered(),
        number(
            "cluster-node-timeout",
            "15000",
            NATURAL,
            "Milliseconds of silence after which a node counts as failing.",
        )
        .remembered(),
        number("cluster-port", "0", PORT, "Port of the cluster bus; 0 for 10000 above the client port.")
            .at_start()
            .remembered(),
        number("cluster-migration-barrier", "1", INT, "Replicas that a primary keeps when others need one.")
            .remembered(),
        toggle("cluster-allow-replica-migration", "yes", "Lets replicas move to a primary without one.").remembered(),
        toggle("cluster-require-full-coverage", "yes", "Stops serving when some slot has no node.").remembered(),
        toggle("cluster-allow-reads-when-down", "no", "Serves reads even then.").remembered(),
        toggle("cluster-allow-pubsubshard-when-down", "yes", "Serves sharded channels even then.").remembered(),
        toggle("cluster-replica-no-failover", "no", "Keeps replicas from taking over by themselves.")
            .alias("cluster-slave-no-failover")
            .remembered(),
        number("cluster-replica-validity-factor", "10", INT, "How old a replica's data may be for it to take over.")
            .alias("cluster-slave-validity-factor")
            .remembered(),
        bytes("cluster-link-sendbuf-limit", "0", 0, "Memory of a bus link above which it is closed; 0 for no limit.")
            .clamped(0, i64::MAX)
            .remembered(),
        choice(
            "cluster-preferred-endpoint-type",
            "ip",
            &[("ip", 0), ("hostname", 1), ("unknown-endpoint", 2)],
            "What clients are told of a node.",
        )
        .remembered(),
        text("cluster-announce-ip", "", "Address that the node names.").remembered(),
        special("cluster-announce-hostname", "", Kind::Composite(HostName), "Host name that the node names.")
            .remembered(),
        special("cluster-announce-human-nodename", "", Kind::Composite(NodeName), "Name of the node in messages.")
            .remembered(),
        number("cluster-announce-port", "0", PORT, "Port that the node names.").remembered(),
        number("cluster-announce-tls-port", "0", PORT, "TLS port that the node names.").remembered(),
        number("cluster-announce-bus-port", "0", PORT, "Bus port that the node names.").remembered(),
    ],
};

pub static TLS: Section = Section {
    title: "TLS",
    settings: &[
        number("tls-port", "0", PORT, "Port to listen on with TLS; 0 for none.").not_built(),
        toggle("tls-replication", "no", "Uses TLS between primary and replica.").not_built(),
        toggle("tls-cluster", "no", "Uses TLS on the cluster bus.").not_built(),
        text("tls-cert-file", "", "Certificate of the server.").remembered(),
        text("tls-key-file", "", "Its key.").remembered(),
        text("tls-key-file-pass", "", "Password of the key.").secret().remembered(),
        text("tls-client-cert-file", "", "Certificate for outgoing connections.").remembered(),
        text("tls-client-key-file", "", "Its key.").remembered(),
        text("tls-client-key-file-pass", "", "Password of that key.").secret().remembered(),
        text("tls-dh-params-file", "", "Diffie-Hellman parameters.").remembered(),
        text("tls-ca-cert-file", "", "Certificates of the authorities that are trusted.").remembered(),
        text("tls-ca-cert-dir", "", "Folder with them.").remembered(),
        choice(
            "tls-auth-clients",
            "yes",
            &[("no", 0), ("yes", 1), ("optional", 2)],
            "Whether clients must show a certificate.",
        )
        .remembered(),
        text("tls-protocols", "", "Versions of TLS to allow.").remembered(),
        text("tls-ciphers", "", "Ciphers to allow up to TLS 1.2.").remembered(),
        text("tls-ciphersuites", "", "Ciphers to allow in TLS 1.3.").remembered(),
        toggle("tls-prefer-server-ciphers", "no", "Lets the server choose the cipher.").remembered(),
        toggle("tls-session-caching", "yes", "Keeps sessions for faster reconnections.").remembered(),
        number("tls-session-cache-size", "20480", INT, "Sessions kept; 0 for no limit.").remembered(),
        number("tls-session-cache-timeout", "300", INT, "Seconds for which they are kept.").remembered(),
    ],
};
