//! Random calls of the libraries, as the bodies of functions.

use fastrand::Rng;

use super::values::{bytes, number, pick, quoted, value};

pub struct Generator {
    rng: Rng,
}

const FUNCTIONS: &[&str] = &[
    "cjson.encode",
    "cjson.decode",
    "c.encode_sparse_array",
    "c.encode_max_depth",
    "c.decode_max_depth",
    "c.encode_number_precision",
    "c.encode_keep_buffer",
    "c.encode_invalid_numbers",
    "c.decode_invalid_numbers",
    "cjson.new",
    "cmsgpack.pack",
    "cmsgpack.unpack",
    "cmsgpack.unpack_one",
    "cmsgpack.unpack_limit",
    "struct.pack",
    "struct.unpack",
    "struct.size",
    "bit.tobit",
    "bit.tohex",
    "bit.bnot",
    "bit.band",
    "bit.bor",
    "bit.bxor",
    "bit.lshift",
    "bit.rshift",
    "bit.arshift",
    "bit.rol",
    "bit.ror",
    "bit.bswap",
];

impl Generator {
    pub fn new(seed: u64) -> Self {
        Self { rng: Rng::with_seed(seed) }
    }

    /// The body of a function: it returns what the call returns.
    pub fn call(&mut self) -> String {
        match self.rng.u8(..20) {
            0..3 => self.encode(),
            3..7 => self.decode(),
            7 => self.decode_number(),
            8..10 => self.pack(),
            10..13 => self.unpack(),
            13..17 => self.structure(),
            17 => self.bits(),
            _ => self.any(),
        }
    }

    fn encode(&mut self) -> String {
        let rng = &mut self.rng;
        let settings = match rng.u8(..10) {
            0 => format!("c.encode_max_depth({}) ", rng.u8(1..4)),
            1 => format!("c.encode_number_precision({}) ", rng.u8(1..15)),
            2 => "c.encode_invalid_numbers(true) ".to_owned(),
            3 => "c.encode_invalid_numbers('null') ".to_owned(),
            4 => format!("c.encode_sparse_array({},{},{}) ", rng.bool(), rng.u8(..4), rng.u8(..12)),
            _ => String::new(),
        };
        let inner = value(rng, 4, true);
        let encoded = format!("c.encode({})", inner.code);
        let result = if inner.is_ordered { encoded } else { format!("c.decode({encoded})") };
        format!("local c = cjson.new() {settings}return {result}")
    }

    fn decode(&mut self) -> String {
        let mut json = Vec::new();
        self.json(4, &mut json);
        let json = self.damaged(json, b"[]{}:,\"\\u0dD89ntfalse-+.eExXiInN \t\n\x00\x01/");
        let settings = match self.rng.u8(..8) {
            0 => "c.decode_invalid_numbers(false) ".to_owned(),
            1 => format!("c.decode_max_depth({}) ", self.rng.u8(1..4)),
            _ => String::new(),
        };
        format!("local c = cjson.new() {settings}return c.decode({})", quoted(&json))
    }

    fn json(&mut self, depth: usize, out: &mut Vec<u8>) {
        let blank = |rng: &mut Rng, out: &mut Vec<u8>| {
            if rng.u8(..12) == 0 {
                out.push(b" \t\r\n"[rng.usize(..4)]);
            }
        };
        blank(&mut self.rng, out);
        match self.rng.u8(..if depth == 0 { 8 } else { 14 }) {
            0 => out.extend_from_slice(pick(&mut self.rng, &["true", "false", "null"]).as_bytes()),
            1..4 => out.extend_from_slice(number(&mut self.rng, false).as_bytes()),
            4 => out.extend_from_slice(self.numeral().as_bytes()),
            5..8 => self.json_string(out),
            8..11 => {
                out.push(b'[');
                for at in 0..self.rng.usize(..4) {
                    if at > 0 {
                        out.push(b',');
                    }
                    self.json(depth - 1, out);
                }
                blank(&mut self.rng, out);
                out.push(b']');
            }
            _ => {
                out.push(b'{');
                for at in 0..self.rng.usize(..4) {
                    if at > 0 {
                        out.push(b',');
                    }
                    blank(&mut self.rng, out);
                    self.json_string(out);
                    blank(&mut self.rng, out);
                    out.push(b':');
                    self.json(depth - 1, out);
                }
                out.push(b'}');
            }
        }
        blank(&mut self.rng, out);
    }

    fn json_string(&mut self, out: &mut Vec<u8>) {
        out.push(b'"');
        for _ in 0..self.rng.usize(..6) {
            match self.rng.u8(..12) {
                0 => out.extend_from_slice(format!("\\u{:04x}", self.rng.u16(..)).as_bytes()),
                1 => {
                    let (high, low) = (self.rng.u16(0xd7f0..0xdc10), self.rng.u16(0xdbf0..0xe010));
                    out.extend_from_slice(format!("\\u{high:04X}\\u{low:04x}").as_bytes());
                }
                2 => {
                    out.extend_from_slice(pick(&mut self.rng, &["\\n", "\\/", "\\\\", "\\\"", "\\b", "\\t"]).as_bytes())
                }
                3 => out.push(self.rng.u8(1..).max(b'#')),
                _ => out.push(self.rng.u8(b'a'..=b'z')),
            }
        }
        out.push(b'"');
    }

    /// Something like a number.
    fn numeral(&mut self) -> String {
        const PARTS: &[&str] = &[
            "0",
            "1",
            "7",
            "12",
            "00",
            "9007199254740993",
            ".",
            ".5",
            "e",
            "E5",
            "e-3",
            "e+",
            "0x",
            "0X1f",
            "p3",
            "P-2",
            "p",
            "a",
            "-",
            "+",
            "inf",
            "Infinity",
            "nan",
            "NaN(",
            "(x)",
            ")",
            " ",
        ];
        let count = self.rng.usize(1..5);
        (0..count).map(|_| pick(&mut self.rng, PARTS)).collect()
    }

    fn decode_number(&mut self) -> String {
        let setting = pick(&mut self.rng, &["", "", "c.decode_invalid_numbers(false) "]);
        let numeral = self.numeral();
        let text = if self.rng.bool() { numeral } else { format!("[{numeral}]") };
        format!("local c = cjson.new() {setting}return c.decode({})", quoted(text.as_bytes()))
    }

    /// The bytes with some changes, most often none.
    fn damaged(&mut self, mut bytes: Vec<u8>, alphabet: &[u8]) -> Vec<u8> {
        let rng = &mut self.rng;
        for _ in 0..rng.usize(..3) {
            let at = rng.usize(..=bytes.len());
            match rng.u8(..6) {
                0 => bytes.truncate(at),
                1 if at < bytes.len() => {
                    bytes.remove(at);
                }
                2 if at < bytes.len() => bytes[at] = alphabet[rng.usize(..alphabet.len())],
                3 => bytes.insert(at, alphabet[rng.usize(..alphabet.len())]),
                _ => {}
            }
        }
        bytes
    }

    fn pack(&mut self) -> String {
        let count = if self.rng.u8(..6) == 0 { 3 } else { 1 };
        let values: Vec<_> = (0..count).map(|_| value(&mut self.rng, 4, true)).collect();
        let codes: Vec<&str> = values.iter().map(|value| value.code.as_str()).collect();
        let packed = format!("cmsgpack.pack({})", codes.join(","));
        if values.iter().all(|value| value.is_ordered) {
            format!("return {packed}")
        } else {
            format!("return cmsgpack.unpack({packed})")
        }
    }

    fn unpack(&mut self) -> String {
        let mut packed = Vec::new();
        for _ in 0..self.rng.usize(..3) {
            self.message(4, &mut packed);
        }
        let every: Vec<u8> = (0..=255).collect();
        let text = quoted(&self.damaged(packed, &every));
        let rng = &mut self.rng;
        match rng.u8(..6) {
            0 => format!("return cmsgpack.unpack_one({text})"),
            1 => format!("return cmsgpack.unpack_one({text},{})", rng.i8(-1..8)),
            2 => format!("return cmsgpack.unpack_limit({text},{})", rng.i8(-1..4)),
            3 => format!("return cmsgpack.unpack_limit({text},{},{})", rng.i8(-1..4), rng.i8(-1..8)),
            _ => format!("return cmsgpack.unpack({text})"),
        }
    }

    fn message(&mut self, depth: usize, out: &mut Vec<u8>) {
        let rng = &mut self.rng;
        let some = |rng: &mut Rng, count: usize, out: &mut Vec<u8>| {
            out.extend(std::iter::repeat_with(|| rng.u8(..)).take(count));
        };
        match rng.u8(..if depth == 0 { 12 } else { 20 }) {
            0 => out.push(rng.u8(..0x80)),
            1 => out.push(rng.u8(0xe0..)),
            2 => out.push(rng.u8(0xc0..=0xc3)),
            3..7 => {
                let tag = rng.u8(0xcc..=0xd3);
                out.push(tag);
                some(rng, 1 << (tag & 3), out);
            }
            7 => {
                let tag = rng.u8(0xca..=0xcb);
                out.push(tag);
                some(rng, if tag == 0xca { 4 } else { 8 }, out);
            }
            8..11 => {
                let length = rng.u8(..10);
                let head: &[u8] = match rng.u8(..5) {
                    0 => &[0xd9, length],
                    1 => &[0xda, 0, length],
                    2 => &[0xdb, 0, 0, 0, length],
                    _ => &[0xa0 | length],
                };
                out.extend_from_slice(head);
                some(rng, usize::from(length), out);
            }
            11 => out.push(rng.u8(..)),
            12..17 => {
                let count = rng.u8(..5);
                let head: &[u8] = match rng.u8(..4) {
                    0 => &[0xdc, 0, count],
                    1 => &[0xdd, 0, 0, 0, count],
                    _ => &[0x90 | count],
                };
                out.extend_from_slice(head);
                for _ in 0..count {
                    self.message(depth - 1, out);
                }
            }
            _ => {
                let count = rng.u8(..4);
                let head: &[u8] = match rng.u8(..4) {
                    0 => &[0xde, 0, count],
                    1 => &[0xdf, 0, 0, 0, count],
                    _ => &[0x80 | count],
                };
                out.extend_from_slice(head);
                for _ in 0..count {
                    // A key of a table's own, which would be another table each time, tells nothing by its name.
                    self.message(0, out);
                    self.message(depth - 1, out);
                }
            }
        }
    }

    fn format(&mut self) -> String {
        const OPTIONS: &[&str] = &[
            "b", "B", "h", "H", "l", "L", "T", "i", "I", "i", "I", "f", "d", "s", "c", "c", "x", " ", "<", ">", "!",
            "c0", "i3", "I5", "s", "bc0", "Bc0", "!4", "!8",
        ];
        const STRANGE: &[&str] = &["y", "?", "n", "i33", "!3", "!0", "c99", "i0", "c2147483648", "!64", "i99999999999"];
        let mut format = String::new();
        for _ in 0..self.rng.usize(..6) {
            let from = if self.rng.u8(..25) == 0 { STRANGE } else { OPTIONS };
            format.push_str(pick(&mut self.rng, from));
            if self.rng.u8(..8) == 0 {
                format.push_str(&self.rng.u8(..20).to_string());
            }
        }
        format
    }

    fn structure(&mut self) -> String {
        let format = self.format();
        let code = quoted(format.as_bytes());
        match self.rng.u8(..8) {
            0 => format!("return struct.size({code})"),
            1..5 => {
                // An argument that suits each option that takes one, most often.
                let arguments: Vec<String> = format
                    .bytes()
                    .filter(|option| option.is_ascii_alphabetic() && *option != b'x')
                    .map(|option| {
                        let text = matches!(option, b's' | b'c') != (self.rng.u8(..40) == 0);
                        if text { quoted(&bytes(&mut self.rng)) } else { number(&mut self.rng, true) }
                    })
                    .collect();
                let all = std::iter::once(code).chain(arguments).collect::<Vec<_>>().join(",");
                format!("return struct.pack({all})")
            }
            _ => {
                let count = self.rng.usize(..80);
                let zeros = self.rng.bool();
                let mut data: Vec<u8> = std::iter::repeat_with(|| self.rng.u8(..)).take(count).collect();
                if zeros {
                    data.iter_mut().for_each(|byte| *byte = if *byte < 128 { *byte & 3 } else { b'0' + (*byte & 3) });
                }
                let at = match self.rng.u8(..4) {
                    0 => format!(",{}", self.rng.i8(-1..20)),
                    _ => String::new(),
                };
                format!("return struct.unpack({code},{}{at})", quoted(&data))
            }
        }
    }

    fn bits(&mut self) -> String {
        let function = FUNCTIONS[self.rng.usize(17..FUNCTIONS.len())];
        let arguments: Vec<String> = (0..self.rng.usize(1..4)).map(|_| number(&mut self.rng, true)).collect();
        format!("return {function}({})", arguments.join(","))
    }

    /// Any function with any arguments, in one of the ways in which scripts call.
    fn any(&mut self) -> String {
        let function = pick(&mut self.rng, FUNCTIONS);
        let arguments: Vec<String> = (0..self.rng.usize(..4))
            .map(|_| match self.rng.u8(..8) {
                0 => pick(&mut self.rng, &["'on'", "'off'", "'null'", "true", "false", "'12'", "' 0x1f '"]).to_owned(),
                1..4 => self.rng.i8(-3..18).to_string(),
                _ => {
                    let any = value(&mut self.rng, 1, true);
                    if any.is_ordered { any.code } else { "{}".to_owned() }
                }
            })
            .collect();
        let all = arguments.join(",");
        let call = match self.rng.u8(..7) {
            0 => format!("local f = {function} return f({all})"),
            1 if all.is_empty() => format!("return pcall({function})"),
            1 => format!("return pcall({function},{all})"),
            // That would pack the library itself, in the order of a hash table.
            2 if function != "cmsgpack.pack" => format!("return {}({all})", function.replacen('.', ":", 1)),
            3 => format!("local x, y, z = {function}({all}) return x, y, z"),
            4 => format!("return ({function}({all}))"),
            5 => format!("return coroutine.wrap({function})({all})"),
            _ => format!("return {function}({all})"),
        };
        format!("local c = cjson.new() {call}")
    }
}
