//! Requests that mean something: made along the argument trees of the command table, with words that lie near each other's
//! limits. Now and then one word is replaced by another one, so that syntax errors come too.

use ackd::command::key_positions::has_keys;
use ackd::command::spec::{Arg, ArgKind, Group, Spec};
use ackd::command::table::{self, Row};

use super::bytes::Bytes;

/// Few keys, so that commands meet.
pub const KEYS: [&[u8]; 4] = [b"a", b"b", b"c", b""];

const NUMBERS: [&[u8]; 22] = [
    b"0",
    b"1",
    b"2",
    b"3",
    b"-1",
    b"-2",
    b"5",
    b"10",
    b"40",
    b"100",
    b"127",
    b"128",
    b"255",
    b"1000",
    b"65536",
    b"1000000",
    b"4294967295",
    b"9223372036854775807",
    b"-9223372036854775808",
    b"9223372036854775808",
    b"1767225600",
    b"1767225601000",
];

const DOUBLES: [&[u8]; 12] =
    [b"0", b"1", b"-1", b"0.5", b"-0", b"1e3", b"inf", b"-inf", b"(1", b"(0.5", b"nan", b"1.7976931348623157e308"];

const PATTERNS: [&[u8]; 4] = [b"*", b"?", b"[a-c]*", b"a*"];

const STRINGS: [&[u8]; 30] = [
    b"x",
    b"y",
    b"z",
    b"",
    b"0",
    b"1",
    b"12",
    b"-3",
    b"65536",
    b"3.5",
    b"\r\n\x00\xff",
    b"0-1",
    b"1-1",
    b"5-*",
    b"*",
    b"$",
    b">",
    b"-",
    b"+",
    b"[x",
    b"(x",
    b"[y",
    b"u8",
    b"i64",
    b"u63",
    b"#1",
    b"9223372036854775807",
    b"SET",
    b"HYLL\x01\0\0\0\0\0\0\0\0\0\0\x80\x7f\xff",
    b"a string that is longer than the sixty-four bytes that small collections take as they are",
];

/// Whether a command may be given: not those that end the process, make as much as they are told to, talk to another server,
/// or do always the same for long.
pub fn is_tame(row: &Row) -> bool {
    let name = row.spec.name;
    row.spec.handler.is_some()
        && !["debug", "shutdown", "migrate", "pfselftest", "memory|malloc"].iter().any(|wild| name.starts_with(wild))
}

/// The rows of all commands that may be given, and of those only that have keys.
pub fn rows() -> (Vec<&'static Row>, Vec<&'static Row>) {
    let tame: Vec<&Row> = table::rows().iter().filter(|row| is_tame(row)).collect();
    let keyed = tame.iter().copied().filter(|row| has_keys(&row.spec)).collect();
    (tame, keyed)
}

/// The next command: half of the time one of a family, or of those for keys of any type, so that they meet.
pub fn row(rows: &[&'static Row], family: Group, number: u16) -> &'static Row {
    let number = usize::from(number);
    if number % 2 == 0 {
        return rows[number / 2 % rows.len()];
    }
    let near: Vec<&Row> =
        rows.iter().copied().filter(|row| row.spec.group == family || row.spec.group == Group::Generic).collect();
    near[number / 2 % near.len()]
}

/// A family of commands.
pub fn family(bytes: &mut Bytes) -> Group {
    use Group::{Geo, Hash, HyperLogLog, List, Set, SortedSet, Stream, String};
    *bytes.one_of(&[String, List, Set, SortedSet, Hash, Stream, Group::Bitmap, HyperLogLog, Geo, String, Hash])
}

/// A request for a command, with one of these keys where one is due.
pub fn request(spec: &Spec, keys: &[&[u8]], bytes: &mut Bytes) -> Vec<Vec<u8>> {
    let mut words: Vec<Vec<u8>> = spec.name.split('|').map(|word| word.as_bytes().to_vec()).collect();
    let named = words.len();
    arguments(spec.args, keys, bytes, &mut words);
    if bytes.byte() % 16 == 1 && words.len() > named {
        let at = named + bytes.below(words.len() - named);
        words[at] = word(ArgKind::String, keys, bytes);
    }
    words.truncate(32);
    words
}

fn arguments(args: &[Arg], keys: &[&[u8]], bytes: &mut Bytes, out: &mut Vec<Vec<u8>>) {
    for arg in args {
        if arg.optional && bytes.byte() % 2 == 0 {
            continue;
        }
        let count = if arg.multiple { 1 + bytes.below(4) } else { 1 };
        for number in 0..count {
            if let Some(token) = arg.token.filter(|_| number == 0 || arg.multiple_token) {
                out.push(token.as_bytes().to_vec());
            }
            match arg.kind {
                ArgKind::PureToken => {}
                ArgKind::OneOf if arg.args.is_empty() => {}
                ArgKind::OneOf => arguments(std::slice::from_ref(bytes.one_of(arg.args)), keys, bytes, out),
                ArgKind::Block => arguments(arg.args, keys, bytes, out),
                kind => out.push(word(kind, keys, bytes)),
            }
        }
    }
}

fn word(kind: ArgKind, keys: &[&[u8]], bytes: &mut Bytes) -> Vec<u8> {
    match kind {
        ArgKind::Key => bytes.one_of(keys).to_vec(),
        ArgKind::Integer | ArgKind::UnixTime => bytes.one_of(&NUMBERS).to_vec(),
        ArgKind::Double => bytes.one_of(&DOUBLES).to_vec(),
        ArgKind::Pattern => bytes.one_of(&PATTERNS).to_vec(),
        _ => match bytes.byte() {
            // The fuzzer's own bytes, a few of them or many the same.
            len @ 240..=247 => bytes.take(usize::from(len - 239) * 4).to_vec(),
            many @ 248..=255 => vec![bytes.byte(); 8 << (many - 247)],
            at => STRINGS[usize::from(at) % STRINGS.len()].to_vec(),
        },
    }
}
