//! Patterns of KEYS, SCAN MATCH, PSUBSCRIBE, CONFIG GET: `*`, `?`, `[a-z]`, `[^a]`, `\x`, over bytes.
//!
//! Every element but `*` takes exactly one byte, so it is enough to remember the last `*` when a match fails: the time
//! is at most the product of both lengths. The odd corners (unclosed classes, a pattern that ends in a backslash, a
//! `*` against nothing at all, signed ranges) are those of Redis, because clients can see them.

/// Redis gives up on patterns that would make it recurse deeper.
const MAX_STARS: usize = 1000;

/// Whether all of `text` matches `pattern`.
pub fn matches(pattern: &[u8], text: &[u8]) -> bool {
    match_with(pattern, text, |byte| byte)
}

/// The same without regard to the case of ASCII letters.
pub fn matches_ignoring_case(pattern: &[u8], text: &[u8]) -> bool {
    match_with(pattern, text, |byte| byte.to_ascii_lowercase())
}

fn match_with(pattern: &[u8], text: &[u8], fold: impl Fn(u8) -> u8 + Copy) -> bool {
    let (mut at, mut read) = (0, 0);
    // Behind the last star: where the pattern goes on, and where in the text it was last tried.
    let mut retry: Option<(usize, usize)> = None;
    let mut stars = 0;
    while at < pattern.len() && read < text.len() {
        if pattern[at] == b'*' {
            at += pattern[at..].iter().take_while(|&&byte| byte == b'*').count();
            if at == pattern.len() {
                return true;
            }
            stars += 1;
            if stars > MAX_STARS {
                return false;
            }
            retry = Some((at, read));
            continue;
        }
        let (next, found) = match_one(pattern, at, text[read], fold);
        if found {
            at = next;
            read += 1;
            if read == text.len() {
                at += pattern[at..].iter().take_while(|&&byte| byte == b'*').count();
            }
        }
        let failed = !found || (at == pattern.len() && read < text.len());
        if failed {
            let Some((resume, tried)) = retry else { return false };
            (at, read) = (resume, tried + 1);
            retry = Some((resume, tried + 1));
        }
    }
    at == pattern.len() && read == text.len()
}

/// Matches the element at `at`, which is not a star, with one byte; answers where the next element begins.
fn match_one(pattern: &[u8], at: usize, byte: u8, fold: impl Fn(u8) -> u8) -> (usize, bool) {
    match pattern[at] {
        b'?' => (at + 1, true),
        b'[' => match_class(pattern, at + 1, byte, fold),
        b'\\' if at + 1 < pattern.len() => (at + 2, fold(pattern[at + 1]) == fold(byte)),
        literal => (at + 1, fold(literal) == fold(byte)),
    }
}

fn match_class(pattern: &[u8], start: usize, byte: u8, fold: impl Fn(u8) -> u8) -> (usize, bool) {
    let negated = pattern.get(start) == Some(&b'^');
    let mut at = start + usize::from(negated);
    let mut found = false;
    loop {
        match &pattern[at.min(pattern.len())..] {
            [b'\\', escaped, ..] => {
                found |= *escaped == byte;
                at += 2;
            }
            [b']', ..] => return (at + 1, found != negated),
            // An unclosed class ends with the pattern.
            [] => return (pattern.len(), found != negated),
            [from, b'-', to, ..] => {
                let (from, to) = if (*from as i8) <= (*to as i8) { (*from, *to) } else { (*to, *from) };
                let signed = |byte: u8| fold(byte) as i8;
                found |= signed(from) <= signed(byte) && signed(byte) <= signed(to);
                at += 3;
            }
            [single, ..] => {
                found |= fold(*single) == fold(byte);
                at += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn yes(pattern: &str, text: &str) -> bool {
        matches(pattern.as_bytes(), text.as_bytes())
    }

    #[test]
    fn every_element_matches_what_it_stands_for() {
        assert!(yes("h?llo", "hallo") && !yes("h?llo", "hllo"));
        assert!(yes("h*llo", "hllo") && yes("h*llo", "heeeello"));
        assert!(yes("h[ae]llo", "hello") && !yes("h[ae]llo", "hillo"));
        assert!(yes("h[^e]llo", "hallo") && !yes("h[^e]llo", "hello"));
        assert!(yes("h[a-b]llo", "hbllo") && yes("h[b-a]llo", "hallo") && !yes("h[a-b]llo", "hcllo"));
        assert!(yes("a\\*", "a*") && !yes("a\\*", "ab"));
        assert!(yes("*foo*bar", "xfoofoobar") && !yes("*foo*bar", "foobarx"));
        assert!(matches_ignoring_case(b"H[A-C]*", b"hbX") && !matches(b"H*", b"hb"));
    }

    #[test]
    fn the_odd_corners_are_those_of_redis() {
        assert!(yes("", "") && !yes("*", "") && !yes("**", ""));
        assert!(yes("a**", "a") && yes("[^", "x") && !yes("[", "[") && yes("[a-", "a"));
        assert!(yes("\\", "\\") && !yes("[\\", "x") && yes("[\\", "\\"));
        assert!(yes("[[]", "[") && yes("[\\]]", "]"));
        // Bytes above 0x7f count as negative in a range.
        assert!(matches(b"[\xf0-a]", b"0") && !matches(b"[a-\xff]", b"z"));
    }

    #[test]
    fn many_stars_take_no_exponential_time() {
        let pattern = "a*".repeat(400) + "b";
        assert!(!yes(&pattern, &"a".repeat(20_000)));
        assert!(yes(&("a*".repeat(900) + "a"), &"a".repeat(1000)) && !yes(&("*a".repeat(1001)), &"a".repeat(1001)));
    }
}
