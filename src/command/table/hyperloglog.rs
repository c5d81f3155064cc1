//! Table rows: the HyperLogLog commands.

use super::super::spec::{
    ACCESS, ADMIN, DENYOOM, FAST, Group, INSERT, KeySpec, MAY_REPLICATE, READONLY, RO, RW, Spec, WRITE, acl, key,
    string,
};
use crate::command::hyperloglog;

/// Rows, by name.
pub static HYPERLOGLOG: &[Spec] = &[
    Spec::new("pfadd", -2, Group::HyperLogLog, "2.8.9")
        .about("Adds elements to a HyperLogLog, which begins empty if the key is missing.", "O(1) for each element")
        .flags(&[WRITE, DENYOOM, FAST])
        .acl(&[acl::HYPERLOGLOG])
        .keys(&[KeySpec::one(1, &[RW, INSERT])])
        .args(&[key("key", 0), string("element").optional().multiple()])
        .handler(hyperloglog::pfadd),
    Spec::new("pfcount", -2, Group::HyperLogLog, "2.8.9")
        .about(
            "Estimates how many different elements were added to one HyperLogLog, or to any of several.",
            "O(1) for one key, whose last count is kept; O(N) in the number of keys for several",
        )
        .flags(&[READONLY, MAY_REPLICATE])
        .acl(&[acl::HYPERLOGLOG])
        .keys(&[KeySpec::range(1, -1, 1, &[RW, ACCESS])
            .notes("RW because it may change the internal representation of the key, and propagate to replicas")])
        .args(&[key("key", 0).multiple()])
        .handler(hyperloglog::pfcount),
    Spec::new("pfdebug", 3, Group::HyperLogLog, "2.8.9")
        .about("Shows how a HyperLogLog is represented, or makes it dense.", "O(1)")
        .flags(&[WRITE, DENYOOM, ADMIN])
        .acl(&[acl::HYPERLOGLOG])
        .keys(&[KeySpec::one(2, &[RW, ACCESS])])
        .args(&[string("subcommand"), key("key", 0)])
        .system()
        .handler(hyperloglog::pfdebug),
    Spec::new("pfmerge", -2, Group::HyperLogLog, "2.8.9")
        .about("Adds to a HyperLogLog all that was added to others.", "O(N) in the number of keys")
        .flags(&[WRITE, DENYOOM])
        .acl(&[acl::HYPERLOGLOG])
        .keys(&[KeySpec::one(1, &[RW, ACCESS, INSERT]), KeySpec::range(2, -1, 1, &[RO, ACCESS])])
        .args(&[key("destkey", 0), key("sourcekey", 1).optional().multiple()])
        .handler(hyperloglog::pfmerge),
    Spec::new("pfselftest", 1, Group::HyperLogLog, "2.8.9")
        .about("Checks the implementation of HyperLogLogs on random elements.", "O(1), about a tenth of a second")
        .flags(&[ADMIN])
        .acl(&[acl::HYPERLOGLOG])
        .system()
        .handler(hyperloglog::pfselftest),
];
