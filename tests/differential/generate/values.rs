//! Arguments: keys, values, numbers and patterns, with the boundaries that break parsers drawn often.

use super::Generator;

/// Absolute times lie around here (year 2096), so that relative and absolute expiries never come close to each other
/// or to now, and a session does not depend on the day on which it runs.
const FAR_FUTURE_S: i64 = 4_000_000_000;

/// Relative times below this end while the session runs.
const SOON_MS: i64 = 1_000_000;

const ODD_KEYS: &[&[u8]] =
    &[b"", b"\x00\xff\r\n", b"key with space", b"a*b", b"{tag}k1", b"h[e]llo?", b"\xc3\xa4\xe2\x82\xac", b"\\", b"K0"];

const BOUNDARY_INTEGERS: &[&str] = &[
    "0",
    "-0",
    "+1",
    "01",
    "-01",
    " 1",
    "1 ",
    "",
    "-",
    "9223372036854775807",
    "-9223372036854775808",
    "9223372036854775806",
    "9223372036854775808",
    "-9223372036854775809",
    "18446744073709551615",
    "18446744073709551616",
    "99999999999999999999999999999999999999999",
    "4294967296",
    "2147483648",
    "-2147483648",
    "9223372036854775",
    "9223372036854776",
    "1.0",
    "1e3",
    "0x10",
    "abc",
    "1\u{0}",
    "9999",
    "10000",
    "-1",
    "-2",
    "512",
    "536870911",
    "536870912",
];

const BOUNDARY_FLOATS: &[&str] = &[
    "inf",
    "-inf",
    "+inf",
    "infinity",
    "nan",
    "-nan",
    "1e308",
    "-1e308",
    "1e-308",
    "5e-324",
    "1e400",
    "1e4932",
    "1e5000",
    "0x1p3",
    "0x1.8p-1",
    "0xABC",
    "3.14159265358979323846264338327950288",
    "0.1",
    "-0.0",
    "0",
    " 1.5",
    "1.5 ",
    "1e17",
    "1e18",
    "1e19",
    "123456789012345678.5",
    "1e-17",
    "1e-18",
    "4.9e-18",
    "0.00000000000000001",
    "0.000000000000000005",
    ".5",
    "5.",
    "1e",
    "e1",
    "--1",
    "1,5",
    "9007199254740993",
    "18446744073709551616",
    "1.7976931348623157e308",
    "3.0e3",
    "",
];

const PATTERNS: &[&[u8]] = &[
    b"*",
    b"k?",
    b"k[0-3]",
    b"k[^0-3]",
    b"[k-n]*",
    b"[n-k]*",
    b"n*",
    b"*[0-9]",
    b"\\*",
    b"a\\*b",
    b"",
    b"h?llo",
    b"h\\[e\\]llo\\?",
    b"k[0",
    b"k[",
    b"**",
    b"k*[\\0]",
    b"?",
    b"??",
    b"\xff*",
    b"*\x00*",
    b"[\\]]*",
    b"k\\",
    b"*k*0*",
    b"K*",
    b"[a-",
    b"[^k]*",
];

/// What a key is mostly used for, so that commands find what they need.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Use {
    Any,
    Number,
    Text,
    List,
    Set,
    Zset,
    Hash,
    Stream,
    Bits,
    Sketch,
}

impl Use {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Any,
        Self::Number,
        Self::Text,
        Self::List,
        Self::Set,
        Self::Zset,
        Self::Hash,
        Self::Stream,
        Self::Bits,
        Self::Sketch,
    ];
}

impl Generator {
    /// True with the given percentage.
    pub fn percent(&mut self, percentage: u32) -> bool {
        self.rng.u32(0..100) < percentage
    }

    /// True with the given percentage, and in deep sessions nearly always.
    pub fn usually(&mut self, percentage: u32) -> bool {
        !self.rarely(100 - percentage)
    }

    /// True with the given percentage, and in deep sessions hardly ever.
    pub fn rarely(&mut self, percentage: u32) -> bool {
        self.percent(percentage) && (!self.deep || self.percent(10))
    }

    pub fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.rng.usize(0..from.len())].clone()
    }

    /// A key of a small population, so that commands meet each other's keys.
    pub fn key(&mut self, usage: Use) -> Vec<u8> {
        let usage = if self.rarely(15) { self.pick(&Use::ALL) } else { usage };
        match if self.deep { 8 } else { self.rng.u32(0..100) } {
            0..=6 => self.pick(ODD_KEYS).to_vec(),
            7 => vec![b'L'; 300],
            _ => match usage {
                Use::Any => format!("k{}", self.rng.u32(0..7)),
                Use::Number => format!("n{}", self.rng.u32(0..4)),
                Use::Text => format!("s{}", self.rng.u32(0..4)),
                Use::List => format!("l{}", self.rng.u32(0..4)),
                Use::Set => format!("t{}", self.rng.u32(0..4)),
                Use::Zset => format!("z{}", self.rng.u32(0..4)),
                Use::Bits => format!("b{}", self.rng.u32(0..4)),
                Use::Sketch => format!("p{}", self.rng.u32(0..4)),
                Use::Hash => format!("h{}", self.rng.u32(0..4)),
                Use::Stream => format!("x{}", self.rng.u32(0..2)),
            }
            .into_bytes(),
        }
    }

    pub fn keys(&mut self, usage: Use) -> Vec<Vec<u8>> {
        let count = match self.rng.u32(0..100) {
            0..=1 => 20,
            2..=59 => 1,
            _ => self.rng.usize(2..5),
        };
        (0..count).map(|_| self.key(usage)).collect()
    }

    /// SET of a value that will be an integer, embedded or raw, in deep sessions, where little else makes each of them.
    pub fn some_string(&mut self, key: &[u8]) {
        if !self.deep || !self.percent(40) {
            return;
        }
        let (connection, choice) = (self.connection(), self.rng.u32(0..12));
        if choice < 2 {
            // A number that is none for its encoding.
            let (first, rest): (&[u8], &[u8]) = if choice == 0 { (b"12", b"3") } else { (b"1.", b"5") };
            self.push(connection, [b"SET", key, first].map(<[u8]>::to_vec).into());
            return self.push(connection, [b"APPEND", key, rest].map(<[u8]>::to_vec).into());
        }
        let value = match choice % 3 {
            0 => self.rng.i64(-99..100_000).to_string().into_bytes(),
            1 => (0..self.rng.usize(1..12)).map(|_| self.rng.u8(b'a'..b'd')).collect(),
            _ => (0..self.rng.usize(45..60)).map(|_| self.rng.u8(b'a'..b'd')).collect(),
        };
        let mut line = vec![b"SET".to_vec(), key.to_vec(), value];
        if self.percent(50) {
            // Less than what most commands ask for.
            line.extend([b"EX".to_vec(), b"900".to_vec()]);
        }
        self.push(connection, line);
    }

    /// A value; `Number` gives mostly integers, `Text` mostly words over a small alphabet.
    pub fn value(&mut self, usage: Use) -> Vec<u8> {
        match (usage, self.rng.u32(0..100)) {
            (Use::Number, 0..=79) => self.small_integer().into_bytes(),
            (Use::Text, 0..=79) => {
                let length = self.rng.usize(1..40);
                (0..length).map(|_| self.rng.u8(b'a'..b'e')).collect()
            }
            (_, 0..=14) => self.pick(BOUNDARY_INTEGERS).into(),
            (_, 15..=24) => self.pick(BOUNDARY_FLOATS).into(),
            (_, 25..=34) => self.small_integer().into_bytes(),
            (_, 35..=39) => Vec::new(),
            (_, 40..=49) => {
                // Around the limit between the encodings embstr and raw.
                let length = self.pick(&[1, 20, 39, 40, 43, 44, 45, 46, 64]);
                vec![b'v'; length]
            }
            (_, 50..=51) => {
                let length = self.rng.usize(1000..20_000);
                vec![self.rng.u8(b'A'..=b'Z'); length]
            }
            (_, 52..=61) => {
                let length = self.rng.usize(0..24);
                (0..length).map(|_| self.rng.u8(..)).collect()
            }
            _ => format!("value-{}", self.rng.u32(0..5)).into_bytes(),
        }
    }

    fn small_integer(&mut self) -> String {
        match self.rng.u32(0..4) {
            0 => self.rng.i64(-3..12).to_string(),
            1 => self.rng.i64(9990..10010).to_string(),
            2 => self.rng.i64(-1_000_000..1_000_000).to_string(),
            _ => self.rng.i64(..).to_string(),
        }
    }

    /// An integer argument: mostly small, sometimes a boundary or no integer at all.
    pub fn integer(&mut self) -> Vec<u8> {
        if self.rarely(20) { self.pick(BOUNDARY_INTEGERS).into() } else { self.rng.i64(-30..100).to_string().into() }
    }

    /// An index or offset into a string.
    pub fn index(&mut self) -> Vec<u8> {
        if self.rarely(15) { self.pick(BOUNDARY_INTEGERS).into() } else { self.rng.i64(-25..50).to_string().into() }
    }

    pub fn float(&mut self) -> Vec<u8> {
        match self.rng.u32(0..10) {
            0..=2 => self.pick(BOUNDARY_FLOATS).into(),
            3..=4 => self.pick(BOUNDARY_INTEGERS).into(),
            5..=6 => {
                let digits = self.rng.usize(1..18);
                let fraction: String = (0..digits).map(|_| self.rng.digit(10)).collect();
                format!("{}.{fraction}", self.rng.i64(-5000..5000)).into()
            }
            7 => format!("{}e{}", self.rng.i64(-99..99), self.rng.i32(-25..25)).into(),
            _ => format!("{}", f64::from(self.rng.i32(-1000..1000)) / 8.0).into(),
        }
    }

    pub fn pattern(&mut self) -> Vec<u8> {
        self.pick(PATTERNS).to_vec()
    }

    /// An index of a database: mostly one of those in use.
    pub fn database(&mut self) -> Vec<u8> {
        match self.rng.u32(0..100) {
            0..=79 => self.rng.u32(0..3).to_string().into(),
            80..=94 => self.rng.u32(0..16).to_string().into(),
            95..=97 => self.pick(&["16", "-1", "15", "100000"]).into(),
            _ => self.pick(BOUNDARY_INTEGERS).into(),
        }
    }

    /// The time of an expiry option or command. Valid ones lie far apart from each other (so that comparisons by GT
    /// and LT never depend on the millisecond in which a command runs) or in the past.
    pub fn expiry(&mut self, absolute: bool, milliseconds: bool) -> Vec<u8> {
        match self.rng.u32(0..100) {
            0..=3 => {
                let boundary = self.pick(BOUNDARY_INTEGERS);
                // Seconds from now would end in the middle of the session.
                if absolute || !matches!(boundary.parse(), Ok(1..SOON_MS)) {
                    return boundary.into();
                }
            }
            4..=5 => return self.pick(&["0", "-1", "-1000", "-9223372036854775808"]).into(),
            6..=7 if absolute => return self.pick(&["1", "1000", "1000000000", "1600000000"]).into(),
            _ => {}
        }
        let mut seconds = self.rng.i64(1_000..1_000_000_000);
        if absolute {
            seconds += FAR_FUTURE_S;
        }
        if milliseconds { (seconds * 1000 + self.rng.i64(0..1000)).to_string() } else { seconds.to_string() }.into()
    }

    /// A word in random case.
    pub fn case(&mut self, word: &str) -> Vec<u8> {
        match self.rng.u32(0..8) {
            0 => word.to_ascii_lowercase().into(),
            1 => word
                .bytes()
                .map(|b| if self.rng.bool() { b.to_ascii_lowercase() } else { b.to_ascii_uppercase() })
                .collect(),
            _ => word.into(),
        }
    }
}
