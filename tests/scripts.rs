//! Scripts and functions beside the oracles, and scripts that run for long.

#![allow(clippy::unwrap_used)]

mod support;

use std::time::{Duration, Instant};

use ackd::base::quoting;
use support::client::Client;
use support::oracle::Oracle;
use support::process::{Program, Server};
use support::reply::Value;
use support::tools;

/// Scripts, with the keys and arguments `k`, `l` and `5`, `abc`.
const SCRIPTS: &[&str] = &[
    // Values both ways.
    "return {1, 2, 3.9, 'x', nil, 4}",
    "return {true, false, {}}",
    "return {KEYS, ARGV, #KEYS, #ARGV}",
    "return 1e300",
    "return -1e300",
    "return 0/0",
    "return 2^53 + 0.0",
    "return {ok = 'fine'}",
    "return {ok = 'a\\r\\nb'}",
    "return {err = 'MY error'}",
    "return {err = 'single'}",
    "return {err = 1}",
    "return {double = 3.5}",
    "return {double = 'x'}",
    "return {map = {a = 1}}",
    "return {map = 1, 2}",
    "return {set = {a = true}}",
    "return {big_number = '12345678901234567890'}",
    "return {verbatim_string = {string = 'abc', format = 'txt'}}",
    "return {verbatim_string = {string = 'abc'}}",
    "return cjson.null",
    "return function() end",
    "return {function() end, 1}",
    "return redis",
    "return redis.call('set', KEYS[1], 0.1)",
    "redis.call('set', KEYS[1], 0.1) return redis.call('get', KEYS[1])",
    "redis.call('set', KEYS[1], 1e17) return redis.call('get', KEYS[1])",
    "redis.call('set', KEYS[1], 1e300) return redis.call('get', KEYS[1])",
    "redis.call('set', KEYS[1], -0.0) return redis.call('get', KEYS[1])",
    "redis.call('set', KEYS[1], 3.0) return redis.call('get', KEYS[1])",
    "redis.call('set', KEYS[1], 2^63) return redis.call('get', KEYS[1])",
    "return redis.call('incrby', KEYS[2], ARGV[1])",
    "return {redis.call('type', 'none'), type(redis.call('get', 'none')), redis.call('lrange', 'none', 0, -1)}",
    "redis.setresp(3) return {type(redis.call('get', 'none')), redis.call('hgetall', 'none')}",
    "redis.call('hset', 'h', 'f', 'v') redis.setresp(3) return redis.call('hgetall', 'h')",
    "redis.call('hset', 'h', 'f', 'v') redis.setresp(3) return redis.call('hgetall', 'h').map.f",
    "redis.call('hset', 'h', 'f', 'v') return redis.call('hgetall', 'h')",
    "redis.call('sadd', 's', 'm') redis.setresp(3) return redis.call('smembers', 's')",
    "redis.call('sadd', 's', 'm') redis.setresp(3) return redis.call('smembers', 's').set.m",
    "redis.call('zadd', 'z', 1.5, 'm') redis.setresp(3) return redis.call('zscore', 'z', 'm')",
    "redis.call('zadd', 'z', 1.5, 'm') redis.setresp(3) return tostring(redis.call('zscore', 'z', 'm').double)",
    "redis.call('zadd', 'z', 1.5, 'm') return redis.call('zscore', 'z', 'm')",
    "redis.setresp(3) return {true, false}",
    "redis.setresp(3) redis.setresp(2) return {true, false}",
    "redis.call('select', 5) redis.call('set', 'in5', 1) return redis.call('dbsize')",
    "return redis.call('dbsize') >= 0",
    // Errors.
    "error('boom')",
    "error({err = 'boom'})",
    "error({err = 'CODE text', x = 1})",
    "error()",
    "error({err = 'boom', source = 'x', line = 3})",
    "local a\nlocal b\nreturn a.b",
    "return return",
    "return (",
    "return x",
    "x = 1",
    "redis.call = 1",
    "string.format = 1",
    "setmetatable(_G, {})",
    "getmetatable(_G).__index = {}",
    "getmetatable('').__index.x = 1",
    "rawset(_G, 'a', 1)",
    "rawset(redis, 'a', 1)",
    "return type(getmetatable(_G))",
    "return tostring(getmetatable(redis))",
    "return redis.call()",
    "return redis.call('nosuch')",
    "return redis.call('get')",
    "return redis.call('get', {})",
    "return redis.call('get', nil)",
    "return redis.call('get', true)",
    "return redis.call('subscribe', 'a')",
    "return redis.call('config', 'nope')",
    "return redis.call('config', 'get', 'save')",
    "return redis.call('eval', 'return 1', 0)",
    "return redis.call('multi')",
    "redis.call('set', KEYS[1], 'x') return redis.call('lpush', KEYS[1], 1)",
    "redis.call('set', KEYS[1], 'x') return redis.pcall('lpush', KEYS[1], 1)",
    "redis.call('set', KEYS[1], 'x') return {redis.pcall('lpush', KEYS[1], 1), 2}",
    "local e = redis.pcall('incr', 'h') return {e.err, tostring(e.ignore_error_stats_update)}",
    "local ok, e = pcall(redis.call, 'incr', 'h') return {tostring(ok), type(e), e.err}",
    "local ok, e = pcall(redis.call, 'nosuch') return {tostring(ok), type(e), e.err, tostring(e.source)}",
    "local ok, e = pcall(function() return redis.call('nosuch') end) return {tostring(ok), type(e), e.err}",
    "local ok, e = pcall(function() error('x') end) return {tostring(ok), e}",
    "local ok, e = xpcall(function() error('x') end, function(e) return 'got ' .. e end) return {tostring(ok), e}",
    "return redis.error_reply('gone')",
    "return redis.error_reply('-GONE for good')",
    "return redis.error_reply('GONE for good')",
    "return redis.error_reply('-GONE')",
    "return redis.error_reply(1)",
    "return redis.error_reply()",
    "return redis.status_reply('x')",
    "return redis.status_reply(1, 2)",
    "return redis.sha1hex('')",
    "return redis.sha1hex(12)",
    "return redis.sha1hex({})",
    "return redis.sha1hex('a', 'b')",
    "return redis.setresp(4)",
    "return redis.setresp()",
    "return redis.setresp('x')",
    "return redis.log(1)",
    "return redis.log('a', 'b')",
    "return redis.log(9, 'b')",
    "return redis.log(redis.LOG_DEBUG, 'a', 1, 'b')",
    "return redis.set_repl(9)",
    "return redis.set_repl()",
    "return redis.set_repl(redis.REPL_ALL)",
    "return redis.replicate_commands()",
    "return redis.acl_check_cmd('get', 'a')",
    "return redis.acl_check_cmd('nope', 'a')",
    "return redis.acl_check_cmd()",
    "return redis.acl_check_cmd({})",
    "return {redis.REPL_ALL, redis.REPL_AOF, redis.REPL_REPLICA, redis.REPL_SLAVE, redis.REPL_NONE, redis.LOG_WARNING}",
    // Lua itself.
    "return tostring(1e15) .. ' ' .. tostring(0.1) .. ' ' .. tostring(1e100) .. ' ' .. tostring(3)",
    "return {tostring(loadstring(string.dump(function() end))), type(load(function() end))}",
    "return loadstring('return ...')(7)",
    "return load('return 1')",
    "local n = 0 local f = load(function() n = n + 1 return ({'return ', '8'})[n] end) return f()",
    "local f = coroutine.wrap(function() coroutine.yield(1) error('x') end) f() f()",
    "local f = coroutine.wrap(function() return redis.call('ping') end) return f()",
    "math.randomseed(10) return {tostring(math.random()), math.random(1, 100), math.random(5)}",
    "return math.random(1, 2, 3)",
    "return math.random(3, 2)",
    "return math.random({})",
    "return math.randomseed()",
    "return {unpack({1, 2, 3})}",
    "return tostring(print)",
    "return tostring(os.time)",
    "return type(os.clock())",
    "return _VERSION",
    "local t = {} for i = 1, 5000 do t[i] = i end return #t",
    "return string.rep('x', 10):upper()",
    "return table.concat({1, 2, 'x'}, ',')",
    "local t = {3, 1, 2} table.sort(t) return t",
    "local t = setmetatable({}, {__index = function(_, k) return k end}) return t.abc",
    "local t = setmetatable({}, {__index = function(_, k) return k end}) return t",
    "return cjson.encode({1, 2, {a = 'x'}})",
    "return cjson.decode('{\"a\": [1, 2.5, null]}').a",
    "return cjson.decode('{')",
    "return cmsgpack.unpack(cmsgpack.pack({1, 'x', {2}}))",
    "return {struct.unpack('>I2', struct.pack('>I2', 258))}",
    "return bit.tohex(bit.bxor(0xff, 0x0f))",
    // The first line.
    "#!lua\nreturn 1",
    "#!lua flags=no-writes\nreturn redis.call('set', KEYS[1], 1)",
    "#!lua flags=no-writes\nreturn redis.call('get', 'none')",
    "#!lua flags=bogus\nreturn 1",
    "#!lua name=abc\nreturn 1",
    "#!lua flags=no-writes,allow-stale x=y\nreturn 1",
    "#!lua flags=no-writes,,allow-oom\nreturn 1",
    "#!py\nreturn 1",
    "#!lua",
    "#!lua\n\n\nreturn a.b",
];

/// What is asked about scripts and functions.
const LINES: &[&str] = &[
    "EVAL 'return 1' x",
    "EVAL 'return 1' 5 a",
    "EVAL 'return 1' -1 a",
    "EVAL 'return 1'",
    "EVALSHA ffffffffffffffffffffffffffffffffffffffff 0 a",
    "EVAL_RO \"return redis.call('set', 'a', 1)\" 0",
    "EVAL_RO \"return redis.pcall('publish', 'a', 1)\" 0",
    "EVAL_RO \"#!lua\\nreturn 1\" 0",
    "EVAL_RO 'return 1' 0",
    "SCRIPT LOAD 'return 1'",
    "SCRIPT LOAD 'return ('",
    "SCRIPT LOAD \"#!lua name=abc\\nreturn 1\"",
    "EVALSHA e0e1f9fabfc9d4800c877a703b823ac0578ff8db 0",
    "EVALSHA E0E1F9FABFC9D4800C877A703B823AC0578FF8DB 0",
    "EVALSHA_RO e0e1f9fabfc9d4800c877a703b823ac0578ff8db 0",
    "SCRIPT EXISTS e0e1f9fabfc9d4800c877a703b823ac0578ff8db abc",
    "SCRIPT KILL",
    "SCRIPT FLUSH x",
    "SCRIPT FLUSH ASYNC",
    "SCRIPT EXISTS e0e1f9fabfc9d4800c877a703b823ac0578ff8db",
    "FUNCTION KILL",
    "FUNCTION STATS",
    "FUNCTION LOAD \"#!lua name=mylib\\nredis.register_function('f1', function(k, a) return {k, a} end)\"",
    "FUNCTION LOAD \"#!lua name=mylib\\nredis.register_function('f1', function(k, a) return {k, a} end)\"",
    "FUNCTION LOAD \"#!lua name=other\\nredis.register_function('f1', function(k, a) return {k, a} end)\"",
    "FUNCTION LOAD \"#!lua name=two\\nredis.register_function{function_name='f2', callback=function(k, a) return \
     redis.call('set', k[1], a[1]) end, flags={'no-writes'}, description='desc'}\"",
    "FUNCTION LOAD \"#!lua name=my-lib\\n\"",
    "FUNCTION LOAD \"#!lua\\n\"",
    "FUNCTION LOAD \"lua\\n\"",
    "FUNCTION LOAD \"#!lua name=x y=z\\n\"",
    "FUNCTION LOAD \"#!lua name=x name=z\\n\"",
    "FUNCTION LOAD \"#!py name=x\\n\"",
    "FUNCTION LOAD \"#!lua name=x\"",
    "FUNCTION LOAD \"#!lua name=x\\n\"",
    "FUNCTION LOAD \"#!lua name=x\\nreturn (\"",
    "FUNCTION LOAD \"#!lua name=x\\nredis.call('set', 'a', 1)\"",
    "FUNCTION LOAD \"#!lua name=x\\nerror('boom')\"",
    "FUNCTION LOAD \"#!lua name=x\\nfoo = 1\"",
    "FUNCTION LOAD \"#!lua name=x\\nreturn foo\"",
    "FUNCTION LOAD \"#!lua name=x\\nredis.register_function()\"",
    "FUNCTION LOAD \"#!lua name=x\\nredis.register_function('a')\"",
    "FUNCTION LOAD \"#!lua name=x\\nredis.register_function('a', 1)\"",
    "FUNCTION LOAD \"#!lua name=x\\nredis.register_function({}, function() end)\"",
    "FUNCTION LOAD \"#!lua name=x\\nredis.register_function('a-b', function() end)\"",
    "FUNCTION LOAD \"#!lua name=x\\nredis.register_function('a', function() end) redis.register_function('a', function() end)\"",
    "FUNCTION LOAD \"#!lua name=x\\nredis.register_function{function_name='a'}\"",
    "FUNCTION LOAD \"#!lua name=x\\nredis.register_function{callback=function() end}\"",
    "FUNCTION LOAD \"#!lua name=x\\nredis.register_function{function_name='a', callback=1}\"",
    "FUNCTION LOAD \"#!lua name=x\\nredis.register_function{function_name='a', callback=function() end, flags=1}\"",
    "FUNCTION LOAD \"#!lua name=x\\nredis.register_function{function_name='a', callback=function() end, flags={'zz'}}\"",
    "FUNCTION LOAD \"#!lua name=x\\nredis.register_function{function_name='a', callback=function() end, x=1}\"",
    "FUNCTION LOAD X \"#!lua name=x\\n\"",
    "FUNCTION LOAD \"#!lua name=state\\nlocal n = 0 redis.register_function('count', function() n = n + 1 return n end)\"",
    "FCALL count 0",
    "FCALL count 0",
    "FUNCTION LOAD REPLACE \"#!lua name=state\\nlocal n = 5 redis.register_function('count', function() n = n + 1 return n end)\"",
    "FCALL count 0",
    "FUNCTION LIST LIBRARYNAME my*",
    "FUNCTION LIST WITHCODE LIBRARYNAME two",
    "FUNCTION LIST X",
    "FUNCTION LIST LIBRARYNAME",
    "FUNCTION LIST WITHCODE WITHCODE",
    "FUNCTION STATS",
    "FCALL f1 1 a b",
    "FCALL f2 1 a b",
    "FCALL nope 0",
    "FCALL f1 x",
    "FCALL f1 3 a",
    "FCALL f1 -1 a",
    "FCALL_RO f1 0",
    "FCALL_RO f2 1 a b",
    "FUNCTION DELETE nope",
    "FUNCTION DELETE mylib",
    "FCALL f1 0",
    "FUNCTION RESTORE abc",
    "FUNCTION RESTORE abc BOGUS",
    "FUNCTION FLUSH x",
    "FUNCTION FLUSH SYNC",
    "FUNCTION LIST",
    "MULTI",
    "EVAL \"return redis.call('incr', KEYS[1])\" 1 n",
    "EVAL \"return redis.call('nosuch')\" 0",
    "EVAL 'return 2' 0",
    "EXEC",
    "EVAL \"redis.call('set', 'n', 7) error('late')\" 0",
    "GET n",
];

const VALKEY_DIFFERS: &[&str] = &[
    "FUNCTION LOAD \"#!lua name=x\\nredis.register_function('a-b', function() end)\"",
    "FUNCTION LOAD \"#!lua name=x\\nredis.register_function('a', function() end) redis.register_function('a', function() end)\"",
];

fn eval(client: &mut Client, script: &str) -> Value {
    client.call(&["EVAL", script, "2", "k", "l", "5", "abc"]).unwrap().value
}

/// A line with words in quotes.
fn run(client: &mut Client, line: &str) -> Value {
    client.call(&quoting::split(line.as_bytes()).unwrap()).unwrap().value
}

/// Texts as Redis 7.2 has them: Valkey 8.1 has taken its predecessor's name out of some.
fn as_redis_says(value: &Value) -> String {
    let text = value.to_string().replace("Command arguments must be", "Lua redis lib command arguments must be");
    let text = text.replace("Could not find scripting engine \\'py\\'", "Unexpected engine in script shebang: #!py");
    let text = text.replace("Unknown command called", "Unknown Redis command called");
    let text = text.replace("calling command from script", "calling Redis command from script");
    let text = text.replace("for this call", "for this redis lib call").replace("server.", "redis.");
    let text = text.replace("Lua redis lib Lua redis lib", "Lua redis lib");
    text.replace("No matching script. Please use EVAL.", "No matching script.")
}

#[test]
fn scripts_and_functions_answer_as_those_of_the_oracles() {
    for oracle in [Oracle::Valkey, Oracle::Redis8] {
        let Some(program) = oracle.program() else {
            println!("SKIPPED: {} is not installed", oracle.name());
            continue;
        };
        let (left, right) = (program.start(), Program::ackd().start());
        let mut differences = Vec::new();
        for hello in ["HELLO 2", "HELLO 3"] {
            let (mut left, mut right) = (left.client(), right.client());
            for client in [&mut left, &mut right] {
                client.command(hello);
                client.command("FLUSHALL");
                client.command("SCRIPT FLUSH");
                client.command("FUNCTION FLUSH");
            }
            let mut compare = |what: &str, left: &Value, right: &Value| {
                let (left, right) = (as_redis_says(left), as_redis_says(right));
                if left != right {
                    differences.push(format!("{hello}, {what}\n  {}: {left}\n  ackd: {right}", oracle.name()));
                }
            };
            for script in SCRIPTS {
                compare(script, &eval(&mut left, script), &eval(&mut right, script));
            }
            // What is wrong with names of functions is worded otherwise in Valkey 8.1.
            let is_asked = |line: &&&str| oracle != Oracle::Valkey || !VALKEY_DIFFERS.contains(*line);
            for line in LINES.iter().filter(is_asked) {
                compare(line, &run(&mut left, line), &run(&mut right, line));
            }
        }
        assert!(differences.is_empty(), "{} differences\n{}", differences.len(), differences.join("\n"));
    }
}

/// A server whose scripts are slow after a tenth of a second.
fn impatient() -> Server {
    Program::ackd().with("busy-reply-threshold", "100").start()
}

/// Waits until others are told that a script runs.
fn until_busy(client: &mut Client) {
    let begun = Instant::now();
    while !client.command("PING").is_error() {
        assert!(begun.elapsed() < Duration::from_secs(60), "the script is not noticed");
    }
}

fn text(value: &Value) -> String {
    value.text().unwrap_or_default()
}

#[test]
fn a_script_that_runs_for_long_is_told_of_and_can_be_ended() {
    let server = impatient();
    let (mut runner, mut other) = (server.client(), server.client());
    other.command("SET a 1");
    for (script, kill) in [
        ("while true do end", "SCRIPT KILL"),
        ("while true do pcall(function() while true do end end) end", "SCRIPT KILL"),
        ("local f = coroutine.wrap(function() while true do end end) while true do pcall(f) end", "SCRIPT KILL"),
    ] {
        runner.send(&support::client::encode(&["EVAL", script, "0"])).unwrap();
        until_busy(&mut other);
        let busy = "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.";
        for line in ["GET a", "SET a 2", "PING", "SHUTDOWN", "EVAL 'return 1' 0", "FUNCTION KILL", "CLIENT LIST"] {
            assert_eq!(text(&run(&mut other, line)), busy, "{line}");
        }
        assert!(run(&mut other, "FUNCTION STATS").to_string().contains("\"EVAL\""));
        // A connection that comes now is served like the others.
        assert_eq!(text(&server.client().command("GET a")), busy);
        assert_eq!(text(&other.command(kill)), "OK");
        let error = text(&runner.receive().unwrap().value);
        assert!(error.starts_with("ERR Script killed by user with SCRIPT KILL. script: "), "{error}");
        assert_eq!(text(&other.command("GET a")), "1");
        assert_eq!(run(&mut other, "EVAL 'return 7' 0"), Value::Integer(7));
    }
    run(&mut other, "FUNCTION LOAD \"#!lua name=l\\nredis.register_function('f', function() while true do end end)\"");
    runner.send(&support::client::encode(&["FCALL", "f", "0"])).unwrap();
    until_busy(&mut other);
    let busy = "BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE.";
    assert_eq!(text(&other.command("SCRIPT KILL")), busy);
    assert_eq!(text(&run(&mut other, "FUNCTION KILL")), "OK");
    assert!(
        text(&runner.receive().unwrap().value).starts_with("ERR Script killed by user with FUNCTION KILL. script: f")
    );
    // Loading a library ends by itself.
    let endless = "FUNCTION LOAD \"#!lua name=endless\\nwhile true do end\"";
    assert_eq!(text(&run(&mut other, endless)), "ERR Error registering functions: ERR FUNCTION LOAD timeout");
    assert_eq!(text(&other.command("GET a")), "1");
}

#[test]
fn a_long_script_is_whole_or_was_never() {
    let mut server = impatient();
    let (mut runner, mut other) = (server.client(), server.client());
    other.command("SET a 1");
    // One that ends by itself, inside a transaction, whose client has gone.
    let script =
        "redis.call('set', 'a', '2') local t = 0 while t < 3e7 do t = t + 1 end return redis.call('incr', 'a')";
    let commands: [&[&str]; 4] = [&["MULTI"], &["INCR", "n"], &["EVAL", script, "0"], &["EXEC"]];
    runner.send(&commands.iter().flat_map(|words| support::client::encode(words)).collect::<Vec<u8>>()).unwrap();
    until_busy(&mut other);
    drop(runner);
    let begun = Instant::now();
    while other.command("GET a").is_error() {
        assert!(begun.elapsed() < Duration::from_secs(120));
    }
    assert_eq!(text(&other.command("GET a")), "3");
    assert_eq!(text(&other.command("GET n")), "1");
    // One that has written cannot be ended, but the server can, and then it never was.
    let mut runner = server.client();
    let script = "redis.call('set', 'a', '9') redis.call('rpush', 'l', 'x') while true do end";
    runner.send(&support::client::encode(&["EVAL", script, "0"])).unwrap();
    until_busy(&mut other);
    assert!(
        text(&other.command("SCRIPT KILL")).starts_with("UNKILLABLE Sorry the script already executed write commands")
    );
    other.send(&support::client::encode(&["SHUTDOWN", "NOSAVE"])).unwrap();
    assert!(server.wait_for_exit(Duration::from_secs(60)).success());
    server.start();
    let mut other = server.client();
    assert_eq!(text(&other.command("GET a")), "3");
    assert_eq!(other.command("EXISTS l"), Value::Integer(0));
    // The same by a signal.
    let mut runner = server.client();
    runner.send(&support::client::encode(&["EVAL", script, "0"])).unwrap();
    until_busy(&mut other);
    tools::stop(&mut server);
    server.start();
    assert_eq!(text(&server.client().command("GET a")), "3");
}

#[test]
fn a_reload_waits_for_a_long_script() {
    let server = Program::ackd().with("busy-reply-threshold", "50").with("enable-debug-command", "yes").start();
    let (mut runner, mut other) = (server.client(), server.client());
    run(&mut other, "FUNCTION LOAD \"#!lua name=l\\nredis.register_function('f', function() return 7 end)\"");
    run(&mut other, "FUNCTION DELETE l");
    run(&mut other, "FUNCTION LOAD \"#!lua name=l\\nredis.register_function('f', function() return 8 end)\"");
    for reload in [&["DEBUG", "RELOAD", "NOSAVE"][..], &["DEBUG", "RELOAD"]] {
        // Both in one turn: the reload is asked for, and the script begins before it.
        let script =
            "redis.call('incr', 'n') local t = 0 while t < 5e6 do t = t + 1 end return redis.call('incr', 'n')";
        other.send(&support::client::encode(reload)).unwrap();
        runner.send(&support::client::encode(&["EVAL", script, "0"])).unwrap();
        let done = runner.receive().unwrap().value;
        assert_eq!(text(&other.receive().unwrap().value), "OK");
        assert!(done.integer().is_some() || text(&done).starts_with("LOADING"), "{done}");
        assert_eq!(run(&mut other, "FCALL f 0"), Value::Integer(8), "functions are compiled anew");
    }
}

#[test]
fn functions_survive() {
    let mut server = Program::ackd().start();
    let mut client = server.client();
    run(
        &mut client,
        "FUNCTION LOAD \"#!lua name=l\\nredis.register_function('f', function(k) return redis.call('incr', k[1]) end)\"",
    );
    run(&mut client, "FUNCTION LOAD \"#!lua name=gone\\nredis.register_function('g', function() return 1 end)\"");
    run(&mut client, "FUNCTION DELETE gone");
    assert_eq!(client.command("FCALL f 1 n"), Value::Integer(1));
    for with_snapshot in [false, true] {
        if with_snapshot {
            server.client().command("SAVE");
        }
        server.kill();
        server.start();
        let mut client = server.client();
        assert_eq!(client.command("FCALL f 1 n"), Value::Integer(2 + i64::from(with_snapshot)));
        assert_eq!(text(&client.command("FCALL g 0")), "ERR Function not found");
    }
}

#[test]
fn a_script_cannot_take_all_memory() {
    let server = Program::ackd().with("lua-max-memory", "64mb").start();
    let mut client = server.client();
    for script in [
        "local t = {} while true do t[#t + 1] = string.rep('x', 100000) .. #t end",
        "return string.rep('x', 1000000000)",
        "return cjson.encode({string.rep('x', 30000000), string.rep('y', 30000000)})",
        "redis.call('set', 'large', string.rep('x', 30000000)) local t = {} while true do t[#t + 1] = redis.call('get', 'large') end",
    ] {
        for _ in 0..3 {
            let error = text(&eval(&mut client, script));
            assert!(error.contains("not enough memory"), "{script}: {error}");
            assert_eq!(text(&eval(&mut client, "return string.rep('x', 10000000):sub(1, 3)")), "xxx");
        }
    }
    assert_eq!(text(&eval(&mut client, "return (pcall(string.rep, 'x', 1000000000)) and 'no' or 'caught'")), "caught");
    let info = text(&client.command("INFO memory"));
    let used = info.lines().find_map(|line| line.strip_prefix("used_memory_lua:")).unwrap();
    assert!(used.trim().parse::<u64>().unwrap() < 64 << 20, "{used}");
}
