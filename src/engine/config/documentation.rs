//! `docs/configuration.md`, made from the table.

use super::setting::{Change, Class, Kind, Setting};
use super::table::{DIRECTIVES, SECTIONS};
use std::fmt::Write;

const INTRODUCTION: &str = "\
# Configuration

<!-- Made from the table in src/engine/config/table/ by the test that checks it.
     To make it anew: ACKD_WRITE_DOCS=1 cargo test --lib configuration -->

ackd reads settings from a file in the syntax of `redis.conf`, from standard input, and from the command line; later ones
win. `CONFIG GET`, `CONFIG SET` and `CONFIG REWRITE` read, change and keep them while it runs.

    ackd                                        # defaults, data in ./ackd-data
    ackd redis.conf --port 7000 --appendfsync everysec
    echo 'port 7000' | ackd -

All settings of Redis 7.2 are known. What becomes of them here:

| here | meaning |
|---|---|
| effective | does what it says |
| remembered | is kept and can be read back, without effect: it tunes what ackd does not have, or does not have yet. A value other than Redis' default is named in a warning |
| not built | would protect, limit or give a role, and is missing: a value other than Redis' default stops the start, and `CONFIG SET` refuses it |

Memory sizes take `k` (1000), `kb` (1024), `m`, `mb`, `g`, `gb`. Changes: *anytime* with `CONFIG SET`; *start*: in the file
or on the command line only; *protected*: also with `CONFIG SET` if `enable-protected-configs` allows it. Setting a setting
to the value that it has is always accepted.
";

/// The text of the file.
pub fn configuration() -> String {
    let mut text = String::from(INTRODUCTION);
    for section in SECTIONS {
        write_section(&mut text, section.title, section.settings);
    }
    text.push_str("\n## Directives that are no settings\n\n");
    for directive in DIRECTIVES {
        let what = if directive.built { "works as in Redis" } else { "stops the start: ackd does not have it yet" };
        let line = format!("- `{}` {what}. {}", directive.name, directive.exception);
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

fn write_section(text: &mut String, title: &str, settings: &[Setting]) {
    let _ =
        write!(text, "\n## {title}\n\n| setting | values | default | changes | here | |\n|---|---|---|---|---|---|\n");
    for setting in settings {
        let alias = setting.alias.map(|alias| format!(", `{alias}`")).unwrap_or_default();
        let change = match setting.change {
            Change::Anytime => "anytime",
            Change::AtStart => "start",
            Change::Protected => "protected",
        };
        let class = match setting.class {
            Class::Effective => "effective",
            Class::Remembered => "remembered",
            Class::NotBuilt => "not built",
        };
        let default = if setting.default.is_empty() { "`\"\"`".into() } else { format!("`{}`", setting.default) };
        let hidden = if setting.hidden { " Not listed by patterns." } else { "" };
        let redis = setting.redis_default.map(|value| format!(" Redis' default is `{value}`.")).unwrap_or_default();
        let _ = writeln!(
            text,
            "| `{}`{alias} | {} | {default} | {change} | {class} | {}{redis}{hidden} |",
            setting.name,
            values(setting.kind),
            setting.about,
        );
    }
}

fn values(kind: Kind) -> String {
    let limit = |value: i64| match value {
        i64::MAX => "…".into(),
        _ => value.to_string(),
    };
    match kind {
        Kind::Toggle => "yes, no".into(),
        Kind::Number(min, max) => format!("{} to {}", limit(min), limit(max)),
        Kind::Memory(0, _) => "bytes".into(),
        Kind::Memory(min, _) => format!("bytes, at least {min}"),
        Kind::MemoryOrPercent => "bytes or percent of `maxmemory`".into(),
        Kind::Octal(max) => format!("octal, up to {max:o}"),
        Kind::Choice(choices) => words(choices, ", "),
        Kind::Flags(choices) => format!("one or several of {}", words(choices, ", ")),
        Kind::Text => "text".into(),
        Kind::Path => "path".into(),
        Kind::Composite(_) => "words".into(),
    }
}

fn words(choices: &[(&str, u8)], separator: &str) -> String {
    choices.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(separator)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_document_is_that_of_the_table() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/configuration.md");
        if std::env::var_os("ACKD_WRITE_DOCS").is_some() {
            std::fs::create_dir_all(concat!(env!("CARGO_MANIFEST_DIR"), "/docs")).unwrap();
            std::fs::write(path, configuration()).unwrap();
        }
        let present = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            present == configuration(),
            "docs/configuration.md is stale; ACKD_WRITE_DOCS=1 cargo test --lib configuration"
        );
    }
}
