//! MIGRATE: to ackd and to other servers, and to targets that do not what they should.
#![allow(clippy::unwrap_used)]

mod support;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use support::client::{Client, encode};
use support::contents::{Contents, Data, assert_same, read};
use support::oracle::Oracle;
use support::population::Population;
use support::process::{Program, Server};
use support::reply::Value;

const ORACLES: [Oracle; 3] = [Oracle::Redis7, Oracle::Valkey, Oracle::Redis8];

fn ackd() -> Server {
    Program::ackd().with("ackd-self-check", "yes").start()
}

fn ok() -> Value {
    Value::Simple(b"OK".to_vec())
}

fn error(text: &str) -> Value {
    Value::Error(text.as_bytes().to_vec())
}

/// MIGRATE with KEYS.
fn migrate(port: u16, database: u64, options: &str, keys: &[&[u8]]) -> Vec<Vec<u8>> {
    let line = format!("MIGRATE 127.0.0.1 {port} {{}} {database} 5000 {options} KEYS");
    let words = line.split_whitespace().map(|word| if word == "{}" { Vec::new() } else { word.as_bytes().to_vec() });
    words.chain(keys.iter().map(|key| key.to_vec())).collect()
}

// ---- Real targets ----

/// Values beyond all thresholds; the string takes many writes.
fn add_large_values(client: &mut Client) {
    client.command("SELECT 0");
    let noise: Vec<u8> = std::iter::repeat_with(|| fastrand::u8(..)).take(3_000_000).collect();
    assert_eq!(client.call(&[&b"SET"[..], b"large string", &noise]).unwrap().value, ok());
    client.call(&[&b"SET"[..], b"large and alike", &vec![b'x'; 2_000_000]]).unwrap();
    for (command, key) in
        [("RPUSH", "large list"), ("SADD", "large set"), ("HSET", "large hash"), ("ZADD", "large zset")]
    {
        let elements = (0..5000).flat_map(|n| match command {
            "HSET" => vec![format!("field {n}"), format!("value {n}")],
            "ZADD" => vec![format!("{n}"), format!("member {n}")],
            _ => vec![format!("element {n}")],
        });
        let words: Vec<String> = [command.to_owned(), key.to_owned()].into_iter().chain(elements).collect();
        assert!(!client.call(&words).unwrap().value.is_error());
    }
    client.call(&["PEXPIRE", "large list", "100000000"]).unwrap();
}

/// The time that a key has left is sent, so that its end shifts a little.
fn with_expiries_of(mut moved: Contents, sent: &Contents) -> Contents {
    for (database, keys) in &mut moved.databases {
        for (key, item) in keys {
            let before = sent.databases.get(database).and_then(|keys| keys.get(key)).and_then(|item| item.expires_at);
            if let (Some(before), Some(after)) = (before, item.expires_at) {
                assert!((before - after).abs() < 20_000, "{key:?}: {before} {after}");
                item.expires_at = Some(before);
            }
        }
    }
    moved
}

fn everything_moves(target: &Program, field_expiries: bool, is_too_new: impl Fn(&Data) -> bool) {
    let (mut source, target) = (ackd(), target.start());
    let (mut ours, mut theirs) = (source.client(), target.client());
    Population { field_expiries, ..Population::new(31, 400) }.fill(&mut ours);
    add_large_values(&mut ours);
    let mut sent = read(&mut ours);
    sent.functions.clear();
    let (mut moved, mut kept) = (sent.clone(), sent.clone());
    for keys in moved.databases.values_mut() {
        keys.retain(|_, item| !is_too_new(&item.data));
    }
    for keys in kept.databases.values_mut() {
        keys.retain(|_, item| is_too_new(&item.data));
    }
    moved.databases.retain(|_, keys| !keys.is_empty());
    kept.databases.retain(|_, keys| !keys.is_empty());
    for (database, keys) in &sent.databases {
        ours.command(&format!("SELECT {database}"));
        let names: Vec<&[u8]> = keys.keys().map(Vec::as_slice).chain([&b"no such key"[..]]).collect();
        let copied = ours.call(&migrate(target.port(), *database, "COPY", &names)).unwrap().value;
        let reply = ours.call(&migrate(target.port(), *database, "REPLACE", &names)).unwrap().value;
        if kept.databases.contains_key(database) {
            let text = reply.text().unwrap();
            assert!(text.ends_with("DUMP payload version or checksum are wrong"), "{reply}");
        } else {
            assert_eq!((copied, reply), (ok(), ok()));
        }
    }
    assert_same(&moved, &with_expiries_of(read(&mut theirs), &sent), "at the target");
    assert_same(&kept, &read(&mut ours), "still at the source");
    source.kill();
    source.start();
    assert_same(&kept, &read(&mut source.client()), "at the source after a restart");
}

#[test]
fn keys_of_every_kind_move_to_ackd() {
    everything_moves(&Program::ackd().with("ackd-self-check", "yes"), true, |_| false);
}

#[test]
fn keys_of_every_kind_move_to_other_servers() {
    for oracle in ORACLES {
        let Some(program) = oracle.program() else { continue };
        // When consumers were active is more than version 10 of the format can say.
        everything_moves(&program, oracle == Oracle::Redis8, |data| {
            oracle == Oracle::Redis7
                && matches!(data, Data::Stream(stream) if stream.groups.values().any(|group| !group.consumers.is_empty()))
        });
    }
}

#[test]
fn options_errors_and_what_is_left_are_those_of_redis() {
    for oracle in ORACLES {
        let Some(program) = oracle.program() else { continue };
        let secured = program.clone().with("requirepass", "secret");
        let sources = [program.start(), ackd()];
        let targets = [program.start(), program.start()];
        let secrets = [secured.start(), secured.start()];
        let mut clients = sources.each_ref().map(Server::client);
        let mut open = targets.each_ref().map(Server::client);
        let mut closed = secrets.each_ref().map(Server::client);
        for client in &mut closed {
            assert_eq!(client.command("AUTH secret"), ok());
        }
        for line in [
            "MIGRATE 127.0.0.1 PORT k 0",
            "MIGRATE 127.0.0.1 PORT k 0 x",
            "MIGRATE 127.0.0.1 PORT k x 1000",
            "MIGRATE 127.0.0.1 PORT k 9223372036854775808 1000",
            "MIGRATE 127.0.0.1 PORT k x 1000 FOO",
            "MIGRATE 127.0.0.1 PORT k 0 1000 AUTH",
            "MIGRATE 127.0.0.1 PORT k 0 1000 AUTH2 a",
            "MIGRATE 127.0.0.1 PORT k x 1000 KEYS a",
            "MIGRATE 127.0.0.1 PORT \"\" x 1000 KEYS a",
            "MIGRATE 127.0.0.1 PORT \"\" 0 1000 KEYS",
            "MIGRATE 127.0.0.1 PORT \"\" 0 1000 keys none",
            "MIGRATE 127.0.0.1 PORT none 0 1000",
            "MIGRATE 127.0.0.1 PORT \"\" 0 1000",
            "MIGRATE 127.0.0.1 1 a 0 1000",
            "MIGRATE 127.0.0.1 x a 0 1000",
            "MIGRATE \"\" PORT a 0 1000",
            "MIGRATE 127.0.0.1 PORT a 0 1000",
            "MIGRATE 127.0.0.1 PORT a 0 0 copy",
            "MIGRATE 127.0.0.1 PORT a 0 -1 copy REPLACE",
            "MIGRATE 127.0.0.1 PORT a 7 1000 COPY COPY",
            "MIGRATE 127.0.0.1 PORT busy 0 1000",
            "MIGRATE 127.0.0.1 PORT busy 0 1000 REPLACE",
            "MIGRATE 127.0.0.1 PORT \"\" 0 1000 KEYS a busy none b",
            "MIGRATE 127.0.0.1 PORT \"\" 0 1000 REPLACE KEYS a busy none b",
            "MIGRATE 127.0.0.1 PORT \"\" 0 1000 KEYS a b a",
            "MIGRATE 127.0.0.1 PORT \"\" 0 1000 REPLACE KEYS a b a",
            "MIGRATE 127.0.0.1 PORT \"\" 0 1000 COPY REPLACE KEYS a b a",
            "MIGRATE 127.0.0.1 PORT gone 0 1000",
            "MIGRATE 127.0.0.1 SECRET a 0 1000",
            "MIGRATE 127.0.0.1 SECRET a 0 1000 AUTH wrong",
            "MIGRATE 127.0.0.1 SECRET a 0 1000 AUTH2 default wrong",
            "MIGRATE 127.0.0.1 SECRET a 0 1000 AUTH2 nobody secret",
            "MIGRATE 127.0.0.1 SECRET \"\" 0 1000 AUTH KEYS KEYS a b",
            // From here on Redis has a connection that it keeps, and that has given the password.
            "MIGRATE 127.0.0.1 SECRET a 0 1000 AUTH secret",
            "MIGRATE 127.0.0.1 SECRET a 3 1000 AUTH2 default secret",
            "MIGRATE 127.0.0.1 SECRET a 0 1000 AUTH2 default x AUTH secret",
            "MIGRATE 127.0.0.1 SECRET \"\" 0 1000 AUTH secret KEYS a b",
        ] {
            let mut seen = Vec::new();
            for at in 0..2 {
                let setup = [&mut open[at], &mut closed[at]];
                for client in setup {
                    client.command("FLUSHALL");
                    client.command("SET busy there");
                }
                let client = &mut clients[at];
                client.command("FLUSHALL");
                client.command("MSET a 1 b 2 busy here gone x");
                client.command("PEXPIRE gone 1");
                std::thread::sleep(Duration::from_millis(3));
                let words: Vec<String> = line
                    .split(' ')
                    .map(|word| match word {
                        "PORT" => targets[at].port().to_string(),
                        "SECRET" => secrets[at].port().to_string(),
                        "\"\"" => String::new(),
                        word => word.to_owned(),
                    })
                    .collect();
                let reply = client.call(&words).unwrap().value;
                let left = ["a", "b", "busy", "gone"].map(|key| client.command(&format!("GET {key}")));
                let mut there = Vec::new();
                for client in [&mut open[at], &mut closed[at]] {
                    for database in [0, 3, 7] {
                        client.command(&format!("SELECT {database}"));
                        there.extend(["a", "b", "busy", "gone"].map(|key| client.command(&format!("GET {key}"))));
                    }
                    client.command("SELECT 0");
                }
                seen.push((reply, left, there));
            }
            assert_eq!(seen[0], seen[1], "{oracle:?}: {line}");
        }
    }
}

#[test]
fn what_the_target_refuses_before_the_keys_leaves_it_untouched() {
    let (source, target) = (ackd(), ackd());
    let (mut ours, mut theirs) = (source.client(), target.client());
    ours.command("SET k v");
    theirs.command("SET k theirs");
    for (line, refusal) in [
        ("99 1000 REPLACE", "ERR DB index is out of range"),
        ("-1 1000 REPLACE", "ERR DB index is out of range"),
        (
            "0 1000 REPLACE AUTH x",
            "ERR AUTH <password> called without any password configured for the default user. Are you sure your \
             configuration is correct?",
        ),
    ] {
        let reply = ours.command(&format!("MIGRATE 127.0.0.1 {} k {line}", target.port()));
        assert_eq!(reply, error(&format!("ERR Target instance replied with error: {refusal}")), "{line}");
        assert_eq!(theirs.command("GET k"), Value::Bulk(b"theirs".to_vec()), "Redis would have overwritten it");
    }
    assert_eq!(ours.command("GET k"), Value::Bulk(b"v".to_vec()));
}

#[test]
fn a_server_moves_keys_to_another_database_of_its_own_but_not_onto_themselves() {
    let server = ackd();
    let mut client = server.client();
    client.command("SET k v");
    let port = server.port();
    let reply = client.command(&format!("MIGRATE 127.0.0.1 {port} k 0 1000 REPLACE"));
    assert_eq!(reply, error("ERR the target of MIGRATE is this very server and database: nothing was deleted"));
    assert_eq!(client.command("GET k"), Value::Bulk(b"v".to_vec()));
    assert_eq!(client.command(&format!("MIGRATE 127.0.0.1 {port} k 1 1000")), ok());
    assert_eq!(client.command("GET k"), Value::NullBulk);
    client.command("SELECT 1");
    assert_eq!(client.command("GET k"), Value::Bulk(b"v".to_vec()));
}

#[test]
fn in_a_transaction_it_is_refused_and_the_transaction_with_it() {
    let server = ackd();
    let mut client = server.client();
    client.command("MULTI");
    client.command("SET k v");
    let reply = client.command("MIGRATE 127.0.0.1 1 k 0 1000");
    assert_eq!(reply, error("ERR MIGRATE waits for another server, which it cannot do inside a transaction"));
    assert!(client.command("EXEC").is_error());
    assert_eq!(client.command("GET k"), Value::NullBulk);
}

// ---- Targets played by the test ----

/// A target that does what the test says.
struct Played {
    listener: TcpListener,
}

impl Played {
    fn new() -> Self {
        Self { listener: TcpListener::bind("127.0.0.1:0").unwrap() }
    }

    fn port(&self) -> u16 {
        self.listener.local_addr().unwrap().port()
    }

    /// Lets the source in, and says OK to SELECT.
    fn selected(&self) -> TcpStream {
        let (mut stream, _) = self.listener.accept().unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        read_until(&mut stream, b"SELECT\r\n$1\r\n0\r\n");
        stream.write_all(b"+OK\r\n").unwrap();
        stream
    }
}

/// Reads until this has come.
fn read_until(stream: &mut TcpStream, end: &[u8]) {
    let (mut received, mut chunk) = (Vec::new(), [0; 65536]);
    while !received.windows(end.len()).any(|window| window == end) {
        let count = stream.read(&mut chunk).unwrap();
        assert!(count > 0, "the source has gone: {}", received.escape_ascii());
        received.extend_from_slice(&chunk[..count]);
    }
}

/// The source has closed its end.
fn is_closed(stream: &mut TcpStream) -> bool {
    let mut chunk = [0; 65536];
    loop {
        match stream.read(&mut chunk) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) => return error.kind() == std::io::ErrorKind::ConnectionReset,
        }
    }
}

/// A source with `a`, `b` and `c`.
fn source() -> (Server, Client) {
    let server = ackd();
    let mut client = server.client();
    client.command("MSET a 1 b 2 c 3");
    (server, client)
}

fn keys(server: &Server) -> Vec<String> {
    let reply = server.client().command("KEYS *");
    let mut keys: Vec<String> = reply.elements().unwrap().iter().map(|key| key.text().unwrap()).collect();
    keys.sort();
    keys
}

fn abc(port: u16, timeout: u64) -> Vec<u8> {
    let (port, timeout) = (port.to_string(), timeout.to_string());
    encode(&["MIGRATE", "127.0.0.1", &port, "", "0", &timeout, "KEYS", "a", "b", "c"])
}

#[test]
fn a_target_that_says_nothing_times_out_and_others_are_served_meanwhile() {
    let (server, mut client) = source();
    let played = Played::new();
    for greets in [false, true] {
        let begun = Instant::now();
        client.send(&abc(played.port(), 700)).unwrap();
        let stream = if greets { played.selected() } else { played.listener.accept().unwrap().0 };
        let mut other = server.client();
        let mut served = 0;
        while begun.elapsed() < Duration::from_millis(500) {
            assert_eq!(other.command("PING"), Value::Simple(b"PONG".to_vec()));
            served += 1;
        }
        assert!(served > 10, "stalled, one would be answered, when the time is up: {served}");
        let reply = client.receive().unwrap().value;
        assert_eq!(reply, error("IOERR error or timeout reading to target instance"));
        assert!(begun.elapsed() >= Duration::from_millis(700) && begun.elapsed() < Duration::from_secs(10));
        assert_eq!(keys(&server), ["a", "b", "c"]);
        drop(stream);
    }
    assert_eq!(client.command("PING"), Value::Simple(b"PONG".to_vec()));
}

#[test]
fn a_target_that_is_slow_byte_by_byte_times_out_too() {
    let (server, mut client) = source();
    let played = Played::new();
    let begun = Instant::now();
    client.send(&abc(played.port(), 500)).unwrap();
    let mut stream = played.selected();
    while stream.write_all(b"-").is_ok() && begun.elapsed() < Duration::from_secs(10) {
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(client.receive().unwrap().value, error("IOERR error or timeout reading to target instance"));
    assert!(begun.elapsed() < Duration::from_secs(10));
    assert_eq!(keys(&server), ["a", "b", "c"]);
}

#[test]
fn only_what_was_acknowledged_before_the_end_is_deleted() {
    for (answers, reply, left) in [
        ("", "IOERR error or timeout reading to target instance", &["a", "b", "c"][..]),
        ("+O", "IOERR error or timeout reading to target instance", &["a", "b", "c"]),
        ("+OK\r\n", "IOERR error or timeout reading to target instance", &["b", "c"]),
        ("-BUSYKEY x\r\n+OK\r\n", "ERR Target instance replied with error: BUSYKEY x", &["a", "c"]),
        ("+OK\r\n+OK\r\n-OOM y\r\n", "ERR Target instance replied with error: OOM y", &["c"]),
        ("hello\r\n+OK\r\n", "IOERR target instance replied with something that is no answer: hello", &["a", "b", "c"]),
        ("+OK\r\n:1\r\n+OK\r\n", "IOERR target instance replied with something that is no answer: :1", &["b", "c"]),
        ("+OK\r\n+QUEUED\r\n", "IOERR target instance replied with something that is no answer: +QUEUED", &["b", "c"]),
        ("\r\n", "IOERR target instance replied with something that is no answer: ", &["a", "b", "c"]),
    ] {
        let (mut server, mut client) = source();
        let played = Played::new();
        client.send(&abc(played.port(), 5000)).unwrap();
        let mut stream = played.selected();
        read_until(&mut stream, b"RESTORE\r\n$1\r\nc\r\n");
        stream.write_all(answers.as_bytes()).unwrap();
        drop(stream);
        assert_eq!(client.receive().unwrap().value, error(reply), "{answers:?}");
        assert_eq!(keys(&server), left, "{answers:?}");
        server.kill();
        server.start();
        assert_eq!(keys(&server), left, "{answers:?} after a restart");
    }
}

#[test]
fn an_endless_answer_is_none() {
    let (server, mut client) = source();
    let played = Played::new();
    client.send(&abc(played.port(), 5000)).unwrap();
    let mut stream = played.selected();
    while stream.write_all(&[b'+'; 4096]).is_ok() {}
    let reply = client.receive().unwrap().value.text().unwrap();
    assert!(reply.starts_with("IOERR target instance replied with something that is no answer: ++++"), "{reply}");
    assert!(reply.len() < 300);
    assert_eq!(keys(&server), ["a", "b", "c"]);
}

#[test]
fn an_answer_before_the_key_was_sent_deletes_nothing() {
    let server = ackd();
    let mut client = server.client();
    let noise: Vec<u8> = std::iter::repeat_with(|| fastrand::u8(..)).take(64 << 20).collect();
    client.call(&[&b"SET"[..], b"large", &noise]).unwrap();
    let played = Played::new();
    client.send(&encode(&["MIGRATE", "127.0.0.1", &played.port().to_string(), "large", "0", "5000"])).unwrap();
    let mut stream = played.selected();
    stream.write_all(b"+OK\r\n").unwrap();
    let reply = client.receive().unwrap().value;
    assert_eq!(reply, error("IOERR target instance replied with something that is no answer: +OK"));
    assert_eq!(client.command("STRLEN large"), Value::Integer(64 << 20));
}

#[test]
fn a_large_value_for_a_target_that_reads_nothing_stalls_nobody() {
    let server = ackd();
    let mut client = server.client();
    let noise: Vec<u8> = std::iter::repeat_with(|| fastrand::u8(..)).take(32 << 20).collect();
    client.call(&[&b"SET"[..], b"large", &noise]).unwrap();
    let played = Played::new();
    client.send(&encode(&["MIGRATE", "127.0.0.1", &played.port().to_string(), "large", "0", "1000"])).unwrap();
    let stream = played.selected();
    let mut other = server.client();
    for _ in 0..20 {
        assert_eq!(other.command("SET other x"), ok());
    }
    assert_eq!(client.receive().unwrap().value, error("IOERR error or timeout writing to target instance"));
    drop(stream);
    assert_eq!(client.command("STRLEN large"), Value::Integer(32 << 20));
}

#[test]
fn a_key_that_was_changed_meanwhile_stays() {
    let (mut server, mut client) = source();
    let played = Played::new();
    client.send(&abc(played.port(), 5000)).unwrap();
    let mut stream = played.selected();
    read_until(&mut stream, b"RESTORE\r\n$1\r\nc\r\n");
    assert_eq!(server.client().command("APPEND b x"), Value::Integer(2));
    stream.write_all(b"+OK\r\n+OK\r\n+OK\r\n").unwrap();
    let text = "ERR the key 'b' was changed while it was migrated: it is on the target as it was, and still here";
    assert_eq!(client.receive().unwrap().value, error(text));
    assert_eq!(keys(&server), ["b"]);
    server.kill();
    server.start();
    assert_eq!(keys(&server), ["b"]);
    assert_eq!(server.client().command("GET b"), Value::Bulk(b"2x".to_vec()));
}

#[test]
fn nothing_leaves_that_a_crash_could_take_back() {
    let (server, mut client) = source();
    let played = Played::new();
    const DELAY: Duration = Duration::from_millis(600);
    assert_eq!(client.command(&format!("DEBUG AOF-FLUSH-SLEEP {}", DELAY.as_micros())), ok());
    let mut writer = server.client();
    let begun = Instant::now();
    writer.send(&encode(&["SET", "a", "not yet durable"])).unwrap();
    let mut other = server.client();
    other.command("CLIENT DURABILITY memory");
    while other.command("GET a") != Value::Bulk(b"not yet durable".to_vec()) {}
    client.send(&abc(played.port(), 5000)).unwrap();
    let mut stream = played.selected();
    assert!(begun.elapsed() >= DELAY, "{:?}", begun.elapsed());
    read_until(&mut stream, b"RESTORE\r\n$1\r\nc\r\n");
    stream.write_all(b"+OK\r\n+OK\r\n+OK\r\n").unwrap();
    assert_eq!(client.receive().unwrap().value, ok());
    assert!(begun.elapsed() >= 2 * DELAY, "nor is the deletion acknowledged before it is durable");
}

#[test]
fn when_its_client_goes_the_target_is_left_and_nothing_is_deleted() {
    for kills in [false, true] {
        let (server, mut client) = source();
        let id = client.command("CLIENT ID").integer().unwrap();
        let played = Played::new();
        client.send(&abc(played.port(), 20_000)).unwrap();
        let mut stream = played.selected();
        read_until(&mut stream, b"RESTORE\r\n$1\r\nc\r\n");
        if kills {
            assert_eq!(server.client().command(&format!("CLIENT KILL ID {id}")), Value::Integer(1));
        } else {
            drop(client);
        }
        assert!(is_closed(&mut stream));
        assert_eq!(keys(&server), ["a", "b", "c"]);
    }
}

#[test]
fn a_reload_meanwhile_and_a_pause_hold_it_back_and_a_shutdown_ends_it() {
    let (mut server, mut client) = source();
    let played = Played::new();
    client.send(&abc(played.port(), 20_000)).unwrap();
    let mut stream = played.selected();
    read_until(&mut stream, b"RESTORE\r\n$1\r\nc\r\n");
    let mut other = server.client();
    stream.write_all(b"+OK\r\n").unwrap();
    assert_eq!(other.command("DEBUG RELOAD"), ok());
    assert_eq!(other.command("CLIENT PAUSE 20000 WRITE"), ok());
    stream.write_all(b"+OK\r\n+OK\r\n").unwrap();
    client.set_timeout(Duration::from_millis(200)).unwrap();
    assert!(client.receive().is_err(), "during a pause nothing is written");
    assert_eq!(keys(&server), ["a", "b", "c"]);
    assert_eq!(other.command("CLIENT UNPAUSE"), ok());
    client.set_timeout(Duration::from_secs(20)).unwrap();
    assert_eq!(client.receive().unwrap().value, ok());
    assert_eq!(keys(&server), [""; 0]);

    client.command("MSET a 1 b 2 c 3");
    client.send(&abc(played.port(), 20_000)).unwrap();
    let mut stream = played.selected();
    read_until(&mut stream, b"RESTORE\r\n$1\r\nc\r\n");
    other.send(&encode(&["SHUTDOWN"])).unwrap();
    assert!(server.wait_for_exit(Duration::from_secs(20)).success());
    assert!(is_closed(&mut stream));
    server.start();
    assert_eq!(keys(&server), ["a", "b", "c"]);
}
