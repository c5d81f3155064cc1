//! Byte strings of all the forms that a file has for them, and keys that hold one.

use super::Maker;

/// Integers on both sides of every width that an encoding knows.
const INTEGERS: [i64; 40] = [
    0,
    1,
    -1,
    12,
    13,
    63,
    64,
    127,
    128,
    -127,
    -128,
    -129,
    255,
    256,
    4_095,
    4_096,
    -4_096,
    -4_097,
    8_191,
    8_192,
    9_999,
    10_000,
    16_383,
    16_384,
    32_767,
    32_768,
    -32_768,
    -32_769,
    8_388_607,
    8_388_608,
    -8_388_608,
    -8_388_609,
    2_147_483_647,
    2_147_483_648,
    -2_147_483_648,
    -2_147_483_649,
    4_294_967_295,
    4_294_967_296,
    i64::MAX,
    i64::MIN,
];
/// What only looks like an integer.
const ALMOST_INTEGERS: [&str; 10] =
    ["00", "007", "+1", " 1", "1 ", "-0", "-", "1.0", "9223372036854775808", "-9223372036854775809"];
/// Lengths where strings, or the fields for their lengths, change their form.
const LENGTHS: [usize; 18] = [0, 1, 4, 5, 11, 12, 19, 20, 21, 22, 43, 44, 45, 63, 64, 253, 254, 255];
/// Longer ones: 14 bits, and more.
const LONG: [usize; 8] = [1_000, 4_095, 4_096, 9_000, 16_383, 16_384, 32_768, 70_000];

impl Maker {
    pub fn integer(&mut self) -> i64 {
        match self.rng.u32(..3) {
            0 => self.pick(&INTEGERS),
            1 => self.rng.i64(-20_000..20_000),
            _ => {
                let bits = self.rng.u32(..64);
                self.rng.i64(..) >> bits
            }
        }
    }

    /// Random bytes, at most `longest`.
    pub fn bytes(&mut self, longest: usize) -> Vec<u8> {
        let length = self.rng.usize(..=longest);
        self.filled(length)
    }

    /// That many bytes: what compresses well, random letters, or anything.
    pub fn filled(&mut self, length: usize) -> Vec<u8> {
        match self.rng.u32(..4) {
            0 => vec![self.pick(b"a\0\xff\n"); length],
            1 => {
                let period = self.filled_randomly(length.clamp(1, 30));
                period.iter().cycle().take(length).copied().collect()
            }
            2 => (0..length).map(|_| self.rng.alphanumeric() as u8).collect(),
            _ => self.filled_randomly(length),
        }
    }

    fn filled_randomly(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.rng.fill(&mut bytes);
        bytes
    }

    /// An element of a collection, at most `longest` bytes long.
    pub fn element(&mut self, longest: usize) -> Vec<u8> {
        let mut element = match self.rng.u32(..6) {
            0 | 1 => self.integer().to_string().into_bytes(),
            2 => self.pick(&ALMOST_INTEGERS).into(),
            3 => {
                let length = self.pick(&LENGTHS).min(longest);
                self.filled(length)
            }
            4 => {
                let length = longest - self.rng.usize(..2).min(longest);
                self.filled(length)
            }
            _ => self.bytes(20),
        };
        element.truncate(longest);
        element
    }

    pub fn string(&mut self, key: &[u8]) {
        let value = match self.rng.u32(..4) {
            0 => self.integer().to_string().into_bytes(),
            1 => {
                let shortest = if self.is_small() { 5 } else { LONG.len() };
                let length = self.pick(&LONG[..shortest]);
                self.filled(length)
            }
            2 => self.element(255),
            _ => {
                let length = self.pick(&LENGTHS);
                self.filled(length)
            }
        };
        self.run(&[b"SET", key, &value]);
    }

    pub fn number(&mut self, key: &[u8]) {
        let number = self.integer();
        self.run(&[b"SET", key, number.to_string().as_bytes()]);
        if let Some(by) = self.rng.i64(-1_000..1_000).checked_neg()
            && number.checked_add(by).is_some()
        {
            self.run(&[b"INCRBY", key, by.to_string().as_bytes()]);
        }
    }

    pub fn string_made_in_steps(&mut self, key: &[u8]) {
        let part = self.bytes(60);
        self.run(&[b"APPEND", key, &part]);
        match self.rng.u32(..4) {
            0 => self.run(&[b"APPEND", key, b"12"]),
            1 => {
                let at = self.rng.usize(..2_000).to_string();
                self.run(&[b"SETRANGE", key, at.as_bytes(), b"there"]);
            }
            2 => {
                for _ in 0..5 {
                    let bit = self.rng.usize(..8_000).to_string();
                    self.run(&[b"SETBIT", key, bit.as_bytes(), b"1"]);
                }
            }
            _ => {
                self.run(&[b"SET", key, b"10.5"]);
                self.run(&[b"INCRBYFLOAT", key, b"0.125"]);
            }
        }
    }

    /// Sparse or dense, with a cached count or without.
    pub fn hyperloglog(&mut self, key: &[u8]) {
        let elements = if self.is_small() { [0, 1, 20, 300] } else { [0, 1, 200, 5_000] };
        let elements: Vec<Vec<u8>> =
            (0..self.pick(&elements)).map(|at| format!("{}:{at}", self.number).into_bytes()).collect();
        self.run(&[b"PFADD", key]);
        self.run_with(&[b"PFADD", key], &elements, 1);
        if self.percent(50) {
            self.run(&[b"PFCOUNT", key]);
        }
    }

    /// What is there, and is nothing.
    pub fn looks_empty(&mut self, key: &[u8]) {
        match self.number / 12 % 7 {
            0 => self.run(&[b"SET", key, b""]),
            1 => self.run(&[b"RPUSH", key, b"", b""]),
            2 => self.run(&[b"SADD", key, b""]),
            3 => self.run(&[b"HSET", key, b"", b""]),
            4 => self.run(&[b"ZADD", key, b"0", b""]),
            5 => self.run(&[b"XADD", key, b"0-1", b"", b""]),
            _ => self.run(&[b"XGROUP", b"CREATE", key, b"", b"0", b"MKSTREAM"]),
        }
    }
}
