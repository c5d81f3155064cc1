//! The table of settings, by section.
//!
//! Everything comes from here: CONFIG GET/SET/REWRITE, the command line, the configuration file, `--help` and
//! `docs/configuration.md`. The names are those of Redis 7.2, all of them, and ackd's own.

mod copies;
mod data;
mod limits;
mod process;
mod serving;

use super::setting::Setting;
use std::collections::HashMap;
use std::sync::LazyLock;

/// Settings that belong together.
#[derive(Debug)]
pub struct Section {
    /// The heading.
    pub title: &'static str,
    /// The rows.
    pub settings: &'static [Setting],
}

/// All sections, in the order in which the documentation shows them.
pub static SECTIONS: [&Section; 17] = [
    &serving::NETWORK,
    &serving::SECURITY,
    &serving::CLIENTS,
    &data::DURABILITY,
    &data::SNAPSHOTS,
    &data::APPEND_ONLY_FILE,
    &limits::MEMORY,
    &limits::EXPIRY,
    &limits::ENCODINGS,
    &limits::OBSERVATION,
    &limits::SCRIPTS,
    &process::PROCESS,
    &process::LOGGING,
    &copies::REPLICATION,
    &copies::CLUSTER,
    &copies::TLS,
    &process::INTERNALS,
];

/// Lines of a configuration file that are no settings: they cannot be read or changed at run time.
pub const DIRECTIVES: [Directive; 5] = [
    Directive { name: "include", words: 1, built: true, exception: "" },
    Directive { name: "loadmodule", words: 1, built: false, exception: "" },
    Directive { name: "user", words: 1, built: true, exception: "" },
    Directive { name: "rename-command", words: 2, built: true, exception: "" },
    Directive { name: "sentinel", words: 1, built: false, exception: "" },
];

/// See [`DIRECTIVES`].
#[derive(Clone, Copy, Debug)]
pub struct Directive {
    /// In lower case.
    pub name: &'static str,
    /// How many words must follow at least.
    pub words: usize,
    /// Whether ackd does what it says, or has to refuse the file.
    pub built: bool,
    /// What is nevertheless accepted, as a sentence; empty for nothing.
    pub exception: &'static str,
}

static ALL: LazyLock<Vec<&'static Setting>> =
    LazyLock::new(|| SECTIONS.iter().flat_map(|section| section.settings).collect());

static BY_NAME: LazyLock<HashMap<&'static str, usize>> = LazyLock::new(|| {
    let named = |(index, setting): (usize, &&'static Setting)| setting.names().map(move |name| (name, index));
    ALL.iter().enumerate().flat_map(named).collect()
});

/// All settings; a value's place is its setting's.
pub fn settings() -> &'static [&'static Setting] {
    &ALL
}

/// The place of the setting with this name or alias, compared without case.
pub fn index_of(name: &[u8]) -> Option<usize> {
    let name = std::str::from_utf8(name).ok()?.to_ascii_lowercase();
    BY_NAME.get(name.as_str()).copied()
}

/// The known name that is nearest to a misspelt one, if any is near.
pub fn nearest(name: &str) -> Option<&'static str> {
    let name = name.to_ascii_lowercase();
    let known = ALL.iter().filter(|setting| !setting.hidden).flat_map(|setting| setting.names());
    let best = known.map(|known| (distance(&name, known), known)).min()?;
    (best.0 <= 1 + name.len() / 4).then_some(best.1)
}

/// The number of letters to add, drop, change or swap with their neighbour to get from one word to the other.
fn distance(a: &str, b: &str) -> usize {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let changed = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = changed.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(before_last[j - 2] + 1);
            }
            row.push(best);
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_name_stands_once_and_every_default_reads_back() {
        let mut seen = HashSet::new();
        for (index, setting) in settings().iter().enumerate() {
            for name in setting.names() {
                assert!(seen.insert(name), "{name} stands twice");
                assert_eq!(index_of(name.to_uppercase().as_bytes()), Some(index));
            }
            assert!(setting.about.ends_with('.'), "{}", setting.name);
            let value = setting.default_value();
            assert_eq!(setting.read(&value, &setting.show(&value)), Ok(value.clone()), "{}", setting.name);
            setting.redis_default_value();
        }
        assert_eq!(index_of(b"nope"), None);
    }

    #[test]
    fn a_misspelt_name_finds_its_neighbour() {
        assert_eq!(nearest("appendfsnyc"), Some("appendfsync"));
        assert_eq!(nearest("max-clients"), Some("maxclients"));
        assert_eq!(nearest("zzzzzzzzzz"), None);
    }
}
