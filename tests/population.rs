//! Random content of every type: the same on all servers, in every encoding, and read back with every difference.

mod support;

use std::collections::BTreeSet;
use std::time::Instant;

use support::client::Client;
use support::contents::{Contents, Data, assert_same, differences, knows_field_expiry, read};
use support::oracle::Oracle;
use support::population::{Population, Thresholds};
use support::process::Program;

/// Starts the program, fills it, and reads what it then has.
fn filled(program: &Program, population: Population) -> Contents {
    let server = program.start();
    let mut client = server.client();
    population.fill(&mut client);
    read(&mut client)
}

/// Populations with small thresholds and with those that servers have.
fn populations() -> Vec<Population> {
    let small = (0..4).map(|seed| Population::new(seed, 600));
    let default = (4..6).map(|seed| Population { thresholds: Thresholds::Default, ..Population::new(seed, 200) });
    small.chain(default).collect()
}

#[test]
fn the_same_seed_makes_the_same_content_on_every_server() {
    for population in populations() {
        let on_ackd = filled(&Program::ackd(), population);
        assert_eq!(on_ackd.len(), population.keys, "every key is there");
        for oracle in [Oracle::Redis7, Oracle::Valkey] {
            let Some(program) = oracle.program() else { continue };
            assert_same(&filled(&program, population), &on_ackd, &format!("{population:?}, {oracle:?} and ackd"));
        }
        let with_expiries = Population { field_expiries: true, ..population };
        let Some(program) = Oracle::Redis8.program() else { continue };
        let on_ackd = filled(&Program::ackd(), with_expiries);
        assert_same(&filled(&program, with_expiries), &on_ackd, &format!("{with_expiries:?}, Redis 8 and ackd"));
    }
}

#[test]
fn content_survives_a_restart() {
    let population = Population { field_expiries: true, ..Population::new(11, 600) };
    let mut server = Program::ackd().start();
    population.fill(&mut server.client());
    let before = read(&mut server.client());
    server.kill();
    server.start();
    assert_same(&before, &read(&mut server.client()), "after a restart");
}

#[test]
fn an_oracle_saves_and_loads_a_population_without_a_difference() {
    for oracle in [Oracle::Redis7, Oracle::Valkey, Oracle::Redis8] {
        let Some(program) = oracle.program() else { continue };
        let server = program.start();
        let mut client = server.client();
        let field_expiries = knows_field_expiry(&mut client);
        assert_eq!(field_expiries, oracle == Oracle::Redis8);
        Population { field_expiries, ..Population::new(12, 600) }.fill(&mut client);
        let before = read(&mut client);
        let reply = client.command("DEBUG RELOAD");
        assert!(!reply.is_error(), "{reply}");
        assert_same(&before, &read(&mut client), &format!("{oracle:?} after DEBUG RELOAD"));
    }
}

/// The types of all keys with their encodings.
fn encodings(client: &mut Client, contents: &Contents) -> BTreeSet<String> {
    let mut encodings = BTreeSet::new();
    for (database, key, _) in contents.items() {
        client.command(&format!("SELECT {database}"));
        let kind = client.call(&[&b"TYPE"[..], key]).expect("a type").value;
        let encoding = client.call(&[&b"OBJECT"[..], b"ENCODING", key]).expect("an encoding").value;
        encodings.insert(format!("{} {}", kind.text().expect("text"), encoding.text().expect("text")));
    }
    encodings
}

#[test]
fn a_population_has_every_encoding_and_everything_of_streams() {
    for population in populations() {
        let population = Population { field_expiries: true, ..population };
        let server = Program::ackd().start();
        let mut client = server.client();
        population.fill(&mut client);
        let contents = read(&mut client);
        let expected = [
            "hash hashtable",
            "hash listpack",
            "list listpack",
            "list quicklist",
            "set hashtable",
            "set intset",
            "set listpack",
            "stream stream",
            "string embstr",
            "string int",
            "string raw",
            "zset listpack",
            "zset skiplist",
        ];
        let mut found = encodings(&mut client, &contents);
        // Where a hash has fields that expire, it may be another.
        found.retain(|encoding| encoding != "hash listpackex");
        assert_eq!(found, expected.map(String::from).into(), "{population:?}");

        let all: Vec<&Data> = contents.items().map(|(_, _, item)| &item.data).collect();
        let streams: Vec<_> = all.iter().filter_map(|d| if let Data::Stream(s) = d { Some(s) } else { None }).collect();
        let groups: Vec<_> = streams.iter().flat_map(|stream| stream.groups.values()).collect();
        let expires = |d: &&Data| matches!(d, Data::Hash(h) if h.values().any(|f| f.expires_at.is_some()));
        let dense = |d: &&Data| matches!(d, Data::String(s) if s.starts_with(b"HYLL\0"));
        let sparse = |d: &&Data| matches!(d, Data::String(s) if s.starts_with(b"HYLL\x01"));
        let deleted_but_pending = streams.iter().any(|stream| {
            stream.groups.values().any(|group| group.pending.keys().any(|id| !stream.entries.contains_key(id)))
        });
        for (what, is_there) in [
            ("an expiry", contents.items().any(|(_, _, item)| item.expires_at.is_some())),
            ("four databases", contents.databases.len() == 4),
            ("the expiry of a field", all.iter().copied().any(|d| expires(&d))),
            ("dense registers", all.iter().copied().any(|d| dense(&d))),
            ("sparse registers", all.iter().copied().any(|d| sparse(&d))),
            ("an empty stream", streams.iter().any(|stream| stream.entries.is_empty())),
            ("deleted entries", streams.iter().any(|stream| stream.entries_added > stream.entries.len() as i64)),
            ("deleted pending entries", deleted_but_pending),
            ("entries read", groups.iter().any(|group| group.entries_read.is_some())),
            ("unknown entries read", groups.iter().any(|group| group.entries_read.is_none())),
            ("an idle consumer", groups.iter().any(|group| group.consumers.values().any(BTreeSet::is_empty))),
        ] {
            assert!(is_there, "{population:?} lacks {what}");
        }
    }
}

#[test]
fn every_kind_of_difference_is_named_with_its_key() {
    let server = Program::ackd().start();
    let mut client = server.client();
    for line in [
        "SET string abc",
        "RPUSH list a b c",
        "SADD set a b",
        "HSET hash f v g w",
        "ZADD zset 1 a 2 b",
        "XADD stream 1-1 f v",
        "XADD stream 2-1 f v",
        "XGROUP CREATE stream g 0",
        "XREADGROUP GROUP g c STREAMS stream >",
        "SET gone v",
        "SET soon v PXAT 4102444800000",
    ] {
        assert!(!client.command(line).is_error(), "{line}");
    }
    for (line, expected) in [
        ("SET string abd", r#"key "string": value: expected "abc", found "abd""#),
        ("LSET list 1 x", r#"key "list": element 1: expected "b", found "x""#),
        ("RPOP list", r#"key "list": expected a list of 3, found a list of 2"#),
        ("SADD set c", r#"key "set": member "c": too much"#),
        ("HSET hash f x", r#"key "hash": field "f": expected "v", found "x""#),
        ("HPEXPIREAT hash 4102444800000 FIELDS 1 g", r#"key "hash": expiry of field "g": too much"#),
        ("ZADD zset 1.5 a", r#"key "zset": score of "a": expected "1e0", found "1.5e0""#),
        ("XDEL stream 1-1", r#"key "stream": entry 1-1: missing"#),
        ("XSETID stream 3-0", r#"key "stream": last id: expected "2-1", found "3-0""#),
        (
            "XSETID stream 3-0 ENTRIESADDED 7 MAXDELETEDID 1-1",
            r#"key "stream": entries added: expected "2", found "7""#,
        ),
        ("XACK stream g 2-1", r#"key "stream": group "g", pending 2-1: missing"#),
        ("XCLAIM stream g d 0 1-1 2-1 RETRYCOUNT 5", r#"key "stream": group "g", pending with "d": too much"#),
        ("XGROUP CREATECONSUMER stream g e", r#"key "stream": group "g", pending with "e": too much"#),
        ("XGROUP SETID stream g 1-1", r#"key "stream": group "g", last delivered id: expected "2-1", found "1-1""#),
        ("XGROUP DESTROY stream g", r#"key "stream": expected a stream of"#),
        ("DEL gone", r#"key "gone": missing, expected a string of 1 bytes"#),
        ("SET come v", r#"key "come": not expected, found a string of 1 bytes"#),
        ("PERSIST soon", r#"key "soon": expiry: expected Some(4102444800000), found None"#),
        ("MOVE soon 3", r#"database 3, key "soon": not expected, found a string of 1 bytes"#),
    ] {
        let before = read(&mut client);
        let reply = client.command(line);
        assert!(!reply.is_error(), "{line}: {reply}");
        let lines = differences(&before, &read(&mut client));
        assert!(lines.iter().any(|found| found.contains(expected)), "{line}: {lines:#?}");
    }
    let contents = read(&mut client);
    assert_eq!(differences(&contents, &contents.clone()), Vec::<String>::new());
}

#[test]
fn collections_of_a_million_elements_are_read_in_seconds() {
    let server = Program::ackd().with("appendfsync", "no").start();
    let mut client = server.client();
    let numbers: Vec<String> = (0..250_000).map(|n| n.to_string()).collect();
    for numbers in numbers.chunks(10_000) {
        let numbers: Vec<&str> = numbers.iter().map(String::as_str).collect();
        let twice: Vec<&str> = numbers.iter().flat_map(|n| [*n, *n]).collect();
        for (head, arguments) in [
            (["RPUSH", "list"], &numbers),
            (["SADD", "set"], &numbers),
            (["HSET", "hash"], &twice),
            (["ZADD", "zset"], &twice),
        ] {
            client.call(&[&head, &arguments[..]].concat()).expect("a reply");
        }
    }
    let start = Instant::now();
    let contents = read(&mut client);
    println!("{:?}", start.elapsed());
    assert!(start.elapsed().as_secs() < 20, "{:?}", start.elapsed());
    assert_eq!(contents.len(), 4);
}
