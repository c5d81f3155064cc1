//! A key as a JSON object: `db`, `key`, `type`, `expires_ms`, `value`. Bytes that are no UTF-8 are `{"hex": …}`.
//!
//! Values: a string; the elements of a list or set; pairs of member and score, or of field and value, to which the expiry time
//! of the field is added if it has one; for a stream, its entries, ids, counters and groups.

use serde_json::{Value as Json, json};

use crate::base::quoting::as_json as bytes;
use crate::base::text::Text;
use crate::keyspace::{End, Entry, Group, Stream, StreamId, Value};

/// The object.
pub(super) fn line(database: usize, entry: &Entry) -> Json {
    let value = match entry.value() {
        Value::String(string) => text(string),
        Value::List(list) => {
            let mut elements = Vec::with_capacity(list.len());
            list.show(0, list.len(), End::Right, |element| elements.push(text(element)));
            elements.into()
        }
        Value::Set(set) => set.iter().map(text).collect(),
        Value::Zset(zset) => zset.iter().map(|(member, score)| json!([text(member), number(score)])).collect(),
        Value::Hash(hash) => {
            let mut fields = Vec::with_capacity(hash.len());
            hash.each(|field, value, expires_ms| {
                let pair = [text(field), text(value)].into_iter();
                fields.push(pair.chain(expires_ms.map(Json::from)).collect::<Json>());
            });
            fields.into()
        }
        Value::Stream(found) => stream(found),
    };
    json!({
        "db": database,
        "key": bytes(entry.key()),
        "type": entry.kind().name(),
        "expires_ms": entry.expiry(),
        "value": value,
    })
}

fn text(text: Text<'_>) -> Json {
    bytes(text.as_bytes(&mut itoa::Buffer::new()))
}

/// A score; JSON has no infinite numbers.
fn number(score: f64) -> Json {
    match score {
        f64::INFINITY => json!("inf"),
        f64::NEG_INFINITY => json!("-inf"),
        score => json!(score),
    }
}

fn id(id: StreamId) -> Json {
    String::from_utf8_lossy(&id.text()).into()
}

fn stream(stream: &Stream) -> Json {
    let entries = stream.entries();
    let listed = entries.range(StreamId::MIN, StreamId::MAX).map(|entry| {
        let fields: Json = entry.fields().map(|pair| pair.map(text).into_iter().collect::<Json>()).collect();
        json!([id(entry.id), fields])
    });
    json!({
        "entries": listed.collect::<Json>(),
        "last_id": id(entries.last_id()),
        "max_deleted_id": id(entries.max_deleted()),
        "added": entries.added(),
        "groups": stream.groups().iter().map(|(name, found)| group(name, found)).collect::<Json>(),
    })
}

fn group(name: &[u8], group: &Group) -> Json {
    let pending = group.pending().iter().map(|(entry, pending)| {
        let consumer = bytes(group.consumer(pending.owner).name());
        json!({ "id": id(*entry), "consumer": consumer, "delivered_ms": pending.time_ms, "deliveries": pending.count })
    });
    let consumers = group.consumers().map(|consumer| {
        json!({ "name": bytes(consumer.name()), "seen_ms": consumer.seen_ms, "active_ms": consumer.active_ms })
    });
    json!({
        "name": bytes(name),
        "last_id": id(group.last_id),
        "entries_read": group.read,
        "pending": pending.collect::<Json>(),
        "consumers": consumers.collect::<Json>(),
    })
}
