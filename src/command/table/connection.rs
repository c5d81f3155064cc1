//! Table rows: the commands that concern one connection.

use super::super::spec::{
    ADMIN, ALLOW_BUSY, FAST, Group, LOADING, NO_AUTH, NOSCRIPT, STALE, Spec, acl, block, integer, one_of, string, word,
};
use crate::command::{client, client_kill, client_list, connection, help, keys, tracking};

/// Rows, by name.
pub static CONNECTION: &[Spec] = &[
    Spec::new("auth", -2, Group::Connection, "1.0.0")
        .about("Proves who the client is.", "O(N) in the number of passwords of the user")
        .flags(&[NOSCRIPT, LOADING, STALE, FAST, NO_AUTH, ALLOW_BUSY])
        .acl(&[acl::CONNECTION])
        .args(&[string("username").optional().since("6.0.0"), string("password")])
        .history(&[("6.0.0", "user name")])
        .handler(connection::auth),
    Spec::new("client", -2, Group::Connection, "2.4.0")
        .about("Container for what concerns client connections.", "That of the subcommand")
        .subcommands(CLIENT),
    Spec::new("echo", 2, Group::Connection, "1.0.0")
        .about("Gives its argument back.", "O(1)")
        .flags(&[LOADING, STALE, FAST])
        .acl(&[acl::CONNECTION])
        .args(&[string("message")])
        .handler(connection::echo),
    Spec::new("hello", -1, Group::Connection, "6.0.0")
        .about("Chooses the protocol version, and may authenticate and name the connection.", "O(1)")
        .flags(&[NOSCRIPT, LOADING, STALE, FAST, NO_AUTH, ALLOW_BUSY])
        .acl(&[acl::CONNECTION])
        .args(&[block(
            "arguments",
            &[
                integer("protover"),
                block("auth", &[string("username"), string("password")]).token("AUTH").optional(),
                string("clientname").token("SETNAME").optional(),
            ],
        )
        .optional()])
        .history(&[("6.2.0", "the version may be left out")])
        .handler(connection::hello),
    Spec::new("ping", -1, Group::Connection, "1.0.0")
        .about("Answers PONG, or with its argument.", "O(1)")
        .flags(&[FAST])
        .acl(&[acl::CONNECTION])
        .args(&[string("message").optional()])
        .tips(&["request_policy:all_shards", "response_policy:all_succeeded"])
        .handler(connection::ping),
    Spec::new("quit", -1, Group::Connection, "1.0.0")
        .about("Closes the connection.", "O(1)")
        .flags(&[NOSCRIPT, LOADING, STALE, FAST, NO_AUTH, ALLOW_BUSY])
        .acl(&[acl::CONNECTION])
        .deprecated("7.2.0", "closing the connection")
        .handler(connection::quit),
    Spec::new("reset", 1, Group::Connection, "6.2.0")
        .about("Puts the connection back into the state of a new one.", "O(1)")
        .flags(&[NOSCRIPT, LOADING, STALE, FAST, NO_AUTH, ALLOW_BUSY])
        .acl(&[acl::CONNECTION])
        .handler(connection::reset),
    Spec::new("select", 2, Group::Connection, "1.0.0")
        .about("Chooses the database that this connection works on.", "O(1)")
        .flags(&[LOADING, STALE, FAST])
        .acl(&[acl::CONNECTION])
        .args(&[integer("index")])
        .handler(keys::select),
];

/// The subcommands of CLIENT.
const CLIENT: &[Spec] = &[
    Spec::new("client|durability", -2, Group::Connection, "7.2.0")
        .about("Sets or gives the level at which this connection's acknowledgements stand.", "O(1)")
        .flags(&[NOSCRIPT, LOADING, STALE])
        .acl(&[acl::CONNECTION])
        .args(&[one_of("level", &[word("memory", "MEMORY"), word("os", "OS"), word("disk", "DISK")]).optional()])
        .handler(client::durability),
    Spec::new("client|caching", 3, Group::Connection, "6.0.0")
        .about("Tells whether changes to what the next command reads are to be told.", "O(1)")
        .flags(&[NOSCRIPT, LOADING, STALE])
        .acl(&[acl::CONNECTION])
        .args(&[one_of("mode", &[word("yes", "YES"), word("no", "NO")])])
        .handler(tracking::caching),
    Spec::new("client|getname", 2, Group::Connection, "2.6.9")
        .about("Gives the name of this connection.", "O(1)")
        .flags(&[NOSCRIPT, LOADING, STALE])
        .acl(&[acl::CONNECTION])
        .handler(client::getname),
    Spec::new("client|getredir", 2, Group::Connection, "6.0.0")
        .about("Gives the id of the connection that is told of changes to what this one has read.", "O(1)")
        .flags(&[NOSCRIPT, LOADING, STALE])
        .acl(&[acl::CONNECTION])
        .handler(tracking::getredir),
    Spec::new("client|help", 2, Group::Connection, "5.0.0")
        .about("Describes the subcommands.", "O(1)")
        .flags(&[LOADING, STALE])
        .acl(&[acl::CONNECTION])
        .handler(help::help),
    Spec::new("client|id", 2, Group::Connection, "5.0.0")
        .about("Gives the id of this connection, which is never used again.", "O(1)")
        .flags(&[NOSCRIPT, LOADING, STALE])
        .acl(&[acl::CONNECTION])
        .handler(client::id),
    Spec::new("client|info", 2, Group::Connection, "6.2.0")
        .about("Describes this connection.", "O(1)")
        .flags(&[NOSCRIPT, LOADING, STALE])
        .acl(&[acl::CONNECTION])
        .tips(&["nondeterministic_output"])
        .handler(client_list::info),
    Spec::new("client|kill", -3, Group::Connection, "2.4.0")
        .about("Closes connections chosen by address or by filters.", "O(N) in the number of connections")
        .flags(&[ADMIN, NOSCRIPT, LOADING, STALE])
        .acl(&[acl::CONNECTION])
        .args(&[one_of(
            "filter",
            &[
                string("old-format").display("ip:port").deprecated_since("2.8.12"),
                one_of(
                    "new-format",
                    &[
                        integer("client-id").token("ID").optional().since("2.8.12"),
                        one_of(
                            "client-type",
                            &[
                                word("normal", "NORMAL"),
                                word("master", "MASTER").since("3.2.0"),
                                word("slave", "SLAVE"),
                                word("replica", "REPLICA").since("5.0.0"),
                                word("pubsub", "PUBSUB"),
                            ],
                        )
                        .token("TYPE")
                        .optional()
                        .since("2.8.12"),
                        string("username").token("USER").optional(),
                        string("addr").token("ADDR").display("ip:port").optional(),
                        string("laddr").token("LADDR").display("ip:port").optional().since("6.2.0"),
                        one_of("skipme", &[word("yes", "YES"), word("no", "NO")]).token("SKIPME").optional(),
                        integer("maxage").token("MAXAGE").optional().since("7.4.0"),
                    ],
                )
                .multiple(),
            ],
        )])
        .history(&[
            ("2.8.12", "filters"),
            ("2.8.12", "filter ID"),
            ("3.2.0", "type master"),
            ("5.0.0", "type replica beside slave"),
            ("6.2.0", "filter LADDR"),
            ("7.4.0", "filter MAXAGE"),
        ])
        .handler(client_kill::kill),
    Spec::new("client|list", -2, Group::Connection, "2.4.0")
        .about("Describes the open connections.", "O(N) in the number of connections")
        .flags(&[ADMIN, NOSCRIPT, LOADING, STALE])
        .acl(&[acl::CONNECTION])
        .args(&[
            one_of(
                "client-type",
                &[
                    word("normal", "NORMAL"),
                    word("master", "MASTER"),
                    word("replica", "REPLICA"),
                    word("pubsub", "PUBSUB"),
                ],
            )
            .token("TYPE")
            .optional()
            .since("5.0.0"),
            integer("client-id").token("ID").optional().multiple().since("6.2.0"),
        ])
        .tips(&["nondeterministic_output"])
        .history(&[
            ("2.8.12", "field id"),
            ("5.0.0", "filter TYPE"),
            ("6.0.0", "field user"),
            ("6.2.0", "fields argv-mem, tot-mem, laddr and redir; filter ID"),
            ("7.0.0", "fields resp, multi-mem, rbs and rbp"),
            ("7.0.3", "field ssub"),
            ("7.2.0", "fields lib-name and lib-ver"),
        ])
        .handler(client_list::list),
    Spec::new("client|no-evict", 3, Group::Connection, "7.0.0")
        .about("Exempts this connection from eviction when clients use too much memory.", "O(1)")
        .flags(&[ADMIN, NOSCRIPT, LOADING, STALE])
        .acl(&[acl::CONNECTION])
        .args(&[one_of("enabled", &[word("on", "ON"), word("off", "OFF")])])
        .handler(client::no_evict),
    Spec::new("client|no-touch", 3, Group::Connection, "7.2.0")
        .about("Lets this connection read without marking keys as used.", "O(1)")
        .flags(&[NOSCRIPT, LOADING, STALE])
        .acl(&[acl::CONNECTION])
        .args(&[one_of("enabled", &[word("on", "ON"), word("off", "OFF")])])
        .handler(client::no_touch),
    Spec::new("client|pause", -3, Group::Connection, "3.0.0")
        .about("Holds back the commands of all clients for a while.", "O(1)")
        .flags(&[ADMIN, NOSCRIPT, LOADING, STALE])
        .acl(&[acl::CONNECTION])
        .args(&[
            integer("timeout"),
            one_of("mode", &[word("write", "WRITE"), word("all", "ALL")]).optional().since("6.2.0"),
        ])
        .history(&[("6.2.0", "modes WRITE and ALL")])
        .handler(client::pause),
    Spec::new("client|reply", 3, Group::Connection, "3.2.0")
        .about("Turns replies to this connection off and on.", "O(1)")
        .flags(&[NOSCRIPT, LOADING, STALE])
        .acl(&[acl::CONNECTION])
        .args(&[one_of("action", &[word("on", "ON"), word("off", "OFF"), word("skip", "SKIP")])])
        .handler(client::reply),
    Spec::new("client|setinfo", 4, Group::Connection, "7.2.0")
        .about("Tells the server which client library is in use.", "O(1)")
        .flags(&[NOSCRIPT, LOADING, STALE])
        .acl(&[acl::CONNECTION])
        .args(&[one_of("attr", &[string("libname").token("LIB-NAME"), string("libver").token("LIB-VER")])])
        .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"])
        .handler(client::setinfo),
    Spec::new("client|setname", 3, Group::Connection, "2.6.9")
        .about("Names this connection.", "O(1)")
        .flags(&[NOSCRIPT, LOADING, STALE])
        .acl(&[acl::CONNECTION])
        .args(&[string("connection-name")])
        .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"])
        .handler(client::setname),
    Spec::new("client|tracking", -3, Group::Connection, "6.0.0")
        .about("Lets this connection, or another in its place, be told when what it has read changes.", "O(1)")
        .flags(&[NOSCRIPT, LOADING, STALE])
        .acl(&[acl::CONNECTION])
        .args(&[
            one_of("status", &[word("on", "ON"), word("off", "OFF")]),
            integer("client-id").token("REDIRECT").optional(),
            string("prefix").token("PREFIX").optional().multiple().multiple_token(),
            word("bcast", "BCAST").optional(),
            word("optin", "OPTIN").optional(),
            word("optout", "OPTOUT").optional(),
            word("noloop", "NOLOOP").optional(),
        ])
        .handler(tracking::tracking),
    Spec::new("client|trackinginfo", 2, Group::Connection, "6.2.0")
        .about("Tells how this connection tracks what it has read.", "O(1)")
        .flags(&[NOSCRIPT, LOADING, STALE])
        .acl(&[acl::CONNECTION])
        .handler(tracking::trackinginfo),
    Spec::new("client|unblock", -3, Group::Connection, "5.0.0")
        .about("Ends the wait of another, blocked connection.", "O(log N) in the number of connections")
        .flags(&[ADMIN, NOSCRIPT, LOADING, STALE])
        .acl(&[acl::CONNECTION])
        .args(&[
            integer("client-id"),
            one_of("unblock-type", &[word("timeout", "TIMEOUT"), word("error", "ERROR")]).optional(),
        ])
        .handler(client::unblock),
    Spec::new("client|unpause", 2, Group::Connection, "6.2.0")
        .about("Ends a CLIENT PAUSE.", "O(N) in the number of paused connections")
        .flags(&[ADMIN, NOSCRIPT, LOADING, STALE])
        .acl(&[acl::CONNECTION])
        .handler(client::unpause),
];
