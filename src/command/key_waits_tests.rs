//! Connections that wait for lists, several of them at a time.

use std::time::Duration;

use crate::command::harness::Harness;
use crate::engine::client::ClientId;

const WRONG_TYPE: &str = "-WRONGTYPE Operation against a key holding the wrong kind of value";

/// Connections that wait, by their commands.
fn waiting(server: &mut Harness, lines: &[&str]) -> Vec<ClientId> {
    lines
        .iter()
        .map(|line| {
            let client = server.connect();
            assert_eq!(server.run_as(client, line), "", "{line} waits");
            assert!(is_waiting(server, client));
            client
        })
        .collect()
}

fn is_waiting(server: &Harness, client: ClientId) -> bool {
    server.engine.clients.get(client).unwrap().blocked.is_some()
}

fn received(server: &mut Harness, client: ClientId) -> String {
    server.sync();
    String::from_utf8_lossy(&server.receive(client)).trim_end().replace("\r\n", " ")
}

fn field(server: &mut Harness, name: &str) -> String {
    let info = server.run("INFO clients");
    let at = info.find(&format!("{name}:")).unwrap() + name.len() + 1;
    info[at..].split(' ').next().unwrap().into()
}

#[test]
fn who_waits_first_is_served_first_and_the_pop_is_logged_once_as_what_it_did() {
    let mut server = Harness::new();
    let clients = waiting(&mut server, &["BLPOP l 0", "BRPOP l 0", "BLMPOP 0 2 k l RIGHT COUNT 5", "BLPOP l 0"]);
    server.effects();
    assert_eq!(server.run("RPUSH l a b c d"), ":4");
    assert_eq!(received(&mut server, clients[0]), "*2 $1 l $1 a");
    assert_eq!(received(&mut server, clients[1]), "*2 $1 l $1 d");
    assert_eq!(received(&mut server, clients[2]), "*2 $1 l *2 $1 c $1 b");
    assert!(is_waiting(&server, clients[3]), "nothing was left");
    assert_eq!(server.effects(), "SELECT 0 | RPUSH l a b c d | LPOP l | RPOP l | RPOP l 2");
    assert_eq!(field(&mut server, "blocked_clients"), "1");
    assert_eq!(field(&mut server, "total_blocking_keys"), "1");
    assert_eq!(field(&mut server, "total_blocking_keys_on_nokey"), "0");
    server.run("RPUSH l e");
    assert_eq!(received(&mut server, clients[3]), "*2 $1 l $1 e");
    assert_eq!(field(&mut server, "total_blocking_keys"), "0");
    assert_eq!(server.run("EXISTS l"), ":0");
}

#[test]
fn the_reply_of_who_is_served_waits_until_what_it_tells_is_durable() {
    let mut server = Harness::new();
    let clients = waiting(&mut server, &["BLPOP l 0"]);
    let pusher = server.client;
    assert_eq!(server.run_unsynced(pusher, "RPUSH l a"), "");
    assert_eq!(server.receive(clients[0]), b"");
    assert_eq!(received(&mut server, clients[0]), "*2 $1 l $1 a");
}

#[test]
fn a_client_takes_the_first_of_its_own_keys_that_has_something() {
    let mut server = Harness::new();
    let clients = waiting(&mut server, &["BLPOP a b c 0"]);
    server.run("MULTI");
    server.run("RPUSH c 3");
    server.run("RPUSH b 2");
    assert_eq!(server.run("EXEC"), "*2 :1 :1");
    assert_eq!(received(&mut server, clients[0]), "*2 $1 b $1 2");
    assert_eq!(server.run("LLEN c"), ":1");
}

#[test]
fn keys_are_served_in_the_order_in_which_they_became_ready() {
    let mut server = Harness::new();
    let clients = waiting(&mut server, &["BLMOVE a out LEFT RIGHT 0", "BLMOVE b out LEFT RIGHT 0"]);
    server.run("MULTI");
    for line in ["SADD a x", "DEL a", "RPUSH b 2", "RPUSH a 1"] {
        server.run(line);
    }
    server.run("EXEC");
    assert_eq!(server.run("LRANGE out 0 -1"), "*2 $1 2 $1 1");
    assert_eq!(received(&mut server, clients[0]), "$1 1");
}

#[test]
fn what_is_gone_at_the_end_of_a_transaction_was_never_there() {
    let mut server = Harness::new();
    let clients = waiting(&mut server, &["BLPOP l 0"]);
    for line in ["MULTI", "RPUSH l a", "DEL l", "EXEC"] {
        server.run(line);
    }
    assert!(is_waiting(&server, clients[0]));
    for line in ["MULTI", "RPUSH l a", "DEL l", "SET l v", "EXEC"] {
        server.run(line);
    }
    assert!(is_waiting(&server, clients[0]), "a key of another type is not what it waits for");
    server.run("DEL l");
    for line in ["MULTI", "RPUSH l a b", "LSET l 0 c", "EXEC"] {
        server.run(line);
    }
    assert_eq!(received(&mut server, clients[0]), "*2 $1 l $1 c", "it sees the state of the end");
}

#[test]
fn moves_feed_each_other_in_the_same_breath() {
    let mut server = Harness::new();
    let lines = ["BLMOVE c d LEFT LEFT 0", "BRPOPLPUSH b c 0", "BLMOVE a b LEFT LEFT 0", "BLPOP d 0"];
    let clients = waiting(&mut server, &lines);
    server.effects();
    assert_eq!(server.run("LPUSH a x"), ":1");
    for client in &clients[..3] {
        assert_eq!(received(&mut server, *client), "$1 x");
    }
    assert_eq!(received(&mut server, clients[3]), "*2 $1 d $1 x");
    assert_eq!(
        server.effects(),
        "SELECT 0 | LPUSH a x | LMOVE a b LEFT LEFT | RPOPLPUSH b c | LMOVE c d LEFT LEFT | LPOP d"
    );
    // A list that feeds itself does not spin.
    let clients = waiting(&mut server, &["BLMOVE r r LEFT RIGHT 0", "BLMOVE r r LEFT RIGHT 0"]);
    server.run("RPUSH r 1 2");
    assert_eq!(received(&mut server, clients[0]), "$1 1");
    assert_eq!(received(&mut server, clients[1]), "$1 2");
    assert_eq!(server.run("LRANGE r 0 -1"), "*2 $1 1 $1 2");
}

#[test]
fn a_target_of_another_type_fails_and_leaves_the_element_for_the_next() {
    let mut server = Harness::new();
    server.run("SET string v");
    let clients = waiting(&mut server, &["BLMOVE l string LEFT LEFT 0", "BLPOP s l 0", "BLPOP l 0"]);
    server.run("SET s v");
    server.run("RPUSH l a");
    assert_eq!(received(&mut server, clients[0]), WRONG_TYPE);
    assert_eq!(received(&mut server, clients[1]), WRONG_TYPE, "it is run anew, and meets the string first");
    assert_eq!(received(&mut server, clients[2]), "*2 $1 l $1 a");
}

#[test]
fn keys_that_come_from_elsewhere_are_ready_too() {
    for (before, line, reply) in [
        ("RPUSH from a", "RENAME from l", "*2 $1 l $1 a"),
        ("RPUSH from a", "COPY from l", "*2 $1 l $1 a"),
        ("RPUSH from a", "LMOVE from l LEFT LEFT", "*2 $1 l $1 a"),
        ("SET l v", "PING", ""),
    ] {
        let mut server = Harness::new();
        let clients = waiting(&mut server, &["BLPOP l 0"]);
        server.run(before);
        server.run(line);
        assert_eq!(received(&mut server, clients[0]), reply, "{line}");
    }
    for line in ["MOVE l 1", "SWAPDB 0 1", "COPY l l DB 1"] {
        let mut server = Harness::new();
        let client = server.connect();
        server.run_as(client, "SELECT 1");
        assert_eq!(server.run_as(client, "BLPOP l 0"), "");
        server.run("RPUSH l a");
        assert!(is_waiting(&server, client), "another database");
        server.run(line);
        assert_eq!(received(&mut server, client), "*2 $1 l $1 a", "{line}");
    }
    let mut server = Harness::new();
    let clients = waiting(&mut server, &["BLPOP l 0"]);
    server.run("RPUSH other a");
    server.run("FLUSHALL");
    assert!(is_waiting(&server, clients[0]));
}

#[test]
fn transactions_do_not_wait() {
    let mut server = Harness::new();
    server.run("MULTI");
    for line in
        ["BLPOP l 0", "BLMPOP 0 1 l LEFT", "BLMOVE l m LEFT LEFT 0", "BRPOPLPUSH l m 0", "RPUSH l a", "BRPOP l 0"]
    {
        assert_eq!(server.run(line), "+QUEUED");
    }
    assert_eq!(server.run("EXEC"), "*6 *-1 *-1 $-1 $-1 :1 *2 $1 l $1 a");
}

#[test]
fn a_wait_ends_when_its_time_is_up() {
    let mut server = Harness::new();
    let clients = waiting(&mut server, &["BLPOP l 0.0105", "BLMOVE l m LEFT LEFT 0.011", "BLPOP l 0"]);
    server.clock.advance(Duration::from_millis(10));
    for client in &clients {
        assert!(!server.check(*client));
    }
    server.clock.advance(Duration::from_millis(1));
    assert!(server.check(clients[0]) && server.check(clients[1]) && !server.check(clients[2]));
    assert_eq!(received(&mut server, clients[0]), "*-1", "parts of a millisecond count as one");
    assert_eq!(received(&mut server, clients[1]), "*-1");
    server.run("RPUSH l a b");
    assert_eq!(received(&mut server, clients[0]), "", "whose time was up gets nothing more");
    assert_eq!(received(&mut server, clients[2]), "*2 $1 l $1 a");
    assert_eq!(server.run("LLEN l"), ":1");
    for (timeout, error) in [
        ("x", "timeout is not a float or out of range"),
        ("nan", "timeout is not a float or out of range"),
        ("-1", "timeout is negative"),
        ("-inf", "timeout is negative"),
        ("inf", "timeout is out of range"),
        ("9223372036854775.807", "timeout is out of range"),
        ("9223372036854775.808", "timeout is out of range"),
    ] {
        assert_eq!(server.run(&format!("BLPOP none {timeout}")), format!("-ERR {error}"), "{timeout}");
    }
}

#[test]
fn that_there_was_nothing_is_told_when_the_reason_is_durable() {
    let mut server = Harness::new();
    let pusher = server.client;
    server.run("RPUSH l a");
    server.run_unsynced(pusher, "LPOP l");
    let waiter = server.connect();
    server.run_unsynced(waiter, "BLPOP l 0.001");
    server.clock.advance(Duration::from_millis(1));
    assert!(server.check(waiter));
    assert_eq!(server.receive(waiter), b"");
    assert_eq!(received(&mut server, waiter), "*-1");
}

#[test]
fn unblocked_and_killed_clients_get_nothing_more() {
    let mut server = Harness::new();
    let clients = waiting(&mut server, &["BLPOP l 0", "BLPOP l 0", "BLPOP l 0", "BLPOP l 0"]);
    assert_eq!(server.run(&format!("CLIENT UNBLOCK {}", clients[0])), ":1");
    assert_eq!(server.run(&format!("CLIENT UNBLOCK {} ERROR", clients[1])), ":1");
    assert_eq!(server.run(&format!("CLIENT UNBLOCK {} ERROR", clients[1])), ":0");
    assert_eq!(server.run(&format!("CLIENT KILL ID {}", clients[2])), ":1");
    server.run("RPUSH l a");
    assert_eq!(received(&mut server, clients[0]), "*-1");
    assert_eq!(received(&mut server, clients[1]), "-UNBLOCKED client unblocked via CLIENT UNBLOCK");
    assert_eq!(received(&mut server, clients[2]), "");
    assert_eq!(received(&mut server, clients[3]), "*2 $1 l $1 a");
}

#[test]
fn a_pause_holds_whom_a_transaction_has_fed() {
    let mut server = Harness::new();
    let clients = waiting(&mut server, &["BLPOP l 0"]);
    for line in ["MULTI", "CLIENT PAUSE 100 WRITE", "RPUSH l a", "EXEC"] {
        server.run(line);
    }
    assert!(is_waiting(&server, clients[0]));
    assert_eq!(server.run("LLEN l"), ":1");
    server.clock.advance(Duration::from_millis(100));
    assert_eq!(server.run("LPOP l"), "$-1", "who waited comes first");
    assert_eq!(received(&mut server, clients[0]), "*2 $1 l $1 a");
}

#[test]
fn a_command_that_waited_counts_when_it_is_over() {
    let mut server = Harness::new();
    let clients = waiting(&mut server, &["BLPOP l 0", "BLPOP l 0"]);
    assert!(!server.run("INFO commandstats").contains("cmdstat_blpop"));
    server.run("RPUSH l a");
    assert!(server.run("INFO commandstats").contains("cmdstat_blpop:calls=1,"));
    server.run(&format!("CLIENT UNBLOCK {} ERROR", clients[1]));
    let stats = server.run("INFO commandstats");
    assert!(stats.contains("cmdstat_blpop:calls=2,") && stats.contains("failed_calls=1"), "{stats}");
    assert!(server.run("INFO errorstats").contains("errorstat_UNBLOCKED:count=1"));
}

#[test]
fn what_a_served_connection_changes_is_seen_by_the_watch_of_the_one_that_fed_it() {
    let mut server = Harness::new();
    waiting(&mut server, &["BLMOVE src dst LEFT LEFT 0"]);
    server.run("WATCH dst");
    assert_eq!(server.run("RPUSH src a"), ":1");
    server.run("MULTI");
    server.run("SET won yes");
    assert_eq!(server.run("EXEC"), "*-1");
    assert_eq!(server.run("EXISTS won"), ":0");
}

#[test]
fn nobody_is_served_what_the_log_has_no_room_for_until_it_has() {
    let mut server = Harness::new();
    let destination = "d".repeat(20_000);
    let waits = format!("BLMOVE src {destination} LEFT LEFT 0");
    let clients = waiting(&mut server, &[&waits, "BLPOP other 0"]);
    server.effects();
    server.engine.admission.set_room(18_000);
    assert_eq!(server.run("RPUSH src a"), ":1");
    assert!(is_waiting(&server, clients[0]));
    assert_eq!(server.run("LRANGE src 0 -1"), "*1 $1 a", "reads go on");
    assert_eq!(server.effects(), "SELECT 0 | RPUSH src a");
    server.engine.admission.set_room(u64::MAX >> 1);
    assert_eq!(server.run("PING"), "+PONG");
    assert_eq!(received(&mut server, clients[0]), "$1 a");
    assert_eq!(server.effects(), format!("SELECT 0 | LMOVE src {destination} LEFT LEFT"));
    assert!(is_waiting(&server, clients[1]));
}

#[test]
fn who_is_unblocked_by_a_transaction_hears_of_it_when_all_of_it_is_durable() {
    for place in 0..2 {
        let mut server = Harness::new();
        let clients = waiting(&mut server, &["BLPOP l 0"]);
        let mut lines = vec!["SET k v".to_string()];
        lines.insert(place, format!("CLIENT UNBLOCK {}", clients[0]));
        lines.push(format!("CLIENT UNBLOCK {}", clients[0]));
        server.run("MULTI");
        lines.iter().for_each(|line| _ = server.run(line));
        assert_eq!(server.run_unsynced(server.client, "EXEC"), "");
        assert!(server.receive(clients[0]).is_empty(), "UNBLOCK at {place} was told too early");
        assert_eq!(received(&mut server, clients[0]), "*-1");
        let reply = server.receive(server.client);
        let expected = ["*3\r\n:1\r\n+OK\r\n:0\r\n", "*3\r\n+OK\r\n:1\r\n:0\r\n"][place];
        assert_eq!(String::from_utf8(reply).unwrap(), expected);
    }
}
