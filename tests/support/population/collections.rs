//! Lists, sets, hashes and sorted sets, of lengths on both sides of where their encodings change.

use std::collections::HashSet;

use super::Maker;

/// What sorted sets must hold: the ends of the range, fractions, numbers that are written with an exponent, both zeros.
const SCORES: [&str; 20] = [
    "0",
    "-0",
    "1",
    "-1",
    "inf",
    "-inf",
    "0.5",
    "0.1",
    "-3.25",
    "3.14159265358979",
    "1e17",
    "123456789012345680",
    "9007199254740993",
    "1e300",
    "-1e300",
    "1.7976931348623157e308",
    "2.2250738585072014e-308",
    "5e-324",
    "9223372036854775807",
    "-9223372036854775808",
];

impl Maker {
    /// A number of elements, often beside the `limit` up to which a collection is compact.
    fn size(&mut self, limit: usize) -> usize {
        match self.rng.u32(..6) {
            0 => 1,
            1 => self.pick(&[2, 3]),
            2 => limit - 1 + self.rng.usize(..3),
            3 => limit * self.pick(&[2, 4]),
            _ => self.rng.usize(1..limit),
        }
    }

    /// The most elements, and the longest one, of what is compact.
    fn limits(&self, entries: usize) -> (usize, usize) {
        if self.is_small() { (16, 24) } else { (entries, 64) }
    }

    /// Different elements, in any order; sometimes one of them is too long for a compact collection.
    fn members(&mut self, count: usize, longest: usize) -> Vec<Vec<u8>> {
        let mut seen = HashSet::new();
        let mut members: Vec<Vec<u8>> = Vec::new();
        while members.len() < count {
            let member = self.element(longest);
            let member = if seen.contains(&member) { members.len().to_string().repeat(2).into_bytes() } else { member };
            if seen.insert(member.clone()) {
                members.push(member);
            }
        }
        if self.percent(20) {
            let longer = longest + 1 + self.rng.usize(..200);
            members[0] = self.filled(longer);
        }
        members
    }

    /// Removes some of what is there: the encoding stays.
    fn thin_out(&mut self, command: &str, key: &[u8], members: &[Vec<u8>]) {
        if members.len() > 2 && self.percent(30) {
            let count = self.rng.usize(1..members.len() - 1);
            self.run_with(&[command.as_bytes(), key], &members[..count], 1);
        }
    }

    pub fn list(&mut self, key: &[u8]) {
        let count = if self.is_small() { self.size(8) } else { self.size(150) };
        let longest = self.pick(&[24, 64, 300]);
        let mut elements: Vec<Vec<u8>> = (0..count).map(|_| self.element(longest)).collect();
        if self.percent(25) {
            let (at, length) = (self.rng.usize(..count), self.pick(&[4_000, 9_000]));
            elements[at] = self.filled(length);
        }
        let front = self.rng.usize(..count);
        self.run_with(&[b"LPUSH", key], &elements[..front], 1);
        self.run_with(&[b"RPUSH", key], &elements[front..], 1);
    }

    /// Integers of one width or of several.
    pub fn set_of_integers(&mut self, key: &[u8]) {
        let (limit, _) = self.limits(512);
        let bits = self.pick(&[10, 16, 17, 32, 33, 63]);
        let mut count = self.size(limit);
        let mut members = HashSet::new();
        let mut arguments = Vec::new();
        let base = self.rng.i64(..) >> (64 - bits);
        if self.percent(20) {
            // Not an integer: then it is a set as others are.
            arguments.push(b"x".to_vec());
            count = count.min(100);
        }
        while members.len() < count {
            let member = if self.percent(50) { self.rng.i64(..) >> (64 - bits) } else { members.len() as i64 ^ base };
            if members.insert(member) {
                arguments.push(member.to_string().into_bytes());
            }
        }
        self.run_with(&[b"SADD", key], &arguments, 1);
        self.thin_out("SREM", key, &arguments);
    }

    pub fn set(&mut self, key: &[u8]) {
        let (entries, longest) = self.limits(128);
        let count = self.size(entries);
        let members = self.members(count, longest);
        self.run_with(&[b"SADD", key], &members, 1);
        self.thin_out("SREM", key, &members);
    }

    pub fn hash(&mut self, key: &[u8]) {
        let (entries, longest) = self.limits(512);
        let count = self.size(entries);
        let fields = self.members(count, longest);
        let mut arguments = Vec::new();
        for field in &fields {
            arguments.push(field.clone());
            arguments.push(self.element(longest));
        }
        if self.percent(20) {
            arguments[1] = self.filled(longest + 1);
        }
        self.run_with(&[b"HSET", key], &arguments, 2);
        self.thin_out("HDEL", key, &fields);
        // Drawn in any case, so that the rest is the same with expiries and without.
        let (expire, moments) = (self.percent(50), [self.future(), self.future()]);
        if self.population.field_expiries && expire {
            for (field, at) in fields.iter().rev().step_by(3).zip(moments.iter().cycle()) {
                self.run(&[b"HPEXPIREAT", key, at, b"FIELDS", b"1", field]);
            }
        }
    }

    pub fn zset(&mut self, key: &[u8]) {
        let (entries, longest) = self.limits(128);
        let count = self.size(entries);
        let members = self.members(count, longest);
        let mut arguments = Vec::new();
        for member in &members {
            let score = match self.rng.u32(..4) {
                0 | 1 => self.pick(&SCORES).to_string(),
                2 => self.rng.i32(-3..3).to_string(),
                _ => (self.rng.f64() * 1e6 - 5e5).to_string(),
            };
            arguments.extend([score.into_bytes(), member.clone()]);
        }
        self.run_with(&[b"ZADD", key], &arguments, 2);
        self.thin_out("ZREM", key, &members);
    }
}
