//! Tests of CLIENT and its neighbours in `client_list.rs` and `client_kill.rs`.

use std::task::Waker;
use std::time::Duration;

use crate::command::harness::Harness;
use crate::engine::client::{Blocked, BlockedOn};

#[test]
fn names_never_break_the_lines_of_client_list() {
    let mut harness = Harness::new();
    let reason = "-ERR Client names cannot contain spaces, newlines or special characters.";
    assert_eq!(harness.run("CLIENT SETNAME 'a b'"), reason);
    assert_eq!(harness.run("CLIENT SETNAME \"a\\n\""), reason);
    assert_eq!(harness.run("CLIENT SETNAME abc"), "+OK");
    assert_eq!(harness.run("CLIENT GETNAME"), "$3 abc");
    assert_eq!(harness.run("CLIENT SETNAME ''"), "+OK");
    assert_eq!(harness.run("CLIENT GETNAME"), "$-1");
    assert_eq!(harness.run("CLIENT SETINFO foo bar"), "-ERR Unrecognized option 'foo'");
    assert_eq!(
        harness.run("CLIENT SETINFO lib-name 'a b'"),
        "-ERR lib-name cannot contain spaces, newlines or special characters."
    );
    assert_eq!(harness.run("CLIENT SETINFO LIB-VER 1.2"), "+OK");
    assert!(harness.run("CLIENT INFO").contains(" lib-name= lib-ver=1.2"));
}

#[test]
fn a_line_has_the_fields_of_redis_in_its_order() {
    let mut harness = Harness::new();
    harness.run("WATCH a b");
    let line = harness.run("CLIENT INFO");
    let names: Vec<&str> = line.split(' ').skip(1).map(|field| field.split('=').next().unwrap()).collect();
    assert_eq!(
        names.join(" "),
        "id addr laddr fd name age idle flags db sub psub ssub multi qbuf qbuf-free argv-mem multi-mem rbs rbp obl \
         oll omem tot-mem events cmd user redir resp lib-name lib-ver"
    );
    assert!(line.contains(" flags=N ") && line.contains(" multi=-1 ") && line.contains(" cmd=client|info "), "{line}");
    harness.run("CLIENT NO-EVICT on");
    harness.run("CLIENT NO-TOUCH on");
    assert!(harness.run("CLIENT INFO").contains(" flags=eT "));
}

#[test]
fn client_list_shows_all_connections_by_number_whoever_asks() {
    let mut harness = Harness::new();
    let second = harness.connect();
    let third = harness.connect();
    let ids = |text: String| -> Vec<String> {
        let fields = text.split(['\n', ' ']).filter_map(|field| field.strip_prefix("id=").map(String::from));
        fields.collect()
    };
    for id in [harness.client, second, third] {
        assert_eq!(ids(harness.run_as(id, "CLIENT LIST")), ["1", "2", "3"]);
    }
    assert_eq!(ids(harness.run("CLIENT LIST ID 3 1 99")), ["3", "1"]);
    assert_eq!(ids(harness.run("CLIENT LIST TYPE normal")), ["1", "2", "3"]);
    assert_eq!(harness.run("CLIENT LIST TYPE pubsub"), "$0");
    assert_eq!(harness.run("CLIENT LIST TYPE foo"), "-ERR Unknown client type 'foo'");
    assert_eq!(harness.run("CLIENT LIST ID a"), "-ERR Invalid client ID");
    for bad in ["CLIENT LIST FOO", "CLIENT LIST ID", "CLIENT LIST TYPE", "CLIENT LIST TYPE normal ID 1"] {
        assert_eq!(harness.run(bad), "-ERR syntax error", "{bad}");
    }
}

#[test]
fn kill_ends_who_matches_all_filters() {
    let mut harness = Harness::new();
    let second = harness.connect();
    harness.engine.clients.get_mut(second).unwrap().peer.address = "1.2.3.4:5".into();
    assert_eq!(harness.run("CLIENT KILL 1.2.3.4:6"), "-ERR No such client");
    assert_eq!(harness.run("CLIENT KILL ADDR 1.2.3.4:5 ID 1"), ":0");
    assert_eq!(harness.run("CLIENT KILL ADDR 1.2.3.4:5 TYPE replica"), ":0");
    assert_eq!(harness.run("CLIENT KILL ADDR 1.2.3.4:5 MAXAGE 1000000000000"), ":0");
    assert!(!harness.engine.clients.get(second).unwrap().killed);
    assert_eq!(harness.run("CLIENT KILL ADDR 1.2.3.4:5 USER default TYPE normal"), ":1");
    assert!(harness.engine.clients.get(second).unwrap().killed);
    assert!(!harness.run("CLIENT LIST").contains("1.2.3.4:5"), "who was killed is gone at once");
    assert_eq!(harness.run("CLIENT KILL ID 1"), ":0", "the one that asks is skipped");
    assert_eq!(harness.run("CLIENT KILL ID 1 SKIPME no"), ":1");
    assert!(harness.engine.clients.get(harness.client).unwrap().close_after_reply);
}

#[test]
fn kill_says_what_is_wrong_with_a_filter() {
    let mut harness = Harness::new();
    for (command, error) in [
        ("CLIENT KILL ID a", "client-id should be greater than 0"),
        ("CLIENT KILL ID 0", "client-id should be greater than 0"),
        ("CLIENT KILL ID 9 foo", "syntax error"),
        ("CLIENT KILL ID 9 foo bar", "syntax error"),
        ("CLIENT KILL TYPE foo", "Unknown client type 'foo'"),
        ("CLIENT KILL USER foo", "No such user 'foo'"),
        ("CLIENT KILL SKIPME foo", "syntax error"),
        ("CLIENT KILL MAXAGE a", "maxage is not an integer or out of range"),
        ("CLIENT KILL MAXAGE 0", "maxage should be greater than 0"),
    ] {
        assert_eq!(harness.run(command), format!("-ERR {error}"), "{command}");
    }
}

#[test]
fn replies_that_are_off_are_not_sent() {
    let mut harness = Harness::new();
    assert_eq!(harness.run("CLIENT REPLY SKIP"), "");
    assert_eq!(harness.run("PING a"), "");
    assert_eq!(harness.run("PING b"), "$1 b");
    assert_eq!(harness.run("CLIENT REPLY OFF"), "");
    assert_eq!(harness.run("CLIENT REPLY SKIP"), "");
    assert_eq!(harness.run("PING"), "");
    assert_eq!(harness.run("PING"), "");
    assert_eq!(harness.run("CLIENT REPLY ON"), "+OK");
    assert_eq!(harness.run("PING"), "+PONG");
}

#[test]
fn the_reply_of_a_command_that_waited_is_left_out_too() {
    for (mode, next) in [("OFF", ""), ("SKIP", "$1 a")] {
        let mut harness = Harness::new();
        harness.run(&format!("CLIENT REPLY {mode}"));
        assert_eq!(harness.run("WAIT 1 1"), "");
        harness.clock.advance(Duration::from_millis(2));
        harness.engine.read_clock();
        let mut client = harness.engine.clients.take(harness.client);
        assert_eq!(super::super::blocking::check(&mut harness.engine, &mut client, Waker::noop()), None);
        assert_eq!(client.output.backlog(), 0, "{mode}");
        harness.engine.clients.put(client);
        assert_eq!(harness.run("ECHO a"), next);
    }
}

#[test]
fn replies_are_left_out_command_by_command_inside_a_transaction() {
    for (lines, replies) in [
        (&["MULTI", "PING 1", "CLIENT REPLY SKIP", "PING 2", "EXEC", "PING 3", "PING 4"][..], "*3 $1 1 $1 2 | $1 4"),
        (&["MULTI", "PING 1", "CLIENT REPLY OFF", "PING 2", "EXEC", "PING 3"], "*3 $1 1"),
        (&["MULTI", "CLIENT REPLY OFF", "PING 2", "CLIENT REPLY ON", "PING 3", "EXEC", "PING 4"], "*4 +OK $1 3 | $1 4"),
        (&["MULTI", "CLIENT REPLY SKIP", "CLIENT REPLY ON", "EXEC", "PING 3", "PING 4"], "*2 +OK | $1 4"),
        (&["CLIENT REPLY OFF", "MULTI", "PING 1", "CLIENT REPLY ON", "PING 2", "EXEC", "PING 3"], "+OK $1 2 | $1 3"),
        (&["MULTI", "CLIENT REPLY OFF", "EXEC", "MULTI", "EXEC", "EXEC", "CLIENT REPLY ON"], "*1 | +OK"),
        (&["CLIENT REPLY SKIP", "RESET", "PING 1"], "$1 1"),
    ] {
        let mut harness = Harness::new();
        let said = lines.iter().map(|line| harness.run(line));
        let said: Vec<String> = said.filter(|reply| !matches!(reply.as_str(), "" | "+QUEUED")).collect();
        let said = said.join(" | ");
        assert_eq!(said.strip_prefix("+OK | ").filter(|_| lines[0] == "MULTI").unwrap_or(&said), replies, "{lines:?}");
    }
}

#[test]
fn a_pause_is_never_shortened_or_relaxed_by_another() {
    let mut harness = Harness::new();
    assert_eq!(harness.run("CLIENT PAUSE a"), "-ERR timeout is not an integer or out of range");
    assert_eq!(harness.run("CLIENT PAUSE -1"), "-ERR timeout is negative");
    assert_eq!(harness.run("CLIENT PAUSE 9223372036854775807"), "-ERR timeout is out of range");
    assert_eq!(harness.run("CLIENT PAUSE 10 foo"), "-ERR CLIENT PAUSE mode must be WRITE or ALL");
    assert_eq!(harness.run("CLIENT PAUSE 1000 WRITE"), "+OK");
    let until_us = harness.engine.pause.unwrap().until_us;
    assert_eq!(harness.run("CLIENT PAUSE 10 WRITE"), "+OK");
    let pause = harness.engine.pause.unwrap();
    assert_eq!((pause.until_us, pause.writes_only), (until_us, true));
    assert_eq!(harness.run("CLIENT PAUSE 10"), "+OK");
    let pause = harness.engine.pause.unwrap();
    assert_eq!((pause.until_us, pause.writes_only), (until_us, false));
    assert_eq!(harness.run("CLIENT UNPAUSE"), "+OK");
    assert!(harness.engine.pause.is_none());
}

#[test]
fn a_pause_ends_when_its_time_is_up_and_no_later() {
    let mut harness = Harness::new();
    assert_eq!(harness.run("CLIENT PAUSE 100"), "+OK");
    harness.clock.advance(Duration::from_millis(99));
    harness.engine.read_clock();
    assert!(harness.engine.pause_now().is_some());
    harness.clock.advance(Duration::from_millis(1));
    assert_eq!(harness.run("PING"), "+PONG", "no timer has run");
    assert_eq!(harness.run("CLIENT PAUSE 100 WRITE"), "+OK");
    assert_eq!(harness.run("PING"), "+PONG", "what is over does not make the next one stricter");
}

#[test]
fn unblock_ends_waits_for_others_but_not_for_the_server() {
    let mut harness = Harness::new();
    let second = harness.connect();
    let block = |harness: &mut Harness, on| {
        harness.engine.clients.get_mut(second).unwrap().blocked = Some(Blocked { on, deadline_us: None });
    };
    assert_eq!(harness.run("CLIENT UNBLOCK 2"), ":0");
    block(&mut harness, BlockedOn::Shutdown { before: 0 });
    assert_eq!(harness.run("CLIENT UNBLOCK 2"), ":0");
    block(&mut harness, BlockedOn::Replicas { offset: 0, replicas: 1 });
    assert_eq!(harness.run("CLIENT UNBLOCK 2 foo"), "-ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR");
    assert_eq!(harness.run("CLIENT UNBLOCK a"), "-ERR value is not an integer or out of range");
    assert_eq!(harness.run("CLIENT UNBLOCK 2 ERROR"), ":1");
    assert!(harness.engine.clients.get(second).unwrap().blocked.is_none());
    assert_eq!(harness.receive(second), b"-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n");
}

#[test]
fn durability_names_the_level_in_force() {
    let mut harness = Harness::new();
    assert_eq!(harness.run("CLIENT DURABILITY"), "$4 disk");
    assert_eq!(harness.run("CLIENT DURABILITY memory"), "+OK");
    assert_eq!(harness.run("CLIENT DURABILITY"), "$6 memory");
    assert_eq!(harness.run("CLIENT DURABILITY tape"), "-ERR level must be MEMORY, OS or DISK");
    assert_eq!(harness.run("RESET"), "+RESET");
    assert_eq!(harness.run("CLIENT DURABILITY"), "$4 disk");
}

#[test]
fn age_counts_from_the_connection() {
    let mut harness = Harness::new();
    let now_us = harness.engine.monotonic_us();
    let client = harness.client;
    harness.engine.clients.get_mut(client).unwrap().created_us = now_us;
    harness.clock.advance(Duration::from_secs(7));
    assert!(harness.run("CLIENT INFO").contains(" age=7 "));
    assert_eq!(harness.run("CLIENT GETREDIR"), ":-1");
    assert_eq!(harness.run("CLIENT TRACKINGINFO"), "*6 $5 flags *1 $3 off $8 redirect :-1 $8 prefixes *0");
}
