//! What Redis 8 is asked, because no other oracle knows it: the expiry of fields, references to entries of streams, the
//! newer operations of BITOP.

use super::super::step::Step;
use super::Generator;
use super::values::Use;

const REFERENCES: &[&str] = &["KEEPREF", "DELREF", "ACKED"];

/// What a session is about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Subject {
    Hashes,
    Streams,
    Bits,
}

impl Generator {
    fn subject(&self) -> Subject {
        match self.focus[0] {
            0..=6 => Subject::Hashes,
            7..=12 => Subject::Streams,
            _ => Subject::Bits,
        }
    }

    /// Something for a session to begin with.
    pub(super) fn fill_newer(&mut self) {
        for _ in 0..3 {
            let line = match self.subject() {
                Subject::Hashes => {
                    let key = self.key(Use::Hash);
                    self.hset(key)
                }
                Subject::Streams => {
                    let key = self.key(Use::Stream);
                    self.groups_that_read(&key);
                    self.line("XLEN", vec![key])
                }
                Subject::Bits => vec![b"SET".to_vec(), self.key(Use::Bits), self.bits()],
            };
            self.push(0, line);
        }
    }

    fn newer_command(&mut self) -> Vec<Vec<u8>> {
        match self.subject() {
            Subject::Hashes if self.percent(50) => self.hash_command(),
            Subject::Hashes => self.field_expiry_command(),
            Subject::Streams if self.percent(50) => self.stream_command(),
            Subject::Streams => self.references(),
            Subject::Bits if self.percent(30) => self.bitmap_command(),
            Subject::Bits => {
                let name = self.pick(&["DIFF", "DIFF1", "ANDOR", "ONE"]);
                let mut arguments = vec![self.case(name), self.key(Use::Bits)];
                arguments.extend(self.keys(Use::Bits));
                arguments.extend(self.keys(Use::Bits));
                self.line("BITOP", arguments)
            }
        }
    }

    /// Entries that go with their references, without them, or when nobody has them pending any more.
    fn references(&mut self) -> Vec<Vec<u8>> {
        let key = self.key(Use::Stream);
        if self.percent(30) {
            self.groups_that_read(&key);
        }
        let (name, mut arguments) = match self.rng.u32(0..100) {
            0..=39 => ("XDELEX", vec![key]),
            40..=74 => ("XACKDEL", vec![key, self.group()]),
            75..=89 => {
                let mut arguments = vec![key];
                arguments.extend(self.trimming_with_references());
                return self.line("XTRIM", arguments);
            }
            _ => {
                let mut arguments = vec![key];
                arguments.extend(self.trimming_with_references());
                arguments.push(self.next_stream_id());
                arguments.extend([b"field".to_vec(), b"1".to_vec()]);
                return self.line("XADD", arguments);
            }
        };
        if self.percent(75) {
            let word = if self.percent(97) { self.pick(REFERENCES) } else { "FOO" };
            arguments.push(self.case(word));
        }
        let ids = self.stream_ids();
        arguments.push(if self.percent(97) { self.case("IDS") } else { self.case("ID") });
        arguments.push(match self.rng.u32(0..100) {
            0..=2 => self.integer(),
            3 => (ids.len() + 1).to_string().into(),
            _ => ids.len().to_string().into(),
        });
        arguments.extend(ids);
        self.line(name, arguments)
    }

    fn trimming_with_references(&mut self) -> Vec<Vec<u8>> {
        let mut options = vec![self.trimming()];
        if self.percent(85) {
            let word = self.pick(REFERENCES);
            options.push(vec![self.case(word)]);
        }
        self.rng.shuffle(&mut options);
        options.concat()
    }

    pub(super) fn newer_step(&mut self) {
        let connection = self.connection();
        let usage = match self.subject() {
            Subject::Hashes => Use::Hash,
            Subject::Streams => Use::Stream,
            Subject::Bits => Use::Bits,
        };
        let key = self.key(usage);
        let line = match self.rng.u32(0..100) {
            0..=79 => self.newer_command(),
            80..=83 => self.line("OBJECT", vec![b"ENCODING".to_vec(), key]),
            84..=87 => {
                let name = self.pick(&["EXISTS", "TYPE", "PERSIST", "PTTL", "UNLINK"]);
                self.line(name, vec![key])
            }
            88..=90 => {
                let (name, other) = (self.pick(&["RENAME", "RENAMENX", "COPY"]), self.key(usage));
                self.line(name, vec![key, other])
            }
            91 => self.line("EXPIRE", vec![key, b"100000".to_vec()]),
            92 => self.line("SADD", vec![key, b"1".to_vec()]),
            93 => {
                let names = ["hash-max-listpack-entries", "hash-max-listpack-value", "stream-node-max-entries"];
                let (name, value) = (self.pick(&names), self.pick(&["0", "4", "64", "512"]));
                self.line("CONFIG", [b"SET".to_vec(), name.into(), value.into()].into())
            }
            94..=96 => return self.newer_transaction(),
            97 => return self.steps.push(Step::Dump),
            _ if self.in_transaction[connection] => return self.finish(connection),
            _ => self.line("DBSIZE", vec![]),
        };
        self.push_mutated(connection, line);
    }

    fn newer_transaction(&mut self) {
        let connection = self.connection();
        if !self.in_transaction[connection] {
            let line = self.line("MULTI", vec![]);
            self.push(connection, line);
            self.in_transaction[connection] = true;
            for _ in 0..self.rng.usize(0..5) {
                let line = self.newer_command();
                self.push_mutated(connection, line);
            }
        }
        self.finish(connection);
    }
}
