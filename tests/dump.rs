//! DUMP and RESTORE, between ackd and other servers in both directions, and with payloads that nobody made.

mod support;

use std::collections::BTreeMap;

use ackd::base::crc64::crc64;
use support::client::Client;
use support::contents::{Contents, Data, assert_same, read};
use support::oracle::Oracle;
use support::population::Population;
use support::process::Program;
use support::reply::Value;

const ORACLES: [Oracle; 3] = [Oracle::Redis7, Oracle::Valkey, Oracle::Redis8];

fn populated(oracle: Oracle, seed: u64) -> Population {
    Population { field_expiries: oracle == Oracle::Redis8, ..Population::new(seed, 500) }
}

fn dump(client: &mut Client, database: u64, key: &[u8]) -> Vec<u8> {
    client.command(&format!("SELECT {database}"));
    match client.call(&[&b"DUMP"[..], key]).expect("a reply").value {
        Value::Bulk(payload) => payload,
        other => panic!("{database} {key:?}: {other}"),
    }
}

fn restore(client: &mut Client, database: u64, key: &[u8], expires_at: Option<i64>, payload: &[u8]) -> Value {
    client.command(&format!("SELECT {database}"));
    let ttl = expires_at.unwrap_or(0).to_string();
    client.call(&[&b"RESTORE"[..], key, ttl.as_bytes(), payload, b"ABSTTL"]).expect("a reply").value
}

/// Takes all keys of one server to another one; those that it refuses must be ones that `may_refuse` says.
fn carry(from: &mut Client, to: &mut Client, contents: &Contents, may_refuse: impl Fn(&Data) -> bool) -> Contents {
    let mut carried = contents.clone();
    carried.functions.clear();
    for (database, key, item) in contents.items() {
        let payload = dump(from, database, key);
        let reply = restore(to, database, key, item.expires_at, &payload);
        if reply.is_error() {
            assert!(may_refuse(&item.data), "{database} {:?}: {reply}", String::from_utf8_lossy(key));
            carried.databases.get_mut(&database).expect("it is there").remove(key);
        }
    }
    carried.databases.retain(|_, keys| !keys.is_empty());
    carried
}

#[test]
fn values_of_other_servers_come_in_by_restore_and_go_back_by_dump() {
    for oracle in ORACLES {
        let Some(program) = oracle.program() else { continue };
        let (theirs, ours, again) = (program.start(), Program::ackd().start(), program.start());
        let (mut theirs, mut ours, mut again) = (theirs.client(), ours.client(), again.client());
        populated(oracle, 21).fill(&mut theirs);
        let contents = read(&mut theirs);
        let carried = carry(&mut theirs, &mut ours, &contents, |_| false);
        assert_same(&carried, &read(&mut ours), &format!("{oracle:?} to ackd"));
        // When consumers were active is more than version 10 of the format can say.
        let is_newer = |data: &Data| {
            oracle == Oracle::Redis7
                && matches!(data, Data::Stream(stream) if stream.groups.values().any(|group| !group.consumers.is_empty()))
        };
        let back = carry(&mut ours, &mut again, &carried, is_newer);
        assert_same(&back, &read(&mut again), &format!("ackd to {oracle:?}"));
    }
}

#[test]
fn restored_values_survive_a_restart() {
    let mut server = Program::ackd().start();
    let mut client = server.client();
    Population { field_expiries: true, ..Population::new(22, 300) }.fill(&mut client);
    let contents = read(&mut client);
    let copies: Vec<_> =
        contents.items().map(|(database, key, item)| (database, key, item, dump(&mut client, database, key))).collect();
    client.command("FLUSHALL");
    for (database, key, item, payload) in copies {
        let reply = restore(&mut client, database, key, item.expires_at, &payload);
        assert!(!reply.is_error(), "{reply}");
    }
    assert_same(&contents, &read(&mut client), "restored");
    server.kill();
    server.start();
    assert_same(&contents, &read(&mut server.client()), "after a restart");
}

#[test]
fn options_and_errors_are_those_of_redis() {
    let Some(program) = Oracle::Valkey.program() else { return };
    let servers = [program.start(), Program::ackd().start()];
    let mut clients = servers.each_ref().map(|server| server.client());
    let mut both = |words: &[&[u8]]| {
        let [theirs, ours] = clients.each_mut().map(|client| client.call(words).expect("a reply").value);
        let shown: Vec<_> = words.iter().map(|word| String::from_utf8_lossy(word)).collect();
        assert_eq!(theirs, ours, "{shown:?}");
    };
    // The string "abc", of version 9.
    let mut payload = b"\x00\x03abc\x09\x00".to_vec();
    payload.extend_from_slice(&crc64(0, &payload).to_le_bytes());
    let payload = payload.as_slice();
    let mut wrong = payload.to_vec();
    *wrong.last_mut().expect("it has a checksum") ^= 1;
    let cases: &[&[&[u8]]] = &[
        &[b"DUMP", b"missing"],
        &[b"RESTORE", b"k", b"0", payload],
        &[b"GET", b"k"],
        &[b"TTL", b"k"],
        &[b"RESTORE", b"k", b"0", payload],
        &[b"RESTORE", b"k", b"x", payload],
        &[b"RESTORE", b"k", b"x", payload, b"REPLACE"],
        &[b"RESTORE", b"k", b"-1", payload, b"replace"],
        &[b"RESTORE", b"k", b"100000000", payload, b"REPLACE"],
        &[b"RESTORE", b"k", b"9999999999999", payload, b"REPLACE", b"ABSTTL"],
        &[b"PEXPIRETIME", b"k"],
        &[b"RESTORE", b"k", b"1", payload, b"REPLACE", b"ABSTTL"],
        &[b"EXISTS", b"k"],
        &[b"RESTORE", b"k", b"1", payload, b"ABSTTL"],
        &[b"RESTORE", b"k", b"0", &wrong],
        &[b"RESTORE", b"k", b"0", b""],
        &[b"RESTORE", b"k", b"0", b"short"],
        &[b"RESTORE", b"k", b"0", payload, b"NX"],
        &[b"RESTORE", b"k", b"0", payload, b"IDLETIME"],
        &[b"RESTORE", b"k", b"0", payload, b"IDLETIME", b"x"],
        &[b"RESTORE", b"k", b"0", payload, b"IDLETIME", b"-1"],
        &[b"RESTORE", b"k", b"0", payload, b"FREQ", b"256"],
        &[b"RESTORE", b"k", b"0", payload, b"FREQ", b"1", b"IDLETIME", b"1"],
        &[b"RESTORE", b"k", b"0", payload, b"IDLETIME", b"1000", b"ABSTTL"],
        &[b"OBJECT", b"IDLETIME", b"k"],
        &[b"CONFIG", b"SET", b"maxmemory-policy", b"allkeys-lfu"],
        &[b"RESTORE", b"k", b"0", payload, b"REPLACE", b"FREQ", b"77"],
        &[b"OBJECT", b"FREQ", b"k"],
        &[b"RESTORE", b"k", b"0", &forged(b"\x00\x03abcd", 11)],
        &[b"RESTORE", b"new", b"0", &forged(b"\x02\x00", 11)],
        &[b"RESTORE", b"new", b"0", &forged(b"\x1f\x00", 11)],
        &[b"RESTORE", b"new", b"0"],
    ];
    cases.iter().for_each(|words| both(words));
}

/// A payload with a right footer.
fn forged(value: &[u8], version: u16) -> Vec<u8> {
    let mut payload = [value, &version.to_le_bytes()].concat();
    payload.extend_from_slice(&crc64(0, &payload).to_le_bytes());
    payload
}

#[test]
fn a_payload_that_was_tampered_with_is_refused_or_is_a_sound_value() {
    let server = Program::ackd().start();
    let mut client = server.client();
    Population { field_expiries: true, ..Population::new(23, 150) }.fill(&mut client);
    let contents = read(&mut client);
    let payloads: Vec<_> = contents.items().map(|(database, key, _)| dump(&mut client, database, key)).collect();
    client.command("FLUSHALL");
    client.command("SELECT 0");
    let mut random = fastrand::Rng::with_seed(7);
    let mut outcomes = BTreeMap::new();
    for round in 0..20_000 {
        let payload = random.choice(&payloads).expect("there are some");
        let mut value = payload[..payload.len() - 10].to_vec();
        for _ in 0..random.usize(1..4) {
            match random.u8(..4) {
                0 => value.truncate(random.usize(1..=value.len())),
                1 => {
                    let at = random.usize(..value.len());
                    value.insert(at, random.u8(..));
                }
                2 => {
                    let at = random.usize(..value.len());
                    value[at] = *random.choice(&[0, 1, 0x7f, 0x80, 0x81, 0xc0, 0xc3, 0xf0, 0xfe, 0xff]).expect("some");
                }
                _ => {
                    let at = random.usize(..value.len());
                    value[at] ^= 1 << random.u8(..8);
                }
            }
        }
        let value = forged(&value, 12);
        let reply = restore(&mut client, 0, format!("k{round}").as_bytes(), None, &value);
        *outcomes.entry(reply.to_string()).or_insert(0) += 1;
    }
    println!("{outcomes:?}");
    assert_eq!(outcomes.len(), 2, "some are refused for what they are, some accepted: {outcomes:?}");
    let before = read(&mut client);
    assert!(before.len() > 50, "what came in can be read");
    for (database, key, _) in before.items() {
        let payload = dump(&mut client, database, key);
        let copy = [key, &b" copy"[..]].concat();
        let reply = restore(&mut client, database, &copy, None, &payload);
        assert!(!reply.is_error(), "what ackd dumps it takes: {reply}");
        let digest = |client: &mut Client, key: &[u8]| {
            client.call(&[&b"DEBUG"[..], b"DIGEST-VALUE", key]).expect("a reply").value
        };
        assert_eq!(digest(&mut client, key), digest(&mut client, &copy));
        client.call(&[&b"DEL"[..], &copy]).expect("a reply");
    }
    let reply = client.command("DEBUG RELOAD");
    assert!(!reply.is_error(), "and logged: {reply}");
    assert_same(&before, &read(&mut client), "after a reload");
}
