//! The two tables, commands and settings, against the oracles. Where the oracles differ among themselves (7.0, the forks
//! of 7.2, 8.2), each fact of ackd's must be that of one of them. Prose is our own and not compared.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::{BTreeMap, BTreeSet};

use support::client::Client;
use support::oracle::Oracle;
use support::process::{Program, Server};
use support::reply::Value;

/// All oracles, started; none if one is missing, for none alone has all facts of 7.2.
fn oracles() -> Option<Vec<Server>> {
    let found: Option<Vec<Program>> =
        [Oracle::Valkey, Oracle::Redis7, Oracle::Redis8].map(Oracle::program).into_iter().collect();
    found.map(|programs| programs.iter().map(Program::start).collect())
}

fn clients(servers: &[Server]) -> Vec<Client> {
    servers.iter().map(Server::client).collect()
}

/// A value in which sets (and what stands for them in RESP2) have one order.
fn ordered(value: &Value) -> Value {
    let sorted = |items: &[Value]| {
        let mut items: Vec<Value> = items.iter().map(ordered).collect();
        items.sort();
        items
    };
    match value {
        Value::Set(items) => Value::Set(sorted(items)),
        Value::Array(items) => Value::Array(sorted(items)),
        Value::Map(pairs) => {
            let mut pairs: Vec<(Value, Value)> = pairs.iter().map(|(k, v)| (ordered(k), ordered(v))).collect();
            pairs.sort();
            Value::Map(pairs)
        }
        other => other.clone(),
    }
}

/// The names of all commands and subcommands of ackd, except its own.
fn names(client: &mut Client) -> Vec<String> {
    const OWN: [&str; 2] = ["client|durability", "delifeq"];
    let list = client.command("COMMAND LIST");
    let names = list.elements().unwrap().iter().map(|name| name.text().unwrap());
    names.filter(|name| !OWN.contains(&name.as_str())).collect()
}

/// Compares one fact about `name` with that of the oracles that know it.
fn compare(wrong: &mut Vec<String>, name: &str, fact: &str, ours: Option<&Value>, theirs: &[Option<&Value>]) {
    let ours = ours.map(ordered);
    let theirs: Vec<Option<Value>> = theirs.iter().map(|value| value.map(ordered)).collect();
    if !theirs.contains(&ours) {
        let shown = |value: &Option<Value>| value.as_ref().map_or("nothing".into(), Value::to_string);
        let theirs: Vec<String> = theirs.iter().map(shown).collect();
        wrong.push(format!("{name} {fact}:\n    ackd {}\n    oracles {}", shown(&ours), theirs.join("\n            ")));
    }
}

fn info(client: &mut Client, name: &str) -> Option<Vec<Value>> {
    let reply = client.command(&format!("COMMAND INFO {name}"));
    reply.elements().unwrap()[0].elements().map(<[Value]>::to_vec)
}

/// The commands and subcommands that a server has.
fn all_names(client: &mut Client) -> BTreeSet<String> {
    let list = client.command("COMMAND LIST");
    list.elements().unwrap().iter().map(|name| name.text().unwrap().replace('|', " ").to_uppercase()).collect()
}

/// What the README calls missing: the commands in the first list of its section "Not there yet".
fn named_as_missing() -> BTreeSet<String> {
    let readme = include_str!("../README.md");
    let section = readme.split_once("## Not there yet\n").unwrap().1;
    let list = section.split_once("\n- ").unwrap().1.split_once("\n\n").unwrap().0;
    let quoted = list.split('`').skip(1).step_by(2);
    let is_command = |name: &&str| name.chars().all(|c| c.is_ascii_uppercase() || " -_".contains(c));
    quoted.filter(is_command).map(str::to_owned).collect()
}

/// Redis 7.0 stands for 7.2 here: what 7.2 has besides (CLIENT NO-TOUCH and SETINFO, CLUSTER MYSHARDID, WAITAOF) is asked
/// for by name.
#[test]
fn the_readme_names_every_command_of_redis_that_is_missing_and_no_other() {
    let Some(oracle) = Oracle::Redis7.program() else { return };
    let (server, oracle) = (Program::ackd().start(), oracle.start());
    let (ours, mut theirs) = (all_names(&mut server.client()), all_names(&mut oracle.client()));
    let newer = ["CLIENT NO-TOUCH", "CLIENT SETINFO", "CLUSTER MYSHARDID", "WAITAOF"];
    theirs.extend(newer.map(str::to_owned));
    // A container that is missing stands for its subcommands.
    let stands_alone = |name: &&String| match name.split_once(' ') {
        Some((container, _)) => ours.contains(container),
        None => true,
    };
    let missing: BTreeSet<String> = theirs.difference(&ours).filter(stands_alone).cloned().collect();
    assert_eq!(named_as_missing(), missing);
}

#[test]
fn command_info_states_the_facts_of_redis_in_both_protocols() {
    let Some(servers) = oracles() else { return };
    const FACTS: [&str; 9] =
        ["name", "arity", "flags", "first key", "last key", "step", "categories", "tips", "key specs"];
    let server = Program::ackd().start();
    for protocol in [2, 3] {
        let (mut ours, mut theirs) = (server.client(), clients(&servers));
        for client in theirs.iter_mut().chain([&mut ours]) {
            client.command(&format!("HELLO {protocol}"));
        }
        let mut wrong = Vec::new();
        for name in names(&mut ours) {
            let row = info(&mut ours, &name).unwrap();
            let others: Vec<Vec<Value>> = theirs.iter_mut().filter_map(|client| info(client, &name)).collect();
            assert!(!others.is_empty(), "no oracle knows {name}");
            for (at, fact) in FACTS.iter().enumerate() {
                let others: Vec<Option<&Value>> = others.iter().map(|row| Some(&row[at])).collect();
                compare(&mut wrong, &name, fact, Some(&row[at]), &others);
            }
        }
        assert!(wrong.is_empty(), "RESP{protocol}:\n{}", wrong.join("\n"));
    }
}

/// The facts of COMMAND DOCS, without prose.
fn docs(client: &mut Client, name: &str) -> Option<BTreeMap<String, Value>> {
    let reply = client.command(&format!("COMMAND DOCS {name}"));
    let pairs = reply.pairs().unwrap();
    let (_, facts) = pairs.first()?;
    let mut facts: BTreeMap<String, Value> =
        facts.pairs().unwrap().into_iter().map(|(name, value)| (name.text().unwrap(), value.clone())).collect();
    for prose in ["summary", "complexity", "replaced_by"] {
        if let Some(value) = facts.get_mut(prose) {
            *value = Value::Simple(b"prose".to_vec());
        }
    }
    if let Some(history) = facts.get_mut("history") {
        let versions = history.elements().unwrap().iter().map(|change| change.elements().unwrap()[0].clone());
        *history = Value::Array(versions.collect());
    }
    if let Some(arguments) = facts.get_mut("arguments") {
        *arguments = without_summaries(arguments);
    }
    facts.remove("subcommands");
    Some(facts)
}

/// An argument tree in which the order of arguments still counts, but not that of their properties.
fn without_summaries(arguments: &Value) -> Value {
    let tree = arguments.elements().unwrap().iter().enumerate().map(|(at, argument)| {
        let mut facts = vec![(Value::Simple(b"place".to_vec()), Value::Integer(at as i64))];
        for (name, value) in argument.pairs().unwrap() {
            match name.bytes().unwrap() {
                b"summary" => {}
                b"arguments" => facts.push((name.clone(), without_summaries(value))),
                _ => facts.push((name.clone(), value.clone())),
            }
        }
        Value::Map(facts)
    });
    Value::Array(tree.collect())
}

#[test]
fn command_docs_state_the_facts_of_redis() {
    let Some(servers) = oracles() else { return };
    let server = Program::ackd().start();
    let (mut ours, mut theirs) = (server.client(), clients(&servers));
    let mut wrong = Vec::new();
    for name in names(&mut ours) {
        let facts = docs(&mut ours, &name).unwrap();
        let others: Vec<BTreeMap<String, Value>> = theirs.iter_mut().filter_map(|client| docs(client, &name)).collect();
        let all: std::collections::BTreeSet<&String> =
            others.iter().flat_map(BTreeMap::keys).chain(facts.keys()).collect();
        for fact in all {
            let others: Vec<Option<&Value>> = others.iter().map(|other| other.get(fact)).collect();
            // What became of fields of replies is not told here: it changes with every version.
            if !(fact == "history" && name.starts_with("client|")) {
                compare(&mut wrong, &name, fact, facts.get(fact), &others);
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn errors_and_keys_of_command_are_those_of_redis() {
    let Some(oracle) = Oracle::Valkey.program() else { return };
    let (server, oracle) = (Program::ackd().start(), oracle.start());
    let (mut ours, mut theirs) = (server.client(), oracle.client());
    for line in [
        "COMMAND GETKEYS get",
        "COMMAND GETKEYS nope a",
        "COMMAND GETKEYS ping",
        "COMMAND GETKEYS config get x",
        "COMMAND GETKEYS config nope x",
        "COMMAND GETKEYS config",
        "COMMAND GETKEYS object encoding k",
        "COMMAND GETKEYS mset a 1 b 2",
        "COMMAND GETKEYS mset a 1 b",
        "COMMAND GETKEYSANDFLAGS mset a 1 b 2",
        "COMMAND GETKEYSANDFLAGS set k v",
        "COMMAND GETKEYSANDFLAGS set k v get",
        "COMMAND GETKEYSANDFLAGS set k v ifeq x",
        "COMMAND GETKEYSANDFLAGS copy a b",
        "COMMAND GETKEYSANDFLAGS getex a",
        "COMMAND GETKEYSANDFLAGS get",
        "COMMAND GETKEYS",
        "COMMAND GETKEYS watch a b",
        "COMMAND GETKEYSANDFLAGS migrate h 1 k 0 1",
        "COMMAND GETKEYSANDFLAGS migrate h 1 k 0 1 copy auth x",
        "COMMAND GETKEYSANDFLAGS migrate h 1 k 0 1 keys a b",
        "COMMAND GETKEYSANDFLAGS migrate h 1 k 0 1 auth keys",
        "COMMAND GETKEYS migrate h 1 k 0 1 auth2 keys keys",
        "COMMAND GETKEYS migrate h 1 k",
        "COMMAND nope",
        "COMMAND COUNT x",
        "COMMAND INFO nope client|nope config| |",
        "COMMAND DOCS nope",
        "COMMAND LIST x",
        "COMMAND LIST FILTERBY MODULE",
        "COMMAND LIST FILTERBY MODULE x",
        "COMMAND LIST FILTERBY FOO x",
        "COMMAND LIST FILTERBY ACLCAT nope",
        "COMMAND LIST FILTERBY ACLCAT transaction",
        "COMMAND LIST FILTERBY PATTERN config*",
        "COMMAND LIST FILTERBY PATTERN CONFIG|G*",
        "nope a b c",
        "config nope",
        "config",
        "get",
    ] {
        assert_eq!(ordered(&ours.command(line)), ordered(&theirs.command(line)), "{line}");
    }
    for line in ["keys a b", "keys", "auth keys keys a", "auth2 keys keys a", "keys keys keys", "copy keys a replace"] {
        let words: Vec<&str> = "COMMAND GETKEYSANDFLAGS migrate h 1".split(' ').chain(["", "0", "1"]).collect();
        let words: Vec<&str> = words.into_iter().chain(line.split(' ')).collect();
        let ask = |client: &mut Client| ordered(&client.call(&words).unwrap().value);
        assert_eq!(ask(&mut ours), ask(&mut theirs), "{line}");
    }
}

fn settings(client: &mut Client) -> BTreeMap<String, String> {
    let reply = client.command("CONFIG GET *");
    let pairs = reply.pairs().unwrap();
    pairs.into_iter().map(|(name, value)| (name.text().unwrap(), value.text().unwrap())).collect()
}

/// Settings that only ackd has.
const OURS: [&str; 7] = [
    "log-keep-size",
    "log-keep-time",
    "log-segment-size",
    "lua-max-memory",
    "max-replay-time",
    "snapshot-copy",
    "snapshots-kept",
];

#[test]
fn settings_have_the_names_and_defaults_of_redis_7_2() {
    let Some(oracle) = Oracle::Redis7.program() else { return };
    let (server, oracle) = (Program::ackd().start(), oracle.start());
    let (mut ours, mut theirs) = (settings(&mut server.client()), settings(&mut oracle.client()));
    for name in OURS {
        assert!(ours.remove(name).is_some(), "{name}");
    }
    // What 7.2 added to 7.0, and hid.
    for (name, value) in [
        ("set-max-listpack-entries", "128"),
        ("set-max-listpack-value", "64"),
        ("cluster-announce-human-nodename", ""),
        ("locale-collate", ""),
    ] {
        theirs.insert(name.into(), value.into());
    }
    assert!(theirs.remove("aof-disable-auto-gc").is_some());
    // Ours by intent, or by place.
    for name in
        ["appendfsync", "dir", "port", "pidfile", "logfile", "unixsocket", "maxclients", "stop-writes-on-bgsave-error"]
    {
        assert!(ours.remove(name).is_some() && theirs.remove(name).is_some(), "{name}");
    }
    assert_eq!(ours, theirs);
}

#[test]
fn config_set_refuses_what_redis_refuses_with_the_same_words() {
    let Some(servers) = oracles() else { return };
    // Changing these would cut the test off, or has effects outside of the server.
    const LEFT_ALONE: [&str; 11] = [
        "port",
        "bind",
        "requirepass",
        "tls-port",
        "maxclients",
        "maxmemory-clients",
        "crash-log-enabled",
        "unixsocket",
        "bind-source-addr",
        "oom-score-adj",
        "oom-score-adj-values",
    ];
    let server = Program::ackd().start();
    let (mut ours, mut theirs) = (server.client(), clients(&servers));
    let mut wrong = Vec::new();
    for (name, value) in settings(&mut ours) {
        if LEFT_ALONE.contains(&name.as_str()) || OURS.contains(&name.as_str()) {
            continue;
        }
        for bad in ["zzz", "-9999999999999", "9999999999999999999", "01", "1.5", "5%", "3 4 x", "a/b"] {
            let set = |client: &mut Client| client.call(&["CONFIG", "SET", &name, bad]).unwrap().value;
            let reply = set(&mut ours);
            let others: Vec<Value> = theirs.iter_mut().map(set).collect();
            let text = reply.text().unwrap_or_default();
            let is_ours = text.ends_with("ackd does not have what this setting asks for yet");
            if !is_ours && !others.contains(&reply) {
                let others: Vec<String> = others.iter().map(Value::to_string).collect();
                wrong.push(format!("{name} {bad}: {reply}, oracles {}", others.join(" / ")));
            }
            if !reply.is_error() {
                ours.call(&["CONFIG", "SET", &name, &value]).unwrap();
            }
            for (client, reply) in theirs.iter_mut().zip(others) {
                if !reply.is_error() {
                    client.call(&["CONFIG", "SET", &name, &value]).unwrap();
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_setting_may_be_set_to_the_value_that_it_has() {
    let server = Program::ackd().start();
    let mut client = server.client();
    for (name, value) in settings(&mut client) {
        let reply = client.call(&["CONFIG", "SET", &name, &value]).unwrap().value;
        assert_eq!(reply, Value::Simple(b"OK".to_vec()), "{name}");
    }
}
