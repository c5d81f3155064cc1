//! Commands on streams.
//!
//! Ids lie far in the future, where the next id does not depend on the clock: `*` follows an entry with such an id.

use super::Generator;
use super::values::Use;

/// Milliseconds (year 2096) from which ids count up.
const FAR_MS: u64 = 4_000_000_000_000;

const ODD_IDS: &[&str] = &[
    "0-0",
    "0-1",
    "0",
    "1-1",
    "5",
    "-",
    "+",
    "$",
    ">",
    "(",
    "(-",
    "x",
    "",
    "-1",
    "1-",
    " 7-1",
    "+7-01",
    "7--01",
    "7--1",
    "0-18446744073709551615",
    "18446744073709551615",
    "18446744073709551616-1",
    "4000000000003-*",
    "4000000000003- 2",
    "1-2-3",
    "1-2\u{0}x",
    "(0-0",
    "(18446744073709551615-18446744073709551615",
];

/// No time between these passes while a session runs.
const MIN_IDLE: &[&str] = &["0", "0", "0", "0", "0", "0", "0", "0", "100000", "-5", "x", "9223372036854775807"];

impl Generator {
    pub(super) fn stream_command(&mut self) -> Vec<Vec<u8>> {
        let key = self.key(Use::Stream);
        if self.percent(if self.deep { 30 } else { 15 }) {
            self.groups_that_read(&key);
        }
        match self.rng.u32(0..100) {
            0..=29 => self.xadd(key),
            30..=37 => self.xrange(key),
            38..=43 => self.xread(key),
            44..=57 => self.xreadgroup(key),
            58..=61 => {
                let [group, _] = self.readers(&key);
                let arguments = vec![key, group].into_iter().chain(self.stream_ids()).collect();
                self.line("XACK", arguments)
            }
            62..=66 => self.xpending(key),
            67..=72 => self.xclaim(key),
            73..=77 => self.xautoclaim(key),
            78..=81 => {
                let arguments = [key].into_iter().chain(self.stream_ids()).collect();
                self.line("XDEL", arguments)
            }
            82..=85 => {
                let mut arguments = vec![key];
                arguments.extend(self.trimming());
                self.line("XTRIM", arguments)
            }
            86..=87 => self.xsetid(key),
            88..=92 => self.xinfo(key),
            93..=98 => self.xgroup(key),
            _ => self.line("XLEN", vec![key]),
        }
    }

    /// Lets a stream have entries, and a group one that is pending.
    pub(super) fn groups_that_read(&mut self, key: &[u8]) -> [Vec<u8>; 2] {
        let connection = self.connection();
        let words = |words: &[&[u8]]| words.iter().map(|word| word.to_vec()).collect::<Vec<_>>();
        if self.percent(20) {
            self.push(connection, words(&[b"DEL", key]));
        }
        for _ in 0..self.rng.usize(1..5) {
            let id = self.next_stream_id();
            let value = self.value(Use::Number);
            self.push(connection, words(&[b"XADD", key, &id, b"field", &value]));
        }
        let (group, consumer) = (self.group(), self.consumer());
        self.push(connection, words(&[b"XGROUP", b"CREATE", key, &group, b"0"]));
        let count = self.rng.u32(1..5).to_string().into_bytes();
        let read: [&[u8]; 9] = [b"XREADGROUP", b"GROUP", &group, &consumer, b"COUNT", &count, b"STREAMS", key, b">"];
        self.push(connection, words(&read));
        [group, consumer]
    }

    /// A group and a consumer; in deep sessions mostly such that have just read.
    fn readers(&mut self, key: &[u8]) -> [Vec<u8>; 2] {
        if self.deep && self.percent(60) { self.groups_that_read(key) } else { [self.group(), self.consumer()] }
    }

    pub(super) fn group(&mut self) -> Vec<u8> {
        format!("g{}", self.pick(&[0, 0, 0, 1, 2])).into_bytes()
    }

    fn consumer(&mut self) -> Vec<u8> {
        format!("c{}", self.rng.u32(0..3)).into_bytes()
    }

    /// An id among those given lately, or an odd one.
    fn stream_id(&mut self) -> Vec<u8> {
        let back = self.rng.u64(0..if self.deep { 6 } else { 24 });
        let ms = FAR_MS + self.entries.saturating_sub(back);
        match self.rng.u32(0..100) {
            0..=69 => format!("{ms}-1"),
            70..=79 => format!("{ms}-{}", self.rng.u32(0..4)),
            80..=85 => ms.to_string(),
            _ if self.deep && self.percent(80) => format!("{ms}-1"),
            _ => self.pick(ODD_IDS).to_owned(),
        }
        .into_bytes()
    }

    /// The id of an entry that comes after all others.
    pub(super) fn next_stream_id(&mut self) -> Vec<u8> {
        self.entries += 1;
        format!("{}-1", FAR_MS + self.entries).into_bytes()
    }

    pub(super) fn stream_ids(&mut self) -> Vec<Vec<u8>> {
        let count = if self.percent(50) { 1 } else { self.rng.usize(2..6) };
        (0..count).map(|_| self.stream_id()).collect()
    }

    fn end_of_range(&mut self, whole: &str) -> Vec<u8> {
        match self.rng.u32(0..100) {
            0..=49 => whole.into(),
            50..=59 => [b"(".to_vec(), self.stream_id()].concat(),
            _ => self.stream_id(),
        }
    }

    fn option(&mut self, percentage: u32, name: &str, values: &[&str]) -> Vec<Vec<u8>> {
        if !self.percent(percentage) {
            return vec![];
        }
        let name = self.case(name);
        if values.is_empty() { vec![name] } else { vec![name, self.pick(values).into()] }
    }

    /// Fields with their values: mostly those of the entries before.
    fn entry_fields(&mut self) -> Vec<Vec<u8>> {
        match self.rng.u32(0..100) {
            0..=59 => vec![b"field".to_vec(), self.value(Use::Number)],
            60..=79 => vec![b"a".to_vec(), self.value(Use::Any), b"b".to_vec(), self.value(Use::Text)],
            80..=89 => {
                let length = self.pick(&[10, 500, 1300, 2000, 4050, 4096]);
                vec![b"long".to_vec(), vec![b'x'; length]]
            }
            90..=97 => (0..self.rng.usize(1..12) * 2).map(|_| self.value(Use::Any)).collect(),
            _ => (0..self.rng.usize(0..5)).map(|_| self.value(Use::Any)).collect(),
        }
    }

    /// MAXLEN or MINID, exact or not.
    pub(super) fn trimming(&mut self) -> Vec<Vec<u8>> {
        let max_len = self.percent(65);
        let mut words = vec![if max_len { self.case("MAXLEN") } else { self.case("MINID") }];
        let operator = self.pick(&["", "=", "~", "~"]);
        if !operator.is_empty() {
            words.push(operator.into());
        }
        words.push(match max_len {
            true => self.pick(&["0", "1", "2", "3", "3", "5", "5", "8", "10", "20", "-1", "x"]).into(),
            false => self.stream_id(),
        });
        let limit = if operator == "~" { 30 } else { 3 };
        words.extend(self.option(limit, "LIMIT", &["0", "1", "3", "5", "10", "100", "-1", "x"]));
        words
    }

    pub(super) fn xadd(&mut self, key: Vec<u8>) -> Vec<Vec<u8>> {
        let connection = self.connection();
        if self.percent(4) {
            // It may have become something else, or be full.
            self.push(connection, vec![b"DEL".to_vec(), key.clone()]);
        }
        if self.percent(12) {
            let line = vec![b"XGROUP".to_vec(), b"CREATE".to_vec(), key.clone(), self.group(), b"0".to_vec()];
            self.push(connection, line);
        }
        let mut line = vec![self.case("XADD"), key.clone()];
        let mut options = vec![self.option(8, "NOMKSTREAM", &[])];
        if self.percent(30) {
            options.push(self.trimming());
        }
        self.rng.shuffle(&mut options);
        line.extend(options.concat());
        let next = self.next_stream_id();
        match self.rng.u32(0..100) {
            0..=19 => {
                let fields = self.entry_fields();
                let far = [b"XADD".to_vec(), key.clone(), next, b"field".to_vec(), b"1".to_vec()].to_vec();
                self.push(connection, far);
                line.push(b"*".to_vec());
                line.extend(fields);
                // As it is: on another key the id would be the time.
                self.push(connection, line);
                return self.line("XLEN", vec![key]);
            }
            20..=29 => line.push(format!("{}-*", FAR_MS + self.entries).into_bytes()),
            30..=34 => line.push(format!("{}-{}", FAR_MS + self.entries - 1, self.rng.u32(2..9)).into_bytes()),
            35..=39 => {
                let id = self.stream_id();
                line.push(if id == b"*" { next } else { id });
            }
            _ => line.push(next),
        }
        line.extend(self.entry_fields());
        line
    }

    fn xrange(&mut self, key: Vec<u8>) -> Vec<Vec<u8>> {
        let backward = self.percent(40);
        let [first, last] = if backward { ["+", "-"] } else { ["-", "+"] };
        let mut arguments = vec![key, self.end_of_range(first), self.end_of_range(last)];
        arguments.extend(self.option(40, "COUNT", &["0", "1", "2", "5", "100", "-1", "x"]));
        self.line(if backward { "XREVRANGE" } else { "XRANGE" }, arguments)
    }

    /// STREAMS with keys and an id for each.
    fn streams(&mut self, key: Vec<u8>, ids: &[&str]) -> Vec<Vec<u8>> {
        let mut keys = vec![key];
        while keys.len() < 4 && self.percent(20) {
            keys.push(self.key(Use::Stream));
        }
        let ids: Vec<Vec<u8>> = keys
            .iter()
            .map(|_| match self.pick(ids) {
                "id" => self.stream_id(),
                id => id.into(),
            })
            .collect();
        [vec![self.case("STREAMS")], keys, ids].concat()
    }

    fn xread(&mut self, key: Vec<u8>) -> Vec<Vec<u8>> {
        let mut arguments = self.option(40, "COUNT", &["0", "1", "2", "5", "-1", "x"]);
        arguments.extend(self.option(2, "NOACK", &[]));
        arguments.extend(self.option(10, "BLOCK", &["1", "2", "-1", "x", "9223372036854775807x"]));
        arguments.extend(self.streams(key, &["0", "0", "id", "id", "$", "+"]));
        self.line("XREAD", arguments)
    }

    fn xreadgroup(&mut self, key: Vec<u8>) -> Vec<Vec<u8>> {
        let mut options = vec![
            vec![self.case("GROUP"), self.group(), self.consumer()],
            self.option(50, "COUNT", &["0", "1", "2", "5", "-1", "x"]),
            self.option(12, "NOACK", &[]),
            // Nobody else comes in between, so a wait is in vain, and short.
            self.option(10, "BLOCK", &["1", "2", "-1", "x"]),
        ];
        self.rng.shuffle(&mut options);
        let mut arguments = options.concat();
        arguments.extend(self.streams(key, &[">", ">", ">", ">", "0", "0", "id"]));
        self.line("XREADGROUP", arguments)
    }

    /// A command that waits for a stream as long as need be.
    pub(super) fn blocking_read(&mut self) -> Vec<Vec<u8>> {
        let key = self.key(Use::Stream);
        let for_group = self.percent(60);
        let mut arguments = if for_group { vec![b"GROUP".to_vec(), self.group(), self.consumer()] } else { vec![] };
        arguments.extend(self.option(40, "COUNT", &["1", "2", "5"]));
        if for_group {
            arguments.extend(self.option(12, "NOACK", &[]));
        }
        arguments.extend([self.case("BLOCK"), b"0".to_vec()]);
        arguments.extend(self.streams(key, if for_group { &[">", ">", ">", "0"] } else { &["$", "$", "id"] }));
        self.line(if for_group { "XREADGROUP" } else { "XREAD" }, arguments)
    }

    fn xpending(&mut self, key: Vec<u8>) -> Vec<Vec<u8>> {
        let [group, consumer] = self.readers(&key);
        let mut arguments = vec![key, group];
        if self.percent(70) {
            arguments.extend(self.option(30, "IDLE", &["0", "0", "100000", "-1", "x"]));
            arguments.extend([self.end_of_range("-"), self.end_of_range("+")]);
            arguments.push(self.pick(&["0", "1", "3", "10", "10", "10", "-1", "x"]).into());
            if self.percent(40) {
                arguments.push(consumer);
            }
        }
        self.line("XPENDING", arguments)
    }

    fn xclaim(&mut self, key: Vec<u8>) -> Vec<Vec<u8>> {
        let [group, _] = self.readers(&key);
        let mut arguments = vec![key, group, self.consumer(), self.pick(MIN_IDLE).into()];
        arguments.extend(self.stream_ids());
        let mut options = vec![
            self.option(20, "IDLE", &["0", "500000", "-1", "9223372036854775807", "x"]),
            self.option(15, "TIME", &["0", "1000", "-1", "9223372036854775807", "x"]),
            self.option(20, "RETRYCOUNT", &["0", "1", "7", "-1", "4611686018427387904", "x"]),
            self.option(40, "FORCE", &[]),
            self.option(30, "JUSTID", &[]),
        ];
        if self.percent(10) {
            options.push(vec![self.case("LASTID"), self.stream_id()]);
        }
        self.rng.shuffle(&mut options);
        arguments.extend(options.concat());
        self.line("XCLAIM", arguments)
    }

    fn xautoclaim(&mut self, key: Vec<u8>) -> Vec<Vec<u8>> {
        let mut arguments = vec![key, self.group(), self.consumer(), self.pick(MIN_IDLE).into()];
        arguments.push(self.end_of_range("0"));
        let mut options =
            vec![self.option(50, "COUNT", &["1", "2", "5", "100", "0", "-1", "x"]), self.option(30, "JUSTID", &[])];
        self.rng.shuffle(&mut options);
        arguments.extend(options.concat());
        self.line("XAUTOCLAIM", arguments)
    }

    fn xsetid(&mut self, key: Vec<u8>) -> Vec<Vec<u8>> {
        if self.deep {
            self.groups_that_read(&key);
        }
        let id = if self.percent(60) { format!("{}", FAR_MS + self.entries).into_bytes() } else { self.stream_id() };
        let mut arguments = vec![key, id];
        arguments.extend(self.option(40, "ENTRIESADDED", &["0", "5", "30", "1000", "4611686018427387904", "-1", "x"]));
        if self.percent(30) {
            arguments.extend([self.case("MAXDELETEDID"), self.stream_id()]);
        }
        self.line("XSETID", arguments)
    }

    fn xinfo(&mut self, key: Vec<u8>) -> Vec<Vec<u8>> {
        let name = self.pick(&["STREAM", "STREAM", "STREAM", "GROUPS", "GROUPS", "CONSUMERS", "HELP", "FOO"]);
        let mut arguments = vec![self.case(name)];
        if name != "HELP" {
            arguments.push(key);
        }
        match name {
            "CONSUMERS" => arguments.push(self.group()),
            "STREAM" if self.percent(60) => {
                arguments.push(self.case("FULL"));
                arguments.extend(self.option(60, "COUNT", &["0", "1", "3", "100", "-1", "x"]));
            }
            _ => {}
        }
        self.line("XINFO", arguments)
    }

    fn xgroup(&mut self, key: Vec<u8>) -> Vec<Vec<u8>> {
        if self.percent(30) {
            let (connection, group) = (self.connection(), self.group());
            self.push(connection, vec![b"XGROUP".to_vec(), b"DESTROY".to_vec(), key.clone(), group]);
        }
        let name = self.pick(&[
            "CREATE",
            "CREATE",
            "CREATE",
            "SETID",
            "SETID",
            "DESTROY",
            "CREATECONSUMER",
            "CREATECONSUMER",
            "DELCONSUMER",
            "HELP",
            "FOO",
        ]);
        let mut arguments = vec![self.case(name)];
        if name != "HELP" {
            arguments.extend([key, self.group()]);
        }
        match name {
            "CREATE" | "SETID" => {
                if name == "CREATE" && self.percent(50) {
                    // One that is not there yet.
                    arguments[2] = format!("g{}", self.rng.u32(3..9)).into();
                }
                arguments.push(if self.percent(60) { self.pick(&["0", "$"]).into() } else { self.stream_id() });
                if name == "CREATE" {
                    arguments.extend(self.option(40, "MKSTREAM", &[]));
                }
                let read = ["0", "1", "5", "30", "-1", "-2", "4611686018427387904", "x"];
                arguments.extend(self.option(30, "ENTRIESREAD", &read));
            }
            "DELCONSUMER" => {
                let [group, consumer] = self.readers(&arguments[1].clone());
                arguments.truncate(2);
                arguments.extend([group, consumer]);
            }
            "CREATECONSUMER" => arguments.push(self.consumer()),
            _ => {}
        }
        self.line("XGROUP", arguments)
    }
}
