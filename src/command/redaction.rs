//! What of a command others may see: MONITOR and SLOWLOG show no passwords.

use smallvec::SmallVec;

use super::spec::Spec;
use crate::engine::config::Config;

/// What stands in the place of a secret.
const REDACTED: &[u8] = b"(redacted)";

/// The words of a command as others may see them.
pub type Shown<'a> = SmallVec<[&'a [u8]; 8]>;

/// A command without its secrets.
pub fn shown<'a>(spec: &Spec, words: &[&'a [u8]]) -> Shown<'a> {
    let mut shown = Shown::from_slice(words);
    match spec.name {
        "auth" => hide(&mut shown, 1, usize::MAX),
        "acl|setuser" | "acl|getuser" | "acl|deluser" => hide(&mut shown, 2, usize::MAX),
        "config|set" => {
            for at in (2..words.len()).step_by(2) {
                if Config::is_secret(words[at]) {
                    hide(&mut shown, at + 1, 1);
                }
            }
        }
        "hello" => hide_options(&mut shown, words, 2, &[("AUTH", 2)]),
        "migrate" => hide_options(&mut shown, words, 6, &[("AUTH", 1), ("AUTH2", 2)]),
        _ => {}
    }
    shown
}

/// Hides what stands behind options, each of which has so many secrets. Behind KEYS there are no options.
fn hide_options(shown: &mut Shown<'_>, words: &[&[u8]], from: usize, secrets: &[(&str, usize)]) {
    let mut at = from;
    while let Some(word) = words.get(at) {
        if word.eq_ignore_ascii_case(b"KEYS") {
            return;
        }
        let option = secrets.iter().find(|(name, _)| word.eq_ignore_ascii_case(name.as_bytes()));
        let count = option.map_or(0, |(_, count)| *count);
        hide(shown, at + 1, count);
        at += 1 + count;
    }
}

fn hide(shown: &mut Shown<'_>, from: usize, count: usize) {
    shown.iter_mut().skip(from).take(count).for_each(|word| *word = REDACTED);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::table;

    #[test]
    fn no_password_is_shown() {
        for (line, expected) in [
            ("AUTH pw", "AUTH (redacted)"),
            ("auth user pw", "auth (redacted) (redacted)"),
            ("HELLO 3 AUTH user pw SETNAME auth", "HELLO 3 AUTH (redacted) (redacted) SETNAME auth"),
            ("HELLO 3 AUTH user", "HELLO 3 AUTH (redacted)"),
            ("CONFIG SET maxclients 10 requirepass pw", "CONFIG SET maxclients 10 requirepass (redacted)"),
            ("config set MASTERAUTH pw hz 10 x", "config set MASTERAUTH (redacted) hz 10 x"),
            ("MIGRATE h 1 k 0 9 COPY auth pw", "MIGRATE h 1 k 0 9 COPY auth (redacted)"),
            ("MIGRATE h 1 k 0 9 AUTH2 u pw KEYS AUTH k", "MIGRATE h 1 k 0 9 AUTH2 (redacted) (redacted) KEYS AUTH k"),
            ("SET auth pw", "SET auth pw"),
        ] {
            let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
            let row = table::resolve(&words).unwrap();
            assert_eq!(shown(row.spec, &words).join(&b' '), expected.as_bytes(), "{line}");
        }
    }
}
