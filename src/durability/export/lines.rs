//! A key as a JSON object: `db`, `key`, `type`, `expires_ms`, `value`. Bytes that are no UTF-8 are `{"hex": …}`.
//!
//! Values: a string; the elements of a list or set; pairs of member and score, or of field and value, to which the expiry time
//! of the field is added if it has one; for a stream, its entries, ids, counters and groups.
//!
//! Elements are written one by one: the text of a key is never in memory as a whole.

use std::io::{self, Write};

use serde_json::{Value as Json, json};

use crate::base::quoting::as_json;
use crate::base::text::Text;
use crate::keyspace::{End, Entry, Group, Stream, StreamId, Value};

/// Writes the object, and the end of its line.
pub(super) fn write(out: &mut impl Write, database: usize, entry: &Entry) -> io::Result<()> {
    write!(out, r#"{{"db":{database},"key":"#)?;
    bytes(out, entry.key())?;
    write!(out, r#","type":"{}","expires_ms":{},"value":"#, entry.kind().name(), json!(entry.expiry()))?;
    match entry.value() {
        Value::String(string) => text(out, string)?,
        Value::List(list) => {
            let mut array = Array::begin(out);
            list.show(0, list.len(), End::Right, |element| array.item(|out| text(out, element)));
            array.end()?;
        }
        Value::Set(set) => array(out, set.iter(), text)?,
        Value::Zset(zset) => array(out, zset.iter(), |out, (member, score)| {
            out.write_all(b"[")?;
            text(out, member)?;
            write!(out, ",{}]", number(score))
        })?,
        Value::Hash(hash) => {
            let mut array = Array::begin(out);
            hash.each(|field, value, expires_ms| {
                array.item(|out| {
                    out.write_all(b"[")?;
                    pair(out, [field, value])?;
                    expires_ms.map_or(Ok(()), |ms| write!(out, ",{ms}"))?;
                    out.write_all(b"]")
                });
            });
            array.end()?;
        }
        Value::Stream(found) => stream(out, found)?,
    }
    out.write_all(b"}\n")
}

/// An array under way. After an error nothing more is written, and [`Array::end`] answers it.
struct Array<'a, W> {
    out: &'a mut W,
    /// What stands before the next item.
    before: &'static [u8],
    result: io::Result<()>,
}

impl<'a, W: Write> Array<'a, W> {
    fn begin(out: &'a mut W) -> Self {
        let result = out.write_all(b"[");
        Self { out, before: b"", result }
    }

    fn item(&mut self, write: impl FnOnce(&mut W) -> io::Result<()>) {
        if self.result.is_ok() {
            self.result = self.out.write_all(self.before).and_then(|()| write(self.out));
            self.before = b",";
        }
    }

    fn end(self) -> io::Result<()> {
        self.result?;
        self.out.write_all(b"]")
    }
}

fn array<W: Write, T>(
    out: &mut W,
    items: impl Iterator<Item = T>,
    mut write: impl FnMut(&mut W, T) -> io::Result<()>,
) -> io::Result<()> {
    let mut array = Array::begin(out);
    items.for_each(|item| array.item(|out| write(out, item)));
    array.end()
}

fn bytes(out: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(serde_json::to_writer(out, text)?),
        Err(_) => {
            out.write_all(br#"{"hex":""#)?;
            bytes.iter().try_for_each(|byte| write!(out, "{byte:02x}"))?;
            out.write_all(br#""}"#)
        }
    }
}

fn text(out: &mut impl Write, text: Text<'_>) -> io::Result<()> {
    bytes(out, text.as_bytes(&mut itoa::Buffer::new()))
}

fn pair(out: &mut impl Write, [one, other]: [Text<'_>; 2]) -> io::Result<()> {
    text(out, one)?;
    out.write_all(b",")?;
    text(out, other)
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

fn stream(out: &mut impl Write, stream: &Stream) -> io::Result<()> {
    let entries = stream.entries();
    out.write_all(br#"{"entries":"#)?;
    array(out, entries.range(StreamId::MIN, StreamId::MAX), |out, entry| {
        write!(out, "[{},", id(entry.id))?;
        array(out, entry.fields(), |out, fields| {
            out.write_all(b"[")?;
            pair(out, fields)?;
            out.write_all(b"]")
        })?;
        out.write_all(b"]")
    })?;
    let (last, deleted, added) = (id(entries.last_id()), id(entries.max_deleted()), entries.added());
    write!(out, r#","last_id":{last},"max_deleted_id":{deleted},"added":{added},"groups":"#)?;
    array(out, stream.groups().iter(), |out, (name, found)| group(out, name, found))?;
    out.write_all(b"}")
}

fn group(out: &mut impl Write, name: &[u8], group: &Group) -> io::Result<()> {
    out.write_all(br#"{"name":"#)?;
    bytes(out, name)?;
    write!(out, r#","last_id":{},"entries_read":{},"pending":"#, id(group.last_id), json!(group.read))?;
    array(out, group.pending().iter(), |out, (entry, pending)| {
        let consumer = as_json(group.consumer(pending.owner).name());
        let (delivered, deliveries) = (pending.time_ms, pending.count);
        let entry =
            json!({ "id": id(*entry), "consumer": consumer, "delivered_ms": delivered, "deliveries": deliveries });
        write!(out, "{entry}")
    })?;
    out.write_all(br#","consumers":"#)?;
    array(out, group.consumers(), |out, consumer| {
        let (seen, active) = (consumer.seen_ms, consumer.active_ms);
        write!(out, "{}", json!({ "name": as_json(consumer.name()), "seen_ms": seen, "active_ms": active }))
    })?;
    out.write_all(b"}")
}
