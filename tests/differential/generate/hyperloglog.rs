//! Commands on HyperLogLogs, and strings that look like one.

use super::Generator;
use super::values::Use;

const REGISTERS: usize = 16_384;
const HEADER: &[u8] = b"HYLL\x01\0\0\0\0\0\0\0\0\0\0";

impl Generator {
    pub(super) fn hyperloglog_command(&mut self) -> Vec<Vec<u8>> {
        let key = self.sketch_key();
        match self.rng.u32(0..1000) {
            0..=399 => self.pfadd(key),
            400..=599 => {
                let mut keys = vec![key];
                if self.percent(40) {
                    keys.extend((0..self.rng.usize(1..4)).map(|_| self.sketch_key()));
                }
                self.line("PFCOUNT", keys)
            }
            600..=749 => {
                let mut keys = vec![key];
                if self.percent(95) {
                    keys.extend((0..self.rng.usize(1..4)).map(|_| self.sketch_key()));
                }
                self.line("PFMERGE", keys)
            }
            750..=869 => {
                let subcommand = self.pick(&[
                    "GETREG", "DECODE", "DECODE", "ENCODING", "ENCODING", "ENCODING", "TODENSE", "SIMD", "WHAT",
                ]);
                let subject = if subcommand == "SIMD" { self.case_of(&["ON", "OFF"]) } else { key };
                let subcommand = self.case(subcommand);
                self.line("PFDEBUG", vec![subcommand, subject])
            }
            870..=909 => {
                let value = self.sketch();
                self.line("SET", vec![key, value])
            }
            910..=924 => {
                // Something in the header.
                let (offset, byte) = (self.rng.u32(0..16), self.pick(&[0, 1, 2, 0x48, 0x7f, 0x80, 0xff]));
                self.line("SETRANGE", vec![key, offset.to_string().into(), vec![byte]])
            }
            // What is no sketch any more makes room for one that is.
            925..=998 => self.line("DEL", vec![key]),
            _ if self.percent(if self.deep { 90 } else { 20 }) => self.line("PFSELFTEST", vec![]),
            _ => self.line("PFCOUNT", vec![key]),
        }
    }

    /// Mostly one of the keys that hold sketches, and less often another one than other commands would take.
    fn sketch_key(&mut self) -> Vec<u8> {
        if self.percent(90) { format!("p{}", self.rng.u32(0..4)).into() } else { self.key(Use::Any) }
    }

    fn case_of(&mut self, words: &[&str]) -> Vec<u8> {
        let word = self.pick(words);
        self.case(word)
    }

    /// PFADD of a few elements, or at times of so many that the registers become dense.
    pub(super) fn pfadd(&mut self, key: Vec<u8>) -> Vec<Vec<u8>> {
        let mut arguments = vec![key];
        let count = match self.rng.u32(0..100) {
            0..=1 => self.rng.usize(800..1600),
            2..=9 => self.rng.usize(20..200),
            10..=14 => 0,
            _ => self.rng.usize(1..5),
        };
        let first = self.rng.u32(0..3000);
        for n in 0..count as u32 {
            arguments.push(match self.rng.u32(0..10) {
                0 => self.value(Use::Any),
                1..=3 => self.rng.u32(0..20).to_string().into(),
                _ => format!("e{}", first + n).into(),
            });
        }
        self.line("PFADD", arguments)
    }

    /// The bytes of a sketch: whole runs, but not always so many as there are registers.
    fn sketch(&mut self) -> Vec<u8> {
        let mut bytes = HEADER.to_vec();
        bytes.push(self.pick(&[0, 0x80, 0x80, 0x7f]));
        if self.percent(10) {
            bytes[4] = self.pick(&[0, 0, 2, 255]);
            let length = self.pick(&[12_288, 12_288, 12_287, 12_289, 0]);
            let registers: Vec<u8> = match self.rng.u32(0..3) {
                0 => vec![self.pick(&[0, 0xff, 0x41]); length],
                _ => (0..length).map(|_| self.rng.u8(..) & self.rng.u8(..)).collect(),
            };
            bytes.extend(registers);
            return bytes;
        }
        let mut left = REGISTERS;
        for _ in 0..self.pick(&[0, 1, 5, 5, 30, 300]) {
            if left <= 5 {
                break;
            }
            let most = match self.rng.u32(0..4) {
                0 => 3000.min(left / 2),
                1 => 64.min(left),
                _ => 4,
            };
            let length = self.rng.usize(1..=most);
            if length <= 4 && self.percent(80) {
                bytes.push(0x80 | self.rng.u8(0..32) << 2 & self.rng.u8(..) | (length - 1) as u8);
            } else {
                bytes.extend(zeros(length));
            }
            left -= length;
        }
        let wrong = if self.percent(12) { self.pick(&[-5, -1, 1, 2]) } else { 0 };
        let last = left.saturating_add_signed(wrong).clamp(1, REGISTERS);
        bytes.extend(zeros(last));
        if self.percent(5) {
            bytes.push(self.pick(&[0, 0x84, 0x3f]));
        }
        bytes
    }
}

fn zeros(length: usize) -> Vec<u8> {
    match length - 1 {
        less @ 0..64 => vec![less as u8],
        less => vec![0x40 | (less >> 8) as u8, less as u8],
    }
}
