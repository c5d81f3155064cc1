use super::*;
use crate::command::harness::Harness;

fn described(rules: &str) -> Result<String, String> {
    let words: Vec<&[u8]> = rules.split(' ').filter(|word| !word.is_empty()).map(str::as_bytes).collect();
    let mut user = User::new(b"u", false);
    for rule in rules::merged(&words).map_err(|first| String::from_utf8_lossy(&first).into_owned())? {
        rules::apply(&mut user, &rule, false).map_err(|error| error.to_string())?;
    }
    Ok(String::from_utf8(rules::describe(&user)).unwrap())
}

#[test]
fn rules_are_shown_as_redis_shows_them() {
    // Each was asked of Valkey 8.1.
    for (rules, expected) in [
        ("", "off sanitize-payload resetchannels -@all"),
        ("on nopass ~* &* +@all", "on nopass sanitize-payload ~* &* +@all"),
        ("+get +set -get", "off sanitize-payload resetchannels -@all +set -get"),
        (
            "+@all -@write +set -config +config|get +select|1",
            "off sanitize-payload resetchannels +@all -@write +set -config +config|get +select|1",
        ),
        ("+config|get -config", "off sanitize-payload resetchannels -@all -config"),
        ("%RW~a %R~b %W~b %W~c &ch* &ch*", "off sanitize-payload ~a ~b %W~c resetchannels &ch* -@all"),
        (
            "(+get ~z) (+set %R~y &x)",
            "off sanitize-payload resetchannels -@all (~z resetchannels -@all +get) (%R~y resetchannels &x -@all +set)",
        ),
        ("(+get ~z) clearselectors allkeys", "off sanitize-payload ~* resetchannels -@all"),
        ("on +get ~a reset", "off sanitize-payload resetchannels -@all"),
        ("+@READ +GET", "off sanitize-payload resetchannels -@all +@read +get"),
    ] {
        assert_eq!(described(rules).as_deref(), Ok(expected), "{rules}");
    }
}

#[test]
fn what_is_shown_makes_the_same_user_again() {
    for rules in
        ["on >a >b ~x %R~y &c +@all -@dangerous +info (+get ~*) skip-sanitize-payload", "nopass +select|0 +@read -get"]
    {
        let shown = described(rules).unwrap();
        assert_eq!(described(&shown).unwrap(), shown);
    }
}

#[test]
fn bad_rules_get_the_texts_that_clients_know() {
    for (rules, expected) in [
        ("+nosuch", "Unknown command"),
        ("+client|nosuch", "Unknown command"),
        ("-select|1", "Unknown command"),
        ("+select|1|2", "Unknown command"),
        ("+@nosuch", "Unknown command"),
        ("+config|get|x", "Allowing first-arg"),
        ("+get|", "Syntax error"),
        ("foo", "Syntax error"),
        ("%Q~x", "Syntax error"),
        ("%RR~x", "Syntax error"),
        ("%~x", "Syntax error"),
        ("+config|", "Syntax error"),
        ("+config|foo", "Unknown command"),
        ("(on)", "Syntax error"),
        ("(+get ~z))", "Syntax error"),
        ("allkeys ~x", "Adding a pattern after the * pattern (or the 'allkeys'"),
        ("&* &x", "Adding a pattern after the * pattern (or the 'allchannels'"),
        ("<x", "The password you are trying to remove"),
        ("#xyz", "The password hash must be exactly"),
    ] {
        let error = described(rules).unwrap_err();
        assert!(error.starts_with(expected), "{rules}: {error}");
    }
    assert_eq!(described("(+get ~x").unwrap_err(), "(+get");
}

#[test]
fn a_user_runs_what_it_may_and_nothing_else() {
    let mut server = Harness::new();
    server.run("SET a 1");
    server.run("SET b 1");
    assert_eq!(
        server.run("ACL SETUSER alice on >pw ~a* %R~r* %W~w* &news* +@all -flushall -config +config|get"),
        "+OK"
    );
    let alice = server.connect();
    assert_eq!(
        server.run_as(alice, "AUTH alice wrong"),
        "-WRONGPASS invalid username-password pair or user is disabled."
    );
    assert_eq!(server.run_as(alice, "AUTH alice pw"), "+OK");
    assert_eq!(server.run_as(alice, "ACL WHOAMI"), "$5 alice");
    let no_key = "-NOPERM No permissions to access a key";
    for (line, expected) in [
        ("GET a", "$1 1"),
        ("GET b", no_key),
        ("GET rx", "$-1"),
        ("SET rx 1", no_key),
        ("SET wx 1", "+OK"),
        ("GET wx", no_key),
        ("SET wx 1 GET", no_key),
        ("EXISTS wx rx", ":1"),
        ("COPY rx wy", ":0"),
        ("COPY wx ax", no_key),
        ("MSET a 1 b 2", no_key),
        ("FLUSHALL", "-NOPERM User alice has no permissions to run the 'flushall' command"),
        ("CONFIG SET hz 10", "-NOPERM User alice has no permissions to run the 'config|set' command"),
        ("CONFIG GET hz", "*2 $2 hz $2 10"),
        ("PUBLISH newsroom x", ":0"),
        ("PUBLISH other x", "-NOPERM No permissions to access a channel"),
        ("SORT a BY x* GET y*", "-ERR BY option of SORT denied due to insufficient ACL permissions."),
        ("EVAL \"return redis.call('GET',KEYS[1])\" 1 b", no_key),
        ("EVAL \"return redis.call('GET','a')\" 0", "$1 1"),
        ("EVAL \"return {redis.acl_check_cmd('GET','a'), redis.acl_check_cmd('GET','b')}\" 0", "*2 :1 $-1"),
    ] {
        assert_eq!(server.run_as(alice, line), expected, "{line}");
    }
    let reply = server.run_as(alice, "EVAL \"return redis.call('GET','b')\" 0");
    assert!(reply.starts_with("-ERR ACL failure in script: No permissions to access a key script: "), "{reply}");
    let stats = &server.engine.stats;
    assert_eq!((stats.auth_denied, stats.commands_denied, stats.channels_denied), (1, 2, 1));
    assert!(stats.keys_denied > 5);
    let log = server.run("ACL LOG 2");
    assert!(
        log.contains("$5 count :1 $6 reason $3 key $7 context $3 lua $6 object $1 b $8 username $5 alice"),
        "{log}"
    );
    assert_eq!(server.run("ACL LOG RESET"), "+OK");
    assert_eq!(server.run("ACL LOG"), "*0");
}

#[test]
fn rights_that_are_lost_are_lost_at_once() {
    let mut server = Harness::new();
    server.run("ACL SETUSER bob on nopass ~* &* +@all");
    let bob = server.connect();
    server.run_as(bob, "AUTH bob x");
    server.run_as(bob, "MULTI");
    assert_eq!(server.run_as(bob, "SET a 1"), "+QUEUED");
    assert_eq!(server.run_as(bob, "PING"), "+QUEUED");
    server.run("ACL SETUSER bob resetkeys ~b");
    let reply = server.run_as(bob, "EXEC");
    assert!(reply.starts_with("*2 -NOPERM ACLs rules changed between the moment"), "{reply}");
    assert!(reply.ends_with("no permission to touch the specified keys +PONG"), "{reply}");
    assert_eq!(server.run_as(bob, "GET a"), "-NOPERM No permissions to access a key");
    // What it listens to, too.
    server.run_as(bob, "SUBSCRIBE news");
    server.run("ACL SETUSER bob +get");
    assert!(!server.engine.clients.get(bob).unwrap().killed);
    server.run("ACL SETUSER bob resetchannels &new*");
    assert!(!server.engine.clients.get(bob).unwrap().killed);
    server.run("ACL SETUSER bob resetchannels &old*");
    assert!(server.engine.clients.get(bob).unwrap().killed);
    let other = server.connect();
    server.run_as(other, "AUTH bob x");
    assert_eq!(server.run("ACL DELUSER bob nobody"), ":1");
    assert!(server.engine.clients.get(other).unwrap().killed);
    assert_eq!(server.run("ACL DELUSER default"), "-ERR The 'default' user cannot be removed");
}

#[test]
fn requirepass_is_the_password_of_the_default_user() {
    let mut server = Harness::new();
    assert!(server.run("AUTH x").starts_with("-ERR AUTH <password> called without any password configured"));
    assert_eq!(server.run("CONFIG SET requirepass secret"), "+OK");
    let reply = server.run("ACL LIST");
    assert!(reply.contains("user default on sanitize-payload #2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b ~* &* +@all"), "{reply}");
    assert_eq!(server.run("PING"), "+PONG", "who is in stays in");
    let late = server.connect();
    server.engine.clients.get_mut(late).unwrap().authenticated = false;
    assert!(server.run_as(late, "PING").starts_with("-NOAUTH"));
    assert_eq!(server.run_as(late, "AUTH secret"), "+OK");
    server.run("CONFIG SET requirepass \"\"");
    assert!(server.run("ACL LIST").contains("user default on nopass"));
    server.run("ACL SETUSER default off");
    let refused = server.connect();
    server.engine.clients.get_mut(refused).unwrap().authenticated = false;
    assert!(server.run_as(refused, "PING").starts_with("-NOAUTH"), "a user that is off lets nobody in");
}

#[test]
fn a_key_that_is_called_like_an_option_is_a_key_all_the_same() {
    let mut server = Harness::new();
    server.run("GEOADD g 1 1 m");
    server.run("ACL SETUSER bob on nopass +@all");
    let bob = server.connect();
    server.run_as(bob, "AUTH bob x");
    for line in ["GEORADIUS g 1 1 9 km", "GEORADIUSBYMEMBER g m 9 km"] {
        for options in ["", "STOREDIST store", "STORE storedist", "COUNT 1 STOREDIST STORE"] {
            let reply = server.run_as(bob, &format!("{line} {options}"));
            assert_eq!(reply, "-NOPERM No permissions to access a key", "{line} {options}");
        }
        let keys = server.run(&format!("COMMAND GETKEYS {line} STOREDIST store"));
        assert_eq!(keys, "*2 $1 g $5 store");
        server.run("ACL SETUSER bob resetkeys %R~g %W~other");
        assert!(server.run_as(bob, &format!("{line} STOREDIST store")).starts_with("-NOPERM"));
        server.run("ACL SETUSER bob resetkeys %R~g %W~store");
        assert_eq!(server.run_as(bob, &format!("{line} STOREDIST store")), ":1");
        server.run("ACL SETUSER bob resetkeys");
    }
}

#[test]
fn only_a_change_that_takes_channels_ends_who_listens_to_others() {
    let mut server = Harness::new();
    server.run("ACL SETUSER bob on nopass +@all");
    let bob = server.connect();
    server.run_as(bob, "HELLO 3");
    server.run_as(bob, "SUBSCRIBE news");
    server.run_as(bob, "AUTH bob x");
    server.run("ACL SETUSER bob +get ~a");
    assert!(!server.engine.clients.get(bob).unwrap().killed, "bob was another when it began to listen");
    server.run("ACL SETUSER bob &other");
    server.run("ACL SETUSER bob resetchannels");
    assert!(server.engine.clients.get(bob).unwrap().killed);
}

#[test]
fn words_too_many_are_refused() {
    let mut server = Harness::new();
    for name in ["cat", "genpass", "log"] {
        assert_eq!(
            server.run(&format!("ACL {name} 1 2")),
            format!("-ERR unknown subcommand or wrong number of arguments for '{name}'. Try ACL HELP.")
        );
    }
}

#[test]
fn dryrun_and_getuser_tell_what_is_allowed() {
    let mut server = Harness::new();
    server.run("ACL SETUSER u on ~a &c +get (+set %W~b)");
    assert_eq!(server.run("ACL DRYRUN u GET a"), "+OK");
    assert_eq!(server.run("ACL DRYRUN u SET b 1"), "+OK");
    assert_eq!(server.run("ACL DRYRUN u SET a 1"), "$47 User u has no permissions to access the 'a' key");
    assert_eq!(server.run("ACL DRYRUN u DEL a"), "$50 User u has no permissions to run the 'del' command");
    assert_eq!(server.run("ACL DRYRUN nobody GET a"), "-ERR User 'nobody' not found");
    assert_eq!(server.run("ACL DRYRUN u nosuch a"), "-ERR Command 'nosuch' not found");
    assert_eq!(server.run("ACL DRYRUN u GET"), "-ERR wrong number of arguments for 'get' command");
    assert_eq!(server.run("ACL GETUSER nobody"), "$-1");
    let shown = server.run("ACL GETUSER u");
    assert!(
        shown.starts_with("*12 $5 flags *2 $2 on $16 sanitize-payload $9 passwords *0 $8 commands $10 -@all +get"),
        "{shown}"
    );
    assert!(shown.ends_with("$9 selectors *1 *6 $8 commands $10 -@all +set $4 keys $4 %W~b $8 channels $0"), "{shown}");
    assert_eq!(server.run("ACL GENPASS 5").len(), "$2 ab".len());
}
