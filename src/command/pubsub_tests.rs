//! Messages: who gets them, when they may leave, and what who listens may do.

use std::time::Duration;

use super::harness::Harness;
use crate::engine::client::ClientId;

fn text(harness: &mut Harness, id: ClientId) -> String {
    String::from_utf8_lossy(&harness.receive(id)).trim_end().replace("\r\n", " ")
}

/// A server, and a connection that listens to channel `c`.
fn with_listener(hello: &str) -> (Harness, ClientId) {
    let mut harness = Harness::new();
    let listener = harness.connect();
    harness.run_as(listener, hello);
    harness.run_as(listener, "SUBSCRIBE c");
    (harness, listener)
}

#[test]
fn a_message_goes_to_all_who_listen_in_their_protocol() {
    let (mut harness, listener) = with_listener("HELLO 2");
    let other = harness.connect();
    harness.run_as(other, "HELLO 3");
    assert_eq!(harness.run_as(other, "PSUBSCRIBE c* d"), ">3 $10 psubscribe $2 c* :1 >3 $10 psubscribe $1 d :2");
    assert_eq!(harness.run("PUBLISH c hello"), ":2");
    assert_eq!(text(&mut harness, listener), "*3 $7 message $1 c $5 hello");
    assert_eq!(text(&mut harness, other), ">4 $8 pmessage $2 c* $1 c $5 hello");
    assert_eq!(harness.run("PUBLISH e hello"), ":0");
    assert_eq!(harness.run("SPUBLISH c hello"), ":0", "sharded channels are others");
    assert_eq!(harness.run("PUBSUB NUMSUB c d"), "*4 $1 c :1 $1 d :0");
    assert_eq!(harness.run("PUBSUB NUMPAT"), ":2");
    assert_eq!(harness.effects(), "", "a message is no change");
}

#[test]
fn a_message_waits_for_all_that_its_unit_did() {
    let (mut harness, listener) = with_listener("HELLO 2");
    let writer = harness.client;
    harness.run("MULTI");
    harness.run("PUBLISH c first");
    harness.run("SET k v");
    assert_eq!(harness.run_unsynced(writer, "EXEC"), "");
    assert_eq!(text(&mut harness, listener), "");
    harness.sync();
    assert_eq!(text(&mut harness, listener), "*3 $7 message $1 c $5 first");
}

#[test]
fn a_message_waits_for_what_its_sender_wrote_before() {
    let (mut harness, listener) = with_listener("HELLO 2");
    let (writer, reader) = (harness.client, harness.connect());
    harness.run_unsynced(writer, "SET k v");
    harness.run_unsynced(writer, "PUBLISH c k");
    assert_eq!(text(&mut harness, listener), "");
    harness.sync();
    assert_eq!(text(&mut harness, listener), "*3 $7 message $1 c $1 k");
    // One that rests on nothing goes at once, also while the disk is slow.
    harness.run_unsynced(writer, "SET k w");
    assert_eq!(harness.run_unsynced(reader, "PUBLISH c free"), ":1");
    assert_eq!(text(&mut harness, listener), "*3 $7 message $1 c $4 free");
}

#[test]
fn a_message_waits_as_its_receiver_asks() {
    let (mut harness, listener) = with_listener("HELLO 3");
    harness.run_as(listener, "CLIENT DURABILITY memory");
    let writer = harness.client;
    harness.run_unsynced(writer, "SET k v");
    harness.run_unsynced(writer, "PUBLISH c k");
    assert_eq!(text(&mut harness, listener), ">3 $7 message $1 c $1 k");
}

#[test]
fn who_listens_in_resp2_may_do_little_else() {
    let (mut harness, listener) = with_listener("HELLO 2");
    assert_eq!(
        harness.run_as(listener, "GET k"),
        "-ERR Can't execute 'get': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context"
    );
    assert_eq!(harness.run_as(listener, "PING"), "*2 $4 pong $0");
    assert_eq!(harness.run_as(listener, "PING x"), "*2 $4 pong $1 x");
    assert_eq!(harness.run_as(listener, "UNSUBSCRIBE"), "*3 $11 unsubscribe $1 c :0");
    assert_eq!(harness.run_as(listener, "UNSUBSCRIBE"), "*3 $11 unsubscribe $-1 :0");
    assert_eq!(harness.run_as(listener, "GET k"), "$-1");
    harness.run_as(listener, "SSUBSCRIBE s");
    assert_eq!(harness.run_as(listener, "RESET"), "+RESET");
    assert_eq!(harness.run("PUBSUB SHARDCHANNELS"), "*0");
    let (mut harness, listener) = with_listener("HELLO 3");
    assert_eq!(harness.run_as(listener, "GET k"), "_");
    assert_eq!(harness.run_as(listener, "PING"), "+PONG");
}

#[test]
fn who_publishes_to_itself_is_answered_first() {
    let (mut harness, listener) = with_listener("HELLO 3");
    assert_eq!(harness.run_as(listener, "PUBLISH c x"), ":1 >3 $7 message $1 c $1 x");
}

#[test]
fn client_reply_silences_replies_and_no_pushes() {
    let (mut harness, listener) = with_listener("HELLO 3");
    harness.run_as(listener, "CLIENT REPLY OFF");
    assert_eq!(harness.run_as(listener, "SUBSCRIBE d"), ">3 $9 subscribe $1 d :2");
    assert_eq!(harness.run_as(listener, "PING"), "");
    harness.run("PUBLISH d x");
    assert_eq!(text(&mut harness, listener), ">3 $7 message $1 d $1 x");
    assert_eq!(harness.run_as(listener, "CLIENT REPLY ON"), "+OK");
}

#[test]
fn a_slow_listener_is_closed_before_its_messages_fill_the_memory() {
    let (mut harness, listener) = with_listener("HELLO 2");
    harness.run("CONFIG SET client-output-buffer-limit 'pubsub 10000 0 0'");
    let message = "m".repeat(3000);
    for _ in 0..10 {
        harness.run(&format!("PUBLISH c {message}"));
    }
    let client = harness.engine.clients.get(listener).unwrap();
    assert!(client.killed);
    assert!(client.output.backlog() < 14_000, "{}", client.output.backlog());
    // Others have their own limit.
    let (mut harness, listener) = with_listener("HELLO 2");
    harness.run("CONFIG SET client-output-buffer-limit 'normal 10000 0 0'");
    for _ in 0..10 {
        harness.run(&format!("PUBLISH c {message}"));
    }
    assert!(!harness.engine.clients.get(listener).unwrap().killed);
}

#[test]
fn listeners_are_shown() {
    let (mut harness, listener) = with_listener("HELLO 2");
    harness.run_as(listener, "PSUBSCRIBE a b");
    harness.run_as(listener, "SSUBSCRIBE s");
    harness.clock.advance(Duration::from_secs(1));
    let list = harness.run("CLIENT LIST TYPE pubsub");
    assert!(list.contains("flags=P db=0 sub=1 psub=2 ssub=1 multi=-1"), "{list}");
    assert_eq!(list.matches("id=").count(), 1);
    assert!(!harness.run("CLIENT LIST TYPE normal").contains(&format!("id={listener} ")));
    let info = harness.run("INFO everything");
    for field in ["pubsub_clients:1", "pubsub_channels:1", "pubsub_patterns:2", "pubsubshard_channels:1"] {
        assert!(info.contains(field), "{field}");
    }
    assert_eq!(harness.run("CLIENT KILL TYPE pubsub"), ":1");
}

#[test]
fn key_events_are_told_on_the_channels_that_are_wanted_and_wait_like_replies() {
    let mut harness = Harness::new();
    let listener = harness.connect();
    harness.run_as(listener, "PSUBSCRIBE __key*");
    harness.run("CONFIG SET notify-keyspace-events K$gx");
    let writer = harness.client;
    harness.run_unsynced(writer, "SET k v PX 10");
    assert_eq!(text(&mut harness, listener), "", "a crash could take it back");
    harness.sync();
    let told = |event: &str| format!("*4 $8 pmessage $6 __key* $16 __keyspace@0__:k ${} {event}", event.len());
    assert_eq!(text(&mut harness, listener), format!("{} {}", told("set"), told("expire")));
    harness.clock.advance(Duration::from_millis(11));
    harness.run("GET k");
    assert_eq!(text(&mut harness, listener), told("expired"));
    harness.run("LPUSH l a");
    assert_eq!(text(&mut harness, listener), "", "lists are not wanted");
    harness.run("CONFIG SET notify-keyspace-events El");
    harness.run("LPUSH l a");
    assert_eq!(text(&mut harness, listener), "*4 $8 pmessage $6 __key* $20 __keyevent@0__:lpush $1 l");
    harness.run("CONFIG SET notify-keyspace-events ''");
    harness.run("LPUSH l a");
    assert_eq!(text(&mut harness, listener), "");
}
