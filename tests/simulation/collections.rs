//! Commands on lists, sets, hashes, sorted sets and streams, those that wait included.
//!
//! Said to be looked at is only what a command looks at in any case: what comes second may not be reached, if the first is
//! of another type or has what was looked for.

use super::command::{Generator, Request, Touch, plain, words};
use super::model::KEYS;

/// Families, each with the keys that mostly hold its values.
const FAMILIES: u8 = 5;

impl Generator {
    /// A command on values that are no strings.
    pub(super) fn on_collections(&mut self, rng: &mut fastrand::Rng, one: (usize, &[u8]), b: &[u8]) -> Request {
        let (slot, a) = one;
        let home = (slot % KEYS) as u8 % FAMILIES;
        let list = match if rng.u8(..4) == 0 { rng.u8(..FAMILIES) } else { home } {
            0 => self.on_lists(rng, a, b),
            1 => on_sets(rng, a, b),
            2 => self.on_hashes(rng, a),
            3 => on_zsets(rng, a, b),
            _ => self.on_streams(rng, a, b),
        };
        plain(list, Touch::Slots(vec![slot]))
    }

    fn short_value(&mut self, rng: &mut fastrand::Rng) -> Vec<u8> {
        let mut value = self.value(rng);
        value.truncate(300);
        value
    }

    fn on_lists(&mut self, rng: &mut fastrand::Rng, a: &[u8], b: &[u8]) -> Vec<Vec<u8>> {
        let value = self.short_value(rng);
        let timeout = seconds(rng);
        match rng.u8(..17) {
            0..=3 => words(&[b"RPUSH", a, &value, b"x"]),
            4 => words(&[b"LPUSH", a, &value]),
            5 => words(&[b"LPOP", a]),
            6 => words(&[b"RPOP", a, b"2"]),
            7 => words(&[b"LMOVE", a, b, b"LEFT", b"RIGHT"]),
            8 => words(&[b"LRANGE", a, b"0", b"-1"]),
            9 => words(&[b"LTRIM", a, b"1", b"-1"]),
            10 => words(&[b"LREM", a, b"1", b"x"]),
            11 => words(&[b"LINSERT", a, b"BEFORE", b"x", &value]),
            12..=13 => words(&[b"BLPOP", a, b, &timeout]),
            14 => words(&[b"BLMPOP", &timeout, b"2", a, b, b"RIGHT", b"COUNT", b"2"]),
            15 => words(&[b"SORT", a, b"ALPHA", b"STORE", b]),
            _ => words(&[b"BLMOVE", a, b, b"LEFT", b"RIGHT", &timeout]),
        }
    }

    fn on_hashes(&mut self, rng: &mut fastrand::Rng, a: &[u8]) -> Vec<Vec<u8>> {
        let value = self.short_value(rng);
        let (field, ttl) = (name(rng, b'f'), number(rng.u64(1..3_000)));
        match rng.u8(..12) {
            0..=2 => words(&[b"HSET", a, &field, &value, b"n", b"1"]),
            3 => words(&[b"HDEL", a, &field]),
            4 => words(&[b"HINCRBY", a, b"n", b"3"]),
            5 => words(&[b"HINCRBYFLOAT", a, b"n", b"0.1"]),
            6 => words(&[b"HGETALL", a]),
            7..=8 => words(&[b"HPEXPIRE", a, &ttl, b"FIELDS", b"2", &field, b"n"]),
            9 => words(&[b"HPERSIST", a, b"FIELDS", b"1", &field]),
            10 => words(&[b"HGETEX", a, b"PX", &ttl, b"FIELDS", b"1", &field]),
            _ => words(&[b"HGETDEL", a, b"FIELDS", b"1", &field]),
        }
    }

    fn on_streams(&mut self, rng: &mut fastrand::Rng, a: &[u8], b: &[u8]) -> Vec<Vec<u8>> {
        let value = self.short_value(rng);
        let (consumer, block) = (name(rng, b'c'), number(rng.u64(1..300)));
        // Ids of a time that has not come: `*` follows them, so that others can be guessed.
        let [id, other] = [0; 2].map(|_| format!("4000000000000-{}", rng.u8(..12)).into_bytes());
        match rng.u8(..30) {
            0..=1 => words(&[b"XADD", a, b"*", b"field", &value]),
            2..=3 => words(&[b"XADD", a, b"4000000000000-*", b"field", &value]),
            4 => words(&[b"XADD", a, b"MAXLEN", b"~", b"3", b"*", b"field", &value]),
            5..=6 => words(&[b"XGROUP", b"CREATE", a, b"g", b"0", b"MKSTREAM"]),
            7..=9 => words(&[b"XREADGROUP", b"GROUP", b"g", &consumer, b"COUNT", b"2", b"STREAMS", a, b">"]),
            10 => words(&[b"XREADGROUP", b"GROUP", b"g", &consumer, b"BLOCK", &block, b"STREAMS", a, b, b">", b">"]),
            11 => words(&[b"XREADGROUP", b"GROUP", b"g", &consumer, b"STREAMS", a, b"0"]),
            12 => words(&[b"XAUTOCLAIM", a, b"g", &consumer, b"0", b"0", b"COUNT", b"2"]),
            13 => words(&[b"XREAD", b"BLOCK", &block, b"STREAMS", a, b, b"$", b"$"]),
            14 => words(&[b"XTRIM", a, b"MAXLEN", b"2"]),
            15 => words(&[b"XPENDING", a, b"g"]),
            16 => words(&[b"XGROUP", b"DELCONSUMER", a, b"g", &consumer]),
            17..=18 => words(&[b"XACK", a, b"g", &id, &other]),
            19..=20 => words(&[b"XCLAIM", a, b"g", &consumer, b"0", &id, &other]),
            21 => words(&[b"XCLAIM", a, b"g", &consumer, b"0", &id, b"FORCE", b"RETRYCOUNT", b"7", b"JUSTID"]),
            22 => words(&[b"XDEL", a, &id, &other]),
            23 => words(&[b"XSETID", a, b"4000000000000-11", b"ENTRIESADDED", b"40"]),
            24 => words(&[b"XGROUP", b"SETID", a, b"g", &id, b"ENTRIESREAD", b"3"]),
            25 => words(&[b"XGROUP", b"DESTROY", a, b"g"]),
            26 => words(&[b"XREADGROUP", b"GROUP", b"g", &consumer, b"NOACK", b"STREAMS", a, b">"]),
            27 => words(&[b"XDELEX", a, b"ACKED", b"IDS", b"2", &id, &other]),
            28 => words(&[b"XACKDEL", a, b"g", b"DELREF", b"IDS", b"1", &id]),
            _ => words(&[b"XINFO", b"STREAM", a, b"FULL"]),
        }
    }
}

fn on_sets(rng: &mut fastrand::Rng, a: &[u8], b: &[u8]) -> Vec<Vec<u8>> {
    let (member, other) = (number(rng.u64(..9)), name(rng, b'm'));
    match rng.u8(..11) {
        0..=2 => words(&[b"SADD", a, &member, &other]),
        3 => words(&[b"SREM", a, &member]),
        4 => words(&[b"SPOP", a]),
        5 => words(&[b"SPOP", a, b"2"]),
        6 => words(&[b"SMOVE", a, b, &member]),
        7 => words(&[b"SMEMBERS", a]),
        8 => words(&[b"SRANDMEMBER", a]),
        9 => words(&[b"SUNION", a, b]),
        _ => words(&[b"SDIFFSTORE", a, b, a]),
    }
}

fn on_zsets(rng: &mut fastrand::Rng, a: &[u8], b: &[u8]) -> Vec<Vec<u8>> {
    let (member, score) = (name(rng, b'm'), format!("{}", f64::from(rng.u32(..40)) / 8.0).into_bytes());
    let timeout = seconds(rng);
    match rng.u8(..14) {
        0..=3 => words(&[b"ZADD", a, &score, &member, b"1", b"x"]),
        4 => words(&[b"ZINCRBY", a, &score, &member]),
        5 => words(&[b"ZREM", a, &member]),
        6 => words(&[b"ZPOPMIN", a]),
        7 => words(&[b"ZRANGE", a, b"0", b"-1", b"WITHSCORES"]),
        8 => words(&[b"ZREMRANGEBYSCORE", a, b"2", &score]),
        9 => words(&[b"ZRANGESTORE", b, a, b"0", b"1"]),
        10 => words(&[b"ZUNIONSTORE", a, b"2", a, b, b"WEIGHTS", b"0.1", b"0.3"]),
        11 => words(&[b"BZPOPMAX", a, b, &timeout]),
        12 => words(&[b"BZMPOP", &timeout, b"1", a, b"MIN", b"COUNT", b"2"]),
        _ => words(&[b"GEOADD", a, b"13.3", b"38.1", &member]),
    }
}

fn name(rng: &mut fastrand::Rng, letter: u8) -> Vec<u8> {
    vec![letter, b'0' + rng.u8(..4)]
}

fn number(number: u64) -> Vec<u8> {
    number.to_string().into_bytes()
}

/// How long a command waits.
fn seconds(rng: &mut fastrand::Rng) -> Vec<u8> {
    format!("{}", f64::from(rng.u32(1..300)) / 1000.0).into_bytes()
}
