use super::*;
use crate::command::harness::Harness;

const INVALIDATE_A: &str = ">2 $10 invalidate *1 $1 a";

/// A server and a connection that speaks RESP3 and has given these commands.
fn server(lines: &[&str]) -> (Harness, ClientId) {
    let mut server = Harness::new();
    let reader = server.connect();
    server.run_as(reader, "HELLO 3");
    for line in lines {
        assert_eq!(server.run_as(reader, line), "+OK", "{line}");
    }
    (server, reader)
}

fn heard(server: &mut Harness, id: ClientId) -> String {
    server.sync();
    String::from_utf8_lossy(&server.receive(id)).trim_end().replace("\r\n", " ")
}

#[test]
fn who_has_read_a_key_is_told_once_that_it_changed() {
    let (mut server, reader) = server(&["CLIENT TRACKING ON"]);
    server.run_as(reader, "GET a");
    server.run_as(reader, "MGET b c");
    server.run("SET a 1");
    assert_eq!(heard(&mut server, reader), INVALIDATE_A);
    server.run("SET a 2");
    assert_eq!(heard(&mut server, reader), "");
    server.run("MSET b 1 c 1 d 1");
    assert_eq!(heard(&mut server, reader), ">2 $10 invalidate *1 $1 b >2 $10 invalidate *1 $1 c");
    assert_eq!(server.engine.tracking.counts(), [0, 0, 0]);
    server.run_as(reader, "CLIENT TRACKING OFF");
    server.run_as(reader, "GET a");
    server.run("SET a 3");
    assert_eq!(heard(&mut server, reader), "");
}

#[test]
fn nobody_is_told_of_a_change_that_a_crash_could_take_back() {
    let (mut server, reader) = server(&["CLIENT TRACKING ON"]);
    server.run_as(reader, "GET a");
    server.run_unsynced(server.client, "SET a 1");
    assert_eq!(server.receive(reader), b"");
    assert_eq!(heard(&mut server, reader), INVALIDATE_A);
}

#[test]
fn what_one_changes_itself_comes_behind_the_reply_or_not_at_all() {
    let (mut server, reader) = server(&["CLIENT TRACKING ON"]);
    server.run_as(reader, "GET a");
    assert_eq!(server.run_as(reader, "SET a 1"), format!("+OK {INVALIDATE_A}"));
    // A key that is read again behind its change is told of again.
    server.run_as(reader, "GET a");
    server.run_as(reader, "MULTI");
    server.run_as(reader, "SET a 2");
    server.run_as(reader, "GET a");
    assert_eq!(server.run_as(reader, "EXEC"), format!("*2 +OK $1 2 {INVALIDATE_A}"));
    server.run("SET a 3");
    assert_eq!(heard(&mut server, reader), INVALIDATE_A);
    server.run_as(reader, "CLIENT TRACKING ON NOLOOP");
    server.run_as(reader, "GET a");
    assert_eq!(server.run_as(reader, "SET a 4"), "+OK");
}

#[test]
fn who_opts_in_or_out_chooses_what_is_remembered() {
    let (mut server, reader) = server(&["CLIENT TRACKING ON OPTIN"]);
    server.run_as(reader, "GET a");
    server.run("SET a 1");
    assert_eq!(heard(&mut server, reader), "");
    assert_eq!(server.run_as(reader, "CLIENT CACHING YES"), "+OK");
    server.run_as(reader, "CLIENT GETNAME");
    server.run_as(reader, "GET a");
    server.run_as(reader, "GET b");
    server.run("MSET a 1 b 1");
    assert_eq!(heard(&mut server, reader), INVALIDATE_A);
    // It holds for a whole transaction.
    for line in ["CLIENT CACHING YES", "MULTI", "GET a", "GET b", "EXEC"] {
        server.run_as(reader, line);
    }
    server.run("MSET a 1 b 1");
    assert_eq!(heard(&mut server, reader), format!("{INVALIDATE_A} >2 $10 invalidate *1 $1 b"));
    assert!(server.run_as(reader, "CLIENT CACHING NO").starts_with("-ERR CLIENT CACHING NO is only valid"));
    server.run_as(reader, "CLIENT TRACKING OFF");
    server.run_as(reader, "CLIENT TRACKING ON OPTOUT");
    server.run_as(reader, "CLIENT CACHING NO");
    server.run_as(reader, "GET a");
    server.run_as(reader, "GET b");
    server.run("MSET a 1 b 1");
    assert_eq!(heard(&mut server, reader), ">2 $10 invalidate *1 $1 b");
}

#[test]
fn who_broadcasts_hears_of_all_keys_with_its_prefixes() {
    let (mut server, reader) = server(&["CLIENT TRACKING ON BCAST PREFIX user: PREFIX a"]);
    server.run("MSET b 1 user:2 1 a 1 user:1 1");
    assert_eq!(heard(&mut server, reader), format!("{INVALIDATE_A} >2 $10 invalidate *2 $6 user:1 $6 user:2"));
    assert_eq!(server.engine.tracking.counts(), [0, 0, 2]);
    assert!(
        server
            .run_as(reader, "CLIENT TRACKING ON BCAST PREFIX user:1")
            .contains("overlaps with an existing prefix 'user:'")
    );
    assert!(server.run_as(reader, "CLIENT TRACKING ON").contains("You can't switch BCAST mode"));
    assert!(server.run_as(reader, "CLIENT TRACKINGINFO").contains("$5 bcast"));
    server.run_as(reader, "RESET");
    assert_eq!(server.engine.tracking.counts(), [0, 0, 0]);
}

#[test]
fn another_connection_may_be_told_in_ones_place() {
    let mut server = Harness::new();
    let (reader, listener) = (server.connect(), server.connect());
    server.run_as(listener, "SUBSCRIBE __redis__:invalidate");
    let id = listener;
    assert_eq!(server.run_as(reader, &format!("CLIENT TRACKING ON REDIRECT {id}")), "+OK");
    assert_eq!(server.run_as(reader, "CLIENT GETREDIR"), format!(":{id}"));
    server.run_as(reader, "GET a");
    server.run("SET a 1");
    assert_eq!(heard(&mut server, listener), "*3 $7 message $20 __redis__:invalidate *1 $1 a");
    server.run("FLUSHALL");
    assert_eq!(heard(&mut server, listener), "*3 $7 message $20 __redis__:invalidate $-1");
    // When it has gone, the one that reads is told so.
    server.run_as(reader, "HELLO 3");
    server.run_as(reader, "GET a");
    server.engine.clients.remove(listener);
    server.run("SET a 2");
    assert_eq!(heard(&mut server, reader), format!(">2 $21 tracking-redir-broken :{id}"));
    assert!(server.run_as(reader, "CLIENT TRACKINGINFO").contains("broken_redirect"));
    assert!(server.run_as(reader, "CLIENT TRACKING ON REDIRECT 99").contains("does not exist"));
}

#[test]
fn what_empties_databases_evicts_or_expires_is_told_too() {
    let (mut server, reader) = server(&["CLIENT TRACKING ON"]);
    server.run_as(reader, "GET a");
    server.run("FLUSHDB");
    assert_eq!(heard(&mut server, reader), ">2 $10 invalidate _");
    server.run("SET a 1 PX 10");
    server.run_as(reader, "GET a");
    server.clock.advance(std::time::Duration::from_millis(20));
    server.engine.read_clock();
    server.run("GET a");
    assert_eq!(heard(&mut server, reader), INVALIDATE_A);
    server.engine.trial.bytes_per_key = Some(100);
    server.run("SET a 1");
    server.run_as(reader, "GET a");
    server.run("CONFIG SET maxmemory 99 maxmemory-policy allkeys-lru");
    server.run("PING");
    assert_eq!(heard(&mut server, reader), INVALIDATE_A);
    server.run_as(reader, "GET a");
    server.engine.forget_data();
    assert_eq!(heard(&mut server, reader), ">2 $10 invalidate _", "data are loaded anew");
}

#[test]
fn the_table_is_bounded_and_scripts_remember_what_they_read() {
    let (mut server, reader) = server(&["CLIENT TRACKING ON", "CONFIG SET tracking-table-max-keys 2"]);
    server.run_as(reader, "EVAL \"redis.call('GET','a') return redis.call('MGET','b','c')\" 0");
    assert_eq!(server.engine.tracking.counts()[0], 3);
    server.run("PING");
    assert_eq!(server.engine.tracking.counts()[..2], [2, 2]);
    assert_eq!(heard(&mut server, reader), INVALIDATE_A);
    server.run("PING");
    assert_eq!(heard(&mut server, reader), "");
}

#[test]
fn who_broadcasts_is_not_told_twice_of_what_it_once_read() {
    let (mut server, reader) = server(&["CLIENT TRACKING ON"]);
    let other = server.connect();
    server.run_as(other, "CLIENT TRACKING ON");
    server.run_as(reader, "GET a");
    for line in ["CLIENT TRACKING OFF", "CLIENT TRACKING ON BCAST"] {
        server.run_as(reader, line);
    }
    assert_eq!(server.run_as(reader, "SET a 1"), format!("+OK {INVALIDATE_A}"));
    assert_eq!(server.engine.tracking.counts(), [0, 0, 1]);
}

#[test]
fn who_hears_of_a_change_in_the_place_of_another_waits_at_its_own_level() {
    let mut server = Harness::new();
    let listeners = ["MEMORY", "DISK"].map(|level| {
        let (reader, listener) = (server.connect(), server.connect());
        server.run_as(listener, &format!("CLIENT DURABILITY {level}"));
        server.run_as(listener, "SUBSCRIBE __redis__:invalidate");
        server.run_as(reader, &format!("CLIENT TRACKING ON REDIRECT {listener}"));
        server.run_as(reader, "GET a");
        listener
    });
    server.run_unsynced(server.client, "SET a 1");
    let told = b"*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n*1\r\n$1\r\na\r\n";
    let heard = listeners.map(|listener| server.receive(listener));
    assert_eq!(heard, [told.to_vec(), Vec::new()]);
    server.sync();
    assert_eq!(server.receive(listeners[1]), told);
}

#[test]
fn who_broadcasts_waits_for_all_that_a_transaction_did() {
    let (mut server, reader) = server(&["CLIENT TRACKING ON BCAST"]);
    for line in ["MULTI", "SET a 1", "SET b 1"] {
        server.run(line);
    }
    server.run_unsynced(server.client, "EXEC");
    assert_eq!(server.receive(reader), b"");
    assert_eq!(heard(&mut server, reader), ">2 $10 invalidate *2 $1 a $1 b");
}

#[test]
fn a_key_that_never_changes_does_not_remember_all_who_ever_read_it() {
    let (mut server, reader) = server(&["CLIENT TRACKING ON"]);
    server.run_as(reader, "GET a");
    for _ in 0..1000 {
        let other = server.connect();
        server.run_as(other, "CLIENT TRACKING ON");
        server.run_as(other, "GET a");
        let mut gone = server.engine.clients.remove(other).unwrap();
        server.engine.tracking.disable(&mut gone);
    }
    let [keys, items, _] = server.engine.tracking.counts();
    assert!(keys == 1 && items <= 64, "{items}");
    server.run("SET a 1");
    assert_eq!(heard(&mut server, reader), INVALIDATE_A);
}
