//! Commands on strings.

use super::Generator;
use super::values::Use;

impl Generator {
    pub(super) fn string_command(&mut self) -> Vec<Vec<u8>> {
        for usage in [Use::Any, Use::Number, Use::Text] {
            let key = self.key(usage);
            self.some_string(&key);
        }
        match self.rng.u32(0..100) {
            0..=29 => self.set(),
            30..=37 => {
                let usage = self.usage();
                let key = self.key(usage);
                self.line("GET", vec![key])
            }
            38..=40 => {
                let key = self.key(Use::Any);
                self.line("GETDEL", vec![key])
            }
            41..=46 => self.getex(),
            47..=48 => self.key_and_value("GETSET"),
            49..=50 => self.key_and_value("SETNX"),
            51..=53 => {
                let name = self.pick(&["SETEX", "PSETEX"]);
                let (key, time, value) =
                    (self.key(Use::Any), self.expiry(false, name == "PSETEX"), self.value(Use::Any));
                self.line(name, vec![key, time, value])
            }
            54..=56 => {
                let keys = self.keys(Use::Any);
                self.line("MGET", keys)
            }
            57..=60 => self.mset(),
            61..=64 => self.key_and_value("APPEND"),
            65..=67 => {
                let key = self.key(Use::Text);
                self.line("STRLEN", vec![key])
            }
            68..=72 => {
                let name = self.pick(&["GETRANGE", "GETRANGE", "SUBSTR"]);
                let (key, from, to) = (self.key(Use::Text), self.index(), self.index());
                self.line(name, vec![key, from, to])
            }
            73..=75 => {
                // Offsets near 512 MiB are drawn only from beyond the limit: one below it would really be allocated.
                let offset = match self.rng.u32(0..10) {
                    0 => self.pick(&["-1", "536870912", "9223372036854775807", "x", ""]).into(),
                    1 => self.rng.u32(0..3000).to_string().into(),
                    _ => self.rng.u32(0..60).to_string().into(),
                };
                let (key, value) = (self.key(Use::Text), self.value(Use::Text));
                self.line("SETRANGE", vec![key, offset, value])
            }
            76..=79 => {
                let name = self.pick(&["INCR", "DECR"]);
                let key = self.key(Use::Number);
                self.line(name, vec![key])
            }
            80..=84 => {
                let name = self.pick(&["INCRBY", "DECRBY"]);
                let (key, by) = (self.key(Use::Number), self.integer());
                self.line(name, vec![key, by])
            }
            85..=91 => {
                let (key, by) = (self.key(Use::Number), self.float());
                self.line("INCRBYFLOAT", vec![key, by])
            }
            _ => self.lcs(),
        }
    }

    fn usage(&mut self) -> Use {
        self.pick(&[Use::Any, Use::Any, Use::Number, Use::Text])
    }

    fn key_and_value(&mut self, name: &str) -> Vec<Vec<u8>> {
        let usage = self.usage();
        let (key, value) = (self.key(usage), self.value(usage));
        self.line(name, vec![key, value])
    }

    fn set(&mut self) -> Vec<Vec<u8>> {
        let usage = self.usage();
        let (key, value) = (self.key(usage), self.value(usage));
        let mut options: Vec<Vec<Vec<u8>>> = Vec::new();
        match self.rng.u32(0..10) {
            0 => options.push(vec![self.case("NX")]),
            1 => options.push(vec![self.case("XX")]),
            2 => {
                let expected = self.value(usage);
                options.push(vec![self.case("IFEQ"), expected]);
            }
            _ => {}
        }
        if self.percent(20) {
            options.push(vec![self.case("GET")]);
        }
        match self.rng.u32(0..12) {
            0 => options.push(vec![self.case("KEEPTTL")]),
            1..=4 => options.push(self.expiry_option()),
            _ => {}
        }
        if self.percent(3) {
            let extra = self.pick(&["NX", "XX", "GET", "KEEPTTL", "PERSIST", "EX", "FOO", ""]);
            options.push(vec![self.case(extra)]);
        }
        self.rng.shuffle(&mut options);
        let mut arguments = vec![key, value];
        arguments.extend(options.into_iter().flatten());
        self.line("SET", arguments)
    }

    /// SET, and then a SET or GET whose condition holds: blind chance makes it hold too rarely.
    pub(super) fn conditional_pair(&mut self) {
        let connection = self.connection();
        let usage = self.usage();
        let (key, value, next) = (self.key(usage), self.value(usage), self.value(usage));
        let line = self.line("SET", vec![key.clone(), value.clone()]);
        self.push(connection, line);
        let mut arguments = vec![key, next, self.case("IFEQ"), value];
        if self.percent(30) {
            arguments.push(self.case("GET"));
        }
        if self.percent(30) {
            arguments.extend(self.expiry_option());
        }
        let line = self.line("SET", arguments);
        self.push(connection, line);
    }

    pub(super) fn expiry_option(&mut self) -> Vec<Vec<u8>> {
        let (name, absolute, milliseconds) =
            self.pick(&[("EX", false, false), ("PX", false, true), ("EXAT", true, false), ("PXAT", true, true)]);
        vec![self.case(name), self.expiry(absolute, milliseconds)]
    }

    fn getex(&mut self) -> Vec<Vec<u8>> {
        let mut arguments = vec![self.key(Use::Any)];
        match self.rng.u32(0..10) {
            0..=1 => {}
            2..=3 => arguments.push(self.case("PERSIST")),
            _ => arguments.extend(self.expiry_option()),
        }
        if self.percent(3) {
            let extra = self.pick(&["PERSIST", "KEEPTTL", "NX", "EX", "GET"]);
            arguments.push(self.case(extra));
        }
        self.line("GETEX", arguments)
    }

    fn mset(&mut self) -> Vec<Vec<u8>> {
        let name = self.pick(&["MSET", "MSET", "MSETNX"]);
        let mut keys = self.keys(Use::Any);
        if name == "MSETNX" && self.percent(60) {
            // Keys that are rarely there, so that it succeeds at times.
            keys = (0..keys.len()).map(|_| format!("m{}", self.rng.u32(0..200)).into_bytes()).collect();
        }
        let mut arguments = Vec::new();
        for key in keys {
            arguments.push(key);
            arguments.push(self.value(Use::Any));
        }
        self.line(name, arguments)
    }

    fn lcs(&mut self) -> Vec<Vec<u8>> {
        let mut arguments = vec![self.key(Use::Text), self.key(Use::Text)];
        let mut options: Vec<Vec<Vec<u8>>> = Vec::new();
        if self.percent(25) {
            options.push(vec![self.case("LEN")]);
        }
        if self.percent(40) {
            options.push(vec![self.case("IDX")]);
        }
        if self.percent(30) {
            let length = if self.percent(20) { self.integer() } else { self.rng.u32(0..5).to_string().into() };
            options.push(vec![self.case("MINMATCHLEN"), length]);
        }
        if self.percent(30) {
            options.push(vec![self.case("WITHMATCHLEN")]);
        }
        self.rng.shuffle(&mut options);
        arguments.extend(options.into_iter().flatten());
        self.line("LCS", arguments)
    }
}
