//! Settings of memory, expiry, representations, scripts, and of what can be observed.

use super::super::composite::Composite::{KeyspaceEvents, Percentiles};
use super::super::setting::{Kind, bytes, choice, number, special, toggle};
use super::Section;
use super::serving::{INT, NATURAL, POSITIVE_INT};

pub static MEMORY: Section = Section {
    title: "Memory",
    settings: &[
        bytes("maxmemory", "0", 0, "Memory above which keys are evicted or writes refused; 0 for no limit.")
            .clamped(0, i64::MAX),
        choice(
            "maxmemory-policy",
            "noeviction",
            &[
                ("volatile-lru", 1),
                ("volatile-lfu", 2),
                ("volatile-random", 3),
                ("volatile-ttl", 4),
                ("allkeys-lru", 5),
                ("allkeys-lfu", 6),
                ("allkeys-random", 7),
                ("noeviction", 0),
            ],
            "Which keys are evicted above `maxmemory`. It also decides whether OBJECT IDLETIME or OBJECT FREQ is kept.",
        ),
        number(
            "maxmemory-samples",
            "5",
            POSITIVE_INT,
            "Keys looked at, in each database, for each one that is evicted.",
        ),
        number(
            "maxmemory-eviction-tenacity",
            "10",
            (0, 100),
            "How long one command may be held up by eviction, which goes on behind it: up to 10 in steps of 50 microseconds, \
             above that each 15 % more, 100 for as long as it takes.",
        ),
        number("lfu-log-factor", "10", INT, "How slowly the access frequency counter grows."),
        number("lfu-decay-time", "1", INT, "Minutes after which the access frequency counter loses one."),
        toggle(
            "lazyfree-lazy-eviction",
            "no",
            "Frees evicted values off the hot path, and logs UNLINK instead of DEL.",
        ),
        toggle("lazyfree-lazy-expire", "no", "Frees expired values off the hot path, and logs UNLINK instead of DEL."),
        toggle(
            "lazyfree-lazy-server-del",
            "no",
            "Frees overwritten values off the hot path. Strings are freed at once, as in Redis.",
        ),
        toggle(
            "lazyfree-lazy-user-del",
            "no",
            "Lets DEL free values as UNLINK does. Strings are freed at once by both, as in Redis.",
        ),
        toggle("lazyfree-lazy-user-flush", "no", "Lets FLUSHALL and FLUSHDB do what they do with ASYNC."),
        toggle("activedefrag", "no", "Moves values together to give memory back.").remembered(),
        bytes("active-defrag-ignore-bytes", "100mb", 1, "Wasted bytes below which nothing is moved.").remembered(),
        number("active-defrag-threshold-lower", "10", (0, 1000), "Waste in percent at which moving begins.")
            .remembered(),
        number("active-defrag-threshold-upper", "100", (0, 1000), "Waste in percent at which it takes most time.")
            .remembered(),
        number("active-defrag-cycle-min", "1", (1, 99), "Least percent of CPU for moving.").remembered(),
        number("active-defrag-cycle-max", "25", (1, 99), "Most percent of CPU for moving.").remembered(),
        number(
            "active-defrag-max-scan-fields",
            "1000",
            (1, i64::MAX),
            "Elements above which a collection is moved on its own.",
        )
        .remembered(),
        toggle("activerehashing", "yes", "Lets Redis grow tables while idle. ackd's grow with each write.")
            .remembered(),
        toggle("jemalloc-bg-thread", "yes", "Lets the allocator return memory from a thread of its own.").remembered(),
    ],
};

pub static EXPIRY: Section = Section {
    title: "Keys and expiry",
    settings: &[
        number("databases", "16", POSITIVE_INT, "Number of databases.").at_start(),
        number("active-expire-effort", "1", (1, 10), "How eagerly expired keys are looked for, 1 to 10."),
        number("hz", "10", INT, "How often a second background work runs; 1 to 500.").clamped(1, 500),
        toggle("dynamic-hz", "yes", "Raises `hz` with the number of connections.").remembered(),
    ],
};

pub static ENCODINGS: Section = Section {
    title: "Representation of collections",
    settings: &[
        number("hash-max-listpack-entries", "512", NATURAL, "Fields up to which a hash is stored compactly.")
            .alias("hash-max-ziplist-entries"),
        bytes(
            "hash-max-listpack-value",
            "64",
            0,
            "Length of its longest field or value up to which a hash is stored compactly.",
        )
        .alias("hash-max-ziplist-value"),
        number(
            "list-max-listpack-size",
            "-2",
            (i32::MIN as i64, i32::MAX as i64),
            "Elements of a list's node, or its size class if negative.",
        )
        .alias("list-max-ziplist-size"),
        number(
            "list-compress-depth",
            "0",
            INT,
            "Nodes at both ends of a list that are not compressed; 0 for no compression. The value is kept, but lists are \
             never compressed: a read within one would have to unpack the node in the thread that serves everybody.",
        )
        .remembered(),
        number("set-max-intset-entries", "512", NATURAL, "Elements up to which a set of integers is stored compactly."),
        number("set-max-listpack-entries", "128", NATURAL, "Elements up to which a set is stored compactly."),
        number(
            "set-max-listpack-value",
            "64",
            NATURAL,
            "Length of its longest element up to which a set is stored compactly.",
        ),
        number("zset-max-listpack-entries", "128", NATURAL, "Elements up to which a sorted set is stored compactly.")
            .alias("zset-max-ziplist-entries"),
        bytes(
            "zset-max-listpack-value",
            "64",
            0,
            "Length of its longest element up to which a sorted set is stored compactly.",
        )
        .alias("zset-max-ziplist-value"),
        bytes("hll-sparse-max-bytes", "3000", 0, "Size up to which a HyperLogLog is stored sparsely."),
        bytes("stream-node-max-bytes", "4096", 0, "Bytes of a stream's node; 0 for no limit."),
        number("stream-node-max-entries", "100", NATURAL, "Entries of a stream's node; 0 for no limit."),
    ],
};

pub static OBSERVATION: Section = Section {
    title: "Observation",
    settings: &[
        special(
            "notify-keyspace-events",
            "",
            Kind::Composite(KeyspaceEvents),
            "Classes of key events that are published, as letters; empty for none.",
        ),
        number(
            "slowlog-log-slower-than",
            "10000",
            (-1, i64::MAX),
            "Microseconds from which on a command goes to the slow log; 0 for every command, -1 for none.",
        ),
        number("slowlog-max-len", "128", NATURAL, "Entries of the slow log."),
        number(
            "latency-monitor-threshold",
            "0",
            NATURAL,
            "Milliseconds from which on LATENCY records what held the server up; 0 for nothing.",
        ),
        toggle("latency-tracking", "yes", "Keeps latency percentiles of each command."),
        special(
            "latency-tracking-info-percentiles",
            "50 99 99.9",
            Kind::Composite(Percentiles),
            "The percentiles that INFO shows.",
        ),
        number(
            "tracking-table-max-keys",
            "1000000",
            NATURAL,
            "Keys remembered for client-side caching; 0 for no limit.",
        ),
    ],
};

pub static SCRIPTS: Section = Section {
    title: "Scripts",
    settings: &[
        number(
            "busy-reply-threshold",
            "5000",
            NATURAL,
            "Milliseconds after which a script that still runs lets others get `-BUSY`; 0 for never.",
        )
        .alias("lua-time-limit"),
        bytes(
            "lua-max-memory",
            "1gb",
            0,
            "Bytes that scripts may take in Lua, and functions likewise; one that wants more ends with an error. 0 for no limit.",
        ),
    ],
};
