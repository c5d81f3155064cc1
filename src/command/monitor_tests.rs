use crate::command::harness::Harness;

/// A server, and a connection that monitors it.
fn monitored() -> (Harness, u64) {
    let mut server = Harness::new();
    let monitor = server.connect();
    assert_eq!(server.run_as(monitor, "MONITOR"), "+OK");
    (server, monitor)
}

/// The lines that have come, without their times.
fn lines(server: &mut Harness, id: u64) -> Vec<String> {
    let text = String::from_utf8_lossy(&server.receive(id)).into_owned();
    text.lines().map(|line| line.strip_prefix("+1700000000.000000 ").expect(line).to_owned()).collect()
}

#[test]
fn a_line_leaves_when_what_it_tells_of_can_no_longer_be_lost() {
    let (mut server, monitor) = monitored();
    let writer = server.client;
    assert_eq!(server.run_unsynced(writer, "SET k v"), "");
    assert_eq!(lines(&mut server, monitor), [""; 0], "the write is not on disk");
    // Nor may a line overtake it, whoever causes it.
    let reader = server.connect();
    assert_eq!(server.run_unsynced(reader, "PING"), "+PONG");
    assert_eq!(lines(&mut server, monitor), [""; 0]);
    server.sync();
    assert_eq!(lines(&mut server, monitor), [r#"[0 ] "SET" "k" "v""#, r#"[0 ] "PING""#]);
    // What is told may rest on what the connection wrote before.
    server.run_unsynced(writer, "SET k w");
    server.run_unsynced(writer, "ECHO w");
    assert_eq!(lines(&mut server, monitor), [""; 0]);
    server.sync();
    assert_eq!(lines(&mut server, monitor).len(), 2);
}

#[test]
fn the_level_is_that_of_who_is_told() {
    let (mut server, monitor) = monitored();
    let writer = server.client;
    server.run_as(monitor, "CLIENT DURABILITY MEMORY");
    lines(&mut server, monitor);
    server.run_unsynced(writer, "SET k v");
    assert_eq!(lines(&mut server, monitor), [r#"[0 ] "SET" "k" "v""#]);
    server.run_as(monitor, "CLIENT DURABILITY DISK");
    server.run_as(writer, "CLIENT DURABILITY MEMORY");
    lines(&mut server, monitor);
    assert_eq!(server.run_unsynced(writer, "SET k w"), "+OK");
    assert_eq!(lines(&mut server, monitor), [""; 0]);
}

#[test]
fn commands_come_in_the_order_of_execution() {
    let (mut server, monitor) = monitored();
    for line in
        ["MULTI", "SET k v", "GET nosuch", "EXEC", "NOSUCH", "GET", "SELECT 3", "LPUSH k a b", "CONFIG SET hz 10"]
    {
        server.run(line);
    }
    let told =
        [r#""MULTI""#, r#""SET" "k" "v""#, r#""GET" "nosuch""#, r#""EXEC""#].map(|words| format!("[0 ] {words}"));
    let selected = [r#""SELECT" "3""#, r#""LPUSH" "k" "a" "b""#].map(|words| format!("[3 ] {words}"));
    assert_eq!(lines(&mut server, monitor), [&told[..], &selected].concat());
}

#[test]
fn a_script_comes_before_what_it_calls() {
    let (mut server, monitor) = monitored();
    server.run(r#"EVAL "redis.call('set', KEYS[1], ARGV[1]) return redis.call('get', KEYS[1])" 1 k "a b\n""#);
    let told = lines(&mut server, monitor);
    assert!(told[0].starts_with(r#"[0 ] "EVAL" "redis.call("#), "{told:?}");
    assert_eq!(told[1..], [r#"[0 lua] "set" "k" "a b\n""#, r#"[0 lua] "get" "k""#]);
}

#[test]
fn a_script_that_only_reads_is_told_of_while_it_runs() {
    let (mut server, monitor) = monitored();
    let runner = server.client;
    let read = "for i = 1, 5000 do redis.call('get', 'k') end";
    server.run_unsynced(runner, &format!("EVAL \"{read} redis.call('set', 'k', 'v') {read}\" 0"));
    let early = lines(&mut server, monitor).len();
    assert!((1000..5002).contains(&early), "{early}");
    server.sync();
    assert_eq!(lines(&mut server, monitor).len() + early, 1 + 5000 + 1 + 5000);
}

#[test]
fn who_waits_is_shown_once() {
    let (mut server, monitor) = monitored();
    let other = server.connect();
    server.run("BLPOP l 0");
    server.run_as(other, "RPUSH l x");
    assert_eq!(lines(&mut server, monitor), [r#"[0 ] "BLPOP" "l" "0""#, r#"[0 ] "RPUSH" "l" "x""#]);
}

#[test]
fn who_monitors_stays_away_from_the_keyspace_and_leaves_by_reset() {
    let (mut server, monitor) = monitored();
    for line in ["GET k", "SET k v", "EVAL 'return 1' 0", "PUBLISH c m"] {
        assert_eq!(server.run_as(monitor, line), "-ERR Replica can't interact with the keyspace", "{line}");
    }
    assert_eq!(server.run_as(monitor, "MONITOR"), "");
    assert!(server.run("CLIENT LIST").contains(" flags=O db=0 "));
    assert!(server.run("CLIENT LIST TYPE normal").contains(" flags=O db=0 "));
    lines(&mut server, monitor);
    assert_eq!(server.run_as(monitor, "PING"), "+PONG +1700000000.000000 [0 ] \"PING\"");
    assert_eq!(server.run_as(monitor, "RESET"), "+RESET");
    server.run("PING");
    assert_eq!(lines(&mut server, monitor), [""; 0]);
    assert_eq!(server.run_as(monitor, "GET k"), "$-1");
    server.run_as(monitor, "MULTI");
    server.run_as(monitor, "MONITOR");
    assert_eq!(server.run_as(monitor, "EXEC"), "*1 -ERR MONITOR isn't allowed for DENY BLOCKING client");
}

#[test]
fn no_password_and_no_silenced_line_is_sent() {
    let (mut server, monitor) = monitored();
    server.run("AUTH secret");
    server.run("HELLO 3 AUTH default secret");
    let told = lines(&mut server, monitor).join("|");
    assert!(!told.contains("secret") && told.contains(r#""HELLO" "3" "AUTH" "(redacted)""#), "{told}");
    server.run_as(monitor, "CLIENT REPLY OFF");
    server.receive(monitor);
    server.run("PING");
    assert_eq!(lines(&mut server, monitor), [""; 0]);
}

#[test]
fn who_does_not_take_the_lines_is_ended_by_the_limit() {
    let (mut server, monitor) = monitored();
    server.run("CONFIG SET client-output-buffer-limit 'normal 1000 0 0'");
    let long = "x".repeat(600);
    let words = ["ECHO", &long].map(str::as_bytes);
    let client = server.client;
    server.run_words(client, &words);
    assert!(!server.engine.clients.get(monitor).unwrap().killed);
    server.run_words(client, &words);
    assert!(server.engine.clients.get(monitor).unwrap().killed);
}
