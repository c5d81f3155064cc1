//! Table rows: the commands on streams.

use super::super::spec::{
    ACCESS, Access, Arg, BLOCKING, Begin, DELETE, DENYOOM, FAST, Find, Group, INSERT, KeySpec, LOADING, MOVABLEKEYS,
    READONLY, RO, RW, STALE, Spec, UPDATE, WRITE, acl, block, integer, key, one_of, string, unix_time, word,
};
use crate::command::{help, streams};

/// What becomes of references to entries that go.
const CONDITION: Arg =
    one_of("condition", &[word("keepref", "KEEPREF"), word("delref", "DELREF"), word("acked", "ACKED")]).optional();

/// How a stream is trimmed.
const TRIM: &[Arg] = &[
    one_of("strategy", &[word("maxlen", "MAXLEN"), word("minid", "MINID").since("6.2.0")]),
    one_of("operator", &[word("equal", "="), word("approximately", "~")]).optional(),
    string("threshold"),
    integer("count").token("LIMIT").optional().since("6.2.0"),
];

/// The first half of what follows the word STREAMS.
const fn behind_streams(from: i32) -> KeySpec {
    KeySpec {
        access: Access::all(&[RO, ACCESS]),
        begin: Begin::Keyword("STREAMS", from),
        find: Find::Range { last: -1, step: 1, limit: 2 },
        notes: None,
    }
}

/// Rows, by name.
pub static STREAMS: &[Spec] = &[
    Spec::new("xack", -4, Group::Stream, "5.0.0")
        .about("Takes entries off the pending ones of a group.", "O(1) for each id")
        .flags(&[WRITE, FAST])
        .acl(&[acl::STREAM])
        .keys(&[KeySpec::one(1, &[RW, UPDATE])])
        .args(&[key("key", 0), string("group"), string("id").multiple()])
        .handler(streams::xack),
    Spec::new("xackdel", -6, Group::Stream, "8.2.0")
        .about("Takes entries off the pending ones of a group and deletes them.", "O(1) for each id and group")
        .flags(&[WRITE, FAST])
        .acl(&[acl::STREAM])
        .keys(&[KeySpec::one(1, &[RW, UPDATE, DELETE])])
        .args(&[
            key("key", 0),
            string("group"),
            CONDITION,
            block("ids", &[integer("numids"), string("id").multiple()]).token("IDS"),
        ])
        .handler(streams::xackdel),
    Spec::new("xadd", -5, Group::Stream, "5.0.0")
        .about(
            "Adds an entry to a stream, which is made if the key is missing.",
            "O(1) when adding, O(N) when trimming, N being the entries that go",
        )
        .flags(&[WRITE, DENYOOM, FAST])
        .acl(&[acl::STREAM])
        .keys(&[
            KeySpec::one(1, &[RW, UPDATE]).notes("UPDATE instead of INSERT because of the optional trimming feature")
        ])
        .args(&[
            key("key", 0),
            word("nomkstream", "NOMKSTREAM").optional().since("6.2.0"),
            CONDITION.since("8.2.0"),
            block("trim", TRIM).optional(),
            one_of("id-selector", &[word("auto-id", "*"), string("id")]),
            block("data", &[string("field"), string("value")]).multiple(),
        ])
        .tips(&["nondeterministic_output"])
        .history(&[("6.2.0", "NOMKSTREAM, MINID and LIMIT"), ("7.0.0", "ids of the form `<ms>-*`")])
        .handler(streams::xadd),
    Spec::new("xautoclaim", -6, Group::Stream, "6.2.0")
        .about("Gives a consumer what has been pending for long, from an id on.", "O(1) if COUNT is small")
        .flags(&[WRITE, FAST])
        .acl(&[acl::STREAM])
        .keys(&[KeySpec::one(1, &[RW, DELETE])])
        .args(&[
            key("key", 0),
            string("group"),
            string("consumer"),
            string("min-idle-time"),
            string("start"),
            integer("count").token("COUNT").optional(),
            word("justid", "JUSTID").optional(),
        ])
        .tips(&["nondeterministic_output"])
        .history(&[("7.0.0", "the reply names entries that were no longer there")])
        .handler(streams::xautoclaim),
    Spec::new("xclaim", -6, Group::Stream, "5.0.0")
        .about(
            "Gives a consumer pending entries by their ids.",
            "O(log N) for each id, N being the pending entries of the group",
        )
        .flags(&[WRITE, FAST])
        .acl(&[acl::STREAM])
        .keys(&[KeySpec::one(1, &[RW, UPDATE])])
        .args(&[
            key("key", 0),
            string("group"),
            string("consumer"),
            string("min-idle-time"),
            string("id").multiple(),
            integer("ms").token("IDLE").optional(),
            unix_time("unix-time-milliseconds").token("TIME").optional(),
            integer("count").token("RETRYCOUNT").optional(),
            word("force", "FORCE").optional(),
            word("justid", "JUSTID").optional(),
            string("lastid").token("LASTID").optional(),
        ])
        .tips(&["nondeterministic_output"])
        .handler(streams::xclaim),
    Spec::new("xdel", -3, Group::Stream, "5.0.0")
        .about("Deletes entries by their ids.", "O(1) for each id, whatever the length of the stream")
        .flags(&[WRITE, FAST])
        .acl(&[acl::STREAM])
        .keys(&[KeySpec::one(1, &[RW, DELETE])])
        .args(&[key("key", 0), string("id").multiple()])
        .handler(streams::xdel),
    Spec::new("xdelex", -5, Group::Stream, "8.2.0")
        .about(
            "Deletes entries by their ids, and says what becomes of references to them.",
            "O(1) for each id and group",
        )
        .flags(&[WRITE, FAST])
        .acl(&[acl::STREAM])
        .keys(&[KeySpec::one(1, &[RW, DELETE])])
        .args(&[key("key", 0), CONDITION, block("ids", &[integer("numids"), string("id").multiple()]).token("IDS")])
        .handler(streams::xdelex),
    Spec::new("xgroup", -2, Group::Stream, "5.0.0")
        .about("Holds the commands on consumer groups.", "Depends on the subcommand")
        .acl(&[acl::STREAM])
        .subcommands(&[
            Spec::new("xgroup|create", -5, Group::Stream, "5.0.0")
                .about("Makes a group that goes on behind an id.", "O(1)")
                .flags(&[WRITE, DENYOOM])
                .acl(&[acl::STREAM])
                .keys(&[KeySpec::one(2, &[RW, INSERT])])
                .args(&[
                    key("key", 0),
                    string("group"),
                    one_of("id-selector", &[string("id"), word("new-id", "$")]),
                    word("mkstream", "MKSTREAM").optional(),
                    integer("entriesread").token("ENTRIESREAD").optional().display("entries-read"),
                ])
                .history(&[("7.0.0", "ENTRIESREAD")])
                .handler(streams::xgroup_create),
            Spec::new("xgroup|createconsumer", 5, Group::Stream, "6.2.0")
                .about("Makes a consumer in a group.", "O(1)")
                .flags(&[WRITE, DENYOOM])
                .acl(&[acl::STREAM])
                .keys(&[KeySpec::one(2, &[RW, INSERT])])
                .args(&[key("key", 0), string("group"), string("consumer")])
                .handler(streams::xgroup_createconsumer),
            Spec::new("xgroup|delconsumer", 5, Group::Stream, "5.0.0")
                .about(
                    "Removes a consumer with all that is pending for it.",
                    "O(N) in the number of its pending entries",
                )
                .flags(&[WRITE])
                .acl(&[acl::STREAM])
                .keys(&[KeySpec::one(2, &[RW, DELETE])])
                .args(&[key("key", 0), string("group"), string("consumer")])
                .handler(streams::xgroup_delconsumer),
            Spec::new("xgroup|destroy", 4, Group::Stream, "5.0.0")
                .about("Removes a group with its consumers.", "O(N) in the number of its pending entries")
                .flags(&[WRITE])
                .acl(&[acl::STREAM])
                .keys(&[KeySpec::one(2, &[RW, DELETE])])
                .args(&[key("key", 0), string("group")])
                .handler(streams::xgroup_destroy),
            Spec::new("xgroup|help", 2, Group::Stream, "5.0.0")
                .about("Explains the subcommands.", "O(1)")
                .flags(&[LOADING, STALE])
                .acl(&[acl::STREAM])
                .handler(help::help),
            Spec::new("xgroup|setid", -5, Group::Stream, "5.0.0")
                .about("Sets the id behind which a group goes on.", "O(1)")
                .flags(&[WRITE])
                .acl(&[acl::STREAM])
                .keys(&[KeySpec::one(2, &[RW, UPDATE])])
                .args(&[
                    key("key", 0),
                    string("group"),
                    one_of("id-selector", &[string("id"), word("new-id", "$")]),
                    integer("entriesread").token("ENTRIESREAD").optional().display("entries-read"),
                ])
                .history(&[("7.0.0", "ENTRIESREAD")])
                .handler(streams::xgroup_setid),
        ]),
    Spec::new("xinfo", -2, Group::Stream, "5.0.0")
        .about("Holds the commands that describe streams.", "Depends on the subcommand")
        .acl(&[acl::STREAM])
        .subcommands(&[
            Spec::new("xinfo|consumers", 4, Group::Stream, "5.0.0")
                .about("Lists the consumers of a group.", "O(N) in the number of consumers")
                .flags(&[READONLY])
                .acl(&[acl::STREAM])
                .keys(&[KeySpec::one(2, &[RO, ACCESS])])
                .args(&[key("key", 0), string("group")])
                .tips(&["nondeterministic_output"])
                .history(&[("7.2.0", "`inactive`; `idle` means another time")])
                .handler(streams::xinfo_consumers),
            Spec::new("xinfo|groups", 3, Group::Stream, "5.0.0")
                .about("Lists the groups of a stream.", "O(N) in the number of groups")
                .flags(&[READONLY])
                .acl(&[acl::STREAM])
                .keys(&[KeySpec::one(2, &[RO, ACCESS])])
                .args(&[key("key", 0)])
                .history(&[("7.0.0", "`entries-read` and `lag`")])
                .handler(streams::xinfo_groups),
            Spec::new("xinfo|help", 2, Group::Stream, "5.0.0")
                .about("Explains the subcommands.", "O(1)")
                .flags(&[LOADING, STALE])
                .acl(&[acl::STREAM])
                .handler(help::help),
            Spec::new("xinfo|stream", -3, Group::Stream, "5.0.0")
                .about("Describes a stream.", "O(1); O(N) with FULL, in the number of elements shown")
                .flags(&[READONLY])
                .acl(&[acl::STREAM])
                .keys(&[KeySpec::one(2, &[RO, ACCESS])])
                .args(&[
                    key("key", 0),
                    block("full-block", &[word("full", "FULL"), integer("count").token("COUNT").optional()]).optional(),
                ])
                .history(&[
                    ("6.0.0", "FULL"),
                    (
                        "7.0.0",
                        "`max-deleted-entry-id`, `entries-added`, `recorded-first-entry-id`, `entries-read` and `lag`",
                    ),
                    ("7.2.0", "`active-time`; `seen-time` means another time"),
                ])
                .handler(streams::xinfo_stream),
        ]),
    Spec::new("xlen", 2, Group::Stream, "5.0.0")
        .about("Counts the entries of a stream.", "O(1)")
        .flags(&[READONLY, FAST])
        .acl(&[acl::STREAM])
        .keys(&[KeySpec::one(1, &[RO])])
        .args(&[key("key", 0)])
        .handler(streams::xlen),
    Spec::new("xpending", -3, Group::Stream, "5.0.0")
        .about(
            "Shows what a group has delivered and nobody has acknowledged.",
            "O(N) in the number of elements shown; O(1) for the summary if consumers are few",
        )
        .flags(&[READONLY])
        .acl(&[acl::STREAM])
        .keys(&[KeySpec::one(1, &[RO, ACCESS])])
        .args(&[
            key("key", 0),
            string("group"),
            block(
                "filters",
                &[
                    integer("min-idle-time").token("IDLE").optional().since("6.2.0"),
                    string("start"),
                    string("end"),
                    integer("count"),
                    string("consumer").optional(),
                ],
            )
            .optional(),
        ])
        .tips(&["nondeterministic_output"])
        .history(&[("6.2.0", "IDLE, and ranges without their ends")])
        .handler(streams::xpending),
    Spec::new("xrange", -4, Group::Stream, "5.0.0")
        .about(
            "Gives the entries between two ids.",
            "O(N) in the number of entries returned, after O(log N) to find the first",
        )
        .flags(&[READONLY])
        .acl(&[acl::STREAM])
        .keys(&[KeySpec::one(1, &[RO, ACCESS])])
        .args(&[key("key", 0), string("start"), string("end"), integer("count").token("COUNT").optional()])
        .history(&[("6.2.0", "ranges without their ends")])
        .handler(streams::xrange),
    Spec::new("xread", -4, Group::Stream, "5.0.0")
        .about(
            "Gives what is behind given ids in one or more streams, or waits for it.",
            "O(N) in the number of entries returned",
        )
        .flags(&[READONLY, BLOCKING, MOVABLEKEYS])
        .acl(&[acl::STREAM])
        .keys(&[behind_streams(1)])
        .args(&[
            integer("count").token("COUNT").optional(),
            integer("milliseconds").token("BLOCK").optional(),
            block("streams", &[key("key", 0).multiple(), string("id").multiple()]).token("STREAMS"),
        ])
        .handler(streams::xread),
    Spec::new("xreadgroup", -7, Group::Stream, "5.0.0")
        .about(
            "Gives a consumer of a group entries of one or more streams, or waits for them.",
            "O(N) in the number of entries returned",
        )
        .flags(&[WRITE, BLOCKING, MOVABLEKEYS])
        .acl(&[acl::STREAM])
        .keys(&[behind_streams(4)])
        .args(&[
            block("group-block", &[string("group"), string("consumer")]).token("GROUP"),
            integer("count").token("COUNT").optional(),
            integer("milliseconds").token("BLOCK").optional(),
            word("noack", "NOACK").optional(),
            block("streams", &[key("key", 0).multiple(), string("id").multiple()]).token("STREAMS"),
        ])
        .handler(streams::xreadgroup),
    Spec::new("xrevrange", -4, Group::Stream, "5.0.0")
        .about(
            "Gives the entries between two ids, the last one first.",
            "O(N) in the number of entries returned, after O(log N) to find the last",
        )
        .flags(&[READONLY])
        .acl(&[acl::STREAM])
        .keys(&[KeySpec::one(1, &[RO, ACCESS])])
        .args(&[key("key", 0), string("end"), string("start"), integer("count").token("COUNT").optional()])
        .history(&[("6.2.0", "ranges without their ends")])
        .handler(streams::xrevrange),
    Spec::new("xsetid", -3, Group::Stream, "5.0.0")
        .about("Sets the last id of a stream and what is counted about it.", "O(1)")
        .flags(&[WRITE, DENYOOM, FAST])
        .acl(&[acl::STREAM])
        .keys(&[KeySpec::one(1, &[RW, UPDATE])])
        .args(&[
            key("key", 0),
            string("last-id"),
            integer("entries-added").token("ENTRIESADDED").optional().since("7.0.0"),
            string("max-deleted-id").token("MAXDELETEDID").optional().since("7.0.0"),
        ])
        .history(&[("7.0.0", "ENTRIESADDED and MAXDELETEDID")])
        .handler(streams::xsetid),
    Spec::new("xtrim", -4, Group::Stream, "5.0.0")
        .about("Removes the first entries of a stream.", "O(N) in the number of entries removed")
        .flags(&[WRITE])
        .acl(&[acl::STREAM])
        .keys(&[KeySpec::one(1, &[RW, DELETE])])
        .args(&[key("key", 0), block("trim", TRIM), CONDITION.since("8.2.0")])
        .tips(&["nondeterministic_output"])
        .history(&[("6.2.0", "MINID and LIMIT")])
        .handler(streams::xtrim),
];
