//! Commands on hashes, and those about the expiry of their fields.

use super::super::step::Step;
use super::Generator;
use super::values::Use;

impl Generator {
    pub(super) fn hash_command(&mut self) -> Vec<Vec<u8>> {
        let key = self.key(Use::Hash);
        match self.rng.u32(0..100) {
            0..=24 => self.hset(key),
            25..=28 => {
                let arguments = vec![self.field(), self.value(Use::Any)];
                self.on_key("HSETNX", key, arguments)
            }
            29..=38 => {
                let name = self.pick(&["HGET", "HGET", "HEXISTS", "HSTRLEN"]);
                let field = self.field();
                self.on_key(name, key, vec![field])
            }
            39..=44 => {
                let fields = self.fields();
                self.on_key("HMGET", key, fields)
            }
            45..=52 => {
                let name = self.pick(&["HGETALL", "HGETALL", "HKEYS", "HVALS", "HLEN"]);
                self.line(name, vec![key])
            }
            53..=58 => {
                let fields = self.fields();
                self.on_key("HDEL", key, fields)
            }
            59..=65 => {
                let arguments = vec![self.number_field(), self.integer()];
                self.on_key("HINCRBY", key, arguments)
            }
            66..=72 => {
                let arguments = vec![self.number_field(), self.float()];
                self.on_key("HINCRBYFLOAT", key, arguments)
            }
            73..=78 => self.hrandfield(key),
            79..=82 => self.hscan(key),
            _ => self.field_expiry_command(),
        }
    }

    /// Those of Redis 7.4 and 8.
    pub(super) fn field_expiry_command(&mut self) -> Vec<Vec<u8>> {
        let key = self.key(Use::Hash);
        let mut line = match self.rng.u32(0..100) {
            0..=29 => self.hexpire(key),
            30..=37 => self.line("HPERSIST", vec![key]),
            38..=57 => {
                let name = self.pick(&["HTTL", "HPTTL", "HEXPIRETIME", "HPEXPIRETIME"]);
                self.line(name, vec![key])
            }
            58..=71 => {
                let mut line = self.line("HGETEX", vec![key]);
                self.expiration(&mut line, "PERSIST");
                line
            }
            72..=91 => return self.hsetex(key),
            92..=95 => self.line("HGETDEL", vec![key]),
            _ => {
                self.expiring_fields(key);
                let key = self.key(Use::Hash);
                self.line("HGETALL", vec![key])
            }
        };
        if !line[0].eq_ignore_ascii_case(b"HGETALL") {
            let fields = self.fields();
            self.counted_fields(&mut line, fields.len(), fields);
        }
        line
    }

    /// FIELDS, their number (at times a wrong one), and what follows.
    fn counted_fields(&mut self, line: &mut Vec<Vec<u8>>, count: usize, data: Vec<Vec<u8>>) {
        line.push(if self.percent(98) { self.case("FIELDS") } else { self.case("FIELD") });
        line.push(match self.rng.u32(0..100) {
            0..=2 => self.integer(),
            3 => (count + 1).to_string().into(),
            _ => count.to_string().into(),
        });
        line.extend(data);
    }

    fn hexpire(&mut self, key: Vec<u8>) -> Vec<Vec<u8>> {
        let (name, absolute, milliseconds) = self.pick(&[
            ("HEXPIRE", false, false),
            ("HPEXPIRE", false, true),
            ("HEXPIREAT", true, false),
            ("HPEXPIREAT", true, true),
        ]);
        let mut line = self.line(name, vec![key]);
        line.push(self.expiry(absolute, milliseconds));
        if self.percent(50) {
            let word = self.pick(&["NX", "XX", "GT", "LT", "GT", "LT", "FOO"]);
            line.push(self.case(word));
        }
        line
    }

    /// An option with a time, or the one without.
    fn expiration(&mut self, line: &mut Vec<Vec<u8>>, other: &str) {
        let (word, absolute, milliseconds) =
            self.pick(&[("EX", false, false), ("PX", false, true), ("EXAT", true, false), ("PXAT", true, true)]);
        match self.rng.u32(0..10) {
            0..=1 => {}
            2..=3 => line.push(self.case(other)),
            _ => {
                line.push(self.case(word));
                line.push(self.expiry(absolute, milliseconds));
            }
        }
        if self.percent(3) {
            let odd = self.pick(&["KEEPTTL", "PERSIST", "EX", "FOO", "FNX"]);
            line.push(self.case(odd));
        }
    }

    fn hsetex(&mut self, key: Vec<u8>) -> Vec<Vec<u8>> {
        let mut line = self.line("HSETEX", vec![key]);
        let condition = self.pick(&["FNX", "FXX"]);
        let first = self.percent(25);
        if first {
            line.push(self.case(condition));
        }
        self.expiration(&mut line, "KEEPTTL");
        if !first && self.percent(15) {
            line.push(self.case(condition));
        }
        let pairs = self.pairs();
        self.counted_fields(&mut line, pairs.len() / 2, pairs);
        line
    }

    /// Fields that expire while the session runs; both servers have time to remove them.
    fn expiring_fields(&mut self, key: Vec<u8>) {
        let connection = self.connection();
        if self.in_transaction[connection] || !self.percent(10) {
            return;
        }
        let pairs = self.pairs();
        let count = (pairs.len() / 2).to_string().into_bytes();
        let start = [&b"HSETEX"[..], &key, b"PX", b"20", b"FIELDS", &count].map(<[u8]>::to_vec);
        self.push(connection, start.into_iter().chain(pairs).collect());
        self.steps.push(Step::Sleep { milliseconds: 300 });
        self.push(connection, vec![b"HGETALL".to_vec(), key.clone()]);
        self.push(connection, vec![b"EXISTS".to_vec(), key]);
    }

    /// HSET: of some fields, or at times of so many that a threshold between two representations is near.
    pub(super) fn hset(&mut self, key: Vec<u8>) -> Vec<Vec<u8>> {
        if self.percent(15) {
            // It may have become something else.
            let connection = self.connection();
            self.push(connection, vec![b"DEL".to_vec(), key.clone()]);
        }
        let name = self.pick(&["HSET", "HSET", "HSET", "HMSET"]);
        let pairs = match self.rng.u32(0..100) {
            0..=2 => {
                let count = self.pick(&[127, 128, 129, 511, 512, 513]);
                let first = self.rng.i64(-300..300);
                (first..first + count).flat_map(|n| [format!("f{n}").into_bytes(), b"v".to_vec()]).collect()
            }
            _ => self.pairs(),
        };
        self.on_key(name, key, pairs)
    }

    fn pairs(&mut self) -> Vec<Vec<u8>> {
        let fields = self.fields();
        fields.into_iter().flat_map(|field| [field, self.hash_value()]).collect()
    }

    fn hash_value(&mut self) -> Vec<u8> {
        match self.rng.u32(0..100) {
            0..=39 => self.value(Use::Number),
            40..=44 => {
                let length = self.pick(&[63, 64, 65]);
                vec![b'l'; length]
            }
            _ => self.value(Use::Any),
        }
    }

    fn fields(&mut self) -> Vec<Vec<u8>> {
        let count = match self.rng.u32(0..100) {
            0..=1 => 20,
            2..=49 => 1,
            _ => self.rng.usize(2..6),
        };
        (0..count).map(|_| self.field()).collect()
    }

    /// A field of a small population, at times with a length around that of the setting.
    fn field(&mut self) -> Vec<u8> {
        match self.rng.u32(0..100) {
            0..=29 => self.rng.i64(-2..8).to_string().into_bytes(),
            30..=74 => format!("f{}", self.rng.u32(0..8)).into_bytes(),
            75..=92 => self.number_field(),
            93..=95 => {
                let length = self.pick(&[63, 64, 65]);
                vec![b'l'; length]
            }
            _ => self.value(Use::Any),
        }
    }

    /// A field that mostly has a number.
    fn number_field(&mut self) -> Vec<u8> {
        if self.percent(80) { format!("n{}", self.rng.u32(0..4)).into_bytes() } else { b"f0".to_vec() }
    }

    fn hrandfield(&mut self, key: Vec<u8>) -> Vec<Vec<u8>> {
        let mut line = self.line("HRANDFIELD", vec![key]);
        if self.percent(85) {
            line.push(match self.rng.u32(0..100) {
                0..=39 => b"1000".to_vec(),
                40..=79 => self.rng.i64(-20..20).to_string().into(),
                80..=89 => self.pick(&["9223372036854775807", "4611686018427387904", "4611686018427387903"]).into(),
                _ => self.pick(&["-9223372036854775808", "9223372036854775808", "x", "", "1.0"]).into(),
            });
            if self.percent(50) {
                line.push(self.case("WITHVALUES"));
            }
            if self.percent(3) {
                line.push(self.pick(&["FOO", "WITHVALUES", ""]).into());
            }
        }
        line
    }

    fn hscan(&mut self, key: Vec<u8>) -> Vec<Vec<u8>> {
        let cursor = if self.percent(90) { "0" } else { self.pick(&["5", "x", "", "18446744073709551615"]) };
        let mut line = self.line("HSCAN", vec![key, cursor.into()]);
        if self.percent(60) {
            let count = self.pick(&["1000000", "1000000", "1", "10", "0", "-1", "x"]);
            line.extend([self.case("COUNT"), count.into()]);
        }
        if self.percent(40) {
            let pattern = if self.percent(50) { self.pattern() } else { b"f*".to_vec() };
            line.extend([self.case("MATCH"), pattern]);
        }
        if self.percent(30) {
            line.push(self.case("NOVALUES"));
        }
        if self.percent(3) {
            line.push(self.pick(&["TYPE", "FOO", "COUNT"]).into());
        }
        line
    }
}
