//! Reading all that a server holds.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::sync::Arc;

use super::Cell;
use super::model::{Content, Entry, State, Window, id_of};
use super::operation::{FIELD, Kind, Word};
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
            let last = if *kind == Kind::Stream { replies.next() } else { None };
            let (Some(content), Some(expiry)) = (content, expiry) else { continue };
            let until = match expiry.integer() {
                Some(-1) => None,
                // It expired between the two questions.
                Some(-2) => continue,
                Some(ms) => u64::try_from(ms).ok(),
                None => return Err(unexpected("PEXPIRETIME", &expiry)),
            };
            match understand(*kind, &content, last.as_ref()) {
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
    let mut commands = vec![content, line(&["PEXPIRETIME", key])];
    if kind == Kind::Stream {
        commands.push(line(&["XINFO", "STREAM", key]));
    }
    commands
}

fn understand(kind: Kind, value: &Value, last: Option<&Value>) -> Result<Option<Content>, ()> {
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
            let empty = set.is_empty();
            (Content::Set(set), empty)
        }
        Kind::Hash => {
            let pairs = value.pairs().ok_or(())?;
            let hash: BTreeMap<Word, Word> =
                pairs.iter().map(|(field, value)| Ok((word(field)?, word(value)?))).collect::<Result<_, _>>()?;
            let empty = hash.is_empty();
            (Content::Hash(hash), empty)
        }
        Kind::Zset => {
            let pairs = value.pairs().ok_or(())?;
            let score = |value: &Value| value.text().and_then(|text| text.parse::<i64>().ok()).ok_or(());
            let zset: BTreeMap<Word, i64> =
                pairs.iter().map(|(member, value)| Ok((word(member)?, score(value)?))).collect::<Result<_, _>>()?;
            let empty = zset.is_empty();
            (Content::Zset(zset), empty)
        }
        Kind::Stream => {
            let entries = items()?.iter().map(entry).collect::<Option<_>>().ok_or(())?;
            (Content::Stream { entries, last: last.and_then(last_id).ok_or(())? }, false)
        }
    };
    Ok((!empty).then_some(content))
}

fn entry(item: &Value) -> Option<((u64, u64), Word)> {
    let [id, fields] = item.elements()? else { return None };
    let [field, value] = fields.elements()? else { return None };
    (field.bytes()? == FIELD.as_bytes()).then_some(())?;
    Some((id_of(id.bytes()?)?, Word::new(value.bytes()?)))
}

fn last_id(info: &Value) -> Option<(u64, u64)> {
    let pairs = info.pairs()?;
    let (_, id) = pairs.iter().find(|(name, _)| name.bytes() == Some(b"last-generated-id"))?;
    id_of(id.bytes()?)
}
