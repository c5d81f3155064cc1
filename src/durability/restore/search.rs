//! The commands of the log that match a pattern.

use std::convert::Infallible;
use std::path::Path;

use crate::base::glob;
use crate::base::quoting::quoted;
use crate::log::inspect::{Damage, Inspection};
use crate::log::reader::FrameAt;
use crate::log::{FrameKind, LogError};
use crate::resp;

/// So many of the matches are told, the last ones.
pub const MATCHES_TOLD: usize = 10;

/// Bytes of a command that are told.
const SHOWN: usize = 200;

/// A command that matches.
#[derive(Clone, Debug)]
pub struct Match {
    /// Where it begins in the stream.
    pub offset: u64,
    /// Where the transaction begins that it is part of, or else it.
    pub unit_offset: u64,
    /// When it was written, in milliseconds since the Unix epoch.
    pub wall_ms: u64,
    /// As `ackd log` prints it, shortened.
    pub command: String,
}

/// The commands that match.
#[derive(Clone, Debug, Default)]
pub struct Matches {
    /// How many.
    pub count: u64,
    /// The last ones, oldest first.
    pub told: Vec<Match>,
    /// Where the log is damaged: a later match behind it is not seen.
    pub damage: Option<Damage>,
}

/// Commands that match `pattern`, behind the oldest state that can be brought back.
pub(super) fn search(directory: &Path, pattern: &[u8]) -> Result<Matches, LogError> {
    let inspection = Inspection::open(directory, 0)?;
    let pattern = Pattern::new(pattern);
    let mut matches = Matches::default();
    let snapshots = inspection.manifest().map(|m| m.snapshots.clone()).unwrap_or_default();
    let is_whole = inspection.begins_at_zero();
    // Where the log is damaged, it is gone on with at the next snapshot behind.
    let beginnings = is_whole.then_some(None).into_iter().chain(snapshots.iter().map(|s| Some(s.place)));
    let mut reached = 0;
    for (number, beginning) in beginnings.enumerate() {
        if number > 0 && beginning.is_some_and(|place| place.offset <= reached) {
            continue;
        }
        let Ok((outcome, damage)) = inspection.read_behind(beginning, |frame| {
            matches.frame(frame, &pattern);
            Ok::<_, Infallible>(())
        });
        reached = outcome.end.offset;
        let is_over = damage.is_none();
        matches.damage = matches.damage.take().or(damage.map(Damage::without_consequence));
        if is_over {
            break;
        }
    }
    Ok(matches)
}

impl Matches {
    fn frame(&mut self, frame: &FrameAt<'_>, pattern: &Pattern) {
        if frame.header.kind != FrameKind::Effects {
            return;
        }
        let mut transaction = None;
        for command in resp::commands(frame.payload).map_while(Result::ok) {
            let offset = frame.header.offset + command.at as u64;
            let words = command.arguments.as_slice();
            let is_named = |name: &str| words.first().is_some_and(|word| word.eq_ignore_ascii_case(name.as_bytes()));
            if is_named("MULTI") {
                transaction = Some(offset);
            }
            // What only says in which database the next one is belongs to that one.
            if !is_named("SELECT") && pattern.takes(words) {
                let mut text = words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ");
                if text.len() > SHOWN {
                    text.truncate(text.floor_char_boundary(SHOWN));
                    text.push('…');
                }
                self.push(Match {
                    offset,
                    unit_offset: transaction.unwrap_or(offset),
                    wall_ms: frame.header.wall_ms,
                    command: text,
                });
            }
            if is_named("EXEC") {
                transaction = None;
            }
        }
    }

    fn push(&mut self, found: Match) {
        // Damage before it hides no later one.
        self.damage = None;
        self.count += 1;
        if self.told.len() == MATCHES_TOLD {
            self.told.remove(0);
        }
        self.told.push(found);
    }
}

/// A glob over a command: over its words with blanks between them, or as `ackd log` quotes them. The case of the command's
/// name does not count. It may end before the last words.
struct Pattern(Vec<u8>);

impl Pattern {
    fn new(pattern: &[u8]) -> Self {
        let mut pattern = pattern.trim_ascii().to_vec();
        raise_name(&mut pattern);
        Self(pattern)
    }

    fn takes(&self, words: &[&[u8]]) -> bool {
        let quoted = words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ").into_bytes();
        let plain = words.join(&b' ');
        [plain, quoted].into_iter().any(|mut text| {
            raise_name(&mut text);
            let longer = [&self.0[..], b" *"].concat();
            glob::matches(&self.0, &text) || glob::matches(&longer, &text)
        })
    }
}

/// The first word in capitals.
fn raise_name(text: &mut [u8]) {
    let end = text.iter().position(|byte| *byte == b' ').unwrap_or(text.len());
    text[..end].make_ascii_uppercase();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_over_words_or_quoted_words_and_may_end_early() {
        let takes = |pattern: &str, words: &[&str]| {
            let words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
            Pattern::new(pattern.as_bytes()).takes(&words)
        };
        for pattern in
            ["FLUSHALL", "flushall", "flush*", "*", "FLUSHALL async", "\"FLUSHALL\" \"async\"", "\"flushall\""]
        {
            assert!(takes(pattern, &["FlushAll", "async"]), "{pattern}");
        }
        for pattern in ["FLUSH", "FLUSHDB", "async", "FLUSHALL ASYNC", "FLUSHALL a"] {
            assert!(!takes(pattern, &["FLUSHALL", "async"]), "{pattern}");
        }
        assert!(takes("del user:*", &["DEL", "user:1", "user:2"]) && !takes("del user:*", &["DEL", "User:1"]));
    }
}
