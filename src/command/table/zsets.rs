//! Table rows: the commands on sorted sets.

use super::super::spec::{
    ACCESS, DELETE, DENYOOM, FAST, Group, KeySpec, MOVABLEKEYS, OW, READONLY, RO, RW, Spec, UPDATE, WRITE, acl, block,
    double, integer, key, one_of, pattern, string, word,
};
use crate::command::zsets::{add, combine, pop, random, range, read, remove, scan};

/// Rows, by name.
pub static ZSETS: &[Spec] = &[
    Spec::new("zadd", -4, Group::SortedSet, "1.2.0")
        .about(
            "Adds members to a sorted set or changes their scores; the key is made if it is missing.",
            "O(log N) for each member",
        )
        .flags(&[WRITE, DENYOOM, FAST])
        .acl(&[acl::SORTEDSET])
        .keys(&[KeySpec::one(1, &[RW, UPDATE])])
        .args(&[
            key("key", 0),
            one_of("condition", &[word("nx", "NX"), word("xx", "XX")]).optional().since("3.0.2"),
            one_of("comparison", &[word("gt", "GT"), word("lt", "LT")]).optional().since("6.2.0"),
            word("change", "CH").optional().since("3.0.2"),
            word("increment", "INCR").optional().since("3.0.2"),
            block("data", &[double("score"), string("member")]).multiple(),
        ])
        .history(&[("2.4.0", "several members at once"), ("3.0.2", "XX, NX, CH and INCR"), ("6.2.0", "GT and LT")])
        .handler(add::zadd),
    Spec::new("zcard", 2, Group::SortedSet, "1.2.0")
        .about("Counts the members of a sorted set.", "O(1)")
        .flags(&[READONLY, FAST])
        .acl(&[acl::SORTEDSET])
        .keys(&[KeySpec::one(1, &[RO])])
        .args(&[key("key", 0)])
        .handler(read::zcard),
    Spec::new("zcount", 4, Group::SortedSet, "2.0.0")
        .about("Counts the members with scores in a range.", "O(log N)")
        .flags(&[READONLY, FAST])
        .acl(&[acl::SORTEDSET])
        .keys(&[KeySpec::one(1, &[RO, ACCESS])])
        .args(&[key("key", 0), double("min"), double("max")])
        .handler(read::zcount),
    Spec::new("zdiff", -3, Group::SortedSet, "6.2.0")
        .about(
            "Gives the members of the first sorted set that no other one has.",
            "O(L+(N-K) log N) with L members in all sets, N in the first one and K in the result",
        )
        .flags(&[READONLY, MOVABLEKEYS])
        .acl(&[acl::SORTEDSET])
        .keys(&[KeySpec::counted(1, &[RO, ACCESS])])
        .args(&[integer("numkeys"), key("key", 0).multiple(), word("withscores", "WITHSCORES").optional()])
        .handler(combine::zdiff),
    Spec::new("zdiffstore", -4, Group::SortedSet, "6.2.0")
        .about(
            "Stores the members of the first sorted set that no other one has.",
            "O(L+(N-K) log N) with L members in all sets, N in the first one and K in the result",
        )
        .flags(&[WRITE, DENYOOM, MOVABLEKEYS])
        .acl(&[acl::SORTEDSET])
        .keys(&[KeySpec::one(1, &[OW, UPDATE]), KeySpec::counted(2, &[RO, ACCESS])])
        .args(&[key("destination", 0), integer("numkeys"), key("key", 1).multiple()])
        .handler(combine::zdiffstore),
    Spec::new("zincrby", 4, Group::SortedSet, "1.2.0")
        .about("Adds to the score of a member, which is made if it is missing.", "O(log N)")
        .flags(&[WRITE, DENYOOM, FAST])
        .acl(&[acl::SORTEDSET])
        .keys(&[KeySpec::one(1, &[RW, ACCESS, UPDATE])])
        .args(&[key("key", 0), integer("increment"), string("member")])
        .handler(add::zincrby),
    Spec::new("zinter", -3, Group::SortedSet, "6.2.0")
        .about(
            "Gives the members that all of several sorted sets have.",
            "O(N*K)+O(M log M) with N members in the smallest of K sets and M in the result",
        )
        .flags(&[READONLY, MOVABLEKEYS])
        .acl(&[acl::SORTEDSET])
        .keys(&[KeySpec::counted(1, &[RO, ACCESS])])
        .args(&[
            integer("numkeys"),
            key("key", 0).multiple(),
            integer("weight").token("WEIGHTS").optional().multiple(),
            one_of("aggregate", &[word("sum", "SUM"), word("min", "MIN"), word("max", "MAX")])
                .token("AGGREGATE")
                .optional(),
            word("withscores", "WITHSCORES").optional(),
        ])
        .handler(combine::zinter),
    Spec::new("zintercard", -3, Group::SortedSet, "7.0.0")
        .about(
            "Counts the members that all of several sorted sets have.",
            "O(N*K) with N members in the smallest of K sets",
        )
        .flags(&[READONLY, MOVABLEKEYS])
        .acl(&[acl::SORTEDSET])
        .keys(&[KeySpec::counted(1, &[RO, ACCESS])])
        .args(&[integer("numkeys"), key("key", 0).multiple(), integer("limit").token("LIMIT").optional()])
        .handler(combine::zintercard),
    Spec::new("zinterstore", -4, Group::SortedSet, "2.0.0")
        .about(
            "Stores the members that all of several sorted sets have.",
            "O(N*K)+O(M log M) with N members in the smallest of K sets and M in the result",
        )
        .flags(&[WRITE, DENYOOM, MOVABLEKEYS])
        .acl(&[acl::SORTEDSET])
        .keys(&[KeySpec::one(1, &[OW, UPDATE]), KeySpec::counted(2, &[RO, ACCESS])])
        .args(&[
            key("destination", 0),
            integer("numkeys"),
            key("key", 1).multiple(),
            integer("weight").token("WEIGHTS").optional().multiple(),
            one_of("aggregate", &[word("sum", "SUM"), word("min", "MIN"), word("max", "MAX")])
                .token("AGGREGATE")
                .optional(),
        ])
        .handler(combine::zinterstore),
    Spec::new("zlexcount", 4, Group::SortedSet, "2.8.9")
        .about("Counts the members that lie between two others, all having one score.", "O(log N)")
        .flags(&[READONLY, FAST])
        .acl(&[acl::SORTEDSET])
        .keys(&[KeySpec::one(1, &[RO, ACCESS])])
        .args(&[key("key", 0), string("min"), string("max")])
        .handler(read::zlexcount),
    Spec::new("zmpop", -4, Group::SortedSet, "7.0.0")
        .about(
            "Pops members from the first of several sorted sets that has any.",
            "O(K)+O(M log N) with K keys, M members popped and N members there",
        )
        .flags(&[WRITE, MOVABLEKEYS])
        .acl(&[acl::SORTEDSET])
        .keys(&[KeySpec::counted(1, &[RW, ACCESS, DELETE])])
        .args(&[
            integer("numkeys"),
            key("key", 0).multiple(),
            one_of("where", &[word("min", "MIN"), word("max", "MAX")]),
            integer("count").token("COUNT").optional(),
        ])
        .handler(pop::zmpop),
    Spec::new("zmscore", -3, Group::SortedSet, "6.2.0")
        .about("Gives the scores of several members.", "O(M) with M members asked for")
        .flags(&[READONLY, FAST])
        .acl(&[acl::SORTEDSET])
        .keys(&[KeySpec::one(1, &[RO, ACCESS])])
        .args(&[key("key", 0), string("member").multiple()])
        .handler(read::zmscore),
    Spec::new("zpopmax", -2, Group::SortedSet, "5.0.0")
        .about(
            "Pops the members with the highest scores; the key goes with the last member.",
            "O(M log N) with M members popped",
        )
        .flags(&[WRITE, FAST])
        .acl(&[acl::SORTEDSET])
        .keys(&[KeySpec::one(1, &[RW, ACCESS, DELETE])])
        .args(&[key("key", 0), integer("count").optional()])
        .handler(pop::zpopmax),
    Spec::new("zpopmin", -2, Group::SortedSet, "5.0.0")
        .about(
            "Pops the members with the lowest scores; the key goes with the last member.",
            "O(M log N) with M members popped",
        )
        .flags(&[WRITE, FAST])
        .acl(&[acl::SORTEDSET])
        .keys(&[KeySpec::one(1, &[RW, ACCESS, DELETE])])
        .args(&[key("key", 0), integer("count").optional()])
        .handler(pop::zpopmin),
    Spec::new("zrandmember", -2, Group::SortedSet, "6.2.0")
        .about("Gives members of a sorted set drawn at random.", "O(M) with M members drawn")
        .flags(&[READONLY])
        .acl(&[acl::SORTEDSET])
        .keys(&[KeySpec::one(1, &[RO, ACCESS])])
        .args(&[
            key("key", 0),
            block("options", &[integer("count"), word("withscores", "WITHSCORES").optional()]).optional(),
        ])
        .tips(&["nondeterministic_output"])
        .handler(random::zrandmember),
    Spec::new("zrange", -4, Group::SortedSet, "1.2.0")
        .about(
            "Gives the members in a range of ranks, of scores or of members.",
            "O(log N + M) with M members in the reply",
        )
        .flags(&[READONLY])
        .acl(&[acl::SORTEDSET])
        .keys(&[KeySpec::one(1, &[RO, ACCESS])])
        .args(&[
            key("key", 0),
            string("start"),
            string("stop"),
            one_of("sortby", &[word("byscore", "BYSCORE"), word("bylex", "BYLEX")]).optional().since("6.2.0"),
            word("rev", "REV").optional().since("6.2.0"),
            block("limit", &[integer("offset"), integer("count")]).token("LIMIT").optional().since("6.2.0"),
            word("withscores", "WITHSCORES").optional(),
        ])
        .history(&[("6.2.0", "REV, BYSCORE, BYLEX and LIMIT")])
        .handler(range::zrange),
    Spec::new("zrangebylex", -4, Group::SortedSet, "2.8.9")
        .about(
            "Gives the members that lie between two others, all having one score.",
            "O(log N + M) with M members in the reply",
        )
        .flags(&[READONLY])
        .acl(&[acl::SORTEDSET])
        .keys(&[KeySpec::one(1, &[RO, ACCESS])])
        .args(&[
            key("key", 0),
            string("min"),
            string("max"),
            block("limit", &[integer("offset"), integer("count")]).token("LIMIT").optional(),
        ])
        .deprecated("6.2.0", "`ZRANGE` with the `BYLEX` argument")
        .handler(range::zrangebylex),
    Spec::new("zrangebyscore", -4, Group::SortedSet, "1.0.5")
        .about("Gives the members with scores in a range.", "O(log N + M) with M members in the reply")
        .flags(&[READONLY])
        .acl(&[acl::SORTEDSET])
        .keys(&[KeySpec::one(1, &[RO, ACCESS])])
        .args(&[
            key("key", 0),
            double("min"),
            double("max"),
            word("withscores", "WITHSCORES").optional().since("2.0.0"),
            block("limit", &[integer("offset"), integer("count")]).token("LIMIT").optional(),
        ])
        .history(&[("2.0.0", "WITHSCORES")])
        .deprecated("6.2.0", "`ZRANGE` with the `BYSCORE` argument")
        .handler(range::zrangebyscore),
    Spec::new("zrangestore", -5, Group::SortedSet, "6.2.0")
        .about("Stores the members in a range of another sorted set.", "O(log N + M) with M members stored")
        .flags(&[WRITE, DENYOOM])
        .acl(&[acl::SORTEDSET])
        .keys(&[KeySpec::one(1, &[OW, UPDATE]), KeySpec::one(2, &[RO, ACCESS])])
        .args(&[
            key("dst", 0),
            key("src", 1),
            string("min"),
            string("max"),
            one_of("sortby", &[word("byscore", "BYSCORE"), word("bylex", "BYLEX")]).optional(),
            word("rev", "REV").optional(),
            block("limit", &[integer("offset"), integer("count")]).token("LIMIT").optional(),
        ])
        .handler(range::zrangestore),
    Spec::new("zrank", -3, Group::SortedSet, "2.0.0")
        .about("Says how many members have a lower score, or come before it with the same.", "O(log N)")
        .flags(&[READONLY, FAST])
        .acl(&[acl::SORTEDSET])
        .keys(&[KeySpec::one(1, &[RO, ACCESS])])
        .args(&[key("key", 0), string("member"), word("withscore", "WITHSCORE").optional()])
        .history(&[("7.2.0", "WITHSCORE")])
        .handler(read::zrank),
    Spec::new("zrem", -3, Group::SortedSet, "1.2.0")
        .about("Removes members, and the key with the last one.", "O(M log N) with M members given")
        .flags(&[WRITE, FAST])
        .acl(&[acl::SORTEDSET])
        .keys(&[KeySpec::one(1, &[RW, DELETE])])
        .args(&[key("key", 0), string("member").multiple()])
        .history(&[("2.4.0", "several members at once")])
        .handler(remove::zrem),
    Spec::new("zremrangebylex", 4, Group::SortedSet, "2.8.9")
        .about(
            "Removes the members that lie between two others, all having one score.",
            "O(log N + M) with M members removed",
        )
        .flags(&[WRITE])
        .acl(&[acl::SORTEDSET])
        .keys(&[KeySpec::one(1, &[RW, DELETE])])
        .args(&[key("key", 0), string("min"), string("max")])
        .handler(remove::zremrangebylex),
    Spec::new("zremrangebyrank", 4, Group::SortedSet, "2.0.0")
        .about("Removes the members in a range of ranks.", "O(log N + M) with M members removed")
        .flags(&[WRITE])
        .acl(&[acl::SORTEDSET])
        .keys(&[KeySpec::one(1, &[RW, DELETE])])
        .args(&[key("key", 0), integer("start"), integer("stop")])
        .handler(remove::zremrangebyrank),
    Spec::new("zremrangebyscore", 4, Group::SortedSet, "1.2.0")
        .about("Removes the members with scores in a range.", "O(log N + M) with M members removed")
        .flags(&[WRITE])
        .acl(&[acl::SORTEDSET])
        .keys(&[KeySpec::one(1, &[RW, DELETE])])
        .args(&[key("key", 0), double("min"), double("max")])
        .handler(remove::zremrangebyscore),
    Spec::new("zrevrange", -4, Group::SortedSet, "1.2.0")
        .about(
            "Gives the members in a range of ranks, the highest scores first.",
            "O(log N + M) with M members in the reply",
        )
        .flags(&[READONLY])
        .acl(&[acl::SORTEDSET])
        .keys(&[KeySpec::one(1, &[RO, ACCESS])])
        .args(&[key("key", 0), integer("start"), integer("stop"), word("withscores", "WITHSCORES").optional()])
        .deprecated("6.2.0", "`ZRANGE` with the `REV` argument")
        .handler(range::zrevrange),
    Spec::new("zrevrangebylex", -4, Group::SortedSet, "2.8.9")
        .about(
            "Gives the members that lie between two others, the last ones first.",
            "O(log N + M) with M members in the reply",
        )
        .flags(&[READONLY])
        .acl(&[acl::SORTEDSET])
        .keys(&[KeySpec::one(1, &[RO, ACCESS])])
        .args(&[
            key("key", 0),
            string("max"),
            string("min"),
            block("limit", &[integer("offset"), integer("count")]).token("LIMIT").optional(),
        ])
        .deprecated("6.2.0", "`ZRANGE` with the `REV` and `BYLEX` arguments")
        .handler(range::zrevrangebylex),
    Spec::new("zrevrangebyscore", -4, Group::SortedSet, "2.2.0")
        .about(
            "Gives the members with scores in a range, the highest first.",
            "O(log N + M) with M members in the reply",
        )
        .flags(&[READONLY])
        .acl(&[acl::SORTEDSET])
        .keys(&[KeySpec::one(1, &[RO, ACCESS])])
        .args(&[
            key("key", 0),
            double("max"),
            double("min"),
            word("withscores", "WITHSCORES").optional(),
            block("limit", &[integer("offset"), integer("count")]).token("LIMIT").optional(),
        ])
        .history(&[("2.1.6", "exclusive bounds")])
        .deprecated("6.2.0", "`ZRANGE` with the `REV` and `BYSCORE` arguments")
        .handler(range::zrevrangebyscore),
    Spec::new("zrevrank", -3, Group::SortedSet, "2.0.0")
        .about("Says how many members have a higher score, or come behind it with the same.", "O(log N)")
        .flags(&[READONLY, FAST])
        .acl(&[acl::SORTEDSET])
        .keys(&[KeySpec::one(1, &[RO, ACCESS])])
        .args(&[key("key", 0), string("member"), word("withscore", "WITHSCORE").optional()])
        .history(&[("7.2.0", "WITHSCORE")])
        .handler(read::zrevrank),
    Spec::new("zscan", -3, Group::SortedSet, "2.8.0")
        .about("Visits the members of a sorted set in parts.", "O(1) a call, O(N) for all of them")
        .flags(&[READONLY])
        .acl(&[acl::SORTEDSET])
        .keys(&[KeySpec::one(1, &[RO, ACCESS])])
        .args(&[
            key("key", 0),
            integer("cursor"),
            pattern("pattern").token("MATCH").optional(),
            integer("count").token("COUNT").optional(),
        ])
        .tips(&["nondeterministic_output"])
        .handler(scan::zscan),
    Spec::new("zscore", 3, Group::SortedSet, "1.2.0")
        .about("Gives the score of a member.", "O(1)")
        .flags(&[READONLY, FAST])
        .acl(&[acl::SORTEDSET])
        .keys(&[KeySpec::one(1, &[RO, ACCESS])])
        .args(&[key("key", 0), string("member")])
        .handler(read::zscore),
    Spec::new("zunion", -3, Group::SortedSet, "6.2.0")
        .about(
            "Gives the members that any of several sorted sets has.",
            "O(N)+O(M log M) with N members in all sets and M in the result",
        )
        .flags(&[READONLY, MOVABLEKEYS])
        .acl(&[acl::SORTEDSET])
        .keys(&[KeySpec::counted(1, &[RO, ACCESS])])
        .args(&[
            integer("numkeys"),
            key("key", 0).multiple(),
            integer("weight").token("WEIGHTS").optional().multiple(),
            one_of("aggregate", &[word("sum", "SUM"), word("min", "MIN"), word("max", "MAX")])
                .token("AGGREGATE")
                .optional(),
            word("withscores", "WITHSCORES").optional(),
        ])
        .handler(combine::zunion),
    Spec::new("zunionstore", -4, Group::SortedSet, "2.0.0")
        .about(
            "Stores the members that any of several sorted sets has.",
            "O(N)+O(M log M) with N members in all sets and M in the result",
        )
        .flags(&[WRITE, DENYOOM, MOVABLEKEYS])
        .acl(&[acl::SORTEDSET])
        .keys(&[KeySpec::one(1, &[OW, UPDATE]), KeySpec::counted(2, &[RO, ACCESS])])
        .args(&[
            key("destination", 0),
            integer("numkeys"),
            key("key", 1).multiple(),
            integer("weight").token("WEIGHTS").optional().multiple(),
            one_of("aggregate", &[word("sum", "SUM"), word("min", "MIN"), word("max", "MAX")])
                .token("AGGREGATE")
                .optional(),
        ])
        .handler(combine::zunionstore),
];
