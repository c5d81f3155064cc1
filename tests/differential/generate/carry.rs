//! Values that leave a server with DUMP and come back with RESTORE.

use super::super::step::Step;
use super::Generator;

impl Generator {
    /// DUMP of a key and RESTORE of what it gave, with the options that RESTORE has.
    pub(super) fn carry(&mut self) {
        let connection = self.connection();
        if self.in_transaction[connection] {
            // Neither server would show its payload.
            return;
        }
        let (from, to) = (self.any_key(), self.any_key());
        let absolute = self.percent(30);
        let ttl = if self.percent(50) { b"0".to_vec() } else { self.expiry(absolute, true) };
        let mut options = Vec::new();
        if absolute {
            options.push(self.case("ABSTTL"));
        }
        if self.percent(70) {
            options.push(self.case("REPLACE"));
        }
        if self.percent(15) {
            let number = self.pick(&["0", "1", "100", "255", "256", "-1", "1000000", "x", "9223372036854775807"]);
            let name = self.pick(&["IDLETIME", "FREQ"]);
            options.extend([self.case(name), number.into()]);
        }
        if self.percent(4) {
            options.push(self.pick(&["FOO", "", "IDLETIME", "FREQ", "NX"]).into());
        }
        self.rng.shuffle(&mut options[..]);
        let own = self.rng.bool();
        let damage = self.percent(10).then(|| self.rng.usize(..64));
        self.steps.push(Step::Carry { connection, from, to, ttl, options, own, damage });
    }
}
