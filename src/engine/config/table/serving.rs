//! Settings of listening, access and clients.

use super::super::composite::Composite::{Addresses, OneAddress, OutputBufferLimits};
use super::super::setting::{Kind, bytes, choice, number, path, special, text, toggle};
use super::Section;

/// Who may use a group of commands or settings.
pub const NO_YES_LOCAL: &[(&str, u8)] = &[("no", 0), ("yes", 1), ("local", 2)];

/// The largest value of a C `int`, which bounds many of Redis' settings.
pub const INT: (i64, i64) = (0, i32::MAX as i64);
/// The same, without 0.
pub const POSITIVE_INT: (i64, i64) = (1, i32::MAX as i64);
/// A TCP port, 0 for none.
pub const PORT: (i64, i64) = (0, 65535);
/// Any number from 0.
pub const NATURAL: (i64, i64) = (0, i64::MAX);

pub static NETWORK: Section = Section {
    title: "Network",
    settings: &[
        special(
            "bind",
            "127.0.0.1 -::1",
            Kind::Composite(Addresses),
            "Addresses to listen on, empty for no TCP. `*` and `::*` mean all IPv4 and IPv6 addresses; one with a leading `-` \
             may be missing.",
        ),
        number("port", "6379", PORT, "TCP port to listen on; 0 for none."),
        path(
            "ackd-port-file",
            "",
            "If not empty, the system chooses the TCP port, and its number is written into this file. For tests.",
        )
        .at_start()
        .hidden(),
        number("tcp-backlog", "511", INT, "How many connections the kernel queues until they are accepted.").at_start(),
        path("unixsocket", "", "Path of a unix socket to listen on; empty for none.").at_start(),
        special(
            "unixsocketperm",
            "0",
            Kind::Octal(0o777),
            "Permissions of the unix socket, octal; 0 leaves them as they are.",
        )
        .at_start(),
        number("tcp-keepalive", "300", INT, "Seconds between probes of an idle TCP connection; 0 for no probes."),
        special(
            "bind-source-addr",
            "",
            Kind::Composite(OneAddress),
            "Local address of outgoing connections. ackd opens none yet.",
        )
        .remembered(),
        number("socket-mark-id", "0", (0, u32::MAX as i64), "Mark of the sockets, for packet filters.")
            .at_start()
            .remembered(),
    ],
};

pub static SECURITY: Section = Section {
    title: "Access",
    settings: &[
        toggle(
            "protected-mode",
            "yes",
            "Without a password, serves connections from the loopback interface and the unix socket only.",
        ),
        text("requirepass", "", "Password that connections must give with AUTH; empty for none.").secret(),
        choice(
            "enable-protected-configs",
            "no",
            NO_YES_LOCAL,
            "Who may change settings that name files (`dir`, `dbfilename`): nobody, everybody, or local connections.",
        )
        .at_start(),
        choice(
            "enable-debug-command",
            "no",
            NO_YES_LOCAL,
            "Who may use DEBUG: nobody, everybody, or local connections.",
        )
        .at_start(),
        choice("enable-module-command", "no", NO_YES_LOCAL, "Who may use MODULE LOAD. ackd has no modules.")
            .at_start()
            .remembered(),
        path("aclfile", "", "File with ACL users, which ACL LOAD reads and ACL SAVE writes; empty for none.")
            .at_start(),
        choice(
            "acl-pubsub-default",
            "resetchannels",
            &[("allchannels", 1), ("resetchannels", 0)],
            "Channels that a new ACL user may use.",
        ),
        number("acllog-max-len", "128", NATURAL, "Entries kept in the ACL log."),
    ],
};

pub static CLIENTS: Section = Section {
    title: "Clients",
    settings: &[
        number(
            "maxclients",
            "10000",
            (1, u32::MAX as i64),
            "Connections served at a time; more get an error and are closed.",
        ),
        number("timeout", "0", INT, "Seconds after which an idle connection is closed; 0 for never."),
        bytes(
            "proto-max-bulk-len",
            "512mb",
            1 << 20,
            "Longest argument of a command, and longest string that a command makes.",
        ),
        bytes(
            "client-query-buffer-limit",
            "1gb",
            1 << 20,
            "Bytes of requests that are not executed yet, above which a connection is closed.",
        ),
        special(
            "client-output-buffer-limit",
            "normal 0 0 0 slave 256mb 64mb 60 pubsub 32mb 8mb 60",
            Kind::Composite(OutputBufferLimits),
            "For each class of clients: bytes of replies not yet read above which the connection is closed at once, and \
             bytes above which it is closed if it stays there for some seconds. 0 for no limit.",
        ),
        special(
            "maxmemory-clients",
            "0",
            Kind::MemoryOrPercent,
            "Memory of all connections together above which the largest are closed; 0 for no limit.",
        ),
    ],
};
