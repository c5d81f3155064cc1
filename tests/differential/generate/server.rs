//! Commands about the connection and the server.

use super::super::step::Arg;
use super::parameters::PARAMETERS;
use super::values::Use;
use super::{CONNECTIONS, Generator};

/// Parameters that cannot be changed while the server runs.
const READ_ONLY: &[&str] = &[
    "databases",
    "unixsocket",
    "supervised",
    "io-threads",
    "syslog-facility",
    "daemonize",
    "cluster-enabled",
    "always-show-logo",
];

const CONFIG_PATTERNS: &[&str] = &[
    "max*",
    "*",
    "save",
    "append*",
    "*-ziplist-*",
    "*listpack*",
    "lazyfree-*",
    "nosuch",
    "",
    "h?",
    "[ab]*",
    "MAXMEMORY",
    "slave-*",
    "repl*",
    "client-*",
    "port",
    "bind",
    "notify-keyspace-events",
    "maxclients",
    "dir*",
    "protected-mode",
    "requirepass",
    "lua-time-limit",
    "tls-*",
];

/// Percentage of those commands that make a client wait: a server with `hz 10` may look only ten times a second.
const SLOW: u32 = 5;

const COMMANDS: &[&str] = &[
    "get",
    "SET",
    "del",
    "mget",
    "mset",
    "expire",
    "object",
    "OBJECT|ENCODING",
    "config|get",
    "client|kill",
    "scan",
    "lcs",
    "nosuch",
    "config|nosuch",
    "get|x",
    "",
    "multi",
    "exec",
    "auth",
    "hello",
    "copy",
    "getex",
    "flushall",
    "shutdown",
    "wait",
    "swapdb",
    "append",
    "setrange",
    "incrbyfloat",
    "move",
    "keys",
    "randomkey",
    "dbsize",
    "select",
    "time",
    "role",
    "rename",
    "msetnx",
    "psetex",
    "substr",
    "touch",
    "unlink",
    "pexpireat",
    "watch",
    "reset",
    "quit",
    "echo",
    "ping",
    "command|docs",
    "command|getkeys",
    "debug",
    "info",
    "lolwut",
    "lastsave",
    "waitaof",
    "client|list",
    "client|setinfo",
    "bitcount",
    "bitfield",
    "bitfield_ro",
    "bitop",
    "bitpos",
    "setbit",
    "getbit",
    "pfadd",
    "pfcount",
    "pfmerge",
    "pfdebug",
    "pfselftest",
];

const INFO_SECTIONS: &[&str] = &[
    "server",
    "clients",
    "memory",
    "persistence",
    "stats",
    "replication",
    "cpu",
    "commandstats",
    "errorstats",
    "latencystats",
    "cluster",
    "keyspace",
    "modules",
    "all",
    "default",
    "everything",
    "nosuch",
    "SERVER",
];

impl Generator {
    fn words(&mut self, connection: usize, line: &[&str]) {
        self.push_args(connection, line.iter().map(|word| Arg::from(*word)).collect());
    }

    pub(super) fn server_command(&mut self, connection: usize) {
        match self.rng.u32(0..100) {
            0..=14 => self.config(connection),
            15..=37 => self.client(connection),
            38..=47 => self.command(connection),
            48..=67 => self.debug(connection),
            68..=79 => self.connection_command(connection),
            _ => self.about_the_server(connection),
        }
    }

    fn config(&mut self, connection: usize) {
        let mut line: Vec<String> = vec!["CONFIG".into()];
        match self.rng.u32(0..20) {
            0..=7 => {
                line.push("GET".into());
                for _ in 0..self.rng.usize(1..4) {
                    let name = match self.rng.u32(0..3) {
                        0 => self.pick(CONFIG_PATTERNS),
                        1 => self.pick(READ_ONLY),
                        _ => self.pick(PARAMETERS).0,
                    };
                    line.push(name.into());
                }
            }
            8..=16 => {
                line.push("SET".into());
                for _ in 0..self.rng.usize(1..4) {
                    let (name, usual, others) = self.pick(PARAMETERS);
                    let value = if self.percent(35) { usual } else { self.pick(others) };
                    line.push(if self.percent(10) { name.to_uppercase() } else { name.into() });
                    line.push(value.into());
                }
                match self.rng.u32(0..30) {
                    0 => line.push("hz".into()),
                    1 => line.extend(["nosuch".into(), "1".into()]),
                    2 => line.extend([self.pick(READ_ONLY).into(), "3".into()]),
                    3 => line.truncate(2),
                    4 => line.extend(["hz".into(), "10".into(), "hz".into(), "10".into()]),
                    5 => line.extend(["slave-priority".into(), "1".into(), "replica-priority".into(), "1".into()]),
                    _ => {}
                }
            }
            17 => line.push(self.pick(&["RESETSTAT", "REWRITE"]).into()),
            18 => line.push(self.pick(&["HELP", "REWRITE"]).into()),
            _ => line.push(self.pick(&["NOSUCH", "GET", "RESETSTAT x", "REWRITE"]).into()),
        }
        self.push(connection, line.into_iter().map(String::into_bytes).collect());
    }

    fn client(&mut self, connection: usize) {
        match self.rng.u32(0..30) {
            0..=1 => self.words(connection, &["CLIENT", "ID"]),
            2..=4 => self.words(connection, &["CLIENT", "GETNAME"]),
            5..=7 => {
                let name = self.pick(&["alice", "bob", "", "with space", "new\nline", "\u{e4}", "x"]);
                self.words(connection, &["CLIENT", "SETNAME", name]);
            }
            8..=10 => {
                let what = self.pick(&["LIB-NAME", "lib-ver", "LIB-NAME", "LIB-VER", "LIB-FOO"]);
                let value = self.pick(&["redis-py", "1.2.3", "", "with space", "a(b)"]);
                self.words(connection, &["CLIENT", "SETINFO", what, value]);
            }
            11..=13 => self.words(connection, &["CLIENT", "INFO"]),
            14..=17 => {
                let mut argv = vec![Arg::from("CLIENT"), Arg::from("LIST")];
                match self.rng.u32(0..4) {
                    0 => {
                        let kind = self.pick(&["normal", "NORMAL", "pubsub", "master", "replica", "slave", "foo"]);
                        argv.extend([Arg::from("TYPE"), Arg::from(kind)]);
                    }
                    1 => {
                        argv.push(Arg::from("ID"));
                        // Each only once: Valkey lists a client once, Redis as often as it is named.
                        for connection in 0..CONNECTIONS {
                            if self.percent(40) {
                                argv.push(Arg::ClientId(connection));
                            }
                        }
                        if self.percent(20) {
                            argv.push(Arg::from(self.pick(&["0", "-1", "x", "99999999"])));
                        }
                    }
                    _ => {}
                }
                self.push_args(connection, argv);
            }
            18..=19 => {
                let value = self.pick(&["ON", "OFF", "on", "OFF", "off", "maybe"]);
                let name = self.pick(&["NO-EVICT", "NO-TOUCH"]);
                self.words(connection, &["CLIENT", name, value]);
            }
            20..=22 => {
                if self.percent(SLOW) {
                    let line: &[&str] = self.pick(&[
                        &["CLIENT", "PAUSE", "1"] as &[&str],
                        &["CLIENT", "PAUSE", "2", "WRITE"],
                        &["CLIENT", "PAUSE", "1", "all"],
                    ]);
                    self.words(connection, line);
                    // What comes now waits; nothing else is under way.
                    self.words(connection, &["SET", "k0", "paused"]);
                    self.words(connection, &["GET", "k0"]);
                    return self.words(connection, &["CLIENT", "UNPAUSE"]);
                }
                let line: &[&str] = self.pick(&[
                    &["CLIENT", "PAUSE", "0"] as &[&str],
                    &["CLIENT", "PAUSE", "0", "WRITE"],
                    &["CLIENT", "PAUSE", "0", "WRITE"],
                    &["CLIENT", "PAUSE", "0", "all"],
                    &["CLIENT", "PAUSE", "0", "ALL"],
                    &["CLIENT", "PAUSE", "-1"],
                    &["CLIENT", "PAUSE", "x"],
                    &["CLIENT", "PAUSE", "1", "foo"],
                    &["CLIENT", "PAUSE"],
                    &["CLIENT", "UNPAUSE"],
                    &["CLIENT", "UNPAUSE", "x"],
                ]);
                self.words(connection, line);
                // Even a pause of no time lasts until the server next looks.
                self.words(connection, &["CLIENT", "UNPAUSE"]);
            }
            23..=25 => {
                let mut argv = vec![Arg::from("CLIENT"), Arg::from("UNBLOCK")];
                argv.push(if self.percent(60) {
                    Arg::ClientId(self.rng.usize(0..CONNECTIONS))
                } else {
                    Arg::from(self.pick(&["0", "-1", "x", "99999999"]))
                });
                if self.percent(50) {
                    argv.push(Arg::from(self.pick(&["TIMEOUT", "ERROR", "foo"])));
                }
                self.push_args(connection, argv);
            }
            26 => self.words(connection, &["CLIENT", "HELP"]),
            27 => self.words(connection, &["CLIENT", "REPLY", "ON"]),
            28 => {
                let line: &[&str] = self.pick(&[
                    &["CLIENT"] as &[&str],
                    &["CLIENT", "NOSUCH"],
                    &["CLIENT", "ID", "x"],
                    &["CLIENT", "SETNAME"],
                    &["CLIENT", "LIST", "FOO"],
                    &["CLIENT", "REPLY"],
                    &["CLIENT", "KILL"],
                    &["CLIENT", "KILL", "ID"],
                    &["CLIENT", "KILL", "ID", "x"],
                    &["CLIENT", "KILL", "ID", "0"],
                    &["CLIENT", "KILL", "TYPE", "foo"],
                    &["CLIENT", "KILL", "FOO", "bar"],
                    &["CLIENT", "KILL", "SKIPME", "maybe"],
                    &["CLIENT", "KILL", "USER", "nobody"],
                    &["CLIENT", "KILL", "ID", "99999999"],
                ]);
                self.words(connection, line);
            }
            _ => {
                // What is told of keys comes at any time: `tests/tracking.rs` compares that.
                let line: &[&str] = self.pick(&[
                    &["CLIENT", "GETREDIR"] as &[&str],
                    &["CLIENT", "TRACKINGINFO"],
                    &["CLIENT", "TRACKING", "OFF"],
                    &["CLIENT", "TRACKING", "off", "BCAST", "NOLOOP"],
                    &["CLIENT", "TRACKING", "maybe"],
                    &["CLIENT", "TRACKING", "ON", "FOO"],
                    &["CLIENT", "TRACKING", "ON", "PREFIX", "a"],
                    &["CLIENT", "TRACKING", "ON", "BCAST", "PREFIX"],
                    &["CLIENT", "TRACKING", "ON", "BCAST", "OPTOUT"],
                    &["CLIENT", "TRACKING", "ON", "OPTIN", "OPTOUT"],
                    &["CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", "a", "PREFIX", "ab"],
                    &["CLIENT", "TRACKING", "ON", "REDIRECT", "99999999"],
                    &["CLIENT", "TRACKING", "ON", "REDIRECT", "x"],
                ]);
                self.words(connection, line);
            }
        }
    }

    fn command(&mut self, connection: usize) {
        let mut line: Vec<Vec<u8>> = vec![self.case("COMMAND")];
        match self.rng.u32(0..16) {
            0 => line.push("COUNT".into()),
            1..=3 => {
                line.push("INFO".into());
                for _ in 0..self.rng.usize(1..4) {
                    line.push(self.pick(COMMANDS).into());
                }
            }
            4..=6 => {
                line.push("DOCS".into());
                for _ in 0..self.rng.usize(1..4) {
                    line.push(self.pick(COMMANDS).into());
                }
            }
            7..=8 => {
                line.push("LIST".into());
                let filter: &[&str] = self.pick(&[
                    &[] as &[&str],
                    &["FILTERBY", "ACLCAT", "string"],
                    &["FILTERBY", "ACLCAT", "keyspace"],
                    &["FILTERBY", "ACLCAT", "transaction"],
                    &["FILTERBY", "ACLCAT", "nosuch"],
                    &["FILTERBY", "PATTERN", "get*"],
                    &["FILTERBY", "PATTERN", "client|k*"],
                    &["FILTERBY", "PATTERN", "expire*"],
                    &["FILTERBY", "MODULE", "nosuch"],
                    &["FILTERBY", "FOO", "x"],
                    &["FILTERBY"],
                    &["FOO"],
                ]);
                line.extend(filter.iter().map(|word| word.as_bytes().to_vec()));
            }
            9..=13 => {
                line.push(self.pick(&["GETKEYS", "GETKEYSANDFLAGS"]).into());
                let command = match self.rng.u32(0..8) {
                    0 => vec![self.pick(&["PING", "NOSUCH", "CONFIG", "MULTI"]).into()],
                    1 => vec!["OBJECT".into(), "ENCODING".into(), "k0".into()],
                    2..=4 => self.key_command(),
                    _ => self.string_command(),
                };
                line.extend(command);
            }
            14 => line.push("HELP".into()),
            _ => line.push(self.pick(&["NOSUCH", "GETKEYS", "COUNT"]).into()),
        }
        self.push(connection, line);
    }

    fn debug(&mut self, connection: usize) {
        let key = self.key(Use::Any);
        let line: Vec<Vec<u8>> = match self.rng.u32(0..36) {
            0..=3 => vec!["DIGEST".into()],
            4..=7 => {
                let mut line = vec!["DIGEST-VALUE".into()];
                line.extend(self.keys(Use::Any));
                line
            }
            8..=11 => vec!["OBJECT".into(), key],
            12..=16 => {
                let kind = self.pick(&[
                    "string", "integer", "double", "bignum", "null", "array", "set", "map", "attrib", "verbatim",
                    "true", "false", "foo", "DOUBLE",
                ]);
                vec!["PROTOCOL".into(), kind.into()]
            }
            17..=18 => {
                let mut line: Vec<Vec<u8>> = vec!["POPULATE".into(), self.pick(&["0", "1", "3", "x", "-1"]).into()];
                if self.percent(60) {
                    line.push(self.pick(&["k", "pre", ""]).into());
                    if self.percent(50) {
                        line.push(self.pick(&["0", "1", "10", "40", "x"]).into());
                    }
                }
                line
            }
            19 => vec!["SLEEP".into(), self.pick(&["0", "0.0001", "x"]).into()],
            21 => vec!["HTSTATS".into(), self.pick(&["0", "1", "99", "x"]).into()],
            22 | 30.. => {
                let usage = self.pick(&[Use::Any, Use::Hash, Use::Set, Use::Zset, Use::Zset]);
                vec![self.pick(&["HTSTATS-KEY", "LISTPACK"]).into(), self.key(usage)]
            }
            23..=24 => vec!["SET-ACTIVE-EXPIRE".into(), self.pick(&["1", "1", "0"]).into()],
            25 if self.percent(50) => vec!["REPLICATE".into(), self.pick(&["all", "x", ""]).into(), "PING".into()],
            25 => vec!["LOG".into(), "a line of the test".into()],
            26..=27 | 20 => vec![
                self.pick(&[
                    "REPLYBUFFER",
                    "QUICKLIST-PACKED-THRESHOLD",
                    "DICT-RESIZING",
                    "PAUSE-CRON",
                    "SET-DISABLE-DENY-SCRIPTS",
                ])
                .into(),
                self.pick(&["0", "0", "0", "PEAK-RESET-TIME"]).into(),
            ],
            28 => vec!["HELP".into()],
            _ => vec![self.pick(&["NOSUCH", "OBJECT", "ERROR", "SLEEP", "PROTOCOL", "DIGEST x"]).into()],
        };
        let name = self.case("DEBUG");
        self.push(connection, [name].into_iter().chain(line).collect());
    }

    fn connection_command(&mut self, connection: usize) {
        let line: &[&str] = match self.rng.u32(0..24) {
            0..=5 => self.pick(&[
                &["HELLO"] as &[&str],
                &["HELLO", "2"],
                &["HELLO", "3"],
                &["HELLO", "3", "SETNAME", "carol"],
                &["HELLO", "2", "SETNAME", "carol"],
                &["HELLO", "3", "SETNAME", "with space"],
                &["HELLO", "4"],
                &["HELLO", "1"],
                &["HELLO", "x"],
                &["HELLO", "3", "FOO"],
                &["HELLO", "3", "AUTH", "default"],
                &["HELLO", "3", "AUTH", "default", "any"],
                &["HELLO", "3", "AUTH", "nobody", "any"],
                &["HELLO", "3", "AUTH", "default", "any", "SETNAME", "dave"],
                &["HELLO", "", "SETNAME", "x"],
            ]),
            6..=8 => self.pick(&[
                &["PING"] as &[&str],
                &["PING"],
                &["ECHO", "hello"],
                &["ECHO", "some more words"],
                &["PING", "hello"],
                &["PING", ""],
                &["PING", "a", "b"],
                &["ECHO", "\u{0}\r\n"],
                &["ECHO", ""],
                &["ECHO"],
                &["ECHO", "a", "b"],
            ]),
            9..=10 => {
                self.pick(&[&["AUTH", "x"] as &[&str], &["AUTH", "default", "x"], &["AUTH", "nobody", "x"], &["AUTH"]])
            }
            11 => {
                self.in_transaction[connection] = false;
                &["RESET"]
            }
            12..=20 => {
                let database = self.database();
                let name = self.case("SELECT");
                return self.push(connection, vec![name, database]);
            }
            _ => self.pick(&[
                &["READONLY"] as &[&str],
                &["READWRITE"],
                &["ASKING"],
                &["RESET", "x"],
                &["SELECT"],
                &["NOSUCHCOMMAND", "with", "arguments"],
                &["GET|X"],
                &["nosuch\r\ncommand"],
            ]),
        };
        self.words(connection, line);
    }

    fn about_the_server(&mut self, connection: usize) {
        match self.rng.u32(0..22) {
            0..=3 => {
                let mut line = vec!["INFO"];
                for _ in 0..self.rng.usize(0..3) {
                    line.push(self.pick(INFO_SECTIONS));
                }
                self.words(connection, &line);
            }
            4..=6 => self.words(connection, &["TIME"]),
            7 => self.words(connection, &["LASTSAVE"]),
            8..=9 => {
                let line = self.pick(&[
                    &["LOLWUT"] as &[&str],
                    &["LOLWUT", "VERSION", "5"],
                    &["LOLWUT", "VERSION", "x"],
                    &["LOLWUT", "VERSION", "9"],
                ]);
                self.words(connection, line);
            }
            10 => self.words(connection, &["ROLE"]),
            11..=13 => {
                if self.percent(SLOW) {
                    return self.words(connection, &["WAIT", "1", "1"]);
                }
                let line: &[&str] = self.pick(&[
                    &["WAIT", "0", "0"] as &[&str],
                    &["WAIT", "0", "10"],
                    &["WAIT", "x", "1"],
                    &["WAIT", "0", "-1"],
                    &["WAIT", "-1", "1"],
                    &["WAIT", "1"],
                    &["WAIT", "0", "x"],
                ]);
                self.words(connection, line);
            }
            14..=15 => {
                if self.percent(SLOW) {
                    return self.words(connection, &["WAITAOF", "0", "1", "1"]);
                }
                let line: &[&str] = self.pick(&[
                    &["WAITAOF", "0", "0", "0"] as &[&str],
                    &["WAITAOF", "0", "0", "1"],
                    &["WAITAOF", "1", "0", "1"],
                    &["WAITAOF", "2", "0", "1"],
                    &["WAITAOF", "-1", "0", "1"],
                    &["WAITAOF", "0", "x", "1"],
                    &["WAITAOF", "0", "0", "-1"],
                    &["WAITAOF", "0", "0"],
                ]);
                self.words(connection, line);
            }
            16 => self.words(connection, &["MODULE", "LIST"]),
            17 if self.percent(30) => {
                let line: &[&str] = self.pick(&[
                    &["CLUSTER", "INFO"] as &[&str],
                    &["CLUSTER", "NODES"],
                    &["CLUSTER", "KEYSLOT", "x"],
                    &["CLUSTER"],
                ]);
                self.words(connection, line);
            }
            18 if self.percent(30) => {
                let line: &[&str] = self.pick(&[
                    &["SHUTDOWN", "FOO"] as &[&str],
                    &["SHUTDOWN", "SAVE", "NOSAVE"],
                    &["SHUTDOWN", "ABORT"],
                    &["SHUTDOWN", "ABORT", "NOW"],
                    &["SHUTDOWN", "NOW", "FOO"],
                ]);
                self.words(connection, line);
            }
            17..=19 => {
                let line: &[&str] = self.pick(&[
                    &["FUNCTION", "FLUSH"] as &[&str],
                    &["FUNCTION", "FLUSH", "ASYNC"],
                    &["SCRIPT", "FLUSH"],
                    &["SCRIPT", "EXISTS", "e0e1f9fabfc9d4800c877a703b823ac0578ff8db", "x"],
                ]);
                self.words(connection, line);
            }
            20 if self.percent(40) => self.words(connection, &["REPLICAOF", "NO", "ONE"]),
            _ => {
                let container = self.pick(&["OBJECT", "MODULE", "MODULE", "CLUSTER", "SCRIPT", "SCRIPT", "FUNCTION"]);
                self.words(connection, &[container, "HELP"]);
            }
        }
    }
}
