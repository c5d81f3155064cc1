//! Bitmaps and HyperLogLogs between servers: what Redis 8.2 brought is compared with it, and what is logged is applied by
//! Redis 7, and by ackd itself with other settings, to the same bytes.

#![allow(clippy::unwrap_used)]

mod support;

use std::process::Command;

use ackd::base::quoting;
use support::client::Client;
use support::oracle::Oracle;
use support::process::Program;
use support::reply::Value;

const KEYS: usize = 5;
const OPERATIONS: [&str; 8] = ["AND", "OR", "XOR", "NOT", "DIFF", "DIFF1", "ANDOR", "ONE"];

type Line = Vec<Vec<u8>>;

fn line(words: &[&str]) -> Line {
    words.iter().map(|word| word.as_bytes().to_vec()).collect()
}

fn key(rng: &mut fastrand::Rng, of: &str) -> String {
    format!("{of}{}", rng.usize(..KEYS))
}

fn bits(rng: &mut fastrand::Rng) -> Vec<u8> {
    let length = [0, 1, 2, 7, 8, 9, 63, 64, 65, 4095, 4096, 4097, 9000][rng.usize(..13)];
    let mask = [0, 0xff, 0x0f, 0x81][rng.usize(..4)];
    (0..length).map(|_| rng.u8(..) & mask).collect()
}

fn bitop(rng: &mut fastrand::Rng) -> Line {
    let operation = OPERATIONS[rng.usize(..OPERATIONS.len())];
    let sources = if operation == "NOT" { 1 } else { rng.usize(1..5) };
    let mut line = line(&["BITOP", operation, &key(rng, "b")]);
    line.extend((0..sources).map(|_| key(rng, "b").into_bytes()));
    line
}

fn on_bits(rng: &mut fastrand::Rng) -> Line {
    let key = key(rng, "b");
    let number = |number: u32| number.to_string();
    match rng.u32(..10) {
        0..=1 => [line(&["SET", &key]), vec![bits(rng)]].concat(),
        2 => line(&["DEL", &key]),
        3 => line(&["SETBIT", &key, &number(rng.u32(..40_000)), &number(rng.u32(..2))]),
        4 => {
            let overflow = ["WRAP", "SAT", "FAIL"][rng.usize(..3)];
            let (bit, by) = (number(rng.u32(..500)), rng.i32(..).to_string());
            line(&["BITFIELD", &key, "OVERFLOW", overflow, "INCRBY", "i23", &bit, &by, "SET", "u5", &bit, "40"])
        }
        _ => bitop(rng),
    }
}

fn pfadd(key: &str, elements: std::ops::Range<u32>) -> Line {
    [line(&["PFADD", key]), elements.map(|n| n.to_string().into_bytes()).collect()].concat()
}

fn on_sketches(rng: &mut fastrand::Rng) -> Line {
    let key = |rng: &mut fastrand::Rng| key(rng, "p");
    match rng.u32(..20) {
        0..=8 => {
            let (first, count) = (rng.u32(..5000), [0, 1, 3, 40, 600][rng.usize(..5)]);
            pfadd(&key(rng), first..first + count)
        }
        9..=12 => line(&["PFCOUNT", &key(rng)]),
        13 => line(&["PFCOUNT", &key(rng), &key(rng)]),
        14..=16 => line(&["PFMERGE", &key(rng), &key(rng), &key(rng)]),
        17 => line(&["PFDEBUG", ["TODENSE", "GETREG"][rng.usize(..2)], &key(rng)]),
        18 => line(&["DEL", &key(rng)]),
        _ => line(&["CONFIG", "SET", "hll-sparse-max-bytes", ["0", "50", "400", "3000", "16000"][rng.usize(..5)]]),
    }
}

/// Everything that the keys hold.
fn state(client: &mut Client) -> Vec<Value> {
    let keys = ["b", "p"].into_iter().flat_map(|of| (0..KEYS).map(move |n| format!("{of}{n}")));
    keys.map(|key| client.call(&["GET", &key]).unwrap().value).collect()
}

#[test]
fn every_operation_of_bitop_gives_the_bytes_of_redis_8_2() {
    let Some(oracle) = Oracle::Redis8.program() else { return };
    let (oracle, tested) = (oracle.start(), Program::ackd().start());
    let (mut oracle, mut tested) = (oracle.client(), tested.client());
    let mut rng = fastrand::Rng::with_seed(8);
    let mut done = 0;
    for _ in 0..3000 {
        let line = if rng.u8(..10) < 2 { on_bits(&mut rng) } else { bitop(&mut rng) };
        let (theirs, ours) = (oracle.call(&line).unwrap().value, tested.call(&line).unwrap().value);
        assert_eq!(theirs, ours, "{:?}", line.iter().map(|word| word.escape_ascii().to_string()).collect::<Vec<_>>());
        assert_eq!(state(&mut oracle), state(&mut tested), "after {:?}", line[1..3].join(&b' ').escape_ascii());
        done += u64::from(matches!(ours, Value::Integer(1..)));
    }
    assert!(done > 1000, "only {done} operations had a result");
}

#[test]
fn what_is_logged_gives_redis_7_and_a_restart_with_another_limit_the_same_bytes() {
    let mut server = Program::ackd().start();
    let mut client = server.client();
    let mut rng = fastrand::Rng::with_seed(7);
    let random = (0..2000).map(|_| if rng.bool() { on_bits(&mut rng) } else { on_sketches(&mut rng) });
    // In the end, one that other limits would have made dense.
    let large = [line(&["CONFIG", "SET", "hll-sparse-max-bytes", "16000"]), line(&["DEL", "p0"]), pfadd("p0", 0..1500)];
    for line in random.chain(large) {
        let reply = client.call(&line).unwrap().value;
        let refused = [&b"ERR The specified key does not exist"[..], b"ERR BITOP"];
        let is_expected = |text: &[u8]| refused.iter().any(|known| text.starts_with(known));
        assert!(!matches!(&reply, Value::Error(text) if !is_expected(text)), "{reply}");
    }
    let expected = state(&mut client);
    assert!(expected.iter().any(|value| value.bytes().is_some_and(|bytes| bytes.starts_with(b"HYLL\x00"))));
    assert!(expected.iter().any(|value| value.bytes().is_some_and(|bytes| bytes.starts_with(b"HYLL\x01"))));
    server.kill();
    for limit in ["0", "100000"] {
        server.set("hll-sparse-max-bytes", limit);
        server.start();
        assert_eq!(state(&mut server.client()), expected, "after a restart with the limit {limit}");
        server.kill();
    }
    let Some(redis) = Oracle::Redis7.program() else { return };
    let redis = redis.with("hll-sparse-max-bytes", "100000").start();
    let shown = Command::new(&Program::ackd().path).args(["log", "--commands"]).arg(server.dir()).output().unwrap();
    assert!(shown.status.success(), "{shown:?}");
    let mut redis = redis.client();
    let mut effects = 0;
    for effect in shown.stdout.split(|byte| *byte == b'\n').filter(|effect| !effect.is_empty()) {
        let reply = redis.call(&quoting::split(effect).unwrap()).unwrap().value;
        assert!(!reply.is_error(), "{}: {reply}", effect.escape_ascii());
        effects += 1;
    }
    assert!(effects > 1000, "only {effects} effects");
    assert_eq!(state(&mut redis), expected);
}
