//! A value from the pieces of an RDB file. Whatever they claim, the value is a sound one or there is an error.

use std::collections::BTreeMap;

use smallvec::SmallVec;

use crate::base::listpack;
use crate::base::text::Text;
use crate::keyspace::{
    ConsumerId, End, Entry, Group, Hash, HashLimits, INLINE_MAX, LATEST_MS, List, ListLimits, NewExpiry, Owned, Packed,
    Pending, Ranking, Repeated, Set, SetLimits, Stream, StreamId, Zset, ZsetLimits,
};
use crate::rdb::{self, Key, Kind, Part, Shape};

/// The settings that decide how values are represented.
#[derive(Clone, Copy)]
pub struct Limits {
    /// Of lists.
    pub list: ListLimits,
    /// Of sets.
    pub set: SetLimits,
    /// Of sorted sets.
    pub zset: ZsetLimits,
    /// Of hashes.
    pub hash: HashLimits,
}

/// A value that is coming in.
pub struct Loading {
    limits: Limits,
    value: Coming,
}

enum Coming {
    Int(i64),
    /// Short ones are copied into the entry when the key is known; long ones are moved.
    String(SmallVec<[u8; 64]>),
    List(List),
    Set(Set),
    /// Few members that come one by one, as a listpack, and their number.
    Members(Vec<u8>, usize),
    Zset(Zset),
    Ranking(Box<Ranking>),
    Hash(Hash),
    Stream(Box<ComingStream>),
}

/// For so many elements room is made because a file claims them; that is two megabytes at most.
const BELIEVED: usize = 1 << 16;

#[derive(Default)]
struct ComingStream {
    stream: Stream,
    /// Whether its state has come; if from a file that does not say what groups have read, that is reckoned, as Redis does.
    state: Option<StateOf>,
    group: Option<ComingGroup>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum StateOf {
    Today,
    OldFile,
}

struct ComingGroup {
    name: Box<[u8]>,
    group: Group,
    /// Delivered, and not yet somebody's.
    pending: BTreeMap<StreamId, (i64, i64)>,
    consumer: Option<ConsumerId>,
}

/// What [`Loading::finish`] says of a collection of none. Older servers wrote such.
pub const EMPTY: &str = "a value without elements";

const TWICE: &str = "an element that is there twice";
const OUT_OF_PLACE: &str = "a part of a value where it cannot be";

impl Loading {
    /// Begins with a key.
    pub fn new(key: &Key<'_>, limits: Limits) -> Self {
        let count = match key.shape {
            Shape::Elements(count) => usize::try_from(count).unwrap_or(usize::MAX).min(BELIEVED),
            _ => 0,
        };
        let value = match key.kind {
            Kind::String => Coming::String(SmallVec::new()),
            Kind::List => Coming::List(List::new()),
            // As in Redis, also where a listpack would do.
            Kind::Set if count > limits.set.intset_max() => Coming::Set(Set::with_room(count)),
            Kind::Set if (1..=limits.set.listpack_entries).contains(&count) => Coming::Members(Vec::new(), 0),
            Kind::Set => Coming::Set(Set::for_members(b"0", 0, &limits.set)),
            Kind::Zset if count > limits.zset.entries => Coming::Ranking(Box::new(Ranking::with_room(count))),
            Kind::Zset => Coming::Zset(Zset::for_members(0, 0, &limits.zset)),
            Kind::Hash => Coming::Hash(Hash::for_fields(count, &limits.hash)),
            Kind::Stream => Coming::Stream(Box::default()),
        };
        Self { limits, value }
    }

    /// Takes the next part; an error says what is wrong with it.
    pub fn part(&mut self, part: &Part<'_>) -> Result<(), &'static str> {
        let limits = &self.limits;
        match (&mut self.value, part) {
            (Coming::String(value), Part::String(text)) => {
                match text {
                    Text::Int(value) => self.value = Coming::Int(*value),
                    Text::Bytes(bytes) => *value = SmallVec::from_slice(bytes),
                }
                Ok(())
            }
            (Coming::List(list), Part::Element(element)) => {
                push(list, *element, &limits.list);
                Ok(())
            }
            (Coming::List(list), Part::Packed(packed)) => {
                if packed.elements().is_some_and(|elements| list.adopt(elements, packed.len(), &limits.list)) {
                    return Ok(());
                }
                packed.iter().for_each(|element| push(list, element, &limits.list));
                Ok(())
            }
            (Coming::Set(set), Part::Element(member)) => add(set, *member, &limits.set),
            (Coming::Members(elements, count), Part::Element(member)) => {
                if member.len() <= limits.set.listpack_value && *count < limits.set.listpack_entries {
                    let encoded = listpack::encode(match *member {
                        Text::Bytes(bytes) => Text::of(bytes),
                        int => int,
                    });
                    let start = elements.len();
                    elements.resize(start + encoded.size(), 0);
                    encoded.write(&mut elements[start..]);
                    *count += 1;
                    return Ok(());
                }
                let mut set = members(elements, *count, &limits.set)?;
                add(&mut set, *member, &limits.set)?;
                self.value = Coming::Set(set);
                Ok(())
            }
            (Coming::Set(set), Part::Packed(packed)) => {
                let whole = match (packed.elements(), packed.integers()) {
                    (Some(elements), _) => Set::adopt(elements, packed.len(), &limits.set).map_err(|Repeated| TWICE)?,
                    (None, Some((width, integers))) => Set::adopt_integers(width, integers, &limits.set),
                    (None, None) => None,
                };
                if let Some(whole) = whole.filter(|_| set.is_empty()) {
                    *set = whole;
                    return Ok(());
                }
                set.expect(packed.len(), &limits.set);
                packed.iter().try_for_each(|member| add(set, member, &limits.set))
            }
            (Coming::Zset(zset), Part::Scored { member, score }) => rank(zset, *member, *score, &limits.zset),
            (Coming::Ranking(members), Part::Scored { member, score }) => {
                let is_new = members.push(member.as_bytes(&mut itoa::Buffer::new()), *score);
                if is_new { Ok(()) } else { Err(TWICE) }
            }
            (Coming::Zset(zset), Part::Packed(packed)) => {
                if let Some(elements) = packed.elements().filter(|_| zset.is_empty())
                    && let Some(whole) = Zset::adopt(elements, packed.len(), &limits.zset).map_err(|Repeated| TWICE)?
                {
                    *zset = whole;
                    return Ok(());
                }
                let mut elements = packed.iter();
                while let (Some(member), Some(score)) = (elements.next(), elements.next()) {
                    let score = rdb::score(score).ok_or("a score that is no number")?;
                    rank(zset, member, score, &limits.zset)?;
                }
                Ok(())
            }
            (Coming::Hash(hash), Part::Field { field, value, expires_ms }) => {
                set_field(hash, *field, *value, *expires_ms, &limits.hash)
            }
            (Coming::Hash(hash), Part::Packed(packed)) => {
                if let Some(elements) = packed.elements().filter(|_| hash.is_empty())
                    && let Some(whole) = Hash::adopt(elements, packed.len(), &limits.hash).map_err(|Repeated| TWICE)?
                {
                    *hash = whole;
                    return Ok(());
                }
                let mut elements = packed.iter();
                while let (Some(field), Some(value)) = (elements.next(), elements.next()) {
                    set_field(hash, field, value, None, &limits.hash)?;
                }
                Ok(())
            }
            (Coming::Stream(stream), part) => stream.part(part),
            _ => Err(OUT_OF_PLACE),
        }
    }

    /// The entry, when all parts have come.
    pub fn finish(self, key: &[u8], expires_ms: Option<i64>) -> Result<Entry, &'static str> {
        let (is_empty, value): (_, Owned) = match self.value {
            Coming::Int(value) => return Ok(Entry::int(key, value, expires_ms)),
            Coming::String(value) if value.len() > INLINE_MAX => {
                return Ok(Entry::buffer(key, value.into_vec(), expires_ms));
            }
            Coming::String(value) => return Ok(Entry::string(key, &value, expires_ms)),
            Coming::List(mut list) => {
                list.shrink(&self.limits.list);
                (list.is_empty(), list.into())
            }
            Coming::Set(set) => (set.is_empty(), set.into()),
            Coming::Members(elements, count) => (count == 0, members(&elements, count, &self.limits.set)?.into()),
            Coming::Zset(zset) => (zset.is_empty(), zset.into()),
            Coming::Ranking(members) => (members.is_empty(), Zset::from(*members).into()),
            Coming::Hash(hash) => (hash.is_empty(), hash.into()),
            Coming::Stream(stream) => (false, stream.finish()?.into()),
        };
        if is_empty { Err(EMPTY) } else { Ok(Entry::of(key, value, expires_ms)) }
    }
}

fn push(list: &mut List, element: Text<'_>, limits: &ListLimits) {
    let mut buffer = itoa::Buffer::new();
    let bytes = element.as_bytes(&mut buffer);
    list.expect(bytes.len(), 1, limits);
    list.push(End::Right, bytes, limits);
}

/// The set of so many members, one behind the other as in a listpack: which it is, unless all are integers.
fn members(elements: &[u8], count: usize, limits: &SetLimits) -> Result<Set, &'static str> {
    let packed = rdb::Packed::listpack(elements, count);
    if packed.iter().any(|member| matches!(member, Text::Bytes(_)))
        && let Some(whole) = Set::adopt(elements, count, limits).map_err(|Repeated| TWICE)?
    {
        return Ok(whole);
    }
    let mut set = Set::for_members(b"0", 0, limits);
    packed.iter().try_for_each(|member| add(&mut set, member, limits))?;
    Ok(set)
}

fn add(set: &mut Set, member: Text<'_>, limits: &SetLimits) -> Result<(), &'static str> {
    if set.insert(member.as_bytes(&mut itoa::Buffer::new()), limits) { Ok(()) } else { Err(TWICE) }
}

fn rank(zset: &mut Zset, member: Text<'_>, score: f64, limits: &ZsetLimits) -> Result<(), &'static str> {
    let mut buffer = itoa::Buffer::new();
    let member = member.as_bytes(&mut buffer);
    if zset.score(member).is_some() {
        return Err(TWICE);
    }
    zset.expect(1, member.len(), limits);
    zset.insert(member, score, limits);
    Ok(())
}

fn set_field(
    hash: &mut Hash,
    field: Text<'_>,
    value: Text<'_>,
    expires_ms: Option<i64>,
    limits: &HashLimits,
) -> Result<(), &'static str> {
    if expires_ms.is_some_and(|at| !(0..=LATEST_MS).contains(&at)) {
        return Err("a field's expiry time that is beyond all times");
    }
    let mut buffers = [itoa::Buffer::new(), itoa::Buffer::new()];
    let [first, second] = &mut buffers;
    let (field, value) = (field.as_bytes(first), value.as_bytes(second));
    hash.expect(1, field.len().max(value.len()), limits);
    if hash.set(field, value, NewExpiry::Is(expires_ms), limits) { Ok(()) } else { Err(TWICE) }
}

impl ComingStream {
    fn part(&mut self, part: &Part<'_>) -> Result<(), &'static str> {
        match (part, &mut self.group) {
            (Part::Entries { first, node }, None) if self.state.is_none() => {
                let elements = node.elements().ok_or("a stream's node that is no listpack")?;
                let node = Packed::of_bytes(elements, node.len());
                let is_sound = self.stream.entries_mut().adopt((*first).into(), node);
                if is_sound { Ok(()) } else { Err("a stream's node whose entries are not sound") }
            }
            (Part::StreamState(state), None) if self.state.is_none() => {
                let entries = self.stream.entries_mut();
                let last_id = StreamId::from(state.last_id);
                if entries.len() as u64 != state.length || entries.last_kept_id().is_some_and(|id| id > last_id) {
                    return Err("a stream's counters that are not those of its entries");
                }
                let added = i64::try_from(state.added).map_err(|_| "a stream to which too much was added")?;
                entries.set_counters(last_id, Some(added), Some(state.max_deleted_id.into()));
                self.state = Some(if state.first_id.is_some() { StateOf::Today } else { StateOf::OldFile });
                Ok(())
            }
            (Part::Group { name, last_id, entries_read, .. }, _) if self.state.is_some() => {
                self.end_group()?;
                let last_id = StreamId::from(*last_id);
                let is_old = self.state == Some(StateOf::OldFile);
                let reckoned = if is_old { self.stream.entries().ordinal(last_id) } else { None };
                let group = Group::new(last_id, entries_read.or(reckoned));
                let (name, pending) = ((*name).into(), BTreeMap::new());
                self.group = Some(ComingGroup { name, group, pending, consumer: None });
                Ok(())
            }
            (part, Some(group)) => group.part(part),
            _ => Err(OUT_OF_PLACE),
        }
    }

    fn end_group(&mut self) -> Result<(), &'static str> {
        let Some(ComingGroup { name, group, pending, .. }) = self.group.take() else { return Ok(()) };
        if !pending.is_empty() {
            return Err("a pending entry that is no consumer's");
        }
        let before = self.stream.split_mut().1.insert(name, group);
        if before.is_some() { Err("a group of consumers that is there twice") } else { Ok(()) }
    }

    fn finish(mut self) -> Result<Stream, &'static str> {
        self.end_group()?;
        self.state.ok_or("a stream without its counters")?;
        Ok(self.stream)
    }
}

impl ComingGroup {
    fn part(&mut self, part: &Part<'_>) -> Result<(), &'static str> {
        match part {
            Part::Pending { id, delivered_ms, deliveries } => {
                let deliveries = i64::try_from(*deliveries).unwrap_or(i64::MAX);
                let before = self.pending.insert((*id).into(), (*delivered_ms, deliveries));
                if before.is_some() { Err("an entry that is pending twice") } else { Ok(()) }
            }
            Part::Consumers(_) => Ok(()),
            Part::Consumer { name, seen_ms, active_ms, .. } => {
                if self.group.find_consumer(name).is_some() {
                    return Err("a consumer that is there twice");
                }
                let id = self.group.add_consumer(name, *seen_ms);
                self.group.consumer_mut(id).active_ms = *active_ms;
                self.consumer = Some(id);
                Ok(())
            }
            Part::Owned(id) => {
                let (Some(owner), id) = (self.consumer, StreamId::from(*id)) else { return Err(OUT_OF_PLACE) };
                let (time_ms, count) = self.pending.remove(&id).ok_or("a consumer's entry that is not pending")?;
                self.group.deliver(id, Pending { time_ms, count, owner });
                Ok(())
            }
            _ => Err(OUT_OF_PLACE),
        }
    }
}
