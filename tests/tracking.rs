//! Client-side caching beside Valkey: random sessions of several connections, all of whose bytes must be equal.

#![allow(clippy::unwrap_used)]

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use support::client::{Client, encode};
use support::oracle::Oracle;
use support::process::{Program, Server};

const CONNECTIONS: usize = 4;
const KEYS: [&str; 6] = ["a", "b", "ab", "user:1", "user:2", "c"];

/// `K` is a key, `N` a connection's number.
const COMMANDS: &[&str] = &[
    "GET K",
    "GET K",
    "GET K",
    "MGET K K K",
    "EXISTS K",
    "STRLEN K",
    "TTL K",
    "TYPE K",
    "GETRANGE K 0 1",
    "DUMP nosuch",
    "LLEN K",
    "SET K 1",
    "SET K 1",
    "SET K 1 PX 1",
    "SET K 2 EX 100",
    "MSET K 1 K 2 K 3",
    "DEL K K",
    "INCR K",
    "APPEND K x",
    "EXPIRE K 100",
    "PERSIST K",
    "RENAME K K",
    "COPY K K",
    "COPY K K REPLACE",
    "GETDEL K",
    "GETSET K 5",
    "SETNX K 1",
    "LPUSH list 1",
    "RPOP list",
    "LRANGE list 0 -1",
    "SMOVE s t 1",
    "SADD s 1",
    "SUNIONSTORE t s",
    "SMEMBERS s",
    "SORT list STORE K",
    "TOUCH K",
    "OBJECT ENCODING K",
    "FLUSHDB",
    "FLUSHALL",
    "SELECT 0",
    "SELECT 1",
    "SWAPDB 0 1",
    "MOVE K 1",
    "MULTI",
    "EXEC",
    "EXEC",
    "DISCARD",
    "WATCH K",
    "PING",
    "EVAL return(redis.call('get',KEYS[1])) 1 K",
    "EVAL return(redis.call('set',KEYS[1],1)) 1 K",
    "EVAL redis.call('mget','a','b')redis.call('set','a','1')return(1) 0",
    "EVAL_RO return(redis.call('get','a')) 1 K",
    "CLIENT TRACKING ON",
    "CLIENT TRACKING ON",
    "CLIENT TRACKING ON NOLOOP",
    "CLIENT TRACKING ON OPTIN",
    "CLIENT TRACKING ON OPTOUT",
    "CLIENT TRACKING ON OPTIN NOLOOP",
    "CLIENT TRACKING ON BCAST",
    "CLIENT TRACKING ON BCAST PREFIX user: PREFIX a",
    "CLIENT TRACKING ON BCAST NOLOOP",
    "CLIENT TRACKING ON BCAST PREFIX b NOLOOP",
    "CLIENT TRACKING ON REDIRECT N",
    "CLIENT TRACKING ON BCAST REDIRECT N",
    "CLIENT TRACKING ON REDIRECT N NOLOOP",
    "CLIENT TRACKING ON REDIRECT 999999",
    "CLIENT TRACKING OFF",
    "CLIENT TRACKING OFF",
    "CLIENT TRACKING maybe",
    "CLIENT TRACKING ON PREFIX a",
    "CLIENT TRACKING ON OPTIN OPTOUT",
    "CLIENT TRACKING ON BCAST OPTIN",
    "CLIENT TRACKING ON BCAST PREFIX a PREFIX ab",
    "CLIENT CACHING YES",
    "CLIENT CACHING YES",
    "CLIENT CACHING NO",
    "CLIENT CACHING x",
    "CLIENT TRACKINGINFO",
    "CLIENT GETREDIR",
    "HELLO 2",
    "HELLO 3",
    "HELLO 3",
    "SUBSCRIBE __redis__:invalidate",
    "SUBSCRIBE other",
    "UNSUBSCRIBE other",
    "UNSUBSCRIBE __redis__:invalidate",
    "RESET",
    "CLIENT KILL ID N",
    "PUBLISH other x",
];

/// One server, its connections, and one that looks after them.
struct Side {
    connections: Vec<(TcpStream, i64)>,
    control: Client,
}

impl Side {
    fn new(server: &Server) -> Self {
        let mut control = server.client();
        for line in [
            "CLIENT NO-EVICT ON",
            "DEBUG SET-ACTIVE-EXPIRE 0",
            "FLUSHALL",
            "CONFIG SET tracking-table-max-keys 1000000",
            // So that there is always somebody who tracks: when nobody does, ackd forgets who has read what.
            "CLIENT TRACKING ON",
        ] {
            control.command(line);
        }
        let connect = |_| {
            let mut stream = TcpStream::connect(server.address()).unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            stream.write_all(&encode(&["CLIENT", "ID"])).unwrap();
            let mut reply = [0; 64];
            let len = stream.read(&mut reply).unwrap();
            let id = std::str::from_utf8(&reply[1..len - 2]).unwrap().parse().unwrap();
            (stream, id)
        };
        Self { connections: (0..CONNECTIONS).map(connect).collect(), control }
    }

    /// Gives a command and answers what each connection then receives; nothing if a connection is closed.
    fn step(&mut self, at: usize, words: &[String]) -> Vec<Option<Vec<u8>>> {
        let ids: Vec<String> = self.connections.iter().map(|(_, id)| id.to_string()).collect();
        let number =
            |word: &String| word.strip_prefix('#').map_or(word.clone(), |n| ids[n.parse::<usize>().unwrap()].clone());
        let words: Vec<String> = words.iter().map(number).collect();
        let mut received: Vec<Option<Vec<u8>>> = vec![Some(Vec::new()); CONNECTIONS];
        let (stream, _) = &mut self.connections[at];
        if stream.write_all(&encode(&words)).is_ok() {
            receive_some(stream, &mut received[at]);
        }
        // Once a later write is acknowledged, all that was to be told before is told.
        self.control.command("SET sync 1");
        self.control.command("PING");
        self.control.command("PING");
        for ((stream, _), received) in self.connections.iter_mut().zip(&mut received) {
            stream.set_nonblocking(true).unwrap();
            while received.is_some() && receive_some(stream, received) {}
            stream.set_nonblocking(false).unwrap();
            // The one field of HELLO that is ackd's own; and Valkey gives a null of RESP3 to who speaks RESP2.
            let version = concat!("$12\r\nackd_version\r\n$5\r\n", env!("CARGO_PKG_VERSION"), "\r\n");
            for (from, to) in [
                (version, ""),
                ("__redis__:invalidate\r\n_\r\n", "__redis__:invalidate\r\n$-1\r\n"),
                ("%8\r\n$6\r\nserver", "%7\r\n$6\r\nserver"),
                ("*16\r\n$6\r\nserver", "*14\r\n$6\r\nserver"),
            ] {
                if let Some(bytes) = received {
                    *bytes = replace(bytes, from.as_bytes(), to.as_bytes());
                }
            }
            // A connection is known by its place, for its number is another on each server.
            for (at, id) in ids.iter().enumerate() {
                let (from, to) = (format!(":{id}\r\n"), format!(":#{at}\r\n"));
                if let Some(bytes) = received {
                    *bytes = replace(bytes, from.as_bytes(), to.as_bytes());
                }
            }
        }
        received
    }
}

/// Reads once; answers whether there was something.
fn receive_some(stream: &mut TcpStream, received: &mut Option<Vec<u8>>) -> bool {
    let mut buffer = [0; 65536];
    match (stream.read(&mut buffer), received.as_mut()) {
        (Ok(0), _) => *received = None,
        (Ok(len), Some(bytes)) => bytes.extend_from_slice(&buffer[..len]),
        (Err(error), _) if error.kind() != std::io::ErrorKind::WouldBlock => *received = None,
        _ => return false,
    }
    received.is_some()
}

fn replace(text: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut replaced = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.windows(from.len()).position(|window| window == from) {
        replaced.extend_from_slice(&rest[..at]);
        replaced.extend_from_slice(to);
        rest = &rest[at + from.len()..];
    }
    replaced.extend_from_slice(rest);
    replaced
}

fn draw(rng: &mut fastrand::Rng) -> Vec<String> {
    let template = COMMANDS[rng.usize(..COMMANDS.len())];
    template
        .split(' ')
        .map(|word| match word {
            "K" => KEYS[rng.usize(..KEYS.len())].into(),
            "N" => format!("#{}", rng.usize(..CONNECTIONS)),
            other => other.to_owned(),
        })
        .collect()
}

#[test]
fn random_sessions_receive_the_same_as_from_valkey() {
    let Some(program) = Oracle::Valkey.program() else { return };
    let (ours, theirs) = (Program::ackd().with("appendfsync", "no").start(), program.start());
    let sessions: u64 = std::env::var("ACKD_TRACKING_SESSIONS").ok().and_then(|text| text.parse().ok()).unwrap_or(60);
    for seed in 0..sessions {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut sides = [Side::new(&ours), Side::new(&theirs)];
        let (mut done, mut in_transaction) = (Vec::new(), [false; CONNECTIONS]);
        for _ in 0..60 {
            let (at, words) = (rng.usize(..CONNECTIONS), draw(&mut rng));
            // Valkey 8.1 says otherwise what is wrong with that, and gives the transaction up.
            match words[0].as_str() {
                "MULTI" | "WATCH" if in_transaction[at] => continue,
                "MULTI" => in_transaction[at] = true,
                "EXEC" | "DISCARD" | "RESET" => in_transaction[at] = false,
                _ => {}
            }
            done.push(format!("[{at}] {}", words.join(" ")));
            let [one, two] = sides.each_mut().map(|side| side.step(at, &words));
            let shown = |received: &[Option<Vec<u8>>]| {
                let one = |bytes: &Option<Vec<u8>>| bytes.as_ref().map(|bytes| bytes.escape_ascii().to_string());
                received.iter().map(one).collect::<Vec<_>>()
            };
            assert_eq!(shown(&one), shown(&two), "seed {seed} after {done:#?}");
            if words[0] == "EXEC" || words.contains(&"PX".to_owned()) {
                std::thread::sleep(Duration::from_millis(3));
            }
        }
    }
}

#[test]
fn the_table_of_keys_stays_within_its_limit() {
    let server = Program::ackd().with("tracking-table-max-keys", "100").start();
    let (mut reader, mut operator) = (server.client(), server.client());
    reader.command("HELLO 3");
    assert_eq!(reader.command("CLIENT TRACKING ON").text().unwrap(), "OK");
    for key in 0..1000 {
        reader.send(&encode(&["GET", &format!("key:{key}")])).unwrap();
    }
    let mut told = 0;
    let mut replies = 0;
    while replies < 1000 {
        let reply = reader.receive().unwrap();
        if reply.raw.starts_with(b">") { told += 1 } else { replies += 1 }
    }
    operator.command("PING");
    let kept = support::tools::info(&mut operator, "tracking_total_keys");
    assert!(kept <= 100 && told >= 800, "{kept} keys are kept, and {told} were dropped");
    assert_eq!(support::tools::info(&mut operator, "tracking_clients"), 1);
    drop(reader);
    while support::tools::info(&mut operator, "tracking_clients") > 0 {
        std::thread::yield_now();
    }
}
