//! Table rows: the commands of transactions.

use super::super::spec::{
    ALLOW_BUSY, FAST, Group, KeySpec, LOADING, NOSCRIPT, RO, SKIP_SLOWLOG, STALE, Spec, acl, key,
};
use crate::command::transactions;

/// Rows, by name.
pub static TRANSACTIONS: &[Spec] = &[
    Spec::new("discard", 1, Group::Transactions, "2.0.0")
        .about("Gives up a transaction.", "O(N) in the number of queued commands")
        .flags(&[NOSCRIPT, LOADING, STALE, FAST, ALLOW_BUSY])
        .acl(&[acl::TRANSACTION])
        .handler(transactions::discard),
    Spec::new("exec", 1, Group::Transactions, "1.2.0")
        .about("Runs the queued commands as one.", "That of the queued commands")
        .flags(&[NOSCRIPT, LOADING, STALE, SKIP_SLOWLOG])
        .acl(&[acl::TRANSACTION])
        .handler(transactions::exec),
    Spec::new("multi", 1, Group::Transactions, "1.2.0")
        .about("Begins a transaction: what follows is queued.", "O(1)")
        .flags(&[NOSCRIPT, LOADING, STALE, FAST, ALLOW_BUSY])
        .acl(&[acl::TRANSACTION])
        .handler(transactions::multi),
    Spec::new("unwatch", 1, Group::Transactions, "2.2.0")
        .about("Forgets the watched keys.", "O(1)")
        .flags(&[NOSCRIPT, LOADING, STALE, FAST, ALLOW_BUSY])
        .acl(&[acl::TRANSACTION])
        .handler(transactions::unwatch),
    Spec::new("watch", -2, Group::Transactions, "2.2.0")
        .about("Makes the next EXEC depend on keys staying unchanged.", "O(N) in the number of keys")
        .flags(&[NOSCRIPT, LOADING, STALE, FAST, ALLOW_BUSY])
        .acl(&[acl::TRANSACTION])
        .keys(&[KeySpec::range(1, -1, 1, &[RO])])
        .args(&[key("key", 0).multiple()])
        .handler(transactions::watch),
];
