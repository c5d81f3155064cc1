//! Commands on sorted sets.

use super::Generator;
use super::values::Use;

/// Scores and bounds that break parsers or arithmetic.
const ODD_SCORES: &[&str] = &[
    "inf",
    "-inf",
    "+inf",
    "nan",
    "-0",
    "0",
    "1e308",
    "-1e308",
    "5e-324",
    "1e400",
    "1e17",
    "9007199254740993",
    "-9223372036854775808",
    "4611686018427387904",
    "1e21",
    "0.1",
    "1.7976931348623157e308",
    "0x10",
    "",
    " 1",
    "1 ",
    "x",
    "1\0x",
];

const EDGES: &[&str] = &["-", "+", "[", "(", "[m", "(m9", "[m3", "(m3", "[-1", "[z", "m3", "", "+x", "-x", "[\u{0}"];

impl Generator {
    pub(super) fn zset_command(&mut self) -> Vec<Vec<u8>> {
        if self.percent(30) {
            // What comes next should find something.
            let key = self.key(Use::Zset);
            self.fill_zset(key);
        }
        match self.rng.u32(0..112) {
            0..=24 => {
                let key = self.key(Use::Zset);
                self.zadd(key)
            }
            25..=29 => {
                let arguments = vec![self.key(Use::Zset), self.score(), self.zset_member()];
                self.line("ZINCRBY", arguments)
            }
            30..=33 => self.zset_members("ZREM"),
            34..=36 => self.zset_members("ZMSCORE"),
            37..=43 => self.zset_member_command(),
            44..=47 => self.counts(),
            48..=62 => self.ranges(),
            63..=66 => self.range_store(),
            67..=70 => self.remove_range(),
            71..=75 => self.pops(),
            76..=77 => self.blocking_pops(),
            78..=90 => self.combinations(),
            91..=92 => self.zrandmember(),
            93..=95 => self.zscan(),
            _ => self.lexical(),
        }
    }

    pub(super) fn zset_member(&mut self) -> Vec<u8> {
        match self.rng.u32(0..100) {
            0..=39 => self.rng.i64(-2..8).to_string().into_bytes(),
            40..=89 => format!("m{}", self.rng.u32(0..10)).into_bytes(),
            _ if self.rarely(50) => self.value(Use::Any),
            90..=93 => {
                let length = self.pick(&[6, 7, 8, 63, 64, 65]);
                vec![b'l'; length]
            }
            _ => self.value(Use::Any),
        }
    }

    pub(super) fn score(&mut self) -> Vec<u8> {
        match self.rng.u32(0..100) {
            0..=54 => self.rng.i64(-5..12).to_string().into(),
            55..=79 => format!("{}", f64::from(self.rng.i32(-100..100)) / 8.0).into(),
            _ if self.deep => self.rng.i64(-5..12).to_string().into(),
            80..=89 => self.pick(ODD_SCORES).into(),
            _ => self.float(),
        }
    }

    /// An end of a range of scores.
    fn bound(&mut self) -> Vec<u8> {
        let mut bound = match self.rng.u32(0..10) {
            0..=1 => b"-inf".to_vec(),
            2..=3 => b"inf".to_vec(),
            _ => self.score(),
        };
        if self.percent(25) {
            bound.insert(0, b'(');
        }
        bound
    }

    fn rank(&mut self) -> Vec<u8> {
        if self.percent(85) { self.rng.i64(-12..12).to_string().into() } else { self.integer() }
    }

    /// ZADD: of some members, or at times of so many that the threshold between two representations is near.
    pub(super) fn zadd(&mut self, key: Vec<u8>) -> Vec<Vec<u8>> {
        let connection = self.connection();
        if self.percent(20) {
            // It may have become something else.
            self.push(connection, vec![b"DEL".to_vec(), key.clone()]);
        }
        let mut arguments = vec![key];
        if self.percent(4) {
            let count = self.pick(&[11, 12, 13, 127, 128, 129, 300]);
            let step = self.pick(&[0, 1, -3]);
            for number in 0..count {
                arguments.push((number * step).to_string().into());
                arguments.push(format!("m{number}").into());
            }
            return self.line("ZADD", arguments);
        }
        for _ in 0..self.pick(&[0, 0, 0, 1, 1, 2]) {
            let option = self.pick(&["NX", "XX", "XX", "GT", "LT", "CH", "CH", "CH", "INCR"]);
            arguments.push(self.case(option));
        }
        let count = match self.rng.u32(0..100) {
            0..=1 => 20,
            2..=49 => 1,
            _ => self.rng.usize(2..9),
        };
        // One bad score among many would refuse them all.
        let plain = count > 2 && self.percent(80);
        for _ in 0..count {
            let score = if plain { self.rng.i64(-5..12).to_string().into() } else { self.score() };
            arguments.push(score);
            arguments.push(self.zset_member());
        }
        self.line("ZADD", arguments)
    }

    /// Makes a key a sorted set of several members.
    fn fill_zset(&mut self, key: Vec<u8>) {
        let connection = self.connection();
        if self.percent(30) {
            self.push(connection, vec![b"DEL".to_vec(), key.clone()]);
        }
        let mut line = vec![b"ZADD".to_vec(), key];
        for _ in 0..self.rng.usize(4..14) {
            let score =
                if self.percent(60) { self.rng.i32(-5..12).into() } else { f64::from(self.rng.i32(-40..40)) / 8.0 };
            line.extend([score.to_string().into(), self.zset_member()]);
        }
        self.push(connection, line);
    }

    fn zset_members(&mut self, name: &str) -> Vec<Vec<u8>> {
        let mut arguments = vec![self.key(Use::Zset)];
        for _ in 0..self.rng.usize(1..5) {
            arguments.push(self.zset_member());
        }
        self.line(name, arguments)
    }

    fn zset_member_command(&mut self) -> Vec<Vec<u8>> {
        let name = self.pick(&["ZSCORE", "ZSCORE", "ZRANK", "ZREVRANK", "ZRANK", "ZREVRANK", "ZCARD"]);
        let mut arguments = vec![self.key(Use::Zset)];
        if name != "ZCARD" {
            arguments.push(self.zset_member());
        }
        if name.ends_with("RANK") && self.percent(40) {
            let word = self.pick(&["WITHSCORE", "WITHSCORE", "WITHSCORE", "WITHSCORE", "WITHSCORES"]);
            arguments.push(self.case(word));
            if self.percent(4) {
                arguments.push(b"x".to_vec());
            }
        }
        self.line(name, arguments)
    }

    fn counts(&mut self) -> Vec<Vec<u8>> {
        let arguments = vec![self.key(Use::Zset), self.bound(), self.bound()];
        self.line("ZCOUNT", arguments)
    }

    /// Ends of a range by rank or score, in an order in which there may be something between them.
    fn ends(&mut self, by_score: bool, reverse: bool) -> [Vec<u8>; 2] {
        if !by_score {
            return if self.percent(40) { [b"0".to_vec(), b"-1".to_vec()] } else { [self.rank(), self.rank()] };
        }
        let (mut low, mut high) = (self.bound(), self.bound());
        if self.percent(40) {
            (low, high) = (b"-inf".to_vec(), b"+inf".to_vec());
        }
        if reverse { [high, low] } else { [low, high] }
    }

    fn limit(&mut self, arguments: &mut Vec<Vec<u8>>) {
        arguments.push(self.case("LIMIT"));
        for _ in 0..2 {
            let number = if self.usually(90) {
                self.pick(&["0", "0", "1", "2", "3", "10", "-1"]).into()
            } else {
                self.integer()
            };
            arguments.push(number);
        }
    }

    fn ranges(&mut self) -> Vec<Vec<u8>> {
        let name = self.pick(&["ZRANGE", "ZRANGE", "ZRANGE", "ZREVRANGE", "ZRANGEBYSCORE", "ZREVRANGEBYSCORE"]);
        let mut by_score = name.ends_with("SCORE");
        let reverse = name.starts_with("ZREV") || (name == "ZRANGE" && self.percent(35));
        let mut options = Vec::new();
        if name == "ZRANGE" {
            by_score = self.percent(45);
            if by_score {
                options.push(vec![self.case("BYSCORE")]);
            }
            if reverse {
                options.push(vec![self.case("REV")]);
            }
        }
        if self.percent(50) {
            options.push(vec![self.case("WITHSCORES")]);
        }
        if self.percent(if by_score { 40 } else { 4 }) {
            let mut limit = Vec::new();
            self.limit(&mut limit);
            options.push(limit);
        }
        if self.percent(3) {
            options.push(vec![self.pick(&["REV", "BYSCORE", "FOO", "LIMIT"]).into()]);
        }
        self.rng.shuffle(&mut options);
        let mut arguments = vec![self.key(Use::Zset)];
        arguments.extend(self.ends(by_score, reverse));
        arguments.extend(options.concat());
        self.line(name, arguments)
    }

    fn range_store(&mut self) -> Vec<Vec<u8>> {
        let (by_score, reverse) = (self.percent(50), self.percent(40));
        let mut arguments = vec![self.key(Use::Zset), self.key(Use::Zset)];
        arguments.extend(self.ends(by_score, reverse));
        if by_score {
            arguments.push(self.case("BYSCORE"));
        }
        if reverse {
            arguments.push(self.case("REV"));
        }
        if by_score && self.percent(40) {
            self.limit(&mut arguments);
        }
        if self.percent(3) {
            arguments.push(self.case("WITHSCORES"));
        }
        self.line("ZRANGESTORE", arguments)
    }

    fn remove_range(&mut self) -> Vec<Vec<u8>> {
        let by_score = self.percent(50);
        let mut arguments = vec![self.key(Use::Zset)];
        let ends = if by_score { [self.bound(), self.bound()] } else { [self.rank(), self.rank()] };
        arguments.extend(ends);
        self.line(if by_score { "ZREMRANGEBYSCORE" } else { "ZREMRANGEBYRANK" }, arguments)
    }

    fn pop_count(&mut self) -> Vec<u8> {
        if self.percent(85) { self.pick(&["1", "2", "3", "10", "0"]).into() } else { self.integer() }
    }

    fn pops(&mut self) -> Vec<Vec<u8>> {
        if self.percent(50) {
            let name = self.pick(&["ZPOPMIN", "ZPOPMAX"]);
            let mut arguments = vec![self.key(Use::Zset)];
            if self.percent(60) {
                arguments.push(self.pop_count());
            }
            return self.line(name, arguments);
        }
        let mut arguments = self.counted(Use::Zset);
        let end = self.pick(&["MIN", "MAX", "MIN", "MAX", "MIN", "MAX", "MID"]);
        arguments.push(self.case(end));
        if self.percent(50) {
            arguments.push(self.case("COUNT"));
            arguments.push(self.pop_count());
        }
        self.line("ZMPOP", arguments)
    }

    /// Commands that may wait, for a short time. They are not damaged, or they could wait for ever.
    fn blocking_pops(&mut self) -> Vec<Vec<u8>> {
        let timeout = if self.percent(90) {
            "0.01"
        } else {
            self.pick(&["-1", "x", "", "inf", "nan", "1e400", "9223372036854775807"])
        };
        let (connection, key) = (self.connection(), self.key(Use::Zset));
        let line = if self.percent(50) {
            let name = self.pick(&["BZPOPMIN", "BZPOPMAX"]);
            let mut arguments = vec![key.clone()];
            if self.percent(40) {
                arguments.push(self.key(Use::Zset));
            }
            arguments.push(timeout.into());
            self.line(name, arguments)
        } else {
            let mut arguments = vec![timeout.into()];
            arguments.extend(self.counted(Use::Zset));
            let end = self.pick(&["MIN", "MAX", "MIN", "MAX", "MIN", "MAX", "MID"]);
            arguments.push(self.case(end));
            if self.percent(50) {
                arguments.push(self.case("COUNT"));
                arguments.push(self.pop_count());
            }
            self.line("BZMPOP", arguments)
        };
        self.push(connection, line);
        self.line("ZCARD", vec![key])
    }

    /// Keys behind their number, which is mostly right.
    fn counted(&mut self, usage: Use) -> Vec<Vec<u8>> {
        let count = self.rng.usize(1..4);
        let number = if self.usually(95) { count.to_string().into() } else { self.integer() };
        [number].into_iter().chain((0..count).map(|_| self.key(usage))).collect()
    }

    fn combinations(&mut self) -> Vec<Vec<u8>> {
        let name = self.pick(&[
            "ZUNION",
            "ZUNION",
            "ZINTER",
            "ZINTER",
            "ZDIFF",
            "ZINTERCARD",
            "ZUNIONSTORE",
            "ZUNIONSTORE",
            "ZINTERSTORE",
            "ZINTERSTORE",
            "ZDIFFSTORE",
        ]);
        let mut arguments = if name.ends_with("STORE") { vec![self.key(Use::Zset)] } else { vec![] };
        let first = arguments.len() + 1;
        arguments.extend(self.counted(Use::Zset));
        for key in arguments.iter_mut().skip(first) {
            // Sets take part, too.
            if self.rarely(20) {
                *key = self.key(Use::Set);
            }
        }
        let keys = arguments.len() - first;
        if !name.starts_with("ZDIFF") && name != "ZINTERCARD" || self.percent(3) {
            if self.percent(45) {
                arguments.push(self.case("WEIGHTS"));
                for _ in 0..keys {
                    let weight = if self.usually(80) {
                        self.pick(&["1", "2", "-1", "0.5", "inf", "-inf", "0"]).into()
                    } else {
                        self.score()
                    };
                    arguments.push(weight);
                }
            }
            if self.percent(45) {
                arguments.push(self.case("AGGREGATE"));
                let aggregate = self.pick(&["SUM", "MIN", "MAX", "MIN", "MAX", "SUM", "SUM", "AVG"]);
                arguments.push(self.case(aggregate));
            }
        }
        if name == "ZINTERCARD" && self.percent(50) {
            arguments.push(self.case("LIMIT"));
            arguments.push(self.pop_count());
        } else if !name.ends_with("STORE") && self.percent(60) || self.percent(2) {
            arguments.push(self.case("WITHSCORES"));
        }
        self.line(name, arguments)
    }

    fn zrandmember(&mut self) -> Vec<Vec<u8>> {
        let mut arguments = vec![self.key(Use::Zset)];
        if self.percent(70) {
            let count = self.pick(&["1", "2", "5", "-1", "-5", "0", "200", "-9223372036854775808", "x"]);
            arguments.push(count.into());
            if self.percent(50) {
                arguments.push(self.case("WITHSCORES"));
            }
        }
        self.line("ZRANDMEMBER", arguments)
    }

    fn zscan(&mut self) -> Vec<Vec<u8>> {
        let cursor = self.pick(&["0", "0", "0", "0", "0", "0", "1x"]).into();
        let mut arguments = vec![self.key(Use::Zset), cursor];
        if self.percent(40) {
            arguments.extend([self.case("MATCH"), self.pattern()]);
        }
        if self.percent(50) {
            let count = self.pick(&["1", "1000", "1000", "0", "x"]);
            arguments.extend([self.case("COUNT"), count.into()]);
        }
        if self.percent(3) {
            arguments.push(self.pick(&["FOO", "MATCH"]).into());
        }
        self.line("ZSCAN", arguments)
    }

    /// Ranges of members mean something only where all have one score: such sorted sets have keys of their own.
    fn lexical(&mut self) -> Vec<Vec<u8>> {
        let key = format!("y{}", self.rng.u32(0..2)).into_bytes();
        if self.percent(50) {
            let mut line = vec![b"ZADD".to_vec(), key.clone()];
            for _ in 0..self.rng.usize(1..9) {
                line.push(b"0".to_vec());
                line.push(self.zset_member());
            }
            let connection = self.connection();
            self.push(connection, line);
        }
        let name = self.pick(&[
            "ZRANGEBYLEX",
            "ZRANGEBYLEX",
            "ZREVRANGEBYLEX",
            "ZLEXCOUNT",
            "ZLEXCOUNT",
            "ZREMRANGEBYLEX",
            "ZRANGE",
            "ZRANGE",
        ]);
        let mut edges = [self.edge(), self.edge()];
        if self.percent(30) {
            edges = [b"-".to_vec(), b"+".to_vec()];
        }
        let reverse = name == "ZREVRANGEBYLEX" || (name == "ZRANGE" && self.percent(40));
        if reverse {
            edges.reverse();
        }
        let mut arguments: Vec<Vec<u8>> = [key].into_iter().chain(edges).collect();
        if name == "ZRANGE" {
            arguments.push(self.case("BYLEX"));
            if reverse {
                arguments.push(self.case("REV"));
            }
        }
        if name.contains("RANGEBYLEX") && !name.starts_with("ZREM") || name == "ZRANGE" {
            if self.percent(40) {
                self.limit(&mut arguments);
            }
            if self.percent(4) {
                arguments.push(self.case("WITHSCORES"));
            }
        }
        self.line(name, arguments)
    }

    fn edge(&mut self) -> Vec<u8> {
        if self.rarely(60) {
            return self.pick(EDGES).into();
        }
        let mut edge = self.zset_member();
        edge.insert(0, if self.rng.bool() { b'[' } else { b'(' });
        edge
    }
}
