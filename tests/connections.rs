//! Connections that hang up, wait, or do not take their replies: what they cost the server and the others.

#![allow(clippy::unwrap_used)]

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use support::client::{Client, encode};
use support::process::{Program, Server};
use support::reply::Value;

fn ok() -> Value {
    Value::Simple(b"OK".to_vec())
}

/// Waits until `holds`, for at most `limit`.
fn wait_until(limit: Duration, what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + limit;
    while !holds() {
        assert!(Instant::now() < deadline, "not within {limit:?}: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn connected(client: &mut Client) -> usize {
    client.command("CLIENT LIST").text().unwrap().lines().count()
}

/// What a client does and then hangs up on.
fn abandon(server: &Server, bytes: &[u8]) {
    server.client().send(bytes).unwrap();
}

fn resident_bytes(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

/// The longest of some round trips of a well-behaved client.
fn longest_ping(server: &Server) -> Duration {
    let mut client = server.client();
    let ping = |client: &mut Client| {
        let start = Instant::now();
        assert_eq!(client.command("PING").text().unwrap(), "PONG");
        start.elapsed()
    };
    (0..50).map(|_| ping(&mut client)).max().unwrap()
}

#[test]
fn who_hangs_up_while_a_command_waits_is_forgotten() {
    let server = Program::ackd().start();
    let mut operator = server.client();
    let wait = encode(&["WAIT", "1", "0"]);
    // More behind the command than is read ahead, so that the end of the connection is not read.
    let long_wait = [wait.clone(), encode(&["ECHO", &"e".repeat(200_000)])].concat();
    for _ in 0..20 {
        abandon(&server, &wait);
        abandon(&server, &long_wait);
        abandon(&server, &encode(&["WAITAOF", "1", "1", "0"]));
    }
    wait_until(Duration::from_secs(10), "only the operator is connected", || connected(&mut operator) == 1);
    assert_eq!(operator.command("CLIENT PAUSE 600000 WRITE"), ok());
    for _ in 0..20 {
        abandon(&server, &encode(&["SET", "key", "value"]));
    }
    wait_until(Duration::from_secs(10), "only the operator is connected", || connected(&mut operator) == 1);
}

#[test]
fn who_ends_only_its_half_of_the_connection_still_gets_its_replies() {
    let server = Program::ackd().start();
    let mut client = server.client();
    client.send(&[encode(&["SET", "key", "value"]), encode(&["WAIT", "1", "0"])].concat()).unwrap();
    client.finish_sending().unwrap();
    assert_eq!(client.read_to_end(), (b"+OK\r\n".to_vec(), true));
}

#[test]
fn a_stalled_disk_does_not_keep_dead_connections() {
    let server = Program::ackd().start();
    let mut operator = server.client();
    assert_eq!(operator.command("DEBUG AOF-FLUSH-SLEEP 600000000"), ok());
    for _ in 0..20 {
        abandon(&server, &encode(&["SET", "key", "value"]));
    }
    wait_until(Duration::from_secs(20), "only the operator is connected", || connected(&mut operator) == 1);
}

#[test]
fn replies_that_nobody_takes_stop_their_connection_and_nothing_else() {
    const REPLIES: usize = 400;
    let server = Program::ackd().start();
    let value = "v".repeat(256 * 1024);
    assert_eq!(server.client().call(&["SET", "large", &value]).unwrap().value, ok());
    let before = resident_bytes(&server);
    let mut slow = server.client();
    slow.send(&encode(&["GET", "large"]).repeat(REPLIES)).unwrap();
    for _ in 0..20 {
        assert!(longest_ping(&server) < Duration::from_secs(1));
    }
    let grown = resident_bytes(&server).saturating_sub(before);
    assert!(grown < 32 << 20, "{grown} bytes more for a client that asks for 100 MB and reads nothing");
    for _ in 0..REPLIES {
        assert_eq!(slow.receive().unwrap().value, Value::Bulk(value.clone().into_bytes()));
    }
}

#[test]
fn the_hard_limit_counts_the_replies_of_one_pipeline() {
    let server = Program::ackd().start();
    let mut client = server.client();
    assert_eq!(client.call(&["SET", "key", &"v".repeat(50_000)]).unwrap().value, ok());
    let limit = ["CONFIG", "SET", "client-output-buffer-limit", "normal 100000 0 0"];
    assert_eq!(client.call(&limit).unwrap().value, ok());
    let mut greedy = server.client();
    greedy.send(&encode(&["GET", "key"]).repeat(10)).unwrap();
    let (_, closed) = greedy.read_to_end();
    assert!(closed);
    let stats = client.command("INFO stats").text().unwrap();
    assert!(stats.contains("client_output_buffer_limit_disconnections:1"), "{stats}");
}

#[test]
fn the_soft_limit_ends_connections_that_are_quiet() {
    let server = Program::ackd().start();
    let mut client = server.client();
    assert_eq!(client.call(&["SET", "large", &"v".repeat(32 << 20)]).unwrap().value, ok());
    let limit = ["CONFIG", "SET", "client-output-buffer-limit", "normal 0 100000 1"];
    assert_eq!(client.call(&limit).unwrap().value, ok());
    let mut quiet = server.client();
    quiet.send(&encode(&["GET", "large"])).unwrap();
    wait_until(Duration::from_secs(10), "the quiet client is gone", || connected(&mut client) == 1);
}

#[test]
fn a_pipeline_of_slow_commands_lets_others_in_between() {
    let server = Program::ackd().start();
    let (mut slow, mut client) = (server.client(), server.client());
    slow.send(&encode(&["DEBUG", "SLEEP", "0.02"]).repeat(100)).unwrap();
    // Of so many some come while the two seconds of sleep last.
    for _ in 0..20 {
        let start = Instant::now();
        assert_eq!(client.command("PING").text().unwrap(), "PONG");
        assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_timeout_ends_idle_connections_and_not_those_that_wait_or_receive() {
    let server = Program::ackd().with("timeout", "1").start();
    let mut operator = server.client();
    assert_eq!(operator.call(&["SET", "large", &"v".repeat(32 << 20)]).unwrap().value, ok());
    let mut idle = server.client();
    assert_eq!(idle.command("PING").text().unwrap(), "PONG");
    let mut receiving = TcpStream::connect(server.address()).unwrap();
    receiving.write_all(&encode(&["GET", "large"])).unwrap();
    assert_eq!(operator.command("CLIENT PAUSE 4000 WRITE"), ok());
    let mut paused = server.client();
    paused.send(&encode(&["SET", "key", "value"])).unwrap();
    let mut received = 0;
    let mut chunk = vec![0; 64 * 1024];
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(4) {
        received += receiving.read(&mut chunk).unwrap();
        assert_eq!(operator.command("PING").text().unwrap(), "PONG");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(idle.read_to_end().1, "idle since the first PING");
    assert_eq!(paused.receive().unwrap().value, ok());
    while received < "$33554432\r\n".len() + (32 << 20) + 2 {
        let count = receiving.read(&mut chunk).unwrap();
        assert!(count > 0, "closed after {received} bytes");
        received += count;
    }
}

#[test]
fn a_transaction_cannot_queue_more_than_a_request_may_take() {
    let server = Program::ackd().with("client-query-buffer-limit", "1mb").start();
    let mut client = server.client();
    assert_eq!(client.command("MULTI"), ok());
    let queue = encode(&["SET", "key", &"v".repeat(10_000)]);
    let mut queued = 0;
    while queued < 1000 && client.send(&queue).is_ok() && client.receive().is_ok() {
        queued += 1;
    }
    assert!((50..150).contains(&queued), "{queued} commands of 10 kB were queued");
    let mut client = server.client();
    assert_eq!(client.command("MULTI"), ok());
    // Small ones count with what they take, and not with the bytes that were sent for them.
    let queued = (0..20_000).take_while(|_| client.call(&["GET", "k"]).is_ok()).count();
    assert!(queued < 20_000);
}

#[test]
fn a_whole_pipeline_can_be_sent_before_a_reply_is_read() {
    // More than the buffers of both sockets take.
    const REQUESTS: usize = 1_000_000;
    let server = Program::ackd().start();
    let mut client = server.client();
    client.call(&["SET", "key", &"v".repeat(100)]).unwrap();
    client.send(&encode(&["GET", "key"]).repeat(REQUESTS)).unwrap();
    for n in 0..REQUESTS {
        assert_eq!(client.receive().unwrap().value.text().unwrap().len(), 100, "reply {n}");
    }
}

#[test]
fn a_large_value_is_stored_logged_and_recovered_whatever_stands_around_it() {
    let mut server = Program::ackd().start();
    let mut client = server.client();
    let values: Vec<String> = ["a", "b", "c"].map(|letter| letter.repeat(3 << 20)).to_vec();
    let mut requests = encode(&["SET", "small", "1"]);
    for request in [
        &["SET", "a", &values[0]][..],
        &["MSET", "b", &values[1], "a2", &values[0], "small", "2"],
        &["MULTI"],
        &["SET", "c", &values[2], "EX", "1000"],
        &["APPEND", "b", "tail"],
        &["EXEC"],
        &["SETRANGE", "a2", "0", "x"],
        &["RENAME", "c", "d"],
    ] {
        requests.extend(encode(request));
    }
    client.send(&requests).unwrap();
    let replies: Vec<Value> = (0..9).map(|_| client.receive().unwrap().value).collect();
    assert!(replies.iter().all(|reply| !matches!(reply, Value::Error(_))), "{replies:?}");
    let b = values[1].clone() + "tail";
    let a2 = format!("x{}", &values[0][1..]);
    for restarted in [false, true] {
        if restarted {
            server.kill();
            server.start();
        }
        let mut client = server.client();
        for (key, value) in [("a", &values[0]), ("b", &b), ("a2", &a2), ("d", &values[2])] {
            assert!(
                client.call(&["GET", key]).unwrap().value == Value::Bulk(value.clone().into_bytes()),
                "{key}, {restarted}"
            );
        }
        assert_eq!(client.command("GET small").text().unwrap(), "2");
    }
}

#[test]
fn nothing_is_taken_for_who_has_hung_up_while_it_waited() {
    let server = Program::ackd().start();
    let (mut operator, mut alive) = (server.client(), server.client());
    let wait = encode(&["BLPOP", "list", "0"]);
    let clients_are = |operator: &mut Client, fields: [&str; 2]| {
        let info = operator.command("INFO clients").text().unwrap();
        fields.iter().all(|field| info.contains(&format!("{field}\r\n")))
    };
    for _ in 0..10 {
        abandon(&server, &wait);
    }
    wait_until(Duration::from_secs(10), "only two are connected", || connected(&mut operator) == 2);
    // One whose connection lives on until its last reply is durable.
    assert_eq!(operator.command("DEBUG AOF-FLUSH-SLEEP 1000000"), ok());
    let mut half = server.client();
    half.send(&[encode(&["SET", "key", "value"]), wait.clone()].concat()).unwrap();
    half.finish_sending().unwrap();
    wait_until(Duration::from_secs(1), "it waits no longer", || {
        operator.command("CLIENT LIST").text().unwrap().contains("cmd=blpop")
            && clients_are(&mut operator, ["blocked_clients:0", "total_blocking_keys:0"])
    });
    alive.send(&wait).unwrap();
    wait_until(Duration::from_secs(1), "the other one waits", || {
        clients_are(&mut operator, ["blocked_clients:1", "total_blocking_keys:1"])
    });
    assert_eq!(operator.command("RPUSH list a b"), Value::Integer(2));
    assert_eq!(half.read_to_end(), (b"+OK\r\n".to_vec(), true));
    assert_eq!(alive.receive().unwrap().value.elements().unwrap()[1], Value::Bulk(b"a".to_vec()));
    assert_eq!(operator.command("LLEN list"), Value::Integer(1));
}

#[test]
fn a_wait_for_a_list_ends_by_itself_and_what_follows_goes_on() {
    let server = Program::ackd().start();
    let mut client = server.client();
    let start = Instant::now();
    client.send(&[encode(&["BLPOP", "list", "0.05"]), encode(&["PING"])].concat()).unwrap();
    assert_eq!(client.receive().unwrap().raw, b"*-1\r\n");
    assert!(start.elapsed() >= Duration::from_millis(50));
    assert_eq!(client.receive().unwrap().raw, b"+PONG\r\n");
    client.send(&[encode(&["BLPOP", "list", "0"]), encode(&["PING"])].concat()).unwrap();
    let mut other = server.client();
    assert_eq!(other.command("RPUSH list a"), Value::Integer(1));
    assert_eq!(client.receive().unwrap().raw, b"*2\r\n$4\r\nlist\r\n$1\r\na\r\n");
    assert_eq!(client.receive().unwrap().raw, b"+PONG\r\n");
}

#[test]
fn who_ends_its_half_of_the_connection_while_it_waits_gets_no_answer() {
    let server = Program::ackd().start();
    let mut client = server.client();
    client.send(&encode(&["BLPOP", "list", "0.2"])).unwrap();
    client.finish_sending().unwrap();
    assert_eq!(client.read_to_end(), (Vec::new(), true));
}
