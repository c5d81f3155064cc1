//! Commands on sets.

use super::Generator;
use super::values::Use;

impl Generator {
    pub(super) fn set_command(&mut self) -> Vec<Vec<u8>> {
        let key = self.key(Use::Set);
        match self.rng.u32(0..100) {
            0..=39 => self.sadd(key),
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
    fn member(&mut self) -> Vec<u8> {
        match self.rng.u32(0..100) {
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
