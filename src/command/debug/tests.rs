//! Tests of DEBUG.

use crate::command::harness::Harness;
use crate::engine::Request;
use crate::engine::config::{Config, Reader};

fn with_debug(setting: &str) -> Harness {
    let mut harness = Harness::new();
    let mut config = Config::default();
    let line = [b"enable-debug-command".to_vec(), setting.as_bytes().to_vec()];
    Reader::new(&mut config).command_line(&line).unwrap();
    harness.engine.config = config;
    harness
}

#[test]
fn debug_is_refused_unless_the_settings_allow_it() {
    let mut harness = with_debug("no");
    assert!(harness.run("DEBUG SLEEP 0").starts_with("-ERR DEBUG command not allowed. If the enable-debug-command"));
    assert_eq!(harness.run("MULTI"), "+OK");
    assert!(harness.run("DEBUG SLEEP 0").starts_with("-ERR DEBUG command not allowed."));
    assert!(harness.run("EXEC").starts_with("-EXECABORT"));
    let mut harness = with_debug("local");
    assert_eq!(harness.run("DEBUG SLEEP 0"), "+OK");
    let client = harness.client;
    harness.engine.clients.get_mut(client).unwrap().peer.is_local = false;
    assert!(harness.run("DEBUG SLEEP 0").starts_with("-ERR DEBUG command not allowed."));
}

#[test]
fn object_shows_what_redis_shows() {
    let mut harness = with_debug("yes");
    let mut shown = |value: &str| {
        harness.run(&format!("SET k {value}"));
        harness.run("DEBUG OBJECT k").split_once(" refcount").unwrap().1.split(" lru:").next().unwrap().to_owned()
    };
    assert_eq!(shown("bar"), ":1 encoding:embstr serializedlength:4");
    assert_eq!(shown("123"), ":2147483647 encoding:int serializedlength:2");
    assert_eq!(shown("12345"), ":1 encoding:int serializedlength:3");
    assert_eq!(shown("-70000"), ":1 encoding:int serializedlength:5");
    assert_eq!(shown("123456789012"), ":1 encoding:int serializedlength:13");
    assert_eq!(harness.run("DEBUG OBJECT none"), "-ERR no such key");
    let unknown = "-ERR unknown subcommand or wrong number of arguments for 'OBJECT'. Try DEBUG HELP.";
    assert_eq!(harness.run("DEBUG OBJECT"), unknown);
}

#[test]
fn digests_are_those_of_redis() {
    let mut harness = with_debug("yes");
    harness.run("SET foo barbaz");
    let none = "0".repeat(40);
    assert_eq!(
        harness.run("DEBUG DIGEST-VALUE foo none"),
        format!("*2 +9d8fcf2744b7644aca291b6bc08d371f2ac17e53 +{none}")
    );
    let digest = harness.run("DEBUG DIGEST");
    harness.run("DEL foo");
    assert_eq!(harness.run("DEBUG DIGEST"), format!("+{none}"));
    harness.run("SET foo barbaz");
    assert_eq!(harness.run("DEBUG DIGEST"), digest);
}

#[test]
fn sets_are_shown_as_redis_shows_them_in_each_representation() {
    let mut harness = with_debug("yes");
    harness.run("CONFIG SET set-max-intset-entries 4 set-max-listpack-entries 4");
    let no_table = "-ERR The value stored at the specified key is not represented using an hash table";
    for (line, shown, digest, table) in [
        ("SADD s 1 2 3", "intset serializedlength:15", "2a462a3f51a1db89738ebbeef0c47ce1bbc85246", no_table),
        ("SADD s a", "listpack serializedlength:17", "acb1ce08ab047c7592d3a632492e960b8cbe35fe", no_table),
        (
            "SADD s bcd 70000",
            "hashtable serializedlength:18",
            "cae12b60d0d4a20135907e1b36ce2231e2d9ef7d",
            "$76 Hash table 0 stats (main hash table):\n table size: 2\n number of elements: 6",
        ),
    ] {
        harness.run(line);
        let object = harness.run("DEBUG OBJECT s");
        assert!(object.contains(&format!(" refcount:1 encoding:{shown} lru:")), "{object}");
        assert_eq!(harness.run("DEBUG DIGEST-VALUE s"), format!("*1 +{digest}"));
        assert_eq!(harness.run("DEBUG HTSTATS-KEY s"), table);
        let listpack = harness.run("DEBUG LISTPACK s");
        assert_eq!(listpack == "+Listpack structure printed on stdout", shown.starts_with("listpack"), "{listpack}");
    }
    assert_eq!(harness.run("DEBUG DIGEST"), "+625eacef08fedb3db50cb79e0fc2b2b52d56cd07");
}

#[test]
fn populate_makes_missing_keys_and_logs_them() {
    let mut harness = with_debug("yes");
    harness.run("SET key:1 mine");
    harness.effects();
    assert_eq!(harness.run("DEBUG POPULATE 3"), "+OK");
    assert_eq!(harness.effects(), "SELECT 0 | MSET key:0 value:0 key:2 value:2");
    assert_eq!(harness.run("MGET key:0 key:1 key:2"), "*3 $7 value:0 $4 mine $7 value:2");
    assert_eq!(harness.run("DEBUG POPULATE 1 big 10"), "+OK");
    assert_eq!(harness.run("GET big:0"), "$10 value:0\0\0\0");
    assert_eq!(harness.run("DEBUG POPULATE 1 small 3"), "+OK");
    assert_eq!(harness.run("GET small:0"), "$3 val");
    assert_eq!(harness.run("DEBUG POPULATE 1000 many"), "+OK");
    assert_eq!(harness.run("DBSIZE"), ":1005");
    assert_eq!(harness.run("DEBUG POPULATE -1"), "-ERR value is out of range, must be positive");
    assert_eq!(harness.run("MULTI"), "+OK");
    assert_eq!(harness.run("DEBUG POPULATE 2 tx"), "+QUEUED");
    assert_eq!(harness.run("EXEC"), "*1 +OK");
}

#[test]
fn populate_asks_for_room_before_it_makes_a_key() {
    let cost = |line: &str| {
        let words = crate::base::quoting::split(line.as_bytes()).unwrap();
        super::log_cost(&words.iter().map(Vec::as_slice).collect::<Vec<_>>())
    };
    assert!(cost("DEBUG populate 1000000 key 100").unwrap() >= 1_000_000 * 140);
    assert_eq!(cost("DEBUG populate 9223372036854775807 key 1000000"), Some(u64::MAX));
    assert_eq!(cost("DEBUG SLEEP 0"), None);
    let mut harness = with_debug("yes");
    for line in ["DEBUG POPULATE 9223372036854775807", "DEBUG POPULATE 1 key 9223372036854775807"] {
        assert!(
            harness.run(line).starts_with("-MISCONF Errors writing to the AOF file: one command may add"),
            "{line}"
        );
    }
    assert_eq!(harness.run("DBSIZE"), ":0");
    harness.run("DEBUG POPULATE 3");
    assert_eq!(harness.engine.stats.changes, 0, "Redis does not count it");
}

#[test]
fn a_reload_is_asked_of_the_server_and_answered_by_it() {
    let mut harness = with_debug("yes");
    assert_eq!(
        harness.run("DEBUG RELOAD FOO"),
        "-ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options."
    );
    assert_eq!(harness.run("DEBUG RELOAD NOSAVE merge"), "");
    assert_eq!(harness.engine.requests, [Request::Reload { save: false }]);
    assert!(harness.engine.clients.get(harness.client).unwrap().blocked.is_some());
}

#[test]
fn a_new_replication_id_is_asked_of_the_server_and_the_answer_is_what_came_of_it() {
    for (refusal, reply) in
        [(None, "+OK\r\n"), (Some("no space"), "-ERR the new replication id could not be noted: no space\r\n")]
    {
        let mut harness = with_debug("yes");
        assert_eq!(harness.run("DEBUG CHANGE-REPL-ID"), "");
        assert_eq!(harness.engine.requests, [Request::NewHistory]);
        harness.engine.history_begun(refusal.map(str::to_owned));
        let mut client = harness.engine.clients.take(harness.client);
        super::blocking::check(&mut harness.engine, &mut client, std::task::Waker::noop());
        harness.engine.clients.put(client);
        assert_eq!(harness.receive(harness.client), reply.as_bytes());
    }
}

#[test]
fn a_reload_breaks_the_watch_of_keys_that_are_there_unless_they_are_kept() {
    for (line, key, broken) in [
        ("DEBUG RELOAD", "here", true),
        ("DEBUG RELOAD", "nowhere", false),
        ("DEBUG RELOAD NOSAVE", "here", true),
        ("DEBUG RELOAD NOFLUSH MERGE", "here", false),
        ("DEBUG LOADAOF", "here", true),
    ] {
        let mut harness = with_debug("yes");
        harness.run("SET here 1");
        let other = harness.connect();
        harness.run_as(other, &format!("WATCH {key}"));
        harness.run(line);
        harness.run_as(other, "MULTI");
        assert_eq!(harness.run_as(other, "EXEC") == "*-1", broken, "{line} {key}");
    }
}

#[test]
fn inside_a_transaction_a_reload_is_answered_at_once_and_what_follows_waits() {
    let mut harness = with_debug("yes");
    for line in ["MULTI", "SET k 1", "DEBUG RELOAD", "DEBUG LOADAOF", "GET k"] {
        harness.run(line);
    }
    assert_eq!(harness.run("EXEC"), "*4 +OK +OK +OK $1 1");
    assert_eq!(
        harness.engine.requests,
        [Request::Reload { save: true }],
        "one reload after the transaction is enough for both"
    );
    assert!(harness.engine.clients.get(harness.client).unwrap().blocked.is_some());
}

#[test]
fn every_setting_is_written_on_demand() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.conf");
    let mut harness = with_debug("yes");
    assert_eq!(harness.run("DEBUG CONFIG-REWRITE-FORCE-ALL"), "-ERR CONFIG-REWRITE-FORCE-ALL failed");
    harness.engine.config.set_file(path.clone());
    assert_eq!(harness.run("DEBUG CONFIG-REWRITE-FORCE-ALL"), "+OK");
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains("\nhz 10\n") && text.contains("\nkey-load-delay 0\n"), "{text}");
    assert_eq!(harness.run("DEBUG REPLICATE all SET a b"), "+OK");
    assert_eq!(harness.run("DBSIZE"), ":0");
}

#[test]
fn every_protocol_type_has_both_forms() {
    let mut harness = with_debug("yes");
    assert_eq!(harness.run("DEBUG PROTOCOL map"), "*6 :0 :0 :1 :1 :2 :0");
    assert_eq!(harness.run("DEBUG PROTOCOL push"), "-ERR RESP2 is not supported by this command");
    harness.run("HELLO 3");
    assert_eq!(harness.run("DEBUG PROTOCOL map"), "%3 :0 #f :1 #t :2 #f");
    assert_eq!(harness.run("DEBUG PROTOCOL bignum"), "(1234567999999999999999999999999999999");
    assert!(harness.run("DEBUG PROTOCOL attrib").starts_with("|1 $14 key-popularity *2 $7 key:123 :90 $39 Some real"));
    assert!(harness.run("DEBUG PROTOCOL foo").starts_with("-ERR Wrong protocol type name. Please use one of"));
}

#[test]
fn switches_and_errors_read_as_in_redis() {
    let mut harness = with_debug("yes");
    assert_eq!(harness.run("DEBUG SET-ACTIVE-EXPIRE 0"), "+OK");
    assert!(!harness.engine.active_expire);
    assert_eq!(harness.run("DEBUG SET-ACTIVE-EXPIRE 1"), "+OK");
    assert!(harness.engine.active_expire);
    assert_eq!(harness.run("DEBUG PAUSE-CRON 1"), "+OK");
    assert!(harness.engine.cron_paused);
    assert_eq!(harness.run("DEBUG PAUSE-CRON a"), "+OK");
    assert!(!harness.engine.cron_paused);
    assert_eq!(harness.run("DEBUG HTSTATS 99"), "-ERR Out of range database");
    assert_eq!(harness.run("DEBUG HTSTATS-KEY none"), "-ERR no such key");
    assert_eq!(harness.run("DEBUG ERROR 'WRONGTYPE foo'"), "-WRONGTYPE foo");
    assert_eq!(harness.run("DEBUG STRINGMATCH-LEN a*c abc"), ":1");
    assert_eq!(harness.run("DEBUG REPLYBUFFER PEAK-RESET-TIME never"), "+OK");
    assert_eq!(harness.run("DEBUG MALLCTL foo"), "-ERR No such file or directory");
    assert_eq!(
        harness.run("DEBUG JMAP"),
        "-ERR unknown subcommand or wrong number of arguments for 'JMAP'. Try DEBUG HELP."
    );
    assert!(
        harness.run("DEBUG HELP").starts_with("*59 +DEBUG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:")
    );
}
