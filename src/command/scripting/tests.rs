//! Scripts and functions, on an engine with its shadow.

use crate::command::harness::Harness;
use crate::command::shadow;

fn eval(harness: &mut Harness, script: &str) -> String {
    let words: [&[u8]; 3] = [b"EVAL", script.as_bytes(), b"0"];
    let reply = harness.run_words(harness.client, &words);
    String::from_utf8_lossy(&reply).trim_end().replace("\r\n", " ")
}

#[test]
fn the_effects_of_a_script_are_one_unit() {
    let mut harness = Harness::new();
    assert_eq!(eval(&mut harness, "return redis.call('get', 'a')"), "$-1");
    assert_eq!(harness.effects(), "");
    assert_eq!(
        eval(&mut harness, "redis.call('set', 'a', 1) redis.call('incr', 'a') return redis.call('get', 'a')"),
        "$1 2"
    );
    assert_eq!(harness.effects(), "SELECT 0 | MULTI | SET a 1 | incr a | EXEC");
    // What was done before an error stays, as in Redis.
    let reply = eval(&mut harness, "redis.call('set', 'a', 5) return redis.call('lpush', 'a', 1)");
    assert!(
        reply.starts_with("-WRONGTYPE Operation against a key holding the wrong kind of value script: "),
        "{reply}"
    );
    assert!(reply.ends_with(", on @user_script:1."), "{reply}");
    assert_eq!(harness.effects(), "SELECT 0 | SET a 5");
    assert_eq!(harness.run("GET a"), "$1 5");
    // A database that a script selects is its own.
    assert_eq!(
        eval(&mut harness, "redis.call('select', 3) redis.call('set', 'b', 1) return redis.call('dbsize')"),
        ":1"
    );
    assert_eq!(harness.effects(), "SELECT 3 | SET b 1");
    assert_eq!(harness.run("GET b"), "$-1");
    harness.run("MULTI");
    harness.run("EVAL \"return redis.call('incr', KEYS[1])\" 1 a");
    harness.run("INCR a");
    assert_eq!(harness.run("EXEC"), "*2 :6 :7");
    assert_eq!(harness.effects(), "SELECT 0 | MULTI | incr a | INCR a | EXEC");
}

#[test]
fn a_reply_waits_for_what_the_script_saw() {
    let mut harness = Harness::new();
    let other = harness.connect();
    assert_eq!(harness.run_unsynced(harness.client, "SET a 1"), "", "it is not durable yet");
    assert_eq!(harness.run_unsynced(other, "EVAL \"return 7\" 0"), ":7", "it saw nothing");
    assert_eq!(harness.run_unsynced(other, "EVAL \"return #redis.call('get', 'a')\" 0"), "");
    harness.sync();
    assert_eq!(harness.receive(other), b":1\r\n");
}

#[test]
fn values_cross_over_both_ways() {
    let mut harness = Harness::new();
    for (script, reply) in [
        ("return {1, 2, 3.9, 'x', nil, 4}", "*4 :1 :2 :3 $1 x"),
        ("return {true, false}", "*2 :1 $-1"),
        ("return {ok = 'a\\nb'}", "+a b"),
        ("return {err = 'MY a\\nb'}", "-MY a b"),
        ("return 1e300", ":-9223372036854775808"),
        ("return redis.error_reply('gone')", "-ERR gone"),
        ("return redis.error_reply('-GONE for good')", "-GONE for good"),
        ("return redis.error_reply({})", "-ERR wrong number or type of arguments"),
        ("return redis.status_reply('x')", "+x"),
        ("return {double = 3.5}", "$3 3.5"),
        ("return {map = {a = 1}}", "*2 $1 a :1"),
        ("return {set = {a = true}}", "*1 $1 a"),
        ("return {verbatim_string = {string = 'x', format = 'txt'}}", "$1 x"),
        ("return {big_number = '12'}", "$2 12"),
        ("return type(redis.call('get', 'none'))", "$7 boolean"),
        ("return redis.call('set', 'f', 0.1) and redis.call('get', 'f')", "$3 0.1"),
        ("redis.setresp(3) return type(redis.call('get', 'none'))", "$3 nil"),
        ("redis.setresp(3) return redis.call('config', 'get', 'x')", ""),
        ("redis.setresp(3) return redis.call('hgetall', 'none').map and 1", ":1"),
        ("return redis.sha1hex('')", "$40 da39a3ee5e6b4b0d3255bfef95601890afd80709"),
        ("return #redis.call('ping').ok", ":4"),
        ("return redis.pcall('nosuch').err", "$46 ERR Unknown Redis command called from script"),
        ("local t = {} t[1] = t return t", ""),
    ] {
        let got = eval(&mut harness, script);
        if reply.is_empty() {
            assert!(got.contains('-'), "{script}: {got}");
        } else {
            // The text's length is not the point of the test.
            let (got, reply) = (got.replace("$44", "$46"), reply.to_owned());
            assert_eq!(got, reply, "{script}");
        }
    }
    harness.run("HELLO 3");
    assert_eq!(eval(&mut harness, "return {double = 3.5}"), ",3.5");
    assert_eq!(eval(&mut harness, "return {map = {a = 1}}"), "%1 $1 a :1");
    assert_eq!(eval(&mut harness, "return {set = {a = true}}"), "~1 $1 a");
    assert_eq!(eval(&mut harness, "return {big_number = '12'}"), "(12");
    assert_eq!(eval(&mut harness, "return {true, false}"), "*2 :1 _");
    assert_eq!(eval(&mut harness, "redis.setresp(3) return {true, false}"), "*2 #t #f");
}

#[test]
fn a_script_changes_nothing_for_the_next() {
    let mut harness = Harness::new();
    let mut error = |script: &str| eval(&mut harness, script).split(" script: ").next().unwrap_or_default().to_owned();
    let readonly = "-ERR user_script:1: Attempt to modify a readonly table";
    for script in [
        "x = 1",
        "redis.call = 1",
        "_G.redis = 1",
        "string.format = 1",
        "getmetatable('').__index.x = 1",
        "getmetatable(_G).__index = {}",
        "getmetatable(_G).x = 1",
        "getmetatable(_G).__index.x = 1",
        "getmetatable(_G).__index.string.format = 1",
        "getmetatable('').x = 1",
    ] {
        assert_eq!(error(script), readonly, "{script}");
    }
    for script in [
        "setmetatable(_G, {})",
        "setmetatable(redis, {})",
        "setmetatable(getmetatable(_G), {})",
        "rawset(_G, 'x', 1)",
        "rawset(redis, 'x', 1)",
        "table.insert(_G, 'x')",
        "table.insert(string, 'x')",
        "table.remove(string)",
        "table.sort(redis)",
        "error(redis)",
        "error(_G)",
    ] {
        assert_eq!(error(script), "-ERR Attempt to modify a readonly table", "{script}");
    }
    for name in
        ["x", "print", "debug", "require", "dofile", "loadfile", "setfenv", "getfenv", "io", "newproxy", "module"]
    {
        assert_eq!(
            error(&format!("return {name}")),
            format!("-ERR user_script:1: Script attempted to access nonexistent global variable '{name}'")
        );
    }
    for (script, reply) in [
        ("return tostring(getmetatable(redis))", "$3 nil"),
        ("return loadstring('return type(redis.call)')()", "$8 function"),
        (
            "return select(2, pcall(loadstring('x = 1')))",
            "$54 [string \"x = 1\"]:1: Attempt to modify a readonly table",
        ),
        ("return loadstring(string.dump(function() end)) and 1 or 0", ":0"),
        ("return tostring(math.random())", "$16 0.39646477363839"),
        ("return tostring(os.time)", "$3 nil"),
        ("local f = coroutine.wrap(function() return redis.call('ping') end) return f()", "+PONG"),
        ("return ('x'):rep(3)", "$3 xxx"),
        ("return rawget(_G, 'redis') == redis and #rawget(string, 'rep')('x', 3)", ":3"),
        ("return tostring(rawget({a = 1}, 'a'))", "$1 1"),
        ("collectgarbage('stop') collectgarbage('setpause', 1000000) return collectgarbage('count') > 0", ":1"),
        ("return {unpack({1, 2, 3}, 2)}", "*2 :2 :3"),
        ("return #{unpack({}, 1, 7000)}", ":0"),
        ("return {string.find('abc', 'b', 1, true), ('abc'):gsub('b', 'x')}", "*3 :2 $3 axc :1"),
        ("return (string.find(string.rep('a', 30000), string.rep('a', 20000)))", ":1"),
    ] {
        let got = eval(&mut harness, script);
        assert_eq!(got, reply, "{script}");
    }
}

#[test]
fn what_would_end_the_process_is_an_error() {
    let mut harness = Harness::new();
    for (script, text) in [
        ("return unpack({}, 0, 2147483647)", "too many results to unpack"),
        ("return unpack({}, -2147483647, 2147483647)", "too many results to unpack"),
        ("return unpack({}, 2147483648, 5)", "too many results to unpack"),
        ("return unpack({}, 0/0)", "too many results to unpack"),
        ("return string.find(string.rep('a', 60000), string.rep('a?', 60000))", "pattern too complex"),
        ("return (string.rep('a', 60000)):match(string.rep('a?', 60000))", "pattern too complex"),
        ("return string.gsub('a', string.rep('a?', 60000), '')", "pattern too complex"),
        ("return string.gmatch('a', string.rep('a?', 60000))", "pattern too complex"),
        ("return string.find()", "bad argument #1 to 'find' (string expected, got no value)"),
        (
            "return string.rep('a?', 8000) .. unpack({1}, {})",
            "bad argument #2 to 'unpack' (number expected, got table)",
        ),
    ] {
        let reply = eval(&mut harness, script);
        assert!(reply.starts_with(&format!("-ERR user_script:1: {text} script: ")), "{script}: {reply}");
    }
    // The most that is let through, on the stack that scripts have.
    let deep = "return (string.find(string.rep('a', 8000), string.rep('a?', 8000)))";
    assert_eq!(eval(&mut harness, deep), ":1");
    let nested = "local function f(n) if n == 0 then return 'x' end return (('x'):gsub('x', function() return f(n - 1) end)) end \
                  return {pcall(f, 150)}";
    assert!(!eval(&mut harness, nested).is_empty());
}

#[test]
fn answers_about_functions_wait_for_the_last_change_of_them() {
    let load = "FUNCTION LOAD \"#!lua name=l\\nredis.register_function('f', function() return 7 end)\"";
    for (change, question) in [
        (load, "FCALL f 0"),
        (load, load),
        (load, "FUNCTION LIST"),
        (load, "FUNCTION DUMP"),
        (load, "FUNCTION STATS"),
        ("FUNCTION DELETE l", "FCALL f 0"),
        ("FUNCTION DELETE l", "FUNCTION DELETE l"),
        ("FUNCTION FLUSH", "FUNCTION FLUSH"),
        ("FUNCTION FLUSH", "FUNCTION LIST"),
    ] {
        let mut harness = Harness::new();
        let other = harness.connect();
        if change != load {
            harness.run(load);
        }
        assert_eq!(harness.run_unsynced(harness.client, change), "");
        assert_eq!(harness.run_unsynced(other, question), "", "{change}, {question}");
        harness.sync();
        assert!(!harness.receive(other).is_empty());
    }
}

#[test]
fn a_restore_that_leaves_nothing_is_a_change_like_any() {
    let mut harness = Harness::new();
    let other = harness.connect();
    let dump = harness.run_words(harness.client, &[b"FUNCTION", b"DUMP"]);
    let start = dump.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    let nothing = dump[start..dump.len() - 2].to_vec();
    harness.run("FUNCTION LOAD \"#!lua name=l\\nredis.register_function('f', function() return 7 end)\"");
    harness.effects();
    harness.execute(harness.client, &[b"FUNCTION", b"RESTORE", &nothing, b"FLUSH"]);
    assert_eq!(harness.run_unsynced(other, "FCALL f 0"), "", "that it is gone waits for the disk");
    harness.sync();
    assert_eq!(harness.receive(other), b"-ERR Function not found\r\n");
    assert_eq!(harness.effects(), "SELECT 0 | FUNCTION FLUSH");
}

#[test]
fn what_did_not_change_a_library_does_not_begin_it_anew() {
    let mut harness = Harness::new();
    harness.run(
        "FUNCTION LOAD \"#!lua name='l'\\nlocal n = 0 redis.register_function('f', function() n = n + 1 return n end)\"",
    );
    assert_eq!(harness.run("FCALL f 0"), ":1");
    assert_eq!(harness.run("FUNCTION DELETE nosuch"), "-ERR Library not found");
    assert!(harness.run("FUNCTION LOAD \"#!lua name=x\\nreturn (\"").starts_with("-ERR Error compiling function"));
    assert_eq!(harness.run("FCALL f 0"), ":2");
    assert_eq!(harness.run("FUNCTION DELETE l"), "+OK");
}

#[test]
fn errors_say_where_they_are() {
    let mut harness = Harness::new();
    for (script, text) in [
        ("error('boom')", "ERR user_script:1: boom"),
        ("error({err = 'BOOM now'})", "BOOM now"),
        ("error({})", "ERR unknown error"),
        ("error()", "ERR nil"),
        ("return redis.call()", "ERR Please specify at least one argument for this redis lib call"),
        ("return redis.call('get')", "ERR Wrong number of args calling Redis command from script"),
        ("return redis.call('get', {})", "ERR Lua redis lib command arguments must be strings or integers"),
        ("return redis.call('eval', 'return 1', 0)", "ERR This Redis command is not allowed from script"),
        ("return redis.setresp(4)", "ERR RESP version must be 2 or 3."),
        ("return redis.log(1)", "ERR redis.log() requires two arguments or more."),
        ("return redis.sha1hex()", "ERR wrong number of arguments"),
        ("return nil .. 'x'", "ERR user_script:1: attempt to concatenate a nil value"),
    ] {
        let reply = eval(&mut harness, script);
        assert!(
            reply.starts_with(&format!("-{text} script: ")) && reply.ends_with(", on @user_script:1."),
            "{script}: {reply}"
        );
    }
    let reply = eval(&mut harness, "return return");
    assert_eq!(reply, "-ERR Error compiling script (new function): user_script:1: unexpected symbol near 'return'");
    assert_eq!(harness.run("EVAL 'return 1' x"), "-ERR value is not an integer or out of range");
    assert_eq!(harness.run("EVAL 'return 1' 2 a"), "-ERR Number of keys can't be greater than number of args");
    assert_eq!(harness.run("EVAL 'return 1' -1 a"), "-ERR Number of keys can't be negative");
    let long = eval(&mut harness, "local a\n\nreturn a.b");
    assert!(long.ends_with(", on @user_script:3."), "{long}");
}

#[test]
fn scripts_are_cached_by_their_digest() {
    let mut harness = Harness::new();
    let digest = "e0e1f9fabfc9d4800c877a703b823ac0578ff8db";
    assert_eq!(harness.run(&format!("EVALSHA {digest} 0")), "-NOSCRIPT No matching script. Please use EVAL.");
    assert_eq!(harness.run("SCRIPT LOAD 'return 1'"), format!("$40 {digest}"));
    assert_eq!(harness.run(&format!("EVALSHA {} 0", digest.to_uppercase())), ":1");
    assert_eq!(harness.run(&format!("SCRIPT EXISTS {digest} abc")), "*2 :1 :0");
    assert_eq!(harness.run(&format!("SCRIPT SHOW {digest}")), "$8 return 1");
    for number in 0..600 {
        assert_eq!(eval(&mut harness, &format!("return {number} + 0")), format!(":{number}"));
    }
    assert_eq!(harness.engine.scripts.cache.len(), 501, "those that came with EVAL are limited");
    assert_eq!(harness.engine.scripts.cache.evicted, 100);
    assert_eq!(harness.run(&format!("SCRIPT EXISTS {digest}")), "*1 :1", "that of SCRIPT LOAD stays");
    assert_eq!(harness.run("SCRIPT FLUSH ASYNC"), "+OK");
    assert_eq!(harness.run(&format!("EVALSHA {digest} 0")), "-NOSCRIPT No matching script. Please use EVAL.");
    assert_eq!(harness.run("SCRIPT FLUSH x"), "-ERR SCRIPT FLUSH only support SYNC|ASYNC option");
    assert_eq!(harness.run("SCRIPT KILL"), "-NOTBUSY No scripts in execution right now.");
    assert_eq!(harness.effects(), "", "scripts are no data");
}

#[test]
fn scripts_that_only_read_cannot_write() {
    let mut harness = Harness::new();
    let refused = "-ERR Write commands are not allowed from read-only scripts.";
    assert!(harness.run("EVAL_RO \"return redis.call('set', 'a', 1)\" 0").starts_with(refused));
    assert!(eval(&mut harness, "#!lua flags=no-writes\nreturn redis.call('set', 'a', 1)").starts_with(refused));
    assert_eq!(
        harness.run("EVAL_RO \"#!lua\\nreturn 1\" 0"),
        "-ERR Can not execute a script with write flag using *_ro command."
    );
    assert_eq!(harness.run("EVAL_RO \"return 1\" 0"), ":1");
    assert_eq!(harness.effects(), "");
}

#[test]
fn functions_are_data() {
    let mut harness = Harness::new();
    let load = |harness: &mut Harness, code: &str| {
        let words: [&[u8]; 4] = [b"FUNCTION", b"LOAD", b"REPLACE", code.as_bytes()];
        String::from_utf8_lossy(&harness.run_words(harness.client, &words)).trim_end().replace("\r\n", " ")
    };
    let code = "#!lua name=lib\nlocal calls = 0\nredis.register_function('count', function(keys) calls = calls + 1 return \
                redis.call('incrby', keys[1], calls) end)\nredis.register_function{function_name = 'look', callback = \
                function(k, a) return {#k, a[1]} end, flags = {'no-writes'}, description = 'looks'}";
    assert_eq!(load(&mut harness, code), "$3 lib");
    assert!(harness.effects().starts_with("SELECT 0 | FUNCTION LOAD REPLACE #!lua name=lib"));
    assert_eq!(harness.run("FCALL count 1 a"), ":1");
    assert_eq!(harness.run("FCALL count 1 a"), ":3");
    assert_eq!(harness.effects(), "SELECT 0 | incrby a 1 | incrby a 2");
    assert_eq!(harness.run("FCALL_RO look 2 a b c"), "*2 :2 $1 c");
    assert_eq!(harness.run("FCALL nope 0"), "-ERR Function not found");
    assert_eq!(harness.run("FCALL count x"), "-ERR Bad number of keys provided");
    assert!(harness.run("FUNCTION LIST LIBRARYNAME l*").contains("$11 description $5 looks $5 flags *1 +no-writes"));
    assert!(harness.run("FUNCTION STATS").contains("$15 libraries_count :1 $15 functions_count :2"));
    for (code, error) in [
        ("#!lua name=lib\nreturn 1", "ERR No functions registered"),
        (
            "#!lua name=x\nerror('a')",
            "ERR Error registering functions: ERR user_function:2: Script attempted to access \
                                      nonexistent global variable 'error'",
        ),
        (
            "#!lua name=x\nredis.call('ping')",
            "ERR Error registering functions: ERR user_function:2: Script attempted to access \
                                             nonexistent global variable 'call'",
        ),
        ("#!lua name=x\nreturn (", "ERR Error compiling function: user_function:2: unexpected symbol near '<eof>'"),
        ("#!lua name=x\nredis.register_function('look', function() end)", "ERR Function look already exists"),
        (
            "#!lua name=x\nredis.register_function('a')",
            "ERR Error registering functions: ERR calling \
            redis.register_function with a single argument is only applicable to Lua table (representing named arguments).",
        ),
        (
            "#!lua name=x\nx = 1",
            "ERR Error registering functions: ERR user_function:2: Attempt to modify a readonly table",
        ),
    ] {
        assert_eq!(load(&mut harness, code), format!("-{error}"), "{code}");
    }
    assert_eq!(harness.run("FCALL count 1 a"), ":6", "a library that does not load changes nothing");
    // A copy that begins from the data calls them anew.
    shadow::attach(&mut harness.engine);
    let dump = harness.run_words(harness.client, &[b"FUNCTION", b"DUMP"]);
    let start = dump.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    let payload = dump[start..dump.len() - 2].to_vec();
    assert_eq!(harness.run("FUNCTION DELETE lib"), "+OK");
    assert_eq!(harness.run("FUNCTION DELETE lib"), "-ERR Library not found");
    assert_eq!(harness.run("FCALL count 1 a"), "-ERR Function not found");
    let restore = |harness: &mut Harness, policy: &[u8]| {
        let reply = harness.run_words(harness.client, &[b"FUNCTION", b"RESTORE", &payload, policy]);
        String::from_utf8_lossy(&reply).trim_end().to_owned()
    };
    assert_eq!(restore(&mut harness, b"APPEND"), "+OK");
    assert_eq!(restore(&mut harness, b"APPEND"), "-ERR Library 'lib' already exists");
    assert_eq!(restore(&mut harness, b"REPLACE"), "+OK");
    assert_eq!(restore(&mut harness, b"FLUSH"), "+OK");
    assert_eq!(harness.run("FCALL count 1 a"), ":7", "its variables began anew");
    assert_eq!(harness.run("FUNCTION RESTORE abc"), "-ERR DUMP payload version or checksum are wrong");
    harness.effects();
    assert_eq!(harness.run("FUNCTION FLUSH ASYNC"), "+OK");
    assert_eq!(harness.effects(), "SELECT 0 | FUNCTION FLUSH");
    assert_eq!(harness.run("FUNCTION FLUSH"), "+OK");
    assert_eq!(harness.effects(), "");
    assert_eq!(harness.run("FUNCTION FLUSH x"), "-ERR FUNCTION FLUSH only supports SYNC|ASYNC option");
    let help = harness.run("FUNCTION FLUSH SYNC x");
    assert!(help.contains("wrong number of arguments for 'FLUSH'. Try FUNCTION HELP."), "{help}");
}
