//! Table rows: the commands on sets.

use super::super::spec::{
    ACCESS, DELETE, DENYOOM, FAST, Group, INSERT, KeySpec, READONLY, RO, RW, Spec, WRITE, acl, key, string,
};
use crate::command::sets;

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
    Spec::new("srem", -3, Group::Set, "1.0.0")
        .about("Removes members from a set, and the key with the last one.", "O(N) in the number of members given")
        .flags(&[WRITE, FAST])
        .acl(&[acl::SET])
        .keys(&[KeySpec::one(1, &[RW, DELETE])])
        .args(&[key("key", 0), string("member").multiple()])
        .history(&[("2.4.0", "several members at once")])
        .handler(sets::srem),
];
