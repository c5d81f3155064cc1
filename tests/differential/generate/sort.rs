//! SORT and SORT_RO, over sets, with strings as weights and answers.

use super::Generator;
use super::values::Use;

const PATTERNS: &[&str] = &["w_*", "w_*", "w_*", "*", "none_*", "w_*->f", "*->", "#"];

impl Generator {
    pub(super) fn sort_command(&mut self) -> Vec<Vec<u8>> {
        let usage = self.pick(&[Use::Set, Use::Set, Use::List, Use::Zset, Use::Any]);
        let key = self.key(usage);
        let connection = self.connection();
        if self.percent(50) {
            self.push(connection, vec![b"DEL".to_vec(), key.clone()]);
            let line = match usage {
                Use::List => self.numbers("RPUSH", key.clone()),
                Use::Zset => self.zadd(key.clone()),
                _ if self.percent(50) => self.numbers("SADD", key.clone()),
                _ => self.sadd(key.clone()),
            };
            self.push(connection, line);
        }
        if self.percent(30) {
            let line = self.weights();
            self.push(connection, line);
        }
        let name = self.pick(&["SORT", "SORT_RO"]);
        let mut options: Vec<Vec<Vec<u8>>> = Vec::new();
        let by = self.pick(&["", "", "w_*", "w_*", "*", "none_*", "w_*->f", "nosort", "#"]);
        if !by.is_empty() {
            options.push(vec![self.case("BY"), by.into()]);
        }
        let is_alpha = self.percent(40);
        if is_alpha {
            options.push(vec![self.case("ALPHA")]);
        }
        // Which elements of a set come first is free where their order is.
        if (by.is_empty() || (by.contains('*') && !is_alpha)) && self.percent(40) {
            let limit = |generator: &mut Self| {
                if generator.percent(90) {
                    generator.rng.i64(-2..8).to_string().into_bytes()
                } else {
                    generator.integer()
                }
            };
            options.push(vec![self.case("LIMIT"), limit(self), limit(self)]);
        }
        for _ in 0..self.pick(&[0, 0, 1, 1, 2, 3]) {
            let pattern = self.pick(PATTERNS);
            options.push(vec![self.case("GET"), pattern.into()]);
        }
        if self.percent(40) {
            let order = self.pick(&["ASC", "DESC", "DESC"]);
            options.push(vec![self.case(order)]);
        }
        if self.percent(3) {
            options.push(vec![self.pick(&["FOO", "GET", "LIMIT", ""]).into()]);
        }
        if name == "SORT_RO" && self.percent(3) {
            options.push(vec![self.case("STORE"), b"k0".to_vec()]);
        }
        self.rng.shuffle(&mut options);
        let arguments = std::iter::once(key).chain(options.into_iter().flatten()).collect();
        // Not to be damaged: without an option, what is compared might have no order.
        let line = self.line(name, arguments);
        self.push(connection, line);
        self.line("DBSIZE", vec![])
    }

    /// SADD or RPUSH of numbers, of all the forms in which there are some.
    fn numbers(&mut self, name: &str, key: Vec<u8>) -> Vec<Vec<u8>> {
        let mut line = vec![name.into(), key];
        for _ in 0..self.rng.usize(1..12) {
            line.push(if self.percent(70) { self.rng.i64(-20..60).to_string().into() } else { self.float() });
        }
        line
    }

    /// MSET of weights for some of the members that sets have.
    fn weights(&mut self) -> Vec<Vec<u8>> {
        let mut line = vec![b"MSET".to_vec()];
        for _ in 0..8 {
            let member = self.member();
            line.push([b"w_", &member[..]].concat());
            line.push(match self.rng.u32(0..10) {
                0..=6 => self.rng.i64(-5..5).to_string().into(),
                7 => self.float(),
                _ => self.value(Use::Text),
            });
        }
        line
    }
}
