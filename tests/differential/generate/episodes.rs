//! Sequences that mean something only together: transactions with and without conflicts, keys that expire, passwords.

use super::super::step::{Arg, Step};
use super::values::Use;
use super::{CONNECTIONS, Generator, PASSWORD};

impl Generator {
    fn data_command(&mut self) -> Vec<Vec<u8>> {
        if self.percent(60) { self.value_command() } else { self.key_command() }
    }

    /// WATCH, perhaps a write by another connection, MULTI, some commands, EXEC or DISCARD; now and then out of order.
    pub(super) fn transaction(&mut self) {
        let connection = self.connection();
        if self.in_transaction[connection] {
            return self.finish(connection);
        }
        if self.percent(6) {
            // Alone and out of place.
            let name = self.pick(&["EXEC", "DISCARD", "UNWATCH", "MULTI", "WATCH"]);
            let arguments = if name == "WATCH" { self.keys(Use::Any) } else { vec![] };
            let line = self.line(name, arguments);
            self.push(connection, line);
            self.in_transaction[connection] = name == "MULTI";
            return;
        }
        let expired = if self.percent(50) { self.watch(connection) } else { None };
        let line = self.line("MULTI", vec![]);
        self.push(connection, line);
        self.in_transaction[connection] = true;
        for _ in 0..self.rng.usize(0..7) {
            match self.rng.u32(0..40) {
                0 => {
                    let line = self.pick(&[
                        &["MULTI"] as &[&str],
                        &["WATCH", "k0"],
                        &["UNWATCH"],
                        &["NOSUCHCOMMAND", "x"],
                        &["GET"],
                    ]);
                    self.push(connection, line.iter().map(|word| word.as_bytes().to_vec()).collect());
                }
                1..=2 => self.server_command(connection),
                _ => {
                    let line = self.data_command();
                    self.push_mutated(connection, line);
                }
            }
        }
        if expired.is_some() || self.percent(90) {
            self.finish(connection);
        }
        if let Some(key) = expired {
            self.push(connection, vec![b"EXISTS".to_vec(), key]);
        }
    }

    /// Returns the watched key when it has expired: it must be met again soon, see [`Self::expiring_episode`].
    fn watch(&mut self, connection: usize) -> Option<Vec<u8>> {
        let keys = self.keys(Use::Any);
        let watched = keys[0].clone();
        let line = self.line("WATCH", keys);
        self.push(connection, line);
        match self.rng.u32(0..10) {
            // A conflict, or a harmless touch, by another connection or by the watching one itself.
            0..=3 => {
                let other = self.rng.usize(0..CONNECTIONS);
                let line = match self.rng.u32(0..8) {
                    0 => vec![b"GET".to_vec(), watched],
                    1 => vec![b"DEL".to_vec(), watched],
                    2 => vec![b"EXPIRE".to_vec(), watched, b"100000".to_vec()],
                    3 if self.percent(20) => vec![b"FLUSHDB".to_vec()],
                    4 => vec![b"SET".to_vec(), watched, b"v".to_vec(), b"XX".to_vec()],
                    5 => vec![b"SWAPDB".to_vec(), b"0".to_vec(), b"1".to_vec()],
                    _ => vec![b"APPEND".to_vec(), watched, b"x".to_vec()],
                };
                self.push(other, line);
            }
            4 => {
                let line = self.line("UNWATCH", vec![]);
                self.push(connection, line);
            }
            5 => {
                // The watched key expires; the transaction follows after that.
                self.push(connection, vec![b"PEXPIRE".to_vec(), watched.clone(), b"1".to_vec()]);
                self.steps.push(Step::Sleep { milliseconds: 3 });
                return Some(watched);
            }
            _ => {}
        }
        None
    }

    /// A key gets a time to live that ends at once; after a wait, the first command meets it expired. A last EXISTS
    /// makes sure that both servers have removed it, whether or not their background expiry came first.
    pub(super) fn expiring_episode(&mut self) {
        let connection = self.connection();
        if self.in_transaction[connection] {
            return self.finish(connection);
        }
        let usage = self.pick(&[Use::Any, Use::Number, Use::Text]);
        let (key, value) = (self.key(usage), self.value(usage));
        let expiring = match self.rng.u32(0..4) {
            0 => vec![b"SET".to_vec(), key.clone(), value, b"PX".to_vec(), b"1".to_vec()],
            1 => vec![b"PSETEX".to_vec(), key.clone(), b"1".to_vec(), value],
            2 => vec![b"PEXPIRE".to_vec(), key.clone(), b"1".to_vec()],
            _ => vec![b"GETEX".to_vec(), key.clone(), b"PX".to_vec(), b"1".to_vec()],
        };
        self.push(connection, expiring);
        self.steps.push(Step::Sleep { milliseconds: 3 });
        let meets: &[&str] = &[
            "GET",
            "TTL",
            "PTTL",
            "EXISTS",
            "TYPE",
            "STRLEN",
            "GETDEL",
            "INCR",
            "DECR",
            "DEL",
            "UNLINK",
            "TOUCH",
            "PERSIST",
            "EXPIRETIME",
            "MGET",
            "KEYS",
            "GETEX",
            "WATCH",
            "BITCOUNT",
            "BITFIELD",
            "PFADD",
            "PFCOUNT",
            "PFMERGE",
        ];
        let name = self.pick(meets);
        let line = match self.rng.u32(0..4) {
            0 => {
                let other = self.key(usage);
                let name = self.pick(&["RENAME", "RENAMENX", "COPY", "LCS", "GETSET", "SETNX", "APPEND", "MSETNX"]);
                self.line(name, vec![key.clone(), other])
            }
            1 => {
                let name = self.pick(&["SET", "EXPIRE", "GETRANGE", "SETRANGE", "SETBIT"]);
                let rest: &[&str] = match name {
                    "SET" => self.pick(&[&["v", "KEEPTTL"] as &[&str], &["v", "XX"], &["v", "GET"], &["v", "NX"]]),
                    "EXPIRE" => &["100", "XX"],
                    "GETRANGE" => &["0", "-1"],
                    "SETBIT" => &["9", "1"],
                    _ => &["3", "x"],
                };
                let arguments = [key.clone()].into_iter().chain(rest.iter().map(|w| w.as_bytes().to_vec())).collect();
                self.line(name, arguments)
            }
            _ => self.line(name, vec![key.clone()]),
        };
        self.push(connection, line);
        self.push(connection, vec![b"EXISTS".to_vec(), key]);
    }

    /// A password is set, used by a new connection, and taken back.
    pub(super) fn password_episode(&mut self) {
        let connection = self.connection();
        if self.in_transaction[connection] {
            return self.finish(connection);
        }
        let config = |value: &str| vec![b"CONFIG".to_vec(), b"SET".to_vec(), b"requirepass".to_vec(), value.into()];
        self.push(connection, config(PASSWORD));
        for _ in 0..self.rng.usize(1..4) {
            let bytes = self.authentication();
            self.steps.push(Step::Raw { bytes });
        }
        self.push(connection, config(""));
    }

    /// There is not enough memory for anything: what may go is evicted, and what needs more is refused.
    pub(super) fn memory_episode(&mut self) {
        let connection = self.connection();
        if self.in_transaction[connection] {
            return self.finish(connection);
        }
        let policy = self.pick(&["noeviction", "noeviction", "volatile-ttl", "volatile-random", "allkeys-lru"]);
        let config = |line: String| line.split(' ').map(|word| word.as_bytes().to_vec()).collect();
        let full = format!("CONFIG SET maxmemory 1 maxmemory-policy {policy} maxmemory-eviction-tenacity 100");
        self.push(connection, config(full));
        for _ in 0..self.rng.usize(1..20) {
            self.step();
        }
        self.push(connection, config("CONFIG SET maxmemory 0 maxmemory-policy noeviction".into()));
    }

    /// CLIENT KILL with its filters.
    pub(super) fn kill(&mut self) {
        let connection = self.connection();
        if self.in_transaction[connection] {
            return self.finish(connection);
        }
        // The generator cannot know which connections will be left, so none may be inside a transaction.
        for connection in 0..CONNECTIONS {
            if self.in_transaction[connection] {
                self.finish(connection);
            }
        }
        let target = self.rng.usize(0..CONNECTIONS);
        let word = |text: &str| Arg::from(text);
        let mut argv = vec![word("CLIENT"), word("KILL")];
        match self.rng.u32(0..12) {
            0 => argv.push(Arg::ClientAddress(target)),
            1 => argv.push(word(self.pick(&["1.2.3.4:5", "nonsense", ""]))),
            _ => {
                let mut filters = vec![];
                if self.percent(50) {
                    filters.push(vec![word("ID"), Arg::ClientId(target)]);
                }
                if self.percent(30) {
                    filters.push(vec![word("ADDR"), Arg::ClientAddress(target)]);
                }
                if self.percent(20) {
                    filters.push(vec![
                        word("LADDR"),
                        if self.percent(70) { Arg::ServerAddress } else { word("1.2.3.4:5") },
                    ]);
                }
                if self.percent(20) {
                    filters.push(vec![
                        word("TYPE"),
                        word(self.pick(&["normal", "normal", "normal", "pubsub", "replica", "slave", "master", "foo"])),
                    ]);
                }
                if self.percent(22) {
                    filters.push(vec![
                        word("USER"),
                        word(self.pick(&["default", "default", "default", "default", "nobody"])),
                    ]);
                }
                if self.percent(20) {
                    filters.push(vec![
                        word("MAXAGE"),
                        word(self.pick(&["1000000", "1000000", "10000000", "99999", "0", "-1", "x"])),
                    ]);
                }
                if self.percent(40) {
                    filters.push(vec![word("SKIPME"), word(self.pick(&["yes", "no", "YES", "NO", "yes", "maybe"]))]);
                }
                if self.percent(5) {
                    filters.push(vec![word(self.pick(&["FOO", "ID"])), word(self.pick(&["0", "-1", "x", "99999999"]))]);
                }
                self.rng.shuffle(&mut filters);
                argv.extend(filters.into_iter().flatten());
            }
        }
        self.push_args(connection, argv);
    }
}
