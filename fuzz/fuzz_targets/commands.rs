//! Any sequence of requests leaves the engine in the state that its effects make: the shadow keyspace, which only
//! applies them, is compared after every command.
#![no_main]

use std::rc::Rc;
use std::task::Waker;

use ackd::command::{dispatch, shadow, table};
use ackd::disk::sim::World;
use ackd::engine::Engine;
use ackd::engine::client::{Client, Peer};
use ackd::engine::config::{Config, Reader};
use libfuzzer_sys::fuzz_target;

fn engine() -> Engine {
    thread_local! {
        static CONFIG: Config = {
            let mut config = Config::new();
            for words in [
                ["databases", "2"],
                ["ackd-self-check", "yes"],
                ["enable-debug-command", "yes"],
                ["proto-max-bulk-len", "1mb"],
                ["hll-sparse-max-bytes", "40"],
            ] {
                let words = words.map(|word| word.as_bytes().to_vec());
                Reader::new(&mut config).command_line(&words).expect("the settings are right");
            }
            config
        };
    }
    ackd::keyspace::fix_hash_seed(1);
    let clock = Rc::new(World::new(1).clock());
    let mut engine = Engine::new(clock, fastrand::Rng::with_seed(1), CONFIG.with(Clone::clone));
    engine.admission.set_room(64 << 20);
    shadow::attach(&mut engine);
    engine
}

/// What arguments are made of: keys, values, numbers at their bounds, and every option.
const WORDS: &[&[u8]] = &[
    b"a", b"b", b"c", b"", b"\r\n\x00\xff", b"0", b"1", b"-1", b"3", b"10", b"100", b"0.5", b"-0", b"1e3", b"inf", b"x",
    b"9223372036854775807", b"-9223372036854775808", b"9223372036854775808", b"1700000000", b"99999999999999",
    b"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", b"*", b"?[a-c]*", b"NX", b"XX",
    b"GT", b"LT", b"GET", b"EX", b"PX", b"EXAT", b"PXAT", b"KEEPTTL", b"IFEQ", b"PERSIST", b"REPLACE", b"DB", b"MATCH", b"COUNT",
    b"TYPE", b"string", b"LEN", b"IDX", b"MINMATCHLEN", b"WITHMATCHLEN", b"ASYNC", b"SYNC", b"ENCODING", b"hz", b"appendfsync",
    b"AND", b"NOT", b"DIFF", b"ONE", b"BIT", b"BYTE", b"u8", b"i64", b"u63", b"#1", b"SET", b"INCRBY", b"OVERFLOW", b"SAT", b"FAIL",
    b"HYLL\x01\0\0\0\0\0\0\0\0\0\0\x80\x7f\xff", b"HYLL\x01\0\0\0\0\0\0\0\0\0\0\x80\x71\xa7", b"\x7f", b"16", b"TODENSE", b"GETREG",
];

fn request(engine: &mut Engine, client: &mut Client, arguments: &[&[u8]]) {
    engine.read_clock();
    dispatch::request(engine, client, arguments);
    client.blocked = None;
    let end = engine.stream.offset();
    engine.gate.advance_durable(end);
    let sent = client.output.sendable(&engine.gate).len();
    client.output.consume(sent);
    if let Some(batch) = engine.stream.take(Waker::noop()) {
        engine.stream.recycle(batch.frame);
    }
}

fuzz_target!(|lines: Vec<(u8, Vec<u8>)>| {
    let mut engine = engine();
    let id = engine.clients.add(Peer { is_local: true, ..Peer::default() }, 0);
    let mut client = engine.clients.take(id);
    client.authenticated = true;
    let rows = table::rows();
    for (command, words) in lines {
        let name = rows[usize::from(command) % rows.len()].spec.name;
        // They make as much as they are told to, or wait.
        if name.starts_with("debug") || name.starts_with("shutdown") {
            continue;
        }
        let mut arguments: Vec<&[u8]> = name.split('|').map(str::as_bytes).collect();
        arguments.extend(words.iter().take(12).map(|word| WORDS[usize::from(*word) % WORDS.len()]));
        request(&mut engine, &mut client, &arguments);
    }
});
