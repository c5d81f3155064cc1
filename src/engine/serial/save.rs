//! A value as the pieces of an RDB file.

use crate::base::text::Text;
use crate::keyspace::{Entry, Form, Hash, Packed, Piece, Stream, Value};
use crate::rdb::{Event, Key, Kind, Part, Shape, StreamState, Version};

/// The lowest version in which nothing of the value is lost.
pub fn needed_version(value: Value<'_>) -> Version {
    match value {
        Value::Hash(hash) if hash.next_expiry().is_some() => Version::V12,
        Value::Stream(stream) if stream.groups().values().any(|group| group.consumers().len() > 0) => Version::V11,
        _ => Version::V10,
    }
}

/// Calls `each` for the key, with its expiry time, for the parts of its value, and for their end, until one fails.
pub fn events<E>(entry: &Entry, mut each: impl FnMut(&Event<'_>) -> Result<(), E>) -> Result<(), E> {
    let key = |kind, shape| Key { expires_ms: entry.expiry(), ..Key::new(entry.key(), kind, shape) };
    match entry.value() {
        Value::String(text) => {
            each(&Event::Key(key(Kind::String, Shape::String)))?;
            each(&Event::Part(Part::String(text)))?;
        }
        Value::List(list) => {
            let pieces = list.pieces();
            let shape = if list.is_small() { Shape::Packed } else { Shape::Nodes(pieces.len() as u64) };
            each(&Event::Key(key(Kind::List, shape)))?;
            for piece in pieces {
                each(&Event::Part(match piece {
                    Piece::Packed(packed) => Part::Packed(packed_part(packed)),
                    Piece::Large(element) => Part::Element(Text::of(element)),
                }))?;
            }
        }
        Value::Set(set) => match set.form() {
            Form::Packed(packed) => {
                each(&Event::Key(key(Kind::Set, Shape::Packed)))?;
                each(&Event::Part(Part::Packed(packed_part(packed))))?;
            }
            Form::Intset(intset) => {
                each(&Event::Key(key(Kind::Set, Shape::Packed)))?;
                let packed = crate::rdb::Packed::intset(intset.width(), intset.contents());
                each(&Event::Part(Part::Packed(packed)))?;
            }
            Form::Large(_) => {
                each(&Event::Key(key(Kind::Set, Shape::Elements(set.len() as u64))))?;
                set.iter().try_for_each(|member| each(&Event::Part(Part::Element(member))))?;
            }
        },
        Value::Zset(zset) => match zset.form() {
            Form::Packed(packed) => {
                each(&Event::Key(key(Kind::Zset, Shape::Packed)))?;
                each(&Event::Part(Part::Packed(packed_part(packed))))?;
            }
            Form::Large(_) | Form::Intset(_) => {
                each(&Event::Key(key(Kind::Zset, Shape::Elements(zset.len() as u64))))?;
                let mut scored = |(member, score)| each(&Event::Part(Part::Scored { member, score }));
                zset.iter().try_for_each(&mut scored)?;
            }
        },
        Value::Hash(hash) => hash_events(hash, key, &mut each)?,
        Value::Stream(stream) => {
            each(&Event::Key(key(Kind::Stream, Shape::Stream(stream.entries().nodes().len() as u64))))?;
            stream_parts(stream, &mut |part| each(&Event::Part(part)))?;
        }
    }
    each(&Event::KeyEnd)
}

fn packed_part(packed: &Packed) -> crate::rdb::Packed<'_> {
    crate::rdb::Packed::listpack(packed.bytes(), packed.len())
}

fn hash_events<'e, E>(
    hash: &Hash,
    key: impl Fn(Kind, Shape) -> Key<'e>,
    each: &mut impl FnMut(&Event<'_>) -> Result<(), E>,
) -> Result<(), E> {
    if let Some(packed) = hash.as_packed() {
        each(&Event::Key(key(Kind::Hash, Shape::Packed)))?;
        return each(&Event::Part(Part::Packed(packed_part(packed))));
    }
    let fields_expire_from_ms = hash.next_expiry();
    let is_packed = hash.is_small() && fields_expire_from_ms.is_some();
    let shape = if is_packed { Shape::Packed } else { Shape::Elements(hash.len() as u64) };
    each(&Event::Key(Key { fields_expire_from_ms, ..key(Kind::Hash, shape) }))?;
    let mut result = Ok(());
    hash.each(|field, value, expires_ms| {
        if result.is_ok() {
            result = each(&Event::Part(Part::Field { field, value, expires_ms }));
        }
    });
    result
}

fn stream_parts<E>(stream: &Stream, each: &mut impl FnMut(Part<'_>) -> Result<(), E>) -> Result<(), E> {
    let entries = stream.entries();
    for (first, node) in entries.nodes() {
        each(Part::Entries { first: first.into(), node: packed_part(node) })?;
    }
    each(Part::StreamState(StreamState {
        length: entries.len() as u64,
        last_id: entries.last_id().into(),
        first_id: Some(entries.first_id().into()),
        max_deleted_id: entries.max_deleted().into(),
        added: entries.added() as u64,
        groups: stream.groups().len() as u64,
    }))?;
    for (name, group) in stream.groups() {
        let pending = group.pending().len() as u64;
        each(Part::Group { name, last_id: group.last_id.into(), entries_read: group.read, pending })?;
        for (id, pending) in group.pending() {
            let (delivered_ms, deliveries) = (pending.time_ms, pending.count as u64);
            each(Part::Pending { id: (*id).into(), delivered_ms, deliveries })?;
        }
        let consumers = group.consumers();
        each(Part::Consumers(consumers.len() as u64))?;
        for consumer in consumers {
            each(Part::Consumer {
                name: consumer.name(),
                seen_ms: consumer.seen_ms,
                active_ms: consumer.active_ms,
                pending: consumer.pending().len() as u64,
            })?;
            consumer.pending().iter().try_for_each(|id| each(Part::Owned((*id).into())))?;
        }
    }
    Ok(())
}
