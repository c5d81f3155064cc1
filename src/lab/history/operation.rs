//! The operations of a workload: what is sent. What they do is the [model](super::model)'s.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Cell;

/// A key, member, field or value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Word(Arc<[u8]>);

impl Deref for Word {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl AsRef<[u8]> for Word {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Word {
    /// Of these bytes.
    pub fn new(bytes: impl AsRef<[u8]>) -> Self {
        Self(bytes.as_ref().into())
    }
}

/// As text in which each letter stands for the byte of its number: most are readable so.
impl Serialize for Word {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0.iter().map(|byte| char::from(*byte)).collect::<String>())
    }
}

impl<'de> Deserialize<'de> for Word {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes: Result<Vec<u8>, _> = text.chars().map(u8::try_from).collect();
        Ok(Self(bytes.map_err(serde::de::Error::custom)?.into()))
    }
}

/// The keys of a cell, by what they hold. The name of a key ends with it, so that content can be read without asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Kind {
    /// A string that is set and appended to.
    Text,
    /// A string that is a number.
    Counter,
    /// A string that is a bitmap.
    Bits,
    /// A string that expires.
    Timed,
    /// A list.
    List,
    /// Another list, to which elements move.
    Queue,
    /// A set.
    Set,
    /// Another set.
    Bag,
    /// A hash.
    Hash,
    /// A sorted set.
    Zset,
    /// A stream.
    Stream,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Text,
        Self::Counter,
        Self::Bits,
        Self::Timed,
        Self::List,
        Self::Queue,
        Self::Set,
        Self::Bag,
        Self::Hash,
        Self::Zset,
        Self::Stream,
    ];

    /// The end of the names of such keys.
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Counter => "counter",
            Self::Bits => "bits",
            Self::Timed => "timed",
            Self::List => "list",
            Self::Queue => "queue",
            Self::Set => "set",
            Self::Bag => "bag",
            Self::Hash => "hash",
            Self::Zset => "zset",
            Self::Stream => "stream",
        }
    }

    /// The key of a cell.
    pub fn key(self, cell: Cell) -> String {
        format!("lab:{{{cell}}}:{}", self.name())
    }

    /// The cell and kind of a key.
    pub fn of(key: &str) -> Option<(Cell, Self)> {
        let (cell, name) = key.strip_prefix("lab:{")?.split_once("}:")?;
        let kind = Self::ALL.into_iter().find(|kind| kind.name() == name)?;
        Some((cell.parse().ok()?, kind))
    }
}

/// What a client asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Operation {
    /// `SET`
    Set(Kind, Word),
    /// `SET … PXAT`
    SetUntil(Kind, Word, u64),
    /// `SET … GET`
    GetSet(Kind, Word),
    /// `GET`
    Get(Kind),
    /// `APPEND`
    Append(Kind, Word),
    /// `INCRBY`
    Increment(Kind, i64),
    /// `SETBIT`
    SetBit(Kind, u32, bool),
    /// `DEL`
    Delete(Kind),
    /// `PERSIST`
    Persist(Kind),
    /// `PEXPIREAT`
    ExpireAt(Kind, u64),
    /// `RPUSH`, or `LPUSH`
    Push(Kind, Word, End),
    /// `RPOP`, or `LPOP`
    Pop(Kind, End),
    /// `BRPOP`, or `BLPOP`: waits at most so many milliseconds.
    BlockingPop(Kind, End, u64),
    /// `LMOVE`
    Move(Kind, Kind, End, End),
    /// `LTRIM key 0 N-1`
    Trim(Kind, usize),
    /// `LRANGE key 0 -1`
    Elements(Kind),
    /// `SADD`
    Add(Kind, Word),
    /// `SREM`
    Remove(Kind, Word),
    /// `SMOVE`
    MoveMember(Kind, Kind, Word),
    /// `SPOP`
    PopAny(Kind),
    /// `SMEMBERS`
    Members(Kind),
    /// `HSET`
    SetField(Kind, Word, Word),
    /// `HINCRBY`
    IncrementField(Kind, Word, i64),
    /// `HDEL`
    DeleteField(Kind, Word),
    /// `HGETALL`
    Fields(Kind),
    /// `ZADD`
    Score(Kind, Word, i64),
    /// `ZINCRBY`
    AddScore(Kind, Word, i64),
    /// `ZREM`
    RemoveScored(Kind, Word),
    /// `ZPOPMIN`
    PopLeast(Kind),
    /// `ZRANGE key 0 -1 WITHSCORES`
    Scores(Kind),
    /// `XADD key ID field value`
    AddEntry(Kind, (u64, u64), Word),
    /// `XDEL`
    DeleteEntry(Kind, (u64, u64)),
    /// `XTRIM key MAXLEN N`
    TrimEntries(Kind, usize),
    /// `XRANGE key - +`
    Entries(Kind),
    /// `XGROUP CREATE key group 0 MKSTREAM`
    CreateGroup(Kind),
    /// `XREADGROUP GROUP group consumer COUNT N STREAMS key >`
    ReadGroup(Kind, Word, usize),
    /// `XACK`
    Acknowledge(Kind, (u64, u64)),
    /// `MULTI … EXEC`
    Transaction(Vec<Operation>),
}

/// An end of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum End {
    /// The first element's.
    Left,
    /// The last one's.
    Right,
}

impl End {
    fn name(self) -> &'static str {
        match self {
            Self::Left => "LEFT",
            Self::Right => "RIGHT",
        }
    }

    fn letter(self) -> &'static str {
        &self.name()[..1]
    }
}

/// The field of stream entries.
pub const FIELD: &str = "f";

/// The consumer group of streams.
pub const GROUP: &str = "g";

impl Operation {
    /// The commands to send, one after the other; the last one's reply is the answer.
    pub fn commands(&self, cell: Cell) -> Vec<Vec<Word>> {
        match self {
            Self::Transaction(operations) => {
                let words = |word: &str| vec![Word::new(word)];
                let inner = operations.iter().flat_map(|operation| operation.commands(cell));
                std::iter::once(words("MULTI")).chain(inner).chain([words("EXEC")]).collect()
            }
            single => vec![single.command(cell)],
        }
    }

    fn command(&self, cell: Cell) -> Vec<Word> {
        let key = |kind: &Kind| kind.key(cell);
        let line = Line::default();
        match self {
            Self::Set(kind, value) => line.text("SET").text(key(kind)).word(value),
            Self::SetUntil(kind, value, at) => line.text("SET").text(key(kind)).word(value).text("PXAT").text(at),
            Self::GetSet(kind, value) => line.text("SET").text(key(kind)).word(value).text("GET"),
            Self::Get(kind) => line.text("GET").text(key(kind)),
            Self::Append(kind, value) => line.text("APPEND").text(key(kind)).word(value),
            Self::Increment(kind, by) => line.text("INCRBY").text(key(kind)).text(by),
            Self::SetBit(kind, at, bit) => line.text("SETBIT").text(key(kind)).text(at).text(u8::from(*bit)),
            Self::Delete(kind) => line.text("DEL").text(key(kind)),
            Self::Persist(kind) => line.text("PERSIST").text(key(kind)),
            Self::ExpireAt(kind, at) => line.text("PEXPIREAT").text(key(kind)).text(at),
            Self::Push(kind, value, end) => line.text(format!("{}PUSH", end.letter())).text(key(kind)).word(value),
            Self::Pop(kind, end) => line.text(format!("{}POP", end.letter())).text(key(kind)),
            Self::BlockingPop(kind, end, ms) => {
                let seconds = *ms as f64 / 1000.0;
                line.text(format!("B{}POP", end.letter())).text(key(kind)).text(seconds)
            }
            Self::Move(from, to, end, to_end) => {
                line.text("LMOVE").text(key(from)).text(key(to)).text(end.name()).text(to_end.name())
            }
            Self::Trim(kind, count) => line.text("LTRIM").text(key(kind)).text(0).text(*count as i64 - 1),
            Self::Elements(kind) => line.text("LRANGE").text(key(kind)).text(0).text(-1),
            Self::Add(kind, member) => line.text("SADD").text(key(kind)).word(member),
            Self::Remove(kind, member) => line.text("SREM").text(key(kind)).word(member),
            Self::MoveMember(from, to, member) => line.text("SMOVE").text(key(from)).text(key(to)).word(member),
            Self::PopAny(kind) => line.text("SPOP").text(key(kind)),
            Self::Members(kind) => line.text("SMEMBERS").text(key(kind)),
            Self::SetField(kind, field, value) => line.text("HSET").text(key(kind)).word(field).word(value),
            Self::IncrementField(kind, field, by) => line.text("HINCRBY").text(key(kind)).word(field).text(by),
            Self::DeleteField(kind, field) => line.text("HDEL").text(key(kind)).word(field),
            Self::Fields(kind) => line.text("HGETALL").text(key(kind)),
            Self::Score(kind, member, score) => line.text("ZADD").text(key(kind)).text(score).word(member),
            Self::AddScore(kind, member, by) => line.text("ZINCRBY").text(key(kind)).text(by).word(member),
            Self::RemoveScored(kind, member) => line.text("ZREM").text(key(kind)).word(member),
            Self::PopLeast(kind) => line.text("ZPOPMIN").text(key(kind)),
            Self::Scores(kind) => line.text("ZRANGE").text(key(kind)).text(0).text(-1).text("WITHSCORES"),
            Self::AddEntry(kind, (ms, seq), value) => {
                line.text("XADD").text(key(kind)).text(format!("{ms}-{seq}")).text(FIELD).word(value)
            }
            Self::DeleteEntry(kind, (ms, seq)) => line.text("XDEL").text(key(kind)).text(format!("{ms}-{seq}")),
            Self::TrimEntries(kind, count) => line.text("XTRIM").text(key(kind)).text("MAXLEN").text(count),
            Self::Entries(kind) => line.text("XRANGE").text(key(kind)).text("-").text("+"),
            Self::CreateGroup(kind) => {
                line.text("XGROUP").text("CREATE").text(key(kind)).text(GROUP).text(0).text("MKSTREAM")
            }
            Self::ReadGroup(kind, consumer, count) => {
                let line = line.text("XREADGROUP").text("GROUP").text(GROUP).word(consumer).text("COUNT").text(count);
                line.text("STREAMS").text(key(kind)).text(">")
            }
            Self::Acknowledge(kind, (ms, seq)) => {
                line.text("XACK").text(key(kind)).text(GROUP).text(format!("{ms}-{seq}"))
            }
            // A transaction in a transaction is not made.
            Self::Transaction(_) => line.text("PING"),
        }
        .0
    }

    /// True when it changes nothing, whatever it finds.
    pub fn is_read(&self) -> bool {
        match self {
            Self::Get(_)
            | Self::Elements(_)
            | Self::Members(_)
            | Self::Fields(_)
            | Self::Scores(_)
            | Self::Entries(_) => true,
            Self::Transaction(operations) => operations.iter().all(Self::is_read),
            _ => false,
        }
    }
}

#[derive(Default)]
struct Line(Vec<Word>);

impl Line {
    fn text(self, text: impl fmt::Display) -> Self {
        self.word(&Word::new(text.to_string()))
    }

    fn word(mut self, word: &Word) -> Self {
        self.0.push(word.clone());
        self
    }
}

/// How a person would type it (long values cut).
pub fn in_words(command: &[Word]) -> String {
    const LONGEST: usize = 40;
    let word = |word: &Word| {
        let cut = &word[..word.len().min(LONGEST)];
        let more = if word.len() > LONGEST { format!("…({} bytes)", word.len()) } else { String::new() };
        format!("{}{more}", cut.escape_ascii())
    };
    command.iter().map(word).collect::<Vec<_>>().join(" ")
}
