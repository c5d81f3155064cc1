//! What MIGRATE asks for and does, with the other server played by the test.

use std::time::Duration;

use super::{Outcome, Stage, Trouble, finish};
use crate::command::harness::Harness;
use crate::engine::migration::Errand;

const LINE: &str = "MIGRATE host 6379 \"\" 3 500 KEYS a b c";

/// Runs it, and takes what it wants to be sent.
fn begin(server: &mut Harness, line: &str) -> Errand {
    assert_eq!(server.run(line), "");
    let migration = server.engine.clients.get_mut(server.client).unwrap().migration.as_mut().unwrap();
    match std::mem::replace(&mut migration.stage, Stage::UnderWay) {
        Stage::Asked(errand) => errand,
        _ => panic!("nobody has begun it"),
    }
}

/// The target has said this of the keys. Answers the reply, if the command could be ended.
fn end(server: &mut Harness, taken: &[bool], trouble: Option<Trouble>) -> Option<String> {
    let outcome = Outcome { taken: taken.to_vec(), trouble, ..Outcome::default() };
    let mut client = server.engine.clients.take(server.client);
    client.migration.as_mut().unwrap().stage = Stage::Over(outcome);
    let ended = finish(&mut server.engine, &mut client, std::task::Waker::noop());
    server.engine.clients.put(client);
    server.sync();
    let reply = server.receive(server.client);
    ended.then(|| String::from_utf8(reply).unwrap().trim_end().to_owned())
}

fn text(errand: Errand) -> String {
    let mut text = String::new();
    for requests in [errand.opening, errand.restores] {
        for part in requests.into_parts().0 {
            text.push_str(&String::from_utf8_lossy(&part).replace("\r\n", " "));
        }
    }
    text
}

fn with_keys() -> Harness {
    let mut server = Harness::new();
    server.run("MSET a 1 b 2 c 3");
    server.effects();
    server
}

#[test]
fn keys_are_sent_as_restore_with_the_time_they_have_left() {
    let mut server = with_keys();
    server.run("PEXPIRE b 5000");
    server.run("PEXPIRE c 10");
    server.clock.advance(Duration::from_millis(10));
    let errand = begin(&mut server, "MIGRATE host 6379 \"\" 3 0 REPLACE AUTH2 me secret KEYS a b c d");
    assert_eq!((errand.host.as_slice(), errand.port, errand.timeout), (&b"host"[..], 6379, Duration::from_secs(1)));
    let text = text(errand);
    assert!(text.starts_with("*3 $4 AUTH $2 me $6 secret *2 $6 SELECT $1 3 *5 $7 RESTORE $1 a $1 0 $13 "), "{text}");
    assert!(text.contains("*5 $7 RESTORE $1 b $4 4990 $13 "), "{text}");
    assert!(text.ends_with(" $7 REPLACE ") && !text.contains("$1 c"), "{text}");
    assert_eq!(server.effects(), "SELECT 0 | PEXPIREAT b 1700000005000 | PEXPIREAT c 1700000000010 | DEL c");
}

#[test]
fn only_what_the_target_has_is_deleted_and_the_first_trouble_is_told() {
    for (taken, trouble, reply, effects) in [
        (&[true, true, true][..], None, "+OK", "SELECT 0 | DEL a b c"),
        (&[], Some(Trouble::Connecting), "-IOERR error or timeout connecting to the client", ""),
        (&[], Some(Trouble::Writing), "-IOERR error or timeout writing to target instance", ""),
        (&[true], Some(Trouble::Reading), "-IOERR error or timeout reading to target instance", "SELECT 0 | DEL a"),
        (
            &[true, false, true],
            Some(Trouble::Refused(b"BUSYKEY x".to_vec())),
            "-ERR Target instance replied with error: BUSYKEY x",
            "SELECT 0 | DEL a c",
        ),
        (
            &[false],
            Some(Trouble::Nonsense(b"\x01".to_vec())),
            "-IOERR target instance replied with something that is no answer: \\x01",
            "",
        ),
    ] {
        let mut server = with_keys();
        begin(&mut server, LINE);
        assert_eq!(end(&mut server, taken, trouble).as_deref(), Some(reply));
        assert_eq!(server.effects(), effects, "{reply}");
    }
}

#[test]
fn what_was_changed_meanwhile_stays() {
    for (line, expected) in [
        ("SET b x", "ERR the key 'b' was changed while it was migrated: it is on the target as it was, and still here"),
        (
            "PERSIST b",
            "ERR the key 'b' was changed while it was migrated: it is on the target as it was, and still here",
        ),
        (
            "DEL b",
            "ERR the key 'b' was deleted while it was migrated: it is on the target as it was, and no longer here",
        ),
    ] {
        let mut server = with_keys();
        server.run("PEXPIRE b 1000");
        begin(&mut server, LINE);
        let other = server.connect();
        server.run_as(other, line);
        server.effects();
        assert_eq!(end(&mut server, &[true, true, true], None).unwrap(), format!("-{expected}"));
        assert_eq!(server.effects(), "SELECT 0 | DEL a c", "{line}");
    }
    let mut server = with_keys();
    begin(&mut server, LINE);
    let other = server.connect();
    server.run_as(other, "MSET a x c y");
    let reply = end(&mut server, &[true, true, true], None).unwrap();
    assert!(reply.starts_with("-ERR the key 'a' was changed") && reply.ends_with("(and 1 more changed or deleted)"));
}

#[test]
fn a_key_that_expires_meanwhile_or_is_named_twice_is_no_error() {
    let mut server = with_keys();
    server.run("PEXPIRE b 10");
    begin(&mut server, "MIGRATE host 6379 \"\" 3 500 KEYS a b a");
    server.effects();
    server.clock.advance(Duration::from_millis(10));
    server.engine.read_clock();
    assert_eq!(end(&mut server, &[true, true, true], None).as_deref(), Some("+OK"));
    assert_eq!(server.effects(), "SELECT 0 | MULTI | DEL b | DEL a | EXEC");
}

#[test]
fn with_copy_nothing_is_deleted_and_large_databases_are_unlinked_where_settings_say_so() {
    let mut server = with_keys();
    begin(&mut server, "MIGRATE host 6379 a 3 500 COPY");
    assert_eq!(end(&mut server, &[true], None).as_deref(), Some("+OK"));
    assert_eq!(server.effects(), "");
    server.run("CONFIG SET lazyfree-lazy-server-del yes");
    begin(&mut server, "MIGRATE host 6379 a 3 500");
    assert_eq!(end(&mut server, &[true], None).as_deref(), Some("+OK"));
    assert_eq!(server.effects(), "SELECT 0 | UNLINK a");
}

#[test]
fn a_pause_and_the_lack_of_room_hold_the_end_back() {
    let mut server = with_keys();
    begin(&mut server, LINE);
    let other = server.connect();
    server.run_as(other, "CLIENT PAUSE 1000 WRITE");
    assert_eq!(end(&mut server, &[true], None), None);
    server.run_as(other, "CLIENT UNPAUSE");
    server.engine.loading = Some(Default::default());
    assert_eq!(end(&mut server, &[true], None), None);
    server.engine.loading = None;
    server.engine.admission.set_room(0);
    assert_eq!(end(&mut server, &[true], None), None);
    let wanted = server.engine.admission.wanted(std::task::Waker::noop()).unwrap();
    server.engine.admission.refuse(wanted, "full".into());
    assert_eq!(
        end(&mut server, &[true], None).as_deref(),
        Some("-MISCONF Errors writing to the AOF file: full. The keys are on the target, and still here")
    );
    assert_eq!(server.effects(), "");
    assert_eq!(server.run("GET a"), "$1 1");
}

#[test]
fn in_a_transaction_it_is_refused_when_it_is_queued() {
    let mut server = with_keys();
    server.run("MULTI");
    assert!(server.run(LINE).starts_with("-ERR MIGRATE waits for another server"));
    assert!(server.run("EXEC").starts_with("-EXECABORT"));
}
