//! Are two replies equal? Byte for byte, unless a row of the table of [`super::accepted`] says how replies of that
//! command are compared. The left side is the oracle, the right side the server under test.

use std::collections::{BTreeMap, BTreeSet};

use super::super::support::reply::Value;
use super::accepted::{Against, How, TABLE};
use super::exceptions::is_left_out;
use super::generate::scripts;

/// Commands whose second word is a subcommand, so that `CLIENT LIST` and `CLIENT ID` are two commands.
const CONTAINERS: &[&str] = &[
    "client", "config", "command", "object", "debug", "module", "cluster", "script", "function", "xgroup", "xinfo",
    "memory",
];

/// `get`, `client|list`: the name that the table and the coverage use.
pub fn command_name(argv: &[Vec<u8>]) -> String {
    let word = |n: usize| argv.get(n).map(|w| String::from_utf8_lossy(w).to_ascii_lowercase());
    let first = word(0).unwrap_or_default();
    match word(1) {
        Some(second) if CONTAINERS.contains(&first.as_str()) => format!("{first}|{second}"),
        _ => first,
    }
}

/// Compares the replies of one command. `queued` are the commands of the transaction that an EXEC ran.
pub fn equal(against: Against, argv: &[Vec<u8>], queued: &[Vec<Vec<u8>>], oracle: &Value, tested: &Value) -> bool {
    if oracle == tested {
        return true;
    }
    if let Some(called) = scripts::called(argv) {
        let (oracle, tested) = (as_redis_says(oracle), as_redis_says(tested));
        return oracle == tested || equal(against, called, &[], &oracle, &tested);
    }
    let name = command_name(argv);
    if name == "exec"
        && let (Some(left), Some(right)) = (oracle.elements(), tested.elements())
    {
        return left.len() == right.len()
            && left.len() == queued.len()
            && queued.iter().zip(left.iter().zip(right)).all(|(argv, (l, r))| equal(against, argv, &[], l, r));
    }
    TABLE.iter().filter(|row| row.concerns(against, &name)).any(|row| holds(against, &row.how, argv, oracle, tested))
}

/// Errors of calls from scripts as Redis words them: Valkey 8.1 leaves its name out.
fn as_redis_says(reply: &Value) -> Value {
    let Value::Error(text) = reply else { return reply.clone() };
    let text = String::from_utf8_lossy(text);
    let text = text.replace("Unknown command called", "Unknown Redis command called");
    let text = text.replace("calling command from script", "calling Redis command from script");
    Value::Error(text.trim_end_matches(" Please use EVAL.").as_bytes().to_vec())
}

fn holds(against: Against, how: &How, argv: &[Vec<u8>], oracle: &Value, tested: &Value) -> bool {
    match how {
        How::Unordered => match (oracle, tested) {
            (Value::Array(l), Value::Array(r)) | (Value::Set(l), Value::Set(r)) => sorted(l) == sorted(r),
            _ => false,
        },
        How::Within(tolerance) => near(oracle, tested, *tolerance),
        How::SameKind => same_kind(oracle, tested),
        How::Texts { oracle: left, tested: right } => matches_text(left, oracle) && matches_text(right, tested),
        How::Property { holds, .. } => holds(against, argv, oracle, tested),
    }
}

fn sorted(items: &[Value]) -> Vec<&Value> {
    let mut items: Vec<&Value> = items.iter().collect();
    items.sort();
    items
}

/// Numbers that time moves: equal within the tolerance. Negative ones are no times but answers: exactly equal.
fn near(oracle: &Value, tested: &Value, tolerance: i64) -> bool {
    match (oracle, tested) {
        (Value::Integer(l), Value::Integer(r)) => *l >= 0 && *r >= 0 && l.abs_diff(*r) <= tolerance.unsigned_abs(),
        (Value::Array(l), Value::Array(r)) => {
            l.len() == r.len() && l.iter().zip(r).all(|(l, r)| l == r || near(l, r, tolerance))
        }
        (Value::Bulk(l), Value::Bulk(r)) => {
            let number = |b: &[u8]| std::str::from_utf8(b).ok().and_then(|s| s.parse::<i64>().ok());
            matches!((number(l), number(r)), (Some(l), Some(r)) if l.abs_diff(r) <= tolerance.unsigned_abs())
        }
        _ => false,
    }
}

/// The same type on the wire, and the same answer to "is there anything". Errors are never only similar.
pub fn same_kind(oracle: &Value, tested: &Value) -> bool {
    std::mem::discriminant(oracle) == std::mem::discriminant(tested) && !oracle.is_error()
}

/// Matches a reply, written as [`Value`] prints it, against a text in which `*` stands for anything.
fn matches_text(pattern: &str, value: &Value) -> bool {
    let text = value.to_string();
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else { return false };
    let mut open = false;
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
        open = part.is_empty();
    }
    rest.is_empty() || open
}

/// CONFIG GET: values of names that both servers list must be equal. Which internals exist beside the names of Redis
/// 7.2 is each server's own business; a name that was asked for without a pattern must be known to both or neither.
pub fn config_get(against: Against, argv: &[Vec<u8>], oracle: &Value, tested: &Value) -> bool {
    let map = |value: &Value| -> Option<BTreeMap<String, String>> {
        value.pairs()?.into_iter().map(|(k, v)| Some((k.text()?, v.text()?))).collect()
    };
    let (Some(left), Some(right)) = (map(oracle), map(tested)) else { return false };
    let literal_missing = argv.iter().skip(2).any(|pattern| {
        let name = String::from_utf8_lossy(pattern).to_ascii_lowercase();
        !name.contains(['*', '?', '[', '\\']) && left.contains_key(&name) != right.contains_key(&name)
    });
    std::mem::discriminant(oracle) == std::mem::discriminant(tested)
        && !literal_missing
        && left.iter().all(|(name, value)| {
            is_left_out(against, "config|get", name) || right.get(name).is_none_or(|other| other == value)
        })
}

/// Fields of CLIENT LIST and CLIENT INFO that do not depend on the moment, on memory or on the process.
const CLIENT_FIELDS: &[&str] = &[
    "name",
    "flags",
    "db",
    "sub",
    "psub",
    "ssub",
    "multi",
    "argv-mem",
    "multi-mem",
    "cmd",
    "user",
    "redir",
    "resp",
    "lib-name",
    "lib-ver",
];

/// The fields of Redis 7.2, in its order.
const CLIENT_ALL: &[&str] = &[
    "id",
    "addr",
    "laddr",
    "fd",
    "name",
    "age",
    "idle",
    "flags",
    "db",
    "sub",
    "psub",
    "ssub",
    "multi",
    "qbuf",
    "qbuf-free",
    "argv-mem",
    "multi-mem",
    "rbs",
    "rbp",
    "obl",
    "oll",
    "omem",
    "tot-mem",
    "events",
    "cmd",
    "user",
    "redir",
    "resp",
    "lib-name",
    "lib-ver",
];

/// CLIENT LIST and CLIENT INFO: the same clients, with equal values in all fields that can be equal, and every field
/// of Redis 7.2 in its order.
pub fn client_lines(against: Against, argv: &[Vec<u8>], oracle: &Value, tested: &Value) -> bool {
    if !same_kind(oracle, tested) {
        return false;
    }
    let (Some(left), Some(right)) = (oracle.text(), tested.text()) else { return false };
    let fields = |line: &str| -> Vec<(String, String)> {
        line.split(' ').filter_map(|f| f.split_once('=')).map(|(k, v)| (k.to_string(), v.to_string())).collect()
    };
    let (left, right): (Vec<&str>, Vec<&str>) = (left.lines().collect(), right.lines().collect());
    let with_ids = argv.iter().any(|word| word.eq_ignore_ascii_case(b"ID"));
    let is_compared = |name: &str| CLIENT_FIELDS.contains(&name) && !is_left_out(against, "client|list", name);
    // As sets: a connection that was closed and opened anew may stand elsewhere in the list.
    let stable = |lines: &[&str]| -> Vec<Vec<(String, String)>> {
        let compared = |line: &&str| {
            let fields = fields(line);
            let in_exec = fields.iter().any(|(name, value)| name == "cmd" && value == "exec");
            let argv_may_differ = (in_exec && is_left_out(against, "client|list", "argv-mem in EXEC"))
                || (with_ids && is_left_out(against, "client|list", "argv-mem with ID"));
            let is_compared = |name: &str| is_compared(name) && !(argv_may_differ && name == "argv-mem");
            fields.into_iter().filter(|(name, _)| is_compared(name)).collect()
        };
        let mut lines: Vec<Vec<(String, String)>> = lines.iter().map(compared).collect();
        lines.sort();
        lines
    };
    // An oracle that is compared with itself has its own fields.
    let names = |line: &str| fields(line).into_iter().map(|(name, _)| name).collect::<Vec<String>>();
    let of_the_oracle = left.first().map(|line| names(line));
    let is_complete = |line: &&str| names(line) == CLIENT_ALL || Some(names(line)) == of_the_oracle;
    stable(&left) == stable(&right) && right.iter().all(is_complete)
}

/// HELLO: equal but for the connection's id, the version of Redis, and `ackd_version`, which only ackd has.
pub fn hello(_: Against, _: &[Vec<u8>], oracle: &Value, tested: &Value) -> bool {
    same_kind(oracle, tested) && hello_fields(oracle).is_some() && hello_fields(oracle) == hello_fields(tested)
}

/// The fields of a reply of HELLO that must be equal; `None` for any other reply.
pub fn hello_fields(value: &Value) -> Option<Vec<(&Value, &Value)>> {
    let pairs = value.pairs()?;
    let own = |name: &Value| matches!(name.bytes(), Some(b"id" | b"version" | b"ackd_version"));
    (pairs.first()?.0.bytes() == Some(b"server")).then(|| pairs.into_iter().filter(|(k, _)| !own(k)).collect())
}

/// DEBUG OBJECT: the fields of Redis in its order; those that are no addresses and no clocks have equal values.
pub fn debug_object(against: Against, _: &[Vec<u8>], oracle: &Value, tested: &Value) -> bool {
    const NAMES: &[&str] = &["at", "refcount", "encoding", "serializedlength", "lru", "lru_seconds_idle"];
    // How a list is divided into nodes must be the same, whether or not they are compressed.
    const NODES: &[&str] = &["ql_nodes", "ql_avg_node", "ql_listpack_max", "ql_uncompressed_size"];
    let names: Vec<&str> = if against == Against::Redis7 { NAMES.to_vec() } else { [NAMES, NODES].concat() };
    let fields = |value: &Value| -> Option<Vec<(String, String)>> {
        let Value::Simple(text) = value else { return None };
        let text = String::from_utf8_lossy(text).into_owned();
        let fields = text.split(' ').filter_map(|f| f.split_once(':')).map(|(k, v)| (k.into(), v.into()));
        Some(fields.filter(|(k, _): &(String, String)| names.contains(&k.as_str())).collect())
    };
    let (Some(left), Some(right)) = (fields(oracle), fields(tested)) else { return false };
    left.len() == right.len()
        && left.iter().zip(&right).all(|((lk, lv), (rk, rv))| {
            let longer = lk == "serializedlength" && rv.parse::<u64>().ok() < lv.parse::<u64>().ok();
            let accepted = match against {
                Against::Valkey => same_encoding(lv, rv),
                // Sets and lists have a listpack since 7.2.
                _ => against == Against::Redis7 && matches!(lv.as_str(), "hashtable" | "quicklist") && rv == "listpack",
            };
            let encoding = lk == "encoding" && lv != rv && !accepted;
            let nodes = NODES.contains(&lk.as_str()) && lv != rv;
            lk == rk && !longer && !encoding && !nodes
        })
}

/// Valkey 8.1 embeds by the length of key and value together, Redis by that of the value alone (44 bytes).
pub fn string_encoding(_: Against, _: &[Vec<u8>], oracle: &Value, tested: &Value) -> bool {
    matches!((oracle, tested), (Value::Bulk(l), Value::Bulk(r))
        if same_encoding(&String::from_utf8_lossy(l), &String::from_utf8_lossy(r)))
}

/// The names themselves.
fn same_encoding(oracle: &str, tested: &str) -> bool {
    let string = |name: &str| matches!(name, "embstr" | "raw");
    oracle == tested || (string(oracle) && string(tested))
}

/// One SCAN call: both give a cursor and a list; whole iterations are compared as sets elsewhere.
pub fn scan_call(_: Against, _: &[Vec<u8>], oracle: &Value, tested: &Value) -> bool {
    let form = |value: &Value| {
        matches!(value.elements(), Some([Value::Bulk(cursor), Value::Array(_)])
            if cursor.iter().all(u8::is_ascii_digit))
    };
    form(oracle) && form(tested)
}

/// SSCAN and its relatives: as [`scan_call`]; if both give all there is, the same elements.
pub fn element_scan(against: Against, argv: &[Vec<u8>], oracle: &Value, tested: &Value) -> bool {
    let all = |value: &Value| match value.elements() {
        Some([Value::Bulk(cursor), Value::Array(elements)]) if cursor == b"0" => Some(elements.clone()),
        _ => None,
    };
    let is_walk_begun = argv.get(2).is_some_and(|cursor| cursor != b"0");
    scan_call(against, argv, oracle, tested)
        && match (all(oracle), all(tested)) {
            (Some(left), Some(right)) => is_walk_begun || sorted(&left) == sorted(&right),
            _ => true,
        }
}

/// SRANDMEMBER: as many strings; of all members, where each comes once, the same ones.
pub fn random_members(_: Against, argv: &[Vec<u8>], oracle: &Value, tested: &Value) -> bool {
    let count = argv.get(2).and_then(|count| std::str::from_utf8(count).ok()?.parse::<i64>().ok());
    match (oracle, tested) {
        (Value::Bulk(_), Value::Bulk(_)) => count.is_none(),
        (Value::Array(left), Value::Array(right)) => {
            let is_all = count.is_some_and(|count| count > left.len() as i64);
            left.len() == right.len() && (!is_all || sorted(left) == sorted(right))
        }
        _ => false,
    }
}

/// ZSCAN: like SCAN; what one call gives of a small value, or with a large COUNT, is all of it.
pub fn pair_scan(against: Against, argv: &[Vec<u8>], oracle: &Value, tested: &Value) -> bool {
    let all = |value: &Value| match value.elements() {
        Some([Value::Bulk(cursor), Value::Array(items)]) if cursor == b"0" => {
            let mut pairs: Vec<Vec<Value>> = items.chunks(2).map(<[Value]>::to_vec).collect();
            pairs.sort();
            Some(pairs)
        }
        _ => None,
    };
    scan_call(against, argv, oracle, tested)
        && match (all(oracle), all(tested)) {
            (Some(left), Some(right)) => left == right,
            _ => true,
        }
}

/// The same doubles, whatever their texts, wherever they stand.
pub fn same_numbers(_: Against, _: &[Vec<u8>], oracle: &Value, tested: &Value) -> bool {
    fn equal(oracle: &Value, tested: &Value) -> bool {
        let number = |value: &Value| value.text().and_then(|text| text.parse::<f64>().ok());
        match (oracle.elements(), tested.elements()) {
            (Some(left), Some(right)) => {
                left.len() == right.len() && left.iter().zip(right).all(|(left, right)| equal(left, right))
            }
            _ => {
                oracle == tested
                    || same_kind(oracle, tested) && number(oracle).is_some_and(|value| number(tested) == Some(value))
            }
        }
    }
    equal(oracle, tested)
}

/// Members of a sorted set drawn at random: as many, in the same form.
pub fn random_scored(_: Against, _: &[Vec<u8>], oracle: &Value, tested: &Value) -> bool {
    match (oracle.elements(), tested.elements()) {
        (Some(left), Some(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| same_kind(left, right))
        }
        _ => same_kind(oracle, tested),
    }
}

/// The elements of a list of fields and values in which order is free: pairs, however the protocol shows them.
fn pairs_of(items: &[Value], paired: bool) -> Vec<Vec<&Value>> {
    let width = if paired { 2 } else { 1 };
    let mut pairs: Vec<Vec<&Value>> = items.chunks(width).map(|pair| pair.iter().collect()).collect();
    pairs.sort();
    pairs
}

/// HGETALL: the same fields with the same values.
pub fn hash_pairs(_: Against, _: &[Vec<u8>], oracle: &Value, tested: &Value) -> bool {
    match (oracle, tested) {
        (Value::Array(l), Value::Array(r)) => pairs_of(l, true) == pairs_of(r, true),
        (Value::Map(l), Value::Map(r)) => {
            let sorted = |pairs: &[(Value, Value)]| {
                let mut pairs = pairs.to_vec();
                pairs.sort();
                pairs
            };
            sorted(l) == sorted(r)
        }
        _ => false,
    }
}

/// HRANDFIELD: one field, or as many; the same ones if that are all.
pub fn drawn_fields(_: Against, argv: &[Vec<u8>], oracle: &Value, tested: &Value) -> bool {
    let (Value::Array(l), Value::Array(r)) = (oracle, tested) else { return same_kind(oracle, tested) };
    let asked = argv.get(2).and_then(|count| std::str::from_utf8(count).ok()?.parse::<i64>().ok());
    let form =
        |items: &[Value]| items.iter().filter(|item| item.elements().is_some_and(|pair| pair.len() == 2)).count();
    let pairs = argv.len() > 3 && form(l) == 0;
    // Fewer than were asked for are all that there are.
    let fields = if pairs { l.len() / 2 } else { l.len() };
    let all = asked.and_then(|count| usize::try_from(count).ok()).is_some_and(|count| fields < count);
    l.len() == r.len() && form(l) == form(r) && (!all || pairs_of(l, pairs) == pairs_of(r, pairs))
}

/// One HSCAN call: equal as sets if both began at the start and came to the end.
pub fn hash_scan(against: Against, argv: &[Vec<u8>], oracle: &Value, tested: &Value) -> bool {
    let page = |value: &Value| match value.elements() {
        Some([Value::Bulk(cursor), Value::Array(items)]) => Some((cursor == b"0", items.clone())),
        _ => None,
    };
    let (Some((l_end, l)), Some((r_end, r))) = (page(oracle), page(tested)) else { return false };
    let is_whole = argv.get(2).is_some_and(|cursor| cursor == b"0") && l_end && r_end;
    let paired = !argv.iter().any(|word| word.eq_ignore_ascii_case(b"NOVALUES"));
    scan_call(against, argv, oracle, tested) && (!is_whole || pairs_of(&l, paired) == pairs_of(&r, paired))
}

/// SORT: as sets where the elements stay unsorted, or may be equal in what they are sorted by.
pub fn sorted_elements(_: Against, argv: &[Vec<u8>], oracle: &Value, tested: &Value) -> bool {
    let has = |word: &str| argv.iter().skip(2).any(|arg| arg.eq_ignore_ascii_case(word.as_bytes()));
    // The last BY counts, but one without a key to look up leaves the order free for good.
    let is_by = |pair: &&[Vec<u8>]| pair[0].eq_ignore_ascii_case(b"BY");
    let mut patterns = argv.windows(2).skip(2).filter(is_by).map(|pair| &pair[1]);
    let is_free = patterns.any(|pattern| has("ALPHA") || !pattern.contains(&b'*'));
    match (oracle, tested) {
        (Value::Array(left), Value::Array(right)) => is_free && sorted(left) == sorted(right),
        _ => false,
    }
}

/// HELP: the same first line, statuses only, and no subcommand that the oracle does not list.
pub fn help(against: Against, argv: &[Vec<u8>], oracle: &Value, tested: &Value) -> bool {
    let lines = |value: &Value| -> Option<Vec<String>> {
        let lines = value.elements()?.iter();
        lines.map(|line| if let Value::Simple(_) = line { line.text() } else { None }).collect()
    };
    let (Some(left), Some(right)) = (lines(oracle), lines(tested)) else { return false };
    let names = |lines: &[String]| -> BTreeSet<String> {
        let names = lines.iter().skip(1).filter(|line| !line.starts_with(' '));
        names.filter_map(|line| line.split(' ').next()).map(str::to_uppercase).collect()
    };
    let command = command_name(argv);
    let is_known = |name: &String| is_left_out(against, &command, name) || names(&left).contains(name);
    left.first() == right.first()
        && (is_left_out(against, &command, "all subcommands") || names(&right).iter().all(is_known))
        && names(&right).contains("HELP")
}

/// COMMAND LIST: ackd lists nothing that the oracle does not know.
pub fn command_list(against: Against, _: &[Vec<u8>], oracle: &Value, tested: &Value) -> bool {
    let (Some(left), Some(right)) = (oracle.elements(), tested.elements()) else { return false };
    let known: BTreeSet<&[u8]> = left.iter().filter_map(Value::bytes).collect();
    same_kind(oracle, tested)
        && right.iter().all(|name| {
            let is_own = name.text().is_some_and(|name| is_left_out(against, "command|list", &name));
            is_own || name.bytes().is_some_and(|name| known.contains(name))
        })
}

/// COMMAND INFO: name, arity, key positions and key specifications equal; flags and categories equal as sets; the
/// oracle's tips among ackd's (Valkey has dropped some of Redis 7.2); of the subcommands those that both have.
pub fn command_info(against: Against, _: &[Vec<u8>], oracle: &Value, tested: &Value) -> bool {
    let (Some(left), Some(right)) = (oracle.elements(), tested.elements()) else { return false };
    left.len() == right.len() && left.iter().zip(right).all(|(l, r)| one_command_info(against, l, r))
}

fn one_command_info(against: Against, oracle: &Value, tested: &Value) -> bool {
    if oracle == tested {
        return true;
    }
    let (Some(left), Some(right)) = (oracle.elements(), tested.elements()) else { return false };
    if left.len() != 10 || right.len() != 10 {
        return false;
    }
    let name = right[0].text().unwrap_or_default();
    left.iter().zip(right).enumerate().all(|(field, (l, r))| match field {
        2 => flags(against, &name, l) == flags(against, &name, r),
        7 => match (l.elements(), r.elements()) {
            (Some(l), Some(r)) => l.iter().all(|tip| r.contains(tip)),
            _ => false,
        },
        6 => match (l.elements(), r.elements()) {
            (Some(l), Some(r)) => sorted(l) == sorted(r),
            _ => false,
        },
        9 => match (l.elements(), r.elements()) {
            (Some(l), Some(r)) => r.iter().all(|sub| {
                let name = sub.elements().and_then(|fields| fields.first());
                let same = l.iter().find(|other| other.elements().and_then(|fields| fields.first()) == name);
                same.is_none_or(|other| one_command_info(against, other, sub))
            }),
            _ => false,
        },
        _ => l == r,
    })
}

/// The flags of a command as a set.
fn flags(against: Against, command: &str, value: &Value) -> Option<BTreeSet<String>> {
    let mut flags = value.elements()?.iter().map(Value::text).collect::<Option<BTreeSet<String>>>()?;
    flags.retain(|flag| !is_left_out(against, "command|info", &format!("flag {flag} of {command}")));
    if is_left_out(against, "command|info", "flag skip_slowlog") {
        flags = flags.iter().map(|flag| flag.replace("skip_commandlog", "skip_slowlog")).collect();
    }
    Some(flags)
}

/// COMMAND DOCS: the same commands, with equal `since`, `group` and arguments (by name, type, token and flags);
/// summaries are in each server's own words.
pub fn command_docs(against: Against, _: &[Vec<u8>], oracle: &Value, tested: &Value) -> bool {
    let map = |value: &Value| -> Option<BTreeMap<String, Value>> {
        value.pairs()?.into_iter().map(|(k, v)| Some((k.text()?, v.clone()))).collect()
    };
    let (Some(left), Some(right)) = (map(oracle), map(tested)) else { return false };
    left.len() == right.len()
        && left.iter().zip(&right).all(|((l_name, l), (r_name, r))| {
            let (Some(l), Some(r)) = (map(l), map(r)) else { return false };
            l_name == r_name
                && ["since", "group", "arguments"].iter().all(|field| match (l.get(*field), r.get(*field)) {
                    (Some(l), Some(r)) => {
                        is_left_out(against, "command|docs", &format!("{field} of {l_name}"))
                            || without_summaries(l) == without_summaries(r)
                    }
                    (l, r) => l.is_none() == r.is_none(),
                })
                && r.contains_key("summary")
        })
}

/// XPENDING and XINFO: equal but for what time moves: times and idle times, by their names or places.
pub fn stream_times(against: Against, _: &[Vec<u8>], oracle: &Value, tested: &Value) -> bool {
    const TIMES: &[&[u8]] = &[b"seen-time", b"active-time", b"idle", b"inactive"];
    let lag = is_left_out(against, "xinfo", "lag");
    fn equal(oracle: &Value, tested: &Value, is_time: bool, lag: bool) -> bool {
        use Value::{Array, Bulk, Integer, Map};
        let is_lag = |name: &Value| lag && name.bytes() == Some(b"lag");
        match (oracle, tested) {
            (Integer(l), Integer(r)) if is_time => l == r || (*l >= 0 && *r >= 0 && l.abs_diff(*r) <= 3000),
            (Array(l), Array(r)) => {
                // A pending entry: its id, perhaps its consumer, its time, and how often it was delivered.
                let time_at = match &l[..] {
                    [Bulk(_), Bulk(_), Integer(_), Integer(_)] => Some(2),
                    [Bulk(_), Integer(_), Integer(_)] => Some(1),
                    _ => None,
                };
                let named = |at: usize| at > 0 && l[at - 1].bytes().is_some_and(|name| TIMES.contains(&name));
                let is_time = |at: usize| Some(at) == time_at || named(at);
                let left_out = |at: usize| at > 0 && is_lag(&l[at - 1]);
                let same = |(at, (l, r))| left_out(at) || equal(l, r, is_time(at), lag);
                l.len() == r.len() && l.iter().zip(r).enumerate().all(same)
            }
            (Map(l), Map(r)) => {
                let is_time = |name: &Value| name.bytes().is_some_and(|name| TIMES.contains(&name));
                let same = |((lk, lv), (rk, rv)): (&(Value, Value), &(Value, Value))| {
                    lk == rk && (is_lag(lk) || equal(lv, rv, is_time(lk), lag))
                };
                l.len() == r.len() && l.iter().zip(r).all(same)
            }
            _ => oracle == tested,
        }
    }
    equal(oracle, tested, false, lag)
}

/// Members found on the map: equal but for the order and, with COUNT, the choice of those that lie on the same spot.
pub fn places(_: Against, argv: &[Vec<u8>], oracle: &Value, tested: &Value) -> bool {
    let (Value::Array(l), Value::Array(r)) = (oracle, tested) else { return false };
    // What was asked for beside the name tells which of them lie where.
    let spot = |place: &Value| place.elements().map(|parts| parts[1..].to_vec());
    let chosen = argv.iter().any(|word| word.eq_ignore_ascii_case(b"COUNT"));
    l.len() == r.len() && l.iter().zip(r).all(|(l, r)| spot(l) == spot(r)) && (chosen || sorted(l) == sorted(r))
}

/// What SORT gives: equal but for the order of what C takes for the same string.
pub fn sorted_texts(_: Against, _: &[Vec<u8>], oracle: &Value, tested: &Value) -> bool {
    let (Value::Array(l), Value::Array(r)) = (oracle, tested) else { return false };
    let seen = |value: &Value| value.bytes().map(|bytes| ackd::base::number::c_string(bytes).to_vec());
    sorted(l) == sorted(r) && l.iter().zip(r).all(|(l, r)| seen(l) == seen(r))
}

/// Scores: equal but for the sign of zero.
pub fn scores(_: Against, _: &[Vec<u8>], oracle: &Value, tested: &Value) -> bool {
    fn unsigned(value: &Value) -> Value {
        match value {
            Value::Bulk(text) if text == b"-0" => Value::Bulk(b"0".to_vec()),
            Value::Double(text) if text == b"-0" => Value::Double(b"0".to_vec()),
            Value::Array(items) => Value::Array(items.iter().map(unsigned).collect()),
            other => other.clone(),
        }
    }
    unsigned(oracle) == unsigned(tested)
}

/// XDELEX and XACKDEL with ACKED: equal, but for entries that are not there and are said to be needed.
pub fn deleted_entries(_: Against, _: &[Vec<u8>], oracle: &Value, tested: &Value) -> bool {
    let (Value::Array(l), Value::Array(r)) = (oracle, tested) else { return false };
    let same = |(l, r): (&Value, &Value)| l == r || (*l == Value::Integer(2) && *r == Value::Integer(-1));
    l.len() == r.len() && l.iter().zip(r).all(same)
}

/// XREAD with `+`: the streams that the oracle names, and perhaps others.
pub fn last_entries(_: Against, argv: &[Vec<u8>], oracle: &Value, tested: &Value) -> bool {
    let streams = |value: &Value| match value {
        Value::Array(items) => Some(items.clone()),
        Value::Map(pairs) => {
            Some(pairs.iter().map(|(name, entries)| Value::Array(vec![name.clone(), entries.clone()])).collect())
        }
        Value::Null | Value::NullArray => Some(Vec::new()),
        _ => None,
    };
    let (Some(left), Some(right)) = (streams(oracle), streams(tested)) else { return false };
    argv.iter().any(|word| word == b"+") && left.iter().all(|stream| right.contains(stream))
}

/// WAITAOF: the local part is 0 or 1, and there are no replicas.
pub fn waitaof(_: Against, _: &[Vec<u8>], oracle: &Value, tested: &Value) -> bool {
    let refused = oracle.text().is_some_and(|text| text.starts_with("ERR WAITAOF cannot be used when numlocal"));
    let counts = |value: &Value| matches!(value.elements(), Some([Value::Integer(0 | 1), Value::Integer(0)]));
    (refused || counts(oracle)) && counts(tested)
}

/// The description of arguments without the summaries in it.
fn without_summaries(value: &Value) -> Value {
    let kept = |pairs: Vec<(&Value, &Value)>| -> Vec<(Value, Value)> {
        let pairs = pairs.into_iter().filter(|(name, _)| name.bytes() != Some(b"summary"));
        pairs.map(|(name, value)| (name.clone(), without_summaries(value))).collect()
    };
    match value {
        Value::Map(pairs) => Value::Map(kept(pairs.iter().map(|(name, value)| (name, value)).collect())),
        Value::Array(items) if items.first().and_then(Value::bytes) == Some(b"name") => {
            Value::Map(kept(value.pairs().unwrap_or_default()))
        }
        Value::Array(items) => Value::Array(items.iter().map(without_summaries).collect()),
        other => other.clone(),
    }
}
