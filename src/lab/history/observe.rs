//! Reading all that a server holds.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::sync::Arc;

use super::Cell;
use super::model::{Content, Entry, Group, State, Window, id_of};
use super::operation::{FIELD, GROUP, Kind, Word};
use crate::lab::client::Client;
use crate::resp::Value;

/// What a server holds.
#[derive(Clone, Debug, Default)]
pub struct Observation {
    /// By cell; those that are not named hold nothing.
    pub cells: BTreeMap<Cell, State>,
    /// What is not of the workload, or not of the type that it should be.
    pub foreign: Vec<String>,
    /// When it was read.
    pub window: Option<Window>,
}

impl Observation {
    /// Reads everything.
    pub fn read(client: &mut Client, wall_ms: impl Fn() -> u64) -> io::Result<Self> {
        let from_ms = wall_ms();
        let mut found = Self::default();
        let listed = client.call(&["KEYS", "*"])?;
        let listed = listed.elements().ok_or_else(|| unexpected("KEYS", &listed))?;
        let mut keys = Vec::new();
        for key in listed {
            let name = key.text().unwrap_or_default();
            match Kind::of(&name) {
                Some((cell, kind)) => keys.push((name, cell, kind)),
                None => found.foreign.push(format!("key '{name}'")),
            }
        }
        let commands: Vec<Vec<String>> = keys.iter().flat_map(|(name, _, kind)| reading(name, *kind)).collect();
        let mut replies = client.pipeline(&commands)?.into_iter();
        for (name, cell, kind) in &keys {
            let (content, expiry) = (replies.next(), replies.next());
            let more: Vec<Value> = replies.by_ref().take(more_of(name, *kind).len()).collect();
            let (Some(content), Some(expiry)) = (content, expiry) else { continue };
            let until = match expiry.integer() {
                Some(-1) => None,
                // It expired between the two questions.
                Some(-2) => continue,
                Some(ms) => u64::try_from(ms).ok(),
                None => return Err(unexpected("PEXPIRETIME", &expiry)),
            };
            match understand(*kind, &content, &more) {
                Ok(Some(content)) => {
                    let state = found.cells.entry(*cell).or_default();
                    state.keys.insert(*kind, Arc::new(Entry { content, until }));
                }
                // It expired between the two questions.
                Ok(None) => {}
                Err(()) => found.foreign.push(format!("key '{name}' answers {content}")),
            }
        }
        found.window = Some(Window { from_ms, to_ms: wall_ms() });
        Ok(found)
    }
}

fn unexpected(command: &str, value: &Value) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{command} answers {value}"))
}

fn reading(key: &str, kind: Kind) -> Vec<Vec<String>> {
    let line = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let content = match kind {
        Kind::Text | Kind::Counter | Kind::Bits | Kind::Timed => line(&["GET", key]),
        Kind::List | Kind::Queue => line(&["LRANGE", key, "0", "-1"]),
        Kind::Set | Kind::Bag => line(&["SMEMBERS", key]),
        Kind::Hash => line(&["HGETALL", key]),
        Kind::Zset => line(&["ZRANGE", key, "0", "-1", "WITHSCORES"]),
        Kind::Stream => line(&["XRANGE", key, "-", "+"]),
    };
    [vec![content, line(&["PEXPIRETIME", key])], more_of(key, kind)].concat()
}

/// What else is asked of a key.
fn more_of(key: &str, kind: Kind) -> Vec<Vec<String>> {
    let commands: &[&[&str]] = match kind {
        Kind::Stream => {
            &[&["XINFO", "STREAM", key], &["XINFO", "GROUPS", key], &["XPENDING", key, GROUP, "-", "+", "1000000"]]
        }
        _ => &[],
    };
    commands.iter().map(|words| words.iter().map(|word| (*word).to_owned()).collect()).collect()
}

fn understand(kind: Kind, value: &Value, more: &[Value]) -> Result<Option<Content>, ()> {
    let word = |value: &Value| value.bytes().map(Word::new).ok_or(());
    let items = || value.elements().ok_or(());
    let (content, empty) = match kind {
        Kind::Text | Kind::Counter | Kind::Bits | Kind::Timed => match value {
            Value::Bulk(text) => (Content::Text(text.clone()), false),
            value if value.is_null() => return Ok(None),
            _ => return Err(()),
        },
        Kind::List | Kind::Queue => {
            let list: VecDeque<Word> = items()?.iter().map(word).collect::<Result<_, _>>()?;
            let empty = list.is_empty();
            (Content::List(list), empty)
        }
        Kind::Set | Kind::Bag => {
            let set: BTreeSet<Word> = items()?.iter().map(word).collect::<Result<_, _>>()?;
            once_each(set.len(), items()?.len())?;
            let empty = set.is_empty();
            (Content::Set(set), empty)
        }
        Kind::Hash => {
            let pairs = value.pairs().ok_or(())?;
            let hash: BTreeMap<Word, Word> =
                pairs.iter().map(|(field, value)| Ok((word(field)?, word(value)?))).collect::<Result<_, _>>()?;
            once_each(hash.len(), pairs.len())?;
            let empty = hash.is_empty();
            (Content::Hash(hash), empty)
        }
        Kind::Zset => {
            let pairs = value.pairs().ok_or(())?;
            let score = |value: &Value| value.text().and_then(|text| text.parse::<i64>().ok()).ok_or(());
            let zset: BTreeMap<Word, i64> =
                pairs.iter().map(|(member, value)| Ok((word(member)?, score(value)?))).collect::<Result<_, _>>()?;
            once_each(zset.len(), pairs.len())?;
            let empty = zset.is_empty();
            (Content::Zset(zset), empty)
        }
        Kind::Stream => {
            let entries = items()?.iter().map(entry).collect::<Option<_>>().ok_or(())?;
            let [info, groups, pending] = more else { return Err(()) };
            let last = id_in(info, "last-generated-id").ok_or(())?;
            (Content::Stream { entries, last, group: group(groups, pending)? }, false)
        }
    };
    Ok((!empty).then_some(content))
}

/// What is told twice is not what it is said to be.
fn once_each(different: usize, told: usize) -> Result<(), ()> {
    if different == told { Ok(()) } else { Err(()) }
}

fn entry(item: &Value) -> Option<((u64, u64), Word)> {
    let [id, fields] = item.elements()? else { return None };
    let [field, value] = fields.elements()? else { return None };
    (field.bytes()? == FIELD.as_bytes()).then_some(())?;
    Some((id_of(id.bytes()?)?, Word::new(value.bytes()?)))
}

fn id_in(info: &Value, name: &str) -> Option<(u64, u64)> {
    let pairs = info.pairs()?;
    let (_, id) = pairs.iter().find(|(found, _)| found.bytes() == Some(name.as_bytes()))?;
    id_of(id.bytes()?)
}

/// The only group, where there is one.
fn group(groups: &Value, pending: &Value) -> Result<Option<Group>, ()> {
    match groups.elements().ok_or(())? {
        [] => Ok(None),
        [one] => {
            let delivered = id_in(one, "last-delivered-id").ok_or(())?;
            let given = |item: &Value| match item.elements()? {
                [id, consumer, _idle, _count] => Some((id_of(id.bytes()?)?, Word::new(consumer.bytes()?))),
                _ => None,
            };
            let pending = pending.elements().ok_or(())?.iter().map(given).collect::<Option<_>>().ok_or(())?;
            Ok(Some(Group { delivered, pending }))
        }
        _ => Err(()),
    }
}
