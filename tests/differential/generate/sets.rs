//! Commands on sets.

use super::Generator;
use super::values::Use;

/// Counts of SRANDMEMBER.
const SAMPLES: &[&str] = &["0", "1", "2", "5", "100", "1000", "9223372036854775807", "-1", "-3", "-20"];

impl Generator {
    pub(super) fn set_command(&mut self) -> Vec<Vec<u8>> {
        let key = self.key(Use::Set);
        match self.rng.u32(0..148) {
            140..=147 => self.algebra(),
            0..=39 => self.sadd(key),
            100..=113 => self.algebra(),
            114..=119 => {
                let member = self.member();
                if self.percent(50) {
                    let connection = self.connection();
                    self.push(connection, vec![b"SADD".to_vec(), key.clone(), member.clone(), b"1".to_vec()]);
                }
                let arguments = vec![key, self.key(Use::Set), member];
                self.line("SMOVE", arguments)
            }
            120..=126 => self.spop(key),
            127..=133 => {
                let mut arguments = vec![key];
                if self.percent(75) {
                    arguments.push(if self.percent(5) { self.count() } else { self.pick(SAMPLES).into() });
                }
                self.line("SRANDMEMBER", arguments)
            }
            134..=139 => {
                let cursor = self.pick(&["0", "0", "0", "0", "0", "7", "x", "-1", ""]);
                let mut arguments = vec![key, cursor.into()];
                // TYPE is SCAN's alone, and an error here.
                arguments.extend(self.scan_options());
                self.line("SSCAN", arguments)
            }
            40..=59 => {
                let members = self.members();
                self.on_key("SREM", key, members)
            }
            60..=69 => {
                let member = self.member();
                self.on_key("SISMEMBER", key, vec![member])
            }
            70..=79 => {
                let members = self.members();
                self.on_key("SMISMEMBER", key, members)
            }
            80..=91 => self.line("SMEMBERS", vec![key]),
            _ => self.line("SCARD", vec![key]),
        }
    }

    /// What is made of several sets, at times of one of them twice, and stored in one of them.
    fn algebra(&mut self) -> Vec<Vec<u8>> {
        let count = self.pick(&[1, 2, 2, 2, 3, 3, 4, 5]);
        let connection = self.connection();
        let mut keys = Vec::new();
        for _ in 0..count {
            let key = if self.percent(85) { format!("t{}", self.rng.u32(0..4)).into() } else { self.key(Use::Set) };
            if self.percent(40) {
                // Without something in common there is little to see.
                self.push(connection, vec![b"DEL".to_vec(), key.clone()]);
                let line = self.sadd(key.clone());
                self.push(connection, line);
            }
            keys.push(key);
        }
        match self.rng.u32(0..10) {
            0..=3 => {
                let name = self.pick(&["SINTER", "SUNION", "SDIFF"]);
                self.line(name, keys)
            }
            4..=7 => {
                let name = self.pick(&["SINTERSTORE", "SUNIONSTORE", "SDIFFSTORE", "SDIFFSTORE"]);
                let destination = self.key(Use::Set);
                let encoding = self.line("OBJECT", vec![b"ENCODING".to_vec(), destination.clone()]);
                let line = self.on_key(name, destination, keys);
                self.push(connection, line);
                encoding
            }
            _ => {
                let number = if self.usually(95) { count.to_string().into_bytes() } else { self.integer() };
                let mut arguments = self.on_key("SINTERCARD", number, keys);
                if self.percent(50) {
                    arguments.push(self.case("LIMIT"));
                    arguments.push(if self.percent(80) {
                        self.pick(&["0", "1", "2", "100"]).into()
                    } else {
                        self.integer()
                    });
                }
                if self.percent(3) {
                    arguments.push(self.pick(&["LIMIT", "FOO", ""]).into());
                }
                arguments
            }
        }
    }

    /// SPOP of all members or of none, or an error: what chance would choose differs, and then what is left.
    fn spop(&mut self, key: Vec<u8>) -> Vec<Vec<u8>> {
        let mut arguments = vec![key];
        match self.rng.u32(0..10) {
            0..=5 => arguments.push(self.pick(&["100000", "9223372036854775807"]).into()),
            6 => arguments.push(b"0".to_vec()),
            7 => arguments.extend([b"1".to_vec(), b"1".to_vec()]),
            8 => arguments.push(self.pick(&["-1", "x", "", "9223372036854775808", "-0", "1.0"]).into()),
            _ => {
                // One that has one member.
                let connection = self.connection();
                let member = self.member();
                self.push(connection, vec![b"DEL".to_vec(), arguments[0].clone()]);
                self.push(connection, vec![b"SADD".to_vec(), arguments[0].clone(), member]);
                if self.percent(50) {
                    arguments.push(b"1".to_vec());
                }
            }
        }
        // Not to be damaged: without its count it would take what chance chooses.
        let (connection, key, line) = (self.connection(), arguments[0].clone(), self.line("SPOP", arguments));
        self.push(connection, line);
        self.line("EXISTS", vec![key])
    }

    /// A count that may be anything but a large negative number, which would be the length of the reply.
    fn count(&mut self) -> Vec<u8> {
        let count = self.integer();
        let number = std::str::from_utf8(&count).ok().and_then(|text| text.parse::<i64>().ok());
        if number.is_some_and(|number| (-i64::MAX..-100).contains(&number)) { b"-9".to_vec() } else { count }
    }

    /// SADD: of some members, or at times of so many that a threshold between two representations is near.
    pub(super) fn sadd(&mut self, key: Vec<u8>) -> Vec<Vec<u8>> {
        if self.percent(15) {
            // It may have become something else.
            let connection = self.connection();
            self.push(connection, vec![b"DEL".to_vec(), key.clone()]);
        }
        let members = match self.rng.u32(0..100) {
            0..=3 => {
                let count = self.pick(&[127, 128, 129, 511, 512, 513]);
                let first = self.rng.i64(-300..300);
                let prefix = self.pick(&["", "", "m"]);
                (first..first + count).map(|number| format!("{prefix}{number}").into_bytes()).collect()
            }
            _ => self.members(),
        };
        self.on_key("SADD", key, members)
    }

    fn members(&mut self) -> Vec<Vec<u8>> {
        let count = match self.rng.u32(0..100) {
            0..=1 => 20,
            2..=39 => 1,
            _ => self.rng.usize(2..9),
        };
        (0..count).map(|_| self.member()).collect()
    }

    /// A member of a small population: integers of all widths, words, and lengths around those of the settings.
    pub(super) fn member(&mut self) -> Vec<u8> {
        match if self.integers { self.pick(&[0, 0, 0, 85]) } else { self.rng.u32(0..100) } {
            0..=49 => self.rng.i64(-2..8).to_string().into_bytes(),
            50..=84 => format!("m{}", self.rng.u32(0..8)).into_bytes(),
            85..=89 => {
                let widths = [-32_769, -32_768, 32_767, 32_768, 1 << 31, -(1 << 31) - 1, i64::MAX, i64::MIN];
                self.pick(&widths).to_string().into_bytes()
            }
            90..=93 => {
                let length = self.pick(&[63, 64, 65]);
                vec![b'l'; length]
            }
            _ => self.value(Use::Any),
        }
    }
}
