//! Settings of what is kept on disk, and when.

use super::super::composite::Composite::{FileName, Save};
use super::super::setting::{Kind, bytes, choice, number, path, special, toggle};
use super::Section;
use super::serving::{INT, NATURAL};

pub static DURABILITY: Section = Section {
    title: "Durability",
    settings: &[
        choice(
            "appendfsync",
            "always",
            &[("everysec", 1), ("always", 0), ("no", 2)],
            "What an acknowledged write survives. `always`: the loss of power. `everysec`: the death of the process, and \
             all but the last one to two seconds before a loss of power. `no`: the death of the process; when the \
             medium follows is left to the operating system.",
        )
        .redis_default("everysec"),
        path("dir", "./", "Folder of the data: ackd keeps them in `ackd-data` there.").protected(),
        bytes("log-segment-size", "64mb", 1 << 20, "Size of the log's segments. The first ones of a run are smaller.")
            .at_start(),
        number(
            "log-keep-time",
            "0",
            NATURAL,
            "Seconds of history to keep, with the snapshots that it takes to go back to any point of it; 0 for no more than \
             a start needs.",
        ),
        bytes("log-keep-size", "0", 0, "Bytes of history to keep, likewise."),
        number(
            "max-replay-time",
            "60",
            NATURAL,
            "A snapshot is taken when a start would replay the log for so many seconds, at the speed that the last start \
             had; 0 for no bound.",
        ),
        toggle(
            "ackd-self-check",
            "no",
            "Applies every effect to a second keyspace and compares the two after each command. For tests: it costs \
             memory and time.",
        )
        .at_start()
        .hidden(),
    ],
};

pub static SNAPSHOTS: Section = Section {
    title: "Snapshots",
    settings: &[
        special(
            "save",
            "3600 1 300 100 60 10000",
            Kind::Composite(Save),
            "Pairs of seconds and changes after which a snapshot is taken. It makes starts faster and the log shorter: \
             every write is in the log, with or without snapshots.",
        ),
        number(
            "snapshots-kept",
            "2",
            (1, 1000),
            "Snapshots to keep. Until there are so many, nothing of the log is dropped.",
        ),
        toggle(
            "snapshot-copy",
            "yes",
            "Puts a copy of the snapshot where Redis has its file (`dir` and `dbfilename`) after SAVE, BGSAVE and `save` \
             points. It shares the storage of the snapshot where the file system can do that.",
        ),
        special(
            "dbfilename",
            "dump.rdb",
            Kind::Composite(FileName),
            "Name of Redis' snapshot file. ackd keeps a copy of its newest snapshot there (`snapshot-copy`), and does not \
             start beside one while it has no data of its own.",
        )
        .protected(),
        toggle("rdbcompression", "yes", "Compresses strings in what DUMP answers, and in snapshots."),
        toggle(
            "rdbchecksum",
            "yes",
            "Ends snapshots with Redis' checksum. ackd notes one of its own for the whole file in any case.",
        )
        .at_start(),
        choice(
            "sanitize-dump-payload",
            "no",
            &[("no", 0), ("yes", 1), ("clients", 2)],
            "Whether Redis checks in depth what RESTORE is given. ackd always does.",
        )
        .remembered(),
        toggle(
            "stop-writes-on-bgsave-error",
            "no",
            "Refuses writes after a snapshot failed, if there are `save` points. In ackd writes are safe in the log all the \
             same.",
        )
        .redis_default("yes"),
        toggle("rdb-save-incremental-fsync", "yes", "Syncs a snapshot a few megabytes at a time.").remembered(),
        toggle("rdb-del-sync-files", "no", "Deletes snapshots made only for replicas.").remembered(),
        number("rdb-key-save-delay", "0", (i32::MIN as i64, i32::MAX as i64), "Microseconds to wait after each key of a snapshot. For tests.")
            .hidden(),
        number("key-load-delay", "0", (i32::MIN as i64, i32::MAX as i64), "Microseconds to wait after each key while loading. For tests.")
            .remembered()
            .hidden(),
    ],
};

pub static APPEND_ONLY_FILE: Section = Section {
    title: "Redis' append-only file",
    settings: &[
        toggle(
            "appendonly",
            "yes",
            "Whether Redis writes an append-only file. ackd's log is always written; `no` is kept, and warned of.",
        )
        .redis_default("no"),
        special(
            "appendfilename",
            "appendonly.aof",
            Kind::Composite(FileName),
            "Name of Redis' append-only file. ackd does not start beside one while it has no data of its own.",
        )
        .at_start(),
        special(
            "appenddirname",
            "appendonlydir",
            Kind::Composite(FileName),
            "Folder of Redis' append-only files; likewise.",
        )
        .at_start(),
        toggle(
            "no-appendfsync-on-rewrite",
            "no",
            "Lets Redis skip syncs while it rewrites its file. ackd never skips any.",
        )
        .remembered(),
        number(
            "auto-aof-rewrite-percentage",
            "100",
            INT,
            "A snapshot is taken, and the log cut short, when the log behind the newest snapshot has grown to so many \
             percent of its size; 0 for never.",
        ),
        bytes("auto-aof-rewrite-min-size", "64mb", 0, "Not while snapshot and log together are smaller than this."),
        toggle("aof-load-truncated", "yes", "Lets Redis load a file whose end is missing. ackd has its own rules.")
            .remembered(),
        toggle("aof-use-rdb-preamble", "yes", "Begins Redis' rewritten file with a snapshot.").remembered(),
        toggle("aof-timestamp-enabled", "no", "Notes the time in Redis' file. ackd's log always holds it.")
            .remembered(),
        toggle("aof-rewrite-incremental-fsync", "yes", "Syncs a rewritten file a few megabytes at a time.")
            .remembered(),
        toggle("aof-disable-auto-gc", "no", "Keeps Redis' old files. For tests.").remembered().hidden(),
    ],
};
