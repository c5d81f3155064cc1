//! DEBUG POPULATE: many string keys at once. Their effects are logged, so that the log and the keyspace agree.

use crate::base::number;
use crate::command::{Ctx, Failure, parse};
use crate::keyspace::{self, Entry};

/// Keys a logged command: few bytes a key, and no command of unbounded length.
const KEYS_AN_EFFECT: usize = 256;

/// What a key needs in the log besides its bytes: lengths of key and value, line ends, and the digits in both.
const BYTES_A_KEY: u64 = 96;

/// The most bytes that a DEBUG request may add to the log, if it adds any.
pub fn log_cost(arguments: &[&[u8]]) -> Option<u64> {
    let [_, name, count, rest @ ..] = arguments else { return None };
    if !name.eq_ignore_ascii_case(b"populate") {
        return None;
    }
    let number = |word: &&[u8]| number::parse_i64(word).and_then(|number| u64::try_from(number).ok()).unwrap_or(0);
    let prefix = rest.first().map_or(0, |prefix| prefix.len() as u64);
    let size = rest.get(1).map_or(0, number);
    Some(number(count).saturating_mul(prefix.saturating_add(size).saturating_add(BYTES_A_KEY)))
}

/// DEBUG POPULATE count [prefix] [size]
pub(super) fn run(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Result<(), Failure> {
    let count = parse::integer_in(words[0], 0, i64::MAX).map_err(|_| OUT_OF_RANGE)?;
    let prefix = words.get(1).copied().unwrap_or(b"key");
    let size = match words.get(2) {
        Some(size) => parse::integer_in(size, 0, i64::MAX).map_err(|_| OUT_OF_RANGE)?,
        None => 0,
    };
    let db = ctx.client.db;
    let mut made: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    for number in 0..count {
        let key = [prefix, b":", number.to_string().as_bytes()].concat();
        let hash = keyspace::hash(&key);
        if ctx.write(&key).is_some() {
            continue;
        }
        let mut value = format!("value:{number}").into_bytes();
        if size > 0 {
            value.resize(size as usize, 0);
        }
        let entry = Entry::plain_string(&key, &value, None);
        entry.set_used(ctx.engine.access.fresh());
        ctx.db().insert(hash, entry);
        ctx.modified(&key);
        made.push((key, value));
        if made.len() == KEYS_AN_EFFECT {
            log(ctx, db, &mut made);
        }
    }
    log(ctx, db, &mut made);
    ctx.counts_as(0);
    ctx.reply.ok();
    Ok(())
}

const OUT_OF_RANGE: Failure = Failure::fixed("ERR value is out of range, must be positive");

fn log(ctx: &mut Ctx<'_>, db: usize, made: &mut Vec<(Vec<u8>, Vec<u8>)>) {
    if made.is_empty() {
        return;
    }
    let pairs = made.iter().flat_map(|(key, value)| [key.as_slice(), value.as_slice()]);
    let command: Vec<&[u8]> = std::iter::once(&b"MSET"[..]).chain(pairs).collect();
    ctx.effect_in(db, &command);
    made.clear();
}
