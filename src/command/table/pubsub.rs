//! Table rows: publish and subscribe.

use super::super::spec::{
    FAST, Group, KeySpec, LOADING, MAY_REPLICATE, NOSCRIPT, NOT_KEY, PUBSUB as PUBSUB_FLAG, STALE, Spec, pattern,
    string,
};
use crate::command::{help, pubsub};

/// Rows, by name.
pub static PUBSUB: &[Spec] = &[
    Spec::new("psubscribe", -2, Group::PubSub, "2.0.0")
        .about("Listens to all channels that match patterns.", "O(N) in the number of patterns")
        .flags(&[PUBSUB_FLAG, NOSCRIPT, LOADING, STALE])
        .args(&[pattern("pattern").multiple()])
        .handler(pubsub::psubscribe),
    Spec::new("publish", 3, Group::PubSub, "2.0.0")
        .about("Sends a message to all who listen to a channel.", "O(N+M): N listeners of the channel, M patterns")
        .flags(&[PUBSUB_FLAG, LOADING, STALE, FAST, MAY_REPLICATE])
        .args(&[string("channel"), string("message")])
        .handler(pubsub::publish),
    Spec::new("pubsub", -2, Group::PubSub, "2.8.0")
        .about("Container for questions about channels.", "That of the subcommand")
        .subcommands(SUBCOMMANDS),
    Spec::new("punsubscribe", -1, Group::PubSub, "2.0.0")
        .about("Stops to listen to patterns, or to all of them.", "O(N) in the number of patterns")
        .flags(&[PUBSUB_FLAG, NOSCRIPT, LOADING, STALE])
        .args(&[pattern("pattern").optional().multiple()])
        .handler(pubsub::punsubscribe),
    Spec::new("spublish", 3, Group::PubSub, "7.0.0")
        .about("Sends a message to all who listen to a sharded channel.", "O(N) in the number of listeners")
        .flags(&[PUBSUB_FLAG, LOADING, STALE, FAST, MAY_REPLICATE])
        .keys(&[KeySpec::range(1, 0, 1, &[NOT_KEY])])
        .args(&[string("shardchannel"), string("message")])
        .handler(pubsub::spublish),
    Spec::new("ssubscribe", -2, Group::PubSub, "7.0.0")
        .about("Listens to sharded channels.", "O(N) in the number of channels")
        .flags(&[PUBSUB_FLAG, NOSCRIPT, LOADING, STALE])
        .keys(&[KeySpec::range(1, -1, 1, &[NOT_KEY])])
        .args(&[string("shardchannel").multiple()])
        .handler(pubsub::ssubscribe),
    Spec::new("subscribe", -2, Group::PubSub, "2.0.0")
        .about("Listens to channels.", "O(N) in the number of channels")
        .flags(&[PUBSUB_FLAG, NOSCRIPT, LOADING, STALE])
        .args(&[string("channel").multiple()])
        .handler(pubsub::subscribe),
    Spec::new("sunsubscribe", -1, Group::PubSub, "7.0.0")
        .about("Stops to listen to sharded channels, or to all of them.", "O(N) in the number of channels")
        .flags(&[PUBSUB_FLAG, NOSCRIPT, LOADING, STALE])
        .keys(&[KeySpec::range(1, -1, 1, &[NOT_KEY])])
        .args(&[string("shardchannel").optional().multiple()])
        .handler(pubsub::sunsubscribe),
    Spec::new("unsubscribe", -1, Group::PubSub, "2.0.0")
        .about("Stops to listen to channels, or to all of them.", "O(N) in the number of channels")
        .flags(&[PUBSUB_FLAG, NOSCRIPT, LOADING, STALE])
        .args(&[string("channel").optional().multiple()])
        .handler(pubsub::unsubscribe),
];

/// The subcommands of PUBSUB.
const SUBCOMMANDS: &[Spec] = &[
    Spec::new("pubsub|channels", -2, Group::PubSub, "2.8.0")
        .about("Lists channels that somebody listens to.", "O(N) in the number of channels")
        .flags(&[PUBSUB_FLAG, LOADING, STALE])
        .args(&[pattern("pattern").optional()])
        .handler(pubsub::channels),
    Spec::new("pubsub|help", 2, Group::PubSub, "6.2.0")
        .about("Describes the subcommands.", "O(1)")
        .flags(&[LOADING, STALE])
        .handler(help::help),
    Spec::new("pubsub|numpat", 2, Group::PubSub, "2.8.0")
        .about("Counts the patterns that somebody listens to.", "O(1)")
        .flags(&[PUBSUB_FLAG, LOADING, STALE])
        .handler(pubsub::numpat),
    Spec::new("pubsub|numsub", -2, Group::PubSub, "2.8.0")
        .about("Counts who listens to each of some channels.", "O(N) in the number of channels")
        .flags(&[PUBSUB_FLAG, LOADING, STALE])
        .args(&[string("channel").optional().multiple()])
        .handler(pubsub::numsub),
    Spec::new("pubsub|shardchannels", -2, Group::PubSub, "7.0.0")
        .about("Lists sharded channels that somebody listens to.", "O(N) in the number of channels")
        .flags(&[PUBSUB_FLAG, LOADING, STALE])
        .args(&[pattern("pattern").optional()])
        .handler(pubsub::shardchannels),
    Spec::new("pubsub|shardnumsub", -2, Group::PubSub, "7.0.0")
        .about("Counts who listens to each of some sharded channels.", "O(N) in the number of channels")
        .flags(&[PUBSUB_FLAG, LOADING, STALE])
        .args(&[string("shardchannel").optional().multiple()])
        .handler(pubsub::shardnumsub),
];
