//! Reads the contents of a running server by ordinary commands, over a RESP2 connection.

use std::collections::{BTreeMap, BTreeSet};

use super::{Bytes, Contents, Data, Field, Group, Id, Item, Keys, Pending, Stream};
use crate::support::client::Client;
use crate::support::reply::Value;

/// Keys asked for at once. Their commands must fit into the buffers of a socket, because the replies are read after the
/// last of them was sent.
const KEYS_AT_ONCE: usize = 64;
/// Fields asked for at once.
const FIELDS_AT_ONCE: usize = 1_000;

/// Everything that the server holds. The connection speaks RESP2, is in no transaction, and has database 0 selected
/// afterwards.
pub fn read(client: &mut Client) -> Contents {
    let mut reader = Reader { knows_field_expiry: knows_field_expiry(client), client };
    let mut databases = BTreeMap::new();
    for number in 0.. {
        if reader.ask(&[b"SELECT", number.to_string().as_bytes()]).is_error() {
            break;
        }
        let keys = reader.database();
        if !keys.is_empty() {
            databases.insert(number, keys);
        }
    }
    reader.ask(&[b"SELECT", b"0"]);
    Contents { databases, functions: reader.functions() }
}

/// Whether the server can let fields of hashes expire.
pub fn knows_field_expiry(client: &mut Client) -> bool {
    let reply = client.call(&["HPEXPIRETIME", "no such key", "FIELDS", "1", "f"]).expect("a reply to HPEXPIRETIME");
    let unknown = matches!(&reply.value, Value::Error(text) if text.starts_with(b"ERR unknown command"));
    assert!(unknown || !reply.value.is_error(), "HPEXPIRETIME: {}", reply.value);
    !unknown
}

struct Reader<'a> {
    client: &'a mut Client,
    knows_field_expiry: bool,
}

impl Reader<'_> {
    fn ask(&mut self, argv: &[&[u8]]) -> Value {
        self.client.call(argv).unwrap_or_else(|e| panic!("{}: {e}", argv[0].escape_ascii())).value
    }

    fn functions(&mut self) -> BTreeSet<Bytes> {
        match self.ask(&[b"FUNCTION", b"LIST", b"WITHCODE"]) {
            Value::Error(text) if text.starts_with(b"ERR unknown ") => BTreeSet::new(),
            Value::Array(libraries) => libraries.iter().map(|library| bytes(named(library, "library_code"))).collect(),
            other => panic!("FUNCTION LIST: {other}"),
        }
    }

    fn database(&mut self) -> Keys {
        let mut names = BTreeSet::new();
        let mut cursor = b"0".to_vec();
        loop {
            let page = self.ask(&[b"SCAN", &cursor, b"COUNT", b"1000"]);
            names.extend(list(&list(&page)[1]).iter().map(bytes));
            cursor = bytes(&list(&page)[0]);
            if cursor == b"0" {
                break;
            }
        }
        let names: Vec<Bytes> = names.into_iter().collect();
        names.chunks(KEYS_AT_ONCE).flat_map(|names| self.items(names)).collect()
    }

    /// What these keys hold, without those that have expired meanwhile.
    fn items(&mut self, names: &[Bytes]) -> Vec<(Bytes, Item)> {
        let ask: Vec<Vec<&[u8]>> =
            names.iter().flat_map(|name| [vec![&b"TYPE"[..], name], vec![&b"PEXPIRETIME"[..], name]]).collect();
        let about = self.client.pipeline(&ask).expect("types and expiries");
        let types: Vec<Bytes> = about.iter().step_by(2).map(|reply| bytes(&reply.value)).collect();
        let expiries = about.iter().skip(1).step_by(2).map(|reply| reply.value.integer());
        let ask: Vec<Vec<&[u8]>> = names.iter().zip(&types).map(|(name, kind)| value_of(name, kind)).collect();
        let values = self.client.pipeline(&ask).expect("values");
        let mut items = Vec::new();
        for (((name, kind), expiry), value) in names.iter().zip(&types).zip(expiries).zip(&values) {
            let expires_at = match expiry {
                Some(-1) => None,
                Some(-2) => continue,
                Some(at) => Some(at),
                None => panic!("no expiry of {}", name.escape_ascii()),
            };
            let mut data = data(name, kind, &value.value);
            if let Data::Hash(fields) = &mut data
                && self.knows_field_expiry
            {
                self.field_expiries(name, fields);
            }
            items.push((name.clone(), Item { expires_at, data }));
        }
        items
    }

    fn field_expiries(&mut self, key: &[u8], fields: &mut BTreeMap<Bytes, Field>) {
        let mut fields: Vec<(&Bytes, &mut Field)> = fields.iter_mut().collect();
        for fields in fields.chunks_mut(FIELDS_AT_ONCE) {
            let count = fields.len().to_string();
            let mut argv: Vec<&[u8]> = vec![b"HPEXPIRETIME", key, b"FIELDS", count.as_bytes()];
            argv.extend(fields.iter().map(|(name, _)| name.as_slice()));
            for ((_, field), at) in fields.iter_mut().zip(list(&self.ask(&argv))) {
                field.expires_at = at.integer().filter(|at| *at >= 0);
            }
        }
    }
}

/// The command that shows all of a value.
fn value_of<'a>(name: &'a [u8], kind: &[u8]) -> Vec<&'a [u8]> {
    match kind {
        b"string" => vec![b"GET", name],
        b"list" => vec![b"LRANGE", name, b"0", b"-1"],
        b"set" => vec![b"SMEMBERS", name],
        b"hash" => vec![b"HGETALL", name],
        b"zset" => vec![b"ZRANGE", name, b"0", b"-1", b"WITHSCORES"],
        b"stream" => vec![b"XINFO", b"STREAM", name, b"FULL", b"COUNT", b"0"],
        _ => vec![b"TYPE", name],
    }
}

fn data(name: &[u8], kind: &[u8], value: &Value) -> Data {
    assert!(!value.is_error(), "{}, a {}: {value}", name.escape_ascii(), kind.escape_ascii());
    match kind {
        b"string" => Data::String(bytes(value)),
        b"list" => Data::List(list(value).iter().map(bytes).collect()),
        b"set" => Data::Set(list(value).iter().map(bytes).collect()),
        b"hash" => {
            let field = |pair: &[Value]| (bytes(&pair[0]), Field { value: bytes(&pair[1]), expires_at: None });
            Data::Hash(list(value).chunks(2).map(field).collect())
        }
        b"zset" => {
            let pairs: Vec<(Bytes, f64)> =
                list(value).chunks(2).map(|pair| (bytes(&pair[0]), number(&pair[1]))).collect();
            let is_sorted = pairs.is_sorted_by(|(m, s), (n, t)| s < t || s == t && m < n);
            assert!(is_sorted, "{} is not in the order of scores and members", name.escape_ascii());
            Data::Zset(pairs.into_iter().collect())
        }
        b"stream" => Data::Stream(stream(value)),
        _ => Data::Other(kind.to_vec()),
    }
}

/// A reply to `XINFO STREAM key FULL COUNT 0`. What it says twice must agree.
fn stream(info: &Value) -> Stream {
    let entry = |entry: &Value| (id(&list(entry)[0]), list(&list(entry)[1]).iter().map(bytes).collect());
    let group = |group: &Value| (bytes(named(group, "name")), group_of(group));
    let stream = Stream {
        entries: list(named(info, "entries")).iter().map(entry).collect(),
        last_id: id(named(info, "last-generated-id")),
        entries_added: integer(named(info, "entries-added")),
        max_deleted_id: id(named(info, "max-deleted-entry-id")),
        groups: list(named(info, "groups")).iter().map(group).collect(),
    };
    let first = stream.entries.keys().next().copied().unwrap_or_default();
    assert_eq!(id(named(info, "recorded-first-entry-id")), first, "the first entry of {info}");
    assert_eq!(integer(named(info, "length")), stream.entries.len() as i64, "the length of {info}");
    stream
}

fn group_of(info: &Value) -> Group {
    let pending = |entry: &Value| {
        let [id_of, consumer, at, deliveries] = list(entry) else { panic!("no pending entry: {entry}") };
        let delivered_at = Some(integer(at));
        (id(id_of), Pending { consumer: bytes(consumer), deliveries: integer(deliveries), delivered_at })
    };
    let consumer = |consumer: &Value| {
        let ids = list(named(consumer, "pending")).iter().map(|entry| id(&list(entry)[0])).collect();
        (bytes(named(consumer, "name")), ids)
    };
    let group = Group {
        last_delivered_id: id(named(info, "last-delivered-id")),
        entries_read: named(info, "entries-read").integer(),
        pending: list(named(info, "pending")).iter().map(pending).collect(),
        consumers: list(named(info, "consumers")).iter().map(consumer).collect(),
    };
    let of_consumers: BTreeMap<Id, &Bytes> =
        group.consumers.iter().flat_map(|(name, ids)| ids.iter().map(move |id| (*id, name))).collect();
    let of_group: BTreeMap<Id, &Bytes> = group.pending.iter().map(|(id, entry)| (*id, &entry.consumer)).collect();
    assert_eq!(of_group, of_consumers, "what is pending in the group and with its consumers");
    group
}

fn named<'a>(info: &'a Value, name: &str) -> &'a Value {
    let pairs = info.pairs().unwrap_or_else(|| panic!("no pairs: {info}"));
    let found = pairs.into_iter().find(|(key, _)| key.bytes() == Some(name.as_bytes()));
    found.unwrap_or_else(|| panic!("no {name} in {info}")).1
}

fn list(value: &Value) -> &[Value] {
    value.elements().unwrap_or_else(|| panic!("no array: {value}"))
}

fn bytes(value: &Value) -> Bytes {
    assert!(!value.is_error(), "{value}");
    value.bytes().unwrap_or_else(|| panic!("no string: {value}")).to_vec()
}

fn integer(value: &Value) -> i64 {
    value.integer().unwrap_or_else(|| panic!("no integer: {value}"))
}

fn number(value: &Value) -> f64 {
    value.text().and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("no number: {value}"))
}

fn id(value: &Value) -> Id {
    Id::parse(&bytes(value))
}
