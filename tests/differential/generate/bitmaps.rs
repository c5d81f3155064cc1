//! Commands on bitmaps.

use super::Generator;
use super::values::Use;

/// Offsets that are none, or too large for any limit that a session sets. One just below the default limit would make
/// both servers fill 512 MiB.
const NO_OFFSETS: &[&str] =
    &["-1", "x", "", "01", "1.0", " 1", "9000000000", "9223372036854775807", "9223372036854775808", "#1", "\u{0}"];

const FIELDS: &[&str] =
    &["u1", "u2", "u7", "u8", "u9", "u31", "u32", "u63", "i1", "i2", "i5", "i8", "i16", "i33", "i63", "i64"];

const NO_FIELDS: &[&str] =
    &["u0", "u64", "i65", "i0", "u-8", "U8", "u08", "u", "", "8", "x8", "u8x", "u8\u{0}x", "i 8"];

impl Generator {
    pub(super) fn bitmap_command(&mut self) -> Vec<Vec<u8>> {
        let key = self.key(Use::Bits);
        self.some_string(&key);
        match self.rng.u32(0..100) {
            0..=19 => {
                let bit = match self.rng.u32(0..20) {
                    0 => self.pick(&["2", "-1", "x", "", "01", "00"]).into(),
                    1..=4 => b"0".to_vec(),
                    _ => b"1".to_vec(),
                };
                let offset = self.offset();
                self.line("SETBIT", vec![key, offset, bit])
            }
            20..=28 => {
                let offset = if self.percent(5) { b"4294967295".to_vec() } else { self.offset() };
                self.line("GETBIT", vec![key, offset])
            }
            29..=42 => {
                let range = self.bit_range();
                self.line("BITCOUNT", [key].into_iter().chain(range).collect())
            }
            43..=57 => {
                let bit = match self.rng.u32(0..20) {
                    0 => self.pick(&["2", "-1", "x", "", "01"]).into(),
                    _ => self.rng.u32(0..2).to_string().into(),
                };
                let range = self.bit_range();
                self.line("BITPOS", [key, bit].into_iter().chain(range).collect())
            }
            58..=71 => self.bitop(key),
            72..=89 => self.bitfield(key),
            _ => {
                let value = self.bits();
                self.line("SET", vec![key, value])
            }
        }
    }

    /// A string of runs, so that there is something to look for.
    pub(super) fn bits(&mut self) -> Vec<u8> {
        let runs = self.rng.usize(0..4);
        let mut bits = Vec::new();
        for _ in 0..runs {
            let byte = self.pick(&[0, 0, 0xff, 0xff, 0x0f, 0x80, 0x01]);
            let length = self.pick(&[1, 1, 2, 3, 7, 8, 9, 63, 64, 65, 300]);
            bits.resize(bits.len() + length, byte);
            bits.push(self.rng.u8(..));
        }
        bits
    }

    fn offset(&mut self) -> Vec<u8> {
        match self.rng.u32(0..100) {
            0..=4 => self.pick(NO_OFFSETS).into(),
            // Around the limit that a session may set.
            5 if self.percent(20) => self.pick(&["8388607", "8388608"]).into(),
            5..=14 => self.rng.u32(0..20_000).to_string().into(),
            _ => self.rng.u32(0..150).to_string().into(),
        }
    }

    /// Nothing, or start, end and unit, as far as there are any.
    fn bit_range(&mut self) -> Vec<Vec<u8>> {
        let count = self.pick(&[0, 0, 0, 1, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3]);
        let mut range: Vec<Vec<u8>> = (0..count.min(2)).map(|_| self.bit_index()).collect();
        if count == 3 {
            let unit = if self.percent(5) { self.pick(&["BITS", "", "0"]) } else { self.pick(&["BIT", "BYTE"]) };
            range.push(self.case(unit));
        }
        if self.percent(2) {
            let extra = self.pick(&["BIT", "1", "x"]);
            range.push(extra.into());
        }
        range
    }

    fn bit_index(&mut self) -> Vec<u8> {
        if self.percent(50) { self.index() } else { self.rng.i64(-600..600).to_string().into() }
    }

    fn bitop(&mut self, target: Vec<u8>) -> Vec<Vec<u8>> {
        let name = match self.rng.u32(0..20) {
            0 => self.pick(&["NAND", "", "AN"]),
            1..=4 => "NOT",
            _ => self.pick(&["AND", "OR", "XOR", "DIFF", "DIFF1", "ANDOR", "ONE"]),
        };
        let mut arguments = vec![self.case(name), target];
        if name == "NOT" && self.percent(90) {
            arguments.push(self.key(Use::Bits));
        } else {
            arguments.extend(self.keys(Use::Bits));
            arguments.extend(self.keys(Use::Bits));
        }
        self.line("BITOP", arguments)
    }

    fn bitfield(&mut self, key: Vec<u8>) -> Vec<Vec<u8>> {
        let name = self.pick(&["BITFIELD", "BITFIELD", "BITFIELD", "BITFIELD_RO"]);
        let only_reads = if name == "BITFIELD" { self.percent(15) } else { self.percent(90) };
        let mut arguments = vec![key];
        for _ in 0..self.rng.usize(0..5) {
            if self.percent(30) {
                let overflow =
                    if self.percent(4) { self.pick(&["NONE", ""]) } else { self.pick(&["WRAP", "SAT", "FAIL"]) };
                arguments.extend([self.case("OVERFLOW"), self.case(overflow)]);
            }
            let action = if only_reads { "GET" } else { self.pick(&["GET", "SET", "SET", "INCRBY", "INCRBY"]) };
            let field = if self.percent(3) { self.pick(NO_FIELDS) } else { self.pick(FIELDS) };
            arguments.extend([self.case(action), field.into(), self.field_offset()]);
            if action != "GET" {
                arguments.push(self.field_value());
            }
        }
        if self.percent(2) {
            let extra = self.pick(&["GET", "SET u8 0", "OVERFLOW", "x"]);
            arguments.extend(extra.split(' ').map(|word| word.as_bytes().to_vec()));
        }
        self.line(name, arguments)
    }

    fn field_offset(&mut self) -> Vec<u8> {
        match self.rng.u32(0..20) {
            0..=6 => format!("#{}", self.rng.u32(0..12)).into(),
            // The product overflows to a small number, or to a negative one.
            7 if self.percent(30) => {
                self.pick(&["#4611686018427387905", "#9223372036854775807", "#-1", "#", "#x"]).into()
            }
            _ => self.offset(),
        }
    }

    fn field_value(&mut self) -> Vec<u8> {
        match self.rng.u32(0..10) {
            0..=4 => self.rng.i64(-3..4).to_string().into(),
            5 => self.rng.i64(-70_000..70_000).to_string().into(),
            6 => self.rng.i64(..).to_string().into(),
            7 => self.pick(&[i64::MIN, i64::MAX, i64::MIN + 1, -1, 1]).to_string().into(),
            8 => self.pick(&[127, 128, 255, 256, -128, -129, 15, 16, -16, -17]).to_string().into(),
            _ => self.integer(),
        }
    }
}
