//! Changes at run time.

use super::*;
use std::cell::RefCell;

fn pairs<'a>(pairs: &[(&'a str, &'a str)]) -> Vec<(&'a [u8], &'a [u8])> {
    pairs.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect()
}

fn refusal(config: &mut Config, changes: &[(&str, &str)]) -> String {
    let before = config.values.clone();
    let error = config.set(&pairs(changes), false).unwrap_err();
    assert_eq!(config.values, before, "a refused change changed something");
    error.to_string()
}

#[test]
fn several_settings_change_together_and_can_be_taken_back() {
    let mut config = Config::new();
    let changes = config.set(&pairs(&[("HZ", "1000"), ("appendfsync", "everysec"), ("timeout", "0")]), false).unwrap();
    assert_eq!(changes.names(), ["appendfsync", "hz"]);
    assert_eq!((config.hz(), config.appendfsync()), (500, AppendFsync::EverySec));
    config.roll_back(changes);
    assert_eq!((config.hz(), config.appendfsync()), (10, AppendFsync::Always));
}

#[test]
fn one_bad_pair_refuses_all_with_the_texts_that_clients_know() {
    let mut config = Config::new();
    let failed =
        |name: &str, reason: &str| format!("CONFIG SET failed (possibly related to argument '{name}') - {reason}");
    for (changes, text) in [
        (&[("hz", "20"), ("foo", "1")][..], "Unknown option or number of arguments for CONFIG SET - 'foo'".into()),
        (&[("hz", "x"), ("timeout", "1")], failed("hz", "argument couldn't be parsed into an integer")),
        (&[("timeout", "1"), ("Timeout", "2")], failed("Timeout", "duplicate parameter")),
        (&[("databases", "17")], failed("databases", "can't set immutable config")),
        (&[("dir", "/tmp")], failed("dir", "can't set protected config")),
        (&[("port", "70000")], failed("port", "argument must be between 0 and 65535 inclusive")),
        (&[("appendonly", "x")], failed("appendonly", "argument must be 'yes' or 'no'")),
        (
            &[("appendfsync", "x")],
            failed("appendfsync", "argument(s) must be one of the following: everysec, always, no"),
        ),
        (&[("maxmemory", "1zz")], failed("maxmemory", "argument must be a memory value")),
        (&[("maxmemory-clients", "x")], failed("maxmemory-clients", "argument must be a memory or percent value")),
        (
            &[("maxmemory-clients", "101%")],
            failed("maxmemory-clients", "percentage argument must be less or equal to 100"),
        ),
        (&[("tls-cluster", "yes")], failed("tls-cluster", "ackd does not have what this setting asks for yet")),
        (
            &[("repl-backlog-size", "9223372036854775808")],
            failed("repl-backlog-size", "argument must be between 1 and 9223372036854775807 inclusive"),
        ),
        (
            &[("proc-title-template", "")],
            failed("proc-title-template", "template format is invalid or contains unknown variables"),
        ),
        (&[("appendfilename", "a/b")], failed("appendfilename", "can't set immutable config")),
        // Pairs are looked at in turn, values after that.
        (&[("databases", "17"), ("foo", "1")], failed("databases", "can't set immutable config")),
        (&[("hz", "1"), ("HZ", "1"), ("foo", "1")], failed("HZ", "duplicate parameter")),
        (&[("HZ", "x"), ("foo", "1")], "Unknown option or number of arguments for CONFIG SET - 'foo'".into()),
        (&[("HZ", "x")], failed("hz", "argument couldn't be parsed into an integer")),
    ] {
        assert_eq!(refusal(&mut config, changes), text);
    }
}

#[test]
fn every_setting_may_be_set_to_the_value_that_it_has() {
    let mut config = Config::new();
    config.resolve_dir(Path::new("/somewhere"));
    for (name, value) in config.get(&[b"*"]) {
        let changes = config.set(&[(&name, &value)], false).unwrap();
        assert!(changes.is_empty(), "{}", String::from_utf8_lossy(&name));
    }
}

#[test]
fn patterns_find_both_names_of_an_alias_and_names_find_what_is_hidden() {
    let config = Config::new();
    let names = |patterns: &[&[u8]]| -> Vec<String> {
        config.get(patterns).into_iter().map(|(name, _)| String::from_utf8(name).unwrap()).collect()
    };
    assert_eq!(names(&[b"*-priority"]), ["replica-priority", "slave-priority"]);
    assert_eq!(names(&[b"HZ", b"h[z]", b"nope"]), ["HZ"]);
    assert_eq!(names(&[b"key-load-delay"]), ["key-load-delay"]);
    assert!(names(&[b"key-load*"]).is_empty());
    assert_eq!(names(&[b"*"]).len(), 202, "Redis 7.2's 195 and seven of ackd");
}

#[test]
fn protected_settings_change_where_the_connection_may() {
    let mut config = Config::new();
    assert_eq!(config.set(&pairs(&[("dir", "/tmp")]), true).unwrap().names(), ["dir"]);
    assert_eq!(config.dir(), "/tmp");
}

#[test]
fn only_values_that_mislead_are_warned_of() {
    let mut config = Config::new();
    assert!(config.warnings().is_empty());
    let changes =
        [("io-threads-do-reads", "no"), ("lfu-decay-time", "2"), ("list-compress-depth", "5"), ("appendonly", "no")];
    assert!(!config.set(&pairs(&changes), false).unwrap().is_empty());
    let warnings = config.warnings();
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(warnings.iter().any(|text| text.starts_with("list-compress-depth is 5")));
    assert!(warnings.iter().any(|text| text.starts_with("appendonly is no")));
}

#[test]
fn what_a_setting_does_is_not_denied_and_what_it_does_not_is_said() {
    let mut config = Config::new();
    let changes = [("latency-tracking", "no"), ("latency-tracking-info-percentiles", "50"), ("hz", "20")];
    assert!(!config.set(&pairs(&changes), false).unwrap().is_empty());
    assert!(config.warnings().is_empty(), "{:?}", config.warnings());
    for name in ["repl-disable-tcp-nodelay", "activedefrag"] {
        assert!(!config.set(&pairs(&[(name, "yes")]), false).unwrap().is_empty());
        assert!(config.warning(name).unwrap().contains("has no effect"), "{name}");
    }
}

#[test]
fn what_cannot_be_applied_is_taken_back() {
    let mut config = Config::new();
    let seen = Rc::new(RefCell::new(Vec::new()));
    let applied = seen.clone();
    config.on_change(Rc::new(move |config, names| {
        assert_eq!(names, ["port"]);
        applied.borrow_mut().push(config.port());
        match config.port() {
            7000 => Err(("port", "Unable to listen on this port. Check server logs.".into())),
            _ => Ok(()),
        }
    }));
    let text = refusal(&mut config, &[("port", "7000"), ("hz", "10")]);
    assert!(text.contains("'port') - Unable to listen"), "{text}");
    assert_eq!(config.port(), 6379);
    assert_eq!(*seen.borrow(), [7000, 6379], "what is outside follows the value that is back");
}

#[test]
fn what_is_taken_back_leaves_later_changes_alone() {
    let mut config = Config::new();
    let changes = config.set(&pairs(&[("hz", "20"), ("timeout", "5")]), false).unwrap();
    assert!(!config.set(&pairs(&[("hz", "30")]), false).unwrap().is_empty());
    config.roll_back(changes);
    assert_eq!((config.hz(), config.timeout()), (30, 0));
}
