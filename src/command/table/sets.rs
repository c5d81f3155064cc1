//! Table rows: the commands on sets.

use super::super::spec::{
    ACCESS, DELETE, DENYOOM, FAST, Group, INSERT, KeySpec, MOVABLEKEYS, OW, READONLY, RO, RW, Spec, UPDATE, WRITE, acl,
    integer, key, pattern, string,
};
use crate::command::{sets, sets_algebra, sets_random};

/// The cost of an intersection.
const INTERSECTION: &str = "O(N·M) at worst, with N the size of the smallest of M sets";
/// The cost of the others.
const ALL_MEMBERS: &str = "O(N) in the number of members of all sets";
/// A key in which a result is stored, and those of the sets from which it is made.
const STORES: &[KeySpec] = &[KeySpec::one(1, &[OW, UPDATE]), KeySpec::range(2, -1, 1, &[RO, ACCESS])];

/// Rows, by name.
pub static SETS: &[Spec] = &[
    Spec::new("sadd", -3, Group::Set, "1.0.0")
        .about("Adds members to a set, which is made if the key is missing.", "O(N) in the number of members given")
        .flags(&[WRITE, DENYOOM, FAST])
        .acl(&[acl::SET])
        .keys(&[KeySpec::one(1, &[RW, INSERT])])
        .args(&[key("key", 0), string("member").multiple()])
        .history(&[("2.4.0", "several members at once")])
        .handler(sets::sadd),
    Spec::new("scard", 2, Group::Set, "1.0.0")
        .about("Counts the members of a set.", "O(1)")
        .flags(&[READONLY, FAST])
        .acl(&[acl::SET])
        .keys(&[KeySpec::one(1, &[RO])])
        .args(&[key("key", 0)])
        .handler(sets::scard),
    Spec::new("sdiff", -2, Group::Set, "1.0.0")
        .about("Gives the members of the first set that are in no other.", ALL_MEMBERS)
        .flags(&[READONLY])
        .acl(&[acl::SET])
        .keys(&[KeySpec::range(1, -1, 1, &[RO, ACCESS])])
        .args(&[key("key", 0).multiple()])
        .tips(&["nondeterministic_output_order"])
        .handler(sets_algebra::sdiff),
    Spec::new("sdiffstore", -3, Group::Set, "1.0.0")
        .about("Stores the members of the first set that are in no other.", ALL_MEMBERS)
        .flags(&[WRITE, DENYOOM])
        .acl(&[acl::SET])
        .keys(STORES)
        .args(&[key("destination", 0), key("key", 1).multiple()])
        .handler(sets_algebra::sdiffstore),
    Spec::new("sinter", -2, Group::Set, "1.0.0")
        .about("Gives what is a member of all sets.", INTERSECTION)
        .flags(&[READONLY])
        .acl(&[acl::SET])
        .keys(&[KeySpec::range(1, -1, 1, &[RO, ACCESS])])
        .args(&[key("key", 0).multiple()])
        .tips(&["nondeterministic_output_order"])
        .handler(sets_algebra::sinter),
    Spec::new("sintercard", -3, Group::Set, "7.0.0")
        .about("Counts what is a member of all sets, up to a limit.", INTERSECTION)
        .flags(&[READONLY, MOVABLEKEYS])
        .acl(&[acl::SET])
        .keys(&[KeySpec::counted(1, &[RO, ACCESS])])
        .args(&[integer("numkeys"), key("key", 0).multiple(), integer("limit").token("LIMIT").optional()])
        .handler(sets_algebra::sintercard),
    Spec::new("sinterstore", -3, Group::Set, "1.0.0")
        .about("Stores what is a member of all sets.", INTERSECTION)
        .flags(&[WRITE, DENYOOM])
        .acl(&[acl::SET])
        .keys(STORES)
        .args(&[key("destination", 0), key("key", 1).multiple()])
        .handler(sets_algebra::sinterstore),
    Spec::new("sismember", 3, Group::Set, "1.0.0")
        .about("Says whether something is a member of a set.", "O(1)")
        .flags(&[READONLY, FAST])
        .acl(&[acl::SET])
        .keys(&[KeySpec::one(1, &[RO])])
        .args(&[key("key", 0), string("member")])
        .handler(sets::sismember),
    Spec::new("smembers", 2, Group::Set, "1.0.0")
        .about("Gives all members of a set.", "O(N) in the number of members")
        .flags(&[READONLY])
        .acl(&[acl::SET])
        .keys(&[KeySpec::one(1, &[RO, ACCESS])])
        .args(&[key("key", 0)])
        .tips(&["nondeterministic_output_order"])
        .handler(sets::smembers),
    Spec::new("smismember", -3, Group::Set, "6.2.0")
        .about("Says for several things whether each is a member of a set.", "O(N) in the number of members asked for")
        .flags(&[READONLY, FAST])
        .acl(&[acl::SET])
        .keys(&[KeySpec::one(1, &[RO, ACCESS])])
        .args(&[key("key", 0), string("member").multiple()])
        .handler(sets::smismember),
    Spec::new("smove", 4, Group::Set, "1.0.0")
        .about("Moves a member from one set to another.", "O(1)")
        .flags(&[WRITE, FAST])
        .acl(&[acl::SET])
        .keys(&[KeySpec::one(1, &[RW, ACCESS, DELETE]), KeySpec::one(2, &[RW, INSERT])])
        .args(&[key("source", 0), key("destination", 1), string("member")])
        .handler(sets::smove),
    Spec::new("spop", -2, Group::Set, "1.0.0")
        .about("Takes members that chance chooses out of a set, and gives them.", "O(N) in the number of members taken")
        .flags(&[WRITE, FAST])
        .acl(&[acl::SET])
        .keys(&[KeySpec::one(1, &[RW, ACCESS, DELETE])])
        .args(&[key("key", 0), integer("count").optional().since("3.2.0")])
        .tips(&["nondeterministic_output"])
        .history(&[("3.2.0", "several members at once")])
        .handler(sets_random::spop),
    Spec::new("srandmember", -2, Group::Set, "1.0.0")
        .about(
            "Gives members that chance chooses; with a negative count, any of them several times.",
            "O(N) in the number of members given",
        )
        .flags(&[READONLY])
        .acl(&[acl::SET])
        .keys(&[KeySpec::one(1, &[RO, ACCESS])])
        .args(&[key("key", 0), integer("count").optional().since("2.6.0")])
        .tips(&["nondeterministic_output"])
        .history(&[("2.6.0", "several members at once")])
        .handler(sets_random::srandmember),
    Spec::new("srem", -3, Group::Set, "1.0.0")
        .about("Removes members from a set, and the key with the last one.", "O(N) in the number of members given")
        .flags(&[WRITE, FAST])
        .acl(&[acl::SET])
        .keys(&[KeySpec::one(1, &[RW, DELETE])])
        .args(&[key("key", 0), string("member").multiple()])
        .history(&[("2.4.0", "several members at once")])
        .handler(sets::srem),
    Spec::new("sscan", -3, Group::Set, "2.8.0")
        .about("Walks over the members of a set, a few a call.", "O(1) a call, O(N) for a whole walk over N members")
        .flags(&[READONLY])
        .acl(&[acl::SET])
        .keys(&[KeySpec::one(1, &[RO, ACCESS])])
        .args(&[
            key("key", 0),
            integer("cursor"),
            pattern("pattern").token("MATCH").optional(),
            integer("count").token("COUNT").optional(),
        ])
        .tips(&["nondeterministic_output"])
        .handler(sets::sscan),
    Spec::new("sunion", -2, Group::Set, "1.0.0")
        .about("Gives what is a member of any of the sets.", ALL_MEMBERS)
        .flags(&[READONLY])
        .acl(&[acl::SET])
        .keys(&[KeySpec::range(1, -1, 1, &[RO, ACCESS])])
        .args(&[key("key", 0).multiple()])
        .tips(&["nondeterministic_output_order"])
        .handler(sets_algebra::sunion),
    Spec::new("sunionstore", -3, Group::Set, "1.0.0")
        .about("Stores what is a member of any of the sets.", ALL_MEMBERS)
        .flags(&[WRITE, DENYOOM])
        .acl(&[acl::SET])
        .keys(STORES)
        .args(&[key("destination", 0), key("key", 1).multiple()])
        .handler(sets_algebra::sunionstore),
];
