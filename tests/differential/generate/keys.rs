//! Commands on keys of any type, and on whole databases.

use super::Generator;
use super::values::Use;

const TYPES: &[&str] = &["string", "STRING", "set", "set", "zset", "list", "hash", "stream", "foo", ""];

impl Generator {
    pub(super) fn any_key(&mut self) -> Vec<u8> {
        let mut usages = vec![Use::Any; if self.deep { 5 } else { 2 }];
        usages.extend(Use::ALL);
        let usage = self.pick(&usages);
        let key = self.key(usage);
        if usage == Use::Any {
            self.some_string(&key);
        }
        key
    }

    pub(super) fn key_command(&mut self) -> Vec<Vec<u8>> {
        match self.rng.u32(0..112) {
            100..=107 => self.sort_command(),
            108..=111 => self.memory(),
            0..=11 => {
                let name = self.pick(&["DEL", "UNLINK", "EXISTS", "EXISTS", "EXISTS", "TOUCH", "TOUCH", "TOUCH"]);
                let keys = self.keys(Use::Any);
                self.line(name, keys)
            }
            12..=14 => {
                let key = self.any_key();
                self.line("TYPE", vec![key])
            }
            15..=34 => self.expire(),
            35..=46 => {
                let name = self.pick(&["TTL", "PTTL", "EXPIRETIME", "PEXPIRETIME"]);
                let key = self.any_key();
                self.line(name, vec![key])
            }
            47..=51 => {
                let key = self.any_key();
                self.line("PERSIST", vec![key])
            }
            52..=58 => {
                let name = self.pick(&["RENAME", "RENAMENX"]);
                let mut arguments = vec![self.any_key(), self.any_key()];
                if name == "RENAMENX" && self.percent(50) {
                    arguments[1] = format!("m{}", self.rng.u32(0..200)).into_bytes();
                }
                self.line(name, arguments)
            }
            59..=66 => self.copy(),
            67..=69 => {
                let arguments = vec![self.any_key(), self.database()];
                self.line("MOVE", arguments)
            }
            70 if self.percent(50) => {
                let arguments = vec![self.database(), self.database()];
                self.line("SWAPDB", arguments)
            }
            71..=74 => {
                let pattern = self.pattern();
                self.line("KEYS", vec![pattern])
            }
            75..=77 => self.scan_once(),
            78..=79 => self.line("RANDOMKEY", vec![]),
            80..=82 => self.line("DBSIZE", vec![]),
            83..=84 if self.percent(35) => {
                let name = self.pick(&["FLUSHDB", "FLUSHALL"]);
                let arguments = match self.rng.u32(0..10) {
                    0..=2 => vec![self.case("ASYNC")],
                    3..=5 => vec![self.case("SYNC")],
                    6 => vec![self.pick(&["FOO", "ASYNC SYNC", ""]).into()],
                    _ => vec![],
                };
                let (connection, line) = (self.connection(), self.line(name, arguments));
                self.push(connection, line);
                // What comes next should find something.
                let key = self.key(Use::Set);
                let line = self.sadd(key);
                self.push(connection, line);
                let key = self.key(Use::Zset);
                let line = self.zadd(key);
                self.push(connection, line);
                self.some_keys(Use::Any)
            }
            _ => self.object(),
        }
    }

    fn expire(&mut self) -> Vec<Vec<u8>> {
        let (name, absolute, milliseconds) = self.pick(&[
            ("EXPIRE", false, false),
            ("PEXPIRE", false, true),
            ("EXPIREAT", true, false),
            ("PEXPIREAT", true, true),
        ]);
        let mut arguments = vec![self.any_key(), self.expiry(absolute, milliseconds)];
        if self.percent(if self.deep { 10 } else { 25 }) {
            // Something with a time to live, for XX, GT and LT to look at.
            let connection = self.connection();
            let value = self.value(Use::Any);
            let mut line = vec![b"SET".to_vec(), arguments[0].clone(), value];
            if self.percent(50) {
                // Less than what most commands here ask for.
                line.extend([self.case("EX"), b"900".to_vec()]);
            } else {
                line.extend(self.expiry_option());
            }
            self.push(connection, line);
        }
        if self.percent(60) {
            let option = self.pick(&["NX", "XX", "XX", "GT", "GT", "LT"]);
            arguments.push(self.case(option));
            if self.percent(8) {
                let option = self.pick(&["NX", "XX", "GT", "LT"]);
                arguments.push(self.case(option));
            }
        }
        if self.percent(2) {
            arguments.push(self.pick(&["FOO", "NX", "KEEPTTL", ""]).into());
        }
        self.line(name, arguments)
    }

    fn copy(&mut self) -> Vec<Vec<u8>> {
        let mut arguments = vec![self.any_key(), self.any_key()];
        if self.percent(40) {
            arguments.push(self.case("DB"));
            arguments.push(self.database());
        }
        if self.percent(50) {
            arguments.push(self.case("REPLACE"));
        }
        if self.percent(3) {
            arguments.push(self.pick(&["FOO", "DB", "REPLACE"]).into());
        }
        self.line("COPY", arguments)
    }

    fn memory(&mut self) -> Vec<Vec<u8>> {
        let name = self.pick(&["USAGE", "USAGE", "USAGE", "USAGE", "DOCTOR", "STATS", "PURGE", "HELP", "FOO"]);
        let mut arguments = vec![self.case(name)];
        if name == "USAGE" {
            arguments.push(self.any_key());
            if self.percent(50) {
                let samples = if self.percent(30) { self.integer() } else { self.pick(&["0", "1", "5", "-1"]).into() };
                arguments.extend([self.case("SAMPLES"), samples]);
            }
            if self.percent(4) {
                arguments.push(self.pick(&["SAMPLES", "FOO", ""]).into());
            }
        }
        self.line("MEMORY", arguments)
    }

    fn object(&mut self) -> Vec<Vec<u8>> {
        let name = self.pick(&[
            "ENCODING", "ENCODING", "ENCODING", "REFCOUNT", "REFCOUNT", "IDLETIME", "IDLETIME", "FREQ", "HELP", "FOO",
        ]);
        let sub = self.case(name);
        let arguments = if name == "HELP" { vec![sub] } else { vec![sub, self.any_key()] };
        let key = arguments.get(1).cloned();
        let line = self.line("OBJECT", arguments);
        if name != "FREQ" || self.percent(50) {
            return line;
        }
        // There are counters only under such a policy, and a new key has one.
        let connection = self.connection();
        let policy =
            |policy: &str| [b"CONFIG", &b"SET"[..], b"maxmemory-policy", policy.as_bytes()].map(<[u8]>::to_vec);
        self.push(connection, policy("allkeys-lfu").to_vec());
        let value = self.pick(&[b"1".to_vec(), b"word".to_vec(), vec![b'r'; 50]]);
        self.push(connection, vec![b"SET".to_vec(), key.clone().unwrap_or_default(), value]);
        self.push(connection, line);
        self.push(connection, policy("noeviction").to_vec());
        // What the counter of such a policy is as a time is chance.
        self.line("DEL", vec![key.unwrap_or_default()])
    }

    pub(super) fn scan_options(&mut self) -> Vec<Vec<u8>> {
        let mut options: Vec<Vec<Vec<u8>>> = Vec::new();
        if self.percent(50) {
            options.push(vec![self.case("MATCH"), self.pattern()]);
        }
        if self.percent(50) {
            let count = if self.percent(15) { self.integer() } else { self.pick(&["1", "2", "5", "100"]).into() };
            options.push(vec![self.case("COUNT"), count]);
        }
        if self.percent(30) {
            options.push(vec![self.case("TYPE"), self.pick(TYPES).into()]);
        }
        if self.percent(3) {
            options.push(vec![self.pick(&["FOO", "MATCH", "COUNT", "NOVALUES"]).into()]);
        }
        self.rng.shuffle(&mut options);
        options.into_iter().flatten().collect()
    }

    /// One SCAN call with a cursor out of the blue: errors and the form of the reply are compared.
    fn scan_once(&mut self) -> Vec<Vec<u8>> {
        let cursor = match self.rng.u32(0..4) {
            0 => self.integer(),
            1 => self.pick(&["x", "-1", "18446744073709551615", "18446744073709551616", "1 ", " 1", ""]).into(),
            _ => b"0".to_vec(),
        };
        let mut arguments = vec![cursor];
        arguments.extend(self.scan_options());
        self.line("SCAN", arguments)
    }
}
