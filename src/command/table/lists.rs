//! Table rows: the commands on lists.

use super::super::spec::{
    ACCESS, Arg, BLOCKING, DELETE, DENYOOM, FAST, Group, INSERT, KeySpec, MOVABLEKEYS, READONLY, RO, RW, Spec, UPDATE,
    WRITE, acl, double, integer, key, one_of, string, word,
};
use crate::command::{list_pops, lists};

const ENDS: &[Arg] = &[word("left", "LEFT"), word("right", "RIGHT")];

/// Rows, by name.
pub static LISTS: &[Spec] = &[
    Spec::new("blmove", 6, Group::List, "6.2.0")
        .about(
            "Moves an element from an end of one list to an end of another, and waits for one if there is none.",
            "O(1)",
        )
        .flags(&[WRITE, DENYOOM, BLOCKING])
        .acl(&[acl::LIST])
        .keys(&[KeySpec::one(1, &[RW, ACCESS, DELETE]), KeySpec::one(2, &[RW, INSERT])])
        .args(&[
            key("source", 0),
            key("destination", 1),
            one_of("wherefrom", ENDS),
            one_of("whereto", ENDS),
            double("timeout"),
        ])
        .handler(list_pops::blmove),
    Spec::new("blmpop", -5, Group::List, "7.0.0")
        .about(
            "Takes elements off the first of several lists that has any, and waits if none has.",
            "O(N+M) in the number of keys and of elements returned",
        )
        .flags(&[WRITE, BLOCKING, MOVABLEKEYS])
        .acl(&[acl::LIST])
        .keys(&[KeySpec::counted(2, &[RW, ACCESS, DELETE])])
        .args(&[
            double("timeout"),
            integer("numkeys"),
            key("key", 0).multiple(),
            one_of("where", ENDS),
            integer("count").token("COUNT").optional(),
        ])
        .handler(list_pops::blmpop),
    Spec::new("blpop", -3, Group::List, "2.0.0")
        .about(
            "Takes the first element off the first of several lists that has any, and waits if none has.",
            "O(N) in the number of keys",
        )
        .flags(&[WRITE, BLOCKING])
        .acl(&[acl::LIST])
        .keys(&[KeySpec::range(1, -2, 1, &[RW, ACCESS, DELETE])])
        .args(&[key("key", 0).multiple(), double("timeout")])
        .history(&[("6.0.0", "`timeout` may have a fraction")])
        .handler(list_pops::blpop),
    Spec::new("brpop", -3, Group::List, "2.0.0")
        .about(
            "Takes the last element off the first of several lists that has any, and waits if none has.",
            "O(N) in the number of keys",
        )
        .flags(&[WRITE, BLOCKING])
        .acl(&[acl::LIST])
        .keys(&[KeySpec::range(1, -2, 1, &[RW, ACCESS, DELETE])])
        .args(&[key("key", 0).multiple(), double("timeout")])
        .history(&[("6.0.0", "`timeout` may have a fraction")])
        .handler(list_pops::brpop),
    Spec::new("brpoplpush", 4, Group::List, "2.2.0")
        .about(
            "Moves the last element of one list to the start of another, and waits for one if there is none.",
            "O(1)",
        )
        .flags(&[WRITE, DENYOOM, BLOCKING])
        .acl(&[acl::LIST])
        .keys(&[KeySpec::one(1, &[RW, ACCESS, DELETE]), KeySpec::one(2, &[RW, INSERT])])
        .args(&[key("source", 0), key("destination", 1), double("timeout")])
        .history(&[("6.0.0", "`timeout` may have a fraction")])
        .deprecated("6.2.0", "`BLMOVE` with the `RIGHT` and `LEFT` arguments")
        .handler(list_pops::brpoplpush),
    Spec::new("lindex", 3, Group::List, "1.0.0")
        .about(
            "Gives the element at an index.",
            "O(N) in the number of list nodes between the index and the nearer end",
        )
        .flags(&[READONLY])
        .acl(&[acl::LIST])
        .keys(&[KeySpec::one(1, &[RO, ACCESS])])
        .args(&[key("key", 0), integer("index")])
        .handler(lists::lindex),
    Spec::new("linsert", 5, Group::List, "2.2.0")
        .about("Puts an element before or behind another one.", "O(N) in the number of elements before the other one")
        .flags(&[WRITE, DENYOOM])
        .acl(&[acl::LIST])
        .keys(&[KeySpec::one(1, &[RW, INSERT])])
        .args(&[
            key("key", 0),
            one_of("where", &[word("before", "BEFORE"), word("after", "AFTER")]),
            string("pivot"),
            string("element"),
        ])
        .handler(lists::linsert),
    Spec::new("llen", 2, Group::List, "1.0.0")
        .about("Counts the elements of a list.", "O(1)")
        .flags(&[READONLY, FAST])
        .acl(&[acl::LIST])
        .keys(&[KeySpec::one(1, &[RO])])
        .args(&[key("key", 0)])
        .handler(lists::llen),
    Spec::new("lmove", 5, Group::List, "6.2.0")
        .about("Moves an element from an end of one list to an end of another, and returns it.", "O(1)")
        .flags(&[WRITE, DENYOOM])
        .acl(&[acl::LIST])
        .keys(&[KeySpec::one(1, &[RW, ACCESS, DELETE]), KeySpec::one(2, &[RW, INSERT])])
        .args(&[key("source", 0), key("destination", 1), one_of("wherefrom", ENDS), one_of("whereto", ENDS)])
        .handler(list_pops::lmove),
    Spec::new("lmpop", -4, Group::List, "7.0.0")
        .about(
            "Takes elements off the first of several lists that has any.",
            "O(N+M) in the number of keys and of elements returned",
        )
        .flags(&[WRITE, MOVABLEKEYS])
        .acl(&[acl::LIST])
        .keys(&[KeySpec::counted(1, &[RW, ACCESS, DELETE])])
        .args(&[
            integer("numkeys"),
            key("key", 0).multiple(),
            one_of("where", ENDS),
            integer("count").token("COUNT").optional(),
        ])
        .handler(list_pops::lmpop),
    Spec::new("lpop", -2, Group::List, "1.0.0")
        .about(
            "Takes the first elements off a list, and the key with the last one.",
            "O(N) in the number of elements returned",
        )
        .flags(&[WRITE, FAST])
        .acl(&[acl::LIST])
        .keys(&[KeySpec::one(1, &[RW, ACCESS, DELETE])])
        .args(&[key("key", 0), integer("count").optional().since("6.2.0")])
        .history(&[("6.2.0", "the `count` argument")])
        .handler(list_pops::lpop),
    Spec::new("lpos", -3, Group::List, "6.0.6")
        .about("Finds the indices of elements that equal the given one.", "O(N) in the number of elements looked at")
        .flags(&[READONLY])
        .acl(&[acl::LIST])
        .keys(&[KeySpec::one(1, &[RO, ACCESS])])
        .args(&[
            key("key", 0),
            string("element"),
            integer("rank").token("RANK").optional(),
            integer("num-matches").token("COUNT").optional(),
            integer("len").token("MAXLEN").optional(),
        ])
        .handler(lists::lpos),
    Spec::new("lpush", -3, Group::List, "1.0.0")
        .about(
            "Adds elements to the start of a list, which is made if the key is missing.",
            "O(N) in the number of elements given",
        )
        .flags(&[WRITE, DENYOOM, FAST])
        .acl(&[acl::LIST])
        .keys(&[KeySpec::one(1, &[RW, INSERT])])
        .args(&[key("key", 0), string("element").multiple()])
        .history(&[("2.4.0", "several elements at once")])
        .handler(lists::lpush),
    Spec::new("lpushx", -3, Group::List, "2.2.0")
        .about("Adds elements to the start of a list if there is one.", "O(N) in the number of elements given")
        .flags(&[WRITE, DENYOOM, FAST])
        .acl(&[acl::LIST])
        .keys(&[KeySpec::one(1, &[RW, INSERT])])
        .args(&[key("key", 0), string("element").multiple()])
        .history(&[("4.0.0", "several elements at once")])
        .handler(lists::lpushx),
    Spec::new("lrange", 4, Group::List, "1.0.0")
        .about(
            "Gives the elements from one index to another.",
            "O(S+N) in the number of list nodes before the first element and of elements returned",
        )
        .flags(&[READONLY])
        .acl(&[acl::LIST])
        .keys(&[KeySpec::one(1, &[RO, ACCESS])])
        .args(&[key("key", 0), integer("start"), integer("stop")])
        .handler(lists::lrange),
    Spec::new("lrem", 4, Group::List, "1.0.0")
        .about(
            "Removes elements that equal the given one, and the key with the last of all.",
            "O(N) in the number of elements",
        )
        .flags(&[WRITE])
        .acl(&[acl::LIST])
        .keys(&[KeySpec::one(1, &[RW, DELETE])])
        .args(&[key("key", 0), integer("count"), string("element")])
        .handler(lists::lrem),
    Spec::new("lset", 4, Group::List, "1.0.0")
        .about(
            "Replaces the element at an index.",
            "O(N) in the number of list nodes between the index and the nearer end",
        )
        .flags(&[WRITE, DENYOOM])
        .acl(&[acl::LIST])
        .keys(&[KeySpec::one(1, &[RW, UPDATE])])
        .args(&[key("key", 0), integer("index"), string("element")])
        .handler(lists::lset),
    Spec::new("ltrim", 4, Group::List, "1.0.0")
        .about(
            "Keeps the elements from one index to another and removes all others.",
            "O(N) in the number of elements removed",
        )
        .flags(&[WRITE])
        .acl(&[acl::LIST])
        .keys(&[KeySpec::one(1, &[RW, DELETE])])
        .args(&[key("key", 0), integer("start"), integer("stop")])
        .handler(lists::ltrim),
    Spec::new("rpop", -2, Group::List, "1.0.0")
        .about(
            "Takes the last elements off a list, and the key with the first one.",
            "O(N) in the number of elements returned",
        )
        .flags(&[WRITE, FAST])
        .acl(&[acl::LIST])
        .keys(&[KeySpec::one(1, &[RW, ACCESS, DELETE])])
        .args(&[key("key", 0), integer("count").optional().since("6.2.0")])
        .history(&[("6.2.0", "the `count` argument")])
        .handler(list_pops::rpop),
    Spec::new("rpoplpush", 3, Group::List, "1.2.0")
        .about("Moves the last element of one list to the start of another, and returns it.", "O(1)")
        .flags(&[WRITE, DENYOOM])
        .acl(&[acl::LIST])
        .keys(&[KeySpec::one(1, &[RW, ACCESS, DELETE]), KeySpec::one(2, &[RW, INSERT])])
        .args(&[key("source", 0), key("destination", 1)])
        .deprecated("6.2.0", "`LMOVE` with the `RIGHT` and `LEFT` arguments")
        .handler(list_pops::rpoplpush),
    Spec::new("rpush", -3, Group::List, "1.0.0")
        .about(
            "Adds elements to the end of a list, which is made if the key is missing.",
            "O(N) in the number of elements given",
        )
        .flags(&[WRITE, DENYOOM, FAST])
        .acl(&[acl::LIST])
        .keys(&[KeySpec::one(1, &[RW, INSERT])])
        .args(&[key("key", 0), string("element").multiple()])
        .history(&[("2.4.0", "several elements at once")])
        .handler(lists::rpush),
    Spec::new("rpushx", -3, Group::List, "2.2.0")
        .about("Adds elements to the end of a list if there is one.", "O(N) in the number of elements given")
        .flags(&[WRITE, DENYOOM, FAST])
        .acl(&[acl::LIST])
        .keys(&[KeySpec::one(1, &[RW, INSERT])])
        .args(&[key("key", 0), string("element").multiple()])
        .history(&[("4.0.0", "several elements at once")])
        .handler(lists::rpushx),
];
