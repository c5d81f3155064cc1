//! Commands on lists, and connections that wait for elements.

use super::super::accepted::Against;
use super::super::step::{Arg, Step};
use super::values::Use;
use super::{CONNECTIONS, Generator};

/// Sizes around those at which a list changes its representation, or an element gets a node of its own.
const SIZES: &[usize] = &[63, 64, 127, 128, 1000, 2040, 2050, 4080, 4089, 4090, 4096, 4097, 8185, 8186, 8192, 8193];

impl Generator {
    pub(super) fn list_command(&mut self) -> Vec<Vec<u8>> {
        let key = self.key(Use::List);
        if self.percent(40) {
            let (connection, line) = (self.connection(), self.push_elements(key.clone()));
            self.push(connection, line);
        }
        match self.rng.u32(0..if self.deep { 108 } else { 100 }) {
            0..=24 => self.push_elements(key),
            25..=35 => {
                let name = self.pick(&["LPOP", "RPOP"]);
                let count = if self.percent(60) { vec![] } else { vec![self.list_count()] };
                self.on_key(name, key, count)
            }
            36..=40 => {
                let name = self.pick(&["LPUSHX", "RPUSHX"]);
                let elements = self.elements();
                self.on_key(name, key, elements)
            }
            41..=49 => {
                let range = vec![self.list_index(), self.list_index()];
                self.on_key("LRANGE", key, range)
            }
            50..=54 => {
                let index = self.list_index();
                self.on_key("LINDEX", key, vec![index])
            }
            55..=61 => {
                let place = self.pick(&["BEFORE", "AFTER", "BEFORE", "AFTER", "BEFORE", "AFTER", "BESIDE"]);
                let rest = vec![self.case(place), self.element(), self.element()];
                self.on_key("LINSERT", key, rest)
            }
            62..=67 => {
                let rest = vec![self.list_index(), self.element()];
                self.on_key("LSET", key, rest)
            }
            68..=72 => {
                let rest = vec![self.list_count(), self.element()];
                self.on_key("LREM", key, rest)
            }
            73..=76 => {
                let range = vec![self.list_index(), self.list_index()];
                self.on_key("LTRIM", key, range)
            }
            77..=78 => self.line("LLEN", vec![key]),
            79 => {
                let size = self.pick(&["0", "0", "5", "100", "1k", "4293918721"]);
                self.line("DEBUG", vec![b"QUICKLIST-PACKED-THRESHOLD".to_vec(), size.into()])
            }
            80..=86 => self.lpos(key),
            87..=91 => {
                let mut arguments = vec![key, self.key(Use::List)];
                let name = self.pick(&["LMOVE", "LMOVE", "RPOPLPUSH"]);
                if name == "LMOVE" {
                    arguments.extend([self.end(), self.end()]);
                }
                self.line(name, arguments)
            }
            92..=96 => {
                let arguments = self.many_pops();
                self.line("LMPOP", arguments)
            }
            // Nobody else comes in between, so a wait is in vain, and short; inside MULTI there is none.
            _ => {
                let timeout = self.pick(&["0.001", "0.002", "1e-3", "-1", "x", "inf", "nan", "1e30", ""]);
                self.blocking_command(timeout.as_bytes())
            }
        }
    }

    /// A command on a key, with what else it takes.
    pub(super) fn on_key(&mut self, name: &str, key: Vec<u8>, rest: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
        self.line(name, [key].into_iter().chain(rest).collect())
    }

    fn end(&mut self) -> Vec<u8> {
        let end = self.pick(&["LEFT", "RIGHT", "LEFT", "RIGHT", "LEFT", "RIGHT", "LEFT", "RIGHT", "UP"]);
        self.case(end)
    }

    /// An index: mostly one that is there.
    fn list_index(&mut self) -> Vec<u8> {
        if self.percent(75) { self.rng.i64(-6..6).to_string().into() } else { self.index() }
    }

    fn list_count(&mut self) -> Vec<u8> {
        if self.percent(85) { self.rng.i64(-3..6).to_string().into() } else { self.integer() }
    }

    /// RPUSH or LPUSH: of some elements, or at times of so many that they need several nodes.
    pub(super) fn push_elements(&mut self, key: Vec<u8>) -> Vec<Vec<u8>> {
        let connection = self.connection();
        if self.percent(35) {
            // It may have become something else.
            self.push(connection, vec![b"DEL".to_vec(), key.clone()]);
        }
        let elements = match self.rng.u32(0..100) {
            0..=2 => {
                let count = self.pick(&[20, 200, 600]);
                (0..count).map(|_| self.element()).collect()
            }
            3..=6 => {
                let (count, length) = self.pick(&[(9, 900), (5, 2000), (128, 64), (17, 1), (3, 4000)]);
                (0..count).map(|number| vec![b'a' + number as u8 % 26; length]).collect()
            }
            _ => self.elements(),
        };
        let name = self.pick(&["RPUSH", "LPUSH"]);
        self.on_key(name, key, elements)
    }

    fn elements(&mut self) -> Vec<Vec<u8>> {
        let count = match self.rng.u32(0..100) {
            0..=1 => 20,
            2..=39 => 1,
            _ => self.rng.usize(2..9),
        };
        (0..count).map(|_| self.element()).collect()
    }

    /// An element of a small population, so that there are several equal ones.
    fn element(&mut self) -> Vec<u8> {
        match self.rng.u32(0..100) {
            0..=39 => self.rng.i64(-1..4).to_string().into_bytes(),
            40..=84 => format!("e{}", self.rng.u32(0..4)).into_bytes(),
            85..=90 => {
                let length = self.pick(SIZES);
                vec![b's'; length]
            }
            _ => self.value(Use::Any),
        }
    }

    fn lpos(&mut self, key: Vec<u8>) -> Vec<Vec<u8>> {
        let mut options = Vec::new();
        for (name, usual) in
            [("RANK", ["1", "-1", "2", "-2"]), ("COUNT", ["0", "0", "1", "2"]), ("MAXLEN", ["0", "3", "9", "99"])]
        {
            if self.percent(35) {
                let value = if self.percent(80) { self.pick(&usual).into() } else { self.list_count() };
                options.push([self.case(name), value]);
            }
        }
        self.rng.shuffle(&mut options);
        let mut arguments = vec![key, self.element()];
        arguments.extend(options.into_iter().flatten());
        if self.percent(3) {
            arguments.push(self.pick(&["RANK", "FOO", "COUNT"]).into());
        }
        self.line("LPOS", arguments)
    }

    /// `numkeys key [key …] LEFT|RIGHT [COUNT count]`
    fn many_pops(&mut self) -> Vec<Vec<u8>> {
        let keys = self.list_keys();
        let numkeys = if self.percent(92) { keys.len().to_string().into() } else { self.integer() };
        let mut arguments = vec![numkeys];
        arguments.extend(keys);
        arguments.push(self.end());
        if self.percent(50) {
            arguments.extend([self.case("COUNT"), self.list_count()]);
        }
        if self.percent(3) {
            arguments.push(self.pick(&["COUNT", "FOO", "2"]).into());
        }
        arguments
    }

    fn list_keys(&mut self) -> Vec<Vec<u8>> {
        let count = self.pick(&[1, 1, 2, 3]);
        (0..count).map(|_| self.key(Use::List)).collect()
    }

    fn blocking_command(&mut self, timeout: &[u8]) -> Vec<Vec<u8>> {
        let name = self.pick(&["BLPOP", "BRPOP", "BLMPOP", "BLMOVE", "BRPOPLPUSH"]);
        let arguments = match name {
            "BLPOP" | "BRPOP" => {
                let mut arguments = self.list_keys();
                arguments.push(timeout.to_vec());
                arguments
            }
            "BLMPOP" => [timeout.to_vec()].into_iter().chain(self.many_pops()).collect(),
            "BLMOVE" => {
                vec![self.key(Use::List), self.key(Use::List), self.end(), self.end(), timeout.to_vec()]
            }
            _ => vec![self.key(Use::List), self.key(Use::List), timeout.to_vec()],
        };
        self.line(name, arguments)
    }

    /// Some connections wait for lists while another one does what may end that, and in the end ends it.
    pub(super) fn waiting_episode(&mut self) {
        let speaker = self.connection();
        let mut waiters: Vec<usize> = (0..CONNECTIONS).filter(|n| *n != speaker && !self.in_transaction[*n]).collect();
        if self.in_transaction[speaker] || waiters.is_empty() {
            return self.finish(speaker);
        }
        self.rng.shuffle(&mut waiters);
        waiters.truncate(self.rng.usize(1..=waiters.len()));
        let lines = waiters.iter().map(|_| {
            let reads = self.percent(30) && self.against != Against::Redis7;
            if reads { self.blocking_read() } else { self.blocking_command(b"0") }
        });
        let lines: Vec<Vec<Vec<u8>>> = lines.collect();
        if lines.iter().any(|line| self.is_not_asked(speaker, line)) {
            return;
        }
        let database = self.database();
        for connection in waiters.iter().copied().chain([speaker]) {
            let database = if self.percent(95) { database.clone() } else { self.database() };
            self.push(connection, vec![b"SELECT".to_vec(), database]);
        }
        let lists: Vec<Vec<u8>> = (0..4).map(|number| format!("l{number}").into_bytes()).collect();
        if self.percent(80) {
            self.push(speaker, [b"DEL".to_vec()].into_iter().chain(lists).collect());
        }
        let words = |line: Vec<Vec<u8>>| line.into_iter().map(Arg::Bytes).collect::<Vec<Arg>>();
        let waits = waiters.iter().copied().zip(lines.into_iter().map(words)).collect();
        // What the speaker does is collected as if it was said, and then put into the step.
        let start = self.steps.len();
        let in_transaction = self.percent(40);
        if in_transaction {
            self.push(speaker, vec![b"MULTI".to_vec()]);
        }
        for _ in 0..self.rng.usize(1..6) {
            let line = match self.rng.u32(0..20) {
                0..=6 => {
                    let key = self.key(Use::List);
                    self.push_elements(key)
                }
                7..=9 => self.stream_command(),
                10..=13 => self.what_makes_ready(),
                14..=16 => self.list_command(),
                17 => self.set_command(),
                _ => self.key_command(),
            };
            // Whoever speaks must not wait as well.
            if in_transaction || !is_blocking(&line) {
                self.push(speaker, line);
            }
        }
        if in_transaction {
            self.push(speaker, vec![b"EXEC".to_vec()]);
        }
        for waiter in &waiters {
            let end = match self.rng.u32(0..8) {
                0 => ["CLIENT", "KILL", "ID"].map(Arg::from).to_vec(),
                _ => ["CLIENT", "UNBLOCK"].map(Arg::from).to_vec(),
            };
            let is_kill = end.len() == 3;
            let mut argv = end;
            argv.push(Arg::ClientId(*waiter));
            if !is_kill && self.percent(60) {
                argv.push(self.pick(&["TIMEOUT", "ERROR", "error"]).into());
            }
            self.push_args(speaker, argv);
        }
        let meanwhile = self.steps.split_off(start);
        self.steps.push(Step::Waiting { waits, meanwhile });
    }

    /// Keys that come to be lists by other ways than a push.
    fn what_makes_ready(&mut self) -> Vec<Vec<u8>> {
        let connection = self.connection();
        let source = self.key(Use::List);
        let line = self.push_elements(source.clone());
        self.push(connection, line);
        let target = self.key(Use::List);
        match self.rng.u32(0..6) {
            0..=1 => self.line("RENAME", vec![source, target]),
            2..=3 => self.line("COPY", vec![source, target]),
            4 => {
                let database = self.database();
                self.line("MOVE", vec![source, database])
            }
            _ => self.line("SWAPDB", vec![b"0".to_vec(), b"1".to_vec()]),
        }
    }
}

/// Whether a command may wait for a key.
pub fn is_blocking(line: &[Vec<u8>]) -> bool {
    let names = ["BLPOP", "BRPOP", "BLMPOP", "BLMOVE", "BRPOPLPUSH"];
    line.first().is_some_and(|name| names.iter().any(|known| name.eq_ignore_ascii_case(known.as_bytes())))
        || line.iter().any(|word| word.eq_ignore_ascii_case(b"BLOCK"))
}
