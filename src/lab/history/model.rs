//! What the operations do, in the simplest words: the specification by which servers are judged. It shares nothing
//! with ackd's own commands.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use smallvec::{SmallVec, smallvec};
use xxhash_rust::xxh3::Xxh3;

use super::operation::{End, FIELD, Kind, Operation, Word};
use crate::resp::Value;

/// What a key holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Content {
    /// A string.
    Text(Vec<u8>),
    /// A list.
    List(VecDeque<Word>),
    /// A set.
    Set(BTreeSet<Word>),
    /// A hash.
    Hash(#[serde(with = "pairs")] BTreeMap<Word, Word>),
    /// A sorted set.
    Zset(#[serde(with = "pairs")] BTreeMap<Word, i64>),
    /// A stream, which stays when it is empty.
    Stream {
        /// Its entries.
        #[serde(with = "pairs")]
        entries: BTreeMap<(u64, u64), Word>,
        /// The last ID that was ever added.
        last: (u64, u64),
        /// Its consumer group.
        group: Option<Group>,
    },
}

/// A consumer group of a stream: who was given what and has not acknowledged it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// The last ID that was given to anyone.
    pub delivered: (u64, u64),
    /// Given, not acknowledged: to this consumer.
    #[serde(with = "pairs")]
    pub pending: BTreeMap<(u64, u64), Word>,
}

/// A key's value, and until when it is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The value.
    pub content: Content,
    /// When it expires, in milliseconds since 1970.
    pub until: Option<u64>,
}

/// The keys of a cell.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// Those that are there; states share what they have in common.
    pub keys: BTreeMap<Kind, Arc<Entry>>,
}

/// When an operation, or a look at the state, took place: somewhere between two wall-clock times.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    /// Not before.
    pub from_ms: u64,
    /// Not after.
    pub to_ms: u64,
}

/// Server and client read the clock at different moments, and servers keep a reading for a while.
pub const CLOCK_SLACK_MS: u64 = 20;

impl Window {
    /// The same for a server whose clock is off by at most so much.
    #[must_use]
    pub fn widened(self, skew_ms: u64) -> Self {
        Self { from_ms: self.from_ms.saturating_sub(skew_ms), to_ms: self.to_ms.saturating_add(skew_ms) }
    }

    /// True when what expires then is gone in any case.
    pub fn is_surely_past(self, until: u64) -> bool {
        self.from_ms > until.saturating_add(CLOCK_SLACK_MS)
    }

    /// True when what expires then may be gone.
    pub fn is_maybe_past(self, until: u64) -> bool {
        self.to_ms.saturating_add(CLOCK_SLACK_MS) >= until
    }
}

/// States that may follow.
pub type Next = SmallVec<[State; 2]>;

/// A reply that the model expects.
enum Answer {
    Ok,
    Integer(i64),
    Bulk(Vec<u8>),
    Nil,
    List(Vec<Vec<u8>>),
    /// In any order.
    Bag(Vec<Vec<u8>>),
    /// Pairs, in any order.
    Map(Vec<(Vec<u8>, Vec<u8>)>),
    Entries(Vec<(String, Vec<u8>)>),
    /// The same below the name of a key.
    Delivered(Vec<(String, Vec<u8>)>),
    Error,
}

impl State {
    /// The states that the operation may lead to when it is carried out in this window, and answers so (or nobody
    /// knows how).
    pub fn after(&self, operation: &Operation, answered: Option<&Value>, window: Window) -> Next {
        if let Operation::Transaction(operations) = operation {
            return self.after_all(operations, answered, window);
        }
        let mut next = Next::new();
        for state in self.expired(window) {
            state.carry_out(operation, &mut |state, answer| {
                if answered.is_none_or(|value| answer.matches(value)) && !next.contains(&state) {
                    next.push(state);
                }
            });
        }
        next
    }

    /// The same of operations that are carried out as one. A key may expire between two of them: one that is set to end in
    /// the past, by the server's clock, is gone at once.
    fn after_all(&self, operations: &[Operation], answered: Option<&Value>, window: Window) -> Next {
        let answers = match answered {
            Some(Value::Array(items)) if items.len() == operations.len() => Some(items),
            Some(_) => return Next::new(),
            None => None,
        };
        let mut states: Next = smallvec![self.clone()];
        for (place, operation) in operations.iter().enumerate() {
            let mut next = Next::new();
            for state in states {
                for after in state.after(operation, answers.map(|items| &items[place]), window) {
                    if !next.contains(&after) {
                        next.push(after);
                    }
                }
            }
            states = next;
        }
        states
    }

    /// This state with what has expired taken away; each way that the clock allows.
    fn expired(&self, window: Window) -> Next {
        let mut states: Next = smallvec![self.clone()];
        for (kind, entry) in &self.keys {
            let Some(until) = entry.until.filter(|until| window.is_maybe_past(*until)) else { continue };
            let without = |state: &State| {
                let mut state = state.clone();
                state.keys.remove(kind);
                state
            };
            let gone: Next = states.iter().map(without).collect();
            if window.is_surely_past(until) {
                states = gone;
            } else {
                states.extend(gone);
            }
        }
        states
    }

    /// What two states have in common that are equal but for keys that expire.
    pub fn digest(&self) -> u128 {
        let mut hash = Xxh3::new();
        for (kind, entry) in self.keys.iter().filter(|(_, entry)| entry.until.is_none()) {
            hash.update(&[0xff, *kind as u8]);
            entry.content.hash(&mut hash);
        }
        hash.digest128()
    }

    /// What only equal states have in common.
    pub fn identity(&self) -> u128 {
        let mut hash = Xxh3::new();
        hash.update(&self.digest().to_le_bytes());
        for (kind, entry) in self.timed() {
            hash.update(&[*kind as u8]);
            hash.update(&entry.until.unwrap_or_default().to_le_bytes());
            entry.content.hash(&mut hash);
        }
        hash.digest128()
    }

    /// The keys that expire.
    pub fn timed(&self) -> impl Iterator<Item = (&Kind, &Arc<Entry>)> {
        self.keys.iter().filter(|(_, entry)| entry.until.is_some())
    }

    fn carry_out(mut self, operation: &Operation, found: &mut dyn FnMut(State, Answer)) {
        match operation {
            Operation::PopAny(kind) => {
                let members: Vec<Word> = self.set(*kind).iter().cloned().collect();
                if members.is_empty() {
                    return found(self, Answer::Nil);
                }
                for member in members {
                    let mut state = self.clone();
                    state.remove_member(*kind, &member);
                    found(state, Answer::Bulk(member.to_vec()));
                }
            }
            single => {
                let answer = self.execute(single);
                found(self, answer);
            }
        }
    }

    /// Operations with one outcome.
    fn execute(&mut self, operation: &Operation) -> Answer {
        match operation {
            Operation::Set(kind, value) => {
                self.set_text(*kind, value.to_vec(), None);
                Answer::Ok
            }
            Operation::SetUntil(kind, value, until) => {
                self.set_text(*kind, value.to_vec(), Some(*until));
                Answer::Ok
            }
            Operation::GetSet(kind, value) => {
                let old = self.text(*kind).map_or(Answer::Nil, |text| Answer::Bulk(text.to_vec()));
                self.set_text(*kind, value.to_vec(), None);
                old
            }
            Operation::Get(kind) => self.text(*kind).map_or(Answer::Nil, |text| Answer::Bulk(text.to_vec())),
            Operation::Append(kind, value) => {
                let text = self.text_mut(*kind);
                text.extend_from_slice(value);
                Answer::Integer(text.len() as i64)
            }
            Operation::Increment(kind, by) => {
                let text = self.text_mut(*kind);
                let sum = number(text).wrapping_add(*by);
                *text = sum.to_string().into_bytes();
                Answer::Integer(sum)
            }
            Operation::SetBit(kind, at, bit) => {
                let text = self.text_mut(*kind);
                let (byte, mask) = (*at as usize / 8, 0x80 >> (at % 8));
                if text.len() <= byte {
                    text.resize(byte + 1, 0);
                }
                let old = text[byte] & mask != 0;
                text[byte] = if *bit { text[byte] | mask } else { text[byte] & !mask };
                Answer::Integer(i64::from(old))
            }
            Operation::Delete(kind) => Answer::Integer(i64::from(self.keys.remove(kind).is_some())),
            Operation::Persist(kind) => {
                let until = self.keys.get_mut(kind).and_then(|entry| Arc::make_mut(entry).until.take());
                Answer::Integer(i64::from(until.is_some()))
            }
            Operation::ExpireAt(kind, until) => {
                let entry = self.keys.get_mut(kind).map(|entry| Arc::make_mut(entry).until = Some(*until));
                Answer::Integer(i64::from(entry.is_some()))
            }
            Operation::Push(kind, value, end) => {
                let list = self.list_mut(*kind);
                match end {
                    End::Left => list.push_front(value.clone()),
                    End::Right => list.push_back(value.clone()),
                }
                Answer::Integer(list.len() as i64)
            }
            Operation::Pop(kind, end) => {
                self.pop(*kind, *end).map_or(Answer::Nil, |value| Answer::Bulk(value.to_vec()))
            }
            Operation::BlockingPop(kind, end, _) => match self.pop(*kind, *end) {
                // Its reply names the key; the cell's name is not known here.
                Some(value) => Answer::List(vec![kind.name().as_bytes().to_vec(), value.to_vec()]),
                None => Answer::Nil,
            },
            Operation::Move(from, to, end, to_end) => match self.pop(*from, *end) {
                Some(value) => {
                    self.execute(&Operation::Push(*to, value.clone(), *to_end));
                    Answer::Bulk(value.to_vec())
                }
                None => Answer::Nil,
            },
            Operation::Trim(kind, count) => {
                if self.keys.contains_key(kind) {
                    self.list_mut(*kind).truncate(*count);
                    self.drop_if_empty(*kind);
                }
                Answer::Ok
            }
            Operation::Elements(kind) => match self.content(*kind) {
                Some(Content::List(list)) => Answer::List(list.iter().map(|word| word.to_vec()).collect()),
                _ => Answer::List(Vec::new()),
            },
            Operation::Add(kind, member) => {
                let new = match self.entry(*kind, || Content::Set(BTreeSet::new())) {
                    Content::Set(set) => set.insert(member.clone()),
                    _ => false,
                };
                Answer::Integer(i64::from(new))
            }
            Operation::Remove(kind, member) => Answer::Integer(i64::from(self.remove_member(*kind, member))),
            Operation::MoveMember(from, to, member) => {
                let moved = self.remove_member(*from, member);
                if moved {
                    self.execute(&Operation::Add(*to, member.clone()));
                }
                Answer::Integer(i64::from(moved))
            }
            Operation::Members(kind) => Answer::Bag(self.set(*kind).iter().map(|word| word.to_vec()).collect()),
            Operation::SetField(kind, field, value) => {
                let old = self.hash_mut(*kind).insert(field.clone(), value.clone());
                Answer::Integer(i64::from(old.is_none()))
            }
            Operation::IncrementField(kind, field, by) => {
                let hash = self.hash_mut(*kind);
                let sum = hash.get(field).map_or(0, |value| number(value)).wrapping_add(*by);
                hash.insert(field.clone(), Word::new(sum.to_string()));
                Answer::Integer(sum)
            }
            Operation::DeleteField(kind, field) => {
                let removed = match self.content_mut(*kind) {
                    Some(Content::Hash(hash)) => hash.remove(field).is_some(),
                    _ => false,
                };
                self.drop_if_empty(*kind);
                Answer::Integer(i64::from(removed))
            }
            Operation::Fields(kind) => match self.content(*kind) {
                Some(Content::Hash(hash)) => {
                    Answer::Map(hash.iter().map(|(field, value)| (field.to_vec(), value.to_vec())).collect())
                }
                _ => Answer::Map(Vec::new()),
            },
            Operation::Score(kind, member, score) => {
                let old = self.zset_mut(*kind).insert(member.clone(), *score);
                Answer::Integer(i64::from(old.is_none()))
            }
            Operation::AddScore(kind, member, by) => {
                let score = self.zset_mut(*kind).entry(member.clone()).or_default();
                *score += by;
                Answer::Bulk(score.to_string().into_bytes())
            }
            Operation::RemoveScored(kind, member) => {
                let removed = match self.content_mut(*kind) {
                    Some(Content::Zset(zset)) => zset.remove(member).is_some(),
                    _ => false,
                };
                self.drop_if_empty(*kind);
                Answer::Integer(i64::from(removed))
            }
            Operation::PopLeast(kind) => {
                let Some((member, score)) = self.ranked(*kind).into_iter().next() else { return Answer::List(vec![]) };
                self.execute(&Operation::RemoveScored(*kind, member.clone()));
                Answer::List(vec![member.to_vec(), score.to_string().into_bytes()])
            }
            Operation::Scores(kind) => {
                let pair = |(member, score): (Word, i64)| [member.to_vec(), score.to_string().into_bytes()];
                Answer::List(self.ranked(*kind).into_iter().flat_map(pair).collect())
            }
            Operation::AddEntry(kind, id, value) => {
                let stream = self.entry(*kind, Content::new_stream);
                match stream {
                    Content::Stream { entries, last, .. } if *id > *last => {
                        entries.insert(*id, value.clone());
                        *last = *id;
                        Answer::Bulk(id_text(*id).into_bytes())
                    }
                    _ => Answer::Error,
                }
            }
            Operation::DeleteEntry(kind, id) => match self.content_mut(*kind) {
                Some(Content::Stream { entries, .. }) => Answer::Integer(i64::from(entries.remove(id).is_some())),
                _ => Answer::Integer(0),
            },
            Operation::TrimEntries(kind, count) => match self.content_mut(*kind) {
                Some(Content::Stream { entries, .. }) => {
                    let excess = entries.len().saturating_sub(*count);
                    let first: Vec<_> = entries.keys().take(excess).copied().collect();
                    first.iter().for_each(|id| drop(entries.remove(id)));
                    Answer::Integer(excess as i64)
                }
                _ => Answer::Integer(0),
            },
            Operation::Entries(kind) => match self.content(*kind) {
                Some(Content::Stream { entries, .. }) => {
                    Answer::Entries(entries.iter().map(|(id, value)| (id_text(*id), value.to_vec())).collect())
                }
                _ => Answer::Entries(Vec::new()),
            },
            Operation::CreateGroup(kind) => match self.entry(*kind, Content::new_stream) {
                Content::Stream { group: group @ None, .. } => {
                    *group = Some(Group::default());
                    Answer::Ok
                }
                _ => Answer::Error,
            },
            Operation::ReadGroup(kind, consumer, count) => match self.content_mut(*kind) {
                Some(Content::Stream { entries, group: Some(group), .. }) => {
                    let new = entries.iter().filter(|(id, _)| **id > group.delivered).take(*count);
                    let new: Vec<_> = new.map(|(id, value)| (*id, value.to_vec())).collect();
                    let Some((last, _)) = new.last() else { return Answer::Nil };
                    group.delivered = *last;
                    group.pending.extend(new.iter().map(|(id, _)| (*id, consumer.clone())));
                    Answer::Delivered(new.into_iter().map(|(id, value)| (id_text(id), value)).collect())
                }
                _ => Answer::Error,
            },
            Operation::Acknowledge(kind, id) => match self.content_mut(*kind) {
                Some(Content::Stream { group: Some(group), .. }) => {
                    Answer::Integer(i64::from(group.pending.remove(id).is_some()))
                }
                _ => Answer::Integer(0),
            },
            Operation::PopAny(_) | Operation::Transaction(_) => unreachable!("they have no one outcome"),
        }
    }

    fn content(&self, kind: Kind) -> Option<&Content> {
        self.keys.get(&kind).map(|entry| &entry.content)
    }

    fn content_mut(&mut self, kind: Kind) -> Option<&mut Content> {
        self.keys.get_mut(&kind).map(|entry| &mut Arc::make_mut(entry).content)
    }

    fn entry(&mut self, kind: Kind, new: impl FnOnce() -> Content) -> &mut Content {
        let entry = self.keys.entry(kind).or_insert_with(|| Arc::new(Entry { content: new(), until: None }));
        &mut Arc::make_mut(entry).content
    }

    fn set_text(&mut self, kind: Kind, text: Vec<u8>, until: Option<u64>) {
        self.keys.insert(kind, Arc::new(Entry { content: Content::Text(text), until }));
    }

    fn text(&self, kind: Kind) -> Option<&[u8]> {
        match self.content(kind) {
            Some(Content::Text(text)) => Some(text),
            _ => None,
        }
    }

    fn text_mut(&mut self, kind: Kind) -> &mut Vec<u8> {
        match self.entry(kind, || Content::Text(Vec::new())) {
            Content::Text(text) => text,
            other => unreachable!("a key of strings holds {other:?}"),
        }
    }

    fn list_mut(&mut self, kind: Kind) -> &mut VecDeque<Word> {
        match self.entry(kind, || Content::List(VecDeque::new())) {
            Content::List(list) => list,
            other => unreachable!("a key of lists holds {other:?}"),
        }
    }

    fn hash_mut(&mut self, kind: Kind) -> &mut BTreeMap<Word, Word> {
        match self.entry(kind, || Content::Hash(BTreeMap::new())) {
            Content::Hash(hash) => hash,
            other => unreachable!("a key of hashes holds {other:?}"),
        }
    }

    fn zset_mut(&mut self, kind: Kind) -> &mut BTreeMap<Word, i64> {
        match self.entry(kind, || Content::Zset(BTreeMap::new())) {
            Content::Zset(zset) => zset,
            other => unreachable!("a key of sorted sets holds {other:?}"),
        }
    }

    fn set(&self, kind: Kind) -> BTreeSet<Word> {
        match self.content(kind) {
            Some(Content::Set(set)) => set.clone(),
            _ => BTreeSet::new(),
        }
    }

    fn remove_member(&mut self, kind: Kind, member: &Word) -> bool {
        let removed = match self.content_mut(kind) {
            Some(Content::Set(set)) => set.remove(member),
            _ => false,
        };
        self.drop_if_empty(kind);
        removed
    }

    fn pop(&mut self, kind: Kind, end: End) -> Option<Word> {
        let Some(Content::List(list)) = self.content_mut(kind) else { return None };
        let value = match end {
            End::Left => list.pop_front(),
            End::Right => list.pop_back(),
        };
        self.drop_if_empty(kind);
        value
    }

    fn ranked(&self, kind: Kind) -> Vec<(Word, i64)> {
        let Some(Content::Zset(zset)) = self.content(kind) else { return Vec::new() };
        let mut ranked: Vec<_> = zset.iter().map(|(member, score)| (member.clone(), *score)).collect();
        ranked.sort_by(|a, b| (a.1, &a.0).cmp(&(b.1, &b.0)));
        ranked
    }

    /// Collections but streams are gone when they are empty.
    fn drop_if_empty(&mut self, kind: Kind) {
        let empty = match self.content(kind) {
            Some(Content::List(list)) => list.is_empty(),
            Some(Content::Set(set)) => set.is_empty(),
            Some(Content::Hash(hash)) => hash.is_empty(),
            Some(Content::Zset(zset)) => zset.is_empty(),
            _ => false,
        };
        if empty {
            self.keys.remove(&kind);
        }
    }
}

impl Content {
    fn new_stream() -> Self {
        Self::Stream { entries: BTreeMap::new(), last: (0, 0), group: None }
    }

    fn hash(&self, hash: &mut Xxh3) {
        let mut word = |word: &[u8]| {
            hash.update(&(word.len() as u64).to_le_bytes());
            hash.update(word);
        };
        match self {
            Self::Text(text) => word(text),
            Self::List(list) => list.iter().for_each(|item| word(item)),
            Self::Set(set) => set.iter().for_each(|member| word(member)),
            Self::Hash(fields) => fields.iter().for_each(|(field, value)| {
                word(field);
                word(value);
            }),
            Self::Zset(zset) => zset.iter().for_each(|(member, score)| {
                word(member);
                word(&score.to_le_bytes());
            }),
            Self::Stream { entries, last, group } => {
                for (id, value) in entries {
                    word(id_text(*id).as_bytes());
                    word(value);
                }
                word(id_text(*last).as_bytes());
                if let Some(Group { delivered, pending }) = group {
                    word(id_text(*delivered).as_bytes());
                    for (id, consumer) in pending {
                        word(id_text(*id).as_bytes());
                        word(consumer);
                    }
                }
            }
        }
    }
}

/// A stream ID as servers print it.
pub fn id_text((ms, seq): (u64, u64)) -> String {
    format!("{ms}-{seq}")
}

/// A stream ID as servers print it, read.
pub fn id_of(text: &[u8]) -> Option<(u64, u64)> {
    let (ms, seq) = std::str::from_utf8(text).ok()?.split_once('-')?;
    Some((ms.parse().ok()?, seq.parse().ok()?))
}

fn number(text: &[u8]) -> i64 {
    std::str::from_utf8(text).ok().and_then(|text| text.parse().ok()).unwrap_or_default()
}

impl Answer {
    fn matches(&self, value: &Value) -> bool {
        match (self, value) {
            (Self::Ok, Value::Simple(text)) => text == b"OK",
            (Self::Integer(expected), Value::Integer(number)) => expected == number,
            (Self::Bulk(expected), Value::Bulk(text)) => expected == text,
            (Self::Nil, value) => value.is_null(),
            (Self::Error, value) => value.is_error(),
            (Self::List(expected), Value::Array(items)) => {
                expected.len() == items.len()
                    && expected.iter().zip(items).all(|(expected, item)| {
                        // A blocking pop names the key, whose end tells its kind.
                        item.bytes().is_some_and(|bytes| {
                            bytes == expected || (bytes.starts_with(b"lab:") && bytes.ends_with(expected))
                        })
                    })
            }
            (Self::Bag(expected), Value::Array(items)) => {
                let mut found: Vec<&[u8]> = items.iter().filter_map(Value::bytes).collect();
                found.sort_unstable();
                found.iter().eq(expected.iter())
            }
            (Self::Map(expected), Value::Array(items)) => {
                let (pairs, rest) = items.as_chunks::<2>();
                let mut found: Vec<_> = pairs.iter().map(|[field, value]| (field.bytes(), value.bytes())).collect();
                found.sort_unstable();
                rest.is_empty()
                    && found.into_iter().eq(expected.iter().map(|(f, v)| (Some(f.as_slice()), Some(v.as_slice()))))
            }
            (Self::Entries(expected), Value::Array(items)) => are_entries(items, expected),
            (Self::Delivered(expected), value) => {
                // One key, and what is new of it.
                let found = || value.elements()?.first()?.elements()?.get(1)?.elements();
                found().is_some_and(|items| are_entries(items, expected))
            }
            _ => false,
        }
    }
}

fn are_entries(items: &[Value], expected: &[(String, Vec<u8>)]) -> bool {
    expected.len() == items.len() && expected.iter().zip(items).all(|((id, value), item)| is_entry(item, id, value))
}

fn is_entry(item: &Value, id: &str, value: &[u8]) -> bool {
    let Some([found, fields]) = item.elements() else { return false };
    let Some([field, text]) = fields.elements() else { return false };
    found.bytes() == Some(id.as_bytes()) && field.bytes() == Some(FIELD.as_bytes()) && text.bytes() == Some(value)
}

/// Maps as lists of pairs: JSON knows only text as a key.
mod pairs {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<K: Serialize, V: Serialize, S: Serializer>(
        map: &BTreeMap<K, V>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(map)
    }

    pub fn deserialize<'de, K: Deserialize<'de> + Ord, V: Deserialize<'de>, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<BTreeMap<K, V>, D::Error> {
        Ok(Vec::<(K, V)>::deserialize(deserializer)?.into_iter().collect())
    }
}
