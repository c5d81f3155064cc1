//! What differs between two contents, in a few lines for people.

use std::collections::{BTreeSet, HashMap};

use super::{Bytes, Contents, Data, Item};

/// Differences shown for each key; more are counted.
const SHOWN_FOR_A_KEY: usize = 3;
/// Differences shown when a comparison fails.
const SHOWN: usize = 30;
/// Bytes of a string that are shown.
const SHOWN_BYTES: usize = 48;

/// Panics with what differs.
#[track_caller]
pub fn assert_same(expected: &Contents, found: &Contents, what: &str) {
    let differences = differences(expected, found);
    let shown = differences[..differences.len().min(SHOWN)].join("\n  ");
    assert!(differences.is_empty(), "{what}: {} differences\n  {shown}", differences.len());
}

/// A line for each thing that differs, with its database and key; nothing if the two are equal.
pub fn differences(expected: &Contents, found: &Contents) -> Vec<String> {
    let mut lines = Vec::new();
    for code in expected.functions.symmetric_difference(&found.functions) {
        let state = if found.functions.contains(code) { "not expected" } else { "missing" };
        lines.push(format!("function library {}: {state}", brief(code)));
    }
    let numbers: BTreeSet<u64> = expected.databases.keys().chain(found.databases.keys()).copied().collect();
    for number in numbers {
        let [expected, found] = [expected, found].map(|contents| contents.databases.get(&number));
        let keys: BTreeSet<&Bytes> = [expected, found].into_iter().flatten().flat_map(|keys| keys.keys()).collect();
        for key in keys {
            let [expected, found] = [expected, found].map(|keys| keys.and_then(|keys| keys.get(key)));
            let differing = match (expected, found) {
                (Some(expected), Some(found)) => in_item(expected, found),
                (Some(expected), None) => vec![format!("missing, expected {}", kind(&expected.data))],
                (None, Some(found)) => vec![format!("not expected, found {}", kind(&found.data))],
                (None, None) => Vec::new(),
            };
            lines.extend(differing.into_iter().map(|line| format!("database {number}, key {}: {line}", brief(key))));
        }
    }
    lines
}

fn in_item(expected: &Item, found: &Item) -> Vec<String> {
    let mut lines = Vec::new();
    if expected.expires_at != found.expires_at {
        lines.push(format!("expiry: expected {:?}, found {:?}", expected.expires_at, found.expires_at));
    }
    if expected.data == found.data {
        return lines;
    }
    let [kind_expected, kind_found] = [expected, found].map(|item| kind(&item.data));
    if kind_expected != kind_found {
        lines.push(format!("expected {kind_expected}, found {kind_found}"));
    }
    if std::mem::discriminant(&expected.data) == std::mem::discriminant(&found.data) {
        let differing = in_facts(facts(&expected.data), facts(&found.data));
        let more = differing.len().saturating_sub(SHOWN_FOR_A_KEY);
        lines.extend(differing.into_iter().take(SHOWN_FOR_A_KEY));
        if more > 0 {
            lines.push(format!("and {more} more"));
        }
    }
    assert!(!lines.is_empty(), "what differs must have a line: {expected:?}, {found:?}");
    lines
}

fn in_facts(expected: Vec<(String, Bytes)>, found: Vec<(String, Bytes)>) -> Vec<String> {
    let mut rest: HashMap<&str, &Bytes> = found.iter().map(|(name, fact)| (name.as_str(), fact)).collect();
    let mut lines = Vec::new();
    for (name, expected) in &expected {
        match rest.remove(name.as_str()) {
            Some(found) if found == expected => {}
            Some(found) => lines.push(format!("{name}: {}", contrast(expected, found))),
            None => lines.push(format!("{name}: missing")),
        }
    }
    lines.extend(
        found.iter().filter(|(name, _)| rest.contains_key(name.as_str())).map(|(n, _)| format!("{n}: too much")),
    );
    lines
}

/// What a value consists of, in its order.
fn facts(data: &Data) -> Vec<(String, Bytes)> {
    match data {
        Data::String(value) => vec![("value".into(), value.clone())],
        Data::List(elements) => {
            elements.iter().enumerate().map(|(at, e)| (format!("element {at}"), e.clone())).collect()
        }
        Data::Set(members) => {
            members.iter().map(|member| (format!("member {}", whole(member)), Bytes::new())).collect()
        }
        Data::Hash(fields) => {
            let facts = fields.iter().flat_map(|(name, field)| {
                let name = format!("field {}", whole(name));
                let expiry = field.expires_at.map(|at| (format!("expiry of {name}"), at.to_string().into()));
                [Some((name, field.value.clone())), expiry].into_iter().flatten()
            });
            facts.collect()
        }
        // -0 is 0.
        Data::Zset(scores) => scores
            .iter()
            .map(|(member, score)| (format!("score of {}", whole(member)), format!("{:e}", score + 0.0).into()))
            .collect(),
        Data::Stream(stream) => {
            let mut facts = vec![
                ("last id".into(), stream.last_id.to_string().into()),
                ("entries added".into(), stream.entries_added.to_string().into()),
                ("largest deleted id".into(), stream.max_deleted_id.to_string().into()),
            ];
            for (name, group) in &stream.groups {
                let name = format!("group {}", whole(name));
                facts.push((format!("{name}, last delivered id"), group.last_delivered_id.to_string().into()));
                facts.push((format!("{name}, entries read"), format!("{:?}", group.entries_read).into()));
                for (consumer, ids) in &group.consumers {
                    let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
                    facts.push((format!("{name}, pending with {}", whole(consumer)), ids.join(" ").into()));
                }
                for (id, pending) in &group.pending {
                    facts.push((format!("{name}, pending {id}"), format!("{pending:?}").into()));
                }
            }
            let entry = |words: &Vec<Bytes>| words.iter().map(|word| whole(word)).collect::<Vec<_>>().join(" ").into();
            facts.extend(stream.entries.iter().map(|(id, words)| (format!("entry {id}"), entry(words))));
            facts
        }
        Data::Other(kind) => vec![("type".into(), kind.clone())],
    }
}

fn kind(data: &Data) -> String {
    match data {
        Data::String(value) => format!("a string of {} bytes", value.len()),
        Data::List(elements) => format!("a list of {}", elements.len()),
        Data::Set(members) => format!("a set of {}", members.len()),
        Data::Hash(fields) => format!("a hash of {}", fields.len()),
        Data::Zset(scores) => format!("a sorted set of {}", scores.len()),
        Data::Stream(stream) => format!("a stream of {} and {} groups", stream.entries.len(), stream.groups.len()),
        Data::Other(kind) => format!("a {}", kind.escape_ascii()),
    }
}

/// Two strings, where they begin to differ.
fn contrast(expected: &[u8], found: &[u8]) -> String {
    if expected.len().max(found.len()) <= SHOWN_BYTES {
        return format!("expected {}, found {}", whole(expected), whole(found));
    }
    let from = expected.iter().zip(found).take_while(|(e, f)| e == f).count();
    format!("from byte {from} on, expected {}, found {}", brief(&expected[from..]), brief(&found[from..]))
}

fn whole(bytes: &[u8]) -> String {
    format!("\"{}\"", bytes.escape_ascii())
}

fn brief(bytes: &[u8]) -> String {
    match bytes.get(..SHOWN_BYTES) {
        Some(shown) if shown.len() < bytes.len() => format!("{}… ({} bytes)", whole(shown), bytes.len()),
        _ => whole(bytes),
    }
}
