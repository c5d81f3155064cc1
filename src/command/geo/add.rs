//! GEOADD, which is ZADD with positions for scores, and is logged as that.

use super::super::Ctx;
use super::super::failure::{self, Failure};
use super::position;
use crate::command::zsets::add::zadd;

/// GEOADD key [NX | XX] [CH] longitude latitude member [longitude latitude member …]
pub fn geoadd(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let is = |word: &[u8], name: &str| word.eq_ignore_ascii_case(name.as_bytes());
    let is_option = |word: &&&[u8]| ["NX", "XX", "CH"].iter().any(|name| is(word, name));
    let options = arguments[2..].iter().take_while(is_option).count();
    let (options, places) = arguments[2..].split_at(options);
    let has = |name: &str| options.iter().any(|word| is(word, name));
    if places.len() % 3 != 0 || (has("NX") && has("XX")) {
        return Err(failure::SYNTAX);
    }
    let mut scores = Vec::with_capacity(places.len() / 3);
    for place in places.chunks_exact(3) {
        scores.push(position(place[0], place[1])?.bits().to_string());
    }
    let mut words: Vec<&[u8]> = vec![b"ZADD", arguments[1]];
    words.extend(options);
    for (score, place) in scores.iter().zip(places.chunks_exact(3)) {
        words.extend([score.as_bytes(), place[2]]);
    }
    zadd(ctx, &words)?;
    if ctx.dirty() > 0 {
        ctx.effect(&words);
    }
    Ok(())
}
