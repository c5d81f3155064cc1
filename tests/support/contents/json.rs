//! Contents as the fixtures have them, in JSON: `tests/fixtures/README.md` draws the layout.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{Bytes, Contents, Data, Field, Group, Id, Item, Pending, Stream};

/// The contents with what the text tells: its keys instead of or beside what was there, and without those that are null.
pub fn changed_by(mut contents: Contents, text: &Value) -> Contents {
    for (name, told) in object(text) {
        match name.as_str() {
            "as" => {}
            "functions" => contents.functions = array(told).iter().map(bytes).collect(),
            number => {
                let keys = contents.databases.entry(number.parse().expect("the number of a database")).or_default();
                for (key, told) in object(told) {
                    match told {
                        Value::Null => keys.remove(&latin1(key)),
                        told => keys.insert(latin1(key), item(told)),
                    };
                }
            }
        }
    }
    contents.databases.retain(|_, keys| !keys.is_empty());
    contents
}

fn item(told: &Value) -> Item {
    let value = &told["value"];
    let data = match told["type"].as_str().expect("a type") {
        "string" => Data::String(bytes(value)),
        "list" => Data::List(array(value).iter().map(bytes).collect()),
        "set" => Data::Set(array(value).iter().map(bytes).collect()),
        "hash" => Data::Hash(hash(value, told.get("fields_expire_at_ms").map(object))),
        "zset" => Data::Zset(array(value).iter().map(|pair| (bytes(&pair[0]), score(&pair[1]))).collect()),
        "stream" => Data::Stream(stream(value)),
        other => Data::Other(other.into()),
    };
    Item { expires_at: told["expire_at_ms"].as_i64(), data }
}

fn hash(pairs: &Value, expiries: Option<&Map<String, Value>>) -> BTreeMap<Bytes, Field> {
    let field = |pair: &Value| (bytes(&pair[0]), Field { value: bytes(&pair[1]), expires_at: None });
    let mut fields: BTreeMap<Bytes, Field> = array(pairs).iter().map(field).collect();
    for (name, at) in expiries.into_iter().flatten() {
        fields.get_mut(&latin1(name)).expect("the field that expires").expires_at = at.as_i64();
    }
    fields
}

fn stream(told: &Value) -> Stream {
    let info = &told["info"];
    Stream {
        entries: array(&told["entries"])
            .iter()
            .map(|entry| (id(&entry[0]), array(&entry[1]).iter().map(bytes).collect()))
            .collect(),
        last_id: id(&info["last-generated-id"]),
        entries_added: integer(&info["entries-added"]),
        max_deleted_id: id(&info["max-deleted-entry-id"]),
        groups: array(&told["groups"]).iter().map(|told| (bytes(&told["name"]), group(told))).collect(),
    }
}

fn group(told: &Value) -> Group {
    let mut group = Group {
        last_delivered_id: id(&told["last-delivered-id"]),
        entries_read: told["entries-read"].as_i64(),
        consumers: array(&told["consumers"]).iter().map(|name| (bytes(name), Default::default())).collect(),
        pending: BTreeMap::new(),
    };
    for entry in array(&told["pel"]) {
        let (id, consumer) = (id(&entry[0]), bytes(&entry[1]));
        group.consumers.get_mut(&consumer).expect("the consumer of what is pending").insert(id);
        group.pending.insert(id, Pending { consumer, deliveries: integer(&entry[2]), delivered_at: None });
    }
    group
}

fn object(told: &Value) -> &Map<String, Value> {
    told.as_object().unwrap_or_else(|| panic!("no object: {told}"))
}

fn array(told: &Value) -> &[Value] {
    told.as_array().unwrap_or_else(|| panic!("no array: {told}"))
}

fn integer(told: &Value) -> i64 {
    told.as_i64().unwrap_or_else(|| panic!("no integer: {told}"))
}

fn score(told: &Value) -> f64 {
    told.as_str().and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("no score: {told}"))
}

fn id(told: &Value) -> Id {
    Id::parse(&bytes(told))
}

fn bytes(told: &Value) -> Bytes {
    latin1(told.as_str().unwrap_or_else(|| panic!("no string: {told}")))
}

/// A character for each byte.
fn latin1(text: &str) -> Bytes {
    text.chars().map(|c| u8::try_from(u32::from(c)).expect("a character that stands for a byte")).collect()
}
