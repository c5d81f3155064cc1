//! The command table: all rows, and the way from a request's words to its row.
//!
//! Dispatch asks once a request, so a lookup is one multiplication, one or two probes into a table that the compiler
//! built, and one comparison; it allocates nothing. Rows are numbered densely, so that statistics are a plain array.

mod acl;
mod bitmaps;
mod cluster;
mod connection;
mod geo;
mod hashes;
mod hyperloglog;
mod keys;
mod lists;
mod observation;
mod pubsub;
mod scripting;
mod server;
mod sets;
mod streams;
mod strings;
mod transactions;
mod zsets;

use super::spec::Spec;

/// One file a family; a new family is a line here.
static FAMILIES: &[&[Spec]] = &[
    strings::STRINGS,
    bitmaps::BITMAPS,
    hyperloglog::HYPERLOGLOG,
    keys::KEYS,
    hashes::HASHES,
    lists::LISTS,
    sets::SETS,
    zsets::ZSETS,
    geo::GEO,
    streams::STREAMS,
    connection::CONNECTION,
    server::SERVER,
    observation::OBSERVATION,
    transactions::TRANSACTIONS,
    pubsub::PUBSUB,
    scripting::SCRIPTING,
    cluster::CLUSTER,
    acl::ACL,
];

/// A spec with its place in the table.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The facts.
    pub spec: &'static Spec,
    /// Dense number, below [`COUNT`]: the index for statistics.
    pub id: usize,
    /// For a subcommand, its container.
    pub container: Option<&'static Spec>,
    first_sub: usize,
}

impl Row {
    /// The rows of a container's subcommands; empty for any other row.
    pub fn subcommands(&self) -> &'static [Row] {
        &ROWS[self.first_sub..self.first_sub + self.spec.subcommands.len()]
    }

    /// The subcommand with this short name, compared without case.
    pub fn subcommand(&self, name: &[u8]) -> Option<&'static Row> {
        self.subcommands().iter().find(|row| row.spec.short_name().as_bytes().eq_ignore_ascii_case(name))
    }
}

/// Number of commands, subcommands not counted.
pub const COMMANDS: usize = {
    let (mut commands, mut family) = (0, 0);
    while family < FAMILIES.len() {
        commands += FAMILIES[family].len();
        family += 1;
    }
    commands
};

/// Number of rows, subcommands included.
pub const COUNT: usize = {
    let (mut rows, mut family) = (COMMANDS, 0);
    while family < FAMILIES.len() {
        let mut at = 0;
        while at < FAMILIES[family].len() {
            rows += FAMILIES[family][at].subcommands.len();
            at += 1;
        }
        family += 1;
    }
    rows
};

/// Commands first, then the subcommands, container by container.
static ROWS: [Row; COUNT] = {
    let mut rows = [Row { spec: &FAMILIES[0][0], id: 0, container: None, first_sub: 0 }; COUNT];
    let (mut id, mut free, mut family) = (0, COMMANDS, 0);
    while family < FAMILIES.len() {
        let mut at = 0;
        while at < FAMILIES[family].len() {
            let spec = &FAMILIES[family][at];
            rows[id] = Row { spec, id, container: None, first_sub: free };
            id += 1;
            let mut sub = 0;
            while sub < spec.subcommands.len() {
                rows[free] = Row { spec: &spec.subcommands[sub], id: free, container: Some(spec), first_sub: 0 };
                free += 1;
                sub += 1;
            }
            at += 1;
        }
        family += 1;
    }
    rows
};

/// A power of two, at least four times the number of commands, so that probes are short.
const SLOTS: usize = 2048;
const EMPTY: u16 = u16::MAX;

/// Open addressing over [`ROWS`] by [`slot`].
static INDEX: [u16; SLOTS] = {
    let mut index = [EMPTY; SLOTS];
    let mut id = 0;
    while id < COMMANDS {
        let mut at = slot(ROWS[id].spec.name.as_bytes());
        while index[at] != EMPTY {
            at = (at + 1) % SLOTS;
        }
        index[at] = id as u16;
        id += 1;
    }
    index
};

/// Length, the first three bytes and the last one tell nearly all commands apart; the multiplication spreads them.
const fn slot(name: &[u8]) -> usize {
    const fn fold(name: &[u8], at: usize) -> u64 {
        if at < name.len() { (name[at] | 0x20) as u64 } else { 0 }
    }
    let word = fold(name, 0)
        | fold(name, 1) << 8
        | fold(name, 2) << 16
        | fold(name, name.len().wrapping_sub(1)) << 24
        | (name.len() as u64 & 0xff) << 32;
    (word.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 53) as usize
}

/// All rows: the commands (the first [`COMMANDS`]), then the subcommands.
pub fn rows() -> &'static [Row] {
    &ROWS
}

/// The commands, without subcommands.
pub fn commands() -> &'static [Row] {
    &ROWS[..COMMANDS]
}

/// The command with this name, compared without case; a container is not entered.
pub fn command(name: &[u8]) -> Option<&'static Row> {
    let mut at = slot(name);
    while INDEX[at] != EMPTY {
        let row = &ROWS[INDEX[at] as usize];
        if row.spec.name.as_bytes().eq_ignore_ascii_case(name) {
            return Some(row);
        }
        at = (at + 1) % SLOTS;
    }
    None
}

/// The row that serves this request: of a container with more than one word, that of the subcommand.
pub fn resolve(argv: &[&[u8]]) -> Option<&'static Row> {
    let row = command(argv.first()?)?;
    match argv.get(1) {
        Some(name) if !row.spec.subcommands.is_empty() => row.subcommand(name),
        _ => Some(row),
    }
}

/// The row with this full name, `config|get` for a subcommand.
pub fn by_full_name(name: &[u8]) -> Option<&'static Row> {
    match name.iter().position(|byte| *byte == b'|') {
        Some(bar) => command(&name[..bar])?.subcommand(&name[bar + 1..]),
        None => command(name),
    }
}

/// The row for this request, its arity checked, or the text of the error reply.
pub fn admit(argv: &[&[u8]]) -> Result<&'static Row, Vec<u8>> {
    let row = resolve(argv).ok_or_else(|| unknown(argv))?;
    if row.spec.accepts(argv.len()) { Ok(row) } else { Err(wrong_arity(row.spec)) }
}

/// The longest part of a client's words that an error repeats.
const ECHO_LIMIT: usize = 128;

/// The error for a request that has no row.
pub fn unknown(argv: &[&[u8]]) -> Vec<u8> {
    let name = argv.first().copied().unwrap_or_default();
    let mut text = Vec::new();
    match (command(name), argv.get(1)) {
        (Some(row), Some(sub)) if !row.spec.subcommands.is_empty() => {
            text.extend_from_slice(b"ERR unknown subcommand '");
            text.extend_from_slice(echo(sub, ECHO_LIMIT));
            text.extend_from_slice(b"'. Try ");
            text.extend_from_slice(&name.to_ascii_uppercase());
            text.extend_from_slice(b" HELP.");
        }
        _ => return unknown_command(argv),
    }
    in_one_line(text)
}

/// The error for a name that no command has.
pub fn unknown_command(argv: &[&[u8]]) -> Vec<u8> {
    let name = argv.first().copied().unwrap_or_default();
    let mut text = [b"ERR unknown command '", echo(name, ECHO_LIMIT), b"', with args beginning with: "].concat();
    let start = text.len();
    for argument in argv.iter().skip(1) {
        let used = text.len() - start;
        if used >= ECHO_LIMIT {
            break;
        }
        text.push(b'\'');
        text.extend_from_slice(echo(argument, ECHO_LIMIT - used));
        text.extend_from_slice(b"' ");
    }
    in_one_line(text)
}

fn in_one_line(mut text: Vec<u8>) -> Vec<u8> {
    text.iter_mut().filter(|byte| matches!(byte, b'\r' | b'\n')).for_each(|byte| *byte = b' ');
    text
}

/// The error for a request with too many or too few words.
pub fn wrong_arity(spec: &Spec) -> Vec<u8> {
    format!("ERR wrong number of arguments for '{}' command", spec.name).into_bytes()
}

/// What an error repeats of a client's word: up to a zero byte or the limit, as Redis' C strings end.
fn echo(word: &[u8], limit: usize) -> &[u8] {
    let end = word.iter().position(|byte| *byte == 0).unwrap_or(word.len());
    &word[..end.min(limit)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_command_is_found_in_any_case_and_nothing_else_is() {
        for row in commands() {
            let upper = row.spec.name.to_ascii_uppercase();
            assert!(std::ptr::eq(command(upper.as_bytes()).unwrap(), row), "{upper}");
            assert!(command(format!("{}!", row.spec.name).as_bytes()).is_none());
        }
        assert!(command(b"").is_none());
        assert!(command(b"config|get").is_none());
        assert!(command(&[0xff; 300]).is_none());
    }

    #[test]
    fn rows_are_numbered_densely_and_names_are_unique() {
        let mut seen = HashSet::new();
        for (id, row) in rows().iter().enumerate() {
            assert_eq!(row.id, id);
            assert!(seen.insert(row.spec.name), "{} stands twice", row.spec.name);
            assert_eq!(row.spec.name, row.spec.name.to_ascii_lowercase());
            assert!(!row.spec.summary.is_empty(), "{}", row.spec.name);
            if let Some(container) = row.container {
                assert_eq!(row.spec.name, format!("{}|{}", container.name, row.spec.short_name()));
                assert!(std::ptr::eq(by_full_name(row.spec.name.as_bytes()).unwrap(), row));
                assert!(row.spec.subcommands.is_empty());
            }
            for key in row.spec.args.iter().filter_map(|arg| arg.key_spec) {
                assert!((key as usize) < row.spec.keys.len(), "{}", row.spec.name);
            }
        }
    }

    #[test]
    fn every_row_has_a_handler_or_subcommands() {
        let without = |row: &&Row| row.spec.handler.is_none() && row.spec.subcommands.is_empty();
        let names: Vec<&str> = rows().iter().filter(without).map(|row| row.spec.name).collect();
        assert!(names.is_empty(), "{names:?}");
    }

    #[test]
    fn a_lookup_probes_few_slots() {
        for row in commands() {
            let home = slot(row.spec.name.as_bytes());
            let found = (0..SLOTS).find(|step| INDEX[(home + step) % SLOTS] as usize == row.id).unwrap();
            assert!(found <= 4, "{} is {found} slots from home", row.spec.name);
        }
    }

    #[test]
    fn requests_without_a_row_get_the_texts_that_clients_know() {
        let text = |argv: &[&[u8]]| String::from_utf8(admit(argv).unwrap_err()).unwrap();
        assert_eq!(text(&[b"foo"]), "ERR unknown command 'foo', with args beginning with: ");
        assert_eq!(
            text(&[b"fo\r\no", b"a\0b", b"c"]),
            "ERR unknown command 'fo  o', with args beginning with: 'a' 'c' "
        );
        assert_eq!(
            text(&[&[b'x'; 200], &[b'y'; 200], b"z"]),
            format!("ERR unknown command '{}', with args beginning with: '{}' ", "x".repeat(128), "y".repeat(128))
        );
        assert_eq!(text(&[b"config", b"nope"]), "ERR unknown subcommand 'nope'. Try CONFIG HELP.");
        assert_eq!(text(&[b"GET"]), "ERR wrong number of arguments for 'get' command");
        assert_eq!(text(&[b"CONFIG"]), "ERR wrong number of arguments for 'config' command");
        assert_eq!(text(&[b"CONFIG", b"GET"]), "ERR wrong number of arguments for 'config|get' command");
        assert_eq!(admit(&[b"Config", b"Get", b"*"]).unwrap().spec.name, "config|get");
        assert_eq!(admit(&[b"command"]).unwrap().spec.name, "command");
    }
}
