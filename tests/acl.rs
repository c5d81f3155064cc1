//! Users and their rights: random rules and commands compared with other servers, and what only a whole server shows.

#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use ackd::command::table;
use ackd::resp::Value;
use support::client::Client;
use support::oracle::Oracle;
use support::process::{Program, Server};

const KEYS: [&str; 5] = ["a", "ab", "b", "key:1", "x"];
const CHANNELS: [&str; 4] = ["news", "news.1", "c", "*"];

/// Commands as users give them; `K` is a key, `C` a channel.
const COMMANDS: &[&str] = &[
    "GET K",
    "SET K 1",
    "SET K 1 GET",
    "SET K 1 NX",
    "GETSET K 1",
    "GETEX K",
    "GETDEL K",
    "APPEND K 1",
    "STRLEN K",
    "EXISTS K K",
    "TYPE K",
    "DEL K K",
    "UNLINK K",
    "TOUCH K",
    "MGET K K",
    "MSET K 1 K 2",
    "INCR K",
    "COPY K K",
    "RENAME K K",
    "EXPIRE K 100",
    "TTL K",
    "PERSIST K",
    "OBJECT ENCODING K",
    "OBJECT HELP",
    "LPUSH K 1",
    "LRANGE K 0 -1",
    "LMOVE K K LEFT RIGHT",
    "LLEN K",
    "LPOP K",
    "BLPOP K K 0.001",
    "SADD K 1",
    "SMEMBERS K",
    "SMOVE K K 1",
    "SINTERSTORE K K K",
    "SUNION K K",
    "SCARD K",
    "ZADD K 1 m",
    "ZRANGE K 0 -1",
    "ZRANGESTORE K K 0 -1",
    "ZUNIONSTORE K 2 K K",
    "ZDIFF 2 K K",
    "ZSCORE K m",
    "HSET K f v",
    "HGET K f",
    "HLEN K",
    "HDEL K f",
    "XADD K 1-1 f v",
    "XLEN K",
    "XREAD STREAMS K 0",
    "XGROUP CREATE K g $",
    "PFADD K 1",
    "PFCOUNT K",
    "PFMERGE K K",
    "SETBIT K 1 1",
    "GETBIT K 1",
    "BITOP AND K K K",
    "BITFIELD K GET u8 0",
    "BITFIELD K SET u8 0 1",
    "BITFIELD_RO K GET u8 0",
    "GEOADD K 1 1 m",
    "GEOSEARCH K FROMLONLAT 1 1 BYRADIUS 1 m",
    "SORT K",
    "SORT K BY nosort",
    "SORT K BY w* GET #",
    "SORT K STORE K",
    "SORT_RO K GET x*",
    "EVAL return(1) 1 K",
    "EVAL return(1) 0",
    "EVAL_RO return(1) 2 K K",
    "PUBLISH C m",
    "SPUBLISH C m",
    "CONFIG GET hz",
    "CONFIG RESETSTAT",
    "SELECT 0",
    "SELECT 1",
    "DBSIZE",
    "PING",
    "ECHO x",
    "KEYS *",
    "SCAN 0",
    "CLIENT GETNAME",
    "CLIENT ID",
    "ACL WHOAMI",
    "ACL CAT nosuch",
    "COMMAND COUNT",
    "MEMORY USAGE K",
    "WATCH K",
    "UNWATCH",
    "TIME",
    "SLOWLOG LEN",
    "FLUSHDB",
    "LATENCY RESET",
    "PUBSUB NUMPAT",
    "WAIT 0 0",
    "DUMP K",
    "SUBSTR K 0 1",
    "GEORADIUS K 1 1 1 m STORE K",
    "LCS K K",
];

struct Draw(fastrand::Rng);

impl Draw {
    fn of<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.0.usize(..from.len())]
    }

    fn command(&mut self) -> Vec<String> {
        let template = self.of(COMMANDS);
        template
            .split(' ')
            .map(|word| match word {
                "K" => self.of(&KEYS).into(),
                "C" => self.of(&CHANNELS[..3]).into(),
                other => other.to_owned(),
            })
            .collect()
    }

    fn key_rule(&mut self) -> String {
        let sign = self.of(&["~", "~", "%R~", "%W~", "%RW~", "%r~", "%WR~"]);
        let pattern = self.of(&["a*", "ab", "key:*", "*", "b", "[ab]", "x", "?"]);
        format!("{sign}{pattern}")
    }

    fn command_rule(&mut self, names: &[&str]) -> String {
        let sign = self.of(&["+", "+", "-"]);
        match self.0.u32(..12) {
            0..=4 => format!("{sign}{}", self.of(names)),
            5..=7 => {
                let categories = [
                    "read",
                    "write",
                    "keyspace",
                    "string",
                    "set",
                    "sortedset",
                    "list",
                    "hash",
                    "fast",
                    "slow",
                    "dangerous",
                    "admin",
                    "connection",
                    "pubsub",
                    "scripting",
                    "blocking",
                    "transaction",
                    "bitmap",
                    "stream",
                    "geo",
                    "all",
                ];
                format!("{sign}@{}", self.of(&categories))
            }
            8 => {
                self.of(&["+select|0", "+select|1", "+get|a", "+set|A", "+select|0|1", "+get|", "+config|get|x"]).into()
            }
            9 => self.of(&["allcommands", "nocommands", "+@all", "-@all"]).into(),
            10 => format!("{sign}{}", self.of(names).to_uppercase()),
            _ => self.of(&["+nosuch", "-nosuch", "+@nosuch", "-select|0", "+client|nosuch", "-config|get"]).into(),
        }
    }

    fn selector_rule(&mut self, names: &[&str]) -> String {
        match self.0.u32(..20) {
            0..=9 => self.command_rule(names),
            10..=14 => self.key_rule(),
            15..=17 => format!("&{}", self.of(&["news*", "news", "*", "c", "?"])),
            18 => self.of(&["allkeys", "resetkeys", "allchannels", "resetchannels"]).into(),
            _ => self.of(&["%Q~a", "%~a", "%R", "~a b", "&a b", "foo", "", "~"]).into(),
        }
    }

    fn rule(&mut self, names: &[&str]) -> String {
        match self.0.u32(..24) {
            0..=15 => self.selector_rule(names),
            16..=17 => self
                .of(&["on", "on", "off", "OFF", "nopass", "resetpass", "sanitize-payload", "skip-sanitize-payload"])
                .into(),
            18..=19 => self.of(&[">pw", ">pw", ">other", "<pw", "<nosuch", "#abc", "!abc"]).into(),
            20 => self.of(&["reset", "clearselectors", "clearselectors"]).into(),
            _ => {
                let rules: Vec<String> = (0..self.0.usize(..4)).map(|_| self.selector_rule(names)).collect();
                format!("({})", rules.join(" "))
            }
        }
    }
}

/// Full names of the commands that both servers have.
fn common(oracle: &mut Client) -> Vec<&'static str> {
    let words =
        |value: &Value| value.elements().unwrap().iter().map(|name| name.text().unwrap()).collect::<BTreeSet<_>>();
    let theirs = words(&oracle.command("COMMAND LIST"));
    // `restore-asking`, `psync` and their like are in one of them only.
    let is_common =
        |row: &&table::Row| theirs.contains(row.container.map_or(row.spec.name, |container| container.name));
    let known = |row: &&table::Row| {
        row.container.is_none()
            || oracle
                .command(&format!("COMMAND INFO {}", row.spec.name))
                .elements()
                .is_some_and(|found| found.first().is_some_and(|first| first.elements().is_some()))
    };
    table::rows().iter().filter(is_common).filter(known).map(|row| row.spec.name).collect()
}

/// The parts of ACL LOG that do not depend on the time or on the connection.
fn log(client: &mut Client) -> Vec<String> {
    let entries = client.command("ACL LOG 50");
    let parts = |entry: &Value| {
        let fields = entry.elements().unwrap();
        (0..5).map(|at| fields[2 * at + 1].to_string()).collect::<Vec<_>>().join(" ")
    };
    entries.elements().unwrap().iter().map(parts).collect()
}

fn compare(oracle: Oracle, seeds: std::ops::Range<u64>) {
    let Some(program) = oracle.program() else { return };
    let (ours, theirs) = (Program::ackd().start(), program.start());
    let names = common(&mut theirs.client());
    assert!(names.len() > 300, "{}", names.len());
    for seed in seeds {
        let mut draw = Draw(fastrand::Rng::with_seed(seed));
        let mut servers = [ours.client(), theirs.client()];
        let both = |servers: &mut [Client; 2], words: &[String], after: &[Vec<String>]| {
            let [one, two] = servers.each_mut().map(|client| client.call(words).unwrap().value);
            assert_eq!(one, two, "seed {seed}: {words:?} after {after:#?}");
            one
        };
        let line = |text: &str| text.split(' ').map(String::from).collect::<Vec<String>>();
        both(&mut servers, &line("FLUSHALL"), &[]);
        both(&mut servers, &line("ACL LOG RESET"), &[]);
        servers.iter_mut().for_each(|client| _ = client.command("ACL DELUSER u"));
        let mut done: Vec<Vec<String>> = Vec::new();
        for _ in 0..draw.0.usize(1..5) {
            let mut words = line("ACL SETUSER u");
            words.extend((0..draw.0.usize(..6)).map(|_| draw.rule(&names)));
            both(&mut servers, &words, &done);
            done.push(words);
            both(&mut servers, &line("ACL GETUSER u"), &done);
            both(&mut servers, &line("ACL LIST"), &done);
        }
        // Most rules leave little; some rights make the commands below more telling.
        if draw.0.bool() {
            let mut words = line("ACL SETUSER u on nopass");
            words.push(draw.of(&["+@all", "+@read", "+@write", "+@all"]).into());
            words.push(draw.of(&["resetkeys", "+ping"]).into());
            both(&mut servers, &words, &done);
            done.push(words);
        }
        for _ in 0..25 {
            let mut words = line("ACL DRYRUN u");
            words.extend(draw.command());
            both(&mut servers, &words, &done);
        }
        let mut users = [ours.client(), theirs.client()];
        let login = line(&format!("AUTH u {}", draw.of(&["pw", "pw", "other", "x"])));
        both(&mut users, &login, &done);
        done.push(login);
        for _ in 0..15 {
            let words = draw.command();
            // What is allowed is compared elsewhere: here counts whether it is, and how it is denied.
            let denial = |client: &mut Client| {
                let reply = client.call(&words).unwrap().value;
                let codes = ["NOPERM", "NOAUTH", "ERR ACL", "ERR BY", "ERR GET"];
                reply.text().filter(|text| reply.is_error() && codes.iter().any(|code| text.starts_with(code)))
            };
            let [one, two] = users.each_mut().map(denial);
            assert_eq!(one, two, "seed {seed}: {words:?} after {done:#?}");
            done.push(words);
        }
        let [one, two] = servers.each_mut().map(log);
        assert_eq!(one, two, "seed {seed}: ACL LOG after {done:#?}");
    }
}

fn sessions() -> u64 {
    std::env::var("ACKD_ACL_SESSIONS").ok().and_then(|text| text.parse().ok()).unwrap_or(150)
}

#[test]
fn random_users_may_do_the_same_as_in_valkey() {
    compare(Oracle::Valkey, 0..sessions());
}

fn info(client: &mut Client, name: &str) -> u64 {
    support::tools::info(client, name)
}

fn restarted_with(server: &mut Server, file: &str) -> Result<(), String> {
    std::fs::write(server.dir().join("users.acl"), file).unwrap();
    server.kill();
    server.try_start()
}

#[test]
fn users_are_kept_in_their_file_all_of_them_or_none() {
    let users = "user default on nopass ~* &* +@all\nuser alice on >pw ~a* -@all +get +set\n";
    let mut server = Program::ackd()
        .with("aclfile", "users.acl")
        .start_with(|dir| std::fs::write(dir.join("users.acl"), users).unwrap());
    let mut operator = server.client();
    let mut alice = server.client();
    assert_eq!(alice.command("AUTH alice pw").text().unwrap(), "OK");
    assert!(alice.command("GET a").is_null());
    assert!(alice.command("DEL a").text().unwrap().starts_with("NOPERM"));
    assert_eq!(info(&mut operator, "acl_access_denied_cmd"), 1);
    // A file with an error changes nothing; its lines are named.
    std::fs::write(server.dir().join("users.acl"), format!("{users}user bob +nosuch\nuser alice on\nnonsense\n"))
        .unwrap();
    let refused = operator.command("ACL LOAD").text().unwrap();
    for part in [
        ":3: Error in applying operation '+nosuch': Unknown command",
        "Duplicate user 'alice' found on line 4.",
        ":5 should start with user keyword",
        "no change to the previously active ACL rules was performed",
    ] {
        assert!(refused.contains(part), "{part}: {refused}");
    }
    assert!(alice.command("GET a").is_null());
    // A rule about a password is not repeated: what is said here is logged.
    std::fs::write(server.dir().join("users.acl"), "user alice <S3CRET\nuser bob #S3CRET\nuser carol &* &x\n").unwrap();
    let refused = operator.command("ACL LOAD").text().unwrap();
    assert!(refused.contains(":1: The password you are trying to remove") && refused.contains(":2: The password hash"));
    assert!(!refused.contains("S3CRET") && !server.output().contains("S3CRET"), "{refused}");
    // A user that is gone takes its connections along; another keeps them.
    operator.command("ACL SETUSER carol on nopass +ping");
    let mut carol = server.client();
    carol.command("AUTH carol x");
    assert_eq!(operator.command("ACL SAVE").text().unwrap(), "OK");
    let saved = std::fs::read_to_string(server.dir().join("users.acl")).unwrap();
    assert_eq!(saved.lines().count(), 3);
    std::fs::write(
        server.dir().join("users.acl"),
        saved.replace("-@all +get +set", "-@all +get").replace("carol", "dave"),
    )
    .unwrap();
    assert_eq!(operator.command("ACL LOAD").text().unwrap(), "OK");
    assert!(carol.call(&["PING"]).is_err());
    assert!(alice.command("SET a 1").text().unwrap().starts_with("NOPERM"));
    server.kill();
    server.start();
    let mut operator = server.client();
    assert_eq!(operator.command("ACL USERS").to_string(), "[\"alice\", \"dave\", \"default\"]");
    assert!(restarted_with(&mut server, "user alice +nosuch\n").unwrap_err().contains("ACL errors"));
}

#[test]
fn users_of_the_settings_file_are_all_there_is_to_them_and_make_no_sense_beside_another_file() {
    let settings = "user alice on >pw ~* +@all\nuser default on nopass +@read +ping ~*\nrename-command FLUSHALL \"\"\nrename-command GET fetch\n";
    let configured = |dir: &Path| std::fs::write(dir.join("extra.conf"), settings).unwrap();
    let mut server = Program::ackd().with("include", "extra.conf").start_with(configured);
    let mut client = server.client();
    assert!(
        client.command("SET k v").text().unwrap().starts_with("NOPERM"),
        "the default user has only what its line says"
    );
    client.command("AUTH alice pw");
    assert_eq!(client.command("SET k v").text().unwrap(), "OK");
    assert_eq!(client.command("fetch k").text().unwrap(), "v");
    assert!(client.command("GET k").text().unwrap().starts_with("ERR unknown command"));
    assert!(client.command("FLUSHALL").text().unwrap().starts_with("ERR unknown command"));
    server.kill();
    for (wrong, why) in [
        ("user alice on\nuser alice off\n", "Duplicate user found"),
        ("user alice +nosuch\n", "Unknown command or category name in ACL"),
        ("rename-command nosuch x\n", "No such command"),
        ("aclfile users.acl\nuser alice on\n", "define either an ACL file or declare users directly"),
        ("aclfile nosuch.acl\n", "opening file"),
    ] {
        std::fs::write(server.dir().join("extra.conf"), wrong).unwrap();
        let refused = server.try_start().unwrap_err();
        assert!(refused.contains(why), "{wrong}: {refused}");
    }
}

#[test]
fn a_rewritten_settings_file_has_the_users_of_that_moment() {
    let mut server = Program::ackd()
        .with("include", "extra.conf")
        .start_with(|dir| std::fs::write(dir.join("extra.conf"), "").unwrap());
    let mut operator = server.client();
    operator.command("ACL SETUSER alice on >pw ~a* +@read (+set ~b)");
    let stated = |server: &Server| {
        let text = std::fs::read_to_string(server.dir().join("server.conf")).unwrap();
        text.lines().filter(|line| line.starts_with("user ")).map(|line| format!("{line}\n")).collect::<String>()
    };
    for rewrite in ["CONFIG REWRITE", "CONFIG REWRITE", "DEBUG CONFIG-REWRITE-FORCE-ALL"] {
        assert_eq!(operator.command(rewrite).text().unwrap(), "OK");
        assert_eq!(stated(&server).lines().count(), 2, "{rewrite}: alice, and the default user");
    }
    let lines = stated(&server);
    server.kill();
    std::fs::write(server.dir().join("extra.conf"), &lines).unwrap();
    server.start();
    let mut alice = server.client();
    assert_eq!(alice.command("AUTH alice pw").text().unwrap(), "OK");
    assert_eq!(alice.command("SET b 1").text().unwrap(), "OK");
    assert!(alice.command("SET a 1").text().unwrap().starts_with("NOPERM"));
    // Who is no more is in the file no more.
    let mut operator = server.client();
    operator.command("ACL DELUSER alice");
    operator.command("CONFIG REWRITE");
    assert_eq!(stated(&server), "");
}

#[test]
fn nothing_is_answered_before_the_password_but_what_redis_answers() {
    let server = Program::ackd().with("requirepass", "secret").start();
    let allowed = ["auth", "hello", "quit", "reset"];
    for row in table::commands().iter().filter(|row| !allowed.contains(&row.spec.name)) {
        let mut client = server.client();
        let words: Vec<String> = std::iter::once(row.spec.name.to_owned())
            .chain(row.subcommands().first().map(|sub| sub.spec.short_name().to_owned()))
            .chain((0..16).map(|number| number.to_string()))
            .collect();
        let needed = row.subcommands().first().map_or(row.spec.arity, |sub| sub.spec.arity).unsigned_abs() as usize;
        let reply = client.call(&words[..needed.max(1)]).unwrap().value;
        let text = reply.text().unwrap_or_default();
        assert!(
            text.contains("NOAUTH") || text.starts_with("ERR DEBUG command not allowed"),
            "{}: {reply}",
            row.spec.name
        );
    }
    let mut client = server.client();
    client.set_timeout(Duration::from_secs(5)).unwrap();
    assert_eq!(client.command("AUTH secret").text().unwrap(), "OK");
}
