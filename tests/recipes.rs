//! The recipes of `docs/recipes.md`, over a socket and through `kill -9`: what was acknowledged is there again.

#![allow(clippy::unwrap_used)]

mod support;

use std::thread;
use std::time::{Duration, Instant};

use support::client::Client;
use support::process::{Program, Server};
use support::reply::Value;

fn server() -> Server {
    Program::ackd().with("appendfsync", "always").start()
}

/// Pulls the plug and starts again.
fn crash(server: &mut Server) -> Client {
    server.kill();
    server.start();
    server.client()
}

fn integer(client: &mut Client, line: &str) -> i64 {
    let value = client.command(line);
    value.integer().unwrap_or_else(|| panic!("{line}: {value:?}"))
}

/// The strings of an array reply, nested ones in place; numbers in decimal.
fn words(value: &Value) -> Vec<String> {
    match value {
        Value::Integer(number) => vec![number.to_string()],
        value => match value.elements() {
            Some(elements) => elements.iter().flat_map(words).collect(),
            None => value.text().into_iter().collect(),
        },
    }
}

fn list(client: &mut Client, line: &str) -> Vec<String> {
    words(&client.command(line))
}

#[test]
fn a_lock_has_one_holder_also_after_a_crash() {
    let mut server = server();
    let mut client = server.client();
    assert_eq!(client.command("SET lock mine NX PX 60000").text().unwrap(), "OK");
    let mut client = crash(&mut server);
    assert_eq!(client.command("SET lock other NX PX 60000"), Value::NullBulk);
    assert_eq!(integer(&mut client, "DELIFEQ lock other"), 0);
    assert_eq!(client.command("SET lock mine IFEQ mine PX 60000").text().unwrap(), "OK");
    assert_eq!(integer(&mut client, "DELIFEQ lock mine"), 1);
    let mut client = crash(&mut server);
    assert_eq!(client.command("SET lock other NX PX 60000").text().unwrap(), "OK");
}

#[test]
fn a_lock_that_nobody_releases_ends_by_itself() {
    let mut server = server();
    let mut client = server.client();
    client.command("SET lock mine NX PX 300");
    let mut client = crash(&mut server);
    let deadline = Instant::now() + Duration::from_secs(20);
    while client.command("SET lock other NX PX 60000") == Value::NullBulk {
        assert!(Instant::now() < deadline, "the lock never ended");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_fixed_window_counts_on_after_a_crash() {
    let mut server = server();
    let mut client = server.client();
    let request = |client: &mut Client| {
        for line in ["MULTI", "INCR rate:28401", "EXPIRE rate:28401 120"] {
            client.command(line);
        }
        client.command("EXEC").elements().unwrap()[0].integer().unwrap()
    };
    assert_eq!((1..=3).map(|_| request(&mut client)).collect::<Vec<_>>(), [1, 2, 3]);
    let mut client = crash(&mut server);
    assert_eq!(request(&mut client), 4);
    assert!((1..=120).contains(&integer(&mut client, "TTL rate:28401")));
}

#[test]
fn a_sliding_window_forgets_what_is_old_and_nothing_else() {
    let mut server = server();
    let mut client = server.client();
    let request = |client: &mut Client, now: i64, name: &str| {
        for line in [
            "MULTI".to_string(),
            format!("ZREMRANGEBYSCORE window -inf ({}", now - 60_000),
            format!("ZADD window {now} {name}"),
            "ZCARD window".to_string(),
            "PEXPIRE window 600000".to_string(),
        ] {
            client.command(&line);
        }
        client.command("EXEC").elements().unwrap()[2].integer().unwrap()
    };
    let now = 1_700_000_000_000;
    assert_eq!(request(&mut client, now, "a"), 1);
    assert_eq!(request(&mut client, now + 30_000, "b"), 2);
    let mut client = crash(&mut server);
    assert_eq!(request(&mut client, now + 60_000, "c"), 3);
    assert_eq!(request(&mut client, now + 60_001, "d"), 3);
    assert_eq!(list(&mut client, "ZRANGE window 0 -1"), ["b", "c", "d"]);
}

#[test]
fn a_leaderboard_keeps_places_scores_and_neighbours() {
    let members: usize = std::env::var("ACKD_BOARD_MEMBERS").map_or(20_000, |text| text.parse().unwrap());
    let mut server = server();
    let mut client = server.client();
    // Each score once, in no order: the member with score s is p<s>.
    let scores: Vec<usize> = (0..members).map(|number| number * 7919 % members).collect();
    for chunk in scores.chunks(1000) {
        let pairs = chunk.iter().flat_map(|score| [score.to_string(), format!("p{score}")]);
        let argv: Vec<String> = ["ZADD".to_string(), "board".to_string()].into_iter().chain(pairs).collect();
        assert!(client.call(&argv).unwrap().value.integer().is_some());
    }
    let distinct = integer(&mut client, "ZCARD board") as usize;
    let mut client = crash(&mut server);
    assert_eq!(integer(&mut client, "ZCARD board") as usize, distinct);
    let best = scores.iter().max().unwrap();
    let top = list(&mut client, "ZRANGE board 0 99 REV WITHSCORES");
    assert_eq!(top.len(), 200);
    assert_eq!(top[..2], [format!("p{best}"), best.to_string()]);
    assert_eq!(list(&mut client, &format!("ZREVRANK board p{best} WITHSCORE")), ["0".to_string(), best.to_string()]);
    let place = integer(&mut client, &format!("ZREVRANK board p{}", scores[5]));
    let neighbours = list(&mut client, &format!("ZRANGE board {} {} REV", (place - 1).max(0), place + 1));
    assert!(neighbours.contains(&format!("p{}", scores[5])) && neighbours.len() >= 2);
    let before = integer(&mut client, &format!("ZREVRANK board p{}", scores[5]));
    client.command(&format!("ZINCRBY board {} p{}", members * 2, scores[5]));
    let mut client = crash(&mut server);
    assert_eq!(integer(&mut client, &format!("ZREVRANK board p{}", scores[5])), 0, "it was at {before}");
}

#[test]
fn a_job_is_in_exactly_one_list_whenever_the_plug_is_pulled() {
    let mut server = server();
    let mut client = server.client();
    client.command("LPUSH jobs job-1 job-2");
    let mut waiting = server.client();
    assert_eq!(waiting.command("BLMOVE jobs working RIGHT LEFT 5").text().unwrap(), "job-1");
    let mut client = crash(&mut server);
    assert_eq!(list(&mut client, "LRANGE jobs 0 -1"), ["job-2"]);
    assert_eq!(list(&mut client, "LRANGE working 0 -1"), ["job-1"]);
    // The worker is gone: its job goes back, and is taken and done by another.
    assert_eq!(client.command("LMOVE working jobs RIGHT RIGHT").text().unwrap(), "job-1");
    assert_eq!(client.command("BLMOVE jobs working RIGHT LEFT 5").text().unwrap(), "job-1");
    assert_eq!(integer(&mut client, "LREM working 1 job-1"), 1);
    let mut client = crash(&mut server);
    assert_eq!(integer(&mut client, "EXISTS working"), 0);
    assert_eq!(list(&mut client, "LRANGE jobs 0 -1"), ["job-2"]);
}

#[test]
fn a_worker_that_waits_gets_the_job_and_the_job_is_gone_from_the_queue() {
    let mut server = server();
    let mut waiting = server.client();
    waiting.send(&support::client::encode(&["BLMOVE", "jobs", "working", "RIGHT", "LEFT", "0"])).unwrap();
    let mut client = server.client();
    let deadline = Instant::now() + Duration::from_secs(20);
    while !client.command("INFO clients").text().unwrap().contains("blocked_clients:1") {
        assert!(Instant::now() < deadline, "the worker never waited");
        thread::sleep(Duration::from_millis(5));
    }
    client.command("LPUSH jobs job-1");
    assert_eq!(waiting.receive().unwrap().value.text().unwrap(), "job-1");
    let mut client = crash(&mut server);
    assert_eq!(integer(&mut client, "EXISTS jobs"), 0);
    assert_eq!(list(&mut client, "LRANGE working 0 -1"), ["job-1"]);
}

#[test]
fn what_a_crashed_consumer_took_is_claimed_by_another() {
    let mut server = server();
    let mut client = server.client();
    client.command("XGROUP CREATE tasks workers $ MKSTREAM");
    for number in 1..=3 {
        client.command(&format!("XADD tasks {number}-0 job {number}"));
    }
    let taken = client.command("XREADGROUP GROUP workers w1 COUNT 2 STREAMS tasks >");
    assert_eq!(words(&taken), ["tasks", "1-0", "job", "1", "2-0", "job", "2"]);
    assert_eq!(integer(&mut client, "XACK tasks workers 1-0"), 1);
    let mut client = crash(&mut server);
    // One is pending still, with its owner and its count.
    let pending = list(&mut client, "XPENDING tasks workers - + 10");
    assert_eq!((pending[0].as_str(), pending[1].as_str(), pending[3].as_str()), ("2-0", "w1", "1"));
    assert_eq!(list(&mut client, "XAUTOCLAIM tasks workers w2 0 0"), ["0-0", "2-0", "job", "2"]);
    assert_eq!(words(&client.command("XREADGROUP GROUP workers w2 STREAMS tasks >")), ["tasks", "3-0", "job", "3"]);
    assert_eq!(integer(&mut client, "XACK tasks workers 2-0 3-0"), 2);
    let mut client = crash(&mut server);
    assert_eq!(list(&mut client, "XPENDING tasks workers - + 10"), [""; 0]);
    let groups = list(&mut client, "XINFO GROUPS tasks");
    let field = |name: &str| groups[groups.iter().position(|word| word == name).unwrap() + 1].clone();
    assert_eq!((field("entries-read"), field("lag")), ("3".into(), "0".into()));
}

#[test]
fn a_session_loses_the_field_whose_time_is_up_and_keeps_the_others() {
    let mut server = server();
    let mut client = server.client();
    client.command("HSET session user anna cart 3,17");
    client.command("HPEXPIRE session 300 FIELDS 1 cart");
    client.command("EXPIRE session 86400");
    let mut client = crash(&mut server);
    let deadline = Instant::now() + Duration::from_secs(20);
    while client.command("HGET session cart") != Value::NullBulk {
        assert!(Instant::now() < deadline, "the field never expired");
        thread::sleep(Duration::from_millis(5));
    }
    let mut client = crash(&mut server);
    assert_eq!(list(&mut client, "HGETALL session"), ["user", "anna"]);
    assert!((1..=86_400).contains(&integer(&mut client, "TTL session")));
}

#[test]
fn visitors_are_counted_the_same_after_a_crash() {
    let mut server = server();
    let mut client = server.client();
    for day in 0..2 {
        for hundred in 0..50 {
            let names: Vec<String> = (0..100).map(|name| format!("v{}", (day * 25 + hundred) * 100 + name)).collect();
            client.command(&format!("PFADD visitors:{day} {}", names.join(" ")));
        }
    }
    let count = integer(&mut client, "PFCOUNT visitors:0 visitors:1");
    assert!((7_200..=7_800).contains(&count), "{count} of 7500");
    let mut client = crash(&mut server);
    assert_eq!(integer(&mut client, "PFCOUNT visitors:0 visitors:1"), count);
    client.command("PFMERGE week visitors:0 visitors:1");
    let mut client = crash(&mut server);
    assert_eq!(integer(&mut client, "PFCOUNT week"), count);
}

#[test]
fn drivers_nearby_are_found_after_a_crash() {
    let mut server = server();
    let mut client = server.client();
    client.command("GEOADD drivers 13.361389 38.115556 anna 15.087269 37.502669 ben");
    let mut client = crash(&mut server);
    let near = "GEOSEARCH drivers FROMLONLAT 15 37 BYRADIUS 200 km ASC COUNT 10 WITHDIST";
    assert_eq!(list(&mut client, near), ["ben", "56.4413", "anna", "190.4424"]);
    client.command("ZREM drivers ben");
    let mut client = crash(&mut server);
    assert_eq!(list(&mut client, near), ["anna", "190.4424"]);
}

#[test]
fn who_was_there_is_known_after_a_crash() {
    let mut server = server();
    let mut client = server.client();
    for user in [3, 4711, 100_000] {
        client.command(&format!("SETBIT seen:1 {user} 1"));
    }
    client.command("SETBIT seen:2 4711 1");
    let mut client = crash(&mut server);
    assert_eq!(integer(&mut client, "BITCOUNT seen:1"), 3);
    client.command("BITOP AND both seen:1 seen:2");
    let mut client = crash(&mut server);
    assert_eq!((integer(&mut client, "GETBIT both 4711"), integer(&mut client, "BITCOUNT both")), (1, 1));
}

/// The script of this name in `docs/recipes.md`.
fn script(name: &str) -> &'static str {
    let blocks = include_str!("../docs/recipes.md").split("```lua\n").skip(1);
    let mut scripts = blocks.map(|block| block.split("```").next().unwrap());
    scripts.find(|script| script.starts_with(&format!("-- {name}: "))).unwrap_or_else(|| panic!("no script {name}"))
}

fn eval(client: &mut Client, name: &str, keys: &[&str], arguments: &[&str]) -> Value {
    let count = keys.len().to_string();
    let words = [&["EVAL", script(name), &count], keys, arguments].concat();
    client.call(&words).unwrap().value
}

#[test]
fn a_script_releases_only_its_own_lock() {
    let mut server = server();
    let mut client = server.client();
    client.command("SET lock mine NX PX 60000");
    assert_eq!(eval(&mut client, "release-lock", &["lock"], &["other"]), Value::Integer(0));
    let mut client = crash(&mut server);
    assert_eq!(eval(&mut client, "release-lock", &["lock"], &["mine"]), Value::Integer(1));
    let mut client = crash(&mut server);
    assert_eq!(integer(&mut client, "EXISTS lock"), 0);
}

#[test]
fn who_comes_too_late_is_fenced_off() {
    let mut server = server();
    let mut client = server.client();
    let acquire = |client: &mut Client, owner: &str, lease: &str| {
        eval(client, "acquire-lock", &["lock", "tokens"], &[owner, lease])
    };
    let write = |client: &mut Client, token: &str, value: &str| {
        eval(client, "fenced-write", &["value", "highest"], &[token, value]).text().unwrap()
    };
    assert_eq!(acquire(&mut client, "first", "40"), Value::Integer(1));
    assert_eq!(write(&mut client, "1", "from the first"), "OK");
    // It stalls past its lease, and the server crashes meanwhile: the next token is a later one all the same.
    let mut client = crash(&mut server);
    let begun = Instant::now();
    let second = loop {
        match acquire(&mut client, "second", "60000") {
            Value::Integer(token) => break token,
            refused => assert!(refused.is_null() && begun.elapsed() < Duration::from_secs(20), "{refused:?}"),
        }
    };
    assert_eq!(second, 2);
    assert_eq!(acquire(&mut client, "third", "60000"), Value::NullBulk);
    assert_eq!(write(&mut client, "2", "from the second"), "OK");
    let mut client = crash(&mut server);
    assert_eq!(write(&mut client, "1", "late"), "STALE a later holder has written");
    assert_eq!(client.command("GET value").text().unwrap(), "from the second");
}

#[test]
fn scripts_limit_requests_over_crashes() {
    let mut server = server();
    let mut client = server.client();
    let window = |client: &mut Client, now: u64, request: &str| {
        eval(client, "sliding-window", &["window"], &[&now.to_string(), "60000", "3", request])
    };
    let start = 1_700_000_000_000;
    for (at, request, allowed) in
        [(0, "a", 1), (10, "b", 1), (20, "c", 1), (30, "d", 0), (60_001, "e", 1), (60_002, "f", 0)]
    {
        assert_eq!(window(&mut client, start + at, request), Value::Integer(allowed), "{request}");
        client = crash(&mut server);
    }
    let bucket = |client: &mut Client, now: u64, cost: &str| {
        words(&eval(client, "token-bucket", &["bucket"], &["10", "2", &now.to_string(), cost])).join(" ")
    };
    assert_eq!(bucket(&mut client, start, "8"), "1 2");
    let mut client = crash(&mut server);
    assert_eq!(bucket(&mut client, start, "3"), "0 2");
    assert_eq!(bucket(&mut client, start + 499, "3"), "0 2");
    assert_eq!(bucket(&mut client, start + 500, "3"), "1 0");
    assert_eq!(bucket(&mut client, start + 60_000, "1"), "1 9", "it never holds more than it can");
}

#[test]
fn of_equal_scores_the_earlier_is_first() {
    let mut server = server();
    let mut client = server.client();
    let now = 1_700_000_000u64;
    let score = |client: &mut Client, player: &str, points: &str, after: u64| {
        eval(client, "best-score", &["board"], &[player, points, &(now + after).to_string()])
    };
    assert_eq!(score(&mut client, "late", "99999", 1), Value::Integer(1));
    assert_eq!(score(&mut client, "early", "99999", 0), Value::Integer(1));
    assert_eq!(score(&mut client, "early", "99999", 5), Value::Integer(0), "no better than before");
    assert_eq!(score(&mut client, "other", "7", 9), Value::Integer(1));
    let mut client = crash(&mut server);
    assert_eq!(list(&mut client, "ZRANGE board 0 -1 REV"), ["early", "late", "other"]);
}

#[test]
fn each_delayed_job_is_queued_once() {
    let mut server = server();
    let mut client = server.client();
    client.command("ZADD delayed 100 a 200 b 300 c");
    assert_eq!(eval(&mut client, "due-jobs", &["delayed", "queue"], &["250", "10"]), Value::Integer(2));
    let mut client = crash(&mut server);
    assert_eq!(eval(&mut client, "due-jobs", &["delayed", "queue"], &["250", "10"]), Value::Integer(0));
    assert_eq!(list(&mut client, "LRANGE queue 0 -1"), ["a", "b"]);
    assert_eq!(list(&mut client, "ZRANGE delayed 0 -1"), ["c"]);
}
