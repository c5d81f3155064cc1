//! Tests of what becomes of fields whose time is up.

use std::time::Duration;

use crate::command::expiry;
use crate::command::harness::Harness;

/// A hash with these fields, which all have the value `v`, of which those with a time expire after 10 ms.
fn expired(server: &mut Harness, lasting: &[&str], expiring: &[&str]) {
    server.run("FLUSHALL");
    for field in lasting.iter().chain(expiring) {
        server.run(&format!("HSET h {field} 1"));
    }
    server.run(&format!("HPEXPIRE h 10 FIELDS {} {}", expiring.len(), expiring.join(" ")));
    server.effects();
    server.clock.advance(Duration::from_millis(10));
}

fn both_representations(mut test: impl FnMut(&mut Harness)) {
    for entries in [512, 0] {
        let mut server = Harness::new();
        server.run(&format!("CONFIG SET hash-max-listpack-entries {entries}"));
        test(&mut server);
    }
}

#[test]
fn a_field_whose_time_is_up_is_gone_for_every_command_before_its_effects() {
    both_representations(|server| {
        for (line, reply, effects) in [
            ("HGET h a", "$-1", ""),
            ("HMGET h a b", "*2 $-1 $1 1", ""),
            ("HLEN h", ":1", ""),
            ("HEXISTS h a", ":0", ""),
            ("HSTRLEN h a", ":0", ""),
            ("HGETALL h", "*2 $1 b $1 1", ""),
            ("HKEYS h", "*1 $1 b", ""),
            ("HSCAN h 0", "*2 $1 0 *2 $1 b $1 1", ""),
            ("HRANDFIELD h 5", "*1 $1 b", ""),
            ("HTTL h FIELDS 1 a", "*1 :-2", ""),
            ("TYPE h", "+hash", ""),
            ("HSET h a 2", ":1", "HSET h a 2"),
            ("HSETNX h a 2", ":1", "HSETNX h a 2"),
            ("HINCRBY h a 5", ":5", "HINCRBY h a 5"),
            ("HINCRBYFLOAT h a 5", "$1 5", "HSET h a 5"),
            ("HPERSIST h FIELDS 1 a", "*1 :-2", ""),
            ("HEXPIRE h 10 FIELDS 1 a", "*1 :-2", ""),
            ("HGETEX h PERSIST FIELDS 1 a", "*1 $-1", ""),
            ("HSETEX h FNX FIELDS 1 a 3", ":1", "HSET h a 3"),
            ("HGETDEL h FIELDS 1 a", "*1 $-1", ""),
            ("HDEL h a", ":0", ""),
            ("RENAME h g", "+OK", "RENAME h g"),
        ] {
            expired(server, &["b"], &["a"]);
            assert_eq!(server.run(line), reply, "{line}");
            let expected = match effects {
                "" => "SELECT 0 | HDEL h a".to_owned(),
                effects => format!("SELECT 0 | MULTI | HDEL h a | {effects} | EXEC"),
            };
            assert_eq!(server.effects(), expected, "{line}");
        }
        assert_eq!(server.engine.stats.expired_fields, 22);
    });
}

#[test]
fn a_hash_without_a_living_field_is_no_key() {
    both_representations(|server| {
        for (line, reply) in [
            ("HGETALL h", "*0"),
            ("EXISTS h", ":0"),
            ("TYPE h", "+none"),
            ("DEL h", ":0"),
            ("RANDOMKEY", "$-1"),
            ("SCAN 0", "*2 $1 0 *0"),
            ("RENAME h g", "-ERR no such key"),
            ("GET h", "$-1"),
        ] {
            expired(server, &[], &["a", "b", "c"]);
            assert_eq!(server.run(line), reply, "{line}");
            assert_eq!(server.effects(), "SELECT 0 | DEL h", "{line}");
        }
        expired(server, &[], &["a", "b"]);
        assert_eq!(server.run("SET h v"), "+OK");
        assert_eq!(server.effects(), "SELECT 0 | MULTI | DEL h | SET h v | EXEC");
        assert_eq!(server.engine.dbs[0].next_field_expiry(), None);
        server.run("CONFIG SET lazyfree-lazy-expire yes");
        expired(server, &[], &["a", "b"]);
        assert_eq!(server.run("EXISTS h"), ":0");
        assert_eq!(server.effects(), "SELECT 0 | UNLINK h");
        assert!(server.run("INFO stats").contains("expired_subkeys:28"));
    });
}

#[test]
fn nothing_expires_while_it_may_not_but_it_is_not_seen_either() {
    both_representations(|server| {
        expired(server, &["b"], &["a", "c"]);
        server.engine.admission.set_room(0);
        for (line, reply) in [
            ("HGET h a", "$-1"),
            ("HLEN h", ":1"),
            ("HGETALL h", "*2 $1 b $1 1"),
            ("HKEYS h", "*1 $1 b"),
            ("HRANDFIELD h", "$1 b"),
            ("HRANDFIELD h -2", "*2 $1 b $1 b"),
            ("HRANDFIELD h 2", "*1 $1 b"),
            ("HSCAN h 0 NOVALUES", "*2 $1 0 *1 $1 b"),
            ("HTTL h FIELDS 2 a b", "*2 :-2 :-1"),
        ] {
            assert_eq!(server.run(line), reply, "{line}");
        }
        expiry::active_cycle(&mut server.engine);
        assert_eq!(server.effects(), "");
        server.engine.admission.set_room(u64::MAX >> 1);
        assert_eq!(server.run("HLEN h"), ":1");
        assert!(server.effects().starts_with("SELECT 0 | HDEL h "));
    });
}

#[test]
fn one_lookup_removes_no_more_than_a_few_fields_and_those_it_is_about() {
    both_representations(|server| {
        let names: Vec<String> = (0..300).map(|number| format!("f{number}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        expired(server, &["b"], &names);
        assert_eq!(server.run("HLEN h"), ":1");
        assert_eq!(server.engine.stats.expired_fields, super::FIELDS_A_LOOKUP as u64);
        let line = format!("HDEL h b {}", names.join(" "));
        assert_eq!(server.run(&line), ":1");
        assert_eq!(server.engine.stats.expired_fields, 300);
        assert_eq!(server.run("EXISTS h"), ":0");
        // What it is about may be all that is left, and too much for one lookup.
        expired(server, &["b"], &names);
        assert_eq!(server.run("HSETNX h f299 new"), ":1");
        assert_eq!(server.run("HGETALL h").split(' ').filter(|word| *word == "f299" || *word == "b").count(), 2);
        assert_eq!(server.run("HDEL h b f299"), ":2");
        assert_eq!(server.run("EXISTS h"), ":0");
    });
}

#[test]
fn fields_that_nobody_asks_for_are_removed_with_effects() {
    both_representations(|server| {
        for number in 0..50 {
            server.run(&format!("HSET part{number} a 1 b 2 c 3"));
            server.run(&format!("HPEXPIRE part{number} {} FIELDS 2 a b", 100 + number % 3));
            server.run(&format!("HSET all{number} a 1"));
            server.run(&format!("HPEXPIRE all{number} 100 FIELDS 1 a"));
        }
        let fields: Vec<String> = (0..1000).map(|number| format!("f{number} v")).collect();
        server.run("SELECT 3");
        server.run(&format!("HSETEX large PX 100 FIELDS 1000 {}", fields.join(" ")));
        server.run("HSET large lasting v");
        server.effects();
        server.clock.advance(Duration::from_millis(200));
        server.engine.read_clock();
        expiry::active_cycle(&mut server.engine);
        assert_eq!((server.engine.dbs[0].len(), server.engine.dbs[3].len()), (50, 1));
        assert_eq!(server.engine.stats.expired_fields, 50 * 3 + 1000);
        let effects = server.effects();
        assert_eq!(effects.matches("DEL all").count(), 50);
        assert_eq!(effects.matches("HDEL part").count(), 50);
        assert_eq!(effects.matches("HDEL large").count(), 1000usize.div_ceil(super::FIELDS_A_LOOKUP));
        assert_eq!(server.run("HGETALL large"), "*2 $7 lasting $1 v");
    });
}

#[test]
fn an_expired_field_breaks_a_watch() {
    both_representations(|server| {
        expired(server, &["b"], &[]);
        server.run("HPEXPIRE h 20 FIELDS 1 b");
        let other = server.connect();
        server.run_as(other, "WATCH h");
        server.clock.advance(Duration::from_millis(20));
        server.run("HGET h b");
        server.run_as(other, "MULTI");
        assert_eq!(server.run_as(other, "EXEC"), "*-1");
    });
}

#[test]
fn keys_and_watch_take_a_hash_without_a_living_field_for_absent() {
    both_representations(|server| {
        expired(server, &[], &["a", "b"]);
        assert_eq!(server.run("KEYS *"), "*0");
        assert_eq!(server.effects(), "", "KEYS removes nothing");
        // It had expired before, so that it is removed is no change.
        server.run("WATCH h");
        server.run("EXISTS h");
        server.run("MULTI");
        assert_eq!(server.run("EXEC"), "*0");
        server.run("HSETEX h PX 10 FIELDS 1 a v");
        server.run("WATCH h");
        server.clock.advance(Duration::from_millis(11));
        server.run("MULTI");
        assert_eq!(server.run("EXEC"), "*-1", "it expired in between");
        server.effects();
    });
}
